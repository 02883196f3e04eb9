//! What Consent and the clinical index look at: what a resource is about, of
//! whom, and when.
//!
//! To date or code one more type: its element's name in [`TIMES`] or [`CODES`].
//!
//! Source: FHIR R4 fivews.html

use std::collections::{BTreeSet, HashSet};

use techo_profiles::json::Json;

use super::kinds::Setting;
use super::kinds::date::element_span;
use super::kinds::reference::{is_id, place};
use super::row::{Clinical, Coding, Span};

/// The clinical facts, but for the compartment.
pub(super) fn clinical(resource_type: &str, resource: &Json, setting: Setting<'_>) -> Clinical {
    Clinical {
        codes: codes(resource_type, resource),
        categories: categories(resource),
        time: time(resource_type, resource, setting),
        compartment: Vec::new(),
        subjects: subjects(resource_type, resource, setting),
    }
}

/// The codings of the first of [`CODES`] that is there.
fn codes(resource_type: &str, resource: &Json) -> Vec<Coding> {
    let mut found = Codings::default();
    for name in clinical_elements(resource_type) {
        each_at(resource, name, &mut |json| add_concept(json, &mut found));
        if !found.list.is_empty() {
            return found.list;
        }
    }
    // A medicine may be named by a contained Medication.
    if let Some(id) = resource.at(&["medicationReference", "reference"]).and_then(Json::as_str)
        && let Some(id) = id.strip_prefix('#')
    {
        let contained = resource.list("contained").iter().find(|inner| inner.str("id") == Some(id));
        if let Some(code) = contained.and_then(|inner| inner.get("code")) {
            add_concept(code, &mut found);
        }
    }
    found.list
}

/// The elements that may hold the clinical code; the first that is there does.
pub(super) fn clinical_elements(resource_type: &str) -> &'static [&'static str] {
    CODES.iter().find(|(name, _)| *name == resource_type).map_or(OTHER_CODES, |(_, names)| names)
}

/// Whether a Patient in this element is a subject.
#[cfg(test)]
pub(super) fn is_subject(element: &str) -> bool {
    SUBJECTS.contains(&element)
}

fn categories(resource: &Json) -> Vec<Coding> {
    let mut found = Codings::default();
    if let Some(category) = resource.get("category") {
        category.each().iter().for_each(|json| add_concept(json, &mut found));
    }
    found.list
}

/// Codings in order, each once. Who sends many must not make each be compared with each.
#[derive(Default)]
struct Codings {
    list: Vec<Coding>,
    seen: HashSet<Coding>,
}

/// A `CodeableConcept`, a Coding, or a code.
fn add_concept(json: &Json, found: &mut Codings) {
    let mut add = |system: Option<&str>, code: Option<&str>| {
        if let Some(code) = code {
            let coding = Coding { system: system.unwrap_or_default().into(), code: code.into() };
            if found.seen.insert(coding.clone()) {
                found.list.push(coding);
            }
        }
    };
    add(None, json.as_str());
    add(json.str("system"), json.str("code"));
    for coding in json.list("coding") {
        add(coding.str("system"), coding.str("code"));
    }
}

/// When it happened: the first of [`TIMES`] that is there. A Condition lasts
/// until it abates.
fn time(resource_type: &str, resource: &Json, setting: Setting<'_>) -> Option<Span> {
    let span_at = |path: &str, type_name: &str| {
        let mut span = None;
        each_at(resource, path, &mut |json| {
            span = span.or_else(|| element_span(type_name, json, setting.local.zone()));
        });
        span
    };
    let mut fitting = TIMES.iter().filter(|(only, ..)| only.is_empty() || *only == resource_type);
    let mut span = fitting.find_map(|(_, path, type_name)| span_at(path, type_name))?;
    if resource_type == "Condition" {
        let end = span_at("abatementDateTime", "dateTime").or_else(|| span_at("abatementPeriod", "Period"));
        span.high = end.map_or(span.high, |end| end.high.max(span.high));
    }
    Some(span)
}

/// The Patients in a subject role.
fn subjects(resource_type: &str, resource: &Json, setting: Setting<'_>) -> Vec<Box<str>> {
    let patient = (setting.type_number)("Patient");
    let mut ids: BTreeSet<Box<str>> = BTreeSet::new();
    if resource_type == "Patient" {
        ids.extend(resource.str("id").filter(|id| is_id(id)).map(Box::from));
    }
    for name in SUBJECTS {
        let references = resource.get(name).map_or(&[][..], Json::each);
        for text in references.iter().filter_map(|reference| reference.str("reference")) {
            if let Some((kind, id)) = place(text, setting)
                && Some(kind) == patient
            {
                ids.insert(id.into());
            }
        }
    }
    ids.into_iter().collect()
}

/// Calls `found` with each value at a dotted path.
fn each_at(json: &Json, path: &str, found: &mut dyn FnMut(&Json)) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(value) = json.get(name) else { return };
    for item in value.each() {
        match rest {
            Some(rest) => each_at(item, rest, found),
            None => found(item),
        }
    }
}

/// The roles in which a Patient decides (`consent.md` §4.5).
pub(super) const SUBJECTS: &[&str] = &["subject", "patient", "for", "beneficiary", "individual"];

/// Where the clinical code is, by type.
const CODES: &[(&str, &[&str])] = &[
    ("DocumentReference", &["type"]),
    ("Composition", &["type"]),
    ("Encounter", &["type", "reasonCode"]),
    ("FamilyMemberHistory", &["condition.code"]),
    ("ImmunizationRecommendation", &["recommendation.vaccineCode", "recommendation.targetDisease"]),
    ("Specimen", &["type"]),
    ("AdverseEvent", &["event"]),
    ("Goal", &["description"]),
];

/// Where it is in all others.
const OTHER_CODES: &[&str] = &["code", "vaccineCode", "medicationCodeableConcept"];

/// Where the clinical time is: type (`""`: any), path, FHIR type; first wins.
const TIMES: &[(&str, &str, &str)] = &[
    ("", "effectiveDateTime", "dateTime"),
    ("", "effectivePeriod", "Period"),
    ("", "effectiveInstant", "instant"),
    ("", "effectiveTiming", "Timing"),
    ("", "occurrenceDateTime", "dateTime"),
    ("", "occurrencePeriod", "Period"),
    ("", "occurrenceTiming", "Timing"),
    ("", "occurredDateTime", "dateTime"),
    ("", "occurredPeriod", "Period"),
    ("", "performedDateTime", "dateTime"),
    ("", "performedPeriod", "Period"),
    ("", "onsetDateTime", "dateTime"),
    ("", "onsetPeriod", "Period"),
    ("", "whenHandedOver", "dateTime"),
    ("", "whenPrepared", "dateTime"),
    ("DocumentReference", "context.period", "Period"),
    ("Specimen", "collection.collectedDateTime", "dateTime"),
    ("Specimen", "collection.collectedPeriod", "Period"),
    ("Goal", "startDate", "date"),
    ("ImagingStudy", "started", "dateTime"),
    ("Appointment", "start", "instant"),
    ("Media", "createdDateTime", "dateTime"),
    ("Media", "createdPeriod", "Period"),
    ("Task", "executionPeriod", "Period"),
    ("Claim", "billablePeriod", "Period"),
    ("ExplanationOfBenefit", "billablePeriod", "Period"),
    ("", "period", "Period"),
    ("", "authoredOn", "dateTime"),
    ("", "authored", "dateTime"),
    ("", "dateTime", "dateTime"),
    ("", "recordedDate", "dateTime"),
    ("", "date", "dateTime"),
    ("", "sent", "dateTime"),
    ("", "issued", "instant"),
    ("", "created", "dateTime"),
    ("", "recorded", "instant"),
];

#[cfg(test)]
mod tests {
    use super::super::kinds::testing::setting;
    use super::*;
    use techo_profiles::json;

    fn coding(system: &str, code: &str) -> Coding {
        Coding { system: system.into(), code: code.into() }
    }

    #[test]
    fn codes_by_type() {
        let concept = |code: &str| json!({"coding": [{"system": "s", "code": (code)}]});
        for (kind, resource, expected) in [
            ("Observation", json!({"code": (concept("a")), "method": (concept("b"))}), vec![coding("s", "a")]),
            ("Immunization", json!({"vaccineCode": (concept("a"))}), vec![coding("s", "a")]),
            ("MedicationStatement", json!({"medicationCodeableConcept": (concept("a"))}), vec![coding("s", "a")]),
            (
                "MedicationStatement",
                json!({"contained": [{"resourceType": "Medication", "id": "m", "code": (concept("a"))}],
                       "medicationReference": {"reference": "#m"}}),
                vec![coding("s", "a")],
            ),
            ("MedicationStatement", json!({"medicationReference": {"reference": "Medication/m"}}), vec![]),
            (
                "FamilyMemberHistory",
                json!({"condition": [{"code": (concept("a"))}, {"code": (concept("b"))}]}),
                vec![coding("s", "a"), coding("s", "b")],
            ),
            ("Observation", json!({"code": {"text": "身長"}}), vec![]),
        ] {
            assert_eq!(codes(kind, &resource), expected, "{resource}");
        }
        let allergy = json!({"category": ["food"]});
        assert_eq!(categories(&allergy), [coding("", "food")]);
        assert_eq!(categories(&json!({"category": [(concept("x"))]})), [coding("s", "x")]);
    }

    #[test]
    fn times_by_type() {
        let start = |kind: &str, resource: Json| time(kind, &resource, setting()).map(|span| span.low);
        let second = |text: &str| Some(text.parse::<jiff::Timestamp>().expect(text).as_microsecond());
        for (kind, resource, expected) in [
            (
                "Observation",
                json!({"effectiveDateTime": "2024-01-01T00:00:00Z", "issued": "2025-01-01T00:00:00Z"}),
                second("2024-01-01T00:00:00Z"),
            ),
            (
                "Immunization",
                json!({"occurrenceString": "冬", "recorded": "2024-01-01T00:00:00Z"}),
                second("2024-01-01T00:00:00Z"),
            ),
            ("MedicationRequest", json!({"authoredOn": "2024-01-01T00:00:00Z"}), second("2024-01-01T00:00:00Z")),
            (
                "DocumentReference",
                json!({"date": "2025-01-01T00:00:00Z", "context": {"period": {"start": "2024-01-01T00:00:00Z"}}}),
                second("2024-01-01T00:00:00Z"),
            ),
            ("Patient", json!({"birthDate": "2024-01-01"}), None),
        ] {
            assert_eq!(start(kind, resource.clone()), expected, "{resource}");
        }
        let condition = json!({"onsetDateTime": "2020-01-01T00:00:00Z", "abatementDateTime": "2024-01-01T00:00:00Z"});
        let span = time("Condition", &condition, setting()).expect("a time");
        assert_eq!(Some(span.high), second("2024-01-01T00:00:01Z"));
    }

    #[test]
    fn subjects_are_local_patients_in_a_subject_role() {
        let of = |kind: &str, resource: Json| subjects(kind, &resource, setting());
        assert_eq!(of("Patient", json!({"id": "p"})), ["p".into()]);
        assert_eq!(
            of(
                "Observation",
                json!({"subject": {"reference": "Patient/p"}, "performer": [{"reference": "Patient/q"}]})
            ),
            ["p".into()]
        );
        assert_eq!(
            of(
                "Account",
                json!({"subject": [{"reference": "Patient/q"}, {"reference": "https://here.example/fhir/Patient/p"}, {"reference": "Group/g"}]})
            ),
            ["p".into(), "q".into()]
        );
        assert_eq!(
            of("Observation", json!({"subject": {"reference": "https://there.example/Patient/p"}})),
            Vec::<Box<str>>::new()
        );
    }
}
