//! What a CodeSystem says of its concepts beside code, display and place.
//!
//! Source: FHIR R4 codesystem.html, concept-properties.html

use std::collections::HashSet;

use techo_profiles::json::Json;

/// The properties of all concepts of a system, in the order of its facts.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    declared: HashSet<Box<str>>,
    values: Vec<Vec<(Box<str>, Box<str>)>>,
}

impl Properties {
    /// Reads them off a CodeSystem.
    pub(crate) fn read(resource: &Json) -> Self {
        let declared = resource.list("property").iter().filter_map(|one| one.str("code").map(Box::from)).collect();
        let mut values = Vec::new();
        resource.list("concept").iter().for_each(|concept| add(concept, &mut values));
        Self { declared, values }
    }

    /// Whether the system has a property of this name at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    /// The values of one concept's property, as text; of a Coding its code.
    pub(crate) fn of<'p>(&'p self, at: usize, name: &'p str) -> impl Iterator<Item = &'p str> {
        let own = self.values.get(at).into_iter().flatten();
        own.filter(move |(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

/// A concept before those nested in it: the order of the facts.
fn add(concept: &Json, values: &mut Vec<Vec<(Box<str>, Box<str>)>>) {
    let read = |property: &Json| Some((Box::from(property.str("code")?), value(property)?));
    values.push(concept.list("property").iter().filter_map(read).collect());
    concept.list("concept").iter().for_each(|child| add(child, values));
}

fn value(property: &Json) -> Option<Box<str>> {
    if let Some(coding) = property.get("valueCoding") {
        return coding.str("code").map(Box::from);
    }
    let names = ["valueCode", "valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueDecimal"];
    let value = names.iter().find_map(|name| property.get(name))?;
    let truth = value.as_bool().map(|truth| if truth { "true" } else { "false" });
    value.as_str().or_else(|| value.as_number()).or(truth).map(Box::from)
}
