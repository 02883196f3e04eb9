//! SearchParameter, CompartmentDefinition, `OperationDefinition` → facts.

use super::{Fact, Lacks, count, most, needed, text, texts, truth};
use crate::{
    definitions::{Compartment, Component, OperationFacts, OperationParameter, ParameterKind, SearchParameter},
    json::Json,
};

/// None for what cannot be served: HL7's examples, parameters of no type, and
/// those that name neither an expression nor a way of their own.
pub fn parameter(resource: &Json) -> Fact<Option<SearchParameter>> {
    let kind = ParameterKind::named(&needed(resource, "type")?).ok_or(Lacks("type"))?;
    let base: Vec<String> = texts(resource, "base");
    let expression = resource.str("expression").unwrap_or_default();
    let is_example = needed(resource, "url")?.rsplit('/').next().is_some_and(|name| name.starts_with("example"));
    if is_example || base.is_empty() || (expression.is_empty() && kind != ParameterKind::Special) {
        return Ok(None);
    }
    let flag = |name| resource.get(name).and_then(Json::as_bool);
    Ok(Some(SearchParameter {
        url: needed(resource, "url")?.into(),
        code: needed(resource, "code")?.into(),
        kind,
        expression: expression.to_owned(),
        base,
        targets: texts(resource, "target"),
        components: resource.list("component").iter().map(component).collect::<Fact<_>>()?,
        multiple_or: flag("multipleOr").unwrap_or(true),
        multiple_and: flag("multipleAnd").unwrap_or(true),
        comparators: texts(resource, "comparator"),
        branches: std::sync::Arc::default(),
    }))
}

fn component(json: &Json) -> Fact<Component> {
    Ok(Component { definition: needed(json, "definition")?.into(), expression: needed(json, "expression")?.into() })
}

/// None for HL7's example.
pub fn compartment(resource: &Json) -> Fact<Option<Compartment>> {
    if resource.str("id") == Some("example") {
        return Ok(None);
    }
    let members = resource.list("resource").iter().filter(|member| !member.list("param").is_empty());
    let members = members.map(|member| Ok((needed(member, "code")?.into(), texts(member, "param"))));
    Ok(Some(Compartment { code: needed(resource, "code")?.into(), members: members.collect::<Fact<_>>()? }))
}

/// An `OperationDefinition`'s facts.
///
/// # Errors
/// [`Lacks`] names what every such definition has and this one has not.
pub fn operation(resource: &Json) -> Fact<OperationFacts> {
    Ok(OperationFacts {
        url: needed(resource, "url")?,
        code: needed(resource, "code")?,
        resources: texts(resource, "resource"),
        at_system: truth(resource, "system"),
        at_type: truth(resource, "type"),
        at_instance: truth(resource, "instance"),
        parameters: resource.list("parameter").iter().map(operation_parameter).collect::<Fact<_>>()?,
    })
}

fn operation_parameter(json: &Json) -> Fact<OperationParameter> {
    Ok(OperationParameter {
        name: needed(json, "name")?,
        is_out: json.str("use") == Some("out"),
        min: count(json, "min").ok_or(Lacks("min"))?,
        max: most(json),
        type_name: text(json, "type"),
        search_kind: text(json, "searchType"),
        target_profiles: texts(json, "targetProfile"),
        parts: json.list("part").iter().map(operation_parameter).collect::<Fact<_>>()?,
    })
}
