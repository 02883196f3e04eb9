//! `POST [base]`: a transaction, all or nothing; a batch, each for itself.
//!
//! A transaction is planned whole and written as one set. Entries may refer to
//! each other by `fullUrl` (`urn:uuid:…`); the references are rewritten in the
//! bytes received. Deletes are planned first, then creates, updates, reads.
//!
//! Source: FHIR R4 http.html#transaction

use std::collections::{HashMap, HashSet};

use techo_profiles::json::{Json, Value, splice};

use crate::consent::caller::Action;
use crate::interaction::conditional::Condition;
use crate::interaction::plan::{Draft, companions, parse};
use crate::interaction::{Call, Error, Interaction, Issue, Location, Reply, Status, create, delete, filing, update};
use crate::store::people::Citizen;
use crate::store::write::{Put, instant};
use crate::store::{Refused, WriteSet};

/// The most entries that a Bundle may have.
pub const MOST: usize = 5000;

/// One entry, read.
struct Entry {
    index: usize,
    full_url: Option<String>,
    verb: Verb,
    kind: String,
    id: Option<String>,
    query: String,
    body: Vec<u8>,
    unless: Option<String>,
    expected: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Delete,
    Post,
    Put,
    Get,
}

/// What became of an entry.
enum Outcome {
    Written { put: Put, created: bool },
    Found(Reply),
    Nothing,
    Later,
}

/// Carries a Bundle out.
pub async fn bundle(call: &Call<'_>, body: &[u8]) -> Result<Reply, Error> {
    let resource = parse(body)?;
    call.validated(body, &resource)?;
    if resource.str("resourceType") != Some("Bundle") {
        return Err(fault(
            "Send a Bundle of type transaction or batch here.",
            "Bundle(transaction または batch)を送ってください。",
            "Bundle.type",
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

async fn transaction(call: &Call<'_>, body: &[u8], entries: &[Json]) -> Result<Reply, Error> {
    let mut entries = read(body, entries)?;
    for entry in &entries {
        allowed(call, entry).map_err(|error| within(entry.index, error))?;
    }
    let mut plan = Transaction {
        set: WriteSet::default(),
        outcomes: HashMap::new(),
        ids: HashMap::new(),
        pending: HashMap::new(),
        touched: HashSet::new(),
    };
    plan.name(call, &mut entries).await?;
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.verb);
    for entry in order {
        plan.entry(call, entry).await.map_err(|error| within(entry.index, error))?;
    }
    let mut reply = Reply { count: entries.len(), ..Reply::default() };
    for outcome in plan.outcomes.values() {
        if let Outcome::Written { put, .. } = outcome {
            let kind = call.type_name(put.kind);
            reply.disclosed.extend(put.facts.subjects.iter().map(|citizen| (*citizen, kind.clone())));
        }
    }
    let stamp = match call.commit(std::mem::take(&mut plan.set)).await? {
        Ok(done) => done.stamp,
        Err(refused) => return Err(lost(&refused)),
    };
    let mut answers = Vec::new();
    for entry in &entries {
        let outcome = plan.outcomes.remove(&entry.index).unwrap_or(Outcome::Nothing);
        let answer = match outcome {
            Outcome::Written { put, created } => written(call, put, created, stamp),
            Outcome::Found(found) => {
                reply.disclosed.extend(found.disclosed.iter().cloned());
                found
            }
            Outcome::Nothing => Reply { status: Status::NoContent, ..Reply::default() },
            Outcome::Later => {
                let interaction = entry.interaction();
                let found = super::run(&call.doing(interaction.action()), &interaction)
                    .await
                    .map_err(|error| within(entry.index, error))?;
                reply.disclosed.extend(found.disclosed.iter().cloned());
                found
            }
        };
        answers.push(response(call, &answer));
    }
    reply.body = Some(answered("transaction-response", &answers));
    Ok(reply)
}

/// Another request came between plan and commit; nothing was written.
fn lost(refused: &Refused) -> Error {
    match refused {
        Refused::Taken => update::taken(),
        Refused::Moved { .. } | Refused::Matched { .. } => Error::Conflict(Issue::error(
            "conflict",
            "Another request changed what this transaction touches. Nothing was written; send it again.",
            "他の要求がこの transaction の対象を変更しました。何も書き込まれていません。送り直してください。",
        )),
    }
}

struct Transaction {
    set: WriteSet,
    outcomes: HashMap<usize, Outcome>,
    /// `fullUrl` → `[type]/[id]`
    ids: HashMap<String, String>,
    /// Patients that this transaction creates.
    pending: HashMap<String, Citizen>,
    touched: HashSet<Location>,
}

impl Transaction {
    /// Gives every entry its id, so that references can be rewritten before
    /// anything is planned.
    async fn name(&mut self, call: &Call<'_>, entries: &mut [Entry]) -> Result<(), Error> {
        for entry in entries.iter_mut() {
            if entry.verb == Verb::Post && entry.id.is_none() {
                let mut id = call.random.id();
                if let Some(query) = &entry.unless {
                    let condition =
                        Condition::read(call, &entry.kind, query).map_err(|error| within(entry.index, error))?;
                    let found = condition.existing(call).await.map_err(|error| within(entry.index, error))?;
                    if let Some(found) = found {
                        id.clone_from(&found.1);
                        let present = crate::interaction::conditional::present(call, &entry.kind, found).await?;
                        self.outcomes.insert(entry.index, Outcome::Found(present));
                    }
                }
                entry.id = Some(id);
            }
            let (Some(id), Some(url)) = (&entry.id, &entry.full_url) else { continue };
            if self.ids.insert(url.clone(), format!("{}/{id}", entry.kind)).is_some() {
                return Err(within(
                    entry.index,
                    fault("The fullUrl stands twice.", "fullUrl が重複しています。", "fullUrl"),
                ));
            }
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
            Verb::Get => Outcome::Later,
            Verb::Delete => {
                let at = self.once(entry)?;
                match delete::planned(call, &at, entry.expected).await? {
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
                let draft = Draft::read(call, &at.kind, at.id.clone(), self.rewritten(&entry.body)?)?;
                update::same_id(&draft)?;
                let planned = update::planned(call, &draft, entry.expected, &self.pending).await?;
                self.set.extras.extend(planned.set.extras);
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
        let draft = Draft::read(call, &at.kind, at.id.clone(), self.rewritten(&entry.body)?)?;
        let about = draft.about_for(call, &self.pending).await?;
        let keeping = call.writable(Action::Create, &draft, &about, None).await?;
        let rid = match self.pending.get(&at.id).filter(|_| at.kind == "Patient") {
            Some(citizen) => citizen.key,
            None => call.store.number().await?,
        };
        if let Some(query) = &entry.unless {
            let condition = Condition::read(call, &entry.kind, query)?.check(call, rid)?;
            if self.set.conditions.iter().any(|other| other.hash == condition.hash) {
                return Err(fault(
                    "Two entries have the same ifNoneExist.",
                    "ifNoneExist が重複しています。",
                    "request.ifNoneExist",
                ));
            }
            self.set.conditions.push(condition);
        }
        companions(call, &draft, rid, &about, &mut self.set);
        filing::supersede(call, &draft, &about, &mut self.set).await?;
        let put = draft.put(call, rid, None, &about, keeping).await?;
        self.set.puts.push(put.clone());
        Ok(Outcome::Written { put, created: true })
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

    /// `text` with references to other entries turned into `[type]/[id]`.
    fn rewritten(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let resource = parse(text)?;
        let mut edits = Vec::new();
        self.references(&resource, &mut edits);
        Ok(splice(text, edits))
    }

    fn references(&self, json: &Json, edits: &mut Vec<(std::ops::Range<usize>, Vec<u8>)>) {
        match json.value() {
            Value::Object(members) => {
                for member in members {
                    if let Some(target) = member.value.as_str().and_then(|text| self.ids.get(text)) {
                        edits.push((member.value.span(), Json::from(target.as_str()).to_string().into_bytes()));
                    }
                    self.references(&member.value, edits);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.references(item, edits)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
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
        ..Reply::default()
    }
}

/// Each entry through the one way in, by itself.
async fn batch(call: &Call<'_>, body: &[u8], entries: &[Json]) -> Result<Reply, Error> {
    let mut reply = Reply { count: entries.len(), ..Reply::default() };
    let mut answers = Vec::new();
    for entry in read(body, entries)? {
        let result = match allowed(call, &entry) {
            Ok(()) => {
                let interaction = entry.interaction();
                super::run(&call.doing(interaction.action()), &interaction).await
            }
            Err(error) => Err(error),
        };
        answers.push(match result {
            Ok(found) => {
                reply.disclosed.extend(found.disclosed.iter().cloned());
                response(call, &found)
            }
            Err(error) => {
                let (status, issues) = error.explained();
                let outcome = Json::object([
                    ("resourceType", Json::from("OperationOutcome")),
                    ("issue", Json::array(issues.iter().map(|issue| issue.json(false)))),
                ]);
                format!("{{\"response\":{{\"status\":\"{status}\",\"outcome\":{outcome}}}}}")
            }
        });
    }
    reply.body = Some(answered("batch-response", &answers));
    Ok(reply)
}

/// What the scopes never allow is refused before anything is looked up.
fn allowed(call: &Call<'_>, entry: &Entry) -> Result<(), Error> {
    if call.definitions.type_number(&entry.kind).is_none() {
        return Err(Error::UnknownType(entry.kind.clone()));
    }
    let action = match (entry.verb, &entry.id) {
        (Verb::Delete, _) => Action::Delete,
        (Verb::Post, _) => Action::Create,
        (Verb::Put, _) => Action::Update,
        (Verb::Get, Some(_)) => Action::Read,
        (Verb::Get, None) => Action::Search,
    };
    call.may(action, &entry.kind)
}

impl Entry {
    fn interaction(&self) -> Interaction {
        let at = |id: &String| Location { kind: self.kind.clone(), id: id.clone() };
        match (self.verb, &self.id) {
            (Verb::Get, Some(id)) => Interaction::Read(at(id)),
            (Verb::Put, Some(id)) => {
                Interaction::Update { at: at(id), body: self.body.clone(), expected: self.expected }
            }
            (Verb::Delete, Some(id)) => Interaction::Delete { at: at(id), expected: self.expected },
            (Verb::Post, _) => {
                Interaction::Create { kind: self.kind.clone(), body: self.body.clone(), unless: self.unless.clone() }
            }
            (Verb::Get | Verb::Put | Verb::Delete, None) => {
                let query = form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
                Interaction::Search(self.kind.clone(), query)
            }
        }
    }
}

fn read(body: &[u8], entries: &[Json]) -> Result<Vec<Entry>, Error> {
    entries
        .iter()
        .enumerate()
        .map(|(index, json)| entry(body, index, json).map_err(|error| within(index, error)))
        .collect()
}

fn entry(body: &[u8], index: usize, json: &Json) -> Result<Entry, Error> {
    let missing = || {
        fault(
            "Every entry needs request.method and request.url.",
            "各 entry に request.method と request.url が必要です。",
            "request",
        )
    };
    let request = json.get("request").ok_or_else(missing)?;
    let verb = match request.str("method") {
        Some("GET") => Verb::Get,
        Some("POST") => Verb::Post,
        Some("PUT") => Verb::Put,
        Some("DELETE") => Verb::Delete,
        _ => {
            return Err(fault(
                "request.method must be GET, POST, PUT or DELETE.",
                "request.method は GET, POST, PUT, DELETE のいずれかです。",
                "request.method",
            ));
        }
    };
    let url = request.str("url").ok_or_else(missing)?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parts = path.trim_matches('/').split('/');
    let kind = parts.next().unwrap_or_default().to_owned();
    let id = parts.next().map(str::to_owned);
    let odd = parts.next().is_some() || id.as_deref().is_some_and(|id| !crate::interaction::is_id(id));
    let conditional = !query.is_empty() && verb != Verb::Get;
    if odd
        || conditional
        || (verb == Verb::Post && id.is_some())
        || (matches!(verb, Verb::Put | Verb::Delete) && id.is_none())
    {
        return Err(fault(
            "This request.url is not done in a Bundle.",
            "この request.url は Bundle では扱えません。",
            "request.url",
        ));
    }
    let resource = json.get("resource").map(|resource| body[resource.span()].to_vec());
    if resource.is_none() && matches!(verb, Verb::Post | Verb::Put) {
        return Err(fault("The entry needs a resource.", "entry に resource が必要です。", "resource"));
    }
    let expected = match request.str("ifMatch") {
        None => None,
        Some(tag) => {
            let version = tag.trim_start_matches("W/").trim_matches('"').parse().ok();
            Some(version.ok_or_else(|| {
                fault("ifMatch must be W/\"version\".", "ifMatch は W/\"版\" の形にしてください。", "request.ifMatch")
            })?)
        }
    };
    Ok(Entry {
        index,
        full_url: json.str("fullUrl").map(str::to_owned),
        verb,
        kind,
        id,
        query: query.to_owned(),
        body: resource.unwrap_or_default(),
        unless: request.str("ifNoneExist").map(str::to_owned),
        expected,
    })
}

fn response(call: &Call<'_>, reply: &Reply) -> String {
    let mut answer = Json::object([("status", Json::from(reply.status.line()))]);
    if let Some(location) = &reply.location {
        answer.set("location", Json::from(format!("{}/{location}", call.base)));
    }
    if let Some((version, updated)) = reply.version {
        answer.set("etag", Json::from(format!("W/\"{version}\"")));
        answer.set("lastModified", Json::from(instant(updated)));
    }
    let resource = reply.body.as_ref().and_then(|body| std::str::from_utf8(body).ok());
    match resource {
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

fn fault(text: &str, text_ja: &str, expression: &str) -> Error {
    Error::Invalid(vec![Issue::error("invalid", text, text_ja).at(expression)])
}
