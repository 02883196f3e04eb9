//! Files: ours always, the shared ones where they are.

use super::*;

#[track_caller]
fn shared() -> Option<PathBuf> {
    crate::import::fixture::shared_folder("jahis")
}

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/jahis")
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn parsed(folder: &Path, names: &[&str]) -> Parsed {
    let files: Vec<Vec<u8>> = names.iter().map(|name| read(folder, name)).collect();
    parts(&files.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Every file of a folder.
pub(super) fn every_file() -> Vec<(String, Vec<u8>)> {
    [Some(ours()), shared()]
        .into_iter()
        .flatten()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file")))
        .collect()
}

type Row<'a> = (&'a [&'a str], &'a str, &'a [&'a str]);

/// What each input must come to: resources, or the refusal, and issues above information.
fn check(folder: &Path, rows: &[Row<'_>]) {
    for (names, expected, issues) in rows {
        let parsed = parsed(folder, names);
        let outcome = refused(&parsed).map_or_else(|| told(&parsed), |code| format!("refused {code}"));
        assert_eq!(&outcome, expected, "{names:?}: {:?}", codes(&parsed));
        let found: Vec<String> = parsed
            .issues
            .iter()
            .filter(|issue| issue.severity > Severity::Information)
            .map(|issue| format!("{} {}", issue.at.line, issue.code))
            .collect();
        assert_eq!(&found, issues, "{names:?}");
    }
}

const SINGLE: &str = "AllergyIntolerance 2, Condition 1, MedicationStatement 3";

#[test]
fn our_samples() {
    const SPLIT: [&str; 2] = ["taro-split-1of2-sjis.txt", "taro-split-2of2-sjis.txt"];
    check(
        &ours(),
        &[
            (&["mei-notebook-sjis.txt"], "MedicationStatement 3", &[]),
            (&["taro-notebook-utf8.txt"], "AllergyIntolerance 1, Condition 1, MedicationStatement 5", &[]),
            (&SPLIT, "MedicationStatement 2", &[]),
            (&SPLIT[1..], "refused split-missing", &[]),
            (
                &["bad-institution-missing-sjis.txt"],
                "",
                &["3 institution-missing", "4 group-rejected", "5 group-rejected"],
            ),
            (&["bad-cut-off-sjis.txt"], "refused undecodable", &[]),
            (&["bad-prescription.txt"], "refused jahis-prescription", &[]),
        ],
    );
}

#[test]
fn shared_samples() {
    let Some(folder) = shared() else { return };
    let rows: &[Row<'_>] = &[
        (&["tc08-single-sjis.txt"], SINGLE, &[]),
        (&["tc08-single-lf.txt"], SINGLE, &[]),
        (&["tc08-single-utf8.txt"], SINGLE, &[]),
        (&["tc08-single-utf8-bom.txt"], SINGLE, &[]),
        (
            &["tc08-split-3of3-sjis.txt", "tc08-split-1of3-sjis.txt", "tc08-split-2of3-sjis.txt"],
            "AllergyIntolerance 1, MedicationStatement 2",
            &[],
        ),
        (&["tc08-split-1of3-sjis.txt", "tc08-split-3of3-sjis.txt"], "refused split-missing", &[]),
        (&["tc07-two-groups-sjis.txt"], "MedicationStatement 4", &[]),
        (&["tc03-old-sjis.txt"], "MedicationStatement 1", &[]),
        (&["tc08-from-patient-sjis.txt"], "AllergyIntolerance 1, MedicationStatement 1", &[]),
        (&["bad-301-without-201.txt"], "", &["3 group-empty", "8 drug-missing"]),
        (&["bad-ascii-comma-in-text.txt"], "MedicationStatement 1", &["9 unknown-code", "9 extra-fields"]),
        (&["bad-bytes.txt"], "refused undecodable", &[]),
        (&["bad-code-length.txt"], "MedicationStatement 2", &["8 code-length", "9 code-length"]),
        (
            &["bad-dates.txt"],
            "",
            &[
                "2 era-overrun",
                "3 date-impossible",
                "4 group-rejected",
                "5 group-rejected",
                "6 group-rejected",
                "7 group-rejected",
                "8 group-rejected",
                "9 group-rejected",
                "10 group-rejected",
                "11 group-rejected",
            ],
        ),
        (&["bad-dose-text.txt"], "MedicationStatement 1", &["8 dose-text"]),
        (&["bad-empty.txt"], "refused not-jahis", &[]),
        (
            &["bad-no-11.txt"],
            "",
            &[
                "3 institution-missing",
                "4 group-rejected",
                "5 group-rejected",
                "6 group-rejected",
                "7 group-rejected",
                "8 group-rejected",
                "9 group-rejected",
            ],
        ),
        (&["bad-no-301.txt"], "MedicationStatement 1", &["8 usage-missing", "8 dose-meaning"]),
        (&["bad-no-version.txt"], "refused not-jahis", &[]),
        (&["bad-order-201-before-5.txt"], "", &["3 order", "4 order", "5 group-empty"]),
        (&["bad-prescription-qr.txt"], "refused jahis-prescription", &[]),
        (&["bad-quoted-field.txt"], "MedicationStatement 1", &["2 quoted"]),
        (&["bad-sex-code.txt"], "MedicationStatement 1", &["2 unknown-code"]),
        (&["bad-split-duplicate-a.txt", "bad-split-duplicate-b.txt"], "refused split-duplicate", &[]),
        (&["bad-split-missing-1of2.txt"], "refused split-missing", &[]),
        (&["tc08-split-1of3-sjis.txt", "bad-split-mixed-id.txt"], "refused split-mixed", &[]),
        (&["tc08-split-1of3-sjis.txt", "bad-split-total-differs.txt"], "refused split-total", &[]),
        (&["bad-truncated.txt"], "refused undecodable", &[]),
        (&["bad-unknown-record.txt"], "MedicationStatement 1", &["3 unknown-record"]),
        (&["bad-unknown-version.txt"], "MedicationStatement 1", &["1 version-unknown"]),
    ];
    check(&folder, rows);
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        assert!(rows.iter().any(|(names, ..)| names.contains(&name.as_str())), "{name} is not in the table");
    }
}

/// The same notebook in four dresses.
#[test]
fn encoding_and_line_ends_change_nothing() {
    let Some(folder) = shared() else { return };
    let told: Vec<Vec<Draft>> =
        ["tc08-single-sjis.txt", "tc08-single-lf.txt", "tc08-single-utf8.txt", "tc08-single-utf8-bom.txt"]
            .iter()
            .map(|name| drafts(&parsed(&folder, &[name])).into_iter().cloned().collect())
            .collect();
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Files of one call: parts of one notebook together, all else alone.
#[test]
fn gathering_goes_by_data_id() {
    let Some(folder) = shared() else { return };
    let names = [
        "tc08-split-2of3-sjis.txt",
        "tc07-two-groups-sjis.txt",
        "tc08-split-1of3-sjis.txt",
        "bad-split-mixed-id.txt",
        "tc03-old-sjis.txt",
        "tc08-split-3of3-sjis.txt",
        "bad-empty.txt",
    ];
    let files: Vec<Vec<u8>> = names.iter().map(|name| read(&folder, name)).collect();
    let parts: Vec<Part<'_>> = files.iter().map(|bytes| Part { name: None, bytes }).collect();
    assert_eq!((IMPORTER.gather)(&parts), [vec![0, 2, 5], vec![1], vec![3], vec![4], vec![6]]);
}

#[test]
fn a_refusal_names_the_byte() {
    let Some(folder) = shared() else { return };
    let refusal = parsed(&folder, &["bad-bytes.txt"]).refused.expect("refused");
    // 81 FF: a lead byte with what cannot follow it.
    assert_eq!((refusal.offset, refusal.at.line), (Some(0x9B), 4));
}
