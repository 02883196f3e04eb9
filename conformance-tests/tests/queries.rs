//! Named queries: `_query=…`.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{LOINC, consent, height, laboratory, patient, weight};
use techo_conformance_tests::stock::Stock;
use techo_conformance_tests::world::{World, link};

fn id_of(reference: &Value) -> String {
    reference["reference"].as_str().expect("a reference").split_once('/').expect("Type/id").1.to_owned()
}

#[test]
fn the_newest_of_each_code_is_a_search_like_any() {
    let mut stock = Stock::new();
    let who = id_of(&stock.put("who", &patient("最新", "query-1", "2020-04-01")));
    let other = id_of(&stock.put("other", &patient("最新", "query-2", "2020-04-01")));
    // Written out of order: the time of care decides.
    for (name, date) in [("w2", "2026-02-10"), ("w4", "2026-04-10"), ("w1", "2026-01-10"), ("w3", "2026-03-10")] {
        stock.put(name, &weight(&who, date, "15.5"));
    }
    stock.put("h1", &height(&who, "2025-01-10", "100"));
    stock.put("h2", &height(&who, "2025-02-10", "101"));
    stock.put("blood", &laboratory(&who, "2026-05-10"));
    stock.put("others", &weight(&other, "2026-10-10", "9.9"));
    let mut wrong = weight(&who, "2026-12-10", "155");
    wrong["status"] = json!("entered-in-error");
    stock.put("wrong", &wrong);
    let mut told = weight(&who, "2026-06-10", "15.5");
    told["code"] = json!({"text": "家での体重"});
    stock.put("told", &told);
    stock.finds(&[
        ("Observation", "_query&patient={who}", "latest", "w4 h2 blood"),
        ("Observation", "_query&subject=Patient/{who}", "latest", "w4 h2 blood"),
        ("Observation", "_query&patient={who},{other}", "latest", "w4 h2 blood others"),
        ("Observation", "_query&patient={who}&category=vital-signs", "latest", "w4 h2"),
        ("Observation", "_query&patient={who}&date=lt2026-04-01", "latest", "w3 h2"),
        ("Observation", "_query&patient={who}&code=29463-7", "latest", "w4"),
        ("Observation", "_query&patient={who}&value-quantity=gt50", "latest", "h2"),
    ]);
    let tester = &stock.tester;
    let path = format!("Observation?_query=latest&patient={who}&_total=accurate");
    let bundle = tester.search(&format!("{path}&_count=1&_sort=-date&_include=Observation:subject"));
    assert_eq!(bundle["total"], 3);
    assert!(link(&bundle, "self").is_some_and(|own| own.contains("_query=latest")), "{bundle}");
    let pages = tester.walk(&format!("{path}&_count=1&_sort=-date"), "next").concat();
    assert_eq!(pages, ["blood", "w4", "h2"].map(|name| stock.id(name).to_owned()));
    assert_eq!(tester.search(&format!("{path}&_summary=count"))["total"], 3);
    tester.delete(&format!("Observation/{}", stock.id("w4"))).expect(204);
    stock.finds(&[("Observation", "_query&patient={who}", "latest", "w3 h2 blood")]);
    // Of two codings it is the newest of either, and comes once.
    let mut both = weight(&who, "2026-03-01", "15.5");
    both["code"]["coding"].as_array_mut().expect("codings").push(json!({"system": LOINC, "code": "3141-9"}));
    stock.put("both", &both);
    stock.finds(&[("Observation", "_query&patient={who}", "latest", "w3 h2 blood both")]);
}

#[test]
fn medicines_and_vaccinations_are_found_by_name_of_the_query() {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("服薬", "query-3", "2020-04-01"));
    let mut take = |name: &str, status: &str, start: &str, end: Option<&str>| {
        let mut period = json!({"start": start});
        if let Some(end) = end {
            period["end"] = json!(end);
        }
        stock.put(
            name,
            &json!({"resourceType": "MedicationStatement", "status": status, "subject": who,
                "medicationCodeableConcept": {"text": "試験薬"}, "effectivePeriod": period}),
        );
    };
    take("open", "active", "2026-01-10", None);
    take("ended", "active", "2026-01-10", Some("2026-02-10"));
    take("done", "completed", "2026-01-20", Some("2026-03-10"));
    take("stopped", "stopped", "2026-01-10", None);
    take("held", "on-hold", "2026-01-10", Some("2099-01-01"));
    take("wrong", "entered-in-error", "2026-01-10", None);
    take("later", "active", "2098-01-10", None);
    let mut give = |name: &str, status: &str, date: &str| {
        stock.put(
            name,
            &json!({"resourceType": "Immunization", "status": status, "patient": who, "occurrenceDateTime": date,
                "vaccineCode": {"text": "試験ワクチン"}}),
        );
    };
    give("first", "completed", "2025-01-10");
    give("second", "completed", "2026-01-10");
    give("refused", "not-done", "2026-02-10");
    stock.finds(&[
        ("MedicationStatement", "_query&patient={who}", "in-use", "open"),
        ("MedicationStatement", "_query&on=2026-02-01&patient={who}", "in-use", "open ended done"),
        ("MedicationStatement", "_query&on=2026-02-20&patient={who}", "in-use", "open done"),
        ("MedicationStatement", "_query&on=2026-01&patient={who}", "in-use", "open ended done"),
        ("MedicationStatement", "_query&on=2020&patient={who}", "in-use", ""),
        ("MedicationStatement", "_query&on=2099&patient={who}", "in-use", "open later"),
        ("Immunization", "_query&patient={who}", "given", "first second"),
        ("Immunization", "_query&patient={who}&date=ge2026", "given", "second"),
    ]);
    let names = |query: &str| -> Vec<String> { stock.tester.ids(&format!("{query}&patient={}", stock.id("who"))) };
    let ids = |list: [&str; 2]| list.map(|name| stock.id(name).to_owned());
    assert_eq!(names("Immunization?_query=given"), ids(["second", "first"]), "newest first");
    assert_eq!(names("Immunization?_query=given&_sort=date"), ids(["first", "second"]), "unless said otherwise");
    let bundle = stock.tester.search("MedicationStatement?_query=in-use&_count=1");
    let own = link(&bundle, "self").expect("a link");
    assert!(own.contains("&on=20"), "the links say which day was meant: {own}");
    assert!(stock.tester.ids(&format!("Patient/{}/Immunization?_query=given", stock.id("who"))).len() == 2);
}

/// R4 wants a query that is not known refused, whatever `Prefer` says.
#[test]
fn a_query_that_is_not_known_is_refused() {
    let stock = Stock::new();
    stock.refuses(&[
        ("Observation", "_query", "nonsense", "not-supported"),
        ("Observation", "_query", "given", "not-supported"),
        ("Patient", "_query", "latest", "not-supported"),
        ("Immunization", "_query:exact", "given", "invalid"),
        ("Immunization", "on", "2026-01-01", "not-supported"),
    ]);
    let lenient =
        stock.tester.request("GET", "Observation?_query=nonsense").header("Prefer", "handling=lenient").send();
    assert_eq!(lenient.refused(400).json()["issue"][0]["code"], "not-supported");
    let told = |path: &str| stock.tester.get(path).refused(400).json()["issue"][0].clone();
    for (path, place, code) in [
        ("Observation?_query=latest", "patient", "value"),
        ("Observation?_query=latest&patient.name=x", "patient", "value"),
        ("Immunization?_query=given&_query=given", "_query", "invalid"),
        ("?_type=Immunization,Observation&_query=given", "_query", "invalid"),
        ("?_type=Immunization&_query=latest", "_query", "not-supported"),
        ("MedicationStatement?_query=in-use&on=yesterday", "on", "value"),
        ("Observation/$lastn?patient=x&code=x&_query=latest", "_query", "not-supported"),
        ("Patient?organization._query=x", "organization._query", "not-supported"),
    ] {
        let issue = told(path);
        assert_eq!((&issue["expression"][0], &issue["code"]), (&json!(place), &json!(code)), "{path}: {issue}");
    }
    stock.tester.get("?_type=Immunization&_query=given").expect(200);
}

/// What is hidden is neither the newest of its code nor counted, nor in the way.
#[test]
fn hidden_records_take_no_part_in_a_named_query() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("秘最新", "query-4", "2024-04-01"));
    let shown = tester.create(&weight(&who, "2026-01-10", "6.1"));
    let share =
        |class: &str, kind: &str| consent(&who, &format!("Patient/{who}"), kind, class, "Organization/org-city");
    tester.create(&share("Observation", "permit"));
    let hidden = tester.create(&laboratory(&who, "2026-02-10"));
    let secret = json!({"resourceType": "Immunization", "status": "completed", "patient": {"reference": format!("Patient/{who}")},
        "occurrenceDateTime": "2026-01-10", "vaccineCode": {"text": "秘"}});
    tester.create(&secret);
    tester.create(&json!({"resourceType": "MedicationStatement", "status": "active",
        "subject": {"reference": format!("Patient/{who}")}, "medicationCodeableConcept": {"text": "秘"},
        "effectivePeriod": {"start": "2026-01-10"}}));
    let mut deny = share("Observation", "deny");
    deny["provision"]["code"] = json!([{"coding": [laboratory(&who, "2026-02-10")["code"]["coding"][0]]}]);
    // One coding is shared with the record that is shown: the hidden one is the newer.
    let mut newer = laboratory(&who, "2026-03-10");
    let coding = weight(&who, "2026-01-10", "6.1")["code"]["coding"][0].clone();
    newer["code"]["coding"].as_array_mut().expect("codings").push(coding);
    let newer = tester.create(&newer);
    tester.create(&deny);
    let query = format!("Observation?_query=latest&patient={who}&_total=accurate");
    assert_eq!(town.ids(&query), std::slice::from_ref(&shown));
    assert_eq!(town.search(&query)["total"], 1);
    assert_eq!(tester.ids(&query), [newer], "its keeper sees the newest");
    assert_ne!(hidden, shown);
    for path in ["Immunization?_query=given&patient={}", "MedicationStatement?_query=in-use&patient={}&_summary=count"]
    {
        let ask = |id: &str| town.get(&path.replace("{}", id));
        let never = "n".repeat(who.len());
        assert_eq!(fingerprint(&ask(&who), &encode(&who)), fingerprint(&ask(&never), &encode(&never)), "{path}");
    }
}
