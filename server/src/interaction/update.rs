//! `PUT [type]/[id]`: the next version, or a new resource under the client's id.
//!
//! Only custodial clients choose ids. An id that someone else holds answers
//! 409, alike for live, deleted and hidden: the one declared oracle.
//!
//! Source: FHIR R4 http.html#update, #concurrency

use std::collections::HashMap;

use super::create::version_url;
use super::filing;
use super::plan::{Draft, companions};
use super::{Call, Error, Issue, Location, Reply, Status};
use crate::consent::caller::Action;
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::write::Put;
use crate::store::{Refused, WriteSet};

/// Tries this often when other writers of the same resource come between.
const TRIES: usize = 8;

/// Stores a version.
///
/// * `expected`: of `If-Match`; another current version is 412.
pub async fn update(call: &Call<'_>, at: &Location, body: &[u8], expected: Option<i32>) -> Result<Reply, Error> {
    call.may(Action::Update, &at.kind)?;
    let draft = Draft::read(call, &at.kind, at.id.clone(), body.to_vec())?;
    same_id(&draft)?;
    for _ in 0..TRIES {
        let planned = planned(call, &draft, expected, &HashMap::new()).await?;
        let mut reply = Reply {
            status: if planned.created { Status::Created } else { Status::Ok },
            about: Some(at.clone()),
            count: 1,
            disclosed: planned.put.facts.subjects.iter().map(|one| (*one, at.kind.clone())).collect(),
            ..Reply::default()
        };
        let mut set = planned.set;
        set.puts.push(planned.put.clone());
        match call.commit(set).await? {
            Ok(done) => {
                let version = planned.put.expected.unwrap_or(0) + 1;
                reply.version = Some((version, done.stamp));
                reply.location = planned.created.then(|| version_url(at, version));
                reply.body = planned.put.body.map(|body| body.stamped(done.stamp));
                return Ok(reply);
            }
            Err(Refused::Moved { .. }) if expected.is_none() => {}
            Err(Refused::Moved { .. }) => return Err(precondition()),
            Err(Refused::Taken) => return Err(taken()),
            Err(Refused::Matched { .. }) => return Err(Error::Internal("a match without a condition".into())),
        }
    }
    Err(Error::Store(crate::store::StoreError::Busy))
}

/// A version that is ready to be written.
pub(crate) struct Planned {
    /// The version.
    pub put: Put,
    /// What belongs to its transaction.
    pub set: WriteSet,
    /// There is nothing before it.
    pub created: bool,
}

/// Plans the next version of what is there now.
pub(crate) async fn planned(
    call: &Call<'_>,
    draft: &Draft,
    expected: Option<i32>,
    pending: &HashMap<String, Citizen>,
) -> Result<Planned, Error> {
    whole(draft)?;
    let old = match call.writable_now(&draft.at, Action::Update).await {
        // Who may not choose ids learns nothing of whether this one is in use, nor by If-Match.
        Ok(None) | Err(Error::Conflict(_)) if call.caller.publisher().is_none() => return Err(client_id()),
        found => found?,
    };
    let mut pending = pending.clone();
    if let Some(old) = old.as_ref().filter(|_| draft.at.kind == "Patient") {
        // A Patient that was deleted is still the one whom her next version is about.
        let citizen = Citizen { key: old.rid, patient: old.id.clone(), custodian: old.custodian };
        pending.insert(old.id.clone(), citizen);
    }
    let about = draft.about_for(call, &pending).await?;
    if let Some(expected) = expected
        && old.as_ref().is_none_or(|old| old.version != expected || old.is_deleted())
    {
        return Err(precondition());
    }
    let action = if old.is_some() { Action::Update } else { Action::Create };
    let keeping = call.writable(action, draft, &about, old.as_ref()).await?;
    let rid = match &old {
        Some(old) => old.rid,
        None => call.store.number().await?,
    };
    let mut set = WriteSet::default();
    companions(call, draft, rid, &about, &mut set);
    filing::supersede(call, draft, &about, &mut set).await?;
    if let (Some(old), "Consent") = (&old, draft.at.kind.as_str()) {
        // Whoever it was about before.
        for citizen in call.store.subjects_of(old).await? {
            set.extras.push(call.store.consent_changed(citizen));
        }
    }
    let put = draft.put(call, rid, old.as_ref(), &about, keeping).await?;
    Ok(Planned { put, set, created: old.as_ref().is_none_or(Stored::is_deleted) })
}

pub(crate) fn same_id(draft: &Draft) -> Result<(), Error> {
    if draft.resource.str("id") == Some(&draft.at.id) {
        return Ok(());
    }
    Err(Error::Invalid(vec![
        Issue::error(
            "invalid",
            "The id in the body must be the id in the URL.",
            "本文の id は URL の id と同じにしてください。",
        )
        .at(format!("{}.id", draft.at.kind)),
    ]))
}

/// Refuses what this or another server handed out in part: storing it would lose
/// what was left out.
fn whole(draft: &Draft) -> Result<(), Error> {
    let tags = draft.resource.get("meta").map_or(&[][..], |meta| meta.list("tag"));
    if !tags.iter().any(super::subset::is_subsetted) {
        return Ok(());
    }
    Err(Error::Unprocessable(vec![
        Issue::error(
            "business-rule",
            "The tag SUBSETTED says that this is a part of the resource. Storing it would lose the rest.",
            "SUBSETTED のタグは、リソースの一部だけであることを示します。保存すると残りが失われます。",
        )
        .at(format!("{}.meta.tag", draft.at.kind)),
    ]))
}

/// `If-Match` named another version.
pub(crate) fn precondition() -> Error {
    Error::Precondition(Issue::error(
        "conflict",
        "The resource is not at the version that If-Match names. Read it again, and repeat the change.",
        "If-Match の版は現在の版ではありません。読み直してから変更をやり直してください。",
    ))
}

/// The id is someone else's.
pub(crate) fn taken() -> Error {
    Error::Conflict(Issue::error(
        "duplicate",
        "This id is in use. Choose another, or let the server choose one (POST).",
        "この id は使われています。別の id にするか、POST でサーバーに割り当てさせてください。",
    ))
}

fn client_id() -> Error {
    Error::NotAllowed(Issue::error(
        "not-supported",
        "Only custodial clients choose ids. Create the resource by POST.",
        "id を指定できるのは公的な登録元のみです。POST で作成してください。",
    ))
}
