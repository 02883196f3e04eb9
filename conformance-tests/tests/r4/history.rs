//! The history of one resource.
//!
//! Source: FHIR R4 http.html#history

use serde_json::{Value, json};

use crate::check::{Check, any, ask, delete, get, ok, post, put, refused, row, status};
use crate::seed::{observation, patient};

pub fn seed() -> Vec<Value> {
    vec![patient("p", "first"), observation("o", json!({}))]
}

pub fn checks() -> Vec<Check> {
    [made(), told(), paged(), bad()].into_iter().flatten().collect()
}

fn made() -> Vec<Check> {
    vec![
        row("a second version", put("Patient/p", &patient("p", "second")), ok()),
        row("a third", put("Patient/p", &patient("p", "third")), ok()),
        row("one that is posted", post("Patient", &json!({"resourceType": "Patient"})), status(201).keep("made")),
        row("one that is deleted", delete("Observation/o"), any(&[200, 204])),
        row(
            "and made again",
            put("Observation/o", &observation("o", json!({"valueString": "back"}))),
            any(&[200, 201]),
        ),
    ]
}

fn told() -> Vec<Check> {
    vec![
        row(
            "all versions, newest first",
            get("Patient/p/_history"),
            ok().at("/resourceType", "Bundle")
                .at("/type", "history")
                .length("/entry", 3)
                .at("/entry/0/resource/name/0/family", "third")
                .at("/entry/2/resource/name/0/family", "first"),
        ),
        row(
            "the number of versions, if told, is right",
            get("Patient/p/_history"),
            ok().at("/entry/0/resource/meta/versionId", "3").link("self", "Patient/p/_history"),
        ),
        row(
            "what was asked",
            get("Patient/p/_history"),
            ok().at("/entry/0/request/method", "PUT").at("/entry/0/request/url", "Patient/p"),
        ),
        row(
            "what was answered",
            get("Patient/p/_history"),
            ok().at("/entry/0/response/etag", "W/\"3\"")
                .present("/entry/0/response/lastModified")
                .present("/entry/0/response/status"),
        ),
        row("an entry's whole URL", get("Patient/p/_history"), ok().at("/entry/0/fullUrl", "{base}/Patient/p")),
        row("no next where all is told", get("Patient/p/_history"), ok().no_link("next")),
        row("no search in a history", get("Patient/p/_history"), ok().absent("/entry/0/search")),
        row(
            "what was posted",
            get("Patient/{made}/_history"),
            ok().length("/entry", 1).at("/entry/0/request/method", "POST").at("/entry/0/request/url", "Patient"),
        ),
        row(
            "a deletion has no body",
            get("Observation/o/_history"),
            ok().length("/entry", 3)
                .at("/entry/1/request/method", "DELETE")
                .absent("/entry/1/resource")
                .at("/entry/1/request/url", "Observation/o"),
        ),
        row(
            "a deletion's answer",
            get("Observation/o/_history"),
            ok().at("/entry/1/response/etag", "W/\"2\"").at("/entry/0/resource/valueString", "back"),
        ),
        row("HEAD", ask("HEAD", "Patient/p/_history"), ok().empty()),
    ]
}

fn paged() -> Vec<Check> {
    vec![
        row(
            "_count",
            get("Patient/p/_history?_count=2"),
            ok().length("/entry", 2).at("/entry/0/resource/meta/versionId", "3").keep_link("next"),
        ),
        row("a version between the pages", put("Patient/p", &patient("p", "fourth")), ok()),
        row(
            "the next page goes on where the first ended",
            get("{next}"),
            ok().length("/entry", 1).at("/entry/0/resource/meta/versionId", "1").no_link("next"),
        ),
        row(
            "_count beyond what there is",
            get("Patient/p/_history?_count=1000"),
            ok().length("/entry", 4).no_link("next"),
        ),
        row(
            "_count above the most is cut, not refused",
            get("Patient/p/_history?_count=99999"),
            ok().length("/entry", 4),
        ),
        row("a page link of another resource", get("Observation/o/_history?_page=nonsense"), refused(400, "value")),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("of what never was", get("Patient/nobody/_history"), refused(404, "not-found")),
        row("of a type that is none", get("Nonsense/p/_history"), refused(404, "not-supported")),
        row("_count of no number", get("Patient/p/_history?_count=x"), refused(400, "value").expression("_count")),
        row("_count below nothing", get("Patient/p/_history?_count=-1"), refused(400, "value").expression("_count")),
        row(
            "a parameter nobody knows",
            get("Patient/p/_history?nonsense=1"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row("a write to it", post("Patient/p/_history", &patient("p", "x")), refused(405, "not-supported")),
        row("a deletion of it", delete("Patient/p/_history"), refused(405, "not-supported")),
    ]
}
