//! How many Consents in force one citizen has: bounded at the one place through which
//! everything is written, so that each of her records is decided about in bounded time.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, DatabaseBackend, Value};

use super::arrays::array;
use super::db::statement;
use super::error::StoreError;
use super::index::IndexRow;
use super::write::{Put, WriteSet};
use crate::consent::stance::MOST_OF_ONE;
use crate::consent::view::CitizenKey;

/// The Consents in force of the citizens to whom something is added.
#[derive(Debug)]
pub(super) struct Crowd(HashMap<CitizenKey, HashSet<i64>>);

impl Crowd {
    /// Reads them, and on PostgreSQL holds the citizens: another server waits.
    pub(super) async fn read(
        connection: &impl ConnectionTrait,
        backend: DatabaseBackend,
        sets: &[&WriteSet],
    ) -> Result<Self, StoreError> {
        let mut citizens: Vec<CitizenKey> =
            sets.iter().flat_map(|set| &set.puts).flat_map(|put| whose(&put.new)).collect();
        citizens.sort_unstable();
        citizens.dedup();
        let keys: Vec<Value> = citizens.iter().map(|key| Value::from(*key)).collect();
        if backend == DatabaseBackend::Postgres && !keys.is_empty() {
            let sql = "SELECT rid FROM citizen WHERE rid = ANY (CAST(? AS bigint[])) ORDER BY rid FOR UPDATE";
            connection.query_all_raw(statement(backend, sql, [array(keys.iter()).into()])).await?;
        }
        let mut found: HashMap<CitizenKey, HashSet<i64>> =
            citizens.iter().map(|citizen| (*citizen, HashSet::new())).collect();
        for some in keys.chunks(64) {
            let many = vec!["?"; some.len()].join(", ");
            let sql = format!("SELECT citizen, rid FROM effect WHERE citizen IN ({many})");
            for row in connection.query_all_raw(statement(backend, &sql, some.to_vec())).await? {
                found.entry(row.try_get_by_index(0)?).or_default().insert(row.try_get_by_index(1)?);
            }
        }
        Ok(Self(found))
    }

    /// Adds what a set does; `false`, and nothing is added, if somebody would have more
    /// than may be, and more than before.
    pub(super) fn takes(&mut self, set: &WriteSet) -> bool {
        let consents: Vec<&Put> = set.puts.iter().filter(|put| speaks(put)).collect();
        if consents.is_empty() {
            return true;
        }
        let mut after = self.0.clone();
        for put in &consents {
            for rids in after.values_mut() {
                rids.remove(&put.rid);
            }
            for citizen in whose(&put.new) {
                after.entry(citizen).or_default().insert(put.rid);
            }
        }
        let crowded = |(citizen, rids): (&CitizenKey, &HashSet<i64>)| {
            rids.len() > MOST_OF_ONE && self.0.get(citizen).is_none_or(|before| before.len() < rids.len())
        };
        if after.iter().any(crowded) {
            return false;
        }
        self.0 = after;
        true
    }
}

/// A Consent in force, before or now.
pub(super) fn speaks(put: &Put) -> bool {
    put.old.iter().chain(&put.new).any(|row| matches!(row, IndexRow::Effect { .. }))
}

fn whose(rows: &[IndexRow]) -> impl Iterator<Item = CitizenKey> {
    rows.iter().filter_map(|row| match row {
        IndexRow::Effect { citizen, .. } => Some(*citizen),
        _ => None,
    })
}
