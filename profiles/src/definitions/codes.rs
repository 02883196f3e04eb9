//! The facts of code systems, value sets and concept maps.

use serde::{Deserialize, Serialize};

use super::structure::is_false;

/// One CodeSystem's facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodeSystemFacts {
    /// The canonical URL: what stands in `Coding.system`.
    pub url: Box<str>,
    /// The business version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// The computer name.
    pub name: Box<str>,
    /// `complete`, `fragment`, `example`, `not-present` or `supplement`.
    pub content: Box<str>,
    /// Whether `A` and `a` are two codes, where the definition says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
    /// What parent and child mean: `is-a`, `part-of`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy: Option<Box<str>>,
    /// The value set of all its codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_set: Option<Box<str>>,
    /// The concepts, parents before their children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<Concept>,
}

/// One concept of a code system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concept {
    /// The code.
    pub code: Box<str>,
    /// The text shown for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Box<str>>,
    /// Positions of its parents in [`CodeSystemFacts::concepts`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<u32>,
    /// Whether it only groups others and is not to be used itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_abstract: bool,
    /// `retired`, `deprecated`, … where not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<str>>,
}

/// One ValueSet's facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ValueSetFacts {
    /// The canonical URL.
    pub url: Box<str>,
    /// The business version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// The computer name.
    pub name: Box<str>,
    /// What is in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<SetPart>,
    /// What is taken out of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<SetPart>,
    /// The codes as its publisher listed them, where they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expansion: Vec<ListedCode>,
}

/// One include or exclude of a value set: all that meets every condition in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPart {
    /// The code system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Box<str>>,
    /// The code system's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// The codes; none listed means all that the filters let through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<PartConcept>,
    /// Conditions on the system's codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<PartFilter>,
    /// Value sets that the codes must all be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value_sets: Vec<Box<str>>,
}

/// One code listed in a [`SetPart`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartConcept {
    /// The code.
    pub code: Box<str>,
    /// The text shown for it in this set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Box<str>>,
}

/// One condition of a [`SetPart`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFilter {
    /// The property tested: `concept`, `parent`, …
    pub property: Box<str>,
    /// `is-a`, `=`, `regex`, …
    pub op: Box<str>,
    /// What it is tested against.
    pub value: Box<str>,
}

/// One code of an expansion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedCode {
    /// The code system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<Box<str>>,
    /// The code.
    pub code: Box<str>,
    /// The text shown for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Box<str>>,
    /// Whether it only groups others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_abstract: bool,
}

/// One ConceptMap's facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConceptMapFacts {
    /// The canonical URL.
    pub url: Box<str>,
    /// The business version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// The value set mapped from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The value set mapped to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<str>>,
    /// The mappings from one system to another.
    pub groups: Vec<MapGroup>,
}

/// The mappings from one code system to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapGroup {
    /// The system mapped from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The system mapped to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<str>>,
    /// One row per target; a row without a target maps to nothing.
    pub rows: Vec<MapRow>,
}

/// One row of a concept map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRow {
    /// The code mapped from.
    pub code: Box<str>,
    /// The code mapped to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<str>>,
    /// `equivalent`, `wider`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equivalence: Option<Box<str>>,
}
