//! Where an element stands in the tree that spells it.

use smol_str::SmolStr;

use super::{Reason, is_empty};
use crate::json::{Json, Member, Value};
use crate::path::{Model, Node};

/// An element's JSON, and what stands beside a primitive under `_name`.
pub(super) type Pair = (Option<Json>, Option<Json>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Member(SmolStr),
    Item(usize),
}

/// Where an element stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The way to the object that it is in.
    pub(super) parent: Vec<Step>,
    /// Its JSON name there, without `_`; empty for the resource itself.
    pub(super) key: SmolStr,
    /// Its place in a list; 0 for one that is none.
    pub(super) index: usize,
    pub(super) is_list: bool,
    /// Its own type.
    pub(super) type_name: Box<str>,
}

impl Place {
    /// Where `node` stands below `root`; `None` if it does not.
    pub(super) fn of(model: &dyn Model, root: &Json, node: &Node<'_>) -> Option<Self> {
        let target = node.json().or(node.sibling())?;
        let mut way = Vec::new();
        if !find(root, target, &mut way) {
            return None;
        }
        way.reverse();
        let type_name = node.type_name().into();
        let index = match way.last() {
            None => {
                return Some(Self { parent: way, key: "".into(), index: 0, is_list: false, type_name });
            }
            Some(Step::Item(index)) => Some(*index),
            Some(Step::Member(_)) => None,
        };
        if index.is_some() {
            way.pop();
        }
        let Some(Step::Member(name)) = way.pop() else { return None };
        let key: SmolStr = if node.json().is_none() { name.strip_prefix('_')?.into() } else { name };
        let is_list = model.property(type_at(model, root, &way), &key).is_some_and(|property| property.is_list);
        Some(Self { parent: way, key, index: index.unwrap_or(0), is_list, type_name })
    }

    /// Refuses the resource itself.
    pub(super) fn within_resource(&self) -> Result<(), Reason> {
        if !self.key.is_empty() {
            return Ok(());
        }
        Err(Reason::Failed("the path finds the resource itself", "path がリソース全体を指しています"))
    }

    /// The object that the element is in.
    pub(super) fn parent<'j>(&self, root: &'j mut Json) -> Option<&'j mut Json> {
        down(root, &self.parent)
    }

    /// Changes the list that the element is in, or the list of it alone.
    pub(super) fn edit(&self, root: &mut Json, change: impl FnOnce(&mut Vec<Pair>)) {
        if let Some(object) = self.parent(root) {
            edit(object, &self.key, self.is_list, change);
        }
    }

    /// How many elements its list has.
    pub(super) fn length(&self, root: &Json) -> usize {
        at(root, &self.parent).map_or(0, |object| pairs(object, &self.key, self.is_list).len())
    }

    /// The object in which the element's own children are: for a primitive the one
    /// beside it, made if there is none.
    pub(super) fn object<'j>(&self, root: &'j mut Json) -> Option<&'j mut Json> {
        if self.key.is_empty() {
            return Some(root);
        }
        let parent = self.parent(root)?;
        let beside: Box<str> = format!("_{}", self.key).into();
        let own =
            parent.get(&self.key).map(|json| if self.is_list { json.items().get(self.index) } else { Some(json) });
        if own.flatten().is_some_and(Json::is_object) {
            let json = parent.get_mut(&self.key)?;
            return if self.is_list { json.items_mut().get_mut(self.index) } else { Some(json) };
        }
        edit(parent, &self.key, self.is_list, |pairs| {
            if let Some((_, beside)) = pairs.get_mut(self.index) {
                beside.get_or_insert_with(|| Json::object::<&str>([]));
            }
        });
        let json = parent.get_mut(&beside)?;
        if self.is_list { json.items_mut().get_mut(self.index) } else { Some(json) }
    }
}

/// Changes the elements of `object` called `key`.
pub(super) fn edit(object: &mut Json, key: &str, is_list: bool, change: impl FnOnce(&mut Vec<Pair>)) {
    let mut all = pairs(object, key, is_list);
    change(&mut all);
    let (values, besides): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    for (name, column) in [(key.to_owned(), values), (format!("_{key}"), besides)] {
        if column.iter().all(Option::is_none) {
            object.remove(&name);
        } else if is_list {
            object.set(name, Json::array(column.into_iter().map(|one| one.unwrap_or_else(Json::null))));
        } else if let Some(one) = column.into_iter().next().flatten() {
            object.set(name, one);
        }
    }
}

/// The elements of `object` called `key`, each with what stands beside it.
fn pairs(object: &Json, key: &str, is_list: bool) -> Vec<Pair> {
    let (value, beside) = (object.get(key), object.get(&format!("_{key}")));
    let some = |json: Option<&Json>| json.filter(|json| !json.is_null()).cloned();
    if !is_list {
        let pair = (some(value), some(beside));
        return if pair == (None, None) { Vec::new() } else { vec![pair] };
    }
    let (values, besides) = (value.map_or(&[][..], Json::items), beside.map_or(&[][..], Json::items));
    let at = |column: &[Json], index: usize| some(column.get(index));
    (0..values.len().max(besides.len())).map(|index| (at(values, index), at(besides, index))).collect()
}

/// Takes out what has become empty, from the inside outwards.
pub(super) fn prune(root: &mut Json, mut way: &[Step]) {
    while at(root, way).is_some_and(is_empty) {
        way = match way {
            [outer @ .., Step::Member(name)] => {
                if let Some(parent) = down(root, outer) {
                    parent.remove(name);
                }
                outer
            }
            // An item goes with what stands beside it, unless that says something.
            [outer @ .., Step::Member(name), Step::Item(index)] => {
                if let Some(parent) = down(root, outer) {
                    let key = name.strip_prefix('_').unwrap_or(name);
                    edit(parent, key, true, |pairs| drop_empty(pairs, *index));
                }
                outer
            }
            [] | [.., Step::Item(_)] => return,
        };
    }
}

fn drop_empty(pairs: &mut Vec<Pair>, index: usize) {
    let Some((value, beside)) = pairs.get_mut(index) else { return };
    for side in [&mut *value, &mut *beside] {
        if side.as_ref().is_some_and(is_empty) {
            *side = None;
        }
    }
    if value.is_none() && beside.is_none() {
        pairs.remove(index);
    }
}

/// The way from `json` to `target`, its last step first.
fn find(json: &Json, target: &Json, way: &mut Vec<Step>) -> bool {
    if std::ptr::eq(json, target) {
        return true;
    }
    for (index, item) in json.items().iter().enumerate() {
        if find(item, target, way) {
            way.push(Step::Item(index));
            return true;
        }
    }
    for Member { name, value, .. } in json.members() {
        if find(value, target, way) {
            way.push(Step::Member(name.clone()));
            return true;
        }
    }
    false
}

/// The FHIR type of what stands at the end of a way.
pub(super) fn type_at<'a>(model: &'a dyn Model, root: &'a Json, way: &[Step]) -> &'a str {
    let own = |json: &'a Json, declared: &'a str| match declared {
        "Resource" | "DomainResource" => json.str("resourceType").unwrap_or(declared),
        _ => declared,
    };
    let mut json = root;
    let mut type_name = own(root, "Resource");
    for step in way {
        let next = match step {
            Step::Member(name) => {
                let bare = name.strip_prefix('_').unwrap_or(name);
                type_name = model.property(type_name, bare).map_or("", |property| property.type_name);
                json.get(name)
            }
            Step::Item(index) => json.items().get(*index),
        };
        let Some(next) = next else { return "" };
        json = next;
        type_name = own(json, type_name);
    }
    type_name
}

fn at<'j>(root: &'j Json, way: &[Step]) -> Option<&'j Json> {
    way.iter().try_fold(root, |json, step| match step {
        Step::Member(name) => json.get(name),
        Step::Item(index) => json.items().get(*index),
    })
}

fn down<'j>(root: &'j mut Json, way: &[Step]) -> Option<&'j mut Json> {
    way.iter().try_fold(root, |json, step| match (step, json.value_mut()) {
        (Step::Member(name), Value::Object(members)) => {
            members.iter_mut().find(|member| member.name == *name).map(|member| &mut member.value)
        }
        (Step::Item(index), Value::Array(items)) => items.get_mut(*index),
        _ => None,
    })
}
