//! Cookies: the session, the known browser, and the form's own.
//!
//! Where the origin is https they carry the `__Host-` prefix, so that no
//! neighbouring host can plant one.
//!
//! Source: RFC 6265bis §4.1.3; RFC 9700 §4.7

use axum::http::{HeaderMap, HeaderValue, header};

use crate::auth::login::{self, BROWSER, SESSION, Session};
use crate::auth::server::{AuthorizationServer, SECOND, ServerError};

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Who is signed in.
    Session,
    /// A browser in which someone has signed in before.
    Browser,
    /// Binds a sign-in form to the browser it was shown in.
    Form,
}

impl Cookie {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-techo-session",
            (Self::Session, false) => "techo-session",
            (Self::Browser, true) => "__Host-techo-browser",
            (Self::Browser, false) => "techo-browser",
            (Self::Form, true) => "__Host-techo-form",
            (Self::Form, false) => "techo-form",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Session => SESSION / SECOND,
            Self::Browser => BROWSER / SECOND,
            Self::Form => 3600,
        }
    }

    /// Its value in a request.
    pub(super) fn read(self, server: &AuthorizationServer, headers: &HeaderMap) -> Option<String> {
        let name = self.name(server.config.secure());
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.to_owned())
    }

    /// A `Set-Cookie` header.
    ///
    /// * `value`: base64url of our own making; empty deletes the cookie.
    pub(super) fn set(self, server: &AuthorizationServer, value: &str) -> Option<HeaderValue> {
        let secure = server.config.secure();
        let age = if value.is_empty() { 0 } else { self.seconds() };
        let tail = if secure { "; Secure" } else { "" };
        let name = self.name(secure);
        HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{tail}")).ok()
    }
}

/// The signed-in session of a request, for every page of the portal.
pub async fn session(server: &AuthorizationServer, headers: &HeaderMap) -> Result<Option<Session>, ServerError> {
    match Cookie::Session.read(server, headers) {
        Some(cookie) => login::session(server, &cookie).await,
        None => Ok(None),
    }
}
