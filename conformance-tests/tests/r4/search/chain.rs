//! Chains and `_has`: questions about what is referred to, and what refers.
//!
//! Source: FHIR R4 search.html#chaining, #has

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{LOINC, observation, patient, resource, with};

/// Two families: `p` with a doctor in a clinic, `q` with none; their Observations.
pub fn seed() -> Vec<Value> {
    let ids = |value: &str| json!([{"system": "https://example.org/ids", "value": value}]);
    let weight = json!({"coding": [{"system": LOINC, "code": "29463-7"}]});
    vec![
        resource("Organization", "clinic", json!({"name": "Sakura Clinic"})),
        resource("Practitioner", "dr", json!({"name": [{"family": "Sato"}], "identifier": ids("dr-1")})),
        resource(
            "Patient",
            "p",
            json!({
                "name": [{"family": "山田"}], "gender": "female", "birthDate": "1990-05-20", "identifier": ids("p-1"),
                "managingOrganization": {"reference": "Organization/clinic"}, "generalPractitioner": [{"reference": "Practitioner/dr"}]
            }),
        ),
        patient("q", "佐藤"),
        resource("Device", "d", json!({"manufacturer": "Pump Works", "patient": {"reference": "Patient/q"}})),
        resource(
            "Encounter",
            "e",
            json!({
                "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/p"},
                "serviceProvider": {"reference": "Organization/clinic"}
            }),
        ),
        with(
            observation("o1", json!({})),
            json!({"encounter": {"reference": "Encounter/e"}, "performer": [{"reference": "Practitioner/dr"}], "effectiveDateTime": "2026-01-01"}),
        ),
        with(observation("o2", json!({})), json!({"code": weight, "effectiveDateTime": "2026-02-01"})),
        with(observation("o3", json!({})), json!({"subject": {"reference": "Patient/q"}})),
        with(observation("o4", json!({})), json!({"subject": {"reference": "Device/d"}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [chains(), deep(), has(), mixed(), bad()].into_iter().flatten().collect()
}

fn chains() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Observation?{query}"));
    vec![
        row("subject:Patient.name", ask("subject:Patient.name=山田"), finds(&["o1", "o2"])),
        row("patient.name needs no type", ask("patient.name=山田"), finds(&["o1", "o2"])),
        row("in kana where kanji is stored", ask("patient.name=やまだ"), finds(&[])),
        row("a token", ask("patient.gender=female"), finds(&["o1", "o2"])),
        row("a date with a prefix", ask("patient.birthdate=lt2000-01-01"), finds(&["o1", "o2"])),
        row("an identifier", ask("patient.identifier=https://example.org/ids|p-1"), finds(&["o1", "o2"])),
        row("_id", ask("patient._id=q"), finds(&["o3"])),
        row("subject:Patient._id", ask("subject:Patient._id=p,q"), finds(&["o1", "o2", "o3"])),
        row("another type", ask("subject:Device.manufacturer=pump"), finds(&["o4"])),
        row("a modifier at the end", ask("patient.name:exact=佐藤"), finds(&["o3"])),
        row(":contains at the end", ask("patient.name:contains=藤"), finds(&["o3"])),
        row(":missing at the end", ask("patient.birthdate:missing=true"), finds(&["o3"])),
        row(":not at the end", ask("patient.gender:not=female"), finds(&["o3"])),
        row("nobody of that name", ask("patient.name=nobody"), finds(&[])),
        row("with another parameter", ask("patient.name=山田&code=8302-2"), finds(&["o1"])),
        row("two chains of one target", ask("patient.name=山田&patient.gender=female"), finds(&["o1", "o2"])),
        row("two chains that no target fulfils", ask("patient.name=佐藤&patient.gender=female"), finds(&[])),
        row("alternatives", ask("patient.name=山田,佐藤"), finds(&["o1", "o2", "o3"])),
        row("a performer", ask("performer:Practitioner.name=sato"), finds(&["o1"])),
    ]
}

fn deep() -> Vec<Check> {
    vec![
        row("two steps", get("Observation?patient.organization.name=sakura"), finds(&["o1", "o2"])),
        row(
            "two steps, types named",
            get("Observation?subject:Patient.organization:Organization.name=sakura"),
            finds(&["o1", "o2"]),
        ),
        row("two steps by an encounter", get("Observation?encounter.service-provider.name=sakura"), finds(&["o1"])),
        row(
            "two steps to a doctor",
            get("Observation?patient.general-practitioner:Practitioner.name=sato"),
            finds(&["o1", "o2"]),
        ),
        row("three steps", get("Provenance?target:Observation.patient.organization.name=sakura"), finds(&[])),
        row("two steps that end nowhere", get("Observation?patient.organization.name=nowhere"), finds(&[])),
        row(
            "sorted",
            get("Observation?patient.organization.name=sakura&_sort=-date"),
            crate::check::in_order(&["o2", "o1"]),
        ),
    ]
}

fn has() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Patient?{query}"));
    vec![
        row("people with an Observation of a code", ask("_has:Observation:patient:code=8302-2"), finds(&["p", "q"])),
        row("of a code with its system", ask("_has:Observation:patient:code=http://loinc.org|29463-7"), finds(&["p"])),
        row("by subject", ask("_has:Observation:subject:code=29463-7"), finds(&["p"])),
        row("of a date", ask("_has:Observation:patient:date=ge2026-02-01"), finds(&["p"])),
        row("none", ask("_has:Observation:patient:code=nothing"), finds(&[])),
        row("two", ask("_has:Observation:patient:code=8302-2&_has:Observation:patient:code=29463-7"), finds(&["p"])),
        row("two values", ask("_has:Observation:patient:code=nothing,29463-7"), finds(&["p"])),
        row("with another parameter", ask("_has:Observation:patient:code=8302-2&gender=female"), finds(&["p"])),
        row("another type", ask("_has:Encounter:patient:status=finished"), finds(&["p"])),
        row("_id of what refers", ask("_has:Observation:patient:_id=o3"), finds(&["q"])),
        row("doctors of somebody", get("Practitioner?_has:Patient:general-practitioner:gender=female"), finds(&["dr"])),
        row("a modifier at the end", ask("_has:Patient:link:name:exact=x"), finds(&[])),
    ]
}

fn mixed() -> Vec<Check> {
    vec![
        row("_has of a chain", get("Practitioner?_has:Observation:performer:patient.name=山田"), finds(&["dr"])),
        row(
            "_has of a _has",
            get("Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=29463-7"),
            finds(&["dr"]),
        ),
        row(
            "_has of a _has that finds none",
            get("Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=nothing"),
            finds(&[]),
        ),
        row(
            "a chain to a _has",
            get("Observation?patient._has:Encounter:patient:status=finished"),
            finds(&["o1", "o2"]),
        ),
        row(
            "counted",
            get("Patient?_has:Observation:patient:code=8302-2&_summary=count"),
            crate::check::ok().at("/total", 2),
        ),
        row(
            "with an include",
            get("Observation?patient.name=佐藤&_include=Observation:patient"),
            finds(&["o3"]).brings(&["q"]),
        ),
    ]
}

fn bad() -> Vec<Check> {
    let refuse = |name: &str, query: &str, code: &str| {
        row(
            name,
            get(&format!("Observation?{query}")),
            refused(400, code).expression(query.split('=').next().unwrap_or(query)),
        )
    };
    vec![
        refuse("a parameter that is no reference", "code.name=x", "value"),
        refuse("a parameter that the target has not", "patient.nonsense=x", "not-supported"),
        refuse("a bad value at the end", "patient.birthdate=soon", "value"),
        refuse("no value", "patient.name=", "value"),
        refuse("a modifier that does not fit at the end", "patient.birthdate:exact=2020", "invalid"),
        refuse("a type that the reference never names", "subject:Encounter.status=finished", "invalid"),
        row("_has of a type that is none", get("Patient?_has:Nonsense:patient:code=x"), refused(400, "invalid")),
        row(
            "_has by a parameter that is none",
            get("Patient?_has:Observation:nonsense:code=x"),
            refused(400, "value").expression("_has:Observation:"),
        ),
        row(
            "_has by a parameter that is no reference",
            get("Patient?_has:Observation:code:code=x"),
            refused(400, "value").expression("_has:Observation:"),
        ),
        row(
            "_has without its end",
            get("Patient?_has:Observation:patient=x"),
            refused(400, "value").expression("_has:Observation:"),
        ),
        row(
            "_has by a reference that never names this type",
            get("Patient?_has:Observation:encounter:code=x"),
            refused(400, "value").expression("_has:Observation:"),
        ),
    ]
}
