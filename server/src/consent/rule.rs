//! A Consent compiled: nodes that say for whom, when and for what they speak
//! (*context*), and which rows they cover (*data*, a [`Predicate`]).
//!
//! Inheritance is settled here: a nested node holds the matchers of its parent
//! that it does not restate. What is left for [`super::decide`] is to ask each
//! node whether it applies to one call.

use std::ops::Range;

use super::caller::{Action, Caller, Purpose};
use super::predicate::Predicate;
use super::stance::StanceKey;
use super::view::CustodianKey;

/// What a node says of the rows that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// They may be seen.
    Permit,
    /// They may not.
    Deny,
}

/// One Consent in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Id of the Consent; empty for one that is not stored yet.
    pub id: Box<str>,
    /// Its version; 0 for one that is not stored yet.
    pub version: i64,
    /// Id of the citizen's Patient.
    pub patient: Box<str>,
    /// The stance that this is, where it speaks for all of the same one; such a policy
    /// has no id, no patient and no performers of its own.
    pub stance: Option<StanceKey>,
    /// References of those who gave it.
    pub performers: Vec<Box<str>>,
    /// The Organization whose backend filed it, as custodian; `None` where someone with
    /// authority did. It permits what that Organization published, and itself nothing.
    pub filer: Option<CustodianKey>,
    /// The root and its exceptions, merged with what they inherit.
    pub root: Node,
    /// The exceptions inside the root.
    pub nested: Vec<Node>,
}

/// One provision with everything that holds for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Permit or deny.
    pub effect: Effect,
    /// A rule that names an actor or data. The others are the citizen's default,
    /// which yields to rules (`consent.md` §4.3).
    pub explicit: bool,
    /// When it holds, microseconds since 1970, end exclusive.
    pub period: Option<Range<i64>>,
    /// For whom; everyone, if `None`.
    pub actors: Option<Vec<Actor>>,
    /// v3-ActReason codes; every purpose, if `None`.
    pub purposes: Option<Vec<Box<str>>>,
    /// What for; every action, if `None`.
    pub actions: Option<Vec<Deed>>,
    /// The rows it covers.
    pub data: Predicate,
}

/// Someone or something that a node names, by literal reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// `Patient/…`, `RelatedPerson/…`, `Practitioner/…`, `Person/…`
    Person(Box<str>),
    /// The id of a client, whose Device is `Device/<id>`.
    Client(Box<str>),
    /// `Organization/…`
    Organization(Box<str>),
}

/// A code of `consentaction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Reading.
    Access,
    /// Reading by a recipient outside the row's custodian.
    Disclose,
    /// Creating.
    Collect,
    /// Changing and deleting.
    Correct,
    /// Analytics and derived data; no call does that yet.
    Use,
}

impl Deed {
    /// The codes.
    pub const ALL: [(&'static str, Deed); 5] = [
        ("access", Self::Access),
        ("disclose", Self::Disclose),
        ("collect", Self::Collect),
        ("correct", Self::Correct),
        ("use", Self::Use),
    ];
}

/// Which half of a decision is asked for: two questions, put to the same Consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// May this person or Organization see it?
    Who,
    /// May it pass through this software?
    With,
}

/// One call, as Consents are asked about it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// Microseconds since 1970.
    pub now: i64,
    /// What for.
    pub action: Action,
    /// Which half.
    pub side: Side,
}

/// What one or several Consents say of rows: which they permit, deny, and of
/// which they spoke at all. Rows in both `permit` and `deny` are denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that a rule permits.
    pub permit: Predicate,
    /// Rows that a rule denies.
    pub deny: Predicate,
    /// Rows that the citizen's default permits.
    pub default_permit: Predicate,
    /// Rows that her default denies.
    pub default_deny: Predicate,
    /// Rows for which some rule's context fitted, whether or not its data did.
    pub spoken: Predicate,
}

impl Policy {
    /// What this Consent says to `ask`.
    pub fn verdict(&self, ask: Ask<'_>) -> Verdict {
        let rules = self.layer(ask, true);
        let defaults = self.layer(ask, false);
        let permitting = |rows: Predicate| Predicate::all([self.shareable(ask.caller), rows]);
        let contexts = self.nodes().filter(|_| self.root.explicit).map(|node| node.context(ask));
        Verdict {
            permit: permitting(rules.0),
            deny: rules.1,
            default_permit: permitting(defaults.0),
            default_deny: defaults.1,
            spoken: Predicate::any(contexts),
        }
    }

    /// The rows that it can permit this caller at all. Who gave it may share everything; a
    /// custodian what it published: what others have brought is not its own to share. Its own
    /// people see that by what those with authority say.
    fn shareable(&self, caller: &Caller) -> Predicate {
        let own = caller.client.organization.as_ref().map(|organization| organization.key);
        match self.filer {
            None => Predicate::Always,
            filer if filer == own => Predicate::Never,
            Some(filer) => Predicate::all([Predicate::Keeper(filer), Predicate::not(Predicate::Authored)]),
        }
    }

    /// How much it says: its nodes, with all that each names and inherits.
    pub fn weight(&self) -> usize {
        self.nodes().map(Node::weight).sum()
    }

    /// Whether it permits this Organization anything by naming it.
    pub fn permits(&self, organization: &str) -> bool {
        let is_it = |actor: &Actor| matches!(actor, Actor::Organization(named) if **named == *organization);
        let named = |node: &Node| node.actors.iter().flatten().any(is_it);
        self.nodes().any(|node| node.effect == Effect::Permit && named(node))
    }

    /// Whether it names this caller: the software, the person, or where she works. That is
    /// what an audit record names as the ground of a disclosure.
    pub fn names(&self, caller: &Caller) -> bool {
        let is_caller = |actor: &Actor| match actor {
            Actor::Client(id) => *id == caller.client.id,
            Actor::Person(reference) => caller.user.as_ref().is_some_and(|user| user.references.contains(reference)),
            Actor::Organization(reference) => {
                let own = caller.client.organization.iter();
                own.map(|one| &one.reference).any(|one| one == reference)
                    || caller.acting_for().is_some_and(|work| work.organization.reference == *reference)
            }
        };
        self.nodes().flat_map(|node| node.actors.iter().flatten()).any(is_caller)
    }

    /// Whether `user`'s references are those of the people who gave it.
    pub fn given_by(&self, references: &[Box<str>]) -> bool {
        !self.performers.is_empty() && self.performers.iter().all(|performer| references.contains(performer))
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.root).chain(&self.nested)
    }

    /// The rows permitted and denied by the nodes that are rules, or by those
    /// that make up the default: the deepest node that matches decides, and of
    /// several at one depth a denial.
    fn layer(&self, ask: Ask<'_>, explicit: bool) -> (Predicate, Predicate) {
        let matching = |effect: Effect| {
            let nodes = self.nested.iter().filter(|node| node.explicit == explicit && node.effect == effect);
            Predicate::any(nodes.map(|node| node.matches(ask)).collect::<Vec<_>>())
        };
        let (permit, deny) = (matching(Effect::Permit), matching(Effect::Deny));
        let inside = Predicate::all([permit.clone(), Predicate::not(deny.clone())]);
        if self.root.explicit != explicit {
            return (inside, deny);
        }
        let nested = Predicate::any([permit, deny.clone()]);
        let outside = Predicate::all([self.root.matches(ask), Predicate::not(nested)]);
        match self.root.effect {
            Effect::Permit => (Predicate::any([inside, outside]), deny),
            Effect::Deny => (inside, Predicate::any([deny, outside])),
        }
    }
}

impl Node {
    fn weight(&self) -> usize {
        let named = [
            self.actors.as_ref().map_or(0, Vec::len),
            self.purposes.as_ref().map_or(0, Vec::len),
            self.actions.as_ref().map_or(0, Vec::len),
        ];
        named.iter().sum::<usize>() + self.data.size()
    }

    /// The rows for which this node matches.
    fn matches(&self, ask: Ask<'_>) -> Predicate {
        Predicate::all([self.context(ask), self.data.clone()])
    }

    /// Whether the node speaks of this call. Mostly always or never; `disclose`
    /// depends on who keeps the row.
    fn context(&self, ask: Ask<'_>) -> Predicate {
        let in_time = self.period.as_ref().is_none_or(|period| period.contains(&ask.now));
        if in_time && self.fits_purpose(&ask.caller.purpose) && self.names(ask) {
            self.fits_action(ask)
        } else {
            Predicate::Never
        }
    }

    fn fits_purpose(&self, purpose: &Purpose) -> bool {
        self.purposes.as_ref().is_none_or(|named| {
            named.iter().any(|code| match self.effect {
                Effect::Permit => purpose.permitted_by(code),
                Effect::Deny => purpose.denied_by(code),
            })
        })
    }

    fn fits_action(&self, ask: Ask<'_>) -> Predicate {
        let Some(deeds) = &self.actions else { return Predicate::Always };
        let has = |deed: Deed| deeds.contains(&deed);
        let fits = match ask.action {
            Action::Read | Action::Search | Action::History => {
                if !has(Deed::Access) && has(Deed::Disclose) {
                    return outside(ask.caller);
                }
                has(Deed::Access)
            }
            Action::Create => has(Deed::Collect),
            Action::Update | Action::Delete => has(Deed::Correct),
        };
        if fits { Predicate::Always } else { Predicate::Never }
    }

    /// Whether the actor of the call is among those named. Absent means everyone;
    /// but software is let through only by a permission that names it.
    fn names(&self, ask: Ask<'_>) -> bool {
        match (&self.actors, ask.side) {
            (None, Side::Who) => true,
            (None, Side::With) => self.effect == Effect::Deny,
            (Some(actors), _) => actors.iter().any(|actor| actor.is(ask, self.effect)),
        }
    }
}

/// Rows whose custodian is not the caller's own Organization.
fn outside(caller: &Caller) -> Predicate {
    match &caller.client.organization {
        Some(own) => Predicate::not(Predicate::Keeper(own.key)),
        None => Predicate::Always,
    }
}

impl Actor {
    /// Whether this is the one who asks.
    fn is(&self, ask: Ask<'_>, effect: Effect) -> bool {
        let caller = ask.caller;
        match (self, ask.side) {
            (Self::Client(id), Side::With) => *id == caller.client.id,
            (Self::Person(reference), Side::Who) => match &caller.user {
                Some(user) => user.references.contains(reference),
                None => effect == Effect::Deny && works_for(caller, reference),
            },
            (Self::Organization(reference), Side::Who) => is_organization(caller, reference, effect),
            (Self::Client(_), Side::Who) | (Self::Person(_) | Self::Organization(_), Side::With) => false,
        }
    }
}

/// A call without a user may come from anyone of its Organization: a denial that
/// names one of its people meets it.
fn works_for(caller: &Caller, reference: &str) -> bool {
    caller.client.organization.as_ref().is_some_and(|own| own.people.iter().any(|one| **one == *reference))
}

/// A backend is its Organization. A user is hers in a listed role, and only
/// through a client of that Organization; a denial meets her in any role and
/// through any client.
fn is_organization(caller: &Caller, reference: &str, effect: Effect) -> bool {
    let Some(user) = &caller.user else {
        return caller.client.organization.as_ref().is_some_and(|own| *own.reference == *reference);
    };
    match effect {
        Effect::Deny => user.memberships.iter().any(|work| *work.organization.reference == *reference),
        Effect::Permit => caller.acting_for().is_some_and(|work| {
            let listed = |role: &str| {
                super::caller::ROLES
                    .iter()
                    .any(|(listed, purpose)| *listed == role && caller.purpose.permitted_by(purpose))
            };
            *work.organization.reference == *reference && work.roles.iter().any(|role| listed(role))
        }),
    }
}
