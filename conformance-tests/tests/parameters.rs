//! Search parameters as data: defined over HTTP or by a file, indexed online, asked
//! for when all records are, and gone again.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use techo_conformance_tests::http::Request;
use techo_conformance_tests::world::{Caller, World};

const EYES: &str = "https://example.org/eyes";

fn definition(id: &str, code: &str, expression: &str) -> Value {
    json!({"resourceType": "SearchParameter", "id": id, "url": format!("https://example.org/SearchParameter/{id}"),
        "name": "EyeColour", "status": "active", "description": "The colour of the eyes.", "code": code,
        "base": ["Patient"], "type": "token", "expression": expression})
}

fn by_eyes(id: &str) -> Value {
    definition(id, "eyes", &format!("Patient.extension('{EYES}').value.ofType(CodeableConcept)"))
}

fn someone(colour: &str) -> Value {
    json!({"resourceType": "Patient", "gender": "other", "extension": [{"url": EYES, "valueCodeableConcept":
        {"coding": [{"system": "urn:colours", "code": colour}]}}]})
}

/// So many people with such eyes, by transactions.
fn people(caller: &Caller, count: usize, colour: &str) {
    for start in (0..count).step_by(100) {
        let entries: Vec<Value> = (start..count.min(start + 100))
            .map(|_| json!({"resource": someone(colour), "request": {"method": "POST", "url": "Patient"}}))
            .collect();
        caller.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
    }
}

fn reindex(caller: &Caller) {
    caller.post("$reindex", &json!({"resourceType": "Parameters"})).expect(200);
}

/// The states of the definitions with this code, as `$reindex` tells them.
fn states(caller: &Caller, code: &str) -> Vec<String> {
    let asked = json!({"resourceType": "Parameters", "parameter": [{"name": "progressOnly", "valueBoolean": true}]});
    let answer = caller.post("$reindex", &asked).expect(200).json();
    let value = |part: &Value, name: &str| {
        let parts = part["part"].as_array().expect("parts");
        let found = parts.iter().find(|one| one["name"] == name).expect(name);
        found["valueCode"].as_str().map(str::to_owned)
    };
    let all = answer["parameter"].as_array().cloned().unwrap_or_default();
    let own = all.iter().filter(|part| part["name"] == "parameter" && value(part, "code").as_deref() == Some(code));
    own.filter_map(|part| value(part, "state")).collect()
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn indexed(caller: &Caller, code: &str) {
    reindex(caller);
    until("it is indexed", || states(caller, code) == ["ready"]);
}

fn count(caller: &Caller, query: &str) -> u64 {
    let bundle = caller.get(&format!("{query}&_summary=count")).expect(200).json();
    bundle["total"].as_u64().expect("a total")
}

fn claims(world: &World, code: &str) -> bool {
    let statement = Request::get(&format!("{}/metadata", world.base)).send().expect(200).json();
    let types = statement["rest"][0]["resource"].as_array().expect("types").clone();
    let patient = types.iter().find(|one| one["type"] == "Patient").expect("Patient").clone();
    patient["searchParam"].as_array().expect("parameters").iter().any(|one| one["name"] == code)
}

/// The index is what the bodies say, by the definitions as they stand.
fn checked(world: &World) -> Value {
    let output = world.server.command(&["reindex", "--check", "--json"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tally: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(output.status.success(), "{text}");
    tally
}

#[test]
fn a_parameter_is_asked_for_when_all_records_are_indexed() {
    let world = World::new();
    let tester = world.tester();
    people(&tester, 7, "brown");
    tester.get("Patient?eyes=brown").refused(400);
    tester.put("SearchParameter/eyes", &by_eyes("eyes")).expect(201);
    people(&tester, 3, "brown");
    // Half of them have rows: it would be a lie to answer.
    let refused = tester.get("Patient?eyes=brown").refused(400).json();
    assert_eq!(refused["issue"][0]["code"], "incomplete");
    tester.get("Observation?subject:Patient.eyes=brown").refused(400);
    tester.get("Patient?_filter=eyes%20eq%20brown").refused(400);
    assert!(!claims(&world, "eyes"));
    assert_eq!(states(&tester, "eyes"), ["indexing"]);

    indexed(&tester, "eyes");
    assert!(claims(&world, "eyes"), "in the CapabilityStatement at once where it was done");
    assert_eq!(count(&tester, "Patient?eyes=brown"), 10);
    assert_eq!(count(&tester, "Patient?eyes=urn:colours|brown&gender=other"), 10);
    assert_eq!(count(&tester, "Patient?eyes:not=brown&gender=other"), 0);
    assert_eq!(count(&tester, "Patient?eyes:missing=false"), 10);
    let brown = tester.ids("Patient?eyes=brown&_sort=eyes").remove(0);
    let seen = tester.create(&json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{brown}")}}));
    assert_eq!(tester.ids("Observation?subject:Patient.eyes=brown"), [seen]);
    assert_eq!(count(&tester, "Patient?_filter=eyes%20eq%20brown"), 10);
    people(&tester, 1, "green");
    assert_eq!((count(&tester, "Patient?eyes=green"), count(&tester, "Patient?eyes=brown")), (1, 10));
    let id = tester.ids("Patient?eyes=green").remove(0);
    let mut changed = someone("blue");
    changed["id"] = json!(id);
    tester.put(&format!("Patient/{id}"), &changed).expect(200);
    assert_eq!(tester.ids("Patient?eyes=blue").as_slice(), std::slice::from_ref(&id));
    assert_eq!(count(&tester, "Patient?eyes=green"), 0);
    tester.delete(&format!("Patient/{id}")).expect(204);
    assert_eq!(count(&tester, "Patient?eyes=blue"), 0);
    assert_eq!(checked(&world)["different"], 0);

    // Others ask too, and see no more by it than otherwise.
    assert_eq!(count(&world.mother(), "Patient?eyes=brown"), 0);

    tester.delete("SearchParameter/eyes").expect(204);
    let gone = tester.get("Patient?eyes=brown").refused(400).json();
    assert_eq!(gone["issue"][0]["code"], "not-supported");
    assert!(!claims(&world, "eyes"));
    reindex(&tester);
    until("its rows are taken out", || states(&tester, "eyes").is_empty());
    assert_eq!(checked(&world)["different"], 0);
}

#[test]
fn only_a_custodian_defines_and_reindexes() {
    let world = World::new();
    let (tester, mother) = (world.tester(), world.mother());
    mother.put("SearchParameter/mine", &by_eyes("mine")).refused(403);
    mother.post("SearchParameter", &by_eyes("mine")).refused(403);
    mother.post("$reindex", &json!({"resourceType": "Parameters"})).refused(403);
    world.anon().post("$reindex", &json!({"resourceType": "Parameters"})).refused(401);
    tester.post("SearchParameter", &by_eyes("x")).expect(201);
    world
        .backend("tester", "system/Patient.cruds")
        .post("$reindex", &json!({"resourceType": "Parameters"}))
        .refused(403);
}

#[test]
fn what_could_not_be_indexed_by_is_refused_with_its_place() {
    let world = World::new();
    let tester = world.tester();
    for (code, change, place) in [
        ("x", json!({"expression": "Patient.nonsense"}), "SearchParameter.expression"),
        ("x", json!({"expression": "Patient.name.where("}), "SearchParameter.expression"),
        ("x", json!({"expression": "Patient.name.given", "type": "date"}), "SearchParameter.expression"),
        ("x", json!({"expression": "Observation.code"}), "SearchParameter.expression"),
        ("gender", json!({}), "SearchParameter.code"),
        ("a.b", json!({}), "SearchParameter.code"),
        ("x", json!({"type": "special"}), "SearchParameter.type"),
        ("x", json!({"expression": "Patient.birthDate < today()"}), "SearchParameter.expression"),
        ("x", json!({"base": ["AuditEvent"], "expression": "AuditEvent.type"}), "SearchParameter.base"),
    ] {
        let mut wrong = definition("w", code, "Patient.gender");
        for (name, value) in change.as_object().expect("an object") {
            wrong[name] = value.clone();
        }
        let refused = tester.post("SearchParameter", &wrong).refused(422).json();
        assert_eq!(refused["issue"][0]["expression"][0], place, "{change}");
    }
    let refused = tester.post("SearchParameter", &definition("w", "x", "Patient.name.where(uses = 'x')")).refused(422);
    assert!(refused.text().contains("at byte 19"), "{}", refused.text());
    // What resolve() would find is not in the record, but for its type.
    for (kind, expression) in [
        ("string", "Observation.subject.resolve().name"),
        ("token", "Observation.where(subject.resolve().active).status"),
    ] {
        let mut wrong = definition("w", "x", expression);
        wrong["base"] = json!(["Observation"]);
        wrong["type"] = json!(kind);
        let refused = tester.post("SearchParameter", &wrong).refused(422).json();
        assert_eq!(refused["issue"][0]["expression"][0], "SearchParameter.expression", "{refused}");
    }
    // A draft defines nothing yet.
    let mut draft = definition("w", "x", "Patient.nonsense");
    draft["status"] = json!("draft");
    tester.post("SearchParameter", &draft).expect(201);
    tester.put("SearchParameter/eyes", &by_eyes("eyes")).expect(201);
    let twice = tester.put("SearchParameter/other", &by_eyes("other")).refused(422).json();
    assert_eq!(twice["issue"][0]["code"], "duplicate");
}

/// The old definition answers until the new one is ready.
/// Both were stored, and the later was never searched by.
#[test]
fn two_parameters_of_one_code_in_a_transaction_are_refused() {
    let world = World::new();
    let tester = world.tester();
    let put = |id: &str, code: &str| {
        let body = definition(id, code, "Patient.gender");
        json!({"resource": body, "request": {"method": "PUT", "url": format!("SearchParameter/{id}")}})
    };
    let send = |entries: &[Value]| {
        tester.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
    };
    let refused = send(&[put("twin-a", "twin"), put("twin-b", "twin")]).refused(422).json();
    let issue = &refused["issue"][0];
    assert_eq!(issue["code"], "duplicate", "{refused}");
    assert_eq!(issue["expression"][0], "Bundle.entry[1].resource.code", "{refused}");
    tester.get("SearchParameter/twin-a").refused(404);
    let mut draft = put("twin-c", "twin");
    draft["resource"]["status"] = json!("draft");
    send(&[put("twin-a", "twin"), draft, put("twin-d", "other-twin")]).expect(200);
    let many: Vec<Value> = (0..63).map(|number| put(&format!("many-{number}"), &format!("many-{number}"))).collect();
    let refused = send(&many).refused(422).json();
    assert_eq!(refused["issue"][0]["code"], "too-costly", "{refused}");
}

#[test]
fn a_changed_definition_blinds_no_search() {
    let world = World::new();
    let tester = world.tester();
    people(&tester, 5, "brown");
    tester.put("SearchParameter/eyes", &by_eyes("eyes")).expect(201);
    indexed(&tester, "eyes");
    tester.put("SearchParameter/eyes", &definition("eyes", "eyes", "Patient.gender")).expect(200);
    people(&tester, 1, "brown");
    assert_eq!(count(&tester, "Patient?eyes=brown"), 6);
    assert_eq!(count(&tester, "Patient?eyes=other"), 0);
    assert!(claims(&world, "eyes"));
    indexed(&tester, "eyes");
    assert_eq!(count(&tester, "Patient?eyes=other"), 6);
    assert_eq!(count(&tester, "Patient?eyes=brown"), 0);
    // Who waits for a hundred percent waited for ever.
    let asked = json!({"resourceType": "Parameters", "parameter": [{"name": "progressOnly", "valueBoolean": true}]});
    let told = || tester.post("$reindex", &asked).expect(200).json().to_string();
    until("all is done", || told().contains("\"done\""));
    assert!(told().contains("\"valueUnsignedInt\":100") && !told().contains("\"valueUnsignedInt\":0"), "{}", told());
    // The same said again changes nothing.
    let mut same = definition("eyes", "eyes", "Patient.gender");
    same["description"] = json!("Said in other words.");
    tester.put("SearchParameter/eyes", &same).expect(200);
    assert_eq!(states(&tester, "eyes"), ["ready"]);
    assert_eq!(checked(&world)["different"], 0);
}

/// Written, changed, deleted and searched while it goes on; in the end every row is there.
#[test]
fn a_reindex_goes_on_beside_writes_and_searches() {
    let world = World::new();
    let tester = world.tester();
    people(&tester, 600, "brown");
    let ids = tester.ids("Patient?gender=other&_count=200");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|number| {
                let (tester, ids, done) = (&tester, &ids, &done);
                scope.spawn(move || {
                    let mut written = 0;
                    for id in ids.iter().skip(number).step_by(3).cycle() {
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        let mut changed = someone("green");
                        changed["id"] = json!(id);
                        tester.put(&format!("Patient/{id}"), &changed).expect(200);
                        tester.post("Patient", &someone("grey")).expect(201);
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let searcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(count(&tester, "Patient?gender=other") >= 600, "no search is blinded");
            }
        });
        tester.put("SearchParameter/eyes", &by_eyes("eyes")).expect(201);
        indexed(&tester, "eyes");
        assert!(count(&tester, "Patient?eyes:missing=false") >= 600);
        done.store(true, Ordering::Relaxed);
        let written: usize = writers.into_iter().map(|one| one.join().expect("writes")).sum();
        searcher.join().expect("searches");
        assert_eq!(count(&tester, "Patient?eyes=grey"), written as u64);
    });
    let all = count(&tester, "Patient?gender=other");
    assert_eq!(count(&tester, "Patient?eyes=brown,green,grey"), all);
    assert_eq!(checked(&world)["different"], 0);
}

/// A server that is killed at it goes on when it is back.
#[test]
fn a_reindex_that_was_cut_off_goes_on() {
    let world = World::new();
    let tester = world.tester();
    people(&tester, 600, "brown");
    tester.put("SearchParameter/eyes", &by_eyes("eyes")).expect(201);
    reindex(&tester);
    let world = world.killed_and_restarted();
    let tester = world.tester();
    if states(&tester, "eyes") == ["indexing"] {
        // The kill may have come before anything was begun.
        thread::sleep(Duration::from_millis(300));
        reindex(&tester);
    }
    until("it is indexed", || states(&tester, "eyes") == ["ready"]);
    assert_eq!(count(&tester, "Patient?eyes=brown"), 600);
}

#[test]
fn servers_on_one_database_agree() {
    let world = World::new();
    let tester = world.tester();
    let beside = world.server.beside();
    let other = Caller { base: beside.base.clone(), ..world.tester() };
    people(&tester, 3, "brown");
    tester.put("SearchParameter/eyes", &by_eyes("eyes")).expect(201);
    // The other has not heard of it, and makes its rows all the same.
    other.post("Patient", &someone("brown")).expect(201);
    other.get("Patient?eyes=brown").refused(400);
    indexed(&tester, "eyes");
    assert_eq!(count(&other, "Patient?eyes=brown"), 4);
    other.delete("SearchParameter/eyes").expect(204);
    tester.post("Patient", &someone("brown")).expect(201);
    thread::sleep(Duration::from_millis(1100));
    tester.get("Patient?eyes=brown").refused(400);
    reindex(&other);
    until("its rows are taken out", || states(&tester, "eyes").is_empty());
    assert_eq!(checked(&world)["different"], 0);
}

#[test]
fn a_file_defines_as_a_resource_does() {
    let world = World::new();
    let tester = world.tester();
    people(&tester, 4, "brown");
    let folder = world.server.data.join("definitions/own");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("eyes.json");
    std::fs::write(&file, by_eyes("eyes").to_string()).expect("a file");
    let output = world.server.command(&["reindex", "--json"]);
    let tally: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success());
    assert_eq!(tally["parameters"], 1);
    assert_eq!(count(&tester, "Patient?eyes=brown"), 4);
    // The name is taken for everybody else.
    tester.put("SearchParameter/eyes", &by_eyes("eyes")).refused(422);
    std::fs::write(folder.join("wrong.json"), definition("w", "x", "Patient.nonsense").to_string()).expect("a file");
    let refused = world.server.command(&["reindex"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("wrong.json") && said.contains("at byte 8"), "{said}");
    std::fs::remove_file(folder.join("wrong.json")).expect("ours");
    std::fs::remove_file(&file).expect("ours");
    assert!(world.server.command(&["reindex"]).status.success());
    thread::sleep(Duration::from_millis(1100));
    tester.get("Patient?eyes=brown").refused(400);
    assert_eq!(checked(&world)["different"], 0);
}

#[test]
fn a_parameter_on_the_id_finds_what_is_posted() {
    let world = World::new();
    let tester = world.tester();
    let mut by_id = definition("own-id", "own-id", "Resource.id");
    by_id["base"] = json!(["Resource"]);
    tester.put("SearchParameter/own-id", &by_id).expect(201);
    let any = definition("any-text", "any-text", "Patient.descendants().ofType(id)");
    tester.put("SearchParameter/any-text", &any).expect(201);
    let before = tester.create(&someone("brown"));
    indexed(&tester, "own-id");
    indexed(&tester, "any-text");
    let mut named = someone("brown");
    // What a client calls it is not what it is.
    named["id"] = json!("my-own-name");
    let after = tester.create(&named);
    for id in [&before, &after] {
        for query in ["own-id", "any-text"] {
            assert_eq!(tester.ids(&format!("Patient?{query}={id}")).as_slice(), std::slice::from_ref(id), "{query}");
        }
        let mut next = tester.get(&format!("Patient/{id}")).expect(200).json();
        next["gender"] = json!("female");
        tester.put(&format!("Patient/{id}"), &next).expect(200);
        assert_eq!(count(&tester, &format!("Patient?own-id={id}")), 1);
    }
    assert_eq!(count(&tester, "Patient?own-id=my-own-name"), 0);
    assert_eq!(checked(&world)["different"], 0);
    tester.delete(&format!("Patient/{after}")).expect(204);
    assert_eq!(count(&tester, &format!("Patient?own-id={after}")), 0);
    assert_eq!(checked(&world)["different"], 0);
}

#[test]
fn a_parameter_on_what_the_write_puts_in_is_refused() {
    let world = World::new();
    let tester = world.tester();
    for expression in
        ["Resource.meta.lastUpdated", "Patient.meta.where(versionId = '1').tag", "Patient.meta.`versionId`"]
    {
        let mut own = definition("stamped", "stamped", expression);
        own["base"] = json!(["Patient"]);
        own["type"] = json!(if expression.contains("lastUpdated") { "date" } else { "token" });
        let refused = tester.put("SearchParameter/stamped", &own).refused(422).json();
        let text = refused["issue"][0]["details"]["text"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains("put in as a record is written"), "{expression}: {refused}");
    }
}

/// The forms of the CapabilityStatement are kept as long as it is the same.
#[test]
fn a_parameter_that_is_ready_is_claimed_in_every_form() {
    let world = World::new();
    let tester = world.tester();
    let told = |accept: &str, coding: &str| {
        let request = Request::get(&format!("{}/metadata", world.base)).header("Accept", accept);
        let answer = request.header("Accept-Encoding", coding).send().expect(200);
        let mut text = String::new();
        match answer.header("Content-Encoding") {
            Some("gzip") => drop(GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip")),
            _ => text = answer.text(),
        }
        text.contains("SearchParameter/forms")
    };
    let forms =
        [("application/fhir+json", "gzip"), ("application/fhir+xml", "gzip"), ("application/fhir+xml", "identity")];
    let every = || forms.map(|(accept, coding)| told(accept, coding));
    assert_eq!(every(), [false; 3]);
    tester.put("SearchParameter/forms", &definition("forms", "forms", "Patient.language")).expect(201);
    indexed(&tester, "forms");
    assert_eq!(every(), [true; 3]);
    tester.delete("SearchParameter/forms").expect(204);
    assert_eq!(every(), [false; 3]);
}

/// A zero with a sign, which databases do not keep, was another row each time the index was checked.
#[test]
fn a_negative_zero_is_a_zero() {
    let world = World::new();
    let tester = world.tester();
    let code = json!({"text": "x"});
    let body = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{code},"valueQuantity":{{"value":-0.0,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}}}"#
    );
    tester.request("POST", "Observation").body("application/fhir+json", &*body).send().expect(201);
    let body = r#"{"resourceType":"RiskAssessment","status":"final","subject":{"display":"x"},"prediction":[{"probabilityDecimal":-0.0}]}"#;
    tester.request("POST", "RiskAssessment").body("application/fhir+json", body).send().expect(201);
    assert_eq!(checked(&world)["different"], 0);
    assert_eq!(count(&tester, "Observation?value-quantity=0|http://unitsofmeasure.org|kg"), 1);
    assert_eq!(count(&tester, "RiskAssessment?probability=0"), 1);
}
