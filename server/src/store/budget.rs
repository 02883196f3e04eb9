//! How long a search may take: past it, the statement is stopped in the database
//! itself, not only waited for no longer.
//!
//! SQLite asks a progress handler every few thousand steps whether to go on; the
//! connection gets one when a limited statement takes it from the pool.
//! PostgreSQL has a `statement_timeout`, set on connections for searches alone.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, QueryResult, Statement};

use super::Db;
use super::error::StoreError;

/// How long a search may take if the operator does not say.
pub const SEARCH_TIME: Duration = Duration::from_secs(10);

impl Db {
    /// All rows of a search's statement.
    ///
    /// # Errors
    /// [`StoreError::TooCostly`] if it was stopped.
    pub async fn limited(&self, statement: Statement) -> Result<Vec<QueryResult>, StoreError> {
        let db = self.search().clone();
        let work = async move { db.query_all_raw(statement).await };
        let found = match self.backend() {
            DatabaseBackend::Sqlite => within(self.time(), work).await,
            _ => work.await,
        };
        found.map_err(|error| if was_stopped(&error) { StoreError::TooCostly } else { error.into() })
    }
}

tokio::task_local! {
    /// The limit of the statement that this task is about to run.
    static LIMIT: Arc<Limit>;
}

/// One statement's limit: [`RUNS`], [`STOP`] or [`DONE`].
struct Limit(AtomicU8);

const RUNS: u8 = 0;
const STOP: u8 = 1;
const DONE: u8 = 2;

impl Limit {
    /// Whether the statement may go on. No to one question alone: the handler
    /// outlives the statement, and must not stop another on the same connection.
    fn goes_on(&self) -> bool {
        self.0.compare_exchange(STOP, DONE, Ordering::AcqRel, Ordering::Acquire).is_err()
    }
}

/// Runs `work` under a limit.
///
/// In a task of its own: who hangs up early must not leave a statement behind that
/// nobody stops.
async fn within<T: Send + 'static>(
    time: Duration,
    work: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    let task = tokio::spawn(async move {
        let limit = Arc::new(Limit(AtomicU8::new(RUNS)));
        let mut work = std::pin::pin!(LIMIT.scope(limit.clone(), work));
        let found = tokio::select! {
            found = &mut work => found,
            () = tokio::time::sleep(time) => {
                limit.0.store(STOP, Ordering::Release);
                work.await
            }
        };
        limit.0.store(DONE, Ordering::Release);
        found
    });
    task.await.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string())))
}

/// Puts the limit of this task, if it has one, on a connection that it takes.
pub(super) async fn watch(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if let Ok(limit) = LIMIT.try_with(Arc::clone) {
        connection.lock_handle().await?.set_progress_handler(STEPS, move || limit.goes_on());
    }
    Ok(())
}

/// Virtual machine instructions between two questions: well under a millisecond.
const STEPS: i32 = 10_000;

/// SQLite says that it was interrupted; PostgreSQL cancels with 57014.
fn was_stopped(error: &DbErr) -> bool {
    let text = error.to_string();
    text.contains("(code: 9)") || text.contains("statement timeout")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Counts for minutes.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
        SELECT COUNT(*) FROM n";
    /// Counts for a moment, and longer than the limit.
    const SHORT: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
        SELECT COUNT(*) FROM n";

    async fn stops(url: &str) {
        let db = Db::open_for(url, Duration::from_millis(100)).await.expect("a database");
        let run = |sql: &str| db.statement(sql, []);
        for _ in 0..6 {
            assert!(matches!(db.limited(run(LONG)).await, Err(StoreError::TooCostly)));
            assert_eq!(db.limited(run("SELECT 1")).await.expect("the connection is good").len(), 1);
        }
        // Whoever hangs up leaves nothing behind that holds the connections.
        for _ in 0..8 {
            let _ = tokio::time::timeout(Duration::from_millis(5), db.limited(run(LONG))).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        for _ in 0..8 {
            assert_eq!(db.limited(run("SELECT 1")).await.expect("free again").len(), 1);
            // Other statements have no limit, on the same connections.
            assert_eq!(db.all(SHORT, []).await.expect("no limit").len(), 1);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_search_past_its_time_is_stopped_in_the_database() {
        let folder: PathBuf = std::env::temp_dir().join(format!("techo-budget-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        stops(&format!("sqlite:{}", folder.join("db").display())).await;
        let _ = std::fs::remove_dir_all(folder);
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs TECHO_TEST_POSTGRES"]
    async fn a_search_past_its_time_is_stopped_in_postgres() {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        stops(&format!("{url}/postgres")).await;
    }
}
