//! The evaluator: a walk over the expression's tree, paying fuel for each step.
//!
//! A step is one expression, one item looked at, or a stretch of text built, so
//! fuel bounds time and memory both, whatever the expression and the resource.
//!
//! Source: `FHIRPath` 2.0

use super::context::Context;
use super::equal::{self, Set};
use super::error::{PathError, Reason};
use super::function::Invocation;
use super::item::{Item, Items, Node};
use super::model::Model;
use super::operator;
use super::syntax::{Expr, Kind, Operator, Step, TypeSpecifier, borrowed};
use super::types::Match;
use super::value::Value;
use super::walk;

/// One evaluation.
pub(super) struct Engine<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    pub(super) model: &'a dyn Model,
    /// What the expression is evaluated on: `%context`.
    pub(super) root: Node<'a>,
    fuel: u64,
    /// Where in the expression it is, for the fault of running out of fuel.
    at: usize,
}

/// What names and `$this` mean at a place of the expression.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s, 'a> {
    pub(super) this: &'s [Item<'a>],
    pub(super) index: Option<usize>,
    pub(super) total: Option<&'s [Item<'a>]>,
}

/// Looking at so many members of an object is one step.
pub(super) const MEMBERS_A_STEP: usize = 64;

/// Functions that need an order, and functions whose results have none.
const ORDERED: &[&str] = &["first", "last", "tail", "skip", "take"];
const UNORDERED: &[&str] = &["children", "descendants"];

type Result<T, E = PathError> = std::result::Result<T, E>;

impl<'c, 'a> Engine<'c, 'a> {
    pub(super) fn new(context: &'c Context<'a>, root: Node<'a>) -> Self {
        Self { context, model: context.model, root, fuel: context.fuel, at: 0 }
    }

    /// Evaluates the whole expression on the root.
    pub(super) fn run(&mut self, expr: &'a Expr) -> Result<Items<'a>> {
        let this = [Item::Node(self.root)];
        self.eval(expr, Scope { this: &this, index: None, total: None })
    }

    /// Pays for `steps`.
    pub(super) fn spend(&mut self, steps: usize) -> Result<()> {
        match self.fuel.checked_sub(steps as u64) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(PathError::new(Reason::Fuel, self.at, "the expression takes too many steps")),
        }
    }

    /// Pays for a text that is built or searched through.
    pub(super) fn spend_text(&mut self, bytes: usize) -> Result<()> {
        self.spend(1 + bytes / 64)
    }

    pub(super) fn eval(&mut self, expr: &'a Expr, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        self.at = expr.at;
        self.spend(1)?;
        match &expr.kind {
            Kind::Empty => Ok(Items::Empty),
            Kind::Literal(value) => Ok(Items::value(borrowed(value))),
            Kind::This => Ok(scope.this.into()),
            Kind::Index => match scope.index {
                Some(index) => Ok(Items::integer(index)),
                None => Err(semantic(expr.at, "$index means nothing here")),
            },
            Kind::Total => match scope.total {
                Some(total) => Ok(total.into()),
                None => Err(semantic(expr.at, "$total means nothing here")),
            },
            Kind::Variable(name) => self.variable(name, expr.at),
            Kind::Path { start, steps } => self.path(start.as_deref(), steps, scope),
            Kind::Union(branches) => self.union(branches, scope),
            Kind::Is(operand, name) => {
                let items = self.eval(operand, scope)?;
                self.is(items, name, expr.at)
            }
            Kind::As(operand, name) => {
                let items = self.eval(operand, scope)?;
                self.cast(items, name, expr.at)
            }
            Kind::Negate(operand) => {
                let items = self.eval(operand, scope)?;
                operator::negate(items, expr.at)
            }
            Kind::Plus(operand) => {
                let items = self.eval(operand, scope)?;
                operator::plus(items, expr.at)
            }
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, scope, expr.at),
        }
    }

    fn path(&mut self, start: Option<&'a Expr>, steps: &'a [Step], scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let (mut items, rest) = match (start, steps) {
            (Some(start), _) => (self.eval(start, scope)?, steps),
            (None, [Step::Member(name, at), rest @ ..]) => (self.first_member(scope.this, name, *at)?, rest),
            (None, _) => (scope.this.into(), steps),
        };
        if self.context.strict {
            self.check_steps(start, steps)?;
        }
        for step in rest {
            items = match step {
                Step::Member(name, at) => self.member(&items, name, *at)?,
                Step::Index(index) => self.index(items, index, scope)?,
                Step::Call(call) => {
                    self.spend(1)?;
                    (call.function.run)(self, Invocation { call, input: items, scope })?
                }
            };
        }
        Ok(items)
    }

    /// What can be told of a path before any item is looked at: an element of the
    /// type that `as` names, and that order is asked of what has one.
    fn check_steps(&self, start: Option<&'a Expr>, steps: &'a [Step]) -> Result<()> {
        if let (Some(Kind::As(_, name)), Some(Step::Member(member, at))) =
            (start.map(|start| &start.kind), steps.first())
            && self.model.is_type(&name.name)
            && self.model.spellings(&name.name, member).is_empty()
        {
            return Err(semantic(*at, format!("{} has no element {member}", name.name)));
        }
        for pair in steps.windows(2) {
            let [Step::Call(from), to] = pair else { continue };
            let (ordered, at) = match to {
                Step::Call(call) => (ORDERED.contains(&call.function.name), call.at),
                Step::Index(index) => (true, index.at),
                Step::Member(..) => continue,
            };
            if ordered && UNORDERED.contains(&from.function.name) {
                return Err(semantic(at, format!("what {}() yields has no order", from.function.name)));
            }
        }
        Ok(())
    }

    /// The first name of a path may be the type of what the path starts from:
    /// `Patient.name` on a Patient. On anything else it yields nothing.
    fn first_member(&mut self, from: &[Item<'a>], name: &'a str, at: usize) -> Result<Items<'a>> {
        if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return self.member(from, name, at);
        }
        self.spend(from.len())?;
        let is_of = |item: &&Item<'a>| {
            let actual = item.type_name();
            matches!(item, Item::Node(_)) && (actual == name || self.model.is_a(actual, name))
        };
        let kept: Items<'a> = from.iter().filter(is_of).cloned().collect();
        if kept.is_empty() && self.context.strict && !from.is_empty() {
            return Err(semantic(at, format!("the path starts from no {name}")));
        }
        Ok(kept)
    }

    fn member(&mut self, from: &[Item<'a>], name: &'a str, at: usize) -> Result<Items<'a>> {
        let mut found = Items::Empty;
        for item in from {
            match item {
                // A primitive's own value may be asked for by name.
                Item::Node(node) if name == "value" && node.json().is_some_and(|json| !json.is_object()) => {
                    found.append(node.value().map_or(Items::Empty, Items::value));
                }
                Item::Node(node) => {
                    let before = found.len();
                    let looked_at = walk::named(self.model, node, name, &mut found);
                    self.spend(1 + found.len() - before + looked_at / MEMBERS_A_STEP)?;
                    if self.context.strict && found.len() == before {
                        self.check_element(node, name, at)?;
                    }
                }
                Item::Value(Value::Type(type_name)) if name == "name" => {
                    found.push(Item::Value(Value::String(type_name.name.clone())));
                }
                Item::Value(Value::Type(type_name)) if name == "namespace" => {
                    found.push(Item::Value(Value::String(type_name.namespace.into())));
                }
                Item::Value(Value::Quantity(quantity)) if name == "value" => {
                    found.push(Item::Value(Value::Decimal(quantity.value)));
                }
                Item::Value(Value::Quantity(quantity)) if name == "unit" => {
                    found.push(Item::Value(Value::String(quantity.unit.clone())));
                }
                Item::Value(_) | Item::Target(_) => {}
            }
        }
        Ok(found)
    }

    fn check_element(&self, node: &Node<'a>, name: &str, at: usize) -> Result<()> {
        let type_name = node.type_name();
        if self.model.spellings(type_name, name).is_empty() {
            return Err(semantic(at, format!("{type_name} has no element {name}")));
        }
        Ok(())
    }

    fn index(&mut self, items: Items<'a>, index: &'a Expr, scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let Some(place) = self.integer(index, scope)? else { return Ok(Items::Empty) };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        Ok(items.into_iter().nth(place).into())
    }

    fn union(&mut self, branches: &'a [Expr], scope: Scope<'_, 'a>) -> Result<Items<'a>> {
        let mut all = Set::default();
        for branch in branches {
            for item in self.eval(branch, scope)? {
                all.insert(self, item)?;
            }
        }
        Ok(all.into_items())
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &'a Expr,
        right: &'a Expr,
        scope: Scope<'_, 'a>,
        at: usize,
    ) -> Result<Items<'a>> {
        let a = self.eval(left, scope)?;
        if let Operator::And | Operator::Or | Operator::Xor | Operator::Implies = operator {
            let a = truth(&a, left.at)?;
            // The answer may be plain from the first operand alone.
            return match (operator, a) {
                (Operator::And, Some(false)) => Ok(Items::boolean(false)),
                (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => Ok(Items::boolean(true)),
                _ => {
                    let b = self.eval(right, scope)?;
                    Ok(Items::maybe(operator::logic(operator, a, truth(&b, right.at)?)))
                }
            };
        }
        let b = self.eval(right, scope)?;
        match operator {
            Operator::Equal => Ok(Items::maybe(equal::equal(self, &a, &b)?)),
            Operator::NotEqual => Ok(Items::maybe(equal::equal(self, &a, &b)?.map(|same| !same))),
            Operator::Equivalent => Ok(Items::boolean(equal::equivalent(self, &a, &b)?)),
            Operator::NotEquivalent => Ok(Items::boolean(!equal::equivalent(self, &a, &b)?)),
            Operator::In => self.is_in(a, &b, at),
            Operator::Contains => self.is_in(b, &a, at),
            _ => operator::scalar(self, operator, a, b, at),
        }
    }

    fn is_in(&mut self, item: Items<'a>, all: &[Item<'a>], at: usize) -> Result<Items<'a>> {
        match single(item, at)? {
            Some(item) => Ok(Items::boolean(equal::contains(self, all, &item)?)),
            None => Ok(Items::Empty),
        }
    }

    /// `is`, on one item.
    pub(super) fn is(&mut self, items: Items<'a>, name: &TypeSpecifier, at: usize) -> Result<Items<'a>> {
        name.check(self, at)?;
        Ok(single(items, at)?.map_or(Items::Empty, |item| Items::boolean(name.matches(self.model, &item, Match::Is))))
    }

    /// `as`, on one item or, if lenient, on many.
    pub(super) fn cast(&mut self, items: Items<'a>, name: &TypeSpecifier, at: usize) -> Result<Items<'a>> {
        if items.len() > 1 && !self.context.lenient_as {
            return Err(several(items.len(), at));
        }
        self.of_type(items, name, at)
    }

    /// `ofType`
    pub(super) fn of_type(&mut self, items: Items<'a>, name: &TypeSpecifier, at: usize) -> Result<Items<'a>> {
        name.check(self, at)?;
        self.spend(items.len())?;
        Ok(items.into_iter().filter(|item| name.matches(self.model, item, Match::Only)).collect())
    }

    /// An argument that must be one integer, or nothing.
    pub(super) fn integer(&mut self, expr: &'a Expr, scope: Scope<'_, 'a>) -> Result<Option<i32>> {
        let items = self.eval(expr, scope)?;
        match single(items, expr.at)?.map(|item| item.value()) {
            None => Ok(None),
            Some(Some(Value::Integer(number))) => Ok(Some(number)),
            Some(_) => Err(wrong_type(expr.at, "an integer")),
        }
    }

    /// Evaluates `expr` with one item as the focus and tells its truth.
    pub(super) fn test(
        &mut self,
        expr: &'a Expr,
        item: &Item<'a>,
        index: usize,
        scope: Scope<'_, 'a>,
    ) -> Result<Option<bool>> {
        let this = std::slice::from_ref(item);
        let found = self.eval(expr, Scope { this, index: Some(index), total: scope.total })?;
        truth(&found, expr.at)
    }
}

/// The truth of a collection: of one Boolean its own, of any other single item
/// true, of none unknown.
///
/// Source: `FHIRPath` 2.0, singleton evaluation of collections
pub(super) fn truth(items: &[Item<'_>], at: usize) -> Result<Option<bool>> {
    match items {
        [] => Ok(None),
        [Item::Value(Value::Boolean(truth))] => Ok(Some(*truth)),
        [item] => Ok(Some(match item.value() {
            Some(Value::Boolean(truth)) => truth,
            _ => true,
        })),
        many => Err(several(many.len(), at)),
    }
}

/// The only item of a collection.
pub(super) fn single(items: Items<'_>, at: usize) -> Result<Option<Item<'_>>> {
    items.single().map_err(|count| several(count, at))
}

pub(super) fn several(count: usize, at: usize) -> PathError {
    PathError::new(Reason::Type, at, format!("one item was expected, there are {count}"))
}

pub(super) fn wrong_type(at: usize, wanted: &str) -> PathError {
    PathError::new(Reason::Type, at, format!("{wanted} was expected"))
}

pub(super) fn semantic(at: usize, text: impl Into<String>) -> PathError {
    PathError::new(Reason::Semantic, at, text)
}

/// What the surroundings call by `%`.
impl<'a> Engine<'_, 'a> {
    fn variable(&mut self, name: &'a str, at: usize) -> Result<Items<'a>> {
        if let Some((_, items)) = self.context.variables.iter().find(|(known, _)| *known == name) {
            self.spend(items.len())?;
            return Ok(items.as_slice().into());
        }
        let resource = self.context.resource.unwrap_or(self.root);
        Ok(match name {
            "context" => Items::One(self.root.into()),
            "resource" => Items::One(resource.into()),
            "rootResource" => Items::One(self.context.root_resource.unwrap_or(resource).into()),
            "ucum" => Items::string("http://unitsofmeasure.org"),
            "sct" => Items::string("http://snomed.info/sct"),
            "loinc" => Items::string("http://loinc.org"),
            _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
                (Some(set), _) => Items::string(format!("http://hl7.org/fhir/ValueSet/{set}")),
                (_, Some(extension)) => Items::string(format!("http://hl7.org/fhir/StructureDefinition/{extension}")),
                _ => return Err(semantic(at, format!("there is no variable %{name}"))),
            },
        })
    }
}
