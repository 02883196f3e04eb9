//! `If-Match`, `If-None-Exist`, and writes by a query.
//!
//! Source: FHIR R4 http.html#concurrency, #ccreate

use serde_json::{Value, json};

use crate::check::{Check, any, delete, finds, get, ok, post, put, refused, row, status};
use crate::seed::{patient, resource, with};

const IDS: &str = "https://example.org/ids";

pub fn seed() -> Vec<Value> {
    vec![patient("p", "x"), person("two-a", "2"), person("two-b", "2"), person("one", "1")]
}

fn person(id: &str, value: &str) -> Value {
    resource("Patient", id, json!({"identifier": [{"system": IDS, "value": value}]}))
}

pub fn checks() -> Vec<Check> {
    [matched(), created(), deleted()].into_iter().flatten().collect()
}

fn matched() -> Vec<Check> {
    let update = |tag: &str| put("Patient/p", &patient("p", "y")).with("If-Match", tag);
    vec![
        row("If-Match, the version there is", update("W/\"1\""), ok().header("ETag", "W/\"2\"")),
        row("If-Match, the version there was", update("W/\"1\""), refused(412, "conflict")),
        row("If-Match, a version to come", update("W/\"3\""), refused(412, "conflict")),
        row("If-Match, strong", update("\"2\""), ok().header("ETag", "W/\"3\"")),
        row("If-Match, no tag", update("three"), refused(400, "value")),
        row("If-Match, empty", update(""), refused(400, "value")),
        row("If-Match, no number", update("W/\"x\""), any(&[400, 412])),
        row("nothing was changed by what was refused", get("Patient/p"), ok().header("ETag", "W/\"3\"")),
        row(
            "If-Match of what is not there",
            put("Patient/fresh", &patient("fresh", "x")).with("If-Match", "W/\"1\""),
            refused(412, "conflict"),
        ),
        row("and nothing was made", get("Patient/fresh"), refused(404, "not-found")),
        row(
            "a delete, If-Match another version",
            delete("Patient/p").with("If-Match", "W/\"1\""),
            refused(412, "conflict"),
        ),
        row("it is still there", get("Patient/p"), ok()),
        row(
            "a delete, If-Match the version there is",
            delete("Patient/p").with("If-Match", "W/\"3\""),
            any(&[200, 204]),
        ),
        row("it is gone", get("Patient/p"), refused(410, "deleted")),
    ]
}

fn created() -> Vec<Check> {
    let new = |query: &str, value: &str| {
        post("Patient", &with(person("x", value), json!({"gender": "other"}))).with("If-None-Exist", query)
    };
    vec![
        row(
            "If-None-Exist, one is there: it is answered, nothing is made",
            new("identifier=https://example.org/ids|1", "1"),
            ok().header_holds("Location", "{base}/Patient/one/_history/1").header("ETag", "W/\"1\"").at("/id", "one"),
        ),
        row("there is still one", get("Patient?identifier=https://example.org/ids|1"), finds(&["one"])),
        row(
            "If-None-Exist, none is there: it is made",
            new("identifier=https://example.org/ids|3", "3"),
            status(201).header("ETag", "W/\"1\"").keep("three"),
        ),
        row("it is there", get("Patient?identifier=https://example.org/ids|3"), finds(&["{three}"])),
        row(
            "once more makes no other",
            new("identifier=https://example.org/ids|3", "3"),
            ok().header_holds("Location", "Patient/{three}/_history/1"),
        ),
        row(
            "another way to write the same query",
            new("identifier=https%3A%2F%2Fexample.org%2Fids%7C3", "3"),
            ok().header_holds("Location", "Patient/{three}"),
        ),
        row(
            "If-None-Exist, several are there",
            new("identifier=https://example.org/ids|2", "2"),
            refused(412, "multiple-matches"),
        ),
        row("none was made", get("Patient?identifier=https://example.org/ids|2"), finds(&["two-a", "two-b"])),
        row(
            "If-None-Exist by two parameters",
            new("identifier=https://example.org/ids|1&gender=male", "1"),
            status(201),
        ),
        row(
            "If-None-Exist, an unknown parameter",
            new("nonsense=1", "4"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row("If-None-Exist, a bad value", new("birthdate=soon", "4"), refused(400, "value").expression("birthdate")),
        row("If-None-Exist, no condition at all", new("", "4"), any(&[400, 412])),
        row("nothing was made by what was refused", get("Patient?identifier=https://example.org/ids|4"), finds(&[])),
        row(
            "If-None-Exist with a question mark",
            new("?identifier=https://example.org/ids|1&_id=one", "1"),
            any(&[200, 400]),
        ),
        row(
            "If-None-Exist, minimal",
            new("identifier=https://example.org/ids|3", "3").with("Prefer", "return=minimal"),
            ok().empty().header_holds("Location", "Patient/{three}"),
        ),
    ]
}

fn deleted() -> Vec<Check> {
    vec![
        row("what was deleted does not stand in the way", delete("Patient/{three}"), any(&[200, 204])),
        row(
            "it may be made anew",
            post("Patient", &person("x", "3")).with("If-None-Exist", "identifier=https://example.org/ids|3"),
            status(201).keep("again"),
        ),
        row("there is one, a new one", get("Patient?identifier=https://example.org/ids|3"), finds(&["{again}"])),
    ]
}
