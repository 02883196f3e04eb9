//! `/oauth/signin` and `/oauth/signout`.
//!
//! The sign-in form is bound to the browser it was shown in by a cookie of its
//! own, so that nobody can sign a victim in under the attacker's name.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::OauthState;
use super::cookie::{Cookie, session};
use super::page::{failed, frame, language, other, page, see_other, stale_form};
use crate::auth::authorize::AuthorizationRequest;
use crate::auth::form::Form;
use crate::auth::login::{self, Attempt, LoginError};
use crate::auth::redirect::policy_source;
use crate::auth::wording::Language;
use crate::portal::pages::SignInPage;
use crate::secret::{Secret, same};

/// What the sign-in page leads to.
pub(super) struct Before {
    /// A path of ours.
    pub(super) next: String,
    /// Name of the application that sent the person here.
    pub(super) client: Option<String>,
    /// Where the application's answers go: they may follow the sign-in at once.
    pub(super) form_action: Option<String>,
}

pub(super) async fn get(State(server): State<OauthState>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let language = language(&form, &headers);
    let before = Before::of(&server, next(&form), language).await;
    show(&server, &headers, language, before, None)
}

impl Before {
    /// What is known of the path `next`: if it is an application's request, whose.
    async fn of(server: &OauthState, next: String, language: Language) -> Self {
        let query = next.strip_prefix("/oauth/authorize?").map(|query| Form::parse(query.as_bytes()));
        let request = match query {
            Some(form) => AuthorizationRequest::parse(server, &form).await.ok(),
            None => None,
        };
        let client = request.as_ref().map(|request| language.say(&request.client.name_ja, &request.client.name_en));
        Self {
            client: client.map(str::to_owned),
            form_action: request.as_ref().and_then(|request| policy_source(&request.redirect)),
            next,
        }
    }
}

/// The sign-in page in the place of one of the portal's, to which it leads.
pub(in crate::http) fn ask(server: &OauthState, headers: &HeaderMap, language: Language, here: String) -> Response {
    show(server, headers, language, Before { next: here, client: None, form_action: None }, None)
}

/// The sign-in page.
pub(super) fn show(
    server: &OauthState,
    headers: &HeaderMap,
    language: Language,
    before: Before,
    error: Option<(StatusCode, &'static str)>,
) -> Response {
    let csrf = Cookie::Form.read(server, headers).filter(|value| is_token(value));
    let csrf = csrf.unwrap_or_else(|| server.random.token());
    let here: Form = [("next", before.next.as_str()), ("lang", other(language))].into_iter().collect();
    let template = SignInPage {
        frame: frame(language, Some(format!("/oauth/signin?{}", here.query()))),
        client: before.client,
        error: error.map(|(_, text)| text),
        csrf: csrf.clone(),
        next: before.next,
    };
    let status = error.map_or(StatusCode::OK, |(status, _)| status);
    let mut answer = page(server, status, &template, before.form_action.as_deref());
    if let Some(cookie) = Cookie::Form.set(server, &csrf) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

pub(super) async fn post(State(server): State<OauthState>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let language = language(&form, &headers);
    let bound = Cookie::Form.read(&server, &headers).filter(|value| is_token(value));
    let sent = form.one("csrf").ok().flatten().unwrap_or_default();
    if !bound.is_some_and(|bound| same(bound.as_bytes(), sent.as_bytes())) {
        return stale_form(&server, language);
    }
    let text = |name| form.one(name).ok().flatten().unwrap_or_default();
    let attempt = Attempt {
        name: text("username").to_owned(),
        password: Secret::new(text("password")),
        browser: Cookie::Browser.read(&server, &headers),
        session: Cookie::Session.read(&server, &headers),
    };
    let next = next(&form);
    match login::sign_in(&server, attempt).await {
        Ok(signed_in) => {
            let mut answer = see_other(&in_language(next, language));
            let mut give = |cookie: Cookie, value: &str| {
                if let Some(value) = cookie.set(&server, value) {
                    answer.headers_mut().append(header::SET_COOKIE, value);
                }
            };
            give(Cookie::Session, signed_in.session.reveal());
            give(Cookie::Form, "");
            if let Some(browser) = signed_in.browser {
                give(Cookie::Browser, browser.reveal());
            }
            answer
        }
        Err(error) => {
            let before = Before::of(&server, next, language).await;
            refused(&server, &headers, language, before, &error)
        }
    }
}

fn refused(
    server: &OauthState,
    headers: &HeaderMap,
    language: Language,
    before: Before,
    error: &LoginError,
) -> Response {
    match error {
        LoginError::Wrong => {
            let text =
                language.say("ユーザー名かパスワードが違います。", "The user name or the password is not right.");
            show(server, headers, language, before, Some((StatusCode::FORBIDDEN, text)))
        }
        LoginError::TooMany => {
            let text = language.say(
                "パスワードの間違いが続きました。15分ほどたってから、もう一度お試しください。",
                "Too many wrong passwords. Please try again in a quarter of an hour.",
            );
            show(server, headers, language, before, Some((StatusCode::TOO_MANY_REQUESTS, text)))
        }
        LoginError::Server(error) => failed(server, language, error),
    }
}

/// Ends the session.
pub(super) async fn out(State(server): State<OauthState>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let language = language(&form, &headers);
    let session = match session(&server, &headers).await {
        Ok(session) => session,
        Err(error) => return failed(&server, language, &error),
    };
    if let Some(session) = session {
        let sent = form.one("csrf").ok().flatten().unwrap_or_default();
        if !same(session.csrf.as_bytes(), sent.as_bytes()) {
            return stale_form(&server, language);
        }
        if let Err(error) = server.accounts.close_session(&session.hash).await {
            return failed(&server, language, &error.into());
        }
    }
    let mut answer = see_other("/");
    if let Some(cookie) = Cookie::Session.set(&server, "") {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// The approval page speaks the language in which the person signed in.
fn in_language(next: String, language: Language) -> String {
    match next.strip_prefix("/oauth/authorize?") {
        Some(query) => {
            let plain = Form::parse(query.as_bytes()).without(|name, _| name == "lang");
            format!("/oauth/authorize?{}&lang={}", plain.query(), language.code())
        }
        None => next,
    }
}

/// Where to go after signing in: a path of ours and nothing else, however it is written.
fn next(form: &Form) -> String {
    let asked = form.one("next").ok().flatten().unwrap_or("/");
    let inside = asked.starts_with('/')
        && !asked.starts_with("//")
        && asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if inside { asked.to_owned() } else { "/".to_owned() }
}

fn is_token(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
