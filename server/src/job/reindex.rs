//! The online reindex: brings the records that were there up to the search parameters
//! of this installation.
//!
//! From the moment a definition begins, every write makes its rows (`store/rules.rs`);
//! the job walks over the records of its types once, in the order of ids, and makes the
//! rows that are missing and takes out those of definitions that ended. Searches and
//! writes go on meanwhile: no row is touched that a search may ask for. Each step's
//! place is stored, so that a job that was stopped goes on there, on any server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::app::rules::EVERY;
use crate::interaction::Error;
use crate::search::catalog::Catalog;
use crate::search::own::Standing;
use crate::store::reader::Stored;
use crate::store::rules::{Raised, Rebuild, Settled};

/// What a reindex did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records looked at.
    pub records: u64,
    /// Definitions that became ready.
    pub ready: u64,
    /// It was asked to stop before its end.
    pub stopped: bool,
}

/// Walks until all types are at the generation in force.
///
/// * `progress`: told the walk after each step; says whether to go on.
pub async fn run(app: &App, progress: &mut (dyn FnMut(&Rebuild) -> bool + Send)) -> Result<Summary, Error> {
    let mut summary = Summary::default();
    loop {
        app.catch_up().await?;
        let catalog = app.catalog();
        let rebuilds = app.store.rebuilds().await?;
        let due = targets(&catalog, app).into_iter().find(|(kind, target)| finished(&rebuilds, *kind) < *target);
        let Some((kind, target)) = due else {
            let outcome = settled(&catalog, app, &rebuilds);
            if outcome.is_empty() {
                return Ok(summary);
            }
            summary.ready += outcome.ready.len() as u64;
            app.store.settle(&outcome).await?;
            continue;
        };
        // A server that has not heard yet that a parameter ended may still be asked for it.
        if catalog.own().iter().any(|own| own.life.is_ready() && own.life.retired == target) {
            tokio::time::sleep(Duration::from_micros(2 * EVERY.unsigned_abs())).await;
        }
        let walk = app.store.begin_rebuild(kind, target).await?;
        if !walked(app, walk, &mut summary, progress).await? {
            return Ok(Summary { stopped: true, ..summary });
        }
    }
}

/// Walks over one type; whether to its end.
async fn walked(
    app: &App,
    mut walk: Rebuild,
    summary: &mut Summary,
    progress: &mut (dyn FnMut(&Rebuild) -> bool + Send),
) -> Result<bool, Error> {
    loop {
        let records = app.store.records_after(walk.kind, &walk.after, BATCH).await?;
        let Some(last) = records.last().map(|one| one.id.clone()) else { break };
        let seen = i64::try_from(records.len()).unwrap_or(BATCH);
        summary.records += seen.unsigned_abs();
        raised(app, &walk, records).await?;
        app.store.advance(&walk, &last, seen).await?;
        walk = Rebuild { after: last, done: walk.done + seen, ..walk };
        if !progress(&walk) {
            return Ok(false);
        }
    }
    app.store.finish_rebuild(&walk).await?;
    Ok(true)
}

/// Brings these records up, and those again that were written meanwhile by an older
/// plan, until none is behind.
async fn raised(app: &App, walk: &Rebuild, mut records: Vec<Stored>) -> Result<(), Error> {
    for _ in 0..TRIES {
        let mut found = Vec::new();
        for stored in records.iter().filter(|stored| stored.rules < walk.target) {
            found.push(raise(app, walk.target, stored).await?);
        }
        if found.is_empty() {
            return Ok(());
        }
        let missed = app.store.raise(walk, &mut found).await?;
        records = app.store.rows(&missed).await?;
    }
    Err(Error::Store(crate::store::StoreError::Busy))
}

async fn raise(app: &App, target: i64, stored: &Stored) -> Result<Raised, Error> {
    let from = (stored.rid, stored.version, stored.rules);
    let Some(resource) = stored.json()? else { return Ok(Raised { from, old: Vec::new(), new: Vec::new() }) };
    let old = app.own_rows(stored, &resource, stored.rules).await?;
    let new = app.own_rows(stored, &resource, target).await?;
    Ok(Raised { from, old, new })
}

/// The generation that each type has to reach: the last in which a definition for it
/// began or ended.
pub fn targets(catalog: &Catalog, app: &App) -> BTreeMap<u16, i64> {
    let mut targets = BTreeMap::new();
    for own in catalog.own() {
        let changed = if own.life.retired == i64::MAX { own.life.born } else { own.life.retired };
        for name in own.definition.types(app.definitions) {
            let target = targets.entry(app.definitions.type_number(name).unwrap_or(0)).or_insert(changed);
            *target = changed.max(*target);
        }
    }
    targets
}

fn finished(rebuilds: &[Rebuild], kind: u16) -> i64 {
    rebuilds.iter().find(|one| one.kind == kind).map_or(0, |one| one.finished)
}

/// What follows once the types are where `rebuilds` says.
fn settled(catalog: &Catalog, app: &App, rebuilds: &[Rebuild]) -> Settled {
    let mut outcome = Settled::default();
    for own in catalog.own() {
        let reached = |generation: i64| {
            let mut types = own.definition.types(app.definitions).into_iter();
            types.all(|name| finished(rebuilds, app.definitions.type_number(name).unwrap_or(0)) >= generation)
        };
        let key = (own.life.born, own.source.to_string());
        if own.life.retired != i64::MAX {
            if reached(own.life.retired) {
                outcome.gone.push(key);
            }
        } else if own.life.standing == Standing::Indexing && reached(own.life.born) {
            let older = catalog.own().iter().filter(|other| {
                other.source == own.source && other.life.born < own.life.born && other.life.retired == i64::MAX
            });
            outcome.ended.extend(older.map(|other| (other.life.born, other.source.to_string())));
            outcome.ready.push(key);
        }
    }
    outcome
}

/// Reindexes whenever that is asked for, and first what a stop left undone. Ends with
/// the server.
pub fn worker(app: &Arc<App>) {
    let app = Arc::downgrade(app);
    tokio::spawn(async move {
        if let Some(app) = app.upgrade()
            && begun(&app).await
        {
            app.rules.wanted.notify_one();
        }
        loop {
            let Some(strong) = app.upgrade() else { return };
            let notified = strong.rules.wanted.notified();
            // The server may end while nothing is wanted.
            let rung = tokio::time::timeout(Duration::from_secs(1), notified).await.is_ok();
            if !rung {
                continue;
            }
            let weak = app.clone();
            let mut going = |_: &Rebuild| weak.strong_count() > 1;
            match run(&strong, &mut going).await {
                Ok(done) => tracing::info!(records = done.records, ready = done.ready, "reindexed"),
                Err(error) => tracing::error!(%error, "the reindex stopped; ask for it again"),
            }
        }
    });
}

/// Whether a walk was begun that has not ended.
async fn begun(app: &App) -> bool {
    let rebuilds = app.store.rebuilds().await.unwrap_or_default();
    rebuilds.iter().any(|one| one.finished < one.target)
}

/// Records a step.
const BATCH: i64 = 128;
/// Times a step is tried again where writes come between.
const TRIES: u32 = 32;
