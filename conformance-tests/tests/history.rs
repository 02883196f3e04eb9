//! What was written, of one resource, of a type, of all: newest first, each once,
//! and nothing of what is hidden.

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{consent, height, laboratory, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World, link};

/// `Patient/1 2 PUT 200` for each entry.
fn told(bundle: &Value) -> Vec<String> {
    assert_eq!(bundle["type"], "history", "{bundle}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let one = |entry: &Value| {
        let place = text(&entry["fullUrl"]);
        let place: Vec<&str> = place.rsplitn(3, '/').collect();
        let tag = text(&entry["response"]["etag"]);
        let version = tag.trim_start_matches("W/").trim_matches('"');
        let method = text(&entry["request"]["method"]);
        assert_eq!(entry["resource"].is_null(), method == "DELETE", "{entry}");
        assert!(method == "DELETE" || entry["resource"]["meta"]["versionId"] == version, "{entry}");
        assert!(entry["response"]["lastModified"].is_string() && entry["search"].is_null(), "{entry}");
        format!("{}/{} {version} {method} {}", place[1], place[0], text(&entry["response"]["status"]))
    };
    entries.iter().map(one).collect()
}

/// Every entry of a walk by `next`.
fn walked(caller: &Caller, first: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut url = first.to_owned();
    for _ in 0..100 {
        let page = caller.search(&url);
        all.extend(told(&page));
        match link(&page, "next") {
            Some(next) => next.clone_into(&mut url),
            None => return all,
        }
    }
    panic!("no end after 100 pages");
}

fn of(entries: &[String], place: &str) -> Vec<String> {
    let own = |entry: &&String| entry.starts_with(&format!("{place} "));
    entries.iter().filter(own).map(|entry| entry[place.len() + 1..].to_owned()).collect()
}

/// A resource made by PUT was told as made by POST.
#[test]
fn each_version_tells_how_it_was_really_made() {
    let world = World::new();
    let tester = world.tester();
    let mut chosen = patient("史", "h-1", "2024-04-01");
    chosen["id"] = json!("h-chosen");
    tester.put("Patient/h-chosen", &chosen).expect(201);
    tester.put("Patient/h-chosen", &chosen).expect(200);
    let patch = json!([{"op": "add", "path": "/active", "value": true}]).to_string();
    tester.request("PATCH", "Patient/h-chosen").body("application/json-patch+json", patch).send().expect(200);
    tester.delete("Patient/h-chosen").expect(204);
    tester.put("Patient/h-chosen", &chosen).expect(201);
    let posted = tester.create(&patient("史", "h-2", "2024-04-01"));
    let expected = ["5 PUT 201", "4 DELETE 204", "3 PATCH 200", "2 PUT 200", "1 PUT 201"];
    for path in ["Patient/h-chosen/_history", "Patient/_history", "_history"] {
        assert_eq!(of(&walked(&tester, path), "Patient/h-chosen"), expected, "{path}");
    }
    let all = walked(&tester, "Patient/_history");
    assert_eq!(all[0], format!("Patient/{posted} 1 POST 201"), "newest first");
    let bundle = tester.search("Patient/_history");
    assert_eq!(bundle["entry"][0]["request"]["url"], "Patient");
    assert_eq!(bundle["entry"][1]["request"]["url"], "Patient/h-chosen");
    tester.put("Patient/h-cond", &json!({"resourceType": "Patient", "id": "h-cond"})).expect(201);
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": {"resourceType": "Patient", "id": "h-in"}, "request": {"method": "PUT", "url": "Patient/h-in"}}]});
    tester.post("", &transaction).expect(200);
    assert_eq!(told(&tester.search("Patient/h-in/_history")), ["Patient/h-in 1 PUT 201"]);
}

#[test]
fn a_walk_tells_each_version_once_while_others_write() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("歩", "h-3", "2024-04-01"));
    let ids: Vec<String> = (1..=5).map(|day| tester.create(&weight(&who, &format!("2026-01-0{day}"), "6.1"))).collect();
    let mut before = walked(&tester, "_history");
    assert!(before.len() >= 6, "{before:?}");
    for path in ["_history", "Observation/_history"] {
        let mut url = format!("{path}?_count=2");
        let mut all = Vec::new();
        let mut page = 0;
        loop {
            let bundle = tester.search(&url);
            all.extend(told(&bundle));
            // Between the pages: one already told, one not yet told, a new one.
            for id in [&ids[4], &ids[0]] {
                let mut body = tester.get(&format!("Observation/{id}")).expect(200).json();
                body["status"] = json!(if page % 2 == 0 { "amended" } else { "final" });
                tester.put(&format!("Observation/{id}"), &body).expect(200);
            }
            tester.create(&height(&who, "2026-02-01", "60"));
            page += 1;
            let Some(next) = link(&bundle, "next") else { break };
            next.clone_into(&mut url);
        }
        let expected: Vec<String> =
            before.iter().filter(|one| path == "_history" || one.starts_with("Obs")).cloned().collect();
        assert_eq!(all, expected, "{path}");
        before = walked(&tester, "_history");
    }
    let whole = walked(&tester, "_history?_count=1000");
    assert_eq!(walked(&tester, "_history?_count=3"), whole);
    let mut unique = whole.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), whole.len());
}

/// The pages of a walk onward come again on the way back, and then what is new.
#[test]
fn a_walk_back_comes_by_the_same_pages_to_what_is_new() {
    let world = World::new();
    let tester = world.tester();
    let mut body = patient("帰", "walk-back", "2024-04-01");
    body["id"] = json!("walk-back");
    for _ in 0..7 {
        tester.put("Patient/walk-back", &body);
    }
    let page = |url: &str| {
        let json = tester.get(url).expect(200).json();
        let entries = told(&json);
        (
            entries,
            link(&json, "next").map(str::to_owned),
            link(&json, "previous").map(str::to_owned),
            link(&json, "first").map(str::to_owned),
        )
    };
    let others: Vec<String> = (0..3).map(|_| tester.create(&about_nobody())).collect();
    for start in ["Patient/walk-back/_history?_count=2", "Patient/_history?_count=2", "_history?_count=3"] {
        let (mut seen, mut at) = (Vec::new(), page(start));
        assert_eq!(at.2, None, "{start}: nothing comes before the first page");
        loop {
            seen.push(at.0.clone());
            let Some(next) = at.1.clone() else { break };
            at = page(&next);
            assert!(at.3.as_deref().is_some_and(|first| first.ends_with(start)), "{start}: {:?}", at.3);
        }
        assert!(seen.len() > 2, "{start}: {seen:?}");
        tester.put("Patient/walk-back", &body).expect(200);
        let mut back = Vec::new();
        while let Some(previous) = at.2.clone() {
            at = page(&previous);
            back.push(at.0.clone());
            assert!(at.1.is_some(), "{start}: what was left is ahead again");
        }
        back.reverse();
        let (new, known) = back.split_first().expect("pages");
        assert_eq!(known, &seen[..seen.len() - 1], "{start}");
        assert_eq!(new.len(), 1, "{start}: {new:?}");
        assert!(new[0].contains("walk-back"), "{new:?}");
    }
    assert_eq!(others.len(), 3);
}

/// A record of nobody's.
fn about_nobody() -> Value {
    json!({"resourceType": "Basic", "code": {"text": "x"}})
}

#[test]
fn since_and_at_choose_by_time() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("時", "h-4", "2024-04-01"));
    let path = format!("Patient/{who}");
    let mut times = vec![tester.get(&path).json()["meta"]["lastUpdated"].as_str().expect("a time").to_owned()];
    for day in 2..=4 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut body = tester.get(&path).json();
        body["birthDate"] = json!(format!("2024-04-0{day}"));
        let changed = tester.put(&path, &body).expect(200).json();
        times.push(changed["meta"]["lastUpdated"].as_str().expect("a time").to_owned());
    }
    let versions = |query: &str| -> Vec<Vec<String>> {
        let paths =
            [format!("{path}/_history?{query}"), format!("Patient/_history?{query}"), format!("_history?{query}")];
        let version = |entry: &String| entry.split(' ').next().unwrap_or_default().to_owned();
        paths.iter().map(|url| of(&walked(&tester, url), &path).iter().map(version).collect()).collect()
    };
    for (query, expected) in [
        (format!("_since={}", encode(&times[1])), vec!["4", "3", "2"]),
        (format!("_since={}", encode(&times[3])), vec!["4"]),
        ("_since=2040-01-01".to_owned(), vec![]),
        ("_since=2020".to_owned(), vec!["4", "3", "2", "1"]),
        (format!("_at={}", encode(&times[0])), vec!["1"]),
        (format!("_at={}", encode(&times[2])), vec!["3"]),
        ("_at=2040-01-01T00:00:00Z".to_owned(), vec!["4"]),
        ("_at=2020-01-01".to_owned(), vec![]),
        (format!("_at={}", &times[0][..4]), vec!["4", "3", "2", "1"]),
        (format!("_at={}&_since={}", encode(&times[2]), encode(&times[3])), vec![]),
        (format!("_since={}&_count=1", encode(&times[1])), vec!["4", "3", "2"]),
        ("_sort=-_lastUpdated".to_owned(), vec!["4", "3", "2", "1"]),
        ("_sort=none".to_owned(), vec!["4", "3", "2", "1"]),
    ] {
        for found in versions(&query) {
            assert_eq!(found, expected, "{query} of {times:?}");
        }
        // How many there are, and none of them.
        if !query.contains("_count") {
            let count = tester.search(&format!("{path}/_history?{query}&_count=0"));
            assert_eq!(
                (&count["total"], &count["type"]),
                (&json!(expected.len()), &json!("history")),
                "{query}: {count}"
            );
            assert!(count["entry"].is_null() && link(&count, "next").is_none(), "{count}");
        }
    }
    let own = tester.search(&format!("_history?_since={}", encode(&times[1])));
    assert!(link(&own, "self").is_some_and(|url| url.contains("_history?_since=")), "{own}");
    for (query, name) in [
        ("_since=soon", "_since"),
        ("_at=2026-02-30", "_at"),
        ("_since=2026&_since=2027", "_since"),
        ("_count=-1", "_count"),
        ("_count=x", "_count"),
        ("_sort=_lastUpdated", "_sort"),
        ("_page=nonsense", "_page"),
        ("nonsense=1", "nonsense"),
    ] {
        for path in [format!("{path}/_history"), "Patient/_history".to_owned(), "_history".to_owned()] {
            let refused = tester.get(&format!("{path}?{query}")).refused(400).json();
            assert_eq!(refused["issue"][0]["expression"][0], name, "{path}?{query}: {refused}");
        }
    }
    let none = tester.search("Basic/_history");
    assert!(none["entry"].is_null() && none["type"] == "history", "{none}");
    tester.get("Nonsense/_history").refused(404);
    tester.request("POST", "_history").send().refused(405);
}

#[test]
fn a_page_link_is_for_its_caller_and_its_path() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("頁", "h-5", "2024-04-01"));
    let other = tester.create(&patient("頁", "h-6", "2024-04-01"));
    tester.create(&weight(&who, "2026-01-01", "6.1"));
    tester.create(&weight(&who, "2026-01-02", "6.2"));
    let page = |path: &str| {
        let bundle = tester.search(&format!("{path}?_count=1"));
        let next = link(&bundle, "next").expect("a next page").to_owned();
        next.split_once("_page=").expect("sealed").1.to_owned()
    };
    let (all, patients) = (page("_history"), page("Patient/_history"));
    tester.get(&format!("_history?_page={all}")).expect(200);
    for path in ["Patient/_history".to_owned(), "Observation/_history".to_owned(), format!("Patient/{other}/_history")]
    {
        tester.get(&format!("{path}?_page={all}")).refused(400);
    }
    tester.get(&format!("_history?_page={patients}")).refused(400);
    tester.get(&format!("Patient?_page={patients}")).refused(400);
    tester.get(&format!("_history?_page={all}&_count=5")).refused(400);
    town.get(&format!("_history?_page={all}")).refused(400);
}

/// SMART: `r` for the history of one, `s` for that of a type or of all; the types
/// of the scopes, and no other.
#[test]
fn a_history_follows_the_scopes() {
    let world = World::new();
    let app =
        |scope: &str| world.approve(&Ask::new("app-public", "hanako", &format!("launch/patient {scope}")).of("pt-mei"));
    let writer = app("patient/*.cruds");
    let own = writer.create(&weight("pt-mei", "2026-02-01", "6.0"));
    let reads = app("patient/Observation.r");
    reads.get(&format!("Observation/{own}/_history")).expect(200);
    reads.get("Observation/_history").refused(403);
    reads.get("_history").refused(403);
    let searches = app("patient/Observation.s");
    searches.get(&format!("Observation/{own}/_history")).refused(403);
    let all = walked(&searches, "_history");
    assert!(!all.is_empty() && all.iter().all(|entry| entry.starts_with("Observation/")), "{all:?}");
    assert_eq!(walked(&searches, "Observation/_history"), all);
    searches.get("Immunization/_history").refused(403);
    let whole = walked(&writer, "_history");
    assert!(whole.iter().any(|entry| entry.starts_with("Organization/")), "{whole:?}");
    assert!(!whole.iter().any(|entry| entry.starts_with("AuditEvent/")));
}

/// Whoever may not see a record sees none of its versions, nor that it was deleted.
#[test]
fn hidden_records_have_no_past() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("隠", "h-7", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let place = |resource: &Value| format!("Observation/{}", tester.create(resource));
    let change = |path: &str| {
        let mut body = tester.get(path).expect(200).json();
        body["status"] = json!("amended");
        tester.put(path, &body).expect(200);
    };
    let (open, closed) = (place(&weight(&who, "2026-01-10", "6.1")), place(&laboratory(&who, "2026-01-11")));
    let gone = place(&laboratory(&who, "2026-01-12"));
    for path in [&open, &closed, &gone] {
        change(path);
    }
    tester.delete(&gone).expect(204);
    let since = town.get("Observation/_history?_count=1").expect(200).json();
    assert!(!told(&since).iter().any(|entry| entry.starts_with(&open)), "nothing is shared yet: {since}");
    tester.create(&consent(&who, &subject, "permit", "Observation", "Organization/org-city"));
    let told_of = |path: &str| -> Vec<usize> {
        ["Observation/_history?_count=1000", "_history?_count=1000"]
            .iter()
            .map(|url| of(&walked(&town, url), path).len())
            .collect()
    };
    // What is counted is what a walk tells.
    let counted = || {
        for url in ["Observation/_history", "_history"] {
            let total = town.search(&format!("{url}?_count=0"))["total"].clone();
            assert_eq!(total, json!(walked(&town, &format!("{url}?_count=1000")).len()), "{url}");
        }
    };
    counted();
    // A publisher's deletion withdraws: the tombstone is told, the versions before to nobody else.
    assert_eq!((told_of(&open), told_of(&closed), told_of(&gone)), (vec![2, 2], vec![2, 2], vec![1, 1]));
    assert_eq!(of(&walked(&tester, "Observation/_history?_count=1000"), &gone).len(), 3);
    let mut deny = consent(&who, &subject, "deny", "Observation", "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [laboratory(&who, "2026")["code"]["coding"][0]]}]);
    let denial = tester.create(&deny);
    assert_eq!((told_of(&open), told_of(&closed), told_of(&gone)), (vec![2, 2], vec![0, 0], vec![0, 0]));
    counted();
    town.get(&format!("{closed}/_history")).refused(404);
    town.get(&format!("{closed}/_history?_count=0")).refused(404);
    town.get(&format!("{gone}/_history")).refused(404);
    // An old version that was open does not show what the record has become.
    let mut body = tester.get(&open).expect(200).json();
    body["code"] = laboratory(&who, "2026")["code"].clone();
    tester.put(&open, &body).expect(200);
    assert_eq!(told_of(&open), [0, 0]);
    deny["id"] = json!(denial);
    deny["status"] = json!("inactive");
    tester.put(&format!("Consent/{denial}"), &deny).expect(200);
    assert_eq!((told_of(&open), told_of(&closed), told_of(&gone)), (vec![3, 3], vec![2, 2], vec![1, 1]));
    assert!(walked(&world.mother(), "_history?_count=1000").iter().all(|entry| !entry.contains(&who)));
}

/// The tombstone of a report told that there had been one, though what was on it
/// was hidden, and so was the report.
#[test]
fn a_deleted_list_does_not_tell_what_was_on_it() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("表", "h-8", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let result = tester.create(&laboratory(&who, "2026-01-11"));
    let report = tester.create(&json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "r"},
        "subject": {"reference": subject}, "result": [{"reference": format!("Observation/{result}")}]}));
    tester.create(&consent(&who, &subject, "permit", "DiagnosticReport", "Organization/org-city"));
    let path = format!("DiagnosticReport/{report}");
    town.get(&path).refused(404);
    tester.delete(&path).expect(204);
    town.get(&path).refused(404);
    town.get(&format!("{path}/_history")).refused(404);
    assert!(of(&walked(&town, "DiagnosticReport/_history"), &path).is_empty());
    tester.get(&path).refused(410);
}

#[test]
fn a_history_is_on_record() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    mother.get("Observation/_history?_count=3").expect(200);
    mother.get("_history?_count=3").expect(200);
    let events = mother.search("AuditEvent?patient=pt-mei&_count=50");
    let codes: Vec<String> = events["entry"]
        .as_array()
        .expect("events")
        .iter()
        .flat_map(|entry| entry["resource"]["subtype"].as_array().cloned().unwrap_or_default())
        .filter_map(|code| code["code"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(codes.iter().filter(|code| code.starts_with("history")).count(), 2, "{codes:?}");
}
