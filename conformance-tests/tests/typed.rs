//! What is stored can be read by somebody else's model of FHIR: every resource
//! of the sample world parses as the typed resource of an independent crate.

use fhir_sdk::r4b::resources::Resource;
use serde_json::Value;
use techo_conformance_tests::world::{Ask, World, link};

const KINDS: [&str; 14] = [
    "Patient",
    "RelatedPerson",
    "Observation",
    "Encounter",
    "DiagnosticReport",
    "Immunization",
    "MedicationStatement",
    "AllergyIntolerance",
    "Condition",
    "Provenance",
    "Consent",
    "DocumentReference",
    "AuditEvent",
    "Organization",
];

#[test]
fn every_stored_resource_is_read_by_an_independent_model() {
    let world = World::new();
    let mut read = 0;
    for child in ["pt-mei", "pt-taro", "pt-hanako"] {
        let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of(child));
        for kind in KINDS {
            let mut url = format!("{kind}?_count=100");
            loop {
                let page = mother.search(&url);
                parse(&page);
                for entry in page["entry"].as_array().into_iter().flatten() {
                    parse(&entry["resource"]);
                    read += 1;
                }
                match link(&page, "next") {
                    Some(next) => url = next.to_owned(),
                    None => break,
                }
            }
        }
    }
    let importer = world.importer();
    for kind in
        ["Encounter", "DiagnosticReport", "Observation", "Immunization", "Provenance", "Location", "Organization"]
    {
        for entry in importer.search(&format!("{kind}?_count=1000"))["entry"].as_array().into_iter().flatten() {
            parse(&entry["resource"]);
            read += 1;
        }
    }
    parse(&importer.get("metadata").expect(200).json());
    parse(&importer.get("Patient/never-was").refused(404).json());
    assert!(read > 150, "{read} resources were read");
    println!("{read} resources parsed");
}

/// Parses, and keeps the type and the id: nothing was dropped on the way.
fn parse(resource: &Value) {
    let typed: Resource =
        serde_json::from_value(resource.clone()).unwrap_or_else(|error| panic!("{error}: {resource}"));
    let back = serde_json::to_value(&typed).unwrap_or_else(|error| panic!("{error}: {resource}"));
    assert_eq!(members(resource), members(&back), "{resource}");
}

/// The names of an object's members: the model drops what it does not know.
fn members(resource: &Value) -> Vec<&String> {
    let mut names: Vec<&String> = resource.as_object().into_iter().flatten().map(|(name, _)| name).collect();
    names.sort();
    names
}
