//! Whatever is done to the log behind its back shows.

use super::super::entry::ENTRY_HEAD;
use super::super::files::HEADER;
use super::*;

#[tokio::test]
async fn an_untouched_log_is_sound() {
    let world = World::with_records(60).await;
    assert!(world.segments().len() > 2, "several segments");
    let report = world.verify().await;
    assert!(report.sound(), "{report:?}");
    assert_eq!(report.chains.iter().map(|chain| chain.records).sum::<u64>(), 60);
    assert!(report.torn.is_empty() && report.waiting == 0);
}

#[tokio::test]
async fn every_changed_byte_shows() {
    let world = World::with_records(12).await;
    for path in world.segments() {
        let original = fs::read(&path).expect("segment");
        for at in 0..original.len() {
            let mut changed = original.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).expect("written");
            assert!(!world.verify().await.sound(), "{} byte {at}", path.display());
        }
        fs::write(&path, &original).expect("restored");
    }
    assert!(world.verify().await.sound());
}

#[tokio::test]
async fn every_cut_tail_shows() {
    let world = World::with_records(30).await;
    let segments = world.segments();
    for path in &segments {
        let original = fs::read(path).expect("segment");
        for length in (0..original.len()).rev().step_by(37).chain([0, 1, HEADER - 1, HEADER, original.len() - 1]) {
            fs::write(path, &original[..length]).expect("cut");
            assert!(!world.verify().await.sound(), "{} cut at {length}", path.display());
        }
        fs::write(path, &original).expect("restored");
    }
    let last = segments.last().expect("a last segment");
    fs::rename(last, last.with_extension("away")).expect("moved");
    assert!(!world.verify().await.sound(), "a whole segment is gone");
    fs::rename(last.with_extension("away"), last).expect("moved back");
    fs::remove_dir_all(files::folder(&world.directory, 1)).expect("removed");
    assert!(!world.verify().await.sound(), "the whole chain is gone");
    fs::remove_dir_all(&world.directory).expect("removed");
    assert!(!world.verify().await.sound(), "the whole log is gone");
    assert!(World::new().await.verify().await.sound(), "a database no server ran on");
}

/// The byte ranges of a segment's entries.
fn entries(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut found, mut at) = (Vec::new(), HEADER);
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize;
        found.push(at..at + ENTRY_HEAD + length);
        at += ENTRY_HEAD + length;
    }
    found
}

#[tokio::test]
async fn a_record_left_out_doubled_or_moved_shows_where() {
    let world = World::with_records(40).await;
    for path in world.segments() {
        let original = fs::read(&path).expect("segment");
        let ranges = entries(&original);
        for n in 0..ranges.len() {
            let here = ranges[n].clone();
            let without = [&original[..here.start], &original[here.end..]].concat();
            let doubled = [&original[..here.end], &original[here.clone()], &original[here.end..]].concat();
            let mut forms = vec![without, doubled];
            if let Some(next) = ranges.get(n + 1) {
                let swapped =
                    [&original[..here.start], &original[next.clone()], &original[here.clone()], &original[next.end..]];
                forms.push(swapped.concat());
            }
            for (form, bytes) in forms.into_iter().enumerate() {
                fs::write(&path, bytes).expect("written");
                let report = world.verify().await;
                let expected = if form == 1 { here.end } else { here.start } as u64;
                let first = report.faults.first().expect("it shows");
                if n + 1 < ranges.len() {
                    assert_eq!(first.position.place, expected, "entry {n} form {form}: {first:?}");
                }
            }
        }
        fs::write(&path, &original).expect("restored");
    }
}

#[tokio::test]
async fn a_log_written_anew_without_the_key_shows() {
    let world = World::with_records(10).await;
    let forged = World { keys: Keys::for_test(2), ..World::with_records(0).await };
    let log = forged.open().await;
    for n in 0..10 {
        log.append(read(n, &[1])).await.expect("kept");
    }
    forged.closed(log).await;
    for entry in fs::read_dir(files::folder(&forged.directory, 2)).expect("forged chain") {
        let from = entry.expect("entry").path();
        fs::copy(&from, files::folder(&world.directory, 1).join(from.file_name().expect("name"))).expect("copied");
    }
    assert!(!world.verify().await.sound());
}

#[tokio::test]
async fn rows_deleted_changed_or_put_in_show() {
    let world = World::with_records(20).await;
    for sql in [
        "DELETE FROM audit_entry WHERE at = 7",
        "UPDATE audit_entry SET citizen = 99 WHERE at = 7",
        "UPDATE audit_entry SET kind = 8 WHERE at = 7",
        "UPDATE audit_entry SET at = 700 WHERE at = 7",
        "UPDATE audit_entry SET place = place + 1 WHERE at = 7",
        "INSERT INTO audit_entry SELECT 98, at, chain, segment, place, ordinal, kind, NULL FROM audit_entry WHERE at = 7",
        "UPDATE audit_chain SET place = place - 1",
        "UPDATE audit_chain SET place = 53, segment = 1",
        "UPDATE audit_chain SET seal = zeroblob(33)",
        "DELETE FROM audit_chain",
    ] {
        let copy = World::with_records(20).await;
        assert!(copy.verify().await.sound());
        assert!(copy.db.execute(sql, []).await.expect("done") > 0, "{sql}");
        assert!(!copy.verify().await.sound(), "{sql}");
    }
    assert!(world.verify().await.sound());
}

/// The newest chain, taken away with its log and its head, left no gap behind.
#[tokio::test]
async fn the_newest_chain_taken_away_whole_shows() {
    let world = World::with_records(20).await;
    world.db.execute("DELETE FROM audit_chain", []).await.expect("deleted");
    fs::remove_dir_all(files::folder(&world.directory, 1)).expect("removed");
    let report = world.verify().await;
    assert_eq!(report.faults.len(), 1, "{report:?}");
}

#[tokio::test]
async fn a_head_set_back_with_a_mac_from_the_log_shows() {
    let world = World::with_records(20).await;
    let segments = world.segments();
    let last = segments.last().expect("last segment");
    let bytes = fs::read(last).expect("segment");
    let ranges = entries(&bytes);
    let keep = &ranges[ranges.len() - 2];
    fs::write(last, &bytes[..keep.end]).expect("cut");
    let mac = bytes[keep.start + 8..keep.start + 40].to_vec();
    let place = i64::try_from(keep.end).expect("small");
    let sql = "UPDATE audit_chain SET place = ?, mac = ?";
    world.db.execute(sql, [place.into(), mac.into()]).await.expect("set back");
    let delete = "DELETE FROM audit_entry WHERE place >= ? AND segment = (SELECT max(segment) FROM audit_entry)";
    world.db.execute(delete, [place.into()]).await.expect("deleted");
    assert!(!world.verify().await.sound());
}

#[tokio::test]
async fn a_damaged_chain_is_left_alone_and_a_new_one_begun() {
    let world = World::with_records(5).await;
    let last = world.segments().pop().expect("segment");
    let original = fs::read(&last).expect("segment");
    fs::write(&last, &original[..original.len() - 1]).expect("cut");
    let log = world.open().await;
    let position = log.append(read(100, &[1])).await.expect("kept");
    assert_eq!(position.chain, 2);
    assert_eq!(fs::read(&last).expect("segment").len(), original.len() - 1, "evidence is not touched");
    assert_eq!(log.entries(&of(&[1])).await.expect("found")[0].record.at, 100);
    assert!(!world.verify().await.sound());
    fs::write(&last, &original).expect("restored");
    assert!(world.verify().await.sound());
}

#[tokio::test]
async fn a_waiting_row_that_was_changed_shows_and_stays_out() {
    let world = World::new().await;
    let log = world.open().await;
    let mut record = read(5, &[1]);
    record.kind = Kind::Update;
    WriteRow::insert(vec![log.row(record.clone()), log.row(record)], &*world.db.write().await).await.expect("inserted");
    assert_eq!((world.verify().await.waiting, world.verify().await.changed), (2, 0));
    let sql = "UPDATE audit_write SET record = ? WHERE id = (SELECT min(id) FROM audit_write)";
    world.db.execute(sql, [vec![1u8].into()]).await.expect("changed");
    assert!(!world.verify().await.sound());
    log.catch_up().await.expect("filed");
    let report = world.verify().await;
    assert_eq!((report.waiting, report.changed, report.sound()), (1, 1, false));
    assert_eq!(log.entries(&of(&[1])).await.expect("found").len(), 1);
}
