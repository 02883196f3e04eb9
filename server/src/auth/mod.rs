//! Who is calling, and how applications come to call on a person's behalf.
//!
//! `scope` says what a token may be asked for; `authorize`, `login` and
//! `approve` are the browser's way to a code; `grant` turns codes, refresh
//! tokens and signed assertions into access tokens; `bearer` reads an access
//! token at every request; `register` is the operator's side. Nothing here knows HTTP: `http/oauth` carries
//! requests in and answers out.

pub mod approve;
pub mod assertion;
pub mod authenticate;
pub mod authorize;
pub mod bearer;
pub mod client;
pub mod discovery;
pub mod error;
pub mod form;
pub mod grant;
pub mod id_token;
pub mod introspect;
pub mod jwks;
pub mod keys;
pub mod login;
pub mod password;
pub mod person;
pub mod pkce;
pub mod redirect;
pub mod register;
pub mod revoke;
pub mod scope;
pub mod server;
pub mod wording;

pub use bearer::{AuthError, Bearer, authenticate};
