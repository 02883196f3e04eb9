//! Row numbers: each is given once, by whatever server on the database.
//!
//! They are taken from the database in blocks. The next block is fetched as soon as half
//! of the one at hand is given out: on SQLite it comes over the one connection that
//! writes, which a batch may hold for longer than a plan takes, and whoever plans would
//! stand still meanwhile.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::ConnectionTrait;

use super::db::Db;
use super::error::StoreError;

/// Row numbers taken from the database at a time.
const BLOCK: i64 = 2048;

/// Gives numbers; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Numbers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    held: Mutex<Held>,
    /// One fetches; who needs numbers meanwhile waits for what it brings.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    /// The block at hand.
    first: Range<i64>,
    /// The block after it.
    then: Range<i64>,
}

impl Held {
    fn take(&mut self) -> Option<i64> {
        if self.first.is_empty() {
            self.first = std::mem::take(&mut self.then);
        }
        self.first.next()
    }

    fn is_low(&self) -> bool {
        self.then.is_empty() && self.first.end - self.first.start <= BLOCK / 2
    }
}

impl Numbers {
    pub(super) fn new(db: Db) -> Self {
        Self(Arc::new(Shared { db, held: Mutex::default(), fetching: tokio::sync::Mutex::default() }))
    }

    /// A number that was never given before.
    pub(super) async fn next(&self) -> Result<i64, StoreError> {
        loop {
            let (taken, low) = {
                let mut held = self.0.held();
                (held.take(), held.is_low())
            };
            match taken {
                Some(number) => {
                    if low {
                        self.ahead();
                    }
                    return Ok(number);
                }
                None => {
                    let fetching = self.0.fetching.lock().await;
                    // Someone else may have fetched while this one waited.
                    if self.0.held().is_low() {
                        self.0.fetch().await?;
                    }
                    drop(fetching);
                }
            }
        }
    }

    /// Fetches the next block, while numbers of this one are still given out.
    fn ahead(&self) {
        // Held until it is done, so that it is asked for once.
        if self.0.fetching.try_lock().is_err() {
            return;
        }
        let shared = self.0.clone();
        tokio::spawn(async move {
            let _fetching = shared.fetching.lock().await;
            if shared.held().is_low()
                && let Err(error) = shared.fetch().await
            {
                // Whoever finds none left asks again, and is told.
                tracing::debug!(%error, "no row numbers ahead");
            }
        });
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<(), StoreError> {
        let sql = "UPDATE sequence SET next = next + ? WHERE name = 'resource' RETURNING next";
        let row = self.db.write().await.query_one_raw(self.db.statement(sql, [BLOCK.into()])).await?;
        let row = row.ok_or(StoreError::Missing { table: "sequence", what: "resource" })?;
        let end: i64 = row.try_get_by_index(0)?;
        self.held().then = end - BLOCK..end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use futures_util::future::join_all;
    use techo_migrations::{Migrator, MigratorTrait};

    use super::super::folder::Folder;
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_number_is_given_twice_and_none_waits_for_a_batch_that_writes() {
        let folder = Folder::new("numbers");
        let db = Db::open(&folder.url()).await.expect("a database");
        Migrator::up(&*db.write().await, None).await.expect("a schema");
        let (one, other) = (Numbers::new(db.clone()), Numbers::new(db.clone()));
        let half = usize::try_from(BLOCK / 2).expect("small");
        let both = (0..half).map(|at| if at % 2 == 0 { &one } else { &other }).chain((0..half * 3).map(|_| &one));
        let mut given: Vec<i64> =
            join_all(both.map(Numbers::next)).await.into_iter().map(|it| it.expect("a number")).collect();
        // Another is fetched as soon as half of a block is gone.
        while one.0.held().is_low() {
            given.push(one.next().await.expect("a number"));
            tokio::task::yield_now().await;
        }
        let batch = db.begin().await.expect("a batch");
        for _ in 0..half {
            given.push(one.next().await.expect("a number at hand"));
        }
        batch.rollback().await.expect("the end of it");
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len());
    }
}
