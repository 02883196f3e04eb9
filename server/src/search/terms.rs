//! What a search asks about codes: hierarchies and value sets.

use std::sync::Arc;

use techo_terminology::expand::MOST_CODES;
use techo_terminology::{CodeSystem, Expanded, Fault, Terminology};

use super::reason::Reason;

/// Answers about codes. Nothing is guessed where it cannot be told, for a search that
/// left out a code would look complete.
pub trait Terms: Sync {
    /// The code and all below it; `None` if that cannot be told.
    fn below(&self, system: &str, code: &str) -> Option<Vec<Box<str>>>;

    /// The code and all above it; `None` if that cannot be told.
    fn above(&self, system: &str, code: &str) -> Option<Vec<Box<str>>>;

    /// All members of a value set.
    ///
    /// # Errors
    /// The reason why they cannot be told.
    fn members(&self, value_set: &str) -> Result<Arc<Members>, Reason>;
}

/// The members of a value set, each once, as system (`""` for none) and code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<(Box<str>, Box<str>)>);

impl Members {
    /// Those of an expansion.
    pub fn of(codes: Vec<Expanded>) -> Self {
        let pair = |one: Expanded| (one.system.unwrap_or_default().into(), one.code.into());
        let mut pairs: Vec<(Box<str>, Box<str>)> = codes.into_iter().map(pair).collect();
        pairs.sort_unstable();
        pairs.dedup();
        Self(pairs)
    }

    /// All of them, by system.
    pub fn pairs(&self) -> &[(Box<str>, Box<str>)] {
        &self.0
    }

    /// Whether a code is among them; without a system, one of any system.
    pub fn has(&self, system: Option<&str>, code: &str) -> bool {
        match system {
            Some(system) => self.0.binary_search_by(|(of, is)| (&**of, &**is).cmp(&(system, code))).is_ok(),
            None => self.0.iter().any(|(_, is)| **is == *code),
        }
    }
}

impl Terms for Terminology {
    fn below(&self, system: &str, code: &str) -> Option<Vec<Box<str>>> {
        let known = self.code_system(system)?;
        related(known, code, &|other| known.subsumes(code, other))
    }

    fn above(&self, system: &str, code: &str) -> Option<Vec<Box<str>>> {
        let known = self.code_system(system)?;
        related(known, code, &|other| known.subsumes(other, code))
    }

    fn members(&self, value_set: &str) -> Result<Arc<Members>, Reason> {
        let all = self.expand(value_set).map_err(|error| match error.fault {
            Fault::TooLarge => Reason::ManyCodes { most: MOST_CODES },
            _ => Reason::NoValueSet,
        })?;
        Ok(Arc::new(Members::of(all.codes)))
    }
}

/// The codes of a system for which `is` holds; `None` if it cannot tell of any one.
pub(crate) fn related(known: &CodeSystem, code: &str, is: &dyn Fn(&str) -> Option<bool>) -> Option<Vec<Box<str>>> {
    known.concept(code)?;
    let mut found = Vec::new();
    for concept in &known.facts().concepts {
        if is(&concept.code)? {
            found.push(concept.code.clone());
        }
    }
    Some(found)
}

/// Knows no code.
#[cfg(test)]
pub(super) struct NoTerms;

#[cfg(test)]
impl Terms for NoTerms {
    fn below(&self, _: &str, _: &str) -> Option<Vec<Box<str>>> {
        None
    }

    fn above(&self, _: &str, _: &str) -> Option<Vec<Box<str>>> {
        None
    }

    fn members(&self, _: &str) -> Result<Arc<Members>, Reason> {
        Err(Reason::NoValueSet)
    }
}
