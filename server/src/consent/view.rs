//! What one caller may see at one instant, as pure data.
//!
//! The constructor is private to `consent`: no other block can make a [`View`],
//! and the store answers nothing without one. A row is visible when one of the
//! view's [`Branch`]es reaches it and that branch's predicate for its type holds.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::caller::Action;
use super::clinical::Facts;
use super::gate::{Access, Gate};
use super::predicate::Predicate;
use super::stance::StanceKey;

/// The key of one citizen: the row id of her Patient.
pub type CitizenKey = i64;
/// The key of a custodian: the row id of an Organization, or of the Patient
/// whose own the record is.
pub type CustodianKey = i64;

/// What one caller may see at one instant.
///
/// What was decided is kept between requests and shared; the instant is that of one
/// request ([`View::at`]), and all that stands or has ended at a time is asked for it.
#[derive(Clone, Debug)]
pub struct View {
    decided: Arc<Decided>,
    now: i64,
}

#[derive(Clone, Debug)]
struct Decided {
    branches: Vec<Branch>,
    citizens_side: bool,
    gate: Gate,
    whole: Whole,
    made: Made,
}

/// What was made of a decision and is kept with it, for as long as the decision is
/// ([`crate::circles`]). Of a decision that differs nothing is made yet.
#[derive(Debug, Default)]
struct Made {
    beside: OnceLock<Arc<Decided>>,
    spelled: Mutex<HashMap<Spelling, Arc<dyn Any + Send + Sync>>>,
}

impl Clone for Made {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Of which condition something was made: the type's number, whether of past versions,
/// and what the row is called.
type Spelling = (u16, bool, Box<str>);

/// Conditions and statements kept of one decision: a caller asks for a few types again and again.
const SPELLED: usize = 32;

/// Of which visible rows nothing is taken out on the way: what they say of records
/// that are hidden is no secret to this caller.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Those for whom the caller may act.
    pub citizens: Vec<CitizenKey>,
    /// Their records of which types; `None` for all.
    pub kinds: Option<&'static [&'static str]>,
    /// In whose keeping the caller's own are.
    pub custodian: Option<CustodianKey>,
    /// Id of the Patient for whom the caller's own app was approved: who she is is no
    /// secret to it, whatever it may read of her.
    pub patient: Option<Box<str>>,
}

impl Whole {
    /// Whether this is the Patient for whom an app was approved.
    pub fn knows(&self, kind: &str, id: &str) -> bool {
        kind == "Patient" && self.patient.as_deref() == Some(id)
    }

    /// Whether the row is such a record of one for whom the caller may act, or in the
    /// caller's keeping. `store/visible.rs` (`covered`) says the same in SQL.
    pub fn covers(&self, kind: &str, custodian: CustodianKey, citizen: Option<CitizenKey>, several: bool) -> bool {
        let own = !several && citizen.is_some_and(|citizen| self.citizens.contains(&citizen));
        own && self.kinds.is_none_or(|kinds| kinds.contains(&kind)) || self.custodian == Some(custodian)
    }
}

/// One reason for which rows are visible.
///
/// A row about one citizen is visible when some branch reaches it and that
/// branch's condition for its type holds. A row about several is visible through
/// branches of [`Reach::Citizens`] and [`Reach::Others`] only when *each* of its subjects is named by
/// such a branch whose condition for its type holds on the row; which branch
/// that is may differ from subject to subject. In SQL: `NOT EXISTS (subject s of
/// the row for which no branch both names s and holds)`. A branch of
/// [`Reach::Custodian`] asks nothing of the subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Records of any citizen but some.
    Others(But),
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

/// Who is left out of a branch about everyone else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct But {
    /// Those of whom other branches speak.
    pub citizens: Vec<CitizenKey>,
    /// Those who say something that was not heard, if not all was.
    pub unheard: Option<Unheard>,
}

/// Consents that stand and concern the caller, of other stances than those decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// The stances that were decided about.
    pub heard: Vec<StanceKey>,
    /// By whose naming a stance concerns the caller; those that name nobody do too.
    pub actors: Vec<String>,
}

/// A stored resource, as far as its visibility goes.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its id.
    pub id: &'a str,
    /// What conditions ask.
    pub facts: &'a Facts,
    /// The citizens it is about.
    pub subjects: &'a [CitizenKey],
}

/// The condition under which rows of a type are visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// * `gate`: what the caller may do at all, known before any data is.
    pub(in crate::consent) fn new(branches: Vec<Branch>, citizens_side: bool, gate: Gate) -> Self {
        let (whole, made) = (Whole::default(), Made::default());
        Self { decided: Arc::new(Decided { branches, citizens_side, gate, whole, made }), now: 0 }
    }

    /// The same decision for another instant, microseconds since 1970. Good as long as
    /// nothing that it was made from says otherwise ([`crate::circles`]).
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        Self { decided: self.decided.clone(), now }
    }

    /// The instant that it is for.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// With what goes out whole.
    #[must_use]
    pub(in crate::consent) fn telling(self, whole: Whole) -> Self {
        Self { decided: Arc::new(Decided { whole, ..Arc::unwrap_or_clone(self.decided) }), now: self.now }
    }

    /// It is the server's own, for work under a named purpose.
    pub fn is_everything(&self) -> bool {
        self.decided.branches.iter().any(|branch| branch.reach == Reach::Everything)
    }

    /// What goes out whole.
    pub fn whole(&self) -> &Whole {
        &self.decided.whole
    }

    /// A view for the tests of what reads one.
    #[cfg(test)]
    pub(crate) fn sample(reach: Reach) -> Self {
        let types = TypeRules { rest: Some(Arc::new(Predicate::Always)), named: BTreeMap::new() };
        Self::new(vec![Branch { reach, types }], false, Gate::closed())
    }

    /// The view of a caller who is shown everything, a list with all that is on it.
    #[cfg(test)]
    pub(crate) fn sample_of_lists() -> Self {
        let rest = Predicate::Lists(Box::new(Predicate::Always));
        let types = TypeRules { rest: Some(Arc::new(rest)), named: BTreeMap::new() };
        Self::new(vec![Branch { reach: Reach::Everything, types }], false, Gate::closed())
    }

    /// The view of a caller with whom many share: two stances, one of days of its own, and
    /// others that are not heard.
    #[cfg(test)]
    pub(crate) fn sample_of_many() -> Self {
        let said = [Predicate::Type("Observation".into()), Predicate::WithinIts];
        let rest = Predicate::any(said.into_iter().zip(1..).map(|(said, key)| Predicate::stands(vec![key], said)));
        let unheard = Unheard { heard: vec![1, 2], actors: vec!["Organization/o".to_owned()] };
        let reach = Reach::Others(But { citizens: vec![5], unheard: Some(unheard) });
        let types = TypeRules { rest: Some(Arc::new(rest)), named: BTreeMap::new() };
        Self::new(vec![Branch { reach, types }], false, Gate::closed())
    }

    /// Whether the caller may do `action` with resources of type `kind` at all.
    /// Says nothing of any row: no means 403, whatever is stored.
    pub fn may(&self, action: Action, kind: &str) -> Access {
        self.decided.gate.may(action, kind)
    }

    /// Whether a row is visible: what the store's SQL computes, said once in Rust. Of
    /// whose Consents were not heard it knows nothing, and shows nobody by stance then.
    pub fn shows(&self, row: &Row<'_>) -> bool {
        let holds = |branch: &Branch| branch.types.of(&row.facts.kind).is_some_and(|rule| rule.holds(row.facts));
        let permits = |citizen: &CitizenKey| {
            let names = |branch: &&Branch| match &branch.reach {
                Reach::Citizens(keys) => keys.contains(citizen),
                Reach::Others(but) => !but.citizens.contains(citizen) && but.unheard.is_none(),
                _ => false,
            };
            self.branches().iter().filter(names).any(holds)
        };
        let reaches = |branch: &Branch| match &branch.reach {
            Reach::Citizens(_) | Reach::Others(_) => false,
            Reach::Custodian(key) => row.facts.keeper == Some(*key),
            Reach::Shared | Reach::Everything => true,
            Reach::Identity { kind, id } => *kind == row.facts.kind && **id == *row.id,
        };
        !row.subjects.is_empty() && row.subjects.iter().all(permits)
            || self.branches().iter().any(|branch| reaches(branch) && holds(branch))
    }

    /// What is visible for another reason than that it is who the caller is.
    #[must_use]
    pub fn beside_identity(&self) -> Self {
        let decided = self.decided.made.beside.get_or_init(|| {
            let identity = |branch: &Branch| matches!(branch.reach, Reach::Identity { .. });
            let branches = self.branches().iter().filter(|branch| !identity(branch)).cloned().collect();
            Arc::new(Decided { branches, ..Decided::clone(&self.decided) })
        });
        Self { decided: decided.clone(), now: self.now }
    }

    /// What `make` makes of the branches for rows of a type, made once. It may depend on
    /// nothing else: not on [`View::now`] above all.
    ///
    /// * `of`: the type's number, whether of past versions, what the row is called.
    pub fn once<T: Send + Sync + 'static>(&self, of: (u16, bool, &str), make: impl FnOnce() -> T) -> Arc<T> {
        let (kind, past, name) = of;
        let of = (kind, past, Box::from(name));
        let spelled = || self.decided.made.spelled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(made)) = spelled().get(&of).cloned().map(Arc::downcast) {
            return made;
        }
        // Unlocked: what is made may be made of what was.
        let made = Arc::new(make());
        let mut spelled = spelled();
        if spelled.len() < SPELLED {
            spelled.insert(of, made.clone());
        }
        made
    }

    /// The reasons for which rows are visible.
    pub fn branches(&self) -> &[Branch] {
        &self.decided.branches
    }

    /// Whether the answers stay on the citizen's own side.
    pub fn citizens_side(&self) -> bool {
        self.decided.citizens_side
    }
}
