//! Keys and signatures, by hand: a test of an authorization server must be able
//! to sign what no honest library would.

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA384, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A private key of a client.
#[derive(Clone, Debug)]
pub struct Key {
    jwk: Value,
}

impl Key {
    /// The keys of a JWKS document that hold their private half.
    pub fn all(jwks: &Value) -> Vec<Self> {
        let keys = jwks["keys"].as_array().cloned().unwrap_or_default();
        keys.into_iter().filter(|key| key["d"].is_string()).map(|jwk| Self { jwk }).collect()
    }

    /// `ES384` or `RS384`, as the key's kind has it.
    pub fn algorithm(&self) -> &'static str {
        if self.jwk["kty"] == "EC" { "ES384" } else { "RS384" }
    }

    /// The key's name.
    pub fn id(&self) -> &str {
        self.jwk["kid"].as_str().unwrap_or_default()
    }

    /// Header and claims, signed.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": self.algorithm(), "kid": self.id(), "typ": "JWT"}), claims)
    }

    /// Any header and claims, signed with this key whatever the header says.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.signature(input.as_bytes());
        format!("{input}.{}", encode(signature))
    }

    fn signature(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        if self.jwk["kty"] == "EC" {
            let public = [vec![4], self.part("x"), self.part("y")].concat();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                &self.part("d"),
                &public,
            );
            let signed = pair.expect("a P-384 key").sign(&random, input).expect("signing does not fail");
            return signed.as_ref().to_vec();
        }
        let pair = RsaKeyPair::from_der(&self.pkcs1()).expect("an RSA key of 2048 bits or more");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA384, &random, input, &mut signature).expect("signing does not fail");
        signature
    }

    /// RFC 8017 A.1.2.
    fn pkcs1(&self) -> Vec<u8> {
        let mut body = integer(&[0]);
        for part in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            body.extend(integer(&self.part(part)));
        }
        element(0x30, &body)
    }

    fn part(&self, name: &str) -> Vec<u8> {
        decode(self.jwk[name].as_str().unwrap_or_default())
    }
}

/// A token that claims `alg: none`.
pub fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", encode(json!({"alg": "none"}).to_string()), encode(claims.to_string()))
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token, unverified.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// Whether `token` is signed RS256 by the key of `jwks` that it names.
pub fn verified(token: &str, jwks: &Value) -> bool {
    let header = header(token);
    let Some((input, signature)) = token.rsplit_once('.') else { return false };
    let keys = jwks["keys"].as_array().cloned().unwrap_or_default();
    let Some(key) = keys.iter().find(|key| key["kid"] == header["kid"]) else { return false };
    let part = |name: &str| decode(key[name].as_str().unwrap_or_default());
    let public = RsaPublicKeyComponents { n: part("n"), e: part("e") };
    header["alg"] == "RS256" && public.verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &decode(signature)).is_ok()
}

/// RFC 7636 S256: what goes to the authorization endpoint for `verifier`.
pub fn challenge(verifier: &str) -> String {
    encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// 32 random bytes as text, good as verifier, state, nonce or `jti`.
pub fn fresh() -> String {
    let mut bytes = [0; 32];
    fill(&mut bytes).expect("the system has randomness");
    encode(bytes)
}

fn part(token: &str, index: usize) -> Value {
    let bytes = decode(token.split('.').nth(index).unwrap_or_default());
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len().saturating_sub(1));
    let mut body = bytes[zeros..].to_vec();
    if body.first().is_some_and(|byte| *byte >= 0x80) {
        body.insert(0, 0);
    }
    element(0x02, &body)
}

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len().to_be_bytes();
    let size: Vec<u8> = size.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    if body.len() < 0x80 {
        out.push(u8::try_from(body.len()).unwrap_or_default());
    } else {
        out.push(0x80 | u8::try_from(size.len()).unwrap_or_default());
        out.extend(size);
    }
    out.extend_from_slice(body);
    out
}
