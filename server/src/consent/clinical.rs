//! What a decision needs to know of one resource: its [`Facts`].
//!
//! The store keeps them in columns of the row and turns a [`Predicate`] into SQL
//! over these; [`Predicate::holds`] is the same question put to the facts in
//! memory, for writes (nothing is stored yet) and for tests. Codes come from
//! [`codings`], for the store as for this; the clinical time comes from
//! `search/facts.rs`, which indexes it.

use std::collections::HashSet;
use std::ops::Range;

use techo_profiles::json::Json;

use super::label;
use super::predicate::Predicate;
use super::stance::StanceKey;
use super::view::{CitizenKey, CustodianKey};

/// What a [`Predicate`] can ask of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The resource type.
    pub kind: Box<str>,
    /// The notebook's kind, 1–9.
    pub notebook: Option<u8>,
    /// Every coding outside `meta`: system and code.
    pub codes: Vec<Coding>,
    /// The codings in `category`.
    pub categories: Vec<Coding>,
    /// The clinical time; `None` if unknown.
    pub time: Option<Range<i64>>,
    /// The custodian.
    pub keeper: Option<CustodianKey>,
    /// Written by a professional in a session.
    pub authored: bool,
    /// The sole citizen it is about.
    pub citizen: Option<CitizenKey>,
    /// The stances that stand for the citizen, each with the days of which its Consent speaks.
    pub stances: Vec<(StanceKey, Option<Range<i64>>)>,
    /// What it lists, as far as that is stored.
    pub listed: Vec<Facts>,
    /// Something that it lists is not stored.
    pub lacks: bool,
    /// What it lists was kept with it ([`super::listed::lists`]).
    pub list_kept: bool,
}

/// System, if there is one, and code.
pub type Coding = (Option<Box<str>>, Box<str>);

impl Facts {
    /// The facts that the resource itself holds, labelled by its content; custody
    /// is the store's to add.
    ///
    /// * `time`: the clinical time, microseconds since 1970, end exclusive.
    pub fn of(resource: &Json, time: Option<Range<i64>>) -> Self {
        Self {
            kind: resource.str("resourceType").unwrap_or_default().into(),
            notebook: Some(label::kind(resource)),
            codes: codings(resource),
            categories: categories(resource),
            time,
            ..Self::default()
        }
    }
}

/// Every coding of a resource, outside `meta`: `provision.code` means any of them (§3).
pub fn codings(resource: &Json) -> Vec<Coding> {
    let mut found = Found::default();
    for member in resource.members().iter().filter(|member| &*member.name != "meta") {
        collect(&member.value, &mut found);
    }
    found.list
}

/// The codings in `category`.
pub fn categories(resource: &Json) -> Vec<Coding> {
    let mut found = Found::default();
    if let Some(category) = resource.get("category") {
        for part in category.each() {
            // AllergyIntolerance.category is a plain code.
            if let Some(code) = part.as_str() {
                found.list.push((None, code.into()));
            }
            collect(part, &mut found);
        }
    }
    found.list
}

/// Codings in order, each once. Who sends many must not make each be compared with each.
#[derive(Default)]
struct Found {
    list: Vec<Coding>,
    seen: HashSet<Coding>,
}

impl Predicate {
    /// Whether a resource of these facts fulfils the condition.
    pub fn holds(&self, facts: &Facts) -> bool {
        self.holds_inside(facts, Around::default())
    }

    fn holds_inside(&self, facts: &Facts, around: Around<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::All(parts) => parts.iter().all(|part| part.holds_inside(facts, around)),
            Self::Any(parts) => parts.iter().any(|part| part.holds_inside(facts, around)),
            Self::Not(part) => !part.holds_inside(facts, around),
            Self::Lists(part) => {
                let around = Around { outer: Some(facts), days: None };
                !facts.lacks && facts.listed.iter().all(|one| part.holds_inside(one, around))
            }
            Self::ListKept => facts.list_kept,
            Self::Same => facts.citizen.is_some() && around.outer.is_some_and(|outer| outer.citizen == facts.citizen),
            Self::Type(kind) => *kind == facts.kind,
            Self::Kind(kind) => facts.notebook == Some(*kind),
            Self::Code { system, code } => coded(&facts.codes, system.as_deref(), code),
            Self::Category { system, code } => coded(&facts.categories, system.as_deref(), code),
            Self::Within { from, until } => within(facts, &(*from..*until)),
            Self::Touches { from, until } => touches(facts, &(*from..*until)),
            // A Consent without days of its own is not asked; a permission would not hold, a denial would.
            Self::WithinIts => around.days.is_some_and(|days| within(facts, days)),
            Self::TouchesIts => around.days.is_none_or(|days| touches(facts, days)),
            Self::Keeper(key) => facts.keeper == Some(*key),
            Self::Authored => facts.authored,
            Self::Stands(stances, part) => facts.stances.iter().any(|(one, days)| {
                stances.contains(one) && part.holds_inside(facts, Around { days: days.as_ref(), ..around })
            }),
        }
    }
}

/// Where a condition on one resource is asked.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    /// The resource that lists this one.
    outer: Option<&'a Facts>,
    /// The days of the Consent that stands.
    days: Option<&'a Range<i64>>,
}

fn within(facts: &Facts, days: &Range<i64>) -> bool {
    facts.time.as_ref().is_some_and(|time| days.start <= time.start && time.end <= days.end)
}

fn touches(facts: &Facts, days: &Range<i64>) -> bool {
    facts.time.as_ref().is_none_or(|time| time.start < days.end && days.start < time.end)
}

fn coded(codings: &[Coding], system: Option<&str>, code: &str) -> bool {
    codings.iter().any(|own| *own.1 == *code && (system.is_none() || own.0.as_deref() == system))
}

/// Every object that reads as a Coding: a `code`, mostly with a `system`, and no
/// `value` (a Quantity has a code too).
fn collect(json: &Json, found: &mut Found) {
    for part in json.each() {
        // Items of `coding` may lack a system; a Coding that stands alone is known by having one.
        for coding in part.list("coding") {
            add(coding, found);
        }
        if part.get("system").is_some() && part.get("value").is_none() {
            add(part, found);
        }
        for member in part.members().iter().filter(|member| &*member.name != "coding") {
            collect(&member.value, found);
        }
    }
}

fn add(coding: &Json, found: &mut Found) {
    if let Some(code) = coding.str("code") {
        let own: Coding = (coding.str("system").map(Into::into), code.into());
        if found.seen.insert(own.clone()) {
            found.list.push(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_is_found_but_no_unit() {
        let parse = |text: &str| Json::parse(text.as_bytes()).expect("JSON");
        let found = parse(
            r#"{"resourceType":"Observation","meta":{"tag":[{"system":"t","code":"m"}]},
                "category":[{"coding":[{"system":"c","code":"1"}]}],
                "code":{"coding":[{"system":"a","code":"2"},{"code":"3"}]},
                "valueQuantity":{"value":1,"system":"u","code":"kg"},
                "component":[{"code":{"coding":[{"system":"a","code":"4"}]}}]}"#,
        );
        let texts = |list: &[Coding]| -> Vec<String> {
            list.iter().map(|(system, code)| format!("{}|{code}", system.as_deref().unwrap_or_default())).collect()
        };
        assert_eq!(texts(&codings(&found)), ["c|1", "a|2", "|3", "a|4"]);
        assert_eq!(texts(&categories(&found)), ["c|1"]);
        assert_eq!(
            texts(&codings(&parse(r#"{"resourceType":"Encounter","class":{"system":"s","code":"AMB"}}"#))),
            ["s|AMB"]
        );
        assert_eq!(texts(&categories(&parse(r#"{"category":["food"]}"#))), ["|food"]);
    }

    #[test]
    fn atoms() {
        let own = Facts {
            kind: "Observation".into(),
            notebook: Some(6),
            time: Some(10..20),
            keeper: Some(4),
            ..Facts::default()
        };
        for (predicate, expected) in [
            (Predicate::Within { from: 10, until: 20 }, true),
            (Predicate::Within { from: 11, until: 20 }, false),
            (Predicate::Touches { from: 19, until: 30 }, true),
            (Predicate::Touches { from: 20, until: 30 }, false),
            (Predicate::Kind(6), true),
            (Predicate::Kind(5), false),
            (Predicate::Keeper(4), true),
            (Predicate::Keeper(5), false),
            (Predicate::Authored, false),
        ] {
            assert_eq!(predicate.holds(&own), expected, "{predicate:?}");
        }
        let of = |days: Option<Range<i64>>| Facts { stances: vec![(1, None), (2, days)], ..own.clone() };
        for (days, within, touches) in [
            (Some(10..20), true, true),
            (Some(10..19), false, true),
            (Some(11..20), false, true),
            (Some(20..30), false, false),
            (Some(0..10), false, false),
            (None, false, true),
        ] {
            let facts = of(days.clone());
            let holds = |part: Predicate, stance| Predicate::stands(vec![stance], part).holds(&facts);
            assert_eq!(
                (holds(Predicate::WithinIts, 2), holds(Predicate::TouchesIts, 2)),
                (within, touches),
                "{days:?}"
            );
            assert!(holds(Predicate::Always, 2) && !holds(Predicate::Always, 3));
        }
        let undated = Facts { time: None, ..own };
        assert!(!Predicate::Within { from: i64::MIN, until: i64::MAX }.holds(&undated));
        assert!(Predicate::Touches { from: 10, until: 11 }.holds(&undated));
    }
}
