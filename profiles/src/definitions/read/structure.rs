//! StructureDefinition → [`TypeDef`].

use std::sync::Arc;

use super::{Fact, Lacks, count, most, needed, text, texts, truth};
use crate::{
    definitions::{
        Binding, Constraint, Context, Discriminator, ElementDef, ElementType, Slicing, Strength, TypeDef, TypeKind,
    },
    json::Json,
};

/// A StructureDefinition's facts; its elements are those of the snapshot.
///
/// # Errors
/// [`Lacks`] names what every such definition has and this one has not.
pub fn type_def(resource: &Json) -> Fact<TypeDef> {
    let kind = match resource.str("kind") {
        Some("primitive-type") => TypeKind::PrimitiveType,
        Some("complex-type") => TypeKind::ComplexType,
        Some("resource") => TypeKind::Resource,
        Some("logical") => TypeKind::Logical,
        _ => return Err(Lacks("kind")),
    };
    let base_url = text(resource, "baseDefinition");
    let base = base_url.as_deref().and_then(|url| url.rsplit('/').next()).map(Box::from);
    let elements = resource.at(&["snapshot", "element"]).map_or(&[][..], Json::items);
    Ok(TypeDef {
        name: needed(resource, "type")?,
        url: needed(resource, "url")?,
        version: text(resource, "version"),
        label: needed(resource, "name")?,
        kind,
        is_abstract: truth(resource, "abstract"),
        base,
        base_url,
        is_profile: resource.str("derivation") == Some("constraint"),
        contexts: resource.list("context").iter().map(context).collect::<Fact<_>>()?,
        elements: elements.iter().map(element).collect::<Fact<_>>()?,
    })
}

fn context(json: &Json) -> Fact<Context> {
    Ok(Context { kind: needed(json, "type")?, expression: needed(json, "expression")? })
}

fn element(json: &Json) -> Fact<ElementDef> {
    let path = needed(json, "path")?;
    let base = json.get("base").ok_or(Lacks("base"))?;
    let is_resource_id = base.str("path") == Some("Resource.id");
    Ok(ElementDef {
        id: text(json, "id").filter(|id| *id != path),
        slice: text(json, "sliceName"),
        min: count(json, "min").ok_or(Lacks("min"))?,
        max: most(json),
        base_max: most(base),
        types: json.list("type").iter().map(|one| element_type(one, is_resource_id)).collect::<Fact<_>>()?,
        content_reference: json.str("contentReference").map(|path| path.trim_start_matches('#').into()),
        representation: texts(json, "representation"),
        is_summary: truth(json, "isSummary"),
        is_modifier: truth(json, "isModifier"),
        must_support: truth(json, "mustSupport"),
        binding: json.get("binding").map(binding).transpose()?,
        constraints: json.list("constraint").iter().map(constraint).collect::<Fact<_>>()?,
        fixed: chosen(json, "fixed"),
        pattern: chosen(json, "pattern"),
        min_value: chosen(json, "minValue"),
        max_value: chosen(json, "maxValue"),
        max_length: count(json, "maxLength"),
        regex: json.list("type").iter().find_map(|one| extension(one, REGEX)),
        slicing: json.get("slicing").map(slicing).transpose()?,
        path,
    })
}

/// The value of a choice such as `fixed[x]`, whatever its type.
fn chosen(json: &Json, name: &str) -> Option<Json> {
    let mut members = json.members().iter();
    let is_it = |found: &str| found.strip_prefix(name).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    members.find(|member| is_it(&member.name)).map(|member| member.value.clone())
}

/// `http://hl7.org/fhirpath/System.String` is the type of a primitive's own value
/// and, by an extension that names the FHIR type, of `id` and `url`. The package
/// calls a resource's id `string` there, though the specification's `id` is meant.
fn element_type(json: &Json, is_resource_id: bool) -> Fact<ElementType> {
    let code = needed(json, "code")?;
    let code = match code.strip_prefix("http://hl7.org/fhirpath/") {
        Some(_) if is_resource_id => "id".into(),
        Some(system) => extension(json, FHIR_TYPE).unwrap_or_else(|| system.into()),
        None => code,
    };
    Ok(ElementType {
        code,
        profiles: texts(json, "profile"),
        target_profiles: texts(json, "targetProfile"),
        aggregation: texts(json, "aggregation"),
    })
}

fn extension(json: &Json, url: &str) -> Option<Box<str>> {
    let found = json.list("extension").iter().find(|one| one.str("url") == Some(url))?;
    text(found, "valueString").or_else(|| text(found, "valueUrl"))
}

fn binding(json: &Json) -> Fact<Binding> {
    let strength = match json.str("strength") {
        Some("required") => Strength::Required,
        Some("extensible") => Strength::Extensible,
        Some("preferred") => Strength::Preferred,
        Some("example") => Strength::Example,
        _ => return Err(Lacks("binding.strength")),
    };
    Ok(Binding { strength, value_set: text(json, "valueSet") })
}

fn constraint(json: &Json) -> Fact<Arc<Constraint>> {
    Ok(Arc::new(Constraint {
        key: needed(json, "key")?,
        is_warning: json.str("severity") == Some("warning"),
        expression: text(json, "expression"),
        source: text(json, "source"),
    }))
}

fn slicing(json: &Json) -> Fact<Slicing> {
    let discriminator = |json: &Json| -> Fact<Discriminator> {
        Ok(Discriminator { kind: needed(json, "type")?, path: needed(json, "path")? })
    };
    Ok(Slicing {
        discriminators: json.list("discriminator").iter().map(discriminator).collect::<Fact<_>>()?,
        ordered: truth(json, "ordered"),
        rules: needed(json, "rules")?,
    })
}

const REGEX: &str = "http://hl7.org/fhir/StructureDefinition/regex";
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
