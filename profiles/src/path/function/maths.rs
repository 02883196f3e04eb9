//! Maths on numbers, exact where it can be.
//!
//! Roots, logarithms and powers are computed to 28 digits and rounded to 16
//! places, which hides the error of the last digits.

use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

use super::super::error::PathError;
use super::super::eval::Engine;
use super::super::item::Items;
use super::super::value::{Quantity, Value};
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

/// Places kept of a result that is not exact.
const PLACES: u32 = 16;

fn inexact<'a>(number: Option<Decimal>) -> Items<'a> {
    number.map_or(Items::Empty, |number| Items::value(Value::Decimal(number.round_dp(PLACES).normalize())))
}

/// A function of the one number that is the input.
fn of_number<'a>(mut it: Invocation<'_, 'a>, apply: impl FnOnce(Decimal) -> Items<'a>) -> Found<'a> {
    let Some(item) = it.one()? else { return Ok(Items::Empty) };
    match item.value().and_then(|value| value.as_decimal()) {
        Some(number) => Ok(apply(number)),
        None => Err(it.fault("a number")),
    }
}

fn whole<'a>(number: Decimal) -> Items<'a> {
    i32::try_from(number).map_or(Items::Empty, |number| Items::value(Value::Integer(number)))
}

pub(super) fn abs<'a>(_: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(item) = it.one()? else { return Ok(Items::Empty) };
    Ok(match item.value() {
        Some(Value::Integer(number)) => {
            number.checked_abs().map_or(Items::Empty, |number| Items::value(Value::Integer(number)))
        }
        Some(Value::Decimal(number)) => Items::value(Value::Decimal(number.abs())),
        Some(Value::Quantity(quantity)) => {
            Items::value(Value::Quantity(Quantity { value: quantity.value.abs(), ..quantity }))
        }
        _ => return Err(it.fault("a number")),
    })
}

pub(super) fn ceiling<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    of_number(it, |number| whole(number.ceil()))
}

pub(super) fn floor<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    of_number(it, |number| whole(number.floor()))
}

pub(super) fn truncate<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    of_number(it, |number| whole(number.trunc()))
}

pub(super) fn exp<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    of_number(it, |number| inexact(number.checked_exp()))
}

pub(super) fn ln<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    of_number(it, |number| inexact(number.checked_ln()))
}

pub(super) fn sqrt<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    of_number(it, |number| inexact(number.sqrt()))
}

pub(super) fn log<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(base) = argument(engine, &it)? else { return Ok(Items::Empty) };
    of_number(it, |number| {
        let quotient = || number.checked_ln()?.checked_div(base.checked_ln()?);
        inexact(quotient())
    })
}

/// `power(exponent)`: an integer if both are and the result is.
pub(super) fn power<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let exponent = it.argument(engine, 0)?;
    let exponent = super::single(exponent, it.call.at)?.and_then(|exponent| exponent.value());
    let (Some(base), Some(exponent)) = (it.one()?.and_then(|base| base.value()), exponent) else {
        return Ok(Items::Empty);
    };
    if let (Value::Integer(base), Value::Integer(exponent)) = (&base, &exponent)
        && let Ok(exponent) = u32::try_from(*exponent)
    {
        return Ok(base.checked_pow(exponent).map_or(Items::Empty, |power| Items::value(Value::Integer(power))));
    }
    match (base.as_decimal(), exponent.as_decimal()) {
        // The root of a negative number is no number.
        (Some(base), Some(exponent)) if base.is_sign_negative() && !exponent.fract().is_zero() => Ok(Items::Empty),
        (Some(base), Some(exponent)) => Ok(inexact(base.checked_powd(exponent))),
        _ => Err(it.fault("numbers")),
    }
}

pub(super) fn round<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let places = it.integer(engine, 0)?.unwrap_or(0);
    let places = u32::try_from(places).map_err(|_| it.fault("a precision of 0 or more"))?;
    of_number(it, |number| {
        Items::value(Value::Decimal(number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)))
    })
}

fn argument<'a>(engine: &mut Engine<'_, 'a>, it: &Invocation<'_, 'a>) -> Result<Option<Decimal>, PathError> {
    let found = it.argument(engine, 0)?;
    match super::single(found, it.call.at)? {
        None => Ok(None),
        Some(item) => match item.value().and_then(|value| value.as_decimal()) {
            Some(number) => Ok(Some(number)),
            None => Err(it.fault("a number")),
        },
    }
}
