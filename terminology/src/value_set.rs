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

use crate::{Terminology, external, filter::Test};

/// A value set ready to be asked.
#[derive(Debug)]
pub struct ValueSet {
    pub(crate) facts: ValueSetFacts,
    include: Vec<HashSet<Box<str>>>,
    exclude: Vec<HashSet<Box<str>>>,
    /// It leaves out codes that are no longer to be used.
    pub(crate) active_only: bool,
    /// It has no composition: it is what its publisher listed.
    pub(crate) listed_alone: bool,
    /// It came with the program. What HL7 listed counts where the composition cannot be
    /// worked out, and versions that HL7's sets name, which are not always those of the
    /// same package, are let pass.
    pub(crate) is_built_in: bool,
    /// An element that means something that is not done here.
    pub(crate) flaw: Option<Box<str>>,
}

impl ValueSet {
    pub(crate) fn new(facts: ValueSetFacts) -> Self {
        let listed = |part: &SetPart| part.concepts.iter().map(|concept| concept.code.clone()).collect();
        let (include, exclude) = (&facts.include, &facts.exclude);
        let (include, exclude) = (include.iter().map(listed).collect(), exclude.iter().map(listed).collect());
        Self { facts, include, exclude, active_only: false, listed_alone: false, is_built_in: true, flaw: None }
    }

    /// The canonical URL of the system that a part of it draws on.
    pub(crate) fn system_of(&self, part: &SetPart) -> Option<String> {
        let system = part.system.as_deref()?;
        let version = part.version.as_deref().filter(|_| !self.is_built_in);
        Some(version.map_or_else(|| system.to_owned(), |version| format!("{system}|{version}")))
    }

    /// The canonical URL of a set that it draws on.
    pub(crate) fn import<'c>(&self, canonical: &'c str) -> &'c str {
        if self.is_built_in { canonical.split('|').next().unwrap_or(canonical) } else { canonical }
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

fn passes(all: &Terminology, system: &str, filter: &PartFilter, code: &str) -> Membership {
    let Some(found) = all.code_system(system) else {
        return Membership::Unknown;
    };
    match in_system(all, system, code) {
        Membership::No => Membership::No,
        _ => Test::read(filter).map_or(Membership::Unknown, |test| test.holds(found, code)),
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
