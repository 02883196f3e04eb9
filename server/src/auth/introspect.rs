//! What a token is good for, told to resource servers and to the client itself.
//!
//! A client sees its own tokens; one that holds the `introspect` scope sees
//! everyone's. Of any other token the answer is the same as of one that never was.
//!
//! Source: RFC 7662; SMART App Launch 2.2 §Token introspection

use serde::Serialize;

use super::authenticate::{self, Request};
use super::bearer::{self, AuthError, Bearer, authenticate};
use super::error::OauthError;
use super::form::Form;
use super::scope::Meaning;
use super::server::{AuthorizationServer, SECOND};

/// The answer; only `active` where it is false.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    fhir_user: Option<String>,
}

/// Answers a request to the introspection endpoint.
pub async fn answer(
    server: &AuthorizationServer,
    authorization: Option<&str>,
    form: &Form,
) -> Result<Introspection, OauthError> {
    let asker = asker(server, authorization, form).await?;
    let token = form.one("token")?.ok_or_else(|| OauthError::Request("token is missing".to_owned()))?;
    match authenticate(&server.accounts, token, server.clock.micros()).await {
        Ok(bearer) if asker.sees(&bearer) => Ok(describe(server, &bearer)),
        Ok(_) | Err(AuthError::Missing | AuthError::Invalid) => Ok(Introspection::default()),
        Err(AuthError::Server(error)) => Err(error.into()),
    }
}

struct Asker {
    client: String,
    of_all: bool,
}

impl Asker {
    fn sees(&self, bearer: &Bearer) -> bool {
        self.of_all || self.client == bearer.client
    }
}

async fn asker(server: &AuthorizationServer, authorization: Option<&str>, form: &Form) -> Result<Asker, OauthError> {
    if let Ok(token) = bearer::token(authorization) {
        let refused = OauthError::Client("the bearer token does not hold the introspect scope");
        return match authenticate(&server.accounts, token, server.clock.micros()).await {
            Ok(bearer) if bearer.scopes.has(&Meaning::Introspect) => Ok(Asker { client: bearer.client, of_all: true }),
            Ok(_) | Err(AuthError::Missing | AuthError::Invalid) => Err(refused),
            Err(AuthError::Server(error)) => Err(error.into()),
        };
    }
    let client = authenticate::required(server, Request { authorization, form }).await?;
    if client.secret.is_none() && client.keys == super::client::ClientKeys::None {
        return Err(OauthError::Client("a public client cannot prove itself: send a bearer token that may introspect"));
    }
    Ok(Asker { of_all: client.scopes.has(&Meaning::Introspect), client: client.id })
}

fn describe(server: &AuthorizationServer, bearer: &Bearer) -> Introspection {
    let base = server.config.base();
    let user = bearer.user.as_ref().filter(|_| bearer.with_id_token);
    let fhir_user = user.filter(|_| bearer.scopes.has(&Meaning::FhirUser)).and_then(|user| user.fhir_user.as_ref());
    Introspection {
        active: true,
        scope: Some(bearer.scopes.to_string()),
        client_id: Some(bearer.client.clone()),
        token_type: Some("Bearer"),
        exp: Some(bearer.expires / SECOND),
        iat: Some(bearer.issued / SECOND),
        patient: bearer.patient.clone(),
        iss: user.map(|_| base.clone()),
        sub: user.map(|user| user.id.clone()),
        fhir_user: fhir_user.map(|user| format!("{base}/{user}")),
    }
}
