//! SQL text with its values, grown together: what is bound can never drift
//! from where it is bound.
//!
//! A statement says in which order its rows are looked up, and is not left to what
//! a database guesses about its data: [`Sql::first`] and [`Sql::step`].

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{DatabaseBackend, Statement, Value};

use super::db::statement;

/// A piece of SQL, `?` for each value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
    /// Which of the values are the instant at which the statement runs.
    instants: Vec<usize>,
    /// Which of the values are given when it runs.
    open: Vec<usize>,
}

/// A statement that is run again and again, ready but for what differs.
#[derive(Debug)]
pub(super) struct Ready {
    sql: String,
    slots: Vec<Slot>,
}

#[derive(Debug)]
enum Slot {
    Given(Value),
    Instant,
    /// By its place among the open ones.
    Open(usize),
}

/// One run of a [`Ready`] statement.
#[derive(Debug)]
pub(super) struct Again {
    ready: Arc<Ready>,
    now: Value,
    open: Vec<Value>,
}

impl Again {
    /// * `open`: the values of each [`Sql::open`] in the order of the text.
    pub(super) fn new(ready: Arc<Ready>, now: i64, open: Vec<Value>) -> Self {
        Self { ready, now: now.into(), open }
    }

    /// The text, in the database's spelling.
    pub(super) fn text(&self) -> &str {
        &self.ready.sql
    }

    /// The values in their order.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.ready.slots.iter().map(|slot| match slot {
            Slot::Given(value) => value,
            Slot::Instant => &self.now,
            Slot::Open(place) => self.open.get(*place).unwrap_or(&NOTHING),
        })
    }
}

/// What nothing equals.
const NOTHING: Value = Value::BigInt(None);

/// More alternatives than this are halved.
const FLAT: usize = 32;

impl Sql {
    /// Begins with this text.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// Adds text that holds no value.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds `?` and its value.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.values.push(value.into());
        self
    }

    /// Adds `?` for the instant at which the statement runs: [`Sql::push_at`] moves it.
    pub(super) fn instant(&mut self, now: i64) -> &mut Self {
        self.instants.push(self.values.len());
        self.bind(now)
    }

    /// Adds `?` for a value that is given when the statement runs: [`Sql::ready`].
    pub(super) fn open(&mut self) -> &mut Self {
        self.open.push(self.values.len());
        self.bind(None::<String>)
    }

    /// Adds `(?, ?, …)`; for no values a list that nothing is in.
    pub(super) fn list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        let before = self.values.len();
        self.values.extend(values.into_iter().map(Into::into));
        let count = self.values.len() - before;
        self.text.push('(');
        self.text.push_str(&if count == 0 { "NULL".to_owned() } else { vec!["?"; count].join(", ") });
        self.text.push(')');
        self
    }

    /// Adds text that the two databases spell differently.
    pub(super) fn either(&mut self, sqlite: &str, postgres: &str) -> &mut Self {
        for (mark, spelling) in [(SQLITE, sqlite), (POSTGRES, postgres)] {
            self.text.push(mark);
            self.text.push_str(spelling);
        }
        self.text.push(BOTH);
        self
    }

    /// Adds `table name WHERE by AND `: what follows is asked of these rows alone, and
    /// must not bring the database to begin elsewhere.
    ///
    /// PostgreSQL moves no condition over an `OFFSET`. SQLite chooses by its indexes.
    pub(super) fn first(&mut self, table: &str, name: &str, by: Sql) -> &mut Self {
        self.either("", "(SELECT * FROM ").text(&format!("{table} {name} WHERE ")).push(by);
        self.either(" AND ", &format!(" OFFSET 0) {name} WHERE "))
    }

    /// Adds the rows of one more table, which are looked up by `on` for each row that
    /// is there already.
    ///
    /// SQLite keeps the order of a `CROSS JOIN`; PostgreSQL has to look into a
    /// `LATERAL` once a row, and moves nothing out of one with an `OFFSET`.
    pub(super) fn step(&mut self, table: &str, name: &str, on: Sql) -> &mut Self {
        self.either(" CROSS JOIN ", " CROSS JOIN LATERAL (SELECT * FROM ").text(&format!("{table} {name}"));
        self.either(" ON ", " WHERE ").push(on).either("", &format!(" OFFSET 0) {name}"))
    }

    /// Adds a table's rows by a condition of their own, and a [`Sql::step`] from each.
    ///
    /// * `first`, `then`: table, name, and by what its rows are looked up.
    pub(super) fn pair(&mut self, first: (&str, &str, Sql), then: (&str, &str, Sql)) -> &mut Self {
        let (table, name, own) = first;
        let (next, n, on) = then;
        self.either("", "(SELECT * FROM ").text(&format!("{table} {name}"));
        self.either(&format!(" CROSS JOIN {next} {n} ON "), " WHERE ").push(own);
        self.either(" AND ", &format!(" OFFSET 0) {name} CROSS JOIN LATERAL (SELECT * FROM {next} {n} WHERE "));
        self.push(on).either("", &format!(" OFFSET 0) {n}"))
    }

    /// Adds ` IN (inner)`, of a few rows that are found once, before all others.
    pub(super) fn among(&mut self, inner: Sql) -> &mut Self {
        self.either(" IN (", " = ANY (ARRAY(").push(inner).either(")", "))")
    }

    /// Adds `EXISTS (SELECT 1 FROM inner)`, asked row by row.
    pub(super) fn exists(&mut self, inner: Sql) -> &mut Self {
        // PostgreSQL would make a join of it, and perhaps begin with the inner rows.
        self.text("EXISTS (SELECT 1 FROM ").push(inner).either(")", " OFFSET 0)")
    }

    /// Adds another piece.
    pub(super) fn push(&mut self, other: Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.instants.extend(other.instants.iter().map(|at| at + self.values.len()));
        self.open.extend(other.open.iter().map(|at| at + self.values.len()));
        self.values.extend(other.values);
        self
    }

    /// Adds a piece that was made before, at the instant `now`.
    pub(super) fn push_at(&mut self, other: &Sql, now: i64) -> &mut Self {
        let before = self.values.len();
        self.text.push_str(&other.text);
        self.values.extend(other.values.iter().cloned());
        for at in &other.instants {
            self.values[before + at] = now.into();
            self.instants.push(before + at);
        }
        self
    }

    /// How many values it binds, and how long its text is.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.values.len(), self.text.len())
    }

    /// `(a AND b AND …)`; true for none.
    pub(super) fn and(parts: Vec<Sql>) -> Self {
        Self::joined(parts, " AND ", "1 = 1")
    }

    /// `(a OR b OR …)`; false for none.
    pub(super) fn or(parts: Vec<Sql>) -> Self {
        Self::joined(parts, " OR ", "1 = 0")
    }

    /// The rows of all these statements, each whole with its own order and limit.
    pub(super) fn union(mut parts: Vec<Sql>) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let mut all = Self::default();
        for (number, part) in parts.into_iter().enumerate() {
            all.text(if number == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            all.push(part).text(&format!(") AS u{number}"));
        }
        all
    }

    fn joined(mut parts: Vec<Sql>, word: &str, none: &str) -> Self {
        if parts.is_empty() {
            return Self::new(none);
        }
        // Databases read `a OR b OR c` as a tree as deep as it is long, and limit its depth.
        if parts.len() > FLAT {
            let rest = parts.split_off(parts.len() / 2);
            parts = vec![Self::joined(parts, word, none), Self::joined(rest, word, none)];
        }
        let mut all = Self::new("(");
        for (number, part) in parts.into_iter().enumerate() {
            if number > 0 {
                all.text(word);
            }
            all.push(part);
        }
        all.text(")");
        all
    }

    /// The statement for many runs, at any instant and with any value where it is open.
    pub(super) fn ready(self, backend: DatabaseBackend) -> Ready {
        let open = |at| self.open.iter().position(|open| *open == at);
        let slot = |(at, value)| match open(at) {
            Some(place) => Slot::Open(place),
            None if self.instants.contains(&at) => Slot::Instant,
            None => Slot::Given(value),
        };
        let text = spelled(&self.text, backend);
        let slots: Vec<Slot> = self.values.into_iter().enumerate().map(slot).collect();
        if backend == DatabaseBackend::Sqlite && slots.len() > MANY {
            let (sql, slots) = told_once(&text, slots, |slot| match slot {
                Slot::Given(value) => same(value).map(Repeated::Value),
                Slot::Instant => Some(Repeated::Instant),
                Slot::Open(_) => None,
            });
            return Ready { sql, slots };
        }
        Ready { sql: statement(backend, &text, []).sql, slots }
    }

    /// The statement, ready to run.
    pub(super) fn statement(self, backend: DatabaseBackend) -> Statement {
        let text = spelled(&self.text, backend);
        if backend == DatabaseBackend::Sqlite && self.values.len() > MANY {
            let (sql, values) = told_once(&text, self.values, |value| same(value).map(Repeated::Value));
            return Statement::from_sql_and_values(backend, sql, values);
        }
        statement(backend, &text, self.values)
    }
}

/// A statement with more values than these is told each of them once. What consent says stands
/// in a statement again and again, and SQLite compares each value that it is given with all
/// before: with ten thousand that takes seconds (`sqlite3ExprCodeRunJustOnce`), and no more
/// than 32,766 can be bound. To look for what is the same costs each run some microseconds, so
/// ordinary statements are left as they are.
const MANY: usize = 1000;

/// What is the same wherever it stands.
#[derive(PartialEq, Eq, Hash)]
enum Repeated {
    Instant,
    Value(Same),
}

/// A value, as SQLite is given it.
#[derive(PartialEq, Eq, Hash)]
enum Same {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

fn same(value: &Value) -> Option<Same> {
    match value {
        Value::BigInt(Some(number)) => Some(Same::Number(*number)),
        Value::Int(Some(number)) => Some(Same::Number((*number).into())),
        Value::SmallInt(Some(number)) => Some(Same::Number((*number).into())),
        Value::String(Some(text)) => Some(Same::Text(text.clone())),
        Value::Bytes(Some(bytes)) => Some(Same::Bytes(bytes.clone())),
        _ => None,
    }
}

/// The text with `?1`, `?2`, … for `?`, the same number for what is the same, and each of those
/// once.
///
/// * `all`: for each `?` of the text.
/// * `same`: by what two of them are the same; `None` for one that is like no other.
fn told_once<V>(text: &str, all: Vec<V>, same: impl Fn(&V) -> Option<Repeated>) -> (String, Vec<V>) {
    let mut sql = String::with_capacity(text.len() + 4 * all.len());
    let (mut once, mut numbers) = (Vec::new(), HashMap::new());
    let mut parts = text.split('?');
    sql.push_str(parts.next().unwrap_or_default());
    for (one, part) in all.into_iter().zip(parts) {
        let next = once.len() + 1;
        let number = same(&one).map_or(next, |key| *numbers.entry(key).or_insert(next));
        if number == next {
            once.push(one);
        }
        sql.push('?');
        sql.push_str(&number.to_string());
        sql.push_str(part);
    }
    (sql, once)
}

/// Before what only SQLite gets, and before what only PostgreSQL gets; after both.
/// Characters that no text of a statement holds.
const SQLITE: char = '\u{1}';
const POSTGRES: char = '\u{2}';
const BOTH: char = '\u{3}';

/// The text as one database spells it.
fn spelled(text: &str, backend: DatabaseBackend) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, part) in text.split(SQLITE).enumerate() {
        let choice = part.split_once(BOTH).filter(|_| number > 0);
        let Some((choice, rest)) = choice else {
            out.push_str(part);
            continue;
        };
        let (sqlite, postgres) = choice.split_once(POSTGRES).unwrap_or((choice, choice));
        out.push_str(if backend == DatabaseBackend::Postgres { postgres } else { sqlite });
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_was_made_before_is_asked_at_another_instant() {
        let mut piece = Sql::new("a = ");
        piece.bind(7_i64).text(" AND b < ").instant(1);
        let mut inner = Sql::new("(");
        inner.push(piece).text(" OR c > ").instant(1).text(")");
        let mut sql = Sql::new("d = ");
        sql.bind(8_i64).text(" AND ").push_at(&inner, 2);
        let mut again = Sql::default();
        again.push_at(&sql, 3);
        let values = |sql: &Sql| sql.clone().statement(DatabaseBackend::Sqlite).values.expect("values").0;
        assert_eq!(values(&sql), [8, 7, 2, 2_i64].map(Value::from));
        assert_eq!(values(&again), [8, 7, 3, 3_i64].map(Value::from));
    }

    #[test]
    fn what_is_ready_runs_with_other_values() {
        let mut inner = Sql::new("b < ");
        inner.instant(1).text(" AND c = ").open().text(" AND d = ").open();
        let mut sql = Sql::new("a = ");
        sql.bind(7_i64).text(" AND ").push(inner);
        let ready = Arc::new(sql.ready(DatabaseBackend::Postgres));
        for (now, first, second) in [(2, "x", "z"), (3, "y", "x")] {
            let again = Again::new(ready.clone(), now, vec![first.into(), second.into()]);
            assert_eq!(again.text(), "a = $1 AND b < $2 AND c = $3 AND d = $4");
            let values: Vec<Value> = again.values().cloned().collect();
            assert_eq!(values, [7_i64.into(), Value::from(now), first.into(), second.into()]);
        }
    }

    /// A condition that stood fifty times in a statement was bound fifty times, and each of its
    /// values compared with all others: seconds for one search.
    #[test]
    fn what_stands_again_and_again_is_told_once() {
        let mut sql = Sql::default();
        for round in 0..300_i64 {
            sql.text("a = ").bind("x").text(" AND b < ").instant(round % 2).text(" AND c = ").bind(round % 3);
            sql.text(" OR d = ").open().text(" AND ");
        }
        sql.text("e = ").bind(1_i16);
        let statement = sql.clone().statement(DatabaseBackend::Sqlite);
        assert!(statement.sql.starts_with("a = ?1 AND b < ?2 AND c = ?2 OR d = ?3 AND a = ?1 AND b < ?4 AND c = ?4"));
        assert!(statement.sql.ends_with("e = ?4"), "one number is another of another width");
        // The text, 0, 1 and 2; what is open is here nothing, and like no other.
        assert_eq!(statement.values.expect("values").0.len(), 4 + 300);
        let ready = Arc::new(sql.clone().ready(DatabaseBackend::Sqlite));
        let again = Again::new(ready, 77, (0..300_i64).map(Value::from).collect());
        assert!(again.text().starts_with("a = ?1 AND b < ?2 AND c = ?3 OR d = ?4 AND a = ?1 AND b < ?2 AND c = ?5"));
        let values: Vec<Value> = again.values().cloned().collect();
        assert_eq!(values[..4], ["x".into(), 77_i64.into(), 0_i64.into(), Value::from(0_i64)]);
        assert_eq!(values.len(), 5 + 300);
        assert_eq!(sql.statement(DatabaseBackend::Postgres).values.expect("values").0.len(), 1201);
    }

    #[test]
    fn each_database_gets_its_own_spelling() {
        let mut sql = Sql::new("SELECT 1 FROM ");
        sql.first("a", "x", Sql::new("x.id = 1")).text("x.b").among(Sql::new("SELECT 2"));
        let text = |backend| sql.clone().statement(backend).sql;
        assert_eq!(text(DatabaseBackend::Sqlite), "SELECT 1 FROM a x WHERE x.id = 1 AND x.b IN (SELECT 2)");
        let fenced = "SELECT 1 FROM (SELECT * FROM a x WHERE x.id = 1 OFFSET 0) x WHERE x.b = ANY (ARRAY(SELECT 2))";
        assert_eq!(text(DatabaseBackend::Postgres), fenced);
    }
}
