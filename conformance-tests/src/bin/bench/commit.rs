//! What writing costs without a server: the very rows that a line has written, index
//! rows included, inserted once more by a bare group commit.
//!
//! They go into a copy of the database under new numbers and ids, in the order in which
//! the server wrote them, so that they touch as many pages as its own did. Each database is
//! written the way that is quickest with it: SQLite by calling it ([`sqlite`]), PostgreSQL
//! by multi-row inserts.

pub(crate) mod sqlite;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbErr, QueryResult, Statement, TransactionTrait, Value};

use crate::limits::{number, options, sql};

/// Tables with rows of a record, the record itself first.
const TABLES: &[&str] = &[
    "resource",
    "token",
    "ident",
    "string",
    "date",
    "number",
    "quantity",
    "uri",
    "reference",
    "compartment",
    "clinical",
    "words",
    "subject",
    "named",
    "listed",
    "contained",
    "import_key",
];
/// How many of the records that a line wrote are written again, over and over.
const RECORDS: i64 = 4096;
/// Rows a statement carries.
const CHUNK: usize = 1000;

/// The schema of the copy on PostgreSQL.
const COPY: &str = "bare";

/// Copies the tables of a PostgreSQL database, rows and indexes, beside themselves.
pub(crate) async fn copied(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared(&format!("DROP SCHEMA IF EXISTS {COPY} CASCADE; CREATE SCHEMA {COPY}")).await?;
    for table in TABLES {
        let like = format!("CREATE TABLE {COPY}.{table} (LIKE public.{table} INCLUDING ALL)");
        db.execute_unprepared(&format!("{like}; INSERT INTO {COPY}.{table} SELECT * FROM public.{table}")).await?;
    }
    Ok(())
}

/// Opens that copy.
pub(crate) async fn open_copy(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = options(url, 1);
    options.set_schema_search_path(COPY);
    Database::connect(options).await
}

/// Takes it away.
pub(crate) async fn drop_copy(db: &DatabaseConnection) -> Result<(), DbErr> {
    db.execute_unprepared(&format!("DROP SCHEMA IF EXISTS {COPY} CASCADE")).await.map(|_| ())
}

/// Writes the records after number `since` once more into PostgreSQL, `batch` records a commit;
/// records a second.
///
/// * `copy`: tables of its own, with the same rows.
pub(crate) async fn group_commit(
    copy: &DatabaseConnection,
    since: i64,
    batch: usize,
    time: Duration,
) -> Result<f64, DbErr> {
    let written = "SELECT rid FROM resource WHERE rid > ? ORDER BY rid LIMIT ?";
    let written = copy.query_all_raw(sql(copy, written, [since.into(), RECORDS.into()])).await?;
    let rids: Vec<i64> = written.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    if rids.is_empty() {
        return Err(DbErr::RecordNotFound("a record that the line has written".to_owned()));
    }
    let mut tables = Vec::new();
    for table in TABLES {
        tables.push(rows_of(copy, table, &rids).await?);
    }
    let mut next = number(copy, "SELECT MAX(rid) FROM resource").await? + 1;
    let (start, mut done, mut turn) = (Instant::now(), 0_u32, 0);
    while start.elapsed() < time {
        let transaction = copy.begin().await?;
        for one in &tables {
            for statement in one.inserts(copy, next, (0..batch).map(|number| rids[(turn + number) % rids.len()])) {
                transaction.execute_raw(statement).await?;
            }
        }
        transaction.commit().await?;
        turn += batch;
        next += i64::try_from(batch).unwrap_or(0);
        done += u32::try_from(batch).unwrap_or(0);
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// The rows of some records in one table.
struct Rows {
    table: &'static str,
    columns: Vec<String>,
    /// By record.
    records: HashMap<i64, Vec<Vec<Value>>>,
}

async fn rows_of(db: &DatabaseConnection, table: &'static str, rids: &[i64]) -> Result<Rows, DbErr> {
    let mut found = Rows { table, columns: Vec::new(), records: HashMap::new() };
    for some in rids.chunks(256) {
        let marks = vec!["?"; some.len()].join(", ");
        let text = format!("SELECT * FROM {table} WHERE rid IN ({marks})");
        for row in db.query_all_raw(sql(db, &text, some.iter().map(|rid| (*rid).into()))).await? {
            if found.columns.is_empty() {
                found.columns = row.column_names();
            }
            let rid: i64 = row.try_get("", "rid")?;
            found.records.entry(rid).or_default().push(values(&row, found.columns.len())?);
        }
    }
    Ok(found)
}

/// The values of a row as they are stored.
fn values(row: &QueryResult, columns: usize) -> Result<Vec<Value>, DbErr> {
    (0..columns)
        .map(|at| {
            if let Ok(value) = row.try_get_by_index::<Option<i64>>(at) {
                return Ok(value.into());
            }
            // PostgreSQL tells small numbers from large ones.
            if let Ok(value) = row.try_get_by_index::<Option<i32>>(at) {
                return Ok(value.into());
            }
            if let Ok(value) = row.try_get_by_index::<Option<i16>>(at) {
                return Ok(value.into());
            }
            if let Ok(value) = row.try_get_by_index::<Option<f64>>(at) {
                return Ok(value.into());
            }
            if let Ok(value) = row.try_get_by_index::<Option<String>>(at) {
                return Ok(value.into());
            }
            row.try_get_by_index::<Option<Vec<u8>>>(at).map(Into::into)
        })
        .collect()
}

impl Rows {
    /// Multi-row inserts of copies of these records, which get the numbers from `next` on.
    fn inserts(&self, db: &DatabaseConnection, next: i64, originals: impl Iterator<Item = i64>) -> Vec<Statement> {
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for (rid, original) in (next..).zip(originals) {
            for row in self.records.get(&original).into_iter().flatten() {
                let mut row = row.clone();
                for (column, value) in self.columns.iter().zip(&mut row) {
                    match (self.table, column.as_str()) {
                        (_, "rid") => *value = rid.into(),
                        // In no order, as the server's own are.
                        ("resource", "id") => *value = scattered(rid).into(),
                        ("import_key", "key") => *value = scattered(rid).into_bytes().into(),
                        _ => {}
                    }
                }
                rows.push(row);
            }
        }
        let marks = format!("({})", vec!["?"; self.columns.len()].join(", "));
        rows.chunks(CHUNK)
            .map(|chunk| {
                let rows = vec![marks.as_str(); chunk.len()].join(", ");
                let text = format!("INSERT INTO {} ({}) VALUES {rows}", self.table, self.columns.join(", "));
                sql(db, &text, chunk.iter().flatten().cloned())
            })
            .collect()
    }
}

/// A name of a record's length, another for each number, in no order.
fn scattered(rid: i64) -> String {
    let mixed = rid.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{mixed:016x}-bare-{rid:014}")
}

#[cfg(test)]
mod tests {
    use super::scattered;

    #[test]
    fn names_are_as_long_as_ids_and_all_different() {
        let names: std::collections::BTreeSet<String> = (1..1000).map(scattered).collect();
        assert_eq!(names.len(), 999);
        assert!(names.iter().all(|name| name.len() == 36));
        assert_ne!(names.first(), Some(&scattered(1)));
    }
}
