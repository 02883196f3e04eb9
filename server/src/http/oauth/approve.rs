//! `/oauth/approve`: the person's answer.
//!
//! The application's request comes back with the form and is checked anew, so
//! that nothing rests on what a browser may have changed.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::OauthState;
use super::authorize::{Visit, visit};
use super::page::{failed, language, see_other, stale_form};
use crate::auth::approve::{Answer, Approved, grant};
use crate::auth::form::Form;
use crate::portal::pages::Before;
use crate::secret::same;

pub(super) async fn post(State(server): State<OauthState>, headers: HeaderMap, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let language = language(&form, &headers);
    let request = Form::parse(form.one("request").ok().flatten().unwrap_or_default().as_bytes());
    let visit = match visit(&server, &headers, &request, language).await {
        Ok(visit) => visit,
        Err(answer) => return *answer,
    };
    let sent = form.one("csrf").ok().flatten().unwrap_or_default();
    if !same(visit.session.csrf.as_bytes(), sent.as_bytes()) {
        return stale_form(&server, language);
    }
    let answer = Answer {
        ticked: form.all("scope").map(str::to_owned).collect(),
        all: form.all("all").next().is_some(),
        patient: form.all("patient").next().filter(|id| !id.is_empty()).map(str::to_owned),
    };
    match form.one("decision").ok().flatten() {
        Some("allow") => allow(&server, &visit, answer).await,
        Some("deny") => {
            let refusal = visit.request.refuse(&server, "access_denied", "the person did not allow it");
            see_other(&refusal.location())
        }
        _ => visit.show(&server, &before(&answer), None),
    }
}

async fn allow(server: &OauthState, visit: &Visit, answer: Answer) -> Response {
    let (scopes, patient) = match visit.offer.decide(&visit.request.scopes, &answer) {
        Ok(decided) => decided,
        Err(missing) => return visit.show(server, &before(&answer), Some(missing)),
    };
    let picked = patient.as_ref().map(|patient| patient.patient.as_str());
    let shown = visit.page(&Before::default()).shown(&scopes, picked);
    let approved =
        Approved { request: &visit.request, session: &visit.session, scopes, patient, language: visit.language, shown };
    match grant(server, approved).await {
        Ok(location) => see_other(&location),
        Err(error) => failed(server, visit.language, &error),
    }
}

fn before(answer: &Answer) -> Before {
    Before { ticked: answer.ticked.clone(), patient: answer.patient.clone() }
}
