//! What the entries of a transaction and of a batch mean to each other.

use serde_json::{Value, json};
use techo_conformance_tests::sample::{IDENTIFIERS, height, patient, transaction, urn};
use techo_conformance_tests::world::{Caller, World};

fn entry(method: &str, url: &str, resource: Option<&Value>) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if let Some(resource) = resource {
        entry["resource"] = resource.clone();
    }
    entry
}

fn bundle(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// An Observation about whatever `reference` says.
fn about(reference: &str) -> Value {
    let mut resource = height("x", "2026-01-01", "61.2");
    resource["subject"]["reference"] = json!(reference);
    resource
}

/// What is now stored where a response says.
fn stored(tester: &Caller, answer: &Value, entry: usize) -> Value {
    let location = answer["entry"][entry]["response"]["location"].as_str().expect("a location");
    tester.get(location).expect(200).json()
}

#[test]
fn a_read_that_fails_refuses_the_transaction_before_anything_is_written() {
    let world = World::new();
    let tester = world.tester();
    for url in ["Observation/never-was", "Observation?nonsense=1", "Nonsense/1"] {
        let family = patient("読", "read-fails", "2024-04-01");
        let answer = tester
            .post("", &bundle("transaction", &[entry("POST", "Patient", Some(&family)), entry("GET", url, None)]));
        assert!([400, 404].contains(&answer.status), "{url}: {}", answer.text());
        assert!(answer.text().contains("Bundle.entry[1]"), "{}", answer.text());
        assert_eq!(tester.ids(&format!("Patient?identifier={IDENTIFIERS}|read-fails")), [""; 0], "{url}");
    }
    // What the transaction writes itself, its reads see.
    let mut own = patient("読", "read-own", "2024-04-01");
    own["id"] = json!("read-own");
    let reads = [entry("GET", "Patient/read-own", None), entry("PUT", "Patient/read-own", Some(&own))];
    let answer = tester.post("", &bundle("transaction", &reads)).expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["id"], "read-own", "{answer}");
    let reads = [
        entry("GET", "Patient/read-own/_history/1", None),
        entry("GET", "Patient/read-own/_history", None),
        entry("GET", &format!("{}/Patient/read-own", world.base), None),
        entry("DELETE", "Patient/read-own", None),
    ];
    let answer = tester.post("", &bundle("transaction", &reads)).expect(200).json();
    let status = |at: usize| answer["entry"][at]["response"]["status"].as_str().expect("a status")[..3].to_owned();
    assert_eq!([status(0), status(1), status(2), status(3)], ["200", "200", "410", "204"], "{answer}");
    assert_eq!(answer["entry"][2]["response"]["outcome"]["issue"][0]["code"], "deleted");
}

#[test]
fn links_between_entries_are_rewritten_by_type_and_in_narratives() {
    let world = World::new();
    let tester = world.tester();
    let mut who = patient("鎖", "links", "2024-04-01");
    who["identifier"][0] = json!({"system": "urn:ietf:rfc:3986", "value": urn(1)});
    let xhtml = |target: &str, text: &str| {
        format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{target}\">x</a> {text}</div>")
    };
    who["text"] = json!({"status": "generated", "div": xhtml(&urn(2), &urn(2))});
    let answer = tester.post("", &transaction(&[(urn(2), about(&urn(1))), (urn(1), who)])).expect(200).json();
    let (observation, who) = (stored(&tester, &answer, 0), stored(&tester, &answer, 1));
    let reference = |resource: &Value| {
        format!("{}/{}", resource["resourceType"].as_str().expect("a type"), resource["id"].as_str().expect("an id"))
    };
    assert_eq!(observation["subject"]["reference"], reference(&who));
    assert_eq!(who["identifier"][0]["value"], urn(1), "an identifier's value is no link");
    assert_eq!(who["text"]["div"], xhtml(&reference(&observation), &urn(2)), "text is no link either");
}

#[test]
fn relative_and_conditional_references_of_a_transaction_find_their_targets() {
    let world = World::new();
    let tester = world.tester();
    let base = "https://elsewhere.example/fhir";
    let answer = tester.post(
        "",
        &transaction(&[
            (format!("{base}/Observation/7"), about("Patient/77")),
            (format!("{base}/Patient/77"), patient("縁", "relative", "2024-04-01")),
        ]),
    );
    let answer = answer.expect(200).json();
    let who = format!("Patient/{}", stored(&tester, &answer, 1)["id"].as_str().expect("an id"));
    assert_eq!(stored(&tester, &answer, 0)["subject"]["reference"], who);

    let conditional = format!("Patient?identifier={IDENTIFIERS}|relative");
    let answer = tester.post("", &transaction(&[(urn(3), about(&conditional))])).expect(200).json();
    assert_eq!(stored(&tester, &answer, 0)["subject"]["reference"], who);

    let nobody = format!("Patient?identifier={IDENTIFIERS}|nobody");
    let nowhere = urn(9);
    for (reference, status) in [(nobody.as_str(), 412), (nowhere.as_str(), 400), ("Patient?nonsense=1", 400)] {
        let entries = [(urn(4), patient("縁", "not-written", "2024-04-01")), (urn(5), about(reference))];
        let answer = tester.post("", &transaction(&entries)).refused(status);
        assert!(answer.text().contains("Bundle.entry[1]"), "{reference}: {}", answer.text());
    }
    assert_eq!(tester.ids(&format!("Patient?identifier={IDENTIFIERS}|not-written")), [""; 0]);
}

#[test]
fn one_bad_entry_of_a_batch_spoils_no_other() {
    let world = World::new();
    let tester = world.tester();
    let good = patient("束", "batch", "2024-04-01");
    let mut bad = good.clone();
    bad["gender"] = json!("nonsense");
    let entries = [
        entry("POST", "Patient", Some(&bad)),
        entry("POST", "Patient", Some(&good)),
        entry("PUT", "Patient", Some(&good)),
        entry("GET", &format!("Patient?identifier={IDENTIFIERS}|batch"), None),
    ];
    let answer = tester.request("POST", "").header("Accept-Language", "ja").fhir(&bundle("batch", &entries)).send();
    let answer = answer.expect(200).json();
    assert_eq!(answer["type"], "batch-response");
    let status = |at: usize| answer["entry"][at]["response"]["status"].as_str().expect("a status")[..3].to_owned();
    assert_eq!([status(0), status(1), status(2), status(3)], ["400", "201", "400", "200"], "{answer}");
    let issue = &answer["entry"][0]["response"]["outcome"]["issue"][0];
    assert_eq!(issue["expression"][0], "Bundle.entry[0].resource.gender");
    let text = issue["details"]["text"].as_str().expect("a text");
    assert!(!text.is_ascii(), "in the language that was asked for: {text}");
    assert_eq!(answer["entry"][3]["resource"]["total"], 1, "{answer}");
    // A Bundle that is none is refused as a whole.
    tester.post("", &bundle("batch", &[json!({"request": {"method": "GET"}})])).refused(400);
}

#[test]
fn prefer_says_what_the_entries_of_a_bundle_answer() {
    let world = World::new();
    let tester = world.tester();
    for kind in ["transaction", "batch"] {
        let entries = [entry("POST", "Patient", Some(&patient("望", kind, "2024-04-01")))];
        let answered = |prefer: &str| {
            let request = tester.request("POST", "").header("Prefer", prefer).fhir(&bundle(kind, &entries));
            request.send().expect(200).json()["entry"][0].clone()
        };
        let plain = tester.post("", &bundle(kind, &entries)).expect(200).json()["entry"][0].clone();
        for answer in [plain, answered("return=minimal")] {
            assert!(answer["resource"].is_null() && answer["response"]["outcome"].is_null(), "{kind}: {answer}");
        }
        let whole = answered("return=representation");
        assert_eq!(whole["resource"]["meta"]["lastUpdated"], whole["response"]["lastModified"], "{kind}: {whole}");
        let told = answered("return=OperationOutcome");
        assert_eq!(told["response"]["outcome"]["resourceType"], "OperationOutcome", "{kind}: {told}");
    }
}

#[test]
fn transactions_that_race_for_one_conditional_create_all_succeed() {
    let world = World::new();
    let tester = world.tester();
    let mut create = entry("POST", "Patient", Some(&patient("競", "race", "2024-04-01")));
    create["request"]["ifNoneExist"] = json!(format!("identifier={IDENTIFIERS}|race"));
    create["fullUrl"] = json!(urn(1));
    let entries = [create, entry("POST", "Observation", Some(&about(&urn(1))))];
    let bundle = bundle("transaction", &entries);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..32).map(|_| scope.spawn(|| tester.post("", &bundle).status)).collect();
        racers.into_iter().map(|racer| racer.join().expect("an answer")).collect()
    });
    assert_eq!(statuses, [200; 32]);
    let who = tester.ids(&format!("Patient?identifier={IDENTIFIERS}|race"));
    assert_eq!(who.len(), 1);
    assert_eq!(tester.ids(&format!("Observation?subject=Patient/{}&_count=100", who[0])).len(), 32);
}

fn status(answer: &Value, entry: usize) -> String {
    let status = answer["entry"][entry]["response"]["status"].as_str();
    status.unwrap_or_else(|| panic!("no status: {answer}"))[..3].to_owned()
}

fn by(number: &str) -> String {
    format!("Patient?identifier={IDENTIFIERS}|{number}")
}

/// A JSON Patch as a Bundle carries it.
fn binary(patch: &Value) -> Value {
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD.encode(patch.to_string());
    json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data})
}

#[test]
fn a_full_url_that_names_another_resource_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let there = tester.create(&patient("名", "full-url", "2024-04-01"));
    let mut put = entry("PUT", &format!("Patient/{there}"), Some(&tester.get(&format!("Patient/{there}")).json()));
    put["fullUrl"] = json!(format!("{}/Patient/other-id", world.base));
    let answer = tester.post("", &bundle("transaction", &[put.clone()])).refused(400).json();
    assert_eq!(answer["issue"][0]["expression"][0], "Bundle.entry[0].fullUrl", "{answer}");
    put["fullUrl"] = json!(format!("{}/Patient/{there}", world.base));
    tester.post("", &bundle("transaction", &[put])).expect(200);
    let relative = [entry("GET", &format!("/fhir/Patient/{there}"), None), entry("GET", "/Patient", None)];
    let answer = tester.post("", &bundle("batch", &relative)).expect(200).json();
    assert_eq!([status(&answer, 0), status(&answer, 1)], ["400", "200"]);
    assert!(answer["entry"][0]["response"]["outcome"].to_string().contains("is relative to"), "{answer}");
}

#[test]
fn patches_are_entries_in_both_languages() {
    let world = World::new();
    let tester = world.tester();
    for kind in ["transaction", "batch"] {
        let first = tester.create(&patient("綴", &format!("{kind}-p1"), "2024-04-01"));
        let second = tester.create(&patient("綴", &format!("{kind}-p2"), "2024-04-01"));
        let active = json!([{"op": "add", "path": "/active", "value": true}]);
        let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Patient.birthDate"},
            {"name": "value", "valueDate": "2024-05-05"}]}]});
        let mut guarded = entry("PATCH", &format!("Patient/{first}"), Some(&binary(&active)));
        guarded["request"]["ifMatch"] = json!("W/\"1\"");
        let entries = [
            guarded,
            entry("PATCH", &by(&format!("{kind}-p2")), Some(&parameters)),
            entry("GET", &format!("Patient/{second}"), None),
        ];
        let request = tester.request("POST", "").header("Prefer", "return=representation");
        let answer = request.fhir(&bundle(kind, &entries)).send().expect(200).json();
        assert_eq!([status(&answer, 0), status(&answer, 1)], ["200", "200"], "{answer}");
        assert_eq!(answer["entry"][0]["resource"]["active"], true, "{answer}");
        assert_eq!(answer["entry"][1]["resource"]["birthDate"], "2024-05-05");
        assert_eq!(answer["entry"][2]["resource"]["meta"]["versionId"], "2");
        let history = tester.search(&format!("Patient/{first}/_history"));
        assert_eq!(history["entry"][0]["request"]["method"], "PATCH");
        let refused = |entry: Value, expected: u16| {
            let answer = tester.post("", &bundle(kind, &[entry]));
            if kind == "transaction" {
                let text = answer.refused(expected).text();
                assert!(text.contains("Bundle.entry[0]"), "{text}");
            } else {
                assert_eq!(status(&answer.expect(200).json(), 0), expected.to_string());
            }
        };
        let path = format!("Patient/{first}");
        refused(entry("PATCH", &path, Some(&binary(&json!([{"op": "remove", "path": "/x"}])))), 422);
        refused(entry("PATCH", &path, Some(&binary(&json!({})))), 400);
        refused(entry("PATCH", &path, Some(&patient("綴", "x", "2024-04-01"))), 400);
        refused(entry("PATCH", "Patient/never-was", Some(&binary(&active))), 404);
        refused(entry("PATCH", &by("never-was"), Some(&binary(&active))), 404);
        let mut stale = entry("PATCH", &path, Some(&binary(&active)));
        stale["request"]["ifMatch"] = json!("W/\"1\"");
        refused(stale, 412);
        refused(entry("PATCH", &path, None), 400);
    }
}

#[test]
fn entries_write_what_their_queries_find() {
    let world = World::new();
    let tester = world.tester();
    for kind in ["transaction", "batch"] {
        let number = |name: &str| format!("{kind}-{name}");
        let there = tester.create(&patient("条", &number("there"), "2024-04-01"));
        let gone = tester.create(&patient("条", &number("gone"), "2024-04-01"));
        let put = |name: &str| entry("PUT", &by(&number(name)), Some(&patient("条", &number(name), "2024-05-05")));
        let delete = |name: &str| entry("DELETE", &by(&number(name)), None);
        let entries = [put("there"), put("new"), delete("gone"), delete("never")];
        let answer = tester.post("", &bundle(kind, &entries)).expect(200).json();
        let found = [0, 1, 2, 3].map(|at| status(&answer, at));
        assert_eq!(found, ["200", "201", "204", "204"], "{kind}: {answer}");
        assert_eq!(tester.get(&format!("Patient/{there}")).expect(200).json()["birthDate"], "2024-05-05");
        tester.get(&format!("Patient/{gone}")).refused(410);
        assert_eq!(tester.ids(&by(&number("new"))).len(), 1);
        tester.create(&patient("条", &number("twice"), "2024-04-01"));
        tester.create(&patient("条", &number("twice"), "2024-04-01"));
        for bad in [put("twice"), delete("twice")] {
            let answer = tester.post("", &bundle(kind, &[put("there"), bad]));
            if kind == "transaction" {
                assert!(answer.refused(412).text().contains("Bundle.entry[1]"));
            } else {
                assert_eq!(status(&answer.expect(200).json(), 1), "412");
            }
        }
    }
    // All of a transaction's conditions together: one resource, one entry.
    let there = tester.ids(&by("transaction-there")).remove(0);
    let again = patient("条", "transaction-there", "2024-06-06");
    let mut by_id = again.clone();
    by_id["id"] = json!(there);
    for entries in [
        [entry("PUT", &by("transaction-there"), Some(&again)), entry("PUT", &format!("Patient/{there}"), Some(&by_id))],
        [entry("PUT", &by("transaction-there"), Some(&again)), entry("DELETE", &by("transaction-there"), None)],
        [entry("PUT", &by("fresh"), Some(&again)), entry("PUT", &by("fresh"), Some(&again))],
    ] {
        let text = tester.post("", &bundle("transaction", &entries)).refused(400).text();
        assert!(text.contains("Bundle.entry["), "{text}");
    }
    assert_eq!(tester.ids(&by("fresh")), [""; 0]);
    // References follow what a condition found or makes.
    let mut found = entry("PUT", &by("transaction-there"), Some(&again));
    found["fullUrl"] = json!(urn(1));
    let mut made = entry("PUT", &by("fresh"), Some(&patient("条", "fresh", "2024-06-06")));
    made["fullUrl"] = json!(urn(2));
    let entries = [
        entry("POST", "Observation", Some(&about(&urn(1)))),
        entry("POST", "Observation", Some(&about(&urn(2)))),
        found,
        made,
    ];
    let answer = tester.post("", &bundle("transaction", &entries)).expect(200).json();
    assert_eq!(stored(&tester, &answer, 0)["subject"]["reference"], format!("Patient/{there}"));
    let fresh = tester.ids(&by("fresh")).remove(0);
    assert_eq!(stored(&tester, &answer, 1)["subject"]["reference"], format!("Patient/{fresh}"));
}

/// R4: conditional references are resolved when the rest is done.
#[test]
fn a_conditional_reference_finds_what_the_transaction_brings() {
    let world = World::new();
    let tester = world.tester();
    let conditional = format!("Patient?identifier={IDENTIFIERS}|brought");
    let entries = [
        entry("POST", "Observation", Some(&about(&conditional))),
        entry("POST", "Patient", Some(&patient("伴", "brought", "2024-04-01"))),
    ];
    let answer = tester.post("", &bundle("transaction", &entries)).expect(200).json();
    let who = tester.ids(&by("brought")).remove(0);
    assert_eq!(stored(&tester, &answer, 0)["subject"]["reference"], format!("Patient/{who}"));
    // Now it is there twice.
    let text = tester.post("", &bundle("transaction", &entries)).refused(412).text();
    assert!(text.contains("Bundle.entry[0]"), "{text}");
    assert_eq!(tester.ids(&by("brought")).len(), 1);
}

#[test]
fn a_reference_to_a_version_gets_the_version_that_comes_of_it() {
    let world = World::new();
    let tester = world.tester();
    let base = "https://elsewhere.example/fhir";
    let there = tester.create(&patient("版", "versioned", "2024-04-01"));
    let mut other = patient("版", "versioned-2", "2024-04-01");
    other["meta"] = json!({"versionId": "7"});
    let mut own = tester.get(&format!("Patient/{there}")).json();
    own["gender"] = json!("male");
    let focus = |reference: &str| {
        let mut body = about(&format!("Patient/{there}"));
        body["focus"] = json!([{"reference": reference}]);
        body
    };
    let named = |url: String, entry: Value| {
        let mut entry = entry;
        entry["fullUrl"] = json!(url);
        entry
    };
    let entries = [
        named(format!("{base}/Patient/9"), entry("POST", "Patient", Some(&other))),
        named(format!("{}/Patient/{there}", world.base), entry("PUT", &format!("Patient/{there}"), Some(&own))),
        entry("POST", "Observation", Some(&focus(&format!("{base}/Patient/9/_history/7")))),
        entry("POST", "Observation", Some(&focus(&format!("{base}/Patient/9/_history/6")))),
        entry("POST", "Observation", Some(&focus(&format!("{}/Patient/{there}/_history/1", world.base)))),
        named(format!("{base}/Observation/1"), entry("POST", "Observation", Some(&focus("Patient/9/_history/7")))),
    ];
    let answer = tester.post("", &bundle("transaction", &entries)).expect(200).json();
    let reference = |entry: usize| stored(&tester, &answer, entry)["focus"][0]["reference"].clone();
    let new = stored(&tester, &answer, 0)["id"].as_str().expect("an id").to_owned();
    assert_eq!(reference(2), format!("Patient/{new}/_history/1"));
    assert_eq!(reference(3), format!("{base}/Patient/9/_history/6"), "another version stays as it is");
    assert_eq!(reference(4), format!("Patient/{there}/_history/2"));
    assert_eq!(reference(5), format!("Patient/{new}/_history/1"));
    let nowhere = [entry("POST", "Observation", Some(&focus(&format!("{}/_history/1", urn(9)))))];
    tester.post("", &bundle("transaction", &nowhere)).refused(400);
}

#[test]
fn entries_read_conditionally_by_head_and_whole_histories() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("読", "reads", "2024-04-01"));
    let path = format!("Patient/{who}");
    for kind in ["transaction", "batch"] {
        let mut known = entry("GET", &path, None);
        known["request"]["ifNoneMatch"] = json!("W/\"1\"");
        let mut since = entry("GET", &path, None);
        since["request"]["ifModifiedSince"] = json!("2040-01-01T00:00:00Z");
        let mut other = entry("GET", &path, None);
        other["request"]["ifNoneMatch"] = json!("W/\"2\"");
        let entries = [
            known,
            since,
            other,
            entry("HEAD", &path, None),
            entry("GET", "Patient/_history?_count=1", None),
            entry("GET", "_history?_count=1", None),
        ];
        let answer = tester.post("", &bundle(kind, &entries)).expect(200).json();
        assert_eq!([0, 1, 2, 3, 4, 5].map(|at| status(&answer, at)), ["304", "304", "200", "200", "200", "200"]);
        let has = |at: usize| answer["entry"][at]["resource"].is_object();
        assert_eq!([0, 1, 2, 3, 4, 5].map(has), [false, false, true, false, true, true], "{answer}");
        assert_eq!(answer["entry"][3]["response"]["etag"], "W/\"1\"");
        assert_eq!(answer["entry"][5]["resource"]["type"], "history");
    }
    for bad in [
        json!({"method": "GET", "url": path, "ifNoneMatch": "1"}),
        json!({"method": "DELETE", "url": path, "ifNoneMatch": "1"}),
        json!({"method": "DELETE", "url": path, "ifNoneMatch": "*", "ifMatch": "*"}),
        json!({"method": "POST", "url": "Patient", "ifNoneMatch": "*"}),
        json!({"method": "POST", "url": "Patient", "ifMatch": "*"}),
        json!({"method": "DELETE", "url": path, "ifMatch": "1"}),
        json!({"method": "PUT", "url": format!("{path}?_format=json")}),
        json!({"method": "DELETE", "url": "Patient"}),
        json!({"method": "DELETE", "url": "_history"}),
        json!({"method": "GET", "url": ""}),
    ] {
        let text = tester.post("", &bundle("transaction", &[json!({"request": bad})])).refused(400).text();
        assert!(text.contains("Bundle.entry[0].request") || text.contains("Bundle.entry[0].resource"), "{bad}: {text}");
    }
}

/// Operations and searches answer as they do by themselves, in a batch and in a transaction.
#[test]
fn entries_ask_for_operations_and_for_searches_of_several_types_and_in_compartments() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("問", "asked", "2024-04-01"));
    let seen = tester.create(&about(&format!("Patient/{who}")));
    let subject = json!({"resourceType": "Parameters", "parameter": [{"name": "patient", "valueString": who},
        {"name": "code", "valueString": "8302-2"}]});
    let sound = patient("a", "b", "2024-04-01");
    let path = json!({"resourceType": "Parameters", "parameter": [
        {"name": "expression", "valueString": "Patient.gender"}, {"name": "resource", "resource": patient("a", "b", "2024-04-01")}]});
    let asked = [
        entry("GET", &format!("Patient/{who}/$everything?_count=5"), None),
        entry("GET", &format!("Observation/$lastn?patient={who}&code=8302-2"), None),
        entry("POST", "Observation/$lastn", Some(&subject)),
        entry("POST", "Patient/$validate", Some(&sound)),
        entry("POST", "$fhirpath", Some(&path)),
        entry("GET", &format!("Observation/{seen}/$meta"), None),
        entry("GET", &format!("Observation/{seen}/_history/1/$meta"), None),
        entry("GET", &format!("Patient/{who}/Observation?code=8302-2"), None),
        entry("GET", &format!("Patient/{who}/*"), None),
        entry("GET", &format!("?_type=Patient,Observation&_id={who},{seen}"), None),
        entry("GET", &format!("{}?_type=Patient&_id={who}", world.base), None),
        entry("GET", "metadata", None),
        entry("GET", "metadata?_summary=true", None),
        entry("GET", &format!("Patient/{who}/_history?_count=0"), None),
    ];
    for kind in ["batch", "transaction"] {
        let answer = tester.post("", &bundle(kind, &asked)).expect(200).json();
        for (at, one) in asked.iter().enumerate() {
            assert_eq!(status(&answer, at), "200", "{kind}: {one}: {answer}");
            let (method, url) = (one["request"]["method"].as_str(), one["request"]["url"].as_str());
            let url = url.expect("a URL").trim_start_matches(&*world.base);
            let alone = match method {
                Some("GET") => tester.get(url),
                _ => tester.post(url, &one["resource"]),
            };
            assert_eq!(answer["entry"][at]["resource"], alone.expect(200).json(), "{kind}: {url}");
        }
        let refused = [
            (entry("GET", "Patient/$nonsense", None), "404"),
            (entry("GET", "Nonsense/$meta", None), "404"),
            (entry("GET", "$fhirpath", None), "405"),
            (entry("GET", &format!("Patient/{who}/Nonsense"), None), "404"),
            (entry("GET", "?_type=Nonsense", None), "400"),
            (entry("GET", "metadata?_summary=count", None), "400"),
            (entry("POST", "metadata", Some(&sound)), "404"),
            (entry("GET", "?code=1", None), "400"),
            (entry("POST", "Patient/_search", None), "400"),
            (entry("POST", &format!("Patient/{who}/Observation/_search"), None), "400"),
            (entry("GET", "_search?_type=Patient", None), "400"),
            (entry("GET", &format!("Observation/$lastn?patient={who}&code:nonsense=1"), None), "400"),
        ];
        for (one, expected) in refused {
            let answer = tester.post("", &bundle(kind, std::slice::from_ref(&one)));
            if kind == "batch" {
                assert_eq!(status(&answer.json(), 0), expected, "{one}: {}", answer.text());
            } else {
                let text = answer.refused(expected.parse().expect("a status")).text();
                assert!(text.contains("Bundle.entry[0]"), "{one}: {text}");
            }
        }
    }
}

/// An operation that writes is done in a batch, and cannot be undone with a transaction.
#[test]
fn operations_that_write_are_for_a_batch_alone() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("変", "writes", "2024-04-01"));
    let tag = json!({"resourceType": "Parameters", "parameter": [
        {"name": "meta", "valueMeta": {"tag": [{"system": "urn:t", "code": "bundled"}]}}]});
    let add = entry("POST", &format!("Patient/{who}/$meta-add"), Some(&tag));
    let made = entry("POST", "Patient", Some(&patient("変", "writes-2", "2024-04-01")));
    let text = tester.post("", &bundle("transaction", &[made, add.clone()])).refused(400).text();
    assert!(text.contains("Bundle.entry[1].request.url"), "{text}");
    assert_eq!(tester.ids(&by("writes-2")), [""; 0], "nothing is written");
    assert_eq!(tester.ids(&format!("Patient?_id={who}&_tag=urn:t|bundled")), [""; 0]);
    let answer = tester.post("", &bundle("batch", &[add])).expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["parameter"][0]["valueMeta"]["tag"][0]["code"], "bundled", "{answer}");
    assert_eq!(tester.ids(&format!("Patient?_id={who}&_tag=urn:t|bundled")), [who.as_str()]);
    // What a transaction makes, its own operation tells.
    let mut own = patient("変", "writes-3", "2024-04-01");
    own["id"] = json!("writes-3");
    let both = [entry("GET", "Patient/writes-3/$everything", None), entry("PUT", "Patient/writes-3", Some(&own))];
    let answer = tester.post("", &bundle("transaction", &both)).expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["entry"][0]["resource"]["id"], "writes-3", "{answer}");
}

/// A definition that the server tells itself could be written over in a transaction, and
/// by a query, and was then served at neither place.
#[test]
fn nobody_writes_where_the_server_tells_of_its_own() {
    let world = World::new();
    let tester = world.tester();
    let own = json!({"resourceType": "OperationDefinition", "id": "import", "url": "urn:x:import", "name": "import",
        "status": "active", "kind": "operation", "code": "import", "system": true, "type": false, "instance": false});
    let told = tester.get("OperationDefinition/import").expect(200).json();
    for url in ["OperationDefinition/import", "OperationDefinition?url=urn:x:import"] {
        tester.put(url, &own).refused(409);
        for kind in ["batch", "transaction"] {
            let answer = tester.post("", &bundle(kind, &[entry("PUT", url, Some(&own))]));
            let found = if kind == "batch" { status(&answer.json(), 0) } else { answer.status.to_string() };
            assert_eq!(found, "409", "{kind} {url}: {}", answer.text());
        }
    }
    tester.post("", &bundle("transaction", &[entry("DELETE", "OperationDefinition/import", None)])).refused(409);
    assert_eq!(tester.get("OperationDefinition/import").expect(200).json(), told);
    assert_eq!(tester.ids("OperationDefinition?url=urn:x:import"), [""; 0]);
}

/// What an entry may not see is not there for it: patched, found or deleted.
#[test]
fn entries_do_not_tell_a_hidden_record_from_none() {
    use techo_conformance_tests::compare::fingerprint;
    use techo_conformance_tests::sample::weight;
    use techo_conformance_tests::world::Ask;
    let world = World::new();
    let ask =
        |user: &str, who: &str| world.approve(&Ask::new("app-public", user, "launch/patient patient/*.cruds").of(who));
    let mut secret = weight("pt-stranger", "2026-01-10", "7.5");
    secret["identifier"] = json!([{"system": "urn:bundle", "value": "hidden-4711"}]);
    let hidden = ask("stranger", "pt-stranger").create(&secret);
    let never = "n".repeat(hidden.len());
    let app = ask("hanako", "pt-mei");
    let patch = binary(&json!([{"op": "test", "path": "/status", "value": "final"}]));
    for kind in ["transaction", "batch"] {
        for method in ["PATCH", "DELETE", "GET"] {
            let send = |url: &str, name: &str| {
                let resource = (method == "PATCH").then_some(&patch);
                fingerprint(&app.post("", &bundle(kind, &[entry(method, url, resource)])), name)
            };
            let by_id = [&hidden, &never].map(|id| send(&format!("Observation/{id}"), id));
            assert_eq!(by_id[0], by_id[1], "{kind} {method} by id");
            let by_query = ["hidden-4711", "absent-4711"]
                .map(|value| send(&format!("Observation?identifier=urn:bundle|{value}"), value));
            assert_eq!(by_query[0], by_query[1], "{kind} {method} by query");
        }
        let refer = |value: &str| {
            let mut body = weight("pt-mei", "2026-01-10", "7.5");
            body["hasMember"] = json!([{"reference": format!("Observation?identifier=urn:bundle|{value}")}]);
            fingerprint(&app.post("", &bundle("transaction", &[entry("POST", "Observation", Some(&body))])), value)
        };
        assert_eq!(refer("hidden-4711"), refer("absent-4711"), "a conditional reference");
    }
}

/// `TECHO_TEST_ENTRIES=5000` measures the largest; as it stands it is a small one.
#[test]
fn a_large_transaction_is_one_and_more_entries_are_refused() {
    let world = World::new();
    let tester = world.tester();
    let many: u32 = std::env::var("TECHO_TEST_ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut entries = vec![(urn(0), patient("大", "large", "2024-04-01"))];
    entries.extend((1..many).map(|number| (urn(number), about(&urn(0)))));
    let large = transaction(&entries);
    let size = large.to_string().len();
    let before = std::time::Instant::now();
    let answer = tester.post("", &large).expect(200).json();
    let took = before.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.server.pid())).unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown").to_owned();
    eprintln!("{many} entries of {size} bytes: {took:?}, {peak}");
    assert_eq!(answer["entry"].as_array().map(Vec::len), usize::try_from(many).ok());
    let who = tester.ids(&by("large")).remove(0);
    let found = tester.search(&format!("Observation?subject=Patient/{who}&_summary=count"));
    assert_eq!(found["total"], many - 1);
    let over: Vec<Value> = (0..5001).map(|_| entry("GET", "Patient/x", None)).collect();
    tester.post("", &bundle("transaction", &over)).refused(413);
}
