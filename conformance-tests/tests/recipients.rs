//! Whoever is not the citizen looking with her own eyes is a recipient: an app in her own
//! hand, a clinic, and for what is nobody's record everybody but its keeper.

use serde_json::{Value, json};
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

const MEI: &str = "Patient/pt-mei";
const NARRATIVE: &str = "<div xmlns=\"http://www.w3.org/1999/xhtml\">内緒</div>";

fn reference(to: &str) -> Value {
    json!({"reference": to})
}

/// The place of what is written.
#[track_caller]
fn place(caller: &Caller, resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap_or_default(), caller.create(resource))
}

/// The mother's app for her daughter, with these types ticked.
fn app(world: &World, types: &[&str]) -> Caller {
    let scopes: Vec<String> = types.iter().map(|name| format!("patient/{name}.rs")).collect();
    world.approve(&Ask::new("app-public", "hanako", &format!("launch/patient {}", scopes.join(" "))).of("pt-mei"))
}

/// All of these are read and found, or none.
#[track_caller]
fn sees(caller: &Caller, seen: bool, paths: &[impl AsRef<str>]) {
    for path in paths {
        let path = path.as_ref();
        let answer = caller.get(path);
        assert_eq!(answer.status, if seen { 200 } else { 404 }, "{path}: {}", answer.text());
        let (kind, id) = path.split_once('/').expect("a place");
        if kind != "Binary" {
            assert_eq!(caller.ids(&format!("{kind}?_id={id}")).len(), usize::from(seen), "{path}");
        }
    }
}

/// With `Binary` alone ticked an app read every document; with `DiagnosticReport` alone
/// every conclusion that was drawn from what it might not have.
#[test]
fn an_app_is_shown_a_list_only_with_what_is_on_it() {
    let world = World::new();
    let town = world.importer();
    let result = place(&town, &weight("pt-mei", "2026-01-10", "6.1"));
    let report = place(
        &town,
        &json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "検査"},
            "subject": reference(MEI), "result": [reference(&result)]}),
    );
    let letter = place(
        &town,
        &json!({"resourceType": "DocumentReference", "status": "current", "subject": reference(MEI),
            "content": [{"attachment": {"contentType": "text/plain"}}]}),
    );
    let content = place(
        &town,
        &json!({"resourceType": "Binary", "contentType": "text/plain", "data": "AAAA",
            "securityContext": reference(&letter)}),
    );
    let origin = place(
        &town,
        &json!({"resourceType": "Provenance", "target": [reference(&letter)], "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"who": reference("Organization/org-city")}]}),
    );
    let lists = ["DiagnosticReport", "Binary", "Provenance"];
    let paths = [&report, &content, &origin];
    let alone = app(&world, &lists);
    sees(&alone, false, &paths);
    let counted = |caller: &Caller| caller.search("DiagnosticReport?code:text=検査&_summary=count")["total"].clone();
    assert_eq!(counted(&alone), 0);
    let results = app(&world, &[&lists[..], &["Observation"]].concat());
    sees(&results, true, &[&report]);
    assert_eq!(counted(&results), 1);
    sees(&results, false, &[&content, &origin]);
    let documents = app(&world, &[&lists[..], &["Observation", "DocumentReference"]].concat());
    sees(&documents, true, &paths);
}

/// The app got the display, identifier and narrative of what the mother had not ticked.
#[test]
fn an_app_is_not_told_the_names_of_what_it_may_not_see() {
    let world = World::new();
    let town = world.importer();
    let visit = place(
        &town,
        &json!({"resourceType": "Encounter", "status": "finished", "subject": reference(MEI),
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}}),
    );
    let mut resource = weight("pt-mei", "2026-01-10", "6.1");
    resource["encounter"] = json!({"reference": visit, "display": "内緒の受診",
        "identifier": {"system": "urn:visits", "value": "内緒-1"}});
    resource["text"] = json!({"status": "generated", "div": NARRATIVE});
    let path = place(&town, &resource);
    let id = path.trim_start_matches("Observation/");
    for (types, told) in
        [(&["Observation", "Patient"][..], false), (&["Observation", "Patient", "Encounter"][..], true)]
    {
        let app = app(&world, types);
        let texts = [app.get(&path).expect(200).text(), app.search(&format!("Observation?_id={id}")).to_string()];
        for text in texts {
            assert_eq!((text.contains("内緒"), text.contains("REDACTED")), (told, !told), "{text}");
            assert!(text.contains(&visit), "the opaque id stays: {text}");
        }
        for asked in ["_text=内緒", "encounter:identifier=urn:visits|内緒-1"] {
            assert_eq!(app.ids(&format!("Observation?{asked}")).len(), usize::from(told), "{asked} with {types:?}");
        }
    }
    let kept = town.get(&path).expect(200).json();
    assert_eq!((&kept["encounter"]["display"], kept["text"]["div"].as_str()), (&json!("内緒の受診"), Some(NARRATIVE)));
}

/// They were closed to every recipient, as they hold others in many places.
#[test]
fn a_document_is_shown_with_all_that_it_holds() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("文書", "holders-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let share = |class: &str| tester.create(&consent(&who, &subject, "permit", class, "Organization/org-city"));
    let (open, closed) = (
        place(&tester, &weight(&who, "2026-01-10", "6.1")),
        place(&tester, &json!({"resourceType": "Condition", "subject": reference(&subject), "code": {"text": "内緒"}})),
    );
    let holders = |held: &str| {
        let composition = json!({"resourceType": "Composition", "status": "final", "type": {"text": "紹介状"},
            "subject": reference(&subject), "date": "2026-01-10", "author": [reference(&subject)], "title": "紹介状",
            "section": [{"title": "一", "section": [{"title": "二", "entry": [reference(held)]}]}]});
        let mut inside = composition.clone();
        inside["section"] = json!([{"title": "一", "entry": [reference("#l")]}]);
        inside["contained"] = json!([{"resourceType": "List", "id": "l", "status": "current", "mode": "snapshot",
            "entry": [{"item": reference(held)}]}]);
        let task = json!({"resourceType": "Task", "status": "requested", "intent": "order", "for": reference(&subject),
            "requester": reference(&subject),
            "input": [{"type": {"text": "対象"}, "valueReference": reference(held)}]});
        let measured = json!({"resourceType": "MeasureReport", "status": "complete", "type": "individual",
            "measure": "https://example.org/m", "subject": reference(&subject), "period": {"start": "2026-01-01"},
            "evaluatedResource": [reference(held)]});
        let extended = {
            let mut task = task.clone();
            task.as_object_mut().map(|task| task.remove("input"));
            task["extension"] = json!([{"url": "https://example.org/on", "valueReference": reference(held)}]);
            task
        };
        [composition, inside, task, measured, extended].map(|resource| place(&tester, &resource))
    };
    let (shown, hidden) = (holders(&open), holders(&closed));
    let bare = place(
        &tester,
        &json!({"resourceType": "Task", "status": "requested", "intent": "order", "for": reference(&subject)}),
    );
    let bare = [bare];
    for paths in [&shown[..], &hidden, &bare] {
        sees(&town, false, paths);
    }
    for class in ["Composition", "Task", "MeasureReport", "Observation"] {
        share(class);
    }
    sees(&town, true, &shown);
    sees(&town, false, &hidden);
    sees(&town, true, &bare);
    let counted = town.search(&format!("Task?patient={subject}&_total=accurate&_summary=count"));
    assert_eq!(counted["total"], 3, "{counted}");
    // A Provenance of a document goes by the document.
    share("Provenance");
    let origin = |of: &str| {
        place(
            &tester,
            &json!({"resourceType": "Provenance", "target": [reference(of)], "recorded": "2026-01-01T00:00:00Z",
                "agent": [{"who": reference("Organization/org-city")}]}),
        )
    };
    sees(&town, true, &[origin(&shown[0])]);
    sees(&town, false, &[origin(&hidden[0])]);
    share("Condition");
    sees(&town, true, &hidden);
    // What an old version held is not kept.
    let mut changed = tester.get(&shown[0]).expect(200).json();
    changed["title"] = json!("新");
    tester.put(&shown[0], &changed).expect(200);
    sees(&town, true, &shown[..1]);
    town.get(&format!("{}/_history/1", shown[0])).refused(404);
}

/// Organizations, guides and the like told everybody the names of patients.
#[test]
fn what_is_nobodys_record_names_no_hidden_person() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("共有", "shared-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let named = json!({"reference": subject, "display": "内緒 花子",
        "identifier": {"system": "urn:insured", "value": "内緒-1"}});
    let records = [
        json!({"resourceType": "ImplementationGuide", "url": "https://example.org/g", "name": "G", "status": "draft",
            "packageId": "g", "fhirVersion": ["4.0.1"], "definition": {"resource": [{"reference": named},
                {"reference": reference(&subject), "name": "内緒 花子", "description": "内緒の例"}]}}),
        json!({"resourceType": "Location", "name": "公民館",
            "extension": [{"url": "https://example.org/who", "valueReference": named}]}),
        json!({"resourceType": "Medication", "code": {"text": "薬"},
            "contained": [{"resourceType": "Group", "id": "g", "type": "person", "actual": true,
                "text": {"status": "generated", "div": NARRATIVE}, "member": [{"entity": named}]}],
            "extension": [{"url": "https://example.org/who", "valueReference": {"reference": "#g"}}],
            "text": {"status": "generated", "div": NARRATIVE}}),
    ];
    let paths = records.map(|resource| place(&tester, &resource));
    let ways = |caller: &Caller, path: &str| {
        let (kind, id) = path.split_once('/').expect("a place");
        [
            caller.get(path).expect(200).text(),
            caller.get(&format!("{path}/_history/1")).expect(200).text(),
            caller.search(&format!("{kind}?_id={id}")).to_string(),
        ]
    };
    let told = |caller: &Caller, told: bool| {
        for path in &paths {
            for text in ways(caller, path) {
                assert_eq!((text.contains("内緒"), text.contains("REDACTED")), (told, !told), "{text}");
                assert!(text.contains(&subject), "{text}");
            }
        }
        assert_eq!(caller.ids("Medication?_text=内緒").len(), usize::from(told));
        assert!(caller.ids("ImplementationGuide?_content=内緒").is_empty());
    };
    told(&tester, true);
    told(&town, false);
    tester.create(&consent(&who, &subject, "permit", "Patient", "Organization/org-city"));
    told(&town, true);
    // What names nobody goes out as it came.
    let plain = json!({"resourceType": "Location", "name": "公園", "text": {"status": "generated", "div": NARRATIVE},
        "managingOrganization": {"reference": "Organization/org-city", "display": "市"}});
    let text = town.get(&place(&tester, &plain)).expect(200).text();
    assert!(text.contains("内緒") && text.contains("市") && !text.contains("REDACTED"), "{text}");
}

/// The display of a reference to what is contained says of a hidden record what that names.
#[test]
fn what_is_contained_names_what_it_refers_to() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("内側", "inner-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let hidden =
        place(&tester, &json!({"resourceType": "Condition", "subject": reference(&subject), "code": {"text": "x"}}));
    let named = |to: &str| json!({"reference": to, "display": "内緒の受診", "identifier": {"system": "urn:visits", "value": "内緒-1"}});
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["contained"] = json!([
        {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
            "reasonReference": [reference(&hidden)]},
        {"resourceType": "Procedure", "id": "p", "status": "completed", "subject": reference(&subject),
            "encounter": reference("#e")}]);
    let mut paths = Vec::new();
    for (part, text) in [("encounter", "#e"), ("focus", "#p")] {
        let mut resource = resource.clone();
        resource["encounter"] = reference("#e");
        resource["focus"] = json!([reference("#p")]);
        resource[part] = if part == "focus" { json!([named(text)]) } else { named(text) };
        paths.push((place(&tester, &resource), format!("{part}:identifier=urn:visits|内緒-1")));
    }
    for class in ["Observation", "Patient"] {
        tester.create(&consent(&who, &subject, "permit", class, "Organization/org-city"));
    }
    let told = |told: bool| {
        for (path, by) in &paths {
            let id = path.trim_start_matches("Observation/");
            for text in [town.get(path).expect(200).text(), town.search(&format!("Observation?_id={id}")).to_string()] {
                assert_eq!((text.contains("内緒"), text.contains("REDACTED")), (told, !told), "{text}");
                assert!(text.contains("#e") && text.contains("#p"), "{text}");
            }
            assert_eq!(town.ids(&format!("Observation?_id={id}&{by}")).len(), usize::from(told), "{by}");
            assert_eq!(tester.ids(&format!("Observation?_id={id}&{by}")).len(), 1, "{by}");
            assert!(town.ids(&format!("Observation?_id={id}&_content=内緒")).is_empty(), "{path}");
        }
    };
    told(false);
    tester.create(&consent(&who, &subject, "permit", "Condition", "Organization/org-city"));
    told(true);
    // What leads to nobody keeps its name.
    let mut open = weight(&who, "2026-01-10", "6.1");
    open["contained"] =
        json!([{"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"}}]);
    open["encounter"] = named("#e");
    assert!(town.get(&place(&tester, &open)).expect(200).text().contains("内緒の受診"));
}

/// Spelled so that it leads nowhere, a reference kept the names of what it was meant for.
#[test]
fn a_reference_astray_names_nobody() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("迷子", "astray-1", "2024-04-01"));
    let base = &world.base;
    let (_, rest) = base.split_once("://").expect("a base");
    let visit = "Encounter/00000000-0000-4000-8000-000000000000";
    let astray = [
        format!("{base}/{visit}/"),
        format!("{base}/{visit}?x=y"),
        format!("{base}/{visit}|1"),
        format!("https://{rest}/{visit}"),
        format!("{base}/encounter/1"),
        "Encounter/1/".to_owned(),
        format!("http://x@{rest}/{visit}"),
        format!("{base}/{visit}").replace("/fhir/", "/FHIR/"),
        format!("{base}/{visit}").replace("/fhir/", "/./%66hir//"),
        visit.replace("Encounter/", "urn:uuid:"),
    ];
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city"));
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Patient", "Organization/org-city"));
    let with = |reference: &str| {
        let mut resource = weight(&who, "2026-01-10", "6.1");
        resource["encounter"] = json!({"reference": reference, "display": "内緒",
            "identifier": {"system": "urn:visits", "value": "内緒-1"}});
        resource["text"] = json!({"status": "generated", "div": NARRATIVE});
        resource
    };
    let found = |caller: &Caller, id: &str, asked: &str| caller.ids(&format!("Observation?_id={id}&{asked}")).len();
    let mut taken = 0;
    for reference in &astray {
        // Some are refused: what is no reference is not stored.
        let answer = tester.post("Observation", &with(reference));
        if answer.status != 201 {
            continue;
        }
        taken += 1;
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        let seen = town.get(&format!("Observation/{id}")).expect(200).text();
        assert!(!seen.contains("内緒") && seen.contains("REDACTED"), "{reference}: {seen}");
        for asked in ["_text=内緒", "_content=内緒", "encounter:identifier=urn:visits|内緒-1"] {
            assert_eq!(found(&town, &id, asked), 0, "{reference} {asked}");
        }
        assert_eq!(found(&tester, &id, "encounter:identifier=urn:visits|内緒-1"), 1, "{reference}");
    }
    assert!(taken >= 8, "{taken}");
    // Another server's is another server's to hide.
    let id = tester.create(&with("https://other.example/fhir/Encounter/1"));
    let seen = town.get(&format!("Observation/{id}")).expect(200).text();
    assert!(seen.contains("内緒") && !seen.contains("REDACTED"), "{seen}");
    assert_eq!(found(&town, &id, "_text=内緒"), 1);
}

/// By `:missing` and `:not` it was told from one that never had an identifier.
#[test]
fn an_identifier_that_is_cut_out_is_not_missed() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("番号", "missed-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let hidden =
        place(&tester, &json!({"resourceType": "Condition", "subject": reference(&subject), "code": {"text": "内緒"}}));
    let manifest = |related: Value| {
        tester.create(&json!({"resourceType": "DocumentManifest", "status": "current", "subject": reference(&subject),
            "content": [reference("Organization/org-city")], "related": [related]}))
    };
    let cut = manifest(json!({"identifier": {"system": "urn:visits", "value": "内緒-1"}, "ref": reference(&hidden)}));
    let bare = manifest(json!({"ref": reference(&hidden)}));
    tester.create(&consent(&who, &subject, "permit", "DocumentManifest", "Organization/org-city"));
    for (query, found) in [
        ("related-id=urn:visits|内緒-1", false),
        ("related-id:not=urn:visits|内緒-1", true),
        ("related-id:not=urn:visits|内緒-2", true),
        ("related-id:missing=true", true),
        ("related-id:missing=false", false),
        ("_filter=related-id pr true", false),
        ("_filter=related-id pr false", true),
        ("_filter=related-id ne urn:visits|内緒-2", false),
        ("_filter=not (related-id eq urn:visits|内緒-1)", true),
    ] {
        for id in [&cut, &bare] {
            let query = format!("DocumentManifest?_id={id}&{}", query.replace(' ', "%20"));
            assert_eq!(town.ids(&query).len(), usize::from(found), "{query}");
        }
    }
    // Its keeper is answered by what is there.
    for (id, missing) in [(&cut, false), (&bare, true)] {
        let query = format!("DocumentManifest?_id={id}&related-id:missing={missing}");
        assert_eq!(tester.ids(&query).len(), 1, "{query}");
        assert_eq!(tester.ids(&query.replace(":missing", ":not")).len(), 1, "{query}");
    }
    assert!(tester.ids(&format!("DocumentManifest?_id={cut}&related-id:not=urn:visits|内緒-1")).is_empty());
}

/// Who wrote a list of ids learned from whether she was shown it which of them exist, in any
/// family; and a report was shown once the result that hid it had been withdrawn.
#[test]
fn a_list_of_what_is_not_there_is_hidden_like_one_of_what_is_hidden() {
    let world = World::new();
    let town = world.importer();
    let ask = Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger");
    let stranger = world.approve(&ask);
    let theirs = place(&town, &weight("pt-mei", "2026-01-10", "6.1"));
    let subject = reference("Patient/pt-stranger");
    let astray = format!("{}/Observation/astray/", world.base);
    for item in [&*theirs, MEI, "Observation/never-there", "Patient/never-there", &astray] {
        let list = json!({"resourceType": "List", "status": "current", "mode": "working", "subject": subject,
            "entry": [{"item": reference(item)}]});
        let composition = json!({"resourceType": "Composition", "status": "final", "type": {"text": "文書"},
            "subject": subject, "date": "2026-01-10", "author": [subject], "title": "文書",
            "section": [{"entry": [reference(item)]}]});
        for resource in [list, composition] {
            sees(&stranger, false, &[place(&stranger, &resource)]);
        }
    }
    let report = |result: &str| {
        json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "検査"},
            "subject": reference(MEI), "result": [reference(result)], "conclusion": "内緒"})
    };
    let held = [place(&town, &report(&theirs))];
    let mother = app(&world, &["DiagnosticReport"]);
    sees(&mother, false, &held);
    town.delete(&theirs).expect(204);
    sees(&mother, false, &held);
}

/// In a contained panel, in the place of who acts, in an extension of theirs, a hidden record
/// did not count; the text of a section was no narrative.
#[test]
fn what_holds_others_holds_them_wherever_they_stand() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("内緒", "holders-2", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let hidden =
        place(&tester, &json!({"resourceType": "Condition", "subject": reference(&subject), "code": {"text": "x"}}));
    for class in ["Composition", "Task", "DiagnosticReport", "List", "Observation"] {
        tester.create(&consent(&who, &subject, "permit", class, "Organization/org-city"));
    }
    let held = json!([{"url": "https://example.org/on", "valueReference": reference(&hidden)}]);
    let composition = |author: Value, about: &str| {
        json!({"resourceType": "Composition", "status": "final", "type": {"text": "文書"}, "subject": reference(about),
            "date": "2026-01-10", "author": [author], "title": "文書",
            "section": [{"title": "一", "text": {"status": "generated", "div": NARRATIVE},
                "focus": reference(&subject), "author": [reference(&subject)]}]})
    };
    let mut panel = weight(&who, "2026-01-10", "6.1");
    panel["id"] = json!("p");
    let answers =
        json!({"resourceType": "QuestionnaireResponse", "status": "completed", "subject": reference(&subject)});
    panel["hasMember"] = json!([reference(&place(&tester, &answers))]);
    let paths = [
        composition(json!({"reference": subject, "extension": held}), &subject),
        composition(reference(&subject), &hidden),
        json!({"resourceType": "Task", "status": "requested", "intent": "order", "for": reference(&hidden),
            "requester": reference(&subject)}),
        json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "検査"},
            "subject": reference(&subject), "result": [reference("#p")], "contained": [panel]}),
        json!({"resourceType": "List", "status": "current", "mode": "working", "subject": reference(&subject),
            "entry": [{"item": reference("#l")}], "contained": [{"resourceType": "List", "id": "l",
                "status": "current", "mode": "working", "entry": [{"item": reference(&hidden)}]}]}),
    ]
    .map(|resource| place(&tester, &resource));
    sees(&town, false, &paths);
    // Her own Patient, wherever a document names her, hides it from nobody; its text says who she is.
    let open = place(&tester, &composition(reference(&subject), &subject));
    let task = json!({"resourceType": "Task", "status": "requested", "intent": "order", "for": reference(&subject),
        "owner": {"reference": "Device/nowhere"}, "restriction": {"recipient": [reference(&subject)]},
        "note": [{"authorReference": reference(&subject), "text": "x"}]});
    sees(&town, true, &[&open, &place(&tester, &task)]);
    let text = town.get(&open).expect(200).text();
    assert!(!text.contains("内緒") && text.contains("REDACTED"), "{text}");
    for class in ["Condition", "QuestionnaireResponse"] {
        tester.create(&consent(&who, &subject, "permit", class, "Organization/org-city"));
    }
    sees(&town, true, &[&paths[0], &paths[3], &paths[4]]);
}

/// What lists others was 404 for them once it was withdrawn, and what lists nothing 410.
#[test]
fn what_was_withdrawn_is_gone_for_whom_it_was_shown() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("取消", "withdrawn-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let document = |held: &str| {
        place(
            &tester,
            &json!({"resourceType": "Composition", "status": "final", "type": {"text": "紹介状"},
                "subject": reference(&subject), "date": "2026-01-10", "author": [reference(&subject)],
                "title": "紹介状", "section": [{"title": "一", "entry": [reference(held)]}]}),
        )
    };
    let result = || place(&tester, &weight(&who, "2026-01-10", "6.1"));
    let secret =
        place(&tester, &json!({"resourceType": "Condition", "subject": reference(&subject), "code": {"text": "内緒"}}));
    let (alone, kept, gone) = (result(), result(), result());
    let (shown, with_it, hidden) = (document(&kept), document(&gone), document(&secret));
    let never = document("Observation/never-there");
    for class in ["Composition", "Observation"] {
        tester.create(&consent(&who, &subject, "permit", class, "Organization/org-city"));
    }
    sees(&town, true, &[&alone, &shown, &with_it]);
    sees(&town, false, &[&hidden, &never]);
    for path in [&alone, &shown, &with_it, &gone, &hidden, &never] {
        tester.delete(path).expect(204);
    }
    for (path, status) in [(&alone, 410), (&shown, 410), (&with_it, 410), (&hidden, 404), (&never, 404)] {
        assert_eq!(town.get(path).status, status, "{path}");
        let (kind, id) = path.split_once('/').expect("a place");
        assert!(town.ids(&format!("{kind}?_id={id}")).is_empty(), "{path}");
    }
    // A list that is there is hidden by what is not, as before.
    sees(&town, true, &[&kept]);
    sees(&town, false, &[document(&gone)]);
}

/// Withdrawn was gone, and its past was read all the same, by who got a Consent afterwards too.
#[test]
fn what_was_withdrawn_is_gone_with_its_past() {
    let world = World::new();
    let town = world.importer();
    let clerk = app(&world, &["Observation"]);
    let kept = place(&town, &weight("pt-mei", "2026-01-10", "7.777"));
    let (past, own) = (format!("{kept}/_history/1"), format!("{kept}/_history"));
    clerk.get(&past).expect(200);
    town.delete(&kept).expect(204);
    clerk.get(&kept).refused(410);
    let fresh = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Observation.rus").of("pt-mei"));
    for caller in [&clerk, &fresh] {
        caller.get(&past).refused(404);
        for history in [&own, "Observation/_history", "_history"] {
            let answer = caller.get(history);
            assert!(!answer.text().contains("7.777"), "{history}: {}", answer.text());
        }
        let deleted = caller.get(&own).expect(200).json();
        assert_eq!(deleted["entry"].as_array().map(Vec::len), Some(1), "{deleted}");
    }
    // Nor does who may not choose ids bring it back.
    let mut again = weight("pt-mei", "2026-01-10", "9.9");
    again["id"] = json!(kept.split_once('/').expect("a place").1);
    fresh.put(&kept, &again).refused(405);
    // Whose it is reads it as before.
    town.get(&past).expect(200);
    assert_eq!(town.get(&own).expect(200).json()["entry"].as_array().map(Vec::len), Some(2));
}

/// What she could no longer see she was still told the name of.
#[test]
fn what_was_withdrawn_is_named_no_more() {
    let world = World::new();
    let town = world.importer();
    let visit =
        json!({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": reference(MEI)});
    let visit = place(&town, &visit);
    let mut observed = weight("pt-mei", "2026-01-10", "6.1");
    observed["encounter"] = json!({"reference": visit, "display": "内緒", "identifier": {"value": "v-1"}});
    let observed = place(&town, &observed);
    let reader = app(&world, &["Observation", "Encounter"]);
    let found = "Observation?encounter:identifier=v-1";
    assert!(reader.get(&observed).expect(200).text().contains("内緒"));
    assert_eq!(reader.ids(found).len(), 1);
    town.delete(&visit).expect(204);
    assert!(!reader.get(&observed).expect(200).text().contains("内緒"));
    assert!(reader.ids(found).is_empty());
    assert!(town.get(&observed).expect(200).text().contains("内緒"));
}

/// A batch resolves no `urn:uuid:`, so that what stood on the list was not asked about.
#[test]
fn a_list_of_what_only_a_bundle_knows_is_hidden() {
    let world = World::new();
    let town = world.importer();
    let list = json!({"resourceType": "List", "status": "current", "mode": "working", "title": "内緒", "subject": reference(MEI),
        "entry": [{"item": reference("urn:uuid:6b1c5a52-9d6b-4a0e-8a35-0a5d1d8a0c11")}]});
    let list = place(&town, &list);
    sees(&app(&world, &["List", "Condition"]), false, &[&list]);
    sees(&town, true, &[&list]);
}

/// The Identifier of a case went out beside a claim that is hidden.
#[test]
fn a_case_is_not_told_beside_a_hidden_claim() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("請", "case-1", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let concept = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "vision"}]});
    let claim = |subject: &str, related: Value| {
        json!({"resourceType": "Claim", "status": "active", "type": concept, "use": "claim",
            "patient": reference(subject), "created": "2026-01-10", "provider": reference("Organization/org-test"),
            "priority": {"coding": [{"code": "normal"}]}, "related": [related],
            "insurance": [{"sequence": 1, "focal": true, "coverage": reference("Coverage/none")}]})
    };
    let other = tester.create(&patient("他", "case-2", "2024-04-01"));
    let hidden = place(&tester, &claim(&format!("Patient/{other}"), json!({"relationship": {"text": "none"}})));
    let case = json!({"claim": reference(&hidden), "reference": {"system": "urn:cases", "value": "内緒-1"}});
    let id = tester.create(&claim(&subject, case));
    tester.create(&consent(&who, &subject, "permit", "Claim", "Organization/org-city"));
    town.get(&hidden).refused(404);
    let shown = town.get(&format!("Claim/{id}")).expect(200).text();
    assert!(shown.contains(&hidden) && shown.contains("REDACTED") && !shown.contains("内緒"), "{shown}");
    assert_eq!(town.ids(&format!("Claim?_id={id}&_content=内緒")), [""; 0]);
    assert!(tester.get(&format!("Claim/{id}")).expect(200).text().contains("内緒-1"));
}
