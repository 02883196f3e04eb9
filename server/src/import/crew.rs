//! The people of one file, placed on every core.
//!
//! Making, checking and indexing records is work for a processor, and most of what an
//! import costs. So each core takes the next person when it has room, and keeps a few at
//! hand whose writes wait for a commit that they share. A person's drafts live only while
//! it is her turn. What became of all is told in the order of the file.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{available_parallelism, scope};
use std::{iter, vec};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::draft::{Issue, Waiting};
use super::place::Placing;
use super::report::FileReport;
use crate::interaction::Error;

/// People at hand, over all cores.
const SIDE_BY_SIDE: usize = 32;

/// What became of one person.
pub(super) struct Placed {
    /// What was unclear in her rows.
    pub(super) issues: Vec<Issue>,
    /// What was stored, and what was not.
    pub(super) report: FileReport,
}

/// Places them all; what became of each, in their order.
///
/// The first failure ends it: people at hand are finished, and no more are taken.
///
/// It holds the thread that it is called on until it is done, and needs a runtime of
/// several.
///
/// * `progress`: called after each person: persons done, persons in all.
pub(super) fn place(
    placing: &Placing<'_>,
    people: Vec<Waiting>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Placed>, Error> {
    let total = people.len();
    let hands = available_parallelism().map_or(1, NonZero::get).clamp(1, total.max(1));
    let queue = Mutex::new(people.into_iter().enumerate());
    let crew = Crew { placing, progress, total, each: SIDE_BY_SIDE.div_ceil(hands), queue, count: AtomicUsize::new(0) };
    let runtime = Handle::current();
    let work = || runtime.block_on(crew.work());
    let done: Vec<_> = block_in_place(|| {
        scope(|scope| {
            let others: Vec<_> = (1..hands).map(|_| scope.spawn(work)).collect();
            let own = work();
            let join =
                |other: std::thread::ScopedJoinHandle<'_, _>| other.join().unwrap_or_else(|panic| resume_unwind(panic));
            iter::once(own).chain(others.into_iter().map(join)).collect()
        })
    });
    let mut all = Vec::with_capacity(total);
    for some in done {
        all.extend(some?);
    }
    all.sort_by_key(|(at, _)| *at);
    Ok(all.into_iter().map(|(_, placed)| placed).collect())
}

struct Crew<'a> {
    placing: &'a Placing<'a>,
    progress: &'a (dyn Fn(usize, usize) + Sync),
    total: usize,
    /// People that one core has at hand.
    each: usize,
    queue: Mutex<iter::Enumerate<vec::IntoIter<Waiting>>>,
    count: AtomicUsize,
}

impl Crew<'_> {
    /// What one core does: people placed, each with her place in the file.
    async fn work(&self) -> Result<Vec<(usize, Placed)>, Error> {
        let mut done = Vec::new();
        let mut failed = None;
        let mut at_hand = FuturesUnordered::new();
        loop {
            while at_hand.len() < self.each
                && let Some((at, waiting)) = self.next()
            {
                at_hand.push(self.one(at, waiting));
            }
            match at_hand.next().await {
                Some(Ok(placed)) => done.push(placed),
                Some(Err(error)) => {
                    self.queue().by_ref().for_each(drop);
                    failed = Some(error);
                }
                None => return failed.map_or(Ok(done), Err),
            }
            (self.progress)(self.count.fetch_add(1, Ordering::Relaxed) + 1, self.total);
        }
    }

    async fn one(&self, at: usize, waiting: Waiting) -> Result<(usize, Placed), Error> {
        let mut issues = Vec::new();
        let report = match waiting(&mut issues) {
            Some(drafts) => self.placing.person(&drafts).await?,
            None => FileReport::new("", ""),
        };
        Ok((at, Placed { issues, report }))
    }

    fn next(&self) -> Option<(usize, Waiting)> {
        self.queue().next()
    }

    fn queue(&self) -> MutexGuard<'_, iter::Enumerate<vec::IntoIter<Waiting>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
