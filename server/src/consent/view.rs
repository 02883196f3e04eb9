//! What one caller may see at one instant, as pure data.
//!
//! The constructor is private to `consent`: no other block can make a [`View`],
//! and the store answers nothing without one. A row is visible when one of the
//! view's [`Branch`]es reaches it and that branch's predicate for its type holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::predicate::Predicate;

/// The key of one citizen: the row id of her Patient.
pub type CitizenKey = i64;
/// The key of a custodian: the row id of an Organization, or of the Patient
/// whose own the record is.
pub type CustodianKey = i64;

/// What one caller may see.
#[derive(Clone, Debug, Default)]
pub struct View {
    branches: Vec<Branch>,
    citizens_side: bool,
}

/// One reason for which rows are visible.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Which rows this is about.
    pub reach: Reach,
    /// The condition by resource type; a type that is missing is not visible.
    pub types: TypeRules,
}

/// Which rows a [`Branch`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Records of these citizens (sole subject, or every subject among those this
    /// branch and its like permit).
    Citizens(Vec<CitizenKey>),
    /// Records in this custodian's keeping, whoever they are about.
    Custodian(CustodianKey),
    /// The shared list of types without a subject (conformance, terminology,
    /// Organization, Practitioner, …).
    Shared,
    /// Every row: for the server's own work, under a named purpose.
    Everything,
    /// One resource, by type and id, identity elements only.
    Identity {
        /// Resource type.
        kind: Box<str>,
        /// Resource id.
        id: Box<str>,
    },
}

/// The condition under which rows of a type are visible.
#[derive(Clone, Debug, Default)]
pub struct TypeRules {
    /// For types not named below; `None` hides them.
    pub rest: Option<Arc<Predicate>>,
    /// For single types; overrides `rest`.
    pub named: BTreeMap<Box<str>, Arc<Predicate>>,
}

impl TypeRules {
    /// The condition for `kind`; `None` if its rows are not visible at all.
    pub fn of(&self, kind: &str) -> Option<&Predicate> {
        self.named.get(kind).or(self.rest.as_ref()).map(Arc::as_ref).filter(|rule| **rule != Predicate::Never)
    }
}

impl View {
    /// A view that shows what `branches` reach.
    ///
    /// * `citizens_side`: the answers go to the citizen herself or her guardian
    ///   in the portal, so the notice on completeness is not needed.
    pub(in crate::consent) fn new(branches: Vec<Branch>, citizens_side: bool) -> Self {
        Self { branches, citizens_side }
    }

    /// The reasons for which rows are visible.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// Whether the answers stay on the citizen's own side.
    pub fn citizens_side(&self) -> bool {
        self.citizens_side
    }
}
