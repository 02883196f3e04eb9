//! `OperationDefinition`s of our own operations and named queries, made from the tables.
//!
//! Source: FHIR R4 operationdefinition.html

use techo_profiles::json;
use techo_profiles::json::Json;

use super::{Level, OPERATIONS, Operation, Origin, Parameter};
use crate::interaction::{Call, Error, Location, Reply};
use crate::search::named::{NamedQuery, QUERIES};

/// What has a definition of our own.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    /// An operation.
    Operation(&'static Operation),
    /// A named query.
    Query(&'static NamedQuery),
}

/// The operation or query of ours that is told at this place.
pub fn told_at(at: &Location) -> Option<Told> {
    if at.kind != "OperationDefinition" {
        return None;
    }
    let operation = OPERATIONS.iter().find(|one| one.origin == Origin::Own && one.name == at.id);
    let query = || QUERIES.iter().find(|one| one.name == at.id).map(Told::Query);
    operation.map(Told::Operation).or_else(query)
}

/// The URL of a named query's definition.
///
/// * `base`: of our own FHIR URLs.
pub fn of_query(query: &NamedQuery, base: &str) -> String {
    format!("{base}/OperationDefinition/{}", query.name)
}

/// `GET OperationDefinition/[name]`
pub fn read(call: &Call<'_>, at: &Location, told: Told) -> Result<Reply, Error> {
    call.may(call.action, &at.kind)?;
    let definition = match told {
        Told::Operation(operation) => definition(operation, &call.base),
        Told::Query(query) => query_definition(query, &call.base),
    };
    let body = definition.to_string().into_bytes();
    Ok(Reply { body: Some(body), about: Some(at.clone()), count: 1, ..Reply::default() })
}

fn definition(operation: &Operation, base: &str) -> Json {
    let at = |wanted: fn(&Level) -> bool| operation.levels.iter().any(wanted);
    let mut types: Vec<&str> = operation
        .levels
        .iter()
        .filter_map(|level| match level {
            Level::System => None,
            Level::Type(of) | Level::Instance(of) | Level::Version(of) => Some(*of),
        })
        .collect();
    types.dedup();
    let mut definition = json!({
        "resourceType": "OperationDefinition",
        "id": (operation.name),
        "url": (operation.definition(base)),
        "name": (operation.name.replace('-', "_")),
        "status": "active",
        "kind": "operation",
        "description": (operation.summary),
        "affectsState": (operation.changes),
        "code": (operation.name)
    });
    if !types.is_empty() {
        definition.set("resource", Json::array(types.iter().map(|one| Json::from(*one))));
    }
    definition.set("system", Json::from(at(|level| *level == Level::System)));
    definition.set("type", Json::from(at(|level| matches!(level, Level::Type(_)))));
    definition.set("instance", Json::from(at(|level| matches!(level, Level::Instance(_)))));
    let ins = operation.parameters.iter().map(|one| parameter(one, "in"));
    let outs = operation.answers.iter().map(|one| parameter(one, "out"));
    definition.with("parameter", Json::array(ins.chain(outs)))
}

/// A query's own parameters are strings of a kind of search parameter, as R4 has it.
fn query_definition(query: &NamedQuery, base: &str) -> Json {
    let ins = query.parameters.iter().map(|one| {
        json!({
            "name": (one.name),
            "use": "in",
            "min": (i64::from(one.required)),
            "max": "1",
            "documentation": (one.about),
            "type": "string",
            "searchType": (one.kind)
        })
    });
    let out = parameter(&Parameter::required("return", "Bundle"), "out");
    json!({
        "resourceType": "OperationDefinition",
        "id": (query.name),
        "url": (of_query(query, base)),
        "name": (query.name.replace('-', "_")),
        "status": "active",
        "kind": "query",
        "description": (query.summary),
        "affectsState": false,
        "code": (query.name),
        "resource": [(query.kind)],
        "system": false,
        "type": true,
        "instance": false,
        "parameter": (Json::array(ins.chain([out])))
    })
}

fn parameter(one: &Parameter, direction: &str) -> Json {
    json!({
        "name": (one.name),
        "use": direction,
        "min": (i64::from(one.required)),
        "max": (if one.many { "*" } else { "1" }),
        "type": (one.kind)
    })
}
