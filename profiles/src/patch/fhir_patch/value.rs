//! The value of an operation: a typed value, a resource, or parts that build an
//! element without a type of its own (`Patient.contact`).

use smol_str::SmolStr;

use super::place::{self, Pair};
use super::{Reason, Room};
use crate::definitions::choice_name;
use crate::json::Json;
use crate::path::Model;

/// An element that is to be put in.
pub(super) struct Given {
    /// The JSON name under which it goes: `valueQuantity` for the choice `value`.
    pub(super) key: SmolStr,
    pub(super) is_list: bool,
    pub(super) pair: Pair,
}

impl Given {
    /// Reads the part that gives an element called `name` to something of type `parent`.
    pub(super) fn read(model: &dyn Model, parent: &str, name: &str, part: &Json) -> Result<Self, Reason> {
        let spellings = model.spellings(parent, name);
        if spellings.is_empty() {
            return Err(Reason::Failed("the type has no such element", "この型にその名前の要素はありません"));
        }
        let said = spelled(part)?;
        let wanted = |key: &str| model.property(parent, key).map(|property| property.type_name);
        // A choice goes by the very type that is said: a string is no code there.
        let exact = spellings.iter().find(|key| wanted(key).is_some_and(|wanted| is_said(model, wanted, said)));
        let mut alike = spellings.iter().filter(|key| wanted(key).is_some_and(|wanted| of_type(model, wanted, said)));
        let ((Some(key), ..) | (None, Some(key), None)) = (exact, alike.next(), alike.next()) else {
            return Err(Reason::Failed(
                "the value is of another type than the element",
                "値の型が要素の型と異なります",
            ));
        };
        let property = model
            .property(parent, key)
            .ok_or(Reason::Failed("the type has no such element", "この型にその名前の要素はありません"))?;
        let pair = match said {
            Said::Value(_) => {
                let typed = part.members().iter().find(|member| member.name.starts_with("value"));
                let beside = part.members().iter().find(|member| member.name.starts_with("_value"));
                (typed.map(|one| one.value.clone()), beside.map(|one| one.value.clone()))
            }
            Said::Resource(_) => (part.get("resource").cloned(), None),
            Said::Parts => (Some(built(model, property.type_name, part)?), None),
        };
        Ok(Self { key: (**key).into(), is_list: property.is_list, pair })
    }

    /// Takes the room that it needs.
    pub(super) fn take(&self, room: &mut Room) -> Result<(), Reason> {
        [&self.pair.0, &self.pair.1].into_iter().flatten().try_for_each(|json| room.take(json))
    }
}

/// How a part says its value.
#[derive(Clone, Copy)]
enum Said<'p> {
    /// `value[x]`: the `x`.
    Value(&'p str),
    /// The type of the resource.
    Resource(&'p str),
    Parts,
}

fn spelled(part: &Json) -> Result<Said<'_>, Reason> {
    let members = part.members().iter().map(|member| &*member.name);
    let mut values = members.filter_map(|name| name.strip_prefix('_').unwrap_or(name).strip_prefix("value"));
    if let Some(suffix) = values.next() {
        return Ok(Said::Value(suffix));
    }
    if let Some(resource) = part.get("resource") {
        return Ok(Said::Resource(resource.str("resourceType").unwrap_or_default()));
    }
    if part.list("part").is_empty() {
        return Err(Reason::Malformed("the part has no value", "part に値がありません"));
    }
    Ok(Said::Parts)
}

/// Whether a value is said to be of this very type.
fn is_said(model: &dyn Model, wanted: &str, said: Said<'_>) -> bool {
    matches!(said, Said::Value(suffix) if type_of(model, suffix) == wanted)
}

/// Whether a value as said may stand where the element's type is `wanted`.
fn of_type(model: &dyn Model, wanted: &str, said: Said<'_>) -> bool {
    let open = choice_name("value", wanted);
    let is_open = model.spellings("Parameters.parameter", "value").iter().any(|one| *one == open);
    match said {
        // Texts stand for each other's types (a code for a string); an id or XHTML,
        // which `value[x]` does not have, is said by a string.
        Said::Value(suffix) => {
            let own = type_of(model, suffix);
            model.is_a(&own, wanted)
                || model.is_a(wanted, &own)
                || (!is_open && own == "string" && !wanted.contains('.'))
        }
        Said::Resource(kind) => model.is_resource(kind) && model.is_a(kind, wanted),
        Said::Parts => !model.is_a(wanted, "Resource") && !wanted.starts_with(|first: char| first.is_ascii_lowercase()),
    }
}

/// `CodeableConcept` and `Code` as types: `CodeableConcept`, `code`.
fn type_of(model: &dyn Model, suffix: &str) -> String {
    let mut letters = suffix.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    let lower: String = first.into_iter().chain(letters).collect();
    if model.is_type(&lower) { lower } else { suffix.to_owned() }
}

/// An element out of a part for each of its children.
fn built(model: &dyn Model, type_name: &str, part: &Json) -> Result<Json, Reason> {
    let mut object = Json::object::<&str>([]);
    for part in part.list("part") {
        let name = part.str("name").ok_or(Reason::Malformed("a part has no name", "part に name がありません"))?;
        let given = Given::read(model, type_name, name, part)?;
        let mut twice = false;
        place::edit(&mut object, &given.key, given.is_list, |pairs| {
            twice = !given.is_list && !pairs.is_empty();
            pairs.push(given.pair);
        });
        if twice {
            return Err(Reason::Malformed("an element is given twice", "同じ要素が二度指定されています"));
        }
    }
    Ok(object)
}
