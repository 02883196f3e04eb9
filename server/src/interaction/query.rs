//! The parameters of a URL or a form.
//!
//! Bytes that are no UTF-8 are refused and not replaced: names in `Shift_JIS` would all
//! become one name, which is nobody's, and a conditional create would find nobody again
//! and again. The same goes for a percent sign that no two hex digits follow.
//!
//! Source: WHATWG URL, application/x-www-form-urlencoded; FHIR R4 search.html#escaping

use super::Issue;

/// `a=1&b=%E5%B1%B1` → decoded pairs.
///
/// # Errors
/// An issue for what is no percent-encoded UTF-8.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, Issue> {
    if is_readable(text.as_bytes()) { Ok(loosely(text)) } else { Err(misread()) }
}

/// The same of what may be refused: for what says how the refusal is to be written.
pub fn loosely(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// What separates the parameters is ASCII, so the whole is UTF-8 if each of them is.
fn is_readable(mut text: &[u8]) -> bool {
    let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    loop {
        text = match *text {
            [] => return std::str::from_utf8(&decoded).is_ok(),
            [b'%', high, low, ref rest @ ..] => {
                let (Some(high), Some(low)) = (hex(high), hex(low)) else { return false };
                decoded.push(high << 4 | low);
                rest
            }
            [b'%', ..] => return false,
            [byte, ref rest @ ..] => {
                decoded.push(byte);
                rest
            }
        };
    }
}

fn misread() -> Issue {
    Issue::error(
        "value",
        "The parameters are not percent-encoded UTF-8. Write the bytes of a text in UTF-8 as %XX, and % itself as %25.",
        "パラメータが UTF-8 のパーセントエンコーディングではありません。文字は UTF-8 の各バイトを %XX で、% 自体は %25 と書いてください。",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_percent_encoded_utf_8_is_refused() {
        let one = |name: &str, value: &str| Some(vec![(name.to_owned(), value.to_owned())]);
        for (text, expected) in [
            ("", Some(Vec::new())),
            ("name=%E5%b1%B1", one("name", "山")),
            ("name=山+川", one("name", "山 川")),
            ("name=%25", one("name", "%")),
            ("n%61me", one("name", "")),
            ("name=%8ER%93c", None),
            ("%8E=x", None),
            ("name=%E5&other=%B1%B1", None),
            ("name=%", None),
            ("name=%4", None),
            ("name=%zz", None),
            ("name=%+1", None),
            ("name=%ED%A0%80", None),
        ] {
            assert_eq!(pairs(text).ok(), expected, "{text}");
        }
    }
}
