//! Contained resources: their index rows, and searches for them.
//!
//! What is contained is a part of the record that holds it: it is shown, hidden,
//! changed and gone with it. Its index rows are the holder's, under keys of their
//! own (`Medication.code#`), so that no other search ever meets them, and a record
//! that contains nothing has none. Of several in one holder each has a *place*, and
//! the `grp` of its rows lies between that and the next one's.
//!
//! A search for them is a plan whose filters ask those keys ([`asked`]). The store
//! answers it with the holders, or tells which places match, of holders that the
//! caller sees.
//!
//! Source: FHIR R4 search.html#contained

use techo_profiles::Definitions;
use techo_profiles::json::Json;

use super::catalog::{Catalog, TypeIndex};
use super::error::SearchError;
use super::index::IndexError;
use super::kinds::reference::is_id;
use super::plan::{Filter, Match, Plan, SortBy, SortKey, Together};
use super::reason::Reason;
use super::row::{Held, ParamKey, Row};

/// What a search has to do with contained resources: `_contained` and `_containedType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contained {
    /// `_contained`
    pub which: Which,
    /// `_containedType=contained`: they themselves are the answer, not what holds them.
    pub alone: bool,
}

/// `_contained`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// `false`: records alone.
    #[default]
    Records,
    /// `true`: what is contained alone.
    Held,
    /// `both`
    Both,
}

impl Which {
    /// Reads the parameter's value.
    pub fn read(value: &str) -> Result<Self, Reason> {
        match value {
            "false" => Ok(Self::Records),
            "true" => Ok(Self::Held),
            "both" => Ok(Self::Both),
            _ => Err(Reason::Contained),
        }
    }
}

/// How far apart two places are.
pub const STEP: u32 = 1 << 16;
/// More types than these are not searched at once for what is contained: each looks into
/// all that the caller sees.
pub(super) const MOST_TYPES: usize = 8;
/// More than these have no places in a row's `grp`.
const MOST: u32 = (1 << 15) - 1;
/// The end of the keys of contained resources' rows.
pub const MARK: char = '#';

/// What a resource contains and names by an id: each with its place.
pub(super) fn inside<'a>(definitions: &Definitions, resource: &'a Json) -> Result<Vec<(Held, &'a Json)>, IndexError> {
    let mut found = Vec::new();
    for (number, inner) in (1..).zip(resource.list("contained")) {
        if number > MOST {
            return Err(IndexError::ManyContained(MOST));
        }
        let kind = inner.str("resourceType").and_then(|name| definitions.type_number(name));
        if let (Some(kind), Some(id)) = (kind, inner.str("id").filter(|id| is_id(id))) {
            found.push((Held { place: number * STEP, kind, id: id.into() }, inner));
        }
    }
    Ok(found)
}

/// The resource at a place of its holder.
pub fn at(holder: &Json, place: u32) -> Option<&Json> {
    holder.list("contained").get(usize::try_from(place / STEP).ok()?.checked_sub(1)?)
}

/// The parameters of a contained resource.
pub(super) fn index_of<'c>(catalog: &'c Catalog, inner: &Json) -> Result<&'c TypeIndex, IndexError> {
    let name = inner.str("resourceType").unwrap_or_default();
    let index = catalog.of_type(name).ok_or_else(|| IndexError::NoType(name.into()))?;
    match index.broken.first() {
        Some((code, error)) => Err(IndexError::Parameter { parameter: code.clone(), error: error.clone() }),
        None => Ok(index),
    }
}

/// A row of a contained resource as one of its holder's.
pub(super) fn row(row: Row, held: &Held) -> Row {
    Row { param: key(&row.param), grp: held.place + row.grp, cell: row.cell }
}

fn key(param: &ParamKey) -> ParamKey {
    format!("{param}{MARK}").into()
}

/// The plans of a search that says something of contained resources: for records, for
/// what is contained, or one of each.
pub(super) fn asked(plan: Plan) -> Result<Vec<Plan>, SearchError> {
    let Contained { which, alone } = plan.contained;
    if which == Which::Records {
        return Ok(vec![plan]);
    }
    let refused = |what: &str| SearchError::new("_contained", Reason::ContainedWith { what: what.into() });
    // Nothing but its holder refers to it; and a holder may hold many, with one match.
    if plan.includes.iter().any(|include| include.reverse) {
        return Err(refused("_revinclude"));
    }
    if !alone && !plan.includes.is_empty() {
        return Err(refused("_include (_containedType=container)"));
    }
    if plan.newest_of.is_some() {
        return Err(refused("_query"));
    }
    // What holds them is of any type: there is nothing else to sort by.
    let own = |key: &SortKey| matches!(key.by, SortBy::Indexed { .. });
    if !alone && plan.sort.iter().any(own) {
        return Err(refused("_sort"));
    }
    let filters = all(&plan.filters, Of::Search).map_err(refused)?;
    let sort = plan.sort.iter().map(sorted).collect();
    let of = |which| Contained { which, alone };
    let held = Plan { filters, sort, contained: of(Which::Held), ..plan.clone() };
    if which == Which::Held {
        return Ok(vec![held]);
    }
    Ok(vec![Plan { contained: of(Which::Records), ..plan }, held])
}

/// The same key of what is contained.
fn sorted(sort: &SortKey) -> SortKey {
    match &sort.by {
        SortBy::Indexed { param, column } => {
            SortKey { by: SortBy::Indexed { param: key(param), column: *column }, ..*sort }
        }
        SortBy::Id | SortBy::Updated => sort.clone(),
    }
}

/// The same filters, asked of what is contained at a step of a chain; `None` if one is of
/// records alone.
pub fn held(filters: &[Filter]) -> Option<Vec<Filter>> {
    all(filters, Of::Step).ok()
}

/// The condition of a compartment for what is contained: its own references put it there,
/// as CompartmentDefinition has it for its type. No compartment is of a contained resource.
pub fn member(kind: u16, id: &str, params: &[ParamKey]) -> Filter {
    let to = || vec![Match::Reference { kinds: vec![kind], id: id.into() }];
    let by = |param: &ParamKey| Filter::Indexed { param: key(param), any: to(), negated: false };
    Filter::Any(params.iter().map(by).collect())
}

/// What is asked for contained resources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The search itself.
    Search,
    /// A step of a chain.
    Step,
}

fn all(filters: &[Filter], of: Of) -> Result<Vec<Filter>, &'static str> {
    filters.iter().map(|filter| one(filter, of)).collect()
}

/// The same asked of a contained resource, or what cannot be.
fn one(filter: &Filter, of: Of) -> Result<Filter, &'static str> {
    Ok(match filter {
        Filter::Id { .. } => filter.clone(),
        Filter::Indexed { param, any, negated } => {
            Filter::Indexed { param: key(param), any: any.clone(), negated: *negated }
        }
        Filter::Missing { parts, missing } => {
            let parts = parts.iter().map(|(param, tables)| (key(param), *tables)).collect();
            Filter::Missing { parts, missing: *missing }
        }
        Filter::Unequal { param, any } => Filter::Unequal { param: key(param), any: any.clone() },
        Filter::Chain { param, target, by, filters } => {
            Filter::Chain { param: key(param), target: *target, by: by.clone(), filters: filters.clone() }
        }
        Filter::Related { param, kind, id, by, up } => {
            Filter::Related { param: key(param), kind: *kind, id: id.clone(), by: by.clone(), up: *up }
        }
        Filter::Together { any } => {
            let parts = |parts: &Together| parts.iter().map(|(param, any)| (key(param), any.clone())).collect();
            Filter::Together { any: any.iter().map(parts).collect() }
        }
        Filter::Near { params, any } => Filter::Near { params: params.each_ref().map(key), any: any.clone() },
        // What its holder loses, it loses.
        Filter::Told => Filter::Told,
        Filter::Any(parts) => Filter::Any(all(parts, of)?),
        Filter::All(parts) => Filter::All(all(parts, of)?),
        Filter::Not(part) => Filter::Not(Box::new(one(part, of)?)),
        // It is changed with its holder, and referred to by that and by what that contains.
        // A chain is there already with both in its hands.
        Filter::Updated { .. } | Filter::Has { .. } if of == Of::Search => filter.clone(),
        Filter::Updated { .. } => return Err("_lastUpdated"),
        Filter::Has { .. } => return Err("_has, _list"),
        Filter::Compartment { kind, id, params, .. } => member(*kind, id, params),
        // What it says are words of the holder.
        Filter::Words { .. } => return Err("_text, _content"),
    })
}
