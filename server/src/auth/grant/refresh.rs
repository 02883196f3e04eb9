//! `refresh_token`: the next tokens for the last refresh token.
//!
//! Each refresh token works once. One that comes again has been copied: the
//! grant ends, for the thief and for the client, who will ask the person anew.
//!
//! Source: RFC 6749 §6; OAuth 2.1 §4.3; SMART App Launch 2.2 §Refresh access token

use super::{GrantType, TokenAnswer, TokenRequest, mint, standing};
use crate::auth::client::{Client, ClientKind};
use crate::auth::error::OauthError;
use crate::auth::scope::Scopes;
use crate::auth::server::AuthorizationServer;
use crate::secret::hash;
use crate::store::entity::refresh_token;

pub(super) const GRANT: GrantType =
    GrantType { name: "refresh_token", run: |server, request| Box::pin(run(server, request)) };

const REFUSED: OauthError =
    OauthError::Grant("the refresh token is unknown, expired, used, revoked, or another client's");

async fn run(server: &AuthorizationServer, request: TokenRequest<'_>) -> Result<TokenAnswer, OauthError> {
    let token = request.form.one("refresh_token")?;
    let token = token.ok_or_else(|| OauthError::Request("refresh_token is missing".to_owned()))?;
    let hash = hash(token.as_bytes());
    let row = server.accounts.refresh_token(&hash).await?.ok_or(REFUSED)?;
    let client = holder(server, request.client, &row).await?;
    if row.client != client.id {
        return Err(REFUSED);
    }
    if row.used != 0 {
        return reused(server, &row).await;
    }
    let grant = server.accounts.grant(&row.grant_id).await?.ok_or(REFUSED)?;
    if row.expires <= server.clock.micros() || standing(server, &grant).await?.is_none() {
        return Err(REFUSED);
    }
    let scopes = narrowed(&Scopes::known(&grant.scopes), request.form.one("scope")?)?;
    let minted = mint(server, &grant, &scopes, true);
    if server.accounts.rotate(&hash, minted.issue, server.clock.micros()).await? {
        Ok(minted.answer)
    } else {
        reused(server, &row).await
    }
}

/// The client that sent the token; a public one may have left its name out.
async fn holder(
    server: &AuthorizationServer,
    client: Option<Client>,
    row: &refresh_token::Model,
) -> Result<Client, OauthError> {
    match client {
        Some(client) => Ok(client),
        None => match server.client(&row.client).await? {
            Some(client) if client.kind == ClientKind::Public => Ok(client),
            Some(_) => Err(OauthError::Client("this client must prove itself as it is registered")),
            None => Err(REFUSED),
        },
    }
}

/// The scopes asked for, if what was granted covers them all; without any, those granted.
fn narrowed(granted: &Scopes, asked: Option<&str>) -> Result<Scopes, OauthError> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    let (scopes, unknown) = Scopes::parse(asked);
    if unknown.is_empty() && !scopes.is_empty() && scopes.iter().all(|scope| granted.cover(scope)) {
        Ok(scopes)
    } else {
        Err(OauthError::Scope("scope goes beyond what was granted"))
    }
}

async fn reused(server: &AuthorizationServer, row: &refresh_token::Model) -> Result<TokenAnswer, OauthError> {
    tracing::warn!(client = row.client, grant = row.grant_id, "a refresh token came twice: its grant is ended");
    server.end_grant(&row.grant_id).await?;
    Err(REFUSED)
}
