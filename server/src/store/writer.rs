//! The one writer: many requests, one commit.
//!
//! What waits while a batch commits becomes the next batch, so that a sync of
//! the disk is shared by all who came meanwhile. A batch holds only sets that
//! touch different records and conditions; a set that collides waits for the
//! next. If a batch fails, it is rolled back and its sets are tried one by one,
//! with what came meanwhile between them: one bad set never takes others with it.
//! What nobody waits for any more is not begun.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sea_orm::{DatabaseBackend, DbErr, Statement, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::arrays::array;
use super::crowd::{Crowd, speaks};
use super::db::{Db, statement};
use super::error::StoreError;
use super::index::{Changes, sweep};
use super::pen::{CONDITION_TIME, EACH_CONDITION, Pen, Transaction};
use super::rows::Rows;
use super::rules::defines_rules;
use super::runs::Runs;
use super::write::{Beside, Committed, Extra, Ground, Into, Put, Refused, WriteSet};
use crate::clock::Clock;

/// Sets that may wait; more are answered 503.
const QUEUE: usize = 4096;
/// Puts a batch gathers before it commits.
const BATCH: usize = 2048;
/// How long nothing is written before memory is given back.
const REST: Duration = Duration::from_secs(2);

type Answer = Result<Result<Committed, Refused>, StoreError>;

enum Order {
    Write(Job),
    /// Nothing is written: give memory back.
    Rest,
}

struct Job {
    set: WriteSet,
    answer: oneshot::Sender<Answer>,
    /// A batch that it was in has failed.
    alone: bool,
}

/// Hands sets to the writer; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Order>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Order")
    }
}

impl Writer {
    /// Starts it. It ends when the last `Writer` is dropped.
    pub(super) fn start(db: Db, clock: Clock, epoch: i32) -> Result<Self, StoreError> {
        let (queue, orders) = mpsc::channel(QUEUE);
        let batches = Arc::new(AtomicU64::new(0));
        match db.hand().cloned() {
            Some(hand) => {
                let runtime = Handle::current();
                let task = Task { pen: hand, db, clock, epoch, last: 0, batches: batches.clone() };
                let run = move || runtime.block_on(task.run(orders));
                let begun = thread::Builder::new().name("writer".into()).spawn(run);
                begun.map_err(|error| DbErr::Custom(format!("a thread for writing: {error}")))?;
            }
            None => {
                let task = Task { pen: db.clone(), db, clock, epoch, last: 0, batches: batches.clone() };
                tokio::spawn(task.run(orders));
            }
        }
        tokio::spawn(rests(queue.downgrade(), batches));
        Ok(Self { queue })
    }

    /// Writes one set; answers after the commit.
    pub(super) async fn write(&self, set: WriteSet) -> Answer {
        let (answer, written) = oneshot::channel();
        self.queue.try_send(Order::Write(Job { set, answer, alone: false })).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        written.await.map_err(|_| StoreError::Stopped)?
    }
}

/// Orders a rest once nothing was written for [`REST`].
async fn rests(queue: mpsc::WeakSender<Order>, batches: Arc<AtomicU64>) {
    let (mut seen, mut rested) = (0, 0);
    loop {
        sleep(REST).await;
        let Some(queue) = queue.upgrade() else { return };
        let now = batches.load(Ordering::Relaxed);
        // Where the queue is full, nobody rests.
        if now == seen && now != rested && queue.try_send(Order::Rest).is_ok() {
            rested = now;
        }
        seen = now;
    }
}

struct Task<P> {
    pen: P,
    db: Db,
    clock: Clock,
    epoch: i32,
    /// The latest stamp given: `lastUpdated` never goes backwards, whatever the clock does.
    last: i64,
    /// Batches so far.
    batches: Arc<AtomicU64>,
}

impl<P: Pen> Task<P> {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut waiting = VecDeque::new();
        loop {
            let next = if waiting.is_empty() { orders.recv().await } else { orders.try_recv().ok() };
            match next {
                Some(Order::Write(job)) => waiting.push_back(job),
                Some(Order::Rest) => self.rest().await,
                None if waiting.is_empty() => return,
                None => {
                    let batch = next_batch(&mut waiting);
                    if !batch.is_empty() {
                        waiting.extend(self.commit(batch).await);
                        self.batches.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    async fn rest(&self) {
        if let Err(error) = self.pen.rest().await {
            tracing::debug!(%error, "the writer keeps its memory");
        }
    }

    /// Writes a batch; what is to be tried again.
    async fn commit(&mut self, batch: Vec<Job>) -> Vec<Job> {
        let sets: Vec<&WriteSet> = batch.iter().map(|job| &job.set).collect();
        let outcomes = match self.attempted(&sets).await {
            Ok(outcomes) => outcomes,
            // Tried again, what took effect would take effect twice.
            Err(StoreError::Unknown) => sets.iter().map(|_| Err(StoreError::Unknown)).collect(),
            Err(error) if sets.len() == 1 => vec![explained(error)],
            Err(error) => {
                tracing::warn!(sets = sets.len(), %error, "a batch was rolled back; its sets are tried one by one");
                return batch.into_iter().map(|job| Job { alone: true, ..job }).collect();
            }
        };
        for (job, outcome) in batch.into_iter().zip(outcomes) {
            // A caller that has gone does not undo its write.
            let _gone = job.answer.send(outcome);
        }
        Vec::new()
    }

    /// The same once more where the first lost its connection before it could take effect.
    async fn attempted(&mut self, sets: &[&WriteSet]) -> Result<Vec<Answer>, StoreError> {
        match self.attempt(sets).await {
            Err(StoreError::Database(error)) if self.db.losses().found(&error) => self.attempt(sets).await,
            tried => tried,
        }
    }

    /// One transaction for all `sets`.
    async fn attempt(&mut self, sets: &[&WriteSet]) -> Result<Vec<Answer>, StoreError> {
        let now = self.clock.micros() / 1000 * 1000;
        let mut stamp = now.max(self.last);
        if self.db.backend() == DatabaseBackend::Postgres && sets.iter().all(|set| only_adds(set)) {
            // One statement is a transaction of its own.
            let write = self.db.write().await;
            let written = Batch { connection: &*write, epoch: self.epoch }.apply(sets, stamp).await;
            written.map_err(|error| self.db.losses().told(error))?;
            self.last = stamp;
            return Ok(sets.iter().map(|_| Ok(Ok(Committed { stamp }))).collect());
        }
        let transaction = self.pen.begin().await?;
        let batch = Batch { connection: &transaction, epoch: self.epoch };
        let (mut refusals, newest) = batch.moved(sets).await?;
        // A record's own last version may carry a later stamp, from another server's clock.
        if newest >= stamp {
            stamp = newest + 1000;
        }
        batch.take(sets.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none()).map(|(set, _)| *set)).await?;
        let asks: u32 = sets.iter().map(|set| u32::try_from(set.conditions.len()).unwrap_or(u32::MAX)).sum();
        if asks > 0 {
            transaction.bound(true).await?;
        }
        let until = Instant::now() + CONDITION_TIME + EACH_CONDITION * asks;
        for (refusal, set) in refusals.iter_mut().zip(sets) {
            if refusal.is_none() {
                *refusal = batch.matched(set, until).await?;
            }
        }
        if asks > 0 {
            transaction.bound(false).await?;
        }
        let mut crowd = Crowd::read(&transaction, sets).await?;
        let (mut kept, mut answers) = (Vec::new(), Vec::new());
        for (set, refusal) in sets.iter().zip(refusals) {
            answers.push(match refusal {
                Some(refusal) => Ok(Err(refusal)),
                None => match crowd.takes(set) {
                    Some(consent) => Err(StoreError::Crowded(consent)),
                    None => {
                        kept.push(*set);
                        Ok(Ok(Committed { stamp }))
                    }
                },
            });
        }
        batch.apply(&kept, stamp).await?;
        transaction.commit().await.map_err(|error| self.db.losses().told(error))?;
        self.last = stamp;
        Ok(answers)
    }
}

/// Takes the sets from the front that touch different things; one whose batch has failed by
/// itself, and the next of that kind after those that came meanwhile. Empty if nobody waits
/// for any of them.
fn next_batch(waiting: &mut VecDeque<Job>) -> Vec<Job> {
    waiting.retain(|job| !job.answer.is_closed());
    if let Some(one) = waiting.pop_front_if(|job| job.alone) {
        let others = waiting.iter().take_while(|job| job.alone).count();
        waiting.rotate_left(others);
        return vec![one];
    }
    let mut batch = Vec::new();
    let mut later = VecDeque::new();
    let mut touched = HashSet::new();
    let mut puts = 0;
    while let Some(job) = waiting.pop_front() {
        let keys = keys(&job.set);
        // A set that waits holds its records: what comes later for them stays behind it.
        let free = puts < BATCH && !job.alone && keys.iter().all(|key| !touched.contains(key));
        touched.extend(keys);
        if free {
            puts += job.set.puts.len();
            batch.push(job);
        } else {
            later.push_back(job);
        }
    }
    *waiting = later;
    batch
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// What all are indexed by: one set at a time changes it.
    Rules,
    Record(u16, String),
    Condition([u8; 32]),
}

fn keys(set: &WriteSet) -> Vec<Key> {
    let grounds = set.puts.iter().flat_map(|put| &put.rests).map(|ground| Key::Record(ground.kind, ground.id.clone()));
    let records = set.puts.iter().map(|put| Key::Record(put.kind, put.id.clone())).chain(grounds);
    let rules = set.puts.iter().any(defines_rules).then_some(Key::Rules);
    records.chain(set.conditions.iter().map(|condition| Key::Condition(condition.hash))).chain(rules).collect()
}

/// A single set that violates the unique key wanted an id that is in use.
fn explained(error: StoreError) -> Answer {
    if matches!(error, StoreError::Taken) { Ok(Err(Refused::Taken)) } else { Err(error) }
}

/// Nothing in the set looks at what is there: new records, and rows beside them.
fn only_adds(set: &WriteSet) -> bool {
    let rows = |extra: &Extra| matches!(extra.0, Beside::Row(..));
    set.conditions.is_empty()
        && set.puts.iter().all(|put| put.expected.is_none() && put.rests.is_empty() && !put.sweep && !speaks(put))
        && set.extras.iter().all(rows)
}

/// Sets that go together.
struct Batch<'a, C> {
    /// A transaction, or what gives a statement one of its own.
    connection: &'a C,
    epoch: i32,
}

/// Columns of `resource` in the order of [`resource_row`].
const RESOURCE: [&str; 18] = [
    "rid",
    "kind",
    "id",
    "version",
    "updated",
    "deleted",
    "citizen",
    "several",
    "custodian",
    "custody",
    "domain",
    "clinical_low",
    "clinical_high",
    "epoch",
    "rules",
    "method",
    "labels",
    "body",
];

/// What `history` takes over from `resource`.
const HISTORY: [&str; 16] = [
    "rid",
    "version",
    "kind",
    "id",
    "updated",
    "deleted",
    "citizen",
    "several",
    "custodian",
    "custody",
    "domain",
    "clinical_low",
    "clinical_high",
    "method",
    "labels",
    "body",
];

impl<C: Runs> Batch<'_, C> {
    /// Which sets planned on a version that is no longer current, and the newest
    /// stamp among the records touched.
    async fn moved(&self, sets: &[&WriteSet]) -> Result<(Vec<Option<Refused>>, i64), StoreError> {
        let puts = || sets.iter().flat_map(|set| &set.puts);
        let replaced = puts().filter(|put| put.expected.is_some()).map(|put| put.rid);
        let mut expecting: Vec<i64> =
            replaced.chain(puts().flat_map(|put| &put.rests).filter_map(|ground| Some(ground.found?.0))).collect();
        expecting.sort_unstable();
        expecting.dedup();
        let mut current: HashMap<i64, (i32, i64)> = HashMap::new();
        let mut newest = 0;
        for statement in self.current(&expecting) {
            for row in self.connection.rows(statement).await? {
                newest = newest.max(row.get::<i64>(2)?);
                current.insert(row.get(0)?, (row.get(1)?, row.get(3)?));
            }
        }
        let came = self.came(puts()).await?;
        let check = |set: &&WriteSet| {
            set.puts.iter().enumerate().find_map(|(number, put)| {
                let version = |rid: &i64| current.get(rid).map(|(version, _)| *version);
                let current = version(&put.rid);
                let stands = |ground: &Ground| match ground.found {
                    Some((rid, found)) => version(&rid) == Some(found),
                    None => !came.contains(&(ground.kind, &*ground.id)),
                };
                let gone = !put.rests.iter().all(stands);
                let stale = put.expected.is_some_and(|expected| current != Some(expected));
                (stale || gone).then_some(Refused::Moved { put: number, current })
            })
        };
        let refusals: Vec<Option<Refused>> = sets.iter().map(check).collect();
        // The version stands, but a rebuild has made other index rows than were planned on.
        let kept = sets.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none()).flat_map(|(set, _)| &set.puts);
        let mut replacing = kept.filter(|put| put.expected.is_some());
        if replacing.any(|put| current.get(&put.rid).map(|(_, rules)| *rules) != Some(put.rules.before)) {
            return Err(StoreError::OtherRules);
        }
        Ok((refusals, newest))
    }

    /// The places at which there is something now, of those where nothing was.
    async fn came<'p>(&self, puts: impl Iterator<Item = &'p Put>) -> Result<HashSet<(u16, &'p str)>, StoreError> {
        let mut came = HashSet::new();
        for ground in puts.flat_map(|put| &put.rests).filter(|ground| ground.found.is_none()) {
            let place = [Value::from(i16::try_from(ground.kind).unwrap_or(0)), ground.id.as_str().into()];
            let sql = "SELECT 1 FROM resource WHERE kind = ? AND id = ?";
            if !self.connection.rows(statement(self.connection.backend(), sql, place)).await?.is_empty() {
                came.insert((ground.kind, &*ground.id));
            }
        }
        Ok(came)
    }

    /// Asks for the current versions of these records, and on PostgreSQL holds them.
    fn current(&self, rids: &[i64]) -> Vec<Statement> {
        let backend = self.connection.backend();
        let columns = "SELECT rid, version, updated, rules FROM resource WHERE rid";
        let rids: Vec<Value> = rids.iter().map(|rid| Value::from(*rid)).collect();
        if backend == DatabaseBackend::Postgres {
            let sql = format!("{columns} = ANY (CAST(? AS bigint[])) ORDER BY rid FOR UPDATE");
            let all = (!rids.is_empty()).then(|| statement(backend, &sql, [array(rids.iter()).into()]));
            return all.into_iter().collect();
        }
        let some = |rids: &[Value]| {
            let sql = format!("{columns} IN ({})", vec!["?"; rids.len()].join(", "));
            statement(backend, &sql, rids.to_vec())
        };
        rids.chunks(64).map(some).collect()
    }

    /// Takes the keys of all conditions: another server with one of them waits here
    /// until this transaction ends. In one order everywhere, or two servers could
    /// wait for each other.
    async fn take(&self, sets: impl Iterator<Item = &WriteSet>) -> Result<(), StoreError> {
        let mut keys: Vec<([u8; 32], i64)> =
            sets.flat_map(|set| &set.conditions).map(|condition| (condition.hash, condition.rid)).collect();
        keys.sort_unstable();
        keys.dedup_by_key(|(hash, _)| *hash);
        let rows = keys.into_iter().map(|(hash, rid)| vec![Value::from(hash.to_vec()), rid.into()]).collect();
        let taken = "ON CONFLICT (hash) DO UPDATE SET rid = excluded.rid";
        let mut batch = Rows::default();
        batch.insert(("condition", &["hash", "rid"]), rows, taken);
        batch.run(self.connection).await
    }

    /// Whether a condition of `set` matches something else than it should.
    ///
    /// # Errors
    /// [`StoreError::TooCostly`] if one takes too long, or all together until after `until`.
    async fn matched(&self, set: &WriteSet, until: Instant) -> Result<Option<Refused>, StoreError> {
        for (number, condition) in set.conditions.iter().enumerate() {
            let found = self.connection.rows(condition.matches.clone()).await?;
            if Instant::now() > until {
                return Err(StoreError::TooCostly);
            }
            let rows = found
                .iter()
                .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .collect::<Result<Vec<(i64, String, i32)>, StoreError>>()?;
            if !rows.iter().map(|row| row.0).eq(condition.wanted.iter().copied()) {
                return Ok(Some(Refused::Matched { condition: number, rows }));
            }
        }
        Ok(None)
    }

    async fn apply(&self, sets: &[&WriteSet], stamp: i64) -> Result<(), StoreError> {
        let puts: Vec<&Put> = sets.iter().flat_map(|set| &set.puts).collect();
        let (mut gone, mut rows) = (Rows::default(), Rows::default());
        let replaced = puts.iter().filter(|put| put.expected.is_some()).map(|put| put.rid).collect();
        let old = format!("SELECT {} FROM resource WHERE rid IN", HISTORY.join(", "));
        rows.select(("history", &HISTORY), &old, replaced);
        let update: Vec<String> = RESOURCE[3..].iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let suffix = format!("ON CONFLICT (rid) DO UPDATE SET {}", update.join(", "));
        let new = puts.iter().map(|put| resource_row(put, stamp, self.epoch)).collect();
        rows.insert(("resource", &RESOURCE), new, &suffix);
        index(&puts, &mut gone, &mut rows);
        let extras = || sets.iter().flat_map(|set| &set.extras);
        beside(extras(), &mut rows);
        gone.run(self.connection).await?;
        self.ruled(&puts, rows).await?;
        for extra in extras() {
            if let Beside::Statement(statement) = &extra.0 {
                self.connection.run(statement.clone()).await?;
            }
        }
        Ok(())
    }

    /// Writes the rows, by the definitions that are in force: who changes them waits for
    /// all that have written (`rules.rs`).
    ///
    /// SQLite has one writer, and is asked in its transaction. On PostgreSQL the statement
    /// that writes holds the definitions as they are, and writes nothing by others.
    async fn ruled(&self, puts: &[&Put], rows: Rows<'_>) -> Result<(), StoreError> {
        let Some(first) = puts.first() else { return rows.run(self.connection).await };
        let planned = first.rules.planned;
        if puts.iter().any(|put| put.rules.planned != planned) {
            return Err(StoreError::OtherRules);
        }
        let backend = self.connection.backend();
        let lock = match backend {
            DatabaseBackend::Postgres if puts.iter().any(|put| defines_rules(put)) => " FOR UPDATE",
            DatabaseBackend::Postgres => " FOR SHARE",
            _ => "",
        };
        let sql = format!("SELECT generation AS number FROM rules WHERE id = 1{lock}");
        let missing = StoreError::Missing { table: "rules", what: "the only row" };
        let generation = match rows.run_if(self.connection, Some((&sql, planned))).await? {
            Some(generation) => generation,
            None => {
                let found = self.connection.rows(statement(backend, &sql, [])).await?;
                found.first().ok_or(missing)?.get(0)?
            }
        };
        debug_assert!(planned <= generation, "nobody plans by what is not there yet");
        if planned == generation { Ok(()) } else { Err(StoreError::OtherRules) }
    }
}

/// The rows beside the records, those of one table together.
fn beside<'s>(extras: impl Iterator<Item = &'s Extra>, out: &mut Rows<'_>) {
    let mut rows: Vec<(&'static Into, Vec<Vec<Value>>)> = Vec::new();
    for extra in extras {
        let Beside::Row(into, row) = &extra.0 else { continue };
        match rows.iter_mut().find(|(other, _)| other.table == into.table) {
            Some((_, all)) => all.push(row.clone()),
            None => rows.push((into, vec![row.clone()])),
        }
    }
    for (into, rows) in rows {
        out.insert((into.table, into.columns), rows, into.conflict);
    }
}

fn index(puts: &[&Put], gone: &mut Rows<'_>, rows: &mut Rows<'_>) {
    let stale: Vec<i64> = puts.iter().filter(|put| put.sweep).map(|put| put.rid).collect();
    sweep(gone, &stale);
    let mut changes = Changes::default();
    for put in puts {
        let old = if put.sweep { &[][..] } else { &put.old };
        changes.of(put.rid, old, &put.new);
    }
    changes.gather(gone, rows);
}

fn resource_row(put: &Put, stamp: i64, epoch: i32) -> Vec<Value> {
    let facts = &put.facts;
    vec![
        put.rid.into(),
        i16::try_from(put.kind).unwrap_or(0).into(),
        put.id.as_str().into(),
        put.version().into(),
        stamp.into(),
        put.method.deleted().into(),
        facts.citizen().into(),
        i16::from(facts.several()).into(),
        facts.custodian.into(),
        facts.custody.number().into(),
        i16::from(facts.domain).into(),
        facts.clinical.as_ref().map(|span| span.start).into(),
        facts.clinical.as_ref().map(|span| span.end).into(),
        epoch.into(),
        put.rules.after.into(),
        put.method.number().into(),
        facts.labels.as_str().into(),
        put.body.clone().map(|body| body.stamped(stamp)).into(),
    ]
}

#[cfg(test)]
mod tests;
