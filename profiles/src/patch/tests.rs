use super::{PatchError, Reason, fhir_patch, json_patch};
use crate::Definitions;
use crate::json::{Json, Value};

fn read(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn json_patched(text: &str, patch: &str) -> Result<String, PatchError> {
    let mut json = read(text);
    json_patch::apply(&mut json, &read(patch)).map(|()| json.to_string())
}

/// The examples of RFC 6902's appendix and the corners of RFC 6901, in our words.
#[test]
fn json_patch_does_what_its_operations_say() {
    for (text, patch, expected) in [
        (r#"{"a":1.10}"#, "[]", r#"{"a":1.10}"#),
        (r#"{"a":1.10}"#, r#"[{"op":"add","path":"/b","value":2.50}]"#, r#"{"a":1.10,"b":2.50}"#),
        (r#"{"a":1,"b":2}"#, r#"[{"op":"add","path":"/a","value":3}]"#, r#"{"a":3,"b":2}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/1","value":3}]"#, r#"{"a":[1,3,2]}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/-","value":[3]}]"#, r#"{"a":[1,2,[3]]}"#),
        (r#"{"a":[1,2]}"#, r#"[{"op":"add","path":"/a/2","value":3}]"#, r#"{"a":[1,2,3]}"#),
        (r#"{"a":1}"#, r#"[{"op":"add","path":"","value":{"b":2}}]"#, r#"{"b":2}"#),
        (r#"{"a":1,"b":2}"#, r#"[{"op":"remove","path":"/a"}]"#, r#"{"b":2}"#),
        (r#"{"a":[1,2,3]}"#, r#"[{"op":"remove","path":"/a/1"}]"#, r#"{"a":[1,3]}"#),
        (r#"{"a":1,"b":2}"#, r#"[{"op":"replace","path":"/a","value":null}]"#, r#"{"a":null,"b":2}"#),
        (r#"{"a":[{"b":1}]}"#, r#"[{"op":"replace","path":"/a/0/b","value":"x"}]"#, r#"{"a":[{"b":"x"}]}"#),
        (r#"{"a":{"b":1.0},"c":{}}"#, r#"[{"op":"move","from":"/a/b","path":"/c/d"}]"#, r#"{"a":{},"c":{"d":1.0}}"#),
        (r#"{"a":[1,2,3]}"#, r#"[{"op":"move","from":"/a/0","path":"/a/2"}]"#, r#"{"a":[2,3,1]}"#),
        (r#"{"a":[1]}"#, r#"[{"op":"move","from":"/a/0","path":"/a/0"}]"#, r#"{"a":[1]}"#),
        (r#"{"a":1.00}"#, r#"[{"op":"copy","from":"/a","path":"/b"}]"#, r#"{"a":1.00,"b":1.00}"#),
        (r#"{"a":{"b":[1]}}"#, r#"[{"op":"copy","from":"/a","path":"/a/c"}]"#, r#"{"a":{"b":[1],"c":{"b":[1]}}}"#),
        (r#"{"a/b":1,"m~n":2}"#, r#"[{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/m~0n"}]"#, "{}"),
        (r#"{"~1":1}"#, r#"[{"op":"test","path":"/~01","value":1}]"#, r#"{"~1":1}"#),
        (r#"{"":{"":1}}"#, r#"[{"op":"replace","path":"//","value":2}]"#, r#"{"":{"":2}}"#),
        (r#"{"0":1}"#, r#"[{"op":"remove","path":"/0"}]"#, "{}"),
        (r#"{"-":1}"#, r#"[{"op":"remove","path":"/-"}]"#, "{}"),
        (r#"{"a":1.10}"#, r#"[{"op":"test","path":"/a","value":1.1}]"#, r#"{"a":1.10}"#),
        (r#"{"a":100}"#, r#"[{"op":"test","path":"/a","value":1.0e2}]"#, r#"{"a":100}"#),
        (r#"{"a":-0.0}"#, r#"[{"op":"test","path":"/a","value":0}]"#, r#"{"a":-0.0}"#),
        (
            r#"{"a":{"b":1,"c":[2]}}"#,
            r#"[{"op":"test","path":"/a","value":{"c":[2],"b":1}}]"#,
            r#"{"a":{"b":1,"c":[2]}}"#,
        ),
        (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":1,"extra":true}]"#, r#"{"a":1}"#),
    ] {
        assert_eq!(json_patched(text, patch).as_deref(), Ok(expected), "{patch}");
    }
}

#[test]
fn json_patch_refuses_what_is_none_and_what_does_not_fit() {
    for (patch, malformed) in [
        ("{}", true),
        ("[1]", true),
        (r#"[{"op":"nonsense","path":"/a"}]"#, true),
        (r#"[{"op":"add","path":"/a"}]"#, true),
        (r#"[{"op":"add","value":1}]"#, true),
        (r#"[{"op":"add","path":"a","value":1}]"#, true),
        (r#"[{"op":"add","path":"/a~2","value":1}]"#, true),
        (r#"[{"op":"add","path":"/a~","value":1}]"#, true),
        (r#"[{"op":"move","path":"/a"}]"#, true),
        (r#"[{"op":"add","path":1,"value":1}]"#, true),
        // The first would do; the second is none, so nothing is done.
        (r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/b"}]"#, true),
        (r#"[{"op":"add","path":"/x/y","value":1}]"#, false),
        (r#"[{"op":"add","path":"/list/3","value":1}]"#, false),
        (r#"[{"op":"add","path":"/list/01","value":1}]"#, false),
        (r#"[{"op":"add","path":"/list/-1","value":1}]"#, false),
        (r#"[{"op":"add","path":"/list/+1","value":1}]"#, false),
        (r#"[{"op":"add","path":"/list/","value":1}]"#, false),
        (r#"[{"op":"add","path":"/a/b","value":1}]"#, false),
        (r#"[{"op":"remove","path":"/x"}]"#, false),
        (r#"[{"op":"remove","path":"/list/-"}]"#, false),
        (r#"[{"op":"remove","path":""}]"#, false),
        (r#"[{"op":"replace","path":"/x","value":1}]"#, false),
        (r#"[{"op":"copy","from":"/x","path":"/b"}]"#, false),
        (r#"[{"op":"move","from":"/list","path":"/list/0"}]"#, false),
        (r#"[{"op":"test","path":"/a","value":"1"}]"#, false),
        (r#"[{"op":"test","path":"/a","value":1.01}]"#, false),
        (r#"[{"op":"test","path":"/list","value":[2,1]}]"#, false),
        (r#"[{"op":"test","path":"/x","value":null}]"#, false),
    ] {
        let refused = json_patched(r#"{"a":1,"list":[1,2]}"#, patch).expect_err(patch);
        assert_eq!(refused.reason.is_malformed(), malformed, "{patch}: {refused}");
    }
}

/// Each copy of the whole into itself doubles it, and adds a level.
#[test]
fn a_patch_cannot_blow_a_resource_up() {
    let copies = vec![r#"{"op":"copy","from":"","path":"/x"}"#; 64].join(",");
    let refused = json_patched(r#"{"a":1}"#, &format!("[{copies}]")).expect_err("too deep");
    assert!(matches!(refused.reason, Reason::TooMuch(..)), "{refused}");
    let text = format!(r#"{{"a":["{}"]}}"#, "x".repeat(1_000_000));
    let copies = vec![r#"{"op":"copy","from":"/a/0","path":"/a/-"}"#; 64].join(",");
    let refused = json_patched(&text, &format!("[{copies}]")).expect_err("too large");
    assert!(matches!(refused.reason, Reason::TooMuch(..)) && refused.operation.is_some(), "{refused}");
    let many = vec![r#"{"op":"test","path":"/a","value":1}"#; 1001].join(",");
    assert!(json_patched(r#"{"a":1}"#, &format!("[{many}]")).is_err());
}

/// A small generator: the same trees and patches at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    fn tree(&mut self, depth: usize) -> Json {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => Json::null(),
            1 => Json::from(self.below(2) == 0),
            2 => Json::number(["1.10", "0", "-3e2", "100", "1.1"][self.below(5)]).expect("a number"),
            3 => Json::from(["", "x", "~1/", "日本"][self.below(4)]),
            4 => {
                let count = self.below(4);
                Json::array((0..count).map(|_| self.tree(depth - 1)).collect::<Vec<_>>())
            }
            _ => self.object(depth),
        }
    }

    fn object(&mut self, depth: usize) -> Json {
        let mut object = Json::object::<&str>([]);
        for _ in 0..self.below(4) {
            let name = ["a", "b/c", "~d", "", "0", "-"][self.below(6)];
            let value = self.tree(depth.saturating_sub(1));
            object.set(name, value);
        }
        object
    }

    /// A pointer to somewhere in `json`, mostly.
    fn pointer(&mut self, json: &Json) -> String {
        let mut pointer = String::new();
        let mut json = json;
        while self.below(4) > 0 {
            match json.value() {
                Value::Array(items) if !items.is_empty() => {
                    let index = self.below(items.len());
                    pointer.push_str(&format!("/{index}"));
                    json = &items[index];
                }
                Value::Object(members) if !members.is_empty() => {
                    let member = &members[self.below(members.len())];
                    pointer.push_str(&format!("/{}", member.name.replace('~', "~0").replace('/', "~1")));
                    json = &member.value;
                }
                _ => return pointer,
            }
        }
        pointer
    }
}

fn operation(op: &str, path: &str) -> Json {
    Json::object([("op", Json::from(op)), ("path", Json::from(path))])
}

/// What is taken out and put back, moved there and back, or copied and compared,
/// leaves the tree as it was, numbers to the letter.
#[test]
fn operations_undo_each_other_on_any_tree() {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let mut done = 0;
    for _ in 0..20_000 {
        let before = chance.object(4);
        let path = chance.pointer(&before);
        if path.is_empty() {
            continue;
        }
        let mut after = before.clone();
        let copied = Json::object([
            ("op", Json::from("copy")),
            ("from", Json::from(path.as_str())),
            ("path", Json::from("/new")),
        ]);
        json_patch::apply(&mut after, &Json::array([copied])).expect("it is there");
        let kept = after.get("new").cloned().expect("copied");
        let back = Json::array([
            operation("test", &path).with("value", kept.clone()),
            operation("replace", &path).with("value", Json::null()),
            operation("replace", &path).with("value", kept.clone()),
            operation("remove", &path),
            operation("add", &path).with("value", kept.clone()),
            operation("remove", "/new"),
        ]);
        json_patch::apply(&mut after, &back).unwrap_or_else(|error| panic!("{error}: {before} {back}"));
        assert!(unordered(&before, &after), "{before} became {after} by {back}");
        done += 1;
    }
    assert!(done > 5_000, "{done}");
}

/// Equal but for the order of members: a name that is put back goes to the end.
fn unordered(one: &Json, other: &Json) -> bool {
    match (one.value(), other.value()) {
        (Value::Object(own), Value::Object(theirs)) => {
            let same = |name: &str, value: &Json| other.get(name).is_some_and(|found| unordered(value, found));
            own.len() == theirs.len() && own.iter().all(|member| same(&member.name, &member.value))
        }
        (Value::Array(own), Value::Array(theirs)) => {
            own.len() == theirs.len() && own.iter().zip(theirs).all(|(one, other)| unordered(one, other))
        }
        _ => one == other,
    }
}

/// No patch makes it panic, and one that fails says so.
#[test]
fn any_patch_is_done_or_refused() {
    let mut chance = Chance(7);
    let ops = ["add", "remove", "replace", "move", "copy", "test"];
    let (mut done, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut tree = chance.object(4);
        let patch: Vec<Json> = (0..=chance.below(4))
            .map(|_| {
                let (path, from) = (chance.pointer(&tree), chance.pointer(&tree));
                let path = path + ["", "", "/-", "/0", "/x", "/01"][chance.below(6)];
                let op = ops[chance.below(6)];
                operation(op, &path).with("from", from).with("value", chance.tree(2))
            })
            .collect();
        match json_patch::apply(&mut tree, &Json::array(patch)) {
            Ok(()) => {
                done += 1;
                assert_eq!(Json::parse(tree.to_string().as_bytes()).as_ref(), Ok(&tree));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(done > 1_000 && refused > 1_000, "{done} {refused}");
}

fn part(name: &str, value: &str) -> String {
    format!(r#"{{"name":"{name}",{value}}}"#)
}

/// One operation: its type, its path, its other parts.
fn step(kind: &str, path: &str, more: &[String]) -> String {
    let mut parts =
        vec![part("type", &format!(r#""valueCode":"{kind}""#)), part("path", &format!(r#""valueString":"{path}""#))];
    parts.extend_from_slice(more);
    format!(r#"{{"name":"operation","part":[{}]}}"#, parts.join(","))
}

fn fhir_patched(text: &str, steps: &[String]) -> Result<String, PatchError> {
    let mut json = read(text);
    let parameters = read(&format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, steps.join(",")));
    fhir_patch::apply(Definitions::embedded(), &mut json, &parameters).map(|()| json.to_string())
}

fn value(json: &str) -> String {
    part("value", json)
}

fn name(name: &str) -> String {
    part("name", &format!(r#""valueString":"{name}""#))
}

fn number(name: &str, number: i32) -> String {
    part(name, &format!(r#""valueInteger":{number}"#))
}

const PATIENT: &str = r#"{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[null,{"id":"g"}]},{"text":"x"}],"birthDate":"2024-04-01"}"#;

#[test]
fn fhir_patch_does_what_its_operations_say() {
    let patient = |rest: &str| format!(r#"{{"resourceType":"Patient",{rest}}}"#);
    let names = r#""name":[{"given":["a","b"],"_given":[null,{"id":"g"}]},{"text":"x"}]"#;
    for (steps, expected) in [
        (step("replace", "Patient.birthDate", &[value(r#""valueDate":"2024-04-02""#)]), format!(r#"{names},"birthDate":"2024-04-02""#)),
        (step("delete", "Patient.birthDate", &[]), names.to_owned()),
        (step("delete", "Patient.deceased", &[]), format!(r#"{names},"birthDate":"2024-04-01""#)),
        (
            step("add", "Patient", &[name("deceased"), value(r#""valueBoolean":false"#)]),
            format!(r#"{names},"birthDate":"2024-04-01","deceasedBoolean":false"#),
        ),
        (
            step("add", "Patient", &[name("identifier"), value(r#""valueIdentifier":{"value":"1"}"#)]),
            format!(r#"{names},"birthDate":"2024-04-01","identifier":[{{"value":"1"}}]"#),
        ),
        (
            step("add", "Patient", &[name("contact"), value(r#""part":[{"name":"name","valueHumanName":{"text":"n"}},{"name":"gender","valueCode":"male"},{"name":"telecom","valueContactPoint":{"value":"1"}},{"name":"telecom","valueContactPoint":{"value":"2"}}]"#)]),
            format!(r#"{names},"birthDate":"2024-04-01","contact":[{{"name":{{"text":"n"}},"gender":"male","telecom":[{{"value":"1"}},{{"value":"2"}}]}}]"#),
        ),
        (
            step("insert", "Patient.name[0].given", &[number("index", 1), value(r#""valueString":"c","_valueString":{"id":"c"}"#)]),
            r#""name":[{"given":["a","c","b"],"_given":[null,{"id":"c"},{"id":"g"}]},{"text":"x"}],"birthDate":"2024-04-01""#.to_owned(),
        ),
        (
            step("insert", "Patient.name", &[number("index", 2), value(r#""valueHumanName":{"text":"y"}"#)]),
            r#""name":[{"given":["a","b"],"_given":[null,{"id":"g"}]},{"text":"x"},{"text":"y"}],"birthDate":"2024-04-01""#.to_owned(),
        ),
        (
            step("delete", "Patient.name[0].given[1]", &[]),
            r#""name":[{"given":["a"]},{"text":"x"}],"birthDate":"2024-04-01""#.to_owned(),
        ),
        (
            step("delete", "Patient.name.where(text = 'x').text", &[]),
            r#""name":[{"given":["a","b"],"_given":[null,{"id":"g"}]}],"birthDate":"2024-04-01""#.to_owned(),
        ),
        (
            step("move", "Patient.name[0].given", &[number("source", 0), number("destination", 1)]),
            r#""name":[{"given":["b","a"],"_given":[{"id":"g"},null]},{"text":"x"}],"birthDate":"2024-04-01""#.to_owned(),
        ),
        (
            step("add", "Patient.birthDate", &[name("extension"), value(r#""valueExtension":{"url":"http://u","valueString":"v"}"#)]),
            format!(r#"{names},"birthDate":"2024-04-01","_birthDate":{{"extension":[{{"url":"http://u","valueString":"v"}}]}}"#),
        ),
        (
            step("replace", "Patient.name[1]", &[value(r#""valueHumanName":{"family":"f"}"#)]),
            r#""name":[{"given":["a","b"],"_given":[null,{"id":"g"}]},{"family":"f"}],"birthDate":"2024-04-01""#.to_owned(),
        ),
    ] {
        assert_eq!(fhir_patched(PATIENT, std::slice::from_ref(&steps)), Ok(patient(&expected)), "{steps}");
    }
    assert_eq!(fhir_patched(PATIENT, &[]), Ok(PATIENT.to_owned()));
}

#[test]
fn fhir_patch_follows_choices_resources_and_what_it_did_before() {
    let observation =
        r#"{"resourceType":"Observation","valueQuantity":{"value":7.10},"component":[{"valueString":"x"}]}"#;
    let to_text = step("replace", "Observation.value", &[value(r#""valueString":"+""#)]);
    assert_eq!(
        fhir_patched(observation, &[to_text]).as_deref(),
        Ok(r#"{"resourceType":"Observation","component":[{"valueString":"x"}],"valueString":"+"}"#)
    );
    let decimal = step("replace", "Observation.value.value", &[value(r#""valueDecimal":7.200"#)]);
    let emptied = step("delete", "Observation.component[0].value", &[]);
    assert_eq!(
        fhir_patched(observation, &[decimal, emptied]).as_deref(),
        Ok(r#"{"resourceType":"Observation","valueQuantity":{"value":7.200}}"#)
    );
    let contained = part("value", r#""resource":{"resourceType":"Patient","id":"p"}"#);
    let contains = step("add", "Observation", &[name("contained"), contained]);
    let into = step("add", "Observation.contained[0]", &[name("active"), value(r#""valueBoolean":true"#)]);
    assert_eq!(
        fhir_patched(r#"{"resourceType":"Observation"}"#, &[contains, into]).as_deref(),
        Ok(r#"{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p","active":true}]}"#)
    );
    let bare = step("delete", "Patient.birthDate.extension", &[]);
    let kept = r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://u"}]},"active":true}"#;
    assert_eq!(fhir_patched(kept, &[bare]).as_deref(), Ok(r#"{"resourceType":"Patient","active":true}"#));
    let narrative = step("replace", "Patient.text.div", &[value(r#""valueString":"<div/>""#)]);
    let told = r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div>x</div>"}}"#;
    assert!(fhir_patched(told, &[narrative]).is_ok());
}

#[test]
fn fhir_patch_refuses_what_is_none_and_what_does_not_fit() {
    for (steps, malformed) in [
        (r#"{"name":"other"}"#.to_owned(), true),
        (r#"{"name":"operation"}"#.to_owned(), true),
        (step("nonsense", "Patient", &[]), true),
        (step("add", "Patient", &[name("active")]), true),
        (step("add", "Patient", &[name("active"), part("value", r#""id":"x""#)]), true),
        (step("replace", "Patient.name[", &[value(r#""valueString":"x""#)]), true),
        (step("replace", "Patient.nonsense()", &[value(r#""valueString":"x""#)]), true),
        (step("insert", "Patient.name", &[number("index", -1), value(r#""valueHumanName":{}"#)]), true),
        (step("add", "Patient", &[name("birthDate"), value(r#""valueDate":"2024""#)]), false),
        (step("add", "Patient", &[name("nonsense"), value(r#""valueDate":"2024""#)]), false),
        (step("add", "Patient", &[name("active"), value(r#""valueDate":"2024""#)]), false),
        (step("add", "Patient.name", &[name("text"), value(r#""valueString":"x""#)]), false),
        (step("add", "Patient.contact", &[name("gender"), value(r#""valueCode":"male""#)]), false),
        (step("replace", "Patient", &[value(r#""valueString":"x""#)]), false),
        (step("replace", "Patient.gender", &[value(r#""valueCode":"male""#)]), false),
        (step("replace", "Patient.name", &[value(r#""valueHumanName":{"text":"x"}"#)]), false),
        (step("replace", "Patient.birthDate", &[value(r#""valueHumanName":{"text":"x"}"#)]), false),
        (step("replace", "'x'", &[value(r#""valueString":"x""#)]), false),
        (step("replace", "1/0 = now()", &[value(r#""valueString":"x""#)]), false),
        (step("delete", "Patient", &[]), false),
        (step("delete", "Patient.name", &[]), false),
        (step("insert", "Patient.name", &[number("index", 3), value(r#""valueHumanName":{}"#)]), false),
        (step("insert", "Patient.name[1]", &[number("index", 0), value(r#""valueHumanName":{}"#)]), false),
        (step("insert", "Patient.birthDate", &[number("index", 0), value(r#""valueDate":"2024""#)]), false),
        (step("insert", "Patient.telecom", &[number("index", 0), value(r#""valueContactPoint":{}"#)]), false),
        (step("move", "Patient.name", &[number("source", 0), number("destination", 2)]), false),
        (step("move", "Patient.name", &[number("source", 2), number("destination", 0)]), false),
    ] {
        let refused = fhir_patched(PATIENT, std::slice::from_ref(&steps)).expect_err(&steps);
        assert_eq!(refused.reason.is_malformed(), malformed, "{steps}: {refused}");
    }
    let mut json = read(PATIENT);
    assert!(fhir_patch::apply(Definitions::embedded(), &mut json, &read("[]")).is_err());
}

/// Each member was looked for among all: this would take minutes.
#[test]
fn json_patch_compares_a_crowd_of_members() {
    let members = |order: &mut dyn Iterator<Item = usize>| {
        let members: Vec<String> = order.map(|at| format!(r#""m{at}":{at}"#)).collect();
        format!("{{{}}}", members.join(","))
    };
    let count = 200_000;
    let text = members(&mut (0..count));
    let test = |value: &str| json_patched(&text, &format!(r#"[{{"op":"test","path":"","value":{value}}}]"#)).is_ok();
    assert!(test(&members(&mut (0..count).rev())));
    assert!(!test(&members(&mut (1..=count).rev())));
}

/// Each element that the path yields was looked for in the whole tree: this would take minutes.
#[test]
fn fhir_patch_finds_a_crowd_of_elements_at_once() {
    let extensions = |order: &mut dyn Iterator<Item = usize>| {
        let extensions: Vec<String> = order.map(|at| format!(r#"{{"url":"u:{at}"}}"#)).collect();
        format!(r#"{{"resourceType":"Patient","extension":[{}],"active":true}}"#, extensions.join(","))
    };
    let count = 40_000;
    let moves: Vec<String> = (0..10)
        .map(|_| step("move", "Patient.extension", &[number("source", 0), number("destination", 39_999)]))
        .collect();
    let expected = extensions(&mut (10..count).chain(0..10));
    assert_eq!(fhir_patched(&extensions(&mut (0..count)), &moves).as_deref(), Ok(&*expected));
    let many = step("delete", "Patient.extension", &[]);
    assert!(fhir_patched(&extensions(&mut (0..count)), &[many]).is_err());
}
