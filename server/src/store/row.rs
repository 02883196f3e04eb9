//! One row of a reading statement, whichever driver ran it.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use sea_orm::{DbErr, QueryResult, TryGetable};

/// A row; its columns are known by their place.
#[derive(Debug)]
pub(super) struct Row(Inner);

#[derive(Debug)]
enum Inner {
    /// The rows that came together, and where this one begins.
    Read(Arc<Packed>, usize),
    Fetched(QueryResult),
}

/// Packed as a reader brings them: in a few pieces of memory however many there are. They
/// are filled on one thread and let go on another, where each piece has its price.
#[derive(Debug)]
pub(super) struct Packed {
    cells: Vec<Cell>,
    /// Cells of each row.
    width: usize,
    /// The texts and bytes of all cells, one after another.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    /// From where in the bytes to where.
    Text(usize, usize),
    Blob(usize, usize),
}

/// Bytes that most single rows need.
const FIRST: usize = 1024;

impl Packed {
    /// No rows yet, of so many cells each.
    pub(super) fn of_width(width: usize) -> Self {
        Self { cells: Vec::with_capacity(width), width, bytes: Vec::with_capacity(FIRST) }
    }

    /// Adds the next cell.
    pub(super) fn push(&mut self, value: ValueRef<'_>) {
        let from = self.bytes.len();
        let cell = match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Integer(value),
            ValueRef::Real(value) => Cell::Real(value),
            ValueRef::Text(text) => Cell::Text(from, from + text.len()),
            ValueRef::Blob(bytes) => Cell::Blob(from, from + bytes.len()),
        };
        if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value {
            self.bytes.extend_from_slice(bytes);
        }
        self.cells.push(cell);
    }

    /// The rows one by one.
    pub(super) fn split(self) -> Vec<Row> {
        let all = Arc::new(self);
        (0..all.cells.len()).step_by(all.width.max(1)).map(|from| Row(Inner::Read(all.clone(), from))).collect()
    }

    /// The cell at place `at` of the row that begins at `from`.
    fn get(&self, from: usize, at: usize) -> Option<ValueRef<'_>> {
        let cell = self.cells.get(from + at).filter(|_| at < self.width)?;
        Some(match *cell {
            Cell::Null => ValueRef::Null,
            Cell::Integer(value) => ValueRef::Integer(value),
            Cell::Real(value) => ValueRef::Real(value),
            Cell::Text(from, to) => ValueRef::Text(self.bytes.get(from..to)?),
            Cell::Blob(from, to) => ValueRef::Blob(self.bytes.get(from..to)?),
        })
    }
}

impl Row {
    /// The column at this place, from 0.
    ///
    /// # Errors
    /// [`DbErr::Type`] if there is none, or it holds something else.
    pub(super) fn get<T: Column>(&self, at: usize) -> Result<T, DbErr> {
        match &self.0 {
            Inner::Read(rows, from) => rows
                .get(*from, at)
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
    fn of(cell: ValueRef<'_>) -> Option<Self>;
}

impl<T: Column> Column for Option<T>
where
    Self: TryGetable,
{
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        if cell == ValueRef::Null { Some(None) } else { T::of(cell).map(Some) }
    }
}

impl Column for i64 {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        if let ValueRef::Integer(value) = cell { Some(value) } else { None }
    }
}

impl Column for i32 {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        i64::of(cell)?.try_into().ok()
    }
}

impl Column for i16 {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        i64::of(cell)?.try_into().ok()
    }
}

impl Column for bool {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        i64::of(cell).map(|value| value != 0)
    }
}

impl Column for f64 {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        if let ValueRef::Real(value) = cell { Some(value) } else { None }
    }
}

impl Column for String {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        if let ValueRef::Text(value) = cell { String::from_utf8(value.to_vec()).ok() } else { None }
    }
}

impl Column for Vec<u8> {
    fn of(cell: ValueRef<'_>) -> Option<Self> {
        if let ValueRef::Blob(value) = cell { Some(value.to_vec()) } else { None }
    }
}
