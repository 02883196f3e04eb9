//! A record that lists so much that it cannot be told in time whether it is shown.

use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::store::Db;
use crate::store::facts::LISTS;
use crate::store::folder::Folder;
use crate::store::visible::number;

/// Lists `big`, `small` and `l3` to `l20000`, of which `big` lists all the others.
async fn lists(db: &Db) {
    let list = number("List");
    for sql in [
        format!(
            "INSERT INTO resource (rid, kind, id, version, updated, deleted, several, custodian, custody, domain, \
                epoch, rules, method, labels, body) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
             SELECT i, {list}, CASE i WHEN 1 THEN 'big' WHEN 2 THEN 'small' ELSE 'l' || i END, 1, 0, 0, 0, 0, 0, 0, \
                1, 0, 1, CASE i WHEN 1 THEN '{LISTS}' ELSE '' END, CAST('{{}}' AS BLOB) FROM n"
        ),
        format!("INSERT INTO listed (rid, kind, id) SELECT 1, {list}, id FROM resource WHERE rid > 1"),
    ] {
        db.execute(&sql, []).await.expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_too_long_to_be_told_about_held_up_all_reads() {
    let folder = Folder::new("long");
    for (time, expected) in [(Duration::from_micros(1), false), (Duration::from_mins(1), true)] {
        let db = Db::open_for(&folder.url(), time).await.expect("a database");
        let store = Store::open(db.clone(), Clock::system(), 1).await.expect("a store");
        if !expected {
            lists(&db).await;
        }
        let view = View::sample_of_lists();
        let reader = store.reader(&view);
        for _ in 0..8 {
            assert_eq!(reader.current("List", "big").await.expect("an answer").is_some(), expected);
            assert!(reader.current("List", "small").await.expect("an answer").is_some());
            let many = reader.many("List", &["big", "small"]).await;
            match many {
                Ok(rows) => assert!(expected && rows.len() == 2),
                Err(error) => assert!(!expected && matches!(error, StoreError::TooCostly), "{error:?}"),
            }
        }
    }
}
