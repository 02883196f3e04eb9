//! Operations: where each is asked and how, that each leaves a record, and that the
//! list of what is tried against hidden records is whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use techo_conformance_tests::http::Request;
use techo_conformance_tests::world::{Caller, World};

/// Every operation at every level, and the test that tries it against what the caller
/// may not see, or why there is nothing to see. An operation that is claimed and not
/// here fails the suite.
const TRIED: &[(&str, &str)] = &[
    ("Patient/$everything", "`everything.rs`: everything_is_what_the_caller_may_see_and_no_oracle"),
    ("$fhirpath", "`fhirpath.rs`: references_are_followed_as_far_as_the_caller_may_read"),
    ("Observation/$lastn", "`lastn.rs`: hidden_records_take_no_place"),
    ("Resource/$validate", "`validate.rs`: a_hidden_record_is_judged_like_none"),
    ("$meta", "`meta.rs`: hidden_records_are_neither_told_nor_labelled"),
    ("Resource/$meta", "`meta.rs`: hidden_records_are_neither_told_nor_labelled"),
    ("Resource/$meta-add", "`meta.rs`: hidden_records_are_neither_told_nor_labelled"),
    ("Resource/$meta-delete", "`meta.rs`: hidden_records_are_neither_told_nor_labelled"),
    ("$import", "`import.rs`: import_over_http_needs_its_scopes_and_refuses_rightly"),
    // Named queries: `_query=latest` and so on.
    ("Observation/$latest", "`queries.rs`: hidden_records_take_no_part_in_a_named_query"),
    ("MedicationStatement/$in-use", "`queries.rs`: hidden_records_take_no_part_in_a_named_query"),
    ("Immunization/$given", "`queries.rs`: hidden_records_take_no_part_in_a_named_query"),
    ("$reindex", "makes index rows and shows none: `parameters.rs`"),
];

/// Every route of the FHIR API, and where it is tried against what the caller may not see.
const ROUTES: &[(&str, &str)] = &[
    ("/fhir", "`leaks.rs`: entries of Bundles are tried beside single requests; searches: `grounds.rs`"),
    ("/fhir/", "the same as /fhir"),
    ("/fhir/_search", "`grounds.rs`: the same Interaction as GET"),
    ("/fhir/metadata", "open to all, says nothing of a record: `capabilities.rs`"),
    ("/fhir/_history", "`history.rs`: hidden records have no past"),
    ("/fhir/{kind}", "`consent.rs`, `leaks.rs`"),
    ("/fhir/{kind}/_history", "`history.rs`: hidden records have no past"),
    ("/fhir/{kind}/_search", "`search.rs`: the same Interaction as GET"),
    ("/fhir/{kind}/{id}", "`consent.rs`, `leaks.rs`"),
    ("/fhir/{kind}/{id}/{below}", "operations: see TRIED; compartments: `grounds.rs`"),
    ("/fhir/{kind}/{id}/{below}/_search", "`grounds.rs`: the_compartment_of_whom_is_hidden_is_that_of_nobody"),
    ("/fhir/{kind}/{id}/_history", "`consent.rs`, `leaks.rs`"),
    ("/fhir/{kind}/{id}/_history/{version}", "`consent.rs`, `leaks.rs`"),
    ("/fhir/{kind}/{id}/_history/{version}/{below}", "operations: see TRIED"),
];

fn statement(world: &World) -> Value {
    Request::get(&format!("{}/metadata", world.base)).send().expect(200).json()
}

/// `$name`, `Type/$name`: each once, `Resource` for what every type has.
fn claimed(statement: &Value) -> BTreeSet<String> {
    let rest = &statement["rest"][0];
    let names = |of: &Value| -> Vec<String> {
        let all = of["operation"].as_array().into_iter().flatten();
        all.map(|one| format!("${}", one["name"].as_str().expect("a name"))).collect()
    };
    let mut found: BTreeSet<String> = names(rest).into_iter().collect();
    let types = rest["resource"].as_array().expect("resources");
    for resource in types {
        let kind = resource["type"].as_str().expect("a type");
        for name in names(resource) {
            let everywhere = types.iter().filter(|one| names(one).contains(&name)).count() > 100;
            found.insert(format!("{}/{name}", if everywhere { "Resource" } else { kind }));
        }
    }
    found
}

#[test]
fn every_operation_is_tried_against_what_is_hidden() {
    let world = World::new();
    let listed: BTreeSet<String> = TRIED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(claimed(&statement(&world)), listed);
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/http/mod.rs"));
    let text = text.expect("the route table");
    let routes: BTreeSet<&str> =
        text.split('"').filter(|word| word.starts_with("/fhir") && !word.contains(' ')).collect();
    assert_eq!(routes, ROUTES.iter().map(|(route, _)| *route).collect(), "every route has its test");
    for (_, place) in TRIED.iter().chain(ROUTES) {
        let Some((file, name)) = place.strip_prefix('`').and_then(|place| place.split_once("`: ")) else { continue };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
        let suite = fs::read_to_string(path).expect("the suite that is named");
        assert!(name.contains(' ') || suite.contains(&format!("fn {name}()")), "{place}");
    }
}

#[test]
fn what_is_claimed_is_defined() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let rest = &statement["rest"][0];
    let of_types = rest["resource"].as_array().into_iter().flatten().map(|resource| &resource["operation"]);
    let mut ours = 0;
    for operation in of_types.chain([&rest["operation"]]).flat_map(|all| all.as_array().into_iter().flatten()) {
        let url = operation["definition"].as_str().expect("a URL");
        if let Some(path) = url.strip_prefix(&format!("{}/", world.base)) {
            let definition = tester.get(path).expect(200).json();
            assert_eq!(definition["url"], url);
            assert_eq!(definition["code"], operation["name"]);
            assert!(definition["parameter"].as_array().is_some_and(|all| all.len() > 1), "{definition}");
            // Nobody writes over it.
            let mut other = definition;
            other["name"] = json!("other");
            tester.put(path, &other).refused(409);
            tester.delete(path).refused(409);
            ours += 1;
        } else {
            assert!(url.starts_with("http://hl7.org/fhir/OperationDefinition/"), "{url}");
        }
    }
    assert!(ours >= 2, "{ours}");
}

#[test]
fn an_operation_is_asked_at_its_level_by_its_method_with_its_parameters() {
    let world = World::new();
    let tester = world.tester();
    for (method, path, status) in [
        ("GET", "$nonsense", 404),
        ("POST", "$nonsense", 404),
        ("POST", "Patient/$import", 404),
        ("POST", "Patient/x/$import", 404),
        ("POST", "Patient/x/_history/1/$import", 404),
        ("GET", "Patient/x/nonsense", 404),
        ("GET", "Nonsense/$validate", 404),
        ("GET", "$import", 405),
        ("GET", "$fhirpath", 405),
        ("PUT", "$import", 405),
        ("PUT", "Patient/$import", 405),
        ("DELETE", "Patient/$import", 405),
        ("DELETE", "Patient/x/$import", 405),
        ("POST", "Patient/x", 405),
        ("POST", "$fhirpath?nonsense=1", 400),
    ] {
        let answer = tester.request(method, path).body("application/fhir+json", "").send().refused(status);
        let allow = answer.header("Allow").unwrap_or_default();
        assert_eq!(status == 405, !allow.is_empty(), "{method} {path}: {allow}");
        assert!(!allow.split(',').any(|one| one == method), "{method} {path}: {allow}");
    }
    for (path, methods) in
        [("$import", "POST"), ("Patient/x/$import", "POST"), ("Patient/x", "GET,HEAD,PUT,PATCH,DELETE")]
    {
        let options = tester.request("OPTIONS", path).send().expect(204);
        let allow = options.header("Allow").unwrap_or_default();
        assert_eq!(allow, methods, "{path}");
    }
    for (body, status, place) in [
        (json!({"resourceType": "Patient"}), 400, "resourceType"),
        (json!({"resourceType": "Parameters"}), 400, "Parameters.parameter"),
        (
            json!({"resourceType": "Parameters", "parameter": [{"name": "x", "valueString": "1"}]}),
            400,
            "Parameters.parameter[0].name",
        ),
        (
            json!({"resourceType": "Parameters", "parameter": [{"name": "expression", "valueInteger": 1}]}),
            400,
            "Parameters.parameter[0].value",
        ),
        (
            json!({"resourceType": "Parameters", "parameter": [
                {"name": "expression", "valueString": "1"}, {"name": "expression", "valueString": "2"}]}),
            400,
            "Parameters.parameter[1].value",
        ),
    ] {
        let answer = tester.post("$fhirpath", &body).refused(status).json();
        assert_eq!(answer["issue"][0]["expression"][0], place, "{body}");
    }
    let japanese =
        tester.request("POST", "$fhirpath").header("Accept-Language", "ja").body("application/fhir+json", "");
    let text = japanese.send().refused(400).json()["issue"][0]["details"]["text"].to_string();
    assert!(text.contains("パラメータ"), "{text}");
    tester.request("POST", "$fhirpath").body("text/plain", "x").send().refused(415);
}

#[test]
fn who_asks_otherwise_is_told_how() {
    let world = World::new();
    let tester = world.tester();
    // Whoever asks at another level is told at which.
    for (path, place) in [
        ("$validate", "/fhir/[type]/$validate"),
        ("Patient/$fhirpath", "/fhir/$fhirpath"),
        ("Observation/x/$everything", "/fhir/Patient/[id]/$everything"),
        ("Patient/x/_history/1/$meta-delete", "/fhir/[type]/[id]/$meta-delete"),
    ] {
        let text = tester.post(path, &json!({"resourceType": "Parameters"})).refused(404).text();
        assert!(text.contains(place), "{path}: {text}");
    }
    // What is a text may be sent as one of another name; what is none is named.
    let parameters = |name: &str, value: &Value| {
        let mut body = json!({"resourceType": "Parameters", "parameter": [
            {"name": "resource", "resource": {"resourceType": "Patient"}}, {"name": name}]});
        let part = body["parameter"][1].as_object_mut().expect("a part");
        part.extend(value.as_object().expect("a value").clone());
        body
    };
    let profile = "http://hl7.org/fhir/StructureDefinition/Patient";
    for value in [json!({"valueUri": profile}), json!({"valueCanonical": profile}), json!({"valueString": profile})] {
        tester.post("Patient/$validate", &parameters("profile", &value)).expect(200);
    }
    tester.post("Patient/$validate", &parameters("mode", &json!({"valueString": "create"}))).expect(200);
    for value in [json!({"valueString": "two words "}), json!({"valueBoolean": true}), json!({})] {
        let text = tester.post("Patient/$validate", &parameters("mode", &value)).refused(400).text();
        assert!(text.contains("mode is of type code"), "{text}");
    }
    let latest = json!({"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueReference": {"reference": "Patient/x"}}]});
    assert!(tester.post("Observation/$lastn", &latest).refused(400).text().contains("parameter patient is of type"));
}

/// Records of the audit log, when none of a write waits to be moved there.
fn records(world: &World) -> u64 {
    for _ in 0..100 {
        let output = world.server.command(&["audit-verify", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        if report["waiting"] == 0 {
            return report["chains"].as_array().into_iter().flatten().filter_map(|one| one["records"].as_u64()).sum();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("records of writes wait for ever");
}

type Ask<'a> = &'a dyn Fn(&Caller) -> u16;

/// `$fhirpath`, and `$import` where it was refused, left no record.
#[test]
fn every_operation_leaves_a_record_whether_it_answers_or_refuses() {
    let world = World::new();
    let tester = world.tester();
    let app = world.mother_for_daughter();
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "expression", "valueString": "id"}, {"name": "resource", "resource": {"resourceType": "Patient"}}]});
    let asks: [(&str, &Caller, u16, Ask<'_>); 4] = [
        ("an answer", &tester, 200, &|caller| caller.post("$fhirpath", &parameters).status),
        ("a bad request", &tester, 400, &|caller| {
            caller.post("$fhirpath", &json!({"resourceType": "Parameters"})).status
        }),
        ("not for an app", &app, 403, &|caller| {
            caller.request("POST", "$import").body("text/csv", "a,b").send().status
        }),
        ("no such operation", &app, 404, &|caller| caller.get("Patient/$nonsense").status),
    ];
    for (what, caller, status, ask) in asks {
        let before = records(&world);
        assert_eq!(ask(caller), status, "{what}");
        assert_eq!(records(&world), before + 1, "{what}");
    }
    let events = world
        .approve(
            &techo_conformance_tests::world::Ask::new("app-secret", "hanako", "launch/patient patient/AuditEvent.rs")
                .of("pt-mei"),
        )
        .search("AuditEvent?patient=pt-mei&_count=200");
    assert!(events.to_string().contains("$nonsense") || has_query(&events, "$nonsense"), "the daughter's side sees it");
}

/// Whether an event's query, which is base64, names this.
fn has_query(events: &Value, name: &str) -> bool {
    use base64::Engine;
    let entries = events["entry"].as_array().into_iter().flatten();
    let queries = entries.flat_map(|entry| entry["resource"]["entity"].as_array().into_iter().flatten());
    queries.filter_map(|entity| entity["query"].as_str()).any(|query| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(query).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(name)
    })
}

/// No token at all was called an invalid one.
#[test]
fn who_sends_no_token_is_asked_for_one() {
    let world = World::new();
    for (request, expected) in [
        (world.anon().request("GET", "Patient/x"), "Bearer realm=\"techo\""),
        (world.anon().request("GET", "Patient/x/$everything"), "Bearer realm=\"techo\""),
        (world.anon().request("GET", "Patient/x").header("Authorization", "Basic YTpi"), "Bearer realm=\"techo\""),
        (
            world.holder("nonsense".to_owned()).request("GET", "Patient/x"),
            "Bearer realm=\"techo\", error=\"invalid_token\"",
        ),
    ] {
        let answer = request.send().refused(401);
        assert_eq!(answer.header("WWW-Authenticate"), Some(expected));
    }
}
