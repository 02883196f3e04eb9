//! [`Error`] → status and OperationOutcome: the one mapping.
//!
//! Source: FHIR R4 http.html, operationoutcome.html

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Response, StatusCode};

pub use crate::interaction::outcome;

use crate::interaction::Error;

/// The media type of every FHIR answer as handlers give it; XML is made of it afterwards.
pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

const INVALID_TOKEN: &str = "Bearer realm=\"techo\", error=\"invalid_token\"";

/// The language of an outcome's texts.
pub fn language(japanese: bool) -> HeaderValue {
    HeaderValue::from_static(if japanese { "ja" } else { "en" })
}

/// The answer to a refused request.
pub fn refusal(error: &Error, japanese: bool) -> Response<Body> {
    let (status, issues) = error.explained();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(outcome(&issues, japanese).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LANGUAGE, language(japanese));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // Says which codings a body may have (RFC 9110 §15.5.16).
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"));
    }
    if status == StatusCode::UNAUTHORIZED {
        // Who sent no token has made no error yet (RFC 6750 §3.1).
        let anonymous = matches!(error, Error::Anonymous);
        let challenge = if anonymous { "Bearer realm=\"techo\"" } else { INVALID_TOKEN };
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}
