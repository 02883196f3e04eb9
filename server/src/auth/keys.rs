//! The keys that sign ID tokens, kept in one file of mode 0600 in the data directory.
//!
//! The newest signs; all are published, so that tokens signed before a rotation
//! can still be verified. Copies of the server that share a database share this
//! file too.
//!
//! Source: OpenID Connect Core 1.0 §10; RFC 7517, RFC 7638

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::secret::hash;

/// How many keys are kept after rotations.
const KEPT: usize = 3;

/// The signing keys; cheap to clone.
#[derive(Clone, Debug)]
pub struct SigningKeys(Arc<Vec<SigningKey>>);

#[derive(Debug)]
struct SigningKey {
    kid: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    pair: RsaKeyPair,
    der: Vec<u8>,
}

/// One public key of a JWK set. It has no field for a private part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

/// The file: PKCS#8 in base64, newest first.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    rsa: Vec<String>,
}

/// Why there are no signing keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("the signing key file: {0}")]
    File(#[from] io::Error),
    /// It does not hold RSA keys.
    #[error("the signing key file does not hold RSA keys in PKCS#8")]
    Content,
    /// No key could be made.
    #[error("no RSA key could be generated")]
    Generate,
}

impl SigningKeys {
    /// Reads the keys in `path`; makes the file with one new key if there is none.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        match fs::read(path) {
            Ok(text) => Self::read(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let fresh = Self::generate()?;
                match create(path, &fresh.text()) {
                    // Another process was faster: its key is the one.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::read(&fs::read(path)?),
                    done => done.map(|()| fresh).map_err(KeyError::from),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One new key, kept nowhere.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(Arc::new(vec![SigningKey::generate()?])))
    }

    /// Puts a new key in front of those in `path`.
    pub fn rotate(path: &Path) -> Result<Self, KeyError> {
        let old = Self::open(path)?;
        let fresh = SigningKey::generate()?;
        let mut ders: Vec<String> = vec![STANDARD.encode(&fresh.der)];
        ders.extend(old.0.iter().take(KEPT - 1).map(|key| STANDARD.encode(&key.der)));
        let next = path.with_extension("next");
        match fs::remove_file(&next) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        create(&next, &file_text(ders))?;
        fs::rename(&next, path)?;
        Self::open(path)
    }

    fn read(text: &[u8]) -> Result<Self, KeyError> {
        let file: KeyFile = serde_json::from_slice(text).map_err(|_| KeyError::Content)?;
        let keys: Result<Vec<_>, _> = file
            .rsa
            .iter()
            .map(|der| STANDARD.decode(der).map_err(|_| KeyError::Content).and_then(SigningKey::of))
            .collect();
        let keys = keys?;
        if keys.is_empty() { Err(KeyError::Content) } else { Ok(Self(Arc::new(keys))) }
    }

    fn text(&self) -> String {
        file_text(self.0.iter().map(|key| STANDARD.encode(&key.der)).collect())
    }

    /// The public halves.
    pub fn public(&self) -> Vec<PublicJwk> {
        self.0
            .iter()
            .map(|key| PublicJwk {
                kty: "RSA",
                usage: "sig",
                alg: "RS256",
                kid: key.kid.clone(),
                n: URL_SAFE_NO_PAD.encode(&key.modulus),
                e: URL_SAFE_NO_PAD.encode(&key.exponent),
            })
            .collect()
    }

    /// A JWS of `payload` by the newest key. `None` if the key does not sign.
    pub fn sign(&self, payload: &str) -> Option<String> {
        let key = self.0.first()?;
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{}"}}"#, key.kid);
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let mut signature = vec![0; key.pair.public_modulus_len()];
        key.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).ok()?;
        Some(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl SigningKey {
    fn generate() -> Result<Self, KeyError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
        let der: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| KeyError::Generate)?;
        Self::of(der.as_ref().to_vec())
    }

    fn of(der: Vec<u8>) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyError::Content)?;
        let (modulus, exponent) = components(pair.public_key().as_ref()).ok_or(KeyError::Content)?;
        // RFC 7638: the hash of the required members in alphabetical order.
        let thumbprint = format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            URL_SAFE_NO_PAD.encode(&exponent),
            URL_SAFE_NO_PAD.encode(&modulus)
        );
        let kid = URL_SAFE_NO_PAD.encode(hash(thumbprint.as_bytes()));
        Ok(Self { kid, modulus, exponent, pair, der })
    }
}

/// Modulus and exponent of an `RSAPublicKey` in DER (RFC 8017 A.1.1).
fn components(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (inside, _) = element(der, 0x30)?;
    let (modulus, rest) = element(inside, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    let unsigned = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    Some((unsigned(modulus), unsigned(exponent)))
}

/// The content of the DER element at the start, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

fn file_text(rsa: Vec<String>) -> String {
    // A list of strings always has a JSON form.
    serde_json::to_string(&KeyFile { rsa }).unwrap_or_default()
}

/// Writes a new file that only its owner can read.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// One key for all tests: making one takes a while.
    pub(crate) static KEYS: LazyLock<SigningKeys> = LazyLock::new(|| SigningKeys::generate().expect("a key"));

    #[test]
    fn keys_are_kept_and_rotated() {
        let folder = std::env::temp_dir().join(format!("techo-keys-{}", crate::random::Random::system().id()));
        fs::create_dir(&folder).expect("a folder");
        let path = folder.join("id-token-keys.json");
        let first = SigningKeys::open(&path).expect("made");
        assert_eq!(SigningKeys::open(&path).expect("read").public(), first.public());
        let second = SigningKeys::rotate(&path).expect("rotated");
        assert_eq!(second.public()[1], first.public()[0]);
        assert_ne!(second.public()[0], first.public()[0]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        }
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn nothing_private_is_published() {
        let text = serde_json::to_value(KEYS.public()).expect("JSON");
        let mut names: Vec<&str> = text[0].as_object().expect("a key").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(text[0]["e"], "AQAB");
        assert_eq!(text[0]["n"].as_str().map(str::len), Some(342));
    }
}
