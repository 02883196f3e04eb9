//! A chain in segment files: `audit/CHAIN/SEGMENT.log`, read from any head.
//!
//! A segment begins with a header (what it is, chain, segment, key generation,
//! mac of the record before it) and goes on with entries. It appears under its
//! name only once its header is whole. A segment that has a successor is
//! finished; only the last may end in a torn entry.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::authentic::{AuditKeys, ChainKey, Mac};
use super::entry::{Step, step};
use super::{AuditError, Head, Position};

/// Bytes of a segment's header.
pub(super) const HEADER: usize = 53;
const MAGIC: &[u8; 8] = b"TECHOAL1";

/// A stretch of a chain.
#[derive(Debug)]
pub(super) struct Stretch {
    /// The records in order.
    pub(super) entries: Vec<Entry>,
    /// Behind the last of them.
    pub(super) head: Head,
    /// Where reading stopped for good, and why; `None` if all was well so far.
    pub(super) faults: Vec<Fault>,
    /// Bytes after the last whole entry of the last segment.
    pub(super) torn: u64,
    /// Whether there is more to read from `head`.
    pub(super) more: bool,
}

/// One record as stored.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it begins.
    pub(super) position: Position,
    /// Behind it.
    pub(super) end: Head,
    /// Its bytes.
    pub(super) record: Vec<u8>,
}

/// Something that no honest log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it shows.
    pub position: Position,
    /// What shows.
    pub what: &'static str,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// At most so many entries.
    pub(super) limit: usize,
    /// Bring what is read to the disk first, so that it cannot be lost after it was filed.
    pub(super) sync: bool,
    /// Go on behind a record whose mac is wrong.
    pub(super) lenient: bool,
}

/// The folder of a chain.
pub(super) fn folder(directory: &Path, chain: i64) -> PathBuf {
    directory.join(format!("{chain:06}"))
}

/// The file of a segment.
pub(super) fn segment(directory: &Path, chain: i64, segment: u32) -> PathBuf {
    segment_in(&folder(directory, chain), segment)
}

/// The file of a segment, in its chain's folder.
pub(super) fn segment_in(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("{segment:08}.log"))
}

/// The header of a segment.
pub(super) fn header(chain: i64, segment: u32, generation: u8, previous: &Mac) -> Vec<u8> {
    [&MAGIC[..], &chain.to_be_bytes(), &segment.to_be_bytes(), &[generation], previous].concat()
}

/// Reads a chain's records from `from` on.
pub(super) fn read(directory: &Path, keys: &AuditKeys, from: &Head, how: Reading) -> Result<Stretch, AuditError> {
    let mut stretch = Stretch { entries: Vec::new(), head: from.clone(), faults: Vec::new(), torn: 0, more: false };
    loop {
        let at = stretch.head.position;
        let path = segment(directory, at.chain, at.segment);
        // Asked first: once there is a successor this segment grows no more.
        let finished = segment(directory, at.chain, at.segment + 1).exists();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Ok(stretch.stop(at, "its segment is missing"));
            }
            Err(cause) => return Err(failed(&path, cause)),
        };
        read_segment(file, keys, &mut stretch, how).map_err(|cause| failed(&path, cause))?;
        if !stretch.faults.is_empty() && !how.lenient || stretch.more {
            return Ok(stretch);
        }
        if !finished {
            return Ok(stretch);
        }
        if stretch.torn > 0 {
            stretch.torn = 0;
            let at = stretch.head.position;
            stretch.faults.push(Fault { position: at, what: "a finished segment ends in a cut record" });
            if !how.lenient {
                return Ok(stretch);
            }
        }
        stretch.head.position.segment += 1;
        stretch.head.position.place = HEADER as u64;
    }
}

impl Stretch {
    fn stop(mut self, position: Position, what: &'static str) -> Self {
        self.faults.push(Fault { position, what });
        self
    }

    fn fault(&mut self, position: Position, what: &'static str) {
        self.faults.push(Fault { position, what });
    }
}

/// Reads one segment from the stretch's head to its end.
fn read_segment(file: File, keys: &AuditKeys, stretch: &mut Stretch, how: Reading) -> io::Result<()> {
    let length = file.metadata()?.len();
    let at = stretch.head.position;
    if how.sync && length > at.place {
        file.sync_data()?;
    }
    if length < at.place {
        stretch.fault(at, "the segment ends before this place: its tail was cut");
        return Ok(());
    }
    let mut input = BufReader::with_capacity(1 << 16, file);
    let Some(key) = check_header(&mut input, keys, stretch, how)? else { return Ok(()) };
    input.seek(SeekFrom::Start(at.place))?;
    let mut left = length - at.place;
    loop {
        let at = stretch.head.position;
        if stretch.entries.len() >= how.limit {
            stretch.more = left > 0;
            return Ok(());
        }
        match step(&mut input, &mut left)? {
            Step::End => return Ok(()),
            Step::Torn(bytes) => {
                stretch.torn = bytes;
                return Ok(());
            }
            Step::Broken(what) => {
                stretch.fault(at, what);
                return Ok(());
            }
            Step::Entry { mac, record } => {
                if key.next(&stretch.head.mac, &record) != mac {
                    stretch.fault(at, "it is not the record that was written after the one before it");
                    if !how.lenient {
                        return Ok(());
                    }
                }
                stretch.head = Head { position: Position { place: length - left, ..at }, mac };
                stretch.entries.push(Entry { position: at, end: stretch.head.clone(), record });
            }
        }
    }
}

/// The segment's chain key, if its header is what the chain so far demands.
fn check_header(
    input: &mut impl Read,
    keys: &AuditKeys,
    stretch: &mut Stretch,
    how: Reading,
) -> io::Result<Option<ChainKey>> {
    let Head { position, mac } = stretch.head.clone();
    let mut found = [0; HEADER];
    input.read_exact(&mut found)?;
    let generation = found[20];
    let mut expected = header(position.chain, position.segment, generation, &mac);
    if position.place > HEADER as u64 {
        // Read from the middle: what came before the segment is not at hand.
        expected[21..].copy_from_slice(&found[21..]);
    }
    let start = Position { place: 0, ..position };
    if expected != found {
        stretch.fault(start, "the segment's header does not follow from the segment before");
        if !how.lenient || expected[..20] != found[..20] {
            return Ok(None);
        }
    }
    let key = keys.chain(generation);
    if key.is_none() {
        stretch.fault(start, "its key generation is not in the key file");
    }
    Ok(key)
}

/// The bytes of single records, without a look at the chain; each segment is opened once.
pub(super) fn pick(directory: &Path, positions: &[Position]) -> Result<Vec<(Position, Vec<u8>)>, AuditError> {
    let mut found = Vec::with_capacity(positions.len());
    for together in positions.chunk_by(|left, right| (left.chain, left.segment) == (right.chain, right.segment)) {
        let path = segment(directory, together[0].chain, together[0].segment);
        let mut file = File::open(&path).map_err(|cause| failed(&path, cause))?;
        for position in together {
            match step_at(&mut file, position.place).map_err(|cause| failed(&path, cause))? {
                Step::Entry { record, .. } => found.push((*position, record)),
                Step::End | Step::Torn(_) | Step::Broken(_) => {
                    let fault = "there is no whole record here";
                    return Err(AuditError::Damaged { position: *position, fault });
                }
            }
        }
    }
    Ok(found)
}

fn step_at(file: &mut File, place: u64) -> io::Result<Step> {
    let mut left = file.metadata()?.len().saturating_sub(place);
    file.seek(SeekFrom::Start(place))?;
    step(file, &mut left)
}

/// The chains that have a folder, in order.
pub(super) fn chains(directory: &Path) -> Result<Vec<i64>, AuditError> {
    let mut found = Vec::new();
    let listing = match fs::read_dir(directory) {
        // No server ran yet. A folder taken away shows by the chains it should hold.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(found),
        listing => listing.map_err(|cause| failed(directory, cause))?,
    };
    for entry in listing {
        let entry = entry.map_err(|cause| failed(directory, cause))?;
        if let Some(chain) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push(chain);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a living process holds the chain.
pub(super) fn held(directory: &Path, chain: i64) -> bool {
    let lock = File::open(folder(directory, chain).join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
}

/// The error of a file.
pub(super) fn failed(path: &Path, cause: io::Error) -> AuditError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AuditError::Full,
        _ => AuditError::File { path: path.display().to_string(), cause },
    }
}

/// The file whose lock says which process writes a chain.
pub(super) const LOCK: &str = "lock";
