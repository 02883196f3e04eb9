//! A stored ValueSet or CodeSystem, read.
//!
//! What a set says that is not done here is kept as its flaw and told when it is
//! asked: a set is never worked out without a part of what it says.
//!
//! Source: FHIR R4 valueset.html, codesystem.html

use techo_profiles::{
    definitions::{ValueSetFacts, read},
    json::Json,
};

use crate::{CodeSystem, ValueSet, property::Properties};

/// A ValueSet.
///
/// * `called`: what its user calls it, should it have no URL.
pub fn value_set(resource: Json, called: &str) -> ValueSet {
    let flaw = flaw(&resource);
    let compose = resource.get("compose");
    let locked = compose.is_some_and(|compose| compose.get("lockedDate").is_some());
    let active_only = compose.and_then(|compose| compose.get("inactive")).and_then(Json::as_bool) == Some(false);
    let listed_alone = compose.is_none();
    let (facts, flaw) = match read::value_set(&named(resource, called)) {
        Ok(facts) => (facts, flaw),
        Err(lacks) => (empty(called), Some(format!("ValueSet.{}", lacks.0).into())),
    };
    let of_the_day = facts.include.iter().chain(&facts.exclude).any(|part| {
        let unsaid = part.system.is_some() && part.version.is_none() && part.concepts.is_empty();
        unsaid || part.value_sets.iter().any(|set| !set.contains('|'))
    });
    let flaw = flaw.or_else(|| (of_the_day && locked).then(|| "ValueSet.compose.lockedDate".into()));
    let mut set = ValueSet::new(facts);
    (set.active_only, set.listed_alone, set.is_built_in, set.flaw) = (active_only, listed_alone, false, flaw);
    set
}

/// A CodeSystem; `None` if it has not what each must have.
pub fn code_system(resource: Json) -> Option<CodeSystem> {
    // What must be understood and is not may turn any answer round.
    if unknown(&resource, "CodeSystem").is_some() {
        return None;
    }
    let properties = Properties::read(&resource);
    read::code_system(&named(resource, "")).ok().map(|facts| CodeSystem::new(facts).with(properties))
}

/// With the name and URL that HL7's own always have.
fn named(mut resource: Json, called: &str) -> Json {
    for (name, text) in [("name", ""), ("url", called)] {
        if resource.str(name).is_none() {
            resource.set(name, Json::from(text));
        }
    }
    resource
}

fn empty(called: &str) -> ValueSetFacts {
    ValueSetFacts {
        url: called.into(),
        version: None,
        name: "".into(),
        include: Vec::new(),
        exclude: Vec::new(),
        expansion: Vec::new(),
    }
}

fn flaw(resource: &Json) -> Option<Box<str>> {
    let unknown = |name: &str| unknown(resource.get(name)?, &format!("ValueSet.{name}"));
    if resource.get("modifierExtension").is_some() {
        return Some("ValueSet.modifierExtension".into());
    }
    if resource.get("compose").is_some() {
        return unknown("compose").map(Into::into);
    }
    let Some(expansion) = resource.get("expansion") else { return Some("ValueSet.compose".into()) };
    unknown("expansion").or_else(|| partial(expansion)).map(Into::into)
}

/// The first modifier extension in it, wherever it stands.
fn unknown(json: &Json, path: &str) -> Option<String> {
    for member in json.members() {
        let here = format!("{path}.{}", member.name);
        if &*member.name == "modifierExtension" {
            return Some(here);
        }
        let value = &member.value;
        let found = if value.is_array() {
            let each = value.items().iter().enumerate();
            each.filter(|(_, one)| one.is_object()).find_map(|(at, one)| unknown(one, &format!("{here}[{at}]")))
        } else {
            unknown(value, &here)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What shows that an expansion is not all of the set.
fn partial(expansion: &Json) -> Option<String> {
    const OPEN: [&str; 2] = ["valueset-unclosed", "valueset-toocostly"];
    const NARROWING: [&str; 2] = ["filter", "limitedExpansion"];
    let is_open = |extension: &Json| {
        let url = extension.str("url").unwrap_or_default();
        let says = extension.get("valueBoolean").and_then(Json::as_bool) == Some(true);
        says && OPEN.iter().any(|name| url.ends_with(name))
    };
    if let Some(at) = expansion.list("extension").iter().position(is_open) {
        return Some(format!("ValueSet.expansion.extension[{at}]"));
    }
    let number = |name: &str| expansion.get(name).and_then(Json::as_i64);
    if number("offset").is_some_and(|offset| offset > 0) {
        return Some("ValueSet.expansion.offset".to_owned());
    }
    if number("total").is_some_and(|total| total > count(expansion)) {
        return Some("ValueSet.expansion.total".to_owned());
    }
    let narrows = |parameter: &Json| {
        let name = parameter.str("name").unwrap_or_default();
        NARROWING.contains(&name) && parameter.get("valueBoolean").and_then(Json::as_bool) != Some(false)
    };
    let at = expansion.list("parameter").iter().position(narrows)?;
    Some(format!("ValueSet.expansion.parameter[{at}]"))
}

fn count(listed: &Json) -> i64 {
    let each = listed.list("contains").iter();
    each.map(|one| count(one) + i64::from(one.str("code").is_some())).sum()
}
