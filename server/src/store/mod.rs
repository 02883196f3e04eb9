//! All SQL lives here and in `migrations`.

pub mod db;
