//! The index tables: their rows, and how a changed record changes them.
//!
//! There is no list of a record's index rows. Old rows are found by extracting
//! them again from the old body, under the epoch that the row carries, and the
//! difference is deleted and inserted by full key.

use std::collections::HashSet;

use sea_orm::Value;

use super::error::StoreError;
use super::rows::Rows;
use super::runs::Runs;

/// One row of an index table, without the `rid`. Reals are kept as bits, so
/// that rows can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields are the columns of the table that the variant names")]
pub enum IndexRow {
    /// `token`
    Token { param: i32, code: i64, grp: i32 },
    /// `ident`
    Ident { param: i32, value: String, system: i64, grp: i32 },
    /// `string`
    String { param: i32, folded: String, grp: i32, original: String },
    /// `date`
    Date { param: i32, low: i64, high: i64, grp: i32 },
    /// `number`
    Number { param: i32, low: u64, high: u64, grp: i32 },
    /// `quantity`
    Quantity { param: i32, unit: i64, low: u64, high: u64, grp: i32, canonical: (i64, u64, u64) },
    /// `uri`
    Uri { param: i32, value: String, grp: i32 },
    /// `reference`
    Reference { param: i32, kind: i16, id: String, grp: i32 },
    /// `compartment`
    Compartment { patient: String, kind: i16 },
    /// `clinical`
    Clinical { citizen: i64, kind: i16, code: i64, at: i64 },
    /// `subject`
    Subject { citizen: i64 },
    /// `listed`
    Listed { kind: i16, id: String },
    /// `words`
    Words { narrative: String, content: String },
    /// `named`
    Named { kind: i16, id: String },
    /// `contained`
    Contained { place: i32, kind: i16, id: String, holder: i16 },
    /// `effect`
    Effect { citizen: i64, stance: i64, giver: String, since: i64, until: i64, days: Option<(i64, i64)> },
}

/// An index table: name, all columns, key columns (`rid` among them).
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    key: &'static [&'static str],
}

/// Every index table. `IndexRow::table` gives the position in this list.
const TABLES: [Table; 16] = [
    Table { name: "token", columns: &["param", "code", "rid", "grp"], key: &["param", "code", "rid", "grp"] },
    Table {
        name: "ident",
        columns: &["param", "value", "system", "rid", "grp"],
        key: &["param", "value", "system", "rid", "grp"],
    },
    Table {
        name: "string",
        columns: &["param", "folded", "rid", "grp", "original"],
        key: &["param", "folded", "rid", "grp", "original"],
    },
    Table {
        name: "date",
        columns: &["param", "low", "high", "rid", "grp"],
        key: &["param", "low", "high", "rid", "grp"],
    },
    Table {
        name: "number",
        columns: &["param", "low", "high", "rid", "grp"],
        key: &["param", "low", "high", "rid", "grp"],
    },
    Table {
        name: "quantity",
        columns: &["param", "unit", "low", "high", "rid", "grp", "canonical_unit", "canonical_low", "canonical_high"],
        key: &["param", "unit", "low", "high", "rid", "grp"],
    },
    Table { name: "uri", columns: &["param", "value", "rid", "grp"], key: &["param", "value", "rid", "grp"] },
    Table {
        name: "reference",
        columns: &["param", "kind", "id", "rid", "grp"],
        key: &["param", "kind", "id", "rid", "grp"],
    },
    Table { name: "compartment", columns: &["patient", "kind", "rid"], key: &["patient", "kind", "rid"] },
    Table {
        name: "clinical",
        columns: &["citizen", "kind", "code", "at", "rid"],
        key: &["citizen", "kind", "code", "at", "rid"],
    },
    Table { name: "subject", columns: &["rid", "citizen"], key: &["rid", "citizen"] },
    Table { name: "listed", columns: &["rid", "kind", "id"], key: &["rid", "kind", "id"] },
    Table { name: "words", columns: &["rid", "narrative", "content"], key: &["rid"] },
    Table { name: "named", columns: &["rid", "kind", "id"], key: &["rid", "kind", "id"] },
    Table {
        name: "effect",
        columns: &["citizen", "stance", "rid", "giver", "since", "until", "data_since", "data_until"],
        key: &["citizen", "stance", "rid", "giver"],
    },
    Table {
        name: "contained",
        columns: &["rid", "place", "kind", "id", "holder"],
        key: &["rid", "place", "kind", "id", "holder"],
    },
];

impl IndexRow {
    fn table(&self) -> usize {
        match self {
            Self::Token { .. } => 0,
            Self::Ident { .. } => 1,
            Self::String { .. } => 2,
            Self::Date { .. } => 3,
            Self::Number { .. } => 4,
            Self::Quantity { .. } => 5,
            Self::Uri { .. } => 6,
            Self::Reference { .. } => 7,
            Self::Compartment { .. } => 8,
            Self::Clinical { .. } => 9,
            Self::Subject { .. } => 10,
            Self::Listed { .. } => 11,
            Self::Words { .. } => 12,
            Self::Named { .. } => 13,
            Self::Effect { .. } => 14,
            Self::Contained { .. } => 15,
        }
    }

    /// The values in the order of the table's columns.
    fn values(&self, rid: i64) -> Vec<Value> {
        let real = |bits: &u64| Value::from(f64::from_bits(*bits));
        match self {
            Self::Token { param, code, grp } => vec![(*param).into(), (*code).into(), rid.into(), (*grp).into()],
            Self::Ident { param, value, system, grp } => {
                vec![(*param).into(), value.as_str().into(), (*system).into(), rid.into(), (*grp).into()]
            }
            Self::String { param, folded, grp, original } => {
                vec![(*param).into(), folded.as_str().into(), rid.into(), (*grp).into(), original.as_str().into()]
            }
            Self::Date { param, low, high, grp } => {
                vec![(*param).into(), (*low).into(), (*high).into(), rid.into(), (*grp).into()]
            }
            Self::Number { param, low, high, grp } => {
                vec![(*param).into(), real(low), real(high), rid.into(), (*grp).into()]
            }
            Self::Quantity { param, unit, low, high, grp, canonical: (canonical_unit, from, to) } => vec![
                (*param).into(),
                (*unit).into(),
                real(low),
                real(high),
                rid.into(),
                (*grp).into(),
                (*canonical_unit).into(),
                real(from),
                real(to),
            ],
            Self::Uri { param, value, grp } => {
                vec![(*param).into(), value.as_str().into(), rid.into(), (*grp).into()]
            }
            Self::Reference { param, kind, id, grp } => {
                vec![(*param).into(), (*kind).into(), id.as_str().into(), rid.into(), (*grp).into()]
            }
            Self::Compartment { patient, kind } => vec![patient.as_str().into(), (*kind).into(), rid.into()],
            Self::Clinical { citizen, kind, code, at } => {
                vec![(*citizen).into(), (*kind).into(), (*code).into(), (*at).into(), rid.into()]
            }
            Self::Subject { citizen } => vec![rid.into(), (*citizen).into()],
            Self::Listed { kind, id } | Self::Named { kind, id } => {
                vec![rid.into(), (*kind).into(), id.as_str().into()]
            }
            Self::Contained { place, kind, id, holder } => {
                vec![rid.into(), (*place).into(), (*kind).into(), id.as_str().into(), (*holder).into()]
            }
            Self::Words { narrative, content } => {
                vec![rid.into(), narrative.as_str().into(), content.as_str().into()]
            }
            Self::Effect { citizen, stance, giver, since, until, days } => vec![
                (*citizen).into(),
                (*stance).into(),
                rid.into(),
                giver.as_str().into(),
                (*since).into(),
                (*until).into(),
                days.map(|(since, _)| since).into(),
                days.map(|(_, until)| until).into(),
            ],
        }
    }
}

impl IndexRow {
    /// The table it belongs to.
    pub fn table_name(&self) -> &'static str {
        TABLES[self.table()].name
    }

    /// A statement that finds this row of record `rid` by its key, and its values. A
    /// record's only row in its table is told by all that it says.
    pub(super) fn presence(&self, rid: i64) -> (String, Vec<Value>) {
        let table = &TABLES[self.table()];
        let key = if table.key == ["rid"] { table.columns } else { table.key };
        let values = self.values(rid);
        let at = |key: &&str| table.columns.iter().position(|column| column == key);
        let values = key.iter().filter_map(at).map(|at| values[at].clone()).collect();
        let key: Vec<String> = key.iter().map(|key| format!("{key} = ?")).collect();
        (format!("SELECT 1 FROM {} WHERE {}", table.name, key.join(" AND ")), values)
    }
}

/// Index rows to take out and to put in, by record.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    removed: Vec<(&'a IndexRow, i64)>,
    added: Vec<(&'a IndexRow, i64)>,
}

impl<'a> Changes<'a> {
    /// The rows of record `rid` were `old` and are `new`.
    pub(super) fn of(&mut self, rid: i64, old: &'a [IndexRow], new: &'a [IndexRow]) {
        if old.is_empty() {
            self.added.extend(new.iter().map(|row| (row, rid)));
            return;
        }
        let before: HashSet<&IndexRow> = old.iter().collect();
        let after: HashSet<&IndexRow> = new.iter().collect();
        self.removed.extend(before.difference(&after).map(|row| (*row, rid)));
        self.added.extend(after.difference(&before).map(|row| (*row, rid)));
    }

    /// Carries the changes out.
    pub(super) async fn apply(self, connection: &impl Runs) -> Result<(), StoreError> {
        let (mut gone, mut rows) = (Rows::default(), Rows::default());
        self.gather(&mut gone, &mut rows);
        gone.run(connection).await?;
        rows.run(connection).await
    }

    /// What is to be taken out, and what is to be put in.
    ///
    /// New rows go in by their order in the tables: neighbours come onto one page.
    pub(super) fn gather(self, gone: &mut Rows<'_>, rows: &mut Rows<'_>) {
        for (table, removed) in by_table(self.removed) {
            let positions: Vec<usize> =
                table.key.iter().filter_map(|key| table.columns.iter().position(|column| column == key)).collect();
            let key = |(row, rid): (&IndexRow, i64)| {
                let values = row.values(rid);
                positions.iter().map(|&at| values[at].clone()).collect()
            };
            gone.delete((table.name, table.key), removed.into_iter().map(key).collect());
        }
        for (table, mut added) in by_table(self.added) {
            added.sort_unstable();
            added.dedup();
            let values = added.into_iter().map(|(row, rid)| row.values(rid)).collect();
            rows.insert((table.name, table.columns), values, "ON CONFLICT DO NOTHING");
        }
    }
}

type OfRecord<'a> = (&'a IndexRow, i64);

fn by_table(rows: Vec<OfRecord<'_>>) -> impl Iterator<Item = (&'static Table, Vec<OfRecord<'_>>)> {
    let mut tables: [Vec<OfRecord<'_>>; TABLES.len()] = Default::default();
    for (row, rid) in rows {
        tables[row.table()].push((row, rid));
    }
    TABLES.iter().zip(tables).filter(|(_, rows)| !rows.is_empty())
}

/// Takes out every index row of these records by a scan: for records indexed
/// under an older epoch, whose rows can no longer be told from their bodies.
pub(super) fn sweep(gone: &mut Rows<'_>, rids: &[i64]) {
    for table in &TABLES {
        gone.delete((table.name, &["rid"]), rids.iter().map(|rid| vec![Value::from(*rid)]).collect());
    }
}
