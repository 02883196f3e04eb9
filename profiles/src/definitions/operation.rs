//! Compartments and operations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::structure::is_false;

/// One CompartmentDefinition's facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compartment {
    /// `Patient`
    pub code: String,
    /// Per resource type in it the codes of the search parameters that tie it;
    /// `{def}` means the resource itself.
    pub members: BTreeMap<String, Vec<String>>,
}

/// One `OperationDefinition`'s facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationFacts {
    /// The canonical URL.
    pub url: Box<str>,
    /// The name after the `$`.
    pub code: Box<str>,
    /// The resource types it is asked on.
    pub resources: Vec<Box<str>>,
    /// Asked at `[base]/$code`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_system: bool,
    /// Asked at `[base]/[type]/$code`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_type: bool,
    /// Asked at `[base]/[type]/[id]/$code`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_instance: bool,
    /// What goes in and comes out.
    pub parameters: Vec<OperationParameter>,
}

/// One parameter of an operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationParameter {
    /// Its name.
    pub name: Box<str>,
    /// Whether it comes out rather than goes in.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_out: bool,
    /// The fewest times it stands.
    pub min: u32,
    /// The most times; none for `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Its type; none where it has parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<Box<str>>,
    /// How it is searched, for a `string` that is a search value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_kind: Option<Box<str>>,
    /// What a reference may point at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_profiles: Vec<Box<str>>,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<OperationParameter>,
}
