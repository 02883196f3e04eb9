//! `Patient/[id]/$everything`.
//!
//! Source: FHIR R4 patient-operation-everything.html

use serde_json::{Value, json};

use crate::check::{Check, Who, any, get, ok, post, refused, row};
use crate::seed::{LOCAL, observation, patient, resource, with};

pub fn seed() -> Vec<Value> {
    let measured = |id: &str, code: &str, date: &str| {
        with(
            observation(id, json!({})),
            json!({
                "code": {"coding": [{"system": LOCAL, "code": code}]}, "effectiveDateTime": date,
                "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]
            }),
        )
    };
    vec![
        patient("p", "x"),
        patient("q", "y"),
        measured("w1", "weight", "2026-01-01"),
        measured("w2", "weight", "2026-02-01"),
        measured("w3", "weight", "2026-03-01"),
        measured("h1", "height", "2026-01-15"),
        with(measured("other", "weight", "2026-01-01"), json!({"subject": {"reference": "Patient/q"}})),
        resource("Condition", "c", json!({"subject": {"reference": "Patient/p"}, "onsetDateTime": "2025-06-01"})),
        resource("Patient", "tagged", json!({"meta": {"tag": [{"system": "https://example.org/tags", "code": "a"}]}})),
    ]
}

pub fn checks() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Patient/p/$everything{query}"));
    vec![
        row(
            "all of one person",
            ask(""),
            ok().at("/type", "searchset").entries(&[
                "Patient/p",
                "Observation/w1",
                "Observation/w2",
                "Observation/w3",
                "Observation/h1",
                "Condition/c",
            ]),
        ),
        row(
            "by POST",
            post("Patient/p/$everything", &json!({"resourceType": "Parameters"})),
            ok().at("/type", "searchset"),
        ),
        row("_type", ask("?_type=Condition"), ok().entries(&["Condition/c"])),
        row(
            "start and end",
            ask("?start=2026-01-10&end=2026-02-10&_type=Observation"),
            ok().entries(&["Observation/w2", "Observation/h1"]),
        ),
        row("_since the future", ask("?_since=2100-01-01T00:00:00Z&_type=Observation"), ok().entries(&[])),
        row("_count", ask("?_count=2"), ok().length("/entry", 2).keep_link("next")),
        row("the next page", get("{next}"), ok().length("/entry", 2)),
        row("a type that is none", ask("?_type=Nonsense"), any(&[400])),
        row("a date that is none", ask("?start=soon"), any(&[400])),
        row("nobody", get("Patient/nobody/$everything"), refused(404, "not-found")),
        row("another's is not there", get("Patient/pt-hanako/$everything"), refused(404, "not-found")),
        row("no token", ask("").by(Who::Nobody), refused(401, "login")),
        row("of another type", get("Observation/w1/$everything"), any(&[404, 405])),
    ]
}
