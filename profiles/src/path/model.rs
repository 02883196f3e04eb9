//! What the evaluator must know of a FHIR version: which elements a type has
//! and which type derives from which.
//!
//! The R4 definitions implement [`Model`]; a test may implement it over a
//! handful of types. Backbone elements have no type name of their own, so they
//! are known by their path: `Observation.component`.

/// The type model a path is evaluated against.
pub trait Model: Send + Sync {
    /// The element `name` of the type or backbone path `parent`.
    ///
    /// `name` is the JSON property: `birthDate`, or `valueQuantity` for a
    /// choice.
    fn property(&self, parent: &str, name: &str) -> Option<Property<'_>>;

    /// The JSON properties by which the element `name` of `parent` can be
    /// present: `valueQuantity`, `valueString`, … for `value`, the name alone
    /// otherwise; none if `parent` has no such element.
    fn spellings(&self, parent: &str, name: &str) -> Vec<&str>;

    /// Whether `derived` is `base` or derives from it: `Age` is `Quantity`,
    /// `Patient` is `DomainResource` is `Resource`, `code` is `string`.
    fn is_a(&self, derived: &str, base: &str) -> bool;

    /// Whether `name` is a concrete resource type.
    fn is_resource(&self, name: &str) -> bool;

    /// Whether `name` is a type at all. In R4 every type is an element or a
    /// resource.
    fn is_type(&self, name: &str) -> bool {
        self.is_a(name, "Element") || self.is_a(name, "Resource")
    }
}

/// One element of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// The name a path uses: `value` for `valueQuantity`.
    pub name: &'a str,
    /// Its type; for a backbone element its path, content references resolved.
    pub type_name: &'a str,
    /// Whether it may repeat.
    pub is_list: bool,
}
