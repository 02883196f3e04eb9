//! What is asked of a terminology: `memberOf()`, `subsumes()`, `subsumedBy()`.
//!
//! Empty where it cannot be told, as the value set or the system is not here.
//!
//! Source: FHIR R4 fhirpath.html, functions

use super::super::context::MemberOf;
use super::super::error::PathError;
use super::super::eval::{Engine, single};
use super::super::item::{Item, Items};
use super::Invocation;
use super::fhir::missing;

type Found<'a> = Result<Items<'a>, PathError>;

/// `memberOf(valueSet)`
pub(super) fn member_of<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let value_set = it.text(engine, 0)?;
    let (Some(item), Some(value_set)) = (it.one()?, value_set) else { return Ok(Items::Empty) };
    let terminology = terminology(engine, &it)?;
    Ok(Items::maybe(terminology.member_of(&item, &value_set)))
}

/// `subsumes(code)`: whether the input is the code, or stands above it.
pub(super) fn subsumes<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    related(engine, it, |terminology, mine, other| terminology.subsumes(mine, other))
}

/// `subsumedBy(code)`: whether the input is the code, or stands below it.
pub(super) fn subsumed_by<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    related(engine, it, |terminology, mine, other| terminology.subsumes(other, mine))
}

fn related<'a>(
    engine: &mut Engine<'_, 'a>,
    mut it: Invocation<'_, 'a>,
    ask: impl FnOnce(&dyn MemberOf, &Item<'_>, &Item<'_>) -> Option<bool>,
) -> Found<'a> {
    let other = single(it.argument(engine, 0)?, it.call.at)?;
    let (Some(mine), Some(other)) = (it.one()?, other) else { return Ok(Items::Empty) };
    let terminology = terminology(engine, &it)?;
    Ok(Items::maybe(ask(terminology, &mine, &other)))
}

fn terminology<'a>(engine: &mut Engine<'_, 'a>, it: &Invocation<'_, '_>) -> Result<&'a dyn MemberOf, PathError> {
    engine.spend(ASKING)?;
    engine.context.terminology.ok_or_else(|| missing(it, "no terminology"))
}

/// The steps that one question takes.
const ASKING: usize = 10;
