//! The database schema's history: one file a step, forward only.
//!
//! To add a step: a file `mDATE_NAME.rs`, a line in [`Migrator`], and an
//! upgrade fixture. A step that has been released is never changed.

use sea_orm_migration::prelude::*;

pub use sea_orm_migration::MigratorTrait;

mod m20261122_000001_store;
mod m20261122_000002_accounts;
mod m20261122_000003_audit;
mod m20261128_000004_listed;
mod m20261128_000005_rules;
mod m20261128_000006_stances;
mod m20261129_000007_watched;
mod m20261130_000008_bindings;
mod m20261130_000009_compartments;

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_store::Migration),
            Box::new(m20261122_000002_accounts::Migration),
            Box::new(m20261122_000003_audit::Migration),
            Box::new(m20261128_000004_listed::Migration),
            Box::new(m20261128_000005_rules::Migration),
            Box::new(m20261128_000006_stances::Migration),
            Box::new(m20261129_000007_watched::Migration),
            Box::new(m20261130_000008_bindings::Migration),
            Box::new(m20261130_000009_compartments::Migration),
        ]
    }
}
