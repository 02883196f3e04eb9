//! What waits for the writer, and for how long.

use std::time::Duration;

use crate::clock::Clock;
use crate::store::folder::Folder;
use crate::store::write::{Condition, WriteSet};
use crate::store::{Db, Store, StoreError};

/// Counts for some ten milliseconds, and finds nothing.
const SLOW: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) \
                    SELECT i, 'x', 1 FROM n WHERE i < 0";

/// A resource key that is bound, with so many conditions before it.
fn bound(store: &Store, value: &str, conditions: u32) -> WriteSet {
    let condition = |number: u32| {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        Condition { hash, matches: store.db().statement(SLOW, []), rid: 1, wanted: Vec::new() }
    };
    WriteSet {
        extras: vec![store.bind(("writer", value), 5, 1)],
        conditions: (0..conditions).map(condition).collect(),
        ..WriteSet::default()
    }
}

async fn is_bound(store: &Store, value: &str) -> bool {
    store.bound(("writer", value), 1).await.expect("an answer").is_some()
}

async fn store(folder: &Folder) -> Store {
    Store::open(Db::open(&folder.url()).await.expect("a database"), Clock::system(), 1).await.expect("a store")
}

/// Each condition had its own two seconds: a transaction of thousands held all who write for
/// half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn many_conditions_took_as_long_as_each_may() {
    let folder = Folder::new("conditions");
    let store = store(&folder).await;
    let late = store.write(bound(&store, "slow", 800)).await;
    assert!(matches!(late, Err(StoreError::TooCostly)), "{late:?}");
    assert!(!is_bound(&store, "slow").await);
    // Those of another are not its.
    let (slow, plain, few) = tokio::join!(
        store.write(bound(&store, "slow", 800)),
        store.write(bound(&store, "plain", 0)),
        store.write(bound(&store, "few", 3)),
    );
    assert!(matches!(slow, Err(StoreError::TooCostly)), "{slow:?}");
    assert!(matches!((&plain, &few), (Ok(Ok(_)), Ok(Ok(_)))), "{plain:?} {few:?}");
    assert!(is_bound(&store, "plain").await && is_bound(&store, "few").await);
}

/// What had been answered 503 long ago was written all the same, a minute later.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_was_written() {
    let folder = Folder::new("gone");
    let store = store(&folder).await;
    let busy = store.write(bound(&store, "busy", 20));
    let gone = async {
        // The other one is being written; this one stands behind it, and its asker leaves.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let write = store.write(bound(&store, "gone", 0));
        let _ = tokio::time::timeout(Duration::ZERO, write).await;
    };
    let (busy, ()) = tokio::join!(biased; busy, gone);
    assert!(matches!(busy, Ok(Ok(_))), "{busy:?}");
    let next = store.write(bound(&store, "next", 0)).await;
    assert!(matches!(next, Ok(Ok(_))), "{next:?}");
    assert!(!is_bound(&store, "gone").await);
    assert!(is_bound(&store, "next").await);
}
