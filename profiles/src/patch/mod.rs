//! Patches: a few changes to a resource, told one by one.
//!
//! Two languages, one file each: [`json_patch`] (RFC 6902) and [`fhir_patch`]
//! (`FHIRPath` Patch, a Parameters resource). Both work on the JSON tree, so no
//! decimal is changed that the patch does not name. A patch is read whole before
//! anything is done; the tree of one that fails is to be thrown away.
//!
//! A patch cannot be made to cost much: its operations, the text that it makes
//! and the depth that it reaches are bounded.

pub mod fhir_patch;
pub mod json_patch;

#[cfg(test)]
mod tests;

use crate::json::{Json, Value};
use crate::path::PathError;

/// The most operations of one patch.
pub const MOST_OPERATIONS: usize = 1000;
/// The most bytes that a patched resource may have.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Why a patch was not applied, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operation {operation:?}: {reason}")]
pub struct PatchError {
    /// Why.
    pub reason: Reason,
    /// The operation, counted from 0; `None` for the patch as a whole.
    pub operation: Option<usize>,
    /// Its member at fault (`path`, `value`, …); empty for the operation itself.
    pub member: &'static str,
}

/// Why a patch was not applied. No text holds a value of the resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is no patch.
    #[error("{0}")]
    Malformed(&'static str, &'static str),
    /// It cannot be applied to this resource.
    #[error("{0}")]
    Failed(&'static str, &'static str),
    /// It asks for more than is done.
    #[error("{0}")]
    TooMuch(&'static str, &'static str),
    /// A `FHIRPath` that cannot be read; the text names its own words.
    #[error("the FHIRPath cannot be read: {0}")]
    Unreadable(Box<PathError>),
    /// A `FHIRPath` that cannot be evaluated here.
    #[error("the FHIRPath cannot be evaluated: {0}")]
    Unevaluated(Box<PathError>),
}

impl Reason {
    /// Whether the patch would be wrong for any resource.
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(..) | Self::Unreadable(_))
    }

    /// The text in Japanese.
    pub fn text_ja(&self) -> String {
        match self {
            Self::Malformed(_, text) | Self::Failed(_, text) | Self::TooMuch(_, text) => (*text).to_owned(),
            Self::Unreadable(error) | Self::Unevaluated(error) => error.japanese(),
        }
    }

    fn at(self, operation: usize, member: &'static str) -> PatchError {
        PatchError { reason: self, operation: Some(operation), member }
    }
}

fn whole(reason: Reason) -> PatchError {
    PatchError { reason, operation: None, member: "" }
}

fn too_many() -> PatchError {
    whole(Reason::TooMuch("a patch may have up to 1000 operations", "パッチの操作は 1000 件までです"))
}

/// How much more the text of a resource may grow.
struct Room(usize);

impl Room {
    fn of(resource: &Json) -> Self {
        Self(MOST_BYTES.saturating_sub(weight(resource)))
    }

    /// Takes the room that `value` needs.
    fn take(&mut self, value: &Json) -> Result<(), Reason> {
        let left = self.0.checked_sub(weight(value));
        let too_large = Reason::TooMuch("the resource would become too large", "リソースが大きくなりすぎます");
        self.0 = left.ok_or(too_large)?;
        Ok(())
    }
}

/// About how long a value's text is.
fn weight(json: &Json) -> usize {
    match json.value() {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(text) => text.len() + 1,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|member| member.name.len() + 4 + weight(&member.value)).sum::<usize>() + 2
        }
    }
}

/// How many levels a value has; 0 for one that holds no others.
fn height(json: &Json) -> usize {
    let inner = json.items().iter().chain(json.members().iter().map(|member| &member.value)).map(height).max();
    inner.map_or(0, |inner| inner + 1)
}
