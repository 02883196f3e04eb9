//! A write, as data.
//!
//! A [`WriteSet`] is planned outside the writer: parsed, validated, indexed,
//! authorized. The writer only checks what may have changed meanwhile, puts the
//! rows in, and commits. All of a set happens, or none of it.

use sea_orm::{Statement, Value};

use crate::consent::view::CitizenKey;

use super::facts::Facts;
use super::index::IndexRow;

/// How an instant is written into a stored body: `2026-11-22T08:30:00.000Z`.
pub const STAMP_WIDTH: usize = 24;

/// One request's writes.
#[derive(Debug, Default)]
pub struct WriteSet {
    /// What must not exist yet, decided inside the transaction.
    pub conditions: Vec<Condition>,
    /// New versions.
    pub puts: Vec<Put>,
    /// Rows of other tables that belong to the same transaction.
    pub extras: Vec<Extra>,
}

/// A conditional write: of what is visible to the caller, the query may match
/// nothing, or only what the plan was made on.
#[derive(Debug)]
pub struct Condition {
    /// SHA-256 of (type, the caller's world, canonical query): the database's
    /// own key, so that servers on one database cannot both find nothing.
    pub hash: [u8; 32],
    /// Selects `(rid, id, version)` of the matches, up to one more than are wanted.
    pub(super) matches: Statement,
    /// The record that is written.
    pub rid: i64,
    /// The rows that the query must match, in order; none for a create.
    pub wanted: Vec<i64>,
}

/// One new version of one record.
#[derive(Clone, Debug)]
pub struct Put {
    /// The row.
    pub rid: i64,
    /// The resource type's number.
    pub kind: u16,
    /// The resource id.
    pub id: String,
    /// The version that the plan was made on; `None` for a new record.
    pub expected: Option<i32>,
    /// What happened.
    pub method: Method,
    /// The body; `None` deletes.
    pub body: Option<Body>,
    /// The columns that decide about visibility.
    pub facts: Facts,
    /// Whom the version before was about and this one is not.
    pub left: Vec<CitizenKey>,
    /// The index rows of the version before.
    pub old: Vec<IndexRow>,
    /// The index rows of this version.
    pub new: Vec<IndexRow>,
    /// The version before was indexed under an older epoch: take its rows out by a scan.
    pub sweep: bool,
    /// As of which rules the rows are.
    pub rules: Rules,
    /// The records by which it is told whom this one is about: they must be as they were
    /// found still.
    pub rests: Vec<Ground>,
}

/// A place that others are told by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The resource type's number.
    pub kind: u16,
    /// The resource id.
    pub id: String,
    /// Row and version of what is there; `None` if nothing is.
    pub found: Option<(i64, i32)>,
}

/// Generations of the own search parameters, as a write was planned by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The one in force when it was planned; the write happens while it is.
    pub planned: i64,
    /// That of the old rows; a rebuild may have passed meanwhile.
    pub before: i64,
    /// That of the new ones.
    pub after: i64,
}

impl Put {
    /// Whom it concerns: whom the version is about, and whom the one before was.
    pub fn concerned(&self) -> impl Iterator<Item = CitizenKey> {
        self.facts.subjects.iter().chain(&self.left).copied()
    }

    /// The number of the version that this makes.
    pub fn version(&self) -> i32 {
        self.expected.map_or(1, |version| version + 1)
    }
}

/// The interaction that made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `POST`
    Create,
    /// `PUT` where nothing was
    CreateAt,
    /// `PUT`
    Update,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// A publisher's delete: gone for others, still the citizen's to read.
    Withdraw,
}

impl Method {
    pub(super) fn number(self) -> i16 {
        match self {
            Self::Create => 0,
            Self::Update => 1,
            Self::Delete => 2,
            Self::Withdraw => 3,
            Self::CreateAt => 4,
            Self::Patch => 5,
        }
    }

    /// The HTTP verb and the status shown in a history Bundle.
    pub fn told(number: i16) -> (&'static str, &'static str) {
        match number {
            0 => ("POST", "201"),
            1 => ("PUT", "200"),
            4 => ("PUT", "201"),
            5 => ("PATCH", "200"),
            _ => ("DELETE", "204"),
        }
    }

    /// Whether the record is gone for others afterwards.
    pub fn deletes(self) -> bool {
        self.deleted() != 0
    }

    pub(super) fn deleted(self) -> i16 {
        match self {
            Self::Create | Self::CreateAt | Self::Update | Self::Patch => 0,
            Self::Delete => 1,
            Self::Withdraw => 2,
        }
    }
}

/// A stored body whose `meta.lastUpdated` the writer fills in.
#[derive(Clone, Debug)]
pub struct Body {
    /// The JSON text.
    pub bytes: Vec<u8>,
    /// Where the [`STAMP_WIDTH`] characters of `meta.lastUpdated` begin.
    pub stamp_at: usize,
}

impl Body {
    /// The text with `stamp` (microseconds since 1970) in its place.
    pub fn stamped(mut self, stamp: i64) -> Vec<u8> {
        self.bytes[self.stamp_at..self.stamp_at + STAMP_WIDTH].copy_from_slice(instant(stamp).as_bytes());
        self.bytes
    }
}

/// An instant as stored bodies spell it: UTC, milliseconds, [`STAMP_WIDTH`] characters.
pub fn instant(micros: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// What else is written with the set, in other tables. Only the store makes them.
#[derive(Debug)]
pub struct Extra(pub(super) Beside);

/// A row, which goes out with others of its kind, or a statement of its own.
#[derive(Debug)]
pub(super) enum Beside {
    Row(&'static Into, Vec<Value>),
    Statement(Statement),
}

/// Where a row goes.
#[derive(Debug)]
pub(super) struct Into {
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
    /// What happens where a row with its key is there already: `ON CONFLICT …`, or an error.
    pub(super) conflict: &'static str,
}

/// A set that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// `meta.lastUpdated` of every put, in microseconds since 1970.
    pub stamp: i64,
}

/// Why a set was not written. Nothing of it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The record of this put has another version now (or is gone), or one that it rests on.
    Moved {
        /// Position in [`WriteSet::puts`].
        put: usize,
        /// The version it has; `None` if there is no such row.
        current: Option<i32>,
    },
    /// The id of a new record is in use.
    Taken,
    /// The condition's query does not match what it should.
    Matched {
        /// Position in [`WriteSet::conditions`].
        condition: usize,
        /// The matches found: row, id and version; more than are wanted when there are more.
        rows: Vec<(i64, String, i32)>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_one_width() {
        for (micros, text) in [(0, "1970-01-01T00:00:00.000Z"), (1_795_000_000_123_999, "2026-11-18T11:06:40.123Z")] {
            assert_eq!(instant(micros), text);
            assert_eq!(instant(micros).len(), STAMP_WIDTH);
        }
    }
}
