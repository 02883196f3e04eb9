//! The CapabilityStatement, made from the tables: it claims what is routed, the
//! search parameters of every kind, and nothing else.
//!
//! Source: FHIR R4 capabilitystatement.html

use std::collections::HashMap;

use techo_profiles::definitions::{ParameterKind, SearchParameter};
use techo_profiles::json;
use techo_profiles::{Definitions, json::Json};

use crate::app::App;
use crate::config::{ConditionalDelete, Config};
use crate::interaction::audit::RENDERED;
use crate::interaction::patch::MEDIA;
use crate::interaction::read::no_count;
use crate::interaction::{Call, Error, Reply, subset};
use crate::operation::definition::of_query;
use crate::operation::{Level, OPERATIONS, Operation};
use crate::search::named::QUERIES;
use crate::search::reach::brought;
use crate::search::shape::Shape;

/// The interactions of a resource type, as R4 names them.
pub const INTERACTIONS: &[&str] =
    &["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"];

/// Types that are answered in part: `AuditEvent`s are rendered from the log.
pub const READ_ONLY: &[&str] = RENDERED;

/// How Binaries differ from all other types.
const CONTENT: &str = "A read or vread whose Accept names the Binary's own contentType, or a range of it, gives the \
    content; Accept of */* or none gives FHIR JSON. A create or update with another Content-Type than those of FHIR takes \
    the body for the content, and X-Security-Context for securityContext.reference.";

/// The search parameters of AuditEvent.
const AUDIT_PARAMETERS: &[(&str, &str)] =
    &[("_id", "token"), ("_lastUpdated", "date"), ("date", "date"), ("patient", "reference")];

/// The search parameters of all types that no definition stands for.
const EVERYWHERE: &[(&str, &str, &str)] = &[
    ("_has", "special", "_has:Type:reference:parameter; chains and reverse chains mix, up to three steps."),
    ("_list", "special", "The items of a List, by its id."),
    (
        "_text",
        "string",
        "Words of the narrative: AND, OR, NOT, parentheses, \"words together\"; kana, width and case are folded. For types that have a narrative.",
    ),
    ("_content", "string", "Words of any text in the resource, asked in the same way."),
];

/// What this server does.
pub fn statement(config: &Config, definitions: &Definitions) -> Json {
    let base = &config.base_url;
    let referring = referring(definitions);
    let how = (config.require_if_match, config.conditional_delete);
    let types = definitions.resource_types().iter().map(|kind| {
        let operations = OPERATIONS.iter().filter(|operation| operation.levels.iter().any(|level| level.names(kind)));
        let operations = operations.map(|operation| claim(operation, &config.fhir_base()));
        let queries = QUERIES.iter().filter(|query| *query.kind == **kind);
        let queries =
            queries.map(|one| json!({"name": (one.name), "definition": (of_query(one, &config.fhir_base()))}));
        let operations: Vec<Json> = operations.chain(queries).collect();
        let resource = resource(definitions, kind, referring.get(&**kind), how);
        if operations.is_empty() { resource } else { resource.with("operation", Json::from(operations)) }
    });
    let compartments = definitions
        .compartments()
        .keys()
        .map(|name| Json::from(format!("http://hl7.org/fhir/CompartmentDefinition/{}", name.to_lowercase())));
    let operations = OPERATIONS.iter().filter(|operation| operation.levels.contains(&Level::System));
    let operations = operations.map(|operation| claim(operation, &config.fhir_base()));
    let everywhere = EVERYWHERE.iter().map(
        |(name, kind, documentation)| json!({"name": (*name), "type": (*kind), "documentation": (*documentation)}),
    );
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "Techo", "version": (env!("CARGO_PKG_VERSION"))},
        "implementation": {"description": "Techo", "url": (config.fhir_base())},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "patchFormat": (Json::array(MEDIA.iter().map(|media| Json::from(*media)))),
        "rest": [{
            "mode": "server",
            "security": {
                "cors": true,
                "service": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                    "code": "SMART-on-FHIR"
                }]}],
                "extension": [{
                    "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                    "extension": [
                        {"url": "authorize", "valueUri": (format!("{base}/oauth/authorize"))},
                        {"url": "token", "valueUri": (format!("{base}/oauth/token"))},
                        {"url": "revoke", "valueUri": (format!("{base}/oauth/revoke"))},
                        {"url": "introspect", "valueUri": (format!("{base}/oauth/introspect"))}
                    ]
                }]
            },
            "resource": (Json::array(types)),
            "interaction": [
                {"code": "transaction"}, {"code": "batch"}, {"code": "history-system"},
                {"code": "search-system", "documentation": "Of the types that _type names, by the parameters that all of them have; without _type of all that the token may search. AuditEvent is searched by itself."}
            ],
            "searchParam": (Json::array(of_all_types(definitions).chain(everywhere))),
            "operation": (Json::array(operations)),
            "compartment": (Json::array(compartments))
        }]
    })
}

/// The part of the statement that `_summary` or `_elements` asks for; `None` for all of it.
pub fn part(app: &App, query: &[(String, String)]) -> Result<Option<Vec<u8>>, Error> {
    let shape = Shape::asked(app.definitions, "CapabilityStatement", query)?;
    no_count(&shape)?;
    if shape.is_whole() {
        return Ok(None);
    }
    let whole = app.capabilities().to_vec();
    subset::cut(app.definitions, "CapabilityStatement", whole, (&shape, true))
        .map(Some)
        .map_err(|_| Error::Internal("what the server says of itself is no JSON".into()))
}

/// The statement as the answer of a Bundle's entry.
pub fn entry(call: &Call<'_>, query: &[(String, String)]) -> Result<Reply, Error> {
    let body = part(call.app, query)?.unwrap_or_else(|| call.app.capabilities().to_vec());
    Ok(Reply { body: Some(body), ..Reply::default() })
}

fn claim(operation: &Operation, base: &str) -> Json {
    json!({"name": (operation.name), "definition": (operation.definition(base))})
}

/// * `referring`: what `_revinclude` may bring beside it.
/// * `how`: whether changes need `If-Match`, and what a conditional delete takes.
fn resource(
    definitions: &Definitions,
    kind: &str,
    referring: Option<&Vec<String>>,
    (guarded, deletes): (bool, ConditionalDelete),
) -> Json {
    if READ_ONLY.contains(&kind) {
        return rendered(kind);
    }
    let parameters = definitions.parameters(kind);
    let searched = parameters.iter().filter(|one| built(kind, one)).map(parameter);
    let leads = |one: &&SearchParameter| {
        one.kind == ParameterKind::Reference && brought(definitions, kind, one).is_none_or(|reach| !reach.is_empty())
    };
    let named = parameters.iter().filter(leads).map(|parameter| Json::from(format!("{kind}:{}", parameter.code)));
    let includes = [Json::from("*"), Json::from(format!("{kind}:*"))].into_iter().chain(named);
    let mut resource = json!({
        "type": kind,
        "interaction": (Json::array(INTERACTIONS.iter().map(|code| json!({"code": (*code)})))),
        "versioning": (if guarded { "versioned-update" } else { "versioned" }),
        "readHistory": true,
        "updateCreate": true,
        "conditionalCreate": true,
        "conditionalRead": "full-support",
        "conditionalUpdate": true,
        "conditionalDelete": (deletes.code()),
        "referencePolicy": ["literal", "logical"]
    });
    if kind == "Binary" {
        resource.set("documentation", Json::from(CONTENT));
    }
    let every = referring.iter().map(|_| Json::from("*"));
    let referring = every.chain(referring.into_iter().flatten().map(|name| Json::from(name.as_str())));
    // An empty array is no FHIR.
    for (name, list) in [
        ("searchInclude", includes.collect::<Vec<_>>()),
        ("searchRevInclude", referring.collect()),
        ("searchParam", searched.collect()),
    ] {
        if !list.is_empty() {
            resource.set(name, Json::from(list));
        }
    }
    resource
}

/// The parameters of a search across types: those that all types have.
fn of_all_types(definitions: &Definitions) -> impl Iterator<Item = Json> {
    let all = definitions.all_parameters().iter().filter(|one| one.base.iter().any(|base| base == "Resource"));
    all.filter(|one| built("Resource", one)).map(parameter)
}

fn parameter(parameter: &SearchParameter) -> Json {
    json!({
        "name": (parameter.code.as_str()),
        "definition": (parameter.url.as_str()),
        "type": (parameter.kind.name())
    })
}

/// A type that is rendered from elsewhere: no versions, no writes.
fn rendered(kind: &str) -> Json {
    let parameters = AUDIT_PARAMETERS.iter().map(|(name, kind)| json!({"name": (*name), "type": (*kind)}));
    json!({
        "type": kind,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "readHistory": false,
        "updateCreate": false,
        "conditionalCreate": false,
        "conditionalRead": "not-supported",
        "conditionalDelete": "not-supported",
        "searchParam": (Json::array(parameters))
    })
}

/// A definition without an expression has no index; one such is answered otherwise.
fn built(kind: &str, parameter: &SearchParameter) -> bool {
    !parameter.expression_for(kind).is_empty() || parameter.code == "_filter"
}

/// By type the parameters that can lead to it, as `Observation:subject`.
fn referring(definitions: &Definitions) -> HashMap<&str, Vec<String>> {
    let mut found: HashMap<&str, Vec<String>> = HashMap::new();
    for source in definitions.resource_types().iter().filter(|kind| !READ_ONLY.contains(&&***kind)) {
        let references =
            definitions.parameters(source).iter().filter(|parameter| parameter.kind == ParameterKind::Reference);
        for parameter in references {
            let reach = brought(definitions, source, parameter);
            let leads = |kind: &&&str| {
                let number = definitions.type_number(kind);
                reach.as_ref().is_none_or(|reach| number.is_some_and(|number| reach.contains(&number)))
            };
            for target in definitions.resource_types().iter().filter(leads) {
                found.entry(target).or_default().push(format!("{source}:{}", parameter.code));
            }
        }
    }
    found
}
