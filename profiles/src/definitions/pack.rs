//! The pack's container: an index, and blocks of facts compressed one by one.
//!
//! ```text
//! "TECHOPK1"                    8 bytes
//! index length, block count    two u32, little-endian
//! block lengths                 one u32 each
//! index                         one zstd frame
//! blocks                        one zstd frame each
//! ```
//!
//! The index has a line per entry: kind, key, version, base, block, start and
//! length, with tabs between. An entry is the JSON of its facts, at its place in
//! its block's plain bytes. So start-up reads the index alone, and a definition
//! costs memory once somebody asks for it.

use std::collections::HashMap;
#[cfg(feature = "pack")]
use std::fmt::Write as _;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A primitive type's [`super::TypeDef`].
    Primitive,
    /// A datatype's.
    Complex,
    /// An abstract resource type's.
    AbstractResource,
    /// A resource type's.
    Resource,
    /// A profile's or extension's.
    Profile,
    /// A logical model's.
    Logical,
    /// All search parameters.
    Parameters,
    /// All compartments.
    Compartments,
    /// All operations.
    Operations,
    /// One code system.
    CodeSystem,
    /// One value set.
    ValueSet,
    /// One concept map.
    ConceptMap,
}

const KINDS: [(Kind, char); 12] = [
    (Kind::Primitive, 'p'),
    (Kind::Complex, 'c'),
    (Kind::AbstractResource, 'a'),
    (Kind::Resource, 'r'),
    (Kind::Profile, 'x'),
    (Kind::Logical, 'l'),
    (Kind::Parameters, 's'),
    (Kind::Compartments, 'b'),
    (Kind::Operations, 'o'),
    (Kind::CodeSystem, 'y'),
    (Kind::ValueSet, 'v'),
    (Kind::ConceptMap, 'm'),
];

/// One line of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// A type's name; otherwise a canonical URL; empty for the entries that stand alone.
    pub(crate) key: Box<str>,
    pub(crate) version: Box<str>,
    /// The type that a type derives from.
    pub(crate) base: Box<str>,
    block: u32,
    start: u32,
    length: u32,
}

/// Why bytes are no pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PackError {
    #[error("the pack does not begin as a pack does")]
    Magic,
    #[error("the pack ends too early")]
    Truncated,
    #[error("a frame of the pack cannot be decompressed")]
    Frame,
    #[error("line {0} of the pack's index makes no sense")]
    Index(usize),
}

/// A pack that is read on demand.
pub(crate) struct Pack {
    bytes: &'static [u8],
    blocks: Vec<(usize, usize)>,
    pub(crate) entries: Vec<Entry>,
    places: HashMap<(Kind, Box<str>), usize>,
}

impl Pack {
    /// Reads the index.
    pub(crate) fn open(bytes: &'static [u8]) -> Result<Self, PackError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(PackError::Magic)?;
        let (index_length, rest) = number(rest)?;
        let (count, mut rest) = number(rest)?;
        let mut lengths = Vec::new();
        for _ in 0..count {
            let (length, after) = number(rest)?;
            lengths.push(length);
            rest = after;
        }
        let index = rest.get(..index_length).ok_or(PackError::Truncated)?;
        let mut at = bytes.len() - rest.len() + index_length;
        let mut blocks = Vec::with_capacity(lengths.len());
        for length in lengths {
            blocks.push((at, at + length));
            at += length;
        }
        let index = String::from_utf8(inflate(index)?).map_err(|_| PackError::Frame)?;
        let entries = index.lines().enumerate().map(|(at, line)| entry(line).ok_or(PackError::Index(at)));
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        let places = entries.iter().enumerate().map(|(at, entry)| ((entry.kind, entry.key.clone()), at)).collect();
        Ok(Self { bytes, blocks, entries, places })
    }

    /// The position of an entry.
    pub(crate) fn find(&self, kind: Kind, key: &str) -> Option<usize> {
        self.places.get(&(kind, Box::from(key))).copied()
    }

    /// The entries of one kind.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }

    /// The JSON of an entry's facts.
    pub(crate) fn facts(&self, position: usize) -> Result<Vec<u8>, PackError> {
        let entry = self.entries.get(position).ok_or(PackError::Truncated)?;
        let (from, to) = *self.blocks.get(entry.block as usize).ok_or(PackError::Truncated)?;
        let plain = inflate(self.bytes.get(from..to).ok_or(PackError::Truncated)?)?;
        let (start, length) = (entry.start as usize, entry.length as usize);
        plain.get(start..start + length).map(<[u8]>::to_vec).ok_or(PackError::Truncated)
    }
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8]), PackError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(PackError::Truncated)?;
    Ok((u32::from_le_bytes(*head) as usize, rest))
}

fn inflate(frame: &[u8]) -> Result<Vec<u8>, PackError> {
    zstd::stream::decode_all(frame).map_err(|_| PackError::Frame)
}

fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split('\t');
    let letter = fields.next()?.chars().next()?;
    let (kind, _) = *KINDS.iter().find(|(_, sign)| *sign == letter)?;
    let (key, version, base) = (fields.next()?.into(), fields.next()?.into(), fields.next()?.into());
    let mut number = || fields.next()?.parse().ok();
    Some(Entry { kind, key, version, base, block: number()?, start: number()?, length: number()? })
}

/// One definition to be packed.
#[cfg(feature = "pack")]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) key: Box<str>,
    pub(crate) version: Box<str>,
    pub(crate) base: Box<str>,
    pub(crate) facts: Vec<u8>,
}

/// Writes a pack. The same items give the same bytes, whatever their order.
#[cfg(feature = "pack")]
pub(crate) fn write(mut items: Vec<Item>) -> std::io::Result<Vec<u8>> {
    items.sort_by(|one, other| (one.kind, &one.key).cmp(&(other.kind, &other.key)));
    let mut blocks: Vec<(Kind, Vec<u8>)> = Vec::new();
    let mut index = String::new();
    for item in &items {
        let fits = |(kind, block): &(Kind, Vec<u8>)| *kind == item.kind && block.len() + item.facts.len() <= BLOCK;
        if !blocks.last().is_some_and(fits) {
            blocks.push((item.kind, Vec::new()));
        }
        let number = blocks.len() - 1;
        let block = &mut blocks[number].1;
        let sign = KINDS.iter().find(|(kind, _)| *kind == item.kind).map_or('?', |(_, sign)| *sign);
        let (key, version, base) = (&item.key, &item.version, &item.base);
        let _ = writeln!(index, "{sign}\t{key}\t{version}\t{base}\t{number}\t{}\t{}", block.len(), item.facts.len());
        block.extend_from_slice(&item.facts);
    }
    let index = zstd::bulk::compress(index.as_bytes(), LEVEL)?;
    let frames: Vec<Vec<u8>> =
        blocks.iter().map(|(_, block)| zstd::bulk::compress(block, LEVEL)).collect::<Result<_, _>>()?;
    let mut pack = MAGIC.to_vec();
    let small = |length: usize| u32::try_from(length).map_err(std::io::Error::other);
    pack.extend(small(index.len())?.to_le_bytes());
    pack.extend(small(frames.len())?.to_le_bytes());
    for frame in &frames {
        pack.extend(small(frame.len())?.to_le_bytes());
    }
    pack.extend(index);
    pack.extend(frames.into_iter().flatten());
    Ok(pack)
}

const MAGIC: &[u8; 8] = b"TECHOPK1";

/// Plain bytes in a block, unless one entry alone has more.
#[cfg(feature = "pack")]
const BLOCK: usize = 128 << 10;

#[cfg(feature = "pack")]
const LEVEL: i32 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pack_is_refused_not_panicked_at() {
        for (bytes, expected) in [
            (&b""[..], PackError::Magic),
            (b"TECHOPK2", PackError::Magic),
            (b"TECHOPK1", PackError::Truncated),
            (b"TECHOPK1\xff\0\0\0\xff\xff\xff\xff", PackError::Truncated),
            (b"TECHOPK1\x02\0\0\0\0\0\0\0xx", PackError::Frame),
        ] {
            assert_eq!(Pack::open(bytes).err(), Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn an_index_line_has_seven_fields() {
        let read = entry("r\tPatient\t4.0.1\tDomainResource\t3\t7\t9").expect("a line");
        assert_eq!((read.kind, &*read.key, read.block, read.start, read.length), (Kind::Resource, "Patient", 3, 7, 9));
        for line in ["", "?\ta\t\t\t1\t2\t3", "r\ta\t\t\t1\t2", "r\ta\t\t\t1\t2\tx"] {
            assert_eq!(entry(line), None, "{line}");
        }
    }
}
