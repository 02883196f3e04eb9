//! Quantities: calendar durations here, all other units by a hook.
//!
//! Weeks, days, hours, minutes, seconds and milliseconds are the same by the
//! calendar and in UCUM. Months and years are not: `1 year` is twelve calendar
//! months and not known to be `1 'a'`.
//!
//! Source: `FHIRPath` 2.0, quantity and time-valued quantities

use std::borrow::Cow;
use std::cmp::Ordering;
use std::num::NonZeroU32;

use rust_decimal::Decimal;

use super::value::Quantity;

/// Knows UCUM.
pub trait Units {
    /// The unit in base units; `None` if it is no unit, or one that is no mere
    /// multiple of the base, as Celsius.
    fn canonical(&self, unit: &str) -> Option<Canonical>;
}

/// A unit as a multiple of base units: `factor / divisor` of them. A minute's share of
/// something has no end as a decimal, and cancels as a fraction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// What the base unit is multiplied by.
    pub factor: Decimal,
    /// And divided by.
    pub divisor: NonZeroU32,
    /// The base unit, one text for all units of a dimension.
    pub unit: String,
}

impl Canonical {
    /// A unit that is `digits × 10^exponent / divisor` of another; `None` if that has more
    /// digits than a decimal.
    pub fn new((digits, exponent): (i128, i32), divisor: NonZeroU32, unit: String) -> Option<Self> {
        let factor = match u32::try_from(exponent) {
            Ok(zeros) => Decimal::try_from_i128_with_scale(digits.checked_mul(10_i128.checked_pow(zeros)?)?, 0),
            Err(_) => Decimal::try_from_i128_with_scale(digits, exponent.unsigned_abs()),
        };
        Some(Self { factor: factor.ok()?, divisor, unit })
    }
}

/// Every duration: calendar word, its plural, UCUM code, and what it is in
/// milliseconds or else in months.
const DURATIONS: &[(&str, &str, &str, Length)] = &[
    ("year", "years", "a", Length::Months(12)),
    ("month", "months", "mo", Length::Months(1)),
    ("week", "weeks", "wk", Length::Millis(604_800_000)),
    ("day", "days", "d", Length::Millis(86_400_000)),
    ("hour", "hours", "h", Length::Millis(3_600_000)),
    ("minute", "minutes", "min", Length::Millis(60_000)),
    ("second", "seconds", "s", Length::Millis(1000)),
    ("millisecond", "milliseconds", "ms", Length::Millis(1)),
];

/// How long a duration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Months(i64),
    Millis(i64),
}

/// Whether a word is a calendar duration.
pub(super) fn is_calendar(word: &str) -> bool {
    DURATIONS.iter().any(|row| row.0 == word || row.1 == word)
}

/// The UCUM code that a calendar word is closest to.
pub(super) fn ucum_of(word: &str) -> Option<&'static str> {
    DURATIONS.iter().find(|row| row.0 == word || row.1 == word).map(|row| row.2)
}

/// How long the unit is by the calendar; `None` for `'a'` and `'mo'`, which are
/// averages, and for what is no duration.
pub(super) fn calendar_length(unit: &str) -> Option<Length> {
    let found = DURATIONS.iter().find(|row| [row.0, row.1, row.2].contains(&unit))?;
    match found.3 {
        Length::Months(_) if found.2 == unit => None,
        length => Some(length),
    }
}

/// Both values in one unit, be it the base unit or a share of it; `None` if the units do
/// not compare or are unknown.
fn aligned(units: Option<&dyn Units>, a: &Quantity<'_>, b: &Quantity<'_>) -> Option<(Decimal, Decimal)> {
    if a.unit == b.unit {
        return Some((a.value, b.value));
    }
    let lengths = (calendar_length(&a.unit), calendar_length(&b.unit));
    if let (Some(Length::Millis(x)), Some(Length::Millis(y))) | (Some(Length::Months(x)), Some(Length::Months(y))) =
        lengths
    {
        return Some((a.value.checked_mul(x.into())?, b.value.checked_mul(y.into())?));
    }
    let units = units.filter(|_| !matches!(lengths, (Some(Length::Months(_)), _) | (_, Some(Length::Months(_)))))?;
    let (x, y) = (units.canonical(code(a))?, units.canonical(code(b))?);
    (x.unit == y.unit).then_some(())?;
    let common = gcd(x.divisor.get(), y.divisor.get());
    let whole = |value: Decimal, own: &Canonical, other: &Canonical| {
        value.checked_mul(own.factor)?.checked_mul((other.divisor.get() / common).into())
    };
    Some((whole(a.value, &x, &y)?, whole(b.value, &y, &x)?))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn code<'q>(quantity: &'q Quantity<'_>) -> &'q str {
    ucum_of(&quantity.unit).unwrap_or(&quantity.unit)
}

/// Which is less; `None` if they do not compare.
pub(super) fn order(units: Option<&dyn Units>, a: &Quantity<'_>, b: &Quantity<'_>) -> Option<Ordering> {
    aligned(units, a, b).map(|(a, b)| a.cmp(&b))
}

/// Whether units compare at all.
pub(super) fn comparable(units: Option<&dyn Units>, a: &Quantity<'_>, b: &Quantity<'_>) -> bool {
    aligned(units, a, b).is_some()
}

/// Equality for `~`: a calendar month is as good as `'mo'`, and the coarser of
/// the two numbers decides how many digits count.
pub(super) fn equivalent(units: Option<&dyn Units>, a: &Quantity<'_>, b: &Quantity<'_>) -> bool {
    let loose = |quantity: &Quantity<'_>| Quantity {
        value: quantity.value,
        unit: Cow::Owned(code(quantity).to_owned()),
        calendar: false,
    };
    let (a, b) = (loose(a), loose(b));
    if a.unit == b.unit {
        return near(a.value, b.value);
    }
    // Rounding must happen in the unit of the coarser number.
    let Some((x, y)) = aligned(units, &a, &b) else { return false };
    if x == y {
        return true;
    }
    let step = |quantity: &Quantity<'_>, aligned: Decimal| {
        let one = aligned.checked_div(quantity.value).unwrap_or(Decimal::ONE);
        one.checked_mul(Decimal::new(1, quantity.value.scale())).unwrap_or(one)
    };
    let coarser = step(&a, x).max(step(&b, y));
    let rounded = |value: Decimal| value.checked_div(coarser).map(|steps| steps.round());
    rounded(x) == rounded(y)
}

/// Equal when rounded to the fewer decimal places of the two, zeros at the end
/// not counting.
pub(super) fn near(a: Decimal, b: Decimal) -> bool {
    let (a, b) = (a.normalize(), b.normalize());
    let places = a.scale().min(b.scale());
    let round =
        |value: Decimal| value.round_dp_with_strategy(places, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    round(a) == round(b)
}

/// The unit of a product or quotient, in UCUM's words; `None` if a unit is a
/// month or year by the calendar.
pub(super) fn combine<'a>(
    units: Option<&dyn Units>,
    a: &Quantity<'_>,
    b: &Quantity<'_>,
    divide: bool,
) -> Option<Quantity<'a>> {
    let value = |x: Decimal, y: Decimal| {
        if divide { x.checked_div(y).map(|quotient| quotient.normalize()) } else { x.checked_mul(y) }
    };
    let (x, y) = (code(a), code(b));
    let quantity = |value: Decimal, unit: String| Some(Quantity { value, unit: unit.into(), calendar: false });
    if y == "1" {
        return quantity(value(a.value, b.value)?, x.to_owned());
    }
    if divide && let Some((x, y)) = aligned(units, a, b) {
        return Some(Quantity::bare(x.checked_div(y)?.normalize()));
    }
    if x == "1" {
        return quantity(value(a.value, b.value)?, if divide { format!("/{y}") } else { y.to_owned() });
    }
    let plain = |unit: &str| unit.bytes().all(|byte| byte.is_ascii_alphabetic());
    let grouped = if plain(y) || !divide { y.to_owned() } else { format!("({y})") };
    quantity(value(a.value, b.value)?, format!("{x}{}{grouped}", if divide { '/' } else { '.' }))
}

/// A sum or difference in the unit of `a`; `None` if the units do not compare.
pub(super) fn add<'a>(
    units: Option<&dyn Units>,
    a: &Quantity<'a>,
    b: &Quantity<'_>,
    minus: bool,
) -> Option<Quantity<'a>> {
    let one = Quantity { value: Decimal::ONE, unit: a.unit.clone(), calendar: a.calendar };
    let (unit, other) = aligned(units, &one, b)?;
    let other = other.checked_div(unit)?;
    let value = if minus { a.value.checked_sub(other) } else { a.value.checked_add(other) }?;
    Some(Quantity { value, ..a.clone() })
}
