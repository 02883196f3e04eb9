//! Parts of resources: `_summary` and `_elements` on everything that answers with
//! resources.

use serde_json::{Value, json};
use techo_conformance_tests::http::Request;
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::world::{Caller, World};

/// The names of a resource's members, sorted, without those that always stay.
fn members(resource: &Value) -> Vec<&str> {
    let all = resource.as_object().unwrap_or_else(|| panic!("no resource: {resource}")).keys().map(String::as_str);
    let mut names: Vec<&str> = all.filter(|name| !["resourceType", "id", "meta"].contains(name)).collect();
    names.sort_unstable();
    names
}

fn is_tagged(resource: &Value) -> bool {
    let tags = resource["meta"]["tag"].as_array().cloned().unwrap_or_default();
    tags.iter().filter(|tag| tag["code"] == "SUBSETTED").count() == 1
}

/// An Observation with all that can be cut.
fn observation(who: &str) -> Value {
    let mut resource = weight(who, "2026-01-10", "7.50");
    resource["text"] = json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">体重</div>"});
    resource["note"] = json!([{"text": "朝食前"}]);
    resource["method"] = json!({"text": "scale"});
    resource["referenceRange"] = json!([{"text": "6-9"}]);
    resource["component"] = json!([{"code": {"text": "c"}, "valueString": "v", "referenceRange": [{"text": "r"}]}]);
    resource
}

/// Every way to get the one Observation `id`.
fn ways(caller: &Caller, id: &str, query: &str) -> Vec<(String, Value)> {
    let read = format!("Observation/{id}?{query}");
    let version = format!("Observation/{id}/_history/1?{query}");
    let history = format!("Observation/{id}/_history?{query}");
    let search = format!("Observation?_id={id}&{query}");
    let form =
        caller.request("POST", &format!("Observation/_search?{query}")).form(&[("_id", id)]).send().expect(200).json();
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": read}}, {"request": {"method": "GET", "url": version}}]});
    let batch = caller.post("", &batch).expect(200).json();
    vec![
        (read.clone(), caller.get(&read).expect(200).json()),
        (version.clone(), caller.get(&version).expect(200).json()),
        (history.clone(), caller.get(&history).expect(200).json()["entry"][0]["resource"].clone()),
        (search.clone(), caller.search(&search)["entry"][0]["resource"].clone()),
        (format!("POST {search}"), form["entry"][0]["resource"].clone()),
        (format!("batch {read}"), batch["entry"][0]["resource"].clone()),
        (format!("batch {version}"), batch["entry"][1]["resource"].clone()),
    ]
}

#[test]
fn every_way_to_a_resource_can_be_cut() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("部分", "part-1", "2024-04-01"));
    let id = tester.create(&observation(&who));
    // The digits that a JSON library would drop.
    let digits = tester.get(&format!("Observation/{id}")).text().replace("7.5", "7.50");
    let answer = tester.request("POST", "Observation").body("application/fhir+json", digits).send().expect(201);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let all = vec![
        "category",
        "code",
        "component",
        "effectiveDateTime",
        "method",
        "note",
        "referenceRange",
        "status",
        "subject",
        "text",
        "valueQuantity",
    ];
    let without_text: Vec<&str> = all.iter().copied().filter(|name| *name != "text").collect();
    let cases: Vec<(&str, Vec<&str>, bool)> = vec![
        ("_summary=false", all.clone(), false),
        ("_summary=text", vec!["code", "status", "text"], true),
        ("_summary=data", without_text, true),
        ("_summary=true", vec!["code", "component", "effectiveDateTime", "status", "subject", "valueQuantity"], true),
        ("_elements=note", vec!["code", "note", "status"], true),
        ("_elements=value", vec!["code", "status", "valueQuantity"], true),
        ("_elements=value[x]", vec!["code", "status", "valueQuantity"], true),
        ("_elements=valueQuantity,subject", vec!["code", "status", "subject", "valueQuantity"], true),
        ("_elements=id", vec!["code", "status"], true),
        ("_elements=Observation.note", vec!["code", "note", "status"], true),
        ("_elements=Patient.name", all, false),
        ("_elements=code&_summary=false", vec!["code", "status"], true),
    ];
    let mut checks = 0;
    for (query, expected, tagged) in cases {
        for (way, resource) in ways(&tester, &id, query) {
            assert_eq!(members(&resource), expected, "{way}");
            assert_eq!(is_tagged(&resource), tagged, "{way}: {resource}");
            assert_eq!((&resource["id"], &resource["resourceType"]), (&json!(id), &json!("Observation")), "{way}");
            assert!(resource["meta"]["lastUpdated"].is_string(), "{way}");
            checks += 1;
        }
    }
    assert_eq!(checks, 84);
    let summary = tester.get(&format!("Observation/{id}?_summary=true")).expect(200);
    assert!(summary.text().contains("7.50"), "digits as stored: {}", summary.text());
    assert_eq!(members(&summary.json()["component"][0]), ["code", "valueString"], "a summary goes down");
    assert_eq!(summary.header("ETag"), Some("W/\"1\""));
}

#[test]
fn a_shape_that_makes_no_sense_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("部分", "part-2", "2024-04-01"));
    let id = tester.create(&weight(&who, "2026-01-10", "7.5"));
    for query in [
        "_summary=some",
        "_summary=",
        "_summary=true&_summary=true",
        "_elements=nothing",
        "_elements=",
        "_elements=code,",
        "_elements=code.coding",
        "_elements=Nothing.code",
        "_elements=code&_summary=text",
        "_elements=code&_elements=status",
    ] {
        for path in [
            format!("Observation/{id}"),
            format!("Observation/{id}/_history/1"),
            format!("Observation/{id}/_history"),
            "Observation".to_owned(),
        ] {
            let refused = tester.get(&format!("{path}?{query}")).refused(400).json();
            let named = refused["issue"][0]["expression"][0].as_str().unwrap_or_default().to_owned();
            assert!(named == "_summary" || named == "_elements", "{path}?{query}: {refused}");
        }
    }
    tester.get(&format!("Observation/{id}?_summary=count")).refused(400);
    tester.get(&format!("Observation/{id}/_history?_summary=count")).refused(400);
    for include in ["_include=Observation:subject", "_revinclude=Provenance:target"] {
        tester.get(&format!("Observation?_id={id}&_summary=text&{include}")).refused(400);
    }
    // Neither is there anything to learn about what is not there.
    tester.get("Observation/none?_summary=some").refused(400);
    tester.get("Observation/none?_summary=true").refused(404);
}

#[test]
fn a_part_is_not_written_back() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("部分", "part-3", "2024-04-01"));
    for query in ["_summary=true", "_summary=data", "_summary=text", "_elements=name"] {
        let part = tester.get(&format!("Patient/{who}?{query}")).expect(200).json();
        let refused = tester.put(&format!("Patient/{who}"), &part).refused(422).json();
        assert_eq!(refused["issue"][0]["expression"][0], "Patient.meta.tag", "{query}");
        let entry = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": part, "request": {"method": "PUT", "url": format!("Patient/{who}")}}]});
        tester.post("", &entry).refused(422);
    }
    let whole = tester.get(&format!("Patient/{who}")).expect(200).json();
    tester.put(&format!("Patient/{who}"), &whole).expect(200);
}

#[test]
fn the_next_pages_are_cut_too_and_included_resources_only_by_their_name() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("部分", "part-4", "2024-04-01"));
    let ids: Vec<String> = (1..4).map(|day| tester.create(&weight(&who, &format!("2026-01-1{day}"), "7.5"))).collect();
    let mut url = format!("Observation?subject=Patient/{who}&_count=1&_elements=subject&_include=Observation:subject");
    for id in &ids {
        let page = tester.search(&url);
        let entries = page["entry"].as_array().expect("entries").clone();
        assert_eq!(entries[0]["resource"]["id"], json!(id));
        assert_eq!(members(&entries[0]["resource"]), ["code", "status", "subject"]);
        assert!(entries[1]["resource"]["birthDate"].is_string(), "the Patient is whole: {page}");
        if let Some(next) = techo_conformance_tests::world::link(&page, "next") {
            next.clone_into(&mut url);
        }
    }
    let named = format!("Observation?_id={}&_include=Observation:subject&_elements=subject,Patient.gender", ids[0]);
    let page = tester.search(&named);
    assert_eq!(members(&page["entry"][1]["resource"]), ["gender"], "{page}");
    let summary = format!("Observation?_id={}&_include=Observation:subject&_summary=true", ids[0]);
    assert!(is_tagged(&tester.search(&summary)["entry"][1]["resource"]));
    // A history goes on in the same shape and page size.
    for weight in ["7.6", "7.7"] {
        let mut next = tester.get(&format!("Observation/{}", ids[0])).json();
        next["valueQuantity"]["value"] = serde_json::from_str(weight).expect("a number");
        tester.put(&format!("Observation/{}", ids[0]), &next).expect(200);
    }
    let mut url = Some(format!("Observation/{}/_history?_count=1&_elements=subject", ids[0]));
    let mut pages = 0;
    while let Some(at) = url {
        let page = tester.search(&at);
        let entries = page["entry"].as_array().expect("entries");
        assert_eq!((entries.len(), members(&entries[0]["resource"]).len()), (1, 3), "{page}");
        pages += 1;
        url = techo_conformance_tests::world::link(&page, "next").map(str::to_owned);
    }
    assert_eq!(pages, 3);
}

#[test]
fn the_capability_statement_can_be_cut() {
    let world = World::new();
    let get = |query: &str| Request::get(&format!("{}/metadata?{query}", world.base)).send();
    let whole = get("").expect(200).json();
    for (query, expected) in [("_summary=false", true), ("_summary=data", true), ("_summary=text", false)] {
        let part = get(query).expect(200).json();
        assert_eq!(part["software"].is_object(), expected, "{query}");
        assert_eq!(part["fhirVersion"], "4.0.1", "{query}");
    }
    let summary = get("_summary=true").expect(200).json();
    assert!(is_tagged(&summary) && summary["rest"][0]["resource"][0]["interaction"].is_null(), "{summary}");
    let elements = get("_elements=format").expect(200).json();
    assert_eq!(members(&elements), ["date", "fhirVersion", "format", "kind", "status"]);
    assert_eq!(whole["meta"], Value::Null);
    for query in ["_summary=some", "_summary=count", "_elements=nothing"] {
        get(query).refused(400);
    }
}

#[test]
fn what_is_redacted_stays_so_in_a_part() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("部分", "part-5", "2024-04-01"));
    let mut resource = observation(&who);
    resource["subject"]["display"] = json!("部分 花子");
    let id = tester.create(&resource);
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city"));
    for query in ["_summary=true", "_summary=data", "_summary=text", "_elements=subject,text"] {
        for (way, resource) in ways(&town, &id, query) {
            let text = resource.to_string();
            assert!(!text.contains("花子") && resource["text"].is_null(), "{way}: {text}");
            assert!(is_tagged(&resource) && text.contains("REDACTED"), "{way}: {text}");
        }
    }
}
