//! What many share with one caller: decided by stance, kept between requests, bounded,
//! and never as of another instant than the request's.

use std::time::Duration;

use serde_json::{Value, json};
use techo_conformance_tests::clock::now;
use techo_conformance_tests::sample::{consent, patient, weight};
use techo_conformance_tests::server::Beside;
use techo_conformance_tests::world::{Caller, World};

const TOWN: &str = "Organization/org-city";

/// A server that speaks of nobody one by one, beside the sample world's own.
struct Many {
    world: World,
    beside: Beside,
    tester: Caller,
}

impl Many {
    fn new() -> Self {
        let world = World::new();
        let beside = world.server.beside_with(&["--one-by-one", "0"]);
        let tester = world.tester();
        Self { world, beside, tester }
    }

    /// The town's own program, at the server that decides by stance.
    fn town(&self) -> Caller {
        Caller { base: self.beside.base.clone(), ..self.world.importer() }
    }

    /// A citizen with one Observation: her id, and that of the Observation.
    fn citizen(&self, identifier: &str) -> (String, String) {
        let who = self.tester.create(&patient("衆", identifier, "2024-04-01"));
        let record = self.tester.create(&weight(&who, "2026-01-10", "6.1"));
        (who, record)
    }
}

fn shared(who: &str, kind: &str) -> Value {
    consent(who, &format!("Patient/{who}"), kind, "Observation", TOWN)
}

/// A second of the calendar, in UTC.
fn told(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 1970 → the civil date, by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z", era * 400 + year + carry)
}

fn wait_past(second: u64) {
    while now() <= second {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_kept_decision_knows_when_a_consent_ends() {
    let many = Many::new();
    let town = many.town();
    let (who, record) = many.citizen("ends");
    let (other, stays) = many.citizen("stays");
    many.tester.create(&shared(&other, "permit"));
    let end = now() + 4;
    let mut permit = shared(&who, "permit");
    permit["provision"]["period"] = json!({"end": told(end)});
    many.tester.create(&permit);
    let path = format!("Observation/{record}");
    let found = || town.ids("Observation?code=29463-7&_count=100").contains(&record);
    for _ in 0..3 {
        town.get(&path).expect(200);
        assert!(found());
    }
    wait_past(end);
    town.get(&path).refused(404);
    assert!(!found(), "a search after the end");
    town.get(&format!("Observation/{stays}")).expect(200);
}

#[test]
fn a_kept_decision_knows_when_an_exception_begins() {
    let many = Many::new();
    let town = many.town();
    let (who, record) = many.citizen("begins");
    let start = now() + 4;
    let mut permit = shared(&who, "permit");
    permit["provision"]["provision"] = json!([{"type": "deny", "period": {"start": told(start + 1)}}]);
    many.tester.create(&permit);
    let path = format!("Observation/{record}");
    for _ in 0..3 {
        town.get(&path).expect(200);
        assert!(town.ids("Observation?code=29463-7&_count=100").contains(&record));
    }
    wait_past(start);
    town.get(&path).refused(404);
    assert!(!town.ids("Observation?code=29463-7&_count=100").contains(&record));
}
