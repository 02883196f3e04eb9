//! The projector: records → rows that can be searched.
//!
//! A pass reads every chain from the head stored in the database to its end,
//! checks it, and files a row for each citizen a record is about. Rows and the
//! new head are one transaction, so a record is filed exactly once however often
//! the process dies. What is read is on disk first: a head never runs ahead of
//! what a power loss leaves.
//!
//! Every process files every chain, its own and those of processes that died;
//! the head's row decides who was first.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::Value;
use tokio::runtime::Handle;

use super::authentic::AuditKeys;
use super::codec::skim;
use super::files::{Entry, Fault, Reading};
use super::heads::{self, Chain};
use super::log::Inner;
use super::record::{NOBODY, Record};
use super::table::number_value;
use super::{AuditError, Head, Position, Source, row};
use crate::store::error::StoreError;
use crate::store::pen::{Pen, Transaction};
use crate::store::rows::Rows;
use crate::store::runs::Runs;

/// The projector's own state.
#[derive(Debug, Default)]
pub(super) struct Projector {
    /// Calls so far; each call's number is its ticket.
    tickets: AtomicU64,
    /// The highest ticket whose records are filed.
    filed: tokio::sync::Mutex<u64>,
    /// Chains whose damage was told already.
    damaged: Mutex<BTreeSet<i64>>,
}

/// Files in the background for as long as the log lives.
pub(super) fn keep_up(log: &Arc<Inner>, every: Duration) {
    let log = Arc::downgrade(log);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let Some(log) = log.upgrade() else { return };
            if let Err(error) = log.catch_up().await {
                tracing::warn!(%error, "audit records could not be filed; it is tried again");
            }
        }
    });
}

impl Inner {
    /// Files every record that was kept before this call. Calls that wait for
    /// the same pass share it.
    pub(super) async fn catch_up(&self) -> Result<(), AuditError> {
        let ticket = self.projector.tickets.fetch_add(1, Ordering::AcqRel) + 1;
        let mut filed = self.projector.filed.lock().await;
        if *filed >= ticket {
            return Ok(());
        }
        let covers = self.projector.tickets.load(Ordering::Acquire);
        self.fold_all().await?;
        // Only now: a row that is in the log already has just been taken out.
        if row::move_into_log(self).await? > 0 {
            self.fold_all().await?;
        }
        *filed = covers;
        Ok(())
    }

    async fn fold_all(&self) -> Result<(), AuditError> {
        let chains = match self.source {
            Source::Files(_) => heads::all(&self.db, &self.keys).await?,
            Source::Table => heads::behind(&self.db, &self.keys).await?,
        };
        for chain in chains {
            self.fold_chain(chain).await?;
        }
        Ok(())
    }

    /// Files one chain to its end, or to where it is damaged.
    async fn fold_chain(&self, mut chain: Chain) -> Result<(), AuditError> {
        let reading = Reading { limit: AT_ONCE, sync: true, lenient: false };
        loop {
            if !chain.sealed {
                self.tell(&Fault { position: chain.head.position, what: "the stored head was changed" });
                return Ok(());
            }
            let stretch = self.source.read(&self.db, &self.keys, chain.generation, &chain.head, reading).await?;
            if stretch.head != chain.head {
                let filing =
                    Filing { from: chain.head.clone(), to: stretch.head.clone(), rows: rows(&stretch.entries)? };
                if !self.file(filing).await? {
                    // Another process was first: go on from where it came to.
                    chain = self.again(&chain).await?;
                    continue;
                }
                chain.head = stretch.head;
            }
            if let Some(fault) = stretch.faults.first() {
                self.tell(fault);
                return Ok(());
            }
            if !stretch.more {
                return Ok(());
            }
        }
    }

    /// Files them; `false` if another process has filed them already.
    async fn file(&self, filing: Filing) -> Result<bool, AuditError> {
        let Some(hand) = self.db.hand().cloned() else { return Ok(filing.run(&self.db, &self.keys).await?) };
        let (runtime, keys) = (Handle::current(), self.keys.clone());
        // SQLite runs where it is called, and may wait for the disk.
        let filed = tokio::task::spawn_blocking(move || runtime.block_on(filing.run(&hand, &keys))).await;
        Ok(filed.map_err(|_| StoreError::Stopped)??)
    }

    /// The chain as the database knows it by now.
    async fn again(&self, chain: &Chain) -> Result<Chain, AuditError> {
        let number = chain.head.position.chain;
        let found = heads::all(&self.db, &self.keys).await?;
        found
            .into_iter()
            .find(|found| found.head.position.chain == number)
            .ok_or(AuditError::Damaged { position: chain.head.position, fault: "its row in audit_chain is gone" })
    }

    fn tell(&self, fault: &Fault) {
        let mut told = self.projector.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(fault.position.chain) {
            tracing::error!(position = %fault.position, what = fault.what, "the audit log is damaged; run audit-verify");
        }
    }
}

/// What one transaction files.
struct Filing {
    from: Head,
    to: Head,
    rows: Vec<Row>,
}

impl Filing {
    /// * answers `false`, and nothing is filed, if the chain's head is not where this begins.
    async fn run<P: Pen>(self, pen: &P, keys: &AuditKeys) -> Result<bool, StoreError> {
        let transaction = pen.begin().await?;
        if !heads::advance(&transaction, keys, &self.from, &self.to).await? {
            return Ok(false);
        }
        insert(&transaction, &self.rows).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// One row of `audit_entry`.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) citizen: i64,
    pub(super) at: i64,
    pub(super) position: Position,
    pub(super) ordinal: u32,
    pub(super) kind: u8,
    pub(super) write: Option<[u8; 16]>,
}

/// The rows of these records.
pub(super) fn rows(entries: &[Entry]) -> Result<Vec<Row>, AuditError> {
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let record = skim(&entry.record).map_err(|error| AuditError::record(entry.position, error))?;
        for (ordinal, citizen) in owners(&record) {
            rows.push(Row {
                citizen,
                at: record.at,
                position: entry.position,
                ordinal,
                kind: record.kind.number(),
                write: record.write,
            });
        }
    }
    Ok(rows)
}

/// Whose event a record is: each citizen once, with her place among the patients.
fn owners(record: &Record) -> Vec<(u32, i64)> {
    if record.patients.is_empty() {
        return vec![(0, NOBODY)];
    }
    let mut seen = BTreeSet::new();
    let numbered = (0..).zip(record.patients.iter().map(|disclosed| disclosed.citizen));
    numbered.filter(|(_, citizen)| seen.insert(*citizen)).collect()
}

async fn insert(tx: &impl Runs, rows: &[Row]) -> Result<(), StoreError> {
    let columns = ["citizen", "at", "chain", "segment", "place", "ordinal", "kind", "write_id"];
    let moved = rows.iter().filter_map(|row| row.write).map(|id| vec![id.to_vec().into()]).collect();
    let mut batch = Rows::default();
    batch.insert(("audit_entry", &columns), rows.iter().map(Row::values).collect(), "ON CONFLICT DO NOTHING");
    batch.delete(("audit_write", &["id"]), moved);
    batch.run(tx).await
}

impl Row {
    fn values(&self) -> Vec<Value> {
        vec![
            self.citizen.into(),
            self.at.into(),
            self.position.chain.into(),
            i64::from(self.position.segment).into(),
            number_value(self.position.place),
            // More citizens than fit would be a record larger than any may be.
            i32::try_from(self.ordinal).unwrap_or(i32::MAX).into(),
            i32::from(self.kind).into(),
            self.write.map(|id| id.to_vec()).into(),
        ]
    }
}

/// Records a transaction.
const AT_ONCE: usize = 2048;
