//! Characters, references and escapes of XML.

use std::borrow::Cow;

/// What XML 1.0 lets a text have.
pub(crate) fn is_character(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// A text fit for any answer: U+FFFD stands for each character that neither XML nor a
/// string of FHIR may have.
pub fn legible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_character) {
        return Cow::Borrowed(text);
    }
    let legible = |letter| if is_character(letter) { letter } else { char::REPLACEMENT_CHARACTER };
    Cow::Owned(text.chars().map(legible).collect())
}

/// What a name may begin with, without the colon.
pub(super) fn is_name_start(letter: char) -> bool {
    matches!(letter,
        'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// What a name may go on with, without the colon.
pub(super) fn is_name(letter: char) -> bool {
    is_name_start(letter)
        || matches!(letter, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// What white space is.
pub(super) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// What a reference stands for; `None` if it is none of XML's own.
///
/// * `name`: between `&` and `;`
pub fn referred(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix('x') {
                Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok()?,
                None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
                _ => return None,
            };
            char::from_u32(number).filter(|letter| is_character(*letter))
        }
    }
}

/// References resolved, line ends made one character.
///
/// * `in_attribute`: tabs and line ends that stand there as such become spaces.
///
/// # Errors
/// The offset in `raw` of a reference that cannot be resolved.
pub(super) fn unescape(raw: &str, in_attribute: bool) -> Result<Cow<'_, str>, usize> {
    let special = |byte: u8| byte == b'&' || byte == b'\r' || (in_attribute && matches!(byte, b'\t' | b'\n'));
    if !raw.bytes().any(special) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(special) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match rest.as_bytes()[at] {
            b'&' => {
                let begin = raw.len() - rest.len() + at;
                let (name, after) = after.split_once(';').ok_or(begin)?;
                out.push(referred(name).ok_or(begin)?);
                after
            }
            b'\r' => {
                out.push(if in_attribute { ' ' } else { '\n' });
                after.strip_prefix('\n').unwrap_or(after)
            }
            _ => {
                out.push(' ');
                after
            }
        };
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// Writes a text so that it reads back the same.
///
/// * `in_attribute`: between double quotes.
pub(super) fn escape(out: &mut String, text: &str, in_attribute: bool) {
    let mut run = 0;
    for (at, byte) in text.bytes().enumerate() {
        let reference = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'\r' => "&#13;",
            b'"' if in_attribute => "&quot;",
            b'\n' if in_attribute => "&#10;",
            b'\t' if in_attribute => "&#9;",
            _ => continue,
        };
        out.push_str(&text[run..at]);
        out.push_str(reference);
        run = at + 1;
    }
    out.push_str(&text[run..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_line_ends() {
        for (raw, in_attribute, expected) in [
            ("a &lt; b &amp;&#38; &#x5C71;", false, Ok("a < b && 山")),
            ("a\r\nb\rc\n", false, Ok("a\nb\nc\n")),
            ("a\r\nb\tc\nd&#10;e&#13;", true, Ok("a b c d\ne\r")),
            ("x&nbsp;", false, Err(1)),
            ("xy&", false, Err(2)),
            ("&#0;", false, Err(0)),
            ("&#xD800;", false, Err(0)),
            ("&#+65;", false, Err(0)),
            ("&#x;", false, Err(0)),
            ("&lt", false, Err(0)),
        ] {
            assert_eq!(unescape(raw, in_attribute).as_deref().map_err(|at| *at), expected, "{raw}");
        }
    }

    #[test]
    fn what_no_answer_may_have_is_replaced() {
        for (text, expected) in
            [("山\t\r\n", "山\t\r\n"), ("a\0b\u{1}", "a\u{FFFD}b\u{FFFD}"), ("\u{FFFF}\u{85}", "\u{FFFD}\u{85}")]
        {
            assert_eq!(legible(text), expected);
        }
    }

    #[test]
    fn what_is_escaped_reads_back_the_same() {
        let text = "a<b>&\"'\r\n\t]]>山";
        for in_attribute in [true, false] {
            let mut out = String::new();
            escape(&mut out, text, in_attribute);
            assert_eq!(unescape(&out, in_attribute).as_deref(), Ok(text));
        }
    }
}
