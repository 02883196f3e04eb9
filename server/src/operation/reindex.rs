//! `POST /fhir/$reindex`: brings the records up to the search parameters of this
//! installation, and tells how far that is.
//!
//! The work goes on behind the answer (`job/reindex.rs`); asking again tells the
//! progress. It makes index rows and shows none, so it needs no View; who may define
//! parameters may ask for it.

use techo_profiles::json;
use techo_profiles::json::Json;

use super::{Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::interaction::{Call, Error, Reply};
use crate::job::reindex::targets;
use crate::search::own::{OwnParameter, Standing};
use crate::store::rules::Rebuild;

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "reindex",
    summary: "Indexes the records by this server's own search parameters, and tells how far that is.",
    origin: Origin::Own,
    levels: &[Level::System],
    gate: Gate::Custodial(&["SearchParameter"]),
    changes: true,
    body: Body::Parameters,
    parameters: &[Parameter::optional("progressOnly", "boolean")],
    answers: &[Parameter::many("parameter", "Element"), Parameter::many("type", "Element")],
    run: |call, input| Box::pin(reindex(call, input)),
};

async fn reindex(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    call.catch_up().await?;
    let catalog = call.catalog();
    if input.text("progressOnly") != Some("true") {
        call.rules.wanted.notify_one();
    }
    let rebuilds = call.store.rebuilds().await?;
    let parameters = catalog.own().iter().map(definition);
    let types = targets(&catalog, call.app).into_iter().map(|(kind, target)| {
        let walk = rebuilds.iter().find(|one| one.kind == kind);
        progress(&call.type_name(kind), target, walk)
    });
    let mut answer = json!({"resourceType": "Parameters"});
    let parts: Vec<Json> = parameters.chain(types).collect();
    if !parts.is_empty() {
        answer.set("parameter", Json::from(parts));
    }
    Ok(Reply { body: Some(answer.to_string().into_bytes()), ..Reply::default() })
}

fn definition(own: &OwnParameter) -> Json {
    let state = match (own.life.retired, own.life.standing) {
        (i64::MAX, Standing::Ready) => "ready",
        (i64::MAX, Standing::Indexing) => "indexing",
        (i64::MAX, Standing::Refused) => "refused",
        _ => "ended",
    };
    json!({"name": "parameter", "part": [
        {"name": "url", "valueUri": (own.definition.url.as_str())},
        {"name": "code", "valueCode": (own.definition.code.as_str())},
        {"name": "source", "valueString": (&*own.source)},
        {"name": "state", "valueCode": state}
    ]})
}

/// * `target`: the generation that the type has to reach.
fn progress(name: &str, target: i64, walk: Option<&Rebuild>) -> Json {
    let state = match walk {
        Some(walk) if walk.finished >= target => "done",
        Some(walk) if walk.target == target => "indexing",
        _ => "waiting",
    };
    // How many records there are, of others too, is nobody's to know.
    let percent = match walk {
        Some(walk) if walk.finished >= target => 100,
        Some(walk) if walk.target == target && walk.total > 0 => (walk.done * 100 / walk.total).clamp(0, 100),
        Some(walk) if walk.target == target => 100,
        _ => 0,
    };
    json!({"name": "type", "part": [
        {"name": "type", "valueCode": name},
        {"name": "state", "valueCode": state},
        {"name": "percent", "valueUnsignedInt": percent}
    ]})
}
