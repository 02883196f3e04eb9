//! FHIR dates as spans of time.
//!
//! `2024-02` is the whole of February, `2024-02-03T10:15` a minute: a date means
//! every instant that it could be. Spans are half open, in microseconds since
//! 1970-01-01T00:00Z.
//!
//! Source: FHIR R4 search.html#date, datatypes.html#dateTime

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::row::Span;

/// Why a text is no FHIR date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or a date with a time.
    #[error("a date is written 2024, 2024-02, 2024-02-03 or 2024-02-03T10:15:00+09:00")]
    Shape,
    /// `2023-02-29`, `T25:00`, `+15:00`.
    #[error("there is no such day or time")]
    NoSuch,
    /// `…T10:00:00 09:00`: the plus was sent bare and read as a blank.
    #[error("the + of a time zone is sent as %2B in a URL")]
    BarePlus,
}

/// The span of time a FHIR date may stand for.
///
/// * `text`: `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, or a date and time, whose seconds
///   and zone may be missing.
/// * `zone`: where the text names no offset.
///
/// `2024-02` in Asia/Tokyo → `2024-01-31T15:00Z .. 2024-02-29T15:00Z`.
///
/// # Errors
/// [`DateError::NoSuch`] for `2023-02-29`; [`DateError::BarePlus`] for a blank
/// before the zone; [`DateError::Shape`] otherwise.
pub fn span(text: &str, zone: &TimeZone) -> Result<Span, DateError> {
    if !text.is_ascii() {
        return Err(DateError::Shape);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let days = days(date)?;
    let Some(time) = time else {
        return Ok(Span { low: instant(days.0 * DAY, zone), high: instant(days.1 * DAY, zone) });
    };
    if date.len() != 10 {
        return Err(DateError::Shape);
    }
    let (clock, offset) = split_offset(time)?;
    let (start, length) = clock_time(clock)?;
    let local = days.0 * DAY + start;
    let low = offset.map_or_else(|| instant(local, zone), |minutes| local - minutes * MINUTE);
    Ok(Span { low, high: low + length })
}

/// The instant at which clocks in `zone` show `local`, microseconds counted as if
/// they were UTC. Where they show it twice, the first time; where never, as if
/// they had not been moved.
fn instant(local: i64, zone: &TimeZone) -> i64 {
    let offset = Timestamp::from_microsecond(local).ok().map_or(Offset::UTC, |shown| {
        let shown = Offset::UTC.to_datetime(shown);
        match zone.to_ambiguous_timestamp(shown).offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => offset,
            jiff::tz::AmbiguousOffset::Gap { before, .. } | jiff::tz::AmbiguousOffset::Fold { before, .. } => before,
        }
    });
    local - i64::from(offset.seconds()) * SECOND
}

/// First day and the day after the last, counted from 1970-01-01.
fn days(date: &str) -> Result<(i64, i64), DateError> {
    let mut parts = date.split('-');
    let year = digits(parts.next(), 4)?;
    if year == 0 {
        return Err(DateError::NoSuch);
    }
    let Some(month) = parts.next() else {
        return Ok((day_number(year, 1, 1), day_number(year + 1, 1, 1)));
    };
    let month = digits(Some(month), 2)?;
    if !(1..=12).contains(&month) {
        return Err(DateError::NoSuch);
    }
    let first = day_number(year, month, 1);
    let next = if month == 12 { day_number(year + 1, 1, 1) } else { day_number(year, month + 1, 1) };
    let Some(day) = parts.next() else {
        return Ok((first, next));
    };
    let day = digits(Some(day), 2)?;
    if parts.next().is_some() {
        return Err(DateError::Shape);
    }
    if day == 0 || first + day > next {
        return Err(DateError::NoSuch);
    }
    Ok((first + day - 1, first + day))
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar: years are
/// taken to begin in March, so that the leap day is the last.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// The time without its offset, and that in minutes if there is one.
fn split_offset(time: &str) -> Result<(&str, Option<i64>), DateError> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Ok((clock, Some(0)));
    }
    let Some(at) = time.find(['+', '-', ' ']) else {
        return Ok((time, None));
    };
    let (clock, offset) = time.split_at(at);
    let sign = match offset.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return Err(DateError::BarePlus),
    };
    let (hours, minutes) = offset[1..].split_once(':').ok_or(DateError::Shape)?;
    let (hours, minutes) = (digits(Some(hours), 2)?, digits(Some(minutes), 2)?);
    let total = hours * 60 + minutes;
    if minutes > 59 || total > 14 * 60 {
        return Err(DateError::NoSuch);
    }
    Ok((clock, Some(sign * total)))
}

/// Microseconds from midnight, and how long the span is.
fn clock_time(clock: &str) -> Result<(i64, i64), DateError> {
    let mut parts = clock.split(':');
    let hour = digits(parts.next(), 2)?;
    let minute = digits(parts.next(), 2)?;
    let seconds = parts.next();
    if parts.next().is_some() {
        return Err(DateError::Shape);
    }
    if hour > 23 || minute > 59 {
        return Err(DateError::NoSuch);
    }
    let start = hour * HOUR + minute * MINUTE;
    let Some(seconds) = seconds else {
        return Ok((start, MINUTE));
    };
    let (whole, fraction) = match seconds.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (seconds, None),
    };
    let second = digits(Some(whole), 2)?;
    // FHIR writes a leap second as 60; it is the first instant of the next minute here.
    if second > 60 {
        return Err(DateError::NoSuch);
    }
    let (part, length) = fraction.map_or(Ok((0, SECOND)), fraction_of_second)?;
    Ok((start + second * SECOND + part, length))
}

/// `25` → 250 ms, 10 ms long. Digits beyond the sixth only place the microsecond.
fn fraction_of_second(fraction: &str) -> Result<(i64, i64), DateError> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateError::Shape);
    }
    let kept = &fraction[..fraction.len().min(6)];
    let mut length = SECOND;
    let mut part = 0;
    for byte in kept.bytes() {
        length /= 10;
        part += i64::from(byte - b'0') * length;
    }
    Ok((part, length))
}

/// Exactly `count` digits.
fn digits(text: Option<&str>, count: usize) -> Result<i64, DateError> {
    let text = text.ok_or(DateError::Shape)?;
    if text.len() != count || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateError::Shape);
    }
    text.parse().map_err(|_| DateError::Shape)
}

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub(super) const DAY: i64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(minutes: i32) -> TimeZone {
        TimeZone::fixed(Offset::from_seconds(minutes * 60).expect("an offset"))
    }

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().expect(text).as_microsecond()
    }

    #[test]
    fn spans_by_precision() {
        for (text, zone, low, high) in [
            ("2024", 0, "2024-01-01T00:00Z", "2025-01-01T00:00Z"),
            ("2024-02", 540, "2024-01-31T15:00Z", "2024-02-29T15:00Z"),
            ("2024-12", 0, "2024-12-01T00:00Z", "2025-01-01T00:00Z"),
            ("2024-02-29", 540, "2024-02-28T15:00Z", "2024-02-29T15:00Z"),
            ("2024-02-29T10:15", 540, "2024-02-29T01:15Z", "2024-02-29T01:16Z"),
            ("2024-02-29T10:15:30", -300, "2024-02-29T15:15:30Z", "2024-02-29T15:15:31Z"),
            ("2024-02-29T10:15:30Z", 540, "2024-02-29T10:15:30Z", "2024-02-29T10:15:31Z"),
            ("2024-02-29T10:15:30+09:00", 0, "2024-02-29T01:15:30Z", "2024-02-29T01:15:31Z"),
            ("2024-02-29T10:15:30-03:30", 0, "2024-02-29T13:45:30Z", "2024-02-29T13:45:31Z"),
            ("2024-02-29T10:15:30.25Z", 0, "2024-02-29T10:15:30.25Z", "2024-02-29T10:15:30.26Z"),
            ("2024-02-29T10:15:30.1234567Z", 0, "2024-02-29T10:15:30.123456Z", "2024-02-29T10:15:30.123457Z"),
            ("2016-12-31T23:59:60Z", 0, "2017-01-01T00:00Z", "2017-01-01T00:00:01Z"),
            ("1600-02-29", 0, "1600-02-29T00:00Z", "1600-03-01T00:00Z"),
            ("0001", 0, "0001-01-01T00:00Z", "0002-01-01T00:00Z"),
        ] {
            let expected = Span { low: micros(low), high: micros(high) };
            assert_eq!(span(text, &fixed(zone)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_last() {
        let mut expected = day_number(1900, 1, 1);
        for year in 1900..2300 {
            for month in 1..=12 {
                let (first, next) = days(&format!("{year:04}-{month:02}")).expect("a month");
                assert_eq!(first, expected, "{year}-{month}");
                expected = next;
            }
        }
        assert_eq!(day_number(1970, 1, 1), 0);
    }

    #[test]
    fn a_zone_is_followed_through_its_changes() {
        let (tokyo, paris) =
            (TimeZone::get("Asia/Tokyo").expect("a zone"), TimeZone::get("Europe/Paris").expect("a zone"));
        for (text, zone, low, high) in [
            ("2024-02", &tokyo, "2024-01-31T15:00Z", "2024-02-29T15:00Z"),
            ("1950-07-01", &tokyo, "1950-06-30T14:00Z", "1950-07-01T14:00Z"),
            ("2024-03-31", &paris, "2024-03-30T23:00Z", "2024-03-31T22:00Z"),
            ("2024-03-31T02:30", &paris, "2024-03-31T01:30Z", "2024-03-31T01:31Z"),
            ("2024-10-27T02:30", &paris, "2024-10-27T00:30Z", "2024-10-27T00:31Z"),
        ] {
            assert_eq!(span(text, zone), Ok(Span { low: micros(low), high: micros(high) }), "{text}");
        }
        assert!(span("9999", &tokyo).is_ok_and(|span| span.low < span.high));
    }

    #[test]
    fn what_is_no_date() {
        for (text, error) in [
            ("", DateError::Shape),
            ("24", DateError::Shape),
            ("2024-2", DateError::Shape),
            ("2024-02-03-04", DateError::Shape),
            ("2024-02T10:00", DateError::Shape),
            ("2024-02-03T", DateError::Shape),
            ("2024-02-03T10", DateError::Shape),
            ("2024-02-03T10:00:00.", DateError::Shape),
            ("2024-02-03T10:00:00:00", DateError::Shape),
            ("２０２４", DateError::Shape),
            ("+024", DateError::Shape),
            ("0000", DateError::NoSuch),
            ("2023-02-29", DateError::NoSuch),
            ("2024-13", DateError::NoSuch),
            ("2024-00-01", DateError::NoSuch),
            ("2024-01-00", DateError::NoSuch),
            ("2024-02-03T24:00", DateError::NoSuch),
            ("2024-02-03T10:60", DateError::NoSuch),
            ("2024-02-03T10:00:61Z", DateError::NoSuch),
            ("2024-02-03T10:00:00+15:00", DateError::NoSuch),
            ("2024-02-03T10:00:00 09:00", DateError::BarePlus),
        ] {
            assert_eq!(span(text, &fixed(0)), Err(error), "{text}");
        }
    }
}
