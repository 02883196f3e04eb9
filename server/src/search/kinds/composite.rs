//! Composites: several values that belong together, as the code and the value of
//! one component.
//!
//! A composite has no elements of its own: each part is extracted by its own
//! kind, under a key of its own, and the rows of one element share a `grp` (see
//! [`super::super::index`]).
//!
//! Source: FHIR R4 search.html#composite

use super::{Cells, Element, Kind, Question};
use crate::search::catalog::Part;
use crate::search::escape::split;
use crate::search::plan::{Match, Together};
use crate::search::reason::Reason;
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

/// A composite's value is several: [`together`] reads it.
fn parse(_: &Question<'_>) -> Result<Vec<Match>, Reason> {
    Err(Reason::CompositeInside)
}

/// What finds one value of a part.
pub type Ask<'a> = dyn Fn(&Part, &str) -> Result<Vec<Match>, Reason> + 'a;

/// One value of a composite, `code$value`: each part as its own kind reads it.
pub fn together(parts: &[Part], value: &str, ask: &Ask<'_>) -> Result<Together, Reason> {
    let values = split(value, '$');
    if values.len() != parts.len() {
        let form = parts.iter().map(|part| part.kind.name).collect::<Vec<_>>().join("$");
        return Err(Reason::Parts { form: form.into() });
    }
    parts.iter().zip(values).map(|(part, value)| Ok((part.key.clone(), ask(part, value)?))).collect()
}
