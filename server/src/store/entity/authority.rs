//! Table `authority`: who may act for whom, as the operator has verified.

use sea_orm::entity::prelude::*;

/// One person's authority over one Patient.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authority")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Who holds it.
    pub account: String,
    /// Id of the Patient.
    pub patient: String,
    /// `self`, `guardian` or `delegate`.
    pub kind: String,
    /// Id of the `RelatedPerson` that stands for it.
    pub related_person: Option<String>,
    /// Whether a delegate may connect applications.
    pub with_apps: bool,
    /// First instant.
    pub valid_from: i64,
    /// The instant after the last.
    pub valid_until: Option<i64>,
    /// What the operator saw.
    pub evidence: String,
    /// When it was entered.
    pub created: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
