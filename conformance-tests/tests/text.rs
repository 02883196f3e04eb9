//! Full text: `_text` and `_content`, in Japanese as in other languages, and
//! nothing through them that the caller would not be shown.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::stock::Stock;
use techo_conformance_tests::world::{Ask, Caller, World};

fn narrative(inner: &str) -> Value {
    json!({"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>")})
}

/// Conditions of one child: what their narratives say, and their notes.
fn conditions() -> Stock {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("文字", "text-1", "2024-04-01"));
    let mut put = |name: &str, inner: &str, note: &str| {
        let mut resource = json!({"resourceType": "Condition", "subject": who, "note": [{"text": note}]});
        if !inner.is_empty() {
            resource["text"] = narrative(inner);
        }
        stock.put(name, &resource);
    };
    put("pollen", "<p>春の花<b>粉</b>症による鼻炎</p><p>Comes every spring</p>", "抗ヒスタミン薬");
    put("asthma", "気管支喘息 &amp; Hay&#x20;fever", "ＣＯＶＩＤ−１９の後");
    put("liver", "Bone and liver metastases", "Delivery in spring, 100% sure_ly");
    put("bone", "bone <i>meta</i>stases", "liver");
    put("plain", "", "花粉の季節に悪化");
    stock
}

#[test]
fn words_are_found_in_any_script() {
    conditions().finds(&[
        // Two signs are enough, and tags within a line do not cut a word.
        ("Condition", "_text", "花粉", "pollen"),
        ("Condition", "_text", "花粉症", "pollen"),
        ("Condition", "_text", "症による", "pollen"),
        ("Condition", "_text", "喘息", "asthma"),
        ("Condition", "_content", "花粉", "pollen plain"),
        ("Condition", "_content", "季節", "plain"),
        // One form for width, script and case.
        ("Condition", "_content", "こうひすたみん", ""),
        ("Condition", "_content", "ヒスタミン", "pollen"),
        ("Condition", "_content", "ひすたみん", "pollen"),
        ("Condition", "_content", "ﾋｽﾀﾐﾝ", "pollen"),
        ("Condition", "_content", "covid-19", "asthma"),
        ("Condition", "_content", "covid19", ""),
        ("Condition", "_text", "HAY", "asthma"),
        // Other scripts by the beginnings of words.
        ("Condition", "_content", "liver", "liver bone"),
        ("Condition", "_content", "metas", "liver bone"),
        ("Condition", "_text", "metastases", "liver bone"),
        ("Condition", "_text", "stases", ""),
        ("Condition", "_text", "liver", "liver"),
        ("Condition", "_content", "deliver", "liver"),
        // What SQL takes for signs of its own is none here.
        ("Condition", "_content", "100%", "liver"),
        ("Condition", "_content", "sure_ly", "liver"),
        ("Condition", "_content", "sure\\\\ly", "liver"),
        ("Condition", "_content", "surexly", ""),
        ("Condition", "_content", "'DROP", ""),
        // Names of elements, ids, codes and references are no words.
        ("Condition", "_content", "Condition", ""),
        ("Condition", "_content", "{who}", ""),
        ("Condition", "_content", "generated", ""),
        ("Condition", "_content", "xhtml", ""),
        ("Patient", "_content", "文字", "who"),
    ]);
}

#[test]
fn words_are_joined() {
    let stock = conditions();
    stock.finds(&[
        ("Condition", "_text", "(bone OR liver) and metastases", "liver bone"),
        ("Condition", "_text", "bone AND liver", "liver"),
        ("Condition", "_text", "bone liver", "liver"),
        ("Condition", "_text", "花粉\u{3000}鼻炎", "pollen"),
        ("Condition", "_text", "花粉 喘息", ""),
        ("Condition", "_text", "花粉 OR 喘息", "pollen asthma"),
        ("Condition", "_text", "花粉,喘息", "pollen asthma"),
        ("Condition", "_content", "spring liver OR 季節", "liver plain"),
        ("Condition", "_content", "spring (liver or 季節)", "liver"),
        // Together in one text, not across two.
        ("Condition", "_text", "\"hay fever\"", "asthma"),
        ("Condition", "_text", "\"fever hay\"", ""),
        ("Condition", "_text", "\"鼻炎 comes\"", ""),
        ("Condition", "_text", "\"bone and\"", "liver"),
        ("Condition", "_text", "\"bone\\, and\"", "liver"),
        ("Condition", "_text", "\"and\" \"bone\"", "liver"),
        ("Condition", "_content", "(delivery)", "liver"),
    ]);
    let wrong = [
        "",
        " ",
        "AND",
        "OR bone",
        "bone OR",
        "bone AND",
        "(bone",
        "bone)",
        "()",
        "\"bone",
        "\"\"",
        "NOT",
        "bone NOT",
        "NOT OR bone",
        "NOT AND bone",
        "NOT )",
        "bone NEAR liver",
        "NEAR(bone liver)",
        "bone near liver",
        "met*",
        "b?ne",
        "-bone",
        "+bone",
        "bone~",
        "&",
        "---",
        "bone,",
        "a\\nb",
    ];
    for value in wrong {
        stock.refuses(&[("Condition", "_text", value, "value"), ("Condition", "_content", value, "value")]);
    }
    stock.refuses(&[
        ("Condition", "_text:contains", "bone", "invalid"),
        ("Condition", "_content:missing", "true", "invalid"),
        ("Condition", "_text", &"(".repeat(20), "too-costly"),
        ("Condition", "_text", &format!("{}bone", "NOT ".repeat(20)), "too-costly"),
        ("Condition", "_text", &"a".repeat(300), "too-costly"),
        ("Condition", "_text", &"bone ".repeat(200), "too-costly"),
        ("Condition", "_filter", "_text eq bone", "value"),
        ("Condition", "_sort", "_text", "value"),
        // What has no narrative has no such parameter.
        ("Bundle", "_text", "bone", "not-supported"),
        ("Binary", "_text", "bone", "not-supported"),
    ]);
    stock.tester.get("Bundle?_content=bone").expect(200);
}

/// What is sought is not there: of what says something else, and of what says nothing.
#[test]
fn words_are_excluded() {
    let mut stock = conditions();
    let who = json!({"reference": format!("Patient/{}", stock.id("who"))});
    stock.put("silent", &json!({"resourceType": "Condition", "subject": who}));
    let finds = |name: &str, value: &str, expected: &str| {
        stock.finds(&[("Condition", &format!("{name}&subject=Patient/{{who}}"), value, expected)]);
    };
    finds("_text", "NOT bone", "pollen asthma plain silent");
    finds("_text", "not bone", "pollen asthma plain silent");
    finds("_text", "liver NOT bone", "");
    finds("_text", "metastases NOT liver", "bone");
    finds("_text", "NOT liver metastases", "bone");
    finds("_text", "metastases AND NOT liver", "bone");
    finds("_text", "花粉 OR NOT metastases", "pollen asthma plain silent");
    finds("_text", "NOT (花粉 OR 喘息)", "liver bone plain silent");
    finds("_text", "NOT \"hay fever\"", "pollen liver bone plain silent");
    finds("_text", "NOT NOT bone", "liver bone");
    finds("_text", "NOT (NOT bone)", "liver bone");
    finds("_text", "NOT (bone liver)", "pollen asthma bone plain silent");
    finds("_text", "NOT (NOT bone OR NOT liver)", "liver");
    finds("_text", "bone,NOT metastases", "pollen asthma liver bone plain silent");
    finds("_text", "\"not\"", "");
    finds("_content", "NOT 花粉", "asthma liver bone silent");
    finds("_content", "NOT 花粉 NOT liver", "asthma silent");
    stock.finds(&[
        ("Patient", "_has:Condition:subject:_text", "NOT bone", "who"),
        ("Condition", "subject:Patient._content", "NOT 文字", ""),
    ]);
}

/// Like any other condition: beside others, of several types, at the ends of a chain.
#[test]
fn full_text_goes_with_the_rest_of_search() {
    let stock = conditions();
    stock.finds(&[
        ("Condition", "_text&subject=Patient/{who}", "花粉", "pollen"),
        ("Condition", "_content&_text=%E8%8A%B1%E7%B2%89", "spring", "pollen"),
        ("Condition", "subject:Patient._content", "文字", "pollen asthma liver bone plain"),
        ("Condition", "subject:Patient._content", "花粉", ""),
        ("Patient", "_has:Condition:patient:_text", "喘息", "who"),
        ("Patient", "_has:Condition:patient:_text", "季節", ""),
        ("Patient", "_has:Condition:patient:_content", "季節", "who"),
    ]);
    let (tester, word) = (&stock.tester, encode("花粉"));
    let names = |query: &str| stock.names("Condition", &tester.ids(query));
    assert_eq!(names(&format!("?_type=Condition,Observation&_content={word}")), ["plain", "pollen"]);
    assert_eq!(names(&format!("Patient/{}/Condition?_content={word}", stock.id("who"))), ["plain", "pollen"]);
    let pages = tester.walk(&format!("Condition?_content={word}&_count=1&_total=accurate"), "next");
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    let form = tester
        .request("POST", "Condition/_search")
        .body("application/x-www-form-urlencoded", format!("_content={word}"))
        .send()
        .expect(200)
        .json();
    assert_eq!(form["total"], 2);
    let created = tester
        .request("POST", "Condition")
        .header("If-None-Exist", &format!("_text={}", encode("喘息")))
        .fhir(&json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{}", stock.id("who"))}}))
        .send()
        .expect(200)
        .json();
    assert_eq!(created["id"], stock.id("asthma"));
}

/// What arrived as XML is found like what arrived as JSON; what was changed or deleted
/// is found as it is now; and a check of the index says the same.
#[test]
fn words_follow_the_record() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("追跡", "text-2", "2024-04-01"));
    let xml = format!(
        "<Condition xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/>\
         <div xmlns=\"http://www.w3.org/1999/xhtml\">急性<b>中耳</b>炎<br/>Otitis &amp; fever</div></text>\
         <extension url=\"https://example.org/x\"><valueString value=\"ｶﾞｯｺｳ\"/></extension>\
         <code><text value=\"中耳の炎症\"><extension url=\"https://example.org/kana\"><valueString value=\"チュウジ\"/></extension></text></code>\
         <subject><reference value=\"Patient/{who}\"/></subject></Condition>"
    );
    let made = tester.request("POST", "Condition").body("application/fhir+xml", xml).send();
    let made: Value = tester
        .get(made.expect(201).header("Location").expect("a place").split("/fhir/").nth(1).expect("a path"))
        .json();
    let id = made["id"].as_str().expect("an id").to_owned();
    let mut twin = made.clone();
    twin.as_object_mut().expect("a resource").retain(|name, _| name != "id" && name != "meta");
    let twin_id = tester.create(&twin);
    let both: BTreeSet<String> = [id.clone(), twin_id.clone()].into();
    let found = |name: &str, value: &str| -> BTreeSet<String> {
        tester.ids(&format!("Condition?{name}={}", encode(value))).into_iter().collect()
    };
    for (name, value) in [
        ("_text", "中耳炎"),
        ("_text", "\"otitis fever\""),
        ("_content", "がっこう"),
        ("_content", "ちゅうじ"),
        ("_content", "炎症"),
    ] {
        assert_eq!(found(name, value), both, "{name}={value}");
    }
    let mut changed = made;
    changed["text"] = narrative("水疱");
    tester.put(&format!("Condition/{id}"), &changed).expect(200);
    assert_eq!(found("_text", "中耳炎"), [twin_id.clone()].into());
    assert_eq!(found("_text", "水疱"), [id.clone()].into());
    assert_eq!(found("_content", "炎症"), both);
    let patch = json!([{"op": "remove", "path": "/text"}]).to_string();
    tester.request("PATCH", &format!("Condition/{id}")).body("application/json-patch+json", patch).send().expect(200);
    assert_eq!(found("_text", "水疱"), BTreeSet::new());
    tester.delete(&format!("Condition/{twin_id}"));
    assert_eq!(found("_text", "中耳炎"), BTreeSet::new());
    let output = world.server.command(&["reindex", "--check", "--json"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(told.trim()).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(told["different"], 0, "{told}");
}

/// Alike but for the word: whether it is hidden or never was must not show.
#[track_caller]
fn alike(caller: &Caller, hidden: &str, never: &str, query: &str) {
    let ask = |word: &str| caller.get(&query.replace("{}", &encode(word)));
    assert_eq!(fingerprint(&ask(hidden), &encode(hidden)), fingerprint(&ask(never), &encode(never)), "{query}");
}

const QUERIES: [&str; 8] = [
    "Observation?_text=NOT%20{}&_total=accurate",
    "Observation?_content=NOT%20{}&_total=accurate",
    "Observation?_text={}",
    "Observation?_content={}&_total=accurate",
    "Observation?_content={}&_summary=count",
    "?_type=Observation,Encounter&_content={}",
    "Observation?_content=nothing%20OR%20{}",
    "Encounter?_has:Observation:encounter:_text={}",
];

/// The names of what is hidden are cut out of what goes to a recipient, and the
/// narrative with them: no word of either may find it.
#[test]
fn what_is_cut_out_is_not_found() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("墨塗", "text-3", "2024-04-01"));
    let visit = tester.create(&json!({"resourceType": "Encounter", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": format!("Patient/{who}")}}));
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["encounter"] = json!({"reference": format!("Encounter/{visit}"), "display": "内緒受診"});
    resource["note"] = json!([{"text": "体重増加"}]);
    resource["text"] = narrative("墨塗花子");
    let id = tester.create(&resource);
    let mut plain = weight(&who, "2026-01-11", "6.2");
    plain["text"] = narrative("公開所見");
    let open = tester.create(&plain);
    let share = |class: &str| consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city");
    tester.create(&share("Observation"));
    tester.create(&share("Patient"));
    let ask = |caller: &Caller, name: &str, word: &str| caller.ids(&format!("Observation?{name}={}", encode(word)));
    for query in QUERIES {
        alike(&town, "墨塗花子", "無塗花子", query);
        alike(&town, "内緒受診", "無緒受診", query);
        alike(&world.stranger(), "墨塗花子", "無塗花子", query);
    }
    // What is shown is found.
    assert_eq!(ask(&town, "_content", "体重増加"), std::slice::from_ref(&id));
    assert_eq!(ask(&town, "_text", "公開所見"), std::slice::from_ref(&open));
    // Its keeper is told all of it, and finds it; a name beside a reference nobody does.
    assert_eq!(ask(&tester, "_text", "墨塗花子"), std::slice::from_ref(&id));
    assert_eq!(ask(&tester, "_content", "墨塗花子"), std::slice::from_ref(&id));
    assert_eq!(ask(&tester, "_content", "内緒受診"), [""; 0]);
    tester.create(&share("Encounter"));
    assert_eq!(ask(&town, "_text", "墨塗花子"), std::slice::from_ref(&id), "it is shown now");
    alike(&town, "内緒受診", "無緒受診", QUERIES[3]);
}

/// A guardian gets the narrative whole, whatever her app may read beside.
#[test]
fn the_citizens_side_finds_what_it_is_shown() {
    let world = World::new();
    let town = world.importer();
    let mut resource = weight("pt-mei", "2026-01-10", "6.1");
    resource["subject"]["display"] = json!("佐藤 芽衣");
    resource["text"] = narrative("診察所見");
    let id = town.create(&resource);
    let scope = "launch/patient patient/Observation.rs";
    let app = world.approve(&Ask::new("app-public", "hanako", scope).of("pt-mei"));
    let shown = app.get(&format!("Observation/{id}")).expect(200).json();
    assert!(shown["text"].is_object(), "{shown}");
    assert_eq!(app.ids(&format!("Observation?_text={}", encode("診察所見"))), [id]);
}

/// A record that is hidden is found by none of its words, at no end of a chain.
#[test]
fn hidden_records_have_no_words() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("秘匿", "text-4", "2024-04-01"));
    let mut resource = weight(&who, "2026-01-10", "6.1");
    resource["text"] = narrative("秘匿所見");
    resource["note"] = json!([{"text": "秘匿覚書"}]);
    tester.create(&resource);
    for caller in [world.mother(), world.mother_for_daughter(), world.stranger(), world.clinic()] {
        for (hidden, never) in [("秘匿所見", "無匿所見"), ("秘匿覚書", "無匿覚書")] {
            for query in QUERIES {
                alike(&caller, hidden, never, query);
            }
        }
        alike(&caller, "秘匿", "無匿", "Observation?patient._content={}");
    }
}
