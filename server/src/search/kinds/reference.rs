//! References: to a resource here by type and id, to anything else by its URL.
//!
//! | reference | kind, id |
//! |---|---|
//! | `Patient/p1`, also under this server's own base, with a version or a fragment | Patient, `p1` |
//! | absolute elsewhere, `urn:…`, `#contained` | 0, as written |
//! | canonical, uri | 0, as written, and again without `#part`, and without `|version` |
//! | an identifier | ident row |
//! | its display | string row |
//!
//! Source: FHIR R4 search.html#reference

use techo_profiles::json::Json;

use super::string::push_text;
use super::token::code_pattern;
use super::{Cells, Element, Kind, Question, Setting, extension_value};
use crate::base::below;
use crate::search::address::{key, whole};
use crate::search::escape::unescape;
use crate::search::fold::bounded;
use crate::search::modifier::Modifier;
use crate::search::plan::{Match, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Table};

/// References.
pub const KIND: Kind = Kind {
    name: "reference",
    tables: &[Table::Reference, Table::Identifier, Table::String],
    modifiers: &["identifier", "type", "above", "below"],
    undone: &[],
    extract,
    parse,
    sort: Some(SortColumn::Reference),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    let json = element.json;
    match element.type_name {
        "Reference" => reference(json, cells),
        "canonical" | "uri" | "url" => {
            let Some(text) = json.as_str() else { return };
            let whole = whole(text);
            push(0, text, cells);
            if whole != text {
                push(0, whole, cells);
            }
            if let Some((url, _)) = whole.split_once('|') {
                push(0, url, cells);
            }
        }
        "Extension" => {
            if let Some((type_name, json)) = extension_value(json) {
                extract(&Element { type_name: &type_name, json }, cells);
            }
        }
        // A resource held inline, as the first entry of a document is.
        name => {
            if let (Some(kind), Some(id)) = ((cells.setting.type_number)(name), json.str("id")) {
                push(kind, id, cells);
            }
        }
    }
}

/// Where a value leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lead {
    /// To a resource here: the number of its type, and its id.
    Place(u16, Box<str>),
    /// To what has this canonical URL, as it is written.
    Address(Box<str>),
}

/// Where an element leads; `None` for what is elsewhere, or within the same resource.
pub fn lead(element: &Element<'_>, setting: Setting<'_>) -> Option<Lead> {
    let json = element.json;
    let to = |(kind, id): (u16, &str)| Lead::Place(kind, id.into());
    match element.type_name {
        "Reference" => place(json.str("reference")?, setting).map(to),
        "canonical" | "uri" | "url" => {
            json.as_str().filter(|text| text.contains(':')).map(|text| Lead::Address(text.into()))
        }
        "Extension" => {
            let (type_name, json) = extension_value(json)?;
            lead(&Element { type_name: &type_name, json }, setting)
        }
        name => Some(to(((setting.type_number)(name)?, json.str("id")?))),
    }
}

fn reference(json: &Json, cells: &mut Cells<'_>) {
    if let Some(text) = json.str("reference") {
        let (kind, id) = place(text, cells.setting).unwrap_or((0, text));
        push(kind, id, cells);
    }
    if let Some(identifier) = json.get("identifier")
        && let Some(value) = identifier.str("value")
    {
        let system = identifier.str("system").unwrap_or_default();
        cells.push(Cell::Identifier { system: bounded(system), value: bounded(value) });
    }
    if let Some(display) = json.str("display") {
        push_text(display, cells);
    }
}

fn push(kind: u16, id: &str, cells: &mut Cells<'_>) {
    cells.push(Cell::Reference { kind, id: key(id) });
}

/// The type number and id that a reference to this server names; `None` for any
/// other.
pub fn place<'a>(reference: &'a str, setting: Setting<'_>) -> Option<(u16, &'a str)> {
    let relative = below(reference, setting.local.base())?;
    // A fragment names a part of the same resource.
    let mut parts = relative.split('#').next()?.split('/');
    let kind = (setting.type_number)(parts.next()?)?;
    let id = parts.next().filter(|id| is_id(id))?;
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some((kind, id)),
        (Some("_history"), Some(version), None) if is_id(version) => Some((kind, id)),
        _ => None,
    }
}

/// Whether `text` is a FHIR id.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    if question.modifier == Modifier::Identifier {
        return Ok(vec![Match::Identifier(code_pattern(question.value)?)]);
    }
    let text = unescape(question.value)?;
    if let Modifier::Type(name) = question.modifier {
        return typed(name, &text, question.setting);
    }
    if text.contains("/_history/") {
        return Err(Reason::Version);
    }
    let (kinds, id) = match place(&text, question.setting) {
        Some((kind, id)) => (vec![kind], id),
        None if is_id(&text) => (listed(question.targets), text.as_ref()),
        None if text.contains(':') || text.starts_with('#') => (vec![0], text.as_ref()),
        None => {
            return Err(Reason::Reference);
        }
    };
    Ok(vec![Match::Reference { kinds, id: key(id) }])
}

/// `subject:Patient=p1`; `subject:Patient=Patient/p1` is forgiven.
fn typed(name: &str, text: &str, setting: Setting<'_>) -> Result<Vec<Match>, Reason> {
    let kind = (setting.type_number)(name).ok_or(Reason::NoSuchTarget)?;
    let id = match place(text, setting) {
        Some((found, id)) if found == kind => id,
        None if is_id(text) => text,
        _ => return Err(Reason::ReferenceTo { name: name.into() }),
    };
    Ok(vec![Match::Reference { kinds: vec![kind], id: id.into() }])
}

/// The types a bare id may belong to. Long lists are as good as none.
fn listed(targets: &[u16]) -> Vec<u16> {
    if targets.len() > MOST_TARGETS { Vec::new() } else { targets.to_vec() }
}

const MOST_TARGETS: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells, setting};
    use super::*;
    use crate::search::plan::{CodePattern, Pattern};
    use techo_profiles::json;

    fn to(kind: u16, id: &str) -> Cell {
        Cell::Reference { kind, id: id.into() }
    }

    #[test]
    fn references_become_rows() {
        for (text, expected) in [
            ("Patient/p1", to(1, "p1")),
            ("Patient/p1/_history/3", to(1, "p1")),
            ("https://here.example/fhir/Observation/o.1", to(2, "o.1")),
            ("https://here.example/fhirier/Patient/p1", to(0, "https://here.example/fhirier/Patient/p1")),
            ("https://there.example/fhir/Patient/p1", to(0, "https://there.example/fhir/Patient/p1")),
            ("urn:uuid:00000000-0000-4000-8000-000000000000", to(0, "urn:uuid:00000000-0000-4000-8000-000000000000")),
            ("#p", to(0, "#p")),
            ("Nothing/p1", to(0, "Nothing/p1")),
            ("Patient/p 1", to(0, "Patient/p 1")),
            ("Patient", to(0, "Patient")),
        ] {
            assert_eq!(cells(&KIND, "Reference", &json!({"reference": (text)})), [expected], "{text}");
        }
    }

    #[test]
    fn the_other_ways_to_refer() {
        let logical = json!({"identifier": {"system": "s", "value": "v"}, "display": "花子"});
        let ident = Cell::Identifier { system: "s".into(), value: "v".into() };
        let display = Cell::String { folded: "花子".into(), original: "花子".into() };
        assert_eq!(cells(&KIND, "Reference", &logical), [ident, display]);
        assert_eq!(cells(&KIND, "canonical", &json!("http://x/Q|1")), [to(0, "http://x/Q|1"), to(0, "http://x/Q")]);
        let part = [to(0, "http://x/Q|1#p"), to(0, "http://x/Q|1"), to(0, "http://x/Q")];
        assert_eq!(cells(&KIND, "canonical", &json!("http://x/Q|1#p")), part);
        assert_eq!(cells(&KIND, "canonical", &json!("http://x/Q#p")), [to(0, "http://x/Q#p"), to(0, "http://x/Q")]);
        assert_eq!(cells(&KIND, "canonical", &json!("#q")), [to(0, "#q")]);
        assert_eq!(cells(&KIND, "Patient", &json!({"resourceType": "Patient", "id": "p1"})), [to(1, "p1")]);
        assert_eq!(cells(&KIND, "Attachment", &json!({"url": "x"})), []);
        let extension = json!({"url": "u", "valueReference": {"reference": "Patient/p1"}});
        assert_eq!(cells(&KIND, "Extension", &extension), [to(1, "p1")]);
    }

    #[test]
    fn the_ways_to_ask() {
        let reference = |kinds: Vec<u16>, id: &str| Ok(vec![Match::Reference { kinds, id: bounded(id) }]);
        for (modifier, value, expected) in [
            (Modifier::None, "p1", reference(vec![], "p1")),
            (Modifier::None, "Patient/p1", reference(vec![1], "p1")),
            (Modifier::None, "https://here.example/fhir/Patient/p1", reference(vec![1], "p1")),
            (
                Modifier::None,
                "https://there.example/Patient/p1",
                reference(vec![0], "https://there.example/Patient/p1"),
            ),
            (Modifier::None, "http://x/Q|1", reference(vec![0], "http://x/Q|1")),
            (Modifier::Type("Patient"), "p1", reference(vec![1], "p1")),
            (Modifier::Type("Patient"), "Patient/p1", reference(vec![1], "p1")),
        ] {
            assert_eq!(ask(&KIND, modifier, value), expected, "{value}");
        }
        for (modifier, value) in [
            (Modifier::None, ""),
            (Modifier::None, "Nothing/p1"),
            (Modifier::None, "Patient/p1/_history/2"),
            (Modifier::Type("Patient"), "Group/g"),
        ] {
            assert!(ask(&KIND, modifier, value).is_err(), "{value}");
        }
        let pattern = CodePattern { system: Pattern::Is("s".into()), code: Pattern::Is("v".into()) };
        assert_eq!(ask(&KIND, Modifier::Identifier, "s|v"), Ok(vec![Match::Identifier(pattern)]));
    }

    #[test]
    fn a_bare_id_is_of_the_types_the_parameter_allows() {
        let targets = [1, 3];
        let question = Question {
            value: "x",
            modifier: Modifier::None,
            setting: setting(),
            now: 0,
            types: None,
            targets: &targets,
            implies: &|_| false,
            terms: &crate::search::terms::NoTerms,
        };
        assert_eq!(parse(&question), Ok(vec![Match::Reference { kinds: vec![1, 3], id: "x".into() }]));
    }
}
