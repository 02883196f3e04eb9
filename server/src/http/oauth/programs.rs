//! Endpoints that programs call: token, introspection, revocation.
//!
//! Source: RFC 6749 §5; RFC 7009; RFC 7662

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use oauth2::StandardErrorResponse;
use oauth2::basic::BasicErrorResponseType;
use serde::Serialize;

use super::OauthState;
use crate::auth::error::OauthError;
use crate::auth::form::Form;
use crate::auth::server::ServerError;
use crate::auth::{grant, introspect, revoke};

pub(super) async fn token(
    State(server): State<OauthState>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = match read(&method, &headers, &body) {
        Ok(form) => grant::answer(&server, authorization(&headers), &form).await,
        Err(refusal) => return *refusal,
    };
    reply(answered, &headers)
}

pub(super) async fn introspect(
    State(server): State<OauthState>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = match read(&method, &headers, &body) {
        Ok(form) => introspect::answer(&server, authorization(&headers), &form).await,
        Err(refusal) => return *refusal,
    };
    reply(answered, &headers)
}

pub(super) async fn revoke(
    State(server): State<OauthState>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = match read(&method, &headers, &body) {
        Ok(form) => revoke::answer(&server, authorization(&headers), &form).await,
        Err(refusal) => return *refusal,
    };
    match answered {
        Ok(()) => (StatusCode::OK, PRIVATE).into_response(),
        Err(error) => refuse(&error, &headers),
    }
}

/// Answers with tokens are never stored on the way (RFC 6749 §5.1).
const PRIVATE: [(HeaderName, &str); 3] =
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];

fn authorization(headers: &HeaderMap) -> Option<&str> {
    // A header that is not text is no credential, but it is not absent either.
    headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("unreadable"))
}

/// The posted form. Parameters in the address are not read: it ends up in logs.
fn read(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Form, Box<Response>> {
    if method != Method::POST {
        let allow = [(header::ALLOW, "POST, OPTIONS")];
        return Err(Box::new((StatusCode::METHOD_NOT_ALLOWED, PRIVATE, allow).into_response()));
    }
    let mut media = headers.get_all(header::CONTENT_TYPE).iter();
    // Said twice, it says nothing.
    let media = media.next().filter(|_| media.next().is_none()).and_then(|value| value.to_str().ok());
    let media = media.unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let error = OauthError::Request("send the parameters as application/x-www-form-urlencoded".to_owned());
        return Err(Box::new(refuse(&error, headers)));
    }
    Ok(Form::parse(body))
}

fn reply<T: Serialize>(answered: Result<T, OauthError>, headers: &HeaderMap) -> Response {
    let written = answered.and_then(|answer| {
        serde_json::to_string(&answer)
            .map_err(|_| OauthError::Server(ServerError::Crypto("an answer has no JSON form")))
    });
    match written {
        Ok(text) => (PRIVATE, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => refuse(&error, headers),
    }
}

fn refuse(error: &OauthError, headers: &HeaderMap) -> Response {
    let (status, code) = error.answer();
    if status >= 500 {
        tracing::error!(%error, "the authorization server failed");
    }
    let wire = StandardErrorResponse::new(error_type(code), Some(error.description()), None);
    let text = serde_json::to_string(&wire).unwrap_or_else(|_| r#"{"error":"server_error"}"#.to_owned());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, PRIVATE, [(header::CONTENT_TYPE, "application/json")], text).into_response();
    if status == StatusCode::UNAUTHORIZED {
        // RFC 6749 §5.2: in the scheme that the client tried.
        let bearer = authorization(headers).is_some_and(|header| header.to_ascii_lowercase().starts_with("bearer "));
        let challenge =
            if bearer { r#"Bearer realm="techo", error="invalid_token""# } else { r#"Basic realm="techo""# };
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
    }
    answer
}

fn error_type(code: &str) -> BasicErrorResponseType {
    match code {
        "invalid_request" => BasicErrorResponseType::InvalidRequest,
        "invalid_client" => BasicErrorResponseType::InvalidClient,
        "invalid_grant" => BasicErrorResponseType::InvalidGrant,
        "unauthorized_client" => BasicErrorResponseType::UnauthorizedClient,
        "unsupported_grant_type" => BasicErrorResponseType::UnsupportedGrantType,
        "invalid_scope" => BasicErrorResponseType::InvalidScope,
        other => BasicErrorResponseType::Extension(other.to_owned()),
    }
}
