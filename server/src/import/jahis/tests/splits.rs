//! Notebooks in parts.

use super::*;

fn part(id: &str, total: usize, number: usize, lines: &str) -> String {
    format!("JAHISTC08,1\n{lines}911,{id},{total},{number}\n")
}

const HEAD: &str = "1,見本　花子,2,20200510\n5,20240401,1\n11,架空薬局,,,,,,,1\n";
const BODY: &str = "201,1,薬,1,錠,1,,1\n";
const TAIL: &str = "301,1,朝,5,日分,1,1,,1\n";

#[test]
fn parts_in_any_order_are_the_whole() {
    let whole = one(&format!("JAHISTC08,1\n{HEAD}{BODY}{TAIL}"));
    let split = [part("1", 3, 1, HEAD), part("1", 3, 2, BODY), part("1", 3, 3, TAIL)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let files: Vec<&[u8]> = order.iter().map(|&at| split[at].as_bytes()).collect();
        let merged = parts(&files);
        assert_eq!(refused(&merged), None);
        assert_eq!(first(&merged), first(&whole));
        assert_eq!(drafts(&merged)[0].key, drafts(&whole)[0].key);
        assert_eq!(codes(&merged), []);
    }
    // All parts in one file, as some readers write them.
    let merged = one(&split.concat());
    assert_eq!(first(&merged), first(&whole));
}

#[test]
fn a_line_is_known_by_its_part() {
    let merged = parts(&[part("1", 2, 2, "999,x\n").as_bytes(), part("1", 2, 1, HEAD).as_bytes()]);
    let unknown = merged.issues.iter().find(|issue| issue.code == "unknown-record").expect("an issue");
    assert_eq!(unknown.at, Line { part: 0, line: 2 });
}

#[test]
fn parts_that_do_not_fit() {
    let whole = format!("JAHISTC08,1\n{HEAD}");
    let other_version = part("1", 2, 2, BODY).replace("TC08", "TC07");
    for (files, expected) in [
        (vec![part("1", 1, 1, HEAD)], None),
        (vec![part("1", 2, 1, HEAD)], Some("split-missing")),
        (vec![part("1", 2, 1, HEAD), part("1", 2, 1, HEAD)], Some("split-duplicate")),
        (vec![part("1", 2, 1, HEAD), part("1", 2, 2, BODY), part("1", 2, 2, BODY)], Some("split-duplicate")),
        (vec![part("1", 2, 1, HEAD), part("2", 2, 2, BODY)], Some("split-mixed")),
        (vec![part("1", 2, 1, HEAD), part("1", 3, 2, BODY)], Some("split-total")),
        (vec![part("1", 2, 1, HEAD), other_version], Some("split-version")),
        (vec![part("1", 2, 1, HEAD), whole.clone()], Some("split-unmarked")),
        (vec![whole.clone(), whole.clone()], Some("split-unmarked")),
        (vec![part("1", 2, 3, HEAD)], Some("split-broken")),
        (vec![part("1", 0, 0, HEAD)], Some("split-broken")),
        (vec![part("", 1, 1, HEAD)], Some("split-broken")),
        (vec![format!("{whole}911\n")], Some("split-broken")),
        (vec![format!("{whole}911,1,1,1\n911,1,1,1\n")], Some("split-broken")),
    ] {
        let bytes: Vec<&[u8]> = files.iter().map(String::as_bytes).collect();
        let parsed = parts(&bytes);
        assert_eq!(refused(&parsed), expected, "{files:?}");
        assert!(expected.is_none() || parsed.people.is_empty());
    }
}

#[test]
fn the_missing_parts_are_listed() {
    let parsed = parts(&[part("1", 30, 2, BODY).as_bytes()]);
    let text = parsed.refused.expect("refused").text;
    assert!(text.en.starts_with("Missing: part 1, 3, 4"), "{}", text.en);
    assert!(text.en.ends_with("20, 21, … of 30."), "{}", text.en);
}
