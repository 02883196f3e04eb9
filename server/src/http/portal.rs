//! The citizen's pages: `/`, `/records/[patient]`, `/apps`, `/access`.
//!
//! A handler finds out who is signed in, has `portal` make the page, and sends
//! it. Whoever is not signed in is asked to, and comes back to where she was.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};

use super::oauth::{self, OauthState};
use crate::app::App;
use crate::auth::form::Form;
use crate::auth::login::Session;
use crate::auth::wording::Language;
use crate::consent::caller::Action;
use crate::interaction::Error;
use crate::portal::apps::Withdrawal;
use crate::portal::shell::{MissingPage, Shell};
use crate::portal::{self, access, apps, home, records};
use crate::secret::same;
use crate::server::Server;

/// The longest form that is read.
const LONGEST_FORM: usize = 16 * 1024;

/// What the handlers share.
#[derive(Clone)]
struct Portal {
    app: Arc<App>,
    server: OauthState,
}

/// All routes, by their full paths.
pub fn router(server: &Server) -> Router {
    let portal = Portal { app: server.app.clone(), server: server.authorization.clone() };
    Router::new()
        .route("/", get(first))
        .route("/records/{patient}", get(records_of))
        .route("/apps", get(connected))
        .route("/apps/withdraw", post(withdraw))
        .route("/access", get(looked))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .with_state(portal)
}

async fn first(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = match Visit::of(&portal, &uri, &headers).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let made = async {
        let call = portal::call(&portal.app, &visit.session, Action::Search).await?;
        home::page(call, visit.shell(), &visit.session).await
    };
    visit.send(&portal, made.await)
}

async fn records_of(
    State(portal): State<Portal>,
    uri: Uri,
    Path(patient): Path<String>,
    headers: HeaderMap,
) -> Response {
    let visit = match Visit::of(&portal, &uri, &headers).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let made = async {
        let call = portal::call(&portal.app, &visit.session, Action::Search).await?;
        records::page(call, visit.shell(), &visit.session, &patient).await
    };
    visit.send(&portal, made.await)
}

async fn connected(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = match Visit::of(&portal, &uri, &headers).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let done = visit.form.all("done").next().is_some();
    let made = async {
        let call = portal::call(&portal.app, &visit.session, Action::Search).await?;
        apps::page(call, visit.shell(), &visit.session, done).await
    };
    visit.send(&portal, made.await)
}

async fn looked(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = match Visit::of(&portal, &uri, &headers).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let before = visit.form.all("before").next().map(str::to_owned);
    let asked = access::Asked { before, others: visit.form.all("others").next().is_some() };
    let made = async {
        let call = portal::call(&portal.app, &visit.session, Action::Search).await?;
        access::page(call, visit.shell(), asked).await
    };
    visit.send(&portal, made.await)
}

async fn withdraw(State(portal): State<Portal>, headers: HeaderMap, body: Bytes) -> Response {
    let visit = match Visit::asking(&portal, "/apps".to_owned(), &headers, Form::parse(&body)).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let one = |name| visit.form.one(name).ok().flatten();
    if !same(visit.session.csrf.as_bytes(), one("csrf").unwrap_or_default().as_bytes()) {
        return oauth::stale_form(&portal.server, visit.language.0);
    }
    let what = match (one("consent"), one("grant")) {
        (Some(id), None) => Withdrawal::Consent(id.to_owned()),
        (None, Some(id)) => Withdrawal::Grant(id.to_owned()),
        _ => return visit.refuse(&portal, &Error::NotFound),
    };
    let done = async {
        let call = portal::call(&portal.app, &visit.session, Action::Update).await?;
        apps::withdraw(&call, &portal.server, &visit.session, &what).await
    };
    match done.await {
        Ok(()) => oauth::see_other(&visit.shell().link("/apps?done=1")),
        Err(error) => visit.refuse(&portal, &error),
    }
}

/// A request of someone who is signed in.
struct Visit {
    session: Session,
    /// The language, and whether she chose it.
    language: (Language, bool),
    /// Path and query, without the language.
    here: String,
    form: Form,
}

impl Visit {
    /// The visit of a request; the sign-in page if nobody is signed in.
    async fn of(portal: &Portal, uri: &Uri, headers: &HeaderMap) -> Result<Self, Box<Response>> {
        let form = Form::parse(uri.query().unwrap_or_default().as_bytes());
        let query = form.without(|name, _| name == "lang").query();
        let here = if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) };
        Self::asking(portal, here, headers, form).await
    }

    /// * `here`: where signing in leads to, and the page in the other language.
    async fn asking(portal: &Portal, here: String, headers: &HeaderMap, form: Form) -> Result<Self, Box<Response>> {
        let asked = form.all("lang").next();
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::choose(asked, accept);
        let chosen = matches!(asked, Some("ja" | "en"));
        match oauth::session(&portal.server, headers).await {
            Ok(Some(session)) => Ok(Self { session, language: (language, chosen), here, form }),
            Ok(None) => Err(Box::new(oauth::ask(&portal.server, headers, language, here))),
            Err(error) => Err(Box::new(oauth::failed(&portal.server, language, &error))),
        }
    }

    fn shell(&self) -> Shell {
        self.shell_at(&self.here)
    }

    /// * `here`: the page that is offered in the other language.
    fn shell_at(&self, here: &str) -> Shell {
        let sign = if here.contains('?') { '&' } else { '?' };
        let other = format!("{here}{sign}lang={}", self.language.0.say("en", "ja"));
        Shell::new(&self.session, self.language, oauth::style_address(), other)
    }

    fn send<T: Template>(&self, portal: &Portal, made: Result<T, Error>) -> Response {
        match made {
            Ok(template) => oauth::page(&portal.server, StatusCode::OK, &template, None),
            Err(error) => self.refuse(portal, &error),
        }
    }

    /// Not there and not hers to see are one page, byte for byte: it does not
    /// even repeat its address.
    fn refuse(&self, portal: &Portal, error: &Error) -> Response {
        let shell = self.shell_at("/");
        let (status, template) = match error {
            Error::Store(_) | Error::Internal(_) => {
                tracing::error!(%error, "a page of the portal failed");
                (StatusCode::INTERNAL_SERVER_ERROR, MissingPage::failed(shell))
            }
            _ => (StatusCode::NOT_FOUND, MissingPage::nothing(shell)),
        };
        oauth::page(&portal.server, status, &template, None)
    }
}
