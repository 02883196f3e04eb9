//! What an import did, for people and for machines: one line for each thing
//! that was not used, and why. No value of a patient is in it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::draft::{Issue, Refusal};

/// The report of one call.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Each file, in the order of the call.
    pub files: Vec<FileReport>,
}

/// What became of one file.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// The format it was read as; `unknown` if none.
    pub format: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Resources made, by type.
    pub created: BTreeMap<String, usize>,
    /// Resources with a new version, by type.
    pub updated: BTreeMap<String, usize>,
    /// Resources that were there already, by type.
    pub unchanged: BTreeMap<String, usize>,
    /// What was not used, or is worth knowing.
    pub issues: Vec<Line>,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All of it was used.
    Imported,
    /// Some of it was not used; the issues say what.
    Partial,
    /// All of it was there already.
    Unchanged,
    /// Nothing of it was used.
    Refused,
}

/// One thing to know.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Line in the file, from 1; 0 for the file as a whole.
    pub line: usize,
    /// Column, by the source's name.
    pub column: Option<String>,
    /// `error`, `warning`, `information`
    pub severity: &'static str,
    /// A constant such as `usage-missing`.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

impl FileReport {
    /// A file of which nothing is known yet.
    pub fn new(name: &str, format: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            format,
            outcome: Outcome::Unchanged,
            created: BTreeMap::new(),
            updated: BTreeMap::new(),
            unchanged: BTreeMap::new(),
            issues: Vec::new(),
        }
    }

    /// Nothing of it may be used.
    pub fn refuse(&mut self, refusal: &Refusal, japanese: bool) {
        self.outcome = Outcome::Refused;
        let text = if japanese { &refusal.text.ja } else { &refusal.text.en };
        let text = match refusal.offset {
            Some(offset) => format!("{text} (byte {offset})"),
            None => text.to_string(),
        };
        self.issues.push(Line { line: refusal.at.line, column: None, severity: "error", code: refusal.code, text });
    }

    /// Adds an issue.
    pub fn push(&mut self, issue: &Issue, japanese: bool) {
        let text = if japanese { &issue.text.ja } else { &issue.text.en };
        self.issues.push(Line {
            line: issue.at.line,
            column: issue.column.as_ref().map(ToString::to_string),
            severity: issue.severity.code(),
            code: issue.code,
            text: text.to_string(),
        });
    }

    /// Adds what was counted and told of a part of the file.
    pub fn add(&mut self, part: Self) {
        for (counts, more) in [
            (&mut self.created, part.created),
            (&mut self.updated, part.updated),
            (&mut self.unchanged, part.unchanged),
        ] {
            for (kind, count) in more {
                *counts.entry(kind).or_default() += count;
            }
        }
        self.issues.extend(part.issues);
    }

    /// Settles how it ended, from what was counted.
    pub fn settle(&mut self) {
        if self.outcome == Outcome::Refused {
            return;
        }
        let lost = self.issues.iter().any(|issue| issue.severity == "error");
        let changed = !self.created.is_empty() || !self.updated.is_empty();
        self.outcome = match (lost, changed) {
            (true, _) => Outcome::Partial,
            (false, true) => Outcome::Imported,
            (false, false) => Outcome::Unchanged,
        };
    }

    /// One more resource of a type.
    pub fn count(counts: &mut BTreeMap<String, usize>, kind: &str) {
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
}

impl Report {
    /// Whether a file was refused whole.
    pub fn refused(&self) -> bool {
        self.files.iter().any(|file| file.outcome == Outcome::Refused)
    }

    /// As JSON (`product.md`, `techo import --json`).
    pub fn json(&self) -> String {
        // Maps with text keys and plain values always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For a terminal: a line a file, then a line for each thing not used.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            let counts = |counts: &BTreeMap<String, usize>| {
                let list: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
                if list.is_empty() { "-".to_owned() } else { list.join(", ") }
            };
            text.push_str(&format!(
                "{}: {:?} as {}; created {}; updated {}; unchanged {}\n",
                file.name,
                file.outcome,
                file.format,
                counts(&file.created),
                counts(&file.updated),
                counts(&file.unchanged)
            ));
            for issue in &file.issues {
                let column = issue.column.as_deref().map(|column| format!(", {column}")).unwrap_or_default();
                text.push_str(&format!(
                    "  line {}{column}: {} [{}] {}\n",
                    issue.line, issue.severity, issue.code, issue.text
                ));
            }
        }
        text
    }
}
