//! `POST [type]`: a new resource under an id of the server's choice.
//!
//! Source: FHIR R4 http.html#create, #ccreate

use std::collections::HashMap;

use super::conditional::{self, Condition};
use super::filing;
use super::plan::{Draft, companions};
use super::{Call, Error, Location, Reply, Status};
use crate::consent::caller::Action;
use crate::store::WriteSet;

/// Creates a resource; with `unless` (`If-None-Exist`) only if nothing visible
/// to the caller matches that query.
pub async fn create(call: &Call<'_>, kind: &str, body: &[u8], unless: Option<&str>) -> Result<Reply, Error> {
    call.may(Action::Create, kind)?;
    let draft = Draft::read(call, kind, call.random.id(), body.to_vec())?;
    let about = draft.about_for(call, &HashMap::new()).await?;
    let keeping = call.writable(Action::Create, &draft, &about, None).await?;
    let rid = call.store.number().await?;
    let condition = match unless {
        Some(query) => Some(Condition::read(call, kind, query)?),
        None => None,
    };
    if let Some(condition) = &condition
        && let Some(found) = condition.existing(call).await?
    {
        return conditional::present(call, kind, found).await;
    }
    let put = draft.put(call, rid, None, &about, keeping).await?;
    let mut set = WriteSet::default();
    set.conditions.extend(condition.as_ref().map(|one| one.check(call, rid)).transpose()?);
    companions(call, &draft, rid, &about, &mut set);
    filing::supersede(call, &draft, &about, &mut set).await?;
    set.puts.push(put.clone());
    let mut reply = Reply {
        status: Status::Created,
        about: Some(draft.at.clone()),
        count: 1,
        disclosed: put.facts.subjects.iter().map(|citizen| (*citizen, kind.to_owned())).collect(),
        ..Reply::default()
    };
    match call.commit(set).await? {
        Ok(done) => {
            reply.version = Some((1, done.stamp));
            reply.location = Some(version_url(&draft.at, 1));
            reply.body = put.body.map(|body| body.stamped(done.stamp));
            Ok(reply)
        }
        Err(refused) => conditional::refused(call, kind, refused).await,
    }
}

/// `[type]/[id]/_history/[version]`
pub(crate) fn version_url(at: &Location, version: i32) -> String {
    format!("{}/_history/{version}", at.reference())
}
