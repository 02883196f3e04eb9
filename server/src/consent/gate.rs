//! May the caller do this with resources of this type at all? Known from the
//! token alone, before any data is looked up, so that 403 never tells whether
//! something is stored.

use super::caller::{Action, Caller};
use super::subject::{SHARED, WITH_COMPARTMENT, in_compartment};
use crate::auth::scope::{Context, Grant, Meaning, Scopes};

/// The answer of a [`Gate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Never: 403.
    No,
    /// For the rows that the view shows.
    Yes,
}

/// What a caller may do at all.
#[derive(Clone, Debug)]
pub struct Gate {
    portal: bool,
    scopes: Scopes,
    contexts: Vec<Context>,
    identity: Option<Box<str>>,
    has_user: bool,
}

impl Gate {
    /// The gate of `caller`.
    pub fn of(caller: &Caller) -> Self {
        let identity = caller.user.as_ref().and_then(|user| user.fhir_user.as_deref());
        let identity = identity.filter(|_| caller.scopes.has(&Meaning::FhirUser)).and_then(|own| own.split_once('/'));
        Self {
            portal: caller.client.portal,
            scopes: caller.scopes.clone(),
            contexts: contexts(caller),
            identity: identity.map(|(kind, _)| kind.into()),
            has_user: caller.user.is_some(),
        }
    }

    /// The gate of nobody: the server's own work asks for nothing by type.
    pub(in crate::consent) fn closed() -> Self {
        Self { portal: false, scopes: Scopes::default(), contexts: Vec::new(), identity: None, has_user: false }
    }

    /// Whether `action` on resources of type `kind` can be allowed.
    pub fn may(&self, action: Action, kind: &str) -> Access {
        // Nobody writes the record of who looked; a recipient does not learn what it holds.
        if kind == "AuditEvent" && (!action.reads() || !self.has_user) {
            return Access::No;
        }
        // A person's Consent is revoked, never deleted; a publisher may take back its own.
        if kind == "Consent" && action == Action::Delete && self.has_user {
            return Access::No;
        }
        let identity = action == Action::Read && self.identity.as_deref() == Some(kind);
        if self.portal || identity || self.contexts.iter().any(|&context| self.scoped(context, action, kind)) {
            Access::Yes
        } else {
            Access::No
        }
    }

    fn scoped(&self, context: Context, action: Action, kind: &str) -> bool {
        let granted = self.scopes.allows(context, kind, action.letter()) != Grant::No;
        granted && (context != Context::Patient || in_patient_scopes(kind) || action.reads() && SHARED.contains(&kind))
    }
}

/// The contexts in which the caller's scopes count: `patient/` needs a patient,
/// `user/` a user, `system/` none.
pub(super) fn contexts(caller: &Caller) -> Vec<Context> {
    let user = if caller.user.is_some() { Context::User } else { Context::System };
    caller.patient.iter().map(|_| Context::Patient).chain([user]).collect()
}

/// Whether rows of `kind` can be reached by a `patient/` scope.
pub(super) fn in_patient_scopes(kind: &str) -> bool {
    in_compartment(kind) || WITH_COMPARTMENT.contains(&kind)
}

/// Whether a `patient/` scope that names `kind` ever allows anything: a record of the
/// patient's, or to read what is shared. One that never does is not granted, or an
/// application would be told that it has what every request refuses.
pub fn patient_scopes_reach(kind: &str) -> bool {
    in_patient_scopes(kind) || SHARED.contains(&kind)
}
