//! The modifiers of search parameters: `:exact`, `:missing`, `:Patient`.
//!
//! Source: FHIR R4 search.html#modifiers

/// A modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier<'a> {
    /// None given.
    None,
    /// `:missing`
    Missing,
    /// `:exact`
    Exact,
    /// `:contains`
    Contains,
    /// `:not`
    Not,
    /// `:text`
    Text,
    /// `:identifier`
    Identifier,
    /// `:above`
    Above,
    /// `:below`
    Below,
    /// `:in`
    In,
    /// `:not-in`
    NotIn,
    /// `:of-type`
    OfType,
    /// `:Patient`
    Type(&'a str),
    /// One that FHIR knows and nothing here does yet.
    Other(&'a str),
}

impl<'a> Modifier<'a> {
    /// The modifier called `name`; `is_type` tells resource types. `None` if
    /// there is none of that name.
    pub fn named(name: &'a str, is_type: impl Fn(&str) -> bool) -> Option<Self> {
        Some(match name {
            "missing" => Self::Missing,
            "exact" => Self::Exact,
            "contains" => Self::Contains,
            "not" => Self::Not,
            "text" => Self::Text,
            "identifier" => Self::Identifier,
            "above" => Self::Above,
            "below" => Self::Below,
            "in" => Self::In,
            "not-in" => Self::NotIn,
            "of-type" => Self::OfType,
            "iterate" | "recurse" => Self::Other(name),
            name if is_type(name) => Self::Type(name),
            _ => return None,
        })
    }

    /// Its name; `type` for any resource type.
    pub fn name(self) -> &'a str {
        match self {
            Self::None => "",
            Self::Missing => "missing",
            Self::Exact => "exact",
            Self::Contains => "contains",
            Self::Not => "not",
            Self::Text => "text",
            Self::Identifier => "identifier",
            Self::Above => "above",
            Self::Below => "below",
            Self::In => "in",
            Self::NotIn => "not-in",
            Self::OfType => "of-type",
            Self::Type(_) => "type",
            Self::Other(name) => name,
        }
    }
}
