//! A chain in a table: `audit_log(chain, number, mac, record)` on PostgreSQL.
//!
//! Servers come and go and may have no disk of their own, so each process
//! begins a chain when it starts and leaves it when it ends. One statement
//! appends a batch, and is committed before any of its requests is answered.

use sea_orm::Value;

use super::authentic::{AuditKeys, ChainKey};
use super::files::{Entry, Fault, Reading, Stretch};
use super::{AuditError, Head, Position, heads, number_column};
use crate::store::db::Db;
use crate::store::error::StoreError;
use crate::store::rows::Rows;

/// Processes that start at the same instant and want the same number.
const ATTEMPTS: usize = 64;

/// The one writer of a chain.
pub(super) struct Table {
    db: Db,
    key: ChainKey,
    chain: i64,
    /// `None` after an error: whether the last batch is in is for the database to say.
    head: Option<Head>,
}

impl Table {
    /// Begins a new chain.
    pub(super) async fn begin(db: &Db, keys: &AuditKeys) -> Result<Self, AuditError> {
        let key = keys.current_chain();
        for _ in 0..ATTEMPTS {
            let chain = heads::next(db).await?;
            let head = Head::first_in_table(chain, &key);
            if heads::begin(db, keys, &head).await? {
                return Ok(Self { db: db.clone(), key, chain, head: Some(head) });
            }
        }
        Err(AuditError::Unwritable("no chain number is free".to_owned()))
    }

    /// Appends records in order: all of them, or none.
    pub(super) async fn append(&mut self, records: &[&[u8]]) -> Result<Vec<Position>, AuditError> {
        let head = match self.head.take() {
            Some(head) => head,
            None => self.find_head().await?,
        };
        let after = match self.write(&head, records).await {
            // The connection is gone. Whether they are in is for the database to say, and
            // nobody else writes into this chain.
            Err(StoreError::Database(error)) if self.db.losses().found(&error) => match self.find_head().await? {
                found if found == head => self.write(&head, records).await?,
                found => found,
            },
            written => written?,
        };
        let places = head.position.place..after.position.place;
        self.head = Some(after);
        Ok(places.map(|place| Position { place, ..head.position }).collect())
    }

    /// Writes records from a head on; the head after them.
    async fn write(&self, from: &Head, records: &[&[u8]]) -> Result<Head, StoreError> {
        let mut head = from.clone();
        let mut rows: Vec<Vec<Value>> = Vec::with_capacity(records.len());
        for record in records {
            head.mac = self.key.next(&head.mac, record);
            let place = number_value(head.position.place);
            rows.push(vec![self.chain.into(), place, head.mac.to_vec().into(), record.to_vec().into()]);
            head.position.place += 1;
        }
        let mut batch = Rows::default();
        batch.insert(("audit_log", &["chain", "number", "mac", "record"]), rows, "");
        batch.run(&*self.db.write().await).await?;
        Ok(head)
    }

    async fn find_head(&self) -> Result<Head, AuditError> {
        let sql = "SELECT number, mac FROM audit_log WHERE chain = ? ORDER BY number DESC LIMIT 1";
        let last = self.db.one(sql, [self.chain.into()]).await?;
        let Some(row) = last else { return Ok(Head::first_in_table(self.chain, &self.key)) };
        let place = number_column(&row, "audit_log", "number")? + 1;
        let mac: Vec<u8> = row.try_get("", "mac")?;
        let mac = mac.try_into().map_err(|_| nonsense("mac", self.chain, place))?;
        Ok(Head { position: Position { chain: self.chain, segment: 0, place }, mac })
    }
}

/// Reads a chain's records from `from` on.
pub(super) async fn read(
    db: &Db,
    keys: &AuditKeys,
    generation: u8,
    from: &Head,
    how: Reading,
) -> Result<Stretch, AuditError> {
    let mut stretch = Stretch { entries: Vec::new(), head: from.clone(), faults: Vec::new(), torn: 0, more: false };
    let Some(key) = keys.chain(generation) else {
        stretch.faults.push(Fault { position: from.position, what: "its key generation is not in the key file" });
        return Ok(stretch);
    };
    let sql = "SELECT number, mac, record FROM audit_log WHERE chain = ? AND number >= ? ORDER BY number LIMIT ?";
    let limit = i64::try_from(how.limit).unwrap_or(i64::MAX);
    let values = [from.position.chain.into(), number_value(from.position.place), limit.into()];
    let rows = db.all(sql, values).await?;
    stretch.more = rows.len() >= how.limit;
    for row in rows {
        let place = number_column(&row, "audit_log", "number")?;
        let at = Position { place, ..from.position };
        let record: Vec<u8> = row.try_get("", "record")?;
        let mac: Vec<u8> = row.try_get("", "mac")?;
        let mac = mac.try_into().map_err(|_| nonsense("mac", from.position.chain, place))?;
        let follows = place == stretch.head.position.place;
        if !follows || key.next(&stretch.head.mac, &record) != mac {
            let what = if follows {
                "it is not the record that was written after the one before it"
            } else {
                "records before this one are missing"
            };
            stretch.faults.push(Fault { position: at, what });
            if !how.lenient {
                stretch.more = false;
                return Ok(stretch);
            }
        }
        stretch.head = Head { position: Position { place: place + 1, ..at }, mac };
        stretch.entries.push(Entry { position: at, end: stretch.head.clone(), record });
    }
    Ok(stretch)
}

/// The bytes of single records, without a look at the chain.
pub(super) async fn pick(db: &Db, positions: &[Position]) -> Result<Vec<(Position, Vec<u8>)>, AuditError> {
    let mut found = Vec::with_capacity(positions.len());
    for together in positions.chunks(1024) {
        let places = vec!["(?, ?)"; together.len()].join(", ");
        let sql = format!("SELECT chain, number, record FROM audit_log WHERE (chain, number) IN (VALUES {places})");
        let values = together.iter().flat_map(|position| [position.chain.into(), number_value(position.place)]);
        for row in db.all(&sql, values).await? {
            let place = number_column(&row, "audit_log", "number")?;
            found.push((Position { chain: row.try_get("", "chain")?, segment: 0, place }, row.try_get("", "record")?));
        }
    }
    Ok(found)
}

/// A place as the database holds it. Places stay far below 2⁶³.
pub(super) fn number_value(place: u64) -> Value {
    i64::try_from(place).unwrap_or(i64::MAX).into()
}

fn nonsense(column: &'static str, chain: i64, place: u64) -> AuditError {
    AuditError::Row { table: "audit_log", column, row: format!("{chain}/{place}") }
}
