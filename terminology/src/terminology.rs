//! All code systems and value sets, each made ready when first asked for.

use std::{collections::HashMap, sync::OnceLock};

use techo_profiles::{
    Definitions,
    codes::{Codes, Membership},
    json::Json,
};

use crate::{CodeSystem, ExpandError, Expansion, ValueSet, expand, local};

/// Answers about codes.
pub struct Terminology {
    pub(crate) definitions: &'static Definitions,
    systems: HashMap<Box<str>, OnceLock<CodeSystem>>,
    sets: HashMap<Box<str>, OnceLock<ValueSet>>,
    own: Vec<Json>,
}

impl Terminology {
    /// HL7's terminology, and our own under `base`.
    pub fn new(definitions: &'static Definitions, base: &str) -> Self {
        let mut systems: HashMap<Box<str>, OnceLock<CodeSystem>> =
            definitions.code_systems().map(|(url, _)| (url.into(), OnceLock::new())).collect();
        let mut sets: HashMap<Box<str>, OnceLock<ValueSet>> =
            definitions.value_sets().map(|(url, _)| (url.into(), OnceLock::new())).collect();
        let own = local::code_systems(base);
        for facts in own.iter().map(local::facts) {
            if let Some(set) = local::whole(&facts) {
                sets.insert(set.url.clone(), OnceLock::from(ValueSet::new(set)));
            }
            systems.insert(facts.url.clone(), OnceLock::from(CodeSystem::new(facts)));
        }
        Self { definitions, systems, sets, own }
    }

    /// The code system with that canonical URL, a `|version` at its end let pass.
    pub fn code_system(&self, url: &str) -> Option<&CodeSystem> {
        let (url, cell) = find(&self.systems, url)?;
        if cell.get().is_none() {
            let facts = self.definitions.code_system(url)?;
            let _ = cell.set(CodeSystem::new(facts));
        }
        cell.get()
    }

    /// The value set with that canonical URL, a `|version` at its end let pass.
    pub fn value_set(&self, url: &str) -> Option<&ValueSet> {
        let (url, cell) = find(&self.sets, url)?;
        if cell.get().is_none() {
            let facts = self.definitions.value_set(url)?;
            let _ = cell.set(ValueSet::new(facts));
        }
        cell.get()
    }

    /// Lists the codes of a value set.
    ///
    /// # Errors
    /// [`ExpandError`] if not all of its codes can be known.
    pub fn expand(&self, url: &str) -> Result<Expansion, ExpandError> {
        expand::expand(self, url)
    }

    /// Our own CodeSystem resources, as they are served.
    pub fn own(&self) -> &[Json] {
        &self.own
    }

    /// The text shown for a code in a language, where one of our own has it.
    pub fn display_in(&self, system: &str, code: &str, language: &str) -> Option<&str> {
        let resource = self.own.iter().find(|resource| resource.str("url") == Some(system))?;
        let concept = resource.list("concept").iter().find(|concept| concept.str("code") == Some(code))?;
        if resource.str("language") == Some(language) {
            return concept.str("display");
        }
        let mut designations = concept.list("designation").iter();
        designations.find(|one| one.str("language") == Some(language))?.str("value")
    }

    /// Whether a system has a code at all, wherever it is used.
    pub fn has_code(&self, system: &str, code: &str) -> Membership {
        crate::value_set::in_system(self, system, code)
    }

    pub(crate) fn in_set(&self, url: &str, system: Option<&str>, code: &str, depth: usize) -> Membership {
        match self.value_set(url) {
            Some(set) if depth < MAX_DEPTH => set.has(self, system, code, depth),
            _ => Membership::Unknown,
        }
    }
}

/// What is kept under a canonical URL, or under it without its `|version`.
pub(crate) fn find<'a, T>(table: &'a HashMap<Box<str>, T>, url: &str) -> Option<(&'a str, &'a T)> {
    let found = table.get_key_value(url).or_else(|| table.get_key_value(url.split('|').next()?));
    found.map(|(key, value)| (&**key, value))
}

impl Codes for Terminology {
    fn member(&self, value_set: &str, system: Option<&str>, code: &str) -> Membership {
        self.in_set(value_set, system, code, 0)
    }

    fn subsumes(&self, system: &str, ancestor: &str, code: &str) -> Option<bool> {
        self.code_system(system)?.subsumes(ancestor, code)
    }

    fn display(&self, system: &str, code: &str) -> Option<&str> {
        self.code_system(system)?.concept(code)?.display.as_deref()
    }
}

/// More sets than draw on one another anywhere.
pub(crate) const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests;
