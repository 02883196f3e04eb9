//! Accounts, and whom their holders may act for.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder};

use super::{Accounts, insert};
use crate::store::entity::{account, authority, client, session};

impl Accounts {
    /// Adds an account with the authorities its holder has from the start.
    pub async fn add_account(&self, row: account::Model, holds: Vec<authority::Model>) -> Result<(), DbErr> {
        let change = self.db.begin().await?;
        insert(&*change, row).await?;
        for authority in holds {
            insert(&*change, authority).await?;
        }
        change.commit().await
    }

    /// An account by key.
    pub async fn account(&self, id: &str) -> Result<Option<account::Model>, DbErr> {
        account::Entity::find_by_id(id).one(self.db.read()).await
    }

    /// An account by the name its holder types.
    pub async fn account_named(&self, name: &str) -> Result<Option<account::Model>, DbErr> {
        account::Entity::find().filter(account::Column::Name.eq(name)).one(self.db.read()).await
    }

    /// All accounts, by name.
    pub async fn accounts(&self) -> Result<Vec<account::Model>, DbErr> {
        account::Entity::find().order_by_asc(account::Column::Name).all(self.db.read()).await
    }

    /// Gives an account another password and signs its browsers out.
    pub async fn set_password(&self, id: &str, password: &str) -> Result<bool, DbErr> {
        let change = self.db.begin().await?;
        let done = account::Entity::update_many()
            .col_expr(account::Column::Password, Expr::value(password))
            .filter(account::Column::Id.eq(id))
            .exec(&*change)
            .await?;
        session::Entity::delete_many().filter(session::Column::Account.eq(id)).exec(&*change).await?;
        change.commit().await?;
        Ok(done.rows_affected == 1)
    }

    /// Shuts an account out, signing its browsers out, or lets it in again.
    /// While it is shut out no token that its holder approved works.
    pub async fn lock_account(&self, id: &str, locked: bool) -> Result<bool, DbErr> {
        let change = self.db.begin().await?;
        let done = account::Entity::update_many()
            .col_expr(account::Column::Locked, Expr::value(locked))
            .filter(account::Column::Id.eq(id))
            .exec(&*change)
            .await?;
        if locked {
            session::Entity::delete_many().filter(session::Column::Account.eq(id)).exec(&*change).await?;
        }
        change.commit().await?;
        Ok(done.rows_affected == 1)
    }

    /// Enters an authority that the operator has verified.
    pub async fn add_authority(&self, row: authority::Model) -> Result<(), DbErr> {
        insert(&*self.db.write().await, row).await
    }

    /// Ends an authority at `now`; false if it had ended, or never was.
    pub async fn end_authority(&self, id: &str, now: i64) -> Result<bool, DbErr> {
        let done = authority::Entity::update_many()
            .col_expr(authority::Column::ValidUntil, Expr::value(now))
            .filter(authority::Column::Id.eq(id))
            .filter(authority::Column::ValidUntil.is_null().or(authority::Column::ValidUntil.gt(now)))
            .exec(&*self.db.write().await)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// The authorities that an account's holder has at `now`, her own Patient first.
    pub async fn authorities(&self, account: &str, now: i64) -> Result<Vec<authority::Model>, DbErr> {
        let mut held = authority::Entity::find()
            .filter(authority::Column::Account.eq(account))
            .filter(authority::Column::ValidFrom.lte(now))
            .filter(authority::Column::ValidUntil.is_null().or(authority::Column::ValidUntil.gt(now)))
            .order_by_asc(authority::Column::Created)
            .order_by_asc(authority::Column::Id)
            .all(self.db.read())
            .await?;
        held.sort_by_key(|authority| authority.kind != "self");
        Ok(held)
    }

    /// Who holds authority over a Patient at `now`.
    pub async fn holders(&self, patient: &str, now: i64) -> Result<Vec<authority::Model>, DbErr> {
        authority::Entity::find()
            .filter(authority::Column::Patient.eq(patient))
            .filter(authority::Column::ValidFrom.lte(now))
            .filter(authority::Column::ValidUntil.is_null().or(authority::Column::ValidUntil.gt(now)))
            .order_by_asc(authority::Column::Id)
            .all(self.db.read())
            .await
    }
}

impl Accounts {
    /// References of the people who work at an organization.
    ///
    /// * `organization`: its id.
    pub async fn people_of(&self, organization: &str) -> Result<Vec<String>, DbErr> {
        let rows = account::Entity::find()
            .filter(account::Column::Organization.eq(organization))
            .all(self.db().read())
            .await?;
        Ok(rows.into_iter().filter_map(|row| row.fhir_user).collect())
    }

    /// Whether clients or accounts are registered for an organization.
    ///
    /// * `organization`: its id.
    pub async fn is_registered_for(&self, organization: &str) -> Result<bool, DbErr> {
        // Either spelling names it.
        let spelled = [organization.to_owned(), format!("Organization/{organization}")];
        let clients = client::Entity::find().filter(client::Column::Organization.is_in(spelled.clone()));
        if clients.one(self.db().read()).await?.is_some() {
            return Ok(true);
        }
        let accounts = account::Entity::find().filter(account::Column::Organization.is_in(spelled));
        Ok(accounts.one(self.db().read()).await?.is_some())
    }
}
