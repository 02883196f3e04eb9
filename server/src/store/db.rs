//! The database itself: SQLite or PostgreSQL behind one handle.
//!
//! Statements are written once, with `?` for each value; PostgreSQL gets `$1`,
//! `$2`, … Values are always bound, never pasted.

use std::ops::Deref;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::Connection;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::checkpoint::{self, Checkpoints};
use super::error::StoreError;
use super::lost::{Losses, Reading};
use super::pen::Hand;
use super::readers::{Halt, Readers, Work};
use super::row::Row;
use super::sql::{Again, Sql};
use super::sqlite::{Own, Setting};
use super::trouble::Trouble;
use super::watch::{Guard, Warrant};

/// Connections for reading, and those (on SQLite: the one) for writing.
#[derive(Clone, Debug)]
pub struct Db {
    read: Reading,
    quick: Quick,
    time: Duration,
    write: DatabaseConnection,
    turn: Turn,
    losses: Losses,
    backend: DatabaseBackend,
}

/// SQLite has one writer at a time; who writes in this process takes turns. Whoever waited
/// for the file itself would ask for it now and then, and find it taken again and again.
pub(super) type Turn = Arc<Mutex<()>>;
/// Whose turn it is, until it is dropped.
pub(super) type Turned = OwnedMutexGuard<()>;

/// How the statements of requests are run. Searches, which can take long, never take
/// the last of what reads run on.
#[derive(Clone, Debug)]
enum Quick {
    /// On threads of our own.
    Sqlite { hand: Hand, reads: Readers, searches: Readers },
    /// On connections with a limit of time each.
    Postgres { reads: Reading, searches: Reading },
}

/// How long a search may take if the operator does not say.
pub const SEARCH_TIME: Duration = Duration::from_secs(10);
/// How long a narrow statement may hold what reads run on. It takes well under a millisecond,
/// unless what it asks about lists lists of lists, or the machine is busy: then it is asked
/// once more where searches run.
const READ_TIME: Duration = Duration::from_millis(500);

/// Connections to an SQLite file beside its writer, for what is asked rarely.
const SQLITE_CONNECTIONS: u32 = 2;
/// Threads that read an SQLite file: for what cannot take long, and for searches.
const SQLITE_READERS: usize = 3;
pub(super) const SQLITE_SEARCHES: usize = 4;
/// Page caches of SQLite's connections, as `cache_size` spells them: the writer keeps the pages of
/// every index at hand, a reader has the mapped file.
const WRITER_CACHE: &str = "-64000";
const READER_CACHE: &str = "-8000";
/// Bytes of the file that connections map.
const MAPPED: &str = "268435456";
/// Pages that the write-ahead log gathers (32 MiB) before they go into the file: a busy index page is
/// then copied once for many commits.
const CHECKPOINT: i64 = 8000;
/// Pages after which whoever commits copies them, should the thread for it not have come to it.
const LATEST: &str = "64000";
/// What each connection of our own is told.
const OURS: &[Setting] = &[("mmap_size", MAPPED), ("temp_store", "memory")];
/// What the writer's is told besides: to sync at every commit.
const WRITER: &[Setting] =
    &[("cache_size", WRITER_CACHE), ("synchronous", "FULL"), ("wal_autocheckpoint", LATEST), ("foreign_keys", "ON")];
/// Connections to a PostgreSQL server: for what writes and what is asked rarely.
const POSTGRES_CONNECTIONS: u32 = 6;
/// Those for what cannot take long, and for searches; each has a limit of time.
const POSTGRES_READS: u32 = 8;
const POSTGRES_SEARCHES: u32 = 6;

impl Db {
    /// Opens `sqlite:PATH` or `postgres://…`.
    ///
    /// SQLite runs in WAL mode and syncs at every commit (`synchronous=FULL`):
    /// an acknowledged write survives power loss. A PostgreSQL database that is set
    /// to lose writes is refused.
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        Self::open_for(url, SEARCH_TIME).await
    }

    /// The same, with searches that may take this long.
    pub async fn open_for(url: &str, time: Duration) -> Result<Self, DbErr> {
        let (turn, losses) = (Turn::default(), Losses::default());
        let reading = |connection| Reading::new(connection, losses.clone());
        if url.starts_with("postgres") {
            let write = Database::connect(postgres(url, POSTGRES_CONNECTIONS, None, &losses)).await?;
            loses_nothing(&write).await?;
            let limited = async |count, time| -> Result<Reading, DbErr> {
                Ok(reading(Database::connect(postgres(url, count, Some(time), &losses)).await?))
            };
            let reads = limited(POSTGRES_READS, READ_TIME.min(time)).await?;
            let searches = limited(POSTGRES_SEARCHES, time).await?;
            let (read, quick) = (reading(write.clone()), Quick::Postgres { reads, searches });
            return Ok(Self { read, quick, time, write, turn, losses, backend: DatabaseBackend::Postgres });
        }
        let file = SqliteConnectOptions::from_str(url).map_err(|error| DbErr::Custom(error.to_string()))?;
        // What writes first: it creates the file and switches it to WAL.
        let write = Database::connect(sqlite(url, 1)).await?;
        let read = reading(Database::connect(sqlite(url, SQLITE_CONNECTIONS)).await?);
        let file = file.get_filename().to_owned();
        let readers = |count| Readers::start(&file, count, &[&[("cache_size", READER_CACHE)], OURS].concat());
        let hand = hand(&file, &turn, CHECKPOINT)?;
        let quick = Quick::Sqlite { hand, reads: readers(SQLITE_READERS)?, searches: readers(SQLITE_SEARCHES)? };
        Ok(Self { read, quick, time, write, turn, losses, backend: DatabaseBackend::Sqlite })
    }

    /// All rows of a statement that cannot take long, whatever is stored.
    pub(super) async fn rows(&self, sql: Sql) -> Result<Vec<Row>, DbErr> {
        match &self.quick {
            Quick::Sqlite { reads, .. } => {
                let work = Arc::new(Work::Once(sql.statement(self.backend)));
                reads.rows(work, None, None).await.map_err(|halt| match halt {
                    Halt::Failed(error) => error,
                    Halt::Late | Halt::Stale => DbErr::Custom("a statement without a condition was stopped".to_owned()),
                })
            }
            Quick::Postgres { .. } => fetched(&self.read, || sql.clone().statement(self.backend)).await,
        }
    }

    /// All rows of a statement of a request.
    ///
    /// * `narrow`: it takes no longer than a read, but for odd data; then it has as long as
    ///   a search, and waits for searches.
    /// * `rests`: the decision that it rests on, where the database is asked beside it.
    ///
    /// # Errors
    /// [`StoreError::TooCostly`] if it took longer than a search may, and was stopped in
    /// the database itself; [`StoreError::Stale`] if the decision does not stand.
    async fn limited(&self, work: Work, narrow: bool, rests: Option<&Warrant>) -> Result<Vec<Row>, StoreError> {
        if !self.binds(work.values()) {
            return Err(StoreError::TooCostly);
        }
        match &self.quick {
            Quick::Sqlite { reads, searches, .. } => {
                let work = Arc::new(work);
                if narrow {
                    let time = Some(READ_TIME.min(self.time));
                    match reads.rows(work.clone(), time, rests.map(Warrant::asks)).await {
                        Err(Halt::Late) => {}
                        found => return Ok(found?),
                    }
                }
                Ok(searches.rows(work, Some(self.time), rests.map(Warrant::asks)).await?)
            }
            Quick::Postgres { reads, searches } => {
                let make = || work.statement(self.backend);
                if narrow {
                    match fetched(reads, make).await {
                        Err(error) if is_late(&error) => {}
                        found => return Ok(found?),
                    }
                }
                let found = fetched(searches, make).await;
                found.map_err(|error| if is_late(&error) { StoreError::TooCostly } else { error.into() })
            }
        }
    }

    /// Whether a statement may have so many values.
    fn binds(&self, values: usize) -> bool {
        let most = match self.quick {
            Quick::Sqlite { .. } => 32_766,
            Quick::Postgres { .. } => 65_535,
        };
        values <= most
    }

    /// Whether the database is asked beside a statement if the decision that it rests on
    /// stands ([`Db::resting`]); if not, the statement carries the question.
    pub(super) fn asks_beside(&self) -> bool {
        matches!(self.quick, Quick::Sqlite { .. })
    }

    /// All rows of a statement that rests on a decision, where the database is asked beside it.
    ///
    /// * `narrow`: as of [`Db::limited`].
    ///
    /// # Errors
    /// As of [`Db::limited`].
    pub(super) async fn resting(&self, warrant: &Warrant, narrow: bool, sql: Sql) -> Result<Vec<Row>, StoreError> {
        if !self.asks_beside() {
            return Err(StoreError::Unsupported("a question beside the statement"));
        }
        let rows = self.limited(Work::Once(sql.statement(self.backend)), narrow, Some(warrant)).await?;
        warrant.confirm();
        Ok(rows)
    }

    /// All rows of a statement that rests on a decision and carries the question along,
    /// and at which column their own begin.
    ///
    /// * `make`: the statement with a guard.
    ///
    /// # Errors
    /// As of [`Db::limited`].
    pub(super) async fn guarded(
        &self,
        warrant: &Warrant,
        narrow: bool,
        make: impl Fn(&Guard<'_>) -> Sql,
    ) -> Result<(Vec<Row>, usize), StoreError> {
        if let Some(guard) = warrant.known()
            && let Some(found) = guard.confirmed(self.run(make(&guard), narrow).await?)?
        {
            return Ok(found);
        }
        let guard = warrant.whole();
        guard.confirmed(self.run(make(&guard), narrow).await?)?.ok_or(StoreError::Stale)
    }

    /// All rows of a statement.
    ///
    /// * `narrow`: as of [`Db::limited`].
    ///
    /// # Errors
    /// As of [`Db::limited`].
    pub(super) async fn run(&self, sql: Sql, narrow: bool) -> Result<Vec<Row>, StoreError> {
        self.limited(Work::Once(sql.statement(self.backend)), narrow, None).await
    }

    /// All rows of a narrow statement that was made before.
    ///
    /// * `warrant`: the decision that it rests on, where the database is asked beside it.
    ///
    /// # Errors
    /// As of [`Db::limited`].
    pub(super) async fn again(&self, again: Again, warrant: Option<&Warrant>) -> Result<Vec<Row>, StoreError> {
        let rows = self.limited(Work::Again(again), true, warrant).await?;
        if let Some(warrant) = warrant {
            warrant.confirm();
        }
        Ok(rows)
    }

    /// For reading.
    pub fn read(&self) -> &Reading {
        &self.read
    }

    /// Where connections were found dead.
    pub(super) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// For single statements that write, each a transaction of its own. On SQLite all who
    /// write wait until it is dropped.
    pub async fn write(&self) -> Writing<'_> {
        Writing { connection: &self.write, _turned: self.turned().await }
    }

    /// Begins a write transaction. Dropped without [`Change::commit`], it rolls back. On
    /// SQLite all who write wait for its end.
    pub async fn begin(&self) -> Result<Change, DbErr> {
        let turned = self.turned().await;
        Ok(Change { transaction: self.transaction().await?, _turned: turned })
    }

    async fn turned(&self) -> Option<Turned> {
        match self.quick {
            Quick::Sqlite { .. } => Some(self.turn.clone().lock_owned().await),
            Quick::Postgres { .. } => None,
        }
    }

    /// A write transaction, whoever's turn it is.
    ///
    /// On SQLite it takes the write lock at once, waiting for other processes: one
    /// that began by reading would be refused as soon as another process wrote in between.
    pub(super) async fn transaction(&self) -> Result<DatabaseTransaction, DbErr> {
        let sqlite = (self.backend == DatabaseBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: sqlite, ..TransactionOptions::default() };
        match self.write.begin_with_options(options).await {
            // Nothing was sent but the beginning.
            Err(error) if self.losses.found(&error) => self.write.begin_with_options(options).await,
            begun => begun,
        }
    }

    /// SQLite's writer; on PostgreSQL whoever writes begins transactions of sea-orm's.
    pub(super) fn hand(&self) -> Option<&Hand> {
        match &self.quick {
            Quick::Sqlite { hand, .. } => Some(hand),
            Quick::Postgres { .. } => None,
        }
    }

    /// Closes the connections of sea-orm's in order.
    pub async fn close(&self) {
        for connection in [self.read.connection(), &self.write] {
            // One that does not close in order closes when it is dropped.
            let _ = connection.clone().close().await;
        }
    }

    /// SQLite or PostgreSQL.
    pub fn backend(&self) -> DatabaseBackend {
        self.backend
    }

    /// A statement of `sql`, `?` standing for each of `values` in order.
    pub fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        statement(self.backend, sql, values)
    }

    /// All rows of a reading statement.
    pub async fn all(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<QueryResult>, DbErr> {
        self.read.query_all_raw(self.statement(sql, values)).await
    }

    /// The first row of a reading statement.
    pub async fn one(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<Option<QueryResult>, DbErr> {
        self.read.query_one_raw(self.statement(sql, values)).await
    }

    /// Runs one writing statement in its own transaction; the number of rows it touched.
    pub async fn execute(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, DbErr> {
        Ok(self.write().await.execute_raw(self.statement(sql, values)).await?.rows_affected())
    }
}

/// What single statements write on; nobody else writes meanwhile.
#[derive(Debug)]
pub struct Writing<'d> {
    connection: &'d DatabaseConnection,
    _turned: Option<Turned>,
}

impl Deref for Writing<'_> {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        self.connection
    }
}

/// A write transaction; nobody else writes meanwhile.
#[derive(Debug)]
pub struct Change {
    transaction: DatabaseTransaction,
    _turned: Option<Turned>,
}

impl Change {
    /// Ends it: what it did is on disk.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.transaction.commit().await
    }

    /// Ends it: nothing of it happened.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.transaction.rollback().await
    }
}

impl Deref for Change {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

/// SQLite's writer, with a log that gathers so many pages.
pub(super) fn hand(file: &Path, turn: &Turn, pages: i64) -> Result<Hand, DbErr> {
    let own = Own::open(file, &[WRITER, OURS].concat())?;
    let copies = Own::open(file, checkpoint::SETTINGS)?;
    Ok(Hand::new(own, turn.clone(), Checkpoints::start(copies, file, turn.clone(), pages)?))
}

/// Whether the database has stopped the statement.
fn is_late(error: &DbErr) -> bool {
    Trouble::of(error) == Some(Trouble::Late)
}

async fn fetched(connection: &Reading, make: impl Fn() -> Statement) -> Result<Vec<Row>, DbErr> {
    Ok(connection.all(make).await?.into_iter().map(Row::from).collect())
}

/// [`Db::statement`] for a connection that is at hand, such as a transaction.
pub fn statement(backend: DatabaseBackend, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let values: Vec<Value> = values.into_iter().collect();
    let sql = match backend {
        DatabaseBackend::Postgres => numbered(sql),
        _ => sql.to_owned(),
    };
    Statement::from_sql_and_values(backend, sql, values)
}

/// `?` → `$1`, `$2`, … Our statements hold no literal `?`.
fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    let mut count = 0;
    for part in sql.split_inclusive('?') {
        match part.strip_suffix('?') {
            Some(text) => {
                count += 1;
                out.push_str(text);
                out.push_str(&format!("${count}"));
            }
            None => out.push_str(part),
        }
    }
    out
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .sqlx_logging(false);
    options
}

/// What every connection to PostgreSQL is told once.
///
/// A statement says itself in which order it goes (`sql.rs`), whatever the database
/// guesses about its data: each table by an index, each join from the row that is there
/// to the next. So a plan is good for ever, and is made once a connection. Compiling
/// pays where a statement runs for seconds; a view's condition looks costly and runs
/// for a millisecond.
const POSTGRES_SETTINGS: &[(&str, &str)] = &[
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// Asked of the list of settings, for engines of the same protocol may lack some.
///
/// * `time`: the longest that a statement may take, if there is a limit.
fn postgres(url: &str, connections: u32, time: Option<Duration>, losses: &Losses) -> ConnectOptions {
    let mut options = options(url, connections);
    let limit = time.map(|time| ("statement_timeout", time.as_millis().max(1).to_string()));
    let fixed = POSTGRES_SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let (names, values): (Vec<&str>, Vec<String>) = fixed.chain(limit).unzip();
    let losses = losses.clone();
    options.map_sqlx_postgres_pool_opts(move |pool| {
        let (names, values, losses) = (names.clone(), values.clone(), losses.clone());
        let pool = pool.before_acquire(move |connection, about| {
            let doubted = losses.doubts(about.idle_for);
            Box::pin(async move {
                if doubted {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
        pool.after_connect(move |connection, _| {
            let (names, values) = (names.clone(), values.clone());
            Box::pin(async move {
                let sql = "SELECT set_config(s.name, w.value, false) FROM unnest($1::text[], $2::text[]) w (name, value) \
                    JOIN pg_settings s ON s.name = w.name";
                sea_orm::sqlx::query(sql).bind(names).bind(values).execute(connection).await.map(|_| ())
            })
        })
    });
    options
}

/// Settings under which PostgreSQL may lose what it said was committed.
const SAFETY: &str = "SELECT string_agg(name, ', ') FROM pg_settings \
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'";

async fn loses_nothing(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let row = connection.query_one_raw(statement(DatabaseBackend::Postgres, SAFETY, [])).await?;
    match row.map(|row| row.try_get_by_index::<Option<String>>(0)).transpose()?.flatten() {
        None => Ok(()),
        Some(off) => Err(DbErr::Custom(format!(
            "the PostgreSQL database has {off} off and could lose acknowledged writes; switch that on"
        ))),
    }
}

fn sqlite(url: &str, connections: u32) -> ConnectOptions {
    let mut options = options(url, connections);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true)
            .statement_cache_capacity(512)
            .pragma("cache_size", READER_CACHE)
            .pragma("wal_autocheckpoint", LATEST)
            .pragma("mmap_size", MAPPED)
            .pragma("temp_store", "memory")
    });
    options
}
