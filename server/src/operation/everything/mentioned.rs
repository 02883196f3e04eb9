//! What a stored record refers to, read off its text: a page of a thousand records is
//! looked through without a tree being built of each.

use std::collections::BTreeSet;

use techo_profiles::Definitions;

use crate::consent::subject::local;

/// Places by type and id.
pub(super) type Mentioned = BTreeSet<(u16, String)>;

/// Adds what `body` refers to on this server: every `reference`, and the Binary of
/// every `url`.
///
/// A quote inside a JSON string stands behind a backslash, so that what looks like a
/// member here is one.
///
/// * `base`: of our own URLs.
pub(super) fn mentioned(body: &[u8], base: &str, found: &mut Mentioned) {
    for name in [&b"\"reference\""[..], b"\"url\""] {
        let mut rest = body;
        while let Some(at) = rest.windows(name.len()).position(|part| part == name) {
            rest = &rest[at + name.len()..];
            let Some((kind, id)) = value(rest).and_then(|text| local(text, base)) else { continue };
            let fits = name.len() > 5 || kind == "Binary";
            if let Some(number) = Definitions::embedded().type_number(kind).filter(|_| fits) {
                found.insert((number, id.to_owned()));
            }
        }
    }
}

/// The string behind a member's name; none with an escape, which no reference has.
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
}
