//! Which of the notebook's nine kinds a record is, told at write by its type and
//! content (`consent.md` §13). A Consent can then share "vaccinations" without
//! naming types.
//!
//! [`RULES`] is read from the top; the first row that fits decides. A client's
//! own tag never counts: whoever could choose the kind could choose who sees it.
//! An importer knows what its file is and may say so (a medication notebook's
//! original is about medicines, though a DocumentReference is "other").
//!
//! To move a type to another kind: its row. To tell a new source apart: a row
//! above the type's own, with the mark by which its records are known.

use techo_profiles::json;
use techo_profiles::json::Json;

use super::policy::KIND_SYSTEM;

/// One of the nine kinds: its number, and its name in Japanese and English.
pub const KINDS: [(u8, &str, &str); 9] = [
    (1, "日々の健康", "Daily health"),
    (2, "受診・診断・コメント", "Visits, diagnoses, comments"),
    (3, "薬・アレルギー", "Medicines and allergies"),
    (4, "かかりつけ医", "Own doctor"),
    (5, "予防接種", "Vaccinations"),
    (6, "健診", "Check-ups"),
    (7, "保健指導", "Guidance"),
    (8, "医療費", "Medical fees"),
    (9, "その他", "Other: photos, diary, documents"),
];

/// The kind of `resource`.
pub fn kind(resource: &Json) -> u8 {
    let name = resource.str("resourceType").unwrap_or_default();
    let fits = |rule: &&Rule| (rule.types.is_empty() || rule.types.contains(&name)) && rule.mark.is_on(resource);
    RULES.iter().find(fits).map_or(OTHER, |rule| rule.kind)
}

/// The kind of a resource that an importer made.
///
/// * `said`: what the importer knows it to be; a number outside 1–9 does not count.
pub fn kind_said(resource: &Json, said: Option<u8>) -> u8 {
    said.filter(|kind| (1..=9).contains(kind)).unwrap_or_else(|| kind(resource))
}

/// The `meta.tag` entry of a kind.
pub fn tag(kind: u8) -> Json {
    let display = KINDS.iter().find(|(number, ..)| *number == kind).map(|(_, japanese, _)| *japanese);
    json!({"system": (KIND_SYSTEM), "code": (kind.to_string())}).with_some("display", display)
}

/// Whether a `meta.tag` entry speaks of the kind: such entries of a client are
/// dropped before the server's own is set.
pub fn is_tag(coding: &Json) -> bool {
    coding.str("system") == Some(KIND_SYSTEM)
}

/// The kind that a stored resource is tagged with.
pub fn tagged(resource: &Json) -> Option<u8> {
    let tags = resource.get("meta").map_or(&[][..], |meta| meta.list("tag"));
    tags.iter().find(|tag| is_tag(tag)).and_then(|tag| tag.str("code")?.parse().ok())
}

/// One row: these types (all, if none), where the mark is on them.
struct Rule {
    types: &'static [&'static str],
    mark: Mark,
    kind: u8,
}

/// Something by which a record tells where it belongs.
enum Mark {
    /// Nothing: the type alone decides.
    None,
    /// A `category` with one of these codes, in any system.
    Category(&'static [&'static str]),
    /// A coding in `category`, `class`, `type` or `code` of a system that begins so.
    System(&'static [&'static str]),
    /// An identifier of a system that ends so.
    Identifier(&'static [&'static str]),
}

const OTHER: u8 = 9;

/// Lists of check-up reports, in the three spellings in use.
const CHECKUP_SYSTEMS: &[&str] = &[
    "urn:oid:2.16.840.1.113883.2.2.1.6.1001",
    "urn:oid:1.2.392.200119.6.1001",
    "urn:oid:1.2.392.200119.6.1005",
    "http://jpfhir.jp/fhir/eCheckup/CodeSystem/",
    "https://techo.example/fhir/CodeSystem/infant-checkup",
];

const fn types(types: &'static [&'static str], kind: u8) -> Rule {
    Rule { types, mark: Mark::None, kind }
}

const RULES: &[Rule] = &[
    Rule {
        types: &["Observation", "DiagnosticReport", "Encounter", "QuestionnaireResponse", "DocumentReference"],
        mark: Mark::System(CHECKUP_SYSTEMS),
        kind: 6,
    },
    Rule {
        types: &["Observation", "DiagnosticReport", "Encounter", "QuestionnaireResponse", "DocumentReference"],
        mark: Mark::Identifier(&["-checkup"]),
        kind: 6,
    },
    Rule {
        types: &["Observation"],
        mark: Mark::System(&["https://techo.example/fhir/CodeSystem/milestone"]),
        kind: OTHER,
    },
    Rule {
        types: &["Observation"],
        mark: Mark::Category(&["vital-signs", "activity", "social-history", "body-measurement", "survey"]),
        kind: 1,
    },
    Rule {
        types: &["Observation"],
        mark: Mark::Category(&["laboratory", "imaging", "exam", "procedure", "therapy"]),
        kind: 6,
    },
    types(&["Observation", "DeviceUseStatement", "Device", "NutritionOrder"], 1),
    Rule { types: &["Communication"], mark: Mark::Category(&["instruction", "guidance"]), kind: 7 },
    types(
        &[
            "Encounter",
            "Condition",
            "Procedure",
            "ClinicalImpression",
            "Communication",
            "CommunicationRequest",
            "ServiceRequest",
            "Appointment",
            "AppointmentResponse",
            "FamilyMemberHistory",
            "AdverseEvent",
            "Flag",
            "RiskAssessment",
        ],
        2,
    ),
    types(
        &[
            "MedicationStatement",
            "MedicationRequest",
            "MedicationDispense",
            "MedicationAdministration",
            "AllergyIntolerance",
            "DetectedIssue",
        ],
        3,
    ),
    // Patient.generalPractitioner is where the own doctor stands.
    types(&["Patient", "CareTeam", "EpisodeOfCare"], 4),
    types(&["Immunization", "ImmunizationRecommendation", "ImmunizationEvaluation"], 5),
    types(&["DiagnosticReport", "Specimen", "ImagingStudy"], 6),
    types(&["CarePlan", "Goal", "RequestGroup"], 7),
    types(
        &[
            "ExplanationOfBenefit",
            "Claim",
            "ClaimResponse",
            "Coverage",
            "CoverageEligibilityRequest",
            "CoverageEligibilityResponse",
            "Invoice",
            "ChargeItem",
            "Account",
            "PaymentNotice",
            "PaymentReconciliation",
        ],
        8,
    ),
    types(&[], OTHER),
];

impl Mark {
    fn is_on(&self, resource: &Json) -> bool {
        match self {
            Self::None => true,
            Self::Category(codes) => codings(resource, &["category"])
                .any(|coding| coding.str("code").is_some_and(|code| codes.contains(&code))),
            Self::System(systems) => codings(resource, &["category", "class", "type", "code"]).any(|coding| {
                coding.str("system").is_some_and(|system| systems.iter().any(|start| system.starts_with(start)))
            }),
            Self::Identifier(ends) => resource.get("identifier").map_or(&[][..], Json::each).iter().any(|identifier| {
                identifier.str("system").is_some_and(|system| ends.iter().any(|end| system.ends_with(end)))
            }),
        }
    }
}

/// The codings in these elements, whether CodeableConcept or Coding.
fn codings<'a>(resource: &'a Json, names: &'static [&'static str]) -> impl Iterator<Item = &'a Json> {
    let elements = names.iter().filter_map(|name| resource.get(name)).flat_map(Json::each);
    elements.flat_map(|element| match element.get("coding") {
        Some(codings) => codings.each(),
        None => std::slice::from_ref(element),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_type_and_content() {
        let checkup = r#""identifier":[{"system":"https://techo.example/fhir/Id/municipal-checkup","value":"x"}]"#;
        let vital = r#""category":[{"coding":[{"code":"vital-signs"}]}]"#;
        for (rest, said, expected) in [
            (format!(r#"Observation",{vital}"#), None, 1),
            (format!(r#"Observation",{vital},{checkup}"#), None, 6),
            (r#"Observation","category":[{"coding":[{"code":"laboratory"}]}]"#.to_owned(), None, 6),
            (r#"Observation""#.to_owned(), None, 1),
            (r#"Encounter""#.to_owned(), None, 2),
            (
                r#"Encounter","class":{"system":"http://jpfhir.jp/fhir/eCheckup/CodeSystem/encounter-category","code":"checkup"}"#.to_owned(),
                None,
                6,
            ),
            (r#"MedicationStatement""#.to_owned(), None, 3),
            (r#"AllergyIntolerance""#.to_owned(), None, 3),
            (r#"Patient""#.to_owned(), None, 4),
            (r#"Immunization""#.to_owned(), None, 5),
            (r#"DiagnosticReport""#.to_owned(), None, 6),
            (r#"CarePlan""#.to_owned(), None, 7),
            (r#"Communication","category":[{"coding":[{"code":"instruction"}]}]"#.to_owned(), None, 7),
            (r#"Communication""#.to_owned(), None, 2),
            (r#"ExplanationOfBenefit""#.to_owned(), None, 8),
            (r#"DocumentReference""#.to_owned(), None, 9),
            (r#"DocumentReference""#.to_owned(), Some(3), 3),
            (r#"DocumentReference""#.to_owned(), Some(12), 9),
            (r#"Media""#.to_owned(), None, 9),
            (r#"SomethingNew""#.to_owned(), None, 9),
            (
                r#"Media","meta":{"tag":[{"system":"https://techo.example/fhir/CodeSystem/kind","code":"1"}]}"#.to_owned(),
                None,
                9,
            ),
        ] {
            let text = format!(r#"{{"resourceType":"{rest}}}"#);
            let resource = Json::parse(text.as_bytes()).expect("JSON");
            assert_eq!(kind_said(&resource, said), expected, "{text}");
        }
    }

    #[test]
    fn the_tag_is_read_back() {
        for (number, ..) in KINDS {
            let resource = json!({"resourceType": "Basic", "meta": {"tag": [{"code": "x"}, (tag(number))]}});
            assert_eq!(tagged(&resource), Some(number));
        }
        assert_eq!(tagged(&json!({"resourceType": "Basic"})), None);
    }
}
