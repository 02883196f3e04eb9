//! FHIR dates as spans of time.
//!
//! `2024-02` is the whole of February, `2024-02-03T10:15` a minute: a date means
//! every instant that it could be. Spans are half open, in microseconds since
//! 1970-01-01T00:00Z.
//!
//! Source: FHIR R4 search.html#date, datatypes.html#dateTime

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use techo_profiles::primitive::{self, Civil, civil};

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
    let Civil { span, has_time, offset } = civil(text).map_err(|error| DateError::of(error, text))?;
    let (low, high) = match offset.map(|minutes| i64::from(minutes) * MINUTE) {
        Some(offset) => (span.start - offset, span.end - offset),
        None if has_time => {
            let low = instant(span.start, zone);
            (low, low + (span.end - span.start))
        }
        None => (instant(span.start, zone), instant(span.end, zone)),
    };
    Ok(Span { low, high })
}

impl DateError {
    fn of(error: primitive::DateError, text: &str) -> Self {
        match error {
            primitive::DateError::NoSuchDay | primitive::DateError::NoSuchTime => Self::NoSuch,
            primitive::DateError::Shape if text.split_once('T').is_some_and(|(_, time)| time.contains(' ')) => {
                Self::BarePlus
            }
            primitive::DateError::Shape => Self::Shape,
        }
    }
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

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

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
