//! ID tokens.
//!
//! Some browser libraries decode the payload with plain base64, so it is written
//! in ASCII and without the three characters whose low bits make base64url
//! differ from base64: `~`, `?` and `>` go out as `\u` escapes.
//!
//! Source: OpenID Connect Core 1.0 §2; SMART App Launch 2.2 §Scopes for requesting identity data

use std::fmt::Write;

use serde::Serialize;

use super::keys::SigningKeys;

/// The claims.
#[derive(Clone, Debug, Serialize)]
pub struct Claims<'a> {
    /// The issuer: the FHIR base.
    pub iss: &'a str,
    /// Who signed in.
    pub sub: &'a str,
    /// For which client.
    pub aud: &'a str,
    /// Seconds since 1970: when it expires.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// When the password was given.
    pub auth_time: i64,
    /// What the client sent to recognise its own request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// The user as a FHIR resource, absolute.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
}

impl Claims<'_> {
    /// Signs them. `None` if the key does not sign.
    pub fn sign(&self, keys: &SigningKeys) -> Option<String> {
        keys.sign(&ascii(&serde_json::to_string(self).ok()?))
    }
}

/// JSON with `~`, `?`, `>`, DEL and all that is not ASCII escaped. They occur in strings only.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for one in json.chars() {
        if one.is_ascii() && !matches!(one, '~' | '?' | '>' | '\u{7F}') {
            out.push(one);
        } else {
            for unit in one.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::Jwk};

    use super::super::keys::tests::KEYS;
    use super::*;

    #[test]
    fn signed_and_read_by_plain_base64() {
        let nonce = "~?>~~~???>>>山𠮷\u{7f}";
        let claims = Claims {
            iss: "https://phr.example/fhir",
            sub: "u1",
            aud: "app",
            exp: 4_000_000_000,
            iat: 1_800_000_000,
            auth_time: 1_800_000_000,
            nonce: Some(nonce),
            fhir_user: Some("https://phr.example/fhir/Patient/x".to_owned()),
        };
        let token = claims.sign(&KEYS).expect("signed");
        let payload = token.split('.').nth(1).expect("a payload");
        assert_eq!(STANDARD_NO_PAD.decode(payload), URL_SAFE_NO_PAD.decode(payload));
        assert!(URL_SAFE_NO_PAD.decode(payload).expect("base64").is_ascii());

        let jwk: Jwk = serde_json::from_value(serde_json::to_value(&KEYS.public()[0]).expect("JSON")).expect("a JWK");
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&["app"]);
        let key = DecodingKey::from_jwk(&jwk).expect("a key");
        let read = decode::<serde_json::Value>(&token, &key, &rules).expect("verified");
        assert_eq!(read.claims["nonce"], nonce);
        assert_eq!(read.header.kid, jwk.common.key_id);
    }
}
