//! What is answered when the machine fails: 500, 503, 507; and 428, which an
//! operator must ask for.
//!
//! Each on a server of its own, broken from outside. A refusal of this kind
//! says nothing of what is stored, and who asks may tell it from his own fault.
//!
//! Source: FHIR R4 http.html; RFC 9110 §15.6

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use serde_json::{Value, json};
use techo_conformance_tests::http::Response;
use techo_conformance_tests::postgres;
use techo_conformance_tests::sample::{patient, weight};
use techo_conformance_tests::server::{self, Server, on_postgres};
use techo_conformance_tests::world::{Caller, World, link};

/// The server's database, by a connection of our own.
pub async fn database(server: &Server) -> DatabaseConnection {
    let url = server.database.clone();
    let url = url.unwrap_or_else(|| format!("sqlite://{}", server.data.join("techo.db").display()));
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    Database::connect(options).await.expect("the server's database")
}

pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// The same refusal in both languages, asked at once: each may wait for a while.
fn refused_in_both(ask: impl Fn(&str) -> Response + Sync, status: u16, code: &str) {
    std::thread::scope(|scope| {
        for (language, japanese) in [("en", false), ("ja", true)] {
            let ask = &ask;
            scope.spawn(move || {
                let answer = ask(language).refused(status);
                let outcome = answer.json();
                assert_eq!(outcome["issue"][0]["code"], code, "{outcome}");
                let text = outcome["issue"][0]["details"]["text"].as_str().expect("a text");
                assert_eq!(!text.is_ascii(), japanese, "{language}: {text}");
                assert_eq!(answer.header("Retry-After").is_some(), status == 503, "{status}: {:?}", answer.headers);
            });
        }
    });
}

fn create(caller: &Caller, language: &str) -> Response {
    let body = patient("障", "failing", "2024-04-01");
    caller.request("POST", "Patient").header("Accept-Language", language).fhir(&body).send()
}

#[test]
fn a_stored_body_that_is_none_is_500_and_spoils_no_other() {
    let world = World::new();
    let tester = world.tester();
    let broken = tester.create(&patient("障", "broken", "2024-04-01"));
    let whole = tester.create(&patient("健", "whole", "2024-04-01"));
    wait(async {
        let literal = if on_postgres() { "'\\x00'" } else { "x'00'" };
        let statement = format!("UPDATE resource SET body = {literal} WHERE id = '{broken}'");
        database(&world.server).await.execute_unprepared(&statement).await.expect("one row is broken");
    });
    let read = |id: &str, language: &str| {
        tester.request("GET", &format!("Patient/{id}")).header("Accept-Language", language).send()
    };
    refused_in_both(|language| read(&broken, language), 500, "exception");
    assert!(!read(&broken, "en").text().contains("body"), "the place is for the operator's log");
    read(&whole, "en").expect(200);
}

/// Spoils the stored bodies of these records.
fn spoil(world: &World, ids: &[&String], bytes: &str) {
    let literal = if on_postgres() { format!("'\\x{bytes}'") } else { format!("x'{bytes}'") };
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    let statement = format!("UPDATE resource SET body = {literal} WHERE id IN ({})", ids.join(", "));
    wait(async {
        database(&world.server).await.execute_unprepared(&statement).await.expect("some rows are broken");
    });
}

fn entries(bundle: &Value) -> &[Value] {
    bundle["entry"].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn a_page_is_not_lost_for_one_bad_row_and_its_writer_may_replace_or_delete_it() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("障", "page", "2024-04-01"));
    let height = |value: u32| {
        json!({
            "resourceType": "Observation", "status": "final", "subject": {"reference": format!("Patient/{who}")},
            "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
            "valueQuantity": {"value": value, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"}
        })
    };
    let made: Vec<String> = (51..55).map(|value| tester.create(&height(value))).collect();
    spoil(&world, &[&made[0]], "00");
    spoil(&world, &[&made[1]], "7b787d");
    let page = format!("Observation?subject=Patient/{who}&_elements=status");
    let told = |path: &str, count: usize, bad: &[&String]| {
        let bundle = tester.request("GET", path).header("Accept-Language", "ja").send().expect(200).json();
        let (outcomes, whole): (Vec<&Value>, Vec<&Value>) =
            entries(&bundle).iter().partition(|entry| entry["search"]["mode"] == "outcome");
        assert_eq!(whole.len(), count, "{path}: {bundle:#}");
        assert_eq!(outcomes.len(), usize::from(!bad.is_empty()), "{path}: {bundle:#}");
        let issues = outcomes.first().map_or(&json!([]), |one| &one["resource"]["issue"]).clone();
        let mut texts: Vec<&str> =
            issues.as_array().expect("issues").iter().filter_map(|one| one["details"]["text"].as_str()).collect();
        texts.sort_by_key(|text| bad.iter().position(|id| text.contains(id.as_str())));
        assert_eq!(texts.len(), bad.len(), "{issues:#}");
        for (text, id) in texts.iter().zip(bad) {
            assert!(text.contains(&format!("Observation/{id} は")), "{text}");
        }
    };
    let (first, second) = (&made[0], &made[1]);
    told(&page, 2, &[first, second]);
    let with_her = format!("Patient?_id={who}&_revinclude=Observation:subject&_elements=Observation.status");
    told(&with_her, 3, &[first, second]);
    // Where nothing is cut or taken out, a body is looked at no closer than for its braces.
    spoil(&world, &[second], "00");
    told(&format!("Patient/{who}/$everything"), 3, &[first, second]);
    told(&format!("Observation/$lastn?patient={who}&code=8302-2&max=9"), 2, &[first, second]);
    let past = tester.get(&format!("Observation/{first}/_history")).expect(200).json();
    let entry = &entries(&past)[0];
    assert_eq!(entry["response"]["outcome"]["resourceType"], "OperationOutcome", "{past:#}");
    assert!(entry.get("resource").is_none(), "{past:#}");
    tester.get(&format!("Observation/{first}")).refused(500);

    // Replaced, it is found by what it says now, and no longer by what it said.
    let mut next = height(77);
    next["id"] = json!(first);
    tester.put(&format!("Observation/{first}"), &next).expect(200);
    told(&page, 3, &[second]);
    let found = |value: u32| tester.ids(&format!("Observation?subject=Patient/{who}&value-quantity={value}"));
    assert_eq!((found(51), found(77)), (vec![], vec![first.clone()]));
    tester.delete(&format!("Observation/{second}")).expect(204);
    told(&page, 3, &[]);
    tester.get(&format!("Observation/{second}")).refused(410);
    assert_eq!(found(52), Vec::<String>::new());
}

/// What is around a damaged Patient is not lost, and a patch tells whose fault it is.
#[test]
fn a_bad_patient_is_not_patched_and_her_records_are_given() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("障", "bad-patient", "2024-04-01"));
    let path = format!("Patient/{who}");
    let weighed: Vec<String> =
        ["6.1", "6.2", "6.3"].iter().map(|value| tester.create(&weight(&who, "2026-01-10", value))).collect();
    let change = json!([{"op": "replace", "path": "/gender", "value": "other"}]).to_string();
    let (json_patch, fhir) = ("application/json-patch+json", "application/fhir+json");
    let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Patient.gender"}]}]});
    // "hidden" as what is no body, and as what is no JSON.
    for bytes in ["68696464656e", "7b68696464656e7d"] {
        spoil(&world, &[&who], bytes);
        for (media, patch) in [(json_patch, change.clone()), (fhir, parameters.to_string())] {
            let patched = |language: &str| {
                let request = tester.request("PATCH", &path).header("Accept-Language", language);
                request.body(media, patch.clone()).send()
            };
            refused_in_both(patched, 500, "exception");
            let text = patched("en").text();
            assert!(text.contains("damaged") && !text.contains("hidden"), "{text}");
        }
        assert_eq!(
            tester.get(&format!("{path}/_history?_count=0")).expect(200).json()["total"],
            1,
            "nothing was written"
        );
    }
    spoil(&world, &[&who], "68696464656e");
    let read = tester.get(&path).refused(500).text();
    assert!(read.contains("damaged"), "{read}");
    for all in [path.as_str(), "Patient"] {
        let mut pages = Vec::new();
        let mut next = Some(format!("{all}/$everything?_count=2"));
        while let Some(url) = next {
            let page = tester.get(&url).expect(200).json();
            next = link(&page, "next").map(str::to_owned);
            pages.push(page);
        }
        let mut left = weighed.clone();
        for entry in pages.iter().flat_map(entries) {
            left.retain(|id| entry["resource"]["id"] != json!(id));
        }
        assert_eq!(left, Vec::<String>::new(), "{all}: {pages:#?}");
        let told = |page: &Value| {
            let outcomes = entries(page).iter().filter(|entry| entry["search"]["mode"] == "outcome");
            outcomes.filter(|entry| entry.to_string().contains(&path)).count()
        };
        assert_eq!(pages.iter().map(told).sum::<usize>(), 1, "once: {pages:#?}");
    }
    let others = entries(&tester.get(&format!("{path}/$everything?_type=Observation")).expect(200).json()).len();
    assert_eq!(others, weighed.len(), "she was not asked for");
}

#[test]
fn a_database_that_does_not_answer_is_503() {
    let world = World::new();
    let tester = world.tester();
    create(&tester, "en").expect(201);
    if on_postgres() {
        let url = world.server.database.clone().expect("a database of its own");
        let name = url.rsplit('/').next().expect("a name");
        postgres::sql("postgres", &format!("ALTER DATABASE \"{name}\" WITH ALLOW_CONNECTIONS false"));
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        postgres::sql("postgres", &end);
        refused_in_both(|language| create(&tester, language), 503, "transient");
        postgres::sql("postgres", &format!("ALTER DATABASE \"{name}\" WITH ALLOW_CONNECTIONS true"));
        // That a connection has died is found by whoever uses it first: told to ask again, one does.
        let back = Instant::now();
        while create(&tester, "en").status == 503 {
            assert!(back.elapsed() < Duration::from_secs(10), "the database is back");
            std::thread::sleep(Duration::from_millis(50));
        }
    } else {
        wait(async {
            let other = database(&world.server).await;
            other.execute_unprepared("BEGIN IMMEDIATE").await.expect("the only write lock");
            tokio::task::spawn_blocking({
                let tester = tester.clone();
                move || refused_in_both(|language| create(&tester, language), 503, "transient")
            })
            .await
            .expect("refused");
            other.execute_unprepared("ROLLBACK").await.expect("the lock is given back");
        });
    }
    create(&tester, "en").expect(201);
}

/// A file system of a few megabytes, gone when dropped.
struct Small(PathBuf);

impl Small {
    /// `None` where mounting is not allowed.
    fn new() -> Option<Self> {
        let path = server::directory();
        std::fs::create_dir_all(&path).ok()?;
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(&path).output().ok()?;
        done.status.success().then_some(Self(path))
    }

    fn fill(&self) {
        let rest = self.0.join("rest");
        let file = std::fs::File::create(&rest).expect("a file");
        std::io::copy(&mut std::io::repeat(0), &mut &file).expect_err("the disk becomes full");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
        std::fs::remove_dir(&self.0).ok();
    }
}

#[test]
fn a_full_disk_is_507_and_reads_go_on() {
    if on_postgres() {
        return; // Its disk is not ours.
    }
    let Some(disk) = Small::new() else {
        use std::io::Write;
        writeln!(std::io::stderr(), "SKIPPED: a full disk (no right to mount one)").expect("stderr");
        return;
    };
    let world = on_disk(&disk.0);
    let tester = world.tester();
    let who = tester.create(&patient("満", "full", "2024-04-01"));
    disk.fill();
    // More than the log of the database has room for without growing.
    let mut large = patient("満", "full", "2024-04-01");
    large["name"][0]["text"] = json!("満".repeat(100_000));
    let create =
        |language: &str| tester.request("POST", "Patient").header("Accept-Language", language).fhir(&large).send();
    refused_in_both(create, 507, "no-store");
    let found = tester.ids("Patient?identifier=full");
    assert_eq!(found, [who], "what was refused is not there, what was there is read");
}

/// A sample world whose data lie on this disk.
fn on_disk(disk: &Path) -> World {
    let mut first = Server::demo();
    first.stop();
    let data = disk.join("data");
    server::copy(&first.data, &data);
    World::over(Server::start(data, None, &[]))
}

#[test]
fn a_change_that_names_no_version_is_428_where_the_operator_wants_one() {
    let world = World::new();
    let strict = world.server.beside_with(&["--require-if-match"]);
    let tester = Caller { base: strict.base.clone(), ..world.tester() };
    let id = tester.create(&patient("版", "guarded", "2024-04-01"));
    let path = format!("Patient/{id}");
    let body = tester.get(&path).expect(200).json();
    for (method, bodied) in [("PUT", true), ("DELETE", false)] {
        let request = |language: &str| {
            let request = tester.request(method, &path).header("Accept-Language", language);
            if bodied { request.fhir(&body).send() } else { request.send() }
        };
        let code = request("en").json()["issue"][0]["code"].as_str().unwrap_or_default().to_owned();
        refused_in_both(request, 428, &code);
    }
    tester.request("PUT", &path).header("If-Match", "W/\"1\"").fhir(&body).send().expect(200);
}
