//! A query → a [`Plan`].
//!
//! A parameter is one of the result parameters in [`super::result`] (`_sort`,
//! `_count`, …), one of the resource's own columns (`_id`, `_lastUpdated`), or one
//! of the type's search parameters, whose kind reads the values; or it leads on to
//! other resources ([`super::chain`]), or is a whole expression
//! ([`super::filter`]). Values between commas are alternatives; parameters given
//! several times must all hold.
//!
//! Refused, not guessed: an unknown parameter, a modifier that does not fit or is
//! not done, a value that cannot be read. `handling=lenient` leaves out unknown
//! and undone parameters only, and says so.
//!
//! Source: FHIR R4 search.html

use std::cell::Cell;
use std::ops::Range;

use techo_profiles::Definitions;
use techo_profiles::path::Model;

use super::bounds::Prefix;
use super::catalog::{Catalog, Parameter, TypeIndex, part_key};
use super::contained::{self, Which};
use super::error::SearchError;
use super::escape::{split, unescape};
use super::filter;
use super::kinds::{Kind, Local, Question, Setting, composite, special};
use super::modifier::Modifier;
use super::named;
use super::plan::{Filter, Match, Plan, SortBy, SortKey, Together};
use super::reason::Reason;
use super::result;
use super::terms::Terms;
use super::time::span;
use super::words;

/// What a query's meaning depends on beside its text.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Where the server is.
    pub local: &'a Local,
    /// The present, in microseconds: `ap` on dates is relative to it.
    pub now: i64,
    /// `Prefer: handling=lenient`
    pub lenient: bool,
    /// Hierarchies and value sets.
    pub terms: &'a dyn Terms,
}

/// The plan of a query on one resource type.
///
/// * `query`: names and values in order, percent-decoded.
///
/// # Errors
/// [`SearchError`] about the first parameter that is refused.
pub fn plan(
    definitions: &'static Definitions,
    resource_type: &str,
    query: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Plan, SearchError> {
    let plan = one_of(definitions, (resource_type, &[resource_type]), query, scope)?;
    if plan.contained.which != Which::Records {
        return Err(SearchError::new("_contained", Reason::ContainedAlone));
    }
    Ok(plan)
}

/// The plans of a query on several resource types, one each: what it asks, each of
/// them must know. Of each there may be one more, for what is contained.
///
/// # Errors
/// [`SearchError`] about the first parameter that is refused.
pub fn plans(
    definitions: &'static Definitions,
    types: &[&str],
    query: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Vec<Plan>, SearchError> {
    let read = |query: &[(String, String)]| -> Result<Vec<Plan>, SearchError> {
        types.iter().map(|kind| one_of(definitions, (kind, types), query, scope)).collect()
    };
    let mut plans = read(query)?;
    let mut ignored: Vec<SearchError> = Vec::new();
    for error in plans.iter_mut().flat_map(|plan| plan.ignored.drain(..)) {
        if !ignored.iter().any(|known| known.parameter == error.parameter) {
            ignored.push(error);
        }
    }
    if types.len() > 1 && !ignored.is_empty() {
        // What one type does not know is asked of none.
        let known = |name: &String| !ignored.iter().any(|error| *error.parameter == **name);
        let rest: Vec<(String, String)> = query.iter().filter(|(name, _)| known(name)).cloned().collect();
        plans = read(&rest)?;
    }
    let own = |key: &SortKey| matches!(key.by, SortBy::Indexed { .. });
    if let Some(first) = plans.first_mut() {
        if types.len() > 1 && first.sort.iter().any(own) {
            return Err(SearchError::new("_sort", Reason::SortedTypes));
        }
        first.ignored = ignored;
    }
    if plans.iter().all(|plan| plan.contained.which == Which::Records) {
        return Ok(plans);
    }
    if plans.len() > contained::MOST_TYPES {
        return Err(SearchError::new("_contained", Reason::ContainedAlone));
    }
    let asked = plans.into_iter().map(contained::asked).collect::<Result<Vec<_>, _>>()?;
    Ok(asked.concat())
}

/// The plan of a query on one of several resource types.
fn one_of(
    definitions: &'static Definitions,
    (resource_type, types): (&str, &[&str]),
    query: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Plan, SearchError> {
    let catalog = scope.local.catalog(definitions);
    let index = catalog
        .of_type(resource_type)
        .ok_or_else(|| SearchError::new("", Reason::UnknownType { name: resource_type.into() }))?;
    let mut plan = Plan { resource_type: resource_type.into(), ..Plan::default() };
    let conditions = Cell::new(MOST_CONDITIONS);
    let reader = Reader { catalog, index, scope, types, steps: 0, left: &conditions };
    let mut left = MOST_VALUES;
    let named = named::asked((resource_type, types), query)?;
    for (name, value) in query {
        left = left.checked_sub(1 + value.matches(',').count()).ok_or_else(|| too_much(name))?;
        let taken = name == named::QUERY || named.is_some_and(|named| named.takes(name));
        if !taken && let Err(reason) = reader.parameter(&mut plan, name, value) {
            let error = SearchError::new(name, reason);
            if !(scope.lenient && error.may_be_ignored()) {
                return Err(error);
            }
            plan.ignored.push(error);
        } else {
            plan.used.push((name.as_str().into(), value.as_str().into()));
        }
    }
    if let Some(named) = named {
        named.settle(&reader, &mut plan)?;
    }
    result::settle(&mut plan)?;
    Ok(plan)
}

/// The query in an order of its own, so that two ways to write one condition are
/// the same text: for the uniqueness of conditional creates.
pub fn canonical(plan: &Plan) -> String {
    let mut parts: Vec<(Box<str>, Box<str>)> = plan
        .used
        .iter()
        .filter(|(name, _)| !result::is_result(name))
        .map(|(name, value)| {
            // A comma in a filter stands for itself.
            let mut values = if **name == *FILTER { vec![&**value] } else { split(value, ',') };
            values.sort_unstable();
            values.dedup();
            (name.clone(), values.join(",").into())
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    super::page::query_string(&parts)
}

/// Who is not given what a parameter finds by is answered as if it was not there, whatever
/// is asked of it: nor is she told of it by what lacks it, or is without a value.
pub(super) fn told(parameter: &Parameter, found: Filter) -> Filter {
    if !is_beside(parameter) {
        return found;
    }
    let is_there = |found| Filter::All(vec![found, Filter::Told]);
    match found {
        Filter::Indexed { param, any, negated: true } => {
            Filter::Not(Box::new(is_there(Filter::Indexed { param, any, negated: false })))
        }
        Filter::Missing { parts, missing: true } => {
            Filter::Not(Box::new(is_there(Filter::Missing { parts, missing: false })))
        }
        found => is_there(found),
    }
}

/// Whether it finds by identifiers that stand beside a reference, and may be taken out for it
/// (`interaction/redact.rs`).
pub(super) fn is_beside(parameter: &Parameter) -> bool {
    *parameter.key == *"DocumentManifest.related-id"
}

fn too_much(name: &str) -> SearchError {
    SearchError::new(name, Reason::ManyValues { most: MOST_VALUES })
}

/// Reads the parameters of one query, for the type that is searched or for one
/// that a chain leads to.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) index: &'a TypeIndex,
    pub(super) scope: &'a Scope<'a>,
    /// All types that are searched.
    pub(super) types: &'a [&'a str],
    /// Steps from the searched type.
    pub(super) steps: usize,
    /// What conditions may still be made.
    pub(super) left: &'a Cell<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn parameter(&self, plan: &mut Plan, name: &str, value: &str) -> Result<(), Reason> {
        if value.contains('\0') {
            return Err(Reason::Nul);
        }
        if result::read(self, plan, name, value)? {
            return Ok(());
        }
        let filter = if name == FILTER { filter::read(self, value)? } else { self.filter(name, value)? };
        match filter {
            Filter::All(parts) => plan.filters.extend(parts),
            one => plan.filters.push(one),
        }
        Ok(())
    }

    /// The condition that one parameter states.
    pub(super) fn filter(&self, name: &str, value: &str) -> Result<Filter, Reason> {
        self.spend(1)?;
        if name == "_has" || name.starts_with("_has:") {
            return self.has(name.trim_start_matches("_has").trim_start_matches(':'), value);
        }
        if let Some((head, rest)) = name.split_once('.') {
            return self.chain(head, &|next| next.filter(rest, value));
        }
        let (code, modifier) = self.named(name)?;
        match code {
            "_id" => id(modifier, value),
            "_lastUpdated" => self.updated(modifier, value),
            "_list" => self.list(modifier, value),
            "_text" | "_content" => self.words(code, modifier, value),
            FILTER if modifier != Modifier::None => Err(unfit(modifier, FILTER)),
            code => {
                let parameter = self.known(code)?;
                Ok(told(parameter, self.indexed(parameter, modifier, value)?))
            }
        }
    }

    /// `code:modifier`, taken apart.
    pub(super) fn named<'n>(&self, name: &'n str) -> Result<(&'n str, Modifier<'n>), Reason> {
        let Some((code, suffix)) = name.split_once(':') else { return Ok((name, Modifier::None)) };
        let modifier = Modifier::named(suffix, |name| self.catalog.of_type(name).is_some());
        let modifier = modifier.ok_or_else(|| Reason::NoModifier { name: suffix.into() })?;
        Ok((code, modifier))
    }

    /// The type's parameter of that name.
    pub(super) fn known(&self, code: &str) -> Result<&'a Parameter, Reason> {
        self.index.parameter(code).ok_or_else(|| self.index.lacks(code))
    }

    /// Takes `cost` off what the query may make of conditions.
    pub(super) fn spend(&self, cost: usize) -> Result<(), Reason> {
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.ok_or(Reason::ManyConditions)?);
        Ok(())
    }

    /// `updated` is one instant, so each prefix is a span of it.
    pub(super) fn updated(&self, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
        if modifier == Modifier::Missing {
            // Every record has one.
            let any = if truth(value)? { None } else { Some(i64::MIN..i64::MAX) };
            return Ok(Filter::Updated { any: any.into_iter().collect() });
        }
        if modifier != Modifier::None {
            return Err(unfit(modifier, "_lastUpdated"));
        }
        let mut any: Vec<Range<i64>> = Vec::new();
        for part in split(value, ',') {
            let (prefix, text) = Prefix::of(part);
            let asked = span(text, self.scope.local.zone())?;
            let (low, high) = (asked.low, asked.high);
            let now = self.scope.now;
            let nearly = if now >= high { now - high } else { (low - now).max(0) } / 10;
            match prefix {
                Prefix::Eq => any.push(low..high),
                Prefix::Ne => any.extend([i64::MIN..low, high..i64::MAX]),
                Prefix::Gt | Prefix::Sa => any.push(high..i64::MAX),
                Prefix::Lt | Prefix::Eb => any.push(i64::MIN..low),
                Prefix::Ge => any.push(low..i64::MAX),
                Prefix::Le => any.push(i64::MIN..high),
                Prefix::Ap => any.push(low.saturating_sub(nearly)..high.saturating_add(nearly)),
            }
        }
        Ok(Filter::Updated { any })
    }

    /// Only what has a narrative has a `_text`.
    fn words(&self, code: &str, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
        if modifier != Modifier::None {
            return Err(unfit(modifier, code));
        }
        let everything = code == "_content";
        if !everything && !self.catalog.definitions().is_a(self.index.name, "DomainResource") {
            return Err(self.index.lacks(code));
        }
        words::filter(self, everything, value)
    }

    fn indexed(&self, parameter: &Parameter, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
        if modifier == Modifier::Missing {
            return missing(parameter, value);
        }
        let name = modifier.name();
        let kind = parameter.kind;
        if modifier != Modifier::None && !kind.modifiers.contains(&name) {
            if kind.undone.contains(&name) {
                return Err(Reason::ModifierNotDone { name: name.into() });
            }
            return Err(unfit(modifier, kind.name));
        }
        match kind.name {
            "reference" if matches!(modifier, Modifier::Above | Modifier::Below) => {
                return self.hierarchy(parameter, modifier, value);
            }
            "composite" => {
                let any = split(value, ',').into_iter().map(|value| self.together(parameter, value));
                return Ok(Filter::Together { any: any.collect::<Result<_, _>>()? });
            }
            "special" => {
                let any = split(value, ',').into_iter().map(special::circle).collect::<Result<_, _>>()?;
                return Ok(Filter::Near { params: [0, 1].map(|number| part_key(&parameter.key, number)), any });
            }
            _ => {}
        }
        let mut any = Vec::new();
        for value in split(value, ',') {
            any.extend(self.ask(parameter, modifier, value)?);
        }
        let param = match (modifier, &parameter.typed_key) {
            (Modifier::OfType, Some(key)) => key.clone(),
            (Modifier::OfType, None) => return Err(Reason::NoIdentifiers),
            _ => parameter.key.clone(),
        };
        let found = Filter::Indexed { param, any, negated: matches!(modifier, Modifier::Not | Modifier::NotIn) };
        // Who is not given a reference's identifier does not find by it.
        Ok(if modifier == Modifier::Identifier { Filter::All(vec![found, Filter::Told]) } else { found })
    }

    /// What finds one value of a parameter.
    pub(super) fn ask(&self, parameter: &Parameter, modifier: Modifier<'_>, value: &str) -> Result<Vec<Match>, Reason> {
        let implies = |system: &str| parameter.implies(self.catalog.definitions(), system);
        self.asked(parameter.kind, (modifier, value), (parameter.types.as_deref(), &parameter.targets), &implies)
    }

    /// A code as R4 writes it in the set that one of the parameter's elements is bound to
    /// and may not leave.
    pub(super) fn bound_code(&self, parameter: &Parameter, code: &str) -> Option<Box<str>> {
        let sets = parameter.bound_sets(self.catalog.definitions());
        let members: Vec<_> = sets.iter().filter_map(|set| self.scope.terms.members(set).ok()).collect();
        let codes = || members.iter().flat_map(|members| members.pairs()).map(|(_, known)| known);
        let exact = codes().any(|known| **known == *code);
        codes().find(|known| !exact && known.eq_ignore_ascii_case(code)).cloned()
    }

    /// What finds one value of a composite.
    pub(super) fn together(&self, parameter: &Parameter, value: &str) -> Result<Together, Reason> {
        composite::together(&parameter.parts, value, &|part, value| {
            let implies = |system: &str| part.implies(self.catalog.definitions(), system);
            self.asked(part.kind, (Modifier::None, value), (part.types.as_deref(), &part.targets), &implies)
        })
    }

    fn asked(
        &self,
        kind: &Kind,
        (modifier, value): (Modifier<'_>, &str),
        (types, targets): (Option<&[Box<str>]>, &[u16]),
        implies: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Match>, Reason> {
        let type_number = |name: &str| self.catalog.definitions().type_number(name);
        let setting = Setting { local: self.scope.local, type_number: &type_number };
        let (now, terms) = (self.scope.now, self.scope.terms);
        (kind.parse)(&Question { value, modifier, setting, now, types, targets, implies, terms })
    }
}

pub(super) fn id(modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
    let negated = match modifier {
        Modifier::None => false,
        Modifier::Not => true,
        // Every record has one.
        Modifier::Missing => return Ok(if truth(value)? { Filter::Any(Vec::new()) } else { Filter::All(Vec::new()) }),
        other => return Err(unfit(other, "_id")),
    };
    let mut any = Vec::new();
    for part in split(value, ',') {
        let id = unescape(part)?;
        if id.is_empty() {
            return Err(Reason::Id);
        }
        any.push(id.as_ref().into());
    }
    Ok(Filter::Id { any, negated })
}

/// A composite is there where all of its parts are, in one element.
pub(super) fn missing(parameter: &Parameter, value: &str) -> Result<Filter, Reason> {
    let missing = truth(value)?;
    let (key, tables) = (&parameter.key, parameter.kind.tables);
    let parts = match &parameter.parts[..] {
        [] if parameter.kind.name == "special" => vec![(part_key(key, 0), tables)],
        [] => vec![(key.clone(), tables)],
        parts => parts.iter().map(|part| (part.key.clone(), part.kind.without_displays())).collect(),
    };
    Ok(Filter::Missing { parts, missing })
}

/// The value of `:missing`.
fn truth(value: &str) -> Result<bool, Reason> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Reason::Missing),
    }
}

pub(super) fn unfit(modifier: Modifier<'_>, what: &str) -> Reason {
    Reason::ModifierUnfit { name: modifier.name().into(), what: what.into() }
}

/// The most values, alternatives counted one by one, that a query may have.
const MOST_VALUES: usize = 1000;
/// The most conditions a query may make, steps of chains counted several times.
const MOST_CONDITIONS: usize = 128;
/// The parameter that is a whole expression.
const FILTER: &str = "_filter";

#[cfg(test)]
mod tests;
