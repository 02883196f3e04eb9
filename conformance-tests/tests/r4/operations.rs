//! Operations of R4: `$meta`, `$meta-add`, `$meta-delete`, `$lastn`, `$validate`.
//!
//! Source: FHIR R4 resource-operations.html, observation-operation-lastn.html

use serde_json::{Value, json};

use crate::check::{Check, any, get, ok, post, refused, row};
use crate::seed::{LOCAL, observation, patient, resource, with};

pub fn seed() -> Vec<Value> {
    let measured = |id: &str, code: &str, date: &str| {
        let category =
            json!({"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"});
        observation(
            id,
            json!({
                "code": {"coding": [{"system": LOCAL, "code": code}]}, "effectiveDateTime": date, "category": [{"coding": [category]}]
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
        resource("Patient", "tagged", json!({"meta": {"tag": [{"system": "https://example.org/tags", "code": "a"}]}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [meta(), lastn(), validate()].into_iter().flatten().collect()
}

fn meta() -> Vec<Check> {
    let tag = |code: &str| json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"system": "https://example.org/tags", "code": code}]}}]});
    vec![
        row("$meta", get("Patient/tagged/$meta"), ok().at("/resourceType", "Parameters").holds("\"code\":\"a\"")),
        row(
            "$meta-add",
            post("Patient/tagged/$meta-add", &tag("b")),
            ok().holds("\"code\":\"a\"").holds("\"code\":\"b\""),
        ),
        row("it is found by the tag", get("Patient?_tag=b"), crate::check::finds(&["tagged"])),
        row(
            "$meta-add of what is there changes nothing",
            post("Patient/tagged/$meta-add", &tag("b")),
            ok().holds("\"code\":\"b\""),
        ),
        row(
            "$meta-delete",
            post("Patient/tagged/$meta-delete", &tag("a")),
            ok().lacks("\"code\":\"a\"").holds("\"code\":\"b\""),
        ),
        row("it is not found by that tag", get("Patient?_tag=a"), crate::check::finds(&[])),
        row("$meta-delete of what is not there", post("Patient/tagged/$meta-delete", &tag("zzz")), ok()),
        row("$meta of nobody", get("Patient/nobody/$meta"), refused(404, "not-found")),
        row("$meta-add by GET", get("Patient/tagged/$meta-add"), any(&[405])),
        row(
            "$meta-add without a meta",
            post("Patient/tagged/$meta-add", &json!({"resourceType": "Parameters"})),
            any(&[400]),
        ),
    ]
}

fn lastn() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Observation/$lastn?{query}"));
    vec![
        row(
            "the last of each code",
            ask("patient=p&category=vital-signs"),
            ok().at("/type", "searchset").entries(&["Observation/w3", "Observation/h1"]),
        ),
        row(
            "the last two of each",
            ask("patient=p&category=vital-signs&max=2"),
            ok().entries(&["Observation/w3", "Observation/w2", "Observation/h1"]),
        ),
        row("of one code", ask("patient=p&code=https://example.org/codes|weight"), ok().entries(&["Observation/w3"])),
        row("of another person", ask("patient=q&category=vital-signs"), ok().entries(&["Observation/other"])),
        row("max of no number", ask("patient=p&category=vital-signs&max=x"), any(&[400])),
        row("of nobody", ask("patient=nobody&category=vital-signs"), any(&[200, 404])),
    ]
}

fn validate() -> Vec<Check> {
    let good = json!({"resourceType": "Patient", "gender": "male"});
    let bad = json!({"resourceType": "Patient", "gender": "girl"});
    let held = json!({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": good}]});
    vec![
        row(
            "a good one",
            post("Patient/$validate", &good),
            ok().at("/resourceType", "OperationOutcome").lacks("\"severity\":\"error\""),
        ),
        row(
            "a bad one",
            post("Patient/$validate", &bad),
            ok().at("/resourceType", "OperationOutcome").expression("Patient.gender"),
        ),
        row("in Parameters", post("Patient/$validate", &held), ok().lacks("\"severity\":\"error\"")),
        row("nothing was made", get("Patient?gender=male"), crate::check::finds(&[])),
        row(
            "one that is stored: what it shall become must be sent",
            get("Patient/p/$validate"),
            refused(400, "required"),
        ),
        row("nobody", get("Patient/nobody/$validate"), refused(404, "not-found")),
        row("no body", post("Patient/$validate", &json!({"resourceType": "Parameters"})), any(&[400])),
    ]
}
