//! The decision: who calls and what Consents say → a [`View`].
//!
//! `allow = L0 and L1 and L2 and WHO and WITH` (`consent.md` §2). L1, the scopes,
//! becomes the condition by type; WHO and WITH, asked of the same Consents, the
//! condition by citizen. L2, an operator's own narrowing, is not built: its
//! shipped base policy is [`BASE`]. Whoever is visible through several reasons
//! gets a branch for each.

use super::caller::{Action, Caller, Candidate};
use super::gate::{Gate, contexts, in_patient_scopes};
use super::listed::{DEPTH, HOLDERS, LISTING};
use super::predicate::Predicate;
use super::rule::{Ask, Effect, Side, Verdict};
use super::stance::{Others, StanceKey};
use super::subject::{SHARED, WITH_COMPARTMENT, compartment};
use super::view::{Branch, But, Reach, TypeRules, Unheard, View, Whole};
use crate::auth::scope::{Context, Grant, Meaning};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What holds for a citizen of whom neither rule nor default speaks.
pub const BASE: Effect = Effect::Deny;

/// Types that the citizen's side alone may see: from them a recipient could learn
/// that a restriction exists (§6).
const CITIZENS_OWN: &[&str] = &["AuditEvent", "Consent"];

/// The types whose condition is not that of the rest.
const OWN_RULE: [&[&str]; 2] = [CITIZENS_OWN, LISTING];

/// What `caller` may do `action` with, at `now`.
///
/// * `now`: microseconds since 1970.
/// * `candidates`: every citizen who may come into question, each once. Someone
///   left out is not seen.
/// * `others`: what everyone else who may come into question says, by stance.
pub fn decide(caller: &Caller, now: i64, action: Action, candidates: &[Candidate], others: &Others) -> View {
    let mut branches = citizens(caller, now, action, candidates);
    branches.extend(everyone_else(caller, now, action, candidates, others));
    branches.extend(custody(caller, action));
    branches.extend(shared(caller, action));
    branches.extend(identity(caller, action));
    let own = caller.client.portal && candidates.iter().all(|candidate| candidate.under_authority(now));
    let mine = || candidates.iter().filter(|candidate| candidate.under_authority(now));
    let whole = Whole {
        citizens: mine().map(|one| one.citizen).collect(),
        patient: caller.patient.clone().filter(|patient| mine().any(|one| one.patient == *patient)),
        // By an app that may have them she sees her own Consents as she gave them.
        kinds: (!caller.client.portal).then_some(CITIZENS_OWN),
        custodian: caller.publisher(),
    };
    View::new(branches, own, Gate::of(caller)).telling(whole).at(now)
}

/// The server's own work, which answers nobody. Each kind has one caller, and a
/// new one is a matter for review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Rebuilding index rows.
    Reindex,
    /// Finding what an import placed before.
    Import,
    /// Ending Consents, whoever has asked for it and may.
    Filing,
    /// Moving audit records into rows.
    Audit,
    /// Checking the store (`techo doctor`, `techo backup`).
    Upkeep,
}

/// Everything, for the server's own work.
pub fn system(_: Work) -> View {
    let types = TypeRules { rest: Some(Arc::new(Predicate::Always)), named: BTreeMap::new() };
    View::new(vec![Branch { reach: Reach::Everything, types }], false, Gate::closed())
}

/// Atoms of a condition about one citizen's records. Whoever says more to one caller is not
/// seen by it until she says less. A statement over all types holds the condition some fifty
/// times, and SQLite binds 32,766 values.
const MOST_OF_CITIZEN: usize = 400;

/// The same for all who are spoken of one by one.
pub const MOST_OF_ALL: usize = 1000;

/// Where all who are spoken of one by one come to more than this, it is asked whether they are
/// better spoken of by stance. A search is planned in some tenth of a second then.
pub const LONG: usize = 400;

/// How much is said of citizens who are spoken of one by one: atoms, those of several alike once.
pub fn length(caller: &Caller, now: i64, candidates: &[Candidate]) -> usize {
    let said = candidates.iter().map(|candidate| rows(caller, now, Action::Search, candidate));
    said.collect::<HashSet<Predicate>>().iter().map(Predicate::size).sum()
}

/// How much is said of everyone by stance.
pub fn length_by_stance(caller: &Caller, now: i64, others: &Others) -> usize {
    length(caller, now, &[anyone(others)])
}

/// Whoever is not spoken of one by one: she may have said any of this.
fn anyone(others: &Others) -> Candidate {
    let consents = others.said.clone();
    Candidate { citizen: 0, patient: Box::default(), authority: None, blocked: false, consents }
}

/// One branch for all citizens of whom the same may be seen.
fn citizens(caller: &Caller, now: i64, action: Action, candidates: &[Candidate]) -> Vec<Branch> {
    let open = candidates.iter().filter(|candidate| !candidate.blocked);
    let said: Vec<_> = open.map(|candidate| (candidate, rows(caller, now, action, candidate))).collect();
    let heard = heard(said.iter().map(|(candidate, rows)| (Turn::of(caller, now, candidate), rows)));
    let mut branches: Vec<Branch> = Vec::new();
    for (candidate, rows) in said.into_iter().filter(|(_, rows)| heard.contains(rows)) {
        let types = citizen(caller, now, action, candidate, &rows);
        if types.is_empty() {
            continue;
        }
        let alike = branches.iter_mut().find(|branch| branch.types == types);
        match alike.map(|branch| &mut branch.reach) {
            Some(Reach::Citizens(keys)) => keys.push(candidate.citizen),
            _ => branches.push(Branch { reach: Reach::Citizens(vec![candidate.citizen]), types }),
        }
    }
    branches
}

/// Who is heard before whom, where a statement cannot bear what all say: nobody presses her out
/// who has less to do with the caller. A custodian can file what it likes about as many Patients
/// as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// The caller acts for her.
    Held,
    /// She, or who acts for her, names the caller.
    Names,
    /// A custodian does, in her name.
    NamesByFiling,
    /// She speaks of everyone.
    Everyone,
    /// A custodian does.
    EveryoneByFiling,
}

impl Turn {
    fn of(caller: &Caller, now: i64, candidate: &Candidate) -> Self {
        if candidate.under_authority(now) {
            return Self::Held;
        }
        let each = candidate.consents.iter().map(|policy| match (policy.names(caller), policy.filer) {
            (true, None) => Self::Names,
            (true, Some(_)) => Self::NamesByFiling,
            (false, None) => Self::Everyone,
            (false, Some(_)) => Self::EveryoneByFiling,
        });
        each.min().unwrap_or(Self::EveryoneByFiling)
    }
}

/// Those of these conditions that a statement can bear, each of several alike once: by whose
/// turn it is, and of those the smaller ones first.
fn heard<'a>(all: impl Iterator<Item = (Turn, &'a Predicate)>) -> HashSet<Predicate> {
    let mut distinct: HashMap<&Predicate, Turn> = HashMap::new();
    for (turn, rows) in all {
        let first = distinct.entry(rows).or_insert(turn);
        *first = turn.min(*first);
    }
    let sized = distinct.into_iter().map(|(rows, turn)| (turn, rows.size(), rows));
    let mut sized: Vec<_> = sized.filter(|(_, size, _)| *size <= MOST_OF_CITIZEN).collect();
    sized.sort_by_key(|(turn, size, _)| (*turn, *size));
    let mut sum = 0;
    let fits = sized.into_iter().take_while(|(_, size, _)| {
        sum += size;
        sum <= MOST_OF_ALL
    });
    fits.map(|(.., rows)| rows.clone()).collect()
}

/// One branch for all citizens who are not spoken of one by one: what their
/// Consents say is decided by stance, and whose stance it is left to the row.
fn everyone_else(
    caller: &Caller,
    now: i64,
    action: Action,
    candidates: &[Candidate],
    others: &Others,
) -> Option<Branch> {
    if others.said.is_empty() {
        return None;
    }
    let anyone = anyone(others);
    let types = citizen(caller, now, action, &anyone, &rows(caller, now, action, &anyone));
    let unheard = others.unheard.as_ref().map(|actors| Unheard {
        heard: others.said.iter().filter_map(|policy| policy.stance).collect(),
        actors: actors.clone(),
    });
    let but = But { citizens: candidates.iter().map(|candidate| candidate.citizen).collect(), unheard };
    (!types.is_empty()).then_some(Branch { reach: Reach::Others(but), types })
}

/// The condition by type for the rows of one citizen.
///
/// * `rows`: as of [`rows()`].
fn citizen(caller: &Caller, now: i64, action: Action, candidate: &Candidate, rows: &Predicate) -> TypeRules {
    let kept = kept(caller, action, candidate);
    let any = Predicate::any([rows.clone(), kept.clone()]);
    let authority = candidate.under_authority(now);
    // An app is a recipient, whoever holds it (§10).
    let recipient = !(authority && caller.client.portal);
    // A recipient sees a list only with all that is on it (§4.6).
    let whole = whole_list(Predicate::Lists(Box::new(seen(caller, now, candidate, DEPTH))));
    let rule = |kind: &str| {
        if !authority && CITIZENS_OWN.contains(&kind) {
            return kept.for_type(kind);
        }
        if !recipient || !LISTING.contains(&kind) {
            return any.for_type(kind);
        }
        Predicate::any([Predicate::all([rows.clone(), whole.clone()]).for_type(kind), kept.for_type(kind)])
    };
    if caller.client.portal {
        return TypeRules::build(Some(any.clone()), OWN_RULE.iter().flat_map(|kinds| kinds.iter()).copied(), rule);
    }
    let mut contexts = contexts(caller);
    contexts.retain(|context| *context != Context::Patient || caller.patient.as_ref() == Some(&candidate.patient));
    scoped(caller, action, &contexts, any.clone(), rule)
}

/// What a recipient may see of what a record lists: the shared types, and of the
/// same citizen what she could read herself. Scopes do not count here: an app that
/// reads reports alone reads them, where the Consent that names it permits the results.
fn seen(caller: &Caller, now: i64, candidate: &Candidate, depth: usize) -> Predicate {
    let inner = if depth == 0 { Predicate::Never } else { seen(caller, now, candidate, depth - 1) };
    let closed = if candidate.under_authority(now) { Predicate::Never } else { types(CITIZENS_OWN) };
    let own = [
        Predicate::Same,
        Predicate::not(closed),
        rows(caller, now, Action::Read, candidate),
        whole_list(Predicate::Lists(Box::new(inner))),
    ];
    Predicate::any([types(SHARED), Predicate::all(own)])
}

/// `whole` of what the record lists, where that was kept with it.
fn whole_list(whole: Predicate) -> Predicate {
    Predicate::all([whole, Predicate::any([Predicate::not(types(HOLDERS)), Predicate::ListKept])])
}

fn types(kinds: &[&'static str]) -> Predicate {
    Predicate::any(kinds.iter().map(|&kind| Predicate::Type(kind.into())))
}

/// `rule` narrowed by the scopes of `contexts`; `rest` is `rule` for types that
/// nothing names.
fn scoped(
    caller: &Caller,
    action: Action,
    contexts: &[Context],
    rest: Predicate,
    rule: impl Fn(&str) -> Predicate,
) -> TypeRules {
    let letter = action.letter();
    let granting = caller.scopes.resources().filter(|own| contexts.contains(&own.context) && own.actions.has(letter));
    let (every, single): (Vec<_>, Vec<_>) = granting.partition(|own| own.kind.is_none());
    let mut named: BTreeSet<&str> = single.iter().filter_map(|own| own.kind.as_deref()).collect();
    named.extend(OWN_RULE.iter().flat_map(|kinds| kinds.iter()));
    if every.iter().any(|own| own.context == Context::Patient) {
        compartment().chain(WITH_COMPARTMENT.iter().copied()).for_each(|kind| _ = named.insert(kind));
    }
    let rest = every.iter().any(|own| own.context != Context::Patient).then_some(rest);
    TypeRules::build(rest, named, |kind| {
        let allowed = contexts.iter().map(|&context| by_scope(caller, context, action, kind));
        Predicate::all([Predicate::any(allowed.collect::<Vec<_>>()), rule(kind)])
    })
}

/// The rows of `kind` that the scopes of one context allow.
pub(super) fn by_scope(caller: &Caller, context: Context, action: Action, kind: &str) -> Predicate {
    if context == Context::Patient && !in_patient_scopes(kind) {
        return Predicate::Never;
    }
    match caller.scopes.allows(context, kind, action.letter()) {
        Grant::No => Predicate::Never,
        Grant::All => Predicate::Always,
        Grant::Categories(categories) => Predicate::any(
            categories.into_iter().map(|(system, code)| Predicate::Category { system, code }).collect::<Vec<_>>(),
        ),
    }
}

/// `WHO and WITH` for the rows of one citizen.
pub(super) fn rows(caller: &Caller, now: i64, action: Action, candidate: &Candidate) -> Predicate {
    if candidate.blocked {
        return Predicate::Never;
    }
    let who = if candidate.under_authority(now) {
        Predicate::Always
    } else {
        who(&hear(candidate, Ask { caller, now, action, side: Side::Who }))
    };
    if who == Predicate::Never || caller.client.portal {
        return who;
    }
    Predicate::all([who, with(caller, now, action, candidate)])
}

/// Explicit deny over permit over the citizen's default over the base policy (§4.2, §4.3).
fn who(said: &Verdict) -> Predicate {
    let own = Predicate::all([said.default_permit.clone(), Predicate::not(said.default_deny.clone())]);
    let base = match BASE {
        Effect::Deny => Predicate::Never,
        Effect::Permit => Predicate::not(Predicate::any([
            said.default_permit.clone(),
            said.default_deny.clone(),
            said.spoken.clone(),
        ])),
    };
    Predicate::all([Predicate::not(said.deny.clone()), Predicate::any([said.permit.clone(), own, base])])
}

/// Whether the data may pass through this software: an app by an active Consent
/// that names it and that this very user gave; a professional's by its
/// registration for the Organization where she works; a backend is judged as its
/// Organization. A denial that names the software holds for each.
fn with(caller: &Caller, now: i64, action: Action, candidate: &Candidate) -> Predicate {
    let ask = Ask { caller, now, action, side: Side::With };
    let denied = hear(candidate, ask).deny;
    let passed = match &caller.user {
        None => Predicate::Always,
        Some(_) if caller.acting_for().is_some() => Predicate::Always,
        Some(user) => {
            let given = candidate.consents.iter().filter(|policy| policy.given_by(&user.references));
            Predicate::any(given.map(|policy| policy.verdict(ask).permit).collect::<Vec<_>>())
        }
    };
    Predicate::all([Predicate::not(denied), passed])
}

/// What all Consents of a citizen say together.
fn hear(candidate: &Candidate, ask: Ask<'_>) -> Verdict {
    let mut said: Vec<(Verdict, Vec<StanceKey>)> = Vec::new();
    for policy in &candidate.consents {
        let verdict = policy.verdict(ask);
        let stance = policy.stance.into_iter();
        // What says the same to this caller is asked about together.
        match said.iter_mut().find(|(same, stances)| stances.is_empty() == policy.stance.is_none() && *same == verdict)
        {
            Some((_, stances)) => stances.extend(stance),
            None => said.push((verdict, stance.collect())),
        }
    }
    let together = |part: fn(&Verdict) -> &Predicate| {
        Predicate::any(said.iter().map(|(one, stances)| match &stances[..] {
            [] => part(one).clone(),
            stances => Predicate::stands(stances.to_vec(), part(one).clone()),
        }))
    };
    Verdict {
        permit: together(|one| &one.permit),
        deny: together(|one| &one.deny),
        default_permit: together(|one| &one.default_permit),
        default_deny: together(|one| &one.default_deny),
        spoken: together(|one| &one.spoken),
    }
}

/// The rows of one citizen that the caller keeps, where a patient in context
/// narrows custody to her: outside of Consent, within the scopes.
fn kept(caller: &Caller, action: Action, candidate: &Candidate) -> Predicate {
    let here = caller.patient.as_ref() == Some(&candidate.patient);
    if !here || candidate.blocked {
        return Predicate::Never;
    }
    match (caller.publisher(), caller.acting_for()) {
        (Some(key), _) => Predicate::all([Predicate::Keeper(key), published(action)]),
        (None, Some(work)) if action.reads() => {
            Predicate::all([Predicate::Keeper(work.organization.key), Predicate::Authored])
        }
        _ => Predicate::Never,
    }
}

/// What the caller keeps, whoever it is about: a publisher's backend finds and
/// corrects what it published; an Organization reads back what its people wrote.
fn custody(caller: &Caller, action: Action) -> Option<Branch> {
    let (key, context, rows) = match (caller.publisher(), caller.acting_for()) {
        (Some(key), _) => (key, Context::System, published(action)),
        (None, Some(work)) if action.reads() => (work.organization.key, Context::User, Predicate::Authored),
        _ => return None,
    };
    let rule = |kind: &str| if kind == "AuditEvent" { Predicate::Never } else { rows.clone() };
    let types = scoped(caller, action, &[context], rows.clone(), rule);
    (!types.is_empty()).then_some(Branch { reach: Reach::Custodian(key), types })
}

/// Of what an Organization keeps, what its backend may do `action` with: it reads
/// back what its people wrote, and changes only what it published itself.
fn published(action: Action) -> Predicate {
    if action.reads() { Predicate::Always } else { Predicate::not(Predicate::Authored) }
}

/// Directory, conformance and terminology, within the scopes; for reading only.
fn shared(caller: &Caller, action: Action) -> Option<Branch> {
    if !action.reads() {
        return None;
    }
    let open = |kind: &str| {
        caller.client.portal
            || contexts(caller)
                .into_iter()
                .any(|context| caller.scopes.allows(context, kind, action.letter()) != Grant::No)
    };
    let kinds = SHARED.iter().copied().filter(|kind| open(kind));
    let types = TypeRules::build(None, kinds, |_| Predicate::Always);
    (!types.is_empty()).then_some(Branch { reach: Reach::Shared, types })
}

/// The resource that the ID token names, for the app that may know who signed in.
fn identity(caller: &Caller, action: Action) -> Option<Branch> {
    let user = caller.user.as_ref()?;
    let (kind, id) = user.fhir_user.as_deref()?.split_once('/')?;
    let granted = caller.client.portal || caller.scopes.has(&Meaning::FhirUser);
    (granted && action == Action::Read).then(|| Branch {
        reach: Reach::Identity { kind: kind.into(), id: id.into() },
        types: TypeRules::build(None, [kind], |_| Predicate::Always),
    })
}

impl TypeRules {
    fn build<'a>(
        rest: Option<Predicate>,
        named: impl IntoIterator<Item = &'a str>,
        rule: impl Fn(&str) -> Predicate,
    ) -> Self {
        let rest = rest.filter(|rule| *rule != Predicate::Never).map(Arc::new);
        let mut rules: BTreeMap<Box<str>, Arc<Predicate>> = BTreeMap::new();
        for kind in named {
            let rule = rule(kind);
            // Beside a `rest`, a type that is not visible must be named so.
            if rule != Predicate::Never || rest.is_some() {
                rules.insert(kind.into(), Arc::new(rule));
            }
        }
        Self { rest, named: rules }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_none() && self.named.values().all(|rule| **rule == Predicate::Never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A town that permits everyone a little about Patients of its own making, hundreds of
    /// them, left a grandmother no place for the grandchild whose records she is named for.
    #[test]
    fn who_names_the_caller_is_heard_before_who_speaks_of_everyone() {
        let codes = |from: usize, count: usize| {
            Predicate::any(
                (from..from + count).map(|code| Predicate::Code { system: None, code: code.to_string().into() }),
            )
        };
        let crowd: Vec<Predicate> = (0..400).map(|number| codes(number * 10, 3)).collect();
        let (grandchild, own, odd) = (codes(10_000, 9), codes(20_000, 50), codes(30_000, MOST_OF_CITIZEN + 1));
        let all = |turn: Turn| {
            let crowd = crowd.iter().map(move |rows| (turn, rows));
            crowd.chain([(Turn::Names, &grandchild), (Turn::Held, &own), (Turn::Held, &odd)])
        };
        for turn in [Turn::NamesByFiling, Turn::Everyone, Turn::EveryoneByFiling] {
            let heard = heard(all(turn));
            assert!(heard.contains(&grandchild) && heard.contains(&own) && !heard.contains(&odd), "{turn:?}");
            assert!(heard.iter().map(Predicate::size).sum::<usize>() <= MOST_OF_ALL && heard.len() > 100, "{turn:?}");
        }
        assert!(!heard(all(Turn::Names)).contains(&grandchild), "of one turn the smaller ones");
    }
}
