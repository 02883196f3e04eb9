//! What FHIR adds to the language.
//!
//! Source: FHIR R4 fhirpath.html, functions

use super::super::error::{PathError, Reason};
use super::super::eval::{Engine, MEMBERS_A_STEP};
use super::super::item::{Item, Items, Node, Target};
use super::super::model::Model;
use super::super::value::Value;
use super::super::walk;
use super::Invocation;
use crate::json::Json;
use crate::validate::narrative_is_harmless;

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

/// `resolve()`: of each Reference, uri or canonical, and of each string that is one, its
/// target. What cannot be found is left out.
pub(super) fn resolve<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut found = Items::Empty;
    for item in it.input {
        engine.spend(1)?;
        let target = match &item {
            Item::Node(node) => match reference(node) {
                Some(text) => target(engine, node, text)?,
                None => declared(engine, node),
            },
            Item::Value(Value::String(text)) => found_by(engine, text)?,
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
    let root = root(engine);
    if let Some(id) = text.strip_prefix('#') {
        let (around, seen) = walk::container(engine.model, root, node);
        engine.spend(seen)?;
        if id.is_empty() {
            return Ok(Some(around.into()));
        }
        return contained(engine, around, id);
    }
    if let Some(entry) = beside(engine, &root, text)? {
        return Ok(Some(entry));
    }
    Ok(match engine.context.resolver {
        Some(resolver) => resolver.resolve(text).map(|json| Node::resource(json).into()),
        None => match type_in(engine.model, text) {
            Some(type_name) => Some(Item::Target(Target { type_name, reference: text })),
            None => declared(engine, node),
        },
    })
}

/// What a text that stands in no element refers to: nothing is around it but the resource.
fn found_by<'a>(engine: &mut Engine<'_, 'a>, text: &str) -> Result<Option<Item<'a>>, PathError> {
    let root = root(engine);
    if let Some(id) = text.strip_prefix('#') {
        return if id.is_empty() { Ok(Some(root.into())) } else { contained(engine, root, id) };
    }
    if let Some(entry) = beside(engine, &root, text)? {
        return Ok(Some(entry));
    }
    let found = engine.context.resolver.and_then(|resolver| resolver.resolve(text));
    Ok(found.map(|json| Node::resource(json).into()))
}

fn root<'a>(engine: &Engine<'_, 'a>) -> Node<'a> {
    engine.context.root_resource.or(engine.context.resource).unwrap_or(engine.root)
}

fn contained<'a>(engine: &mut Engine<'_, 'a>, around: Node<'a>, id: &str) -> Result<Option<Item<'a>>, PathError> {
    let contained = around.json().map_or(&[][..], |json| json.list("contained"));
    engine.spend(contained.len() / MEMBERS_A_STEP)?;
    Ok(contained.iter().find(|json| json.str("id") == Some(id)).map(|json| Node::resource(json).into()))
}

/// What stands in the same Bundle, if the root is one.
fn beside<'a>(engine: &mut Engine<'_, 'a>, root: &Node<'a>, text: &str) -> Result<Option<Item<'a>>, PathError> {
    let entries = root.json().filter(|_| root.type_name() == "Bundle").map(|json| json.list("entry"));
    let Some(entries) = entries else { return Ok(None) };
    engine.spend(entries.len() / 16)?;
    Ok(in_bundle(entries, text).map(|entry| Node::resource(entry).into()))
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

/// `conformsTo(profile)`
pub(super) fn conforms_to<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let profile = it.text(engine, 0)?;
    let (Some(item), Some(profile)) = (it.one()?, profile) else { return Ok(Items::Empty) };
    let profiles = engine.context.profiles.ok_or_else(|| missing(&it, "no profiles"))?;
    let node = item.node().ok_or_else(|| it.fault("an element"))?;
    engine.spend(100)?;
    match profiles.conforms_to(node, &profile) {
        Some(conforms) => Ok(Items::boolean(conforms)),
        None => Err(missing(&it, &format!("{profile} is no profile that can be checked")).about(&*profile)),
    }
}

/// `htmlChecks()`: whether XHTML is as harmless as FHIR wants a narrative. Empty
/// on all else.
pub(super) fn html_checks<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(Item::Node(node)) = it.one()? else { return Ok(Items::Empty) };
    let Some(text) = node.json().and_then(Json::as_str).filter(|_| node.type_name() == "xhtml") else {
        return Ok(Items::Empty);
    };
    engine.spend_text(text.len())?;
    Ok(Items::boolean(narrative_is_harmless(text)))
}

/// `checkModifiers(url, …)`: the input as it is, or an error if an element of it
/// has a modifier extension that is not among those named.
pub(super) fn check_modifiers<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let mut known = Vec::with_capacity(it.call.arguments.len());
    for place in 0..it.call.arguments.len() {
        known.extend(it.text(engine, place)?);
    }
    for item in it.input.iter() {
        let Item::Node(node) = item else { continue };
        let modifiers = node.object().map_or(&[][..], |json| json.list("modifierExtension"));
        engine.spend(1 + modifiers.len())?;
        if modifiers.iter().any(|one| one.str("url").is_none_or(|url| known.iter().all(|known| known != url))) {
            let text = "checkModifiers(): there is a modifier extension that is not named";
            return Err(PathError::new(Reason::Semantic, it.call.at, text));
        }
    }
    Ok(it.input)
}

/// `elementDefinition()` and `slice()` answer parts of profiles, of which facts are
/// kept and not the text.
pub(super) fn not_here<'a>(_: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    Err(missing(&it, "profiles are not kept as resources"))
}

pub(super) fn missing(it: &Invocation<'_, '_>, why: &str) -> PathError {
    let name = it.call.function.name;
    PathError::new(Reason::Missing, it.call.at, format!("{name}() is not to be had here: {why}"))
}
