//! The modifiers that ask about hierarchies and value sets.
//!
//! Source: FHIR R4 search.html#modifiers

use serde_json::{Value, json};

use crate::check::{Check, any, finds, get, refused, row};
use crate::seed::{observation, patient, resource};

const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

pub fn seed() -> Vec<Value> {
    let set = |id: &str, url: &str| resource("ValueSet", id, json!({"status": "draft", "url": url}));
    let typed = |id: &str, code: &str, value: &str| {
        resource(
            "Patient",
            id,
            json!({"identifier": [{"type": {"coding": [{"system": V2, "code": code}]}, "system": "https://example.org/ids", "value": value}]}),
        )
    };
    vec![
        patient("p", "x"),
        typed("chart", "MR", "12345"),
        typed("card", "NIIP", "12345"),
        set("root", "https://example.org/sets"),
        set("a", "https://example.org/sets/a"),
        set("ab", "https://example.org/sets/a/b"),
        set("other", "https://example.org/setsother"),
        observation("o", json!({})),
    ]
}

pub fn checks() -> Vec<Check> {
    [of_type(), hierarchy(), sets()].into_iter().flatten().collect()
}

fn of_type() -> Vec<Check> {
    let typed = |value: &str| get(&format!("Patient?identifier:of-type={value}"));
    vec![
        row(":of-type", typed("http://terminology.hl7.org/CodeSystem/v2-0203|MR|12345"), finds(&["chart"])),
        row(
            ":of-type of another type",
            typed("http://terminology.hl7.org/CodeSystem/v2-0203|NIIP|12345"),
            finds(&["card"]),
        ),
        row(":of-type of another value", typed("http://terminology.hl7.org/CodeSystem/v2-0203|MR|1234"), finds(&[])),
        row(":of-type of another system", typed("https://example.org/types|MR|12345"), finds(&[])),
        row(":of-type of two parts", typed("MR|12345"), refused(400, "value").expression("identifier:of-type")),
        row(":of-type on a code", get("Observation?code:of-type=a|b|c"), any(&[400])),
        row(":missing still goes", get("Patient?identifier:missing=true"), finds(&["p"])),
    ]
}

fn hierarchy() -> Vec<Check> {
    vec![
        row(
            ":below on a URI: itself and what is under it",
            get("ValueSet?url:below=https://example.org/sets/a"),
            finds(&["a", "ab"]),
        ),
        row(
            ":below on a URI: whole segments",
            get("ValueSet?url:below=https://example.org/sets"),
            finds(&["root", "a", "ab"]),
        ),
        row(":below with a slash", get("ValueSet?url:below=https://example.org/sets/"), any(&[200])),
        row(
            ":above on a URI: itself and what it is under",
            get("ValueSet?url:above=https://example.org/sets/a"),
            finds(&["root", "a"]),
        ),
        row(
            ":above of the deepest",
            get("ValueSet?url:above=https://example.org/sets/a/b"),
            finds(&["root", "a", "ab"]),
        ),
        row(":below of nothing", get("ValueSet?url:below=https://nowhere.example"), finds(&[])),
        row(":below on a string", get("Patient?family:below=x"), refused(400, "invalid").expression("family:below")),
        row(":above on a date", get("Patient?birthdate:above=2020"), refused(400, "invalid")),
    ]
}

/// A code system or value set that the server does not hold is refused, not guessed.
fn sets() -> Vec<Check> {
    vec![
        row(
            ":in a value set that is not known",
            get("Observation?code:in=https://nowhere.example/ValueSet/x"),
            any(&[400, 404, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row(
            ":not-in a value set that is not known",
            get("Observation?code:not-in=https://nowhere.example/ValueSet/x"),
            any(&[400, 404, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row(":in on a string", get("Patient?family:in=https://nowhere.example/ValueSet/x"), refused(400, "invalid")),
        row(":iterate is for includes", get("Patient?family:iterate=x"), any(&[400])),
    ]
}
