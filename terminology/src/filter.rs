//! The filters of a value set's part: conditions on the codes of one system.
//!
//! | operator | on | holds of a code |
//! |---|---|---|
//! | `=` `in` `not-in` `regex` | any property | one of its values is that, is listed, is not listed, matches as a whole |
//! | `exists` | any property | it has a value (`true`), or none (`false`) |
//! | `is-a` `descendent-of` `is-not-a` `generalizes` | `concept`, `code` | by the hierarchy, where that means "is a" |
//!
//! `concept` and `code` are the code itself, `display` its text, `parent` the codes it
//! is nested in; any other property must be declared by the CodeSystem. Of HL7's own
//! systems the pack has no further properties, so that a filter on one is undecided.
//!
//! Source: FHIR R4 valueset-filter-operator.html, valueset.html#compositions

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};
use techo_profiles::{codes::Membership, definitions::PartFilter};

use crate::{
    CodeSystem,
    value_set::{both, not, told},
};

/// A filter, read.
pub(crate) struct Test<'f> {
    property: &'f str,
    value: &'f str,
    operator: Operator<'f>,
}

enum Operator<'f> {
    Is,
    IsA,
    DescendentOf,
    IsNotA,
    Generalizes,
    In(HashSet<&'f str>),
    NotIn(HashSet<&'f str>),
    Exists(bool),
    Matches(Regex),
}

impl<'f> Test<'f> {
    /// Reads a filter; the element of it that makes no sense here if it cannot.
    pub(crate) fn read(filter: &'f PartFilter) -> Result<Self, &'static str> {
        let listed = || filter.value.split(',').map(str::trim).collect();
        let operator = match &*filter.op {
            "=" => Operator::Is,
            "is-a" => Operator::IsA,
            "descendent-of" => Operator::DescendentOf,
            "is-not-a" => Operator::IsNotA,
            "generalizes" => Operator::Generalizes,
            "in" => Operator::In(listed()),
            "not-in" => Operator::NotIn(listed()),
            "exists" => Operator::Exists(filter.value.parse().map_err(|_| "value")?),
            "regex" => Operator::Matches(whole(&filter.value).ok_or("value")?),
            _ => return Err("op"),
        };
        Ok(Self { property: &filter.property, value: &filter.value, operator })
    }

    /// The element of the filter that this system knows nothing of, if there is one.
    pub(crate) fn misfit(&self, system: &CodeSystem) -> Option<&'static str> {
        let by_hierarchy =
            matches!(self.operator, Operator::IsA | Operator::DescendentOf | Operator::IsNotA | Operator::Generalizes);
        match self.property {
            "concept" | "code" if by_hierarchy => {
                let means_it = system.facts().hierarchy.as_deref().is_none_or(|meaning| meaning == "is-a");
                if !means_it {
                    return Some("op");
                }
                system.concept(self.value).is_none().then_some("value")
            }
            _ if by_hierarchy => Some("op"),
            "concept" | "code" | "display" | "parent" => None,
            name => system.properties().is_none_or(|known| !known.has(name)).then_some("property"),
        }
    }

    /// Whether it holds of a code that the system has.
    pub(crate) fn holds(&self, system: &CodeSystem, code: &str) -> Membership {
        if self.misfit(system).is_some() {
            return Membership::Unknown;
        }
        let below = || system.subsumes(self.value, code).map_or(Membership::Unknown, told);
        let Some(values) = self.values(system, code) else { return Membership::Unknown };
        match &self.operator {
            Operator::IsA => below(),
            Operator::DescendentOf => both(below(), told(self.value != code)),
            Operator::IsNotA => not(below()),
            Operator::Generalizes => system.subsumes(code, self.value).map_or(Membership::Unknown, told),
            Operator::Is => told(values.contains(&self.value)),
            Operator::In(listed) => told(values.iter().any(|value| listed.contains(value))),
            Operator::NotIn(listed) => told(!values.iter().any(|value| listed.contains(value))),
            Operator::Exists(wanted) => told(values.is_empty() != *wanted),
            Operator::Matches(pattern) => told(values.iter().any(|value| pattern.is_match(value))),
        }
    }

    /// The values of the property; `None` of a code that is not here.
    fn values<'s>(&self, system: &'s CodeSystem, code: &'s str) -> Option<Vec<&'s str>>
    where
        'f: 's,
    {
        if matches!(self.property, "concept" | "code") {
            return Some(vec![code]);
        }
        let at = system.place(code)?;
        let concepts = &system.facts().concepts;
        Some(match self.property {
            "display" => concepts[at].display.as_deref().into_iter().collect(),
            "parent" => {
                let parents = concepts[at].parents.iter().filter_map(|&parent| concepts.get(parent as usize));
                parents.map(|parent| &*parent.code).collect()
            }
            name => {
                let mut found: Vec<&str> = system.properties()?.of(at, name).collect();
                // R4 gives these two a value where none is written.
                if found.is_empty() && matches!(name, "inactive" | "notSelectable") {
                    found.extend((!matches!(self.operator, Operator::Exists(_))).then_some("false"));
                }
                found
            }
        })
    }
}

/// The whole of a text must match. The engine is linear in the text, and is given
/// little room for the pattern.
fn whole(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build().ok()
}

/// Bytes that a compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 18;
