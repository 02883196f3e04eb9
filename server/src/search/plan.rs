//! A search as data: what the store turns into one statement.
//!
//! A [`Plan`] is a conjunction of [`Filter`]s; each tests the resource's own
//! columns or asks whether an index row exists that fulfils one of its
//! [`Match`]es. Nothing here is SQL, and every text is a value to be bound,
//! never to be spliced. The types are closed: a new way to search is a new
//! variant, and the compiler shows what must answer it.
//!
//! How a filter reads in SQL, `r` being the resource row:
//!
//! | filter | condition |
//! |---|---|
//! | `Id` | `[NOT] r.fhir_id IN (…)` |
//! | `Updated` | `r.updated >= start AND r.updated < end`, OR over the ranges |
//! | `Indexed` | `[NOT] EXISTS (SELECT 1 FROM table WHERE param = ? AND rid = r.rid AND (match OR match …))` |
//! | `Missing` | `[NOT] EXISTS` a row of the index in any of its tables, of a composite one of each part with the same rid and grp |
//! | `Chain` | `EXISTS` a reference row of `param` that leads in one of its ways to a row of type `target`, visible, for which all of `filters` hold |
//! | `Has` | `EXISTS` a visible row of type `source` whose reference `param` leads in one of its ways to `r`, and for which all of `filters` hold |
//! | `Related` | `EXISTS` a reference row of `param` to `id`, or to what visible rows of its type lead to from there |
//! | `Compartment` | `EXISTS` a row of the Patient's compartment, or a reference row of one of `params`; or `r` is its resource |
//! | `Together` | `EXISTS` rows in all parts' indexes with the same rid and grp, each fulfilling one of its matches |
//! | `Unequal` | `EXISTS` a row of `param` that fulfils none of the matches |
//! | `Near` | `EXISTS` a latitude and a longitude with the same rid and grp, no further away |
//! | `Words` | its words contain what is sought; its narrative's only if the caller would get that |
//! | `Told` | no row of what it refers to is hidden from the caller |
//! | `Any`, `All`, `Not` | `OR`, `AND`, `NOT` |

use std::ops::Range;

use super::address::Ways;
use super::contained::Contained;
use super::row::{ParamKey, Table};
use super::shape::Shape;

/// One search of one resource type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The type that is searched.
    pub resource_type: Box<str>,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// Of what the filters find, the newest of each of these Patients and each clinical
    /// code.
    pub newest_of: Option<Vec<Box<str>>>,
    /// Outermost key first; the row id, ascending, comes after the last.
    pub sort: Vec<SortKey>,
    /// Rows a page; `None` where the query leaves it to the server. At most
    /// [`MAX_COUNT`]; 0 means the count alone.
    pub count: Option<u32>,
    /// What else to put into the answer.
    pub includes: Vec<Include>,
    /// What `Bundle.total` should say.
    pub total: Total,
    /// How much of each resource to answer.
    pub shape: Shape,
    /// Whether it asks for records or for what they contain. The store is given no
    /// plan that asks for both.
    pub contained: Contained,
    /// The parameters as understood, normalised, for the `self` link.
    pub used: Vec<(Box<str>, Box<str>)>,
    /// What was left out under `handling=lenient`, each with its reason.
    pub ignored: Vec<super::error::SearchError>,
}

/// The most rows a page may have; a larger `_count` is clamped to it.
pub const MAX_COUNT: u32 = 1000;

/// One condition on a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Its id is one of these (or, negated, none of them).
    Id {
        /// The ids.
        any: Vec<Box<str>>,
        /// `:not`
        negated: bool,
    },
    /// Its last change lies in one of these half-open spans of microseconds.
    Updated {
        /// The spans; [`i64::MIN`] and [`i64::MAX`] are open ends.
        any: Vec<Range<i64>>,
    },
    /// It has an index row that fulfils one of these (or, negated, has none).
    Indexed {
        /// The index.
        param: ParamKey,
        /// Alternatives. They may concern different tables.
        any: Vec<Match>,
        /// `:not`
        negated: bool,
    },
    /// It has no row in this index (or, not `missing`, has one).
    Missing {
        /// The index, and where its rows may be; of a composite that of each part, whose
        /// rows have one and the same `grp`.
        parts: Vec<(ParamKey, &'static [Table])>,
        /// `true`: no row; `false`: some row.
        missing: bool,
    },
    /// What it refers to fulfils these (`subject:Patient.name=…`).
    Chain {
        /// The reference index.
        param: ParamKey,
        /// The number of the type referred to.
        target: u16,
        /// How the index leads there.
        by: Ways,
        /// All must hold of one target.
        filters: Vec<Filter>,
    },
    /// Something that refers to it fulfils these (`_has:Observation:patient:code=…`).
    Has {
        /// The number of the type that refers.
        source: u16,
        /// That type's reference index.
        param: ParamKey,
        /// How the index leads here.
        by: Ways,
        /// All must hold of one source.
        filters: Vec<Filter>,
    },
    /// It refers to a record, or to one above or below that in the hierarchy of its type.
    Related {
        /// The reference index.
        param: ParamKey,
        /// The number of the record's type.
        kind: u16,
        /// The record's id.
        id: Box<str>,
        /// That type's reference index by which a record names what it is a part of.
        by: ParamKey,
        /// `:above`; else `:below`
        up: bool,
    },
    /// It is in a compartment, exactly by CompartmentDefinition.
    Compartment {
        /// The number of the searched type.
        of: u16,
        /// The number of the compartment's type.
        kind: u16,
        /// The id of the resource whose compartment it is.
        id: Box<str>,
        /// The searched type's reference indexes that put it there. A Patient's
        /// compartment has a table of its own.
        params: Vec<ParamKey>,
    },
    /// It has, in each of these indexes, a row with one and the same `grp`.
    Together {
        /// Alternatives; each is the parts of one composite value.
        any: Vec<Together>,
    },
    /// It has a row in this index that fulfils none of these (`ne` of `_filter`).
    Unequal {
        /// The index.
        param: ParamKey,
        /// What is not equal to it.
        any: Vec<Match>,
    },
    /// It has a position near one of these.
    Near {
        /// The index of latitudes, and that of longitudes.
        params: [ParamKey; 2],
        /// Alternatives.
        any: Vec<Circle>,
    },
    /// Its words are such ([`super::words`]).
    Words {
        /// All that it says; else its narrative alone.
        everything: bool,
        /// What must stand there.
        sought: Sought,
    },
    /// The caller would get what its references say beside where they lead.
    Told,
    /// One of these holds; nothing fulfils an empty one.
    Any(Vec<Filter>),
    /// All of these hold.
    All(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
}

/// What is sought in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// A text contains this, in the form in which words are kept.
    Part(Box<str>),
    /// All of these are there.
    All(Vec<Sought>),
    /// One of these is.
    Any(Vec<Sought>),
    /// This is not.
    Not(Box<Sought>),
}

impl Sought {
    /// Whether it holds of what says nothing at all.
    pub fn holds_of_nothing(&self) -> bool {
        match self {
            Self::Part(_) => false,
            Self::All(parts) => parts.iter().all(Self::holds_of_nothing),
            Self::Any(parts) => parts.iter().any(Self::holds_of_nothing),
            Self::Not(part) => !part.holds_of_nothing(),
        }
    }
}

/// The parts of one composite value: each an index and alternatives in it.
pub type Together = Vec<(ParamKey, Vec<Match>)>;

/// A place and how far around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The radius, in degrees of a great circle.
    pub degrees: f64,
}

/// One condition on one index row.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// `token.code` is one of the dictionary's pairs that fit.
    Token(CodePattern),
    /// `ident.value` and `ident.system`.
    Identifier(CodePattern),
    /// `string.folded` starts with this: compare as a range, `>= text` and `<`
    /// its successor.
    Prefix(Box<str>),
    /// `token.code` is one of these codes of one system: what a hierarchy or a
    /// value set comes to.
    Codes {
        /// The system, `""` for none.
        system: Box<str>,
        /// The codes.
        codes: Vec<Box<str>>,
    },
    /// `string.folded` contains this.
    Contains(Box<str>),
    /// `string.folded` ends with this.
    Ends(Box<str>),
    /// `string.folded` is this.
    Whole(Box<str>),
    /// `string.original` is `original`; its `folded` is then `folded`, which the
    /// index is keyed by.
    Exact {
        /// The key.
        folded: Box<str>,
        /// The text.
        original: Box<str>,
    },
    /// `date.low`, `date.high`.
    Date(Bounds<i64>),
    /// `number.low`, `number.high`.
    Number(Bounds<f64>),
    /// `quantity.unit`, `low`, `high` as given.
    Quantity {
        /// The unit; both sides `Any` if the query names none.
        unit: CodePattern,
        /// On `low` and `high`.
        bounds: Bounds<f64>,
    },
    /// `quantity.canonical_unit`, `canonical_low`, `canonical_high`.
    Canonical {
        /// The canonical unit, always both sides `Is`.
        unit: CodePattern,
        /// On `canonical_low` and `canonical_high`.
        bounds: Bounds<f64>,
    },
    /// `uri.value` is this.
    Uri(Box<str>),
    /// `uri.value` has this in it.
    UriPart(Place, Box<str>),
    /// `reference.kind` and `reference.id`.
    Reference {
        /// Type numbers, one of which it must be; empty means any.
        kinds: Vec<u16>,
        /// The id or URL.
        id: Box<str>,
    },
    /// `reference.id` is this canonical URL with a version, or one below that.
    Version(Box<str>),
}

impl Match {
    /// The table this looks at.
    pub fn table(&self) -> Table {
        match self {
            Self::Token(_) | Self::Codes { .. } => Table::Token,
            Self::Identifier(_) => Table::Identifier,
            Self::Prefix(_) | Self::Contains(_) | Self::Ends(_) | Self::Whole(_) | Self::Exact { .. } => Table::String,
            Self::Date(_) => Table::Date,
            Self::Number(_) => Table::Number,
            Self::Quantity { .. } | Self::Canonical { .. } => Table::Quantity,
            Self::Uri(_) | Self::UriPart(..) => Table::Uri,
            Self::Reference { .. } | Self::Version(_) => Table::Reference,
        }
    }
}

/// Where a part of a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its start.
    Start,
    /// Anywhere.
    Within,
    /// At its end.
    End,
}

/// A (system, code) pair with blanks. `system: Is("")` is "without a system".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePattern {
    /// The system.
    pub system: Pattern,
    /// The code, value or unit.
    pub code: Pattern,
}

/// A text or any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Any.
    Any,
    /// Exactly this.
    Is(Box<str>),
}

/// A condition on a row's `low` and `high`: one of `any`, each a conjunction.
///
/// At most two alternatives of at most three bounds. Bounds that follow from
/// others are there so that an index keyed by `low` can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds<T> {
    /// Alternatives.
    pub any: Vec<Vec<Bound<T>>>,
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound<T> {
    /// The column on the left.
    pub end: End,
    /// The operator.
    pub operator: Operator,
    /// The value on the right.
    pub value: T,
}

/// Which end of a row's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `low`
    Low,
    /// `high`
    High,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// One key to sort by. Rows without a value come last, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// What is compared.
    pub by: SortBy,
    /// Largest first.
    pub descending: bool,
}

/// What a sort key compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// `_id`
    Id,
    /// `_lastUpdated`
    Updated,
    /// The least value of the column among the row's index rows (ascending) or
    /// the greatest (descending).
    Indexed {
        /// The index.
        param: ParamKey,
        /// The column.
        column: SortColumn,
    },
}

/// The column a sort compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortColumn {
    /// `string.folded`
    Folded,
    /// `date.low` ascending, `date.high` descending
    Date,
    /// `number.low` ascending, `number.high` descending
    Number,
    /// `quantity.canonical_low` ascending, `quantity.canonical_high` descending
    Quantity,
    /// The text of `token.code`, code before system
    Code,
    /// `ident.value`
    Value,
    /// `uri.value`
    Uri,
    /// `reference.id`
    Reference,
}

/// `_include` and `_revinclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// `_revinclude`: rows that refer to the results; else rows they refer to.
    pub reverse: bool,
    /// The type that holds the reference.
    pub source: Box<str>,
    /// The reference indexes of `source`: one, or all that come into question for `*`.
    pub params: Vec<ParamKey>,
    /// Which of these name what type by canonical URLs: the index, and the type's number.
    pub named: Vec<(ParamKey, u16)>,
    /// Only targets of this type, by number; any if `None`.
    pub target: Option<u16>,
    /// `:iterate`: also from included resources.
    pub iterate: bool,
}

/// `_total`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    /// Not said: exact up to the server's limit, left out above.
    #[default]
    Unsaid,
    /// `none`
    None,
    /// `estimate`
    Estimate,
    /// `accurate`, also by `_summary=count`
    Accurate,
}
