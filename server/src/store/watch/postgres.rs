//! On PostgreSQL: whether a decision stands is asked only where something watched has
//! changed, and then always.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use sea_orm::ConnectionTrait;
use techo_migrations::{Migrator, MigratorTrait};

use super::super::Store;
use super::super::db::Db;
use super::super::error::StoreError;
use super::super::states::States;
use super::*;
use crate::clock::Clock;

/// A database of a test's own.
struct World {
    main: Db,
    db: Db,
    name: String,
}

impl World {
    async fn new(name: &str) -> Self {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        let name = format!("techo_watch_{name}_{}", std::process::id());
        let main = Db::open(&format!("{url}/postgres")).await.expect("the cluster");
        main.write().await.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
        let db = Db::open(&format!("{url}/{name}")).await.expect("the database");
        Migrator::up(&*db.write().await, None).await.expect("a schema");
        Self { main, db, name }
    }

    /// Another server on it.
    async fn another(&self) -> Db {
        let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES");
        Db::open(&format!("{url}/{}", self.name)).await.expect("the database")
    }

    async fn write(&self, sql: &str) {
        self.db.write().await.execute_unprepared(sql).await.expect(sql);
    }

    async fn state(&self) -> String {
        self.db.rows(Sql::new(STATE)).await.expect("a state")[0].get(0).expect("a text")
    }

    async fn end(self) {
        self.db.close().await;
        let gone = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.main.write().await.execute_unprepared(&gone).await.expect("gone");
    }
}

/// Of one decision, whose every part there is something to see for.
const ROWS: &str = "\
    TRUNCATE client, account, access_token, app_grant, authority, citizen, actor, stance_actor, resource; \
    INSERT INTO client (id, kind, name_ja, name_en, scopes, purposes, custodial, municipalities, disabled, created) \
    VALUES ('c', 'app', '', '', '', '', false, '', false, 0); \
    INSERT INTO account (id, name, password, kind, locked, created) VALUES ('a', 'mother', '', 'citizen', false, 0); \
    INSERT INTO app_grant (id, client, account, scopes, purpose, signed_in, created) VALUES ('g', 'c', 'a', '', '', 0, 0); \
    INSERT INTO access_token (hash, id, grant_id, client, account, scopes, purpose, with_id_token, issued, expires, revoked) \
    VALUES ('\\x01', 't', 'g', 'c', 'a', '', '', false, 0, 300, 0), ('\\x02', 'u', NULL, 'c', NULL, '', '', false, 0, 300, 0); \
    INSERT INTO authority (id, account, patient, kind, with_apps, valid_from, valid_until, evidence, created) VALUES \
    ('u1', 'a', 'child', 'parent', true, 0, 200, '', 0); \
    INSERT INTO citizen VALUES (5, 1); INSERT INTO actor VALUES (100, 'org', 1); INSERT INTO stance_actor VALUES (100, 'org', 1); \
    INSERT INTO resource VALUES (5, 103, 'child', 1, 0, 0, 5, 0, 7, 0, 0, NULL, NULL, 1, 0, 0, '', '{}'), \
    (7, 100, 'org', 1, 0, 0, NULL, 0, 7, 0, 0, NULL, NULL, 1, 0, 0, '', '{}'), \
    (9, 96, 'child', 1, 0, 0, 5, 0, 7, 0, 0, NULL, NULL, 1, 0, 0, '', '{}')";

fn watch() -> Watch {
    Watch {
        account: Some("a".into()),
        patients: vec!["child".into(), "later".into()],
        citizens: vec![5, 6],
        organizations: vec!["Organization/org".into(), "Organization/new".into()],
        actors: vec!["Organization/org".into(), "Organization/new".into()],
        stances: vec!["Organization/org".into()],
        newest: vec!["Organization/org".into()],
    }
}

async fn decided(db: &Db, watch: &Watch, now: i64) -> Question {
    let mut sql = Sql::new("SELECT ");
    sql.push(watch.mark(now)).push(alive(&[1], now));
    let mark: String = db.rows(sql).await.expect("a mark")[0].get(0).expect("a text");
    watch.question(&[1], &mark)
}

/// Whether the decision is found to stand.
async fn stands(db: &Db, question: &Question, now: i64) -> bool {
    let warrant = question.warrant(now);
    let rows = |guard: &Guard<'_>| guard.over(Sql::new("SELECT CAST(7 AS BIGINT) AS rid"));
    match db.guarded(&warrant, true, rows).await {
        Ok((rows, from)) => {
            assert_eq!(rows[0].get::<i64>(from).expect("its own column"), 7);
            assert!(warrant.confirmed());
            true
        }
        Err(StoreError::Stale) => {
            assert!(!warrant.confirmed());
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// What ends a decision or makes it another: the trigger that tells of it, and how it is done.
const CHANGES: &[(&str, &str, &str)] = &[
    ("access_token", "update", "UPDATE access_token SET revoked = 5 WHERE id = 't'"),
    ("access_token", "update", "UPDATE access_token SET scopes = 'patient/*.rs' WHERE id = 't'"),
    ("access_token", "update", "DELETE FROM access_token"),
    ("access_token", "truncate", "TRUNCATE access_token"),
    ("app_grant", "update", "UPDATE app_grant SET ended = 5"),
    ("app_grant", "update", "DELETE FROM app_grant"),
    ("app_grant", "truncate", "TRUNCATE app_grant"),
    ("client", "insert", "UPDATE client SET disabled = true"),
    ("client", "insert", "UPDATE client SET organization = 'org'"),
    ("client", "insert", "DELETE FROM client"),
    ("client", "truncate", "TRUNCATE client"),
    ("account", "insert", "UPDATE account SET locked = true"),
    ("account", "insert", "UPDATE account SET role = 'nurse'"),
    (
        "account",
        "insert",
        "INSERT INTO account (id, name, password, kind, locked, created, organization) \
         VALUES ('b', 'nurse', '', 'professional', false, 0, 'org')",
    ),
    ("account", "insert", "DELETE FROM account"),
    ("account", "truncate", "TRUNCATE account"),
    ("authority", "insert", "UPDATE authority SET valid_until = 40"),
    ("authority", "insert", "DELETE FROM authority"),
    (
        "authority",
        "insert",
        "INSERT INTO authority (id, account, patient, kind, with_apps, valid_from, evidence, created) \
         VALUES ('u2', 'b', 'child', 'parent', true, 0, '', 0)",
    ),
    ("authority", "truncate", "TRUNCATE authority"),
    ("citizen", "insert", "UPDATE citizen SET version = version + 1"),
    ("citizen", "insert", "INSERT INTO citizen VALUES (6, 0)"),
    ("citizen", "insert", "DELETE FROM citizen"),
    ("citizen", "truncate", "TRUNCATE citizen"),
    ("actor", "insert", "UPDATE actor SET version = version + 1"),
    ("actor", "insert", "INSERT INTO actor VALUES (100, 'new', 1)"),
    ("actor", "insert", "INSERT INTO actor VALUES (0, '*', 1)"),
    ("actor", "insert", "DELETE FROM actor"),
    ("actor", "truncate", "TRUNCATE actor"),
    ("stance_actor", "insert", "INSERT INTO stance_actor VALUES (0, '*', 2)"),
    ("stance_actor", "insert", "UPDATE stance_actor SET id = 'other'"),
    ("stance_actor", "insert", "DELETE FROM stance_actor"),
    ("stance_actor", "truncate", "TRUNCATE stance_actor"),
    ("resource", "update", "UPDATE resource SET deleted = 1 WHERE rid = 5"),
    ("resource", "update", "UPDATE resource SET custodian = 8 WHERE rid = 7"),
    ("resource", "update", "UPDATE resource SET id = 'another' WHERE rid = 7"),
    ("resource", "update", "UPDATE resource SET kind = 1 WHERE rid = 5"),
    ("resource", "update", "UPDATE resource SET rid = 6 WHERE rid = 5"),
    ("resource", "update", "UPDATE resource SET id = 'later', kind = 103 WHERE rid = 9"),
    (
        "resource",
        "insert",
        "INSERT INTO resource VALUES (10, 103, 'later', 1, 0, 0, 5, 0, 7, 0, 0, NULL, NULL, 1, 0, 0, '', '{}')",
    ),
    (
        "resource",
        "insert",
        "INSERT INTO resource VALUES (10, 100, 'new', 1, 0, 0, 5, 0, 7, 0, 0, NULL, NULL, 1, 0, 0, '', '{}')",
    ),
    ("resource", "delete", "DELETE FROM resource WHERE rid = 5"),
    ("resource", "delete", "DELETE FROM resource WHERE rid = 7"),
    ("resource", "truncate", "TRUNCATE resource"),
];

#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn every_change_ends_a_decision_and_every_trigger_is_needed_for_one() {
    let world = World::new("changes").await;
    let other = world.another().await;
    let watch = watch();
    let sql = "SELECT t.tgrelid::regclass::text || ' ' || t.tgname FROM pg_trigger t \
        JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'watched_changes'";
    let rows = world.db.rows(Sql::new(sql)).await.expect("triggers");
    let mut needed: BTreeSet<String> = rows.iter().map(|row| row.get(0).expect("a text")).collect();
    for (table, trigger, change) in CHANGES {
        let trigger = format!("watched_{trigger}");
        for told in [true, false] {
            world.write(ROWS).await;
            let question = decided(&world.db, &watch, 10).await;
            for _ in 0..2 {
                assert!(stands(&world.db, &question, 10).await, "before {change}");
                assert!(question.warrant(10).known().is_some(), "its state is known");
            }
            if !told {
                world.write(&format!("ALTER TABLE {table} DISABLE TRIGGER {trigger}")).await;
            }
            other.write().await.execute_unprepared(change).await.expect(change);
            world.write(&format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")).await;
            assert_eq!(stands(&world.db, &question, 11).await, !told, "after {change}, told: {told}");
        }
        needed.remove(&format!("{table} {trigger}"));
    }
    assert!(needed.is_empty(), "no change needs {needed:?}");
    world.end().await;
}

/// Relations that a plan looks into.
fn relations(plan: &serde_json::Value, found: &mut BTreeSet<String>) {
    found.extend(plan["Relation Name"].as_str().map(str::to_owned));
    plan["Plans"].as_array().into_iter().flatten().for_each(|inner| relations(inner, found));
}

#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn what_the_question_looks_at_has_its_triggers() {
    let world = World::new("looks").await;
    let question = watch().question(&[1], "mark");
    let statement = question.at(7).statement(sea_orm::DatabaseBackend::Postgres);
    let nothing = vec!["NULL"; statement.values.map_or(0, |values| values.0.len())].join(", ");
    let connection = world.db.begin().await.expect("a connection");
    connection.execute_unprepared(&format!("PREPARE asked AS {}", statement.sql)).await.expect(&statement.sql);
    let explain = world.db.statement(&format!("EXPLAIN (FORMAT JSON) EXECUTE asked({nothing})"), []);
    let row = connection.query_one_raw(explain).await.expect("a plan").expect("a row");
    let plan: serde_json::Value = row.try_get_by_index(0).expect("JSON");
    connection.rollback().await.expect("ended");
    let mut found = BTreeSet::new();
    relations(&plan[0]["Plan"], &mut found);
    let watched: BTreeSet<String> = CHANGES.iter().map(|(table, ..)| (*table).to_owned()).collect();
    assert_eq!(found, watched, "a table of the question has no trigger, or no change in this file");
    let number = |kind| Definitions::embedded().type_number(kind);
    assert_eq!((number("Organization"), number("Patient")), (Some(100), Some(103)), "as the triggers have them");
    world.end().await;
}

#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn what_nobody_watches_changes_no_state() {
    let world = World::new("same").await;
    world.write(ROWS).await;
    let state = world.state().await;
    for write in [
        "INSERT INTO resource VALUES (20, 96, 'x', 1, 0, 0, 5, 0, 7, 0, 0, NULL, NULL, 1, 0, 0, '', '{}')",
        "UPDATE resource SET deleted = 1 WHERE rid = 20",
        "UPDATE resource SET version = 2, updated = 7, body = '{ }' WHERE rid = 5",
        "DELETE FROM resource WHERE rid = 20",
        "INSERT INTO access_token (hash, id, client, scopes, purpose, with_id_token, issued, expires, revoked) \
         VALUES ('\\x03', 'v', 'c', '', '', false, 0, 300, 0)",
        "INSERT INTO effect VALUES (5, 1, 9, '', 0, 9, 0, 9)",
        "BEGIN; UPDATE citizen SET version = 9; ROLLBACK",
        "BEGIN; SAVEPOINT s; UPDATE citizen SET version = 9; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO s; COMMIT",
    ] {
        world.write(write).await;
        assert_eq!(world.state().await, state, "{write}");
    }
    // What comes after a change that was taken back is told.
    world
        .write(
            "BEGIN; SAVEPOINT s; UPDATE citizen SET version = 9; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO s; \
             UPDATE citizen SET version = 10; COMMIT",
        )
        .await;
    assert_ne!(world.state().await, state);
    world.end().await;
}

#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn a_decision_ends_at_the_instant_at_which_an_authority_or_the_token_does() {
    let world = World::new("instant").await;
    world.write(ROWS).await;
    world
        .write(
            "INSERT INTO authority (id, account, patient, kind, with_apps, valid_from, evidence, created) VALUES \
             ('u2', 'b', 'child', 'parent', true, 100, '', 0), ('u4', 'a', 'child', 'parent', true, 150, '', 0)",
        )
        .await;
    // Decided at the first instant; it stands until the last but one, and not at the last.
    for (decision, lasts, ends) in [(10, 99, 100), (100, 149, 150), (150, 199, 200), (200, 299, 300)] {
        let question = decided(&world.db, &watch(), decision).await;
        for now in [decision, lasts, ends, decision, lasts, ends, lasts] {
            assert_eq!(stands(&world.db, &question, now).await, now < ends, "decided at {decision}, asked at {now}");
        }
    }
    world.end().await;
}

#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn a_change_counts_from_its_commit_and_long_transactions_do_not_hide_it() {
    let world = World::new("order").await;
    world.write(ROWS).await;
    let other = world.another().await;
    let question = decided(&world.db, &watch(), 10).await;
    // Begins first, commits last.
    let long = other.begin().await.expect("begun");
    long.execute_unprepared("UPDATE citizen SET version = 2").await.expect("written");
    assert!(stands(&world.db, &question, 10).await, "nothing is committed");
    other.write().await.execute_unprepared("INSERT INTO actor VALUES (100, 'new', 1)").await.expect("committed");
    assert!(!stands(&world.db, &question, 10).await, "the other one is");
    let question = decided(&world.db, &watch(), 10).await;
    assert!(stands(&world.db, &question, 10).await);
    long.commit().await.expect("committed");
    assert!(!stands(&world.db, &question, 10).await, "now it is");
    world.end().await;
}

/// Snapshots in which the state is one see the same, whatever the order of commits: that
/// is all that asking by the state rests on.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn one_state_is_never_that_of_two_marks() {
    let world = World::new("states").await;
    world.write(ROWS).await;
    let servers = [world.another().await, world.another().await];
    let watch = watch();
    let mut seen: Mutex<BTreeMap<String, String>> = Mutex::default();
    let writing = AtomicBool::new(true);
    let write = |server: &Db, number: usize| {
        let server = server.clone();
        async move {
            for turn in 0..40 {
                let change = server.begin().await.expect("begun");
                let first = if number.is_multiple_of(2) {
                    "UPDATE citizen SET version = version + 1 WHERE rid = 5"
                } else {
                    "UPDATE actor SET version = version + 1 WHERE id = 'org'"
                };
                change.execute_unprepared(first).await.expect("written");
                if turn % 5 == number % 5 {
                    change.execute_unprepared("SET CONSTRAINTS ALL IMMEDIATE").await.expect("early");
                }
                let second = format!("INSERT INTO stance_actor VALUES (100, 'org', {})", 10 + number * 100 + turn);
                change.execute_unprepared(&second).await.expect("written");
                tokio::time::sleep(std::time::Duration::from_millis((turn % 3) as u64)).await;
                if turn % 7 == 6 { change.rollback().await } else { change.commit().await }.expect("ended");
            }
        }
    };
    let read = |server: &Db| {
        let (server, watch, seen, writing) = (server.clone(), &watch, &seen, &writing);
        async move {
            while writing.load(Ordering::Acquire) {
                let mut sql = Sql::new(&format!("SELECT ({STATE}), "));
                sql.push(watch.mark(10)).push(alive(&[1], 10));
                let rows = server.rows(sql).await.expect("a mark");
                let (state, mark) = (rows[0].get(0).expect("a text"), rows[0].get(1).expect("a text"));
                let mut seen = seen.lock().expect("no panic");
                let before: &String = seen.entry(state).or_insert_with(|| String::clone(&mark));
                assert_eq!(*before, mark);
            }
        }
    };
    let writers = futures_util::future::join_all((0..6).map(|number| write(&servers[number % 2], number)));
    let readers = futures_util::future::join_all((0..6).map(|number| read(&servers[number % 2])));
    let all = async {
        writers.await;
        writing.store(false, Ordering::Release);
    };
    futures_util::future::join(all, readers).await;
    let states = seen.get_mut().expect("no panic").len();
    assert!(states > 20, "only {states} states were seen");
    world.end().await;
}

/// Who asks after a commit is not told what was found before it, whoever else asks.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn a_state_that_many_ask_for_is_none_of_before() {
    let world = World::new("shared").await;
    let other = world.another().await;
    let (states, asked) = (States::default(), AtomicU64::new(0));
    let writing = AtomicBool::new(true);
    let ask = || async {
        while writing.load(Ordering::Acquire) {
            states.now(&world.db).await.expect("a state");
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    let write = async {
        for turn in 0..400 {
            let change = format!("UPDATE watched SET state = 'turn {turn}'");
            other.write().await.execute_unprepared(&change).await.expect("committed");
            assert_eq!(states.now(&world.db).await.expect("a state"), format!("turn {turn}"));
        }
        writing.store(false, Ordering::Release);
    };
    tokio::join!(write, ask(), ask(), ask(), ask(), ask(), ask());
    assert!(asked.into_inner() > 400, "others asked meanwhile");
    world.end().await;
}

/// What a write is told without looking into the tables is what is in them.
#[tokio::test]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn a_write_hears_of_every_change() {
    let world = World::new("writes").await;
    world.write(ROWS).await;
    let store = Store::open(world.db.clone(), Clock::fixed(jiff::Timestamp::UNIX_EPOCH), 1).await.expect("a store");
    let keeper = async || {
        let mut found = BTreeSet::new();
        // The second time she may be remembered; beside another who is not there she never is alone.
        for asked in [&["child"][..], &["child"], &["child", "nobody"], &["child"]] {
            let citizens = store.citizens(asked).await.expect("the database works");
            found.insert(citizens.get("child").map(|citizen| (citizen.key, citizen.custodian)));
        }
        assert_eq!(found.len(), 1, "the same each time: {found:?}");
        found.pop_first().flatten()
    };
    assert_eq!(keeper().await, Some((5, 7)));
    let other = world.another().await;
    for (change, found) in [
        ("UPDATE resource SET custodian = 8 WHERE rid = 5", Some((5, 8))),
        ("UPDATE resource SET deleted = 1 WHERE rid = 5", None),
        ("UPDATE resource SET deleted = 0, custodian = 9 WHERE rid = 5", Some((5, 9))),
        ("DELETE FROM resource WHERE rid = 5", None),
    ] {
        let question = decided(&world.db, &watch(), 10).await;
        for _ in 0..3 {
            assert!(store.stands(&question.warrant(10)).await.expect("the database works"));
        }
        other.write().await.execute_unprepared(change).await.expect(change);
        assert_eq!(keeper().await, found, "{change}");
        if change.contains("deleted") || change.contains("DELETE") {
            let warrant = question.warrant(10);
            assert!(!store.stands(&warrant).await.expect("the database works"), "{change}");
            assert!(!warrant.confirmed(), "{change}");
        }
    }
    world.end().await;
}
