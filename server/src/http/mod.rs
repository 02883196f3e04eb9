//! The edge: the only code that knows axum.

pub mod cors;
pub mod fetch;
pub mod oauth;
