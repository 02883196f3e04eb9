//! SQLite's readers: threads with a connection each, which run the statements that
//! most requests consist of.
//!
//! A read of one record takes ten microseconds in SQLite. The general driver hands
//! each statement, each row and each value from thread to thread, which takes longer
//! than the statement; here a statement goes over once, and its rows come back
//! together. What runs rarely, and everything that writes, goes through sea-orm.
//!
//! A statement may have a limit of time. SQLite asks a progress handler every few
//! thousand steps whether to go on, so it is stopped in the database itself, and
//! whoever hung up leaves nothing behind that nobody stops.
//!
//! A statement may rest on a decision ([`super::watch`]). Then it runs only if the
//! decision still stands in the same snapshot. SQLite numbers the states of the database
//! that a connection sees (`PRAGMA data_version`; any commit of any process makes another
//! one), so a reader asks anew only after a commit, or from the instant on at which the
//! answer may turn by itself.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};
use sea_orm::{DatabaseBackend, DbErr, Statement, Value};
use tokio::sync::oneshot;

use super::row::{Row, Rows};
use super::sql::Again;
use super::watch::Question;

/// Threads that read; they end with the last of these handles.
#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Handle>);

/// What a statement came to.
pub(super) type Found = Result<Vec<Row>, Halt>;

/// Why a statement gave no rows.
#[derive(Debug)]
pub(super) enum Halt {
    /// It took longer than it may.
    Late,
    /// The decision that it rests on does not stand any more.
    Stale,
    /// The database says no.
    Failed(DbErr),
}

#[derive(Debug)]
struct Handle(Arc<Queue>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.more.notify_all();
    }
}

#[derive(Debug, Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    /// Readers without a job. Nobody else has to be woken: whoever is done looks here first.
    idle: usize,
    closed: bool,
}

/// What is to be run.
#[derive(Debug)]
pub(super) enum Work {
    /// A statement of its own.
    Once(Statement),
    /// One that was made before.
    Again(Again),
}

#[derive(Debug)]
struct Job {
    work: Work,
    time: Option<Duration>,
    rests: Option<(Question, i64)>,
    done: oneshot::Sender<Found>,
}

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;
/// Virtual machine instructions between two questions whether to go on: well under a millisecond.
const STEPS: i32 = 10_000;
/// How long a reader waits for a lock; in WAL mode only a checkpoint at the very start takes one.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers that a reader keeps: as many as callers are remembered.
const ANSWERS: usize = 1024;

impl Readers {
    /// Starts `count` readers of the database at `path`, which is there already.
    ///
    /// * `settings`: pragmas of each connection.
    pub(super) fn start(path: &Path, count: usize, settings: &[(&str, &str)]) -> Result<Self, DbErr> {
        let queue = Arc::new(Queue::default());
        let handle = Self(Arc::new(Handle(queue.clone())));
        for _ in 0..count {
            let reader = Reader::open(path, settings).map_err(|error| told(&error))?;
            let queue = queue.clone();
            let begun = thread::Builder::new().name("reader".into()).spawn(move || reader.serve(&queue));
            begun.map_err(|error| DbErr::Custom(format!("a thread for reading: {error}")))?;
        }
        Ok(handle)
    }

    /// All rows of a statement.
    ///
    /// * `time`: how long it may take, from when it begins.
    /// * `rests`: on what decision, and the instant to ask for it.
    pub(super) async fn rows(&self, work: Work, time: Option<Duration>, rests: Option<(Question, i64)>) -> Found {
        let (done, answer) = oneshot::channel();
        self.0.0.add(Job { work, time, rests, done });
        answer.await.unwrap_or_else(|_| Err(Halt::Failed(DbErr::Custom("a reader ended early".to_owned()))))
    }
}

impl Queue {
    fn add(&self, job: Job) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.waiting.push_back(job);
        let idle = jobs.idle > 0;
        drop(jobs);
        // To wake somebody costs a call into the system, even if nobody sleeps.
        if idle {
            self.more.notify_one();
        }
    }

    /// The next job; `None` once nobody can send one.
    fn next(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.idle += 1;
        let nothing = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.closed;
        let mut jobs = self.more.wait_while(jobs, nothing).unwrap_or_else(PoisonError::into_inner);
        jobs.idle -= 1;
        jobs.waiting.pop_front()
    }
}

/// One connection with its clock.
struct Reader {
    connection: Connection,
    begun: Instant,
    /// When the running statement has to end, in microseconds since `begun`.
    end: Arc<AtomicU64>,
    /// Decisions that were found to stand, by the number of their question.
    standing: HashMap<u64, Standing>,
}

/// In which state of the database, and at which instants, a decision stands.
#[derive(Clone, Copy)]
struct Standing {
    version: i64,
    from: i64,
    until: i64,
}

impl Standing {
    fn covers(self, version: i64, now: i64) -> bool {
        self.version == version && (self.from..self.until).contains(&now)
    }
}

impl Reader {
    fn open(path: &Path, settings: &[(&str, &str)]) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for (name, value) in settings {
            connection.pragma_update(None, name, value)?;
        }
        connection.pragma_update(None, "query_only", true)?;
        let (begun, end) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let clock = end.clone();
        let late = move || micros(begun.elapsed()) > clock.load(Ordering::Relaxed);
        connection.progress_handler(STEPS, Some(late))?;
        Ok(Self { connection, begun, end, standing: HashMap::new() })
    }

    fn serve(mut self, queue: &Queue) {
        while let Some(Job { work, time, rests, done }) = queue.next() {
            if done.is_closed() {
                continue;
            }
            let end = time.map_or(u64::MAX, |time| micros(self.begun.elapsed() + time));
            self.end.store(end, Ordering::Relaxed);
            let found = self.leave().and_then(|()| match rests {
                Some((question, now)) => self.run_if(&question, now, &work),
                None => Ok(self.work(&work)?),
            });
            // Whoever asked may have gone; then nobody needs the answer.
            let _ = done.send(found);
        }
    }

    /// The rows, if the decision stands in the state of the database that they are of.
    fn run_if(&mut self, question: &Question, now: i64, work: &Work) -> Found {
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        let found = self
            .stands(question, now)
            .and_then(|stands| if stands { self.work(work).map_err(Halt::from) } else { Err(Halt::Stale) });
        // No limit ends the end.
        self.end.store(u64::MAX, Ordering::Relaxed);
        self.leave()?;
        found
    }

    /// Ends the snapshot, if there is one: what runs next must see what is committed by then.
    fn leave(&self) -> Result<(), Halt> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        if self.connection.prepare_cached("COMMIT")?.execute([]).is_err() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
        }
        Ok(())
    }

    /// Whether a decision stands in the snapshot of this transaction, which begins here.
    fn stands(&mut self, question: &Question, now: i64) -> Result<bool, Halt> {
        let version = self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.standing.get(&question.number()).is_some_and(|standing| standing.covers(version, now)) {
            return Ok(true);
        }
        let rows = self.work(&Work::Once(question.at(now).statement(DatabaseBackend::Sqlite)))?;
        let row = rows.first().ok_or_else(|| Halt::Failed(DbErr::Custom("a question without an answer".to_owned())))?;
        if !row.get::<bool>(0)? {
            return Ok(false);
        }
        if self.standing.len() >= ANSWERS {
            self.standing.clear();
        }
        let until = row.get::<Option<i64>>(1)?.unwrap_or(i64::MAX);
        self.standing.insert(question.number(), Standing { version, from: now, until });
        Ok(true)
    }

    fn work(&self, work: &Work) -> rusqlite::Result<Vec<Row>> {
        match work {
            Work::Once(statement) => self.run(&statement.sql, statement.values.iter().flat_map(|values| &values.0)),
            Work::Again(again) => self.run(again.text(), again.values()),
        }
    }

    fn run<'v>(&self, sql: &str, values: impl Iterator<Item = &'v Value>) -> rusqlite::Result<Vec<Row>> {
        let mut prepared = self.connection.prepare_cached(sql)?;
        for (number, value) in values.enumerate() {
            prepared.raw_bind_parameter(number + 1, Bound(value))?;
        }
        let width = prepared.column_count();
        let mut rows = prepared.raw_query();
        let mut found = Rows::of_width(width);
        while let Some(row) = rows.next()? {
            for at in 0..width {
                found.push(row.get_ref(at)?);
            }
        }
        Ok(found.split())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::Late,
            _ => Self::Failed(told(&error)),
        }
    }
}

impl From<DbErr> for Halt {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

fn told(error: &rusqlite::Error) -> DbErr {
    DbErr::Custom(error.to_string())
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::db::{Db, SQLITE_SEARCHES};
    use super::super::error::StoreError;
    use super::super::sql::Sql;
    use super::*;

    /// Counts for minutes.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
        SELECT COUNT(*) FROM n";
    /// Counts for a moment, and longer than the limit.
    const SHORT: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
        SELECT COUNT(*) FROM n";

    async fn stops(url: &str) {
        let db = Db::open_for(url, Duration::from_millis(100)).await.expect("a database");
        let run = |sql: &str| db.searched(Sql::new(sql));
        for _ in 0..6 {
            assert!(matches!(run(LONG).await, Err(StoreError::TooCostly)));
            assert_eq!(run("SELECT 1").await.expect("the connection is good").len(), 1);
        }
        // Whoever hangs up leaves nothing behind that holds the connections.
        for _ in 0..8 {
            let _ = tokio::time::timeout(Duration::from_millis(5), run(LONG)).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        for _ in 0..8 {
            assert_eq!(run("SELECT 1").await.expect("free again").len(), 1);
            // Other statements have no limit.
            assert_eq!(db.rows(Sql::new(SHORT)).await.expect("no limit").len(), 1);
        }
    }

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("techo-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }

        fn url(&self) -> String {
            format!("sqlite:{}", self.0.join("db").display())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_search_past_its_time_is_stopped_in_the_database() {
        stops(&Folder::new("budget").url()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_do_not_wait_for_slow_searches() {
        let folder = Folder::new("apart");
        let db = Db::open_for(&folder.url(), Duration::from_secs(2)).await.expect("a database");
        let slow = futures_util::future::join_all((0..2 * SQLITE_SEARCHES).map(|_| db.searched(Sql::new(LONG))));
        tokio::select! {
            _ = slow => panic!("the searches were first"),
            found = db.rows(Sql::new("SELECT 1")) => assert_eq!(found.expect("a row").len(), 1),
        }
    }

    /// Asked by more requests than there are readers, so that each of them has answered.
    async fn ask(db: &Db, question: &Question, now: i64, stands: bool) {
        let all = (0..16).map(|_| async {
            let found = db.resting(&question.warrant(now), true, Sql::new("SELECT 7")).await;
            match (found, stands) {
                (Ok(rows), true) => assert_eq!(rows.len(), 1),
                (Err(StoreError::Stale), false) => {}
                (found, _) => panic!("at {now}: {found:?}"),
            }
        });
        futures_util::future::join_all(all).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_rests_on_a_decision_runs_only_while_it_stands() {
        let folder = Folder::new("rests");
        let db = Db::open_for(&folder.url(), Duration::from_millis(100)).await.expect("a database");
        let write = |sql: &'static str| db.execute(sql, []);
        write("CREATE TABLE flag (stands INTEGER, ends INTEGER)").await.expect("a table");
        write("INSERT INTO flag VALUES (1, 100)").await.expect("a row");
        let mut fresh = Sql::new("SELECT stands = 1 AND ends > ");
        fresh.instant(0).text(" FROM flag");
        let question = Question::new(fresh, Sql::new("SELECT ends FROM flag"));
        let other = Question::new(Sql::new("SELECT 1 = 0"), Sql::new("SELECT NULL"));
        for _ in 0..2 {
            ask(&db, &question, 99, true).await;
            // Nothing was written: it ended by itself.
            ask(&db, &question, 100, false).await;
            ask(&db, &other, 99, false).await;
        }
        for _ in 0..8 {
            write("UPDATE flag SET stands = 0").await.expect("committed");
            ask(&db, &question, 50, false).await;
            write("UPDATE flag SET stands = 1").await.expect("committed");
            ask(&db, &question, 50, true).await;
        }
        // What goes wrong leaves no transaction open.
        for _ in 0..8 {
            let wrong = db.resting(&question.warrant(50), true, Sql::new("SELECT x FROM nowhere")).await;
            assert!(matches!(wrong, Err(StoreError::Database(_))), "{wrong:?}");
            let late = db.resting(&question.warrant(50), false, Sql::new(LONG)).await;
            assert!(matches!(late, Err(StoreError::TooCostly)), "{late:?}");
        }
        write("UPDATE flag SET ends = 60").await.expect("committed");
        ask(&db, &question, 59, true).await;
        ask(&db, &question, 60, false).await;
    }

    #[tokio::test]
    async fn a_reader_writes_nothing() {
        let folder = Folder::new("reads");
        let db = Db::open(&folder.url()).await.expect("a database");
        db.rows(Sql::new("CREATE TABLE t (a)")).await.expect_err("only the writer writes");
        assert!(db.rows(Sql::new("SELECT 1 FROM sqlite_schema")).await.expect("rows").is_empty());
    }

    #[tokio::test]
    async fn values_come_back_as_they_were_bound() {
        let folder = Folder::new("values");
        let db = Db::open(&folder.url()).await.expect("a database");
        let mut sql = Sql::new("SELECT ");
        sql.bind(i64::MIN).text(", ").bind(-1.5).text(", ").bind("手帳").text(", ").bind(vec![0_u8, 255]);
        sql.text(", ").bind(true).text(", ").bind(None::<String>);
        // A kind that is not bound is refused, without telling the value.
        let mut other = Sql::new("SELECT ");
        other.bind('秘');
        let refused = db.rows(other).await.expect_err("no statement binds a letter").to_string();
        assert!(refused.contains("not bound") && !refused.contains('秘'), "{refused}");
        let rows = db.rows(sql).await.expect("a row");
        let row = rows.first().expect("a row");
        assert_eq!(row.get::<i64>(0).expect("integer"), i64::MIN);
        assert!((row.get::<f64>(1).expect("real") + 1.5).abs() < f64::EPSILON);
        assert_eq!(row.get::<String>(2).expect("text"), "手帳");
        assert_eq!(row.get::<Vec<u8>>(3).expect("bytes"), [0, 255]);
        assert!(row.get::<bool>(4).expect("a truth"));
        assert_eq!(row.get::<Option<String>>(5).expect("nothing"), None);
        // What is something else, too large or not there is an error, never a guess.
        for wrong in
            [row.get::<i32>(0).err(), row.get::<i64>(2).err(), row.get::<i64>(5).err(), row.get::<i64>(6).err()]
        {
            assert!(matches!(wrong, Some(DbErr::Type(_))), "{wrong:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs TECHO_TEST_POSTGRES"]
    async fn a_search_past_its_time_is_stopped_in_postgres() {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        stops(&format!("{url}/postgres")).await;
    }
}
