//! `techo reference`: the API reference of the manual, written from the tables that
//! the program itself works by: `docs/src/reference/api`.
//!
//! A test compares the pages in the manual with what this writes, so a table that
//! grows is a page that grows. To add a page: a file with `page`, a line in [`PAGES`].

mod refusals;
mod rest;
mod search;
mod types;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use techo_profiles::Definitions;
use techo_profiles::json::Json;

use super::Failure;
use crate::config::Settings;
use crate::dispatch::capabilities;

/// Options of `techo reference`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo reference docs/src/reference/api")]
pub struct Args {
    /// Directory for the pages; it is made if it is not there.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// A page: its file, its title, its text from what is known.
type Page = (&'static str, &'static str, fn(&Known) -> Result<String, Failure>);

const PAGES: [Page; 4] = [
    ("rest.md", "Requests and operations", rest::page),
    ("search.md", "Search, by kind", search::page),
    ("types.md", "Search parameters, by type", types::page),
    ("refusals.md", "Refusals", refusals::page),
];

/// What the pages are written from.
struct Known {
    /// The CapabilityStatement, as an installation without settings says it.
    statement: Json,
    /// R4's definitions.
    definitions: &'static Definitions,
}

impl Known {
    /// What the statement says of the server.
    fn server(&self) -> Option<&Json> {
        self.statement.list("rest").first()
    }

    /// What it says of each type.
    fn types(&self) -> &[Json] {
        self.server().map_or(&[], |server| server.list("resource"))
    }
}

/// Writes the pages.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let definitions = Definitions::embedded();
    let config = Settings::default().config().map_err(Failure::of)?;
    let known = Known { statement: capabilities::statement(&config, definitions), definitions };
    fs::create_dir_all(&args.directory).map_err(Failure::of)?;
    for (file, title, page) in PAGES {
        let text = format!("# {title}\n\n{NOTE}\n\n{}", page(&known)?);
        fs::write(args.directory.join(file), text).map_err(Failure::of)?;
    }
    Ok(ExitCode::SUCCESS)
}

const NOTE: &str = "*Written by `techo reference` from the tables that the program works by; not by hand.*";

/// A Markdown table. A bar in a cell would end it.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    let escaped = |row: Vec<String>| row.into_iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>();
    let rows: String = rows.into_iter().map(|row| line(&escaped(row))).collect();
    line(&head) + &rule + &rows
}

/// `` `a` `b` ``
fn codes<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let codes: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if codes.is_empty() { "–".to_owned() } else { codes.join(" ") }
}
