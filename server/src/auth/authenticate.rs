//! Client authentication, the same for every endpoint that programs call.
//!
//! One method at a time, and only the one that was registered: a client that has
//! a secret is not let in without it because it claims to be public.
//!
//! Source: RFC 6749 §2.3; RFC 7523; SMART App Launch 2.2 §Client Authentication

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth2::url::form_urlencoded;

use super::assertion;
use super::client::{Client, ClientKind};
use super::error::OauthError;
use super::form::Form;
use super::server::AuthorizationServer;
use crate::secret::{hash, same};

/// What a request brings along to prove its sender.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The posted form.
    pub form: &'a Form,
}

/// The client that sent `request`. `None` if it names none: a public client may
/// leave its name out where a refresh token tells it.
pub async fn client(server: &AuthorizationServer, request: Request<'_>) -> Result<Option<Client>, OauthError> {
    let named = request.form.one("client_id")?;
    let kind = request.form.one("client_assertion_type")?;
    let token = request.form.one("client_assertion")?;
    match (request.authorization, kind, token) {
        (None, None, None) => match named {
            None => Ok(None),
            Some(id) => public(server, id).await.map(Some),
        },
        (Some(header), None, None) => basic(server, header, named).await.map(Some),
        (None, Some(assertion::TYPE), Some(token)) => assertion_of(server, token, named).await.map(Some),
        (None, _, None) => Err(OauthError::Assertion("client_assertion is missing")),
        (None, _, Some(_)) => Err(OauthError::Assertion(
            "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )),
        (Some(_), _, _) => Err(OauthError::Request("use one way of client authentication, not two".to_owned())),
    }
}

/// [`client`], for endpoints where a request without a client is refused.
pub async fn required(server: &AuthorizationServer, request: Request<'_>) -> Result<Client, OauthError> {
    client(server, request).await?.ok_or(OauthError::Client("the request does not say which client sends it"))
}

async fn public(server: &AuthorizationServer, id: &str) -> Result<Client, OauthError> {
    match server.client(id).await? {
        Some(client) if client.kind == ClientKind::Public => Ok(client),
        Some(_) => Err(OauthError::Client("this client must prove itself as it is registered")),
        None => Err(OauthError::Client("the client is not registered")),
    }
}

async fn assertion_of(server: &AuthorizationServer, token: &str, named: Option<&str>) -> Result<Client, OauthError> {
    let client = assertion::prove(server, token, named).await?;
    match client.kind {
        ClientKind::Keys | ClientKind::Backend => Ok(client),
        ClientKind::Public | ClientKind::Secret => {
            Err(OauthError::Assertion("this client is not registered with keys"))
        }
    }
}

async fn basic(server: &AuthorizationServer, header: &str, named: Option<&str>) -> Result<Client, OauthError> {
    let wrong = || OauthError::Client("the client or its secret is wrong");
    let (id, secret) = credentials(header).ok_or_else(wrong)?;
    if named.is_some_and(|named| named != id) {
        return Err(OauthError::Client("client_id is not the client that signs in"));
    }
    let client = server.client(&id).await?.ok_or_else(wrong)?;
    let known = client.secret.as_deref().filter(|_| client.kind == ClientKind::Secret);
    if known.is_some_and(|known| same(known, &hash(secret.as_bytes()))) { Ok(client) } else { Err(wrong()) }
}

/// Name and secret of `Basic …`; each form-encoded within (RFC 6749 §2.3.1).
fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((unescaped(id), unescaped(secret)))
}

fn unescaped(text: &str) -> String {
    // A name without `=` reads as one key with an empty value.
    let guarded = text.replace('=', "%3D").replace('&', "%26");
    form_urlencoded::parse(guarded.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials() {
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        for (header, expected) in [
            (header("app:secret"), pair("app", "secret")),
            (header("app:a%3Ab%25"), pair("app", "a:b%")),
            (header("app:x=y&z"), pair("app", "x=y&z")),
            (header("app"), None),
            ("Bearer x".to_owned(), None),
            ("Basic !".to_owned(), None),
            ("Basic".to_owned(), None),
        ] {
            assert_eq!(credentials(&header), expected, "{header}");
        }
    }
}
