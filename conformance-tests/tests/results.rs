//! What a search answers beside its matches: what it includes, the ways to other
//! pages, searches of several types and in compartments.

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
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
    let (part, report) = (id(&web.part), id(&web.report));
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
    ];
    include(&web, 12, cases);
}

#[test]
fn revincludes_go_one_step_and_with_iterate_all_the_way() {
    let web = web();
    let id = |place: &str| place.split_once('/').expect("a place").1.to_owned();
    let (part, panel) = (id(&web.part), id(&web.panel));
    let cases: Vec<(String, Vec<&str>)> = vec![
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
    include(&web, 10, cases);
}

/// Each query brings just this beside its one match.
#[track_caller]
fn include(web: &Web, count: usize, cases: Vec<(String, Vec<&str>)>) {
    assert_eq!(cases.len(), count);
    for (query, expected) in cases {
        let bundle = web.tester.search(&query);
        assert_eq!(places(&bundle, "include"), sorted(&expected), "{query}");
        assert_eq!((places(&bundle, "match").len(), &bundle["total"]), (1, &json!(1)), "{query}");
        assert!(places(&bundle, "outcome").is_empty(), "nothing was cut: {query}");
    }
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
        let forth = web.tester.walk(&format!("{about}{sort}&_count=1"), "next");
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

/// Without `_type` all types are searched that the caller may search.
#[test]
fn all_types_are_searched_by_what_all_have() {
    let web = web();
    let tag = json!([{"system": "urn:all", "code": "all"}]);
    let mut tagged = json!({"resourceType": "Basic", "code": {"text": "其他"}, "meta": {"tag": tag,
        "security": [{"system": "urn:all", "code": "secret"}], "profile": ["https://example.org/all"],
        "source": "https://example.org/source"},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">全型検索</div>"}});
    let basic = format!("Basic/{}", web.tester.create(&tagged));
    tagged["resourceType"] = json!("Flag");
    tagged["status"] = json!("active");
    tagged["subject"] = json!({"reference": web.who});
    let flag = format!("Flag/{}", web.tester.create(&tagged));
    let stored = json!({"resourceType": "Binary", "contentType": "text/plain", "meta": {"tag": tag}});
    let binary = format!("Binary/{}", web.tester.create(&stored));
    let id = |place: &str| place.split_once('/').expect("a place").1.to_owned();
    let all = [&web.part, &web.visit, &web.who, &basic].map(|place| id(place)).join(",");
    let two = sorted(&[&basic, &flag]);
    let three = sorted(&[&basic, &flag, &binary]);
    for (query, expected) in [
        (format!("_id={all}"), sorted(&[&web.part, &web.visit, &web.who, &basic])),
        ("_id=none".to_owned(), vec![]),
        ("_tag=urn:all|all".to_owned(), three.clone()),
        ("_tag=urn:all|all&_lastUpdated=gt2020".to_owned(), three.clone()),
        ("_tag=urn:all|all&_lastUpdated=lt2020".to_owned(), vec![]),
        ("_tag=urn:all|all&_tag:missing=false".to_owned(), three),
        ("_security=secret".to_owned(), two.clone()),
        ("_profile=https://example.org/all".to_owned(), two.clone()),
        ("_source=https://example.org/source".to_owned(), two.clone()),
        (format!("_text={}", encode("全型検索")), two.clone()),
        (format!("_content={}", encode("全型検索")), two.clone()),
        (format!("_tag=urn:all|all&_text={}", encode("NOT 無い")), two.clone()),
        (format!("_filter={}", encode("_security eq secret")), two),
    ] {
        let bundle = web.tester.search(&format!("?{query}"));
        assert_eq!(places(&bundle, "match"), expected, "{query}");
        assert_eq!(bundle["total"], expected.len(), "{query}");
        assert!(link(&bundle, "self").is_some_and(|url| !url.contains("_type=")), "{bundle}");
        let fields = techo_conformance_tests::http::parameters(&format!("?{query}"));
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let posted = web.tester.request("POST", "_search").form(&fields).send().expect(200).json();
        assert_eq!(places(&posted, "match"), expected, "POST {query}");
    }
    for sort in ["", "&_sort=_lastUpdated", "&_sort=-_lastUpdated", "&_sort=-_id"] {
        let whole = web.tester.ids(&format!("?_id={all}{sort}"));
        let forth = web.tester.walk(&format!("?_id={all}{sort}&_count=1"), "next");
        assert_eq!((forth.concat(), forth.len()), (whole, 4), "{sort}");
    }
    let included = web.tester.search("?_security=secret&_include=Flag:subject");
    assert_eq!(places(&included, "include"), std::slice::from_ref(&web.who));
    let newest = web.tester.search("?_sort=-_lastUpdated&_count=1&_elements=id");
    assert_eq!(places(&newest, "match"), [binary]);
    web.world.anon().get("?_id=x").refused(401);
}

#[test]
fn a_search_of_several_types_that_makes_no_sense_is_refused() {
    let web = web();
    for (query, named, code) in [
        ("", "_type", "required"),
        ("?_format=json&_pretty=true", "_type", "required"),
        ("?code=x", "code", "not-supported"),
        ("?_id=x&name=y", "name", "not-supported"),
        ("?_id=x&_sort=date", "_sort", "value"),
        ("?_id=x&_contained=true", "_contained", "not-supported"),
        ("?_id:exact=x", "_id:exact", "invalid"),
        ("?_lastUpdated=soon", "_lastUpdated", "value"),
        ("?_tag:nonsense=x", "_tag:nonsense", "invalid"),
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
    let found = lenient(&format!("?_id={id}&code=none"));
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
    let forth = web.tester.walk(&format!("{who}/*?_count=2&_sort=_id"), "next");
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

/// `_include` and `_revinclude` by canonical URL: with a version that one, without each.
#[test]
fn canonical_urls_are_included_both_ways() {
    let world = World::new();
    let tester = world.tester();
    let place = |resource: Value| {
        let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
        format!("{kind}/{}", tester.create(&resource))
    };
    let questionnaire = |url: &str, version: Option<&str>| {
        let mut body = json!({"resourceType": "Questionnaire", "status": "draft", "url": url});
        if let Some(version) = version {
            body["version"] = json!(version);
        }
        place(body)
    };
    let (q, other) = ("http://forms.example/q", "http://forms.example/qq");
    let base = questionnaire(other, None);
    let (first, second) = (questionnaire(q, Some("1")), questionnaire(q, Some("2")));
    let bare = questionnaire(q, None);
    let who = tester.create(&patient("問診", "canonical-1", "2024-04-01"));
    let answered = |questionnaire: &str| {
        place(json!({"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": questionnaire,
            "subject": {"reference": format!("Patient/{who}")}}))
    };
    let (of_second, of_any, of_none) =
        (answered(&format!("{q}|2#page")), answered(q), answered("http://forms.example/none|1"));
    let of_first = answered(&format!("{q}|1"));
    let activity =
        place(json!({"resourceType": "ActivityDefinition", "status": "draft", "url": "http://forms.example/a"}));
    let plan =
        place(json!({"resourceType": "PlanDefinition", "status": "draft", "url": "http://forms.example/p", "action": [
        {"definitionCanonical": "http://forms.example/a"}, {"definitionCanonical": format!("{q}|2")}]}));
    let above = place(json!({"resourceType": "PlanDefinition", "status": "draft",
        "action": [{"definitionCanonical": "http://forms.example/p"}]}));
    let library = place(json!({"resourceType": "Library", "status": "draft", "type": {"text": "t"},
        "relatedArtifact": [{"type": "depends-on", "resource": format!("{q}|1")}]}));
    let patient = format!("Patient/{who}");
    let by = |place: &str, more: &str| {
        let (kind, id) = place.split_once('/').expect("a place");
        format!("{kind}?_id={id}&{more}")
    };
    let forward = "_include=QuestionnaireResponse:questionnaire";
    let back = "_revinclude=QuestionnaireResponse:questionnaire";
    let cases: Vec<(String, Vec<&str>)> = vec![
        (by(&of_first, forward), vec![&first]),
        (by(&of_second, forward), vec![&second]),
        (by(&of_any, forward), vec![&first, &second, &bare]),
        (by(&of_none, forward), vec![]),
        (by(&of_first, &format!("{forward}:Questionnaire")), vec![&first]),
        (by(&of_first, "_include=*"), vec![&first, &patient]),
        (by(&above, "_include:iterate=PlanDefinition:definition"), vec![&plan, &activity, &second]),
        (by(&plan, "_include=PlanDefinition:definition"), vec![&activity, &second]),
        (by(&plan, "_include=PlanDefinition:definition:ActivityDefinition"), vec![&activity]),
        (by(&plan, "_include=PlanDefinition:definition:PlanDefinition"), vec![]),
        (by(&library, "_include=Library:depends-on"), vec![&first]),
        (by(&library, "_include=Library:*:Questionnaire"), vec![&first]),
        (by(&first, back), vec![&of_first, &of_any]),
        (by(&second, &format!("{back}:Questionnaire")), vec![&of_second, &of_any]),
        (by(&bare, back), vec![&of_any]),
        (by(&base, back), vec![]),
        (by(&first, "_revinclude=Library:depends-on"), vec![&library]),
        (by(&second, "_revinclude=Library:depends-on"), vec![]),
        (by(&second, "_revinclude=*"), vec![&of_second, &of_any, &plan]),
        (by(&activity, "_revinclude:iterate=PlanDefinition:definition"), vec![&plan, &above]),
    ];
    for (query, expected) in cases {
        let bundle = tester.search(&query);
        assert_eq!(places(&bundle, "include"), sorted(&expected), "{query}");
        assert!(places(&bundle, "outcome").is_empty(), "{query}");
    }
}
