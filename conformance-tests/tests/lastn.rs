//! `Observation/$lastn`: the latest of each code, among what the caller may see.

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{LOINC, consent, height, laboratory, patient, weight};
use techo_conformance_tests::world::{World, ids};

const VITALS: &str = "category=vital-signs";

/// Two codings of one thing.
fn both(mut observation: Value) -> Value {
    let coding = json!({"system": "https://example.org/own", "code": "weighed"});
    observation["code"]["coding"].as_array_mut().expect("codings").push(coding);
    observation
}

#[test]
fn the_latest_of_each_code_come_newest_first() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("新", "lastn-1", "2020-04-01"));
    let other = tester.create(&patient("新", "lastn-2", "2020-04-01"));
    tester.create(&weight(&other, "2026-10-10", "9.9"));
    // Written out of order: the time of care decides.
    let [w2, w4, w1, w3] =
        ["2026-02-10", "2026-04-10", "2026-01-10", "2026-03-10"].map(|date| tester.create(&weight(&who, date, "15.5")));
    let [h1, h2] = ["2025-01-10", "2025-02-10"].map(|date| tester.create(&height(&who, date, "100")));
    let blood = tester.create(&laboratory(&who, "2026-05-10"));
    let mut told = weight(&who, "2026-06-10", "15.5");
    told["code"] = json!({"text": "家での体重"});
    let told = tester.create(&told);
    let ask = |query: &str| {
        let bundle = tester.search(&format!("Observation/$lastn?patient={who}&{query}"));
        assert_eq!(bundle["type"], "searchset");
        assert_eq!(bundle["total"], bundle["entry"].as_array().map_or(0, Vec::len));
        ids(&bundle, "match")
    };
    let weight_code = format!("code={}", encode(&format!("{LOINC}|29463-7")));
    assert_eq!(ask(&weight_code), [w4.as_str()]);
    assert_eq!(ask(&format!("{weight_code}&max=3")), [&*w4, &*w3, &*w2]);
    assert_eq!(ask(&format!("{weight_code}&max=100")), [&*w4, &*w3, &*w2, &*w1]);
    assert_eq!(ask(&format!("{weight_code}&max=2&date=lt2026-04-01")), [&*w3, &*w2]);
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let expected = |list: &[&String]| sorted(list.iter().map(|one| (*one).clone()).collect());
    assert_eq!(sorted(ask(VITALS)), expected(&[&w4, &h2, &told]));
    assert_eq!(sorted(ask(&format!("{VITALS}&max=2"))), expected(&[&w4, &w3, &h2, &h1, &told]));
    assert_eq!(sorted(ask("category=vital-signs,laboratory")), expected(&[&w4, &h2, &told, &blood]));
    let groups = ask(&format!("{VITALS}&max=2"));
    let at = |id: &String| groups.iter().position(|one| one == id);
    assert!(at(&w4) < at(&w3) && at(&h2) < at(&h1), "newest first: {groups:?}");
    // Of two codings it is the latest of each, and comes once.
    let double = tester.create(&both(weight(&who, "2026-03-20", "15.5")));
    assert_eq!(ask("code=https://example.org/own%7Cweighed"), [&*double]);
    assert_eq!(ask(&format!("{weight_code}&max=2")), [&*w4, &*double]);
    assert_eq!(ask(&weight_code), [w4.as_str()], "the other coding was not asked for");
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "subject", "valueString": format!("Patient/{who}")}, {"name": "category", "valueString": "vital-signs"},
        {"name": "max", "valuePositiveInt": 2}]});
    let posted = tester.post("Observation/$lastn", &parameters).expect(200).json();
    assert_eq!(ids(&posted, "match"), ask(&format!("{VITALS}&max=2")));
    tester.delete(&format!("Observation/{w4}")).expect(204);
    assert_eq!(ask(&weight_code), [&*double]);
}

/// R4's `max` is of each code that is asked: what else is coded beside it makes no group.
#[test]
fn the_groups_are_the_codes_that_are_asked() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("群", "lastn-4", "2020-04-01"));
    let coded = |date: &str, codes: &[&str]| {
        let mut one = weight(&who, date, "15.5");
        one["code"]["coding"] = codes.iter().map(|code| json!({"system": "urn:own", "code": code})).collect();
        tester.create(&one)
    };
    let ask = |query: &str| ids(&tester.search(&format!("Observation/$lastn?patient={who}&{query}")), "match");
    let [a1, b1, ab] = [("2026-01-01", &["a"][..]), ("2026-02-01", &["b"]), ("2026-03-01", &["a", "b", "c"])]
        .map(|(date, codes)| coded(date, codes));
    let b2 = coded("2026-04-01", &["b"]);
    assert_eq!(ask("code=urn:own|a"), [ab.as_str()]);
    assert_eq!(ask("code=a"), [ab.as_str()]);
    assert_eq!(ask("code=urn:own|a&max=2"), [&*ab, &*a1]);
    // It is the latest of one and not of the other; of both it comes once.
    assert_eq!(ask("code=urn:own|a,urn:own|b"), [&*b2, &*ab]);
    assert_eq!(ask("code=a,urn:own|b&max=2"), [&*b2, &*ab, &*a1]);
    assert_eq!(ask("code=urn:own|a,urn:own|b&max=3"), [&*b2, &*ab, &*b1, &*a1]);
    assert_eq!(ask("code=urn:own|c,urn:own|never"), [ab.as_str()]);
    // A code without a system is one, whoever has it.
    let mut other = weight(&who, "2026-05-01", "15.5");
    other["code"]["coding"] = json!([{"system": "urn:other", "code": "a"}]);
    let other = tester.create(&other);
    assert_eq!(ask("code=a"), [other.as_str()]);
    assert_eq!(ask("code=urn:own|a,urn:other|a"), [&*other, &*ab]);
}

/// A weight coded by four systems and one coded by a single of them are one thing.
#[test]
fn codings_that_meet_make_one_group() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("群", "lastn-5", "2020-04-01"));
    let coded = |day: usize, codes: &[String]| {
        let mut one = weight(&who, &format!("2026-03-{day:02}"), "15.5");
        one["code"]["coding"] = codes.iter().map(|code| json!({"system": "urn:own", "code": code})).collect();
        tester.create(&one)
    };
    let ask = |query: &str| ids(&tester.search(&format!("Observation/$lastn?patient={who}&{VITALS}{query}")), "match");
    // Neighbours share a coding; the order in which codes became known runs up, down and about.
    for (chain, order) in [
        ("a", (0..12).collect::<Vec<usize>>()),
        ("b", (0..12).rev().collect()),
        ("c", (0..12).map(|number| number * 5 % 12).collect()),
    ] {
        for number in order {
            coded(number + 1, &[format!("{chain}{number}"), format!("{chain}{}", number + 1)]);
        }
    }
    let alone = coded(13, &["alone".to_owned()]);
    assert_eq!(ask("").len(), 4, "three chains, and one by itself");
    assert_eq!(ask("")[0], alone, "the group with the newest comes first");
    assert_eq!(ask("&max=12").len(), 37);
    // What stands between two groups joins them.
    let bridge = coded(14, &["a0".to_owned(), "b5".to_owned(), "more".to_owned()]);
    assert_eq!(ask("").len(), 3);
    assert_eq!(ask("")[0], bridge);
}

/// As in `_query=latest`.
#[test]
fn what_is_no_result_is_left_out() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("誤", "lastn-6", "2020-04-01"));
    let right = tester.create(&weight(&who, "2026-01-10", "15.5"));
    for status in ["entered-in-error", "cancelled"] {
        let mut wrong = weight(&who, "2026-02-10", "155");
        wrong["status"] = json!(status);
        tester.create(&wrong);
    }
    for query in ["$lastn?code=29463-7&", "$lastn?category=vital-signs&", "?_query=latest&code=29463-7&"] {
        let query =
            format!("{}{query}patient={who}", if query.starts_with('$') { "Observation/" } else { "Observation" });
        let bundle = tester.search(&query);
        assert_eq!(ids(&bundle, "match"), [right.as_str()], "{query}");
        let own = bundle["link"][0]["url"].as_str().expect("its link");
        assert!(!own.contains("status"), "{own}");
    }
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let world = World::new();
    let tester = world.tester();
    for (query, place) in [
        ("code=x", "patient"),
        ("patient=x", "code"),
        ("subject=x&code=x", "patient"),
        ("subject=Group/x&code=x", "patient"),
        ("patient.name=x&code=x", "patient"),
        ("patient=x&code=x&max=0", "max"),
        ("patient=x&code=x&max=x", "max"),
        ("patient=x&code=x&_sort=date", "_sort"),
        ("patient=x&code=x&_include=Observation:subject", "_include"),
        ("patient=x&code=x&nonsense=1", "nonsense"),
    ] {
        let issue = tester.get(&format!("Observation/$lastn?{query}")).refused(400).json()["issue"][0].clone();
        assert_eq!(issue["expression"][0], place, "{query}");
    }
    tester.get("Condition/$lastn?patient=x&code=x").refused(404);
    tester.get("Observation/x/$lastn?patient=x&code=x").refused(404);
}

/// A hidden record once newer than the rest takes no place among the latest.
#[test]
fn hidden_records_take_no_place() {
    let world = World::new();
    let tester = world.tester();
    let town = world.importer();
    let who = tester.create(&patient("隠", "lastn-3", "2020-04-01"));
    let seen = tester.create(&weight(&who, "2026-01-10", "15.5"));
    let mut hidden = weight(&who, "2026-02-10", "15.5");
    hidden["meta"] = json!({"tag": [{"code": "newer"}]});
    hidden["category"] = json!([{"coding": [{"system": "https://example.org/own", "code": "private"}]}]);
    tester.create(&hidden);
    let ask = |who: &str| {
        let bundle = town.get(&format!("Observation/$lastn?patient={who}&code=29463-7&max=1")).expect(200);
        (ids(&bundle.json(), "match"), bundle.text().replace(who, "ID"))
    };
    let never = "n".repeat(who.len());
    assert_eq!(ask(&who), ask(&never), "hidden and absent are alike");
    let performer = format!("Patient/{who}");
    let mut shared = consent(&who, &performer, "permit", "Observation", "Organization/org-city");
    shared["provision"]["provision"] = json!([{"type": "deny",
        "code": [{"coding": [{"system": "https://example.org/own", "code": "private"}]}]}]);
    let answer = tester.post("Consent", &shared);
    if answer.status == 201 {
        assert_eq!(town.ids(&format!("Observation?patient={who}")), [seen.as_str()]);
        assert_eq!(ask(&who).0, [seen]);
    } else {
        panic!("{}", answer.text());
    }
}
