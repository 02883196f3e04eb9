//! Parameters that compare in a way of their own. Of R4's, one has elements:
//! `Location.near`, whose latitude and longitude are kept as the two parts of
//! one value, like a composite's.
//!
//! Source: FHIR R4 search.html#special

use techo_profiles::json::Json;

use super::number::number;
use super::{Cells, Element, Kind, Question};
use crate::search::error::Reason;
use crate::search::plan::Match;
use crate::search::row::{Cell, Table};

/// Parameters of their own.
pub const KIND: Kind =
    Kind { name: "special", tables: &[Table::Number], modifiers: &[], undone: &[], extract, parse, sort: None };

/// Nothing: a position is taken apart by [`position`].
fn extract(_: &Element<'_>, _: &mut Cells<'_>) {}

/// The latitude and the longitude of `Location.position`.
pub fn position(json: &Json) -> Option<[Cell; 2]> {
    let part = |name| {
        let value = number(json.get(name)?)?;
        Some(Cell::Number { low: value, high: value })
    };
    Some([part("latitude")?, part("longitude")?])
}

/// Values are indexed, questions not yet answered.
fn parse(_: &Question<'_>) -> Result<Vec<Match>, Reason> {
    Err(Reason::NotDone("a special search parameter".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_both_parts_or_none() {
        let position = |text: &str| position(&Json::parse(text.as_bytes()).expect("JSON"));
        let point = |value| Cell::Number { low: value, high: value };
        assert_eq!(position(r#"{"latitude":35.68,"longitude":-139.7}"#), Some([point(35.68), point(-139.7)]));
        assert_eq!(position(r#"{"latitude":35.68}"#), None);
    }
}
