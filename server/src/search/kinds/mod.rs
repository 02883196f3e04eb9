//! The kinds of search parameter: what a value is, in a resource and in a query.
//!
//! Each kind is one file that owns both sides of the comparison: `extract` turns
//! an element into index cells, `parse` turns a query's value into the
//! [`Match`]es that find such cells. Neither knows of SQL or of FHIRPath.
//!
//! To add a kind: its file with a `KIND`, a line in [`KINDS`], and a migration if
//! it needs a table of its own.
//!
//! Source: FHIR R4 search.html#ptypes

pub mod composite;
pub mod date;
pub mod number;
pub mod quantity;
pub mod reference;
pub mod special;
pub mod string;
pub mod token;
pub mod uri;

use std::sync::Arc;

use jiff::tz::TimeZone;
use techo_profiles::Definitions;
use techo_profiles::json::Json;

use super::bounds::Prefix;
use super::catalog::Catalog;
use super::modifier::Modifier;
use super::plan::{Match, SortColumn};
use super::reason::Reason;
use super::row::{Cell, Table};
use super::terms::Terms;

/// One kind of search parameter.
#[derive(Debug)]
pub struct Kind {
    /// FHIR's name of it.
    pub name: &'static str,
    /// Where its rows may be.
    pub tables: &'static [Table],
    /// The modifiers FHIR allows that are done, `:missing` aside.
    pub modifiers: &'static [&'static str],
    /// The modifiers FHIR allows that are not done.
    pub undone: &'static [&'static str],
    /// Adds the cells of one element. An element of a type that this kind does
    /// not search adds none.
    pub extract: fn(&Element<'_>, &mut Cells<'_>),
    /// The conditions for one value, any of which finds it.
    pub parse: fn(&Question<'_>) -> Result<Vec<Match>, Reason>,
    /// What sorting compares; `None` where there is no order.
    pub sort: Option<SortColumn>,
}

/// All kinds.
pub const KINDS: &[&Kind] = &[
    &number::KIND,
    &date::KIND,
    &string::KIND,
    &token::KIND,
    &reference::KIND,
    &composite::KIND,
    &quantity::KIND,
    &uri::KIND,
    &special::KIND,
];

impl Kind {
    /// The kind that FHIR calls `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }

    /// Where the rows of a composite's part may be: displays are for `:text` alone, which
    /// composites do not have.
    pub fn without_displays(&self) -> &'static [Table] {
        match self.tables {
            [rest @ .., Table::String] if !rest.is_empty() => rest,
            all => all,
        }
    }
}

/// An element of a resource, or a computed value.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// Its FHIR type: `Quantity`, `code`; for an inline resource its type.
    pub type_name: &'a str,
    /// Its JSON.
    pub json: &'a Json,
}

/// What turning values into cells and questions depends on beside the values.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// Where the server is.
    pub local: &'a Local,
    /// The number of a resource type.
    pub type_number: &'a dyn Fn(&str) -> Option<u16>,
}

/// Where the server is, and what it is told to index beside R4's own: what its
/// data means depends on it, so a change of any calls for a reindex.
#[derive(Clone, Debug)]
pub struct Local {
    base: Box<str>,
    zone: TimeZone,
    catalog: Option<Arc<Catalog>>,
    generation: i64,
}

impl Local {
    /// * `base`: the server's own FHIR base; references to it are stored like
    ///   relative ones.
    /// * `zone`: where a date without an offset begins and ends.
    pub fn new(base: &str, zone: &TimeZone) -> Self {
        Self { base: base.trim_end_matches('/').into(), zone: zone.clone(), catalog: None, generation: 0 }
    }

    /// With the parameters of this installation.
    ///
    /// * `generation`: as of which of their generations rows are made.
    #[must_use]
    pub fn with(self, catalog: Arc<Catalog>, generation: i64) -> Self {
        Self { catalog: Some(catalog), generation, ..self }
    }

    /// The parameters that are known here.
    pub fn catalog(&self, definitions: &'static Definitions) -> &Catalog {
        self.catalog.as_deref().unwrap_or_else(|| Catalog::of(definitions))
    }

    /// As of which generation of own parameters rows are made.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The FHIR base, without a closing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The zone of dates that name none.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// Where a kind puts what it extracts.
pub struct Cells<'a> {
    /// What the values depend on.
    pub setting: Setting<'a>,
    /// The cells so far.
    pub cells: Vec<Cell>,
}

/// One value of a query.
pub struct Question<'a> {
    /// The value, prefix and escapes included; one of the alternatives between
    /// commas.
    pub value: &'a str,
    /// The modifier, one of those that the kind says it does.
    pub modifier: Modifier<'a>,
    /// What the values depend on.
    pub setting: Setting<'a>,
    /// The present, in microseconds: `ap` on dates is relative to it.
    pub now: i64,
    /// The types that the parameter's elements may have, if that is known.
    pub types: Option<&'a [Box<str>]>,
    /// The numbers of the types its references may point at; empty means any.
    pub targets: &'a [u16],
    /// Whether this is the system of the parameter's elements that carry none.
    pub implies: &'a dyn Fn(&str) -> bool,
    /// Hierarchies and value sets.
    pub terms: &'a dyn Terms,
}

impl Cells<'_> {
    /// Adds a cell.
    pub fn push(&mut self, cell: Cell) {
        self.cells.push(cell);
    }
}

impl Question<'_> {
    /// Whether an element of the parameter may be of this type.
    pub fn may_be(&self, type_name: &str) -> bool {
        self.types.is_none_or(|types| types.iter().any(|name| &**name == type_name))
    }

    /// The prefix and the rest.
    pub fn prefixed(&self) -> (Prefix, &str) {
        Prefix::of(self.value)
    }
}

/// The value of an extension with its type: `valueString` is a `string`.
pub(super) fn extension_value(extension: &Json) -> Option<(String, &Json)> {
    extension.members().iter().find_map(|member| {
        let name = member.name.strip_prefix("value")?;
        // Of the datatypes only the primitives are written small.
        let name = if member.value.is_object() { name.to_owned() } else { small(name) };
        Some((name, &member.value))
    })
}

/// `DateTime` → `dateTime`.
pub(super) fn small(name: &str) -> String {
    let mut signs = name.chars();
    signs.next().into_iter().flat_map(char::to_lowercase).chain(signs).collect()
}

#[cfg(test)]
pub(super) mod testing {
    use super::super::terms::NoTerms;
    use super::*;
    use std::sync::LazyLock;

    /// Base `https://here.example/fhir`, +09:00.
    static LOCAL: LazyLock<Local> =
        LazyLock::new(|| Local::new("https://here.example/fhir/", &TimeZone::fixed(jiff::tz::offset(9))));

    /// Patient is 1, Observation 2, Group 3.
    pub(in crate::search) fn setting() -> Setting<'static> {
        Setting {
            local: &LOCAL,
            type_number: &|name| match name {
                "Patient" => Some(1),
                "Observation" => Some(2),
                "Group" => Some(3),
                _ => None,
            },
        }
    }

    /// The cells of one element.
    pub(in crate::search) fn cells(kind: &Kind, type_name: &str, json: &Json) -> Vec<Cell> {
        let mut cells = Cells { setting: setting(), cells: Vec::new() };
        (kind.extract)(&Element { type_name, json }, &mut cells);
        cells.cells
    }

    /// The matches for one value.
    pub(in crate::search) fn ask(kind: &Kind, modifier: Modifier<'_>, value: &str) -> Result<Vec<Match>, Reason> {
        let question = Question {
            value,
            modifier,
            setting: setting(),
            now: 0,
            types: None,
            targets: &[],
            implies: &|_| false,
            terms: &NoTerms,
        };
        (kind.parse)(&question)
    }

    #[test]
    fn the_table_has_each_kind_once() {
        let names = ["number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"];
        for name in names {
            assert_eq!(KINDS.iter().filter(|kind| kind.name == name).count(), 1, "{name}");
        }
        assert_eq!(KINDS.len(), names.len());
    }
}
