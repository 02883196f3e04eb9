//! Table `account`: people who sign in.

use sea_orm::entity::prelude::*;

/// One person's account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Stable and opaque: the `sub` of ID tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What she types.
    #[sea_orm(unique)]
    pub name: String,
    /// argon2id, as a PHC string.
    pub password: String,
    /// `person`, `professional` or `operator`.
    pub kind: String,
    /// Id of her own Patient.
    pub patient: Option<String>,
    /// Who she is: `Type/id`.
    pub fhir_user: Option<String>,
    /// Id of the Organization she works for.
    pub organization: Option<String>,
    /// As what she works there: a code of `consent::caller::ROLES`.
    pub role: Option<String>,
    /// Whether she is shut out.
    pub locked: bool,
    /// When it was made.
    pub created: i64,
}

/// Joins are written out where they are needed.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
