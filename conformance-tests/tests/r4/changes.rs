//! The history of a type and of everything, `_since`, `_at`.
//!
//! Source: FHIR R4 http.html#history

use serde_json::{Value, json};

use crate::check::{Check, any, delete, get, ok, put, refused, row};
use crate::seed::{observation, patient};

pub fn seed() -> Vec<Value> {
    vec![patient("p", "first"), observation("o", json!({}))]
}

pub fn checks() -> Vec<Check> {
    [of_type(), of_all(), by_time(), bad()].into_iter().flatten().collect()
}

fn of_type() -> Vec<Check> {
    vec![
        row("a second version", put("Patient/p", &patient("p", "second")), ok()),
        row("one that is deleted", delete("Observation/o"), any(&[200, 204])),
        row(
            "of a type, newest first",
            get("Patient/_history"),
            ok().at("/type", "history")
                .length("/entry", 2)
                .at("/entry/0/resource/name/0/family", "second")
                .at("/entry/1/resource/name/0/family", "first"),
        ),
        row(
            "what was asked and answered",
            get("Patient/_history"),
            ok().at("/entry/0/request/method", "PUT")
                .at("/entry/0/request/url", "Patient/p")
                .at("/entry/0/response/etag", "W/\"2\""),
        ),
        row(
            "of the other type, a deletion",
            get("Observation/_history"),
            ok().length("/entry", 2).at("/entry/0/request/method", "DELETE").absent("/entry/0/resource"),
        ),
        row("of a type without any", get("Encounter/_history"), ok().at("/type", "history").absent("/entry")),
        row(
            "in pages",
            get("Patient/_history?_count=1"),
            ok().length("/entry", 1).at("/entry/0/resource/meta/versionId", "2").keep_link("next"),
        ),
        row(
            "the next page",
            get("{next}"),
            ok().length("/entry", 1).at("/entry/0/resource/meta/versionId", "1").no_link("next"),
        ),
        row("self", get("Patient/_history"), ok().link("self", "{base}/Patient/_history")),
    ]
}

fn of_all() -> Vec<Check> {
    vec![
        row(
            "of everything, newest first",
            get("_history?_count=4"),
            ok().at("/type", "history")
                .length("/entry", 4)
                .at("/entry/0/request/method", "DELETE")
                .at("/entry/1/request/url", "Patient/p"),
        ),
        row("in pages", get("_history?_count=2"), ok().length("/entry", 2).keep_link("next")),
        row(
            "the next page",
            get("{next}"),
            ok().at("/entry/0/fullUrl", "{base}/Observation/o").at("/entry/1/fullUrl", "{base}/Patient/p"),
        ),
    ]
}

fn by_time() -> Vec<Check> {
    vec![
        row("since long ago", get("Patient/_history?_since=2020-01-01T00:00:00Z"), ok().length("/entry", 2)),
        row("since the future", get("Patient/_history?_since=2100-01-01T00:00:00Z"), ok().absent("/entry")),
        row("of one, since long ago", get("Patient/p/_history?_since=2020-01-01T00:00:00Z"), ok().length("/entry", 2)),
        row("of one, since the future", get("Patient/p/_history?_since=2100-01-01T00:00:00Z"), ok().absent("/entry")),
        row("since a day", get("Patient/_history?_since=2020-01-01"), any(&[200, 400])),
        row("at a time before all", get("Patient/_history?_at=2020"), ok().absent("/entry")),
        row("since, of everything", get("_history?_since=2100-01-01T00:00:00Z"), ok().absent("/entry")),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("of a type that is none", get("Nonsense/_history"), refused(404, "not-supported")),
        row("_since of no instant", get("Patient/_history?_since=soon"), refused(400, "value").expression("_since")),
        row("_at of no date", get("Patient/_history?_at=soon"), refused(400, "value").expression("_at")),
        row("_count of no number", get("Patient/_history?_count=x"), refused(400, "value").expression("_count")),
        row(
            "an unknown parameter",
            get("Patient/_history?nonsense=1"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row("a deletion of it", delete("Patient/_history"), any(&[404, 405])),
    ]
}
