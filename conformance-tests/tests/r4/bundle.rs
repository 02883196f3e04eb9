//! Batch and transaction.
//!
//! Source: FHIR R4 http.html#transaction

use serde_json::{Value, json};

use crate::check::{Ask, Check, any, ask, finds, get, ok, post, refused, row};
use crate::seed::{observation, patient, resource, without};

const IDS: &str = "https://example.org/ids";

pub fn seed() -> Vec<Value> {
    vec![
        patient("p", "x"),
        resource("Patient", "known", json!({"identifier": [{"system": IDS, "value": "known"}]})),
        observation("o", json!({})),
    ]
}

pub fn checks() -> Vec<Check> {
    [whole(), linked(), ordered(), refusals(), batches(), shapes()].into_iter().flatten().collect()
}

fn entry(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

fn with_body(method: &str, url: &str, resource: impl Into<Value>) -> Value {
    json!({"request": {"method": method, "url": url}, "resource": resource.into()})
}

fn named(full: &str, entry: Value) -> Value {
    crate::seed::with(entry, json!({"fullUrl": full}))
}

fn send(kind: &str, entries: impl Into<Value>) -> Ask {
    post("", &json!({"resourceType": "Bundle", "type": kind, "entry": entries.into()}))
}

fn transaction(entries: Value) -> Ask {
    send("transaction", entries)
}

/// A new Patient with an identifier to be found by.
fn person(value: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": IDS, "value": value}]})
}

fn about(reference: &str, text: &str) -> Value {
    let body = observation("x", json!({"subject": {"reference": reference}, "valueString": text}));
    without(body, "id")
}

fn by(value: &str) -> String {
    format!("Patient?identifier={IDS}|{value}")
}

fn whole() -> Vec<Check> {
    let both =
        json!([with_body("POST", "Patient", person("t1")), with_body("PUT", "Patient/chosen", patient("chosen", "a"))]);
    vec![
        row(
            "a create and an update in one",
            transaction(both),
            ok().at("/resourceType", "Bundle")
                .at("/type", "transaction-response")
                .length("/entry", 2)
                .at("/entry/0/response/etag", "W/\"1\"")
                .present("/entry/0/response/location")
                .present("/entry/0/response/lastModified")
                .at("/entry/1/response/location", "{base}/Patient/chosen/_history/1")
                .holds("201"),
        ),
        row("the created is there", get(&by("t1")), ok().total(1)),
        row("the updated is there", get("Patient/chosen"), ok().at("/name/0/family", "a")),
        row("a deletion", transaction(json!([entry("DELETE", "Patient/chosen")])), ok().holds("204")),
        row("it is gone", get("Patient/chosen"), refused(410, "deleted")),
        row(
            "a read",
            transaction(json!([entry("GET", "Patient/p")])),
            ok().at("/entry/0/resource/id", "p").at("/entry/0/response/etag", "W/\"1\""),
        ),
        row(
            "a search",
            transaction(json!([entry("GET", "Patient?_id=p")])),
            ok().at("/entry/0/resource/type", "searchset").at("/entry/0/resource/total", 1),
        ),
        row("no entry", transaction(json!([])), any(&[200, 400])),
        row(
            "return=representation",
            transaction(json!([with_body("POST", "Patient", person("t2"))])).with("Prefer", "return=representation"),
            ok().at("/entry/0/resource/resourceType", "Patient"),
        ),
        row(
            "return=minimal",
            transaction(json!([with_body("POST", "Patient", person("t3"))])).with("Prefer", "return=minimal"),
            ok().absent("/entry/0/resource"),
        ),
        row(
            "with a slash after the base",
            ask("POST", "/").fhir(&json!({"resourceType": "Bundle", "type": "batch"})),
            any(&[200, 404]),
        ),
    ]
}

fn linked() -> Vec<Check> {
    let uuid = "urn:uuid:4f1f7c2e-0000-4000-8000-000000000001";
    let oid = "urn:oid:2.25.7";
    let posted = |full: &str, value: &str| named(full, with_body("POST", "Patient", person(value)));
    let conditional = crate::seed::with(
        named(uuid, json!({"resource": person("known")})),
        json!({"request": {"method": "POST", "url": "Patient", "ifNoneExist": format!("identifier={IDS}|known")}}),
    );
    vec![
        row(
            "urn:uuid",
            transaction(json!([posted(uuid, "l1"), with_body("POST", "Observation", about(uuid, "l1"))])),
            ok(),
        ),
        row(
            "became the id",
            get(&format!("{}&_revinclude=Observation:subject", by("l1"))),
            ok().total(1).length("/entry", 2).at("/entry/1/resource/valueString", "l1").lacks("urn:uuid"),
        ),
        row(
            "urn:oid",
            transaction(json!([posted(oid, "l2"), with_body("POST", "Observation", about(oid, "l2"))])),
            ok(),
        ),
        row(
            "became the id too",
            get(&format!("{}&_revinclude=Observation:subject", by("l2"))),
            ok().total(1).length("/entry", 2).lacks("urn:oid"),
        ),
        row(
            "the one who is referred to may come last",
            transaction(json!([with_body("POST", "Observation", about(uuid, "l3")), posted(uuid, "l3")])),
            ok(),
        ),
        row(
            "and is found",
            get(&format!("{}&_revinclude=Observation:subject", by("l3"))),
            ok().total(1).length("/entry", 2),
        ),
        row(
            "a reference by query",
            transaction(json!([with_body("POST", "Observation", about(&by("l1"), "by query"))]))
                .with("Prefer", "return=representation"),
            ok().lacks("identifier=").holds("Patient/"),
        ),
        row(
            "a reference by query that finds none",
            transaction(json!([with_body("POST", "Observation", about(&by("nobody"), "x"))])),
            refused(412, "not-found").expression("Bundle.entry[0]"),
        ),
        row(
            "a reference to no entry",
            transaction(json!([with_body(
                "POST",
                "Observation",
                about("urn:uuid:4f1f7c2e-0000-4000-8000-00000000000f", "x")
            )])),
            any(&[400]).expression("Bundle.entry[0]"),
        ),
        row(
            "a create on a condition that is met gives its reference",
            transaction(json!([conditional, with_body("POST", "Observation", about(uuid, "cond"))])),
            ok().holds("Patient/known/_history/1"),
        ),
        row(
            "to the one that was there",
            get("Observation?subject=Patient/known"),
            ok().total(1).at("/entry/0/resource/valueString", "cond"),
        ),
    ]
}

/// DELETE, POST, PUT, GET, whatever the order of the entries.
fn ordered() -> Vec<Check> {
    vec![
        row(
            "a read is answered last, in its place",
            transaction(json!([entry("GET", "Patient/late"), with_body("PUT", "Patient/late", patient("late", "a"))])),
            ok().at("/entry/0/resource/id", "late").length("/entry", 2),
        ),
        row(
            "a read after the deletion",
            transaction(json!([entry("GET", "Patient?_id=late"), entry("DELETE", "Patient/late")])),
            ok().at("/entry/0/resource/total", 0),
        ),
        row(
            "a search sees what was created",
            transaction(json!([entry("GET", &by("o1")), with_body("POST", "Patient", person("o1"))])),
            ok().at("/entry/0/resource/total", 1),
        ),
    ]
}

fn refusals() -> Vec<Check> {
    let good = || with_body("POST", "Patient", person("r1"));
    let wrong = crate::seed::with(person("r1"), json!({"gender": "girl"}));
    let unless = |value: &str| json!({"resource": patient("p", "y"), "request": {"method": "PUT", "url": "Patient/p", "ifMatch": value}});
    vec![
        row(
            "one bad entry refuses all",
            transaction(json!([good(), with_body("POST", "Patient", wrong)])),
            refused(400, "code-invalid").expression("Bundle.entry[1].resource.gender"),
        ),
        row("nothing was written", get(&by("r1")), finds(&[])),
        row(
            "the same resource twice",
            transaction(json!([with_body("PUT", "Patient/p", patient("p", "a")), entry("DELETE", "Patient/p")])),
            any(&[400]).expression("Bundle.entry["),
        ),
        row(
            "ifMatch, another version",
            transaction(json!([good(), unless("W/\"9\"")])),
            refused(412, "conflict").expression("Bundle.entry[1]"),
        ),
        row(
            "ifMatch, the version there is",
            transaction(json!([unless("W/\"1\"")])),
            ok().at("/entry/0/response/etag", "W/\"2\""),
        ),
        row(
            "a fullUrl twice",
            transaction(json!([
                named("urn:uuid:4f1f7c2e-0000-4000-8000-000000000002", good()),
                named("urn:uuid:4f1f7c2e-0000-4000-8000-000000000002", good())
            ])),
            any(&[400]),
        ),
        row(
            "a method that is none",
            transaction(json!([entry("BREW", "Patient/p")])),
            refused(400, "code-invalid").expression("Bundle.entry[0].request.method"),
        ),
        row("no request", transaction(json!([{"resource": person("r1")}])), any(&[400]).expression("Bundle.entry[0]")),
        row(
            "no url",
            transaction(json!([{"request": {"method": "GET"}}])),
            refused(400, "required").expression("Bundle.entry[0].request"),
        ),
        row("no resource", transaction(json!([entry("POST", "Patient")])), any(&[400]).expression("Bundle.entry[0]")),
        row(
            "a resource of another type",
            transaction(json!([with_body("POST", "Observation", person("r1"))])),
            any(&[400]).expression("Bundle.entry[0]"),
        ),
        row(
            "an update whose id differs",
            transaction(json!([with_body("PUT", "Patient/p", patient("q", "a"))])),
            any(&[400]).expression("Bundle.entry[0]"),
        ),
        row(
            "a type that is none",
            transaction(json!([entry("GET", "Nonsense/p")])),
            any(&[400, 404]).expression("Bundle.entry[0]"),
        ),
        row(
            "a read of nothing",
            transaction(json!([good(), entry("GET", "Patient/nobody")])),
            refused(404, "not-found").expression("Bundle.entry[1]"),
        ),
        row("still nothing was written", get(&by("r1")), finds(&[])),
        row(
            "a condition that several meet",
            transaction(
                json!([{"resource": person("x"), "request": {"method": "POST", "url": "Patient", "ifNoneExist": "_id=p,known"}}]),
            ),
            refused(412, "multiple-matches").expression("Bundle.entry[0]"),
        ),
    ]
}

fn batches() -> Vec<Check> {
    let batch = |entries: Value| send("batch", entries);
    let mixed = json!([
        with_body("POST", "Patient", person("b1")),
        with_body("POST", "Patient", json!({"resourceType": "Patient", "gender": "girl"})),
        entry("GET", "Patient/p"),
        entry("GET", "Patient/nobody"),
        entry("DELETE", "Observation/o")
    ]);
    vec![
        row(
            "each for itself",
            batch(mixed),
            ok().at("/type", "batch-response")
                .length("/entry", 5)
                .at("/entry/1/response/outcome/resourceType", "OperationOutcome")
                .at("/entry/2/resource/id", "p")
                .at("/entry/3/response/outcome/issue/0/code", "not-found")
                .holds("\"404"),
        ),
        row("the good one was written", get(&by("b1")), ok().total(1)),
        row("the deletion was done", get("Observation/o"), refused(410, "deleted")),
        row(
            "the fault is told by its place",
            batch(json!([entry("GET", "Patient?nonsense=1")])),
            ok().holds("\"400").at("/entry/0/response/outcome/issue/0/code", "not-supported"),
        ),
        row(
            "in Japanese",
            batch(json!([entry("GET", "Patient/nobody")])).with("Accept-Language", "ja"),
            ok().holds("該当するリソースはありません"),
        ),
        row(
            "a search",
            batch(json!([entry("GET", "Patient?_id=p"), entry("GET", "Patient?_id=known")])),
            ok().at("/entry/0/resource/total", 1).at("/entry/1/resource/entry/0/resource/id", "known"),
        ),
        row(
            "no entry at all",
            post("", &json!({"resourceType": "Bundle", "type": "batch"})),
            ok().at("/type", "batch-response"),
        ),
        row(
            "a vread",
            batch(json!([entry("GET", "Patient/p/_history/1")])),
            ok().at("/entry/0/resource/meta/versionId", "1"),
        ),
        row(
            "a history",
            batch(json!([entry("GET", "Patient/p/_history")])),
            ok().at("/entry/0/resource/type", "history"),
        ),
    ]
}

fn shapes() -> Vec<Check> {
    vec![
        row(
            "a Bundle of another type",
            post("", &json!({"resourceType": "Bundle", "type": "collection"})),
            any(&[400, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row("no Bundle", post("", &patient("p", "x")), any(&[400, 422]).at("/resourceType", "OperationOutcome")),
        row("no type", post("", &json!({"resourceType": "Bundle"})), refused(400, "required").expression("Bundle")),
        row("no JSON", ask("POST", "").body("application/fhir+json", "{"), refused(400, "structure")),
        row(
            "a Bundle may be stored as such",
            post(
                "Bundle",
                &json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": person("inside")}]}),
            ),
            crate::check::status(201),
        ),
        row("its entries are not found", get(&by("inside")), finds(&[])),
    ]
}
