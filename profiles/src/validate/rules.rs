//! Definitions turned into tables that a walk can use without looking anything up
//! by text more than once an element.
//!
//! Each type is compiled when first met and kept. Types name one another by their
//! position, so that recursive types (`Extension`) need no special care.

use std::sync::OnceLock;

use crate::{
    definitions::{Definitions, ElementDef, Strength, TypeDef, TypeKind, choice_name},
    primitive::Primitive,
};

/// The rules of every type.
pub(crate) struct Rules {
    /// By name.
    types: Vec<(Box<str>, OnceLock<TypeRules>)>,
    element: usize,
}

/// The rules of one type: a node for its root, and one for each backbone element.
pub(crate) struct TypeRules {
    pub(crate) name: Box<str>,
    pub(crate) is_resource: bool,
    nodes: Vec<Node>,
}

/// What may stand in one kind of object.
pub(crate) struct Node {
    path: Box<str>,
    pub(crate) elements: Vec<Element>,
    /// By JSON name.
    slots: Vec<(Box<str>, Slot)>,
    /// A bit per element that has to stand.
    pub(crate) required: u128,
}

/// One element, however it is spelled.
pub(crate) struct Element {
    pub(crate) name: Box<str>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) is_list: bool,
    pub(crate) is_choice: bool,
    /// XML writes it as an attribute.
    pub(crate) is_attribute: bool,
    /// How many types JSON can spell it with.
    pub(crate) types: Vec<Box<str>>,
}

/// One JSON name of an element.
pub(crate) struct Slot {
    /// Position in [`Node::elements`].
    pub(crate) element: usize,
    pub(crate) type_name: Box<str>,
    pub(crate) content: Content,
    /// The value set of a required binding.
    pub(crate) binding: Option<Box<str>>,
    /// The types that a reference may point at; empty for any.
    pub(crate) targets: Vec<Box<str>>,
}

/// What an element holds.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    Primitive(Primitive),
    /// An object of the type at this position.
    Type(usize),
    /// An object by a node of the same type.
    Node(usize),
    /// Any resource.
    Resource,
}

impl Rules {
    pub(crate) fn new(definitions: &Definitions) -> Self {
        let mut names: Vec<&str> = definitions.type_names().collect();
        names.sort_unstable();
        let element = names.binary_search(&"Element").unwrap_or_default();
        Self { types: names.into_iter().map(|name| (name.into(), OnceLock::new())).collect(), element }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.types.binary_search_by(|(known, _)| (**known).cmp(name)).ok()
    }

    /// The rules of a concrete resource type.
    pub(crate) fn resource(&self, definitions: &Definitions, name: &str) -> Option<&TypeRules> {
        definitions.type_number(name)?;
        Some(self.at(definitions, self.position(name)?))
    }

    /// The rules of what stands beside a primitive: `id` and `extension`.
    pub(crate) fn beside(&self, definitions: &Definitions) -> &TypeRules {
        self.at(definitions, self.element)
    }

    pub(crate) fn at(&self, definitions: &Definitions, position: usize) -> &TypeRules {
        let (name, rules) = &self.types[position];
        rules.get_or_init(|| match definitions.type_def(name) {
            Some(facts) => self.compile(definitions, facts),
            None => TypeRules { name: name.clone(), is_resource: false, nodes: vec![Node::new(name)] },
        })
    }

    fn compile(&self, definitions: &Definitions, facts: &TypeDef) -> TypeRules {
        let mut nodes = vec![Node::new(&facts.name)];
        for parent in facts.elements.iter().filter_map(ElementDef::parent) {
            if !nodes.iter().any(|node| &*node.path == parent) {
                nodes.push(Node::new(parent));
            }
        }
        for element in &facts.elements {
            let Some(at) = element.parent().and_then(|parent| position(&nodes, parent)) else { continue };
            let slots = self.slots(definitions, element, &nodes, nodes[at].elements.len());
            nodes[at].add(element, slots);
        }
        for node in &mut nodes {
            node.slots.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        TypeRules { name: facts.name.clone(), is_resource: facts.kind == TypeKind::Resource, nodes }
    }

    fn slots(
        &self,
        definitions: &Definitions,
        element: &ElementDef,
        nodes: &[Node],
        number: usize,
    ) -> Vec<(Box<str>, Slot)> {
        let name = element.name();
        let required = element.binding.as_ref().filter(|binding| binding.strength == Strength::Required);
        let bare = |url: &str| Box::from(url.split('|').next().unwrap_or(url));
        let slot = |type_name: &str, content, targets| Slot {
            element: number,
            type_name: type_name.into(),
            content,
            binding: required.and_then(|binding| binding.value_set.as_deref()).map(bare),
            targets,
        };
        let inner = element.content_reference.as_deref().unwrap_or(&element.path);
        if let Some(node) = position(nodes, inner) {
            return vec![(name.into(), slot(inner, Content::Node(node), Vec::new()))];
        }
        let mut slots = Vec::new();
        for one in &element.types {
            let content = match &*one.code {
                "Resource" => Content::Resource,
                code => match (Primitive::named(code), self.position(code)) {
                    (Some(primitive), _) => Content::Primitive(primitive),
                    (None, Some(position)) => Content::Type(position),
                    // The value of a primitive has no JSON name: it is the primitive.
                    (None, None) => continue,
                },
            };
            let json_name = if element.is_choice() { choice_name(name, &one.code) } else { name.into() };
            slots.push((json_name.into(), slot(&one.code, content, targets(definitions, &one.target_profiles))));
        }
        slots
    }
}

/// The resource types named by profiles; none for any type at all.
fn targets(definitions: &Definitions, profiles: &[Box<str>]) -> Vec<Box<str>> {
    let mut names = Vec::new();
    for url in profiles {
        let last = url.rsplit('/').next().unwrap_or(url);
        let name = if definitions.type_number(last).is_some() {
            Some(last)
        } else {
            definitions.profile(url).map(|profile| &*profile.name)
        };
        match name {
            Some(name) => names.push(name.into()),
            None => return Vec::new(),
        }
    }
    names
}

fn position(nodes: &[Node], path: &str) -> Option<usize> {
    nodes.iter().position(|node| &*node.path == path)
}

impl TypeRules {
    pub(crate) fn root(&self) -> &Node {
        &self.nodes[0]
    }

    pub(crate) fn node(&self, position: usize) -> &Node {
        &self.nodes[position]
    }
}

impl Node {
    fn new(path: &str) -> Self {
        Self { path: path.into(), elements: Vec::new(), slots: Vec::new(), required: 0 }
    }

    fn add(&mut self, element: &ElementDef, slots: Vec<(Box<str>, Slot)>) {
        if slots.is_empty() {
            return;
        }
        if element.min > 0 {
            self.required |= 1 << self.elements.len();
        }
        self.elements.push(Element {
            name: element.name().into(),
            min: element.min,
            max: element.max.unwrap_or(u32::MAX),
            is_list: element.is_list(),
            is_choice: element.is_choice(),
            is_attribute: element.representation.iter().any(|form| &**form == "xmlAttr"),
            types: slots.iter().map(|(_, slot)| slot.type_name.clone()).collect(),
        });
        self.slots.extend(slots);
    }

    /// What the JSON name `name` stands for.
    pub(crate) fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|at| &self.slots[at].1)
    }

    /// The JSON names there are.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|(name, _)| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A walk notes the elements it has seen in 128 bits.
    #[test]
    fn no_object_has_more_elements_than_bits() {
        let definitions = Definitions::embedded();
        let rules = Rules::new(definitions);
        for position in 0..rules.types.len() {
            for node in &rules.at(definitions, position).nodes {
                assert!(node.elements.len() <= 128, "{}", node.path);
            }
        }
    }

    #[test]
    fn types_lead_to_types() {
        let definitions = Definitions::embedded();
        let rules = Rules::new(definitions);
        let observation = rules.resource(definitions, "Observation").expect("Observation");
        let component = observation.root().slot("component").expect("component");
        let Content::Node(node) = component.content else { panic!("component is a backbone element") };
        let range = observation.node(node).slot("referenceRange").expect("referenceRange");
        let Content::Node(range) = range.content else { panic!("a content reference is a node") };
        assert!(observation.node(range).slot("appliesTo").is_some());
        let subject = observation.root().slot("subject").expect("subject");
        assert_eq!(subject.targets, ["Patient", "Group", "Device", "Location"].map(Box::from));
        assert!(rules.resource(definitions, "Resource").is_none());
        assert!(rules.resource(definitions, "HumanName").is_none());
    }
}
