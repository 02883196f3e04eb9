//! `POST [base]`: a transaction, all or nothing; a batch, each for itself.
//!
//! A transaction is planned whole and written as one set. Entries may refer to
//! each other by `fullUrl` (`urn:uuid:…`); the references are rewritten in the
//! bytes received. Deletes are planned first, then creates, updates, reads.
//!
//! Source: FHIR R4 http.html#transaction

mod entry;
mod names;

use std::collections::{HashMap, HashSet};

use techo_profiles::json::Json;

use crate::interaction::conditional::{Condition, present};
use crate::interaction::plan::{Draft, parse};
use crate::interaction::{Call, Error, Issue, Location, Reply, Return, Status, create, delete, update};
use crate::store::people::Citizen;
use crate::store::write::{Put, instant};
use crate::store::{Refused, WriteSet};
use entry::{Entry, Verb, fault};
use names::Names;

/// The most entries that a Bundle may have.
pub const MOST: usize = 5000;

/// What became of an entry.
enum Outcome {
    Written { put: Put, created: bool },
    Found(Reply),
    Nothing,
    Later,
}

impl Outcome {
    /// What the entry is answered, now that the transaction is written.
    async fn answered(self, call: &Call<'_>, entry: &Entry, stamp: i64) -> Result<Reply, Error> {
        match self {
            Self::Written { put, created } => Ok(written(call, put, created, stamp)),
            Self::Found(found) => Ok(found),
            Self::Nothing => Ok(Reply { status: Status::NoContent, ..Reply::default() }),
            Self::Later => {
                let interaction = entry.interaction();
                super::run(&call.doing(interaction.action()), &interaction).await
            }
        }
    }
}

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

async fn transaction(call: &Call<'_>, body: &[u8], entries: &[Json]) -> Result<Reply, Error> {
    let mut entries = entries
        .iter()
        .enumerate()
        .map(|(index, json)| Entry::read(body, &call.base, index, json).map_err(|error| within(index, error)))
        .collect::<Result<Vec<_>, _>>()?;
    for entry in &entries {
        entry.allowed(call).map_err(|error| within(entry.index, error))?;
    }
    for _ in 0..TRIES {
        let mut plan = Transaction::planned(call, &mut entries).await?;
        match call.commit(std::mem::take(&mut plan.set)).await? {
            Ok(done) => return plan.answered(call, &entries, done.stamp).await,
            Err(Refused::Taken) => return Err(update::taken()),
            // Another request came between plan and commit: nothing was written, and what
            // it made may be what an entry looks for.
            Err(Refused::Moved { .. } | Refused::Matched { .. }) => {}
        }
    }
    Err(Error::Conflict(Issue::error(
        "conflict",
        "Other requests change what this transaction touches. Nothing was written; send it again.",
        "他の要求がこの transaction の対象を変更しています。何も書き込まれていません。送り直してください。",
    )))
}

/// Times a transaction is planned anew when others come between.
const TRIES: usize = 8;

struct Transaction {
    set: WriteSet,
    outcomes: HashMap<usize, Outcome>,
    names: Names,
    /// Patients that this transaction creates.
    pending: HashMap<String, Citizen>,
    touched: HashSet<Location>,
}

impl Transaction {
    async fn planned(call: &Call<'_>, entries: &mut [Entry]) -> Result<Self, Error> {
        let mut plan = Self {
            set: WriteSet::default(),
            outcomes: HashMap::new(),
            names: Names::default(),
            pending: HashMap::new(),
            touched: HashSet::new(),
        };
        plan.name(call, entries).await?;
        let mut order: Vec<&Entry> = entries.iter().collect();
        order.sort_by_key(|entry| entry.verb);
        for entry in order {
            plan.entry(call, entry).await.map_err(|error| within(entry.index, error))?;
        }
        Ok(plan)
    }

    /// The answer, now that all is written.
    async fn answered(mut self, call: &Call<'_>, entries: &[Entry], stamp: i64) -> Result<Reply, Error> {
        let mut reply = Reply { count: entries.len(), ..Reply::default() };
        for outcome in self.outcomes.values() {
            if let Outcome::Written { put, .. } = outcome {
                let kind = call.type_name(put.kind);
                reply.disclosed.extend(put.facts.subjects.iter().map(|citizen| (*citizen, kind.clone())));
            }
        }
        let mut answers = Vec::new();
        for entry in entries {
            let outcome = self.outcomes.remove(&entry.index).unwrap_or(Outcome::Nothing);
            answers.push(match outcome.answered(call, entry, stamp).await {
                Ok(answer) => {
                    reply.disclosed.extend(answer.disclosed.iter().cloned());
                    response(call, entry, &answer)
                }
                // What was there before the commit has gone since: too late to refuse all.
                Err(error) => refusal(call, entry.index, error),
            });
        }
        reply.body = Some(answered("transaction-response", &answers));
        Ok(reply)
    }

    /// Gives every entry its id, so that references can be rewritten before
    /// anything is planned.
    async fn name(&mut self, call: &Call<'_>, entries: &mut [Entry]) -> Result<(), Error> {
        for entry in entries.iter_mut() {
            if entry.verb == Verb::Post {
                let mut id = call.random.id();
                if let Some(query) = &entry.unless {
                    let found = existing(call, &entry.kind, query).await.map_err(|error| within(entry.index, error))?;
                    if let Some(found) = found {
                        id.clone_from(&found.1);
                        self.outcomes.insert(entry.index, Outcome::Found(present(call, &entry.kind, found).await?));
                    }
                }
                entry.id = Some(id);
            }
            let (Some(id), Some(url)) = (&entry.id, &entry.full_url) else { continue };
            let at = Location { kind: entry.kind.clone(), id: id.clone() };
            self.names.add(url, &at).map_err(|error| within(entry.index, error))?;
        }
        for entry in entries.iter() {
            self.names.look_up(call, entry).await.map_err(|error| within(entry.index, error))?;
        }
        self.expect_patients(call, entries).await
    }

    /// Rows for the Patients that are created here: other entries may be about them.
    async fn expect_patients(&mut self, call: &Call<'_>, entries: &[Entry]) -> Result<(), Error> {
        for entry in
            entries.iter().filter(|entry| entry.kind == "Patient" && matches!(entry.verb, Verb::Post | Verb::Put))
        {
            let Some(id) = entry.id.as_deref() else { continue };
            if self.outcomes.contains_key(&entry.index) || call.store.key("Patient", id).await?.is_some() {
                continue;
            }
            let custodian = call.caller.publisher().unwrap_or(0);
            let citizen = Citizen { key: call.store.number().await?, patient: id.to_owned(), custodian };
            self.pending.insert(id.to_owned(), citizen);
        }
        Ok(())
    }

    async fn entry(&mut self, call: &Call<'_>, entry: &Entry) -> Result<(), Error> {
        if self.outcomes.contains_key(&entry.index) {
            return Ok(());
        }
        let outcome = match entry.verb {
            Verb::Get => {
                self.foresee(call, entry).await?;
                Outcome::Later
            }
            Verb::Delete => {
                let at = self.once(entry)?;
                match delete::planned(call, &at, entry.expected.as_ref()).await? {
                    Some((put, set)) => {
                        self.set.extras.extend(set.extras);
                        self.set.puts.push(put.clone());
                        Outcome::Written { put, created: false }
                    }
                    None => Outcome::Nothing,
                }
            }
            Verb::Put => {
                let at = self.once(entry)?;
                let draft = Draft::read(call, &at.kind, at.id.clone(), self.names.resolved(call, entry)?)?;
                update::same_id(&draft)?;
                let planned = update::planned(call, &draft, entry.expected.as_ref(), &self.pending).await?;
                self.set.extras.extend(planned.set.extras);
                // A Consent that this one takes the place of ends in the same transaction.
                self.set.puts.extend(planned.set.puts);
                self.set.puts.push(planned.put.clone());
                Outcome::Written { put: planned.put, created: planned.created }
            }
            Verb::Post => self.create(call, entry).await?,
        };
        self.outcomes.insert(entry.index, outcome);
        Ok(())
    }

    async fn create(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Outcome, Error> {
        let at = self.once(entry)?;
        let draft = Draft::read(call, &at.kind, at.id.clone(), self.names.resolved(call, entry)?)?;
        let planned = create::planned(call, &draft, &self.pending).await?;
        if let Some(query) = &entry.unless {
            let condition = Condition::read(call, &entry.kind, query)?.none(call, planned.put.rid)?;
            if self.set.conditions.iter().any(|other| other.hash == condition.hash) {
                return Err(fault(
                    "Two entries have the same ifNoneExist.",
                    "ifNoneExist が重複しています。",
                    "request.ifNoneExist",
                ));
            }
            self.set.conditions.push(condition);
        }
        self.set.extras.extend(planned.set.extras);
        self.set.puts.extend(planned.set.puts);
        self.set.puts.push(planned.put.clone());
        Ok(Outcome::Written { put: planned.put, created: true })
    }

    /// The entry's place, which no other entry may touch.
    fn once(&mut self, entry: &Entry) -> Result<Location, Error> {
        let id = entry
            .id
            .clone()
            .ok_or_else(|| fault("The URL names no resource.", "URL にリソースの id がありません。", "request.url"))?;
        let at = Location { kind: entry.kind.clone(), id };
        if self.touched.insert(at.clone()) {
            return Ok(at);
        }
        Err(fault(
            "Another entry touches the same resource.",
            "同じリソースを扱う entry が複数あります。",
            "request.url",
        ))
    }

    /// A read is answered after the commit. What cannot be answered refuses the
    /// transaction while nothing is written; what the transaction writes itself,
    /// only the answer can tell.
    async fn foresee(&self, call: &Call<'_>, entry: &Entry) -> Result<(), Error> {
        let own = entry.id.as_ref().map(|id| Location { kind: entry.kind.clone(), id: id.clone() });
        if own.is_some_and(|at| self.touched.contains(&at)) {
            return Ok(());
        }
        let interaction = entry.interaction();
        super::run(&call.doing(interaction.action()), &interaction).await.map(|_| ())
    }
}

/// What `ifNoneExist` finds before anything is written.
async fn existing(call: &Call<'_>, kind: &str, query: &str) -> Result<Option<(i64, String, i32)>, Error> {
    Condition::read(call, kind, query)?.existing(call).await
}

fn written(call: &Call<'_>, put: Put, created: bool, stamp: i64) -> Reply {
    let version = put.expected.unwrap_or(0) + 1;
    let at = Location { kind: call.type_name(put.kind), id: put.id };
    let deletes = put.method.deletes();
    Reply {
        status: if deletes {
            Status::NoContent
        } else if created {
            Status::Created
        } else {
            Status::Ok
        },
        version: Some((version, stamp)),
        location: (!deletes).then(|| create::version_url(&at, version)),
        body: put.body.filter(|_| !deletes).map(|body| body.stamped(stamp)),
        ..Reply::default()
    }
}

/// Each entry through the one way in, by itself.
async fn batch(call: &Call<'_>, body: &[u8], entries: &[Json]) -> Result<Reply, Error> {
    let mut reply = Reply { count: entries.len(), ..Reply::default() };
    let mut answers = Vec::new();
    for (index, json) in entries.iter().enumerate() {
        let result = match Entry::read(body, &call.base, index, json) {
            Ok(entry) => alone(call, &entry).await.map(|found| (entry, found)),
            Err(error) => Err(error),
        };
        answers.push(match result {
            Ok((entry, found)) => {
                reply.disclosed.extend(found.disclosed.iter().cloned());
                response(call, &entry, &found)
            }
            Err(error) => refusal(call, index, error),
        });
    }
    reply.body = Some(answered("batch-response", &answers));
    Ok(reply)
}

async fn alone(call: &Call<'_>, entry: &Entry) -> Result<Reply, Error> {
    entry.allowed(call)?;
    let interaction = entry.interaction();
    super::run(&call.doing(interaction.action()), &interaction).await
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
        answer.set("outcome", outcome(call, &[Issue::stored()]));
    }
    let told = reply.body.as_ref().filter(|_| !writes || call.give == Some(Return::Representation));
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

fn within(index: usize, error: Error) -> Error {
    match error {
        Error::Entry { .. } => error,
        other => Error::Entry { index, error: Box::new(other) },
    }
}
