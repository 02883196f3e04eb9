//! Dates and times plus durations.
//!
//! A duration finer than the date is rounded down to the date's precision:
//! `@2014 + 23 months` is `@2015`. A month's end stays a month's end where the
//! day does not exist. `'mo'` and `'a'` are averages of UCUM and may not be added.
//!
//! Source: `FHIRPath` 2.0, date/time arithmetic

use jiff::Span;
use rust_decimal::prelude::{Decimal, ToPrimitive};

use super::temporal::{Date, DateTime, Time};
use super::units::{Length, calendar_length};
use super::value::Quantity;

const DAY: i128 = 86_400_000;
const MILLI: i128 = 1_000_000;

/// The quantity is nothing that may be added to a date or time.
pub(super) struct NoDuration;

/// How far to go: whole months, or milliseconds.
enum Step {
    Months(i64),
    Millis(i128),
}

fn step(by: &Quantity<'_>, minus: bool) -> Result<Step, NoDuration> {
    let length = calendar_length(&by.unit).ok_or(NoDuration)?;
    // Only of seconds and below is a fraction kept; of UCUM's second not, as HL7's
    // suite has it (testPlusDate19).
    let fine = matches!(by.unit.as_ref(), "second" | "seconds" | "ms" | "millisecond" | "milliseconds");
    let number = if fine { by.value } else { by.value.trunc() };
    let number = if minus { -number } else { number };
    Ok(match length {
        Length::Months(months) => Step::Months(i64::try_from(far(number, months)).unwrap_or(i64::MAX)),
        Length::Millis(millis) => Step::Millis(far(number, millis)),
    })
}

/// So many times the length, at most some 30 million years: no date is so far.
fn far(number: Decimal, length: i64) -> i128 {
    let product = number.checked_mul(Decimal::from(length)).and_then(|product| product.to_i128());
    let most = 1_000_000_000_000_000_000;
    product.unwrap_or(if number.is_sign_negative() { -most } else { most }).clamp(-most, most)
}

/// The date so much later or, with `minus`, earlier; `None` if that is out of range.
pub(super) fn date(date: Date, by: &Quantity<'_>, minus: bool) -> Result<Option<Date>, NoDuration> {
    let step = step(by, minus)?;
    let first = date.first_day();
    let moved = match (step, date.precision()) {
        (Step::Months(months), 1) => add(first, Span::new().try_years(months / 12)),
        (Step::Months(months), _) => add(first, Span::new().try_months(months)),
        (Step::Millis(millis), precision) => {
            let days = i64::try_from(millis / DAY).unwrap_or(i64::MAX);
            match precision {
                1 => add(first, Span::new().try_years(days / 365)),
                2 => add(first, Span::new().try_months(days / 30)),
                _ => add(first, Span::new().try_days(days)),
            }
        }
    };
    Ok(moved.map(|day| Date::from_civil(day, date.precision())))
}

fn add(day: jiff::civil::Date, span: Result<Span, jiff::Error>) -> Option<jiff::civil::Date> {
    day.checked_add(span.ok()?).ok().filter(|day| day.year() > 0)
}

/// As [`date`].
pub(super) fn date_time(moment: DateTime, by: &Quantity<'_>, minus: bool) -> Result<Option<DateTime>, NoDuration> {
    let (Some(time), Step::Millis(millis)) = (moment.time, step(by, minus)?) else {
        return Ok(date(moment.date, by, minus)?.map(|date| DateTime { date, ..moment }));
    };
    let unit = precision_nanos(time);
    let carried = time.span().0 + millis.saturating_mul(MILLI) / unit * unit;
    let days = i64::try_from(carried.div_euclid(DAY * MILLI)).unwrap_or(i64::MAX);
    let day = add(moment.date.first_day(), Span::new().try_days(days));
    Ok(day.map(|day| DateTime {
        date: Date::from_civil(day, 3),
        time: Some(Time::from_nanos(carried, time)),
        offset: moment.offset,
    }))
}

/// As [`date`]; goes round at midnight.
pub(super) fn time(time: Time, by: &Quantity<'_>, minus: bool) -> Result<Option<Time>, NoDuration> {
    let Step::Millis(millis) = step(by, minus)? else { return Err(NoDuration) };
    let unit = precision_nanos(time);
    let moved = time.span().0 + millis.saturating_mul(MILLI) / unit * unit;
    Ok(Some(Time::from_nanos(moved, time)))
}

fn precision_nanos(time: Time) -> i128 {
    match time.precision() {
        1 => 3_600_000 * MILLI,
        2 => 60_000 * MILLI,
        _ => 1,
    }
}
