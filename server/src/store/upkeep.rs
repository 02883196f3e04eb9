//! What upkeep asks of the database: who uses it, is its index right, how is it.
//!
//! Nothing here answers a request. The callers are the commands `migrate`,
//! `reindex`, `backup`, `restore`, `doctor` and the operator's registrations;
//! none of them shows a body to anyone.
//!
//! To add a check for `techo doctor`: a function in `health.rs`, a line in
//! `cli/doctor.rs`.

mod health;
mod hold;
mod origin;
mod snapshot;

pub use health::{Fact, audit_bytes, facts, free_bytes, newest, pending, sample};
pub use hold::{Hold, HoldError, Use, alone, copy_database, exists, hold, hold_as_server, in_use, migrate, place};
pub use origin::{Origin, remember, remembered};
pub use snapshot::{Fix, Indexed, Snapshot, Walk};

use std::collections::HashMap;

use sea_orm::ConnectionTrait;
use techo_profiles::Definitions;

use super::error::StoreError;
use super::facts::Facts;
use super::reader::{COLUMNS, Stored, stored};
use super::sql::Sql;
use super::{Store, db};

impl Store {
    /// The current versions in these rows, deleted ones too.
    pub async fn rows(&self, rids: &[i64]) -> Result<Vec<Stored>, StoreError> {
        let mut found = Vec::with_capacity(rids.len());
        for rids in rids.chunks(256) {
            let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM resource r WHERE r.rid IN "));
            sql.list(rids.iter().copied()).text(" ORDER BY r.rid");
            let rows = self.db().rows(sql).await?;
            for row in &rows {
                found.push(stored(row, 0)?);
            }
        }
        Ok(found)
    }

    /// The body of one live record, for the operator's registrations: a
    /// `RelatedPerson` names the patient for whom an authority is entered.
    pub async fn body(&self, kind: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let number = Definitions::embedded().type_number(kind).and_then(|number| i16::try_from(number).ok());
        let sql = "SELECT body FROM resource WHERE deleted = 0 AND kind = ? AND id = ?";
        let row = self.db().one(sql, [number.unwrap_or(0).into(), id.into()]).await?;
        row.map(|row| Ok(row.try_get_by_index::<Option<Vec<u8>>>(0)?)).transpose().map(Option::flatten)
    }

    /// The facts of these rows as their columns hold them, and whether an importer
    /// remembers having made the row.
    pub async fn facts_of(&self, rows: &[Stored]) -> Result<HashMap<i64, (Facts, bool)>, StoreError> {
        let mut found = HashMap::with_capacity(rows.len());
        for some in rows.chunks(256) {
            let mut sql = Sql::new(
                "SELECT r.rid, r.domain, r.clinical_low, r.clinical_high, r.labels, \
                 (SELECT count(*) FROM import_key i WHERE i.custodian = r.custodian AND i.citizen = r.citizen \
                  AND i.rid = r.rid) FROM resource r WHERE r.rid IN ",
            );
            sql.list(some.iter().map(|row| row.rid));
            let columns = self.db().rows(sql).await?;
            let mut columns: HashMap<i64, _> =
                columns.into_iter().map(|row| Ok((row.get(0)?, row))).collect::<Result<_, StoreError>>()?;
            for stored in some {
                let Some(row) = columns.remove(&stored.rid) else { continue };
                let corrupt = StoreError::Corrupt { table: "resource", column: "domain", row: stored.rid };
                let low: Option<i64> = row.get(2)?;
                let facts = Facts {
                    subjects: self.subjects_of(stored).await?,
                    custodian: stored.custodian,
                    custody: stored.custody,
                    domain: u8::try_from(row.get::<i16>(1)?).map_err(|_| corrupt)?,
                    clinical: low.zip(row.get(3)?).map(|(low, high): (i64, i64)| low..high),
                    labels: row.get(4)?,
                };
                found.insert(stored.rid, (facts, row.get::<i64>(5)? > 0));
            }
        }
        Ok(found)
    }

    /// Whether the first or the last records were indexed under another epoch. A reindex
    /// goes from the first to the last, so a whole one leaves neither; a walk over all
    /// would read the whole table at every start.
    pub async fn stale(&self) -> Result<bool, StoreError> {
        for order in ["", " DESC"] {
            let sql = format!("SELECT epoch FROM resource ORDER BY rid{order} LIMIT {PROBED}");
            for row in self.db().all(&sql, []).await? {
                if row.try_get_by_index::<i32>(0)? != self.epoch() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// How many records there are, deleted ones too.
    pub async fn records(&self) -> Result<u64, StoreError> {
        let row = self.db().one("SELECT count(*) FROM resource", []).await?;
        let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Sets index rows and facts right in one transaction; answers how many of the records
    /// still had the version that the fix was made for. The others were written
    /// meanwhile, and their own write indexed them.
    pub async fn set_right(&self, fixes: &[Fix]) -> Result<usize, StoreError> {
        let mut done = 0;
        let transaction = self.db().begin().await?;
        let backend = self.db().backend();
        let mut changes = super::index::Changes::default();
        for fix in fixes {
            if let Some(version) = fix.version {
                // Writing first takes the lock: nobody changes the record until the commit.
                let sql = "UPDATE resource SET epoch = ? WHERE rid = ? AND version = ?";
                let values = [self.epoch().into(), fix.rid.into(), version.into()];
                let touched = transaction.execute_raw(db::statement(backend, sql, values)).await?;
                if touched.rows_affected() == 0 {
                    continue;
                }
                if let Some(facts) = &fix.facts {
                    let sql = "UPDATE resource SET domain = ?, clinical_low = ?, clinical_high = ?, labels = ? \
                               WHERE rid = ?";
                    let values = [
                        i16::from(facts.domain).into(),
                        facts.clinical.as_ref().map(|span| span.start).into(),
                        facts.clinical.as_ref().map(|span| span.end).into(),
                        facts.labels.as_str().into(),
                        fix.rid.into(),
                    ];
                    transaction.execute_raw(db::statement(backend, sql, values)).await?;
                }
            }
            changes.of(fix.rid, &fix.stored, &fix.rebuilt);
            done += 1;
        }
        changes.apply(&*transaction).await?;
        transaction.commit().await?;
        Ok(done)
    }
}

/// Records looked at for their epoch, at either end.
const PROBED: i64 = 64;
