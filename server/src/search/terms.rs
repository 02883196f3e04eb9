//! What a search asks about codes: hierarchies and value sets.

use techo_profiles::codes::Codes;
use techo_terminology::Terminology;

/// Answers about codes. `None` where it cannot be told: nothing is guessed, for a
/// search that left out a code would look complete.
pub trait Terms: Sync {
    /// The code and all below it.
    fn below(&self, system: &str, code: &str) -> Option<Vec<Box<str>>>;

    /// The code and all above it.
    fn above(&self, system: &str, code: &str) -> Option<Vec<Box<str>>>;

    /// All members of a value set, as system (`""` for none) and code.
    fn members(&self, value_set: &str) -> Option<Vec<(Box<str>, Box<str>)>>;
}

impl Terms for Terminology {
    fn below(&self, system: &str, code: &str) -> Option<Vec<Box<str>>> {
        related(self, system, code, &|other| self.subsumes(system, code, other))
    }

    fn above(&self, system: &str, code: &str) -> Option<Vec<Box<str>>> {
        related(self, system, code, &|other| self.subsumes(system, other, code))
    }

    fn members(&self, value_set: &str) -> Option<Vec<(Box<str>, Box<str>)>> {
        let all = self.expand(value_set).ok()?.codes;
        let pair = |one: techo_terminology::Expanded| (one.system.unwrap_or_default().into(), one.code.into());
        Some(all.into_iter().map(pair).collect())
    }
}

/// The codes of a system for which `is` holds; `None` if it cannot tell of any one.
fn related(all: &Terminology, system: &str, code: &str, is: &dyn Fn(&str) -> Option<bool>) -> Option<Vec<Box<str>>> {
    let known = all.code_system(system)?;
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

    fn members(&self, _: &str) -> Option<Vec<(Box<str>, Box<str>)>> {
        None
    }
}
