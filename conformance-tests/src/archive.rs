//! Files out of a zip archive.
//!
//! Source: APPNOTE.TXT 6.3, §4.3

use std::io::Read;

use flate2::read::DeflateDecoder;

/// The files whose path `wanted` takes, with their paths, in the archive's order.
pub fn files(zip: &[u8], wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let end = zip.windows(4).rposition(|four| four == b"PK\x05\x06").expect("the end of a central directory");
    let (count, mut at) = (short(zip, end + 10), long(zip, end + 16));
    let mut found = Vec::new();
    for _ in 0..count {
        assert_eq!(&zip[at..at + 4], b"PK\x01\x02", "an entry of the central directory");
        let (method, packed, local) = (short(zip, at + 10), long(zip, at + 20), long(zip, at + 42));
        let (name, extra, comment) = (short(zip, at + 28), short(zip, at + 30), short(zip, at + 32));
        let path = String::from_utf8_lossy(&zip[at + 46..at + 46 + name]).into_owned();
        if !path.ends_with('/') && wanted(&path) {
            let begin = local + 30 + short(zip, local + 26) + short(zip, local + 28);
            found.push((path, unpacked(method, &zip[begin..begin + packed])));
        }
        at += 46 + name + extra + comment;
    }
    found
}

fn unpacked(method: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match method {
        0 => out.extend_from_slice(bytes),
        8 => drop(DeflateDecoder::new(bytes).read_to_end(&mut out).expect("a file that inflates")),
        other => panic!("method {other} of compression"),
    }
    out
}

fn short(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn long(bytes: &[u8], at: usize) -> usize {
    short(bytes, at) | short(bytes, at + 2) << 16
}
