//! The audit log as a whole, against a real database and real files.

mod concurrency;
mod damage;
mod events;
mod kill;
mod postgres;
mod speed;

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use techo_migrations::{Migrator, MigratorTrait};

use super::*;
use crate::clock::Clock;
use crate::random::Random;
use crate::store::keys::Keys;

/// A database and a folder of its own.
struct World {
    db: Db,
    directory: PathBuf,
    keys: Keys,
}

impl World {
    async fn new() -> Self {
        Self::at(std::env::temp_dir().join(format!("techo-audit-{}", Random::system().id()))).await
    }

    async fn at(root: PathBuf) -> Self {
        fs::create_dir_all(&root).expect("temporary folder");
        let db = Db::open(&format!("sqlite:{}", root.join("db").display())).await.expect("database");
        Self::over(db, root.join("audit")).await
    }

    async fn over(db: Db, directory: PathBuf) -> Self {
        Migrator::up(&*db.write().await, None).await.expect("schema");
        Self { db, directory, keys: Keys::for_test(1) }
    }

    /// Files only when asked, small segments.
    fn options() -> Options {
        Options {
            fold_every: None,
            segment_bytes: 4096,
            ..Options::new(Clock::of(Timestamp::default), Random::system())
        }
    }

    async fn open(&self) -> AuditLog {
        AuditLog::open(&self.db, &self.directory, &self.keys, Self::options()).await.expect("log")
    }

    async fn verify(&self) -> Report {
        verify(&self.db, &self.directory, &self.keys).await.expect("checked")
    }

    /// A log of so many records, filed and closed.
    async fn with_records(count: i64) -> Self {
        let world = Self::new().await;
        let log = world.open().await;
        for n in 0..count {
            log.append(read(n, &[n % 3 + 1])).await.expect("kept");
        }
        log.catch_up().await.expect("filed");
        world.closed(log).await;
        world
    }

    /// Waits until the writer of a dropped log has let go of its chain.
    async fn closed(&self, log: AuditLog) {
        drop(log);
        if self.db.backend() == sea_orm::DatabaseBackend::Postgres {
            return; // nothing holds a chain in a table
        }
        let held =
            || files::chains(&self.directory).expect("chains").iter().any(|chain| files::held(&self.directory, *chain));
        for _ in 0..500 {
            if !held() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the writer did not end");
    }

    /// The segment files of chain 1.
    fn segments(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(files::folder(&self.directory, 1))
            .expect("chain 1")
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        found.sort();
        found
    }
}

/// A read of one resource of each citizen.
fn read(at: i64, citizens: &[i64]) -> Record {
    let mut record = Record::new(at, Kind::Read, Outcome::Success);
    record.client = Some(Party::new("Device/app-public", None));
    record.user = Some(Party::new("Patient/pt-hanako", Some("山田 花子")));
    record.address = Some("192.0.2.7".into());
    record.purpose = Some("FAMRQT".into());
    record.method = Some("GET".into());
    record.resource = Some(format!("Observation/o{at}").into());
    record.patients = citizens.iter().map(|citizen| Disclosed::of(*citizen, format!("pt-{citizen}"))).collect();
    record
}

fn of(citizens: &[i64]) -> Filter<'_> {
    Filter { citizens, from: None, until: None, kinds: &[], only: None, after: None, limit: 1000 }
}
