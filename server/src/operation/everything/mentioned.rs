//! What a stored record refers to, read off its text: a page of a thousand records is
//! looked through without a tree being built of each.

use std::collections::BTreeSet;

use techo_profiles::Definitions;
use techo_profiles::json::Json;

use crate::consent::subject::local;

/// Places by type and id.
pub(super) type Mentioned = BTreeSet<(u16, String)>;

/// Adds what `body` refers to on this server: every `reference`, and the Binary of
/// every `url`.
///
/// A quote inside a JSON string stands behind a backslash, so that what looks like a
/// member here is one. Where letters or slashes are escaped, the body is taken apart.
///
/// * `base`: of our own URLs.
pub(super) fn mentioned(body: &[u8], base: &str, found: &mut Mentioned) {
    let mut told = |name: &str, text: &str| {
        let Some((kind, id)) = local(text, base).filter(|(kind, _)| name == "reference" || *kind == "Binary") else {
            return;
        };
        if let Some(number) = Definitions::embedded().type_number(kind) {
            found.insert((number, id.to_owned()));
        }
    };
    let escapes = [&b"\\u"[..], b"\\/"];
    if escapes.iter().any(|escape| memchr::memmem::find(body, escape).is_some()) {
        // What is stored is JSON.
        return Json::parse(body).iter().for_each(|tree| each(tree, &mut told));
    }
    for name in MEMBERS {
        let quoted = format!("\"{name}\"");
        for at in memchr::memmem::find_iter(body, &quoted) {
            if let Some(text) = value(&body[at + quoted.len()..]) {
                told(name, text);
            }
        }
    }
}

const MEMBERS: [&str; 2] = ["reference", "url"];

fn each(json: &Json, told: &mut impl FnMut(&str, &str)) {
    json.items().iter().for_each(|item| each(item, told));
    for member in json.members() {
        match member.value.as_str() {
            Some(text) if MEMBERS.contains(&&*member.name) => told(&member.name, text),
            _ => each(&member.value, told),
        }
    }
}

/// The string behind a member's name.
fn value(text: &[u8]) -> Option<&str> {
    let text = text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&text[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_off_the_text() {
        let body = br##"{"resourceType":"Observation","note":[{"text":"\"reference\":\"Patient/no\""}],
            "subject" : { "reference" : "Patient/1" }, "performer":[{"reference":"https://a.example/fhir/Practitioner/2/_history/3"},
            {"reference":"https://b.example/fhir/Practitioner/4"},{"reference":"#x"},{"reference":"urn:uuid:1"}],
            "content":[{"url":"Binary/5"},{"url":"Patient/6"}],"extension":[{"url":"https://a.example/fhir/StructureDefinition/x"}]}"##;
        let mut found = Mentioned::new();
        mentioned(body, "https://a.example/fhir", &mut found);
        let name = |number| Definitions::embedded().type_name(number).unwrap_or_default();
        let mut texts: Vec<String> = found.iter().map(|(kind, id)| format!("{}/{id}", name(*kind))).collect();
        texts.sort();
        assert_eq!(texts, ["Binary/5", "Patient/1", "Practitioner/2"]);
    }

    /// `$everything` left out what such a reference leads to; PHP writes each slash so.
    #[test]
    fn references_are_read_in_escapes_too() {
        let body = br#"{"subject":{"reference":"Patient\/1"},"performer":[{"\u0072eference":"Practitioner/2"}],
            "note":[{"text":"\"reference\":\"Patient/no\""}],"content":[{"url":"Binary\u002F5"},{"url":"Patient/6"}]}"#;
        let mut found = Mentioned::new();
        mentioned(body, "https://a.example/fhir", &mut found);
        let name = |number| Definitions::embedded().type_name(number).unwrap_or_default();
        let mut texts: Vec<String> = found.iter().map(|(kind, id)| format!("{}/{id}", name(*kind))).collect();
        texts.sort();
        assert_eq!(texts, ["Binary/5", "Patient/1", "Practitioner/2"]);
    }
}
