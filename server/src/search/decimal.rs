//! Decimal numbers with the range that their precision leaves open.
//!
//! `5.4` asked for means [5.35, 5.45). The ends are made from the digits, not by
//! floating-point sums, so that a stored 5.35 is inside.
//!
//! One digit before an exponent counts as two: `1e2` means [95, 105). By the rule
//! of R4, which counts significant digits, it would be [50, 150); but R4's own table
//! works out [95, 105) for this very number, a client that was written by the table
//! relies on it, and nobody who writes 1e2 looks for 51.
//!
//! Source: FHIR R4 search.html#number

/// A number as asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal {
    /// Its value.
    pub value: f64,
    /// The least number that rounds to it.
    pub low: f64,
    /// The least number above that does not.
    pub high: f64,
}

/// Reads `-12.50`, `100`, `1.00e2`; `None` if it is no such number or has more
/// than 36 digits.
pub fn decimal(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || digits.ends_with('.') || exponent.abs() > MAX_EXPONENT {
        return None;
    }
    let all = [whole, fraction].concat();
    if all.len() > MAX_DIGITS || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unsigned: i128 = all.parse().ok()?;
    let mut units = if negative { -unsigned } else { unsigned };
    let mut scale = exponent - i32::try_from(fraction.len()).ok()?;
    if exponent > 0 && all.trim_start_matches('0').len() == 1 {
        (units, scale) = (units * 10, scale - 1);
    }
    Some(Decimal {
        value: scaled(units, scale)?,
        low: scaled(units * 10 - 5, scale - 1)?,
        high: scaled(units * 10 + 5, scale - 1)?,
    })
}

/// `units` × 10^`scale`, rounded once.
fn scaled(units: i128, scale: i32) -> Option<f64> {
    format!("{units}e{scale}").parse().ok().filter(|value: &f64| value.is_finite())
}

const MAX_DIGITS: usize = 36;
const MAX_EXPONENT: i32 = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implicit_precision() {
        for (text, value, low, high) in [
            ("100", 100.0, 99.5, 100.5),
            ("100.00", 100.0, 99.995, 100.005),
            ("1.00e2", 100.0, 99.5, 100.5),
            ("1e2", 100.0, 95.0, 105.0),
            ("-1E+2", -100.0, -105.0, -95.0),
            ("1.0e2", 100.0, 95.0, 105.0),
            ("1e1", 10.0, 9.5, 10.5),
            ("1e0", 1.0, 0.5, 1.5),
            ("8e-1", 0.8, 0.75, 0.85),
            ("5.4", 5.4, 5.35, 5.45),
            ("5.40E-3", 0.0054, 0.005_395, 0.005_405),
            ("-2.5", -2.5, -2.55, -2.45),
            ("0", 0.0, -0.5, 0.5),
            ("0.0", 0.0, -0.05, 0.05),
            ("+7", 7.0, 6.5, 7.5),
        ] {
            assert_eq!(decimal(text), Some(Decimal { value, low, high }), "{text}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in
            ["", "-", ".5", "5.", "1e", "1e+", "1.2.3", "0x10", "NaN", "inf", "１", "1e999", "1 ", &"9".repeat(37)]
        {
            assert_eq!(decimal(text), None, "{text}");
        }
    }
}
