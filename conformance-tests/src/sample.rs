//! Resources that tests write.

use serde_json::{Value, json};

/// LOINC.
pub const LOINC: &str = "http://loinc.org";
/// UCUM.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// System of the identifiers that tests give.
pub const IDENTIFIERS: &str = "https://example.org/tests";

/// A person with a family name, an identifier and a birth date.
pub fn patient(family: &str, identifier: &str, birth: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{"system": IDENTIFIERS, "value": identifier}],
        "name": [{"use": "official", "family": family, "given": ["試子"]}],
        "gender": "female",
        "birthDate": birth
    })
}

/// A weight in kilograms, its decimals as written.
pub fn weight(patient: &str, date: &str, kilograms: &str) -> Value {
    quantity(patient, "29463-7", date, kilograms, "kg")
}

/// A height in centimetres.
pub fn height(patient: &str, date: &str, centimetres: &str) -> Value {
    quantity(patient, "8302-2", date, centimetres, "cm")
}

/// A vital sign of any code and unit.
pub fn quantity(patient: &str, code: &str, date: &str, value: &str, unit: &str) -> Value {
    let value: Value = serde_json::from_str(value).expect("a number");
    json!({
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": date,
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}
    })
}

/// A laboratory result with a coded value.
pub fn laboratory(patient: &str, date: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": "20454-5"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": date,
        "valueCodeableConcept": {"text": "-"}
    })
}

/// A bundle of `POST` entries, each `(fullUrl, resource)`.
pub fn transaction(entries: &[(String, Value)]) -> Value {
    let entries: Vec<Value> = entries
        .iter()
        .map(|(url, resource)| {
            json!({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

/// `urn:uuid:` with a number in it.
pub fn urn(number: u32) -> String {
    format!("urn:uuid:00000000-0000-4000-8000-{number:012}")
}

/// An active Consent of `patient` about one type and one actor.
pub fn consent(patient: &str, performer: &str, kind: &str, class: &str, actor: &str) -> Value {
    json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{patient}")},
        "dateTime": "2026-11-01T09:00:00+09:00",
        "performer": [{"reference": performer}],
        "organization": [{"reference": "Organization/org-city"}],
        "sourceAttachment": {"title": "what was shown"},
        "policy": [{"uri": "https://techo.example/fhir/policy/normal-treatment"}],
        "provision": {
            "type": kind,
            "actor": [{
                "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
                "reference": {"reference": actor}
            }],
            "class": [{"system": "http://hl7.org/fhir/resource-types", "code": class}]
        }
    })
}
