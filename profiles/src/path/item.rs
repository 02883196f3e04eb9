//! What a path yields: nodes of the resource, and computed values.
//!
//! A node is never copied; it borrows the tree. A primitive of FHIR may have a
//! value, a `_sibling` with id and extensions, or both; a [`Node`] holds what
//! there is of the two.

use std::borrow::Cow;
use std::ops::Deref;

use super::temporal::{Date, DateTime, Time};
use super::value::{Quantity, TypeName, Value, decimal};
use crate::json::{Json, Value as Tree};

/// One thing a path yields.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// An element of the resource, or of one it refers to.
    Node(Node<'a>),
    /// A computed value.
    Value(Value<'a>),
    /// The target of a reference that was not fetched, of which only the type
    /// is known.
    Target(Target<'a>),
}

/// An element: its JSON and its FHIR type.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    json: Option<&'a Json>,
    sibling: Option<&'a Json>,
    type_name: &'a str,
}

/// An unfetched target of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The resource type that the reference names.
    pub type_name: &'a str,
    /// The reference itself.
    pub reference: &'a str,
}

impl<'a> Node<'a> {
    /// An element with a value.
    pub fn new(json: &'a Json, type_name: &'a str) -> Self {
        Self { json: Some(json), sibling: None, type_name }
    }

    /// A resource, by its own `resourceType`.
    pub fn resource(json: &'a Json) -> Self {
        Self::new(json, json.str("resourceType").unwrap_or_default())
    }

    /// A primitive from its value and its `_sibling`, `null` counting as absent;
    /// `None` if neither is there.
    pub fn primitive(json: Option<&'a Json>, sibling: Option<&'a Json>, type_name: &'a str) -> Option<Self> {
        let json = json.filter(|json| !json.is_null());
        let sibling = sibling.filter(|sibling| !sibling.is_null());
        (json.is_some() || sibling.is_some()).then_some(Self { json, sibling, type_name })
    }

    /// The JSON value; `None` for a primitive that has only extensions.
    pub fn json(&self) -> Option<&'a Json> {
        self.json
    }

    /// The `_sibling` of a primitive.
    pub fn sibling(&self) -> Option<&'a Json> {
        self.sibling
    }

    /// The FHIR type; for a backbone element its path.
    pub fn type_name(&self) -> &'a str {
        self.type_name
    }

    /// The object in which its child elements are.
    pub(super) fn object(&self) -> Option<&'a Json> {
        self.json.filter(|json| json.is_object()).or(self.sibling)
    }

    /// Whether both are the same place in the same tree.
    pub fn is(&self, other: &Node<'_>) -> bool {
        let same = |a: Option<&Json>, b: Option<&Json>| match (a, b) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same(self.json, other.json) && same(self.sibling, other.sibling)
    }

    /// What tells this place of this tree from all others.
    pub(super) fn place(&self) -> (usize, usize) {
        let address = |json: Option<&'a Json>| json.map_or(0, |json| std::ptr::from_ref(json).addr());
        (address(self.json), address(self.sibling))
    }

    /// The value of a primitive, or of a quantity, as a System type; `None`
    /// for other elements and where the text is none of its type.
    pub fn value(&self) -> Option<Value<'a>> {
        let json = self.json?;
        match json.value() {
            Tree::Bool(truth) => Some(Value::Boolean(*truth)),
            Tree::Number(text) if self.type_name == "decimal" => decimal(text).map(Value::Decimal),
            Tree::Number(text) => match text.parse() {
                Ok(number) => Some(Value::Integer(number)),
                Err(_) => decimal(text).map(Value::Decimal),
            },
            Tree::String(text) => match self.type_name {
                "date" => Date::parse(text).map(Value::Date),
                "dateTime" | "instant" => DateTime::parse(text).map(Value::DateTime),
                "time" => Time::parse(text).map(Value::Time),
                _ => Some(Value::String(Cow::Borrowed(text))),
            },
            Tree::Object(_) => quantity(json, self.type_name).map(Value::Quantity),
            Tree::Null | Tree::Array(_) => None,
        }
    }
}

/// The types that are quantities; in R4 JSON the profiles on Quantity carry its name.
pub(super) const QUANTITIES: &[&str] =
    &["Quantity", "Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity"];

/// A FHIR Quantity as a System one. The code counts where its system is UCUM,
/// the human unit where there is no UCUM, otherwise it has none. A FHIR duration
/// in `a` or `mo` is one by the calendar.
///
/// Source: FHIR R4 fhirpath.html, use of FHIR Quantity
fn quantity<'a>(json: &'a Json, type_name: &str) -> Option<Quantity<'a>> {
    if !QUANTITIES.contains(&type_name) {
        return None;
    }
    let value = decimal(json.get("value")?.as_number()?)?;
    let ucum = json.str("system") == Some("http://unitsofmeasure.org");
    let unit = json.str(if ucum { "code" } else { "unit" }).unwrap_or("1");
    let (unit, calendar) = match unit {
        "a" if ucum => ("year", true),
        "mo" if ucum => ("month", true),
        unit => (unit, false),
    };
    Some(Quantity { value, unit: Cow::Borrowed(unit), calendar })
}

impl<'a> Item<'a> {
    /// The node, if it is one.
    pub fn node(&self) -> Option<&Node<'a>> {
        match self {
            Self::Node(node) => Some(node),
            Self::Value(_) | Self::Target(_) => None,
        }
    }

    /// The JSON of a node, borrowed.
    pub fn json(&self) -> Option<&'a Json> {
        self.node().and_then(Node::json)
    }

    /// The FHIR type of a node (`Quantity`, `code`, `Observation.component`),
    /// the System type of a value (`Boolean`).
    pub fn type_name(&self) -> &str {
        match self {
            Self::Node(node) => node.type_name,
            Self::Value(value) => value.type_name(),
            Self::Target(target) => target.type_name,
        }
    }

    /// The type with its namespace.
    pub fn type_of(&self) -> TypeName<'a> {
        match self {
            Self::Node(Node { type_name: name, .. }) | Self::Target(Target { type_name: name, .. }) => {
                TypeName { namespace: "FHIR", name: Cow::Borrowed(name) }
            }
            Self::Value(value) => TypeName { namespace: "System", name: Cow::Borrowed(value.type_name()) },
        }
    }

    /// The System value: of a node the converted one, see [`Node::value`].
    pub fn value(&self) -> Option<Value<'a>> {
        match self {
            Self::Node(node) => node.value(),
            Self::Value(value) => Some(value.clone()),
            Self::Target(_) => None,
        }
    }

    /// The text of a String or of a primitive written as a JSON string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Node(node) => node.json.and_then(Json::as_str),
            Self::Value(Value::String(text)) => Some(text),
            Self::Value(_) | Self::Target(_) => None,
        }
    }

    /// The text of [`Item::as_str`], borrowed from the resource if it can be.
    pub(super) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Node(node) => node.json.and_then(Json::as_str).map(Cow::Borrowed),
            Self::Value(Value::String(text)) => Some(text),
            Self::Value(_) | Self::Target(_) => None,
        }
    }

    /// The item as JSON; `None` where there is no value to write.
    pub fn to_json(&self) -> Option<Json> {
        match self {
            Self::Node(node) => node.json.cloned(),
            Self::Value(value) => Some(value.to_json()),
            Self::Target(_) => None,
        }
    }
}

impl<'a> From<Node<'a>> for Item<'a> {
    fn from(node: Node<'a>) -> Self {
        Self::Node(node)
    }
}

impl<'a> From<Value<'a>> for Item<'a> {
    fn from(value: Value<'a>) -> Self {
        Self::Value(value)
    }
}

/// A collection. Nearly all have no item or one, which take no allocation.
#[derive(Clone, Debug, Default)]
pub(super) enum Items<'a> {
    #[default]
    Empty,
    One(Item<'a>),
    Many(Vec<Item<'a>>),
}

impl<'a> Items<'a> {
    pub(super) fn push(&mut self, item: Item<'a>) {
        *self = match std::mem::take(self) {
            Self::Empty => Self::One(item),
            Self::One(first) => {
                let mut items = Vec::with_capacity(4);
                items.extend([first, item]);
                Self::Many(items)
            }
            Self::Many(mut items) => {
                items.push(item);
                Self::Many(items)
            }
        };
    }

    pub(super) fn append(&mut self, more: Items<'a>) {
        match more {
            Self::Empty => {}
            Self::One(item) => self.push(item),
            Self::Many(items) if self.is_empty() => *self = Self::Many(items),
            Self::Many(items) => items.into_iter().for_each(|item| self.push(item)),
        }
    }

    pub(super) fn boolean(truth: bool) -> Self {
        Self::One(Item::Value(Value::Boolean(truth)))
    }

    pub(super) fn maybe(truth: Option<bool>) -> Self {
        truth.map_or(Self::Empty, Self::boolean)
    }

    pub(super) fn value(value: Value<'a>) -> Self {
        Self::One(Item::Value(value))
    }

    pub(super) fn string(text: impl Into<Cow<'a, str>>) -> Self {
        Self::value(Value::String(text.into()))
    }

    pub(super) fn integer(count: usize) -> Self {
        Self::value(Value::Integer(i32::try_from(count).unwrap_or(i32::MAX)))
    }

    pub(super) fn into_vec(self) -> Vec<Item<'a>> {
        match self {
            Self::Empty => Vec::new(),
            Self::One(item) => vec![item],
            Self::Many(items) => items,
        }
    }

    /// The only item; `Err(count)` if there are several.
    pub(super) fn single(self) -> Result<Option<Item<'a>>, usize> {
        match self {
            Self::Empty => Ok(None),
            Self::One(item) => Ok(Some(item)),
            Self::Many(mut items) if items.len() < 2 => Ok(items.pop()),
            Self::Many(items) => Err(items.len()),
        }
    }
}

impl<'a> Deref for Items<'a> {
    type Target = [Item<'a>];

    fn deref(&self) -> &[Item<'a>] {
        match self {
            Self::Empty => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
}

impl<'a> From<&[Item<'a>]> for Items<'a> {
    fn from(items: &[Item<'a>]) -> Self {
        match items {
            [] => Self::Empty,
            [item] => Self::One(item.clone()),
            _ => Self::Many(items.to_vec()),
        }
    }
}

impl<'a> From<Option<Item<'a>>> for Items<'a> {
    fn from(item: Option<Item<'a>>) -> Self {
        item.map_or(Self::Empty, Self::One)
    }
}

impl<'a> FromIterator<Item<'a>> for Items<'a> {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut all = Self::Empty;
        for item in items {
            all.push(item);
        }
        all
    }
}

impl<'a> IntoIterator for Items<'a> {
    type Item = Item<'a>;
    type IntoIter = IntoIter<'a>;

    fn into_iter(self) -> IntoIter<'a> {
        match self {
            Self::Empty => IntoIter::One(None),
            Self::One(item) => IntoIter::One(Some(item)),
            Self::Many(items) => IntoIter::Many(items.into_iter()),
        }
    }
}

/// The items of a collection, one by one.
pub(super) enum IntoIter<'a> {
    One(Option<Item<'a>>),
    Many(std::vec::IntoIter<Item<'a>>),
}

impl<'a> Iterator for IntoIter<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::One(item) => item.take(),
            Self::Many(items) => items.next(),
        }
    }
}
