//! Files → FHIR: one [`Importer`] a source format, one door for all of them.
//!
//! ```text
//! files → gather → limits → detect → open (pure) → person by person: map (pure) → place
//! ```
//!
//! An importer is a function from bytes to data. It knows no database, no
//! network and no clock: the day of the import is handed to it. So it can be
//! fuzzed, and the same bytes give the same drafts for ever.
//!
//! To add one: `import/NAME.rs` with a `pub const IMPORTER`, a line in
//! [`IMPORTERS`], sample files, good and bad.

pub mod checkup;
pub mod compare;
mod crew;
pub mod date;
pub mod decimal;
pub mod detect;
pub mod draft;
#[cfg(test)]
mod fixture;
pub mod immunization;
pub mod jahis;
mod known;
pub mod limits;
pub mod make;
pub mod person;
pub mod place;
pub mod report;
pub mod run;
pub mod schema;
pub mod table;
mod town;
pub mod venue;

use jiff::civil::Date;

pub use draft::{Opened, Parsed};
pub use limits::Limits;

/// Every format there is, in the order in which a file is offered to them.
pub const IMPORTERS: &[Importer] = &[jahis::IMPORTER, checkup::IMPORTER, immunization::IMPORTER];

/// One source format.
pub struct Importer {
    /// What `--format` and the report call it.
    pub name: &'static str,
    /// Whether this looks like the format: cheap, and never the last word.
    pub detects: fn(&Part<'_>) -> bool,
    /// Which of the files of one call belong together, as indices into them.
    /// [`alone`] where each file is whole.
    pub gather: fn(&[Part<'_>]) -> Vec<Vec<usize>>,
    /// The largest input it takes.
    pub limits: Limits,
    /// Bytes → people, and each of them → drafts; all pure.
    pub open: fn(&Input<'_>) -> Opened,
    /// Whose data one file holds.
    pub about: About,
    /// Who keeps what is made from it.
    pub custody: Custody,
}

/// Whose data one file of a format holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One citizen, named by the call: the file is kept as hers.
    OneCitizen,
    /// Several citizens, named in the file: the file stays sealed with its publisher.
    SeveralCitizens,
}

/// Who keeps what is made from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// The organization whose own records these are.
    Published,
    /// The citizen herself, whoever carried the file.
    Returned,
}

/// One file as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its name, where it had one: only ever a hint.
    pub name: Option<&'a str>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What an importer is given: the files that belong together, and the day.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The files, in the order of the call. Never empty.
    pub parts: &'a [Part<'a>],
    /// The day of the import in Japan: dates after it are faults.
    pub today: Date,
}

/// Each file stands for itself.
pub fn alone(parts: &[Part<'_>]) -> Vec<Vec<usize>> {
    (0..parts.len()).map(|at| vec![at]).collect()
}
