//! Client keys: one key out of a JWK set, by `kid`.
//!
//! A set may hold keys of kinds that we do not know; only the one that is asked
//! for is read. A set that names a `kid` twice answers neither.
//!
//! Source: RFC 7517; SMART App Launch 2.2 §Registering a client (asymmetric)

use futures_util::future::BoxFuture;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// Fetches the JWK set of a client that registered an address.
pub trait FetchesKeys: Send + Sync {
    /// The set's text, from a cache no older than its `Cache-Control` allows.
    ///
    /// * `fresh`: the cached set lacked the key; ask again, if the last time is long enough ago.
    ///
    /// `None` if the address does not answer with a set.
    fn fetch<'a>(&'a self, url: &'a str, fresh: bool) -> BoxFuture<'a, Option<String>>;
}

/// The one key named `kid` that fits `algorithm`.
pub fn find(set: &str, kid: &str, algorithm: Algorithm) -> Option<DecodingKey> {
    let set: Value = serde_json::from_str(set).ok()?;
    let mut named = set.get("keys")?.as_array()?.iter().filter(|key| key.get("kid").is_some_and(|own| own == kid));
    let (Some(key), None) = (named.next(), named.next()) else { return None };
    let key: Jwk = serde_json::from_value(key.clone()).ok()?;
    fits(&key, algorithm).then(|| DecodingKey::from_jwk(&key).ok()).flatten()
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS384) => true,
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES384) => curve.curve == EllipticCurve::P384,
        _ => false,
    }
}

/// Why a key set cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not a JWK set.
    #[error("not a JWK set: an object with a list of keys is expected")]
    Shape,
    /// A private or symmetric key.
    #[error("the set holds a private or symmetric key: register the public half only")]
    Private,
    /// No key that could sign an assertion.
    #[error("the set holds no RSA key (RS384) or P-384 key (ES384) with a kid of its own")]
    NoKey,
}

/// Checks a set at registration.
pub fn registrable(set: &str) -> Result<(), JwksError> {
    let parsed: Value = serde_json::from_str(set).map_err(|_| JwksError::Shape)?;
    let keys = parsed.get("keys").and_then(Value::as_array).ok_or(JwksError::Shape)?;
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        return Err(JwksError::Private);
    }
    let mut kids = keys.iter().filter_map(|key| key.get("kid").and_then(Value::as_str));
    let usable = |kid: &str| [Algorithm::RS384, Algorithm::ES384].iter().any(|one| find(set, kid, *one).is_some());
    if kids.any(usable) { Ok(()) } else { Err(JwksError::NoKey) }
}

/// The public half of `set`: without the members that are private (RFC 7518 §6).
pub fn public_half(set: &str) -> Result<String, JwksError> {
    let mut parsed: Value = serde_json::from_str(set).map_err(|_| JwksError::Shape)?;
    let keys = parsed.get_mut("keys").and_then(Value::as_array_mut).ok_or(JwksError::Shape)?;
    for key in keys {
        let key = key.as_object_mut().ok_or(JwksError::Shape)?;
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
            key.remove(private);
        }
        // `sign` is what the private half does.
        key.remove("key_ops");
    }
    Ok(parsed.to_string())
}
