//! Search parameters of this installation, and how far the records are indexed by
//! them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &[
    // One row. `generation` rises when a definition begins or ends, `change` whenever
    // anything about one does.
    "CREATE TABLE rules (id SMALLINT NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, change BIGINT NOT NULL)",
    "INSERT INTO rules (id, generation, change) VALUES (1, 0, 0)",
    // Rows of generations from `born` to before `retired` (0: still) are indexed by it.
    "CREATE TABLE own_parameter (born BIGINT NOT NULL, source TEXT NOT NULL, retired BIGINT NOT NULL,
        ready SMALLINT NOT NULL, definition TEXT NOT NULL, PRIMARY KEY (born, source))",
    // Of each type: the generation that all its records have reached, the one that is
    // being walked to, after which id, and how many records were seen of how many.
    "CREATE TABLE rebuild (kind SMALLINT NOT NULL PRIMARY KEY, finished BIGINT NOT NULL, target BIGINT NOT NULL,
        after TEXT NOT NULL, done BIGINT NOT NULL, total BIGINT NOT NULL)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in TABLES {
            // Ids are compared byte by byte, whatever the database's locale.
            let sql = match manager.get_database_backend() {
                DatabaseBackend::Postgres => sql.replace(" TEXT", " TEXT COLLATE \"C\""),
                _ => (*sql).to_owned(),
            };
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["rebuild", "own_parameter", "rules"] {
            manager.get_connection().execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
        }
        Ok(())
    }
}
