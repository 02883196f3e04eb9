//! FHIR dates and times: reading them, and the span of time they stand for.
//!
//! Source: FHIR R4 datatypes.html#date, #dateTime, #instant, #time; search.html#date

use std::ops::Range;

/// Why a text is no date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not written as FHIR writes dates.
    #[error("not of the form YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz")]
    Shape,
    /// `2023-02-29`, `2023-13`, the year 0000.
    #[error("no such day in the calendar")]
    NoSuchDay,
    /// `T24:00`, `T10:61`, `+15:00`.
    #[error("no such time of day or no such zone")]
    NoSuchTime,
}

/// The span of time that a date stands for, by the calendar and clock that it was
/// written by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Microseconds since 1970-01-01T00:00 on that clock; the end is exclusive.
    pub span: Range<i64>,
    /// Whether it names a time of day.
    pub has_time: bool,
    /// Minutes by which that clock is ahead of UTC, where the text says so.
    pub offset: Option<i16>,
}

/// Reads a FHIR date.
///
/// * `text`: `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, or a dateTime, its seconds and its
///   zone optional as in a search.
///
/// `2024-02` → `2024-02-01T00:00 .. 2024-03-01T00:00`.
///
/// # Errors
/// [`DateError::NoSuchDay`] for `2023-02-29`; [`DateError::NoSuchTime`] for
/// `T24:00`; [`DateError::Shape`] otherwise.
///
/// Source: FHIR R4 search.html#date
pub fn civil(text: &str) -> Result<Civil, DateError> {
    let moment = Moment::parse(text)?;
    let first = day_number(moment.year, moment.month.unwrap_or(1), moment.day.unwrap_or(1)) * DAY;
    let span = match (moment.time, moment.month, moment.day) {
        (Some(time), _, _) => first + time.start..first + time.start + time.width,
        (None, None, _) | (None, Some(12), None) => first..day_number(moment.year + 1, 1, 1) * DAY,
        (None, Some(month), None) => first..day_number(moment.year, month + 1, 1) * DAY,
        (None, Some(_), Some(_)) => first..first + DAY,
    };
    Ok(Civil { span, has_time: moment.time.is_some(), offset: moment.zone })
}

/// A date or dateTime taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    year: i32,
    month: Option<u8>,
    day: Option<u8>,
    pub(super) time: Option<TimeOfDay>,
    /// Minutes east of Greenwich.
    pub(super) zone: Option<i16>,
}

/// A time of day, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeOfDay {
    start: i64,
    width: i64,
    pub(super) has_seconds: bool,
}

impl Moment {
    pub(super) fn parse(text: &str) -> Result<Self, DateError> {
        let mut reader = Reader { rest: text.as_bytes() };
        let mut moment = Self { year: reader.number(4)?, month: None, day: None, time: None, zone: None };
        if reader.take(b'-') {
            moment.month = Some(reader.small()?);
            if reader.take(b'-') {
                moment.day = Some(reader.small()?);
                if reader.take(b'T') {
                    moment.time = Some(reader.time()?);
                    moment.zone = reader.zone()?;
                }
            }
        }
        if !reader.rest.is_empty() {
            return Err(DateError::Shape);
        }
        let month = moment.month.unwrap_or(1);
        let in_calendar = moment.year > 0
            && (1..=12).contains(&month)
            && (1..=days_in(moment.year, month)).contains(&moment.day.unwrap_or(1));
        if in_calendar { Ok(moment) } else { Err(DateError::NoSuchDay) }
    }
}

/// Whether `text` is `hh:mm:ss`, with or without a fraction.
pub(super) fn time(text: &str) -> Result<(), DateError> {
    let mut reader = Reader { rest: text.as_bytes() };
    let time = reader.time()?;
    if reader.rest.is_empty() && time.has_seconds { Ok(()) } else { Err(DateError::Shape) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, wanted: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn number(&mut self, digits: usize) -> Result<i32, DateError> {
        let (head, rest) = self.rest.split_at_checked(digits).ok_or(DateError::Shape)?;
        self.rest = rest;
        head.iter().try_fold(0, |sum, byte| match byte {
            b'0'..=b'9' => Ok(sum * 10 + i32::from(byte - b'0')),
            _ => Err(DateError::Shape),
        })
    }

    fn small(&mut self) -> Result<u8, DateError> {
        self.number(2).and_then(|number| u8::try_from(number).map_err(|_| DateError::Shape))
    }

    fn time(&mut self) -> Result<TimeOfDay, DateError> {
        let hour = self.small()?;
        if !self.take(b':') {
            return Err(DateError::Shape);
        }
        let minute = self.small()?;
        let has_seconds = self.take(b':');
        let second = if has_seconds { self.small()? } else { 0 };
        // A leap second is written :60.
        if hour > 23 || minute > 59 || second > 60 {
            return Err(DateError::NoSuchTime);
        }
        let (fraction, width) = match has_seconds {
            true if self.take(b'.') => self.fraction()?,
            true => (0, SECOND),
            false => (0, MINUTE),
        };
        let minutes = i64::from(hour) * 60 + i64::from(minute);
        Ok(TimeOfDay { start: minutes * MINUTE + i64::from(second) * SECOND + fraction, width, has_seconds })
    }

    /// Microseconds and the width of the last digit; digits after the sixth are
    /// read but do not count.
    fn fraction(&mut self) -> Result<(i64, i64), DateError> {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(length);
        if digits.is_empty() {
            return Err(DateError::Shape);
        }
        self.rest = rest;
        let (mut value, mut width) = (0, SECOND);
        for digit in digits.iter().take(6) {
            width /= 10;
            value += i64::from(digit - b'0') * width;
        }
        Ok((value, width))
    }

    fn zone(&mut self) -> Result<Option<i16>, DateError> {
        if self.take(b'Z') {
            return Ok(Some(0));
        }
        let sign = match self.rest.first() {
            None => return Ok(None),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return Err(DateError::Shape),
        };
        self.rest = &self.rest[1..];
        let hours = i16::from(self.small()?);
        if !self.take(b':') {
            return Err(DateError::Shape);
        }
        let minutes = i16::from(self.small()?);
        if minutes > 59 || hours * 60 + minutes > 14 * 60 {
            return Err(DateError::NoSuchTime);
        }
        Ok(Some(sign * (hours * 60 + minutes)))
    }
}

fn days_in(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin
/// in March so that the leap day is the last of its year.
fn day_number(year: i32, month: u8, day: u8) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - EPOCH
}

/// Days from the first of March of the year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect(text).as_microsecond()
    }

    #[test]
    fn a_date_spans_what_it_leaves_open() {
        for (text, offset, start, end) in [
            ("2024-02", None, "2024-02-01T00:00Z", "2024-03-01T00:00Z"),
            ("2024", None, "2024-01-01T00:00Z", "2025-01-01T00:00Z"),
            ("2023-12", None, "2023-12-01T00:00Z", "2024-01-01T00:00Z"),
            ("2024-02-29", None, "2024-02-29T00:00Z", "2024-03-01T00:00Z"),
            ("1600-02-29", None, "1600-02-29T00:00Z", "1600-03-01T00:00Z"),
            ("1969-12-31", None, "1969-12-31T00:00Z", "1970-01-01T00:00Z"),
            ("0001-01-01", None, "0001-01-01T00:00Z", "0001-01-02T00:00Z"),
            ("2024-05-01T10:30", None, "2024-05-01T10:30Z", "2024-05-01T10:31Z"),
            ("2024-05-01T10:30:15", None, "2024-05-01T10:30:15Z", "2024-05-01T10:30:16Z"),
            ("2024-05-01T10:30:15Z", Some(0), "2024-05-01T10:30:15Z", "2024-05-01T10:30:16Z"),
            ("2024-05-01T10:30:15-03:30", Some(-210), "2024-05-01T10:30:15Z", "2024-05-01T10:30:16Z"),
            ("2024-05-01T10:30:15.5Z", Some(0), "2024-05-01T10:30:15.5Z", "2024-05-01T10:30:15.6Z"),
            ("2024-05-01T10:30:15.1234567Z", Some(0), "2024-05-01T10:30:15.123456Z", "2024-05-01T10:30:15.123457Z"),
            ("2016-12-31T23:59:60Z", Some(0), "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z"),
        ] {
            let expected = Civil { span: at(start)..at(end), has_time: text.contains('T'), offset };
            assert_eq!(civil(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for (text, error) in [
            ("2023-02-29", DateError::NoSuchDay),
            ("1900-02-29", DateError::NoSuchDay),
            ("2023-13", DateError::NoSuchDay),
            ("2023-00-01", DateError::NoSuchDay),
            ("2023-04-31", DateError::NoSuchDay),
            ("0000", DateError::NoSuchDay),
            ("2023-01-01T24:00:00Z", DateError::NoSuchTime),
            ("2023-01-01T23:60:00Z", DateError::NoSuchTime),
            ("2023-01-01T23:59:61Z", DateError::NoSuchTime),
            ("2023-01-01T00:00:00+14:01", DateError::NoSuchTime),
            ("", DateError::Shape),
            ("23", DateError::Shape),
            ("2023-1-1", DateError::Shape),
            ("2023/01/01", DateError::Shape),
            ("2023-01-01T", DateError::Shape),
            ("2023-01-01T10", DateError::Shape),
            ("2023-01-01 10:00", DateError::Shape),
            ("2023-01-01T10:00:00.", DateError::Shape),
            ("2023-01-01T10:00:00.Z", DateError::Shape),
            ("2023-01-01T10:00:00z", DateError::Shape),
            ("2023-01-01T10:00:00+09", DateError::Shape),
            ("2023-01-01T10:00:00+0900", DateError::Shape),
            ("2023Z", DateError::Shape),
            ("2023-01-01Z", DateError::Shape),
            ("+023", DateError::Shape),
            ("２０２３", DateError::Shape),
            ("2023-01-01x", DateError::Shape),
        ] {
            assert_eq!(civil(text), Err(error), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = day_number(1800, 1, 1);
        for year in 1800..2200 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(day_number(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
        assert_eq!(day_number(1970, 1, 1), 0);
    }
}
