//! The log as the rest of the server sees it: open, append, search.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sea_orm::DatabaseBackend;
use tokio::sync::{mpsc, oneshot};

use super::authentic::AuditKeys;
use super::codec::encode;
use super::entry::MAX_RECORD;
use super::files::{self, Reading};
use super::project::Projector;
use super::record::{Kind, Outcome, Record};
use super::row::WriteRow;
use super::segment::{self, Keeping, Segments};
use super::table::Table;
use super::{AuditError, Head, Position, Source, blocking, heads};
use crate::clock::Clock;
use crate::random::Random;
use crate::store::db::Db;
use crate::store::keys::Keys;

/// The audit log of this process; cheap to clone.
#[derive(Clone, Debug)]
pub struct AuditLog(pub(super) Arc<Inner>);

/// When a record that was kept is brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sync {
    /// At most 100 ms later: it survives the process at once, a power loss then.
    #[default]
    Soon,
    /// Before the answer leaves.
    Always,
}

/// How the log works.
#[derive(Clone, Debug)]
pub struct Options {
    /// When records are brought to the disk (segment files; a PostgreSQL server
    /// decides by its own `synchronous_commit`).
    pub sync: Sync,
    /// A segment file that reached this size is finished.
    pub segment_bytes: u64,
    /// How often records are filed for searching; `None` leaves it to another process.
    pub fold_every: Option<Duration>,
    /// For the record of a repair.
    pub clock: Clock,
    /// For the ids of writes' rows.
    pub random: Random,
}

impl Options {
    /// Synced soon, segments of 64 MiB, filed five times a second.
    pub fn new(clock: Clock, random: Random) -> Self {
        Self { sync: Sync::Soon, segment_bytes: 64 << 20, fold_every: Some(Duration::from_millis(200)), clock, random }
    }

    fn keeping(&self) -> Keeping {
        Keeping { sync: self.sync, segment_bytes: self.segment_bytes }
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) keys: AuditKeys,
    pub(super) source: Source,
    pub(super) projector: Projector,
    random: Random,
    writer: Writer,
}

/// Who brings records into the log.
#[derive(Debug)]
enum Writer {
    /// The request itself. A `write` into the page cache takes microseconds, less
    /// than a hand-over to another thread and back; the sync is a thread's own work.
    Here(Box<Mutex<Segments>>),
    /// A writer of many records at once, where each batch waits for a disk or a
    /// database.
    Queue(mpsc::Sender<Job>),
}

/// What the writer is asked to do.
enum Job {
    Append { record: Vec<u8>, done: oneshot::Sender<Result<Position, AuditError>> },
    Sync(oneshot::Sender<Result<(), AuditError>>),
}

impl AuditLog {
    /// Opens the log: segment files in `directory` beside an SQLite database,
    /// the table `audit_log` in a PostgreSQL one.
    ///
    /// A chain that no living process holds is taken up again; a record that was
    /// half written when its process died is set aside, and that is recorded. A
    /// chain that is not what it was is left as it is, and a new one begun.
    pub async fn open(db: &Db, directory: &Path, keys: &Keys, options: Options) -> Result<Self, AuditError> {
        let keys = AuditKeys::new(keys);
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let (source, writer, repaired) = if db.backend() == DatabaseBackend::Postgres {
            let table = Table::begin(db, &keys).await?;
            tokio::spawn(write_table(table, waiting));
            (Source::Table, Writer::Queue(jobs), None)
        } else {
            let (segments, repaired) = open_files(db, directory, &keys, &options).await?;
            let writer = if options.sync == Sync::Always {
                thread::spawn(move || write_files(segments, waiting));
                Writer::Queue(jobs)
            } else {
                Writer::Here(Box::new(Mutex::new(segments)))
            };
            (Source::Files(directory.to_owned()), writer, repaired)
        };
        let projector = Projector::default();
        let inner = Arc::new(Inner { db: db.clone(), keys, source, projector, random: options.random, writer });
        if let Some(every) = options.fold_every {
            super::project::keep_up(&inner, every);
        }
        let log = Self(inner);
        if let Some(position) = repaired {
            let mut record = Record::new(options.clock.micros(), Kind::Repaired, Outcome::Success);
            record.reason = Some(format!("torn record set aside at {position}").into());
            log.append(record).await?;
        }
        Ok(log)
    }

    /// Keeps a record. Returns once it would survive the death of this process;
    /// on an error the request it is about must fail.
    pub async fn append(&self, record: Record) -> Result<Position, AuditError> {
        self.0.append_bytes(encode(&record, &self.0.keys)).await
    }

    /// The record of a write, as a row of its transaction.
    pub fn row(&self, record: Record) -> WriteRow {
        WriteRow::new(record, &self.0.keys, &self.0.random)
    }

    /// Brings every kept record to the disk: before an orderly end.
    pub async fn sync(&self) -> Result<(), AuditError> {
        let jobs = match &self.0.writer {
            Writer::Here(segments) => return segments.lock().unwrap_or_else(PoisonError::into_inner).sync(),
            Writer::Queue(jobs) => jobs,
        };
        let (done, answer) = oneshot::channel();
        jobs.send(Job::Sync(done)).await.map_err(|_| AuditError::Closed)?;
        answer.await.map_err(|_| AuditError::Closed)?
    }

    /// Files every record that was kept before this call, by any process.
    pub async fn catch_up(&self) -> Result<(), AuditError> {
        self.0.catch_up().await
    }
}

impl Inner {
    /// Keeps an encoded record.
    pub(super) async fn append_bytes(&self, record: Vec<u8>) -> Result<Position, AuditError> {
        if record.len() > MAX_RECORD {
            return Err(AuditError::TooLarge(record.len()));
        }
        let jobs = match &self.writer {
            Writer::Here(segments) => {
                let kept = segments.lock().unwrap_or_else(PoisonError::into_inner).append_one(&record);
                return kept.inspect_err(|error| tracing::error!(%error, "an audit record could not be kept"));
            }
            Writer::Queue(jobs) => jobs,
        };
        let (done, answer) = oneshot::channel();
        jobs.send(Job::Append { record, done }).await.map_err(|_| AuditError::Closed)?;
        answer.await.map_err(|_| AuditError::Closed)?
    }
}

/// The writer of segment files: a thread, for a `write` may block.
fn write_files(mut segments: Segments, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let (appends, syncs) = sort(&mut batch);
        if !appends.is_empty() {
            let done = segments.append(&records(&appends));
            answer(appends, done);
        }
        for sync in syncs {
            // Whoever asked may have gone; then nobody needs the answer.
            let _ = sync.send(segments.sync());
        }
    }
}

/// The writer of the table.
async fn write_table(mut table: Table, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let (appends, syncs) = sort(&mut batch);
        if !appends.is_empty() {
            let done = table.append(&records(&appends)).await;
            answer(appends, done);
        }
        for sync in syncs {
            // Every batch is committed by now.
            let _ = sync.send(Ok(()));
        }
    }
}

type Append = (Vec<u8>, oneshot::Sender<Result<Position, AuditError>>);

fn sort(batch: &mut Vec<Job>) -> (Vec<Append>, Vec<oneshot::Sender<Result<(), AuditError>>>) {
    let (mut appends, mut syncs) = (Vec::with_capacity(batch.len()), Vec::new());
    for job in batch.drain(..) {
        match job {
            Job::Append { record, done } => appends.push((record, done)),
            Job::Sync(done) => syncs.push(done),
        }
    }
    (appends, syncs)
}

fn records(appends: &[Append]) -> Vec<&[u8]> {
    appends.iter().map(|(record, _)| record.as_slice()).collect()
}

/// Tells each request of a batch how it went. A request that has gone is not told.
fn answer(appends: Vec<Append>, done: Result<Vec<Position>, AuditError>) {
    match done {
        Ok(positions) => {
            for ((_, done), position) in appends.into_iter().zip(positions) {
                let _ = done.send(Ok(position));
            }
        }
        Err(error) => {
            tracing::error!(%error, requests = appends.len(), "audit records could not be kept");
            for (_, done) in appends {
                let _ = done.send(Err(error.again()));
            }
        }
    }
}

/// Takes up a chain that no process holds, or begins one; where a torn record was set aside.
async fn open_files(
    db: &Db,
    directory: &Path,
    keys: &AuditKeys,
    options: &Options,
) -> Result<(Segments, Option<Position>), AuditError> {
    segment::private_folder(directory).map_err(|cause| files::failed(directory, cause))?;
    for chain in heads::all(db, keys).await? {
        let number = chain.head.position.chain;
        if !chain.sealed {
            tracing::error!(chain = number, "the stored head of an audit chain was changed; the chain is left alone");
            continue;
        }
        let (directory, keys, how) = (directory.to_owned(), keys.clone(), options.keeping());
        let taken = blocking(move || take_up(&directory, &keys, chain.head, how)).await?;
        if let Some(taken) = taken {
            return Ok(taken);
        }
    }
    begin_files(db, directory, keys, options).await
}

/// Takes up one chain at its end; `None` if it is held or not what it was.
fn take_up(
    directory: &Path,
    keys: &AuditKeys,
    mut head: Head,
    how: Keeping,
) -> Result<Option<(Segments, Option<Position>)>, AuditError> {
    if !files::folder(directory, head.position.chain).exists() {
        tracing::error!(chain = head.position.chain, "the folder of an audit chain is missing");
        return Ok(None);
    }
    let Some(lock) = segment::lock(directory, head.position.chain)? else { return Ok(None) };
    let reading = Reading { limit: 4096, sync: false, lenient: false };
    let torn = loop {
        let stretch = files::read(directory, keys, &head, reading)?;
        if let Some(fault) = stretch.faults.first() {
            tracing::error!(position = %fault.position, what = fault.what, "an audit chain is damaged; a new one is begun");
            return Ok(None);
        }
        head = stretch.head;
        if !stretch.more {
            break stretch.torn;
        }
    };
    let mut repaired = None;
    if torn > 0 {
        segment::set_torn_aside(directory, &head)?;
        tracing::warn!(position = %head.position, bytes = torn, "a record torn when its process died was set aside");
        repaired = Some(head.position);
    }
    Ok(Some((Segments::resume(directory, keys, lock, head, how)?, repaired)))
}

async fn begin_files(
    db: &Db,
    directory: &Path,
    keys: &AuditKeys,
    options: &Options,
) -> Result<(Segments, Option<Position>), AuditError> {
    for _ in 0..ATTEMPTS {
        let stored = heads::next(db).await?;
        let number = files::chains(directory)?.last().map_or(stored, |last| stored.max(last + 1));
        let (folder, ring, how): (PathBuf, _, _) = (directory.to_owned(), keys.clone(), options.keeping());
        let unique = options.random.id();
        let begun = blocking(move || Segments::begin(&folder, &ring, number, &unique, how)).await?;
        let Some(segments) = begun else { continue };
        let head = Head::first_in_files(number, &keys.current_chain());
        if heads::begin(db, keys, &head).await? {
            return Ok((segments, None));
        }
    }
    Err(AuditError::Unwritable("no chain number is free".to_owned()))
}

/// Records that may wait for the writer; more wait in their requests.
const QUEUE: usize = 4096;
/// Records that go out in one `write`.
const BATCH: usize = 1024;
/// Processes that begin a chain at the same instant.
const ATTEMPTS: usize = 64;
