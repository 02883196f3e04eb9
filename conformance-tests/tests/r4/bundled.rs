//! Patches and writes by a query as entries of a Bundle.
//!
//! Source: FHIR R4 http.html#transaction, #trules

use serde_json::{Value, json};

use crate::check::{Ask, Check, any, get, ok, post, refused, row};
use crate::seed::{patient, resource};

const IDS: &str = "https://example.org/ids";

pub fn seed() -> Vec<Value> {
    let person =
        |id: &str, value: &str| resource("Patient", id, json!({"identifier": [{"system": IDS, "value": value}]}));
    vec![
        patient("p", "x"),
        person("one", "1"),
        person("two", "2"),
        person("three", "3"),
        person("twin-a", "9"),
        person("twin-b", "9"),
    ]
}

fn send(kind: &str, method: &str, url: &str, resource: &Value) -> Ask {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !resource.is_null() {
        entry["resource"] = resource.clone();
    }
    post("", &json!({"resourceType": "Bundle", "type": kind, "entry": [entry]}))
}

fn by(value: &str) -> String {
    format!("Patient?identifier={IDS}|{value}")
}

fn body(value: &str, gender: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": IDS, "value": value}], "gender": gender})
}

/// A FHIRPath Patch that adds a gender, or replaces it.
fn patch(kind: &str, gender: &str) -> Value {
    let place = if kind == "add" {
        json!([{"name": "path", "valueString": "Patient"}, {"name": "name", "valueString": "gender"}])
    } else {
        json!([{"name": "path", "valueString": "Patient.gender"}])
    };
    let mut part = vec![json!({"name": "type", "valueCode": kind})];
    part.extend(place.as_array().cloned().unwrap_or_default());
    part.push(json!({"name": "value", "valueCode": gender}));
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]})
}

pub fn checks() -> Vec<Check> {
    let none = Value::Null;
    vec![
        row(
            "batch: update by a query",
            send("batch", "PUT", &by("1"), &body("1", "male")),
            ok().holds("\"200").at("/entry/0/response/etag", "W/\"2\""),
        ),
        row("it is stored", get("Patient/one"), ok().at("/gender", "male")),
        row(
            "batch: update by a query that finds none creates",
            send("batch", "PUT", &by("5"), &body("5", "male")),
            ok().holds("\"201"),
        ),
        row("it is there", get(&by("5")), ok().at("/total", 1)),
        row(
            "batch: update by a query that finds several",
            send("batch", "PUT", &by("9"), &body("9", "male")),
            ok().holds("\"412"),
        ),
        row("batch: delete by a query", send("batch", "DELETE", &by("1"), &none), ok().holds("\"204")),
        row("it is gone", get("Patient/one"), refused(410, "deleted")),
        row(
            "batch: delete by a query that finds several",
            send("batch", "DELETE", &by("9"), &none),
            ok().holds("\"412"),
        ),
        row(
            "batch: patch",
            send("batch", "PATCH", "Patient/p", &patch("add", "female")),
            ok().holds("\"200").at("/entry/0/response/etag", "W/\"2\""),
        ),
        row("it is patched", get("Patient/p"), ok().at("/gender", "female")),
        row(
            "batch: patch of nobody",
            send("batch", "PATCH", "Patient/nobody", &patch("add", "female")),
            ok().holds("\"404"),
        ),
        row(
            "transaction: update by a query",
            send("transaction", "PUT", &by("2"), &body("2", "male")),
            ok().holds("\"200").at("/entry/0/response/etag", "W/\"2\""),
        ),
        row("it is stored too", get("Patient/two"), ok().at("/gender", "male")),
        row(
            "transaction: update by a query that finds several",
            send("transaction", "PUT", &by("9"), &body("9", "male")),
            refused(412, "multiple-matches").expression("Bundle.entry[0]"),
        ),
        row(
            "transaction: patch",
            send("transaction", "PATCH", "Patient/p", &patch("replace", "other")),
            ok().holds("\"200").at("/entry/0/response/etag", "W/\"3\""),
        ),
        row("it is patched too", get("Patient/p"), ok().at("/gender", "other")),
        row(
            "transaction: a patch whose result is not valid",
            send("transaction", "PATCH", "Patient/p", &patch("replace", "girl")),
            any(&[400, 422]).expression("Patient.gender").holds("Bundle.entry[0]"),
        ),
        row("transaction: delete by a query", send("transaction", "DELETE", &by("3"), &none), ok().holds("\"204")),
        row("it is gone too", get("Patient/three"), refused(410, "deleted")),
        row(
            "transaction: delete by a query that finds none",
            send("transaction", "DELETE", &by("3"), &none),
            any(&[200, 404]),
        ),
        row(
            "transaction: delete by a query that finds several",
            send("transaction", "DELETE", &by("9"), &none),
            refused(412, "multiple-matches").expression("Bundle.entry[0]"),
        ),
        row("they are still there", get(&by("9")), ok().at("/total", 2)),
    ]
}
