//! UCUM: units brought to one canonical unit, so that 5.4 mg is 0.0054 g.
//!
//! Units that are no linear multiple of another (pH, decibel), that UCUM does not
//! know, or that carry an annotation (`{score}`: it says what is counted, which
//! conversion would lose) stay as they are.
//!
//! Source: UCUM 2.2; FHIR R4 search.html#quantity

use std::collections::HashMap;
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
    if system != UCUM || code.len() > LONGEST || code.contains('{') {
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
        let (digits, exponent) = canonical.factor.to_integer_and_exponent();
        Canonical::new(digits, exponent, canonical.unit)
    }
}

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
        ] {
            let of = |(value, code)| scale(UCUM, code).map(|scale| (scale.unit.clone(), scale.apply(value)));
            assert!(of(one).is_some());
            assert_eq!(of(one), of(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn paths_convert_exactly() {
        let factor = |unit| Ucum.canonical(unit).map(|found| (found.factor.to_string(), found.unit));
        let known = |factor: &str, unit: &str| Some((factor.to_owned(), unit.to_owned()));
        for (unit, expected) in [
            ("mg", known("0.001", "g")),
            ("[in_i]", known("0.0254", "m")),
            ("[lb_av]", known("453.59237", "g")),
            ("km", known("1000", "m")),
            ("cm.m", known("0.01", "m2")),
            ("Cel", None),
            ("furlongs", None),
            ("[m_e]", None),
        ] {
            assert_eq!(factor(unit), expected, "{unit}");
        }
    }

    #[test]
    fn what_stays_as_it_is() {
        for code in ["[pH]", "dB", "mEq/L", "{score}", "10*3{cells}/uL", "", &"m".repeat(65)] {
            assert!(scale(UCUM, code).is_none(), "{code}");
        }
        assert!(scale("", "mg").is_none());
        let open = scale(UCUM, "mg").expect("a unit").apply(f64::INFINITY);
        assert!(open.is_infinite());
    }
}
