//! The people of one file, placed on every core but the writer's.
//!
//! Making, checking and indexing records is work for a processor, and more than half of
//! what an import costs. So each core takes the next person when it has room; one core is
//! left to the writer, which would otherwise have to share its own and keep all waiting. A
//! core plans one person after the other, so that the writer need not wait for a burst of
//! them, and keeps many at hand whose writes wait for a commit that they share. What became
//! of all is told in the order of the file.
//!
//! The threads are the import's own, so that whoever waits for it can stop waiting: at
//! the end of a request's time, or when its client has left. Then nobody else is begun;
//! what was handed over to be written is written, and the same file goes on from there.

use std::iter::Enumerate;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, available_parallelism};
use std::vec;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::draft::{Issue, Waiting};
use super::place::Placing;
use super::report::FileReport;
use crate::interaction::Error;

/// People at hand, over all cores: most of them wait to be written.
const SIDE_BY_SIDE: usize = 96;
/// People that one core plans at a time, so that another goes on while one asks the database.
const PLANNED: usize = 2;

/// What became of one person.
pub(super) struct Placed {
    /// What was unclear in her rows.
    pub(super) issues: Vec<Issue>,
    /// What was stored, and what was not.
    pub(super) report: FileReport,
}

/// Places them all; what became of each, in their order.
///
/// The first failure ends it, as does dropping this: people at hand are finished, and no
/// more are taken.
///
/// * `progress`: called after each person: persons done, persons in all.
pub(super) async fn place(
    placing: Placing,
    people: Vec<Waiting>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Placed>, Error> {
    let total = people.len();
    let hands = available_parallelism().map_or(1, NonZero::get).saturating_sub(1).clamp(1, total.max(1));
    let queue = Mutex::new(people.into_iter().enumerate());
    let each = SIDE_BY_SIDE.div_ceil(hands);
    let crew = Leave(Arc::new(Crew { placing, each, queue, left: AtomicBool::new(false) }));
    let (tell, mut told) = mpsc::unbounded_channel();
    for _ in 0..hands {
        let (crew, tell, runtime) = (crew.0.clone(), tell.clone(), Handle::current());
        let work = move || runtime.block_on(crew.work(&tell));
        let begun = thread::Builder::new().name("import".to_owned()).spawn(work);
        begun.map_err(|error| Error::Internal(format!("a thread for an import: {error}")))?;
    }
    drop(tell);
    let mut all = Vec::with_capacity(total);
    while let Some((at, placed)) = told.recv().await {
        all.push((at, placed?));
        progress(all.len(), total);
    }
    if all.len() != total {
        return Err(Error::Internal("a thread of an import ended early".to_owned()));
    }
    all.sort_by_key(|(at, _)| *at);
    Ok(all.into_iter().map(|(_, placed)| placed).collect())
}

/// A person's place in the file, and what became of her.
type Told = (usize, Result<Placed, Error>);

/// Lets the crew go home when nobody waits for it.
struct Leave(Arc<Crew>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
        self.0.queue().by_ref().for_each(drop);
    }
}

struct Crew {
    placing: Placing,
    /// People that one core has at hand.
    each: usize,
    queue: Mutex<Enumerate<vec::IntoIter<Waiting>>>,
    left: AtomicBool,
}

impl Crew {
    /// What one core does.
    async fn work(&self, tell: &mpsc::UnboundedSender<Told>) {
        let turns = Semaphore::new(PLANNED);
        let mut at_hand = FuturesUnordered::new();
        loop {
            while at_hand.len() < self.each
                && let Some((at, waiting)) = self.next()
            {
                at_hand.push(self.one(at, waiting, &turns));
            }
            let Some(told) = at_hand.next().await else { return };
            if let Some(told) = told {
                // Whoever waited may have gone.
                let _ = tell.send(told);
            }
        }
    }

    /// `None` if nobody waits any more.
    async fn one(&self, at: usize, waiting: Waiting, turns: &Semaphore) -> Option<Told> {
        // Nobody closes it.
        let turn = turns.acquire().await.ok()?;
        if self.left.load(Ordering::Relaxed) {
            return None;
        }
        let mut issues = Vec::new();
        let report = match waiting(&mut issues) {
            Some(drafts) => self.placing.person(&drafts, turn).await,
            None => Ok(FileReport::new("", "")),
        };
        Some((at, report.map(|report| Placed { issues, report })))
    }

    fn next(&self) -> Option<(usize, Waiting)> {
        self.queue().next()
    }

    fn queue(&self) -> MutexGuard<'_, Enumerate<vec::IntoIter<Waiting>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
