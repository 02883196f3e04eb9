//! The writer's transactions: on PostgreSQL sea-orm's, on SQLite those of a connection of
//! our own, which a thread of its own uses.
//!
//! A batch is some dozen statements. Handed to a driver one by one, each of them would wait
//! for its turn among the requests that are planned meanwhile, and its answer once more.
//!
//! Some of a batch's statements have a limit of time: the conditions of its writes. A
//! condition is a search that is asked again inside the transaction, while all others who
//! write wait. It has less time than a search of its own, and is stopped in the database
//! itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, Statement, Value};

use super::checkpoint::Checkpoints;
use super::db::{Db, Turn, Turned};
use super::error::StoreError;
use super::row::Row;
use super::runs::Runs;
use super::sqlite::{Failed, Own};

/// The longest that a condition may take. What needs longer has no index to go by.
pub(super) const CONDITION_TIME: Duration = Duration::from_secs(2);

/// What all conditions of a batch may take together: [`CONDITION_TIME`], and this for each.
/// One that goes by an index takes a tenth of it.
pub(super) const EACH_CONDITION: Duration = Duration::from_millis(1);

/// Begins transactions.
pub(super) trait Pen {
    type Open<'p>: Transaction
    where
        Self: 'p;

    /// Begins one. Dropped without [`Transaction::commit`], it rolls back.
    async fn begin(&self) -> Result<Self::Open<'_>, StoreError>;

    /// Gives back the memory that holds pages of the file.
    async fn rest(&self) -> Result<(), StoreError>;
}

/// A transaction that is open.
pub(super) trait Transaction: Runs {
    /// From now on each statement has [`CONDITION_TIME`], or again as long as it takes.
    ///
    /// # Errors
    /// Of statements that are stopped: [`StoreError::TooCostly`]; the transaction is to be given up.
    async fn bound(&self, is_bound: bool) -> Result<(), StoreError>;

    /// Ends it: what it did is on disk.
    async fn commit(self) -> Result<(), StoreError>;
}

/// PostgreSQL.
impl Pen for Db {
    type Open<'p> = DatabaseTransaction;

    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        Ok(self.transaction().await?)
    }

    async fn rest(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Transaction for DatabaseTransaction {
    async fn bound(&self, is_bound: bool) -> Result<(), StoreError> {
        let time = if is_bound { CONDITION_TIME.as_millis().to_string() } else { "DEFAULT".to_owned() };
        self.execute_unprepared(&format!("SET LOCAL statement_timeout = {time}")).await?;
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        Ok(Self::commit(self).await?)
    }
}

/// SQLite's writer; cheap to clone. Others in this process that write, rarely, take turns
/// with it.
///
/// All that is written often goes by this one connection: whatever another one commits, this
/// one's pages have to be read again.
#[derive(Clone, Debug)]
pub(super) struct Hand {
    /// Whose turn it is holds it.
    own: Arc<Mutex<Own>>,
    turn: Turn,
    _checkpoints: Arc<Checkpoints>,
}

impl Hand {
    pub(super) fn new(own: Own, turn: Turn, checkpoints: Checkpoints) -> Self {
        Self { own: Arc::new(Mutex::new(own)), turn, _checkpoints: Arc::new(checkpoints) }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pen for Hand {
    type Open<'p> = Held<'p>;

    async fn begin(&self) -> Result<Held<'_>, StoreError> {
        let turned = self.turn.clone().lock_owned().await;
        // At once, waiting for other processes: a transaction that began by reading would be
        // refused as soon as another process wrote in between.
        let own = self.own();
        own.plain("BEGIN IMMEDIATE")?;
        Ok(Held { own, _turned: turned })
    }

    async fn rest(&self) -> Result<(), StoreError> {
        let _turned = self.turn.clone().lock_owned().await;
        self.own().plain("PRAGMA shrink_memory")?;
        Ok(())
    }
}

/// A transaction on SQLite's writer.
#[derive(Debug)]
pub(super) struct Held<'h> {
    own: MutexGuard<'h, Own>,
    _turned: Turned,
}

impl Runs for Held<'_> {
    const NEAR: bool = true;

    fn backend(&self) -> DatabaseBackend {
        DatabaseBackend::Sqlite
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        Ok(self.own.query(&statement)?)
    }

    async fn run(&self, statement: Statement) -> Result<(), StoreError> {
        self.own.query(&statement)?;
        Ok(())
    }

    async fn each(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        Ok(self.own.each(sql, rows)?)
    }
}

impl Transaction for Held<'_> {
    async fn bound(&self, is_bound: bool) -> Result<(), StoreError> {
        self.own.limit(is_bound.then_some(CONDITION_TIME));
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.own.plain("COMMIT")?;
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.own.limit(None);
        if !self.own.is_idle()
            && let Err(error) = self.own.plain("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Late => Self::TooCostly,
            Failed::Taken => Self::Taken,
            Failed::Refused(_) => Self::Database(failed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::db::statement;
    use super::super::folder::Folder;
    use super::*;

    /// Runs for minutes.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
                        SELECT count(*) FROM n";

    async fn stops<P: Pen>(pen: &P) {
        let transaction = pen.begin().await.expect("a transaction");
        let asked = |sql| statement(transaction.backend(), sql, []);
        transaction.bound(true).await.expect("a limit");
        let begun = Instant::now();
        let late = transaction.rows(asked(LONG)).await;
        assert!(matches!(late, Err(StoreError::TooCostly)), "{late:?}");
        assert!(begun.elapsed() < 3 * CONDITION_TIME, "{:?}", begun.elapsed());
        drop(transaction);
        // The next transaction has all its time again.
        let transaction = pen.begin().await.expect("a transaction");
        transaction.bound(true).await.expect("a limit");
        assert_eq!(transaction.rows(statement(transaction.backend(), "SELECT 1", [])).await.expect("a row").len(), 1);
        transaction.bound(false).await.expect("no limit");
        transaction.commit().await.expect("committed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_condition_held_the_writer_for_as_long_as_it_took() {
        let folder = Folder::new("brief");
        let db = Db::open(&folder.url()).await.expect("a database");
        stops(db.hand().expect("of SQLite")).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs TECHO_TEST_POSTGRES"]
    async fn readers_of_conditions_are_stopped_in_postgres() {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        stops(&Db::open(&format!("{url}/postgres")).await.expect("a database")).await;
    }

    /// All who write in this process, at once: nobody waits long, nothing is lost, and what
    /// is not committed did not happen.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_writes_takes_turns() {
        let folder = Folder::new("turns");
        let db = Db::open(&folder.url()).await.expect("a database");
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)", []).await.expect("a table");
        let insert = |number: i64| db.statement("INSERT INTO t VALUES (?)", [number.into()]);
        let hand = db.hand().expect("of SQLite");
        let batches = async {
            for number in 0..200 {
                let transaction = hand.begin().await.expect("a transaction");
                transaction.run(insert(number)).await.expect("a row");
                if number % 2 == 0 {
                    transaction.commit().await.expect("committed");
                }
                tokio::task::yield_now().await;
            }
        };
        let singles = async {
            for number in 1000..1200 {
                db.write().await.execute_raw(insert(number)).await.expect("a row");
            }
        };
        let changes = async {
            for number in 2000..2200 {
                let change = db.begin().await.expect("a change");
                change.execute_raw(insert(number)).await.expect("a row");
                if number % 2 == 0 {
                    change.commit().await.expect("committed");
                }
            }
        };
        tokio::join!(batches, singles, changes);
        let count: i64 = db
            .one("SELECT count(*) FROM t", [])
            .await
            .expect("a row")
            .expect("a row")
            .try_get_by_index(0)
            .expect("a number");
        assert_eq!(count, 100 + 200 + 100);
        let transaction = hand.begin().await.expect("a transaction");
        let taken = transaction.run(insert(0)).await;
        assert!(matches!(taken, Err(StoreError::Taken)), "{taken:?}");
    }
}
