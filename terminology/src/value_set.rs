//! Whether a code is in a value set, as far as that can be told.
//!
//! A set is a sum of parts less a sum of parts. A part names a system and lists
//! codes, or filters them, or draws on other sets. `Unknown` goes through the sums
//! as it must: a known `Yes` beside it still is a `Yes`.
//!
//! Source: FHIR R4 valueset.html#compositions

use std::collections::HashSet;

use techo_profiles::{
    codes::Membership,
    definitions::{PartFilter, SetPart, ValueSetFacts},
};

use crate::{Terminology, external};

/// A value set ready to be asked.
#[derive(Debug)]
pub(crate) struct ValueSet {
    pub(crate) facts: ValueSetFacts,
    include: Vec<HashSet<Box<str>>>,
    exclude: Vec<HashSet<Box<str>>>,
}

impl ValueSet {
    pub(crate) fn new(facts: ValueSetFacts) -> Self {
        let listed = |part: &SetPart| part.concepts.iter().map(|concept| concept.code.clone()).collect();
        let (include, exclude) = (&facts.include, &facts.exclude);
        let (include, exclude) = (include.iter().map(listed).collect(), exclude.iter().map(listed).collect());
        Self { facts, include, exclude }
    }

    /// Whether the code is in the set. `depth` counts the sets that led here.
    pub(crate) fn has(&self, all: &Terminology, system: Option<&str>, code: &str, depth: usize) -> Membership {
        let sum = |parts: &[SetPart], lists: &[HashSet<Box<str>>]| {
            let each = parts.iter().zip(lists).map(|(part, listed)| in_part(all, part, listed, (system, code), depth));
            any(each)
        };
        let included = sum(&self.facts.include, &self.include);
        let found = both(included, not(sum(&self.facts.exclude, &self.exclude)));
        // What cannot be worked out may have been listed by the publisher.
        if found == Membership::Unknown && self.is_listed(system, code) { Membership::Yes } else { found }
    }

    fn is_listed(&self, system: Option<&str>, code: &str) -> bool {
        self.facts.expansion.iter().any(|listed| {
            let fits = system.is_none_or(|system| listed.system.as_deref() == Some(system));
            *listed.code == *code && fits && !listed.is_abstract
        })
    }
}

fn in_part(
    all: &Terminology,
    part: &SetPart,
    listed: &HashSet<Box<str>>,
    (asked, code): (Option<&str>, &str),
    depth: usize,
) -> Membership {
    let mut found = Membership::Yes;
    if let Some(system) = part.system.as_deref() {
        if asked.is_some_and(|asked| asked != system) {
            return Membership::No;
        }
        found = match (listed.is_empty(), part.filters.is_empty()) {
            (false, _) => told(listed.contains(code)),
            (true, true) => in_system(all, system, code),
            (true, false) => part.filters.iter().map(|filter| passes(all, system, filter, code)).fold(found, both),
        };
    } else if part.value_sets.is_empty() {
        return Membership::No;
    }
    let inner = part.value_sets.iter().map(|url| all.in_set(url, asked.or(part.system.as_deref()), code, depth + 1));
    inner.fold(found, both)
}

/// Whether a system has the code.
pub(crate) fn in_system(all: &Terminology, system: &str, code: &str) -> Membership {
    match all.code_system(system) {
        Some(found) if found.concept(code).is_some() => Membership::Yes,
        Some(found) if found.is_complete() => Membership::No,
        Some(_) => Membership::Unknown,
        None => external::decide(system, code),
    }
}

pub(crate) fn passes(all: &Terminology, system: &str, filter: &PartFilter, code: &str) -> Membership {
    let Some(found) = all.code_system(system) else {
        return Membership::Unknown;
    };
    let known = in_system(all, system, code);
    if known == Membership::No {
        return Membership::No;
    }
    let below = || found.subsumes(&filter.value, code).map_or(Membership::Unknown, told);
    match (&*filter.property, &*filter.op) {
        ("concept" | "code", "is-a") => below(),
        ("concept" | "code", "descendent-of") => both(below(), told(*filter.value != *code)),
        ("concept" | "code", "is-not-a") => not(below()),
        ("concept" | "code", "=") => told(*filter.value == *code),
        ("concept" | "code", "in") => told(filter.value.split(',').any(|one| one.trim() == code)),
        ("concept" | "code", "not-in") => told(!filter.value.split(',').any(|one| one.trim() == code)),
        ("parent", "=") => match found.concept(code) {
            Some(concept) => {
                let mut parents = concept.parents.iter().map(|&at| &found.facts().concepts[at as usize].code);
                told(parents.any(|parent| **parent == *filter.value))
            }
            None => Membership::Unknown,
        },
        _ => Membership::Unknown,
    }
}

pub(crate) fn told(is_in: bool) -> Membership {
    if is_in { Membership::Yes } else { Membership::No }
}

pub(crate) fn not(one: Membership) -> Membership {
    match one {
        Membership::Yes => Membership::No,
        Membership::No => Membership::Yes,
        Membership::Unknown => Membership::Unknown,
    }
}

pub(crate) fn both(one: Membership, other: Membership) -> Membership {
    match (one, other) {
        (Membership::No, _) | (_, Membership::No) => Membership::No,
        (Membership::Unknown, _) | (_, Membership::Unknown) => Membership::Unknown,
        (Membership::Yes, Membership::Yes) => Membership::Yes,
    }
}

pub(crate) fn any(all: impl Iterator<Item = Membership>) -> Membership {
    let mut sum = Membership::No;
    for one in all {
        match one {
            Membership::Yes => return Membership::Yes,
            Membership::Unknown => sum = Membership::Unknown,
            Membership::No => {}
        }
    }
    sum
}
