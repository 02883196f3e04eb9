//! The hooks that definitions and codes can answer between them.
//!
//! Source: FHIR R4 fhirpath.html, memberOf, subsumes, conformsTo

use super::context::{ConformsTo, MemberOf};
use super::item::{Item, Node};
use super::model::Model;
use crate::codes::{Codes, Membership};
use crate::definitions::Definitions;
use crate::json::Json;
use crate::validate::{Severity, structure};

/// Answers from FHIR's own definitions and from whoever knows codes.
#[derive(Clone, Copy)]
pub struct Knowledge<'k> {
    /// FHIR R4.
    pub definitions: &'k Definitions,
    /// What codes mean.
    pub codes: &'k dyn Codes,
}

impl MemberOf for Knowledge<'_> {
    fn member_of(&self, coded: &Item<'_>, value_set: &str) -> Option<bool> {
        let codings = codings(coded);
        if codings.is_empty() {
            // To a set that is here nothing belongs; of one that is not nothing can be said.
            return (self.codes.member(value_set, Some(""), "") != Membership::Unknown).then_some(false);
        }
        // One coding that is in the set is enough; one that cannot be told leaves all open.
        let mut told = Some(false);
        for (system, code) in codings {
            match self.codes.member(value_set, system, code) {
                Membership::Yes => return Some(true),
                Membership::Unknown => told = None,
                Membership::No => {}
            }
        }
        told
    }

    fn subsumes(&self, above: &Item<'_>, below: &Item<'_>) -> Option<bool> {
        let mut told = None;
        for (system, ancestor) in codings(above) {
            for (other, code) in codings(below) {
                if let (Some(system), true) = (system, system == other) {
                    let one =
                        (ancestor == code).then_some(true).or_else(|| self.codes.subsumes(system, ancestor, code));
                    told = if told == Some(true) { told } else { one.or(told) };
                }
            }
        }
        told
    }
}

/// System and code of everything coded in an item.
fn codings<'i>(item: &'i Item<'_>) -> Vec<(Option<&'i str>, &'i str)> {
    if let Some(code) = item.as_str() {
        return vec![(None, code)];
    }
    let Some(json) = item.json() else { return Vec::new() };
    let coding = |json: &'i Json| Some((json.str("system"), json.str("code")?));
    match item.type_name() {
        "CodeableConcept" => json.list("coding").iter().filter_map(coding).collect(),
        "Coding" | "Quantity" => coding(json).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// FHIR's own types are the profiles that can be checked: a resource by the
/// structure of all of it, a datatype by its name.
impl ConformsTo for Knowledge<'_> {
    fn conforms_to(&self, node: &Node<'_>, profile: &str) -> Option<bool> {
        let name = profile.strip_prefix("http://hl7.org/fhir/StructureDefinition/")?;
        self.definitions.type_def(name)?;
        if !self.definitions.is_a(node.type_name(), name) {
            return Some(false);
        }
        let resource = node.json().filter(|_| self.definitions.is_resource(node.type_name()));
        Some(resource.is_none_or(|json| {
            structure(self.definitions, self.codes, json).iter().all(|issue| issue.severity != Severity::Error)
        }))
    }
}

impl std::fmt::Debug for Knowledge<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Knowledge")
    }
}
