//! `is`, `as`, `ofType`: whether an item is of a type.
//!
//! A name without namespace is looked for among the FHIR types and the System
//! types. `is` follows inheritance everywhere. `as` and `ofType` follow it for
//! complex types only: `gender as string` is empty, since `gender` is a code,
//! which is how R4 tells `sourceUri` from `sourceCanonical`.
//!
//! Source: `FHIRPath` 2.0, types; HL7's R4 test suite, group testInheritance

use super::error::{PathError, Reason};
use super::eval::Engine;
use super::item::Item;
use super::model::Model;
use super::syntax::TypeSpecifier;

/// The types of the System namespace.
const SYSTEM: &[&str] = &["Any", "Boolean", "Integer", "Decimal", "String", "Date", "DateTime", "Time", "Quantity"];

/// How a type is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// `is`
    Is,
    /// `as` and `ofType`
    Only,
}

impl TypeSpecifier {
    /// A name that is no type is an error.
    pub(super) fn check(&self, engine: &Engine<'_, '_>, at: usize) -> Result<(), PathError> {
        let known = match self.namespace.as_deref() {
            Some("System") => true,
            Some(_) => engine.model.is_type(base(&self.name)),
            None => SYSTEM.contains(&&*self.name) || engine.model.is_type(base(&self.name)),
        };
        if known {
            return Ok(());
        }
        Err(PathError::new(Reason::Semantic, at, format!("there is no type {}", self.name)))
    }

    /// Whether `item` is of this type.
    pub(super) fn matches(&self, model: &dyn Model, item: &Item<'_>, how: Match) -> bool {
        let namespace = self.namespace.as_deref();
        match item {
            Item::Value(value) => {
                namespace != Some("FHIR") && (value.type_name() == &*self.name || &*self.name == "Any")
            }
            Item::Node(_) | Item::Target(_) => {
                namespace != Some("System") && is_of(model, item.type_name(), &self.name, how)
            }
        }
    }
}

/// The type in whose definition a backbone path lies.
fn base(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether the FHIR type `actual` counts as `wanted`.
fn is_of(model: &dyn Model, actual: &str, wanted: &str, how: Match) -> bool {
    if actual == wanted {
        return true;
    }
    if actual.contains('.') {
        return matches!(wanted, "BackboneElement" | "Element");
    }
    let primitive = wanted.starts_with(|first: char| first.is_ascii_lowercase());
    (how == Match::Is || !primitive) && model.is_a(actual, wanted)
}
