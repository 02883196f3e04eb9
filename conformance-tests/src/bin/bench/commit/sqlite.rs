//! The bare group commit where SQLite is called directly, as the server calls it: one
//! prepared statement a table, one row after another, everything bound beforehand in memory.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params_from_iter};

use super::{RECORDS, TABLES, scattered};
use crate::limits::PRAGMAS;

/// Writes the records after number `since` once more, `batch` records a commit; records a second.
///
/// * `copy`: a database of its own, with the same tables and rows.
pub(crate) fn group_commit(copy: &Path, since: i64, batch: usize, time: Duration) -> rusqlite::Result<f64> {
    let mut connection = Connection::open(copy)?;
    connection.set_prepared_statement_cache_capacity(TABLES.len());
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL")].iter().chain(&PRAGMAS) {
        connection.pragma_update(None, name, value)?;
    }
    let rids: Vec<i64> = connection
        .prepare("SELECT rid FROM resource WHERE rid > ? ORDER BY rid LIMIT ?")?
        .query_map([since, RECORDS], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let (Some(first), Some(last)) = (rids.first(), rids.last()) else {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    };
    let mut tables =
        TABLES.iter().map(|table| Rows::of(&connection, table, *first, *last)).collect::<Result<Vec<_>, _>>()?;
    let mut next: i64 = connection.query_row("SELECT MAX(rid) + 1 FROM resource", [], |row| row.get(0))?;
    let (start, mut done, mut turn) = (Instant::now(), 0_u32, 0);
    while start.elapsed() < time {
        let transaction = connection.transaction()?;
        for table in &mut tables {
            table.insert(&transaction, next, (0..batch).map(|number| rids[(turn + number) % rids.len()]))?;
        }
        transaction.commit()?;
        turn += batch;
        next += i64::try_from(batch).unwrap_or(0);
        done += u32::try_from(batch).unwrap_or(0);
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// The rows of some records in one table.
struct Rows {
    insert: String,
    /// Which column is the record's number.
    rid: usize,
    /// Which column may stand once only.
    unique: Option<usize>,
    /// By record.
    records: HashMap<i64, Vec<Vec<Value>>>,
}

impl Rows {
    fn of(connection: &Connection, table: &str, first: i64, last: i64) -> rusqlite::Result<Self> {
        let mut select = connection.prepare(&format!("SELECT * FROM {table} WHERE rid BETWEEN ? AND ?"))?;
        let columns: Vec<String> = select.column_names().into_iter().map(str::to_owned).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
        let place = |name: &str| columns.iter().position(|column| column == name);
        let rid = place("rid").ok_or_else(|| rusqlite::Error::InvalidColumnName("rid".to_owned()))?;
        let unique = match table {
            "resource" => place("id"),
            "import_key" => place("key"),
            _ => None,
        };
        let mut records: HashMap<i64, Vec<Vec<Value>>> = HashMap::new();
        let mut rows = select.query([first, last])?;
        while let Some(row) = rows.next()? {
            let values = (0..columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            records.entry(row.get(rid)?).or_default().push(values);
        }
        Ok(Self { insert, rid, unique, records })
    }

    /// Copies of these records, which get the numbers from `next` on.
    fn insert(
        &mut self,
        transaction: &Transaction<'_>,
        next: i64,
        originals: impl Iterator<Item = i64>,
    ) -> rusqlite::Result<()> {
        let mut statement = transaction.prepare_cached(&self.insert)?;
        for (rid, original) in (next..).zip(originals) {
            for row in self.records.get_mut(&original).into_iter().flatten() {
                row[self.rid] = Value::Integer(rid);
                if let Some(unique) = self.unique {
                    // In no order, as the server's own are.
                    row[unique] = match row[unique] {
                        Value::Blob(_) => Value::Blob(scattered(rid).into_bytes()),
                        _ => Value::Text(scattered(rid)),
                    };
                }
                statement.execute(params_from_iter(row.iter()))?;
            }
        }
        Ok(())
    }
}
