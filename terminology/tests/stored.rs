//! Stored value sets, worked out: what R4's algorithm says of each way to compose one.

use std::collections::BTreeSet;

use techo_profiles::{Definitions, json, json::Json, local::BASE};
use techo_terminology::{
    Definition, ExpandError, Fault, Shelf, Shelves, Terminology, code_system, expand::expand, value_set,
};

const TOWN: &str = "http://town.example/fhir/CodeSystem/food";

/// Everything edible, fruit and its kinds, roots; and a code that is no longer used.
fn food() -> Json {
    let concept = |code: &str, display: &str| json!({"code": code, "display": display});
    let kind = |name: &str, value: &str| json!({"code": name, "valueCode": value});
    let inactive = json!({"code": "inactive", "valueBoolean": true});
    json!({"resourceType": "CodeSystem", "url": TOWN, "version": "2", "status": "active", "content": "complete",
        "hierarchyMeaning": "is-a",
        "property": [{"code": "colour", "type": "code"}, {"code": "inactive", "type": "boolean"}],
        "concept": [
            {"code": "food", "concept": [
                {"code": "fruit", "concept": [
                    (concept("apple", "りんご").with("property", Json::array([kind("colour", "red"), kind("colour", "green")]))),
                    (concept("pear", "なし").with("property", Json::array([kind("colour", "green")]))),
                    (concept("medlar", "セイヨウカリン").with("property", Json::array([inactive])))]},
                {"code": "root", "concept": [(concept("carrot", "にんじん"))]}]},
            {"code": "water"}]})
}

fn set(url: &str, compose: Json) -> Json {
    json!({"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose})
}

/// The codes of the last of these sets, by what is stored beside it.
fn codes(stored: &[Json], asked: &str) -> Result<Vec<String>, ExpandError> {
    let base = Terminology::new(Definitions::embedded(), BASE);
    let mut shelves = Shelves::new(&base);
    let wanted = Definition::Set(asked.into());
    loop {
        let lacking = shelves.lacking(&wanted);
        if lacking.is_empty() {
            break;
        }
        for one in lacking {
            let find = |kind: &str, name: &str| {
                let (url, version) = name.split_once('|').map_or((name, None), |(url, version)| (url, Some(version)));
                let fits = |one: &&Json| {
                    one.str("resourceType") == Some(kind)
                        && one.str("url") == Some(url)
                        && version.is_none_or(|version| one.str("version") == Some(version))
                };
                stored.iter().find(fits).cloned()
            };
            match one {
                Definition::Set(name) => {
                    shelves.put_set(&name, find("ValueSet", &name).map(|one| value_set(one, &name)));
                }
                Definition::System(name) => shelves.put_system(&name, find("CodeSystem", &name).and_then(code_system)),
            }
        }
    }
    let mut codes: Vec<String> = expand(&shelves, asked)?.codes.into_iter().map(|one| one.code).collect();
    codes.sort();
    Ok(codes)
}

fn of(compose: Json) -> Vec<String> {
    codes(&[food(), set("urn:x", compose)], "urn:x").expect("a list")
}

fn filtered(property: &str, op: &str, value: &str) -> Json {
    json!({"include": [{"system": TOWN, "filter": [{"property": property, "op": op, "value": value}]}]})
}

const ALL: [&str; 8] = ["apple", "carrot", "food", "fruit", "medlar", "pear", "root", "water"];

#[test]
fn a_part_is_a_whole_system_or_its_codes_or_what_filters_leave() {
    assert_eq!(of(json!({"include": [{"system": TOWN}]})), ALL);
    assert_eq!(of(json!({"include": [{"system": TOWN, "version": "2"}]})), ALL);
    let two = json!({"include": [{"system": TOWN, "concept": [{"code": "pear"}]}, {"system": "urn:other", "concept": [{"code": "x"}, {"code": "y"}]}]});
    assert_eq!(of(two), ["pear", "x", "y"]);
    for (property, op, value, expected) in [
        ("concept", "is-a", "fruit", &["apple", "fruit", "medlar", "pear"][..]),
        ("code", "is-a", "carrot", &["carrot"]),
        ("concept", "descendent-of", "fruit", &["apple", "medlar", "pear"]),
        ("concept", "is-not-a", "food", &["water"]),
        ("concept", "generalizes", "apple", &["apple", "food", "fruit"]),
        ("concept", "=", "pear", &["pear"]),
        ("concept", "in", "pear, water", &["pear", "water"]),
        ("code", "not-in", "pear,water", &["apple", "carrot", "food", "fruit", "medlar", "root"]),
        ("code", "regex", "[a-c].*", &["apple", "carrot"]),
        ("code", "regex", "a", &[]),
        ("display", "regex", "に.*", &["carrot"]),
        ("display", "exists", "false", &["food", "fruit", "root", "water"]),
        ("parent", "=", "food", &["fruit", "root"]),
        ("parent", "exists", "false", &["food", "water"]),
        ("colour", "=", "green", &["apple", "pear"]),
        ("colour", "in", "red,blue", &["apple"]),
        ("colour", "not-in", "green", &["carrot", "food", "fruit", "medlar", "root", "water"]),
        ("colour", "exists", "true", &["apple", "pear"]),
        ("colour", "regex", "r.d", &["apple"]),
        ("inactive", "=", "true", &["medlar"]),
        ("inactive", "=", "false", &["apple", "carrot", "food", "fruit", "pear", "root", "water"]),
    ] {
        assert_eq!(of(filtered(property, op, value)), expected, "{property} {op} {value}");
    }
    // Several filters must all let a code through.
    let both = json!({"include": [{"system": TOWN, "filter": [
        {"property": "colour", "op": "=", "value": "green"}, {"property": "colour", "op": "=", "value": "red"}]}]});
    assert_eq!(of(both), ["apple"]);
}

#[test]
fn what_is_excluded_or_no_longer_used_is_left_out() {
    let less = |exclude: Json| of(json!({"include": [{"system": TOWN}], "exclude": [exclude]}));
    assert_eq!(less(json!({"system": TOWN, "concept": [{"code": "food"}, {"code": "nothing"}]})).len(), 7);
    let fruit = json!([{"property": "concept", "op": "is-a", "value": "fruit"}]);
    assert_eq!(less(json!({"system": TOWN, "filter": (fruit)})), ["carrot", "food", "root", "water"]);
    assert_eq!(less(json!({"system": TOWN})), [] as [&str; 0]);
    // A system that is not here takes nothing out of another.
    assert_eq!(less(json!({"system": "http://snomed.info/sct"})), ALL);
    let used =
        json!({"inactive": false, "include": [{"system": TOWN, "concept": [{"code": "pear"}, {"code": "medlar"}]}]});
    assert_eq!(of(used), ["pear"]);
    let all =
        json!({"inactive": true, "include": [{"system": TOWN, "concept": [{"code": "pear"}, {"code": "medlar"}]}]});
    assert_eq!(of(all), ["medlar", "pear"]);
}

#[test]
fn sets_draw_on_one_another() {
    let fruit = set("urn:fruit", filtered("concept", "is-a", "fruit"));
    let green = set("urn:green", filtered("colour", "=", "green")).with("version", "1");
    let all = [food(), fruit, green];
    let with = |compose: Json| codes(&[&all[..], &[set("urn:x", compose)]].concat(), "urn:x").expect("a list");
    assert_eq!(with(json!({"include": [{"valueSet": ["urn:fruit"]}]})), ["apple", "fruit", "medlar", "pear"]);
    assert_eq!(with(json!({"include": [{"valueSet": ["urn:fruit", "urn:green|1"]}]})), ["apple", "pear"]);
    let union = json!({"include": [{"valueSet": ["urn:green"]}, {"valueSet": ["urn:fruit"]}]});
    assert_eq!(with(union), ["apple", "fruit", "medlar", "pear"]);
    // With a system: those of it that are in the set, whether or not all of the system is here.
    assert_eq!(with(json!({"include": [{"system": TOWN, "valueSet": ["urn:green"]}]})), ["apple", "pear"]);
    assert_eq!(with(json!({"include": [{"system": "urn:other", "valueSet": ["urn:green"]}]})), [] as [&str; 0]);
    let listed = json!({"include": [{"system": TOWN, "concept": [{"code": "apple"}, {"code": "carrot"}], "valueSet": ["urn:green"]}]});
    assert_eq!(with(listed), ["apple"]);
    let without = json!({"include": [{"valueSet": ["urn:fruit"]}], "exclude": [{"valueSet": ["urn:green"]}]});
    assert_eq!(with(without), ["fruit", "medlar"]);
    // What came with the program is drawn on like any other.
    let genders = json!({"include": [{"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]}]});
    assert_eq!(with(genders), ["female", "male", "other", "unknown"]);
}

#[test]
fn what_the_publisher_listed_counts_where_nothing_is_composed() {
    let listed = json!({"timestamp": "2026", "total": 3, "contains": [
        {"system": "urn:s", "code": "group", "abstract": true, "contains": [{"system": "urn:s", "code": "a"}]},
        {"system": "urn:s", "code": "b"}]});
    let bare = json!({"resourceType": "ValueSet", "url": "urn:x", "status": "active", "expansion": (listed.clone())});
    assert_eq!(codes(std::slice::from_ref(&bare), "urn:x").expect("a list"), ["a", "b"]);
    // A composition is the set; a list beside it is what it once came to.
    let both = bare.clone().with("compose", json!({"include": [{"system": "urn:s", "concept": [{"code": "c"}]}]}));
    assert_eq!(codes(&[both], "urn:x").expect("a list"), ["c"]);
    for (name, value) in [
        ("total", json!(4)),
        ("offset", json!(10)),
        ("parameter", json!([{"name": "filter", "valueString": "a"}])),
        (
            "extension",
            json!([{"url": "http://hl7.org/fhir/StructureDefinition/valueset-unclosed", "valueBoolean": true}]),
        ),
    ] {
        let part = bare.clone().with("expansion", listed.clone().with(name, value));
        let error = codes(&[part], "urn:x").expect_err("a part");
        assert_eq!(error.fault, Fault::Undecided);
        assert!(error.element.starts_with(&format!("ValueSet.expansion.{name}")), "{error}");
    }
}

#[test]
fn what_cannot_be_worked_out_is_told_with_its_place() {
    let system = |url: &str| Fault::UnknownSystem(url.to_owned());
    for (compose, element, fault) in [
        (json!({"include": [{"system": "urn:none"}]}), "include[0].system", system("urn:none")),
        (json!({"include": [{"system": TOWN, "version": "1"}]}), "include[0].system", system(TOWN)),
        (
            json!({"include": [{"system": TOWN}, {"valueSet": ["urn:none"]}]}),
            "include[1].valueSet[0]",
            Fault::UnknownSet("urn:none".into()),
        ),
        (filtered("colour", "is-a", "red"), "include[0].filter[0].op", Fault::Undecided),
        (filtered("concept", "child-of", "fruit"), "include[0].filter[0].op", Fault::Undecided),
        (filtered("concept", "is-a", "nothing"), "include[0].filter[0].value", Fault::Undecided),
        (filtered("size", "=", "big"), "include[0].filter[0].property", Fault::Undecided),
        (filtered("code", "regex", "(?=a)a"), "include[0].filter[0].value", Fault::Undecided),
        (filtered("code", "regex", "(a{1000}){1000}"), "include[0].filter[0].value", Fault::Undecided),
        (filtered("code", "exists", "perhaps"), "include[0].filter[0].value", Fault::Undecided),
        (json!({"include": [{"valueSet": ["urn:x"]}]}), "", Fault::Circle),
        (json!({"lockedDate": "2026", "include": [{"system": TOWN}]}), "lockedDate", Fault::Undecided),
        (
            json!({"include": [{"system": TOWN, "modifierExtension": [{"url": "urn:m"}]}]}),
            "include[0].modifierExtension",
            Fault::Undecided,
        ),
    ] {
        let shown = compose.to_string();
        let error = codes(&[food(), set("urn:x", compose)], "urn:x").expect_err(&shown);
        let element = format!("ValueSet.compose{}{element}", if element.is_empty() { "" } else { "." });
        assert_eq!((error.set.as_str(), error.element, error.fault), ("urn:x", element, fault), "{shown}");
    }
    let nothing = json!({"resourceType": "ValueSet", "url": "urn:x", "status": "active"});
    assert_eq!(codes(&[nothing], "urn:x").expect_err("empty").element, "ValueSet.compose");
    assert_eq!(codes(&[], "urn:x").expect_err("absent").fault, Fault::UnknownSet("urn:x".into()));
}

#[test]
fn another_meaning_of_the_hierarchy_is_no_is_a() {
    let parts = food().with("hierarchyMeaning", "part-of");
    let error = codes(&[parts, set("urn:x", filtered("concept", "is-a", "fruit"))], "urn:x").expect_err("parts");
    assert_eq!(error.element, "ValueSet.compose.include[0].filter[0].op");
}

#[test]
fn circles_end_and_a_lattice_is_walked_once() {
    let draws = |own: usize, on: usize| {
        let part = json!({"valueSet": [(format!("urn:{on}"))]});
        set(&format!("urn:{own}"), json!({"include": [(part.clone()), (part)]}))
    };
    let round: Vec<Json> = (0..4).map(|at| draws(at, (at + 1) % 4)).collect();
    assert_eq!(codes(&round, "urn:2").expect_err("a circle").fault, Fault::Circle);
    // Each of fourteen draws on the next one twice: sixteen thousand ways to the last.
    let mut lattice: Vec<Json> = (0..14).map(|at| draws(at, at + 1)).collect();
    lattice.push(set("urn:14", json!({"include": [{"system": "urn:s", "concept": [{"code": "a"}]}]})));
    assert_eq!(codes(&lattice, "urn:0").expect("one code"), ["a"]);
    let deep: Vec<Json> = (0..40).map(|at| draws(at, at + 1)).collect();
    assert_eq!(codes(&[&deep[..], &lattice[..0]].concat(), "urn:0").expect_err("deep").fault, Fault::Circle);
}

#[test]
fn there_is_a_limit_to_how_many() {
    let listed = |count: usize| Json::array((0..count).map(|code| json!({"code": (format!("c{code}"))})));
    let many = |count: usize| json!({"system": "urn:s", "concept": (listed(count))});
    assert_eq!(of(json!({"include": [(many(10_000))]})).len(), 10_000);
    let error = codes(&[set("urn:x", json!({"include": [(many(10_001))]}))], "urn:x").expect_err("one more");
    assert_eq!(error.fault, Fault::TooLarge);
    // What is excluded does not count.
    let less = json!({"include": [(many(10_001))], "exclude": [{"system": "urn:s", "concept": [{"code": "c7"}]}]});
    assert_eq!(of(less).len(), 10_000);
    let error = codes(&[set("urn:x", json!({"include": [(many(50_001))]}))], "urn:x").expect_err("far more");
    assert_eq!(error.fault, Fault::TooLarge);
}

/// That a code is none of an exclude's must be found out as well, for each of them.
#[test]
fn excludes_of_another_system_are_work_too() {
    let codes_of = Json::array((0..10_000).map(|code| json!({"code": (format!("c{code}"))})));
    let included = json!({"system": "urn:s", "concept": (codes_of)});
    let less = |excludes: usize| {
        let excludes = Json::array((0..excludes).map(|_| json!({"system": "urn:other"})));
        codes(&[set("urn:x", json!({"include": [(included.clone())], "exclude": (excludes)}))], "urn:x")
    };
    assert_eq!(less(100).expect("a few").len(), 10_000);
    assert_eq!(less(300).expect_err("many").fault, Fault::TooLarge);
}

/// The rule of sets, on every pair of a few parts: an include adds, an exclude takes away.
#[test]
fn parts_add_and_take_away_like_sets() {
    let parts = [
        json!({"system": TOWN}),
        json!({"system": TOWN, "concept": [{"code": "pear"}, {"code": "water"}]}),
        json!({"system": TOWN, "filter": [{"property": "concept", "op": "is-a", "value": "fruit"}]}),
        json!({"system": TOWN, "filter": [{"property": "colour", "op": "exists", "value": "true"}]}),
        json!({"system": "urn:other", "concept": [{"code": "pear"}]}),
        json!({"valueSet": ["urn:inner"]}),
    ];
    let inner = set("urn:inner", filtered("concept", "in", "carrot,water,root"));
    let pairs = |compose: Json| -> BTreeSet<(Option<String>, String)> {
        let base = Terminology::new(Definitions::embedded(), BASE);
        let mut shelves = Shelves::new(&base);
        shelves.put_set("urn:inner", Some(value_set(inner.clone(), "urn:inner")));
        shelves.put_set("urn:x", Some(value_set(set("urn:x", compose), "urn:x")));
        shelves.put_system(TOWN, code_system(food()));
        let found = expand(&shelves, "urn:x").expect("a list").codes;
        found.into_iter().map(|one| (one.system, one.code)).collect()
    };
    let alone: Vec<_> = parts.iter().map(|part| pairs(json!({"include": [(part.clone())]}))).collect();
    for (first, own) in parts.iter().zip(&alone) {
        for (second, other) in parts.iter().zip(&alone) {
            let both = pairs(json!({"include": [(first.clone()), (second.clone())]}));
            assert_eq!(both, own | other, "{first} and {second}");
            let less = pairs(json!({"include": [(first.clone())], "exclude": [(second.clone())]}));
            assert_eq!(less, own - other, "{first} without {second}");
        }
    }
}

/// Beside what is stored, what came with the program means what it meant without.
#[test]
fn what_came_with_the_program_is_listed_alike() {
    let base = Terminology::new(Definitions::embedded(), BASE);
    let mut alike = 0;
    for (url, _) in Definitions::embedded().value_sets() {
        let mut shelves = Shelves::new(&base);
        let wanted = Definition::Set(url.into());
        assert!(shelves.is_built_in(url), "{url}");
        for lacking in shelves.lacking(&wanted) {
            match lacking {
                Definition::Set(name) => shelves.put_set(&name, None),
                Definition::System(name) => shelves.put_system(&name, None),
            }
        }
        assert!(shelves.lacking(&wanted).is_empty(), "{url}");
        match (base.expand(url), expand(&shelves, url)) {
            (Ok(own), Ok(beside)) => assert_eq!(own, beside, "{url}"),
            (Err(own), Err(beside)) => assert_eq!(own.fault, beside.fault, "{url}"),
            (own, beside) => panic!("{url}: {own:?} is not {beside:?}"),
        }
        alike += 1;
    }
    assert!(alike > 1_000);
    // Another version of one that is here is another set.
    let shelves = Shelves::new(&base);
    let genders = "http://hl7.org/fhir/ValueSet/administrative-gender";
    assert!(shelves.value_set(&format!("{genders}|4.0.1")).is_some());
    assert!(shelves.value_set(&format!("{genders}|9")).is_none());
    assert_eq!(shelves.lacking(&Definition::Set(format!("{genders}|9").into())).len(), 1);
}
