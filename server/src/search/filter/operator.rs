//! The operators of `_filter`, on each kind of search parameter.
//!
//! | operator | kinds | the resource has a value that |
//! |---|---|---|
//! | `eq` `ne` | all; `ne` not on composites and places | is, is not, equal |
//! | `co` `sw` `ew` | string, uri | contains, starts with, ends with it |
//! | `gt` `lt` `ge` `le` `sa` `eb` `ap` | number, date, quantity | as the prefix of that name |
//! | `po` | date | overlaps it |
//! | `pr` | all | is there (`true`), or it has none (`false`) |
//! | `ss` `sb` | token, uri | it subsumes, that subsumes it |
//! | `in` `ni` | token | is in the value set; `ni`: it has no such value |
//! | `re` | reference | refers to it |
//!
//! Values are compared as everywhere else in search: texts folded, codes exactly. But R4
//! would have no value of a filter be case sensitive: `TRUE` is `true`, and a code that R4
//! binds to a set of its own is asked for as the set writes it. The code systems that R4
//! predefines stand for their URLs: `loinc|8302-2`.

use std::borrow::Cow;

use crate::search::catalog::{Parameter, part_key};
use crate::search::escape::unescape;
use crate::search::kinds::string::wanted;
use crate::search::kinds::{date, special};
use crate::search::modifier::Modifier;
use crate::search::parse::{Reader, id, missing, told};
use crate::search::plan::{Filter, Match, Place};
use crate::search::reason::Reason;

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Contains,
    Starts,
    Ends,
    /// One that is a prefix of ordinary values, too.
    Prefix(&'static str),
    Present,
    Overlaps,
    Subsumes,
    SubsumedBy,
    In,
    NotIn,
    Refers,
}

impl Operator {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Equal,
            "ne" => Self::Unequal,
            "co" => Self::Contains,
            "sw" => Self::Starts,
            "ew" => Self::Ends,
            "gt" => Self::Prefix("gt"),
            "lt" => Self::Prefix("lt"),
            "ge" => Self::Prefix("ge"),
            "le" => Self::Prefix("le"),
            "ap" => Self::Prefix("ap"),
            "sa" => Self::Prefix("sa"),
            "eb" => Self::Prefix("eb"),
            "pr" => Self::Present,
            "po" => Self::Overlaps,
            "ss" => Self::Subsumes,
            "sb" => Self::SubsumedBy,
            "in" => Self::In,
            "ni" => Self::NotIn,
            "re" => Self::Refers,
            _ => return None,
        })
    }

    /// The prefix by which dates, numbers and quantities are compared.
    fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Equal => Some("eq"),
            Self::Unequal => Some("ne"),
            Self::Prefix(name) => Some(name),
            _ => None,
        }
    }
}

/// The condition of one test.
pub(super) fn filter(reader: &Reader<'_>, name: &str, operator: Operator, value: &str) -> Result<Filter, Reason> {
    match (name, operator) {
        ("_id", Operator::Equal) => return id(Modifier::None, value),
        ("_id", Operator::Unequal) => return id(Modifier::Not, value),
        ("_id", Operator::Present) => return id(Modifier::Missing, absent(value)?),
        ("_lastUpdated", Operator::Present) => return reader.updated(Modifier::Missing, absent(value)?),
        ("_lastUpdated", operator) => {
            let prefix = operator.prefix().ok_or_else(|| unfit(name))?;
            return reader.updated(Modifier::None, &prefixed(prefix, value)?);
        }
        ("_id", _) => return Err(unfit(name)),
        ("_text" | "_content", _) => {
            return Err(Reason::FilterText { name: name.into() });
        }
        _ => {}
    }
    let parameter = reader.known(name)?;
    Ok(told(parameter, compared(reader, parameter, operator, value)?))
}

fn compared(reader: &Reader<'_>, parameter: &Parameter, operator: Operator, value: &str) -> Result<Filter, Reason> {
    let name = &*parameter.code;
    if operator == Operator::Present {
        return missing(parameter, absent(value)?);
    }
    match parameter.kind.name {
        "string" => string(parameter, operator, value),
        "token" => token(reader, parameter, operator, value),
        "uri" => uri(reader, parameter, operator, value),
        "reference" => match operator {
            Operator::Equal | Operator::Refers => has(reader, parameter, Modifier::None, value),
            Operator::Unequal => {
                Ok(Filter::Unequal { param: parameter.key.clone(), any: reader.ask(parameter, Modifier::None, value)? })
            }
            _ => Err(unfit(name)),
        },
        "date" if operator == Operator::Overlaps => {
            Ok(of(parameter, vec![date::overlapping(value, reader.scope.local.zone())?]))
        }
        "date" | "number" | "quantity" => {
            let prefix = operator.prefix().ok_or_else(|| unfit(name))?;
            // A unit's system stands in the middle.
            let value = match parameter.kind.name {
                "quantity" => value.replacen("|ucum|", "|http://unitsofmeasure.org|", 1),
                _ => value.to_owned(),
            };
            has(reader, parameter, Modifier::None, &prefixed(prefix, &value)?)
        }
        "composite" if operator == Operator::Equal => {
            Ok(Filter::Together { any: vec![reader.together(parameter, value)?] })
        }
        "special" if operator == Operator::Equal => {
            let params = [0, 1].map(|number| part_key(&parameter.key, number));
            Ok(Filter::Near { params, any: vec![special::circle(value)?] })
        }
        _ => Err(unfit(name)),
    }
}

/// `loinc|8302-2` → `http://loinc.org|8302-2`
///
/// Source: FHIR R4 `search_filter.html`
fn named_system(value: &str) -> Cow<'_, str> {
    let named = value.split_once('|').and_then(|(name, code)| {
        let (_, system) = SYSTEMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(format!("{system}|{code}").into())
    });
    named.unwrap_or(value.into())
}

/// The code as the elements that it is asked of write it, where R4 says how.
fn in_own_case<'v>(reader: &Reader<'_>, parameter: &Parameter, value: Cow<'v, str>) -> Cow<'v, str> {
    let start = value.rfind('|').map_or(0, |at| at + 1);
    let code = &value[start..];
    let types = parameter.types.as_deref().unwrap_or_default();
    let all = |name: &str| !types.is_empty() && types.iter().all(|known| **known == *name);
    let own = if all("boolean") {
        ["true", "false"].into_iter().find(|own| own.eq_ignore_ascii_case(code)).map(Box::from)
    } else if all("code") {
        reader.bound_code(parameter, code)
    } else {
        None
    };
    match own {
        Some(own) if *own != *code => format!("{}{own}", &value[..start]).into(),
        _ => value,
    }
}

/// The code systems that R4 names by a word.
const SYSTEMS: &[(&str, &str)] = &[
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

/// The value of `pr` as one of `:missing`.
fn absent(value: &str) -> Result<&'static str, Reason> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok("false"),
        "false" => Ok("true"),
        _ => Err(Reason::FilterPresent),
    }
}

fn string(parameter: &Parameter, operator: Operator, value: &str) -> Result<Filter, Reason> {
    let text = wanted(value)?;
    let param = parameter.key.clone();
    Ok(match operator {
        Operator::Equal => of(parameter, vec![Match::Whole(text)]),
        Operator::Unequal => Filter::Unequal { param, any: vec![Match::Whole(text)] },
        Operator::Contains => of(parameter, vec![Match::Contains(text)]),
        Operator::Starts => of(parameter, vec![Match::Prefix(text)]),
        Operator::Ends => of(parameter, vec![Match::Ends(text)]),
        _ => return Err(unfit(&parameter.code)),
    })
}

fn token(reader: &Reader<'_>, parameter: &Parameter, operator: Operator, value: &str) -> Result<Filter, Reason> {
    let param = parameter.key.clone();
    let written = match operator {
        Operator::In | Operator::NotIn => value.into(),
        _ => in_own_case(reader, parameter, named_system(value)),
    };
    let value = &*written;
    match operator {
        Operator::Equal => has(reader, parameter, Modifier::None, value),
        Operator::Unequal => Ok(Filter::Unequal { param, any: reader.ask(parameter, Modifier::None, value)? }),
        Operator::Subsumes => has(reader, parameter, Modifier::Below, value),
        Operator::SubsumedBy => has(reader, parameter, Modifier::Above, value),
        Operator::In => has(reader, parameter, Modifier::In, value),
        Operator::NotIn => {
            Ok(Filter::Indexed { param, any: reader.ask(parameter, Modifier::NotIn, value)?, negated: true })
        }
        _ => Err(unfit(&parameter.code)),
    }
}

fn uri(reader: &Reader<'_>, parameter: &Parameter, operator: Operator, value: &str) -> Result<Filter, Reason> {
    let part = |place| Ok(of(parameter, vec![Match::UriPart(place, unescape(value)?.as_ref().into())]));
    match operator {
        Operator::Equal => has(reader, parameter, Modifier::None, value),
        Operator::Unequal => {
            Ok(Filter::Unequal { param: parameter.key.clone(), any: reader.ask(parameter, Modifier::None, value)? })
        }
        Operator::Contains => part(Place::Within),
        Operator::Starts => part(Place::Start),
        Operator::Ends => part(Place::End),
        Operator::Subsumes => has(reader, parameter, Modifier::Below, value),
        Operator::SubsumedBy => has(reader, parameter, Modifier::Above, value),
        _ => Err(unfit(&parameter.code)),
    }
}

/// An index row of the parameter fulfils what the value asks.
fn has(reader: &Reader<'_>, parameter: &Parameter, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
    Ok(of(parameter, reader.ask(parameter, modifier, value)?))
}

fn of(parameter: &Parameter, any: Vec<Match>) -> Filter {
    Filter::Indexed { param: parameter.key.clone(), any, negated: false }
}

/// The value behind its prefix. It may bring none of its own.
fn prefixed(prefix: &str, value: &str) -> Result<String, Reason> {
    if value.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(Reason::FilterPrefix);
    }
    Ok(format!("{prefix}{value}"))
}

fn unfit(name: &str) -> Reason {
    Reason::FilterUnfit { name: name.into() }
}
