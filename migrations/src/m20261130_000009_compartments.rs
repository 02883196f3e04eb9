//! A Patient's compartment is told by her id, as the records name her, and no longer by her
//! row: what refers to her before she is there is in it when she comes. What was in a
//! compartment stays in it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLE: &str = "CREATE TABLE compartments (patient TEXT NOT NULL, kind SMALLINT NOT NULL, rid BIGINT NOT NULL,
        PRIMARY KEY (patient, kind, rid))";

const STEPS: &[&str] = &[
    "INSERT INTO compartments (patient, kind, rid) SELECT p.id, c.kind, c.rid
        FROM compartment c JOIN resource p ON p.rid = c.citizen ORDER BY p.id, c.kind, c.rid",
    "DROP TABLE compartment",
    "ALTER TABLE compartments RENAME TO compartment",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// On both: a database that was cut off between two of the statements would have lost
    /// its compartments.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let table =
            if postgres { TABLE.replace(" TEXT", " TEXT COLLATE \"C\"") } else { format!("{TABLE} WITHOUT ROWID") };
        let renamed = postgres.then_some("ALTER INDEX compartments_pkey RENAME TO compartment_pkey");
        for sql in std::iter::once(&*table).chain(STEPS.iter().copied()).chain(renamed) {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
