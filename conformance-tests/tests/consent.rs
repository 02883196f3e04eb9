//! Who sees what: approval, withdrawal, sharing, and that hidden is absent.

use serde_json::{Value, json};
use techo_conformance_tests::browser::{Browser, Page};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::page::{Form, forms};
use techo_conformance_tests::sample::{IDENTIFIERS, consent, height, patient, transaction, urn, weight};
use techo_conformance_tests::world::{ALL, Ask, Caller, World};

/// A patient of the tester's with a weight and a height.
struct Family {
    world: World,
    tester: Caller,
    who: String,
    weight: String,
    height: String,
}

fn family() -> Family {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("隠", "hidden-1", "2024-04-01"));
    let weight = tester.create(&weight(&who, "2026-01-10", "6.1"));
    let height = tester.create(&height(&who, "2026-01-10", "60"));
    Family { world, tester, who, weight, height }
}

fn about(family: &Family, kind: &str, class: &str, actor: &str) -> Value {
    consent(&family.who, &format!("Patient/{}", family.who), kind, class, actor)
}

#[test]
fn an_approval_files_a_consent_that_says_it_all() {
    let world = World::new();
    let asked = "launch/patient patient/Immunization.rs patient/Consent.rs";
    let caller = world.approve(&Ask::new("app-public", "hanako", asked).of("pt-mei"));
    let bundle = caller.search("Consent?patient=pt-mei&status=active");
    let entries = bundle["entry"].as_array().expect("the filed Consent");
    let filed = entries
        .iter()
        .map(|entry| &entry["resource"])
        .find(|consent| consent.to_string().contains("Device/app-public"));
    let filed = filed.unwrap_or_else(|| panic!("no Consent names the app: {bundle}"));
    assert_eq!(filed["patient"]["reference"], "Patient/pt-mei");
    assert_eq!(filed["scope"]["coding"][0]["code"], "patient-privacy");
    let performer = filed["performer"][0]["reference"].as_str().unwrap_or_default();
    assert!(performer.contains("hanako"), "{filed}");
    let provision = filed["provision"].to_string();
    assert!(
        provision.contains("Immunization") && !provision.contains("Observation"),
        "class = what was ticked: {provision}"
    );
    assert!(filed["sourceAttachment"].is_object(), "the text that was shown is kept");
}

#[test]
fn another_user_of_the_same_app_gains_nothing() {
    let world = World::new();
    let mother = world.mother_for_daughter();
    let stranger = world.stranger();
    let hidden: Vec<String> = mother.ids("Observation?patient=pt-mei&_count=5");
    stranger.get("Patient/pt-stranger").expect(200);
    stranger.get("Patient/pt-mei").refused(404);
    for kind in
        ["Observation", "Immunization", "MedicationStatement", "Encounter", "DiagnosticReport", "Provenance", "Consent"]
    {
        assert_eq!(stranger.ids(&format!("{kind}?patient=pt-mei")), [""; 0], "{kind}");
        assert!(!stranger.search(&format!("{kind}?_count=500")).to_string().contains("pt-mei"), "{kind}");
    }
    stranger.get(&format!("Observation/{}", hidden[0])).refused(404);
    let sibling = world.approve(&Ask::new("app-public", "hanako", ALL).of("pt-taro"));
    sibling.get(&format!("Observation/{}", hidden[0])).refused(404);
    sibling.get("Patient/pt-mei").refused(404);
    assert_eq!(sibling.ids("Observation?patient=pt-mei"), [""; 0], "SCP-4: a launch for one child shows no other");
}

#[test]
fn what_is_hidden_was_never_there() {
    let family = family();
    let world = &family.world;
    let mother = world.mother_for_daughter();
    let daughters = mother.ids("Immunization?patient=pt-mei").remove(0);
    let callers = [
        ("the stranger", world.stranger()),
        ("the mother by an app for her daughter", mother),
        ("the importer", world.importer()),
    ];
    let mut checks = 0;
    for (name, caller) in &callers {
        let mut hidden = vec![("Patient", family.who.clone()), ("Observation", family.weight.clone())];
        if *name == "the stranger" {
            hidden.extend([("Patient", "pt-mei".to_owned()), ("Immunization", daughters.clone())]);
        }
        for (kind, id) in &hidden {
            let never = "n".repeat(id.len());
            for path in [
                "KIND/ID",
                "KIND/ID/_history/1",
                "KIND/ID/_history/2",
                "KIND/ID/_history",
                "KIND?_id=ID",
                "KIND?_id=ID&_total=accurate",
                "KIND?_id=ID&_summary=count",
                "Observation?subject=Patient/ID",
                "Observation?patient=ID&_total=accurate",
                "Observation?subject=Patient/ID&_include=Observation:subject",
                "Encounter?patient=ID",
                "Patient?_id=ID&_sort=birthdate",
                "Provenance?target=KIND/ID",
                "KIND/ID?_format=json",
                "AuditEvent?entity=KIND/ID",
                "Consent?patient=ID",
            ] {
                let ask = |id: &str| fingerprint(&caller.get(&path.replace("KIND", kind).replace("ID", id)), id);
                assert_eq!(ask(id), ask(&never), "{name}, {path} of {kind}/{id}");
                checks += 1;
            }
            for tag in ["W/\"1\"", "W/\"2\"", "*"] {
                let ask = |id: &str| {
                    let answer = caller.request("GET", &format!("{kind}/{id}")).header("If-None-Match", tag).send();
                    fingerprint(&answer, id)
                };
                assert_eq!(ask(id), ask(&never), "{name}: an ETag is no oracle");
                checks += 1;
            }
        }
    }
    assert!(checks >= 100, "{checks}");
}

#[test]
fn writes_on_hidden_things_tell_nothing() {
    let family = family();
    let importer = family.world.importer();
    let stranger =
        family.world.approve(&Ask::new("app-public", "stranger", "patient/*.cruds launch/patient").of("pt-stranger"));
    let path = format!("Observation/{}", family.weight);
    let never = "n".repeat(family.weight.len());
    for (name, caller) in [("importer", &importer), ("stranger", &stranger)] {
        let hidden = fingerprint(&caller.delete(&path), &family.weight);
        let absent = fingerprint(&caller.delete(&format!("Observation/{never}")), &never);
        assert_eq!(hidden, absent, "{name}: delete");
    }
    family.tester.get(&path).expect(200);
    let body = |id: &str, subject: &str| {
        let mut body = weight(subject, "2026-01-10", "9.9");
        body["id"] = json!(id);
        body
    };
    let put = |id: &str| fingerprint(&stranger.put(&format!("Observation/{id}"), &body(id, "pt-mei")), id);
    assert_eq!(put(&family.weight), put(&never), "a write about somebody else is refused before anything is looked up");
    let refused = stranger.put(&format!("Observation/{never}"), &body(&never, "pt-mei"));
    assert!([403, 405].contains(&refused.status), "{}", refused.status);
    let identifier = format!("identifier={IDENTIFIERS}|hidden-1");
    let create = importer.request("POST", "Patient").header("If-None-Exist", &identifier).fhir(&patient(
        "別",
        "hidden-1",
        "2024-04-01",
    ));
    create.send().expect(201);
    let taken = importer.put(&format!("Patient/{}", family.who), &{
        let mut other = patient("取", "x", "2024-04-01");
        other["id"] = json!(family.who);
        other
    });
    taken.refused(409);
    assert_eq!(family.tester.get(&format!("Patient/{}", family.who)).expect(200).json()["name"][0]["family"], "隠");
}

#[test]
fn withdrawing_in_the_portal_stops_the_next_call() {
    let world = World::new();
    let (browser, _) = world.portal_of("hanako");
    let before = connected(&world, &browser);
    let caller = world.mother_for_daughter();
    let mine = newer(&before, connected(&world, &browser));
    let other = world.approve(&Ask::new("app-secret", "hanako", ALL).of("pt-mei"));
    caller.get("Patient/pt-mei").expect(200);
    press(&browser, &mine);
    caller.get("Patient/pt-mei").refused(401);
    let refresh = world.refresh("app-public", caller.granted("refresh_token"), None).expect(400);
    assert_eq!(refresh.json()["error"], "invalid_grant");
    other.get("Patient/pt-mei").expect(200);
    let left = connected(&world, &browser);
    assert!(!left.iter().any(|(_, form)| key(form) == key(&mine.1)), "it is gone from the page");
    let forged = browser.submit(&mine.0, &newer(&before, left).1, &[("csrf", "forged")]);
    assert!(forged.answer.status >= 400 || other.get("Patient/pt-mei").status == 200, "no button without its token");
}

/// The forms of the page of connected apps that do something to one of them.
fn connected(world: &World, browser: &Browser) -> Vec<(Page, Form)> {
    let page = browser.open(&world.endpoint("management_endpoint"));
    assert_eq!(page.answer.status, 200, "CON-7: {}", page.answer.text());
    let all = forms(&page.answer.text()).into_iter().filter(|form| form.method == "post" && !key(form).is_empty());
    all.map(|form| (page.clone(), form)).collect()
}

/// What tells one form from another: its hidden fields, without the token.
fn key(form: &Form) -> String {
    let fields = form.hidden().into_iter().filter(|(name, _)| name != "csrf" && name != "lang");
    fields.map(|(name, value)| format!("{name}={value} ")).collect()
}

#[track_caller]
fn newer(before: &[(Page, Form)], after: Vec<(Page, Form)>) -> (Page, Form) {
    let new = after.into_iter().find(|(_, form)| !before.iter().any(|(_, old)| key(old) == key(form)));
    new.expect("the approved app is on the page of connected apps")
}

fn press(browser: &Browser, (page, form): &(Page, Form)) {
    let button = form.fields.iter().find(|field| field.kind == "submit" && !field.name.is_empty());
    let fields: Vec<(&str, &str)> =
        button.map(|field| (field.name.as_str(), field.value.as_str())).into_iter().collect();
    let after = browser.submit(page, form, &fields);
    assert!(after.answer.status < 400, "{}", after.answer.text());
}

#[test]
fn an_inactive_consent_stops_the_next_call() {
    let world = World::new();
    let scope = "launch/patient offline_access patient/Observation.rs patient/Consent.rus";
    let caller = world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    let bundle = caller.search("Consent?patient=pt-mei&status=active");
    let mut filed = bundle["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| entry["resource"].clone())
        .find(|consent| consent.to_string().contains("Device/app-public"))
        .unwrap_or_else(|| panic!("no Consent names the app: {bundle}"));
    filed["status"] = json!("inactive");
    let path = format!("Consent/{}", filed["id"].as_str().unwrap_or_default());
    let answer = caller.put(&path, &filed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    caller.get("Observation?patient=pt-mei").refused(401);
    let refresh = world.refresh("app-public", caller.granted("refresh_token"), None).expect(400);
    assert_eq!(refresh.json()["error"], "invalid_grant");
}

/// What one server keeps of a decision does not outlive a change made on another.
#[test]
fn a_change_on_one_server_holds_on_every_other() {
    let family = family();
    let beside = family.world.server.beside();
    let over_there = |caller: &Caller| Caller { base: beside.base.clone(), ..caller.clone() };
    let town = over_there(&family.world.importer());
    let path = format!("Observation/{}", family.weight);
    for round in 0..10 {
        town.get(&path).refused(404);
        let mut shared = about(&family, "permit", "Observation", "Organization/org-city");
        let id = family.tester.create(&shared);
        town.get(&path).expect(200);
        town.get(&path).expect(200);
        shared["id"] = json!(id);
        shared["status"] = json!("inactive");
        family.tester.put(&format!("Consent/{id}"), &shared).expect(200);
        assert_eq!(town.get(&path).status, 404, "round {round}");
    }
    let ask =
        Ask::new("app-public", "hanako", "launch/patient patient/Observation.rs patient/Consent.rus").of("pt-mei");
    let app = family.world.approve(&ask);
    let elsewhere = over_there(&app);
    for _ in 0..3 {
        elsewhere.get("Observation?patient=pt-mei").expect(200);
    }
    let filed = app.search("Consent?patient=pt-mei&status=active");
    for mut consent in filed["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()) {
        if consent.to_string().contains("Device/app-public") {
            consent["status"] = json!("inactive");
            app.put(&format!("Consent/{}", consent["id"].as_str().unwrap_or_default()), &consent).expect(200);
        }
    }
    elsewhere.get("Observation?patient=pt-mei").refused(401);
}

#[test]
fn approving_again_brings_access_back() {
    let world = World::new();
    let (browser, _) = world.portal_of("hanako");
    let before = connected(&world, &browser);
    let first = world.mother_for_daughter();
    press(&browser, &newer(&before, connected(&world, &browser)));
    first.get("Patient/pt-mei").refused(401);
    let second = world.mother_for_daughter();
    second.get("Patient/pt-mei").expect(200);
    first.get("Patient/pt-mei").refused(401);
}

#[test]
fn a_share_opens_exactly_what_it_names_and_closes_again() {
    let family = family();
    let town = family.world.importer();
    let path = format!("Observation/{}", family.weight);
    town.get(&path).refused(404);
    let permit = family.tester.create(&about(&family, "permit", "Observation", "Organization/org-city"));
    town.get(&path).expect(200);
    town.get(&format!("Observation/{}", family.height)).expect(200);
    town.get(&format!("Patient/{}", family.who)).refused(404);
    assert_eq!(town.ids(&format!("Observation?subject=Patient/{}", family.who)).len(), 2);
    let mut deny = about(&family, "deny", "Observation", "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}]);
    family.tester.create(&deny);
    town.get(&format!("Observation/{}", family.height)).refused(404);
    let bundle = town.search(&format!("Observation?subject=Patient/{}&_total=accurate", family.who));
    assert_eq!(bundle["total"], 1, "deny > permit");
    let mut closed = family.tester.get(&format!("Consent/{permit}")).expect(200).json();
    closed["status"] = json!("inactive");
    family.tester.put(&format!("Consent/{permit}"), &closed).expect(200);
    town.get(&path).refused(404);
    assert_eq!(town.ids(&format!("Observation?subject=Patient/{}", family.who)), [""; 0]);
}

#[test]
fn a_consent_is_bound_to_its_period_and_its_actor() {
    let family = family();
    let town = family.world.importer();
    let path = format!("Observation/{}", family.weight);
    for (name, change) in [
        ("ended", json!({"period": {"start": "2020-01-01", "end": "2020-12-31"}})),
        ("not begun", json!({"period": {"start": "2090-01-01"}})),
        (
            "another actor",
            json!({"actor": [{"role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
            "reference": {"reference": "Organization/org-sakura-clinic"}}]}),
        ),
        ("data before her birth", json!({"dataPeriod": {"start": "2020-01-01", "end": "2020-12-31"}})),
    ] {
        let mut permit = about(&family, "permit", "Observation", "Organization/org-city");
        for (key, value) in change.as_object().into_iter().flatten() {
            permit["provision"][key] = value.clone();
        }
        family.tester.create(&permit);
        assert_eq!(town.get(&path).status, 404, "{name}");
    }
    let mut permit = about(&family, "permit", "Observation", "Organization/org-city");
    permit["provision"]["dataPeriod"] = json!({"start": "2026-01-01", "end": "2026-01-31"});
    family.tester.create(&permit);
    town.get(&path).expect(200);
}

#[test]
fn what_cannot_be_enforced_is_not_stored_as_active() {
    let family = family();
    let good = about(&family, "permit", "Observation", "Organization/org-city");
    let cases = [
        ("provision.type", json!(null), "type"),
        ("a code nobody knows", json!([{"system": "https://example.org/unknown", "code": "x"}]), "class"),
        (
            "an action nobody knows",
            json!([{"coding": [{"system": "https://example.org/unknown", "code": "x"}]}]),
            "action",
        ),
        ("a purpose nobody knows", json!([{"system": "https://example.org/unknown", "code": "x"}]), "purpose"),
    ];
    for (name, value, member) in &cases {
        let mut bad = good.clone();
        if value.is_null() {
            bad["provision"].as_object_mut().expect("an object").remove(*member);
        } else {
            bad["provision"][*member] = value.clone();
        }
        let answer = family.tester.post("Consent", &bad).refused(422);
        let outcome = answer.json();
        assert_eq!(outcome["issue"][0]["code"], "business-rule", "{name}: {outcome}");
        assert!(
            outcome["issue"][0]["expression"][0].as_str().is_some_and(|path| path.starts_with("Consent")),
            "{name}: {outcome}"
        );
        bad["status"] = json!("draft");
        family.tester.post("Consent", &bad).expect(201);
    }
    let mut extended = good.clone();
    extended["provision"]["extension"] = json!([{"url": "https://example.org/secret-rule", "valueString": "x"}]);
    let answer = family.tester.post("Consent", &extended);
    assert!([201, 422].contains(&answer.status), "{}", answer.text());
    let mut actor = good;
    actor["provision"]["actor"][0]["reference"]["reference"] = json!("Organization/nobody-knows");
    family.tester.post("Consent", &actor).refused(422);
}

#[test]
fn nobody_writes_a_consent_for_another() {
    let world = World::new();
    let stranger =
        world.approve(&Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger"));
    let mut theft = consent("pt-mei", "Patient/pt-stranger", "permit", "Observation", "Device/app-public");
    stranger.post("Consent", &theft).refused(403);
    theft["performer"] = json!([{"reference": "RelatedPerson/rp-hanako-mei"}]);
    stranger.post("Consent", &theft).refused(403);
    let tester = world.tester();
    let answer = tester.post("Consent", &theft);
    assert!([403, 422].contains(&answer.status), "a custodian of others' records: {} {}", answer.status, answer.text());
    let mut moved = consent("pt-stranger", "Patient/pt-stranger", "permit", "Observation", "Organization/org-city");
    let id = stranger.create(&moved);
    moved["id"] = json!(id);
    moved["patient"]["reference"] = json!("Patient/pt-mei");
    let answer = stranger.put(&format!("Consent/{id}"), &moved);
    assert!(
        [403, 404, 422].contains(&answer.status),
        "SCP-11: moved to another person: {} {}",
        answer.status,
        answer.text()
    );
}

#[test]
fn no_fhir_write_makes_anyone_a_guardian() {
    let world = World::new();
    let mother = world.mother_for_daughter();
    let hidden = mother.ids("Observation?patient=pt-mei").remove(0);
    let stranger = world.approve(&Ask::new("app-public", "stranger", "launch/patient user/*.cruds").of("pt-stranger"));
    let tester = world.tester();
    let fake = json!({"resourceType": "RelatedPerson", "active": true, "patient": {"reference": "Patient/pt-mei"},
        "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "GUARD"}]}]});
    let joined = json!({"resourceType": "Person", "active": true, "link": [
        {"target": {"reference": "Patient/pt-stranger"}}, {"target": {"reference": "Patient/pt-mei"}},
        {"target": {"reference": "RelatedPerson/rp-hanako-mei"}}]});
    let tried = [
        ("stranger, RelatedPerson", stranger.post("RelatedPerson", &fake).status),
        ("stranger, Person", stranger.post("Person", &joined).status),
        ("tester, RelatedPerson", tester.post("RelatedPerson", &fake).status),
        ("tester, Person", tester.post("Person", &joined).status),
    ];
    for (name, status) in tried {
        assert!(status < 500, "{name}: {status}");
    }
    for id in ["Person/hanako", "Person/stranger", "RelatedPerson/rp-hanako-mei"] {
        let (kind, name) = id.split_once('/').unwrap_or_default();
        let mut body = if kind == "Person" { joined.clone() } else { fake.clone() };
        body["id"] = json!(name);
        assert!(tester.put(id, &body).status >= 400, "{id} is not the tester's");
        assert!(stranger.put(id, &body).status >= 400, "{id} is no way in");
    }
    let again = world.approve(&Ask::new("app-public", "stranger", ALL).of("pt-stranger"));
    again.get("Patient/pt-mei").refused(404);
    again.get(&format!("Observation/{hidden}")).refused(404);
    let (url, _, _) = world.authorize_url(&Ask::new("app-public", "stranger", ALL));
    let browser = Browser::new();
    let page = world.sign_in(&browser, browser.open(&url), "stranger");
    let html = page.answer.text();
    assert!(!html.contains("pt-mei") && !html.contains("芽衣"), "the approval page offers her nobody else's child");
}

#[test]
fn professionals_see_nothing_that_was_not_shared() {
    let world = World::new();
    for user in ["dr-sato", "nurse-ito", "admin"] {
        let ask = Ask::new("app-public", user, "openid user/Patient.rs user/Observation.rs user/Immunization.rs");
        let (url, _, _) = world.authorize_url(&ask);
        let browser = Browser::new();
        let page = world.sign_in(&browser, browser.open(&url), user);
        let Some(form) = page.form("decision") else { continue };
        let mut fields = vec![("decision", "allow")];
        fields.extend(form.values("scope").into_iter().map(|scope| ("scope", scope)));
        let page = browser.submit(&page, &form, &fields);
        assert!(page.answer.status < 500, "{user}: {}", page.answer.text());
        let Some(code) = page.answer.location_parameter("code") else { continue };
        assert!(!code.is_empty());
    }
    let sees = |user: &str| {
        let ask = Ask::new("app-public", user, "user/Patient.rs user/Observation.rs user/Immunization.rs");
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.approve(&ask))).ok()
    };
    for user in ["dr-sato", "nurse-ito", "admin"] {
        if let Some(caller) = sees(user) {
            let answer = caller.get("Patient/pt-stranger");
            assert!([401, 403, 404].contains(&answer.status), "{user}: {}", answer.status);
            let found = caller.get("Observation?patient=pt-stranger");
            assert!(found.status != 200 || found.json()["entry"].is_null(), "{user}: {}", found.text());
        }
    }
    let clinic = world.clinic();
    clinic.get("Patient/pt-mei").refused(403);
    let researcher = world.backend_answer("researcher", "system/*.rs");
    if researcher.status == 200 {
        let caller = world.holder(researcher.json()["access_token"].as_str().unwrap_or_default().to_owned());
        assert_eq!(caller.ids("Observation?_count=10"), [""; 0], "no opt-in, no research");
    }
}

#[test]
fn references_to_hidden_things_are_not_included() {
    let family = family();
    let town = family.world.importer();
    family.tester.create(&about(&family, "permit", "Observation", "Organization/org-city"));
    let bundle = town.search(&format!("Observation?subject=Patient/{}&_include=Observation:subject", family.who));
    let kinds: Vec<&Value> =
        bundle["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]["resourceType"]).collect();
    assert!(kinds.iter().all(|kind| **kind == "Observation"), "the Patient was not shared: {kinds:?}");
    assert_eq!(bundle["entry"].as_array().map(Vec::len), Some(2));
}

#[test]
fn several_subjects_must_all_permit() {
    let family = family();
    let tester = &family.tester;
    let second = tester.create(&patient("二人目", "hidden-2", "2024-04-02"));
    let mut both = json!({"resourceType": "Account", "status": "active", "subject": [
        {"reference": format!("Patient/{}", family.who)}, {"reference": format!("Patient/{second}")}]});
    let id = tester.create(&both);
    let town = family.world.importer();
    tester.create(&about(&family, "permit", "Account", "Organization/org-city"));
    town.get(&format!("Account/{id}")).refused(404);
    tester.create(&consent(&second, &format!("Patient/{second}"), "permit", "Account", "Organization/org-city"));
    town.get(&format!("Account/{id}")).expect(200);
    both["id"] = json!(id);
}

/// A Consent that is known as `number`.
fn known_as(family: &Family, number: u32) -> Value {
    let mut known = about(family, "permit", "Observation", "Organization/org-city");
    known["identifier"] = json!([{"system": IDENTIFIERS, "value": format!("consent-{number}")}]);
    known
}

/// Identifiers of those Consents of hers that have a status, and their versions.
fn by_status(family: &Family, status: &str) -> Vec<(String, String)> {
    let found = family.tester.search(&format!("Consent?patient={}&status={status}&_count=500", family.who));
    let value = |one: &Value| one.as_str().unwrap_or_default().to_owned();
    let each = found["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]);
    let mut found: Vec<(String, String)> =
        each.map(|one| (value(&one["identifier"][0]["value"]), value(&one["meta"]["versionId"]))).collect();
    found.sort();
    found
}

#[test]
fn of_many_filed_at_once_each_takes_the_place_of_the_one_before() {
    let family = family();
    let file = |kind: &str, numbers: std::ops::Range<u32>| {
        let each: Vec<(String, Value)> = numbers.map(|number| (urn(number), known_as(&family, number))).collect();
        let mut bundle = transaction(&each);
        bundle["type"] = json!(kind);
        let answer = family.tester.post("", &bundle).expect(200).json();
        let entries = answer["entry"].as_array().expect("answers");
        assert!(entries.iter().all(|entry| entry["response"]["status"] == "201 Created"), "{answer}");
    };
    let named = |numbers: std::ops::Range<u32>, version: &str| -> Vec<(String, String)> {
        let mut all: Vec<_> = numbers.map(|number| (format!("consent-{number}"), version.to_owned())).collect();
        all.sort();
        all
    };
    file("transaction", 0..30);
    assert_eq!((by_status(&family, "active"), by_status(&family, "inactive")), (named(0..30, "1"), vec![]));
    file("transaction", 10..40);
    assert_eq!((by_status(&family, "active"), by_status(&family, "inactive")), (named(0..40, "1"), named(10..30, "2")));
    file("batch", 35..45);
    let ended = [named(10..30, "2"), named(35..40, "2")].concat();
    assert_eq!((by_status(&family, "active"), by_status(&family, "inactive")), (named(0..45, "1"), ended));
}

#[test]
fn a_consent_changed_beside_the_one_that_takes_its_place_was_refused() {
    let family = family();
    let tester = &family.tester;
    let id = tester.create(&known_as(&family, 1));
    let mut changed = known_as(&family, 1);
    changed["id"] = json!(id);
    let entry = |method: &str, url: &str, resource: &Value| json!({"resource": resource, "request": {"method": method, "url": url}});
    // What the sender says of it in the same breath stands.
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        entry("PUT", &format!("Consent/{id}"), &changed),
        entry("POST", "Consent", &known_as(&family, 1)),
    ]});
    tester.post("", &bundle).expect(200);
    let one = |version: &str| ("consent-1".to_owned(), version.to_owned());
    assert_eq!(by_status(&family, "active"), [one("1"), one("2")]);
    assert_eq!(by_status(&family, "inactive"), []);
}
