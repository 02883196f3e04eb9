//! What a record lists: rows whose decision it takes. A table of its own, for the
//! question is put by the listing row, and the reference index is in another order.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let compact = if manager.get_database_backend() == DatabaseBackend::Postgres { "" } else { " WITHOUT ROWID" };
        let sql = format!(
            "CREATE TABLE listed (rid BIGINT NOT NULL, kind SMALLINT NOT NULL, id TEXT NOT NULL,
                PRIMARY KEY (rid, kind, id)){compact}"
        );
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE IF EXISTS listed").await?;
        Ok(())
    }
}
