//! Tokens given back by the client that holds them.
//!
//! A refresh token takes its whole grant along. Of a token that is unknown, or
//! another client's, the answer says nothing.
//!
//! Source: RFC 7009

use super::authenticate::{self, Request};
use super::error::OauthError;
use super::form::Form;
use super::server::AuthorizationServer;
use crate::secret::hash;

/// Answers a request to the revocation endpoint.
pub async fn answer(server: &AuthorizationServer, authorization: Option<&str>, form: &Form) -> Result<(), OauthError> {
    let client = authenticate::required(server, Request { authorization, form }).await?;
    let token = form.one("token")?.ok_or_else(|| OauthError::Request("token is missing".to_owned()))?;
    let hash = hash(token.as_bytes());
    if let Some(refresh) = server.accounts.refresh_token(&hash).await? {
        if refresh.client == client.id {
            server.end_grant(&refresh.grant_id).await?;
        }
        return Ok(());
    }
    let access = server.accounts.access_token(&hash).await?;
    if access.is_some_and(|access| access.client == client.id) {
        server.accounts.revoke_access(&hash, server.clock.micros()).await?;
    }
    Ok(())
}
