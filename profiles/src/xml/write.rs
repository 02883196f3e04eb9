//! [`Json`] → FHIR XML, in the order of the definitions.

use super::text::{escape, is_character};
use super::{FHIR, Layout, div};
use crate::definitions::Definitions;
use crate::json::{Json, Value};
use crate::primitive::Primitive;
use crate::validate::{Content, Element, Node, Rules, Slot, TypeRules};

/// Why a tree cannot be written as FHIR XML. Names a place, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no FHIR XML at {0}")]
pub struct WriteError(pub String);

/// The XML of a resource, with its declaration.
///
/// What is required and missing is not asked for: answers may hold parts of resources.
///
/// # Errors
/// [`WriteError`] names an element that the definitions do not have, or a text with a
/// character that XML forbids.
pub fn write(definitions: &Definitions, resource: &Json, layout: Layout) -> Result<String, WriteError> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let mut writer = Writer { definitions, rules: definitions.rules(), layout, level: 0, out: &mut out };
    writer.resource(resource)?;
    if layout == Layout::Pretty {
        out.push('\n');
    }
    Ok(out)
}

struct Writer<'d, 'o> {
    definitions: &'d Definitions,
    rules: &'d Rules,
    layout: Layout,
    level: usize,
    out: &'o mut String,
}

/// One element to be written.
struct Part<'d, 'j> {
    slot: &'d Slot,
    element: &'d Element,
    name: &'j str,
    value: Option<&'j Json>,
    beside: Option<&'j Json>,
}

impl<'d> Writer<'d, '_> {
    fn line(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.level));
        }
    }

    fn resource(&mut self, json: &Json) -> Result<(), WriteError> {
        let name = json.str("resourceType").unwrap_or_default();
        let types = self.rules.resource(self.definitions, name).ok_or_else(|| WriteError("resourceType".into()))?;
        self.line();
        self.out.push_str(&format!("<{name}"));
        if self.level == 0 {
            self.out.push_str(&format!(" xmlns=\"{FHIR}\""));
        }
        self.body(types, types.root(), json, name)
    }

    /// The rest of a start tag, the content, the end tag.
    fn body(&mut self, types: &'d TypeRules, node: &'d Node, json: &Json, name: &str) -> Result<(), WriteError> {
        let parts = parts(types, node, json).map_err(|error| error.within(name))?;
        let (attributes, parts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.element.is_attribute);
        for part in attributes {
            self.attribute(part.name, part.value).map_err(|error| error.within(name))?;
        }
        if parts.is_empty() {
            self.out.push_str("/>");
            return Ok(());
        }
        self.out.push('>');
        self.level += 1;
        for part in parts {
            self.part(types, &part).map_err(|error| error.within(name))?;
        }
        self.level -= 1;
        self.line();
        self.out.push_str(&format!("</{name}>"));
        Ok(())
    }

    fn attribute(&mut self, name: &str, value: Option<&Json>) -> Result<(), WriteError> {
        let truth;
        let text = match value.map(Json::value) {
            Some(Value::String(text) | Value::Number(text)) => &**text,
            Some(Value::Bool(given)) => {
                truth = given.to_string();
                &truth
            }
            Some(Value::Null | Value::Array(_) | Value::Object(_)) => return Err(WriteError(name.to_owned())),
            None => return Ok(()),
        };
        if !text.chars().all(is_character) {
            return Err(WriteError(name.to_owned()));
        }
        self.out.push_str(&format!(" {name}=\""));
        escape(self.out, text, true);
        self.out.push('"');
        Ok(())
    }

    /// An element, as often as it stands.
    fn part(&mut self, types: &'d TypeRules, part: &Part<'d, '_>) -> Result<(), WriteError> {
        if !part.element.is_list {
            return self.item(types, part, part.value, part.beside);
        }
        let wrong = || WriteError(part.name.to_owned());
        let items = |json: Option<&'_ Json>| json.is_none_or(Json::is_array);
        if !items(part.value) || !items(part.beside) {
            return Err(wrong());
        }
        let (values, beside) = (part.value.map_or(&[][..], Json::items), part.beside.map_or(&[][..], Json::items));
        for index in 0..values.len().max(beside.len()) {
            let (value, beside) = (there(values, index), there(beside, index));
            if value.is_none() && beside.is_none() {
                return Err(wrong());
            }
            self.item(types, part, value, beside)?;
        }
        Ok(())
    }

    fn item(
        &mut self,
        types: &'d TypeRules,
        part: &Part<'d, '_>,
        value: Option<&Json>,
        beside: Option<&Json>,
    ) -> Result<(), WriteError> {
        let (name, wrong) = (part.name, || WriteError(part.name.to_owned()));
        self.line();
        match (part.slot.content, value) {
            (Content::Primitive(Primitive::Xhtml), Some(json)) => {
                // Validated when it was stored. Once more, since it goes out as it is.
                let text = json.as_str().map(str::trim).filter(|text| div::is_sound(text)).ok_or_else(wrong)?;
                self.out.push_str(text);
                Ok(())
            }
            (Content::Primitive(_), value) => {
                self.out.push_str(&format!("<{name}"));
                let types = self.rules.beside(self.definitions);
                // `id` goes before `value`, for the eye.
                if let Some(id) = beside.and_then(|beside| beside.get("id")) {
                    self.attribute("id", Some(id)).map_err(|error| error.within(name))?;
                }
                self.attribute("value", value).map_err(|error| error.within(name))?;
                match beside {
                    Some(beside) => {
                        let mut others = beside.clone();
                        others.remove("id");
                        self.body(types, types.root(), &others, name)
                    }
                    None => {
                        self.out.push_str("/>");
                        Ok(())
                    }
                }
            }
            (Content::Type(position), Some(json)) if json.is_object() => {
                let types = self.rules.at(self.definitions, position);
                self.out.push_str(&format!("<{name}"));
                self.body(types, types.root(), json, name)
            }
            (Content::Node(position), Some(json)) if json.is_object() => {
                self.out.push_str(&format!("<{name}"));
                self.body(types, types.node(position), json, name)
            }
            (Content::Resource, Some(json)) if json.is_object() => {
                self.out.push_str(&format!("<{name}>"));
                self.level += 1;
                self.resource(json)?;
                self.level -= 1;
                self.line();
                self.out.push_str(&format!("</{name}>"));
                Ok(())
            }
            _ => Err(wrong()),
        }
    }
}

/// What stands at a place of a list where null stands for nothing.
fn there(items: &[Json], index: usize) -> Option<&Json> {
    items.get(index).filter(|item| !item.is_null())
}

/// The members of an object in the order of the definitions, values and what stands
/// beside them together.
fn parts<'d, 'j>(types: &'d TypeRules, node: &'d Node, json: &'j Json) -> Result<Vec<Part<'d, 'j>>, WriteError> {
    let is_resource = types.is_resource && std::ptr::eq(node, types.root());
    let mut parts: Vec<Part<'d, 'j>> = Vec::new();
    for member in json.members() {
        if is_resource && &*member.name == "resourceType" {
            continue;
        }
        let (name, is_beside) = member.name.strip_prefix('_').map_or((&*member.name, false), |name| (name, true));
        let slot = node.slot(name).filter(|slot| !is_beside || matches!(slot.content, Content::Primitive(_)));
        let slot = slot.ok_or_else(|| WriteError(member.name.to_string()))?;
        let at = match parts.iter().position(|part| part.name == name) {
            Some(at) => at,
            None => {
                let element = &node.elements[slot.element];
                parts.push(Part { slot, element, name, value: None, beside: None });
                parts.len() - 1
            }
        };
        *(if is_beside { &mut parts[at].beside } else { &mut parts[at].value }) = Some(&member.value);
    }
    parts.sort_by_key(|part| part.slot.element);
    Ok(parts)
}

impl WriteError {
    fn within(self, outer: &str) -> Self {
        Self(format!("{outer}.{}", self.0))
    }
}
