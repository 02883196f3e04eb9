//! URI parameters: compared whole, case and all.
//!
//! Source: FHIR R4 search.html#uri

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::resource;

pub fn seed() -> Vec<Value> {
    let set = |id: &str, url: &str| resource("ValueSet", id, json!({"status": "draft", "url": url}));
    vec![
        set("a", "https://example.org/sets/a"),
        set("ab", "https://example.org/sets/ab"),
        set("sub", "https://example.org/sets/a/sub"),
        set("oid", "urn:oid:1.2.3.4"),
        set("query", "https://example.org/sets?x=1&y=2"),
        set("japan", "https://example.org/組/a"),
        resource("ValueSet", "none", json!({"status": "active"})),
        resource(
            "QuestionnaireResponse",
            "answers",
            json!({"status": "completed", "questionnaire": "https://example.org/base|1.0"}),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    vec![
        row("the whole", get("ValueSet?url=https://example.org/sets/a"), finds(&["a"])),
        row("percent-encoded", get("ValueSet?url=https%3A%2F%2Fexample.org%2Fsets%2Fa"), finds(&["a"])),
        row("no prefix", get("ValueSet?url=https://example.org/sets/"), finds(&[])),
        row("case matters", get("ValueSet?url=https://EXAMPLE.org/sets/a"), finds(&[])),
        row("a slash at the end matters", get("ValueSet?url=https://example.org/sets/a/"), finds(&[])),
        row("http is not https", get("ValueSet?url=http://example.org/sets/a"), finds(&[])),
        row("an OID", get("ValueSet?url=urn:oid:1.2.3.4"), finds(&["oid"])),
        row("no part of an OID", get("ValueSet?url=urn:oid:1.2.3"), finds(&[])),
        row("a URL with a query of its own", get("ValueSet?url=https://example.org/sets?x=1%26y=2"), finds(&["query"])),
        row("kanji", get("ValueSet?url=https://example.org/組/a"), finds(&["japan"])),
        row("two", get("ValueSet?url=urn:oid:1.2.3.4,https://example.org/sets/ab"), finds(&["oid", "ab"])),
        row("twice is and", get("ValueSet?url=urn:oid:1.2.3.4&url=https://example.org/sets/ab"), finds(&[])),
        row(":missing=true", get("ValueSet?url:missing=true"), finds(&["none"])),
        row(":missing=false", get("ValueSet?url:missing=false&status=active"), finds(&[])),
        row(
            "a canonical without its version",
            get("QuestionnaireResponse?questionnaire=https://example.org/base"),
            finds(&["answers"]),
        ),
        row(
            "a canonical with its version",
            get("QuestionnaireResponse?questionnaire=https://example.org/base|1.0"),
            finds(&["answers"]),
        ),
        row(
            "a canonical with another version",
            get("QuestionnaireResponse?questionnaire=https://example.org/base|2.0"),
            finds(&[]),
        ),
        row("no value", get("ValueSet?url="), refused(400, "value").expression("url")),
        row(
            "a modifier of strings",
            get("ValueSet?url:contains=sets"),
            refused(400, "invalid").expression("url:contains"),
        ),
        row("a modifier of tokens", get("ValueSet?url:not=urn:oid:1.2.3.4"), refused(400, "invalid")),
    ]
}
