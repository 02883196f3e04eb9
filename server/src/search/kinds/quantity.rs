//! Quantities: a number and a unit, as given and in the canonical unit.
//!
//! A quantity whose unit's text is not its code has two rows, so that `5||錠`
//! finds it as well as `5|system|code`; in the canonical unit they say the same. Stored values are points; a comparator,
//! a Range or `SampledData` spans. What is `<80` ends just below 80.
//!
//! Source: FHIR R4 search.html#quantity

use techo_profiles::json::Json;

use super::number::{asked, number, range};
use super::{Cells, Element, Kind, Question, extension_value};
use crate::search::bounds::{Asked, Prefix, closed};
use crate::search::escape::{split, unescape};
use crate::search::fold::bounded;
use crate::search::plan::{CodePattern, Match, Pattern, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, QuantityCell, Table, Unit};
use crate::search::unit::{Scale, scale};

/// Quantities.
pub const KIND: Kind = Kind {
    name: "quantity",
    tables: &[Table::Quantity],
    modifiers: &[],
    undone: &[],
    extract,
    parse,
    sort: Some(SortColumn::Quantity),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    let json = element.json;
    match element.type_name {
        "Quantity" | "Age" | "Count" | "Distance" | "Duration" | "SimpleQuantity" | "MoneyQuantity" => {
            if let Some((value, span)) = quantity(json) {
                push(json, value, span, cells);
            }
        }
        "Range" => {
            if let Some((low, high)) = range(json) {
                let unit_of = json.get("low").or_else(|| json.get("high")).unwrap_or(json);
                push(unit_of, if low.is_finite() { low } else { high }, Span::of(low, high), cells);
            }
        }
        "SampledData" => {
            if let (Some((low, high)), Some(origin)) = (samples(json), json.get("origin")) {
                push(origin, low, Span::of(low, high), cells);
            }
        }
        "Money" => money(json, cells),
        "Extension" => {
            if let Some((type_name, json)) = extension_value(json) {
                extract(&Element { type_name: &type_name, json }, cells);
            }
        }
        _ => {}
    }
}

/// The ends of what is stored, and whether each is a part of it.
#[derive(Clone, Copy)]
struct Span {
    low: f64,
    high: f64,
    /// `>`: all above the low end, but not that.
    without_low: bool,
    /// `<`: all below the high end, but not that.
    without_high: bool,
}

impl Span {
    fn of(low: f64, high: f64) -> Self {
        Self { low, high, without_low: false, without_high: false }
    }

    /// Its first and its last number in the unit that `to` leads to. An end that is
    /// no part of it is left out there, as a conversion may round it back.
    fn ends(self, to: impl Fn(f64) -> f64) -> (f64, f64) {
        let (low, high) = (to(self.low), to(self.high));
        (if self.without_low { low.next_up() } else { low }, if self.without_high { high.next_down() } else { high })
    }
}

/// The value, and the span that its comparator says.
fn quantity(json: &Json) -> Option<(f64, Span)> {
    let value = json.get("value").and_then(number)?;
    let (below, above) = (Span::of(f64::NEG_INFINITY, value), Span::of(value, f64::INFINITY));
    let span = match json.str("comparator") {
        Some("<") => Span { without_high: true, ..below },
        Some("<=") => below,
        Some(">") => Span { without_low: true, ..above },
        Some(">=") => above,
        _ => Span::of(value, value),
    };
    Some((value, span))
}

/// The least and the greatest sample: origin + datum × factor. `E`, `L` and `U`
/// are no values.
fn samples(json: &Json) -> Option<(f64, f64)> {
    let origin = json.at(&["origin", "value"]).and_then(number)?;
    let factor = json.get("factor").and_then(number).unwrap_or(1.0);
    let data = json.str("data")?.split_ascii_whitespace().filter_map(|datum| datum.parse::<f64>().ok());
    let values = data.map(|datum| origin + datum * factor).filter(|value| value.is_finite());
    values.map(|value| (value, value)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn money(json: &Json, cells: &mut Cells<'_>) {
    if let Some(value) = json.get("value").and_then(number) {
        let unit = match json.str("currency") {
            Some(code) => unit(CURRENCIES, code),
            None => unit("", ""),
        };
        push_unit(unit, None, value, Span::of(value, value), cells);
    }
}

/// A row for the unit's code, and one for its text where that says something else.
fn push(json: &Json, value: f64, span: Span, cells: &mut Cells<'_>) {
    let code = json.str("code").map(|code| unit(json.str("system").unwrap_or_default(), code));
    let text = json.str("unit").filter(|text| json.str("code") != Some(*text)).map(|text| unit("", text));
    if code.is_none() && text.is_none() {
        push_unit(unit("", ""), None, value, span, cells);
    }
    // Both say the same amount: rows are sorted by it, whichever is looked at.
    let amount = code.clone().or_else(|| text.clone());
    for unit in code.into_iter().chain(text) {
        push_unit(unit, amount.as_ref(), value, span, cells);
    }
}

/// * `amount`: the unit that tells how much it is, if that is another.
fn push_unit(unit: Unit, amount: Option<&Unit>, value: f64, span: Span, cells: &mut Cells<'_>) {
    let (low, high) = span.ends(|number| number);
    let amount = amount.unwrap_or(&unit);
    let (canonical_unit, (canonical_low, canonical_high)) = match scale(&amount.system, &amount.code) {
        Some(scale) => (scale.unit.clone(), span.ends(|number| scale.apply(number))),
        None => (unit.clone(), (low, high)),
    };
    cells.push(Cell::Quantity(Box::new(QuantityCell {
        unit,
        value,
        low,
        high,
        canonical_unit,
        canonical_low,
        canonical_high,
    })));
}

fn unit(system: &str, code: &str) -> Unit {
    Unit { system: bounded(system), code: bounded(code) }
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let (prefix, text) = question.prefixed();
    let plain = |text: &str| unescape(text).map(|text| bounded(&text));
    let is = |text: &str| Ok::<_, Reason>(if text.is_empty() { Pattern::Any } else { Pattern::Is(plain(text)?) });
    let (number, unit) = match split(text, '|')[..] {
        [number] => (number, CodePattern { system: Pattern::Any, code: Pattern::Any }),
        [number, system, code] => (number, CodePattern { system: is(system)?, code: is(code)? }),
        _ => return Err(Reason::Quantity),
    };
    let asked = asked(number)?;
    Ok(vec![match &unit {
        CodePattern { system: Pattern::Is(system), code: Pattern::Is(code) } => match scale(system, code) {
            Some(scale) => canonical(prefix, asked, &scale),
            None => Match::Quantity { unit, bounds: closed(prefix, asked) },
        },
        _ => Match::Quantity { unit, bounds: closed(prefix, asked) },
    }])
}

/// The same question in the canonical unit. The tenth of `ap` is one of the
/// value as asked, so that 37 Cel has the neighbours of 37, not of 310 K.
fn canonical(prefix: Prefix, asked: Asked, scale: &Scale) -> Match {
    let mut bounds = closed(prefix, asked);
    for bound in bounds.any.iter_mut().flatten() {
        bound.value = scale.apply(bound.value);
    }
    let is = |text: &str| Pattern::Is(text.into());
    Match::Canonical { unit: CodePattern { system: is(&scale.unit.system), code: is(&scale.unit.code) }, bounds }
}

/// The system of ISO 4217 currency codes.
const CURRENCIES: &str = "urn:iso:std:iso:4217";

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells};
    use super::*;
    use crate::search::modifier::Modifier;
    use crate::search::reason::Class;
    use techo_profiles::json;

    const UCUM: &str = "http://unitsofmeasure.org";

    /// Whether a question finds a quantity, as the store decides it.
    fn found(value: &str, type_name: &str, json: &Json) -> bool {
        let matches = ask(&KIND, Modifier::None, value).expect(value);
        let fits = |pattern: &CodePattern, unit: &Unit| {
            let is = |pattern: &Pattern, text: &str| match pattern {
                Pattern::Any => true,
                Pattern::Is(wanted) => **wanted == *text,
            };
            is(&pattern.system, &unit.system) && is(&pattern.code, &unit.code)
        };
        cells(&KIND, type_name, json).iter().any(|cell| {
            let Cell::Quantity(cell) = cell else { panic!("{cell:?}") };
            matches.iter().any(|one| match one {
                Match::Quantity { unit, bounds } => fits(unit, &cell.unit) && bounds.holds(&cell.low, &cell.high),
                Match::Canonical { unit, bounds } => {
                    fits(unit, &cell.canonical_unit) && bounds.holds(&cell.canonical_low, &cell.canonical_high)
                }
                other => panic!("{other:?}"),
            })
        })
    }

    fn quantity(value: &str, unit: &str, code: &str) -> Json {
        json!({"value": (Json::number(value).expect("a number")), "unit": (unit), "system": (UCUM), "code": (code)})
    }

    #[test]
    fn units_are_converted() {
        for (value, json, expected) in [
            ("5.4|http://unitsofmeasure.org|mg", quantity("5.4", "mg", "mg"), true),
            ("5.4|http://unitsofmeasure.org|mg", quantity("0.0054", "g", "g"), true),
            ("ge5.4|http://unitsofmeasure.org|mg", quantity("0.0054", "g", "g"), true),
            ("le0.0054|http://unitsofmeasure.org|g", quantity("5.4", "mg", "mg"), true),
            ("gt5.4|http://unitsofmeasure.org|mg", quantity("0.0054", "g", "g"), false),
            ("gt5.4|http://unitsofmeasure.org|mg", quantity("1", "g", "g"), true),
            ("5.4|http://unitsofmeasure.org|mg", quantity("5.4", "mL", "mL"), false),
            ("37|http://unitsofmeasure.org|Cel", quantity("98.6", "F", "[degF]"), true),
            ("5.4", quantity("5.4", "mg", "mg"), true),
            ("5.4||mg", quantity("5.4", "mg", "mg"), true),
            ("5.4||mg", quantity("0.0054", "g", "g"), false),
            ("120||mmHg", quantity("120", "mmHg", "mm[Hg]"), true),
            ("120||mm[Hg]", quantity("120", "mmHg", "mm[Hg]"), true),
            ("5|http://unitsofmeasure.org|{score}", quantity("5", "score", "{score}"), true),
            // What is counted, UCUM does not tell.
            ("5|http://unitsofmeasure.org|{score}", quantity("5", "beats", "{beats}"), true),
            ("5|http://unitsofmeasure.org|/min", quantity("5", "bpm", "{beats}/min"), true),
            ("5||{score}", quantity("5", "score", "{score}"), true),
            ("5||{score}", quantity("5", "beats", "{beats}"), false),
            ("5||錠", json!({"value": 5, "unit": "錠"}), true),
            ("5", json!({"value": 5}), true),
        ] {
            assert_eq!(found(value, "Quantity", &json), expected, "{value} {json}");
        }
    }

    #[test]
    fn what_is_not_one_point() {
        let below = json!({"value": 5, "comparator": "<", "unit": "mg", "system": (UCUM), "code": "mg"});
        assert!(found("lt1", "Quantity", &below) && found("le5||mg", "Quantity", &below));
        assert!(!found("5", "Quantity", &below) && !found("gt5", "Quantity", &below));
        for (comparator, at, other) in [("<", false, true), ("<=", true, true), (">", true, false), (">=", true, true)]
        {
            let open = json!({"value": 5, "comparator": (comparator), "unit": "mg", "system": (UCUM), "code": "mg"});
            for unit in ["5||mg", "5|http://unitsofmeasure.org|mg", "0.005|http://unitsofmeasure.org|g"] {
                let says = |prefix: &str| found(&format!("{prefix}{unit}"), "Quantity", &open);
                assert_eq!((says("ge"), says("le")), (at, other), "{comparator} {unit}");
            }
        }
        let range = json!({"low": {"value": 1, "unit": "mg"}, "high": {"value": 3, "unit": "mg"}});
        assert!(found("gt2||mg", "Range", &range) && found("lt2||mg", "Range", &range));
        let waves = json!({"origin": {"value": 10}, "factor": 2, "data": "E -1 3 U"});
        let Cell::Quantity(cell) = &cells(&KIND, "SampledData", &waves)[0] else { panic!() };
        assert_eq!((cell.low, cell.high), (8.0, 16.0));
        let money = json!({"value": 500, "currency": "JPY"});
        assert!(found("500|urn:iso:std:iso:4217|JPY", "Money", &money));
    }

    #[test]
    fn what_cannot_be_asked() {
        for value in ["", "|s|c", "5|s", "5|a|b|c", "x", "5,4"] {
            assert!(ask(&KIND, Modifier::None, value).is_err_and(|reason| reason.class() == Class::Value), "{value}");
        }
    }
}
