//! Numbers. A stored number is a point: only the number asked for carries the
//! range of its precision, so that 140 and 140.0 find each other.
//!
//! Source: FHIR R4 search.html#number

use techo_profiles::json::Json;

use super::{Cells, Element, Kind, Question};
use crate::search::bounds::{Asked, closed};
use crate::search::decimal::decimal;
use crate::search::plan::{Match, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Table};

/// Numbers.
pub const KIND: Kind = Kind {
    name: "number",
    tables: &[Table::Number],
    modifiers: &[],
    undone: &[],
    extract,
    parse,
    sort: Some(SortColumn::Number),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    let range = match element.type_name {
        "integer" | "decimal" | "positiveInt" | "unsignedInt" => number(element.json).map(|value| (value, value)),
        "Range" => range(element.json),
        _ => None,
    };
    if let Some((low, high)) = range {
        cells.push(Cell::Number { low, high });
    }
}

/// The value of a JSON number, if it is finite.
pub(super) fn number(json: &Json) -> Option<f64> {
    json.as_number()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The values of a Range's ends; a missing one is open.
pub(super) fn range(json: &Json) -> Option<(f64, f64)> {
    let end = |name| json.at(&[name, "value"]).and_then(number);
    let (low, high) = (end("low"), end("high"));
    if low.is_none() && high.is_none() {
        return None;
    }
    Some((low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)))
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let (prefix, text) = question.prefixed();
    Ok(vec![Match::Number(closed(prefix, asked(text)?))])
}

/// The number in a query.
pub(super) fn asked(text: &str) -> Result<Asked, Reason> {
    let number = decimal(text).ok_or(Reason::Number)?;
    Ok(Asked { value: number.value, from: number.low, until: number.high })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells};
    use super::*;
    use crate::search::modifier::Modifier;
    use techo_profiles::json;

    #[test]
    fn a_question_finds_what_it_means() {
        for (value, stored, found) in [
            ("100", "100", true),
            ("100", "100.4", true),
            ("100", "100.5", false),
            ("100.00", "100", true),
            ("100.00", "100.01", false),
            ("1e2", "104.9", true),
            ("1e2", "105", false),
            ("1e2", "95", true),
            ("1e2", "94.9", false),
            ("gt0.8", "0.8", false),
            ("gt8e-1", "0.81", true),
            ("ne100", "99.4", true),
            ("le-1", "-1.5", true),
            ("ap100", "92", true),
        ] {
            let stored = Json::number(stored).expect("a number");
            let [Cell::Number { low, high }] = cells(&KIND, "decimal", &stored)[..] else { panic!("{stored}") };
            let [Match::Number(bounds)] = &ask(&KIND, Modifier::None, value).expect(value)[..] else { panic!() };
            assert_eq!(bounds.holds(&low, &high), found, "{value} {stored}");
        }
    }

    #[test]
    fn ranges_may_be_open() {
        let open = json!({"low": {"value": 3}});
        assert_eq!(cells(&KIND, "Range", &open), [Cell::Number { low: 3.0, high: f64::INFINITY }]);
        assert_eq!(cells(&KIND, "Range", &json!({})), []);
        assert_eq!(cells(&KIND, "string", &json!("3")), []);
    }

    #[test]
    fn no_number_is_said_so() {
        for value in ["", "gt", "five", "1,5", "５"] {
            assert!(matches!(ask(&KIND, Modifier::None, value), Err(Reason::Number)), "{value}");
        }
    }
}
