//! Where the definitions stand that a value set is made of.
//!
//! [`Terminology`] holds what came with the program. [`Shelves`] puts beside it what
//! an installation stores of its own, as far as somebody fetched it: this crate reads
//! no database. So whoever asks about a set first asks [`Shelves::lacking`], fetches
//! that, and asks again until nothing is lacking.
//!
//! What came with the program comes first. A canonical URL with a version means that
//! very version: `|2.0` of a set that is here as 1.0 is another set.

use std::collections::{BTreeSet, HashMap};

use crate::{CodeSystem, Terminology, ValueSet};

/// Where definitions are found by their canonical URLs, with or without a version.
pub trait Shelf {
    /// A value set.
    fn value_set(&self, canonical: &str) -> Option<&ValueSet>;

    /// A code system.
    fn code_system(&self, canonical: &str) -> Option<&CodeSystem>;
}

/// HL7's own sets name versions that are not always those of the same package: they
/// are let pass.
impl Shelf for Terminology {
    fn value_set(&self, canonical: &str) -> Option<&ValueSet> {
        Terminology::value_set(self, canonical)
    }

    fn code_system(&self, canonical: &str) -> Option<&CodeSystem> {
        Terminology::code_system(self, canonical)
    }
}

/// A definition that a question needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Definition {
    /// A ValueSet by its canonical URL, or by whatever else its user calls it.
    Set(Box<str>),
    /// A CodeSystem by its canonical URL.
    System(Box<str>),
}

/// What came with the program, and beside it what was fetched.
pub struct Shelves<'t> {
    base: &'t Terminology,
    sets: HashMap<Box<str>, Option<ValueSet>>,
    systems: HashMap<Box<str>, Option<CodeSystem>>,
}

impl<'t> Shelves<'t> {
    /// Nothing but what came with the program.
    pub fn new(base: &'t Terminology) -> Self {
        Self { base, sets: HashMap::new(), systems: HashMap::new() }
    }

    /// How many definitions were fetched, or found to be nowhere.
    pub fn len(&self) -> usize {
        self.sets.len() + self.systems.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a value set came with the program.
    pub fn is_built_in(&self, canonical: &str) -> bool {
        self.own_set(canonical).is_some()
    }

    fn own_set(&self, canonical: &str) -> Option<&ValueSet> {
        self.base.value_set(canonical).filter(|set| is_meant(canonical, &set.facts.url, set.facts.version.as_deref()))
    }

    /// Puts a value set there; `None`: it is nowhere.
    pub fn put_set(&mut self, canonical: &str, set: Option<ValueSet>) {
        self.sets.insert(canonical.into(), set);
    }

    /// Puts a code system there; `None`: it is nowhere.
    pub fn put_system(&mut self, canonical: &str, system: Option<CodeSystem>) {
        self.systems.insert(canonical.into(), system);
    }

    /// What must be fetched before `wanted` can be answered about.
    pub fn lacking(&self, wanted: &Definition) -> BTreeSet<Definition> {
        let mut lacking = BTreeSet::new();
        match wanted {
            Definition::System(system) => self.want_system(system, &mut lacking),
            Definition::Set(set) => self.want_set(set, &mut BTreeSet::new(), &mut lacking),
        }
        lacking
    }

    fn want_system(&self, canonical: &str, lacking: &mut BTreeSet<Definition>) {
        let whole = self.code_system(canonical).is_some_and(CodeSystem::is_complete);
        if !whole && !self.systems.contains_key(canonical) {
            lacking.insert(Definition::System(canonical.into()));
        }
    }

    fn want_set(&self, canonical: &str, seen: &mut BTreeSet<Box<str>>, lacking: &mut BTreeSet<Definition>) {
        let mut open: Vec<Box<str>> = vec![canonical.into()];
        while let Some(next) = open.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            let Some(set) = self.value_set(&next) else {
                if !self.sets.contains_key(&next) {
                    lacking.insert(Definition::Set(next));
                }
                continue;
            };
            for part in set.facts.include.iter().chain(&set.facts.exclude) {
                open.extend(part.value_sets.iter().map(|one| set.import(one).into()));
                // Codes that are listed need nobody's word, unless only those in use count.
                let Some(system) = set.system_of(part) else { continue };
                let whole = part.concepts.is_empty() && part.value_sets.is_empty();
                if whole || !part.filters.is_empty() || set.active_only {
                    self.want_system(&system, lacking);
                }
            }
        }
    }
}

impl Shelf for Shelves<'_> {
    fn value_set(&self, canonical: &str) -> Option<&ValueSet> {
        self.own_set(canonical).or_else(|| self.sets.get(canonical)?.as_ref())
    }

    fn code_system(&self, canonical: &str) -> Option<&CodeSystem> {
        let own = self
            .base
            .code_system(canonical)
            .filter(|one| is_meant(canonical, &one.facts().url, one.facts().version.as_deref()));
        // A part of a system says less than the whole, if that is here.
        let stored = || self.systems.get(canonical).and_then(Option::as_ref);
        match own {
            Some(own) if own.is_complete() => Some(own),
            Some(own) => stored().or(Some(own)),
            None => stored(),
        }
    }
}

/// Whether a canonical URL means this version. Some URLs of HL7's have a bar of their own.
fn is_meant(canonical: &str, url: &str, version: Option<&str>) -> bool {
    *canonical == *url || canonical.split_once('|').is_none_or(|(_, wanted)| version == Some(wanted))
}
