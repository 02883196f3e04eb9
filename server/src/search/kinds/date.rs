//! Dates: every date is a span, and a prefix says how two spans must lie.
//!
//! Source: FHIR R4 search.html#date

use jiff::tz::TimeZone;
use techo_profiles::json::Json;

use super::{Cells, Element, Kind, Question};
use crate::search::bounds::{Prefix, half_open, zero_filled};
use crate::search::plan::{Match, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Span, Table};
use crate::search::time::span;

/// Dates.
pub const KIND: Kind = Kind {
    name: "date",
    tables: &[Table::Date],
    modifiers: &[],
    undone: &[],
    extract,
    parse,
    sort: Some(SortColumn::Date),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    if let Some(Span { low, high }) = element_span(element.type_name, element.json, cells.setting.local.zone()) {
        cells.push(Cell::Date { low, high });
    }
}

/// The span that a date, dateTime, instant, Period or Timing covers; `None` for
/// other types and where no date is in it.
pub fn element_span(type_name: &str, json: &Json, zone: &TimeZone) -> Option<Span> {
    match type_name {
        "date" | "dateTime" | "instant" => span(json.as_str()?, zone).ok(),
        "Period" => period(json, zone),
        "Timing" => timing(json, zone),
        _ => None,
    }
}

/// From the start's first instant to the end's last; a missing end is open.
fn period(json: &Json, zone: &TimeZone) -> Option<Span> {
    let end = |name| json.str(name).and_then(|text| span(text, zone).ok());
    let (start, end) = (end("start"), end("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let low = start.map_or(i64::MIN, |span| span.low);
    let high = end.map_or(i64::MAX, |span| span.high);
    (low < high).then_some(Span { low, high })
}

/// Only the outer limits of a Timing count: from its first event, or the start
/// of its bounds, to the last.
fn timing(json: &Json, zone: &TimeZone) -> Option<Span> {
    let events = json.list("event").iter().filter_map(|event| span(event.as_str()?, zone).ok());
    let bounds = json.at(&["repeat", "boundsPeriod"]).and_then(|bounds| period(bounds, zone));
    events.chain(bounds).reduce(|a, b| Span { low: a.low.min(b.low), high: a.high.max(b.high) })
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let (prefix, text) = question.prefixed();
    let asked = span(text, question.setting.local.zone())?;
    if let (Prefix::Eq | Prefix::Ne, Some(second)) = (prefix, second_of(text, question.setting.local.zone())) {
        return Ok(vec![Match::Date(zero_filled(prefix, asked.low, asked.high, second.high))]);
    }
    // A tenth of the time between then and now, as FHIR recommends.
    let gap = if question.now >= asked.high { question.now - asked.high } else { (asked.low - question.now).max(0) };
    Ok(vec![Match::Date(half_open(prefix, asked.low, asked.high, gap / 10))])
}

/// The whole second of a time that is written with a fraction of nothing but zeros.
fn second_of(text: &str, zone: &TimeZone) -> Option<Span> {
    let (whole, rest) = text.split_once('.')?;
    let zeros = rest.bytes().take_while(|byte| *byte == b'0').count();
    let offset = rest.get(zeros..).filter(|offset| !offset.starts_with(|sign: char| sign.is_ascii_digit()))?;
    span(&format!("{whole}{offset}"), zone).ok()
}

/// What overlaps a date: `po` of `_filter`.
pub fn overlapping(text: &str, zone: &TimeZone) -> Result<Match, Reason> {
    let asked = span(text, zone)?;
    Ok(Match::Date(half_open(Prefix::Ap, asked.low, asked.high, 0)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells};
    use super::*;
    use crate::search::modifier::Modifier;
    use crate::search::reason::Class;
    use techo_profiles::json;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn elements_become_spans() {
        for (type_name, json, expected) in [
            ("date", json!("1970-01-01"), Some((-9 * HOUR, 15 * HOUR))),
            ("instant", json!("1970-01-01T00:00:00Z"), Some((0, 1_000_000))),
            (
                "Period",
                json!({"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T01:00:00Z"}),
                Some((0, HOUR + 1_000_000)),
            ),
            ("Period", json!({"start": "1970-01-01T00:00:00Z"}), Some((0, i64::MAX))),
            ("Period", json!({"end": "1970-01-01T00:00:00Z"}), Some((i64::MIN, 1_000_000))),
            ("Period", json!({}), None),
            ("Period", json!({"start": "1970-01-02", "end": "1970-01-01"}), None),
            (
                "Timing",
                json!({"event": ["1970-01-01T02:00:00Z", "1970-01-01T00:00:00Z"]}),
                Some((0, 2 * HOUR + 1_000_000)),
            ),
            ("Timing", json!({"repeat": {"boundsPeriod": {"start": "1970-01-01T00:00:00Z"}}}), Some((0, i64::MAX))),
            ("Timing", json!({"code": {"text": "毎食後"}}), None),
            ("string", json!("1970-01-01"), None),
            ("date", json!("once"), None),
        ] {
            let expected: Vec<Cell> = expected.into_iter().map(|(low, high)| Cell::Date { low, high }).collect();
            assert_eq!(cells(&KIND, type_name, &json), expected, "{type_name} {json}");
        }
    }

    #[test]
    fn a_question_finds_what_it_means() {
        for (value, type_name, json, found) in [
            ("2024-02", "dateTime", json!("2024-02-29T23:59:59+09:00"), true),
            ("2024-02", "dateTime", json!("2024-02-29T23:59:59Z"), false),
            ("2024-02", "dateTime", json!("2024"), false),
            ("ne2024-02", "dateTime", json!("2024"), true),
            ("ge2024-02-10", "date", json!("2024-02-10"), true),
            ("gt2024-02-10", "date", json!("2024-02-10"), false),
            ("gt2024-02-10", "date", json!("2024-02"), true),
            ("lt2024-02-10T12:00", "dateTime", json!("2024-02-10T11:59:59+09:00"), true),
            ("ge2024-02-10", "Period", json!({"start": "2024-02-01", "end": "2024-02-10"}), true),
            ("ge2024-02-10", "Period", json!({"start": "2024-02-01", "end": "2024-02-09"}), false),
            ("le2024-02-10", "Period", json!({"start": "2024-02-10", "end": "2024-02-20"}), true),
            ("le2024-02-10", "Period", json!({"start": "2024-02-11", "end": "2024-02-20"}), false),
            ("2024-02-10T10:00:00.000Z", "dateTime", json!("2024-02-10T10:00:00Z"), true),
            ("2024-02-10T19:00:00.0+09:00", "instant", json!("2024-02-10T10:00:00Z"), true),
            ("2024-02-10T10:00:00.000Z", "dateTime", json!("2024-02-10T10:00:00.500Z"), false),
            ("2024-02-10T10:00:00.500Z", "dateTime", json!("2024-02-10T10:00:00Z"), false),
            ("2024-02-10T10:00:00.000Z", "dateTime", json!("2024-02-10T10:00Z"), false),
            ("ne2024-02-10T10:00:00.000Z", "dateTime", json!("2024-02-10T10:00:00Z"), false),
            ("ne2024-02-10T10:00:00.000Z", "dateTime", json!("2024-02-10T10:00:00.5Z"), true),
            ("gt2024-02-10T10:00:00.000Z", "dateTime", json!("2024-02-10T10:00:00.5Z"), true),
            ("sa2024-02-10", "Period", json!({"start": "2024-02-11"}), true),
            ("eb2024-02-10", "Period", json!({"start": "2024-02-01", "end": "2024-02-10"}), false),
        ] {
            let matches = ask(&KIND, Modifier::None, value).expect(value);
            let [Match::Date(bounds)] = &matches[..] else { panic!("{matches:?}") };
            let [Cell::Date { low, high }] = cells(&KIND, type_name, &json)[..] else { panic!("{json}") };
            assert_eq!(bounds.holds(&low, &high), found, "{value} {json}");
        }
    }

    #[test]
    fn no_date_is_said_so() {
        for value in ["", "ge", "xx2024", "2024-13", "today"] {
            assert!(ask(&KIND, Modifier::None, value).is_err_and(|reason| reason.class() == Class::Value), "{value}");
        }
    }
}
