//! The Individual Number (個人番号, My Number): found, so that it is never kept.
//!
//! No purpose of this server allows it to hold one. A random text of twelve
//! digits passes the check in one of ten cases, so a key that passes is refused
//! and free text that holds one is kept with the digits struck out.
//!
//! Source: 番号法 articles 15, 19, 20; identifiers.md §1

use unicode_normalization::UnicodeNormalization;

/// How people and systems call it, after NFKC, in small letters, without gaps.
const NAMES: &[&str] = &["個人番号", "マイナンバー", "mynumber", "individualnumber"];

/// Whether a text (the system or the type of an identifier) names the Individual Number.
pub fn names(text: &str) -> bool {
    let plain: String = text.nfkc().filter(|&letter| !is_gap(letter) || letter == 'ー').collect();
    let plain = plain.to_lowercase();
    NAMES.iter().any(|name| plain.contains(name))
}

/// The code of every issue and refusal about an Individual Number. Who keeps
/// original files must not keep one whose report has it.
pub const MY_NUMBER: &str = "my-number";

/// The digits of a text after NFKC, spaces and hyphens dropped; empty where
/// anything else is in it.
pub fn digits_of(text: &str) -> String {
    let plain: String = if text.is_ascii() {
        text.chars().filter(|&letter| !is_gap(letter)).collect()
    } else {
        text.nfkc().filter(|&letter| !is_gap(letter)).collect()
    };
    if plain.chars().all(|letter| letter.is_ascii_digit()) { plain } else { String::new() }
}

/// Spaces and hyphens, by which people group digits.
fn is_gap(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | 'ー' | '_')
}

/// Whether a text is twelve digits that pass the check of an Individual Number.
///
/// Source: identifiers.md §1
pub fn passes(text: &str) -> bool {
    let digits: Vec<u32> = digits_of(text).chars().filter_map(|digit| digit.to_digit(10)).collect();
    checks(&digits)
}

/// With `Pn` the n-th of the first eleven digits from the right and `Qn` = n + 1
/// up to the sixth, n − 5 after it: the last digit is 11 − Σ Pn·Qn mod 11, or 0.
fn checks(digits: &[u32]) -> bool {
    let [body @ .., check] = digits else { return false };
    if body.len() != 11 {
        return false;
    }
    let weights = (2..=7).chain(2..=6);
    let sum: u32 = body.iter().rev().zip(weights).map(|(digit, weight)| digit * weight).sum();
    let remainder = sum % 11;
    let expected = if remainder <= 1 { 0 } else { 11 - remainder };
    *check == expected
}

/// Strikes out what may be an Individual Number; `None` where there is none.
///
/// Groups of digits with only spaces and hyphens between them are tried together.
pub fn strike(text: &str) -> Option<String> {
    // Most texts have too few digits; a letter such as ⑫ stands for two.
    let enough = if text.is_ascii() {
        text.bytes().filter(u8::is_ascii_digit).count() >= 12
    } else {
        text.chars().filter(|&letter| !is_plain(letter) && letter.is_numeric()).take(6).count() == 6
    };
    if !enough {
        return None;
    }
    let letters: Vec<char> = text.chars().collect();
    let groups = digit_groups(&letters);
    let mut struck = vec![false; letters.len()];
    for from in 0..groups.len() {
        let mut digits: Vec<u32> = Vec::new();
        for group in &groups[from..] {
            if group.apart && !digits.is_empty() {
                break;
            }
            digits.extend(group.digits.iter().map(|&(_, digit)| digit));
            if digits.len() >= 12 {
                break;
            }
        }
        if checks(&digits) {
            // No further than the twelve: a text may hold many numbers.
            for &(at, _) in groups[from..].iter().flat_map(|group| &group.digits).take(12) {
                struck[at] = true;
            }
        }
    }
    if !struck.contains(&true) {
        return None;
    }
    Some(letters.iter().zip(struck).map(|(&letter, struck)| if struck { '*' } else { letter }).collect())
}

/// Kana and kanji, none of which stands for a digit.
fn is_plain(letter: char) -> bool {
    matches!(letter, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

/// Digits that stand side by side.
struct Group {
    /// Place and value of each. A letter such as ⑫ stands for two.
    digits: Vec<(usize, u32)>,
    /// Whether something other than a gap stands before it.
    apart: bool,
}

fn digit_groups(letters: &[char]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut apart = true;
    let mut open = false;
    for (at, &letter) in letters.iter().enumerate() {
        let plain = || {
            let (one, more) = match letter {
                '\0'..='\x7f' => (Some(letter), None),
                _ => (None, Some(std::iter::once(letter).nfkc())),
            };
            one.into_iter().chain(more.into_iter().flatten())
        };
        if plain().all(|letter| letter.is_ascii_digit()) {
            let digits = plain().filter_map(|digit| Some((at, digit.to_digit(10)?)));
            match groups.last_mut() {
                Some(group) if open => group.digits.extend(digits),
                _ => groups.push(Group { digits: digits.collect(), apart }),
            }
            (open, apart) = (true, false);
        } else {
            open = false;
            apart = apart || !plain().all(is_gap);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve digits with the right check digit after `body`.
    fn number(body: u64) -> String {
        let body = format!("{body:011}");
        let found = (0..10).map(|check| format!("{body}{check}")).find(|text| passes(text));
        found.expect("every body has a check digit")
    }

    #[test]
    fn the_check_digit_of_the_individual_number() {
        assert!(passes("123456789018"));
        for text in ["1234 5678 9018", "１２３４－５６７８－９０１８", "1234\u{3000}56789018"] {
            assert!(passes(text), "{text}");
        }
        for text in ["123456789012", "12345678901", "1234567890181", "A23456789018", "", "0000077001"] {
            assert!(!passes(text), "{text}");
        }
        // Exactly one check digit passes for any eleven digits: no digit is left unweighted.
        for body in (0..100_000_000_000_u64).step_by(1_234_567_891) {
            let passing = (0..10).filter(|check| passes(&format!("{body:011}{check}"))).count();
            assert_eq!(passing, 1, "{body}");
        }
    }

    #[test]
    fn what_names_the_individual_number() {
        for text in ["個人番号", "マイナンバー", "ﾏｲﾅﾝﾊﾞｰ", "https://a.example/Id/My-Number", "urn:x:individual_number"]
        {
            assert!(names(text), "{text}");
        }
        for text in ["", "宛名番号", "https://techo.example/fhir/Id/municipality/13101/resident", "member number"] {
            assert!(!names(text), "{text}");
        }
    }

    #[test]
    fn no_kana_and_no_kanji_stands_for_a_digit() {
        let is_digit =
            |letter: char| letter.is_numeric() || std::iter::once(letter).nfkc().any(|plain| plain.is_ascii_digit());
        assert_eq!(('\0'..='\u{9fff}').filter(|&letter| is_plain(letter)).find(|&letter| is_digit(letter)), None);
    }

    #[test]
    fn a_number_is_struck_out_wherever_it_stands() {
        for (text, expected) in [
            ("番号123456789018です", "番号************です"),
            ("1234-5678-9018", "****-****-****"),
            ("１２３４　５６７８　９０１８", "****　****　****"),
            ("見本 123456789018 と 123456789018", "見本 ************ と ************"),
            ("2024 1234 5678 9018", "2024 **** **** ****"),
        ] {
            assert_eq!(strike(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "61.2", "123456789012", "1234567890181", "1319999998", "2020-05-10", "12345,6789018"] {
            assert_eq!(strike(text), None, "{text}");
        }
        for body in [0, 7, 98_765_432_109, 55_555_555_555] {
            let struck = strike(&format!("x{}y", number(body))).expect("struck");
            assert_eq!(struck, "x************y");
        }
    }

    /// Behind each number all others were gone through: this would take minutes.
    #[test]
    fn a_crowd_of_numbers_is_struck_out() {
        let count = 60_000;
        assert_eq!(strike(&"1234 5678 9018, ".repeat(count)), Some("**** **** ****, ".repeat(count)));
    }
}
