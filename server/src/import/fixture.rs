//! What the tests of the municipal formats have in common.

use std::io::Write;
use std::path::PathBuf;

use jiff::civil::Date;
use techo_profiles::json::Json;

use super::draft::{Draft, Severity};
use super::{Importer, Input, Parsed, Part};

/// The day on which the tests' imports are made.
pub(super) const TODAY: Date = Date::constant(2026, 11, 22);

/// Parses one file.
pub(super) fn parse(importer: &Importer, bytes: &[u8]) -> Parsed {
    let opened = (importer.open)(&Input { parts: &[Part { name: None, bytes }], today: TODAY });
    let mut issues = opened.issues;
    let people = opened.people.into_iter().filter_map(|waiting| waiting(&mut issues)).collect();
    issues.sort_by_key(|issue| issue.at);
    Parsed { people, issues, refused: opened.refused }
}

/// Parses the lines of a CSV under this header.
pub(super) fn parse_lines(importer: &Importer, header: &str, lines: &[&str]) -> Parsed {
    let text = [&[header], lines].concat().join("\r\n");
    parse(importer, text.as_bytes())
}

/// A file of our own samples.
pub(super) fn own(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/municipal").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder of the samples that lie beside the repository (`TECHO_SAMPLES`, or
/// `../shared/samples`). `None`, said aloud, where they do not; in CI that is a
/// failure: a test that reads nothing shows nothing.
#[track_caller]
pub(super) fn shared_folder(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    let folder = std::env::var_os("TECHO_SAMPLES").map_or_else(beside, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let said = format!("SKIPPED: no samples at {} (set TECHO_SAMPLES)", folder.display());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{said}");
    // Straight to the terminal: the test runner swallows what a passing test prints.
    writeln!(std::io::stderr(), "{said}").expect("stderr");
    None
}

/// A municipal file of those samples.
#[track_caller]
pub(super) fn shared(name: &str) -> Option<Vec<u8>> {
    let path = shared_folder("municipal")?.join(name);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// All drafts, whoever they are about.
pub(super) fn drafts(parsed: &Parsed) -> Vec<&Draft> {
    parsed.people.iter().flat_map(|person| &person.drafts).collect()
}

/// The drafts of one resource type.
pub(super) fn of_type<'a>(parsed: &'a Parsed, resource_type: &str) -> Vec<&'a Json> {
    drafts(parsed)
        .into_iter()
        .map(|draft| &draft.resource)
        .filter(|it| it.str("resourceType") == Some(resource_type))
        .collect()
}

/// How many drafts of each type there are: `Encounter 2, Observation 7`.
pub(super) fn counts(parsed: &Parsed) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for draft in drafts(parsed) {
        *counts.entry(draft.resource_type()).or_insert(0) += 1;
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// Every issue as `line column code`, errors marked by `!`, mere information by `i`.
pub(super) fn issues(parsed: &Parsed) -> Vec<String> {
    parsed
        .issues
        .iter()
        .map(|issue| {
            let mark = match issue.severity {
                Severity::Error => "!",
                Severity::Warning => "",
                Severity::Information => "i ",
            };
            format!("{} {} {mark}{}", issue.at.line, issue.column.as_deref().unwrap_or("-"), issue.code)
        })
        .collect()
}

/// What two readings of the same content have to agree in.
pub(super) fn content(parsed: &Parsed) -> Vec<(String, String)> {
    drafts(parsed).iter().map(|draft| (draft.key.clone(), draft.resource.to_string())).collect()
}

/// What holds of every parsed file: keys are unique for each person, references
/// go to earlier drafts, and nothing empty is in any resource.
pub(super) fn hold_together(parsed: &Parsed) {
    for person in &parsed.people {
        let mut known: Vec<String> = vec![super::draft::SUBJECT.to_owned()];
        for draft in &person.drafts {
            let own = super::draft::reference_to(&draft.key);
            assert!(!known.contains(&own), "twice: {}", draft.key);
            check(&draft.resource, &known, &draft.key);
            known.push(own);
        }
    }
}

fn check(json: &Json, known: &[String], key: &str) {
    for member in json.members() {
        if &*member.name == "reference" {
            let to = member.value.as_str().expect("a reference is a string");
            assert!(to.starts_with('#') || known.iter().any(|own| own == to), "{key} → {to}");
        }
        check(&member.value, known, key);
    }
    for item in json.items() {
        check(item, known, key);
    }
    let empty = json.as_str().is_some_and(|text| text.trim().is_empty())
        || (json.is_object() && json.members().is_empty())
        || (json.is_array() && json.items().is_empty())
        || json.is_null();
    assert!(!empty, "something empty in {key}");
}

/// Calls `with` on many broken forms of `bytes`: cut short, one byte changed, one
/// line lost, two lines joined. The same forms every time.
pub(super) fn broken(bytes: &[u8], mut with: impl FnMut(&[u8])) {
    let step = (bytes.len() / 60).max(1);
    for end in (0..bytes.len()).step_by(step) {
        with(&bytes[..end]);
    }
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below.max(1) as u64).unwrap_or(0)
    };
    let interesting = b"\",\n\r\x00\x80\x81\xFF{}[]0-9\\";
    for _ in 0..300 {
        let mut copy = bytes.to_vec();
        for _ in 0..=next(3) {
            let at = next(copy.len());
            match next(3) {
                0 => copy[at] = interesting[next(interesting.len())],
                1 => {
                    copy.remove(at);
                }
                _ => copy.insert(at, interesting[next(interesting.len())]),
            }
        }
        with(&copy);
    }
}
