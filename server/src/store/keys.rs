//! The key file: the one secret outside the database.
//!
//! It holds master keys of 256 bits, one a *generation*; the last is current,
//! the earlier ones still open what they sealed. No master key is used as it
//! is: each use has its own key, derived by HKDF under the use's name, so that
//! a cursor can never be mistaken for a sealed column or an audit chain.
//!
//! The file is made on first start with mode 0600, and refused if anyone but
//! its owner may read it. Several servers over one database share one file.
//!
//! To add a use: one constant of [`Use`].
//!
//! Source: RFC 5869

use std::fmt::{self, Debug, Formatter};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::random::Random;

/// The key file's name inside the data directory.
pub const FILE: &str = "keys";

/// What a derived key is for; its name is part of the derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use(pub &'static str);

impl Use {
    /// Columns of the database.
    pub const COLUMN: Self = Self("sealed column");
    /// Page links and other texts handed out to come back.
    pub const LINK: Self = Self("sealed link");
    /// The chain of the audit log.
    pub const AUDIT_CHAIN: Self = Self("audit chain");
    /// The stored head of an audit chain.
    pub const AUDIT_HEAD: Self = Self("audit head");
    /// A write's audit row until it is moved into the log.
    pub const AUDIT_ROW: Self = Self("audit row");
    /// Ids of `AuditEvent`s.
    pub const AUDIT_ID: Self = Self("audit id");
}

/// The master keys, oldest first, never empty.
#[derive(Clone)]
pub struct Keys {
    masters: Vec<Master>,
}

#[derive(Clone)]
struct Master {
    generation: u8,
    key: [u8; 32],
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("key file {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Someone other than the owner may read it.
    #[error("key file {path} has mode {mode:04o}: only its owner may read it (chmod 600)")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not what this program wrote.
    #[error("key file {path}, line {line}: {fault}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it. Never its content.
        fault: &'static str,
    },
    /// All 255 generations have been used.
    #[error("key file {0} holds as many generations as it can")]
    Full(PathBuf),
}

impl Keys {
    /// Loads the key file of a data directory, or makes it on the first start.
    ///
    /// Two processes that start at once end up with the same keys: the file
    /// appears whole, by a link that fails where there is one already.
    pub fn open_or_create(path: &Path, random: &Random) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let made = Self { masters: vec![Master { generation: 1, key: random.bytes() }] };
        let fresh = made.write_beside(path, random)?;
        let linked = fs::hard_link(&fresh, path);
        fs::remove_file(&fresh).map_err(|cause| io_error(&fresh, cause))?;
        match linked {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(path, cause)),
            _ => sync_directory(path)?,
        }
        Self::load(path)
    }

    /// Loads a key file from where the configuration says it is.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = {
            let file = File::open(path).map_err(|cause| io_error(path, cause))?;
            refuse_wide_mode(path, &file)?;
            io::read_to_string(file).map_err(|cause| io_error(path, cause))?
        };
        Self::parse(path, &text)
    }

    /// Adds a generation, which becomes the current one, to the file.
    ///
    /// What earlier generations sealed still opens until their lines are taken
    /// out of the file.
    pub fn rotate(path: &Path, random: &Random) -> Result<Self, KeyError> {
        let mut keys = Self::load(path)?;
        let generation = keys.current().generation.checked_add(1).ok_or_else(|| KeyError::Full(path.to_owned()))?;
        keys.masters.push(Master { generation, key: random.bytes() });
        let fresh = keys.write_beside(path, random)?;
        fs::rename(&fresh, path).map_err(|cause| io_error(path, cause))?;
        sync_directory(path)?;
        Ok(keys)
    }

    /// Keys of a test.
    #[cfg(test)]
    pub fn for_test(seed: u64) -> Self {
        Self { masters: vec![Master { generation: 1, key: Random::seeded(seed).bytes() }] }
    }

    /// The number of the generation that new things are sealed under.
    pub fn generation(&self) -> u8 {
        self.current().generation
    }

    /// The numbers of all generations, oldest first.
    pub fn generations(&self) -> impl Iterator<Item = u8> + '_ {
        self.masters.iter().map(|master| master.generation)
    }

    /// The oldest generation still kept.
    pub fn oldest(&self) -> u8 {
        self.masters[0].generation
    }

    /// The key for one use under one generation; `None` if that is not kept any more.
    pub fn derive(&self, generation: u8, purpose: Use) -> Option<[u8; 32]> {
        let master = self.masters.iter().find(|master| master.generation == generation)?;
        Some(expand(&master.key, purpose))
    }

    fn current(&self) -> &Master {
        // Never empty: `parse` and every constructor see to it.
        &self.masters[self.masters.len() - 1]
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyError> {
        let fault = |line: usize, fault| KeyError::Shape { path: path.to_owned(), line: line + 1, fault };
        let mut masters: Vec<Master> = Vec::new();
        for (line, text) in text.lines().enumerate() {
            if line == 0 {
                if text != HEADER {
                    return Err(fault(0, "not a key file of this program"));
                }
                continue;
            }
            let (generation, key) = text.split_once(' ').ok_or_else(|| fault(line, "not `generation key`"))?;
            let generation: u8 = generation.parse().map_err(|_| fault(line, "the generation is no number of 1–255"))?;
            if masters.last().map_or(0, |master| master.generation) >= generation {
                return Err(fault(line, "generations must rise"));
            }
            let key = STANDARD.decode(key).ok().and_then(|key| key.try_into().ok());
            masters
                .push(Master { generation, key: key.ok_or_else(|| fault(line, "the key is not 256 bits of base64"))? });
        }
        if masters.is_empty() {
            return Err(fault(0, "no key in it"));
        }
        Ok(Self { masters })
    }

    /// The keys in a new file of mode 0600 beside `path`, synced.
    fn write_beside(&self, path: &Path, random: &Random) -> Result<PathBuf, KeyError> {
        let mut text = format!("{HEADER}\n");
        for master in &self.masters {
            text.extend([&master.generation.to_string(), " ", &STANDARD.encode(master.key), "\n"]);
        }
        let fresh = path.with_extension(format!("new-{}", random.id()));
        let written = (|| {
            let mut file = new_private_file(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })();
        written.map_err(|cause| io_error(&fresh, cause))?;
        Ok(fresh)
    }
}

impl Debug for Keys {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "Keys(generation {}, [redacted])", self.generation())
    }
}

fn expand(master: &[u8; 32], purpose: Use) -> [u8; 32] {
    struct Bits256;
    impl hkdf::KeyType for Bits256 {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"techo")
        .extract(master)
        .expand(&[purpose.0.as_bytes()], Bits256)
        .and_then(|bytes| bytes.fill(&mut key))
        // Fails only for more than 255 blocks of output, or a buffer of another length.
        .expect("32 bytes are one block of HKDF-SHA-256");
    key
}

fn io_error(path: &Path, cause: io::Error) -> KeyError {
    KeyError::Io { path: path.to_owned(), cause }
}

fn sync_directory(path: &Path) -> Result<(), KeyError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(|cause| io_error(parent, cause))
}

#[cfg(unix)]
fn new_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn new_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn refuse_wide_mode(path: &Path, file: &File) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|cause| io_error(path, cause))?.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 { Ok(()) } else { Err(KeyError::Mode { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_wide_mode(_: &Path, _: &File) -> Result<(), KeyError> {
    Ok(())
}

/// First line of a key file: what it is, and its form's version.
const HEADER: &str = "techo-keys 1";

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh_directory() -> PathBuf {
        let path = std::env::temp_dir().join(format!("techo-keys-{}", Random::system().id()));
        fs::create_dir_all(&path).expect("temporary directory");
        path
    }

    #[test]
    fn the_first_start_makes_what_the_second_loads() {
        let path = fresh_directory().join(FILE);
        let random = Random::system();
        let first = Keys::open_or_create(&path, &random).expect("made");
        let second = Keys::open_or_create(&path, &random).expect("loaded");
        assert_eq!(first.derive(1, Use::COLUMN), second.derive(1, Use::COLUMN));
        assert_ne!(first.derive(1, Use::COLUMN), first.derive(1, Use::LINK));
        let files = fs::read_dir(path.parent().expect("parent")).expect("listing").count();
        assert_eq!(files, 1, "nothing is left beside it");
    }

    #[test]
    fn sixteen_first_starts_at_once_agree() {
        let path = fresh_directory().join(FILE);
        let found: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| Keys::open_or_create(&path, &Random::system()).expect("keys")))
                .collect();
            starts.into_iter().map(|start| start.join().expect("joined").derive(1, Use::LINK)).collect()
        });
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = fresh_directory().join(FILE);
        Keys::open_or_create(&path, &Random::system()).expect("made");
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o644, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
            assert!(matches!(Keys::load(&path), Err(KeyError::Mode { mode: seen, .. }) if seen == mode), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("chmod");
        Keys::load(&path).expect("read-only is fine");
    }

    #[test]
    fn rotation_keeps_what_was() {
        let path = fresh_directory().join(FILE);
        let random = Random::system();
        let before = Keys::open_or_create(&path, &random).expect("made");
        let after = Keys::rotate(&path, &random).expect("rotated");
        assert_eq!((after.oldest(), after.generation()), (1, 2));
        assert_eq!(after.derive(1, Use::COLUMN), before.derive(1, Use::COLUMN));
        assert_ne!(after.derive(2, Use::COLUMN), before.derive(1, Use::COLUMN));
        assert_eq!(before.derive(2, Use::COLUMN), None);
        assert_eq!(Keys::load(&path).expect("loaded").generation(), 2);
    }

    #[test]
    fn other_files_are_no_key_files() {
        let key = STANDARD.encode([7; 32]);
        for (text, line) in [
            (String::new(), 1),
            ("something else\n".to_owned(), 1),
            ("techo-keys 1\n".to_owned(), 1),
            (format!("techo-keys 1\n0 {key}\n"), 2),
            (format!("techo-keys 1\n1 {}\n", &key[4..]), 2),
            (format!("techo-keys 1\n1 {key}\n1 {key}\n"), 3),
        ] {
            let found = Keys::parse(Path::new("x"), &text);
            assert!(matches!(found, Err(KeyError::Shape { line: seen, .. }) if seen == line), "{line}: {found:?}");
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = Keys::for_test(3);
        let printed = format!("{keys:?}");
        assert_eq!(printed, "Keys(generation 1, [redacted])");
    }
}
