//! read, vread, create, update, delete: statuses, headers, what is ignored.
//!
//! Source: FHIR R4 http.html

use serde_json::{Value, json};

use crate::check::{Check, any, ask, delete, finds, get, ok, post, put, refused, row, status};
use crate::seed::{observation, patient, resource, with, without};

pub fn seed() -> Vec<Value> {
    vec![
        resource("Patient", "p", json!({"gender": "female", "birthDate": "1990-05-20"})),
        observation("o", json!({"valueString": "x"})),
    ]
}

pub fn checks() -> Vec<Check> {
    [reads(), creates(), updates(), made_by_update(), deletes(), places()].into_iter().flatten().collect()
}

fn reads() -> Vec<Check> {
    vec![
        row(
            "a read answers the resource, its version and its time",
            get("Patient/p"),
            ok().at("/id", "p")
                .at("/meta/versionId", "1")
                .present("/meta/lastUpdated")
                .at("/gender", "female")
                .header("ETag", "W/\"1\"")
                .header_holds("Last-Modified", " GMT")
                .header_holds("Content-Type", "application/fhir+json"),
        ),
        row(
            "HEAD is a read without a body",
            ask("HEAD", "Patient/p"),
            ok().empty().header("ETag", "W/\"1\"").header_holds("Last-Modified", "GMT"),
        ),
        row("a read says not where it is", get("Patient/p"), ok().no_header("Location")),
        row("HEAD of nothing", ask("HEAD", "Patient/nobody"), status(404).empty()),
        row("an id that is not there", get("Patient/nobody"), refused(404, "not-found")),
        row("an id of another type", get("Observation/p"), refused(404, "not-found")),
        row("a type that is none", get("Person1/p"), refused(404, "not-supported")),
        row("a type in small letters", get("patient/p"), refused(404, "not-supported")),
        row("an id with a sign that no id has", get("Patient/p_1"), refused(404, "not-found")),
        row("an id of 65 characters", get(&format!("Patient/{}", "x".repeat(65))), refused(404, "not-found")),
        row("an id percent-encoded", get("Patient/%70"), ok().at("/id", "p")),
        row(
            "vread",
            get("Patient/p/_history/1"),
            ok().at("/meta/versionId", "1").header("ETag", "W/\"1\"").header_holds("Last-Modified", "GMT"),
        ),
        row("a version that is not there", get("Patient/p/_history/2"), refused(404, "not-found")),
        row("a version that is no number", get("Patient/p/_history/x"), refused(404, "not-found")),
        row("a version of nothing", get("Patient/nobody/_history/1"), refused(404, "not-found")),
        row("HEAD of a version", ask("HEAD", "Patient/p/_history/1"), ok().empty().header("ETag", "W/\"1\"")),
        row(
            "a read keeps what it does not know in the URL to itself",
            get("Patient/p?_format=json"),
            ok().at("/id", "p"),
        ),
    ]
}

fn creates() -> Vec<Check> {
    let new = json!({"resourceType": "Patient", "gender": "male"});
    let claims = json!({"resourceType": "Patient", "id": "chosen", "meta": {"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z"}, "gender": "other"});
    vec![
        row(
            "a create names the new version",
            post("Patient", &new),
            status(201)
                .header("ETag", "W/\"1\"")
                .header_holds("Location", "{base}/Patient/")
                .header_holds("Location", "/_history/1")
                .header_holds("Last-Modified", "GMT")
                .at("/gender", "male")
                .at("/meta/versionId", "1")
                .keep("made"),
        ),
        row("what was created is there", get("Patient/{made}"), ok().at("/id", "{made}").at("/gender", "male")),
        row("its version is there", get("Patient/{made}/_history/1"), ok().at("/id", "{made}")),
        row("it is found", get("Patient?_id={made}"), finds(&["{made}"])),
        row(
            "an id and a version in the body are passed over",
            post("Patient", &claims),
            status(201).at("/meta/versionId", "1").keep("other"),
        ),
        row("the id is the server's", get("Patient/chosen"), refused(404, "not-found")),
        row("the time is the server's", get("Patient/{other}"), ok().at("/id", "{other}").lacks("2001-01-01")),
        row("a resource of another type", post("Patient", &observation("x", json!({}))), refused(400, "invalid")),
        row("no type", post("Patient", &json!({"gender": "male"})), refused(400, "structure")),
        row(
            "a type that is none",
            post("Nonsense", &json!({"resourceType": "Nonsense"})),
            refused(404, "not-supported"),
        ),
        row("no resource but a list", post("Patient", &json!([])), refused(400, "structure")),
        row("no JSON", ask("POST", "Patient").body("application/fhir+json", "{"), refused(400, "structure")),
        row("no body", ask("POST", "Patient").body("application/fhir+json", ""), refused(400, "structure")),
        row(
            "an element that is none",
            post("Patient", &json!({"resourceType": "Patient", "sex": "male"})),
            refused(400, "structure").expression("Patient"),
        ),
        row(
            "a code that is none",
            post("Patient", &json!({"resourceType": "Patient", "gender": "girl"})),
            refused(400, "code-invalid").expression("Patient.gender"),
        ),
        row(
            "a day that is none",
            post("Patient", &json!({"resourceType": "Patient", "birthDate": "2013-02-30"})),
            refused(400, "value").expression("Patient.birthDate"),
        ),
        row(
            "a required element is missing",
            post("Observation", &without(observation("x", json!({})), "code")),
            refused(400, "required").expression("Observation"),
        ),
        row(
            "an empty object",
            post("Patient", &json!({"resourceType": "Patient", "name": [{}]})),
            refused(400, "structure").expression("Patient.name[0]"),
        ),
        row(
            "an empty text",
            post("Patient", &json!({"resourceType": "Patient", "language": ""})),
            any(&[400]).expression("Patient.language"),
        ),
        row("create on an id", post("Patient/p", &new), refused(405, "not-supported").header_holds("Allow", "PUT")),
    ]
}

fn updates() -> Vec<Check> {
    let second = resource(
        "Patient",
        "p",
        json!({"gender": "male", "meta": {"versionId": "9", "lastUpdated": "2001-01-01T00:00:00Z"}}),
    );
    vec![
        row(
            "an update makes the next version",
            put("Patient/p", &second),
            ok().header("ETag", "W/\"2\"")
                .at("/meta/versionId", "2")
                .at("/gender", "male")
                .lacks("2001-01-01")
                .header_holds("Last-Modified", "GMT"),
        ),
        row(
            "the new version is read",
            get("Patient/p"),
            ok().header("ETag", "W/\"2\"").at("/gender", "male").absent("/birthDate"),
        ),
        row(
            "the old version is kept",
            get("Patient/p/_history/1"),
            ok().at("/gender", "female").at("/birthDate", "1990-05-20"),
        ),
        row("the index follows", get("Patient?gender=male&_id=p"), finds(&["p"])),
        row("the index forgets", get("Patient?gender=female&_id=p"), finds(&[])),
        row(
            "another id in the body",
            put("Patient/p", &patient("q", "x")),
            refused(400, "invalid").expression("Patient.id"),
        ),
        row(
            "no id in the body",
            put("Patient/p", &json!({"resourceType": "Patient"})),
            any(&[400]).expression("Patient.id"),
        ),
        row("another type in the body", put("Patient/p", &observation("p", json!({}))), refused(400, "invalid")),
        row(
            "an update that is not valid",
            put("Patient/p", &resource("Patient", "p", json!({"gender": 1}))),
            any(&[400]).expression("Patient.gender"),
        ),
        row("nothing was changed by what was refused", get("Patient/p"), ok().header("ETag", "W/\"2\"")),
        row("an update of a version", put("Patient/p/_history/1", &second), refused(405, "not-supported")),
        row("the same again is a version too", put("Patient/p", &second), ok().header("ETag", "W/\"3\"")),
    ]
}

fn made_by_update() -> Vec<Check> {
    let long = "x".repeat(64);
    vec![
        row(
            "an update makes what is not there",
            put("Patient/new", &patient("new", "a")),
            status(201).header("ETag", "W/\"1\"").header("Location", "{base}/Patient/new/_history/1"),
        ),
        row("again, it is an update", put("Patient/new", &patient("new", "b")), ok().header("ETag", "W/\"2\"")),
        row("an id of 64 characters", put(&format!("Patient/{long}"), &patient(&long, "a")), status(201)),
        row(
            "an id of 65 characters",
            put(&format!("Patient/{long}x"), &patient(&format!("{long}x"), "a")),
            any(&[400, 404]),
        ),
        row("an id with dots and hyphens", put("Patient/a.b-c", &patient("a.b-c", "a")), status(201)),
        row("an id with an underscore", put("Patient/a_b", &patient("a_b", "a")), any(&[400, 404])),
        row("ids mind case", get("Patient/NEW"), refused(404, "not-found")),
    ]
}

fn deletes() -> Vec<Check> {
    vec![
        row("a delete", delete("Observation/o"), any(&[200, 204])),
        row("what was deleted is gone", get("Observation/o"), refused(410, "deleted")),
        row("HEAD says so too", ask("HEAD", "Observation/o"), status(410).empty()),
        row("it is not found", get("Observation?_id=o"), finds(&[]).total(0)),
        row("its last version is there", get("Observation/o/_history/1"), ok().at("/valueString", "x")),
        row("the deletion is a version without a body", get("Observation/o/_history/2"), refused(410, "deleted")),
        row("a delete again is no fault", delete("Observation/o"), any(&[200, 204])),
        row("and makes no version", get("Observation/o/_history/3"), refused(404, "not-found")),
        row("a delete of what never was", delete("Observation/never"), any(&[200, 204, 404])),
        row(
            "an update brings it back",
            put("Observation/o", &observation("o", json!({"valueString": "y"}))),
            any(&[200, 201]).header("ETag", "W/\"3\""),
        ),
        row("it is read again", get("Observation/o"), ok().at("/valueString", "y")),
        row("it is found again", get("Observation?_id=o"), finds(&["o"])),
        row("a delete of a version", delete("Observation/o/_history/1"), refused(405, "not-supported")),
    ]
}

fn places() -> Vec<Check> {
    vec![
        row(
            "OPTIONS says what goes",
            ask("OPTIONS", "Patient/p"),
            any(&[200, 204]).header_holds("Allow", "GET").header_holds("Allow", "DELETE"),
        ),
        row(
            "a method nobody knows",
            ask("BREW", "Patient/p"),
            refused(405, "not-supported").header_holds("Allow", "GET"),
        ),
        row("a path below an id that is none", get("Patient/p/nonsense/deeper/still"), refused(404, "not-supported")),
        row("an operation that is none", get("Patient/p/$nonsense"), any(&[404])),
        row("climbing out of the base", get("Patient/..%2F..%2Fmetadata"), refused(404, "not-found")),
        row("a path that is no text", get("Patient/%ff"), refused(404, "not-found")),
        row(
            "a decimal keeps its zeros",
            put("Observation/d", &json!({})).body(
                "application/fhir+json",
                with(observation("d", json!({})), json!({"valueQuantity": {"value": "DECIMAL"}}))
                    .to_string()
                    .replace("\"DECIMAL\"", "7.100"),
            ),
            status(201).holds("7.100"),
        ),
        row("and is read with them", get("Observation/d"), ok().holds("7.100")),
        row("and is found by its value", get("Observation?value-quantity=7.1&_id=d"), finds(&["d"]).holds("7.100")),
        row("members come in their order", get("Observation/d"), ok().holds("\"valueQuantity\"")),
    ]
}
