//! What was written, newest first: of one type, or of one record. A page is read from
//! either of its ends, and always told newest first.
//!
//! Current versions and old ones lie in two tables. The current ones are read
//! first: a version that moves to the past between the two statements is told
//! twice, never left out, and the double is dropped here.

use std::ops::Range;

use super::{COLUMNS, OLD_COLUMNS, Reader, Stored};
use crate::store::error::StoreError;
use crate::store::select::records_of;
use crate::store::sql::Sql;
use crate::store::visible::{covered, few_citizens, visible};

/// Which versions are asked for.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Only those of this record.
    pub rid: Option<i64>,
    /// Only those that come after the one with this stamp and row.
    pub after: Option<(i64, i64)>,
    /// Only those that come before it: the nearest of them.
    pub before: Option<(i64, i64)>,
    /// Only those made at this instant or earlier.
    pub until: Option<i64>,
    /// Only those made at this instant or later, microseconds since 1970.
    pub since: Option<i64>,
    /// Only those that were current at some time in this span.
    pub at: Option<Range<i64>>,
}

impl Reader<'_> {
    /// Versions of records of one type, deletions included, newest first.
    ///
    /// Hiding a record hides its past: an old version is shown only while the
    /// current one is, and of what was withdrawn or deleted to those alone to whom the record
    /// went out whole.
    pub async fn changes(&self, kind: &str, window: &Window, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let (Some(current), Some(past)) = (self.current_of(kind, window), self.past_of(kind, window)) else {
            return Ok(Vec::new());
        };
        let limited = |mut sql: Sql| {
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            let way = if window.before.is_some() { "ASC" } else { "DESC" };
            sql.text(&format!(" ORDER BY v.updated {way}, v.rid {way} LIMIT ")).bind(most);
            sql
        };
        let mut all = self.rows(limited(current)).await?;
        all.extend(self.rows(limited(past)).await?);
        newest_first(&mut all);
        window.nearest(&mut all, limit);
        Ok(all)
    }

    /// How many versions of records of one type there are: counted at one instant, so that
    /// none is counted in both tables.
    pub async fn count_changes(&self, kind: &str, window: &Window) -> Result<u64, StoreError> {
        let (Some(current), Some(past)) = (self.current_of(kind, window), self.past_of(kind, window)) else {
            return Ok(0);
        };
        let mut sql = Sql::new("SELECT (SELECT COUNT(*) FROM (");
        sql.push(current).text(") c) + (SELECT COUNT(*) FROM (").push(past).text(") p)");
        let rows = self.store.db.run(sql, window.rid.is_some()).await?;
        let row = rows.first().ok_or(StoreError::Missing { table: "history", what: "count" })?;
        let count: i64 = row.get(0)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The types, among these, of which there is any record at all.
    pub async fn types_in_use(&self, types: &[u16]) -> Result<Vec<u16>, StoreError> {
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let values: Vec<String> = types.iter().map(|number| format!("({number})")).collect();
        let sql = Sql::new(&format!(
            "SELECT v.column1 FROM (VALUES {}) v WHERE EXISTS (SELECT 1 FROM resource r WHERE r.kind = v.column1)",
            values.join(", ")
        ));
        let rows = self.store.db.rows(sql).await?;
        let mut found = Vec::new();
        for row in rows {
            // PostgreSQL has an INTEGER here, SQLite any whole number.
            let number = row.get::<i32>(0)?;
            found.extend(u16::try_from(number).ok());
        }
        Ok(found)
    }

    pub(super) fn current_of(&self, kind: &str, window: &Window) -> Option<Sql> {
        let rows = self.versions(kind, window, false)?;
        let mut sql = Sql::new("SELECT * FROM (");
        sql.push(rows).text(") v");
        Some(sql)
    }

    pub(super) fn past_of(&self, kind: &str, window: &Window) -> Option<Sql> {
        let number = self.number(kind)?;
        let rows = self.versions(kind, window, true)?;
        let mut sql = Sql::new("SELECT * FROM (");
        sql.push(rows).text(") v WHERE EXISTS (SELECT 1 FROM resource r WHERE r.rid = v.rid AND ");
        sql.push(visible(self.view, kind, number, "r", false));
        if !self.view.is_everything() {
            sql.text(" AND (r.deleted = 0 OR ").push(covered(self.view, "r")).text(")");
        }
        sql.text(")");
        Some(sql)
    }

    /// The visible versions of one of the two tables.
    fn versions(&self, kind: &str, window: &Window, past: bool) -> Option<Sql> {
        let number = self.number(kind)?;
        let key = i16::try_from(number).unwrap_or(0);
        let (columns, table) = if past { (OLD_COLUMNS, "history") } else { (COLUMNS, "resource") };
        let mut sql = Sql::new(&format!("SELECT {columns} FROM "));
        match (window.rid, few_citizens(self.view, kind)) {
            (Some(rid), _) => {
                let mut its = Sql::new("r.rid = ");
                its.bind(rid);
                sql.first(table, "r", its);
            }
            // A few people's records are found by whose they are, not by when.
            (None, Some(few)) => {
                sql.text("(").push(records_of(&few, key)).text(") d");
                sql.step(table, "r", Sql::new("r.rid = d.rid")).text(" WHERE ");
            }
            (None, None) => {
                sql.text(&format!("{table} r WHERE "));
            }
        }
        sql.text("r.kind = ").bind(key).text(" AND ").push(visible(self.view, kind, number, "r", past));
        window.narrow(&mut sql, past);
        Some(sql)
    }
}

impl Window {
    /// Keeps of versions, newest first, those at the end where the page begins.
    pub fn nearest(&self, versions: &mut Vec<Stored>, limit: usize) {
        if self.before.is_some() {
            versions.drain(..versions.len().saturating_sub(limit));
        }
        versions.truncate(limit);
    }

    /// Adds what the window asks of row `r`.
    fn narrow(&self, sql: &mut Sql, past: bool) {
        if let Some((updated, rid)) = self.after {
            sql.text(" AND r.updated <= ").bind(updated);
            sql.text(" AND (r.updated < ").bind(updated).text(" OR r.rid < ").bind(rid).text(")");
        }
        if let Some((updated, rid)) = self.before {
            sql.text(" AND r.updated >= ").bind(updated);
            sql.text(" AND (r.updated > ").bind(updated).text(" OR r.rid > ").bind(rid).text(")");
        }
        if let Some(since) = self.since {
            sql.text(" AND r.updated >= ").bind(since);
        }
        if let Some(until) = self.until {
            sql.text(" AND r.updated <= ").bind(until);
        }
        let Some(at) = &self.at else { return };
        sql.text(" AND r.updated < ").bind(at.end);
        if past {
            // It was current until its next version, which is in either table.
            let next = |sql: &mut Sql, table: &str| {
                sql.text(&format!(
                    "EXISTS (SELECT 1 FROM {table} n WHERE n.rid = r.rid AND n.version = r.version + 1 AND n.updated > "
                ));
                sql.bind(at.start).text(")");
            };
            sql.text(" AND (");
            next(sql, "resource");
            sql.text(" OR ");
            next(sql, "history");
            sql.text(")");
        }
    }
}

/// Orders versions, and drops those told twice.
pub fn newest_first(versions: &mut Vec<Stored>) {
    versions.sort_by_key(|one| std::cmp::Reverse((one.updated, one.rid, one.version)));
    versions.dedup_by_key(|one| (one.rid, one.version));
}
