//! Table `assertion`: client assertions seen, so that none is taken twice.

use sea_orm::entity::prelude::*;

/// One assertion.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assertion")]
pub struct Model {
    /// Who signed it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client: String,
    /// SHA-256 of its `jti`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub jti: Vec<u8>,
    /// When it may be forgotten.
    pub expires: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
