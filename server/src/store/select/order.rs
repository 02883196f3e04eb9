//! The order of a search's rows, and the rows after one of them.

use crate::search::page::{Direction, SortValue};
use crate::search::plan::{SortBy, SortColumn, SortKey};
use crate::search::row::Table;

use super::matching::{name, param};
use crate::store::sql::Sql;

/// How the rows of a search are ordered: each key's expression, and whether the
/// largest comes first.
pub(in crate::store) struct Order {
    keys: Vec<(Sql, bool)>,
    direction: Direction,
}

/// How to order by `keys`, or the other way round.
pub(in crate::store) fn order(keys: &[SortKey], direction: Direction) -> Order {
    let expression = |key: &SortKey| match &key.by {
        SortBy::Id => Sql::new("r.id"),
        SortBy::Updated => Sql::new("r.updated"),
        SortBy::Indexed { param: name, column } => sorted_by(name, *column, key.descending),
    };
    Order { keys: keys.iter().map(|key| (expression(key), key.descending)).collect(), direction }
}

/// The row's least value in an index, or its greatest.
fn sorted_by(index: &str, column: SortColumn, descending: bool) -> Sql {
    let (table, low, high) = match column {
        SortColumn::Folded => (Table::String, "t.folded", "t.folded"),
        SortColumn::Date => (Table::Date, "t.low", "t.high"),
        SortColumn::Number => (Table::Number, "t.low", "t.high"),
        SortColumn::Quantity => (Table::Quantity, "t.canonical_low", "t.canonical_high"),
        SortColumn::Code => (Table::Token, "c.code", "c.code"),
        SortColumn::Value => (Table::Identifier, "t.value", "t.value"),
        SortColumn::Uri => (Table::Uri, "t.value", "t.value"),
        SortColumn::Reference => (Table::Reference, "t.id", "t.id"),
    };
    let joined = if column == SortColumn::Code { " JOIN code c ON c.id = t.code" } else { "" };
    let rows = name(table);
    let key = if descending { format!("MAX({high})") } else { format!("MIN({low})") };
    let mut sql = Sql::new(&format!("(SELECT {key} FROM {rows} t{joined} WHERE t.rid = r.rid AND "));
    sql.push(param("t", index, table)).text(")");
    sql
}

fn bind(value: &SortValue, sql: &mut Sql) {
    match value {
        SortValue::Absent => sql.text("NULL"),
        SortValue::Integer(value) => sql.bind(*value),
        SortValue::Real(value) => sql.bind(*value),
        SortValue::Text(value) => sql.bind(value.as_str()),
    };
}

impl Order {
    /// The keys as columns, `, … AS k0, … AS k1`.
    pub(in crate::store) fn columns(&self) -> Sql {
        let mut sql = Sql::default();
        for (number, (key, _)) in self.keys.iter().enumerate() {
            sql.text(", ").push(key.clone()).text(&format!(" AS k{number}"));
        }
        sql
    }

    /// Those columns again, from a table of the name `p`.
    pub(in crate::store) fn again(&self) -> String {
        (0..self.keys.len()).map(|number| format!(", p.k{number}")).collect()
    }

    /// `ORDER BY …` over those columns; rows without a key come last in either
    /// direction of a key, and so first on the way back.
    ///
    /// * `table`: which has `rid`.
    pub(in crate::store) fn by(&self, table: &str) -> String {
        let back = self.direction == Direction::Back;
        let nulls = if back { "NULLS FIRST" } else { "NULLS LAST" };
        let key = |(number, (_, descending)): (usize, &(Sql, bool))| {
            format!("k{number}{} {nulls}, ", if *descending == back { "" } else { " DESC" })
        };
        let keys: String = self.keys.iter().enumerate().map(key).collect();
        format!(" ORDER BY {keys}{table}.rid{}", if back { " DESC" } else { "" })
    }

    /// The rows that come after the row with these keys, on the way that is gone.
    pub(in crate::store) fn beyond(&self, values: &[SortValue], rid: i64) -> Sql {
        let back = self.direction == Direction::Back;
        let mut alternatives = Vec::new();
        let mut equal: Vec<Sql> = Vec::new();
        for ((key, descending), value) in self.keys.iter().zip(values) {
            let absent = *value == SortValue::Absent;
            if !absent {
                let mut beyond = Sql::new("(");
                beyond.push(key.clone()).text(if *descending == back { " > " } else { " < " });
                bind(value, &mut beyond);
                if !back {
                    beyond.text(" OR ").push(key.clone()).text(" IS NULL");
                }
                beyond.text(")");
                alternatives.push(Sql::and([equal.clone(), vec![beyond]].concat()));
            } else if back {
                let mut some = key.clone();
                some.text(" IS NOT NULL");
                alternatives.push(Sql::and([equal.clone(), vec![some]].concat()));
            }
            let mut same = key.clone();
            if absent {
                same.text(" IS NULL");
            } else {
                same.text(" = ");
                bind(value, &mut same);
            }
            equal.push(same);
        }
        let mut last = Sql::new(if back { "r.rid < " } else { "r.rid > " });
        last.bind(rid);
        equal.push(last);
        alternatives.push(Sql::and(equal));
        Sql::or(alternatives)
    }
}
