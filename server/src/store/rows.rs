//! Many rows, few statements.
//!
//! On SQLite rows go out in chunks of fixed sizes, so that a handful of prepared
//! statements serves every batch. On PostgreSQL a statement is a way to another
//! machine and back: the rows of all tables go out in one, each column as an array.

use sea_orm::{DatabaseBackend, Value};

use super::arrays::{array, type_name};
use super::db::statement;
use super::error::StoreError;
use super::runs::Runs;

/// Rows a statement may carry on SQLite, largest first. 512 rows of 17 columns stay far
/// below its limit of 32,766 values.
const CHUNKS: [usize; 5] = [512, 64, 16, 4, 1];

/// Rows that go out together, gathered table by table.
#[derive(Default)]
pub(super) struct Rows<'a> {
    parts: Vec<Part<'a>>,
}

/// What happens to rows of one table.
struct Part<'a> {
    table: &'a str,
    columns: Vec<&'a str>,
    act: Act,
    rows: Vec<Vec<Value>>,
}

enum Act {
    /// Put them in; what follows stands at the end: `ON CONFLICT …`.
    Insert(String),
    /// Take out those whose columns equal one of the rows.
    Delete,
    /// Put in what this selects, which ends where the single values of the rows,
    /// `(?, …)`, follow.
    Select(String),
}

impl<'a> Rows<'a> {
    /// `rows` of `columns` go into `table`; `suffix` is the `ON CONFLICT` part.
    pub(super) fn insert(&mut self, into: (&'a str, &[&'a str]), rows: Vec<Vec<Value>>, suffix: &str) {
        self.part(into, Act::Insert(suffix.to_owned()), rows);
    }

    /// The rows of `table` whose `columns` equal one of `keys` go.
    pub(super) fn delete(&mut self, from: (&'a str, &[&'a str]), keys: Vec<Vec<Value>>) {
        self.part(from, Act::Delete, keys);
    }

    /// What `select`, which ends with `column IN`, finds for these keys goes into `table`.
    pub(super) fn select(&mut self, into: (&'a str, &[&'a str]), select: &str, keys: Vec<i64>) {
        let keys = keys.into_iter().map(|key| vec![key.into()]).collect();
        self.part(into, Act::Select(select.to_owned()), keys);
    }

    fn part(&mut self, (table, columns): (&'a str, &[&'a str]), act: Act, rows: Vec<Vec<Value>>) {
        if !rows.is_empty() {
            self.parts.push(Part { table, columns: columns.to_vec(), act, rows });
        }
    }

    /// All of it. On PostgreSQL the parts do not see each other: what is taken out
    /// goes in a run of its own, before.
    pub(super) async fn run(self, connection: &impl Runs) -> Result<(), StoreError> {
        self.run_if(connection, None).await.map(|_| ())
    }

    /// The same, on PostgreSQL only if the one row of `guard`, `SELECT … AS number`,
    /// says this number; answers what it says.
    pub(super) async fn run_if<C: Runs>(
        self,
        connection: &C,
        guard: Option<(&str, i64)>,
    ) -> Result<Option<i64>, StoreError> {
        let backend = connection.backend();
        if backend == DatabaseBackend::Postgres {
            return self.at_once(connection, guard).await;
        }
        if C::NEAR {
            for part in &self.parts {
                connection.each(&part.marked(1), &part.rows).await?;
            }
            return Ok(None);
        }
        for (sql, values) in self.parts.into_iter().flat_map(Part::chunked) {
            connection.run(statement(backend, &sql, values)).await?;
        }
        Ok(None)
    }

    async fn at_once(self, connection: &impl Runs, guard: Option<(&str, i64)>) -> Result<Option<i64>, StoreError> {
        if self.parts.is_empty() && guard.is_none() {
            return Ok(None);
        }
        let (first, wanted) = guard.unwrap_or(("SELECT CAST(0 AS BIGINT) AS number", 0));
        let mut values: Vec<Value> = vec![wanted.into()];
        let mut all =
            vec![format!("g AS MATERIALIZED ({first})"), "h AS (SELECT number = ? AS holds FROM g)".to_owned()];
        for (number, part) in self.parts.iter().enumerate() {
            all.push(format!("p{number} AS ({})", part.arrays(&mut values)));
        }
        let sql = format!("WITH {} SELECT number FROM g", all.join(", "));
        // All answers are read, to the one that says that it is committed.
        let answer = connection.rows(statement(DatabaseBackend::Postgres, &sql, values)).await?;
        Ok(answer.first().map(|row| row.get(0)).transpose()?)
    }
}

impl Part<'_> {
    /// One statement a chunk, with a value a mark.
    fn chunked(self) -> Vec<(String, Vec<Value>)> {
        let mut statements = Vec::new();
        let mut left = self.rows.len();
        let sizes = CHUNKS.into_iter().flat_map(|size| {
            let many = left / size;
            left %= size;
            std::iter::repeat_n(size, many)
        });
        let texts: Vec<(usize, String)> = sizes.map(|size| (size, self.marked(size))).collect();
        let mut rest = self.rows.into_iter();
        for (size, sql) in texts {
            statements.push((sql, rest.by_ref().take(size).flatten().collect()));
        }
        statements
    }

    fn marked(&self, count: usize) -> String {
        let (table, columns) = (self.table, self.columns.join(", "));
        match &self.act {
            Act::Insert(suffix) => {
                let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
                format!("INSERT INTO {table} ({columns}) VALUES {} {suffix}", vec![row; count].join(", "))
            }
            Act::Delete => {
                let one = self.columns.iter().map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(" AND ");
                format!("DELETE FROM {table} WHERE {}", vec![format!("({one})"); count].join(" OR "))
            }
            Act::Select(select) => {
                format!("INSERT INTO {table} ({columns}) {select} ({})", vec!["?"; count].join(", "))
            }
        }
    }

    /// One statement for any number of rows, one array a column.
    fn arrays(&self, values: &mut Vec<Value>) -> String {
        let width = self.rows.first().map_or(0, Vec::len);
        let types: Vec<&str> = (0..width).map(|at| type_name(self.rows.first().map(|row| &row[at]))).collect();
        values.extend((0..width).map(|at| Value::from(array(self.rows.iter().map(|row| &row[at])))));
        let unnest = types.iter().map(|name| format!("CAST(? AS {name}[])")).collect::<Vec<_>>().join(", ");
        let (table, columns) = (self.table, self.columns.join(", "));
        let holds = "(SELECT holds FROM h)";
        match &self.act {
            Act::Insert(suffix) => {
                format!("INSERT INTO {table} ({columns}) SELECT u.* FROM unnest({unnest}) u WHERE {holds} {suffix}")
            }
            Act::Delete => {
                let names: Vec<String> = (0..width).map(|at| format!("c{at}")).collect();
                // Compared byte by byte, as the columns are.
                let order = |of: &str| if of == "text" { " COLLATE \"C\"" } else { "" };
                let given = || names.iter().zip(&types);
                let list = names.join(", ");
                if let Some(rid) = self.columns.iter().position(|column| *column == "rid").filter(|_| by_record(self)) {
                    let wanted =
                        given().map(|(name, of)| format!("u.{name}{}", order(of))).collect::<Vec<_>>().join(", ");
                    let own = self.columns.iter().map(|column| format!("t.{column}")).collect::<Vec<_>>().join(", ");
                    // Each record once: a list is looked through for each row that is found.
                    let mut records: Vec<&Value> = self.rows.iter().map(|row| &row[rid]).collect();
                    records.dedup();
                    values.push(array(records.into_iter()).into());
                    return format!(
                        "DELETE FROM {table} t WHERE {holds} AND (({own}) IN \
                         (SELECT {wanted} FROM unnest({unnest}) u ({list}))) IS TRUE AND t.rid = ANY (CAST(? AS bigint[]))"
                    );
                }
                let pairs = self.columns.iter().zip(given());
                let pairs = pairs.map(|(column, (name, of))| format!("t.{column} = u.{name}{}", order(of)));
                let pairs = pairs.collect::<Vec<_>>().join(" AND ");
                format!("DELETE FROM {table} t USING unnest({unnest}) u ({list}) WHERE {holds} AND {pairs}")
            }
            Act::Select(select) => {
                // `column IN (SELECT …)`, of as many as there are.
                format!("INSERT INTO {table} ({columns}) {select} (SELECT * FROM unnest({unnest})) AND {holds}")
            }
        }
    }
}

/// Whether its table has an index that begins with the record: those of values by search
/// parameters beside their key, others as their key.
///
/// On PostgreSQL the rows that go are then looked for among all of their record, each record
/// once, and hashed. A join seems as cheap in any order and by any index while the table is
/// small, and then looks at all rows of the record for each of them.
fn by_record(part: &Part<'_>) -> bool {
    part.columns.len() > 1 && matches!(part.columns.first(), Some(&("param" | "rid")))
}
