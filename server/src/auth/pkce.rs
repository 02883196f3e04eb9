//! Proof Key for Code Exchange, S256 only.
//!
//! Lengths are checked before any library sees the text: the `oauth2` crate's
//! challenge constructor panics on a verifier of another length.
//!
//! Source: RFC 7636 §4

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};

use crate::secret::same;

/// A well-formed S256 challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

/// Why a challenge or verifier was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkceError {
    /// No challenge: every client must send one.
    #[error("code_challenge is required")]
    Missing,
    /// Absent, `plain` or unknown.
    #[error("code_challenge_method must be S256")]
    Method,
    /// Not the base64url of a SHA-256.
    #[error("code_challenge is not the base64url form of a SHA-256 hash")]
    Shape,
    /// Absent, of another shape, or of another challenge.
    #[error("code_verifier does not fit the code_challenge")]
    Verifier,
}

impl Challenge {
    /// Reads the two parameters of an authorization request.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, PkceError> {
        let challenge = challenge.ok_or(PkceError::Missing)?;
        if method != Some("S256") {
            return Err(PkceError::Method);
        }
        if challenge.len() != 43 || !challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(PkceError::Shape);
        }
        Ok(Self(challenge.to_owned()))
    }

    /// As sent.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Whether `verifier` is the one whose hash `challenge` is.
pub fn check(challenge: &str, verifier: Option<&str>) -> Result<(), PkceError> {
    let verifier = verifier.filter(|text| well_formed(text)).ok_or(PkceError::Verifier)?;
    let made = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.to_owned()));
    if same(made.as_str().as_bytes(), challenge.as_bytes()) { Ok(()) } else { Err(PkceError::Verifier) }
}

/// RFC 7636 §4.1: 43 to 128 unreserved characters.
fn well_formed(verifier: &str) -> bool {
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn challenges() {
        for (challenge, method, expected) in [
            (Some(CHALLENGE), Some("S256"), Ok(())),
            (None, Some("S256"), Err(PkceError::Missing)),
            (None, None, Err(PkceError::Missing)),
            (Some(CHALLENGE), None, Err(PkceError::Method)),
            (Some(CHALLENGE), Some("plain"), Err(PkceError::Method)),
            (Some(CHALLENGE), Some("s256"), Err(PkceError::Method)),
            (Some(&CHALLENGE[1..]), Some("S256"), Err(PkceError::Shape)),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256"), Err(PkceError::Shape)),
        ] {
            assert_eq!(Challenge::parse(challenge, method).map(|_| ()), expected, "{challenge:?} {method:?}");
        }
    }

    #[test]
    fn verifiers() {
        let long = "a".repeat(129);
        for (verifier, expected) in [
            (Some(VERIFIER), Ok(())),
            (None, Err(PkceError::Verifier)),
            (Some(""), Err(PkceError::Verifier)),
            (Some(CHALLENGE), Err(PkceError::Verifier)),
            (Some("short"), Err(PkceError::Verifier)),
            (Some(&long), Err(PkceError::Verifier)),
            (Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX "), Err(PkceError::Verifier)),
        ] {
            assert_eq!(check(CHALLENGE, verifier), expected, "{verifier:?}");
        }
    }
}
