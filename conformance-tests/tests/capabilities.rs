//! What the server says of itself is what it does: every claim is tried, and
//! what is not claimed is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use techo_conformance_tests::http::{Request, encode};
use techo_conformance_tests::sample::patient;
use techo_conformance_tests::server::{binary, directory};
use techo_conformance_tests::world::{Caller, World};

/// Interactions of one type and how to try them without writing.
const VERBS: [(&str, &str, &str); 8] = [
    ("read", "GET", "TYPE/none"),
    ("vread", "GET", "TYPE/none/_history/1"),
    ("history-instance", "GET", "TYPE/none/_history"),
    ("history-type", "GET", "TYPE/_history"),
    ("search-type", "GET", "TYPE?_count=1"),
    ("patch", "PATCH", "TYPE/none"),
    ("update", "PUT", "TYPE/none"),
    ("create", "POST", "TYPE"),
];

/// Operations that R4 defines, by the types it defines them for.
const OPERATIONS: [(&str, &[&str]); 22] = [
    ("", &["convert", "graphql", "meta", "process-message", "closure", "versions", "export", "validate"]),
    ("ActivityDefinition", &["apply", "data-requirements"]),
    ("CapabilityStatement", &["conforms", "implements", "subset"]),
    ("Claim", &["submit"]),
    ("CodeSystem", &["lookup", "validate-code", "subsumes", "find-matches"]),
    ("Composition", &["document"]),
    ("ConceptMap", &["translate"]),
    ("CoverageEligibilityRequest", &["submit"]),
    ("Encounter", &["everything"]),
    ("Group", &["everything", "export"]),
    ("Library", &["data-requirements"]),
    ("List", &["find"]),
    ("Measure", &["care-gaps", "collect-data", "evaluate-measure", "submit-data"]),
    ("MedicinalProduct", &["everything"]),
    ("MessageHeader", &["process-message"]),
    ("NamingSystem", &["preferred-id"]),
    ("Observation", &["lastn", "stats", "meta", "meta-add", "meta-delete", "validate"]),
    ("Patient", &["everything", "export", "match"]),
    ("PlanDefinition", &["apply"]),
    ("StructureDefinition", &["questionnaire", "snapshot"]),
    ("StructureMap", &["transform"]),
    ("ValueSet", &["expand", "validate-code"]),
];

fn statement(world: &World) -> Value {
    Request::get(&format!("{}/metadata", world.base)).send().expect(200).json()
}

fn names(list: &Value, member: &str) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item[member].as_str().map(str::to_owned)).collect()
}

#[test]
fn the_statement_is_open_and_complete() {
    let world = World::new();
    for accept in ["application/fhir+json", "application/json", "*/*"] {
        let answer = Request::get(&format!("{}/metadata", world.base)).header("Accept", accept).send().expect(200);
        assert!(answer.header("Content-Type").is_some_and(|media| media.contains("json")));
    }
    let statement = statement(&world);
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["kind"], "instance");
    for name in ["status", "date", "format", "rest"] {
        assert!(!statement[name].is_null(), "{name} is required");
    }
    let security = &statement["rest"][0]["security"];
    let discovery = world.discovery();
    let oauth =
        security["extension"].as_array().into_iter().flatten().find(|extension| {
            extension["url"] == "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
        });
    let parts = &oauth.expect("DIS-7: oauth-uris")["extension"];
    let url = |name: &str| {
        parts.as_array().into_iter().flatten().find(|part| part["url"] == name).map(|part| &part["valueUri"])
    };
    assert_eq!(url("authorize"), Some(&discovery["authorization_endpoint"]));
    assert_eq!(url("token"), Some(&discovery["token_endpoint"]));
}

#[test]
fn every_claimed_interaction_answers_and_every_other_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let resources = statement["rest"][0]["resource"].as_array().expect("resources");
    assert!(resources.len() > 100, "R4 has 146 types, {} are claimed", resources.len());
    let mut checks = 0;
    for resource in resources {
        let kind = resource["type"].as_str().expect("a type");
        let claimed = names(&resource["interaction"], "code");
        for (code, method, path) in VERBS {
            let answer = tester.request(method, &path.replace("TYPE", kind));
            // An empty body is never valid: a verb that exists says so, one that does not says 405.
            let answer = if method == "GET" { answer } else { answer.body("application/fhir+json", "{}") }.send();
            let absent = [404, 405, 501].contains(&answer.status) && !(method == "GET" && path.contains("none"));
            if claimed.contains(code) {
                assert!(
                    answer.status < 500 && answer.status != 405,
                    "{kind} {code}: {} {}",
                    answer.status,
                    answer.text()
                );
                assert!(method != "GET" || !absent, "{kind} {code} is claimed: {} {}", answer.status, answer.text());
            } else {
                let refused = absent || [400, 403, 415].contains(&answer.status) || answer.status == 405;
                assert!(refused, "{kind} {code} is not claimed: {} {}", answer.status, answer.text());
                assert!(answer.status != 200, "{kind} {code} is not claimed");
            }
            checks += 1;
        }
    }
    assert!(checks > 800, "{checks}");
}

#[test]
fn every_claimed_search_parameter_answers() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let mut checks = 0;
    let mut faults = Vec::new();
    for resource in statement["rest"][0]["resource"].as_array().expect("resources") {
        let kind = resource["type"].as_str().expect("a type");
        for parameter in resource["searchParam"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            let value = match parameter["type"].as_str() {
                Some("token") => "true",
                Some("date") => "2026-01-01",
                Some("number") => "0.5",
                Some("quantity") => "5.4|http://unitsofmeasure.org|mg",
                Some("reference") => "Patient/none",
                Some("uri") => "https://example.org/x",
                Some("special") => "35.68|139.77|5|km",
                _ => "x",
            };
            let value = match name {
                "_filter" => "_id eq none",
                "_lastUpdated" => "gt2026-01-01",
                "_count" => "1",
                _ => value,
            };
            let parts = (parameter["type"] == "composite").then(|| composite(&tester, kind, name));
            let value = parts.as_deref().unwrap_or(value);
            let answer = tester.get(&format!("{kind}?{name}={}&_count=1", encode(value)));
            // AuditEvents are the citizens' own: refused to the tester by its registration.
            if answer.status != 200 && !(kind == "AuditEvent" && answer.status == 403) {
                faults.push(format!("{kind}?{name}={value}: {} {}", answer.status, answer.text()));
            }
            checks += 1;
        }
        for (asked, claims) in [("_include", "searchInclude"), ("_revinclude", "searchRevInclude")] {
            let names = names_of(&resource[claims]);
            // As many at once as one search may ask for.
            for some in names.chunks(20) {
                let all: String = some.iter().map(|name| format!("&{asked}={}", encode(name))).collect();
                let answer = tester.get(&format!("{kind}?_count=1{all}"));
                if answer.status != 200 {
                    faults.push(format!("{kind}?{all}: {} {}", answer.status, answer.text()));
                }
                checks += some.len();
            }
        }
    }
    for parameter in statement["rest"][0]["searchParam"].as_array().expect("parameters of all types") {
        let query = match parameter["name"].as_str() {
            Some("_has") => "_has:Observation:patient:code=x",
            Some("_list") => "_list=none",
            Some("_text") => "_text=none",
            Some("_content") => "_content=none",
            Some("_id") => "_id=none",
            Some("_lastUpdated") => "_lastUpdated=gt2026-01-01",
            Some("_tag") => "_tag=x",
            Some("_profile") => "_profile=x",
            Some("_security") => "_security=x",
            Some("_source") => "_source=x",
            Some("_filter") => "_filter=_id%20eq%20none",
            other => panic!("{other:?} is claimed and not tried"),
        };
        tester.get(&format!("Patient?{query}")).expect(200);
        if !query.starts_with("_has") {
            tester.get(&format!("?_type=Patient,Observation&{query}")).expect(200);
            tester.get(&format!("?{query}")).expect(200);
        }
    }
    assert!(faults.is_empty(), "{} of {checks}:\n{}", faults.len(), faults.join("\n"));
    assert!(checks > 1_000, "{checks} parameters are claimed");
}

/// A value of a composite. What kinds its parts are, the refusal of another value says.
fn composite(tester: &Caller, kind: &str, name: &str) -> String {
    let refusal = tester.get(&format!("{kind}?{name}=x")).refused(400).text();
    let form = refusal.split("are written ").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    let part = |word: &str| match word {
        "quantity" | "number" => "1",
        "date" => "2026",
        "reference" => "Patient/none",
        "uri" => "http://example.org/x",
        _ => "x",
    };
    form.split('$').map(part).collect::<Vec<_>>().join("$")
}

fn names_of(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn claimed_operations_exist_and_others_do_not() {
    let world = World::new();
    let tester = world.tester();
    let rest = statement(&world)["rest"][0].clone();
    for operation in names(&rest["operation"], "name") {
        let path = format!("${}", operation.trim_start_matches('$'));
        let answer = tester.request("POST", &path).body("application/fhir+json", "{}").send();
        assert!(![404, 405, 501].contains(&answer.status), "{path} is claimed: {} {}", answer.status, answer.text());
    }
    for path in ["$nonsense", "Patient/$nonsense"] {
        let answer = tester.request("POST", path).body("application/fhir+json", "{}").send();
        assert!([404, 405].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
    }
    let system = names(&rest["interaction"], "code");
    for (code, method, path) in
        [("history-system", "GET", "_history"), ("search-system", "GET", "?_type=Patient&_count=1")]
    {
        let answer = tester.request(method, path).send();
        assert_eq!(answer.status == 200, system.contains(code), "{code}: {} {}", answer.status, answer.text());
    }
    let batch = serde_json::json!({"resourceType": "Bundle", "type": "batch"});
    assert_eq!(tester.post("", &batch).status == 200, system.contains("batch"), "batch");
    assert!(system.contains("transaction"));
}

#[test]
fn conditional_claims_are_true() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let resources = statement["rest"][0]["resource"].as_array().expect("resources");
    let claim = resources.iter().find(|resource| resource["type"] == "Patient").expect("Patient is claimed");
    let body = patient("条", "claims", "2024-04-01");
    let create = tester.request("POST", "Patient").header("If-None-Exist", "identifier=claims").fhir(&body).send();
    assert_eq!(create.status == 201, claim["conditionalCreate"] == true, "{}", create.text());
    let update = tester.put("Patient?identifier=claims", &body);
    assert_eq!([200, 201].contains(&update.status), claim["conditionalUpdate"] == true, "{}", update.text());
    let delete = tester.delete("Patient?identifier=claims");
    let claimed = claim["conditionalDelete"].as_str().is_some_and(|claim| claim != "not-supported");
    assert_eq!([200, 204].contains(&delete.status), claimed, "{}", delete.text());
    let mut chosen = body;
    chosen["id"] = json!("claims-id");
    let upsert = tester.put("Patient/claims-id", &chosen);
    assert_eq!(upsert.status == 201, claim["updateCreate"] == true, "{}", upsert.text());
}

/// A reference to another server, and one by identifier alone, is taken and found.
#[test]
fn references_are_of_the_kinds_that_are_claimed() {
    let world = World::new();
    let tester = world.tester();
    let metadata = statement(&world);
    let claims = metadata["rest"][0]["resource"].as_array().expect("types");
    let claim = claims.iter().find(|one| one["type"] == "Observation").expect("Observation");
    assert_eq!(claim["referencePolicy"], json!(["literal", "logical"]));
    let by = |subject: Value| {
        let one = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject});
        tester.create(&one)
    };
    let elsewhere = by(json!({"reference": "https://elsewhere.example/fhir/Patient/1"}));
    let named = by(json!({"type": "Patient", "identifier": {"system": "urn:policy", "value": "1"}}));
    assert_eq!(tester.ids("Observation?subject=https://elsewhere.example/fhir/Patient/1"), [elsewhere]);
    assert_eq!(tester.ids("Observation?subject:identifier=urn:policy%7C1"), [named]);
}

#[test]
fn the_reference_in_the_manual_is_what_the_tables_say() {
    let written = directory();
    let output = Command::new(binary()).arg("reference").arg(&written).output().expect("techo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/api");
    let pages = |folder: &Path| -> BTreeSet<String> {
        let files = fs::read_dir(folder).expect("a folder of pages").flatten();
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(pages(&manual), pages(&written));
    for page in pages(&written) {
        let text = |folder: &Path| fs::read_to_string(folder.join(&page)).expect("a page");
        let same = text(&manual) == text(&written);
        assert!(same, "{page} is not what the tables say: run `techo reference docs/src/reference/api`");
    }
    fs::remove_dir_all(&written).ok();
}

#[test]
fn what_is_not_claimed_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let rest = &statement["rest"][0];
    let types = rest["resource"].as_array().expect("resources");
    let everywhere: BTreeSet<String> = types.iter().flat_map(|of| names(&of["searchParam"], "name")).collect();
    let mut checks = 0;
    for (at, of) in types.iter().enumerate() {
        let kind = of["type"].as_str().expect("a type");
        let claimed = names(&of["searchParam"], "name");
        // Other types' parameters: some for each type, others for the next.
        for name in everywhere.difference(&claimed).skip(at).step_by(150) {
            let answer = tester.get(&format!("{kind}?{name}=2026&_count=1"));
            let expected = if kind == "AuditEvent" { 403 } else { 400 };
            assert_eq!(answer.status, expected, "{kind}?{name}: {}", answer.text());
            checks += 1;
        }
    }
    for (kind, operations) in OPERATIONS {
        let of = types.iter().find(|of| of["type"] == kind).unwrap_or(rest);
        let claims = names(&of["operation"], "name");
        for name in operations.iter().filter(|name| !claims.contains(**name)) {
            for place in [format!("{kind}/${name}"), format!("{kind}/none/${name}")] {
                let place = place.trim_start_matches('/');
                let answer = tester.request("POST", place).body("application/fhir+json", "{}").send();
                assert!([404, 405].contains(&answer.status), "{place}: {} {}", answer.status, answer.text());
                checks += 1;
            }
        }
    }
    assert!(checks > 400, "{checks}");
}

#[test]
fn what_leads_nowhere_is_neither_claimed_nor_followed() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let types: Vec<&Value> = statement["rest"][0]["resource"].as_array().expect("resources").iter().collect();
    let references: BTreeSet<String> = types
        .iter()
        .flat_map(|of| {
            let all = of["searchParam"].as_array().into_iter().flatten();
            let references = all.filter(|one| one["type"] == "reference");
            references
                .map(|one| format!("{}:{}", of["type"].as_str().unwrap_or(""), one["name"].as_str().unwrap_or("")))
        })
        .collect();
    let mut checks = 0;
    for (at, of) in types.iter().enumerate().filter(|(_, of)| of["type"] != "AuditEvent") {
        let kind = of["type"].as_str().expect("a type");
        let unclaimed = |list: &str, some: &dyn Fn(&String) -> bool| -> Vec<String> {
            let claimed: BTreeSet<String> = names_of(&of[list]).into_iter().collect();
            references.difference(&claimed).filter(|name| some(name)).cloned().collect()
        };
        let own = unclaimed("searchInclude", &|name| name.starts_with(&format!("{kind}:")));
        // Of what does not point here some for each type, others for the next.
        let others = unclaimed("searchRevInclude", &|name| !name.starts_with("AuditEvent:"));
        let others = others.iter().skip(at).step_by(150).map(|name| ("_revinclude", name));
        for (asked, name) in own.iter().map(|name| ("_include", name)).chain(others) {
            let answer = tester.get(&format!("{kind}?_count=1&{asked}={}", encode(name)));
            assert_eq!(answer.status, 400, "{kind}?{asked}={name}: {}", answer.text());
            checks += 1;
        }
    }
    assert!(checks > 400, "{checks}");
    // By a canonical URL includes and chains step, to types that have one.
    tester.get("QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire").expect(200);
    tester.get("Account?_revinclude=Library:depends-on").refused(400);
    let query = "Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed";
    tester.get(query).expect(200);
    tester.get("Account?_has:Library:depends-on:status=active").refused(400);
    tester.get("QuestionnaireResponse?questionnaire.title=x").expect(200);
    tester.get("QuestionnaireResponse?questionnaire=http://example.org/q").expect(200);
}

#[test]
fn formats_are_spoken_where_they_are_claimed_and_nowhere_else() {
    let world = World::new();
    let tester = world.tester();
    let statement = statement(&world);
    let formats = names_of(&statement["format"]);
    let path = format!("Patient/{}", tester.create(&patient("式", "formats", "2024-04-01")));
    for format in ["application/fhir+json", "json", "application/fhir+xml", "xml", "application/fhir+turtle", "ttl"] {
        let answer = tester.get(&format!("{path}?_format={}", encode(format)));
        let claimed = formats.iter().any(|claim| claim == format);
        assert_eq!(answer.status, if claimed { 200 } else { 406 }, "{format}: {}", answer.text());
        if format.contains('/') {
            let answer = tester.request("GET", &path).header("Accept", format).send();
            assert_eq!(answer.status == 200, claimed, "Accept {format}: {}", answer.text());
        }
    }
    let patches = names_of(&statement["patchFormat"]);
    for format in
        ["application/json-patch+json", "application/fhir+json", "application/fhir+xml", "application/merge-patch+json"]
    {
        let answer = tester.request("PATCH", &path).body(format, "nonsense").send();
        let claimed = patches.iter().any(|claim| claim == format);
        assert_eq!(answer.status, if claimed { 400 } else { 415 }, "PATCH {format}: {}", answer.text());
    }
}
