//! [`Error`] → status and OperationOutcome: the one mapping.
//!
//! Source: FHIR R4 http.html, operationoutcome.html

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use techo_profiles::json::Json;

use crate::interaction::error::search_issue;
use crate::interaction::{Error, Issue};
use crate::store::StoreError;

/// The media type of every FHIR answer.
pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// An OperationOutcome of these issues.
pub fn outcome(issues: &[Issue], japanese: bool) -> Json {
    let issues = issues.iter().map(|issue| issue.json(japanese));
    Json::object([("resourceType", Json::from("OperationOutcome")), ("issue", Json::array(issues))])
}

/// The answer to a refused request.
pub fn refusal(error: &Error, japanese: bool) -> Response<Body> {
    let (status, issues) = explained(error);
    let mut response = Response::new(Body::from(outcome(&issues, japanese).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"techo\", error=\"invalid_token\""));
    }
    response
}

/// Status and issues of an error. No catch-all: a new variant chooses its answer here.
pub fn explained(error: &Error) -> (StatusCode, Vec<Issue>) {
    match error {
        Error::Invalid(issues) => (StatusCode::BAD_REQUEST, issues.clone()),
        Error::Unprocessable(issues) => (StatusCode::UNPROCESSABLE_ENTITY, issues.clone()),
        Error::Unauthorized => (
            StatusCode::UNAUTHORIZED,
            vec![Issue::error(
                "login",
                "No valid access token. Sign in again, or ask the token endpoint for a new token.",
                "有効なアクセストークンがありません。サインインし直すか、新しいトークンを取得してください。",
            )],
        ),
        Error::Forbidden(issue) => (StatusCode::FORBIDDEN, vec![issue.clone()]),
        Error::NotFound => (
            StatusCode::NOT_FOUND,
            vec![Issue::error("not-found", "There is no such resource for you.", "該当するリソースはありません。")],
        ),
        Error::Gone => (
            StatusCode::GONE,
            vec![Issue::error("deleted", "The resource was deleted.", "リソースは削除されています。")],
        ),
        Error::UnknownType(kind) => (
            StatusCode::NOT_FOUND,
            vec![Issue::error(
                "not-supported",
                format!("{} is no resource type or operation of this server; see /fhir/metadata.", shown(kind)),
                format!("{} はこのサーバーにない種別または操作です。/fhir/metadata を参照してください。", shown(kind)),
            )],
        ),
        Error::NotAllowed(issue) => (StatusCode::METHOD_NOT_ALLOWED, vec![issue.clone()]),
        Error::NotAcceptable(issue) => (StatusCode::NOT_ACCEPTABLE, vec![issue.clone()]),
        Error::Unsupported(issue) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, vec![issue.clone()]),
        Error::Conflict(issue) => (StatusCode::CONFLICT, vec![issue.clone()]),
        Error::Precondition(issue) => (StatusCode::PRECONDITION_FAILED, vec![issue.clone()]),
        Error::TooLarge(issue) => (StatusCode::PAYLOAD_TOO_LARGE, vec![issue.clone()]),
        Error::Search(errors) => (StatusCode::BAD_REQUEST, errors.iter().map(search_issue).collect()),
        Error::Entry { index, error } => {
            let (status, issues) = explained(error);
            let place = format!("Bundle.entry[{index}]");
            let within = |issue: &Issue| match &issue.expression {
                Some(inner) => issue.clone().at(format!("{place}.resource / {inner}")),
                None => issue.clone().at(place.clone()),
            };
            (status, issues.iter().map(within).collect())
        }
        Error::Store(error) => stored(error),
        Error::Internal(place) => {
            tracing::error!(place, "internal error");
            (StatusCode::INTERNAL_SERVER_ERROR, vec![internal()])
        }
    }
}

fn stored(error: &StoreError) -> (StatusCode, Vec<Issue>) {
    let busy = || {
        vec![Issue::error(
            "transient",
            "The server is busy. Ask again in a moment.",
            "サーバーが混み合っています。しばらくしてからやり直してください。",
        )]
    };
    match error {
        StoreError::Busy | StoreError::Stopped => (StatusCode::SERVICE_UNAVAILABLE, busy()),
        StoreError::Database(database) => {
            let text = database.to_string();
            tracing::error!(error = %kind_of(&text), "database");
            if text.contains("database or disk is full") || text.contains("No space left") {
                let issue = Issue::error("no-store", "The disk is full.", "ディスクに空きがありません。");
                return (StatusCode::INSUFFICIENT_STORAGE, vec![issue]);
            }
            if text.contains("pool timed out") || text.contains("Connection") || text.contains("locked") {
                return (StatusCode::SERVICE_UNAVAILABLE, busy());
            }
            (StatusCode::INTERNAL_SERVER_ERROR, vec![internal()])
        }
        StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Audit(_)
        | StoreError::Unsupported(_)
        | StoreError::Sealed => {
            tracing::error!(%error, "store");
            (StatusCode::INTERNAL_SERVER_ERROR, vec![internal()])
        }
    }
}

/// The kind of a database error without what it quotes, which may be a patient's.
fn kind_of(text: &str) -> String {
    text.split(['\'', '"', '(']).next().unwrap_or_default().chars().take(120).collect()
}

fn internal() -> Issue {
    Issue::error(
        "exception",
        "The server failed. The operator's log says where.",
        "サーバーで障害が発生しました。運用者のログに記録されています。",
    )
}

/// A name out of a URL, shortened: it is echoed.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic()).take(64).collect()
}
