//! What a search answers beside its matches: what it includes, the ways to other
//! pages, searches of several types and in compartments.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use techo_conformance_tests::sample::{height, patient, transaction, urn, weight};
use techo_conformance_tests::world::{Caller, World, ids, link};

fn reference(to: &str) -> Value {
    json!({"reference": to})
}

/// `Type/id` of a Bundle's entries of one search mode, sorted.
fn places(bundle: &Value, mode: &str) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = entries
        .iter()
        .filter(|entry| entry["search"]["mode"] == mode)
        .map(|entry| format!("{}/{}", text(&entry["resource"]["resourceType"]), text(&entry["resource"]["id"])))
        .collect();
    found.sort();
    found
}

fn sorted(places: &[&str]) -> Vec<String> {
    let mut places: Vec<String> = places.iter().map(|place| (*place).to_owned()).collect();
    places.sort();
    places
}

/// A child, her clinic's organizations in a row, a visit and what came of it.
struct Web {
    world: World,
    tester: Caller,
    who: String,
    top: String,
    clinic: String,
    ward: String,
    visit: String,
    part: String,
    panel: String,
    report: String,
    provenance: String,
}

fn web() -> Web {
    let world = World::new();
    let tester = world.tester();
    let place = |resource: Value| {
        let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
        format!("{kind}/{}", tester.create(&resource))
    };
    let organization = |name: &str, above: Option<&str>| {
        let mut resource = json!({"resourceType": "Organization", "name": name});
        if let Some(above) = above {
            resource["partOf"] = reference(above);
        }
        place(resource)
    };
    let top = organization("市立", None);
    let clinic = organization("診療所", Some(&top));
    let ward = organization("小児科", Some(&clinic));
    let mut child = patient("網目", "web-1", "2024-04-01");
    child["managingOrganization"] = reference(&ward);
    let who = place(child);
    let visit = place(json!({"resourceType": "Encounter", "status": "finished", "subject": reference(&who),
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "serviceProvider": reference(&ward)}));
    let id = who.trim_start_matches("Patient/");
    let mut part = weight(id, "2026-01-10", "7.5");
    part["encounter"] = reference(&visit);
    let part = place(part);
    let mut panel = height(id, "2026-01-10", "63");
    panel["hasMember"] = json!([reference(&part)]);
    let panel = place(panel);
    let report = place(json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "r"},
        "subject": reference(&who), "result": [reference(&panel)]}));
    let provenance = place(json!({"resourceType": "Provenance", "recorded": "2026-01-01T00:00:00Z",
        "target": [reference(&report)], "agent": [{"who": reference(&clinic)}]}));
    Web { world, tester, who, top, clinic, ward, visit, part, panel, report, provenance }
}

#[test]
fn includes_go_one_step_and_with_iterate_all_the_way() {
    let web = web();
    let id = |place: &str| place.split_once('/').expect("a place").1.to_owned();
    let (part, panel, report) = (id(&web.part), id(&web.panel), id(&web.report));
    let cases: Vec<(String, Vec<&str>)> = vec![
        (format!("Observation?_id={part}&_include=Observation:subject"), vec![&web.who]),
        (format!("Observation?_id={part}&_include=Observation:subject:Patient"), vec![&web.who]),
        (format!("Observation?_id={part}&_include=Observation:subject:Group"), vec![]),
        (
            format!("Observation?_id={part}&_include=Observation:subject&_include=Observation:encounter"),
            vec![&web.who, &web.visit],
        ),
        (format!("Observation?_id={part}&_include=*"), vec![&web.who, &web.visit]),
        (format!("Observation?_id={part}&_include=Observation:*"), vec![&web.who, &web.visit]),
        (format!("Observation?_id={part}&_include=Observation:*:Encounter"), vec![&web.visit]),
        // Without :iterate an include begins with the matches alone.
        (
            format!(
                "DiagnosticReport?_id={report}&_include=DiagnosticReport:result&_include:iterate=Observation:has-member"
            ),
            vec![&web.panel, &web.part],
        ),
        (
            format!(
                "DiagnosticReport?_id={report}&_include=DiagnosticReport:result&_include:iterate=Observation:has-member&_include:iterate=Observation:encounter"
            ),
            vec![&web.panel, &web.part, &web.visit],
        ),
        (
            format!(
                "Observation?_id={part}&_include=Observation:subject&_include:iterate=Patient:organization&_include:iterate=Organization:partof"
            ),
            vec![&web.who, &web.ward, &web.clinic, &web.top],
        ),
        (
            format!("Observation?_id={part}&_include=Observation:subject&_include:recurse=Patient:organization"),
            vec![&web.who, &web.ward],
        ),
        (format!("Observation?_id={part}&_include:iterate=Observation:subject"), vec![&web.who]),
        // Backwards.
        (format!("Observation?_id={panel}&_revinclude=DiagnosticReport:result"), vec![&web.report]),
        (format!("Observation?_id={part}&_revinclude=Observation:has-member"), vec![&web.panel]),
        (
            format!("Observation?_id={part}&_revinclude=Observation:has-member&_revinclude=DiagnosticReport:result"),
            vec![&web.panel],
        ),
        (
            format!(
                "Observation?_id={part}&_revinclude=Observation:has-member&_revinclude:iterate=DiagnosticReport:result"
            ),
            vec![&web.panel, &web.report],
        ),
        (
            format!(
                "Observation?_id={part}&_revinclude:iterate=Observation:has-member&_revinclude:iterate=DiagnosticReport:result&_revinclude:iterate=Provenance:target"
            ),
            vec![&web.panel, &web.report, &web.provenance],
        ),
        (format!("Patient?_id={}&_revinclude=Observation:*", id(&web.who)), vec![&web.part, &web.panel]),
        (format!("Patient?_id={}&_revinclude=*", id(&web.who)), vec![&web.part, &web.panel, &web.report, &web.visit]),
        (format!("Patient?_id={}&_revinclude=Observation:subject:Patient", id(&web.who)), vec![&web.part, &web.panel]),
        // Both ways, and round in a circle: each once.
        (
            format!(
                "Observation?_id={part}&_include:iterate=Observation:subject&_revinclude:iterate=Observation:subject"
            ),
            vec![&web.who, &web.panel],
        ),
        (
            format!(
                "Observation?_id={part}&_include:iterate=Observation:has-member&_revinclude:iterate=Observation:has-member"
            ),
            vec![&web.panel],
        ),
    ];
    let count = cases.len();
    for (query, expected) in cases {
        let bundle = web.tester.search(&query);
        assert_eq!(places(&bundle, "include"), sorted(&expected), "{query}");
        assert_eq!((places(&bundle, "match").len(), &bundle["total"]), (1, &json!(1)), "{query}");
        assert!(places(&bundle, "outcome").is_empty(), "nothing was cut: {query}");
    }
    assert_eq!(count, 22);
}

#[test]
fn an_include_that_makes_no_sense_is_refused() {
    let web = web();
    for (query, named) in [
        ("_include=Observation:nonsense", "_include"),
        ("_include=Nonsense:subject", "_include"),
        ("_include=Observation", "_include"),
        ("_include=Observation:subject:Nonsense", "_include"),
        ("_include=Observation:subject:Organization", "_include"),
        ("_include=Observation:code", "_include"),
        ("_include=Patient:organization", "_include"),
        ("_include:iterate=Patient:nonsense", "_include:iterate"),
        ("_include:nonsense=Observation:subject", "_include:nonsense"),
        ("_revinclude=Patient:organization", "_revinclude"),
        ("_revinclude=Observation", "_revinclude"),
        ("_revinclude:iterate=Observation:code", "_revinclude:iterate"),
        ("_include=", "_include"),
    ] {
        let refused = web.tester.get(&format!("Observation?{query}")).refused(400).json();
        assert_eq!(refused["issue"][0]["expression"][0], named, "{query}: {refused}");
    }
    let many: Vec<String> = (0..21).map(|_| "_include=Observation:subject".to_owned()).collect();
    let refused = web.tester.get(&format!("Observation?{}", many.join("&"))).refused(400).json();
    assert_eq!(refused["issue"][0]["code"], "too-costly");
}

#[test]
fn what_a_bound_cuts_is_said() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("多数", "many-1", "2024-04-01"));
    for part in 0..3 {
        let entries: Vec<(String, Value)> =
            (0..400).map(|number| (urn(part * 400 + number), weight(&who, "2026-01-10", "7.5"))).collect();
        tester.post("", &transaction(&entries)).expect(200);
    }
    let bundle = tester.search(&format!("Patient?_id={who}&_revinclude=Observation:subject"));
    assert_eq!((ids(&bundle, "match").len(), ids(&bundle, "include").len()), (1, 1000));
    let entries = bundle["entry"].as_array().expect("entries");
    let told = entries.iter().find(|entry| entry["search"]["mode"] == "outcome").expect("it is said");
    let issue = &told["resource"]["issue"][0];
    assert_eq!((&issue["severity"], &issue["code"]), (&json!("warning"), &json!("too-costly")));
    // Exactly as many as there is room for: nothing was cut.
    let bundle = tester.search(&format!("Observation?subject={who}&_count=1000&_include=Observation:subject"));
    assert_eq!((ids(&bundle, "match").len(), ids(&bundle, "include").len()), (1000, 1));
    assert!(places(&bundle, "outcome").is_empty());
    // A row of organizations that is longer than anybody follows.
    let mut last = tester.create(&json!({"resourceType": "Organization", "name": "0"}));
    let mut chain = vec![last.clone()];
    for number in 1..12 {
        let above = reference(&format!("Organization/{last}"));
        last = tester.create(&json!({"resourceType": "Organization", "name": number.to_string(), "partOf": above}));
        chain.push(last.clone());
    }
    let query = format!("Organization?_id={last}&_include:iterate=Organization:partof");
    let bundle = tester.search(&query);
    assert_eq!((ids(&bundle, "include").len(), places(&bundle, "outcome").len()), (8, 1));
    // And one that is not.
    let query = format!("Organization?_id={}&_include:iterate=Organization:partof", chain[6]);
    let bundle = tester.search(&query);
    assert_eq!((ids(&bundle, "include").len(), places(&bundle, "outcome").len()), (6, 0));
}

/// The ids of a whole walk, page by page, by the links of one relation.
fn walk(caller: &Caller, start: &str, relation: &str) -> Vec<Vec<String>> {
    let mut url = start.to_owned();
    let mut pages = Vec::new();
    loop {
        let page = caller.search(&url);
        pages.push(ids(&page, "match"));
        match link(&page, relation) {
            Some(next) => next.clone_into(&mut url),
            None => return pages,
        }
    }
}

#[test]
fn pages_lead_forth_and_back_and_to_the_first() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("頁", "pages-1", "2024-04-01"));
    for number in 0..23 {
        let mut resource = weight(&who, &format!("2026-01-{:02}", 1 + number % 9), &format!("{}.5", 5 + number % 4));
        if number % 5 == 0 {
            resource.as_object_mut().map(|resource| resource.remove("effectiveDateTime"));
        }
        tester.create(&resource);
    }
    let sorts = [
        "",
        "&_sort=date",
        "&_sort=-date",
        "&_sort=-date,_id",
        "&_sort=_lastUpdated",
        "&_sort=-_id",
        "&_sort=value-quantity,-date",
    ];
    for sort in sorts {
        let about = format!("Observation?subject=Patient/{who}{sort}");
        let all = tester.ids(&format!("{about}&_count=100"));
        assert_eq!(all.len(), 23);
        let start = format!("{about}&_count=5");
        let forth = walk(&tester, &start, "next");
        assert_eq!(forth.concat(), all, "{sort}");
        assert_eq!(forth.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 5, 3], "{sort}");
        let mut last = tester.search(&start);
        assert_eq!(link(&last, "previous"), None, "nothing comes before the first page");
        let first = link(&last, "first").expect("first").to_owned();
        while let Some(next) = link(&last, "next") {
            let next = next.to_owned();
            last = tester.search(&next);
            assert_eq!(link(&last, "self"), Some(next.as_str()), "a page is itself");
            assert_eq!(link(&last, "first"), Some(first.as_str()));
        }
        assert_eq!(ids(&tester.search(&first), "match"), forth[0], "{sort}");
        let last = link(&last, "self").expect("self").to_owned();
        let mut back = walk(&tester, &last, "previous");
        back.reverse();
        assert_eq!(back, forth, "{sort}");
        // To and fro.
        let second = tester.search(link(&tester.search(&start), "next").expect("next"));
        let before = tester.search(link(&second, "previous").expect("previous"));
        assert_eq!(ids(&before, "match"), forth[0]);
        assert_eq!(ids(&tester.search(link(&before, "next").expect("next")), "match"), forth[1]);
        assert_eq!(link(&before, "previous"), None);
    }
    let one = tester.search(&format!("Observation?subject=Patient/{who}&_count=100"));
    for relation in ["first", "next", "previous"] {
        assert_eq!(link(&one, relation), None, "one page needs no {relation}");
    }
}

#[test]
fn counts_and_totals_are_as_asked() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("数", "totals-1", "2024-04-01"));
    for _ in 0..3 {
        tester.create(&weight(&who, "2026-01-10", "7.5"));
    }
    let about = format!("Observation?subject=Patient/{who}");
    for (query, total, entries, next) in [
        ("", json!(3), 3, false),
        ("&_count=2", json!(3), 2, true),
        ("&_count=3", json!(3), 3, false),
        ("&_count=2&_total=none", Value::Null, 2, true),
        ("&_total=none", Value::Null, 3, false),
        ("&_count=2&_total=estimate", json!(3), 2, true),
        ("&_count=2&_total=accurate", json!(3), 2, true),
        ("&_count=0", json!(3), 0, false),
        ("&_count=0&_total=none", json!(3), 0, false),
        ("&_summary=count", json!(3), 0, false),
        ("&_count=1001", json!(3), 3, false),
        ("&_count=99999999999999999999999", json!(3), 3, false),
    ] {
        let page = tester.search(&format!("{about}{query}"));
        assert_eq!((&page["total"], ids(&page, "match").len()), (&total, entries), "{query}");
        assert_eq!(link(&page, "next").is_some(), next, "{query}");
    }
    for bad in ["_count=-1", "_count=x", "_count=", "_total=some", "_count=1&_count=2"] {
        tester.get(&format!("{about}&{bad}")).refused(400);
    }
}

#[test]
fn a_page_whose_rows_have_gone_still_leads_both_ways() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("消", "gone-1", "2024-04-01"));
    let all: Vec<String> = (0..6).map(|_| tester.create(&weight(&who, "2026-01-10", "7.5"))).collect();
    let start = format!("Observation?subject=Patient/{who}&_count=2");
    let first = tester.search(&start);
    let second = tester.search(link(&first, "next").expect("next"));
    let third = tester.search(link(&second, "next").expect("next"));
    assert_eq!(ids(&third, "match"), all[4..]);
    for id in &all[4..] {
        tester.delete(&format!("Observation/{id}")).expect(204);
    }
    let empty = tester.search(link(&second, "next").expect("next"));
    assert_eq!((ids(&empty, "match").len(), link(&empty, "next")), (0, None));
    let back = tester.search(link(&empty, "previous").expect("there are rows before"));
    assert_eq!(ids(&back, "match"), all[2..4], "not one is passed over");
    for id in &all[..2] {
        tester.delete(&format!("Observation/{id}")).expect(204);
    }
    let empty = tester.search(link(&back, "previous").expect("previous"));
    assert_eq!((ids(&empty, "match").len(), link(&empty, "previous")), (0, None));
    let forth = tester.search(link(&empty, "next").expect("there are rows after"));
    assert_eq!(ids(&forth, "match"), all[2..4], "not one is passed over");
}

/// Rows a walk goes over; more where the environment says so. A PostgreSQL database
/// this young has no statistics yet, and is slow at much less.
fn rows() -> usize {
    let usual = if techo_conformance_tests::server::on_postgres() { 350 } else { 1500 };
    std::env::var("TECHO_WALK_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_walk_sees_every_surviving_row_once_while_others_come_and_go() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("歩", "walk-1", "2024-04-01"));
    let write = |from: usize, count: usize| {
        for start in (from..from + count).step_by(500) {
            let entry = |number: usize| {
                let date = format!("2026-{:02}-{:02}", 1 + number % 12, 1 + number % 28);
                (urn(u32::try_from(number).expect("small")), weight(&who, &date, "7.5"))
            };
            let entries: Vec<(String, Value)> = (start..(start + 500).min(from + count)).map(entry).collect();
            tester.post("", &transaction(&entries)).expect(200);
        }
    };
    write(0, rows());
    let about = format!("Observation?subject=Patient/{who}");
    let before: Vec<String> = walk(&tester, &format!("{about}&_count=1000&_total=none"), "next").concat();
    assert_eq!(before.len(), rows());
    // Every seventh row goes while the walks are on their way.
    let doomed: Vec<&String> = before.iter().step_by(7).collect();
    for (sort, relation) in [("", "next"), ("&_sort=date", "next"), ("&_sort=-date", "next")] {
        let start = format!("{about}{sort}&_count=100&_total=none");
        let mut url = start.clone();
        let mut seen: Vec<String> = Vec::new();
        let mut last = String::new();
        let mut steps = 0;
        loop {
            let page = tester.search(&url);
            seen.extend(ids(&page, "match"));
            link(&page, "self").expect("self").clone_into(&mut last);
            if steps % 3 == 0 && sort.is_empty() {
                doomed.iter().skip(steps).step_by((rows() / 100).max(1)).for_each(|id| {
                    tester.delete(&format!("Observation/{id}"));
                });
            }
            if steps % 4 == 0 {
                tester.create(&weight(&who, &format!("2026-{:02}-15", 1 + steps % 12), "9.5"));
            }
            steps += 1;
            match link(&page, relation) {
                Some(next) => next.clone_into(&mut url),
                None => break,
            }
        }
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "each once{sort}");
        let lasting = before.iter().filter(|id| !doomed.contains(id));
        let missed: Vec<&String> = lasting.filter(|id| !once.contains(*id)).collect();
        assert!(missed.is_empty(), "{} of {} missed{sort}", missed.len(), before.len());
        // And back again, over the same rows.
        let back: Vec<String> = walk(&tester, &last, "previous").into_iter().rev().flatten().collect();
        let returned: BTreeSet<&String> = back.iter().collect();
        assert_eq!(returned.len(), back.len(), "each once on the way back{sort}");
        let missed = before.iter().filter(|id| !doomed.contains(id) && !returned.contains(*id)).count();
        assert_eq!(missed, 0, "on the way back{sort}");
    }
}

#[test]
fn several_types_are_searched_at_once() {
    let web = web();
    let id = |place: &str| place.split_once('/').expect("a place").1.to_owned();
    let all = [&web.part, &web.panel, &web.report, &web.visit].map(|place| id(place)).join(",");
    let own = format!("_id={all}");
    let cases: Vec<(String, Vec<&str>)> = vec![
        (format!("?_type=Observation&{own}"), vec![&web.part, &web.panel]),
        (format!("?_type=Observation,Encounter&{own}"), vec![&web.part, &web.panel, &web.visit]),
        (format!("?_type=Observation,Encounter,Observation&{own}"), vec![&web.part, &web.panel, &web.visit]),
        (format!("?_type=Observation,DiagnosticReport&{own}&status=final"), vec![&web.part, &web.panel, &web.report]),
        (
            format!("?_type=Observation,DiagnosticReport,Encounter&subject={}", web.who),
            vec![&web.part, &web.panel, &web.report, &web.visit],
        ),
        (format!("?_type=Observation&{own}&value-quantity=7.5"), vec![&web.part]),
        (format!("?_type=Patient,Organization&_id={},{}", id(&web.who), id(&web.ward)), vec![&web.who, &web.ward]),
        (format!("?_type=Patient,Organization&{own}"), vec![]),
        (
            format!("?_type=Observation,Encounter&{own}&_lastUpdated=gt2020-01-01"),
            vec![&web.part, &web.panel, &web.visit],
        ),
        (format!("?_type=Observation,Encounter&{own}&_lastUpdated=lt2020-01-01"), vec![]),
    ];
    for (query, expected) in &cases {
        let bundle = web.tester.search(query);
        assert_eq!(places(&bundle, "match"), sorted(expected), "{query}");
        assert_eq!(bundle["total"], expected.len(), "{query}");
        let fields = techo_conformance_tests::http::parameters(query);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let posted = web.tester.request("POST", "_search").form(&fields).send().expect(200).json();
        assert_eq!(places(&posted, "match"), sorted(expected), "POST {query}");
    }
    // Pages go over types, each row once, in the order asked.
    let about = format!("?_type=Observation,DiagnosticReport,Encounter&{own}");
    for sort in ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated", "&_sort=_id", "&_sort=-_id"] {
        let whole = web.tester.ids(&format!("{about}{sort}"));
        let forth = walk(&web.tester, &format!("{about}{sort}&_count=1"), "next");
        assert_eq!((forth.concat(), forth.len()), (whole.clone(), 4), "{sort}");
        if sort.ends_with("_id") {
            let mut expected = whole.clone();
            expected.sort();
            if sort.contains('-') {
                expected.reverse();
            }
            assert_eq!(whole, expected, "{sort}");
        }
        let mut page = web.tester.search(&format!("{about}{sort}&_count=3"));
        page = web.tester.search(link(&page, "next").expect("next"));
        page = web.tester.search(link(&page, "previous").expect("previous"));
        assert_eq!(ids(&page, "match"), whole[..3], "{sort}");
    }
    let included =
        web.tester.search(&format!("{about}&_include=Observation:subject&_include=Encounter:service-provider"));
    assert_eq!(places(&included, "include"), sorted(&[&web.who, &web.ward]));
    let cut = web.tester.search(&format!("{about}&_elements=status&_summary=false"));
    assert!(cut["entry"][0]["resource"]["subject"].is_null(), "{cut}");
    assert_eq!(web.tester.search(&format!("{about}&_summary=count"))["total"], 4);
}

#[test]
fn a_search_of_several_types_that_makes_no_sense_is_refused() {
    let web = web();
    for (query, named, code) in [
        ("", "_type", "required"),
        ("?_id=x", "_type", "required"),
        ("?_type=", "_type", "value"),
        ("?_type=Nonsense", "_type", "value"),
        ("?_type=Observation,", "_type", "value"),
        ("?_type=Observation&_type=Patient", "_type", "invalid"),
        ("?_type=Observation,Patient&code=x", "code", "not-supported"),
        ("?_type=Observation,Patient&birthdate=2024", "birthdate", "not-supported"),
        ("?_type=Observation,Patient&_sort=code", "_sort", "value"),
        ("?_type=Observation,DiagnosticReport&_sort=date", "_sort", "value"),
        ("?_type=Observation,Patient&_include=Encounter:subject", "_include", "value"),
        ("?_type=Observation,Patient&_elements=nonsense", "_elements", "value"),
    ] {
        let refused = web.tester.get(query).refused(400).json();
        let issue = &refused["issue"][0];
        assert_eq!((&issue["expression"][0], &issue["code"]), (&json!(named), &json!(code)), "{query}: {refused}");
    }
    let lenient =
        |query: &str| web.tester.request("GET", query).header("Prefer", "handling=lenient").send().expect(200).json();
    let id = web.part.split_once('/').expect("a place").1;
    let found = lenient(&format!("?_type=Observation,Patient&_id={id}&code=none"));
    assert_eq!((places(&found, "match"), places(&found, "outcome").len()), (vec![web.part.clone()], 1));
    web.tester.get("Observation?_type=Observation").refused(400);
    web.world.anon().get("?_type=Observation").refused(401);
    web.world.anon().request("POST", "_search").form(&[("_type", "Observation")]).send().refused(401);
}

#[test]
fn compartments_hold_what_their_definition_says() {
    let web = web();
    let who = &web.who;
    let device = format!(
        "Device/{}",
        web.tester
            .create(&json!({"resourceType": "Device", "deviceName": [{"name": "秤", "type": "user-friendly-name"}]}))
    );
    let nurse = format!(
        "Practitioner/{}",
        web.tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": "看護"}]}))
    );
    let aunt = json!({"resourceType": "RelatedPerson", "patient": reference(who), "name": [{"family": "叔母"}]});
    let aunt = format!("RelatedPerson/{}", web.tester.create(&aunt));
    let mut seen = weight(who.trim_start_matches("Patient/"), "2026-02-10", "8.5");
    seen["device"] = reference(&device);
    seen["performer"] = json!([reference(&nurse), reference(&aunt)]);
    let seen = format!("Observation/{}", web.tester.create(&seen));
    let cases: Vec<(String, Vec<&str>)> = vec![
        (format!("{who}/Observation"), vec![&web.part, &web.panel, &seen]),
        (format!("{who}/Observation?code=29463-7"), vec![&web.part, &seen]),
        (format!("{who}/Observation?code=29463-7&value-quantity=gt8"), vec![&seen]),
        (format!("{who}/Encounter"), vec![&web.visit]),
        (format!("{who}/DiagnosticReport?status=final"), vec![&web.report]),
        (format!("{who}/DiagnosticReport?status=partial"), vec![]),
        (format!("{who}/Patient"), vec![who]),
        (format!("{who}/RelatedPerson"), vec![&aunt]),
        (format!("{who}/*?_type=Encounter,DiagnosticReport"), vec![&web.visit, &web.report]),
        (format!("{}/Observation", web.visit), vec![&web.part]),
        (format!("{}/Encounter", web.visit), vec![&web.visit]),
        (format!("{}/*", web.visit), vec![&web.part, &web.visit]),
        (format!("{device}/Observation"), vec![&seen]),
        (format!("{nurse}/Observation"), vec![&seen]),
        (format!("{aunt}/Observation"), vec![&seen]),
        (format!("{aunt}/RelatedPerson"), vec![&aunt]),
        ("Patient/none/Observation".to_owned(), vec![]),
        ("Encounter/none/Observation".to_owned(), vec![]),
        ("Patient/none/*".to_owned(), vec![]),
    ];
    for (path, expected) in &cases {
        let bundle = web.tester.search(path);
        assert_eq!(places(&bundle, "match"), sorted(expected), "{path}");
        assert_eq!(bundle["total"], expected.len(), "{path}");
        let (own, query) = path.split_once('?').unwrap_or((path, ""));
        let fields = techo_conformance_tests::http::parameters(&format!("?{query}"));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let posted = web.tester.request("POST", &format!("{own}/_search")).form(&fields).send().expect(200).json();
        assert_eq!(places(&posted, "match"), sorted(expected), "POST {path}");
    }
    // All of hers: what the definition counts, the report's Provenance with it.
    let everything = web.tester.search(&format!("{who}/*"));
    let everything = places(&everything, "match");
    for place in [who, &web.part, &web.panel, &web.report, &web.visit, &seen, &aunt] {
        assert!(everything.contains(place), "{place} of {everything:?}");
    }
    for place in [&web.ward, &device, &nurse] {
        assert!(!everything.contains(place), "{place} is not hers");
    }
    let forth = walk(&web.tester, &format!("{who}/*?_count=2&_sort=_id"), "next");
    assert_eq!(forth.concat().len(), everything.len());
    let page = web.tester.search(&format!("{who}/Observation?_count=2"));
    let next = link(&page, "next").expect("next").to_owned();
    assert!(next.contains(&format!("{who}/Observation?_page=")), "{next}");
    assert_eq!(ids(&web.tester.search(&next), "match").len(), 1);
    web.tester.get(&next.replace(&format!("{who}/"), "Patient/none/")).refused(400);
    for (path, status) in [
        (format!("{who}/Organization"), 400),
        (format!("{who}/Nonsense"), 404),
        (format!("{who}/AuditEvent"), 403),
        (format!("{}/Patient", web.part), 404),
        (format!("{}/*", web.ward), 404),
        (format!("{who}/*?_type=Organization"), 400),
        (format!("{who}/*?code=x"), 400),
        (format!("{who}/Observation?_type=Observation"), 400),
        (format!("{who}/Observation?nonsense=1"), 400),
        ("Patient/not_an_id/Observation".to_owned(), 404),
    ] {
        web.tester.get(&path).refused(status);
    }
}
