//! `/fhir`: HTTP request → [`Interaction`], [`Reply`] → HTTP answer. What reads is here;
//! what writes is in `write.rs`, and operations are in `operation.rs`.
//!
//! A handler takes the [`Head`] of its request, reads an interaction from the path, and
//! has the head answer it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use tower::ServiceExt;

use super::content::{Constant, Rendering, Wish};
use super::encoding::too_large;
use super::limit::Slow;
use super::negotiate::{self, Wishes};
use super::operation::{self, Sent};
use super::outcome::{FHIR_JSON, outcome, refusal};
use crate::app::App;
use crate::dispatch::{self, Origin, capabilities};
use crate::interaction::expected;
use crate::interaction::query::pairs;
use crate::interaction::{Error, Ground, Interaction, Issue, Location, Past, Reply, Return, Status, Target, Which};
use crate::search::shape::Shape;

type Answer = Response<Body>;
pub(super) type Edge = State<Arc<App>>;

/// The parts of a path that a route leaves open. Bytes that are no text name nothing.
pub struct Named<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Answer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Answer> {
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(found)| Self(found)).map_err(|_| refusal(&Error::NotFound, negotiate::japanese(&parts.headers)))
    }
}

/// `GET /fhir/metadata`: open to all.
pub async fn metadata(Head { app, query, misread, headers, .. }: Head) -> Answer {
    let wishes = Wishes::read(&headers);
    if let Err(error) = negotiate::acceptable(&headers, format(&query)) {
        return refusal(&error, wishes.japanese);
    }
    if let Some(misread) = misread {
        return refusal(&Error::Invalid(vec![misread]), wishes.japanese);
    }
    if let Err(error) = app.keep_up().await {
        return refusal(&error, wishes.japanese);
    }
    let mut response = Response::new(Body::empty());
    match capabilities::part(&app, &query) {
        Ok(Some(part)) => *response.body_mut() = Body::from(part),
        Ok(None) => {
            let whole = app.capabilities();
            *response.body_mut() = Body::from(Bytes::from_owner(whole.clone()));
            response.extensions_mut().insert(Constant(whole));
        }
        Err(error) => return refusal(&error, wishes.japanese),
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    response
}

/// What comes with any request: what its URL asks for, and its headers.
pub struct Head {
    /// The server.
    pub app: Arc<App>,
    /// The parameters as they stood in the URL.
    pub text: String,
    /// The same, decoded.
    pub query: Vec<(String, String)>,
    /// Why they cannot be decoded. Who sends no token is told that first.
    pub misread: Option<Issue>,
    /// The headers.
    pub headers: HeaderMap,
}

impl FromRequestParts<Arc<App>> for Head {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let text = parts.uri.query().unwrap_or_default().to_owned();
        let (query, misread) = match pairs(&text) {
            Ok(query) => (query, None),
            Err(misread) => (Vec::new(), Some(misread)),
        };
        Ok(Self { app: app.clone(), text, query, misread, headers: parts.headers.clone() })
    }
}

impl Head {
    /// Carries an interaction out.
    pub async fn answer(self, interaction: Result<Interaction, Error>) -> Answer {
        let interaction = self.misread.map_or(interaction, |misread| Err(Error::Invalid(vec![misread])));
        answer(State(self.app), &self.headers, format(&self.query), interaction).await
    }
}

/// The body of a request, if it could be read.
pub type Received = Result<Bytes, BytesRejection>;

/// `GET [type]?…`, and `GET /fhir/$operation`.
pub async fn search(head: Head, Named(kind): Named<String>) -> Answer {
    if let Some(name) = kind.strip_prefix('$') {
        return operation::run(Ok(Target::System), name, Sent::by_url(head)).await;
    }
    asked_of(head, Ok(Ground::Type(kind))).await
}

/// `GET [base]?_type=…`
pub async fn search_types(head: Head) -> Answer {
    asked_of(head, Ok(Ground::Types)).await
}

/// `POST [type]/_search`
pub async fn search_form(head: Head, Named(kind): Named<String>, body: Received) -> Answer {
    asked_by_form(head, Ok(Ground::Type(kind)), body).await
}

/// `POST [base]/_search`
pub async fn search_types_form(head: Head, body: Received) -> Answer {
    asked_by_form(head, Ok(Ground::Types), body).await
}

/// `POST [type]/[id]/[type]/_search`
pub async fn search_compartment_form(
    head: Head,
    Named((kind, id, member)): Named<(String, String, String)>,
    body: Received,
) -> Answer {
    asked_by_form(head, Ground::compartment(kind, id, member), body).await
}

pub(super) async fn asked_of(head: Head, ground: Result<Ground, Error>) -> Answer {
    let interaction = ground.map(|ground| Interaction::Search(ground, head.query.clone()));
    head.answer(interaction).await
}

/// Parameters in the form and in the URL count together.
async fn asked_by_form(mut head: Head, ground: Result<Ground, Error>, body: Received) -> Answer {
    let media = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form =
        media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let interaction = match received(body) {
        Ok(body) if form || body.is_empty() => std::str::from_utf8(&body)
            .map_err(|_| bad_request("The form is not UTF-8.", "フォームが UTF-8 ではありません。"))
            .and_then(|text| pairs(text).map_err(|misread| Error::Invalid(vec![misread])))
            .map(|pairs| head.query.extend(pairs))
            .and(ground)
            .map(|ground| Interaction::Search(ground, head.query.clone())),
        Ok(_) => Err(Error::Unsupported(Issue::error(
            "not-supported",
            "Send the parameters as application/x-www-form-urlencoded.",
            "パラメータは application/x-www-form-urlencoded で送ってください。",
        ))),
        Err(error) => Err(error),
    };
    let rendering = Rendering::of(&head.headers, &head.query);
    let mut response = head.answer(interaction).await;
    response.extensions_mut().insert(rendering);
    response
}

/// `GET [type]/[id]`, and `GET [type]/$operation`.
pub async fn read(head: Head, Named((kind, id)): Named<(String, String)>) -> Answer {
    if let Some(name) = id.strip_prefix('$') {
        return operation::run(Ok(Target::Type(kind)), name, Sent::by_url(head)).await;
    }
    let known = negotiate::known(&head.headers);
    let interaction = || {
        let (known, (at, shape)) = (known?, shaped(kind, id, &head.query)?);
        Ok(Interaction::Read(at, known, shape))
    };
    let interaction = interaction();
    head.answer(interaction).await
}

/// `GET [type]/[id]/_history`
pub async fn history(head: Head, Named((kind, id)): Named<(String, String)>) -> Answer {
    told(head, Location::named(kind, id).map(Past::Instance)).await
}

/// `GET [type]/_history`
pub async fn history_of_type(head: Head, Named(kind): Named<String>) -> Answer {
    told(head, Ok(Past::Type(kind))).await
}

/// `GET _history`
pub async fn history_of_all(head: Head) -> Answer {
    told(head, Ok(Past::System)).await
}

async fn told(head: Head, of: Result<Past, Error>) -> Answer {
    let interaction = of.map(|of| Interaction::History(of, head.query.clone()));
    head.answer(interaction).await
}

/// `GET [type]/[id]/_history/[version]`
pub async fn vread(head: Head, Named((kind, id, version)): Named<(String, String, String)>) -> Answer {
    // A version that is written otherwise was never given: it is not there.
    let version = expected::version(&version).ok_or(Error::NotFound);
    let interaction = version.and_then(|version| {
        let (at, shape) = shaped(kind, id, &head.query)?;
        Ok(Interaction::Vread(at, version, shape))
    });
    head.answer(interaction).await
}

/// A path that is known, with a method that is not. What is, the router writes
/// into `Allow`: all that `OPTIONS` asks for.
pub async fn not_allowed(method: Method, uri: Uri, headers: HeaderMap) -> Answer {
    let mut response = if method == Method::OPTIONS {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        let error = if uri.path().ends_with("/_search") { no_such_search() } else { no_such_method(&method) };
        refusal(&error, negotiate::japanese(&headers))
    };
    if let Some(methods) = operation::allowed(uri.path()) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    }
    response
}

fn no_such_search() -> Error {
    Error::NotAllowed(Issue::error(
        "not-supported",
        "Search by GET [type]?name=value, or by POST [type]/_search with the parameters in a form.",
        "検索は GET [type]?name=value、またはパラメータをフォームに入れた POST [type]/_search で行ってください。",
    ))
}

fn no_such_method(method: &Method) -> Error {
    Error::NotAllowed(Issue::error(
        "not-supported",
        format!("{method} is not done here; see /fhir/metadata."),
        format!("{method} はここでは使えません。/fhir/metadata を参照してください。"),
    ))
}

/// A path that no route has: perhaps one with a slash at its end, as they write it who
/// join `[base]/Patient/` with what may be empty. It goes through the FHIR routes
/// again without the slash, and through all that is around them.
pub async fn elsewhere(State(known): State<Router>, headers: HeaderMap, mut request: Request) -> Answer {
    let Some(uri) = without_slash(request.uri()) else { return no_such_path(headers, request).await };
    *request.uri_mut() = uri;
    match known.oneshot(request).await {
        Ok(answer) => answer,
    }
}

/// `/fhir/Patient/?name=x` → `/fhir/Patient?name=x`
fn without_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| path.starts_with("/fhir/") && !path.ends_with('/'))?;
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// A path that is not known.
pub async fn no_such_path(headers: HeaderMap, request: Request) -> Answer {
    let path = request.uri().path().trim_start_matches('/');
    let path = path.strip_prefix("fhir/").unwrap_or(path).to_owned();
    let answer = refusal(&Error::UnknownType(path), negotiate::japanese(&headers));
    Wish::of(&request).fulfil(answer, None, None).await
}

/// Reads the body of a request that may be too large.
pub async fn body_of(request: Request) -> Result<Bytes, Error> {
    received(Bytes::from_request(request, &()).await)
}

/// Carries an interaction out.
pub async fn answer(
    State(app): Edge,
    headers: &HeaderMap,
    format: Option<&str>,
    interaction: Result<Interaction, Error>,
) -> Answer {
    let wishes = Wishes::read(headers);
    let writes = interaction.as_ref().is_ok_and(Interaction::writes);
    let others = interaction.as_ref().map_or("", others);
    let result = async {
        let token = bearer(headers).ok_or(Error::Anonymous)?;
        let origin = Origin { token, lenient: wishes.lenient, japanese: wishes.japanese, give: wishes.give };
        negotiate::acceptable(headers, format)?;
        dispatch::answer(&app, &origin, interaction?).await
    };
    match result.await {
        Ok(reply) => success(&app, reply, wishes, writes),
        Err(error) => {
            let mut response = refusal(&error, wishes.japanese);
            if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                insert(response.headers_mut(), ALLOW, others);
            }
            response
        }
    }
}

/// What else may be asked where a method that the router knows is not allowed.
fn others(interaction: &Interaction) -> &'static str {
    match interaction {
        Interaction::Update { to: Which::At(_), .. } => "GET, HEAD, PATCH, DELETE, OPTIONS",
        Interaction::Update { to: Which::Matching { .. }, .. } => "GET, HEAD, POST, PATCH, DELETE, OPTIONS",
        Interaction::Delete { to: Which::At(_), .. } => "GET, HEAD, PUT, PATCH, OPTIONS",
        Interaction::Delete { to: Which::Matching { .. }, .. } => "GET, HEAD, POST, PUT, PATCH, OPTIONS",
        _ => "OPTIONS",
    }
}

/// The access token of `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn success(app: &App, reply: Reply, wishes: Wishes, writes: bool) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = match reply.status {
        Status::Ok => StatusCode::OK,
        Status::Created => StatusCode::CREATED,
        Status::NoContent => StatusCode::NO_CONTENT,
        Status::NotModified => StatusCode::NOT_MODIFIED,
        Status::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
    };
    if writes && reply.status == Status::NoContent && wishes.give == Some(Return::Outcome) {
        *response.status_mut() = StatusCode::OK;
    }
    // Of what is written only a deletion has nothing to tell.
    let done = if reply.status == Status::NoContent { Issue::removed() } else { Issue::stored() };
    let body = match (writes, wishes.give.unwrap_or_default()) {
        (true, Return::Minimal) => None,
        (true, Return::Outcome) => Some(outcome(&[done], wishes.japanese).to_string().into_bytes()),
        _ => reply.body,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some((version, updated)) = reply.version {
        insert(headers, ETAG, &format!("W/\"{version}\""));
        insert(headers, LAST_MODIFIED, &http_date(updated));
    }
    if let Some(location) = reply.location {
        insert(headers, LOCATION, &format!("{}/{location}", app.config.fhir_base()));
    }
    if let Some(body) = body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        *response.body_mut() = Body::from(body);
    }
    response
}

pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `Sun, 22 Nov 2026 08:00:00 GMT`
fn http_date(micros: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// One resource, and how much of it is to go out.
fn shaped(kind: String, id: String, query: &[(String, String)]) -> Result<(Location, Shape), Error> {
    let at = Location::named(kind, id)?;
    let shape = Shape::asked(techo_profiles::Definitions::embedded(), &at.kind, query)?;
    Ok((at, shape))
}

/// The body of a request, unless it is too large.
pub fn received(body: Received) -> Result<Bytes, Error> {
    body.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large(super::BODY_LIMIT)
        } else if Slow::is_behind(&rejection) {
            Error::Slow
        } else {
            bad_request("The body could not be read.", "本文を読み取れませんでした。")
        }
    })
}

fn bad_request(text: &str, text_ja: &str) -> Error {
    Error::Invalid(vec![Issue::error("invalid", text, text_ja)])
}

/// `_format`
pub fn format(query: &[(String, String)]) -> Option<&str> {
    query.iter().find(|(name, _)| name == "_format").map(|(_, value)| value.as_str())
}
