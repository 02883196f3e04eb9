//! Conditions on one stored row, as data.
//!
//! A consent decision and a scope filter both end as a [`Predicate`]. The store
//! turns it into SQL (`store/visible.rs`); tests evaluate it directly. Atoms are
//! two-valued: what FHIR leaves unknown (an undated record, say) is settled in
//! the choice of atom, so `Not`, `All` and `Any` are plain logic.

use super::stance::StanceKey;
use super::view::CustodianKey;

/// A condition that a stored resource fulfils or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// Every row.
    Always,
    /// No row.
    Never,
    /// All of these; every row if empty.
    All(Vec<Predicate>),
    /// One of these; no row if empty.
    Any(Vec<Predicate>),
    /// The rows that the inner one leaves out.
    Not(Box<Predicate>),
    /// The resource type is this (`Observation`).
    Type(Box<str>),
    /// The notebook's kind, 1–9 (`consent.md` §13).
    Kind(u8),
    /// A coding in the resource's clinical code element; any system if `None`.
    Code {
        /// System URI.
        system: Option<Box<str>>,
        /// Code.
        code: Box<str>,
    },
    /// A coding in `category`; any system if `None`.
    Category {
        /// System URI.
        system: Option<Box<str>>,
        /// Code.
        code: Box<str>,
    },
    /// The clinical time is known and lies wholly inside `from..until`
    /// (microseconds since 1970, end exclusive). For permits.
    Within {
        /// First instant.
        from: i64,
        /// The instant after the last.
        until: i64,
    },
    /// The clinical time overlaps `from..until`, or is unknown. For denials.
    Touches {
        /// First instant.
        from: i64,
        /// The instant after the last.
        until: i64,
    },
    /// The row is in this custodian's keeping.
    Keeper(CustodianKey),
    /// The row was written by a professional in a session (custody *authored*,
    /// not *published* or *returned*; `consent.md` §2).
    Authored,
    /// A Consent of one of these stances stands for the citizen whom the row is about
    /// at the instant of the [`View`](super::View): within its period, its giver still
    /// holding authority; and the row fulfils what is asked beside that Consent.
    Stands(Vec<StanceKey>, Box<Predicate>),
    /// Inside [`Predicate::Stands`]: [`Predicate::Within`] the days of which the root of
    /// that Consent speaks.
    WithinIts,
    /// Inside [`Predicate::Stands`]: [`Predicate::Touches`] these days.
    TouchesIts,
    /// Every record that the row lists ([`super::listed`]) is there and fulfils the inner
    /// condition.
    Lists(Box<Predicate>),
    /// What the row lists was kept with it, if that is anything or if its type is one of
    /// [`super::listed::HOLDERS`].
    ListKept,
    /// Inside [`Predicate::Lists`]: the listed record is about one citizen, the
    /// same one as the row that lists it.
    Same,
}

impl Predicate {
    /// What is left of the condition for rows of the type `kind`: no atom
    /// [`Predicate::Type`] remains.
    #[must_use]
    pub fn for_type(&self, kind: &str) -> Self {
        match self {
            Self::Type(own) if **own == *kind => Self::Always,
            Self::Type(_) => Self::Never,
            Self::All(parts) => Self::all(parts.iter().map(|part| part.for_type(kind))),
            Self::Any(parts) => Self::any(parts.iter().map(|part| part.for_type(kind))),
            Self::Not(part) => Self::not(part.for_type(kind)),
            Self::Stands(stances, part) => Self::stands(stances.clone(), part.for_type(kind)),
            atom => atom.clone(),
        }
    }

    /// Whether the clinical time of a row matters to it.
    pub fn is_dated(&self) -> bool {
        match self {
            Self::Within { .. } | Self::Touches { .. } | Self::WithinIts | Self::TouchesIts => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_dated),
            Self::Not(part) | Self::Lists(part) | Self::Stands(_, part) => part.is_dated(),
            _ => false,
        }
    }

    /// Whether it asks for the days of a Consent that stands.
    fn is_about_its_days(&self) -> bool {
        match self {
            Self::WithinIts | Self::TouchesIts => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_about_its_days),
            Self::Not(part) => part.is_about_its_days(),
            // Those inside are of another Consent.
            _ => false,
        }
    }

    /// How many atoms it is made of: what it costs to ask.
    pub fn size(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
            Self::Not(part) | Self::Lists(part) | Self::Stands(_, part) => part.size(),
            _ => 1,
        }
    }

    /// A Consent of one of these stances stands, and beside it `part` holds. Only what
    /// depends on the Consent is asked beside it.
    pub fn stands(stances: Vec<StanceKey>, part: Predicate) -> Self {
        match part {
            Self::Never => Self::Never,
            part if part.is_about_its_days() => Self::Stands(stances, Box::new(part)),
            part => Self::all([Self::Stands(stances, Box::new(Self::Always)), part]),
        }
    }

    /// All of `parts`, simplified.
    pub fn all(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::Always,
            1 => kept.remove(0),
            _ => Self::All(kept),
        }
    }

    /// One of `parts`, simplified.
    pub fn any(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Always => return Self::Always,
                Self::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::Never,
            1 => kept.remove(0),
            _ => Self::Any(kept),
        }
    }

    /// The opposite of `part`, simplified.
    #[expect(clippy::should_implement_trait, reason = "a constructor beside `all` and `any`")]
    pub fn not(part: Predicate) -> Self {
        match part {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}
