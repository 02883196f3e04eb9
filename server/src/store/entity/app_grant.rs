//! Table `app_grant`: what a person has granted to a client.

use sea_orm::entity::prelude::*;

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "app_grant")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// To whom.
    pub client: String,
    /// By whom.
    pub account: String,
    /// Id of the Patient in context.
    pub patient: Option<String>,
    /// What, in the spelling asked.
    pub scopes: String,
    /// Purpose of use.
    pub purpose: String,
    /// The browser session on which `online_access` hangs.
    pub session: Option<Vec<u8>>,
    /// When the person had signed in.
    pub signed_in: i64,
    /// When it was given.
    pub created: i64,
    /// When it ended.
    pub ended: Option<i64>,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
