//! Table `refresh_token`: tokens that renew access, each once.

use sea_orm::entity::prelude::*;

/// One refresh token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// What it renews.
    pub grant_id: String,
    /// The only client that may use it.
    pub client: String,
    /// When it was given.
    pub issued: i64,
    /// When it dies.
    pub expires: i64,
    /// When it was used; 0 before.
    pub used: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
