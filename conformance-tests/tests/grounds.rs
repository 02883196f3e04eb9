//! What is hidden is hidden from searches of several types, from compartments, from
//! includes, from the ways to other pages and from who may be named in a Consent, as if
//! it had never been.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{consent, laboratory, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World, ids, link};

/// Alike but for the id: whether it is hidden or never was must not show.
#[track_caller]
fn alike(what: &str, hidden: &str, never: &str, ask: impl Fn(&str) -> Response) {
    assert_eq!(fingerprint(&ask(hidden), hidden), fingerprint(&ask(never), never), "{what}");
}

/// As long as the other, so that no length tells.
fn never_used(id: &str) -> String {
    "n".repeat(id.len())
}

fn app(world: &World, scope: &str) -> Caller {
    world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"))
}

/// An Observation and the Encounter it came from, of another family.
fn hidden(world: &World) -> (String, String) {
    let ask = Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger");
    let stranger = world.approve(&ask);
    let visit = stranger.create(&json!({"resourceType": "Encounter", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/pt-stranger"}}));
    let mut resource = weight("pt-stranger", "2026-01-10", "7.5");
    resource["encounter"] = json!({"reference": format!("Encounter/{visit}")});
    (stranger.create(&resource), visit)
}

const ALL: &str = "launch/patient patient/*.cruds";
const TAILS: [&str; 8] = [
    "",
    "?_count=0",
    "?_summary=count",
    "?_total=accurate&_count=1",
    "?_sort=-_lastUpdated",
    "?_elements=id",
    "?_include=*",
    "?_lastUpdated=gt2020-01-01",
];

#[test]
fn the_compartment_of_whom_is_hidden_is_that_of_nobody() {
    let world = World::new();
    let (observation, visit) = hidden(&world);
    let callers = [app(&world, ALL), world.importer(), world.stranger()];
    for caller in &callers[..2] {
        for tail in TAILS {
            for member in ["Observation", "Encounter", "Patient", "*"] {
                let ask = |id: &str| caller.get(&format!("Patient/{id}/{member}{tail}"));
                alike(tail, "pt-stranger", &never_used("pt-stranger"), ask);
                assert_eq!(ask("pt-stranger").expect(200).json()["entry"], Value::Null, "{member}{tail}");
            }
            alike(tail, &visit, &never_used(&visit), |id| caller.get(&format!("Encounter/{id}/Observation{tail}")));
            alike(tail, &visit, &never_used(&visit), |id| caller.get(&format!("Encounter/{id}/*{tail}")));
        }
        for refused in ["Organization", "Observation?nonsense=1", "Observation?_summary=some", "*?_type=Nonsense"] {
            alike(refused, "pt-stranger", &never_used("pt-stranger"), |id| {
                caller.get(&format!("Patient/{id}/{refused}"))
            });
        }
        alike("POST", "pt-stranger", &never_used("pt-stranger"), |id| {
            caller.request("POST", &format!("Patient/{id}/Observation/_search")).form(&[("code", "29463-7")]).send()
        });
    }
    // Whose it is finds it.
    let own = callers[2].search("Patient/pt-stranger/Observation");
    assert!(ids(&own, "match").contains(&observation), "{own}");
    assert!(ids(&callers[2].search("Patient/pt-stranger/*"), "match").contains(&visit));
}

#[test]
fn a_search_of_several_types_finds_and_counts_what_is_visible() {
    let world = World::new();
    let (observation, visit) = hidden(&world);
    for caller in [app(&world, ALL), world.importer()] {
        for tail in TAILS {
            let and = tail.replace('?', "&");
            alike(tail, &observation, &never_used(&observation), |id| {
                caller.get(&format!("?_type=Observation,Encounter&_id={id}{and}"))
            });
            alike(tail, "pt-stranger", &never_used("pt-stranger"), |id| {
                caller.get(&format!("?_type=Observation,Encounter&subject=Patient/{id}{and}"))
            });
            alike(tail, &visit, &never_used(&visit), |id| {
                caller.get(&format!("?_type=Patient,Encounter,Observation&_id={id}{and}"))
            });
            for hidden in [&observation, &visit, "pt-stranger"] {
                alike(tail, hidden, &never_used(hidden), |id| caller.get(&format!("?_id={id}{and}")));
            }
        }
    }
    let mine = app(&world, ALL);
    let one = |kind: &str| mine.search(&format!("{kind}?_summary=count"))["total"].as_u64().expect("a total");
    let together = mine.search("?_type=Observation,Encounter,Patient&_summary=count")["total"].as_u64();
    assert_eq!(together, Some(one("Observation") + one("Encounter") + one("Patient")));
}

#[test]
fn scopes_bind_searches_of_several_types_and_compartments() {
    let world = World::new();
    let narrow = app(&world, "launch/patient patient/Observation.rs");
    for (path, status) in [
        ("?_type=Observation", 200),
        ("?_type=Observation,Condition", 403),
        ("?_type=AuditEvent", 403),
        ("?_lastUpdated=gt2020", 200),
        ("?code=x", 200),
        ("?birthdate=2026", 400),
        ("Patient/pt-mei/Observation", 200),
        ("Patient/pt-mei/Condition", 403),
        ("Patient/pt-stranger/Condition", 403),
        ("Patient/pt-nobody/Condition", 403),
        ("Patient/pt-mei/*", 200),
        ("Patient/pt-mei/*?_type=Condition", 403),
        ("Patient/pt-stranger/*?_type=Condition", 403),
    ] {
        let answer = narrow.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    let all = narrow.search("Patient/pt-mei/*?_count=1000");
    let kinds = all["entry"].as_array().expect("she has some").iter();
    assert!(kinds.clone().count() > 0 && kinds.clone().all(|one| one["resource"]["resourceType"] == "Observation"));
    // What is not in the scopes is not searched, and does not count.
    let found = narrow.search("?_lastUpdated=gt2020&_count=1000");
    let kinds = found["entry"].as_array().expect("she has some").iter();
    assert!(kinds.clone().all(|one| one["resource"]["resourceType"] == "Observation"), "{found}");
    assert_eq!(found["total"], narrow.search("Observation?_count=0")["total"]);
    assert_eq!(narrow.search("?_id=pt-mei")["total"], 0);
    let none = app(&world, "launch/patient openid patient/Observation.r");
    none.get("?_lastUpdated=gt2020").refused(403);
    none.get("Patient/pt-mei/*").refused(403);
    none.get("?_type=Observation").refused(403);
    let anon = world.anon();
    for path in ["?_type=Observation", "?_id=pt-mei", "Patient/pt-mei/Observation", "Patient/pt-mei/*", ""] {
        anon.get(path).refused(401);
    }
    anon.request("POST", "Patient/pt-mei/Observation/_search").form(&[]).send().refused(401);
}

/// Of ten rows the town may see five: its pages are full, its totals are five.
#[test]
fn pages_totals_and_includes_pass_over_what_is_hidden() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("頁隠", "grounds-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let place = tester.create(&json!({"resourceType": "Organization", "name": "院"}));
    let visit = tester.create(&json!({"resourceType": "Encounter", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": subject}, "serviceProvider": {"reference": format!("Organization/{place}")}}));
    let mut shown = Vec::new();
    for number in 0..10 {
        let date = format!("2026-01-{:02}", 20 - number);
        let mut resource = if number % 2 == 0 { weight(&who, &date, "7.5") } else { laboratory(&who, &date) };
        resource["encounter"] = json!({"reference": format!("Encounter/{visit}")});
        let id = tester.create(&resource);
        if number % 2 == 0 {
            shown.push(id);
        }
    }
    tester.create(&consent(&who, &subject, "permit", "Observation", "Organization/org-city"));
    let mut deny = consent(&who, &subject, "deny", "Observation", "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [laboratory(&who, "2026-01-01")["code"]["coding"][0].clone()]}]);
    tester.create(&deny);
    for start in [
        format!("Observation?subject={subject}"),
        format!("?_type=Observation,Encounter&subject={subject}"),
        format!("{subject}/Observation?_lastUpdated=gt2020-01-01"),
        format!("{subject}/*?_lastUpdated=gt2020-01-01"),
    ] {
        for sort in ["", "&_sort=-_lastUpdated", "&_sort=_id"] {
            let mut url = format!("{start}{sort}&_count=2");
            let (mut pages, mut last) = (Vec::new(), String::new());
            loop {
                let page = town.search(&url);
                assert_eq!(page["total"], 5, "{start}{sort}: {page}");
                pages.push(ids(&page, "match"));
                link(&page, "self").expect("self").clone_into(&mut last);
                match link(&page, "next") {
                    Some(next) => next.clone_into(&mut url),
                    None => break,
                }
            }
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1], "{start}{sort}");
            let (mut seen, mut expected) = (pages.concat(), shown.clone());
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "{start}{sort}");
            let back = town.search(&last);
            let back = town.search(link(&back, "previous").expect("previous"));
            assert_eq!(ids(&back, "match"), pages[1], "{start}{sort}");
        }
    }
    // The visit is hidden, and so is the way that leads through it.
    let through = "_include=Observation:encounter&_include:iterate=Encounter:service-provider&_include:iterate=*";
    let bundle = town.search(&format!("Observation?subject={subject}&{through}"));
    assert_eq!(ids(&bundle, "include"), [""; 0], "{bundle}");
    let bundle = town.search(&format!("Observation?subject={subject}&_revinclude:iterate=*&_include:iterate=*"));
    assert_eq!((ids(&bundle, "match").len(), ids(&bundle, "include").len()), (5, 0), "{bundle}");
    let bundle = tester.search(&format!("Observation?subject={subject}&{through}"));
    assert_eq!(ids(&bundle, "include").len(), 3, "the visit, its place and the Patient: {bundle}");
}

/// A link back is for whom it was made, like a link on.
#[test]
fn a_link_back_is_of_no_use_to_others() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("戻", "grounds-2", "2024-04-01"));
    for _ in 0..4 {
        tester.create(&weight(&who, "2026-01-10", "7.5"));
    }
    let first = tester.search(&format!("Patient/{who}/Observation?_count=2"));
    let second = tester.search(link(&first, "next").expect("next"));
    let back = link(&second, "previous").expect("previous").to_owned();
    tester.get(&back).expect(200);
    tester.get(&format!("{back}&_format=json")).expect(200);
    tester.get(&format!("{back}&code=29463-7")).refused(400);
    world.anon().request("GET", &back).send().refused(401);
    for other in [world.stranger(), world.importer()] {
        other.get(&back).refused(400);
    }
    for path in ["Observation", "Patient", "", "Patient/pt-mei/Observation"] {
        let (_, query) = back.split_once('?').expect("a query");
        tester.get(&format!("{path}?{query}")).refused(400);
    }
}

/// Whether a person could be named in a Consent told that she is here.
#[test]
fn an_actor_who_is_hidden_is_nobody() {
    let world = World::new();
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let tester = world.tester();
    let [own, gone] = ["actor-1", "actor-2"].map(|number| tester.create(&patient("役者", number, "2024-04-01")));
    tester.delete(&format!("Patient/{gone}")).expect(204);
    let (gone, herself) = (format!("Patient/{gone}"), format!("Patient/{own}"));
    for (caller, who, performer) in [(&app, "pt-mei", "RelatedPerson/rp-hanako-mei"), (&tester, &*own, &*herself)] {
        let share = |actor: &str| consent(who, performer, "permit", "Observation", actor);
        for hidden in ["Patient/pt-stranger", "RelatedPerson/rp-kazuko-taro", &gone] {
            let (kind, id) = hidden.split_once('/').expect("a reference");
            let (kind, never) = (format!("{kind}/"), never_used(id));
            let named = |id: &str| share(&(kind.clone() + id));
            alike(hidden, id, &never, |id| caller.post("Consent", &named(id)).refused(422));
            for path in ["Consent/$validate", "Consent/$validate?mode=create"] {
                alike(path, id, &never, |id| caller.post(path, &named(id)));
            }
        }
        for open in ["Organization/org-city", "Practitioner/dr-sato", "Device/app-secret"] {
            caller.post("Consent", &share(open)).expect(201);
        }
    }
    // Whom she sees, she may name.
    let grandmother = "RelatedPerson/rp-kazuko-mei";
    app.create(&consent("pt-mei", "RelatedPerson/rp-hanako-mei", "permit", "Media", grandmother));
}

/// A batch that was at work went on for a minute after its app had been taken out: it read
/// records that were made since, and wrote.
#[test]
fn a_batch_at_work_ends_with_the_consent() {
    let world = World::new();
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let mother = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let named = |entry: &&Value| entry["resource"].to_string().contains("Device/app-public");
    let filed = mother.search("Consent?patient=pt-mei&status=active");
    let filed = filed["entry"].as_array().and_then(|all| all.iter().find(named)).expect("its Consent");
    let mut ended = filed["resource"].clone();
    ended["status"] = json!("inactive");
    let place = format!("Consent/{}", ended["id"].as_str().expect("an id"));
    // It ends its own Consent half way: what follows is asked for by nobody.
    let entries = json!([
        {"request": {"method": "GET", "url": "Observation?patient=pt-mei"}},
        {"request": {"method": "PUT", "url": place}, "resource": ended},
        {"request": {"method": "GET", "url": "Observation?patient=pt-mei"}},
        {"request": {"method": "POST", "url": "Observation"}, "resource": weight("pt-mei", "2026-01-10", "77.5")}
    ]);
    let answer = app.post("", &json!({"resourceType": "Bundle", "type": "batch", "entry": entries})).expect(200).json();
    let answers = answer["entry"].as_array().expect("answers");
    let codes: Vec<&str> =
        answers.iter().filter_map(|one| one["response"]["status"].as_str()?.split_whitespace().next()).collect();
    assert_eq!(codes, ["200", "200", "401", "401"], "{answer}");
    assert!(mother.ids("Observation?patient=pt-mei&value-quantity=77.5").is_empty());
}

/// A batch stored references to its own entries as they were: records about nobody.
#[test]
fn an_entry_of_a_batch_refers_to_no_other() {
    let world = World::new();
    let tester = world.tester();
    let name = "urn:uuid:4d8f2bd0-3f2e-4a53-9f0a-7a6f3b1c0003";
    let mut record = weight("x", "2026-01-10", "6.1");
    record["subject"]["reference"] = json!(name.to_uppercase().replace("URN:UUID", "urn:uuid"));
    let entries = json!([
        {"fullUrl": name, "resource": patient("束", "batch-names", "2024-04-01"), "request": {"method": "POST", "url": "Patient"}},
        {"resource": record, "request": {"method": "POST", "url": "Observation"}}
    ]);
    let answer =
        tester.post("", &json!({"resourceType": "Bundle", "type": "batch", "entry": entries})).expect(200).json();
    let status = |at: usize| answer["entry"][at]["response"]["status"].as_str().unwrap_or_default()[..3].to_owned();
    assert_eq!([status(0), status(1)], ["201", "400"], "{answer}");
    let issue = &answer["entry"][1]["response"]["outcome"]["issue"][0];
    assert_eq!(issue["expression"][0], "Bundle.entry[1].resource", "{answer}");
}
