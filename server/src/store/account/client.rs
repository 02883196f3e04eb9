//! Registered clients and their redirect URIs.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder};

use super::{Accounts, insert};
use crate::store::entity::{access_token, app_grant, client, client_redirect};

/// A client and where it may be redirected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// The registration.
    pub client: client::Model,
    /// Its redirect URIs.
    pub redirects: Vec<client_redirect::Model>,
}

impl Accounts {
    /// Registers a client.
    pub async fn add_client(&self, row: ClientRow) -> Result<(), DbErr> {
        let change = self.db.begin().await?;
        insert(&*change, row.client).await?;
        for redirect in row.redirects {
            insert(&*change, redirect).await?;
        }
        change.commit().await
    }

    /// One client, disabled or not.
    pub async fn client(&self, id: &str) -> Result<Option<ClientRow>, DbErr> {
        let Some(client) = client::Entity::find_by_id(id).one(self.db.read()).await? else { return Ok(None) };
        let redirects = client_redirect::Entity::find()
            .filter(client_redirect::Column::Client.eq(id))
            .order_by_asc(client_redirect::Column::Uri)
            .all(self.db.read())
            .await?;
        Ok(Some(ClientRow { client, redirects }))
    }

    /// All clients, by id.
    pub async fn clients(&self) -> Result<Vec<client::Model>, DbErr> {
        client::Entity::find().order_by_asc(client::Column::Id).all(self.db.read()).await
    }

    /// Gives a client another secret; false if there is no such client.
    pub async fn set_client_secret(&self, id: &str, hash: &[u8]) -> Result<bool, DbErr> {
        let done = client::Entity::update_many()
            .col_expr(client::Column::Secret, Expr::value(hash.to_vec()))
            .filter(client::Column::Id.eq(id))
            .exec(&*self.db.write().await)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Gives a client other keys; false if there is no such client.
    pub async fn set_client_keys(&self, id: &str, jwks: Option<String>, url: Option<String>) -> Result<bool, DbErr> {
        let done = client::Entity::update_many()
            .col_expr(client::Column::Jwks, Expr::value(jwks))
            .col_expr(client::Column::JwksUrl, Expr::value(url))
            .filter(client::Column::Id.eq(id))
            .exec(&*self.db.write().await)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Shuts a client out, or lets it in again; false if there is no such client.
    /// While it is shut out none of its tokens work.
    pub async fn disable_client(&self, id: &str, disabled: bool) -> Result<bool, DbErr> {
        let done = client::Entity::update_many()
            .col_expr(client::Column::Disabled, Expr::value(disabled))
            .filter(client::Column::Id.eq(id))
            .exec(&*self.db.write().await)
            .await?;
        Ok(done.rows_affected == 1)
    }

    /// Removes a client: its grants end and its tokens are gone, so that a later
    /// registration of the same name inherits nothing. False if there is no such client.
    pub async fn remove_client(&self, id: &str, now: i64) -> Result<bool, DbErr> {
        let change = self.db.begin().await?;
        let gone = client::Entity::delete_by_id(id).exec(&*change).await?.rows_affected;
        client_redirect::Entity::delete_many().filter(client_redirect::Column::Client.eq(id)).exec(&*change).await?;
        access_token::Entity::delete_many().filter(access_token::Column::Client.eq(id)).exec(&*change).await?;
        app_grant::Entity::update_many()
            .col_expr(app_grant::Column::Ended, Expr::value(now))
            .filter(app_grant::Column::Client.eq(id))
            .filter(Expr::col(app_grant::Column::Ended).is_null())
            .exec(&*change)
            .await?;
        change.commit().await?;
        Ok(gone == 1)
    }

    /// Whether an enabled client is registered with this web origin.
    pub async fn knows_origin(&self, origin: &str) -> Result<bool, DbErr> {
        let sql = "SELECT 1 AS found FROM client_redirect r JOIN client c ON c.id = r.client \
                   WHERE r.origin = ? AND NOT c.disabled LIMIT 1";
        Ok(self.db.one(sql, [origin.into()]).await?.is_some())
    }
}
