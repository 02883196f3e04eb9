//! Value sets and code systems that are stored here, asked by `:in` and `:not-in`, by
//! `_filter`, by hierarchy, and by `memberOf()`: what they come to, and for whom.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
use techo_conformance_tests::stock::{ACT, Stock, clinic};
use techo_conformance_tests::world::{Ask, Caller, World};

const TOWN: &str = "http://town.example/fhir";
const LOINC: &str = "http://loinc.org";

fn set(name: &str, compose: &Value) -> Value {
    json!({"resourceType": "ValueSet", "status": "active", "url": format!("{TOWN}/ValueSet/{name}"), "compose": compose})
}

fn listed(system: &str, codes: &[&str]) -> Value {
    let concept: Vec<Value> = codes.iter().map(|code| json!({"code": code})).collect();
    json!({"include": [{"system": system, "concept": concept}]})
}

fn checkups() -> Value {
    json!({"resourceType": "CodeSystem", "status": "active", "content": "complete", "caseSensitive": true,
        "url": format!("{TOWN}/CodeSystem/checkup"), "hierarchyMeaning": "is-a",
        "property": [{"code": "age", "type": "integer"}],
        "concept": [
            {"code": "growth", "concept": [
                {"code": "stature", "property": [{"code": "age", "valueInteger": 18}]},
                {"code": "mass", "property": [{"code": "age", "valueInteger": 36}]}]},
            {"code": "hearing", "property": [{"code": "age", "valueInteger": 36}]}]})
}

/// The clinic with observations by the town's own codes, and sets of each kind.
fn town() -> Stock {
    let mut stock = clinic();
    let system = format!("{TOWN}/CodeSystem/checkup");
    let who = json!({"reference": format!("Patient/{}", stock.id("ai"))});
    for code in ["stature", "mass", "hearing", "unheard-of"] {
        let coding = json!([{"system": system, "code": code}]);
        stock.put(
            code,
            &json!({"resourceType": "Observation", "status": "final", "code": {"coding": coding}, "subject": who}),
        );
    }
    stock.put("checkup", &checkups());
    let filtered = |property: &str, op: &str, value: &str| json!({"include": [{"system": system, "filter": [{"property": property, "op": op, "value": value}]}]});
    let set_of = |name: &str| format!("{TOWN}/ValueSet/{name}");
    for (name, compose) in [
        ("weights", listed(LOINC, &["29463-7", "3141-9"])),
        ("whole", json!({"include": [{"system": system}]})),
        ("growth", filtered("concept", "is-a", "growth")),
        ("below-growth", filtered("concept", "descendent-of", "growth")),
        ("late", filtered("age", "=", "36")),
        ("matching", filtered("code", "regex", "s.*|h.*")),
        ("late-growth", json!({"include": [{"valueSet": [set_of("late"), set_of("growth")]}]})),
        ("all", json!({"include": [{"valueSet": [set_of("weights")]}, {"valueSet": [set_of("whole")]}]})),
        ("less", json!({"include": [{"system": system}], "exclude": [{"valueSet": [set_of("late")]}]})),
        (
            "emergency",
            json!({"include": [{"system": ACT, "filter": [{"property": "concept", "op": "is-a", "value": "AMB"}]}]}),
        ),
        (
            "gender",
            json!({"include": [{"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]}], "exclude": [{"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "male"}]}]}),
        ),
        // What is not here, or says more than can be done.
        ("lacks-set", json!({"include": [{"valueSet": [set_of("nowhere")]}]})),
        ("lacks-system", json!({"include": [{"system": "http://snomed.info/sct"}]})),
        ("round", json!({"include": [{"valueSet": [set_of("trip")]}]})),
        ("trip", json!({"include": [{"valueSet": [set_of("round")]}]})),
        ("undeclared", filtered("size", "=", "1")),
    ] {
        stock.put(name, &set(name, &compose));
    }
    let contains = json!([{"system": LOINC, "code": "29463-7"}]);
    stock.put(
        "expanded",
        &json!({"resourceType": "ValueSet", "status": "active", "url": set_of("expanded"),
            "expansion": {"timestamp": "2026-01-01", "contains": contains}}),
    );
    stock.put("empty", &json!({"resourceType": "ValueSet", "status": "active", "url": set_of("empty")}));
    stock
}

#[test]
fn stored_value_sets_are_asked() {
    let stock = town();
    let url = |name: &str| format!("{TOWN}/ValueSet/{name}");
    let finds = |name: &str, found: &str| ("Observation", "code:in", url(name), found.to_owned());
    let mut cases = vec![
        finds("weights", "light heavy kens"),
        finds("whole", "stature mass hearing"),
        finds("growth", "stature mass"),
        finds("below-growth", "stature mass"),
        finds("late", "mass hearing"),
        finds("matching", "stature hearing"),
        finds("late-growth", "mass"),
        finds("all", "light heavy kens stature mass hearing"),
        finds("less", "stature"),
        finds("expanded", "light heavy kens"),
    ];
    let mut more = |kind: &'static str, name: &'static str, value: String, found: &str| {
        cases.push((kind, name, value, found.to_owned()));
    };
    // By reference, by version, several at once.
    more("Observation", "code:in", "ValueSet/{growth}".to_owned(), "stature mass");
    more("Observation", "code:in", format!("{}/ValueSet/{{growth}}", stock.tester.base), "stature mass");
    more("Observation", "code:in", format!("{},{}", url("weights"), url("late")), "light heavy kens mass hearing");
    more("Observation", "code:not-in", url("whole"), "light heavy kens unheard-of");
    more("Observation", "code:not-in", "ValueSet/{all}".to_owned(), "unheard-of");
    // Beside other conditions, and through others.
    more("Observation", "code:in&subject=Patient/{ai}", url("weights"), "light heavy");
    more("Patient", "_has:Observation:patient:code:in", url("growth"), "ai");
    more("Patient", "_has:Observation:patient:code:in", url("weights"), "ai ken");
    more("Observation", "encounter.class:in", url("emergency"), "light");
    more(
        "Observation",
        "patient.gender:in&code:in=http://town.example/fhir/ValueSet/weights",
        url("gender"),
        "light heavy",
    );
    more("Encounter", "class:in", url("emergency"), "seen");
    // A code without a system has that of its binding.
    more("Patient", "gender:in&identifier=urn:mr|", url("gender"), "ai");
    more("Patient", "gender:not-in&identifier=urn:mr|", url("gender"), "ken");
    // As a whole expression.
    more("Observation", "_filter", format!("code in {}", url("late-growth")), "mass");
    more("Observation", "_filter", format!("code ni {} and code in {}", url("late"), url("whole")), "stature");
    more(
        "Observation",
        "_filter",
        format!("patient[gender in {}].name sw 鎖 and code in {}", url("gender"), url("weights")),
        "light heavy",
    );
    // The hierarchy of a stored system.
    more("Observation", "code:below", format!("{TOWN}/CodeSystem/checkup|growth"), "stature mass");
    more("Observation", "code:above", format!("{TOWN}/CodeSystem/checkup|stature"), "stature");
    let cases: Vec<(&str, &str, &str, &str)> =
        cases.iter().map(|(kind, name, value, found)| (*kind, *name, value.as_str(), found.as_str())).collect();
    stock.finds(&cases);
}

#[test]
fn what_cannot_be_told_whole_is_refused_with_its_place() {
    let mut stock = town();
    let many: Vec<String> = (0..10_001).map(|number| format!("c{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    stock.put("many", &set("many", &listed(LOINC, &many)));
    let deep = |own: usize| {
        set(&format!("deep-{own}"), &json!({"include": [{"valueSet": [format!("{TOWN}/ValueSet/deep-{}", own + 1)]}]}))
    };
    (0..20).for_each(|own| {
        stock.put(&format!("deep-{own}"), &deep(own));
    });
    let wide: Vec<Value> =
        (0..70).map(|number| json!({"valueSet": [format!("{TOWN}/ValueSet/none-{number}")]})).collect();
    stock.put("wide", &set("wide", &json!({"include": wide})));
    for (name, code, text) in [
        ("nowhere", "not-found", "there is no such value set here"),
        ("lacks-set", "not-found", "ValueSet.compose.include[0].valueSet[0]"),
        ("lacks-system", "not-found", "ValueSet.compose.include[0].system"),
        ("undeclared", "not-supported", "ValueSet.compose.include[0].filter[0].property"),
        ("round", "not-supported", "draws on itself"),
        ("empty", "not-supported", "ValueSet.compose"),
        ("deep-0", "not-supported", "draws on itself, or on too many"),
        ("many", "too-costly", "10000"),
        ("wide", "too-costly", "64"),
    ] {
        for modifier in ["in", "not-in"] {
            let asked = encode(&format!("{TOWN}/ValueSet/{name}"));
            let answer = stock.tester.get(&format!("Observation?code:{modifier}={asked}")).refused(400).json();
            let issue = &answer["issue"][0];
            assert_eq!(issue["code"], code, "{name}: {answer}");
            assert_eq!(issue["expression"][0], format!("code:{modifier}"), "{name}: {answer}");
            assert!(issue["details"]["text"].as_str().is_some_and(|said| said.contains(text)), "{name}: {answer}");
        }
        // It may not be passed over: the answer would mean something else.
        let asked = encode(&format!("{TOWN}/ValueSet/{name}"));
        let lenient = stock.tester.request("GET", &format!("Observation?code:in={asked}"));
        lenient.header("prefer", "handling=lenient").send().refused(400);
    }
    for value in ["ValueSet/nowhere", "ValueSet/{growth}/_history/1", "Patient/{ai}", "{growth}", "|1", "|", "x|", "#x"]
    {
        stock.refuses(&[("Observation", "code:in", value, "not-found")]);
    }
    let japanese = stock.tester.request("GET", &format!("Observation?code:in={TOWN}/ValueSet/undeclared"));
    let answer = japanese.header("accept-language", "ja").send().refused(400).json();
    assert!(answer.to_string().contains("このサーバーでは解釈できません"), "{answer}");
}

#[test]
fn the_version_that_is_named_or_the_newest_in_force() {
    let mut stock = town();
    let url = format!("{TOWN}/ValueSet/versions");
    let version = |version: &str, status: &str, code: &str| {
        let mut set = set("versions", &listed(&format!("{TOWN}/CodeSystem/checkup"), &[code]));
        (set["version"], set["status"]) = (json!(version), json!(status));
        set
    };
    let found = |stock: &Stock, asked: &str| stock.found("Observation", "code:in", asked);
    stock.put("old", &version("3.0.0", "retired", "unheard-of"));
    assert_eq!(found(&stock, &url), ["unheard-of"], "what is retired, if there is nothing else");
    stock.put("draft", &version("2.0.0", "draft", "hearing"));
    assert_eq!(found(&stock, &url), ["hearing"]);
    stock.put("ten", &version("1.10.0", "active", "mass"));
    stock.put("nine", &version("1.9.0", "active", "stature"));
    assert_eq!(found(&stock, &url), ["mass"], "the highest that is active");
    assert_eq!(found(&stock, &format!("{url}|1.9.0")), ["stature"]);
    assert_eq!(found(&stock, &format!("{url}|2.0.0")), ["hearing"]);
    assert_eq!(found(&stock, &format!("{url}|3.0.0")), ["unheard-of"]);
    stock.refuses(&[("Observation", "code:in", &format!("{url}|4.0.0"), "not-found")]);
    // A set that came with the program comes first, and only as what it is.
    let genders = "http://hl7.org/fhir/ValueSet/administrative-gender";
    let mut foreign = set("genders", &listed("http://hl7.org/fhir/administrative-gender", &["male"]));
    (foreign["url"], foreign["version"]) = (json!(genders), json!("9"));
    stock.refuses(&[("Patient", "gender:in", &format!("{genders}|9"), "not-found")]);
    stock.put("foreign", &foreign);
    let ours = |asked: &str| stock.found("Patient", "gender:in&identifier=urn:mr|", asked);
    assert_eq!(ours(genders), ["ai", "ken"]);
    assert_eq!(ours(&format!("{genders}|4.0.1")), ["ai", "ken"]);
    assert_eq!(ours(&format!("{genders}|9")), ["ken"]);
    // What is changed or deleted counts at once.
    let id = stock.id("ten").to_owned();
    stock.tester.put(&format!("ValueSet/{id}"), &{
        let mut set = version("1.10.0", "active", "hearing");
        set["id"] = json!(id);
        set
    });
    assert_eq!(found(&stock, &url), ["hearing"]);
    stock.tester.delete(&format!("ValueSet/{id}")).expect(204);
    assert_eq!(found(&stock, &url), ["stature"]);
    let gone = format!("ValueSet/{id}");
    stock.refuses(&[("Observation", "code:in", &gone, "not-found")]);
    let many = (0..21).map(|number| version(&format!("x{number}"), "active", "mass"));
    for (number, one) in many.enumerate() {
        stock.put(&format!("version-{number}"), &one);
    }
    stock.refuses(&[("Observation", "code:in", &url, "too-costly")]);
    assert_eq!(found(&stock, &format!("{url}|x20")), ["mass"]);
}

#[test]
fn conditions_are_judged_by_stored_sets() {
    let stock = town();
    let growth = format!("code:in={TOWN}/ValueSet/late-growth");
    let who = format!("Patient/{}", stock.id("ai"));
    let new = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": who},
        "code": {"coding": [{"system": format!("{TOWN}/CodeSystem/checkup"), "code": "mass"}]}});
    let create = |condition: &str| {
        stock.tester.request("POST", "Observation").header("if-none-exist", condition).fhir(&new).send()
    };
    let there = create(&growth).expect(200).json();
    assert_eq!(there["id"], stock.id("mass"));
    create(&format!("code:in={TOWN}/ValueSet/nowhere")).refused(400);
    let bundle = |condition: &str| {
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": new,
        "request": {"method": "PUT", "url": format!("Observation?{condition}")}}]})
    };
    let answer = stock.tester.post("", &bundle(&growth)).expect(200).json();
    assert!(
        answer["entry"][0]["response"]["status"].as_str().is_some_and(|status| status.starts_with("200")),
        "{answer}"
    );
    stock.tester.delete(&format!("Observation?{growth}")).expect(204);
    stock.tester.get(&format!("Observation/{}", stock.id("mass"))).refused(410);
    assert!(stock.found("Observation", "code:in", &format!("{TOWN}/ValueSet/late-growth")).is_empty());
    create(&growth).expect(201);
}

#[test]
fn many_codes_and_many_pages() {
    let mut stock = town();
    let mut codes: Vec<String> = (0..9_999).map(|number| format!("c{number}")).collect();
    codes.push("29463-7".to_owned());
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    stock.put("large", &set("large", &listed(LOINC, &codes)));
    let url = format!("{TOWN}/ValueSet/large");
    stock.finds(&[
        ("Observation", "code:in", &url, "light heavy kens"),
        ("Observation", "code:not-in", &url, "stature mass hearing unheard-of"),
        ("Observation", "code:in&patient={ai}", &url, "light heavy"),
        ("Patient", "_has:Observation:patient:code:in", &url, "ai ken"),
        ("Observation", "_tag:in", &url, ""),
    ]);
    let pages = stock.tester.walk(&format!("Observation?code:in={url}&_count=1&_sort=date"), "next");
    assert_eq!(pages.concat().len(), 3);
    // Ten times as many codes are still asked; more are not.
    let ten = [url.as_str(); 10].join(",");
    assert_eq!(stock.found("Observation", "code:in", &ten), ["heavy", "kens", "light"]);
    stock.refuses(&[("Observation", "code:in", &format!("{ten},{url}"), "too-costly")]);
}

fn told(caller: &Caller, asked: &str) -> Value {
    let answer = caller.get(&format!("Observation?code:in={}", encode(asked))).refused(400).json();
    let said = answer["issue"][0]["details"]["text"].as_str().expect("a sentence").replace(asked, "X");
    json!([answer["issue"][0]["code"], answer["issue"][0]["expression"], said])
}

/// What a caller may not search is to her as if it did not exist: a set, and what it draws on.
#[test]
fn what_is_hidden_is_like_what_does_not_exist() {
    let world = World::new();
    let tester = world.tester();
    let weights = format!("{TOWN}/ValueSet/weights");
    let id = tester.create(&set("weights", &listed(LOINC, &["29463-7"])));
    let drawing = format!("{TOWN}/ValueSet/drawing");
    tester.create(&set("drawing", &json!({"include": [{"system": format!("{TOWN}/CodeSystem/checkup")}]})));
    tester.create(&checkups());
    let nowhere = format!("{TOWN}/ValueSet/nowhere");
    let app = |scope: &str| world.approve(&Ask::new("app-public", "hanako", scope).of("pt-taro"));
    let bare = app("launch/patient patient/Observation.rs");
    let absent = told(&bare, &nowhere);
    assert_eq!(absent[0], "not-found");
    for hidden in [weights.clone(), format!("ValueSet/{id}"), format!("{weights}|1"), drawing.clone()] {
        assert_eq!(told(&bare, &hidden), absent, "{hidden}");
    }
    // To be read is not to be searched.
    assert_eq!(told(&app("launch/patient patient/Observation.rs user/ValueSet.r"), &weights), absent);
    let sees = app("launch/patient patient/Observation.rs user/ValueSet.s");
    let own = sees.ids(&format!("Observation?code:in={weights}"));
    assert_eq!(own, sees.ids(&format!("Observation?code={LOINC}|29463-7")));
    assert!(!own.is_empty());
    assert_eq!(sees.ids(&format!("Observation?code:in=ValueSet/{id}")), own);
    // She sees the set, and nothing of what it draws on.
    let lacks = told(&sees, &drawing);
    assert!(lacks[2].as_str().is_some_and(|said| said.contains("ValueSet.compose.include[0].system")), "{lacks}");
    let whole = app("launch/patient patient/Observation.rs user/ValueSet.s user/CodeSystem.s");
    assert!(whole.ids(&format!("Observation?code:in={drawing}")).is_empty());
    // Another family's mother may know the set, and finds nothing of others by it.
    let stranger = world.stranger();
    let strange = stranger.search(&format!("Observation?code:in={weights}&_count=200"));
    let about = strange.to_string();
    assert!(!about.contains("pt-taro") && own.iter().all(|id| !about.contains(&format!("\"{id}\""))), "{about}");
}

#[test]
fn expressions_ask_what_the_caller_may_search() {
    let world = World::new();
    let tester = world.tester();
    let weights = format!("{TOWN}/ValueSet/weights");
    tester.create(&set("weights", &listed(LOINC, &["29463-7"])));
    tester.create(&checkups());
    let growth = json!([{"property": "concept", "op": "is-a", "value": "growth"}]);
    tester.create(&set(
        "growth",
        &json!({"include": [{"system": format!("{TOWN}/CodeSystem/checkup"), "filter": growth}]}),
    ));
    let resource = json!({"resourceType": "Observation", "status": "final", "code": {"coding": [
        {"system": LOINC, "code": "29463-7"}, {"system": format!("{TOWN}/CodeSystem/checkup"), "code": "mass"}]}});
    let evaluated = |caller: &Caller, expression: &str| {
        let body = json!({"resourceType": "Parameters", "parameter": [
            {"name": "expression", "valueString": expression}, {"name": "resource", "resource": resource}]});
        caller.post("$fhirpath", &body).expect(200).json()["parameter"][0]["valueBoolean"].clone()
    };
    let bare =
        world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Observation.rs").of("pt-hanako"));
    for (expression, expected) in [
        (format!("code.memberOf('{weights}')"), json!(true)),
        (format!("code.coding[1].memberOf('{weights}')"), json!(false)),
        (format!("code.memberOf('{TOWN}/ValueSet/growth')"), json!(true)),
        (format!("code.coding[0].memberOf('{TOWN}/ValueSet/growth')"), json!(false)),
        (format!("code.memberOf('{TOWN}/ValueSet/nowhere')"), Value::Null),
        ("code.memberOf('')".to_owned(), Value::Null),
        ("code.memberOf('\\u0000')".to_owned(), Value::Null),
        ("code.memberOf('a,b|1\\\\')".to_owned(), Value::Null),
        (format!("code.memberOf('{weights}') and code.memberOf('{TOWN}/ValueSet/growth')"), json!(true)),
    ] {
        assert_eq!(evaluated(&tester, &expression), expected, "{expression}");
        assert_eq!(evaluated(&bare, &expression), Value::Null, "{expression}");
    }
    let genders = "status.memberOf('http://hl7.org/fhir/ValueSet/observation-status')";
    assert_eq!(evaluated(&bare, genders), json!(true));
}

/// Two sets that are changed together are asked together: one of them as it was and the
/// other as it is would have no code in common.
#[test]
fn sets_that_change_together_are_read_together() {
    let stock = town();
    let system = format!("{TOWN}/CodeSystem/checkup");
    let pair = |code: &str| {
        let mut inner = set("inner", &listed(&system, &[code]));
        let mut outer = set("outer", &listed(&system, &[code]));
        outer["compose"]["include"][0]["valueSet"] = json!([format!("{TOWN}/ValueSet/inner")]);
        (inner["id"], outer["id"]) = (json!("inner"), json!("outer"));
        let entry = |resource: Value| {
            let url = format!("ValueSet/{}", resource["id"].as_str().expect("an id"));
            json!({"resource": resource, "request": {"method": "PUT", "url": url}})
        };
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(inner), entry(outer)]})
    };
    stock.tester.post("", &pair("mass")).expect(200);
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for code in ["stature", "mass"].into_iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                stock.tester.post("", &pair(code)).expect(200);
            }
        });
        let asked = format!("Observation?code:in={TOWN}/ValueSet/outer");
        let found: Vec<usize> = (0..ROUNDS).map(|_| stock.tester.ids(&asked).len()).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(found, vec![1; ROUNDS]);
    });
}

const ROUNDS: usize = 400;
