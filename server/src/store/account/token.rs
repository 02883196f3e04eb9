//! Access tokens, refresh tokens and client assertions.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

use super::grant::{CodeTaken, spend_code};
use super::{Accounts, insert};
use crate::store::entity::{
    access_token, assertion, authorization_code, failed_sign_in, known_browser, refresh_token, session,
};
use crate::store::row::Row;
use crate::store::sql::Sql;
use crate::store::watch::Watch;

/// The tokens of one answer.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Always.
    pub access: access_token::Model,
    /// Where lasting access was granted.
    pub refresh: Option<refresh_token::Model>,
}

/// A living access token with what is known of its client, user and grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerRow {
    /// Name of the token in the audit record.
    pub id: String,
    /// The grant it came from.
    pub grant_id: Option<String>,
    /// What it allows.
    pub scopes: String,
    /// The Patient in context.
    pub patient: Option<String>,
    /// Purpose of use.
    pub purpose: String,
    /// Whether an ID token came with it.
    pub with_id_token: bool,
    /// When it was given.
    pub issued: i64,
    /// When it dies.
    pub expires: i64,
    /// `client_id`.
    pub client: String,
    /// Kind of client.
    pub client_kind: String,
    /// The client's organization.
    pub client_organization: Option<String>,
    /// Whether the client writes its organization's own records.
    pub custodial: bool,
    /// Who approved it.
    pub account: Option<String>,
    /// Her sign-in name.
    pub account_name: Option<String>,
    /// Kind of account.
    pub account_kind: Option<String>,
    /// Who she is.
    pub fhir_user: Option<String>,
    /// Her own Patient.
    pub account_patient: Option<String>,
    /// Where she works.
    pub account_organization: Option<String>,
    /// As what she works there.
    pub account_role: Option<String>,
}

/// Everything on which a token's life hangs is asked in one statement: its own
/// time, the client, the grant, the account, and the approver's authority over
/// the patient at this instant.
const BEARER: &str = "t.id, t.grant_id, t.scopes, t.patient, t.purpose, t.with_id_token, t.issued, t.expires, \
    t.client, c.kind, c.organization, c.custodial, t.account, a.name, a.kind, a.fhir_user, a.patient, a.organization, a.role";

/// `FROM access_token t …`: the token, if it lives.
pub(in crate::store) fn alive(hash: &[u8], now: i64) -> Sql {
    let mut sql = Sql::new(BEARER_FROM);
    sql.text(" WHERE t.hash = ").bind(hash.to_vec());
    sql.text(" AND t.expires > ").instant(now).text(BEARER_ALIVE).instant(now);
    sql.text(" AND (u.valid_until IS NULL OR u.valid_until > ").instant(now).text(")))");
    sql
}

const BEARER_FROM: &str = " \
    FROM access_token t JOIN client c ON c.id = t.client \
    LEFT JOIN account a ON a.id = t.account LEFT JOIN app_grant g ON g.id = t.grant_id";

const BEARER_ALIVE: &str = " AND t.revoked = 0 AND NOT c.disabled \
    AND (t.grant_id IS NULL OR (g.id IS NOT NULL AND g.ended IS NULL)) \
    AND (t.account IS NULL OR NOT a.locked) \
    AND (t.patient IS NULL OR t.account IS NULL OR a.kind = 'professional' OR EXISTS \
    (SELECT 1 FROM authority u WHERE u.account = t.account AND u.patient = t.patient \
    AND u.valid_from <= ";

/// The row of [`BEARER`].
fn bearer(row: &Row) -> Result<BearerRow, DbErr> {
    Ok(BearerRow {
        id: row.get(0)?,
        grant_id: row.get(1)?,
        scopes: row.get(2)?,
        patient: row.get(3)?,
        purpose: row.get(4)?,
        with_id_token: row.get(5)?,
        issued: row.get(6)?,
        expires: row.get(7)?,
        client: row.get(8)?,
        client_kind: row.get(9)?,
        client_organization: row.get(10)?,
        custodial: row.get(11)?,
        account: row.get(12)?,
        account_name: row.get(13)?,
        account_kind: row.get(14)?,
        fhir_user: row.get(15)?,
        account_patient: row.get(16)?,
        account_organization: row.get(17)?,
        account_role: row.get(18)?,
    })
}

/// The column after those of [`BEARER`].
const MARK_AT: usize = 19;

impl Accounts {
    /// Exchanges a code for tokens: both happen, or neither.
    pub async fn redeem_code(&self, hash: &[u8], issue: Issue, now: i64) -> Result<CodeTaken, DbErr> {
        let change = self.db.begin().await?;
        if spend_code(&*change, hash, now).await? == CodeTaken::Again {
            return Ok(CodeTaken::Again);
        }
        insert(&*change, issue.access).await?;
        if let Some(refresh) = issue.refresh {
            insert(&*change, refresh).await?;
        }
        change.commit().await?;
        Ok(CodeTaken::First)
    }

    /// A refresh token by its hash.
    pub async fn refresh_token(&self, hash: &[u8]) -> Result<Option<refresh_token::Model>, DbErr> {
        refresh_token::Entity::find_by_id(hash.to_vec()).one(self.db.read()).await
    }

    /// Exchanges a refresh token for the next tokens: both happen, or neither.
    /// False if it had been used before.
    pub async fn rotate(&self, hash: &[u8], issue: Issue, now: i64) -> Result<bool, DbErr> {
        let change = self.db.begin().await?;
        let spent = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::Used, Expr::value(now))
            .filter(refresh_token::Column::Hash.eq(hash.to_vec()))
            .filter(refresh_token::Column::Used.eq(0))
            .exec(&*change)
            .await?;
        if spent.rows_affected != 1 {
            return Ok(false);
        }
        insert(&*change, issue.access).await?;
        if let Some(refresh) = issue.refresh {
            insert(&*change, refresh).await?;
        }
        change.commit().await?;
        Ok(true)
    }

    /// Stores an access token that no person approved: a backend's or the operator's.
    pub async fn issue(&self, access: access_token::Model) -> Result<(), DbErr> {
        insert(&*self.db.write().await, access).await
    }

    /// A living access token, by its hash.
    pub async fn bearer(&self, hash: &[u8], now: i64) -> Result<Option<BearerRow>, DbErr> {
        Ok(self.bearer_watched(hash, now, None).await?.map(|(bearer, _)| bearer))
    }

    /// A living access token, by its hash, with the mark of `watch` at the same instant.
    pub async fn bearer_watched(
        &self,
        hash: &[u8],
        now: i64,
        watch: Option<&Watch>,
    ) -> Result<Option<(BearerRow, String)>, DbErr> {
        let mut sql = Sql::new("SELECT ");
        sql.text(BEARER).text(", ").push(watch.map_or_else(|| Sql::new("''"), |watch| watch.mark(now)));
        sql.push(alive(hash, now));
        let rows = self.db.rows(sql).await?;
        rows.first().map(|row| Ok((bearer(row)?, row.get(MARK_AT)?))).transpose()
    }

    /// An access token by its hash, dead or alive.
    pub async fn access_token(&self, hash: &[u8]) -> Result<Option<access_token::Model>, DbErr> {
        access_token::Entity::find_by_id(hash.to_vec()).one(self.db.read()).await
    }

    /// Revokes one access token.
    pub async fn revoke_access(&self, hash: &[u8], now: i64) -> Result<(), DbErr> {
        access_token::Entity::update_many()
            .col_expr(access_token::Column::Revoked, Expr::value(now))
            .filter(access_token::Column::Hash.eq(hash.to_vec()))
            .filter(access_token::Column::Revoked.eq(0))
            .exec(&*self.db.write().await)
            .await
            .map(drop)
    }

    /// Notes a client assertion; false if it was seen before.
    pub async fn claim_assertion(&self, row: assertion::Model) -> Result<bool, DbErr> {
        let conflict = OnConflict::columns([assertion::Column::Client, assertion::Column::Jti]).do_nothing().to_owned();
        let rows = assertion::Entity::insert(row.into_active_model().reset_all())
            .on_conflict(conflict)
            .exec_without_returning(&*self.db.write().await)
            .await;
        match rows {
            Ok(rows) => Ok(rows == 1),
            Err(DbErr::RecordNotInserted) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what has died. Codes and refresh tokens stay for as long as a
    /// replay of them should be noticed.
    ///
    /// * `now`, `day`: microseconds; rows are kept for one more `day`.
    pub async fn sweep(&self, now: i64, day: i64) -> Result<u64, DbErr> {
        let before = now - day;
        let at = &*self.db.write().await;
        let mut gone = 0;
        gone +=
            session::Entity::delete_many().filter(session::Column::Expires.lt(before)).exec(at).await?.rows_affected;
        gone += authorization_code::Entity::delete_many()
            .filter(authorization_code::Column::Expires.lt(before))
            .exec(at)
            .await?
            .rows_affected;
        gone += access_token::Entity::delete_many()
            .filter(access_token::Column::Expires.lt(before))
            .exec(at)
            .await?
            .rows_affected;
        gone += refresh_token::Entity::delete_many()
            .filter(refresh_token::Column::Expires.lt(before))
            .exec(at)
            .await?
            .rows_affected;
        gone += assertion::Entity::delete_many()
            .filter(assertion::Column::Expires.lt(before))
            .exec(at)
            .await?
            .rows_affected;
        gone += known_browser::Entity::delete_many()
            .filter(known_browser::Column::Expires.lt(before))
            .exec(at)
            .await?
            .rows_affected;
        gone += failed_sign_in::Entity::delete_many()
            .filter(failed_sign_in::Column::At.lt(before))
            .exec(at)
            .await?
            .rows_affected;
        Ok(gone)
    }
}
