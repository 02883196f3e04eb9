//! Many at once: appenders, processes, projectors, writes.

use sea_orm::TransactionTrait;
use tokio::task::JoinSet;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_appenders_lose_nothing() {
    let world = World::new().await;
    let options = Options { fold_every: Some(std::time::Duration::from_millis(20)), ..World::options() };
    let log = AuditLog::open(&world.db, &world.directory, &world.keys, options).await.expect("log");
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let log = log.clone();
        tasks.spawn(async move {
            let mut positions = Vec::new();
            for n in 0..50 {
                positions.push(log.append(read(task * 1000 + n, &[task + 1])).await.expect("kept"));
            }
            assert!(positions.is_sorted(), "one task's records are in its order");
            positions
        });
    }
    let mut positions: Vec<Position> = tasks.join_all().await.into_iter().flatten().collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 64 * 50);
    for citizen in 1..=64 {
        let found = log.entries(&of(&[citizen])).await.expect("found");
        let expected: Vec<i64> = (0..50).rev().map(|n| (citizen - 1) * 1000 + n).collect();
        assert_eq!(found.iter().map(|found| found.record.at).collect::<Vec<_>>(), expected);
    }
    let report = world.verify().await;
    assert!(report.sound(), "{:?}", report.faults);
    assert_eq!(report.chains[0].records, 64 * 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_side_by_side_have_a_chain_each_and_file_each_others() {
    let world = World::new().await;
    let (server, command) = (world.open().await, world.open().await);
    let first = server.append(read(1, &[7])).await.expect("kept");
    let second = command.append(read(2, &[7])).await.expect("kept");
    assert_ne!(first.chain, second.chain);
    for log in [&server, &command] {
        let ats: Vec<i64> = log.entries(&of(&[7])).await.expect("found").iter().map(|found| found.record.at).collect();
        assert_eq!(ats, [2, 1]);
    }
    let mut tasks = JoinSet::new();
    for log in [&server, &command, &server, &command] {
        let log = log.clone();
        tasks.spawn(async move {
            for n in 0..40 {
                log.append(read(10 + n, &[8])).await.expect("kept");
                log.catch_up().await.expect("filed");
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(server.entries(&of(&[8])).await.expect("found").len(), 160);
    assert!(world.verify().await.sound());
    drop(command);
    world.closed(server).await;
    let again = world.open().await;
    assert!(again.append(read(99, &[7])).await.expect("kept").chain <= 2, "a chain is taken up, not begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writes_record_stands_and_falls_with_its_transaction() {
    let world = World::new().await;
    let log = world.open().await;
    for (at, committed) in [(1, true), (2, false), (3, true)] {
        let mut record = read(at, &[5, 6]);
        record.kind = Kind::Create;
        let tx = world.db.write().await.begin().await.expect("begun");
        WriteRow::insert(vec![log.row(record)], &tx).await.expect("inserted");
        if committed {
            tx.commit().await.expect("committed");
        } else {
            tx.rollback().await.expect("rolled back");
        }
    }
    for citizen in [5, 6] {
        let ats: Vec<i64> = log.entries(&of(&[citizen])).await.expect("found").iter().map(|f| f.record.at).collect();
        assert_eq!(ats, [3, 1], "citizen {citizen}");
    }
    let report = world.verify().await;
    assert!(report.sound() && report.waiting == 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_moved_twice_is_filed_once() {
    let world = World::new().await;
    let (one, two) = (world.open().await, world.open().await);
    for at in 0..200 {
        let mut record = read(at, &[5]);
        record.kind = Kind::Update;
        WriteRow::insert(vec![one.row(record)], &*world.db.write().await).await.expect("inserted");
    }
    // Both move before either files.
    assert_eq!(row::move_into_log(&one.0).await.expect("moved"), 200);
    assert_eq!(row::move_into_log(&two.0).await.expect("moved"), 200);
    let (left, right) = tokio::join!(one.catch_up(), two.catch_up());
    left.and(right).expect("filed");
    assert_eq!(one.count(&of(&[5])).await.expect("counted"), 200);
    let report = world.verify().await;
    assert!(report.sound() && report.waiting == 0, "{:?}", report.faults);
}

/// Was counted neither among what waits nor in its chain.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_moved_during_a_check_is_counted() {
    let world = World::new().await;
    let log = world.open().await;
    for (written, at) in (1_u64..=100).zip(0..) {
        let mut record = read(at, &[5]);
        record.kind = Kind::Update;
        WriteRow::insert(vec![log.row(record)], &*world.db.write().await).await.expect("inserted");
        let (report, moved) = tokio::join!(world.verify(), log.catch_up());
        moved.expect("filed");
        let counted = report.chains[0].records + report.waiting as u64;
        assert!(counted >= written, "{counted} of {written}");
        assert!(report.sound(), "{:?}", report.faults);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_on_without_gap_or_repeat() {
    let world = World::new().await;
    let log = world.open().await;
    for n in 0..40 {
        // Several at one instant, some about two citizens.
        let citizens: &[i64] = if n % 4 == 0 { &[1, 2] } else { &[1] };
        log.append(read(n / 5, citizens)).await.expect("kept");
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = log.entries(&Filter { after, limit: 7, ..of(&[1, 2]) }).await.expect("page");
        seen.extend(page.iter().map(|found| (found.record.at, found.id.clone())));
        match page.last() {
            Some(last) => after = Cursor::from_bytes(&last.cursor.bytes()),
            None => break,
        }
        assert!(after.is_some());
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.windows(2).all(|pair| pair[0].0 >= pair[1].0), "newest first");
    let ids: std::collections::BTreeSet<&String> = seen.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 50, "an id each");
    let between = Filter { from: Some(2), until: Some(4), ..of(&[1]) };
    assert_eq!(log.entries(&between).await.expect("found").len(), 10);
    assert_eq!(log.count(&Filter { kinds: &[Kind::Delete], ..of(&[1]) }).await.expect("counted"), 0);
    assert!(log.entries(&of(&[])).await.expect("found").is_empty());
    for (at, id) in &seen {
        let found = log.by_id(id).await.expect("asked").expect("there");
        assert_eq!((found.record.at, &found.id), (*at, id));
    }
    assert!(log.by_id("no-such-id").await.expect("asked").is_none());
    // By id: each in whose events it is, though both be in one record, and nobody's else.
    let places: Vec<Place> = seen.iter().filter_map(|(_, id)| log.place(id)).collect();
    assert_eq!((places.len(), log.place("no-such-id")), (50, None));
    for (citizen, number) in [(1, 40), (2, 10), (3, 0)] {
        let mut sum = 0;
        for place in &places {
            let citizens = [citizen];
            let only = Filter { only: Some(std::slice::from_ref(place)), ..of(&citizens) };
            let found = log.entries(&only).await.expect("found");
            assert_eq!(log.count(&only).await.expect("counted"), found.len() as u64);
            assert!(found.iter().all(|one| one.citizen == citizen && log.place(&one.id) == Some(*place)));
            sum += found.len();
        }
        assert_eq!(sum, number, "of {citizen}");
    }
    assert!(log.entries(&Filter { only: Some(&[]), ..of(&[1]) }).await.expect("found").is_empty());
}

#[tokio::test]
async fn records_about_nobody_and_about_someone_twice_are_filed() {
    let world = World::new().await;
    let log = world.open().await;
    log.append(Record::new(1, Kind::SignInFailed, Outcome::Refused)).await.expect("kept");
    log.append(read(2, &[3, 3, 4])).await.expect("kept");
    assert_eq!(log.entries(&of(&[NOBODY])).await.expect("found").len(), 1);
    assert_eq!(log.entries(&of(&[3])).await.expect("found").len(), 1);
    assert_eq!(log.entries(&of(&[3, 4])).await.expect("found").len(), 2);
    assert!(world.verify().await.sound());
}

#[tokio::test]
async fn a_new_key_generation_goes_on_with_the_chain() {
    let path = std::env::temp_dir().join(format!("techo-audit-keys-{}", Random::system().id()));
    let mut world = World::new().await;
    world.keys = Keys::open_or_create(&path, &Random::system()).expect("keys");
    let log = world.open().await;
    log.append(read(1, &[1])).await.expect("kept");
    let id = log.entries(&of(&[1])).await.expect("found")[0].id.clone();
    world.closed(log).await;
    world.keys = Keys::rotate(&path, &Random::system()).expect("rotated");
    let log = world.open().await;
    let position = log.append(read(2, &[1])).await.expect("kept");
    assert_eq!((position.chain, position.segment), (1, 2));
    assert_eq!(log.entries(&of(&[1])).await.expect("found").len(), 2);
    assert_eq!(log.by_id(&id).await.expect("asked").expect("the id is what it was").record.at, 1);
    assert!(world.verify().await.sound());
}
