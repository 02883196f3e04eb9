//! UCUM: units brought to one canonical unit, so that 5.4 mg is 0.0054 g.
//!
//! An annotation has no meaning in UCUM: `{beats}/min` is `/min`, and `{score}` is 1.
//! What is counted is found by the unit as it is written, without a system.
//!
//! Units that are no linear multiple of another (pH, decibel), or that UCUM does not
//! know, stay as they are.
//!
//! Source: UCUM 2.2, §6.2 and §6.4; FHIR R4 search.html#quantity

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use techo_profiles::path::{Canonical, Units};

use super::row::Unit;

/// From a unit to its canonical one.
#[derive(Debug)]
pub struct Scale {
    /// The canonical unit.
    pub unit: Unit,
    factor: f64,
    offset: f64,
}

impl Scale {
    /// A value in the canonical unit, rounded to twelve digits: the same amount
    /// comes out the same from whatever unit.
    pub fn apply(&self, value: f64) -> f64 {
        let value = value * self.factor + self.offset;
        // A text of this form always reads back.
        format!("{value:.11e}").parse().unwrap_or(value)
    }
}

/// The scale of a unit; `None` if it stays as it is.
pub fn scale(system: &str, code: &str) -> Option<Arc<Scale>> {
    if system != UCUM || code.len() > LONGEST {
        return None;
    }
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(code) {
        return known.clone();
    }
    let found = canonical(code).map(Arc::new);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() < MOST_KNOWN {
        known.insert(code.into(), found.clone());
    }
    found
}

fn canonical(code: &str) -> Option<Scale> {
    let canonical = octofhir_ucum::get_canonical_units(code).ok()?;
    let (factor, offset) = (canonical.factor.to_f64(), canonical.offset.to_f64());
    let unit = Unit { system: UCUM.into(), code: canonical.unit.into() };
    (factor.is_finite() && offset.is_finite()).then_some(Scale { unit, factor, offset })
}

/// UCUM as FHIRPath asks for it: exact, and of multiples alone. Degrees, which have
/// an offset, do not convert there.
#[derive(Clone, Copy, Debug)]
pub struct Ucum;

impl Units for Ucum {
    fn canonical(&self, unit: &str) -> Option<Canonical> {
        if unit.len() > LONGEST {
            return None;
        }
        let canonical = octofhir_ucum::get_canonical_units(unit).ok().filter(|found| found.offset.is_zero())?;
        let (factor, divisor) = fraction(canonical.factor.to_integer_and_exponent());
        Canonical::new(factor, divisor, canonical.unit)
    }
}

/// What a factor of 28 digits is as a fraction: `digits × 10^exponent / divisor`.
///
/// One of fewer digits is exact. Of the others those are quotients that a fraction with a
/// small divisor fits to the last digits, as minutes, hours and knots come to: two such
/// fractions are far further apart. What no such fraction fits is taken as it is.
fn fraction((digits, exponent): (i128, i32)) -> ((i128, i32), NonZeroU32) {
    let exact = ((digits, exponent), NonZeroU32::MIN);
    if !(ROUNDED..ONE * 10).contains(&digits) {
        return exact;
    }
    // Between 1 and 10, so that powers of ten are no part of the divisor.
    let length = digits.ilog10();
    let one = 10_i128.pow(length);
    let (mut rest, mut next) = (digits, one);
    let (mut over, mut under) = ((0, 1), (1, 0));
    while next != 0 {
        let whole = rest / next;
        (rest, next) = (next, rest % next);
        over = (over.1, whole * over.1 + over.0);
        under = (under.1, whole * under.1 + under.0);
        let Some(divisor) = u32::try_from(under.1).ok().filter(|one| *one <= MOST_DIVISOR) else { break };
        let off = (digits * under.1 - over.1 * one).abs();
        if off <= digits * under.1 / CLOSE
            && let Some(divisor) = NonZeroU32::new(divisor)
        {
            return ((over.1, exponent + i32::try_from(length).unwrap_or(0)), divisor);
        }
    }
    exact
}

/// A factor of 28 digits lies from here to its tenfold.
const ONE: i128 = 10_i128.pow(27);
/// With as many digits as this a factor may have been rounded.
const ROUNDED: i128 = 10_i128.pow(24);
/// A fraction fits that is not off by more than this part of it.
const CLOSE: i128 = 10_i128.pow(24);
/// Two fractions with divisors up to this are a million times further apart.
const MOST_DIVISOR: u32 = 1_000_000_000;

/// What was worked out before: there are few units and many quantities.
static KNOWN: LazyLock<RwLock<Scales>> = LazyLock::new(RwLock::default);

/// By code; `None` for one that stays as it is.
type Scales = HashMap<Box<str>, Option<Arc<Scale>>>;

const UCUM: &str = "http://unitsofmeasure.org";
/// Longer codes are no units anyone writes.
const LONGEST: usize = 64;
const MOST_KNOWN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_amount_is_one_number() {
        for (one, other) in [
            ((5.4, "mg"), (0.0054, "g")),
            ((5.35, "mg"), (0.00535, "g")),
            ((1.0, "h"), (60.0, "min")),
            ((37.0, "Cel"), (98.6, "[degF]")),
            ((5.0, "mmol/L"), (0.005, "mol/L")),
            ((3.3, "cm"), (0.033, "m")),
            ((72.0, "{beats}/min"), (72.0, "/min")),
            ((72.0, "/min"), (72.0, "1/min")),
            ((5.0, "mg/dL{x}"), (5.0, "mg/dL")),
            ((5.0, "10*3{cells}/uL"), (5.0, "10*3/uL")),
            ((5.0, "{score}"), (5.0, "1")),
        ] {
            let of = |(value, code)| scale(UCUM, code).map(|scale| (scale.unit.clone(), scale.apply(value)));
            assert!(of(one).is_some());
            assert_eq!(of(one), of(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn paths_convert_exactly() {
        let factor = |unit| {
            let found = Ucum.canonical(unit)?;
            let divisor = found.divisor.get();
            let factor = found.factor.normalize();
            Some((if divisor == 1 { factor.to_string() } else { format!("{factor}/{divisor}") }, found.unit))
        };
        let known = |factor: &str, unit: &str| Some((factor.to_owned(), unit.to_owned()));
        for (unit, expected) in [
            ("mg", known("0.001", "g")),
            ("[in_i]", known("0.0254", "m")),
            ("[lb_av]", known("453.59237", "g")),
            ("km", known("1000", "m")),
            ("cm.m", known("0.01", "m2")),
            ("L/min", known("0.00005/3", "m3.s-1")),
            ("mL/h", known("0.0000000025/9", "m3.s-1")),
            ("g/d", known("0.00125/108", "g.s-1")),
            ("{beats}/min", known("0.05/3", "s-1")),
            ("ug/kg/min", known("0.00000000005/3", "s-1")),
            ("km/h", known("2.5/9", "m.s-1")),
            ("Cel", None),
            ("furlongs", None),
            ("[m_e]", None),
        ] {
            assert_eq!(factor(unit), expected, "{unit}");
        }
    }

    #[test]
    fn what_stays_as_it_is() {
        for code in ["[pH]", "dB", "mEq/L", "{錠}", "", &"m".repeat(65)] {
            assert!(scale(UCUM, code).is_none(), "{code}");
        }
        assert!(scale("", "mg").is_none());
        let open = scale(UCUM, "mg").expect("a unit").apply(f64::INFINITY);
        assert!(open.is_infinite());
    }
}
