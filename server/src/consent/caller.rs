//! Who calls, for what, and which citizens come into question: what a decision
//! is made from. Plain values, filled by `auth` from the token and by the store
//! from the operator's verified directory; nothing here comes from a request
//! header or from a FHIR write.

use std::sync::Arc;

use super::policy::Policy;
use super::view::{CitizenKey, CustodianKey};
use crate::auth::scope::{self, Scopes};

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The software.
    pub client: Client,
    /// The person signed in; `None` for a backend.
    pub user: Option<User>,
    /// The one purpose of use.
    pub purpose: Purpose,
    /// What the token was granted. Not looked at for the portal.
    pub scopes: Scopes,
    /// The id of the patient in context (`pt-mei`): the bound of `patient/` scopes.
    pub patient: Option<Box<str>>,
}

/// The calling software.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Its id; its Device is `Device/<id>`.
    pub id: Box<str>,
    /// This product's own portal: no scopes, no app Consent.
    pub portal: bool,
    /// The Organization it is registered for.
    pub organization: Option<Organization>,
    /// It may publish its Organization's own records (custodial ingestion).
    pub custodial: bool,
}

/// An Organization of the operator's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// `Organization/org-city`
    pub reference: Box<str>,
    /// Its key as a custodian.
    pub key: CustodianKey,
    /// References of the people who work there by the verified directory. Needed
    /// for a client's Organization, where a call may carry no user: a denial that
    /// names a person also meets those calls.
    pub people: Vec<Box<str>>,
}

/// The person signed in.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// All resources that are this person, by the verified directory:
    /// `Patient/pt-hanako`, `RelatedPerson/rp-hanako-mei`, `Person/hanako`.
    pub references: Vec<Box<str>>,
    /// The one that the ID token names.
    pub fhir_user: Option<Box<str>>,
    /// Where she works.
    pub memberships: Vec<Membership>,
}

/// Work at an Organization.
#[derive(Clone, Debug)]
pub struct Membership {
    /// Where.
    pub organization: Organization,
    /// As what: codes such as those in [`ROLES`].
    pub roles: Vec<Box<str>>,
}

/// Roles in which a user counts as her Organization, and for which purpose.
pub const ROLES: &[(&str, &str)] = &[
    ("physician", "TREAT"),
    ("dentist", "TREAT"),
    ("nurse", "TREAT"),
    ("pharmacist", "TREAT"),
    ("public-health-nurse", "TREAT"),
];

/// A purpose of use: a v3-ActReason code and the codes above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    code: Box<str>,
    ancestors: Vec<Box<str>>,
}

impl Purpose {
    /// * `ancestors`: every code above `code` in v3-ActReason, in any order.
    pub fn new(code: &str, ancestors: &[&str]) -> Self {
        Self { code: code.into(), ancestors: ancestors.iter().map(|&one| one.into()).collect() }
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether a permission for `named` covers this purpose: the same code, and
    /// for `TREAT` the two kinds of treatment below it. No other descendant,
    /// for `TREAT` is an ancestor of population analytics and of break-glass too.
    pub fn permitted_by(&self, named: &str) -> bool {
        *self.code == *named || named == "TREAT" && matches!(&*self.code, "COC" | "ETREAT")
    }

    /// Whether a denial for `named` meets this purpose: the same code or one above.
    pub fn denied_by(&self, named: &str) -> bool {
        *self.code == *named || self.ancestors.iter().any(|above| **above == *named)
    }
}

/// What a caller wants to do with rows of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// read, vread, history of an instance.
    Read,
    /// search, in a type or the system.
    Search,
    /// history of a type or the system.
    History,
    /// create.
    Create,
    /// update, patch, create by update.
    Update,
    /// delete.
    Delete,
}

impl Action {
    /// The letter of a SMART scope that allows it.
    pub fn letter(self) -> scope::Action {
        match self {
            Self::Read => scope::Action::Read,
            Self::Search | Self::History => scope::Action::Search,
            Self::Create => scope::Action::Create,
            Self::Update => scope::Action::Update,
            Self::Delete => scope::Action::Delete,
        }
    }

    /// Whether stored data goes out.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Search | Self::History)
    }
}

/// A citizen who comes into question, with what decides about her.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Her key.
    pub citizen: CitizenKey,
    /// The id of her Patient.
    pub patient: Box<str>,
    /// What the signed-in user is to her; `None` also for calls without a user.
    pub authority: Option<Authority>,
    /// A protective order or a closed account: nothing flows, whatever else holds.
    pub blocked: bool,
    /// Her Consents in force: stored as `active`, their performers still holding
    /// the authority in which they gave them.
    pub consents: Vec<Arc<Policy>>,
}

/// The right to act for a citizen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// As what.
    pub kind: AuthorityKind,
    /// First instant, microseconds since 1970; always, if `None`.
    pub from: Option<i64>,
    /// The instant after the last; for ever, if `None`.
    pub until: Option<i64>,
}

/// As what someone acts for a citizen. A delegate is not here: she sees what a
/// Consent names her for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityKind {
    /// She is the citizen.
    Own,
    /// Verified parent.
    Parent,
    /// Verified guardian.
    Guardian,
}

impl Authority {
    /// The citizen's authority over herself.
    pub const OWN: Self = Self { kind: AuthorityKind::Own, from: None, until: None };

    /// Whether it holds at `now`.
    pub fn holds(&self, now: i64) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

impl Candidate {
    /// Whether the user has authority over her at `now`.
    pub fn under_authority(&self, now: i64) -> bool {
        self.authority.as_ref().is_some_and(|authority| authority.holds(now))
    }
}

impl Caller {
    /// The reference of the client's Device.
    pub fn device(&self) -> String {
        format!("Device/{}", self.client.id)
    }

    /// References by whose naming in a Consent a citizen shares with this caller.
    pub fn shared_with(&self) -> Vec<&str> {
        match (&self.user, &self.client.organization) {
            (Some(user), _) => {
                let work = user.memberships.iter().map(|one| &*one.organization.reference);
                user.references.iter().map(|one| &**one).chain(work).collect()
            }
            (None, Some(organization)) => vec![&*organization.reference],
            (None, None) => Vec::new(),
        }
    }

    /// References by whose naming a Consent may say anything of this caller's calls,
    /// permit or deny: those of [`Self::shared_with`], the software, the Organization it is
    /// registered for, and the people there.
    pub fn concerned_by(&self) -> Vec<String> {
        let mut all: Vec<String> = self.shared_with().into_iter().map(str::to_owned).collect();
        all.push(self.device());
        if let Some(own) = &self.client.organization {
            all.push(own.reference.to_string());
            all.extend(own.people.iter().map(ToString::to_string));
        }
        all.sort();
        all.dedup();
        all
    }

    /// A backend that may publish for its Organization: that Organization's key.
    pub fn publisher(&self) -> Option<CustodianKey> {
        let alone = self.user.is_none() && self.client.custodial;
        self.client.organization.as_ref().filter(|_| alone).map(|organization| organization.key)
    }

    /// The Organization for which a professional acts through this client: one
    /// she works for and the client is registered for.
    pub fn acting_for(&self) -> Option<&Membership> {
        let registered = self.client.organization.as_ref()?;
        let mut memberships = self.user.as_ref()?.memberships.iter();
        memberships.find(|membership| membership.organization.key == registered.key)
    }
}
