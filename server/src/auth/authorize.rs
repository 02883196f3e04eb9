//! An authorization request: read, checked, and answered by redirect.
//!
//! Until the client and its redirect URI are known to be good, an error is a
//! page; afterwards it goes back to the client, with the state it sent.
//!
//! Source: RFC 6749 §4.1.1; RFC 7636; RFC 9207; OpenID Connect Core §3.1.2.1;
//! SMART App Launch 2.2 §Obtain authorization code

use super::client::Client;
use super::form::Form;
use super::login::Session;
use super::pkce::Challenge;
use super::redirect::with_query;
use super::scope::{Context, Meaning, Scope, Scopes};
use super::server::{AuthorizationServer, SECOND, ServerError};

/// A request that may be put to the person.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: Client,
    /// Where the answer goes.
    pub redirect: String,
    /// Returned as it came.
    pub state: Option<String>,
    /// What could be granted of what was asked.
    pub scopes: Scopes,
    /// PKCE.
    pub challenge: Challenge,
    /// For the ID token.
    pub nonce: Option<String>,
    /// What the client wants of the sign-in.
    pub prompt: Prompt,
    /// The oldest sign-in that will do, in seconds.
    pub max_age: Option<i64>,
}

/// `prompt` of OpenID Connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Show nothing.
    pub none: bool,
    /// Ask for the password, even if she is signed in.
    pub login: bool,
}

/// Why a request goes no further.
#[derive(Debug)]
pub enum AuthorizeError {
    /// Told to the person, for there is nowhere safe to send it.
    Page(PageError),
    /// Told to the client.
    Back(Refusal),
    /// Our own fault.
    Server(ServerError),
}

/// Why there is nowhere safe to send an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageError {
    /// No such client, or not one that people sign in through.
    Client,
    /// Not one of the client's redirect URIs.
    Redirect,
}

/// An error answer to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    redirect: String,
    state: Option<String>,
    issuer: String,
    /// The `error` code.
    pub error: &'static str,
    description: &'static str,
}

impl Refusal {
    /// Where the browser is sent.
    pub fn location(&self) -> String {
        let mut pairs = vec![("error", self.error), ("error_description", self.description)];
        pairs.extend(self.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", &self.issuer));
        with_query(&self.redirect, &pairs)
    }
}

impl From<ServerError> for AuthorizeError {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}

impl AuthorizationRequest {
    /// Reads and checks a request.
    pub async fn parse(server: &AuthorizationServer, form: &Form) -> Result<Self, AuthorizeError> {
        let id = form.one("client_id").ok().flatten().ok_or(AuthorizeError::Page(PageError::Client))?;
        let client = server.client(id).await?.filter(|client| client.kind.has_users());
        let client = client.ok_or(AuthorizeError::Page(PageError::Client))?;
        let redirect = form.one("redirect_uri").ok().flatten().filter(|uri| client.redirects_to(uri));
        let redirect = redirect.ok_or(AuthorizeError::Page(PageError::Redirect))?.to_owned();
        let back = |(error, description)| {
            AuthorizeError::Back(Refusal {
                redirect: redirect.clone(),
                state: form.one("state").ok().flatten().map(str::to_owned),
                issuer: server.config.base(),
                error,
                description,
            })
        };
        let details = Details::parse(server, &client, form).map_err(back)?;
        Ok(Self {
            state: details.state,
            scopes: details.scopes,
            challenge: details.challenge,
            nonce: details.nonce,
            prompt: details.prompt,
            max_age: details.max_age,
            client,
            redirect,
        })
    }

    /// An error answer.
    pub fn refuse(&self, server: &AuthorizationServer, error: &'static str, description: &'static str) -> Refusal {
        Refusal {
            redirect: self.redirect.clone(),
            state: self.state.clone(),
            issuer: server.config.base(),
            error,
            description,
        }
    }

    /// Where the browser is sent with a code.
    pub fn answer(&self, server: &AuthorizationServer, code: &str) -> String {
        let issuer = server.config.base();
        let mut pairs = vec![("code", code)];
        pairs.extend(self.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", &issuer));
        with_query(&self.redirect, &pairs)
    }

    /// Whether the person must give her password (again) before she is asked.
    pub fn wants_sign_in(&self, session: &Session, now: i64) -> bool {
        let too_old = self.max_age.is_some_and(|age| now - session.signed_in > age.saturating_mul(SECOND));
        self.prompt.login || too_old
    }
}

/// The request as it goes on after the password was given: what asked for the
/// password is answered, and would ask for ever.
pub fn after_sign_in(form: &Form) -> Form {
    form.without(|name, value| name == "max_age" || (name == "prompt" && value != "none"))
}

/// What is read once errors may go back to the client.
struct Details {
    state: Option<String>,
    scopes: Scopes,
    challenge: Challenge,
    nonce: Option<String>,
    prompt: Prompt,
    max_age: Option<i64>,
}

type Fault = (&'static str, &'static str);

const TWICE: Fault = ("invalid_request", "a parameter came more than once");

impl Details {
    fn parse(server: &AuthorizationServer, client: &Client, form: &Form) -> Result<Self, Fault> {
        let one = |name| form.one(name).map_err(|_| TWICE);
        match one("response_type")? {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "response_type must be code")),
            None => return Err(("invalid_request", "response_type is missing")),
        }
        if one("request")?.is_some() {
            return Err(("request_not_supported", "send the parameters themselves"));
        }
        if one("request_uri")?.is_some() {
            return Err(("request_uri_not_supported", "send the parameters themselves"));
        }
        if one("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "response_mode must be query"));
        }
        let challenge = Challenge::parse(one("code_challenge")?, one("code_challenge_method")?);
        let challenge = challenge
            .map_err(|_| ("invalid_request", "PKCE is required: code_challenge of method S256, 43 characters"))?;
        let base = server.config.base();
        if one("aud")?.is_none_or(|aud| aud.strip_suffix('/').unwrap_or(aud) != base) {
            return Err(("invalid_request", "aud must be this server's FHIR base"));
        }
        if one("launch")?.is_some() {
            return Err(("invalid_request", "the launch is unknown, used or expired"));
        }
        let asked = Scopes::known(one("scope")?.unwrap_or_default());
        let scopes = asked.only(|scope| may_be_asked(server, client, scope));
        if scopes.is_empty() {
            return Err(("invalid_scope", "none of the scopes asked for can be granted to this client"));
        }
        let max_age = match one("max_age")? {
            Some(text) => Some(text.parse::<u32>().map_err(|_| ("invalid_request", "max_age must be a number"))?),
            None => None,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self {
            state: owned(one("state")?),
            nonce: owned(one("nonce")?),
            prompt: prompt(one("prompt")?.unwrap_or_default())?,
            max_age: max_age.map(i64::from),
            scopes,
            challenge,
        })
    }
}

fn prompt(text: &str) -> Result<Prompt, Fault> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    if words.contains(&"none") && words.len() > 1 {
        return Err(("invalid_request", "prompt none stands alone"));
    }
    Ok(Prompt { none: words.contains(&"none"), login: words.contains(&"login") || words.contains(&"select_account") })
}

/// Whether a scope may be put to a person at all. `launch` and contexts other
/// than the patient come from an EHR, and none has opened this application.
fn may_be_asked(server: &AuthorizationServer, client: &Client, scope: &Scope) -> bool {
    let fits = match scope.meaning() {
        Meaning::OpenId | Meaning::FhirUser | Meaning::OfflineAccess | Meaning::OnlineAccess => true,
        Meaning::LaunchContext(context) => context.as_ref() == "patient",
        Meaning::Launch | Meaning::CreateLaunch | Meaning::Introspect => false,
        Meaning::Resource(own) => match own.context {
            Context::Patient | Context::User => server.config.gives(scope).is_ok(),
            Context::System => false,
        },
    };
    fits && client.scopes.cover(scope)
}
