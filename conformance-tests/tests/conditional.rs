//! Writes of what a query finds: none, one, several; and in a race.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::{Response, encode};
use techo_conformance_tests::sample::{IDENTIFIERS, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

/// `Patient?identifier=…` of a sample patient.
fn by(number: &str) -> String {
    format!("Patient?identifier={}", encode(&format!("{IDENTIFIERS}|{number}")))
}

fn patched(caller: &Caller, path: &str, changes: &Value) -> Response {
    caller.request("PATCH", path).body("application/json-patch+json", changes.to_string()).send()
}

#[test]
fn a_conditional_update_creates_updates_or_refuses() {
    let world = World::new();
    let tester = world.tester();
    let mut body = patient("条", "cu-1", "2024-04-01");
    let made = tester.put(&by("cu-1"), &body).expect(201);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert!(made.header("Location").is_some_and(|url| url.ends_with(&format!("Patient/{id}/_history/1"))));
    body["gender"] = json!("male");
    let second = tester.put(&by("cu-1"), &body).expect(200);
    assert_eq!((second.header("ETag"), &second.json()["id"]), (Some("W/\"2\""), &json!(id)));
    body["id"] = json!(id);
    tester.put(&by("cu-1"), &body).expect(200);
    body["id"] = json!("another");
    let refused = tester.put(&by("cu-1"), &body).refused(400).json();
    assert_eq!(refused["issue"][0]["expression"][0], "Patient.id");
    // R4: no match and an id in the body is an update of that id.
    body["identifier"][0]["value"] = json!("cu-2");
    body["id"] = json!("cu-chosen");
    let chosen = tester.put(&by("cu-2"), &body).expect(201);
    assert_eq!(chosen.json()["id"], "cu-chosen");
    // The id is in use by what the query does not find.
    tester.put(&by("cu-3"), &body).refused(409);
    tester.create(&patient("重", "cu-4", "2024-04-01"));
    tester.create(&patient("重", "cu-4", "2024-04-01"));
    let several = tester.put(&by("cu-4"), &patient("重", "cu-4", "2024-04-01")).refused(412).json();
    assert_eq!(several["issue"][0]["code"], "multiple-matches");
    tester.put("Patient", &patient("無", "cu-5", "2024-04-01")).refused(412);
    tester.put("Patient?_count=1", &patient("無", "cu-5", "2024-04-01")).refused(412);
    tester.put("Patient?nonsense=1", &patient("無", "cu-5", "2024-04-01")).refused(400);
    tester.put("Nonsense?identifier=1", &patient("無", "cu-5", "2024-04-01")).refused(404);
    let guarded = |tag: &str| {
        let body = patient("条", "cu-1", "2024-04-01");
        tester.request("PUT", &by("cu-1")).header("If-Match", tag).fhir(&body).send().status
    };
    assert_eq!([guarded("W/\"1\""), guarded("W/\"3\""), guarded("x")], [412, 200, 400]);
    let nothing = tester.request("PUT", &by("cu-9")).header("If-Match", "*").fhir(&patient("無", "cu-9", "2024-04-01"));
    nothing.send().refused(412);
    let history = tester.search(&format!("Patient/{id}/_history"));
    let first = &history["entry"].as_array().expect("entries").last().expect("one")["request"];
    assert_eq!((&first["method"], &first["url"]), (&json!("PUT"), &json!(format!("Patient/{id}"))));
}

#[test]
fn a_conditional_delete_takes_one_and_refuses_several() {
    let world = World::new();
    let tester = world.tester();
    let id = tester.create(&patient("消", "cd-1", "2024-04-01"));
    assert_eq!(tester.delete(&by("cd-1")).status, 204);
    tester.get(&format!("Patient/{id}")).refused(410);
    assert_eq!(tester.delete(&by("cd-1")).status, 204, "nothing is there: done already");
    let twins = [0, 1].map(|_| tester.create(&patient("消", "cd-2", "2024-04-01")));
    tester.delete(&by("cd-2")).refused(412);
    for id in &twins {
        tester.get(&format!("Patient/{id}")).expect(200);
    }
    tester.delete("Patient").refused(412);
    tester.delete("Patient?_format=json").refused(412);
    tester.delete("Patient?nonsense=1").refused(400);
    let told = tester.request("DELETE", &format!("Patient/{}", twins[0])).header("Prefer", "return=OperationOutcome");
    assert_eq!(told.send().expect(200).json()["resourceType"], "OperationOutcome");
}

#[test]
fn a_conditional_patch_wants_exactly_one() {
    let world = World::new();
    let tester = world.tester();
    let changes = json!([{"op": "add", "path": "/active", "value": true}]);
    patched(&tester, &by("cp-1"), &changes).refused(404);
    let id = tester.create(&patient("継", "cp-1", "2024-04-01"));
    let answer = patched(&tester, &by("cp-1"), &changes).expect(200).json();
    assert_eq!((&answer["id"], &answer["active"]), (&json!(id), &json!(true)));
    tester.create(&patient("継", "cp-1", "2024-04-01"));
    patched(&tester, &by("cp-1"), &changes).refused(412);
    patched(&tester, "Patient", &changes).refused(412);
}

/// SMART: a condition is a search. Without its letter a conditional create found
/// nothing, and made the same thing again and again.
#[test]
fn a_condition_needs_the_letter_s() {
    let world = World::new();
    let app = |actions: &str| {
        let scope = format!("launch/patient patient/Observation.{actions}");
        world.approve(&Ask::new("app-public", "hanako", &scope).of("pt-mei"))
    };
    let mut body = weight("pt-mei", "2026-02-01", "6.0");
    body["identifier"] = json!([{"system": "urn:conditional", "value": "1"}]);
    let path = "Observation?identifier=urn:conditional|1";
    let create = |caller: &Caller| {
        let request = caller.request("POST", "Observation").header("If-None-Exist", "identifier=urn:conditional|1");
        request.fhir(&body).send().status
    };
    let blind = app("crud");
    assert_eq!(create(&blind), 403);
    assert_eq!(blind.put(path, &body).status, 403);
    assert_eq!(blind.delete(path).status, 403);
    assert_eq!(patched(&blind, path, &json!([])).status, 403);
    let seeing = app("cruds");
    assert_eq!([create(&seeing), create(&seeing)], [201, 200]);
    assert_eq!(seeing.put(path, &body).status, 200);
    assert_eq!(patched(&seeing, path, &json!([])).status, 200);
    for (missing, ask) in [("crds", "PUT"), ("crds", "PATCH"), ("crus", "DELETE"), ("ruds", "POST")] {
        let caller = app(missing);
        let status = match ask {
            "PUT" => caller.put(path, &body).status,
            "PATCH" => patched(&caller, path, &json!([])).status,
            "DELETE" => caller.delete(path).status,
            _ => create(&caller),
        };
        assert_eq!(status, 403, "{ask} with {missing}");
    }
    assert_eq!(seeing.delete(path).status, 204);
}

/// An app without a custodian's rights makes a resource by a conditional update as
/// by POST, and never chooses its id.
#[test]
fn only_custodians_choose_ids_by_conditional_update() {
    let world = World::new();
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let mut body = weight("pt-mei", "2026-02-01", "6.0");
    body["identifier"] = json!([{"system": "urn:conditional", "value": "2"}]);
    let path = "Observation?identifier=urn:conditional|2";
    body["id"] = json!("chosen");
    let refused = app.put(path, &body).refused(405);
    assert!(refused.header("Allow").is_some(), "{:?}", refused.headers);
    body.as_object_mut().expect("an object").remove("id");
    app.put(path, &body).expect(201);
    app.put(path, &body).expect(200);
}

/// What a condition finds is what the caller may find: others' records neither
/// match nor stand in the way.
#[test]
fn a_hidden_record_neither_matches_nor_counts() {
    let world = World::new();
    let identified = |who: &str, value: &str| {
        let mut body = weight(who, "2026-02-01", "6.0");
        body["identifier"] = json!([{"system": "urn:hidden", "value": value}]);
        body
    };
    let stranger =
        world.approve(&Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger"));
    let hidden = stranger.create(&identified("pt-stranger", "once-9471"));
    stranger.create(&identified("pt-stranger", "both-9471"));
    stranger.create(&identified("pt-stranger", "both-9471"));
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let path = |value: &str| format!("Observation?identifier=urn:hidden|{value}");
    for value in ["once-9471", "both-9471"] {
        let never = "none-9471".to_owned();
        let alike = |what: &str, ask: &dyn Fn(&str) -> Response| {
            let answers = [value, &never].map(|value| fingerprint(&ask(value), value));
            assert_eq!(answers[0], answers[1], "{what} {value}");
        };
        alike("DELETE", &|value| app.delete(&path(value)));
        alike("PATCH", &|value| patched(&app, &path(value), &json!([{"op": "remove", "path": "/x"}])));
        alike("guarded", &|value| {
            app.request("PUT", &path(value)).header("If-Match", "*").fhir(&identified("pt-mei", value)).send()
        });
        let by_id = |id: &str, value: &str| {
            let mut body = identified("pt-mei", value);
            body["id"] = json!(id);
            fingerprint(&app.put(&path(value), &body), id)
        };
        assert_eq!(by_id(&hidden, value), by_id(&"n".repeat(hidden.len()), value), "an id that is hidden");
    }
    app.put(&path("once-9471"), &identified("pt-mei", "once-9471")).expect(201);
    app.put(&path("once-9471"), &identified("pt-mei", "once-9471")).expect(200);
    stranger.get(&format!("Observation/{hidden}")).expect(200);
}

/// A conditional create that gave back what was there left no record of that.
#[test]
fn what_a_condition_gives_back_is_on_record() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let mut body = weight("pt-mei", "2026-02-01", "6.0");
    body["identifier"] = json!([{"system": "urn:recorded", "value": "1"}]);
    let id = mother.create(&body);
    let events = || {
        let found = mother.search("AuditEvent?patient=pt-mei&_count=200");
        found["entry"].as_array().cloned().unwrap_or_default()
    };
    let naming = |events: &[Value]| events.iter().filter(|event| event.to_string().contains(&id)).count();
    let before = naming(&events());
    let request = mother.request("POST", "Observation").header("If-None-Exist", "identifier=urn:recorded|1");
    request.fhir(&body).send().expect(200);
    mother.put("Observation?identifier=urn:recorded|1", &body).expect(200);
    mother.delete("Observation?identifier=urn:recorded|1").expect(204);
    assert_eq!(naming(&events()), before + 3);
}

#[test]
fn conditional_headers_that_are_none_are_refused() {
    let world = World::new();
    let tester = world.tester();
    let path = format!("Patient/{}", tester.create(&patient("頭", "heads", "2024-04-01")));
    let body = patient("頭", "heads", "2024-04-01");
    let create = |lines: &[&str]| {
        let mut request = tester.request("POST", "Patient");
        for line in lines {
            request = request.header("If-None-Exist", line);
        }
        request.fhir(&body).send().status
    };
    assert_eq!(create(&["identifier=a", "identifier=b"]), 400);
    assert_eq!(create(&["identifier=山"]), 400);
    assert_eq!(create(&[""]), 412);
    for (name, value, status) in [
        ("If-None-Match", "1", 400),
        ("If-None-Match", "W/\"1", 400),
        ("If-None-Match", "W/\"1\"", 304),
        ("If-None-Match", "*", 304),
        ("If-Modified-Since", "nonsense", 200),
    ] {
        assert_eq!(tester.request("GET", &path).header(name, value).send().status, status, "{name}: {value}");
    }
    let hidden = tester.request("GET", "Patient/pt-mei").header("If-None-Match", "*").send();
    assert_eq!(hidden.status, 404);
}

/// `If-None-Match: *` writes only what is not there yet; a version keeps that one as it is.
#[test]
fn if_none_match_guards_writes() {
    let world = World::new();
    let tester = world.tester();
    let mut body = patient("無", "none-match", "2024-04-01");
    body["id"] = json!("none-match");
    let send = |method: &str, path: &str, tag: &str| {
        let request = tester.request(method, path).header("If-None-Match", tag);
        match method {
            "PUT" => request.fhir(&body).send().status,
            "PATCH" => request.body("application/json-patch+json", "[]").send().status,
            _ => request.send().status,
        }
    };
    let path = "Patient/none-match";
    assert_eq!(send("PATCH", path, "*"), 404);
    assert_eq!(send("DELETE", path, "*"), 204, "there is none");
    assert_eq!(send("PUT", path, "*"), 201);
    for method in ["PUT", "PATCH", "DELETE"] {
        assert_eq!(send(method, path, "*"), 412, "{method}");
        assert_eq!(send(method, path, "W/\"3\", W/\"1\""), 412, "{method}");
        assert_eq!(send(method, path, "1"), 400, "{method}");
        let both = tester.request(method, path).header("If-Match", "W/\"1\"").header("If-None-Match", "*");
        let both = if method == "PATCH" { both.body("application/json-patch+json", "[]") } else { both.fhir(&body) };
        both.send().refused(400);
    }
    tester.request("POST", "Patient").header("If-None-Match", "*").fhir(&body).send().refused(400);
    assert_eq!(tester.get(path).expect(200).json()["meta"]["versionId"], "1");
    assert_eq!(send("PUT", path, "W/\"7\""), 200);
    assert_eq!(send("PATCH", path, "W/\"1\""), 200);
    let query = by("none-match");
    assert_eq!(send("PUT", &query, "*"), 412);
    assert_eq!(send("DELETE", path, "W/\"1\""), 204);
    assert_eq!(send("PUT", path, "*"), 201, "what was deleted is not there");
    assert_eq!(send("DELETE", path, "W/\"1\""), 204);
    body.as_object_mut().map(|body| body.remove("id"));
    let made = tester.request("PUT", &query).header("If-None-Match", "*").fhir(&body).send();
    assert_eq!(made.status, 201, "{}", made.text());
    for kind in ["batch", "transaction"] {
        let request = json!({"method": "PUT", "url": query, "ifNoneMatch": "*"});
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [{"request": request, "resource": body}]});
        assert!(tester.post("", &bundle).text().contains("\"conflict\""), "{kind}");
    }
}

/// Of many who make one at once, one does; the others are told that it is there.
#[test]
fn of_writers_that_want_none_there_one_succeeds() {
    let world = World::new();
    let tester = world.tester();
    let mut body = patient("競", "none-race", "2024-04-01");
    body["id"] = json!("none-race");
    let send = || tester.request("PUT", "Patient/none-race").header("If-None-Match", "*").fhir(&body).send().status;
    let mut found: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    found.sort_unstable();
    assert_eq!(found[0], 201);
    assert!(found[1..].iter().all(|status| *status == 412), "{found:?}");
}

/// A guess at a record that is hidden is answered as one at none.
#[test]
fn if_none_match_does_not_tell_a_hidden_id_from_none() {
    let world = World::new();
    let ask =
        |user: &str, who: &str| world.approve(&Ask::new("app-public", user, "launch/patient patient/*.cruds").of(who));
    let hidden = ask("stranger", "pt-stranger").create(&weight("pt-stranger", "2026-01-10", "7.5"));
    let never = "n".repeat(hidden.len());
    let app = ask("hanako", "pt-mei");
    for method in ["PUT", "DELETE", "PATCH"] {
        for tag in ["*", "W/\"1\"", "W/\"9\""] {
            let answers = [&hidden, &never].map(|id| {
                let mut body = weight("pt-mei", "2026-01-10", "7.5");
                body["id"] = json!(id);
                let request = app.request(method, &format!("Observation/{id}")).header("If-None-Match", tag);
                let request = match method {
                    "PATCH" => request.body("application/json-patch+json", "[]"),
                    "PUT" => request.fhir(&body),
                    _ => request,
                };
                fingerprint(&request.send(), id)
            });
            assert_eq!(answers[0], answers[1], "{method} {tag}");
        }
    }
}

/// `--conditional-delete multiple`: all that match, or none of them.
#[test]
fn an_operator_may_let_a_query_delete_several() {
    let world = World::new();
    let lax = world.server.beside_with(&["--conditional-delete", "multiple"]);
    let tester = Caller { base: lax.base.clone(), ..world.tester() };
    let statement = tester.get("metadata").expect(200).json();
    assert_eq!(statement["rest"][0]["resource"][0]["conditionalDelete"], "multiple");
    let three = || [0, 1, 2].map(|_| tester.create(&patient("群", "group", "2024-04-01")));
    let entry = json!({"request": {"method": "DELETE", "url": by("group")}});
    let bundle = |kind: &str, entries: &[Value]| {
        tester.post("", &json!({"resourceType": "Bundle", "type": kind, "entry": entries}))
    };
    for how in ["alone", "batch", "transaction"] {
        let ids = three();
        match how {
            "alone" => tester.delete(&by("group")).expect(204).status,
            kind => {
                let answer = bundle(kind, std::slice::from_ref(&entry)).expect(200).json();
                assert_eq!(answer["entry"][0]["response"]["status"], "204 No Content", "{answer}");
                204
            }
        };
        for id in &ids {
            tester.get(&format!("Patient/{id}")).refused(410);
        }
        assert_eq!(tester.delete(&by("group")).status, 204, "nothing is left");
    }
    let ids = three();
    // One of them is at another version: all stay.
    tester.put(&format!("Patient/{}", ids[1]), &tester.get(&format!("Patient/{}", ids[1])).json()).expect(200);
    tester.request("DELETE", &by("group")).header("If-Match", "W/\"1\"").send().refused(412);
    tester.request("DELETE", &by("group")).header("If-None-Match", "*").send().refused(412);
    // Another entry touches one of them: all stay.
    let own = json!({"request": {"method": "DELETE", "url": format!("Patient/{}", ids[2])}});
    bundle("transaction", &[own, entry]).refused(400);
    assert_eq!(tester.ids(&by("group")).len(), 3);
    tester.delete("Patient").refused(412);
    // The server beside it, which is not told so, refuses.
    world.tester().delete(&by("group")).refused(412);
}

/// What a caller does not see she does not delete, and what she may not delete keeps the
/// rest too.
#[test]
fn a_delete_of_several_takes_what_the_caller_may_delete_or_nothing() {
    let world = World::new();
    let lax = world.server.beside_with(&["--conditional-delete", "multiple"]);
    let app = |user: &str, who: &str, scope: &str| {
        let ask = Ask::new("app-public", user, &format!("launch/patient {scope}")).of(who);
        Caller { base: lax.base.clone(), ..world.approve(&ask) }
    };
    let all = "patient/*.cruds";
    let (mother, stranger) = (app("hanako", "pt-mei", all), app("stranger", "pt-stranger", all));
    let marked = |who: &str| {
        let mut body = weight(who, "2026-03-01", "7.5");
        body["identifier"] = json!([{"system": "urn:several", "value": "1"}]);
        body
    };
    let hidden = stranger.create(&marked("pt-stranger"));
    let own = [0, 1].map(|_| mother.create(&marked("pt-mei")));
    let audit = "AuditEvent?patient=pt-mei&_count=200";
    let deletions = || mother.search(audit).to_string().matches("\"code\":\"delete\"").count();
    let before = deletions();
    mother.delete("Observation?identifier=urn:several|1").expect(204);
    for id in &own {
        mother.get(&format!("Observation/{id}")).refused(410);
    }
    stranger.get(&format!("Observation/{hidden}")).expect(200);
    assert_eq!(deletions(), before + 1, "on record");
    // An app that finds both and may delete one of them.
    let category = "http://terminology.hl7.org/CodeSystem/observation-category";
    let vital = mother.create(&marked("pt-mei"));
    let mut other = marked("pt-mei");
    other["category"][0]["coding"][0]["code"] = json!("activity");
    let other = mother.create(&other);
    let scope = format!("patient/Observation.s patient/Observation.d?category={category}|vital-signs");
    let narrow = app("hanako", "pt-mei", &scope);
    assert_eq!(narrow.ids("Observation?identifier=urn:several|1").len(), 2);
    narrow.delete("Observation?identifier=urn:several|1").refused(403);
    for id in [&vital, &other] {
        mother.get(&format!("Observation/{id}")).expect(200);
    }
    narrow.delete("Observation?identifier=urn:several|1&category=vital-signs").expect(204);
    mother.get(&format!("Observation/{other}")).expect(200);
}

/// `--require-if-match`: what is known is changed by its version only; what is not
/// known answers as ever.
#[test]
fn an_operator_may_require_if_match() {
    let world = World::new();
    let tester = world.tester();
    let strict = world.server.beside_with(&["--require-if-match"]);
    let careful = Caller { base: strict.base.clone(), ..tester.clone() };
    let statement = careful.get("metadata").expect(200).json();
    assert_eq!(statement["rest"][0]["resource"][0]["versioning"], "versioned-update");
    let mut body = patient("要", "strict", "2024-04-01");
    body["id"] = json!("strict");
    careful.put("Patient/strict", &body).expect(201);
    let changes = json!([{"op": "add", "path": "/active", "value": true}]);
    let send = |method: &str, guarded: bool| {
        let request = careful.request(method, "Patient/strict");
        let request = if guarded { request.header("If-Match", "W/\"1\"") } else { request };
        match method {
            "PATCH" => request.body("application/json-patch+json", changes.to_string()).send(),
            "PUT" => request.fhir(&body).send(),
            _ => request.send(),
        }
    };
    for method in ["PUT", "PATCH", "DELETE"] {
        let refused = send(method, false).refused(428).json();
        assert_eq!(refused["issue"][0]["code"], "required", "{method}: {refused}");
    }
    send("PATCH", true).expect(200);
    let entry = json!({"request": {"method": "DELETE", "url": "Patient/strict"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    careful.post("", &bundle).refused(428);
    // A query is a condition of its own.
    careful.put(&by("strict"), &body).expect(200);
    assert_eq!(careful.delete("Patient/never-was").status, 204);
    patched(&careful, "Patient/never-was", &changes).refused(404);
    assert_eq!(careful.delete("Patient/pt-mei").status, 204, "hidden: as if it were not there");
    tester.put("Patient/strict", &body).expect(200);
}

/// The refusal tells that there are such records, and named none of their citizens.
#[test]
fn a_condition_that_several_match_is_on_their_citizens_record() {
    let world = World::new();
    let town = world.importer();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    let body = weight("pt-mei", "2026-01-10", "6.1");
    town.create(&body);
    town.create(&body);
    let events = || mother.search("AuditEvent?patient=pt-mei&_count=1000")["total"].as_u64().expect("a total");
    let before = events();
    let condition = "patient=pt-mei&code=29463-7";
    let create = town.request("POST", "Observation").header("If-None-Exist", condition);
    create.body("application/fhir+json", body.to_string()).send().expect(412);
    // The first question for them is one too.
    assert_eq!(events(), before + 2);
    town.put(&format!("Observation?{condition}"), &body).expect(412);
    town.delete(&format!("Observation?{condition}")).expect(412);
    assert_eq!(events(), before + 5);
}

/// What cannot be read would match nothing, and make another one each time.
#[test]
fn a_condition_in_another_encoding_makes_no_duplicates() {
    let world = World::new();
    let tester = world.tester();
    let body = patient("山田", "encoding-1", "2024-04-01");
    for query in ["family:exact=%8ER%93c", "family:exact=%", "Patient?family:exact=%BB%B3"] {
        for _ in 0..2 {
            let answer =
                tester.request("POST", "Patient").header("If-None-Exist", query).fhir(&body).send().refused(400);
            assert_eq!(answer.json()["issue"][0]["code"], "value", "{query}: {}", answer.text());
        }
        let entry = json!({"resource": body, "request": {"method": "POST", "url": "Patient", "ifNoneExist": query}});
        let bundle = |kind: &str| json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
        tester.post("", &bundle("transaction")).refused(400);
        let answer = tester.post("", &bundle("batch")).expect(200).json();
        assert_eq!(answer["entry"][0]["response"]["status"], "400", "{answer}");
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let request = tester.request(method, "Patient?family:exact=%8ER%93c").fhir(&body);
        assert_eq!(request.send().refused(400).json()["issue"][0]["code"], "value", "{method}");
    }
    assert_eq!(tester.ids("Patient?identifier=encoding-1"), [""; 0]);
}

/// `.` and `..` are taken out of a URL before it is sent.
#[test]
fn nothing_gets_an_id_that_no_url_reaches() {
    let world = World::new();
    let tester = world.tester();
    for (path, id) in [("%2e", "."), ("%2e%2e", ".."), ("%2E.", ".."), ("a_b", "a_b")] {
        let mut body = patient("点", "dots-1", "2024-04-01");
        body["id"] = json!(id);
        for path in [format!("Patient/{path}"), by("dots-1")] {
            let refused = tester.put(&path, &body).refused(400).json();
            let issue = &refused["issue"][0];
            assert_eq!(
                (&issue["code"], &issue["expression"][0]),
                (&json!("value"), &json!("Patient.id")),
                "{path}: {issue}"
            );
        }
        for url in [format!("Patient/{id}"), by("dots-1")] {
            let entry = json!({"resource": body, "request": {"method": "PUT", "url": url}});
            tester.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})).refused(400);
        }
    }
    assert_eq!(tester.ids("Patient?identifier=dots-1"), [""; 0]);
    tester
        .put("Patient/a..b", &{
            let mut body = patient("点", "dots-2", "2024-04-01");
            body["id"] = json!("a..b");
            body
        })
        .expect(201);
    tester.get("Patient/a..b").expect(200);
}

fn linked(subject: &str, full_url: &str, narrative: &str) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": full_url, "resource": patient("綴", "urn-1", "2024-04-01"),
            "request": {"method": "POST", "url": "Patient"}},
        {"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": subject}, "text": {"status": "generated", "div": format!(
                "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{narrative}\">x</a></div>")}},
            "request": {"method": "POST", "url": "Observation"}}]})
}

#[test]
fn a_urn_in_capitals_is_the_same_and_a_place_in_what_it_names_stays() {
    const SMALL: &str = "urn:uuid:ac86b1d4-0f4c-4d62-9a3e-9c1de0f0a001";
    let world = World::new();
    let tester = world.tester();
    let capitals = SMALL.to_uppercase();
    for (subject, full_url) in
        [(&*capitals, SMALL), (SMALL, &*capitals), ("urn:UUID:AC86b1d4-0f4c-4d62-9a3e-9c1de0f0a001", SMALL)]
    {
        let answer = tester.post("", &linked(subject, full_url, &format!("{subject}#part"))).expect(200).json();
        let at = |index: usize| answer["entry"][index]["response"]["location"].as_str().expect("a place").to_owned();
        let who = at(0).split("/fhir/").nth(1).expect("below the base").replace("/_history/1", "");
        let made =
            tester.get(&at(1).split("/fhir/").nth(1).expect("below the base").replace("/_history/1", "")).expect(200);
        assert_eq!(made.json()["subject"]["reference"], who);
        assert!(
            made.json()["text"]["div"].to_string().contains(&format!("href=\\\"{who}#part\\\"")),
            "{}",
            made.text()
        );
    }
    let other = "URN:UUID:AC86B1D4-0F4C-4D62-9A3E-9C1DE0F0A002";
    for subject in [other, &other.to_lowercase()] {
        assert_eq!(tester.post("", &linked(subject, SMALL, "#x")).refused(400).json()["issue"][0]["code"], "not-found");
    }
}

#[test]
fn the_fault_of_a_conditional_reference_is_in_the_resource() {
    let world = World::new();
    let tester = world.tester();
    for (reference, status) in [
        ("Patient?nonsense=1", 400),
        ("Patient?name=%8ER", 400),
        ("Patient?_count=1", 412),
        ("Patient?identifier=nobody", 412),
    ] {
        let refused = tester
            .post("", &linked(reference, "urn:uuid:ac86b1d4-0f4c-4d62-9a3e-9c1de0f0a003", "#x"))
            .refused(status)
            .json();
        assert_eq!(refused["issue"][0]["expression"][0], "Bundle.entry[1].resource", "{refused}");
    }
}
