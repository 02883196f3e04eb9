//! All SQL lives here and in `migrations`.

pub mod audit;
pub mod db;
pub mod keys;
pub mod seal;
