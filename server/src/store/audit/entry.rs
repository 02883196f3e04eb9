//! One record on disk, and how the next is found.
//!
//! `length (4) ‖ its complement (4) ‖ mac (32) ‖ record`. The complement tells
//! a changed length from a write that was cut off: bytes that end too early
//! are *torn*, bytes that contradict themselves are *broken*.

use std::io::{self, Read};

use super::authentic::Mac;

/// Bytes before each record.
pub(super) const ENTRY_HEAD: usize = 40;
/// The longest record: an answer about some hundred thousand citizens.
pub(super) const MAX_RECORD: usize = 16 << 20;

/// What stands at a place of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole record.
    Entry {
        /// Its mac, as written.
        mac: Mac,
        /// Its bytes.
        record: Vec<u8>,
    },
    /// Nothing more.
    End,
    /// A write that was cut off: so many bytes without a whole record.
    Torn(u64),
    /// Bytes that no write of ours leaves.
    Broken(&'static str),
}

/// Adds one entry to a buffer.
pub(super) fn put(buffer: &mut Vec<u8>, mac: &Mac, record: &[u8]) {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&(!length).to_le_bytes());
    buffer.extend_from_slice(mac);
    buffer.extend_from_slice(record);
}

/// Reads the next entry of `left` bytes, which it counts down.
pub(super) fn step(input: &mut impl Read, left: &mut u64) -> io::Result<Step> {
    if *left == 0 {
        return Ok(Step::End);
    }
    if *left < ENTRY_HEAD as u64 {
        return Ok(Step::Torn(*left));
    }
    let mut head = [0; ENTRY_HEAD];
    input.read_exact(&mut head)?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let length = number(0);
    if length != !number(4) {
        // A file that grew before its bytes arrived, as after a power loss.
        let empty = head == [0; ENTRY_HEAD] && all_zero(input, *left - ENTRY_HEAD as u64)?;
        return Ok(if empty { Step::Torn(*left) } else { Step::Broken("its length contradicts itself") });
    }
    if length as usize > MAX_RECORD {
        return Ok(Step::Broken("its length is impossible"));
    }
    let size = ENTRY_HEAD as u64 + u64::from(length);
    if *left < size {
        return Ok(Step::Torn(*left));
    }
    let mut record = vec![0; length as usize];
    input.read_exact(&mut record)?;
    *left -= size;
    let mut mac = [0; 32];
    mac.copy_from_slice(&head[8..]);
    Ok(Step::Entry { mac, record })
}

fn all_zero(input: &mut impl Read, left: u64) -> io::Result<bool> {
    let mut bytes = Vec::new();
    input.take(left).read_to_end(&mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Vec<Step> {
        let (mut input, mut left) = (bytes, bytes.len() as u64);
        let mut steps = Vec::new();
        loop {
            let step = step(&mut input, &mut left).expect("in memory");
            let last = !matches!(step, Step::Entry { .. });
            steps.push(step);
            if last {
                return steps;
            }
        }
    }

    #[test]
    fn a_cut_is_torn_and_a_contradiction_is_broken() {
        let mut bytes = Vec::new();
        put(&mut bytes, &[1; 32], b"first");
        let first = bytes.len();
        put(&mut bytes, &[2; 32], b"");
        assert!(matches!(walk(&bytes)[..], [Step::Entry { .. }, Step::Entry { .. }, Step::End]));
        for cut in 1..first {
            assert_eq!(walk(&bytes[..cut]), [Step::Torn(cut as u64)], "{cut}");
        }
        for at in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(matches!(walk(&changed)[..], [Step::Broken(_)]), "{at}");
        }
        assert_eq!(walk(&[0; 100]), [Step::Torn(100)]);
    }
}
