//! `id` and `meta` put into a body as it was received: all else stays byte for byte. White
//! space around it, such as the line end that an editor leaves behind a file, is no part
//! of it.

use techo_profiles::json::{Json, splice};

use crate::store::write::{Body, STAMP_WIDTH};

/// `text` with this id and version, and room for `meta.lastUpdated`.
///
/// * `resource`: `text`, parsed; an object with a `resourceType`.
pub fn stamp(text: &[u8], resource: &Json, id: &str, version: i32) -> Body {
    let whole = resource.span();
    let around = [0..whole.start, whole.end..text.len()].into_iter().filter(|range| !range.is_empty());
    let mut edits: Vec<_> = around.map(|range| (range, Vec::new())).collect();
    let version = format!("\"{version}\"");
    let room = format!("\"{}\"", "0".repeat(STAMP_WIDTH));
    // Right behind `resourceType`, or at the very front.
    let (front, comma) = match resource.get("resourceType") {
        Some(kind) => (kind.span().end, true),
        None => (whole.start + 1, false),
    };
    let mut inserted = String::new();
    match resource.get("id") {
        Some(own) => edits.push((own.span(), quoted(id))),
        None => inserted.push_str(&format!(",\"id\":\"{id}\"")),
    }
    // The edit that holds the room, and where in it the stamp begins.
    let (edit, mut within);
    match resource.get("meta").filter(|meta| meta.is_object()) {
        Some(meta) => {
            let mut missing = String::new();
            match meta.get("versionId") {
                Some(own) => edits.push((own.span(), version.into_bytes())),
                None => missing.push_str(&format!("\"versionId\":{version},")),
            }
            match meta.get("lastUpdated") {
                Some(own) => {
                    (edit, within) = (own.span().start, 1);
                    edits.push((own.span(), room.into_bytes()));
                }
                None => {
                    within = missing.len() + "\"lastUpdated\":\"".len();
                    edit = meta.span().start + 1;
                    missing.push_str(&format!("\"lastUpdated\":{room},"));
                }
            }
            if meta.members().is_empty() {
                missing.pop();
            }
            if !missing.is_empty() {
                edits.push((meta.span().start + 1..meta.span().start + 1, missing.into_bytes()));
            }
        }
        None => {
            let head = format!(",\"meta\":{{\"versionId\":{version},\"lastUpdated\":\"");
            within = inserted.len() + head.len();
            edit = front;
            inserted.push_str(&format!("{head}{}\"}}", &room[1..=STAMP_WIDTH]));
        }
    }
    if !inserted.is_empty() {
        // Without a `resourceType` before it, the comma goes behind.
        let inserted = if comma { inserted } else { format!("{},", &inserted[1..]) };
        within -= usize::from(!comma && edit == front);
        edits.push((front..front, inserted.into_bytes()));
    }
    let shift: isize = edits
        .iter()
        .filter(|(range, _)| range.start < edit)
        .map(|(range, bytes)| bytes.len().cast_signed() - range.len().cast_signed())
        .sum();
    let stamp_at = edit.saturating_add_signed(shift) + within;
    Body { bytes: splice(text, edits), stamp_at }
}

fn quoted(text: &str) -> Vec<u8> {
    Json::from(text).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_stays_and_the_stamp_lands_in_last_updated() {
        for (text, expected) in [
            (
                r#"{"resourceType":"Patient","active":true}"#,
                r#"{"resourceType":"Patient","id":"x","meta":{"versionId":"3","lastUpdated":"@"},"active":true}"#,
            ),
            (
                r#"{ "meta" : { "profile":["p"] }, "id":"other", "resourceType" : "Patient" , "v":1.10 }"#,
                r#"{ "meta" : {"versionId":"3","lastUpdated":"@", "profile":["p"] }, "id":"x", "resourceType" : "Patient" , "v":1.10 }"#,
            ),
            (
                r#"{"resourceType":"P","id":"a long old id","meta":{"lastUpdated":"2020-01-01T00:00:00Z","versionId":"77"}}"#,
                r#"{"resourceType":"P","id":"x","meta":{"lastUpdated":"@","versionId":"3"}}"#,
            ),
            (
                "\r\n {\"active\":true,\n\"resourceType\":\"P\"}\n\n",
                "{\"active\":true,\n\"resourceType\":\"P\",\"id\":\"x\",\"meta\":{\"versionId\":\"3\",\"lastUpdated\":\"@\"}}",
            ),
            (
                r#"{"meta":{"versionId":"1000"},"resourceType":"P"}"#,
                r#"{"meta":{"lastUpdated":"@","versionId":"3"},"resourceType":"P","id":"x"}"#,
            ),
        ] {
            let tree = Json::parse(text.as_bytes()).expect(text);
            let body = stamp(text.as_bytes(), &tree, "x", 3).stamped(0);
            let expected = expected.replace('@', "1970-01-01T00:00:00.000Z");
            assert_eq!(String::from_utf8(body).expect("text"), expected);
        }
    }
}
