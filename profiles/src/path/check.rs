//! What an expression may yield, told from the types alone, before there is a
//! resource: for search parameters that come from outside.
//!
//! Sound in one way only. A fault told here is one: a name that no type in
//! question has, a type that cannot come there. What cannot be told, as behind
//! `resolve()`, is let pass.

use std::collections::BTreeSet;

use super::Expression;
use super::error::PathError;
use super::eval::semantic;
use super::model::Model;
use super::syntax::{Call, Expr, Kind, Operator, Step, TypeSpecifier};

/// The types that may come; `None` if they cannot be told.
type Types = Option<BTreeSet<String>>;

impl Expression {
    /// The names of the types that the expression may yield on an element of type
    /// `start`; `None` if they cannot be told.
    ///
    /// # Errors
    /// [`PathError`] at the first name that means nothing there.
    pub fn types(&self, model: &dyn Model, start: &str) -> Result<Option<BTreeSet<String>>, PathError> {
        Checker { model, start }.of(&self.tree, &one(start))
    }
}

impl Expression {
    /// The first call of one of these functions: its byte and its name.
    pub fn calls(&self, names: &[&str]) -> Option<(usize, &'static str)> {
        first(&self.tree, &|step| match step {
            Step::Call(call) if names.contains(&call.function.name) => Some((call.at, call.function.name)),
            _ => None,
        })
    }

    /// The byte of the first element of such a name that it goes to, and the name.
    pub fn goes_to<'n>(&self, names: &[&'n str]) -> Option<(usize, &'n str)> {
        first(&self.tree, &|step| match step {
            Step::Member(name, at) => Some((*at, names.iter().copied().find(|known| *known == &**name)?)),
            Step::Call(_) | Step::Index(_) => None,
        })
    }

    /// The byte of the first `resolve()` that is asked for more than the type of what it
    /// finds, which the reference itself tells: `resolve() is Patient`, `.is(Patient)`, and
    /// `.ofType(Patient)` with nothing of it read.
    pub fn fetches(&self) -> Option<usize> {
        fetches(&self.tree)
    }
}

fn fetches(expr: &Expr) -> Option<usize> {
    let any = |all: &[Expr]| all.iter().find_map(fetches);
    match &expr.kind {
        Kind::Empty | Kind::Literal(_) | Kind::This | Kind::Index | Kind::Total | Kind::Variable(_) => None,
        Kind::Path { start, steps } => start.as_deref().and_then(fetches).or_else(|| fetching(steps, false)),
        Kind::Union(branches) => any(branches),
        // `a.resolve() is T`
        Kind::Is(operand, _) => match &operand.kind {
            Kind::Path { start, steps } => start.as_deref().and_then(fetches).or_else(|| fetching(steps, true)),
            _ => fetches(operand),
        },
        Kind::As(operand, _) | Kind::Negate(operand) | Kind::Plus(operand) => fetches(operand),
        Kind::Binary(_, left, right) => fetches(left).or_else(|| fetches(right)),
    }
}

/// * `typed`: `is` follows the last step.
fn fetching(steps: &[Step], typed: bool) -> Option<usize> {
    let name = |at: usize| match steps.get(at) {
        Some(Step::Call(call)) => Some(call.function.name),
        _ => None,
    };
    steps.iter().enumerate().find_map(|(at, step)| match step {
        Step::Member(..) => None,
        Step::Index(index) => fetches(index),
        Step::Call(call) if call.function.name == "resolve" => {
            let by_type = match name(at + 1) {
                Some("is") => true,
                Some("ofType") => at + 2 == steps.len() || matches!(name(at + 2), Some("exists" | "empty")),
                _ => typed && at + 1 == steps.len(),
            };
            (!by_type).then_some(call.at)
        }
        Step::Call(call) => call.arguments.iter().find_map(fetches),
    })
}

/// The first step of an expression of which `told` tells something.
fn first<T>(expr: &Expr, told: &dyn Fn(&Step) -> Option<T>) -> Option<T> {
    let any = |all: &[Expr]| all.iter().find_map(|one| first(one, told));
    match &expr.kind {
        Kind::Empty | Kind::Literal(_) | Kind::This | Kind::Index | Kind::Total | Kind::Variable(_) => None,
        Kind::Path { start, steps } => {
            let inside = |step: &Step| match step {
                Step::Member(..) => None,
                Step::Index(index) => first(index, told),
                Step::Call(call) => any(&call.arguments),
            };
            let step = |step: &Step| told(step).or_else(|| inside(step));
            start.as_deref().and_then(|start| first(start, told)).or_else(|| steps.iter().find_map(step))
        }
        Kind::Union(branches) => any(branches),
        Kind::Is(operand, _) | Kind::As(operand, _) | Kind::Negate(operand) | Kind::Plus(operand) => {
            first(operand, told)
        }
        Kind::Binary(_, left, right) => first(left, told).or_else(|| first(right, told)),
    }
}

struct Checker<'m> {
    model: &'m dyn Model,
    start: &'m str,
}

impl Checker<'_> {
    fn of(&self, expr: &Expr, focus: &Types) -> Result<Types, PathError> {
        match &expr.kind {
            Kind::Empty => Ok(Some(BTreeSet::new())),
            Kind::Literal(value) => Ok(one(value.type_name())),
            Kind::This => Ok(focus.clone()),
            Kind::Index => Ok(one("Integer")),
            Kind::Total => Ok(None),
            Kind::Variable(name) => Ok(match &**name {
                "resource" | "context" | "rootResource" => one(self.start),
                "ucum" | "sct" | "loinc" => one("String"),
                name if name.starts_with("vs-") || name.starts_with("ext-") => one("String"),
                name => return Err(semantic(expr.at, format!("there is no variable %{name}"))),
            }),
            Kind::Path { start, steps } => self.path(start.as_deref(), steps, focus),
            Kind::Union(branches) => {
                let all = branches.iter().map(|branch| self.of(branch, focus)).collect::<Result<Vec<_>, _>>()?;
                Ok(all.into_iter().try_fold(BTreeSet::new(), |sum, one| Some(&sum | &one?)))
            }
            Kind::Is(operand, name) => {
                self.of(operand, focus)?;
                self.named(name, expr.at)?;
                Ok(one("Boolean"))
            }
            Kind::As(operand, name) => {
                let from = self.of(operand, focus)?;
                self.narrowed(&from, name, expr.at)
            }
            Kind::Negate(operand) | Kind::Plus(operand) => self.of(operand, focus),
            Kind::Binary(operator, left, right) => {
                self.of(left, focus)?;
                self.of(right, focus)?;
                Ok(match operator {
                    Operator::Add
                    | Operator::Subtract
                    | Operator::Multiply
                    | Operator::Divide
                    | Operator::IntegerDivide
                    | Operator::Modulo => None,
                    Operator::Concatenate => one("String"),
                    _ => one("Boolean"),
                })
            }
        }
    }

    fn path(&self, start: Option<&Expr>, steps: &[Step], focus: &Types) -> Result<Types, PathError> {
        let (mut here, rest) = match (start, steps) {
            (Some(start), _) => (self.of(start, focus)?, steps),
            (None, [Step::Member(name, at), rest @ ..]) if is_capital(name) => (self.root(focus, name, *at)?, rest),
            (None, _) => (focus.clone(), steps),
        };
        for step in rest {
            here = match step {
                Step::Member(name, at) => self.member(&here, name, *at)?,
                Step::Index(index) => {
                    self.of(index, focus)?;
                    here
                }
                Step::Call(call) => self.call(here, call, focus)?,
            };
        }
        Ok(here)
    }

    /// `Patient.…`: the type that the path is about.
    fn root(&self, focus: &Types, name: &str, at: usize) -> Result<Types, PathError> {
        if !self.model.is_type(name) {
            return Err(semantic(at, format!("there is no type {name}")));
        }
        let Some(types) = focus else { return Ok(one(name)) };
        if types.iter().all(|known| !self.model.is_a(known, name)) {
            return Err(semantic(at, format!("the path starts from no {name}")));
        }
        Ok(focus.clone())
    }

    fn member(&self, from: &Types, name: &str, at: usize) -> Result<Types, PathError> {
        let Some(types) = from else { return Ok(None) };
        let mut found = BTreeSet::new();
        let mut open = false;
        for parent in types {
            let inherited = matches!(parent.as_str(), "Resource" | "DomainResource");
            // A primitive's own value, and what a System type has, is not in the model.
            open |= inherited || !self.model.is_type(parent.split('.').next().unwrap_or(parent));
            open |= name == "value" && !is_capital(parent);
            for spelling in self.model.spellings(parent, name) {
                found.extend(self.model.property(parent, spelling).map(|property| property.type_name.to_owned()));
            }
        }
        if found.is_empty() && !open && !types.is_empty() {
            let names: Vec<&str> = types.iter().map(String::as_str).collect();
            return Err(semantic(at, format!("{} has no element {name}", names.join(", "))));
        }
        let any_resource = found.iter().any(|name| matches!(name.as_str(), "Resource" | "DomainResource"));
        Ok((!open && !any_resource).then_some(found))
    }

    fn call(&self, here: Types, call: &Call, focus: &Types) -> Result<Types, PathError> {
        let name = call.function.name;
        // What looks at each item sees that item; the others see what is around.
        let inner = if EACH.contains(&name) { here.clone() } else { focus.clone() };
        let arguments =
            call.arguments.iter().map(|argument| self.of(argument, &inner)).collect::<Result<Vec<_>, _>>()?;
        if let Some(wanted) = &call.type_name {
            return match name {
                "is" => self.named(wanted, call.at).map(|()| one("Boolean")),
                _ => self.narrowed(&here, wanted, call.at),
            };
        }
        Ok(match name {
            "extension" => one("Extension"),
            "select" => arguments.into_iter().next().flatten(),
            "union" | "combine" => match (here, arguments.into_iter().next().flatten()) {
                (Some(here), Some(other)) => Some(&here | &other),
                _ => None,
            },
            name if SAME.contains(&name) => here,
            name if BOOLEANS.contains(&name) => one("Boolean"),
            name if STRINGS.contains(&name) => one("String"),
            "count" | "length" | "indexOf" | "lastIndexOf" | "toInteger" => one("Integer"),
            _ => None,
        })
    }

    fn named(&self, name: &TypeSpecifier, at: usize) -> Result<(), PathError> {
        let base = name.name.split('.').next().unwrap_or(&name.name);
        let system = name.namespace.as_deref() != Some("FHIR") && SYSTEM.contains(&base);
        if system || self.model.is_type(base) {
            return Ok(());
        }
        Err(semantic(at, format!("there is no type {}", name.name)))
    }

    /// What is left where only one type passes.
    fn narrowed(&self, from: &Types, name: &TypeSpecifier, at: usize) -> Result<Types, PathError> {
        self.named(name, at)?;
        let wanted = &*name.name;
        let fits = |known: &String| self.model.is_a(known, wanted) || self.model.is_a(wanted, known);
        let system = name.namespace.as_deref() == Some("System") || !self.model.is_type(wanted);
        if from.as_ref().is_some_and(|types| !types.is_empty() && !system && !types.iter().any(fits)) {
            return Err(semantic(at, format!("what is there is never a {wanted}")));
        }
        Ok(one(wanted))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what is told is one case of what may be")]
fn one(name: &str) -> Types {
    Some(BTreeSet::from([name.to_owned()]))
}

fn is_capital(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

const SYSTEM: &[&str] = &["Any", "Boolean", "Integer", "Decimal", "String", "Date", "DateTime", "Time", "Quantity"];
/// Functions whose arguments are evaluated on each item.
const EACH: &[&str] = &["where", "select", "exists", "all", "repeat", "trace", "sort", "aggregate", "iif"];
/// Functions that yield some of what they are called on.
const SAME: &[&str] = &[
    "where",
    "first",
    "last",
    "tail",
    "skip",
    "take",
    "single",
    "distinct",
    "trace",
    "sort",
    "intersect",
    "exclude",
    "checkModifiers",
];
const BOOLEANS: &[&str] = &[
    "exists",
    "empty",
    "all",
    "allTrue",
    "anyTrue",
    "allFalse",
    "anyFalse",
    "not",
    "isDistinct",
    "subsetOf",
    "supersetOf",
    "hasValue",
    "hasExtension",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "matchesFull",
    "memberOf",
    "conformsTo",
    "toBoolean",
];
const STRINGS: &[&str] = &["lower", "upper", "substring", "replace", "replaceMatches", "toString", "trim", "join"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Definitions;

    fn types(start: &str, text: &str) -> Result<Option<Vec<String>>, PathError> {
        let found = Expression::parse(text).expect(text).types(Definitions::embedded(), start)?;
        Ok(found.map(|types| types.into_iter().collect()))
    }

    #[test]
    fn types_are_told_from_the_definitions() {
        for (start, text, expected) in [
            ("Patient", "Patient.name.given", Some(vec!["string"])),
            ("Patient", "Resource.id", Some(vec!["id"])),
            ("Patient", "name.where(use = 'official').first().family", Some(vec!["string"])),
            ("Patient", "deceased.exists() and deceased != false", Some(vec!["Boolean"])),
            ("Observation", "value as Quantity", Some(vec!["Quantity"])),
            ("Observation", "Observation.value.ofType(CodeableConcept).coding", Some(vec!["Coding"])),
            ("Observation", "component.code | code", Some(vec!["CodeableConcept"])),
            ("Patient", "extension('urn:x').value.as(Coding)", Some(vec!["Coding"])),
            ("Patient", "extension('urn:x')", Some(vec!["Extension"])),
            ("Patient", "generalPractitioner.resolve().name", None),
            ("Patient", "contained.id", None),
            ("Patient", "name.given.lower()", Some(vec!["String"])),
        ] {
            let found = types(start, text).expect(text);
            let found: Option<Vec<&str>> = found.as_ref().map(|all| all.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{text}");
        }
        let any = types("Patient", "extension('urn:x').value").expect("types").expect("known");
        assert!(any.len() > 40 && any.iter().any(|name| name == "CodeableConcept"), "{any:?}");
    }

    #[test]
    fn what_means_nothing_is_told_with_its_place() {
        for (start, text, at) in [
            ("Patient", "Patient.nonsense", 8),
            ("Patient", "name.given.family", 11),
            ("Patient", "Observation.code", 0),
            ("Patient", "Nonsense.code", 0),
            ("Patient", "name.where(uses = 'x')", 11),
            ("Patient", "name.ofType(Nonsense)", 5),
            ("Patient", "name.ofType(Quantity)", 5),
            ("Observation", "value as Patient", 0),
            ("Patient", "name.select(given | nonsense)", 20),
            ("Patient", "%nonsense", 0),
        ] {
            assert_eq!(types(start, text).expect_err(text).at, at, "{text}");
        }
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("birthDate < today()", Some((12, "today"))),
            ("name.where(period.start < now()).given", Some((26, "now"))),
            ("(name | iif(active, now(), 1))[0]", Some((20, "now"))),
            ("name.given", None),
        ] {
            assert_eq!(Expression::parse(text).expect(text).calls(&["now", "today"]), expected, "{text}");
        }
    }

    #[test]
    fn what_resolve_is_asked_for_beyond_the_type_is_found() {
        for (text, expected) in [
            ("subject.resolve().name", Some(8)),
            ("where(subject.resolve().active).status", Some(14)),
            ("(subject.resolve()).name", Some(9)),
            ("subject.resolve()", Some(8)),
            ("subject.resolve() as Patient", Some(8)),
            ("subject.resolve().ofType(Patient).name", Some(8)),
            ("subject.resolve().name is HumanName", Some(8)),
            ("status | subject.resolve().active", Some(17)),
            ("subject.where(resolve() is Patient)", None),
            ("subject.where(resolve().is(Patient))", None),
            ("subject.where(resolve().ofType(Patient).exists())", None),
            ("subject.where(resolve() is Patient or resolve() is Group)", None),
            ("subject.reference", None),
        ] {
            assert_eq!(Expression::parse(text).expect(text).fetches(), expected, "{text}");
        }
    }

    /// None of R4's own expressions is refused where it belongs.
    #[test]
    fn every_search_parameter_of_r4_passes() {
        let definitions = Definitions::embedded();
        for kind in definitions.resource_types() {
            for parameter in definitions.parameters(kind) {
                let text = parameter.expression_for(kind);
                if let Some(expression) = (!text.is_empty()).then(|| Expression::parse(text).expect(text)) {
                    let found = expression.types(definitions, kind);
                    assert!(found.is_ok(), "{kind} {}: {text} {found:?}", parameter.code);
                    assert_eq!(expression.fetches(), None, "{kind} {}: {text}", parameter.code);
                }
            }
        }
    }
}
