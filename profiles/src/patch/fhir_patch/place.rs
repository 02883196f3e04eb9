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
    /// Where nodes stand below `root`; `None` if one of them does not. The tree is gone
    /// through once: a path may yield tens of thousands.
    pub(super) fn all(model: &dyn Model, root: &Json, nodes: &[&Node<'_>]) -> Option<Vec<Self>> {
        let targets: Option<Vec<&Json>> = nodes.iter().map(|node| node.json().or(node.sibling())).collect();
        let targets = targets?;
        let mut search = Search::of(&targets);
        search.look(root);
        let place = |(node, target): (&&Node<'_>, &&Json)| Self::at_end(model, root, node, search.way_to(target)?);
        nodes.iter().zip(&targets).map(place).collect()
    }

    /// The place of `node` at the end of a way.
    fn at_end(model: &dyn Model, root: &Json, node: &Node<'_>, mut way: Vec<Step>) -> Option<Self> {
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
        let Some(object) = at(root, &self.parent) else { return 0 };
        let both = [object.get(&self.key), object.get(&beside(&self.key))];
        if self.is_list {
            both.iter().flatten().map(|list| list.items().len()).max().unwrap_or(0)
        } else {
            usize::from(both.iter().flatten().any(|one| !one.is_null()))
        }
    }

    /// The object in which the element's own children are: for a primitive the one
    /// beside it, made if there is none.
    pub(super) fn object<'j>(&self, root: &'j mut Json) -> Option<&'j mut Json> {
        if self.key.is_empty() {
            return Some(root);
        }
        let parent = self.parent(root)?;
        let beside = beside(&self.key);
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
    let mut all = taken(object, key, is_list);
    change(&mut all);
    let (values, besides): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    for (name, column) in [(key.to_owned(), values), (beside(key), besides)] {
        if column.iter().all(Option::is_none) {
            object.remove(&name);
        } else if is_list {
            object.set(name, Json::array(column.into_iter().map(|one| one.unwrap_or_else(Json::null))));
        } else if let Some(one) = column.into_iter().next().flatten() {
            object.set(name, one);
        }
    }
}

/// The elements of `object` called `key`, each with what stands beside it. They are taken,
/// not copied; the members stay where they are, so that the elements come back in order.
fn taken(object: &mut Json, key: &str, is_list: bool) -> Vec<Pair> {
    let mut take = |name: &str| object.get_mut(name).map(|json| std::mem::replace(json, Json::null()));
    let (value, beside) = (take(key), take(&beside(key)));
    let some = |json: Option<Json>| json.filter(|json| !json.is_null());
    if !is_list {
        let pair = (some(value), some(beside));
        return if pair == (None, None) { Vec::new() } else { vec![pair] };
    }
    let (mut values, mut besides) = (items(value).into_iter(), items(beside).into_iter());
    let count = values.len().max(besides.len());
    (0..count).map(|_| (some(values.next()), some(besides.next()))).collect()
}

fn items(list: Option<Json>) -> Vec<Json> {
    match list.map(|mut list| std::mem::replace(list.value_mut(), Value::Null)) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// The name under which stands what belongs to a primitive.
fn beside(key: &str) -> String {
    format!("_{key}")
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

/// A search of a tree for some of its values.
struct Search<'j> {
    /// In order, each once.
    targets: Vec<*const Json>,
    /// The way to each.
    ways: Vec<Option<Vec<Step>>>,
    /// How many are not found yet.
    left: usize,
    /// The way to where the search is.
    way: Vec<On<'j>>,
}

/// A step that is not kept.
enum On<'j> {
    Member(&'j SmolStr),
    Item(usize),
}

impl<'j> Search<'j> {
    fn of(values: &[&Json]) -> Self {
        let mut targets: Vec<*const Json> = values.iter().map(|value| std::ptr::from_ref(*value)).collect();
        targets.sort_unstable();
        targets.dedup();
        Self { ways: vec![None; targets.len()], left: targets.len(), targets, way: Vec::new() }
    }

    fn look(&mut self, json: &'j Json) {
        if let Ok(place) = self.targets.binary_search(&std::ptr::from_ref(json)) {
            let step = |on: &On<'_>| match on {
                On::Member(name) => Step::Member((*name).clone()),
                On::Item(index) => Step::Item(*index),
            };
            self.ways[place] = Some(self.way.iter().map(step).collect());
            self.left -= 1;
        }
        for (index, item) in json.items().iter().enumerate() {
            self.step(On::Item(index), item);
        }
        for Member { name, value, .. } in json.members() {
            self.step(On::Member(name), value);
        }
    }

    fn step(&mut self, on: On<'j>, json: &'j Json) {
        if self.left > 0 {
            self.way.push(on);
            self.look(json);
            self.way.pop();
        }
    }

    fn way_to(&self, value: &Json) -> Option<Vec<Step>> {
        let place = self.targets.binary_search(&std::ptr::from_ref(value)).ok()?;
        self.ways[place].clone()
    }
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
