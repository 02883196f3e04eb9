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
    /// With bytes at hand for ids: each request to the operating system takes as long as
    /// checking a small resource.
    System(Arc<Mutex<Vec<u8>>>),
    /// Hash of (seed, counter): the same bytes every run, for tests that compare answers.
    Seeded(u64, Arc<Mutex<u64>>),
}

impl Random {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self(Source::System(Arc::default()))
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
            Source::System(_) => {
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
        let mut bytes = self.some();
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        let mut id = String::with_capacity(36);
        for (at, byte) in bytes.into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                id.push('-');
            }
            id.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
        }
        id
    }

    /// The bytes of one id.
    fn some(&self) -> [u8; 16] {
        let Source::System(held) = &self.0 else { return self.bytes() };
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_empty() {
            held.extend(self.bytes::<AT_HAND>());
        }
        // Filled by whole ids, and taken by whole ids.
        let start = held.len() - 16;
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&held[start..]);
        held.truncate(start);
        bytes
    }

    /// 256 bits as 43 characters of base64url: access tokens, codes, secrets.
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }
}

/// Bytes for ids that are fetched at a time.
const AT_HAND: usize = 64 * 16;

impl Debug for Random {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("Random")
    }
}
