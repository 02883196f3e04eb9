//! A transaction: planned whole, written as one set, or refused.
//!
//! Source: FHIR R4 http.html#transaction, #trules

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use techo_profiles::json::Json;

use super::entry::{Entry, Verb, fault};
use super::names::Names;
use super::{LARGEST, answered, apart, refusal, response, too_much, within};
use crate::consent::caller::Action;
use crate::consent::subject::{FOLLOWING, Subjects};
use crate::interaction::audit::Looks;
use crate::interaction::conditional::{Condition, present};
use crate::interaction::follow::{Moved, Pending, drawn, followers};
use crate::interaction::plan::{Draft, parse};
use crate::interaction::update::Planned;
use crate::interaction::{
    Call, Error, Issue, Location, Reply, Return, Status, create, delete, parameter, patch, update,
};
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::write::{Body, Method, Put};
use crate::store::{Refused, StoreError, WriteSet};

/// Times a transaction is planned anew when others come between.
const TRIES: usize = 8;

/// Carries a transaction out.
pub(super) async fn transaction(call: &Call<'_>, body: &[u8], entries: &[Json]) -> Result<Reply, Error> {
    let mut entries = entries
        .iter()
        .enumerate()
        .map(|(index, json)| Entry::read(body, &call.base, index, json).map_err(|error| within(index, error)))
        .collect::<Result<Vec<_>, _>>()?;
    for entry in &entries {
        entry.undone().and_then(|()| entry.allowed(call)).map_err(|error| within(entry.index, error))?;
    }
    for _ in 0..TRIES {
        let mut plan = Transaction::planned(call, &mut entries).await?;
        let written = call.commit(std::mem::take(&mut plan.set)).await;
        match written.map_err(|error| plan.crowded(error))? {
            Ok(done) => {
                drawn(call, std::mem::take(&mut plan.came)).await;
                return plan.answered(call, &entries, done.stamp).await;
            }
            Err(Refused::Taken) => return Err(plan.taken(call).await?),
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

/// What became of an entry.
enum Outcome {
    Written(Written),
    /// Several that a query found; whose they were.
    Deleted(Reply),
    Found(Reply),
    /// What was read, and looked at for that.
    Read(Reply, Arc<Looks>),
    Nothing,
    Later,
}

/// A version that is written, as far as its answer needs it.
struct Written {
    at: Location,
    version: i32,
    method: Method,
    subjects: Vec<i64>,
    body: Option<Body>,
}

impl Written {
    fn of(call: &Call<'_>, put: &Put) -> Self {
        let wanted = call.give == Some(Return::Representation) && put.method != Method::Patch;
        Self {
            at: Location { kind: call.type_name(put.kind), id: put.id.clone() },
            version: put.expected.unwrap_or(0) + 1,
            method: put.method,
            subjects: put.concerned().collect(),
            body: put.body.clone().filter(|_| wanted && !put.method.deletes()),
        }
    }

    async fn answered(self, call: &Call<'_>, stamp: i64) -> Result<Reply, Error> {
        let deletes = self.method.deletes();
        let body = if self.method == Method::Patch && call.give == Some(Return::Representation) {
            patch::told(call, &self.at, self.version).await?
        } else {
            self.body.map(|body| body.stamped(stamp))
        };
        Ok(Reply {
            status: match self.method {
                Method::Delete | Method::Withdraw => Status::NoContent,
                Method::Create | Method::CreateAt => Status::Created,
                Method::Update | Method::Patch => Status::Ok,
            },
            version: Some((self.version, stamp)),
            location: (!deletes).then(|| create::version_url(&self.at, self.version)),
            disclosed: self.subjects.iter().map(|citizen| (*citizen, self.at.kind.clone())).collect(),
            body,
            ..Reply::default()
        })
    }
}

/// Patients that are looked up at once.
const LOOKED_UP: usize = 1000;
/// What a body holds that refers to a version, or may do so in escapes.
const VERSION: [&[u8]; 2] = [b"_history", b"\\u"];

/// What stands after `"Patient/` in a body; whether it is the id of anyone is for the
/// store to say.
fn patients_in(body: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let ids = text.split("\"Patient/").skip(1).filter_map(|rest| rest.split_once('"'));
    ids.map(|(id, _)| id).filter(|id| id.len() <= 64 && !id.contains('/'))
}

struct Transaction {
    set: WriteSet,
    outcomes: HashMap<usize, Outcome>,
    names: Names,
    /// What the conditions of entries found.
    found: HashMap<usize, (Condition, Option<Stored>)>,
    /// The same of those that delete.
    doomed: HashMap<usize, (Condition, Vec<Stored>)>,
    /// What entries make of others.
    pending: Pending,
    /// What will be about others than before.
    moved: Vec<Moved>,
    /// What will be there that was not.
    came: Vec<Moved>,
    touched: HashSet<Location>,
    /// Bytes that reads will answer, as far as they are known.
    size: usize,
}

impl Transaction {
    async fn planned(call: &Call<'_>, entries: &mut [Entry]) -> Result<Self, Error> {
        let mut plan = Self {
            set: WriteSet::default(),
            outcomes: HashMap::new(),
            names: Names::default(),
            found: HashMap::new(),
            doomed: HashMap::new(),
            pending: Pending::default(),
            moved: Vec::new(),
            came: Vec::new(),
            touched: HashSet::new(),
            size: 0,
        };
        plan.name(call, entries).await?;
        // As R4 orders them, but that what follows others is planned when it is known whom
        // these are about, be it by a patch.
        let mut order: Vec<&Entry> = entries.iter().collect();
        order.sort_by_key(|entry| (entry.verb == Verb::Get, FOLLOWING.contains(&&*entry.kind), entry.verb));
        for entry in order {
            plan.entry(call, entry).await.map_err(|error| within(entry.index, error))?;
        }
        let (came, moved) = std::mem::take(&mut plan.moved).into_iter().partition(Moved::came);
        plan.came = came;
        followers(call, moved, &plan.pending, &plan.touched, &mut plan.set).await?;
        Ok(plan)
    }

    /// The answer, now that all is written.
    async fn answered(mut self, call: &Call<'_>, entries: &[Entry], stamp: i64) -> Result<Reply, Error> {
        let mut reply = Reply { count: entries.len(), ..Reply::default() };
        let mut answers = Vec::new();
        for entry in entries {
            let mut looks = Arc::default();
            let result = match self.outcomes.remove(&entry.index) {
                Some(Outcome::Written(written)) => written.answered(call, stamp).await,
                Some(Outcome::Found(found) | Outcome::Deleted(found)) => Ok(found),
                Some(Outcome::Read(found, looked)) => {
                    looks = looked;
                    Ok(found)
                }
                Some(Outcome::Nothing) | None => Ok(Reply { status: Status::NoContent, ..Reply::default() }),
                Some(Outcome::Later) => later(call, entry, &looks).await,
            };
            let reads = entry.verb == Verb::Get;
            if reads {
                let interaction = entry.interaction();
                apart(call, &interaction, looks).record(&interaction, &result).await?;
            }
            answers.push(match result {
                Ok(answer) => {
                    if !reads {
                        reply.disclosed.extend(answer.disclosed.iter().cloned());
                    }
                    response(call, entry, &answer)
                }
                // What was there before the commit has gone since: too late to refuse all.
                Err(error) => refusal(call, entry.index, error),
            });
        }
        reply.body = Some(answered("transaction-response", &answers));
        Ok(reply)
    }

    /// The entry whose id another request took in the meantime.
    async fn taken(&self, call: &Call<'_>) -> Result<Error, Error> {
        for (index, outcome) in &self.outcomes {
            if let Outcome::Written(Written { at, version: 1, .. }) = outcome
                && call.store.in_use(&at.kind, &at.id).await?
            {
                return Ok(within(*index, update::taken()));
            }
        }
        Ok(update::taken())
    }

    /// Where one Consent is too many, its entry.
    fn crowded(&self, error: Error) -> Error {
        let Error::Store(StoreError::Crowded(id)) = &error else { return error };
        let is_it = |outcome: &Outcome| matches!(outcome, Outcome::Written(Written { at, .. }) if at.kind == "Consent" && at.id == *id);
        match self.outcomes.iter().find(|(_, outcome)| is_it(outcome)) {
            Some((index, _)) => within(*index, error),
            None => error,
        }
    }

    /// Gives every entry its id, so that references can be rewritten before
    /// anything is planned.
    async fn name(&mut self, call: &Call<'_>, entries: &mut [Entry]) -> Result<(), Error> {
        for entry in entries.iter_mut() {
            self.identify(call, entry).await.map_err(|error| within(entry.index, error))?;
        }
        let going = self.going(entries);
        let placed = |entry: &Entry| Some(Location { kind: entry.kind.clone(), id: entry.id.clone()? });
        for entry in entries.iter().filter(|entry| self.outcomes.contains_key(&entry.index)) {
            if placed(entry).is_some_and(|at| going.contains(&at)) {
                return Err(within(entry.index, overlap()));
            }
        }
        let versioned = entries.iter().any(|entry| VERSION.iter().any(|sign| contains(&entry.body, sign)));
        for entry in entries.iter() {
            let (Some(id), Some(url)) = (&entry.id, &entry.full_url) else { continue };
            let at = Location { kind: entry.kind.clone(), id: id.clone() };
            let version = match &entry.own_version {
                Some(own) if versioned => Some((own.clone(), self.becomes(call, entry, &at).await?)),
                _ => None,
            };
            self.names.add(url, &at, version).map_err(|error| within(entry.index, error))?;
        }
        self.names.identified(entries);
        for entry in entries.iter() {
            self.names.look_up(call, entry, &going).await.map_err(|error| within(entry.index, error))?;
        }
        self.expect_patients(call, entries).await?;
        self.expect_subjects(call, entries)
    }

    /// What the transaction deletes, which it does first: nothing that it writes after
    /// may count on it.
    fn going(&self, entries: &[Entry]) -> HashSet<Location> {
        let mut going = HashSet::new();
        for entry in entries.iter().filter(|entry| entry.verb == Verb::Delete) {
            let found = self.doomed.get(&entry.index).map_or(&[][..], |(_, all)| all);
            let ids = found.iter().map(|one| &one.id).chain(&entry.id);
            going.extend(ids.map(|id| Location { kind: entry.kind.clone(), id: id.clone() }));
        }
        going
    }

    /// Finds the id of an entry: in its URL, by its condition, or a new one.
    async fn identify(&mut self, call: &Call<'_>, entry: &mut Entry) -> Result<(), Error> {
        entry.renamed();
        let Some(query) = entry.condition() else {
            if entry.verb == Verb::Post {
                entry.id = Some(call.random.id());
            }
            return Ok(());
        };
        let condition = Condition::read(call, &entry.kind, query).await?;
        if entry.verb == Verb::Post {
            let found = condition.existing(call).await?;
            entry.id = Some(found.as_ref().map_or_else(|| call.random.id(), |one| one.1.clone()));
            if let Some(found) = found {
                // It has to be there still when all is written.
                let only = condition.only(call, found.0)?;
                if self.set.conditions.iter().all(|other| other.hash != only.hash) {
                    self.set.conditions.push(only);
                }
                self.outcomes.insert(entry.index, Outcome::Found(present(call, &entry.kind, found).await?));
            } else {
                self.found.insert(entry.index, (condition, None));
            }
            return Ok(());
        }
        if entry.verb == Verb::Delete {
            let all = condition.doomed(call).await?;
            entry.id = if let [one] = &all[..] { Some(one.id.clone()) } else { None };
            self.doomed.insert(entry.index, (condition, all));
            return Ok(());
        }
        let old = condition.target(call, Action::Update).await?;
        entry.id = match (&old, entry.verb) {
            (Some(old), _) => Some(old.id.clone()),
            (None, Verb::Put) => Some(entry.own_id.clone().unwrap_or_else(|| call.random.id())),
            (None, Verb::Patch) => return Err(Error::NotFound),
            (None, _) => None,
        };
        self.found.insert(entry.index, (condition, old));
        Ok(())
    }

    /// The version that the resource of an entry will have.
    async fn becomes(&self, call: &Call<'_>, entry: &Entry, at: &Location) -> Result<i32, Error> {
        if let Some(Outcome::Found(found)) = self.outcomes.get(&entry.index) {
            return Ok(found.version.map_or(1, |(version, _)| version));
        }
        if entry.verb == Verb::Post {
            return Ok(1);
        }
        let view = call.view_for(Action::Update);
        let current = call.store.reader(&view).current(&at.kind, &at.id).await?;
        Ok(current.map_or(1, |current| current.version + 1))
    }

    /// Rows for the Patients that are created here: other entries may be about them.
    async fn expect_patients(&mut self, call: &Call<'_>, entries: &[Entry]) -> Result<(), Error> {
        for entry in
            entries.iter().filter(|entry| entry.kind == "Patient" && matches!(entry.verb, Verb::Post | Verb::Put))
        {
            let Some(id) = entry.id.as_deref() else { continue };
            if self.outcomes.contains_key(&entry.index) {
                continue;
            }
            let citizen = match call.store.whoever(id).await? {
                Some((_, true)) => continue,
                Some((comes_back, false)) => comes_back,
                None => {
                    let custodian = call.caller.publisher().unwrap_or(0);
                    Citizen { key: call.store.number().await?, patient: id.to_owned(), custodian }
                }
            };
            self.pending.citizens.insert(id.to_owned(), citizen);
        }
        // Those who are there are looked up together, not entry by entry.
        let named: BTreeSet<&str> = entries.iter().flat_map(|entry| patients_in(&entry.body)).take(LOOKED_UP).collect();
        let written = |id: &str| entries.iter().any(|entry| entry.kind == "Patient" && entry.id.as_deref() == Some(id));
        let asked: Vec<&str> = named.into_iter().filter(|id| !written(id)).collect();
        self.pending.citizens.extend(call.store.citizens(&asked).await?);
        Ok(())
    }

    /// Whom the records will be about that are written here, where others may follow them.
    fn expect_subjects(&mut self, call: &Call<'_>, entries: &[Entry]) -> Result<(), Error> {
        if !entries.iter().any(|entry| FOLLOWING.contains(&&*entry.kind)) {
            return Ok(());
        }
        let written = |entry: &&Entry| matches!(entry.verb, Verb::Post | Verb::Put);
        for entry in entries.iter().filter(written).filter(|entry| !self.outcomes.contains_key(&entry.index)) {
            let Some(id) = &entry.id else { continue };
            let body = self.names.resolved(call, entry).map_err(|error| within(entry.index, error))?;
            // What cannot be read is told when it is planned.
            let Ok(resource) = parse(&body) else { continue };
            let subjects = Subjects::of(&resource, &call.base);
            self.pending.subjects.insert(format!("{}/{id}", entry.kind), subjects);
        }
        Ok(())
    }

    async fn entry(&mut self, call: &Call<'_>, entry: &Entry) -> Result<(), Error> {
        if self.outcomes.contains_key(&entry.index) {
            return Ok(());
        }
        let outcome = match entry.verb {
            Verb::Get => self.foresee(call, entry).await?,
            Verb::Delete => self.delete(call, entry).await?,
            Verb::Put => self.update(call, entry).await?,
            Verb::Patch => self.patch(call, entry).await?,
            Verb::Post => self.create(call, entry).await?,
        };
        self.outcomes.insert(entry.index, outcome);
        Ok(())
    }

    async fn delete(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Outcome, Error> {
        let expected = entry.expected.as_ref();
        let doomed = match self.doomed.remove(&entry.index) {
            Some((condition, all)) => delete::matched(call, &condition, all, expected).await?,
            None => {
                let at = entry.place()?;
                self.claim(call, &at)?;
                let put = delete::planned(call, &at, expected).await?;
                return match put {
                    Some(put) => {
                        self.join(call, Planned { put, set: WriteSet::default(), moved: None, created: false })
                    }
                    None => Ok(Outcome::Nothing),
                };
            }
        };
        let Some(doomed) = doomed else { return Ok(Outcome::Nothing) };
        for put in &doomed.puts {
            self.claim(call, &Location { kind: entry.kind.clone(), id: put.id.clone() })?;
        }
        let (reply, one) = (doomed.reply(call), doomed.puts.len() == 1);
        let mut set = WriteSet::from(doomed);
        let Some(put) = set.puts.pop() else { return Ok(Outcome::Nothing) };
        let outcome = self.join(call, Planned { put, set, moved: None, created: false })?;
        Ok(if one { outcome } else { Outcome::Deleted(reply) })
    }

    async fn update(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Outcome, Error> {
        let at = self.once(call, entry)?;
        let draft = Draft::read(call, &at.kind, at.id.clone(), self.names.resolved(call, entry)?)?;
        let expected = entry.expected.as_ref();
        let planned = match self.found.remove(&entry.index) {
            Some((condition, old)) => update::matched(call, &condition, (old, draft), expected, &self.pending).await?,
            None => {
                update::same_id(&draft)?;
                update::planned(call, &draft, expected, &self.pending).await?
            }
        };
        self.join(call, planned)
    }

    async fn patch(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Outcome, Error> {
        let at = self.once(call, entry)?;
        let sent = entry.patch().ok_or_else(|| Error::Internal("a PATCH without its patch".into()))?;
        let changes = patch::Changes::read(call, sent)?;
        let expected = entry.expected.as_ref();
        let (old, condition) = match self.found.remove(&entry.index) {
            Some((condition, Some(old))) => {
                if expected.is_some_and(|expected| !expected.fits(Some(old.version))) {
                    return Err(update::precondition());
                }
                let only = condition.only(call, old.rid)?;
                (old, Some(only))
            }
            Some((_, None)) => return Err(Error::NotFound),
            None => (patch::patchable(call, &at, expected).await?, None),
        };
        let text = patch::patched(call, &old, &changes, &self.names).await?;
        let mut planned = patch::of(call, &old, text, &self.pending).await?;
        planned.set.conditions.extend(condition);
        self.join(call, planned)
    }

    async fn create(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Outcome, Error> {
        let at = self.once(call, entry)?;
        let draft = Draft::read(call, &at.kind, at.id.clone(), self.names.resolved(call, entry)?)?;
        let mut planned = create::planned(call, &draft, &self.pending).await?;
        if let Some((condition, _)) = self.found.remove(&entry.index) {
            planned.set.conditions.push(condition.none(call, planned.put.rid)?);
        }
        self.join(call, planned)
    }

    /// Takes what an entry writes into the set.
    fn join(&mut self, call: &Call<'_>, planned: Planned) -> Result<Outcome, Error> {
        for condition in planned.set.conditions {
            if self.set.conditions.iter().any(|other| other.hash == condition.hash) {
                return Err(fault(
                    "Two entries write under the same condition.",
                    "同じ条件で書き込む entry が複数あります。",
                    "request",
                ));
            }
            self.set.conditions.push(condition);
        }
        parameter::beside(call, &self.set.puts, &planned.put)?;
        let written = Written::of(call, &planned.put);
        self.pending.subjects.extend(planned.moved.as_ref().map(Moved::becomes));
        self.moved.extend(planned.moved);
        self.set.extras.extend(planned.set.extras);
        self.set.puts.extend(planned.set.puts);
        self.set.puts.push(planned.put);
        Ok(Outcome::Written(written))
    }

    /// The entry's place, which no other entry may touch.
    fn once(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Location, Error> {
        let at = entry.place()?;
        self.claim(call, &at).map(|()| at)
    }

    fn claim(&mut self, call: &Call<'_>, at: &Location) -> Result<(), Error> {
        if call.publishes(at) {
            return Err(update::taken());
        }
        if self.touched.insert(at.clone()) {
            return Ok(());
        }
        Err(overlap())
    }

    /// A read is answered after the commit. What cannot be answered refuses the
    /// transaction while nothing is written; what the transaction writes itself,
    /// only the answer can tell. Where nothing is written, what was read is the answer.
    async fn foresee(&mut self, call: &Call<'_>, entry: &Entry) -> Result<Outcome, Error> {
        let own = entry.id.as_ref().map(|id| Location { kind: entry.kind.clone(), id: id.clone() });
        if own.is_some_and(|at| self.touched.contains(&at)) {
            return Ok(Outcome::Later);
        }
        let looks = Arc::default();
        // What refuses the transaction is told by its record.
        let answer = later(call, entry, &looks).await.inspect_err(|_| call.looks.join(&looks))?;
        self.size += answer.body.as_ref().map_or(0, Vec::len);
        if self.size > LARGEST {
            return Err(too_much());
        }
        // Reads come last: all that is written is known.
        Ok(if self.set.puts.is_empty() { Outcome::Read(answer, looks) } else { Outcome::Later })
    }
}

fn overlap() -> Error {
    fault(
        "Another entry touches the same resource. Put all that is to be done with it into one entry, or send the \
         others in a Bundle after this one.",
        "同じリソースを扱う entry が複数あります。1つの entry にまとめるか、別の Bundle に分けて順に送ってください。",
        "request.url",
    )
}

async fn later(call: &Call<'_>, entry: &Entry, looks: &Arc<Looks>) -> Result<Reply, Error> {
    let interaction = entry.interaction();
    let call = Box::pin(call.anew()).await?;
    crate::dispatch::run(&apart(&call, &interaction, looks.clone()), &interaction).await
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
