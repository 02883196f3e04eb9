//! What FHIR data is: a strict JSON tree, the R4 definitions, `FHIRPath`, and
//! validation. Pure: bytes in, answers out; no clock, no network, no database.

pub mod definitions;
pub mod json;
#[cfg(feature = "pack")]
pub mod pack;
pub mod path;
pub mod primitive;

pub use definitions::Definitions;
