//! The Consent that approving an app files (`consent.md` §10): people and apps
//! appear in one list and are revoked alike.
//!
//! It stands for the triple (approver, client, patient). Types that were ticked
//! become `class`, what may be done with them `action`, and a `?category=` scope
//! the `code` beside its type. One provision cannot say different things of
//! different types, so the first group of scopes makes the root and every other
//! an exception of the same type; the root then says `permit` itself, where
//! otherwise `policyRule` says it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::policy::LOCAL_BASE;
use crate::auth::scope::{Action, Category, Context, ResourceScope, Scopes};

/// An approval.
#[derive(Clone, Copy, Debug)]
pub struct Approval<'a> {
    /// Reference of the approver in the role in which she holds authority over
    /// the patient: `RelatedPerson/rp-hanako-mei`.
    pub performer: &'a str,
    /// The client's id.
    pub client: &'a str,
    /// The client's name, as the page showed it.
    pub client_name: &'a str,
    /// Id of the Patient.
    pub patient: &'a str,
    /// Reference of the Organization that runs this server.
    pub organization: &'a str,
    /// The scopes that were ticked.
    pub scopes: &'a Scopes,
    /// The text that the page showed.
    pub text: &'a str,
    /// Its language: `ja` or `en`.
    pub language: &'a str,
    /// When.
    pub at: Timestamp,
    /// Until when, if there is an end.
    pub until: Option<Timestamp>,
}

/// The `identifier.value` of the triple: filing it again supersedes the one before.
pub fn triple(performer: &str, client: &str, patient: &str) -> String {
    format!("{performer}|Device/{client}|Patient/{patient}")
}

/// The system of [`triple`].
pub fn triple_system() -> String {
    format!("{LOCAL_BASE}/Id/app-consent")
}

/// The Consent to file, without an id; `None` if no data scope was ticked.
pub fn consent(approval: &Approval<'_>) -> Option<Json> {
    let groups = groups(approval.scopes);
    let (root, others) = groups.split_first()?;
    let text = json!({
        "contentType": "text/plain; charset=utf-8",
        "language": (approval.language),
        "data": (STANDARD.encode(approval.text)),
        "title": (approval.client_name),
        "creation": (approval.at.to_string())
    });
    Some(json!({
        "resourceType": "Consent",
        "identifier": [{
            "system": (triple_system()),
            "value": (triple(approval.performer, approval.client, approval.patient))
        }],
        "status": "active",
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": "patient-privacy"
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": (format!("Patient/{}", approval.patient))},
        "dateTime": (approval.at.to_string()),
        "performer": [{"reference": (approval.performer)}],
        "organization": [{"reference": (approval.organization)}],
        "sourceAttachment": (text),
        "policyRule": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "OPTIN"
        }]},
        "provision": (provision(approval, root, others))
    }))
}

fn provision(approval: &Approval<'_>, root: &Group, others: &[Group]) -> Json {
    let end = approval.until.map(|until| until.to_string());
    let period = json!({"start": (approval.at.to_string())}).with_some("end", end);
    let actor = json!({
        "role": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
            "code": "IRCP"
        }]},
        "reference": {"reference": (format!("Device/{}", approval.client)), "display": (approval.client_name)}
    });
    // R4 leaves the root's type to policyRule; exceptions of that same type need it said.
    let own = (!others.is_empty()).then_some("permit");
    let nested: Vec<Json> = others.iter().map(|group| group.matchers(json!({"type": "permit"}))).collect();
    let root = root
        .matchers(Json::object::<&str>([]).with_some("type", own).with("period", period).with("actor", vec![actor]));
    root.with_some("provision", (!nested.is_empty()).then_some(nested))
}

/// Scopes that one provision can say.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    /// `consentaction` codes.
    deeds: Vec<&'static str>,
    /// Only these categories; all, if empty.
    categories: Vec<Category>,
    /// Resource types; every type, if empty.
    kinds: Vec<Box<str>>,
}

impl Group {
    /// Adds what the group says to a provision.
    fn matchers(&self, provision: Json) -> Json {
        let action = |code: &&'static str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": (*code)}]});
        let class = |kind: &str| json!({"system": "http://hl7.org/fhir/resource-types", "code": (kind)});
        let code = |(system, code): &Category| {
            let coding = Json::object::<&str>([]).with_some("system", system.as_deref()).with("code", &**code);
            json!({"coding": [(coding)]})
        };
        let list = |items: Vec<Json>| (!items.is_empty()).then_some(items);
        provision
            .with_some("action", list(self.deeds.iter().map(action).collect()))
            .with_some("class", list(self.kinds.iter().map(|kind| class(kind)).collect()))
            .with_some("code", list(self.categories.iter().map(code).collect()))
    }
}

/// The scopes in groups. The first can stand above all others: it is about every
/// type if one is, and has no categories if one has none; what it leaves unsaid,
/// the others need not take back.
fn groups(scopes: &Scopes) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for scope in scopes.resources().filter(|scope| scope.context != Context::System) {
        let deeds = deeds(scope);
        let alike = groups.iter_mut().find(|group| match (&scope.kind, group.kinds.is_empty()) {
            (None, every) => every,
            (Some(_), every) => !every && group.deeds == deeds && group.categories == scope.categories,
        });
        match alike {
            Some(group) => group.add(scope.kind.as_deref(), deeds),
            None => groups.push(Group {
                deeds,
                categories: scope.categories.clone(),
                kinds: scope.kind.iter().cloned().collect(),
            }),
        }
    }
    groups.sort_by_key(|group| (!group.kinds.is_empty(), !group.categories.is_empty()));
    groups
}

impl Group {
    fn add(&mut self, kind: Option<&str>, deeds: Vec<&'static str>) {
        for deed in deeds {
            if !self.deeds.contains(&deed) {
                self.deeds.push(deed);
            }
        }
        if let Some(kind) = kind
            && !self.kinds.iter().any(|own| **own == *kind)
        {
            self.kinds.push(kind.into());
        }
    }
}

/// What the letters of a scope are as consent actions. An app is outside of every
/// custodian, so what it may read is also disclosed.
fn deeds(scope: &ResourceScope) -> Vec<&'static str> {
    let mut deeds = Vec::new();
    let has = |action| scope.actions.has(action);
    if has(Action::Read) || has(Action::Search) {
        deeds.extend(["access", "disclose"]);
    }
    if has(Action::Create) {
        deeds.push("collect");
    }
    if has(Action::Update) || has(Action::Delete) {
        deeds.push("correct");
    }
    deeds
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::super::caller::{Action as Doing, Authority, Caller, Candidate, Client, User};
    use super::super::clinical::Facts;
    use super::super::policy::compile;
    use super::super::view::Row;
    use super::super::worlds::{WorldTerms, purpose};
    use super::*;

    fn approval(scopes: &Scopes) -> Approval<'_> {
        Approval {
            performer: "Patient/mother",
            client: "app-a",
            client_name: "母子アプリ",
            patient: "mother",
            organization: "Organization/town",
            scopes,
            text: "アプリに見せる情報",
            language: "ja",
            at: Timestamp::UNIX_EPOCH,
            until: None,
        }
    }

    /// What the filed Consent alone lets the app do, for a token that may do all.
    fn allowed(scopes: &str, action: Doing) -> String {
        let scopes = Scopes::known(scopes);
        let filed = consent(&approval(&scopes)).expect("a data scope");
        let policy = compile(&filed, &WorldTerms, &TimeZone::UTC).expect("enforceable").expect("it decides");
        let caller = Caller {
            client: Client { id: "app-a".into(), ..Client::default() },
            user: Some(User { references: vec!["Patient/mother".into()], ..User::default() }),
            purpose: purpose("PATRQT"),
            scopes: Scopes::known("patient/*.cruds"),
            patient: Some("mother".into()),
        };
        let candidate = Candidate {
            citizen: 1,
            patient: "mother".into(),
            authority: Some(Authority::OWN),
            blocked: false,
            consents: vec![Arc::new(policy)],
        };
        let view = super::super::decide(&caller, 1, action, &[candidate], &super::super::stance::Others::default());
        let records = [
            (
                'v',
                json!({"resourceType": "Observation", "category": [{"coding": [{"system": "c", "code": "vital-signs"}]}]}),
            ),
            (
                'l',
                json!({"resourceType": "Observation", "category": [{"coding": [{"system": "c", "code": "laboratory"}]}]}),
            ),
            ('i', json!({"resourceType": "Immunization"})),
            ('m', json!({"resourceType": "MedicationStatement"})),
        ];
        let shows = |resource: &Json| view.shows(&Row { id: "x", facts: &Facts::of(resource, None), subjects: &[1] });
        records.iter().filter(|(_, resource)| shows(resource)).map(|(letter, _)| *letter).collect()
    }

    #[test]
    fn what_was_ticked_is_what_the_consent_lets_through() {
        for (scopes, reads, creates) in [
            ("patient/*.rs openid", "vlim", ""),
            ("patient/Immunization.rs patient/Observation.rs", "vli", ""),
            ("patient/Immunization.rs patient/Observation.cruds", "vli", "vl"),
            ("patient/*.rs patient/MedicationStatement.c", "vlim", "m"),
            ("patient/*.c patient/*.read", "vlim", "vlim"),
            ("patient/Observation.rs?category=vital-signs", "v", ""),
            ("patient/Observation.rs?category=c|laboratory patient/Immunization.r", "li", ""),
            ("patient/Observation.rs?category=vital-signs patient/Observation.rs?category=c|laboratory", "vl", ""),
            ("user/Immunization.read", "i", ""),
        ] {
            assert_eq!(allowed(scopes, Doing::Read), reads, "{scopes}");
            assert_eq!(allowed(scopes, Doing::Create), creates, "{scopes}");
        }
        let none = Scopes::known("openid fhirUser launch/patient offline_access system/*.rs");
        assert_eq!(consent(&approval(&none)), None);
    }

    #[test]
    fn it_keeps_the_text_and_stands_for_the_triple() {
        let scopes = Scopes::known("patient/*.rs");
        let filed = consent(&approval(&scopes)).expect("a data scope");
        let data = filed.at(&["sourceAttachment", "data"]).and_then(Json::as_str).expect("the text");
        assert_eq!(STANDARD.decode(data).ok().as_deref(), Some("アプリに見せる情報".as_bytes()));
        assert_eq!(filed.list("identifier")[0].str("value"), Some("Patient/mother|Device/app-a|Patient/mother"));
        assert_eq!(filed.at(&["provision", "type"]), None, "policyRule says it");
    }
}
