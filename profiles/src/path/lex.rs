//! Text to tokens.
//!
//! Source: `FHIRPath` 2.0, the grammar's lexer rules

use super::error::PathError;
use super::temporal::{self, Moment};

/// One token and the byte it starts at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A word, which may be a keyword or an operator.
    Word(String),
    /// A name in backticks or double quotes: never a keyword.
    Quoted(String),
    /// A string in single quotes.
    Text(String),
    /// A number's own text.
    Number(String),
    /// What follows `@`.
    Moment(Moment),
    /// `$this` and its like, without the sign.
    Special(String),
    /// `%`
    Percent,
    /// An operator or bracket.
    Sign(&'static str),
    /// After the last token.
    End,
}

/// The signs, the longer before those they begin with.
const SIGNS: &[&str] =
    &["<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "|", "&", "+", "-", "*", "/", "=", "~", "<", ">"];

/// All tokens of `text`, the last of them [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, PathError> {
    let mut tokens = Vec::new();
    let mut at = skip_blank(text, 0)?;
    while at < text.len() {
        let (kind, end) = token(text, at)?;
        tokens.push(Token { kind, at });
        at = skip_blank(text, end)?;
    }
    tokens.push(Token { kind: Kind::End, at: text.len() });
    Ok(tokens)
}

/// Skips white space and comments.
fn skip_blank(text: &str, mut at: usize) -> Result<usize, PathError> {
    let bytes = text.as_bytes();
    loop {
        match &bytes[at..] {
            [b' ' | b'\t' | b'\r' | b'\n', ..] => at += 1,
            [b'/', b'/', ..] => at = text[at..].find('\n').map_or(text.len(), |end| at + end),
            [b'/', b'*', ..] => {
                let end = text[at + 2..].find("*/").ok_or_else(|| PathError::syntax(at, "the comment has no end"))?;
                at += end + 4;
            }
            // No-break space slips in from documents and means nothing else here.
            [0xC2, 0xA0, ..] => at += 2,
            _ => return Ok(at),
        }
    }
}

fn token(text: &str, at: usize) -> Result<(Kind, usize), PathError> {
    let rest = &text[at..];
    match rest.as_bytes()[0] {
        b'\'' => quoted(text, at, '\'').map(|(name, end)| (Kind::Text(name), end)),
        quote @ (b'`' | b'"') => quoted(text, at, char::from(quote)).map(|(name, end)| (Kind::Quoted(name), end)),
        b'@' => {
            let (moment, length) = temporal::scan(&rest.as_bytes()[1..]).ok_or_else(|| no_moment(at, &rest[1..]))?;
            Ok((Kind::Moment(moment), at + 1 + length))
        }
        b'%' => Ok((Kind::Percent, at + 1)),
        b'$' => {
            let length = word_length(&rest[1..]);
            Ok((Kind::Special(rest[1..=length].to_owned()), at + 1 + length))
        }
        byte if byte.is_ascii_digit() => {
            let length = number_length(rest);
            Ok((Kind::Number(rest[..length].to_owned()), at + length))
        }
        byte if byte.is_ascii_alphabetic() || byte == b'_' => {
            let length = word_length(rest);
            Ok((Kind::Word(rest[..length].to_owned()), at + length))
        }
        _ => {
            if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                return Ok((Kind::Sign(sign), at + sign.len()));
            }
            let odd = rest.chars().next().unwrap_or_default();
            Err(PathError::syntax(at, format!("unexpected character {odd:?}")))
        }
    }
}

/// * `text`: what stands behind the `@`.
fn no_moment(at: usize, text: &str) -> PathError {
    let length = text.bytes().take_while(|byte| byte.is_ascii_digit() || b"-:.TZ".contains(byte)).count();
    match &text[..length] {
        "" => PathError::syntax(at, "no date or time after '@'"),
        // As long as an instant to the nanosecond.
        written => {
            let written = written.get(..30).unwrap_or(written);
            PathError::syntax(at, format!("there is no such date or time: @{written}")).about(format!("@{written}"))
        }
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    match text[whole..].strip_prefix('.').map(digits) {
        Some(fraction) if fraction > 0 => whole + 1 + fraction,
        _ => whole,
    }
}

/// The unescaped text between two `quote`s, and where it ends.
fn quoted(text: &str, start: usize, quote: char) -> Result<(String, usize), PathError> {
    let mut name = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((offset, found)) = chars.next() {
        let at = start + 1 + offset;
        match found {
            _ if found == quote => return Ok((name, at + 1)),
            '\\' => name.push(escape(&mut chars).ok_or_else(|| PathError::syntax(at, "no such escape"))?),
            _ => name.push(found),
        }
    }
    Err(PathError::syntax(start, format!("no closing {quote}")))
}

fn escape(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    Some(match chars.next()?.1 {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'f' => '\u{c}',
        same @ ('\\' | '/' | '\'' | '"' | '`') => same,
        'u' => {
            let first = unit(chars)?;
            if !(0xD800..0xDC00).contains(&first) {
                return char::from_u32(first);
            }
            let low = (chars.next()?.1 == '\\' && chars.next()?.1 == 'u').then(|| unit(chars)).flatten()?;
            let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            return char::from_u32(0x10000 + ((first - 0xD800) << 10) + low);
        }
        _ => return None,
    })
}

fn unit(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    (0..4).try_fold(0, |sum, _| Some(sum * 16 + chars.next()?.1.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_unescape() {
        for (text, expected) in [
            (r"'a\'b\\\/\n\u002a'", Some("a'b\\/\n*")),
            (r"'\uD83D\uDE00'", Some("😀")),
            ("'山田'", Some("山田")),
            (r"'\q'", None),
            (r"'\uD83D'", None),
            ("'open", None),
        ] {
            let found = tokens(text).ok().map(|tokens| tokens[0].kind.clone());
            assert_eq!(found, expected.map(|text| Kind::Text(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_dot_belongs_to_a_number_only_before_a_digit() {
        let kinds = |text| tokens(text).expect("tokens").into_iter().map(|token| token.kind).collect::<Vec<_>>();
        assert_eq!(kinds("1.5")[0], Kind::Number("1.5".into()));
        assert_eq!(kinds("1.is")[0], Kind::Number("1".into()));
        assert_eq!(kinds("2 // no\n+ /* no */ 3").len(), 4);
    }
}
