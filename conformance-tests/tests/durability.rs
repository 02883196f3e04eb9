//! What was acknowledged survives `kill -9`, whole and once.
//!
//! `TECHO_TEST_ROUNDS` rounds (20), each 16 writers and one kill at a moment
//! that nobody chose.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use techo_conformance_tests::jose::fresh;
use techo_conformance_tests::sample::{IDENTIFIERS, height, patient, transaction, urn, weight};
use techo_conformance_tests::world::{Caller, World, ids};

const WRITERS: usize = 16;

/// What the server promised one writer.
#[derive(Debug, Default)]
struct Promises {
    /// Path → highest acknowledged version.
    versions: BTreeMap<String, u64>,
    /// Identifiers of conditional creates that were answered.
    conditional: Vec<String>,
    /// Identifiers of transactions that were answered.
    transactions: Vec<String>,
    /// Identifiers of transactions whose answer never came.
    open: Vec<String>,
}

#[test]
fn no_acknowledged_write_is_lost() {
    let rounds: u32 = std::env::var("TECHO_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let mut world = World::new();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let promises = one_round(&world, round);
        let before = Instant::now();
        world = world.killed_and_restarted();
        let ready = before.elapsed();
        assert!(ready < Duration::from_secs(10), "ready {ready:?} after the kill");
        let tester = world.tester();
        for promise in &promises {
            acknowledged += promise.versions.len() + promise.transactions.len() + promise.conditional.len();
            kept(&tester, promise, round);
        }
    }
    assert!(
        acknowledged > rounds as usize * WRITERS,
        "only {acknowledged} writes were acknowledged in {rounds} rounds"
    );
    let output = world.server.command(&["doctor", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "indexes equal a rebuild: {said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("index"), "doctor says how indexes compare with a rebuild: {said}");
    let output = world.server.command(&["audit-verify"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    println!("{acknowledged} acknowledged writes, {rounds} kills, none lost");
}

fn one_round(world: &World, round: u32) -> Vec<Promises> {
    let tester = world.tester();
    let stop = AtomicBool::new(false);
    let pid = world.server.pid().to_string();
    // Chance enters here: 150 to 1,200 ms after the writers began.
    let moment = 150 + fresh().bytes().map(u64::from).sum::<u64>() * 7_919 % 1_050;
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (tester, stop) = (&tester, &stop);
                scope.spawn(move || write(tester, stop, &format!("{round}-{writer}")))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(moment));
        Command::new("kill").args(["-9", &pid]).status().expect("kill can be run");
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().expect("a writer ends")).collect()
    })
}

/// Writes in turn by every way there is, until the server is gone.
fn write(tester: &Caller, stop: &AtomicBool, name: &str) -> Promises {
    let mut promises = Promises::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let key = format!("kill-{name}-{number}");
        let done = match number % 4 {
            1 => create(tester, &key, &mut promises),
            2 => update(tester, &mut promises),
            3 => bundle(tester, &key, &mut promises),
            _ => conditional(tester, &key, &mut promises),
        };
        if done.is_none() {
            break;
        }
    }
    promises
}

fn create(tester: &Caller, key: &str, promises: &mut Promises) -> Option<()> {
    let answer = tester.request("POST", "Patient").fhir(&patient("殺", key, "2024-04-01")).try_send().ok()?;
    remember(&answer, promises);
    Some(())
}

fn update(tester: &Caller, promises: &mut Promises) -> Option<()> {
    let (path, version) = promises.versions.iter().next_back().map(|(path, version)| (path.clone(), *version))?;
    let mut body = patient("更", &path, "2024-04-01");
    body["id"] = json!(path.trim_start_matches("Patient/"));
    let request = tester.request("PUT", &path).header("If-Match", &format!("W/\"{version}\""));
    let answer = request.fhir(&body).try_send().ok()?;
    remember(&answer, promises);
    Some(())
}

fn remember(answer: &techo_conformance_tests::http::Response, promises: &mut Promises) {
    if answer.status == 503 {
        return;
    }
    assert!([200, 201].contains(&answer.status), "{} {}", answer.status, answer.text());
    let location = answer.header("Location").or_else(|| answer.header("Content-Location")).map(str::to_owned);
    let tag = answer.header("ETag").unwrap_or_default();
    let version: u64 = tag.trim_start_matches("W/").trim_matches('"').parse().expect("a version in ETag");
    let path = match location {
        Some(location) => {
            location.rsplit_once("/Patient/").map(|(_, rest)| rest.split('/').next().unwrap_or_default().to_owned())
        }
        None => answer.json()["id"].as_str().map(str::to_owned),
    };
    promises.versions.insert(format!("Patient/{}", path.expect("an id")), version);
}

fn bundle(tester: &Caller, key: &str, promises: &mut Promises) -> Option<()> {
    let mut first = weight("x", "2026-01-01", "6.1");
    let mut second = height("x", "2026-01-01", "60");
    for about in [&mut first, &mut second] {
        about["subject"]["reference"] = json!(urn(1));
    }
    let body = transaction(&[(urn(1), patient("束", key, "2024-04-01")), (urn(2), first), (urn(3), second)]);
    promises.open.push(key.to_owned());
    let answer = tester.request("POST", "").fhir(&body).try_send().ok()?;
    promises.open.pop();
    if answer.status == 200 {
        promises.transactions.push(key.to_owned());
    } else {
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
    Some(())
}

fn conditional(tester: &Caller, key: &str, promises: &mut Promises) -> Option<()> {
    for _ in 0..2 {
        let request =
            tester.request("POST", "Patient").header("If-None-Exist", &format!("identifier={IDENTIFIERS}|{key}"));
        let answer = request.fhir(&patient("一", key, "2024-04-01")).try_send().ok()?;
        assert!([200, 201, 503].contains(&answer.status), "{} {}", answer.status, answer.text());
        if answer.status != 503 && promises.conditional.last().is_none_or(|last| last != key) {
            promises.conditional.push(key.to_owned());
        }
    }
    Some(())
}

fn kept(tester: &Caller, promises: &Promises, round: u32) {
    for (path, version) in &promises.versions {
        let history = tester.search(&format!("{path}/_history?_count=200"));
        let entries = history["entry"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<u64> = entries.iter().filter_map(version_of).collect();
        found.reverse();
        let newest = found.last().copied().unwrap_or(0);
        assert!(newest >= *version, "round {round}: {path} was acknowledged at {version} and is at {newest}");
        assert!(found.iter().copied().eq(1..=newest), "round {round}: {path} has versions {found:?}");
    }
    for key in &promises.conditional {
        let found = tester.ids(&format!("Patient?identifier={IDENTIFIERS}|{key}"));
        assert_eq!(found.len(), 1, "round {round}: conditional create {key}");
    }
    for key in &promises.transactions {
        assert_eq!(parts(tester, key), (1, 2), "round {round}: transaction {key} was acknowledged");
    }
    for key in &promises.open {
        let seen = parts(tester, key);
        assert!([(0, 0), (1, 2)].contains(&seen), "round {round}: half of {key} is seen: {seen:?}");
    }
}

fn version_of(entry: &Value) -> Option<u64> {
    entry["resource"]["meta"]["versionId"].as_str()?.parse().ok()
}

/// How many Patients and Observations of a transaction are there.
fn parts(tester: &Caller, key: &str) -> (usize, usize) {
    let bundle = tester.search(&format!("Patient?identifier={IDENTIFIERS}|{key}"));
    let found = ids(&bundle, "match");
    let about = |who: &String| tester.ids(&format!("Observation?subject=Patient/{who}")).len();
    (found.len(), found.iter().map(about).sum())
}
