//! What `techo doctor` asks: settings of the database, steps to come, room on
//! the disk, and whether a few records are found by their index rows.

use std::path::Path;

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use techo_migrations::{Migrator, MigratorTrait};

use crate::store::Store;
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::index::IndexRow;

/// A setting and whether it is as it has to be.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub found: String,
    /// What it has to be; `None` if it is as it should be.
    pub wanted: Option<&'static str>,
}

/// Steps of the schema that were not taken yet.
pub async fn pending(db: &Db) -> Result<Vec<String>, DbErr> {
    let pending = Migrator::get_pending_migrations_read_only(db.read()).await?;
    Ok(pending.iter().map(|step| step.name().to_owned()).collect())
}

/// The settings on which "an acknowledged write survives" rests.
pub async fn facts(db: &Db) -> Result<Vec<Fact>, DbErr> {
    match db.backend() {
        DatabaseBackend::Postgres => postgres(db).await,
        _ => sqlite(db).await,
    }
}

async fn sqlite(db: &Db) -> Result<Vec<Fact>, DbErr> {
    let version = text(db, "SELECT sqlite_version()").await?;
    let journal = text(db, "PRAGMA journal_mode").await?;
    let synchronous = number(db, "PRAGMA synchronous").await?;
    let pages = number(db, "PRAGMA page_count").await?.saturating_mul(number(db, "PRAGMA page_size").await?);
    let mut facts = vec![
        Fact { name: "engine", found: format!("SQLite {version}"), wanted: None },
        Fact { name: "journal", wanted: (journal != "wal").then_some("wal"), found: journal },
        Fact {
            name: "synchronous",
            found: if synchronous == 2 { "FULL".to_owned() } else { synchronous.to_string() },
            wanted: (synchronous < 2).then_some("FULL"),
        },
    ];
    if pages <= CHECKED {
        let found = text(db, "PRAGMA quick_check(1)").await?;
        facts.push(Fact { name: "pages", wanted: (found != "ok").then_some("ok; restore a backup"), found });
    } else {
        let found = format!("{} MiB, too many for a quick look", pages >> 20);
        facts.push(Fact { name: "pages", found, wanted: None });
    }
    Ok(facts)
}

async fn postgres(db: &Db) -> Result<Vec<Fact>, DbErr> {
    let mut facts = Vec::new();
    let version = text(db, "SHOW server_version").await?;
    let number: i64 = text(db, "SHOW server_version_num").await?.parse().unwrap_or(0);
    facts.push(Fact {
        name: "engine",
        found: format!("PostgreSQL {version}"),
        wanted: (number < 140_000).then_some("14 or later"),
    });
    for (name, sql, wanted) in [
        ("fsync", "SHOW fsync", "on"),
        ("full_page_writes", "SHOW full_page_writes", "on"),
        ("encoding", "SHOW server_encoding", "UTF8"),
    ] {
        let found = text(db, sql).await?;
        facts.push(Fact { name, wanted: (found != wanted).then_some(wanted), found });
    }
    let found = text(db, "SHOW synchronous_commit").await?;
    let wanted = (found == "off").then_some("on");
    facts.push(Fact { name: "synchronous_commit", found, wanted });
    Ok(facts)
}

async fn text(db: &Db, sql: &str) -> Result<String, DbErr> {
    let row = db.write().await.query_one_raw(db.statement(sql, [])).await?;
    row.map_or_else(|| Err(DbErr::RecordNotFound(sql.to_owned())), |row| row.try_get_by_index(0))
}

async fn number(db: &Db, sql: &str) -> Result<i64, DbErr> {
    let row = db.write().await.query_one_raw(db.statement(sql, [])).await?;
    row.map_or_else(|| Err(DbErr::RecordNotFound(sql.to_owned())), |row| row.try_get_by_index(0))
}

/// `meta.lastUpdated` of the record that was written last, in microseconds since 1970.
pub async fn newest(db: &Db) -> Result<Option<i64>, DbErr> {
    let row = db.one("SELECT max(updated) FROM resource", []).await?;
    row.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose().map(Option::flatten)
}

/// Up to `count` rows of records, spread over all of them.
pub async fn sample(db: &Db, count: i64) -> Result<Vec<i64>, DbErr> {
    let last = db.one("SELECT max(rid) FROM resource", []).await?;
    let last: i64 = last.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten().unwrap_or(0);
    let mut found = Vec::new();
    let mut before = 0;
    for at in 0..count {
        // Row numbers have gaps: where a step falls into one, the next record is taken,
        // and none twice.
        let from = before.max(last / count * at);
        let row = db.one("SELECT rid FROM resource WHERE rid > ? ORDER BY rid LIMIT 1", [from.into()]).await?;
        let Some(row) = row else { break };
        before = row.try_get_by_index(0)?;
        found.push(before);
    }
    Ok(found)
}

impl Store {
    /// How many of these index rows of one record are not there.
    pub async fn absent(&self, rid: i64, rows: &[IndexRow]) -> Result<usize, StoreError> {
        let mut absent = 0;
        for row in rows {
            let (sql, values) = row.presence(rid);
            absent += usize::from(self.db().one(&sql, values).await?.is_none());
        }
        Ok(absent)
    }
}

/// Bytes in the files of a directory and those below; 0 if there is none.
pub fn audit_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => audit_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Bytes that can still be written to the disk of `directory`; `None` where the
/// system does not tell (POSIX `df` does).
pub fn free_bytes(directory: &Path) -> Option<u64> {
    let out = std::process::Command::new("df").arg("-Pk").arg(directory).env("LC_ALL", "C").output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let kibibytes: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// A database up to this size is looked through: some seconds of reading.
const CHECKED: i64 = 1 << 30;
