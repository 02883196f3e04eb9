//! Operations of R4: `$meta`, `$meta-add`, `$meta-delete`.
//!
//! Source: FHIR R4 resource-operations.html

use serde_json::{Value, json};

use crate::check::{Check, any, get, ok, post, refused, row};
use crate::seed::{patient, resource};

pub fn seed() -> Vec<Value> {
    vec![
        patient("p", "x"),
        resource("Patient", "tagged", json!({"meta": {"tag": [{"system": "https://example.org/tags", "code": "a"}]}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [meta(), not_built()].into_iter().flatten().collect()
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

fn not_built() -> Vec<Check> {
    vec![
        row("$lastn is not built, and says so", get("Observation/$lastn?patient=p"), refused(404, "not-supported")),
        row(
            "$validate is not built, and says so",
            post("Patient/$validate", &patient("x", "y")),
            refused(404, "not-supported"),
        ),
    ]
}
