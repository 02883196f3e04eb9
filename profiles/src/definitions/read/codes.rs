//! CodeSystem, ValueSet, ConceptMap → facts.

use std::collections::HashMap;

use super::{Fact, needed, text, texts, truth};
use crate::{
    definitions::{
        CodeSystemFacts, Concept, ConceptMapFacts, ListedCode, MapGroup, MapRow, PartConcept, PartFilter, SetPart,
        ValueSetFacts,
    },
    json::Json,
};

/// A CodeSystem's facts.
///
/// # Errors
/// [`Lacks`] names what every such definition has and this one has not.
pub fn code_system(resource: &Json) -> Fact<CodeSystemFacts> {
    let mut concepts = Vec::new();
    let mut children = Vec::new();
    for concept in resource.list("concept") {
        add(concept, None, &mut concepts, &mut children)?;
    }
    link(&mut concepts, &children);
    Ok(CodeSystemFacts {
        url: needed(resource, "url")?,
        version: text(resource, "version"),
        name: needed(resource, "name")?,
        content: needed(resource, "content")?,
        case_sensitive: resource.get("caseSensitive").and_then(Json::as_bool),
        hierarchy: text(resource, "hierarchyMeaning"),
        value_set: text(resource, "valueSet"),
        concepts,
    })
}

fn add(json: &Json, parent: Option<u32>, concepts: &mut Vec<Concept>, children: &mut Vec<(u32, Box<str>)>) -> Fact<()> {
    let mine = u32::try_from(concepts.len()).unwrap_or(u32::MAX);
    let mut concept = Concept {
        code: needed(json, "code")?,
        display: text(json, "display"),
        parents: parent.into_iter().collect(),
        ..Concept::default()
    };
    for property in json.list("property") {
        match property.str("code") {
            Some("notSelectable" | "abstract") => concept.is_abstract |= truth(property, "valueBoolean"),
            Some("status") => concept.status = text(property, "valueCode").filter(|status| &**status != "active"),
            Some("child") => children.extend(text(property, "valueCode").map(|code| (mine, code))),
            _ => {}
        }
    }
    concepts.push(concept);
    json.list("concept").iter().try_for_each(|child| add(child, Some(mine), concepts, children))
}

/// A v3 concept under several parents stands nested in one and is named by the others.
fn link(concepts: &mut [Concept], children: &[(u32, Box<str>)]) {
    let places: HashMap<Box<str>, usize> =
        concepts.iter().enumerate().map(|(at, concept)| (concept.code.clone(), at)).collect();
    for (parent, code) in children {
        if let Some(&at) = places.get(code)
            && !concepts[at].parents.contains(parent)
        {
            concepts[at].parents.push(*parent);
        }
    }
}

/// A ValueSet's facts.
///
/// # Errors
/// [`Lacks`] names what every such definition has and this one has not.
pub fn value_set(resource: &Json) -> Fact<ValueSetFacts> {
    let parts = |name: &str| -> Fact<Vec<SetPart>> {
        resource.get("compose").map_or(&[][..], |compose| compose.list(name)).iter().map(part).collect()
    };
    let mut expansion = Vec::new();
    for listed in resource.get("expansion").map_or(&[][..], |expansion| expansion.list("contains")) {
        list(listed, &mut expansion);
    }
    Ok(ValueSetFacts {
        url: needed(resource, "url")?,
        version: text(resource, "version"),
        name: needed(resource, "name")?,
        include: parts("include")?,
        exclude: parts("exclude")?,
        expansion,
    })
}

fn part(json: &Json) -> Fact<SetPart> {
    let concept = |json: &Json| -> Fact<PartConcept> {
        Ok(PartConcept { code: needed(json, "code")?, display: text(json, "display") })
    };
    let filter = |json: &Json| -> Fact<PartFilter> {
        Ok(PartFilter { property: needed(json, "property")?, op: needed(json, "op")?, value: needed(json, "value")? })
    };
    Ok(SetPart {
        system: text(json, "system"),
        version: text(json, "version"),
        concepts: json.list("concept").iter().map(concept).collect::<Fact<_>>()?,
        filters: json.list("filter").iter().map(filter).collect::<Fact<_>>()?,
        value_sets: texts(json, "valueSet"),
    })
}

fn list(json: &Json, listed: &mut Vec<ListedCode>) {
    if let Some(code) = text(json, "code") {
        let is_abstract = truth(json, "abstract");
        listed.push(ListedCode { system: text(json, "system"), code, display: text(json, "display"), is_abstract });
    }
    for child in json.list("contains") {
        list(child, listed);
    }
}

/// A ConceptMap's facts.
///
/// # Errors
/// [`Lacks`] names what every such definition has and this one has not.
pub fn concept_map(resource: &Json) -> Fact<ConceptMapFacts> {
    let end =
        |name: &str| text(resource, &format!("{name}Canonical")).or_else(|| text(resource, &format!("{name}Uri")));
    Ok(ConceptMapFacts {
        url: needed(resource, "url")?,
        version: text(resource, "version"),
        source: end("source"),
        target: end("target"),
        groups: resource.list("group").iter().map(group).collect(),
    })
}

fn group(json: &Json) -> MapGroup {
    let mut rows = Vec::new();
    for element in json.list("element") {
        let Some(code) = text(element, "code") else { continue };
        let targets = element.list("target");
        if targets.is_empty() {
            rows.push(MapRow { code: code.clone(), target: None, equivalence: None });
        }
        for target in targets {
            rows.push(MapRow {
                code: code.clone(),
                target: text(target, "code"),
                equivalence: text(target, "equivalence"),
            });
        }
    }
    MapGroup { source: text(json, "source"), target: text(json, "target"), rows }
}
