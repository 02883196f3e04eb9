//! Rules that belong to single types: extensions, references, codes, narratives.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    fault::Fault,
    narrative,
    trail::Trail,
    walk::{Spot, Walk},
};
use crate::{
    codes::Membership,
    json::{Json, Member},
    primitive::Primitive,
};

/// An extension has a value or extensions of its own: `ext-1`.
pub(super) fn extension(walk: &mut Walk<'_>, members: &[Member], trail: &Trail<'_>, offset: usize) {
    let bare = |member: &Member| member.name.trim_start_matches('_').starts_with("value");
    let has_value = members.iter().any(bare);
    let has_extensions = members.iter().any(|member| &*member.name == "extension");
    if has_value == has_extensions {
        walk.fault(&Fault::Extension { is_both: has_value }, trail, offset);
    }
}

/// Contained resources are told apart by their ids.
///
/// * returns them by these, the first of each.
pub(super) fn contained<'a>(walk: &mut Walk<'a>, json: &'a Json, trail: &Trail<'_>) -> HashMap<&'a str, &'a Json> {
    let mut known = HashMap::new();
    let trail = trail.name("contained");
    for (at, one) in json.list("contained").iter().enumerate() {
        let id = one.get("id").filter(|_| one.is_object());
        let is_twice = id.and_then(Json::as_str).is_some_and(|id| match known.entry(id) {
            Entry::Occupied(_) => true,
            Entry::Vacant(free) => {
                free.insert(one);
                false
            }
        });
        if is_twice || id.is_none() {
            let offset = id.unwrap_or(one).span().start;
            walk.fault(&Fault::ContainedId { is_twice }, &trail.index(at), offset);
        }
    }
    known
}

/// A narrative's markup.
pub(super) fn narrative(walk: &mut Walk<'_>, json: &Json, trail: &Trail<'_>) {
    let offset = json.span().start;
    match json.as_str() {
        None => walk.fault(&Fault::Kind { expected: "string", found: json.kind() }, trail, offset),
        Some(text) => {
            if let Err(error) = narrative::check(text) {
                walk.fault(&Fault::Narrative { error }, trail, offset);
            }
        }
    }
}

/// A `code` whose value set is required.
pub(super) fn code(walk: &mut Walk<'_>, spot: Spot<'_>, json: &Json, trail: &Trail<'_>) {
    if let (Some(value_set), Some(code)) = (&spot.slot.binding, json.as_str())
        && walk.codes.member(value_set, None, code) == Membership::No
    {
        walk.fault(&Fault::Code { code, value_set }, trail, json.span().start);
    }
}

/// What an object of a datatype has to meet at this place.
pub(super) fn typed<'a>(walk: &mut Walk<'a>, spot: Spot<'a>, json: &'a Json, trail: &Trail<'_>) {
    match (&*spot.slot.type_name, &spot.slot.binding) {
        ("Reference", _) => reference(walk, spot, json, trail),
        ("Extension", _) if !spot.is_in("Extension") => url(walk, json, trail),
        ("CodeableConcept", Some(value_set)) => concept(walk, value_set, json, trail),
        (_, Some(value_set)) => {
            if let Some(code) = json.str("code") {
                let found = walk.codes.member(value_set, json.str("system"), code);
                if found == Membership::No {
                    let offset = json.get("code").map_or(0, |code| code.span().start);
                    walk.fault(&Fault::Code { code, value_set }, &trail.name("code"), offset);
                }
            }
        }
        (_, None) => {}
    }
}

/// Only inside another extension may the url be relative, to that one's.
fn url(walk: &mut Walk<'_>, json: &Json, trail: &Trail<'_>) {
    if let Some(url) = json.get("url").filter(|url| url.as_str().is_some_and(|url| !is_absolute(url))) {
        walk.fault(&Fault::ExtensionUrl, &trail.name("url"), url.span().start);
    }
}

/// Whether a URI begins with a scheme: `urn:`, `https:`.
fn is_absolute(uri: &str) -> bool {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.chars().all(letter)
}

/// Of a concept's codings one at least comes from the required value set.
fn concept(walk: &mut Walk<'_>, value_set: &str, json: &Json, trail: &Trail<'_>) {
    let codings = json.list("coding");
    let known = |coding: &Json| match coding.str("code") {
        Some(code) => walk.codes.member(value_set, coding.str("system"), code),
        None => Membership::No,
    };
    let is_open = codings.iter().any(|coding| known(coding) != Membership::No);
    // An extension may say why there is no code.
    if is_open || (codings.is_empty() && json.get("extension").is_some()) {
        return;
    }
    let offset = json.span().start;
    match codings.iter().find_map(|coding| coding.str("code")) {
        Some(code) => walk.fault(&Fault::Code { code, value_set }, &trail.name("coding"), offset),
        None => walk.fault(&Fault::NoCode { value_set }, trail, offset),
    }
}

fn reference<'a>(walk: &mut Walk<'a>, spot: Spot<'a>, json: &'a Json, trail: &Trail<'_>) {
    let allowed = &spot.slot.targets;
    let refuse = |walk: &mut Walk<'_>, name: &str, found: &str| {
        let offset = json.get(name).map_or(0, |value| value.span().start);
        walk.fault(&Fault::Target { found, allowed }, &trail.name(name), offset);
    };
    let is_allowed = |found: &str| allowed.is_empty() || allowed.iter().any(|target| &**target == found);
    if let Some(text) = json.str("reference") {
        let found = match text.strip_prefix('#') {
            None if !is_absolute(text) && !is_relative(walk, text) => {
                let offset = json.get("reference").map_or(0, |value| value.span().start);
                return walk.fault(&Fault::Reference, &trail.name("reference"), offset);
            }
            None => literal(walk, text),
            Some(id) => {
                let Some(contained) = inside(walk, id) else {
                    let offset = json.get("reference").map_or(0, |value| value.span().start);
                    return walk.fault(&Fault::NoContained, &trail.name("reference"), offset);
                };
                contained.str("resourceType")
            }
        };
        if let Some(found) = found.filter(|found| !is_allowed(found)) {
            return refuse(walk, "reference", found);
        }
    }
    if let Some(found) = json.str("type").filter(|found| walk.is_resource(found) && !is_allowed(found)) {
        refuse(walk, "type", found);
    }
}

/// The contained resource with that id; the container itself for none.
fn inside<'a>(walk: &Walk<'a>, id: &str) -> Option<&'a Json> {
    if id.is_empty() { walk.container } else { walk.contained.get(id).copied() }
}

/// `Patient/1`, `Patient/1/_history/2`; in the entries of a Bundle `Patient?identifier=1`
/// too, which a transaction resolves.
fn is_relative(walk: &Walk<'_>, text: &str) -> bool {
    if let Some((name, _)) = text.split_once('?') {
        return walk.is_bundle && walk.is_resource(name);
    }
    let current = text.split_once("/_history/").map_or(text, |(current, _)| current);
    current.split('/').count() == 2 && literal(walk, text).is_some()
}

/// The type in `Patient/1` or `https://…/Patient/1/_history/2`; none if the
/// reference does not tell.
fn literal<'a>(walk: &Walk<'_>, text: &'a str) -> Option<&'a str> {
    let path = text.split(['?', '#']).next()?;
    let current = path.split_once("/_history/").map_or(path, |(current, _)| current);
    let (before, id) = current.rsplit_once('/')?;
    let name = before.rsplit('/').next()?;
    (walk.is_resource(name) && Primitive::Id.check(id).is_ok()).then_some(name)
}
