//! The file of a backup: names and contents, one after the other, each with its hash.
//!
//! `magic ‖ (length of the name (2) ‖ name ‖ length of the content (8) ‖ content ‖
//! SHA-256 of all that)* ‖ 0 (2) ‖ SHA-256 of all those hashes`, compressed as one
//! Zstandard stream. A changed byte, a file left out and a cut tail all show.
//!
//! Numbers are little-endian. A file that grows while it is added is taken as far
//! as it went when its turn began.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use zstd::stream::{read::Decoder, write::Encoder};

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    /// The file, or one that is written from it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Another kind of file.
    #[error("this is no backup of this program")]
    Magic,
    /// It is not what was written.
    #[error("the backup is damaged: {0}")]
    Damaged(&'static str),
}

/// Writes a backup.
pub(super) struct Writer {
    out: Encoder<'static, File>,
    all: Context,
}

impl Writer {
    /// Begins a new file that only its owner can read.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut out = Encoder::new(private_file(path)?, LEVEL)?;
        out.include_checksum(true)?;
        out.write_all(MAGIC)?;
        Ok(Self { out, all: Context::new(&SHA256) })
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let named = u16::try_from(name.len()).map_err(|_| io::Error::other("its name is too long"))?;
        let mut hash = Context::new(&SHA256);
        for part in [&named.to_le_bytes()[..], name.as_bytes(), &length.to_le_bytes()] {
            hash.update(part);
            self.out.write_all(part)?;
        }
        let mut content = BufReader::new(file).take(length);
        let copied = through(&mut content, |bytes| {
            hash.update(bytes);
            self.out.write_all(bytes)
        })?;
        if copied != length {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        let hash = hash.finish();
        self.all.update(hash.as_ref());
        self.out.write_all(hash.as_ref())
    }

    /// Ends the file and brings it to the disk.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.write_all(&0u16.to_le_bytes())?;
        let all = self.all.finish();
        self.out.write_all(all.as_ref())?;
        self.out.finish()?.sync_all()
    }
}

/// Reads a backup, verifying it on the way.
pub(super) struct Reader {
    input: Decoder<'static, BufReader<File>>,
    all: Context,
    /// The hash of the file whose turn it is, and what is left of it.
    now: Option<(Context, u64)>,
}

impl Reader {
    /// Opens a backup.
    pub(super) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path)?;
        let mut input = Decoder::new(file).map_err(|_| ArchiveError::Magic)?;
        let mut magic = [0; MAGIC.len()];
        if input.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Err(ArchiveError::Magic);
        }
        Ok(Self { input, all: Context::new(&SHA256), now: None })
    }

    /// The name of the next file, whose content is to be taken by [`Reader::pass`]
    /// or [`Reader::write_to`]; `None` at the end, which is verified too.
    pub(super) fn next(&mut self) -> Result<Option<String>, ArchiveError> {
        let length: [u8; 2] = self.bytes()?;
        let named = usize::from(u16::from_le_bytes(length));
        if named == 0 {
            let stored: [u8; 32] = self.bytes()?;
            let all = std::mem::replace(&mut self.all, Context::new(&SHA256)).finish();
            let more = self.input.read(&mut [0]).map_err(|_| CUT)?;
            let whole = all.as_ref() == stored && more == 0;
            return if whole { Ok(None) } else { Err(ArchiveError::Damaged("a file is missing, or one too many")) };
        }
        let mut name = vec![0; named];
        self.input.read_exact(&mut name).map_err(|_| CUT)?;
        let size: [u8; 8] = self.bytes()?;
        let mut hash = Context::new(&SHA256);
        for part in [&length[..], &name, &size] {
            hash.update(part);
        }
        self.now = Some((hash, u64::from_le_bytes(size)));
        String::from_utf8(name).map(Some).map_err(|_| ArchiveError::Damaged("a name is no text"))
    }

    /// Verifies the content and passes over it.
    pub(super) fn pass(&mut self) -> Result<(), ArchiveError> {
        self.content(|_| Ok(()))
    }

    /// Verifies the content and writes it to a new file that only its owner can read.
    pub(super) fn write_to(&mut self, path: &Path) -> Result<(), ArchiveError> {
        if let Some(parent) = path.parent() {
            private_folders(parent)?;
        }
        let mut file = private_file(path)?;
        self.content(|bytes| file.write_all(bytes))?;
        Ok(file.sync_all()?)
    }

    fn content(&mut self, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), ArchiveError> {
        let Some((mut hash, length)) = self.now.take() else { return Ok(()) };
        // What was written and what was read fail in different words.
        let mut written = Ok(());
        let mut content = self.input.by_ref().take(length);
        let copied = through(&mut content, |bytes| {
            hash.update(bytes);
            written = to(bytes);
            written.as_ref().map_err(|_| io::Error::other("not written")).copied()
        });
        written?;
        if copied.map_err(|_| CUT)? != length {
            return Err(CUT);
        }
        let stored: [u8; 32] = self.bytes()?;
        let hash = hash.finish();
        self.all.update(hash.as_ref());
        if hash.as_ref() == stored { Ok(()) } else { Err(ArchiveError::Damaged("a file is not what was written")) }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|_| CUT)?;
        Ok(bytes)
    }
}

/// Hands all bytes of `from` on in pieces; how many there were.
fn through(from: &mut impl Read, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(copied);
        }
        to(&buffer[..count])?;
        copied += count as u64;
    }
}

/// Folders that only their owner can look into.
pub(super) fn private_folders(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// First bytes inside the stream: what it is, and its form's version.
const MAGIC: &[u8; 16] = b"techo-backup 1\r\n";
const CUT: ArchiveError = ArchiveError::Damaged("it is cut off, or a byte of it was changed");
/// Zstandard's usual trade of time for size.
const LEVEL: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn folder() -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("techo-archive-{}", Random::system().id()));
        std::fs::create_dir(&path).expect("a folder");
        path
    }

    fn walk(path: &Path) -> Result<Vec<String>, ArchiveError> {
        let mut reader = Reader::open(path)?;
        let mut names = Vec::new();
        while let Some(name) = reader.next()? {
            reader.pass()?;
            names.push(name);
        }
        Ok(names)
    }

    #[test]
    fn what_goes_in_comes_out() {
        let folder = folder();
        let contents: [(&str, Vec<u8>); 3] = [
            ("keys", b"secret".to_vec()),
            ("audit/1/1", Random::seeded(1).bytes::<70_000>().to_vec()),
            ("empty", vec![]),
        ];
        let archive = folder.join("a");
        let mut writer = Writer::create(&archive).expect("begun");
        for (number, (name, bytes)) in contents.iter().enumerate() {
            let path = folder.join(number.to_string());
            std::fs::write(&path, bytes).expect("written");
            writer.add(name, &path).expect("added");
        }
        writer.end().expect("ended");
        let mut reader = Reader::open(&archive).expect("opened");
        for (name, bytes) in &contents {
            assert_eq!(reader.next().expect("read").as_deref(), Some(*name));
            let out = folder.join("out").join(name);
            reader.write_to(&out).expect("written");
            assert_eq!(&std::fs::read(&out).expect("there"), bytes);
        }
        assert!(reader.next().expect("verified").is_none());
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn damage_shows_wherever_it_is() {
        let folder = folder();
        let (archive, content) = (folder.join("a"), folder.join("c"));
        std::fs::write(&content, b"some content, some content, some content").expect("written");
        let mut writer = Writer::create(&archive).expect("begun");
        writer.add("one", &content).expect("added");
        writer.add("two", &content).expect("added");
        writer.end().expect("ended");
        assert_eq!(walk(&archive).expect("sound"), ["one", "two"]);
        let whole = std::fs::read(&archive).expect("read");
        let damaged = folder.join("d");
        for at in 0..whole.len() {
            std::fs::write(&damaged, &whole[..at]).expect("written");
            assert!(walk(&damaged).is_err(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            std::fs::write(&damaged, &changed).expect("written");
            assert!(walk(&damaged).map_or(true, |names| names == ["one", "two"]), "changed at {at}");
        }
        assert!(matches!(walk(&content), Err(ArchiveError::Magic)));
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_file_left_out_shows() {
        let folder = folder();
        let (archive, content) = (folder.join("a"), folder.join("c"));
        std::fs::write(&content, b"x").expect("written");
        let mut writer = Writer::create(&archive).expect("begun");
        writer.add("one", &content).expect("added");
        // As if a file had been taken out: its hash is not among those summed up.
        writer.all = Context::new(&SHA256);
        writer.end().expect("ended");
        assert!(matches!(walk(&archive), Err(ArchiveError::Damaged(_))));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
