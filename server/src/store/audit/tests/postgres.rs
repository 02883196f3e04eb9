//! The same on PostgreSQL. Needs the URL of a cluster, without a database, whose
//! user may create databases in `TECHO_TEST_POSTGRES`; each test has one of its own.

use sea_orm::ConnectionTrait;
use tokio::task::JoinSet;

use super::*;

pub(super) async fn world() -> World {
    let url = std::env::var("TECHO_TEST_POSTGRES").expect("TECHO_TEST_POSTGRES names a server");
    let name = format!("techo_audit_{}", Random::system().id().replace('-', ""));
    let server = Db::open(&format!("{url}/postgres")).await.expect("server");
    server.write().await.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("created");
    let db = Db::open(&format!("{url}/{name}")).await.expect("database");
    World::over(db, std::env::temp_dir().join("unused")).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn appends_folds_searches_and_checks() {
    let world = world().await;
    let (one, two) = (world.open().await, world.open().await);
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let log = if task % 2 == 0 { one.clone() } else { two.clone() };
        tasks.spawn(async move {
            for n in 0..20 {
                log.append(read(task * 1000 + n, &[1, task + 10])).await.expect("kept");
                if n % 10 == 0 {
                    let mut write = read(task * 1000 + n, &[2]);
                    write.kind = Kind::Create;
                    WriteRow::insert(vec![log.row(write)], &*log.0.db.write().await).await.expect("inserted");
                    log.catch_up().await.expect("filed");
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(one.count(&of(&[1])).await.expect("counted"), 64 * 20);
    assert_eq!(two.count(&of(&[2])).await.expect("counted"), 64 * 2);
    assert_eq!(two.entries(&of(&[10])).await.expect("found").len(), 20);
    let page = one.entries(&Filter { limit: 5, ..of(&[1, 2]) }).await.expect("found");
    let next = one.entries(&Filter { limit: 5, after: Some(page[4].cursor), ..of(&[1, 2]) }).await.expect("found");
    assert!(page[4].record.at >= next[0].record.at && page[4].id != next[0].id);
    let found = one.by_id(&page[0].id).await.expect("asked").expect("there");
    assert_eq!(found.record, page[0].record);
    let report = world.verify().await;
    assert!(report.sound(), "{:?}", report.faults);
    assert_eq!((report.chains.len(), report.waiting), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn damage_shows() {
    for sql in [
        "UPDATE audit_log SET record = set_byte(record, 5, (get_byte(record, 5) + 1) % 256) WHERE number = 4",
        "UPDATE audit_log SET mac = set_byte(mac, 5, (get_byte(mac, 5) + 1) % 256) WHERE number = 4",
        "DELETE FROM audit_log WHERE number = 4",
        "DELETE FROM audit_log WHERE number >= 18",
        "DELETE FROM audit_log",
        "UPDATE audit_log SET number = number + 1000 WHERE number = 4",
        "DELETE FROM audit_chain",
        "UPDATE audit_chain SET place = 3",
        "DELETE FROM audit_entry WHERE place = 4",
        "UPDATE audit_entry SET citizen = 77 WHERE place = 4",
    ] {
        let world = world().await;
        let log = world.open().await;
        for n in 0..20 {
            log.append(read(n, &[1])).await.expect("kept");
        }
        log.catch_up().await.expect("filed");
        assert!(world.verify().await.sound());
        assert!(world.db.execute(sql, []).await.expect("done") > 0, "{sql}");
        assert!(!world.verify().await.sound(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TECHO_TEST_POSTGRES"]
async fn while_the_table_is_gone_requests_fail_and_then_go_on() {
    let world = world().await;
    let log = world.open().await;
    log.append(read(1, &[1])).await.expect("kept");
    world.db.write().await.execute_unprepared("ALTER TABLE audit_log RENAME TO elsewhere").await.expect("renamed");
    assert!(log.append(read(2, &[1])).await.is_err());
    world.db.write().await.execute_unprepared("ALTER TABLE elsewhere RENAME TO audit_log").await.expect("renamed");
    log.append(read(3, &[1])).await.expect("kept");
    let ats: Vec<i64> = log.entries(&of(&[1])).await.expect("found").iter().map(|found| found.record.at).collect();
    assert_eq!(ats, [3, 1]);
    assert!(world.verify().await.sound());
}
