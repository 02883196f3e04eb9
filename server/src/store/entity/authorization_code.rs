//! Table `authorization_code`: codes handed to browsers, to be exchanged once.

use sea_orm::entity::prelude::*;

/// One authorization code.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authorization_code")]
pub struct Model {
    /// SHA-256 of the code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// What it stands for.
    pub grant_id: String,
    /// The only client that may exchange it.
    pub client: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// PKCE challenge, S256.
    pub challenge: String,
    /// To be echoed in the ID token.
    pub nonce: Option<String>,
    /// When it dies.
    pub expires: i64,
    /// When it was exchanged; 0 before.
    pub used: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
