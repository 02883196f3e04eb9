//! How much one resource may ask the index to hold: what all others who write wait for.
//!
//! Each kind of row counts: those it is found by, what it lists, what it contains,
//! whom it names, and its words by their length.

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use techo_conformance_tests::sample::patient;
use techo_conformance_tests::server::on_postgres;
use techo_conformance_tests::world::{Caller, World};

use crate::failing::{database, wait};

/// A List of so many records: each of them is a reference, and listed.
fn list(entries: usize) -> Value {
    let entry = |number| json!({"item": {"reference": format!("Observation/n{number}")}});
    let entries: Vec<Value> = (0..entries).map(entry).collect();
    json!({"resourceType": "List", "status": "current", "mode": "working", "entry": entries})
}

fn told(of: &str, text: &str) -> Value {
    json!({"status": of, "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{text}</p></div>")})
}

#[track_caller]
fn too_much(tester: &Caller, body: &Value) {
    let kind = body["resourceType"].as_str().expect("a type");
    let refused = tester.post(kind, body).expect(422).json();
    assert_eq!(refused["issue"][0]["code"], "too-costly", "{refused}");
}

#[test]
fn what_a_record_lists_counts() {
    let world = World::new();
    let tester = world.tester();
    too_much(&tester, &list(26_000));
    tester.create(&list(24_000));
}

#[test]
fn whom_a_record_names_counts() {
    let world = World::new();
    let tester = world.tester();
    let mut body = list(17_000);
    for entry in body["entry"].as_array_mut().expect("entries") {
        entry["item"]["display"] = json!("某");
    }
    tester.create(&body);
    body["text"] = told("additional", "某");
    too_much(&tester, &body);
}

#[test]
fn what_a_record_contains_counts() {
    let world = World::new();
    let tester = world.tester();
    let holding = |count: usize| {
        let inner = |number| json!({"resourceType": "Organization", "id": format!("c{number}"), "active": true});
        let contained: Vec<Value> = (0..count).map(inner).collect();
        json!({"resourceType": "Basic", "code": {"text": "包"}, "contained": contained})
    };
    too_much(&tester, &holding(30_000));
    tester.create(&holding(20_000));
}

#[test]
fn words_count_by_their_length() {
    let world = World::new();
    let tester = world.tester();
    let mut body = list(20_000);
    tester.create(&body);
    let words: String = (0..625_000).map(|number| format!("{number:07} ")).collect();
    body["text"] = told("additional", &words);
    too_much(&tester, &body);
    body["entry"] = json!([]);
    body.as_object_mut().expect("an object").remove("entry");
    tester.create(&body);
}

/// A record from before the limit, or before the rules by which it is indexed, may be mended
/// as long as it does not grow.
#[test]
fn what_is_too_large_already_and_indexed_by_older_rules_could_not_be_changed() {
    let world = World::new();
    let tester = world.tester();
    tester.create(&patient("旧", "large-old", "2024-04-01"));
    let id = tester.create(&list(1));
    let path = format!("List/{id}");
    let mut body = tester.get(&path).expect(200).json();
    let sized = |body: &mut Value, entries: usize| body["entry"] = list(entries)["entry"].clone();
    sized(&mut body, 30_000);
    let hex: String = body.to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
    let literal = if on_postgres() { format!("'\\x{hex}'") } else { format!("x'{hex}'") };
    wait(async {
        let statement = format!("UPDATE resource SET epoch = 1, body = {literal} WHERE id = '{id}'");
        database(&world.server).await.execute_unprepared(&statement).await.expect("an older record");
    });
    sized(&mut body, 30_001);
    tester.put(&path, &body).expect(422);
    sized(&mut body, 30_000);
    tester.put(&path, &body).expect(200);
    // By the rules of today it is the same.
    tester.put(&path, &body).expect(200);
    sized(&mut body, 29_000);
    tester.put(&path, &body).expect(200);
    sized(&mut body, 30_000);
    tester.put(&path, &body).expect(422);
    sized(&mut body, 2);
    tester.put(&path, &body).expect(200);
    assert_eq!(tester.ids("List?item=Observation/n1"), [id.as_str()]);
    assert_eq!(tester.ids("List?item=Observation/n29999"), Vec::<String>::new());
}
