//! JSON Patch.
//!
//! To add an operation: a variant of [`Operation`], its reading and its doing.
//!
//! Source: RFC 6902, RFC 6901

use std::collections::HashMap;

use super::{MOST_OPERATIONS, PatchError, Reason, Room, height, too_many, whole};
use crate::json::{Json, MAX_DEPTH, Member, Value};

/// Applies a patch to a tree.
///
/// # Errors
/// [`PatchError`] for the first operation that is none or cannot be done.
pub fn apply(resource: &mut Json, patch: &Json) -> Result<(), PatchError> {
    let Value::Array(list) = patch.value() else {
        return Err(whole(Reason::Malformed(
            "a JSON Patch is an array of operations; send a FHIRPath Patch (Parameters) as application/fhir+json",
            "JSON Patch は操作の配列にしてください。FHIRPath Patch(Parameters)は application/fhir+json で送ってください",
        )));
    };
    if list.len() > MOST_OPERATIONS {
        return Err(too_many());
    }
    let operations = list
        .iter()
        .enumerate()
        .map(|(number, json)| Operation::read(json).map_err(|(reason, member)| reason.at(number, member)));
    let operations = operations.collect::<Result<Vec<_>, _>>()?;
    let mut room = Room::of(resource);
    for (number, operation) in operations.into_iter().enumerate() {
        operation.apply(resource, &mut room).map_err(|(reason, member)| reason.at(number, member))?;
    }
    Ok(())
}

/// The same on a FHIR resource, which has no empty list and no empty element: what a removal has
/// left empty goes with it. Who removes the last item of a list need not know that it is.
///
/// # Errors
/// As of [`apply`].
pub fn apply_to_resource(resource: &mut Json, patch: &Json) -> Result<(), PatchError> {
    apply(resource, patch)?;
    if patch.items().iter().any(|one| matches!(one.str("op"), Some("remove" | "move"))) {
        emptied(resource);
    }
    Ok(())
}

fn emptied(json: &mut Json) {
    let is_empty = |json: &Json| match json.value() {
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    match json.value_mut() {
        Value::Object(members) => {
            for member in members.iter_mut() {
                emptied(&mut member.value);
            }
            members.retain(|member| !is_empty(&member.value));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(emptied);
            items.retain(|item| !is_empty(item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

type Fault = (Reason, &'static str);

/// One change.
enum Operation {
    Add(Pointer, Json),
    Remove(Pointer),
    Replace(Pointer, Json),
    Move(Pointer, Pointer),
    Copy(Pointer, Pointer),
    Test(Pointer, Json),
}

impl Operation {
    fn read(json: &Json) -> Result<Self, Fault> {
        let pointer = |member: &'static str| {
            let text = json.str(member).ok_or((
                Reason::Malformed("a JSON Pointer (a text) is missing", "JSON Pointer(文字列)がありません"),
                member,
            ))?;
            Pointer::read(text).map_err(|reason| (reason, member))
        };
        let value = || {
            let missing = Reason::Malformed("the operation needs a value", "この操作には value が必要です");
            json.get("value").cloned().ok_or((missing, "value"))
        };
        Ok(match json.str("op") {
            Some("add") => Self::Add(pointer("path")?, value()?),
            Some("remove") => Self::Remove(pointer("path")?),
            Some("replace") => Self::Replace(pointer("path")?, value()?),
            Some("move") => Self::Move(pointer("from")?, pointer("path")?),
            Some("copy") => Self::Copy(pointer("from")?, pointer("path")?),
            Some("test") => Self::Test(pointer("path")?, value()?),
            _ => {
                let unknown = Reason::Malformed(
                    "op is add, remove, replace, move, copy or test",
                    "op は add, remove, replace, move, copy, test のいずれかです",
                );
                return Err((unknown, "op"));
            }
        })
    }

    fn apply(self, tree: &mut Json, room: &mut Room) -> Result<(), Fault> {
        let path = |reason| (reason, "path");
        let from = |reason| (reason, "from");
        match self {
            Self::Add(at, value) => {
                room.take(&value).map_err(path)?;
                at.add(tree, value).map_err(path)
            }
            Self::Remove(at) => at.remove(tree).map(drop).map_err(path),
            Self::Replace(at, value) => {
                room.take(&value).map_err(path)?;
                at.fits(&value).map_err(path)?;
                *at.find_mut(tree).ok_or_else(no_such).map_err(path)? = value;
                Ok(())
            }
            Self::Move(source, at) => {
                if at.0.len() > source.0.len() && at.0.starts_with(&source.0) {
                    let inside =
                        Reason::Failed("a value cannot be moved into itself", "値をそれ自身の中へ移すことはできません");
                    return Err(path(inside));
                }
                let value = source.remove(tree).map_err(from)?;
                at.add(tree, value).map_err(path)
            }
            Self::Copy(source, at) => {
                let value = source.find(tree).ok_or_else(no_such).map_err(from)?;
                room.take(value).map_err(path)?;
                let value = value.clone();
                at.add(tree, value).map_err(path)
            }
            Self::Test(at, value) => {
                let found = at.find(tree).ok_or_else(no_such).map_err(path)?;
                let differs = Reason::Failed("the test does not hold", "test の値が一致しません");
                if same(found, &value) { Ok(()) } else { Err((differs, "value")) }
            }
        }
    }
}

/// `/name/0/given`, its parts unescaped.
struct Pointer(Vec<Box<str>>);

impl Pointer {
    fn read(text: &str) -> Result<Self, Reason> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let parts = text.strip_prefix('/').map(|rest| rest.split('/').map(unescaped).collect::<Option<Vec<_>>>());
        parts.flatten().map(Self).ok_or(Reason::Malformed(
            "a JSON Pointer begins with / and escapes ~ as ~0, / as ~1",
            "JSON Pointer は / で始め、~ は ~0、/ は ~1 と書いてください",
        ))
    }

    fn find<'j>(&self, root: &'j Json) -> Option<&'j Json> {
        self.0.iter().try_fold(root, |json, part| match json.value() {
            Value::Object(_) => json.get(part),
            Value::Array(items) => items.get(index(part)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    fn find_mut<'j>(&self, root: &'j mut Json) -> Option<&'j mut Json> {
        step_down(root, &self.0)
    }

    /// Whether `value` may stand here: the way to it and its own levels together.
    fn fits(&self, value: &Json) -> Result<(), Reason> {
        if self.0.len() + height(value) <= MAX_DEPTH {
            return Ok(());
        }
        Err(Reason::TooMuch("the resource would be nested too deeply", "リソースの入れ子が深くなりすぎます"))
    }

    fn add(&self, root: &mut Json, value: Json) -> Result<(), Reason> {
        self.fits(&value)?;
        let Some((last, way)) = self.0.split_last() else {
            *root = value;
            return Ok(());
        };
        let parent = step_down(root, way).ok_or_else(no_such)?;
        match parent.value_mut() {
            Value::Object(_) => parent.set(last.clone(), value),
            Value::Array(items) => {
                let at = if **last == *"-" { Some(items.len()) } else { index(last) };
                let at = at.filter(|at| *at <= items.len()).ok_or_else(no_such)?;
                items.insert(at, value);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(no_such()),
        }
        Ok(())
    }

    fn remove(&self, root: &mut Json) -> Result<Json, Reason> {
        let Some((last, way)) = self.0.split_last() else {
            return Err(Reason::Failed("a resource cannot be taken out of itself", "リソース全体は取り除けません"));
        };
        let parent = step_down(root, way).ok_or_else(no_such)?;
        let taken = match parent.value_mut() {
            Value::Array(items) => index(last).filter(|at| *at < items.len()).map(|at| items.remove(at)),
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                parent.remove(last)
            }
        };
        taken.ok_or_else(no_such)
    }
}

fn step_down<'j>(root: &'j mut Json, way: &[Box<str>]) -> Option<&'j mut Json> {
    way.iter().try_fold(
        root,
        |json, part| {
            if json.is_array() { json.items_mut().get_mut(index(part)?) } else { json.get_mut(part) }
        },
    )
}

/// `a~1b~0c` → `a/b~c`
fn unescaped(part: &str) -> Option<Box<str>> {
    let mut text = String::with_capacity(part.len());
    let mut letters = part.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '~' => match letters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(text.into())
}

/// A place in an array: digits, none of them a leading zero.
fn index(part: &str) -> Option<usize> {
    let digits = part.bytes().all(|byte| byte.is_ascii_digit()) && (part.len() == 1 || !part.starts_with('0'));
    part.parse().ok().filter(|_| digits)
}

fn no_such() -> Reason {
    Reason::Failed("there is no such place in the resource", "リソースに該当する場所がありません")
}

/// Whether two values say the same as RFC 6902 §4.6 has it: members in any order,
/// numbers by their value.
fn same(one: &Json, other: &Json) -> bool {
    match (one.value(), other.value()) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || number(one).is_some_and(|own| Some(own) == number(other))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            if one.len() != other.len() {
                return false;
            }
            // What is patched need not be valid yet: an object may have any number of members.
            let named: HashMap<&str, &Json> = other.iter().map(|member| (&*member.name, &member.value)).collect();
            let holds = |member: &Member| named.get(&*member.name).is_some_and(|found| same(&member.value, found));
            one.iter().all(holds)
        }
        _ => one == other,
    }
}

/// A number without what does not change its value: sign, digits, power of ten.
fn number(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (digits, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - significant.len()).ok()?;
    let power: i64 = power.parse().ok()?;
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
    let significant = significant.trim_start_matches('0').to_owned();
    if significant.is_empty() {
        return Some((false, significant, 0));
    }
    Some((negative, significant, power))
}
