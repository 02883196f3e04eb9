//! Passwords, as argon2id.
//!
//! Hashing takes memory and time by design, so only a few run at once, away from
//! the threads that answer requests; the others wait their turn.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::server::ServerError;
use crate::random::Random;
use crate::secret::Secret;

/// How many hashes are made at once.
const AT_ONCE: usize = 2;
/// The longest password that is hashed, in bytes.
pub const LONGEST: usize = 1024;

/// Makes and checks hashes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// What an unknown account's password is checked against, so that it takes as long.
    decoy: Arc<str>,
}

impl Passwords {
    /// Ready to hash.
    pub fn new(random: &Random) -> Result<Self, ServerError> {
        let decoy = hash(&Secret::new(random.token()), random.bytes())?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), decoy: decoy.into() })
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: Secret, random: &Random) -> Result<String, ServerError> {
        let salt = random.bytes();
        let _turn = self.turns.acquire().await.map_err(|_| ServerError::Crypto("password hashing has ended"))?;
        spawn_blocking(move || hash(&password, salt))
            .await
            .map_err(|_| ServerError::Crypto("password hashing failed"))?
    }

    /// Whether `password` is the one that `stored` was made of; takes as long
    /// where there is nothing stored.
    pub async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool, ServerError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.to_string());
        let _turn = self.turns.acquire().await.map_err(|_| ServerError::Crypto("password hashing has ended"))?;
        let fits = spawn_blocking(move || fits(&password, &stored));
        Ok(fits.await.map_err(|_| ServerError::Crypto("password hashing failed"))?? && known)
    }
}

fn hash(password: &Secret, salt: [u8; 16]) -> Result<String, ServerError> {
    let made: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password.reveal().as_bytes(), &salt);
    Ok(made.map_err(|_| ServerError::Crypto("a password was not hashed"))?.to_string())
}

fn fits(password: &Secret, stored: &str) -> Result<bool, ServerError> {
    let stored = PasswordHash::new(stored).map_err(|_| ServerError::Crypto("a stored password hash is malformed"))?;
    if password.reveal().len() > LONGEST {
        return Ok(false);
    }
    Ok(Argon2::default().verify_password(password.reveal().as_bytes(), &stored).is_ok())
}
