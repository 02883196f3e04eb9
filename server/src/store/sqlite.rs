//! A connection to SQLite of our own, for a thread that runs one statement after another.
//!
//! The general driver hands each statement, each row and each value from thread to thread,
//! and copies what is bound; here a thread calls SQLite itself, and what is bound is borrowed.
//!
//! What runs may have a limit of time. SQLite asks a progress handler every few thousand
//! steps whether to go on, so it is stopped in the database itself.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, ToSql};
use sea_orm::{DbErr, Statement, Value};

use super::row::{Packed, Row};

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;
/// Virtual machine instructions between two questions whether to go on: well under a millisecond.
const STEPS: i32 = 10_000;
/// How long a statement waits for a lock that another process holds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pragma and its value.
pub(super) type Setting = (&'static str, &'static str);

/// One connection with its clock.
#[derive(Debug)]
pub(super) struct Own {
    connection: Connection,
    begun: Instant,
    /// When what runs has to end, in microseconds since `begun`.
    end: Arc<AtomicU64>,
    /// How long each statement may take.
    time: Cell<Option<Duration>>,
}

/// Why a statement did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// It took longer than it may.
    #[error("interrupted")]
    Late,
    /// A row with such a key is there already.
    #[error("a unique key is in use")]
    Taken,
    /// SQLite says no.
    #[error("{0}")]
    Refused(rusqlite::Error),
}

impl Own {
    /// Opens the database at `path`, which is there already.
    pub(super) fn open(path: &Path, settings: &[Setting]) -> Result<Self, DbErr> {
        Self::opened(path, settings).map_err(|error| Failed::from(error).into())
    }

    fn opened(path: &Path, settings: &[Setting]) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for (name, value) in settings {
            connection.pragma_update(None, name, value)?;
        }
        let (begun, end) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let clock = end.clone();
        let late = move || micros(begun.elapsed()) > clock.load(Ordering::Relaxed);
        connection.progress_handler(STEPS, Some(late))?;
        Ok(Self { connection, begun, end, time: Cell::new(None) })
    }

    /// From now on each statement has this long; `None`: as long as it takes.
    pub(super) fn limit(&self, time: Option<Duration>) {
        self.time.set(time);
    }

    /// No transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// All rows of a statement without values.
    pub(super) fn plain(&self, sql: &str) -> Result<Vec<Row>, Failed> {
        self.bound(sql, std::iter::empty())
    }

    /// All rows of a statement.
    pub(super) fn query(&self, statement: &Statement) -> Result<Vec<Row>, Failed> {
        self.bound(&statement.sql, statement.values.iter().flat_map(|values| &values.0))
    }

    /// All rows of `sql` with these values.
    pub(super) fn bound<'v>(&self, sql: &str, values: impl Iterator<Item = &'v Value>) -> Result<Vec<Row>, Failed> {
        let mut prepared = self.prepared(sql)?;
        for (number, value) in values.enumerate() {
            prepared.raw_bind_parameter(number + 1, Bound(value))?;
        }
        let width = prepared.column_count();
        let mut rows = prepared.raw_query();
        let mut found = Packed::of_width(width);
        while let Some(row) = rows.next()? {
            for at in 0..width {
                found.push(row.get_ref(at)?);
            }
        }
        Ok(found.split())
    }

    /// Runs `sql` for each of these rows of values.
    pub(super) fn each(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), Failed> {
        let mut prepared = self.prepared(sql)?;
        for row in rows {
            for (number, value) in row.iter().enumerate() {
                prepared.raw_bind_parameter(number + 1, Bound(value))?;
            }
            prepared.raw_execute()?;
        }
        Ok(())
    }

    /// A statement, whose time begins.
    fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        let end = self.time.get().map_or(u64::MAX, |time| micros(self.begun.elapsed() + time));
        self.end.store(end, Ordering::Relaxed);
        self.connection.prepare_cached(sql)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        let unique = [rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
        match error.sqlite_error() {
            Some(code) if code.code == ErrorCode::OperationInterrupted => Self::Late,
            Some(code) if unique.contains(&code.extended_code) => Self::Taken,
            _ => Self::Refused(error),
        }
    }
}

impl From<Failed> for DbErr {
    fn from(failed: Failed) -> Self {
        Self::Custom(failed.to_string())
    }
}

/// A value as SQLite is given it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let integer = |value: Option<i64>| value.map_or(ValueRef::Null, ValueRef::Integer);
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Bool(value) => integer(value.map(i64::from)),
            Value::TinyInt(value) => integer(value.map(i64::from)),
            Value::SmallInt(value) => integer(value.map(i64::from)),
            Value::Int(value) => integer(value.map(i64::from)),
            Value::BigInt(value) => integer(*value),
            Value::TinyUnsigned(value) => integer(value.map(i64::from)),
            Value::SmallUnsigned(value) => integer(value.map(i64::from)),
            Value::Unsigned(value) => integer(value.map(i64::from)),
            Value::Double(value) => value.map_or(ValueRef::Null, ValueRef::Real),
            Value::String(value) => value.as_deref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())),
            Value::Bytes(value) => value.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
            // No statement of ours binds another kind. What it was stays out of the log.
            _ => return Err(rusqlite::Error::ToSqlConversionFailure("a value of a kind that is not bound".into())),
        }))
    }
}
