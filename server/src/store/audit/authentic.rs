//! The keys of the audit log: what makes a record ours and keeps it in its place.
//!
//! The chain: `mac(n) = HMAC(key, mac(n−1) ‖ record(n))`, from a first value
//! that names the chain. Whoever has not the key can neither change a record
//! nor leave one out nor put two in another order without the chain breaking
//! there. The head of the chain is sealed with its position, so that it cannot
//! be set back to an earlier record by copying that record's mac.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use aws_lc_rs::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use aws_lc_rs::hmac;

use super::codec::Veil;
use super::{Head, Position};
use crate::store::keys::{Keys, Use};
use crate::store::seal::sealing_key;

/// The value that ties a record to all before it.
pub(super) type Mac = [u8; 32];

/// Every key the audit log uses; cheap to clone.
#[derive(Clone)]
pub(super) struct AuditKeys(Arc<Inner>);

struct Inner {
    /// By generation, oldest first, never empty.
    generations: Vec<Generation>,
    id: LessSafeKey,
}

struct Generation {
    number: u8,
    chain: hmac::Key,
    head: hmac::Key,
    row: hmac::Key,
    query: LessSafeKey,
}

/// The chain key of one generation.
#[derive(Clone)]
pub(super) struct ChainKey(hmac::Key);

impl AuditKeys {
    pub(super) fn new(keys: &Keys) -> Self {
        let generations = keys.generations().filter_map(|number| {
            let mac = |purpose| Some(hmac::Key::new(hmac::HMAC_SHA256, &keys.derive(number, purpose)?));
            Some(Generation {
                number,
                chain: mac(Use::AUDIT_CHAIN)?,
                head: mac(Use::AUDIT_HEAD)?,
                row: mac(Use::AUDIT_ROW)?,
                query: sealing_key(&keys.derive(number, Use(QUERY))?),
            })
        });
        // The oldest generation keeps ids what they were when keys are added.
        let id = keys.derive(keys.oldest(), Use::AUDIT_ID).expect("the oldest generation is one of those kept");
        Self(Arc::new(Inner { generations: generations.collect(), id: sealing_key(&id) }))
    }

    /// The generation that new segments and chains begin under.
    pub(super) fn generation(&self) -> u8 {
        self.current().number
    }

    /// The chain key of a generation; `None` if that is not kept any more.
    pub(super) fn chain(&self, generation: u8) -> Option<ChainKey> {
        self.find(generation).map(|found| ChainKey(found.chain.clone()))
    }

    /// The chain key of the current generation.
    pub(super) fn current_chain(&self) -> ChainKey {
        ChainKey(self.current().chain.clone())
    }

    /// The seal of a head: `generation ‖ HMAC(chain, segment, place, mac)`.
    pub(super) fn seal_head(&self, head: &Head) -> Vec<u8> {
        tagged(self.current().number, &self.current().head, &head.bytes())
    }

    /// Whether `seal` is this head's.
    pub(super) fn is_head(&self, head: &Head, seal: &[u8]) -> bool {
        self.checks(seal, |generation| &generation.head, &head.bytes())
    }

    /// The seal of a write's row.
    pub(super) fn seal_row(&self, id: &[u8; 16], record: &[u8]) -> Vec<u8> {
        tagged(self.current().number, &self.current().row, &[id, record].concat())
    }

    /// Whether `seal` is this row's.
    pub(super) fn is_row(&self, id: &[u8], record: &[u8], seal: &[u8]) -> bool {
        self.checks(seal, |generation| &generation.row, &[id, record].concat())
    }

    /// An event's id: its position and patient, encrypted, so that ids neither
    /// count nor tell; the same every time.
    pub(super) fn event_id(&self, position: &Position, ordinal: u32) -> String {
        let mut plain = Vec::with_capacity(ID_BYTES);
        plain.extend_from_slice(&position.chain.to_be_bytes()[2..]);
        plain.extend_from_slice(&position.segment.to_be_bytes());
        plain.extend_from_slice(&position.place.to_be_bytes()[2..]);
        plain.extend_from_slice(&ordinal.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        // One nonce for all is what makes the id stable; the cipher is made to
        // bear it: equal ids mean equal events, and nothing else is told.
        let tag = self.0.id.seal_in_place_separate_tag(nonce, Aad::from(b"AuditEvent"), &mut plain);
        plain.extend_from_slice(tag.expect("20 bytes are below the cipher's limit").as_ref());
        base32(&plain)
    }

    /// The position and patient of an id; `None` for any text that is none of ours.
    pub(super) fn open_event_id(&self, id: &str) -> Option<(Position, u32)> {
        let mut sealed = from_base32(id)?;
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let plain = self.0.id.open_in_place(nonce, Aad::from(b"AuditEvent"), &mut sealed).ok()?;
        let (chain, rest) = plain.split_first_chunk::<6>()?;
        let (segment, rest) = rest.split_first_chunk::<4>()?;
        let (place, rest) = rest.split_first_chunk::<6>()?;
        let ordinal = u32::from_be_bytes(rest.try_into().ok()?);
        let wide = |six: &[u8; 6]| six.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let chain = i64::try_from(wide(chain)).ok()?;
        Some((Position { chain, segment: u32::from_be_bytes(*segment), place: wide(place) }, ordinal))
    }

    fn current(&self) -> &Generation {
        // As long as `Keys`, which is never empty.
        &self.0.generations[self.0.generations.len() - 1]
    }

    fn find(&self, number: u8) -> Option<&Generation> {
        self.0.generations.iter().find(|generation| generation.number == number)
    }

    fn checks(&self, seal: &[u8], key: impl Fn(&Generation) -> &hmac::Key, bytes: &[u8]) -> bool {
        let found = seal.split_first().and_then(|(number, mac)| Some((key(self.find(*number)?), mac)));
        found.is_some_and(|(key, mac)| hmac::verify(key, bytes, mac).is_ok())
    }
}

/// The query of a record: `generation ‖ ciphertext`, under a nonce made of the
/// plain text itself, bound to the record's time.
impl Veil for AuditKeys {
    fn hide(&self, at: i64, plain: &[u8]) -> Vec<u8> {
        let generation = self.current();
        let digest = hmac::sign(&generation.row, &[&at.to_be_bytes(), plain].concat());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&digest.as_ref()[..NONCE_LEN]);
        let mut sealed = Vec::with_capacity(plain.len() + 64);
        sealed.push(generation.number);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let body = &mut sealed[1 + NONCE_LEN..];
        let tag = generation.query.seal_in_place_separate_tag(nonce, Aad::from(at.to_be_bytes()), body);
        sealed.extend_from_slice(tag.expect("a query is below the cipher's limit").as_ref());
        sealed
    }

    fn show(&self, at: i64, hidden: &[u8]) -> Option<Vec<u8>> {
        let (head, body) = hidden.split_at_checked(1 + NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(&head[1..]).ok()?;
        let mut body = body.to_vec();
        let key = &self.find(head[0])?.query;
        Some(key.open_in_place(nonce, Aad::from(at.to_be_bytes()), &mut body).ok()?.to_vec())
    }
}

impl ChainKey {
    /// What stands before a chain's first record.
    pub(super) fn genesis(&self, chain: i64) -> Mac {
        self.mac(&[b"techo audit chain", &chain.to_be_bytes()])
    }

    /// The mac of a record that follows `previous`.
    pub(super) fn next(&self, previous: &Mac, record: &[u8]) -> Mac {
        self.mac(&[previous, record])
    }

    fn mac(&self, parts: &[&[u8]]) -> Mac {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }
}

impl Debug for AuditKeys {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("AuditKeys([redacted])")
    }
}

impl Debug for ChainKey {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("ChainKey([redacted])")
    }
}

fn tagged(generation: u8, key: &hmac::Key, bytes: &[u8]) -> Vec<u8> {
    let mut seal = vec![generation];
    seal.extend_from_slice(hmac::sign(key, bytes).as_ref());
    seal
}

/// RFC 4648 base32, lower case, unpadded: letters and digits are all a FHIR id may hold.
fn base32(bytes: &[u8]) -> String {
    let (mut out, mut held, mut bits) = (String::new(), 0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(LETTERS[(held << (5 - bits) & 31) as usize]));
    }
    out
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    if text.len() > 64 {
        return None;
    }
    let (mut out, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for letter in text.bytes() {
        held = held << 5 | u32::try_from(LETTERS.iter().position(|known| *known == letter)?).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 0xFF) as u8);
            held &= (1 << bits) - 1;
        }
    }
    // Spare bits are zero, or two ids would name one event.
    (held == 0).then_some(out)
}

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Bytes of an event's position and patient.
const ID_BYTES: usize = 20;
/// The use under which queries inside records are sealed.
const QUERY: &str = "audit query";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_opaque_and_ours() {
        let keys = AuditKeys::new(&Keys::for_test(1));
        let other = AuditKeys::new(&Keys::for_test(2));
        for (chain, segment, place, ordinal) in [(1, 1, 53, 0), (7, 0, 1 << 40, 999), (0, u32::MAX, 0, u32::MAX)] {
            let position = Position { chain, segment, place };
            let id = keys.event_id(&position, ordinal);
            assert_eq!(id, keys.event_id(&position, ordinal));
            assert!(id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
            assert_eq!(keys.open_event_id(&id), Some((position, ordinal)));
            assert_eq!(other.open_event_id(&id), None);
            for at in 0..id.len() {
                let mut changed = id.clone().into_bytes();
                changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
                assert_eq!(keys.open_event_id(str::from_utf8(&changed).expect("ASCII")), None);
            }
        }
        let near = |place| keys.event_id(&Position { chain: 1, segment: 1, place }, 0);
        let same = near(53).bytes().zip(near(54).bytes()).filter(|(left, right)| left == right).count();
        assert!(same < 20, "neighbours do not look alike");
        for text in ["", "a", "山", &"a".repeat(58), &"a".repeat(5000)] {
            assert_eq!(keys.open_event_id(text), None, "{text}");
        }
    }

    #[test]
    fn the_veil_opens_only_at_its_time() {
        let keys = AuditKeys::new(&Keys::for_test(1));
        let hidden = keys.hide(5, "Patient?name=山田".as_bytes());
        assert_eq!(keys.show(5, &hidden).as_deref(), Some("Patient?name=山田".as_bytes()));
        assert_eq!(keys.show(6, &hidden), None);
        assert_eq!(keys.show(5, &hidden[..12]), None);
        assert_eq!(keys.show(5, &[]), None);
    }
}
