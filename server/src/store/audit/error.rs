//! Why the audit log could not do its part. Every one of these fails the request.

use sea_orm::DbErr;

use super::Position;
use super::codec::NoRecord;
use crate::store::error::StoreError;

/// Why a record could not be kept, found or shown.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk or the database has no room left.
    #[error("the audit log has no room left")]
    Full,
    /// The log could not be written. Nothing of the record is in it.
    #[error("the audit log cannot be written: {0}")]
    Unwritable(String),
    /// Bytes already accepted could not be brought to the disk: what they are
    /// worth is unknown until the log is opened anew.
    #[error("the audit log could not be synced to disk; restart the server")]
    Unsynced,
    /// The log has been closed.
    #[error("the audit log is closed")]
    Closed,
    /// More than one record may hold.
    #[error("an audit record of {0} bytes is too large")]
    TooLarge(usize),
    /// A file of the log could not be read.
    #[error("audit log file {path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] DbErr),
    /// Rows could not be written.
    #[error(transparent)]
    Rows(#[from] StoreError),
    /// A record that is not what its chain says.
    #[error("audit record at {position}: {fault}")]
    Damaged {
        /// Where.
        position: Position,
        /// What is wrong.
        fault: &'static str,
    },
    /// A stored row that makes no sense.
    #[error("table {table}, column {column}, row {row}: makes no sense")]
    Row {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Row.
        row: String,
    },
    /// A chain was folded by another process meanwhile; the pass is begun again.
    #[error("audit chain {0} is being folded by another process")]
    Busy(i64),
}

impl AuditError {
    pub(super) fn record(position: Position, error: NoRecord) -> Self {
        Self::Damaged { position, fault: error.0 }
    }
}

impl AuditError {
    /// The same error for the next request of a batch.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Unsynced => Self::Unsynced,
            Self::Closed => Self::Closed,
            other => Self::Unwritable(other.to_string()),
        }
    }
}
