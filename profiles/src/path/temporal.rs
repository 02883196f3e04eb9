//! Dates and times of partial precision: text in, [`Date`], [`DateTime`] or
//! [`Time`] out, and back.
//!
//! `@2015` is all of 2015. Two values compare when the spans they stand for do
//! not overlap, or when both are of one precision; otherwise the answer is
//! unknown. Seconds and their fractions count as one precision.
//!
//! Source: `FHIRPath` 2.0, literals and date/time comparison

use std::cmp::Ordering;
use std::fmt;

use jiff::civil;

/// A date to the year, the month or the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Date {
    /// 1 to 9999.
    pub(super) year: i16,
    /// 1 to 12, if known.
    pub(super) month: Option<i8>,
    /// 1 to 31, if known.
    pub(super) day: Option<i8>,
}

/// A time of day to the hour, the minute or the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    /// 0 to 23.
    pub(super) hour: i8,
    /// 0 to 59, if known.
    pub(super) minute: Option<i8>,
    /// 0 to 60 in text (a leap second), if known.
    pub(super) second: Option<i8>,
    /// The fraction of the second.
    pub(super) nanos: u32,
    /// How many digits the fraction was written with.
    pub(super) digits: u8,
}

/// A date with, if known, a time and the offset from UTC in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The date.
    pub(super) date: Date,
    /// The time of day.
    pub(super) time: Option<Time>,
    /// Minutes east of UTC.
    pub(super) offset: Option<i16>,
}

/// What a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Date(Date),
    DateTime(DateTime),
    Time(Time),
}

/// The zones of the world: a value without an offset may be in any of them.
const EAST: i128 = 14 * 3600 * SECOND;
const WEST: i128 = 12 * 3600 * SECOND;
const SECOND: i128 = 1_000_000_000;

impl Date {
    /// Reads all of `text`.
    pub fn parse(text: &str) -> Option<Self> {
        match scan(text.as_bytes())? {
            (Moment::Date(date), length) if length == text.len() => Some(date),
            _ => None,
        }
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> i16 {
        self.year
    }

    /// The month from 1, if known.
    pub fn month(self) -> Option<i8> {
        self.month
    }

    /// The day of the month, if known.
    pub fn day(self) -> Option<i8> {
        self.day
    }

    /// How many parts are known: 1 to 3.
    pub fn precision(self) -> u8 {
        1 + u8::from(self.month.is_some()) + u8::from(self.day.is_some())
    }

    /// The first day it may stand for.
    pub fn first_day(self) -> civil::Date {
        civil::date(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1))
    }

    /// The last day it may stand for.
    pub fn last_day(self) -> civil::Date {
        match (self.month, self.day) {
            (Some(_), Some(_)) => self.first_day(),
            (Some(_), None) => self.first_day().last_of_month(),
            _ => self.first_day().last_of_year(),
        }
    }

    /// The parts of `day` down to `precision`.
    pub(super) fn from_civil(day: civil::Date, precision: u8) -> Self {
        Self { year: day.year(), month: (precision > 1).then(|| day.month()), day: (precision > 2).then(|| day.day()) }
    }
}

impl Time {
    /// Reads all of `text`, as FHIR writes it: no `T`.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, length) = scan_time(text.as_bytes())?;
        (length == text.len()).then_some(time)
    }

    /// How many parts are known: 1 to 3.
    pub fn precision(self) -> u8 {
        1 + u8::from(self.minute.is_some()) + u8::from(self.second.is_some())
    }

    /// Nanoseconds of the day: the first and the last it may stand for.
    pub(super) fn span(self) -> (i128, i128) {
        let low = i128::from(self.hour) * 3600
            + i128::from(self.minute.unwrap_or(0)) * 60
            + i128::from(self.second.unwrap_or(0));
        let low = low * SECOND + i128::from(self.nanos);
        let width = match self.precision() {
            1 => 3600 * SECOND - 1,
            2 => 60 * SECOND - 1,
            _ => 0,
        };
        (low, low + width)
    }

    /// The parts of this nanosecond of the day down to the precision of `like`.
    pub(super) fn from_nanos(nanos: i128, like: Self) -> Self {
        let nanos = nanos.rem_euclid(86_400 * SECOND);
        let part = |unit: i128, modulus: i128| i8::try_from(nanos / unit % modulus).unwrap_or(0);
        let fraction = u32::try_from(nanos % SECOND).unwrap_or(0);
        Self {
            hour: part(3600 * SECOND, 24),
            minute: like.minute.map(|_| part(60 * SECOND, 60)),
            second: like.second.map(|_| part(SECOND, 60)),
            nanos: if like.second.is_some() { fraction } else { 0 },
            digits: if fraction > 0 && like.second.is_some() { like.digits.max(3) } else { like.digits },
        }
    }

    /// Which comes first; `None` if their precisions leave it open.
    pub fn order(self, other: Self) -> Option<Ordering> {
        order(self.span(), other.span(), self.precision() == other.precision())
    }
}

impl DateTime {
    /// Reads all of `text`, as FHIR writes it; a date alone is one.
    pub fn parse(text: &str) -> Option<Self> {
        match scan(text.as_bytes())? {
            (Moment::Date(date), length) if length == text.len() => Some(Self::from(date)),
            (Moment::DateTime(moment), length) if length == text.len() => Some(moment),
            _ => None,
        }
    }

    /// This instant as it reads `offset` minutes east of UTC, to the millisecond.
    pub fn at(instant: jiff::Timestamp, offset: i16) -> Self {
        let seconds = i32::from(offset) * 60;
        let zone = jiff::tz::Offset::from_seconds(seconds).unwrap_or(jiff::tz::Offset::UTC);
        let local = zone.to_datetime(instant);
        let millis = u32::try_from(local.subsec_nanosecond() / 1_000_000).unwrap_or(0);
        Self {
            date: Date::from_civil(local.date(), 3),
            time: Some(Time {
                hour: local.hour(),
                minute: Some(local.minute()),
                second: Some(local.second()),
                nanos: millis * 1_000_000,
                digits: 3,
            }),
            offset: Some(i16::try_from(zone.seconds() / 60).unwrap_or(0)),
        }
    }

    /// The date.
    pub fn date(self) -> Date {
        self.date
    }

    /// The time of day, if known.
    pub fn time(self) -> Option<Time> {
        self.time
    }

    /// Minutes east of UTC, if known.
    pub fn offset(self) -> Option<i16> {
        self.offset
    }

    /// How many parts are known: 1 to 6.
    pub fn precision(self) -> u8 {
        self.date.precision() + self.time.map_or(0, Time::precision)
    }

    /// Nanoseconds since year 0 on its own clock: first and last.
    pub(super) fn local_span(self) -> (i128, i128) {
        let (low, high) = self.time.map_or((0, 86_400 * SECOND - 1), Time::span);
        (days(self.date.first_day()) * 86_400 * SECOND + low, days(self.date.last_day()) * 86_400 * SECOND + high)
    }

    /// Which comes first; `None` if precision or a missing offset leaves it open.
    ///
    /// A date without a time has no offset to miss: it compares by the other's
    /// own calendar.
    pub fn order(self, other: Self) -> Option<Ordering> {
        let same = self.precision() == other.precision();
        let (mine, theirs) = (self.local_span(), other.local_span());
        match (self.offset, other.offset) {
            (Some(a), Some(b)) => order(shift(mine, a), shift(theirs, b), same),
            (Some(a), None) if other.time.is_some() => order(shift(mine, a), (theirs.0 - EAST, theirs.1 + WEST), false),
            (None, Some(b)) if self.time.is_some() => order((mine.0 - EAST, mine.1 + WEST), shift(theirs, b), false),
            _ => order(mine, theirs, same),
        }
    }
}

impl From<Date> for DateTime {
    fn from(date: Date) -> Self {
        Self { date, time: None, offset: None }
    }
}

fn days(day: civil::Date) -> i128 {
    let since = day - civil::Date::ZERO;
    i128::from(since.get_days())
}

fn shift((low, high): (i128, i128), offset: i16) -> (i128, i128) {
    let by = i128::from(offset) * 60 * SECOND;
    (low - by, high - by)
}

fn order(a: (i128, i128), b: (i128, i128), same_precision: bool) -> Option<Ordering> {
    if same_precision {
        return Some(a.0.cmp(&b.0));
    }
    match (a.1 < b.0, a.0 > b.1) {
        (true, _) => Some(Ordering::Less),
        (_, true) => Some(Ordering::Greater),
        _ => None,
    }
}

/// Reads a date, a date with time (`T` present) or `T` and a time at the start
/// of `text`; also says how many bytes it took.
pub(super) fn scan(text: &[u8]) -> Option<(Moment, usize)> {
    if text.first() == Some(&b'T') {
        let (time, length) = scan_time(&text[1..])?;
        return Some((Moment::Time(time), length + 1));
    }
    let (date, mut at) = scan_date(text)?;
    if text.get(at) != Some(&b'T') {
        return Some((Moment::Date(date), at));
    }
    at += 1;
    let Some((time, length)) = scan_time(&text[at..]) else {
        return Some((Moment::DateTime(DateTime::from(date)), at));
    };
    date.day?;
    at += length;
    let (offset, length) = scan_offset(&text[at..]).map_or((None, 0), |(offset, length)| (Some(offset), length));
    Some((Moment::DateTime(DateTime { date, time: Some(time), offset }), at + length))
}

fn scan_date(text: &[u8]) -> Option<(Date, usize)> {
    let year = i16::try_from(digits(text, 4)?).ok().filter(|year| *year > 0)?;
    let part = |at: usize| {
        (text.get(at) == Some(&b'-'))
            .then(|| digits(text.get(at + 1..)?, 2))
            .flatten()
            .and_then(|n| i8::try_from(n).ok())
    };
    let month = part(4);
    let day = month.and_then(|_| part(7));
    civil::Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let length = match (month, day) {
        (None, _) => 4,
        (_, None) => 7,
        _ => 10,
    };
    Some((Date { year, month, day }, length))
}

fn scan_time(text: &[u8]) -> Option<(Time, usize)> {
    let part = |at: usize, most: u32| {
        let value = digits(text.get(at..)?, 2).filter(|value| *value <= most)?;
        i8::try_from(value).ok()
    };
    let next = |at: usize, most: u32| (text.get(at) == Some(&b':')).then(|| part(at + 1, most)).flatten();
    let hour = part(0, 23)?;
    let minute = next(2, 59);
    let second = minute.and_then(|_| next(5, 60));
    let mut time = Time { hour, minute, second, nanos: 0, digits: 0 };
    let mut at = match (minute, second) {
        (None, _) => 2,
        (_, None) => 5,
        _ => 8,
    };
    if second.is_some() && text.get(at) == Some(&b'.') {
        let fraction: &[u8] = &text[at + 1..];
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length > 0 {
            let padded = fraction[..length].iter().copied().chain(std::iter::repeat(b'0')).take(9);
            time.nanos = padded.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            time.digits = u8::try_from(length.min(9)).unwrap_or(9);
            at += 1 + length;
        }
    }
    Some((time, at))
}

fn scan_offset(text: &[u8]) -> Option<(i16, usize)> {
    let sign = match text.first()? {
        b'Z' => return Some((0, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits(&text[1..], 2).filter(|hours| *hours <= 14)?;
    let minutes = digits(text.get(4..)?, 2).filter(|minutes| text[3] == b':' && *minutes <= 59)?;
    Some((sign * i16::try_from(hours * 60 + minutes).ok()?, 6))
}

/// Exactly `count` digits, and no more after them.
fn digits(text: &[u8], count: usize) -> Option<u32> {
    let found = text.get(..count).filter(|found| found.iter().all(u8::is_ascii_digit))?;
    if text.get(count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some(found.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}", self.year)?;
        for part in [self.month, self.day].into_iter().flatten() {
            write!(out, "-{part:02}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}", self.hour)?;
        for part in [self.minute, self.second].into_iter().flatten() {
            write!(out, ":{part:02}")?;
        }
        if self.digits > 0 {
            let fraction = format!("{:09}", self.nanos);
            write!(out, ".{}", &fraction[..usize::from(self.digits.min(9))])?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(out)?;
        if let Some(time) = self.time {
            write!(out, "T{time}")?;
        }
        match self.offset {
            None => Ok(()),
            Some(0) => out.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_written() {
        for text in
            ["2015", "2015-02", "2015-02-04", "2015-02-04T14:34:28.120+10:00", "2015-02-04T14:34Z", "2015-02-04T14"]
        {
            assert_eq!(DateTime::parse(text).map(|moment| moment.to_string()).as_deref(), Some(text));
        }
        for text in ["2015-2", "2015-02-30", "0000", "20155", "2015-02-04T25", "2015T10:00", "2015-02-04T10:00+99:00"] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_known_only_where_the_spans_part() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            ("2018-03", "2018-03-01", None),
            ("2018-03", "2018-04-01", Some(Less)),
            ("2018-02", "2018-03", Some(Less)),
            ("2020", "2019", Some(Greater)),
            ("2012-04-15T15:00:00+02:00", "2012-04-15T16:00:00+03:00", Some(Equal)),
            ("2012-04-15T15:00:00Z", "2012-04-15T10:00:00", None),
            ("2012-04-15T15:00:00Z", "2012-04-17T10:00:00", Some(Less)),
            ("1974-12-25", "1974-12-25T12:34:00Z", None),
            ("2012-04-15T15:30:31", "2012-04-15T15:30:31.0", Some(Equal)),
            ("2018-03-01T10:30", "2018-03-01T10:30:00", None),
        ] {
            let read = |text| DateTime::parse(text).expect(text);
            assert_eq!(read(a).order(read(b)), expected, "{a} {b}");
            assert_eq!(read(b).order(read(a)), expected.map(Ordering::reverse), "{b} {a}");
        }
    }
}
