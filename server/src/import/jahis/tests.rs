//! Whole notebooks: what is made of them and what is said of the rest.
//!
//! Our own files lie in `server/samples/jahis`. Where the shared samples are at
//! hand (`TECHO_SAMPLES`, or `../shared/samples` beside the repository), each of
//! them is read too; where not, the tests say that they skip them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use techo_profiles::json::Json;

use super::*;
use crate::import::draft::{SUBJECT, Severity};

const TODAY: Date = Date::constant(2026, 11, 22);

fn parts(files: &[&[u8]]) -> Parsed {
    let parts: Vec<Part<'_>> = files.iter().map(|bytes| Part { name: None, bytes }).collect();
    parse(&Input { parts: &parts, today: TODAY })
}

fn one(text: &str) -> Parsed {
    parts(&[text.as_bytes()])
}

/// A notebook of a provider: patient, group and what the test is about.
fn notebook(lines: &str) -> Parsed {
    one(&format!(
        "JAHISTC08,1\r\n1,見本　花子,2,R020510,,,,,,,ﾐﾎﾝ ﾊﾅｺ\r\n5,20240401,1\r\n11,架空薬局,13,4,1234566,,,,1\r\n{lines}"
    ))
}

fn drafts(parsed: &Parsed) -> Vec<&Draft> {
    parsed.people.iter().flat_map(|person| &person.drafts).collect()
}

fn first(parsed: &Parsed) -> &Json {
    &drafts(parsed).first().expect("a draft").resource
}

fn codes(parsed: &Parsed) -> Vec<(usize, &'static str)> {
    parsed.issues.iter().map(|issue| (issue.at.line, issue.code)).collect()
}

fn counts(parsed: &Parsed) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for draft in drafts(parsed) {
        *counts.entry(draft.resource_type().to_owned()).or_default() += 1;
    }
    counts
}

fn refused(parsed: &Parsed) -> Option<&'static str> {
    parsed.refused.as_ref().map(|refusal| refusal.code)
}

/// `MedicationStatement 2, Condition 1` and the like.
fn told(parsed: &Parsed) -> String {
    let counts: Vec<String> = counts(parsed).into_iter().map(|(name, count)| format!("{name} {count}")).collect();
    counts.join(", ")
}

mod bad;
mod fuzz;
mod mapping;
mod samples;
mod splits;
