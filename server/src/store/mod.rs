//! All SQL lives here and in `migrations`.

pub mod account;
pub mod db;
pub mod entity;
