//! Texts folded to one form for comparing: やまだ, ヤマダ and ﾔﾏﾀﾞ are the same
//! name; so are Müller, MULLER and ｍｕｌｌｅｒ.
//!
//! What is folded: compatibility forms (NFKC: full and half width, ligatures,
//! ㈱), case, katakana to hiragana, accents of Latin, Greek and Cyrillic,
//! variation selectors of kanji, the many hyphens, white space (one blank; none
//! between two Japanese characters, so 山田 太郎 is 山田太郎). What is not: kanji
//! (髙 is not 高), the voicing marks of kana (か is not が), the long vowel mark.
//!
//! A change of these rules must raise [`super::index::INDEX_EPOCH`].

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization;

use crate::secret;

/// The most characters of a folded text that are kept and compared.
pub const KEY_CHARS: usize = 120;
/// The longest text that [`bounded`] leaves as it is.
const WHOLE_BYTES: usize = 500;
const HEAD_BYTES: usize = 400;

/// The whole of `text`, folded.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return squeeze(text.chars().map(|sign| sign.to_ascii_lowercase()), text.len());
    }
    if text.chars().all(is_plain) {
        return squeeze(text.chars().map(|sign| fold_sign(sign.to_ascii_lowercase())), text.len());
    }
    unfolded(text)
}

/// Signs that are what they are whatever stands beside them: of these most texts consist.
fn is_plain(sign: char) -> bool {
    matches!(sign, '\0'..='\x7f' | '\u{3000}'..='\u{3002}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30f6}'
        | '\u{30fb}'..='\u{30fc}' | '\u{4e00}'..='\u{9fff}')
}

fn unfolded(text: &str) -> String {
    let parts = text.nfkd().filter(|sign| !is_dropped(*sign)).flat_map(fold_case).map(fold_sign);
    squeeze(parts.nfc(), text.len())
}

/// `text` folded, cut to what is kept as an index key.
pub fn fold_key(text: &str) -> String {
    // Far more than a key can come of; what follows need not be folded.
    let head = text.char_indices().nth(KEY_CHARS * 20).map_or(text, |(at, _)| &text[..at]);
    let mut folded = fold(head);
    if let Some((at, _)) = folded.char_indices().nth(KEY_CHARS) {
        folded.truncate(at);
    }
    folded
}

/// A text as an index keeps it whole: a long one, which no index page would hold,
/// by its beginning and a hash of all of it. What is asked for goes the same way.
pub fn bounded(text: &str) -> Box<str> {
    if text.len() <= WHOLE_BYTES {
        return text.into();
    }
    let end = (0..=HEAD_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let mut kept = format!("{}…", &text[..end]);
    for byte in secret::hash(text.as_bytes()) {
        // Writing to a String does not fail.
        let _ = write!(kept, "{byte:02x}");
    }
    kept.into()
}

/// A telephone number or address of communication without what people put in
/// between: ０９０−１２３４−５６７８ is 09012345678.
pub fn fold_contact(text: &str) -> String {
    fold(text).chars().filter(|sign| !matches!(sign, ' ' | '-' | '(' | ')')).collect()
}

/// Upper case and back: this is what joins ß with ss and ς with σ.
fn fold_case(sign: char) -> impl Iterator<Item = char> {
    sign.to_uppercase().flat_map(char::to_lowercase)
}

/// Accents and variation selectors. The voicing marks U+3099 and U+309A are not
/// among them: they make another kana.
fn is_dropped(sign: char) -> bool {
    matches!(sign,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{e0100}'..='\u{e01ef}' | '\u{200b}'..='\u{200d}' | '\u{feff}')
}

/// Katakana to hiragana, any hyphen to one.
fn fold_sign(sign: char) -> char {
    match sign {
        '\u{30a1}'..='\u{30f6}' | '\u{30fd}'..='\u{30fe}' => char::from_u32(u32::from(sign) - 0x60).unwrap_or(sign),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ => sign,
    }
}

/// Runs of white space become one blank, none at the ends or inside Japanese.
fn squeeze(signs: impl Iterator<Item = char>, size: usize) -> String {
    let mut folded = String::with_capacity(size);
    let mut last = None;
    let mut gap = false;
    for sign in signs {
        if sign.is_whitespace() || sign.is_control() {
            gap = true;
            continue;
        }
        if gap && last.is_some_and(|last| !(is_japanese(last) && is_japanese(sign))) {
            folded.push(' ');
        }
        gap = false;
        folded.push(sign);
        last = Some(sign);
    }
    folded
}

/// Kana and kanji: scripts written without blanks.
pub(super) fn is_japanese(sign: char) -> bool {
    matches!(sign, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_are_one() {
        for (text, folded) in [
            ("ヤマダ", "やまだ"),
            ("ﾔﾏﾀﾞ", "やまだ"),
            ("やまた\u{3099}", "やまだ"),
            ("ＡｂＣ １２３", "abc 123"),
            ("Müller", "muller"),
            ("MÜLLER", "muller"),
            ("Straße", "strasse"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδος", "οδοσ"),
            ("山田\u{3000}太郎", "山田太郎"),
            ("  John \t Smith ", "john smith"),
            ("山田 Taro", "山田 taro"),
            ("１－２－３", "1-2-3"),
            ("１−２‐３", "1-2-3"),
            ("㈱サクラ", "(株)さくら"),
            ("ヴァイオリン", "ゔぁいおりん"),
            ("スーパー", "すーぱー"),
            ("葛\u{e0100}飾", "葛飾"),
            ("", ""),
            (" ", ""),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn plain_signs_are_folded_as_all_others() {
        let plain = ('\0'..='\u{9fff}').filter(|sign| is_plain(*sign));
        let all: String = plain.clone().collect();
        assert_eq!(fold(&all), unfolded(&all));
        for sign in plain {
            let text = format!("a{sign}か");
            assert_eq!(fold(&text), unfolded(&text), "{sign:?}");
        }
    }

    #[test]
    fn forms_that_stay_apart() {
        for (one, other) in
            [("髙橋", "高橋"), ("斎藤", "齋藤"), ("か", "が"), ("は", "ぱ"), ("ぱ", "ば"), ("や", "ゃ"), ("カー", "カ")]
        {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["ﾊﾟﾋﾟﾌﾟ ＡＢＣ", "Ǆ ŉ ﬃ ﷺ", "İstanbul ıı", "ヷヸ ヽヾ", "は\u{309a} \u{301}", "①㍻㌔", "゛゜"]
        {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }

    #[test]
    fn a_key_is_cut_between_characters() {
        assert_eq!(fold_key(&"ア".repeat(500)), "あ".repeat(KEY_CHARS));
        assert_eq!(fold_key("abc"), "abc");
    }

    #[test]
    fn long_texts_are_kept_short_and_apart() {
        assert_eq!(&*bounded("short"), "short");
        let (one, other) = ("あ".repeat(400), "あ".repeat(401));
        assert_ne!(bounded(&one), bounded(&other));
        assert!(bounded(&one).len() <= WHOLE_BYTES && bounded(&one).starts_with("ああ"));
        assert_eq!(bounded(&one), bounded(&one.clone()));
    }

    #[test]
    fn numbers_are_found_however_written() {
        for text in ["090-1234-5678", "０９０−１２３４−５６７８", "(090) 1234 5678"] {
            assert_eq!(fold_contact(text), "09012345678", "{text}");
        }
    }
}
