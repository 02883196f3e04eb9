//! Chance as a parameter: ids, tokens and nonces come from a [`Random`].

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A source of random bytes; cheap to clone.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    /// Hash of (seed, counter): the same bytes every run, for tests that compare answers.
    Seeded(u64, Arc<Mutex<u64>>),
}

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A repeatable stream. Never outside tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(seed, Arc::new(Mutex::new(0))))
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing safe can be done without.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => {
                // Documented to fail only when the kernel's generator is missing.
                SystemRandom::new().fill(&mut bytes).expect("the operating system's random generator answers");
            }
            Source::Seeded(seed, counter) => {
                for chunk in bytes.chunks_mut(32) {
                    let mut at = counter.lock().unwrap_or_else(PoisonError::into_inner);
                    *at += 1;
                    let block = digest::digest(&digest::SHA256, &[seed.to_be_bytes(), at.to_be_bytes()].concat());
                    chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
                }
            }
        }
        bytes
    }

    /// A new FHIR id: a version 4 UUID in its usual spelling.
    pub fn id(&self) -> String {
        let mut bytes: [u8; 16] = self.bytes();
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// 256 bits as 43 characters of base64url: access tokens, codes, secrets.
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }
}

impl Debug for Random {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("Random")
    }
}
