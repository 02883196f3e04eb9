//! The base under which our own code systems, identifiers and profiles lie.

/// The base that is shipped; an operator may configure another.
pub const BASE: &str = "https://techo.example/fhir";
