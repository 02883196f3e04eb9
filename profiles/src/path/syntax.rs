//! The expression as a tree.
//!
//! A chain such as `name.where(…).given` is one [`Kind::Path`] of steps and a
//! long union one [`Kind::Union`], so the depth of the tree is that of the
//! brackets and operators, not of the text.

use super::function::{Function, Pattern};
use super::value::Value;

/// One expression and the byte it starts at.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    pub(super) at: usize,
    /// Expressions from here to the deepest below, itself included.
    pub(super) height: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// `{}`
    Empty,
    Literal(Value<'static>),
    /// `$this`
    This,
    /// `$index`
    Index,
    /// `$total`
    Total,
    /// `%name`
    Variable(Box<str>),
    /// Steps from `start`, or from the focus.
    Path {
        start: Option<Box<Expr>>,
        steps: Vec<Step>,
    },
    /// `a | b | c`
    Union(Vec<Expr>),
    /// `a is T`
    Is(Box<Expr>, TypeSpecifier),
    /// `a as T`
    As(Box<Expr>, TypeSpecifier),
    /// `-a`
    Negate(Box<Expr>),
    /// `+a`
    Plus(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// One step of a path.
#[derive(Debug)]
pub(super) enum Step {
    /// `.name`
    Member(Box<str>, usize),
    /// `.name(…)`
    Call(Call),
    /// `[…]`
    Index(Expr),
}

/// A function and what it is given.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: &'static Function,
    pub(super) arguments: Vec<Expr>,
    /// The argument of `is`, `as` and `ofType`.
    pub(super) type_name: Option<TypeSpecifier>,
    /// The first argument, compiled, if it is a regular expression known beforehand.
    pub(super) pattern: Option<Pattern>,
    pub(super) at: usize,
}

/// `Quantity`, `FHIR.Quantity`, `System.String`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeSpecifier {
    pub(super) namespace: Option<Box<str>>,
    pub(super) name: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Concatenate,
    Multiply,
    Divide,
    IntegerDivide,
    Modulo,
}

impl Operator {
    /// Every binary operator: its sign, how strongly it binds, itself.
    pub(super) const ALL: &[(&str, u8, Self)] = &[
        ("implies", 1, Self::Implies),
        ("or", 2, Self::Or),
        ("xor", 2, Self::Xor),
        ("and", 3, Self::And),
        ("in", 4, Self::In),
        ("contains", 4, Self::Contains),
        ("=", 5, Self::Equal),
        ("~", 5, Self::Equivalent),
        ("!=", 5, Self::NotEqual),
        ("!~", 5, Self::NotEquivalent),
        ("<", 6, Self::Less),
        ("<=", 6, Self::LessOrEqual),
        (">", 6, Self::Greater),
        (">=", 6, Self::GreaterOrEqual),
        ("+", 9, Self::Add),
        ("-", 9, Self::Subtract),
        ("&", 9, Self::Concatenate),
        ("*", 10, Self::Multiply),
        ("/", 10, Self::Divide),
        ("div", 10, Self::IntegerDivide),
        ("mod", 10, Self::Modulo),
    ];

    pub(super) fn sign(self) -> &'static str {
        Self::ALL.iter().find(|row| row.2 == self).map_or("", |row| row.0)
    }
}

/// How strongly `|` binds.
pub(super) const UNION_BINDS: u8 = 7;
/// How strongly `is` and `as` bind.
pub(super) const TYPE_BINDS: u8 = 8;

/// A literal as its evaluation yields it, borrowing its text.
pub(super) fn borrowed<'a>(literal: &'a Value<'static>) -> Value<'a> {
    match literal {
        Value::String(text) => Value::String(text.as_ref().into()),
        Value::Quantity(quantity) => Value::Quantity(super::value::Quantity {
            value: quantity.value,
            unit: quantity.unit.as_ref().into(),
            calendar: quantity.calendar,
        }),
        other => other.clone(),
    }
}
