//! PostgreSQL is restarted, or ends a connection: what has not taken effect is
//! done all the same, what may have is not done again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;
use techo_conformance_tests::postgres::{self, Cluster};
use techo_conformance_tests::sample::{IDENTIFIERS, patient, transaction, urn, weight};
use techo_conformance_tests::server::{self, Server, on_postgres};
use techo_conformance_tests::world::{Caller, World};

use crate::failing::{database, wait};

/// As many as read at once, so that many connections lie about.
const READERS: usize = 24;

fn read_at_once(caller: &Caller, path: &str) {
    thread::scope(|scope| {
        let all: Vec<_> = (0..READERS).map(|_| scope.spawn(|| caller.get(path))).collect();
        for one in all {
            one.join().expect("an answer").expect(200);
        }
    });
}

fn named(key: &str) -> String {
    format!("Patient?identifier={IDENTIFIERS}|{key}")
}

#[test]
fn the_first_requests_after_a_restart_were_503() {
    if !on_postgres() {
        return;
    }
    let mut cluster = Cluster::start();
    let world = World::over(Server::start(server::directory(), Some(cluster.database("restarted")), &[]));
    let (tester, mother) = (world.tester(), world.mother());
    let id = tester.create(&patient("再", "restarted", "2024-04-01"));
    let path = format!("Patient/{id}");
    let mut body = tester.get(&path).expect(200).json();
    for (round, manner) in ["fast", "immediate", "fast", "immediate"].into_iter().enumerate() {
        let mut again = || {
            read_at_once(&tester, &path);
            read_at_once(&tester, &named("restarted"));
            cluster.restart(manner);
        };
        again();
        read_at_once(&tester, &path);
        again();
        assert_eq!(tester.ids(&named("restarted")), [id.as_str()], "{manner}");
        again();
        mother.get("Patient/pt-hanako").expect(200);
        again();
        let key = format!("created-{round}");
        tester.create(&patient("新", &key, "2024-04-01"));
        assert_eq!(tester.ids(&named(&key)).len(), 1, "{manner}");
        again();
        body["birthDate"] = json!(format!("2024-04-0{}", round + 2));
        let changed = tester.put(&path, &body).expect(200);
        assert_eq!(changed.header("ETag"), Some(format!("W/\"{}\"", round + 2).as_str()), "{manner}");
        again();
        let request = tester.request("POST", "Patient").header("If-None-Exist", &named(&key)["Patient?".len()..]);
        request.fhir(&patient("新", &key, "2024-04-01")).send().expect(200);
        again();
        let both = format!("both-{round}");
        let mut about = weight("x", "2026-01-01", "6.1");
        about["subject"]["reference"] = json!(urn(1));
        let bundle = transaction(&[(urn(1), patient("束", &both, "2024-04-01")), (urn(2), about)]);
        tester.request("POST", "").fhir(&bundle).send().expect(200);
        let found = tester.ids(&named(&both));
        assert_eq!(found.len(), 1, "{manner}");
        assert_eq!(tester.ids(&format!("Observation?subject=Patient/{}", found[0])).len(), 1, "{manner}");
        again();
        world.tester().get(&path).expect(200);
    }
    let done = world.server.command(&["audit-verify"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

/// Ends the server's connection that waits for a lock.
fn end_who_waits(world: &World) {
    let name = world.server.database.as_deref().and_then(|url| url.rsplit('/').next()).expect("a database");
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = '{name}' AND wait_event_type = 'Lock'"
    );
    let patience = Instant::now();
    while postgres::sql("postgres", &end).trim() == "0" {
        assert!(patience.elapsed() < Duration::from_secs(20), "nobody waits");
        thread::sleep(Duration::from_millis(20));
    }
}

/// While something is locked, `ask` is sent, its connection ended as it waits, and the lock
/// given back.
fn cut<T: Send>(world: &World, lock: &str, ask: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        wait(async {
            let other = database(&world.server).await;
            let held = other.begin().await.expect("a transaction");
            held.execute_unprepared(lock).await.expect(lock);
            let asked = scope.spawn(ask);
            end_who_waits(world);
            // Time enough to ask again, if somebody does.
            thread::sleep(Duration::from_millis(300));
            held.rollback().await.expect("given back");
            asked.join().expect("an answer")
        })
    })
}

#[test]
fn a_read_whose_connection_ends_is_asked_again() {
    if !on_postgres() {
        return;
    }
    let world = World::new();
    let tester = world.tester();
    let id = tester.create(&patient("読", "cut-read", "2024-04-01"));
    let lock = "LOCK TABLE resource IN ACCESS EXCLUSIVE MODE";
    cut(&world, lock, || tester.get(&format!("Patient/{id}"))).expect(200);
    assert_eq!(cut(&world, lock, || tester.ids(&named("cut-read"))), [id.as_str()]);
    // Its record is kept once, whichever of its statements was cut.
    let kept = "LOCK TABLE audit_log IN EXCLUSIVE MODE";
    cut(&world, kept, || tester.get(&format!("Patient/{id}"))).expect(200);
    let done = world.server.command(&["audit-verify"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

#[test]
fn what_was_not_committed_is_written_all_the_same_and_once() {
    if !on_postgres() {
        return;
    }
    let world = World::new();
    let tester = world.tester();
    let id = tester.create(&patient("更", "cut-update", "2024-04-01"));
    let path = format!("Patient/{id}");
    let mut body = tester.get(&path).expect(200).json();
    body["birthDate"] = json!("2024-05-01");
    let lock = format!("SELECT 1 FROM resource WHERE id = '{id}' FOR UPDATE");
    let answer = cut(&world, &lock, || tester.put(&path, &body)).expect(200);
    assert_eq!(answer.header("ETag"), Some("W/\"2\""));
    let history = tester.get(&format!("{path}/_history")).expect(200).json();
    assert_eq!(history["entry"].as_array().map(Vec::len), Some(2), "{history:#}");
}

#[test]
fn a_create_whose_connection_ends_is_said_to_be_unknown_and_not_sent_again() {
    if !on_postgres() {
        return;
    }
    let world = World::new();
    let tester = world.tester();
    tester.create(&patient("作", "before", "2024-04-01"));
    for (language, words) in [("en", "Read first whether it was"), ("ja", "不明です")] {
        let ask = || {
            let request = tester.request("POST", "Patient").header("Accept-Language", language);
            request.fhir(&patient("作", "cut-create", "2024-04-01")).send()
        };
        let answer = cut(&world, "SELECT 1 FROM rules FOR UPDATE", ask).refused(503);
        let outcome = answer.json();
        assert_eq!(outcome["issue"][0]["code"], "transient", "{outcome}");
        let text = outcome["issue"][0]["details"]["text"].as_str().expect("a text");
        assert!(text.contains(words), "{text}");
        assert_eq!(answer.header("Retry-After"), Some("1"));
    }
    // This one had not: PostgreSQL ended it where it waited.
    assert_eq!(tester.ids(&named("cut-create")), Vec::<String>::new());
    tester.create(&patient("作", "cut-create", "2024-04-01"));
    assert_eq!(tester.ids(&named("cut-create")).len(), 1);
}

#[test]
fn while_connections_end_all_the_time_nothing_is_written_twice() {
    if !on_postgres() {
        return;
    }
    let world = World::new();
    let tester = world.tester();
    let name = world.server.database.as_deref().and_then(|url| url.rsplit('/').next()).expect("a database");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let stop = AtomicBool::new(false);
    let mut written: Vec<(String, bool)> = Vec::new();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (tester, stop) = (&tester, &stop);
                scope.spawn(move || {
                    let mut written = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let key = format!("ended-{writer}-{}", written.len());
                        let answer = tester.post("Patient", &patient("続", &key, "2024-04-01"));
                        assert!([201, 503].contains(&answer.status), "{} {}", answer.status, answer.text());
                        written.push((key, answer.status == 201));
                    }
                    written
                })
            })
            .collect();
        for _ in 0..60 {
            postgres::sql("postgres", &end);
            thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
        written.extend(writers.into_iter().flat_map(|writer| writer.join().expect("a writer ends")));
    });
    let unknown = written.iter().filter(|(_, done)| !done).count();
    assert!(written.len() > 50 && unknown * 2 < written.len(), "{unknown} of {} were 503", written.len());
    for (key, done) in &written {
        let found = tester.ids(&named(key)).len();
        assert!(found == 1 || (found == 0 && !done), "{key}: {found}, acknowledged: {done}");
    }
}
