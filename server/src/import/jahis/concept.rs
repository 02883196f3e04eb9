//! The few FHIR datatypes that all of a notebook's resources share.

use techo_profiles::json;
use techo_profiles::json::Json;

use super::record::Record;
use crate::import::draft::SUBJECT;

/// A reference to the citizen.
pub(super) fn subject() -> Json {
    json!({"reference": SUBJECT})
}

/// A reference to a contained resource.
pub(super) fn inside(id: &str) -> Json {
    json!({"reference": (format!("#{id}"))})
}

/// One coding.
pub(super) fn coding(system: &str, code: &str, display: Option<&str>) -> Json {
    json!({"system": system, "code": code}).with_some("display", display)
}

/// One coding as a concept.
pub(super) fn concept(coding: Json) -> Json {
    json!({"coding": [coding]})
}

/// A note with what it is about in front; a patient's own bears her reference.
pub(super) fn note(label: &str, text: &str, record: &Record) -> Json {
    let author = record.by_patient().then(subject);
    json!({}).with_some("authorReference", author).with("text", format!("{label}: {text}"))
}

/// An array member, left out where it would be empty.
pub(super) fn with_list(json: Json, name: &str, items: Vec<Json>) -> Json {
    if items.is_empty() { json } else { json.with(name, items) }
}
