//! Records for whoever makes pages of them, not FHIR answers: the portal.
//!
//! A row as it is stored holds names that are cut on the way out ([`super::redact`]). Here
//! are the only ways by which a page comes to a record, and by each of them that was done:
//! the portal asks no reader of the store itself, which `architecture.rs` sees to.

use techo_profiles::json::Json;

use super::redact::Seen;
use super::{Call, Error};
use crate::consent::view::{CitizenKey, CustodianKey};
use crate::store::facts::Custody;
use crate::store::reader::Stored;

/// A record as the caller may have it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its type.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What is left of it for the caller.
    pub resource: Json,
    /// The citizens it is about.
    pub subjects: Vec<CitizenKey>,
    /// In whose keeping it is.
    pub custodian: CustodianKey,
    /// How it came there.
    pub custody: Custody,
    /// When this version was stored, microseconds since 1970.
    pub updated: i64,
    /// Its publisher has withdrawn it; the citizen's side still reads it.
    pub withdrawn: bool,
}

impl Call<'_> {
    /// The first `most` records of a type that a search finds, and whether there are more.
    ///
    /// * `seen`: one for all that is shown together.
    pub async fn found(
        &self,
        (kind, query): (&str, &[(String, String)]),
        most: u32,
        seen: &mut Looked,
    ) -> Result<(Vec<Shown>, bool), Error> {
        let page = self.reader().search(&self.plan(kind, query, false).await?, None, most).await?;
        let more = page.next.is_some();
        Ok((self.as_shown(page.rows, seen).await?, more))
    }

    /// Records of a type by their ids, as far as they are there.
    pub async fn named(&self, kind: &str, ids: &[&str]) -> Result<Vec<Shown>, Error> {
        let rows = self.reader().many(kind, ids).await?;
        self.as_shown(rows, &mut Looked::default()).await
    }

    async fn as_shown(&self, rows: Vec<Stored>, seen: &mut Looked) -> Result<Vec<Shown>, Error> {
        let mut all = Vec::with_capacity(rows.len());
        for stored in rows {
            let Some(body) = self.shown(&stored, &mut seen.0).await? else { continue };
            all.push(Shown {
                kind: self.definitions.type_name(stored.kind).unwrap_or_default(),
                resource: Json::parse(&body).map_err(|_| stored.unreadable())?,
                subjects: self.citizens_of(&stored).await?,
                custodian: stored.custodian,
                custody: stored.custody,
                updated: stored.updated,
                withdrawn: stored.is_deleted(),
                id: stored.id,
            });
        }
        Ok(all)
    }
}

/// Which places the caller can see, as far as they were asked about for one page.
#[derive(Debug, Default)]
pub struct Looked(Seen);
