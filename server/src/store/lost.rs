//! Connections that died while nobody used them: PostgreSQL was restarted, or what
//! stands before it closed them.
//!
//! Nobody is told; whoever uses one next finds it. What reads is then asked once more, and
//! so is the beginning of a transaction. From that moment on, each connection that has lain
//! since before is looked at as it is taken from the pool (one way there and back), and
//! replaced where it is dead: so what a request writes after it has read meets a live one.
//! Where none was lost, nothing is asked.
//!
//! What was sent and may have taken effect is never sent again: whether it has is unknown
//! ([`StoreError::Unknown`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::postgres::{PgDatabaseError, PgSeverity};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, sqlx,
};

use super::error::StoreError;

/// When a connection was found dead last.
#[derive(Clone, Debug)]
pub(super) struct Losses {
    start: Instant,
    /// Microseconds after the start; 0: none so far.
    latest: Arc<AtomicU64>,
}

/// A connection put back so shortly after a loss was found is looked at as well.
const SLACK: Duration = Duration::from_secs(1);

impl Default for Losses {
    fn default() -> Self {
        Self { start: Instant::now(), latest: Arc::default() }
    }
}

impl Losses {
    /// Whether the connection is gone that a statement was sent on, or was to be. If so,
    /// the others are looked at from now on.
    pub(super) fn found(&self, error: &DbErr) -> bool {
        let found = broken(error).is_some();
        if found {
            let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.latest.fetch_max(now.max(1), Ordering::Relaxed);
        }
        found
    }

    /// Whether a connection that was not used for so long may be dead.
    pub(super) fn doubts(&self, idle: Duration) -> bool {
        let latest = self.latest.load(Ordering::Relaxed);
        latest > 0 && self.start.elapsed().saturating_sub(Duration::from_micros(latest)) <= idle + SLACK
    }

    /// What is said of a statement that takes effect by itself.
    pub(super) fn told(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Database(error) if self.found(&error) && broken(&error) == Some(Broken::Sent) => {
                tracing::error!(%error, "the connection was lost before the database said whether it wrote");
                StoreError::Unknown
            }
            other => other,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Broken {
    /// Before anything was sent.
    Unsent,
    /// At a statement, which may have arrived.
    Sent,
}

/// How far a statement came whose connection is gone.
fn broken(error: &DbErr) -> Option<Broken> {
    let (cause, broken) = match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause)) => (cause, Broken::Unsent),
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => (cause, Broken::Sent),
        _ => return None,
    };
    let gone = match &**cause {
        sqlx::Error::Io(_) => true,
        // A server that refuses a connection says so as fatally as one that ends it, and
        // would refuse the next.
        sqlx::Error::Database(cause) => {
            let said = cause.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
            broken == Broken::Sent && matches!(said, Some(PgSeverity::Fatal | PgSeverity::Panic))
        }
        _ => false,
    };
    gone.then_some(broken)
}

/// The connections for reading: what they are asked changes nothing, and is asked once
/// more where the first was dead.
#[derive(Clone, Debug)]
pub struct Reading {
    connection: DatabaseConnection,
    losses: Losses,
}

impl Reading {
    pub(super) fn new(connection: DatabaseConnection, losses: Losses) -> Self {
        Self { connection, losses }
    }

    /// Themselves, for what is asked neither by a request nor twice.
    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// All rows of what `make` makes.
    pub(super) async fn all(&self, make: impl Fn() -> Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.connection.query_all_raw(make()).await {
            Err(error) if self.losses.found(&error) => self.connection.query_all_raw(make()).await,
            found => found,
        }
    }
}

#[async_trait]
impl ConnectionTrait for Reading {
    fn get_database_backend(&self) -> DatabaseBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.connection.query_one_raw(statement.clone()).await {
            Err(error) if self.losses.found(&error) => self.connection.query_one_raw(statement).await,
            found => found,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.all(|| statement.clone()).await
    }
}
