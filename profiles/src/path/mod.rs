//! `FHIRPath`.

pub mod model;
