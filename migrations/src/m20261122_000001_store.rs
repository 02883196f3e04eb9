//! Resources, their history, the dictionaries and the index tables.
//!
//! Three rules shape every table. A row about a person carries her key
//! (`citizen`), so that it can be the distribution column of a sharded
//! database. Texts that repeat (systems, codes, parameters) are numbers. And a
//! new search parameter is rows, never a table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Written once for both databases; [`dialect`] puts in what differs.
const TABLES: &[&str] = &[
    // The one source of row numbers: a server takes a block at a time.
    "CREATE TABLE sequence (name TEXT NOT NULL PRIMARY KEY, next BIGINT NOT NULL) {COMPACT}",
    "INSERT INTO sequence (name, next) VALUES ('resource', 1)",
    // `deleted`: 0 live, 1 deleted, 2 withdrawn by its publisher (the citizen still reads it).
    // `citizen`: the sole subject; NULL and several=1: the subjects stand in `subject`.
    // `custody`: how it came to its custodian: 0 published, 1 authored, 2 returned.
    // `rules`: as of which change of the own search parameters its index rows are (store/rules.rs).
    // `labels`: hashes of the clinical codes and categories, for consent (store/labels.rs).
    "CREATE TABLE resource (
        rid BIGINT NOT NULL {KEY},
        kind SMALLINT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        updated BIGINT NOT NULL,
        deleted SMALLINT NOT NULL,
        citizen BIGINT,
        several SMALLINT NOT NULL,
        custodian BIGINT NOT NULL,
        custody SMALLINT NOT NULL,
        domain SMALLINT NOT NULL,
        clinical_low BIGINT,
        clinical_high BIGINT,
        epoch INTEGER NOT NULL,
        rules BIGINT NOT NULL,
        method SMALLINT NOT NULL,
        labels TEXT NOT NULL,
        body {BYTES})",
    "CREATE UNIQUE INDEX resource_id ON resource (kind, id)",
    "CREATE INDEX resource_updated ON resource (kind, updated, rid)",
    "CREATE INDEX resource_citizen ON resource (citizen, kind, rid)",
    "CREATE INDEX resource_custodian ON resource (custodian, kind, rid)",
    // Old versions only; each keeps the facts that its visibility depends on.
    "CREATE TABLE history (
        rid BIGINT NOT NULL,
        version INTEGER NOT NULL,
        kind SMALLINT NOT NULL,
        id TEXT NOT NULL,
        updated BIGINT NOT NULL,
        deleted SMALLINT NOT NULL,
        citizen BIGINT,
        several SMALLINT NOT NULL,
        custodian BIGINT NOT NULL,
        custody SMALLINT NOT NULL,
        domain SMALLINT NOT NULL,
        clinical_low BIGINT,
        clinical_high BIGINT,
        method SMALLINT NOT NULL,
        labels TEXT NOT NULL,
        body {BYTES},
        PRIMARY KEY (rid, version))",
    "CREATE INDEX history_updated ON history (kind, updated, rid)",
    "CREATE TABLE subject (rid BIGINT NOT NULL, citizen BIGINT NOT NULL, PRIMARY KEY (rid, citizen)) {COMPACT}",
    "CREATE INDEX subject_citizen ON subject (citizen, rid)",
    // A citizen's consent version rises in every transaction that changes what may be seen of her.
    "CREATE TABLE citizen (rid BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL) {COMPACT}",
    // An actor's version rises with every Consent that names it, or no longer does; `*` is everyone.
    "CREATE TABLE actor (kind SMALLINT NOT NULL, id TEXT NOT NULL, version BIGINT NOT NULL,
        PRIMARY KEY (kind, id)) {COMPACT}",
    "CREATE TABLE system (id {SERIAL}, uri TEXT NOT NULL UNIQUE)",
    "CREATE TABLE code (id {SERIAL}, system BIGINT NOT NULL, code TEXT NOT NULL, UNIQUE (code, system))",
    "CREATE TABLE parameter (id {SERIAL}, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE token (param INTEGER NOT NULL, code BIGINT NOT NULL, rid BIGINT NOT NULL, grp INTEGER NOT NULL,
        PRIMARY KEY (param, code, rid, grp)) {COMPACT}",
    "CREATE TABLE ident (param INTEGER NOT NULL, value TEXT NOT NULL, system BIGINT NOT NULL, rid BIGINT NOT NULL,
        grp INTEGER NOT NULL, PRIMARY KEY (param, value, system, rid, grp)) {COMPACT}",
    "CREATE TABLE string (param INTEGER NOT NULL, folded TEXT NOT NULL, rid BIGINT NOT NULL, grp INTEGER NOT NULL,
        original TEXT NOT NULL, PRIMARY KEY (param, folded, rid, grp, original)) {COMPACT}",
    "CREATE TABLE date (param INTEGER NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL, rid BIGINT NOT NULL,
        grp INTEGER NOT NULL, PRIMARY KEY (param, low, high, rid, grp)) {COMPACT}",
    "CREATE TABLE number (param INTEGER NOT NULL, low {REAL} NOT NULL, high {REAL} NOT NULL, rid BIGINT NOT NULL,
        grp INTEGER NOT NULL, PRIMARY KEY (param, low, high, rid, grp)) {COMPACT}",
    "CREATE TABLE quantity (param INTEGER NOT NULL, unit BIGINT NOT NULL, low {REAL} NOT NULL, high {REAL} NOT NULL,
        rid BIGINT NOT NULL, grp INTEGER NOT NULL, canonical_unit BIGINT NOT NULL, canonical_low {REAL} NOT NULL,
        canonical_high {REAL} NOT NULL, PRIMARY KEY (param, unit, low, high, rid, grp)) {COMPACT}",
    "CREATE INDEX quantity_canonical ON quantity (param, canonical_unit, canonical_low, rid)",
    "CREATE TABLE uri (param INTEGER NOT NULL, value TEXT NOT NULL, rid BIGINT NOT NULL, grp INTEGER NOT NULL,
        PRIMARY KEY (param, value, rid, grp)) {COMPACT}",
    "CREATE TABLE reference (param INTEGER NOT NULL, kind SMALLINT NOT NULL, id TEXT NOT NULL, rid BIGINT NOT NULL,
        grp INTEGER NOT NULL, PRIMARY KEY (param, kind, id, rid, grp)) {COMPACT}",
    // From a record to its index rows: how a search about one person tests a span, and how a record's rows go.
    "CREATE INDEX token_rid ON token (rid, param)",
    "CREATE INDEX ident_rid ON ident (rid, param)",
    "CREATE INDEX string_rid ON string (rid, param)",
    "CREATE INDEX date_rid ON date (rid, param)",
    "CREATE INDEX number_rid ON number (rid, param)",
    "CREATE INDEX quantity_rid ON quantity (rid, param)",
    "CREATE INDEX uri_rid ON uri (rid, param)",
    "CREATE INDEX reference_rid ON reference (rid, param)",
    // Exactly CompartmentDefinition/patient's members.
    "CREATE TABLE compartment (citizen BIGINT NOT NULL, kind SMALLINT NOT NULL, rid BIGINT NOT NULL,
        PRIMARY KEY (citizen, kind, rid)) {COMPACT}",
    // A person's records by clinical code, newest last: the commonest question asked.
    "CREATE TABLE clinical (citizen BIGINT NOT NULL, kind SMALLINT NOT NULL, code BIGINT NOT NULL, at BIGINT NOT NULL,
        rid BIGINT NOT NULL, PRIMARY KEY (citizen, kind, code, at, rid)) {COMPACT}",
    // What it says in words, for full text; and whom its narrative stands beside (search/words.rs).
    "CREATE TABLE words (rid BIGINT NOT NULL {KEY}, narrative TEXT NOT NULL, content TEXT NOT NULL)",
    "CREATE TABLE named (rid BIGINT NOT NULL, kind SMALLINT NOT NULL, id TEXT NOT NULL,
        PRIMARY KEY (rid, kind, id)) {COMPACT}",
    // What a record holds: where its index rows begin (`place`), its type and id (search/contained.rs).
    "CREATE TABLE contained (rid BIGINT NOT NULL, place INTEGER NOT NULL, kind SMALLINT NOT NULL, id TEXT NOT NULL,
        holder SMALLINT NOT NULL, PRIMARY KEY (rid, place)) {COMPACT}",
    "CREATE INDEX contained_kind ON contained (kind, holder, id, rid)",
    // Conditional creates: the hash of (type, world, canonical query) is unique here.
    "CREATE TABLE condition (hash {BYTES} NOT NULL PRIMARY KEY, rid BIGINT NOT NULL) {COMPACT}",
    // A town's key for a resident, bound once to one citizen; `custodian` is the
    // Organization that may publish under it.
    "CREATE TABLE binding (system TEXT NOT NULL, value TEXT NOT NULL, citizen BIGINT NOT NULL, custodian BIGINT NOT NULL,
        PRIMARY KEY (system, value)) {COMPACT}",
    "CREATE INDEX binding_citizen ON binding (citizen)",
    // A source's own key for a record: importing twice changes nothing.
    "CREATE TABLE import_key (custodian BIGINT NOT NULL, citizen BIGINT NOT NULL, key {BYTES} NOT NULL,
        rid BIGINT NOT NULL, content {BYTES} NOT NULL, PRIMARY KEY (custodian, citizen, key)) {COMPACT}",
    // Files about several citizens, sealed, outside the FHIR API.
    "CREATE TABLE import_original (hash {BYTES} NOT NULL, custodian BIGINT NOT NULL, received BIGINT NOT NULL,
        body {BYTES} NOT NULL, PRIMARY KEY (hash, custodian))",
];

fn dialect(sql: &str, backend: DatabaseBackend) -> String {
    let words = match backend {
        DatabaseBackend::Postgres => [
            ("{COMPACT}", ""),
            ("{KEY}", "PRIMARY KEY"),
            ("{SERIAL}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
            ("{BYTES}", "BYTEA"),
            ("{REAL}", "DOUBLE PRECISION"),
        ],
        _ => [
            ("{COMPACT}", "WITHOUT ROWID"),
            ("{KEY}", "PRIMARY KEY"),
            ("{SERIAL}", "INTEGER PRIMARY KEY"),
            ("{BYTES}", "BLOB"),
            ("{REAL}", "REAL"),
        ],
    };
    // SQLite makes a key the row's own number only when it is spelled INTEGER.
    let mut text = sql.to_owned();
    if backend == DatabaseBackend::Sqlite {
        text = text.replace("rid BIGINT NOT NULL {KEY}", "rid INTEGER NOT NULL PRIMARY KEY");
    }
    // Prefix ranges and page positions compare bytes, whatever the database's locale.
    if backend == DatabaseBackend::Postgres {
        text = text.replace(" TEXT", " TEXT COLLATE \"C\"");
    }
    words.iter().fold(text, |text, (word, by)| text.replace(word, by))
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in TABLES {
            manager.get_connection().execute_unprepared(&dialect(sql, manager.get_database_backend())).await?;
        }
        Ok(())
    }
}
