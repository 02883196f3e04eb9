//! When SQLite's write-ahead log goes into the file.
//!
//! A connection that commits would do it itself, every so many pages, and all who write
//! would wait for it: some tenths of a second each second under load. Here a thread of its
//! own copies most of it while others write, and takes its turn among them only for what
//! they added meanwhile; then the log begins anew.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use sea_orm::DbErr;

use super::db::Turn;
use super::sqlite::{Failed, Own, Setting};

/// How often it is looked whether there is enough to do.
const EVERY: Duration = Duration::from_millis(100);

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
    /// * `turn`: of those who write.
    /// * `pages`: how many the log gathers.
    pub(super) fn start(own: Own, turn: Turn, pages: i64) -> Result<Self, DbErr> {
        let (keeps, ends) = channel();
        let run = move || keep(&own, &turn, pages, &ends);
        let begun = thread::Builder::new().name("checkpoints".into()).spawn(run);
        begun.map_err(|error| DbErr::Custom(format!("a thread for checkpoints: {error}")))?;
        Ok(Self { _keeps: keeps })
    }
}

fn keep(own: &Own, turn: &Turn, pages: i64, ends: &Receiver<Infallible>) {
    while ends.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        if let Err(error) = look(own, turn, pages) {
            tracing::warn!(%error, "the write-ahead log could not be copied into the file; it is tried again");
        }
    }
}

fn look(own: &Own, turn: &Turn, pages: i64) -> Result<(), Failed> {
    if waiting(own)? < pages {
        return Ok(());
    }
    // Each time there is less that was added meanwhile.
    for _ in 0..4 {
        own.plain("PRAGMA wal_checkpoint(PASSIVE)")?;
        if waiting(own)? < pages / 16 {
            break;
        }
    }
    let _turned = turn.clone().blocking_lock_owned();
    // Where somebody reads the log for longer, it is copied as far as that reader allows, and
    // goes on growing until the next look.
    own.plain("PRAGMA wal_checkpoint(RESTART)")?;
    Ok(())
}

/// Pages of the log that are not in the file.
fn waiting(own: &Own) -> Result<i64, Failed> {
    // Whether it was busy, pages of the log, pages of it that were copied.
    let rows = own.plain("PRAGMA wal_checkpoint(NOOP)")?;
    let column = |at| rows.first().and_then(|row| row.get::<i64>(at).ok()).unwrap_or(0);
    Ok(column(1) - column(2))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::db::Db;
    use super::super::folder::Folder;
    use super::super::pen::{Pen, Transaction};
    use super::super::runs::Runs;

    /// Whoever committed waited for it.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_log_goes_into_the_file_while_others_write_and_begins_anew() {
        let folder = Folder::new("checkpoints");
        let db = Db::open(&folder.url()).await.expect("a database");
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)", []).await.expect("a table");
        let hand = db.hand_of(100).expect("a connection").expect("of SQLite");
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
}
