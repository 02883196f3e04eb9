//! Records 3 and 31 → `MedicationStatement` of what the citizen bought herself.

use jiff::civil::Date;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::account::{Account, fault};
use super::concept::{coding, concept, note, subject, with_list};
use super::group::Otc;
use super::record::Record;
use super::{NAME, code, meta};
use crate::import::draft::{Draft, key};

/// One medicine; none if it is dated in the future.
pub(super) fn draft(medicine: &Otc, today: Date, account: &mut Account) -> Option<Draft> {
    let record = &medicine.record;
    let start = record.date("start", account).and_then(|found| found.day());
    let end = record.date("end", account).and_then(|found| found.day());
    if start.is_some_and(|start| start > today) {
        account.tell_in(&fault::DATE_FUTURE, record.at, record.label("start"));
        return None;
    }
    let reversed = start.zip(end).is_some_and(|(start, end)| end < start);
    if reversed {
        account.tell_in(&fault::PERIOD_REVERSED, record.at, record.label("end"));
    }
    let end = end.filter(|_| !reversed);
    for used in medicine.ingredients.iter().chain([record]) {
        account.used(used.at);
    }
    let status = match end {
        Some(end) if end < today => "completed",
        // What someone noted of herself and never closed may be long over.
        None if record.by_patient() => "unknown",
        Some(_) | None => "active",
    };
    let period =
        json!({}).with_some("start", start.map(|day| day.to_string())).with_some("end", end.map(|day| day.to_string()));
    let category = coding(CATEGORY, "patientspecified", Some("Patient Specified"));
    let (medication, identity) = medication(record, account);
    let statement = json!({"resourceType": "MedicationStatement", "meta": (meta("JP_MedicationStatement"))})
        .with("status", status)
        .with_some("category", record.by_patient().then(|| concept(category)))
        .with("medicationCodeableConcept", medication)
        .with("subject", subject())
        .with_some("effectivePeriod", (!period.members().is_empty()).then_some(period))
        .with_some("informationSource", record.by_patient().then(subject));
    let statement = with_list(statement, "note", medicine.ingredients.iter().map(ingredient).collect());
    let started = start.map(|day| day.to_string()).unwrap_or_default();
    let key = key(&[NAME, "otc", &identity, &started]);
    Some(Draft { incidental: &["status"], ..Draft::put(key, statement, record.at) })
}

/// The medicine by name and JAN, and by what it is known again.
fn medication(record: &Record, account: &mut Account) -> (Json, String) {
    let name = record.get("name").unwrap_or_default();
    let mut codings = Vec::new();
    let mut identity = name.to_owned();
    if let Some(jan) = record.get("jan") {
        match code::jan_system(jan) {
            Some(system) => {
                codings.push(coding(&system, jan, Some(name)));
                identity = format!("jan:{jan}");
            }
            None => account.tell_in(&fault::CODE_SHAPE, record.at, record.label("jan")),
        }
    }
    (with_list(json!({}), "coding", codings).with("text", name), identity)
}

/// What the profile leaves no other place for: it asks for the product itself.
fn ingredient(record: &Record) -> Json {
    let name = record.get("name").unwrap_or_default();
    let code = record.get("code").filter(|_| record.get("code-kind") == Some("2"));
    let text = code.map_or_else(|| name.to_owned(), |code| format!("{name}({code})"));
    note("成分", &text, record)
}

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/medication-statement-category";
