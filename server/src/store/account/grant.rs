//! What people have granted to clients, and the codes that carry it there.

use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::{Accounts, insert};
use crate::store::entity::{app_grant, authorization_code, grant_consent};

/// All that one approval writes.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// The grant.
    pub grant: app_grant::Model,
    /// (Patient, Consent) filed for it.
    pub consents: Vec<(String, String)>,
    /// The code that is sent to the client.
    pub code: authorization_code::Model,
}

/// What became of an attempt to exchange a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTaken {
    /// It was unused, and is used now.
    First,
    /// Someone was faster, or it is a replay.
    Again,
}

/// A grant and the Consents behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantWithConsents {
    /// The grant.
    pub grant: app_grant::Model,
    /// The Consents, by Patient.
    pub consents: Vec<grant_consent::Model>,
}

impl Accounts {
    /// Writes an approval. Earlier living grants of the same person to the same
    /// client hang on the new Consents from now on: a Consent stands for the
    /// triple (approver, client, patient), and the new one has replaced the old.
    pub async fn open_grant(&self, new: NewGrant) -> Result<(), DbErr> {
        let NewGrant { grant, consents, code } = new;
        let change = self.db.begin().await?;
        for (patient, consent) in &consents {
            let mut living = Query::select();
            living
                .column(app_grant::Column::Id)
                .from(app_grant::Entity)
                .and_where(app_grant::Column::Client.eq(&grant.client))
                .and_where(app_grant::Column::Account.eq(&grant.account))
                .and_where(app_grant::Column::Ended.is_null());
            grant_consent::Entity::update_many()
                .col_expr(grant_consent::Column::Consent, Expr::value(consent))
                .filter(grant_consent::Column::Patient.eq(patient))
                .filter(grant_consent::Column::GrantId.in_subquery(living))
                .exec(&*change)
                .await?;
        }
        for (patient, consent) in consents {
            insert(&*change, grant_consent::Model { grant_id: grant.id.clone(), patient, consent }).await?;
        }
        insert(&*change, grant).await?;
        insert(&*change, code).await?;
        change.commit().await
    }

    /// A code by its hash.
    pub async fn code(&self, hash: &[u8]) -> Result<Option<authorization_code::Model>, DbErr> {
        authorization_code::Entity::find_by_id(hash.to_vec()).one(self.db.read()).await
    }

    /// Marks a code used, once. For a code that must die without giving anything.
    pub async fn spend_code(&self, hash: &[u8], now: i64) -> Result<CodeTaken, DbErr> {
        spend_code(&*self.db.write().await, hash, now).await
    }

    /// Living grants whose code has expired unused.
    pub async fn never_exchanged(&self, now: i64) -> Result<Vec<String>, DbErr> {
        let sql = "SELECT g.id AS id FROM authorization_code c JOIN app_grant g ON g.id = c.grant_id \
                   WHERE c.used = 0 AND c.expires <= ? AND g.ended IS NULL ORDER BY g.id";
        let rows = self.db.all(sql, [now.into()]).await?;
        rows.iter().map(|row| row.try_get("", "id")).collect()
    }

    /// One grant.
    pub async fn grant(&self, id: &str) -> Result<Option<app_grant::Model>, DbErr> {
        app_grant::Entity::find_by_id(id).one(self.db.read()).await
    }

    /// The living grants of an account's holder, newest first.
    pub async fn grants_of(&self, account: &str) -> Result<Vec<GrantWithConsents>, DbErr> {
        let grants = app_grant::Entity::find()
            .filter(app_grant::Column::Account.eq(account))
            .filter(app_grant::Column::Ended.is_null())
            .order_by_desc(app_grant::Column::Created)
            .all(self.db.read())
            .await?;
        let mut found = Vec::with_capacity(grants.len());
        for grant in grants {
            let consents = self.consents_of(&grant.id).await?;
            found.push(GrantWithConsents { grant, consents });
        }
        Ok(found)
    }

    /// The Consents behind a grant.
    pub async fn consents_of(&self, grant: &str) -> Result<Vec<grant_consent::Model>, DbErr> {
        grant_consent::Entity::find()
            .filter(grant_consent::Column::GrantId.eq(grant))
            .order_by_asc(grant_consent::Column::Patient)
            .all(self.db.read())
            .await
    }

    /// Ends a grant and, with it, every token that came from it. Answers the
    /// Consents on which no living grant hangs any more; none if it had ended before.
    pub async fn end_grant(&self, id: &str, now: i64) -> Result<Vec<String>, DbErr> {
        let ended = app_grant::Entity::update_many()
            .col_expr(app_grant::Column::Ended, Expr::value(now))
            .filter(app_grant::Column::Id.eq(id))
            .filter(app_grant::Column::Ended.is_null())
            .exec(&*self.db.write().await)
            .await?;
        if ended.rows_affected == 0 {
            return Ok(Vec::new());
        }
        let sql = "SELECT c.consent AS consent FROM grant_consent c WHERE c.grant_id = ? AND NOT EXISTS \
                   (SELECT 1 FROM grant_consent o JOIN app_grant g ON g.id = o.grant_id \
                   WHERE o.consent = c.consent AND g.ended IS NULL) ORDER BY c.consent";
        let rows = self.db.all(sql, [id.into()]).await?;
        rows.iter().map(|row| row.try_get("", "consent")).collect()
    }

    /// Ends every grant that hangs on a Consent; how many there were. Pass the
    /// transaction that makes the Consent inactive, so that both happen at once.
    pub async fn end_grants_of_consent(at: &impl ConnectionTrait, consent: &str, now: i64) -> Result<u64, DbErr> {
        let mut hanging = Query::select();
        hanging
            .column(grant_consent::Column::GrantId)
            .from(grant_consent::Entity)
            .and_where(grant_consent::Column::Consent.eq(consent));
        let ended = app_grant::Entity::update_many()
            .col_expr(app_grant::Column::Ended, Expr::value(now))
            .filter(app_grant::Column::Id.in_subquery(hanging))
            .filter(app_grant::Column::Ended.is_null())
            .exec(at)
            .await?;
        Ok(ended.rows_affected)
    }
}

pub(super) async fn spend_code(at: &impl ConnectionTrait, hash: &[u8], now: i64) -> Result<CodeTaken, DbErr> {
    let done = authorization_code::Entity::update_many()
        .col_expr(authorization_code::Column::Used, Expr::value(now))
        .filter(authorization_code::Column::Hash.eq(hash.to_vec()))
        .filter(authorization_code::Column::Used.eq(0))
        .exec(at)
        .await?;
    Ok(if done.rows_affected == 1 { CodeTaken::First } else { CodeTaken::Again })
}
