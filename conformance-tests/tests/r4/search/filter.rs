//! `_filter`: conditions with `and`, `or`, `not`.
//!
//! Source: FHIR R4 `search_filter.html`

use serde_json::{Value, json};

use crate::check::{Check, any, finds, get, refused, row};
use crate::seed::{LOINC, observation, resource};

pub fn seed() -> Vec<Value> {
    let person = |id: &str, family: &str, gender: &str, birth: &str| {
        resource(
            "Patient",
            id,
            json!({"name": [{"family": family, "given": ["Taro"]}], "gender": gender, "birthDate": birth}),
        )
    };
    let weight = |id: &str, value: f64| {
        observation(
            id,
            json!({"code": {"coding": [{"system": LOINC, "code": "29463-7"}]}, "valueQuantity": {"value": value, "unit": "kg"}}),
        )
    };
    vec![
        person("p", "Yamada", "female", "1990-05-20"),
        person("q", "Yamamoto", "male", "1985-01-01"),
        person("r", "Sato", "male", "2000-12-31"),
        weight("light", 5.0),
        weight("heavy", 80.0),
        observation("height", json!({})),
    ]
}

pub fn checks() -> Vec<Check> {
    [compared(), joined(), bad()].into_iter().flatten().collect()
}

fn people(name: &str, filter: &str, ids: &[&str]) -> Check {
    row(name, get(&format!("Patient?_filter={filter}")), finds(ids))
}

fn compared() -> Vec<Check> {
    vec![
        people("eq on a code", "gender eq female", &["p"]),
        people("ne on a code", "gender ne female", &["q", "r"]),
        people("sw on a name", "family sw \"yama\"", &["p", "q"]),
        people("ew on a name", "family ew \"moto\"", &["q"]),
        people("co on a name", "family co \"ama\"", &["p", "q"]),
        people("gt on a date", "birthdate gt 1989-12-31", &["p", "r"]),
        people("lt on a date", "birthdate lt 1990-05-20", &["q"]),
        people("ge on a date", "birthdate ge 1990-05-20", &["p", "r"]),
        people("le on a date", "birthdate le 1990-05-20", &["p", "q"]),
        people("eq on a date", "birthdate eq 1990-05-20", &["p"]),
        people("pr true", "birthdate pr true", &["p", "q", "r"]),
        people("pr false", "telecom pr false", &["p", "q", "r"]),
        row("a quantity", get("Observation?_filter=value-quantity gt 10"), finds(&["heavy"])),
        row(
            "a token with its system",
            get("Observation?_filter=code eq http://loinc.org|29463-7"),
            finds(&["light", "heavy"]),
        ),
        row("a reference", get("Observation?_filter=subject re Patient/p and code eq 8302-2"), finds(&["height"])),
    ]
}

fn joined() -> Vec<Check> {
    vec![
        people("and", "gender eq male and birthdate lt 1990", &["q"]),
        people("or", "gender eq female or family sw \"sato\"", &["p", "r"]),
        people("not", "not (gender eq male)", &["p"]),
        people("brackets", "(gender eq female or family sw \"sato\") and birthdate ge 2000", &["r"]),
        people("brackets within", "gender eq male and (family sw \"sato\" or family sw \"yamamoto\")", &["q", "r"]),
        row("with another parameter", get("Patient?_filter=gender eq male&family=sato"), finds(&["r"])),
        row("sorted", get("Patient?_filter=gender eq male&_sort=-birthdate"), crate::check::in_order(&["r", "q"])),
        row("counted", get("Patient?_filter=gender eq male&_summary=count"), crate::check::ok().at("/total", 2)),
        people("none", "gender eq other", &[]),
    ]
}

fn bad() -> Vec<Check> {
    let refuse = |name: &str, filter: &str| {
        row(
            name,
            get(&format!("Patient?_filter={filter}")),
            any(&[400]).at("/resourceType", "OperationOutcome").expression("_filter"),
        )
    };
    vec![
        row("empty", get("Patient?_filter="), refused(400, "value").expression("_filter")),
        refuse("no operator", "gender female"),
        refuse("an operator that is none", "gender is female"),
        refuse("an open bracket", "(gender eq female"),
        refuse("a parameter that is none", "nonsense eq 1"),
        refuse("a bad value", "birthdate gt soon"),
        refuse("and at the end", "gender eq female and"),
        refuse("an open quote", "family sw \"yama"),
        row(
            "too many brackets",
            get(&format!("Patient?_filter={}gender eq female{}", "(".repeat(2000), ")".repeat(2000))),
            any(&[400, 414]),
        ),
    ]
}
