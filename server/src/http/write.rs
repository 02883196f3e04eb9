//! `POST`, `PUT`, `PATCH` and `DELETE` below `/fhir`: of the resource that the path names,
//! or of what its query finds.
//!
//! Source: FHIR R4 http.html#create, #update, #patch, #delete, #cond-update

use axum::body::Body;
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use techo_profiles::Definitions;

use super::binary::without_context;
use super::fhir::{Head, Named, Received, insert, received};
use super::negotiate;
use super::operation::{self, Sent};
use crate::interaction::patch::{MEDIA, Patch};
use crate::interaction::{Error, Interaction, Location, Target, Which, is_id, no_id};

type Answer = Response<Body>;

/// `POST [type]`, and `POST /fhir/$operation`.
pub async fn create(head: Head, Named(kind): Named<String>, body: Received) -> Answer {
    if let Some(name) = kind.strip_prefix('$') {
        let sent = Sent { method: Method::POST, head, body };
        return operation::run(Ok(Target::System), name, sent).await;
    }
    let interaction = || {
        negotiate::unconditional(&head.headers)?;
        without_context(&head.headers, Some(&kind))?;
        let unless = negotiate::if_none_exist(&head.headers)?;
        Ok(Interaction::Create { kind, body: resource(&head.headers, body)?, unless })
    };
    let interaction = interaction();
    head.answer(interaction).await
}

/// `POST [base]`: a batch or transaction.
pub async fn bundle(head: Head, body: Received) -> Answer {
    let interaction = without_context(&head.headers, None).and_then(|()| resource(&head.headers, body));
    let interaction = interaction.map(Interaction::Bundle);
    head.answer(interaction).await
}

/// `PUT [type]/[id]`
pub async fn update(head: Head, Named((kind, id)): Named<(String, String)>, body: Received) -> Answer {
    let known = Definitions::embedded().type_number(&kind).is_some();
    let to = if known && !is_id(&id) { Err(no_id(&kind)) } else { Location::named(kind, id).map(Which::At) };
    updated(head, to, body).await
}

/// `PUT [type]?…`
pub async fn update_matching(head: Head, Named(kind): Named<String>, body: Received) -> Answer {
    let to = matching(kind, &head);
    updated(head, to, body).await
}

async fn updated(head: Head, to: Result<Which, Error>, body: Received) -> Answer {
    let interaction = || {
        let (to, expected) = (to?, negotiate::expected(&head.headers)?);
        without_context(&head.headers, Some(to.kind()))?;
        Ok(Interaction::Update { to, body: resource(&head.headers, body)?, expected })
    };
    let interaction = interaction();
    head.answer(interaction).await
}

/// `PATCH [type]/[id]`
pub async fn patch(head: Head, Named((kind, id)): Named<(String, String)>, body: Received) -> Answer {
    patched(head, Location::named(kind, id).map(Which::At), body).await
}

/// `PATCH [type]?…`
pub async fn patch_matching(head: Head, Named(kind): Named<String>, body: Received) -> Answer {
    let to = matching(kind, &head);
    patched(head, to, body).await
}

async fn patched(head: Head, to: Result<Which, Error>, body: Received) -> Answer {
    let interaction = || {
        let (to, expected) = (to?, negotiate::expected(&head.headers)?);
        without_context(&head.headers, Some(to.kind()))?;
        let form = negotiate::patch_form(&head.headers)?;
        let patch = Patch { form, body: received(body)?.into() };
        Ok(Interaction::Patch { to, patch, expected })
    };
    let interaction = interaction();
    let mut response = head.answer(interaction).await;
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        insert(response.headers_mut(), ACCEPT_PATCH, &MEDIA.join(", "));
    }
    response
}

/// `DELETE [type]/[id]`
pub async fn delete(head: Head, Named((kind, id)): Named<(String, String)>) -> Answer {
    deleted(head, Location::named(kind, id).map(Which::At)).await
}

/// `DELETE [type]?…`
pub async fn delete_matching(head: Head, Named(kind): Named<String>) -> Answer {
    let to = matching(kind, &head);
    deleted(head, to).await
}

async fn deleted(head: Head, to: Result<Which, Error>) -> Answer {
    let interaction = || Ok(Interaction::Delete { to: to?, expected: negotiate::expected(&head.headers)? });
    let interaction = interaction();
    head.answer(interaction).await
}

/// What the query of a URL is to find.
fn matching(kind: String, head: &Head) -> Result<Which, Error> {
    if Definitions::embedded().type_number(&kind).is_none() {
        return Err(Error::UnknownType(kind));
    }
    Ok(Which::Matching { kind, query: head.text.clone() })
}

fn resource(headers: &HeaderMap, body: Received) -> Result<Vec<u8>, Error> {
    negotiate::readable(headers)?;
    received(body).map(Vec::from)
}

/// RFC 5789 §3.1
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
