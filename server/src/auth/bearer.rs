//! An access token at the door: whose it is and what it allows.
//!
//! Nothing is remembered from one request to the next. A token is as good as its
//! row, its client, its grant, its approver's account and her authority over the
//! patient are at this instant, so that a withdrawal is felt by the next call.
//!
//! Source: RFC 6750; SMART App Launch 2.2 §Access tokens

use super::client::ClientKind;
use super::person::{AccountKind, User};
use super::scope::Scopes;
use super::server::ServerError;
use crate::secret::hash;
use crate::store::account::{Accounts, BearerRow};

/// A living access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Name of the token in the audit record.
    pub token: String,
    /// `client_id`.
    pub client: String,
    /// Kind of client.
    pub client_kind: ClientKind,
    /// The Organization the client belongs to.
    pub client_organization: Option<String>,
    /// Whether what the client writes is its organization's own record.
    pub custodial: bool,
    /// Who approved it; none for a backend's or an operator's token.
    pub user: Option<User>,
    /// The grant it came from.
    pub grant: Option<String>,
    /// What it allows.
    pub scopes: Scopes,
    /// Id of the Patient in context.
    pub patient: Option<String>,
    /// Purpose of use.
    pub purpose: String,
    /// Whether an ID token came with it.
    pub with_id_token: bool,
    /// When it was given, in microseconds since 1970.
    pub issued: i64,
    /// When it dies.
    pub expires: i64,
}

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No token, or more than one.
    #[error("an access token is required")]
    Missing,
    /// Unknown, expired or revoked: not told apart.
    #[error("the access token is not valid")]
    Invalid,
    /// Our own fault.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl AuthError {
    /// The `WWW-Authenticate` header, where one is due (RFC 6750 §3).
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some(r#"Bearer realm="techo""#),
            Self::Invalid => Some(
                r#"Bearer realm="techo", error="invalid_token", error_description="the access token is not valid""#,
            ),
            Self::Server(_) => None,
        }
    }
}

/// The token of an `Authorization` header.
pub fn token(header: Option<&str>) -> Result<&str, AuthError> {
    let (scheme, token) = header.and_then(|header| header.split_once(' ')).ok_or(AuthError::Missing)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() { Err(AuthError::Missing) } else { Ok(token) }
}

/// The living access token `token`.
///
/// * `now`: microseconds since 1970.
pub async fn authenticate(accounts: &Accounts, token: &str, now: i64) -> Result<Bearer, AuthError> {
    let row = accounts.bearer(&hash(token.as_bytes()), now).await.map_err(ServerError::from)?;
    Bearer::of(row.ok_or(AuthError::Invalid)?).map_err(AuthError::Server)
}

impl Bearer {
    fn of(row: BearerRow) -> Result<Self, ServerError> {
        let user = match (row.account, row.account_name, row.account_kind) {
            (Some(id), Some(name), Some(kind)) => Some(User {
                id,
                name,
                kind: kind.parse::<AccountKind>()?,
                fhir_user: row.fhir_user,
                patient: row.account_patient,
                organization: row.account_organization,
            }),
            _ => None,
        };
        Ok(Self {
            token: row.id,
            client: row.client,
            client_kind: row.client_kind.parse()?,
            client_organization: row.client_organization,
            custodial: row.custodial,
            user,
            grant: row.grant_id,
            scopes: Scopes::known(&row.scopes),
            patient: row.patient,
            purpose: row.purpose,
            with_id_token: row.with_id_token,
            issued: row.issued,
            expires: row.expires,
        })
    }
}
