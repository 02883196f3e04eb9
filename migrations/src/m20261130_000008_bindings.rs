//! A resident key is its Organization's own: two of them bind the same key, each for the
//! people whom it keeps, and neither is told of the other's. Who had bound one keeps it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// SQLite changes no key of a table: another one takes its place.
const SQLITE: &[&str] = &[
    "CREATE TABLE bindings (system TEXT NOT NULL, value TEXT NOT NULL, citizen BIGINT NOT NULL,
        custodian BIGINT NOT NULL, PRIMARY KEY (system, value, custodian)) WITHOUT ROWID",
    "INSERT INTO bindings (system, value, citizen, custodian) SELECT system, value, citizen, custodian FROM binding",
    "DROP TABLE binding",
    "ALTER TABLE bindings RENAME TO binding",
    "CREATE INDEX binding_citizen ON binding (citizen)",
];

const POSTGRES: &[&str] =
    &["ALTER TABLE binding DROP CONSTRAINT binding_pkey, ADD PRIMARY KEY (system, value, custodian)"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// On both: a database that was cut off between two of the statements would have lost
    /// its bindings.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = if manager.get_database_backend() == DatabaseBackend::Postgres { POSTGRES } else { SQLITE };
        for sql in statements {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
