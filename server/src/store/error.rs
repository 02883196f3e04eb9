//! What can go wrong below the store's door.

use sea_orm::DbErr;

use super::readers::Halt;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// The connection was lost after a write was sent and before the database said whether
    /// it took effect. It is not sent again.
    #[error("whether the write took effect is unknown")]
    Unknown,
    /// A row with such a key is there already.
    #[error("a unique key is in use")]
    Taken,
    /// More writes wait than the queue holds. Ask again in a moment.
    #[error("the write queue is full")]
    Busy,
    /// The writer task has ended: the server is shutting down.
    #[error("the writer has stopped")]
    Stopped,
    /// A row that must be there is not.
    #[error("{table}: {what} is missing")]
    Missing {
        /// The table.
        table: &'static str,
        /// What was looked for.
        what: &'static str,
    },
    /// A stored row makes no sense. Nothing is guessed from it.
    #[error("{table}.{column} of row {row} makes no sense")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: i64,
    },
    /// The audit log cannot be written; without it nothing is answered.
    #[error("audit: {0}")]
    Audit(String),
    /// A search took longer than the operator allows, and was stopped.
    #[error("the search was stopped: it took too long")]
    TooCostly,
    /// A plan that the store cannot carry out; the parser lets none through.
    #[error("{0} is not built")]
    Unsupported(&'static str),
    /// What the caller may see has changed since it was decided: decide anew.
    #[error("the decision behind the view no longer stands")]
    Stale,
    /// The own search parameters, or how far a record is indexed by them, are others
    /// than the write was planned by: plan anew.
    #[error("the rules of indexing have changed meanwhile")]
    OtherRules,
    /// A citizen would have more Consents in force than may be; the id of the one too many.
    #[error("too many Consents in force of one citizen")]
    Crowded(String),
    /// A sealed value does not open: wrong key, or moved from its place.
    #[error("a sealed value does not open")]
    Sealed,
}

impl From<Halt> for StoreError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Failed(error) => error.into(),
            Halt::Late => Self::TooCostly,
            Halt::Stale => Self::Stale,
        }
    }
}
