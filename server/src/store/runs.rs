//! What statements run on: a connection or transaction of sea-orm's, or SQLite itself.

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, SqlErr, Statement, Value};

use super::db::statement;
use super::error::StoreError;
use super::row::Row;
use super::trouble::Trouble;

/// Runs statements one after another.
pub(super) trait Runs {
    /// Whether a statement runs where it is called, and costs nobody a way: then a small one
    /// that is run for each row does less than a large one for many.
    const NEAR: bool;

    fn backend(&self) -> DatabaseBackend;

    /// All rows of a statement.
    async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError>;

    /// Runs a statement whose rows, if it has any, nobody wants.
    async fn run(&self, statement: Statement) -> Result<(), StoreError>;

    /// Runs a statement for each of these rows of values.
    async fn each(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), StoreError>;
}

impl<C: ConnectionTrait> Runs for C {
    const NEAR: bool = false;

    fn backend(&self) -> DatabaseBackend {
        self.get_database_backend()
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        Ok(self.query_all_raw(statement).await.map_err(told)?.into_iter().map(Row::from).collect())
    }

    async fn run(&self, statement: Statement) -> Result<(), StoreError> {
        self.execute_raw(statement).await.map_err(told)?;
        Ok(())
    }

    async fn each(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        for row in rows {
            self.run(statement(self.get_database_backend(), sql, row.iter().cloned())).await?;
        }
        Ok(())
    }
}

fn told(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Taken,
        _ if Trouble::of(&error) == Some(Trouble::Late) => StoreError::TooCostly,
        _ => error.into(),
    }
}
