//! The language as a whole, against R4's own definitions.

mod invariants;
mod language;
mod parameters;
mod speed;
mod suite;

use super::{Context, Expression, Item, PathError};
use crate::Definitions;
use crate::json::Json;

/// What an expression yields, as text: elements and values as they are written,
/// complex elements as JSON.
pub(super) fn texts(expression: &str, resource: &Json) -> Result<Vec<String>, PathError> {
    texts_in(expression, resource, &context())
}

pub(super) fn texts_in(expression: &str, resource: &Json, context: &Context<'_>) -> Result<Vec<String>, PathError> {
    let expression = Expression::parse(expression)?;
    // The borrows of one evaluation must be of one lifetime.
    let context: Context<'_> = context.clone();
    Ok(expression.evaluate(resource, &context)?.iter().map(text).collect())
}

pub(super) fn context() -> Context<'static> {
    Context::new(Definitions::embedded())
}

pub(super) fn text(item: &Item<'_>) -> String {
    match item {
        Item::Node(node) => match (node.json(), node.json().and_then(Json::as_str)) {
            (_, Some(text)) => text.to_owned(),
            (Some(json), None) => json.to_string(),
            (None, None) => String::new(),
        },
        Item::Value(value) => value.to_string(),
        Item::Target(target) => target.type_name.to_owned(),
    }
}
