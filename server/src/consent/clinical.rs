//! What a decision needs to know of one stored resource: its [`Facts`].
//!
//! The store writes them into its clinical index when a resource is written, and
//! turns a [`Predicate`] into SQL over that index; [`Predicate::holds`] is the
//! same question put to the facts in memory, for writes (nothing is stored yet)
//! and for tests. Both sides must read the facts from here, or they drift.
//!
//! To date one more type: a row in [`TIMES`].

use std::ops::Range;

use jiff::tz::TimeZone;
use techo_profiles::json::Json;

use super::predicate::Predicate;
use super::view::CustodianKey;
use super::{instant, label};

/// What a [`Predicate`] can ask of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The resource type.
    pub kind: Box<str>,
    /// The notebook's kind, 1–9.
    pub notebook: Option<u8>,
    /// Every coding outside `meta`: system and code.
    pub codes: Vec<Coding>,
    /// The codings in `category`.
    pub categories: Vec<Coding>,
    /// The clinical time; `None` if unknown.
    pub time: Option<Range<i64>>,
    /// The custodian.
    pub keeper: Option<CustodianKey>,
    /// Written by a professional in a session.
    pub authored: bool,
}

/// System, if there is one, and code.
pub type Coding = (Option<Box<str>>, Box<str>);

impl Facts {
    /// The facts that the resource itself holds; custody is the store's to add.
    ///
    /// * `updated`: `meta.lastUpdated` in microseconds, the time of types that have no other.
    /// * `zone`: where the day of a date without time begins and ends.
    pub fn of(resource: &Json, updated: i64, zone: &TimeZone) -> Self {
        let kind = resource.str("resourceType").unwrap_or_default();
        let mut codes = Vec::new();
        for member in resource.members().iter().filter(|member| &*member.name != "meta") {
            collect(&member.value, &mut codes);
        }
        let mut categories = Vec::new();
        if let Some(category) = resource.get("category") {
            collect(category, &mut categories);
        }
        Self {
            kind: kind.into(),
            notebook: label::tagged(resource),
            codes,
            categories,
            time: time(resource, kind, updated, zone),
            keeper: None,
            authored: false,
        }
    }
}

impl Predicate {
    /// Whether a resource of these facts fulfils the condition.
    pub fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::Not(part) => !part.holds(facts),
            Self::Type(kind) => *kind == facts.kind,
            Self::Kind(kind) => facts.notebook == Some(*kind),
            Self::Code { system, code } => coded(&facts.codes, system.as_deref(), code),
            Self::Category { system, code } => coded(&facts.categories, system.as_deref(), code),
            Self::Within { from, until } => {
                facts.time.as_ref().is_some_and(|time| *from <= time.start && time.end <= *until)
            }
            Self::Touches { from, until } => {
                facts.time.as_ref().is_none_or(|time| time.start < *until && *from < time.end)
            }
            Self::Keeper(key) => facts.keeper == Some(*key),
            Self::Authored => facts.authored,
        }
    }
}

fn coded(codings: &[Coding], system: Option<&str>, code: &str) -> bool {
    codings.iter().any(|own| *own.1 == *code && (system.is_none() || own.0.as_deref() == system))
}

/// Every object that reads as a Coding: a `code`, mostly with a `system`, and no
/// `value` (a Quantity has a code too).
fn collect(json: &Json, found: &mut Vec<Coding>) {
    for part in json.each() {
        // Items of `coding` may lack a system; a Coding that stands alone is known by having one.
        for coding in part.list("coding") {
            add(coding, found);
        }
        if part.get("system").is_some() && part.get("value").is_none() {
            add(part, found);
        }
        for member in part.members().iter().filter(|member| &*member.name != "coding") {
            collect(&member.value, found);
        }
    }
}

fn add(coding: &Json, found: &mut Vec<Coding>) {
    if let Some(code) = coding.str("code") {
        let own = (coding.str("system").map(Into::into), code.into());
        if !found.contains(&own) {
            found.push(own);
        }
    }
}

/// The clinical time: the first listed element that is there. A type without a
/// row is as old as its last update; a listed type whose element is missing, or
/// says an age or words, is of unknown time.
fn time(resource: &Json, kind: &str, updated: i64, zone: &TimeZone) -> Option<Range<i64>> {
    let Some((_, names)) = TIMES.iter().find(|(types, _)| types.contains(&kind)) else {
        return Some(updated..updated.saturating_add(1));
    };
    let present =
        |name: &str| FORMS.iter().find_map(|form| resource.get(&format!("{name}{form}")).map(|value| (*form, value)));
    let (form, value) = names.iter().find_map(|name| present(name))?;
    match form {
        "Age" | "Range" | "String" | "CodeableConcept" => None,
        _ if value.get("event").is_some() => moments(value.list("event"), zone),
        _ => match value.as_str() {
            Some(text) => instant::span(text, zone),
            None => instant::period(value, zone),
        },
    }
}

/// From the first of several moments to the last.
fn moments(events: &[Json], zone: &TimeZone) -> Option<Range<i64>> {
    let spans: Option<Vec<_>> = events.iter().map(|event| instant::span(event.as_str()?, zone)).collect();
    let spans = spans?;
    Some(spans.iter().map(|span| span.start).min()?..spans.iter().map(|span| span.end).max()?)
}

/// The spellings of a choice element.
const FORMS: &[&str] =
    &["", "DateTime", "Date", "Period", "Instant", "Timing", "Age", "Range", "String", "CodeableConcept"];

/// Which elements hold the clinical time, the first that is there.
const TIMES: &[(&[&str], &[&str])] = &[
    (&["Observation", "DiagnosticReport", "MedicationStatement", "MedicationAdministration"], &["effective"]),
    (&["ClinicalImpression"], &["effective", "date"]),
    (&["Immunization", "RiskAssessment", "ChargeItem", "SupplyDelivery"], &["occurrence"]),
    (&["ServiceRequest", "CommunicationRequest", "DeviceRequest", "SupplyRequest"], &["occurrence", "authoredOn"]),
    (&["Procedure"], &["performed"]),
    (&["Condition", "AllergyIntolerance"], &["onset", "recordedDate"]),
    (&["MedicationRequest", "Task", "RequestGroup"], &["authoredOn"]),
    (&["MedicationDispense"], &["whenHandedOver", "whenPrepared"]),
    (&["Encounter", "EpisodeOfCare", "Flag", "Coverage", "CareTeam"], &["period"]),
    (&["CarePlan"], &["period", "created"]),
    (&["Goal"], &["start", "statusDate"]),
    (&["Communication"], &["sent", "received"]),
    (&["QuestionnaireResponse"], &["authored"]),
    (&["Media", "Basic"], &["created"]),
    (&["ImagingStudy"], &["started"]),
    (&["DeviceUseStatement"], &["timing", "recordedOn"]),
    (&["ExplanationOfBenefit", "Claim"], &["billablePeriod", "created"]),
    (&["Appointment"], &["start"]),
    (&["Consent", "NutritionOrder"], &["dateTime"]),
    (
        &[
            "AdverseEvent",
            "Composition",
            "DocumentReference",
            "FamilyMemberHistory",
            "ImmunizationEvaluation",
            "ImmunizationRecommendation",
            "Invoice",
            "List",
            "MeasureReport",
        ],
        &["date"],
    ),
    (&["Provenance"], &["occurred", "recorded"]),
    (&["AuditEvent"], &["period", "recorded"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        Facts::of(&Json::parse(text.as_bytes()).expect("JSON"), 7, &TimeZone::UTC)
    }

    #[test]
    fn clinical_times() {
        let day = |text: &str| instant::span(text, &TimeZone::UTC);
        for (text, expected) in [
            (r#"{"resourceType":"Observation","effectiveDateTime":"2024-01-02"}"#, day("2024-01-02")),
            (
                r#"{"resourceType":"Observation","effectivePeriod":{"start":"2024-01-01","end":"2024-01-31"}}"#,
                day("2024-01"),
            ),
            (
                r#"{"resourceType":"Observation","effectiveTiming":{"event":["2024-01-31","2024-01-01"]}}"#,
                day("2024-01"),
            ),
            (r#"{"resourceType":"Observation","issued":"2024-01-02T00:00:00Z"}"#, None),
            (r#"{"resourceType":"Immunization","occurrenceString":"spring"}"#, None),
            (r#"{"resourceType":"Immunization","occurrenceDateTime":"2024"}"#, day("2024")),
            (r#"{"resourceType":"Condition","onsetAge":{"value":3},"recordedDate":"2024"}"#, None),
            (r#"{"resourceType":"Condition","recordedDate":"2024"}"#, day("2024")),
            (r#"{"resourceType":"Patient","birthDate":"2024"}"#, Some(7..8)),
        ] {
            assert_eq!(facts(text).time, expected, "{text}");
        }
    }

    #[test]
    fn every_coding_is_found_but_no_unit() {
        let found = facts(
            r#"{"resourceType":"Observation","meta":{"tag":[{"system":"t","code":"m"}]},
                "category":[{"coding":[{"system":"c","code":"1"}]}],
                "code":{"coding":[{"system":"a","code":"2"},{"code":"3"}]},
                "valueQuantity":{"value":1,"system":"u","code":"kg"},
                "component":[{"code":{"coding":[{"system":"a","code":"4"}]}}]}"#,
        );
        let texts = |list: &[Coding]| -> Vec<String> {
            list.iter().map(|(system, code)| format!("{}|{code}", system.as_deref().unwrap_or_default())).collect()
        };
        assert_eq!(texts(&found.codes), ["c|1", "a|2", "|3", "a|4"]);
        assert_eq!(texts(&found.categories), ["c|1"]);
        assert_eq!(facts(r#"{"resourceType":"Encounter","class":{"system":"s","code":"AMB"}}"#).codes.len(), 1);
    }

    #[test]
    fn atoms() {
        let own = Facts {
            kind: "Observation".into(),
            notebook: Some(6),
            time: Some(10..20),
            keeper: Some(4),
            ..Facts::default()
        };
        for (predicate, expected) in [
            (Predicate::Within { from: 10, until: 20 }, true),
            (Predicate::Within { from: 11, until: 20 }, false),
            (Predicate::Touches { from: 19, until: 30 }, true),
            (Predicate::Touches { from: 20, until: 30 }, false),
            (Predicate::Kind(6), true),
            (Predicate::Kind(5), false),
            (Predicate::Keeper(4), true),
            (Predicate::Keeper(5), false),
            (Predicate::Authored, false),
        ] {
            assert_eq!(predicate.holds(&own), expected, "{predicate:?}");
        }
        let undated = Facts { time: None, ..own };
        assert!(!Predicate::Within { from: i64::MIN, until: i64::MAX }.holds(&undated));
        assert!(Predicate::Touches { from: 10, until: 11 }.holds(&undated));
    }
}
