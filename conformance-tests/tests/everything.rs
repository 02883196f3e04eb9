//! `Patient/[id]/$everything`: all of one person, each once, and of nobody else.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{consent, patient, transaction, urn, weight};
use techo_conformance_tests::world::{Ask, Caller, World, ids, link};

/// A person with records, and what they refer to.
struct Scene {
    who: String,
    /// Her own records.
    members: Vec<String>,
    /// What they refer to.
    beyond: Vec<String>,
}

fn scene(tester: &Caller, name: &str) -> Scene {
    let organization = tester.create(&json!({"resourceType": "Organization", "name": "病院"}));
    let [weighs, asserts] = ["測定", "診断"]
        .map(|family| tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": family}]})));
    let medication = tester.create(&json!({"resourceType": "Medication", "code": {"text": "薬"}}));
    let mut person = patient("全", name, "2020-04-01");
    person["managingOrganization"] = json!({"reference": format!("Organization/{organization}")});
    let who = tester.create(&person);
    let subject = json!({"reference": format!("Patient/{who}")});
    let mut members = Vec::new();
    for month in 1..=9 {
        let mut body = weight(&who, &format!("2026-0{month}-10"), "15.5");
        body["performer"] = json!([{"reference": format!("Practitioner/{weighs}")}]);
        members.push(tester.create(&body));
    }
    members.push(tester.create(&json!({"resourceType": "Condition", "subject": subject, "code": {"text": "喘息"},
        "asserter": {"reference": format!("Practitioner/{asserts}")}})));
    members.push(tester.create(&json!({"resourceType": "MedicationStatement", "status": "active", "subject": subject,
        "medicationReference": {"reference": format!("Medication/{medication}")}})));
    Scene { who, members, beyond: vec![organization, weighs, asserts, medication] }
}

fn everything(caller: &Caller, who: &str, query: &str) -> Value {
    caller.get(&format!("Patient/{who}/$everything{query}")).expect(200).json()
}

/// Type and id of each entry, page after page.
fn walk(caller: &Caller, who: &str, query: &str) -> Vec<String> {
    walked(caller, everything(caller, who, query)).concat()
}

/// The same of all people, page by page.
fn of_all(caller: &Caller, query: &str) -> Vec<Vec<String>> {
    walked(caller, caller.get(&format!("Patient/$everything{query}")).expect(200).json())
}

fn walked(caller: &Caller, first: Value) -> Vec<Vec<String>> {
    let (mut pages, mut bundle) = (Vec::new(), first);
    loop {
        let mut found = Vec::new();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            let text = |name: &str| resource[name].as_str().expect("a resource").to_owned();
            let place = format!("{}/{}", text("resourceType"), text("id"));
            assert_eq!(entry["fullUrl"].as_str(), Some(&*format!("{}/{place}", caller.base)));
            found.push(place);
        }
        pages.push(found);
        let Some(next) = link(&bundle, "next").map(str::to_owned) else { return pages };
        bundle = caller.get(next.strip_prefix(&format!("{}/", caller.base)).expect("our own")).expect(200).json();
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

#[test]
fn all_of_a_person_comes_once_in_one_order_on_pages_of_any_size() {
    let world = World::new();
    let tester = world.tester();
    let (scene, other) = (scene(&tester, "all-1"), scene(&tester, "all-2"));
    let bundle = everything(&tester, &scene.who, "");
    assert_eq!(bundle["type"], "searchset");
    assert_eq!(bundle["entry"][0]["resource"]["id"], scene.who.as_str());
    assert_eq!(sorted(ids(&bundle, "include")), sorted(scene.beyond.clone()));
    let own: Vec<String> = [vec![scene.who.clone()], scene.members.clone()].concat();
    assert_eq!(sorted(ids(&bundle, "match")), sorted(own));
    let whole = walk(&tester, &scene.who, "");
    assert_eq!(whole.len(), 1 + scene.members.len() + scene.beyond.len());
    for size in [1, 3, 12, 13, 15, 16, 1000] {
        assert_eq!(walk(&tester, &scene.who, &format!("?_count={size}")), whole, "_count={size}");
    }
    assert!(!walk(&tester, &other.who, "").iter().any(|one| whole.contains(one)), "nobody else's");
    let posted = json!({"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 1000}]});
    let answer = tester.post(&format!("Patient/{}/$everything", scene.who), &posted).expect(200).json();
    assert_eq!(answer["entry"], bundle["entry"], "GET and POST are alike");
    tester.request("POST", &format!("Patient/{}/$everything", scene.who)).send().expect(200);
}

#[test]
fn times_and_types_narrow_it() {
    let world = World::new();
    let tester = world.tester();
    let scene = scene(&tester, "narrow");
    let count = |query: &str, mode: &str| ids(&everything(&tester, &scene.who, query), mode).len();
    // The Condition and the statement have no time of care.
    for (query, matched) in [
        ("?start=2026-04", 1 + 6 + 2),
        ("?start=2026-04-10", 1 + 6 + 2),
        ("?start=2026-04-11", 1 + 5 + 2),
        ("?end=2026-02", 1 + 2 + 2),
        ("?end=2026-02-09", 1 + 1 + 2),
        ("?start=2026-02&end=2026-03", 1 + 2 + 2),
        ("?_type=Patient", 1),
        ("?_type=Observation,Condition", 9 + 1),
        ("?_type=Observation&_type=Condition", 9 + 1),
        ("?_since=2020-01-01T00:00:00Z", 12),
        ("?_since=2090-01-01T00:00:00Z", 1),
    ] {
        assert_eq!(count(query, "match"), matched, "{query}");
    }
    for (query, included) in [
        ("?_type=Patient", 0),
        ("?_type=Patient,Organization", 1),
        ("?_type=Observation,Condition", 0),
        ("?_type=Condition,Practitioner", 1),
        ("?_type=Observation,Condition,Practitioner", 2),
        ("?_type=Practitioner", 0),
        ("?_since=2090-01-01T00:00:00Z", 0),
        ("?start=2030", 3),
    ] {
        assert_eq!(count(query, "include"), included, "{query}");
    }
    let marker = tester.get(&format!("Observation/{}", scene.members[4])).json()["meta"]["lastUpdated"].clone();
    let since = format!("?_since={}&_count=2", encode(marker.as_str().expect("an instant")));
    assert_eq!(walk(&tester, &scene.who, &since).len(), 1 + 7);
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let (scene, other) = (scene(&tester, "wrong-1"), scene(&tester, "wrong-2"));
    let path = format!("Patient/{}/$everything", scene.who);
    for (query, place) in [
        ("_count=0", "_count"),
        ("_count=x", "_count"),
        ("start=yesterday", "start"),
        ("start=2026-02-30", "start"),
        ("_since=2026", "_since"),
        ("_type=Nonsense", "_type"),
        ("_type=AuditEvent", "_type"),
        ("_nonsense=1", "_nonsense"),
        ("start=2026&start=2025", "start"),
        ("_page=nonsense", "_page"),
    ] {
        let issue = tester.get(&format!("{path}?{query}")).refused(400).json()["issue"][0].clone();
        assert_eq!(issue["expression"][0], place, "{query}");
    }
    let first = everything(&tester, &scene.who, "?_count=2");
    let page = link(&first, "next").and_then(|url| url.split_once("_page=")).expect("a page").1.to_owned();
    tester.get(&format!("{path}?_page={page}")).expect(200);
    tester.get(&format!("{path}?_page={page}&_count=1")).refused(400);
    tester.get(&format!("Patient/{}/$everything?_page={page}", other.who)).refused(400);
    tester.get(&format!("Observation?_page={page}")).refused(400);
    world.importer().get(&format!("{path}?_page={page}")).expect_refusal();
    tester.delete(&format!("Patient/{}", other.who)).expect(204);
    tester.get(&format!("Patient/{}/$everything", other.who)).refused(410);
    let all = tester.get("Patient/$everything?_count=2").expect(200).json();
    let page = link(&all, "next").and_then(|url| url.split_once("_page=")).expect("a page").1.to_owned();
    tester.get(&format!("Patient/$everything?_page={page}")).expect(200);
    for wrong in [format!("{path}?_page={page}"), format!("Patient/$everything?_page={page}&_count=1")] {
        tester.get(&wrong).refused(400);
    }
    world.importer().get(&format!("Patient/$everything?_page={page}")).refused(400);
    tester.get("Patient/$everything?_count=0").refused(400);
    for (path, status) in [("Group/$everything", 404), ("$everything", 404), ("Observation/x/$everything", 404)] {
        tester.get(path).refused(status);
    }
}

trait Refusal {
    fn expect_refusal(self);
}

impl Refusal for techo_conformance_tests::http::Response {
    /// Another's page link is of no use, whoever she may ask about.
    fn expect_refusal(self) {
        assert!([400, 404].contains(&self.status), "{}", self.text());
    }
}

/// Whether it is hidden or never was must not show; nor what hidden records refer to.
#[test]
fn everything_is_what_the_caller_may_see_and_no_oracle() {
    let world = World::new();
    let tester = world.tester();
    let scene = scene(&tester, "hidden");
    let town = world.importer();
    let never = "n".repeat(scene.who.len());
    let alike = |caller: &Caller, query: &str| {
        let [hidden, absent] =
            [&scene.who, &never].map(|id| fingerprint(&caller.get(&format!("Patient/{id}/$everything{query}")), id));
        assert_eq!(hidden, absent, "{query}");
        assert!(hidden.starts_with("404"), "{hidden}");
    };
    let app = world.mother_for_daughter();
    for query in ["", "?_count=1", "?_type=Observation", "?start=2026"] {
        alike(&app, query);
        alike(&town, query);
    }
    // Her weights are shared, with who she is; what was diagnosed is not.
    for class in ["Patient", "Observation"] {
        let performer = format!("Patient/{}", scene.who);
        tester.create(&consent(&scene.who, &performer, "permit", class, "Organization/org-city"));
    }
    let bundle = everything(&town, &scene.who, "");
    let expected = [std::slice::from_ref(&scene.who), &scene.members[..9]].concat();
    assert_eq!(sorted(ids(&bundle, "match")), sorted(expected));
    town.get(&format!("Practitioner/{}", scene.beyond[2])).expect(200);
    assert_eq!(sorted(ids(&bundle, "include")), sorted(scene.beyond[..2].to_vec()), "nor the doctor who diagnosed");
    for size in [1, 5, 11] {
        assert_eq!(walk(&town, &scene.who, &format!("?_count={size}")).len(), 12, "{size}");
    }
    assert_eq!(everything(&town, &scene.who, "?_type=Condition")["entry"], Value::Null);
}

/// A scope decides type by type, and what its types refer to comes in scope only.
#[test]
fn scopes_narrow_everything() {
    let world = World::new();
    let ask = |scope: &str| world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    let whole = everything(&ask("launch/patient patient/*.rs"), "pt-mei", "");
    assert!(ids(&whole, "match").len() > 20, "the demo's daughter has records");
    let narrow = ask("launch/patient patient/Patient.rs patient/Immunization.rs");
    for entry in everything(&narrow, "pt-mei", "")["entry"].as_array().expect("entries") {
        let kind = entry["resource"]["resourceType"].as_str();
        assert!(matches!(kind, Some("Patient" | "Immunization")), "{kind:?}");
    }
    narrow.get("Patient/pt-mei/$everything?_type=Observation").refused(403);
    ask("launch/patient patient/Immunization.rs").get("Patient/pt-mei/$everything").refused(403);
    let read = everything(&ask("launch/patient patient/*.r"), "pt-mei", "");
    assert_eq!(ids(&read, "match"), ["pt-mei"], "records are listed by whoever may search");
}

#[test]
fn all_people_come_one_after_the_other_on_pages_of_any_size() {
    let world = World::new();
    let tester = world.tester();
    let scenes = [scene(&tester, "many-1"), scene(&tester, "many-2"), scene(&tester, "many-3")];
    let whole: Vec<String> = scenes.iter().flat_map(|scene| walk(&tester, &scene.who, "")).collect();
    assert_eq!(of_all(&tester, "").concat(), whole);
    for size in [1, 2, 5, 16, 17, 40, 1000] {
        let pages = of_all(&tester, &format!("?_count={size}"));
        assert!(pages.iter().all(|page| page.len() <= size), "{size}");
        assert_eq!(pages.concat(), whole, "_count={size}");
    }
    for query in ["?_type=Condition", "?_type=Patient", "?_type=Condition,Practitioner&_count=1", "?start=2026-06"] {
        let each: Vec<String> = scenes.iter().flat_map(|scene| walk(&tester, &scene.who, query)).collect();
        assert_eq!(of_all(&tester, query).concat(), each, "{query}");
    }
    let bundle = tester.get("Patient/$everything?_count=1000").expect(200).json();
    let posted = json!({"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 1000}]});
    let answer = tester.post("Patient/$everything", &posted).expect(200).json();
    assert_eq!(answer["entry"], bundle["entry"], "GET and POST are alike");
    // What two of them have in common is once on a page.
    let shared = tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": "共有"}]}));
    for scene in &scenes[..2] {
        let mut body = weight(&scene.who, "2026-10-10", "15.5");
        body["performer"] = json!([{"reference": format!("Practitioner/{shared}")}]);
        tester.create(&body);
    }
    let place = format!("Practitioner/{shared}");
    let times = |query: &str| of_all(&tester, query).concat().iter().filter(|one| **one == place).count();
    assert_eq!((times("?_count=1000"), times("?_count=18")), (1, 2));
    // She with whom a page begins may go before it is asked for.
    let first = tester.get("Patient/$everything?_count=3&_type=Patient,Condition").expect(200).json();
    tester.delete(&format!("Patient/{}", scenes[1].who)).expect(204);
    let places = walked(&tester, first).concat();
    assert!(places.contains(&format!("Patient/{}", scenes[2].who)), "{places:?}");
}

/// A page goes through so many people, and no more, where none has anything to tell.
#[test]
fn a_page_of_all_people_is_bounded() {
    let world = World::new();
    let tester = world.tester();
    let people: Vec<(String, Value)> =
        (0..60).map(|number| (urn(number), patient("群", &format!("crowd-{number}"), "2024-04-01"))).collect();
    let made = tester.post("", &transaction(&people)).expect(200).json();
    let last = made["entry"][59]["response"]["location"].as_str().expect("a place");
    let who = last.split("/Patient/").nth(1).and_then(|rest| rest.split('/').next()).expect("an id");
    let id = tester.create(&json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{who}")}}));
    assert_eq!(of_all(&tester, "?_type=Condition"), [vec![], vec![format!("Condition/{id}")]]);
    assert_eq!(of_all(&tester, "?_type=Patient").iter().map(Vec::len).collect::<Vec<_>>(), [50, 10]);
}

/// Of all people only those are told whom the caller sees, and of each what she sees.
#[test]
fn everything_of_all_is_what_the_caller_may_see() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let [open, closed] = ["open", "closed"].map(|name| scene(&tester, &format!("crowd-{name}")));
    let before = of_all(&town, "?_count=1000").concat();
    for class in ["Patient", "Observation"] {
        tester.create(&consent(&open.who, &format!("Patient/{}", open.who), "permit", class, "Organization/org-city"));
    }
    // Whose records are shared without who she is, is not there at all.
    let whom = format!("Patient/{}", closed.who);
    tester.create(&consent(&closed.who, &whom, "permit", "Observation", "Organization/org-city"));
    for size in [1, 7, 1000] {
        let mut seen = of_all(&town, &format!("?_count={size}")).concat();
        seen.retain(|one| !before.contains(one));
        assert_eq!(seen, walk(&town, &open.who, ""), "{size}");
    }
    // In the context of one person it is about her.
    let ask = |scope: &str| world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    let app = ask("launch/patient patient/*.rs");
    assert_eq!(of_all(&app, "?_count=7").concat(), walk(&app, "pt-mei", ""));
    ask("launch/patient patient/Observation.rs patient/Patient.r").get("Patient/$everything").refused(403);
    app.get("Patient/$everything?_type=Nonsense").refused(400);
    world.anon().get("Patient/$everything").refused(401);
}

/// What her compartment holds, by its search and by `$everything`: they are told alike.
#[track_caller]
fn compartment(caller: &Caller, who: &str) -> Vec<String> {
    let bundle = caller.get(&format!("Patient/{who}/*?_count=100")).expect(200).json();
    let searched: Vec<String> =
        places(&bundle).into_iter().filter(|place| *place != format!("Patient/{who}")).collect();
    let all = everything(caller, who, "");
    let matches = all["entry"].as_array().expect("entries").iter().filter(|one| one["search"]["mode"] == "match");
    let matches: Vec<Value> = matches.cloned().collect();
    let told = places(&json!({"entry": matches})).into_iter().filter(|place| *place != format!("Patient/{who}"));
    assert_eq!(sorted(searched.clone()), sorted(told.collect()), "{who}");
    sorted(searched)
}

fn places(bundle: &Value) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry["resource"][name].as_str().expect("a resource").to_owned();
    let all = bundle["entry"].as_array().into_iter().flatten();
    all.map(|entry| format!("{}/{}", text(entry, "resourceType"), text(entry, "id"))).collect()
}

/// Where an entry of a transaction was written.
fn written(caller: &Caller, entry: &Value) -> String {
    let location = entry["response"]["location"].as_str().expect("a location");
    let place = location.split("/_history").next().expect("a place");
    place.trim_start_matches(&format!("{}/", caller.base)).to_owned()
}

/// An Observation of one by another, and what that one wrote to the first.
fn between(subject: &str, other: &str) -> [Value; 2] {
    let mut observation = weight("x", "2026-01-10", "7.5");
    observation["subject"] = json!({"reference": subject});
    observation["performer"] = json!([{"reference": other}]);
    let communication = json!({"resourceType": "Communication", "status": "completed",
        "subject": {"reference": subject}, "sender": {"reference": other}});
    [observation, communication]
}

/// The index is what the bodies say.
#[track_caller]
fn index_is_right(world: &World) {
    let output = world.server.command(&["reindex", "--check", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn who_comes_in_the_same_transaction_has_what_names_her() {
    let world = World::new();
    let tester = world.tester();
    let [child, mother] = [urn(1), urn(2)];
    let mut born = patient("子", "same-1", "2026-01-01");
    born["link"] = json!([{"other": {"reference": mother}, "type": "seealso"}]);
    let [observation, communication] = between(&child, &mother);
    // What names her comes before her and after her.
    let entries = [
        (urn(3), observation),
        (child, born),
        (mother, patient("母", "same-2", "1990-01-01")),
        (urn(4), communication),
    ];
    let made = tester.post("", &transaction(&entries)).expect(200).json();
    let place = |number: usize| written(&tester, &made["entry"][number]);
    let id = |number: usize| place(number).split_once('/').expect("an id").1.to_owned();
    let [observation, communication] = [place(0), place(3)];
    assert_eq!(compartment(&tester, &id(1)), sorted(vec![observation.clone(), communication.clone()]));
    assert_eq!(compartment(&tester, &id(2)), sorted(vec![observation, communication, place(1)]));
    index_is_right(&world);
}

#[test]
fn who_comes_later_has_what_named_her_before() {
    let world = World::new();
    let tester = world.tester();
    let child = tester.create(&patient("子", "later-1", "2026-01-01"));
    let [observation, communication] = between(&format!("Patient/{child}"), "Patient/late-mother");
    let observation = format!("Observation/{}", tester.create(&observation));
    let gone = tester.create(&communication);
    let mut other = patient("子", "later-2", "2026-01-01");
    other["link"] = json!([{"other": {"reference": "Patient/late-mother"}, "type": "seealso"}]);
    let linked = format!("Patient/{}", tester.create(&other));
    // Until she is there, nothing of it is hers to find; what goes meanwhile is not.
    index_is_right(&world);
    tester.delete(&format!("Communication/{gone}")).expect(204);
    let mut mother = patient("母", "later-3", "1990-01-01");
    mother["id"] = json!("late-mother");
    tester.put("Patient/late-mother", &mother).expect(201);
    assert_eq!(compartment(&tester, "late-mother"), sorted(vec![linked.clone(), observation.clone()]));
    index_is_right(&world);
    // A record that names her no more leaves, and stays where it is otherwise named.
    let (kind, id) = observation.split_once('/').expect("a place");
    let mut changed = tester.get(&observation).expect(200).json();
    changed["performer"] = json!([{"reference": "Patient/later-still"}]);
    tester.put(&format!("{kind}/{id}"), &changed).expect(200);
    assert_eq!(compartment(&tester, "late-mother"), [linked]);
    mother["id"] = json!("later-still");
    mother["identifier"][0]["value"] = json!("later-4");
    tester.put("Patient/later-still", &mother).expect(201);
    assert_eq!(compartment(&tester, "later-still"), std::slice::from_ref(&observation));
    assert!(compartment(&tester, &child).contains(&observation));
    // Through other eyes there is no more of it than before.
    let stranger = world.stranger();
    assert_eq!(places(&stranger.search("Patient/late-mother/*?_count=100")), [""; 0]);
    index_is_right(&world);
}

#[test]
fn an_id_in_what_is_posted_puts_nobody_in_anothers_compartment() {
    let world = World::new();
    let tester = world.tester();
    let one = tester.create(&patient("一", "own-1", "1990-01-01"));
    let mut other = patient("二", "own-2", "1990-01-01");
    other["id"] = json!(one);
    let other = tester.create(&other);
    assert_ne!(one, other);
    assert_eq!(compartment(&tester, &one), [""; 0]);
    index_is_right(&world);
}

#[test]
fn who_comes_back_in_a_transaction_has_what_comes_with_her() {
    let world = World::new();
    let tester = world.tester();
    let mut mother = patient("母", "back-1", "1990-01-01");
    mother["id"] = json!("comes-back");
    tester.put("Patient/comes-back", &mother).expect(201);
    tester.delete("Patient/comes-back").expect(204);
    let entries = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": weight("comes-back", "2026-01-10", "50"), "request": {"method": "POST", "url": "Observation"}},
        {"resource": mother, "request": {"method": "PUT", "url": "Patient/comes-back"}}
    ]});
    let made = tester.post("", &entries).expect(200).json();
    let place = written(&tester, &made["entry"][0]);
    assert_eq!(compartment(&tester, "comes-back"), std::slice::from_ref(&place));
    tester.get(&place).expect(200);
    assert_eq!(places(&tester.search("Observation?patient=comes-back&code=29463-7")), [place]);
    index_is_right(&world);
}
