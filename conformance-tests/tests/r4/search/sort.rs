//! `_sort`, on every kind, with several keys, and where there is no value.
//!
//! Source: FHIR R4 search.html#sort

use serde_json::{Value, json};

use crate::check::{Check, get, in_order, refused, row};
use crate::seed::{LOCAL, UCUM, observation, resource};

/// Four Observations: `a` to `d`, `d` with as little as may be.
pub fn seed() -> Vec<Value> {
    let measured = |id: &str, date: &str, value: f64, unit: &str, code: &str| {
        observation(
            id,
            json!({
                "effectiveDateTime": date,
                "valueQuantity": {"value": value, "system": UCUM, "code": unit},
                "code": {"coding": [{"system": LOCAL, "code": code}]}
            }),
        )
    };
    let person = |id: &str, family: &str, birth: &str| {
        resource("Patient", id, json!({"name": [{"family": family}], "birthDate": birth}))
    };
    vec![
        person("p", "Müller", "1990-05-20"),
        person("q", "abe", "1985"),
        person("r", "Zimmer", "1990-05-19"),
        resource("Patient", "s", json!({})),
        measured("a", "2026-01-03", 900.0, "g", "c2"),
        measured("b", "2026-01-01", 1.5, "kg", "c3"),
        measured("c", "2026-01-02", 1200.0, "g", "c2"),
        observation("d", json!({"status": "amended", "code": {"coding": [{"system": LOCAL, "code": "c1"}]}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [single(), several(), bad()].into_iter().flatten().collect()
}

fn sorted(name: &str, by: &str, ids: &[&str]) -> Check {
    row(name, get(&format!("Observation?_sort={by}")), in_order(ids))
}

fn people(name: &str, by: &str, ids: &[&str]) -> Check {
    row(name, get(&format!("Patient?_sort={by}")), in_order(ids))
}

fn single() -> Vec<Check> {
    vec![
        sorted("by date", "date", &["b", "c", "a", "d"]),
        sorted("by date, newest first; without a date last", "-date", &["a", "c", "b", "d"]),
        sorted("by quantity, units converted", "value-quantity", &["a", "c", "b", "d"]),
        sorted("by quantity, descending", "-value-quantity", &["b", "c", "a", "d"]),
        sorted("by id", "_id", &["a", "b", "c", "d"]),
        sorted("by id, descending", "-_id", &["d", "c", "b", "a"]),
        sorted("by change, the oldest first", "_lastUpdated", &["a", "b", "c", "d"]),
        sorted("by change, the newest first", "-_lastUpdated", &["d", "c", "b", "a"]),
        people("by name, case and accents apart", "family", &["q", "p", "r", "s"]),
        people("by name, descending; without a name last", "-family", &["r", "p", "q", "s"]),
        people("by birth date", "birthdate", &["q", "r", "p", "s"]),
        people("by birth date, descending", "-birthdate", &["p", "r", "q", "s"]),
        row("by date, within a code", get("Observation?code=c2&_sort=date"), in_order(&["c", "a"])),
        row(
            "the same in a form",
            crate::check::ask("POST", "Observation/_search").form("code=c2&_sort=date"),
            in_order(&["c", "a"]),
        ),
        row(
            "self tells the sort",
            get("Observation?_sort=-date"),
            in_order(&["a", "c", "b", "d"]).link("self", "_sort=-date"),
        ),
    ]
}

fn several() -> Vec<Check> {
    vec![
        sorted("by code, then date", "code,date", &["d", "c", "a", "b"]),
        sorted("by code, then date descending", "code,-date", &["d", "a", "c", "b"]),
        sorted("by code descending, then date", "-code,date", &["b", "c", "a", "d"]),
        sorted("by status, then id", "status,_id", &["d", "a", "b", "c"]),
        sorted("by status descending, then id descending", "-status,-_id", &["c", "b", "a", "d"]),
        people("by name, then id", "family,_id", &["q", "p", "r", "s"]),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("by nothing", get("Observation?_sort="), refused(400, "value").expression("_sort")),
        row(
            "by a parameter that is none",
            get("Observation?_sort=nonsense"),
            refused(400, "value").expression("_sort"),
        ),
        row("by a parameter of another type", get("Observation?_sort=birthdate"), refused(400, "value")),
        row("a hyphen alone", get("Observation?_sort=-"), refused(400, "value")),
        row("by an empty key among others", get("Observation?_sort=date,,_id"), refused(400, "value")),
        row("a modifier", get("Observation?_sort:desc=date"), refused(400, "invalid").expression("_sort:desc")),
    ]
}
