//! Conversions between the System types, and whether they are possible.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::super::error::PathError;
use super::super::eval::Engine;
use super::super::item::{Item, Items};
use super::super::temporal::{DateTime, Time};
use super::super::units;
use super::super::value::{Quantity, Value, decimal};
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

/// Two functions of each conversion: one that does it, one that says whether it
/// can be done.
macro_rules! conversions {
    ($($does:ident, $can:ident, $conversion:path;)*) => {$(
        pub(super) fn $does<'a>(_: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
            Ok(it.one()?.and_then(|item| $conversion(&item)).map_or(Items::Empty, Items::value))
        }

        pub(super) fn $can<'a>(_: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
            Ok(it.one()?.map_or(Items::Empty, |item| Items::boolean($conversion(&item).is_some())))
        }
    )*};
}

conversions! {
    to_boolean, converts_to_boolean, boolean;
    to_integer, converts_to_integer, integer;
    to_decimal, converts_to_decimal, number;
    to_string, converts_to_string, string;
    to_date, converts_to_date, date;
    to_date_time, converts_to_date_time, date_time;
    to_time, converts_to_time, time;
}

fn boolean<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    let truth = match item.value()? {
        Value::Boolean(truth) => truth,
        Value::Integer(1) => true,
        Value::Integer(0) => false,
        Value::Decimal(number) if number == Decimal::ONE => true,
        Value::Decimal(number) if number.is_zero() => false,
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Value::Boolean(truth))
}

fn integer<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    match item.value()? {
        Value::Integer(number) => Some(number),
        Value::Boolean(truth) => Some(i32::from(truth)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .map(Value::Integer)
}

fn number<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    match item.value()? {
        Value::Boolean(truth) => Some(Decimal::from(i32::from(truth))),
        Value::String(text) => plain_decimal(&text),
        other => other.as_decimal(),
    }
    .map(Value::Decimal)
}

/// A sign, digits and a fraction, and no more.
fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (plain(whole) && plain(fraction)).then(|| decimal(text)).flatten()
}

fn string<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    if let Some(json) = item.json() {
        // The element's own text, so that nothing is lost on the way.
        if let Some(text) = json.as_str().or_else(|| json.as_number()) {
            return Some(Value::String(Cow::Borrowed(text)));
        }
        if json.is_object() {
            return item.value().map(|value| Value::String(value.to_string().into()));
        }
    }
    match item.value()? {
        Value::String(text) => Some(Value::String(text)),
        Value::Type(_) => None,
        other => Some(Value::String(other.to_string().into())),
    }
}

fn date<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    match item.value()? {
        Value::Date(date) => Some(date),
        Value::DateTime(moment) => Some(moment.date),
        Value::String(text) => DateTime::parse(&text).map(|moment| moment.date),
        _ => None,
    }
    .map(Value::Date)
}

fn date_time<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    match item.value()? {
        Value::Date(date) => Some(DateTime::from(date)),
        Value::DateTime(moment) => Some(moment),
        Value::String(text) => DateTime::parse(&text),
        _ => None,
    }
    .map(Value::DateTime)
}

fn time<'a>(item: &Item<'a>) -> Option<Value<'a>> {
    match item.value()? {
        Value::Time(time) => Some(time),
        Value::String(text) => Time::parse(text.strip_prefix('T').unwrap_or(&text)),
        _ => None,
    }
    .map(Value::Time)
}

/// `toQuantity(unit)`
pub(super) fn to_quantity<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let unit = it.text(engine, 0)?;
    let found = it.one()?.and_then(|item| quantity(engine, &item, unit));
    Ok(found.map_or(Items::Empty, |found| Items::value(Value::Quantity(found))))
}

/// `convertsToQuantity(unit)`
pub(super) fn converts_to_quantity<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let unit = it.text(engine, 0)?;
    Ok(it.one()?.map_or(Items::Empty, |item| Items::boolean(quantity(engine, &item, unit).is_some())))
}

/// The item as a quantity, in `unit` if that is given.
fn quantity<'a>(engine: &Engine<'_, 'a>, item: &Item<'a>, unit: Option<Cow<'a, str>>) -> Option<Quantity<'a>> {
    let found = match item.value()? {
        Value::Boolean(truth) => Quantity::bare(Decimal::from(i32::from(truth))),
        Value::String(text) => read_quantity(&text)?,
        other => other.into_quantity()?,
    };
    let Some(unit) = unit else { return Some(found) };
    let zero = Quantity { value: Decimal::ZERO, calendar: units::is_calendar(&unit), unit };
    units::add(engine.context.units, &zero, &found, false)
}

/// `4.5 'mg'`, `1 day`, `3`
fn read_quantity<'a>(text: &str) -> Option<Quantity<'a>> {
    let (number, unit) = match text.split_once(char::is_whitespace) {
        Some((number, unit)) => (number, unit.trim()),
        None => (text, "'1'"),
    };
    let value = plain_decimal(number)?;
    let quoted = unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\''));
    let calendar = quoted.is_none();
    let unit = quoted.or_else(|| units::is_calendar(unit).then_some(unit)).filter(|unit| !unit.is_empty())?;
    Some(Quantity { value, unit: Cow::Owned(unit.to_owned()), calendar })
}
