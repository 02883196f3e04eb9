//! `$validate`: what a write would say, without a write.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

fn issue(answer: Response) -> Value {
    let outcome = answer.expect(200).json();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    outcome["issue"][0].clone()
}

fn wrapped(resource: &Value, mode: Option<&str>) -> Value {
    let mut parameters =
        json!({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}]});
    if let (Some(mode), Some(list)) = (mode, parameters["parameter"].as_array_mut()) {
        list.push(json!({"name": "mode", "valueCode": mode}));
    }
    parameters
}

#[test]
fn faults_are_told_with_their_places_and_nothing_is_written() {
    let world = World::new();
    let tester = world.tester();
    let good = patient("検", "validate-1", "2024-04-01");
    for answer in
        [tester.post("Patient/$validate", &good), tester.post("Patient/$validate", &wrapped(&good, Some("create")))]
    {
        assert_eq!(issue(answer)["severity"], "information");
    }
    let mut bad = good.clone();
    bad["birthDate"] = json!("yesterday");
    for body in [bad.clone(), wrapped(&bad, None)] {
        let found = issue(tester.post("Patient/$validate", &body));
        assert_eq!((&found["severity"], &found["expression"][0]), (&json!("error"), &json!("Patient.birthDate")));
        assert!(found["diagnostics"].as_str().is_some_and(|place| place.starts_with("line 1, column")), "{found}");
    }
    let japanese = tester.request("POST", "Patient/$validate").header("Accept-Language", "ja").fhir(&good).send();
    assert!(issue(japanese)["details"]["text"].to_string().contains("誤り"));
    assert_eq!(issue(tester.post("Observation/$validate", &good))["expression"][0], "resourceType");
    let number =
        json!({"resourceType": "Patient", "identifier": [{"type": {"text": "個人番号"}, "value": "123456789018"}]});
    assert_eq!(issue(tester.post("Patient/$validate", &number))["code"], "business-rule");
    assert_eq!(tester.ids("Patient?identifier=validate-1"), [""; 0], "nothing was written");
}

#[test]
fn modes_and_profiles_are_checked_or_refused() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("型", "validate-2", "2024-04-01"));
    let path = format!("Patient/{who}/$validate");
    let mut own = tester.get(&format!("Patient/{who}")).json();
    assert_eq!(issue(tester.post(&path, &wrapped(&own, Some("update"))))["severity"], "information");
    let delete = json!({"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": "delete"}]});
    assert_eq!(issue(tester.post(&path, &delete))["severity"], "information");
    assert_eq!(issue(tester.get(&format!("{path}?mode=delete")))["severity"], "information");
    tester.get(&format!("Patient/{who}")).expect(200);
    own["id"] = json!("another");
    assert_eq!(issue(tester.post(&path, &wrapped(&own, Some("update"))))["expression"][0], "Patient.id");
    own.as_object_mut().expect("a resource").remove("id");
    assert_eq!(issue(tester.post("Patient/$validate?mode=update", &own))["expression"][0], "Patient.id");
    for (path, status) in [
        ("Patient/$validate?mode=nonsense", 400),
        ("Patient/$validate?mode=delete", 400),
        ("Patient/$validate?profile=https://example.org/p", 400),
        ("Patient/$validate?profile=http://hl7.org/fhir/StructureDefinition/Patient", 200),
        ("Patient/none/$validate", 404),
        ("Nonsense/$validate", 404),
        ("$validate", 404),
    ] {
        assert_eq!(tester.post(path, &own).status, status, "{path}");
    }
    tester.get("Patient/$validate").refused(400);
    tester.request("POST", "Patient/$validate").body("application/fhir+json", "{").send().refused(400);
    let reader = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    let weighed = weight("pt-mei", "2026-01-10", "7.5");
    assert_eq!(issue(reader.post("Observation/$validate", &weighed))["severity"], "information");
    assert_eq!(issue(reader.post("Observation/$validate?mode=create", &weighed))["code"], "forbidden");
}

#[test]
fn what_a_write_would_refuse_is_told() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("判", "validate-4", "2024-04-01"));
    let part = tester.get(&format!("Patient/{who}?_elements=name")).expect(200).json();
    let refused = tester.put(&format!("Patient/{who}"), &part).refused(422).json();
    assert_eq!(issue(tester.post(&format!("Patient/{who}/$validate?mode=update"), &part)), refused["issue"][0]);
    assert_eq!(issue(tester.post(&format!("Patient/{who}/$validate"), &part))["severity"], "information");
    let shared = consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city");
    let path = format!("Consent/{}", tester.create(&shared));
    let refused = tester.delete(&path).refused(405).json();
    assert_eq!(issue(tester.get(&format!("{path}/$validate?mode=delete"))), refused["issue"][0]);
}

/// Asked at the type, an update was not looked up under the id that its body has.
/// Whose record it would be was not asked: no fault was found in what is 403.
#[test]
fn a_write_about_whom_the_caller_may_not_write_is_told() {
    let world = World::new();
    let (town, stranger) = (world.importer(), world.stranger());
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let told = |caller: &Caller, resource: &Value, mode: &str, severity: &str| {
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        let found = issue(caller.post(&format!("{kind}/$validate"), &wrapped(resource, Some(mode))));
        assert_eq!(found["severity"], severity, "{mode} {resource}: {found}");
    };
    let hers = weight("pt-mei", "2026-01-10", "6.1");
    told(&town, &hers, "create", "information");
    told(&app, &hers, "create", "information");
    told(&stranger, &hers, "create", "error");
    told(&app, &weight("pt-taro", "2026-01-10", "6.1"), "create", "error");
    told(&town, &weight("nobody", "2026-01-10", "6.1"), "create", "error");
    let mut own = app.get(&format!("Observation/{}", app.create(&hers))).expect(200).json();
    told(&app, &own, "update", "information");
    own["subject"]["reference"] = json!("Patient/nobody");
    told(&app, &own, "update", "error");
    app.put(&format!("Observation/{}", own["id"].as_str().unwrap_or_default()), &own).refused(403);
}

#[test]
fn an_update_asked_at_a_type_is_that_of_the_id_in_the_body() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("型", "validate-5", "2024-04-01"));
    let theirs = town.create(&weight("pt-mei", "2026-01-10", "6.1"));
    let mother = world.approve(
        &Ask::new(
            "app-public",
            "hanako",
            "launch/patient patient/*.rs patient/Patient.u patient/Observation.u?category=laboratory",
        )
        .of("pt-mei"),
    );
    let (mut part, mut own) = (tester.get(&format!("Patient/{who}")).json(), patient("自", "x", "2024-04-01"));
    part["meta"]["tag"] = json!([{"system": "urn:x", "code": "y"}]);
    own["id"] = json!(who);
    let weighed = |id: &str| {
        let mut resource = weight("pt-mei", "2026-01-10", "6.2");
        resource["id"] = json!(id);
        resource
    };
    // What may be replaced, what another holds, what may be read and not changed, and ids
    // that an app may not choose, whether or not there is something.
    let never = "n".repeat(who.len());
    for (caller, body, status) in [
        (&tester, part, 200),
        (&town, own.clone(), 409),
        (&mother, weighed(&theirs), 403),
        (&mother, weighed(&never), 405),
        (&mother, own, 405),
    ] {
        let (kind, id) = (body["resourceType"].as_str().unwrap_or_default(), body["id"].as_str().unwrap_or_default());
        let found = issue(caller.post(&format!("{kind}/$validate?mode=update"), &body));
        if status == 200 {
            assert_eq!(found["severity"], "information", "{found}");
            continue;
        }
        let refused = caller.put(&format!("{kind}/{id}"), &body).refused(status).json();
        assert_eq!(found, refused["issue"][0], "{kind}/{id}");
    }
}

#[test]
fn a_hidden_record_is_judged_like_none() {
    let world = World::new();
    let tester = world.tester();
    let hidden = tester.create(&patient("隠", "validate-3", "2024-04-01"));
    let never = "n".repeat(hidden.len());
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    for (name, caller) in [("app", &app), ("town", &world.importer())] {
        for query in ["", "?mode=update", "?mode=delete"] {
            let [one, other] = [&hidden, &never].map(|id| {
                let mut body = patient("隠", "validate-3", "2024-04-01");
                body["id"] = json!(id);
                fingerprint(&caller.post(&format!("Patient/{id}/$validate{query}"), &body), id)
            });
            assert_eq!(one, other, "{name} {query}");
            assert!(one.starts_with("404"), "{name} {query}: {one}");
        }
    }
}

/// Silence would be taken for a yes.
#[test]
fn a_profile_that_the_resource_names_is_said_to_be_unchecked() {
    let world = World::new();
    let tester = world.tester();
    let mut body = patient("型", "validate-9", "2024-04-01");
    let base = "http://hl7.org/fhir/StructureDefinition/Patient";
    body["meta"] =
        json!({"profile": [base, "http://example.org/StructureDefinition/a", format!("{base}|4.0.1"), "urn:b"]});
    for body in [body.clone(), wrapped(&body, Some("create"))] {
        let outcome = tester.post("Patient/$validate", &body).expect(200).json();
        let told: Vec<_> = outcome["issue"]
            .as_array()
            .expect("issues")
            .iter()
            .map(|issue| {
                assert_eq!(issue["severity"], "information", "{issue}");
                (issue["code"].as_str().expect("a code"), issue["expression"][0].as_str().unwrap_or_default())
            })
            .collect();
        let unchecked = |index: usize| ["", "Patient.meta.profile[1]", "", "Patient.meta.profile[3]"][index];
        assert_eq!(told, [("informational", ""), ("not-supported", unchecked(1)), ("not-supported", unchecked(3))]);
    }
    body["birthDate"] = json!("yesterday");
    let outcome = tester.post("Patient/$validate", &body).expect(200).json();
    assert_eq!(
        (&outcome["issue"][0]["severity"], &outcome["issue"][1]["code"]),
        (&json!("error"), &json!("not-supported"))
    );
}
