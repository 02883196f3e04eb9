//! A Binary in the form of what it holds: its content goes out in place of the resource,
//! and comes in in place of one.
//!
//! That is one more form beside JSON and XML (`content.rs`), and no door of its own.
//! Handlers know the resource alone: what goes out is taken from their answer, as it is
//! left for this caller, and what comes in is judged, written and recorded as a resource.
//!
//! R4 gives the content to whoever does not name FHIR. Who says nothing at all, or `*/*`,
//! gets the resource here, as of every type: so ask the libraries that read FHIR.
//!
//! What somebody stored is foreign, and comes from our origin. A browser is told to take
//! it for a file and not to guess at its type; should it be shown all the same, nothing
//! in it runs.
//!
//! Source: FHIR R4 binary.html#rest; RFC 9110 §8.3, §12.5.1; RFC 6266; CSP Level 3 §6.3

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderName, VARY,
};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use techo_profiles::json::Json;
use techo_profiles::xml;

use super::BODY_LIMIT;
use super::content::heavy;
use super::encoding::{Coding, WORTH_IT};
use super::fhir::format;
use super::negotiate::{self, Form, weight};
use super::outcome::refusal;
use crate::interaction::plan::parse;
use crate::interaction::query::loosely;
use crate::interaction::{Error, Issue, is_id, subset};

type Answer = Response<Body>;

/// FHIR R4 binary.html#rest: `Binary.securityContext.reference`, where a header must say it.
pub const CONTEXT: HeaderName = HeaderName::from_static("x-security-context");
const POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// In an answer's extensions: it is spelled already.
#[derive(Clone, Copy, Debug)]
pub struct Spelled;

/// The `Accept` of a read of a Binary that may ask for its content.
#[derive(Debug)]
pub struct Ranges(Vec<String>);

impl Ranges {
    /// `None` where only the resource can be meant.
    pub fn of(request: &Request) -> Option<Self> {
        let reads = [Method::GET, Method::HEAD].contains(request.method())
            && matches!(below(request)?[..], [id] | [id, "_history", _] if is_id(id));
        if !reads || format(&loosely(request.uri().query().unwrap_or_default())).is_some() {
            return None;
        }
        let ranges: Vec<String> = negotiate::accepted(request.headers()).into_iter().map(str::to_owned).collect();
        ranges.iter().any(|range| !is_any(range) && !is_fhir(range)).then_some(Self(ranges))
    }

    /// The answer to the read with the content in place of the resource, if that is wanted
    /// most; as it is where the resource is, and a refusal where neither is taken.
    pub async fn fulfil(self, answer: Answer, coding: Option<Coding>, japanese: bool) -> Answer {
        let (head, body) = answer.into_parts();
        let work = async {
            let body = to_bytes(body, usize::MAX).await.map_err(|_| Error::Internal("the body of an answer".into()))?;
            heavy(move || Ok((self.chosen(&body, coding)?, body))).await
        };
        match work.await {
            Ok((Some(content), _)) => content.answer(head),
            Ok((None, body)) => Response::from_parts(head, Body::from(body)),
            Err(error) => refusal(&error, japanese),
        }
    }

    /// The content, where it is wanted more than the resource.
    fn chosen(&self, body: &[u8], coding: Option<Coding>) -> Result<Option<Content>, Error> {
        let binary = Json::parse(body).map_err(|_| Error::Internal("a Binary is no JSON".into()))?;
        let held = Held::of(&binary);
        match self.choice(held.as_ref().map(|held| &*held.name)) {
            Choice::Resource => Ok(None),
            Choice::Content => held.map(|held| held.content(coding)).transpose(),
            Choice::Neither => Err(not_acceptable(held.is_some())),
        }
    }

    /// What is wanted most of the resource and a content of this type.
    ///
    /// Of two that are wanted alike the content is given, unless FHIR is named. A name that
    /// is the content's own means the content, and so does `text/*` of a text. XML under its general names is what browsers
    /// send with every request: it means FHIR only where the content is not taken.
    fn choice(&self, own: Option<&str>) -> Choice {
        let exactness = |range: &str, name: &str| match name {
            _ if is_any(range) => Some(1),
            _ if own.is_some_and(|own| own == name) => Some(3),
            _ => {
                let group = name.strip_suffix("/*")?;
                own?.strip_prefix(group)?.starts_with('/').then_some(2)
            }
        };
        let ranges = || self.0.iter().map(String::as_str);
        let (exact, content) = own.map_or((0, 0.0), |_| negotiate::best(ranges(), exactness));
        // FHIR's own names are none of text.
        let is_own = |name: &str| own.is_some_and(|own| own == name || name == "text/*" && own.starts_with("text/"));
        let meant = |range: &&str| is_fhir(range) || !is_own(&named(range)) && Form::named(range) != Some(Form::Xml);
        let resource = |form| negotiate::quality(ranges().filter(meant), form);
        let resource = resource(Form::Json).max(resource(Form::Xml));
        let is_named = ranges().filter(meant).any(|range| Form::named(range).is_some() && weight(range) > 0.0);
        let is_content = content > 0.0 && (content > resource && exact > 1 || content >= resource && !is_named);
        if is_content {
            Choice::Content
        } else if negotiate::form_of(ranges()).is_some() {
            Choice::Resource
        } else {
            Choice::Neither
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Resource,
    Content,
    Neither,
}

/// What a Binary holds, as far as it can go out by itself.
struct Held<'j> {
    media: HeaderValue,
    /// The type without parameters, in small letters.
    name: String,
    context: Option<HeaderValue>,
    data: &'j str,
}

impl<'j> Held<'j> {
    /// `None` where the resource alone says what there is: of a part of it, of data that
    /// is absent for a reason, and where a header cannot say what `contentType` says.
    fn of(binary: &'j Json) -> Option<Self> {
        let is_part = binary.get("meta").is_some_and(|meta| meta.list("tag").iter().any(subset::is_subsetted));
        if is_part || binary.get("_data").is_some() && binary.get("data").is_none() {
            return None;
        }
        let media = binary.str("contentType")?;
        let context = binary.get("securityContext").and_then(|context| context.str("reference"));
        if context.is_some_and(|reference| !reference.is_ascii()) {
            return None;
        }
        Some(Self {
            name: media_type(media)?,
            media: HeaderValue::from_str(media).ok()?,
            context: context.map(HeaderValue::from_str).transpose().ok()?,
            data: binary.str("data").unwrap_or_default(),
        })
    }

    fn content(self, coding: Option<Coding>) -> Result<Content, Error> {
        // FHIR lets white space stand in base64.
        let letters: Vec<u8> = self.data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = BASE64.decode(letters).map_err(|_| Error::Internal("the data of a Binary".into()))?;
        let coding = coding.filter(|_| bytes.len() >= WORTH_IT && is_text(&self.name));
        let bytes = match coding {
            Some(coding) => coding.pack(&bytes).map_err(|_| Error::Internal("compression".into()))?,
            None => bytes,
        };
        Ok(Content { media: self.media, context: self.context, coding, bytes })
    }
}

/// Content, ready to go out.
struct Content {
    media: HeaderValue,
    context: Option<HeaderValue>,
    coding: Option<Coding>,
    bytes: Vec<u8>,
}

impl Content {
    /// * `head`: that of the answer with the resource.
    fn answer(self, mut head: Parts) -> Answer {
        let headers = &mut head.headers;
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, self.media);
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
        headers.append(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if let Some(context) = self.context {
            headers.insert(CONTEXT, context);
        }
        if let Some(coding) = self.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        head.extensions.insert(Spelled);
        Response::from_parts(head, Body::from(self.bytes))
    }
}

/// A write of a Binary whose body may be its content.
#[derive(Debug)]
pub struct Sent {
    media: String,
    /// The lines of `X-Security-Context`.
    context: Vec<HeaderValue>,
    id: Option<String>,
}

impl Sent {
    /// `None` where the body must be a resource.
    pub fn of(request: &Request) -> Option<Self> {
        let id = match (request.method(), &below(request)?[..]) {
            (&Method::POST | &Method::PUT, []) => None,
            (&Method::PUT, [id]) if is_id(id) => Some((*id).to_owned()),
            _ => return None,
        };
        let headers = request.headers();
        let media = headers.get(CONTENT_TYPE)?.to_str().ok()?.trim().to_owned();
        let context = headers.get_all(CONTEXT).iter().cloned().collect();
        (!is_fhir(&media)).then_some(Self { media, context, id })
    }

    /// The resource of which the body is the content; `None` where it is the resource.
    ///
    /// What R4 takes for content under every name, this server refuses under FHIR's own:
    /// there it is a mistake in a resource far more often than a document.
    pub fn resource(self, body: &[u8]) -> Result<Option<String>, Error> {
        if is_binary(&self.media, body) {
            // What the header goes with is not known of a broken body: that comes first.
            if !self.context.is_empty() && is_json(&self.media) {
                parse(body)?;
            }
            return Ok(None);
        }
        if media_type(&self.media).is_none() {
            return Err(no_media_type());
        }
        let mut resource = Json::object([("resourceType", Json::from("Binary"))])
            .with_some("id", self.id.as_deref())
            .with("contentType", self.media.as_str());
        if let Some(reference) = the_only(&self.context)? {
            resource.set("securityContext", Json::object([("reference", Json::from(reference))]));
        }
        // There is no empty string in FHIR.
        if !body.is_empty() {
            resource.set("data", Json::from(STANDARD.encode(body)));
        }
        bounded(&resource).map(Some)
    }
}

/// The text of a resource made of content, up to what a body may have.
fn bounded(resource: &Json) -> Result<String, Error> {
    let text = resource.to_string();
    if text.len() <= BODY_LIMIT {
        return Ok(text);
    }
    let most = BODY_LIMIT / 4 * 3;
    Err(Error::TooLarge(Issue::error(
        "too-long",
        format!("Content is kept as base64, and may have a little less than {most} bytes."),
        format!("内容は base64 で保存されるため、{most} バイト弱までです。"),
    )))
}

/// What stands in the path behind `/fhir/Binary`.
fn below(request: &Request) -> Option<Vec<&str>> {
    let rest = request.uri().path().strip_prefix("/fhir/Binary")?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest.split('/').collect()),
        None => rest.is_empty().then(Vec::new),
    }
}

/// Whether a body under one of the general names of JSON and XML is a Binary. Broken JSON
/// counts as one, so that what is wrong is told; what XML is, its first tag tells.
fn is_binary(media: &str, body: &[u8]) -> bool {
    match &*named(media) {
        _ if is_json(media) => {
            Json::parse(body).map_or(true, |resource| resource.str("resourceType") == Some("Binary"))
        }
        "application/xml" | "text/xml" => {
            xml::root(body).is_some_and(|(space, name)| space == xml::FHIR && name == "Binary")
        }
        _ => false,
    }
}

/// Whether a body is JSON by one of its general names.
fn is_json(media: &str) -> bool {
    matches!(&*named(media), "application/json" | "text/json")
}

/// `Text/HTML; charset=utf-8` → `text/html`; unchecked.
fn named(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type or range is FHIR's own for a resource, in whatever spelling and
/// version. Lines of resources, as in the files of a bulk export, are none.
fn is_fhir(media: &str) -> bool {
    let name = named(media);
    name.starts_with("application/fhir+") && name != "application/fhir+ndjson"
}

fn is_any(range: &str) -> bool {
    matches!(&*named(range), "" | "*/*")
}

/// What is worth packing: pictures and documents are packed in themselves.
fn is_text(name: &str) -> bool {
    name.starts_with("text/") || ["+xml", "+json", "/xml", "/json", "ndjson"].iter().any(|end| name.ends_with(end))
}

/// The name of a media type that a header can carry; `None` for what is no media type,
/// its parameters included: half a type is where browsers begin to guess.
fn media_type(text: &str) -> Option<String> {
    let name = text.split(';').next()?.trim_end_matches(BLANK);
    let (kind, subtype) = name.split_once('/')?;
    if !is_token(kind) || !is_token(subtype) || name.contains('*') {
        return None;
    }
    let mut rest = &text[name.len()..];
    while !rest.is_empty() {
        let (key, value) = rest.trim_start_matches(BLANK).strip_prefix(';')?.split_once('=')?;
        let quoted = value.strip_prefix('"').and_then(|quoted| {
            let (inner, rest) = quoted.split_once('"')?;
            inner.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic() && byte != b'\\').then_some(rest)
        });
        let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
        rest = match quoted {
            Some(rest) => rest,
            None => is_token(&value[..end]).then_some(&value[end..])?,
        };
        is_token(key.trim_start_matches(BLANK)).then_some(())?;
    }
    Some(name.to_ascii_lowercase())
}

/// RFC 9110 §5.6.2
fn is_token(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(letter)
}

/// `X-Security-Context`, once.
fn the_only(context: &[HeaderValue]) -> Result<Option<&str>, Error> {
    match context {
        [] => return Ok(None),
        [line] => line.to_str().ok(),
        _ => None,
    }
    .map(Some)
    .ok_or_else(|| {
        Error::Invalid(vec![Issue::error(
            "value",
            "X-Security-Context is one reference, such as DocumentReference/1.",
            "X-Security-Context には DocumentReference/1 のような参照を一つだけ指定してください。",
        )])
    })
}

/// Refuses `X-Security-Context` in a write of a resource, where it would be passed over:
/// content has become a resource that says it itself.
///
/// * `kind`: the type in the path; none of a Bundle.
pub fn without_context(headers: &HeaderMap, kind: Option<&str>) -> Result<(), Error> {
    if !headers.contains_key(CONTEXT) {
        return Ok(());
    }
    let issue = Issue::error(
        "invalid",
        "X-Security-Context goes with the content of a Binary, by POST or PUT. Beside a resource it would be passed \
         over; in a Binary, say it in securityContext.",
        "X-Security-Context は Binary の内容を POST または PUT するときのヘッダーです。リソースとともに送っても\
         使われません。Binary では securityContext に指定してください。",
    );
    Err(Error::Invalid(vec![if kind == Some("Binary") { issue.at("Binary.securityContext") } else { issue }]))
}

fn no_media_type() -> Error {
    Error::Unsupported(Issue::error(
        "not-supported",
        "Content-Type is no media type, such as application/pdf or text/plain; charset=utf-8.",
        "Content-Type が application/pdf や text/plain; charset=utf-8 のようなメディアタイプではありません。",
    ))
}

/// * `held`: there is content that could go out.
fn not_acceptable(held: bool) -> Error {
    Error::NotAcceptable(if held {
        Issue::error(
            "not-supported",
            "A Binary is given as what its contentType says, as application/fhir+json and as application/fhir+xml. \
             Ask for one of them by Accept.",
            "Binary は contentType の形式、application/fhir+json、application/fhir+xml で応答します。\
             Accept でいずれかを指定してください。",
        )
    } else {
        Issue::error(
            "not-supported",
            "This Binary is given as application/fhir+json and application/fhir+xml only: it is shown to you in part, \
             has no data, or a header cannot say its contentType or securityContext.",
            "この Binary は application/fhir+json と application/fhir+xml でのみ応答します。一部だけが開示されているか、\
             データがないか、contentType や securityContext をヘッダーで表せません。",
        )
    })
}

/// As validation takes it: the bits that the last letter has too many may be anything.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));
const BLANK: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests;
