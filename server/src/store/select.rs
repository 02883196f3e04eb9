//! A search [`Plan`] → one statement's parts: where its rows come from, what each
//! must fulfil, and their order.
//!
//! One small set of row numbers *drives*: the clinical index for a person's
//! records by code, the records of the few people whom the view shows, or the
//! index of the most selective filter. Every other filter is then probed row by
//! row: a point by the full key of its index, a span through the index's
//! (rid, param) side. So the cost of a search about one person grows with her
//! records, not with everybody's.

use techo_profiles::Definitions;

use crate::consent::view::CitizenKey;
use crate::search::catalog::Catalog;
use crate::search::clinical::Clinical;
use crate::search::derived::Derived;
use crate::search::page::SortValue;
use crate::search::plan::{
    Bounds, CodePattern, End, Filter, Match, Operator, Pattern, Plan, SortBy, SortColumn, SortKey,
};
use crate::search::row::{ParamKey, Table};

use super::error::StoreError;
use super::sql::Sql;

/// What a search selects.
pub(super) struct Selection {
    /// `SELECT … AS rid`, each once: rows outside it are no matches. `None` where
    /// the row's own columns select best.
    pub(super) driver: Option<Sql>,
    /// The conditions of all filters on row `r`.
    pub(super) conditions: Sql,
}

/// How a plan is carried out.
///
/// * `number`: the searched type's number in the database.
/// * `patient`: that of `Patient`.
/// * `few`: the only citizens whose records the view shows, if they are few.
pub(super) fn selection(
    plan: &Plan,
    (number, patient): (i16, i16),
    few: Option<&[CitizenKey]>,
) -> Result<Selection, StoreError> {
    let best = plan.filters.iter().enumerate().min_by_key(|(_, filter)| cost(filter));
    let cheapest = best.map_or(u8::MAX, |(_, filter)| cost(filter));
    let clinical = plan.clinical().filter(|one| !one.patients.is_empty() || few.is_some());
    let (driver, driving) = match (clinical, few, best) {
        // The id's own unique key, or an identifier: nothing is narrower.
        (_, _, Some((number, filter))) if cheapest <= BY_IDENTIFIER => (set_of(filter), Some(number)),
        (Some(clinical), few, _) => (Some(by_clinical(&clinical, (number, patient), few)), None),
        (None, Some(citizens), _) => (Some(records_of(citizens, number)), None),
        (None, None, Some((number, filter))) => (set_of(filter), Some(number)),
        (None, None, None) => (None, None),
    };
    let driving = driving.filter(|_| driver.is_some());
    let conditions = plan
        .filters
        .iter()
        .enumerate()
        .filter(|(number, _)| driving != Some(*number))
        .map(|(_, filter)| condition(filter))
        .collect::<Result<_, _>>()?;
    Ok(Selection { driver, conditions: Sql::and(conditions) })
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

/// The rank of [`Match::Identifier`].
const BY_IDENTIFIER: u8 = 1;

fn match_cost(one: &Match) -> u8 {
    match one {
        Match::Identifier(_) => BY_IDENTIFIER,
        Match::Reference { .. } => 2,
        Match::Exact { .. } | Match::Uri(_) => 3,
        Match::Prefix(_) => 4,
        Match::Token(_) => 5,
        Match::Date(_) | Match::Number(_) | Match::Quantity { .. } | Match::Canonical { .. } => 6,
        Match::Contains(_) => 7,
    }
}

/// The rows of the clinical index for these codes: of the patients that the
/// query names, else of the people whom the view shows.
fn by_clinical(clinical: &Clinical<'_>, (number, patient): (i16, i16), few: Option<&[CitizenKey]>) -> Sql {
    let exactly = |one: &&CodePattern| !matches!((&one.system, &one.code), (Pattern::Any, _) | (_, Pattern::Any));
    let people = if clinical.patients.is_empty() { few.unwrap_or_default().len() } else { clinical.patients.len() };
    // One person's rows of one code: each record once, without sorting out doubles.
    let once = people == 1 && matches!(&clinical.codes[..], [one] if exactly(one));
    let mut sql = Sql::new(if once { "SELECT x.rid AS rid" } else { "SELECT DISTINCT x.rid AS rid" });
    sql.text(" FROM clinical x WHERE x.citizen IN ");
    if clinical.patients.is_empty() {
        sql.list(few.unwrap_or_default().iter().copied());
    } else {
        sql.text("(SELECT p.rid FROM resource p WHERE p.kind = ").bind(patient).text(" AND p.id IN ");
        sql.list(clinical.patients.iter().map(ToString::to_string)).text(")");
    }
    let codes = clinical.codes.iter().map(|pattern| code("x.code", pattern)).collect();
    sql.text(" AND x.kind = ").bind(number).text(" AND ").push(Sql::or(codes));
    sql
}

/// The records of a few people, shared ones included.
pub(super) fn records_of(citizens: &[CitizenKey], number: i16) -> Sql {
    let mut sql = Sql::new("SELECT o.rid AS rid FROM resource o WHERE o.citizen IN ");
    sql.list(citizens.iter().copied()).text(" AND o.kind = ").bind(number);
    sql.text(" UNION SELECT s.rid FROM subject s WHERE s.citizen IN ").list(citizens.iter().copied());
    sql
}

/// The rows that a filter's index gives; `None` for a filter without an index of its own.
fn set_of(filter: &Filter) -> Option<Sql> {
    let Filter::Indexed { param: name, any, negated: false } = filter else { return None };
    let mut sets = Sql::default();
    for (position, (table, same)) in by_table(any).into_iter().enumerate() {
        sets.text(if position == 0 { "SELECT DISTINCT t.rid AS rid FROM " } else { " UNION SELECT t.rid FROM " });
        sets.text(self::name(table)).text(" t WHERE ").push(param(name, table)).text(" AND ");
        sets.push(Sql::or(same.into_iter().map(matches).collect()));
    }
    Some(sets)
}

/// A filter on row `r`.
fn condition(filter: &Filter) -> Result<Sql, StoreError> {
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
        Filter::Indexed { param, any, negated } => {
            let probes = by_table(any)
                .into_iter()
                .map(|(table, same)| probe(table, param, Some(Sql::or(same.into_iter().map(matches).collect()))));
            not_if(*negated, Sql::or(probes.collect()))
        }
        Filter::Missing { param, tables, missing } => {
            not_if(*missing, Sql::or(tables.iter().map(|table| probe(*table, param, None)).collect()))
        }
        Filter::Chain { .. } | Filter::Has { .. } | Filter::Together { .. } => {
            return Err(StoreError::Unsupported("this kind of filter"));
        }
    })
}

fn not_if(negated: bool, inner: Sql) -> Sql {
    let mut sql = Sql::new(if negated { "NOT " } else { "" });
    sql.push(inner);
    sql
}

/// Alternatives on different tables are asked of each table by itself.
fn by_table(any: &[Match]) -> Vec<(Table, Vec<&Match>)> {
    let mut tables: Vec<(Table, Vec<&Match>)> = Vec::new();
    for one in any {
        match tables.iter_mut().find(|(table, _)| *table == one.table()) {
            Some((_, same)) => same.push(one),
            None => tables.push((one.table(), vec![one])),
        }
    }
    tables
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

/// The rows of an index, or of those that answer for it.
pub(super) fn param(name: &str, table: Table) -> Sql {
    let named = |keys: &[ParamKey]| {
        let mut sql = Sql::new("t.param ");
        match keys {
            [one] => sql.text("= (SELECT id FROM parameter WHERE name = ").bind(one.to_string()),
            many => sql.text("IN (SELECT id FROM parameter WHERE name IN ").list(many.iter().map(ToString::to_string)),
        };
        sql.text(")");
        sql
    };
    let definitions = Definitions::embedded();
    match Catalog::of(definitions).derived(name) {
        None => named(&[name.into()]),
        Some(Derived { from, to: None }) => named(from),
        Some(Derived { from, to: Some(to) }) if table == Table::Reference => {
            let number = definitions.type_number(to).and_then(|number| i16::try_from(number).ok()).unwrap_or(0);
            let mut sql = named(from);
            // Elsewhere the type stands in the URL.
            sql.text(" AND (t.kind = ").bind(number).text(" OR t.kind = 0 AND t.id LIKE ");
            sql.bind(format!("%/{to}/%")).text(")");
            sql
        }
        Some(_) => named(&[name.into()]),
    }
}

/// The index has a row for `r`.
fn probe(table: Table, param_name: &str, conditions: Option<Sql>) -> Sql {
    let mut sql = Sql::new("EXISTS (SELECT 1 FROM ");
    sql.text(name(table)).text(" t WHERE t.rid = r.rid AND ").push(param(param_name, table));
    if let Some(conditions) = conditions {
        sql.text(" AND ").push(conditions);
    }
    sql.text(")");
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

/// How the rows of a search are ordered: each key's expression, and whether the
/// largest comes first.
pub(super) struct Order(Vec<(Sql, bool)>);

/// How to order by `keys`.
pub(super) fn order(keys: &[SortKey]) -> Order {
    let expression = |key: &SortKey| match &key.by {
        SortBy::Id => Sql::new("r.id"),
        SortBy::Updated => Sql::new("r.updated"),
        SortBy::Indexed { param: name, column } => sorted_by(name, *column, key.descending),
    };
    Order(keys.iter().map(|key| (expression(key), key.descending)).collect())
}

/// The row's least value in an index, or its greatest.
fn sorted_by(name: &str, column: SortColumn, descending: bool) -> Sql {
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
    let rows = self::name(table);
    let key = if descending { format!("MAX({high})") } else { format!("MIN({low})") };
    let mut sql = Sql::new(&format!("(SELECT {key} FROM {rows} t{joined} WHERE t.rid = r.rid AND "));
    sql.push(param(name, table)).text(")");
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
    pub(super) fn columns(&self) -> Sql {
        let mut sql = Sql::default();
        for (number, (key, _)) in self.0.iter().enumerate() {
            sql.text(", ").push(key.clone()).text(&format!(" AS k{number}"));
        }
        sql
    }

    /// Those columns again, from a table of the name `p`.
    pub(super) fn again(&self) -> String {
        (0..self.0.len()).map(|number| format!(", p.k{number}")).collect()
    }

    /// `ORDER BY …` over those columns; rows without a key come last in either direction.
    ///
    /// * `table`: which has `rid`.
    pub(super) fn by(&self, table: &str) -> String {
        let key = |(number, (_, descending)): (usize, &(Sql, bool))| {
            format!("k{number}{} NULLS LAST, ", if *descending { " DESC" } else { "" })
        };
        let keys: String = self.0.iter().enumerate().map(key).collect();
        format!(" ORDER BY {keys}{table}.rid")
    }

    /// The rows that come after the row with these keys.
    pub(super) fn after(&self, values: &[SortValue], rid: i64) -> Sql {
        let mut alternatives = Vec::new();
        let mut equal: Vec<Sql> = Vec::new();
        for ((key, descending), value) in self.0.iter().zip(values) {
            if *value != SortValue::Absent {
                let mut beyond = Sql::new("(");
                beyond.push(key.clone()).text(if *descending { " < " } else { " > " });
                bind(value, &mut beyond);
                beyond.text(" OR ").push(key.clone()).text(" IS NULL)");
                alternatives.push(Sql::and([equal.clone(), vec![beyond]].concat()));
            }
            let mut same = key.clone();
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
