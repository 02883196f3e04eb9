//! Encodings of strings: base64, hexadecimal, HTML and JSON.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::super::error::PathError;
use super::super::eval::Engine;
use super::super::item::Items;
use super::Invocation;
use crate::json::Json;

type Found<'a> = Result<Items<'a>, PathError>;

/// The characters of HTML that are written as entities.
const ENTITIES: &[(&str, &str)] = &[("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];

pub(super) fn encode<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    convert(engine, it, |format, text| match format {
        "base64" => Some(Some(STANDARD.encode(text))),
        "urlbase64" => Some(Some(URL_SAFE.encode(text))),
        "hex" => Some(Some(hex(text))),
        _ => None,
    })
}

pub(super) fn decode<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    convert(engine, it, |format, text| {
        let bytes = match format {
            "base64" => STANDARD.decode(text).ok(),
            "urlbase64" => URL_SAFE.decode(text).ok(),
            "hex" => unhex(text),
            _ => return None,
        };
        Some(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    })
}

pub(super) fn escape<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    convert(engine, it, |format, text| match format {
        "html" => Some(Some(ENTITIES.iter().fold(text.to_owned(), |text, (sign, entity)| text.replace(sign, entity)))),
        "json" => {
            let quoted = Json::from(text).to_string();
            Some(Some(quoted[1..quoted.len() - 1].to_owned()))
        }
        _ => None,
    })
}

pub(super) fn unescape<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    convert(engine, it, |format, text| match format {
        "html" => {
            // The ampersand comes last, or `&amp;lt;` would turn into `<`.
            Some(Some(ENTITIES.iter().rev().fold(text.to_owned(), |text, (sign, entity)| text.replace(entity, sign))))
        }
        "json" => Some(unescape_json(text)),
        _ => None,
    })
}

/// Applies a conversion that knows the format (else `None`) and may fail on the
/// text (inner `None`), which yields nothing.
fn convert<'a>(
    engine: &mut Engine<'_, 'a>,
    mut it: Invocation<'_, 'a>,
    apply: impl FnOnce(&str, &str) -> Option<Option<String>>,
) -> Found<'a> {
    let format = it.text(engine, 0)?;
    let (Some(text), Some(format)) = (it.one_text()?, format) else { return Ok(Items::Empty) };
    engine.spend_text(text.len().saturating_mul(6))?;
    match apply(&format, &text) {
        Some(result) => Ok(result.map_or(Items::Empty, Items::string)),
        None => Err(it.fault("a format that is known")),
    }
}

fn hex(text: &str) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect())
}

/// A string's inside, as JSON escapes it. A bare quotation mark stands for itself.
fn unescape_json(text: &str) -> Option<String> {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut escaped = false;
    for sign in text.chars() {
        if sign == '"' && !escaped {
            quoted.push('\\');
        }
        escaped = sign == '\\' && !escaped;
        quoted.push(sign);
    }
    quoted.push('"');
    Json::parse(quoted.as_bytes()).ok()?.as_str().map(str::to_owned)
}
