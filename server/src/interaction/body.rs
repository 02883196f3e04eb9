//! A body as it came → its tree, or the place where it stops making sense.

use techo_profiles::json::{Json, Place};

use super::{Error, Issue};

/// JSON, or where it stops being JSON.
pub fn parse(text: &[u8]) -> Result<Json, Error> {
    let resource = Json::parse(text).map_err(|error| {
        let place = Place::of(text, error.offset);
        let mut issue = Issue::error(
            "structure",
            format!("The body is no JSON that this server takes: {}.", error.fault),
            format!("本文をJSONとして読み取れません: {}。", error.fault.japanese()),
        );
        issue.place = Some((place.line, place.column));
        Error::Invalid(vec![issue])
    })?;
    if resource.is_object() && resource.str("resourceType").is_some() {
        return Ok(resource);
    }
    let issue = Issue::error(
        "structure",
        "The body must be one FHIR resource: a JSON object with a resourceType.",
        "本文は resourceType を持つ JSON オブジェクト(FHIR リソース)にしてください。",
    );
    Err(Error::Invalid(vec![issue]))
}

/// A resource in a file, JSON or XML as its first character tells.
pub fn parse_either(text: &[u8]) -> Result<Json, Error> {
    let bare = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    if bare.starts_with(b"<") { parse_xml(text) } else { parse(text) }
}

/// A body of FHIR XML → the tree that the same resource gives as JSON, placed in the XML.
pub fn parse_xml(text: &[u8]) -> Result<Json, Error> {
    techo_profiles::xml::read(techo_profiles::Definitions::embedded(), text).map_err(|error| {
        let place = error.place(text);
        let (english, japanese) = error.words();
        let mut issue = Issue::error(error.code().name(), english, japanese);
        issue.place = Some((place.line, place.column));
        issue.expression = error.expression;
        Error::Invalid(vec![issue])
    })
}
