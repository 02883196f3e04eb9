//! `/oauth/authorize`: from an application's request to a page.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::OauthState;
use super::cookie::session;
use super::page::{failed, frame, language, no_such_request, other, page, see_other};
use super::signin::{self, Before};
use crate::auth::approve::{Missing, Offer, offer};
use crate::auth::authorize::{AuthorizationRequest, AuthorizeError, after_sign_in};
use crate::auth::form::Form;
use crate::auth::login::Session;
use crate::auth::redirect::policy_source;
use crate::auth::wording::Language;
use crate::portal::pages::{self, ApprovePage, Asked};

pub(super) async fn get(State(server): State<OauthState>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    authorize(&server, &headers, &Form::parse(query.unwrap_or_default().as_bytes())).await
}

pub(super) async fn post(State(server): State<OauthState>, headers: HeaderMap, body: Bytes) -> Response {
    authorize(&server, &headers, &Form::parse(&body)).await
}

async fn authorize(server: &OauthState, headers: &HeaderMap, form: &Form) -> Response {
    let language = language(form, headers);
    let visit = match visit(server, headers, form, language).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    visit.show(server, &pages::Before::default(), None)
}

/// A good request, the person it is put to, and what she can be asked.
pub(super) struct Visit {
    pub(super) request: AuthorizationRequest,
    pub(super) session: Session,
    pub(super) offer: Offer,
    pub(super) language: Language,
    form: Form,
}

/// The way up to the approval page; where it ends earlier, the answer.
pub(super) async fn visit(
    server: &OauthState,
    headers: &HeaderMap,
    form: &Form,
    language: Language,
) -> Result<Visit, Box<Response>> {
    let request = AuthorizationRequest::parse(server, form).await.map_err(|error| {
        Box::new(match error {
            AuthorizeError::Page(error) => no_such_request(server, language, error),
            AuthorizeError::Back(refusal) => see_other(&refusal.location()),
            AuthorizeError::Server(error) => failed(server, language, &error),
        })
    })?;
    let found = session(server, headers).await.map_err(|error| Box::new(failed(server, language, &error)))?;
    let usable = found.filter(|session| !request.wants_sign_in(session, server.clock.micros()));
    if request.prompt.none {
        let (error, why) = match usable {
            None => ("login_required", "nobody is signed in"),
            Some(_) => ("consent_required", "the person is asked every time"),
        };
        return Err(Box::new(see_other(&request.refuse(server, error, why).location())));
    }
    let Some(session) = usable else {
        let client = language.say(&request.client.name_ja, &request.client.name_en).to_owned();
        let before =
            Before { next: sign_in_next(form), client: Some(client), form_action: policy_source(&request.redirect) };
        return Err(Box::new(signin::show(server, headers, language, before, None)));
    };
    let offered = offer(server, &request, &session, language).await;
    match offered.map_err(|error| Box::new(failed(server, language, &error)))? {
        Ok(offer) => Ok(Visit { request, session, offer, language, form: form.clone() }),
        Err(refusal) => Err(Box::new(see_other(&refusal.location()))),
    }
}

fn sign_in_next(form: &Form) -> String {
    format!("/oauth/authorize?{}", after_sign_in(form).query())
}

impl Visit {
    /// The approval page as a template.
    pub(super) fn page(&self, before: &pages::Before) -> ApprovePage {
        // Without what asked for a password: it was given.
        let query = after_sign_in(&self.form);
        let plain = query.without(|name, _| name == "lang");
        let translated: Form = [("lang", other(self.language))].into_iter().collect();
        let switch: Form = [("next", sign_in_next(&self.form).as_str())].into_iter().collect();
        let asked = Asked {
            request: &self.request,
            session: &self.session,
            offer: &self.offer,
            query: query.query(),
            switch: format!("/oauth/signin?{}", switch.query()),
        };
        let other = format!("/oauth/authorize?{}&{}", plain.query(), translated.query());
        ApprovePage::of(frame(self.language, Some(other)), &asked, before)
    }

    /// The approval page as an answer.
    pub(super) fn show(&self, server: &OauthState, before: &pages::Before, missing: Option<Missing>) -> Response {
        let template = self.page(before);
        let template = match missing {
            Some(missing) => template.lacking(missing),
            None => template,
        };
        page(server, StatusCode::OK, &template, policy_source(&self.request.redirect).as_deref())
    }
}
