//! What the client can read, what it sent, and what it prefers.
//!
//! JSON alone is built: XML is refused with 406 and 415, and not claimed.
//!
//! Source: FHIR R4 http.html#mime-type; RFC 9110 §12

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, IF_MATCH};

use crate::interaction::{Error, Issue};

/// What a client prefers in an answer to a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Return {
    /// The resource.
    #[default]
    Representation,
    /// No body.
    Minimal,
    /// An OperationOutcome.
    Outcome,
}

/// What the headers ask for, apart from the interaction itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// `Prefer: return=…`
    pub give: Return,
    /// `Prefer: handling=lenient`
    pub lenient: bool,
    /// Texts in Japanese.
    pub japanese: bool,
}

impl Wishes {
    /// Reads `Prefer` and `Accept-Language`.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut wishes = Self { japanese: japanese(headers), ..Self::default() };
        let prefer = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for part in prefer.flat_map(|value| value.split([',', ';'])) {
            match part.trim() {
                "return=minimal" => wishes.give = Return::Minimal,
                "return=representation" => wishes.give = Return::Representation,
                "return=OperationOutcome" => wishes.give = Return::Outcome,
                "handling=lenient" => wishes.lenient = true,
                _ => {}
            }
        }
        wishes
    }
}

/// Whether Japanese is preferred to English.
pub fn japanese(headers: &HeaderMap) -> bool {
    let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let weight = |language: &str| {
        text.split(',')
            .filter_map(|range| {
                let mut parts = range.split(';');
                let tag = parts.next()?.trim();
                let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
                let quality: f32 = quality.map_or(Some(1.0), |value| value.parse().ok())?;
                (tag == language || tag.starts_with(&format!("{language}-"))).then_some(quality)
            })
            .fold(0.0, f32::max)
    };
    weight("ja") > weight("en")
}

/// Refuses answers in a form that is not built.
///
/// * `format`: the parameter `_format`, which wins over the header.
pub fn acceptable(headers: &HeaderMap, format: Option<&str>) -> Result<(), Error> {
    let fits = |media: &str| matches!(media, "application/fhir+json" | "application/json" | "text/json");
    if let Some(format) = format {
        let media = format.split(';').next().unwrap_or_default().trim().replace(' ', "+");
        return if media == "json" || fits(&media) { Ok(()) } else { Err(not_acceptable(&media)) };
    }
    let Some(accept) = headers.get(ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let any = |range: &str| {
        let media = range.split(';').next().unwrap_or_default().trim();
        fits(media) || matches!(media, "" | "*/*" | "application/*" | "text/*")
    };
    if accept.split(',').any(any) { Ok(()) } else { Err(not_acceptable(accept)) }
}

fn not_acceptable(_asked: &str) -> Error {
    Error::NotAcceptable(Issue::error(
        "not-supported",
        "This server answers application/fhir+json. Ask for it by Accept or _format.",
        "このサーバーは application/fhir+json で応答します。Accept または _format で指定してください。",
    ))
}

/// Refuses bodies that are not JSON.
pub fn readable(headers: &HeaderMap) -> Result<(), Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    let utf8 = charset.is_none_or(|name| name.trim_matches('"') == "utf-8");
    if utf8 && matches!(&*media, "application/fhir+json" | "application/json" | "text/json") {
        return Ok(());
    }
    Err(Error::Unsupported(Issue::error(
        "not-supported",
        "Send the resource as application/fhir+json in UTF-8.",
        "リソースは UTF-8 の application/fhir+json で送ってください。",
    )))
}

/// `If-Match: W/"3"` → 3.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i32>, Error> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let tag = text.strip_prefix("W/").unwrap_or(text);
    let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
    version.map(Some).ok_or_else(|| {
        Error::Invalid(vec![Issue::error(
            "value",
            "If-Match must be the ETag of a version, such as W/\"1\".",
            "If-Match には W/\"1\" のような版の ETag を指定してください。",
        )])
    })
}
