//! What FHIR adds to the language.
//!
//! Source: FHIR R4 fhirpath.html, functions

use super::super::error::{PathError, Reason};
use super::super::eval::Engine;
use super::super::item::{Item, Items, Node, Target};
use super::super::model::Model;
use super::super::walk;
use super::Invocation;
use crate::json::Json;

type Found<'a> = Result<Items<'a>, PathError>;

/// `extension(url)`
pub(super) fn extension<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(url) = it.text(engine, 0)? else { return Ok(Items::Empty) };
    let mut all = Items::Empty;
    for item in it.input.iter() {
        if let Item::Node(node) = item {
            walk::named(engine.model, node, "extension", &mut all);
        }
    }
    engine.spend(it.input.len() + all.len())?;
    Ok(all.into_iter().filter(|item| item.json().and_then(|json| json.str("url")) == Some(&*url)).collect())
}

/// `hasExtension(url)`: not in R4's list of functions, but one of its search
/// parameters calls it.
pub(super) fn has_extension<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Ok(Items::boolean(!extension(engine, it)?.is_empty()))
}

/// `hasValue()`: one primitive, and not only its extensions.
pub(super) fn has_value<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let has = match &*it.input {
        [Item::Value(_)] => true,
        [Item::Node(node)] => node.json().is_some_and(|json| !json.is_object() && !json.is_array()),
        _ => false,
    };
    Ok(Items::boolean(has))
}

/// `getValue()`
pub(super) fn value<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let value = match &*it.input {
        [Item::Node(node)] if node.json().is_some_and(Json::is_object) => None,
        [item] => item.value(),
        _ => None,
    };
    Ok(value.map_or(Items::Empty, Items::value))
}

/// `resolve()`: of each Reference, uri or canonical its target. What cannot be
/// found is left out.
pub(super) fn resolve<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut found = Items::Empty;
    for item in it.input {
        engine.spend(1)?;
        let target = match &item {
            Item::Node(node) => match reference(node) {
                Some(text) => target(engine, node, text)?,
                None => declared(engine, node),
            },
            Item::Value(_) | Item::Target(_) => None,
        };
        if let Some(target) = target {
            found.push(target);
        }
    }
    Ok(found)
}

/// The text by which an element refers to something.
fn reference<'a>(node: &Node<'a>) -> Option<&'a str> {
    let json = node.json()?;
    json.as_str().or_else(|| json.str("reference"))
}

fn target<'a>(engine: &mut Engine<'_, 'a>, node: &Node<'a>, text: &'a str) -> Result<Option<Item<'a>>, PathError> {
    let root = engine.context.root_resource.or(engine.context.resource).unwrap_or(engine.root);
    if let Some(id) = text.strip_prefix('#') {
        let (around, seen) = walk::container(engine.model, root, node);
        engine.spend(seen)?;
        if id.is_empty() {
            return Ok(Some(around.into()));
        }
        let contained = around.json().map_or(&[][..], |json| json.list("contained"));
        let found = contained.iter().find(|json| json.str("id") == Some(id));
        return Ok(found.map(|json| Node::resource(json).into()));
    }
    if let Some(entries) = root.json().filter(|_| root.type_name() == "Bundle").map(|json| json.list("entry")) {
        engine.spend(entries.len() / 16)?;
        if let Some(entry) = in_bundle(entries, text) {
            return Ok(Some(Node::resource(entry).into()));
        }
    }
    Ok(match engine.context.resolver {
        Some(resolver) => resolver.resolve(text).map(|json| Node::resource(json).into()),
        None => match type_in(engine.model, text) {
            Some(type_name) => Some(Item::Target(Target { type_name, reference: text })),
            None => declared(engine, node),
        },
    })
}

/// The entry of a Bundle that a reference means: by its full URL, or by type
/// and id where the reference is relative.
fn in_bundle<'a>(entries: &'a [Json], text: &str) -> Option<&'a Json> {
    let matching = entries.iter().find(|entry| {
        let Some(url) = entry.str("fullUrl") else { return false };
        url == text || url.strip_suffix(text).is_some_and(|base| base.ends_with('/') && !text.contains(':'))
    });
    matching?.get("resource")
}

/// The resource type that a literal reference names: `Patient/1`,
/// `http://x.org/fhir/Patient/1/_history/2`, `Patient?identifier=…`.
fn type_in<'a>(model: &dyn Model, text: &'a str) -> Option<&'a str> {
    let path = text.split(['?', '#', '|']).next()?;
    let query = path.len() < text.len() && text[path.len()..].starts_with('?');
    let mut segments = path.rsplit('/').peekable();
    if !query {
        // The last is the id, or what was meant by one.
        segments.next();
    }
    segments.take(3).find(|segment| model.is_resource(segment))
}

/// A reference whose text names no type may say it in `Reference.type`.
fn declared<'a>(engine: &Engine<'_, 'a>, node: &Node<'a>) -> Option<Item<'a>> {
    if engine.context.resolver.is_some() {
        return None;
    }
    let json = node.json()?;
    let type_name = json.str("type").filter(|name| engine.model.is_resource(name))?;
    Some(Item::Target(Target { type_name, reference: json.str("reference").unwrap_or_default() }))
}

/// `memberOf(valueSet)`
pub(super) fn member_of<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let value_set = it.text(engine, 0)?;
    let (Some(item), Some(value_set)) = (it.one()?, value_set) else { return Ok(Items::Empty) };
    let terminology = engine.context.terminology.ok_or_else(|| missing(&it, "terminology"))?;
    engine.spend(10)?;
    Ok(Items::maybe(terminology.member_of(&item, &value_set)))
}

/// `conformsTo(profile)`
pub(super) fn conforms_to<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let profile = it.text(engine, 0)?;
    let (Some(item), Some(profile)) = (it.one()?, profile) else { return Ok(Items::Empty) };
    let profiles = engine.context.profiles.ok_or_else(|| missing(&it, "profiles"))?;
    let node = item.node().ok_or_else(|| it.fault("an element"))?;
    engine.spend(100)?;
    match profiles.conforms_to(node, &profile) {
        Some(conforms) => Ok(Items::boolean(conforms)),
        None => Err(PathError::new(Reason::Semantic, it.call.at, format!("there is no profile {profile}"))),
    }
}

fn missing(it: &Invocation<'_, '_>, what: &str) -> PathError {
    let name = it.call.function.name;
    PathError::new(Reason::Missing, it.call.at, format!("{name}() is not to be had here: no {what}"))
}
