//! What an evaluation may use beyond the resource: the type model, fuel,
//! variables, the time, and hooks to the rest of the server.
//!
//! Each hook is optional. A function that needs a hook which is not there is an
//! error, never an empty answer; only `resolve()` can do without, as the type
//! of the target is often in the reference's own text.

use super::item::{Item, Node};
use super::model::Model;
use super::temporal::DateTime;
use super::units::Units;

/// The steps an evaluation may take unless told otherwise.
pub const DEFAULT_FUEL: u64 = 100_000;

/// Fetches what references point at.
pub trait Resolve {
    /// The resource, if it is to be had. `reference` is never a `#fragment`.
    fn resolve(&self, reference: &str) -> Option<&crate::json::Json>;
}

/// Answers `memberOf()`, `subsumes()` and `subsumedBy()`.
pub trait MemberOf {
    /// Whether a code, Coding, `CodeableConcept` or string is in a value set;
    /// `None` if that cannot be known.
    fn member_of(&self, coded: &Item<'_>, value_set: &str) -> Option<bool>;

    /// Whether a Coding or `CodeableConcept` is another, or stands above it;
    /// `None` if that cannot be known.
    fn subsumes(&self, above: &Item<'_>, below: &Item<'_>) -> Option<bool>;
}

/// Answers `conformsTo()`.
pub trait ConformsTo {
    /// Whether a node conforms to a profile; `None` if there is no such profile, or
    /// none that can be checked.
    fn conforms_to(&self, node: &Node<'_>, profile: &str) -> Option<bool>;
}

/// Receives what `trace()` is told.
pub trait Trace {
    /// The name and the items, which may hold a patient's data.
    fn trace(&self, name: &str, items: &[Item<'_>]);
}

/// The surroundings of one evaluation.
#[derive(Clone)]
pub struct Context<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) fuel: u64,
    pub(super) resource: Option<Node<'a>>,
    pub(super) root_resource: Option<Node<'a>>,
    pub(super) variables: Vec<(&'a str, Vec<Item<'a>>)>,
    pub(super) now: Option<DateTime>,
    pub(super) resolver: Option<&'a dyn Resolve>,
    pub(super) terminology: Option<&'a dyn MemberOf>,
    pub(super) profiles: Option<&'a dyn ConformsTo>,
    pub(super) units: Option<&'a dyn Units>,
    pub(super) tracer: Option<&'a dyn Trace>,
    pub(super) lenient_as: bool,
    pub(super) strict: bool,
}

impl<'a> Context<'a> {
    /// Nothing but the model, [`DEFAULT_FUEL`] and no hooks.
    pub fn new(model: &'a dyn Model) -> Self {
        Self {
            model,
            fuel: DEFAULT_FUEL,
            resource: None,
            root_resource: None,
            variables: Vec::new(),
            now: None,
            resolver: None,
            terminology: None,
            profiles: None,
            units: None,
            tracer: None,
            lenient_as: false,
            strict: false,
        }
    }

    /// The steps each evaluation may take.
    #[must_use]
    pub fn fuel(self, steps: u64) -> Self {
        Self { fuel: steps, ..self }
    }

    /// `%resource` and, unless set, `%rootResource`; by default what is evaluated.
    #[must_use]
    pub fn resource(self, node: Node<'a>) -> Self {
        Self { resource: Some(node), ..self }
    }

    /// `%rootResource`: what contains a contained resource.
    #[must_use]
    pub fn root_resource(self, node: Node<'a>) -> Self {
        Self { root_resource: Some(node), ..self }
    }

    /// `%name`; a second value for a name replaces the first.
    #[must_use]
    pub fn variable(mut self, name: &'a str, items: Vec<Item<'a>>) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, items));
        self
    }

    /// The time that `now()`, `today()` and `timeOfDay()` answer.
    #[must_use]
    pub fn now(self, now: DateTime) -> Self {
        Self { now: Some(now), ..self }
    }

    /// Lets `resolve()` fetch. Without, it yields the type of the target alone.
    #[must_use]
    pub fn resolver(self, resolver: &'a dyn Resolve) -> Self {
        Self { resolver: Some(resolver), ..self }
    }

    /// Lets `memberOf()` and its like ask.
    #[must_use]
    pub fn terminology(self, terminology: &'a dyn MemberOf) -> Self {
        Self { terminology: Some(terminology), ..self }
    }

    /// Lets `conformsTo()` ask.
    #[must_use]
    pub fn profiles(self, profiles: &'a dyn ConformsTo) -> Self {
        Self { profiles: Some(profiles), ..self }
    }

    /// Lets quantities of different units compare.
    #[must_use]
    pub fn units(self, units: &'a dyn Units) -> Self {
        Self { units: Some(units), ..self }
    }

    /// Hears `trace()`.
    #[must_use]
    pub fn tracer(self, tracer: &'a dyn Trace) -> Self {
        Self { tracer: Some(tracer), ..self }
    }

    /// `as` keeps the items of the type, however many there are, as R4's search
    /// parameters and its invariant `dom-3` expect.
    #[must_use]
    pub fn lenient_as(self) -> Self {
        Self { lenient_as: true, ..self }
    }

    /// A name that the type does not have is an error, not empty.
    #[must_use]
    pub fn strict(self) -> Self {
        Self { strict: true, ..self }
    }
}
