//! Every index row, record by record, as one snapshot of the database holds it.
//!
//! The index tables have no list of a record's rows (`store/index.rs`). For a
//! look at all of them one statement joins the tables into a single stream in
//! the order of `rid`; the database sorts, on disk where memory does not do, and
//! a statement sees one state of the database however long it runs.
//!
//! To add an index table: an arm in [`ARMS`], a case in [`row_of`].

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, QueryResult, StreamTrait,
};

use crate::store::db::statement;
use crate::store::error::StoreError;
use crate::store::facts::Facts;
use crate::store::index::IndexRow;

/// A record's index rows.
#[derive(Debug)]
pub struct Indexed {
    /// The row of `resource`.
    pub rid: i64,
    /// Its version and the epoch of its index rows; `None` if there is no such record.
    pub version: Option<(i32, i32)>,
    /// What the index tables hold for it.
    pub rows: Vec<IndexRow>,
}

/// How a record's index rows and facts are to be set right.
#[derive(Debug)]
pub struct Fix {
    /// The row of `resource`.
    pub rid: i64,
    /// The version the rows were rebuilt from; `None` if there is no such record.
    pub version: Option<i32>,
    /// What the index tables hold.
    pub stored: Vec<IndexRow>,
    /// What they should hold.
    pub rebuilt: Vec<IndexRow>,
    /// What decides about the row's visibility, where the row says something else.
    pub facts: Option<Facts>,
}

/// A connection of its own, on which one long statement hinders nobody.
#[derive(Debug)]
pub struct Snapshot {
    connection: DatabaseConnection,
}

/// A walk over all records.
pub struct Walk<'a> {
    rows: Pin<Box<dyn Stream<Item = Result<QueryResult, DbErr>> + Send + 'a>>,
    ahead: Option<Indexed>,
}

impl Snapshot {
    /// Opens the connection.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let mut options = ConnectOptions::new(url.to_owned());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await?;
        if connection.get_database_backend() == DatabaseBackend::Sqlite {
            // The sort goes to a file: a large index does not fit in memory.
            connection.execute_unprepared("PRAGMA temp_store = FILE").await?;
        }
        Ok(Self { connection })
    }

    /// Walks over all records from row `from` on.
    pub async fn walk(&self, from: i64) -> Result<Walk<'_>, StoreError> {
        let backend = self.connection.get_database_backend();
        let arms: Vec<String> = ARMS
            .iter()
            .enumerate()
            .map(|(number, (table, columns))| {
                format!("SELECT CAST({number} AS BIGINT) AS part, rid, {} FROM {table} WHERE rid >= ?", padded(columns))
            })
            .collect();
        let sql = format!("{} ORDER BY 2, 1", arms.join(" UNION ALL "));
        let values = ARMS.iter().map(|_| from.into());
        let rows = self.connection.stream_raw(statement(backend, &sql, values)).await?;
        Ok(Walk { rows: Box::pin(rows), ahead: None })
    }
}

impl Walk<'_> {
    /// The next record's rows.
    pub async fn next(&mut self) -> Result<Option<Indexed>, StoreError> {
        loop {
            let Some(row) = self.rows.next().await else { return Ok(self.ahead.take()) };
            let row = row?;
            let part: i32 = i32::try_from(row.try_get_by_index::<i64>(0)?).unwrap_or(-1);
            let rid: i64 = row.try_get_by_index(1)?;
            let done = match &self.ahead {
                Some(ahead) if ahead.rid != rid => self.ahead.take(),
                _ => None,
            };
            let here = self.ahead.get_or_insert_with(|| Indexed { rid, version: None, rows: Vec::new() });
            let cells = Cells { row: &row, rid };
            match part {
                0 => here.version = Some((cells.small("version", 0)?, cells.small("epoch", 1)?)),
                part => here.rows.push(row_of(part, &cells)?),
            }
            if done.is_some() {
                return Ok(done);
            }
        }
    }

    /// The next `count` records, fewer at the end.
    pub async fn batch(&mut self, count: usize) -> Result<Vec<Indexed>, StoreError> {
        let mut batch = Vec::with_capacity(count);
        while batch.len() < count {
            match self.next().await? {
                Some(one) => batch.push(one),
                None => break,
            }
        }
        Ok(batch)
    }
}

/// Each table with its columns in the places of the stream: six integers, four
/// reals, two texts. `-` leaves a place empty.
const ARMS: &[(&str, [&str; 12])] = &[
    ("resource", ["version", "epoch", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("token", ["param", "grp", "code", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("ident", ["param", "grp", "system", "-", "-", "-", "-", "-", "-", "-", "value", "-"]),
    ("string", ["param", "grp", "-", "-", "-", "-", "-", "-", "-", "-", "folded", "original"]),
    ("date", ["param", "grp", "low", "high", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("number", ["param", "grp", "-", "-", "-", "-", "low", "high", "-", "-", "-", "-"]),
    (
        "quantity",
        [
            "param",
            "grp",
            "unit",
            "canonical_unit",
            "-",
            "-",
            "low",
            "high",
            "canonical_low",
            "canonical_high",
            "-",
            "-",
        ],
    ),
    ("uri", ["param", "grp", "-", "-", "-", "-", "-", "-", "-", "-", "value", "-"]),
    ("reference", ["param", "grp", "kind", "-", "-", "-", "-", "-", "-", "-", "id", "-"]),
    ("compartment", ["kind", "-", "-", "-", "-", "-", "-", "-", "-", "-", "patient", "-"]),
    ("clinical", ["citizen", "kind", "code", "at", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("subject", ["citizen", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"]),
    ("listed", ["kind", "-", "-", "-", "-", "-", "-", "-", "-", "-", "id", "-"]),
    ("words", ["-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "narrative", "content"]),
    ("named", ["kind", "-", "-", "-", "-", "-", "-", "-", "-", "-", "id", "-"]),
    ("effect", ["citizen", "stance", "since", "until", "data_since", "data_until", "-", "-", "-", "-", "giver", "-"]),
    ("contained", ["place", "kind", "holder", "-", "-", "-", "-", "-", "-", "-", "id", "-"]),
];

fn row_of(part: i32, cells: &Cells<'_>) -> Result<IndexRow, StoreError> {
    let param = || cells.small("param", 0);
    let grp = || cells.small("grp", 1);
    Ok(match part {
        1 => IndexRow::Token { param: param()?, code: cells.integer(2)?, grp: grp()? },
        2 => IndexRow::Ident { param: param()?, value: cells.text(10)?, system: cells.integer(2)?, grp: grp()? },
        3 => IndexRow::String { param: param()?, folded: cells.text(10)?, grp: grp()?, original: cells.text(11)? },
        4 => IndexRow::Date { param: param()?, low: cells.integer(2)?, high: cells.integer(3)?, grp: grp()? },
        5 => IndexRow::Number { param: param()?, low: cells.real(6)?, high: cells.real(7)?, grp: grp()? },
        6 => IndexRow::Quantity {
            param: param()?,
            unit: cells.integer(2)?,
            low: cells.real(6)?,
            high: cells.real(7)?,
            grp: grp()?,
            canonical: (cells.integer(3)?, cells.real(8)?, cells.real(9)?),
        },
        7 => IndexRow::Uri { param: param()?, value: cells.text(10)?, grp: grp()? },
        8 => IndexRow::Reference { param: param()?, kind: cells.small("kind", 2)?, id: cells.text(10)?, grp: grp()? },
        9 => IndexRow::Compartment { patient: cells.text(10)?, kind: cells.small("kind", 0)? },
        10 => IndexRow::Clinical {
            citizen: cells.integer(0)?,
            kind: cells.small("kind", 1)?,
            code: cells.integer(2)?,
            at: cells.integer(3)?,
        },
        11 => IndexRow::Subject { citizen: cells.integer(0)? },
        12 => IndexRow::Listed { kind: cells.small("kind", 0)?, id: cells.text(10)? },
        13 => IndexRow::Words { narrative: cells.text(10)?, content: cells.text(11)? },
        14 => IndexRow::Named { kind: cells.small("kind", 0)?, id: cells.text(10)? },
        15 => IndexRow::Effect {
            citizen: cells.integer(0)?,
            stance: cells.integer(1)?,
            since: cells.integer(2)?,
            until: cells.integer(3)?,
            giver: cells.text(10)?,
            days: cells.maybe(4)?.zip(cells.maybe(5)?),
        },
        16 => IndexRow::Contained {
            place: cells.small("place", 0)?,
            kind: cells.small("kind", 1)?,
            holder: cells.small("holder", 2)?,
            id: cells.text(10)?,
        },
        _ => return Err(StoreError::Corrupt { table: "snapshot", column: "part", row: cells.rid }),
    })
}

/// One row of the stream; places are counted behind `part` and `rid`.
struct Cells<'a> {
    row: &'a QueryResult,
    rid: i64,
}

impl Cells<'_> {
    fn integer(&self, place: usize) -> Result<i64, StoreError> {
        Ok(self.row.try_get_by_index(place + 2)?)
    }

    fn maybe(&self, place: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.row.try_get_by_index(place + 2)?)
    }

    fn small<T: TryFrom<i64>>(&self, column: &'static str, place: usize) -> Result<T, StoreError> {
        let corrupt = StoreError::Corrupt { table: "an index table", column, row: self.rid };
        T::try_from(self.integer(place)?).map_err(|_| corrupt)
    }

    fn real(&self, place: usize) -> Result<u64, StoreError> {
        Ok(self.row.try_get_by_index::<f64>(place + 2)?.to_bits())
    }

    fn text(&self, place: usize) -> Result<String, StoreError> {
        Ok(self.row.try_get_by_index(place + 2)?)
    }
}

/// All twelve places, each of one type whatever the table.
fn padded(columns: &[&str; 12]) -> String {
    let kind = |place: usize| match place {
        0..6 => "BIGINT",
        6..10 => "DOUBLE PRECISION",
        _ => "TEXT",
    };
    let cell = |(place, column): (usize, &&str)| match *column {
        "-" => format!("CAST(NULL AS {})", kind(place)),
        name => format!("CAST({name} AS {})", kind(place)),
    };
    columns.iter().enumerate().map(cell).collect::<Vec<_>>().join(", ")
}
