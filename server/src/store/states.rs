//! On PostgreSQL: in which state all that is watched is ([decision
//! 14](../../../docs/src/decisions/0014-a-read-asks-once.md)), asked once for all who wait,
//! and what is remembered as of it.
//!
//! Who asks may be told what a statement found that began after she asked: it sees all
//! that was committed before. So those who come while one is under way share the next.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::db::Db;
use super::error::StoreError;
use super::people::Citizen;
use super::sql::Sql;
use super::watch::STATE;

/// Shared by all requests of a process.
#[derive(Debug, Default)]
pub(super) struct States {
    begun: AtomicU64,
    /// Which statement was the last that ended, and what it found.
    latest: tokio::sync::Mutex<(u64, String)>,
    /// Citizens by Patient id, as of a state: any change of a Patient's id, key, keeper or
    /// being there makes another.
    citizens: Mutex<(String, HashMap<String, Citizen>)>,
}

/// Citizens remembered at once.
const MOST: usize = 65_536;

impl States {
    /// The state now: as of an instant after this was called.
    pub(super) async fn now(&self, db: &Db) -> Result<String, StoreError> {
        let before = self.begun.load(Ordering::Acquire);
        let mut latest = self.latest.lock().await;
        if latest.0 <= before {
            // Counted before it begins: who comes from here on is not told what it finds.
            let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
            let rows = db.rows(Sql::new(STATE)).await?;
            let row = rows.first().ok_or(StoreError::Missing { table: "watched", what: "the only row" })?;
            *latest = (number, row.get(0)?);
        }
        Ok(latest.1.clone())
    }

    /// Whether all these Patients are remembered, as of whatever state.
    pub(super) fn may_know(&self, patients: &[&str]) -> bool {
        let known = self.citizens.lock().unwrap_or_else(PoisonError::into_inner);
        patients.iter().all(|id| known.1.contains_key(*id))
    }

    /// Of these Patients those who were found in this state.
    pub(super) fn citizens(&self, state: &str, patients: &[&str]) -> HashMap<String, Citizen> {
        let known = self.citizens.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != state {
            return HashMap::new();
        }
        patients.iter().filter_map(|id| Some(((*id).to_owned(), known.1.get(*id)?.clone()))).collect()
    }

    /// Somebody was found in this state.
    pub(super) fn learn(&self, state: &str, citizen: &Citizen) {
        let mut known = self.citizens.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != state || known.1.len() >= MOST {
            *known = (state.to_owned(), HashMap::new());
        }
        known.1.insert(citizen.patient.clone(), citizen.clone());
    }
}
