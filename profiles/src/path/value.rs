//! The values that paths compute: the System types of `FHIRPath`.
//!
//! Decimals are exact; `1.10` keeps its two places. Strings are borrowed from
//! the resource or the expression where they can be.

use std::borrow::Cow;
use std::fmt;

use rust_decimal::Decimal;

use super::temporal::{Date, DateTime, Time};
use crate::json::Json;

/// A computed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `true` or `false`
    Boolean(bool),
    /// A 32-bit integer.
    Integer(i32),
    /// An exact decimal.
    Decimal(Decimal),
    /// Text.
    String(Cow<'a, str>),
    /// A date, perhaps partial.
    Date(Date),
    /// A date with time, perhaps partial.
    DateTime(DateTime),
    /// A time of day, perhaps partial.
    Time(Time),
    /// A number with a unit.
    Quantity(Quantity<'a>),
    /// What `type()` answers.
    Type(TypeName<'a>),
}

/// A number with a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity<'a> {
    /// The number.
    pub value: Decimal,
    /// A UCUM code, or a calendar word such as `month` if `calendar`.
    pub unit: Cow<'a, str>,
    /// Whether the unit is a calendar duration: `1 month`, not `1 'mo'`.
    pub calendar: bool,
}

/// A type and the namespace it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName<'a> {
    /// `System` or `FHIR`
    pub namespace: &'static str,
    /// `Integer`, `Patient`
    pub name: Cow<'a, str>,
}

impl<'a> Value<'a> {
    /// The name of its System type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "Boolean",
            Self::Integer(_) => "Integer",
            Self::Decimal(_) => "Decimal",
            Self::String(_) => "String",
            Self::Date(_) => "Date",
            Self::DateTime(_) => "DateTime",
            Self::Time(_) => "Time",
            Self::Quantity(_) => "Quantity",
            Self::Type(_) => "ClassInfo",
        }
    }

    /// The value as JSON says it: dates, times and types as strings, a quantity
    /// as a FHIR Quantity.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Boolean(truth) => Json::from(*truth),
            Self::Integer(number) => Json::from(*number),
            Self::Decimal(number) => decimal_json(*number),
            Self::String(text) => Json::from(&**text),
            Self::Quantity(quantity) => quantity.to_json(),
            Self::Date(_) | Self::DateTime(_) | Self::Time(_) | Self::Type(_) => Json::from(self.to_string()),
        }
    }

    /// The number, if it is one.
    pub(super) fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(number) => Some(Decimal::from(*number)),
            Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    /// The quantity, a bare number being one of unit `1`.
    pub(super) fn into_quantity(self) -> Option<Quantity<'a>> {
        match self {
            Self::Quantity(quantity) => Some(quantity),
            other => other.as_decimal().map(Quantity::bare),
        }
    }
}

impl Quantity<'_> {
    /// A number without unit.
    pub fn bare(value: Decimal) -> Self {
        Self { value, unit: Cow::Borrowed("1"), calendar: false }
    }

    fn to_json(&self) -> Json {
        let json = Json::object([("value", decimal_json(self.value)), ("unit", Json::from(&*self.unit))]);
        if self.calendar {
            return json;
        }
        json.with("system", "http://unitsofmeasure.org").with("code", &*self.unit)
    }
}

fn decimal_json(number: Decimal) -> Json {
    Json::number(&number.to_string()).expect("a decimal prints as a JSON number")
}

/// As `toString()` writes it.
impl fmt::Display for Value<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(truth) => truth.fmt(out),
            Self::Integer(number) => number.fmt(out),
            Self::Decimal(number) => number.fmt(out),
            Self::String(text) => out.write_str(text),
            Self::Date(date) => date.fmt(out),
            Self::DateTime(moment) => moment.fmt(out),
            Self::Time(time) => time.fmt(out),
            Self::Quantity(quantity) if quantity.calendar => write!(out, "{} {}", quantity.value, quantity.unit),
            Self::Quantity(quantity) => write!(out, "{} '{}'", quantity.value, quantity.unit),
            Self::Type(name) => write!(out, "{}.{}", name.namespace, name.name),
        }
    }
}

/// Reads a decimal as JSON or a path writes it, exponent allowed.
///
/// FHIR decimals have at most 18 digits; what has over 28 is rounded.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    text.parse().ok()
}
