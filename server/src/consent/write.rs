//! May this be written? Decided from the token, the resource and the people it
//! is about, before any stored data is looked up, so that 403 tells nothing.
//!
//! This judges what is *to be* stored. What is stored already (the version that
//! an update or delete would replace) is reached through the [`View`] for that
//! action, or is not there. So a record moves to another person only if both the
//! old and the new may be written, and within a patient context never.
//!
//! [`View`]: super::View
//!
//! Source: `requirements/consent.md` §2 (custodian), §6 (writes), §9; SMART SCP-11

use std::ops::Range;

use techo_profiles::json::Json;

use super::caller::{Action, Caller, Candidate};
use super::clinical::Facts;
use super::decide::{by_scope, rows};
use super::gate::{Access, Gate, contexts};
use super::predicate::Predicate;
use super::subject::local;
use super::view::{CitizenKey, CustodianKey};
use crate::auth::scope::Context;
use crate::store::facts::Custody;

/// A write that is asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Microseconds since 1970.
    pub now: i64,
    /// `Create` or `Update`; a delete has no content, the gate and the view judge it.
    pub action: Action,
    /// The resource as it would be stored.
    pub resource: &'a Json,
    /// One entry for each patient whom it is about; of a Patient, itself.
    pub subjects: &'a [Subject],
    /// Whose the version before is.
    pub existing: Option<Keeping>,
    /// What the version before says, of a Consent.
    pub before: Option<&'a Json>,
    /// The clinical time of the resource; asked only where a Consent has a `dataPeriod`.
    pub time: &'a dyn Fn() -> Option<Range<i64>>,
}

/// A patient whom the resource is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Id of the Patient, as named.
    pub patient: Box<str>,
    /// Who keeps her Patient; `None` if there is no such Patient.
    pub custodian: Option<CustodianKey>,
    /// What decides about her; `None` if there is no such Patient.
    pub candidate: Option<Candidate>,
    /// References that hold authority over her now, beside her own Patient.
    pub holders: Vec<Box<str>>,
}

/// Whose a record is: set at creation, never changed by an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// The Organization, or the citizen herself.
    pub custodian: CustodianKey,
    /// How it came there.
    pub custody: Custody,
}

impl Keeping {
    /// An Organization's own record, through custodial ingestion.
    pub fn published(organization: CustodianKey) -> Self {
        Self { custodian: organization, custody: Custody::Published }
    }

    /// The Organization whose backend filed it as its custodian, of a Consent.
    pub fn filer(self) -> Option<CustodianKey> {
        (self.custody == Custody::Published).then_some(self.custodian)
    }

    /// Written by a professional in a session: her Organization's.
    pub fn authored(organization: CustodianKey) -> Self {
        Self { custodian: organization, custody: Custody::Authored }
    }

    /// Entered, scanned, uploaded or fetched for the citizen: hers.
    pub fn returned(citizen: CitizenKey) -> Self {
        Self { custodian: citizen, custody: Custody::Returned }
    }
}

/// Why a write is refused: 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No scope for this action and type, or for its category.
    #[error("the token has no scope for this")]
    Scope,
    /// About someone other than the patient in context, or someone this caller may not write about.
    #[error("this may not be written about this patient")]
    Patient,
    /// A type that is about nobody: its custodian's alone to write.
    #[error("only a custodian may write a resource that is about nobody")]
    Nobody,
    /// A Patient is made by a custodian or an account, not by an app.
    #[error("a new Patient is made by a custodian or an account only")]
    NewPatient,
    /// A Consent is the patient's, or that of someone who holds authority over her.
    #[error("only the patient, or someone who holds authority over her, may give consent")]
    Consent,
}

impl Denied {
    /// The text in English.
    pub fn text(self) -> String {
        let mut text = self.to_string();
        text[..1].make_ascii_uppercase();
        text.push('.');
        text
    }

    /// The text in Japanese.
    pub fn text_ja(self) -> &'static str {
        match self {
            Self::Scope => "この操作に必要なスコープがトークンにありません。",
            Self::Patient => "この患者についての記録は書き込めません。",
            Self::Nobody => "特定の人についてではないリソースは、その管理者だけが書き込めます。",
            Self::NewPatient => "新しいPatientは、管理者またはアカウント登録によってのみ作られます。",
            Self::Consent => "同意を与えられるのは、本人または本人に代わる権限を持つ人だけです。",
        }
    }
}

/// Whether this may be written, and whose the record is or would be.
///
/// # Errors
/// The first reason against it.
pub fn decide(asked: &Asked<'_>) -> Result<Keeping, Denied> {
    if Gate::of(asked.caller).may(asked.action, asked.kind()) == Access::No {
        return Err(Denied::Scope);
    }
    scoped(asked)?;
    let keeping = match asked.caller.publisher() {
        Some(key) => published(asked, key)?,
        None => by_right(asked)?,
    };
    Ok(asked.existing.unwrap_or(keeping))
}

impl Asked<'_> {
    fn kind(&self) -> &str {
        self.resource.str("resourceType").unwrap_or_default()
    }

    /// A Patient that does not exist yet.
    fn is_newborn(&self) -> bool {
        self.kind() == "Patient" && self.existing.is_none()
    }

    /// Whether the resource as it would be stored fulfils `rule`.
    ///
    /// * `keeper`: of the Patient whom a new one is about: who files Consents for her lets
    ///   others write about her.
    fn fulfils(&self, rule: &Predicate, keeper: Option<CustodianKey>) -> bool {
        let rule = rule.for_type(self.kind());
        match rule {
            Predicate::Always => true,
            Predicate::Never => false,
            _ => {
                let mut facts = Facts::of(self.resource, if rule.is_dated() { (self.time)() } else { None });
                facts.keeper = self.existing.map_or(keeper, |before| Some(before.custodian));
                facts.authored = self.existing.is_some_and(|before| before.custody == Custody::Authored);
                rule.holds(&facts)
            }
        }
    }
}

/// The scopes, with their categories and their patient.
fn scoped(asked: &Asked<'_>) -> Result<(), Denied> {
    let caller = asked.caller;
    if caller.client.portal {
        return Ok(());
    }
    let mut reason = Denied::Scope;
    for context in contexts(caller) {
        if !asked.fulfils(&by_scope(caller, context, asked.action, asked.kind()), None) {
            continue;
        }
        let bound = caller.patient.as_deref().filter(|_| context == Context::Patient);
        if context != Context::Patient || in_context(asked, bound) {
            return Ok(());
        }
        reason = Denied::Patient;
    }
    Err(reason)
}

/// Whether it is about the patient in context and nobody else.
fn in_context(asked: &Asked<'_>, bound: Option<&str>) -> bool {
    let same = |subject: &Subject| Some(&*subject.patient) == bound;
    !asked.is_newborn() && !asked.subjects.is_empty() && asked.subjects.iter().all(same)
}

/// Custodial ingestion: about people whose Patient is one's own, or about nobody.
fn published(asked: &Asked<'_>, key: CustodianKey) -> Result<Keeping, Denied> {
    let consent = asked.kind() == "Consent";
    if consent && asked.subjects.is_empty() {
        return Err(Denied::Consent);
    }
    for subject in asked.subjects.iter().filter(|_| !asked.is_newborn()) {
        let blocked = subject.candidate.as_ref().is_none_or(|candidate| candidate.blocked);
        if blocked || subject.custodian != Some(key) {
            return Err(Denied::Patient);
        }
        if consent && !performers_hold(asked.resource, subject) {
            return Err(Denied::Consent);
        }
    }
    Ok(Keeping::published(key))
}

/// A user, by her authority or by Consent; or a backend that carries what a
/// Consent lets its Organization collect.
fn by_right(asked: &Asked<'_>) -> Result<Keeping, Denied> {
    if asked.is_newborn() {
        return Err(Denied::NewPatient);
    }
    let Some(first) = asked.subjects.first() else { return Err(Denied::Nobody) };
    for subject in asked.subjects {
        let consent = asked.kind() == "Consent";
        // Alike for someone who is not here and someone over whom she holds nothing.
        let unknown = if consent { Denied::Consent } else { Denied::Patient };
        let candidate = subject.candidate.as_ref().ok_or(unknown)?;
        if consent {
            consent_by_user(asked, subject, candidate)?;
        }
        if !asked.fulfils(&rows(asked.caller, asked.now, asked.action, candidate), subject.custodian) {
            return Err(Denied::Patient);
        }
    }
    match (asked.caller.acting_for(), &first.candidate) {
        (Some(work), _) => Ok(Keeping::authored(work.organization.key)),
        // Of several subjects, the record lies with the first.
        (None, Some(candidate)) => Ok(Keeping::returned(candidate.citizen)),
        (None, None) => Err(Denied::Patient),
    }
}

/// A user gives or changes a Consent: in her own name, with authority. Another
/// guardian's she may only revoke, and what was given in that name stays as it was.
fn consent_by_user(asked: &Asked<'_>, subject: &Subject, candidate: &Candidate) -> Result<(), Denied> {
    let references = asked.caller.user.as_ref().map_or(&[][..], |user| &user.references);
    let is_own =
        |consent: &Json| performers(consent).all(|performer| references.iter().any(|one| Some(&**one) == performer));
    let own = asked.before.is_none_or(is_own) && is_own(asked.resource);
    let revokes = asked.before.is_some_and(|before| only_ends(before, asked.resource));
    let rightful = own && performers_hold(asked.resource, subject) || revokes;
    if candidate.under_authority(asked.now) && rightful { Ok(()) } else { Err(Denied::Consent) }
}

/// Whether a Consent says what it said before, and is in force no more.
fn only_ends(before: &Json, after: &Json) -> bool {
    // A narrative goes where what it tells has changed.
    let same = |one: &Json, other: &Json| {
        let kept = one.members().iter().filter(|member| !matches!(&*member.name, "status" | "meta" | "text"));
        kept.into_iter().all(|member| other.get(&member.name) == Some(&member.value))
    };
    let narrative = after.get("text").is_none_or(|text| before.get("text") == Some(text));
    after.str("status") == Some("inactive") && narrative && same(before, after) && same(after, before)
}

/// Whether everyone who gave the Consent holds authority over its patient, and someone gave it.
fn performers_hold(consent: &Json, subject: &Subject) -> bool {
    let own = format!("Patient/{}", subject.patient);
    let holds = |performer: Option<&str>| {
        performer.is_some_and(|text| *text == *own || subject.holders.iter().any(|holder| **holder == *text))
    };
    performers(consent).count() > 0 && performers(consent).all(holds)
}

/// Who gave it, by literal reference; `None` for one who is named otherwise.
fn performers(consent: &Json) -> impl Iterator<Item = Option<&str>> {
    consent.list("performer").iter().map(|one| one.str("reference").filter(|text| local(text, "").is_some()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;
    use techo_profiles::json;

    use super::super::caller::{Authority, Client, Membership, Organization, User};
    use super::super::policy::compile;
    use super::super::worlds::{WorldTerms, purpose};
    use super::*;
    use crate::auth::scope::Scopes;

    const TOWN: CustodianKey = 502;

    fn organization(id: &str, key: CustodianKey) -> Organization {
        Organization { reference: format!("Organization/{id}").into(), key, people: vec![] }
    }

    fn caller(client: Client, references: &[&str], scopes: &str, patient: Option<&str>) -> Caller {
        let references: Vec<Box<str>> = references.iter().map(|&one| one.into()).collect();
        Caller {
            client,
            user: (!references.is_empty()).then(|| User { references, ..User::default() }),
            purpose: purpose("TREAT"),
            scopes: Scopes::known(scopes),
            patient: patient.map(Into::into),
        }
    }

    fn app(scopes: &str) -> Caller {
        caller(Client { id: "app-a".into(), ..Client::default() }, &["Patient/mother"], scopes, Some("mother"))
    }

    fn portal() -> Caller {
        caller(Client { id: "portal".into(), portal: true, ..Client::default() }, &["Patient/mother"], "", None)
    }

    fn importer() -> Caller {
        let client = Client {
            id: "tester".into(),
            organization: Some(organization("town", TOWN)),
            custodial: true,
            portal: false,
        };
        caller(client, &[], "system/*.cruds", None)
    }

    fn doctor() -> Caller {
        let client = Client { id: "ehr".into(), organization: Some(organization("clinic", 501)), ..Client::default() };
        let mut doctor = caller(client, &["Practitioner/doctor"], "user/*.cruds", None);
        let work = Membership { organization: organization("clinic", 501), roles: vec!["physician".into()] };
        doctor.user.as_mut().expect("a user").memberships.push(work);
        doctor
    }

    /// A permission of these actions for this actor, given by the mother.
    fn consents(actor: &str, actions: &[&str]) -> Vec<Arc<super::super::Policy>> {
        let actions = actions.iter().map(|code| {
            json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": (*code)}]})
        });
        let consent = json!({
            "resourceType": "Consent", "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "patient": {"reference": "Patient/mother"}, "dateTime": "2024", "sourceAttachment": {"title": "t"},
            "performer": [{"reference": "Patient/mother"}], "organization": [{"reference": "Organization/town"}],
            "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
            "provision": {
                "actor": [{
                    "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
                    "reference": {"reference": (actor)}
                }],
                "action": (Json::array(actions)),
                "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]
            }
        });
        let policy = compile(&consent, &WorldTerms, &TimeZone::UTC).expect("enforceable").expect("it decides");
        vec![Arc::new(policy)]
    }

    /// The mother, who signed in; her town's Patient or her own.
    fn mother(authority: bool, custodian: CustodianKey, consents: Vec<Arc<super::super::Policy>>) -> Subject {
        Subject {
            patient: "mother".into(),
            custodian: Some(custodian),
            candidate: Some(Candidate {
                citizen: 1,
                patient: "mother".into(),
                authority: authority.then_some(Authority::OWN),
                blocked: false,
                consents,
            }),
            holders: vec![],
        }
    }

    fn nobody_known() -> Subject {
        Subject { patient: "other".into(), custodian: None, candidate: None, holders: vec![] }
    }

    fn asked(
        caller: &Caller,
        action: Action,
        resource: &Json,
        subjects: &[Subject],
        existing: Option<Keeping>,
    ) -> Result<Keeping, Denied> {
        asked_after(caller, action, (resource, None), subjects, existing)
    }

    /// * `resource`: and what the version before says, of a Consent.
    fn asked_after(
        caller: &Caller,
        action: Action,
        (resource, before): (&Json, Option<&Json>),
        subjects: &[Subject],
        existing: Option<Keeping>,
    ) -> Result<Keeping, Denied> {
        decide(&Asked { caller, now: 0, action, resource, subjects, existing, before, time: &|| None })
    }

    #[test]
    fn records() {
        let observation = json!({"resourceType": "Observation", "category": [{"coding": [{"code": "survey"}]}]});
        let returned = Ok(Keeping::returned(1));
        let collects = || consents("Device/app-a", &["access", "collect"]);
        for (name, caller, subjects, expected) in [
            ("the portal", portal(), vec![mother(true, 1, vec![])], returned),
            ("the portal, of another", portal(), vec![mother(false, 1, vec![])], Err(Denied::Patient)),
            ("an app that may", app("patient/Observation.c"), vec![mother(true, 1, collects())], returned),
            ("its scope lacks c", app("patient/Observation.rs"), vec![mother(true, 1, collects())], Err(Denied::Scope)),
            ("its category", app("patient/Observation.c?category=survey"), vec![mother(true, 1, collects())], returned),
            (
                "another category",
                app("patient/Observation.c?category=exam"),
                vec![mother(true, 1, collects())],
                Err(Denied::Scope),
            ),
            ("no Consent", app("patient/Observation.c"), vec![mother(true, 1, vec![])], Err(Denied::Patient)),
            (
                "a Consent to read",
                app("patient/Observation.c"),
                vec![mother(true, 1, consents("Device/app-a", &["access"]))],
                Err(Denied::Patient),
            ),
            ("outside the context", app("patient/Observation.c"), vec![nobody_known()], Err(Denied::Patient)),
            (
                "partly outside",
                app("patient/Observation.c"),
                vec![mother(true, 1, collects()), nobody_known()],
                Err(Denied::Patient),
            ),
            ("about nobody", app("patient/Observation.c"), vec![], Err(Denied::Patient)),
            (
                "a doctor who may",
                doctor(),
                vec![mother(false, 1, consents("Organization/clinic", &["collect"]))],
                Ok(Keeping::authored(501)),
            ),
            (
                "a doctor who may read",
                doctor(),
                vec![mother(false, 1, consents("Organization/clinic", &["access"]))],
                Err(Denied::Patient),
            ),
            ("a doctor, about nobody", doctor(), vec![], Err(Denied::Nobody)),
            ("a publisher", importer(), vec![mother(false, TOWN, vec![])], Ok(Keeping::published(TOWN))),
            ("a publisher, of another's Patient", importer(), vec![mother(false, 1, vec![])], Err(Denied::Patient)),
            ("a publisher, of no Patient", importer(), vec![nobody_known()], Err(Denied::Patient)),
            ("a publisher, about nobody", importer(), vec![], Ok(Keeping::published(TOWN))),
        ] {
            assert_eq!(asked(&caller, Action::Create, &observation, &subjects, None), expected, "{name}");
        }
        let before = Some(Keeping::published(7));
        let kept = asked(&portal(), Action::Update, &observation, &[mother(true, 1, vec![])], before);
        assert_eq!(kept, Ok(Keeping::published(7)), "an update does not change whose it is");
    }

    #[test]
    fn patients_and_audit_events() {
        let patient = json!({"resourceType": "Patient"});
        let itself = || vec![Subject { patient: "new".into(), custodian: None, candidate: None, holders: vec![] }];
        for (caller, expected) in [
            (importer(), Ok(Keeping::published(TOWN))),
            (app("patient/Patient.c"), Err(Denied::Patient)),
            (app("user/Patient.c"), Err(Denied::NewPatient)),
            (doctor(), Err(Denied::NewPatient)),
        ] {
            assert_eq!(asked(&caller, Action::Create, &patient, &itself(), None), expected, "{}", caller.client.id);
        }
        let event = json!({"resourceType": "AuditEvent"});
        for caller in [importer(), portal(), app("patient/*.cruds"), doctor()] {
            let subjects = [mother(true, TOWN, vec![])];
            assert_eq!(
                asked(&caller, Action::Create, &event, &subjects, None),
                Err(Denied::Scope),
                "{}",
                caller.client.id
            );
        }
    }

    #[test]
    fn who_may_give_consent() {
        let by = |performer: &str| json!({"resourceType": "Consent", "status": "active", "performer": [{"reference": (performer)}]});
        let own = by("Patient/mother");
        let guardian = || Subject { holders: vec!["RelatedPerson/father".into()], ..mother(true, 1, vec![]) };
        let (create, no) = (Action::Create, Err(Denied::Consent));
        for (name, caller, action, consent, subject, before, expected) in [
            ("herself", portal(), create, own.clone(), mother(true, 1, vec![]), None, Ok(Keeping::returned(1))),
            ("no authority", portal(), create, own.clone(), mother(false, 1, vec![]), None, no),
            ("in another's name", portal(), create, by("RelatedPerson/father"), guardian(), None, no),
            ("without a performer", portal(), create, by("#x"), guardian(), None, no),
            (
                "a doctor",
                doctor(),
                create,
                own.clone(),
                mother(false, 1, consents("Organization/clinic", &["collect"])),
                None,
                no,
            ),
            (
                "a publisher of hers",
                importer(),
                create,
                own.clone(),
                mother(false, TOWN, vec![]),
                None,
                Ok(Keeping::published(TOWN)),
            ),
            ("a publisher of another", importer(), create, own, mother(false, 1, vec![]), None, Err(Denied::Patient)),
            (
                "by one without authority",
                importer(),
                create,
                by("RelatedPerson/x"),
                mother(false, TOWN, vec![]),
                None,
                no,
            ),
        ] {
            assert_eq!(asked(&caller, action, &consent, &[subject], before), expected, "{name}");
        }
    }

    /// "Revoking" could put other words into another guardian's mouth, and her own name over it.
    #[test]
    fn what_another_gave_is_revoked_as_it_was() {
        let gave = |performer: &str| {
            json!({"resourceType": "Consent", "id": "c", "status": "active", "meta": {"versionId": "1"},
            "text": {"status": "generated"}, "performer": [{"reference": (performer)}], "provision": {"type": "permit"}})
        };
        let fathers = gave("RelatedPerson/father");
        let without = |consent: &Json, name: &str| {
            let mut less = consent.clone();
            less.remove(name);
            less
        };
        let ended = |consent: &Json| without(consent, "meta").with("status", "inactive");
        let rewritten = ended(&fathers).with("provision", json!({"type": "deny"}));
        let guardian = Subject { holders: vec!["RelatedPerson/father".into()], ..mother(true, 1, vec![]) };
        for (name, before, after, expected) in [
            ("revoked", &fathers, ended(&fathers), true),
            ("revoked, its narrative gone", &fathers, without(&ended(&fathers), "text"), true),
            (
                "revoked, with another narrative",
                &fathers,
                ended(&fathers).with("text", json!({"status": "empty"})),
                false,
            ),
            ("not revoked", &fathers, fathers.clone(), false),
            ("rewritten", &fathers, rewritten, false),
            ("revoked with more", &fathers, ended(&fathers).with("note", "x"), false),
            ("revoked with less", &fathers, without(&ended(&fathers), "provision"), false),
            ("taken over", &fathers, gave("Patient/mother"), false),
            ("her own, put in another's name", &gave("Patient/mother"), ended(&fathers), false),
            (
                "her own, changed",
                &gave("Patient/mother"),
                gave("Patient/mother").with("provision", json!({"type": "deny"})),
                true,
            ),
        ] {
            let existing = Some(Keeping::returned(1));
            let subjects = [guardian.clone()];
            let found = asked_after(&portal(), Action::Update, (&after, Some(before)), &subjects, existing);
            assert_eq!(found, if expected { Ok(Keeping::returned(1)) } else { Err(Denied::Consent) }, "{name}");
        }
    }
}
