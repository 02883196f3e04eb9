//! The schema's history: one file a step, never changed once released.
//!
//! To add a step: a file `mYYYYMMDD_HHMMSS_name.rs` with a `Migration`, and a
//! line in [`Migrator`].

mod m20261122_000002_accounts;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261122_000002_accounts::Migration)]
    }
}
