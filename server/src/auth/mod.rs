//! Who is calling.
//!
//! `scope` says what a token may be asked for.

pub mod scope;
