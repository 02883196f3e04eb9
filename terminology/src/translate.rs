//! A code of one system in terms of another, by a concept map.
//!
//! Source: FHIR R4 conceptmap-operation-translate.html

use techo_profiles::definitions::{ConceptMapFacts, MapGroup};

use crate::Terminology;

/// One translation of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// `equivalent`, `wider`, …
    pub equivalence: Option<String>,
    /// The system of the code.
    pub system: Option<String>,
    /// The code.
    pub code: String,
    /// The map that says so.
    pub map: String,
}

impl Terminology {
    /// The translations of a code by one concept map; none if there is no such map.
    pub fn translate(&self, map: &str, system: &str, code: &str) -> Option<Vec<Translation>> {
        let map = self.definitions.concept_map(map)?;
        Some(by_map(&map, system, code, None))
    }

    /// The translations of a code into a system by every concept map.
    pub fn translate_to(&self, system: &str, code: &str, target: &str) -> Vec<Translation> {
        let maps = self.definitions.concept_maps().filter_map(|(url, _)| self.definitions.concept_map(url));
        maps.flat_map(|map| by_map(&map, system, code, Some(target))).collect()
    }
}

fn by_map(map: &ConceptMapFacts, system: &str, code: &str, target: Option<&str>) -> Vec<Translation> {
    let fits = |group: &&MapGroup| {
        group.source.as_deref() == Some(system) && target.is_none_or(|target| group.target.as_deref() == Some(target))
    };
    let mut found = Vec::new();
    for group in map.groups.iter().filter(fits) {
        for row in group.rows.iter().filter(|row| *row.code == *code) {
            found.extend(row.target.as_deref().map(|code| Translation {
                equivalence: row.equivalence.as_deref().map(str::to_owned),
                system: group.target.as_deref().map(str::to_owned),
                code: code.to_owned(),
                map: map.url.to_string(),
            }));
        }
    }
    found
}
