//! What the prefixes `eq ne gt lt ge le sa eb ap` mean for ranges.
//!
//! The resource's value is a range too: a date covers its day, a Period its
//! span, a comparator `<5` everything below. FHIR says of each prefix how the
//! two ranges must lie.
//!
//! In one place more is found than R4 says: a Period that began before the day asked for
//! and ends on it is neither above the day nor within it, and would be missed by
//! `ge`, as would by `le` one that begins on it and goes on. HL7 has cleared that up
//! since (FHIR-51068): `ge` and `le` also find what overlaps.
//!
//! Source: FHIR R4 search.html#prefix

use super::plan::{Bound, Bounds, End, Operator};

/// How the resource's value compares with the value asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Lies within it; also when no prefix is given.
    Eq,
    /// Does not lie within it.
    Ne,
    /// Reaches above it.
    Gt,
    /// Reaches below it.
    Lt,
    /// Reaches above it or overlaps it.
    Ge,
    /// Reaches below it or overlaps it.
    Le,
    /// Starts after it.
    Sa,
    /// Ends before it.
    Eb,
    /// Overlaps it or its surroundings.
    Ap,
}

impl Prefix {
    /// The prefix of `value` and the rest. Whatever starts with a letter pair
    /// that is none keeps it: the rest will then be no date and no number.
    pub fn of(value: &str) -> (Self, &str) {
        const NAMES: [(&str, Prefix); 9] = [
            ("eq", Prefix::Eq),
            ("ne", Prefix::Ne),
            ("gt", Prefix::Gt),
            ("lt", Prefix::Lt),
            ("ge", Prefix::Ge),
            ("le", Prefix::Le),
            ("sa", Prefix::Sa),
            ("eb", Prefix::Eb),
            ("ap", Prefix::Ap),
        ];
        NAMES
            .iter()
            .find_map(|(name, prefix)| value.strip_prefix(name).map(|rest| (*prefix, rest)))
            .unwrap_or((Self::Eq, value))
    }
}

/// Rows `[low, high)` against `[from, until)`; `ap` widens by `nearly` each side.
pub fn half_open(prefix: Prefix, from: i64, until: i64, nearly: i64) -> Bounds<i64> {
    match prefix {
        Prefix::Eq => one([low(Operator::AtLeast, from), low(Operator::Less, until), high(Operator::AtMost, until)]),
        Prefix::Ne => either(low(Operator::Less, from), high(Operator::Greater, until)),
        Prefix::Gt => one([high(Operator::Greater, until)]),
        Prefix::Lt => one([low(Operator::Less, from)]),
        Prefix::Ge => one([high(Operator::Greater, from)]),
        Prefix::Le => one([low(Operator::Less, until)]),
        Prefix::Sa => one([low(Operator::AtLeast, until)]),
        Prefix::Eb => one([low(Operator::Less, from), high(Operator::AtMost, from)]),
        Prefix::Ap => one([
            low(Operator::Less, until.saturating_add(nearly)),
            high(Operator::Greater, from.saturating_sub(nearly)),
        ]),
    }
}

/// The same for a time whose fraction is nothing but zeros, as programs write times: a
/// row of the whole second, `[from, second)`, is equal to it too, as `FHIRPath` has it.
pub fn zero_filled(prefix: Prefix, from: i64, until: i64, second: i64) -> Bounds<i64> {
    let mut bounds = half_open(prefix, from, until, 0);
    match prefix {
        Prefix::Eq => bounds.any.push(vec![
            low(Operator::AtLeast, from),
            low(Operator::AtMost, from),
            high(Operator::AtMost, second),
        ]),
        Prefix::Ne => {
            bounds.any = vec![
                vec![low(Operator::Less, from)],
                vec![low(Operator::Greater, from), high(Operator::Greater, until)],
                vec![high(Operator::Greater, second)],
            ];
        }
        _ => {}
    }
    bounds
}

/// Rows `[low, high]`, mostly points, against a number.
///
/// Only `eq` and `ne` use the range that the number's precision leaves open; for
/// the others it counts as exact.
pub fn closed(prefix: Prefix, asked: Asked) -> Bounds<f64> {
    let Asked { value, from, until } = asked;
    // Of 17 digits and more the range is narrower than the machine's numbers lie: the
    // number itself still is in it.
    let (from, until) = (from.min(value), if until > value { until } else { value.next_up() });
    match prefix {
        Prefix::Eq => one([low(Operator::AtLeast, from), low(Operator::Less, until), high(Operator::Less, until)]),
        Prefix::Ne => either(low(Operator::Less, from), high(Operator::AtLeast, until)),
        Prefix::Gt => one([high(Operator::Greater, value)]),
        Prefix::Lt => one([low(Operator::Less, value)]),
        Prefix::Ge => one([high(Operator::AtLeast, value)]),
        Prefix::Le => one([low(Operator::AtMost, value)]),
        Prefix::Sa => one([low(Operator::Greater, value)]),
        Prefix::Eb => one([low(Operator::Less, value), high(Operator::Less, value)]),
        Prefix::Ap => {
            let nearly = value.abs() / 10.0;
            one([
                low(Operator::AtMost, (value + nearly).max(until)),
                high(Operator::AtLeast, (value - nearly).min(from)),
            ])
        }
    }
}

/// A number asked for and the range of its precision, `from` included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The number.
    pub value: f64,
    /// The least number meant.
    pub from: f64,
    /// The least number above that is not meant.
    pub until: f64,
}

fn one<T, const N: usize>(bounds: [Bound<T>; N]) -> Bounds<T> {
    Bounds { any: vec![bounds.into()] }
}

fn either<T>(left: Bound<T>, right: Bound<T>) -> Bounds<T> {
    Bounds { any: vec![vec![left], vec![right]] }
}

fn low<T>(operator: Operator, value: T) -> Bound<T> {
    Bound { end: End::Low, operator, value }
}

fn high<T>(operator: Operator, value: T) -> Bound<T> {
    Bound { end: End::High, operator, value }
}

impl<T: PartialOrd> Bounds<T> {
    /// Whether a row with these ends fulfils the condition: what SQL decides, in
    /// memory.
    pub fn holds(&self, low: &T, high: &T) -> bool {
        self.any.iter().any(|all| all.iter().all(|bound| bound.holds(low, high)))
    }
}

impl<T: PartialOrd> Bound<T> {
    fn holds(&self, low: &T, high: &T) -> bool {
        let column = match self.end {
            End::Low => low,
            End::High => high,
        };
        match self.operator {
            Operator::Less => *column < self.value,
            Operator::AtMost => *column <= self.value,
            Operator::Greater => *column > self.value,
            Operator::AtLeast => *column >= self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Prefix; 9] =
        [Prefix::Eq, Prefix::Ne, Prefix::Gt, Prefix::Lt, Prefix::Ge, Prefix::Le, Prefix::Sa, Prefix::Eb, Prefix::Ap];

    /// The prefixes by which a row `[low, high)` is found under `[10, 20)`.
    fn found(low: i64, high: i64) -> Vec<Prefix> {
        ALL.into_iter().filter(|prefix| half_open(*prefix, 10, 20, 2).holds(&low, &high)).collect()
    }

    #[test]
    fn how_two_ranges_may_lie() {
        use Prefix::{Ap, Eb, Eq, Ge, Gt, Le, Lt, Ne, Sa};
        for (low, high, expected) in [
            (10, 20, vec![Eq, Ge, Le, Ap]),
            (12, 13, vec![Eq, Ge, Le, Ap]),
            (5, 10, vec![Ne, Lt, Le, Eb, Ap]),
            (1, 8, vec![Ne, Lt, Le, Eb]),
            (20, 21, vec![Ne, Gt, Ge, Sa, Ap]),
            (22, 30, vec![Ne, Gt, Ge, Sa]),
            (5, 15, vec![Ne, Lt, Ge, Le, Ap]),
            (15, 25, vec![Ne, Gt, Ge, Le, Ap]),
            (5, 25, vec![Ne, Gt, Lt, Ge, Le, Ap]),
            (i64::MIN, 15, vec![Ne, Lt, Ge, Le, Ap]),
            (15, i64::MAX, vec![Ne, Gt, Ge, Le, Ap]),
        ] {
            assert_eq!(found(low, high), expected, "[{low}, {high})");
        }
    }

    #[test]
    fn the_prefixes_follow_their_definitions_everywhere() {
        for (low, high) in (0..30).flat_map(|low| (low + 1..31).map(move |high| (low, high))) {
            let says = |prefix| half_open(prefix, 10, 20, 2).holds(&low, &high);
            let within = low >= 10 && high <= 20;
            assert_eq!(says(Prefix::Eq), within);
            assert_eq!(says(Prefix::Ne), !within);
            let overlaps = low < 20 && high > 10;
            assert_eq!(says(Prefix::Ge), says(Prefix::Gt) || overlaps);
            assert_eq!(says(Prefix::Le), says(Prefix::Lt) || overlaps);
            assert!(!says(Prefix::Sa) || says(Prefix::Gt));
            assert!(!says(Prefix::Eb) || says(Prefix::Lt));
        }
    }

    #[test]
    fn a_fraction_of_zeros_is_the_second_too() {
        for (low, high) in (0..30).flat_map(|low| (low + 1..31).map(move |high| (low, high))) {
            let says = |prefix| zero_filled(prefix, 10, 12, 20).holds(&low, &high);
            let equal = (low >= 10 && high <= 12) || (low == 10 && high <= 20);
            assert_eq!((says(Prefix::Eq), says(Prefix::Ne)), (equal, !equal), "[{low}, {high})");
            for prefix in [Prefix::Gt, Prefix::Lt, Prefix::Ge, Prefix::Le, Prefix::Sa, Prefix::Eb] {
                assert_eq!(says(prefix), half_open(prefix, 10, 12, 0).holds(&low, &high), "{prefix:?}");
            }
        }
    }

    #[test]
    fn numbers_are_exact_but_for_equality() {
        let asked = Asked { value: 5.4, from: 5.35, until: 5.45 };
        for (prefix, inside, outside) in [
            (Prefix::Eq, [5.35, 5.44], [5.34, 5.45]),
            (Prefix::Ne, [5.34, 5.45], [5.35, 5.44]),
            (Prefix::Gt, [5.41, 9.0], [5.4, 5.3]),
            (Prefix::Ge, [5.4, 9.0], [5.39, 5.3]),
            (Prefix::Lt, [5.39, 0.0], [5.4, 5.5]),
            (Prefix::Le, [5.4, 0.0], [5.41, 5.5]),
            (Prefix::Sa, [5.41, 9.0], [5.4, 5.3]),
            (Prefix::Eb, [5.39, 0.0], [5.4, 5.5]),
            (Prefix::Ap, [4.9, 5.9], [4.8, 6.0]),
        ] {
            let bounds = closed(prefix, asked);
            for value in inside {
                assert!(bounds.holds(&value, &value), "{prefix:?} {value}");
            }
            for value in outside {
                assert!(!bounds.holds(&value, &value), "{prefix:?} {value}");
            }
        }
    }

    #[test]
    fn prefixes_are_read_off() {
        assert_eq!(Prefix::of("ge2024"), (Prefix::Ge, "2024"));
        assert_eq!(Prefix::of("2024"), (Prefix::Eq, "2024"));
        assert_eq!(Prefix::of("xx2024"), (Prefix::Eq, "xx2024"));
        assert_eq!(Prefix::of(""), (Prefix::Eq, ""));
    }
}
