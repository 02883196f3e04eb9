//! A narrative's `div` inside XML → its text, as JSON holds it.
//!
//! It is taken as it is written, where that makes sense on its own: its own
//! declaration of XHTML as the default namespace and no other, no CDATA section,
//! no carriage return. Otherwise it is written anew, saying the same. Whether it is a
//! narrative that FHIR allows is for validation to say, as with JSON.

use super::scan::{Event, Scanner, Tag};
use super::text::{escape, unescape};
use super::{Fault, XHTML, XmlError};

/// Reads to the end of the `div` whose start tag was read.
pub(super) fn read(scanner: &mut Scanner<'_>, root: &Tag<'_>) -> Result<String, XmlError> {
    let instructions = scanner.instructions;
    let mut is_plain = root.declares == [""];
    let mut anew = String::new();
    let mut open: Vec<String> = Vec::new();
    start(&mut anew, root, &mut open)?;
    is_plain &= root.prefix.is_empty();
    let end = loop {
        match scanner.next()? {
            Event::Open(tag) => {
                is_plain &= tag.prefix.is_empty() && tag.declares.iter().all(|prefix| prefix.is_empty());
                start(&mut anew, &tag, &mut open)?;
            }
            Event::Close(span) => {
                if let Some(name) = open.pop()
                    && !name.is_empty()
                {
                    anew.push_str(&format!("</{name}>"));
                }
                if open.is_empty() {
                    break span.end;
                }
            }
            Event::Text { raw, at, is_section } => {
                is_plain &= !is_section;
                let text = if is_section { Ok(raw.into()) } else { unescape(raw, false) };
                escape(&mut anew, &text.map_err(|bad| XmlError::new(Fault::Reference, at + bad))?, false);
            }
            Event::End => return Err(XmlError::new(Fault::Truncated, scanner.source().len())),
        }
    };
    let written = &scanner.source()[root.span.start..end];
    is_plain &= scanner.instructions == instructions && !written.contains('\r');
    Ok(if is_plain { written.to_owned() } else { anew })
}

/// Whether the text of a `div` may stand inside XML as it is: well-formed, one root,
/// all of it XHTML by its own declaration.
pub(super) fn is_sound(text: &str) -> bool {
    let check = || -> Result<bool, XmlError> {
        let mut scanner = Scanner::new(text.as_bytes())?;
        loop {
            match scanner.next()? {
                Event::Open(tag) if tag.space != XHTML => return Ok(false),
                Event::Open(_) | Event::Close(_) | Event::Text { .. } => {}
                Event::End => return Ok(scanner.instructions == 0),
            }
        }
    };
    text.starts_with("<div") && check().unwrap_or(false)
}

/// Writes a start tag. The name is kept for the end tag; an empty one for a tag that closes itself.
fn start(anew: &mut String, tag: &Tag<'_>, open: &mut Vec<String>) -> Result<(), XmlError> {
    if tag.space != XHTML {
        return Err(XmlError::new(Fault::Namespace { wanted: XHTML }, tag.span.start));
    }
    anew.push_str(&format!("<{}", tag.name));
    if open.is_empty() {
        anew.push_str(&format!(" xmlns=\"{XHTML}\""));
    }
    for attribute in &tag.attributes {
        if !attribute.space.is_empty() && !attribute.is_xml() {
            return Err(XmlError::new(Fault::UnknownAttribute(attribute.full_name.into()), attribute.at));
        }
        let prefix = if attribute.is_xml() { "xml:" } else { "" };
        anew.push_str(&format!(" {prefix}{}=\"", attribute.name));
        escape(anew, &attribute.value, true);
        anew.push('"');
    }
    anew.push_str(if tag.is_closed { "/>" } else { ">" });
    open.push(if tag.is_closed { String::new() } else { tag.name.to_owned() });
    Ok(())
}
