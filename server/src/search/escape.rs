//! The escapes of search values: `\,` `\|` `\$` `\\`.
//!
//! Source: FHIR R4 search.html#escaping

use std::borrow::Cow;

use super::reason::Reason;

/// The parts of `text` between separators that no backslash precedes; the parts
/// keep their escapes. There is always one, perhaps empty.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, sign) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if sign == '\\' {
            escaped = true;
        } else if sign == separator {
            parts.push(&text[start..at]);
            start = at + sign.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `text` without its escapes.
///
/// # Errors
/// A backslash before anything else, or at the end: what was meant is not sure.
pub fn unescape(text: &str) -> Result<Cow<'_, str>, Reason> {
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            plain.push(sign);
            continue;
        }
        match signs.next() {
            Some(next @ (',' | '|' | '$' | '\\')) => plain.push(next),
            _ => return Err(Reason::Backslash),
        }
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_escaped_separators() {
        for (text, parts) in [
            ("a,b", vec!["a", "b"]),
            (r"a\,b,c", vec![r"a\,b", "c"]),
            (r"a\\,b", vec![r"a\\", "b"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            ("、,，", vec!["、", "，"]),
        ] {
            assert_eq!(split(text, ','), parts, "{text}");
        }
    }

    #[test]
    fn escapes_are_taken_off_once() {
        for (text, plain) in [("a", Some("a")), (r"\,\|\$\\n", Some(r",|$\n")), (r"\n", None), (r"a\", None)] {
            assert_eq!(unescape(text).ok().as_deref(), plain, "{text}");
        }
    }
}
