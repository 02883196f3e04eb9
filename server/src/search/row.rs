//! What indexing one resource yields, before anything is interned.
//!
//! A [`Row`] goes to the table its [`Cell`] names; the store turns parameter
//! keys, systems and codes into numbers and adds the resource's row id. Rows of
//! one resource are a set: the store may write them in any order, and removes
//! them by extracting again from the old body.
//!
//! To add a table: a variant of [`Cell`] and of [`Table`], a migration, and its
//! arm in the store.

use std::sync::Arc;

use super::words::Words;

/// The name of one index: `Observation.code`. Rows of different resource types
/// never share one, so a search reads only rows of its own type.
///
/// The parts of a composite are `Observation.code-value-quantity$0` and `…$1`;
/// identifiers by their type are `Patient.identifier:of-type` (system = that of
/// the type, value = `code|value`).
pub type ParamKey = Arc<str>;

/// One row of one index table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which index it belongs to.
    pub param: ParamKey,
    /// 0; in the parts of a composite, 1 + the ordinal of the element that the
    /// parts were found in, so that they are joined on (rid, grp). In the rows of what
    /// is contained its place is added ([`super::contained`]).
    pub grp: u32,
    /// The table and its columns.
    pub cell: Cell,
}

/// The columns of one row, by table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A code, with its system or `""`.
    Token {
        /// System URI; `""` for none.
        system: Box<str>,
        /// The code, as written.
        code: Box<str>,
    },
    /// An identifier.
    Identifier {
        /// System URI; `""` for none.
        system: Box<str>,
        /// The value, as written.
        value: Box<str>,
    },
    /// A text, folded for comparing and as written.
    String {
        /// Folded: one form for width, case, kana, accents and white space; at
        /// most 120 characters.
        folded: Box<str>,
        /// The text as it was written, whole.
        original: Box<str>,
    },
    /// A span of time in microseconds since 1970, end exclusive.
    Date {
        /// First instant; [`i64::MIN`] if open.
        low: i64,
        /// The instant after the last; [`i64::MAX`] if open.
        high: i64,
    },
    /// A number with the range its precision leaves open.
    Number {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A quantity, as given and in the canonical unit.
    Quantity(Box<QuantityCell>),
    /// A URI, as written.
    Uri(Box<str>),
    /// A reference.
    Reference {
        /// The number of the target's resource type; 0 if `id` is an absolute
        /// URL of another server, a canonical URL, a urn, or a fragment.
        kind: u16,
        /// The target's id, or that URL.
        id: Box<str>,
    },
}

/// The columns of a quantity row.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantityCell {
    /// The unit as given: (system, code), or (`""`, unit text), or both `""`.
    pub unit: Unit,
    /// The value.
    pub value: f64,
    /// Lower end of the range its precision or comparator leaves open.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The canonical unit; equal to `unit` where that cannot be converted.
    pub canonical_unit: Unit,
    /// `low` in the canonical unit.
    pub canonical_low: f64,
    /// `high` in the canonical unit.
    pub canonical_high: f64,
}

/// A unit of measure; interned as a (system, code) pair like a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// System URI; `""` if `code` is a unit's text.
    pub system: Box<str>,
    /// The code or text; `""` for no unit.
    pub code: Box<str>,
}

/// The index tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// `token(param, code, rid, grp)`
    Token,
    /// `ident(param, value, system, rid, grp)`
    Identifier,
    /// `string(param, folded, rid, grp, original)`
    String,
    /// `date(param, low, high, rid, grp)`
    Date,
    /// `number(param, low, high, rid, grp)`
    Number,
    /// `quantity(param, unit, value, low, high, rid, grp, canonical_unit, canonical_low, canonical_high)`
    Quantity,
    /// `uri(param, value, rid, grp)`
    Uri,
    /// `reference(param, kind, id, rid, grp)`
    Reference,
}

impl Cell {
    /// The table this row goes to.
    pub fn table(&self) -> Table {
        match self {
            Self::Token { .. } => Table::Token,
            Self::Identifier { .. } => Table::Identifier,
            Self::String { .. } => Table::String,
            Self::Date { .. } => Table::Date,
            Self::Number { .. } => Table::Number,
            Self::Quantity(_) => Table::Quantity,
            Self::Uri(_) => Table::Uri,
            Self::Reference { .. } => Table::Reference,
        }
    }
}

/// Everything the store keeps about one resource beside its body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extracted {
    /// The index rows, each once.
    pub rows: Vec<Row>,
    /// What Consent and the clinical index look at.
    pub clinical: Clinical,
    /// What it says in words.
    pub words: Words,
    /// What it contains.
    pub contained: Vec<Held>,
    /// Types and ids of what it lists, or is nothing without.
    pub listed: Vec<(Box<str>, Box<str>)>,
}

/// A resource that another contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where the `grp`s of its rows begin.
    pub place: u32,
    /// The number of its type.
    pub kind: u16,
    /// Its id within the other.
    pub id: Box<str>,
}

/// The clinical facts of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clinical {
    /// Codings of the element that says what the resource is about
    /// (`Observation.code`, `Immunization.vaccineCode`, …).
    pub codes: Vec<Coding>,
    /// Codings of `category`.
    pub categories: Vec<Coding>,
    /// When it happened; `None` where the resource does not say.
    pub time: Option<Span>,
    /// Ids of the Patients whose compartment it is in, sorted, each once; but for her own.
    pub compartment: Vec<Box<str>>,
    /// Ids of the Patients named in a subject role (`subject`, `patient`, `for`,
    /// `beneficiary`, `individual`; a Patient itself), sorted, each once.
    pub subjects: Vec<Box<str>>,
}

/// A system and a code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coding {
    /// System URI; `""` for none.
    pub system: Box<str>,
    /// Code.
    pub code: Box<str>,
}

/// A span of time in microseconds since 1970, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant; [`i64::MIN`] if open.
    pub low: i64,
    /// The instant after the last; [`i64::MAX`] if open.
    pub high: i64,
}
