//! What many share with one caller: decided by stance, kept between requests, bounded,
//! and never as of another instant than the request's.

use std::time::Duration;

use serde_json::{Value, json};
use techo_conformance_tests::browser::Browser;
use techo_conformance_tests::clock::now;
use techo_conformance_tests::sample::{LOINC, consent, patient, transaction, urn, weight};
use techo_conformance_tests::server::Beside;
use techo_conformance_tests::world::{Ask, Caller, World};

const TOWN: &str = "Organization/org-city";

/// A server that speaks of nobody one by one, beside the sample world's own.
struct Many {
    world: World,
    beside: Beside,
    tester: Caller,
}

impl Many {
    fn new() -> Self {
        let world = World::new();
        let beside = world.server.beside_with(&["--one-by-one", "0"]);
        let tester = world.tester();
        Self { world, beside, tester }
    }

    /// The town's own program, at the server that decides by stance.
    fn town(&self) -> Caller {
        Caller { base: self.beside.base.clone(), ..self.world.importer() }
    }

    /// A citizen with one Observation: her id, and that of the Observation.
    fn citizen(&self, identifier: &str) -> (String, String) {
        let who = self.tester.create(&patient("衆", identifier, "2024-04-01"));
        let record = self.tester.create(&weight(&who, "2026-01-10", "6.1"));
        (who, record)
    }
}

fn shared(who: &str, kind: &str) -> Value {
    consent(who, &format!("Patient/{who}"), kind, "Observation", TOWN)
}

/// A second of the calendar, in UTC.
fn told(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 1970 → the civil date, by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z", era * 400 + year + carry)
}

fn wait_past(second: u64) {
    while now() <= second {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_kept_decision_knows_when_a_consent_ends() {
    let many = Many::new();
    let town = many.town();
    let (who, record) = many.citizen("ends");
    let (other, stays) = many.citizen("stays");
    many.tester.create(&shared(&other, "permit"));
    let end = now() + 4;
    let mut permit = shared(&who, "permit");
    permit["provision"]["period"] = json!({"end": told(end)});
    many.tester.create(&permit);
    let path = format!("Observation/{record}");
    let found = || town.ids("Observation?code=29463-7&_count=100").contains(&record);
    for _ in 0..3 {
        town.get(&path).expect(200);
        assert!(found());
    }
    wait_past(end);
    town.get(&path).refused(404);
    assert!(!found(), "a search after the end");
    town.get(&format!("Observation/{stays}")).expect(200);
}

#[test]
fn a_kept_decision_knows_when_an_exception_begins() {
    let many = Many::new();
    let town = many.town();
    let (who, record) = many.citizen("begins");
    let start = now() + 4;
    let mut permit = shared(&who, "permit");
    permit["provision"]["provision"] = json!([{"type": "deny", "period": {"start": told(start + 1)}}]);
    many.tester.create(&permit);
    let path = format!("Observation/{record}");
    for _ in 0..3 {
        town.get(&path).expect(200);
        assert!(town.ids("Observation?code=29463-7&_count=100").contains(&record));
    }
    wait_past(start);
    town.get(&path).refused(404);
    assert!(!town.ids("Observation?code=29463-7&_count=100").contains(&record));
}

/// Seconds before, within and after the tenth of January 2026, wherever its midnight is.
const TENTH: [u64; 3] = [1_767_900_000, 1_768_020_000, 1_768_100_000];

#[test]
fn rare_days_hide_nobody() {
    let many = Many::new();
    let [before, within, after] = TENTH;
    // More than there are stances that are decided about, and each says other days.
    let (mut entries, mut shown) = (Vec::new(), Vec::new());
    for number in 0..80_u32 {
        let at = |part: u32| urn(number * 10 + part);
        let day = |second: u64| told(second + u64::from(number) * 60);
        let whom = format!("rare-{number}");
        let about = |mut resource: Value, member: &str| {
            resource[member] = json!({"reference": at(1)});
            resource
        };
        let consent = |kind: &str, days: Value| {
            let mut consent = about(shared(&whom, kind), "patient");
            consent["performer"] = json!([{"reference": at(1)}]);
            consent["provision"]["dataPeriod"] = days;
            consent
        };
        let permitted = match number % 8 {
            0 => json!({"start": day(within)}),
            1 => json!({"end": day(within)}),
            2 => json!({"start": day(before - 86_400), "end": day(before)}),
            _ => json!({"start": day(before), "end": day(after)}),
        };
        entries.push((at(1), patient("衆", &whom, "2024-04-01")));
        // Of each eight: three not wholly within what is permitted, two touched by a denial.
        shown.extend(matches!(number % 8, 5..8).then_some(entries.len()));
        entries.push((at(2), about(weight(&whom, "2026-01-10", "6.1"), "subject")));
        entries.push((at(3), consent("permit", permitted)));
        let denied = match number % 8 {
            3 => json!({"end": day(within)}),
            4 => json!({"start": day(within)}),
            5 => json!({"end": day(before)}),
            6 => json!({"start": day(after)}),
            _ => continue,
        };
        entries.push((at(4), consent("deny", denied)));
    }
    let search = "Observation?code=29463-7&_count=200&_total=accurate";
    let town = many.town();
    let mut expected = town.ids(search);
    let answer = many.tester.post("", &transaction(&entries)).expect(200).json();
    expected.extend(shown.iter().filter_map(|at| filed(&answer["entry"][*at])));
    expected.sort();
    let mut found = town.ids(search);
    found.sort();
    assert_eq!(found, expected);
    assert!(found.len() >= 30);
}

/// Consents in force that one citizen may have.
const MOST: u32 = 500;

/// A Consent like no other, that names the town.
fn odd(who: &str, number: u32) -> Value {
    let mut one = shared(who, "permit");
    one["provision"]["code"] = json!([{"coding": [{"system": LOINC, "code": format!("odd-{number}")}]}]);
    one
}

/// Files as many Consents of one citizen, each of another code, that name the town; their ids.
fn file(many: &Many, who: &str, count: u32) -> Vec<String> {
    let entries: Vec<(String, Value)> = (1..=count).map(|number| (urn(number), odd(who, number))).collect();
    let answer = many.tester.post("", &transaction(&entries)).expect(200).json();
    let each = answer["entry"].as_array().into_iter().flatten();
    each.filter_map(filed).collect()
}

/// The id of what an entry of a transaction has written.
fn filed(entry: &Value) -> Option<String> {
    entry["response"]["location"].as_str()?.split('/').rev().nth(2).map(str::to_owned)
}

#[test]
fn who_files_many_odd_consents_hides_herself_alone() {
    let many = Many::new();
    let town = many.town();
    let (who, hers) = many.citizen("odd");
    let (other, others) = many.citizen("plain");
    let (denied, closed) = many.citizen("closed");
    let search = "Observation?code=29463-7&_count=100&_total=accurate";
    many.tester.create(&shared(&who, "permit"));
    many.tester.create(&shared(&other, "permit"));
    many.tester.create(&shared(&denied, "permit"));
    let before = town.ids(search);
    assert!(before.contains(&hers) && before.contains(&others) && before.contains(&closed));
    file(&many, &who, 70);
    let left = town.ids(search);
    assert!(!left.contains(&hers), "not all that she says was heard");
    assert!(left.contains(&others) && left.contains(&closed), "nobody else is hidden: {left:?}");
    assert_eq!(left.len() + 1, before.len());
    assert_eq!(town.search(search)["total"], left.len());
    town.get(&format!("Observation/{hers}")).refused(404);
    town.get(&format!("Observation/{others}")).expect(200);
    for wide in [
        "?_type=Observation,DiagnosticReport,Encounter&_count=20",
        "Observation?_sort=-date&_has:Provenance:target:recorded=gt2020",
    ] {
        town.get(wide).expect(200);
    }
    // A denial of another kind, filed now, hides her who filed it at once.
    let mut deny = shared(&denied, "deny");
    deny["provision"]["dataPeriod"] = json!({"start": "2026-01-01", "end": "2026-12-31"});
    many.tester.create(&deny);
    town.get(&format!("Observation/{closed}")).refused(404);
    assert!(!town.ids(search).contains(&closed));
    town.get(&format!("Observation/{others}")).expect(200);
    // Where she is spoken of by herself, all that she says counts.
    many.world.importer().get(&format!("Observation/{hers}")).expect(200);
}

#[test]
fn a_new_kind_is_heard_at_once_where_older_ones_are_nobodys() {
    let many = Many::new();
    let town = many.town();
    let (who, _) = many.citizen("withdrawn");
    let (other, record) = many.citizen("new-kind");
    let mut ended = Vec::new();
    for (number, id) in (1..).zip(file(&many, &who, 80)) {
        let mut one = odd(&who, number);
        (one["id"], one["status"]) = (json!(id), json!("inactive"));
        ended.push(json!({"resource": one, "request": {"method": "PUT", "url": format!("Consent/{id}")}}));
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": ended});
    many.tester.post("", &bundle).expect(200);
    let path = format!("Observation/{record}");
    for _ in 0..3 {
        town.get(&path).refused(404);
    }
    let mut permit = shared(&other, "permit");
    permit["provision"]["code"] = json!([{"coding": [{"system": LOINC, "code": "29463-7"}]}]);
    many.tester.create(&permit);
    town.get(&path).expect(200);
}

#[test]
fn a_crowd_does_not_press_out_what_was_there_before() {
    let many = Many::new();
    let town = many.town();
    let (who, record) = many.citizen("rare");
    let mut permit = shared(&who, "permit");
    permit["provision"]["code"] = json!([{"coding": [{"system": LOINC, "code": "29463-7"}]}]);
    many.tester.create(&permit);
    for one in ["crowd-1", "crowd-2"] {
        let (whom, _) = many.citizen(one);
        file(&many, &whom, 80);
    }
    town.get(&format!("Observation/{record}")).expect(200);
}

#[test]
fn one_citizen_has_a_bounded_number_of_consents_in_force() {
    let many = Many::new();
    let tester = &many.tester;
    let (who, _) = many.citizen("crowded");
    file(&many, &who, MOST - 1);
    let refused = |answer: techo_conformance_tests::http::Response| {
        let outcome = answer.expect(422).json();
        assert_eq!(outcome["issue"][0]["code"], "business-rule", "{outcome}");
        assert!(outcome.to_string().contains("500"), "{outcome}");
    };
    let two = [(urn(1), shared(&who, "permit")), (urn(2), shared(&who, "deny"))];
    let crowded = tester.post("", &transaction(&two));
    let place = crowded.json()["issue"][0]["expression"][0].clone();
    assert_eq!(place, "Bundle.entry[1].resource.status");
    refused(crowded);
    let last = tester.create(&shared(&who, "permit"));
    refused(tester.post("Consent", &shared(&who, "permit")));
    let mut draft = shared(&who, "permit");
    draft["status"] = json!("draft");
    let id = tester.create(&draft);
    let path = format!("Consent/{id}");
    let patch = json!([{"op": "replace", "path": "/status", "value": "active"}]);
    let patched =
        || tester.request("PATCH", &path).body("application/json-patch+json", patch.to_string().as_bytes()).send();
    refused(patched());
    draft["id"] = json!(id);
    draft["status"] = json!("active");
    refused(tester.put(&path, &draft));
    let mut chosen = shared(&who, "permit");
    chosen["id"] = json!("chosen-id");
    refused(tester.put("Consent/chosen-id", &chosen));
    tester.get("Consent/chosen-id").refused(404);
    let japanese =
        tester.request("POST", "Consent").header("Accept-Language", "ja").fhir(&shared(&who, "permit")).send();
    assert!(japanese.expect(422).text().contains("500件まで"));
    // Changing one that is in force, ending one, and others' go on.
    let mut ended = tester.get(&format!("Consent/{last}")).expect(200).json();
    tester.put(&format!("Consent/{last}"), &ended).expect(200);
    ended["status"] = json!("inactive");
    tester.put(&format!("Consent/{last}"), &ended).expect(200);
    patched().expect(200);
    let (other, _) = many.citizen("another");
    tester.create(&shared(&other, "permit"));
}

#[test]
fn an_approval_too_many_is_explained() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let one = |number: u32| {
        let mut one = odd("pt-mei", number);
        one["performer"] = json!([{"reference": "RelatedPerson/rp-hanako-mei"}]);
        one
    };
    let most: Vec<(String, Value)> = (51..=MOST).map(|number| (urn(number), one(number))).collect();
    mother.post("", &transaction(&most)).expect(200);
    let full = (0..=50).find(|number| mother.post("Consent", &one(*number)).status == 422);
    assert!(full.is_some(), "the app that files them has a Consent too");
    let ask = Ask::new("app-secret", "hanako", "launch/patient patient/Observation.rs").of("pt-mei");
    for (browser, told) in [(Browser::new(), "500 active consents"), (Browser::japanese(), "500件まで")] {
        let (url, ..) = world.authorize_url(&ask);
        let page = world.sign_in(&browser, browser.open(&url), &ask.user);
        let page = world.decide(&browser, &page, &ask, "allow");
        assert_eq!(page.redirect(), None);
        let text = page.answer.expect(422).text();
        assert!(text.contains(told), "{text}");
    }
}

#[test]
fn who_has_shared_with_many_can_still_refuse() {
    let many = Many::new();
    let tester = &many.tester;
    let (who, record) = many.citizen("refuses");
    tester.create(&shared(&who, "permit"));
    let path = format!("Observation/{record}");
    many.world.importer().get(&path).expect(200);
    file(&many, &who, MOST - 1);
    let mut mixed = shared(&who, "deny");
    mixed["provision"]["provision"] = json!([{"type": "permit", "dataPeriod": {"end": "2020"}}]);
    tester.post("Consent", &mixed).refused(422);
    tester.create(&shared(&who, "deny"));
    many.world.importer().get(&path).refused(404);
    many.town().get(&path).refused(404);
    tester.post("Consent", &shared(&who, "permit")).refused(422);
}

/// A Consent that permits and denies single codes in turns.
fn wordy(who: &str, from: u32, exceptions: u32) -> Value {
    let each = (from..from + exceptions).map(|number| {
        let kind = if number % 2 == 0 { "permit" } else { "deny" };
        json!({"type": kind, "code": [{"coding": [{"system": LOINC, "code": format!("wordy-{number}")}]}]})
    });
    let mut one = shared(who, "permit");
    one["provision"].as_object_mut().expect("a provision").remove("actor");
    one["provision"]["provision"] = each.collect();
    one
}

/// One Consent with thousands of exceptions was put whole into every statement of whoever it
/// spoke to, and one that names nobody speaks to all: searches took seconds, then answered 500,
/// as did the portal of families that had nothing to do with it.
#[test]
fn a_wordy_consent_stopped_everyone() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = "pt-stranger";
    let herself = world.approve(&Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of(who));
    let record = format!("Observation/{}", herself.create(&weight(who, "2026-01-10", "50.1")));
    let others = format!("Observation/{}", town.create(&weight("pt-mei", "2026-01-10", "9.1")));

    for exceptions in [300, 3000] {
        let refused = herself.post("Consent", &wordy(who, 0, exceptions)).refused(422).json();
        assert_eq!(refused["issue"][0]["code"], "too-costly", "{refused}");
        assert_eq!(refused["issue"][0]["expression"][0], "Consent.provision", "{refused}");
    }
    let mut codes = shared(who, "permit");
    let code = |number: u32| json!({"coding": [{"system": LOINC, "code": format!("wordy-{number}")}]});
    codes["provision"]["code"] = (0..20_000).map(code).collect();
    assert_eq!(herself.post("Consent", &codes).refused(422).json()["issue"][0]["code"], "too-costly");

    // Many that each say as much as they may.
    herself.create(&wordy(who, 0, 30));
    tester.get(&record).expect(200);
    let more: Vec<(String, Value)> = (1..80).map(|number| (urn(number), wordy(who, 60 * number, 30))).collect();
    herself.post("", &transaction(&more)).expect(200);
    // Whoever says more than a statement can bear is not seen; nobody else is hidden.
    tester.get(&record).refused(404);
    town.get(&others).expect(200);
    // A question over all types held the condition fifty times.
    for search in [
        "Observation?_count=1",
        "Observation?patient=pt-mei",
        "DiagnosticReport",
        "?_type=Observation,Condition",
        "Observation?patient=nobody",
        "Condition?patient=nobody",
        "Observation?_has:Provenance:target:agent=x",
    ] {
        for backend in [&tester, &town] {
            backend.get(search).expect(200);
        }
    }
    let (browser, start) = world.portal_of("hanako");
    browser.open(&start.resolve("/records/pt-mei")).answer.expect(200);
    // Her own app hears her denials of everyone as well; she herself sees what is hers, and ends them there.
    herself.get(&record).refused(404);
    let (browser, start) = world.portal_of("stranger");
    let page = browser.open(&start.resolve(&format!("/records/{who}"))).answer.expect(200).text();
    assert!(page.contains("50.1"), "{page}");
}

/// A Consent that names nobody and permits as much as one may: single codes that no record has.
fn long(who: &str, giver: &str, from: usize) -> Value {
    let mut consent = consent(who, giver, "permit", "Observation", TOWN);
    let provision = consent["provision"].as_object_mut().expect("a provision");
    provision.remove("actor");
    provision.remove("class");
    let code = |number: usize| json!({"coding": [{"system": LOINC, "code": format!("long-{number}")}]});
    consent["provision"]["code"] = (from..from + 64).map(code).collect();
    consent
}

/// A mother who acts for two, or a town's program for Patients of its own making, said three long
/// things to everyone, and no Organization heard what single others had said to it.
#[test]
fn who_said_long_things_for_several_hid_others() {
    let world = World::new();
    let beside = world.server.beside_with(&["--one-by-one", "0"]);
    let reader = Caller { base: beside.base.clone(), ..world.tester() };
    let named = |user: &str, who: &str, giver: &str| {
        let app = world.approve(&Ask::new("app-public", user, "launch/patient patient/*.cruds").of(who));
        let mut record = weight(who, "2026-01-10", "50.1");
        record["note"] = json!([{"text": who}]);
        let record = format!("Observation/{}", app.create(&record));
        (app, giver.to_owned(), who.to_owned(), record)
    };
    let shares = |(app, giver, who, _): &(Caller, String, String, String), code: &str| {
        let mut permit = consent(who, giver, "permit", "Observation", "Organization/org-test");
        permit["provision"]["code"] = json!([{"coding": [{"system": LOINC, "code": code}]}]);
        app.create(&permit);
    };
    let stranger = named("stranger", "pt-stranger", "Patient/pt-stranger");
    let both =
        [named("hanako", "pt-hanako", "Patient/pt-hanako"), named("hanako", "pt-mei", "RelatedPerson/rp-hanako-mei")];
    shares(&stranger, "29463-7");
    reader.get(&stranger.3).expect(200);
    let town = world.importer();
    let minted: Vec<String> =
        (0..4).map(|number| town.create(&patient("空", &format!("minted-{number}"), "2024-04-01"))).collect();
    for (round, from) in [0, 64, 128].into_iter().enumerate() {
        for (app, giver, who, _) in &both {
            app.create(&long(who, giver, from));
        }
        for who in &minted {
            town.create(&long(who, &format!("Patient/{who}"), 1000 + from));
        }
        assert_eq!(reader.get(&stranger.3).status, 200, "round {round}");
    }
    assert_eq!(reader.ids("Observation?patient=pt-stranger&code=29463-7").len(), 1);
    // Hers and theirs are more than can be heard: who says them is not seen, whatever else she says.
    for one in &both {
        shares(one, "29463-7");
        reader.get(&one.3).refused(404);
    }
    reader.get(&stranger.3).expect(200);
}

/// Whoever shared with everyone was on the page of everyone, and a crowd of them left no place
/// for those who name its reader.
#[test]
fn who_shares_with_everyone_is_on_nobodys_list() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    mother.create(&weight("pt-mei", "2026-01-10", "9.1"));
    let mut everyone = consent("pt-mei", "RelatedPerson/rp-hanako-mei", "permit", "Observation", TOWN);
    everyone["provision"].as_object_mut().expect("a provision").remove("actor");
    mother.create(&everyone);
    let listed = |user: &str| {
        let (browser, start) = world.portal_of(user);
        let home = start.answer.text().contains("/records/pt-mei");
        let page = browser.open(&start.resolve("/records/pt-mei")).answer;
        (home, page.status, page.text().contains("9.1"))
    };
    assert_eq!(listed("stranger"), (false, 200, true));
    mother.create(&consent(
        "pt-mei",
        "RelatedPerson/rp-hanako-mei",
        "permit",
        "Observation",
        "RelatedPerson/rp-kazuko-mei",
    ));
    assert_eq!(listed("kazuko"), (true, 200, true));
}

/// Dozens who each share since a day of their own, with a server as it comes: searches took
/// seconds, then were refused, and of eighty the last few were not shown.
#[test]
fn dozens_who_share_since_a_day_of_their_own_are_all_shown() {
    let world = World::new();
    let tester = world.tester();
    let town = world.importer();
    let before = tester.search("Observation?_summary=count")["total"].as_u64().expect("a total");
    let classes: Vec<Value> = ["Patient", "Observation", "Condition", "Immunization", "Encounter", "Procedure"]
        .map(|class| json!({"system": "http://hl7.org/fhir/resource-types", "code": class}))
        .to_vec();
    for share in [1..=45_u32, 46..=90] {
        let mut entries = Vec::new();
        for number in share.clone() {
            let who = format!("days-{number}");
            let mut someone = patient("日", &who, "2024-04-01");
            someone["id"] = json!(who);
            let mut permit = consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-test");
            permit["provision"]["class"] = json!(classes);
            permit["provision"]["dataPeriod"] = json!({"start": format!("{}", 1920 + number)});
            entries.push(json!({"resource": someone, "request": {"method": "PUT", "url": format!("Patient/{who}")}}));
            for resource in [permit, weight(&who, "2026-01-10", "6.1")] {
                let kind = resource["resourceType"].clone();
                entries.push(json!({"resource": resource, "request": {"method": "POST", "url": kind}}));
            }
        }
        town.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
        let count = tester.search("Observation?_summary=count")["total"].as_u64().expect("a total");
        assert_eq!(count - before, u64::from(*share.end()));
        assert_eq!(tester.ids(&format!("Observation?patient=days-{}", share.start())).len(), 1);
    }
    // One who says more things to everyone than are decided about by stance hides nobody of them.
    let who = "pt-stranger";
    let herself = world.approve(&Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of(who));
    let odd: Vec<(String, Value)> = (0..65)
        .map(|number| {
            let mut permit = consent(who, &format!("Patient/{who}"), "permit", "Observation", TOWN);
            permit["provision"].as_object_mut().expect("a provision").remove("actor");
            permit["provision"]["code"] = json!([{"coding": [{"system": LOINC, "code": format!("odd-{number}")}]}]);
            (urn(number), permit)
        })
        .collect();
    herself.post("", &transaction(&odd)).expect(200);
    let count = tester.search("Observation?_summary=count")["total"].as_u64().expect("a total");
    assert_eq!(count - before, 90);
    assert_eq!(tester.ids("Observation?patient=days-90").len(), 1);
    // Who says something of her own is heard at once, and so is that she says it no more.
    let record = format!("Observation/{}", herself.create(&weight(who, "2026-01-10", "50.1")));
    let mut rare = consent(who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-test");
    rare["provision"]["code"] = json!([{"coding": [{"system": LOINC, "code": "29463-7"}]}]);
    let id = herself.create(&rare);
    tester.get(&record).expect(200);
    rare["id"] = json!(id);
    rare["status"] = json!("inactive");
    herself.put(&format!("Consent/{id}"), &rare).expect(200);
    tester.get(&record).refused(404);
}
