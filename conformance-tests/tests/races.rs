//! Many writers at once: none makes a double, none overwrites another.
//!
//! Each round is 64 requests that start together. `TECHO_TEST_ROUNDS=1000` runs
//! as many rounds of each kind; otherwise it is a few. On PostgreSQL half of the
//! writers ask a second server on the same database.

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use techo_conformance_tests::http::{Response, encode};
use techo_conformance_tests::sample::{IDENTIFIERS, patient};
use techo_conformance_tests::server::{Beside, on_postgres};
use techo_conformance_tests::world::{Caller, World};

const WRITERS: usize = 64;

fn rounds() -> usize {
    std::env::var("TECHO_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// The servers that are asked, by turns.
struct Field {
    world: World,
    beside: Option<Beside>,
    callers: Vec<Caller>,
    since: Instant,
}

/// A program's token is good for five minutes.
const FRESH: Duration = Duration::from_mins(2);

impl Field {
    fn new() -> Self {
        let world = World::new();
        let beside = on_postgres().then(|| world.server.beside());
        let mut field = Self { world, beside, callers: Vec::new(), since: Instant::now() };
        field.renew();
        field
    }

    fn renew(&mut self) {
        let tester = self.world.tester();
        self.callers = vec![tester.clone()];
        self.callers.extend(self.beside.as_ref().map(|beside| Caller { base: beside.base.clone(), ..tester }));
        self.since = Instant::now();
    }

    /// Between two rounds.
    fn renewed(&mut self) {
        if self.since.elapsed() > FRESH {
            self.renew();
        }
    }

    fn caller(&self, writer: usize) -> &Caller {
        &self.callers[writer % self.callers.len()]
    }

    /// One round: what each writer was answered.
    fn race(&self, ask: impl Fn(&Caller, usize) -> Response + Sync) -> Vec<Response> {
        let start = Arc::new(Barrier::new(WRITERS));
        std::thread::scope(|scope| {
            let (ask, field) = (&ask, self);
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let start = start.clone();
                    scope.spawn(move || {
                        start.wait();
                        ask(field.caller(writer), writer)
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().expect("an answer")).collect()
        })
    }
}

fn by(number: &str) -> String {
    format!("Patient?identifier={}", encode(&format!("{IDENTIFIERS}|{number}")))
}

/// Asks until the server is not busy: 503 says that nothing was done.
fn patiently(ask: impl Fn() -> Response) -> Response {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = ask();
        if answer.status != 503 || Instant::now() > until {
            return answer;
        }
    }
}

fn counted(answers: &[Response]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

fn told(name: &str, started: Instant, counts: &BTreeMap<u16, usize>) {
    let servers = if on_postgres() { "2 servers, PostgreSQL" } else { "SQLite" };
    eprintln!("{name}: {} rounds of {WRITERS} ({servers}), {counts:?}, {:?}", rounds(), started.elapsed());
}

#[test]
fn conditional_creates_make_one() {
    let mut field = Field::new();
    let started = Instant::now();
    let mut all = BTreeMap::new();
    for round in 0..rounds() {
        field.renewed();
        let number = format!("create-{round}");
        let body = patient("競", &number, "2024-04-01");
        let answers = field.race(|caller, _| {
            let request = caller
                .request("POST", "Patient")
                .header("If-None-Exist", &format!("identifier={IDENTIFIERS}|{number}"));
            patiently(|| request.clone().fhir(&body).send())
        });
        let counts = counted(&answers);
        assert_eq!(counts, BTreeMap::from([(200, WRITERS - 1), (201, 1)]), "round {round}");
        let found = field.callers[0].search(&by(&number));
        assert_eq!(found["total"], 1, "round {round}");
        for (status, count) in counts {
            *all.entry(status).or_default() += count;
        }
    }
    told("conditional create", started, &all);
}

/// Each writer puts the same resource by its identifier: one is made, and all the
/// others are versions of it.
#[test]
fn conditional_updates_make_one_and_lose_none() {
    let mut field = Field::new();
    let started = Instant::now();
    let mut all = BTreeMap::new();
    for round in 0..rounds() {
        field.renewed();
        let number = format!("update-{round}");
        let answers = field.race(|caller, writer| {
            let mut body = patient("競", &number, "2024-04-01");
            body["telecom"] = json!([{"system": "other", "value": format!("{writer}")}]);
            patiently(|| caller.put(&by(&number), &body))
        });
        let counts = counted(&answers);
        assert_eq!(counts, BTreeMap::from([(200, WRITERS - 1), (201, 1)]), "round {round}");
        let found = field.callers[0].search(&by(&number));
        assert_eq!(found["total"], 1, "round {round}");
        let resource = &found["entry"][0]["resource"];
        assert_eq!(resource["meta"]["versionId"], WRITERS.to_string(), "round {round}");
        let id = resource["id"].as_str().expect("an id");
        let history = field.callers[0].search(&format!("Patient/{id}/_history?_count=1000"));
        let mut writers: Vec<&Value> = history["entry"]
            .as_array()
            .expect("entries")
            .iter()
            .map(|entry| &entry["resource"]["telecom"][0]["value"])
            .collect();
        writers.sort_unstable_by_key(ToString::to_string);
        writers.dedup();
        assert_eq!(writers.len(), WRITERS, "round {round}: each writer's version is there");
        for (status, count) in counts {
            *all.entry(status).or_default() += count;
        }
    }
    told("conditional update", started, &all);
}

/// All read one version and change it by `If-Match`: of each version one wins, and
/// what it wrote stays.
#[test]
fn guarded_updates_lose_none() {
    let mut field = Field::new();
    let started = Instant::now();
    let id = field.callers[0].create(&patient("競", "guarded", "2024-04-01"));
    let path = format!("Patient/{id}");
    let mut all = BTreeMap::new();
    for round in 0..rounds() {
        field.renewed();
        let tag = format!("W/\"{}\"", round + 1);
        let base = field.callers[0].get(&path).expect(200).json();
        assert_eq!(base["meta"]["versionId"], (round + 1).to_string());
        let answers = field.race(|caller, writer| {
            let request = caller.request(if writer % 2 == 0 { "PUT" } else { "PATCH" }, &path).header("If-Match", &tag);
            let value = json!([{"system": "other", "value": format!("{round}-{writer}")}]);
            if writer % 2 == 0 {
                let mut body = base.clone();
                body["telecom"] = value;
                patiently(|| request.clone().fhir(&body).send())
            } else {
                let changes = json!([{"op": "add", "path": "/telecom", "value": value}]).to_string();
                patiently(|| request.clone().body("application/json-patch+json", changes.clone()).send())
            }
        });
        let counts = counted(&answers);
        assert_eq!(counts, BTreeMap::from([(200, 1), (412, WRITERS - 1)]), "round {round}");
        let winner = answers.iter().position(|answer| answer.status == 200).expect("one won");
        let now = field.callers[0].get(&path).expect(200).json();
        assert_eq!(now["telecom"][0]["value"], format!("{round}-{winner}"), "round {round}");
        for (status, count) in counts {
            *all.entry(status).or_default() += count;
        }
    }
    told("If-Match", started, &all);
}
