//! Who looked: every disclosure and refusal is on record, and the record shows
//! whether anybody touched it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use techo_conformance_tests::postgres;
use techo_conformance_tests::server::{Server, on_postgres};
use techo_conformance_tests::world::{Ask, Caller, World, link};

fn auditor(world: &World) -> Caller {
    world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/AuditEvent.rs").of("pt-mei"))
}

fn events(caller: &Caller, query: &str) -> Vec<Value> {
    let bundle = caller.search(&format!("AuditEvent?patient=pt-mei&_count=200{query}"));
    bundle["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).collect()
}

#[test]
fn the_mother_sees_each_read_by_an_app() {
    let world = World::new();
    let mother = auditor(&world);
    let app = world.mother_for_daughter();
    let before = events(&mother, "").len();
    app.get("Patient/pt-mei").expect(200);
    let id = app.ids("Immunization?patient=pt-mei").remove(0);
    app.get(&format!("Immunization/{id}")).expect(200);
    let after = events(&mother, "");
    let new = after.len() - before;
    assert!(new >= 3, "three disclosures, {new} events");
    let read = after.iter().find(|event| event.to_string().contains(&format!("Immunization/{id}")));
    let read = read.unwrap_or_else(|| panic!("no event names Immunization/{id}"));
    assert_eq!(read["resourceType"], "AuditEvent");
    assert_eq!(read["type"]["code"], "rest", "{read}");
    assert_eq!(read["action"], "R", "{read}");
    assert_eq!(read["outcome"], "0", "{read}");
    let text = read.to_string();
    for part in ["app-public", "hanako", "Patient/pt-mei"] {
        assert!(text.contains(part), "{part} in {read}");
    }
    assert!(!text.contains(&app.token), "no token in a record");
    let search = after.iter().find(|event| event["subtype"].to_string().contains("search"));
    assert!(search.is_some_and(|event| event["action"] == "E"), "a search is a query event (BALP PatientQuery)");
}

#[test]
fn entries_of_a_bundle_were_on_record_without_what_they_asked() {
    let world = World::new();
    let mother = auditor(&world);
    let app = world.mother_for_daughter();
    let id = app.ids("Immunization?patient=pt-mei").remove(0);
    let entry = |url: &str| json!({"request": {"method": "GET", "url": url}});
    for kind in ["batch", "transaction"] {
        let before = events(&mother, "").len();
        let entries = json!([entry(&format!("Immunization/{id}")), entry("Observation?patient=pt-mei&code=8302-2")]);
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
        app.post("", &bundle).expect(200);
        let all = events(&mother, "");
        let new = &all[..all.len() - before];
        let told = |what: &str| new.iter().any(|event| event.to_string().contains(what));
        assert!(told(&format!("Immunization/{id}")), "{kind}: the read is told: {new:#?}");
        assert!(told("\"search\""), "{kind}: the search is told: {new:#?}");
    }
    // An entry that is refused is on record as the request by itself would be.
    let narrow =
        world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Immunization.rs").of("pt-mei"));
    let refused = || events(&mother, "").iter().filter(|event| event["outcome"] != "0").count();
    let before = refused();
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry("Condition?patient=pt-mei")]});
    narrow.post("", &bundle).expect(200);
    assert_eq!(refused(), before + 1);
}

#[test]
fn a_refused_read_is_on_record_too() {
    let world = World::new();
    let stranger = world.stranger();
    stranger.get("Patient/pt-mei").refused(404);
    let narrow =
        world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Immunization.rs").of("pt-mei"));
    narrow.get("Condition?patient=pt-mei").refused(403);
    let all = events(&auditor(&world), "");
    let refused: Vec<&Value> = all.iter().filter(|event| event["outcome"] != "0").collect();
    assert!(
        refused.iter().any(|event| event.to_string().contains("app-public")),
        "the mother sees her app's refused search: {}",
        all.len()
    );
}

/// An expression that fails by what it has read, and a patch whose `test` fails, told of a
/// record that stood nowhere.
#[test]
fn a_refusal_that_tells_of_a_record_is_on_hers() {
    let world = World::new();
    let mother = auditor(&world);
    let town = world.importer();
    let refused = || events(&mother, "").iter().filter(|event| event["outcome"] != "0").count();
    let before = refused();
    let resource = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": "Patient/pt-mei"}});
    let expression = "iif(subject.resolve().gender = 'male', (1 | 2).single(), (1 | 2) + 1)";
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "expression", "valueString": expression}, {"name": "resource", "resource": resource}]});
    town.post("$fhirpath", &parameters).refused(422);
    assert_eq!(refused(), before + 1, "of the expression");
    let test = json!([{"op": "test", "path": "/gender", "value": "unknown"}]).to_string();
    town.request("PATCH", "Patient/pt-mei").body("application/json-patch+json", &*test).send().refused(422);
    assert_eq!(refused(), before + 2, "of the test");
}

#[test]
fn only_her_own_side_reads_the_record() {
    let world = World::new();
    let app = world.mother_for_daughter();
    app.get("Patient/pt-mei").expect(200);
    let stranger =
        world.approve(&Ask::new("app-secret", "stranger", "launch/patient patient/AuditEvent.rs").of("pt-stranger"));
    assert_eq!(stranger.ids("AuditEvent?patient=pt-mei"), [""; 0]);
    assert!(!stranger.search("AuditEvent?_count=200").to_string().contains("pt-mei"));
    // In a compartment: hers to her side, and to others none, like that of nobody.
    let hers = auditor(&world);
    let within = hers.search("Patient/pt-mei/AuditEvent?_count=1");
    assert_eq!(within["entry"].as_array().map(Vec::len), Some(1), "{within}");
    assert!(within["link"][0]["url"].as_str().is_some_and(|url| url.ends_with("/Patient/pt-mei/AuditEvent?_count=1")));
    let about = hers.search("Patient/pt-mei/AuditEvent?_count=200&date=ge2026-01-01").to_string();
    assert!(about.contains("Patient/pt-mei") && !about.contains("pt-stranger"));
    for (caller, who) in [(&hers, "pt-stranger"), (&hers, "pt-nobody"), (&stranger, "pt-mei"), (&stranger, "pt-nobody")]
    {
        let found = caller.search(&format!("Patient/{who}/AuditEvent"));
        assert!(found["entry"].is_null() && found["total"] == 0, "{who}: {found}");
    }
    hers.get("Patient/pt-mei/AuditEvent?nonsense=x").refused(400);
    hers.get("Device/x/AuditEvent").refused(400);
    for caller in [world.tester(), world.importer()] {
        let answer = caller.get("AuditEvent");
        assert!(answer.status == 403 || answer.status == 200 && answer.json()["entry"].is_null(), "{}", answer.text());
        let refused = caller.post("AuditEvent", &serde_json::json!({"resourceType": "AuditEvent"}));
        assert!(refused.status >= 400 && !refused.text().contains("Ask for a scope"), "{}", refused.text());
    }
    let mother = auditor(&world);
    let id = events(&mother, "")[0]["id"].as_str().unwrap_or_default().to_owned();
    mother.get(&format!("AuditEvent/{id}")).expect(200);
    stranger.get(&format!("AuditEvent/{id}")).refused(404);
    let deleted = mother.delete(&format!("AuditEvent/{id}"));
    assert!(deleted.status >= 400, "nobody deletes the record: {}", deleted.status);
}

/// By links alone, while new events come: each one that was there, once, in order.
#[test]
fn she_walks_all_events_by_links() {
    let world = World::new();
    let mother = auditor(&world);
    let app = world.mother_for_daughter();
    for _ in 0..10 {
        app.get("Patient/pt-mei").expect(200);
    }
    for start in ["AuditEvent?patient=pt-mei", "Patient/pt-mei/AuditEvent?date=ge2020"] {
        let whole = mother.ids(&format!("{start}&_count=1000"));
        assert!(whole.len() > 9, "{}", whole.len());
        let mut url = format!("{start}&_count=3");
        let mut walked = Vec::new();
        let mut pages = 0;
        loop {
            let page = mother.search(&url);
            let ids = techo_conformance_tests::world::ids(&page, "match");
            assert!(ids.len() <= 3, "{page}");
            assert_eq!(link(&page, "self").is_some_and(|own| own.ends_with(&format!("{start}&_count=3"))), pages == 0);
            let first = link(&page, "first").unwrap_or_else(|| panic!("no first: {page}"));
            assert!(first.ends_with(&format!("{start}&_count=3")), "{first}");
            walked.extend(ids);
            pages += 1;
            app.get("Patient/pt-mei").expect(200);
            match link(&page, "next") {
                Some(next) => next.clone_into(&mut url),
                None => break,
            }
        }
        // The search for the whole is on record itself, and newer than all that it found.
        assert_eq!(walked[1..], whole, "{start}");
        assert_eq!(pages, walked.len().div_ceil(3));
    }
    let one = mother.search("AuditEvent?patient=pt-mei&_count=0");
    assert!(link(&one, "next").is_none() && one["entry"].is_null() && one["total"].as_u64() > Some(9), "{one}");
}

#[test]
fn pages_lead_beyond_a_thousand_events() {
    let world = World::new();
    let app = world.mother_for_daughter();
    let entry = json!({"request": {"method": "GET", "url": "Patient/pt-mei"}});
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": vec![entry; 60]});
    for _ in 0..18 {
        app.post("", &bundle).expect(200);
    }
    let mother = auditor(&world);
    let total = mother.search("AuditEvent?patient=pt-mei&_count=0")["total"].as_u64().unwrap_or_default();
    assert!(total > 1050, "{total}");
    let pages = mother.walk("AuditEvent?patient=pt-mei&_count=5000", "next");
    // A search that shows no event is none of hers.
    assert_eq!(pages.iter().map(|page| page.len() as u64).collect::<Vec<_>>(), [1000, total - 1000]);
}

#[test]
fn no_page_holds_anothers_events() {
    let world = World::new();
    let hers = auditor(&world);
    let stranger =
        world.approve(&Ask::new("app-secret", "stranger", "launch/patient patient/AuditEvent.rs").of("pt-stranger"));
    for _ in 0..4 {
        hers.search("AuditEvent?_count=1");
        stranger.search("AuditEvent?_count=1");
    }
    let pairs = [(&hers, "pt-mei", "pt-stranger"), (&stranger, "pt-stranger", "pt-mei")];
    for (caller, own, other) in pairs {
        let queries = [
            "AuditEvent?_count=2".to_owned(),
            format!("AuditEvent?patient={own},{other}&_count=2"),
            format!("AuditEvent?patient=Patient/{other},pt-nobody,Patient/{own}&_count=2"),
        ];
        for query in queries {
            let mut url = query.clone();
            let mut seen = 0;
            loop {
                let page = caller.search(&url);
                for entry in page["entry"].as_array().into_iter().flatten() {
                    let text = entry.to_string();
                    assert!(text.contains(&format!("Patient/{own}")), "{query}: {text}");
                    assert!(!text.contains(&format!("Patient/{other}")), "{query}: {text}");
                    seen += 1;
                }
                match link(&page, "next") {
                    Some(next) => next.clone_into(&mut url),
                    None => break,
                }
            }
            assert!(seen > 4, "{query}: {seen}");
        }
        let none = caller.search(&format!("AuditEvent?patient={other},pt-nobody&_count=2"));
        assert!(none["total"] == 0 && none["entry"].is_null() && link(&none, "next").is_none(), "{none}");
    }
    // A link is its caller's alone, and stands for the whole query.
    let page = hers.search("AuditEvent?_count=2");
    let next = link(&page, "next").unwrap_or_default();
    stranger.get(next).refused(400);
    hers.get(&format!("{next}&patient=pt-mei")).refused(400);
    hers.get(&next.replace("/AuditEvent?", "/Patient/pt-mei/AuditEvent?")).refused(400);
    hers.get("AuditEvent?_page=nonsense").refused(400);
}

#[test]
fn events_are_found_by_id_and_by_either_of_two() {
    let world = World::new();
    let hers = auditor(&world);
    world.mother_for_daughter().get("Patient/pt-mei").expect(200);
    let stranger =
        world.approve(&Ask::new("app-secret", "stranger", "launch/patient patient/AuditEvent.rs").of("pt-stranger"));
    stranger.search("AuditEvent");
    let foreign = stranger.ids("AuditEvent?_count=1").remove(0);
    let all = hers.ids("AuditEvent?patient=pt-mei");
    let (one, two) = (&all[0], &all[1]);
    assert_eq!(hers.ids(&format!("AuditEvent?_id={two}")), std::slice::from_ref(two));
    assert_eq!(hers.ids(&format!("AuditEvent?_id={two},{one},nonsense,{foreign}")), [one.clone(), two.clone()]);
    assert_eq!(hers.ids(&format!("AuditEvent?_id={two},{one}&_id={one}&patient=pt-mei")), std::slice::from_ref(one));
    for nothing in [format!("_id={foreign}"), "_id=nonsense".into(), format!("_id={one}&_id={two}")] {
        let found = hers.search(&format!("AuditEvent?{nothing}"));
        assert!(found["total"] == 0 && found["entry"].is_null(), "{nothing}: {found}");
    }
    let total = |query: &str| hers.search(&format!("AuditEvent?_count=0&{query}"))["total"].clone();
    let until = "date=lt2020-01-01";
    assert_eq!(total(until), 0);
    assert_eq!(total(&format!("{until}&date=ge2019-01-01&date=lt2100")), 0, "dates narrow each other");
    assert_eq!(total("_lastUpdated=lt2020-01-01"), 0);
    assert!(total("_lastUpdated=ge2020-01-01").as_u64() > Some(1));
    assert!(total("patient=pt-mei,pt-mei").as_u64() > Some(1), "either of one and the same");
    let own = hers.search("AuditEvent?patient=pt-mei&date=ge2020&_format=json");
    assert!(link(&own, "self").is_some_and(|own| own.ends_with("/AuditEvent?patient=pt-mei&date=ge2020")), "{own}");
    assert!(hers.search("AuditEvent?_total=none")["total"].is_null());
    for refused in ["date=2026-01-01,2026-01-02", "_total=some", "agent=x", "_count=x", "date=ne2026"] {
        hers.get(&format!("AuditEvent?{refused}")).refused(400);
    }
    // What is claimed is what is taken.
    let statement = hers.get("metadata").expect(200).json();
    let kinds = statement["rest"][0]["resource"].as_array().cloned().unwrap_or_default();
    let kind = kinds.iter().find(|kind| kind["type"] == "AuditEvent");
    let names = kind.and_then(|kind| kind["searchParam"].as_array()).cloned().unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["_id", "_lastUpdated", "date", "patient"]);
}

#[test]
fn the_portal_shows_who_looked() {
    let world = World::new();
    world.mother_for_daughter().get("Patient/pt-mei").expect(200);
    let (browser, start) = world.portal_of("hanako");
    let mut shown = String::new();
    for link in techo_conformance_tests::page::links(&start.answer.text()) {
        let url = start.resolve(&link);
        if url.starts_with(&world.portal) && !url.contains("sign") {
            shown += &browser.open(&url).answer.text();
        }
    }
    assert!(
        shown.contains("app-public") || shown.to_lowercase().contains("sample app"),
        "the app that looked is named"
    );
}

#[test]
fn the_record_outlives_a_kill() {
    let world = World::new();
    let app = world.mother_for_daughter();
    let id = app.ids("Immunization?patient=pt-mei").remove(0);
    let token = auditor(&world).token;
    app.get(&format!("Immunization/{id}/_history/1")).expect(200);
    let world = world.killed_and_restarted();
    let mother = world.holder(token);
    let all = events(&mother, "");
    assert!(
        all.iter().any(|event| event.to_string().contains(&format!("Immunization/{id}"))),
        "the read before the kill"
    );
    verified(&world.server, true);
}

fn verified(server: &Server, whole: bool) {
    let output = server.command(&["audit-verify"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(!whole)), "{said}");
}

/// A world whose record holds some reads, stopped.
fn stopped() -> World {
    let mut world = World::new();
    let app = world.mother_for_daughter();
    for _ in 0..20 {
        app.get("Patient/pt-mei").expect(200);
    }
    events(&auditor(&world), "");
    verified(&world.server, true);
    world.server.stop();
    verified(&world.server, true);
    world
}

#[test]
fn a_flipped_byte_is_found() {
    let world = stopped();
    if on_postgres() {
        let table = database(&world);
        let (name, column) = table_and_column(&table);
        let change = format!(
            "UPDATE {name} SET {column} = set_byte({column}, length({column}) / 2, get_byte({column}, length({column}) / 2) # 1) \
             WHERE ctid = (SELECT ctid FROM {name} ORDER BY ctid LIMIT 1 OFFSET 5)"
        );
        postgres::sql(&table, &change);
    } else {
        let path = segment(&world.server.data);
        let mut bytes = fs::read(&path).expect("the log can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("the log can be written");
    }
    verified(&world.server, false);
}

#[test]
fn a_cut_tail_is_found() {
    let world = stopped();
    if on_postgres() {
        let table = database(&world);
        let (name, _) = table_and_column(&table);
        postgres::sql(&table, &format!("DELETE FROM {name} WHERE ctid = (SELECT max(ctid) FROM {name})"));
    } else {
        let path = segment(&world.server.data);
        let bytes = fs::read(&path).expect("the log can be read");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("the log can be written");
    }
    verified(&world.server, false);
}

/// The last records before an orderly end were not under a sealed head, so that
/// cutting just them off left a log that looked whole.
#[test]
fn the_last_record_before_the_end_cannot_be_cut_off() {
    let mut world = World::new();
    let app = world.mother_for_daughter();
    app.get("Patient/pt-mei").expect(200);
    world.server.stop();
    if on_postgres() {
        let table = database(&world);
        let cut = "DELETE FROM audit_log AS l USING (SELECT chain, max(number) AS last FROM audit_log GROUP BY chain) AS t \
                   WHERE l.chain = t.chain AND l.number = t.last AND t.chain = (SELECT max(chain) FROM audit_log)";
        postgres::sql(&table, cut);
    } else {
        let path = segment(&world.server.data);
        let bytes = fs::read(&path).expect("the log can be read");
        let last = entries(&bytes).pop().expect("the log holds records");
        fs::write(&path, &bytes[..last.start]).expect("the log can be written");
    }
    verified(&world.server, false);
}

#[test]
fn a_record_left_out_is_found() {
    let world = stopped();
    if on_postgres() {
        let table = database(&world);
        postgres::sql(&table, &format!("DELETE FROM audit_log WHERE {MIDDLE}"));
    } else {
        let path = segment(&world.server.data);
        let mut bytes = fs::read(&path).expect("the log can be read");
        let all = entries(&bytes);
        bytes.drain(all[all.len() / 2].clone());
        fs::write(&path, bytes).expect("the log can be written");
    }
    verified(&world.server, false);
}

#[test]
fn two_records_in_another_order_are_found() {
    let world = stopped();
    if on_postgres() {
        let table = database(&world);
        let swap = format!(
            "WITH one AS (SELECT * FROM audit_log WHERE {MIDDLE}), \
                  two AS (SELECT l.* FROM audit_log AS l, one WHERE l.chain = one.chain AND l.number = one.number + 1) \
             UPDATE audit_log AS l SET record = o.record, mac = o.mac FROM \
                 (SELECT one.chain, one.number, two.record, two.mac FROM one, two UNION ALL \
                  SELECT two.chain, two.number, one.record, one.mac FROM one, two) AS o \
             WHERE l.chain = o.chain AND l.number = o.number"
        );
        postgres::sql(&table, &swap);
    } else {
        let path = segment(&world.server.data);
        let mut bytes = fs::read(&path).expect("the log can be read");
        let all = entries(&bytes);
        let (one, two) = (all[all.len() / 2].clone(), all[all.len() / 2 + 1].clone());
        bytes[one.start..two.end].rotate_left(one.len());
        fs::write(&path, bytes).expect("the log can be written");
    }
    verified(&world.server, false);
}

#[test]
fn a_missing_log_is_found() {
    let world = stopped();
    if on_postgres() {
        let table = database(&world);
        let (name, _) = table_and_column(&table);
        postgres::sql(&table, &format!("DELETE FROM {name}"));
    } else {
        fs::remove_file(segment(&world.server.data)).expect("the log can be removed");
    }
    verified(&world.server, false);
}

/// A record with others on both sides.
const MIDDLE: &str =
    "(chain, number) = (SELECT chain, max(number) / 2 FROM audit_log GROUP BY chain ORDER BY max(number) DESC LIMIT 1)";

/// Where the records of a segment are: a header of 53 bytes, then each with 40
/// bytes before it that begin with its length.
fn entries(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut at, mut found) = (53, Vec::new());
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let end = at + 40 + usize::try_from(length).expect("a length of ours");
        found.push(at..end);
        at = end;
    }
    found
}

fn database(world: &World) -> String {
    world.server.database.as_deref().and_then(|url| url.rsplit('/').next()).unwrap_or_default().to_owned()
}

/// The append-only table: the one whose name begins with `audit` and that holds
/// the most bytes in one binary column.
fn table_and_column(database: &str) -> (String, String) {
    let columns = postgres::sql(
        database,
        "SELECT table_name || ' ' || column_name FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name LIKE 'audit%' AND data_type = 'bytea'",
    );
    let size = |line: &&str| {
        let (table, column) = line.split_once(' ').unwrap_or_default();
        postgres::sql(database, &format!("SELECT coalesce(sum(length({column})), 0) FROM {table}"))
            .trim()
            .parse::<u64>()
            .unwrap_or(0)
    };
    let line = columns.lines().max_by_key(size).expect("an audit table");
    let (table, column) = line.split_once(' ').unwrap_or_default();
    (table.to_owned(), column.to_owned())
}

/// The largest file of the log.
fn segment(data: &Path) -> PathBuf {
    let mut files = Vec::new();
    walk(data, &mut files);
    let logs = files.into_iter().filter(|path| path.to_string_lossy().contains("audit"));
    logs.max_by_key(|path| fs::metadata(path).map_or(0, |about| about.len())).expect("the log is in the data directory")
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the data directory can be read").flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}
