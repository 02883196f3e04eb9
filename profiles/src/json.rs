//! A strict JSON tree that loses nothing.
//!
//! FHIR gives meaning to what other trees drop: `1.10` is not `1.1`, the order
//! of members is the sender's, and a name twice in one object is an error. So
//! a [`Json`] keeps a number as its text, members in their order, and the byte
//! span of every value, by which a fault can be pointed at and a stored body
//! rewritten without being written anew ([`splice`]).
//!
//! Refused: duplicate names, nesting over [`MAX_DEPTH`], bytes that are not
//! UTF-8, lone surrogates, control characters in strings, text after the value.
//!
//! Source: RFC 8259; FHIR R4 json.html

mod parse;
mod write;

use std::ops::Range;

use smol_str::SmolStr;

pub use parse::{Fault, ParseError, Place};
pub use write::{pretty, splice};

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;

/// One JSON value and where it stood.
#[derive(Clone, Debug)]
pub struct Json {
    value: Value,
    start: u32,
    end: u32,
}

/// What a [`Json`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The number's own text: `1.10` stays `1.10`.
    Number(SmolStr),
    /// The string, unescaped.
    String(SmolStr),
    /// The items in order.
    Array(Vec<Json>),
    /// The members in the order they were written, names unique.
    Object(Vec<Member>),
}

/// One `name: value` of an object.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name, unescaped.
    pub name: SmolStr,
    /// The value.
    pub value: Json,
    /// Byte offset of the name's opening quote; 0 in a built tree.
    pub name_at: u32,
}

/// Where the name stood does not count.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

impl Eq for Member {}

/// Two trees are equal when they say the same; where they stood does not count,
/// the order of members does.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Json {}

impl Json {
    /// Reads one JSON value, the whole of `text`.
    ///
    /// # Errors
    /// [`ParseError`] names the fault and its byte offset.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        parse::parse(text)
    }

    /// The value itself.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The bytes this value took in the text it was read from; empty if built.
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// `null`, `boolean`, `number`, `string`, `array` or `object`.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    /// The member of this object called `name`; `None` if absent or no object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.member(name).map(|member| &member.value)
    }

    /// Like [`Json::get`], with the name's place.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| &*member.name == name)
    }

    /// Follows names downwards: `at(&["subject", "reference"])`.
    pub fn at(&self, names: &[&str]) -> Option<&Json> {
        names.iter().try_fold(self, |json, name| json.get(name))
    }

    /// The string member called `name`.
    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_str)
    }

    /// The items of the array member called `name`; none if it is no array.
    pub fn list(&self, name: &str) -> &[Json] {
        self.get(name).map_or(&[], Json::items)
    }

    /// The items of this array; none if it is no array.
    pub fn items(&self) -> &[Json] {
        match &self.value {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    /// This array's items, or this value alone: how FHIR elements are walked.
    pub fn each(&self) -> &[Json] {
        match &self.value {
            Value::Array(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The members of this object; none if it is no object.
    pub fn members(&self) -> &[Member] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a number, as it was written.
    pub fn as_number(&self) -> Option<&str> {
        match &self.value {
            Value::Number(text) => Some(text),
            _ => None,
        }
    }

    /// A number written as an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.parse().ok()
    }

    /// The truth of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        matches!(self.value, Value::Array(_))
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

/// Building trees.
impl Json {
    fn built(value: Value) -> Self {
        Self { value, start: 0, end: 0 }
    }

    /// This value, said to have stood there in the text it was read from.
    #[must_use]
    pub(crate) fn placed(mut self, span: Range<usize>) -> Self {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        (self.start, self.end) = (offset(span.start), offset(span.end));
        self
    }

    /// An object of these members, whose names differ.
    pub(crate) fn of_members(members: Vec<Member>) -> Self {
        Self::built(Value::Object(members))
    }

    /// `null`.
    pub fn null() -> Self {
        Self::built(Value::Null)
    }

    /// An object of these members, in this order. A name given twice keeps its
    /// first place and its last value.
    pub fn object<N: Into<SmolStr>>(members: impl IntoIterator<Item = (N, Json)>) -> Self {
        let mut object = Self::built(Value::Object(Vec::new()));
        for (name, value) in members {
            object.set(name, value);
        }
        object
    }

    /// An array of these items.
    pub fn array(items: impl IntoIterator<Item = Json>) -> Self {
        Self::built(Value::Array(items.into_iter().collect()))
    }

    /// A number that keeps `text` as it is; `None` if that is no JSON number.
    pub fn number(text: &str) -> Option<Self> {
        parse::is_number(text).then(|| Self::built(Value::Number(text.into())))
    }

    /// Sets a member, in its old place or at the end. Does nothing to a value
    /// that is no object.
    pub fn set(&mut self, name: impl Into<SmolStr>, value: Json) {
        let name = name.into();
        if let Value::Object(members) = &mut self.value {
            match members.iter_mut().find(|member| member.name == name) {
                Some(member) => member.value = value,
                None => members.push(Member { name, value, name_at: 0 }),
            }
        }
    }

    /// [`Json::set`], for chains.
    #[must_use]
    pub fn with(mut self, name: impl Into<SmolStr>, value: impl Into<Json>) -> Self {
        self.set(name, value.into());
        self
    }

    /// [`Json::with`] where there is a value; unchanged where there is none.
    #[must_use]
    pub fn with_some(self, name: impl Into<SmolStr>, value: Option<impl Into<Json>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Takes a member out of an object.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        match &mut self.value {
            Value::Object(members) => {
                let at = members.iter().position(|member| &*member.name == name)?;
                Some(members.remove(at).value)
            }
            _ => None,
        }
    }

    /// Adds an item to an array. Does nothing to a value that is no array.
    pub fn push(&mut self, item: impl Into<Json>) {
        if let Value::Array(items) = &mut self.value {
            items.push(item.into());
        }
    }

    /// The member called `name`, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        match &mut self.value {
            Value::Object(members) => {
                members.iter_mut().find(|member| &*member.name == name).map(|member| &mut member.value)
            }
            _ => None,
        }
    }

    /// The value itself, to be changed. The names of an object must stay unique.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// The items of this array, to be changed; none if it is no array.
    pub fn items_mut(&mut self) -> &mut [Json] {
        match &mut self.value {
            Value::Array(items) => items,
            _ => &mut [],
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::built(Value::String(text.into()))
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::built(Value::String(text.into()))
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Self {
        Self::built(Value::Bool(truth))
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Self::built(Value::Array(items))
    }
}

macro_rules! from_integer {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Json {
            fn from(number: $kind) -> Self {
                Self::built(Value::Number(number.to_string().into()))
            }
        }
    )*};
}
from_integer!(i32, u32, i64, u64, usize);

/// Builds a [`Json`]: `json!({"resourceType": "Patient", "active": true, "id": (id)})`.
///
/// A value is a literal, `[…]`, `{…}`, a variable, or any expression in
/// parentheses that turns `Into<Json>`.
#[macro_export]
macro_rules! json {
    (null) => { $crate::json::Json::null() };
    ([$($item:tt),* $(,)?]) => { $crate::json::Json::array([$($crate::json!($item)),*]) };
    ({$($name:literal : $value:tt),* $(,)?}) => {
        $crate::json::Json::object::<&str>([$(($name, $crate::json!($value))),*])
    };
    ($value:expr) => { $crate::json::Json::from($value) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_what_is_written() {
        for text in
            [r#"{"b":1.10,"a":[1E5,-0.0,12345678901234567890],"b2":"\u0001é\"\\"}"#, r#"[null,true,false,{},[],""]"#]
        {
            let tree = Json::parse(text.as_bytes()).expect(text);
            assert_eq!(tree.to_string(), text);
        }
    }

    #[test]
    fn spans_are_the_bytes_of_each_value() {
        let text = br#" {"a": [1, "x"] } "#;
        let tree = Json::parse(text).expect("JSON");
        assert_eq!(&text[tree.span()], br#"{"a": [1, "x"] }"#);
        assert_eq!(&text[tree.list("a")[1].span()], br#""x""#);
        assert_eq!(tree.member("a").map(|member| member.name_at), Some(2));
    }

    #[test]
    fn the_macro_builds_what_it_shows() {
        let id = "x".to_owned();
        let built = json!({"resourceType": "Patient", "id": (id.as_str()), "name": [{"family": "山田"}], "n": 3});
        assert_eq!(built.to_string(), r#"{"resourceType":"Patient","id":"x","name":[{"family":"山田"}],"n":3}"#);
    }
}
