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
