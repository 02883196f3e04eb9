//! When SQLite's write-ahead log goes into the file.
//!
//! A connection that commits would do it itself, every so many pages, and all who write
//! would wait for it: some tenths of a second each second under load. Here a thread of its
//! own copies most of it while others write, brings it to the disk, and takes its turn among
//! them only for what they added meanwhile; then the log begins anew.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use sea_orm::DbErr;

use super::db::Turn;
use super::sqlite::{Failed, Own, Setting};

/// How often it is looked whether there is enough to do.
const EVERY: Duration = Duration::from_millis(100);
/// The longest between two looks, where somebody reads the log for long.
const SELDOM: Duration = Duration::from_secs(3);

/// What the connection is told besides: to sync the log before its pages go into the file,
/// and to wait a moment only for those who still read the log.
pub(super) const SETTINGS: &[Setting] = &[("synchronous", "FULL"), ("busy_timeout", "20")];

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    _keeps: Sender<Infallible>,
}

impl Checkpoints {
    /// Starts it.
    ///
    /// * `own`: a connection with [`SETTINGS`].
    /// * `file`: its database.
    /// * `turn`: of those who write.
    /// * `pages`: how many the log gathers.
    pub(super) fn start(own: Own, file: &Path, turn: Turn, pages: i64) -> Result<Self, DbErr> {
        let (keeps, ends) = channel();
        let mut early = Early::new(file);
        let run = move || keep(&own, &mut early, &turn, pages, &ends);
        let begun = thread::Builder::new().name("checkpoints".into()).spawn(run);
        begun.map_err(|error| DbErr::Custom(format!("a thread for checkpoints: {error}")))?;
        Ok(Self { _keeps: keeps })
    }
}

fn keep(own: &Own, early: &mut Early, turn: &Turn, pages: i64, ends: &Receiver<Infallible>) {
    let mut pause = EVERY;
    while ends.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let begun_anew = look(own, early, turn, pages).unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log could not be copied into the file; it is tried again");
            false
        });
        pause = next_pause(pause, begun_anew);
    }
}

/// Each turn holds up those who write, and wins nothing while the same reader stays.
fn next_pause(last: Duration, begun_anew: bool) -> Duration {
    if begun_anew { EVERY } else { SELDOM.min(last * 2) }
}

/// Copies the log where it is long enough; `false` where it could not begin anew.
fn look(own: &Own, early: &mut Early, turn: &Turn, pages: i64) -> Result<bool, Failed> {
    if waiting(own)? < pages {
        return Ok(true);
    }
    // Each time there is less that was added meanwhile.
    for _ in 0..4 {
        own.plain("PRAGMA wal_checkpoint(PASSIVE)")?;
        early.sync();
        if waiting(own)? < pages / 16 {
            break;
        }
    }
    let _turned = turn.clone().blocking_lock_owned();
    // Where somebody reads the log for longer, it is copied as far as that reader allows, and
    // goes on growing until the next look.
    let rows = own.plain("PRAGMA wal_checkpoint(RESTART)")?;
    Ok(rows.first().and_then(|row| row.get::<i64>(0).ok()) == Some(0))
}

/// Pages of the log that are not in the file.
fn waiting(own: &Own) -> Result<i64, Failed> {
    // Whether it was busy, pages of the log, pages of it that were copied.
    let rows = own.plain("PRAGMA wal_checkpoint(NOOP)")?;
    let column = |at| rows.first().and_then(|row| row.get::<i64>(at).ok()).unwrap_or(0);
    Ok(column(1) - column(2))
}

/// Brings the database's pages to the disk before SQLite does.
///
/// SQLite syncs the file only once the whole log is in it, which is in the turn: the longest
/// that those who write would wait for. What is on the disk by then costs it nothing.
#[derive(Debug)]
struct Early {
    path: PathBuf,
    /// Never closed: whoever closes a file lets go of all locks that its process holds on it
    /// (`fcntl`), SQLite's among them.
    file: Option<ManuallyDrop<File>>,
}

impl Early {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None }
    }

    /// Whatever fails here, SQLite's own sync is what counts.
    fn sync(&mut self) {
        if let Err(error) = self.synced() {
            tracing::debug!(%error, "the database's file was not synced early");
        }
    }

    fn synced(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => ManuallyDrop::new(File::open(&self.path)?),
        };
        self.file.insert(file).sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::db::{Db, hand};
    use super::super::folder::Folder;
    use super::super::pen::{Pen, Transaction};
    use super::super::runs::Runs;
    use super::*;

    /// Whoever committed waited for it.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_log_goes_into_the_file_while_others_write_and_begins_anew() {
        let folder = Folder::new("checkpoints");
        let db = Db::open(&folder.url()).await.expect("a database");
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)", []).await.expect("a table");
        let hand = hand(&folder.path("db"), &Turn::default(), 100).expect("a writer");
        let log = || std::fs::metadata(folder.path("db-wal")).expect("a log").len() / 4096;
        let begun = Instant::now();
        let (mut pages, mut number) = (0, 0_i64);
        // Until the log would be very long if it never began anew.
        while pages < 20_000 {
            let transaction = hand.begin().await.expect("a transaction");
            let row = db.statement("INSERT INTO t VALUES (?, zeroblob(400000))", [number.into()]);
            transaction.run(row).await.expect("a row");
            transaction.commit().await.expect("committed");
            (pages, number) = (pages + 100, number + 1);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(log() < pages / 2, "{} of {pages} pages after {:?}", log(), begun.elapsed());
        assert!(std::fs::metadata(folder.path("db")).expect("a file").len() > pages * 4096 / 2, "it is in the file");
    }

    /// While somebody read for long, all who wrote waited ten times a second.
    #[tokio::test(flavor = "multi_thread")]
    async fn turns_become_rare_while_a_reader_stays() {
        let folder = Folder::new("stays");
        let db = Db::open(&folder.url()).await.expect("a database");
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)", []).await.expect("a table");
        let path = folder.path("db");
        let reader = Own::open(&path, &[]).expect("a reader");
        reader.plain("BEGIN").and_then(|_| reader.plain("SELECT count(*) FROM t")).expect("a snapshot");
        db.execute("INSERT INTO t VALUES (1, zeroblob(400000))", []).await.expect("a row");
        let turn = Turn::default();
        let looks = move |expected: bool| {
            let (path, turn) = (path.clone(), turn.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let own = Own::open(&path, SETTINGS).expect("a connection");
                look(&own, &mut Early::new(&path), &turn, 50).expect("a look")
            });
            async move { assert_eq!(looked.await.expect("a look"), expected) }
        };
        looks(false).await;
        let pauses = std::iter::successors(Some(EVERY), |pause| Some(next_pause(*pause, false)));
        assert!(pauses.take(10).sum::<Duration>() > 3 * SELDOM, "ten turns take longer than any search");
        reader.plain("COMMIT").expect("its end");
        looks(true).await;
        assert_eq!(next_pause(SELDOM, true), EVERY);
    }
}
