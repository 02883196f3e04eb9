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

use techo_profiles::json::Json;

use super::caller::{Action, Caller, Candidate};
use super::clinical::Facts;
use super::decide::{by_scope, rows};
use super::gate::{Access, Gate, contexts};
use super::subject::local;
use super::view::{CitizenKey, CustodianKey};
use crate::auth::scope::Context;

/// A write that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// `Create` or `Update`; a delete has no content, the gate and the view judge it.
    pub action: Action,
    /// The resource as it would be stored, tagged with its kind.
    pub resource: &'a Json,
    /// What consent knows of it.
    pub facts: &'a Facts,
    /// The resource is a Patient that does not exist yet.
    pub newborn: bool,
    /// One entry for each subject; of a Patient that exists, that Patient.
    pub subjects: &'a [Subject<'a>],
}

/// A patient whom the resource is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Id of the Patient, as named.
    pub patient: &'a str,
    /// What decides about her; `None` if there is no such Patient.
    pub candidate: Option<&'a Candidate>,
    /// The caller's Organization keeps her Patient, or a resident key of it is bound to her.
    pub ours: bool,
    /// References that hold authority over her now, her own Patient among them.
    pub holders: &'a [Box<str>],
}

/// Whose the record will be: set at creation, never changed by an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// An Organization's own records, through custodial ingestion.
    Published(CustodianKey),
    /// Written by a professional in a session: her Organization's.
    Authored(CustodianKey),
    /// Entered, scanned, uploaded or fetched for the citizen: hers.
    Returned(CitizenKey),
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
    /// The text in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::Scope => "この操作に必要なスコープがトークンにありません。",
            Self::Patient => "この患者についての記録は書き込めません。",
            Self::Nobody => "特定の人についてではないリソースは、その管理者だけが書き込めます。",
            Self::NewPatient => "新しいPatientは、管理者またはアカウント登録によってのみ作られます。",
            Self::Consent => "同意を与えられるのは、本人または本人に代わる権限を持つ人だけです。",
        }
    }
}

/// Whether `caller` may write `draft` at `now`, and whose the record would be.
///
/// # Errors
/// The first reason against it.
pub fn may_write(caller: &Caller, now: i64, draft: &Draft<'_>) -> Result<Custody, Denied> {
    let kind = &*draft.facts.kind;
    if Gate::of(caller).may(draft.action, kind) == Access::No {
        return Err(Denied::Scope);
    }
    scoped(caller, draft)?;
    if let Some(key) = caller.publisher() {
        return published(draft, key);
    }
    if draft.newborn {
        return Err(Denied::NewPatient);
    }
    if draft.subjects.is_empty() {
        return Err(Denied::Nobody);
    }
    for subject in draft.subjects {
        let candidate = subject.candidate.ok_or(Denied::Patient)?;
        if kind == "Consent" {
            consent_by_user(caller, now, draft, subject, candidate)?;
        }
        if !rows(caller, now, draft.action, candidate).holds(draft.facts) {
            return Err(Denied::Patient);
        }
    }
    custody(caller, draft)
}

/// A file that an importer read for `caller`: whose its records are.
///
/// * `own`: the file is of the client's Organization (a town's check-ups); not so
///   a medication notebook or what was fetched with the citizen's own consent.
/// * returns `None` where the client may not publish.
pub fn imported(caller: &Caller, own: bool, citizen: CitizenKey) -> Option<Custody> {
    if own { caller.publisher().map(Custody::Published) } else { Some(Custody::Returned(citizen)) }
}

/// The scopes, with their categories and their patient.
fn scoped(caller: &Caller, draft: &Draft<'_>) -> Result<(), Denied> {
    if caller.client.portal {
        return Ok(());
    }
    let mut reason = Denied::Scope;
    for context in contexts(caller) {
        if !by_scope(caller, context, draft.action, &draft.facts.kind).holds(draft.facts) {
            continue;
        }
        let bound = caller.patient.as_deref().filter(|_| context == Context::Patient);
        if context != Context::Patient || in_context(draft, bound) {
            return Ok(());
        }
        reason = Denied::Patient;
    }
    Err(reason)
}

/// Whether the draft is about the patient in context and nobody else.
fn in_context(draft: &Draft<'_>, bound: Option<&str>) -> bool {
    !draft.newborn && !draft.subjects.is_empty() && draft.subjects.iter().all(|subject| Some(subject.patient) == bound)
}

/// Custodial ingestion: about people of one's own, or about nobody.
fn published(draft: &Draft<'_>, key: CustodianKey) -> Result<Custody, Denied> {
    for subject in draft.subjects {
        let blocked = subject.candidate.is_none_or(|candidate| candidate.blocked);
        if blocked || !subject.ours {
            return Err(Denied::Patient);
        }
        if &*draft.facts.kind == "Consent" && !performers_within(draft.resource, subject.holders) {
            return Err(Denied::Consent);
        }
    }
    if &*draft.facts.kind == "Consent" && draft.subjects.is_empty() {
        return Err(Denied::Consent);
    }
    Ok(Custody::Published(key))
}

/// A user gives or changes a Consent: in her own name, with authority.
fn consent_by_user(
    caller: &Caller,
    now: i64,
    draft: &Draft<'_>,
    subject: &Subject<'_>,
    candidate: &Candidate,
) -> Result<(), Denied> {
    let references = caller.user.as_ref().map_or(&[][..], |user| &user.references);
    let own = performers_within(draft.resource, references);
    // Another guardian's Consent may be changed too: either may revoke.
    let revokes = draft.action == Action::Update && draft.resource.str("status") == Some("inactive");
    let given = performers_within(draft.resource, subject.holders);
    if candidate.under_authority(now) && (own && given || revokes) { Ok(()) } else { Err(Denied::Consent) }
}

/// Whether everyone who gave the Consent is among `references`, and someone did.
fn performers_within(consent: &Json, references: &[Box<str>]) -> bool {
    let performers = consent.list("performer");
    let within = |performer: &Json| {
        performer
            .str("reference")
            .is_some_and(|text| local(text, "").is_some() && references.iter().any(|own| **own == *text))
    };
    !performers.is_empty() && performers.iter().all(within)
}

fn custody(caller: &Caller, draft: &Draft<'_>) -> Result<Custody, Denied> {
    if let Some(work) = caller.acting_for() {
        return Ok(Custody::Authored(work.organization.key));
    }
    // Of several subjects, the first is the one the record lies with.
    let citizen = draft.subjects.iter().find_map(|subject| subject.candidate).map(|candidate| candidate.citizen);
    citizen.map(Custody::Returned).ok_or(Denied::Nobody)
}
