//! Who uses the database: servers and commands together, or one command alone.
//!
//! Whoever uses it holds a shared lock while it lives; `migrate` and `restore`
//! need it alone. Beside SQLite the lock is on a file `NAME.lock`, which the
//! operating system lets go when a process dies; PostgreSQL keeps it for the
//! session. (Engines that speak its protocol without advisory locks let
//! everybody in: there the operator stops the servers.)
//!
//! The schema is brought up to date only by someone who is alone: two first
//! starts at once do not both create tables, and a new program does not change
//! the tables under an old server.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::Connection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DbErr};
use techo_migrations::{Migrator, MigratorTrait};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::store::db::{Db, statement};

/// Why the database may not be used now.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Someone else uses it.
    #[error("a server or another command is using this database; stop it and try again")]
    InUse,
    /// `migrate` or `restore` did not end in time.
    #[error("this database is being migrated or restored; try again when that is done")]
    Held,
    /// Another program uses it, and its schema is older than this program needs.
    #[error(
        "the schema of this database is older than this program; stop the servers that use it and run: techo migrate"
    )]
    Older,
    /// The lock file, or the directory of the data.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The database server.
    #[error("the PostgreSQL server at {at} cannot be used: {cause}")]
    Unreachable {
        /// Host and port, or socket; no user and no password.
        at: String,
        /// Why.
        cause: String,
    },
    /// The database.
    #[error("database: {0}")]
    Database(#[from] DbErr),
}

/// How the database is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// With others.
    Shared,
    /// By one command.
    Alone,
}

/// The right to use the database, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    _lock: Lock,
    keeper: Option<JoinHandle<()>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}

/// Uses the database together with others, the schema being up to date.
pub async fn hold(config: &Config) -> Result<Hold, HoldError> {
    make_room(config)?;
    let mut lock = Lock::of(config).await?;
    if lock.take(Use::Alone).await? {
        migrate(config).await?;
        lock.let_go().await?;
    }
    for _ in 0..TRIES {
        if lock.take(Use::Shared).await? {
            let db = Db::open(&config.database_url()).await?;
            let pending = super::pending(&db).await;
            db.close().await;
            return if pending?.is_empty() { Ok(lock.kept()) } else { Err(HoldError::Older) };
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(HoldError::Held)
}

/// [`hold`], and what the server runs under is remembered for the commands beside it.
pub async fn hold_as_server(config: &Config) -> Result<Hold, HoldError> {
    let hold = hold(config).await?;
    super::remember(config).map_err(|cause| HoldError::File { path: config.data.clone(), cause })?;
    Ok(hold)
}

/// Uses the database alone, or says that others do.
pub async fn alone(config: &Config) -> Result<Hold, HoldError> {
    make_room(config)?;
    let mut lock = Lock::of(config).await?;
    if lock.take(Use::Alone).await? { Ok(Hold { _lock: lock, keeper: None }) } else { Err(HoldError::InUse) }
}

/// Whether a server or a command uses the database now.
pub async fn in_use(config: &Config) -> Result<bool, HoldError> {
    match alone(config).await {
        Ok(_) => Ok(false),
        Err(HoldError::InUse) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Brings the schema up to date; the steps taken. Only for who is [`alone`].
pub async fn migrate(config: &Config) -> Result<Vec<String>, HoldError> {
    let db = Db::open(&config.database_url()).await?;
    let done = async {
        let pending = super::pending(&db).await?;
        Migrator::up(&*db.write().await, None).await?;
        Ok(pending)
    }
    .await;
    db.close().await;
    done
}

/// Copies an SQLite database, as one snapshot of it, to a new file.
pub async fn copy_database(config: &Config, to: &Path) -> Result<(), HoldError> {
    let mut options = ConnectOptions::new(config.database_url());
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let path = to.to_str().ok_or_else(|| DbErr::Custom("the path of the copy is no text".to_owned()))?;
    let copied = connection.execute_raw(statement(DatabaseBackend::Sqlite, "VACUUM INTO ?", [path.into()])).await;
    // The copy is done, or not: how the connection ends changes nothing.
    let _ = connection.close().await;
    copied?;
    Ok(())
}

/// The database's file; `None` for PostgreSQL and for a database in memory.
pub fn place(config: &Config) -> Option<PathBuf> {
    let url = config.database_url();
    if url.starts_with("postgres") {
        return None;
    }
    let path = SqliteConnectOptions::from_str(&url).ok()?.get_filename().to_owned();
    (!url.contains(":memory:") && !url.contains("mode=memory")).then_some(path)
}

/// Whether there is a database already, as far as files tell.
pub fn exists(config: &Config) -> bool {
    place(config).is_none_or(|path| path.exists())
}

/// The directories that hold data and database, for their owner alone.
fn make_room(config: &Config) -> Result<(), HoldError> {
    let beside = place(config).and_then(|path| path.parent().map(Path::to_owned));
    for path in std::iter::once(config.data.clone()).chain(beside) {
        if path.as_os_str().is_empty() || path.exists() {
            continue;
        }
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|cause| HoldError::File { path, cause })?;
    }
    Ok(())
}

/// What is locked.
#[derive(Debug)]
enum Lock {
    /// The file beside an SQLite database.
    File(File, PathBuf),
    /// A session of its own.
    Session(DatabaseConnection),
    /// A database in memory: nobody else can use it.
    Nothing,
}

impl Lock {
    async fn of(config: &Config) -> Result<Self, HoldError> {
        let url = config.database_url();
        if url.starts_with("postgres") {
            reached(&url).await?;
            let mut options = ConnectOptions::new(url);
            // One connection that nobody recycles: the lock is its session's.
            options.max_connections(1).min_connections(1).sqlx_logging(false);
            options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
            return Ok(Self::Session(Database::connect(options).await?));
        }
        let Some(database) = place(config) else { return Ok(Self::Nothing) };
        let mut path = database.into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => Ok(Self::File(file, path)),
            Err(cause) => Err(HoldError::File { path, cause }),
        }
    }

    /// Whether the lock was free to take.
    async fn take(&mut self, how: Use) -> Result<bool, HoldError> {
        match self {
            Self::Nothing => Ok(true),
            Self::File(file, path) => {
                let taken = match how {
                    Use::Shared => file.try_lock_shared(),
                    Use::Alone => file.try_lock(),
                };
                match taken {
                    Ok(()) => Ok(true),
                    Err(TryLockError::WouldBlock) => Ok(false),
                    Err(TryLockError::Error(cause)) => Err(HoldError::File { path: path.clone(), cause }),
                }
            }
            Self::Session(session) => Ok(ask(session, how).await?),
        }
    }

    async fn let_go(&mut self) -> Result<(), HoldError> {
        match self {
            Self::Nothing => Ok(()),
            Self::File(file, path) => file.unlock().map_err(|cause| HoldError::File { path: path.clone(), cause }),
            Self::Session(session) => {
                let sql = statement(DatabaseBackend::Postgres, "SELECT pg_advisory_unlock(?)", [KEY.into()]);
                session.query_one_raw(sql).await?;
                Ok(())
            }
        }
    }

    /// A shared lock for as long as this process uses the database. A session that
    /// the database server ended is replaced, and its lock taken again.
    fn kept(self) -> Hold {
        let keeper = match &self {
            Self::Session(session) => Some(tokio::spawn(keep(session.clone()))),
            Self::File(..) | Self::Nothing => None,
        };
        Hold { _lock: self, keeper }
    }
}

/// One connection by itself: a pool tries again and again, and says at last only that
/// it waited.
async fn reached(url: &str) -> Result<(), HoldError> {
    // What cannot be read is not repeated: it may hold a password.
    let options = PgConnectOptions::from_str(url).map_err(|_| HoldError::Unreachable {
        at: "--database".to_owned(),
        cause: "the URL cannot be read; write postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned(),
    })?;
    let at = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let cause = match tokio::time::timeout(REACH, PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => {
            // It has shown what it should; how it ends changes nothing.
            let _ = connection.close().await;
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} seconds", REACH.as_secs()),
    };
    Err(HoldError::Unreachable { at, cause })
}

async fn ask(session: &DatabaseConnection, how: Use) -> Result<bool, DbErr> {
    let sql = match how {
        Use::Shared => "SELECT pg_try_advisory_lock_shared(?)",
        Use::Alone => "SELECT pg_try_advisory_lock(?)",
    };
    let row = session.query_one_raw(statement(DatabaseBackend::Postgres, sql, [KEY.into()])).await?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0))
}

async fn keep(session: DatabaseConnection) {
    let mut holder = None;
    loop {
        let pid = match session.query_one_raw(statement(DatabaseBackend::Postgres, "SELECT pg_backend_pid()", [])).await
        {
            Ok(row) => row.and_then(|row| row.try_get_by_index::<i32>(0).ok()),
            Err(error) => {
                tracing::warn!(%error, "the session that shows others this server's use of the database was lost");
                None
            }
        };
        if pid.is_some() && holder.is_some() && pid != holder {
            match ask(&session, Use::Shared).await {
                Ok(true) => {}
                Ok(false) => tracing::error!("the database is being migrated or restored under this server"),
                Err(error) => tracing::warn!(%error, "the lock on the database was not taken again"),
            }
        }
        holder = pid.or(holder);
        tokio::time::sleep(LOOK).await;
    }
}

/// The advisory lock's key: `techo` in ASCII.
const KEY: i64 = 0x0074_6563_686f;
/// How long [`hold`] waits for a migration, in all a quarter of a minute.
const TRIES: u32 = 150;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a database server may take for its first answer.
const REACH: Duration = Duration::from_secs(10);
/// How often a session is looked after.
const LOOK: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn fresh() -> Config {
        let path = std::env::temp_dir().join(format!("techo-hold-{}", Random::system().id()));
        Config::new(path, ([127, 0, 0, 1], 0).into())
    }

    #[tokio::test]
    async fn many_share_and_one_is_alone() {
        let config = fresh();
        assert!(!exists(&config));
        let one = hold(&config).await.expect("the first");
        assert!(exists(&config));
        let two = hold(&config).await.expect("the second");
        assert!(matches!(alone(&config).await, Err(HoldError::InUse)));
        drop(one);
        assert!(in_use(&config).await.expect("asked"));
        drop(two);
        let alone = alone(&config).await.expect("nobody else");
        drop(alone);
        hold(&config).await.expect("again");
        std::fs::remove_dir_all(&config.data).expect("removed");
    }

    #[tokio::test]
    async fn first_starts_at_once_make_one_schema() {
        let config = fresh();
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let config = config.clone();
                tokio::spawn(async move { hold(&config).await })
            })
            .collect();
        for start in starts {
            start.await.expect("joined").expect("held");
        }
        std::fs::remove_dir_all(&config.data).expect("removed");
    }

    #[tokio::test]
    async fn an_old_schema_in_use_is_not_changed() {
        let config = fresh();
        let held = hold(&config).await.expect("held");
        let db = Db::open(&config.database_url()).await.expect("opened");
        // As an older program would have left it.
        db.execute("DELETE FROM seaql_migrations WHERE version LIKE ?", ["%audit".into()]).await.expect("changed");
        assert!(matches!(hold(&config).await, Err(HoldError::Older)));
        drop(held);
        std::fs::remove_dir_all(&config.data).expect("removed");
    }

    #[test]
    fn where_the_database_is() {
        let mut config = Config::new("/d", ([127, 0, 0, 1], 0).into());
        for (url, path) in [
            (None, Some("/d/techo.db")),
            (Some("sqlite:/x/y.db"), Some("/x/y.db")),
            (Some("sqlite:///x/y.db?mode=rwc"), Some("/x/y.db")),
            (Some("sqlite::memory:"), None),
            (Some("postgres://h/d"), None),
        ] {
            config.database = url.map(str::to_owned);
            assert_eq!(place(&config).as_deref(), path.map(Path::new), "{url:?}");
        }
    }
}
