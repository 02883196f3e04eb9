//! `POST /fhir/$fhirpath`: what an expression yields on a resource that is sent along.
//!
//! `resolve()` follows a reference by an ordinary read of the caller's, audited as one:
//! what she may not read is not there. `memberOf()` and `subsumes()` know the stored value sets
//! and code systems that she may search, beside those of the program. Any good token will do; it keeps strangers from
//! spending our time, and the evaluator's fuel keeps everybody from spending much of it.
//!
//! Each item is a part `result` with a value of its FHIR type. What `value[x]` has
//! no type for (a backbone element, a Narrative, an Extension) is told by a part for
//! each of its elements. An extension says where in the resource the item stands.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use techo_profiles::Definitions;
use techo_profiles::definitions::choice_name;
use techo_profiles::json::{Json, Value as Tree};
use techo_profiles::path::{
    Context, DateTime, Expression, Item, Knowledge, Locations, Model, Node, PathError, Reason, Resolve, Value,
};
use techo_profiles::primitive::Primitive;
use techo_profiles::xml::legible;

use super::{Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::consent::caller::Action;
use crate::consent::subject::local;
use crate::consent::view::CitizenKey;
use crate::interaction::plan::parse;
use crate::interaction::vocabulary::Vocabulary;
use crate::interaction::{Call, Error, Issue, Known, Location, Reply, read};
use crate::search::shape::Shape;
use crate::search::unit::Ucum;

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "fhirpath",
    summary: "Evaluates a FHIRPath expression on a resource that is sent along; resolve() reads what the caller may read.",
    origin: Origin::Own,
    levels: &[Level::System],
    gate: Gate::Reads,
    changes: false,
    body: Body::Parameters,
    parameters: &[Parameter::required("expression", "string"), Parameter::required("resource", "Resource")],
    answers: &[Parameter::many("result", "Element")],
    run: |call, input| Box::pin(fhirpath(call, input)),
};

/// What is stored is fetched between evaluations: each says what it lacked, until
/// one lacks nothing.
async fn fhirpath(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    let at = input.place("expression");
    let text = input.text("expression").unwrap_or_default();
    let resource = resource(input)?;
    let expression = Expression::shared(text).map_err(|error| unreadable(&error, &at))?;
    let mut fetched = Fetched::default();
    let mut disclosed = Vec::new();
    let mut words = Vocabulary::new(&call.codes);
    loop {
        let outcome = evaluated(call, &expression, resource, (&fetched, &words));
        if let Some(wanted) = words.lacking() {
            words.fetch(call, wanted).await?;
            if words.is_over() {
                return Err(Error::Unprocessable(vec![too_many_definitions().at(at)]));
            }
            continue;
        }
        let asked = match outcome.map_err(|error| unevaluated(&error, &at))? {
            Outcome::Answer(body) => return Ok(Reply { body: Some(body), disclosed, ..Reply::default() }),
            Outcome::Lacks(asked) => asked,
        };
        if fetched.len() + asked.len() > MOST_FETCHED {
            return Err(Error::Unprocessable(vec![too_many().at(at)]));
        }
        for reference in asked {
            let found = fetch(call, &reference, &mut disclosed).await?;
            fetched.insert(reference, found);
        }
    }
}

/// What references led to; `None` where the caller sees nothing.
type Fetched = HashMap<String, Option<Json>>;

enum Outcome {
    /// The answer's body.
    Answer(Vec<u8>),
    /// References that were not followed yet.
    Lacks(BTreeSet<String>),
}

fn evaluated(
    call: &Call<'_>,
    expression: &Expression,
    resource: &Json,
    (fetched, words): (&Fetched, &Vocabulary<'_>),
) -> Result<Outcome, PathError> {
    let now = call.clock.now();
    let offset = call.config.zone.to_offset(now).seconds() / 60;
    let now = DateTime::at(now, i16::try_from(offset).unwrap_or(0));
    let knowledge = Knowledge { definitions: call.definitions, codes: words };
    let resolver = Resolver { fetched, lacks: RefCell::default() };
    let context = Context::new(call.definitions).now(now).units(&Ucum).terminology(&knowledge).profiles(&knowledge);
    let outcome = expression.evaluate(resource, &context.resolver(&resolver));
    let lacks = resolver.lacks.take();
    // Whatever came out of a lack, an error too, may come out otherwise without it.
    if !lacks.is_empty() {
        return Ok(Outcome::Lacks(lacks));
    }
    let items = outcome?;
    let places = Locations::of(call.definitions, Node::resource(resource));
    let parts = items.iter().map(|item| placed(part(call.definitions, "result", item), item, &places));
    let mut answer = Json::object([("resourceType", Json::from("Parameters"))]);
    if !items.is_empty() {
        answer.set("parameter", Json::array(parts));
    }
    fit(&mut answer);
    Ok(Outcome::Answer(answer.to_string().into_bytes()))
}

/// Puts U+FFFD for what no string of FHIR may have: an expression may make any character,
/// and what is sent along is not validated.
fn fit(json: &mut Json) {
    match json.value_mut() {
        Tree::String(text) => {
            if let Cow::Owned(legible) = legible(text) {
                *text = legible.into();
            }
        }
        Tree::Array(items) => items.iter_mut().for_each(fit),
        Tree::Object(members) => members.iter_mut().for_each(|member| fit(&mut member.value)),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => {}
    }
}

struct Resolver<'f> {
    fetched: &'f Fetched,
    lacks: RefCell<BTreeSet<String>>,
}

impl Resolve for Resolver<'_> {
    fn resolve(&self, reference: &str) -> Option<&Json> {
        let Some(found) = self.fetched.get(reference) else {
            self.lacks.borrow_mut().insert(reference.to_owned());
            return None;
        };
        found.as_ref()
    }
}

/// A reference is followed by an ordinary read of this caller: what she may not
/// read is not there.
async fn fetch(
    call: &Call<'_>,
    reference: &str,
    disclosed: &mut Vec<(CitizenKey, String)>,
) -> Result<Option<Json>, Error> {
    let place = local(reference, &call.config.fhir_base());
    let Some(at) = place.and_then(|(kind, id)| Location::read(&format!("{kind}/{id}"))) else { return Ok(None) };
    match read::read(&call.doing(Action::Read), &at, &Known::default(), &Shape::default()).await {
        Ok(reply) => {
            call.looks.at(reply.disclosed.iter().map(|(citizen, _)| *citizen), (&at.kind, &at.id));
            disclosed.extend(reply.disclosed);
            reply.body.as_deref().map(parse).transpose()
        }
        Err(Error::NotFound | Error::Gone | Error::Forbidden(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// References that one evaluation may follow.
const MOST_FETCHED: usize = 100;

fn too_many_definitions() -> Issue {
    Issue::error(
        "too-costly",
        "The expression asks about too many value sets and code systems. Narrow it.",
        "式が参照する値セットとコードシステムが多すぎます。絞り込んでください。",
    )
}

fn too_many() -> Issue {
    Issue::error(
        "too-costly",
        format!("The expression follows more than {MOST_FETCHED} references. Narrow it."),
        format!("式がたどる参照が {MOST_FETCHED} 件を超えます。絞り込んでください。"),
    )
}

/// What the expression is evaluated on: a resource of R4.
fn resource<'a>(input: &Input<'a>) -> Result<&'a Json, Error> {
    let known = |json: &&Json| json.str("resourceType").is_some_and(|name| Definitions::embedded().is_resource(name));
    input.json("resource").filter(known).ok_or_else(|| {
        let (text, text_ja) = ("This is no resource of R4.", "R4 のリソースではありません。");
        Error::Invalid(vec![Issue::error("value", text, text_ja).at(input.place("resource"))])
    })
}

fn unreadable(error: &PathError, at: &str) -> Error {
    Error::Invalid(vec![issue("invalid", error, at)])
}

fn unevaluated(error: &PathError, at: &str) -> Error {
    let code = if error.reason == Reason::Fuel { "too-costly" } else { "processing" };
    Error::Unprocessable(vec![issue(code, error, at)])
}

/// Names the expression's own words, never a value of the resource.
fn issue(code: &'static str, error: &PathError, at: &str) -> Issue {
    Issue::error(code, error.to_string(), format!("{}。", error.japanese())).at(at)
}

/// Says where in the resource the item stands. FHIR lets a parameter be a value or
/// have parts, not both, so the path is an extension.
fn placed(part: Json, item: &Item<'_>, places: &Locations) -> Json {
    let Some(path) = item.node().and_then(|node| places.path(node)) else { return part };
    let extension = Json::object([("url", Json::from(PATH)), ("valueString", Json::from(path))]);
    part.with("extension", Json::array([extension]))
}

/// The extension of a result that says where in the resource it stands.
pub const PATH: &str = "https://techo.example/fhir/StructureDefinition/fhirpath-path";

/// One item as a parameter of this name.
fn part(definitions: &Definitions, name: &str, item: &Item<'_>) -> Json {
    let part = Json::object([("name", Json::from(name))]);
    match item {
        Item::Node(node) => of_node(definitions, part, node),
        Item::Value(value) => of_value(part, value),
        Item::Target(target) => {
            part.with("valueReference", Json::object([("reference", Json::from(target.reference))]))
        }
    }
}

fn of_node(definitions: &Definitions, part: Json, node: &Node<'_>) -> Json {
    if let Some(resource) = node.json().filter(|_| definitions.is_resource(node.type_name())) {
        return part.with("resource", resource.clone());
    }
    if is_open(definitions, node.type_name()) {
        let name = choice_name("value", node.type_name());
        let beside = format!("_{name}");
        return part.with_some(name, node.json().cloned()).with_some(beside, node.sibling().cloned());
    }
    match node.json() {
        Some(json) if json.is_object() => {
            let parts = elements(definitions, json, node.type_name());
            part.with("part", Json::array(parts))
        }
        Some(json) => bare(part, json),
        None => part,
    }
}

/// A part for each element of an object; of a primitive those beside it too.
fn elements(definitions: &Definitions, json: &Json, type_name: &str) -> Vec<Json> {
    let mut parts = Vec::new();
    for member in json.members() {
        let own = member.name.strip_prefix('_');
        if own.is_some_and(|own| json.get(own).is_some()) {
            continue;
        }
        let name = own.unwrap_or(&member.name);
        let Some(property) = definitions.property(type_name, name) else { continue };
        let beside = json.get(&format!("_{name}"));
        let value = own.is_none().then_some(&member.value);
        let count = value.map_or(0, |value| value.items().len()).max(beside.map_or(0, |beside| beside.items().len()));
        let at = |json: Option<&'_ Json>, index: usize| -> Option<Json> {
            let found = if property.is_list { json?.items().get(index) } else { json };
            found.filter(|json| !json.is_null()).cloned()
        };
        for index in 0..if property.is_list { count } else { 1 } {
            let (value, beside) = (at(value, index), at(beside, index));
            if let Some(node) = Node::primitive(value.as_ref(), beside.as_ref(), property.type_name) {
                parts.push(self::part(definitions, property.name, &Item::Node(node)));
            }
        }
    }
    parts
}

fn of_value(part: Json, value: &Value<'_>) -> Json {
    let text = value.to_json();
    // A partial time is none of FHIR's: it stays text.
    let fits = |primitive: Primitive| text.as_str().is_some_and(|text| primitive.check(text).is_ok());
    let name = match value {
        Value::Boolean(_) => "valueBoolean",
        Value::Integer(_) => "valueInteger",
        Value::Decimal(_) => "valueDecimal",
        Value::Quantity(_) => "valueQuantity",
        Value::Date(_) if fits(Primitive::Date) => "valueDate",
        Value::DateTime(_) if fits(Primitive::DateTime) => "valueDateTime",
        Value::Time(_) if fits(Primitive::Time) => "valueTime",
        Value::String(_) | Value::Type(_) | Value::Date(_) | Value::DateTime(_) | Value::Time(_) => "valueString",
    };
    part.with(name, text)
}

/// A primitive whose type `value[x]` does not have: an id, XHTML.
fn bare(part: Json, json: &Json) -> Json {
    let name = match json.value() {
        Tree::Bool(_) => "valueBoolean",
        Tree::Number(_) => "valueDecimal",
        Tree::String(_) | Tree::Null | Tree::Array(_) | Tree::Object(_) => "valueString",
    };
    part.with(name, json.clone())
}

/// Whether a parameter's `value[x]` may be of this type.
fn is_open(definitions: &Definitions, type_name: &str) -> bool {
    let parameters = definitions.type_def("Parameters");
    let elements = parameters.iter().flat_map(|facts| &facts.elements);
    let mut values = elements.filter(|element| &*element.path == "Parameters.parameter.value[x]");
    values.any(|element| element.types.iter().any(|one| &*one.code == type_name))
}
