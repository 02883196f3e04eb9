//! A write's own record: one row in the write's transaction.
//!
//! The row has a random id and is sealed by itself; the projector moves it
//! into the chain and takes it out of `audit_write` in the transaction that
//! files it. A row that was moved twice (a crash between the two, or two
//! servers at once) is filed once, by its id.

use futures_util::future::try_join_all;
use sea_orm::{ConnectionTrait, Value};

use super::AuditError;
use super::authentic::AuditKeys;
use super::codec::encode;
use super::log::Inner;
use super::record::Record;
use crate::random::Random;
use crate::store::db::statement;

/// What the write's transaction inserts into `audit_write`.
#[derive(Clone, Debug)]
pub struct WriteRow {
    id: [u8; 16],
    record: Vec<u8>,
    seal: Vec<u8>,
}

impl WriteRow {
    /// The columns, in the order of [`WriteRow::values`].
    pub const COLUMNS: [&str; 3] = ["id", "record", "seal"];

    pub(super) fn new(mut record: Record, keys: &AuditKeys, random: &Random) -> Self {
        let id = random.bytes();
        record.write = Some(id);
        let record = encode(&record, keys);
        let seal = keys.seal_row(&id, &record);
        Self { id, record, seal }
    }

    /// The values for one row of `INSERT INTO audit_write (id, record, seal) VALUES (?, ?, ?)`.
    pub fn values(self) -> [Value; 3] {
        [self.id.to_vec().into(), self.record.into(), self.seal.into()]
    }

    /// Inserts rows in the caller's transaction.
    pub async fn insert(rows: Vec<Self>, connection: &impl ConnectionTrait) -> Result<(), AuditError> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Self> = rows.by_ref().take(AT_ONCE).collect();
            let places = vec!["(?, ?, ?)"; chunk.len()].join(", ");
            let sql = format!("INSERT INTO audit_write ({}) VALUES {places}", Self::COLUMNS.join(", "));
            let values = chunk.into_iter().flat_map(Self::values);
            connection.execute_raw(statement(connection.get_database_backend(), &sql, values)).await?;
        }
        Ok(())
    }
}

/// Moves the rows that wait into the log; how many there were.
pub(super) async fn move_into_log(log: &Inner) -> Result<usize, AuditError> {
    let (mut moved, mut after) = (0, Vec::new());
    loop {
        let sql = "SELECT id, record, seal FROM audit_write WHERE id > ? ORDER BY id LIMIT ?";
        let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let rows = log.db.all(sql, [after.clone().into(), limit.into()]).await?;
        let mut appends = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: Vec<u8> = row.try_get("", "id")?;
            let record: Vec<u8> = row.try_get("", "record")?;
            let seal: Vec<u8> = row.try_get("", "seal")?;
            if log.keys.is_row(&id, &record, &seal) {
                appends.push(log.append_bytes(record));
            } else {
                // Left where it is: `verify` names it.
                tracing::error!("a row of audit_write was changed; it stays out of the log");
            }
            after = id;
        }
        moved += try_join_all(appends).await?.len();
        if rows.len() < AT_ONCE {
            return Ok(moved);
        }
    }
}

/// How many rows wait, and how many of them were changed.
pub(super) async fn count(db: &crate::store::db::Db, keys: &AuditKeys) -> Result<(usize, usize), AuditError> {
    let (mut waiting, mut changed) = (0, 0);
    for row in db.all("SELECT id, record, seal FROM audit_write", []).await? {
        let id: Vec<u8> = row.try_get("", "id")?;
        let record: Vec<u8> = row.try_get("", "record")?;
        let seal: Vec<u8> = row.try_get("", "seal")?;
        waiting += 1;
        changed += usize::from(!keys.is_row(&id, &record, &seal));
    }
    Ok((waiting, changed))
}

/// Rows a statement.
const AT_ONCE: usize = 256;
