//! Past holes kept shut: each test is named for what once told of hidden things,
//! and failed before the hole was mended.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{consent, laboratory, patient, transaction, urn, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

/// Alike but for the id: whether it is hidden or never was must not show.
fn alike(what: &str, hidden: &str, never: &str, ask: impl Fn(&str) -> Response) {
    assert_eq!(fingerprint(&ask(hidden), hidden), fingerprint(&ask(never), never), "{what}");
}

/// As long as the other, so that no length tells.
fn never_used(id: &str) -> String {
    "n".repeat(id.len())
}

/// An Observation of another family, and an app of the mother's for her daughter
/// that may do everything.
fn strangers_record(world: &World, scope: &str) -> (String, Caller) {
    let ask = Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger");
    let hidden = world.approve(&ask).create(&weight("pt-stranger", "2026-01-10", "7.5"));
    (hidden, world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei")))
}

fn provenance(targets: &[&str], agent: &str) -> Value {
    let targets: Vec<Value> = targets.iter().map(|target| json!({"reference": target})).collect();
    json!({"resourceType": "Provenance", "target": targets, "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": {"reference": agent}}]})
}

/// The app was approved for the daughter; of the mother it may know who she is. A
/// scope on Person, meant for the daughter's, once opened all of the mother's.
#[test]
fn identity_gives_the_name_alone_whatever_else_is_in_scope() {
    let world = World::new();
    for scope in ["patient/Observation.rs", "patient/Observation.rs patient/Person.rs patient/Patient.rs"] {
        let scope = format!("launch/patient openid fhirUser {scope}");
        let app = world.approve(&Ask::new("app-public", "hanako", &scope).of("pt-mei"));
        for path in ["Person/hanako", "Person/hanako/_history/1", "Person/hanako/_history"] {
            let answer = app.get(path).expect(200).json();
            let person = if path.ends_with("_history") { &answer["entry"][0]["resource"] } else { &answer };
            let mut members: Vec<&str> = person.as_object().expect("a resource").keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["id", "meta", "name", "resourceType"], "{path} with {scope}");
        }
    }
    let own =
        world.approve(&Ask::new("app-public", "hanako", "launch/patient fhirUser patient/Person.rs").of("pt-hanako"));
    assert!(own.get("Person/hanako").expect(200).json()["link"].is_array(), "approved for herself, it is all there");
}

/// 405 for a hidden id and 412 for a free one: a guess at a version told which.
#[test]
fn if_match_does_not_tell_a_hidden_id_from_none() {
    let world = World::new();
    let (hidden, app) = strangers_record(&world, "launch/patient patient/*.cruds");
    let never = never_used(&hidden);
    for subject in ["pt-mei", "pt-stranger", "pt-nobody"] {
        let body = |id: &str| {
            let mut body = weight(subject, "2026-01-10", "9.9");
            body["id"] = json!(id);
            body
        };
        for version in ["W/\"1\"", "W/\"9\""] {
            alike("PUT", &hidden, &never, |id| {
                app.request("PUT", &format!("Observation/{id}")).header("If-Match", version).fhir(&body(id)).send()
            });
            for kind in ["batch", "transaction"] {
                alike(kind, &hidden, &never, |id| {
                    let request = json!({"method": "PUT", "url": format!("Observation/{id}"), "ifMatch": version});
                    let entry = json!({"resource": body(id), "request": request});
                    app.post("", &json!({"resourceType": "Bundle", "type": kind, "entry": [entry]}))
                });
            }
        }
    }
}

/// Whether a Provenance or Binary that points at an id was accepted told whether
/// somebody has it.
#[test]
fn pointing_at_hidden_things_tells_nothing() {
    let world = World::new();
    let (hidden, app) = strangers_record(&world, "launch/patient patient/*.cruds");
    let user = world.approve(&Ask::new("app-secret", "hanako", "user/*.cruds").of("pt-mei"));
    let tester = world.tester();
    let own = tester.create(&patient("指", "points-1", "2024-04-01"));
    let never = never_used(&hidden);
    for (name, caller, who) in [("app", &app, "pt-mei"), ("user", &user, "pt-mei"), ("publisher", &tester, &*own)] {
        let who = format!("Patient/{who}");
        let told = |answer: Response| if answer.status == 201 { "taken".to_owned() } else { answer.text() };
        let same = |what: &str, make: &dyn Fn(&str) -> Value| {
            let resource = |id| make(&format!("Observation/{id}"));
            let kind = resource(&hidden)["resourceType"].as_str().unwrap_or_default().to_owned();
            let answers = [&hidden, &never].map(|id| told(caller.post(&kind, &resource(id))));
            assert_eq!(answers[0], answers[1], "{name}: {what}");
        };
        same("a target beside her own", &|target| provenance(&[&who, target], &who));
        same("the only target", &|target| provenance(&[target], &who));
        same("a security context", &|target| {
            json!({"resourceType": "Binary", "contentType": "text/plain", "data": "AAAA",
                "securityContext": {"reference": target}})
        });
    }
    let hers = app.ids("Observation?patient=pt-mei&_count=1").remove(0);
    app.post("Provenance", &provenance(&[&format!("Observation/{hers}")], "Patient/pt-mei")).expect(201);
}

/// "Nobody here" and "not yours" had words of their own.
#[test]
fn a_consent_for_a_stranger_is_refused_like_one_for_nobody() {
    let world = World::new();
    let user = world.approve(&Ask::new("app-secret", "hanako", "user/*.cruds").of("pt-mei"));
    let ask = |id: &str| {
        user.post("Consent", &consent(id, "Patient/pt-hanako", "permit", "Observation", "Device/app-public"))
    };
    alike("Consent", "pt-stranger", "pt-absent--", |id| ask(id).refused(403));
}

/// A version about two people, of a record that is about one of them now: the
/// other could no longer be asked, and was not.
#[test]
fn an_old_version_about_several_is_not_shown_by_one_of_them() {
    let world = World::new();
    let tester = world.tester();
    let [first, second] =
        ["several-1", "several-2"].map(|number| tester.create(&patient("複数", number, "2024-04-01")));
    let account = |id: &str, subjects: &[&String]| {
        let subjects: Vec<Value> = subjects.iter().map(|one| json!({"reference": format!("Patient/{one}")})).collect();
        json!({"resourceType": "Account", "id": id, "status": "active", "subject": subjects})
    };
    let town = world.importer();
    let shared = |who: &String| consent(who, &format!("Patient/{who}"), "permit", "Account", "Organization/org-city");
    tester.create(&shared(&first));
    for (id, after) in [("account-to-one", vec![&first]), ("account-to-others", vec![&first, &second])] {
        let third = tester.create(&patient("複数", &format!("third-{id}"), "2024-04-01"));
        let before = if after.len() == 1 { vec![&first, &second] } else { vec![&first, &third] };
        tester.put(&format!("Account/{id}"), &account(id, &before)).expect(201);
        tester.put(&format!("Account/{id}"), &account(id, &after)).expect(200);
        if after.len() == 2 {
            tester.create(&shared(&second));
        }
        town.get(&format!("Account/{id}")).expect(200);
        town.get(&format!("Account/{id}/_history/1")).refused(404);
        let history = town.get(&format!("Account/{id}/_history")).expect(200);
        assert_eq!(history.json()["entry"].as_array().map(Vec::len), Some(1), "{id}: {}", history.text());
        assert_eq!(
            tester.get(&format!("Account/{id}/_history")).expect(200).json()["entry"].as_array().map(Vec::len),
            Some(2)
        );
    }
    let id = "account-of-both";
    tester.put(&format!("Account/{id}"), &account(id, &[&first, &second])).expect(201);
    tester.put(&format!("Account/{id}"), &account(id, &[&second, &first])).expect(200);
    town.get(&format!("Account/{id}/_history/1")).expect(200);
}

/// How a decision is asked for differs from its first request to those that follow soon;
/// and rows that list others, or are about several, are asked about in another way.
#[test]
fn what_is_asked_again_and_again_is_answered_as_at_first() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let [who, other, third] =
        ["again-1", "again-2", "again-3"].map(|number| tester.create(&patient("再問", number, "2024-04-01")));
    let subject = format!("Patient/{who}");
    for (one, class) in [(&who, "Observation"), (&who, "Account"), (&other, "Account")] {
        tester.create(&consent(one, &format!("Patient/{one}"), "permit", class, "Organization/org-city"));
    }
    let (shown, secret) = (weight(&who, "2026-01-10", "6.1"), laboratory(&who, "2026-01-11"));
    let shown = format!("Observation/{}", tester.create(&shown));
    let hidden = format!("Observation/{}", tester.create(&secret));
    let panel = |to: &[&str]| {
        let mut panel = weight(&who, "2026-01-12", "6.2");
        panel["hasMember"] = to.iter().map(|one| json!({"reference": one})).collect();
        tester.create(&panel)
    };
    let account = |people: &[&String]| {
        let people: Vec<Value> = people.iter().map(|one| json!({"reference": format!("Patient/{one}")})).collect();
        format!("Account/{}", tester.create(&json!({"resourceType": "Account", "status": "active", "subject": people})))
    };
    let (ours, theirs) = (account(&[&who, &other]), account(&[&who, &third]));
    let mut deny = consent(&who, &subject, "deny", "Observation", "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [secret["code"]["coding"][0]]}]);
    tester.create(&deny);
    let search = format!("Observation?patient={who}&code=http://loinc.org|29463-7&_total=accurate");
    let ask = |seen: &[&str], never: &[&str]| {
        let mut wanted: Vec<String> = seen.iter().map(|id| (*id).to_owned()).collect();
        wanted.sort();
        for turn in 0..6 {
            let mut found = town.ids(&search);
            found.sort();
            assert_eq!(found, wanted, "turn {turn}");
            assert_eq!(town.search(&search)["total"], seen.len(), "turn {turn}");
            for id in seen {
                town.get(&format!("Observation/{id}")).expect(200);
            }
            for id in never {
                town.get(&format!("Observation/{id}")).refused(404);
            }
            town.get(&hidden).refused(404);
            town.get(&ours).expect(200);
            town.get(&theirs).refused(404);
        }
    };
    let first = shown.trim_start_matches("Observation/");
    ask(&[first], &[]);
    let closed = panel(&[&shown, &hidden]);
    ask(&[first], &[&closed]);
    let open = panel(&[&shown]);
    ask(&[first, &open], &[&closed]);
}

/// An app that may read and not change was told 204 to a delete that did nothing,
/// and 405 to an update.
#[test]
fn what_may_only_be_read_is_refused_openly() {
    let world = World::new();
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let path = "Practitioner/dr-sato";
    let user = world.approve(&Ask::new("app-secret", "hanako", "user/*.cruds").of("pt-mei"));
    user.get(path).expect(200);
    user.delete(path).refused(403);
    let mut practitioner = user.get(path).json();
    practitioner["gender"] = json!("other");
    user.put(path, &practitioner).refused(403);
    assert_eq!(app.delete("Observation/never-there").status, 204);
}

/// What a conditional create gives back is a disclosure in a transaction too.
#[test]
fn a_match_given_back_in_a_transaction_is_on_record() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let identified = || {
        let mut resource = weight("pt-mei", "2026-02-01", "6.0");
        resource["identifier"] = json!([{"system": "urn:leaks", "value": "1"}]);
        resource
    };
    let id = mother.create(&identified());
    let events =
        |caller: &Caller| caller.search("AuditEvent?patient=pt-mei&_count=200")["entry"].as_array().map_or(0, Vec::len);
    let before = events(&mother);
    let mut bundle = transaction(&[(urn(1), identified())]);
    bundle["entry"][0]["request"]["ifNoneExist"] = json!("identifier=urn:leaks|1");
    let answer = mother.post("", &bundle).expect(200);
    assert!(answer.text().contains(&id), "{}", answer.text());
    // One for the search before, one for the transaction.
    assert_eq!(events(&mother), before + 2);
}

/// A report with a result that was not shared told of it by its list and its
/// conclusion; so did a panel, an Encounter, the document's bytes and the
/// Provenance of what was imported.
#[test]
fn a_list_is_shown_only_with_all_that_is_on_it() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("一覧", "lists-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let shared = weight(&who, "2026-01-10", "6.1");
    let secret = laboratory(&who, "2026-01-11");
    let (shown, hidden) =
        (format!("Observation/{}", tester.create(&shared)), format!("Observation/{}", tester.create(&secret)));
    let code = secret["code"]["coding"][0].clone();
    let share = |class: &str| consent(&who, &subject, "permit", class, "Organization/org-city");
    for class in
        ["Observation", "DiagnosticReport", "Encounter", "Binary", "Provenance", "List", "Condition", "Patient"]
    {
        tester.create(&share(class));
    }
    let reference = |to: &str| json!({"reference": to});
    let lists = |to: &[&str]| -> Vec<Value> {
        let all: Vec<Value> = to.iter().map(|one| reference(one)).collect();
        let mut panel = weight(&who, "2026-01-12", "6.2");
        panel["hasMember"] = json!(all);
        vec![
            json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "r"},
                "subject": reference(&subject), "result": all}),
            panel,
            json!({"resourceType": "List", "status": "current", "mode": "working", "subject": reference(&subject),
                "entry": to.iter().map(|one| json!({"item": reference(one)})).collect::<Vec<_>>()}),
            provenance(&[to, &[&*subject]].concat(), &subject),
            json!({"resourceType": "Binary", "contentType": "text/plain", "data": "AAAA",
                "securityContext": reference(to[to.len() - 1])}),
        ]
    };
    let kind = |resource: &Value| resource["resourceType"].as_str().unwrap_or_default().to_owned();
    let place = |resource: &Value| format!("{}/{}", kind(resource), tester.create(resource));
    let open: Vec<String> = lists(&[&shown]).iter().map(place).collect();
    let closed: Vec<String> = lists(&[&shown, &hidden]).iter().map(place).collect();
    // A report of a panel: one step further.
    let report = |panel: &str| {
        place(&json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "p"},
            "subject": reference(&subject), "result": [reference(panel)]}))
    };
    let (open_report, closed_report) = (report(&open[1]), report(&closed[1]));
    for path in open.iter().chain(&closed).chain([&open_report, &closed_report]) {
        town.get(path).expect(200);
    }
    let mut deny = consent(&who, &subject, "deny", "Observation", "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [code]}]);
    let id = tester.create(&deny);
    town.get(&hidden).refused(404);
    for path in open.iter().chain([&open_report]) {
        town.get(path).expect(200);
    }
    for path in closed.iter().chain([&closed_report]) {
        town.get(path).refused(404);
        tester.get(path).expect(200);
        let (kind, id) = path.split_once('/').expect("a place");
        if kind != "Binary" {
            assert_eq!(town.ids(&format!("{kind}?_id={id}")), [""; 0], "{path}");
        }
    }
    let reports = town.search(&format!("DiagnosticReport?subject={subject}&_total=accurate"));
    assert_eq!(reports["total"], 2, "counted like that: {reports}");
    // Old versions of a list are not shown at all: what they listed is not kept.
    let mut changed = tester.get(&open[0]).json();
    changed.as_object_mut().map(|report| report.remove("result"));
    tester.put(&open[0], &changed).expect(200);
    town.get(&open[0]).expect(200);
    town.get(&format!("{}/_history/1", open[0])).refused(404);
    deny["id"] = json!(id);
    deny["status"] = json!("inactive");
    tester.put(&format!("Consent/{id}"), &deny).expect(200);
    for path in &closed {
        town.get(path).expect(200);
    }
}

/// The name of a patient who was not shared stood beside the reference to her.
#[test]
fn a_reference_to_a_hidden_thing_loses_its_display() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("呼名", "display-1", "2024-04-01"));
    let visit = tester.create(&json!({"resourceType": "Encounter", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "ambulatory"},
        "subject": {"reference": format!("Patient/{who}")}}));
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["subject"]["display"] = json!("呼名 花子");
    resource["encounter"] = json!({"reference": format!("Encounter/{visit}"), "display": "内緒の受診"});
    resource["performer"] = json!([{"reference": "Organization/org-city", "display": "市"}]);
    resource["text"] =
        json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">呼名 花子</div>"});
    let id = tester.create(&resource);
    let share = |class: &str| consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city");
    tester.create(&share("Observation"));
    let ways = |caller: &Caller| {
        let history = caller.get(&format!("Observation/{id}/_history")).expect(200).json();
        [
            caller.get(&format!("Observation/{id}")).expect(200).json(),
            caller.get(&format!("Observation/{id}/_history/1")).expect(200).json(),
            caller.search(&format!("Observation?_id={id}"))["entry"][0]["resource"].clone(),
            history["entry"][0]["resource"].clone(),
        ]
    };
    for seen in ways(&town) {
        let text = seen.to_string();
        assert!(!text.contains("呼名") && !text.contains("内緒"), "{text}");
        assert_eq!(seen["subject"]["reference"], format!("Patient/{who}"), "the opaque id stays");
        assert_eq!(seen["performer"][0]["display"], "市", "shared directories hide nobody");
        assert!(text.contains("SUBSETTED") && text.contains("REDACTED"), "{text}");
    }
    // What was cut is not written back.
    let cut = town.get(&format!("Observation/{id}")).json();
    tester.put(&format!("Observation/{id}"), &cut).refused(422);
    for seen in ways(&tester) {
        assert!(seen["text"].is_object() && seen["encounter"]["display"] == "内緒の受診", "{seen}");
    }
    tester.create(&share("Encounter"));
    tester.create(&share("Patient"));
    for seen in ways(&town) {
        assert!(seen["text"].is_object() && seen["encounter"]["display"] == "内緒の受診", "{seen}");
    }
}

/// Spelled with an escape, the name was not seen and stayed.
#[test]
fn a_display_in_escapes_is_a_display() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("呼名", "display-2", "2024-04-01"));
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["subject"]["display"] = json!("呼名 花子");
    let body = resource.to_string().replace("\"display\"", "\"displa\\u0079\"");
    assert!(!body.contains("display\""), "{body}");
    let sent = tester.request("POST", "Observation").body("application/fhir+json", &*body).send().expect(201);
    let id = sent.json()["id"].as_str().expect("an id").to_owned();
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city"));
    let seen = town.get(&format!("Observation/{id}")).expect(200).json();
    assert_eq!(seen["subject"], json!({"reference": format!("Patient/{who}")}));
    assert_eq!(tester.get(&format!("Observation/{id}")).json()["subject"]["display"], "呼名 花子");
}

/// A base in capitals or with a slash too many was taken for another server's; a name below
/// another name, in an extension of the reference, was not looked for.
#[test]
fn a_display_stays_nowhere() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("呼名", "display-3", "2024-04-01"));
    let illness = tester.create(&json!({"resourceType": "Condition", "code": {"text": "内緒"},
        "subject": {"reference": format!("Patient/{who}")}}));
    let base = &world.base;
    let (scheme, rest) = base.split_once("://").expect("a base");
    let mut resource = weight(&who, "2026-01-10", "6.1");
    let named = |reference: String| json!({"reference": reference, "display": "内緒の話"});
    resource["focus"] = json!([
        named(format!("{}://{rest}/Condition/{illness}", scheme.to_uppercase())),
        named(format!("{base}//Condition/{illness}")),
        named(format!("{base}/Condition/{illness}/_history/1")),
    ]);
    // In one that she sees.
    resource["performer"] = json!([{"reference": "Organization/org-city", "display": "市", "extension": [
        {"url": "https://example.org/why", "valueReference": named(format!("Condition/{illness}"))}]}]);
    // In one that she does not.
    resource["encounter"] = json!({"reference": "Encounter/nowhere", "display": "内緒の話", "extension": [
        {"url": "https://example.org/why", "valueReference": named(format!("Condition/{illness}"))}]});
    let id = tester.create(&resource);
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city"));
    let seen = town.get(&format!("Observation/{id}")).expect(200).text();
    assert!(!seen.contains("内緒") && seen.contains("市"), "{seen}");
    assert_eq!(tester.get(&format!("Observation/{id}")).text().matches("内緒の話").count(), 6);
    assert!(town.ids(&format!("Observation?patient={who}&_content=内緒")).is_empty());
    let focus = format!("Observation?patient={who}&focus=Condition/{illness}");
    assert_eq!(tester.ids(&focus), [id], "however its base is spelled");
}

/// A narrative spelled out what stood behind a reference without a `display`.
#[test]
fn a_narrative_goes_with_any_reference_to_a_hidden_thing() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("語部", "narrative-1", "2024-04-01"));
    let visit = tester.create(&json!({"resourceType": "Encounter", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": format!("Patient/{who}")}}));
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["encounter"] = json!({"reference": format!("Encounter/{visit}")});
    resource["text"] =
        json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">精神科外来</div>"});
    let id = tester.create(&resource);
    let share = |class: &str| consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city");
    let told = |shown: bool| {
        let seen = town.get(&format!("Observation/{id}")).expect(200).text();
        assert_eq!((seen.contains("精神科"), seen.contains("REDACTED")), (shown, !shown), "{seen}");
        for parameter in ["_text", "_content"] {
            let found = town.ids(&format!("Observation?patient={who}&{parameter}=精神科"));
            assert_eq!(found.len(), usize::from(shown), "{parameter}");
        }
    };
    tester.create(&share("Observation"));
    told(false);
    tester.create(&share("Patient"));
    told(false);
    tester.create(&share("Encounter"));
    told(true);
}

/// She sent it back without the tag, and what she had not been shown was gone.
#[test]
fn what_is_shown_in_part_is_not_replaced() {
    let mut world = World::new();
    let scope = "openid fhirUser user/*.cruds";
    let redirect = Ask::new("app-public", "dr-sato", scope).redirect;
    let new = ["client", "add", "--id", "clinic-app", "--kind", "public", "--redirect", &redirect];
    let added = world.server.command(&[&new[..], &["--org", "org-sakura-clinic", "--scope", scope]].concat());
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let known = world.client("app-public").clone();
    world.server.info["clients"]["clinic-app"] = known;
    let doctor = world.approve(&Ask::new("clinic-app", "dr-sato", scope));
    let tester = world.tester();
    let who = tester.create(&patient("分部", "partly-1", "2024-04-01"));
    let shared = consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-sakura-clinic");
    tester.create(&shared);
    let mut resource = weight(&who, "2026-01-10", "6.1");
    let whole = tester.create(&resource);
    resource["encounter"] = json!({"reference": "Encounter/nowhere", "display": "内科外来"});
    let part = tester.create(&resource);
    let mut body = weight(&who, "2026-01-10", "6.2");
    for (id, status) in [(&whole, 200), (&part, 422)] {
        body["id"] = json!(id);
        doctor.put(&format!("Observation/{id}"), &body).expect(status);
        doctor.put(&format!("Observation?_id={id}"), &body).expect(status);
        let entry = json!({"resource": body, "request": {"method": "PUT", "url": format!("Observation/{id}")}});
        doctor.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})).expect(status);
        // Whoever asks first is told the same.
        let refused = doctor.put(&format!("Observation/{id}"), &body).expect(status).json();
        let ask = |mode: &str| {
            let path = format!("Observation/{id}/$validate?mode={mode}");
            doctor.post(&path, &body).expect(200).json()["issue"].clone()
        };
        let told = ask("update");
        assert_eq!(told[0]["severity"] == "error", status == 422, "{told}");
        if status == 422 {
            assert_eq!(told, refused["issue"]);
        }
        assert_eq!(ask("delete")[0]["severity"], "information", "nothing is written over");
    }
    let kept = tester.get(&format!("Observation/{part}")).expect(200);
    assert_eq!((kept.header("ETag"), &kept.json()["encounter"]["display"]), (Some("W/\"1\""), &json!("内科外来")));
}

/// Entries of a Bundle go through the same gates as requests: an operation, a search
/// across types or in a compartment is no way round scopes, and none tells a hidden
/// record from none.
#[test]
fn an_entry_that_asks_is_no_way_round_scopes_or_consent() {
    let world = World::new();
    let (hidden, app) = strangers_record(&world, "launch/patient patient/*.cruds");
    let never = never_used(&hidden);
    let narrow = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Patient.rs").of("pt-mei"));
    let send = |caller: &Caller, kind: &str, method: &str, url: &str| {
        let entry = json!({"request": {"method": method, "url": url}});
        caller.post("", &json!({"resourceType": "Bundle", "type": kind, "entry": [entry]}))
    };
    for kind in ["batch", "transaction"] {
        for (method, url) in [
            ("GET", "Observation/{}/$meta"),
            ("POST", "Observation/{}/$meta"),
            ("GET", "Observation/{}/_history/1/$meta"),
            ("GET", "?_type=Observation,Patient&_id={}&_total=accurate"),
            ("GET", "Patient/pt-mei/Observation?_id={}&_total=accurate"),
            ("POST", "Observation/{}/$meta-delete"),
        ] {
            alike(&format!("{kind} {method} {url}"), &hidden, &never, |id| {
                send(&app, kind, method, &url.replace("{}", id))
            });
        }
        for url in ["Patient/{}/$everything", "Patient/{}/Observation", "Patient/{}/*", "Observation/$lastn?patient={}"]
        {
            alike(&format!("{kind} {url}"), "pt-stranger", "pt-nobody11", |id| {
                send(&app, kind, "GET", &url.replace("{}", id))
            });
        }
        for url in [
            "?_type=Patient,Observation",
            "Patient/pt-mei/Observation",
            "Observation/$lastn?patient=pt-mei",
            "Observation/$meta",
        ] {
            let text = send(&narrow, kind, "GET", url).text();
            assert!(text.contains("forbidden") && !text.contains("valueQuantity"), "{kind} {url}: {text}");
        }
    }
    // Whom it disclosed is on record.
    let of_all = Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei");
    let reader = world.approve(&of_all);
    let before = reader.search("AuditEvent?patient=pt-mei&_count=1")["total"].as_u64().expect("a total");
    send(&reader, "batch", "GET", "Patient/pt-mei/$everything").expect(200);
    let after = reader.search("AuditEvent?patient=pt-mei&_count=1")["total"].as_u64().expect("a total");
    assert!(after >= before + 2, "the search before, and the batch: {before} {after}");
}
