//! What decides about a row's visibility, beside who asks.
//!
//! The facts stand in columns of the row itself, so that a consent decision is
//! a condition on the row and needs no join. Codes are kept as short hashes in
//! one text: a history row and a tombstone keep theirs, when their index rows
//! are long gone.

use std::ops::Range;

use crate::consent::view::{CitizenKey, CustodianKey};
use crate::secret;

/// The facts of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The citizens in a subject role.
    pub subjects: Vec<CitizenKey>,
    /// Whose keeping it is in; never changed by an update.
    pub custodian: CustodianKey,
    /// How it came to be there.
    pub custody: Custody,
    /// The notebook's kind, 1–9; 0 for what belongs to no notebook.
    pub domain: u8,
    /// The clinical time: microseconds since 1970, end exclusive.
    pub clinical: Option<Range<i64>>,
    /// [`label`]s of the clinical codes and categories, separated by spaces.
    pub labels: String,
}

impl Facts {
    /// The sole subject, if there is exactly one.
    pub fn citizen(&self) -> Option<CitizenKey> {
        match self.subjects[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Whether several citizens are the subject together.
    pub fn several(&self) -> bool {
        self.subjects.len() > 1
    }
}

/// How a record came into its custodian's keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// An Organization's own record, by custodial ingestion.
    Published,
    /// Written by a professional in a session.
    Authored,
    /// The citizen's own: entered, scanned, or fetched with her consent.
    Returned,
}

impl Custody {
    /// As stored.
    pub fn number(self) -> i16 {
        match self {
            Self::Published => 0,
            Self::Authored => 1,
            Self::Returned => 2,
        }
    }

    /// As stored; `None` for a number that nothing was stored under.
    pub fn of(number: i16) -> Option<Self> {
        [Self::Published, Self::Authored, Self::Returned].into_iter().find(|custody| custody.number() == number)
    }
}

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The clinical code (`Observation.code`, `Immunization.vaccineCode`, …).
    Code,
    /// `category`.
    Category,
}

/// The label of one code: a letter for its role and 48 bits of SHA-256 over
/// (system, code). With `None` for the system it is the label by which a code is
/// found whatever its system.
pub fn label(role: Role, system: Option<&str>, code: &str) -> String {
    let letter = match role {
        Role::Code => 'c',
        Role::Category => 'g',
    };
    // A space ends no system URI: (a, bc) and (ab, c) stay apart.
    let text = match system {
        Some(system) => format!("{system} {code}"),
        None => format!("\u{0} {code}"),
    };
    hashed(letter, &text)
}

fn hashed(letter: char, text: &str) -> String {
    let hash = secret::hash(text.as_bytes());
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    std::iter::once(letter).chain(hash[..6].iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])).collect()
}

/// The label of several subjects together, for the front of a row's labels: by it
/// an old version is known to be about the same people as the current one.
pub fn together(subjects: &[CitizenKey]) -> String {
    let mut keys = subjects.to_vec();
    keys.sort_unstable();
    let text: String = keys.iter().map(|key| format!(" {key}")).collect();
    hashed('m', &text)
}

/// The label of a row that lists others.
pub const LISTS: &str = "h000000000000";

/// How long a label is.
pub(super) const LABEL: usize = 13;

/// The labels of all these codes, each by its system and by itself.
pub fn labels<'a>(codes: impl IntoIterator<Item = (Role, &'a str, &'a str)>) -> String {
    let mut found = std::collections::BTreeSet::new();
    for (role, system, code) in codes {
        found.insert(label(role, Some(system), code));
        found.insert(label(role, None, code));
    }
    found.into_iter().collect::<Vec<_>>().join(" ")
}
