//! One code system: its codes, found by code, and what lies above what.

use std::collections::{HashMap, HashSet};

use techo_profiles::definitions::{CodeSystemFacts, Concept};

use crate::property::Properties;

/// A code system ready to be asked.
#[derive(Debug)]
pub struct CodeSystem {
    facts: CodeSystemFacts,
    /// Positions in the facts, by code, in lower case where case does not count.
    places: HashMap<Box<str>, usize>,
    /// What its concepts are said to be, where that was read.
    properties: Option<Properties>,
}

impl CodeSystem {
    /// Makes the tables.
    pub fn new(facts: CodeSystemFacts) -> Self {
        let folds = facts.case_sensitive == Some(false);
        let place = |(at, concept): (usize, &Concept)| {
            let code = if folds { concept.code.to_lowercase().into() } else { concept.code.clone() };
            (code, at)
        };
        let places = facts.concepts.iter().enumerate().map(place).collect();
        Self { facts, places, properties: None }
    }

    /// The same, with what its concepts are said to be.
    pub(crate) fn with(self, properties: Properties) -> Self {
        Self { properties: Some(properties), ..self }
    }

    /// What its concepts are said to be, if that is known.
    pub(crate) fn properties(&self) -> Option<&Properties> {
        self.properties.as_ref()
    }

    /// Whether the code is known and no longer to be used.
    pub(crate) fn is_inactive(&self, code: &str) -> bool {
        self.place(code).is_some_and(|at| {
            let status = self.facts.concepts[at].status.as_deref();
            let said =
                self.properties.as_ref().is_some_and(|known| known.of(at, "inactive").any(|value| value == "true"));
            said || matches!(status, Some("retired" | "inactive"))
        })
    }

    /// What the system is made of.
    pub fn facts(&self) -> &CodeSystemFacts {
        &self.facts
    }

    /// Whether every code of the system is here.
    pub fn is_complete(&self) -> bool {
        &*self.facts.content == "complete"
    }

    /// The concept of a code.
    pub fn concept(&self, code: &str) -> Option<&Concept> {
        self.place(code).map(|at| &self.facts.concepts[at])
    }

    pub(crate) fn place(&self, code: &str) -> Option<usize> {
        if self.facts.case_sensitive == Some(false) {
            return self.places.get(code.to_lowercase().as_str()).copied();
        }
        self.places.get(code).copied()
    }

    /// Whether `ancestor` is `code` or lies above it. None if either is not here,
    /// if the hierarchy means something else than "is a", or if only a part of the
    /// system is here and that part does not show it.
    pub fn subsumes(&self, ancestor: &str, code: &str) -> Option<bool> {
        let (ancestor, code) = (self.place(ancestor)?, self.place(code)?);
        if ancestor == code {
            return Some(true);
        }
        // HL7's own systems that nest their codes without saying what it means, mean "is a".
        if self.facts.hierarchy.as_deref().is_some_and(|meaning| meaning != "is-a") {
            return None;
        }
        if self.is_above(ancestor, code) { Some(true) } else { self.is_complete().then_some(false) }
    }

    fn is_above(&self, ancestor: usize, code: usize) -> bool {
        let (mut seen, mut next) = (HashSet::new(), vec![code]);
        while let Some(at) = next.pop() {
            for parent in self.facts.concepts[at].parents.iter().map(|&parent| parent as usize) {
                if parent == ancestor {
                    return true;
                }
                if parent < self.facts.concepts.len() && seen.insert(parent) {
                    next.push(parent);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(content: &str, hierarchy: Option<&str>, case_sensitive: Option<bool>) -> CodeSystem {
        let concept = |code: &str, parents: &[u32]| Concept {
            code: code.into(),
            parents: parents.to_vec(),
            ..Concept::default()
        };
        CodeSystem::new(CodeSystemFacts {
            url: "http://a".into(),
            version: None,
            name: "A".into(),
            content: content.into(),
            case_sensitive,
            hierarchy: hierarchy.map(Box::from),
            value_set: None,
            concepts: vec![concept("top", &[]), concept("Mid", &[0]), concept("low", &[1, 3]), concept("other", &[])],
        })
    }

    #[test]
    fn what_lies_above_subsumes() {
        let complete = system("complete", Some("is-a"), Some(true));
        for (ancestor, code, expected) in [
            ("top", "low", Some(true)),
            ("other", "low", Some(true)),
            ("low", "low", Some(true)),
            ("low", "top", Some(false)),
            ("other", "Mid", Some(false)),
            ("top", "nope", None),
            ("nope", "nope", None),
            ("mid", "low", None),
        ] {
            assert_eq!(complete.subsumes(ancestor, code), expected, "{ancestor} over {code}");
        }
    }

    #[test]
    fn a_part_of_a_system_cannot_deny() {
        let fragment = system("fragment", None, None);
        assert_eq!(fragment.subsumes("top", "low"), Some(true));
        assert_eq!(fragment.subsumes("low", "top"), None);
    }

    #[test]
    fn parts_are_no_kinds() {
        let parts = system("complete", Some("part-of"), None);
        assert_eq!(parts.subsumes("top", "low"), None);
        assert_eq!(parts.subsumes("top", "top"), Some(true));
    }

    #[test]
    fn case_counts_unless_the_system_says_it_does_not() {
        assert!(system("complete", None, None).concept("mid").is_none());
        assert!(system("complete", None, Some(false)).concept("mid").is_some());
    }

    #[test]
    fn a_hierarchy_that_bites_its_tail_ends() {
        let mut facts = system("complete", None, None).facts;
        facts.concepts[0].parents = vec![2, 99];
        assert_eq!(CodeSystem::new(facts).subsumes("nope", "low"), None);
    }
}
