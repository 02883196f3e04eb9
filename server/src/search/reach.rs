//! Which resources here a reference parameter can lead to.
//!
//! A definition's `target` says what its author had in mind for all of its types
//! together: `patient` may be a Group, `depends-on` anything at all. What can stand
//! in the elements is less. Their own definitions say which types a Reference may be
//! to, and writing holds to them; a canonical names its target by an address and not
//! by type and id: it leads to types that have addresses ([`named`]).
//!
//! Source: FHIR R4 references.html#canonical, search.html#include

use techo_profiles::Definitions;
use techo_profiles::definitions::{ElementDef, ParameterKind, SearchParameter};

use super::trail::{Trail, branches};

/// The numbers of the types, sorted; `None` for any type.
pub type Reach = Option<Vec<u16>>;

/// What a definition's references can be to, in resources of type `name`.
pub fn reach(definitions: &Definitions, name: &str, definition: &SearchParameter) -> Reach {
    let trail = |branch| Trail::of(definitions, name, branch);
    let trails: Vec<Option<Trail>> = branches(definition.expression_for(name)).into_iter().map(trail).collect();
    let found = along(definitions, trails.iter().map(Option::as_ref));
    let declared: Vec<u16> = definition.targets.iter().filter_map(|name| definitions.type_number(name)).collect();
    if declared.is_empty() { found } else { Some(common(declared, found.as_deref())) }
}

/// What a definition's references and canonical URLs can lead to.
pub fn brought(definitions: &Definitions, name: &str, definition: &SearchParameter) -> Reach {
    let mut all = reach(definitions, name, definition)?;
    all.extend(named(definitions, name, definition));
    Some(all)
}

/// The numbers of the types that a definition's canonical URLs can name, sorted: no
/// others than those that are found by a URL of their own.
pub fn named(definitions: &Definitions, name: &str, definition: &SearchParameter) -> Vec<u16> {
    let has_address = |kind: &&str| is_canonical(definitions, kind);
    let addressed = || definitions.resource_types().iter().copied().filter(has_address);
    let numbers = |names: &mut dyn Iterator<Item = &str>| -> Vec<u16> {
        names.filter_map(|name| definitions.type_number(name)).collect()
    };
    let trails =
        branches(definition.expression_for(name)).into_iter().filter_map(|one| Trail::of(definitions, name, one));
    let mut found = Vec::new();
    for trail in trails.filter(|trail| trail.types().iter().any(|kind| &**kind == CANONICAL)) {
        for path in trail.ends() {
            found.extend(targets(definitions, path, CANONICAL).unwrap_or_else(|| numbers(&mut addressed())));
        }
    }
    let declared = numbers(&mut definition.targets.iter().map(String::as_str));
    let all = numbers(&mut addressed());
    found.retain(|kind| all.contains(kind) && (declared.is_empty() || declared.contains(kind)));
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether resources of the type have a canonical URL, which searches find. The `url` of a
/// Device is where it is reached.
fn is_canonical(definitions: &Definitions, kind: &str) -> bool {
    let is = |element: &str, type_name: &str| {
        let facts = definitions.type_def(kind).and_then(|facts| facts.element(&format!("{kind}.{element}")));
        facts.is_some_and(|element| element.types.iter().any(|one| &*one.code == type_name))
    };
    let url = definitions.parameter(kind, "url").filter(|url| url.kind == ParameterKind::Uri);
    url.is_some() && is("url", "uri") && is("version", "string")
}

/// What the elements can be to that these trails end at; one that is not known may
/// end anywhere.
fn along<'a>(definitions: &Definitions, trails: impl Iterator<Item = Option<&'a Trail>>) -> Reach {
    let mut all = Vec::new();
    for trail in trails {
        let trail = trail?;
        let (kept, before) = match trail.to() {
            Some((kept, before)) => (definitions.type_number(kept), Some(before)),
            None => (None, None),
        };
        let found = of(definitions, before.as_ref().unwrap_or(trail));
        match kept {
            Some(kept) if found.as_ref().is_none_or(|found| found.contains(&kept)) => all.push(kept),
            Some(_) => {}
            None => all.extend(found?),
        }
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

fn of(definitions: &Definitions, trail: &Trail) -> Reach {
    let mut found = Vec::new();
    for name in trail.types() {
        match &**name {
            CANONICAL | "uri" | "url" => {}
            REFERENCE => {
                for path in trail.ends() {
                    found.extend(targets(definitions, path, REFERENCE)?);
                }
            }
            // A resource held inline is itself what is meant: no other here.
            RESOURCE => {}
            // An extension's value.
            _ => return None,
        }
    }
    Some(found)
}

/// What the references of an element may be to, or its canonical URLs.
///
/// * `path`: `Observation.subject`, `Observation.value`
/// * `by`: the type of which of these.
fn targets(definitions: &Definitions, path: &str, by: &str) -> Reach {
    let facts = definitions.type_def(path.split('.').next().unwrap_or(path))?;
    let element = facts.element(path).or_else(|| facts.element(&format!("{path}[x]")))?;
    let profiles: Vec<&str> = profiles(element, by).collect();
    // None named, or one that is no type: any.
    let number = |url: &&str| definitions.type_number(url.rsplit('/').next().unwrap_or(url));
    if profiles.is_empty() { None } else { profiles.iter().map(number).collect() }
}

fn profiles<'e>(element: &'e ElementDef, by: &str) -> impl Iterator<Item = &'e str> {
    let types = element.types.iter().filter(move |one| &*one.code == by);
    types.flat_map(|one| one.target_profiles.iter().map(|url| &**url))
}

fn common(declared: Vec<u16>, found: Option<&[u16]>) -> Vec<u16> {
    let mut both: Vec<u16> =
        declared.into_iter().filter(|kind| found.is_none_or(|found| found.contains(kind))).collect();
    both.sort_unstable();
    both
}

const CANONICAL: &str = "canonical";
const REFERENCE: &str = "Reference";
const RESOURCE: &str = "Resource";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_elements_can_hold_is_what_can_be_reached() {
        let definitions = Definitions::embedded();
        for (name, code, expected) in [
            // Declared for a Group too, which this element cannot be.
            ("AllergyIntolerance", "patient", Some(vec!["Patient"])),
            ("Observation", "patient", Some(vec!["Patient"])),
            ("Observation", "subject", Some(vec!["Device", "Group", "Location", "Patient"])),
            ("MedicationRequest", "medication", Some(vec!["Medication"])),
            // Declared for everything, and all of it canonical.
            ("Library", "depends-on", Some(vec![])),
            ("QuestionnaireResponse", "questionnaire", Some(vec![])),
            ("PlanDefinition", "definition", Some(vec![])),
            ("Bundle", "composition", Some(vec![])),
        ] {
            let definition = definitions.parameter(name, code).expect("a parameter of R4");
            let found = reach(definitions, name, definition);
            let names = found.map(|all| all.iter().filter_map(|one| definitions.type_name(*one)).collect::<Vec<_>>());
            assert_eq!(names, expected, "{name} {code}");
        }
        let target = definitions.parameter("Provenance", "target").expect("a parameter of R4");
        assert_eq!(reach(definitions, "Provenance", target).map(|all| all.len()), Some(target.targets.len()));
    }

    #[test]
    fn a_canonical_url_names_types_that_have_one() {
        let definitions = Definitions::embedded();
        for (name, code, expected) in [
            ("QuestionnaireResponse", "questionnaire", vec!["Questionnaire"]),
            ("PlanDefinition", "definition", vec!["ActivityDefinition", "PlanDefinition", "Questionnaire"]),
            ("ConceptMap", "source", vec!["ValueSet"]),
            ("Observation", "subject", vec![]),
            ("Observation", "code", vec![]),
        ] {
            let definition = definitions.parameter(name, code).expect("a parameter of R4");
            let found = named(definitions, name, definition);
            let names: Vec<&str> = found.iter().filter_map(|one| definitions.type_name(*one)).collect();
            assert_eq!(names, expected, "{name} {code}");
        }
        // Declared for anything: what of it has an address.
        let any = definitions.parameter("Library", "depends-on").expect("a parameter of R4");
        let any = named(definitions, "Library", any);
        assert!(any.len() > 20 && any.len() < 60, "{}", any.len());
    }

    #[test]
    fn hardly_anything_is_reached_by_elements_unknown() {
        let definitions = Definitions::embedded();
        let mut unknown = Vec::new();
        for name in definitions.resource_types() {
            for parameter in definitions.parameters(name).iter().filter(|one| one.kind == ParameterKind::Reference) {
                for branch in branches(parameter.expression_for(name)) {
                    let trail = Trail::of(definitions, name, branch).expect("R4's references are trails");
                    for path in trail.ends().filter(|_| trail.types().iter().any(|one| &**one == "Reference")) {
                        let root = path.split('.').next().unwrap_or(path);
                        let facts = definitions.type_def(root).expect("a type");
                        if facts.element(path).or_else(|| facts.element(&format!("{path}[x]"))).is_none() {
                            unknown.push(format!("{name} {}: {path}", parameter.code));
                        }
                    }
                }
            }
        }
        assert_eq!(unknown, [""; 0]);
    }
}
