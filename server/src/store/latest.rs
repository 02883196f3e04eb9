//! The latest records of each code: the places of a search's rows within their codes,
//! told by the clinical index, so that only the latest are fetched.

use techo_profiles::Definitions;

use crate::search::plan::Plan;

use super::error::StoreError;
use super::reader::{COLUMNS, Reader, Stored};
use super::select;
use super::sql::Sql;

impl Reader<'_> {
    /// Of what `plan` finds about these Patients the latest `max` of each code, by
    /// code and newest first; of what has no code the latest `max`.
    pub async fn latest(
        &self,
        plan: &Plan,
        patients: &[&str],
        max: usize,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let number = |kind: &str| {
            let number = Definitions::embedded().type_number(kind).unwrap_or(0);
            i16::try_from(number).unwrap_or(0)
        };
        let kind = number(&plan.resource_type);
        let mut people = Sql::new("SELECT q.rid FROM resource q WHERE q.kind = ");
        people.bind(number("Patient")).text(" AND q.id IN ").list(patients.iter().map(ToString::to_string));
        let mut of_hers = Sql::new("FROM clinical x WHERE x.citizen");
        of_hers.among(people).text(" AND x.kind = ").bind(kind);
        let Some(found) = select::selected(plan, self.view(), Sql::new("r.rid AS rid")) else { return Ok(Vec::new()) };
        let uncoded = Sql::new("r.rid AS rid, 0 AS code, COALESCE(r.clinical_low, 0) AS at");
        let Some(uncoded) = select::selected(plan, self.view(), uncoded) else { return Ok(Vec::new()) };
        let mut sql = Sql::new(&format!(
            "SELECT {COLUMNS} FROM (SELECT n.rid AS rid, MIN(n.code) AS code, MAX(n.at) AS at FROM \
             (SELECT s.rid, s.code, s.at, ROW_NUMBER() OVER (PARTITION BY s.code ORDER BY s.at DESC, s.rid DESC) AS place FROM \
             (SELECT x.rid AS rid, x.code AS code, x.at AS at "
        ));
        sql.push(of_hers.clone()).text(" AND x.rid").among(found).text(" UNION ALL ").push(uncoded);
        sql.text(" AND r.rid NOT IN (SELECT x.rid ").push(of_hers).text(")) s) n WHERE n.place <= ");
        sql.bind(i64::try_from(max).unwrap_or(i64::MAX)).text(" GROUP BY n.rid ORDER BY 2, 3 DESC, 1 LIMIT ");
        sql.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        sql.text(") p").step("resource", "r", Sql::new("r.rid = p.rid")).text(" ORDER BY p.code, p.at DESC, p.rid");
        self.rows(sql).await
    }
}
