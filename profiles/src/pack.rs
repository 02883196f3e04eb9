//! HL7's package → the pack of facts that the program carries.
//!
//! The input is the official FHIR package `hl7.fhir.r4.core` 4.0.1, pinned by its
//! hash. What the program needs to compute with is kept; what HL7 wrote for
//! people to read (definitions, comments, requirements, mappings) is not.
//!
//! To keep one more kind of resource: an entry kind in `definitions/pack.rs`, an
//! arm in [`compile`].

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use flate2::read::GzDecoder;
use serde::Serialize;

use crate::{
    definitions::{
        Item, Kind, TypeKind,
        read::{self, Lacks},
        write,
    },
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
    let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
    format!("{digest:x}")
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
        made.take(file, resource)?;
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
            let is_json = Path::new(name).extension().is_some_and(|extension| extension == "json");
            is_json && !name.contains('/') && !matches!(name, "package.json" | ".index.json")
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

#[derive(Default)]
struct Made {
    items: Vec<Item>,
    parameters: Vec<crate::definitions::SearchParameter>,
    compartments: Vec<crate::definitions::Compartment>,
    operations: Vec<crate::definitions::OperationFacts>,
}

impl Made {
    fn take(&mut self, file: &str, resource: &Json) -> Result<(), CompileError> {
        let incomplete = |Lacks(lacking)| CompileError::Incomplete { file: file.to_owned(), lacking };
        match resource.str("resourceType").unwrap_or_default() {
            "StructureDefinition" => {
                let facts = read::type_def(resource).map_err(incomplete)?;
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
                let facts = read::code_system(resource).map_err(incomplete)?;
                self.item(Kind::CodeSystem, facts.url.clone(), facts.version.clone(), "".into(), &facts)?;
            }
            "ValueSet" => {
                let facts = read::value_set(resource).map_err(incomplete)?;
                self.item(Kind::ValueSet, facts.url.clone(), facts.version.clone(), "".into(), &facts)?;
            }
            "ConceptMap" => {
                let facts = read::concept_map(resource).map_err(incomplete)?;
                self.item(Kind::ConceptMap, facts.url.clone(), facts.version.clone(), "".into(), &facts)?;
            }
            "SearchParameter" => self.parameters.extend(read::parameter(resource).map_err(incomplete)?),
            "CompartmentDefinition" => self.compartments.extend(read::compartment(resource).map_err(incomplete)?),
            "OperationDefinition" => self.operations.push(read::operation(resource).map_err(incomplete)?),
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
    ) -> Result<(), CompileError> {
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
