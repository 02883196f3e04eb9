//! The search parameters of this installation, and how far the records are indexed
//! by them.
//!
//! Every change of a definition is a *generation*. A record's index rows are as of
//! the generation in its row (`resource.rules`), so what rows it has can always be
//! told from its body: those of the definitions that lived then. A write is planned
//! by the definitions of one generation and happens only while that is the one in
//! force. So from a change on all writes make the new rows, and the rebuild has to
//! walk over what was there before: once, in the order of ids, in small steps whose
//! place is stored. A definition is ready when each of its types has been walked over.
//!
//! To have definitions changed elsewhere: [`Store::define`] in the same transaction.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseBackend};
use techo_profiles::Definitions;

use super::db::Change;
use super::error::StoreError;
use super::index::{Changes, IndexRow};
use super::reader::{COLUMNS, Stored, stored};
use super::sql::Sql;
use super::write::{Beside, Extra, Put};
use super::{Store, db};

/// All definitions, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rulebook {
    /// The generation in force.
    pub generation: i64,
    /// Rises with every change of any kind.
    pub change: i64,
    /// The definitions, oldest first; ended ones too, while rows by them may be left.
    pub rows: Vec<OwnRow>,
}

/// A definition as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRow {
    /// The first generation that it is of.
    pub born: i64,
    /// Where it is from: `SearchParameter/[id]`, `file:[name]`.
    pub source: String,
    /// The first generation that it is no longer of; 0 if it still is.
    pub retired: i64,
    /// All records that were there are indexed by it.
    pub ready: bool,
    /// The SearchParameter, as JSON.
    pub definition: String,
}

/// How far a type is rebuilt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// The type's number.
    pub kind: u16,
    /// The generation that all records have reached.
    pub finished: i64,
    /// The one that is being walked to.
    pub target: i64,
    /// The id of the last record seen.
    pub after: String,
    /// Records seen.
    pub done: i64,
    /// Records that were there at the beginning.
    pub total: i64,
}

/// A record whose index rows are brought to another generation.
#[derive(Debug)]
pub struct Raised {
    /// The row, the version and the generation that this was made from.
    pub from: (i64, i32, i64),
    /// The index rows by own definitions before.
    pub old: Vec<IndexRow>,
    /// The index rows by own definitions now.
    pub new: Vec<IndexRow>,
}

/// Whether a write changes what all are indexed by.
pub(super) fn defines_rules(put: &Put) -> bool {
    static NUMBER: LazyLock<Option<u16>> = LazyLock::new(|| Definitions::embedded().type_number("SearchParameter"));
    Some(put.kind) == *NUMBER
}

impl Store {
    /// All definitions.
    pub async fn rulebook(&self) -> Result<Rulebook, StoreError> {
        // One statement: the definitions are those of the generation beside them.
        let sql = "SELECT r.generation, r.change, p.born, p.source, p.retired, p.ready, p.definition \
                   FROM rules r LEFT JOIN own_parameter p ON p.born > 0 ORDER BY p.born, p.source";
        let mut book = Rulebook::default();
        for row in self.db().all(sql, []).await? {
            book.generation = row.try_get_by_index(0)?;
            book.change = row.try_get_by_index(1)?;
            let Some(born) = row.try_get_by_index::<Option<i64>>(2)? else { continue };
            book.rows.push(OwnRow {
                born,
                source: row.try_get_by_index(3)?,
                retired: row.try_get_by_index(4)?,
                ready: row.try_get_by_index::<i16>(5)? != 0,
                definition: row.try_get_by_index(6)?,
            });
        }
        Ok(book)
    }

    /// The number of the latest change.
    pub async fn rules_change(&self) -> Result<i64, StoreError> {
        let row = self.db().one("SELECT change FROM rules WHERE id = 1", []).await?;
        let row = row.ok_or(StoreError::Missing { table: "rules", what: "the only row" })?;
        Ok(row.try_get_by_index(0)?)
    }

    /// `source` says from the next generation on what `definition` says, or nothing
    /// more. What it said before is of use until the new one is ready.
    pub fn define(&self, source: &str, definition: Option<&str>) -> Vec<Extra> {
        let statement = |sql: &str, values: Vec<sea_orm::Value>| {
            Extra(Beside::Statement(db::statement(self.db().backend(), sql, values)))
        };
        let ended = if definition.is_some() { " AND ready = 0" } else { "" };
        let mut all = vec![
            statement(NEXT, Vec::new()),
            statement(
                &format!("UPDATE own_parameter SET retired = {NOW} WHERE source = ? AND retired = 0{ended}"),
                vec![source.into()],
            ),
        ];
        all.extend(definition.map(|text| statement(INSERT, vec![source.into(), text.into()])));
        all
    }

    /// The definitions of files become these: what is new begins, what is gone ends.
    /// Answers how many changed.
    pub async fn define_files(&self, files: &[(String, String)]) -> Result<usize, StoreError> {
        let transaction = self.locked().await?;
        let standing = self.rulebook().await?.rows;
        let live = |source: &str| standing.iter().rev().find(|row| row.retired == 0 && row.source == source);
        let mut wanted: Vec<(&str, Option<&str>)> = Vec::new();
        for (source, definition) in files {
            if live(source).is_none_or(|row| row.definition != *definition) {
                wanted.push((source, Some(definition)));
            }
        }
        let known: BTreeSet<&str> = files.iter().map(|(source, _)| source.as_str()).collect();
        let sources: BTreeSet<&str> = standing.iter().map(|row| row.source.as_str()).collect();
        let gone = sources.into_iter().filter(|source| source.starts_with("file:") && !known.contains(source));
        wanted.extend(gone.filter(|source| live(source).is_some()).map(|source| (source, None)));
        for (source, definition) in &wanted {
            for extra in self.define(source, *definition) {
                if let Beside::Statement(statement) = extra.0 {
                    transaction.execute_raw(statement).await?;
                }
            }
        }
        transaction.commit().await?;
        Ok(wanted.len())
    }

    /// How far each type is rebuilt that ever was.
    pub async fn rebuilds(&self) -> Result<Vec<Rebuild>, StoreError> {
        let sql = "SELECT kind, finished, target, after, done, total FROM rebuild ORDER BY kind";
        let mut found = Vec::new();
        for row in self.db().all(sql, []).await? {
            found.push(Rebuild {
                kind: u16::try_from(row.try_get_by_index::<i16>(0)?).unwrap_or(0),
                finished: row.try_get_by_index(1)?,
                target: row.try_get_by_index(2)?,
                after: row.try_get_by_index(3)?,
                done: row.try_get_by_index(4)?,
                total: row.try_get_by_index(5)?,
            });
        }
        Ok(found)
    }

    /// Begins to bring a type to a generation, or goes on where it was left.
    pub async fn begin_rebuild(&self, kind: u16, target: i64) -> Result<Rebuild, StoreError> {
        self.settled().await?;
        let begun = self.rebuilds().await?.into_iter().find(|one| one.kind == kind && one.target == target);
        if let Some(begun) = begun {
            return Ok(begun);
        }
        let number = i16::try_from(kind).unwrap_or(0);
        let row = self.db().one("SELECT count(*) FROM resource WHERE kind = ?", [number.into()]).await?;
        let total: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        let sql = "INSERT INTO rebuild (kind, finished, target, after, done, total) VALUES (?, 0, ?, '', 0, ?) \
                   ON CONFLICT (kind) DO UPDATE SET target = excluded.target, after = '', done = 0, total = excluded.total \
                   WHERE rebuild.target < excluded.target";
        self.db().execute(sql, [number.into(), target.into(), total.into()]).await?;
        Ok(Rebuild { kind, target, total, ..Rebuild::default() })
    }

    /// Waits until all transactions have ended that may have been planned by an older
    /// generation: they have written, or will not. SQLite has one writer at a time.
    async fn settled(&self) -> Result<(), StoreError> {
        if self.db().backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        let number = async |what: &str| -> Result<i64, StoreError> {
            let sql = format!("SELECT CAST(CAST({what}(pg_current_snapshot()) AS text) AS bigint)");
            let row = self.db().one(&sql, []).await?;
            Ok(row.ok_or(StoreError::Missing { table: "snapshot", what: "a number" })?.try_get_by_index(0)?)
        };
        let until = number("pg_snapshot_xmax").await?;
        for _ in 0..SETTLING {
            if number("pg_snapshot_xmin").await? >= until {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(StoreError::Busy)
    }

    /// The records of a type after this id.
    pub async fn records_after(&self, kind: u16, after: &str, limit: i64) -> Result<Vec<Stored>, StoreError> {
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM resource r WHERE r.kind = "));
        sql.bind(i16::try_from(kind).unwrap_or(0)).text(" AND r.id > ").bind(after);
        sql.text(" ORDER BY r.id LIMIT ").bind(limit);
        let rows = self.db().rows(sql).await?;
        rows.iter().map(|row| stored(row, 0)).collect()
    }

    /// Brings records to the generation of `walk`; answers the rows of those that are
    /// others now than they were planned on.
    pub async fn raise(&self, walk: &Rebuild, records: &mut [Raised]) -> Result<Vec<i64>, StoreError> {
        // In the order in which the writer locks them, too.
        records.sort_unstable_by_key(|one| one.from);
        let transaction = self.db().begin().await?;
        let backend = self.db().backend();
        let (mut changes, mut missed) = (Changes::default(), Vec::new());
        for one in records.iter() {
            let (rid, version, rules) = one.from;
            let sql = "UPDATE resource SET rules = ? WHERE rid = ? AND version = ? AND rules = ?";
            let values = [walk.target.into(), rid.into(), version.into(), rules.into()];
            let touched = transaction.execute_raw(db::statement(backend, sql, values)).await?;
            if touched.rows_affected() == 0 {
                missed.push(rid);
            } else {
                changes.of(rid, &one.old, &one.new);
            }
        }
        changes.apply(&*transaction).await?;
        transaction.commit().await?;
        Ok(missed)
    }

    /// All records up to the id `after`, of which `more` are new, have been seen.
    pub async fn advance(&self, walk: &Rebuild, after: &str, more: i64) -> Result<(), StoreError> {
        // Another server may be farther; it does no harm that both walk.
        let sql = "UPDATE rebuild SET after = ?, done = done + ? WHERE kind = ? AND target = ? AND after < ?";
        let kind = i16::try_from(walk.kind).unwrap_or(0);
        self.db().execute(sql, [after.into(), more.into(), kind.into(), walk.target.into(), after.into()]).await?;
        Ok(())
    }

    /// The end of the type's records is reached.
    pub async fn finish_rebuild(&self, walk: &Rebuild) -> Result<(), StoreError> {
        let sql = "UPDATE rebuild SET finished = ? WHERE kind = ? AND finished < ?";
        let kind = i16::try_from(walk.kind).unwrap_or(0);
        self.db().execute(sql, [walk.target.into(), kind.into(), walk.target.into()]).await?;
        Ok(())
    }

    /// What follows from finished rebuilds, in one transaction: what is ready, what
    /// ends as its successor is, and what no row is left of.
    pub async fn settle(&self, outcome: &Settled) -> Result<(), StoreError> {
        let transaction = self.locked().await?;
        let backend = self.db().backend();
        let run = async |sql: &str, (born, source): &(i64, String)| {
            transaction.execute_raw(db::statement(backend, sql, [(*born).into(), source.as_str().into()])).await
        };
        for row in &outcome.ready {
            run("UPDATE own_parameter SET ready = 1 WHERE born = ? AND source = ? AND retired = 0", row).await?;
        }
        if !outcome.ended.is_empty() {
            transaction.execute_raw(db::statement(backend, NEXT, [])).await?;
        }
        for row in &outcome.ended {
            let sql = format!("UPDATE own_parameter SET retired = {NOW} WHERE born = ? AND source = ? AND retired = 0");
            run(&sql, row).await?;
        }
        for row in &outcome.gone {
            run("DELETE FROM own_parameter WHERE born = ? AND source = ? AND retired > 0", row).await?;
        }
        transaction.execute_raw(db::statement(backend, CHANGED, [])).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A transaction beside which no other changes definitions.
    async fn locked(&self) -> Result<Change, StoreError> {
        let transaction = self.db().begin().await?;
        transaction.execute_raw(db::statement(self.db().backend(), CHANGED, [])).await?;
        Ok(transaction)
    }
}

/// What follows from finished rebuilds: definitions by birth and source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// All their records are indexed.
    pub ready: Vec<(i64, String)>,
    /// Another of the same source has taken their place.
    pub ended: Vec<(i64, String)>,
    /// Ended, and their rows are taken out.
    pub gone: Vec<(i64, String)>,
}

impl Settled {
    /// Nothing follows.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

const CHANGED: &str = "UPDATE rules SET change = change + 1 WHERE id = 1";
const NEXT: &str = "UPDATE rules SET generation = generation + 1, change = change + 1 WHERE id = 1";
const NOW: &str = "(SELECT generation FROM rules WHERE id = 1)";
const INSERT: &str = "INSERT INTO own_parameter (born, source, retired, ready, definition) \
                      SELECT generation, ?, 0, 0, ? FROM rules WHERE id = 1";

/// Looks at running transactions before giving up: a minute.
const SETTLING: u32 = 3000;
