//! `audit_chain`: which chains there are, and how far each has been filed.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::authentic::AuditKeys;
use super::table::number_value;
use super::{AuditError, Head, Position, number_column};
use crate::store::db::{Db, statement};
use crate::store::error::StoreError;
use crate::store::runs::Runs;

/// A chain as the database knows it.
#[derive(Debug)]
pub(super) struct Chain {
    /// How far it has been filed.
    pub(super) head: Head,
    /// The generation it was begun under.
    pub(super) generation: u8,
    /// Whether the head's seal is ours.
    pub(super) sealed: bool,
}

/// All chains, in order.
pub(super) async fn all(db: &Db, keys: &AuditKeys) -> Result<Vec<Chain>, AuditError> {
    let sql = "SELECT chain, generation, segment, place, mac, seal FROM audit_chain ORDER BY chain";
    db.all(sql, []).await?.iter().map(|row| chain(row, keys)).collect()
}

/// The chains of a table that hold records which are not filed yet.
pub(super) async fn behind(db: &Db, keys: &AuditKeys) -> Result<Vec<Chain>, AuditError> {
    let sql = "SELECT chain, generation, segment, place, mac, seal FROM audit_chain AS c WHERE EXISTS \
               (SELECT 1 FROM audit_log AS l WHERE l.chain = c.chain AND l.number >= c.place) ORDER BY chain";
    db.all(sql, []).await?.iter().map(|row| chain(row, keys)).collect()
}

/// The number that no chain of the database has yet.
pub(super) async fn next(db: &Db) -> Result<i64, AuditError> {
    let sql = "SELECT coalesce(max(chain), 0) + 1 AS next FROM audit_chain";
    match db.write().await.query_one_raw(db.statement(sql, [])).await? {
        Some(row) => Ok(row.try_get("", "next")?),
        None => Ok(1),
    }
}

/// Enters a new chain; `false` if its number was taken meanwhile.
pub(super) async fn begin(db: &Db, keys: &AuditKeys, head: &Head) -> Result<bool, AuditError> {
    let values = [
        head.position.chain.into(),
        i32::from(keys.generation()).into(),
        i64::from(head.position.segment).into(),
        number_value(head.position.place),
        head.mac.to_vec().into(),
        keys.seal_head(head).into(),
    ];
    let sql = "INSERT INTO audit_chain (chain, generation, segment, place, mac, seal) \
               VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    Ok(db.execute(sql, values).await? == 1)
}

/// Moves a head forward inside a transaction; `false` if another process has moved it.
pub(super) async fn advance(
    connection: &impl Runs,
    keys: &AuditKeys,
    from: &Head,
    to: &Head,
) -> Result<bool, StoreError> {
    let values: [Value; 7] = [
        i64::from(to.position.segment).into(),
        number_value(to.position.place),
        to.mac.to_vec().into(),
        keys.seal_head(to).into(),
        from.position.chain.into(),
        i64::from(from.position.segment).into(),
        number_value(from.position.place),
    ];
    let sql = "UPDATE audit_chain SET segment = ?, place = ?, mac = ?, seal = ? \
               WHERE chain = ? AND segment = ? AND place = ? RETURNING chain";
    Ok(!connection.rows(statement(connection.backend(), sql, values)).await?.is_empty())
}

fn chain(row: &QueryResult, keys: &AuditKeys) -> Result<Chain, AuditError> {
    let chain: i64 = row.try_get("", "chain")?;
    let nonsense = |column| AuditError::Row { table: "audit_chain", column, row: chain.to_string() };
    let generation: i32 = row.try_get("", "generation")?;
    let segment = u32::try_from(number_column(row, "audit_chain", "segment")?).map_err(|_| nonsense("segment"))?;
    let mac: Vec<u8> = row.try_get("", "mac")?;
    let seal: Vec<u8> = row.try_get("", "seal")?;
    let position = Position { chain, segment, place: number_column(row, "audit_chain", "place")? };
    let head = Head { position, mac: mac.try_into().map_err(|_| nonsense("mac"))? };
    let sealed = keys.is_head(&head, &seal);
    Ok(Chain { head, generation: u8::try_from(generation).map_err(|_| nonsense("generation"))?, sealed })
}
