//! The token endpoint's grants, and what they answer.
//!
//! To add one: a file with its RFC in the header and a `GRANT`, and a line in
//! [`GRANTS`]; discovery lists what stands there.

mod client_credentials;
mod code;
mod refresh;

use futures_util::future::BoxFuture;
use oauth2::{AccessToken, RefreshToken, StandardTokenResponse, TokenType};
use serde::{Deserialize, Serialize};

use super::authenticate;
use super::client::Client;
use super::error::OauthError;
use super::form::Form;
use super::id_token::Claims;
use super::scope::{Meaning, Scopes};
use super::server::{AuthorizationServer, DAY, SECOND, ServerError};
use crate::secret::{Secret, hash};
use crate::store::account::Issue;
use crate::store::entity::{access_token, account, app_grant, refresh_token};

/// Life of an access token that a person approved, in seconds.
const ACCESS: i64 = 3600;
/// Life of a refresh token; each use starts it anew.
const REFRESH: i64 = 120 * DAY;
/// However often it is renewed, access ends this long after the approval.
const LONGEST: i64 = 3 * 365 * DAY;

/// One value of `grant_type`.
pub struct GrantType {
    /// Its name.
    pub name: &'static str,
    run: for<'a> fn(&'a AuthorizationServer, TokenRequest<'a>) -> BoxFuture<'a, Result<TokenAnswer, OauthError>>,
}

/// All of them.
pub const GRANTS: &[GrantType] = &[code::GRANT, refresh::GRANT, client_credentials::GRANT];

/// A token request whose sender is known.
struct TokenRequest<'a> {
    /// None where a public client left its name out.
    client: Option<Client>,
    form: &'a Form,
}

/// `Bearer`, spelled as RFC 6750 and SMART do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bearer {
    /// The one type.
    Bearer,
}

impl TokenType for Bearer {}

/// What SMART adds to a token answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SmartFields {
    /// Id of the Patient in context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// Who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

impl oauth2::ExtraTokenFields for SmartFields {}

/// A token answer.
pub type TokenAnswer = StandardTokenResponse<SmartFields, Bearer>;

/// Answers a request to the token endpoint.
pub async fn answer(
    server: &AuthorizationServer,
    authorization: Option<&str>,
    form: &Form,
) -> Result<TokenAnswer, OauthError> {
    let name = form.one("grant_type")?;
    let name = name.ok_or_else(|| OauthError::Request("grant_type is missing".to_owned()))?;
    let grant = GRANTS.iter().find(|grant| grant.name == name).ok_or(OauthError::GrantUnknown)?;
    let client = authenticate::client(server, authenticate::Request { authorization, form }).await?;
    (grant.run)(server, TokenRequest { client, form }).await
}

/// The tokens of one approval, ready to be stored and sent.
struct Minted {
    issue: Issue,
    answer: TokenAnswer,
}

/// Makes tokens for a grant.
///
/// * `scopes`: what this access token allows; the refresh token keeps the grant's.
/// * `nonce`: present when an ID token is to come along.
fn mint(server: &AuthorizationServer, grant: &app_grant::Model, scopes: &Scopes, refreshable: bool) -> Minted {
    let now = server.clock.micros();
    let granted = Scopes::known(&grant.scopes);
    let access = Secret::new(server.random.token());
    let row = access_token::Model {
        hash: hash(access.reveal().as_bytes()).to_vec(),
        id: server.random.id(),
        grant_id: Some(grant.id.clone()),
        client: grant.client.clone(),
        account: Some(grant.account.clone()),
        patient: grant.patient.clone(),
        scopes: scopes.to_string(),
        purpose: grant.purpose.clone(),
        with_id_token: scopes.has(&Meaning::OpenId),
        issued: now,
        expires: now + ACCESS * SECOND,
        revoked: 0,
    };
    let lasting = granted.has(&Meaning::OfflineAccess) || granted.has(&Meaning::OnlineAccess);
    let refresh = (lasting && refreshable).then(|| Secret::new(server.random.token()));
    let refresh_row = refresh.as_ref().map(|token| refresh_token::Model {
        hash: hash(token.reveal().as_bytes()).to_vec(),
        grant_id: grant.id.clone(),
        client: grant.client.clone(),
        issued: now,
        expires: (now + REFRESH).min(grant.created + LONGEST),
        used: 0,
    });
    let smart = SmartFields { patient: grant.patient.clone(), id_token: None };
    let mut answer = token_answer(&access, ACCESS.unsigned_abs(), scopes, smart);
    answer.set_refresh_token(refresh.map(|token| RefreshToken::new(token.reveal().to_owned())));
    Minted { issue: Issue { access: row, refresh: refresh_row }, answer }
}

fn token_answer(token: &Secret, seconds: u64, scopes: &Scopes, smart: SmartFields) -> TokenAnswer {
    let mut answer = TokenAnswer::new(AccessToken::new(token.reveal().to_owned()), Bearer::Bearer, smart);
    answer.set_expires_in(Some(&std::time::Duration::from_secs(seconds)));
    answer.set_scopes(Some(scopes.iter().map(|scope| oauth2::Scope::new(scope.text().to_owned())).collect()));
    answer
}

/// The ID token of a grant, if `openid` was granted.
fn id_token(
    server: &AuthorizationServer,
    grant: &app_grant::Model,
    account: &account::Model,
    nonce: Option<&str>,
) -> Result<Option<String>, ServerError> {
    let granted = Scopes::known(&grant.scopes);
    if !granted.has(&Meaning::OpenId) {
        return Ok(None);
    }
    let now = server.clock.micros() / SECOND;
    let base = server.config.base();
    let fhir_user = account.fhir_user.as_ref().filter(|_| granted.has(&Meaning::FhirUser));
    let claims = Claims {
        iss: &base,
        sub: &account.id,
        aud: &grant.client,
        exp: now + ACCESS,
        iat: now,
        auth_time: grant.signed_in / SECOND,
        nonce,
        fhir_user: fhir_user.map(|user| format!("{base}/{user}")),
    };
    claims.sign(&server.keys).map(Some).ok_or(ServerError::Crypto("the ID token was not signed"))
}

/// The account behind a grant, if the grant still stands: not ended, its holder
/// not locked, the client's patient still hers to act for, and the browser
/// session alive where access hangs on it.
async fn standing(
    server: &AuthorizationServer,
    grant: &app_grant::Model,
) -> Result<Option<account::Model>, ServerError> {
    let now = server.clock.micros();
    let account = server.accounts.account(&grant.account).await?.filter(|account| !account.locked);
    let Some(account) = account.filter(|_| grant.ended.is_none()) else { return Ok(None) };
    if let Some(session) = &grant.session
        && server.accounts.session(session, now).await?.is_none()
    {
        return Ok(None);
    }
    if let Some(patient) = &grant.patient
        && account.kind != super::person::AccountKind::Professional.name()
    {
        let held = server.accounts.authorities(&account.id, now).await?;
        if !held.iter().any(|authority| authority.patient == *patient) {
            return Ok(None);
        }
    }
    Ok(Some(account))
}
