//! XML as another program reads it, to compare by what it says.

use std::fmt::Write as _;

use roxmltree::{Document, Node, NodeType};

/// The namespace of narratives.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// One element a line with its attributes in order; comments, processing instructions
/// and white space outside narratives left out: two documents that differ in these
/// alone come out the same.
pub fn canonical(text: &str) -> String {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("not XML ({error}): {text}"));
    let mut out = String::new();
    let root = document.root_element();
    write(&root, &mut out);
    out
}

/// The value of the first element on this path below the root.
pub fn value(text: &str, path: &[&str]) -> Option<String> {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("not XML ({error}): {text}"));
    let step = |node: Node<'_, '_>, name: &&str| {
        node.children().find(|child| child.has_tag_name(*name)).map(|child| child.id())
    };
    let found = path
        .iter()
        .try_fold(document.root_element(), |node, name| step(node, name).and_then(|id| document.get_node(id)))?;
    found.attribute("value").map(str::to_owned)
}

fn write(node: &Node<'_, '_>, out: &mut String) {
    let name = node.tag_name();
    let _ = write!(out, "<{{{}}}{}", name.namespace().unwrap_or_default(), name.name());
    // Where a schema is to be found is no part of what is said.
    let is_said = |attribute: &roxmltree::Attribute<'_, '_>| {
        attribute.namespace() != Some("http://www.w3.org/2001/XMLSchema-instance")
    };
    let mut attributes: Vec<_> = node
        .attributes()
        .filter(is_said)
        .map(|one| (one.namespace().unwrap_or_default().to_owned(), one.name().to_owned(), one.value().to_owned()))
        .collect();
    attributes.sort();
    for attribute in attributes {
        let _ = write!(out, " {attribute:?}");
    }
    out.push_str(">\n");
    let is_narrative = name.namespace() == Some(XHTML);
    let mut text = String::new();
    for child in node.children() {
        match child.node_type() {
            NodeType::Element => {
                end_of_text(&mut text, is_narrative, out);
                write(&child, out);
            }
            NodeType::Text => text.push_str(child.text().unwrap_or_default()),
            NodeType::Comment | NodeType::PI | NodeType::Root => {}
        }
    }
    end_of_text(&mut text, is_narrative, out);
    out.push_str("</>\n");
}

/// Pieces of text that only comments part are one text.
fn end_of_text(text: &mut String, is_narrative: bool, out: &mut String) {
    if is_narrative && !text.is_empty() {
        let _ = writeln!(out, "{text:?}");
    } else {
        assert!(text.trim().is_empty(), "text outside a narrative: {text}");
    }
    text.clear();
}
