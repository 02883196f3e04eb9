//! Appending to a chain in segment files: many records, one `write`.
//!
//! A record is *kept* once `write` has returned: it is the operating system's
//! then, and survives the death of this process. It is *on disk* once synced,
//! which a second thread sees to within 100 ms, or the append itself where the
//! operator asked for it. A `write` that failed is taken back whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::authentic::{AuditKeys, ChainKey};
use super::entry::{ENTRY_HEAD, put};
use super::files::{self, HEADER, LOCK, failed, header};
use super::{AuditError, Head, Position, Sync};

/// How long a record may wait for its sync to begin; the sync itself has the rest of 100 ms.
const SYNC_DELAY: Duration = Duration::from_millis(50);

/// How records are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    /// When they are brought to the disk.
    pub(super) sync: Sync,
    /// A segment that reached this size is finished.
    pub(super) segment_bytes: u64,
}

/// The one writer of a chain, and the lock that makes it the one.
pub(super) struct Segments {
    directory: PathBuf,
    file: Arc<File>,
    key: ChainKey,
    generation: u8,
    head: Head,
    limit: u64,
    /// Something went wrong that cannot be taken back.
    lost: bool,
    flusher: Flusher,
    _lock: File,
}

impl std::fmt::Debug for Segments {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Segments at {}", self.head.position)
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        if let Err(error) = self.sync() {
            tracing::error!(%error, "the audit log was not synced at its end");
        }
    }
}

impl Segments {
    /// Begins a chain of this number; `None` if there is one already.
    ///
    /// Its folder is made under another name, with its lock held and its first
    /// segment whole, so that no other process ever sees half a chain.
    pub(super) fn begin(
        directory: &Path,
        keys: &AuditKeys,
        chain: i64,
        unique: &str,
        how: Keeping,
    ) -> Result<Option<Self>, AuditError> {
        let head = Head::first_in_files(chain, &keys.current_chain());
        let unfinished = directory.join(format!("new-{unique}"));
        let taken = take_lock(&unfinished)?.ok_or(AuditError::Closed)?;
        let file = new_segment(&unfinished, &head, keys.generation())?;
        match fs::rename(&unfinished, files::folder(directory, chain)) {
            Ok(()) => {
                let sync = File::open(directory).and_then(|directory| directory.sync_all());
                sync.map_err(|cause| failed(directory, cause))?;
                Ok(Some(Self::over(directory, keys, taken, head, file, how)))
            }
            Err(_) if files::folder(directory, chain).exists() => {
                fs::remove_dir_all(&unfinished).map_err(|cause| failed(&unfinished, cause))?;
                Ok(None)
            }
            Err(cause) => Err(failed(&unfinished, cause)),
        }
    }

    /// Goes on with a chain at its end.
    pub(super) fn resume(
        directory: &Path,
        keys: &AuditKeys,
        lock: File,
        head: Head,
        how: Keeping,
    ) -> Result<Self, AuditError> {
        let path = files::segment(directory, head.position.chain, head.position.segment);
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            file.seek(SeekFrom::Start(head.position.place))?;
            let mut found = [0; HEADER];
            read_header(&file, &mut found)?;
            Ok((file, found[20]))
        };
        let (file, generation) = open().map_err(|cause| failed(&path, cause))?;
        let mut resumed = Self::over(directory, keys, lock, head, Arc::new(file), how);
        if generation != keys.generation() {
            resumed.rotate()?;
        }
        Ok(resumed)
    }

    fn over(directory: &Path, keys: &AuditKeys, lock: File, head: Head, file: Arc<File>, how: Keeping) -> Self {
        Self {
            directory: directory.to_owned(),
            flusher: Flusher::start(how.sync),
            key: keys.current_chain(),
            generation: keys.generation(),
            limit: how.segment_bytes,
            lost: false,
            file,
            head,
            _lock: lock,
        }
    }

    /// Appends records in order: all of them, or none.
    pub(super) fn append(&mut self, records: &[&[u8]]) -> Result<Vec<Position>, AuditError> {
        if self.lost || self.flusher.failed() {
            return Err(AuditError::Unsynced);
        }
        if self.head.position.place >= self.limit {
            self.rotate()?;
        }
        let mut head = self.head.clone();
        let mut positions = Vec::with_capacity(records.len());
        let mut buffer = Vec::with_capacity(records.iter().map(|record| record.len() + ENTRY_HEAD).sum());
        for record in records {
            positions.push(head.position);
            head.mac = self.key.next(&head.mac, record);
            head.position.place += (record.len() + ENTRY_HEAD) as u64;
            put(&mut buffer, &head.mac, record);
        }
        if let Err(cause) = (&*self.file).write_all(&buffer) {
            self.take_back();
            return Err(unwritable(&cause));
        }
        self.head = head;
        self.flusher.written(&self.file)?;
        Ok(positions)
    }

    /// Appends one record.
    pub(super) fn append_one(&mut self, record: &[u8]) -> Result<Position, AuditError> {
        self.append(&[record])?.pop().ok_or(AuditError::Closed)
    }

    /// Brings everything to the disk.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        self.file.sync_data().map_err(|_| AuditError::Unsynced)
    }

    /// Removes what a failed write left, so that the next begins where this one did.
    fn take_back(&mut self) {
        let place = self.head.position.place;
        let restored = self.file.set_len(place).and_then(|()| (&*self.file).seek(SeekFrom::Start(place)));
        self.lost = restored.is_err();
    }

    /// Finishes the segment and begins the next.
    fn rotate(&mut self) -> Result<(), AuditError> {
        self.sync()?;
        let mut next = self.head.clone();
        next.position.segment += 1;
        next.position.place = HEADER as u64;
        let folder = files::folder(&self.directory, next.position.chain);
        self.file = new_segment(&folder, &next, self.generation)?;
        self.head = next;
        Ok(())
    }
}

/// Takes the lock of a chain; `None` if a living process has it.
pub(super) fn lock(directory: &Path, chain: i64) -> Result<Option<File>, AuditError> {
    take_lock(&files::folder(directory, chain))
}

fn take_lock(folder: &Path) -> Result<Option<File>, AuditError> {
    let path = folder.join(LOCK);
    let open = || {
        private_folder(folder)?;
        OpenOptions::new().write(true).create(true).truncate(false).open(&path)
    };
    let file = open().map_err(|cause| failed(&path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(cause)) => Err(failed(&path, cause)),
    }
}

/// Sets the bytes behind `head` aside in a file of their own, and cuts them off.
pub(super) fn set_torn_aside(directory: &Path, head: &Head) -> Result<(), AuditError> {
    let Position { chain, segment, place } = head.position;
    let path = files::segment(directory, chain, segment);
    let aside = path.with_extension(format!("torn-{place}"));
    let cut = || {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        file.seek(SeekFrom::Start(place))?;
        let mut kept = private_file(&aside)?;
        io::copy(&mut file, &mut kept)?;
        kept.sync_all()?;
        file.set_len(place)?;
        file.sync_all()
    };
    cut().map_err(|cause| failed(&path, cause))
}

/// A folder that only the server's user may enter.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new segment, visible under its name only once its header is on disk.
fn new_segment(folder: &Path, head: &Head, generation: u8) -> Result<Arc<File>, AuditError> {
    let Position { chain, segment, .. } = head.position;
    let path = files::segment_in(folder, segment);
    let unfinished = path.with_extension("new");
    let make = || {
        let mut file = private_file(&unfinished)?;
        file.write_all(&header(chain, segment, generation, &head.mac))?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()?;
        Ok(Arc::new(file))
    };
    make().map_err(|cause| failed(&path, cause))
}

fn read_header(file: &File, into: &mut [u8]) -> io::Result<()> {
    use std::io::Read;
    let mut again = file.try_clone()?;
    let back = again.stream_position()?;
    again.rewind()?;
    again.read_exact(into)?;
    again.seek(SeekFrom::Start(back)).map(drop)
}

fn unwritable(cause: &io::Error) -> AuditError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AuditError::Full,
        _ => AuditError::Unwritable(cause.to_string()),
    }
}

/// Syncs what was written, without the writer waiting for it.
struct Flusher {
    how: Sync,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    failed: AtomicBool,
}

#[derive(Default)]
struct State {
    dirty: Option<Arc<File>>,
    closed: bool,
}

impl Flusher {
    fn start(how: Sync) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), failed: AtomicBool::new(false) });
        if how == Sync::Soon {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.run());
        }
        Self { how, shared }
    }

    fn failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Records that `file` has something new; syncs it now where that was asked for.
    fn written(&self, file: &Arc<File>) -> Result<(), AuditError> {
        match self.how {
            Sync::Always => file.sync_data().map_err(|_| {
                self.shared.failed.store(true, Ordering::Release);
                AuditError::Unsynced
            }),
            Sync::Soon => {
                let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.dirty.replace(Arc::clone(file)).is_none() {
                    self.shared.wake.notify_one();
                }
                Ok(())
            }
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn run(&self) {
        while let Some(file) = self.next() {
            if file.sync_data().is_err() {
                // The kernel may have dropped the pages: a second try would lie.
                self.failed.store(true, Ordering::Release);
            }
        }
    }

    /// Waits for something to sync, then lets more gather; `None` at the end.
    fn next(&self) -> Option<Arc<File>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.dirty.is_none() && !state.closed;
        let state = self.wake.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let open = |state: &mut State| !state.closed;
        let (mut state, _) =
            self.wake.wait_timeout_while(state, SYNC_DELAY, open).unwrap_or_else(PoisonError::into_inner);
        state.dirty.take()
    }
}
