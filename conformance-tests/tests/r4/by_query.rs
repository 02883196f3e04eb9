//! Update and delete by a query.
//!
//! Source: FHIR R4 http.html#cond-update, #3.1.0.7.1

use serde_json::{Value, json};

use crate::check::{Check, any, delete, finds, get, ok, put, refused, row, status};
use crate::seed::{patient, resource, with, without};

const IDS: &str = "https://example.org/ids";

pub fn seed() -> Vec<Value> {
    vec![person("one", "1"), person("two-a", "2"), person("two-b", "2"), person("gone", "5"), patient("plain", "plain")]
}

fn person(id: &str, value: &str) -> Value {
    resource("Patient", id, json!({"identifier": [{"system": IDS, "value": value}]}))
}

/// Without an id, with a gender to know it by.
fn body(value: &str, gender: &str) -> Value {
    with(without(person("x", value), "id"), json!({"gender": gender}))
}

fn by(value: &str) -> String {
    format!("Patient?identifier={IDS}|{value}")
}

pub fn checks() -> Vec<Check> {
    [updates(), refusals(), deletes()].into_iter().flatten().collect()
}

fn updates() -> Vec<Check> {
    vec![
        row(
            "one match is updated",
            put(&by("1"), &body("1", "male")),
            ok().header("ETag", "W/\"2\"").at("/id", "one").at("/gender", "male"),
        ),
        row("it is stored", get("Patient/one"), ok().at("/gender", "male")),
        row(
            "one match, its own id in the body",
            put(&by("1"), &with(body("1", "female"), json!({"id": "one"}))),
            ok().header("ETag", "W/\"3\""),
        ),
        row(
            "one match, another id in the body",
            put(&by("1"), &with(body("1", "female"), json!({"id": "other"}))),
            any(&[400, 412, 422]),
        ),
        row(
            "no match, no id: it is created",
            put(&by("3"), &body("3", "male")),
            status(201).header("ETag", "W/\"1\"").header_holds("Location", "{base}/Patient/").keep("made"),
        ),
        row("it is there", get(&by("3")), finds(&["{made}"])),
        row(
            "again: it is updated",
            put(&by("3"), &body("3", "female")),
            ok().at("/id", "{made}").header("ETag", "W/\"2\""),
        ),
        row(
            "no match, an id: it is created under it",
            put(&by("4"), &with(body("4", "male"), json!({"id": "four"}))),
            status(201).header("Location", "{base}/Patient/four/_history/1"),
        ),
        row("it is there too", get("Patient/four"), ok().at("/gender", "male")),
        row(
            "If-Match, the version there is",
            put(&by("4"), &body("4", "other")).with("If-Match", "W/\"1\""),
            ok().header("ETag", "W/\"2\""),
        ),
        row(
            "If-Match, another version",
            put(&by("4"), &body("4", "other")).with("If-Match", "W/\"1\""),
            refused(412, "conflict"),
        ),
        row(
            "return=minimal",
            put(&by("4"), &body("4", "other")).with("Prefer", "return=minimal"),
            ok().empty().header("ETag", "W/\"3\""),
        ),
        row(
            "another parameter",
            put(
                "Patient?family=plain",
                &json!({"resourceType": "Patient", "name": [{"family": "plain"}], "active": true}),
            ),
            ok().at("/id", "plain"),
        ),
    ]
}

fn refusals() -> Vec<Check> {
    vec![
        row("several matches", put(&by("2"), &body("2", "male")), refused(412, "multiple-matches")),
        row("none of them was changed", get("Patient/two-a"), ok().header("ETag", "W/\"1\"")),
        row(
            "an unknown parameter",
            put("Patient?nonsense=1", &body("9", "male")),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row(
            "a bad value",
            put("Patient?birthdate=soon", &body("9", "male")),
            refused(400, "value").expression("birthdate"),
        ),
        row("no query", put("Patient", &body("9", "male")), any(&[400, 405, 412])),
        row("a body that is not valid", put(&by("1"), &body("1", "girl")), any(&[400]).expression("Patient.gender")),
        row("a body of another type", put(&by("1"), &json!({"resourceType": "Person"})), any(&[400])),
        row(
            "a type that is none",
            put("Nonsense?_id=x", &json!({"resourceType": "Nonsense"})),
            refused(404, "not-supported"),
        ),
        row("nothing was made", get(&by("9")), finds(&[])),
    ]
}

fn deletes() -> Vec<Check> {
    vec![
        row("one match is deleted", delete(&by("5")), any(&[200, 204])),
        row("it is gone", get("Patient/gone"), refused(410, "deleted")),
        row("no match is no fault", delete(&by("5")), any(&[200, 204, 404])),
        row("several matches are refused", delete(&by("2")), refused(412, "multiple-matches")),
        row("they are still there", get(&by("2")), finds(&["two-a", "two-b"])),
        row(
            "an unknown parameter deletes nothing",
            delete("Patient?nonsense=1"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row("a bad value deletes nothing", delete("Patient?birthdate=soon"), refused(400, "value")),
        row("no query deletes nothing", delete("Patient"), any(&[400, 405, 412])),
        row("a result parameter alone deletes nothing", delete("Patient?_count=1"), any(&[400, 412])),
        row("all is still there", get("Patient?_summary=count"), ok().at("/total", 6)),
        row(
            "lenient handling makes no wider deletion",
            delete("Patient?nonsense=1").with("Prefer", "handling=lenient"),
            any(&[400, 412]),
        ),
    ]
}
