//! `POST [type]`: a new resource under an id of the server's choice.
//!
//! Source: FHIR R4 http.html#create, #ccreate

use super::conditional::{self, Condition};
use super::follow::Pending;
use super::plan::{Draft, companions};
use super::turns::Tries;
use super::update::Planned;
use super::{Call, Error, Location, Reply};
use crate::consent::caller::Action;
use crate::store::{StoreError, WriteSet};

/// Creates a resource; with `unless` (`If-None-Exist`) only if nothing visible
/// to the caller matches that query.
pub async fn create(call: &Call<'_>, kind: &str, body: &[u8], unless: Option<&str>) -> Result<Reply, Error> {
    call.may(Action::Create, kind)?;
    let draft = Draft::read(call, kind, call.random.id(), body.to_vec())?;
    let condition = match unless {
        Some(query) => Some(Condition::read(call, kind, query).await?),
        None => None,
    };
    let mut tries = Tries::of(call.app, &(kind, unless));
    while tries.again().await {
        let mut planned = planned(call, &draft, &Pending::default()).await?;
        if let Some(condition) = &condition {
            if let Some(found) = condition.existing(call).await? {
                return conditional::present(call, kind, found).await;
            }
            planned.set.conditions.push(condition.none(call, planned.put.rid)?);
        }
        if let Some(reply) = planned.committed(call).await? {
            return Ok(reply);
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// Plans a new resource.
pub(crate) async fn planned(call: &Call<'_>, draft: &Draft, pending: &Pending) -> Result<Planned, Error> {
    let about = draft.about_for(call, pending).await?;
    let keeping = call.writable(Action::Create, draft, &about, None).await?;
    let rid = number_of(call, draft, pending).await?;
    let mut set = WriteSet::default();
    companions(call, draft, rid, &about, &mut set);
    let put = draft.put(call, rid, None, &about, keeping).await?;
    Ok(Planned { put, set, moved: None, created: true })
}

/// The row of a new resource: that of a Patient whom the same set expects is given already.
pub(super) async fn number_of(call: &Call<'_>, draft: &Draft, pending: &Pending) -> Result<i64, Error> {
    match pending.citizens.get(&draft.at.id).filter(|_| draft.at.kind == "Patient") {
        Some(citizen) => Ok(citizen.key),
        None => Ok(call.store.number().await?),
    }
}

/// `[type]/[id]/_history/[version]`
pub(crate) fn version_url(at: &Location, version: i32) -> String {
    format!("{}/_history/{version}", at.reference())
}
