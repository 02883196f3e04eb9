//! The edge: the only code that knows axum. The whole route table is here.
//!
//! To add a route: a line in [`router`], a handler in the file of its area, and,
//! for FHIR, an [`crate::interaction::Interaction`] to hand on.

pub mod cors;
pub mod fhir;
pub mod headers;
pub mod health;
pub mod listen;
pub mod negotiate;
pub mod oauth;
pub mod operation;
pub mod outcome;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::app::App;

/// The largest body that is taken, in bytes. `$import` has its own, smaller one.
pub const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Every URL that this server answers.
pub fn router(app: Arc<App>) -> Router {
    let fhir = Router::new()
        .route("/fhir", post(fhir::bundle))
        .route("/fhir/", post(fhir::bundle))
        .route("/fhir/metadata", get(fhir::metadata))
        .route("/fhir/{kind}", get(fhir::search).post(fhir::create))
        .route("/fhir/{kind}/_search", post(fhir::search_form))
        .route("/fhir/{kind}/{id}", get(fhir::read).put(fhir::update).delete(fhir::delete))
        .route("/fhir/{kind}/{id}/_history", get(fhir::history))
        .route("/fhir/{kind}/{id}/_history/{version}", get(fhir::vread))
        .method_not_allowed_fallback(fhir::not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(app.clone());
    let health = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .with_state(app);
    Router::new().merge(fhir).merge(health).fallback(fhir::no_such_path).layer(from_fn(headers::security))
}
