//! `DELETE [type]/[id]`, and `DELETE [type]?…` of the only one that the query finds, or
//! of all, where the operator allows that.
//!
//! What a publisher deletes of a citizen's record is *withdrawn*: gone for
//! others, still hers to read. Deleting what is not there is done already. A Patient for
//! whom somebody signs in is not deleted: all that she has hangs on it, and with it would
//! go her records, who looked at them, and the way back. Nor is an Organization on which programs,
//! people or records rest: its backends would be shown nothing from then on, and nobody could
//! put it back.
//!
//! Source: FHIR R4 http.html#delete, #3.1.0.7.1

use super::call::denied;
use super::conditional::Condition;
use super::indexed::subject_rows;
use super::stamp::stamp;
use super::turns::Tries;
use super::update::precondition;
use super::{Call, Error, Expected, Issue, Location, Reply, Status, Which};
use crate::app::rules::planned as by_rules;
use crate::consent::caller::Action;
use crate::consent::view::CitizenKey;
use crate::consent::write::Denied;
use crate::store::facts::{Custody, Facts};
use crate::store::reader::Stored;
use crate::store::write::{Method, Put, Rules};
use crate::store::{Refused, StoreError, WriteSet, write};

/// Deletes a resource.
///
/// * `expected`: of `If-Match`; another current version is 412.
pub async fn delete(call: &Call<'_>, to: &Which, expected: Option<&Expected>) -> Result<Reply, Error> {
    call.may(Action::Delete, to.kind())?;
    let condition = match to {
        Which::At(_) => None,
        Which::Matching { kind, query } => Some(Condition::read(call, kind, query).await?),
    };
    let mut tries = Tries::of(call.app, to);
    while tries.again().await {
        let doomed = match (to, &condition) {
            (Which::At(at), _) => planned(call, at, expected).await?.map(Doomed::from),
            (Which::Matching { .. }, Some(condition)) => {
                matched(call, condition, condition.doomed(call).await?, expected).await?
            }
            (Which::Matching { .. }, None) => return Err(Error::Internal("a query without its condition".into())),
        };
        let Some(doomed) = doomed else {
            let about = if let Which::At(at) = to { Some(at.clone()) } else { None };
            return Ok(Reply { status: Status::NoContent, about, ..Reply::default() });
        };
        let mut reply = doomed.reply(call);
        let version = doomed.puts[..].first().filter(|_| doomed.puts.len() == 1).map(Put::version);
        match call.commit(doomed.into()).await? {
            Ok(done) => {
                reply.version = version.map(|version| (version, done.stamp));
                return Ok(reply);
            }
            Err(Refused::Moved { .. } | Refused::Matched { .. }) => {}
            Err(Refused::Taken) => return Err(Error::Internal("a deletion that makes something new".into())),
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// What is to be deleted, one or several, all or none of it.
pub(crate) struct Doomed {
    /// At least one.
    pub puts: Vec<Put>,
    /// Under which it is done.
    pub conditions: Vec<write::Condition>,
}

impl From<Put> for Doomed {
    fn from(put: Put) -> Self {
        Self { puts: vec![put], conditions: Vec::new() }
    }
}

impl From<Doomed> for WriteSet {
    fn from(doomed: Doomed) -> Self {
        Self { puts: doomed.puts, conditions: doomed.conditions, ..Self::default() }
    }
}

impl Doomed {
    /// What is answered when it is gone.
    pub(crate) fn reply(&self, call: &Call<'_>) -> Reply {
        let mut reply = Reply { status: Status::NoContent, written: true, ..Reply::default() };
        for put in &self.puts {
            let kind = call.type_name(put.kind);
            reply.disclosed.extend(put.concerned().map(|one| (one, kind.clone())));
            reply.about = Some(Location { kind, id: put.id.clone() });
        }
        reply.about = reply.about.filter(|_| self.puts.len() == 1);
        reply
    }
}

/// The puts that delete the matches of a query; `None` if there are none.
pub(crate) async fn matched(
    call: &Call<'_>,
    condition: &Condition,
    all: Vec<Stored>,
    expected: Option<&Expected>,
) -> Result<Option<Doomed>, Error> {
    let fits = |version| expected.is_none_or(|expected| expected.fits(version));
    if all.is_empty() {
        return if fits(None) { Ok(None) } else { Err(precondition()) };
    }
    if !all.iter().all(|old| fits(Some(old.version))) {
        return Err(precondition());
    }
    let conditions = vec![condition.all(call, all.iter().map(|old| old.rid).collect())?];
    let mut puts = Vec::new();
    for old in all {
        puts.push(of(call, old).await?);
    }
    Ok(Some(Doomed { puts, conditions }))
}

/// The put that deletes what is there now; `None` if nothing is.
pub(crate) async fn planned(call: &Call<'_>, at: &Location, expected: Option<&Expected>) -> Result<Option<Put>, Error> {
    let found = call.writable_now(at, Action::Delete).await;
    let old = match found {
        Ok(Some(old)) if !old.is_deleted() => old,
        Ok(_) | Err(Error::Conflict(_)) => {
            return if expected.is_none_or(|expected| expected.fits(None)) { Ok(None) } else { Err(precondition()) };
        }
        Err(error) => return Err(error),
    };
    if expected.is_some_and(|expected| !expected.fits(Some(old.version))) {
        return Err(precondition());
    }
    call.guarded(expected)?;
    of(call, old).await.map(Some)
}

/// The put that deletes a record, if this caller may.
pub(crate) async fn of(call: &Call<'_>, old: Stored) -> Result<Put, Error> {
    let subjects = call.store.subjects_of(&old).await?;
    // Who may not is not told what else keeps it: that somebody signs in for a Patient.
    kept(call, &old, &subjects).await?;
    deletable(call, &old).await?;
    // Of a body that makes no sense there is nothing that could stay the citizen's to read.
    let published = old.custody == Custody::Published && !subjects.is_empty();
    let kept = if published { old.json().ok().flatten() } else { None };
    let withdraws = kept.is_some();
    let before = if withdraws { Some(Vec::new()) } else { call.rows_before(&old).await? };
    let generation = call.catalog().generation();
    Ok(Put {
        rid: old.rid,
        kind: old.kind,
        id: old.id.clone(),
        expected: Some(old.version),
        method: if withdraws { Method::Withdraw } else { Method::Delete },
        body: kept
            .zip(old.body().ok().flatten())
            .map(|(resource, bytes)| stamp(bytes, &resource, &old.id, old.version + 1)),
        facts: tombstone(&old, subjects.clone(), call).await?,
        left: Vec::new(),
        // The citizen still finds what was withdrawn: its index rows stay.
        new: if withdraws { Vec::new() } else { subject_rows(&subjects) },
        sweep: before.is_none(),
        old: before.unwrap_or_default(),
        rests: Vec::new(),
        rules: Rules { after: if withdraws { old.rules } else { generation }, ..by_rules(generation, Some(old.rules)) },
    })
}

/// Refuses what is withdrawn otherwise, a Patient for whom somebody signs in, and an
/// Organization on which others rest.
async fn deletable(call: &Call<'_>, old: &Stored) -> Result<(), Error> {
    match &*call.type_name(old.kind) {
        "Patient" if call.app.is_held(&old.id, call.now).await? => Err(held()),
        "Organization" if call.app.is_rested_on(&old.id, old.rid).await? => Err(rested_on()),
        "Consent" => Err(Error::NotAllowed(Issue::error(
            "business-rule",
            "A Consent is never deleted. Set its status to inactive to withdraw it.",
            "同意は削除できません。取り消すには status を inactive にしてください。",
        ))),
        _ => Ok(()),
    }
}

fn held() -> Error {
    Error::Conflict(Issue::error(
        "conflict",
        "People sign in for this Patient: its records, and who looked at them, would be out of their reach. It stays as \
         long as they do; single records can be deleted.",
        "このPatientを利用しているアカウントがあり、削除すると記録と閲覧の履歴を見られなくなるため、削除できません。個々の記録は削除できます。",
    ))
}

fn rested_on() -> Error {
    Error::Conflict(Issue::error(
        "conflict",
        "Clients or accounts are registered for this Organization, or records are in its keeping: they would be out of \
         reach. Set its active to false instead; it can be deleted once it has no clients (techo client remove), no \
         accounts and no records.",
        "この組織にはクライアントやアカウントが登録されているか、この組織が管理する記録があり、削除するとそれらを利用できなくなるため、削除できません。代わりに active を false にしてください。クライアント(techo client remove で削除)、アカウント、記録がなくなれば削除できます。",
    ))
}

/// Refuses a custodian's backend what it could not change either: records of others about
/// people whose Patients others keep.
async fn kept(call: &Call<'_>, old: &Stored, subjects: &[CitizenKey]) -> Result<(), Error> {
    let Some(own) = call.caller.publisher().filter(|own| *own != old.custodian) else { return Ok(()) };
    let patients = call.store.patients(subjects).await?;
    let ids: Vec<&str> = patients.values().map(String::as_str).collect();
    let citizens = call.store.citizens(&ids).await?;
    let all = !subjects.is_empty() && citizens.len() == subjects.len();
    if all && citizens.values().all(|citizen| citizen.custodian == own) {
        return Ok(());
    }
    Err(denied(Denied::Patient))
}

/// A tombstone keeps what decides who may know of it.
async fn tombstone(old: &Stored, subjects: Vec<i64>, call: &Call<'_>) -> Result<Facts, Error> {
    Ok(Facts { subjects, ..call.store.facts(old).await? })
}
