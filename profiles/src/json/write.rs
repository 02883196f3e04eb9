//! [`Json`] → text, and changes to a text that leave the rest as it was.

use std::fmt::{self, Display, Formatter, Write};
use std::ops::Range;

use super::{Json, Value};

/// Compact text: no space, escapes only where JSON demands them.
impl Display for Json {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        put(self, out)
    }
}

/// Writing to a String does not fail.
impl Json {
    /// Adds the compact text of this value to `out`.
    pub fn write_to(&self, out: &mut String) {
        let _ = put(self, out);
    }

    /// The compact text of this value, whose spans become those of the text: as if it
    /// had been read from there. A tree that was built need not be read once more.
    pub fn written(&mut self) -> String {
        let mut out = String::with_capacity(1024);
        self.place(&mut out);
        out
    }

    fn place(&mut self, out: &mut String) {
        self.start = offset(out);
        match &mut self.value {
            Value::Array(items) => {
                out.push('[');
                for (n, item) in items.iter_mut().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.place(out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (n, member) in members.iter_mut().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    member.name_at = offset(out);
                    let _ = quote(out, &member.name);
                    out.push(':');
                    member.value.place(out);
                }
                out.push('}');
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => self.write_to(out),
        }
        self.end = offset(out);
    }
}

/// No text of ours has 4 GiB; what is read is refused before.
fn offset(out: &str) -> u32 {
    u32::try_from(out.len()).unwrap_or(u32::MAX)
}

fn put(json: &Json, out: &mut impl Write) -> fmt::Result {
    match json.value() {
        Value::Null => out.write_str("null"),
        Value::Bool(truth) => out.write_str(if *truth { "true" } else { "false" }),
        Value::Number(text) => out.write_str(text),
        Value::String(text) => quote(out, text),
        Value::Array(items) => {
            out.write_char('[')?;
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.write_char(',')?;
                }
                put(item, out)?;
            }
            out.write_char(']')
        }
        Value::Object(members) => {
            out.write_char('{')?;
            for (n, member) in members.iter().enumerate() {
                if n > 0 {
                    out.write_char(',')?;
                }
                quote(out, &member.name)?;
                out.write_char(':')?;
                put(&member.value, out)?;
            }
            out.write_char('}')
        }
    }
}

fn quote(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut run = 0;
    // Most texts need no escape, which is told of all their bytes at once.
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    if text.bytes().fold(false, |found, byte| found | special(byte)) {
        for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| special(*byte)) {
            out.write_str(&text[run..at])?;
            match byte {
                b'"' => out.write_str("\\\"")?,
                b'\\' => out.write_str("\\\\")?,
                b'\n' => out.write_str("\\n")?,
                b'\r' => out.write_str("\\r")?,
                b'\t' => out.write_str("\\t")?,
                _ => write!(out, "\\u{byte:04x}")?,
            }
            run = at + 1;
        }
    }
    out.write_str(&text[run..])?;
    out.write_char('"')
}

/// JSON with a member or item a line, indented; the values stay byte for byte.
///
/// * `text`: one well-formed JSON value.
pub fn pretty(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2);
    let (mut level, mut in_string, mut escaped) = (0_usize, false, false);
    let mut just_opened = false;
    for &byte in text {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        level -= usize::from(closes && level > 0);
        if just_opened != closes {
            line(&mut out, level, just_opened || closes);
        }
        just_opened = matches!(byte, b'{' | b'[');
        level += usize::from(just_opened);
        in_string = byte == b'"';
        out.push(byte);
        match byte {
            b',' => line(&mut out, level, true),
            b':' => out.push(b' '),
            _ => {}
        }
    }
    out
}

fn line(out: &mut Vec<u8>, level: usize, wanted: bool) {
    if wanted {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b"  ", level).flatten());
    }
}

/// `text` with each range replaced by its bytes; all else stays byte for byte.
///
/// Ranges must lie in `text` and must not overlap; their order does not matter.
/// Several insertions at one place keep their order.
pub fn splice(text: &[u8], mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let grown: usize = edits.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut out = Vec::with_capacity(text.len() + grown);
    let mut at = 0;
    for (range, bytes) in edits {
        debug_assert!(at <= range.start, "edits overlap");
        out.extend_from_slice(&text[at..range.start]);
        out.extend_from_slice(&bytes);
        at = range.end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_adds_white_space_alone() {
        for (text, expected) in [
            (
                r#"{"a":[1.10,{"b":"x: {\",[\\"}],"c":{},"d":[ ],"e":true}"#,
                "{\n  \"a\": [\n    1.10,\n    {\n      \"b\": \"x: {\\\",[\\\\\"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": true\n}",
            ),
            (" 1 ", "1"),
            ("[]", "[]"),
        ] {
            let done = pretty(text.as_bytes());
            assert_eq!(String::from_utf8(done.clone()).expect("text"), expected);
            assert_eq!(Json::parse(&done).expect("JSON"), Json::parse(text.as_bytes()).expect("JSON"));
            assert_eq!(pretty(&done), done);
        }
    }

    #[test]
    fn a_tree_that_was_written_is_the_one_that_is_read() {
        let places = |tree: &Json| {
            let mut all = Vec::new();
            let mut open = vec![tree];
            while let Some(json) = open.pop() {
                all.push(json.span());
                all.extend(json.members().iter().map(|member| member.name_at as usize..0));
                open.extend(json.members().iter().map(|member| &member.value).chain(json.items()));
            }
            all
        };
        for text in [
            r#" {"b" : 1.10, "手帳": ["\u0001é\"\\\n\r\t", {"a": {}, "b": []}, null, true, -0.0] , "c":"" } "#,
            "\"only\"",
            " [ ] ",
        ] {
            let mut tree = Json::parse(text.as_bytes()).expect(text);
            let (shown, written) = (tree.to_string(), tree.written());
            assert_eq!(written, shown);
            let read = Json::parse(written.as_bytes()).expect("what was written");
            assert_eq!(tree, read);
            assert_eq!(places(&tree), places(&read), "{text}");
        }
    }

    #[test]
    fn splices_touch_nothing_else() {
        let text = br#"{ "id" : "old",  "v":1.10 }"#;
        let tree = Json::parse(text).expect("JSON");
        let id = tree.get("id").expect("id").span();
        let done = splice(text, vec![(1..1, b"\"x\":0,".to_vec()), (id, b"\"new\"".to_vec())]);
        assert_eq!(done, br#"{"x":0, "id" : "new",  "v":1.10 }"#);
    }
}
