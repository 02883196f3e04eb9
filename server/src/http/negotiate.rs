//! What the client can read, what it sent, and what it prefers.
//!
//! Handlers know JSON alone. `content.rs` makes it of XML before them, and XML of it
//! after them; what is neither is refused here with 406 and 415.
//!
//! Source: FHIR R4 http.html#mime-type; RFC 9110 §12

use axum::http::HeaderMap;
use axum::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};

use crate::interaction::patch;
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
        let said: Vec<(String, &str)> = prefer.flat_map(|value| value.split([',', ';'])).map(preference).collect();
        // Said twice, the first counts (RFC 7240 §2).
        let first = |wanted: &str| said.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        wishes.give = match first("return") {
            Some("minimal") => Some(Return::Minimal),
            Some("representation") => Some(Return::Representation),
            Some("OperationOutcome") => Some(Return::Outcome),
            _ => None,
        };
        wishes.lenient = first("handling") == Some("lenient");
        wishes
    }
}

/// `Return="minimal"` → `return` and `minimal`: names are alike in any case, values may
/// stand in quotes.
fn preference(part: &str) -> (String, &str) {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'))
}

/// Whether Japanese is preferred to English.
pub fn japanese(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let (mut ja, mut en) = (0.0_f32, 0.0_f32);
    for range in values.flat_map(|value| value.split(',')) {
        let tag = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match tag.split('-').next() {
            Some("ja") => ja = ja.max(weight(range)),
            Some("en") => en = en.max(weight(range)),
            _ => {}
        }
    }
    ja > en
}

/// How a resource is spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// `application/fhir+json`
    #[default]
    Json,
    /// `application/fhir+xml`
    Xml,
}

impl Form {
    /// The media type of an answer.
    pub fn media(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json; charset=utf-8",
            Self::Xml => "application/fhir+xml; charset=utf-8",
        }
    }

    /// `application/fhir+xml; fhirVersion=4.0`, and its other names; `None` for what is
    /// neither, or of another version of FHIR.
    pub fn named(media: &str) -> Option<Self> {
        let mut parts = media.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let fits = |part: &str| match part.split_once('=') {
            Some((name, version)) if name.trim().eq_ignore_ascii_case("fhirVersion") => {
                version.trim().trim_matches('"') == "4.0"
            }
            _ => true,
        };
        let form = match &*name {
            "application/fhir+json" | "application/json" | "text/json" => Self::Json,
            "application/fhir+xml" | "application/xml" | "text/xml" => Self::Xml,
            _ => return None,
        };
        parts.all(fits).then_some(form)
    }
}

/// The form that the client wants.
///
/// * `format`: the parameter `_format`, which wins over the header.
///
/// Of the ranges in `Accept` the most exact one that names a form gives its weight;
/// of forms with the same weight JSON is given, which is what is stored.
pub fn wanted(headers: &HeaderMap, format: Option<&str>) -> Result<Form, Error> {
    if let Some(format) = format {
        // A plus sign that was not escaped has become a space.
        let format = format.trim().replace(' ', "+");
        return match &*format {
            "json" => Ok(Form::Json),
            "xml" => Ok(Form::Xml),
            media => Form::named(media).ok_or_else(not_acceptable),
        };
    }
    let accepted = accepted(headers);
    if accepted.is_empty() {
        return Ok(Form::Json);
    }
    form_of(accepted.iter().copied()).ok_or_else(not_acceptable)
}

/// The ranges of `Accept`.
pub fn accepted(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).collect()
}

/// The form that these ranges want most, if they take any.
pub fn form_of<'a>(ranges: impl Iterator<Item = &'a str> + Clone) -> Option<Form> {
    match (quality(ranges.clone(), Form::Json), quality(ranges, Form::Xml)) {
        (json, xml) if xml > json => Some(Form::Xml),
        (json, _) if json > 0.0 => Some(Form::Json),
        _ => None,
    }
}

/// How much a form is wanted, from 0 (refused) to 1.
pub fn quality<'a>(ranges: impl Iterator<Item = &'a str>, form: Form) -> f32 {
    best(ranges, |range, name| match name {
        "" | "*/*" => Some(1),
        "application/*" | "text/*" => Some(2),
        _ => (Form::named(range) == Some(form)).then_some(3),
    })
    .1
}

/// How exactly the range says it that says it most exactly, and its weight.
///
/// * `exactness`: of a range and its name without parameters; `None` where it says
///   something else.
pub fn best<'a>(ranges: impl Iterator<Item = &'a str>, exactness: impl Fn(&str, &str) -> Option<u8>) -> (u8, f32) {
    let mut best = (0, 0.0_f32);
    for range in ranges {
        let name = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some(exactness) = exactness(range, &name) else { continue };
        let weight = weight(range);
        if exactness > best.0 || (exactness == best.0 && weight > best.1) {
            best = (exactness, weight);
        }
    }
    best
}

/// `…;q=0.5` → 0.5; 1 where nothing is said, 0 where it cannot be read.
pub fn weight(range: &str) -> f32 {
    let mut parts = range.split(';').skip(1).map(str::trim);
    let given = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    given.map_or(1.0, |text| text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0))
}

/// Refuses answers in a form that is not built.
///
/// * `format`: the parameter `_format`, which wins over the header.
pub fn acceptable(headers: &HeaderMap, format: Option<&str>) -> Result<(), Error> {
    wanted(headers, format).map(drop)
}

fn not_acceptable() -> Error {
    Error::NotAcceptable(Issue::error(
        "not-supported",
        "This server answers application/fhir+json and application/fhir+xml. Ask for one of them by Accept or _format.",
        "このサーバーは application/fhir+json と application/fhir+xml で応答します。Accept または _format で指定してください。",
    ))
}

/// Refuses a body of two types: whoever stands between may have gone by the other one.
///
/// Source: RFC 9110 §5.3, §8.3
pub fn of_one_type(headers: &HeaderMap) -> Result<(), Error> {
    if headers.get_all(CONTENT_TYPE).iter().count() < 2 {
        return Ok(());
    }
    Err(Error::Invalid(vec![Issue::error(
        "invalid",
        "Content-Type is said more than once. Send it once.",
        "Content-Type が複数あります。一つだけ指定してください。",
    )]))
}

/// The form of a body by its `Content-Type`; `None` for any other, or other than UTF-8.
pub fn sent(headers: &HeaderMap) -> Option<Form> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(|part| part.trim().to_ascii_lowercase());
    let charset = parts.find_map(|part| part.strip_prefix("charset=").map(str::to_owned));
    let utf8 = charset.is_none_or(|name| name.trim_matches('"') == "utf-8");
    Form::named(given).filter(|_| utf8)
}

/// Refuses bodies that are not JSON. What came as XML has become JSON before
/// (`content.rs`).
pub fn readable(headers: &HeaderMap) -> Result<(), Error> {
    if sent(headers) == Some(Form::Json) {
        return Ok(());
    }
    Err(Error::Unsupported(Issue::error(
        "not-supported",
        "Send the resource as application/fhir+json or application/fhir+xml of FHIR 4.0, in UTF-8.",
        "リソースは FHIR 4.0 の application/fhir+json または application/fhir+xml(UTF-8)で送ってください。",
    )))
}

/// The language of a patch, by its media type.
pub fn patch_form(headers: &HeaderMap) -> Result<patch::Form, Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = given.split(';').next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("application/json-patch+json") {
        return Ok(patch::Form::Json);
    }
    readable(headers).map(|()| patch::Form::FhirPath).map_err(|_| {
        Error::Unsupported(Issue::error(
            "not-supported",
            "Send a patch as application/json-patch+json, or as Parameters in application/fhir+json or application/fhir+xml.",
            "パッチは application/json-patch+json、または Parameters を application/fhir+json か application/fhir+xml で送ってください。",
        ))
    })
}

/// What a write wants to find: `If-Match: W/"3"`, or `If-None-Match: *`.
pub fn expected(headers: &HeaderMap) -> Result<Option<Expected>, Error> {
    let (found, name) = match (list(headers, &IF_MATCH), list(headers, &IF_NONE_MATCH)) {
        (None, None) => return Ok(None),
        (Some(text), None) => (Expected::read(&text), "If-Match"),
        (None, Some(text)) => (Expected::read_none(&text), "If-None-Match"),
        (Some(_), Some(_)) => {
            return Err(Error::Invalid(vec![Issue::error(
                "invalid",
                "Send If-Match or If-None-Match, not both.",
                "If-Match と If-None-Match は同時に指定できません。",
            )]));
        }
    };
    found.map(Some).ok_or_else(|| {
        Error::Invalid(vec![Issue::error(
            "value",
            format!("{name} must be * or the ETag of a version, such as W/\"1\"."),
            format!("{name} には * または W/\"1\" のような版の ETag を指定してください。"),
        )])
    })
}

/// Refuses a condition that would be passed over: a new resource has no version, and an
/// operation asks for none.
pub fn unconditional(headers: &HeaderMap) -> Result<(), Error> {
    if !headers.contains_key(IF_MATCH) && !headers.contains_key(IF_NONE_MATCH) {
        return Ok(());
    }
    Err(Error::Invalid(vec![Issue::error(
        "not-supported",
        "If-Match and If-None-Match have no meaning here. To create a resource once only, send If-None-Exist.",
        "If-Match と If-None-Match はここでは使えません。重複のない作成には If-None-Exist を指定してください。",
    )]))
}

/// What the client has already.
///
/// # Errors
/// [`Error::Invalid`] for an `If-None-Match` that is none.
pub fn known(headers: &HeaderMap) -> Result<Known, Error> {
    let mut since = headers.get_all(IF_MODIFIED_SINCE).iter();
    // RFC 9110 §13.1.3: more than one is none.
    let since = since.next().filter(|_| since.next().is_none()).and_then(|value| value.to_str().ok());
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
