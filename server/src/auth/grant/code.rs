//! `authorization_code`: a code for tokens, once.
//!
//! Source: RFC 6749 §4.1.3; RFC 7636 §4.6

use super::{GrantType, TokenAnswer, TokenRequest, id_token, mint, standing};
use crate::auth::error::OauthError;
use crate::auth::pkce;
use crate::auth::scope::Scopes;
use crate::auth::server::AuthorizationServer;
use crate::secret::hash;
use crate::store::account::CodeTaken;
use crate::store::entity::authorization_code;

pub(super) const GRANT: GrantType =
    GrantType { name: "authorization_code", run: |server, request| Box::pin(run(server, request)) };

const REFUSED: OauthError = OauthError::Grant("the code is unknown, expired, used, or another client's");

async fn run(server: &AuthorizationServer, request: TokenRequest<'_>) -> Result<TokenAnswer, OauthError> {
    let client = request.client.ok_or(OauthError::Client("the request does not say which client sends it"))?;
    if !client.kind.has_users() {
        return Err(OauthError::GrantNotAllowed);
    }
    let form = request.form;
    let code = form.one("code")?.ok_or_else(|| OauthError::Request("code is missing".to_owned()))?;
    let hash = hash(code.as_bytes());
    let row = server.accounts.code(&hash).await?.filter(|row| row.client == client.id).ok_or(REFUSED)?;
    if row.used != 0 {
        return replayed(server, &row).await;
    }
    if row.expires <= server.clock.micros() {
        return Err(REFUSED);
    }
    if let Err(error) = bound(&row, form.one("redirect_uri")?, form.one("code_verifier")?) {
        // Whoever holds the code lacks the rest: it may have been stolen. It dies unused.
        server.accounts.spend_code(&hash, server.clock.micros()).await?;
        server.end_grant(&row.grant_id).await?;
        return Err(error);
    }
    let grant = server.accounts.grant(&row.grant_id).await?.ok_or(REFUSED)?;
    let account = standing(server, &grant).await?.ok_or(REFUSED)?;
    let mut minted = mint(server, &grant, &Scopes::known(&grant.scopes), true);
    let mut extra = minted.answer.extra_fields().clone();
    extra.id_token = id_token(server, &grant, &account, row.nonce.as_deref())?;
    minted.answer.set_extra_fields(extra);
    match server.accounts.redeem_code(&hash, minted.issue, server.clock.micros()).await? {
        CodeTaken::First => Ok(minted.answer),
        CodeTaken::Again => replayed(server, &row).await,
    }
}

fn bound(row: &authorization_code::Model, redirect: Option<&str>, verifier: Option<&str>) -> Result<(), OauthError> {
    if redirect != Some(&row.redirect_uri) {
        return Err(OauthError::Grant("redirect_uri is not the one to which the code was sent"));
    }
    pkce::check(&row.challenge, verifier)
        .map_err(|_| OauthError::Grant("code_verifier does not fit the code_challenge"))
}

/// Someone else may hold this code: RFC 6749 §4.1.2 has us revoke what it gave.
async fn replayed(server: &AuthorizationServer, row: &authorization_code::Model) -> Result<TokenAnswer, OauthError> {
    tracing::warn!(client = row.client, grant = row.grant_id, "an authorization code came twice: its grant is ended");
    server.end_grant(&row.grant_id).await?;
    Err(REFUSED)
}
