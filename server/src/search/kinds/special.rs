//! Parameters that compare in a way of their own. Of R4's, one has elements:
//! `Location.near`, whose latitude and longitude are kept as the two parts of
//! one value, like a composite's.
//!
//! Source: FHIR R4 search.html#special

use techo_profiles::json::Json;

use super::number::number;
use super::{Cells, Element, Kind, Question};
use crate::search::decimal::decimal;
use crate::search::escape::{split, unescape};
use crate::search::plan::{Circle, Match};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Table};
use crate::search::unit::scale;

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

/// A circle is no condition on one row: [`circle`] reads it.
fn parse(_: &Question<'_>) -> Result<Vec<Match>, Reason> {
    Err(Reason::Special)
}

/// `latitude|longitude|distance|unit`: without a unit kilometres, without a
/// distance [`NEARBY`] of them.
pub fn circle(value: &str) -> Result<Circle, Reason> {
    let parts = split(value, '|').into_iter().map(unescape).collect::<Result<Vec<_>, _>>()?;
    let number = |text: &str| decimal(text).map(|number| number.value).ok_or(Reason::Place);
    let (latitude, longitude, distance, unit) = match &parts[..] {
        [latitude, longitude] => (latitude, longitude, "", ""),
        [latitude, longitude, distance] => (latitude, longitude, &**distance, ""),
        [latitude, longitude, distance, unit] => (latitude, longitude, &**distance, &**unit),
        _ => return Err(Reason::Place),
    };
    let (latitude, longitude) = (number(latitude)?, number(longitude)?);
    if latitude.abs() > MOST_LATITUDE || longitude.abs() > 180.0 {
        return Err(Reason::Latitude { most: MOST_LATITUDE.to_string().into() });
    }
    let unit = scale(UCUM, if unit.is_empty() { "km" } else { unit }).filter(|scale| &*scale.unit.code == "m");
    let unit = unit.ok_or(Reason::Length)?;
    let metres = unit.apply(if distance.is_empty() { NEARBY } else { number(distance)? });
    if !(0.0..=MOST_METRES).contains(&metres) {
        return Err(Reason::Distance { most: (MOST_METRES / 1000.0).to_string().into() });
    }
    Ok(Circle { latitude, longitude, degrees: (metres / EARTH).to_degrees() })
}

/// What is near where nobody says how near, in the unit given.
const NEARBY: f64 = 10.0;
/// The greatest distance, in metres: the store's formula is good up to here.
const MOST_METRES: f64 = 1_000_000.0;
/// The latitudes, north and south, up to which it is.
const MOST_LATITUDE: f64 = 80.0;
/// The Earth's mean radius in metres.
const EARTH: f64 = 6_371_008.8;
const UCUM: &str = "http://unitsofmeasure.org";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::reason::Class;

    #[test]
    fn a_position_has_both_parts_or_none() {
        let position = |text: &str| position(&Json::parse(text.as_bytes()).expect("JSON"));
        let point = |value| Cell::Number { low: value, high: value };
        assert_eq!(position(r#"{"latitude":35.68,"longitude":-139.7}"#), Some([point(35.68), point(-139.7)]));
        assert_eq!(position(r#"{"latitude":35.68}"#), None);
    }

    #[test]
    fn a_place_may_be_asked_in_any_unit_of_length() {
        let degrees = |value: &str| circle(value).map(|circle| format!("{:.3}", circle.degrees));
        let one = degrees("35.68|139.77|1|km");
        assert_eq!(one.as_deref(), Ok("0.009"));
        for value in ["35.68|139.77|1000|m", "35.68|139.77|1", "35.68|139.77|1|"] {
            assert_eq!(degrees(value), one, "{value}");
        }
        assert_eq!(degrees("35.68|139.77").as_deref(), Ok("0.090"));
        for value in
            ["", "35", "95|0|1", "0|181|1", "0|0|-1", "0|0|1001", "0|0|1|kg", "0|0|x", "0|0|1|km|x", r"0|0|1|\x"]
        {
            assert!(circle(value).is_err_and(|reason| reason.class() == Class::Value), "{value}");
        }
    }
}
