//! From a node to its child elements, typed by the model.
//!
//! A choice is called by its plain name, so `value` finds `valueQuantity`. The
//! members of the object are looked through once; the model is asked only about
//! those whose name could be meant.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::item::{Items, Node};
use super::model::{Model, Property};
use crate::json::Json;

/// Adds the children of `node` called `name` to `out`, and says how many members
/// were looked at.
pub(super) fn named<'a>(model: &'a dyn Model, node: &Node<'a>, name: &str, out: &mut Items<'a>) -> usize {
    let Some(object) = node.object() else { return 0 };
    let (mut spelling, mut property) = (None, None);
    let (mut value, mut sibling) = (None, None);
    for member in object.members() {
        let (bare, is_sibling) = match member.name.strip_prefix('_') {
            Some(bare) => (bare, true),
            None => (&*member.name, false),
        };
        if !may_spell(bare, name) {
            continue;
        }
        if spelling.is_none() {
            property = model.property(node.type_name(), bare).filter(|property| property.name == name);
            if property.is_some() {
                spelling = Some(bare);
            }
        }
        if spelling == Some(bare) {
            *(if is_sibling { &mut sibling } else { &mut value }) = Some(&member.value);
        }
    }
    if let Some(property) = property {
        each(property, value, sibling, |child| out.push(child.into()));
    }
    object.members().len()
}

/// Whether the JSON property `bare` may be the element `name`: it itself, or it
/// with a type after it.
fn may_spell(bare: &str, name: &str) -> bool {
    bare.strip_prefix(name).is_some_and(|suffix| suffix.bytes().next().is_none_or(|first| first.is_ascii_uppercase()))
}

/// Every child of `node` in the order of the JSON, with the property it is of
/// and, in a list, its place. Says how many members were looked at.
pub(super) fn children<'a>(
    model: &'a dyn Model,
    node: &Node<'a>,
    mut found: impl FnMut(Property<'a>, usize, Node<'a>),
) -> usize {
    let Some(object) = node.object() else { return 0 };
    for member in object.members() {
        let (bare, is_sibling) = match member.name.strip_prefix('_') {
            Some(bare) => (bare, true),
            None => (&*member.name, false),
        };
        // The model is asked first: what a type does not have is not worth a
        // second look through the object.
        let Some(property) = model.property(node.type_name(), bare) else { continue };
        let (value, sibling) = match is_sibling {
            true if object.get(bare).is_some() => continue,
            true => (None, Some(&member.value)),
            false => (Some(&member.value), sibling_of(object, bare)),
        };
        let mut index = 0;
        each(property, value, sibling, |child| {
            found(property, index, child);
            index += 1;
        });
    }
    object.members().len()
}

fn sibling_of<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    let is_sibling = |key: &str| key.strip_prefix('_') == Some(name);
    object.members().iter().find(|member| is_sibling(&member.name)).map(|member| &member.value)
}

fn each<'a>(
    property: Property<'a>,
    value: Option<&'a Json>,
    sibling: Option<&'a Json>,
    mut found: impl FnMut(Node<'a>),
) {
    let is_list = value.or(sibling).is_some_and(Json::is_array);
    let values = value.map_or(&[][..], Json::each);
    let siblings = sibling.filter(|sibling| sibling.is_array() == is_list).map_or(&[][..], Json::each);
    for place in 0..values.len().max(siblings.len()) {
        let value = values.get(place);
        let type_name = type_of(property.type_name, value);
        if let Some(node) = Node::primitive(value, siblings.get(place), type_name) {
            found(node);
        }
    }
}

/// The element's own type, or where any resource may stand the one that does.
fn type_of<'a>(declared: &'a str, value: Option<&'a Json>) -> &'a str {
    match declared {
        "Resource" | "DomainResource" => value.and_then(|json| json.str("resourceType")).unwrap_or(declared),
        _ => declared,
    }
}

/// Where `target` stands below `root`, as a path: `Patient.name[0].given[1]`.
///
/// Costs a walk over the resource; meant for the one node that is reported.
pub fn locate<'a>(model: &'a dyn Model, root: Node<'a>, target: &Node<'a>) -> Option<String> {
    let mut trail = Vec::new();
    if !find(model, root, target, &mut trail) {
        return None;
    }
    let mut path = root.type_name().to_owned();
    for (property, index) in trail.into_iter().rev() {
        path.push('.');
        path.push_str(property.name);
        if property.is_list {
            write!(path, "[{index}]").expect("a String takes all");
        }
    }
    Some(path)
}

/// Collects the way to `target`, the last step first.
fn find<'a>(model: &'a dyn Model, from: Node<'a>, target: &Node<'a>, trail: &mut Vec<(Property<'a>, usize)>) -> bool {
    if from.is(target) {
        return true;
    }
    let mut hit = false;
    children(model, &from, |property, index, child| {
        if !hit && find(model, child, target, trail) {
            trail.push((property, index));
            hit = true;
        }
    });
    hit
}

/// Where every element of a resource stands: what [`locate`] answers for one, made
/// ready for many by one walk.
#[derive(Debug)]
pub struct Locations {
    paths: HashMap<(usize, usize), String>,
}

impl Locations {
    /// Walks over `root`.
    pub fn of<'a>(model: &'a dyn Model, root: Node<'a>) -> Self {
        let mut paths = HashMap::new();
        let mut waiting = vec![(root, root.type_name().to_owned())];
        while let Some((node, path)) = waiting.pop() {
            children(model, &node, |property, index, child| {
                let place = if property.is_list { format!("[{index}]") } else { String::new() };
                waiting.push((child, format!("{path}.{}{place}", property.name)));
            });
            paths.insert(node.place(), path);
        }
        Self { paths }
    }

    /// The path of an element; `None` if it is none of the resource's.
    pub fn path(&self, node: &Node<'_>) -> Option<&str> {
        self.paths.get(&node.place()).map(String::as_str)
    }
}

/// The resource around `target`: the innermost that holds it and is no
/// contained one. Also says how many elements were looked at.
pub(super) fn container<'a>(model: &'a dyn Model, root: Node<'a>, target: &Node<'a>) -> (Node<'a>, usize) {
    // Only these hold whole resources but contained ones.
    if !matches!(root.type_name(), "Bundle" | "Parameters") {
        return (root, 0);
    }
    let mut seen = 0;
    let found = around(model, (root, root), target, &mut seen);
    (found.unwrap_or(root), seen)
}

fn around<'a>(
    model: &'a dyn Model,
    (from, resource): (Node<'a>, Node<'a>),
    target: &Node<'a>,
    seen: &mut usize,
) -> Option<Node<'a>> {
    *seen += 1;
    if from.is(target) {
        return Some(resource);
    }
    let mut hit = None;
    children(model, &from, |property, _, child| {
        if hit.is_none() {
            let opens = model.is_resource(child.type_name()) && property.name != "contained";
            hit = around(model, (child, if opens { child } else { resource }), target, seen);
        }
    });
    hit
}
