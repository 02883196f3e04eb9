//! A version of a record as its row has it.
//!
//! A body that makes no sense fails whoever asks for it, and not the statement that
//! brought the row: the others of a page are there, and it can be replaced and deleted.

use techo_profiles::json::Json;

use crate::consent::view::{CitizenKey, CustodianKey};
use crate::store::error::StoreError;
use crate::store::facts::Custody;
use crate::store::row::Row;

/// What is selected of a current version.
pub(in crate::store) const COLUMNS: &str = "r.rid, r.kind, r.id, r.version, r.updated, r.deleted, r.citizen, r.several, r.custodian, \
                       r.custody, r.method, r.epoch, r.rules, r.body";
/// The same of an old one.
pub(super) const OLD_COLUMNS: &str = "r.rid, r.kind, r.id, r.version, r.updated, r.deleted, r.citizen, r.several, r.custodian, \
                           r.custody, r.method, 0 AS epoch, \
                           CAST(0 AS BIGINT) AS rules, r.body";

/// One version of one record, as stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The row.
    pub rid: i64,
    /// The resource type's number.
    pub kind: u16,
    /// The resource id.
    pub id: String,
    /// The version.
    pub version: i32,
    /// `meta.lastUpdated` in microseconds since 1970.
    pub updated: i64,
    /// 0 live, 1 deleted, 2 withdrawn by its publisher.
    pub deleted: i16,
    /// The sole subject.
    pub citizen: Option<CitizenKey>,
    /// Several citizens are the subject together.
    pub several: bool,
    /// Whose keeping it is in.
    pub custodian: CustodianKey,
    /// How it came to be there.
    pub custody: Custody,
    /// The interaction that made this version; see [`super::write::Method::told`].
    pub method: i16,
    /// The epoch of its index rows; 0 for an old version.
    pub epoch: i32,
    /// As of which generation of the own search parameters its index rows are; 0 for
    /// an old version.
    pub rules: i64,
    body: Option<Vec<u8>>,
}

impl Stored {
    /// The body as it is stored; `None` for a deletion. It may have white space around it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for what cannot be a body: it is not sent, and nothing is
    /// guessed from it.
    pub fn body(&self) -> Result<Option<&[u8]>, StoreError> {
        match self.body.as_deref().map(<[u8]>::trim_ascii) {
            None | Some([b'{', .., b'}']) => Ok(self.body.as_deref()),
            Some(_) => Err(self.unreadable()),
        }
    }

    /// The body taken apart.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for what is no JSON.
    pub fn json(&self) -> Result<Option<Json>, StoreError> {
        self.body()?.map(|body| Json::parse(body).map_err(|_| self.unreadable())).transpose()
    }

    /// Whether it never had a body: it is a deletion.
    pub fn is_bodiless(&self) -> bool {
        self.body.is_none()
    }

    /// Bytes of the body.
    pub fn size(&self) -> usize {
        self.body.as_ref().map_or(0, Vec::len)
    }

    /// That its body makes no sense.
    pub fn unreadable(&self) -> StoreError {
        StoreError::Corrupt { table: "resource", column: "body", row: self.rid }
    }

    /// Whether this version says that the record is gone.
    pub fn is_deleted(&self) -> bool {
        self.deleted != 0
    }
}

/// A row of [`COLUMNS`], which begin at column `from`.
pub(in crate::store) fn stored(row: &Row, from: usize) -> Result<Stored, StoreError> {
    let rid: i64 = row.get(from)?;
    let kind: i16 = row.get(from + 1)?;
    Ok(Stored {
        rid,
        kind: u16::try_from(kind).map_err(|_| StoreError::Corrupt { table: "resource", column: "kind", row: rid })?,
        id: row.get(from + 2)?,
        version: row.get(from + 3)?,
        updated: row.get(from + 4)?,
        deleted: row.get(from + 5)?,
        citizen: row.get(from + 6)?,
        several: row.get::<i16>(from + 7)? != 0,
        custodian: row.get(from + 8)?,
        custody: Custody::of(row.get(from + 9)?).ok_or(StoreError::Corrupt {
            table: "resource",
            column: "custody",
            row: rid,
        })?,
        method: row.get(from + 10)?,
        epoch: row.get(from + 11)?,
        rules: row.get::<i64>(from + 12)?,
        body: row.get(from + 13)?,
    })
}
