//! Operators on single values: logic, order, arithmetic.
//!
//! Arithmetic that has no result (division by zero, overflow) is empty, as the
//! language wants; operands of types that do not go together are an error.
//!
//! Source: `FHIRPath` 2.0, operations

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::equal::{self, Incomparable};
use super::error::{PathError, Reason};
use super::eval::{Engine, single, wrong_type};
use super::item::{Item, Items};
use super::schedule::{self, NoDuration};
use super::syntax::Operator;
use super::units;
use super::value::{Quantity, Value};

type Result<T, E = PathError> = std::result::Result<T, E>;

/// Three-valued logic.
pub(super) fn logic(operator: Operator, a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match operator {
        Operator::And => match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Operator::Or => match (a, b) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Operator::Implies => match (a, b) {
            (Some(false), _) | (_, Some(true)) => Some(true),
            (Some(true), other) => other,
            (None, _) => None,
        },
        _ => Some(a? != b?),
    }
}

pub(super) fn negate(items: Items<'_>, at: usize) -> Result<Items<'_>> {
    let Some(item) = single(items, at)? else { return Ok(Items::Empty) };
    Ok(match item.value() {
        Some(Value::Integer(number)) => {
            number.checked_neg().map_or(Items::Empty, |number| Items::value(Value::Integer(number)))
        }
        Some(Value::Decimal(number)) => Items::value(Value::Decimal(-number)),
        Some(Value::Quantity(quantity)) => {
            Items::value(Value::Quantity(Quantity { value: -quantity.value, ..quantity }))
        }
        _ => return Err(wrong_type(at, "a number after '-'")),
    })
}

pub(super) fn plus(items: Items<'_>, at: usize) -> Result<Items<'_>> {
    let Some(item) = single(items, at)? else { return Ok(Items::Empty) };
    match item.value() {
        Some(value @ (Value::Integer(_) | Value::Decimal(_) | Value::Quantity(_))) => Ok(Items::value(value)),
        _ => Err(wrong_type(at, "a number after '+'")),
    }
}

/// An operator on two single values; empty if one is missing.
pub(super) fn scalar<'a>(
    engine: &mut Engine<'_, 'a>,
    operator: Operator,
    a: Items<'a>,
    b: Items<'a>,
    at: usize,
) -> Result<Items<'a>> {
    let (a, b) = (single(a, at)?, single(b, at)?);
    if operator == Operator::Concatenate {
        return concatenate(engine, a, b, at);
    }
    let (Some(a), Some(b)) = (a, b) else { return Ok(Items::Empty) };
    let (Some(x), Some(y)) = (a.value(), b.value()) else {
        return Err(mismatch(operator, a.type_name(), b.type_name(), at));
    };
    if let Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual = operator {
        equal::spend_texts(engine, &x, &y)?;
        return match equal::order(engine, &x, &y) {
            Ok(order) => Ok(Items::maybe(order.map(|order| satisfies(operator, order)))),
            Err(Incomparable) => Err(mismatch(operator, a.type_name(), b.type_name(), at)),
        };
    }
    engine.spend(1)?;
    let names = (x.type_name(), y.type_name());
    match arithmetic(engine, operator, x, y)? {
        Outcome::Value(value) => Ok(Items::value(value)),
        Outcome::Nothing => Ok(Items::Empty),
        Outcome::Mismatch => Err(mismatch(operator, names.0, names.1, at)),
    }
}

fn satisfies(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn mismatch(operator: Operator, a: &str, b: &str, at: usize) -> PathError {
    PathError::new(Reason::Type, at, format!("{a} {} {b} means nothing", operator.sign()))
}

/// `&`: nothing counts as the empty text.
fn concatenate<'a>(
    engine: &mut Engine<'_, 'a>,
    a: Option<Item<'a>>,
    b: Option<Item<'a>>,
    at: usize,
) -> Result<Items<'a>> {
    let text = |item: Option<Item<'a>>| match item {
        None => Ok(Cow::Borrowed("")),
        Some(item) => item.into_text().ok_or_else(|| wrong_type(at, "a string beside '&'")),
    };
    let (a, b) = (text(a)?, text(b)?);
    join(engine, &a, &b).map(Items::value)
}

fn join<'a>(engine: &mut Engine<'_, 'a>, a: &str, b: &str) -> Result<Value<'a>> {
    engine.spend_text(a.len() + b.len())?;
    Ok(Value::String(format!("{a}{b}").into()))
}

/// What arithmetic came to.
enum Outcome<'a> {
    Value(Value<'a>),
    Nothing,
    Mismatch,
}

impl<'a> Outcome<'a> {
    fn of<T>(result: Option<T>, wrap: impl FnOnce(T) -> Value<'a>) -> Self {
        result.map_or(Self::Nothing, |found| Self::Value(wrap(found)))
    }
}

fn arithmetic<'a>(engine: &mut Engine<'_, 'a>, operator: Operator, a: Value<'a>, b: Value<'a>) -> Result<Outcome<'a>> {
    let minus = operator == Operator::Subtract;
    let additive = minus || operator == Operator::Add;
    Ok(match (a, b) {
        (Value::Integer(a), Value::Integer(b)) if operator != Operator::Divide => {
            Outcome::of(integers(operator, a, b), Value::Integer)
        }
        (Value::String(a), Value::String(b)) if operator == Operator::Add => Outcome::Value(join(engine, &a, &b)?),
        (Value::Date(date), Value::Quantity(by)) if additive => {
            scheduled(schedule::date(date, &by, minus), Value::Date)
        }
        (Value::DateTime(moment), Value::Quantity(by)) if additive => {
            scheduled(schedule::date_time(moment, &by, minus), Value::DateTime)
        }
        (Value::Time(time), Value::Quantity(by)) if additive => {
            scheduled(schedule::time(time, &by, minus), Value::Time)
        }
        (a, b) => match (a.as_decimal(), b.as_decimal()) {
            (Some(x), Some(y)) => match operator {
                Operator::IntegerDivide => Outcome::of(decimals(operator, x, y).and_then(whole), Value::Integer),
                _ => Outcome::of(decimals(operator, x, y), Value::Decimal),
            },
            _ => quantities(engine, operator, a, b),
        },
    })
}

fn scheduled<'a, T>(result: Result<Option<T>, NoDuration>, wrap: impl FnOnce(T) -> Value<'a>) -> Outcome<'a> {
    match result {
        Ok(result) => Outcome::of(result, wrap),
        Err(NoDuration) => Outcome::Mismatch,
    }
}

fn quantities<'a>(engine: &Engine<'_, 'a>, operator: Operator, a: Value<'a>, b: Value<'a>) -> Outcome<'a> {
    let (Some(a), Some(b)) = (a.into_quantity(), b.into_quantity()) else { return Outcome::Mismatch };
    let table = engine.context.units;
    match operator {
        Operator::Add => Outcome::of(units::add(table, &a, &b, false), Value::Quantity),
        Operator::Subtract => Outcome::of(units::add(table, &a, &b, true), Value::Quantity),
        Operator::Multiply => Outcome::of(units::combine(table, &a, &b, false), Value::Quantity),
        Operator::Divide => Outcome::of(units::combine(table, &a, &b, true), Value::Quantity),
        _ => Outcome::Mismatch,
    }
}

fn integers(operator: Operator, a: i32, b: i32) -> Option<i32> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::IntegerDivide => a.checked_div(b),
        Operator::Modulo => a.checked_rem(b),
        _ => None,
    }
}

fn decimals(operator: Operator, a: Decimal, b: Decimal) -> Option<Decimal> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b).map(|quotient| quotient.normalize()),
        Operator::IntegerDivide => a.checked_div(b).map(|quotient| quotient.trunc()),
        Operator::Modulo => a.checked_rem(b),
        _ => None,
    }
}

fn whole(number: Decimal) -> Option<i32> {
    i32::try_from(number).ok()
}
