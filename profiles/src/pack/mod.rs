//! HL7's package → the pack of facts that the program carries.
//!
//! The input is the official FHIR package `hl7.fhir.r4.core` 4.0.1, pinned by its
//! hash. What the program needs to compute with is kept; what HL7 wrote for
//! people to read (definitions, comments, requirements, mappings) is not.
//!
//! To keep one more kind of resource: an entry kind in `definitions/pack.rs`, an
//! arm in [`compile`].

mod codes;
mod other;
mod structure;

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use flate2::read::GzDecoder;
use serde::Serialize;

use crate::{
    definitions::{Item, Kind, TypeKind, write},
    json::{Json, ParseError},
};

/// The sha256 of the package that the pack is made from.
pub const SOURCE_SHA256: &str = "b090bf929e1f665cf2c91583720849695bc38d2892a7c5037c56cb00817fb091";

/// Why no pack could be made.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Another package than the pinned one.
    #[error("the package's sha256 is {0}, expected {SOURCE_SHA256}")]
    OtherPackage(String),
    /// The archive cannot be read.
    #[error("the package cannot be read: {0}")]
    Archive(#[from] io::Error),
    /// A file in it is no JSON.
    #[error("{0}: {1}")]
    Json(String, ParseError),
    /// A definition lacks what every definition has.
    #[error("{file}: no {lacking}")]
    Incomplete {
        /// The file in the archive.
        file: String,
        /// The element.
        lacking: &'static str,
    },
    /// Facts that cannot be written down.
    #[error("facts that are no JSON: {0}")]
    Facts(#[from] serde_json::Error),
}

/// The sha256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The pack made from a package's `.tgz`.
///
/// # Errors
/// [`CompileError`] if it is not the pinned package, or is damaged.
pub fn compile(tgz: &[u8]) -> Result<Vec<u8>, CompileError> {
    let hash = sha256(tgz);
    if hash != SOURCE_SHA256 {
        return Err(CompileError::OtherPackage(hash));
    }
    let mut made = Made::default();
    for (file, resource) in &resources(tgz)? {
        made.take(resource).map_err(|lacking| match lacking {
            Trouble::Lacks(lacking) => CompileError::Incomplete { file: file.clone(), lacking },
            Trouble::Facts(error) => CompileError::Facts(error),
        })?;
    }
    Ok(write(made.finish()?)?)
}

/// The archive's resources by file name.
fn resources(tgz: &[u8]) -> Result<BTreeMap<String, Json>, CompileError> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(tgz)).entries()? {
        let mut entry = entry?;
        let file = entry.path()?.to_string_lossy().into_owned();
        let is_resource = file.strip_prefix("package/").is_some_and(|name| {
            name.ends_with(".json") && !name.contains('/') && !matches!(name, "package.json" | ".index.json")
        });
        if is_resource {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            let resource = Json::parse(&text).map_err(|error| CompileError::Json(file.clone(), error))?;
            found.insert(file, resource);
        }
    }
    Ok(found)
}

/// What keeps one definition out.
enum Trouble {
    Lacks(&'static str),
    Facts(serde_json::Error),
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::Facts(error)
    }
}

type Fact<T> = Result<T, Trouble>;

#[derive(Default)]
struct Made {
    items: Vec<Item>,
    parameters: Vec<crate::definitions::SearchParameter>,
    compartments: Vec<crate::definitions::Compartment>,
    operations: Vec<crate::definitions::OperationFacts>,
}

impl Made {
    fn take(&mut self, resource: &Json) -> Fact<()> {
        match resource.str("resourceType").unwrap_or_default() {
            "StructureDefinition" => {
                let facts = structure::type_def(resource)?;
                let kind = match (facts.is_profile, facts.kind) {
                    (_, TypeKind::Logical) => Kind::Logical,
                    (true, _) => Kind::Profile,
                    (false, TypeKind::PrimitiveType) => Kind::Primitive,
                    (false, TypeKind::ComplexType) => Kind::Complex,
                    (false, TypeKind::Resource) if facts.is_abstract => Kind::AbstractResource,
                    (false, TypeKind::Resource) => Kind::Resource,
                };
                let by_name = !matches!(kind, Kind::Logical | Kind::Profile);
                let key = if by_name { facts.name.clone() } else { facts.url.clone() };
                let base = facts.base.clone().unwrap_or_default();
                self.item(kind, key, facts.version.clone(), base, &facts)?;
            }
            "CodeSystem" => {
                let facts = codes::code_system(resource)?;
                self.item(Kind::CodeSystem, facts.url.clone(), facts.version.clone(), "".into(), &facts)?;
            }
            "ValueSet" => {
                let facts = codes::value_set(resource)?;
                self.item(Kind::ValueSet, facts.url.clone(), facts.version.clone(), "".into(), &facts)?;
            }
            "ConceptMap" => {
                let facts = codes::concept_map(resource)?;
                self.item(Kind::ConceptMap, facts.url.clone(), facts.version.clone(), "".into(), &facts)?;
            }
            "SearchParameter" => self.parameters.extend(other::parameter(resource)?),
            "CompartmentDefinition" => self.compartments.extend(other::compartment(resource)?),
            "OperationDefinition" => self.operations.push(other::operation(resource)?),
            _ => {}
        }
        Ok(())
    }

    fn item(
        &mut self,
        kind: Kind,
        key: Box<str>,
        version: Option<Box<str>>,
        base: Box<str>,
        facts: &impl Serialize,
    ) -> Fact<()> {
        let facts = serde_json::to_vec(facts)?;
        self.items.push(Item { kind, key, version: version.unwrap_or_default(), base, facts });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Item>, serde_json::Error> {
        self.parameters.sort_by(|one, other| one.url.cmp(&other.url));
        let alone = [
            (Kind::Parameters, serde_json::to_vec(&self.parameters)?),
            (Kind::Compartments, serde_json::to_vec(&self.compartments)?),
            (Kind::Operations, serde_json::to_vec(&self.operations)?),
        ];
        for (kind, facts) in alone {
            self.items.push(Item { kind, key: "".into(), version: "".into(), base: "".into(), facts });
        }
        Ok(self.items)
    }
}

/// The string member that every such definition has.
fn needed(json: &Json, name: &'static str) -> Fact<Box<str>> {
    json.str(name).map(Box::from).ok_or(Trouble::Lacks(name))
}

/// The string member, if there.
fn text(json: &Json, name: &str) -> Option<Box<str>> {
    json.str(name).map(Box::from)
}

/// The strings of an array member.
fn texts<T: for<'a> From<&'a str>>(json: &Json, name: &str) -> Vec<T> {
    json.list(name).iter().filter_map(Json::as_str).map(T::from).collect()
}

/// A boolean member; false if absent.
fn truth(json: &Json, name: &str) -> bool {
    json.get(name).and_then(Json::as_bool).unwrap_or(false)
}

/// A small number member.
fn count(json: &Json, name: &str) -> Option<u32> {
    json.get(name)?.as_number()?.parse().ok()
}

/// `max`, whose `*` is none.
fn most(json: &Json) -> Option<u32> {
    json.str("max")?.parse().ok()
}
