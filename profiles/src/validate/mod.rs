//! Whether a resource is one: checked against FHIR's own definitions.
//!
//! [`structure`] checks what R4 says of every resource: which elements there are,
//! how often each stands, of which type it is, how JSON writes it, which codes a
//! required binding lets in, what a reference may point at. What is not defined
//! is refused; nothing is let pass because it is unknown.
//!
//! Not here yet, and to be added beside `walk.rs` as steps of their own over the
//! same [`Trail`]: profiles and slicing (`profile.rs`), invariants (`invariant.rs`,
//! with `FHIRPath`).
//!
//! To add a check: a variant of `Fault` with its words in two languages, and the
//! place in `walk.rs` or `special.rs` that finds it. Words say what to do next and
//! never hold a value of the resource: an issue goes into answers and logs.
//!
//! Source: FHIR R4 validation.html, json.html, datatypes.html

mod fault;
mod links;
mod narrative;
mod rules;
mod special;
mod trail;
mod walk;

pub(crate) use fault::{article, hint, is_near, shown};
pub use links::{Link, LinkKind, links};
pub(crate) use rules::{Content, Element, Node, Rules, Slot, TypeRules};
pub(crate) use trail::Trail;

use crate::{codes::Codes, definitions::Definitions, json::Json};

/// One thing that is wrong with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad.
    pub severity: Severity,
    /// What kind of fault.
    pub code: IssueCode,
    /// Where, in `FHIRPath`: `Observation.component[1].value.ofType(Quantity).unit`.
    pub expression: String,
    /// Byte offset of the fault in the text the resource was read from.
    pub offset: usize,
    /// What is wrong and what to do, in English.
    pub text_en: String,
    /// The same in Japanese.
    pub text_ja: String,
    /// The rule that was broken, for those who know FHIR.
    pub diagnostics: String,
}

/// `OperationOutcome.issue.severity`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The resource cannot be taken.
    Error,
    /// It can, but something is likely wrong.
    Warning,
    /// Something to know.
    Information,
}

/// `OperationOutcome.issue.code`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueCode {
    /// What stands there does not belong there.
    Structure,
    /// What has to stand there does not.
    Required,
    /// A value is not as its type wants it.
    Value,
    /// A rule over several elements is broken.
    Invariant,
    /// A code is not one of those allowed.
    CodeInvalid,
    /// Nothing here can deal with it.
    NotSupported,
    /// There is more than is worth saying.
    TooCostly,
}

impl Severity {
    /// The code that FHIR gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

impl IssueCode {
    /// The code that FHIR gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::CodeInvalid => "code-invalid",
            Self::NotSupported => "not-supported",
            Self::TooCostly => "too-costly",
        }
    }
}

/// Checks a resource against R4's own definition of its type. No issue means that
/// nothing is wrong; at most [`MAX_ISSUES`] are told.
pub fn structure(definitions: &Definitions, codes: &dyn Codes, resource: &Json) -> Vec<Issue> {
    let mut walk = walk::Walk::new(definitions, codes);
    walk.resource(resource, &Trail::root());
    walk.issues
}

/// Whether the text of a narrative's `div` is XHTML that only shows, and has
/// something to read.
pub(crate) fn narrative_is_harmless(text: &str) -> bool {
    narrative::check(text).is_ok()
}

/// As many issues as anybody reads. A hostile body cannot make more.
pub const MAX_ISSUES: usize = 100;

#[cfg(test)]
mod tests;
