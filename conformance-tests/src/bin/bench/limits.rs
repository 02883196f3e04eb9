//! What the machine itself can do, measured in the same run and by the same
//! client: axum without work, the bare statement behind axum (a process of its own,
//! as the server is), and the disk's own sync. What writing costs: `commit`.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::get;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr, Statement, Value,
};

/// The columns that the server's own read brings.
const BY_ID: &str = "SELECT r.rid, r.kind, r.id, r.version, r.updated, r.deleted, r.citizen, r.several, r.custodian, \
                     r.custody, r.method, r.epoch, r.body FROM resource r WHERE r.kind = ? AND r.id = ?";
const SEARCH: &str = "SELECT r.rid, r.kind, r.id, r.version, r.updated, r.deleted, r.citizen, r.several, r.custodian, \
                      r.custody, r.method, r.epoch, r.body FROM clinical x JOIN resource r ON r.rid = x.rid \
                      WHERE x.citizen = ? AND x.kind = ? AND x.code IN (SELECT id FROM code WHERE code = ?) \
                      AND r.deleted = 0 ORDER BY r.rid LIMIT 20";

const PLACE: &str = "SELECT rid, CAST(kind AS BIGINT) FROM resource WHERE id = ?";

const KEY: &str = "SELECT rid FROM resource WHERE kind = ? AND id = ?";

/// How SQLite is set, as the server sets it.
pub(crate) const PRAGMAS: [(&str, &str); 4] =
    [("wal_autocheckpoint", "8000"), ("cache_size", "-16000"), ("mmap_size", "268435456"), ("temp_store", "memory")];

/// Opens the database as the server does.
///
/// * `url`: `sqlite:PATH` or `postgres://…`
pub(crate) async fn open(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    Database::connect(options(url, connections)).await
}

/// How it is opened: as the server does.
pub(crate) fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).test_before_acquire(false).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        let sqlite = sqlite
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(512);
        PRAGMAS.iter().fold(sqlite, |sqlite, (name, value)| sqlite.pragma(*name, *value))
    });
    options
}

/// A statement whose values stand as `?`, in the database's own spelling.
pub(crate) fn sql(db: &DatabaseConnection, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let backend = db.get_database_backend();
    let mut spelled = String::new();
    for (number, part) in text.split('?').enumerate() {
        match (number, backend) {
            (0, _) => {}
            (_, DatabaseBackend::Postgres) => spelled.push_str(&format!("${number}")),
            _ => spelled.push('?'),
        }
        spelled.push_str(part);
    }
    Statement::from_sql_and_values(backend, spelled, values)
}

/// Kind and row number of the record with this id.
pub(crate) async fn place(db: &DatabaseConnection, id: &str) -> Result<(i64, i64), DbErr> {
    let row = db.query_one_raw(sql(db, PLACE, [id.into()])).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound(id.to_owned()))?;
    Ok((row.try_get_by_index(0)?, row.try_get_by_index::<i64>(1)?))
}

/// The row numbers of the records of one type with these ids, as text.
pub(crate) async fn keys(db: &DatabaseConnection, kind: i64, ids: &[String]) -> Result<Vec<String>, DbErr> {
    let mut keys = Vec::new();
    for id in ids {
        let row = db.query_one_raw(sql(db, KEY, [kind.into(), id.as_str().into()])).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound(id.clone()))?;
        keys.push(row.try_get_by_index::<i64>(0)?.to_string());
    }
    Ok(keys)
}

/// The first column of the first row.
pub(crate) async fn number(db: &DatabaseConnection, text: &str) -> Result<i64, DbErr> {
    let row = db.query_one_raw(sql(db, text, [])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(text.to_owned()))?.try_get_by_index(0)
}

/// Serves the bare answers on a free port until its standard input ends.
pub(crate) async fn serve(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/row/{kind}/{id}", get(row))
        .route("/search/{citizen}/{kind}/{code}", get(search))
        .with_state(open(url, 4).await?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    // Its input ends with whoever started it.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    Ok(axum::serve(listener, router).await?)
}

/// The process that [`serve`]s.
pub(crate) struct BareServer {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    process: Child,
}

impl BareServer {
    /// Starts this program once more, to serve.
    pub(crate) fn start(url: &str) -> std::io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([SERVE, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().ok_or_else(|| std::io::Error::other("no output"))?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { address: address.trim().to_owned(), process })
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The word that makes this program the bare server.
pub(crate) const SERVE: &str = "--serve-bare";

async fn row(State(db): State<DatabaseConnection>, UrlPath((kind, id)): UrlPath<(i64, String)>) -> Answer {
    bodies(&db, sql(&db, BY_ID, [kind.into(), id.into()])).await
}

async fn search(
    State(db): State<DatabaseConnection>,
    UrlPath((citizen, kind, code)): UrlPath<(i64, i64, String)>,
) -> Answer {
    bodies(&db, sql(&db, SEARCH, [citizen.into(), kind.into(), code.into()])).await
}

type Answer = Result<Vec<u8>, StatusCode>;

async fn bodies(db: &DatabaseConnection, statement: Statement) -> Answer {
    let rows = db.query_all_raw(statement).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    if rows.is_empty() {
        return Err(StatusCode::NOT_FOUND);
    }
    let mut all = Vec::with_capacity(16 << 10);
    for row in rows {
        let body: Vec<u8> = row.try_get_by_index(12).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        all.extend_from_slice(&body);
    }
    Ok(all)
}

/// Median of 4 KB written and brought to the disk, in milliseconds.
pub(crate) fn disk_sync(directory: &Path) -> std::io::Result<f64> {
    let path = directory.join("bench-sync");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let before = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    std::fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[times.len() / 2].as_secs_f64() * 1000.0)
}
