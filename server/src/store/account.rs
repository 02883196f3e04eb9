//! Clients, people, sessions, grants and tokens: the rows behind `auth`.
//!
//! Nothing here decides who may do what; it moves rows, and each move that must
//! happen once (a code exchanged, a refresh token spent, an assertion seen) is
//! one statement whose count of touched rows says who won. Secrets come in and
//! go out as hashes. Instants are arguments, in microseconds since 1970.
//!
//! No method waits for another block while it holds a transaction: on SQLite
//! there is one writing connection, and a Consent is filed through it too.

mod client;
mod grant;
mod people;
mod session;
mod token;

pub use client::ClientRow;
pub use grant::{CodeTaken, GrantWithConsents, NewGrant};
pub(super) use token::alive;
pub use token::{BearerRow, Issue};

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, ModelTrait};

use super::db::Db;

/// The account tables; cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts {
    db: Db,
}

impl Accounts {
    /// The account tables of `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The database they are in.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// Inserts one whole row.
async fn insert<M, A, C>(at: &C, row: M) -> Result<(), DbErr>
where
    M: ModelTrait + IntoActiveModel<A>,
    A: ActiveModelTrait<Entity = M::Entity>,
    C: ConnectionTrait,
{
    M::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(at).await.map(drop)
}
