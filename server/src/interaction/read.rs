//! `GET [type]/[id]` and `GET [type]/[id]/_history/[version]`.
//!
//! Source: FHIR R4 http.html#read, #vread, #cread

use techo_profiles::json::ParseError;

use super::redact::Seen;
use super::{Call, Error, Known, Location, Reply, Status, subset};
use crate::consent::caller::Action;
use crate::search::shape::{Shape, Summary};
use crate::search::{Reason, SearchError};
use crate::store::reader::Stored;

/// The current version of one resource.
///
/// # Errors
/// [`Error::NotFound`] if absent *or hidden*; [`Error::Gone`] if deleted and
/// once visible to this caller.
///
/// * `known`: what the reader has. Decided on the answer, so that what is hidden
///   stays 404.
pub async fn read(call: &Call<'_>, at: &Location, known: &Known, shape: &Shape) -> Result<Reply, Error> {
    call.may(Action::Read, &at.kind)?;
    no_count(shape)?;
    if at.kind == "AuditEvent" {
        return super::audit::read(call, at).await?.cut(call, shape);
    }
    let found = call.reader().current(&at.kind, &at.id).await?.ok_or(Error::NotFound)?;
    let reply = call.reply(found).await?;
    if reply.version.is_some_and(|(version, updated)| known.covers(version, updated)) {
        return Ok(Reply { status: Status::NotModified, body: None, ..reply });
    }
    reply.cut(call, shape)
}

/// One version of one resource.
///
/// # Errors
/// As [`read`].
pub async fn vread(call: &Call<'_>, at: &Location, version: i32, shape: &Shape) -> Result<Reply, Error> {
    call.may(Action::Read, &at.kind)?;
    no_count(shape)?;
    let found = call.reader().version(&at.kind, &at.id, version).await?.ok_or(Error::NotFound)?;
    call.reply(found).await?.cut(call, shape)
}

/// There is nothing to count where one resource is named.
pub(crate) fn no_count(shape: &Shape) -> Result<(), Error> {
    if shape.summary != Summary::Count {
        return Ok(());
    }
    Err(SearchError::new("_summary", Reason::SummaryOfOne).into())
}

impl Reply {
    /// The one resource that it holds, cut to a shape.
    fn cut(mut self, call: &Call<'_>, shape: &Shape) -> Result<Self, Error> {
        if let (Some(at), Some(body)) = (&self.about, self.body.take()) {
            self.body = Some(subset::cut(call.definitions, &at.kind, body, (shape, true)).map_err(no_json)?);
        }
        Ok(self)
    }
}

fn no_json(_: ParseError) -> Error {
    Error::Internal("a body is no JSON".into())
}

impl Call<'_> {
    /// A stored version as an answer.
    pub(super) async fn reply(&self, found: Stored) -> Result<Reply, Error> {
        let about = Location { kind: self.type_name(found.kind), id: found.id.clone() };
        let Some(body) = self.shown(&found, &mut Seen::new()).await? else {
            self.looked_at(&[found]).await?;
            return Err(Error::Gone);
        };
        Ok(Reply {
            status: Status::Ok,
            body: Some(body),
            version: Some((found.version, found.updated)),
            location: None,
            disclosed: self.citizens_of(&found).await?.into_iter().map(|one| (one, about.kind.clone())).collect(),
            about: Some(about),
            count: 1,
            written: false,
        })
    }

    /// The body of a stored version as this caller may have it; none of a deletion.
    /// What a publisher withdrew is gone for all but the citizen's own side.
    pub(crate) async fn shown(&self, found: &Stored, seen: &mut Seen) -> Result<Option<Vec<u8>>, Error> {
        let is_shown = !found.is_deleted() || (found.deleted == 2 && self.view.citizens_side());
        if !is_shown {
            return Ok(None);
        }
        let Some(body) = found.body()? else { return Ok(None) };
        self.redacted(found, body.to_vec(), seen).await.map(Some)
    }

    /// Whose data a stored version is.
    pub(crate) async fn citizens_of(&self, found: &Stored) -> Result<Vec<i64>, Error> {
        Ok(self.store.subjects_of(found).await?)
    }
}
