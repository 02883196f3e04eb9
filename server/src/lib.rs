//! Techo: FHIR R4 for personal health records, with the citizen's Consent inside every query.
//!
//! Code flows one way, from socket to SQL: `http` → `dispatch` → `interaction`
//! and `operation` → `consent`, `search` → `store`. Each block may use the
//! blocks below it, never above; `docs/src/reference/architecture.md` has the map.

pub mod app;
pub mod auth;
pub mod base;
pub mod circles;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod dispatch;
pub mod http;
pub mod import;
pub mod interaction;
pub mod job;
pub mod my_number;
pub mod operation;
pub mod portal;
pub mod random;
pub mod search;
pub mod secret;
pub mod server;
pub mod store;
