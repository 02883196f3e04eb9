//! Texts that repeat, as numbers: systems, codes, search parameters.
//!
//! A number is given once, in a short transaction of its own before the write
//! that needs it, and is remembered only after that commit: a write that rolls
//! back never leaves a number behind that the database does not know.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use sea_orm::ConnectionTrait;
use tokio::sync::Mutex;

use super::db::{Db, statement};
use super::error::StoreError;

/// Codes that get their numbers in one transaction: others write in between.
const AT_ONCE: usize = 500;

/// A coding's system and code; the system is empty where there is none.
pub type Coding = (String, String);

/// Numbers given so far, as far as this process has asked. Anyone may write a new text: the
/// hash is one that nobody can make collide.
#[derive(Debug, Default)]
pub struct Dictionary {
    systems: RwLock<HashMap<String, i64>>,
    /// By system, then by code.
    codes: RwLock<HashMap<String, HashMap<String, i64>>>,
    parameters: RwLock<HashMap<String, i32>>,
    /// Held while numbers are given.
    turn: Mutex<()>,
}

/// Texts that a write needs numbers for, and that have none yet as far as is known.
#[derive(Debug)]
pub struct Wanted<'a> {
    dictionary: &'a Dictionary,
    systems: BTreeSet<String>,
    codes: BTreeSet<Coding>,
    parameters: BTreeSet<String>,
}

impl Wanted<'_> {
    /// Only what has no number yet is wanted still.
    fn recall(&mut self) {
        let dictionary = self.dictionary;
        self.systems.retain(|uri| dictionary.system(uri).is_none());
        self.codes.retain(|(system, code)| dictionary.code(system, code).is_none());
        self.parameters.retain(|name| dictionary.parameter(name).is_none());
    }

    fn is_empty(&self) -> bool {
        self.systems.is_empty() && self.codes.is_empty() && self.parameters.is_empty()
    }

    /// Asks for a system URI.
    pub fn system(&mut self, uri: &str) {
        if self.dictionary.system(uri).is_none() {
            self.systems.insert(uri.to_owned());
        }
    }

    /// Asks for a coding.
    pub fn code(&mut self, system: &str, code: &str) {
        if self.dictionary.code(system, code).is_none() {
            self.codes.insert((system.to_owned(), code.to_owned()));
            self.system(system);
        }
    }

    /// Asks for a search parameter's name.
    pub fn parameter(&mut self, name: &str) {
        if self.dictionary.parameter(name).is_none() {
            self.parameters.insert(name.to_owned());
        }
    }
}

impl Dictionary {
    /// A list to write wishes on.
    pub fn wanted(&self) -> Wanted<'_> {
        let (systems, codes, parameters) = Default::default();
        Wanted { dictionary: self, systems, codes, parameters }
    }

    /// Makes sure that every wanted text has its number.
    ///
    /// Sorted inserts in few transactions: two servers that intern the same
    /// texts wait for each other instead of deadlocking. In one process those who
    /// want the same come in turn, and find that it was done.
    pub async fn intern(&self, db: &Db, mut wanted: Wanted<'_>) -> Result<(), StoreError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        wanted.recall();
        if wanted.is_empty() {
            return Ok(());
        }
        self.give(db, &wanted.systems, &wanted.parameters).await?;
        let codes: Vec<&Coding> = wanted.codes.iter().collect();
        for some in codes.chunks(AT_ONCE) {
            self.give_codes(db, some).await?;
        }
        Ok(())
    }

    async fn give(&self, db: &Db, uris: &BTreeSet<String>, names: &BTreeSet<String>) -> Result<(), StoreError> {
        if uris.is_empty() && names.is_empty() {
            return Ok(());
        }
        let transaction = db.begin().await?;
        let backend = db.backend();
        let mut systems = Vec::new();
        for uri in uris {
            let id = id_of(&*transaction, backend, "system", "uri", uri).await?;
            systems.push((uri.clone(), id));
        }
        let mut parameters = Vec::new();
        for name in names {
            let id = id_of(&*transaction, backend, "parameter", "name", name).await?;
            let id = i32::try_from(id).map_err(|_| StoreError::Missing { table: "parameter", what: "small id" })?;
            parameters.push((name.clone(), id));
        }
        transaction.commit().await?;
        self.systems.write().unwrap_or_else(PoisonError::into_inner).extend(systems);
        self.parameters.write().unwrap_or_else(PoisonError::into_inner).extend(parameters);
        Ok(())
    }

    /// The systems have their numbers.
    async fn give_codes(&self, db: &Db, wanted: &[&Coding]) -> Result<(), StoreError> {
        let transaction = db.begin().await?;
        let backend = db.backend();
        let mut codes = Vec::new();
        for (system, code) in wanted {
            let missing = StoreError::Missing { table: "system", what: "interned system" };
            let values = [self.system(system).ok_or(missing)?.into(), code.as_str().into()];
            let insert = "INSERT INTO code (system, code) VALUES (?, ?) ON CONFLICT DO NOTHING";
            transaction.execute_raw(statement(backend, insert, values.clone())).await?;
            let select = "SELECT id FROM code WHERE system = ? AND code = ?";
            let row = transaction.query_one_raw(statement(backend, select, values)).await?;
            let row = row.ok_or(StoreError::Missing { table: "code", what: "interned code" })?;
            codes.push((system, code, row.try_get_by_index::<i64>(0)?));
        }
        transaction.commit().await?;
        let mut known = self.codes.write().unwrap_or_else(PoisonError::into_inner);
        for (system, code, id) in codes {
            known.entry(system.clone()).or_default().insert(code.clone(), id);
        }
        Ok(())
    }

    /// The number of a system that was interned.
    pub fn system(&self, uri: &str) -> Option<i64> {
        read(&self.systems).get(uri).copied()
    }

    /// The number of a coding that was interned.
    pub fn code(&self, system: &str, code: &str) -> Option<i64> {
        read(&self.codes).get(system)?.get(code).copied()
    }

    /// The number of a search parameter that was interned.
    pub fn parameter(&self, name: &str) -> Option<i32> {
        read(&self.parameters).get(name).copied()
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

async fn id_of(
    connection: &impl ConnectionTrait,
    backend: sea_orm::DatabaseBackend,
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<i64, StoreError> {
    let insert = format!("INSERT INTO {table} ({column}) VALUES (?) ON CONFLICT DO NOTHING");
    connection.execute_raw(statement(backend, &insert, [text.into()])).await?;
    let select = format!("SELECT id FROM {table} WHERE {column} = ?");
    let row = connection.query_one_raw(statement(backend, &select, [text.into()])).await?;
    let row = row.ok_or(StoreError::Missing { table, what: "interned text" })?;
    Ok(row.try_get_by_index(0)?)
}
