//! One provision → [`Node`].
//!
//! Every element is read by one function here and gives one matcher. An
//! exception takes over its parent's matchers that it does not restate.

use std::ops::Range;

use techo_profiles::json::Json;

use super::super::instant;
use super::super::predicate::Predicate;
use super::super::rule::{Actor, Deed, Effect, Node};
use super::read::Reader;
use super::{KIND_SYSTEM, Reason};

const TYPES_SYSTEM: &str = "http://hl7.org/fhir/resource-types";
const ROLE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const PURPOSE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ACTION_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/consentaction";

/// The elements of a provision that are evaluated.
const ELEMENTS: &[&str] =
    &["id", "type", "period", "actor", "action", "purpose", "class", "code", "dataPeriod", "provision"];

/// A node with its data matchers still apart, so that an exception can inherit
/// them one by one.
pub(super) struct Read {
    pub(super) node: Node,
    data: Data,
}

/// What a provision says of the data; `None` is what it does not restate.
#[derive(Clone, Default)]
struct Data {
    classes: Option<Predicate>,
    codes: Option<Predicate>,
    period: Option<Days>,
}

/// Of which clinical times a provision speaks.
#[derive(Clone)]
enum Days {
    /// These.
    From(Range<i64>),
    /// Those that each Consent of the stance says at its root.
    Its,
}

impl Data {
    fn is_empty(&self) -> bool {
        self.classes.is_none() && self.codes.is_none() && self.period.is_none()
    }

    /// The rows. What is not known of a row's time counts against the citizen's
    /// sharing it: a permission needs all of it inside, a denial any part.
    fn rows(&self, effect: Effect) -> Predicate {
        let during = self.period.as_ref().map(|days| match (days, effect) {
            (Days::From(days), Effect::Permit) => Predicate::Within { from: days.start, until: days.end },
            (Days::From(days), Effect::Deny) => Predicate::Touches { from: days.start, until: days.end },
            (Days::Its, Effect::Permit) => Predicate::WithinIts,
            (Days::Its, Effect::Deny) => Predicate::TouchesIts,
        });
        Predicate::all([self.classes.clone(), self.codes.clone(), during].into_iter().flatten())
    }
}

/// The root provision.
pub(super) fn root(provision: &Json, effect: Effect, reader: &mut Reader<'_>) -> Read {
    let (mut node, data) = matchers(provision, "Consent.provision", effect, reader);
    node.explicit = node.actors.is_some() || !data.is_empty();
    node.data = data.rows(effect);
    Read { node, data }
}

/// A provision inside the root; `None` if its type cannot be told.
pub(super) fn exception(provision: &Json, path: &str, parent: &Read, reader: &mut Reader<'_>) -> Option<Node> {
    let effect = reader.effect(provision, path);
    if provision.get("type").is_none() {
        reader.refuse(&format!("{path}.type"), Reason::Required);
    }
    if provision.get("provision").is_some() {
        reader.refuse(&format!("{path}.provision"), Reason::Deep);
    }
    let (own, data) = matchers(provision, path, effect.unwrap_or(Effect::Deny), reader);
    let above = &parent.node;
    let merged = Data {
        classes: data.classes.clone().or_else(|| parent.data.classes.clone()),
        codes: data.codes.clone().or_else(|| parent.data.codes.clone()),
        period: data.period.clone().or_else(|| parent.data.period.clone()),
    };
    Some(Node {
        effect: effect?,
        explicit: above.explicit || own.actors.is_some() || !data.is_empty(),
        period: own.period.or_else(|| above.period.clone()),
        actors: own.actors.or_else(|| above.actors.clone()),
        purposes: own.purposes.or_else(|| above.purposes.clone()),
        actions: own.actions.or_else(|| above.actions.clone()),
        data: merged.rows(effect?),
    })
}

/// The matchers that `provision` states itself.
fn matchers(provision: &Json, path: &str, effect: Effect, reader: &mut Reader<'_>) -> (Node, Data) {
    reader.only(provision, path, ELEMENTS);
    let data = Data {
        classes: each(provision, path, "class", |class, path| one_class(class, path, reader)).map(Predicate::any),
        codes: each(provision, path, "code", |code, path| Some(one_code(code, path, reader))).map(Predicate::any),
        period: days(provision, path, reader),
    };
    let node = Node {
        effect,
        explicit: true,
        period: during(provision, path, "period", reader),
        actors: each(provision, path, "actor", |actor, path| one_actor(actor, path, reader)),
        purposes: each(provision, path, "purpose", |purpose, path| one_purpose(purpose, path, reader)),
        actions: each(provision, path, "action", |action, path| Some(some_actions(action, path, reader)))
            .map(|lists| lists.into_iter().flatten().collect()),
        data: Predicate::Always,
    };
    (node, data)
}

/// The items of the list `name`, each read by `read`; `None` if there is no list.
/// Items that are refused are left out: the Consent is not used then.
fn each<T>(provision: &Json, path: &str, name: &str, mut read: impl FnMut(&Json, &str) -> Option<T>) -> Option<Vec<T>> {
    let list = provision.get(name)?.each();
    Some(list.iter().enumerate().filter_map(|(at, item)| read(item, &format!("{path}.{name}[{at}]"))).collect())
}

fn days(provision: &Json, path: &str, reader: &mut Reader<'_>) -> Option<Days> {
    let period = provision.get("dataPeriod")?;
    if reader.of_stance && period.is_object() && period.members().is_empty() {
        return Some(Days::Its);
    }
    during(provision, path, "dataPeriod", reader).map(Days::From)
}

fn during(provision: &Json, path: &str, name: &str, reader: &mut Reader<'_>) -> Option<Range<i64>> {
    let period = provision.get(name)?;
    let path = format!("{path}.{name}");
    reader.only(period, &path, &["id", "start", "end"]);
    let span = instant::period(period, reader.zone);
    if span.is_none() {
        reader.refuse(&path, Reason::Date);
    }
    span
}

fn one_actor(actor: &Json, path: &str, reader: &mut Reader<'_>) -> Option<Actor> {
    const TYPES: &[&str] = &["Patient", "RelatedPerson", "Practitioner", "Person", "Device", "Organization"];
    reader.only(actor, path, &["id", "role", "reference"]);
    match actor.get("role") {
        Some(role) => {
            for (path, coding) in reader.codings(role, &format!("{path}.role"), &[ROLE_SYSTEM]) {
                if coding.str("code") != Some("IRCP") {
                    reader.refuse(&format!("{path}.code"), Reason::Code);
                }
            }
        }
        None => reader.refuse(&format!("{path}.role"), Reason::Required),
    }
    let reference = reader.reference(actor, path, "reference", TYPES)?;
    if !reader.terms.is_actor(&reference) {
        reader.refuse(&format!("{path}.reference"), Reason::Actor);
    }
    Some(match reference.split_once('/') {
        Some(("Device", id)) => Actor::Client(id.into()),
        Some(("Organization", _)) => Actor::Organization(reference),
        _ => Actor::Person(reference),
    })
}

fn one_purpose(purpose: &Json, path: &str, reader: &mut Reader<'_>) -> Option<Box<str>> {
    if !reader.coding(purpose, path, &[PURPOSE_SYSTEM]) {
        return None;
    }
    let code = purpose.str("code")?;
    if !reader.terms.is_purpose(code) {
        reader.refuse(&format!("{path}.code"), Reason::Code);
    }
    Some(code.into())
}

fn some_actions(action: &Json, path: &str, reader: &mut Reader<'_>) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for (path, coding) in reader.codings(action, path, &[ACTION_SYSTEM]) {
        match Deed::ALL.iter().find(|(code, _)| coding.str("code") == Some(code)) {
            Some((_, deed)) => deeds.push(*deed),
            None => reader.refuse(&format!("{path}.code"), Reason::Code),
        }
    }
    deeds
}

fn one_class(class: &Json, path: &str, reader: &mut Reader<'_>) -> Option<Predicate> {
    if !reader.coding(class, path, &[TYPES_SYSTEM, KIND_SYSTEM]) {
        return None;
    }
    let code = class.str("code")?;
    let found = match class.str("system") {
        Some(KIND_SYSTEM) => kind(code).map(Predicate::Kind),
        _ => reader.terms.is_type(code).then(|| Predicate::Type(code.into())),
    };
    if found.is_none() {
        reader.refuse(&format!("{path}.code"), Reason::Code);
    }
    found
}

/// `1` to `9`.
fn kind(code: &str) -> Option<u8> {
    code.parse().ok().filter(|kind| code.len() == 1 && (1..=9).contains(kind))
}

/// Any coding of the resource that is equal or subsumed, in its clinical code or
/// its category. A coding without a system is that code in any system.
fn one_code(code: &Json, path: &str, reader: &mut Reader<'_>) -> Predicate {
    let mut alternatives = Vec::new();
    for (_, coding) in reader.codings(code, path, &[]) {
        let system = coding.str("system");
        let own = coding.str("code").map(Box::from);
        let narrower = match (system, own.as_deref()) {
            (Some(system), Some(code)) => reader.terms.narrower(system, code),
            _ => Vec::new(),
        };
        for code in own.into_iter().chain(narrower) {
            alternatives.push(Predicate::Code { system: system.map(Into::into), code: code.clone() });
            alternatives.push(Predicate::Category { system: system.map(Into::into), code });
        }
    }
    Predicate::any(alternatives)
}
