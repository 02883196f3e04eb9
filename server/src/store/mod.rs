//! All SQL lives here and in `migrations`.
//!
//! Two doors: [`Store::reader`] takes a [`View`] and answers nothing beyond it;
//! [`Store::write`] takes a planned [`WriteSet`] and answers after the commit.
//! To store something new, add a migration, and a file here beside its like.

pub mod account;
mod arrays;
pub mod audit;
mod checkpoint;
mod crowd;
pub mod db;
pub mod dictionary;
pub mod entity;
pub mod error;
pub mod everything;
pub mod facts;
#[cfg(test)]
mod folder;
pub mod import;
pub mod index;
pub mod keys;
mod latest;
mod lost;
pub mod meta;
mod numbers;
mod pen;
pub mod people;
pub mod reader;
mod readers;
mod row;
mod rows;
pub mod rules;
mod runs;
pub mod seal;
mod select;
mod sql;
mod sqlite;
pub mod stance;
mod states;
mod trouble;
pub mod upkeep;
mod visible;
pub mod watch;
pub mod write;
mod writer;

use techo_migrations::{Migrator, MigratorTrait};

use crate::clock::Clock;
use crate::consent::View;

pub use db::Db;
pub use dictionary::Dictionary;
pub use error::StoreError;
pub use reader::Reader;
pub use trouble::Trouble;
pub use write::{Committed, Refused, WriteSet};

/// The records, their indexes and their history.
#[derive(Debug)]
pub struct Store {
    db: Db,
    dictionary: Dictionary,
    writer: writer::Writer,
    epoch: i32,
    numbers: numbers::Numbers,
    names: people::Names,
    stances: stance::Stances,
    states: states::States,
}

impl Store {
    /// Brings the schema up to date and starts the writer.
    ///
    /// * `epoch`: of the rules by which bodies become index rows. A row written
    ///   under another epoch is indexed anew when it changes, or by `techo reindex`.
    pub async fn open(db: Db, clock: Clock, epoch: i32) -> Result<Self, StoreError> {
        Migrator::up(&*db.write().await, None).await?;
        let writer = writer::Writer::start(db.clone(), clock, epoch)?;
        let numbers = numbers::Numbers::new(db.clone());
        Ok(Self {
            db,
            dictionary: Dictionary::default(),
            writer,
            epoch,
            numbers,
            names: people::Names::default(),
            stances: stance::Stances::default(),
            states: states::States::default(),
        })
    }

    /// The epoch under which index rows are written now.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Reads what `view` shows.
    pub fn reader<'a>(&'a self, view: &'a View) -> Reader<'a> {
        Reader::new(self, view)
    }

    /// Whether a decision that was made before stands.
    pub async fn stands(&self, warrant: &watch::Warrant) -> Result<bool, StoreError> {
        let nothing = sql::Sql::new("SELECT CAST(1 AS BIGINT)");
        if !self.db.asks_beside()
            && let Some(guard) = warrant.known()
            && guard.holds_in(&self.states.now(&self.db).await?)
        {
            return Ok(true);
        }
        let found = if self.db.asks_beside() {
            self.db.resting(warrant, true, nothing).await.map(drop)
        } else {
            self.db.guarded(warrant, true, |guard| guard.over(nothing.clone())).await.map(drop)
        };
        match found {
            Ok(()) => Ok(true),
            Err(StoreError::Stale) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes one set; answers after the commit.
    pub async fn write(&self, mut set: WriteSet) -> Result<Result<Committed, Refused>, StoreError> {
        let named = self.named(&set);
        set.extras.extend(named);
        self.writer.write(set).await
    }

    /// Whether the database answers.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.db.one("SELECT 1", []).await?;
        Ok(())
    }

    /// The database, for the blocks of the store that live beside the records.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Numbers for systems, codes and parameters.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// A row number that was never given before, by any server on this database.
    pub async fn number(&self) -> Result<i64, StoreError> {
        self.numbers.next().await
    }
}
