//! Content negotiation, preferences, conditional reads, tokens.
//!
//! Source: FHIR R4 http.html#mime-type, #cread, #ops; RFC 9110

use serde_json::{Value, json};

use crate::check::{Ask, Check, Who, any, ask, get, ok, post, put, refused, row, status};
use crate::seed::{patient, resource};

pub fn seed() -> Vec<Value> {
    vec![resource("Patient", "p", json!({"gender": "female"}))]
}

pub fn checks() -> Vec<Check> {
    [accepted(), sent(), preferred(), known(), languages(), tokens()].into_iter().flatten().collect()
}

fn accepted() -> Vec<Check> {
    let read = |accept: &str| get("Patient/p").with("Accept", accept);
    let json = || ok().header_holds("Content-Type", "application/fhir+json");
    let mut rows: Vec<Check> = [
        "application/fhir+json",
        "application/json",
        "text/json",
        "*/*",
        "application/*",
        "APPLICATION/FHIR+JSON",
        "application/fhir+json; fhirVersion=4.0",
        "application/fhir+json;charset=utf-8",
        "text/html, application/fhir+json",
        "image/png;q=0.9, */*;q=0.1",
        "application/fhir+json;q=0.5",
        "application/json, text/plain, */*",
    ]
    .iter()
    .map(|accept| row(&format!("Accept: {accept}"), read(accept), json()))
    .collect();
    rows.extend(
        [
            "image/png",
            "text/csv",
            "application/fhir+json; fhirVersion=3.0",
            "application/fhir+json;q=0",
            "application/pdf, image/*",
        ]
        .iter()
        .map(|accept| row(&format!("Accept: {accept}"), read(accept), refused(406, "not-supported"))),
    );
    for format in ["json", "application/json", "application/fhir%2Bjson", "application/fhir+json", "text/json"] {
        rows.push(row(&format!("_format={format}"), get(&format!("Patient/p?_format={format}")), json()));
    }
    rows.push(row("_format wins over Accept", get("Patient/p?_format=json").with("Accept", "image/png"), json()));
    rows.push(row("a _format that is none", get("Patient/p?_format=csv"), refused(406, "not-supported")));
    rows.push(row(
        "a _format that is none, though Accept is good",
        get("Patient/p?_format=csv").with("Accept", "application/fhir+json"),
        refused(406, "not-supported"),
    ));
    rows.push(row("_format on a search", get("Patient?_format=json"), json()));
    rows.push(row("_format on the history", get("Patient/p/_history?_format=json"), json()));
    rows
}

fn sent() -> Vec<Check> {
    let body = json!({"resourceType": "Patient"}).to_string();
    let send = |media: &str| ask("POST", "Patient").body(media, body.clone());
    let mut rows: Vec<Check> = [
        "application/fhir+json",
        "application/json",
        "text/json",
        "application/fhir+json; charset=UTF-8",
        "application/fhir+json; fhirVersion=4.0",
        "Application/FHIR+JSON",
    ]
    .iter()
    .map(|media| row(&format!("Content-Type: {media}"), send(media), status(201)))
    .collect();
    rows.extend(
        [
            "text/csv",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/fhir+json; charset=Shift_JIS",
            "application/fhir+json; fhirVersion=3.0",
            "application/octet-stream",
        ]
        .iter()
        .map(|media| row(&format!("Content-Type: {media}"), send(media), refused(415, "not-supported"))),
    );
    rows.push(row(
        "an update in another media type",
        ask("PUT", "Patient/p").body("text/csv", "x"),
        refused(415, "not-supported"),
    ));
    rows.push(row(
        "a Bundle in another media type",
        ask("POST", "").body("text/csv", "x"),
        refused(415, "not-supported"),
    ));
    rows.push(row(
        "a search form in JSON",
        ask("POST", "Patient/_search").body("application/fhir+json", "{}"),
        refused(415, "not-supported"),
    ));
    rows.push(row(
        "a byte order mark",
        ask("POST", "Patient").body("application/fhir+json", format!("\u{feff}{body}")),
        status(201),
    ));
    rows
}

fn preferred() -> Vec<Check> {
    let new = json!({"resourceType": "Patient", "gender": "male"});
    let create = |prefer: &str| post("Patient", &new).with("Prefer", prefer);
    let update = |prefer: &str| put("Patient/p", &patient("p", "x")).with("Prefer", prefer);
    vec![
        row(
            "create, return=minimal",
            create("return=minimal"),
            status(201).empty().header("ETag", "W/\"1\"").header_holds("Location", "/_history/1"),
        ),
        row(
            "create, return=representation",
            create("return=representation"),
            status(201).at("/resourceType", "Patient"),
        ),
        row(
            "create, return=OperationOutcome",
            create("return=OperationOutcome"),
            status(201).at("/resourceType", "OperationOutcome").at("/issue/0/severity", "information"),
        ),
        row("create, a preference nobody knows", create("return=nothing"), status(201).at("/resourceType", "Patient")),
        row("create, two preferences", create("respond-async=no, return=minimal"), status(201).empty()),
        row("update, return=minimal", update("return=minimal"), ok().empty().header("ETag", "W/\"2\"")),
        row(
            "update, return=representation",
            update("return=representation"),
            ok().at("/resourceType", "Patient").header("ETag", "W/\"3\""),
        ),
        row(
            "update, return=OperationOutcome",
            update("return=OperationOutcome"),
            ok().at("/resourceType", "OperationOutcome"),
        ),
        row(
            "read, return=minimal is still a read",
            get("Patient/p").with("Prefer", "return=minimal"),
            ok().at("/id", "p"),
        ),
        row(
            "handling=strict",
            get("Patient?nonsense=1").with("Prefer", "handling=strict"),
            refused(400, "not-supported").expression("nonsense"),
        ),
        row(
            "handling=lenient passes over and says so",
            get("Patient?nonsense=1&_id=p").with("Prefer", "handling=lenient"),
            ok().at("/type", "searchset").at("/total", 1).holds("\"mode\":\"outcome\""),
        ),
        row(
            "handling=lenient: self tells what was used",
            get("Patient?nonsense=1&_id=p").with("Prefer", "handling=lenient"),
            ok().link("self", "_id=p").lacks("nonsense=1"),
        ),
        row(
            "handling=lenient forgives no bad value",
            get("Patient?birthdate=soon").with("Prefer", "handling=lenient"),
            refused(400, "value"),
        ),
        row(
            "handling=lenient forgives no bad modifier",
            get("Patient?gender:exact=male").with("Prefer", "handling=lenient"),
            refused(400, "invalid"),
        ),
    ]
}

/// Conditional reads. The version is 4 by now.
fn known() -> Vec<Check> {
    let tag = |tag: &str| get("Patient/p").with("If-None-Match", tag);
    let since = |date: &str| get("Patient/p").with("If-Modified-Since", date);
    vec![
        row("the time is kept", get("Patient/p"), ok().header("ETag", "W/\"4\"").keep_header("Last-Modified", "time")),
        row("If-None-Match, the version there is", tag("W/\"4\""), status(304).empty().header("ETag", "W/\"4\"")),
        row("If-None-Match, strong", tag("\"4\""), status(304).empty()),
        row("If-None-Match, another version", tag("W/\"2\""), ok().at("/id", "p")),
        row("If-None-Match, one of several", tag("W/\"1\", W/\"4\""), status(304)),
        row("If-None-Match, any", tag("*"), status(304)),
        row("If-None-Match, a longer number", tag("W/\"44\""), ok()),
        row("If-None-Match of nothing", get("Patient/nobody").with("If-None-Match", "*"), refused(404, "not-found")),
        row("If-Modified-Since its time", since("{time}"), status(304).empty()),
        row("If-Modified-Since long ago", since("Sun, 06 Nov 1994 08:49:37 GMT"), ok()),
        row("If-Modified-Since the future", since("Wed, 21 Nov 2040 08:00:00 GMT"), status(304)),
        row("If-Modified-Since no date", since("yesterday"), ok()),
        row(
            "the tag goes before the date",
            tag("W/\"1\"").with("If-Modified-Since", "Wed, 21 Nov 2040 08:00:00 GMT"),
            ok(),
        ),
        row("HEAD, If-None-Match", ask("HEAD", "Patient/p").with("If-None-Match", "W/\"4\""), status(304).empty()),
    ]
}

fn languages() -> Vec<Check> {
    let lost = |language: &str| get("Patient/nobody").with("Accept-Language", language);
    let (japanese, english) = ("該当するリソースはありません", "There is no such resource");
    let told =
        |name: &str, language: &str, text: &str| row(name, lost(language), refused(404, "not-found").holds(text));
    vec![
        told("Japanese", "ja", japanese),
        told("Japanese of Japan", "ja-JP", japanese),
        told("English", "en", english),
        told("Japanese before English", "ja,en;q=0.5", japanese),
        told("English before Japanese", "ja;q=0.3,en;q=0.9", english),
        told("a language that is not there", "fr", english),
        told("French, then Japanese", "fr, ja;q=0.5", japanese),
        row("no language", get("Patient/nobody"), refused(404, "not-found").holds(english)),
        row(
            "the body is UTF-8",
            lost("ja"),
            refused(404, "not-found").header_holds("Content-Type", "application/fhir+json"),
        ),
    ]
}

fn tokens() -> Vec<Check> {
    let by = |who: Who| -> Ask { get("Patient/p").by(who) };
    vec![
        row("no token", by(Who::Nobody), refused(401, "login").header_holds("WWW-Authenticate", "Bearer")),
        row(
            "a token that was never given",
            by(Who::Forger),
            refused(401, "login").header_holds("WWW-Authenticate", "Bearer"),
        ),
        row("no token, a write", post("Patient", &patient("x", "y")).by(Who::Nobody), refused(401, "login")),
        row("no token, a search", get("Patient").by(Who::Nobody), refused(401, "login")),
        row(
            "no token, a Bundle",
            post("", &json!({"resourceType": "Bundle", "type": "batch"})).by(Who::Nobody),
            refused(401, "login"),
        ),
        row("no token: a bad type says no more", get("Patient/nobody").by(Who::Nobody), refused(401, "login")),
        row("another scheme", by(Who::Nobody).with("Authorization", "Basic dTpw"), refused(401, "login")),
        row("metadata is open", get("metadata").by(Who::Nobody), ok().at("/resourceType", "CapabilityStatement")),
        row("another's record is not there", get("Patient/p").by(Who::Mother), refused(404, "not-found")),
        row("another's record is not found", get("Patient?_id=p").by(Who::Mother), any(&[200]).at("/total", 0)),
        row("one's own is there", get("Patient/pt-hanako").by(Who::Mother), ok().at("/id", "pt-hanako")),
        row(
            "a write without its scope",
            put("Patient/pt-hanako", &patient("pt-hanako", "x")).by(Who::Mother),
            refused(403, "forbidden"),
        ),
        row("an answer is not to be kept", get("Patient/p"), ok().header("Cache-Control", "no-store")),
        row("a search is not to be kept", get("Patient?_id=p"), ok().header("Cache-Control", "no-store")),
        row("no guessing of media types", get("Patient/p"), ok().header("X-Content-Type-Options", "nosniff")),
    ]
}
