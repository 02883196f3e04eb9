//! Parts of a collection, and collections put together.

use super::super::equal::Set;
use super::super::error::PathError;
use super::super::eval::Engine;
use super::super::item::{Item, Items};
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

/// `single()`
pub(super) fn only<'a>(_: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    it.one().map(Items::from)
}

pub(super) fn first<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(it.input.into_iter().next().into())
}

pub(super) fn last<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(it.input.into_iter().last().into())
}

pub(super) fn tail<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(it.input.into_iter().skip(1).collect())
}

pub(super) fn skip<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let count = it.integer(engine, 0)?.ok_or_else(|| it.fault("an integer"))?;
    Ok(it.input.into_iter().skip(usize::try_from(count).unwrap_or(0)).collect())
}

pub(super) fn take<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let count = it.integer(engine, 0)?.ok_or_else(|| it.fault("an integer"))?;
    Ok(it.input.into_iter().take(usize::try_from(count).unwrap_or(0)).collect())
}

pub(super) fn intersect<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    let other = Set::of(engine, other)?;
    let mut both = Set::default();
    for item in it.input {
        if other.contains(engine, &item)? {
            both.insert(engine, item)?;
        }
    }
    Ok(both.into_items())
}

pub(super) fn exclude<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    let other = Set::of(engine, other)?;
    let mut left = Items::Empty;
    for item in it.input {
        if !other.contains(engine, &item)? {
            left.push(item);
        }
    }
    Ok(left)
}

pub(super) fn union<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    let all: Items<'a> = it.input.into_iter().chain(other).collect::<Items<'a>>();
    Ok(Set::of(engine, all)?.into_items())
}

pub(super) fn combine<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let other = it.argument(engine, 0)?;
    engine.spend(it.input.len() + other.len())?;
    let all: Vec<Item<'a>> = it.input.into_iter().chain(other).collect();
    Ok(Items::Many(all))
}
