//! Whatever tells of a citizen is on her record: counts, answers that find nothing, versions
//! that do not fit, labels that change nothing.

use serde_json::{Value, json};
use techo_conformance_tests::http::Response;
use techo_conformance_tests::imports::{row, send};
use techo_conformance_tests::sample::{IDENTIFIERS, consent, patient, quantity, transaction, urn, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

/// Her record as her side reads it.
struct Trail {
    auditor: Caller,
    patient: &'static str,
}

impl Trail {
    fn of(world: &World, user: &str, patient: &'static str) -> Self {
        let ask = Ask::new("app-secret", user, "launch/patient patient/AuditEvent.rs").of(patient);
        Self { auditor: world.approve(&ask), patient }
    }

    /// The events of a program, newest first.
    fn events(&self, client: &str) -> Vec<Value> {
        let found = self.auditor.search(&format!("AuditEvent?patient={}&_count=1000", self.patient));
        let events = found["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone());
        events.filter(|event| event.to_string().contains(&format!("Device/{client}\""))).collect()
    }

    /// What is asked is answered so, and that is one event.
    #[track_caller]
    fn told(&self, client: &str, status: u16, what: &str, ask: impl FnOnce() -> Response) -> Response {
        let before = self.events(client).len();
        let answer = ask();
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(self.events(client).len(), before + 1, "{what} by {client}: {}", answer.text());
        answer
    }
}

/// An organization with which she shares two kinds of records.
fn recipient(world: &World) -> Caller {
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    for kind in ["Observation", "Immunization"] {
        mother.create(&consent("pt-mei", "RelatedPerson/rp-hanako-mei", "permit", kind, "Organization/org-test"));
    }
    world.tester()
}

fn matching(caller: &Caller, method: &str, path: &str, version: u32, body: &Value) -> Response {
    caller.request(method, path).header("If-Match", &format!("W/\"{version}\"")).fhir(body).send()
}

fn height(value: &str) -> Value {
    let mut resource = quantity("pt-mei", "8302-2", "2026-05-05", value, "cm");
    resource["identifier"] = json!([{"system": IDENTIFIERS, "value": "told"}]);
    resource
}

/// A value was found to its last digit by counts, and nothing was on record.
#[test]
fn a_count_is_on_record() {
    let world = World::new();
    let mei = Trail::of(&world, "hanako", "pt-mei");
    let id = world.importer().create(&height("82.5"));
    for (client, caller) in [("tester", recipient(&world)), ("importer", world.importer())] {
        let get = |query: &str| mei.told(client, 200, query, || caller.get(query)).json();
        for (query, total) in [
            (format!("Observation?_id={id}&value-quantity=gt82&_summary=count"), 1),
            (format!("Observation?_id={id}&value-quantity=gt83&_summary=count"), 0),
            (format!("Observation?_id={id}&value-quantity=gt82&_count=0"), 1),
            (format!("Observation?identifier={IDENTIFIERS}|told&value-quantity=gt83&_summary=count"), 0),
            ("Observation?patient=pt-mei&value-quantity=gt82.4&value-quantity=lt82.6&_summary=count".into(), 1),
            ("Observation?patient=pt-mei,pt-mei&value-quantity=gt999&_count=0".into(), 0),
            ("?_type=Observation,Immunization&patient=pt-mei&_lastUpdated=gt2100-01-01&_count=0".into(), 0),
            ("Patient/pt-mei/Observation?value-quantity=gt999&_count=0".into(), 0),
            // Nobody is named, and it counts hers.
            (
                format!(
                    "Observation?code=8302-2&date=2026-05-05&value-quantity=gt82&identifier={IDENTIFIERS}|&_summary=count"
                ),
                1,
            ),
            (format!("Observation/{id}/_history?_count=0"), 1),
        ] {
            let found = get(&query);
            assert_eq!(found["total"], total, "{query}: {found}");
            assert!(found["entry"].is_null(), "{query}: {found}");
        }
        for query in ["Observation/_history?_count=0", "_history?_count=0", "Observation?_summary=count"] {
            assert!(get(query)["total"].as_u64() > Some(0), "{query}");
        }
        // As an entry: its event says what was asked.
        let entry = json!({"request": {"method": "GET", "url": "Observation?patient=pt-mei&_summary=count"}});
        for kind in ["batch", "transaction"] {
            let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
            mei.told(client, 200, kind, || caller.post("", &bundle));
            let event = mei.events(client).remove(0).to_string();
            assert!(event.contains("\"search\"") && event.contains("Observation"), "{kind}: {event}");
        }
    }
}

/// That there is none tells too.
#[test]
fn an_answer_that_finds_nothing_is_on_the_record_of_whom_it_names() {
    let world = World::new();
    let mei = Trail::of(&world, "hanako", "pt-mei");
    let id = world.importer().create(&height("82.5"));
    for (client, caller) in [("tester", recipient(&world)), ("importer", world.importer())] {
        // The caller's own List, about nobody, names what it holds.
        let list = caller.create(&json!({"resourceType": "List", "status": "current", "mode": "working",
            "entry": [{"item": {"reference": format!("Observation/{id}")}}]}));
        for query in [
            format!("Observation?_list={list}&value-quantity=gt999"),
            format!("Observation?_has:List:item:_id={list}&value-quantity=gt999"),
            "Observation?patient=pt-mei&value-quantity=gt999".to_owned(),
            "Observation?subject=Patient/pt-mei&value-quantity=gt999".into(),
            "Observation?patient:Patient._id=pt-mei&value-quantity=gt999".into(),
            "Patient/pt-mei/Observation?value-quantity=gt999".into(),
            format!("Observation?_id={id}&value-quantity=gt999"),
            format!("Observation?identifier={IDENTIFIERS}|told&value-quantity=gt999"),
            "Observation?_query=latest&patient=pt-mei&value-quantity=gt999".into(),
            "Observation/$lastn?patient=pt-mei&code=none-such".into(),
            format!("Observation/{id}/_history?_since=2100-01-01"),
        ] {
            let found = mei.told(client, 200, &query, || caller.get(&query)).json();
            assert!(found["entry"].is_null(), "{query}: {found}");
        }
        for query in [
            "Organization?_has:Immunization:performer:patient=pt-mei".to_owned(),
            format!("Organization?_has:Observation:performer:_id={id}"),
        ] {
            mei.told(client, 200, &query, || caller.get(&query));
        }
    }
    let (town, nothing) =
        (world.importer(), "Patient/pt-mei/$everything?_type=Immunization&_since=2100-01-01T00:00:00Z");
    let found = mei.told("importer", 200, nothing, || town.get(nothing)).json();
    assert!(found["entry"].is_null(), "{found}");
    // An app is about its patient, whom its questions need not name.
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    for query in ["Observation?value-quantity=gt999", "Organization?_has:Observation:performer:code=none-such"] {
        mei.told("app-public", 200, query, || app.get(query));
    }
}

/// Nobody fills the record of a person of whom she is shown nothing, and no answer differs.
#[test]
fn who_is_shown_nothing_of_her_leaves_no_trace() {
    let world = World::new();
    let stranger = Trail::of(&world, "stranger", "pt-stranger");
    let tester = world.tester();
    assert_eq!(tester.get("Patient/pt-stranger").status, 404);
    let before = stranger.events("tester").len();
    for who in ["pt-stranger", "pt-nobody"] {
        for query in [
            format!("Observation?patient={who}&_summary=count"),
            format!("Observation?patient={who},pt-mei&value-quantity=gt999"),
            format!("Patient?_id={who}&gender=female"),
            format!("Organization?_has:Observation:performer:patient={who}&_count=0"),
        ] {
            let found = tester.search(&query);
            assert!(found["total"] == 0 && found["entry"].is_null(), "{query}: {found}");
        }
    }
    assert_eq!(stranger.events("tester").len(), before);
}

/// More than a hundred people's records are statistics.
#[test]
fn a_count_of_very_many_is_on_nobodys_record() {
    let world = World::new();
    let mei = Trail::of(&world, "hanako", "pt-mei");
    let town = world.importer();
    let mut all = Vec::new();
    for number in 0..100 {
        all.push((urn(number), patient("統", &format!("told-{number}"), "2024-04-01")));
        let mut one = quantity("x", "8287-5", "2026-05-05", "45", "cm");
        one["subject"]["reference"] = json!(urn(number));
        all.push((urn(1000 + number), one));
    }
    town.post("", &transaction(&all)).expect(200);
    let count =
        || town.get("Observation?code=8287-5&date=2026-05-05&_summary=count").expect(200).json()["total"].clone();
    let before = mei.events("importer").len();
    assert_eq!(count(), 100);
    assert_eq!(mei.events("importer").len(), before);
    // Whoever is named is told, however many there are.
    town.create(&quantity("pt-mei", "8287-5", "2026-05-05", "45", "cm"));
    let before = mei.events("importer").len();
    assert_eq!(count(), 101);
    assert_eq!(mei.events("importer").len(), before);
    let named = "Observation?code=8287-5&date=2026-05-05&_summary=count&_filter=status%20eq%20final%20or%20patient%20eq%20pt-mei";
    mei.told("importer", 200, named, || town.get(named));
}

#[test]
fn labels_in_use_are_on_record() {
    let world = World::new();
    let mei = Trail::of(&world, "hanako", "pt-mei");
    for (client, caller) in [("tester", recipient(&world)), ("importer", world.importer())] {
        for path in ["Observation/$meta", "$meta"] {
            mei.told(client, 200, path, || caller.get(path));
        }
    }
    let town = world.importer();
    let path = format!("Observation/{}", town.create(&weight("pt-mei", "2026-05-05", "12")));
    let meta = json!({"tag": [{"system": "urn:t", "code": "a"}]});
    let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]});
    for name in ["meta-delete", "meta-add", "meta-add"] {
        mei.told("importer", 200, name, || town.post(&format!("{path}/${name}"), &parameters));
    }
}

/// A version that does not fit tells which one is there.
#[test]
fn what_a_write_tells_is_on_record() {
    let world = World::new();
    let mei = Trail::of(&world, "hanako", "pt-mei");
    let town = world.importer();
    let mut own = height("82.5");
    let id = town.create(&own);
    own["id"] = json!(id);
    let path = format!("Observation/{id}");
    for method in ["PUT", "DELETE"] {
        mei.told("importer", 412, method, || matching(&town, method, &path, 7, &own));
    }
    for mode in ["update", "delete"] {
        let parameters = json!({"resourceType": "Parameters", "parameter": [
            {"name": "mode", "valueCode": mode}, {"name": "resource", "resource": own}]});
        mei.told("importer", 200, mode, || town.post(&format!("{path}/$validate"), &parameters));
    }
    mei.told("importer", 200, "update at the type", || {
        let parameters = json!({"resourceType": "Parameters", "parameter": [
            {"name": "mode", "valueCode": "update"}, {"name": "resource", "resource": own}]});
        town.post("Observation/$validate", &parameters)
    });
    let none = format!("_id={id}&value-quantity=gt999");
    mei.told("importer", 204, "a delete of nothing", || town.delete(&format!("Observation?{none}")));
    // What is written is about another, and that nothing of hers matched is told.
    let other = town.create(&patient("他", "told-other", "2024-04-01"));
    mei.told("importer", 201, "a create under a condition", || {
        let request = town.request("POST", "Observation").header("If-None-Exist", &none);
        request.fhir(&weight(&other, "2026-05-05", "12")).send()
    });
    let note = |query: &str| {
        let basic = json!({"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": format!("Patient/{other}")},
            "extension": [{"url": "https://x.example/e", "valueReference": {"reference": query}}]});
        transaction(&[(urn(9), basic)])
    };
    let which = format!("Observation?identifier={IDENTIFIERS}|told");
    mei.told("importer", 200, "a conditional reference", || town.post("", &note(&which)));
    let none = format!("{which}&value-quantity=gt999");
    let before = mei.events("importer").len();
    assert!(town.post("", &note(&none)).status >= 400);
    assert_eq!(mei.events("importer").len(), before + 1, "a conditional reference to nothing");
}

/// Whether a Provenance may be written depends on whom its target is about.
#[test]
fn a_target_that_is_pointed_at_is_on_record() {
    let world = World::new();
    let mei = Trail::of(&world, "hanako", "pt-mei");
    let tester = recipient(&world);
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let id = mother.create(&height("82.5"));
    tester.get(&format!("Observation/{id}")).expect(200);
    let about = |target: &str| {
        json!({"resourceType": "Provenance", "target": [{"reference": target}], "recorded": "2026-05-05T00:00:00Z",
            "agent": [{"who": {"reference": "Organization/org-test"}}]})
    };
    let hers = about(&format!("Observation/{id}"));
    let judged = |resource: &Value| {
        json!({"resourceType": "Parameters", "parameter": [
            {"name": "mode", "valueCode": "create"}, {"name": "resource", "resource": resource}]})
    };
    mei.told("tester", 403, "a create", || tester.post("Provenance", &hers));
    mei.told("tester", 200, "a check", || tester.post("Provenance/$validate", &judged(&hers)));
    mei.told("app-public", 201, "a create of hers", || mother.post("Provenance", &hers));
    // What is hidden is not looked at.
    let mut hidden = json!({"resourceType": "Condition", "subject": {"reference": "Patient/pt-mei"}});
    hidden["code"] = json!({"text": "内緒"});
    let hidden = about(&format!("Condition/{}", mother.create(&hidden)));
    let before = mei.events("tester").len();
    tester.post("Provenance", &hidden);
    tester.post("Provenance/$validate", &judged(&hidden));
    assert_eq!(mei.events("tester").len(), before);
}

/// What was given to another patient was never hers, by her record.
#[test]
fn what_is_given_to_another_is_on_both_records() {
    let world = World::new();
    let (mei, taro) = (Trail::of(&world, "hanako", "pt-mei"), Trail::of(&world, "hanako", "pt-taro"));
    let town = world.importer();
    let id = town.create(&weight("pt-mei", "2026-05-05", "12"));
    let path = format!("Observation/{id}");
    let about = |who: &str| {
        let mut resource = weight(who, "2026-05-05", "12");
        resource["id"] = json!(id);
        resource
    };
    let updates = |trail: &Trail| {
        let events = trail.events("importer");
        events.iter().filter(|event| event["action"] == "U" && event.to_string().contains(&path)).count()
    };
    assert_eq!((updates(&mei), updates(&taro)), (0, 0));
    mei.told("importer", 200, "given away", || town.put(&path, &about("pt-taro")));
    assert_eq!((updates(&mei), updates(&taro)), (1, 1));
    let back = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": about("pt-mei"), "request": {"method": "PUT", "url": path}}]});
    town.post("", &back).expect(200);
    assert_eq!((updates(&mei), updates(&taro)), (2, 2));
    // What is hers alone again is nothing to him.
    mei.told("importer", 200, "changed", || town.put(&path, &about("pt-mei")));
    assert_eq!((updates(&mei), updates(&taro)), (3, 2));
}

/// An import that changes nothing tells that all of it is there; a person who does not fit
/// tells what her Patient says.
#[test]
fn every_import_is_on_record() {
    let world = World::new();
    let (mei, town) = (Trail::of(&world, "hanako", "pt-mei"), world.importer());
    let body = row("61.2")
        .replace("0000088001", "0000077002")
        .replace("訂正　一子,テイセイ　イチコ,2023-05-10", "山田　芽衣,ヤマダ　メイ,2026-07-10")
        .replace("2023-09-03", "2026-10-20");
    for what in ["new", "unchanged", "unchanged again"] {
        mei.told("importer", 200, what, || send(&town, "checkups.csv", &body));
    }
    let event = mei.events("importer").remove(0).to_string();
    assert!(event.contains("Observation") && event.contains("Encounter"), "{event}");
    mei.told("importer", 200, "corrected", || send(&town, "checkups.csv", &body.replace("61.2", "62.2")));
    mei.told("importer", 200, "another birth date", || {
        send(&town, "checkups.csv", &body.replace("2026-07-10", "2026-07-11"))
    });
    // A line for each of two days is one record.
    let lines: Vec<&str> = body.lines().collect();
    let two = format!("{}\r\n{}\r\n{}\r\n", lines[0], lines[1], lines[1].replace("2026-10-20", "2026-10-21"));
    for what in ["two lines", "two lines again"] {
        mei.told("importer", 200, what, || send(&town, "checkups.csv", &two));
    }
    let notebook = "JAHISTC08,1\r\n1,山田　芽衣,2,20260710,,,,,,,ﾔﾏﾀﾞ ﾒｲ\r\n2,1,そばアレルギー,2\r\n";
    for what in ["a notebook", "the same notebook"] {
        mei.told("importer", 200, what, || {
            let sent = town.request("POST", "$import?patient=pt-mei");
            sent.body("text/plain", notebook.as_bytes().to_vec()).send()
        });
    }
}

/// A transaction of more than five hundred conditions on people was written, answered 500, and on
/// nobody's record.
#[test]
fn many_conditions_are_on_the_record_of_whom_they_name() {
    let world = World::new();
    let tester = recipient(&world);
    let mei = Trail::of(&world, "hanako", "pt-mei");
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    mother.create(&consent("pt-mei", "RelatedPerson/rp-hanako-mei", "permit", "Patient", "Organization/org-test"));
    let town = world.importer();
    let mut daughter = town.get("Patient/pt-mei").json();
    daughter["identifier"] = json!([{"system": IDENTIFIERS, "value": "named-0"}]);
    town.put("Patient/pt-mei", &daughter).expect(200);
    let who = tester.create(&patient("条", "conditions", "2024-04-01"));
    let record = weight(&who, "2026-01-10", "6.1");
    let entry = |number: u32| {
        let condition = format!("patient.identifier={IDENTIFIERS}|named-{number}&code=none-{number}");
        json!({"resource": record, "request": {"method": "POST", "url": "Observation", "ifNoneExist": condition}})
    };
    let entries: Vec<Value> = (0..520).map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let before = mei.events("tester").len();
    tester.post("", &bundle).expect(200);
    assert_eq!(mei.events("tester").len(), before + 1);
    assert_eq!(tester.search(&format!("Observation?patient={who}&_summary=count"))["total"], 520);
}
