//! The facts of a StructureDefinition: its elements in order, and their rules.
//!
//! Plain data, as the pack stores it. What is absent in the definition is absent
//! here; nothing is made up.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// One StructureDefinition's facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TypeDef {
    /// The type constrained or defined: `Observation`, `CodeableConcept`, `string`.
    pub name: Box<str>,
    /// The canonical URL.
    pub url: Box<str>,
    /// The business version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
    /// The definition's computer name; differs from [`TypeDef::name`] in profiles.
    pub label: Box<str>,
    /// What kind of type.
    pub kind: TypeKind,
    /// Whether no instance may be exactly of this type.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_abstract: bool,
    /// The type this derives from: `DomainResource`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Box<str>>,
    /// The canonical URL of the definition this derives from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Box<str>>,
    /// Whether this constrains its base (a profile) rather than being a new type.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_profile: bool,
    /// Where an extension may stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<Context>,
    /// The snapshot's elements, in order.
    pub elements: Vec<ElementDef>,
}

/// What kind of type a definition defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TypeKind {
    /// `string`, `date`, …
    PrimitiveType,
    /// `HumanName`, `Extension`, …
    ComplexType,
    /// `Patient`, …
    Resource,
    /// A model of no wire format.
    Logical,
}

/// A place where an extension may stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// `element`, `extension` or `fhirpath`.
    pub kind: Box<str>,
    /// The place, in that notation.
    pub expression: Box<str>,
}

/// One element of a snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ElementDef {
    /// `Observation.value[x]`
    pub path: Box<str>,
    /// The element's id where it is not the path: `Observation.component:systolic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    /// The slice that this element begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Box<str>>,
    /// The fewest times it stands.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min: u32,
    /// The most times it may stand; none for `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// [`ElementDef::max`] in the base definition, which decides whether JSON writes an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_max: Option<u32>,
    /// The types it may have; empty for a root or a content reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<ElementType>,
    /// The path of the element whose content this has: `Observation.referenceRange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_reference: Option<Box<str>>,
    /// How XML writes it: `xmlAttr`, `xhtml`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub representation: Vec<Box<str>>,
    /// Whether `_summary=true` includes it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_summary: bool,
    /// Whether it changes the meaning of what surrounds it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_modifier: bool,
    /// Whether a profile asks systems to support it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub must_support: bool,
    /// The value set its codes come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// The invariants it has to meet.
    #[serde(default, with = "shared", skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Arc<Constraint>>,
    /// The value it must have exactly.
    #[serde(default, with = "json_text", skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Json>,
    /// The value it must at least have.
    #[serde(default, with = "json_text", skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Json>,
    /// The smallest value allowed.
    #[serde(default, with = "json_text", skip_serializing_if = "Option::is_none")]
    pub min_value: Option<Json>,
    /// The largest value allowed.
    #[serde(default, with = "json_text", skip_serializing_if = "Option::is_none")]
    pub max_value: Option<Json>,
    /// The longest text allowed, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// The shape of a primitive's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<Box<str>>,
    /// How the element is sliced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slicing: Option<Slicing>,
}

/// One type an element may have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementType {
    /// `Quantity`, `Reference`, `string`; `System.String` for a primitive's own value.
    pub code: Box<str>,
    /// Profiles the value has to meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Box<str>>,
    /// What a reference or canonical may point at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_profiles: Vec<Box<str>>,
    /// How the target may be aggregated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aggregation: Vec<Box<str>>,
}

/// A binding of coded values to a value set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// How strongly.
    pub strength: Strength,
    /// The value set's canonical URL, possibly with `|version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_set: Option<Box<str>>,
}

/// How binding a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    /// A code from the set, nothing else.
    Required,
    /// A code from the set where one fits.
    Extensible,
    /// Better from the set.
    Preferred,
    /// The set only shows what is meant.
    Example,
}

/// An invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Constraint {
    /// `obs-6`
    pub key: Box<str>,
    /// Whether breaking it is an error or only a warning.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_warning: bool,
    /// The `FHIRPath` expression that must be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<Box<str>>,
    /// The definition that made the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
}

/// How an element is sliced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slicing {
    /// By what slices are told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discriminators: Vec<Discriminator>,
    /// Whether slices come in their order.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ordered: bool,
    /// `open`, `closed` or `openAtEnd`.
    pub rules: Box<str>,
}

/// By what slices are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discriminator {
    /// `value`, `pattern`, `type`, `profile` or `exists`.
    pub kind: Box<str>,
    /// The path from the sliced element.
    pub path: Box<str>,
}

impl TypeDef {
    /// The element at `path`, the first if it is sliced.
    pub fn element(&self, path: &str) -> Option<&ElementDef> {
        self.elements.iter().find(|element| &*element.path == path)
    }
}

impl ElementDef {
    /// The last name in the path, without `[x]`: `value`.
    pub fn name(&self) -> &str {
        let last = self.path.rsplit('.').next().unwrap_or_default();
        last.strip_suffix("[x]").unwrap_or(last)
    }

    /// Whether JSON and XML spell it with its type: `valueQuantity`.
    pub fn is_choice(&self) -> bool {
        self.path.ends_with("[x]")
    }

    /// Whether JSON writes it as an array.
    pub fn is_list(&self) -> bool {
        self.base_max.is_none_or(|most| most > 1)
    }

    /// The path of the element that this one lies in; none for a root.
    pub fn parent(&self) -> Option<&str> {
        self.path.rsplit_once('.').map(|(parent, _)| parent)
    }
}

/// `value` and `Quantity` → `valueQuantity`.
pub fn choice_name(name: &str, type_code: &str) -> String {
    let mut letters = type_code.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    name.chars().chain(first).chain(letters).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_false(truth: &bool) -> bool {
    !truth
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A [`Json`] stored as its text, so that no digit is lost.
mod json_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::json::Json;

    #[expect(clippy::ref_option, reason = "serde hands out references")]
    pub(super) fn serialize<S: Serializer>(json: &Option<Json>, to: S) -> Result<S::Ok, S::Error> {
        match json {
            Some(json) => to.serialize_some(&json.to_string()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Json::parse(text.as_bytes()).map_err(Error::custom)).transpose()
    }
}

/// A list of `T` held as a list of `Arc<T>`.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(list: &[Arc<T>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(list.iter().map(|item| &**item))
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Arc<T>>, D::Error> {
        Ok(Vec::<T>::deserialize(from)?.into_iter().map(Arc::new).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_spelled_with_its_type() {
        for (name, code, expected) in
            [("value", "Quantity", "valueQuantity"), ("value", "dateTime", "valueDateTime"), ("x", "", "x")]
        {
            assert_eq!(choice_name(name, code), expected);
        }
    }

    #[test]
    fn names_and_parents_come_from_the_path() {
        for (path, name, parent, choice) in [
            ("Observation.value[x]", "value", Some("Observation"), true),
            ("Observation.component.code", "code", Some("Observation.component"), false),
            ("Observation", "Observation", None, false),
        ] {
            let element = ElementDef { path: path.into(), ..ElementDef::default() };
            assert_eq!((element.name(), element.parent(), element.is_choice()), (name, parent, choice));
        }
    }
}
