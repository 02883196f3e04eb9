//! How fast is it, beside what the machine can do? One table.
//!
//! The real program runs on a directory of its own; a keep-alive client loads it
//! over loopback with real tokens, Consents and the durable audit log on. Beside
//! each figure stands the limit measured in the same run (`limits`). To add a
//! line: a function of [`Bench`] called in [`Bench::all`].
//!
//! `bench [--techo PATH] [--seconds 60] [--citizens 200] [--children 200] [--processes 1] [--only WORD] [--out FILE]`
//!
//! WORD is one of metadata, read, search, query, create, transaction, import, audit,
//! processes.
//!
//! `TECHO_TEST_DATABASE=postgres` runs it on PostgreSQL. `--processes 4` adds lines of so
//! many servers on one database. What the servers say is kept beside their data, and its
//! end is shown when a request fails.

mod client;
mod commit;
mod data;
mod limits;
mod processes;
mod scene;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use client::{Load, Run, request, request_with, run};
use limits::BareServer;
use scene::{CHILD, Scene};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::Value;
use table::Table;
use techo_conformance_tests::http::Request;

/// Names the program to start; the harness reads it.
const BINARY: &str = "TECHO_TEST_BINARY";
/// Where the harness puts what the servers say.
const LOG: &str = "TECHO_TEST_LOG";

#[derive(Debug)]
struct Options {
    techo: PathBuf,
    out: Option<PathBuf>,
    seconds: u64,
    citizens: u32,
    children: u32,
    processes: usize,
    only: Option<String>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let here = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut options = Self {
            techo: here.with_file_name("techo"),
            out: None,
            seconds: 60,
            citizens: 200,
            children: 200,
            processes: 1,
            only: None,
        };
        let bad = |name: &str| format!("{name} needs a number");
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
            match name.as_str() {
                "--techo" => options.techo = value.into(),
                "--only" => options.only = Some(value.clone()),
                "--out" => options.out = Some(value.into()),
                // A token lives five minutes and is renewed between runs.
                "--seconds" => options.seconds = value.parse().map_err(|_| bad(name)).map(|n: u64| n.clamp(1, 120))?,
                "--citizens" => options.citizens = value.parse().map_err(|_| bad(name)).map(|n: u32| n.max(1))?,
                "--children" => options.children = value.parse().map_err(|_| bad(name)).map(|n: u32| n.max(1))?,
                "--processes" => {
                    options.processes = value.parse().map_err(|_| bad(name)).map(|n: usize| n.clamp(1, 16))?;
                }
                other => return Err(format!("{other} is not known; see the head of this program's source")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, url] = &arguments[..]
        && word == limits::SERVE
    {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        return runtime.block_on(limits::serve(url)).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let options = match Options::read(&arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::from(2);
        }
    };
    if std::env::var_os(BINARY).is_none() {
        // The harness takes the program from its environment, which a process
        // may not change for itself safely: begin again with it set.
        let again = std::env::current_exe()
            .and_then(|here| Command::new(here).args(&arguments).env(BINARY, &options.techo).env(LOG, "file").status());
        return if again.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let text = Bench::new(options).all();
    println!("{text}");
    ExitCode::SUCCESS
}

/// One part of the benchmark.
type Work = fn(&mut Bench);

struct Bench {
    options: Options,
    runtime: tokio::runtime::Runtime,
    scene: Scene,
    table: Table,
    bare: Bare,
}

/// The bare server and the database behind it.
struct Bare {
    server: BareServer,
    url: String,
    db: DatabaseConnection,
    /// On SQLite.
    file: Option<PathBuf>,
    /// The keys of those whose Observations are searched, and of the child of the app's searches.
    citizens: Vec<String>,
    child: String,
    /// The number of the type Observation.
    kind: i64,
}

impl Bench {
    fn new(options: Options) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let (mut scene, starts) = Scene::start();
        let mut table = Table::default();
        table.plain("program", format!("{:.1} MB", megabytes(&options.techo)));
        table.plain("first start with the sample world", format!("{:.2} s", starts.first.as_secs_f64()));
        table.plain("start on existing data", format!("{:.0} ms", starts.again.as_secs_f64() * 1000.0));
        table.plain("memory, idle", format!("{:.0} MB", starts.idle.0 + starts.idle.1));
        let rate = scene.load(&runtime, options.citizens);
        table.plain("load by transactions of 61, 8 connections", format!("{rate:.0} resources/s"));
        let bare = runtime.block_on(Bare::start(&scene)).expect("the database can be read beside the server");
        Self { options, runtime, scene, table, bare }
    }

    fn all(mut self) -> String {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let works: [(&str, Work); 9] = [
            ("metadata", Self::metadata),
            ("read", |bench| [1, 64].into_iter().for_each(|connections| bench.reads(connections))),
            ("search", |bench| bench.searches(64)),
            ("query", Self::queries),
            ("create", |bench| [1, 64].into_iter().for_each(|connections| bench.creates(connections))),
            ("transaction", Self::transactions),
            ("import", Self::import),
            ("audit", Self::audit),
            ("processes", Self::processes),
        ];
        for (word, work) in works {
            if self.options.only.as_deref().is_none_or(|only| only == word) {
                work(&mut self);
            }
        }
        self.sizes();
        let load_after = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        self.table.notes.push(format!(
            "{} s a line; {} citizens × {} Observations, {} Immunizations, {} MedicationStatements, {} active Consents \
             each; {}; client and server on the same {} cores; machine load before and after: {} and {}.",
            self.options.seconds,
            self.options.citizens,
            data::observations(),
            data::OTHERS,
            data::OTHERS,
            data::CONSENTS,
            if self.bare.file.is_some() { "SQLite, synchronous=FULL" } else { "PostgreSQL, fsync on" },
            std::thread::available_parallelism().map_or(0, usize::from),
            load.split(' ').next().unwrap_or_default(),
            load_after.split(' ').next().unwrap_or_default(),
        ));
        let text = self.table.markdown();
        if let Some(out) = &self.options.out {
            std::fs::write(out, &text).expect("the table's file can be written");
        }
        text
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.options.seconds)
    }

    fn run(&self, address: &str, connections: usize, status: &'static [u16], make: Make) -> Run {
        self.run_over(vec![address.to_owned()], connections, status, make)
    }

    /// The same, spread over several servers.
    fn run_over(&self, addresses: Vec<String>, connections: usize, statuses: &'static [u16], make: Make) -> Run {
        let run = self.runtime.block_on(run(Load { addresses, statuses, make }, connections, self.time()));
        if run.wrong > 0 {
            eprintln!("the servers' last words:\n{}", self.scene.log_tail());
        }
        run
    }

    fn metadata(&mut self) {
        let limit = self.run(&self.bare.server.address, 64, &[200], fixed("GET", "/hello", ""));
        let figure = self.run(&self.scene.address, 64, &[200], fixed("GET", "/fhir/metadata", ""));
        let limit = Some(("axum hello", limit.rate()));
        self.table.rate("`/metadata`, 64 connections", &figure, 1.0, limit);
        // As browsers and most libraries ask.
        let packed = request_with("GET", "/fhir/metadata", "", "Accept-Encoding: gzip\r\n", b"");
        let figure = self.run(&self.scene.address, 64, &[200], Box::new(move |_| packed.clone()));
        self.table.rate("`/metadata` packed by gzip, 64 connections", &figure, 1.0, limit);
    }

    fn reads(&mut self, connections: usize) {
        let kind = self.bare.kind;
        let bare = paths(&self.scene.observations, "", move |id| format!("/row/{kind}/{id}"));
        let limit = self.run(&self.bare.server.address, connections, &[200], bare).rate();
        let limit = Some(("bare SELECT", limit));
        let ways = [
            ("custodian", self.scene.program("tester"), &self.scene.observations),
            ("citizen's app", self.scene.app(), &self.scene.childs),
            ("with whom all share", self.scene.program("importer"), &self.scene.observations),
        ];
        for (who, token, ids) in ways {
            let make = paths(ids, &token, |id| format!("/fhir/Observation/{id}"));
            let figure = self.run(&self.scene.address, connections, &[200], make);
            self.table.rate(&format!("read by id, {who}, {connections} connections"), &figure, 1.0, limit);
        }
    }

    fn searches(&mut self, connections: usize) {
        let code = data::CODES[0].0;
        let kind = self.bare.kind;
        let bare = move |citizen: &str| format!("/search/{citizen}/{kind}/{code}");
        let everybody = paths(&self.bare.citizens, "", bare);
        let everybody = self.run(&self.bare.server.address, connections, &[200], everybody).rate();
        let one = paths(std::slice::from_ref(&self.bare.child), "", bare);
        let one = self.run(&self.bare.server.address, connections, &[200], one).rate();
        let query = move |id: &str| format!("/fhir/Observation?patient={id}&code=http://loinc.org%7C{code}&_count=20");
        let child = [CHILD.to_owned()];
        let ways = [
            ("custodian", self.scene.program("tester"), self.scene.patients.as_slice(), everybody),
            ("citizen's app", self.scene.app(), child.as_slice(), one),
            ("with whom all share", self.scene.program("importer"), self.scene.patients.as_slice(), everybody),
        ];
        for (who, token, ids, limit) in ways {
            let figure = self.run(&self.scene.address, connections, &[200], paths(ids, &token, query));
            let work = format!("search patient + code, 20 results, {who}, {connections} connections");
            self.table.rate(&work, &figure, 1.0, Some(("bare indexed SELECT", limit)));
        }
    }

    /// Harder questions, over everybody's records: one connection a core.
    fn queries(&mut self) {
        type Query = fn(&str) -> String;
        let asked: [(&str, Query); 4] = [
            ("chain by identifier and code", |patient| {
                let system = techo_conformance_tests::sample::IDENTIFIERS;
                format!(
                    "/fhir/Observation?patient.identifier={system}%7C{patient}&code=http://loinc.org%7C8302-2&_total=none"
                )
            }),
            ("`_has` by code and value, one patient", |patient| {
                format!(
                    "/fhir/Patient?_id={patient}&_has:Observation:patient:code-value-quantity=http://loinc.org%7C8302-2$gt10"
                )
            }),
            ("quantity range within a patient", |patient| {
                format!("/fhir/Observation?patient={patient}&value-quantity=ge20&value-quantity=lt60&_count=20")
            }),
            ("sort by date within a patient", |patient| {
                format!("/fhir/Observation?patient={patient}&_sort=-date&_count=20")
            }),
        ];
        for (work, query) in asked {
            let token = self.scene.program("tester");
            let by_number = work.starts_with("chain");
            let names: Vec<String> = if by_number {
                (0..self.options.citizens).map(|number| format!("bench-{number}")).collect()
            } else {
                self.scene.patients.clone()
            };
            let figure = self.run(&self.scene.address, 4, &[200], paths(&names, &token, query));
            self.table.rate(&format!("{work}, custodian, 4 connections"), &figure, 1.0, None);
        }
    }

    fn creates(&mut self, connections: usize) {
        let since = self.newest();
        let (token, patients) = (self.scene.program("tester"), self.scene.patients.clone());
        let make = Box::new(move |number| {
            let patient = &patients[mixed(number) % patients.len()];
            let body = data::observation(patient, u32::try_from(number % 1_000_000).unwrap_or(0)).to_string();
            request("POST", "/fhir/Observation", &token, body.as_bytes())
        });
        let figure = self.run(&self.scene.address, connections, &[201], make);
        let limit = self.commit_limit(since, connections);
        let work = format!("create, durable, {connections} connections");
        self.table.rate(&work, &figure, 1.0, Some(limit));
    }

    /// The number of the newest record.
    fn newest(&self) -> i64 {
        self.runtime.block_on(limits::number(&self.bare.db, "SELECT MAX(rid) FROM resource")).expect("a number")
    }

    /// The limit of writing what was written since, so many records a commit.
    fn commit_limit(&self, since: i64, batch: usize) -> (&'static str, f64) {
        let limit = self.runtime.block_on(self.bare.group_commit(since, batch, self.time()));
        ("bare group commit", limit.expect("the bare rows can be written"))
    }

    fn transactions(&mut self) {
        let since = self.newest();
        let token = self.scene.program("tester");
        let bodies: Vec<String> =
            self.scene.patients.iter().take(16).map(|id| data::batch(id, 50).to_string()).collect();
        let make = Box::new(move |number| {
            let body = &bodies[mixed(number) % bodies.len()];
            request("POST", "/fhir", &token, body.as_bytes())
        });
        let figure = self.run(&self.scene.address, 4, &[200], make);
        let limit = self.commit_limit(since, 200);
        let work = "transaction of 50, 4 connections, resources";
        self.table.rate(work, &figure, 50.0, Some(limit));
    }

    fn import(&mut self) {
        let since = self.newest();
        let resources = "SELECT COUNT(*) FROM resource";
        let before = self.runtime.block_on(limits::number(&self.bare.db, resources)).expect("a count");
        let token = self.scene.program("importer");
        let file = data::town_file(0, self.options.children);
        let start = Instant::now();
        let answer =
            Request::post(&format!("{}/$import", self.scene.world.base)).bearer(&token).body("text/csv", file).send();
        let seconds = start.elapsed().as_secs_f64();
        let after = self.runtime.block_on(limits::number(&self.bare.db, resources)).expect("a count");
        let made = u64::try_from(after - before).unwrap_or(0);
        let said = (answer.status != 200).then(|| format!("{} {}", answer.status, answer.text()));
        let figure = Run { done: made, seconds, wrong: u64::from(said.is_some()), said, ..Run::default() };
        // As many as the server's writer gathers.
        let limit = self.commit_limit(since, 2048);
        let work = format!("`$import`, {} children × 5 visits, {made} resources", self.options.children);
        self.table.rate(&work, &figure, 1.0, Some(limit));
    }

    /// How long after the last read of a loaded minute its record can be found.
    fn audit(&mut self) {
        let make = paths(&self.scene.childs, &self.scene.app(), |id| format!("/fhir/Observation/{id}"));
        self.run(&self.scene.address, 64, &[200], make);
        let last = techo_conformance_tests::clock::now();
        let start = Instant::now();
        let hers = self.scene.world.holder(self.scene.app());
        let found = loop {
            let bundle: Value = hers.search(&format!("AuditEvent?patient={CHILD}&_count=1"));
            let recorded = bundle["entry"][0]["resource"]["recorded"].as_str().unwrap_or_default();
            if seconds_of(recorded).is_some_and(|at| at >= last) {
                break true;
            }
            if start.elapsed() > Duration::from_mins(1) {
                eprintln!("the newest audit record: {bundle}");
                break false;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let lag = start.elapsed().as_secs_f64();
        // The record's instant is compared by whole seconds: it may be up to one second older.
        let figure = if found { format!("within {:.1} s", lag + 1.0) } else { format!("not within {lag:.0} s") };
        self.table.plain("audit record searchable after 64 connections of reads", figure);
    }

    fn sizes(&mut self) {
        let resources = self.runtime.block_on(limits::number(&self.bare.db, "SELECT COUNT(*) FROM resource"));
        let resources = resources.expect("a count");
        let (own, mapped) = self.scene.memory();
        self.table.plain(
            "memory at the end",
            format!("{own:.0} MB of its own and {mapped:.0} MB of files, mapped, at {resources} resources"),
        );
        if let Some(file) = &self.bare.file {
            let each = megabytes(file) * 1024.0 / client::count(u64::try_from(resources).unwrap_or(1));
            self.table.plain("database, indexes included", format!("{each:.2} KB a resource"));
        } else {
            let sql = "SELECT pg_database_size(current_database())";
            let bytes = self.runtime.block_on(limits::number(&self.bare.db, sql)).expect("a size");
            let kilobytes = client::count(u64::try_from(bytes / 1024).unwrap_or(0));
            let each = kilobytes / client::count(u64::try_from(resources).unwrap_or(1));
            self.table.plain("database, indexes and audit log included", format!("{each:.2} KB a resource"));
        }
        let disk = limits::disk_sync(&self.scene.world.server.data).expect("the disk can be written");
        self.table.plain("disk: 4 KB and fdatasync, p50", format!("{disk:.2} ms"));
    }
}

impl Bare {
    async fn start(scene: &Scene) -> Result<Self, sea_orm::DbErr> {
        let file = scene.world.server.data.join("techo.db");
        let url = scene.world.server.database.clone().unwrap_or_else(|| format!("sqlite:{}", file.display()));
        let db = limits::open(&url, 4).await?;
        let (_, kind) = limits::place(&db, &scene.observations[0]).await?;
        let (child, patient) = limits::place(&db, CHILD).await?;
        let citizens = limits::keys(&db, patient, &scene.patients).await?;
        let child = child.to_string();
        let server = BareServer::start(&url).map_err(|error| sea_orm::DbErr::Custom(error.to_string()))?;
        let file = scene.world.server.database.is_none().then_some(file);
        Ok(Self { server, url, db, file, citizens, child, kind })
    }

    /// The bare limit of writing, on a fresh copy of the tables.
    async fn group_commit(&self, since: i64, batch: usize, time: Duration) -> Result<f64, sea_orm::DbErr> {
        let Some(file) = &self.file else {
            commit::copied(&self.db).await?;
            let bare = commit::open_copy(&self.url).await?;
            let rate = commit::group_commit(&bare, since, batch, time).await;
            bare.close().await?;
            commit::drop_copy(&self.db).await?;
            return rate;
        };
        let copy = file.with_file_name("bare.db");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", copy.display()));
        }
        self.db.execute_unprepared(&format!("VACUUM INTO '{}'", copy.display())).await?;
        commit::sqlite::group_commit(&copy, since, batch, time)
            .map_err(|error| sea_orm::DbErr::Custom(error.to_string()))
    }
}

type Make = Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

fn fixed(method: &str, path: &str, token: &str) -> Make {
    let bytes = request(method, path, token, b"");
    Box::new(move |_| bytes.clone())
}

/// `GET` of the path of one id after another, in no order.
fn paths(ids: &[String], token: &str, path: impl Fn(&str) -> String + Send + Sync + 'static) -> Make {
    let (ids, token) = (ids.to_vec(), token.to_owned());
    Box::new(move |number| request("GET", &path(&ids[mixed(number) % ids.len()]), &token, b""))
}

/// Numbers in no order, the same in every run (Steele et al., `SplitMix64`).
fn mixed(number: u64) -> usize {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((word ^ (word >> 31)) >> 33).unwrap_or(0)
}

fn megabytes(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |about| client::count(about.len() / 1024) / 1024.0)
}

/// Seconds since 1970 of `2026-11-22T18:55:57.123+09:00` or `…Z`.
fn seconds_of(text: &str) -> Option<u64> {
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let zone = text.get(19..)?;
    let offset = match zone.rfind(['+', '-']) {
        Some(at) => {
            let part = |from: usize| zone.get(at + from..at + from + 2)?.parse::<i64>().ok();
            let minutes = part(1)? * 60 + part(4)?;
            if zone[at..].starts_with('-') { -minutes } else { minutes }
        }
        None => 0,
    };
    // Days from the civil calendar, with the year beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    u64::try_from(((days * 24 + hour) * 60 + minute - offset) * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use super::{mixed, seconds_of};

    #[test]
    fn instants_are_read_in_any_zone() {
        assert_eq!(seconds_of("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds_of("2026-11-22T18:55:57Z"), Some(1_795_373_757));
        assert_eq!(seconds_of("2026-11-23T03:55:57.123+09:00"), seconds_of("2026-11-22T18:55:57Z"));
        assert_eq!(seconds_of("nothing"), None);
    }

    #[test]
    fn ids_are_asked_for_in_no_order() {
        let first: Vec<usize> = (0..1000).map(|number| mixed(number) % 10).collect();
        assert!((0..10).all(|one| first.iter().filter(|other| **other == one).count() > 50));
    }
}
