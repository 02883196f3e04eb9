//! A process that dies: what was acknowledged is there, what was torn is set aside.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

#[tokio::test]
async fn a_torn_tail_is_set_aside_and_told() {
    let world = World::with_records(3).await;
    let last = world.segments().pop().expect("segment");
    let whole = fs::read(&last).expect("segment");
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[files::HEADER..files::HEADER + 70]);
    fs::write(&last, &torn).expect("torn");
    let before = world.verify().await;
    assert!(before.sound(), "a torn tail is no forgery: {:?}", before.faults);
    assert_eq!((before.torn.len(), before.torn[0].bytes, before.torn[0].live), (1, 70, false));

    let log = world.open().await;
    assert_eq!(fs::read(&last).expect("segment")[..whole.len()], whole);
    let repaired = log.entries(&of(&[NOBODY])).await.expect("found");
    assert_eq!(repaired.len(), 1);
    assert_eq!(repaired[0].record.kind, Kind::Repaired);
    let aside = fs::read_dir(last.parent().expect("folder"))
        .expect("listing")
        .filter(|entry| entry.as_ref().expect("entry").file_name().to_string_lossy().contains("torn"));
    assert_eq!(aside.count(), 1, "the torn bytes are kept");
    log.append(read(9, &[1])).await.expect("kept");
    log.catch_up().await.expect("filed");
    let after = world.verify().await;
    assert!(after.sound() && after.torn.is_empty(), "{:?}", after.faults);
}

#[tokio::test]
async fn a_file_that_grew_without_its_bytes_is_a_torn_tail() {
    let world = World::with_records(3).await;
    let last = world.segments().pop().expect("segment");
    let mut grown = fs::read(&last).expect("segment");
    grown.extend_from_slice(&[0; 4096]);
    fs::write(&last, &grown).expect("grown");
    let log = world.open().await;
    assert_eq!(log.append(read(9, &[1])).await.expect("kept").chain, 1);
    assert!(world.verify().await.sound());
}

#[tokio::test]
async fn what_was_not_filed_before_the_end_is_filed_after_the_next_start() {
    let world = World::new().await;
    let log = world.open().await;
    for n in 0..100 {
        log.append(read(n, &[1])).await.expect("kept");
    }
    world.closed(log).await;
    let log = world.open().await;
    assert_eq!(log.count(&of(&[1])).await.expect("counted"), 100);
    assert!(world.verify().await.sound());
}

/// Not a test by itself: a process whose files may not grow past a limit, until it lifts it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `a_full_disk_refuses_and_leaves_no_half_record` in a process of its own"]
async fn starved() {
    let root = std::env::var_os("TECHO_AUDIT_VICTIM").expect("a folder");
    let world = World::at(root.into()).await;
    let options = Options { segment_bytes: 64 << 20, ..World::options() };
    let log = AuditLog::open(&world.db, &world.directory, &world.keys, options).await.expect("log");
    let mut refused = 0;
    for n in 0..20_000 {
        match log.append(read(n, &[1])).await {
            Ok(_) if refused == 0 => println!("acknowledged {n}"),
            Ok(_) => break,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "it stays refused while there is no room");
    let own = std::process::id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &own, "--fsize=unlimited"]).status().expect("prlimit");
    assert!(lifted.success());
    for n in 100_000..100_010 {
        log.append(read(n, &[1])).await.expect("room again");
        println!("acknowledged {n}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_leaves_no_half_record() {
    let root = std::env::temp_dir().join(format!("techo-audit-{}", Random::system().id()));
    let world = World::at(root.clone()).await;
    let program = std::env::current_exe().expect("this test");
    let out = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -Sf 1400; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--ignored", "--exact", "--nocapture", "store::audit::tests::kill::starved"])
        .env("TECHO_AUDIT_VICTIM", &root)
        .output()
        .expect("ran");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}");
    let acknowledged = text.lines().filter(|line| line.starts_with("acknowledged ")).count() as u64;
    let log = world.open().await;
    assert_eq!(log.count(&of(&[1])).await.expect("counted"), acknowledged, "those acknowledged and no other");
    let report = world.verify().await;
    assert!(report.sound() && report.torn.is_empty(), "{report:?}");
}

/// Not a test by itself: the process that the next one kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by `kill_nine_loses_no_acknowledged_record` in a process of its own"]
async fn victim() {
    let root = std::env::var_os("TECHO_AUDIT_VICTIM").expect("a folder");
    let world = World::at(root.into()).await;
    let options = Options { fold_every: Some(std::time::Duration::from_millis(20)), ..World::options() };
    let log = AuditLog::open(&world.db, &world.directory, &world.keys, options).await.expect("log");
    let start = log.count(&of(&[1])).await.expect("counted").cast_signed();
    let next = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(start));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (log, next) = (log.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                log.append(read(n, &[1])).await.expect("kept");
                println!("acknowledged {n}");
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_loses_no_acknowledged_record() {
    let root = std::env::temp_dir().join(format!("techo-audit-{}", Random::system().id()));
    fs::create_dir_all(&root).expect("folder");
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "--nocapture", "store::audit::tests::kill::victim"])
            .env("TECHO_AUDIT_VICTIM", &root)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut told = 0;
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged.push(n.parse::<i64>().expect("a number"));
                told += 1;
            }
            if told == 300 + round * 71 {
                child.kill().expect("killed");
            }
        }
        child.wait().expect("ended");
        let world = World::at(root.clone()).await;
        let report = world.verify().await;
        assert!(report.sound(), "round {round}: {:?}", report.faults);
        let log = world.open().await;
        let mut kept: Vec<i64> = Vec::new();
        let mut after = None;
        loop {
            let page = log.entries(&Filter { after, ..of(&[1]) }).await.expect("found");
            let Some(last) = page.last() else { break };
            after = Some(last.cursor);
            kept.extend(page.iter().map(|found| found.record.at));
        }
        kept.sort_unstable();
        let lost: Vec<&i64> = acknowledged.iter().filter(|n| kept.binary_search(n).is_err()).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        assert!(world.verify().await.sound());
        world.closed(log).await;
    }
    assert!(acknowledged.len() > 2000, "{}", acknowledged.len());
}
