//! Tokens to the tree: operators by how strongly they bind.
//!
//! Names of functions and the number of their arguments are checked here, so a
//! typing error is found before any resource is looked at.
//!
//! Source: `FHIRPath` 2.0, grammar

use super::error::{PathError, Reason};
use super::function::{self, Form, Function};
use super::lex::{self, Kind as Lexeme, Token};
use super::syntax::{Call, Expr, Kind, Operator, Step, TYPE_BINDS, TypeSpecifier, UNION_BINDS};
use super::temporal::Moment;
use super::units;
use super::value::{Quantity, Value, decimal};

/// The longest expression read, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// The deepest nesting of brackets and operators.
pub const MAX_DEPTH: usize = 100;

/// Compiling takes time: the regular expressions beyond these are compiled when
/// they are used, and paid for.
const MAX_PATTERNS: usize = 32;

/// Reads a whole expression.
pub(super) fn parse(text: &str) -> Result<Expr, PathError> {
    if text.len() > MAX_LENGTH {
        return Err(PathError::new(Reason::TooLarge, MAX_LENGTH, "the expression is too long"));
    }
    let mut parser = Parser { tokens: lex::tokens(text)?, next: 0, depth: 0, patterns: 0 };
    let expr = parser.expression(0)?;
    match parser.peek() {
        Lexeme::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    /// Regular expressions compiled so far.
    patterns: usize,
}

impl Parser {
    /// An expression of operators that bind at least as strongly as `least`.
    fn expression(&mut self, least: u8) -> Result<Expr, PathError> {
        self.depth += 1;
        self.check_depth(self.depth)?;
        let mut left = self.unary()?;
        loop {
            left = if least <= UNION_BINDS && self.peek() == &Lexeme::Sign("|") {
                self.union(left)?
            } else if let Some(is) = self.type_operator().filter(|_| least <= TYPE_BINDS) {
                self.advance();
                let name = self.type_specifier()?;
                let (at, height) = (left.at, left.height);
                let operand = Box::new(left);
                self.node(at, height, if is { Kind::Is(operand, name) } else { Kind::As(operand, name) })?
            } else if let Some((binds, operator)) = self.operator().filter(|(binds, _)| least <= *binds) {
                let at = self.at();
                self.advance();
                let right = self.expression(binds + 1)?;
                let height = left.height.max(right.height);
                self.node(at, height, Kind::Binary(operator, Box::new(left), Box::new(right)))?
            } else {
                self.depth -= 1;
                return Ok(left);
            };
        }
    }

    fn union(&mut self, first: Expr) -> Result<Expr, PathError> {
        let at = first.at;
        let mut branches = vec![first];
        while self.take("|") {
            branches.push(self.expression(UNION_BINDS + 1)?);
        }
        let height = branches.iter().map(|branch| branch.height).max().unwrap_or(0);
        self.node(at, height, Kind::Union(branches))
    }

    fn unary(&mut self) -> Result<Expr, PathError> {
        let at = self.at();
        let negative = match self.peek() {
            Lexeme::Sign("-") => true,
            Lexeme::Sign("+") => false,
            _ => return self.chain(),
        };
        self.advance();
        if negative && self.least_follows() {
            self.advance();
            return self.node(at, 0, Kind::Literal(Value::Integer(i32::MIN)));
        }
        self.depth += 1;
        self.check_depth(self.depth)?;
        let operand = Box::new(self.unary()?);
        self.depth -= 1;
        let height = operand.height;
        self.node(at, height, if negative { Kind::Negate(operand) } else { Kind::Plus(operand) })
    }

    /// Whether the number that comes is an integer only with the `-` before it. A path
    /// that goes on from it binds closer, and begins with a number that there is not.
    fn least_follows(&self) -> bool {
        let Lexeme::Number(digits) = self.peek() else { return false };
        digits.parse() == Ok(i32::MIN.unsigned_abs())
            && match self.tokens.get(self.next + 1).map(|token| &token.kind) {
                Some(Lexeme::Sign("." | "[") | Lexeme::Text(_)) => false,
                Some(Lexeme::Word(word)) => !units::is_calendar(word),
                _ => true,
            }
    }

    /// A term and the steps that follow it.
    fn chain(&mut self) -> Result<Expr, PathError> {
        let at = self.at();
        let mut steps = Vec::new();
        let start = if self.starts_with_name() {
            steps.push(self.invocation()?);
            None
        } else {
            Some(self.term()?)
        };
        loop {
            if self.take(".") {
                if let Lexeme::Special(_) = self.peek() {
                    return Err(self.unexpected("a name"));
                }
                steps.push(self.invocation()?);
            } else if self.take("[") {
                steps.push(Step::Index(self.expression(0)?));
                self.expect("]")?;
            } else {
                break;
            }
        }
        match start {
            Some(term) if steps.is_empty() => Ok(term),
            start => {
                let below = steps.iter().map(step_height).chain(start.iter().map(|term| term.height)).max();
                self.node(at, below.unwrap_or(0), Kind::Path { start: start.map(Box::new), steps })
            }
        }
    }

    fn starts_with_name(&self) -> bool {
        match self.peek() {
            Lexeme::Quoted(_) => true,
            Lexeme::Word(word) => !matches!(word.as_str(), "true" | "false"),
            _ => false,
        }
    }

    /// A name, or a function with its arguments.
    fn invocation(&mut self) -> Result<Step, PathError> {
        let at = self.at();
        let name = self.identifier()?;
        if !self.take("(") {
            return Ok(Step::Member(name.into(), at));
        }
        let function = function::find(&name).ok_or_else(|| {
            let error = PathError::new(Reason::UnknownFunction, at, format!("there is no function {name}()"));
            error.about(format!("{name}()"))
        })?;
        let (mut arguments, mut type_name) = (Vec::new(), None);
        if function.form == Form::Type {
            type_name = Some(self.type_specifier()?);
            self.expect(")")?;
        } else if !self.take(")") {
            arguments.push(self.expression(0)?);
            while self.take(",") {
                arguments.push(self.expression(0)?);
            }
            self.expect(")")?;
        }
        check_arguments(function, arguments.len() + usize::from(type_name.is_some()), at)?;
        let pattern = match arguments.first().map(|first| &first.kind) {
            Some(Kind::Literal(Value::String(text)))
                if matches!(function.form, Form::Pattern | Form::Whole) && self.patterns < MAX_PATTERNS =>
            {
                self.patterns += 1;
                Some(function::pattern(text, function).map_err(|text| PathError::syntax(at, text))?)
            }
            _ => None,
        };
        Ok(Step::Call(Call { function, arguments, type_name, pattern, at }))
    }

    fn term(&mut self) -> Result<Expr, PathError> {
        let at = self.at();
        let token = self.advance();
        let kind = match token {
            Lexeme::Sign("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Lexeme::Sign("{") => {
                self.expect("}")?;
                Kind::Empty
            }
            Lexeme::Word(word) => Kind::Literal(Value::Boolean(word == "true")),
            Lexeme::Text(text) => Kind::Literal(Value::String(text.into())),
            Lexeme::Number(digits) => self.number(&digits, at)?,
            Lexeme::Moment(moment) => Kind::Literal(match moment {
                Moment::Date(date) => Value::Date(date),
                Moment::DateTime(moment) => Value::DateTime(moment),
                Moment::Time(time) => Value::Time(time),
            }),
            Lexeme::Special(name) => match name.as_str() {
                "this" => Kind::This,
                "index" => Kind::Index,
                "total" => Kind::Total,
                _ => return Err(PathError::syntax(at, format!("there is no ${name}"))),
            },
            Lexeme::Percent => match self.advance() {
                Lexeme::Word(name) | Lexeme::Quoted(name) | Lexeme::Text(name) => Kind::Variable(name.into()),
                _ => return Err(PathError::syntax(at, "no name after '%'")),
            },
            Lexeme::Quoted(_) | Lexeme::Sign(_) | Lexeme::End => {
                self.next = self.next.saturating_sub(1);
                return Err(self.unexpected("a term"));
            }
        };
        self.node(at, 0, kind)
    }

    /// A number, or a quantity if a unit follows.
    fn number(&mut self, digits: &str, at: usize) -> Result<Kind, PathError> {
        let unit = match self.peek() {
            Lexeme::Text(unit) => Some((unit.clone(), false)),
            Lexeme::Word(word) if units::is_calendar(word) => Some((word.clone(), true)),
            _ => None,
        };
        let value = decimal(digits).ok_or_else(|| PathError::syntax(at, "the number is out of range"))?;
        Ok(Kind::Literal(match unit {
            Some((unit, calendar)) => {
                self.advance();
                Value::Quantity(Quantity { value, unit: unit.into(), calendar })
            }
            None if digits.contains('.') => Value::Decimal(value),
            None => Value::Integer(digits.parse().map_err(|_| PathError::syntax(at, "the integer is out of range"))?),
        }))
    }

    fn identifier(&mut self) -> Result<String, PathError> {
        match self.peek() {
            Lexeme::Word(name) | Lexeme::Quoted(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    fn type_specifier(&mut self) -> Result<TypeSpecifier, PathError> {
        let first = self.identifier()?;
        let namespaced = matches!(first.as_str(), "FHIR" | "System");
        if namespaced && self.take(".") {
            let name = self.identifier()?;
            return Ok(TypeSpecifier { namespace: Some(first.into()), name: name.into() });
        }
        let mut name = first;
        while self.take(".") {
            name = format!("{name}.{}", self.identifier()?);
        }
        Ok(TypeSpecifier { namespace: None, name: name.into() })
    }

    /// Whether `is` (true) or `as` (false) comes next.
    fn type_operator(&self) -> Option<bool> {
        match self.peek() {
            Lexeme::Word(word) if word == "is" => Some(true),
            Lexeme::Word(word) if word == "as" => Some(false),
            _ => None,
        }
    }

    fn operator(&self) -> Option<(u8, Operator)> {
        let sign = match self.peek() {
            Lexeme::Word(word) => word.as_str(),
            Lexeme::Sign(sign) => sign,
            _ => return None,
        };
        Operator::ALL.iter().find(|row| row.0 == sign).map(|row| (row.1, row.2))
    }

    fn node(&self, at: usize, below: usize, kind: Kind) -> Result<Expr, PathError> {
        self.check_depth(below + 1)?;
        Ok(Expr { kind, at, height: below + 1 })
    }

    fn check_depth(&self, depth: usize) -> Result<(), PathError> {
        if depth > MAX_DEPTH {
            return Err(PathError::new(Reason::TooLarge, self.at(), "the expression is nested too deeply"));
        }
        Ok(())
    }

    fn peek(&self) -> &Lexeme {
        self.tokens.get(self.next).map_or(&Lexeme::End, |token| &token.kind)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn advance(&mut self) -> Lexeme {
        let kind = self.peek().clone();
        self.next += 1;
        kind
    }

    fn take(&mut self, sign: &'static str) -> bool {
        let found = self.peek() == &Lexeme::Sign(sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), PathError> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    fn unexpected(&self, wanted: &str) -> PathError {
        let found = match self.peek() {
            Lexeme::End => "the end".to_owned(),
            Lexeme::Word(word) | Lexeme::Quoted(word) => format!("'{word}'"),
            Lexeme::Sign(sign) => format!("'{sign}'"),
            Lexeme::Text(_) => "a string".to_owned(),
            Lexeme::Number(_) => "a number".to_owned(),
            Lexeme::Moment(_) => "a date or time".to_owned(),
            Lexeme::Special(name) => format!("'${name}'"),
            Lexeme::Percent => "'%'".to_owned(),
        };
        PathError::syntax(self.at(), format!("expected {wanted}, found {found}"))
    }
}

fn step_height(step: &Step) -> usize {
    match step {
        Step::Member(..) => 0,
        Step::Index(index) => index.height,
        Step::Call(call) => call.arguments.iter().map(|argument| argument.height).max().unwrap_or(0),
    }
}

fn check_arguments(function: &Function, given: usize, at: usize) -> Result<(), PathError> {
    if function.arguments.contains(&given) {
        return Ok(());
    }
    let (least, most) = (function.arguments.start(), function.arguments.end());
    let wanted = match (least, most) {
        (least, &usize::MAX) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    let name = function.name;
    Err(PathError::syntax(at, format!("{name}() takes {wanted} arguments, {given} given")))
}
