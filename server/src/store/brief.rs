//! Statements of the writer that have a limit of time: the conditions of writes.
//!
//! A condition is a search that is asked again inside the write's transaction, while all
//! others who write wait. It has less time than a search of its own, and is stopped in the
//! database itself: SQLite asks the progress handler of the writer's connection, and
//! PostgreSQL bounds the statements of the transaction meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseBackend, DbErr, QueryResult, Statement};

use super::db::Db;
use super::error::StoreError;

/// The longest that a condition may take. What needs longer has no index to go by.
pub(super) const CONDITION_TIME: Duration = Duration::from_secs(2);
/// Virtual machine instructions between two questions whether to go on.
const STEPS: i32 = 10_000;

/// When the statement that SQLite's writer runs has to end.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    begun: Instant,
    /// In microseconds since `begun`.
    end: Arc<AtomicU64>,
}

impl Deadline {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), end: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Has the connections of these options ask it.
    pub(super) fn asked_by(&self, mut options: ConnectOptions) -> ConnectOptions {
        let deadline = self.clone();
        options.map_sqlx_sqlite_pool_opts(move |pool| {
            let deadline = deadline.clone();
            pool.after_connect(move |connection, _| {
                let deadline = deadline.clone();
                Box::pin(async move { deadline.watch(connection).await })
            })
        });
        options
    }

    async fn watch(self, connection: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
        connection.lock_handle().await?.set_progress_handler(STEPS, move || self.is_ahead());
        Ok(())
    }

    fn is_ahead(&self) -> bool {
        micros(self.begun.elapsed()) <= self.end.load(Ordering::Relaxed)
    }

    /// Runs until the answer is dropped.
    fn within(&self, time: Duration) -> Running<'_> {
        self.end.store(micros(self.begun.elapsed() + time), Ordering::Relaxed);
        Running(self)
    }
}

/// A limit that holds.
struct Running<'d>(&'d Deadline);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.end.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Db {
    /// All rows of a statement in the writer's transaction, within [`CONDITION_TIME`].
    ///
    /// # Errors
    /// [`StoreError::TooCostly`] where it was stopped; the transaction is to be given up.
    pub(super) async fn brief(
        &self,
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let _running = self.deadline().within(CONDITION_TIME);
        connection.query_all_raw(statement).await.map_err(stopped)
    }

    /// Bounds the statements of a PostgreSQL transaction, or no longer; SQLite's are
    /// bounded one by one.
    pub(super) async fn bound(&self, connection: &impl ConnectionTrait, is_bound: bool) -> Result<(), DbErr> {
        if self.backend() == DatabaseBackend::Postgres {
            let time = if is_bound { CONDITION_TIME.as_millis().to_string() } else { "DEFAULT".to_owned() };
            connection.execute_unprepared(&format!("SET LOCAL statement_timeout = {time}")).await?;
        }
        Ok(())
    }
}

fn stopped(error: DbErr) -> StoreError {
    let text = error.to_string();
    let is_stopped = text.contains("statement timeout") || text.ends_with("interrupted");
    if is_stopped { StoreError::TooCostly } else { error.into() }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::db::statement;
    use super::*;

    /// Runs for minutes.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
                        SELECT count(*) FROM n";

    async fn stops(url: &str) {
        let db = Db::open(url).await.expect("a database");
        let asked = |sql| statement(db.backend(), sql, []);
        let transaction = db.begin().await.expect("a transaction");
        db.bound(&transaction, true).await.expect("a limit");
        let begun = Instant::now();
        let late = db.brief(&transaction, asked(LONG)).await;
        assert!(matches!(late, Err(StoreError::TooCostly)), "{late:?}");
        assert!(begun.elapsed() < 3 * CONDITION_TIME, "{:?}", begun.elapsed());
        transaction.rollback().await.expect("given up");
        // The next transaction has all its time again.
        let transaction = db.begin().await.expect("a transaction");
        db.bound(&transaction, true).await.expect("a limit");
        assert_eq!(db.brief(&transaction, asked("SELECT 1")).await.expect("a row").len(), 1);
        db.bound(&transaction, false).await.expect("no limit");
        transaction.commit().await.expect("committed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_condition_held_the_writer_for_as_long_as_it_took() {
        let folder = std::env::temp_dir().join(format!("techo-brief-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        stops(&format!("sqlite:{}", folder.join("db").display())).await;
        std::fs::remove_dir_all(&folder).expect("the folder is ours");
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs TECHO_TEST_POSTGRES"]
    async fn readers_of_conditions_are_stopped_in_postgres() {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        stops(&format!("{url}/postgres")).await;
    }
}
