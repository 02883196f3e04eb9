//! One file per table that is read as entities.

pub mod access_token;
pub mod account;
pub mod app_grant;
pub mod assertion;
pub mod authority;
pub mod authorization_code;
pub mod client;
pub mod client_redirect;
pub mod failed_sign_in;
pub mod grant_consent;
pub mod known_browser;
pub mod refresh_token;
pub mod session;
