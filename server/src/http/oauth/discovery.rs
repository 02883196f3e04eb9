//! Discovery documents: JSON whatever the client accepts.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::OauthState;
use crate::auth::discovery;

pub(super) async fn smart(State(server): State<OauthState>) -> Response {
    answer(&discovery::smart(&server))
}

pub(super) async fn openid(State(server): State<OauthState>) -> Response {
    answer(&discovery::openid(&server))
}

pub(super) async fn jwks(State(server): State<OauthState>) -> Response {
    answer(&discovery::jwks(&server))
}

fn answer(document: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, document.to_string()).into_response()
}
