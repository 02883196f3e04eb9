//! `techo validate`: is a file a resource that this server would take?
//!
//! Checks FHIR's own structure (`techo_profiles::validate`); profiles are not
//! checked yet, and asking for one is refused rather than passed over.

use std::path::PathBuf;
use std::process::ExitCode;

use techo_profiles::Definitions;
use techo_profiles::json::{Json, Place as At};
use techo_profiles::validate::{Severity, structure};
use techo_terminology::Terminology;

use super::{Failure, show};
use crate::http::outcome::outcome;
use crate::import::draft::LOCAL_BASE;
use crate::interaction::plan::parse_either;
use crate::interaction::{Error, Issue};

/// Options of `techo validate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo validate patient.json observation.json

Prints one OperationOutcome a file, each on its own line, in the order of the files.
Exit code 0: all valid; 1: at least one is not. Needs no data directory.")]
pub struct Args {
    /// Profile to check against. Not built yet: refused.
    #[arg(long, value_name = "URL")]
    profile: Option<String>,
    /// Said or not, the answer is JSON.
    #[arg(long)]
    json: bool,
    /// Files, each one FHIR resource as JSON or XML.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Validates the files.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.profile.is_some() {
        return Ok(show::usage("profiles are not checked yet; without --profile the structure of R4 is"));
    }
    let definitions = Definitions::embedded();
    let codes = Terminology::new(definitions, LOCAL_BASE);
    let japanese = show::japanese();
    let mut valid = true;
    for path in &args.files {
        let text = std::fs::read(path).map_err(|error| Failure(format!("{}: {error}", path.display())))?;
        let issues = match parse_either(&text) {
            Ok(resource) => checked(definitions, &codes, &text, &resource),
            Err(Error::Invalid(issues)) => issues,
            Err(error) => return Err(show::explained(&error)),
        };
        valid &= issues.iter().all(|issue| issue.severity != Severity::Error.name());
        show::line(outcome(&said(issues), japanese).to_string())?;
    }
    Ok(show::code(valid))
}

fn checked(definitions: &Definitions, codes: &Terminology, text: &[u8], resource: &Json) -> Vec<Issue> {
    structure(definitions, codes, resource)
        .into_iter()
        .map(|found| {
            let at = At::of(text, found.offset);
            Issue {
                severity: found.severity.name(),
                code: found.code.name(),
                expression: Some(found.expression),
                text: found.text_en,
                text_ja: found.text_ja,
                place: Some((at.line, at.column)),
            }
        })
        .collect()
}

/// An OperationOutcome has at least one issue.
fn said(issues: Vec<Issue>) -> Vec<Issue> {
    if !issues.is_empty() {
        return issues;
    }
    let severity = Severity::Information.name();
    let fine = Issue::error("informational", "No fault was found.", "誤りは見つかりませんでした。");
    vec![Issue { severity, ..fine }]
}
