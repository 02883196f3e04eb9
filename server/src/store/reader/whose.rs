//! Whose records an answer tells of that shows none: who is among the matches of a count,
//! and of whom anything is shown at all. What is asked here goes into the audit log, and
//! to no caller.

use techo_profiles::Definitions;

use super::{Reader, Window, several};
use crate::consent::view::{CitizenKey, View};
use crate::search::plan::Plan;
use crate::store::error::StoreError;
use crate::store::everything::there;
use crate::store::select;
use crate::store::sql::Sql;
use crate::store::visible::{number, visible_among};

/// Of a row `r`: its citizen, or, where it is about several, the row.
pub(in crate::store) const OF_ROW: &str = "r.citizen AS citizen, CASE WHEN r.several = 1 THEN r.rid END AS rid";

impl Reader<'_> {
    /// The citizens of all that these searches find; of more than `most`, one more than that.
    ///
    /// * `rows`: no more matches than so many are looked at.
    pub async fn citizens(
        &self,
        plans: &[Plan],
        most: Option<usize>,
        rows: Option<u32>,
    ) -> Result<Vec<CitizenKey>, StoreError> {
        let parts = plans.iter().flat_map(|plan| select::parts(plan, self.view, Sql::new(OF_ROW))).collect();
        let narrow = plans.iter().all(|plan| select::is_narrow(plan, self.view));
        let mut found = Vec::new();
        // Who is in several of them is told once in the end.
        for portion in several::portions(parts, false) {
            let mut matches = Sql::union(portion);
            if let Some(rows) = rows {
                matches.text(" LIMIT ").bind(i64::from(rows));
            }
            found.extend(self.keys(people(matches, most), narrow).await?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The same of versions of records of one type.
    pub async fn citizens_of_changes(
        &self,
        kind: &str,
        window: &Window,
        most: usize,
    ) -> Result<Vec<CitizenKey>, StoreError> {
        let (Some(current), Some(past)) = (self.current_of(kind, window), self.past_of(kind, window)) else {
            return Ok(Vec::new());
        };
        let of = |versions: Sql| {
            let mut sql = Sql::new(&format!("SELECT {OF_ROW} FROM ("));
            sql.push(versions).text(") r");
            sql
        };
        let versions = Sql::union(vec![of(current), of(past)]);
        self.keys(people(versions, Some(most)), window.rid.is_some()).await
    }

    /// Of the Patients with these ids, deleted ones too, those of whom the view shows any
    /// record.
    pub async fn shown_of(&self, patients: &[&str]) -> Result<Vec<CitizenKey>, StoreError> {
        let Some(sql) = shown(self.view, patients) else { return Ok(Vec::new()) };
        match self.keys(sql, false).await {
            // More than can be asked: each of them is told that she was asked about.
            Err(StoreError::TooCostly) => {}
            found => return found,
        }
        let mut all = Vec::new();
        for patient in patients {
            all.extend(self.store.whoever(patient).await?.map(|(citizen, _)| citizen.key));
        }
        Ok(all)
    }

    async fn keys(&self, sql: Sql, narrow: bool) -> Result<Vec<CitizenKey>, StoreError> {
        self.store.db.run(sql, narrow).await?.iter().map(|row| Ok(row.get(0)?)).collect()
    }
}

/// The keys of those of these Patients of whom the view shows any record; `None` if it
/// shows none at all.
pub(in crate::store) fn shown(view: &View, patients: &[&str]) -> Option<Sql> {
    let kinds = || Definitions::embedded().resource_types().iter().copied();
    let visible = view.once((0, false, "r, of any type"), || visible_among(view, kinds()));
    let visible = Option::as_ref(&visible)?;
    let mut named = Sql::new("p.kind = ");
    named.bind(number("Patient")).text(" AND p.id IN ").list(patients.iter().map(ToString::to_string));
    let any = |table: &str, name: &str| {
        let herself = Sql::new(&format!("{name}.citizen = p.rid"));
        let record = Sql::new(&format!("r.rid = {name}.rid"));
        let mut rows = Sql::default();
        rows.pair((table, name, herself), ("resource", "r", record)).text(" WHERE ");
        rows.push(there(view)).text(" AND ").push_at(visible, view.now());
        rows
    };
    let mut sql = Sql::new("SELECT p.rid FROM ");
    sql.first("resource", "p", named).text("(").exists(any("resource", "o")).text(" OR ");
    sql.exists(any("subject", "b")).text(")");
    Some(sql)
}

/// The citizens of these matches, each once; of more than `most`, one more than that.
///
/// * `matches`: [`OF_ROW`] of each.
pub(in crate::store) fn people(matches: Sql, most: Option<usize>) -> Sql {
    let mut sql = Sql::new("SELECT DISTINCT COALESCE(s.citizen, d.citizen) FROM (SELECT DISTINCT u.* FROM (");
    sql.push(matches).text(") u) d LEFT JOIN ");
    sql.either(
        "subject s ON s.rid = d.rid",
        "LATERAL (SELECT x.citizen FROM subject x WHERE x.rid = d.rid OFFSET 0) s ON TRUE",
    );
    sql.text(" WHERE COALESCE(s.citizen, d.citizen) IS NOT NULL");
    if let Some(most) = most {
        sql.text(" LIMIT ").bind(i64::try_from(most).unwrap_or(i64::MAX - 1) + 1);
    }
    sql
}
