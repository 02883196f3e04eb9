//! Quantities: a number and a unit, as given and in the canonical unit.
//!
//! A quantity whose unit's text is not its code has two rows, so that `5||錠`
//! finds it as well as `5|system|code`. Stored values are points; a comparator,
//! a Range or SampledData spans.
//!
//! Source: FHIR R4 search.html#quantity

use techo_profiles::json::Json;

use super::number::{asked, number, range};
use super::{Cells, Element, Kind, Question, extension_value};
use crate::search::bounds::{Prefix, closed};
use crate::search::error::Reason;
use crate::search::escape::{split, unescape};
use crate::search::plan::{CodePattern, Match, Pattern, SortColumn};
use crate::search::row::{Cell, QuantityCell, Table, Unit};

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
            if let Some((value, low, high)) = quantity(json) {
                push(json, value, low, high, cells);
            }
        }
        "Range" => {
            if let Some((low, high)) = range(json) {
                let unit_of = json.get("low").or_else(|| json.get("high")).unwrap_or(json);
                push(unit_of, if low.is_finite() { low } else { high }, low, high, cells);
            }
        }
        "SampledData" => {
            if let (Some((low, high)), Some(origin)) = (samples(json), json.get("origin")) {
                push(origin, low, low, high, cells);
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

/// The value, and the ends that its comparator leaves open.
fn quantity(json: &Json) -> Option<(f64, f64, f64)> {
    let value = json.get("value").and_then(number)?;
    Some(match json.str("comparator") {
        Some("<" | "<=") => (value, f64::NEG_INFINITY, value),
        Some(">" | ">=") => (value, value, f64::INFINITY),
        _ => (value, value, value),
    })
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
            Some(code) => Unit { system: CURRENCIES.into(), code: code.into() },
            None => unit("", ""),
        };
        push_unit(unit, value, value, value, cells);
    }
}

/// A row for the unit's code, and one for its text where that says something else.
fn push(json: &Json, value: f64, low: f64, high: f64, cells: &mut Cells<'_>) {
    let code = json.str("code").map(|code| unit(json.str("system").unwrap_or_default(), code));
    let text = json.str("unit").filter(|text| json.str("code") != Some(*text)).map(|text| unit("", text));
    if code.is_none() && text.is_none() {
        push_unit(unit("", ""), value, low, high, cells);
    }
    for unit in code.into_iter().chain(text) {
        push_unit(unit, value, low, high, cells);
    }
}

fn push_unit(unit: Unit, value: f64, low: f64, high: f64, cells: &mut Cells<'_>) {
    let (canonical_unit, canonical_low, canonical_high) = (unit.clone(), low, high);
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
    Unit { system: system.into(), code: code.into() }
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let (prefix, text) = question.prefixed();
    let plain = |text: &str| unescape(text).map(|text| text.as_ref().into());
    let is = |text: &str| Ok::<_, Reason>(if text.is_empty() { Pattern::Any } else { Pattern::Is(plain(text)?) });
    let (number, unit) = match split(text, '|')[..] {
        [number] => (number, CodePattern { system: Pattern::Any, code: Pattern::Any }),
        [number, system, code] => (number, CodePattern { system: is(system)?, code: is(code)? }),
        _ => return Err(Reason::Value("a quantity is written 5.4, 5.4|system|code or 5.4||unit".into())),
    };
    matches(prefix, number, unit)
}

fn matches(prefix: Prefix, number: &str, unit: CodePattern) -> Result<Vec<Match>, Reason> {
    Ok(vec![Match::Quantity { unit, bounds: closed(prefix, asked(number)?) }])
}

/// The system of ISO 4217 currency codes.
const CURRENCIES: &str = "urn:iso:std:iso:4217";
