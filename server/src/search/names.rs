//! Whom a search names, whatever it finds: an answer without them tells of them too.
//!
//! A Patient is named by her id: as a reference, a compartment, an `_id` of her own or at
//! the end of a chain. Any other record that may be somebody's is named in the same ways,
//! and by an identifier. A List, and whatever else refers to records, names those with itself
//! (`_list`, `_has`): it may be nobody's. Whose those are is for the store to say, as far as
//! the caller is shown them. To add a filter that names a record: an arm in [`Names::filter`].

use std::collections::{BTreeMap, BTreeSet};

use techo_profiles::Definitions;

use super::contained::Which;
use super::plan::{Filter, Match, Plan};

/// What searches name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// Ids of Patients.
    pub patients: BTreeSet<Box<str>>,
    /// Ids of other records, by the number of their type.
    pub records: BTreeMap<u16, BTreeSet<Box<str>>>,
    /// What asks for an identifier, or for what a named record refers to, by the number of the
    /// type that is found.
    pub identified: Vec<(u16, Filter)>,
    /// They look at records that may be somebody's.
    pub of_people: bool,
}

/// What is known of the answer to a search.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// How many records of the type it holds.
    pub found: usize,
    /// Whoever else matches is known too.
    pub whole: bool,
}

/// Identifiers in one question.
const SOME: usize = 500;

impl Names {
    /// What a search names. Of that what the answer holds for certain is left out: it costs
    /// no question.
    ///
    /// * `shared`: whether records of a type are nobody's.
    pub fn of(plan: &Plan, answer: Answer, shared: &dyn Fn(&str) -> bool) -> Self {
        let mut all = Self::default();
        let Some(kind) = Definitions::embedded().type_number(&plan.resource_type) else { return all };
        all.looks(kind, shared);
        let newest = plan.newest_of.iter().flatten();
        all.patients.extend(newest.cloned());
        let alone = plan.filters.len() == 1 && answer.whole;
        for filter in &plan.filters {
            let mut own = Self::default();
            own.filter(kind, filter, shared);
            // Alone it finds just those that it names.
            let all_found = alone && matches!(filter, Filter::Has { .. });
            if all_found || settled(filter, answer.found, alone) || plan.contained.which != Which::Records {
                own.identified.clear();
            }
            if settled(filter, answer.found, alone) {
                own.records.clear();
            }
            all.extend(own);
        }
        all
    }

    /// Adds what others name.
    pub fn extend(&mut self, other: Self) {
        self.patients.extend(other.patients);
        for (kind, ids) in other.records {
            self.records.entry(kind).or_default().extend(ids);
        }
        for (kind, filter) in other.identified {
            self.identify(kind, filter);
        }
        self.of_people |= other.of_people;
    }

    /// Adds what asks for an identifier. A transaction may ask for thousands, mostly by one
    /// parameter: those are one question.
    fn identify(&mut self, kind: u16, filter: Filter) {
        if let Filter::Indexed { param, any, .. } = &filter {
            let alike = self.identified.iter_mut().find_map(|(other, known)| match known {
                Filter::Indexed { param: of, any, .. } if *other == kind && of == param => Some(any),
                _ => None,
            });
            if let Some(known) = alike {
                if !known.ends_with(any) {
                    known.extend(any.iter().cloned());
                }
                return;
            }
        }
        if self.identified.last().is_none_or(|(other, known)| *other != kind || *known != filter) {
            self.identified.push((kind, filter));
        }
    }

    /// Searches that find the records named, each of one type.
    pub fn plans(&self) -> Vec<Plan> {
        let definitions = Definitions::embedded();
        let plan = |kind: u16, filter: Filter| {
            let resource_type = definitions.type_name(kind)?.into();
            Some(Plan { resource_type, filters: vec![filter], ..Plan::default() })
        };
        let records = self.records.iter();
        let by_id =
            records.map(|(kind, ids)| (*kind, Filter::Id { any: ids.iter().cloned().collect(), negated: false }));
        let identified = self.identified.iter().flat_map(|(kind, filter)| match filter {
            Filter::Indexed { param, any, negated } => {
                let some = |any: &[_]| Filter::Indexed { param: param.clone(), any: any.to_vec(), negated: *negated };
                any.chunks(SOME).map(|any| (*kind, some(any))).collect()
            }
            other => vec![(*kind, other.clone())],
        });
        by_id.chain(identified).filter_map(|(kind, filter)| plan(kind, filter)).collect()
    }

    fn looks(&mut self, kind: u16, shared: &dyn Fn(&str) -> bool) {
        self.of_people |= !is_shared(kind, shared);
    }

    fn each(&mut self, kind: u16, filters: &[Filter], shared: &dyn Fn(&str) -> bool) {
        for filter in filters {
            self.filter(kind, filter, shared);
        }
    }

    /// What a filter on records of this type names.
    fn filter(&mut self, kind: u16, filter: &Filter, shared: &dyn Fn(&str) -> bool) {
        match filter {
            Filter::Id { any, .. } => any.iter().for_each(|id| self.record(kind, id, shared)),
            Filter::Indexed { param, any, .. } if identifies(any) => {
                if !is_shared(kind, shared) {
                    let filter = Filter::Indexed { param: param.clone(), any: any.clone(), negated: false };
                    self.identify(kind, filter);
                }
            }
            Filter::Indexed { any, .. } | Filter::Unequal { any, .. } => {
                for one in any {
                    self.reference(one, shared);
                }
            }
            Filter::Chain { target, filters, .. } => {
                self.looks(*target, shared);
                self.each(*target, filters, shared);
            }
            Filter::Has { source, param, by, filters } => {
                self.looks(*source, shared);
                self.each(*source, filters, shared);
                let named: Vec<Filter> = filters.iter().filter(|one| names_one(one)).cloned().collect();
                if !named.is_empty() && !is_shared(kind, shared) {
                    let of_named =
                        Filter::Has { source: *source, param: param.clone(), by: by.clone(), filters: named };
                    self.identify(kind, of_named);
                }
            }
            Filter::Related { kind, id, .. } | Filter::Compartment { kind, id, .. } => self.record(*kind, id, shared),
            Filter::Any(parts) | Filter::All(parts) => self.each(kind, parts, shared),
            Filter::Not(inner) => self.filter(kind, inner, shared),
            Filter::Together { .. }
            | Filter::Updated { .. }
            | Filter::Missing { .. }
            | Filter::Near { .. }
            | Filter::Words { .. }
            | Filter::Told => {}
        }
    }

    /// A reference that is asked for. One to any of several types names a Patient, if one
    /// of those is hers; what else it may name is not looked for.
    fn reference(&mut self, one: &Match, shared: &dyn Fn(&str) -> bool) {
        let Match::Reference { kinds, id } = one else { return };
        match &kinds[..] {
            [kind] => self.record(*kind, id, shared),
            kinds if kinds.is_empty() || kinds.contains(&patient()) => self.record(patient(), id, shared),
            _ => {}
        }
    }

    fn record(&mut self, kind: u16, id: &str, shared: &dyn Fn(&str) -> bool) {
        if kind == patient() {
            self.patients.insert(id.into());
        } else if Definitions::embedded().type_name(kind).is_some_and(|name| !shared(name)) {
            self.records.entry(kind).or_default().insert(id.into());
        }
    }
}

/// Whether all records that the filter names are among so many that were found, or no
/// other condition keeps them out.
fn settled(filter: &Filter, found: usize, alone: bool) -> bool {
    match filter {
        Filter::Id { any, negated: false } => alone || found >= any.len(),
        Filter::Indexed { any, negated: false, .. } => alone && identifies(any) || found > 0 && any.len() == 1,
        // One record, to which those found refer: its citizen is mostly theirs.
        Filter::Chain { filters, .. } => match &filters[..] {
            [one @ Filter::Indexed { .. }] => settled(one, found, false),
            _ => false,
        },
        Filter::Any(parts) => {
            parts.iter().all(|part| matches!(part, Filter::Chain { .. }) && settled(part, found, alone))
        }
        _ => false,
    }
}

/// Whether it holds for named records alone.
fn names_one(filter: &Filter) -> bool {
    match filter {
        Filter::Id { negated, .. } => !negated,
        Filter::Indexed { any, negated, .. } => !negated && identifies(any),
        _ => false,
    }
}

fn is_shared(kind: u16, shared: &dyn Fn(&str) -> bool) -> bool {
    Definitions::embedded().type_name(kind).is_some_and(shared)
}

fn identifies(any: &[Match]) -> bool {
    !any.is_empty() && any.iter().all(|one| matches!(one, Match::Identifier(_)))
}

fn patient() -> u16 {
    Definitions::embedded().type_number("Patient").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::index::Local;
    use crate::search::parse::{Scope, plan};
    use techo_terminology::Terminology;

    fn named(kind: &str, query: &[(&str, &str)], answer: Answer) -> (Vec<String>, Vec<String>, usize, bool) {
        let definitions = Definitions::embedded();
        let local = Local::new("https://here.example/fhir", &jiff::tz::TimeZone::UTC);
        let terms = Terminology::new(definitions, "https://here.example/fhir");
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let plan = plan(definitions, kind, &query, &Scope { local: &local, now: 0, lenient: false, terms: &terms });
        let names = Names::of(&plan.expect("a plan"), answer, &|kind| kind == "Organization");
        let patients = names.patients.iter().map(ToString::to_string).collect();
        let records = names.records.iter().flat_map(|(kind, ids)| ids.iter().map(move |id| (kind, id)));
        let records = records.map(|(kind, id)| format!("{}/{id}", definitions.type_name(*kind).unwrap_or_default()));
        (patients, records.collect(), names.identified.len(), names.of_people)
    }

    #[test]
    fn a_search_names_people_and_records() {
        let nothing = Answer { found: 0, whole: true };
        let one = Answer { found: 1, ..nothing };
        let page = Answer { found: 1, whole: false };
        let gt = ("value-quantity", "gt5");
        for (kind, query, answer, patients, records, identified) in [
            ("Observation", &[("patient", "p"), gt][..], nothing, &["p"][..], &[][..], 0),
            ("Observation", &[("subject", "Patient/p,Patient/q")], one, &["p", "q"], &[], 0),
            ("Observation", &[("patient._id", "p")], one, &["p"], &[], 0),
            ("Patient", &[("_id", "p"), ("gender", "male")], nothing, &["p"], &[], 0),
            ("Observation", &[("_id", "a")], nothing, &[], &[], 0),
            ("Observation", &[("_id", "a"), gt], nothing, &[], &["Observation/a"], 0),
            ("Observation", &[("_id", "a"), gt], one, &[], &[], 0),
            ("Observation", &[("_id", "a,b"), gt], one, &[], &["Observation/a", "Observation/b"], 0),
            ("Observation", &[("_id", "a,b")], page, &[], &["Observation/a", "Observation/b"], 0),
            ("Observation", &[("identifier", "urn:x|1"), gt], nothing, &[], &[], 1),
            ("Observation", &[("identifier", "urn:x|1")], nothing, &[], &[], 0),
            ("Observation", &[("patient.identifier", "urn:x|1")], nothing, &[], &[], 1),
            ("Observation", &[("patient.identifier", "urn:x|1")], one, &[], &[], 0),
            ("Observation", &[("encounter", "Encounter/e"), gt], nothing, &[], &["Encounter/e"], 0),
            ("Organization", &[("_has:Observation:performer:patient", "p")], one, &["p"], &[], 0),
            ("Organization", &[("_has:Observation:performer:_id", "a")], one, &[], &["Observation/a"], 0),
            ("Observation", &[("_list", "l"), gt], nothing, &[], &["List/l"], 1),
            ("Observation", &[("_list", "l")], one, &[], &["List/l"], 0),
            ("Observation", &[("_has:List:item:_id", "l"), gt], nothing, &[], &["List/l"], 1),
            ("Observation", &[("_has:List:item:code", "urn:x|1"), gt], nothing, &[], &[], 0),
            ("Observation", &[("performer:Organization._id", "o"), gt], nothing, &[], &[], 0),
            ("Observation", &[("_filter", "not (patient eq p and status eq final)")], nothing, &["p"], &[], 0),
        ] {
            let found = named(kind, query, answer);
            let expected: (Vec<String>, Vec<String>, usize) = (
                patients.iter().map(ToString::to_string).collect(),
                records.iter().map(ToString::to_string).collect(),
                identified,
            );
            assert_eq!((found.0, found.1, found.2), expected, "{kind} {query:?} {answer:?}");
            assert!(found.3, "{kind} {query:?}: of people");
        }
        assert!(!named("Organization", &[("name", "x")], nothing).3);
    }
}
