//! A value set's codes, listed.
//!
//! Listing needs every code, so a set that draws on a system whose codes are not
//! all here is refused, saying which system, rather than listed in part.
//!
//! Source: FHIR R4 valueset-operation-expand.html

use std::collections::HashSet;

use techo_profiles::{codes::Membership, definitions::SetPart};

use crate::{Terminology, terminology::MAX_DEPTH, value_set::passes};

/// A value set's codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The set's canonical URL.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// The codes, each once.
    pub codes: Vec<Expanded>,
}

/// One code of an expansion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expanded {
    /// Its system.
    pub system: Option<String>,
    /// The code.
    pub code: String,
    /// The text shown for it.
    pub display: Option<String>,
    /// Whether it only groups others.
    pub is_abstract: bool,
    /// Whether it is no longer to be used.
    pub is_inactive: bool,
}

/// Why a set cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// There is no such value set here.
    #[error("there is no value set {0} here")]
    UnknownSet(String),
    /// The codes of a system that it draws on are not all here.
    #[error("the codes of {0} are not all here")]
    UnknownSystem(String),
    /// A filter that cannot be worked out.
    #[error("the filter {0} cannot be worked out")]
    Filter(String),
    /// Sets that draw on one another without end.
    #[error("the value sets draw on one another too deeply")]
    TooDeep,
}

impl Terminology {
    /// Lists the codes of a value set.
    ///
    /// # Errors
    /// [`ExpandError`] if not all of its codes can be known.
    pub fn expand(&self, url: &str) -> Result<Expansion, ExpandError> {
        let set = self.value_set(url).ok_or_else(|| ExpandError::UnknownSet(url.to_owned()))?;
        let codes = self.codes_of(url, 0)?;
        let version = set.facts.version.as_deref().map(str::to_owned);
        Ok(Expansion { url: set.facts.url.to_string(), version, codes })
    }

    fn codes_of(&self, url: &str, depth: usize) -> Result<Vec<Expanded>, ExpandError> {
        let set = self.value_set(url).ok_or_else(|| ExpandError::UnknownSet(url.to_owned()))?;
        if depth >= MAX_DEPTH {
            return Err(ExpandError::TooDeep);
        }
        let composed = self.sum(&set.facts.include, depth).and_then(|included| {
            let excluded = self.sum(&set.facts.exclude, depth)?;
            let out: HashSet<_> = excluded.iter().map(|one| (&one.system, &one.code)).collect();
            Ok(included.iter().filter(|one| !out.contains(&(&one.system, &one.code))).cloned().collect())
        });
        if composed.is_ok() || set.facts.expansion.is_empty() {
            return composed;
        }
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let listed = set.facts.expansion.iter().map(|listed| Expanded {
            system: owned(&listed.system),
            code: listed.code.to_string(),
            display: owned(&listed.display),
            is_abstract: listed.is_abstract,
            is_inactive: false,
        });
        Ok(listed.collect())
    }

    fn sum(&self, parts: &[SetPart], depth: usize) -> Result<Vec<Expanded>, ExpandError> {
        let mut seen = HashSet::new();
        let mut codes = Vec::new();
        for part in parts {
            for one in self.part(part, depth)? {
                if seen.insert((one.system.clone(), one.code.clone())) {
                    codes.push(one);
                }
            }
        }
        Ok(codes)
    }

    fn part(&self, part: &SetPart, depth: usize) -> Result<Vec<Expanded>, ExpandError> {
        let mut sets = part.value_sets.iter().map(|url| self.codes_of(url, depth + 1));
        let mut codes = match &part.system {
            Some(system) => self.of_system(system, part)?,
            None => sets.next().unwrap_or_else(|| Ok(Vec::new()))?,
        };
        for set in sets {
            let inner: HashSet<_> = set?.into_iter().map(|one| (one.system, one.code)).collect();
            codes.retain(|one| inner.contains(&(one.system.clone(), one.code.clone())));
        }
        Ok(codes)
    }

    fn of_system(&self, system: &str, part: &SetPart) -> Result<Vec<Expanded>, ExpandError> {
        let known = self.code_system(system);
        let made = |code: &str, display: Option<&str>| {
            let concept = known.and_then(|known| known.concept(code));
            let display = display.or_else(|| concept?.display.as_deref());
            Expanded {
                system: Some(system.to_owned()),
                code: code.to_owned(),
                display: display.map(str::to_owned),
                is_abstract: concept.is_some_and(|concept| concept.is_abstract),
                is_inactive: concept.is_some_and(|concept| concept.status.as_deref() == Some("retired")),
            }
        };
        if !part.concepts.is_empty() {
            return Ok(part.concepts.iter().map(|one| made(&one.code, one.display.as_deref())).collect());
        }
        let complete = known.filter(|known| known.is_complete());
        let complete = complete.ok_or_else(|| ExpandError::UnknownSystem(system.to_owned()))?;
        let mut codes = Vec::new();
        for concept in &complete.facts().concepts {
            let mut is_in = true;
            for filter in &part.filters {
                match passes(self, system, filter, &concept.code) {
                    Membership::Yes => {}
                    Membership::No => is_in = false,
                    Membership::Unknown => {
                        return Err(ExpandError::Filter(format!("{} {}", filter.property, filter.op)));
                    }
                }
            }
            if is_in {
                codes.push(made(&concept.code, None));
            }
        }
        Ok(codes)
    }
}
