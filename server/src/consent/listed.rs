//! What a resource lists, or is nothing without: it takes the strictest decision
//! of these (`consent.md` §4.6). A report is not shown without its results, a
//! document's bytes not without the document, a Provenance not without its targets.
//!
//! To add a type: an arm in [`listed`], its name in [`LISTING`], and the same in
//! `consent/brute.rs`, which shares no code with this. A type that recipients saw
//! before needs no more; one that they did not belongs to [`HOLDERS`].

use std::collections::HashSet;

use techo_profiles::json::Json;

use super::subject::{ACTOR_ROLES, SUBJECT_ROLES, local};

/// The types that list others.
pub const LISTING: &[&str] = &[
    "Binary",
    "Composition",
    "DiagnosticReport",
    "Encounter",
    "List",
    "MeasureReport",
    "Observation",
    "Provenance",
    "Task",
];

/// The types that hold or describe others in many places: all that they refer to counts,
/// but whom they are about and who acts. Each says of itself that its list is kept,
/// so that one which was stored under older rules is shown to no recipient.
pub const HOLDERS: &[&str] = &["Composition", "MeasureReport", "Task"];

/// How far a list is followed: a report's panels, their parts, and the parts of
/// these. What lies deeper hides the whole, for it is not asked about.
pub const DEPTH: usize = 3;

/// The resources on this server that `resource` lists: type and id, each once.
///
/// * `base`: this server's own base without a slash at the end.
pub fn listed<'a>(resource: &'a Json, base: &str) -> Vec<(&'a str, &'a str)> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut add = |reference: Option<&'a Json>| {
        for one in reference.map_or(&[][..], Json::each) {
            let place = one.str("reference").and_then(|text| local(text, base));
            found.extend(place.filter(|place| seen.insert(*place)));
        }
    };
    let mut parts = |name: &str, inner: &str| resource.list(name).iter().for_each(|part| add(part.get(inner)));
    match resource.str("resourceType").unwrap_or_default() {
        "DiagnosticReport" => {
            parts("media", "link");
            add(resource.get("result"));
        }
        "Encounter" => parts("diagnosis", "condition"),
        "List" => parts("entry", "item"),
        "Provenance" => {
            parts("entity", "what");
            add(resource.get("target"));
        }
        "Observation" => add(resource.get("hasMember")),
        "Binary" => add(resource.get("securityContext")),
        kind if HOLDERS.contains(&kind) => all_but_roles(resource, &mut add),
        _ => {}
    }
    found
}

/// Whether others on this server, or that there are none, are to be kept as what
/// a resource of this type lists.
pub fn lists<T>(kind: &str, listed: &[T]) -> bool {
    HOLDERS.contains(&kind) || !listed.is_empty()
}

/// Every element that may be a reference, in what is contained and in extensions too.
fn all_but_roles<'a>(resource: &'a Json, add: &mut dyn FnMut(Option<&'a Json>)) {
    let roles = |name: &str| SUBJECT_ROLES.contains(&name) || ACTOR_ROLES.contains(&name);
    for member in resource.members().iter().filter(|member| !roles(&member.name)) {
        inside(&member.value, add);
    }
}

fn inside<'a>(json: &'a Json, add: &mut dyn FnMut(Option<&'a Json>)) {
    if json.get("reference").is_some() {
        add(Some(json));
    }
    json.items().iter().for_each(|item| inside(item, add));
    json.members().iter().for_each(|member| inside(&member.value, add));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed() {
        for (resource, expected) in [
            (
                r##"{"resourceType":"DiagnosticReport","result":[{"reference":"Observation/a"},{"reference":"#in"}],"media":[{"link":{"reference":"Media/m"}}]}"##,
                "Media/m Observation/a",
            ),
            (
                r#"{"resourceType":"Observation","hasMember":[{"reference":"Observation/a/_history/2"},{"reference":"Observation/a"}],"derivedFrom":[{"reference":"Observation/b"}]}"#,
                "Observation/a",
            ),
            (r#"{"resourceType":"Encounter","diagnosis":[{"condition":{"reference":"Condition/a"}}]}"#, "Condition/a"),
            (
                r#"{"resourceType":"List","entry":[{"item":{"reference":"https://own.example/fhir/Media/a"}},{"item":{"reference":"https://other.example/fhir/Media/b"}}]}"#,
                "Media/a",
            ),
            (
                r#"{"resourceType":"Provenance","target":[{"reference":"Patient/a"}],"entity":[{"what":{"reference":"DocumentReference/d"}}],"agent":[{"who":{"reference":"Patient/b"}}]}"#,
                "DocumentReference/d Patient/a",
            ),
            (
                r#"{"resourceType":"Binary","securityContext":{"reference":"DocumentReference/d"}}"#,
                "DocumentReference/d",
            ),
            (
                r#"{"resourceType":"Composition","subject":{"reference":"Patient/a"},"author":[{"reference":"Patient/b"}],"encounter":{"reference":"Encounter/e"},"section":[{"entry":[{"reference":"Condition/c"}],"section":[{"focus":{"reference":"Patient/d"},"entry":[{"reference":"Condition/c"}]}]}],"contained":[{"resourceType":"List","id":"l","entry":[{"item":{"reference":"Media/m"}}]}]}"#,
                "Encounter/e Condition/c Patient/d Media/m",
            ),
            (
                r#"{"resourceType":"Task","for":{"reference":"Patient/a"},"requester":{"reference":"RelatedPerson/r"},"owner":{"reference":"CareTeam/t"},"focus":{"reference":"ServiceRequest/s"},"input":[{"valueReference":{"reference":"Observation/o"}}]}"#,
                "CareTeam/t ServiceRequest/s Observation/o",
            ),
            (
                r#"{"resourceType":"MeasureReport","evaluatedResource":[{"reference":"Observation/o"}],"group":[{"population":[{"subjectResults":{"reference":"List/l"}}]}]}"#,
                "Observation/o List/l",
            ),
            (r#"{"resourceType":"Condition","evidence":[{"detail":[{"reference":"Observation/a"}]}]}"#, ""),
        ] {
            let json = Json::parse(resource.as_bytes()).expect("JSON");
            let found = listed(&json, "https://own.example/fhir");
            let text: Vec<String> = found.iter().map(|(kind, id)| format!("{kind}/{id}")).collect();
            assert_eq!(text.join(" "), expected, "{resource}");
        }
    }
}
