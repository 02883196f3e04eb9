//! `$name` at the system, at a type, at one resource and at one of its versions.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri};

use super::binary::without_context;
use super::fhir::{self, Head, Named, Received};
use super::negotiate;
use super::outcome::refusal;
use crate::interaction::expected;
use crate::interaction::{Error, Ground, Interaction, Invocation, Location, Target};
use crate::operation;

type Answer = Response<Body>;

/// A request for an operation: its method, its head and its body.
pub struct Sent {
    /// `GET` or `POST`.
    pub method: Method,
    /// What its URL and headers say.
    pub head: Head,
    /// Its body.
    pub body: Received,
}

impl Sent {
    /// What comes by `GET`.
    pub fn by_url(head: Head) -> Self {
        Self { method: Method::GET, head, body: Ok(Bytes::new()) }
    }
}

/// Carries `$name` out.
pub async fn run(target: Result<Target, Error>, name: &str, sent: Sent) -> Answer {
    let known = target.as_ref().ok().and_then(|on| operation::find(name, on));
    let Sent { method, head, body } = sent;
    let post = method == Method::POST;
    let interaction = target.and_then(|on| invocation((on, name, post), known, &head, body));
    let mut response = head.answer(interaction).await;
    if let (StatusCode::METHOD_NOT_ALLOWED, Some(known), false) = (response.status(), known, post) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(known.methods()));
    }
    response
}

fn invocation(
    (on, name, post): (Target, &str, bool),
    known: Option<&operation::Operation>,
    head: &Head,
    body: Received,
) -> Result<Interaction, Error> {
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let (media, file_name) = (text(CONTENT_TYPE).unwrap_or_default(), text(CONTENT_DISPOSITION).and_then(file_name));
    let body = fhir::received(body)?;
    if known.is_some_and(|one| one.changes) {
        negotiate::unconditional(&head.headers)?;
        without_context(&head.headers, None)?;
    }
    if !body.is_empty() && known.is_some_and(|one| one.body != operation::Body::File) {
        negotiate::readable(&head.headers)?;
    }
    Ok(Interaction::Operation(Invocation {
        name: name.to_owned(),
        on,
        post,
        query: head.query.clone(),
        body: body.into(),
        media: media.to_owned(),
        file_name,
    }))
}

/// `POST [type]/$name`; nothing else is posted there.
pub async fn of_type(head: Head, Named((kind, below)): Named<(String, String)>, uri: Uri, body: Received) -> Answer {
    let Some(name) = below.strip_prefix('$') else {
        return fhir::not_allowed(Method::POST, uri, head.headers).await;
    };
    run(Ok(Target::Type(kind)), name, Sent { method: Method::POST, head, body }).await
}

/// `[type]/[id]/$name`, and `GET [type]/[id]/[type]?…`
pub async fn of_instance(
    head: Head,
    Named((kind, id, below)): Named<(String, String, String)>,
    method: Method,
    body: Received,
) -> Answer {
    let Some(name) = below.strip_prefix('$') else {
        if method == Method::GET {
            return fhir::asked_of(head, Ground::compartment(kind, id, below)).await;
        }
        let path = format!("{kind}/{id}/{below}");
        return refusal(&Error::UnknownType(path), negotiate::japanese(&head.headers));
    };
    run(Location::named(kind, id).map(Target::Instance), name, Sent { method, head, body }).await
}

/// `[type]/[id]/_history/[version]/$name`
pub async fn of_version(
    head: Head,
    Named((kind, id, version, below)): Named<(String, String, String, String)>,
    method: Method,
    body: Received,
) -> Answer {
    let Some(name) = below.strip_prefix('$') else {
        let path = format!("{kind}/{id}/_history/{version}/{below}");
        return refusal(&Error::UnknownType(path), negotiate::japanese(&head.headers));
    };
    // A version that is written otherwise was never given: it is not there.
    let target = Location::named(kind, id)
        .and_then(|at| expected::version(&version).map(|version| Target::Version(at, version)).ok_or(Error::NotFound));
    run(target, name, Sent { method, head, body }).await
}

/// Operations are asked for by GET and POST: the other methods of a route are those of
/// what stands at the same place in a path.
pub async fn asked_for<F>(request: Request, next: impl FnOnce(Request) -> F) -> Answer
where
    F: Future<Output = Answer>,
{
    let is_operation = request.uri().path().rsplit('/').next().is_some_and(|last| last.starts_with('$'));
    if is_operation && ![Method::GET, Method::HEAD, Method::POST].contains(request.method()) {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        return fhir::not_allowed(method, uri, request.headers().clone()).await;
    }
    next(request).await
}

/// `Allow` where the router cannot tell it: one route serves `[type]/[id]` and `[type]/$name`.
pub fn allowed(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.strip_prefix("/fhir/")?.split('/').collect();
    match parts[..] {
        [.., last] if last.starts_with('$') => {
            let mut named = operation::OPERATIONS.iter().filter(|one| last.strip_prefix('$') == Some(one.name));
            named.next().map(operation::Operation::methods)
        }
        [_, id] if !id.starts_with('_') => Some("GET,HEAD,PUT,PATCH,DELETE"),
        _ => None,
    }
}

/// `attachment; filename="x.csv"` → `x.csv`
fn file_name(disposition: &str) -> Option<String> {
    let value = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename="))?;
    Some(value.trim_matches('"').to_owned()).filter(|name| !name.is_empty() && name.len() <= 200)
}
