//! `DELETE [type]/[id]`.
//!
//! What a publisher deletes of a citizen's record is *withdrawn*: gone for
//! others, still hers to read. Deleting what is not there is done already.
//!
//! Source: FHIR R4 http.html#delete

use super::plan::subject_rows;
use super::update::precondition;
use super::{Call, Error, Issue, Location, Reply, Status};
use crate::consent::caller::Action;
use crate::store::facts::{Custody, Facts};
use crate::store::reader::Stored;
use crate::store::write::{Method, Put};
use crate::store::{Refused, StoreError, WriteSet};

const TRIES: usize = 8;

/// Deletes a resource.
///
/// * `expected`: of `If-Match`; another current version is 412.
pub async fn delete(call: &Call<'_>, at: &Location, expected: Option<i32>) -> Result<Reply, Error> {
    call.may(Action::Delete, &at.kind)?;
    for _ in 0..TRIES {
        let Some((put, set)) = planned(call, at, expected).await? else {
            return Ok(Reply { status: Status::NoContent, about: Some(at.clone()), ..Reply::default() });
        };
        let version = put.expected.unwrap_or(0) + 1;
        let mut reply = Reply {
            status: Status::NoContent,
            about: Some(at.clone()),
            disclosed: put.facts.subjects.iter().map(|one| (*one, at.kind.clone())).collect(),
            ..Reply::default()
        };
        let mut set = set;
        set.puts.push(put);
        match call.commit(set).await? {
            Ok(done) => {
                reply.version = Some((version, done.stamp));
                return Ok(reply);
            }
            Err(Refused::Moved { .. }) if expected.is_none() => {}
            Err(_) => return Err(precondition()),
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// The put that deletes what is there now; `None` if nothing is.
pub(crate) async fn planned(
    call: &Call<'_>,
    at: &Location,
    expected: Option<i32>,
) -> Result<Option<(Put, WriteSet)>, Error> {
    let found = call.writable_now(at, Action::Delete).await;
    let old = match found {
        Ok(Some(old)) if !old.is_deleted() => old,
        Ok(_) | Err(Error::Conflict(_)) => {
            return if expected.is_some() { Err(precondition()) } else { Ok(None) };
        }
        Err(error) => return Err(error),
    };
    if expected.is_some_and(|version| version != old.version) {
        return Err(precondition());
    }
    if at.kind == "Consent" {
        return Err(Error::NotAllowed(Issue::error(
            "business-rule",
            "A Consent is never deleted. Set its status to inactive to withdraw it.",
            "同意は削除できません。取り消すには status を inactive にしてください。",
        )));
    }
    let subjects = call.store.subjects_of(&old).await?;
    let withdraws = old.custody == Custody::Published && !subjects.is_empty();
    let stale = old.epoch != call.store.epoch();
    let put = Put {
        rid: old.rid,
        kind: old.kind,
        id: old.id.clone(),
        expected: Some(old.version),
        touched: Some(old.updated),
        amends: false,
        method: if withdraws { Method::Withdraw } else { Method::Delete },
        body: old.body.clone().filter(|_| withdraws).map(|bytes| restamped(&bytes, &old)).transpose()?,
        facts: tombstone(&old, subjects.clone(), call).await?,
        old: if stale || withdraws { Vec::new() } else { call.rows_of(&old).await? },
        // The citizen still finds what was withdrawn: its index rows stay.
        new: if withdraws { Vec::new() } else { subject_rows(&subjects) },
        sweep: stale && !withdraws,
    };
    Ok(Some((put, WriteSet::default())))
}

/// A tombstone keeps what decides who may know of it.
async fn tombstone(old: &Stored, subjects: Vec<i64>, call: &Call<'_>) -> Result<Facts, Error> {
    Ok(Facts { subjects, ..call.store.facts(old).await? })
}

fn restamped(bytes: &[u8], old: &Stored) -> Result<crate::store::write::Body, Error> {
    let resource = super::plan::parse(bytes)?;
    Ok(super::stamp::stamp(bytes, &resource, &old.id, old.version + 1))
}
