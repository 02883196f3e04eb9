//! Boundaries and precision: what a value of limited precision may stand for.
//!
//! Precision is counted in digits: 4 for a year, 17 for a date and time to the
//! millisecond, decimal places for a number. The lowest number of a precision
//! is rounded down, the highest up; but a number too small to be seen at that
//! precision is zero there, and an hour alone is its first minute, as FHIR has no
//! time without minutes. Both are what HL7's suite says of the draft.
//!
//! Source: `FHIRPath` 2.1 draft, lowBoundary, highBoundary, precision

use rust_decimal::Decimal;

use super::super::error::PathError;
use super::super::eval::Engine;
use super::super::item::Items;
use super::super::temporal::{Date, DateTime, Time};
use super::super::units;
use super::super::value::{Quantity, Value};
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Low,
    High,
}

/// The most decimal places a boundary is given with.
const MOST_PLACES: i32 = 28;

pub(super) fn low<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    boundary(engine, it, Side::Low)
}

pub(super) fn high<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    boundary(engine, it, Side::High)
}

fn boundary<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>, side: Side) -> Found<'a> {
    let digits = it.integer(engine, 0)?;
    let Some(item) = it.one()? else { return Ok(Items::Empty) };
    let found = match item.value() {
        Some(value @ (Value::Integer(_) | Value::Decimal(_))) => {
            value.as_decimal().and_then(|number| decimal(number, digits.unwrap_or(8), side)).map(Value::Decimal)
        }
        Some(Value::Quantity(quantity)) => decimal(quantity.value, digits.unwrap_or(8), side)
            .map(|value| Value::Quantity(Quantity { value, ..quantity })),
        Some(Value::Date(value)) => date(value, digits.unwrap_or(8), side).map(Value::Date),
        Some(Value::DateTime(value)) => date_time(value, digits.unwrap_or(17), side).map(Value::DateTime),
        Some(Value::Time(value)) => time(value, digits.unwrap_or(9), side).map(Value::Time),
        _ => return Err(it.fault("a number, date or time")),
    };
    Ok(found.map_or(Items::Empty, Items::value))
}

fn decimal(number: Decimal, places: i32, side: Side) -> Option<Decimal> {
    let places = u32::try_from(places).ok().filter(|_| places <= MOST_PLACES)?;
    let unseen = !number.is_zero() && number.scale() > places && number.round_dp(places).is_zero();
    if unseen && number.abs() < Decimal::try_new(5, places + 1).ok()? {
        return Decimal::try_new(0, places).ok();
    }
    let half = Decimal::try_new(5, number.scale() + 1).ok()?;
    let edge = match side {
        Side::Low => number.checked_sub(half)?,
        Side::High => number.checked_add(half)?,
    };
    let mut edge = match side {
        Side::Low => edge.round_dp_with_strategy(places, rust_decimal::RoundingStrategy::ToNegativeInfinity),
        Side::High => edge.round_dp_with_strategy(places, rust_decimal::RoundingStrategy::ToPositiveInfinity),
    };
    edge.rescale(places);
    Some(edge)
}

fn date(date: Date, digits: i32, side: Side) -> Option<Date> {
    let precision = match digits {
        4 => 1,
        6 => 2,
        8 => 3,
        _ => return None,
    };
    Some(Date::from_civil(if side == Side::Low { date.first_day() } else { date.last_day() }, precision))
}

fn time(time: Time, digits: i32, side: Side) -> Option<Time> {
    if ![2, 4, 6, 9].contains(&digits) {
        return None;
    }
    let high = side == Side::High;
    let last = if high { 59 } else { 0 };
    let millis = match (time.digits > 0, high) {
        (true, _) => time.nanos / 1_000_000,
        (false, true) => 999,
        (false, false) => 0,
    };
    Some(Time {
        hour: time.hour,
        minute: (digits > 2).then(|| time.minute.unwrap_or(last)),
        second: (digits > 4).then(|| time.second.unwrap_or(last)),
        nanos: if digits == 9 { millis * 1_000_000 } else { 0 },
        digits: if digits == 9 { 3 } else { 0 },
    })
}

/// A time without offset may be anywhere: its lowest is in the east.
fn date_time(moment: DateTime, digits: i32, side: Side) -> Option<DateTime> {
    if digits <= 8 {
        return date(moment.date, digits, side).map(DateTime::from);
    }
    let (hour, minute) = if side == Side::Low { (0, 0) } else { (23, 59) };
    let midnight = Time { hour, minute: Some(minute), second: None, nanos: 0, digits: 0 };
    let own = moment.time.unwrap_or(midnight);
    let anywhere = if side == Side::Low { 14 * 60 } else { -12 * 60 };
    Some(DateTime {
        date: date(moment.date, 8, side)?,
        time: Some(time(Time { minute: own.minute.or(Some(0)), ..own }, digits - 8, side)?),
        offset: Some(moment.offset.unwrap_or(anywhere)),
    })
}

pub(super) fn precision<'a>(_: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(item) = it.one()? else { return Ok(Items::Empty) };
    let digits = match item.value() {
        Some(Value::Integer(_)) => 0,
        Some(Value::Decimal(number)) => number.scale() as usize,
        Some(Value::Date(date)) => date_digits(date),
        Some(Value::DateTime(moment)) => date_digits(moment.date) + moment.time.map_or(0, time_digits),
        Some(Value::Time(time)) => time_digits(time),
        _ => return Err(it.fault("a number, date or time")),
    };
    Ok(Items::integer(digits))
}

fn date_digits(date: Date) -> usize {
    2 + 2 * usize::from(date.precision())
}

fn time_digits(time: Time) -> usize {
    2 * usize::from(time.precision()) + if time.digits > 0 { 3 } else { 0 }
}

/// `comparable(other)`: whether two quantities have units of one dimension.
pub(super) fn comparable<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    let other = super::single(other, it.call.at)?.and_then(|other| other.value());
    let mine = it.one()?.and_then(|mine| mine.value());
    let (Some(mine), Some(other)) = (mine, other) else { return Ok(Items::Empty) };
    match (mine.into_quantity(), other.into_quantity()) {
        (Some(mine), Some(other)) => Ok(Items::boolean(units::comparable(engine.context.units, &mine, &other))),
        _ => Err(it.fault("quantities")),
    }
}
