//! What statements run on: a connection or transaction of sea-orm's, or SQLite itself.

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, SqlErr, Statement};

use super::error::StoreError;
use super::row::Row;

/// Runs statements one after another.
pub(super) trait Runs {
    fn backend(&self) -> DatabaseBackend;

    /// All rows of a statement.
    async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError>;

    /// Runs a statement whose rows, if it has any, nobody wants.
    async fn run(&self, statement: Statement) -> Result<(), StoreError>;
}

impl<C: ConnectionTrait> Runs for C {
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
}

fn told(error: DbErr) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Taken,
        _ if error.to_string().contains("statement timeout") => StoreError::TooCostly,
        _ => error.into(),
    }
}
