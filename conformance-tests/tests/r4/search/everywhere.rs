//! Search in a compartment and across types; text within resources.
//!
//! Source: FHIR R4 search.html#text, http.html#vsearch, compartmentdefinition.html

use serde_json::{Value, json};

use crate::check::{Check, any, ask, finds, get, ok, refused, row};
use crate::seed::{observation, patient, resource, with};

pub fn seed() -> Vec<Value> {
    let narrative = |text: &str| json!({"text": {"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>")}});
    vec![
        patient("p", "山田"),
        patient("q", "佐藤"),
        with(observation("op", json!({})), json!({"effectiveDateTime": "2026-01-01"})),
        with(
            observation("op2", json!({})),
            json!({"effectiveDateTime": "2026-02-01", "code": {"coding": [{"code": "weight"}]}}),
        ),
        with(observation("oq", json!({})), json!({"subject": {"reference": "Patient/q"}})),
        resource("Condition", "cp", json!({"subject": {"reference": "Patient/p"}, "code": {"text": "花粉症"}})),
        resource("Practitioner", "dr", json!({"active": true})),
        with(
            resource(
                "Encounter",
                "ep",
                json!({"status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/p"}, "participant": [{"individual": {"reference": "Practitioner/dr"}}]}),
            ),
            narrative("Seen for hay fever"),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    [compartments(), types(), bad()].into_iter().flatten().collect()
}

fn compartments() -> Vec<Check> {
    vec![
        row("a person's Observations", get("Patient/p/Observation"), finds(&["op", "op2"])),
        row("with a parameter", get("Patient/p/Observation?code=weight"), finds(&["op2"])),
        row("sorted", get("Patient/p/Observation?_sort=-date"), crate::check::in_order(&["op2", "op"])),
        row(
            "in pages",
            get("Patient/p/Observation?_sort=date&_count=1"),
            crate::check::in_order(&["op"]).at("/total", 2).keep_link("next"),
        ),
        row("the next page", get("{next}"), crate::check::in_order(&["op2"]).no_link("next")),
        row("another's", get("Patient/q/Observation"), finds(&["oq"])),
        row("a person's Conditions", get("Patient/p/Condition"), finds(&["cp"])),
        row("none of a type", get("Patient/q/Condition"), finds(&[])),
        row(
            "everything in it",
            get("Patient/p/*"),
            ok().entries(&["Patient/p", "Observation/op", "Observation/op2", "Condition/cp", "Encounter/ep"]),
        ),
        row(
            "everything of some types",
            get("Patient/p/*?_type=Condition,Encounter"),
            ok().entries(&["Condition/cp", "Encounter/ep"]),
        ),
        row("a practitioner's", get("Practitioner/dr/Encounter"), finds(&["ep"])),
        row("an encounter's", get("Encounter/ep/Observation"), finds(&[])),
        row("counted", get("Patient/p/Observation?_summary=count"), ok().at("/total", 2).absent("/entry")),
        row("self", get("Patient/p/Observation"), ok().link("self", "{base}/Patient/p/Observation")),
        row(
            "an include",
            get("Patient/p/Observation?_include=Observation:subject"),
            finds(&["op", "op2"]).brings(&["p"]),
        ),
        row("by a form", ask("POST", "Patient/p/Observation/_search").form("code=weight"), finds(&["op2"])),
    ]
}

fn types() -> Vec<Check> {
    vec![
        row("one type", get("?_type=Condition"), ok().at("/type", "searchset").entries(&["Condition/cp"])),
        row("two types", get("?_type=Condition,Encounter&_sort=_id"), ok().entries(&["Condition/cp", "Encounter/ep"])),
        row("by id", get("?_type=Patient,Observation&_id=p,op"), ok().entries(&["Patient/p", "Observation/op"])),
        row(
            "by time",
            get("?_type=Patient,Condition&_lastUpdated=ge2020"),
            ok().entries(&["Patient/p", "Patient/q", "Condition/cp"]),
        ),
        row("counted", get("?_type=Patient,Condition&_summary=count"), ok().at("/total", 3)),
        row("in pages", get("?_type=Patient,Condition&_count=2"), ok().length("/entry", 2).keep_link("next")),
        row("the next page", get("{next}"), ok().length("/entry", 1).no_link("next")),
        row("by a form", ask("POST", "_search").form("_type=Condition"), ok().entries(&["Condition/cp"])),
        row(
            "a parameter that both have",
            get("?_type=Observation,Condition&patient=q"),
            ok().entries(&["Observation/oq"]),
        ),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("a type that the compartment never holds", get("Patient/p/Organization"), any(&[400, 404])),
        row("a compartment of nobody", get("Patient/nobody/Observation"), any(&[200, 404])),
        row("a compartment that is none", get("Observation/op/Patient"), any(&[400, 404])),
        row(
            "an unknown parameter",
            get("Patient/p/Observation?nonsense=1"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row("a type that is none", get("?_type=Nonsense"), refused(400, "value").expression("_type")),
        row(
            "an unknown parameter across types",
            get("?_type=Patient&nonsense=1"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row(
            "a parameter that one type has not",
            get("?_type=Patient,Condition&birthdate=2020"),
            refused(400, "not-supported").expression("birthdate"),
        ),
    ]
}
