//! `_filter`: a whole condition as one expression.
//!
//! ```text
//! filter = test | filter ("and" | "or") filter | "not" "(" filter ")" | "(" filter ")"
//! test   = path operator value
//! path   = name | name "." path | name "[" filter "]" "." path
//! value  = "JSON string" | token, up to white space, ")" or "]"
//! ```
//!
//! `and` and `or` bind alike and are read from left to right, as R4 has it; one
//! who mixes them says what she means by parentheses. In `subject[filter].name`
//! the filter is about what `subject` refers to. What a test comes to is in
//! [`operator`].
//!
//! Source: FHIR R4 `search_filter.html`

mod operator;

use techo_profiles::json::Json;

use super::parse::Reader;
use super::plan::Filter;
use super::reason::Reason;
use operator::Operator;

/// The condition that an expression states.
pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<Filter, Reason> {
    let mut source = Source { text, at: 0, depth: 0 };
    let expression = source.expression()?;
    source.space();
    if source.at < text.len() {
        return Err(source.wrong(|at| Reason::FilterEnd { at }));
    }
    compiled(&expression, reader)
}

/// A filter expression.
#[derive(Debug, PartialEq)]
enum Expression<'t> {
    Test { path: Vec<Step<'t>>, operator: Operator, value: String },
    And(Vec<Expression<'t>>),
    Or(Vec<Expression<'t>>),
    Not(Box<Expression<'t>>),
}

/// A name on a path, and what must hold of what it refers to.
#[derive(Debug, PartialEq)]
struct Step<'t> {
    name: &'t str,
    filter: Option<Expression<'t>>,
}

fn compiled(expression: &Expression<'_>, reader: &Reader<'_>) -> Result<Filter, Reason> {
    let each =
        |parts: &[Expression<'_>]| parts.iter().map(|part| compiled(part, reader)).collect::<Result<Vec<_>, _>>();
    match expression {
        Expression::And(parts) => Ok(Filter::All(each(parts)?)),
        Expression::Or(parts) => Ok(Filter::Any(each(parts)?)),
        Expression::Not(part) => Ok(Filter::Not(Box::new(compiled(part, reader)?))),
        Expression::Test { path, operator, value } => tested(path, *operator, value, reader),
    }
}

fn tested(path: &[Step<'_>], operator: Operator, value: &str, reader: &Reader<'_>) -> Result<Filter, Reason> {
    match path {
        [Step { name, filter: None }] => {
            reader.spend(1)?;
            operator::filter(reader, name, operator, value)
        }
        [Step { name, filter }, rest @ ..] if !rest.is_empty() => reader.chain(name, &|next| {
            let rest = tested(rest, operator, value, next)?;
            match filter {
                Some(filter) => Ok(Filter::All(vec![compiled(filter, next)?, rest])),
                None => Ok(rest),
            }
        }),
        _ => Err(Reason::FilterPath),
    }
}

/// The text of a filter, read from left to right.
struct Source<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Source<'t> {
    /// Tests joined by `and` and `or`.
    fn expression(&mut self) -> Result<Expression<'t>, Reason> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Reason::FilterDepth { most: MOST_DEPTH });
        }
        let mut found = self.one()?;
        loop {
            self.space();
            found = match (self.word("and"), found) {
                (true, Expression::And(mut parts)) => {
                    parts.push(self.one()?);
                    Expression::And(parts)
                }
                (true, first) => Expression::And(vec![first, self.one()?]),
                (false, first) if self.word("or") => match first {
                    Expression::Or(mut parts) => {
                        parts.push(self.one()?);
                        Expression::Or(parts)
                    }
                    first => Expression::Or(vec![first, self.one()?]),
                },
                (false, found) => {
                    self.depth -= 1;
                    return Ok(found);
                }
            };
        }
    }

    /// A test, a negation, or an expression in parentheses.
    fn one(&mut self) -> Result<Expression<'t>, Reason> {
        self.space();
        let start = self.at;
        let negated = self.word("not");
        self.space();
        if self.sign('(') {
            let inner = self.expression()?;
            self.space();
            if !self.sign(')') {
                return Err(self.wrong(|at| Reason::FilterParenthesis { at }));
            }
            return Ok(if negated { Expression::Not(Box::new(inner)) } else { inner });
        }
        self.at = start;
        let path = self.path()?;
        self.space();
        let start = self.at;
        let Some(operator) = self.name().and_then(Operator::named) else {
            self.at = start;
            return Err(self.wrong(|at| Reason::FilterOperator { at }));
        };
        self.space();
        Ok(Expression::Test { path, operator, value: self.value()? })
    }

    fn path(&mut self) -> Result<Vec<Step<'t>>, Reason> {
        let mut steps = Vec::new();
        loop {
            let name = self.name().ok_or_else(|| self.wrong(|at| Reason::FilterName { at }))?;
            let mut filter = None;
            if self.sign('[') {
                filter = Some(self.expression()?);
                self.space();
                if !self.sign(']') {
                    return Err(self.wrong(|at| Reason::FilterBracket { at }));
                }
            }
            steps.push(Step { name, filter });
            if !self.sign('.') {
                return Ok(steps);
            }
        }
    }

    /// A name; whatever ends it.
    fn name(&mut self) -> Option<&'t str> {
        let rest = &self.text[self.at..];
        let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-';
        let end = rest.find(|sign| !is_part(sign)).unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return None;
        }
        self.at += end;
        Some(name)
    }

    fn value(&mut self) -> Result<String, Reason> {
        let rest = &self.text[self.at..];
        if rest.starts_with('"') {
            return self.string();
        }
        let end = rest.find(|sign: char| sign.is_whitespace() || sign == ')' || sign == ']').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong(|at| Reason::FilterValue { at }));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    /// A string as JSON writes it.
    fn string(&mut self) -> Result<String, Reason> {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(at, sign)| {
            let ends = sign == '"' && !escaped;
            escaped = sign == '\\' && !escaped;
            ends.then_some(at + 1)
        });
        let end = end.ok_or_else(|| self.wrong(|at| Reason::FilterQuote { at }))?;
        let parsed = Json::parse(format!("[{}]", &rest[..end]).as_bytes());
        let text = parsed.ok().and_then(|list| list.items().first()?.as_str().map(str::to_owned));
        let text = text.ok_or_else(|| self.wrong(|at| Reason::FilterString { at }))?;
        self.at += end;
        Ok(text)
    }

    /// Takes a word, if it stands here by itself.
    fn word(&mut self, word: &str) -> bool {
        let Some(rest) = self.text[self.at..].strip_prefix(word) else { return false };
        let ends = rest.starts_with(|sign: char| sign.is_whitespace() || sign == '(');
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn sign(&mut self, sign: char) -> bool {
        let is = self.text[self.at..].starts_with(sign);
        if is {
            self.at += sign.len_utf8();
        }
        is
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// What is wrong, and where.
    fn wrong(&self, what: impl Fn(usize) -> Reason) -> Reason {
        what(self.text[..self.at].chars().count() + 1)
    }
}

/// How deep expressions may nest.
const MOST_DEPTH: usize = 16;

#[cfg(test)]
mod tests;
