//! Who is calling, and how applications come to call on a person's behalf.
//!
//! `scope` says what a token may be asked for; `authorize`, `login` and
//! `approve` are the browser's way to a code; `grant` turns codes, refresh
//! tokens and signed assertions into access tokens; [`authenticate`] reads an
//! access token at every request. Nothing here knows HTTP: `http/oauth` carries
//! requests in and answers out.

pub mod assertion;
pub mod authenticate;
pub mod client;
pub mod error;
pub mod form;
pub mod grant;
pub mod id_token;
pub mod jwks;
pub mod keys;
pub mod login;
pub mod password;
pub mod person;
pub mod pkce;
pub mod redirect;
pub mod scope;
pub mod server;
