//! Signed-in browsers, browsers known from before, and wrong passwords.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter};

use super::{Accounts, insert};
use crate::store::entity::{account, failed_sign_in, known_browser, session};

impl Accounts {
    /// Opens a session; the one that the browser had before ends.
    pub async fn open_session(&self, row: session::Model, before: Option<&[u8]>) -> Result<(), DbErr> {
        let change = self.db.begin().await?;
        if let Some(before) = before {
            session::Entity::delete_by_id(before.to_vec()).exec(&*change).await?;
        }
        insert(&*change, row).await?;
        change.commit().await
    }

    /// A session that is alive at `now`, and whose it is. A locked account has none.
    pub async fn session(&self, hash: &[u8], now: i64) -> Result<Option<(session::Model, account::Model)>, DbErr> {
        let found = session::Entity::find_by_id(hash.to_vec())
            .filter(session::Column::Expires.gt(now))
            .one(self.db.read())
            .await?;
        let Some(session) = found else { return Ok(None) };
        let account = self.account(&session.account).await?.filter(|account| !account.locked);
        Ok(account.map(|account| (session, account)))
    }

    /// Ends a session.
    pub async fn close_session(&self, hash: &[u8]) -> Result<(), DbErr> {
        session::Entity::delete_by_id(hash.to_vec()).exec(&*self.db.write().await).await.map(drop)
    }

    /// Remembers a browser in which an account has signed in.
    pub async fn know_browser(&self, row: known_browser::Model) -> Result<(), DbErr> {
        insert(&*self.db.write().await, row).await
    }

    /// Whether a browser is known for an account.
    pub async fn knows_browser(&self, hash: &[u8], account: &str, now: i64) -> Result<bool, DbErr> {
        let found = known_browser::Entity::find_by_id(hash.to_vec()).one(self.db.read()).await?;
        Ok(found.is_some_and(|known| known.account == account && known.expires > now))
    }

    /// How often a password was wrong since `since`.
    pub async fn failures(&self, key: &[u8], since: i64) -> Result<u64, DbErr> {
        failed_sign_in::Entity::find()
            .filter(failed_sign_in::Column::Key.eq(key.to_vec()))
            .filter(failed_sign_in::Column::At.gt(since))
            .count(self.db.read())
            .await
    }

    /// Notes a wrong password.
    pub async fn note_failure(&self, row: failed_sign_in::Model) -> Result<(), DbErr> {
        insert(&*self.db.write().await, row).await
    }
}
