//! What commands print: results to standard output, progress and faults to
//! standard error, in the operator's language.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Failure;
use crate::auth::register::RegisterError;
use crate::interaction::Error;

/// Exit code of bad usage.
const USAGE: u8 = 2;

/// Whether the operator reads Japanese, by the usual variables.
pub(super) fn japanese() -> bool {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_some_and(|value| value.starts_with("ja"))
}

/// One text in the operator's language.
pub(super) fn either<'a>(english: &'a str, in_japanese: &'a str) -> &'a str {
    if japanese() { in_japanese } else { english }
}

/// A line to standard output. A reader that has gone ends the command, not in a panic.
pub(super) fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.as_ref())
        .and_then(|()| out.flush())
        .map_err(|error| Failure(format!("standard output: {error}")))
}

/// One JSON value on one line.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value).map_err(Failure::of)?)
}

/// A remark to standard error.
pub(super) fn note(text: impl AsRef<str>) {
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// Bad usage that only the command itself could see.
pub(super) fn usage(text: impl std::fmt::Display) -> ExitCode {
    note(format!("techo: {text}"));
    ExitCode::from(USAGE)
}

/// Success, or 1.
pub(super) fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An order that was not carried out: bad usage, or failed.
pub(super) fn refused(error: &RegisterError) -> Result<ExitCode, Failure> {
    match error {
        RegisterError::Name(_)
        | RegisterError::Redirect(..)
        | RegisterError::NoRedirect(_)
        | RegisterError::Keys(..)
        | RegisterError::Jwks(_)
        | RegisterError::Scope(..)
        | RegisterError::Minutes
        | RegisterError::NoPatient => Ok(usage(error)),
        RegisterError::Taken(_) | RegisterError::Unknown(_) | RegisterError::Beyond | RegisterError::Server(_) => {
            Err(Failure::of(error))
        }
    }
}

/// A refusal of the records' side, in the words it would have over HTTP.
pub(super) fn explained(error: &Error) -> Failure {
    if let Error::Store(cause) = error {
        return Failure::of(cause);
    }
    let (_, issues) = error.explained();
    let japanese = japanese();
    let texts: Vec<String> = issues
        .into_iter()
        .map(|issue| {
            let text = if japanese { issue.text_ja } else { issue.text };
            issue.expression.map_or_else(|| text.clone(), |at| format!("{at}: {text}"))
        })
        .collect();
    Failure(format!("{error}: {}", texts.join("; ")))
}

/// Columns under their heads, each as wide as its widest cell.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heads.get(column).map(|head| head.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let show = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        line(padded.join("  ").trim_end())
    };
    show(&heads.iter().map(|head| head.to_uppercase()).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| show(row))
}

/// How far a command has come: a bar on a terminal, else a line now and then.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    said: std::sync::Mutex<Instant>,
    quiet: bool,
}

impl Progress {
    /// * `what`: what is counted, such as `records`.
    /// * `quiet`: nothing is shown, for machines.
    pub(super) fn new(what: &'static str, total: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.set_message(what);
            bar
        });
        Self { bar, what, said: std::sync::Mutex::new(Instant::now()), quiet }
    }

    /// `done` of `total` are done.
    pub(super) fn at(&self, done: u64, total: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            None if !self.quiet => {
                let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if said.elapsed() >= EVERY {
                    note(format!("{done} of {total} {}", self.what));
                    *said = Instant::now();
                }
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How often a line tells of progress where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
