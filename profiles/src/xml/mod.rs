//! FHIR XML, read into and written from the same [`Json`] tree.
//!
//! JSON is what is stored and worked on; XML is another spelling of it, by the
//! order and the types of the definitions. [`read`] gives the tree that the same
//! resource would give as JSON, decimals as written, each value with the place
//! where it stood in the XML; [`write`] gives the XML of a tree. [`Origin`] says
//! where in the XML a place of the JSON made from it came from.
//!
//! Reading is strict: other namespaces, unknown or misplaced elements, text where
//! none belongs and what is not well-formed are refused, each with its place. A
//! document type declaration is refused whole, so there are no entities to expand
//! and nothing outside to load. Comments and processing instructions are passed
//! over. Depth and the number of attributes are bounded.
//!
//! `scan.rs` knows XML, `read.rs` and `write.rs` know FHIR, `div.rs` the narrative's
//! XHTML, `fault.rs` the words. To refuse one more thing: a variant of [`Fault`].
//!
//! Source: FHIR R4 xml.html; XML 1.0 (5th edition); Namespaces in XML 1.0

mod div;
mod fault;
mod origin;
mod read;
mod scan;
mod text;
mod write;

pub use fault::{Fault, XmlError};
pub use origin::Origin;
pub use read::{read, root};
pub(crate) use text::is_character;
pub use text::{legible, referred};
pub use write::{WriteError, write};

/// How XML is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// No white space that means nothing.
    #[default]
    Compact,
    /// An element a line, indented; narratives as they are.
    Pretty,
}

/// The namespace of FHIR.
pub const FHIR: &str = "http://hl7.org/fhir";
/// The namespace of narratives.
pub const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// The namespace of `xsi:schemaLocation`, which FHIR lets a root have.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

#[cfg(test)]
mod tests;
