//! One person's compartment, row by row, and what its records point at.
//!
//! The compartment's own key is the order of the answer, so a page begins where the
//! one before ended and costs what it holds, however much she has.

use crate::consent::view::{CitizenKey, View};

use super::error::StoreError;
use super::reader::{COLUMNS, Reader, Stored};
use super::sql::Sql;
use super::visible::{self, visible_among};

/// Which records of a compartment are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of these types.
    pub kinds: Vec<Box<str>>,
    /// Changed at this instant or later, in microseconds since 1970.
    pub since: Option<i64>,
    /// About care from this instant on. A record without a time of care is never left out.
    pub from: Option<i64>,
    /// About care before this instant.
    pub until: Option<i64>,
}

/// A row of a compartment: the number of its type, and its own.
pub type Member = (u16, i64);

impl Reader<'_> {
    /// Members of a compartment behind `after`, in its order; the Patient herself is
    /// not among them.
    ///
    /// * `citizen`, `patient`: her key, and her id.
    pub async fn members(
        &self,
        (citizen, patient): (CitizenKey, &str),
        wanted: &Wanted,
        after: Member,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let Some(visible) = visible_among(self.view(), wanted.kinds.iter().map(|kind| &**kind)) else {
            return Ok(Vec::new());
        };
        let mut hers = Sql::new("x.patient = ");
        hers.bind(patient).text(" AND (x.kind, x.rid) > (").bind(number(after.0)).text(", ").bind(after.1).text(")");
        // In the order of the answer, so that no more is looked at than a page.
        hers.either("", " ORDER BY x.kind, x.rid");
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM "));
        sql.pair(("compartment", "x", hers), ("resource", "r", Sql::new("r.rid = x.rid")));
        sql.text(" WHERE r.rid <> ").bind(citizen).text(" AND ").push(self.found());
        if let Some(since) = wanted.since {
            sql.text(" AND r.updated >= ").bind(since);
        }
        // What has no time of care has NULL here, and is not left out.
        if let Some(from) = wanted.from {
            sql.text(" AND (r.clinical_high IS NULL OR r.clinical_high > ").bind(from).text(")");
        }
        if let Some(until) = wanted.until {
            sql.text(" AND (r.clinical_low IS NULL OR r.clinical_low < ").bind(until).text(")");
        }
        sql.text(" AND ").push(visible).text(" ORDER BY x.kind, x.rid LIMIT ");
        sql.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows(sql).await
    }

    /// All that is visible of one type in a compartment, for a judgement over it.
    pub async fn members_of(&self, patient: &str, kind: &str) -> Result<Vec<Stored>, StoreError> {
        let Some(visible) = visible_among(self.view(), std::iter::once(kind)) else { return Ok(Vec::new()) };
        let mut hers = Sql::new("x.patient = ");
        hers.bind(patient).text(" AND x.kind = ").bind(visible::number(kind));
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM "));
        sql.pair(("compartment", "x", hers), ("resource", "r", Sql::new("r.rid = x.rid")));
        sql.text(" WHERE ").push(self.found()).text(" AND ").push(visible);
        self.rows(sql).await
    }

    /// Those of these records of one type that are not in the compartment of `patient`:
    /// what her records point at beside each other.
    pub async fn beyond(
        &self,
        patient: &str,
        (kind, ids): (&str, &[&str]),
        since: Option<i64>,
    ) -> Result<Vec<Stored>, StoreError> {
        let Some(mut sql) = self.named(kind, ids) else { return Ok(Vec::new()) };
        sql.text(" AND ").push(self.found());
        if let Some(since) = since {
            sql.text(" AND r.updated >= ").bind(since);
        }
        sql.text(" AND NOT EXISTS (SELECT 1 FROM compartment x WHERE x.patient = ").bind(patient);
        sql.text(" AND x.kind = r.kind AND x.rid = r.rid) ORDER BY r.id");
        self.rows(sql).await
    }

    /// What its publisher withdrew is still the citizen's to find.
    pub(super) fn found(&self) -> Sql {
        there(self.view())
    }
}

/// The same of a row `r` through any view.
pub(super) fn there(view: &View) -> Sql {
    Sql::new(if view.citizens_side() { "r.deleted <> 1" } else { "r.deleted = 0" })
}

fn number(kind: u16) -> i16 {
    i16::try_from(kind).unwrap_or(i16::MAX)
}
