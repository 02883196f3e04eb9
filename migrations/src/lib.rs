//! The schema's history: one file a step, run in the order of [`Migrator`]'s list.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

pub mod m20261122_000003_audit;

/// Brings a database to this version's schema.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261122_000003_audit::Migration)]
    }
}
