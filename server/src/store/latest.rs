//! The latest records of each group: their places are told in the database, so that only
//! the latest are fetched.

use crate::search::plan::Plan;

use super::error::StoreError;
use super::reader::{COLUMNS, Reader, Stored};
use super::select::{self, LATEST_FIRST, Wanted};
use super::sql::Sql;

impl Reader<'_> {
    /// Of what `plan` finds about these Patients the latest `max` of each group
    /// (`select/latest.rs`), and no more than `limit`: the group with the newest record
    /// first, and the newest of each first.
    pub async fn latest(
        &self,
        plan: &Plan,
        patients: &[&str],
        max: usize,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let wanted = Wanted { patients, max, limit };
        let Some(chosen) = select::latest(plan, self.view(), wanted) else { return Ok(Vec::new()) };
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM ("));
        sql.push(chosen).text(") p").step("resource", "r", Sql::new("r.rid = p.rid")).text(LATEST_FIRST);
        self.rows(sql).await
    }
}
