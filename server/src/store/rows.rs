//! Many rows, few statements.
//!
//! Rows go out in chunks of fixed sizes, so that a handful of prepared
//! statements serves every batch.

use sea_orm::{ConnectionTrait, DatabaseBackend, Value};

use super::db::statement;
use super::error::StoreError;

/// Rows a statement may carry, largest first. 512 rows of 17 columns stay far
/// below SQLite's limit of 32,766 values.
const CHUNKS: [usize; 5] = [512, 64, 16, 4, 1];

/// Inserts `rows` of `columns` into `table`; `suffix` is the `ON CONFLICT` part.
pub(super) async fn insert(
    connection: &impl ConnectionTrait,
    backend: DatabaseBackend,
    into: (&str, &[&str]),
    rows: Vec<Vec<Value>>,
    suffix: &str,
) -> Result<(), StoreError> {
    let (table, columns) = into;
    for_chunks(rows, |count| {
        let row = format!("({})", vec!["?"; columns.len()].join(", "));
        let rows = vec![row; count].join(", ");
        format!("INSERT INTO {table} ({}) VALUES {rows} {suffix}", columns.join(", "))
    })
    .run(connection, backend)
    .await
}

/// Deletes the rows of `table` whose `columns` equal one of `keys`.
pub(super) async fn delete(
    connection: &impl ConnectionTrait,
    backend: DatabaseBackend,
    from: (&str, &[&str]),
    keys: Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    let (table, columns) = from;
    let one = columns.iter().map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(" AND ");
    for_chunks(keys, |count| format!("DELETE FROM {table} WHERE {}", vec![format!("({one})"); count].join(" OR ")))
        .run(connection, backend)
        .await
}

struct Chunked {
    statements: Vec<(String, Vec<Value>)>,
}

fn for_chunks(rows: Vec<Vec<Value>>, sql: impl Fn(usize) -> String) -> Chunked {
    let mut statements = Vec::new();
    let mut rest = rows.into_iter().peekable();
    let mut left = rest.len();
    for size in CHUNKS {
        while left >= size {
            statements.push((sql(size), rest.by_ref().take(size).flatten().collect()));
            left -= size;
        }
    }
    Chunked { statements }
}

impl Chunked {
    async fn run(self, connection: &impl ConnectionTrait, backend: DatabaseBackend) -> Result<(), StoreError> {
        for (sql, values) in self.statements {
            connection.execute_raw(statement(backend, &sql, values)).await?;
        }
        Ok(())
    }
}
