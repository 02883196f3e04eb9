//! Corners where the server once answered otherwise than R4 and HTTP have it: each row
//! is named for the fault.
//!
//! Source: FHIR R4 http.html, search.html, fhirpatch.html; RFC 7240, RFC 9110

use serde_json::{Value, json};

use crate::check::{Ask, Check, Who, any, ask, delete, finds, get, ok, post, put, refused, row, status};
use crate::seed::{observation, patient, resource, with};

const IDS: &str = "https://example.org/ids";
const SETS: &str = "https://example.org/sets?kind=";

pub fn seed() -> Vec<Value> {
    let doctor = |id: &str| resource("Practitioner", id, json!({"identifier": [{"system": IDS, "value": id}]}));
    let below = |id: &str, comparator: &str| {
        observation(id, json!({"valueQuantity": {"value": 8190, "comparator": comparator, "unit": "walked"}}))
    };
    vec![
        patient("p", "x"),
        patient("tagged", "x"),
        doctor("dr-a"),
        doctor("dr-b"),
        doctor("dr-c"),
        resource("ValueSet", "one", json!({"status": "draft", "url": format!("{SETS}one")})),
        resource("ValueSet", "two", json!({"status": "draft", "url": format!("{SETS}two")})),
        with(observation("fragment", json!({})), json!({"subject": {"reference": "Patient/p#part"}})),
        with(observation("long", json!({})), json!({"subject": {"reference": "Patient/p"}})),
        below("below", "<"),
        below("at-most", "<="),
        resource(
            "Basic",
            "b",
            json!({"code": {"text": "x"}, "extension": [{"url": "https://example.org/e", "valueString": "a"}]}),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    [tags(), preferences(), conditions(), addresses(), transactions(), references(), numbers(), patches(), walked()]
        .into_iter()
        .flatten()
        .collect()
}

fn tags() -> Vec<Check> {
    let update = |tag: &str| put("Patient/tagged", &patient("tagged", "x")).with("If-Match", tag);
    let since = |date: &str| get("Patient/tagged").with("If-Modified-Since", date);
    vec![
        row("a tag was read as a number: W/\"01\" is no version", update("W/\"01\""), refused(412, "conflict")),
        row("nor is \"+1\"", update("\"+1\""), refused(412, "conflict")),
        row("a tag that is not ours was malformed", update("\"x\""), refused(412, "conflict")),
        row("an empty item of a list was malformed", update("W/\"1\", ,"), ok().header("ETag", "W/\"2\"")),
        row("a version was read as a number", get("Patient/tagged/_history/01"), refused(404, "not-found")),
        row("and by its operation", get("Patient/tagged/_history/+1/$meta"), refused(404, "not-found")),
        row("HTTP's date of RFC 850 was passed over", since("Friday, 31-Dec-60 00:00:00 GMT"), status(304)),
        row("HTTP's date of C was passed over", since("Fri Dec 31 00:00:00 2060"), status(304)),
        row("and is compared", since("Fri Dec 31 00:00:00 1999"), ok()),
    ]
}

fn preferences() -> Vec<Check> {
    let create = |prefer: &str| post("Patient", &json!({"resourceType": "Patient"})).with("Prefer", prefer);
    vec![
        row("a quoted preference was passed over", create("return=\"minimal\""), status(201).empty()),
        row("a preference in capitals was passed over", create("Return=minimal"), status(201).empty()),
        row("of two the last one counted", create("return=minimal, return=representation"), status(201).empty()),
        row(
            "a deletion said that it had stored",
            delete("Observation/never").with("Prefer", "return=OperationOutcome"),
            ok().at("/issue/0/details/text", "Deleted."),
        ),
        row(
            "also within a Bundle",
            send("batch", json!([entry("DELETE", "Observation/never")])).with("Prefer", "return=OperationOutcome"),
            ok().at("/entry/0/response/outcome/issue/0/details/text", "Deleted."),
        ),
        row(
            "in Japanese too",
            delete("Observation/never").with("Prefer", "return=OperationOutcome").with("Accept-Language", "ja"),
            ok().at("/issue/0/details/text", "削除しました。"),
        ),
        row(
            "a form's media type was compared by case",
            ask("POST", "Patient/_search").body("Application/X-WWW-Form-URLEncoded", "_id=p"),
            finds(&["p"]),
        ),
    ]
}

/// A question mark in a value is no end of a path.
fn conditions() -> Vec<Check> {
    let set =
        |id: &str| json!({"resourceType": "ValueSet", "id": id, "status": "active", "url": format!("{SETS}{id}")});
    let url = |id: &str| format!("url={SETS}{id}");
    vec![
        row(
            "a condition lost what stood before a question mark: update",
            put(&format!("ValueSet?{}", url("one")), &set("one")),
            ok().at("/id", "one").at("/status", "active"),
        ),
        row(
            "a condition lost what stood before a question mark: create",
            post("ValueSet", &set("two")).with("If-None-Exist", &url("two")),
            ok().at("/id", "two"),
        ),
        row(
            "behind a path it is read too",
            post("ValueSet", &set("two")).with("If-None-Exist", &format!("ValueSet?{}", url("two"))),
            ok().at("/id", "two"),
        ),
    ]
}

fn addresses() -> Vec<Check> {
    let long = "x".repeat(65);
    vec![
        row(
            "an id that may not be was not found",
            put(&format!("Patient/{long}"), &patient(&long, "a")),
            refused(400, "value").expression("Patient.id"),
        ),
        row("an id with an underscore was not found", put("Patient/a_b", &patient("a_b", "a")), refused(400, "value")),
        row(
            "a refusal lost the id of a path",
            get("Patient/p/Nonsense"),
            refused(404, "not-supported").holds("Patient/[id]/Nonsense"),
        ),
        row("a slash at the end changed what was asked", get("Patient/?_id=p"), finds(&["p"])),
    ]
}

fn entry(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn send(kind: &str, entries: impl Into<Value>) -> Ask {
    post("", &json!({"resourceType": "Bundle", "type": kind, "entry": entries.into()}))
}

/// What is deleted first is not there for the rest of the transaction.
fn transactions() -> Vec<Check> {
    let by = |id: &str| format!("identifier={IDS}|{id}");
    let doctor = |id: &str| json!({"resourceType": "Practitioner", "identifier": [{"system": IDS, "value": id}]});
    let unless = |id: &str| json!({"resource": doctor(id), "request": {"method": "POST", "url": "Practitioner", "ifNoneExist": by(id)}});
    let seen_by = |id: &str| {
        let performer = format!("Practitioner?{}", by(id));
        let body =
            observation("x", json!({"performer": [{"reference": performer}], "subject": {"reference": "Patient/p"}}));
        json!({"resource": body, "request": {"method": "POST", "url": "Observation"}})
    };
    vec![
        row(
            "a create on a condition was answered what the same transaction deletes",
            send("transaction", json!([unless("dr-a"), entry("DELETE", "Practitioner/dr-a")])),
            refused(400, "invalid").expression("Bundle.entry[0]"),
        ),
        row("nothing was deleted", get("Practitioner/dr-a"), ok()),
        row(
            "a conditional reference led to what the same transaction deletes",
            send("transaction", json!([seen_by("dr-b"), entry("DELETE", "Practitioner/dr-b")])),
            refused(412, "not-found").expression("Bundle.entry[0]"),
        ),
        row(
            "also where a query deletes it",
            send("transaction", json!([entry("DELETE", "Practitioner?_id=dr-b"), seen_by("dr-b")])),
            refused(412, "not-found").expression("Bundle.entry[1]"),
        ),
        row(
            "what another entry deletes is no hindrance",
            send("transaction", json!([entry("DELETE", "Practitioner/dr-c"), unless("dr-a"), seen_by("dr-b")])),
            ok().at("/entry/0/response/status", "204 No Content")
                .at("/entry/1/response/status", "200 OK")
                .at("/entry/2/response/status", "201 Created"),
        ),
    ]
}

/// A fragment names a part of what is referred to.
fn references() -> Vec<Check> {
    let about = |reference: &str| post("Observation", &observation("x", json!({"subject": {"reference": reference}})));
    vec![
        row(
            "a reference with a fragment was about nobody",
            get("Observation?subject=Patient/p&_id=fragment"),
            finds(&["fragment"]),
        ),
        row("and in no compartment", get("Patient/p/Observation?_id=fragment"), finds(&["fragment"])),
        row(
            "and followed by no include",
            get("Observation?_id=fragment&_include=Observation:subject"),
            finds(&["fragment"]).brings(&["p"]),
        ),
        row(
            "a fragment let a write pass that is about another",
            about("Patient/pt-hanako#a"),
            refused(403, "forbidden"),
        ),
        row("by a whole URL too", about("{base}/Patient/pt-hanako#a"), refused(403, "forbidden")),
        row("and with a version", about("Patient/pt-hanako/_history/1#a"), refused(403, "forbidden")),
    ]
}

/// More digits than a machine's number has.
fn numbers() -> Vec<Check> {
    let long = "12345678901234567890123456";
    let value = with(
        observation("long", json!({"subject": {"reference": "Patient/p"}})),
        json!({"valueQuantity": {"value": "DIGITS"}}),
    );
    let found = |prefix: &str| get(&format!("Observation?value-quantity={prefix}{long}&_id=long"));
    vec![
        row(
            "26 digits are kept",
            put("Observation/long", &json!({}))
                .body("application/fhir+json", value.to_string().replace("\"DIGITS\"", long)),
            ok().holds(long),
        ),
        row("a number of 26 digits was not equal to itself", found(""), finds(&["long"])),
        row("nor", found("eq"), finds(&["long"])),
        row("and was unequal", found("ne"), finds(&[])),
    ]
}

fn patches() -> Vec<Check> {
    let part = |name: &str, value: Value| with(json!({"name": name}), value);
    let patch = |parts: Value| {
        let body = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]});
        ask("PATCH", "Basic/b").fhir(&body)
    };
    let replace = |more: &[Value]| {
        let mut parts = vec![
            part("type", json!({"valueCode": "replace"})),
            part("path", json!({"valueString": "Basic.extension[0].value"})),
            part("value", json!({"valueString": "b"})),
        ];
        parts.extend_from_slice(more);
        patch(Value::from(parts))
    };
    let added = json!([
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Basic"},
        {"name": "name", "valueString": "extension"},
        {"name": "value", "part": [
            {"name": "url", "valueUri": "https://example.org/f"},
            {"name": "value", "valueString": "c"}
        ]}
    ]);
    vec![
        row(
            "a string became a code where a choice has both",
            replace(&[]),
            ok().at("/extension/0/valueString", "b").absent("/extension/0/valueCode"),
        ),
        row(
            "also in an element of parts",
            patch(added),
            ok().at("/extension/1/valueString", "c").absent("/extension/1/valueCode"),
        ),
        row(
            "of two values one was passed over",
            replace(&[part("value", json!({"valueString": "z"}))]),
            refused(400, "invalid").expression("Parameters.parameter[0]"),
        ),
        row(
            "a part that is none was passed over",
            replace(&[part("vaule", json!({"valueString": "z"}))]),
            refused(400, "invalid").expression("Parameters.parameter[0]"),
        ),
        row("nothing was changed by what was refused", get("Basic/b"), any(&[200]).at("/extension/0/valueString", "b")),
        row("no token", replace(&[]).by(Who::Nobody), refused(401, "login")),
    ]
}

fn walked() -> Vec<Check> {
    let quantity = |value: &str| get(&format!("Observation?value-quantity={value}||walked"));
    let include = |value: &str| get(&format!("Patient?{value}"));
    let insert = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "insert"},
        {"name": "path", "valueString": "Basic.code.coding"},
        {"name": "value", "valueCoding": {"code": "d"}}
    ]}]});
    let linked = json!([
        {
            "fullUrl": OWN_UUID,
            "resource": {"resourceType": "Basic", "code": {"text": "x"}, "extension": [
                {"url": "https://example.org/uuid", "valueUuid": OWN_UUID},
                {"url": "https://example.org/uri", "valueUri": OWN_UUID}
            ]},
            "request": {"method": "POST", "url": "Basic"}
        }
    ]);
    vec![
        row("what is below a number was at it", quantity("ge8190"), finds(&["at-most"])),
        row("and is below it", quantity("lt8190"), finds(&["below", "at-most"])),
        row(
            "an include named the results in place of what it asked for",
            include("_include=Patient:link:Observation"),
            refused(400, "value").expression("_include").holds("does not refer to Observation"),
        ),
        row(
            "and a reverse one, what it does refer to",
            include("_revinclude=Observation:performer:Practitioner"),
            refused(400, "value").expression("_revinclude").holds("the results are of type Patient, not Practitioner"),
        ),
        row(
            "a patch was not told which part it lacks",
            ask("PATCH", "Basic/b").fhir(&insert),
            refused(400, "invalid").holds("insert needs a part index"),
        ),
        row(
            "an entry was not told how its url is written",
            send("transaction", json!([entry("DELETE", "Patient/p/Observation")])),
            refused(400, "invalid").holds("Patient/1").expression("Bundle.entry[0].request.url"),
        ),
        row(
            "a transaction wrote a reference where only a UUID may stand, and refused it then",
            send("transaction", linked).with("Prefer", "return=representation"),
            ok().at("/entry/0/resource/extension/0/valueUuid", OWN_UUID).holds("\"valueUri\":\"Basic/"),
        ),
    ]
}

const OWN_UUID: &str = "urn:uuid:0b7f6e4a-1d52-4c1e-9a30-5f8d2c6b7e91";
