//! Codes of drugs: which system a code belongs to, and whether it can be one.
//!
//! A code that does not fit its kind is not sent on: a wrong code is worse than
//! the name alone. Where JP Core has no URI the system lies under our own base.
//!
//! Source: domain/medications-jahis.md §3

use crate::import::draft::LOCAL_BASE;

/// The system of a drug code by its kind (薬品コード種別); `None` if the code
/// does not fit.
pub(super) fn system(kind: &str, code: &str) -> Option<String> {
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    match (kind, code.len()) {
        ("2", 9) if digits => Some(format!("{LOCAL_BASE}/CodeSystem/receipt-drug-code")),
        // A unified price-list code looks like YJ and covers several brands.
        ("3", 12) if yj_shape(code) => Some(format!("{LOCAL_BASE}/CodeSystem/nhi-price-list-code")),
        ("4", 12) if yj_shape(code) => Some("http://capstandard.jp/iyaku.info/CodeSystem/YJ-code".to_owned()),
        ("6", 7 | 9 | 13) if digits => Some(format!("http://medis.or.jp/CodeSystem/master-HOT{}", code.len())),
        _ => None,
    }
}

/// The system of a generic name code (一般名コード).
pub(super) fn generic_system(code: &str) -> Option<&'static str> {
    let fits = code.len() == 12 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then_some("http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode")
}

/// The system of a JAN, if its check digit is right.
pub(super) fn jan_system(code: &str) -> Option<String> {
    let fits = matches!(code.len(), 8 | 13) && code.bytes().all(|byte| byte.is_ascii_digit()) && jan_sum(code) == 0;
    fits.then(|| format!("{LOCAL_BASE}/CodeSystem/jan"))
}

/// Seven digits, a letter, four more: 1149019F1560.
fn yj_shape(code: &str) -> bool {
    code.bytes().enumerate().all(|(at, byte)| match at {
        7 => byte.is_ascii_uppercase(),
        // The brand's place holds letters in a few unified codes.
        8..12 => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        _ => byte.is_ascii_digit(),
    })
}

/// GS1 modulo 10, weights 1 and 3 from the right.
fn jan_sum(code: &str) -> u32 {
    let weighted = code.bytes().rev().enumerate();
    weighted.map(|(at, byte)| u32::from(byte - b'0') * if at % 2 == 0 { 1 } else { 3 }).sum::<u32>() % 10
}

/// Whether a seven-digit institution code ends with its check digit: modulo 10
/// over the first six, weights 2 and 1 from the right, digits of products added.
pub(super) fn institution_checks(code: &str) -> bool {
    let digits: Vec<u32> = code.chars().filter_map(|letter| letter.to_digit(10)).collect();
    let [body @ .., check] = digits.as_slice() else { return false };
    let sum: u32 = body
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let product = digit * if at % 2 == 0 { 2 } else { 1 };
            product / 10 + product % 10
        })
        .sum();
    body.len() == 6 && (10 - sum % 10) % 10 == *check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_must_fit_its_kind() {
        for (kind, code, fits) in [
            ("2", "612310013", true),
            ("2", "61231001", false),
            ("2", "61231001A", false),
            ("3", "1149019F1560", true),
            ("4", "1149019F1560", true),
            ("4", "1149019F", false),
            ("4", "114901901560", false),
            ("6", "1038354", true),
            ("6", "103835401", true),
            ("6", "1038354010101", true),
            ("6", "10383540", false),
            ("6", "10383540A", false),
            ("1", "103835401", false),
        ] {
            assert_eq!(system(kind, code).is_some(), fits, "{kind} {code}");
        }
        assert_eq!(system("6", "1038354").as_deref(), Some("http://medis.or.jp/CodeSystem/master-HOT7"));
    }

    #[test]
    fn check_digits() {
        for (code, right) in [("4900000000009", true), ("4900000000008", false), ("49123456", true), ("", false)] {
            assert_eq!(jan_system(code).is_some(), right, "{code}");
        }
        for (code, right) in [("1234566", true), ("1234567", false), ("9999999", false), ("123456", false), ("", false)]
        {
            assert_eq!(institution_checks(code), right, "{code}");
        }
    }
}
