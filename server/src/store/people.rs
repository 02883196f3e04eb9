//! What a consent decision is made from: who is who, and which Consents stand.
//!
//! These few statements answer without a view, because the view is made from
//! them. Their callers are `consent` (through `app.rs`), the write plan and the
//! importers' placing; none of them hands a row of it to anyone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use techo_profiles::Definitions;

use crate::consent::view::{CitizenKey, CustodianKey};
use crate::secret;

use super::error::StoreError;
use super::facts::{Custody, Facts};
use super::index::IndexRow;
use super::reader::Stored;
use super::row::Row;
use super::sql::Sql;
use super::watch::STATE;
use super::write::{Beside, Condition, Extra, Ground, Into, WriteSet};
use super::{Store, db};

/// A citizen as the store knows her.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citizen {
    /// Her key.
    pub key: CitizenKey,
    /// The id of her Patient.
    pub patient: String,
    /// Who keeps her Patient.
    pub custodian: CustodianKey,
}

/// A Consent as stored.
#[derive(Clone, Debug)]
pub struct StoredConsent {
    /// Whose.
    pub citizen: CitizenKey,
    /// The row.
    pub rid: i64,
    /// The id.
    pub id: String,
    /// The version.
    pub version: i32,
    /// The Organization whose backend filed it as its custodian.
    pub filer: Option<CustodianKey>,
}

/// Values that one statement asks about: databases bound their number (SQLite: 32,766).
const MOST_VALUES: usize = 10_000;

impl Store {
    /// The citizens with these Patient ids; ids of no live Patient are missing.
    pub async fn citizens(&self, patients: &[&str]) -> Result<HashMap<String, Citizen>, StoreError> {
        if patients.is_empty() {
            return Ok(HashMap::new());
        }
        // On PostgreSQL nearly every write is about somebody whom the last change has left as she was.
        let watched = !self.db.asks_beside();
        let mut found = if watched && self.states.may_know(patients) {
            let state = self.states.now(&self.db).await?;
            self.states.citizens(&state, patients)
        } else {
            HashMap::new()
        };
        let unknown: Vec<String> =
            patients.iter().filter(|id| !found.contains_key(**id)).map(ToString::to_string).collect();
        if unknown.is_empty() {
            return Ok(found);
        }
        let mut sql = Sql::new("SELECT rid, id, custodian, ");
        sql.text(&if watched { format!("({STATE})") } else { "NULL".to_owned() });
        sql.text(" FROM resource WHERE deleted = 0 AND kind = ");
        sql.bind(number("Patient")).text(" AND id IN ").list(unknown);
        for row in self.fetch(sql).await? {
            let citizen = Citizen { key: row.get(0)?, patient: row.get(1)?, custodian: row.get(2)? };
            if watched {
                self.states.learn(&row.get::<String>(3)?, &citizen);
            }
            found.insert(citizen.patient.clone(), citizen);
        }
        Ok(found)
    }

    /// The citizen of a Patient id, and whether her Patient is there: one that was deleted
    /// keeps her key for when it comes back.
    pub async fn whoever(&self, patient: &str) -> Result<Option<(Citizen, bool)>, StoreError> {
        let mut sql = Sql::new("SELECT rid, id, custodian, deleted FROM resource WHERE kind = ");
        sql.bind(number("Patient")).text(" AND id = ").bind(patient);
        let rows = self.fetch(sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let citizen = Citizen { key: row.get(0)?, patient: row.get(1)?, custodian: row.get(2)? };
        Ok(Some((citizen, row.get::<i16>(3)? == 0)))
    }

    /// The Patient ids of these citizens.
    pub async fn patients(&self, citizens: &[CitizenKey]) -> Result<HashMap<CitizenKey, String>, StoreError> {
        let mut found = self.names.among(citizens);
        let unknown: Vec<CitizenKey> = citizens.iter().copied().filter(|key| !found.contains_key(key)).collect();
        if unknown.is_empty() {
            return Ok(found);
        }
        let mut more = Vec::new();
        for some in unknown.chunks(MOST_VALUES) {
            let mut sql = Sql::new("SELECT rid, id FROM resource WHERE rid IN ");
            sql.list(some.iter().copied());
            for row in self.fetch(sql).await? {
                more.push((row.get(0)?, row.get(1)?));
            }
        }
        self.names.learn(&more);
        found.extend(more);
        Ok(found)
    }

    /// The key of one record, such as the Organization that is a custodian.
    pub async fn key(&self, kind: &str, id: &str) -> Result<Option<i64>, StoreError> {
        let mut sql = Sql::new("SELECT rid FROM resource WHERE deleted = 0 AND kind = ");
        sql.bind(number(kind)).text(" AND id = ").bind(id);
        let rows = self.fetch(sql).await?;
        rows.first().map(|row| Ok(row.get(0)?)).transpose()
    }

    /// Whether records are in an Organization's keeping, beside itself; what it withdrew is
    /// read by the citizen still.
    pub async fn keeps(&self, organization: CustodianKey) -> Result<bool, StoreError> {
        let mut sql = Sql::new("SELECT rid FROM resource WHERE custodian = ");
        sql.bind(organization).text(" AND rid <> ").bind(organization).text(" AND deleted <> 1 LIMIT 1");
        Ok(!self.fetch(sql).await?.is_empty())
    }

    /// The live Consents of these citizens, whatever their status.
    pub async fn consents(&self, citizens: &[CitizenKey]) -> Result<Vec<StoredConsent>, StoreError> {
        if citizens.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for some in citizens.chunks(MOST_VALUES) {
            let mut sql =
                Sql::new("SELECT citizen, rid, id, version, custodian, custody FROM resource WHERE citizen IN ");
            sql.list(some.iter().copied());
            sql.text(" AND kind = ").bind(number("Consent")).text(" AND deleted = 0 ORDER BY rid");
            for row in self.fetch(sql).await? {
                found.push(StoredConsent {
                    citizen: row.get(0)?,
                    rid: row.get(1)?,
                    id: row.get(2)?,
                    version: row.get(3)?,
                    filer: (row.get::<i16>(5)? == Custody::Published.number()).then(|| row.get(4)).transpose()?,
                });
            }
        }
        found.sort_by_key(|consent| consent.rid);
        Ok(found)
    }

    /// The bodies of these Consents, by row.
    pub async fn consent_bodies(&self, rids: &[i64]) -> Result<HashMap<i64, Vec<u8>>, StoreError> {
        if rids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut found = HashMap::new();
        for some in rids.chunks(MOST_VALUES) {
            let mut sql = Sql::new("SELECT rid, body FROM resource WHERE rid IN ");
            sql.list(some.iter().copied()).text(" AND kind = ").bind(number("Consent"));
            for row in self.fetch(sql).await? {
                found.insert(row.get(0)?, row.get(1)?);
            }
        }
        Ok(found)
    }

    /// Whether an id is in use by anyone: the one declared oracle (`consent.md` §6, writes).
    pub async fn in_use(&self, kind: &str, id: &str) -> Result<bool, StoreError> {
        let mut sql = Sql::new("SELECT 1 FROM resource WHERE kind = ");
        sql.bind(number(kind)).text(" AND id = ").bind(id);
        Ok(!self.fetch(sql).await?.is_empty())
    }

    /// The citizens in a subject role of a stored version.
    pub async fn subjects_of(&self, stored: &Stored) -> Result<Vec<CitizenKey>, StoreError> {
        if !stored.several {
            return Ok(stored.citizen.into_iter().collect());
        }
        let mut sql = Sql::new("SELECT citizen FROM subject WHERE rid = ");
        sql.bind(stored.rid).text(" ORDER BY citizen");
        let rows = self.fetch(sql).await?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }

    /// What is at this place now, and the citizens in a subject role of it.
    pub async fn subjects_at(&self, kind: &str, id: &str) -> Result<(Ground, Vec<CitizenKey>), StoreError> {
        let mut sql = Sql::new("SELECT r.rid, r.version, COALESCE(s.citizen, r.citizen) FROM resource r ");
        sql.text("LEFT JOIN subject s ON s.rid = r.rid WHERE r.kind = ").bind(number(kind));
        sql.text(" AND r.id = ").bind(id);
        let rows = self.fetch(sql).await?;
        let found = match rows.first() {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        };
        let of_kind = Definitions::embedded().type_number(kind).unwrap_or(0);
        let citizens = rows.iter().map(|row| row.get::<Option<i64>>(2)).collect::<Result<Vec<_>, _>>()?;
        Ok((Ground { kind: of_kind, id: id.to_owned(), found }, citizens.into_iter().flatten().collect()))
    }

    /// What is about whom the record at this place is about and lies in these hands, for the
    /// server's own work: the versions that are there now.
    pub async fn following(&self, kind: &str, id: &str, keeper: CustodianKey) -> Result<Vec<Stored>, StoreError> {
        let rows = self.fetch(self.followers("r.rid", (kind, id), keeper).await?).await?;
        let rids = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>, _>>()?;
        self.rows(&rids).await
    }

    /// That what follows the record at this place is these still.
    ///
    /// * `followers`: their rows.
    pub async fn followed_by(
        &self,
        kind: &str,
        id: &str,
        keeper: CustodianKey,
        mut followers: Vec<i64>,
    ) -> Result<Condition, StoreError> {
        followers.sort_unstable();
        let matches = self.followers("r.rid, r.id, r.version", (kind, id), keeper).await?;
        let hash = secret::hash(format!("what follows {kind}/{id}").as_bytes());
        Ok(Condition { hash, matches: matches.statement(self.db.backend()), rid: 0, wanted: followers })
    }

    async fn followers(
        &self,
        columns: &str,
        (kind, id): (&str, &str),
        keeper: CustodianKey,
    ) -> Result<Sql, StoreError> {
        // The first that follows anything may come at this moment, here or through another server.
        let mut wanted = self.dictionary().wanted();
        wanted.parameter(FOLLOWED);
        self.dictionary().intern(&self.db, wanted).await?;
        let param = self.dictionary().parameter(FOLLOWED).unwrap_or(0);
        let mut sql = Sql::new(&format!("SELECT {columns} FROM reference t JOIN resource r ON r.rid = t.rid "));
        sql.text("WHERE t.param = ").bind(param).text(" AND t.kind = ").bind(number(kind));
        sql.text(" AND t.id = ").bind(id).text(" AND r.custodian = ").bind(keeper).text(" ORDER BY r.rid");
        Ok(sql)
    }

    /// The facts of a stored version, as its columns hold them.
    pub async fn facts(&self, stored: &Stored) -> Result<Facts, StoreError> {
        let mut sql = Sql::new("SELECT domain, clinical_low, clinical_high, labels FROM resource WHERE rid = ");
        sql.bind(stored.rid);
        let rows = self.fetch(sql).await?;
        let row = rows.first().ok_or(StoreError::Missing { table: "resource", what: "a row just read" })?;
        let domain: i16 = row.get(0)?;
        let low: Option<i64> = row.get(1)?;
        let high: Option<i64> = row.get(2)?;
        Ok(Facts {
            subjects: self.subjects_of(stored).await?,
            custodian: stored.custodian,
            custody: stored.custody,
            domain: u8::try_from(domain).unwrap_or(0),
            clinical: low.zip(high).map(|(low, high)| low..high),
            labels: row.get(3)?,
        })
    }

    /// The citizens with a live Consent that names one of these as an actor, or nobody: such
    /// a Consent is for everyone.
    ///
    /// * `actors`: `Organization/org-city`, `Practitioner/dr-sato`, …
    /// * `most`: that many of them at most, whichever.
    pub async fn sharing_with(&self, actors: &[&str], most: usize) -> Result<Vec<CitizenKey>, StoreError> {
        let actors = pairs(actors);
        if actors.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = named([actors, vec![(0, "*".to_owned())]].concat());
        sql.text(" LIMIT ").bind(i64::try_from(most).unwrap_or(i64::MAX));
        self.keys(sql).await
    }

    /// The citizens with a live Consent that names one of these as an actor, all of them.
    pub async fn naming(&self, actors: &[&str]) -> Result<Vec<CitizenKey>, StoreError> {
        let actors = pairs(actors);
        if actors.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = named(actors);
        sql.text(" ORDER BY r.citizen");
        self.keys(sql).await
    }

    async fn keys(&self, sql: Sql) -> Result<Vec<CitizenKey>, StoreError> {
        self.fetch(sql).await?.iter().map(|row| Ok(row.get(0)?)).collect()
    }

    /// The citizen whom an Organization has bound to a town's resident key. What others have
    /// bound to it is theirs, and not asked about.
    pub async fn bound(
        &self,
        (system, value): (&str, &str),
        custodian: CustodianKey,
    ) -> Result<Option<CitizenKey>, StoreError> {
        let mut sql = Sql::new("SELECT citizen FROM binding WHERE system = ");
        sql.bind(system).text(" AND value = ").bind(value).text(" AND custodian = ").bind(custodian);
        let rows = self.fetch(sql).await?;
        rows.first().map(|row| Ok(row.get(0)?)).transpose()
    }

    async fn fetch(&self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        Ok(self.db().rows(sql).await?)
    }

    fn extra(&self, sql: &str, values: impl IntoIterator<Item = sea_orm::Value>) -> Extra {
        Extra(Beside::Statement(db::statement(self.db().backend(), sql, values)))
    }

    /// A new citizen; her consent version begins at 0.
    pub fn new_citizen(&self, citizen: CitizenKey) -> Extra {
        Extra(Beside::Row(&CITIZEN, vec![citizen.into(), 0_i64.into()]))
    }

    /// What may be seen of a citizen has changed.
    pub fn consent_changed(&self, citizen: CitizenKey) -> Extra {
        self.extra("UPDATE citizen SET version = version + 1 WHERE rid = ?", [citizen.into()])
    }

    /// Ends the living grants that hang on a Consent, and so every token of theirs.
    pub fn end_grants_of(&self, consent: &str, now: i64) -> Extra {
        let sql = "UPDATE app_grant SET ended = ? WHERE ended IS NULL \
                   AND id IN (SELECT grant_id FROM grant_consent WHERE consent = ?)";
        self.extra(sql, [now.into(), consent.into()])
    }

    /// For every actor that a written Consent names or named: who it concerns has changed.
    pub(super) fn named(&self, set: &WriteSet) -> Vec<Extra> {
        let Some(param) = self.dictionary().parameter(ACTOR_ANY) else { return Vec::new() };
        let consent = Definitions::embedded().type_number("Consent");
        let mut actors = BTreeSet::new();
        for put in set.puts.iter().filter(|put| Some(put.kind) == consent) {
            actors.extend(put.old.iter().chain(&put.new).filter_map(|row| match row {
                IndexRow::Reference { param: of, kind, id, .. } if *of == param => Some((*kind, id.clone())),
                _ => None,
            }));
        }
        // In one order, so that two servers wait for each other instead of deadlocking.
        let sql = "INSERT INTO actor (kind, id, version) VALUES (?, ?, 1) \
                   ON CONFLICT (kind, id) DO UPDATE SET version = actor.version + 1";
        actors.into_iter().map(|(kind, id)| self.extra(sql, [kind.into(), id.into()])).collect()
    }

    /// Binds a town's resident key to a citizen, once for each Organization. Binding a key
    /// that it has bound violates the primary key and fails the write.
    pub fn bind(&self, key: (&str, &str), citizen: CitizenKey, custodian: CustodianKey) -> Extra {
        let values = vec![key.0.into(), key.1.into(), citizen.into(), custodian.into()];
        Extra(Beside::Row(&BINDING, values))
    }
}

/// The Patient ids of citizens asked for before. A row number is given once, and
/// its id never changes: what was learned stays true.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<CitizenKey, String>>);

impl Names {
    /// Ids remembered at once.
    const MOST: usize = 65_536;

    fn among(&self, citizens: &[CitizenKey]) -> HashMap<CitizenKey, String> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        citizens.iter().filter_map(|key| Some((*key, names.get(key)?.clone()))).collect()
    }

    fn learn(&self, more: &[(CitizenKey, String)]) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() + more.len() > Self::MOST {
            names.clear();
        }
        names.extend(more.iter().cloned());
    }
}

/// The index of what a Binary or Provenance is about by others.
pub const FOLLOWED: &str = "Resource.followed";

/// The index of every actor that a Consent names, at any depth.
pub const ACTOR_ANY: &str = "Consent.actor-any";

const CITIZEN: Into = Into { table: "citizen", columns: &["rid", "version"], conflict: "ON CONFLICT DO NOTHING" };

const BINDING: Into = Into { table: "binding", columns: &["system", "value", "citizen", "custodian"], conflict: "" };

/// References as the index has them: the type's number and the id.
fn pairs(actors: &[&str]) -> Vec<(i16, String)> {
    let parts = actors.iter().filter_map(|actor| actor.split_once('/'));
    parts.map(|(kind, id)| (number(kind), id.to_owned())).collect()
}

/// The citizens whose live Consents name one of these.
fn named(actors: Vec<(i16, String)>) -> Sql {
    let any = actors.into_iter().map(|(kind, id)| {
        let mut one = Sql::new("(t.kind = ");
        one.bind(kind).text(" AND t.id = ").bind(id).text(")");
        one
    });
    let mut naming = Sql::new("t.param = (SELECT id FROM parameter WHERE name = ");
    naming.bind(ACTOR_ANY).text(") AND ").push(Sql::or(any.collect()));
    let live = Sql::new("r.rid = t.rid AND r.deleted = 0 AND r.citizen IS NOT NULL");
    let mut sql = Sql::new("SELECT DISTINCT r.citizen FROM ");
    sql.pair(("reference", "t", naming), ("resource", "r", live));
    sql
}

fn number(kind: &str) -> i16 {
    Definitions::embedded().type_number(kind).and_then(|number| i16::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use techo_migrations::{Migrator, MigratorTrait};

    use super::super::db::Db;
    use super::super::folder::Folder;
    use super::*;
    use crate::clock::Clock;

    /// The step before a resident key was its Organization's own.
    const BEFORE: u32 = 7;

    #[tokio::test(flavor = "multi_thread")]
    async fn who_had_bound_a_resident_key_keeps_it_and_others_bind_it_too() {
        let folder = Folder::new("bindings");
        let db = Db::open(&folder.url()).await.expect("a database");
        Migrator::up(&*db.write().await, Some(BEFORE)).await.expect("the schema of before");
        let row = "INSERT INTO binding (system, value, citizen, custodian) VALUES ('town', '77', 5, 1)";
        db.execute(row, []).await.expect("a binding");
        let store = Store::open(db, Clock::system(), 1).await.expect("a store");
        let key = ("town", "77");
        assert_eq!(store.bound(key, 1).await.expect("an answer"), Some(5));
        assert_eq!(store.bound(key, 2).await.expect("an answer"), None);
        let bind =
            |citizen, custodian| WriteSet { extras: vec![store.bind(key, citizen, custodian)], ..WriteSet::default() };
        assert!(store.write(bind(6, 2)).await.is_ok_and(|written| written.is_ok()));
        assert_eq!(store.bound(key, 2).await.expect("an answer"), Some(6));
        let again = store.write(bind(7, 2)).await;
        assert!(!matches!(again, Ok(Ok(_))), "once for each: {again:?}");
        assert_eq!(store.bound(key, 1).await.expect("an answer"), Some(5));
    }
}
