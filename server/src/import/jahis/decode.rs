//! Bytes → text: CP932, or UTF-8 where the bytes are that and nothing else.

use encoding_rs::{DecoderResult, SHIFT_JIS};

/// The mark some programs put before UTF-8.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The text of a file, without its mark and a closing Ctrl-Z.
///
/// # Errors
/// The offset of the first byte that stands for no character.
pub(super) fn text(bytes: &[u8]) -> Result<String, usize> {
    let mut text = match bytes.strip_prefix(BOM) {
        Some(marked) => std::str::from_utf8(marked).map_err(|error| BOM.len() + error.valid_up_to())?.to_owned(),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => cp932(bytes)?,
        },
    };
    if text.ends_with('\u{1A}') {
        text.pop();
    }
    Ok(text)
}

/// The encoding standard's `Shift_JIS` is CP932.
fn cp932(bytes: &[u8]) -> Result<String, usize> {
    let mut decoder = SHIFT_JIS.new_decoder_without_bom_handling();
    // No character of CP932 takes more than three bytes of UTF-8 a byte.
    let mut text = String::with_capacity(bytes.len() * 3 + 16);
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        (DecoderResult::Malformed(bad, after), read) => Err(read.saturating_sub(usize::from(bad) + usize::from(after))),
        (DecoderResult::OutputFull, read) => Err(read),
    }
}

/// How many bytes a text takes in `Shift_JIS`: the unit of the format's lengths.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|letter| if letter.is_ascii() || ('｡'..='ﾟ').contains(&letter) { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_byte_is_named() {
        for (bytes, expected) in [
            (&b"\x88\xC9\x93\xA1"[..], Ok("伊藤".to_owned())),
            ("伊藤".as_bytes(), Ok("伊藤".to_owned())),
            (b"\xEF\xBB\xBFabc", Ok("abc".to_owned())),
            (b"\xEF\xBB\xBFab\x88\xC9", Err(5)),
            (b"a,\x81\xFF\xFD,b", Err(2)),
            (b"abc\x88", Err(3)),
            (b"ab\xFD", Err(2)),
            (b"\xFF\xFEJ\0", Err(0)),
            (b"abc\x1A", Ok("abc".to_owned())),
        ] {
            assert_eq!(text(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn width_is_counted_in_shift_jis() {
        assert_eq!(width("aｱ亜"), 4);
        assert_eq!(width("ﾐﾎﾝ ﾊﾅｺ"), 7);
    }
}
