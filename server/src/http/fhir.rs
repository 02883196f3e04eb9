//! `/fhir`: HTTP request → [`Interaction`], [`Reply`] → HTTP answer.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use super::content::{Constant, Rendering, Wish};
use super::encoding::too_large;
use super::limit::Slow;
use super::negotiate::{self, Wishes};
use super::operation::{self, Sent};
use super::outcome::{FHIR_JSON, outcome, refusal};
use crate::app::App;
use crate::dispatch::{self, Origin, capabilities};
use crate::interaction::patch::{MEDIA, Patch};
use crate::interaction::{
    Error, Ground, Interaction, Issue, Location, Past, Reply, Return, Status, Target, Which, is_id,
};
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
pub async fn metadata(State(app): Edge, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let wishes = Wishes::read(&headers);
    let query = asked(query);
    if let Err(error) = negotiate::acceptable(&headers, format(&query)) {
        return refusal(&error, wishes.japanese);
    }
    if let Err(error) = app.keep_up().await {
        return refusal(&error, wishes.japanese);
    }
    let body = match capabilities::part(&app, &query) {
        Ok(Some(part)) => Body::from(part),
        Ok(None) => Body::from(Bytes::from_owner(app.capabilities())),
        Err(error) => return refusal(&error, wishes.japanese),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    response.extensions_mut().insert(Constant);
    response
}

/// `GET [type]?…`, and `GET /fhir/$operation`.
pub async fn search(edge: Edge, Named(kind): Named<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    if let Some(name) = kind.strip_prefix('$') {
        return operation::run(edge, Ok(Target::System), name, Sent::by_url(asked(query), headers)).await;
    }
    asked_of(edge, Ok(Ground::Type(kind)), query, headers).await
}

/// `GET [base]?_type=…`
pub async fn search_types(edge: Edge, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    asked_of(edge, Ok(Ground::Types), query, headers).await
}

/// `POST [type]/_search`
pub async fn search_form(
    edge: Edge,
    Named(kind): Named<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    asked_by_form(edge, Ok(Ground::Type(kind)), query, headers, body).await
}

/// `POST [base]/_search`
pub async fn search_types_form(
    edge: Edge,
    query: RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    asked_by_form(edge, Ok(Ground::Types), query, headers, body).await
}

/// `POST [type]/[id]/[type]/_search`
pub async fn search_compartment_form(
    edge: Edge,
    Named((kind, id, member)): Named<(String, String, String)>,
    query: RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    asked_by_form(edge, compartment(kind, id, member), query, headers, body).await
}

/// A compartment, if there is one of that type; a member that is no type names nothing.
pub(super) fn compartment(kind: String, id: String, member: String) -> Result<Ground, Error> {
    let definitions = techo_profiles::Definitions::embedded();
    let known = member == "*" || definitions.type_number(&member).is_some();
    if !known || definitions.compartment(&kind).is_none() {
        return Err(Error::UnknownType(format!("{kind}/…/{member}")));
    }
    location(kind, id).map(|at| Ground::Compartment(at, member))
}

pub(super) async fn asked_of(
    edge: Edge,
    ground: Result<Ground, Error>,
    query: Option<String>,
    headers: HeaderMap,
) -> Answer {
    let query = asked(query);
    let format = format(&query).map(str::to_owned);
    answer(edge, &headers, format.as_deref(), ground.map(|ground| Interaction::Search(ground, query))).await
}

/// Parameters in the form and in the URL count together.
async fn asked_by_form(
    edge: Edge,
    ground: Result<Ground, Error>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = media.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded";
    let mut all = asked(query);
    let interaction = match received(body) {
        Ok(body) if form || body.is_empty() => std::str::from_utf8(&body)
            .map(|text| all.extend(pairs(text)))
            .map_err(|_| bad_request("The form is not UTF-8.", "フォームが UTF-8 ではありません。"))
            .and(ground)
            .map(|ground| Interaction::Search(ground, all.clone())),
        Ok(_) => Err(Error::Unsupported(Issue::error(
            "not-supported",
            "Send the parameters as application/x-www-form-urlencoded.",
            "パラメータは application/x-www-form-urlencoded で送ってください。",
        ))),
        Err(error) => Err(error),
    };
    let format = format(&all).map(str::to_owned);
    let mut response = answer(edge, &headers, format.as_deref(), interaction).await;
    response.extensions_mut().insert(Rendering::of(&headers, &all));
    response
}

/// `POST [type]`, and `POST /fhir/$operation`.
pub async fn create(
    edge: Edge,
    Named(kind): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let query = asked(query);
    if let Some(name) = kind.strip_prefix('$') {
        let sent = Sent { method: Method::POST, query, headers, body };
        return operation::run(edge, Ok(Target::System), name, sent).await;
    }
    let interaction = || {
        let unless = negotiate::if_none_exist(&headers)?;
        Ok(Interaction::Create { kind, body: resource(&headers, body)?, unless })
    };
    let interaction = interaction();
    answer(edge, &headers, format(&query), interaction).await
}

/// `GET [type]/[id]`, and `GET [type]/$operation`.
pub async fn read(
    edge: Edge,
    Named((kind, id)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let query = asked(query);
    if let Some(name) = id.strip_prefix('$') {
        return operation::run(edge, Ok(Target::Type(kind)), name, Sent::by_url(query, headers)).await;
    }
    let known = negotiate::known(&headers);
    let interaction = || {
        let (known, (at, shape)) = (known?, shaped(kind, id, &query)?);
        Ok(Interaction::Read(at, known, shape))
    };
    let interaction = interaction();
    answer(edge, &headers, format(&query), interaction).await
}

/// `PUT [type]/[id]`
pub async fn update(
    edge: Edge,
    Named((kind, id)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    updated(edge, location(kind, id).map(Which::At), query, &headers, body).await
}

/// `PUT [type]?…`
pub async fn update_matching(
    edge: Edge,
    Named(kind): Named<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    if kind.starts_with('$') {
        return not_allowed(Method::PUT, uri, headers).await;
    }
    updated(edge, matching(kind, query.as_deref()), query, &headers, body).await
}

async fn updated(
    edge: Edge,
    to: Result<Which, Error>,
    query: Option<String>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let interaction = || {
        let (to, expected) = (to?, negotiate::if_match(headers)?);
        Ok(Interaction::Update { to, body: resource(headers, body)?, expected })
    };
    let interaction = interaction();
    answer(edge, headers, format(&asked(query)), interaction).await
}

/// `PATCH [type]/[id]`
pub async fn patch(
    edge: Edge,
    Named((kind, id)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    if id.starts_with('$') {
        return not_allowed(Method::PATCH, uri, headers).await;
    }
    patched(edge, location(kind, id).map(Which::At), query, &headers, body).await
}

/// `PATCH [type]?…`
pub async fn patch_matching(
    edge: Edge,
    Named(kind): Named<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    if kind.starts_with('$') {
        return not_allowed(Method::PATCH, uri, headers).await;
    }
    patched(edge, matching(kind, query.as_deref()), query, &headers, body).await
}

async fn patched(
    edge: Edge,
    to: Result<Which, Error>,
    query: Option<String>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let interaction = || {
        let (to, expected, form) = (to?, negotiate::if_match(headers)?, negotiate::patch_form(headers)?);
        let patch = Patch { form, body: received(body)?.into() };
        Ok(Interaction::Patch { to, patch, expected })
    };
    let interaction = interaction();
    let mut response = answer(edge, headers, format(&asked(query)), interaction).await;
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        insert(response.headers_mut(), ACCEPT_PATCH, &MEDIA.join(", "));
    }
    response
}

/// `DELETE [type]/[id]`
pub async fn delete(
    edge: Edge,
    Named((kind, id)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    deleted(edge, location(kind, id).map(Which::At), query, &headers).await
}

/// `DELETE [type]?…`
pub async fn delete_matching(
    edge: Edge,
    Named(kind): Named<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    if kind.starts_with('$') {
        return not_allowed(Method::DELETE, uri, headers).await;
    }
    deleted(edge, matching(kind, query.as_deref()), query, &headers).await
}

async fn deleted(edge: Edge, to: Result<Which, Error>, query: Option<String>, headers: &HeaderMap) -> Answer {
    let interaction = || Ok(Interaction::Delete { to: to?, expected: negotiate::if_match(headers)? });
    let interaction = interaction();
    answer(edge, headers, format(&asked(query)), interaction).await
}

/// `GET [type]/[id]/_history`
pub async fn history(
    edge: Edge,
    Named((kind, id)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let query = asked(query);
    let format = format(&query).map(str::to_owned);
    let interaction = location(kind, id).map(|at| Interaction::History(Past::Instance(at), query));
    answer(edge, &headers, format.as_deref(), interaction).await
}

/// `GET [type]/_history`
pub async fn history_of_type(
    edge: Edge,
    Named(kind): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let query = asked(query);
    let format = format(&query).map(str::to_owned);
    answer(edge, &headers, format.as_deref(), Ok(Interaction::History(Past::Type(kind), query))).await
}

/// `GET _history`
pub async fn history_of_all(edge: Edge, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let query = asked(query);
    let format = format(&query).map(str::to_owned);
    answer(edge, &headers, format.as_deref(), Ok(Interaction::History(Past::System, query))).await
}

/// `GET [type]/[id]/_history/[version]`
pub async fn vread(
    edge: Edge,
    Named((kind, id, version)): Named<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let query = asked(query);
    // A version that is no number was never given: it is not there.
    let version = version.parse().map_err(|_| Error::NotFound);
    let interaction = version.and_then(|version| {
        let (at, shape) = shaped(kind, id, &query)?;
        Ok(Interaction::Vread(at, version, shape))
    });
    answer(edge, &headers, format(&query), interaction).await
}

/// `POST [base]`: a batch or transaction.
pub async fn bundle(
    edge: Edge,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let interaction = resource(&headers, body).map(Interaction::Bundle);
    answer(edge, &headers, format(&asked(query)), interaction).await
}

/// A path that is known, with a method that is not. What is, the router writes
/// into `Allow`: all that `OPTIONS` asks for.
pub async fn not_allowed(method: Method, uri: Uri, headers: HeaderMap) -> Answer {
    let mut response = if method == Method::OPTIONS {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        refusal(&no_such_method(&method), negotiate::japanese(&headers))
    };
    if let Some(methods) = operation::allowed(uri.path()) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    }
    response
}

fn no_such_method(method: &Method) -> Error {
    Error::NotAllowed(Issue::error(
        "not-supported",
        format!("{method} is not done here; see /fhir/metadata."),
        format!("{method} はここでは使えません。/fhir/metadata を参照してください。"),
    ))
}

/// A path that is not known.
pub async fn no_such_path(headers: HeaderMap, request: Request) -> Answer {
    let path = request.uri().path().trim_start_matches('/').to_owned();
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
    let body = match (writes, wishes.give.unwrap_or_default()) {
        (true, Return::Minimal) => None,
        (true, Return::Outcome) => Some(outcome(&[Issue::stored()], wishes.japanese).to_string().into_bytes()),
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

/// RFC 5789 §3.1
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `Sun, 22 Nov 2026 08:00:00 GMT`
fn http_date(micros: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `[type]/[id]` of a URL.
pub fn location(kind: String, id: String) -> Result<Location, Error> {
    if techo_profiles::Definitions::embedded().type_number(&kind).is_none() {
        return Err(Error::UnknownType(kind));
    }
    // A text that is no id names nothing.
    if is_id(&id) { Ok(Location { kind, id }) } else { Err(Error::NotFound) }
}

/// One resource, and how much of it is to go out.
fn shaped(kind: String, id: String, query: &[(String, String)]) -> Result<(Location, Shape), Error> {
    let at = location(kind, id)?;
    let shape = Shape::asked(techo_profiles::Definitions::embedded(), &at.kind, query)?;
    Ok((at, shape))
}

/// What the query of a URL is to find.
fn matching(kind: String, query: Option<&str>) -> Result<Which, Error> {
    if techo_profiles::Definitions::embedded().type_number(&kind).is_none() {
        return Err(Error::UnknownType(kind));
    }
    Ok(Which::Matching { kind, query: query.unwrap_or_default().to_owned() })
}

fn resource(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Vec<u8>, Error> {
    negotiate::readable(headers)?;
    received(body).map(Vec::from)
}

/// The body of a request, unless it is too large.
pub fn received(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Error> {
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

/// `a=1&b=%E5%B1%B1` → decoded pairs.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The parameters of a URL.
pub fn asked(query: Option<String>) -> Vec<(String, String)> {
    pairs(&query.unwrap_or_default())
}

/// `_format`
pub fn format(query: &[(String, String)]) -> Option<&str> {
    query.iter().find(|(name, _)| name == "_format").map(|(_, value)| value.as_str())
}
