//! The shapes of path that nearly every SearchParameter has, walked straight
//! through the JSON.
//!
//! Of R4's 1,384 expressions all but a handful are of the form
//! `Type.element.element`, with a type (`as Quantity`, `.ofType(…)`), a
//! condition (`.where(system='phone')`, `.where(resolve() is Patient)`),
//! an extension or `[0]` here and there. Such a branch is turned once into
//! [`Step`]s whose JSON names and types are known, and costs a few lookups a
//! write. Whatever else a definition says goes to the FHIRPath evaluator; a test
//! holds the two to the same answers.

use std::cell::OnceCell;
use std::collections::HashMap;

use techo_profiles::Definitions;
use techo_profiles::json::Json;
use techo_profiles::path::model::Model;

use super::kinds::Element;

/// A path whose every step is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    steps: Vec<Step>,
    types: Vec<Box<str>>,
    ends: Vec<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// To a child, by each JSON name it may have, with the type it then has;
    /// perhaps only to the first one.
    Child { spellings: Vec<Spelling>, first: bool },
    /// Keeps references to resources of this type.
    To(Box<str>),
    /// Keeps elements whose child is this text.
    Where { name: Box<str>, text: Box<str> },
    /// Keeps elements that have an extension with this URL.
    Extended(Box<str>),
    /// To the extensions with this URL.
    Extension(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Spelling {
    name: Box<str>,
    type_name: Box<str>,
}

impl Trail {
    /// The trail of one union branch, from an element of type `start` (a type or
    /// a backbone path). `None` if it is not of the known forms.
    pub fn of(definitions: &Definitions, start: &str, branch: &str) -> Option<Self> {
        let mut maker = Maker { definitions, steps: Vec::new(), types: vec![start.into()], ends: Vec::new() };
        maker.branch(branch.trim(), start)?;
        Some(Self { steps: maker.steps, types: maker.types, ends: maker.ends })
    }

    /// The types its elements may have.
    pub fn types(&self) -> &[Box<str>] {
        &self.types
    }

    /// The definitions' paths of the elements it ends at: `Observation.status`.
    pub fn ends(&self) -> impl Iterator<Item = &str> {
        self.ends.iter().map(|path| &**path)
    }

    /// The JSON names of its first child; empty if it stays at the start.
    pub fn first_names(&self) -> impl Iterator<Item = &str> {
        let first = match self.steps.first() {
            Some(Step::Child { spellings, .. }) => &spellings[..],
            _ => &[],
        };
        first.iter().map(|spelling| &*spelling.name).chain(self.starts_elsewhere().then_some("extension"))
    }

    /// Whether it is of no step at all: the start itself.
    pub fn is_start(&self) -> bool {
        self.steps.is_empty()
    }

    /// The type that its references must be to, and the trail without that condition;
    /// `None` if it does not end in one.
    pub fn to(&self) -> Option<(&str, Self)> {
        let Some((Step::To(type_name), before)) = self.steps.split_last() else { return None };
        let (types, ends) = (self.types.clone(), self.ends.clone());
        Some((type_name, Self { steps: before.to_vec(), types, ends }))
    }

    fn starts_elsewhere(&self) -> bool {
        matches!(self.steps.first(), Some(Step::Extension(_)))
    }

    /// Calls `found` with each element the trail leads to from `start`.
    ///
    /// * `root`: the resource, in which contained targets are looked up.
    pub fn walk<'a>(&'a self, root: &Root<'_>, start: Element<'a>, found: &mut dyn FnMut(Element<'a>)) {
        follow(&self.steps, root, start, found);
    }
}

/// A resource, and what it contains by id: each of many references may lead to one of many.
#[derive(Debug)]
pub struct Root<'a> {
    /// The resource.
    pub element: Element<'a>,
    /// Made when the first reference leads there.
    contained: OnceCell<HashMap<&'a str, &'a Json>>,
}

impl<'a> Root<'a> {
    /// Of a resource.
    pub fn of(element: Element<'a>) -> Self {
        Self { element, contained: OnceCell::new() }
    }

    fn contained(&self, id: &str) -> Option<&'a Json> {
        let known = self.contained.get_or_init(|| {
            let mut known = HashMap::new();
            for inner in self.element.json.list("contained") {
                if let Some(id) = inner.str("id") {
                    known.entry(id).or_insert(inner);
                }
            }
            known
        });
        known.get(id).copied()
    }
}

fn follow<'a>(steps: &'a [Step], root: &Root<'_>, here: Element<'a>, found: &mut dyn FnMut(Element<'a>)) {
    let Some((step, rest)) = steps.split_first() else {
        return found(here);
    };
    match step {
        Step::Child { spellings, first } => {
            let limit = if *first { 1 } else { usize::MAX };
            let present = spellings.iter().filter_map(|spelling| Some((spelling, here.json.get(&spelling.name)?)));
            let items = present.flat_map(|(spelling, json)| json.each().iter().map(move |item| (spelling, item)));
            for (spelling, item) in items.filter(|(_, item)| !item.is_null()).take(limit) {
                follow(rest, root, child(spelling, item), found);
            }
        }
        Step::To(type_name) => {
            if names_type(root, here.json, type_name) {
                follow(rest, root, here, found);
            }
        }
        Step::Where { name, text } => {
            if here.json.str(name) == Some(text) {
                follow(rest, root, here, found);
            }
        }
        Step::Extended(url) => {
            if here.json.list("extension").iter().any(|item| item.str("url") == Some(url)) {
                follow(rest, root, here, found);
            }
        }
        Step::Extension(url) => {
            for item in here.json.list("extension").iter().filter(|item| item.str("url") == Some(url)) {
                follow(rest, root, Element { type_name: "Extension", json: item }, found);
            }
        }
    }
}

/// A child element; what is declared as any resource is of its own type.
fn child<'a>(spelling: &'a Spelling, json: &'a Json) -> Element<'a> {
    let type_name = match &*spelling.type_name {
        "Resource" => json.str("resourceType").unwrap_or("Resource"),
        name => name,
    };
    Element { type_name, json }
}

/// Whether a Reference is to a resource of this type, as far as it says itself:
/// by its text, by the resource contained, or by `type`.
fn names_type(root: &Root<'_>, reference: &Json, type_name: &str) -> bool {
    let Some(text) = reference.str("reference") else {
        return reference.str("type") == Some(type_name);
    };
    if let Some(id) = text.strip_prefix('#') {
        return root.contained(id).and_then(|inner| inner.str("resourceType")) == Some(type_name);
    }
    let text = text.split('#').next().unwrap_or(text);
    let text = text.split("/_history/").next().unwrap_or(text);
    let mut parts = text.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(_), Some(named)) => named == type_name,
        _ => reference.str("type") == Some(type_name),
    }
}

/// Reads one branch.
struct Maker<'d> {
    definitions: &'d Definitions,
    steps: Vec<Step>,
    types: Vec<Box<str>>,
    ends: Vec<Box<str>>,
}

impl Maker<'_> {
    /// `Type.path`, `(Type.path as T).path` or `path`.
    fn branch(&mut self, text: &str, start: &str) -> Option<()> {
        let rest = if let Some(inner) = text.strip_prefix('(') {
            let (inner, rest) = inner.split_at(closing(inner)?);
            let (path, type_name) = inner.rsplit_once(" as ")?;
            self.branch(path.trim(), start)?;
            self.narrow(type_name.trim())?;
            rest.strip_prefix(')')?
        } else {
            let end = text.find(['.', '[']).unwrap_or(text.len());
            let root = &text[..end];
            // Element names are written small, as are the primitive types `code` and `date`.
            if !root.starts_with(|sign: char| sign.is_ascii_uppercase()) {
                return self.rest(&format!(".{text}"));
            }
            if !self.definitions.is_a(start, root) {
                return None;
            }
            &text[end..]
        };
        self.rest(rest)
    }

    /// `.name`, `.name(argument)` and `[0]`, until nothing is left.
    fn rest(&mut self, mut text: &str) -> Option<()> {
        while !text.is_empty() {
            if let Some(after) = text.strip_prefix("[0]") {
                // The first of one list; further down it would be the first of all of them.
                let [Step::Child { first, .. }] = &mut self.steps[..] else { return None };
                *first = true;
                text = after;
                continue;
            }
            let tail = text.strip_prefix('.')?;
            let end = tail.find(|sign: char| !sign.is_ascii_alphanumeric()).unwrap_or(tail.len());
            let (name, after) = tail.split_at(end);
            text = if let Some(inside) = after.strip_prefix('(') {
                let (argument, after) = inside.split_at(closing(inside)?);
                self.function(name, argument.trim())?;
                after.strip_prefix(')')?
            } else {
                self.child(name)?;
                after
            };
        }
        Some(())
    }

    fn function(&mut self, name: &str, argument: &str) -> Option<()> {
        match name {
            "as" | "ofType" => self.narrow(argument),
            "extension" => {
                self.steps.push(Step::Extension(quoted(argument)?.into()));
                self.types = vec!["Extension".into()];
                Some(())
            }
            "where" => self.condition(argument),
            _ => None,
        }
    }

    fn condition(&mut self, argument: &str) -> Option<()> {
        if let Some(type_name) = argument.strip_prefix("resolve() is ") {
            let type_name = type_name.trim();
            self.definitions.is_resource(type_name).then_some(())?;
            if !self.types.iter().all(|name| &**name == "Reference") {
                return None;
            }
            self.steps.push(Step::To(type_name.into()));
            return Some(());
        }
        // R4 uses this function in one definition and defines it nowhere.
        if let Some(url) = argument.strip_prefix("hasExtension(").and_then(|rest| rest.strip_suffix(')')) {
            self.steps.push(Step::Extended(quoted(url.trim())?.into()));
            return Some(());
        }
        let (name, text) = argument.split_once('=')?;
        let (name, text) = (name.trim(), quoted(text.trim())?);
        // Only where the child is one text: then equality is that of the texts.
        for type_name in &self.types {
            let child = self.definitions.property(type_name, name)?;
            if child.is_list || !TEXTS.contains(&child.type_name) {
                return None;
            }
        }
        self.steps.push(Step::Where { name: name.into(), text: text.into() });
        Some(())
    }

    fn child(&mut self, name: &str) -> Option<()> {
        let mut spellings: Vec<Spelling> = Vec::new();
        for parent in &self.types {
            for spelled in self.definitions.spellings(parent, name) {
                let property = self.definitions.property(parent, spelled)?;
                let spelling = Spelling { name: spelled.into(), type_name: property.type_name.into() };
                if !spellings.contains(&spelling) {
                    spellings.push(spelling);
                }
            }
        }
        // One JSON name with two types would need to know the parent's type.
        let ambiguous = |one: &Spelling| spellings.iter().filter(|other| other.name == one.name).count() > 1;
        if spellings.is_empty() || spellings.iter().any(ambiguous) {
            return None;
        }
        self.ends = self.types.iter().map(|parent| format!("{parent}.{name}").into()).collect();
        self.types = types(&spellings);
        self.steps.push(Step::Child { spellings, first: false });
        Some(())
    }

    /// Keeps what is of a type. R4 writes one type as no type is written.
    fn narrow(&mut self, type_name: &str) -> Option<()> {
        let type_name = if type_name == "DateTime" { "dateTime" } else { type_name };
        self.definitions.type_def(type_name)?;
        let Some(Step::Child { spellings, first: false }) = self.steps.last_mut() else { return None };
        spellings.retain(|spelling| self.definitions.is_a(&spelling.type_name, type_name));
        self.types = types(spellings);
        Some(())
    }
}

fn types(spellings: &[Spelling]) -> Vec<Box<str>> {
    let mut types: Vec<Box<str>> = spellings.iter().map(|spelling| spelling.type_name.clone()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

/// Where the parenthesis closes that was open before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut quoted = false;
    for (at, sign) in text.char_indices() {
        match sign {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The inside of a string literal without escapes.
fn quoted(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inside.contains(['\'', '\\'])).then_some(inside)
}

/// The branches of a union.
pub fn branches(expression: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0_u32, false);
    for (at, sign) in expression.char_indices() {
        match sign {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            '|' if !quoted && depth == 0 => {
                parts.push(expression[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(expression[start..].trim());
    parts
}

/// The types whose JSON is a string that equals a literal as text.
const TEXTS: &[&str] = &["code", "string", "id", "uri", "url", "canonical", "markdown"];

#[cfg(test)]
mod tests {
    use super::*;
    use techo_profiles::json;

    fn walked(start: &str, branch: &str, resource: &Json) -> Option<Vec<String>> {
        let trail = Trail::of(Definitions::embedded(), start, branch)?;
        let mut seen = Vec::new();
        let element = Element { type_name: start, json: resource };
        trail.walk(&Root::of(element), element, &mut |found| seen.push(format!("{} {}", found.type_name, found.json)));
        Some(seen)
    }

    #[test]
    fn the_shapes_of_the_definitions() {
        let observation = json!({
            "resourceType": "Observation",
            "contained": [{"resourceType": "Group", "id": "g"}],
            "extension": [{"url": "u", "valueString": "x"}, {"url": "v", "valueString": "y"}],
            "status": "final",
            "subject": {"reference": "Patient/p/_history/1"},
            "focus": [{"reference": "#g"}, {"type": "Patient", "identifier": {"value": "1"}}, {"reference": "urn:uuid:1"}],
            "valueQuantity": {"value": 1},
            "component": [{"valueString": "a"}, {"valueQuantity": {"value": 2}}]
        });
        let texts = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        for (branch, expected) in [
            ("Observation.status", texts(&[r#"code "final""#])),
            ("Observation.component.where(hasExtension('u')).value", texts(&[])),
            ("DomainResource.extension('v')", texts(&[r#"Extension {"url":"v","valueString":"y"}"#])),
            ("(Observation.value as Quantity)", texts(&[r#"Quantity {"value":1}"#])),
            ("(Observation.value as CodeableConcept).text", texts(&[])),
            ("Observation.component.value.as(Quantity)", texts(&[r#"Quantity {"value":2}"#])),
            ("Observation.component.value.ofType(string)", texts(&[r#"string "a""#])),
            ("Observation.value.as(DateTime)", texts(&[])),
            (
                "Observation.subject.where(resolve() is Patient)",
                texts(&[r#"Reference {"reference":"Patient/p/_history/1"}"#]),
            ),
            ("Observation.subject.where(resolve() is Group)", texts(&[])),
            ("Observation.focus.where(resolve() is Group)", texts(&[r##"Reference {"reference":"#g"}"##])),
            (
                "Observation.focus.where(resolve() is Patient)",
                texts(&[r#"Reference {"type":"Patient","identifier":{"value":"1"}}"#]),
            ),
            ("Observation.extension('u')", texts(&[r#"Extension {"url":"u","valueString":"x"}"#])),
            ("value.as(Quantity)", texts(&[r#"Quantity {"value":1}"#])),
            ("Observation.component[0].value", texts(&[r#"string "a""#])),
            ("Observation.focus.where(type='Patient').identifier", texts(&[r#"Identifier {"value":"1"}"#])),
            ("Observation.nothing", None),
            ("Patient.name", None),
            ("Observation.status.exists()", None),
            ("Observation.status = 'final'", None),
            ("Observation.component.where(value='a')", None),
            ("Observation.component.value[0]", None),
            ("%resource.status", None),
            ("(Observation.value as Quantity", None),
            ("Observation.", None),
            ("", None),
        ] {
            assert_eq!(walked("Observation", branch, &observation), expected, "{branch}");
        }
    }

    #[test]
    fn an_inline_resource_is_of_its_own_type() {
        let bundle = json!({"entry": [{"resource": {"resourceType": "Composition"}}, {"resource": {"resourceType": "Patient"}}]});
        let found = walked("Bundle", "Bundle.entry[0].resource", &bundle);
        assert_eq!(found, Some(vec![r#"Composition {"resourceType":"Composition"}"#.into()]));
    }

    #[test]
    fn unions_are_split_outside_parentheses() {
        assert_eq!(branches("a | (b | c) | d.where(e='|')"), ["a", "(b | c)", "d.where(e='|')"]);
        assert_eq!(branches("a"), ["a"]);
    }

    #[test]
    fn nearly_every_parameter_is_a_trail() {
        let definitions = Definitions::embedded();
        let mut others = Vec::new();
        let mut count = 0;
        for name in definitions.resource_types() {
            for parameter in definitions.parameters(name) {
                for branch in branches(parameter.expression_for(name)).into_iter().filter(|branch| !branch.is_empty()) {
                    count += 1;
                    if Trail::of(definitions, name, branch).is_none() {
                        others.push(format!("{name} {}: {branch}", parameter.code));
                    }
                }
            }
        }
        assert!(count > 1500, "{count}");
        assert_eq!(others, ["Patient deceased: Patient.deceased.exists() and Patient.deceased != false"]);
    }

    /// Each reference was looked up among all that is contained: this would take minutes.
    #[test]
    fn a_crowd_of_references_to_what_is_contained() {
        let count = 50_000;
        let inner = |at| json!({"resourceType": "Basic", "id": (format!("b{at}"))});
        let reference = |at| json!({"reference": (format!("#b{at}"))});
        let observation = json!({"resourceType": "Observation",
            "contained": (Json::array((0..count).map(inner))), "focus": (Json::array((0..count).map(reference)))});
        let found =
            |kind: &str| walked("Observation", &format!("Observation.focus.where(resolve() is {kind})"), &observation);
        assert_eq!(found("Basic").map(|found| found.len()), Some(count));
        assert_eq!(found("Patient").map(|found| found.len()), Some(0));
    }
}
