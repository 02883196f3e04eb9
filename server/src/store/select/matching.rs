//! A [`Match`] → a condition on one row of its index table.
//!
//! The row's name in the statement is always said: the parts of a composite are
//! several rows of perhaps one table.

use techo_profiles::Definitions;
use techo_profiles::json::Json;

use crate::search::catalog::Catalog;
use crate::search::contained::MARK;
use crate::search::derived::Derived;
use crate::search::plan::{Bound, Bounds, CodePattern, End, Match, Operator, Pattern, Place};
use crate::search::row::{ParamKey, Table};
use crate::store::sql::Sql;

/// Alternatives on different tables are asked of each table by itself.
pub(super) fn by_table(any: &[Match]) -> Vec<(Table, Vec<&Match>)> {
    let mut tables: Vec<(Table, Vec<&Match>)> = Vec::new();
    for one in any {
        match tables.iter_mut().find(|(table, _)| *table == one.table()) {
            Some((_, same)) => same.push(one),
            None => tables.push((one.table(), vec![one])),
        }
    }
    tables
}

/// The table's name.
pub(super) fn name(table: Table) -> &'static str {
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

/// Row `t` belongs to this index, or to those that answer for it.
pub(in crate::store) fn param(t: &str, name: &str, table: Table) -> Sql {
    let named = |keys: &[ParamKey]| {
        let mut sql = Sql::new(&format!("{t}.param"));
        match keys {
            [one] => sql.text(" = (SELECT id FROM parameter WHERE name = ").bind(one.to_string()).text(")"),
            many => {
                let mut ids = Sql::new("SELECT id FROM parameter WHERE name IN ");
                ids.list(many.iter().map(ToString::to_string));
                sql.among(ids)
            }
        };
        sql
    };
    let definitions = Definitions::embedded();
    // Of what is contained the rows are under keys of their own, derived like the others.
    let (bare, marked) = match name.strip_suffix(MARK) {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    let keys = |from: &[ParamKey]| {
        if marked { from.iter().map(|key| format!("{key}{MARK}").into()).collect() } else { from.to_vec() }
    };
    match Catalog::of(definitions).derived(bare) {
        None => named(&[name.into()]),
        Some(Derived { from, to: None }) => named(&keys(from)),
        Some(Derived { from, to: Some(to) }) if table == Table::Reference => {
            let number = definitions.type_number(to).and_then(|number| i16::try_from(number).ok()).unwrap_or(0);
            let mut sql = named(&keys(from));
            // Elsewhere the type stands in the URL.
            sql.text(&format!(" AND ({t}.kind = ")).bind(number);
            sql.text(&format!(" OR {t}.kind = 0 AND {t}.id LIKE ")).bind(format!("%/{to}/%")).text(")");
            sql
        }
        Some(_) => named(&[name.into()]),
    }
}

/// Row `t` of `reference` belongs to this index, whatever types the index is about.
pub(super) fn referring(t: &str, name: &str) -> Sql {
    let bare = name.trim_end_matches(MARK);
    let mark = &name[bare.len()..];
    let mut ids = Sql::new(&format!("{t}.param"));
    let mut of = Sql::new("SELECT id FROM parameter WHERE name IN ");
    match Catalog::of(Definitions::embedded()).derived(bare) {
        Some(Derived { from, .. }) => of.list(from.iter().map(|key| format!("{key}{mark}"))),
        None => of.list([name.to_owned()]),
    };
    ids.among(of);
    ids
}

/// Row `t` fulfils one of these, all of its table.
pub(super) fn one_of(t: &str, any: &[&Match]) -> Sql {
    Sql::or(any.iter().map(|one| matches(t, one)).collect())
}

/// The same of a row that was found already: of many codes the row's own is looked up,
/// where an index would be asked for each of them.
pub(super) fn one_of_row(t: &str, any: &[&Match]) -> Sql {
    let of_row = |one: &&Match| match one {
        Match::Codes { system, codes } => {
            // A bare IN would become a join, and be asked of the index.
            let mut sql = Sql::new(&format!("({t}.code IN ("));
            sql.push(found(system, codes)).text(")) IS TRUE");
            sql
        }
        other => matches(t, other),
    };
    Sql::or(any.iter().map(of_row).collect())
}

fn matches(t: &str, one: &Match) -> Sql {
    let column = |name: &str| format!("{t}.{name}");
    match one {
        Match::Token(pattern) => code(&column("code"), pattern),
        Match::Codes { system, codes } => {
            let mut sql = Sql::new(&column("code"));
            sql.among(found(system, codes));
            sql
        }
        Match::Identifier(CodePattern { system, code }) => {
            let mut parts = Vec::new();
            if let Pattern::Is(value) = code {
                parts.push(equal(&column("value"), value));
            }
            if let Pattern::Is(uri) = system {
                let mut sql = Sql::new(&format!("{t}.system = (SELECT id FROM system WHERE uri = "));
                sql.bind(uri.to_string()).text(")");
                parts.push(sql);
            }
            Sql::and(parts)
        }
        Match::Prefix(text) => part(&column("folded"), Place::Start, text),
        Match::Contains(text) => part(&column("folded"), Place::Within, text),
        Match::Ends(text) => part(&column("folded"), Place::End, text),
        Match::Whole(text) => equal(&column("folded"), text),
        Match::Exact { folded, original } => {
            Sql::and(vec![equal(&column("folded"), folded), equal(&column("original"), original)])
        }
        Match::Date(bounds) => within(bounds, &column("low"), &column("high")),
        Match::Number(bounds) => within(bounds, &column("low"), &column("high")),
        Match::Quantity { unit, bounds } => {
            Sql::and(vec![code(&column("unit"), unit), within(bounds, &column("low"), &column("high"))])
        }
        Match::Canonical { unit, bounds } => Sql::and(vec![
            code(&column("canonical_unit"), unit),
            within(bounds, &column("canonical_low"), &column("canonical_high")),
        ]),
        Match::Uri(value) => equal(&column("value"), value),
        Match::UriPart(place, text) => part(&column("value"), *place, text),
        // A dot comes before a slash, and nothing between: one range, and what of it is no
        // version below.
        Match::Version(url) => {
            let mut sql = Sql::new(&format!("{t}.kind = 0 AND {t}.id >= "));
            sql.bind(&**url).text(&format!(" AND {t}.id < ")).bind(format!("{url}/"));
            sql.text(&format!(" AND ({t}.id = ")).bind(&**url);
            sql.text(&format!(" OR {t}.id >= ")).bind(format!("{url}.")).text(")");
            sql
        }
        Match::Reference { kinds, id } => {
            let mut parts = vec![equal(&column("id"), id)];
            if !kinds.is_empty() {
                let mut sql = Sql::new(&format!("{t}.kind IN "));
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

/// A text at a place of the column's. A start is a range, which an index serves,
/// with the last character counted up.
pub(super) fn part(column: &str, place: Place, text: &str) -> Sql {
    let like = |pattern: String| {
        let mut sql = Sql::new(column);
        sql.text(" LIKE ").bind(pattern).text(" ESCAPE '\\'");
        sql
    };
    match place {
        Place::Within => like(format!("%{}%", escaped(text))),
        Place::End => like(format!("%{}", escaped(text))),
        Place::Start => {
            let mut sql = Sql::new(&format!("({column} >= "));
            sql.bind(text);
            if let Some(end) = successor(text) {
                sql.text(&format!(" AND {column} < ")).bind(end);
            }
            sql.text(")");
            sql
        }
    }
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

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The number in `column` is that of a code that fits.
pub(super) fn code(column: &str, pattern: &CodePattern) -> Sql {
    let mut parts = Vec::new();
    if let Pattern::Is(code) = &pattern.code {
        parts.push(equal("c.code", code));
    }
    if let Pattern::Is(system) = &pattern.system {
        parts.push(of_system(system));
    }
    if parts.is_empty() {
        return Sql::new("1 = 1");
    }
    let mut sql = Sql::new(column);
    let mut codes = Sql::new("SELECT c.id FROM code c WHERE ");
    codes.push(Sql::and(parts));
    sql.among(codes);
    sql
}

/// The numbers of these codes. They are one value, however many they are: a statement
/// may bind some ten thousand.
fn found(system: &str, codes: &[Box<str>]) -> Sql {
    let all = Json::array(codes.iter().map(|code| Json::from(&**code))).to_string();
    let mut sql = Sql::new("SELECT c.id FROM code c WHERE c.code");
    sql.either(" IN (SELECT value FROM json_each(", " = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(");
    sql.bind(all).either("))", " AS jsonb))))").text(" AND ").push(of_system(system));
    sql
}

fn of_system(system: &str) -> Sql {
    let mut sql = Sql::new("c.system = (SELECT id FROM system WHERE uri = ");
    sql.bind(system).text(")");
    sql
}

fn within<T: Copy + Into<sea_orm::Value>>(bounds: &Bounds<T>, low: &str, high: &str) -> Sql {
    let all = |bounds: &Vec<Bound<T>>| {
        let one = |bound: &Bound<T>| {
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
        };
        Sql::and(bounds.iter().map(one).collect())
    };
    Sql::or(bounds.any.iter().map(all).collect())
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
