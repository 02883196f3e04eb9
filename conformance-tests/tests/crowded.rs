//! Requests that hold more of one thing than is looked up, compared or kept for anyone:
//! each is refused, and says what there is too much of.

use serde_json::{Value, json};
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{patient, weight};
use techo_conformance_tests::world::World;

/// The refusal names the place, in words for people.
fn too_costly(answer: Response, status: u16, place: &str) {
    let outcome = answer.refused(status).json();
    let issue = &outcome["issue"][0];
    assert_eq!((&issue["code"], &issue["expression"][0]), (&json!("too-costly"), &json!(place)), "{outcome}");
}

fn tags(count: usize) -> Vec<Value> {
    (0..count).map(|at| json!({"system": "urn:t", "code": format!("c{at}")})).collect()
}

/// Every tag was compared with every other: 40,000 of them kept the server for a minute.
#[test]
fn labels_are_added_by_the_thousand_at_most() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("多", "crowd-1", "2024-04-01"));
    let path = format!("Observation/{}", tester.create(&weight(&who, "2026-01-10", "7.5")));
    let ask = |name: &str, tags: Vec<Value>| {
        let meta = json!({"name": "meta", "valueMeta": {"tag": tags}});
        tester.post(&format!("{path}/${name}"), &json!({"resourceType": "Parameters", "parameter": [meta]}))
    };
    too_costly(ask("meta-add", tags(1001)), 422, "Parameters.parameter[0].value.tag");
    ask("meta-add", tags(1000)).expect(200);
    // The same once more are none more.
    ask("meta-add", tags(1000)).expect(200);
    too_costly(ask("meta-add", vec![json!({"system": "urn:t", "code": "more"})]), 422, "Observation.meta.tag");
    ask("meta-delete", tags(1000)).expect(200);
    ask("meta-add", vec![json!({"system": "urn:t", "code": "more"})]).expect(200);
}

/// Each of those whom a record is about is looked up; so many patients in one statement made
/// the server fail.
#[test]
fn a_record_is_about_a_few_thousand_at_most() {
    let world = World::new();
    let tester = world.tester();
    let targets: Vec<Value> = (0..5001).map(|at| json!({"reference": format!("Condition/c{at}")})).collect();
    let agent = json!([{"who": {"reference": "Organization/org-city"}}]);
    let provenance = json!({"resourceType": "Provenance", "recorded": "2026-01-10T00:00:00Z", "agent": agent,
        "target": targets});
    too_costly(tester.post("Provenance", &provenance), 422, "Provenance");
    let links: Vec<Value> = (0..40_000).map(|at| json!({"target": {"reference": format!("Patient/p{at}")}})).collect();
    too_costly(tester.post("Person", &json!({"resourceType": "Person", "link": links})), 422, "Person");
}

/// Each is a search.
#[test]
fn a_transaction_asks_for_a_few_thousand_at_most() {
    let world = World::new();
    let tester = world.tester();
    let focus: Vec<Value> =
        (0..5001).map(|at| json!({"reference": format!("Patient?identifier=urn:x|{at}")})).collect();
    let mut observation = weight("pt-mei", "2026-01-10", "7.5");
    observation["focus"] = json!(focus);
    let entry = json!([{"resource": observation, "request": {"method": "POST", "url": "Observation"}}]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entry});
    too_costly(tester.post("", &bundle), 413, "Bundle.entry[0].resource");
}
