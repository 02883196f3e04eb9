//! A measured number: the digits as they were written, and their worth.
//!
//! `11.60` says more than `11.6`, so the text is what is stored; it is read
//! exactly, never through binary fractions.
//!
//! Source: FHIR R4 datatypes.html#decimal; infant-checkups.md §7

use std::cmp::Ordering;

use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

/// A decimal of at most nine digits: `digits` / 10^`scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i64,
    scale: u32,
    text: String,
}

/// More than anybody measures; with this many nothing below can overflow.
const MOST_DIGITS: usize = 9;

impl Decimal {
    /// Reads `62.5`, `６２．５` and `−1`, and one of `units` after it. The second
    /// answer is the unit that stood there.
    pub fn read<'u>(text: &str, units: &[&'u str]) -> Option<(Self, Option<&'u str>)> {
        let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace()).collect();
        let plain = plain.replace(['\u{2212}', '\u{2010}', '\u{2013}'], "-");
        let lower = plain.to_ascii_lowercase();
        let unit = units.iter().copied().filter(|unit| lower.ends_with(&unit.to_ascii_lowercase()));
        let unit = unit.max_by_key(|unit| unit.len());
        let number = &plain[..plain.len() - unit.map_or(0, str::len)];
        Some((Self::of(number)?, unit))
    }

    /// Reads plain digits with an optional sign and fraction.
    pub fn of(text: &str) -> Option<Self> {
        let (sign, body) = match text.strip_prefix('-') {
            Some(body) => ("-", body),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = match body.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (body, ""),
        };
        let all = [whole, fraction].concat();
        if whole.is_empty() || all.len() > MOST_DIGITS || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // JSON has no leading zeros; they tell nothing.
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            rest => rest,
        };
        let dot = if fraction.is_empty() { "" } else { "." };
        let digits: i64 = all.parse().ok()?;
        Some(Self {
            digits: if sign.is_empty() { digits } else { -digits },
            scale: u32::try_from(fraction.len()).ok()?,
            text: format!("{sign}{whole}{dot}{fraction}"),
        })
    }

    /// Whether it was written without a fraction.
    pub fn is_integer(&self) -> bool {
        self.scale == 0
    }

    /// Whether it lies in `low..=high`.
    pub fn is_within(&self, (low, high): (&str, &str)) -> bool {
        let bound = |text| Self::of(text);
        let (Some(low), Some(high)) = (bound(low), bound(high)) else { return false };
        self.compare(&low) != Ordering::Less && self.compare(&high) != Ordering::Greater
    }

    /// By worth: `1.10` equals `1.1`.
    pub fn compare(&self, other: &Self) -> Ordering {
        let scaled = |one: &Self, by: u32| i128::from(one.digits) * 10_i128.pow(by);
        scaled(self, other.scale).cmp(&scaled(other, self.scale))
    }

    /// The number as it is stored.
    pub fn json(&self) -> Json {
        Json::number(&self.text).unwrap_or_else(Json::null)
    }

    /// Its digits and their scale.
    pub fn parts(&self) -> (i128, u32) {
        (i128::from(self.digits), self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_numbers() {
        for (text, stored, unit) in [
            ("61.2", "61.2", None),
            ("６１．２", "61.2", None),
            ("62.5cm", "62.5", Some("cm")),
            ("62.5 ｃｍ", "62.5", Some("cm")),
            ("62.5㎝", "62.5", Some("cm")),
            ("11.60", "11.60", None),
            ("11.60KG", "11.60", Some("kg")),
            ("007", "7", None),
            ("-1", "-1", None),
            ("−1", "-1", None),
            ("+3", "3", None),
            ("0.625", "0.625", None),
        ] {
            let found = Decimal::read(text, &["cm", "kg"]).map(|(decimal, unit)| (decimal.json().to_string(), unit));
            assert_eq!(found, Some((stored.to_owned(), unit)), "{text}");
        }
        for text in ["", "cm", "61.", ".5", "1e3", "61,2", "1.2.3", "1234567890", "六十", "--1", "6 1.2x", "🙂", "٦"]
        {
            assert!(Decimal::read(text, &["cm", "kg"]).is_none(), "{text}");
        }
    }

    #[test]
    fn worth_does_not_depend_on_how_it_is_written() {
        let of = |text| Decimal::of(text).expect("decimal");
        assert_eq!(of("1.10").compare(&of("1.1")), Ordering::Equal);
        assert_eq!(of("-1").compare(&of("0")), Ordering::Less);
        assert!(of("30").is_within(("30", "150")) && of("150.0").is_within(("30", "150")));
        assert!(!of("29.9").is_within(("30", "150")) && !of("150.01").is_within(("30", "150")));
    }
}
