//! A database of one's own on a PostgreSQL cluster that ends with the tests.
//!
//! `TECHO_TEST_POSTGRES` names a cluster to use; without it `postgres.sh`
//! starts one for this process. The script holds the cluster as long as its
//! standard input is open, which is as long as we live, however we end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cluster that somebody runs, or that ends with this.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    keeper: Option<Keeper>,
}

/// The script. It has its standard input open as long as this is there.
#[derive(Debug)]
struct Keeper {
    script: Child,
    said: BufReader<ChildStdout>,
}

impl Cluster {
    /// One of one's own, which nobody minds that it is restarted.
    pub fn start() -> Self {
        start()
    }

    /// URL of an empty database on it.
    pub fn database(&self, name: &str) -> String {
        run(&format!("{}/postgres", self.url), &format!("CREATE DATABASE \"{name}\""));
        format!("{}/{name}", self.url)
    }

    /// Restarts it, as `pg_ctl` names the manner; back once it takes connections.
    pub fn restart(&mut self, manner: &str) {
        let keeper = self.keeper.as_mut().expect("a cluster of one's own");
        let input = keeper.script.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{manner}").expect("it reads");
        let mut done = String::new();
        keeper.said.read_line(&mut done).expect("its output is text");
        assert_eq!(done.trim(), manner, "PostgreSQL did not restart");
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.script.stdin = None;
        self.script.wait().ok();
    }
}

/// URL of a fresh database: empty, or a copy of `template`.
pub fn database(template: Option<&str>) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("techo_{}_{number}", std::process::id());
    create(&name, template);
    url(&name)
}

/// Creates the database `name`.
pub fn create(name: &str, template: Option<&str>) {
    let copy = template.map_or(String::new(), |template| format!(" TEMPLATE \"{template}\""));
    sql("postgres", &format!("CREATE DATABASE \"{name}\"{copy}"));
}

/// Whether there is a database `name`.
pub fn exists(name: &str) -> bool {
    sql("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).trim() == "1"
}

/// Gives the database `old` the name `new`.
pub fn rename(old: &str, new: &str) {
    sql("postgres", &format!("ALTER DATABASE \"{old}\" RENAME TO \"{new}\""));
}

/// Drops the database of a URL made here.
pub fn drop(url: &str) {
    let name = url.rsplit('/').next().unwrap_or_default();
    sql("postgres", &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
}

/// The URL of the database `name`.
pub fn url(name: &str) -> String {
    format!("{}/{name}", cluster().url)
}

/// Runs one statement in the database `name`; its rows as text.
pub fn sql(name: &str, statement: &str) -> String {
    run(&url(name), statement)
}

/// The same in the database of a URL.
pub fn run(url: &str, statement: &str) -> String {
    let output = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--command",
            statement,
        ])
        .arg(url)
        .output()
        .expect("psql is installed (package postgresql)");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| match std::env::var("TECHO_TEST_POSTGRES") {
        Ok(url) => Cluster { url, keeper: None },
        Err(_) => start(),
    })
}

fn start() -> Cluster {
    let mut keeper = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/postgres.sh"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("conformance-tests/postgres.sh can be run");
    let mut url = String::new();
    let stdout = keeper.stdout.take().expect("its output is piped");
    let mut said = BufReader::new(stdout);
    said.read_line(&mut url).expect("its output is text");
    assert!(!url.trim().is_empty(), "no PostgreSQL cluster: install the package postgresql");
    Cluster { url: url.trim().to_owned(), keeper: Some(Keeper { script: keeper, said }) }
}
