//! `POST /fhir/$fhirpath`: an expression on a resource, each result with its type.
//!
//! Source: FHIR R4 fhirpath.html; FHIRPath 2.0

use serde_json::{Value, json};

use crate::check::{Check, Expect, Who, any, ok, post, refused, row};

pub fn seed() -> Vec<Value> {
    Vec::new()
}

fn asked(expression: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "expression", "valueString": expression},
        {"name": "resource", "resource": {
            "resourceType": "Patient", "id": "x", "active": true, "birthDate": "1990-05-20",
            "name": [{"use": "official", "family": "山田", "given": ["花子", "はな"]}, {"use": "usual", "text": "ハナ"}],
            "multipleBirthInteger": 2
        }}
    ]})
}

fn one(name: &str, expression: &str, member: &str, value: impl Into<Value>) -> Check {
    let expect: Expect =
        ok().at("/resourceType", "Parameters").length("/parameter", 1).at("/parameter/0/name", "result");
    row(name, post("$fhirpath", &asked(expression)), expect.at(&format!("/parameter/0/{member}"), value))
}

pub fn checks() -> Vec<Check> {
    vec![
        one("an element", "Patient.birthDate", "valueDate", "1990-05-20"),
        one("a truth", "Patient.active", "valueBoolean", true),
        one("where", "Patient.name.where(use = 'official').family", "valueString", "山田"),
        one("a choice", "Patient.multipleBirth", "valueInteger", 2),
        one("a sum", "1 + 2", "valueInteger", 3),
        one("a decimal keeps its zeros", "1.10 + 2.20", "valueDecimal", json!(3.3)),
        one("count", "Patient.name.given.count()", "valueInteger", 2),
        one("exists", "Patient.name.where(use = 'old').exists()", "valueBoolean", false),
        one("join", "Patient.name.given.join(' ')", "valueString", "花子 はな"),
        one("a union", "(Patient.name.family | Patient.name.text).count()", "valueInteger", 2),
        one("iif", "iif(Patient.active, 'yes', 'no')", "valueString", "yes"),
        one("a date compared", "Patient.birthDate < today()", "valueBoolean", true),
        one("a quantity converted", "1000 'g' = 1 'kg'", "valueBoolean", true),
        one("a type", "Patient.birthDate is date", "valueBoolean", true),
        one("the resource", "%resource.id = 'x'", "valueBoolean", true),
        row(
            "several, in order",
            post("$fhirpath", &asked("Patient.name.given")),
            ok().length("/parameter", 2).at("/parameter/0/valueString", "花子").at("/parameter/1/valueString", "はな"),
        ),
        row("none", post("$fhirpath", &asked("Patient.photo")), ok().absent("/parameter/0")),
        row(
            "a syntax that is none",
            post("$fhirpath", &asked("Patient.((")),
            any(&[400, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row(
            "a function that is none",
            post("$fhirpath", &asked("Patient.nonsense()")),
            any(&[400, 422]).at("/resourceType", "OperationOutcome"),
        ),
        row("no expression", post("$fhirpath", &json!({"resourceType": "Parameters"})), any(&[400])),
        row("no Parameters", post("$fhirpath", &json!({"resourceType": "Patient"})), any(&[400])),
        row("no token", post("$fhirpath", &asked("1")).by(Who::Nobody), refused(401, "login")),
    ]
}
