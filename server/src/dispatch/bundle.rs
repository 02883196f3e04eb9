//! `POST [base]`: a transaction, all or nothing; a batch, each for itself.
//!
//! A transaction is planned whole and written as one set. Entries may refer to
//! each other by `fullUrl` (`urn:uuid:…`); the references are rewritten in the
//! bytes received. Deletes are planned first, then creates, updates, patches; reads,
//! searches and operations are answered when all is written. In the audit log each read,
//! and each refusal of a batch, has a record of its own.
//!
//! Source: FHIR R4 http.html#transaction

mod entry;
mod names;
mod path;
mod transaction;

use std::collections::HashSet;
use std::sync::Arc;

use techo_profiles::json::Json;

use crate::interaction::audit::Looks;
use crate::interaction::plan::parse;
use crate::interaction::{Call, Error, Interaction, Issue, Reply, Return};
use crate::store::write::instant;
use entry::{Entry, Verb, fault};
use transaction::transaction;

/// The most entries that a Bundle may have.
pub const MOST: usize = 5000;
/// Bytes of answers at which no more reads are answered: every entry may ask for a
/// thousand records.
const LARGEST: usize = 64 * 1024 * 1024;

/// Carries a Bundle out.
pub async fn bundle(call: &Call<'_>, body: &[u8]) -> Result<Reply, Error> {
    let resource = parse(body)?;
    let is_batch = resource.str("type") == Some("batch");
    match call.validated(body, &resource) {
        // What one entry of a batch brings is checked when its turn comes.
        Err(Error::Invalid(issues)) if is_batch && issues.iter().all(of_an_entry) => {}
        checked => checked?,
    }
    if resource.str("resourceType") != Some("Bundle") {
        return Err(fault(
            "Send a Bundle of type transaction or batch here.",
            "Bundle(transaction または batch)を送ってください。",
            "resourceType",
        ));
    }
    let entries = resource.list("entry");
    if entries.len() > MOST {
        let issue = Issue::error(
            "too-costly",
            format!("A Bundle may have up to {MOST} entries."),
            format!("Bundle の entry は {MOST} 件までです。"),
        );
        return Err(Error::TooLarge(issue.at("Bundle.entry")));
    }
    match resource.str("type") {
        Some("transaction") => transaction(call, body, entries).await,
        Some("batch") => batch(call, body, entries).await,
        _ => Err(fault(
            "Bundle.type must be transaction or batch.",
            "Bundle.type は transaction または batch にしてください。",
            "Bundle.type",
        )),
    }
}

/// Whether an issue is about the resource of an entry.
fn of_an_entry(issue: &Issue) -> bool {
    let inside = issue.expression.as_deref().and_then(|expression| expression.strip_prefix("Bundle.entry["));
    inside.and_then(|inside| inside.split_once("].")).is_some_and(|(_, rest)| rest.starts_with("resource"))
}

/// Each entry through the one way in, by itself: what ends while a batch is at work ends for the
/// entries that are left.
async fn batch(call: &Call<'_>, body: &[u8], entries: &[Json]) -> Result<Reply, Error> {
    let mut reply = Reply { count: entries.len(), ..Reply::default() };
    let (mut answers, mut size) = (Vec::new(), 0);
    let names: HashSet<String> = entries.iter().filter_map(|entry| entry.str("fullUrl")).map(names::key_of).collect();
    for (index, json) in entries.iter().enumerate() {
        let result = match Entry::read(body, &call.base, index, json) {
            Ok(entry) if entry.verb == Verb::Get && size > LARGEST => Err(too_much()),
            Ok(entry) => match Box::pin(call.anew()).await {
                Ok(_) if names::refers(call, &entry, &names) => Err(apart_from_others()),
                Ok(call) => alone(&call, &entry).await.map(|found| (entry, found)),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let answer = match result {
            Ok((entry, found)) => {
                if found.written {
                    reply.disclosed.extend(found.disclosed.iter().cloned());
                }
                response(call, &entry, &found)
            }
            Err(error) => refusal(call, index, error),
        };
        size += answer.len();
        answers.push(answer);
    }
    reply.body = Some(answered("batch-response", &answers));
    Ok(reply)
}

async fn alone(call: &Call<'_>, entry: &Entry) -> Result<Reply, Error> {
    let interaction = entry.interaction();
    let own = apart(call, &interaction, Arc::default());
    let result = match entry.allowed(call) {
        Ok(()) => super::run(&own, &interaction).await,
        Err(error) => Err(error),
    };
    own.record(&interaction, &result).await?;
    result
}

fn apart_from_others() -> Error {
    fault(
        "This refers to another entry of the batch by its fullUrl, and entries of a batch know nothing of each other: \
         send a transaction.",
        "batch の別の entry を fullUrl で参照しています。batch の entry は互いに独立しているため、transaction で送ってください。",
        "resource",
    )
}

/// The call of one entry. What it looks at is kept under a record of its own: the Bundle's
/// would say whose data went out, and not by which question.
fn apart<'a>(call: &Call<'a>, interaction: &Interaction, looks: Arc<Looks>) -> Call<'a> {
    Call { looks, ..call.doing(interaction.action()) }
}

/// The answer of an entry that was refused while others were not.
fn refusal(call: &Call<'_>, index: usize, error: Error) -> String {
    let (status, issues) = within(index, error).explained();
    let outcome = outcome(call, &issues);
    format!("{{\"response\":{{\"status\":\"{status}\",\"outcome\":{outcome}}}}}")
}

fn outcome(call: &Call<'_>, issues: &[Issue]) -> Json {
    Json::object([
        ("resourceType", Json::from("OperationOutcome")),
        ("issue", Json::array(issues.iter().map(|issue| issue.json(call.japanese)))),
    ])
}

/// What an entry is answered. Of what it writes the resource is told only if that is
/// asked for: the client has it.
fn response(call: &Call<'_>, entry: &Entry, reply: &Reply) -> String {
    let mut answer = Json::object([("status", Json::from(reply.status.line()))]);
    if let Some(location) = &reply.location {
        answer.set("location", Json::from(format!("{}/{location}", call.base)));
    }
    if let Some((version, updated)) = reply.version {
        answer.set("etag", Json::from(format!("W/\"{version}\"")));
        answer.set("lastModified", Json::from(instant(updated)));
    }
    let writes = entry.verb != Verb::Get;
    if writes && call.give == Some(Return::Outcome) {
        let done = if entry.verb == Verb::Delete { Issue::removed() } else { Issue::stored() };
        answer.set("outcome", outcome(call, &[done]));
    }
    let wanted = if writes { call.give == Some(Return::Representation) } else { !entry.head };
    let told = reply.body.as_ref().filter(|_| wanted);
    match told.and_then(|body| std::str::from_utf8(body).ok()) {
        Some(resource) => format!("{{\"resource\":{resource},\"response\":{answer}}}"),
        None => format!("{{\"response\":{answer}}}"),
    }
}

fn answered(kind: &str, answers: &[String]) -> Vec<u8> {
    if answers.is_empty() {
        return format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\"}}").into_bytes();
    }
    format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\",\"entry\":[{}]}}", answers.join(",")).into_bytes()
}

/// What is asked for is too much for one answer.
fn too_much() -> Error {
    Error::TooLarge(Issue::error(
        "too-costly",
        format!("The entries before this one have filled an answer of {LARGEST} bytes. Ask for the rest by itself."),
        format!("ここまでの entry で応答が {LARGEST} バイトに達しました。残りは別に要求してください。"),
    ))
}

fn within(index: usize, error: Error) -> Error {
    match error {
        Error::Entry { .. } => error,
        other => Error::Entry { index, error: Box::new(other) },
    }
}
