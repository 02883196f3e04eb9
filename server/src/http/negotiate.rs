//! What the client can read, what it sent, and what it prefers.
//!
//! JSON alone is built: XML is refused with 406 and 415, and not claimed.
//!
//! Source: FHIR R4 http.html#mime-type; RFC 9110 §12

use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};

use crate::interaction::patch::Form;
use crate::interaction::{Error, Expected, Issue, Known, Return};

/// What the headers ask for, apart from the interaction itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// `Prefer: return=…`
    pub give: Option<Return>,
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
                "return=minimal" => wishes.give = Some(Return::Minimal),
                "return=representation" => wishes.give = Some(Return::Representation),
                "return=OperationOutcome" => wishes.give = Some(Return::Outcome),
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
    if let Some(format) = format {
        // A plus sign that was not escaped has become a space.
        let format = format.trim().replace(' ', "+");
        return if format == "json" || is_ours(&format) { Ok(()) } else { Err(not_acceptable()) };
    }
    let mut ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if ranges.peek().is_none() || ranges.flat_map(|value| value.split(',')).any(takes_ours) {
        return Ok(());
    }
    Err(not_acceptable())
}

/// Whether a range of `Accept` lets FHIR JSON of R4 through.
fn takes_ours(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse() == Ok(0.0_f32));
    !refused && (matches!(&*media, "" | "*/*" | "application/*" | "text/*") || is_ours(range))
}

/// `application/fhir+json; fhirVersion=4.0`, and its other names.
fn is_ours(media: &str) -> bool {
    let mut parts = media.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let fits = |part: &str| match part.split_once('=') {
        Some((name, version)) if name.eq_ignore_ascii_case("fhirVersion") => version.trim_matches('"') == "4.0",
        _ => true,
    };
    matches!(&*name, "application/fhir+json" | "application/json" | "text/json") && parts.all(fits)
}

fn not_acceptable() -> Error {
    Error::NotAcceptable(Issue::error(
        "not-supported",
        "This server answers application/fhir+json. Ask for it by Accept or _format.",
        "このサーバーは application/fhir+json で応答します。Accept または _format で指定してください。",
    ))
}

/// Refuses bodies that are not JSON.
pub fn readable(headers: &HeaderMap) -> Result<(), Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(|part| part.trim().to_ascii_lowercase());
    let charset = parts.find_map(|part| part.strip_prefix("charset=").map(str::to_owned));
    let utf8 = charset.is_none_or(|name| name.trim_matches('"') == "utf-8");
    if utf8 && is_ours(given) {
        return Ok(());
    }
    Err(Error::Unsupported(Issue::error(
        "not-supported",
        "Send the resource as application/fhir+json of FHIR 4.0, in UTF-8.",
        "リソースは FHIR 4.0 の application/fhir+json(UTF-8)で送ってください。",
    )))
}

/// The language of a patch, by its media type.
pub fn patch_form(headers: &HeaderMap) -> Result<Form, Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = given.split(';').next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("application/json-patch+json") {
        return Ok(Form::Json);
    }
    readable(headers).map(|()| Form::FhirPath).map_err(|_| {
        Error::Unsupported(Issue::error(
            "not-supported",
            "Send a patch as application/json-patch+json, or as Parameters in application/fhir+json.",
            "パッチは application/json-patch+json、または Parameters を application/fhir+json で送ってください。",
        ))
    })
}

/// `If-Match: W/"3"` → 3. `If-None-Match` is not done on writes: passing over it
/// would overwrite what the client wants kept.
pub fn if_match(headers: &HeaderMap) -> Result<Option<Expected>, Error> {
    if headers.contains_key(IF_NONE_MATCH) {
        return Err(Error::Invalid(vec![Issue::error(
            "not-supported",
            "If-None-Match is for reading. To change a version that you know, send If-Match.",
            "If-None-Match は読み取り用です。特定の版を変更するには If-Match を指定してください。",
        )]));
    }
    let Some(text) = list(headers, &IF_MATCH) else { return Ok(None) };
    Expected::read(&text).map(Some).ok_or_else(|| {
        Error::Invalid(vec![Issue::error(
            "value",
            "If-Match must be the ETag of a version, such as W/\"1\".",
            "If-Match には W/\"1\" のような版の ETag を指定してください。",
        )])
    })
}

/// What the client has already.
///
/// # Errors
/// [`Error::Invalid`] for an `If-None-Match` that is none.
pub fn known(headers: &HeaderMap) -> Result<Known, Error> {
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    Known::read(list(headers, &IF_NONE_MATCH).as_deref(), since)
}

/// `If-None-Exist`, once.
pub fn if_none_exist(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut said = headers.get_all("if-none-exist").iter();
    let Some(first) = said.next() else { return Ok(None) };
    match (first.to_str(), said.next()) {
        (Ok(query), None) => Ok(Some(query.to_owned())),
        _ => Err(Error::Invalid(vec![Issue::error(
            "value",
            "If-None-Exist is one query, percent-encoded.",
            "If-None-Exist には検索条件を一つだけ、パーセントエンコードして指定してください。",
        )])),
    }
}

/// A header that is a list, its lines together; bytes that are no text make it none
/// that can be read.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}
