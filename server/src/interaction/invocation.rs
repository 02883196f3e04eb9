//! An operation that is asked for: `[base]/$name`, `[type]/$name`, `[type]/[id]/$name`.
//!
//! Source: FHIR R4 operations.html#executing

use super::Location;

/// A request for an operation, read as far as it can be without knowing the operation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its name without `$`.
    pub name: String,
    /// What it is asked of.
    pub on: Target,
    /// `POST`; else `GET`.
    pub post: bool,
    /// The parameters of the URL.
    pub query: Vec<(String, String)>,
    /// The body as received; empty without one.
    pub body: Vec<u8>,
    /// `Content-Type`
    pub media: String,
    /// The file's name, by `Content-Disposition`.
    pub file_name: Option<String>,
}

/// What an operation is asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `[base]`
    System,
    /// `[type]`
    Type(String),
    /// `[type]/[id]`
    Instance(Location),
    /// `[type]/[id]/_history/[version]`
    Version(Location, i32),
}

impl Target {
    /// The type; `None` at the system.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::System => None,
            Self::Type(kind) => Some(kind),
            Self::Instance(at) | Self::Version(at, _) => Some(&at.kind),
        }
    }

    /// As a path below the base: `Patient/1/`, or nothing.
    pub fn path(&self) -> String {
        match self {
            Self::System => String::new(),
            Self::Type(kind) => format!("{kind}/"),
            Self::Instance(at) => format!("{}/", at.reference()),
            Self::Version(at, version) => format!("{}/_history/{version}/", at.reference()),
        }
    }
}

impl Invocation {
    /// `Patient/1/$everything`
    pub fn path(&self) -> String {
        format!("{}${}", self.on.path(), self.name)
    }
}
