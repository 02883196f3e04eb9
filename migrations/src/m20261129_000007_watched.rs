//! On PostgreSQL, the state of all that a decision is made from, as one value: another
//! one after every commit that changes any of it. SQLite tells by itself whether
//! anything was committed.
//!
//! The row is changed by triggers, so that nobody who writes has to think of it: other
//! programs and `psql` change it too. It is changed last, when a transaction commits:
//! whoever changes it after that waits until this one can be seen, and no lock is
//! waited for behind it. So the order of its values is that in which the commits are
//! seen, and two snapshots with one value see the same.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

/// This step.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A value that was never there before, and not a number that rises: it would come back
/// where a database is restored.
const STATE: &str = "CREATE TABLE watched (id SMALLINT NOT NULL PRIMARY KEY, state TEXT COLLATE \"C\" NOT NULL)
    WITH (fillfactor = 10)";

const FIRST: &str = "INSERT INTO watched (id, state) VALUES (1, gen_random_uuid()::text)";

/// Once in a transaction: the setting is that of the transaction, and goes back with a
/// savepoint as the row does. Tables are named with their schema, whoever writes.
const FUNCTION: &str = "DO $do$ BEGIN EXECUTE format($text$
    CREATE FUNCTION %1$I.watched_changes() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        IF current_setting('techo.watched', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
            UPDATE %1$I.watched SET state = gen_random_uuid()::text WHERE id = 1;
            PERFORM set_config('techo.watched', pg_current_xact_id()::text, true);
        END IF;
        RETURN NULL;
    END $body$ $text$, current_schema()); END $do$";

/// Of each table: by what it changes what was decided, and for which rows.
///
/// A new token or grant says nothing of a decision that was made for another.
const TRIGGERS: &[(&str, &str, &str)] = &[
    ("access_token", "UPDATE OR DELETE", ""),
    ("app_grant", "UPDATE OR DELETE", ""),
    ("client", "INSERT OR UPDATE OR DELETE", ""),
    ("account", "INSERT OR UPDATE OR DELETE", ""),
    ("authority", "INSERT OR UPDATE OR DELETE", ""),
    ("citizen", "INSERT OR UPDATE OR DELETE", ""),
    ("actor", "INSERT OR UPDATE OR DELETE", ""),
    ("stance_actor", "INSERT OR UPDATE OR DELETE", ""),
    ("resource", "INSERT", "WHEN (NEW.kind IN (100, 103))"),
    ("resource", "DELETE", "WHEN (OLD.kind IN (100, 103))"),
    (
        "resource",
        "UPDATE",
        "WHEN ((OLD.kind IN (100, 103) OR NEW.kind IN (100, 103))
            AND (OLD.kind, OLD.id, OLD.rid, OLD.custodian, OLD.deleted)
            IS DISTINCT FROM (NEW.kind, NEW.id, NEW.rid, NEW.custodian, NEW.deleted))",
    ),
];

/// That triggers always fire: also for what a replication brings.
fn trigger((table, events, when): (&str, &str, &str)) -> [String; 2] {
    let name = format!("watched_{}", events.split(' ').next().unwrap_or_default().to_lowercase());
    [
        format!(
            "CREATE CONSTRAINT TRIGGER {name} AFTER {events} ON {table}
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW {when} EXECUTE FUNCTION watched_changes()"
        ),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"),
    ]
}

/// A table that is emptied at once tells of no rows.
fn emptied(table: &str) -> [String; 2] {
    [
        format!(
            "CREATE TRIGGER watched_truncate AFTER TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION watched_changes()"
        ),
        format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER watched_truncate"),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        let mut tables: Vec<&str> = TRIGGERS.iter().map(|(table, ..)| *table).collect();
        tables.dedup();
        let statements = [STATE, FIRST, FUNCTION].map(str::to_owned).into_iter();
        let statements = statements.chain(TRIGGERS.iter().flat_map(|one| trigger(*one)));
        for sql in statements.chain(tables.into_iter().flat_map(emptied)) {
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        for sql in ["DROP FUNCTION IF EXISTS watched_changes CASCADE", "DROP TABLE IF EXISTS watched"] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
