//! Sound resources, spoiled at every place in every way: each is to be found, at
//! that place. Places are written here from the type model, not by the walk.

use super::*;
use crate::path::model::Model;

pub(super) const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"bp-1","meta":{"versionId":"1",
"lastUpdated":"2024-05-01T10:30:00.123+09:00","tag":[{"system":"http://a","code":"b"}]},"language":"ja",
"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">血圧</div>"},
"identifier":[{"use":"official","system":"urn:oid:1.2.3","value":"1"}],"status":"final",
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}],"text":"血圧"},
"subject":{"reference":"Patient/1","display":"山田　花子"},"effectiveDateTime":"2024-05-01T10:30:00+09:00",
"issued":"2024-05-01T10:30:00Z","performer":[{"reference":"https://a.jp/fhir/Practitioner/9"}],
"note":[{"authorString":"x","time":"2024-05","text":"ok"}],"valueQuantity":{"value":36.50,"unit":"C","code":"Cel"},
"referenceRange":[{"low":{"value":1.0},"text":"x"}],
"component":[{"code":{"text":"上"},"valueQuantity":{"value":120,"unit":"mmHg"}},
{"code":{"text":"下"},"valueInteger":80,"referenceRange":[{"high":{"value":90}}]}]}"#;

pub(super) const PATIENT: &str = r##"{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"x"}],
"extension":[{"url":"http://a","extension":[{"url":"b","valueCode":"c"}]}],"active":true,
"name":[{"use":"official","family":"山田","_family":{"extension":[{"url":"http://a","valueString":"x"}]},
"given":["花",null],"_given":[null,{"id":"g"}],"period":{"start":"2000"}}],"telecom":[{"system":"phone","rank":1}],
"gender":"female","birthDate":"1980-05-01","multipleBirthInteger":2,"address":[{"line":["a","b"],"postalCode":"100-0001"}],
"photo":[{"contentType":"image/png","data":"QUJD","size":3}],"communication":[{"language":{"text":"ja"},"preferred":true}],
"managingOrganization":{"reference":"#o"},"link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}"##;

pub(super) const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Medication","code":{"text":"x"}},
"request":{"method":"POST","url":"Medication"}},{"request":{"method":"DELETE","url":"Patient/1"}}]}"#;

/// One place in a resource: its expression, the type of what stands there, and
/// how to reach it from the top.
#[derive(Clone)]
struct At {
    expression: String,
    type_name: String,
    steps: Vec<Go>,
}

#[derive(Clone)]
enum Go {
    Member(String),
    Item(usize),
}

/// Every object in the resource with its type, and every member of it.
fn objects(json: &Json, at: &At, found: &mut Vec<At>) {
    let definitions = Definitions::embedded();
    let type_name = json.str("resourceType").unwrap_or(&at.type_name).to_owned();
    let at = At { type_name, ..at.clone() };
    found.push(at.clone());
    for member in json.members().iter().filter(|member| !member.name.starts_with('_')) {
        let Some(property) = definitions.property(&at.type_name, &member.name) else { continue };
        let choice = if *member.name == *property.name { "" } else { property.type_name };
        let mut expression = format!("{}.{}", at.expression, property.name);
        if !choice.is_empty() {
            expression.extend([".ofType(", choice, ")"]);
        }
        let mut steps = at.steps.clone();
        steps.push(Go::Member(member.name.to_string()));
        let inner = At { expression, type_name: property.type_name.to_owned(), steps };
        for (index, item) in member.value.each().iter().enumerate().filter(|(_, item)| item.is_object()) {
            let mut inner = inner.clone();
            if member.value.is_array() {
                inner.expression.extend(["[", &index.to_string(), "]"]);
                inner.steps.push(Go::Item(index));
            }
            objects(item, &inner, found);
        }
    }
}

fn reach<'a>(json: &'a mut Json, steps: &[Go]) -> &'a mut Json {
    steps.iter().fold(json, |json, step| match step {
        Go::Member(name) => json.get_mut(name).expect("a member"),
        Go::Item(index) => &mut json.items_mut()[*index],
    })
}

/// Each spoiled resource with what was done and where it is to be found.
fn spoiled() -> Vec<(Json, String, String)> {
    let mut all = Vec::new();
    for text in [OBSERVATION, PATIENT, BUNDLE] {
        let sound = Json::parse(text.as_bytes()).expect("JSON");
        let name = sound.str("resourceType").expect("a type").to_owned();
        let mut places = Vec::new();
        objects(&sound, &At { expression: name.clone(), type_name: name, steps: Vec::new() }, &mut places);
        for at in places {
            spoil(&sound, &at, &mut all);
        }
    }
    all
}

fn spoil(sound: &Json, at: &At, all: &mut Vec<(Json, String, String)>) {
    let definitions = Definitions::embedded();
    let mut change = |what: &str, expression: &str, change: &dyn Fn(&mut Json)| {
        let mut copy = sound.clone();
        change(reach(&mut copy, &at.steps));
        all.push((copy, what.to_owned(), expression.to_owned()));
    };
    change("an unknown element", &at.expression, &|json| json.set("zzz", Json::from("x")));
    let mut original = sound.clone();
    let object = reach(&mut original, &at.steps);
    let names: Vec<String> = object.members().iter().map(|member| member.name.to_string()).collect();
    for name in &names {
        let Some(property) = definitions.property(&at.type_name, name) else { continue };
        let plain = format!("{}.{}", at.expression, property.name);
        let here =
            if *name == *property.name { plain.clone() } else { format!("{plain}.ofType({})", property.type_name) };
        let wrong = if property.is_list { "{}" } else { "[1]" };
        let wrong = Json::parse(wrong.as_bytes()).expect("JSON");
        change("a wrong array-ness", &here, &|json| json.set(name.as_str(), wrong.clone()));
        change("null", &here, &|json| json.set(name.as_str(), Json::null()));
        let first = if property.is_list { format!("{here}[0]") } else { here.clone() };
        let put = |json: &mut Json, value: Json| match json.get_mut(name).and_then(|list| list.items_mut().first_mut())
        {
            Some(item) => *item = value,
            None => json.set(name.as_str(), value),
        };
        let primitive = crate::primitive::Primitive::named(property.type_name);
        if primitive.is_some() {
            change("an object for a primitive", &first, &|json| put(json, Json::object([("id", Json::from("a"))])));
            change("an empty string", &first, &|json| put(json, Json::from("")));
        } else if property.type_name != "Resource" {
            change("a string for an object", &first, &|json| put(json, Json::from("x")));
            change("an empty object", &first, &|json| put(json, Json::object::<&str>([])));
        }
        if is_required(&at.type_name, property.name) {
            change("a required element left out", &plain, &|json| {
                json.remove(name);
            });
        }
        let other = definitions.spellings(&at.type_name, property.name).into_iter().find(|other| other != name);
        if let Some(other) = other {
            let other_type = definitions.property(&at.type_name, other).expect("a spelling").type_name;
            change("a second type", &format!("{plain}.ofType({other_type})"), &|json| {
                json.set(other, Json::object([("id", Json::from("a"))]));
            });
        }
    }
}

fn is_required(type_name: &str, name: &str) -> bool {
    let root = type_name.split('.').next().expect("a root");
    let elements = &Definitions::embedded().type_def(root).expect("a type").elements;
    elements.iter().any(|element| element.parent() == Some(type_name) && element.name() == name && element.min > 0)
}

#[test]
fn every_spoiled_place_is_found_there() {
    let all = spoiled();
    assert!(all.len() > 450, "only {} ways to spoil", all.len());
    let kinds: std::collections::BTreeSet<&str> = all.iter().map(|(_, what, _)| what.as_str()).collect();
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    for (resource, what, expression) in &all {
        let found = structure(Definitions::embedded(), &NoCodes, resource);
        let places: Vec<&str> = found.iter().map(|issue| issue.expression.as_str()).collect();
        assert!(places.contains(&expression.as_str()), "{what} at {expression}, found {places:?} in {resource}");
    }
}

/// Bytes put anywhere: whatever still is JSON is checked to the end.
#[test]
fn no_text_breaks_the_walk() {
    let mut chance = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        usize::try_from(chance % below as u64).expect("it is below a usize")
    };
    let (mut read, mut sound) = (0, 0);
    for text in [OBSERVATION, PATIENT, BUNDLE] {
        for _ in 0..3_000 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = b"\"{}[],:0_xnu#/<"[next(14)],
                    1 => drop(bytes.remove(at)),
                    _ => {
                        let (from, to) = (at.min(bytes.len() - 1), (at + next(40)).min(bytes.len()));
                        let piece = bytes[from..to].to_vec();
                        let to = next(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                }
            }
            let Ok(resource) = Json::parse(&bytes) else { continue };
            read += 1;
            let found = structure(Definitions::embedded(), &NoCodes, &resource);
            sound += usize::from(found.is_empty());
            assert!(found.iter().all(|issue| issue.offset <= bytes.len() && !issue.expression.is_empty()));
        }
    }
    assert!(read > 500 && sound < read, "{read} were read, {sound} were sound");
}
