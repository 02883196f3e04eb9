//! R4's own examples are the oracle: each is taken, and comes back as it was sent.
//!
//! JSON: byte for byte, apart from what the server gives (`id`, `meta.versionId`,
//! `meta.lastUpdated`). JSON → XML → JSON: the same tree, and the same XML once more,
//! so that no digit is lost. XML: the same canonical XML, apart from comments and
//! white space outside narratives. What is refused is listed with the reason, and a
//! line that no longer holds is an error too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use techo_conformance_tests::examples::{self, Example};
use techo_conformance_tests::http::Response;
use techo_conformance_tests::world::{Caller, World};
use techo_conformance_tests::xml::{unstamped, value};

const JSON: &str = "application/fhir+json";
const XML: &str = "application/fhir+xml";

/// Examples that are not taken, and why. A star stands for anything.
const REFUSED: &[(&str, &str)] = &[
    ("activitydefinition-servicerequest-example.*", EMPTY),
    ("activitydefinition-supplyrequest-example.*", EMPTY),
    ("eventdefinition-example.*", EMPTY),
    ("questionnaire-zika-virus-exposure-assessment.*", EMPTY),
    ("codesystem-extensions-CodeSystem-*.json", NO_BASE),
    ("valueset-extensions-ValueSet-*.json", NO_BASE),
    ("devicemetric-example.*", "parent points at a DeviceDefinition, where R4 allows a Device"),
    ("deviceusestatement-example.*", "reasonReference points at a Procedure, which R4 does not allow there"),
    ("medicationrequest0301.*", "dispenseRequest.performer points at a Practitioner, where R4 allows an Organization"),
    ("observation-example-clinical-gender.*", "performer points at an Encounter, which R4 does not allow there"),
    ("questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json", "an id of more than 64 characters"),
    ("v2-tables.*", "two codes end with a no-break space; a code has no space at its ends"),
    ("package-min-ver.json", "no resource"),
    ("dataelements.*", LARGE),
    ("profiles-resources.json", LARGE),
    ("*-questionnaire.json", "made by a tool for each type: items without linkId, which R4 requires"),
    ("audit-event-example*", "AuditEvents come from the server's own log alone"),
    ("auditevent-example*", "AuditEvents come from the server's own log alone"),
    ("consent-example*", "a Consent is the patient's or her guardian's to give, and she is nobody here"),
];

/// A body may have 16 MiB.
const LARGEST: usize = 16 << 20;

const EMPTY: &str = "a narrative with nothing but a comment, which R4 does not allow (txt-2)";
const NO_BASE: &str = "a SearchParameter without base, which R4 requires";
const LARGE: &str = "more than 16 MiB";

/// Fits the pattern of the questionnaires made by a tool, and is none.
const OTHER: &str = "operation-structuredefinition-questionnaire.json";

/// What became of one example: fine, refused, or not the same.
enum Fate {
    Same,
    Refused(String),
    Changed(&'static str),
}

#[test]
fn every_example_of_r4_comes_back_as_it_was_sent() {
    let Some((json, xml)) = examples::all() else { return };
    let world = World::new();
    let tester = world.tester();
    // People first: records point at them.
    for id in strangers(&json) {
        tester.put(&format!("Patient/{id}"), &json!({"resourceType": "Patient", "id": id})).expect(201);
    }
    for order in [&["Patient"][..], &["Practitioner", "Organization", "RelatedPerson"]] {
        for example in json.iter().filter(|example| order.contains(&&*kind(example))) {
            tester.request("PUT", &place(example)).body(JSON, example.text.clone()).send();
        }
    }
    let fates = Mutex::new(BTreeMap::new());
    each(&world, &json, |tester, example| {
        let fate = through_json(tester, example);
        fates.lock().expect("unpoisoned").insert(example.name.clone(), fate);
    });
    each(&world, &xml, |tester, example| {
        let fate = through_xml(tester, example);
        fates.lock().expect("unpoisoned").insert(example.name.clone(), fate);
    });
    report(&fates.into_inner().expect("unpoisoned"));
}

fn report(fates: &BTreeMap<String, Fate>) {
    let (mut same, mut listed, mut wrong) = (0, 0, Vec::new());
    for (name, fate) in fates {
        let expected = REFUSED.iter().any(|(pattern, _)| fits(name, pattern) && name != OTHER);
        match fate {
            Fate::Same if expected => wrong.push(format!("{name}: listed as refused, and taken")),
            Fate::Same => same += 1,
            Fate::Refused(_) if expected => listed += 1,
            Fate::Refused(why) => wrong.push(format!("{name}: refused: {why}")),
            Fate::Changed(how) => wrong.push(format!("{name}: {how}")),
        }
    }
    let gone = REFUSED.iter().filter(|(pattern, _)| !fates.keys().any(|name| fits(name, pattern)));
    wrong.extend(gone.map(|(pattern, _)| format!("{pattern}: listed, and no example")));
    println!("R4's examples: {same} the same, {listed} refused as listed, {} otherwise", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => name.len() >= pattern.len() - 1 && name.starts_with(head) && name.ends_with(tail),
        None => name == pattern,
    }
}

/// Patients that examples point at and that are no examples themselves.
fn strangers(examples: &[Example]) -> BTreeSet<String> {
    let ids = |example: &Example| -> Vec<String> {
        let after = example.text.split("\"Patient/").skip(1);
        after.filter_map(|rest| rest.split(['"', '/', '#']).next()).filter(|id| is_id(id)).map(str::to_owned).collect()
    };
    let known: BTreeSet<String> = examples.iter().filter(|example| kind(example) == "Patient").map(place).collect();
    let all: BTreeSet<String> = examples.iter().flat_map(ids).collect();
    all.into_iter().filter(|id| !known.contains(&format!("Patient/{id}"))).collect()
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

/// Does something with each, a few at a time. A backend's token lives for minutes only.
fn each(world: &World, examples: &[Example], work: impl Fn(&Caller, &Example) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (mut tester, mut done) = (world.tester(), 0_usize);
                while let Some(example) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(&tester, example);
                    done += 1;
                    if done.is_multiple_of(100) {
                        tester = world.tester();
                    }
                }
            });
        }
    });
}

/// The resource's type, the first member of these texts.
fn kind(example: &Example) -> String {
    let text = example.text.trim_start_matches("{\"resourceType\":\"");
    text.split('"').next().unwrap_or_default().to_owned()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

/// Where an example goes: under its own id if it has one that does.
fn place(example: &Example) -> String {
    let tree = parsed(&example.text);
    let kind = tree["resourceType"].as_str().unwrap_or_default();
    match tree["id"].as_str().filter(|id| id.len() <= 64) {
        Some(id) => format!("{kind}/{id}"),
        None => kind.to_owned(),
    }
}

fn sent(tester: &Caller, place: &str, media: &str, text: &str) -> Result<Response, Fate> {
    let method = if place.contains('/') { "PUT" } else { "POST" };
    if text.len() > LARGEST {
        return Err(Fate::Refused("larger than a body may be".to_owned()));
    }
    let answer = tester.request(method, place).body(media, text).send();
    if answer.status < 300 {
        return Ok(answer);
    }
    let outcome = answer.json();
    let told: Vec<String> = outcome["issue"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|issue| format!("{} at {}", issue["details"]["text"].as_str().unwrap_or_default(), issue["expression"][0]))
        .collect();
    Err(Fate::Refused(format!("{} {}", answer.status, told.join("; "))))
}

fn through_json(tester: &Caller, example: &Example) -> Fate {
    json_fate(tester, example).unwrap_or_else(|fate| fate)
}

fn json_fate(tester: &Caller, example: &Example) -> Result<Fate, Fate> {
    let made = sent(tester, &place(example), JSON, &example.text)?;
    let at = made
        .header("Location")
        .map_or_else(|| place(example), |location| location.split("/_history").next().unwrap_or_default().to_owned());
    let version = made.header("ETag").unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned();
    let read = tester.get(&format!("{at}/_history/{version}"));
    let mut tree = read.json();
    let expected = stamped(&example.text, &tree, &version);
    if read.text() != expected {
        return Ok(Fate::Changed("not the bytes that were sent"));
    }
    let xml = tester.request("GET", &format!("{at}/_history/{version}")).header("Accept", XML).send();
    if xml.status != 200 {
        return Ok(Fate::Changed("cannot be had as XML"));
    }
    let id = tree["id"].as_str().unwrap_or_default();
    let again = sent(tester, &format!("{}/{id}", tree["resourceType"].as_str().unwrap_or_default()), XML, &xml.text())?;
    let mut second = again.json();
    second["meta"].clone_from(&tree["meta"]);
    // Line ends are one character in XML, and so in a narrative that came through it.
    let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
    for json in [&mut second, &mut tree] {
        each_narrative(json, &|text| *text = lines(text));
    }
    if second != tree {
        return Ok(Fate::Changed("JSON → XML → JSON differs"));
    }
    let version = again.header("ETag").unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned();
    let more = tester.request("GET", &format!("{at}/_history/{version}")).header("Accept", XML).send();
    let updated = |text: &str| value(text, &["meta", "lastUpdated"]).unwrap_or_default();
    let same = more.text().replacen(
        &format!("<versionId value=\"{version}\"/>"),
        &format!("<versionId value=\"{}\"/>", tree["meta"]["versionId"].as_str().unwrap_or_default()),
        1,
    );
    let same = same.replacen(&updated(&more.text()), &updated(&xml.text()), 1);
    Ok(if lines(&same) == lines(&xml.text()) {
        Fate::Same
    } else {
        Fate::Changed("JSON → XML → JSON → XML differs")
    })
}

/// The text with what the server gives put in where the server puts it.
fn stamped(text: &str, tree: &Value, version: &str) -> String {
    let original = parsed(text);
    let updated = tree["meta"]["lastUpdated"].as_str().unwrap_or_default();
    let head = format!("{{\"resourceType\":{}", original["resourceType"]);
    let mut text = text.to_owned();
    if original["meta"].is_object() {
        let at = own_meta(&text).expect("meta");
        let mut meta = text.split_off(at);
        let mut missing = String::new();
        for (name, given) in [("versionId", version), ("lastUpdated", updated)] {
            match original["meta"][name].as_str() {
                Some(old) => {
                    meta = meta.replacen(&format!("\"{name}\":\"{old}\""), &format!("\"{name}\":\"{given}\""), 1);
                }
                None => missing += &format!("\"{name}\":\"{given}\","),
            }
        }
        if meta.starts_with('}') {
            missing.pop();
        }
        text = text + &missing + &meta;
    } else {
        let meta = format!("{head},\"meta\":{{\"versionId\":\"{version}\",\"lastUpdated\":\"{updated}\"}}");
        text = text.replacen(&head, &meta, 1);
    }
    if original["id"].is_string() {
        return text;
    }
    text.replacen(&head, &format!("{head},\"id\":{}", tree["id"]), 1)
}

/// Where the resource's own meta begins inside its brace; others may come before it.
fn own_meta(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => {
                if !in_string && depth == 1 && text[at..].starts_with("\"meta\":{") {
                    return Some(at + "\"meta\":{".len());
                }
                in_string = !in_string;
            }
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    None
}

fn each_narrative(json: &mut Value, change: &impl Fn(&mut String)) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "div" => change(text),
                    value => each_narrative(value, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_narrative(item, change)),
        _ => {}
    }
}

fn through_xml(tester: &Caller, example: &Example) -> Fate {
    xml_fate(tester, example).unwrap_or_else(|fate| fate)
}

fn xml_fate(tester: &Caller, example: &Example) -> Result<Fate, Fate> {
    let id = value(&example.text, &["id"]).filter(|id| id.len() <= 64);
    let root = unstamped(&example.text);
    let kind = root.lines().next().unwrap_or_default().trim_end_matches('>').rsplit('}').next().unwrap_or_default();
    let place = id.map_or_else(|| kind.to_owned(), |id| format!("{kind}/{id}"));
    let made = sent(tester, &place, XML, &example.text)?;
    let version = made.header("ETag").unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned();
    let at = format!("{kind}/{}", made.json()["id"].as_str().unwrap_or_default());
    let read = tester.request("GET", &format!("{at}/_history/{version}")).header("Accept", XML).send();
    if read.status != 200 {
        return Ok(Fate::Changed("cannot be had as XML"));
    }
    Ok(if unstamped(&read.text()) == root { Fate::Same } else { Fate::Changed("not the XML that was sent") })
}
