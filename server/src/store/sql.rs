//! SQL text with its values, grown together: what is bound can never drift
//! from where it is bound.

use sea_orm::{DatabaseBackend, Statement, Value};

use super::db::statement;

/// A piece of SQL, `?` for each value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

/// More alternatives than this are halved.
const FLAT: usize = 32;

impl Sql {
    /// Begins with this text.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
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

    /// Adds another piece.
    pub(super) fn push(&mut self, other: Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
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

    /// The statement, ready to run.
    pub(super) fn statement(self, backend: DatabaseBackend) -> Statement {
        statement(backend, &self.text, self.values)
    }
}
