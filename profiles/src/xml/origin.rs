//! From a place in the JSON made of an XML text back to the place in the XML.

use super::read;
use crate::definitions::Definitions;
use crate::json::{Json, Value};

/// An XML text and the JSON made of it, both read: for as many places as are asked for.
#[derive(Debug)]
pub struct Origin {
    made: Json,
    original: Json,
}

impl Origin {
    /// * `json`: the text of what [`read`] gave of `xml`.
    /// * returns `None` if one of them cannot be read.
    pub fn of(definitions: &Definitions, xml: &[u8], json: &[u8]) -> Option<Self> {
        Some(Self { made: Json::parse(json).ok()?, original: read(definitions, xml).ok()? })
    }

    /// Where in the XML the value came from that stands at `offset` of the JSON.
    ///
    /// * returns a byte offset; `None` if the two do not belong together.
    pub fn at(&self, offset: usize) -> Option<usize> {
        let (mut at, mut original) = (&self.made, &self.original);
        loop {
            let (from, to) = match (at.value(), original.value()) {
                (Value::Object(members), Value::Object(others)) => {
                    let starts = |member: &&crate::json::Member| (member.name_at as usize) <= offset;
                    let member = members.iter().rev().find(starts).filter(|member| offset < member.value.span().end);
                    let Some(member) = member else { break };
                    (&member.value, others.iter().find(|other| other.name == member.name).map(|other| &other.value))
                }
                (Value::Array(items), Value::Array(others)) => {
                    let Some(index) = items.iter().position(|item| item.span().contains(&offset)) else { break };
                    (&items[index], others.get(index))
                }
                _ => break,
            };
            (at, original) = (from, to?);
        }
        Some(original.span().start)
    }
}
