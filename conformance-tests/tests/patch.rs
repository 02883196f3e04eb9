//! PATCH in both of its languages: what it changes, what it refuses, and what it
//! never tells.

use base64::Engine;
use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

const JSON_PATCH: &str = "application/json-patch+json";

fn patched(caller: &Caller, path: &str, changes: &Value) -> Response {
    caller.request("PATCH", path).body(JSON_PATCH, changes.to_string()).send()
}

/// A Parameters resource of operations, each `(type, parts)`.
fn parameters(steps: &[Value]) -> Value {
    let operations: Vec<Value> = steps.iter().map(|parts| json!({"name": "operation", "part": parts})).collect();
    json!({"resourceType": "Parameters", "parameter": operations})
}

fn step(kind: &str, path: &str, more: &[Value]) -> Value {
    let mut parts = vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    parts.extend_from_slice(more);
    json!(parts)
}

#[test]
fn a_json_patch_makes_a_version_and_keeps_every_decimal() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("継", "patch-1", "2024-04-01"));
    let text = weight(&who, "2026-01-02", "7.1").to_string().replace("7.1", "7.100");
    let made = tester.request("POST", "Observation").body("application/fhir+json", text).send().expect(201);
    let path = format!("Observation/{}", made.json()["id"].as_str().expect("an id"));
    let changes = json!([
        {"op": "test", "path": "/valueQuantity/value", "value": 7.1},
        {"op": "add", "path": "/note", "value": [{"text": "a/b~c"}]},
        {"op": "replace", "path": "/status", "value": "amended"},
        {"op": "copy", "from": "/note/0", "path": "/note/-"},
        {"op": "replace", "path": "/note/1/text", "value": "second"},
    ]);
    let answer = patched(&tester, &path, &changes).expect(200);
    assert_eq!(answer.header("ETag"), Some("W/\"2\""));
    assert!(answer.text().contains("\"value\":7.100"), "{}", answer.text());
    let read = tester.get(&path).expect(200);
    assert_eq!(read.body, answer.body, "the answer is what is stored");
    let resource = read.json();
    assert_eq!((&resource["status"], &resource["note"][1]["text"]), (&json!("amended"), &json!("second")));
    assert_eq!(tester.ids(&format!("Observation?subject=Patient/{who}&status=amended")).len(), 1, "indexed anew");
    assert_eq!(tester.get(&format!("{path}/_history/1")).expect(200).json()["status"], "final");
    // The stored version and time are the server's, whatever a patch says of them.
    let meta = json!([{"op": "replace", "path": "/meta/versionId", "value": "77"}]);
    assert_eq!(patched(&tester, &path, &meta).expect(200).json()["meta"]["versionId"], "3");
    let history = tester.search(&format!("{path}/_history"));
    let methods: Vec<&Value> =
        history["entry"].as_array().expect("entries").iter().map(|entry| &entry["request"]["method"]).collect();
    assert_eq!(methods, ["PATCH", "PATCH", "POST"]);
}

#[test]
fn a_fhirpath_patch_makes_a_version() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("経路", "patch-2", "2024-04-01"));
    let path = format!("Patient/{who}");
    let steps = [
        step("replace", "Patient.birthDate", &[json!({"name": "value", "valueDate": "2024-04-02"})]),
        step(
            "add",
            "Patient",
            &[
                json!({"name": "name", "valueString": "contact"}),
                json!({"name": "value", "part": [
                {"name": "name", "valueHumanName": {"text": "祖母"}}, {"name": "gender", "valueCode": "female"}]}),
            ],
        ),
        step(
            "insert",
            "Patient.name[0].given",
            &[json!({"name": "index", "valueInteger": 0}), json!({"name": "value", "valueString": "一"})],
        ),
        step("delete", "Patient.gender", &[]),
        step(
            "move",
            "Patient.name[0].given",
            &[json!({"name": "source", "valueInteger": 0}), json!({"name": "destination", "valueInteger": 1})],
        ),
    ];
    let send = |body: &Value| tester.request("PATCH", &path).fhir(body).send();
    let resource = send(&parameters(&steps)).expect(200).json();
    assert_eq!(resource["birthDate"], "2024-04-02");
    assert_eq!(resource["contact"][0], json!({"name": {"text": "祖母"}, "gender": "female"}));
    assert_eq!(resource["name"][0]["given"], json!(["試子", "一"]));
    assert!(resource["gender"].is_null());
    assert_eq!(tester.get(&path).expect(200).json(), resource);
    // In turn, and all or none: the last cannot be done.
    let half = parameters(&[
        step("replace", "Patient.birthDate", &[json!({"name": "value", "valueDate": "2024-04-03"})]),
        step("replace", "Patient.gender", &[json!({"name": "value", "valueCode": "male"})]),
    ]);
    let refused = send(&half).refused(422).json();
    assert_eq!(refused["issue"][0]["expression"][0], "Parameters.parameter[1].part[1]", "{refused}");
    assert_eq!(tester.get(&path).expect(200).json(), resource);
}

#[test]
fn what_cannot_be_applied_is_422_and_what_is_no_patch_400() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("拒", "patch-3", "2024-04-01"));
    let path = format!("Patient/{who}");
    for (changes, status, code) in [
        (json!([{"op": "test", "path": "/gender", "value": "male"}]), 422, "processing"),
        (json!([{"op": "remove", "path": "/nothing"}]), 422, "processing"),
        (json!([{"op": "replace", "path": "/gender", "value": "nonsense"}]), 422, "code-invalid"),
        (json!([{"op": "add", "path": "/nonsense", "value": 1}]), 422, ""),
        (json!([{"op": "add", "path": "/name", "value": []}]), 422, ""),
        (json!([{"op": "replace", "path": "/id", "value": "other"}]), 422, "invalid"),
        (json!([{"op": "remove", "path": "/id"}]), 422, "invalid"),
        (json!([{"op": "replace", "path": "/resourceType", "value": "Person"}]), 422, ""),
        (json!([{"op": "replace", "path": "", "value": 1}]), 422, ""),
        (json!([{"op": "nonsense", "path": "/gender"}]), 400, "invalid"),
        (json!([{"op": "add", "path": "gender", "value": "male"}]), 400, "invalid"),
        (json!({"op": "add"}), 400, "invalid"),
    ] {
        let refused = patched(&tester, &path, &changes).refused(status).json();
        assert!(code.is_empty() || refused["issue"][0]["code"] == code, "{changes}: {refused}");
    }
    for (media, body, status) in [
        (JSON_PATCH, "[{", 400),
        ("application/fhir+json", "{\"resourceType\":\"Patient\"}", 400),
        ("application/fhir+json", "", 400),
        ("application/merge-patch+json", "{}", 415),
        ("text/plain", "[]", 415),
        ("", "[]", 415),
    ] {
        let refused = tester.request("PATCH", &path).body(media, body).send().refused(status);
        let accepts = refused.header("Accept-Patch").is_some_and(|media| media.contains(JSON_PATCH));
        assert_eq!(accepts, status == 415, "{media}: {:?}", refused.headers);
    }
    // Parameters are judged as such before they are done.
    for (extra, place) in [
        (json!({"resourceType": "Parameters", "foo": 1}), "Parameters"),
        (json!({"resourceType": "Parameters", "parameter": []}), "Parameters.parameter"),
        (
            json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "bar": 1}]}),
            "Parameters.parameter[0]",
        ),
    ] {
        let refused = tester.request("PATCH", &path).fhir(&extra).send().refused(400).json();
        assert_eq!(refused["issue"][0]["expression"][0], place, "{refused}");
    }
    // The two languages are told apart by their media types alone.
    for (media, body, wanted) in [
        ("application/json", "[{\"op\":\"remove\",\"path\":\"/gender\"}]", JSON_PATCH),
        (JSON_PATCH, "{\"resourceType\":\"Parameters\"}", "application/fhir+json"),
    ] {
        for language in ["en", "ja"] {
            let asked = tester.request("PATCH", &path).header("Accept-Language", language);
            let refused = asked.body(media, body).send().refused(400).json();
            let text = refused["issue"][0]["details"]["text"].as_str().expect("a text");
            assert!(text.contains(wanted) && text.is_ascii() == (language == "en"), "{media}: {text}");
        }
    }
    let japanese = tester.request("PATCH", &path).header("Accept-Language", "ja");
    let refused = japanese.body(JSON_PATCH, "[{\"op\":\"remove\",\"path\":\"/x\"}]").send().refused(422).json();
    assert!(!refused["issue"][0]["details"]["text"].as_str().expect("a text").is_ascii(), "{refused}");
    assert_eq!(refused["issue"][0]["expression"][0], "$this[0].path");
    assert_eq!(tester.get(&path).expect(200).header("ETag"), Some("W/\"1\""), "nothing was written");
    patched(&tester, "Patient/never-was", &json!([])).refused(404);
    patched(&tester, "Nonsense/1", &json!([])).refused(404);
    tester.delete(&path).expect(204);
    patched(&tester, &path, &json!([])).refused(410);
}

/// What is wrong with a patch stands in the Bundle; what is wrong with what it makes does not.
#[test]
fn a_patch_in_a_bundle_says_where_it_is_wrong() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("束", "patch-b", "2024-04-01"));
    let right = step("replace", "Patient.birthDate", &[json!({"name": "value", "valueDate": "2024-04-02"})]);
    let mut odd = parameters(&[right]);
    odd["foo"] = json!(1);
    let spoils = parameters(&[step("replace", "Patient.gender", &[json!({"name": "value", "valueCode": "girl"})])]);
    for kind in ["transaction", "batch"] {
        for (resource, place) in [
            (&odd, "Bundle.entry[0].resource"),
            (&json!({"resourceType": "Parameters", "parameter": []}), "Bundle.entry[0].resource.parameter"),
            (&spoils, "Patient.gender"),
        ] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [
                {"resource": resource, "request": {"method": "PATCH", "url": format!("Patient/{who}")}}]});
            let answer = tester.post("", &bundle).json();
            let outcome = if kind == "batch" { &answer["entry"][0]["response"]["outcome"] } else { &answer };
            let issue = &outcome["issue"][0];
            assert_eq!(issue["expression"][0], place, "{kind}: {answer}");
            assert!(issue.to_string().contains("Bundle.entry[0]"), "{issue}");
        }
    }
    assert_eq!(tester.get(&format!("Patient/{who}")).expect(200).header("ETag"), Some("W/\"1\""));
}

#[test]
fn if_match_guards_a_patch_and_prefer_says_what_it_answers() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("守", "patch-4", "2024-04-01"));
    let path = format!("Patient/{who}");
    let send = |name: &str, value: &str| {
        let changes = json!([{"op": "add", "path": "/active", "value": true}]).to_string();
        tester.request("PATCH", &path).header(name, value).body(JSON_PATCH, changes).send()
    };
    for (tag, status) in
        [("W/\"2\"", 412), ("nonsense", 400), ("W/\"1\"", 200), ("W/\"1\"", 412), ("\"7\", \"2\"", 200)]
    {
        assert_eq!(send("If-Match", tag).status, status, "{tag}");
    }
    assert_eq!(send("If-Match", "*").expect(200).header("ETag"), Some("W/\"4\""));
    assert!(send("Prefer", "return=minimal").expect(200).body.is_empty());
    assert_eq!(send("Prefer", "return=OperationOutcome").expect(200).json()["resourceType"], "OperationOutcome");
    assert_eq!(send("Prefer", "return=representation").expect(200).json()["resourceType"], "Patient");
    let options = tester.request("OPTIONS", &path).send().expect(204);
    assert!(options.header("Allow").is_some_and(|methods| methods.contains("PATCH")), "{:?}", options.headers);
}

/// Sixteen patches of one resource at once: each is in the end.
#[test]
fn concurrent_patches_lose_nothing() {
    let world = World::new();
    let tester = world.tester();
    let path = format!("Patient/{}", tester.create(&patient("競", "patch-5", "2024-04-01")));
    let done: Vec<u16> = std::thread::scope(|scope| {
        let (tester, path) = (&tester, &path);
        let send = |number: usize| {
            let changes = json!([{"op": "add", "path": "/identifier/-", "value": {"value": format!("n{number}")}}]);
            move || loop {
                let answer = patched(tester, path, &changes);
                // Busy after many tries: asked again, as the answer says.
                if answer.status != 503 {
                    return answer.status;
                }
            }
        };
        let threads: Vec<_> = (0..16).map(|number| scope.spawn(send(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    assert_eq!(done, [200; 16]);
    let resource = tester.get(&path).expect(200).json();
    assert_eq!(resource["meta"]["versionId"], "17");
    assert_eq!(resource["identifier"].as_array().map(Vec::len), Some(17));
}

#[test]
fn a_patch_needs_the_letters_r_and_u() {
    let world = World::new();
    let app = |scope: &str| {
        let scope = format!("launch/patient {scope}");
        world.approve(&Ask::new("app-public", "hanako", &scope).of("pt-mei"))
    };
    let own = app("patient/Observation.cruds").create(&weight("pt-mei", "2026-02-01", "6.0"));
    let path = format!("Observation/{own}");
    let changes = json!([{"op": "add", "path": "/note", "value": [{"text": "x"}]}]);
    patched(&app("patient/Observation.crds"), &path, &changes).refused(403);
    patched(&app("patient/Observation.u"), &path, &changes).refused(403);
    assert!(patched(&app("patient/Observation.ru"), &path, &changes).expect(200).json()["note"].is_array());
}

/// Who may write and not read could ask for values by `test`, for elements by a path that
/// finds nothing, and for texts by moving them where a code has to stand: whatever a patch
/// tried, its status told.
#[test]
fn a_patch_tells_nothing_to_who_may_not_read() {
    let world = World::new();
    let app = |scope: &str| {
        let scope = format!("launch/patient {scope}");
        world.approve(&Ask::new("app-public", "hanako", &scope).of("pt-mei"))
    };
    let wide = app("patient/Observation.cruds");
    let record = wide.create(&weight("pt-mei", "2026-02-01", "6.0"));
    let path = format!("Observation/{record}");
    let category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    // The second may read what is not this record.
    let blind = [
        app("patient/Observation.us"),
        app(&format!("patient/Observation.us patient/Observation.r?category={category}")),
    ];
    for caller in &blind {
        for guess in ["final", "amended"] {
            let test = json!([{"op": "test", "path": "/status", "value": guess}]);
            let steps = parameters(&[step("delete", &format!("Observation.where(status='{guess}').note"), &[])]);
            let batch = |kind: &str| {
                let entry = json!({"request": {"method": "PATCH", "url": path}, "resource": steps});
                caller.post("", &json!({"resourceType": "Bundle", "type": kind, "entry": [entry]}))
            };
            let by_query = format!("Observation?_id={record}");
            let answers = [
                patched(caller, &path, &test),
                patched(caller, &by_query, &test),
                caller.request("PATCH", &path).fhir(&steps).send(),
                batch("transaction"),
                batch("batch"),
            ];
            for answer in answers {
                assert!(answer.text().contains("forbidden"), "{guess}: {} {}", answer.status, answer.text());
            }
        }
    }
    assert_eq!(wide.get(&path).expect(200).json()["meta"]["versionId"], "1");
    let vital = category.replace("laboratory", "vital-signs");
    let may = app(&format!("patient/Observation.us patient/Observation.r?category={vital}"));
    let note = json!([{"op": "add", "path": "/note", "value": [{"text": "x"}]}]);
    patched(&may, &path, &note).expect(200);
}

/// A patch of a record that is hidden is a patch of none, whatever it tests.
#[test]
fn a_patch_does_not_tell_a_hidden_record_from_none() {
    let world = World::new();
    let ask = Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger");
    let hidden = world.approve(&ask).create(&weight("pt-stranger", "2026-01-10", "7.5"));
    let never = "n".repeat(hidden.len());
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let town = world.importer();
    for (name, caller) in [("app", &app), ("town", &town)] {
        for changes in [
            json!([]),
            json!([{"op": "test", "path": "/status", "value": "final"}]),
            json!([{"op": "remove", "path": "/nothing"}]),
        ] {
            for tag in [None, Some("W/\"1\""), Some("W/\"9\""), Some("*")] {
                let ask = |id: &str| {
                    let request = caller.request("PATCH", &format!("Observation/{id}"));
                    let request = if let Some(tag) = tag { request.header("If-Match", tag) } else { request };
                    request.body(JSON_PATCH, changes.to_string()).send().refused(404)
                };
                let answers = [&hidden, &never].map(|id| fingerprint(&ask(id), id));
                assert_eq!(answers[0], answers[1], "{name}: {changes} {tag:?}");
            }
        }
    }
}

/// A name that a recipient is not shown could be guessed by testing for it, or copied to
/// where she sees it if she might change, and not read, whom it names.
#[test]
fn what_is_shown_in_part_is_patched_as_it_is_shown() {
    let world = World::new();
    let town = world.importer();
    let visit = json!({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/pt-mei"}});
    let visit = format!("Encounter/{}", town.create(&visit));
    let (hidden, open) = (json!({"reference": visit}), json!({"reference": "Patient/pt-mei"}));
    let named =
        json!({"reference": visit, "display": "内緒の受診", "identifier": {"system": "urn:v", "value": "内緒"}});
    let mut resource = weight("pt-mei", "2026-01-10", "6.1");
    resource["focus"] = json!([open, named]);
    resource["text"] = json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">内緒</div>"});
    let path = format!("Observation/{}", town.create(&resource));
    let scope = "launch/patient patient/Observation.rus patient/Encounter.u";
    let app = world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    app.get(&visit).refused(403);
    assert!(!app.get(&path).expect(200).text().contains("内緒"));
    let test = |path: &str, value: Value| json!({"op": "test", "path": path, "value": value});
    let amended = json!({"op": "replace", "path": "/status", "value": "amended"});
    let copied = |from: &str| {
        json!([{"op": "add", "path": "/note", "value": [{"text": "x"}]},
        {"op": "copy", "from": from, "path": "/note/0/text"}])
    };
    // Nothing of it is tested for, copied, written over, shown or lost.
    for changes in [
        json!([test("/focus/1/display", "内緒の受診".into()), amended]),
        json!([test("/focus/1", named.clone()), amended]),
        copied("/focus/1/display"),
        copied("/focus/1/identifier/value"),
        copied("/text/div"),
        json!([{"op": "add", "path": "/focus/1/display", "value": "x"}]),
        json!([{"op": "add", "path": "/text", "value": resource["text"]}]),
        json!([{"op": "remove", "path": "/focus"}]),
        json!([{"op": "add", "path": "/focus/0", "value": open}]),
        json!([{"op": "move", "from": "/focus/1", "path": "/focus/0"}]),
    ] {
        let refused = patched(&app, &path, &changes);
        assert_eq!(refused.status, 422, "{changes}: {}", refused.text());
        assert!(!refused.text().contains("内緒"), "{}", refused.text());
    }
    // Nor is she told how long it is: the place of a fault would be one in the whole text.
    let strange = patched(&app, &path, &json!([{"op": "add", "path": "/zzz", "value": "q"}])).refused(422);
    assert!(
        !strange.text().contains("column") && strange.json()["issue"][0].get("location").is_none(),
        "{}",
        strange.text()
    );
    // She replaces nothing that she is not shown.
    let mut seen = app.get(&path).expect(200).json();
    seen["meta"].as_object_mut().expect("an object").remove("tag");
    app.put(&path, &seen).refused(422);
    assert_eq!(town.get(&path).expect(200).header("ETag"), Some("W/\"1\""));
    // What she is shown she changes, and is shown the same of what comes out.
    let told = patched(&app, &path, &json!([test("/focus/1", hidden.clone()), amended])).expect(200).json();
    assert_eq!((&told["status"], &told["focus"]), (&json!("amended"), &json!([open, hidden])), "{told}");
    assert!(told.get("text").is_none() && told["meta"].to_string().contains("REDACTED"), "{told}");
    let note = parameters(&[step(
        "add",
        "Observation",
        &[
            json!({"name": "name", "valueString": "note"}),
            json!({"name": "value", "valueAnnotation": {"text": "再検"}}),
        ],
    )]);
    app.request("PATCH", &path).body("application/fhir+json", note.to_string()).send().expect(200);
    // The whole is in its keeper's hands.
    let whole = town.get(&path).expect(200).json();
    assert_eq!(whole["focus"], resource["focus"], "{whole}");
    assert!(whole.get("text").is_none(), "it told what was: {whole}");
    assert_eq!((&whole["status"], &whole["note"][0]["text"]), (&json!("amended"), &json!("再検")), "{whole}");
    assert!(whole["meta"].get("tag").is_none(), "{whole}");
}

/// A transaction's POST under the name of what is hidden made the reference one to what is not:
/// all that had been cut beside it was shown, in the answer too.
#[test]
fn a_transaction_moved_what_is_cut_to_where_it_is_seen() {
    let world = World::new();
    let town = world.importer();
    let visit = json!({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/pt-mei"}});
    let visit = format!("Encounter/{}", town.create(&visit));
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Observation.cruds").of("pt-mei"));
    for full_url in [visit.clone(), format!("{}/{visit}", world.base)] {
        let mut resource = weight("pt-mei", "2026-01-10", "6.1");
        resource["focus"] = json!([{"reference": full_url, "display": "内緒", "identifier": {"value": "内緒"}}]);
        let path = format!("Observation/{}", town.create(&resource));
        for field in ["status", "issued"] {
            let value = if field == "status" { "amended" } else { "2026-01-11T00:00:00Z" };
            let patch = json!([{"op": "add", "path": format!("/{field}"), "value": value}]);
            let data = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
            let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
                {"fullUrl": full_url, "resource": weight("pt-mei", "2026-01-12", "6.2"),
                    "request": {"method": "POST", "url": "Observation"}},
                {"resource": {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data},
                    "request": {"method": "PATCH", "url": path}}]});
            let post = app.request("POST", "").header("Prefer", "return=representation");
            let answer = post.body("application/fhir+json", &*bundle.to_string()).send().expect(200);
            assert!(!answer.text().contains("内緒"), "{}", answer.text());
            let seen = app.get(&path).expect(200);
            assert!(!seen.text().contains("内緒"), "{}", seen.text());
            assert_eq!(seen.json()[field], value);
        }
        // It is as the town has said it.
        assert_eq!(town.get(&path).json()["focus"], resource["focus"]);
    }
    // What the patch itself puts in gets the name that it has now.
    let path = format!("Observation/{}", app.create(&weight("pt-mei", "2026-01-13", "6.3")));
    let patch = json!([{"op": "add", "path": "/focus", "value": [{"reference": "urn:uuid:4d8f2bd0-3f2e-4a53-9f0a-7a6f3b1c0001"}]}]);
    let data = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:4d8f2bd0-3f2e-4a53-9f0a-7a6f3b1c0001", "resource": weight("pt-mei", "2026-01-14", "6.4"),
            "request": {"method": "POST", "url": "Observation"}},
        {"resource": {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data},
            "request": {"method": "PATCH", "url": path}}]});
    let answer = app.post("", &bundle).expect(200).json();
    let made = answer["entry"][0]["response"]["location"].as_str().unwrap_or_default().to_owned();
    let reference = app.get(&path).json()["focus"][0]["reference"].as_str().unwrap_or_default().to_owned();
    assert!(reference.starts_with("Observation/") && made.contains(&reference), "{made} {reference}");
}

#[test]
fn a_patch_is_on_record() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let path = format!("Observation/{}", mother.create(&weight("pt-mei", "2026-02-01", "6.0")));
    let events = |caller: &Caller| {
        let found = caller.search("AuditEvent?patient=pt-mei&_count=200");
        found["entry"].as_array().cloned().unwrap_or_default()
    };
    let before = events(&mother).len();
    patched(&mother, &path, &json!([{"op": "add", "path": "/note", "value": [{"text": "x"}]}])).expect(200);
    patched(&mother, &path, &json!([{"op": "remove", "path": "/x"}])).refused(422);
    let after = events(&mother);
    // The search for them is one too.
    assert_eq!(after.len(), before + 3, "{after:?}");
    assert!(after.iter().any(|event| event.to_string().contains(&path)), "{after:?}");
}

/// A generated narrative went on telling a birth date that had been corrected.
#[test]
fn a_narrative_does_not_outlive_what_it_tells() {
    let world = World::new();
    let tester = world.tester();
    let narrated = |number: u32, status: &str| {
        let mut who = patient("話", &format!("narrated-{number}"), "1980-01-01");
        let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">Born 1980-01-01</div>";
        who["text"] = json!({"status": status, "div": div});
        format!("Patient/{}", tester.create(&who))
    };
    let born = json!([{"op": "replace", "path": "/birthDate", "value": "1999-09-09"}]);
    for (number, status) in [(1, "generated"), (2, "extensions")] {
        let place = narrated(number, status);
        // What changes nothing, and what changes labels alone, leaves it.
        let tested = json!([{"op": "test", "path": "/birthDate", "value": "1980-01-01"}]);
        let tagged = json!([{"op": "add", "path": "/meta/tag", "value": [{"system": "urn:t", "code": "a"}]}]);
        for changes in [&tested, &tagged] {
            patched(&tester, &place, changes).expect(200);
            assert!(tester.get(&place).expect(200).json()["text"].is_object(), "{status}");
        }
        patched(&tester, &place, &born).expect(200);
        let after = tester.get(&place).expect(200).json();
        assert_eq!((&after["birthDate"], &after["text"]), (&json!("1999-09-09"), &Value::Null), "{status}");
    }

    // What it says more would be lost, or wrong: whoever patches says which.
    let place = narrated(3, "additional");
    let refused = patched(&tester, &place, &born).refused(422).json();
    assert_eq!(refused["issue"][0]["expression"], json!(["Patient.text"]), "{refused}");
    assert_eq!(tester.get(&place).expect(200).json()["birthDate"], "1980-01-01");
    let mut both = born.as_array().expect("operations").clone();
    both.push(json!({"op": "replace", "path": "/text/div",
        "value": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Born 1999-09-09</div>"}));
    patched(&tester, &place, &json!(both)).expect(200);
    assert!(tester.get(&place).expect(200).text().contains("Born 1999"));
}

/// Who took the last of a list was told that an empty list says nothing.
#[test]
fn the_last_item_of_a_list_takes_the_list_along() {
    let world = World::new();
    let tester = world.tester();
    let mut resource = patient("空", "emptied", "2024-04-01");
    resource["telecom"] = json!([{"value": "1"}, {"value": "2"}]);
    resource["contact"] = json!([{"name": {"given": ["一"]}}]);
    let path = format!("Patient/{}", tester.create(&resource));
    let remove = |path: &str| json!({"op": "remove", "path": path});
    let changes = json!([remove("/telecom/0"), remove("/telecom/0"), remove("/contact/0/name/given/0")]);
    let after = patched(&tester, &path, &changes).expect(200).json();
    assert!(after.get("telecom").is_none() && after.get("contact").is_none(), "{after}");
    // One that is put in says nothing all the same.
    patched(&tester, &path, &json!([{"op": "add", "path": "/telecom", "value": []}])).refused(422);
}
