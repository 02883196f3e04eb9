//! The program under test as a child process, with a data directory of its own.
//!
//! The sample world takes seconds to import, so it is made once by a first
//! `techo demo` and copied for each test: every server here is a *second*
//! start on a data directory, which must keep everything and print the same
//! secrets. `TECHO_TEST_FRESH=1` starts each from nothing instead.
//!
//! * `TECHO_TEST_DATABASE` = `sqlite` (default) or `postgres`;
//! * `TECHO_TEST_BINARY`: the program to test, built already.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use crate::http::Request;
use crate::postgres;

/// A running `techo demo`, killed when dropped.
#[derive(Debug)]
pub struct Server {
    /// What it printed: base, portal, users, clients.
    pub info: Value,
    /// Its data directory.
    pub data: PathBuf,
    /// Its database, where it is not the one in the data directory.
    pub database: Option<String>,
    /// How long it took until it answered.
    pub started_in: Duration,
    child: Child,
    keep: bool,
}

/// Whether the tests run on PostgreSQL.
pub fn on_postgres() -> bool {
    match std::env::var("TECHO_TEST_DATABASE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("TECHO_TEST_DATABASE is sqlite or postgres, not {other}"),
    }
}

/// The program under test.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("TECHO_TEST_BINARY") {
            return PathBuf::from(path);
        }
        build();
        let here = std::env::current_exe().expect("a test knows where it lies");
        let profile = here.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
        let path = profile.join("techo");
        assert!(path.exists(), "no {}: run `cargo build --bin techo` first", path.display());
        path
    })
}

/// Cargo does not build another crate's program for a test: we ask it to, so
/// that no test ever runs against yesterday's.
fn build() {
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "techo-server", "--bin", "techo"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Server {
    /// The sample world on a data directory and database of its own.
    pub fn demo() -> Self {
        let data = directory();
        let fresh = std::env::var_os("TECHO_TEST_FRESH").is_some();
        let template = (!fresh).then(template);
        if let Some(template) = template {
            copy(&template.join("data"), &data);
        } else {
            fs::create_dir_all(&data).expect("a directory for the test");
        }
        let database = on_postgres().then(|| postgres::database(template.map(|_| template_database())));
        Self::start(data, database, &[])
    }

    /// A sample world made from nothing: no copy, the very first start.
    pub fn first() -> Self {
        let data = directory();
        let database = on_postgres().then(|| postgres::database(None));
        Self::start(data, database, &[])
    }

    /// `techo demo` on what is there.
    pub fn start(data: PathBuf, database: Option<String>, more: &[&str]) -> Self {
        let before = Instant::now();
        let (child, info) = launch(&data, database.as_deref(), more);
        Self { info, data, database, started_in: before.elapsed(), child, keep: false }
    }

    /// `kill -9`, then a new start on the same data.
    #[must_use]
    pub fn killed_and_restarted(mut self) -> Self {
        self.kill();
        self.keep = true;
        Self::start(self.data.clone(), self.database.clone(), &[])
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Process id, for tests that look at it from outside.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A second server on the same data, under the same public origin.
    pub fn beside(&self) -> Beside {
        self.beside_with(&[])
    }

    /// The same, with further options of `techo serve`.
    pub fn beside_with(&self, more: &[&str]) -> Beside {
        self.beside_when(more, |address| Request::get(&format!("http://{address}/fhir/metadata")).try_send().is_ok())
    }

    /// The same, which is there once `ready` says so of its address.
    pub fn beside_when(&self, more: &[&str], ready: impl Fn(&str) -> bool) -> Beside {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("a free port").to_string();
        let base = self.info["base"].as_str().unwrap_or_default();
        let origin = base.trim_end_matches("/fhir");
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", &address, "--base-url", origin]).arg("--data").arg(&self.data);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        let errors = log_file(&self.data).map_or_else(Stdio::null, Stdio::from);
        let child = command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn();
        let beside = Beside { base: format!("http://{address}/fhir"), child: child.expect("techo can be run") };
        let patience = Instant::now();
        while !ready(&address) {
            assert!(patience.elapsed() < Duration::from_secs(30), "the second server did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        beside
    }

    /// Runs another `techo` command on the same data, beside the server.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--data").arg(&self.data);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        command.stdin(Stdio::null()).output().expect("techo can be run")
    }
}

/// A second server, killed when dropped.
#[derive(Debug)]
pub struct Beside {
    /// Its FHIR base.
    pub base: String,
    child: Child,
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if self.keep || std::env::var_os("TECHO_TEST_KEEP").is_some() {
            return;
        }
        fs::remove_dir_all(&self.data).ok();
        if let Some(database) = &self.database {
            postgres::drop(database);
        }
    }
}

fn launch(data: &Path, database: Option<&str>, more: &[&str]) -> (Child, Value) {
    let mut command = Command::new(binary());
    command.args(["demo", "--json", "--listen", "127.0.0.1:0"]).arg("--data").arg(data);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    let child = command.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("techo can be run");
    let errors = child.stderr.take().map(|stderr| gather(stderr, log_file(data)));
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output is piped");
    let mut reader = BufReader::new(stdout);
    reader.read_line(&mut line).expect("its output is text");
    let info = serde_json::from_str(&line).unwrap_or_else(|error| {
        child.kill().ok();
        let said = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
        panic!("techo demo printed no JSON ({error}): {line:?}, and said: {said}")
    });
    std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    (child, info)
}

/// What the servers on a data directory say, beside it, if `TECHO_TEST_LOG=file`.
pub fn log_path(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn log_file(data: &Path) -> Option<fs::File> {
    let wanted = std::env::var_os("TECHO_TEST_LOG").is_some_and(|how| how == "file");
    wanted.then(|| fs::OpenOptions::new().create(true).append(true).open(log_path(data)).expect("a log file"))
}

/// Drains what the server says, so that it never waits for a reader; shown with
/// `TECHO_TEST_LOG=1`.
fn gather(stderr: ChildStderr, mut file: Option<fs::File>) -> std::thread::JoinHandle<String> {
    let show = file.is_none() && std::env::var_os("TECHO_TEST_LOG").is_some();
    std::thread::spawn(move || {
        let mut all = String::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if show {
                eprintln!("techo: {line}");
            }
            if let Some(file) = &mut file {
                writeln!(file, "{line}").ok();
            }
            if all.len() < 20_000 {
                all = all + &line + "\n";
            }
        }
        all
    })
}

/// A directory that nobody used before.
pub fn directory() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("techo-test-{}-{number}", std::process::id()));
    fs::remove_dir_all(&path).ok();
    path
}

/// The sample world, made once for this build of the program.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let kind = if on_postgres() { "postgres" } else { "sqlite" };
        let root = binary().with_file_name("techo-tests");
        let home = root.join(format!("{kind}-{}", build_mark()));
        fs::create_dir_all(&home).expect("a place for the template");
        let lock = fs::File::create(home.join("lock")).expect("a lock file");
        lock.lock().expect("the lock");
        let there = home.join("done").exists() && (!on_postgres() || postgres::exists(template_database()));
        if !there {
            make(&home);
        }
        home
    })
}

fn template_database() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| format!("techo_template_{}", build_mark()))
}

fn make(home: &Path) {
    fs::remove_dir_all(home.join("data")).ok();
    fs::remove_file(home.join("done")).ok();
    let draft = on_postgres().then(|| postgres::database(None));
    let mut server = Server::start(home.join("data"), draft.clone(), &[]);
    server.keep = true;
    server.stop();
    if let Some(draft) = draft {
        postgres::rename(draft.rsplit('/').next().unwrap_or_default(), template_database());
    }
    fs::write(home.join("done"), "").expect("a mark that it is whole");
}

impl Server {
    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().ok();
        let patience = Instant::now();
        while patience.elapsed() < Duration::from_secs(35) {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("techo did not end within 35 s of SIGTERM");
    }
}

/// Tells one build of the program from another.
fn build_mark() -> String {
    let about = fs::metadata(binary()).expect("the program is there");
    let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{:x}_{:x}", modified.as_nanos(), about.len())
}

/// Copies a directory with the modes of its files.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory for the copy");
    let mode = fs::metadata(from).expect("the directory is there").permissions();
    fs::set_permissions(to, mode).expect("the copy is ours");
    for entry in fs::read_dir(from).expect("the directory can be read").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}
