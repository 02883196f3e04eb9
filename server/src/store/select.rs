//! A search [`Plan`] → SQL conditions and order.
//!
//! The most selective filter drives: its index is read and gives row numbers.
//! Filters on a point (a code, an identifier, a reference) are then probed by
//! full key, row by row. Filters on a span are read once as a set.

use crate::search::page::SortValue;
use crate::search::plan::{
    Bounds, CodePattern, End, Filter, Match, Operator, Pattern, Plan, SortBy, SortColumn, SortKey,
};
use crate::search::row::Table;

use super::error::StoreError;
use super::sql::Sql;

/// The conditions of all filters on row `r`.
pub(super) fn filters(plan: &Plan) -> Result<Sql, StoreError> {
    let driver = plan.filters.iter().enumerate().min_by_key(|(_, filter)| cost(filter)).map(|(number, _)| number);
    let parts = plan
        .filters
        .iter()
        .enumerate()
        .map(|(number, filter)| condition(filter, driver == Some(number)))
        .collect::<Result<_, _>>()?;
    Ok(Sql::and(parts))
}

/// How many rows a filter is likely to leave, as a rank.
fn cost(filter: &Filter) -> u8 {
    match filter {
        Filter::Id { negated: false, .. } => 0,
        Filter::Indexed { any, negated: false, .. } => any.iter().map(match_cost).max().unwrap_or(0),
        Filter::Together { .. } | Filter::Chain { .. } | Filter::Has { .. } => 6,
        Filter::Updated { .. } => 8,
        Filter::Id { .. } | Filter::Indexed { .. } | Filter::Missing { .. } => 9,
    }
}

fn match_cost(one: &Match) -> u8 {
    match one {
        Match::Identifier(_) => 1,
        Match::Reference { .. } => 2,
        Match::Exact { .. } | Match::Uri(_) => 3,
        Match::Prefix(_) => 4,
        Match::Token(_) => 5,
        Match::Date(_) | Match::Number(_) | Match::Quantity { .. } | Match::Canonical { .. } => 6,
        Match::Contains(_) => 7,
    }
}

fn condition(filter: &Filter, drives: bool) -> Result<Sql, StoreError> {
    Ok(match filter {
        Filter::Id { any, negated } => {
            let mut sql = Sql::new(if *negated { "r.id NOT IN " } else { "r.id IN " });
            sql.list(any.iter().map(ToString::to_string));
            sql
        }
        Filter::Updated { any } => Sql::or(
            any.iter()
                .map(|span| {
                    let mut sql = Sql::new("(r.updated >= ");
                    sql.bind(span.start).text(" AND r.updated < ").bind(span.end).text(")");
                    sql
                })
                .collect(),
        ),
        Filter::Indexed { param, any, negated } => indexed(param, any, *negated, drives),
        Filter::Missing { param, tables, missing } => {
            let has = Sql::or(tables.iter().map(|table| set(*table, param, None)).collect());
            let mut sql = Sql::new(if *missing { "NOT " } else { "" });
            sql.push(has);
            sql
        }
        Filter::Chain { .. } | Filter::Has { .. } | Filter::Together { .. } => {
            return Err(StoreError::Unsupported("this kind of filter"));
        }
    })
}

/// A row of one index fulfils one of the matches. Matches on different tables
/// become alternatives of their own.
fn indexed(param: &str, any: &[Match], negated: bool, drives: bool) -> Sql {
    let mut parts = Vec::new();
    let mut left: Vec<&Match> = any.iter().collect();
    while let Some(first) = left.first() {
        let table = first.table();
        let (same, other): (Vec<&Match>, Vec<&Match>) = left.iter().partition(|one| one.table() == table);
        let point = same.iter().all(|one| match_cost(one) <= 5 && !matches!(one, Match::Prefix(_)));
        let conditions = Sql::or(same.iter().map(|one| matches(one)).collect());
        parts.push(if point && !drives && !negated {
            probe(table, param, conditions)
        } else {
            set(table, param, Some(conditions))
        });
        left = other;
    }
    let mut sql = Sql::new(if negated { "NOT " } else { "" });
    sql.push(Sql::or(parts));
    sql
}

fn name(table: Table) -> &'static str {
    match table {
        Table::Token => "token",
        Table::Identifier => "ident",
        Table::String => "string",
        Table::Date => "date",
        Table::Number => "number",
        Table::Quantity => "quantity",
        Table::Uri => "uri",
        Table::Reference => "reference",
    }
}

fn param(name: &str) -> Sql {
    let mut sql = Sql::new("t.param = (SELECT id FROM parameter WHERE name = ");
    sql.bind(name).text(")");
    sql
}

/// `r` is among the rows that the index gives.
fn set(table: Table, param_name: &str, conditions: Option<Sql>) -> Sql {
    let mut sql = Sql::new("r.rid IN (SELECT t.rid FROM ");
    sql.text(name(table)).text(" t WHERE ").push(param(param_name));
    if let Some(conditions) = conditions {
        sql.text(" AND ").push(conditions);
    }
    sql.text(")");
    sql
}

/// The index has a row for `r`, found by its full key.
fn probe(table: Table, param_name: &str, conditions: Sql) -> Sql {
    let mut sql = Sql::new("EXISTS (SELECT 1 FROM ");
    sql.text(name(table)).text(" t WHERE ").push(param(param_name));
    sql.text(" AND ").push(conditions).text(" AND t.rid = r.rid)");
    sql
}

fn matches(one: &Match) -> Sql {
    match one {
        Match::Token(pattern) => code("t.code", pattern),
        Match::Identifier(CodePattern { system, code }) => {
            let mut parts = Vec::new();
            if let Pattern::Is(value) = code {
                parts.push(equal("t.value", value));
            }
            if let Pattern::Is(uri) = system {
                let mut sql = Sql::new("t.system = (SELECT id FROM system WHERE uri = ");
                sql.bind(uri.to_string()).text(")");
                parts.push(sql);
            }
            Sql::and(parts)
        }
        Match::Prefix(text) => prefix(text),
        Match::Contains(text) => {
            let mut sql = Sql::new("t.folded LIKE ");
            sql.bind(format!("%{}%", like(text))).text(" ESCAPE '\\'");
            sql
        }
        Match::Exact { folded, original } => Sql::and(vec![equal("t.folded", folded), equal("t.original", original)]),
        Match::Date(bounds) => within(bounds, "t.low", "t.high"),
        Match::Number(bounds) => within(bounds, "t.low", "t.high"),
        Match::Quantity { unit, bounds } => Sql::and(vec![code("t.unit", unit), within(bounds, "t.low", "t.high")]),
        Match::Canonical { unit, bounds } => {
            Sql::and(vec![code("t.canonical_unit", unit), within(bounds, "t.canonical_low", "t.canonical_high")])
        }
        Match::Uri(value) => equal("t.value", value),
        Match::Reference { kinds, id } => {
            let mut parts = vec![equal("t.id", id)];
            if !kinds.is_empty() {
                let mut sql = Sql::new("t.kind IN ");
                sql.list(kinds.iter().map(|kind| i16::try_from(*kind).unwrap_or(0)));
                parts.push(sql);
            }
            Sql::and(parts)
        }
    }
}

fn equal(column: &str, value: &str) -> Sql {
    let mut sql = Sql::new(column);
    sql.text(" = ").bind(value);
    sql
}

/// As a range, which an index serves, with the last character counted up.
fn prefix(text: &str) -> Sql {
    let mut sql = Sql::new("(t.folded >= ");
    sql.bind(text);
    if let Some(end) = successor(text) {
        sql.text(" AND t.folded < ").bind(end);
    }
    sql.text(")");
    sql
}

/// The least text that is greater than every text beginning with `text`.
fn successor(text: &str) -> Option<String> {
    let mut characters: Vec<char> = text.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn code(column: &str, pattern: &CodePattern) -> Sql {
    let mut parts = Vec::new();
    if let Pattern::Is(code) = &pattern.code {
        parts.push(equal("c.code", code));
    }
    if let Pattern::Is(system) = &pattern.system {
        let mut sql = Sql::new("c.system = (SELECT id FROM system WHERE uri = ");
        sql.bind(system.to_string()).text(")");
        parts.push(sql);
    }
    if parts.is_empty() {
        return Sql::new("1 = 1");
    }
    let mut sql = Sql::new(column);
    sql.text(" IN (SELECT c.id FROM code c WHERE ").push(Sql::and(parts)).text(")");
    sql
}

fn within<T: Copy + Into<sea_orm::Value>>(bounds: &Bounds<T>, low: &str, high: &str) -> Sql {
    Sql::or(
        bounds
            .any
            .iter()
            .map(|all| {
                let parts = all.iter().map(|bound| {
                    let mut sql = Sql::new(match bound.end {
                        End::Low => low,
                        End::High => high,
                    });
                    sql.text(match bound.operator {
                        Operator::Less => " < ",
                        Operator::AtMost => " <= ",
                        Operator::Greater => " > ",
                        Operator::AtLeast => " >= ",
                    });
                    sql.bind(bound.value);
                    sql
                });
                Sql::and(parts.collect())
            })
            .collect(),
    )
}

/// The sort of a plan: joins that bring its keys, and the keys' expressions.
pub(super) struct Order {
    /// `LEFT JOIN …`
    pub(super) joins: Sql,
    /// Expression, and whether the largest comes first.
    pub(super) keys: Vec<(String, bool)>,
}

/// How to order by `keys`.
pub(super) fn order(keys: &[SortKey]) -> Order {
    let mut order = Order { joins: Sql::default(), keys: Vec::new() };
    for (number, key) in keys.iter().enumerate() {
        let expression = match &key.by {
            SortBy::Id => "r.id".to_owned(),
            SortBy::Updated => "r.updated".to_owned(),
            SortBy::Indexed { param: name, column } => {
                order.joins.push(joined(number, name, *column, key.descending));
                format!("k{number}.key")
            }
        };
        order.keys.push((expression, key.descending));
    }
    order
}

fn joined(number: usize, name: &str, column: SortColumn, descending: bool) -> Sql {
    let (table, low, high) = match column {
        SortColumn::Folded => ("string t", "t.folded", "t.folded"),
        SortColumn::Date => ("date t", "t.low", "t.high"),
        SortColumn::Number => ("number t", "t.low", "t.high"),
        SortColumn::Quantity => ("quantity t", "t.canonical_low", "t.canonical_high"),
        SortColumn::Code => ("token t JOIN code c ON c.id = t.code", "c.code", "c.code"),
        SortColumn::Value => ("ident t", "t.value", "t.value"),
        SortColumn::Uri => ("uri t", "t.value", "t.value"),
        SortColumn::Reference => ("reference t", "t.id", "t.id"),
    };
    let key = if descending { format!("MAX({high})") } else { format!("MIN({low})") };
    let mut sql = Sql::new(&format!(" LEFT JOIN (SELECT t.rid AS rid, {key} AS key FROM {table} WHERE "));
    sql.push(param(name)).text(&format!(" GROUP BY t.rid) k{number} ON k{number}.rid = r.rid"));
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
    /// `ORDER BY …`; rows without a key come last in either direction.
    pub(super) fn by(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for (key, descending) in &self.keys {
            parts.push(format!("{key} IS NULL"));
            parts.push(format!("{key}{}", if *descending { " DESC" } else { "" }));
        }
        parts.push("r.rid".to_owned());
        format!(" ORDER BY {}", parts.join(", "))
    }

    /// The rows that come after the row with these keys.
    pub(super) fn after(&self, values: &[SortValue], rid: i64) -> Sql {
        let mut alternatives = Vec::new();
        let mut equal: Vec<Sql> = Vec::new();
        for ((key, descending), value) in self.keys.iter().zip(values) {
            if *value != SortValue::Absent {
                let mut beyond = Sql::new(&format!("({key} {} ", if *descending { "<" } else { ">" }));
                bind(value, &mut beyond);
                beyond.text(&format!(" OR {key} IS NULL)"));
                alternatives.push(Sql::and([equal.clone(), vec![beyond]].concat()));
            }
            let mut same = Sql::new(key);
            if *value == SortValue::Absent {
                same.text(" IS NULL");
            } else {
                same.text(" = ");
                bind(value, &mut same);
            }
            equal.push(same);
        }
        let mut last = Sql::new("r.rid > ");
        last.bind(rid);
        equal.push(last);
        alternatives.push(Sql::and(equal));
        Sql::or(alternatives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_follows_every_text_with_the_prefix() {
        for (text, next) in [("や", Some("ゆ")), ("a", Some("b")), ("a\u{10FFFF}", Some("b")), ("\u{10FFFF}", None)] {
            let found = successor(text);
            if let Some(found) = &found {
                assert!(found.as_str() > text && found.as_str() > format!("{text}\u{10FFFF}").as_str());
            }
            assert!(next.is_none() == found.is_none(), "{text}");
        }
    }
}
