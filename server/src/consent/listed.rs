//! What a resource lists, or is nothing without: it takes the strictest decision
//! of these (`consent.md` §4.6). A report is not shown without its results, a
//! document's bytes not without the document, a Provenance not without its targets.
//!
//! To add a type: an arm in [`listed`], its name in [`LISTING`], and the same in
//! `consent/brute.rs`, which shares no code with this.

use std::collections::HashSet;

use techo_profiles::json::Json;

use super::subject::local;

/// The types that list others.
pub const LISTING: &[&str] = &["Binary", "DiagnosticReport", "Encounter", "List", "Observation", "Provenance"];

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
        _ => {}
    }
    found
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
            (r#"{"resourceType":"Condition","evidence":[{"detail":[{"reference":"Observation/a"}]}]}"#, ""),
        ] {
            let json = Json::parse(resource.as_bytes()).expect("JSON");
            let found = listed(&json, "https://own.example/fhir");
            let text: Vec<String> = found.iter().map(|(kind, id)| format!("{kind}/{id}")).collect();
            assert_eq!(text.join(" "), expected, "{resource}");
        }
    }
}
