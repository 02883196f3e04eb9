//! `FHIRPath` Patch: the changes as a Parameters resource.
//!
//! A path finds elements; what is done is done to the JSON that spells them. A
//! primitive and its `_sibling` go together, also in lists, and an element that
//! loses all it had goes too, as FHIR has no empty ones.
//!
//! Source: FHIR R4 fhirpatch.html

use super::{MOST_OPERATIONS, PatchError, Reason, Room, too_many, whole};
use crate::json::{Json, Value};
use crate::path::{Context, DEFAULT_FUEL, Expression, Item, Model, Node};
use value::Given;

mod place;
mod value;

use place::Place;

/// Steps that all paths of one patch may take together, about.
const FUEL: u64 = 2_000_000;
/// Steps that each may take at least.
const LEAST_FUEL: u64 = 10_000;

/// Applies a patch to a resource's tree.
///
/// # Errors
/// [`PatchError`] for the first operation that is none or cannot be done.
pub fn apply(model: &dyn Model, resource: &mut Json, parameters: &Json) -> Result<(), PatchError> {
    if parameters.is_array() {
        return Err(whole(Reason::Malformed(
            "this is an array, as a JSON Patch is; send that with the Content-Type application/json-patch+json. \
             As JSON of any other name a patch is a FHIRPath Patch, a Parameters resource",
            "本文は配列です。JSON Patch であれば Content-Type を application/json-patch+json にしてください。\
             それ以外の JSON は FHIRPath Patch(Parameters リソース)として読み取ります",
        )));
    }
    if parameters.str("resourceType") != Some("Parameters") {
        return Err(whole(Reason::Malformed(
            "a FHIRPath Patch is a Parameters resource",
            "FHIRPath Patch は Parameters リソースにしてください",
        )));
    }
    let list = parameters.list("parameter");
    if list.len() > MOST_OPERATIONS {
        return Err(too_many());
    }
    let read = list
        .iter()
        .enumerate()
        .map(|(number, json)| Operation::read(json).map_err(|(reason, member)| reason.at(number, member)));
    let operations = read.collect::<Result<Vec<_>, _>>()?;
    let fuel = (FUEL / (operations.len() as u64).max(1)).clamp(LEAST_FUEL, DEFAULT_FUEL);
    let mut patch = Patch { model, fuel, room: Room::of(resource) };
    for (number, operation) in operations.iter().enumerate() {
        patch.apply(resource, operation).map_err(|(reason, member)| reason.at(number, member))?;
    }
    Ok(())
}

type Fault = (Reason, &'static str);

/// One change, read.
struct Operation<'p> {
    path: Expression,
    kind: Kind<'p>,
}

enum Kind<'p> {
    Add { name: &'p str, value: &'p Json },
    Insert { value: &'p Json, index: usize },
    Delete,
    Replace { value: &'p Json },
    Move { source: usize, destination: usize },
}

impl<'p> Operation<'p> {
    fn read(parameter: &'p Json) -> Result<Self, Fault> {
        if parameter.str("name") != Some("operation") {
            let other = Reason::Malformed("every parameter is called operation", "parameter の name は operation です");
            return Err((other, "name"));
        }
        known_parts(parameter.list("part"))?;
        let part = |name: &'static str| {
            let found = parameter.list("part").iter().find(|part| part.str("name") == Some(name));
            found.ok_or_else(|| (missing(name), name))
        };
        let text = |name: &'static str, spelled: &[&str]| {
            let part = part(name)?;
            let found = spelled.iter().find_map(|spelled| part.str(spelled));
            found.ok_or((Reason::Malformed("the part has no text", "part に文字列の値がありません"), name))
        };
        let whole = |name: &'static str| {
            let found =
                part(name)?.get("valueInteger").and_then(Json::as_i64).and_then(|one| usize::try_from(one).ok());
            let none = Reason::Malformed("the part is a valueInteger from 0", "part は 0 以上の valueInteger です");
            found.ok_or((none, name))
        };
        let kind = match text("type", &["valueCode", "valueString"])? {
            "add" => Kind::Add { name: text("name", &["valueString"])?, value: part("value")? },
            "insert" => Kind::Insert { value: part("value")?, index: whole("index")? },
            "delete" => Kind::Delete,
            "replace" => Kind::Replace { value: part("value")? },
            "move" => Kind::Move { source: whole("source")?, destination: whole("destination")? },
            _ => {
                let unknown = Reason::Malformed(
                    "type is add, insert, delete, replace or move",
                    "type は add, insert, delete, replace, move のいずれかです",
                );
                return Err((unknown, "type"));
            }
        };
        let path = text("path", &["valueString"])?;
        let path = Expression::parse(path).map_err(|error| (Reason::Unreadable(error.into()), "path"))?;
        Ok(Self { path, kind })
    }
}

fn missing(part: &str) -> Reason {
    match part {
        "type" => Reason::Malformed("the operation needs a part type", "操作には part の type が必要です"),
        "path" => Reason::Malformed("the operation needs a part path", "操作には part の path が必要です"),
        "name" => Reason::Malformed("this type needs a part name", "この type には part の name が必要です"),
        "value" => Reason::Malformed("this type needs a part value", "この type には part の value が必要です"),
        "index" => Reason::Malformed("insert needs a part index", "insert には part の index が必要です"),
        _ => Reason::Malformed(
            "move needs parts source and destination",
            "move には part の source と destination が必要です",
        ),
    }
}

/// Refuses a part that would be passed over: one that no operation has, or a second one.
fn known_parts(parts: &[Json]) -> Result<(), Fault> {
    for (index, part) in parts.iter().enumerate() {
        let name = part.str("name").unwrap_or_default();
        if !PARTS.contains(&name) {
            return Err((Reason::Malformed("no operation has a part of this name", "操作にない名前の part です"), ""));
        }
        if parts[..index].iter().any(|other| other.str("name") == Some(name)) {
            return Err((Reason::Malformed("a part is given twice", "同じ part が二度指定されています"), ""));
        }
    }
    Ok(())
}

const PARTS: [&str; 7] = ["type", "path", "name", "value", "index", "source", "destination"];

struct Patch<'m> {
    model: &'m dyn Model,
    fuel: u64,
    room: Room,
}

impl Patch<'_> {
    fn apply(&mut self, root: &mut Json, operation: &Operation<'_>) -> Result<(), Fault> {
        let places = self.found(root, &operation.path).map_err(|reason| (reason, "path"))?;
        match operation.kind {
            Kind::Add { name, value } => self.add(root, &one(places)?, name, value),
            Kind::Insert { value, index } => {
                let (place, length) = list(root, &places).map_err(|reason| (reason, "path"))?;
                if index > length {
                    return Err((beyond(), "index"));
                }
                let given = self.given(root, &place, value)?;
                place.edit(root, |pairs| pairs.insert(index, given.pair));
                Ok(())
            }
            Kind::Delete if places.is_empty() => Ok(()),
            Kind::Delete => {
                let place = one(places)?;
                place.within_resource().map_err(|reason| (reason, "path"))?;
                place.edit(root, |pairs| drop(pairs.remove(place.index)));
                place::prune(root, &place.parent);
                Ok(())
            }
            Kind::Replace { value } => self.replace(root, &one(places)?, value),
            Kind::Move { source, destination } => {
                let (place, length) = list(root, &places).map_err(|reason| (reason, "path"))?;
                for (at, name) in [(source, "source"), (destination, "destination")] {
                    if at >= length {
                        return Err((beyond(), name));
                    }
                }
                place.edit(root, |pairs| {
                    let moved = pairs.remove(source);
                    pairs.insert(destination, moved);
                });
                Ok(())
            }
        }
    }

    /// Where the elements stand that a path yields.
    fn found(&self, root: &Json, path: &Expression) -> Result<Vec<Place>, Reason> {
        let context = Context::new(self.model).fuel(self.fuel);
        let items = path.evaluate(root, &context).map_err(|error| Reason::Unevaluated(error.into()))?;
        let nodes: Option<Vec<&Node<'_>>> = items.iter().map(Item::node).collect();
        nodes.and_then(|nodes| Place::all(self.model, root, &nodes)).ok_or(Reason::Failed(
            "the path yields something that is no element of the resource",
            "path がリソースの要素でないものを指しています",
        ))
    }

    fn add(&mut self, root: &mut Json, at: &Place, name: &str, value: &Json) -> Result<(), Fault> {
        let type_name = at.type_name.clone();
        let given = Given::read(self.model, &type_name, name, value).map_err(|reason| (reason, "value"))?;
        given.take(&mut self.room).map_err(|reason| (reason, "value"))?;
        let object = at.object(root).ok_or((no_children(), "path"))?;
        let spellings = self.model.spellings(&type_name, name);
        let is_there = |spelled: &&str| object.get(spelled).is_some() || object.get(&format!("_{spelled}")).is_some();
        if !given.is_list && spellings.iter().any(is_there) {
            let there = Reason::Failed(
                "the element is there already; replace it",
                "要素は既にあります。replace を使ってください",
            );
            return Err((there, "name"));
        }
        place::edit(object, &given.key, given.is_list, |pairs| pairs.push(given.pair));
        Ok(())
    }

    fn replace(&mut self, root: &mut Json, place: &Place, value: &Json) -> Result<(), Fault> {
        place.within_resource().map_err(|reason| (reason, "path"))?;
        let given = self.given(root, place, value)?;
        if given.key == place.key {
            place.edit(root, |pairs| pairs[place.index] = given.pair);
        } else {
            // A choice of another type has another name, and is no list.
            place.edit(root, Vec::clear);
            let object = place.parent(root).ok_or((no_children(), "path"))?;
            place::edit(object, &given.key, false, |pairs| pairs.push(given.pair));
        }
        Ok(())
    }

    /// What is to stand where an element is now.
    fn given(&mut self, root: &Json, place: &Place, value: &Json) -> Result<Given, Fault> {
        let parent = place::type_at(self.model, root, &place.parent);
        let name = self.model.property(parent, &place.key).map_or("", |property| property.name);
        let given = Given::read(self.model, parent, name, value).map_err(|reason| (reason, "value"))?;
        given.take(&mut self.room).map_err(|reason| (reason, "value"))?;
        Ok(given)
    }
}

/// The only place.
fn one(mut places: Vec<Place>) -> Result<Place, Fault> {
    let reason = match places.len() {
        1 => return Ok(places.remove(0)),
        0 => Reason::Failed("the path finds no element", "path に該当する要素がありません"),
        _ => Reason::Failed("the path finds more than one element", "path に該当する要素が複数あります"),
    };
    Err((reason, "path"))
}

/// The list that the path yields, whole, and its length.
fn list(root: &Json, places: &[Place]) -> Result<(Place, usize), Reason> {
    let Some(first) = places.first() else {
        return Err(Reason::Failed(
            "the path finds no list; add makes one",
            "path に該当するリストがありません。add で作成できます",
        ));
    };
    let of_it = |(index, place): (usize, &Place)| {
        place.is_list && place.index == index && place.key == first.key && place.parent == first.parent
    };
    if !places.iter().enumerate().all(of_it) || first.length(root) != places.len() {
        return Err(Reason::Failed("the path must find one whole list", "path は一つのリスト全体を指してください"));
    }
    Ok((first.clone(), places.len()))
}

fn beyond() -> Reason {
    Reason::Failed("the list is not as long as this", "リストの範囲を超えています")
}

fn no_children() -> Reason {
    Reason::Failed("the element holds no others", "この要素は子要素を持てません")
}

/// Whether a value is an object without members, or an array without items.
fn is_empty(json: &Json) -> bool {
    match json.value() {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
