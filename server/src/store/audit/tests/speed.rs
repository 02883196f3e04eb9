//! How much the log bears. Not run with the others: `cargo test … -- --ignored --nocapture speed`.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::*;

async fn measure(world: &World, options: Options, tasks: i64, seconds: u64) {
    let log = AuditLog::open(&world.db, &world.directory, &world.keys, options.clone()).await.expect("log");
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let log = log.clone();
        running.spawn(async move {
            let mut kept = 0u64;
            while Instant::now() < end {
                log.append(read(i64::try_from(kept).expect("small"), &[task + 1])).await.expect("kept");
                kept += 1;
            }
            kept
        });
    }
    let kept: u64 = running.join_all().await.into_iter().sum();
    let took = start.elapsed();
    let behind = Instant::now();
    log.catch_up().await.expect("filed");
    println!(
        "{:?}, filing {:?}: {} records in {took:?}: {:.0}/s; the projector needed {:?} more",
        options.sync,
        options.fold_every,
        kept,
        u32::try_from(kept).map_or(0.0, f64::from) / took.as_secs_f64(),
        behind.elapsed()
    );
    world.closed(log).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn appends_a_second() {
    let options = Options::new(Clock::of(Timestamp::default), Random::system());
    for (sync, fold_every) in [(Sync::Soon, None), (Sync::Soon, Some(Duration::from_millis(200))), (Sync::Always, None)]
    {
        let world = World::new().await;
        measure(&world, Options { sync, fold_every, ..options.clone() }, 64, 3).await;
    }
    if std::env::var_os("TECHO_TEST_POSTGRES").is_some() {
        println!("PostgreSQL:");
        measure(&super::postgres::world().await, options, 64, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a check"]
async fn ten_thousand_a_second_are_filed_in_time() {
    let world = World::new().await;
    let options = Options::new(Clock::of(Timestamp::default), Random::system());
    let log = AuditLog::open(&world.db, &world.directory, &world.keys, options).await.expect("log");
    let mut worst = Duration::ZERO;
    let start = Instant::now();
    for tick in 0..800u32 {
        let appends = (0..100).map(|n| log.append(read(i64::from(tick) * 100 + n, &[n + 1])));
        futures_util::future::try_join_all(appends).await.expect("kept");
        if tick % 100 == 99 {
            let asked = Instant::now();
            log.catch_up().await.expect("filed");
            worst = worst.max(asked.elapsed());
        }
        tokio::time::sleep_until((start + Duration::from_millis(10) * (tick + 1)).into()).await;
    }
    let took = start.elapsed();
    println!("80,000 records in {took:?}; a search waited at most {worst:?} for the projector");
}
