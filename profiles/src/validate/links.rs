//! Where a resource names something else: references, addresses, narratives.
//!
//! A transaction replaces what these places say of its own entries. Any other text
//! that happens to read alike, an identifier's value say, is left as it is.
//!
//! Source: FHIR R4 http.html#trules

use super::rules::{Content, Node, Rules, TypeRules};
use crate::{
    definitions::Definitions,
    json::{Json, Value},
    primitive::Primitive,
};

/// A place that may name another resource, its text at hand.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// What kind of place.
    pub kind: LinkKind,
    /// The JSON string.
    pub text: &'a Json,
}

/// What kind of place a link stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// `Reference.reference`
    Reference,
    /// An element of type `uri` or `url`. One of type `oid` or `uuid` cannot hold what
    /// would take its place, `Patient/1` say, so it keeps what it says.
    Address,
    /// XHTML whose `href`s and `src`s may.
    Narrative,
}

/// Every link of a resource and of what it contains. Resources in the entries of a
/// Bundle are not looked into: they name each other.
pub fn links<'a>(definitions: &Definitions, resource: &'a Json) -> Vec<Link<'a>> {
    let mut found = Found { definitions, rules: definitions.rules(), links: Vec::new() };
    found.resource(resource);
    found.links
}

struct Found<'d, 'a> {
    definitions: &'d Definitions,
    rules: &'d Rules,
    links: Vec<Link<'a>>,
}

impl<'a> Found<'_, 'a> {
    fn resource(&mut self, json: &'a Json) {
        let types = json.str("resourceType").and_then(|name| self.rules.resource(self.definitions, name));
        if let Some(types) = types {
            self.object(types, types.root(), json);
        }
    }

    fn object(&mut self, types: &TypeRules, node: &Node, json: &'a Json) {
        for member in json.members() {
            let (name, is_beside) = match member.name.strip_prefix('_') {
                Some(name) => (name, true),
                None => (&*member.name, false),
            };
            let Some(slot) = node.slot(name) else { continue };
            let is_reference = &*types.name == "Reference" && name == "reference";
            let items = match member.value.value() {
                Value::Array(items) => items.as_slice(),
                _ => std::slice::from_ref(&member.value),
            };
            for item in items {
                match slot.content {
                    Content::Primitive(_) if is_beside => {
                        let beside = self.rules.beside(self.definitions);
                        self.object(beside, beside.root(), item);
                    }
                    Content::Primitive(_) if is_reference => self.link(LinkKind::Reference, item),
                    Content::Primitive(primitive) => self.primitive(primitive, item),
                    Content::Type(position) => {
                        let types = self.rules.at(self.definitions, position);
                        self.object(types, types.root(), item);
                    }
                    Content::Node(position) => self.object(types, types.node(position), item),
                    Content::Resource if name == "contained" => self.resource(item),
                    Content::Resource => {}
                }
            }
        }
    }

    fn primitive(&mut self, primitive: Primitive, json: &'a Json) {
        match primitive {
            Primitive::Uri | Primitive::Url => self.link(LinkKind::Address, json),
            Primitive::Xhtml => self.link(LinkKind::Narrative, json),
            _ => {}
        }
    }

    fn link(&mut self, kind: LinkKind, text: &'a Json) {
        if text.as_str().is_some() {
            self.links.push(Link { kind, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_type_and_not_by_their_text() {
        let text = r##"{"resourceType": "Observation", "contained": [{"resourceType": "Patient", "id": "p",
            "link": [{"other": {"reference": "inner"}}]}], "text": {"status": "generated", "div": "narrative"},
            "identifier": [{"system": "system", "value": "urn:uuid:1"}], "subject": {"reference": "#p", "display": "no"},
            "extension": [{"url": "ext", "valueUri": "uri"}], "_status": {"extension": [{"url": "ext", "valueReference":
            {"reference": "beside"}}]}, "component": [{"code": {"coding": [{"system": "loinc", "code": "no"}]}}]}"##;
        let resource = Json::parse(text.as_bytes()).expect("JSON");
        let found = links(Definitions::embedded(), &resource);
        let texts = |kind| -> Vec<&str> {
            found.iter().filter(|link| link.kind == kind).filter_map(|link| link.text.as_str()).collect()
        };
        assert_eq!(texts(LinkKind::Reference), ["inner", "#p", "beside"]);
        assert_eq!(texts(LinkKind::Narrative), ["narrative"]);
        assert!(texts(LinkKind::Address).contains(&"uri") && !texts(LinkKind::Address).contains(&"urn:uuid:1"));
        let bundle = format!(r#"{{"resourceType": "Bundle", "type": "document", "entry": [{{"resource": {text}}}]}}"#);
        let bundle = Json::parse(bundle.as_bytes()).expect("JSON");
        assert!(links(Definitions::embedded(), &bundle).is_empty());
    }
}
