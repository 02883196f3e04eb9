//! `_include` and `_revinclude`.
//!
//! Source: FHIR R4 search.html#include

use serde_json::{Value, json};

use crate::check::{Check, finds, get, ok, refused, row};
use crate::seed::{observation, patient, resource, with};

/// A person with a doctor in a clinic, an Encounter there, two Observations.
pub fn seed() -> Vec<Value> {
    vec![
        resource("Organization", "clinic", json!({"name": "Clinic", "partOf": {"reference": "Organization/group"}})),
        resource("Organization", "group", json!({"name": "Group"})),
        resource("Practitioner", "dr", json!({"active": true})),
        resource(
            "Patient",
            "p",
            json!({"managingOrganization": {"reference": "Organization/clinic"}, "generalPractitioner": [{"reference": "Practitioner/dr"}]}),
        ),
        patient("q", "y"),
        resource(
            "Encounter",
            "e",
            json!({
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
                "subject": {"reference": "Patient/p"},
                "serviceProvider": {"reference": "Organization/clinic"}
            }),
        ),
        with(
            observation("o1", json!({})),
            json!({"encounter": {"reference": "Encounter/e"}, "performer": [{"reference": "Practitioner/dr"}, {"reference": "Organization/clinic"}]}),
        ),
        with(observation("o2", json!({})), json!({"encounter": {"reference": "Encounter/e"}})),
        with(
            observation("o3", json!({})),
            json!({"subject": {"reference": "Patient/q"}, "performer": [{"reference": "Practitioner/nobody"}]}),
        ),
        resource(
            "Provenance",
            "v",
            json!({
                "target": [{"reference": "Observation/o1"}],
                "recorded": "2026-01-01T00:00:00Z",
                "agent": [{"who": {"reference": "Practitioner/dr"}}]
            }),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    [forward(), back(), bad()].into_iter().flatten().collect()
}

fn forward() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Observation?{query}"));
    vec![
        row("the subject", ask("_id=o1&_include=Observation:subject"), finds(&["o1"]).brings(&["p"]).total(1)),
        row(
            "the subject of several, once",
            ask("code=8302-2&_include=Observation:subject"),
            finds(&["o1", "o2", "o3"]).brings(&["p", "q"]).total(3),
        ),
        row("of one type", ask("_id=o1&_include=Observation:performer:Practitioner"), finds(&["o1"]).brings(&["dr"])),
        row(
            "of another type",
            ask("_id=o1&_include=Observation:performer:Organization"),
            finds(&["o1"]).brings(&["clinic"]),
        ),
        row("of all types", ask("_id=o1&_include=Observation:performer"), finds(&["o1"]).brings(&["dr", "clinic"])),
        row(
            "two",
            ask("_id=o1&_include=Observation:subject&_include=Observation:encounter"),
            finds(&["o1"]).brings(&["p", "e"]),
        ),
        row(
            "the same twice",
            ask("_id=o1&_include=Observation:subject&_include=Observation:patient"),
            finds(&["o1"]).brings(&["p"]),
        ),
        row(
            "what points to nothing brings nothing",
            ask("_id=o3&_include=Observation:performer"),
            finds(&["o3"]).brings(&[]),
        ),
        row(
            "no match, nothing to bring",
            ask("_id=none&_include=Observation:subject"),
            finds(&[]).brings(&[]).total(0),
        ),
        row(
            "not from what was brought",
            ask("_id=o1&_include=Observation:subject&_include=Observation:specimen"),
            finds(&["o1"]).brings(&["p"]),
        ),
        row(
            "what was brought says so",
            ask("_id=o2&_include=Observation:subject"),
            ok().at("/entry/1/search/mode", "include").at("/entry/1/fullUrl", "{base}/Patient/p"),
        ),
        row(
            "a match is no include",
            get("Organization?_id=clinic,group&_include=Organization:partof"),
            finds(&["clinic", "group"]).brings(&[]),
        ),
        row(
            "a page brings its own",
            ask("_sort=_id&_count=2&_include=Observation:subject"),
            finds(&["o1", "o2"]).brings(&["p"]).total(3).keep_link("next"),
        ),
        row("the next page brings its own", get("{next}"), finds(&["o3"]).brings(&["q"])),
        row(
            "self tells it",
            ask("_id=o1&_include=Observation:subject"),
            ok().link("self", "_include=Observation:subject"),
        ),
    ]
}

fn back() -> Vec<Check> {
    vec![
        row(
            "what refers to it",
            get("Patient?_id=p&_revinclude=Observation:subject"),
            finds(&["p"]).brings(&["o1", "o2"]).total(1),
        ),
        row(
            "what refers to several",
            get("Patient?_id=p,q&_revinclude=Observation:subject"),
            finds(&["p", "q"]).brings(&["o1", "o2", "o3"]),
        ),
        row(
            "of two types",
            get("Patient?_id=p&_revinclude=Observation:patient&_revinclude=Encounter:patient"),
            finds(&["p"]).brings(&["o1", "o2", "e"]),
        ),
        row(
            "of one target type",
            get("Patient?_id=p&_revinclude=Observation:subject:Patient"),
            finds(&["p"]).brings(&["o1", "o2"]),
        ),
        row(
            "all entries",
            get("Patient?_id=q&_revinclude=Observation:subject"),
            ok().entries(&["Patient/q", "Observation/o3"]),
        ),
        row(
            "provenance",
            get("Observation?_id=o1,o2&_revinclude=Provenance:target"),
            finds(&["o1", "o2"]).brings(&["v"]),
        ),
        row("nobody refers to it", get("Observation?_id=o3&_revinclude=Provenance:target"), finds(&["o3"]).brings(&[])),
        row(
            "both ways",
            get("Encounter?_id=e&_include=Encounter:patient&_revinclude=Observation:encounter"),
            finds(&["e"]).brings(&["p", "o1", "o2"]),
        ),
        row(
            "by another parameter",
            get("Practitioner?_id=dr&_revinclude=Patient:general-practitioner"),
            finds(&["dr"]).brings(&["p"]),
        ),
    ]
}

fn bad() -> Vec<Check> {
    let refuse = |name: &str, query: &str| row(name, get(&format!("Observation?{query}")), refused(400, "value"));
    vec![
        refuse("a type that is none", "_include=Nonsense:subject"),
        refuse("a parameter that is none", "_include=Observation:nonsense"),
        refuse("a parameter that is no reference", "_include=Observation:code"),
        refuse("no parameter", "_include=Observation"),
        refuse("no value", "_include="),
        refuse("a target that is none", "_include=Observation:subject:Nonsense"),
        refuse("four parts", "_include=Observation:subject:Patient:x"),
        refuse("a type that never refers here", "_revinclude=Patient:general-practitioner"),
        row("a modifier", get("Observation?_include:exact=Observation:subject"), refused(400, "invalid")),
    ]
}
