//! JSON files of a town: an array of objects with the columns' names in English,
//! checked against a published schema before anything is read from them.
//!
//! Source: infant-checkups.md §6

use techo_profiles::json::{Json, Place, Value};

use super::{Layout, Names, Row, Table, filled, unused_number};
use crate::import::draft::{Issue, Line, Refusal, Text};

/// Reads a JSON file.
pub(super) fn read(bytes: &[u8], layout: &'static Layout) -> Result<Table, Refusal> {
    let lines = Lines::of(bytes);
    let json = Json::parse(bytes).map_err(|error| {
        let place = Place::of(bytes, error.offset);
        let fault = &error.fault;
        Refusal {
            code: "not-json",
            text: Text::new(
                format!("line {}, column {}: {fault}", place.line, place.column),
                format!("{}行目{}文字目がJSONとして読めません（{}）", place.line, place.column, fault.japanese()),
            ),
            at: Line::of(place.line),
            offset: Some(error.offset),
        }
    })?;
    layout.schema.check(&json, bytes)?;
    let mut issues = Vec::new();
    let rows = json.items().iter().map(|object| {
        let at = Line::of(lines.line(object.span().start));
        row(object, layout, at, &mut issues)
    });
    let rows = rows.collect();
    Ok(Table { rows, issues })
}

/// Whether the beginning of the file has one of these names.
pub(super) fn mentions(bytes: &[u8], wanted: &[&str]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOK_AT)]);
    wanted.iter().any(|property| head.contains(&format!("\"{property}\"")))
}

/// How much of a file is looked at to tell what it is.
const LOOK_AT: usize = 64 * 1024;

fn row(object: &Json, layout: &'static Layout, at: Line, issues: &mut Vec<Issue>) -> Row {
    let mut row = Row::empty(at, layout, Names::Property);
    for member in object.members() {
        let text = match member.value.value() {
            Value::String(text) | Value::Number(text) => filled(text),
            Value::Bool(truth) => Some(truth.to_string()),
            // The schema lets no list or object through.
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let Some(text) = text else { continue };
        match layout.columns.iter().position(|column| column.property == &*member.name) {
            Some(to) => row.cells[to] = Some(text),
            None if layout.ignored.contains(&&*member.name) => issues.extend(unused_number(&text, at)),
            None => row.unknown.push((member.name.to_string(), text)),
        }
    }
    row
}

/// Line numbers by byte offset.
struct Lines(Vec<usize>);

impl Lines {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|&end| end < offset) + 1
    }
}
