//! Authenticated encryption that knows where its value belongs.
//!
//! A sealed column is bound to its table, column and row: copied to another
//! row, it does not open. A sealed link is bound to the bytes that name its
//! caller and query: handed to someone else, it does not open. Either says
//! nothing but "this server wrote this, for this place"; neither grants anything.
//!
//! A sealed value is `generation (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. The
//! generation names the master key, so that keys can be changed while old
//! values still open. AES-256-GCM-SIV: should a nonce ever repeat, all it
//! tells is that two plain values were equal.
//!
//! Source: RFC 8452

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keys::{Keys, Use};
use crate::random::Random;

/// Where a sealed value lives.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// The row's key, as bytes that no other row of the table has.
    pub row: &'a [u8],
}

/// Seals and opens; cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    columns: Ring,
    links: Ring,
    random: Random,
}

/// The keys of one use, by generation, oldest first.
struct Ring(Vec<(u8, LessSafeKey)>);

/// A value that does not open: another place, another key, or not ours.
/// Which of these it was is not said, so that nobody learns by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open here")]
pub struct NotOurs;

impl Sealer {
    /// A sealer under these keys.
    pub fn new(keys: &Keys, random: Random) -> Self {
        Self(Arc::new(Inner { columns: Ring::of(keys, Use::COLUMN), links: Ring::of(keys, Use::LINK), random }))
    }

    /// Seals `plain` for one place.
    pub fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
        self.0.columns.seal(&place.bytes(), plain, self.0.random.bytes())
    }

    /// Opens what was sealed for this very place.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, NotOurs> {
        self.0.columns.open(&place.bytes(), sealed)
    }

    /// Whether a value was sealed under an earlier generation and should be sealed anew.
    pub fn outdated(&self, sealed: &[u8]) -> bool {
        sealed.first() != Some(&self.0.columns.current().0)
    }

    /// Seals `plain` as base64url, for a link that comes back from outside.
    ///
    /// * `context`: who may bring it back, and with what; must be the same bytes then.
    pub fn seal_link(&self, context: &[u8], plain: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.0.links.seal(context, plain, self.0.random.bytes()))
    }

    /// Opens a link in the context it was sealed for. Any text may come here.
    pub fn open_link(&self, context: &[u8], text: &str) -> Result<Vec<u8>, NotOurs> {
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotOurs)?;
        self.0.links.open(context, &sealed)
    }
}

impl Debug for Sealer {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("Sealer([redacted])")
    }
}

impl Place<'_> {
    /// The place as bytes, each part led by its length: no two places write alike.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + self.table.len() + self.column.len() + self.row.len());
        for part in [self.table.as_bytes(), self.column.as_bytes(), self.row] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

impl Ring {
    fn of(keys: &Keys, purpose: Use) -> Self {
        let ring = keys.generations().filter_map(|generation| {
            let key = keys.derive(generation, purpose)?;
            Some((generation, sealing_key(&key)))
        });
        Self(ring.collect())
    }

    fn current(&self) -> &(u8, LessSafeKey) {
        // As long as `Keys`, which is never empty.
        &self.0[self.0.len() - 1]
    }

    fn seal(&self, context: &[u8], plain: &[u8], nonce: [u8; NONCE_LEN]) -> Vec<u8> {
        let (generation, key) = self.current();
        let mut sealed = Vec::with_capacity(HEAD + plain.len() + key.algorithm().tag_len());
        sealed.push(*generation);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed[HEAD..])
            // Fails only above 64 GiB.
            .expect("a value in memory is below the cipher's limit");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let (head, body) = sealed.split_at_checked(HEAD).ok_or(NotOurs)?;
        let (_, key) = self.0.iter().find(|(generation, _)| *generation == head[0]).ok_or(NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(&head[1..]).map_err(|_| NotOurs)?;
        let mut body = body.to_vec();
        let plain = key.open_in_place(nonce, Aad::from(context), &mut body).map_err(|_| NotOurs)?.len();
        body.truncate(plain);
        Ok(body)
    }
}

/// An AES-256-GCM-SIV key from 256 bits.
pub(in crate::store) fn sealing_key(key: &[u8; 32]) -> LessSafeKey {
    // Fails only for another length.
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).expect("256 bits are this cipher's key"))
}

/// Bytes before the ciphertext: generation and nonce.
const HEAD: usize = 1 + NONCE_LEN;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { table: "key", column: "private", row: b"7" };

    fn sealer(seed: u64) -> Sealer {
        Sealer::new(&Keys::for_test(seed), Random::seeded(seed))
    }

    #[test]
    fn opens_where_it_was_sealed_and_nowhere_else() {
        let ours = sealer(1);
        let hidden = ours.seal(&HERE, "佐藤".as_bytes());
        assert_eq!(ours.open(&HERE, &hidden).as_deref(), Ok("佐藤".as_bytes()));
        for place in [
            Place { row: b"8", ..HERE },
            Place { column: "public", ..HERE },
            Place { table: "client", ..HERE },
            // The same letters cut elsewhere.
            Place { table: "keyprivate", column: "", row: b"7" },
            Place { table: "ke", column: "yprivate", row: b"7" },
        ] {
            assert_eq!(ours.open(&place, &hidden), Err(NotOurs), "{place:?}");
        }
        assert_eq!(sealer(2).open(&HERE, &hidden), Err(NotOurs));
        assert_ne!(ours.seal(&HERE, b"x"), ours.seal(&HERE, b"x"), "a nonce is used once");
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_refused() {
        let ours = sealer(1);
        let hidden = ours.seal(&HERE, b"a secret of some length");
        for at in 0..hidden.len() {
            for bit in 0..8 {
                let mut changed = hidden.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(ours.open(&HERE, &changed), Err(NotOurs), "byte {at} bit {bit}");
            }
            assert_eq!(ours.open(&HERE, &hidden[..at]), Err(NotOurs), "cut at {at}");
        }
    }

    #[test]
    fn a_link_is_its_callers_alone() {
        let ours = sealer(1);
        let link = ours.seal_link(b"mother|Observation?code=x", b"position");
        assert_eq!(ours.open_link(b"mother|Observation?code=x", &link).as_deref(), Ok(&b"position"[..]));
        assert_eq!(ours.open_link(b"stranger|Observation?code=x", &link), Err(NotOurs));
        for text in ["", "!", "AAAA", "====", &link[1..], "\u{5c71}", &format!("{link}A")] {
            assert_eq!(ours.open_link(b"mother|Observation?code=x", text), Err(NotOurs), "{text}");
        }
        // A link is no column, whatever the place is called.
        let raw = URL_SAFE_NO_PAD.decode(&link).expect("base64url");
        assert_eq!(ours.0.columns.open(b"mother|Observation?code=x", &raw), Err(NotOurs));
    }

    #[test]
    fn what_an_old_key_sealed_opens_until_that_key_is_gone() {
        let path = std::env::temp_dir().join(format!("techo-seal-{}", Random::system().id()));
        let old = Keys::open_or_create(&path, &Random::system()).expect("made");
        let hidden = Sealer::new(&old, Random::system()).seal(&HERE, b"kept");
        let new = Sealer::new(&Keys::rotate(&path, &Random::system()).expect("rotated"), Random::system());
        assert!(new.outdated(&hidden));
        let again = new.seal(&HERE, &new.open(&HERE, &hidden).expect("old key kept"));
        assert!(!new.outdated(&again));
        let text = std::fs::read_to_string(&path).expect("key file");
        let without_first: Vec<&str> =
            text.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| line).collect();
        std::fs::write(&path, without_first.join("\n")).expect("written");
        let alone = Sealer::new(&Keys::load(&path).expect("loaded"), Random::system());
        assert_eq!(alone.open(&HERE, &hidden), Err(NotOurs));
        assert_eq!(alone.open(&HERE, &again).as_deref(), Ok(&b"kept"[..]));
    }
}
