//! What an operation is told: by the URL, in Parameters, or as the resource itself.
//!
//! What it does not know it refuses, for whoever sends a parameter relies on it.
//!
//! Source: FHIR R4 operations.html#request

use techo_profiles::json::{Json, Value as Tree};
use techo_profiles::primitive::Primitive;

use super::{Body, Operation, Parameter};
use crate::interaction::{Error, Invocation, Issue, Target};

/// What an operation is told.
#[derive(Debug)]
pub struct Input<'a> {
    /// What it is asked of.
    pub on: &'a Target,
    /// The body as received.
    pub body: &'a [u8],
    /// `Content-Type`
    pub media: &'a str,
    /// The file's name, by `Content-Disposition`.
    pub file_name: Option<&'a str>,
    given: Vec<Given<'a>>,
    search: Vec<(String, String)>,
}

/// A parameter that was sent.
#[derive(Debug)]
struct Given<'a> {
    name: &'static str,
    /// Where: its name in the URL, or its place in the body.
    at: String,
    value: Value<'a>,
}

#[derive(Debug)]
enum Value<'a> {
    Text(&'a str),
    Tree(&'a Json),
}

/// Whether a type has values that fit into a URL.
pub fn is_primitive(kind: &str) -> bool {
    Primitive::named(kind).is_some()
}

impl<'a> Input<'a> {
    /// Reads what was sent.
    ///
    /// * `told`: the body, parsed.
    pub(super) fn read(
        operation: &Operation,
        asked: &'a Invocation,
        told: Option<&'a Json>,
        lenient: bool,
    ) -> Result<Self, Error> {
        let mut input = Self {
            on: &asked.on,
            body: &asked.body,
            media: &asked.media,
            file_name: asked.file_name.as_deref(),
            given: Vec::new(),
            search: Vec::new(),
        };
        for (name, value) in asked.query.iter().filter(|(name, _)| !NOT_OURS.contains(&&**name)) {
            match operation.parameters.iter().find(|one| one.name == name) {
                Some(parameter) => input.add(parameter, name.clone(), text(parameter, value, name)?)?,
                None if operation.searches() => input.search.push((name.clone(), value.clone())),
                None if lenient => {}
                None => return Err(unknown(operation, name, name)),
            }
        }
        match (told, operation.body) {
            (Some(body), _) if body.str("resourceType") == Some("Parameters") => {
                input.parameters(operation, body, lenient)?;
            }
            (Some(body), Body::Resource(name)) => {
                let parameter = operation.parameters.iter().find(|one| one.name == name);
                let parameter = parameter.ok_or_else(|| Error::Internal(format!("${} of {name}", operation.name)))?;
                input.add(parameter, body.str("resourceType").unwrap_or_default().to_owned(), Value::Tree(body))?;
            }
            (Some(_), Body::Parameters | Body::File) => return Err(no_parameters(operation)),
            (None, _) => {}
        }
        match operation.parameters.iter().find(|one| one.required && !input.has(one.name)) {
            Some(missing) => Err(required(operation, missing)),
            None => Ok(input),
        }
    }

    fn parameters(&mut self, operation: &Operation, body: &'a Json, lenient: bool) -> Result<(), Error> {
        for (index, part) in body.list("parameter").iter().enumerate() {
            let at = format!("Parameters.parameter[{index}]");
            let name = part.str("name").unwrap_or_default();
            match operation.parameters.iter().find(|one| one.name == name) {
                Some(parameter) => {
                    let value =
                        valued(parameter, part).ok_or_else(|| unfit(parameter, name, &format!("{at}.value")))?;
                    let place = if parameter.kind == RESOURCE { "resource" } else { "value" };
                    self.add(parameter, format!("{at}.{place}"), value)?;
                }
                None if operation.searches() => {
                    let value = valued(&Parameter::SEARCH, part);
                    let Some(Value::Text(value)) = value else {
                        return Err(unfit(&Parameter::SEARCH, name, &format!("{at}.value")));
                    };
                    self.search.push((name.to_owned(), value.to_owned()));
                }
                None if lenient => {}
                None => return Err(unknown(operation, name, &format!("{at}.name"))),
            }
        }
        Ok(())
    }

    fn add(&mut self, parameter: &Parameter, at: String, value: Value<'a>) -> Result<(), Error> {
        if !parameter.many && self.has(parameter.name) {
            let name = parameter.name;
            return Err(Error::Invalid(vec![
                Issue::error(
                    "invalid",
                    format!("The parameter {name} may be given once."),
                    format!("パラメータ {name} は 1 回だけ指定できます。"),
                )
                .at(at),
            ]));
        }
        self.given.push(Given { name: parameter.name, at, value });
        Ok(())
    }

    fn find(&self, name: &str) -> impl Iterator<Item = &Given<'a>> {
        self.given.iter().filter(move |one| one.name == name)
    }

    /// Whether it was sent.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).next().is_some()
    }

    /// The search parameters among what was sent.
    pub fn search(&self) -> Vec<(String, String)> {
        self.search.clone()
    }

    /// The value of a primitive parameter, as text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.texts(name).next()
    }

    /// The values of one that may be repeated.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.find(name).filter_map(|one| match one.value {
            Value::Text(text) => Some(text),
            Value::Tree(_) => None,
        })
    }

    /// The value of a parameter that is a resource or of a complex type.
    pub fn json(&self, name: &str) -> Option<&'a Json> {
        self.find(name).find_map(|one| match one.value {
            Value::Tree(json) => Some(json),
            Value::Text(_) => None,
        })
    }

    /// Where it stands in the request, for an issue's `expression`.
    pub fn place(&self, name: &str) -> String {
        self.find(name).next().map_or_else(|| name.to_owned(), |one| one.at.clone())
    }
}

/// What says how the answer is written, not what it is.
const NOT_OURS: &[&str] = &["_format", "_pretty"];
const RESOURCE: &str = "Resource";

/// The value of a parameter of the URL.
fn text<'a>(parameter: &Parameter, value: &'a str, at: &str) -> Result<Value<'a>, Error> {
    let fits = Primitive::named(parameter.kind).is_some_and(|kind| kind.check(value).is_ok());
    if fits { Ok(Value::Text(value)) } else { Err(unfit(parameter, parameter.name, at)) }
}

/// Types of text that programs use for one another: what one of them says may be said
/// by any, if it is written as it should be.
const TEXTS: &[&str] = &["string", "code", "uri", "canonical", "url", "id"];

/// The value of a part of Parameters.
fn valued<'a>(parameter: &Parameter, part: &'a Json) -> Option<Value<'a>> {
    if parameter.kind == RESOURCE {
        return part.get("resource").filter(|json| json.str("resourceType").is_some()).map(Value::Tree);
    }
    let said = |kind: &&str| part.get(&techo_profiles::definitions::choice_name("value", kind));
    let alike = || TEXTS.iter().filter(|_| TEXTS.contains(&parameter.kind)).find_map(said);
    let value = said(&parameter.kind).or_else(alike)?;
    let Some(kind) = Primitive::named(parameter.kind) else {
        return value.is_object().then_some(Value::Tree(value));
    };
    kind.check_json(value).ok()?;
    match value.value() {
        Tree::String(text) => Some(Value::Text(text)),
        Tree::Number(text) => Some(Value::Text(text)),
        Tree::Bool(yes) => Some(Value::Text(if *yes { "true" } else { "false" })),
        Tree::Null | Tree::Array(_) | Tree::Object(_) => None,
    }
}

fn unknown(operation: &Operation, name: &str, at: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    let known: Vec<&str> = operation.parameters.iter().map(|one| one.name).collect();
    let (own, known) = (operation.name, if known.is_empty() { "-".to_owned() } else { known.join(", ") });
    Error::Invalid(vec![
        Issue::error(
            "not-supported",
            format!("${own} does not understand the parameter \"{shown}\". It takes: {known}."),
            format!("${own} ではパラメータ「{shown}」は使えません。使えるもの: {known}"),
        )
        .at(at.chars().take(64).collect::<String>()),
    ])
}

/// * `name`: as it was sent.
fn unfit(parameter: &Parameter, name: &str, at: &str) -> Error {
    let (name, kind) = (name.chars().take(64).collect::<String>(), parameter.kind);
    Error::Invalid(vec![
        Issue::error(
            "value",
            format!("The parameter {name} is of type {kind}."),
            format!("パラメータ {name} は {kind} 型で指定してください。"),
        )
        .at(at),
    ])
}

fn required(operation: &Operation, missing: &Parameter) -> Error {
    let (own, name, kind) = (operation.name, missing.name, missing.kind);
    Error::Invalid(vec![
        Issue::error(
            "required",
            format!("${own} needs the parameter {name} ({kind})."),
            format!("${own} にはパラメータ {name}({kind})が必要です。"),
        )
        .at("Parameters.parameter"),
    ])
}

fn no_parameters(operation: &Operation) -> Error {
    let own = operation.name;
    Error::Invalid(vec![
        Issue::error(
            "invalid",
            format!("Send ${own} a Parameters resource."),
            format!("${own} には Parameters リソースを送ってください。"),
        )
        .at("resourceType"),
    ])
}
