//! The edge: the only code that knows axum. The whole route table is here.
//!
//! To add a route: a line in [`router`], a handler in the file of its area, and,
//! for FHIR, an [`crate::interaction::Interaction`] to hand on.

pub mod binary;
pub mod content;
pub mod cors;
pub mod encoding;
pub mod fetch;
pub mod fhir;
pub mod headers;
pub mod health;
pub mod limit;
pub mod listen;
pub mod negotiate;
pub mod oauth;
pub mod operation;
pub mod outcome;
pub mod portal;
pub mod write;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use crate::server::Server;

/// The largest body that is taken, in bytes. `$import` has its own, smaller one.
pub const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Every URL that this server answers.
pub fn router(server: &Server) -> Router {
    let app = server.app.clone();
    let edge = content::Edge::new(app.clone());
    let fhir = Router::new()
        .route("/fhir", get(fhir::search_types).post(write::bundle))
        .route("/fhir/", get(fhir::search_types).post(write::bundle))
        .route("/fhir/_search", post(fhir::search_types_form))
        .route(
            "/fhir/{kind}",
            get(fhir::search)
                .post(write::create)
                .put(write::update_matching)
                .patch(write::patch_matching)
                .delete(write::delete_matching),
        )
        .route("/fhir/_history", get(fhir::history_of_all))
        .route("/fhir/{kind}/_history", get(fhir::history_of_type))
        .route("/fhir/{kind}/_search", post(fhir::search_form))
        .route(
            "/fhir/{kind}/{id}",
            get(fhir::read).put(write::update).patch(write::patch).delete(write::delete).post(operation::of_type),
        )
        .route("/fhir/{kind}/{id}/{below}", get(operation::of_instance).post(operation::of_instance))
        .route("/fhir/{kind}/{id}/{below}/_search", post(fhir::search_compartment_form))
        .route("/fhir/{kind}/{id}/_history", get(fhir::history))
        .route("/fhir/{kind}/{id}/_history/{version}", get(fhir::vread))
        .route("/fhir/{kind}/{id}/_history/{version}/{below}", get(operation::of_version).post(operation::of_version))
        .method_not_allowed_fallback(fhir::not_allowed)
        .layer(from_fn_with_state(edge.clone(), around))
        // Outside of what unpacks bodies and reads XML.
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(app.clone());
    let open = Router::new()
        .route("/fhir/metadata", get(fhir::metadata))
        .method_not_allowed_fallback(fhir::not_allowed)
        .layer(from_fn_with_state(edge, around_open))
        .layer(from_fn(cors::everyone))
        .with_state(app.clone());
    let health = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .with_state(app);
    let limits = server.app.config.limits;
    let pages = oauth::router(server.authorization.clone())
        .merge(portal::router(server))
        .layer(from_fn_with_state(limits, limit::in_time));
    let records = open.layer(from_fn(headers::security)).merge(fhir);
    let known = records.clone().fallback(fhir::no_such_path);
    Router::new()
        .merge(health)
        .merge(pages)
        .merge(Router::new().fallback(fhir::elsewhere).with_state(known))
        .layer(from_fn(headers::security))
        .merge(records)
}

/// What goes around the FHIR API. One layer: each costs every request.
async fn around(State(edge): State<content::Edge>, request: Request, next: Next) -> Response {
    let answered = cors::among_registered(&edge.app().accounts, request, |request| {
        content::both_ways(&edge, request, |request| operation::asked_for(request, |request| next.run(request)))
    });
    headers::secured(answered.await)
}

async fn around_open(State(edge): State<content::Edge>, request: Request, next: Next) -> Response {
    content::both_ways(&edge, request, |request| next.run(request)).await
}
