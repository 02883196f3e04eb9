//! What the caller may see and do: the one place that builds a [`View`].
//!
//! FHIR Consents come in as JSON, are compiled once ([`policy`]) and asked at
//! each call ([`decide()`]); what comes out is data that the store turns into SQL.
//! Nothing here reads a clock, a socket or a table.
//!
//! To evaluate one more element of a provision: read it in [`policy`], keep it
//! in [`rule::Node`], ask it there, and add it to the brute-force evaluator,
//! which must agree without sharing code.
//!
//! Source: FHIR R4 consent.html; IHE Privacy Consent on FHIR

#[cfg(test)]
mod agreement;
#[cfg(any(test, feature = "testing"))]
pub mod brute;
pub mod caller;
pub mod clinical;
pub mod decide;
pub mod filed;
#[cfg(test)]
mod fixtures;
pub mod gate;
pub mod instant;
pub mod label;
pub mod listed;
pub mod policy;
pub mod predicate;
pub mod rule;
pub mod stance;
pub mod subject;
pub mod supersede;
pub mod view;
#[cfg(any(test, feature = "testing"))]
pub mod worlds;
pub mod write;

pub use caller::{Action, Caller, Candidate};
pub use decide::{Work, decide, system};
pub use gate::{Access, Gate};
pub use policy::Policy;
pub use view::View;
