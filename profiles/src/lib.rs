//! What FHIR data is: a strict JSON tree, the R4 definitions, `FHIRPath`, and
//! validation. Pure: bytes in, answers out; no clock, no network, no database.

pub mod codes;
pub mod definitions;
pub mod json;
pub mod local;
#[cfg(feature = "pack")]
pub mod pack;
pub mod patch;
pub mod path;
pub mod primitive;
pub mod validate;
pub mod xml;

pub use definitions::Definitions;
