//! [`Definitions`] as the type model of `FHIRPath`.
//!
//! Of each type asked for, the children of each of its element paths are put into
//! tables once, by the names that JSON and `FHIRPath` use for them.

use foldhash::HashMap;

use super::{Definitions, ElementDef, Kind, Type, TypeDef, choice_name};
use crate::path::model::{Model, Property};

/// The children of every element path of one type.
pub(super) struct Shapes {
    by_path: HashMap<Box<str>, Shape>,
}

/// The children of one element path.
#[derive(Default)]
struct Shape {
    /// By JSON name.
    properties: HashMap<Box<str>, Child>,
    /// JSON names by `FHIRPath` name.
    spellings: HashMap<Box<str>, Vec<Box<str>>>,
}

struct Child {
    name: Box<str>,
    type_name: Box<str>,
    is_list: bool,
    is_summary: bool,
    is_needed: bool,
}

/// Whether an element goes into a part of its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name a path uses: `value` for `valueQuantity`.
    pub name: &'a str,
    /// Its type; for a backbone element its path.
    pub type_name: &'a str,
    /// `_summary=true` asks for it.
    pub is_summary: bool,
    /// Without it the rest would be invalid, or mean something else: it is
    /// mandatory, or changes the meaning of what surrounds it.
    pub is_needed: bool,
}

impl Shapes {
    fn of(facts: &TypeDef) -> Self {
        let mut by_path: HashMap<Box<str>, Shape> = HashMap::default();
        for element in &facts.elements {
            let Some(parent) = element.parent() else { continue };
            by_path.entry(parent.into()).or_default().add(element);
        }
        Self { by_path }
    }
}

impl Shape {
    fn add(&mut self, element: &ElementDef) {
        let name = element.name();
        let is_list = element.is_list();
        let mut spellings = Vec::new();
        for (json_name, type_name) in spelled(element) {
            let child = Child {
                name: name.into(),
                type_name,
                is_list,
                is_summary: element.is_summary,
                is_needed: element.min > 0 || element.is_modifier,
            };
            self.properties.insert(json_name.clone(), child);
            spellings.push(json_name);
        }
        self.spellings.insert(name.into(), spellings);
    }
}

/// The JSON names of an element, each with the type it then has.
fn spelled(element: &ElementDef) -> Vec<(Box<str>, Box<str>)> {
    let name = element.name();
    if let Some(path) = &element.content_reference {
        return vec![(name.into(), path.clone())];
    }
    if element.is_choice() {
        return element.types.iter().map(|one| (choice_name(name, &one.code).into(), one.code.clone())).collect();
    }
    let code = element.types.first().map_or("", |one| &*one.code);
    let type_name = if matches!(code, "BackboneElement" | "Element") { &element.path } else { code };
    vec![(name.into(), type_name.into())]
}

impl Definitions {
    fn shape(&self, path: &str) -> Option<&Shape> {
        let root = path.split('.').next().unwrap_or(path);
        self.shapes(self.types.get(root)?).by_path.get(path)
    }

    fn shapes<'a>(&self, found: &'a Type) -> &'a Shapes {
        found.shapes.get_or_init(|| Shapes::of(self.facts_of(found)))
    }

    /// The element that JSON calls `name`, of the type or backbone path `parent`.
    pub fn part(&self, parent: &str, name: &str) -> Option<Part<'_>> {
        let child = self.shape(parent)?.properties.get(name)?;
        Some(Part {
            name: &child.name,
            type_name: &child.type_name,
            is_summary: child.is_summary,
            is_needed: child.is_needed,
        })
    }

    /// The type named by the path of a backbone element: `BackboneElement`.
    fn backbone(&self, path: &str) -> Option<&str> {
        let root = path.split('.').next()?;
        let element = self.type_def(root)?.element(path)?;
        element.types.first().map(|one| &*one.code)
    }
}

impl Model for Definitions {
    fn property(&self, parent: &str, name: &str) -> Option<Property<'_>> {
        let child = self.shape(parent)?.properties.get(name)?;
        Some(Property { name: &child.name, type_name: &child.type_name, is_list: child.is_list })
    }

    fn spellings(&self, parent: &str, name: &str) -> Vec<&str> {
        let found = self.shape(parent).and_then(|shape| shape.spellings.get(name));
        found.map_or_else(Vec::new, |names| names.iter().map(|name| &**name).collect())
    }

    fn is_a(&self, derived: &str, base: &str) -> bool {
        if derived == base {
            return true;
        }
        let start = if derived.contains('.') { self.backbone(derived) } else { Some(derived) };
        start.is_some_and(|start| self.derives(start, base))
    }

    fn is_resource(&self, name: &str) -> bool {
        self.types.get(name).is_some_and(|found| matches!(found.kind, Kind::Resource))
    }
}
