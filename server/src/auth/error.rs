//! Why an endpoint that answers programs refused: token, introspection, revocation.
//!
//! Source: RFC 6749 §5.2

use super::form::Repeated;
use super::server::{FilingError, ServerError};
use crate::auth::client::BadRow;

/// A refusal.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// A parameter is missing, malformed or there twice.
    #[error("{0}")]
    Request(String),
    /// The client did not prove itself.
    #[error("{0}")]
    Client(&'static str),
    /// The client's assertion does not hold. 400, as test suites of the field expect.
    #[error("{0}")]
    Assertion(&'static str),
    /// The code or refresh token is not good, or not this client's.
    #[error("{0}")]
    Grant(&'static str),
    /// This client may not use this grant.
    #[error("this client may not use this grant")]
    GrantNotAllowed,
    /// No such grant.
    #[error("grant_type is none of authorization_code, refresh_token, client_credentials")]
    GrantUnknown,
    /// Nothing of what was asked for can be granted.
    #[error("{0}")]
    Scope(&'static str),
    /// Our own fault.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl OauthError {
    /// Status and `error` code. No catch-all: a new variant must choose its answer here.
    pub fn answer(&self) -> (u16, &'static str) {
        match self {
            Self::Request(_) => (400, "invalid_request"),
            Self::Client(_) => (401, "invalid_client"),
            Self::Assertion(_) => (400, "invalid_client"),
            Self::Grant(_) => (400, "invalid_grant"),
            Self::GrantNotAllowed => (400, "unauthorized_client"),
            Self::GrantUnknown => (400, "unsupported_grant_type"),
            Self::Scope(_) => (400, "invalid_scope"),
            Self::Server(_) => (500, "server_error"),
        }
    }

    /// `error_description`: for the client's developer. Of our own faults it says nothing.
    pub fn description(&self) -> String {
        match self {
            Self::Server(_) => "the server could not answer; its log says why".to_owned(),
            Self::Request(_)
            | Self::Client(_)
            | Self::Assertion(_)
            | Self::Grant(_)
            | Self::GrantNotAllowed
            | Self::GrantUnknown
            | Self::Scope(_) => self.to_string(),
        }
    }
}

impl From<Repeated> for OauthError {
    fn from(error: Repeated) -> Self {
        Self::Request(error.to_string())
    }
}

impl From<sea_orm::DbErr> for OauthError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Server(error.into())
    }
}

impl From<BadRow> for OauthError {
    fn from(error: BadRow) -> Self {
        Self::Server(error.into())
    }
}

impl From<FilingError> for OauthError {
    fn from(error: FilingError) -> Self {
        Self::Server(error.into())
    }
}
