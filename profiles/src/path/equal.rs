//! Equality, equivalence, order, and sets.
//!
//! Equality may be unknown (`None`): dates of different precision, quantities
//! whose units do not compare. A set takes two items for one only where they
//! are known to be equal.
//!
//! Source: `FHIRPath` 2.0, equality, equivalence, comparison

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::PathError;
use super::eval::{Engine, MEMBERS_A_STEP};
use super::item::{Item, Items, QUANTITIES};
use super::temporal::DateTime;
use super::units;
use super::value::{Value, decimal};
use crate::json::{Json, Value as Tree};

/// `a = b` over collections, in order.
pub(super) fn equal(engine: &mut Engine<'_, '_>, a: &[Item<'_>], b: &[Item<'_>]) -> Result<Option<bool>, PathError> {
    if a.is_empty() || b.is_empty() {
        return Ok(None);
    }
    if a.len() != b.len() {
        return Ok(Some(false));
    }
    let mut known = true;
    for (a, b) in a.iter().zip(b) {
        match item_equal(engine, a, b)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => known = false,
        }
    }
    Ok(known.then_some(true))
}

/// `a ~ b` over collections, in any order.
pub(super) fn equivalent(engine: &mut Engine<'_, '_>, a: &[Item<'_>], b: &[Item<'_>]) -> Result<bool, PathError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    matched(a, b, |a, b| item_equivalent(engine, a, b))
}

/// Whether each of `a` has its own partner in `b`.
fn matched<T>(a: &[T], b: &[T], mut same: impl FnMut(&T, &T) -> Result<bool, PathError>) -> Result<bool, PathError> {
    // Of each place the next that has no partner yet, and before all the first: comparing
    // is paid for, passing by is not, so nothing is passed by.
    let mut next: Vec<usize> = (0..=b.len()).collect();
    for a in a {
        let mut before = 0;
        loop {
            let place = next[before];
            let Some(b) = b.get(place) else { return Ok(false) };
            if same(a, b)? {
                next[before] = next[place + 1];
                break;
            }
            before = place + 1;
        }
    }
    Ok(true)
}

pub(super) fn item_equal(engine: &mut Engine<'_, '_>, a: &Item<'_>, b: &Item<'_>) -> Result<Option<bool>, PathError> {
    engine.spend(1)?;
    if let (Item::Node(a), Item::Node(b)) = (a, b) {
        if a.is(b) {
            return Ok(Some(true));
        }
        match (a.json().filter(|json| json.is_object()), b.json().filter(|json| json.is_object())) {
            (Some(a), Some(b)) => return tree_equal(engine, a, b).map(Some),
            (None, None) if a.json().is_none() && b.json().is_none() => {
                return match (a.sibling(), b.sibling()) {
                    (Some(a), Some(b)) => tree_equal(engine, a, b).map(Some),
                    _ => Ok(Some(false)),
                };
            }
            _ => {}
        }
    }
    Ok(match (a.value(), b.value()) {
        (Some(a), Some(b)) => {
            spend_texts(engine, &a, &b)?;
            value_equal(engine, &a, &b)
        }
        _ => Some(matches!((a, b), (Item::Target(a), Item::Target(b)) if a == b)),
    })
}

/// Long texts take time to compare.
pub(super) fn spend_texts(engine: &mut Engine<'_, '_>, a: &Value<'_>, b: &Value<'_>) -> Result<(), PathError> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => engine.spend(a.len().min(b.len()) / 64),
        _ => Ok(()),
    }
}

fn value_equal(engine: &Engine<'_, '_>, a: &Value<'_>, b: &Value<'_>) -> Option<bool> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a == b),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a == b),
        (Value::Integer(a), Value::Integer(b)) => Some(a == b),
        (Value::Type(a), Value::Type(b)) => Some(a == b),
        _ => match order(engine, a, b) {
            Ok(order) => order.map(Ordering::is_eq),
            Err(Incomparable) => Some(false),
        },
    }
}

/// The types of two values have no order.
pub(super) struct Incomparable;

/// Which value comes first, if that can be known.
pub(super) fn order(engine: &Engine<'_, '_>, a: &Value<'_>, b: &Value<'_>) -> Result<Option<Ordering>, Incomparable> {
    Ok(match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => a.order(*b),
        (Value::Date(a), Value::Date(b)) => DateTime::from(*a).order(DateTime::from(*b)),
        (Value::Date(a), Value::DateTime(b)) => DateTime::from(*a).order(*b),
        (Value::DateTime(a), Value::Date(b)) => a.order(DateTime::from(*b)),
        (Value::DateTime(a), Value::DateTime(b)) => a.order(*b),
        _ => {
            if let (Some(a), Some(b)) = (a.as_decimal(), b.as_decimal()) {
                return Ok(Some(a.cmp(&b)));
            }
            let (a, b) = (a.clone().into_quantity(), b.clone().into_quantity());
            units::order(engine.context.units, &a.ok_or(Incomparable)?, &b.ok_or(Incomparable)?)
        }
    })
}

/// Deep equality: numbers by value, the order of members left aside.
fn tree_equal(engine: &mut Engine<'_, '_>, a: &Json, b: &Json) -> Result<bool, PathError> {
    engine.spend(1)?;
    match (a.value(), b.value()) {
        (Tree::Number(a), Tree::Number(b)) => Ok(a == b || decimal(a).is_some() && decimal(a) == decimal(b)),
        (Tree::Array(a), Tree::Array(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b) {
                if !tree_equal(engine, a, b)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Tree::Object(a), Tree::Object(members)) => {
            if a.len() != members.len() {
                return Ok(false);
            }
            for member in a {
                engine.spend(members.len() / MEMBERS_A_STEP)?;
                match b.get(&member.name) {
                    Some(other) if tree_equal(engine, &member.value, other)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Tree::String(a), Tree::String(b)) => {
            engine.spend(a.len().min(b.len()) / 64)?;
            Ok(a == b)
        }
        (a, b) => Ok(a == b),
    }
}

fn item_equivalent(engine: &mut Engine<'_, '_>, a: &Item<'_>, b: &Item<'_>) -> Result<bool, PathError> {
    engine.spend(1)?;
    let objects = (a.json().filter(|json| json.is_object()), b.json().filter(|json| json.is_object()));
    if let (Some(x), Some(y)) = objects
        && !(QUANTITIES.contains(&a.type_name()) && QUANTITIES.contains(&b.type_name()))
    {
        return tree_equivalent(engine, x, y);
    }
    Ok(match (a.value(), b.value()) {
        (Some(a), Some(b)) => {
            if let (Value::String(a), Value::String(b)) = (&a, &b) {
                engine.spend((a.len() + b.len()) / 16)?;
            }
            value_equivalent(engine, a, b)
        }
        _ => item_equal(engine, a, b)? == Some(true),
    })
}

fn value_equivalent(engine: &Engine<'_, '_>, a: Value<'_>, b: Value<'_>) -> bool {
    match (&a, &b) {
        (Value::String(a), Value::String(b)) => text_equivalent(a, b),
        (Value::Quantity(_), _) | (_, Value::Quantity(_)) => match (a.into_quantity(), b.into_quantity()) {
            (Some(a), Some(b)) => units::equivalent(engine.context.units, &a, &b),
            _ => false,
        },
        _ => match (a.as_decimal(), b.as_decimal()) {
            (Some(a), Some(b)) => units::near(a, b),
            _ => value_equal(engine, &a, &b) == Some(true),
        },
    }
}

/// Case aside, and any white space being one space.
fn text_equivalent(a: &str, b: &str) -> bool {
    let normal = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    a == b || normal(a) == normal(b)
}

fn tree_equivalent(engine: &mut Engine<'_, '_>, a: &Json, b: &Json) -> Result<bool, PathError> {
    engine.spend(1)?;
    match (a.value(), b.value()) {
        (Tree::String(a), Tree::String(b)) => {
            engine.spend((a.len() + b.len()) / 16)?;
            Ok(text_equivalent(a, b))
        }
        (Tree::Number(a), Tree::Number(b)) => Ok(match (decimal(a), decimal(b)) {
            (Some(a), Some(b)) => units::near(a, b),
            _ => a == b,
        }),
        (Tree::Array(a), Tree::Array(b)) => {
            Ok(a.len() == b.len() && matched(a, b, |a, b| tree_equivalent(engine, a, b))?)
        }
        (Tree::Object(a), Tree::Object(members)) => {
            if a.len() != members.len() {
                return Ok(false);
            }
            for member in a {
                engine.spend(members.len() / MEMBERS_A_STEP)?;
                match b.get(&member.name) {
                    Some(other) if tree_equivalent(engine, &member.value, other)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (a, b) => Ok(a == b),
    }
}

/// A collection in which no two items are known to be equal.
#[derive(Default)]
pub(super) struct Set<'a> {
    items: Items<'a>,
    /// Places by digest, once there are enough to be worth it.
    places: HashMap<u64, Vec<usize>>,
}

/// Up to here comparing one by one is the quicker way.
const SMALL: usize = 12;

impl<'a> Set<'a> {
    /// Adds `item` unless it is there; says whether it was added.
    pub(super) fn insert(&mut self, engine: &mut Engine<'_, '_>, item: Item<'a>) -> Result<bool, PathError> {
        let place = self.items.len();
        if place < SMALL {
            let is_new = !contains(engine, &self.items, &item)?;
            if is_new {
                self.items.push(item);
            }
            return Ok(is_new);
        }
        if place == SMALL && self.places.is_empty() {
            for (place, known) in self.items.iter().enumerate() {
                self.places.entry(digest(engine, known)?).or_default().push(place);
            }
        }
        let digest = digest(engine, &item)?;
        if self.has(engine, digest, &item)? {
            return Ok(false);
        }
        self.places.entry(digest).or_default().push(place);
        self.items.push(item);
        Ok(true)
    }

    /// Whether an item known to be equal is there.
    pub(super) fn contains(&self, engine: &mut Engine<'_, '_>, item: &Item<'_>) -> Result<bool, PathError> {
        if self.places.is_empty() {
            return contains(engine, &self.items, item);
        }
        let digest = digest(engine, item)?;
        self.has(engine, digest, item)
    }

    fn has(&self, engine: &mut Engine<'_, '_>, digest: u64, item: &Item<'_>) -> Result<bool, PathError> {
        for place in self.places.get(&digest).into_iter().flatten() {
            if item_equal(engine, &self.items[*place], item)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn into_items(self) -> Items<'a> {
        self.items
    }

    pub(super) fn of(engine: &mut Engine<'_, '_>, items: Items<'a>) -> Result<Self, PathError> {
        let mut set = Self::default();
        for item in items {
            set.insert(engine, item)?;
        }
        Ok(set)
    }
}

/// Whether an item known to be equal to `item` is among `items`.
pub(super) fn contains(engine: &mut Engine<'_, '_>, items: &[Item<'_>], item: &Item<'_>) -> Result<bool, PathError> {
    for known in items {
        if item_equal(engine, known, item)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A number that equal items share. Where equality is more than sameness of
/// text (dates, units) all items of the kind share one.
fn digest(engine: &mut Engine<'_, '_>, item: &Item<'_>) -> Result<u64, PathError> {
    let mut hasher = DefaultHasher::new();
    match item.value() {
        Some(Value::Boolean(truth)) => (0, truth).hash(&mut hasher),
        Some(Value::String(text)) => {
            engine.spend(text.len() / 64)?;
            (1, text).hash(&mut hasher);
        }
        Some(Value::Quantity(quantity)) if quantity.unit != "1" => 2.hash(&mut hasher),
        Some(number @ (Value::Integer(_) | Value::Decimal(_) | Value::Quantity(_))) => {
            (3, number.into_quantity().map(|bare| bare.value.normalize())).hash(&mut hasher);
        }
        Some(Value::Date(_) | Value::DateTime(_)) => 4.hash(&mut hasher),
        Some(Value::Time(_)) => 5.hash(&mut hasher),
        Some(Value::Type(name)) => (6, name.name).hash(&mut hasher),
        None => match item.node().and_then(|node| node.json().or(node.sibling())) {
            Some(json) => return tree_digest(engine, json),
            None => 7.hash(&mut hasher),
        },
    }
    Ok(hasher.finish())
}

fn tree_digest(engine: &mut Engine<'_, '_>, json: &Json) -> Result<u64, PathError> {
    engine.spend(1)?;
    let mut hasher = DefaultHasher::new();
    match json.value() {
        Tree::Null => 0.hash(&mut hasher),
        Tree::Bool(truth) => truth.hash(&mut hasher),
        Tree::Number(text) => decimal(text).map(|number| number.normalize()).hash(&mut hasher),
        Tree::String(text) => {
            engine.spend(text.len() / 64)?;
            text.hash(&mut hasher);
        }
        Tree::Array(items) => {
            for item in items {
                tree_digest(engine, item)?.hash(&mut hasher);
            }
        }
        Tree::Object(members) => {
            // A sum, since the order of members says nothing.
            let mut sum = 0_u64;
            for member in members {
                let mut hasher = DefaultHasher::new();
                (&member.name, tree_digest(engine, &member.value)?).hash(&mut hasher);
                sum = sum.wrapping_add(hasher.finish());
            }
            sum.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}
