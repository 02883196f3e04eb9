//! Writes under a condition: `If-None-Exist`, `PUT`, `PATCH` and `DELETE` of
//! `[type]?…`.
//!
//! The query is asked twice: before planning, to find what the write is about,
//! and again inside the write's transaction, where it decides. It is judged by
//! what the caller may search, so it needs the scope for that.
//!
//! Source: FHIR R4 http.html#ccreate, #cond-update, #3.1.0.7.1

use super::query::pairs;
use super::{Call, Error, Issue, Location, Reply, Status};
use crate::config::ConditionalDelete;
use crate::consent::caller::Action;
use crate::search::names::Answer;
use crate::search::parse;
use crate::search::plan::{CodePattern, Filter, Match, Pattern, Plan};
use crate::secret;
use crate::store::reader::{Page, Stored};
use crate::store::{StoreError, write};

/// The most that one delete takes.
const MOST: u32 = 1000;
/// Times a match that goes away is looked for anew.
const TRIES: usize = 8;

/// A condition, read.
pub(crate) struct Condition {
    plan: Plan,
}

impl Condition {
    /// Reads a query such as `identifier=urn:x|1`.
    pub(crate) async fn read(call: &Call<'_>, kind: &str, query: &str) -> Result<Self, Error> {
        call.may(Action::Search, kind)?;
        // A whole URL is taken too: what counts is behind its question mark. One in a
        // value, as in `url=https://x?y`, is no such.
        let query = query.split_once('?').filter(|(path, _)| !path.contains('=')).map_or(query, |(_, query)| query);
        let pairs = pairs(query).map_err(|misread| Error::Invalid(vec![misread]))?;
        let plan = call.plan(kind, &pairs, false).await?;
        if plan.filters.is_empty() {
            return Err(Error::Precondition(Issue::error(
                "invalid",
                "A condition must name at least one search parameter.",
                "条件には検索パラメータを一つ以上指定してください。",
            )));
        }
        Ok(Self { plan })
    }

    /// The type that is searched.
    pub(crate) fn kind(&self) -> &str {
        &self.plan.resource_type
    }

    /// Whether a resource with this identifier matches, of a query that asks for an
    /// identifier and nothing else.
    pub(crate) fn names(&self, system: &str, value: &str) -> bool {
        let [Filter::Indexed { any, negated: false, .. }] = &self.plan.filters[..] else { return false };
        let is = |wanted: &Pattern, text: &str| match wanted {
            Pattern::Any => true,
            Pattern::Is(wanted) => **wanted == *text,
        };
        any.iter().any(|one| match one {
            Match::Identifier(CodePattern { system: of, code }) => is(of, system) && is(code, value),
            _ => false,
        })
    }

    /// The one match there is already; several are 412.
    pub(crate) async fn existing(&self, call: &Call<'_>) -> Result<Option<(i64, String, i32)>, Error> {
        let page = self.found(call, 2).await?;
        match &page.rows[..] {
            [] => Ok(None),
            [one] => Ok(Some((one.rid, one.id.clone(), one.version))),
            _ => Err(several()),
        }
    }

    /// What matches now. It is on record, and so is whom the condition names: whatever
    /// becomes of it, the caller is told by it.
    async fn found(&self, call: &Call<'_>, most: u32) -> Result<Page, Error> {
        let page = call.store.reader(&call.world()).search(&self.plan, None, most).await?;
        call.looked_at(&page.rows).await?;
        let answer = Answer { found: page.rows.len(), whole: page.next.is_none() };
        call.asked(std::slice::from_ref(&self.plan), answer);
        Ok(page)
    }

    /// The one match as it is now, for a caller who may do `action` with it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for what she can find and not change.
    pub(crate) async fn target(&self, call: &Call<'_>, action: Action) -> Result<Option<Stored>, Error> {
        for _ in 0..TRIES {
            let Some((_, id, _)) = self.existing(call).await? else { return Ok(None) };
            let at = Location { kind: self.kind().to_owned(), id };
            match call.writable_now(&at, action).await {
                Ok(Some(found)) if !found.is_deleted() => return Ok(Some(found)),
                // It has gone between the two.
                Ok(_) => {}
                Err(Error::Conflict(_)) => return Err(super::call::untouchable()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Store(StoreError::Busy))
    }

    /// All matches as they are now, for a caller who may delete each.
    ///
    /// # Errors
    /// [`Error::Precondition`] for several where the operator allows one, and for too many;
    /// [`Error::Forbidden`] for one that she can find and not change.
    pub(crate) async fn doomed(&self, call: &Call<'_>) -> Result<Vec<Stored>, Error> {
        if call.config.conditional_delete == ConditionalDelete::Single {
            return Ok(self.target(call, Action::Delete).await?.into_iter().collect());
        }
        let found = self.found(call, MOST).await?;
        if found.next.is_some() {
            return Err(too_many());
        }
        let mut all = Vec::new();
        for row in found.rows {
            let at = Location { kind: self.kind().to_owned(), id: row.id };
            match call.writable_now(&at, Action::Delete).await {
                Ok(old) => all.extend(old.filter(|old| !old.is_deleted())),
                Err(Error::Conflict(_)) => return Err(super::call::untouchable()),
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// That nothing matches, to be checked inside the transaction that writes `rid`.
    pub(crate) fn none(&self, call: &Call<'_>, rid: i64) -> Result<write::Condition, Error> {
        self.check(call, rid, Vec::new())
    }

    /// That `rid` matches and nothing else, to be checked inside the transaction that
    /// writes it.
    pub(crate) fn only(&self, call: &Call<'_>, rid: i64) -> Result<write::Condition, Error> {
        self.check(call, rid, vec![rid])
    }

    /// That these match and nothing else, to be checked inside the transaction that
    /// deletes them.
    pub(crate) fn all(&self, call: &Call<'_>, rids: Vec<i64>) -> Result<write::Condition, Error> {
        let first = *rids.first().ok_or_else(|| Error::Internal("a condition of no record".into()))?;
        self.check(call, first, rids)
    }

    fn check(&self, call: &Call<'_>, rid: i64, wanted: Vec<i64>) -> Result<write::Condition, Error> {
        let text = format!("{} {} {}", self.plan.resource_type, call.world_name(), parse::canonical(&self.plan));
        let hash = secret::hash(text.as_bytes());
        Ok(call.store.reader(&call.world()).condition(&self.plan, hash, rid, wanted)?)
    }
}

fn too_many() -> Error {
    Error::Precondition(Issue::error(
        "too-costly",
        format!("More than {MOST} resources match the condition. Make the query more exact."),
        format!("条件に合うリソースが {MOST} 件を超えています。検索条件を絞ってください。"),
    ))
}

pub(crate) fn several() -> Error {
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
