//! `If-None-Exist`: create only if nothing matches.
//!
//! The query is asked twice: before planning, to answer the common case
//! cheaply, and again inside the write's transaction, where it decides.
//!
//! Source: FHIR R4 http.html#ccreate

use super::{Call, Error, Issue, Reply, Status};
use crate::search::parse;
use crate::search::plan::Plan;
use crate::secret;
use crate::store::Refused;
use crate::store::write;

/// A condition, read.
pub(crate) struct Condition {
    plan: Plan,
}

impl Condition {
    /// Reads a query such as `identifier=urn:x|1`.
    pub(crate) fn read(call: &Call<'_>, kind: &str, query: &str) -> Result<Self, Error> {
        // A whole URL is taken too: what counts is behind the question mark.
        let query = query.rsplit_once('?').map_or(query, |(_, query)| query);
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let plan = call.plan(kind, &pairs, false)?;
        if plan.filters.is_empty() {
            return Err(Error::Precondition(Issue::error(
                "invalid",
                "If-None-Exist must name at least one search parameter.",
                "If-None-Exist には検索パラメータを一つ以上指定してください。",
            )));
        }
        Ok(Self { plan })
    }

    /// The one match there is already; several are 412.
    pub(crate) async fn existing(&self, call: &Call<'_>) -> Result<Option<(i64, String, i32)>, Error> {
        let page = call.store.reader(&call.world()).search(&self.plan, None, 2).await?;
        match &page.rows[..] {
            [] => Ok(None),
            [one] => Ok(Some((one.rid, one.id.clone(), one.version))),
            _ => Err(several()),
        }
    }

    /// The check to be made inside the transaction.
    pub(crate) fn check(&self, call: &Call<'_>, rid: i64) -> Result<write::Condition, Error> {
        let text = format!("{} {} {}", self.plan.resource_type, call.world_name(), parse::canonical(&self.plan));
        Ok(call.store.reader(&call.world()).condition(&self.plan, secret::hash(text.as_bytes()), rid)?)
    }
}

fn several() -> Error {
    Error::Precondition(Issue::error(
        "multiple-matches",
        "More than one resource matches the condition. Make the query more exact.",
        "条件に合うリソースが複数あります。検索条件を絞ってください。",
    ))
}

/// The answer when the resource is there already: 200, and nothing was written.
pub(crate) async fn present(call: &Call<'_>, kind: &str, (_, id, version): (i64, String, i32)) -> Result<Reply, Error> {
    let found = call.store.reader(&call.world()).current(kind, &id).await?.ok_or(Error::NotFound)?;
    let mut reply = call.reply(found).await?;
    reply.status = Status::Ok;
    reply.location = reply.about.as_ref().map(|at| super::create::version_url(at, version));
    Ok(reply)
}

/// The answer when the transaction found that the plan no longer holds.
pub(crate) async fn refused(call: &Call<'_>, kind: &str, refused: Refused) -> Result<Reply, Error> {
    match refused {
        Refused::Matched { rows, .. } => match &rows[..] {
            [one] => present(call, kind, one.clone()).await,
            _ => Err(several()),
        },
        Refused::Taken => Err(super::update::taken()),
        Refused::Moved { .. } => Err(Error::Internal("a new record has moved".into())),
    }
}
