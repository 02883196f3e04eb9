//! Pages with their headers, and the style sheet.
//!
//! A page loads nothing but our style sheet, runs no script, is framed by nobody
//! and kept by no cache.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::OauthState;
use crate::auth::authorize::PageError;
use crate::auth::form::Form;
use crate::auth::server::{AuthorizationServer, FilingError, ServerError};
use crate::auth::wording::Language;
use crate::consent::stance::MOST_OF_ONE;
use crate::portal::pages::{ErrorPage, Frame};
use crate::secret::hash;

/// Path of the style sheet.
pub const STYLE_PATH: &str = "/static/style.css";
const STYLE: &str = include_str!("../../portal/style.css");

static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| {
    let digest = URL_SAFE_NO_PAD.encode(&hash(STYLE.as_bytes())[..9]);
    format!("{STYLE_PATH}?v={digest}")
});

/// Address of the style sheet, which changes with its content.
pub fn style_address() -> &'static str {
    &STYLE_ADDRESS
}

pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLE).into_response()
}

/// A notebook, which browsers ask for by themselves, at an address that never changes.
const ICON: &[u8] = include_bytes!("../../portal/favicon.ico");

pub(super) async fn icon() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/x-icon"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, ICON).into_response()
}

/// A page.
///
/// * `form_action`: where, besides here, the answer to its form may redirect. A
///   policy of `'self'` alone would keep browsers from going back to the application.
pub fn page(
    server: &AuthorizationServer,
    status: StatusCode,
    template: &impl Template,
    form_action: Option<&str>,
) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut answer = (status, Html(html)).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {}; base-uri 'none'; \
         frame-ancestors 'none'",
        form_action.unwrap_or_default()
    );
    let headers = answer.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A registered redirect URI is ASCII without `;` and `,`.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if server.config.secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    answer
}

const SECURITY: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::VARY, "Accept-Language, Cookie"),
];

/// The language of a page.
pub(super) fn language(form: &Form, headers: &HeaderMap) -> Language {
    let locales = form.all("ui_locales").next().and_then(|list| list.split(' ').next());
    let asked = form.all("lang").next().or(locales);
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::choose(asked, accept)
}

/// The frame of a page.
pub(super) fn frame(language: Language, other_language: Option<String>) -> Frame {
    Frame { language, style: style_address().to_owned(), other_language }
}

/// The other language's code.
pub(super) fn other(language: Language) -> &'static str {
    language.say("en", "ja")
}

pub(super) fn no_such_request(server: &OauthState, language: Language, error: PageError) -> Response {
    let text = match error {
        PageError::Client => language.say(
            "アプリが登録されていないか、止められています。アプリの提供元にお問い合わせください。",
            "The app is not registered here, or has been stopped. Please ask whoever provides it.",
        ),
        PageError::Redirect => language.say(
            "アプリの戻り先が登録と違います。安全のため、ここで止めました。アプリの提供元にお問い合わせください。",
            "The app's return address is not the registered one. To be safe, this stops here. Please ask whoever provides the app.",
        ),
    };
    let title = language.say("アプリにつなげません", "The app cannot be connected");
    page(server, StatusCode::BAD_REQUEST, &ErrorPage { frame: frame(language, None), title, text }, None)
}

pub(in crate::http) fn stale_form(server: &OauthState, language: Language) -> Response {
    let title = language.say("ページの期限が切れました", "This page has expired");
    let text = language.say(
        "もう一度、最初からやり直してください。クッキーが無効になっている場合は有効にしてください。",
        "Please start again. If your browser blocks cookies, allow them for this site.",
    );
    page(server, StatusCode::FORBIDDEN, &ErrorPage { frame: frame(language, None), title, text }, None)
}

pub(in crate::http) fn failed(server: &OauthState, language: Language, error: &ServerError) -> Response {
    if matches!(error, ServerError::Filing(FilingError::Crowded)) {
        return crowded(server, language);
    }
    tracing::error!(%error, "the authorization server failed");
    let title = language.say("サーバーの問題", "A problem on the server");
    let text = language.say(
        "今は処理できません。しばらくしてから、もう一度お試しください。",
        "This cannot be done right now. Please try again a little later.",
    );
    page(server, StatusCode::INTERNAL_SERVER_ERROR, &ErrorPage { frame: frame(language, None), title, text }, None)
}

/// The approval would be one Consent more than a patient may have: nothing was allowed.
fn crowded(server: &OauthState, language: Language) -> Response {
    let title = language.say("これ以上つなげません", "No more can be connected");
    const { assert!(MOST_OF_ONE == 500, "the text says it") };
    let text = language.say(
        "有効な同意は1人につき500件までで、すでにその数に達しています。今回は何も許可されていません。「つながり」のページで不要なものを取り消してから、アプリからもう一度お試しください。",
        "There may be 500 active consents for one person, and there are as many already. Nothing was allowed this time. Withdraw some that are no longer needed on the page “Connections”, then start again from the app.",
    );
    let page_of = ErrorPage { frame: frame(language, None), title, text };
    page(server, StatusCode::UNPROCESSABLE_ENTITY, &page_of, None)
}

/// Goes on elsewhere, by GET (RFC 9700 §4.12: never 307).
pub(in crate::http) fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = [
                (header::LOCATION, location),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
