//! The stances of Consents: their numbers, and who has which.
//!
//! A stance's rows are never changed: its number is as good as its text, on every
//! server, for ever. Whose it is and until when stands in `effect`, in the
//! transaction of the Consent itself.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use sea_orm::ConnectionTrait;
use techo_profiles::Definitions;

use super::Store;
use super::db::statement;
use super::error::StoreError;
use super::facts::Custody;
use super::sql::Sql;
use crate::consent::stance::{Stance, StanceKey};
use crate::consent::view::CitizenKey;
use crate::secret;

/// Stances whose numbers were asked for before, by hash.
#[derive(Debug, Default)]
pub(super) struct Stances(Mutex<HashMap<[u8; 32], StanceKey>>);

/// Numbers remembered at once.
const MOST: usize = 65_536;

/// A Consent because of which a citizen's records were shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Whose.
    pub citizen: CitizenKey,
    /// Its stance.
    pub stance: StanceKey,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: i32,
}

impl Store {
    /// The number of a stance; a new one gets one, in a transaction of its own.
    pub async fn stance(&self, stance: &Stance) -> Result<StanceKey, StoreError> {
        let hash = secret::hash(stance.said.as_bytes());
        let known = |all: &Mutex<HashMap<_, _>>| all.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        if let Some(key) = known(&self.stances.0) {
            return Ok(key);
        }
        let backend = self.db.backend();
        let transaction = self.db.begin().await?;
        let insert = "INSERT INTO stance (hash, said) VALUES (?, ?) ON CONFLICT DO NOTHING";
        let values = [hash.to_vec().into(), stance.said.as_str().into()];
        transaction.execute_raw(statement(backend, insert, values)).await?;
        let select = "SELECT id FROM stance WHERE hash = ?";
        let row = transaction.query_one_raw(statement(backend, select, [hash.to_vec().into()])).await?;
        let key: i64 = row.ok_or(StoreError::Missing { table: "stance", what: "a new row" })?.try_get_by_index(0)?;
        for actor in &stance.actors {
            let (kind, id) = place(actor).unwrap_or((0, "*"));
            let insert = "INSERT INTO stance_actor (kind, id, stance) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            transaction.execute_raw(statement(backend, insert, [kind.into(), id.into(), key.into()])).await?;
        }
        transaction.commit().await?;
        let mut all = self.stances.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(hash, key);
        Ok(key)
    }

    /// The stances that may concern one of these actors, with their texts, and whether
    /// those are all.
    ///
    /// * `most`: where there are more, as many of those that somebody has: for half of
    ///   the places those that were there first; for the rest those that have most voices
    ///   ([`Store::voices`]), by turns of what citizens say themselves and of what custodians
    ///   file. A crowd that comes later cannot press the older ones out.
    pub async fn stances_about(
        &self,
        actors: &[String],
        most: usize,
    ) -> Result<(Vec<(StanceKey, String)>, bool), StoreError> {
        let limit = i64::try_from(most).unwrap_or(i64::MAX - 1);
        let mut named = Sql::new("SELECT DISTINCT n.stance FROM stance_actor n WHERE ");
        named.push(naming(actors));
        let mut sql = Sql::new("SELECT s.id, s.said FROM stance s WHERE s.id");
        sql.among(named.clone()).text(" ORDER BY s.id LIMIT ").bind(limit + 1);
        let all = self.texts(sql).await?;
        if all.len() <= most {
            return Ok((all, true));
        }
        let mut sql = Sql::new(
            "SELECT s.id, s.said FROM (SELECT v.stance, ROW_NUMBER() OVER (PARTITION BY v.filed \
             ORDER BY v.voices DESC, v.stance) AS turn FROM (",
        );
        sql.push(voices(named.clone())).text(") v) c JOIN stance s ON s.id = c.stance ORDER BY CASE WHEN c.stance");
        sql.among(first(named, limit / 2)).text(" THEN 0 ELSE 1 END, c.turn, c.stance LIMIT ").bind(limit);
        let mut chosen = self.texts(sql).await?;
        chosen.sort_unstable_by_key(|(key, _)| *key);
        Ok((chosen, false))
    }

    /// The voices for each of these stances, in thousandths of a millionth. Each citizen has one,
    /// and each custodian for all that it files in citizens' names: divided among what she, or it
    /// for each of them, says of these.
    pub async fn voices(&self, stances: &[StanceKey]) -> Result<HashMap<StanceKey, i64>, StoreError> {
        let mut among = Sql::new("SELECT n.id FROM stance n WHERE n.id IN ");
        among.list(stances.iter().copied());
        self.db.rows(voices(among)).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Those of these citizens who have another stance that may concern one of these actors.
    pub async fn odd(
        &self,
        citizens: &[CitizenKey],
        actors: &[String],
        heard: &[StanceKey],
    ) -> Result<HashSet<CitizenKey>, StoreError> {
        let mut named = Sql::new("SELECT n.stance FROM stance_actor n WHERE ");
        named.push(naming(actors));
        if !heard.is_empty() {
            named.text(" AND n.stance NOT IN ").list(heard.iter().copied());
        }
        let mut sql = Sql::new("SELECT DISTINCT e.citizen FROM effect e WHERE e.citizen IN ");
        sql.list(citizens.iter().copied()).text(" AND e.stance").among(named);
        self.db.rows(sql).await?.iter().map(|row| Ok(row.get(0)?)).collect()
    }

    async fn texts(&self, sql: Sql) -> Result<Vec<(StanceKey, String)>, StoreError> {
        let rows = self.db.rows(sql).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// The Consents of these stances that stand for these citizens at `now`.
    pub async fn grounds(
        &self,
        citizens: &[CitizenKey],
        stances: &[StanceKey],
        now: i64,
    ) -> Result<Vec<Ground>, StoreError> {
        if citizens.is_empty() || stances.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(
            "SELECT e.citizen, e.stance, r.id, r.version FROM effect e JOIN resource r ON r.rid = e.rid WHERE e.citizen IN ",
        );
        sql.list(citizens.iter().copied()).text(" AND e.stance IN ").list(stances.iter().copied()).text(" AND ");
        sql.push(standing(now)).text(" ORDER BY e.rid");
        let rows = self.db.rows(sql).await?;
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for row in rows {
            let one = Ground { citizen: row.get(0)?, stance: row.get(1)?, id: row.get(2)?, version: row.get(3)? };
            // Two who gave the same Consent are two rows.
            if seen.insert(one.id.clone()) {
                found.push(one);
            }
        }
        Ok(found)
    }
}

/// For each of the stances among these its voices, and whether custodians filed it.
fn voices(among: Sql) -> Sql {
    let published = Custody::Published.number();
    let mut said = Sql::new("SELECT DISTINCT e.stance, e.citizen, CASE WHEN r.custody = ");
    said.bind(published).text(" THEN -r.custodian ELSE e.citizen END AS voice, CASE WHEN r.custody = ");
    said.bind(published).text(" THEN 1 ELSE 0 END AS filed FROM effect e LEFT JOIN resource r ON r.rid = e.rid ");
    said.text("WHERE e.stance").among(among);
    let mut sql = Sql::new("SELECT d.stance, CAST(SUM(1000000000 / h.many) AS BIGINT) AS voices, d.filed FROM (");
    sql.push(said.clone()).text(") d JOIN (SELECT b.voice, COUNT(*) AS many FROM (").push(said);
    sql.text(") b GROUP BY b.voice) h ON h.voice = d.voice GROUP BY d.stance, d.filed");
    sql
}

/// Of these stances, which begin with the rows `n` of `stance_actor`, the oldest that
/// somebody has.
fn first(mut named: Sql, limit: i64) -> Sql {
    named.text(" AND ").exists(Sql::new("effect f WHERE f.stance = n.stance"));
    named.text(" ORDER BY n.stance LIMIT ").bind(limit);
    // SQLite takes no order within IN.
    let mut sql = Sql::new("SELECT o.stance FROM (");
    sql.push(named).text(") o");
    sql
}

/// Row `n` of `stance_actor` names one of these, or everyone.
pub(super) fn naming(actors: &[String]) -> Sql {
    Sql::or(namings(actors).collect())
}

/// The same for each of them.
pub(super) fn namings(actors: &[String]) -> impl Iterator<Item = Sql> {
    let everyone = std::iter::once((0, "*"));
    actors.iter().filter_map(|actor| place(actor)).chain(everyone).map(|(kind, id)| {
        let mut one = Sql::new("(n.kind = ");
        one.bind(kind).text(" AND n.id = ").bind(id).text(")");
        one
    })
}

/// Row `e` of `effect` stands at `now`: within its period, its giver the citizen
/// herself or someone who holds authority over her.
pub(super) fn standing(now: i64) -> Sql {
    let mut sql = Sql::new("e.since <= ");
    sql.instant(now).text(" AND e.until > ").instant(now);
    let mut held = Sql::new("resource up JOIN authority u ON u.patient = ");
    // The ids of records are sorted by bytes, accounts and their indexes are not.
    held.either("up.id", "up.id COLLATE \"default\"").text(
        " WHERE up.rid = e.citizen AND u.related_person IN (e.giver, 'RelatedPerson/' || e.giver) AND u.valid_from <= ",
    );
    held.instant(now).text(" AND (u.valid_until IS NULL OR u.valid_until > ").instant(now).text(")");
    sql.text(" AND (e.giver = '' OR ").exists(held).text(")");
    sql
}

/// `Organization/org-city` → the type's number and the id; `None` for `*`.
fn place(actor: &str) -> Option<(i16, &str)> {
    let (kind, id) = actor.split_once('/')?;
    let number = Definitions::embedded().type_number(kind)?;
    Some((i16::try_from(number).ok()?, id))
}
