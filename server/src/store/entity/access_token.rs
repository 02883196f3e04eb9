//! Table `access_token`: tokens that open the FHIR API.

use sea_orm::entity::prelude::*;

/// One access token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_token")]
pub struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: Vec<u8>,
    /// Name of the token in the audit record.
    pub id: String,
    /// The grant it came from; none for a backend's own.
    pub grant_id: Option<String>,
    /// Whose it is.
    pub client: String,
    /// Who approved it.
    pub account: Option<String>,
    /// Id of the Patient in context.
    pub patient: Option<String>,
    /// What it allows.
    pub scopes: String,
    /// Purpose of use.
    pub purpose: String,
    /// Whether an ID token came with it.
    pub with_id_token: bool,
    /// When it was given.
    pub issued: i64,
    /// When it dies.
    pub expires: i64,
    /// When it was revoked; 0 before.
    pub revoked: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
