//! Choosing, walking the tree, the clock, and `trace()`.

use super::super::error::{PathError, Reason};
use super::super::eval::{Engine, MEMBERS_A_STEP, Scope, several, wrong_type};
use super::super::item::{Item, Items, Node};
use super::super::temporal::DateTime;
use super::super::value::Value;
use super::super::walk;
use super::Invocation;

type Found<'a> = Result<Items<'a>, PathError>;

/// Only the branch taken is evaluated.
pub(super) fn iif<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    if it.input.len() > 1 {
        return Err(several(it.input.len(), it.call.at));
    }
    let scope = Scope { this: &it.input, ..it.scope };
    let criterion = &it.call.arguments[0];
    let found = engine.eval(criterion, scope)?;
    let truth = match &*found {
        [] => false,
        [item] => match item.value() {
            Some(Value::Boolean(truth)) => truth,
            _ => return Err(wrong_type(criterion.at, "iif(): a boolean")),
        },
        many => return Err(several(many.len(), criterion.at)),
    };
    match it.call.arguments.get(if truth { 1 } else { 2 }) {
        Some(branch) => engine.eval(branch, scope),
        None => Ok(Items::Empty),
    }
}

pub(super) fn children<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut found = Items::Empty;
    for item in it.input.iter() {
        let before = found.len();
        let mut looked_at = 0;
        if let Item::Node(node) = item {
            looked_at = walk::children(engine.model, node, |_, _, child| found.push(child.into()));
        }
        engine.spend(1 + found.len() - before + looked_at / MEMBERS_A_STEP)?;
    }
    Ok(found)
}

/// Every element below, breadth first as `repeat(children())` finds them.
pub(super) fn descendants<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut found: Vec<Item<'a>> = Vec::new();
    let mut waiting: Vec<Node<'a>> = it.input.iter().filter_map(|item| item.node().copied()).collect();
    while !waiting.is_empty() {
        let mut next = Vec::new();
        for node in &waiting {
            let looked_at = walk::children(engine.model, node, |_, _, child| next.push(child));
            engine.spend(looked_at / MEMBERS_A_STEP)?;
        }
        engine.spend(waiting.len() + next.len())?;
        found.extend(next.iter().map(|node| Item::Node(*node)));
        waiting = next;
    }
    Ok(Items::Many(found))
}

pub(super) fn trace<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let name = it.text(engine, 0)?.ok_or_else(|| it.fault("a name"))?;
    let Some(tracer) = engine.context.tracer else { return Ok(it.input) };
    match it.call.arguments.get(1) {
        None => tracer.trace(&name, &it.input),
        Some(projection) => {
            let mut projected = Items::Empty;
            for (index, item) in it.input.iter().enumerate() {
                let this = std::slice::from_ref(item);
                projected.append(engine.eval(projection, Scope { this, index: Some(index), ..it.scope })?);
            }
            tracer.trace(&name, &projected);
        }
    }
    Ok(it.input)
}

pub(super) fn now<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    clock(engine, &it).map(|now| Items::value(Value::DateTime(now)))
}

pub(super) fn today<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    clock(engine, &it).map(|now| Items::value(Value::Date(now.date)))
}

pub(super) fn time_of_day<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    clock(engine, &it).map(|now| now.time.map_or(Items::Empty, |time| Items::value(Value::Time(time))))
}

fn clock(engine: &Engine<'_, '_>, it: &Invocation<'_, '_>) -> Result<DateTime, PathError> {
    let name = it.call.function.name;
    engine
        .context
        .now
        .ok_or_else(|| PathError::new(Reason::Missing, it.call.at, format!("{name}() is not to be had here: no clock")))
}
