//! Text → [`Json`], in one pass with bounded depth.

use std::collections::HashSet;

use smol_str::SmolStr;

use super::{Json, MAX_DEPTH, Member, Value};

/// Objects larger than this look their names up in a set.
const MANY_MEMBERS: usize = 24;

/// Why a text is no JSON that we take, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub fault: Fault,
    /// Byte offset into the text.
    pub offset: usize,
}

/// What can be wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text ended inside a value.
    #[error("the text ends too early")]
    Truncated,
    /// Something other than what the grammar wants here, told in English and Japanese.
    #[error("expected {0}")]
    Expected(&'static str, &'static str),
    /// A name twice in one object.
    #[error("the name \"{0}\" stands twice in one object")]
    Duplicate(SmolStr),
    /// More than [`MAX_DEPTH`] levels.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Bytes that are no UTF-8.
    #[error("bytes that are not UTF-8")]
    Encoding,
    /// `\ud800` without its partner.
    #[error("half of a surrogate pair")]
    Surrogate,
    /// A raw control character inside a string.
    #[error("a control character inside a string")]
    Control,
    /// Something after the value.
    #[error("text after the end of the value")]
    Trailing,
    /// Larger than 4 GiB.
    #[error("the text is too large")]
    TooLarge,
}

impl Fault {
    /// What is wrong, in Japanese.
    pub fn japanese(&self) -> String {
        match self {
            Self::Truncated => "途中で終わっています".to_owned(),
            Self::Expected(_, wanted) => format!("ここには{wanted}が必要です"),
            Self::Duplicate(name) => format!("1つのオブジェクトに名前\"{name}\"が2つあります"),
            Self::TooDeep => format!("入れ子が{MAX_DEPTH}階層を超えています"),
            Self::Encoding => "UTF-8でないバイトがあります".to_owned(),
            Self::Surrogate => "サロゲートペアが片方だけです".to_owned(),
            Self::Control => "文字列に制御文字があります".to_owned(),
            Self::Trailing => "値の後に余分な文字があります".to_owned(),
            Self::TooLarge => "テキストが大きすぎます".to_owned(),
        }
    }
}

/// A place in a text as people count: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Place {
    /// Where byte `offset` of `text` lies.
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let continuation = |byte: &&u8| **byte & 0xC0 != 0x80;
        Self {
            line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
            column: before[line_start..].iter().filter(continuation).count() + 1,
        }
    }

    /// The byte offset of this place in `text`; its end if there is no such place.
    pub fn offset(self, text: &[u8]) -> usize {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let Some(start) = std::iter::once(0).chain(ends).nth(self.line.saturating_sub(1)) else { return text.len() };
        let begins = text[start..].iter().enumerate().filter(|(_, byte)| **byte & 0xC0 != 0x80);
        begins.map(|(at, _)| start + at).nth(self.column.saturating_sub(1)).unwrap_or(text.len())
    }
}

pub(super) fn parse(text: &[u8]) -> Result<Json, ParseError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError { fault: Fault::TooLarge, offset: 0 });
    }
    let valid = std::str::from_utf8(text)
        .map_err(|error| ParseError { fault: Fault::Encoding, offset: error.valid_up_to() })?;
    let mut parser = Parser { text: valid, bytes: text, at: 0 };
    if text.starts_with(b"\xEF\xBB\xBF") {
        parser.at = 3;
    }
    let json = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return parser.fail(Fault::Trailing);
    }
    Ok(json)
}

pub(super) fn is_number(text: &str) -> bool {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0 };
    parser.number().is_ok() && parser.at == text.len()
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, fault: Fault) -> Result<T, ParseError> {
        let fault = if self.at >= self.bytes.len() { Fault::Truncated } else { fault };
        Err(ParseError { fault, offset: self.at.min(self.bytes.len()) })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.space();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return self.fail(Fault::Expected("a value", "値")),
        };
        Ok(Json { value, start: offset(start), end: offset(self.at) })
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, ParseError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            self.fail(Fault::Expected("a value", "値"))
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, ParseError> {
        if depth >= MAX_DEPTH {
            return self.fail(Fault::TooDeep);
        }
        self.at += 1;
        let mut members = Vec::<Member>::new();
        let mut seen = HashSet::<SmolStr>::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fail(Fault::Expected("a name in quotes", "引用符で囲んだ名前"));
            }
            let name_at = self.at;
            let name = self.string()?;
            let twice = if members.len() < MANY_MEMBERS {
                members.iter().any(|member| member.name == name)
            } else {
                if seen.is_empty() {
                    seen.extend(members.iter().map(|member| member.name.clone()));
                }
                !seen.insert(name.clone())
            };
            if twice {
                return Err(ParseError { fault: Fault::Duplicate(name), offset: name_at });
            }
            self.space();
            if self.peek() != Some(b':') {
                return self.fail(Fault::Expected("a colon", "コロン"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push(Member { name, value, name_at: offset(name_at) });
            if self.another(b'}', ("a comma or the end of the object", "コンマまたはオブジェクトの終わり"))?
            {
                continue;
            }
            return Ok(Value::Object(members));
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, ParseError> {
        if depth >= MAX_DEPTH {
            return self.fail(Fault::TooDeep);
        }
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.another(b']', ("a comma or the end of the array", "コンマまたは配列の終わり"))? {
                return Ok(Value::Array(items));
            }
        }
    }

    /// After an item: whether a comma announces another, or `close` ends them.
    fn another(&mut self, close: u8, wanted: (&'static str, &'static str)) -> Result<bool, ParseError> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.fail(Fault::Expected(wanted.0, wanted.1)),
        }
    }

    fn number(&mut self) -> Result<SmolStr, ParseError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.fail(Fault::Expected("a digit", "数字")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.text[start..self.at].into())
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fail(Fault::Expected("a digit", "数字"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<SmolStr, ParseError> {
        self.at += 1;
        let start = self.at;
        let mut unescaped: Option<String> = None;
        let mut run = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[run..self.at];
                    self.at += 1;
                    return Ok(match unescaped {
                        None => rest.into(),
                        Some(mut text) => {
                            text.push_str(rest);
                            text.into()
                        }
                    });
                }
                Some(b'\\') => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(&self.text[run..self.at]);
                    let character = self.escape()?;
                    unescaped.get_or_insert_default().push(character);
                    run = self.at;
                }
                Some(0..=0x1F) => return self.fail(Fault::Control),
                Some(_) => self.at += 1,
                None => return self.fail(Fault::Truncated),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        self.at += 1;
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return self.fail(Fault::Expected("an escape", "エスケープ文字")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode(&mut self) -> Result<char, ParseError> {
        let begin = self.at - 1;
        let surrogate = ParseError { fault: Fault::Surrogate, offset: begin };
        let high = self.hex()?;
        let code = match high {
            0xD800..=0xDBFF => {
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    return Err(surrogate);
                }
                self.at += 1;
                let low = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&low) {
                    return Err(surrogate);
                }
                0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or(surrogate)
    }

    /// Reads `uXXXX`, standing on the `u`.
    fn hex(&mut self) -> Result<u32, ParseError> {
        let digits = self.bytes.get(self.at + 1..self.at + 5).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else {
            return self.fail(Fault::Expected("four hexadecimal digits", "16進数字4桁"));
        };
        let code = digits.iter().fold(0, |code, &digit| code * 16 + (digit as char).to_digit(16).unwrap_or(0));
        self.at += 5;
        Ok(code)
    }
}

/// Offsets fit: longer texts are refused at the start.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_and_placed() {
        for (text, fault, offset) in [
            (&br#"{"a":1,"a":2}"#[..], Fault::Duplicate("a".into()), 7),
            (br#"{"a":1"#, Fault::Truncated, 6),
            (br"[1,]", Fault::Expected("a value", "値"), 3),
            (br#""\ud800x""#, Fault::Surrogate, 1),
            (b"\"\x01\"", Fault::Control, 1),
            (b"\"\xFF\"", Fault::Encoding, 1),
            (b"1 2", Fault::Trailing, 2),
            (b"01", Fault::Trailing, 1),
            (b"", Fault::Truncated, 0),
        ] {
            let error = Json::parse(text).expect_err("must be refused");
            assert_eq!(error, ParseError { fault, offset }, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()).expect_err("too deep").fault, Fault::TooDeep);
    }

    #[test]
    fn a_name_twice_is_found_in_large_objects_too() {
        let mut text = String::from("{");
        for n in 0..40 {
            text.push_str(&format!("\"n{n}\":0,"));
        }
        text.push_str("\"n7\":0}");
        assert_eq!(Json::parse(text.as_bytes()).expect_err("twice").fault, Fault::Duplicate("n7".into()));
    }

    #[test]
    fn places_count_lines_and_characters() {
        let text = "山\n田x".as_bytes();
        for (offset, line, column) in [(0, 1, 1), (3, 1, 2), (4, 2, 1), (7, 2, 2), (8, 2, 3)] {
            assert_eq!(Place::of(text, offset), Place { line, column });
            assert_eq!(Place { line, column }.offset(text), offset);
        }
        assert_eq!(Place { line: 9, column: 1 }.offset(text), text.len());
    }
}
