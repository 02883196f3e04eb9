//! `techo doctor`: looks over an installation and says what to do.
//!
//! Every check gives a [`Finding`]. To add one: a function that gives it, a line
//! in [`run`].

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::{Failure, Place, open, show};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::search::own::Standing;
use crate::server::STALE;
use crate::store::Db;
use crate::store::audit::verify;
use crate::store::keys::Keys;
use crate::store::upkeep;

/// Options of `techo doctor`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo doctor --data /var/lib/techo

Changes no record. Exit code 1 if something has to be put right.")]
pub struct Args {
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Works, and should be looked at.
    Warn,
    /// Has to be put right.
    Fail,
}

/// What one check found.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    text: String,
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Ok, text: text.into() }
    }

    fn warn(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Warn, text: text.into() }
    }

    fn fail(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, state: State::Fail, text: text.into() }
    }
}

/// Looks over the installation.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let config = open::config(place)?;
    open::must_exist(&config)?;
    let clock = Clock::system();
    let mut findings = vec![directory(&config.data), free(&config.data), key_file(&config), signing_keys(&config)];
    match Db::open(&config.database_url()).await {
        Err(error) => findings.push(Finding::fail("database", format!("cannot be opened: {error}"))),
        Ok(db) => {
            findings.push(used(&config).await);
            findings.extend(settings(&db).await);
            let schema = schema(&db).await;
            let usable = schema.state == State::Ok;
            findings.push(schema);
            if usable {
                findings.push(time(&db, &clock).await);
                findings.push(log(&db, &config).await);
                findings.extend(index(&db, config, clock).await);
            }
        }
    }
    let healthy = findings.iter().all(|finding| finding.state != State::Fail);
    print(&findings, healthy, args.json)?;
    Ok(show::code(healthy))
}

fn print(findings: &[Finding], healthy: bool, json: bool) -> Result<(), Failure> {
    if json {
        return show::json(&serde_json::json!({"healthy": healthy, "checks": findings}));
    }
    for Finding { check, state, text } in findings {
        let word = match state {
            State::Ok => "ok  ",
            State::Warn => "WARN",
            State::Fail => "FAIL",
        };
        show::line(format!("{word}  {check:<14} {text}"))?;
    }
    Ok(())
}

/// Permission bits for others than the owner.
#[cfg(unix)]
fn open_to_others(path: &Path) -> std::io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077)
}

#[cfg(not(unix))]
fn open_to_others(path: &Path) -> std::io::Result<u32> {
    std::fs::metadata(path).map(|_| 0)
}

fn directory(path: &Path) -> Finding {
    let shown = path.display();
    match open_to_others(path) {
        Err(error) => Finding::fail("data directory", format!("{shown}: {error}")),
        Ok(0) => Finding::ok("data directory", shown.to_string()),
        Ok(_) => Finding::warn("data directory", format!("{shown} is open to other users: chmod 700 {shown}")),
    }
}

fn free(path: &Path) -> Finding {
    match upkeep::free_bytes(path) {
        None => Finding::warn("disk", "the free room cannot be told on this system"),
        Some(bytes) if bytes < FULL => Finding::fail("disk", format!("{} MiB free: make room now", bytes >> 20)),
        Some(bytes) if bytes < LITTLE => Finding::warn("disk", format!("{} MiB free", bytes >> 20)),
        Some(bytes) => Finding::ok("disk", format!("{} GiB free", bytes >> 30)),
    }
}

fn key_file(config: &Config) -> Finding {
    match Keys::load(&config.keys_path()) {
        Ok(keys) => Finding::ok("keys", format!("{}, generation {}", config.keys_path().display(), keys.generation())),
        Err(error) => Finding::fail("keys", format!("{error}; restore it from a backup, or correct its mode")),
    }
}

fn signing_keys(config: &Config) -> Finding {
    let path = config.file(super::keys::SIGNING);
    match open_to_others(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok("signing keys", "none yet; the server makes them when it starts")
        }
        Err(error) => Finding::fail("signing keys", format!("{}: {error}", path.display())),
        Ok(0) => Finding::ok("signing keys", path.display().to_string()),
        Ok(_) => {
            let shown = path.display();
            Finding::fail(
                "signing keys",
                format!("{shown} can be read by others: chmod 600 {shown}, then: techo keys rotate"),
            )
        }
    }
}

async fn used(config: &Config) -> Finding {
    match upkeep::in_use(config).await {
        Ok(true) => Finding::ok("in use", "a server or another command is using the database"),
        Ok(false) => Finding::ok("in use", "nobody is using the database"),
        Err(error) => Finding::fail("in use", error.to_string()),
    }
}

async fn settings(db: &Db) -> Vec<Finding> {
    match upkeep::facts(db).await {
        Err(error) => vec![Finding::fail("database", error.to_string())],
        Ok(facts) => facts
            .into_iter()
            .map(|fact| match fact.wanted {
                None => Finding::ok("database", format!("{} {}", fact.name, fact.found)),
                Some(wanted) => {
                    Finding::fail("database", format!("{} is {}, has to be {wanted}", fact.name, fact.found))
                }
            })
            .collect(),
    }
}

async fn schema(db: &Db) -> Finding {
    match upkeep::pending(db).await {
        Err(error) => Finding::fail("schema", error.to_string()),
        Ok(pending) if pending.is_empty() => Finding::ok("schema", "up to date"),
        Ok(pending) => {
            let text = format!("{} steps behind this program; stop the servers and run: techo migrate", pending.len());
            Finding::fail("schema", text)
        }
    }
}

async fn time(db: &Db, clock: &Clock) -> Finding {
    let newest = match upkeep::newest(db).await {
        Ok(newest) => newest.unwrap_or(0),
        Err(error) => return Finding::fail("clock", error.to_string()),
    };
    let ahead = newest - clock.micros();
    if ahead > SLACK {
        let text = format!("a record was written {} s from now: this machine's clock is behind", ahead / 1_000_000);
        return Finding::fail("clock", text);
    }
    Finding::ok("clock", clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

async fn log(db: &Db, config: &Config) -> Finding {
    let folder = config.file("audit");
    if upkeep::audit_bytes(&folder) > LONG_LOG {
        return Finding::warn("audit log", "too long for a quick look; check it with: techo audit-verify");
    }
    let report = match Keys::load(&config.keys_path()) {
        Ok(keys) => verify(db, &folder, &keys).await,
        Err(_) => return Finding::fail("audit log", "cannot be checked without the keys"),
    };
    match report {
        Err(error) => Finding::fail("audit log", error.to_string()),
        Ok(report) if report.sound() => {
            let records: u64 = report.chains.iter().map(|chain| chain.records).sum();
            Finding::ok("audit log", format!("{records} records, as they were written"))
        }
        Ok(_) => Finding::fail("audit log", "it is not what was written; see: techo audit-verify"),
    }
}

/// Whether some records are found by their index rows, and by what they are indexed.
async fn index(db: &Db, config: Config, clock: Clock) -> Vec<Finding> {
    let looked = async {
        let rids = upkeep::sample(db, SAMPLE).await.map_err(Failure::of)?;
        let _hold = upkeep::hold(&config).await.map_err(Failure::of)?;
        let app = App::start(config, clock, Random::system()).await.map_err(Failure::of)?;
        let mut absent = 0;
        for stored in app.store.rows(&rids).await.map_err(Failure::of)? {
            let rows = app.rows_of(&stored).await.map_err(|error| show::explained(&error))?;
            absent += app.store.absent(stored.rid, &rows).await.map_err(Failure::of)?;
        }
        let rows = match (absent, app.store.stale().await.map_err(Failure::of)?) {
            (0, true) => Finding::warn("index", STALE),
            (0, false) => Finding::ok("index", format!("{} records looked at", rids.len())),
            (absent, _) => {
                let text = format!("{absent} rows of {} records are missing; run: techo reindex", rids.len());
                Finding::fail("index", text)
            }
        };
        Ok::<_, Failure>([vec![rows], refused(&app)].concat())
    };
    looked.await.unwrap_or_else(|failure| vec![Finding::fail("index", failure.to_string())])
}

/// The search parameters of this installation that this program refuses.
fn refused(app: &App) -> Vec<Finding> {
    let catalog = app.catalog();
    let live = catalog.own().iter().filter(|own| own.life.retired == i64::MAX);
    let refused = live.filter(|own| own.life.standing == Standing::Refused).map(|own| {
        let text = format!("{} is refused by this program and answers no search; correct or delete it", own.source);
        Finding::warn("parameters", text)
    });
    refused.collect()
}

/// Records whose index rows are looked for.
const SAMPLE: i64 = 100;
/// A log up to this size is checked on the spot.
const LONG_LOG: u64 = 256 << 20;
/// Microseconds that clocks of several servers may differ.
const SLACK: i64 = 2_000_000;
/// Free bytes below which writes may fail at any time, and below which to look.
const FULL: u64 = 256 << 20;
const LITTLE: u64 = 2 << 30;
