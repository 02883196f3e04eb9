//! `OperationDefinition`s of our own operations, made from the table.
//!
//! Source: FHIR R4 operationdefinition.html

use techo_profiles::json;
use techo_profiles::json::Json;

use super::{Level, OPERATIONS, Operation, Origin, Parameter};
use crate::interaction::{Call, Error, Location, Reply};

/// The operation of ours that is told at this place.
pub fn told_at(at: &Location) -> Option<&'static Operation> {
    OPERATIONS
        .iter()
        .filter(|_| at.kind == "OperationDefinition")
        .find(|one| one.origin == Origin::Own && one.name == at.id)
}

/// `GET OperationDefinition/[name]`
pub fn read(call: &Call<'_>, at: &Location, operation: &Operation) -> Result<Reply, Error> {
    call.may(call.action, &at.kind)?;
    let body = definition(operation, &call.base).to_string().into_bytes();
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

fn parameter(one: &Parameter, direction: &str) -> Json {
    json!({
        "name": (one.name),
        "use": direction,
        "min": (i64::from(one.required)),
        "max": (if one.many { "*" } else { "1" }),
        "type": (one.kind)
    })
}
