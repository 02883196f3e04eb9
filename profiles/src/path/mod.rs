//! `FHIRPath`: expressions over a resource's JSON tree, typed by the FHIR
//! definitions.
//!
//! ```text
//! text → lex → parse → Expression → eval(resource, Context) → items
//! ```
//!
//! An [`Expression`] is read once and evaluated often. Evaluation borrows the
//! resource, never copies a node, and pays fuel for each step, so an expression
//! from outside cannot run away. What it may use beyond the resource (the type
//! model, the clock, terminology, references) is in [`Context`].
//!
//! To add a function see [`function`]; to add an operator, give it a row in
//! `syntax::Operator::ALL` and a case in `eval`.
//!
//! Source: `FHIRPath` 2.0 (N1); FHIR R4 fhirpath.html

mod cache;
mod check;
mod context;
mod equal;
mod error;
mod eval;
mod function;
mod hooks;
mod item;
mod lex;
pub mod model;
mod operator;
mod parse;
mod schedule;
mod syntax;
mod temporal;
mod types;
mod units;
mod value;
mod walk;

#[cfg(test)]
mod tests;

pub use context::{ConformsTo, Context, DEFAULT_FUEL, MemberOf, Resolve, Trace};
pub use error::{PathError, Reason};
pub use hooks::Knowledge;
pub use item::{Item, Node, Target};
pub use model::{Model, Property};
pub use parse::{MAX_DEPTH, MAX_LENGTH};
pub use temporal::{Date, DateTime, Time};
pub use units::{Canonical, Units};
pub use value::{Quantity, TypeName, Value};
pub use walk::{Locations, locate};

use crate::json::Json;

/// An expression, read and checked.
#[derive(Debug)]
pub struct Expression {
    tree: syntax::Expr,
    text: Box<str>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`PathError`] with the byte where it stops making sense; a function that
    /// does not exist is one.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Ok(Self { tree: parse::parse(text)?, text: text.into() })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the expression yields on a resource.
    ///
    /// # Errors
    /// [`PathError`] if a type does not fit, something needed is missing, or the
    /// fuel runs out.
    pub fn evaluate<'a>(&'a self, resource: &'a Json, context: &Context<'a>) -> Result<Vec<Item<'a>>, PathError> {
        self.evaluate_at(Node::resource(resource), context)
    }

    /// What the expression yields on an element, as invariants need it. The
    /// [`Context`] says in which resource the element is.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn evaluate_at<'a>(&'a self, node: Node<'a>, context: &Context<'a>) -> Result<Vec<Item<'a>>, PathError> {
        eval::Engine::new(context, node).run(&self.tree).map(item::Items::into_vec)
    }

    /// The truth of the expression on an element: its one Boolean, or true of any
    /// other one item; `None` if it yields nothing.
    ///
    /// An invariant is broken by `Some(false)` alone. R4's own `ref-1` and `cmd-0`
    /// yield nothing where what they are about is absent, a reference by
    /// identifier for one, and do not mean to forbid that.
    ///
    /// # Errors
    /// As [`Expression::evaluate`], and if it yields several items.
    pub fn truth<'a>(&'a self, node: Node<'a>, context: &Context<'a>) -> Result<Option<bool>, PathError> {
        let items = eval::Engine::new(context, node).run(&self.tree)?;
        eval::truth(&items, 0)
    }
}
