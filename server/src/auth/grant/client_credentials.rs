//! `client_credentials`: a backend's own token, for its signed assertion.
//!
//! Source: RFC 6749 §4.4; SMART App Launch 2.2 §Backend Services

use super::{GrantType, SmartFields, TokenAnswer, TokenRequest, token_answer};
use crate::auth::client::ClientKind;
use crate::auth::error::OauthError;
use crate::auth::scope::{Context, Meaning, Scope, Scopes};
use crate::auth::server::{AuthorizationServer, SECOND};
use crate::secret::{Secret, hash};
use crate::store::entity::access_token;

pub(super) const GRANT: GrantType =
    GrantType { name: "client_credentials", run: |server, request| Box::pin(run(server, request)) };

/// Life of a backend's token, in seconds.
const LIFE: i64 = 300;

async fn run(server: &AuthorizationServer, request: TokenRequest<'_>) -> Result<TokenAnswer, OauthError> {
    let client = request.client.ok_or(OauthError::Client("the request does not say which client sends it"))?;
    if client.kind != ClientKind::Backend {
        return Err(OauthError::GrantNotAllowed);
    }
    let asked = Scopes::known(request.form.one("scope")?.unwrap_or_default());
    let scopes = client.scopes.intersect(&asked.only(|scope| is_for_backends(server, scope)));
    if scopes.is_empty() {
        return Err(OauthError::Scope("none of the scopes asked for is registered for this client"));
    }
    let now = server.clock.micros();
    let token = Secret::new(server.random.token());
    let row = access_token::Model {
        hash: hash(token.reveal().as_bytes()).to_vec(),
        id: server.random.id(),
        grant_id: None,
        client: client.id,
        account: None,
        patient: None,
        scopes: scopes.to_string(),
        purpose: client.purposes.system,
        with_id_token: false,
        issued: now,
        expires: now + LIFE * SECOND,
        revoked: 0,
    };
    server.accounts.issue(row).await?;
    Ok(token_answer(&token, LIFE.unsigned_abs(), &scopes, SmartFields::default()))
}

fn is_for_backends(server: &AuthorizationServer, scope: &Scope) -> bool {
    match scope.meaning() {
        Meaning::Resource(own) => own.context == Context::System && server.config.gives(scope).is_ok(),
        Meaning::CreateLaunch | Meaning::Introspect => true,
        Meaning::OpenId
        | Meaning::FhirUser
        | Meaning::Launch
        | Meaning::LaunchContext(_)
        | Meaning::OfflineAccess
        | Meaning::OnlineAccess => false,
    }
}
