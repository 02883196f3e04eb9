//! `POST /fhir/$fhirpath`: what an expression yields on a resource that is sent along.
//!
//! Nothing stored is read: references are not followed. Any good token will do; it
//! keeps strangers from spending our time, and the evaluator's fuel keeps everybody
//! from spending much of it.
//!
//! Each item is a part `result` with a value of its FHIR type. What `value[x]` has
//! no type for (a backbone element, a Narrative, an Extension) is told by a part for
//! each of its elements. An extension says where in the resource the item stands.

use techo_profiles::Definitions;
use techo_profiles::definitions::choice_name;
use techo_profiles::json::{Json, Value as Tree};
use techo_profiles::path::{
    Context, DateTime, Expression, Item, Knowledge, Locations, Model, Node, PathError, Reason, Value,
};
use techo_profiles::primitive::Primitive;

use super::{Gate, Input, Media, Operation, Output};
use crate::app::App;
use crate::interaction::plan::parse;
use crate::interaction::{Error, Interaction, Issue};
use crate::search::unit::Ucum;

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "fhirpath",
    gate: Gate::Token,
    media: Media::Fhir,
    run: |app, token, input| Box::pin(fhirpath(app, token, input)),
};

async fn fhirpath(app: &App, token: &str, input: &Input<'_>) -> Result<Output, Error> {
    app.call(token, false, &Interaction::Bundle(Vec::new())).await?;
    let parameters = parse(input.body)?;
    let asked = Asked::read(&parameters)?;
    let expression = Expression::shared(asked.expression).map_err(|error| unreadable(&error, asked.at))?;
    let now = app.clock.now();
    let offset = app.config.zone.to_offset(now).seconds() / 60;
    let now = DateTime::at(now, i16::try_from(offset).unwrap_or(0));
    let knowledge = Knowledge { definitions: app.definitions, codes: &app.codes };
    let context = Context::new(app.definitions).now(now).units(&Ucum).terminology(&knowledge).profiles(&knowledge);
    let items = expression.evaluate(asked.resource, &context).map_err(|error| unevaluated(&error, asked.at))?;
    let places = Locations::of(app.definitions, Node::resource(asked.resource));
    let parts = items.iter().map(|item| placed(part(app.definitions, "result", item), item, &places));
    let mut answer = Json::object([("resourceType", Json::from("Parameters"))]);
    if !items.is_empty() {
        answer.set("parameter", Json::array(parts));
    }
    Ok(Output { body: answer.to_string().into_bytes(), refused: false })
}

/// What is asked, out of the Parameters.
struct Asked<'a> {
    expression: &'a str,
    /// The parameter that says it.
    at: usize,
    resource: &'a Json,
}

impl<'a> Asked<'a> {
    fn read(parameters: &'a Json) -> Result<Self, Error> {
        if parameters.str("resourceType") != Some("Parameters") {
            return Err(missing("resourceType"));
        }
        let list = parameters.list("parameter");
        let named = |name: &str| list.iter().position(|one| one.str("name") == Some(name));
        let at = named("expression").ok_or_else(|| missing("Parameters.parameter"))?;
        let expression =
            list[at].str("valueString").ok_or_else(|| missing(&format!("Parameters.parameter[{at}].value")))?;
        let on = named("resource").ok_or_else(|| missing("Parameters.parameter"))?;
        let place = format!("Parameters.parameter[{on}].resource");
        let resource = list[on].get("resource").ok_or_else(|| missing(&place))?;
        let known = resource.str("resourceType").is_some_and(|name| Definitions::embedded().is_resource(name));
        if !known {
            return Err(missing(&place));
        }
        Ok(Self { expression, at, resource })
    }
}

fn missing(place: &str) -> Error {
    Error::Invalid(vec![
        Issue::error(
            "required",
            "Send Parameters with \"expression\" (valueString) and \"resource\" (a resource of R4).",
            "\"expression\"(valueString)と\"resource\"(R4 のリソース)を持つ Parameters を送ってください。",
        )
        .at(place),
    ])
}

fn unreadable(error: &PathError, at: usize) -> Error {
    Error::Invalid(vec![issue("invalid", error, at)])
}

fn unevaluated(error: &PathError, at: usize) -> Error {
    let code = if error.reason == Reason::Fuel { "too-costly" } else { "processing" };
    Error::Unprocessable(vec![issue(code, error, at)])
}

/// Names the expression's own words, never a value of the resource.
fn issue(code: &'static str, error: &PathError, at: usize) -> Issue {
    Issue::error(code, error.to_string(), format!("FHIRPath 式を評価できません({} バイト目): {}", error.at, error.text))
        .at(format!("Parameters.parameter[{at}].value"))
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
