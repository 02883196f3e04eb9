//! The order of a search's rows, and the rows after one of them.

use crate::search::contained::{STEP, Which};
use crate::search::page::{Direction, SortValue};
use crate::search::plan::{Plan, SortBy, SortColumn, SortKey};
use crate::search::row::Table;

use super::filter::placed;
use super::matching::{name, param};
use crate::store::sql::Sql;

/// How the rows of a search are ordered.
pub(in crate::store) struct Order {
    /// Of each key, whether the largest comes first.
    descending: Vec<bool>,
    direction: Direction,
    /// Of one row there may be several: those that it contains.
    several: bool,
}

/// How to order the rows of these plans, or the other way round.
pub(in crate::store) fn order(plans: &[Plan], direction: Direction) -> Order {
    let keys = plans.first().map_or(&[][..], |plan| &plan.sort);
    let several = plans.iter().any(tells_places);
    Order { descending: keys.iter().map(|key| key.descending).collect(), direction, several }
}

/// What one key is of a plan's row: where what is contained is the answer, its own.
fn expression(plan: &Plan, key: &SortKey) -> Sql {
    match &key.by {
        SortBy::Id if tells_places(plan) => Sql::new("c.id"),
        SortBy::Id => Sql::new("r.id"),
        SortBy::Updated => Sql::new("r.updated"),
        SortBy::Indexed { param: name, column } => sorted_by(name, *column, key.descending),
    }
}

/// Whether what is contained is the answer.
fn tells_places(plan: &Plan) -> bool {
    plan.contained.alone && plan.contained.which != Which::Records
}

/// The place of a plan's row among all: its number, or that and the place within.
fn spot(plan: &Plan, several: bool) -> String {
    match (several, tells_places(plan)) {
        (false, _) => "r.rid".to_owned(),
        (true, false) => format!("(r.rid * {PLACES})"),
        (true, true) => format!("(r.rid * {PLACES} + c.place / {STEP})"),
    }
}

/// The place within that a spot tells of; 0 for the record itself.
pub(in crate::store) fn place(spot: i64) -> u32 {
    u32::try_from(spot % PLACES).unwrap_or(0) * STEP
}

/// A place within is less than this, counted in steps.
const PLACES: i64 = 1 << 15;

/// The row's least value in an index, or its greatest.
fn sorted_by(index: &str, column: SortColumn, descending: bool) -> Sql {
    let (table, low, high) = match column {
        SortColumn::Folded => (Table::String, "t.folded", "t.folded"),
        SortColumn::Date => (Table::Date, "t.low", "t.high"),
        SortColumn::Number => (Table::Number, "t.low", "t.high"),
        SortColumn::Quantity => (Table::Quantity, "t.canonical_low", "t.canonical_high"),
        SortColumn::Code => (Table::Token, "y.code", "y.code"),
        SortColumn::Value => (Table::Identifier, "t.value", "t.value"),
        SortColumn::Uri => (Table::Uri, "t.value", "t.value"),
        SortColumn::Reference => (Table::Reference, "t.id", "t.id"),
    };
    let joined = if column == SortColumn::Code { " JOIN code y ON y.id = t.code" } else { "" };
    let rows = name(table);
    let key = if descending { format!("MAX({high})") } else { format!("MIN({low})") };
    let mut sql = Sql::new(&format!("(SELECT {key} FROM {rows} t{joined} WHERE t.rid = r.rid AND "));
    sql.push(param("t", index, table)).text(&placed(index, "t", "c")).text(")");
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
    /// Whether one row may be there several times.
    pub(in crate::store) fn several(&self) -> bool {
        self.several
    }

    /// The row number and the keys as columns, `r.rid AS rid, … AS k0, … AS k1`.
    pub(in crate::store) fn columns(&self, plan: &Plan) -> Sql {
        let mut sql = Sql::new("r.rid AS rid");
        if self.several {
            sql.text(&format!(", {} AS spot", spot(plan, true)));
        }
        for (number, key) in plan.sort.iter().enumerate() {
            sql.text(", ").push(expression(plan, key)).text(&format!(" AS k{number}"));
        }
        sql
    }

    /// Those columns again, but for the row number, from a table of the name `p`; the
    /// keys first.
    pub(in crate::store) fn again(&self) -> String {
        let keys: String = (0..self.descending.len()).map(|number| format!(", p.k{number}")).collect();
        if self.several { keys + ", p.spot" } else { keys }
    }

    /// `ORDER BY …` over those columns; rows without a key come last in either
    /// direction of a key, and so first on the way back.
    ///
    /// * `table`: which has `rid`.
    pub(in crate::store) fn by(&self, table: &str) -> String {
        let back = self.direction == Direction::Back;
        let nulls = if back { "NULLS FIRST" } else { "NULLS LAST" };
        let key = |(number, descending): (usize, &bool)| {
            format!("k{number}{} {nulls}, ", if *descending == back { "" } else { " DESC" })
        };
        let keys: String = self.descending.iter().enumerate().map(key).collect();
        let last = if self.several { "spot".to_owned() } else { format!("{table}.rid") };
        format!(" ORDER BY {keys}{last}{}", if back { " DESC" } else { "" })
    }

    /// The rows of a plan that come after the row with these keys, on the way that is
    /// gone.
    pub(in crate::store) fn beyond(&self, plan: &Plan, values: &[SortValue], rid: i64) -> Sql {
        let back = self.direction == Direction::Back;
        let mut alternatives = Vec::new();
        let mut equal: Vec<Sql> = Vec::new();
        for (key, value) in plan.sort.iter().zip(values) {
            let (key, descending) = (expression(plan, key), key.descending);
            let absent = *value == SortValue::Absent;
            if !absent {
                let mut beyond = Sql::new("(");
                beyond.push(key.clone()).text(if descending == back { " > " } else { " < " });
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
        let mut last = Sql::new(&format!("{} {} ", spot(plan, self.several), if back { "<" } else { ">" }));
        last.bind(rid);
        equal.push(last);
        alternatives.push(Sql::and(equal));
        Sql::or(alternatives)
    }
}
