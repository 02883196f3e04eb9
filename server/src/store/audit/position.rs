//! Places in the log, and how far it has been filed.

use std::fmt::{self, Display, Formatter};

use super::authentic::{ChainKey, Mac};
use super::files;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which chain: one for each process that writes at the same time.
    pub chain: i64,
    /// Which segment file, from 1; 0 where the log is a table.
    pub segment: u32,
    /// Byte offset in the segment; the record's number where the log is a table.
    pub place: u64,
}

/// A point between two records: all before it is known, nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where the next record goes.
    pub(super) position: Position,
    /// The mac of the record before.
    pub(super) mac: Mac,
}

impl Head {
    /// The beginning of a chain kept in segment files.
    pub(super) fn first_in_files(chain: i64, key: &ChainKey) -> Self {
        let position = Position { chain, segment: 1, place: files::HEADER as u64 };
        Self { position, mac: key.genesis(chain) }
    }

    /// The beginning of a chain kept in a table.
    pub(super) fn first_in_table(chain: i64, key: &ChainKey) -> Self {
        Self { position: Position { chain, segment: 0, place: 0 }, mac: key.genesis(chain) }
    }

    /// What the head's seal covers.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let Position { chain, segment, place } = self.position;
        [&chain.to_be_bytes()[..], &segment.to_be_bytes(), &place.to_be_bytes(), &self.mac].concat()
    }
}

impl Display for Position {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.segment {
            0 => write!(out, "chain {} number {}", self.chain, self.place),
            segment => write!(out, "chain {} segment {segment} offset {}", self.chain, self.place),
        }
    }
}
