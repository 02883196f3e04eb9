//! Files in, records out: what is made, that a second run changes nothing, and
//! that each line left out is explained.
//!
//! The repository's own samples are always there. The project's wider
//! collection is used where `../shared/samples` or `TECHO_SHARED_SAMPLES` is.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::{Value, json};
use techo_conformance_tests::imports::{count, import, issues, report, row, send, total};
use techo_conformance_tests::page::text;
use techo_conformance_tests::server::directory;
use techo_conformance_tests::world::{Caller, World};

const MUNICIPALITY: &str = "https://techo.example/fhir/Id/municipality/13101/resident";

fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    let named = std::env::var_os("TECHO_SHARED_SAMPLES").map(PathBuf::from);
    named.into_iter().chain([beside]).find(|path| path.join("municipal").is_dir())
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/samples").join(name)
}

#[test]
fn our_own_samples_are_imported_already_and_change_nothing_again() {
    let world = World::new();
    for name in ["municipal/infant-checkups.csv", "municipal/immunizations-sjis.csv", "municipal/immunizations.json"] {
        let (code, report) = import(&world, &[], &[own(name)]);
        let file = &report["files"][0];
        assert_eq!((code, total(file, "created"), total(file, "updated")), (0, 0, 0), "{name}: {file}");
        assert_eq!(file["outcome"], "unchanged", "{name}: {file}");
        assert!(total(file, "unchanged") > 10, "{name}: {file}");
    }
    let notebooks = [("mei-notebook-sjis.txt", "Patient/pt-mei"), ("taro-notebook-utf8.txt", "Patient/pt-taro")];
    for (name, who) in notebooks {
        let (code, report) = import(&world, &["--patient", who], &[own(&format!("jahis/{name}"))]);
        let file = &report["files"][0];
        assert_eq!((code, total(file, "created"), total(file, "updated")), (0, 0, 0), "{name}: {file}");
    }
}

#[test]
fn our_own_bad_samples_are_refused() {
    let world = World::new();
    for name in ["bad-cut-off-sjis.txt", "bad-prescription.txt"] {
        let (code, report) = import(&world, &["--patient", "Patient/pt-taro"], &[own(&format!("jahis/{name}"))]);
        assert_eq!((code, &report["files"][0]["outcome"]), (1, &json!("refused")), "{name}: {report}");
        assert!(!issues(&report["files"][0]).is_empty(), "{name}");
    }
    let (_, report) =
        import(&world, &["--patient", "Patient/pt-taro"], &[own("jahis/bad-institution-missing-sjis.txt")]);
    assert_eq!(count(&report["files"][0], "created", "MedicationStatement"), 0, "a group without record 11: {report}");
    assert!(!issues(&report["files"][0]).is_empty());
    let parts = [own("jahis/taro-split-1of2-sjis.txt")];
    let (code, report) = import(&world, &["--patient", "Patient/pt-taro"], &parts);
    assert_eq!(
        (code, &report["files"][0]["outcome"]),
        (1, &json!("refused")),
        "a missing part refuses the set: {report}"
    );
}

#[test]
fn the_mother_reads_what_the_files_held() {
    let world = World::new();
    let mother = world.mother_for_daughter();
    let some = |query: &str| mother.ids(&format!("{query}&_count=200"));
    assert!(some("Observation?patient=pt-mei").len() >= 8, "two check-ups");
    assert!(some("Encounter?patient=pt-mei").len() >= 2);
    assert!(some("DiagnosticReport?patient=pt-mei").len() >= 2);
    assert!(some("Immunization?patient=pt-mei").len() >= 3, "three visits");
    assert_eq!(some("MedicationStatement?patient=pt-mei").len(), 3, "three drugs of the notebook");
    assert!(
        !some("Provenance?patient=pt-mei").is_empty() || !some("Provenance?target:Patient=pt-mei").is_empty(),
        "Provenance"
    );
    let bundle = mother.search("Observation?patient=pt-mei&code=29463-7&_sort=date");
    let first = &bundle["entry"][0]["resource"];
    assert_eq!(first["valueQuantity"]["code"], "kg", "{first}");
    assert_eq!(first["valueQuantity"]["system"], "http://unitsofmeasure.org", "{first}");
    let systems: Vec<&str> = first["code"]["coding"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|coding| coding["system"].as_str())
        .collect();
    assert!(
        systems.contains(&"http://loinc.org") && systems.iter().any(|system| system.contains("jpfhir.jp")),
        "{systems:?}"
    );
}

#[test]
fn a_dry_run_writes_nothing() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let file = samples.join("municipal/infant-checkups.csv");
    let (code, dry) = import(&world, &["--dry-run"], std::slice::from_ref(&file));
    assert_eq!(code, 0);
    assert!(total(&dry["files"][0], "created") > 50, "it says what it would make: {dry}");
    assert_eq!(world.importer().ids(&format!("Patient?identifier={MUNICIPALITY}|0000012345")), [""; 0]);
    let (_, real) = import(&world, &[], &[file]);
    assert_eq!(real["files"][0]["created"], dry["files"][0]["created"], "and then makes just that");
}

/// A test that reads nothing shows nothing: it is said aloud, and in CI it fails.
#[track_caller]
fn missing() {
    assert!(std::env::var_os("TECHO_SHARED_SAMPLES").is_none(), "TECHO_SHARED_SAMPLES names no folder of samples");
    let said = "SKIPPED: no samples at ../shared/samples (set TECHO_SHARED_SAMPLES)";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{said}");
    // Straight to the terminal: the test runner swallows what a passing test prints.
    writeln!(std::io::stderr(), "{said}").expect("stderr");
}

#[test]
fn the_same_check_ups_come_out_of_every_form() {
    let Some(samples) = shared() else { return missing() };
    for name in ["infant-checkups.csv", "infant-checkups-sjis.csv", "infant-checkups-bom.csv"] {
        let world = World::new();
        let file = samples.join("municipal").join(name);
        let (code, report) = import(&world, &[], std::slice::from_ref(&file));
        let made = &report["files"][0];
        assert_eq!((code, &made["outcome"]), (0, &json!("imported")), "{name}: {made}");
        for (kind, expected) in [("Patient", 2), ("Encounter", 8), ("DiagnosticReport", 8), ("Observation", 44)] {
            assert_eq!(count(made, "created", kind), expected, "{name}: {kind} of {made}");
        }
        again_unchanged(&world, &file);
        for other in ["infant-checkups.csv", "infant-checkups-sjis.csv", "infant-checkups.json"] {
            let (_, report) = import(&world, &[], &[samples.join("municipal").join(other)]);
            let file = &report["files"][0];
            assert_eq!(total(file, "created"), 0, "{other} after {name}: {file}");
            // JSON writes 11.6 where the tables write 11.60: the precision told is part of the value.
            let json = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "json");
            let finer = if json(other) || json(name) { 2 } else { 0 };
            assert!(total(file, "updated") <= finer, "{other} after {name}: {file}");
        }
        let importer = world.importer();
        assert!(importer.search("Encounter?_summary=count&class=checkup")["total"].as_u64().is_some());
        valid(&world, &importer, &["Patient", "Encounter", "DiagnosticReport", "Observation"]);
    }
}

#[track_caller]
fn again_unchanged(world: &World, file: &Path) {
    let (code, report) = import(world, &[], &[file.to_path_buf()]);
    let file = &report["files"][0];
    assert_eq!((code, total(file, "created"), total(file, "updated")), (0, 0, 0), "a second run: {file}");
    assert_eq!(file["outcome"], "unchanged", "{file}");
}

/// Every resource the caller can find passes the product's own validation.
fn valid(world: &World, caller: &Caller, kinds: &[&str]) {
    let folder = directory();
    fs::create_dir_all(&folder).expect("a folder for resources");
    let mut files = Vec::new();
    for kind in kinds {
        let bundle = caller.search(&format!("{kind}?_count=1000"));
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let path = folder.join(format!("{kind}-{}.json", files.len()));
            fs::write(&path, entry["resource"].to_string()).expect("a file");
            files.push(path.to_string_lossy().into_owned());
        }
    }
    let mut arguments = vec!["validate"];
    arguments.extend(files.iter().map(String::as_str));
    let output = world.server.command(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!files.is_empty(), "nothing was found");
    fs::remove_dir_all(&folder).ok();
}

#[test]
fn the_same_vaccinations_come_out_of_every_form() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let file = samples.join("municipal/immunizations.csv");
    let (code, report) = import(&world, &[], std::slice::from_ref(&file));
    let made = &report["files"][0];
    assert_eq!(code, 0, "{made}");
    for (kind, expected) in [("Patient", 1), ("Immunization", 25)] {
        assert_eq!(count(made, "created", kind), expected, "{kind} of {made}");
    }
    again_unchanged(&world, &file);
    for other in ["immunizations-sjis.csv", "immunizations.json"] {
        let (_, report) = import(&world, &[], &[samples.join("municipal").join(other)]);
        let file = &report["files"][0];
        let immunizations = count(file, "created", "Immunization");
        let known = other != "immunizations-sjis.csv";
        assert!(!known || immunizations == 0, "{other}: {file}");
    }
    valid(&world, &world.importer(), &["Immunization"]);
}

#[test]
fn bad_rows_are_explained_and_good_rows_kept() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let file = samples.join("municipal/infant-checkups-bad.csv");
    let (code, report) = import(&world, &[], std::slice::from_ref(&file));
    let made = &report["files"][0];
    assert_eq!((code, &made["outcome"]), (0, &json!("partial")), "{made}");
    let issues = issues(made);
    // Lines of the file: 2 warns, 3 one item out, 4 and 5 rejected, 6 warns, 7 unknown kind, 8 weight out, 9 and 10 rejected, 11 last wins.
    for line in 2..=11 {
        assert!(issues.iter().any(|(at, _)| *at == line), "line {line} is explained: {issues:?}");
    }
    let codes: Vec<&str> = issues.iter().map(|(_, code)| code.as_str()).collect();
    for code in ["unit-inferred", "out-of-range", "kaup-mismatch"] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
    assert_eq!(count(made, "created", "Patient"), 1, "only the child with good rows: {made}");
    again_unchanged_or_partial(&world, &file);
    let importer = world.importer();
    let heights = importer.search("Observation?code=8302-2&_sort=date");
    let values: Vec<f64> = heights["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["resource"]["valueQuantity"]["value"].as_f64())
        .collect();
    assert!(values.contains(&61.2) && values.contains(&94.6) && !values.contains(&0.703), "{values:?}");
    let weights = importer.search("Observation?code=29463-7");
    let weights: Vec<f64> = weights["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["resource"]["valueQuantity"]["value"].as_f64())
        .collect();
    // 6150 was read as grams: kept so, and found as kilograms or as grams.
    assert!(!weights.contains(&137.0), "{weights:?}");
    let grams = importer.ids("Observation?code=29463-7&value-quantity=6150||g").len();
    let kilograms = importer.ids("Observation?code=29463-7&value-quantity=6.15||kg").len();
    assert!(grams + kilograms > 0, "{weights:?}");
}

fn again_unchanged_or_partial(world: &World, file: &Path) {
    let (_, report) = import(world, &[], &[file.to_path_buf()]);
    let file = &report["files"][0];
    assert_eq!((total(file, "created"), total(file, "updated")), (0, 0), "a second run: {file}");
}

#[test]
fn bad_vaccinations_are_explained_too() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    // Intervals and cancellations are judged beside what is stored.
    import(&world, &[], &[samples.join("municipal/immunizations.csv")]);
    let (code, report) = import(&world, &[], &[samples.join("municipal/immunizations-bad.csv")]);
    let made = &report["files"][0];
    assert_eq!((code, &made["outcome"]), (0, &json!("partial")), "{made}");
    let issues = issues(made);
    // 4 unknown vaccine, 5 before birth, 6 interval, 7 window, 9 interval, 11 no date, 14 impossible, 15 future.
    for line in [4, 5, 6, 7, 9, 11, 14, 15] {
        assert!(issues.iter().any(|(at, _)| *at == line), "line {line} is explained: {issues:?}");
    }
    let importer = world.importer();
    let statuses = |status: &str| {
        importer.search(&format!("Immunization?status={status}&_count=100"))["entry"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(statuses("not-done"), 1, "見合わせ");
    assert_eq!(statuses("entered-in-error"), 1, "取消 of an earlier row");
    again_unchanged_or_partial(&world, &samples.join("municipal/immunizations-bad.csv"));
}

#[test]
fn a_file_with_an_individual_number_is_refused_whole() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let (code, report) = import(&world, &[], &[samples.join("municipal/infant-checkups-mynumber-reject.csv")]);
    let file = &report["files"][0];
    assert_eq!((code, &file["outcome"]), (1, &json!("refused")), "{file}");
    assert_eq!(total(file, "created"), 0);
    assert!(!report.to_string().contains("123456789018"), "the number itself is told to nobody");
    assert_eq!(world.importer().ids("Patient?identifier=123456789018"), [""; 0]);
    let output = world.server.command(&[
        "import",
        "--client",
        "importer",
        &samples.join("municipal/infant-checkups-mynumber-reject.csv").to_string_lossy(),
    ]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("123456789018"), "{said}");
}

#[test]
fn broken_municipal_files_lose_only_their_broken_rows() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    for name in ["infant-checkups-bad-bytes.csv", "infant-checkups-unclosed-quote.csv"] {
        let (_, report) = import(&world, &[], &[samples.join("municipal").join(name)]);
        let file = &report["files"][0];
        assert!(["partial", "refused"].contains(&file["outcome"].as_str().unwrap_or_default()), "{name}: {file}");
        assert!(!issues(file).is_empty(), "{name}");
    }
    for (name, body) in [
        ("empty.csv", ""),
        ("no-header.csv", "1,2,3\r\n"),
        ("words.txt", "hello"),
        ("cut.json", "[{\"municipalityCode\":"),
    ] {
        let folder = directory();
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(name);
        fs::write(&path, body).expect("a file");
        let (code, report) = import(&world, &[], &[path]);
        assert_eq!((code, &report["files"][0]["outcome"]), (1, &json!("refused")), "{name}: {report}");
        assert!(!issues(&report["files"][0]).is_empty(), "{name}");
        fs::remove_dir_all(folder).ok();
    }
}

/// The child of the notebooks, made by importing her check-ups.
fn notebook_owner(world: &World, samples: &Path) -> (String, String) {
    import(world, &[], &[samples.join("municipal/infant-checkups.csv")]);
    let importer = world.importer();
    let find =
        |key: &str| format!("Patient/{}", importer.ids(&format!("Patient?identifier={MUNICIPALITY}|{key}")).remove(0));
    (find("0000012345"), find("0000012346"))
}

#[test]
fn a_notebook_gives_the_same_in_every_encoding() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let (hanako, _) = notebook_owner(&world, &samples);
    let names = ["tc08-single-sjis.txt", "tc08-single-utf8.txt", "tc08-single-utf8-bom.txt", "tc08-single-lf.txt"];
    for (number, name) in names.iter().enumerate() {
        let (code, report) = import(&world, &["--patient", &hanako], &[samples.join("jahis").join(name)]);
        let file = &report["files"][0];
        assert_eq!(code, 0, "{name}: {file}");
        let made = |kind: &str| count(file, "created", kind);
        let expected = if number == 0 { (3, 2, 1) } else { (0, 0, 0) };
        assert_eq!(
            (made("MedicationStatement"), made("AllergyIntolerance"), made("Condition")),
            expected,
            "{name}: {file}"
        );
    }
}

#[test]
fn parts_of_a_notebook_merge_in_any_order() {
    let Some(samples) = shared() else { return missing() };
    for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
        let world = World::new();
        let (hanako, _) = notebook_owner(&world, &samples);
        let files = order.map(|number| samples.join(format!("jahis/tc08-split-{number}of3-sjis.txt")));
        let (code, report) = import(&world, &["--patient", &hanako], &files);
        assert_eq!(code, 0, "{order:?}: {report}");
        let sum = |kind: &str| {
            report["files"].as_array().into_iter().flatten().map(|file| count(file, "created", kind)).sum::<u64>()
        };
        assert_eq!((sum("MedicationStatement"), sum("AllergyIntolerance")), (2, 1), "{order:?}: {report}");
    }
}

#[test]
fn other_notebooks_give_what_the_collection_says() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let (hanako, _) = notebook_owner(&world, &samples);
    let suzuki = json!({"resourceType": "Patient", "name": [{"use": "official", "text": "鈴木 太郎", "family": "鈴木", "given": ["太郎"]}],
        "gender": "male", "birthDate": "1958-03-03"});
    let suzuki = format!("Patient/{}", world.importer().create(&suzuki));
    for (name, who, drugs) in [
        ("tc07-two-groups-sjis.txt", &suzuki, 4),
        ("tc03-old-sjis.txt", &suzuki, 1),
        ("tc08-from-patient-sjis.txt", &hanako, 1),
    ] {
        let (code, report) = import(&world, &["--patient", who], &[samples.join("jahis").join(name)]);
        let file = &report["files"][0];
        assert_eq!((code, count(file, "created", "MedicationStatement")), (0, drugs), "{name}: {file}");
    }
}

#[test]
fn bad_notebooks_make_nothing_they_should_not() {
    let Some(samples) = shared() else { return missing() };
    let world = World::new();
    let (hanako, taro) = notebook_owner(&world, &samples);
    let refused = [
        "bad-empty.txt",
        "bad-no-version.txt",
        "bad-prescription-qr.txt",
        "bad-bytes.txt",
        "bad-split-missing-1of2.txt",
        "bad-truncated.txt",
    ];
    for name in refused {
        let (code, report) = import(&world, &["--patient", &hanako], &[samples.join("jahis").join(name)]);
        assert_eq!((code, &report["files"][0]["outcome"]), (1, &json!("refused")), "{name}: {report}");
        assert!(!issues(&report["files"][0]).is_empty(), "{name}");
    }
    for set in [
        vec!["bad-split-duplicate-a.txt", "bad-split-duplicate-b.txt"],
        vec!["tc08-split-1of3-sjis.txt", "bad-split-mixed-id.txt"],
        vec!["tc08-split-1of3-sjis.txt", "bad-split-total-differs.txt"],
    ] {
        let files: Vec<PathBuf> = set.iter().map(|name| samples.join("jahis").join(name)).collect();
        let (code, report) = import(&world, &["--patient", &hanako], &files);
        assert_eq!(code, 1, "{set:?}: {report}");
        let created: u64 = report["files"].as_array().into_iter().flatten().map(|file| total(file, "created")).sum();
        assert_eq!(created, 0, "{set:?}: {report}");
    }
    let explained = [
        "bad-301-without-201.txt",
        "bad-ascii-comma-in-text.txt",
        "bad-code-length.txt",
        "bad-dates.txt",
        "bad-dose-text.txt",
        "bad-no-11.txt",
        "bad-no-301.txt",
        "bad-order-201-before-5.txt",
        "bad-quoted-field.txt",
        "bad-sex-code.txt",
        "bad-unknown-record.txt",
        "bad-unknown-version.txt",
    ];
    for name in explained {
        let (_, report) = import(&world, &["--patient", &hanako], &[samples.join("jahis").join(name)]);
        assert!(!issues(&report["files"][0]).is_empty(), "{name}: {report}");
    }
    let (code, report) = import(&world, &["--patient", &taro], &[samples.join("jahis/tc08-single-sjis.txt")]);
    let errors = report["files"][0]["issues"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|issue| issue["severity"] == "error")
        .count();
    assert!(total(&report["files"][0], "created") == 0 && errors > 0, "{code}: another's notebook: {report}");
    let (code, report) = import(&world, &[], &[samples.join("jahis/tc08-single-sjis.txt")]);
    assert_eq!((code, &report["files"][0]["outcome"]), (1, &json!("refused")), "a notebook of nobody: {report}");
}

#[test]
fn the_same_door_is_open_over_http_and_a_correction_makes_a_version() {
    let world = World::new();
    let importer = world.importer();
    let first = report(&send(&importer, "checkups.csv", &row("61.2")).expect(200).json());
    assert_eq!(count(&first["files"][0], "created", "Encounter"), 1, "{first}");
    let same = report(&send(&importer, "checkups.csv", &row("61.2")).expect(200).json());
    assert_eq!((total(&same["files"][0], "created"), total(&same["files"][0], "updated")), (0, 0), "{same}");
    let fixed = report(&send(&importer, "checkups.csv", &row("62.2")).expect(200).json());
    assert_eq!(count(&fixed["files"][0], "created", "Observation"), 0, "{fixed}");
    assert!(count(&fixed["files"][0], "updated", "Observation") >= 1, "{fixed}");
    let who = importer.ids("Patient?identifier=0000088001").remove(0);
    let heights = importer.search(&format!("Observation?subject=Patient/{who}&code=8302-2"));
    assert_eq!(heights["entry"].as_array().map(Vec::len), Some(1), "one Observation, two versions: {heights}");
    let height = &heights["entry"][0]["resource"];
    assert_eq!((&height["meta"]["versionId"], &height["status"]), (&json!("2"), &json!("amended")), "{height}");
    assert_eq!(height["valueQuantity"]["value"], 62.2);
}

/// A file's people are taken on every core: their place is made once, and the report
/// stands in the order of the lines, each time the same.
#[test]
fn many_people_of_a_file_share_a_place_and_a_report_in_order() {
    let world = World::new();
    let importer = world.importer();
    let mut body = row("60.1").replace("例町保健センター", "多人数の新保健センター");
    let first = body.lines().nth(1).expect("a row").to_owned();
    for child in 1..60 {
        let height = if child % 4 == 0 { "999" } else { "60.1" };
        let line =
            first.replace("0000088001", &format!("00000882{child:02}")).replace(",60.1,", &format!(",{height},"));
        body.push_str(&format!("{line}\r\n"));
    }
    let bad: Vec<(u64, String)> =
        (1..60).filter(|child| child % 4 == 0).map(|child| (child + 2, "out-of-range".to_owned())).collect();
    let made = report(&send(&importer, "many.csv", &body).expect(200).json());
    let kinds = |what: &str| ["Patient", "Encounter", "Location"].map(|kind| count(&made["files"][0], what, kind));
    assert_eq!((kinds("created"), kinds("updated")), ([60, 60, 1], [0, 0, 0]), "{made}");
    assert_eq!(issues(&made["files"][0]), bad);
    let again = report(&send(&importer, "many.csv", &body).expect(200).json());
    let file = &again["files"][0];
    assert_eq!((total(file, "created"), total(file, "updated"), issues(file)), (0, 0, bad), "{file}");
}

/// An import ends between two people when its client leaves, and what was committed
/// stays: the same file goes on from there.
#[test]
fn an_import_held_its_thread_until_the_end_though_its_client_had_left() {
    let world = World::new();
    let importer = world.importer();
    let known = || {
        let town = "Patient?identifier=https://techo.example/fhir/Id/municipality/10101/resident|&_summary=count";
        importer.search(town)["total"].as_u64().expect("a total")
    };
    let before = known();
    let mut body = row("60.1");
    let first = body.lines().nth(1).expect("a row").to_owned();
    for child in 1..CHILDREN {
        body.push_str(&format!("{}\r\n", first.replace("0000088001", &format!("0000883{child:03}"))));
    }
    let address = world.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let mut client = TcpStream::connect(address).expect("the server listens");
    let token = &importer.token;
    let head = format!(
        "POST /fhir/$import HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: text/csv\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("it takes the file");
    while known() == before {
        sleep(Duration::from_millis(10));
    }
    drop(client);
    // What is at hand is finished.
    let mut left = known();
    loop {
        sleep(Duration::from_secs(1));
        let now = known();
        if now == left {
            break;
        }
        left = now;
    }
    let made = left - before;
    assert!(made > 0 && made < CHILDREN, "{made} of {CHILDREN} people");
    let rest = report(&send(&importer, "left.csv", &body).expect(200).json());
    let file = &rest["files"][0];
    assert_eq!((count(file, "created", "Patient"), total(file, "updated")), (CHILDREN - made, 0), "{file}");
    assert_eq!(known() - before, CHILDREN);
}

/// People of a file that is left; many times what an import has at hand.
const CHILDREN: u64 = 250;

/// Of a file that was sent again while it was still being imported every new record was made twice.
#[test]
fn a_file_sent_several_times_at_once_makes_each_record_once() {
    let world = World::new();
    let importer = world.importer();
    send(&importer, "checkups.csv", &row("61.2")).expect(200);
    let id = importer.ids("Patient?identifier=0000088001").remove(0);
    let made = |kind: &str| importer.search(&format!("{kind}?patient={id}&_summary=count"))["total"].as_u64();
    let kinds = ["Observation", "Encounter", "DiagnosticReport"];
    let once = kinds.map(made);
    for day in ["2023-10-01", "2023-10-02", "2023-10-03"] {
        let before = kinds.map(made);
        let (body, start) = (row("61.2").replace("2023-09-03", day), Barrier::new(6));
        let files: Vec<Value> = thread::scope(|scope| {
            let sent = || {
                start.wait();
                report(&send(&importer, "checkups.csv", &body).expect(200).json())["files"][0].clone()
            };
            let all: Vec<_> = (0..6).map(|_| scope.spawn(sent)).collect();
            all.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        assert_eq!(files.iter().filter(|file| total(file, "created") > 0).count(), 1, "{files:?}");
        let grown: Vec<u64> =
            kinds.map(made).iter().zip(before).map(|(now, then)| now.unwrap_or(0) - then.unwrap_or(0)).collect();
        assert_eq!(grown, once.map(|number| number.unwrap_or(0)), "{day}");
    }
    // So of a correction, which is one version.
    let (body, start) = (row("62.5"), Barrier::new(6));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                start.wait();
                send(&importer, "checkups.csv", &body).expect(200)
            });
        }
    });
    let heights = importer.search(&format!("Observation?patient={id}&code=8302-2&value-quantity=62.5"));
    assert_eq!(heights["entry"].as_array().map(Vec::len), Some(1), "{heights}");
    assert_eq!(heights["entry"][0]["resource"]["meta"]["versionId"], "2");
}

#[test]
fn import_over_http_needs_its_scopes_and_refuses_rightly() {
    let world = World::new();
    let importer = world.importer();
    let answer = send(&importer, "nonsense.csv", "nonsense").expect(422);
    assert!(!answer.text().is_empty());
    let narrow = world.backend("importer", "system/Observation.cu");
    assert_eq!(send(&narrow, "checkups.csv", &row("61.2")).status, 403);
    let mother = world.mother_for_daughter();
    assert_eq!(send(&mother, "checkups.csv", &row("61.2")).status, 403, "Backend Services only");
    send(&world.anon(), "checkups.csv", &row("61.2")).refused(401);
    let large = format!("{}{}", row("61.2"), "x".repeat(1_100_000));
    assert_eq!(send(&importer, "large.csv", &large).status, 413);
    assert_eq!(importer.ids("Patient?identifier=0000088001"), [""; 0], "none of them wrote anything");
    assert!(text("<p>x</p>").contains('x'));
}
