//! The audit log: its chains, its searchable rows, and what waits to be moved into it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let (bytes, clustered) = if postgres { ("BYTEA", "") } else { ("BLOB", " WITHOUT ROWID") };
        let connection = manager.get_connection();
        for sql in tables(bytes, clustered) {
            connection.execute_unprepared(&sql).await?;
        }
        if postgres {
            // Elsewhere the log is in files.
            connection.execute_unprepared(LOG).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for table in ["audit_chain", "audit_entry", "audit_write", "audit_log"] {
            connection.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
        }
        Ok(())
    }
}

fn tables(bytes: &str, clustered: &str) -> Vec<String> {
    vec![
        // How far each chain has been filed, sealed.
        format!(
            "CREATE TABLE audit_chain (
                chain BIGINT NOT NULL PRIMARY KEY,
                generation INTEGER NOT NULL,
                segment BIGINT NOT NULL,
                place BIGINT NOT NULL,
                mac {bytes} NOT NULL,
                seal {bytes} NOT NULL
            ){clustered}"
        ),
        // One row a record and citizen; citizen 0 where nobody's data was touched.
        format!(
            "CREATE TABLE audit_entry (
                citizen BIGINT NOT NULL,
                at BIGINT NOT NULL,
                chain BIGINT NOT NULL,
                segment BIGINT NOT NULL,
                place BIGINT NOT NULL,
                ordinal INTEGER NOT NULL,
                kind INTEGER NOT NULL,
                write_id {bytes},
                PRIMARY KEY (citizen, at, chain, segment, place)
            ){clustered}"
        ),
        // A write whose row was moved into the log twice, by two processes or
        // after a crash, is filed once.
        "CREATE UNIQUE INDEX audit_entry_write ON audit_entry (citizen, write_id) WHERE write_id IS NOT NULL"
            .to_owned(),
        // The records of writes, each in its own write's transaction, until they are in the log.
        format!(
            "CREATE TABLE audit_write (
                id {bytes} NOT NULL PRIMARY KEY,
                record {bytes} NOT NULL,
                seal {bytes} NOT NULL
            ){clustered}"
        ),
    ]
}

const LOG: &str = "CREATE TABLE audit_log (
    chain BIGINT NOT NULL,
    number BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    record BYTEA NOT NULL,
    PRIMARY KEY (chain, number)
)";
