//! What a resource lists, or is nothing without: it takes the strictest decision
//! of these (`consent.md` §4.6). A report is not shown without its results, a
//! document's bytes not without the document, a Provenance not without its targets.
//!
//! What is not there hides the whole as what is hidden does.
//!
//! To add a type: an arm in [`parts`], its name in [`LISTING`], and the same in
//! `consent/brute.rs`, which shares no code with this. A type that recipients saw
//! before needs no more; one that they did not belongs to [`HOLDERS`] too.

use std::collections::HashSet;

use techo_profiles::json::Json;

use super::subject::{ACTOR_ROLES, SHARED, SUBJECT_ROLES, Subjects, local};
use crate::base::leads_nowhere;

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

/// The resources on this server that `resource` lists, what it contains among it: type and
/// id, each once; [`NOWHERE`] for what would be here and cannot be. Those of the shared list
/// are no secret.
///
/// * `base`: this server's own base without a slash at the end.
pub fn listed<'a>(resource: &'a Json, base: &str) -> Vec<(&'a str, &'a str)> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut add = |reference: &'a Json| {
        let Some(text) = reference.str("reference") else { return };
        let place = local(text, base).or_else(|| leads_nowhere(text, base).then_some(NOWHERE));
        found.extend(place.filter(|place| !SHARED.contains(&place.0) && seen.insert(*place)));
    };
    if HOLDERS.iter().any(|kind| resource.str("resourceType") == Some(kind)) {
        held(resource, base, &mut add);
    } else {
        std::iter::once(resource).chain(resource.list("contained")).for_each(|one| parts(one, &mut add));
    }
    found
}

/// The elements of one resource that list others.
fn parts<'a>(resource: &'a Json, add: &mut dyn FnMut(&'a Json)) {
    let mut each = |name: &str, inner: Option<&str>| {
        for part in resource.get(name).map_or(&[][..], Json::each) {
            inner.map_or(Some(part), |inner| part.get(inner)).into_iter().for_each(&mut *add);
        }
    };
    match resource.str("resourceType").unwrap_or_default() {
        "DiagnosticReport" => {
            each("media", Some("link"));
            each("result", None);
        }
        "Encounter" => each("diagnosis", Some("condition")),
        "List" => each("entry", Some("item")),
        "Provenance" => {
            each("entity", Some("what"));
            each("target", None);
        }
        "Observation" => each("hasMember", None),
        "Binary" => each("securityContext", None),
        _ => {}
    }
}

/// Whether others on this server, or that there are none, are to be kept as what
/// a resource of this type lists.
pub fn lists<T>(kind: &str, listed: &[T]) -> bool {
    HOLDERS.contains(&kind) || !listed.is_empty()
}

/// Every reference of a resource at any depth, but those to the Patients it is about and
/// to who acts.
fn held<'a>(resource: &'a Json, base: &str, add: &mut dyn FnMut(&'a Json)) {
    let own = Subjects::of(resource, base).patients;
    let mut add = |reference: &'a Json| {
        let place = reference.str("reference").and_then(|text| local(text, base));
        if !place.is_some_and(|(kind, id)| kind == "Patient" && own.iter().any(|one| **one == *id)) {
            add(reference);
        }
    };
    for member in resource.members() {
        inside(&member.value, is_role(&member.name).then_some(base), &mut add);
    }
}

/// * `acts`: the base, if it stands in the place of one who acts.
fn inside<'a>(json: &'a Json, acts: Option<&str>, add: &mut dyn FnMut(&'a Json)) {
    let place = |base| local(json.str("reference")?, base);
    let who = acts.and_then(place).is_some_and(|(kind, _)| ACTORS.contains(&kind));
    if json.get("reference").is_some() && !who {
        add(json);
    }
    json.items().iter().for_each(|item| inside(item, acts, add));
    for member in json.members() {
        // An extension of one who acts is no one who acts.
        let acts = acts.filter(|_| !member.name.ends_with("xtension"));
        inside(&member.value, acts, add);
    }
}

fn is_role(name: &str) -> bool {
    SUBJECT_ROLES.contains(&name) || ACTOR_ROLES.contains(&name) || name == "owner"
}

/// What may act.
const ACTORS: &[&str] = &["CareTeam", "Device", "Group", "Patient", "Person", "RelatedPerson"];

/// Where nothing is.
pub const NOWHERE: (&str, &str) = ("", "");

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
                r#"{"resourceType":"Task","for":{"reference":"Patient/a"},"requester":{"reference":"RelatedPerson/r"},"owner":{"reference":"CareTeam/t","extension":[{"valueReference":{"reference":"Media/m"}}]},"focus":{"reference":"ServiceRequest/s"},"input":[{"valueReference":{"reference":"Observation/o"}}]}"#,
                "Media/m ServiceRequest/s Observation/o",
            ),
            (
                r#"{"resourceType":"Task","for":{"reference":"Condition/c"},"requester":{"reference":"Patient/a"},"focus":{"reference":"Patient/a"},"note":[{"authorReference":{"reference":"Patient/b"}}]}"#,
                "Condition/c Patient/b",
            ),
            (
                r##"{"resourceType":"DiagnosticReport","result":[{"reference":"#p"},{"reference":"Observation/a/"}],"contained":[{"resourceType":"Observation","id":"p","hasMember":[{"reference":"Observation/b"}]}]}"##,
                "/ Observation/b",
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
