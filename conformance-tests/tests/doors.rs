//! Each statement of the store carries the view: a hidden row at each door that no
//! other suite tries. Taking the view's condition out of one of them makes a test
//! here fail; `docs/src/security/claims.md` has the list.

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{LOINC, consent, laboratory, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World, ids};

/// A person of the tester's who shares these types with the town.
fn sharing(tester: &Caller, name: &str, classes: &[&str]) -> String {
    let who = tester.create(&patient(name, &format!("doors-{name}"), "2024-04-01"));
    for class in classes {
        tester.create(&share(&who, class));
    }
    who
}

fn share(who: &str, class: &str) -> Value {
    consent(who, &format!("Patient/{who}"), "permit", class, "Organization/org-city")
}

/// The same, denied for what has this code or category.
fn denying(who: &str, class: &str, coding: &Value) -> Value {
    let mut deny = consent(who, &format!("Patient/{who}"), "deny", class, "Organization/org-city");
    deny["provision"]["code"] = json!([{"coding": [coding]}]);
    deny
}

fn january(mut consent: Value) -> Value {
    consent["provision"]["dataPeriod"] = json!({"start": "2026-01-01", "end": "2026-01-31"});
    consent
}

fn undated(who: &str) -> Value {
    let mut body = weight(who, "2026-01-10", "7.5");
    body.as_object_mut().map(|body| body.remove("effectiveDateTime"));
    body
}

#[test]
fn a_share_of_a_period_is_no_share_of_what_has_no_date() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "期間", &[]);
    let (dated, undated) = (tester.create(&weight(&who, "2026-01-10", "7.5")), tester.create(&undated(&who)));
    tester.create(&january(share(&who, "Observation")));
    assert_eq!(town.ids(&format!("Observation?subject=Patient/{who}")), [dated]);
    town.get(&format!("Observation/{undated}")).refused(404);
}

#[test]
fn a_denial_of_a_period_covers_what_has_no_date() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "否期間", &["Observation"]);
    let (later, undated) = (tester.create(&weight(&who, "2026-03-10", "7.5")), tester.create(&undated(&who)));
    town.get(&format!("Observation/{undated}")).expect(200);
    tester.create(&january(consent(&who, &format!("Patient/{who}"), "deny", "Observation", "Organization/org-city")));
    assert_eq!(town.ids(&format!("Observation?subject=Patient/{who}")), [later]);
    town.get(&format!("Observation/{undated}")).refused(404);
}

#[test]
fn what_is_about_several_is_shared_only_as_far_as_each_shares() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "一人目", &["Account"]);
    let second = sharing(&tester, "二人目", &[]);
    let both = json!({"resourceType": "Account", "status": "active", "subject": [
        {"reference": format!("Patient/{who}")}, {"reference": format!("Patient/{second}")}]});
    let id = tester.create(&both);
    // Hers is for one month, and the record has no date.
    tester.create(&january(share(&second, "Account")));
    town.get(&format!("Account/{id}")).refused(404);
    tester.create(&share(&second, "Account"));
    town.get(&format!("Account/{id}")).expect(200);
}

#[test]
fn a_list_of_another_persons_records_is_not_shown() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "報告", &["Observation", "DiagnosticReport"]);
    let other = sharing(&tester, "別人", &["Observation"]);
    let report = |of: &str| {
        let result = tester.create(&weight(of, "2026-01-10", "7.5"));
        town.get(&format!("Observation/{result}")).expect(200);
        tester.create(&json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "r"},
            "subject": {"reference": format!("Patient/{who}")},
            "result": [{"reference": format!("Observation/{result}")}]}))
    };
    let (own, strange) = (report(&who), report(&other));
    town.get(&format!("DiagnosticReport/{own}")).expect(200);
    town.get(&format!("DiagnosticReport/{strange}")).refused(404);
}

#[test]
fn a_search_of_one_persons_code_finds_and_counts_only_what_is_shared() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "体重", &["Observation"]);
    let other = sharing(&tester, "他人", &[]);
    let private = json!({"system": "https://example.org/own", "code": "private"});
    let mut secret = weight(&who, "2026-01-11", "7.6");
    secret["category"].as_array_mut().expect("categories").push(json!({"coding": [private]}));
    let (shown, hidden) = (tester.create(&weight(&who, "2026-01-10", "7.5")), tester.create(&secret));
    tester.create(&weight(&other, "2026-01-10", "7.7"));
    // The statement is kept with the decision: it is the same for each person and code, and
    // is not for the last ones, which ask for more.
    let found = |caller: &Caller, who: &str| {
        ["", "&_total=accurate", "&_total=none", "&_count=1", "&status=final", "&_sort=date"].map(|more| {
            let bundle = caller.search(&format!("Observation?patient={who}&code={LOINC}|29463-7{more}"));
            (ids(&bundle, "match"), bundle["total"].as_u64())
        })
    };
    let each = |of: &[&str]| {
        let of: Vec<String> = of.iter().map(|&id| id.to_owned()).collect();
        let (total, first) = (Some(of.len() as u64), of.iter().take(1).cloned().collect());
        [(of.clone(), total), (of.clone(), total), (of.clone(), None), (first, total), (of.clone(), total), (of, total)]
    };
    assert_eq!(found(&town, &who), each(&[&shown, &hidden]));
    assert_eq!(found(&town, &other), each(&[]), "nobody shared it");
    tester.create(&denying(&who, "Observation", &private));
    assert_eq!(found(&town, &who), each(&[&shown]));
    assert_eq!(found(&tester, &who), each(&[&shown, &hidden]), "the publisher's own");
    assert_eq!(found(&world.mother_for_daughter(), &who), each(&[]), "another's child");
    let who = format!("Patient/{who}");
    assert_eq!(found(&world.stranger(), &who), each(&[]));
}

#[test]
fn a_search_of_all_types_finds_and_counts_only_what_is_shared() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "全型", &["Observation", "Encounter"]);
    let tag = json!([{"system": "urn:doors", "code": "all-types"}]);
    let private = json!({"system": "https://example.org/own", "code": "private"});
    let tagged = |mut resource: Value| {
        resource["meta"] = json!({"tag": tag});
        tester.create(&resource)
    };
    let visit = |subject: &str| {
        tagged(json!({"resourceType": "Encounter", "status": "finished", "subject": {"reference": subject},
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}}))
    };
    let mut secret = weight(&who, "2026-01-11", "7.6");
    secret["category"].as_array_mut().expect("categories").push(json!({"coding": [private]}));
    secret["text"] =
        json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">全型秘密</div>"});
    let shown = [tagged(weight(&who, "2026-01-10", "7.5")), visit(&format!("Patient/{who}"))];
    let hidden = tagged(secret);
    tagged(json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{who}")}}));
    tester.create(&denying(&who, "Observation", &private));
    let all = ["_tag=urn:doors|all-types", "_tag=urn:doors|all-types&_lastUpdated=gt2020", "_tag:missing=false"];
    for query in all {
        for more in ["", "&_total=accurate", "&_sort=_lastUpdated", "&_count=2"] {
            let bundle = town.search(&format!("?{query}{more}"));
            assert_eq!((ids(&bundle, "match"), bundle["total"].as_u64()), (shown.to_vec(), Some(2)), "{query}{more}");
        }
        assert_eq!(town.search(&format!("?{query}&_count=0"))["total"], 2, "{query}");
        assert_eq!(town.walk(&format!("?{query}&_count=1"), "next").concat(), shown, "{query}");
        assert_eq!(tester.search(&format!("?{query}&_count=0"))["total"], 4, "{query}: the publisher's own");
        for other in [world.mother(), world.stranger()] {
            assert_eq!(other.search(&format!("?{query}&_tag=all-types"))["total"], 0, "{query}");
        }
    }
    for query in
        [format!("_id={hidden}"), format!("_text={}", encode("全型秘密")), format!("_content={}", encode("秘密"))]
    {
        assert_eq!(town.search(&format!("?{query}"))["total"], 0, "{query}");
        assert_eq!(tester.ids(&format!("?{query}")), std::slice::from_ref(&hidden), "{query}");
    }
}

#[test]
fn a_revinclude_does_not_bring_what_is_denied() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "逆包含", &["Patient", "Observation"]);
    let shown = tester.create(&weight(&who, "2026-01-10", "7.5"));
    let secret = laboratory(&who, "2026-01-11");
    let hidden = tester.create(&secret);
    let brought = || ids(&town.search(&format!("Patient?_id={who}&_revinclude=Observation:subject")), "include");
    assert_eq!(brought(), [&*shown, &*hidden]);
    tester.create(&denying(&who, "Observation", &secret["code"]["coding"][0]));
    assert_eq!(brought(), [shown]);
}

#[test]
fn everything_does_not_bring_a_hidden_thing_that_is_pointed_at() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "全部", &["Patient", "Observation"]);
    let thing = tester.create(&json!({"resourceType": "Basic", "code": {"text": "secret"}}));
    let mut body = weight(&who, "2026-01-10", "7.5");
    body["focus"] = json!([{"reference": format!("Basic/{thing}")}]);
    let shown = tester.create(&body);
    let everything = |caller: &Caller| caller.get(&format!("Patient/{who}/$everything")).expect(200).json();
    assert!(ids(&everything(&tester), "include").contains(&thing));
    let bundle = everything(&town);
    assert!(ids(&bundle, "match").contains(&shown));
    assert_eq!(ids(&bundle, "include"), [""; 0]);
}

#[test]
fn a_hidden_record_without_a_code_is_not_among_the_latest() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "無符号", &["Observation"]);
    let private = json!({"system": "https://example.org/own", "code": "private"});
    let uncoded = |private: Option<&Value>| {
        let mut body = weight(&who, "2026-01-10", "7.5");
        body["code"] = json!({"text": "as told"});
        if let (Some(private), Some(categories)) = (private, body["category"].as_array_mut()) {
            categories.push(json!({"coding": [private]}));
        }
        tester.create(&body)
    };
    let (shown, hidden) = (uncoded(None), uncoded(Some(&private)));
    let latest = || {
        let bundle = town.get(&format!("Observation/$lastn?patient={who}&category=vital-signs&max=9")).expect(200);
        ids(&bundle.json(), "match")
    };
    assert_eq!(latest().len(), 2, "{shown} and {hidden}");
    tester.create(&denying(&who, "Observation", &private));
    assert_eq!(latest(), [shown]);
}

#[test]
fn labels_beyond_the_scopes_are_not_listed() {
    let world = World::new();
    let ask = |scope: &str| world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    let writer = ask("launch/patient patient/*.cruds");
    let labelled = |mut body: Value, tag: &str| {
        body["meta"] = json!({"tag": [{"system": "https://example.org/tags", "code": tag}]});
        writer.create(&body)
    };
    labelled(weight("pt-mei", "2026-11-10", "7.5"), "in-scope");
    labelled(laboratory("pt-mei", "2026-11-11"), "out-of-scope");
    let category = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
    let narrow = ask(&format!("launch/patient patient/Observation.rs?category={category}"));
    for path in ["$meta", "Observation/$meta"] {
        let text = narrow.get(path).expect(200).text();
        assert!(text.contains("in-scope") && !text.contains("out-of-scope"), "{path}: {text}");
    }
}

#[test]
fn a_chain_does_not_lead_through_what_was_deleted() {
    let world = World::new();
    let tester = world.tester();
    let who = sharing(&tester, "消去", &[]);
    let doctor = tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": "消"}]}));
    let mut body = weight(&who, "2026-01-10", "7.5");
    body["performer"] = json!([{"reference": format!("Practitioner/{doctor}")}]);
    let id = tester.create(&body);
    let queries = [
        format!("Observation?performer:Practitioner._id={doctor}"),
        format!("Observation?subject=Patient/{who}&performer:Practitioner._id={doctor}"),
    ];
    for query in &queries {
        assert_eq!(tester.ids(query), std::slice::from_ref(&id), "{query}");
    }
    tester.delete(&format!("Practitioner/{doctor}")).expect(204);
    for query in &queries {
        assert_eq!(tester.ids(query), [""; 0], "{query}");
    }
}

/// What a caller's decision is kept from: asked often enough that it is.
fn kept(caller: &Caller, path: &str) {
    for _ in 0..4 {
        caller.get(path).expect(200);
    }
}

#[test]
fn a_kept_decision_hears_a_new_consent_of_the_patient_in_context() {
    let world = World::new();
    let ask = |scope: &str| world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    let writer = ask("launch/patient patient/*.cruds");
    let record = writer.create(&weight("pt-mei", "2026-11-10", "7.5"));
    let app = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/Observation.rs").of("pt-mei"));
    let path = format!("Observation/{record}");
    kept(&app, &path);
    let guardian = "RelatedPerson/rp-hanako-mei";
    writer.create(&consent("pt-mei", guardian, "deny", "Observation", "Device/app-secret"));
    app.get(&path).refused(404);
}

#[test]
fn a_kept_decision_hears_of_a_new_colleague() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = sharing(&tester, "同僚", &["Observation"]);
    let path = format!("Observation/{}", tester.create(&weight(&who, "2026-01-10", "7.5")));
    let nurse = tester.create(&json!({"resourceType": "Practitioner", "name": [{"family": "新"}]}));
    let named = format!("Practitioner/{nurse}");
    tester.create(&consent(&who, &format!("Patient/{who}"), "deny", "Observation", &named));
    kept(&town, &path);
    // A call of the town without a user may come from anyone who works there.
    let new = ["user", "add", "--name", "nurse-new", "--practitioner", &nurse, "--org", "org-city", "--role", "nurse"];
    let done = world.server.command(&new);
    assert!(done.status.success(), "{done:?}");
    town.get(&path).refused(404);
}

/// What is no plain read asks by itself whether the decision stands.
#[test]
fn a_kept_decision_lets_no_write_pass_that_was_forbidden_meanwhile() {
    let world = World::new();
    let ask = |client: &str, scope: &str| world.approve(&Ask::new(client, "hanako", scope).of("pt-mei"));
    let writer = ask("app-public", "launch/patient patient/*.cruds");
    let other = ask("app-secret", "launch/patient patient/Observation.cruds");
    let one = || weight("pt-mei", "2026-11-10", "7.5");
    let records = || writer.ids("Observation?patient=pt-mei&code=29463-7&_count=100").len();
    for _ in 0..4 {
        other.create(&one());
    }
    let before = records();
    writer.create(&consent("pt-mei", "RelatedPerson/rp-hanako-mei", "deny", "Observation", "Device/app-secret"));
    other.post("Observation", &one()).refused(403);
    let revoked = ask("app-public", "launch/patient patient/Observation.cruds");
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "POST", "url": "Observation"}, "resource": one()},
    ]});
    for _ in 0..4 {
        revoked.post("", &batch).expect(200);
    }
    world.proved(&world.endpoint("revocation_endpoint"), "app-public", &[("token", &revoked.token)]).expect(200);
    revoked.post("", &batch).refused(401);
    assert_eq!(records(), before + 4, "nothing was written on a decision that had ended");
}

/// What a canonical URL names is shown to those who may see it, and so is what names it.
#[test]
fn an_include_by_canonical_url_shows_nothing_hidden() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let entries = |caller: &Caller, query: &str| ids(&caller.search(query), "include");
    let activity = |caller: &Caller, url: &str| {
        caller.create(&json!({"resourceType": "ActivityDefinition", "status": "draft", "url": url}))
    };
    let plan = |caller: &Caller, url: &str| {
        let action = json!([{"definitionCanonical": url}]);
        caller.create(&json!({"resourceType": "PlanDefinition", "status": "draft", "action": action}))
    };
    // Kept by one, named by the other.
    let (url, include) = ("http://doors.example/a", "_include=PlanDefinition:definition");
    let theirs = activity(&tester, url);
    let (plan_of_town, plan_of_tester) = (plan(&town, url), plan(&tester, url));
    town.get(&format!("ActivityDefinition/{theirs}")).refused(404);
    assert_eq!(entries(&tester, &format!("PlanDefinition?_id={plan_of_tester}&{include}")), [&*theirs]);
    assert_eq!(entries(&town, &format!("PlanDefinition?_id={plan_of_town}&{include}")), [""; 0]);
    // And back.
    let (url, back) = ("http://doors.example/b", "_revinclude=PlanDefinition:definition");
    let own = activity(&town, url);
    let (seen, _) = (plan(&town, url), plan(&tester, url));
    assert_eq!(entries(&town, &format!("ActivityDefinition?_id={own}&{back}")), [&*seen]);
    // A person's answers are hers to share.
    let form =
        town.create(&json!({"resourceType": "Questionnaire", "status": "draft", "url": "http://doors.example/q"}));
    let who = sharing(&tester, "回答", &[]);
    let answers = tester.create(&json!({"resourceType": "QuestionnaireResponse", "status": "completed",
        "questionnaire": "http://doors.example/q", "subject": {"reference": format!("Patient/{who}")}}));
    let query = format!("Questionnaire?_id={form}&_revinclude=QuestionnaireResponse:questionnaire");
    assert_eq!(entries(&town, &query), [""; 0]);
    tester.create(&share(&who, "QuestionnaireResponse"));
    assert_eq!(entries(&town, &query), [&*answers]);
}
