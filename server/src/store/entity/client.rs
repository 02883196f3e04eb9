//! Table `client`: applications and systems that may ask for tokens.

use sea_orm::entity::prelude::*;

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client")]
pub struct Model {
    /// `client_id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// `public`, `secret`, `keys` or `backend`.
    pub kind: String,
    /// Name in Japanese.
    pub name_ja: String,
    /// Name in English.
    pub name_en: String,
    /// SHA-256 of the secret.
    pub secret: Option<Vec<u8>>,
    /// Its public keys, as a JWK set.
    pub jwks: Option<String>,
    /// Where its public keys are fetched from.
    pub jwks_url: Option<String>,
    /// What it may ask for.
    pub scopes: String,
    /// Id of the Organization it belongs to.
    pub organization: Option<String>,
    /// Default purpose of use by kind of user, as JSON.
    pub purposes: String,
    /// Where an EHR opens it.
    pub launch_url: Option<String>,
    /// Whether what it writes is its organization's own record.
    pub custodial: bool,
    /// The towns under whose resident keys it may make people, 5 digits each, parted by
    /// spaces; empty: any.
    pub municipalities: String,
    /// Whether it is shut out.
    pub disabled: bool,
    /// When it was registered.
    pub created: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
