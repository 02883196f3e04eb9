//! Whether there is something, and whether it is true.

use super::super::equal::Set;
use super::super::error::PathError;
use super::super::eval::{Engine, truth};
use super::super::item::Items;
use super::super::value::Value;
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

pub(super) fn empty<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::boolean(it.input.is_empty()))
}

pub(super) fn exists<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(criterion) = it.call.arguments.first() else {
        return Ok(Items::boolean(!it.input.is_empty()));
    };
    for (index, item) in it.input.iter().enumerate() {
        if engine.test(criterion, item, index, it.scope)? == Some(true) {
            return Ok(Items::boolean(true));
        }
    }
    Ok(Items::boolean(false))
}

pub(super) fn all<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let criterion = &it.call.arguments[0];
    for (index, item) in it.input.iter().enumerate() {
        if engine.test(criterion, item, index, it.scope)? != Some(true) {
            return Ok(Items::boolean(false));
        }
    }
    Ok(Items::boolean(true))
}

pub(super) fn not<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::maybe(truth(&it.input, it.call.at)?.map(|truth| !truth)))
}

pub(super) fn all_true<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::boolean(!any(engine, &it, false)?))
}

pub(super) fn any_true<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::boolean(any(engine, &it, true)?))
}

pub(super) fn all_false<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::boolean(!any(engine, &it, true)?))
}

pub(super) fn any_false<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::boolean(any(engine, &it, false)?))
}

/// Whether any item is `wanted`; all must be Booleans.
fn any<'a>(engine: &mut Engine<'_, 'a>, it: &Invocation<'_, 'a>, wanted: bool) -> Result<bool, PathError> {
    engine.spend(it.input.len())?;
    let mut found = false;
    for item in it.input.iter() {
        match item.value() {
            Some(Value::Boolean(truth)) => found |= truth == wanted,
            _ => return Err(it.fault("booleans")),
        }
    }
    Ok(found)
}

pub(super) fn subset_of<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    within(engine, &it.input, other)
}

pub(super) fn superset_of<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    within(engine, &other, it.input)
}

fn within<'a>(engine: &mut Engine<'_, 'a>, part: &Items<'a>, whole: Items<'a>) -> Found<'a> {
    let whole = Set::of(engine, whole)?;
    for item in part.iter() {
        if !whole.contains(engine, item)? {
            return Ok(Items::boolean(false));
        }
    }
    Ok(Items::boolean(true))
}

pub(super) fn count<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::integer(it.input.len()))
}

pub(super) fn distinct<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Set::of(engine, it.input)?.into_items())
}

pub(super) fn is_distinct<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let count = it.input.len();
    Ok(Items::boolean(Set::of(engine, it.input)?.len() == count))
}
