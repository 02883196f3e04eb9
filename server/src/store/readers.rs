//! SQLite's readers: threads with a connection of our own each ([`super::sqlite`]), which
//! run the statements that most requests consist of.
//!
//! A statement goes over once, and its rows come back together. What runs rarely goes
//! through sea-orm. A statement may have a limit of time: whoever hung up leaves nothing
//! behind that nobody stops.
//!
//! A statement may rest on a decision ([`super::watch`]). Then it runs only if the
//! decision still stands in the same snapshot. SQLite numbers the states of the database
//! that a connection sees (`PRAGMA data_version`; any commit of any process makes another
//! one), so a reader asks anew only after a commit, or from the instant on at which the
//! answer may turn by itself.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sea_orm::{DatabaseBackend, DbErr, Statement};
use tokio::sync::oneshot;

use super::row::Row;
use super::sql::Again;
use super::sqlite::{Failed, Own, Setting};
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

impl Work {
    /// How many values it binds.
    pub(super) fn values(&self) -> usize {
        match self {
            Self::Once(statement) => statement.values.as_ref().map_or(0, |values| values.0.len()),
            Self::Again(again) => again.values().count(),
        }
    }

    /// What the general driver is given.
    pub(super) fn statement(&self, backend: DatabaseBackend) -> Statement {
        match self {
            Self::Once(statement) => statement.clone(),
            Self::Again(again) => Statement::from_sql_and_values(backend, again.text(), again.values().cloned()),
        }
    }
}

#[derive(Debug)]
struct Job {
    work: Arc<Work>,
    time: Option<Duration>,
    rests: Option<(Question, i64)>,
    done: oneshot::Sender<Found>,
}

/// Answers that a reader keeps: as many as callers are remembered.
const ANSWERS: usize = 1024;

impl Readers {
    /// Starts `count` readers of the database at `path`, which is there already.
    ///
    /// * `settings`: pragmas of each connection.
    pub(super) fn start(path: &Path, count: usize, settings: &[Setting]) -> Result<Self, DbErr> {
        let queue = Arc::new(Queue::default());
        let handle = Self(Arc::new(Handle(queue.clone())));
        for _ in 0..count {
            let reader = Reader::open(path, settings)?;
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
    pub(super) async fn rows(&self, work: Arc<Work>, time: Option<Duration>, rests: Option<(Question, i64)>) -> Found {
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

/// One connection with what was asked on it.
struct Reader {
    own: Own,
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
    fn open(path: &Path, settings: &[Setting]) -> Result<Self, DbErr> {
        let settings: Vec<Setting> = settings.iter().copied().chain([("query_only", "true")]).collect();
        Ok(Self { own: Own::open(path, &settings)?, standing: HashMap::new() })
    }

    fn serve(mut self, queue: &Queue) {
        while let Some(Job { work, time, rests, done }) = queue.next() {
            if done.is_closed() {
                continue;
            }
            // A panic is that of one statement: those who wait behind it need their reader.
            let found = catch_unwind(AssertUnwindSafe(|| self.answer(&work, time, rests))).unwrap_or_else(|_| {
                self.standing.clear();
                Err(Halt::Failed(DbErr::Custom("a statement ended in a panic".to_owned())))
            });
            // Whoever asked may have gone; then nobody needs the answer.
            let _ = done.send(found);
        }
    }

    fn answer(&mut self, work: &Work, time: Option<Duration>, rests: Option<(Question, i64)>) -> Found {
        self.own.limit(time);
        // Also what a panic has left open ends here.
        self.leave()?;
        match rests {
            Some((question, now)) => self.run_if(&question, now, work),
            None => Ok(self.work(work)?),
        }
    }

    /// The rows, if the decision stands in the state of the database that they are of.
    fn run_if(&mut self, question: &Question, now: i64, work: &Work) -> Found {
        self.own.plain("BEGIN")?;
        let found = self
            .stands(question, now)
            .and_then(|stands| if stands { self.work(work).map_err(Halt::from) } else { Err(Halt::Stale) });
        // No limit ends the end.
        self.own.limit(None);
        self.leave()?;
        found
    }

    /// Ends the snapshot, if there is one: what runs next must see what is committed by then.
    fn leave(&self) -> Result<(), Halt> {
        if self.own.is_idle() {
            return Ok(());
        }
        if self.own.plain("COMMIT").is_err() {
            self.own.plain("ROLLBACK")?;
        }
        Ok(())
    }

    /// Whether a decision stands in the snapshot of this transaction, which begins here.
    fn stands(&mut self, question: &Question, now: i64) -> Result<bool, Halt> {
        let unanswered = || Halt::Failed(DbErr::Custom("a question without an answer".to_owned()));
        let version: i64 = self.own.plain("PRAGMA data_version")?.first().ok_or_else(unanswered)?.get(0)?;
        if self.standing.get(&question.number()).is_some_and(|standing| standing.covers(version, now)) {
            return Ok(true);
        }
        let rows = self.work(&Work::Once(question.at(now).statement(DatabaseBackend::Sqlite)))?;
        let row = rows.first().ok_or_else(unanswered)?;
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

    fn work(&self, work: &Work) -> Result<Vec<Row>, Failed> {
        #[cfg(test)]
        assert!(!matches!(work, Work::Once(statement) if statement.sql == tests::PANICS), "as the test wants it");
        match work {
            Work::Once(statement) => self.own.query(statement),
            Work::Again(again) => self.own.bound(again.text(), again.values()),
        }
    }
}

impl From<Failed> for Halt {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Late => Self::Late,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<DbErr> for Halt {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::db::{Db, SQLITE_SEARCHES};
    use super::super::error::StoreError;
    use super::super::folder::Folder;
    use super::super::sql::Sql;
    use super::*;

    /// Counts for minutes.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
        SELECT COUNT(*) FROM n";
    /// Counts for a moment, and longer than the limit.
    const SHORT: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) \
        SELECT COUNT(*) FROM n";

    /// A statement in which a reader panics.
    pub(super) const PANICS: &str = "SELECT 'panic'";

    async fn stops(url: &str) {
        let db = Db::open_for(url, Duration::from_millis(100)).await.expect("a database");
        let run = |sql: &str| db.run(Sql::new(sql), false);
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_search_past_its_time_is_stopped_in_the_database() {
        stops(&Folder::new("budget").url()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_do_not_wait_for_slow_searches() {
        let folder = Folder::new("apart");
        let db = Db::open_for(&folder.url(), Duration::from_secs(2)).await.expect("a database");
        let slow = futures_util::future::join_all((0..2 * SQLITE_SEARCHES).map(|_| db.run(Sql::new(LONG), false)));
        tokio::select! {
            _ = slow => panic!("the searches were first"),
            found = db.rows(Sql::new("SELECT 1")) => assert_eq!(found.expect("a row").len(), 1),
        }
    }

    async fn makes_way(url: &str) {
        let db = Db::open_for(url, Duration::from_secs(1)).await.expect("a database");
        let slow = futures_util::future::join_all((0..2 * SQLITE_SEARCHES).map(|_| db.run(Sql::new(LONG), true)));
        let mut slow = std::pin::pin!(slow);
        for _ in 0..8 {
            tokio::select! {
                _ = &mut slow => panic!("what takes long was first"),
                found = db.run(Sql::new("SELECT 1"), true) => assert_eq!(found.expect("a row").len(), 1),
            }
        }
        assert!(slow.await.iter().all(|found| matches!(found, Err(StoreError::TooCostly))));
        // What takes longer than a read, and no longer than a search, is answered.
        let db = Db::open_for(url, Duration::from_mins(1)).await.expect("a database");
        let longer = SHORT.replace("3000000", "8000000");
        assert_eq!(db.run(Sql::new(&longer), true).await.expect("in time").len(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reads_waited_for_a_read_that_took_long() {
        makes_way(&Folder::new("way").url()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs TECHO_TEST_POSTGRES"]
    async fn reads_waited_for_a_read_that_took_long_in_postgres() {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        makes_way(&format!("{url}/postgres")).await;
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_that_panicked_took_its_reader_with_it() {
        let folder = Folder::new("panics");
        let db = Db::open(&folder.url()).await.expect("a database");
        let question = Question::new(Sql::new("SELECT 1 = 1"), Sql::new("SELECT NULL"));
        let asked = |sql| tokio::time::timeout(Duration::from_secs(10), db.rows(Sql::new(sql)));
        for _ in 0..16 {
            asked(PANICS).await.expect("somebody reads").expect_err("it panics");
            // In a transaction, which is not left open.
            db.resting(&question.warrant(1), true, Sql::new(PANICS)).await.expect_err("it panics");
            assert_eq!(asked("SELECT 1").await.expect("somebody reads").expect("a row").len(), 1);
        }
        db.execute("CREATE TABLE later (a INTEGER)", []).await.expect("a table");
        ask(&db, &question, 1, true).await;
        for _ in 0..16 {
            db.rows(Sql::new("SELECT a FROM later")).await.expect("what was committed since is seen");
        }
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
