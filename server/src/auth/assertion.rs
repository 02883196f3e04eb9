//! Client assertions: a JWT that a client signs to prove itself.
//!
//! The header is read before any key is looked up, and nothing in it chooses the
//! key but a `kid` among the client's registered ones. The library verifies the
//! signature; the claims are judged here, by the server's own clock.
//!
//! Source: RFC 7523 §3; SMART App Launch 2.2 §Client Authentication: Asymmetric

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::client::{Client, ClientKeys};
use super::error::OauthError;
use super::jwks;
use super::server::{AuthorizationServer, SECOND};
use crate::secret::hash;
use crate::store::entity::assertion;

/// The one `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Algorithms that clients may sign with.
pub const ALGORITHMS: [(&str, Algorithm); 2] = [("ES384", Algorithm::ES384), ("RS384", Algorithm::RS384)];

/// The longest assertion that is read.
const LONGEST: usize = 8 * 1024;
/// How far ahead an assertion may expire, in seconds.
const AHEAD: i64 = 300;
/// By how much clocks may differ, in seconds.
const SKEW: i64 = 30;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    jku: Option<String>,
    jwk: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// A list is refused: an assertion for several servers is good at each of them.
    aud: Value,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    jti: String,
}

/// Seconds since 1970; some libraries write a fraction.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Fraction(f64),
}

impl Number {
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates; a date that far off is refused either way")]
    fn seconds(self) -> i64 {
        match self {
            Self::Whole(seconds) => seconds,
            Self::Fraction(seconds) => seconds.floor() as i64,
        }
    }
}

/// The client that `token` proves, if it does.
///
/// * `named`: the `client_id` that came beside it, which must agree.
pub async fn prove(server: &AuthorizationServer, token: &str, named: Option<&str>) -> Result<Client, OauthError> {
    let (header, algorithm) = header(token)?;
    let unproven: Claims = segment(token, 1).ok_or(OauthError::Assertion("the assertion's claims cannot be read"))?;
    if unproven.iss != unproven.sub || named.is_some_and(|named| named != unproven.iss) {
        return Err(OauthError::Assertion("iss, sub and client_id must all name the client"));
    }
    let client = server.client(&unproven.iss).await?.ok_or(OauthError::Assertion("iss is not a registered client"))?;
    let claims = verified(server, &client, token, &header, algorithm).await?;
    judge(server, &claims)?;
    let row = assertion::Model {
        client: client.id.clone(),
        jti: hash(claims.jti.as_bytes()).to_vec(),
        expires: claims.exp.seconds().saturating_add(SKEW).saturating_mul(SECOND),
    };
    if server.accounts.claim_assertion(row).await? {
        Ok(client)
    } else {
        Err(OauthError::Assertion("jti was seen before: each assertion can be used once"))
    }
}

fn header(token: &str) -> Result<(Header, Algorithm), OauthError> {
    if token.len() > LONGEST {
        return Err(OauthError::Assertion("the assertion is too long"));
    }
    let header: Header = segment(token, 0).ok_or(OauthError::Assertion("the assertion is not a JWT"))?;
    let algorithm = ALGORITHMS.iter().find(|(name, _)| *name == header.alg).map(|(_, algorithm)| *algorithm);
    let algorithm = algorithm.ok_or(OauthError::Assertion("the assertion must be signed with ES384 or RS384"))?;
    // A key, a critical extension or an unencoded payload that the sender brings along is never honoured.
    let brought = [&header.jwk, &header.x5u, &header.x5c, &header.crit, &header.b64];
    if brought.iter().any(|part| part.is_some()) {
        return Err(OauthError::Assertion("the header may hold no jwk, x5u, x5c, crit or b64"));
    }
    let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    if !["jwt", "client-authentication+jwt"].contains(&typ.trim_start_matches("application/")) {
        return Err(OauthError::Assertion("typ must be JWT or client-authentication+jwt"));
    }
    Ok((header, algorithm))
}

/// One part of a token, unverified.
fn segment<T: for<'de> Deserialize<'de>>(token: &str, index: usize) -> Option<T> {
    let mut parts = token.split('.');
    let part = parts.nth(index)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

async fn verified(
    server: &AuthorizationServer,
    client: &Client,
    token: &str,
    header: &Header,
    algorithm: Algorithm,
) -> Result<Claims, OauthError> {
    let kid = header.kid.as_deref().ok_or(OauthError::Assertion("the header lacks kid"))?;
    let unknown = OauthError::Assertion("no single registered key has this kid and fits alg");
    let key = match &client.keys {
        ClientKeys::None => return Err(OauthError::Assertion("this client has no registered keys")),
        ClientKeys::Inline(_) if header.jku.is_some() => return Err(OauthError::Assertion("jku is not registered")),
        ClientKeys::Inline(set) => jwks::find(set, kid, algorithm),
        ClientKeys::Url(url) => {
            if header.jku.as_ref().is_some_and(|jku| jku != url) {
                return Err(OauthError::Assertion("jku is not the registered address"));
            }
            fetched(server, url, kid, algorithm).await
        }
    };
    let mut rules = Validation::new(algorithm);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    let proven = decode::<Claims>(token, &key.ok_or(unknown)?, &rules);
    Ok(proven.map_err(|_| OauthError::Assertion("the signature does not verify"))?.claims)
}

/// A key by address; a set that lacks it is fetched once more, for keys may have been rotated.
async fn fetched(
    server: &AuthorizationServer,
    url: &str,
    kid: &str,
    algorithm: Algorithm,
) -> Option<jsonwebtoken::DecodingKey> {
    for fresh in [false, true] {
        let set = server.fetches.fetch(url, fresh).await?;
        if let Some(key) = jwks::find(&set, kid, algorithm) {
            return Some(key);
        }
    }
    None
}

fn judge(server: &AuthorizationServer, claims: &Claims) -> Result<(), OauthError> {
    let now = server.clock.micros() / SECOND;
    let audience = claims.aud.as_str().unwrap_or_default();
    if audience != server.config.endpoint("token") && audience != server.config.base() {
        return Err(OauthError::Assertion("aud must be one string: this server's token endpoint or issuer"));
    }
    let expires = claims.exp.seconds();
    if expires <= now {
        return Err(OauthError::Assertion("the assertion has expired"));
    }
    if expires > now + AHEAD + SKEW {
        return Err(OauthError::Assertion("exp may be at most five minutes ahead"));
    }
    let future = |time: Option<Number>| time.is_some_and(|time| time.seconds() > now + SKEW);
    if future(claims.nbf) || future(claims.iat) {
        return Err(OauthError::Assertion("the assertion is not valid yet"));
    }
    if claims.jti.is_empty() {
        return Err(OauthError::Assertion("the assertion lacks jti"));
    }
    Ok(())
}
