//! Every refusal: its status, its issue code, its text in both languages.
//!
//! Source: FHIR R4 http.html, operationoutcome.html, valueset-issue-type.html

use serde_json::{Value, json};

use crate::check::{Ask, Check, Expect, Who, ask, delete, get, ok, post, put, refused, row};
use crate::seed::{observation, patient, resource};

pub fn seed() -> Vec<Value> {
    vec![patient("p", "x"), patient("twin-a", "twin"), patient("twin-b", "twin"), observation("gone", json!({}))]
}

pub fn checks() -> Vec<Check> {
    let mut rows = vec![row("one that is deleted", delete("Observation/gone"), crate::check::any(&[200, 204]))];
    for (name, ask, expect) in [requests(), bodies(), states()].into_iter().flatten() {
        rows.extend(both(name, &ask, expect));
    }
    rows.push(row("after all this, the server answers", get("Patient/p"), ok().at("/id", "p")));
    rows
}

type Refusal = (&'static str, Ask, fn() -> Expect);

/// The same request in English and in Japanese.
fn both(name: &str, ask: &Ask, expect: fn() -> Expect) -> [Check; 2] {
    let in_language = |language: &str| ask.clone().with("Accept-Language", language);
    [
        row(&format!("{name}, told in English"), in_language("en"), expect().english()),
        row(&format!("{name}, told in Japanese"), in_language("ja"), expect().japanese()),
    ]
}

/// What is wrong with the request itself.
fn requests() -> Vec<Refusal> {
    vec![
        ("400, an unknown parameter", get("Patient?nonsense=1"), || {
            refused(400, "not-supported").expression("nonsense")
        }),
        ("400, an unknown modifier", get("Patient?name:nonsense=1"), || {
            refused(400, "invalid").expression("name:nonsense")
        }),
        ("400, a modifier that does not fit", get("Patient?birthdate:exact=2020"), || {
            refused(400, "invalid").expression("birthdate:exact")
        }),
        ("400, a date that is none", get("Patient?birthdate=2020-13"), || {
            refused(400, "value").expression("birthdate")
        }),
        ("400, a number that is none", get("ChargeItem?factor-override=x"), || {
            refused(400, "value").expression("factor-override")
        }),
        ("400, a quantity that is none", get("Observation?value-quantity=x"), || {
            refused(400, "value").expression("value-quantity")
        }),
        ("400, no value", get("Patient?name="), || refused(400, "value").expression("name")),
        ("400, a count that is none", get("Patient?_count=x"), || refused(400, "value").expression("_count")),
        ("400, a sort that is none", get("Patient?_sort=nonsense"), || refused(400, "value").expression("_sort")),
        ("400, an include that is none", get("Patient?_include=Patient:nonsense"), || {
            refused(400, "value").expression("_include")
        }),
        ("400, a page that is none", get("Patient?_page=x"), || refused(400, "value").expression("_page")),
        ("400, a history count that is none", get("Patient/p/_history?_count=x"), || {
            refused(400, "value").expression("_count")
        }),
        ("400, too many values", get(&format!("Patient?_id={}", vec!["x"; 1100].join(","))), || {
            refused(400, "too-costly").expression("_id")
        }),
        ("400, If-Match that is no tag", put("Patient/p", &patient("p", "x")).with("If-Match", "x"), || {
            refused(400, "value")
        }),
        ("401, no token", get("Patient/p").by(Who::Nobody), || {
            refused(401, "login").header_holds("WWW-Authenticate", "Bearer")
        }),
        ("401, a token that is none", get("Patient/p").by(Who::Forger), || {
            refused(401, "login").header_holds("WWW-Authenticate", "Bearer")
        }),
        (
            "403, a write beyond the scopes",
            put("Patient/pt-hanako", &patient("pt-hanako", "x")).by(Who::Mother),
            || refused(403, "forbidden"),
        ),
        ("403, a type beyond the scopes", get("AuditEvent"), || refused(403, "forbidden")),
        ("404, an unknown type", get("Nonsense/p"), || refused(404, "not-supported")),
        ("404, an unknown path", get("Patient/p/x/y/z"), || refused(404, "not-supported")),
        ("404, an unknown operation", post("$nonsense", &json!({})), || refused(404, "not-supported")),
        ("405, a method that is not done", ask("PUT", "metadata").body("application/fhir+json", "{}"), || {
            refused(405, "not-supported").header_holds("Allow", "GET")
        }),
        ("406, a media type that is not spoken", get("Patient/p").with("Accept", "image/png"), || {
            refused(406, "not-supported")
        }),
        ("415, a media type that is not read", ask("POST", "Patient").body("text/csv", "x"), || {
            refused(415, "not-supported")
        }),
    ]
}

/// What is wrong with a body.
fn bodies() -> Vec<Refusal> {
    let body = |text: &str| ask("POST", "Patient").body("application/fhir+json", text);
    let members = |members: Value| post("Patient", &resource("Patient", "x", members));
    let huge = format!("{{\"resourceType\":\"Patient\",\"language\":\"{}\"}}", "x".repeat(16 * 1024 * 1024));
    let entries = vec![json!({"request": {"method": "GET", "url": "Patient/p"}}); 5001];
    vec![
        ("400, no JSON", body("{"), || refused(400, "structure")),
        ("400, a name twice", body(r#"{"resourceType":"Patient","gender":"male","gender":"male"}"#), || {
            refused(400, "structure")
        }),
        (
            "400, bad UTF-8",
            ask("POST", "Patient")
                .body("application/fhir+json", b"{\"resourceType\":\"Patient\",\"language\":\"\xff\"}".to_vec()),
            || refused(400, "structure"),
        ),
        ("400, no type", body(r#"{"gender":"male"}"#), || refused(400, "structure")),
        ("400, an unknown element", members(json!({"sex": "male"})), || {
            refused(400, "structure").expression("Patient")
        }),
        ("400, one where a list is", members(json!({"name": {"family": "x"}})), || {
            refused(400, "structure").expression("Patient.name")
        }),
        ("400, a list where one is", members(json!({"gender": ["male"]})), || {
            refused(400, "structure").expression("Patient.gender")
        }),
        ("400, an empty list", members(json!({"name": []})), || refused(400, "structure").expression("Patient.name")),
        ("400, a code that is none", members(json!({"gender": "girl"})), || {
            refused(400, "code-invalid").expression("Patient.gender")
        }),
        ("400, a date that is none", members(json!({"birthDate": "2020-02-30"})), || {
            refused(400, "value").expression("Patient.birthDate")
        }),
        ("400, a number where a text is", members(json!({"language": 1})), || {
            refused(400, "structure").expression("Patient.language")
        }),
        (
            "400, a required element missing",
            post("Observation", &json!({"resourceType": "Observation", "status": "final"})),
            || refused(400, "required").expression("Observation"),
        ),
        ("400, two of a choice", members(json!({"deceasedBoolean": false, "deceasedDateTime": "2020"})), || {
            refused(400, "structure").expression("Patient.deceased")
        }),
        (
            "400, a reference to a type that it may not name",
            members(json!({"managingOrganization": {"reference": "Patient/p"}})),
            || refused(400, "structure").expression("Patient.managingOrganization"),
        ),
        (
            "400, a script in a narrative",
            members(
                json!({"text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}),
            ),
            || refused(400, "invariant").expression("Patient.text.div"),
        ),
        ("400, another id", put("Patient/p", &patient("q", "x")), || refused(400, "invalid").expression("Patient.id")),
        ("413, a body too large", body(&huge), || refused(413, "too-long")),
        (
            "413, a Bundle too long",
            post("", &json!({"resourceType": "Bundle", "type": "batch", "entry": entries})),
            || refused(413, "too-costly"),
        ),
    ]
}

/// What is wrong with the state of things.
fn states() -> Vec<Refusal> {
    let consent = resource(
        "Consent",
        "x",
        json!({
            "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": "Patient/p"},
            "dateTime": "2026-11-01T09:00:00+09:00",
            "performer": [{"reference": "Patient/p"}],
            "sourceAttachment": {"title": "x"},
            "policy": [{"uri": "https://unknown.example/policy"}],
            "provision": {"type": "permit", "code": [{"text": "what nobody can enforce"}]}
        }),
    );
    vec![
        ("404, nothing there", get("Patient/nobody"), || refused(404, "not-found")),
        ("404, hidden", get("Patient/pt-hanako"), || refused(404, "not-found")),
        ("404, a version that is not", get("Patient/p/_history/9"), || refused(404, "not-found")),
        ("409, an id that someone else holds", put("Patient/pt-hanako", &patient("pt-hanako", "x")), || {
            refused(409, "duplicate")
        }),
        ("410, deleted", get("Observation/gone"), || refused(410, "deleted")),
        ("412, another version", put("Patient/p", &patient("p", "x")).with("If-Match", "W/\"99\""), || {
            refused(412, "conflict")
        }),
        ("412, several matches", post("Patient", &patient("x", "y")).with("If-None-Exist", "family=twin"), || {
            refused(412, "multiple-matches")
        }),
        ("422, a Consent that cannot be enforced", post("Consent", &consent), || refused(422, "business-rule")),
        ("422, an import refused whole", ask("POST", "$import?format=jahis").body("text/plain", "nonsense"), || {
            crate::check::status(422)
        }),
    ]
}
