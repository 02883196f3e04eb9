//! `FHIRPath` over our JSON tree.

pub mod model;
