//! What a custodian's backend can do in the name of a citizen whose Patient it keeps.

use serde_json::{Value, json};
use techo_conformance_tests::browser::{Browser, Page};
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

/// Kept by the town, of which `importer` is the backend.
const DAUGHTER: &str = "pt-mei";
const MOTHER: &str = "RelatedPerson/rp-hanako-mei";
const TOWN: &str = "Organization/org-city";

fn mother(world: &World) -> Caller {
    world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of(DAUGHTER))
}

fn condition() -> Value {
    json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{DAUGHTER}")},
        "code": {"text": "内緒"}})
}

/// A town's backend filed a Consent in the mother's name, and read what she had entered for herself.
#[test]
fn a_town_opened_records_to_itself() {
    let world = World::new();
    let (mother, town, tester) = (mother(&world), world.importer(), world.tester());
    let hers = format!("Condition/{}", mother.create(&condition()));
    town.get(&hers).refused(404);

    let itself = consent(DAUGHTER, MOTHER, "permit", "Condition", TOWN);
    let refused = town.post("Consent", &itself).refused(422).json();
    assert_eq!(refused["issue"][0]["expression"][0], "Consent.provision.actor[0].reference", "{refused}");
    let mut inside = consent(DAUGHTER, MOTHER, "deny", "Observation", TOWN);
    inside["provision"].as_object_mut().expect("a provision").remove("actor");
    inside["provision"]["provision"] = json!([{"type": "permit", "actor": itself["provision"]["actor"],
        "class": itself["provision"]["class"]}]);
    let refused = town.post("Consent", &inside).refused(422).json();
    assert_eq!(refused["issue"][0]["expression"][0], "Consent.provision.provision[0].actor[0].reference", "{refused}");
    town.get(&hers).refused(404);

    // The mother is asked, and permits; a denial of the town's holds, as anyone's does.
    mother.create(&itself);
    mother.create(&consent(DAUGHTER, MOTHER, "permit", "Condition", "Organization/org-test"));
    town.get(&hers).expect(200);
    tester.get(&hers).expect(200);
    town.create(&consent(DAUGHTER, MOTHER, "deny", "Condition", "Organization/org-test"));
    tester.get(&hers).refused(404);
}

/// A town's Consent that named nobody, or somebody else, opened what the mother had entered:
/// any account could read it in the portal, that of whoever works for the town too.
#[test]
fn a_town_opened_what_it_had_not_published() {
    let world = World::new();
    let (mother, town, tester) = (mother(&world), world.importer(), world.tester());
    let hers = format!("Condition/{}", mother.create(&condition()));
    let mut public = condition();
    public["code"]["text"] = json!("公開");
    let its = format!("Condition/{}", town.create(&public));

    let accounts = ["stranger", "kazuko"].map(|user| (user, world.portal_of(user)));
    let shown = |(browser, start): &(Browser, Page), text: &str| {
        let page = browser.open(&start.resolve(&format!("/records/{DAUGHTER}"))).answer;
        page.status == 200 && page.text().contains(text)
    };
    let mut everyone = consent(DAUGHTER, MOTHER, "permit", "Condition", TOWN);
    everyone["provision"].as_object_mut().expect("a provision").remove("actor");
    let named = |actor: &str| consent(DAUGHTER, MOTHER, "permit", "Condition", actor);
    for shared in [everyone, named("RelatedPerson/rp-kazuko-mei"), named("Organization/org-test")] {
        let place = format!("Consent/{}", town.create(&shared));
        for (user, pages) in &accounts {
            assert!(!shown(pages, "内緒"), "{user} {shared}");
        }
        tester.get(&hers).refused(404);
        town.get(&hers).refused(404);
        assert_eq!(town.ids("Condition?code:text=内緒"), [""; 0]);
        let mut ended = town.get(&place).expect(200).json();
        if ended["provision"].get("actor").is_none() {
            // What it published itself it may share.
            assert!(shown(&accounts[0].1, "公開"), "{shared}");
            tester.get(&its).expect(200);
        }
        ended["status"] = json!("inactive");
        town.put(&place, &ended).expect(200);
    }
    tester.get(&its).refused(404);

    // What the mother permits is hers to permit.
    mother.create(&named("Organization/org-test"));
    tester.get(&hers).expect(200);
}

/// A town's backend ended what the mother had allowed an app, by the identifier of its
/// Consent, which is guessed.
#[test]
fn a_town_ended_what_the_mother_had_allowed() {
    let world = World::new();
    let (mother, town) = (mother(&world), world.importer());
    let filed = mother.search(&format!("Consent?patient={DAUGHTER}&status=active&_count=100"));
    let identified = |entry: &&Value| entry["resource"]["identifier"][0]["value"].is_string();
    let app = filed["entry"].as_array().into_iter().flatten().find(identified).expect("the app's Consent");
    let id = app["resource"]["id"].as_str().expect("an id").to_owned();

    let mut taking = consent(DAUGHTER, MOTHER, "permit", "Observation", "Organization/org-sakura-clinic");
    taking["identifier"] = app["resource"]["identifier"].clone();
    taking["sourceReference"] = json!({"reference": format!("Consent/{id}")});
    taking.as_object_mut().expect("a Consent").remove("sourceAttachment");
    let first = town.create(&taking);
    assert_eq!(mother.get(&format!("Consent/{id}")).expect(200).json()["status"], "active");

    // What the town filed itself, it replaces.
    town.create(&taking);
    assert_eq!(town.get(&format!("Consent/{first}")).expect(200).json()["status"], "inactive");

    // And the mother replaces what the town filed.
    let mut hers = taking.clone();
    hers["identifier"] = json!([{"system": "https://techo.example/fhir/Id/test", "value": "hers"}]);
    let filed = town.create(&hers);
    mother.create(&hers);
    assert_eq!(town.get(&format!("Consent/{filed}")).expect(200).json()["status"], "inactive");
}

/// One tick and one request took the record from an adult for good: her records, who looked
/// at them, and her sign-in to any app went with her Patient.
#[test]
fn a_patient_for_whom_somebody_signs_in_is_not_deleted() {
    let world = World::new();
    let herself =
        world.approve(&Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger"));
    let kept = herself.create(&weight("pt-stranger", "2026-01-10", "50.1"));
    let refused = herself.delete("Patient/pt-stranger").refused(409).json();
    assert_eq!(refused["issue"][0]["code"], "conflict", "{refused}");
    herself.get(&format!("Observation/{kept}")).expect(200);

    let (mother, town) = (mother(&world), world.importer());
    mother.delete(&format!("Patient/{DAUGHTER}")).refused(409);
    town.delete(&format!("Patient/{DAUGHTER}")).refused(409);
    let asked = json!({"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": "delete"}]});
    let told = town.post(&format!("Patient/{DAUGHTER}/$validate"), &asked).json();
    assert_eq!(told["issue"][0]["code"], "conflict", "{told}");
    let entry = |method: &str| {
        json!({"resourceType": "Bundle", "type": method, "entry": [
            {"request": {"method": "DELETE", "url": format!("Patient/{DAUGHTER}")}}]})
    };
    town.post("", &entry("transaction")).refused(409);
    let answered = town.post("", &entry("batch")).expect(200).json();
    assert_eq!(answered["entry"][0]["response"]["status"], "409", "{answered}");
    mother.get(&format!("Patient/{DAUGHTER}")).expect(200);

    // Who is shown her and may not delete her is not told that somebody signs in.
    let tester = world.tester();
    mother.create(&consent(DAUGHTER, MOTHER, "permit", "Patient", "Organization/org-test"));
    tester.get(&format!("Patient/{DAUGHTER}")).expect(200);
    let refused = tester.delete(&format!("Patient/{DAUGHTER}")).refused(403).json();
    let judged = tester.get(&format!("Patient/{DAUGHTER}/$validate?mode=delete")).expect(200).json();
    assert_eq!(judged["issue"][0], refused["issue"][0], "{judged}");

    // Nobody signs in for this one.
    let other = tester.create(&patient("無", "unheld-1", "2024-04-01"));
    tester.delete(&format!("Patient/{other}")).expect(204);
}

/// A town's backend could delete its own Organization: from then on the town was shown
/// nothing, and nobody could put it back.
#[test]
fn an_organization_on_which_others_rest_is_not_deleted() {
    let world = World::new();
    let (town, tester) = (world.importer(), world.tester());
    let refused = town.delete(TOWN).refused(409).json();
    assert_eq!(refused["issue"][0]["code"], "conflict", "{refused}");
    let judged = town.get(&format!("{TOWN}/$validate?mode=delete")).expect(200).json();
    assert_eq!(judged["issue"][0], refused["issue"][0], "{judged}");
    let japanese = town.request("DELETE", TOWN).header("Accept-Language", "ja").send().refused(409).json();
    assert!(japanese.to_string().contains("techo client remove"), "{japanese}");
    let entry = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": TOWN}}]});
    town.post("", &entry).refused(409);
    town.delete("Organization?_id=org-city").refused(409);
    town.get(TOWN).expect(200);
    assert!(!town.ids(&format!("Patient?_id={DAUGHTER}")).is_empty());

    // Who only reads it is not told on whom it rests.
    assert_eq!(tester.delete(TOWN).refused(403).json()["issue"][0]["code"], "forbidden");
    town.get(TOWN).expect(200);

    // Whatever is registered for it keeps it.
    let branch = json!({"resourceType": "Organization", "name": "例町支所"});
    let id = town.create(&branch);
    let path = format!("Organization/{id}");
    let run = |arguments: &[&str]| {
        let output = world.server.command(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&[
        "client",
        "add",
        "--id",
        "branch",
        "--kind",
        "backend",
        "--jwks",
        "https://keys.example/jwks",
        "--scope",
        "system/*.cruds",
        "--org",
        &id,
    ]);
    town.delete(&path).refused(409);
    run(&["client", "remove", "--id", "branch"]);
    town.delete(&path).expect(204);
    let id = town.create(&branch);
    run(&["user", "add", "--name", "branch-nurse", "--practitioner", "nurse-ito", "--org", &id]);
    town.delete(&format!("Organization/{id}")).refused(409);
    // Nothing rests on this one.
    town.delete(&format!("Organization/{}", town.create(&branch))).expect(204);
}

/// A backend of another Organization, which might not change a town's record, might delete it.
#[test]
fn what_a_backend_may_not_change_it_may_not_delete() {
    let world = World::new();
    let (mother, town, tester) = (mother(&world), world.importer(), world.tester());
    let mut record = weight(DAUGHTER, "2026-01-10", "9.1");
    let id = town.create(&record);
    let place = format!("Observation/{id}");
    mother.create(&consent(DAUGHTER, MOTHER, "permit", "Observation", "Organization/org-test"));
    tester.get(&place).expect(200);
    record["id"] = json!(id);
    tester.put(&place, &record).refused(403);
    let refused = tester.delete(&place).refused(403).json();
    let judged = tester.get(&format!("{place}/$validate?mode=delete")).expect(200).json();
    assert_eq!(judged["issue"][0], refused["issue"][0], "a check found nothing that kept it from deleting");
    tester.delete(&format!("Observation?_id={id}")).refused(403);
    town.get(&place).expect(200);
    town.delete(&place).expect(204);
}

/// A backend's deletion of a shared record in other hands was done "already" (204), and did nothing.
#[test]
fn what_a_backend_may_only_read_is_refused_openly() {
    let world = World::new();
    let (town, tester) = (world.importer(), world.tester());
    let id = tester.create(&json!({"resourceType": "Practitioner", "gender": "other"}));
    let place = format!("Practitioner/{id}");
    let read = town.get(&place).expect(200).json();
    let gender = json!([{"op": "replace", "path": "/gender", "value": "male"}]);
    let tag = json!({"resourceType": "Parameters",
        "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "ours"}]}}]});
    town.delete(&place).refused(403);
    town.put(&place, &read).refused(403);
    let patch = town.request("PATCH", &place).body("application/json-patch+json", &*gender.to_string());
    patch.send().refused(403);
    town.post(&format!("{place}/$meta-add"), &tag).refused(403);
    let judged = town.get(&format!("{place}/$validate?mode=delete")).expect(200).json();
    assert_eq!(judged["issue"][0]["code"], "forbidden", "{judged}");
    let bundle = json!({"resourceType": "Bundle", "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": place}}]});
    town.post("", &bundle).refused(403);
    assert_eq!(town.get(&place).json(), read);
    tester.delete(&place).expect(204);
}

/// A town's Consent looked in the portal as if the mother herself had given it.
#[test]
fn the_portal_tells_what_a_custodian_filed() {
    let world = World::new();
    let (browser, _) = world.portal_of("hanako");
    let page = world.endpoint("management_endpoint");
    let entered = || {
        let text = browser.open(&page).answer.text();
        text.matches("Entered by").count() + text.matches("登録した機関").count()
    };
    assert_eq!(entered(), 0);
    world.importer().create(&consent(DAUGHTER, MOTHER, "deny", "Observation", "Organization/org-test"));
    assert_eq!(entered(), 1);
}

/// A custodian filed a Consent in the name of a grandmother who may only look.
#[test]
fn a_delegate_gives_nothing_on() {
    let world = World::new();
    let mut consent =
        consent("pt-mei", "RelatedPerson/rp-kazuko-mei", "permit", "Observation", "Organization/org-test");
    world.importer().post("Consent", &consent).refused(403);
    consent["performer"] = json!([{"reference": MOTHER}, {"reference": "RelatedPerson/rp-kazuko-mei"}]);
    world.importer().post("Consent", &consent).refused(403);
    consent["performer"] = json!([{"reference": MOTHER}]);
    world.importer().create(&consent);
}
