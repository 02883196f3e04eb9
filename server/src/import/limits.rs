//! Is it too big? Asked before anything reads the file.
//!
//! Archives and nesting have their limits where they are unpacked and parsed:
//! an importer of such a format adds a field here and asks it there.

use super::Part;
use super::draft::{Line, Refusal, Text};

/// The largest input a format takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub bytes: usize,
    /// Lines of one file.
    pub lines: usize,
    /// Files that belong together.
    pub parts: usize,
}

impl Limits {
    /// A refusal `too-large` if one of these files, or their number, is over the limit.
    pub fn refuses(&self, parts: &[Part<'_>]) -> Option<Refusal> {
        if parts.len() > self.parts {
            return Some(too_large(0, "files", "ファイル数", self.parts));
        }
        parts.iter().enumerate().find_map(|(at, part)| {
            if part.bytes.len() > self.bytes {
                Some(too_large(at, "bytes", "バイト", self.bytes))
            } else if lines(part.bytes) > self.lines {
                Some(too_large(at, "lines", "行", self.lines))
            } else {
                None
            }
        })
    }
}

/// Lines of a file: a last line without an end counts, an end without a line does not.
fn lines(bytes: &[u8]) -> usize {
    let after_the_last_end = bytes.last().is_none_or(|&byte| byte == b'\n');
    line_of(bytes, bytes.len()) - usize::from(after_the_last_end)
}

/// The line, counted from 1, that a byte stands in.
pub(super) fn line_of(bytes: &[u8], offset: usize) -> usize {
    bytes[..offset.min(bytes.len())].split(|&byte| byte == b'\n').count()
}

fn too_large(part: usize, en: &str, ja: &str, limit: usize) -> Refusal {
    Refusal {
        code: "too-large",
        text: Text::new(format!("More than {limit} {en}."), format!("上限({limit}{ja})を超えています。")),
        at: Line { part, line: 0 },
        offset: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_over_is_refused_and_the_limit_itself_is_not() {
        let limits = Limits { bytes: 8, lines: 2, parts: 2 };
        let part = |bytes| Part { name: None, bytes };
        for (parts, refused) in [
            (vec![part(&b"12345678"[..])], false),
            (vec![part(b"123456789")], true),
            (vec![part(b"1\n2\n")], false),
            (vec![part(b"1\n2\n3")], true),
            (vec![part(b""), part(b"1\n2")], false),
            (vec![part(b""), part(b""), part(b"")], true),
        ] {
            assert_eq!(limits.refuses(&parts).is_some(), refused, "{parts:?}");
        }
    }
}
