//! Table `grant_consent`: the Consent filed for a grant, one for each Patient.

use sea_orm::entity::prelude::*;

/// The Consent behind a grant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "grant_consent")]
pub struct Model {
    /// The grant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub grant_id: String,
    /// Id of the Patient.
    #[sea_orm(primary_key, auto_increment = false)]
    pub patient: String,
    /// Id of the Consent.
    pub consent: String,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
