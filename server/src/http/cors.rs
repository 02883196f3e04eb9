//! Which web pages may call from a browser.
//!
//! Discovery is for everyone. The token endpoint and the FHIR API answer pages of
//! registered applications, refusals included, so that an application can read
//! why. The pages on which people sign in and approve allow nobody. Tokens travel
//! in headers, never in cookies, so credentials are not allowed either.
//!
//! Source: SMART App Launch 2.2 §CORS; Fetch standard §3.2

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::auth::redirect::origin_key;
use crate::store::account::Accounts;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, content-encoding, accept, prefer, if-match, if-none-match, if-none-exist, if-modified-since, x-request-id, x-security-context",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Location, Content-Location, Last-Modified, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id, X-Security-Context",
);
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Middleware: every origin may call.
pub async fn everyone(request: Request, next: Next) -> Response {
    let preflight = is_preflight(&request);
    let mut answer = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    allow(answer.headers_mut(), HeaderValue::from_static("*"), preflight);
    answer
}

/// Middleware: origins of registered, enabled clients may call.
pub async fn registered(State(accounts): State<Accounts>, request: Request, next: Next) -> Response {
    among_registered(&accounts, request, |request| next.run(request)).await
}

/// The same around whatever answers.
pub async fn among_registered<F>(accounts: &Accounts, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let origin = request.headers().get(header::ORIGIN).cloned();
    let known = match origin.as_ref().and_then(|origin| origin.to_str().ok()) {
        Some(origin) => accounts.knows_origin(&origin_key(origin)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the origin was not looked up");
            false
        }),
        None => false,
    };
    let preflight = is_preflight(&request);
    let mut answer = if preflight { StatusCode::NO_CONTENT.into_response() } else { next(request).await };
    answer.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|_| known) {
        allow(answer.headers_mut(), origin, preflight);
    }
    answer
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}
