//! Who a user is, and for whom she may act.

use std::str::FromStr;

use super::client::{BadRow, Purposes};
use crate::store::entity::{account, authority};

/// What sort of account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A citizen, guardian or relative.
    Person,
    /// Someone who works with patients.
    Professional,
    /// Upkeep and review; no clinical data.
    Operator,
}

impl AccountKind {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Professional => "professional",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for AccountKind {
    type Err = BadRow;

    fn from_str(text: &str) -> Result<Self, BadRow> {
        [Self::Person, Self::Professional, Self::Operator]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(BadRow { table: "account", column: "kind" })
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Stable and opaque: the `sub` of ID tokens.
    pub id: String,
    /// Her sign-in name.
    pub name: String,
    /// What sort of account she has.
    pub kind: AccountKind,
    /// Who she is: `Type/id`.
    pub fhir_user: Option<String>,
    /// Id of her own Patient.
    pub patient: Option<String>,
    /// Id of the Organization she works for.
    pub organization: Option<String>,
}

impl User {
    /// Reads a stored account.
    pub fn of(row: account::Model) -> Result<Self, BadRow> {
        Ok(Self {
            kind: row.kind.parse()?,
            id: row.id,
            name: row.name,
            fhir_user: row.fhir_user,
            patient: row.patient,
            organization: row.organization,
        })
    }
}

/// As what someone acts for a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// She is the patient.
    Own,
    /// Parent or guardian.
    Guardian,
    /// Asked by the person herself or her guardian.
    Delegate,
}

impl Relation {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::Guardian => "guardian",
            Self::Delegate => "delegate",
        }
    }

    /// The purpose of use under which `purposes` has her act.
    pub fn purpose(self, purposes: &Purposes) -> &str {
        match self {
            Self::Own => &purposes.own,
            Self::Guardian => &purposes.guardian,
            Self::Delegate => &purposes.delegate,
        }
    }
}

impl FromStr for Relation {
    type Err = BadRow;

    fn from_str(text: &str) -> Result<Self, BadRow> {
        [Self::Own, Self::Guardian, Self::Delegate]
            .into_iter()
            .find(|relation| relation.name() == text)
            .ok_or(BadRow { table: "authority", column: "kind" })
    }
}

/// A patient for whom a user may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActsFor {
    /// Id of the Patient.
    pub patient: String,
    /// As what.
    pub relation: Relation,
    /// Id of the `RelatedPerson` that stands for it.
    pub related_person: Option<String>,
    /// Whether she may connect applications to the patient's records.
    pub with_apps: bool,
}

impl ActsFor {
    /// Reads a stored authority.
    pub fn of(row: authority::Model) -> Result<Self, BadRow> {
        let relation: Relation = row.kind.parse()?;
        Ok(Self {
            patient: row.patient,
            relation,
            related_person: row.related_person,
            with_apps: relation != Relation::Delegate || row.with_apps,
        })
    }
}
