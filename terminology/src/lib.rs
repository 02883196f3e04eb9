//! What codes mean: code systems, value sets, concept maps.
//!
//! [`Terminology`] knows HL7's code systems and value sets from the pack, and our
//! own from `data/`. It says `Yes` or `No` only where it can tell; a system whose
//! codes are not here gives `Unknown`, never a guess.
//!
//! To add a code system of our own: a CodeSystem in `data/`, a line in [`local`].

mod code_system;
mod expand;
mod external;
pub mod local;
mod terminology;
mod translate;
mod value_set;

pub use code_system::CodeSystem;
pub use expand::{ExpandError, Expanded, Expansion};
pub use terminology::Terminology;
pub use translate::Translation;
