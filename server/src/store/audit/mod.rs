//! The audit log: what was disclosed to whom, kept before the answer leaves.
//!
//! Three ideas:
//!
//! 1. **A log, not rows in the way of the clinical writes.** One writer task
//!    appends to segment files (`segment.rs`; on PostgreSQL to a table,
//!    `table.rs`), many requests a `write`. [`AuditLog::append`] returns once the
//!    record has left this process; where it cannot, the request fails.
//! 2. **A chain under a key.** Every record carries a mac over itself and the
//!    mac before it (`authentic.rs`); how far the chain had come is sealed in the
//!    database at each fold (`heads.rs`). [`verify`] finds what was changed, left
//!    out, moved or cut off.
//! 3. **Searchable behind.** The projector (`project.rs`) files records as narrow
//!    rows, a citizen each, a moment later. A search first has it catch up, then
//!    reads the records themselves and shows them as `AuditEvent`s (`event.rs`).
//!
//! A write's record is a row of the write's own transaction ([`AuditLog::row`]),
//! so that neither is ever there without the other; the projector moves it into
//! the log.
//!
//! To add a kind of event: a row in `kind.rs`. To add a field: `record.rs`.

mod authentic;
mod codec;
mod entry;
mod error;
pub mod event;
mod files;
mod heads;
mod kind;
mod log;
mod position;
mod project;
mod record;
mod row;
mod search;
mod segment;
mod table;
#[cfg(test)]
mod tests;
pub mod verify;

use std::path::PathBuf;

use sea_orm::QueryResult;

pub use error::AuditError;
pub use event::{Detail, Server};
pub use files::Fault;
pub use kind::{Coding, KINDS, Kind};
pub use log::{AuditLog, Options, Sync};
pub use position::Position;
pub use record::{Consented, Disclosed, Layer, NOBODY, Outcome, Party, Record};
pub use row::WriteRow;
pub use search::{Cursor, Filter, Found, Place};
pub use verify::{Report, verify};

use authentic::AuditKeys;
use files::{Reading, Stretch};
use position::Head;

use crate::store::db::Db;

/// Where the records are.
#[derive(Clone, Debug)]
enum Source {
    /// Segment files in this directory.
    Files(PathBuf),
    /// The table `audit_log`.
    Table,
}

impl Source {
    /// The records of a chain from `from` on. `generation` is the chain's own.
    async fn read(
        &self,
        db: &Db,
        keys: &AuditKeys,
        generation: u8,
        from: &Head,
        how: Reading,
    ) -> Result<Stretch, AuditError> {
        match self {
            Self::Table => table::read(db, keys, generation, from, how).await,
            Self::Files(directory) => {
                let (directory, keys, from) = (directory.clone(), keys.clone(), from.clone());
                blocking(move || files::read(&directory, &keys, &from, how)).await
            }
        }
    }

    /// The bytes of single records, in order of their positions.
    async fn pick(&self, db: &Db, positions: Vec<Position>) -> Result<Vec<(Position, Vec<u8>)>, AuditError> {
        match self {
            Self::Table => table::pick(db, &positions).await,
            Self::Files(directory) => {
                let directory = directory.clone();
                blocking(move || files::pick(&directory, &positions)).await
            }
        }
    }
}

/// Runs work on files where it blocks nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuditError> + Send + 'static,
) -> Result<T, AuditError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AuditError::Closed)?
}

/// A column that holds a number which is never negative.
fn number_column(row: &QueryResult, table: &'static str, column: &'static str) -> Result<u64, AuditError> {
    let number: i64 = row.try_get("", column)?;
    u64::try_from(number).map_err(|_| AuditError::Row { table, column, row: number.to_string() })
}
