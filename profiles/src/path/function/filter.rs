//! Filters, projections and types: functions that look at each item.

use std::cmp::Ordering;

use super::super::equal::{self, Set};
use super::super::error::PathError;
use super::super::eval::{Engine, Scope, single};
use super::super::item::{Item, Items};
use super::super::syntax::{Expr, Kind, TypeSpecifier};
use super::super::value::Value;
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

/// `where(criterion)`
pub(super) fn keep<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let criterion = &it.call.arguments[0];
    let mut kept = Items::Empty;
    for (index, item) in it.input.into_iter().enumerate() {
        if engine.test(criterion, &item, index, it.scope)? == Some(true) {
            kept.push(item);
        }
    }
    Ok(kept)
}

pub(super) fn select<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut found = Items::Empty;
    for (index, item) in it.input.iter().enumerate() {
        let projected = project(engine, &it.call.arguments[0], item, index, it.scope)?;
        engine.spend(projected.len())?;
        found.append(projected);
    }
    Ok(found)
}

fn project<'a>(
    engine: &mut Engine<'_, 'a>,
    expr: &'a Expr,
    item: &Item<'a>,
    index: usize,
    scope: Scope<'_, 'a>,
) -> Found<'a> {
    engine.eval(expr, Scope { this: std::slice::from_ref(item), index: Some(index), total: scope.total })
}

/// Applies the projection to what it yields, until it yields nothing new.
pub(super) fn repeat<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut all = Set::default();
    let mut waiting = it.input.into_vec();
    while !waiting.is_empty() {
        let mut next = Vec::new();
        for (index, item) in waiting.iter().enumerate() {
            for found in project(engine, &it.call.arguments[0], item, index, it.scope)? {
                if all.insert(engine, found.clone())? {
                    next.push(found);
                }
            }
        }
        waiting = next;
    }
    Ok(all.into_items())
}

pub(super) fn of_type<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let name = type_name(&it)?;
    engine.of_type(it.input, name, it.call.at)
}

pub(super) fn is<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let name = type_name(&it)?;
    engine.is(it.input, name, it.call.at)
}

/// `as(T)`
pub(super) fn cast<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let name = type_name(&it)?;
    engine.cast(it.input, name, it.call.at)
}

fn type_name<'a>(it: &Invocation<'_, 'a>) -> Result<&'a TypeSpecifier, PathError> {
    it.call.type_name.as_ref().ok_or_else(|| it.fault("the name of a type"))
}

/// `type()`
pub(super) fn type_of<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(it.input.iter().map(|item| Item::Value(Value::Type(item.type_of()))).collect())
}

pub(super) fn aggregate<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut total = it.argument(engine, 1)?;
    for (index, item) in it.input.iter().enumerate() {
        let scope = Scope { this: std::slice::from_ref(item), index: Some(index), total: Some(&total) };
        total = engine.eval(&it.call.arguments[0], scope)?;
    }
    Ok(total)
}

/// Sorts by each key in turn, a key written `-key` downwards; what has no key
/// comes first.
pub(super) fn sort<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut rows = Vec::with_capacity(it.input.len());
    for (index, item) in it.input.into_iter().enumerate() {
        let mut keys = Vec::with_capacity(it.call.arguments.len());
        for key in &it.call.arguments {
            let (key, down) = match &key.kind {
                Kind::Negate(key) => (&**key, true),
                _ => (key, false),
            };
            let found = project(engine, key, &item, index, it.scope)?;
            keys.push((single(found, key.at)?.and_then(|key| key.value()), down));
        }
        if it.call.arguments.is_empty() {
            keys.push((item.value(), false));
        }
        rows.push((keys, item));
    }
    // A comparison sort takes about n log n comparisons; all are paid for at once.
    let comparisons = rows.len() * (rows.len().max(2).ilog2() as usize + 1);
    engine.spend(comparisons)?;
    let mut odd = false;
    rows.sort_by(|(a, _), (b, _)| {
        let orders = a.iter().zip(b).map(|((a, down), (b, _))| match (a, b) {
            (Some(a), Some(b)) if *down => compare(engine, b, a, &mut odd),
            (Some(a), Some(b)) => compare(engine, a, b, &mut odd),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    if odd {
        return Err(super::super::eval::wrong_type(it.call.at, "sort(): keys that compare"));
    }
    Ok(rows.into_iter().map(|(_, item)| item).collect())
}

fn compare(engine: &Engine<'_, '_>, a: &Value<'_>, b: &Value<'_>, odd: &mut bool) -> Ordering {
    let order = equal::order(engine, a, b);
    *odd |= order.is_err();
    order.ok().flatten().unwrap_or(Ordering::Equal)
}
