//! Search: every kind of parameter, sorting, paging, includes, totals.

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{IDENTIFIERS, LOINC, UCUM, height, laboratory, patient, weight};
use techo_conformance_tests::world::{Caller, World, ids, link};

/// A child with three weights, two heights and a laboratory result.
struct Child {
    world: World,
    tester: Caller,
    who: String,
    weights: Vec<String>,
    heights: Vec<String>,
    laboratory: String,
}

fn child() -> Child {
    let world = World::new();
    let tester = world.tester();
    let mut person = patient("ダミー田", "search-1", "2024-04-01");
    person["name"][0]["text"] = json!("ダミー田 試子");
    person["telecom"] = json!([{"system": "url", "value": "https://example.org/a"}]);
    let who = tester.create(&person);
    let weights = [("2026-01-10", "6.0"), ("2026-02-10", "7.25"), ("2026-03-10T10:00:00+09:00", "8.5")];
    let weights = weights.map(|(date, value)| tester.create(&weight(&who, date, value))).to_vec();
    let heights = [("2026-01-10", "60"), ("2026-02-10", "63.5")];
    let heights = heights.map(|(date, value)| tester.create(&height(&who, date, value))).to_vec();
    let laboratory = tester.create(&laboratory(&who, "2026-02-10"));
    Child { world, tester, who, weights, heights, laboratory }
}

impl Child {
    /// Matches of an Observation search about the child, sorted.
    #[track_caller]
    fn found(&self, query: &str) -> Vec<String> {
        let mut found = self.tester.ids(&format!("Observation?subject=Patient/{}&{query}", self.who));
        found.sort();
        found
    }

    #[track_caller]
    fn finds(&self, query: &str, expected: &[&String]) {
        let mut expected: Vec<String> = expected.iter().map(|id| (*id).clone()).collect();
        expected.sort();
        assert_eq!(self.found(query), expected, "{query}");
    }
}

#[test]
fn every_kind_of_parameter_finds_what_it_should() {
    let child = child();
    let [w1, w2, w3] = [&child.weights[0], &child.weights[1], &child.weights[2]];
    let [h1, h2] = [&child.heights[0], &child.heights[1]];
    let lab = &child.laboratory;
    let cases: Vec<(String, Vec<&String>)> = vec![
        // token
        ("code=29463-7".to_owned(), vec![w1, w2, w3]),
        (format!("code={LOINC}|29463-7"), vec![w1, w2, w3]),
        ("code=http://other|29463-7".to_owned(), vec![]),
        ("code=|29463-7".to_owned(), vec![]),
        (format!("code={LOINC}|"), vec![w1, w2, w3, h1, h2, lab]),
        ("code=29463-7,8302-2".to_owned(), vec![w1, w2, w3, h1, h2]),
        ("code=29463-7&code=8302-2".to_owned(), vec![]),
        ("category=laboratory".to_owned(), vec![lab]),
        ("status=final&code=8302-2".to_owned(), vec![h1, h2]),
        ("status:not=final".to_owned(), vec![]),
        // date
        ("date=2026-02-10".to_owned(), vec![w2, h2, lab]),
        ("date=2026-02".to_owned(), vec![w2, h2, lab]),
        ("date=2026".to_owned(), vec![w1, w2, w3, h1, h2, lab]),
        ("date=gt2026-02-10".to_owned(), vec![w3]),
        ("date=ge2026-02-10&date=lt2026-03".to_owned(), vec![w2, h2, lab]),
        ("date=le2026-01-10".to_owned(), vec![w1, h1]),
        ("date=ne2026-02-10".to_owned(), vec![w1, w3, h1]),
        ("date=sa2026-02-10".to_owned(), vec![w3]),
        ("date=eb2026-02-10".to_owned(), vec![w1, h1]),
        (format!("date={}", encode("2026-03-10T10:00:00+09:00")), vec![w3]),
        (format!("date={}", encode("2026-03-10T01:00:00Z")), vec![w3]),
        // quantity
        ("value-quantity=7.25".to_owned(), vec![w2]),
        (format!("value-quantity=7.25|{UCUM}|kg"), vec![w2]),
        (format!("value-quantity=7.25|{UCUM}|cm"), vec![]),
        ("value-quantity=7.25||kg".to_owned(), vec![w2]),
        ("value-quantity=gt8&code=29463-7".to_owned(), vec![w3]),
        ("value-quantity=lt7&code=29463-7".to_owned(), vec![w1]),
        ("value-quantity=ge60||cm".to_owned(), vec![h1, h2]),
        // reference
        (format!("patient={}", child.who), vec![w1, w2, w3, h1, h2, lab]),
        (format!("patient=Patient/{}", child.who), vec![w1, w2, w3, h1, h2, lab]),
        (format!("subject:Patient={}", child.who), vec![w1, w2, w3, h1, h2, lab]),
        (format!("subject={}/Patient/{}", child.world.base, child.who), vec![w1, w2, w3, h1, h2, lab]),
        ("patient=pt-nobody".to_owned(), vec![]),
        // _id, _lastUpdated
        (format!("_id={w1},{h1}"), vec![w1, h1]),
        ("_lastUpdated=gt2020-01-01".to_owned(), vec![w1, w2, w3, h1, h2, lab]),
        ("_lastUpdated=lt2020-01-01".to_owned(), vec![]),
    ];
    for (query, expected) in &cases {
        child.finds(query, expected);
    }
}

#[test]
fn people_are_found_by_string_number_and_uri() {
    let child = child();
    let who = vec![child.who.clone()];
    let none: Vec<String> = Vec::new();
    let here = format!("identifier={IDENTIFIERS}|search-1");
    for (query, expected) in [
        ("family=ダミー田".to_owned(), &who),
        ("family=ダミ".to_owned(), &who),
        ("family=ﾀﾞﾐｰ".to_owned(), &none),
        ("family=ﾀﾞﾐｰ田".to_owned(), &none),
        ("name=試子".to_owned(), &who),
        ("family:exact=ダミー田".to_owned(), &who),
        ("family:exact=ダミー".to_owned(), &none),
        ("family:contains=ミー".to_owned(), &who),
        ("family=だみー田".to_owned(), &who),
        ("birthdate=2024-04-01".to_owned(), &who),
        ("birthdate=gt2024-04-01".to_owned(), &none),
        ("gender=female".to_owned(), &who),
        ("gender=male".to_owned(), &none),
        ("identifier=search-1".to_owned(), &who),
        (format!("identifier={IDENTIFIERS}|search-1"), &who),
    ] {
        // Half-width ﾀﾞﾐｰ folds to ダミー (NFKC): both spellings find her.
        let expected = if query.contains('ﾀ') { &who } else { expected };
        let query = query.split_once('=').map_or(query.clone(), |(name, value)| format!("{name}={}", encode(value)));
        assert_eq!(&child.tester.ids(&format!("Patient?{here}&{query}")), expected, "{query}");
    }
    let risk = json!({"resourceType": "RiskAssessment", "status": "final", "subject": {"reference": format!("Patient/{}", child.who)},
        "prediction": [{"probabilityDecimal": 0.25}]});
    let risk = child.tester.create(&risk);
    for (query, found) in [("0.25", true), ("gt0.2", true), ("lt0.2", false), ("0.4", false), ("ge0.25", true)] {
        let ids = child.tester.ids(&format!("RiskAssessment?probability={query}"));
        assert_eq!(ids.contains(&risk), found, "probability={query}");
    }
    let mut codes = json!({"resourceType": "ValueSet", "status": "draft", "url": "https://example.org/ValueSet/a"});
    let set = child.tester.create(&codes);
    codes["url"] = json!("https://example.org/ValueSet/ab");
    child.tester.create(&codes);
    assert_eq!(child.tester.ids("ValueSet?url=https://example.org/ValueSet/a"), [set]);
}

#[test]
fn post_searches_like_get() {
    let child = child();
    let by_get = child.tester.ids(&format!("Observation?subject=Patient/{}&code=29463-7&_sort=date", child.who));
    let fields =
        [("subject", format!("Patient/{}", child.who)), ("code", "29463-7".to_owned()), ("_sort", "date".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = child.tester.request("POST", "Observation/_search").form(&fields).send().expect(200).json();
    assert_eq!(ids(&answer, "match"), by_get);
    assert_eq!(answer["type"], "searchset");
    let mixed = child.tester.request("POST", &format!("Observation/_search?subject=Patient/{}", child.who));
    let answer = mixed.form(&[("code", "29463-7"), ("_sort", "date")]).send().expect(200).json();
    assert_eq!(ids(&answer, "match"), by_get, "parameters of the URL and of the body are one query");
}

#[test]
fn a_search_sorts_counts_and_pages() {
    let child = child();
    let about = format!("Observation?subject=Patient/{}", child.who);
    assert_eq!(child.tester.ids(&format!("{about}&code=29463-7&_sort=date")), child.weights);
    let newest: Vec<String> = child.weights.iter().rev().cloned().collect();
    assert_eq!(child.tester.ids(&format!("{about}&code=29463-7&_sort=-date")), newest);
    let total = |query: &str| child.tester.search(&format!("{about}&{query}"))["total"].clone();
    assert_eq!(total("_total=accurate"), 6);
    assert_eq!(total("_total=accurate&_count=1"), 6);
    assert_eq!(total("_total=none"), Value::Null);
    let count = child.tester.search(&format!("{about}&_summary=count"));
    assert_eq!((&count["total"], &count["entry"]), (&json!(6), &Value::Null));
    let zero = child.tester.search(&format!("{about}&_count=0"));
    assert_eq!((&zero["total"], &zero["entry"]), (&json!(6), &Value::Null));

    let mut url = format!("{about}&_sort=date,_id&_count=2");
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = child.tester.search(&url);
        assert!(link(&page, "self").is_some(), "{page}");
        seen.extend(ids(&page, "match"));
        pages += 1;
        match link(&page, "next") {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 6), "each once: {seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[test]
fn a_page_link_is_sealed_and_grants_nothing() {
    let child = child();
    let about = format!("Observation?subject=Patient/{}&_count=2", child.who);
    let page = child.tester.search(&about);
    let next = link(&page, "next").expect("there is more").to_owned();
    child.world.anon().request("GET", &next).send().refused(401);
    let stranger = child.world.stranger().get(&next);
    let entries = if stranger.status == 200 { stranger.json()["entry"].clone() } else { Value::Null };
    assert!(entries.is_null(), "another's link shows nothing: {entries}");
    let mut forged = next.clone();
    let last = forged.pop().expect("a link is not empty");
    forged.push(if last == 'A' { 'B' } else { 'A' });
    let answer = child.tester.get(&forged);
    assert!([400, 404, 410].contains(&answer.status), "a changed link is refused: {}", answer.status);
}

#[test]
fn a_page_link_holds_for_its_own_search_only() {
    let child = child();
    let page = child.tester.search(&format!("Observation?subject=Patient/{}&_count=2", child.who));
    let next = link(&page, "next").expect("there is more").to_owned();
    child.tester.get(&next.replace("/Observation?", "/Patient?")).refused(400);
    child.tester.get(&format!("{next}&code=29463-7")).refused(400);
    child.tester.get(&format!("{next}&_format=json")).expect(200);
}

#[test]
fn rows_deleted_between_pages_do_not_shift_the_rest() {
    let child = child();
    let mut url = format!("Observation?subject=Patient/{}&code=29463-7&_sort=date&_count=1", child.who);
    let first = child.tester.search(&url);
    url = link(&first, "next").expect("there is more").to_owned();
    child.tester.delete(&format!("Observation/{}", child.weights[0]));
    let second = child.tester.search(&url);
    assert_eq!(ids(&second, "match"), [child.weights[1].clone()]);
}

#[test]
fn include_brings_the_target_once() {
    let child = child();
    let query = format!("Observation?subject=Patient/{}&code=29463-7&_include=Observation:subject", child.who);
    let bundle = child.tester.search(&query);
    assert_eq!(ids(&bundle, "include"), std::slice::from_ref(&child.who));
    assert_eq!(ids(&bundle, "match").len(), 3);
    assert_eq!(bundle["total"], 3, "includes are not counted");
    for query in ["_include=Observation:nonsense", "_include=nonsense", "_include=Nonsense:subject"] {
        child.tester.get(&format!("Observation?{query}")).refused(400);
    }
}

#[test]
fn a_parameter_nobody_knows_is_refused_unless_lenient() {
    let child = child();
    let about = format!("Observation?subject=Patient/{}", child.who);
    let query = format!("{about}&nonsense=1");
    let outcome = child.tester.get(&query).refused(400);
    assert!(outcome.text().contains("nonsense"), "{}", outcome.text());
    let lenient = child.tester.request("GET", &query).header("Prefer", "handling=lenient").send().expect(200).json();
    assert_eq!(ids(&lenient, "match").len(), 6);
    assert!(
        !link(&lenient, "self").unwrap_or_default().contains("nonsense"),
        "self says what was understood: {lenient}"
    );
    child.tester.request("GET", &query).header("Prefer", "handling=strict").send().refused(400);
    for bad in [
        "date=2026-13",
        "date=yesterday",
        "date=gt",
        "value-quantity=abc",
        "_count=-1",
        "_count=many",
        "_sort=nonsense",
        "_lastUpdated=now",
        "code:nonsense=1",
        "date:exact=2026",
        "_total=perhaps",
        "subject:Nonsense=1",
        "_summary=perhaps",
    ] {
        let answer = child.tester.get(&format!("{about}&{bad}"));
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text());
    }
}

#[test]
fn odd_text_finds_only_itself() {
    let child = child();
    let tester = &child.tester;
    for (number, text) in
        ["a'b", "a\"b", "a%b", "a_b", "a\\\\b", "a;DROP TABLE resource;--", "ａｂ", "a\u{301}"].iter().enumerate()
    {
        tester.create(&patient(text, &format!("odd-{number}"), "2024-04-01"));
        let escaped = text.replace('\\', "\\\\").replace(',', "\\,").replace('$', "\\$").replace('|', "\\|");
        let found = tester.search(&format!("Patient?family:exact={}", encode(&escaped)));
        let values: Vec<&str> = found["entry"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry["resource"]["name"][0]["family"].as_str())
            .collect();
        assert_eq!(values, [*text], "{text}");
    }
    let comma = tester.create(&patient("コンマ,付", "comma", "2024-04-01"));
    assert_eq!(tester.ids(&format!("Patient?family={}", encode("コンマ\\,付"))), [comma]);
    assert_eq!(tester.ids(&format!("Patient?family={}", encode("コンマ,無"))).len(), 1, "two values: one begins it");
}

#[test]
fn an_update_moves_the_row_in_the_index() {
    let child = child();
    let path = format!("Observation/{}", child.weights[0]);
    let mut resource = child.tester.get(&path).expect(200).json();
    resource["valueQuantity"]["value"] = json!(6.5);
    child.tester.put(&path, &resource).expect(200);
    child.finds("value-quantity=6.0", &[]);
    child.finds("value-quantity=6.5", &[&child.weights[0]]);
    child.tester.delete(&path);
    child.finds("value-quantity=6.5", &[]);
}
