//! Token parameters: codes, identifiers, contacts, truth values.
//!
//! Source: FHIR R4 search.html#token

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{LOCAL, LOINC, observation, resource};

const IDS: &str = "https://example.org/ids";
const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

/// Observations by code, and two people by identifier, contact, gender, activity.
pub fn seed() -> Vec<Value> {
    let coded = |id: &str, coding: Value| observation(id, json!({"code": {"coding": coding}}));
    vec![
        resource(
            "Patient",
            "p",
            json!({
                "active": true,
                "gender": "female",
                "identifier": [
                    {"system": IDS, "value": "A-1", "type": {"coding": [{"system": V2, "code": "MR", "display": "Chart number"}]}},
                    {"value": "B-2"}
                ],
                "telecom": [{"system": "phone", "value": "090-1234-5678"}, {"system": "email", "value": "p@example.org"}]
            }),
        ),
        resource(
            "Patient",
            "q",
            json!({
                "active": false,
                "gender": "male",
                "identifier": [{"system": "https://example.org/other", "value": "A-1"}, {"system": IDS, "value": "C,3|x$y"}]
            }),
        ),
        coded("loinc", json!([{"system": LOINC, "code": "8302-2", "display": "Body height"}])),
        coded("local", json!([{"system": LOCAL, "code": "8302-2"}])),
        coded("bare", json!([{"code": "8302-2"}])),
        coded("both", json!([{"system": LOINC, "code": "29463-7"}, {"system": LOCAL, "code": "weight"}])),
        observation("text", json!({"code": {"text": "身長"}, "status": "preliminary"})),
    ]
}

pub fn checks() -> Vec<Check> {
    [systems(), several(), identifiers(), primitives(), modified(), bad()].into_iter().flatten().collect()
}

fn systems() -> Vec<Check> {
    vec![
        row("a code alone: any system or none", get("Observation?code=8302-2"), finds(&["loinc", "local", "bare"])),
        row("system|code", get("Observation?code=http://loinc.org|8302-2"), finds(&["loinc"])),
        row("another system|code", get("Observation?code=https://example.org/codes|8302-2"), finds(&["local"])),
        row("|code: no system", get("Observation?code=|8302-2"), finds(&["bare"])),
        row("system|: any code", get("Observation?code=http://loinc.org|"), finds(&["loinc", "both"])),
        row("system|: of the other", get("Observation?code=https://example.org/codes|"), finds(&["local", "both"])),
        row("any coding of a concept counts", get("Observation?code=weight"), finds(&["both"])),
        row(
            "a code and the system of the concept's other coding",
            get("Observation?code=http://loinc.org|weight"),
            finds(&[]),
        ),
        row("a system is no prefix", get("Observation?code=http://loinc.or|8302-2"), finds(&[])),
        row("a code is no prefix", get("Observation?code=8302"), finds(&[])),
        row("a code is no suffix", get("Observation?code=302-2"), finds(&[])),
        row("a display is no code", get("Observation?code=Body height"), finds(&[])),
        row("a text is no code", get("Observation?code=身長"), finds(&[])),
        row("the bar percent-encoded", get("Observation?code=http%3A%2F%2Floinc.org%7C8302-2"), finds(&["loinc"])),
        row("an unknown system", get("Observation?code=urn:oid:1.2.3|8302-2"), finds(&[])),
    ]
}

fn several() -> Vec<Check> {
    vec![
        row("a comma is or", get("Observation?code=weight,|8302-2"), finds(&["bare", "both"])),
        row("a comma, one of them unknown", get("Observation?code=weight,nothing"), finds(&["both"])),
        row("the same value twice", get("Observation?code=weight,weight"), finds(&["both"])),
        row("a parameter twice is and", get("Observation?code=29463-7&code=weight"), finds(&["both"])),
        row("a parameter twice, not both hold", get("Observation?code=8302-2&code=weight"), finds(&[])),
        row("or within and", get("Observation?code=8302-2,29463-7&code=http://loinc.org|"), finds(&["loinc", "both"])),
        row("two parameters are and", get("Observation?code=8302-2&status=final"), finds(&["loinc", "local", "bare"])),
        row("two parameters, one fails", get("Observation?code=8302-2&status=amended"), finds(&[])),
        row("the order of parameters is no matter", get("Observation?status=final&code=weight"), finds(&["both"])),
        row("a trailing & is nothing", get("Observation?code=weight&"), finds(&["both"])),
    ]
}

fn identifiers() -> Vec<Check> {
    vec![
        row("an identifier's value in any system", get("Patient?identifier=A-1"), finds(&["p", "q"])),
        row("system|value", get("Patient?identifier=https://example.org/ids|A-1"), finds(&["p"])),
        row("|value: no system", get("Patient?identifier=|B-2"), finds(&["p"])),
        row("|value of one that has a system", get("Patient?identifier=|A-1"), finds(&[])),
        row("system|: any value", get("Patient?identifier=https://example.org/ids|"), finds(&["p", "q"])),
        row("a value is no prefix", get("Patient?identifier=A-"), finds(&[])),
        row(
            "escaped comma, bar and dollar",
            get("Patient?identifier=https://example.org/ids|C\\,3\\|x\\$y"),
            finds(&["q"]),
        ),
        row("an escaped value alone", get("Patient?identifier=C\\,3\\|x\\$y"), finds(&["q"])),
        row("the comma not escaped: two values", get("Patient?identifier=C,3"), finds(&[])),
        row("two identifiers of one person", get("Patient?identifier=A-1&identifier=B-2"), finds(&["p"])),
    ]
}

fn primitives() -> Vec<Check> {
    vec![
        row("a code", get("Patient?gender=female"), finds(&["p"])),
        row(
            "a code with the system its binding implies",
            get("Patient?gender=http://hl7.org/fhir/administrative-gender|male"),
            finds(&["q"]),
        ),
        row("a code with another system", get("Patient?gender=https://example.org/codes|male"), finds(&[])),
        row("a code of one or the other", get("Patient?gender=female,male"), finds(&["p", "q"])),
        row("true", get("Patient?active=true"), finds(&["p"])),
        row("false", get("Patient?active=false"), finds(&["q"])),
        row("a status", get("Observation?status=preliminary"), finds(&["text"])),
        row("a contact by its value", get("Patient?telecom=090-1234-5678"), finds(&["p"])),
        row("a telephone number without hyphens", get("Patient?telecom=09012345678"), finds(&["p"])),
        row("only the telephones", get("Patient?phone=090-1234-5678"), finds(&["p"])),
        row("an address of mail", get("Patient?email=p@example.org"), finds(&["p"])),
        row("an address of mail is no telephone", get("Patient?phone=p@example.org"), finds(&[])),
        row("_id", get("Patient?_id=p"), finds(&["p"])),
        row("_id of several", get("Patient?_id=p,q,r"), finds(&["p", "q"])),
        row("_id of another type", get("Patient?_id=loinc"), finds(&[])),
        row("_id twice is and", get("Patient?_id=p&_id=q"), finds(&[])),
        row("an id is exact", get("Patient?_id=P"), finds(&[])),
    ]
}

fn modified() -> Vec<Check> {
    let all_but = ["local", "bare", "both", "text"];
    vec![
        row(":not", get("Observation?code:not=http://loinc.org|8302-2"), finds(&all_but)),
        row(":not finds what has no code at all", get("Observation?code:not=8302-2"), finds(&["both", "text"])),
        row(":not of several is none of them", get("Observation?code:not=8302-2,weight"), finds(&["text"])),
        row(":not twice", get("Observation?code:not=8302-2&code:not=weight"), finds(&["text"])),
        row(":not on a code of a status", get("Observation?status:not=final"), finds(&["text"])),
        row(
            ":not where the element is absent",
            get("Observation?category:not=laboratory&status=preliminary"),
            finds(&["text"]),
        ),
        row(":not on an identifier", get("Patient?identifier:not=https://example.org/ids|A-1"), finds(&["q"])),
        row(":not on a truth value", get("Patient?active:not=true"), finds(&["q"])),
        row("_id:not", get("Patient?_id:not=p"), finds(&["q"])),
        row(":text on a display", get("Observation?code:text=body"), finds(&["loinc"])),
        row(":text on the text of a concept", get("Observation?code:text=身長"), finds(&["text"])),
        row(":text on the type of an identifier", get("Patient?identifier:text=chart"), finds(&["p"])),
        row(":text is no code", get("Observation?code:text=8302-2"), finds(&[])),
        row(":missing=true", get("Observation?category:missing=true&status=preliminary"), finds(&["text"])),
        row(":missing=false", get("Observation?category:missing=false"), finds(&[])),
        row("a text alone is a code that is not missing", get("Observation?code:missing=true"), finds(&[])),
        row(":missing on an identifier", get("Patient?telecom:missing=true"), finds(&["q"])),
        row(":missing=false on an identifier", get("Patient?telecom:missing=false"), finds(&["p"])),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("an empty value", get("Observation?code="), refused(400, "value").expression("code")),
        row("an empty alternative", get("Observation?code=weight,"), refused(400, "value").expression("code")),
        row("a bar alone", get("Observation?code=|"), refused(400, "value").expression("code")),
        row(
            "a modifier of strings",
            get("Observation?code:exact=weight"),
            refused(400, "invalid").expression("code:exact"),
        ),
        row("a modifier that nobody knows", get("Observation?code:nonsense=weight"), refused(400, "invalid")),
        row("an empty modifier", get("Observation?code:=weight"), refused(400, "invalid")),
        row(":missing of no truth value", get("Observation?code:missing=perhaps"), refused(400, "value")),
        row("a type as modifier", get("Observation?code:Patient=weight"), refused(400, "invalid")),
        row(
            "a parameter of another type",
            get("Observation?gender=male"),
            refused(400, "not-supported").expression("gender"),
        ),
        row("a parameter in capitals", get("Observation?Code=weight"), refused(400, "not-supported")),
    ]
}
