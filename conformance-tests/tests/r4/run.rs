//! Runs a table: seeds a server, sends each row, tells all that differ at once.

use std::collections::HashMap;
use std::io::Write;

use serde_json::Value;
use techo_conformance_tests::http::Response;
use techo_conformance_tests::world::{World, ids, link};

use crate::check::{Check, Expect, Fact, Who, filled};

/// Runs the checks of one subject on a server of their own.
pub fn run(subject: &str, seed: &[Value], checks: &[Check]) {
    let world = World::new();
    let tester = world.tester();
    for resource in seed {
        let (kind, id) = (text(resource, "resourceType"), text(resource, "id"));
        let answer = tester.put(&format!("{kind}/{id}"), resource);
        assert_eq!(answer.status, 201, "{subject}: seed {kind}/{id}: {}", answer.text());
    }
    let mut tokens = HashMap::from([
        (Who::Tester, tester.token),
        (Who::Nobody, String::new()),
        (Who::Forger, "never-given".to_owned()),
    ]);
    if checks.iter().any(|check| check.ask.who == Who::Mother) {
        tokens.insert(Who::Mother, world.mother().token);
    }
    let mut kept = HashMap::from([("base".to_owned(), world.base.clone())]);
    let mut faults = Vec::new();
    for check in checks {
        let answer = check.ask.request(&world.base, &tokens[&check.ask.who], &kept).send();
        let mut wrong = judged(&answer, &check.expect, &mut kept);
        if (answer.status >= 400 || check.ask.is_safe()) && answer.text().contains("OperationOutcome") {
            // What was refused changed nothing, and is refused again; what was only asked
            // may tell something beside its answer.
            let mut ask = check.ask.clone();
            ask.headers.retain(|(name, _)| *name != "Accept-Language");
            let ask = ask.with("Accept-Language", "ja");
            wrong.extend(english_in(&ask.request(&world.base, &tokens[&check.ask.who], &kept).send()));
        }
        if !wrong.is_empty() {
            let asked = format!("{} {}", check.ask.method, filled(&check.ask.path, &kept));
            let shown: String = answer.text().chars().take(700).collect();
            faults.push(format!(
                "- {}\n    {asked}\n    {}\n    {} {shown}",
                check.name,
                wrong.join("\n    "),
                answer.status
            ));
        }
    }
    // Not by a macro, so that it is seen without --nocapture too.
    writeln!(std::io::stderr(), "r4 {subject}: {} checks", checks.len()).ok();
    assert!(faults.is_empty(), "{subject}: {} of {} checks\n{}", faults.len(), checks.len(), faults.join("\n"));
}

/// What a Japanese reader could not read of a refusal, or of what is told beside an answer.
fn english_in(answer: &Response) -> Vec<String> {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let mut outcomes = Vec::new();
    outcomes_in(&json, &mut outcomes);
    let issues = outcomes.iter().flat_map(|outcome| outcome["issue"].as_array().into_iter().flatten());
    let texts = issues.flat_map(|issue| [&issue["details"]["text"], &issue["diagnostics"]]).filter_map(Value::as_str);
    texts.filter(|text| !is_japanese(text)).map(|text| format!("not in Japanese: {text}")).collect()
}

/// Every `OperationOutcome`, however deep it lies in Bundles.
fn outcomes_in<'j>(json: &'j Value, found: &mut Vec<&'j Value>) {
    match json {
        Value::Object(members) if json["resourceType"] == "OperationOutcome" && members.contains_key("issue") => {
            found.push(json);
        }
        Value::Object(members) => members.values().for_each(|one| outcomes_in(one, found)),
        Value::Array(items) => items.iter().for_each(|one| outcomes_in(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a text has Japanese words, and no English sentence among them: names and
/// grammars stand as they are, three words in a row do not.
fn is_japanese(text: &str) -> bool {
    let word = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let latin = text.split(|sign: char| !sign.is_ascii() || "()\"".contains(sign));
    let sentence = latin
        .map(|part| part.split(' ').collect::<Vec<_>>())
        .any(|words| words.windows(3).any(|three| three.iter().all(word)));
    text.chars().any(|sign| matches!(sign, '\u{3041}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}')) && !sentence
}

fn text<'v>(resource: &'v Value, name: &str) -> &'v str {
    resource[name].as_str().unwrap_or_else(|| panic!("a seed without {name}: {resource}"))
}

/// What is wrong with an answer.
fn judged(answer: &Response, expect: &Expect, kept: &mut HashMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    if !expect.status.contains(&answer.status) {
        wrong.push(format!("status {}, expected {:?}", answer.status, expect.status));
    }
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    for fact in &expect.facts {
        if let Err(fault) = held(answer, &json, fact, kept) {
            wrong.push(fault);
        }
    }
    wrong
}

/// Whether one thing holds.
fn held(answer: &Response, json: &Value, fact: &Fact, kept: &mut HashMap<String, String>) -> Result<(), String> {
    let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
    match fact {
        Fact::Header(name, value) => same(name, &header(name), &filled(value, kept)),
        Fact::HeaderHolds(name, value) => holds(name, &header(name), &filled(value, kept)),
        Fact::NoHeader(name) => same(name, &header(name), &String::new()),
        Fact::At(at, value) => {
            let value: Value = serde_json::from_str(&filled(&value.to_string(), kept)).expect("JSON");
            same(at, json.pointer(at).unwrap_or(&Value::Null), &value)
        }
        Fact::Absent(at) => same(at, json.pointer(at).unwrap_or(&Value::Null), &Value::Null),
        Fact::Present(at) => json.pointer(at).map(|_| ()).ok_or_else(|| format!("nothing at {at}")),
        Fact::Length(at, length) => {
            let found = json.pointer(at).and_then(Value::as_array).map_or(0, Vec::len);
            same(&format!("length of {at}"), &found, length)
        }
        Fact::Finds(expected) => same("matches", &sorted(ids(json, "match")), &sorted(all_filled(expected, kept))),
        Fact::InOrder(expected) => same("matches", &ids(json, "match"), &all_filled(expected, kept)),
        Fact::Brings(expected) => same("included", &sorted(ids(json, "include")), &sorted(all_filled(expected, kept))),
        Fact::Entries(expected) => same("entries", &sorted(entries(json)), &sorted(all_filled(expected, kept))),
        Fact::Empty => same("body", &answer.text(), &String::new()),
        Fact::Holds(part) => holds("body", &answer.text(), &filled(part, kept)),
        Fact::Lacks(part) => {
            let there = answer.text().contains(&filled(part, kept));
            (!there).then_some(()).ok_or_else(|| format!("the body holds {part:?}"))
        }
        Fact::Link(relation, part) => holds(relation, link(json, relation).unwrap_or_default(), &filled(part, kept)),
        Fact::NoLink(relation) => same(relation, &link(json, relation), &None),
        Fact::Expression(place) => {
            let expressions = expressions(json);
            let there = expressions.iter().any(|found| found.starts_with(place));
            there.then_some(()).ok_or_else(|| format!("no expression {place:?} in {expressions:?}"))
        }
        Fact::Japanese(wanted) => {
            let issues = json["issue"].as_array().into_iter().flatten();
            let texts: Vec<&str> = issues.filter_map(|issue| issue["details"]["text"].as_str()).collect();
            let fits = |text: &&str| text.chars().any(|sign| matches!(sign, '\u{3041}'..='\u{30ff}')) == *wanted;
            let right = json["issue"].is_null() || !texts.is_empty() && texts.iter().all(fits);
            right.then_some(()).ok_or_else(|| format!("texts in the wrong language: {texts:?}"))
        }
        Fact::Keep(name) => {
            let location = header("Location");
            let id = location.split("/_history/").next().and_then(|path| path.rsplit('/').next());
            kept.insert((*name).to_owned(), id.unwrap_or_default().to_owned());
            Ok(())
        }
        Fact::KeepLink(relation) => {
            let url = link(json, relation).ok_or_else(|| format!("no link {relation}"))?;
            kept.insert((*relation).to_owned(), url.to_owned());
            Ok(())
        }
        Fact::KeepHeader(name, under) => {
            kept.insert((*under).to_owned(), header(name));
            Ok(())
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}

fn holds(what: &str, found: &str, part: &str) -> Result<(), String> {
    if found.contains(part) && !found.is_empty() { Ok(()) } else { Err(format!("{what}: no {part:?} in {found:?}")) }
}

fn all_filled(texts: &[String], kept: &HashMap<String, String>) -> Vec<String> {
    texts.iter().map(|text| filled(text, kept)).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// `Type/id` of each entry.
fn entries(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let name = |resource: &Value| Some(format!("{}/{}", resource["resourceType"].as_str()?, resource["id"].as_str()?));
    entries.filter_map(|entry| name(&entry["resource"])).collect()
}

fn expressions(outcome: &Value) -> Vec<&str> {
    let issues = outcome["issue"].as_array().into_iter().flatten();
    issues.flat_map(|issue| issue["expression"].as_array().into_iter().flatten()).filter_map(Value::as_str).collect()
}
