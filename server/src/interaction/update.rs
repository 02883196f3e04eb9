//! `PUT [type]/[id]`: the next version, or a new resource under the client's id.
//! `PUT [type]?…`: the same of the only one that the query finds.
//!
//! Only custodial clients choose ids. An id that someone else holds answers
//! 409, alike for live, deleted and hidden: the one declared oracle.
//!
//! Source: FHIR R4 http.html#update, #cond-update, #concurrency

use std::collections::HashSet;

use techo_profiles::json::Json;

use super::conditional::Condition;
use super::create::version_url;
use super::follow::{Moved, Pending, drawn, followers};
use super::plan::{About, Draft, companions};
use super::turns::Tries;
use super::{Call, Error, Expected, Issue, Location, Reply, Status, Which, create, is_id, no_id};
use crate::consent::caller::Action;
use crate::consent::write::Keeping;
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::write::{Method, Put};
use crate::store::{Refused, StoreError, WriteSet};

/// Stores a version.
///
/// * `expected`: of `If-Match` or `If-None-Match`; what does not fit is 412.
pub async fn update(call: &Call<'_>, to: &Which, body: &[u8], expected: Option<&Expected>) -> Result<Reply, Error> {
    call.may(Action::Update, to.kind())?;
    let found = match to {
        Which::At(at) => {
            let draft = Draft::read(call, &at.kind, at.id.clone(), body.to_vec())?;
            same_id(&draft)?;
            Found::At(draft)
        }
        Which::Matching { kind, query } => Found::By(Condition::read(call, kind, query).await?),
    };
    let mut tries = Tries::of(call.app, to);
    while tries.again().await {
        let planned = match &found {
            Found::At(draft) => planned(call, draft, expected, &Pending::default()).await?,
            Found::By(condition) => matching(call, condition, body.to_vec(), expected, &Pending::default()).await?,
        };
        match planned.committed(call).await {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            // Another made it in the meantime: now there is one, as is found next.
            Err(Error::Conflict(_)) if expected == Some(&Expected::Absent) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// How an update finds its resource.
enum Found {
    At(Draft),
    By(Condition),
}

/// A version that is ready to be written.
pub(crate) struct Planned {
    /// The version.
    pub put: Put,
    /// What belongs to its transaction.
    pub set: WriteSet,
    /// It is about others than the one before.
    pub moved: Option<Moved>,
    /// There is nothing before it.
    pub created: bool,
}

impl Planned {
    /// Writes it; `None` if others came between, and it is to be planned anew.
    pub(super) async fn committed(self, call: &Call<'_>) -> Result<Option<Reply>, Error> {
        let at = Location { kind: call.type_name(self.put.kind), id: self.put.id.clone() };
        let mut reply = Reply {
            status: if self.created { Status::Created } else { Status::Ok },
            count: 1,
            disclosed: self.put.concerned().map(|one| (one, at.kind.clone())).collect(),
            written: true,
            ..Reply::default()
        };
        let mut set = self.set;
        let (came, moved) = self.moved.into_iter().partition(Moved::came);
        followers(call, moved, &Pending::default(), &HashSet::new(), &mut set).await?;
        set.puts.push(self.put.clone());
        match call.commit(set).await? {
            Ok(done) => {
                drawn(call, came).await;
                let version = self.put.expected.unwrap_or(0) + 1;
                reply.version = Some((version, done.stamp));
                reply.location = self.created.then(|| version_url(&at, version));
                reply.body = self.put.body.map(|body| body.stamped(done.stamp));
                reply.about = Some(at);
                Ok(Some(reply))
            }
            Err(Refused::Moved { .. } | Refused::Matched { .. }) => Ok(None),
            Err(Refused::Taken) => Err(taken()),
        }
    }
}

/// Plans the next version of what is there now.
pub(crate) async fn planned(
    call: &Call<'_>,
    draft: &Draft,
    expected: Option<&Expected>,
    pending: &Pending,
) -> Result<Planned, Error> {
    draft.whole()?;
    let old = replaced(call, &draft.at).await?;
    let live = old.as_ref().filter(|old| !old.is_deleted());
    if expected.is_some_and(|expected| !expected.fits(live.map(|old| old.version))) {
        return Err(precondition());
    }
    if let Some(live) = live {
        call.guarded(expected)?;
        call.shown_whole(live).await?;
    }
    next(call, draft, old.as_ref(), pending).await
}

/// What an update of this id comes after.
pub(crate) async fn replaced(call: &Call<'_>, at: &Location) -> Result<Option<Stored>, Error> {
    match call.writable_now(at, Action::Update).await {
        // To bring back what was withdrawn is to create it.
        Ok(Some(old)) if old.is_deleted() && call.caller.publisher().is_none() => Err(client_id()),
        // Who may not choose ids learns nothing of whether this one is in use, nor by If-Match.
        Ok(None) | Err(Error::Conflict(_)) if call.caller.publisher().is_none() => Err(client_id()),
        found => found,
    }
}

/// Plans the version that comes after `old`.
pub(super) async fn next(
    call: &Call<'_>,
    draft: &Draft,
    old: Option<&Stored>,
    pending: &Pending,
) -> Result<Planned, Error> {
    let (about, keeping) = judged(call, draft, old, pending).await?;
    let rid = match old {
        Some(old) => old.rid,
        None => create::number_of(call, draft, pending).await?,
    };
    let mut set = WriteSet::default();
    companions(call, draft, rid, &about, &mut set);
    if let (Some(old), "Consent") = (old, draft.at.kind.as_str()) {
        // Whoever it was about before.
        for citizen in call.store.subjects_of(old).await? {
            set.extras.push(call.store.consent_changed(citizen));
        }
    }
    let mut put = draft.put(call, rid, old, &about, keeping).await?;
    let created = old.is_none_or(Stored::is_deleted);
    put.method = if created { Method::CreateAt } else { Method::Update };
    let moved = Moved::of(call, draft, old, &put).await?;
    Ok(Planned { put, set, moved, created })
}

/// Whom the version that comes after `old` is about, and in whose keeping it will be.
///
/// # Errors
/// [`Error::Forbidden`] where the caller may not write it.
pub(crate) async fn judged(
    call: &Call<'_>,
    draft: &Draft,
    old: Option<&Stored>,
    pending: &Pending,
) -> Result<(About, Keeping), Error> {
    let mut pending = pending.clone();
    if let Some(old) = old.filter(|_| draft.at.kind == "Patient") {
        // A Patient that was deleted is still the one whom her next version is about.
        let citizen = Citizen { key: old.rid, patient: old.id.clone(), custodian: old.custodian };
        pending.citizens.insert(old.id.clone(), citizen);
    }
    let about = draft.about_for(call, &pending).await?;
    let action = if old.is_some() { Action::Update } else { Action::Create };
    let keeping = call.writable(action, draft, &about, old).await?;
    Ok((about, keeping))
}

/// Plans a conditional update: the next version of the only match, or a new
/// resource where there is none.
pub(crate) async fn matching(
    call: &Call<'_>,
    condition: &Condition,
    body: Vec<u8>,
    expected: Option<&Expected>,
    pending: &Pending,
) -> Result<Planned, Error> {
    let old = condition.target(call, Action::Update).await?;
    let id = old.as_ref().map_or_else(|| call.random.id(), |old| old.id.clone());
    let draft = Draft::read(call, condition.kind(), id, body)?;
    matched(call, condition, (old, draft), expected, pending).await
}

/// The same for a match that is known already.
///
/// * `of`: the match, and the draft under its id, or under a new one.
pub(crate) async fn matched(
    call: &Call<'_>,
    condition: &Condition,
    of: (Option<Stored>, Draft),
    expected: Option<&Expected>,
    pending: &Pending,
) -> Result<Planned, Error> {
    let (old, mut draft) = of;
    draft.whole()?;
    let chosen = draft.resource.str("id").map(str::to_owned);
    if chosen.as_deref().is_some_and(|chosen| !is_id(chosen)) {
        return Err(no_id(condition.kind()));
    }
    if expected.is_some_and(|expected| !expected.fits(old.as_ref().map(|old| old.version))) {
        return Err(precondition());
    }
    if let Some(old) = old {
        if chosen.is_some_and(|chosen| chosen != old.id) {
            return Err(other_id(condition.kind()));
        }
        call.shown_whole(&old).await?;
        let mut planned = next(call, &draft, Some(&old), pending).await?;
        planned.set.conditions.push(condition.only(call, old.rid)?);
        return Ok(planned);
    }
    let mut planned = if let Some(chosen) = chosen {
        // R4 has this done as an update of that id, which must be free: what is there
        // does not match, and is not meant.
        draft.at.id = chosen;
        if call.caller.publisher().is_some() && call.writable_now(&draft.at, Action::Update).await?.is_some() {
            return Err(taken());
        }
        planned(call, &draft, None, pending).await?
    } else {
        create::planned(call, &draft, pending).await?
    };
    planned.put.method = Method::CreateAt;
    planned.set.conditions.push(condition.none(call, planned.put.rid)?);
    Ok(planned)
}

impl Call<'_> {
    /// Where the operator wants every change guarded, one without `If-Match` is refused.
    pub(super) fn guarded(&self, expected: Option<&Expected>) -> Result<(), Error> {
        if expected.is_some_and(Expected::guards) || !self.config.require_if_match {
            return Ok(());
        }
        Err(Error::Unguarded(Issue::error(
            "required",
            "This server changes a resource only with If-Match. Read it, and send the ETag of the version that you change.",
            "このサーバーでは変更に If-Match が必要です。読み取った版の ETag を指定してください。",
        )))
    }
}

impl Draft {
    /// Refuses one that is a part of a resource.
    pub(super) fn whole(&self) -> Result<(), Error> {
        whole(&self.at.kind, &self.resource)
    }
}

pub(crate) fn same_id(draft: &Draft) -> Result<(), Error> {
    if draft.resource.str("id") == Some(&draft.at.id) { Ok(()) } else { Err(other_id(&draft.at.kind)) }
}

fn other_id(kind: &str) -> Error {
    Error::Invalid(vec![
        Issue::error(
            "invalid",
            "The id in the body must be the id of the resource that is updated.",
            "本文の id は更新するリソースの id と同じにしてください。",
        )
        .at(format!("{kind}.id")),
    ])
}

/// Refuses what this or another server handed out in part: storing it would lose
/// what was left out.
pub(crate) fn whole(kind: &str, resource: &Json) -> Result<(), Error> {
    let tags = resource.get("meta").map_or(&[][..], |meta| meta.list("tag"));
    if !tags.iter().any(super::subset::is_subsetted) {
        return Ok(());
    }
    Err(Error::Unprocessable(vec![
        Issue::error(
            "business-rule",
            "The tag SUBSETTED says that this is a part of the resource. Storing it would lose the rest.",
            "SUBSETTED のタグは、リソースの一部だけであることを示します。保存すると残りが失われます。",
        )
        .at(format!("{kind}.meta.tag")),
    ]))
}

/// What is there is not what `If-Match` or `If-None-Match` wants.
pub(crate) fn precondition() -> Error {
    Error::Precondition(Issue::error(
        "conflict",
        "The resource is not as If-Match or If-None-Match wants it. Read it again, and repeat the change.",
        "リソースの現在の版が If-Match または If-None-Match の条件に合いません。読み直してから変更をやり直してください。",
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
