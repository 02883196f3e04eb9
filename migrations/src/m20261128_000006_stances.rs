//! What Consents say, once for all that say the same, and beside each Consent in
//! force whose stance it is: so that what is shared by many is decided in the
//! statement that asks for it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (key, bytes, compact) = match manager.get_database_backend() {
            DatabaseBackend::Postgres => ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA", ""),
            _ => ("INTEGER PRIMARY KEY", "BLOB", " WITHOUT ROWID"),
        };
        // Rows of the first two are never changed nor removed.
        for sql in [
            format!("CREATE TABLE stance (id {key}, hash {bytes} NOT NULL UNIQUE, said TEXT NOT NULL)"),
            // `*` with kind 0: everyone.
            format!(
                "CREATE TABLE stance_actor (kind SMALLINT NOT NULL, id TEXT NOT NULL, stance BIGINT NOT NULL,
                    PRIMARY KEY (kind, id, stance)){compact}"
            ),
            // `giver`: a RelatedPerson's id, empty for the citizen herself. `data_since`,
            // `data_until`: of which days its root speaks, where it says so.
            format!(
                "CREATE TABLE effect (citizen BIGINT NOT NULL, stance BIGINT NOT NULL, rid BIGINT NOT NULL,
                    giver TEXT NOT NULL, since BIGINT NOT NULL, until BIGINT NOT NULL,
                    data_since BIGINT, data_until BIGINT,
                    PRIMARY KEY (citizen, stance, rid, giver)){compact}"
            ),
            "CREATE INDEX effect_rid ON effect (rid)".to_owned(),
            // How many citizens have a stance.
            "CREATE INDEX effect_stance ON effect (stance, citizen)".to_owned(),
        ] {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["effect", "stance_actor", "stance"] {
            manager.get_connection().execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
        }
        Ok(())
    }
}
