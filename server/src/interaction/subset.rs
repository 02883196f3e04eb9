//! A part of a resource: what `_summary` and `_elements` leave of it.
//!
//! The bytes of what stays are those that were stored; nothing is written anew.
//! Always kept are the id, `meta`, and what the rest would be invalid or mean
//! something else without: mandatory and modifying elements. A summary goes down
//! into backbone elements and data types. There extensions stay: which of a
//! Japanese person's names is the kanji and which the kana is said by one.
//!
//! Every part is tagged SUBSETTED, whether or not there was something to cut.
//!
//! Source: FHIR R4 search.html#summary, #elements

use techo_profiles::Definitions;
use techo_profiles::json::{Json, Member, ParseError, Value};

use crate::search::shape::{Shape, Summary};

/// `body` as `shape` wants it.
///
/// * `asked`: the resource is of a type that was asked for: names of elements
///   without a type are about it.
pub fn cut(
    definitions: &Definitions,
    kind: &str,
    body: Vec<u8>,
    (shape, asked): (&Shape, bool),
) -> Result<Vec<u8>, ParseError> {
    let wanted: Vec<&str> = shape.elements.iter().filter_map(|name| of_type(name, kind, asked)).collect();
    let summary = match shape.summary {
        Summary::False | Summary::Count if wanted.is_empty() => return Ok(body),
        other => other,
    };
    let resource = Json::parse(&body)?;
    let cutter = Cutter { definitions, text: &body, kind, summary, wanted: &wanted };
    Ok(cutter.resource(&resource))
}

/// The name that an entry of `_elements` has in resources of `kind`.
fn of_type<'n>(name: &'n str, kind: &str, asked: bool) -> Option<&'n str> {
    match name.split_once('.') {
        Some((of, name)) => (of == kind).then_some(name),
        None => asked.then_some(name),
    }
}

struct Cutter<'a> {
    definitions: &'a Definitions,
    text: &'a [u8],
    kind: &'a str,
    summary: Summary,
    wanted: &'a [&'a str],
}

impl Cutter<'_> {
    fn resource(&self, resource: &Json) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len());
        out.push(b'{');
        let mut tagged = false;
        for member in resource.members().iter().filter(|member| self.stays(&member.name)) {
            comma(&mut out);
            name(member, &mut out);
            if &*member.name == "meta" {
                self.meta(&member.value, &mut out);
                tagged = true;
            } else {
                self.value(self.kind, member, &mut out);
            }
        }
        if !tagged {
            comma(&mut out);
            out.extend_from_slice(b"\"meta\":");
            self.meta(&Json::object::<&str>([]), &mut out);
        }
        out.push(b'}');
        out
    }

    /// Whether a top-level member stays. What the definitions do not know was
    /// never stored.
    fn stays(&self, name: &str) -> bool {
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        let bare = name.strip_prefix('_').unwrap_or(name);
        let Some(part) = self.definitions.part(self.kind, bare) else { return false };
        match self.summary {
            Summary::True => part.is_summary || part.is_needed,
            Summary::Text => bare == "text" || part.is_needed,
            Summary::Data => bare != "text",
            Summary::False | Summary::Count => {
                part.is_needed || self.wanted.iter().any(|wanted| *wanted == bare || *wanted == part.name)
            }
        }
    }

    /// The value of a member that stays.
    fn value(&self, parent: &str, member: &Member, out: &mut Vec<u8>) {
        let part = self.definitions.part(parent, &member.name);
        match part.filter(|part| self.summary == Summary::True && part.type_name != "Extension") {
            Some(part) => self.summary_of(part.type_name, &member.value, out),
            // An extension is whole or not there; what stands beside a primitive
            // (`_birthDate`) stays with it.
            None => self.copy(&member.value, out),
        }
    }

    /// A summary of a value of this type or backbone path.
    fn summary_of(&self, path: &str, json: &Json, out: &mut Vec<u8>) {
        match json.value() {
            Value::Array(items) => {
                out.push(b'[');
                for item in items {
                    comma(out);
                    self.summary_of(path, item, out);
                }
                out.push(b']');
            }
            // A resource within a resource is a whole of its own.
            Value::Object(members) if json.get("resourceType").is_none() => {
                out.push(b'{');
                for member in members.iter().filter(|member| self.is_summary(path, &member.name)) {
                    comma(out);
                    name(member, out);
                    self.value(path, member, out);
                }
                out.push(b'}');
            }
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.copy(json, out);
            }
        }
    }

    fn is_summary(&self, path: &str, name: &str) -> bool {
        let bare = name.strip_prefix('_').unwrap_or(name);
        let part = self.definitions.part(path, bare);
        matches!(bare, "id" | "extension") || part.is_some_and(|part| part.is_summary || part.is_needed)
    }

    fn meta(&self, meta: &Json, out: &mut Vec<u8>) {
        out.push(b'{');
        for member in meta.members().iter().filter(|member| &*member.name != "tag") {
            comma(out);
            name(member, out);
            self.copy(&member.value, out);
        }
        comma(out);
        out.extend_from_slice(b"\"tag\":[");
        for tag in meta.list("tag") {
            comma(out);
            self.copy(tag, out);
        }
        if !meta.list("tag").iter().any(is_subsetted) {
            comma(out);
            out.extend_from_slice(format!("{{\"system\":\"{SYSTEM}\",\"code\":\"{SUBSETTED}\"}}").as_bytes());
        }
        out.extend_from_slice(b"]}");
    }

    fn copy(&self, json: &Json, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text[json.span()]);
    }
}

/// Whether a tag says that the resource is a part.
pub fn is_subsetted(tag: &Json) -> bool {
    tag.str("system") == Some(SYSTEM) && tag.str("code") == Some(SUBSETTED)
}

fn name(member: &Member, out: &mut Vec<u8>) {
    out.extend_from_slice(Json::from(&*member.name).to_string().as_bytes());
    out.push(b':');
}

/// Between what was written and what comes.
fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{' | b'[' | b':')) {
        out.push(b',');
    }
}

/// Where the tags of parts and of what was taken out come from.
pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
/// The tag of a part.
pub const SUBSETTED: &str = "SUBSETTED";

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

    fn shape(summary: Summary, elements: &[&str]) -> Shape {
        Shape { summary, elements: elements.iter().map(|name| (*name).into()).collect() }
    }

    #[track_caller]
    fn cuts(kind: &str, text: &str, shape: &Shape, expected: &str) {
        let done = cut(Definitions::embedded(), kind, text.into(), (shape, true)).expect("JSON");
        assert_eq!(String::from_utf8(done).expect("text"), expected.replace('@', TAG), "{shape:?}");
    }

    #[test]
    fn what_stays_has_its_own_bytes() {
        let text = r#"{ "resourceType" : "Observation", "id":"o", "meta":{"versionId":"1","tag":[{"code":"a"}]},
            "text":{"status":"generated","div":"<div/>"}, "status" : "final", "code":{"text":"\u3042"},
            "valueQuantity":{"value": 1.10, "unit":"kg"}, "note":[{"text":"n"}],
            "referenceRange":[{"text":"r"}], "_status":{"id":"s"} }"#;
        let head = r#"{"resourceType":"Observation","id":"o","meta":{"versionId":"1","tag":[{"code":"a"},@]}"#;
        let code = r#""status":"final","code":{"text":"\u3042"}"#;
        let value = r#""valueQuantity":{"value": 1.10, "unit":"kg"}"#;
        let of = |rest: &str| format!("{head},{rest}}}");
        for (shape, rest) in [
            (shape(Summary::False, &["value"]), format!(r#"{code},{value},"_status":{{"id":"s"}}"#)),
            (shape(Summary::False, &["valueQuantity"]), format!(r#"{code},{value},"_status":{{"id":"s"}}"#)),
            (shape(Summary::False, &["note"]), format!(r#"{code},"note":[{{"text":"n"}}],"_status":{{"id":"s"}}"#)),
            (
                shape(Summary::Text, &[]),
                format!(r#""text":{{"status":"generated","div":"<div/>"}},{code},"_status":{{"id":"s"}}"#),
            ),
            (
                shape(Summary::Data, &[]),
                format!(
                    r#"{code},{value},"note":[{{"text":"n"}}],"referenceRange":[{{"text":"r"}}],"_status":{{"id":"s"}}"#
                ),
            ),
            (
                shape(Summary::True, &[]),
                format!(r#"{code},"valueQuantity":{{"value":1.10,"unit":"kg"}},"_status":{{"id":"s"}}"#),
            ),
        ] {
            cuts("Observation", text, &shape, &of(&rest));
        }
    }

    #[test]
    fn a_summary_goes_down_and_keeps_the_kind_of_a_name() {
        let name = r#"[{"extension":[{"url":"u","valueCode":"IDE"}],"family":"山"}]"#;
        let text = format!(
            r#"{{"resourceType":"Patient","meta":{{}},"name":{name},"contact":[{{"gender":"male"}}],"photo":[{{"data":"AA=="}}]}}"#
        );
        cuts(
            "Patient",
            &text,
            &shape(Summary::True, &[]),
            &format!(r#"{{"resourceType":"Patient","meta":{{"tag":[@]}},"name":{name}}}"#),
        );
        let text = r#"{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"contentType":"a/b","data":"AA=="}}]}"#;
        let expected = r#"{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"contentType":"a/b"}}],"meta":{"tag":[@]}}"#;
        cuts("DocumentReference", text, &shape(Summary::True, &[]), expected);
    }

    #[test]
    fn a_part_is_tagged_once_and_other_types_stay_whole() {
        let text = format!(r#"{{"resourceType":"Patient","meta":{{"tag":[{TAG}]}},"active":true}}"#);
        cuts("Patient", &text, &shape(Summary::False, &["active"]), &text);
        let whole = r#"{"resourceType":"Patient","active":true,"gender":"male"}"#;
        let only = |elements: &[&str]| {
            let shape = shape(Summary::False, elements);
            let done = cut(Definitions::embedded(), "Patient", whole.into(), (&shape, false)).expect("JSON");
            String::from_utf8(done).expect("text")
        };
        assert_eq!(only(&["status", "Observation.code"]), whole);
        let named = only(&["status", "Patient.active"]);
        assert_eq!(named, format!(r#"{{"resourceType":"Patient","active":true,"meta":{{"tag":[{TAG}]}}}}"#));
    }
}
