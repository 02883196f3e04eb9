//! The ways from page to page: forth, back, to the first; and that a walk sees each
//! surviving row once while others come and go.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use techo_conformance_tests::sample::{patient, transaction, urn, weight};
use techo_conformance_tests::world::{World, ids, link};

#[test]
fn pages_lead_forth_and_back_and_to_the_first() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("頁", "pages-1", "2024-04-01"));
    for number in 0..23 {
        let mut resource = weight(&who, &format!("2026-01-{:02}", 1 + number % 9), &format!("{}.5", 5 + number % 4));
        if number % 5 == 0 {
            resource.as_object_mut().map(|resource| resource.remove("effectiveDateTime"));
        }
        tester.create(&resource);
    }
    let sorts = [
        "",
        "&_sort=date",
        "&_sort=-date",
        "&_sort=-date,_id",
        "&_sort=_lastUpdated",
        "&_sort=-_id",
        "&_sort=value-quantity,-date",
    ];
    for sort in sorts {
        let about = format!("Observation?subject=Patient/{who}{sort}");
        let all = tester.ids(&format!("{about}&_count=100"));
        assert_eq!(all.len(), 23);
        let start = format!("{about}&_count=5");
        let forth = tester.walk(&start, "next");
        assert_eq!(forth.concat(), all, "{sort}");
        assert_eq!(forth.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 5, 3], "{sort}");
        let mut last = tester.search(&start);
        assert_eq!(link(&last, "previous"), None, "nothing comes before the first page");
        let first = link(&last, "first").expect("first").to_owned();
        while let Some(next) = link(&last, "next") {
            let next = next.to_owned();
            last = tester.search(&next);
            assert_eq!(link(&last, "self"), Some(next.as_str()), "a page is itself");
            assert_eq!(link(&last, "first"), Some(first.as_str()));
        }
        assert_eq!(ids(&tester.search(&first), "match"), forth[0], "{sort}");
        let last = link(&last, "self").expect("self").to_owned();
        let mut back = tester.walk(&last, "previous");
        back.reverse();
        assert_eq!(back, forth, "{sort}");
        // To and fro.
        let second = tester.search(link(&tester.search(&start), "next").expect("next"));
        let before = tester.search(link(&second, "previous").expect("previous"));
        assert_eq!(ids(&before, "match"), forth[0]);
        assert_eq!(ids(&tester.search(link(&before, "next").expect("next")), "match"), forth[1]);
        assert_eq!(link(&before, "previous"), None);
    }
    let one = tester.search(&format!("Observation?subject=Patient/{who}&_count=100"));
    for relation in ["first", "next", "previous"] {
        assert_eq!(link(&one, relation), None, "one page needs no {relation}");
    }
}

#[test]
fn counts_and_totals_are_as_asked() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("数", "totals-1", "2024-04-01"));
    for _ in 0..3 {
        tester.create(&weight(&who, "2026-01-10", "7.5"));
    }
    let about = format!("Observation?subject=Patient/{who}");
    for (query, total, entries, next) in [
        ("", json!(3), 3, false),
        ("&_count=2", json!(3), 2, true),
        ("&_count=3", json!(3), 3, false),
        ("&_count=2&_total=none", Value::Null, 2, true),
        ("&_total=none", Value::Null, 3, false),
        ("&_count=2&_total=estimate", json!(3), 2, true),
        ("&_count=2&_total=accurate", json!(3), 2, true),
        ("&_count=0", json!(3), 0, false),
        ("&_count=0&_total=none", json!(3), 0, false),
        ("&_summary=count", json!(3), 0, false),
        ("&_count=1001", json!(3), 3, false),
        ("&_count=99999999999999999999999", json!(3), 3, false),
    ] {
        let page = tester.search(&format!("{about}{query}"));
        assert_eq!((&page["total"], ids(&page, "match").len()), (&total, entries), "{query}");
        assert_eq!(link(&page, "next").is_some(), next, "{query}");
    }
    for bad in ["_count=-1", "_count=x", "_count=", "_total=some", "_count=1&_count=2"] {
        tester.get(&format!("{about}&{bad}")).refused(400);
    }
}

#[test]
fn a_page_whose_rows_have_gone_still_leads_both_ways() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("消", "gone-1", "2024-04-01"));
    let all: Vec<String> = (0..6).map(|_| tester.create(&weight(&who, "2026-01-10", "7.5"))).collect();
    let start = format!("Observation?subject=Patient/{who}&_count=2");
    let first = tester.search(&start);
    let second = tester.search(link(&first, "next").expect("next"));
    let third = tester.search(link(&second, "next").expect("next"));
    assert_eq!(ids(&third, "match"), all[4..]);
    for id in &all[4..] {
        tester.delete(&format!("Observation/{id}")).expect(204);
    }
    let empty = tester.search(link(&second, "next").expect("next"));
    assert_eq!((ids(&empty, "match").len(), link(&empty, "next")), (0, None));
    let back = tester.search(link(&empty, "previous").expect("there are rows before"));
    assert_eq!(ids(&back, "match"), all[2..4], "not one is passed over");
    for id in &all[..2] {
        tester.delete(&format!("Observation/{id}")).expect(204);
    }
    let empty = tester.search(link(&back, "previous").expect("previous"));
    assert_eq!((ids(&empty, "match").len(), link(&empty, "previous")), (0, None));
    let forth = tester.search(link(&empty, "next").expect("there are rows after"));
    assert_eq!(ids(&forth, "match"), all[2..4], "not one is passed over");
}

/// Rows a walk goes over; more where the environment says so. As many on a PostgreSQL
/// database this young, which has no statistics yet: a page once took 18 s there.
fn rows() -> usize {
    std::env::var("TECHO_WALK_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1500)
}

#[test]
fn a_walk_sees_every_surviving_row_once_while_others_come_and_go() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("歩", "walk-1", "2024-04-01"));
    let write = |from: usize, count: usize| {
        for start in (from..from + count).step_by(500) {
            let entry = |number: usize| {
                let date = format!("2026-{:02}-{:02}", 1 + number % 12, 1 + number % 28);
                (urn(u32::try_from(number).expect("small")), weight(&who, &date, "7.5"))
            };
            let entries: Vec<(String, Value)> = (start..(start + 500).min(from + count)).map(entry).collect();
            tester.post("", &transaction(&entries)).expect(200);
        }
    };
    write(0, rows());
    let about = format!("Observation?subject=Patient/{who}");
    let before: Vec<String> = tester.walk(&format!("{about}&_count=1000&_total=none"), "next").concat();
    assert_eq!(before.len(), rows());
    // Every seventh row goes while the walks are on their way.
    let doomed: Vec<&String> = before.iter().step_by(7).collect();
    for (sort, relation) in [("", "next"), ("&_sort=date", "next"), ("&_sort=-date", "next")] {
        let start = format!("{about}{sort}&_count=100&_total=none");
        let mut url = start.clone();
        let mut seen: Vec<String> = Vec::new();
        let mut last = String::new();
        let mut steps = 0;
        loop {
            let page = tester.search(&url);
            seen.extend(ids(&page, "match"));
            link(&page, "self").expect("self").clone_into(&mut last);
            if steps % 3 == 0 && sort.is_empty() {
                doomed.iter().skip(steps).step_by((rows() / 100).max(1)).for_each(|id| {
                    tester.delete(&format!("Observation/{id}"));
                });
            }
            if steps % 4 == 0 {
                tester.create(&weight(&who, &format!("2026-{:02}-15", 1 + steps % 12), "9.5"));
            }
            steps += 1;
            match link(&page, relation) {
                Some(next) => next.clone_into(&mut url),
                None => break,
            }
        }
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "each once{sort}");
        let lasting = before.iter().filter(|id| !doomed.contains(id));
        let missed: Vec<&String> = lasting.filter(|id| !once.contains(*id)).collect();
        assert!(missed.is_empty(), "{} of {} missed{sort}", missed.len(), before.len());
        // And back again, over the same rows.
        let back: Vec<String> = tester.walk(&last, "previous").into_iter().rev().flatten().collect();
        let returned: BTreeSet<&String> = back.iter().collect();
        assert_eq!(returned.len(), back.len(), "each once on the way back{sort}");
        let missed = before.iter().filter(|id| !doomed.contains(id) && !returned.contains(*id)).count();
        assert_eq!(missed, 0, "on the way back{sort}");
    }
}
