//! The authorization server over HTTP: `/oauth/*` and `/fhir/.well-known/*`.
//!
//! Handlers carry a request into `auth` and its answer out. Addresses for
//! programs answer JSON and may be called from registered web pages; addresses
//! for people answer pages and may not.

mod approve;
mod authorize;
mod cookie;
mod discovery;
mod page;
mod programs;
mod signin;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get, post};

pub use cookie::session;
pub use page::{STYLE_PATH, page, style_address};
pub(super) use page::{failed, see_other, stale_form};
pub(super) use signin::ask;

use super::cors;
use crate::auth::server::AuthorizationServer;

/// What the handlers share.
pub type OauthState = Arc<AuthorizationServer>;

/// The longest form that is read.
const LONGEST_FORM: usize = 64 * 1024;

/// All routes, by their full paths.
pub fn router(state: OauthState) -> Router {
    let open = Router::new()
        .route("/fhir/.well-known/smart-configuration", get(discovery::smart))
        .route("/fhir/.well-known/openid-configuration", get(discovery::openid))
        .route("/oauth/jwks", get(discovery::jwks))
        .layer(from_fn(cors::everyone));
    let programs = Router::new()
        .route("/oauth/token", any(programs::token))
        .route("/oauth/introspect", any(programs::introspect))
        .route("/oauth/revoke", any(programs::revoke))
        .layer(from_fn_with_state(state.accounts.clone(), cors::registered));
    let people = Router::new()
        .route("/oauth/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth/approve", post(approve::post))
        .route("/oauth/signin", get(signin::get).post(signin::post))
        .route("/oauth/signout", post(signin::out))
        .route(STYLE_PATH, get(page::style))
        .route("/favicon.ico", get(page::icon));
    open.merge(programs).merge(people).layer(DefaultBodyLimit::max(LONGEST_FORM)).with_state(state)
}

#[cfg(test)]
mod tests;
