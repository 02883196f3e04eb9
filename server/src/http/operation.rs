//! `POST /fhir/$operation`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::fhir::{bearer, format};
use super::negotiate;
use super::outcome::{FHIR_JSON, refusal};
use crate::app::App;
use crate::interaction::Error;
use crate::operation::{Input, Media, OPERATIONS};

/// Runs an operation of [`OPERATIONS`].
pub async fn run(
    State(app): State<Arc<App>>,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    body: Result<Bytes, Error>,
) -> Response<Body> {
    let japanese = negotiate::japanese(headers);
    let result = async {
        let operation = OPERATIONS.iter().find(|operation| operation.name == name);
        let operation = operation.ok_or_else(|| Error::UnknownType(format!("${name}")))?;
        let token = bearer(headers).ok_or(Error::Unauthorized)?;
        negotiate::acceptable(headers, format(query))?;
        if operation.media == Media::Fhir {
            negotiate::readable(headers)?;
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let body = body?;
        let input = Input {
            body: &body,
            media: text(CONTENT_TYPE).unwrap_or_default(),
            file_name: text(CONTENT_DISPOSITION).and_then(file_name),
            query,
            japanese,
        };
        (operation.run)(&app, token, &input).await
    };
    match result.await {
        Ok(output) => {
            let mut response = Response::new(Body::from(output.body));
            *response.status_mut() = if output.refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => refusal(&error, japanese),
    }
}

/// `attachment; filename="x.csv"` → `x.csv`
fn file_name(disposition: &str) -> Option<String> {
    let value = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename="))?;
    Some(value.trim_matches('"').to_owned()).filter(|name| !name.is_empty() && name.len() <= 200)
}
