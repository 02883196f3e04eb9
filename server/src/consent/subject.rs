//! Whose record is it? The patients who decide about a resource (`consent.md` §4.5).
//!
//! Patients in a subject role decide. Where none is named there, the patients who
//! only act do. Any other reference to a patient confers nothing. R4 spells the
//! subject role with five element names, all of them at the top of a resource, so
//! the rule is about names and holds for every type; what differs is in
//! [`special`].
//!
//! To add a type that keeps its subject elsewhere: one arm in [`special`].

use std::collections::HashSet;

use techo_profiles::Definitions;
use techo_profiles::definitions::Compartment;
use techo_profiles::json::{Json, Value};

use crate::base::below;

/// The elements that hold a subject, in every type.
pub(super) const SUBJECT_ROLES: &[&str] = &["subject", "patient", "for", "beneficiary", "individual"];

/// The elements that hold someone who only acts, in every type.
pub(super) const ACTOR_ROLES: &[&str] = &[
    "performer",
    "author",
    "recorder",
    "asserter",
    "attester",
    "sender",
    "recipient",
    "source",
    "informationSource",
    "participant",
    "payee",
    "payor",
    "subscriber",
    "policyHolder",
    "link",
    "actor",
    "agent",
    "candidate",
    "requester",
];

/// Types without a subject that every caller may read within her scopes (§2);
/// rows of any other type without a subject are for their custodian alone.
pub const SHARED: &[&str] = &[
    "CapabilityStatement",
    "CodeSystem",
    "CompartmentDefinition",
    "ConceptMap",
    "Endpoint",
    "ExampleScenario",
    "GraphDefinition",
    "HealthcareService",
    "ImplementationGuide",
    "Location",
    "Medication",
    "MessageDefinition",
    "NamingSystem",
    "OperationDefinition",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "SearchParameter",
    "StructureDefinition",
    "StructureMap",
    "Substance",
    "TerminologyCapabilities",
    "ValueSet",
];

/// The types of R4's Patient compartment: the bound of `patient/` scopes.
pub fn compartment() -> impl Iterator<Item = &'static str> {
    patient_compartment().into_iter().flat_map(|found| found.members.keys()).map(String::as_str)
}

/// Whether a type is in R4's Patient compartment.
pub fn in_compartment(kind: &str) -> bool {
    patient_compartment().is_some_and(|found| found.members.contains_key(kind))
}

fn patient_compartment() -> Option<&'static Compartment> {
    Definitions::embedded().compartment("Patient")
}

/// Types outside the compartment that a `patient/` scope reaches all the same,
/// where they are the patient's: without them a `DocumentReference` has no document.
pub const WITH_COMPARTMENT: &[&str] = &["Binary"];

/// Types that are about whom others are about (`consent.md` §4.6).
pub const FOLLOWING: &[&str] = &["Binary", "Provenance"];

/// The patients who decide about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// The resource is itself a Patient and decides about itself.
    pub itself: bool,
    /// Ids of Patients, each once, in the order of the resource.
    pub patients: Vec<Box<str>>,
    /// References (`Type/id`) to resources whose own subjects are subjects here too.
    pub through: Vec<Box<str>>,
}

impl Subjects {
    /// The subjects of `resource`.
    ///
    /// * `base`: this server's own base without a slash at the end; absolute
    ///   references below it count like relative ones, others do not count.
    pub fn of(resource: &Json, base: &str) -> Self {
        if let Some(found) = special(resource, base) {
            return found.each_once();
        }
        let mut found = Self::default();
        for name in SUBJECT_ROLES {
            found.collect(resource.get(name), base, false);
        }
        let of_group = named(resource, SUBJECT_ROLES).any(|subject| {
            subject.each().iter().filter_map(|one| local(one.str("reference")?, base)).any(|(kind, _)| kind == "Group")
        });
        // A Group is for its custodian alone, and so is what is said of one.
        if found.patients.is_empty() && !of_group {
            for name in ACTOR_ROLES {
                found.collect(resource.get(name), base, true);
            }
        }
        found.each_once()
    }

    fn each_once(mut self) -> Self {
        for list in [&mut self.patients, &mut self.through] {
            let mut seen = HashSet::new();
            list.retain(|one| seen.insert(one.clone()));
        }
        self
    }

    /// Whether nobody's consent decides: the row is for its custodian alone, or
    /// on the shared list.
    pub fn is_empty(&self) -> bool {
        !self.itself && self.patients.is_empty() && self.through.is_empty()
    }

    /// Ids of the Patients named, each once. A Patient's own id is not among them.
    pub fn patients(&self) -> Vec<String> {
        self.patients.iter().map(ToString::to_string).collect()
    }

    /// Adds the Patients that `element` refers to: directly, or anywhere inside it.
    fn collect(&mut self, element: Option<&Json>, base: &str, deep: bool) {
        for part in element.map_or(&[][..], Json::each) {
            if let Some(("Patient", id)) = part.str("reference").and_then(|text| local(text, base)) {
                self.patients.push(id.into());
            }
            if deep {
                for member in part.members() {
                    if matches!(member.value.value(), Value::Object(_) | Value::Array(_)) {
                        self.collect(Some(&member.value), base, true);
                    }
                }
            }
        }
    }

    /// Adds what `element` refers to: Patients as subjects, others as lending theirs.
    fn follow(&mut self, element: Option<&Json>, base: &str) {
        for part in element.map_or(&[][..], Json::each) {
            match part.str("reference").and_then(|text| local(text, base)) {
                Some(("Patient", id)) => self.patients.push(id.into()),
                Some((kind, id)) if !SHARED.contains(&kind) => self.through.push(format!("{kind}/{id}").into()),
                _ => {}
            }
        }
    }
}

/// The types that keep their subject elsewhere.
fn special(resource: &Json, base: &str) -> Option<Subjects> {
    let mut found = Subjects::default();
    match resource.str("resourceType")? {
        "Patient" => found.itself = true,
        "Binary" => found.follow(resource.get("securityContext"), base),
        "Provenance" => found.follow(resource.get("target"), base),
        "AuditEvent" => {
            for entity in resource.list("entity") {
                found.collect(entity.get("what"), base, false);
            }
        }
        // Each holds or describes many people, or none.
        "Group" | "Bundle" | "Parameters" | "OperationOutcome" => {}
        kind if SHARED.contains(&kind) => {}
        _ => return None,
    }
    Some(found)
}

fn named<'a>(resource: &'a Json, names: &'static [&str]) -> impl Iterator<Item = &'a Json> {
    names.iter().filter_map(|name| resource.get(name))
}

/// Type and id of a reference to a resource on this server; its version does not
/// count, nor a fragment, which names a part of it. `None` for contained, logical, conditional and foreign ones.
pub fn local<'a>(reference: &'a str, base: &str) -> Option<(&'a str, &'a str)> {
    let relative = if base.is_empty() { reference } else { below(reference, base)? };
    let mut parts = relative.split('#').next()?.split('/');
    let (kind, id) = (parts.next()?, parts.next()?);
    match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => {}
        (Some("_history"), Some(version), None) if is_id(version) => {}
        _ => return None,
    }
    let named = kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    (named && is_id(id)).then_some((kind, id))
}

/// FHIR's `id`: letters, digits, `-` and `.`, 1 to 64 of them.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let found = Subjects::of(&Json::parse(text.as_bytes()).expect("JSON"), "https://own.example/fhir");
        let itself = found.itself.then_some("itself");
        let through = found.through.iter().map(|one| format!("> {one}"));
        itself
            .map(str::to_owned)
            .into_iter()
            .chain(found.patients.iter().map(ToString::to_string))
            .chain(through)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn who_decides() {
        for (resource, expected) in [
            (r#"{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/b"}}]}"#, "itself"),
            (
                r#"{"resourceType":"Observation","subject":{"reference":"Patient/a"},"performer":[{"reference":"Patient/b"}]}"#,
                "a",
            ),
            (
                r#"{"resourceType":"Observation","focus":[{"reference":"Patient/c"}],"performer":[{"reference":"Patient/b"}]}"#,
                "b",
            ),
            (
                r#"{"resourceType":"Observation","subject":{"reference":"Group/g"},"performer":[{"reference":"Patient/b"}]}"#,
                "",
            ),
            (
                r#"{"resourceType":"Observation","subject":{"reference":"Device/d"},"performer":[{"reference":"Patient/b"}]}"#,
                "b",
            ),
            (
                r#"{"resourceType":"Immunization","patient":{"reference":"https://own.example/fhir/Patient/a/_history/3"}}"#,
                "a",
            ),
            (r#"{"resourceType":"Immunization","patient":{"reference":"https://other.example/fhir/Patient/a"}}"#, ""),
            (r#"{"resourceType":"Immunization","patient":{"reference":"HTTPS://Own.example/fhir//Patient/a"}}"#, "a"),
            (r#"{"resourceType":"Immunization","patient":{"reference":"https://own.example/FHIR/Patient/a"}}"#, ""),
            (r#"{"resourceType":"Immunization","patient":{"reference":"https://own.example/fhirPatient/a"}}"#, ""),
            (r#"{"resourceType":"Immunization","patient":{"reference":"https://own.example/fhir"}}"#, ""),
            (r#"{"resourceType":"Immunization","patient":{"reference":"urn:uuid:a"}}"#, ""),
            (r##"{"resourceType":"Immunization","patient":{"reference":"#p"}}"##, ""),
            (r#"{"resourceType":"Immunization","patient":{"reference":"Patient/a#p"}}"#, "a"),
            (r#"{"resourceType":"Immunization","patient":{"identifier":{"value":"1"}}}"#, ""),
            (
                r#"{"resourceType":"Account","subject":[{"reference":"Patient/a"},{"reference":"Patient/b"},{"reference":"Patient/a"}]}"#,
                "a b",
            ),
            (r#"{"resourceType":"Task","for":{"reference":"Patient/a"},"requester":{"reference":"Patient/b"}}"#, "a"),
            (
                r#"{"resourceType":"Coverage","beneficiary":{"reference":"Patient/a"},"payor":[{"reference":"Patient/b"}]}"#,
                "a",
            ),
            (r#"{"resourceType":"ResearchSubject","individual":{"reference":"Patient/a"}}"#, "a"),
            (r#"{"resourceType":"RelatedPerson","patient":{"reference":"Patient/a"}}"#, "a"),
            (
                r#"{"resourceType":"Consent","patient":{"reference":"Patient/a"},"performer":[{"reference":"Patient/b"}]}"#,
                "a",
            ),
            (
                r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/a"}},{"actor":{"reference":"Practitioner/p"}}]}"#,
                "a",
            ),
            (r#"{"resourceType":"Person","link":[{"target":{"reference":"Patient/a"}}]}"#, "a"),
            (
                r#"{"resourceType":"Provenance","target":[{"reference":"Patient/a"},{"reference":"Observation/o"}],"agent":[{"who":{"reference":"Patient/b"}}]}"#,
                "a > Observation/o",
            ),
            (
                r#"{"resourceType":"Binary","securityContext":{"reference":"DocumentReference/d"}}"#,
                "> DocumentReference/d",
            ),
            (
                r#"{"resourceType":"AuditEvent","agent":[{"who":{"reference":"Patient/b"}}],"entity":[{"what":{"reference":"Patient/a"}}]}"#,
                "a",
            ),
            (r#"{"resourceType":"Group","member":[{"entity":{"reference":"Patient/a"}}]}"#, ""),
            (r#"{"resourceType":"Practitioner","id":"p"}"#, ""),
            (
                r#"{"resourceType":"List","subject":{"reference":"Patient/a"},"entry":[{"item":{"reference":"Patient/b"}}]}"#,
                "a",
            ),
        ] {
            assert_eq!(shown(resource), expected, "{resource}");
        }
    }
}
