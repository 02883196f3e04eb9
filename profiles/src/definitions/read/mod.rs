//! A definition's JSON → its facts, whoever wrote it.
//!
//! HL7's own go through here when the pack is made, others' when they are loaded.

mod codes;
mod other;
mod structure;

pub use codes::{code_system, concept_map, value_set};
pub use other::{compartment, operation, parameter};
pub use structure::type_def;

use crate::json::Json;

/// A definition lacks the element of this name, or it makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the definition has no usable {0}")]
pub struct Lacks(pub &'static str);

type Fact<T> = Result<T, Lacks>;

/// The string member that every such definition has.
fn needed(json: &Json, name: &'static str) -> Fact<Box<str>> {
    json.str(name).map(Box::from).ok_or(Lacks(name))
}

/// The string member, if there.
fn text(json: &Json, name: &str) -> Option<Box<str>> {
    json.str(name).map(Box::from)
}

/// The strings of an array member.
fn texts<T: for<'a> From<&'a str>>(json: &Json, name: &str) -> Vec<T> {
    json.list(name).iter().filter_map(Json::as_str).map(T::from).collect()
}

/// A boolean member; false if absent.
fn truth(json: &Json, name: &str) -> bool {
    json.get(name).and_then(Json::as_bool).unwrap_or(false)
}

/// A small number member.
fn count(json: &Json, name: &str) -> Option<u32> {
    json.get(name)?.as_number()?.parse().ok()
}

/// `max`, whose `*` is none.
fn most(json: &Json) -> Option<u32> {
    json.str("max")?.parse().ok()
}
