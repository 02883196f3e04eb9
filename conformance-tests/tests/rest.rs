//! The FHIR verbs, their statuses and their refusals.

use serde_json::{Value, json};
use techo_conformance_tests::http::Request;
use techo_conformance_tests::sample::{IDENTIFIERS, height, patient, transaction, urn, weight};
use techo_conformance_tests::world::{Caller, World};

const JSON: &str = "application/fhir+json";

#[test]
fn a_resource_is_created_and_read_as_it_was_sent() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("往復", "read-1", "2024-04-01"));
    let text = weight(&who, "2026-01-02", "7.10").to_string().replace("7.1", "7.10");
    let made = tester.request("POST", "Observation").body(JSON, text).send().expect(201);
    assert_eq!(made.header("ETag"), Some("W/\"1\""));
    assert!(made.header("Last-Modified").is_some(), "{:?}", made.headers);
    let location = made.header("Location").expect("201 names the new resource").to_owned();
    assert!(location.starts_with(&world.base) && location.ends_with("/_history/1"), "{location}");
    let path = location.trim_end_matches("/_history/1");
    let read = tester.get(path).expect(200);
    assert!(read.header("Content-Type").is_some_and(|media| media.starts_with(JSON)), "{:?}", read.headers);
    assert_eq!(read.header("ETag"), Some("W/\"1\""));
    assert!(read.text().replace(' ', "").contains("\"value\":7.10"), "decimals as written: {}", read.text());
    let resource = read.json();
    assert_eq!(resource["meta"]["versionId"], "1");
    assert!(resource["meta"]["lastUpdated"].is_string());
    assert_eq!(tester.get(&location).expect(200).json(), resource, "vread of the only version");
    let head = tester.request("HEAD", path).send();
    assert!(head.status == 200 && head.body.is_empty(), "HEAD: {}", head.status);
}

#[test]
fn an_update_makes_a_version_and_if_match_guards_it() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("版", "update-1", "2024-04-01"));
    let path = format!("Patient/{who}");
    let mut resource = tester.get(&path).expect(200).json();
    resource["birthDate"] = json!("2024-04-02");
    let second = tester.put(&path, &resource).expect(200);
    assert_eq!(second.header("ETag"), Some("W/\"2\""));
    resource["birthDate"] = json!("2024-04-03");
    let guarded = |tag: &str| tester.request("PUT", &path).header("If-Match", tag).fhir(&resource).send();
    guarded("W/\"1\"").refused(412);
    assert_eq!(guarded("W/\"2\"").expect(200).header("ETag"), Some("W/\"3\""));
    assert_eq!(tester.get(&format!("{path}/_history/1")).expect(200).json()["birthDate"], "2024-04-01");
    assert_eq!(tester.get(&format!("{path}/_history/2")).expect(200).json()["birthDate"], "2024-04-02");
    tester.get(&format!("{path}/_history/9")).refused(404);
    let history = tester.search(&format!("{path}/_history"));
    assert_eq!(history["type"], "history");
    let versions: Vec<&str> = history["entry"].as_array().expect("entries").iter().filter_map(version).collect();
    assert_eq!(versions, ["3", "2", "1"], "newest first");
    let mut other = resource.clone();
    other["id"] = json!("another");
    tester.put(&path, &other).refused(400);
    other.as_object_mut().expect("an object").remove("id");
    tester.put(&path, &other).refused(400);
}

fn version(entry: &Value) -> Option<&str> {
    entry["resource"]["meta"]["versionId"].as_str()
}

#[test]
fn a_custodian_may_choose_the_id_of_a_new_resource() {
    let world = World::new();
    let tester = world.tester();
    let mut chosen = patient("選", "put-1", "2024-04-01");
    chosen["id"] = json!("chosen-by-tester");
    let made = tester.put("Patient/chosen-by-tester", &chosen).expect(201);
    assert_eq!(made.header("ETag"), Some("W/\"1\""));
    tester.put("Patient/chosen-by-tester", &chosen).expect(200);
    for bad in ["has space", "日本", "x".repeat(65).as_str()] {
        chosen["id"] = json!(bad);
        let path = format!("Patient/{}", techo_conformance_tests::http::encode(bad));
        let answer = tester.put(&path, &chosen);
        assert!([400, 404].contains(&answer.status), "{bad}: {}", answer.status);
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{bad}");
    }
}

#[test]
fn a_deleted_resource_is_gone_and_can_come_back() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("消", "delete-1", "2024-04-01"));
    let path = format!("Patient/{who}");
    let body = tester.get(&path).expect(200).json();
    let deleted = tester.delete(&path);
    assert!([200, 204].contains(&deleted.status), "{}: {}", deleted.status, deleted.text());
    tester.get(&path).refused(410);
    tester.get(&format!("{path}/_history/1")).expect(200);
    tester.get(&format!("{path}/_history/2")).refused(410);
    assert_eq!(tester.ids(&format!("Patient?identifier={IDENTIFIERS}|delete-1")), [""; 0]);
    let again = tester.delete(&path);
    assert!([200, 204].contains(&again.status), "deleting twice is no fault: {}", again.status);
    let history = tester.search(&format!("{path}/_history"));
    assert_eq!(history["entry"][0]["request"]["method"], "DELETE", "{history}");
    let back = tester.put(&path, &body);
    assert!([200, 201].contains(&back.status), "{}", back.text());
    tester.get(&path).expect(200);
    tester.get("Patient/never-was").refused(404);
}

#[test]
fn prefer_says_what_the_answer_holds() {
    let world = World::new();
    let tester = world.tester();
    let send = |prefer: &str| {
        tester.request("POST", "Patient").header("Prefer", prefer).fhir(&patient("希望", "prefer", "2024-04-01")).send()
    };
    assert!(send("return=minimal").expect(201).body.is_empty());
    assert_eq!(send("return=representation").expect(201).json()["resourceType"], "Patient");
    assert_eq!(send("return=OperationOutcome").expect(201).json()["resourceType"], "OperationOutcome");
}

#[test]
fn a_conditional_read_costs_no_body() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("条件", "conditional-read", "2024-04-01"));
    let read = |tag: &str| tester.request("GET", &format!("Patient/{who}")).header("If-None-Match", tag).send();
    assert!(read("W/\"1\"").expect(304).body.is_empty());
    read("W/\"7\"").expect(200);
}

#[test]
fn what_is_not_valid_is_refused_with_its_place() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("誤", "invalid", "2024-04-01"));
    let good = weight(&who, "2026-01-02", "7.1");
    let with = |name: &str, value: Value| {
        let mut resource = good.clone();
        resource[name] = value;
        resource
    };
    let mut without_status = good.clone();
    without_status.as_object_mut().expect("an object").remove("status");
    let cases = [
        ("Observation.status", without_status),
        ("Observation.status", with("status", json!("nonsense"))),
        ("Observation", with("unknownElement", json!("x"))),
        ("Observation.effective", with("effectiveDateTime", json!("2026-02-30"))),
        ("Observation.effective", with("effectiveDateTime", json!(2026))),
        ("Observation.value", with("valueString", json!("two values"))),
        ("Observation.category", with("category", json!({"text": "not a list"}))),
        ("Observation.category", with("category", json!([]))),
        ("Observation.subject", with("subject", json!({"reference": "Medication/x"}))),
        ("Observation.code", with("code", Value::Null)),
        ("Observation.referenceRange", with("referenceRange", json!([{"low": {"value": "12"}}]))),
    ];
    for (place, resource) in &cases {
        let answer = tester.post("Observation", resource);
        assert!([400, 422].contains(&answer.status), "{place}: {} {}", answer.status, answer.text());
        let outcome = answer.json();
        let issues = outcome["issue"].as_array().expect("issues");
        let places: Vec<&str> = issues
            .iter()
            .filter_map(|issue| issue["expression"].as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        assert!(places.iter().any(|found| found.starts_with(place)), "{place} is not in {outcome}");
    }
    tester.post("Observation", &patient("型", "wrong-type", "2024-04-01")).refused(400);
}

#[test]
fn a_body_that_is_no_good_json_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let long = "1".repeat(400_000);
    let cases: [(&str, Vec<u8>); 10] = [
        ("empty", Vec::new()),
        ("cut", b"{\"resourceType\":\"Patient\"".to_vec()),
        ("no object", b"[]".to_vec()),
        ("two values", b"{\"resourceType\":\"Patient\"} {}".to_vec()),
        ("duplicate key", b"{\"resourceType\":\"Patient\",\"gender\":\"male\",\"gender\":\"female\"}".to_vec()),
        ("bad UTF-8", b"{\"resourceType\":\"Patient\",\"language\":\"\xff\xfe\"}".to_vec()),
        ("lone surrogate", b"{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"\\ud800\"}]}".to_vec()),
        ("depth", format!("{{\"resourceType\":\"Patient\",\"x\":{deep}}}").into_bytes()),
        ("no type", b"{\"gender\":\"male\"}".to_vec()),
        ("a number of 400,000 digits", format!("{{\"resourceType\":\"Patient\",\"x\":{long}}}").into_bytes()),
    ];
    for (name, body) in cases {
        let answer = tester.request("POST", "Patient").body(JSON, body).send();
        assert!([400, 413, 422].contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{name}");
    }
    let huge = format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"text\":\"{}\"}}]}}", "あ".repeat(6_000_000));
    match tester.request("POST", "Patient").body(JSON, huge).try_send() {
        Ok(answer) => assert_eq!(answer.status, 413, "{}", answer.text()),
        // The server may close before we have sent all 18 MB; the request did not succeed either way.
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{error}"),
    }
    tester.get("metadata").expect(200);
}

#[test]
fn media_types_methods_and_paths_are_refused_rightly() {
    let world = World::new();
    let tester = world.tester();
    let body = patient("型式", "media", "2024-04-01").to_string();
    let who = tester.create(&patient("型式", "media", "2024-04-01"));
    tester.request("POST", "Patient").body("text/csv", body.clone()).send().refused(415);
    tester.request("POST", "Patient").body("application/json", body).send().expect(201);
    tester.request("GET", &format!("Patient/{who}")).header("Accept", "image/png").send().refused(406);
    tester.request("GET", &format!("Patient/{who}?_format=image/png")).send().refused(406);
    for accept in ["application/fhir+json", "application/json", "*/*", "application/*", "text/html, */*;q=0.1"] {
        tester.request("GET", &format!("Patient/{who}")).header("Accept", accept).send().expect(200);
    }
    tester.request("GET", &format!("Patient/{who}?_format=json")).header("Accept", "image/png").send().expect(200);
    let wrong = tester.request("BREW", &format!("Patient/{who}")).send();
    assert_eq!(wrong.status, 405, "{}", wrong.text());
    tester.request("DELETE", "metadata").send().expect(405);
    tester.get("Nonsense/1").refused(404);
    tester.get("Nonsense").refused(404);
    tester.get("patient/1").refused(404);
    tester.get(&format!("Patient/{who}/$nonsense")).refused(404);
    tester.get("Patient/..%2f..%2fetc").refused(404);
}

#[test]
fn without_a_good_token_nothing_is_told() {
    let world = World::new();
    for token in ["", "nonsense", "a.b.c"] {
        let request = Request::get(&format!("{}/Patient/pt-mei", world.base));
        let request = if token.is_empty() { request } else { request.bearer(token) };
        let answer = request.send().refused(401);
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Bearer"), "{challenge:?}");
    }
    let basic = Request::get(&format!("{}/Patient/pt-mei", world.base)).header("Authorization", "Basic dTpw").send();
    basic.refused(401);
    Request::get(&format!("{}/metadata", world.base)).send().expect(200);
    let icon = Request::get(&format!("{}/favicon.ico", world.portal.trim_end_matches('/'))).send().expect(200);
    assert_eq!((icon.header("content-type"), &icon.body[..4]), (Some("image/x-icon"), &[0, 0, 1, 0][..]));
}

#[test]
fn sixty_four_identical_conditional_creates_make_one() {
    let world = World::new();
    let tester = world.tester();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let send = || {
            let request = tester
                .request("POST", "Patient")
                .header("If-None-Exist", &format!("identifier={IDENTIFIERS}|only-one"));
            request.fhir(&patient("唯一", "only-one", "2024-04-01")).send().status
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a request")).collect()
    });
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(201), count(200)), (1, 63), "{answers:?}");
    assert_eq!(tester.ids(&format!("Patient?identifier={IDENTIFIERS}|only-one")).len(), 1);
    tester.create(&patient("二", "two", "2024-04-01"));
    tester.create(&patient("二", "two", "2024-04-01"));
    let both = tester.request("POST", "Patient").header("If-None-Exist", &format!("identifier={IDENTIFIERS}|two"));
    both.fhir(&patient("二", "two", "2024-04-01")).send().refused(412);
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let world = World::new();
    let tester = world.tester();
    let child = patient("束", "bundle-1", "2024-04-01");
    let bundle = transaction(&[
        (urn(1), child.clone()),
        (urn(2), about(&urn(1), "2026-01-01")),
        (urn(3), about(&urn(1), "2026-02-01")),
    ]);
    let answer = tester.post("", &bundle).expect(200).json();
    assert_eq!(answer["type"], "transaction-response");
    let entries = answer["entry"].as_array().expect("entries");
    assert_eq!(entries.len(), 3);
    for entry in entries {
        assert!(entry["response"]["status"].as_str().is_some_and(|status| status.starts_with("201")), "{entry}");
        assert!(entry["response"]["location"].is_string() && entry["response"]["etag"].is_string(), "{entry}");
    }
    let who = tester.ids(&format!("Patient?identifier={IDENTIFIERS}|bundle-1")).remove(0);
    assert_eq!(tester.ids(&format!("Observation?subject=Patient/{who}")).len(), 2, "urn:uuid became the real id");

    let mut broken = bundle.clone();
    broken["entry"][2]["resource"]["status"] = json!("nonsense");
    broken["entry"][0]["resource"]["identifier"][0]["value"] = json!("bundle-2");
    let answer = tester.post("", &broken);
    assert!([400, 422].contains(&answer.status), "{} {}", answer.status, answer.text());
    assert!(answer.text().contains("entry[2]"), "the refusal names its entry: {}", answer.text());
    assert_eq!(tester.ids(&format!("Patient?identifier={IDENTIFIERS}|bundle-2")), [""; 0]);

    let mut again = bundle;
    again["entry"][0]["request"]["ifNoneExist"] = json!(format!("identifier={IDENTIFIERS}|bundle-1"));
    let answer = tester.post("", &again).expect(200).json();
    assert!(
        answer["entry"][0]["response"]["status"].as_str().is_some_and(|status| status.starts_with("200")),
        "{answer}"
    );
    assert_eq!(tester.ids(&format!("Patient?identifier={IDENTIFIERS}|bundle-1")).len(), 1);
    assert_eq!(
        tester.ids(&format!("Observation?subject=Patient/{who}")).len(),
        4,
        "they hang on the one that was there"
    );
}

fn about(subject: &str, date: &str) -> Value {
    let mut resource = height("x", date, "61.2");
    resource["subject"]["reference"] = json!(subject);
    resource
}

#[test]
fn a_transaction_updates_and_deletes_too() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("更", "bundle-3", "2024-04-01"));
    let gone = tester.create(&height(&who, "2026-01-01", "60"));
    let mut changed = tester.get(&format!("Patient/{who}")).expect(200).json();
    changed["gender"] = json!("male");
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": changed, "request": {"method": "PUT", "url": format!("Patient/{who}"), "ifMatch": "W/\"1\""}},
        {"request": {"method": "DELETE", "url": format!("Observation/{gone}")}},
    ]});
    tester.post("", &bundle).expect(200);
    assert_eq!(tester.get(&format!("Patient/{who}")).expect(200).json()["gender"], "male");
    tester.get(&format!("Observation/{gone}")).refused(410);
    let stale = tester.post("", &bundle);
    assert_eq!(stale.status, 412, "If-Match of an entry is kept: {}", stale.text());
    refused_bundle(&tester, &json!({"resourceType": "Bundle", "type": "searchset"}));
    refused_bundle(
        &tester,
        &json!({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": changed}]}),
    );
    let twice = json!({"fullUrl": urn(9), "resource": patient("重", "twice", "2024-04-01"), "request": {"method": "PUT", "url": format!("Patient/{who}")}});
    refused_bundle(&tester, &json!({"resourceType": "Bundle", "type": "transaction", "entry": [twice, twice]}));
}

fn refused_bundle(tester: &Caller, bundle: &Value) {
    let answer = tester.post("", bundle);
    assert!([400, 422].contains(&answer.status), "{bundle}: {} {}", answer.status, answer.text());
}

#[test]
fn history_is_kept_and_paged() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("歴", "history-1", "2024-04-01"));
    let path = format!("Patient/{who}");
    let mut resource = tester.get(&path).expect(200).json();
    for day in 2..=5 {
        resource["birthDate"] = json!(format!("2024-04-{day:02}"));
        tester.put(&path, &resource).expect(200);
    }
    let mut url = format!("{path}/_history?_count=2");
    let mut versions = Vec::new();
    for _ in 0..5 {
        let page = tester.search(&url);
        versions.extend(page["entry"].as_array().into_iter().flatten().filter_map(version).map(str::to_owned));
        match techo_conformance_tests::world::link(&page, "next") {
            Some(next) => url = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(versions, ["5", "4", "3", "2", "1"]);
}

#[test]
fn concurrent_guarded_updates_lose_nothing() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("競", "race", "2024-04-01"));
    let path = format!("Patient/{who}");
    let resource = tester.get(&path).expect(200).json();
    let wins: usize = std::thread::scope(|scope| {
        let send = || {
            let answer = tester.request("PUT", &path).header("If-Match", "W/\"1\"").fhir(&resource).send();
            assert!([200, 412].contains(&answer.status), "{} {}", answer.status, answer.text());
            usize::from(answer.status == 200)
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a request")).sum()
    });
    assert_eq!(wins, 1, "one of sixteen updates of version 1 may win");
    assert_eq!(tester.get(&path).expect(200).header("ETag"), Some("W/\"2\""));
}

#[test]
fn accept_and_content_type_are_read_as_http_writes_them() {
    let world = World::new();
    let tester = world.tester();
    let body = patient("型式", "media-2", "2024-04-01").to_string();
    let path = format!("Patient/{}", tester.create(&patient("型式", "media-2", "2024-04-01")));
    for (accept, status) in [
        ("APPLICATION/FHIR+JSON", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("application/fhir+json; fhirVersion=3.0", 406),
        ("application/fhir+json;q=0", 406),
        ("application/fhir+xml, application/fhir+json;q=0.1", 200),
    ] {
        let answer = tester.request("GET", &path).header("Accept", accept).send();
        assert_eq!(answer.status, status, "{accept}: {}", answer.text());
    }
    for (media, status) in [
        ("application/fhir+json; fhirVersion=4.0", 201),
        ("application/fhir+json; fhirVersion=3.0", 415),
        ("application/fhir+json; charset=Shift_JIS", 415),
    ] {
        let answer = tester.request("POST", "Patient").body(media, body.clone()).send();
        assert_eq!(answer.status, status, "{media}: {}", answer.text());
    }
    tester.request("POST", "Patient?_format=ttl").body(JSON, body.clone()).send().refused(406);
    tester.request("PUT", &format!("{path}?_format=ttl")).body(JSON, body).send().refused(406);
    tester.delete(&format!("{path}?_format=ttl")).refused(406);
    tester.get(&path).expect(200);
}

#[test]
fn every_refusal_of_a_path_or_method_is_an_operation_outcome() {
    let world = World::new();
    let tester = world.tester();
    tester.delete("metadata").refused(405);
    tester.get("Patient/%ff").refused(404);
    tester.get("Patient//").refused(404);
    assert!(tester.get("Patient/_search?name=x").refused(405).text().contains("GET [type]?name=value"));
    tester.get("Nonsense/").refused(404);
    tester.get("Patient/x/y/z/q/").refused(404);
    let options = tester.request("OPTIONS", "Patient/x").send().expect(204);
    assert!(options.header("Allow").is_some_and(|methods| methods.contains("PUT")), "{:?}", options.headers);
}

/// As clients write it that join `[base]/Patient/` with what may be empty.
#[test]
fn a_slash_at_the_end_of_a_path_changes_nothing() {
    let world = World::new();
    let tester = world.tester();
    let body = patient("斜線", "slash", "2024-04-01");
    let made = tester.post("Patient/", &body).expect(201);
    let who = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(tester.search("Patient/?identifier=slash")["entry"][0]["resource"]["id"], json!(who));
    for path in ["Patient", &format!("Patient/{who}"), &format!("Patient/{who}/_history"), "metadata", "_history"] {
        let (plain, slash) = (tester.get(path), tester.get(&format!("{path}/?_count=1")));
        assert_eq!(plain.status, slash.status, "{path}");
        assert_eq!(plain.header("x-frame-options"), slash.header("x-frame-options"), "{path}");
    }
    assert_eq!(tester.get(&format!("Patient/{who}/")).expect(200).body, tester.get(&format!("Patient/{who}")).body);
    tester.put(&format!("Patient/{who}/"), &tester.get(&format!("Patient/{who}")).json()).expect(200);
    // The gates are those of the path without it.
    world.anon().get("Patient/").refused(401);
    world.anon().get(&format!("Patient/{who}/")).refused(401);
    world.stranger().get(&format!("Patient/{who}/")).refused(404);
    assert_eq!(world.stranger().search("Patient/")["total"], 1);
    // An empty id reaches nothing that it would not have reached without the slash.
    for method in ["DELETE", "PUT", "PATCH"] {
        let of = |path: &str| tester.request(method, path).fhir(&body).send();
        let (plain, slash) = (of("Patient"), of("Patient/"));
        assert_eq!((plain.status, plain.text()), (slash.status, slash.text()), "{method}");
        assert!(plain.status >= 400, "{method}: {}", plain.text());
    }
    let listed = tester.request("OPTIONS", "Patient/").send().expect(204);
    assert!(listed.header("Allow").is_some_and(|methods| methods.contains("POST")), "{:?}", listed.headers);
}

#[test]
fn what_the_client_has_is_told_by_tags_and_dates_and_guards_no_write() {
    let world = World::new();
    let tester = world.tester();
    let path = format!("Patient/{}", tester.create(&patient("札", "tags", "2024-04-01")));
    let body = tester.get(&path).expect(200).json();
    for (tag, status) in [("\"1\"", 304), ("W/\"9\", W/\"1\"", 304), ("*", 304), ("\"11\"", 200)] {
        assert_eq!(tester.request("GET", &path).header("If-None-Match", tag).send().status, status, "{tag}");
    }
    let updated = tester.get(&path).header("Last-Modified").expect("a date").to_owned();
    for (since, tag, status) in [
        (updated.as_str(), None, 304),
        ("Wed, 21 Nov 2040 08:00:00 GMT", None, 304),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None, 200),
        ("yesterday", None, 200),
        (updated.as_str(), Some("\"11\""), 200),
    ] {
        let request = tester.request("GET", &path).header("If-Modified-Since", since);
        let request = if let Some(tag) = tag { request.header("If-None-Match", tag) } else { request };
        assert_eq!(request.send().status, status, "{since} {tag:?}");
    }
    tester.request("PUT", &path).header("If-None-Match", "*").fhir(&body).send().refused(412);
    tester.get(&format!("{path}/_history/2")).refused(404);
}

/// A file as an editor leaves it ends with a line end, and may begin with one.
#[test]
fn white_space_around_a_body_is_not_stored() {
    let world = World::new();
    let tester = world.tester();
    let body = patient("空白", "space-1", "2024-04-01").to_string();
    let around = |body: &str| format!("\r\n\t {body} \n\n");
    let made = tester.request("POST", "Patient").body(JSON, around(&body)).send().expect(201);
    let who = made.json()["id"].as_str().expect("an id").to_owned();
    assert!(made.text().starts_with('{') && made.text().ends_with('}'), "{:?}", made.text());
    let path = format!("Patient/{who}");
    assert_eq!(tester.get(&path).expect(200).text(), made.text());
    assert_eq!(tester.ids("Patient?identifier=space-1"), std::slice::from_ref(&who));
    let own = around(&made.text().replace("空白", "余白"));
    let put = tester.request("PUT", &path).body(JSON, own).send().expect(200);
    assert!(put.text().ends_with('}') && put.text().contains("余白"), "{:?}", put.text());
    assert_eq!(tester.search(&format!("{path}/_history"))["entry"].as_array().map(Vec::len), Some(2));
    assert_eq!(tester.search(&format!("{path}/$everything"))["entry"].as_array().map(Vec::len), Some(1));
    // Within a Bundle, and as a Bundle.
    let entry = format!("{{\"resource\":{},\"request\":{{\"method\":\"POST\",\"url\":\"Patient\"}}}}", around(&body));
    let batch = around(&format!("{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{entry}]}}"));
    let answer = tester.request("POST", "").body(JSON, batch).send().expect(200).json();
    assert_eq!(answer["entry"][0]["response"]["status"], "201 Created", "{answer}");
    assert_eq!(tester.ids("Patient?identifier=space-1").len(), 2);
    // Where something is wrong is told of the body as it was sent.
    let wrong = tester.request("POST", "Patient").body(JSON, "\n\n{\"resourceType\":\"Patient\",\"no\":1}\n");
    let wrong = wrong.send().refused(400).json();
    assert!(wrong.to_string().contains("\"line 3"), "{wrong}");
}

#[test]
fn a_deletion_shows_no_body_in_the_history() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("消", "gone", "2024-04-01"));
    let path = format!("Observation/{}", tester.create(&height(&who, "2026-01-01", "60")));
    tester.delete(&path).expect(204);
    let history = tester.search(&format!("{path}/_history"));
    assert_eq!(history["entry"][0]["request"]["method"], "DELETE");
    assert!(history["entry"][0]["resource"].is_null(), "{history}");
    assert!(history["entry"][1]["resource"].is_object(), "{history}");
    assert_eq!(tester.search(&format!("{path}/_history?_count=0"))["total"], 2);
    for count in ["x", "-1"] {
        tester.get(&format!("{path}/_history?_count={count}")).refused(400);
    }
}

#[test]
fn a_byte_order_mark_is_not_stored_into_the_middle_of_a_bundle() {
    let world = World::new();
    let tester = world.tester();
    let mut body = b"\xef\xbb\xbf".to_vec();
    body.extend(patient("印", "mark", "2024-04-01").to_string().bytes());
    tester.request("POST", "Patient").body(JSON, body).send().expect(201);
    let found = tester.get(&format!("Patient?identifier={IDENTIFIERS}|mark")).expect(200);
    assert!(!found.body.windows(3).any(|bytes| bytes == b"\xef\xbb\xbf"), "{}", found.text());
    assert_eq!(found.json()["total"], 1);
}

/// Each coding was compared with each other: one such body held up everybody for minutes.
#[test]
fn more_codings_than_can_be_indexed_are_refused() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("符", "codings-many", "2024-04-01"));
    let coded = |count: usize| {
        let mut body = weight(&who, "2026-01-02", "7.1");
        body["code"]["coding"] =
            (0..count).map(|number| json!({"system": "urn:many", "code": format!("c{number}")})).collect();
        body
    };
    let refused = tester.request("POST", "Observation").fhir(&coded(60_000)).send().expect(422).json();
    assert_eq!(refused["issue"][0]["code"], "too-costly", "{refused}");
    assert_eq!(refused["issue"][0]["expression"][0], "Observation", "{refused}");
    let kept = tester.create(&coded(500));
    let mut more = coded(60_000);
    more["id"] = json!(kept);
    let kept = format!("Observation/{kept}");
    tester.request("PUT", &kept).fhir(&more).send().expect(422);
    assert_eq!(tester.get(&kept).expect(200).json()["meta"]["versionId"], "1");
}

#[test]
fn more_contained_resources_than_can_be_indexed_are_refused() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("包", "contained-many", "2024-04-01"));
    let mut body = weight(&who, "2026-01-02", "7.1");
    body["contained"] =
        (0..1 << 15).map(|number| json!({"resourceType": "Organization", "id": format!("c{number}")})).collect();
    let refused = tester.request("POST", "Observation").fhir(&body).send().expect(422).json();
    assert_eq!(refused["issue"][0]["code"], "too-costly", "{refused}");
    assert_eq!(refused["issue"][0]["expression"][0], "Observation.contained", "{refused}");
}
