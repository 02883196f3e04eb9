//! What codes mean: code systems, value sets, concept maps.
//!
//! [`Terminology`] knows HL7's code systems and value sets from the pack, and our
//! own from `data/`. It says `Yes` or `No` only where it can tell; a system whose
//! codes are not here gives `Unknown`, never a guess.
//!
//! What an installation stores of its own comes beside these, for one question at a
//! time: [`Shelves`]. A set is listed the same way wherever it comes from: [`expand`].
//!
//! To add a code system of our own: a CodeSystem in `data/`, a line in [`local`].

mod code_system;
pub mod expand;
mod external;
mod filter;
pub mod local;
mod property;
mod shelf;
mod stored;
mod terminology;
mod translate;
mod value_set;
mod version;

pub use code_system::CodeSystem;
pub use expand::{ExpandError, Expanded, Expansion, Fault};
pub use shelf::{Definition, Shelf, Shelves};
pub use stored::{code_system, value_set};
pub use terminology::Terminology;
pub use translate::Translation;
pub use value_set::ValueSet;
pub use version::newest;
