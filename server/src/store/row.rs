//! One row of a reading statement, whichever driver ran it.

use rusqlite::types::Value as Cell;
use sea_orm::{DbErr, QueryResult, TryGetable};

/// A row; its columns are known by their place.
#[derive(Debug)]
pub(super) struct Row(Inner);

#[derive(Debug)]
enum Inner {
    Read(Vec<Cell>),
    Fetched(QueryResult),
}

impl Row {
    pub(super) fn read(cells: Vec<Cell>) -> Self {
        Self(Inner::Read(cells))
    }

    /// The column at this place, from 0.
    ///
    /// # Errors
    /// [`DbErr::Type`] if there is none, or it holds something else.
    pub(super) fn get<T: Column>(&self, at: usize) -> Result<T, DbErr> {
        match &self.0 {
            Inner::Read(cells) => cells
                .get(at)
                .and_then(T::of)
                .ok_or_else(|| DbErr::Type(format!("column {at} is no {}", std::any::type_name::<T>()))),
            Inner::Fetched(row) => row.try_get_by_index(at),
        }
    }
}

impl From<QueryResult> for Row {
    fn from(row: QueryResult) -> Self {
        Self(Inner::Fetched(row))
    }
}

/// What a column can hold.
pub(super) trait Column: TryGetable {
    /// The cell as this; `None` if it is something else.
    fn of(cell: &Cell) -> Option<Self>;
}

impl<T: Column> Column for Option<T>
where
    Self: TryGetable,
{
    fn of(cell: &Cell) -> Option<Self> {
        if *cell == Cell::Null { Some(None) } else { T::of(cell).map(Some) }
    }
}

impl Column for i64 {
    fn of(cell: &Cell) -> Option<Self> {
        if let Cell::Integer(value) = cell { Some(*value) } else { None }
    }
}

impl Column for i32 {
    fn of(cell: &Cell) -> Option<Self> {
        i64::of(cell)?.try_into().ok()
    }
}

impl Column for i16 {
    fn of(cell: &Cell) -> Option<Self> {
        i64::of(cell)?.try_into().ok()
    }
}

impl Column for bool {
    fn of(cell: &Cell) -> Option<Self> {
        i64::of(cell).map(|value| value != 0)
    }
}

impl Column for f64 {
    fn of(cell: &Cell) -> Option<Self> {
        if let Cell::Real(value) = cell { Some(*value) } else { None }
    }
}

impl Column for String {
    fn of(cell: &Cell) -> Option<Self> {
        if let Cell::Text(value) = cell { Some(value.clone()) } else { None }
    }
}

impl Column for Vec<u8> {
    fn of(cell: &Cell) -> Option<Self> {
        if let Cell::Blob(value) = cell { Some(value.clone()) } else { None }
    }
}
