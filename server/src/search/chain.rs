//! Chains: conditions on what a resource refers to, and on what refers to it.
//!
//! | parameter | meaning |
//! |---|---|
//! | `subject:Patient.name=…` | a subject that is a Patient of that name |
//! | `performer.name=…` | the same for each type that `performer` may point at and that has a `name` |
//! | `_has:Observation:patient:code=…` | an Observation with that code has it as its patient |
//! | `_list=…` | a List has it as an item, and does not say that it was removed |
//!
//! A step goes by type and id, by canonical URL, or to what the record contains: in
//! whichever ways the parameter's elements can name a target ([`super::address`]).
//!
//! What stands behind the step is read like any parameter, chains included, so
//! that all mixtures work. The store lets only visible rows take part at each step.
//!
//! Source: FHIR R4 search.html#chaining, search.html#has, search.html#list

use super::address::Ways;
use super::catalog::Parameter;
use super::escape::split;
use super::index::LISTED;
use super::kinds::reference::is_id;
use super::modifier::Modifier;
use super::parse::{Reader, unfit};
use super::plan::Filter;
use super::reason::Reason;

impl<'a> Reader<'a> {
    /// What `head` refers to fulfils what `rest` reads on its type.
    ///
    /// Of several types those count that know the parameter; if none does, it is unknown.
    pub(super) fn chain(
        &self,
        head: &str,
        rest: &dyn Fn(&Reader<'a>) -> Result<Filter, Reason>,
    ) -> Result<Filter, Reason> {
        let (code, modifier) = self.named(head)?;
        let parameter = self.known(code)?;
        if parameter.kind.name != "reference" {
            return Err(Reason::NoReference { code: code.into() });
        }
        let mut unknown = None;
        let mut any = Vec::new();
        for target in self.targets(parameter, modifier)? {
            match self.step(target).and_then(|next| rest(&next)) {
                Ok(filter) => {
                    let by = Ways::of(self.catalog, parameter, target);
                    any.push(Filter::Chain { param: parameter.key.clone(), target, by, filters: all(filter) });
                }
                Err(reason @ Reason::Unknown { .. }) => unknown = Some(reason),
                Err(reason) => return Err(reason),
            }
        }
        match (any.len(), unknown) {
            (0, Some(reason)) => Err(reason),
            (1, _) => Ok(any.remove(0)),
            _ => Ok(Filter::Any(any)),
        }
    }

    /// The types that the step leads to.
    fn targets(&self, parameter: &Parameter, modifier: Modifier<'_>) -> Result<Vec<u16>, Reason> {
        let code = &parameter.code;
        if parameter.is_inline() {
            return Err(Reason::NotDone { name: code.clone() });
        }
        let mut targets = match &parameter.reach {
            Some(reach) => [&reach[..], &parameter.named].concat(),
            None => parameter.targets.clone(),
        };
        targets.sort_unstable();
        targets.dedup();
        if targets.is_empty() {
            // A `#q` leads into what the record contains, of the types declared.
            targets.clone_from(&parameter.targets);
        }
        match modifier {
            Modifier::None if (1..=MOST_TARGETS).contains(&targets.len()) => Ok(targets),
            Modifier::None => Err(Reason::ManyTargets { code: code.clone() }),
            Modifier::Type(name) => {
                let number = self.catalog.definitions().type_number(name);
                let fits = |number: &u16| targets.is_empty() || targets.contains(number);
                let fitting = number.filter(fits);
                let wrong = || Reason::NotItsTarget { code: code.clone(), name: name.into() };
                fitting.map(|number| vec![number]).ok_or_else(wrong)
            }
            other => Err(Reason::ModifierOfChain { name: other.name().into() }),
        }
    }

    /// `Observation:patient:code`, after `_has:`.
    pub(super) fn has(&self, rest: &str, value: &str) -> Result<Filter, Reason> {
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(reference), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Reason::Has);
        };
        let number = self.catalog.definitions().type_number(source);
        let number = number.ok_or_else(|| Reason::UnknownType { name: source.into() })?;
        let next = self.step(number)?;
        let here = self.catalog.definitions().type_number(self.index.name);
        let parameter = next.index.parameter(reference).filter(|one| one.kind.name == "reference");
        let leads_here = |one: &&Parameter, here: &u16| one.names(Some(*here));
        let found = parameter.zip(here).filter(|(one, here)| leads_here(one, here));
        let (parameter, here) = found.ok_or_else(|| {
            let here = self.index.name.into();
            Reason::NoReverse { source: source.into(), code: reference.into(), here }
        })?;
        let filters = all(next.filter(rest, value)?);
        let by = Ways::of(self.catalog, parameter, here);
        Ok(Filter::Has { source: number, param: parameter.key.clone(), by, filters })
    }

    /// `_list=42`: the Lists are looked at like any other resource.
    pub(super) fn list(&self, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
        if modifier != Modifier::None {
            return Err(unfit(modifier, "_list"));
        }
        let mut any: Vec<Box<str>> = Vec::new();
        for id in split(value, ',') {
            if id.starts_with('$') {
                return Err(Reason::ListWorkedOut);
            }
            let id = id.strip_prefix("List/").unwrap_or(id);
            if !is_id(id) {
                return Err(Reason::ListId);
            }
            any.push(id.into());
        }
        let missing = || Reason::NotDone { name: "_list".into() };
        let number = self.catalog.definitions().type_number("List").ok_or_else(missing)?;
        self.step(number)?;
        // A List that a record contains is not the List of that id.
        let by = Ways { place: true, address: None, within: false };
        let filters = vec![Filter::Id { any, negated: false }];
        Ok(Filter::Has { source: number, param: LISTED.into(), by, filters })
    }

    /// The reader of the type that one more step leads to.
    fn step(&self, number: u16) -> Result<Reader<'a>, Reason> {
        if self.steps == MOST_STEPS {
            return Err(Reason::LongChain { most: MOST_STEPS });
        }
        let name = self.catalog.definitions().type_name(number).unwrap_or_default();
        // They are rendered from the log, which no statement joins.
        if name == "AuditEvent" {
            return Err(Reason::ChainedAudit);
        }
        self.spend(STEP)?;
        let index = self.catalog.of_type(name).ok_or_else(|| Reason::UnknownType { name: name.into() })?;
        Ok(Reader { index, steps: self.steps + 1, ..*self })
    }
}

/// A filter as the list of what must hold.
fn all(filter: Filter) -> Vec<Filter> {
    match filter {
        Filter::All(parts) => parts,
        one => vec![one],
    }
}

/// The steps of one chain, forward and back.
pub(super) const MOST_STEPS: usize = 3;
/// What a step costs: it carries the whole of what the caller may see.
const STEP: usize = 4;
/// The types that an untyped step may lead to.
const MOST_TARGETS: usize = 16;
