//! The plans on PostgreSQL, of tables with many rows and no statistics: as on a
//! database that was filled a moment ago. Prepared, as the server's statements are.

use sea_orm::{ConnectionTrait, DatabaseBackend};
use serde_json::Value;
use techo_migrations::{Migrator, MigratorTrait};

use super::{ASKED, asked, whose};
use crate::store::Db;
use crate::store::sql::Sql;
use crate::store::watch::{Watch, always_of, always_over};

/// Further searches, which SQLite answers in the order of an index.
const MORE: &[(&str, &str)] = &[
    ("publisher", "Observation?_id=a,b,c"),
    ("publisher", "Observation?patient=p&code=http://loinc.org|29463-7"),
    ("publisher", "Observation?patient=p&date=ge2026-01-01"),
    ("publisher", "Observation?patient=p&status:not=final"),
    ("publisher", "Observation?subject=Patient/p&_sort=date"),
    ("publisher", "Observation?code=http://loinc.org|29463-7&performer=Practitioner/a"),
    ("publisher", "Patient?family=山&birthdate=gt2020-01-01"),
    ("app", "Observation?code=http://loinc.org|29463-7&date=ge2026-01-01&status=final"),
    ("app", "Observation?patient=p&performer:missing=true"),
];

/// Many rows of few records each, and no look at them.
const ROWS: &[&str] = &[
    "INSERT INTO resource SELECT n, n % 20, 'id-' || n, 1, n, 0, n / 50, 0, 7, 0, 0, n, n, 1, 0, 0, '', NULL \
     FROM generate_series(1, 60000) n",
    "INSERT INTO token SELECT n % 40, n % 100, n, 0 FROM generate_series(1, 60000) n",
    "INSERT INTO ident SELECT n % 40, 'v' || n, 1, n, 0 FROM generate_series(1, 60000) n",
    "INSERT INTO string SELECT n % 40, 'v' || n, n, 0, 'v' FROM generate_series(1, 60000) n",
    "INSERT INTO date SELECT n % 40, n, n, n, 0 FROM generate_series(1, 60000) n",
    "INSERT INTO number SELECT n % 40, n, n, n, 0 FROM generate_series(1, 60000) n",
    "INSERT INTO quantity SELECT n % 40, 1, n, n, n, 0, 1, n, n FROM generate_series(1, 60000) n",
    "INSERT INTO uri SELECT n % 40, 'v' || n, n, 0 FROM generate_series(1, 60000) n",
    "INSERT INTO reference SELECT n % 40, 5, 'id-' || n / 50, n, 0 FROM generate_series(1, 60000) n",
    "INSERT INTO compartment SELECT 'id-' || n / 50, n % 20, n FROM generate_series(1, 60000) n",
    "INSERT INTO clinical SELECT n / 50, n % 20, n % 100, n, n FROM generate_series(1, 60000) n",
    "INSERT INTO subject SELECT n, n / 50 FROM generate_series(1, 6000) n",
    "INSERT INTO contained SELECT n, 65536, n % 20, 'id-' || n, n % 20 FROM generate_series(1, 60000) n",
    "INSERT INTO effect SELECT n / 20, n % 5, n, '', 0, n, 0, n FROM generate_series(1, 60000) n",
    "INSERT INTO stance_actor SELECT 1, 'o' || n % 100, n FROM generate_series(1, 6000) n",
    "INSERT INTO parameter (name) SELECT 'p' || n FROM generate_series(1, 40) n",
    "INSERT INTO system (uri) SELECT 's' || n FROM generate_series(1, 40) n",
    "INSERT INTO code (system, code) SELECT 1, 'c' || n FROM generate_series(1, 2000) n",
];

/// Nodes that look at what others found.
const NO_LOOKS: &[&str] = &["Subquery Scan", "Bitmap Heap Scan", "Function Scan", "CTE Scan", "WorkTable Scan"];

/// Index and condition of each look into a table.
fn looks(plan: &Value, found: &mut Vec<String>) {
    if let Some(node) = plan["Node Type"].as_str() {
        let told = |name: &str| plan[name].as_str().unwrap_or_default();
        if node.ends_with("Scan") && !NO_LOOKS.contains(&node) {
            let on = if plan["Alias"].is_null() { "" } else { told("Alias") };
            found.push(format!("{node} {on} {}: {}", told("Index Name"), told("Index Cond")));
        } else if node.ends_with("Join") && reads(plan) {
            found.push(node.to_owned());
        }
    }
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        looks(inner, found);
    }
}

/// Looks into a table, itself or in what it is made of; else all is found already.
fn reads(plan: &Value) -> bool {
    let node = plan["Node Type"].as_str().unwrap_or_default();
    node.ends_with("Scan") && !NO_LOOKS.contains(&node) || plan["Plans"].as_array().into_iter().flatten().any(reads)
}

/// It reads a table or an index from end to end, or all rows of a type, a parameter or
/// a publisher.
fn reads_all(look: &str) -> bool {
    let Some((_, condition)) = look.split_once(": ") else { return true };
    let shared = ["kind", "param", "custodian", "deleted"];
    let narrow = |part: &str| {
        let column = part.trim_start_matches('(').split([' ', ')']).next().unwrap_or_default();
        !column.is_empty() && !shared.contains(&column)
    };
    look.starts_with("Seq Scan") || !condition.split(" AND ").any(narrow)
}

async fn plan_of(db: &Db, sql: Sql) -> Vec<String> {
    let statement = sql.statement(DatabaseBackend::Postgres);
    let nothing = vec!["NULL"; statement.values.map_or(0, |values| values.0.len())].join(", ");
    let connection = db.begin().await.expect("a connection");
    connection.execute_unprepared(&format!("PREPARE asked AS {}", statement.sql)).await.expect(&statement.sql);
    let sql = format!("EXPLAIN (FORMAT JSON) EXECUTE asked({nothing})");
    let row = connection.query_one_raw(db.statement(&sql, [])).await.expect("a plan").expect("a row");
    let plan: sea_orm::sqlx::types::JsonValue = row.try_get_by_index(0).expect("JSON");
    connection.execute_unprepared("DEALLOCATE asked").await.expect("gone");
    let mut found = Vec::new();
    looks(&plan[0]["Plan"], &mut found);
    found
}

#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn plans_do_not_depend_on_statistics() {
    let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
    let name = format!("techo_plans_{}", std::process::id());
    let main = Db::open(&format!("{url}/postgres")).await.expect("the cluster");
    main.write().await.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
    let db = Db::open(&format!("{url}/{name}")).await.expect("the database");
    Migrator::up(&*db.write().await, None).await.expect("the schema");
    for sql in ROWS {
        let table = sql.split(' ').nth(2).expect("a table");
        let none = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        db.write().await.execute_unprepared(&none).await.expect("no statistics");
        db.write().await.execute_unprepared(sql).await.expect(sql);
    }
    let mut faults = Vec::new();
    for (who, query) in ASKED.iter().chain(MORE) {
        for sql in std::iter::once(asked(who, query)).chain(whose(who, query)) {
            let looks = plan_of(&db, sql).await;
            println!("{who}: {query}\n    {}", looks.join("\n    "));
            let bad: Vec<&String> = looks.iter().filter(|look| reads_all(look)).collect();
            if !bad.is_empty() {
                faults.push(format!("{who}: {query}: {bad:?}"));
            }
        }
    }
    faults.extend(asked_again(&db).await);
    drop(db);
    main.write().await.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("gone");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether the decision stands was asked twice in a statement: once to be told, once to be joined.
async fn asked_again(db: &Db) -> Option<String> {
    let watch = Watch { patients: vec!["p".into()], citizens: vec![5], ..Watch::default() };
    let warrant = watch.question(&[1], "mark").warrant(7);
    let guard = warrant.whole();
    let rows = || Sql::new("SELECT r.rid FROM resource r WHERE r.rid = 5");
    let mut looks = plan_of(db, guard.over(rows())).await;
    looks.extend(plan_of(db, guard.of("r.body", rows(), "")).await);
    // Each of the two asks for the mark, and for the instant at which it turns.
    let count = |index: &str| looks.iter().filter(|look| look.contains(index)).count();
    let mark = count("citizen_pkey");
    let mut known = plan_of(db, always_over(rows())).await;
    known.extend(plan_of(db, always_of("r.body", rows(), "true", "")).await);
    let state = known.iter().filter(|look| look.contains("watched_pkey")).count();
    let more: Vec<_> =
        known.iter().filter(|look| !look.contains("watched_pkey") && !look.contains("resource_pkey")).collect();
    let right = mark == 2 && count("watched_pkey") == 2 && state == 2;
    (!right || known.iter().any(|look| look.contains("access_token")))
        .then(|| format!("two statements ask {mark} times: {looks:?}; {state} times: {more:?}"))
}

#[test]
fn what_reads_all_is_seen_here_too() {
    for (look, all) in [
        ("Seq Scan r : ", true),
        ("Hash Join", true),
        ("Index Scan r resource_custodian: ((custodian = $1) AND (kind = $2))", true),
        ("Index Only Scan t token_pkey: (param = $0)", true),
        ("Index Scan r resource_pkey: (rid = d.rid)", false),
        ("Index Only Scan t token_pkey: ((param = $0) AND (code = ANY ($1)))", false),
    ] {
        assert_eq!(reads_all(look), all, "{look}");
    }
}
