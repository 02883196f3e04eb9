//! PATCH: JSON Patch and FHIRPath Patch.
//!
//! Source: FHIR R4 http.html#patch, fhirpatch.html; RFC 6902

use serde_json::{Value, json};

use crate::check::{Ask, Check, Who, any, ask, get, ok, refused, row};
use crate::seed::{observation, patient, resource, with};

const JSON_PATCH: &str = "application/json-patch+json";

pub fn seed() -> Vec<Value> {
    vec![
        resource(
            "Patient",
            "p",
            json!({"gender": "female", "name": [{"family": "a", "given": ["b", "c"]}], "birthDate": "1990-05-20"}),
        ),
        resource("Patient", "f", json!({"gender": "female", "name": [{"family": "a", "given": ["b", "c"]}]})),
        patient("guarded", "x"),
        with(observation("o", json!({})), json!({"valueQuantity": {"value": 1, "unit": "kg"}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [json_patch(), json_refused(), fhirpath_patch(), fhirpath_refused(), guarded()].into_iter().flatten().collect()
}

fn patched(path: &str, operations: &Value) -> Ask {
    ask("PATCH", path).body(JSON_PATCH, operations.to_string())
}

fn json_patch() -> Vec<Check> {
    let p = |operations: Value| patched("Patient/p", &operations);
    vec![
        row(
            "replace",
            p(json!([{"op": "replace", "path": "/gender", "value": "male"}])),
            ok().header("ETag", "W/\"2\"").at("/gender", "male").header_holds("Last-Modified", "GMT"),
        ),
        row("it is stored", get("Patient/p"), ok().at("/gender", "male").at("/meta/versionId", "2")),
        row("the version before is kept", get("Patient/p/_history/1"), ok().at("/gender", "female")),
        row("it is found", get("Patient?gender=male&_id=p"), crate::check::finds(&["p"])),
        row("the history calls it a change", get("Patient/p/_history"), ok().at("/entry/0/response/etag", "W/\"2\"")),
        row("add a member", p(json!([{"op": "add", "path": "/active", "value": true}])), ok().at("/active", true)),
        row(
            "add over a member replaces",
            p(json!([{"op": "add", "path": "/active", "value": false}])),
            ok().at("/active", false),
        ),
        row(
            "add into a list",
            p(json!([{"op": "add", "path": "/name/0/given/1", "value": "between"}])),
            ok().at("/name/0/given", json!(["b", "between", "c"])),
        ),
        row(
            "add at the end of a list",
            p(json!([{"op": "add", "path": "/name/0/given/-", "value": "last"}])),
            ok().at("/name/0/given/3", "last"),
        ),
        row("remove", p(json!([{"op": "remove", "path": "/birthDate"}])), ok().absent("/birthDate")),
        row(
            "remove from a list",
            p(json!([{"op": "remove", "path": "/name/0/given/1"}])),
            ok().at("/name/0/given", json!(["b", "c", "last"])),
        ),
        row(
            "test, then replace",
            p(
                json!([{"op": "test", "path": "/gender", "value": "male"}, {"op": "replace", "path": "/gender", "value": "other"}]),
            ),
            ok().at("/gender", "other"),
        ),
        row(
            "copy",
            p(json!([{"op": "copy", "from": "/name/0", "path": "/name/-"}])),
            ok().length("/name", 2).at("/name/1/family", "a"),
        ),
        row("move", p(json!([{"op": "move", "from": "/name/1", "path": "/name/0"}])), ok().length("/name", 2)),
        row(
            "several, in order",
            p(json!([{"op": "remove", "path": "/name/1"}, {"op": "add", "path": "/language", "value": "ja"}])),
            ok().length("/name", 1).at("/language", "ja"),
        ),
        row("an escaped name", p(json!([{"op": "test", "path": "/a~1b", "value": 1}])), any(&[400, 409, 412, 422])),
        row(
            "return=minimal",
            p(json!([{"op": "replace", "path": "/gender", "value": "male"}])).with("Prefer", "return=minimal"),
            ok().empty().keep_header("ETag", "etag"),
        ),
        row("nothing to do is no fault", p(json!([])), any(&[200, 400])),
    ]
}

fn json_refused() -> Vec<Check> {
    let p = |operations: Value| patched("Patient/p", &operations);
    vec![
        row(
            "a place that is not there",
            p(json!([{"op": "remove", "path": "/nothing"}])),
            any(&[400, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row(
            "replace what is not there",
            p(json!([{"op": "replace", "path": "/photo", "value": []}])),
            any(&[400, 422]),
        ),
        row(
            "a test that fails",
            p(json!([{"op": "test", "path": "/gender", "value": "female"}])),
            any(&[400, 409, 412, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row(
            "all or nothing",
            p(json!([{"op": "replace", "path": "/gender", "value": "unknown"}, {"op": "remove", "path": "/nothing"}])),
            any(&[400, 422]),
        ),
        row("nothing was changed", get("Patient/p"), ok().at("/gender", "male")),
        row("an operation that is none", p(json!([{"op": "burn", "path": "/gender"}])), refused(400, "invalid")),
        row("no path", p(json!([{"op": "remove"}])), any(&[400])),
        row("no value", p(json!([{"op": "add", "path": "/gender"}])), any(&[400])),
        row("no list", p(json!({"op": "remove", "path": "/gender"})), any(&[400])),
        row("no JSON", ask("PATCH", "Patient/p").body(JSON_PATCH, "["), any(&[400])),
        row(
            "a result that is not valid",
            p(json!([{"op": "replace", "path": "/gender", "value": "girl"}])),
            any(&[400, 422]).expression("Patient.gender"),
        ),
        row("another id", p(json!([{"op": "replace", "path": "/id", "value": "q"}])), any(&[400, 422])),
        row(
            "another type",
            p(json!([{"op": "replace", "path": "/resourceType", "value": "Person"}])),
            any(&[400, 422]),
        ),
        row(
            "another media type",
            ask("PATCH", "Patient/p").body("application/merge-patch+json", "{}"),
            refused(415, "not-supported"),
        ),
        row(
            "nobody there",
            patched("Patient/nobody", &json!([{"op": "add", "path": "/active", "value": true}])),
            refused(404, "not-found"),
        ),
        row("no token", p(json!([])).by(Who::Nobody), refused(401, "login")),
        row(
            "another's record is not there",
            patched("Patient/pt-hanako", &json!([{"op": "add", "path": "/active", "value": true}])),
            refused(404, "not-found"),
        ),
    ]
}

fn operation(kind: &str, path: &str, more: impl Into<Value>) -> Value {
    let mut parts = vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    parts.extend(more.into().as_array().cloned().unwrap_or_default());
    json!({"name": "operation", "part": parts})
}

fn fhir_patch(path: &str, operations: impl Into<Value>) -> Ask {
    ask("PATCH", path).fhir(&json!({"resourceType": "Parameters", "parameter": operations.into()}))
}

fn fhirpath_patch() -> Vec<Check> {
    let f = |operation: Value| fhir_patch("Patient/f", json!([operation]));
    let name = |name: &str| json!({"name": "name", "valueString": name});
    vec![
        row(
            "replace",
            f(operation("replace", "Patient.gender", json!([{"name": "value", "valueCode": "male"}]))),
            ok().at("/gender", "male").header("ETag", "W/\"2\""),
        ),
        row(
            "add a member",
            f(operation("add", "Patient", json!([name("birthDate"), {"name": "value", "valueDate": "1990-05-20"}]))),
            ok().at("/birthDate", "1990-05-20"),
        ),
        row(
            "add to a list",
            f(operation("add", "Patient.name[0]", json!([name("given"), {"name": "value", "valueString": "last"}]))),
            ok().at("/name/0/given", json!(["b", "c", "last"])),
        ),
        row(
            "add a whole element",
            f(operation(
                "add",
                "Patient",
                json!([name("contact"), {"name": "value", "part": [{"name": "name", "valueHumanName": {"text": "Mother"}}]}]),
            )),
            ok().at("/contact/0/name/text", "Mother"),
        ),
        row(
            "insert",
            f(operation(
                "insert",
                "Patient.name[0].given",
                json!([{"name": "index", "valueInteger": 1}, {"name": "value", "valueString": "between"}]),
            )),
            ok().at("/name/0/given", json!(["b", "between", "c", "last"])),
        ),
        row("delete", f(operation("delete", "Patient.birthDate", json!([]))), ok().absent("/birthDate")),
        row(
            "delete by a condition",
            f(operation("delete", "Patient.name.given.where($this = 'between')", json!([]))),
            ok().at("/name/0/given", json!(["b", "c", "last"])),
        ),
        row(
            "move",
            f(operation(
                "move",
                "Patient.name[0].given",
                json!([{"name": "source", "valueInteger": 2}, {"name": "destination", "valueInteger": 0}]),
            )),
            ok().at("/name/0/given", json!(["last", "b", "c"])),
        ),
        row("delete what is not there is no fault", f(operation("delete", "Patient.photo", json!([]))), ok()),
        row(
            "two",
            fhir_patch(
                "Patient/f",
                json!([
                    operation("replace", "Patient.gender", json!([{"name": "value", "valueCode": "other"}])),
                    operation("delete", "Patient.contact", json!([]))
                ]),
            ),
            ok().at("/gender", "other").absent("/contact"),
        ),
        row(
            "a quantity",
            fhir_patch(
                "Observation/o",
                json!([operation(
                    "replace",
                    "Observation.value",
                    json!([{"name": "value", "valueQuantity": {"value": 2, "unit": "kg"}}])
                )]),
            ),
            ok().at("/valueQuantity/value", 2),
        ),
    ]
}

fn fhirpath_refused() -> Vec<Check> {
    let f = |operation: Value| fhir_patch("Patient/f", json!([operation]));
    vec![
        row(
            "a path that finds nothing to replace",
            f(operation("replace", "Patient.photo", json!([{"name": "value", "valueCode": "x"}]))),
            any(&[400, 422]),
        ),
        row(
            "a path that finds several",
            f(operation("replace", "Patient.name.given", json!([{"name": "value", "valueString": "x"}]))),
            any(&[400, 422]),
        ),
        row("a path that is none", f(operation("delete", "Patient.((", json!([]))), any(&[400, 422])),
        row("a type that is none", f(operation("burn", "Patient.gender", json!([]))), any(&[400, 422])),
        row(
            "a result that is not valid",
            f(operation("replace", "Patient.gender", json!([{"name": "value", "valueCode": "girl"}]))),
            any(&[400, 422]).expression("Patient.gender"),
        ),
        row(
            "an index beyond the list",
            f(operation(
                "insert",
                "Patient.name[0].given",
                json!([{"name": "index", "valueInteger": 9}, {"name": "value", "valueString": "x"}]),
            )),
            any(&[400, 422]),
        ),
        row("no Parameters", ask("PATCH", "Patient/f").fhir(&patient("f", "x")), any(&[400, 422])),
        row("nothing was changed", get("Patient/f"), ok().at("/gender", "other")),
    ]
}

fn guarded() -> Vec<Check> {
    let set = |tag: &str| {
        patched("Patient/guarded", &json!([{"op": "add", "path": "/active", "value": true}])).with("If-Match", tag)
    };
    vec![
        row("If-Match, another version", set("W/\"7\""), refused(412, "conflict")),
        row("If-Match, the version there is", set("W/\"1\""), ok().header("ETag", "W/\"2\"")),
        row("If-Match, the version there was", set("W/\"1\""), refused(412, "conflict")),
        row(
            "by a query, one match",
            patched("Patient?family=x", &json!([{"op": "add", "path": "/gender", "value": "male"}])),
            ok().at("/id", "guarded").at("/gender", "male"),
        ),
        row(
            "by a query, none",
            patched("Patient?family=zzz", &json!([{"op": "add", "path": "/gender", "value": "male"}])),
            refused(404, "not-found"),
        ),
        row(
            "by a query, several",
            patched("Patient?family=a", &json!([{"op": "add", "path": "/gender", "value": "male"}])),
            refused(412, "multiple-matches"),
        ),
    ]
}
