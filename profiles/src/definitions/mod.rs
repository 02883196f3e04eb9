//! FHIR R4's own definitions, as facts.
//!
//! [`Definitions::embedded`] is a pack compiled from HL7's package
//! `hl7.fhir.r4.core` 4.0.1: what elements there are and how they are
//! constrained, what to search, which codes exist. Opening it reads an index;
//! each definition is decoded when first asked for and then kept.
//!
//! To have one more fact: a field in `structure.rs` or a sibling, a line in
//! `read/` that reads it from the definition's JSON, and the pack made again with
//! `cargo run -p techo-profiles --features pack --bin techo-pack`.

mod codes;
mod operation;
mod pack;
mod parameter;
pub mod read;
mod shape;
mod structure;

#[cfg(feature = "pack")]
pub(crate) use pack::{Item, Kind, write};

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

pub use codes::{
    CodeSystemFacts, Concept, ConceptMapFacts, ListedCode, MapGroup, MapRow, PartConcept, PartFilter, SetPart,
    ValueSetFacts,
};
pub use operation::{Compartment, OperationFacts, OperationParameter};
pub use parameter::{Component, ParameterKind, SearchParameter};
pub use shape::Part;
pub use structure::{
    Binding, Constraint, Context, Discriminator, ElementDef, ElementType, Slicing, Strength, TypeDef, TypeKind,
    choice_name,
};

use foldhash::HashMap;
use serde::de::DeserializeOwned;

#[cfg(not(feature = "pack"))]
use pack::Kind;
use pack::{Pack, PackError};
use shape::Shapes;

use crate::validate::Rules;

/// FHIR's definitions, decoded on demand.
pub struct Definitions {
    pack: Pack,
    resource_types: Vec<&'static str>,
    types: HashMap<Box<str>, Type>,
    profiles: HashMap<Box<str>, Type>,
    parameters: OnceLock<Vec<SearchParameter>>,
    parameters_of: HashMap<Box<str>, OnceLock<Vec<SearchParameter>>>,
    compartments: OnceLock<BTreeMap<String, Compartment>>,
    operations: OnceLock<Vec<OperationFacts>>,
    constraints: Mutex<HashSet<Arc<Constraint>>>,
    rules: OnceLock<Rules>,
}

/// One type: where its facts lie, and what was decoded of them.
struct Type {
    position: usize,
    kind: Kind,
    base: Box<str>,
    facts: OnceLock<TypeDef>,
    shapes: OnceLock<Shapes>,
}

impl Definitions {
    /// The definitions that the program carries in itself.
    ///
    /// # Panics
    /// Never: a test opens the pack that is compiled in.
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Definitions> = OnceLock::new();
        EMBEDDED.get_or_init(|| Self::open(R4).expect("a test opens and decodes all of the pack that is compiled in"))
    }

    fn open(bytes: &'static [u8]) -> Result<Self, PackError> {
        let pack = Pack::open(bytes)?;
        let mut resource_types: Vec<&'static str> = Vec::new();
        let (mut types, mut profiles, mut parameters_of) = (HashMap::default(), HashMap::default(), HashMap::default());
        for (position, entry) in pack.entries.iter().enumerate() {
            let made = || Type {
                position,
                kind: entry.kind,
                base: entry.base.clone(),
                facts: OnceLock::new(),
                shapes: OnceLock::new(),
            };
            match entry.kind {
                Kind::Primitive | Kind::Complex | Kind::AbstractResource | Kind::Resource => {
                    types.insert(entry.key.clone(), made());
                }
                Kind::Profile | Kind::Logical => {
                    profiles.insert(entry.key.clone(), made());
                }
                Kind::Parameters
                | Kind::Compartments
                | Kind::Operations
                | Kind::CodeSystem
                | Kind::ValueSet
                | Kind::ConceptMap => {}
            }
            if entry.kind == Kind::Resource {
                resource_types.push(Box::leak(entry.key.clone()));
                parameters_of.insert(entry.key.clone(), OnceLock::new());
            }
        }
        resource_types.sort_unstable();
        Ok(Self {
            pack,
            resource_types,
            types,
            profiles,
            parameters: OnceLock::new(),
            parameters_of,
            compartments: OnceLock::new(),
            operations: OnceLock::new(),
            constraints: Mutex::default(),
            rules: OnceLock::new(),
        })
    }

    /// The concrete resource types, sorted. R4 is frozen, so a type's position
    /// plus one is its number in the database.
    pub fn resource_types(&self) -> &[&str] {
        &self.resource_types
    }

    /// The number of a resource type in the database, from 1.
    pub fn type_number(&self, name: &str) -> Option<u16> {
        let position = self.resource_types.binary_search(&name).ok()?;
        u16::try_from(position + 1).ok()
    }

    /// The resource type with that number.
    pub fn type_name(&self, number: u16) -> Option<&str> {
        self.resource_types.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The definition of a resource type or datatype: `Observation`, `string`.
    pub fn type_def(&self, name: &str) -> Option<&TypeDef> {
        Some(self.facts_of(self.types.get(name)?))
    }

    /// The names of all types, abstract ones too, in no order.
    pub fn type_names(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(|name| &**name)
    }

    /// A profile, extension or logical model by its canonical URL.
    pub fn profile(&self, url: &str) -> Option<&TypeDef> {
        Some(self.facts_of(self.profiles.get(url)?))
    }

    /// The canonical URLs of profiles, extensions and logical models, in no order.
    pub fn profile_urls(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(|url| &**url)
    }

    /// The search parameters of a resource type, those of `Resource` and
    /// `DomainResource` among them, sorted by code. None for any other name.
    pub fn parameters(&self, resource_type: &str) -> &[SearchParameter] {
        let Some(cell) = self.parameters_of.get(resource_type) else { return &[] };
        cell.get_or_init(|| {
            let belongs =
                |parameter: &&SearchParameter| parameter.base.iter().any(|base| self.stands_for(base, resource_type));
            let mut mine: Vec<SearchParameter> = self.all_parameters().iter().filter(belongs).cloned().collect();
            mine.sort_by(|one, other| one.code.cmp(&other.code));
            mine
        })
    }

    /// The search parameter of a resource type called `code`.
    pub fn parameter(&self, resource_type: &str, code: &str) -> Option<&SearchParameter> {
        let all = self.parameters(resource_type);
        all.binary_search_by(|parameter| parameter.code.as_str().cmp(code)).ok().map(|position| &all[position])
    }

    /// All search parameters, each once, by URL.
    pub fn all_parameters(&self) -> &[SearchParameter] {
        self.parameters.get_or_init(|| {
            let mut all: Vec<SearchParameter> = self.alone(Kind::Parameters);
            for parameter in &mut all {
                let base = parameter.base.clone();
                let applies = |name: &&&str| base.iter().any(|base| self.stands_for(base, name));
                parameter.prepare(self.resource_types.iter().filter(applies).copied());
            }
            all
        })
    }

    /// `Patient`, `Encounter`, `Practitioner`, `RelatedPerson` or `Device`.
    pub fn compartment(&self, name: &str) -> Option<&Compartment> {
        self.compartments().get(name)
    }

    /// The five compartments by name.
    pub fn compartments(&self) -> &BTreeMap<String, Compartment> {
        self.compartments.get_or_init(|| {
            let all: Vec<Compartment> = self.alone(Kind::Compartments);
            all.into_iter().map(|compartment| (compartment.code.clone(), compartment)).collect()
        })
    }

    /// FHIR's own operations.
    pub fn operations(&self) -> &[OperationFacts] {
        self.operations.get_or_init(|| self.alone(Kind::Operations))
    }

    /// A code system by its canonical URL; decoded anew at each call.
    pub fn code_system(&self, url: &str) -> Option<CodeSystemFacts> {
        self.pack.find(Kind::CodeSystem, url).map(|position| self.decode(position))
    }

    /// A value set by its canonical URL, a `|version` at its end ignored; decoded anew at each call.
    pub fn value_set(&self, url: &str) -> Option<ValueSetFacts> {
        let bare = url.split('|').next().unwrap_or(url);
        self.pack.find(Kind::ValueSet, bare).map(|position| self.decode(position))
    }

    /// A concept map by its canonical URL; decoded anew at each call.
    pub fn concept_map(&self, url: &str) -> Option<ConceptMapFacts> {
        self.pack.find(Kind::ConceptMap, url).map(|position| self.decode(position))
    }

    /// URL and version of every code system, by URL.
    pub fn code_systems(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pack.of_kind(Kind::CodeSystem).map(|entry| (&*entry.key, &*entry.version))
    }

    /// URL and version of every value set, by URL.
    pub fn value_sets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pack.of_kind(Kind::ValueSet).map(|entry| (&*entry.key, &*entry.version))
    }

    /// URL and version of every concept map, by URL.
    pub fn concept_maps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pack.of_kind(Kind::ConceptMap).map(|entry| (&*entry.key, &*entry.version))
    }

    /// The tables that [`crate::validate`] makes of these definitions.
    pub(crate) fn rules(&self) -> &Rules {
        self.rules.get_or_init(|| Rules::new(self))
    }

    /// Whether a definition for `base` holds for the resource type `name`.
    fn stands_for(&self, base: &str, name: &str) -> bool {
        base == name || matches!(base, "Resource" | "DomainResource") && self.derives(name, base)
    }

    fn derives(&self, name: &str, base: &str) -> bool {
        std::iter::successors(Some(name), |name| self.types.get(*name).map(|found| &*found.base))
            .take(MAX_CHAIN)
            .any(|name| name == base)
    }

    fn facts_of<'a>(&self, found: &'a Type) -> &'a TypeDef {
        found.facts.get_or_init(|| {
            let mut facts: TypeDef = self.decode(found.position);
            let mut pool = self.constraints.lock().unwrap_or_else(PoisonError::into_inner);
            for constraint in facts.elements.iter_mut().flat_map(|element| &mut element.constraints) {
                if let Some(known) = pool.get(constraint) {
                    *constraint = Arc::clone(known);
                } else {
                    pool.insert(Arc::clone(constraint));
                }
            }
            facts
        })
    }

    fn alone<T: DeserializeOwned>(&self, kind: Kind) -> Vec<T> {
        self.pack.find(kind, "").map(|position| self.decode(position)).unwrap_or_default()
    }

    fn decode<T: DeserializeOwned>(&self, position: usize) -> T {
        let facts = self.pack.facts(position).expect("a test decodes every entry of the pack that is compiled in");
        serde_json::from_slice(&facts).expect("a test decodes every entry of the pack that is compiled in")
    }
}

/// The pack, checked against its hash by a test.
const R4: &[u8] = include_bytes!("../../definitions/r4.pack");

/// More levels of derivation than FHIR has.
const MAX_CHAIN: usize = 16;

#[cfg(test)]
mod tests;
