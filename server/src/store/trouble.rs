//! What keeps a database from answering, told apart.
//!
//! PostgreSQL is asked by its SQLSTATE (PostgreSQL manual, appendix A): its words are in
//! the language that its operator has set.

use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgDatabaseError, PgSeverity};
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Why the database did not do what it understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It took longer than it may.
    Late,
    /// The disk is full.
    Full,
    /// It cannot be reached, or has no room for one more who asks.
    Away,
}

impl Trouble {
    /// `None`: something else, which asking again does not help.
    pub fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => of_driver(cause),
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Some(Self::Away),
            other => of_sqlite(&other.to_string()),
        }
    }
}

fn of_driver(cause: &sqlx::Error) -> Option<Trouble> {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Some(Trouble::Away)
        }
        sqlx::Error::Database(said) => match said.code() {
            Some(state) if state.len() == STATE => {
                of_postgres(&state).or_else(|| ended(&**said).then_some(Trouble::Away))
            }
            _ => of_sqlite(said.message()),
        },
        _ => None,
    }
}

/// Letters of a SQLSTATE; SQLite's codes are shorter.
const STATE: usize = 5;

fn of_postgres(state: &str) -> Option<Trouble> {
    match state {
        "57014" => Some(Trouble::Late),
        "53100" => Some(Trouble::Full),
        // Too many connections, shutting down, starting up, and no lock.
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "55P03" => Some(Trouble::Away),
        _ => state.starts_with("08").then_some(Trouble::Away),
    }
}

/// PostgreSQL has ended the connection, or lets nobody have one.
fn ended(said: &dyn DatabaseError) -> bool {
    let said = said.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    matches!(said, Some(PgSeverity::Fatal | PgSeverity::Panic))
}

/// SQLite has one language.
fn of_sqlite(text: &str) -> Option<Trouble> {
    if text.contains("database or disk is full") {
        return Some(Trouble::Full);
    }
    text.contains("locked").then_some(Trouble::Away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trouble_is_an_error() {
        for (error, expected) in [
            (DbErr::Custom("database is locked".to_owned()), Some(Trouble::Away)),
            (DbErr::Custom("database or disk is full".to_owned()), Some(Trouble::Full)),
            (DbErr::Custom("no such table: resource".to_owned()), None),
            (DbErr::Conn(RuntimeErr::SqlxError(std::sync::Arc::new(sqlx::Error::PoolTimedOut))), Some(Trouble::Away)),
            (DbErr::Query(RuntimeErr::SqlxError(std::sync::Arc::new(sqlx::Error::RowNotFound))), None),
        ] {
            assert_eq!(Trouble::of(&error), expected, "{error}");
        }
        for (state, expected) in [
            ("57014", Some(Trouble::Late)),
            ("53100", Some(Trouble::Full)),
            ("08006", Some(Trouble::Away)),
            ("23505", None),
        ] {
            assert_eq!(of_postgres(state), expected, "{state}");
        }
    }
}
