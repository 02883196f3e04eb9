//! What follows a record: a Binary its document, a Provenance its targets. Each is about
//! whom that is about, and goes where it goes.

use std::sync::Barrier;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use techo_conformance_tests::sample::patient;
use techo_conformance_tests::world::{Ask, Caller, World};

fn binary(bytes: &[u8], context: &str) -> Value {
    json!({"resourceType": "Binary", "contentType": "image/png", "data": STANDARD.encode(bytes),
        "securityContext": {"reference": context}})
}

fn document(child: &str) -> Value {
    json!({"resourceType": "DocumentReference", "status": "current",
        "subject": {"reference": format!("Patient/{child}")}, "content": [{"attachment": {"title": "手紙"}}]})
}

fn provenance(targets: &[&str]) -> Value {
    let targets: Vec<Value> = targets.iter().map(|target| json!({"reference": target})).collect();
    json!({"resourceType": "Provenance", "target": targets, "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": {"display": "係"}}]})
}

fn with_id(mut resource: Value, id: &str) -> Value {
    resource["id"] = json!(id);
    resource
}

/// The path of what is made.
#[track_caller]
fn made(caller: &Caller, resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap_or_default(), caller.create(resource))
}

fn transaction(entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn entry(method: &str, url: &str, resource: &Value) -> Value {
    json!({"request": {"method": method, "url": url}, "resource": resource})
}

/// The mother's apps for two of her children.
fn children(world: &World) -> (Caller, Caller) {
    let of = |child: &str| world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of(child));
    (of("pt-mei"), of("pt-taro"))
}

#[track_caller]
fn seen<const N: usize>(caller: &Caller, paths: [&str; N]) -> [u16; N] {
    paths.map(|path| caller.get(path).status)
}

/// What four clerks file with a document while something happens to it.
fn filed_while(town: &Caller, context: &str, happens: impl FnOnce()) -> Vec<String> {
    let together = Barrier::new(5);
    thread::scope(|scope| {
        let clerk = || {
            together.wait();
            [made(town, &binary(b"letter", context)), made(town, &provenance(&[context]))]
        };
        let clerks: Vec<_> = (0..4).map(|_| scope.spawn(clerk)).collect();
        together.wait();
        happens();
        clerks.into_iter().flat_map(|one| one.join().expect("a clerk")).collect()
    })
}

/// A letter stayed with the child to whom it had been misfiled, and did not come to the other.
#[test]
fn what_follows_a_document_goes_where_it_goes() {
    let world = World::new();
    let town = world.importer();
    let (mei, taro) = children(&world);
    let context = made(&town, &document("pt-mei"));
    let id = context.trim_start_matches("DocumentReference/");
    let letter = made(&town, &binary(b"letter", &context));
    // What follows a follower goes too.
    let source = made(&town, &provenance(&[&letter]));
    let paths = [&*context, &letter, &source];
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([200; 3], [404; 3]));
    town.put(&context, &with_id(document("pt-taro"), id)).expect(200);
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([404; 3], [200; 3]));
    assert_eq!(taro.request("GET", &letter).header("Accept", "image/png").send().body, b"letter");
    assert_eq!(taro.get(&letter).json()["meta"]["versionId"], "2", "whoever knows the first is told");
    for (caller, path) in [(&mei, &context), (&mei, &letter), (&taro, &context), (&taro, &letter)] {
        caller.get(&format!("{path}/_history/1")).expect(404);
    }
    // And in a transaction that writes one of them itself.
    let moved = with_id(binary(b"other", &context), letter.trim_start_matches("Binary/"));
    let entries = [entry("PUT", &letter, &moved), entry("PUT", &context, &with_id(document("pt-mei"), id))];
    town.post("", &transaction(&entries)).expect(200);
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([200; 3], [404; 3]));
}

/// One that follows several is about all of them, and what was withdrawn stays so.
#[test]
fn what_follows_several_is_about_all_of_them() {
    let world = World::new();
    let town = world.importer();
    let (mei, taro) = children(&world);
    let context = made(&town, &document("pt-mei"));
    let letter = made(&town, &binary(b"letter", &context));
    let withdrawn = made(&town, &binary(b"old", &context));
    town.delete(&withdrawn).expect(204);
    let both = made(&town, &provenance(&[&context, &letter]));
    let paths = [&*context, &letter, &withdrawn, &both];
    let before = seen(&mei, paths);
    let id = context.trim_start_matches("DocumentReference/");
    town.put(&context, &with_id(document("pt-taro"), id)).expect(200);
    assert_eq!(seen(&mei, paths), [404; 4]);
    assert_eq!(seen(&taro, paths), before, "as she saw them before");
    town.get(&withdrawn).refused(410);
}

/// Two that are given to different children in one transaction: what follows both is
/// about both, and shown to none of those who may see one.
#[test]
fn what_follows_two_that_part_is_about_both() {
    let world = World::new();
    let town = world.importer();
    let (mei, taro) = children(&world);
    let third = town.create(&patient("三番", "following-1", "2024-04-01"));
    let (one, other) = (made(&town, &document("pt-mei")), made(&town, &document("pt-mei")));
    let both = made(&town, &provenance(&[&one, &other]));
    assert_eq!(seen(&mei, [&both]), [200]);
    let given = |path: &str, child: &str| {
        entry("PUT", path, &with_id(document(child), path.trim_start_matches("DocumentReference/")))
    };
    town.post("", &transaction(&[given(&one, "pt-taro"), given(&other, &third)])).expect(200);
    assert_eq!((seen(&mei, [&*one, &other, &both]), seen(&taro, [&*one, &other, &both])), ([404; 3], [200, 404, 404]));
    assert_eq!(town.get(&both).json()["meta"]["versionId"], "2");
    town.post("", &transaction(&[given(&one, "pt-mei"), given(&other, "pt-mei")])).expect(200);
    assert_eq!(seen(&mei, [&*one, &other, &both]), [200; 3]);
}

/// A patch in the transaction was not heard: the letter that came with it was about
/// whom the document had been about.
#[test]
fn what_comes_with_a_patch_is_about_whom_the_patch_makes_it_about() {
    let world = World::new();
    let town = world.importer();
    let (mei, taro) = children(&world);
    let context = made(&town, &document("pt-mei"));
    let patch = json!([{"op": "replace", "path": "/subject/reference", "value": "Patient/pt-taro"}]);
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": STANDARD.encode(patch.to_string())});
    let entries = [entry("POST", "Binary", &binary(b"x", &context)), entry("PATCH", &context, &patch)];
    let answer = town.post("", &transaction(&entries)).expect(200).json();
    let location = answer["entry"][0]["response"]["location"].as_str().expect("a location").to_owned();
    let path = location.split("/_history/").next().unwrap_or_default();
    let letter = path.rsplit_once("/fhir/").map_or(path, |(_, path)| path);
    let paths = [&*context, letter];
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([404; 2], [200; 2]));
}

/// A Provenance that came before its target was nobody's for good, and so was a letter.
#[test]
fn what_comes_before_its_target_is_the_targets_when_that_comes() {
    let world = World::new();
    let (town, tester) = (world.importer(), world.tester());
    let (mei, taro) = children(&world);
    let context = "DocumentReference/comes-later";
    let letter = made(&town, &binary(b"letter", context));
    let source = made(&town, &provenance(&[&letter]));
    // What lies in other hands had no right to point at it, and is not drawn along.
    let others = made(&tester, &provenance(&[context]));
    let paths = [&*letter, &source, &others];
    assert_eq!((seen(&mei, paths), seen(&town, paths)), ([404; 3], [200, 200, 404]));
    town.put(context, &with_id(document("pt-mei"), "comes-later")).expect(201);
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([200, 200, 404], [404; 3]));
    town.put(context, &with_id(document("pt-taro"), "comes-later")).expect(200);
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([404; 3], [200, 200, 404]));
}

/// A server that had indexed no follower since its start found none: the letter stayed.
#[test]
fn a_server_that_was_started_anew_knows_what_follows() {
    let world = World::new();
    let town = world.importer();
    let context = made(&town, &document("pt-mei"));
    let letter = made(&town, &binary(b"letter", &context));
    let world = world.killed_and_restarted();
    let corrected = with_id(document("pt-taro"), context.trim_start_matches("DocumentReference/"));
    world.importer().put(&context, &corrected).expect(200);
    let (mei, taro) = children(&world);
    let paths = [&*context, &letter];
    assert_eq!((seen(&mei, paths), seen(&taro, paths)), ([404; 2], [200; 2]));
}

/// What a family had filed with a misfiled document went to the other family with it, and
/// an app could hold up the correction by filing very much.
#[test]
fn what_lies_in_other_hands_stays() {
    let world = World::new();
    let town = world.importer();
    let (mei, taro) = children(&world);
    let context = made(&town, &document("pt-mei"));
    let paths = [made(&mei, &binary(b"ours", &context)), made(&mei, &provenance(&[&context]))];
    let many: Vec<Value> = (0..1100).map(|_| entry("POST", "Provenance", &provenance(&[&context]))).collect();
    mei.post("", &transaction(&many)).expect(200);
    let corrected = with_id(document("pt-taro"), context.trim_start_matches("DocumentReference/"));
    town.put(&context, &corrected).expect(200);
    for path in &paths {
        assert_eq!((seen(&taro, [path]), seen(&town, [path])), ([404], [404]));
        // The document that it is nothing without is hidden from her app now: in her portal she sees it.
        assert_eq!(seen(&mei, [path]), [404]);
        assert_eq!(town.get(&format!("{path}/_history")).status, 404);
    }
    town.put(&context, &with_id(document("pt-mei"), context.trim_start_matches("DocumentReference/"))).expect(200);
    for path in &paths {
        assert_eq!(mei.get(path).expect(200).json()["meta"]["versionId"], "1", "it was theirs all the time");
    }
}

/// Half of what was filed while its document was made was nobody's.
#[test]
fn what_comes_while_its_target_is_made_is_the_targets() {
    let world = World::new();
    let town = world.importer();
    let (mei, _) = children(&world);
    for round in 0..12 {
        let id = format!("made-beside-{round}");
        let context = format!("DocumentReference/{id}");
        let letters =
            filed_while(&town, &context, || drop(town.put(&context, &with_id(document("pt-mei"), &id)).expect(201)));
        for letter in &letters {
            assert_eq!(seen(&mei, [letter]), [200], "round {round}");
        }
    }
}

/// A letter that was filed while its document was given to another child stayed with the
/// first for good.
#[test]
fn what_comes_while_its_target_moves_moves_too() {
    let world = World::new();
    let town = world.importer();
    let (mei, taro) = children(&world);
    for round in 0..12 {
        let context = made(&town, &document("pt-mei"));
        let id = context.trim_start_matches("DocumentReference/");
        let letters =
            filed_while(&town, &context, || drop(town.put(&context, &with_id(document("pt-taro"), id)).expect(200)));
        for letter in &letters {
            assert_eq!((seen(&mei, [letter]), seen(&taro, [letter])), ([404], [200]), "round {round}");
        }
    }
}

/// A document and its content that came in one transaction were two: the second was nobody's.
#[test]
fn content_is_about_whom_the_document_of_its_transaction_is_about() {
    let world = World::new();
    let (mei, _) = children(&world);
    let stranger = world.stranger();
    let (document, content) =
        ("urn:uuid:0a8a4d34-55b4-4b1f-9d61-3c1f0f5d0001", "urn:uuid:0a8a4d34-55b4-4b1f-9d61-3c1f0f5d0002");
    let entry = |url: &str, resource: Value| json!({"fullUrl": url, "request": {"method": "POST", "url": resource["resourceType"]}, "resource": resource});
    let mut entries = vec![
        entry(
            document,
            json!({"resourceType": "DocumentReference", "status": "current",
            "subject": {"reference": "Patient/pt-mei"}, "content": [{"attachment": {"url": content}}]}),
        ),
        entry(content, binary(b"x", document)),
    ];
    for caller in [&world.importer(), &mei] {
        entries.reverse();
        let answer = caller.post("", &transaction(&entries)).expect(200).json();
        for one in answer["entry"].as_array().expect("entries") {
            let location = one["response"]["location"].as_str().expect("a location");
            let path = location.split("/_history/").next().unwrap_or_default();
            let path = path.rsplit_once("/fhir/").map_or(path, |(_, path)| path);
            mei.get(path).expect(200);
            stranger.get(path).expect(404);
        }
    }
}
