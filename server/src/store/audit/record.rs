//! One audit record: who did what, to whose data, why, under which decision.
//!
//! A record is written as its fields, each led by a tag and a length, so that
//! a later version reads what an earlier one wrote and skips what it does not
//! know. The query is sealed inside the record: names and numbers that people
//! search for are nowhere in the log in plain.
//!
//! To add a field: a member here, a tag in `codec.rs`, a line on each side.

use std::sync::Arc;

pub(super) use super::kind::Kind;
use crate::consent::view::CitizenKey;

/// The owner of records that disclose nobody's data: sign-ins, refusals, upkeep.
pub const NOBODY: CitizenKey = 0;

/// One audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// A code that says more (`scope-missing`, `client-add`). Never a patient's value.
    pub reason: Option<Box<str>>,
    /// The client program; its reference is `Device/<client_id>`.
    pub client: Option<Party>,
    /// The person.
    pub user: Option<Party>,
    /// The organization the person or client acted for.
    pub organization: Option<Party>,
    /// Purpose of use, a v3-ActReason code.
    pub purpose: Option<Box<str>>,
    /// The client's network address.
    pub address: Option<Box<str>>,
    /// The token's public id. Never the token.
    pub token: Option<Box<str>>,
    /// The request's id, as sent back in `X-Request-Id`.
    pub request: Option<Box<str>>,
    /// `GET`, `POST`, …
    pub method: Option<Box<str>>,
    /// The path below the FHIR base and what followed `?` (or the form of a
    /// `_search`), as it came: `Observation?patient=x`.
    pub query: Option<Box<str>>,
    /// The one resource this is about: `Observation/x/_history/2`.
    pub resource: Option<Box<str>>,
    /// Whose data was disclosed or changed: one `AuditEvent` each; of each citizen one.
    pub patients: Vec<Disclosed>,
    /// The id a write's row had in its transaction; set by [`super::row`] alone.
    pub(in crate::store::audit) write: Option<[u8; 16]>,
}

/// Someone, or some program, who took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// `Patient/pt-hanako`, `Device/app-public`, …
    pub reference: Box<str>,
    /// The name as it was then, for people who read the log later.
    pub name: Option<Box<str>>,
}

/// What was disclosed of one citizen, and why that was allowed.
///
/// Counts and decision are hers alone: her event says nothing of the others
/// whom the same answer held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// The citizen's key.
    pub citizen: CitizenKey,
    /// Her Patient's id.
    pub patient: Box<str>,
    /// The layer that decided.
    pub layer: Option<Layer>,
    /// The deciding Consents, with their versions.
    pub consents: Vec<Consented>,
    /// How many resources of which type.
    pub counts: Vec<(Box<str>, u32)>,
}

/// A Consent that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consented {
    /// Id of the Consent.
    pub id: Arc<str>,
    /// Its version then.
    pub version: u64,
}

/// The layer of `consent.md` §2 that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// L0: an absolute block.
    Block,
    /// L1: client registration, scopes, launch compartment.
    Scope,
    /// L2: the operator's policy.
    Operator,
    /// L3: the citizen's Consents.
    Consent,
    /// L4: break-glass or a declared disaster.
    Emergency,
    /// The citizen herself.
    Own,
    /// Authority over the citizen: parent, guardian, delegate.
    Authority,
    /// The publisher of the record.
    Custodian,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Success,
    /// Refused or failed on the asker's side.
    Refused,
    /// Failed on ours.
    Failed,
    /// Something is wrong with the system itself.
    Broken,
}

impl Record {
    /// A record with nothing but its time, kind and outcome.
    pub fn new(at: i64, kind: Kind, outcome: Outcome) -> Self {
        Self {
            at,
            kind,
            outcome,
            reason: None,
            client: None,
            user: None,
            organization: None,
            purpose: None,
            address: None,
            token: None,
            request: None,
            method: None,
            query: None,
            resource: None,
            patients: Vec::new(),
            write: None,
        }
    }
}

impl Party {
    /// A party by reference.
    pub fn new(reference: impl Into<Box<str>>, name: Option<&str>) -> Self {
        Self { reference: reference.into(), name: name.map(Into::into) }
    }
}

impl Disclosed {
    /// A citizen whose data was touched, without more.
    pub fn of(citizen: CitizenKey, patient: impl Into<Box<str>>) -> Self {
        Self { citizen, patient: patient.into(), layer: None, consents: Vec::new(), counts: Vec::new() }
    }
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Block,
        Self::Scope,
        Self::Operator,
        Self::Consent,
        Self::Emergency,
        Self::Own,
        Self::Authority,
        Self::Custodian,
    ];

    /// Its number in the log. Never changed.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Block => 0,
            Self::Scope => 1,
            Self::Operator => 2,
            Self::Consent => 3,
            Self::Emergency => 4,
            Self::Own => 5,
            Self::Authority => 6,
            Self::Custodian => 7,
        }
    }

    /// Its code in an `AuditEvent`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Block => "absolute-block",
            Self::Scope => "scope",
            Self::Operator => "operator-policy",
            Self::Consent => "citizen-consent",
            Self::Emergency => "emergency",
            Self::Own => "own-record",
            Self::Authority => "authority",
            Self::Custodian => "custodian",
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Success, Self::Refused, Self::Failed, Self::Broken];

    /// FHIR's code, which is its number in the log too.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 4,
            Self::Failed => 8,
            Self::Broken => 12,
        }
    }
}
