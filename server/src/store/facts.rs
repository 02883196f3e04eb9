//! What decides about a row's visibility, beside who asks.
//!
//! The facts stand in columns of the row itself, so that a consent decision is
//! a condition on the row and needs no join. Codes are kept as short hashes in
//! one text: a history row and a tombstone keep theirs, when their index rows
//! are long gone.

use std::collections::HashMap;
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

impl Role {
    fn letter(self) -> char {
        match self {
            Self::Code => 'c',
            Self::Category => 'g',
        }
    }
}

/// The label of one code: a letter for its role and 48 bits of SHA-256 over
/// (system, code). With `None` for the system it is the label by which a code is
/// found whatever its system.
pub fn label(role: Role, system: Option<&str>, code: &str) -> String {
    told(role.letter(), &digits(&named(system, code)))
}

/// What is hashed of a code. A space ends no system URI: (a, bc) and (ab, c) stay apart.
fn named(system: Option<&str>, code: &str) -> String {
    [system.unwrap_or("\u{0}"), " ", code].concat()
}

/// 48 bits of a text's SHA-256, hexadecimal.
fn digits(text: &str) -> [u8; LABEL - 1] {
    let hash = secret::hash(text.as_bytes());
    std::array::from_fn(|at| b"0123456789abcdef"[usize::from(hash[at / 2] >> (4 * (1 - at % 2)) & 15)])
}

fn told(letter: char, digits: &[u8]) -> String {
    std::iter::once(letter).chain(digits.iter().map(|&digit| char::from(digit))).collect()
}

/// The label of several subjects together, for the front of a row's labels: by it
/// an old version is known to be about the same people as the current one.
pub fn together(subjects: &[CitizenKey]) -> String {
    let mut keys = subjects.to_vec();
    keys.sort_unstable();
    let text: String = keys.iter().map(|key| format!(" {key}")).collect();
    told('m', &digits(&text))
}

/// The label of a row that lists others.
pub const LISTS: &str = "h000000000000";

/// How long a label is.
pub(super) const LABEL: usize = 13;

/// The labels of all these codes, each by its system and by itself.
pub fn labels<'a>(codes: impl IntoIterator<Item = (Role, &'a str, &'a str)>) -> String {
    let mut hashed: HashMap<(&str, &str), [[u8; LABEL - 1]; 2]> = HashMap::new();
    let mut found: Vec<(char, [u8; LABEL - 1])> = Vec::new();
    for (role, system, code) in codes {
        // A category is a code too.
        let both = *hashed
            .entry((system, code))
            .or_insert_with(|| [Some(system), None].map(|system| digits(&named(system, code))));
        found.extend(both.map(|digits| (role.letter(), digits)));
    }
    found.sort_unstable();
    found.dedup();
    let mut text = String::with_capacity(found.len() * (LABEL + 1));
    for (number, (letter, digits)) in found.iter().enumerate() {
        if number > 0 {
            text.push(' ');
        }
        text.push(*letter);
        text.extend(digits.iter().map(|&digit| char::from(digit)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_each_label_of_its_codes_once_and_in_order() {
        let codes =
            [(Role::Code, "a", "bc"), (Role::Code, "ab", "c"), (Role::Code, "a", "bc"), (Role::Category, "a", "bc")];
        let mut expected: Vec<String> = codes
            .iter()
            .flat_map(|&(role, system, code)| [label(role, Some(system), code), label(role, None, code)])
            .collect();
        expected.sort();
        expected.dedup();
        assert_eq!(expected.len(), 6);
        assert!(expected.iter().all(|label| label.len() == LABEL));
        assert_eq!(labels(codes), expected.join(" "));
        // As rows of before have it.
        assert_eq!(label(Role::Code, Some("http://loinc.org"), "29463-7"), "c6ea4c1eb1b55");
        assert_eq!(label(Role::Category, None, "43"), "g3a9fa7ac0758");
    }
}
