//! `$meta`, `$meta-add`, `$meta-delete`: what `meta` holds, changed without a new version.

use std::thread;

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World};

const TAGS: &str = "https://example.org/tags";
const LABELS: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

fn ask(caller: &Caller, path: &str, name: &str, meta: &Value) -> Response {
    let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]});
    caller.post(&format!("{path}/${name}"), &parameters)
}

fn tag(code: &str) -> Value {
    json!({"tag": [{"system": TAGS, "code": code}]})
}

/// The one answer.
fn told(answer: Response) -> Value {
    let parameters = answer.expect(200).json();
    assert_eq!(parameters["resourceType"], "Parameters");
    assert_eq!(parameters["parameter"][0]["name"], "return");
    parameters["parameter"][0]["valueMeta"].clone()
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["code"].as_str()).collect()
}

#[test]
fn lists_are_added_and_taken_away_by_a_new_version_and_all_else_stays() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("印", "meta-1", "2024-04-01"));
    let path = format!("Observation/{}", tester.create(&weight(&who, "2026-01-10", "7.5")));
    let before = tester.get(&path).expect(200);
    let added = json!({"tag": [{"system": TAGS, "code": "a", "display": "甲"}], "profile": ["https://example.org/p"],
        "security": [{"system": LABELS, "code": "R"}]});
    let answer = ask(&tester, &path, "meta-add", &added);
    assert_eq!(answer.header("ETag"), Some("W/\"2\""));
    let meta = told(answer);
    for name in ["tag", "profile", "security"] {
        assert_eq!(meta[name], added[name], "{name}");
    }
    assert_eq!(meta["versionId"], "2");
    assert_eq!(told(tester.get(&format!("{path}/$meta"))), meta);
    assert_eq!(told(tester.get(&format!("{path}/_history/2/$meta"))), meta);
    assert!(told(tester.get(&format!("{path}/_history/1/$meta")))["tag"].is_null(), "the version before stays");
    let after = tester.get(&path).expect(200);
    assert!(after.text().contains("7.5"), "all else stays as it was written");
    assert!(after.json()["meta"]["lastUpdated"].as_str() > before.json()["meta"]["lastUpdated"].as_str());
    let mut same = after.json();
    same["meta"] = before.json()["meta"].clone();
    assert_eq!(same, before.json());
    let history = tester.search(&format!("{path}/_history"));
    assert_eq!(history["entry"].as_array().map(Vec::len), Some(2));
    assert_eq!(history["entry"][0]["request"]["method"], "PATCH");
    // The index follows.
    let query = |parameter: &str| tester.ids(&format!("Observation?subject=Patient/{who}&{parameter}")).len();
    let found = [format!("_tag={TAGS}|a"), "_profile=https://example.org/p".into(), format!("_security={LABELS}|R")];
    assert!(found.iter().all(|parameter| query(parameter) == 1));
    // Once more is nothing new, whatever the display.
    let mut again = added.clone();
    again["tag"][0]["display"] = json!("乙");
    assert_eq!(told(ask(&tester, &path, "meta-add", &again)), meta);
    let mut none = told(ask(&tester, &path, "meta-delete", &again));
    assert_eq!(told(ask(&tester, &path, "meta-delete", &again)), none, "what is not there is no error");
    assert!(found.iter().all(|parameter| query(parameter) == 0));
    assert_eq!(none["versionId"], "3");
    none["versionId"] = json!("1");
    none["lastUpdated"] = before.json()["meta"]["lastUpdated"].clone();
    assert_eq!(none, before.json()["meta"]);
    let mut next = weight(&who, "2026-01-10", "7.6");
    next["id"] = json!(path.strip_prefix("Observation/"));
    tester.request("PUT", &path).header("If-Match", "W/\"3\"").fhir(&next).send().expect(200);
    tester.delete(&path).expect(204);
    for name in ["meta-add", "meta-delete"] {
        ask(&tester, &path, name, &tag("b")).refused(410);
    }
    tester.get(&format!("{path}/$meta")).refused(410);
}

/// A label that was added while the version stayed: a reader was told by 304 that nothing
/// had changed, and a writer put the labels of before back, each with an `ETag` in hand.
#[test]
fn an_etag_from_before_a_label_is_no_longer_that_of_the_resource() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("札", "meta-etag", "2024-04-01"));
    let path = format!("Patient/{who}");
    let held = tester.get(&path).expect(200);
    let etag = held.header("ETag").expect("an ETag").to_owned();
    let again = || tester.request("GET", &path).header("If-None-Match", &etag).send();
    again().expect(304);
    told(ask(&tester, &path, "meta-add", &tag("new")));
    assert_eq!(again().expect(200).json()["meta"]["tag"][0]["code"], "new");
    tester.request("PUT", &path).header("If-Match", &etag).fhir(&held.json()).send().refused(412);
    assert_eq!(tester.ids(&format!("Patient?_id={who}&_tag={TAGS}|new")), [who.as_str()]);
    // A condition that would be passed over is refused.
    for header in ["If-Match", "If-None-Match"] {
        let body = json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": tag("x")}]});
        tester.request("POST", &format!("{path}/$meta-add")).header(header, "W/\"1\"").fhir(&body).send().refused(400);
    }
}

/// Two who add at once both stand, and a writer who planned on the text before them
/// leaves no row of the index behind.
#[test]
fn tags_and_versions_race_and_none_is_lost() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("競", "meta-2", "2024-04-01"));
    let path = format!("Observation/{}", tester.create(&weight(&who, "2026-01-10", "7.5")));
    thread::scope(|scope| {
        for number in 0..8 {
            let (tester, path) = (&tester, &path);
            scope.spawn(move || told(ask(tester, path, "meta-add", &tag(&format!("t{number}")))));
        }
    });
    let meta = told(tester.get(&format!("{path}/$meta")));
    let mut found = codes(&meta["tag"]);
    found.sort_unstable();
    assert_eq!(found, ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"]);
    thread::scope(|scope| {
        for number in 0..8 {
            let (tester, path, who) = (&tester, &path, &who);
            scope.spawn(move || {
                if number % 2 == 0 {
                    told(ask(tester, path, "meta-add", &tag(&format!("u{number}"))));
                } else {
                    let mut body = weight(who, "2026-01-10", "7.7");
                    body["id"] = json!(path.strip_prefix("Observation/"));
                    tester.put(path, &body).expect(200);
                }
            });
        }
    });
    let meta = told(tester.get(&format!("{path}/$meta")));
    let now = codes(&meta["tag"]);
    for code in ["t0", "t5", "u0", "u2", "u4", "u6"] {
        let rows = tester.ids(&format!("Observation?_tag={TAGS}|{code}&subject=Patient/{who}")).len();
        assert_eq!(rows, usize::from(now.contains(&code)), "{code} of {now:?}");
    }
}

#[test]
fn what_is_in_use_is_told_by_type_and_for_all() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("使", "meta-3", "2024-04-01"));
    for (code, label) in [("in-use-1", "R"), ("in-use-2", "N")] {
        let mut body = weight(&who, "2026-01-10", "7.5");
        body["meta"] = json!({"tag": [{"system": TAGS, "code": code}], "security": [{"system": LABELS, "code": label}],
            "profile": [format!("https://example.org/{code}")]});
        tester.create(&body);
    }
    for path in ["$meta", "Observation/$meta"] {
        let meta = told(tester.get(path));
        let tags = codes(&meta["tag"]);
        assert!(["in-use-1", "in-use-2"].iter().all(|code| tags.contains(code)), "{path}: {meta}");
        assert!(["R", "N"].iter().all(|code| codes(&meta["security"]).contains(code)), "{path}: {meta}");
        assert!(meta["profile"].as_array().is_some_and(|all| all.contains(&json!("https://example.org/in-use-1"))));
        assert!(meta["versionId"].is_null());
        assert_eq!(told(tester.post(path, &json!({"resourceType": "Parameters"}))), meta);
    }
    assert!(!codes(&told(tester.get("Condition/$meta"))["tag"]).contains(&"in-use-1"));
    assert_eq!(told(tester.get("Basic/$meta")), json!({}));
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("誤", "meta-4", "2024-04-01"));
    let path = format!("Patient/{who}");
    let kind = json!({"tag": [{"system": "https://techo.example/fhir/CodeSystem/kind", "code": "1"}]});
    for (meta, place) in [
        (json!({"source": "https://example.org"}), "Parameters.parameter[0].value.source"),
        (json!({"tag": {"code": "x"}}), "Parameters.parameter[0].value.tag"),
        (json!("x"), "Parameters.parameter[0].value"),
        (json!({"profile": ["no url at all"]}), "Patient.meta.profile[0]"),
        (json!({"tag": [{"nonsense": 1}]}), "Patient.meta.tag[0]"),
    ] {
        let answer = ask(&tester, &path, "meta-add", &meta).refused(400).json();
        assert_eq!(answer["issue"][0]["expression"][0], place, "{meta}");
    }
    ask(&tester, &path, "meta-add", &kind).refused(400);
    ask(&tester, &path, "meta-delete", &kind).refused(400);
    tester.post(&format!("{path}/$meta-add"), &json!({"resourceType": "Parameters"})).refused(400);
    tester.get(&format!("{path}/$meta-add")).refused(405);
    for path in ["$meta-add", "Patient/$meta-add"] {
        ask(&tester, path.trim_end_matches("/$meta-add"), "meta-add", &tag("x"));
        tester.post(path, &json!({"resourceType": "Parameters"})).refused(404);
    }
    tester.get("AuditEvent/$meta").refused(404);
    assert!(tester.get(&path).json()["meta"]["tag"].is_null(), "nothing was written");
}

/// A label on a hidden record: nothing tells that there is one, and who may only read
/// does not label.
#[test]
fn hidden_records_are_neither_told_nor_labelled() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("隠", "meta-5", "2024-04-01"));
    let mut body = weight(&who, "2026-01-10", "7.5");
    body["meta"] = json!({"tag": [{"system": TAGS, "code": "hidden-tag"}], "profile": ["https://example.org/hidden"]});
    let hidden = tester.create(&body);
    let never = "n".repeat(hidden.len());
    let (app, town) = (
        world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei")),
        world.importer(),
    );
    for (name, caller) in [("app", &app), ("town", &town)] {
        let alike = |what: &str, ask: &dyn Fn(&str) -> Response| {
            let [one, other] = [&hidden, &never].map(|id| fingerprint(&ask(id), id));
            assert_eq!(one, other, "{name}: {what}");
            assert!(one.starts_with("404"), "{name}: {what}: {one}");
        };
        alike("$meta", &|id| caller.get(&format!("Observation/{id}/$meta")));
        alike("a version's", &|id| caller.get(&format!("Observation/{id}/_history/1/$meta")));
        alike("add", &|id| ask(caller, &format!("Observation/{id}"), "meta-add", &tag("x")));
        alike("delete", &|id| ask(caller, &format!("Observation/{id}"), "meta-delete", &tag("hidden-tag")));
        for path in ["$meta", "Observation/$meta"] {
            assert!(!caller.get(path).expect(200).text().contains("hidden"), "{name}: {path}");
        }
    }
    assert_eq!(codes(&told(tester.get(&format!("Observation/{hidden}/$meta")))["tag"]), ["hidden-tag"]);
    // Once it is shared the town reads the label, and still does not change it.
    tester.create(&consent(&who, &format!("Patient/{who}"), "permit", "Observation", "Organization/org-city"));
    let path = format!("Observation/{hidden}");
    assert_eq!(codes(&told(town.get(&format!("{path}/$meta")))["tag"]), ["hidden-tag"]);
    assert!(town.get("Observation/$meta").text().contains("hidden-tag"));
    assert!([403, 404].contains(&ask(&town, &path, "meta-add", &tag("x")).status));
    let reader = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    let own = reader.ids("Observation?_count=1").remove(0);
    ask(&reader, &format!("Observation/{own}"), "meta-add", &tag("x")).refused(403);
    assert_eq!(codes(&told(tester.get(&format!("{path}/$meta")))["tag"]), ["hidden-tag"]);
}

/// A label is a change of her record: the citizen's side sees who made it.
#[test]
fn a_label_leaves_a_record() {
    let world = World::new();
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let auditor = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/AuditEvent.rs").of("pt-mei"));
    let id = app.create(&weight("pt-mei", "2026-01-10", "9.5"));
    let count = || {
        let events = auditor.search("AuditEvent?patient=pt-mei&_count=500");
        let all = events["entry"].as_array().cloned().unwrap_or_default();
        let of = |entry: &&Value| entry["resource"]["action"] == "U" && entry.to_string().contains(&id);
        all.iter().filter(of).count()
    };
    assert_eq!(count(), 0);
    told(ask(&app, &format!("Observation/{id}"), "meta-add", &tag("mine")));
    assert_eq!(count(), 1);
}

/// The answer told the labels of what could be labelled and not read.
#[test]
fn who_may_not_read_is_not_told_the_labels() {
    let world = World::new();
    let mut resource = weight("pt-mei", "2026-01-10", "6.1");
    resource["meta"] = json!({"tag": [{"system": "urn:t", "code": "secret"}]});
    let path = format!("Observation/{}", world.importer().create(&resource));
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Observation.u").of("pt-mei"));
    app.get(&path).refused(403);
    for name in ["meta-add", "meta-delete"] {
        let answer = ask(&app, &path, name, &tag("b"));
        assert!(
            answer.status == 200 && !answer.text().contains("secret"),
            "{name}: {} {}",
            answer.status,
            answer.text()
        );
    }
}

/// An extension in `meta` may refer to what is hidden, and name it.
#[test]
fn labels_are_answered_as_they_are_shown() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let hidden = mother.create(&json!({"resourceType": "Condition", "subject": {"reference": "Patient/pt-mei"},
        "code": {"text": "内緒"}}));
    let named = json!([{"url": "https://example.org/why", "valueReference":
        {"reference": format!("Condition/{hidden}"), "display": "内緒", "identifier": {"value": "内緒"}}}]);
    let mut resource = weight("pt-mei", "2026-01-10", "6.1");
    resource["meta"] = json!({"extension": named, "tag": [{"system": "urn:t", "code": "kept", "extension": named}]});
    let path = format!("Observation/{}", mother.create(&resource));
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Observation.cruds").of("pt-mei"));
    for (name, code) in [("meta-add", "kept"), ("meta-add", "new"), ("meta-delete", "none"), ("meta-delete", "new")] {
        let answer = ask(&app, &path, name, &tag(code)).expect(200);
        assert!(!answer.text().contains("内緒") && answer.text().contains("kept"), "{name} {code}: {}", answer.text());
    }
    let whole = mother.get(&path).json();
    assert_eq!(whole["meta"]["extension"], named, "what is not shown stays");
}
