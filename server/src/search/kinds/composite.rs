//! Composites: several values that belong together, as the code and the value of
//! one component.
//!
//! A composite has no elements of its own: each part is extracted by its own
//! kind, under a key of its own, and the rows of one element share a `grp` (see
//! [`super::super::index`]).
//!
//! Source: FHIR R4 search.html#composite

use super::{Cells, Element, Kind, Question};
use crate::search::error::Reason;
use crate::search::plan::Match;
use crate::search::row::Table;

/// Composites.
pub const KIND: Kind = Kind {
    name: "composite",
    tables: &[
        Table::Token,
        Table::Identifier,
        Table::String,
        Table::Date,
        Table::Number,
        Table::Quantity,
        Table::Reference,
        Table::Uri,
    ],
    modifiers: &[],
    undone: &[],
    extract,
    parse,
    sort: None,
};

/// Nothing: the parts are extracted one by one.
fn extract(_: &Element<'_>, _: &mut Cells<'_>) {}

/// Values are indexed, questions not yet answered.
fn parse(_: &Question<'_>) -> Result<Vec<Match>, Reason> {
    Err(Reason::NotDone("a composite search parameter".into()))
}
