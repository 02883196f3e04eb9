//! The language of search is no way round the view: what a chain, a reverse chain,
//! a list or a filter finds tells nothing of what the caller cannot see.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{IDENTIFIERS, consent, laboratory, patient, quantity, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

/// Alike but for the text asked for: whether it is hidden or never was must not show.
#[track_caller]
fn alike(caller: &Caller, hidden: &str, never: &str, query: &str) {
    let ask = |text: &str| caller.get(&query.replace("{}", &encode(text)));
    assert_eq!(fingerprint(&ask(hidden), &encode(hidden)), fingerprint(&ask(never), &encode(never)), "{query}");
}

fn visit(who: &str, class: &str) -> Value {
    json!({"resourceType": "Encounter", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": class},
        "subject": {"reference": format!("Patient/{who}")}})
}

/// A chain over what the token's scopes do not cover finds nothing, whatever is there.
#[test]
fn a_chain_does_not_reach_a_type_out_of_scope() {
    let world = World::new();
    let wide = world.mother_for_daughter();
    let name = wide.get("Patient/pt-mei").expect(200).json()["name"][0]["family"].as_str().expect("a name").to_owned();
    let found = wide.ids(&format!("Observation?patient.family={}&_count=1", encode(&name)));
    assert_eq!(found.len(), 1, "who may see both finds by the chain");
    let scope = "launch/patient patient/Observation.rs";
    let narrow = world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    assert!(!narrow.ids("Observation?patient=pt-mei&_count=1").is_empty());
    let never = "無".repeat(name.chars().count());
    for query in [
        "Observation?patient.family={}",
        "Observation?subject:Patient.name={}",
        "Observation?subject.name:contains={}&_total=accurate",
        "Observation?patient.family={}&_summary=count",
        "Observation?_filter=patient.family%20eq%20%22{}%22",
        "Observation?_filter=not%20(patient.family%20eq%20%22{}%22)&_count=1",
        "Observation?_has:Provenance:target:patient.family={}",
    ] {
        alike(&narrow, &name, &never, query);
    }
    assert_eq!(narrow.ids("Observation?patient.gender=female,male,other,unknown"), [""; 0]);
    assert_eq!(narrow.ids("Observation?_has:Provenance:target:recorded=gt1900"), [""; 0]);
    narrow.get("Patient?_has:Observation:patient:status=final").refused(403);
}

/// The directory is open to every app; who treats whom is not.
#[test]
fn a_reverse_chain_does_not_tell_of_strangers_records() {
    let world = World::new();
    let tester = world.tester();
    let doctor = tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": "逆"}]}));
    let who = tester.create(&patient("逆鎖", "reverse-1", "2024-04-01"));
    let mut secret = quantity(&who, "77777-7", "2026-01-10", "1", "kg");
    secret["performer"] = json!([{"reference": format!("Practitioner/{doctor}")}]);
    let hidden = tester.create(&secret);
    assert_eq!(tester.ids("Practitioner?_has:Observation:performer:code=77777-7"), std::slice::from_ref(&doctor));
    let never = "n".repeat(hidden.len());
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    app.get(&format!("Practitioner/{doctor}")).expect(200);
    for caller in [&app, &world.stranger(), &world.mother()] {
        for (hidden, never, query) in [
            ("77777-7", "77777-8", "Practitioner?_has:Observation:performer:code={}"),
            (&*hidden, &*never, "Practitioner?_has:Observation:performer:_id={}"),
            (&*who, &*never, "Practitioner?_has:Observation:performer:patient={}"),
            ("reverse-1", "reverse-2", "Practitioner?_has:Observation:performer:patient.identifier={}&_total=accurate"),
            ("77777-7", "77777-8", "Practitioner?_filter=not%20(_id%20eq%20{})&name=逆"),
        ] {
            let query = query.replace('逆', &encode("逆"));
            alike(caller, hidden, never, &query);
        }
        assert!(!caller.ids("Practitioner?_has:Observation:performer:code=77777-7").contains(&doctor));
    }
}

/// A town to which all but one thing is shared: by no way of asking does that one show.
#[test]
fn what_is_denied_takes_no_part_in_a_chain() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("拒鎖", "denied-1", "2024-04-01"));
    let secret = laboratory(&who, "2026-01-11");
    let open_visit = tester.create(&visit(&who, "AMB"));
    let code = secret["code"]["coding"][0].clone();
    let hidden = tester.create(&secret);
    let at = |encounter: &str| {
        let mut resource = weight(&who, "2026-01-10", "6.1");
        resource["encounter"] = json!({"reference": format!("Encounter/{encounter}")});
        tester.create(&resource)
    };
    let shown = at(&open_visit);
    for class in ["Patient", "Observation", "Encounter", "List"] {
        tester.create(&consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city"));
    }
    let list = |id: &str| {
        tester.create(&json!({"resourceType": "List", "status": "current", "mode": "working",
            "subject": {"reference": format!("Patient/{who}")},
            "entry": [{"item": {"reference": format!("Observation/{id}")}}]}))
    };
    let (shown_list, hidden_list) = (list(&shown), list(&hidden));
    let queries = [
        format!("Patient?_has:Observation:patient:_id={hidden}"),
        format!("Patient?_has:Observation:patient:code=20454-5&identifier={IDENTIFIERS}|denied-1"),
        format!("Patient?_filter={}&_has:Observation:patient:code=20454-5", encode("identifier eq denied-1")),
        format!("Observation?_list={hidden_list}"),
        format!("Encounter?patient._has:Observation:patient:_id={hidden}"),
        format!("Observation?_has:List:item:_id={hidden_list}"),
        format!("Patient?_has:Encounter:patient:_has:Observation:encounter:_id={shown}"),
        format!("Observation?encounter.class=AMB&patient={who}"),
    ];
    for query in &queries {
        assert_eq!(town.ids(query).len(), 1, "before it is denied: {query}");
    }
    assert_eq!(town.ids(&format!("Observation?_list={shown_list}")), std::slice::from_ref(&shown));
    let mut deny = consent(&who, &format!("Patient/{who}"), "deny", "Observation", "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [code]}]);
    tester.create(&deny);
    for query in &queries[..6] {
        assert_eq!(town.ids(query), [""; 0], "{query}");
    }
    for query in &queries[6..] {
        assert_eq!(town.ids(query).len(), 1, "{query}");
    }
    tester.create(&consent(&who, &format!("Patient/{who}"), "deny", "Encounter", "Organization/org-city"));
    for query in &queries {
        assert_eq!(town.ids(query), [""; 0], "{query}");
    }
    // What is hidden and what never was are the same to every question.
    let (never, none) = ("n".repeat(hidden.len()), "n".repeat(hidden_list.len()));
    for query in [
        "Patient?_has:Observation:patient:_id={}",
        "Patient?_has:Observation:patient:_id={}&_total=accurate",
        "Patient?_has:Observation:patient:_has:Provenance:target:_id={}",
        "Encounter?patient._has:Observation:patient:_id={}",
    ] {
        alike(&town, &hidden, &never, query);
    }
    for query in ["Observation?_list={}", "Patient?_list={}&_summary=count", "Observation?_has:List:item:_id={}"] {
        alike(&town, &hidden_list, &none, query);
    }
    alike(&town, "AMB", "IMP", &format!("Observation?patient={who}&encounter.class={{}}"));
    alike(&town, "AMB", "IMP", &format!("Observation?patient={who}&_filter=not%20(encounter.class%20eq%20{{}})"));
    alike(&town, "AMB", "IMP", &format!("Observation?patient={who}&_filter=encounter.class%20ne%20{{}}"));
    alike(&town, "AMB", "IMP", &format!("Observation?patient={who}&encounter.class:not={{}}"));
    assert_eq!(town.ids(&format!("Observation?patient={who}")), std::slice::from_ref(&shown));
}

/// What a condition finds is decided by the same view.
#[test]
fn a_condition_with_a_chain_tells_nothing_of_hidden_things() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("条鎖", "condition-1", "2024-04-01"));
    tester.create(&weight(&who, "2026-01-10", "6.1"));
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let answer = |condition: &str| {
        let body = weight("pt-mei", "2026-06-01", "9.9");
        let answer = mother.request("POST", "Observation").header("If-None-Exist", condition).fhir(&body).send();
        answer.status
    };
    assert_eq!(answer("patient.identifier=condition-1&code=29463-7"), 201, "a match that is hidden is none");
    assert_eq!(answer("patient.identifier=condition-9&code=29463-7"), 201);
    assert_eq!(answer("_filter=patient.identifier%20eq%20condition-1"), 201);
}

/// For many people and many questions: a chain finds exactly what its caller could
/// have put together from two searches of her own.
#[test]
fn a_chain_tells_no_more_than_two_searches_do() {
    let world = World::new();
    let tester = world.tester();
    let scope = "launch/patient patient/Observation.rs patient/Encounter.rs";
    let callers = [
        ("mother", world.mother()),
        ("mother for her daughter", world.mother_for_daughter()),
        ("stranger", world.stranger()),
        ("narrow app", world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"))),
        ("user", world.approve(&Ask::new("app-secret", "hanako", "user/*.rs").of("pt-mei"))),
        ("town", world.importer()),
        ("tester", world.tester()),
    ];
    let doctor = tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": "両"}]}));
    let who = tester.create(&patient("両鎖", "both-1", "2024-04-01"));
    let mut record = weight(&who, "2026-01-10", "6.1");
    record["performer"] = json!([{"reference": format!("Practitioner/{doctor}")}]);
    tester.create(&record);
    // Type, reference, its JSON name, target type, condition on the target.
    let forward = [
        ("Observation", "patient", "subject", "Patient", "gender=female"),
        ("Observation", "subject:Patient", "subject", "Patient", "birthdate=lt2025"),
        ("Observation", "performer:Organization", "performer", "Organization", "active:missing=true"),
        ("Immunization", "patient", "patient", "Patient", "_lastUpdated=gt2000"),
        ("Encounter", "patient", "subject", "Patient", "gender:not=male"),
        ("Observation", "encounter", "encounter", "Encounter", "status=finished"),
        ("Observation", "performer:Practitioner", "performer", "Practitioner", "_lastUpdated=gt2000"),
        ("Provenance", "target:Observation", "target", "Observation", "status=final"),
    ];
    let backward = [
        ("Patient", "Observation", "patient", "subject", "code=29463-7"),
        ("Patient", "Observation", "subject", "subject", "value-quantity=gt5"),
        ("Patient", "Immunization", "patient", "patient", "status=completed"),
        ("Practitioner", "Observation", "performer", "performer", "status=final"),
        ("Organization", "Observation", "performer", "performer", "date=gt1900"),
        ("Organization", "Immunization", "performer", "performer", "status=completed"),
        ("Observation", "Provenance", "target", "target", "recorded=gt1900"),
    ];
    let mut checks = 0;
    for (name, caller) in &callers {
        for (kind, reference, element, target, condition) in forward {
            let asked = places(caller, target, condition);
            let (parameter, value) = condition.split_once('=').expect("a condition");
            let expected: BTreeSet<String> = all(caller, kind, "")
                .iter()
                .filter(|resource| references(&resource[element]).iter().any(|one| asked.contains(one)))
                .map(place)
                .collect();
            let found = places(caller, kind, &format!("{reference}.{parameter}={value}"));
            assert_eq!(found, expected, "{name}: {kind}?{reference}.{condition}");
            checks += 1;
        }
        for (kind, source, reference, element, condition) in backward {
            let named: BTreeSet<String> =
                all(caller, source, condition).iter().flat_map(|one| references(&one[element])).collect();
            let expected: BTreeSet<String> = places(caller, kind, "").intersection(&named).cloned().collect();
            let found = places(caller, kind, &format!("_has:{source}:{reference}:{condition}"));
            assert_eq!(found, expected, "{name}: {kind}?_has:{source}:{reference}:{condition}");
            checks += 1;
        }
    }
    assert_eq!(checks, callers.len() * (forward.len() + backward.len()));
}

/// All that a caller finds; nothing where the scopes never allow it.
fn all(caller: &Caller, kind: &str, condition: &str) -> Vec<Value> {
    let answer = caller.get(&format!("{kind}?{condition}&_count=1000"));
    if answer.status == 403 {
        return Vec::new();
    }
    let bundle = answer.expect(200).json();
    assert!(techo_conformance_tests::world::link(&bundle, "next").is_none(), "all on one page: {kind}");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| entry["search"]["mode"] == "match")
        .map(|entry| entry["resource"].clone())
        .collect()
}

fn places(caller: &Caller, kind: &str, condition: &str) -> BTreeSet<String> {
    all(caller, kind, condition).iter().map(place).collect()
}

fn place(resource: &Value) -> String {
    let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// Every reference in an element, however deep.
fn references(element: &Value) -> Vec<String> {
    match element {
        Value::Object(members) => {
            let own = members.get("reference").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// A prescription of a medicine that stands in it.
fn prescription(who: &str, code: &str) -> Value {
    json!({"resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "contained": [{"resourceType": "Medication", "id": "m",
            "code": {"coding": [{"system": "https://example.org/codes", "code": code}]},
            "identifier": [{"system": IDENTIFIERS, "value": code}]}],
        "subject": {"reference": format!("Patient/{who}")},
        "medicationReference": {"reference": "#m"}})
}

/// What is contained is as hidden as what holds it.
#[test]
fn a_hidden_holder_tells_nothing_of_what_it_contains() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("容器", "contained-1", "2024-04-01"));
    tester.create(&prescription(&who, "secret-7"));
    let queries = [
        "Medication?code={}&_contained=true",
        "Medication?code={}&_contained=both",
        "Medication?code={}&_contained=true&_containedType=contained",
        "Medication?code={}&_contained=both&_containedType=contained&_total=accurate",
        "Medication?identifier={}&_contained=true&_summary=count",
        "Medication?code={}&_contained=true&_containedType=contained&_sort=-code,_id",
        "?_type=Medication,Organization&identifier={}&_contained=true",
        "?_type=Medication,Organization&identifier={}&_contained=both&_containedType=contained&_sort=_id",
        "Medication?_filter=not%20(code%20eq%20{})&_contained=true",
        "MedicationRequest?medication.code={}",
        "MedicationRequest?medication:Medication.identifier={}&_total=accurate",
        "Patient?_has:MedicationRequest:patient:medication.code={}",
        "Medication?_contained=true&_lastUpdated=gt2020&code={}",
        "Medication?_contained=both&_containedType=contained&_has:MedicationRequest:medication:_lastUpdated=gt2020&code={}",
        "Medication?_contained=true&_has:MedicationRequest:medication:medication.code={}",
    ];
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    let narrow = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Medication.rs").of("pt-mei"));
    for query in &queries[..8] {
        for caller in [&app, &world.stranger(), &world.mother(), &town, &narrow] {
            alike(caller, "secret-7", "secret-8", query);
        }
        let count = tester.get(&query.replace("{}", "secret-7")).expect(200).json()["total"].clone();
        assert_eq!(count, 1, "its keeper finds it: {query}");
    }
    for query in &queries[8..] {
        for caller in [&app, &world.mother(), &town] {
            alike(caller, "secret-7", "secret-8", query);
        }
    }
    let permit = |kind: &str, class: &str| {
        tester.create(&consent(&who, &format!("Patient/{who}"), kind, class, "Organization/org-city"));
    };
    permit("permit", "MedicationRequest");
    assert_eq!(town.ids("Medication?code=secret-7&_contained=true").len(), 1);
    assert_eq!(town.ids("Medication?code=secret-7&_contained=both&_containedType=contained"), ["m"]);
    assert_eq!(town.ids("MedicationRequest?medication.code=secret-7").len(), 1);
    permit("deny", "MedicationRequest");
    for query in queries {
        alike(&town, "secret-7", "secret-8", query);
    }
}

/// Who may see medicines and no prescriptions finds none in one of her own either.
#[test]
fn what_is_contained_is_not_found_in_a_type_out_of_scope() {
    let world = World::new();
    let wide = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    wide.create(&prescription("pt-mei", "scoped-1"));
    assert_eq!(wide.ids("Medication?code=scoped-1&_contained=true").len(), 1);
    assert_eq!(wide.ids("Medication?code=scoped-1&_contained=true&_containedType=contained"), ["m"]);
    let narrow = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Medication.rs").of("pt-mei"));
    for kind in ["container", "contained"] {
        let query = format!("Medication?code={{}}&_contained=both&_containedType={kind}");
        alike(&narrow, "scoped-1", "scoped-2", &query);
        assert_eq!(narrow.ids(&query.replace("{}", "scoped-1")), [""; 0]);
    }
    let other =
        world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/MedicationRequest.rs").of("pt-mei"));
    other.get("Medication?code=scoped-1&_contained=true").refused(403);
    assert_eq!(other.ids("MedicationRequest?medication.code=scoped-1").len(), 1, "a part of what she may read");
}

/// A contained resource that goes out alone loses what it would lose in its holder.
#[test]
fn what_is_contained_names_nobody_who_is_hidden() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("伏名", "contained-2", "2024-04-01"));
    let other = tester.create(&patient("秘名", "contained-3", "2024-04-01"));
    let mut resource = prescription(&who, "named-1");
    let narrative = "<div xmlns=\"http://www.w3.org/1999/xhtml\">秘名</div>";
    resource["contained"] = json!([{"resourceType": "RelatedPerson", "id": "kin", "gender": "female",
        "text": {"status": "generated", "div": narrative},
        "patient": {"reference": format!("Patient/{other}"), "display": "秘名"}}]);
    resource["medicationReference"] = json!({"display": "x"});
    resource["requester"] = json!({"reference": "#kin"});
    tester.create(&resource);
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "MedicationRequest", "Organization/org-city"));
    for query in ["", "&_containedType=contained"] {
        let query = format!("RelatedPerson?_contained=true&gender=female&patient=Patient/{other}{query}");
        let (whole, part) = (tester.get(&query).expect(200).text(), town.get(&query).expect(200).text());
        assert!(whole.contains("秘名"), "{whole}");
        assert!(!part.contains("秘名") && part.contains("REDACTED") && part.contains("\"kin\""), "{part}");
    }
}

/// The number of a hidden patient stood in the reference to her, was read there and found.
#[test]
fn a_reference_to_a_hidden_thing_loses_its_identifier() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("番号", "numbered-1", "2024-04-01"));
    let to =
        json!({"reference": format!("Patient/{who}"), "identifier": {"system": IDENTIFIERS, "value": "hiho-7741"}});
    let mut resource = laboratory(&who, "2026-01-11");
    resource["subject"] = to.clone();
    resource["contained"] = json!([{"resourceType": "RelatedPerson", "id": "kin", "gender": "female", "patient": to}]);
    resource["performer"] = json!([{"reference": "#kin"}]);
    // The blank is one of the forms in which a body may come.
    let body = resource.to_string().replace("\"identifier\":", "\"identifier\" : ");
    let answer = tester.request("POST", "Observation").body("application/fhir+json", body).send();
    let id = answer.expect(201).json()["id"].as_str().expect("an id").to_owned();
    tester.create(&json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "検査"},
        "subject": {"reference": format!("Patient/{who}")}, "result": [{"reference": format!("Observation/{id}")}]}));
    let share = |class: &str| consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city");
    for class in ["Observation", "DiagnosticReport"] {
        tester.create(&share(class));
    }
    let queries = [
        "Observation?subject:identifier={}",
        "Observation?patient:identifier={}&_total=accurate",
        "DiagnosticReport?result.subject:identifier={}",
        "RelatedPerson?_contained=true&patient:identifier={}",
        "RelatedPerson?_contained=true&_containedType=contained&patient:identifier={}",
        "Observation?performer:RelatedPerson.patient:identifier={}",
    ];
    for query in queries {
        assert_eq!(tester.ids(&query.replace("{}", "hiho-7741")).len(), 1, "{query}");
        alike(&town, "hiho-7741", "hiho-7742", query);
    }
    for caller in [&tester, &town] {
        alike(caller, "hiho", "hihu", "Observation?_content={}");
    }
    let path = format!("Observation/{id}");
    let part = town.get(&path).expect(200).json();
    assert_eq!(part["subject"], json!({"reference": format!("Patient/{who}")}));
    assert!(!part.to_string().contains("hiho"), "{part}");
    assert!(tester.get(&path).text().contains("hiho"));
    tester.create(&share("Patient"));
    assert_eq!(town.get(&path).expect(200).json()["subject"]["identifier"]["value"], "hiho-7741");
    for query in queries {
        assert_eq!(town.ids(&query.replace("{}", "hiho-7741")).len(), 1, "{query}");
    }
}

/// It stood beside the reference, and not in it.
#[test]
fn an_identifier_beside_a_reference_to_a_hidden_thing_goes_too() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("番号", "beside-1", "2024-04-01"));
    let subject = json!({"reference": format!("Patient/{who}")});
    let illness = tester.create(&json!({"resourceType": "Condition", "code": {"text": "内緒"}, "subject": subject}));
    let related = |to: &str| {
        json!({"resourceType": "DocumentManifest", "status": "current", "subject": subject,
            "content": [{"reference": "Organization/org-city"}],
            "related": [{"identifier": {"system": IDENTIFIERS, "value": "hiho-8841"}, "ref": {"reference": to}}]})
    };
    let id = tester.create(&related(&format!("Condition/{illness}")));
    let open = tester.create(&related("Organization/org-city"));
    let share = |class: &str| consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city");
    tester.create(&share("DocumentManifest"));
    let asked = format!("DocumentManifest?_id={id}&");
    let queries = ["related-id={}", "related-id:not={}", "_filter=related-id eq {}", "_filter=not (related-id eq {})"]
        .map(|query| format!("{asked}{}", query.replace(' ', "%20")));
    for query in &queries {
        alike(&town, "hiho-8841", "hiho-8842", query);
        let found = |value: &str| tester.ids(&query.replace("{}", value)).len();
        assert_eq!(found("hiho-8841") + found("hiho-8842"), 1, "{query}");
    }
    alike(&town, "hiho", "hihu", &format!("{asked}_content={{}}"));
    tester.get("DocumentManifest?_sort=related-id").refused(400);
    let path = format!("DocumentManifest/{id}");
    let part = town.get(&path).expect(200).json();
    assert_eq!(part["related"], json!([{"ref": {"reference": format!("Condition/{illness}")}}]));
    assert!(part.to_string().contains("REDACTED") && tester.get(&path).text().contains("hiho"), "{part}");
    // What hides nothing, and what is shared, says all.
    assert!(town.get(&format!("DocumentManifest/{open}")).expect(200).text().contains("hiho"));
    tester.create(&share("Condition"));
    assert_eq!(town.get(&path).expect(200).json()["related"][0]["identifier"]["value"], "hiho-8841");
    // By it she finds it where nothing is hidden from her that it refers to.
    tester.create(&share("Patient"));
    assert_eq!(town.ids(&queries[0].replace("{}", "hiho-8841")), [id]);
}

/// A record that names a hidden one beside a narrative, and contains another narrative; and
/// its citizen, who shares such records with the town.
fn telling(tester: &Caller, number: &str) -> (String, String) {
    let who = tester.create(&patient("語名", number, "2024-04-01"));
    let illness = tester.create(&json!({"resourceType": "Condition", "code": {"text": "内緒"},
        "subject": {"reference": format!("Patient/{who}")}}));
    let narrative = |text: &str| json!({"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>")});
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["text"] = narrative("秘話");
    resource["contained"] = json!([{"resourceType": "Encounter", "id": "e", "status": "finished",
        "class": {"code": number}, "text": narrative("外来通院")}]);
    resource["encounter"] = json!({"reference": "#e"});
    resource["focus"] = json!([{"reference": format!("Condition/{illness}"), "display": "統合失調"}]);
    let id = tester.create(&resource);
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city"));
    (who, id)
}

/// It was cut in the holder and given whole beside it, and found by its words.
#[test]
fn a_contained_narrative_goes_with_a_display_of_its_holder() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let (who, id) = telling(&tester, "telling-1");
    for query in ["", "&_containedType=contained", "&_containedType=contained&_elements=text"] {
        for which in ["true", "both"] {
            let query = format!("Encounter?class=telling-1&_contained={which}{query}");
            let (whole, part) = (tester.get(&query).expect(200).text(), town.get(&query).expect(200).text());
            assert!(whole.contains("外来通院"), "{query}: {whole}");
            assert!(!part.contains("外来") && part.contains("REDACTED") && part.contains("\"e\""), "{query}: {part}");
        }
    }
    for text in ["外来", "通院", "秘話", "統合"] {
        let count = |caller: &Caller| caller.ids(&format!("Observation?patient={who}&_content={text}")).len();
        // What may be cut is no word for anybody; her own narrative is one for whom it is given to.
        assert_eq!((count(&town), count(&tester)), (0, usize::from(text == "秘話")), "{text}");
    }
    assert_eq!(town.ids(&format!("Observation?patient={who}")), [id]);
}

/// Its author may write any expression: it found the names and narratives that recipients
/// are not given, letter by letter.
#[test]
fn a_parameter_of_ones_own_finds_nothing_that_is_cut_out() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let (who, id) = telling(&tester, "telling-2");
    let expressions = [
        ("string", "Observation.focus.display"),
        ("token", "Observation.focus.display"),
        ("string", "Observation.descendants().ofType(Reference).display"),
        ("string", "Observation.focus.select(display)"),
        ("string", "Observation.text.div.toString()"),
        ("token", "Observation.contained.text.status"),
        ("token", "Observation.iif(focus.display.startsWith('統合'), status)"),
        ("token", "Observation.where(focus.display.exists()).status"),
        // Not cut, so that the others are known to have been evaluated.
        ("token", "Observation.focus.reference.exists()"),
    ];
    for (number, (kind, expression)) in expressions.iter().enumerate() {
        let code = format!("own-{number}");
        tester.create(&json!({"resourceType": "SearchParameter", "url": format!("https://example.org/{code}"),
            "name": "Own", "status": "active", "description": "Of its own.", "code": code,
            "base": ["Observation"], "type": kind, "expression": expression}));
    }
    // By rows that were added, and by rows of a write.
    let started = std::time::Instant::now();
    tester.post("$reindex", &json!({"resourceType": "Parameters"})).expect(200);
    while tester.get("Observation?own-8:missing=false").status != 200 {
        assert!(started.elapsed() < std::time::Duration::from_mins(1), "it is indexed");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for turn in 0..2 {
        for (number, (_, expression)) in expressions.iter().enumerate() {
            let found = town.ids(&format!("Observation?patient={who}&own-{number}:missing=false"));
            let expected = if number == 8 { std::slice::from_ref(&id) } else { &[] };
            assert_eq!(found, expected, "{expression} in turn {turn}");
        }
        assert!(town.ids(&format!("Observation?patient={who}&own-0=統合")).is_empty());
        let mut again = tester.get(&format!("Observation/{id}")).expect(200).json();
        again["issued"] = json!("2026-01-11T00:00:00Z");
        tester.put(&format!("Observation/{id}"), &again).expect(200);
    }
}

/// A hidden step of a hierarchy leads nowhere: what it is a part of stands in it alone.
#[test]
fn a_hidden_step_of_a_hierarchy_leads_nowhere() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let mine = tester.create(&patient("階層", "steps-1", "2024-04-01"));
    let hers = tester.create(&patient("隠階", "steps-2", "2024-04-01"));
    let step = |who: &str, within: &str| {
        let mut resource = visit(who, "AMB");
        if !within.is_empty() {
            resource["partOf"] = json!({"reference": format!("Encounter/{within}")});
        }
        tester.create(&resource)
    };
    let top = step(&mine, "");
    let middle = step(&hers, &top);
    let bottom = step(&mine, &middle);
    let beside = step(&mine, &top);
    let mut noted = weight(&mine, "2026-01-10", "6.1");
    noted["encounter"] = json!({"reference": format!("Encounter/{bottom}")});
    let noted = tester.create(&noted);
    for class in ["Patient", "Observation", "Encounter"] {
        tester.create(&consent(&mine, &format!("Patient/{mine}"), "permit", class, "Organization/org-city"));
    }
    let below = format!("Observation?encounter:below=Encounter/{top}");
    let above = |of: &str| format!("Encounter?part-of:above=Encounter/{of}&_sort=_lastUpdated");
    let under = format!("Encounter?part-of:below=Encounter/{top}&_sort=_lastUpdated");
    assert_eq!(tester.ids(&below), std::slice::from_ref(&noted));
    assert_eq!(tester.ids(&under), [&*middle, &bottom, &beside]);
    assert_eq!(tester.ids(&above(&middle)), [&*middle, &bottom, &beside], "what is in the middle, or in the top");
    // To the town the middle one is not there: it says of nothing what it is in.
    assert_eq!(town.ids(&below), [""; 0]);
    assert_eq!(town.ids(&under), std::slice::from_ref(&beside));
    assert_eq!(town.ids(&above(&middle)), std::slice::from_ref(&bottom), "which says so itself");
    let never = "n".repeat(middle.len());
    for query in [
        format!("Observation?encounter:above=Encounter/{{}}&patient={mine}"),
        format!("Observation?encounter:below=Encounter/{{}}&patient={mine}&_total=accurate"),
        format!("Patient?_has:Observation:patient:encounter:above=Encounter/{{}}&_id={mine}"),
    ] {
        alike(&town, &middle, &never, &query.replace("encounter:below", "encounter:above"));
    }
}
