//! The walk through a resource along the rules of its type.

use std::collections::HashMap;

use super::{
    Issue, MAX_ISSUES,
    fault::Fault,
    rules::{Content, Element, Node, Rules, Slot, TypeRules},
    special,
    trail::Trail,
};
use crate::{
    codes::Codes,
    definitions::Definitions,
    json::{Json, Member, Value},
    primitive::Primitive,
};

pub(super) struct Walk<'a> {
    definitions: &'a Definitions,
    rules: &'a Rules,
    pub(super) codes: &'a dyn Codes,
    /// The resource into whose `contained` a `#id` points.
    pub(super) container: Option<&'a Json>,
    /// What that contains, by id: each of many references may point at one of many.
    pub(super) contained: HashMap<&'a str, &'a Json>,
    is_contained: bool,
    /// The outermost resource is a Bundle.
    pub(super) is_bundle: bool,
    pub(super) issues: Vec<Issue>,
}

/// The element that is looked at, by the rules of the object it stands in.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    types: &'a TypeRules,
    pub(super) slot: &'a Slot,
    element: &'a Element,
    /// The members of the object.
    members: &'a [Member],
    /// The JSON name.
    name: &'a str,
}

impl Spot<'_> {
    /// Whether the object it stands in is of this type.
    pub(super) fn is_in(&self, type_name: &str) -> bool {
        &*self.types.name == type_name
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(definitions: &'a Definitions, codes: &'a dyn Codes) -> Self {
        let rules = definitions.rules();
        Self {
            definitions,
            rules,
            codes,
            container: None,
            contained: HashMap::new(),
            is_contained: false,
            is_bundle: false,
            issues: Vec::new(),
        }
    }

    /// Notes a fault; after [`MAX_ISSUES`] only that there are more.
    pub(super) fn fault(&mut self, fault: &Fault<'_>, trail: &Trail<'_>, offset: usize) {
        match self.issues.len() + 1 {
            count if count < MAX_ISSUES => self.issues.push(fault.issue(trail, offset)),
            MAX_ISSUES => self.issues.push(Fault::Full.issue(trail, offset)),
            _ => {}
        }
    }

    pub(super) fn is_resource(&self, name: &str) -> bool {
        self.definitions.type_number(name).is_some()
    }

    fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    /// A resource, whatever its type.
    pub(super) fn resource(&mut self, json: &'a Json, trail: &Trail<'_>) {
        let offset = json.span().start;
        if !json.is_object() {
            return self.fault(&Fault::Kind { expected: "object", found: json.kind() }, trail, offset);
        }
        let Some(named) = json.get("resourceType") else {
            return self.fault(&Fault::NoResourceType, trail, offset);
        };
        let Some(name) = named.as_str() else {
            let fault = Fault::Kind { expected: "string", found: named.kind() };
            return self.fault(&fault, &trail.name("resourceType"), named.span().start);
        };
        let Some(types) = self.rules.resource(self.definitions, name) else {
            return self.fault(&Fault::UnknownResource { name }, trail, named.span().start);
        };
        if !self.is_contained {
            self.is_bundle |= self.container.is_none() && name == "Bundle";
            self.container = Some(json);
            self.contained = special::contained(self, json, &trail.typed(&types.name));
        }
        self.object(types, types.root(), json, &trail.typed(&types.name));
    }

    /// A resource inside another: contained, or in an entry of a Bundle.
    fn nested(&mut self, spot: Spot<'a>, json: &'a Json, trail: &Trail<'_>) {
        let (was_contained, outer) = (self.is_contained, self.container);
        let is_contained = &*spot.element.name == "contained";
        if is_contained && was_contained {
            return self.fault(&Fault::NestedContained, trail, json.span().start);
        }
        self.is_contained = is_contained;
        // What is in an entry contains its own.
        let known = if is_contained { None } else { Some(std::mem::take(&mut self.contained)) };
        self.resource(json, trail);
        (self.is_contained, self.container) = (was_contained, outer);
        if let Some(known) = known {
            self.contained = known;
        }
    }

    fn object(&mut self, types: &'a TypeRules, node: &'a Node, json: &'a Json, trail: &Trail<'_>) {
        let offset = json.span().start;
        let Value::Object(members) = json.value() else {
            return self.fault(&Fault::Kind { expected: "object", found: json.kind() }, trail, offset);
        };
        let is_resource = types.is_resource && std::ptr::eq(node, types.root());
        // An id alone says nothing; beside a primitive it goes with the value.
        let is_hollow = |member: &Member| &*member.name == "id" && !is_resource && &*types.name != "Element";
        if members.iter().all(is_hollow) {
            return self.fault(&Fault::Empty { kind: "object" }, trail, offset);
        }
        let mut seen = 0;
        for member in members {
            if self.is_full() {
                return;
            }
            if !(is_resource && &*member.name == "resourceType") {
                self.member(types, node, (members, member), &mut seen, trail);
            }
        }
        let missing = node.required & !seen;
        if missing != 0 {
            self.missing(node, missing, trail, offset);
        }
        if &*types.name == "Extension" {
            special::extension(self, members, trail, offset);
        }
    }

    fn member(
        &mut self,
        types: &'a TypeRules,
        node: &'a Node,
        (members, member): (&'a [Member], &'a Member),
        seen: &mut u128,
        trail: &Trail<'_>,
    ) {
        let (name, is_beside) = match member.name.strip_prefix('_') {
            Some(name) => (name, true),
            None => (&*member.name, false),
        };
        let found = node.slot(name).filter(|slot| !is_beside || matches!(slot.content, Content::Primitive(_)));
        let Some(slot) = found else {
            let fault = Fault::UnknownElement { name: &member.name, known: node };
            return self.fault(&fault, trail, member.name_at as usize);
        };
        let element = &node.elements[slot.element];
        let bit = 1 << slot.element;
        let here =
            if element.is_choice { trail.choice(&element.name, &slot.type_name) } else { trail.name(&element.name) };
        if element.is_choice && *seen & bit != 0 && is_second(node, members, member, slot) {
            self.fault(&Fault::SecondChoice { element: &element.name }, &here, member.name_at as usize);
        }
        *seen |= bit;
        let at = Spot { types, slot, element, members, name };
        if is_beside {
            self.beside(at, &member.value, &here);
        } else {
            self.value(at, &member.value, &here);
        }
    }

    fn missing(&mut self, node: &'a Node, missing: u128, trail: &Trail<'_>, offset: usize) {
        for (at, element) in node.elements.iter().enumerate() {
            if missing & (1 << at) != 0 {
                self.fault(&Fault::Missing { element }, &trail.name(&element.name), offset);
            }
        }
    }

    /// An element's value: one, or a list.
    fn value(&mut self, spot: Spot<'a>, json: &'a Json, trail: &Trail<'_>) {
        let offset = json.span().start;
        let Value::Array(items) = json.value() else {
            return match (spot.element.is_list, spot.element.max) {
                (true, _) => self.fault(&Fault::NotAList { found: json.kind() }, trail, offset),
                (false, 0) => self.fault(&Fault::TooMany { most: 0 }, trail, offset),
                (false, _) => self.item(spot, json, trail),
            };
        };
        if !spot.element.is_list {
            return self.fault(&Fault::List, trail, offset);
        }
        if items.is_empty() {
            return self.fault(&Fault::Empty { kind: "array" }, trail, offset);
        }
        if items.len() > spot.element.max as usize {
            self.fault(&Fault::TooMany { most: spot.element.max }, trail, offset);
        }
        if items.len() < spot.element.min as usize {
            self.fault(&Fault::TooFew { least: spot.element.min }, trail, offset);
        }
        let padding = items.iter().any(Json::is_null).then(|| sibling(spot)).flatten().map_or(&[][..], Json::items);
        for (at, item) in items.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if !(item.is_null() && padding.get(at).is_some_and(Json::is_object)) {
                self.item(spot, item, &trail.index(at));
            }
        }
    }

    fn item(&mut self, spot: Spot<'a>, json: &'a Json, trail: &Trail<'_>) {
        let offset = json.span().start;
        if json.is_null() {
            return self.fault(&Fault::Null, trail, offset);
        }
        match spot.slot.content {
            Content::Primitive(Primitive::Xhtml) => special::narrative(self, json, trail),
            Content::Primitive(primitive) => {
                if let Err(error) = primitive.check_json(json) {
                    return self.fault(&Fault::Primitive { primitive, error, found: json.kind() }, trail, offset);
                }
                special::code(self, spot, json, trail);
            }
            Content::Type(position) => {
                let types = self.rules.at(self.definitions, position);
                self.object(types, types.root(), json, trail);
                special::typed(self, spot, json, trail);
            }
            Content::Node(position) => self.object(spot.types, spot.types.node(position), json, trail),
            Content::Resource => self.nested(spot, json, trail),
        }
    }

    /// What stands beside a primitive under its name with an underscore: its id
    /// and extensions, for a list as a list of the same length.
    fn beside(&mut self, spot: Spot<'a>, json: &'a Json, trail: &Trail<'_>) {
        let rules = self.rules.beside(self.definitions);
        if !spot.element.is_list {
            return self.object(rules, rules.root(), json, trail);
        }
        let offset = json.span().start;
        let Value::Array(items) = json.value() else {
            return self.fault(&Fault::NotAList { found: json.kind() }, trail, offset);
        };
        let main = spot.members.iter().find(|member| &*member.name == spot.name).map(|member| member.value.items());
        if items.is_empty() || main.is_some_and(|main| main.len() != items.len()) {
            return self.fault(&Fault::Padding, trail, offset);
        }
        for (at, item) in items.iter().enumerate() {
            match item.is_null() {
                // A null beside a null is found with the value.
                true if main.is_some() => {}
                true => self.fault(&Fault::Padding, &trail.index(at), item.span().start),
                false => self.object(rules, rules.root(), item, &trail.index(at)),
            }
        }
    }
}

/// The list beside a list of primitives.
fn sibling(spot: Spot<'_>) -> Option<&Json> {
    let is_it = |member: &&Member| member.name.strip_prefix('_') == Some(spot.name);
    spot.members.iter().find(is_it).map(|member| &member.value)
}

/// Whether a member before this one spells the same choice with another type.
fn is_second(node: &Node, members: &[Member], member: &Member, slot: &Slot) -> bool {
    let before = members.iter().take_while(|other| !std::ptr::eq(*other, member));
    let mut slots = before.filter_map(|other| node.slot(other.name.strip_prefix('_').unwrap_or(&other.name)));
    slots.any(|other| other.element == slot.element && !std::ptr::eq(other, slot))
}
