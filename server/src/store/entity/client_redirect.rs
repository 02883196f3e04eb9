//! Table `client_redirect`: where a client may be redirected to.

use sea_orm::entity::prelude::*;

/// One registered redirect URI.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client_redirect")]
pub struct Model {
    /// `client_id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client: String,
    /// The URI, exactly.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uri: String,
    /// Its web origin (without the port for loopback); none for an app's own scheme.
    pub origin: Option<String>,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
