//! `techo fhirpath`: what an expression yields on a resource, one JSON value a line.

use std::path::PathBuf;
use std::process::ExitCode;

use techo_profiles::Definitions;
use techo_profiles::json::Json;
use techo_profiles::path::{Context, DateTime, Expression, Item, Knowledge};
use techo_terminology::Terminology;

use super::{Failure, show};
use crate::clock::Clock;
use crate::import::draft::LOCAL_BASE;
use crate::interaction::plan::parse_either;
use crate::search::unit::Ucum;

/// Options of `techo fhirpath`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo fhirpath \"Patient.name.where(use = 'official').family\" patient.json

Needs no data directory.")]
pub struct Args {
    /// Said or not, the answer is JSON.
    #[arg(long)]
    json: bool,
    /// The expression.
    #[arg(value_name = "EXPR")]
    expression: String,
    /// A FHIR resource as JSON or XML.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Evaluates the expression.
pub fn run(args: &Args, clock: &Clock) -> Result<ExitCode, Failure> {
    let expression = match Expression::parse(&args.expression) {
        Ok(expression) => expression,
        Err(error) => return Ok(show::usage(error)),
    };
    let text = std::fs::read(&args.file).map_err(|error| Failure(format!("{}: {error}", args.file.display())))?;
    let resource = parse_either(&text).map_err(|error| show::explained(&error))?;
    let now = DateTime::at(clock.now(), JAPAN);
    let definitions = Definitions::embedded();
    let codes = Terminology::new(definitions, LOCAL_BASE);
    let knowledge = Knowledge { definitions, codes: &codes };
    let context = Context::new(definitions).now(now).units(&Ucum).terminology(&knowledge).profiles(&knowledge);
    for item in expression.evaluate(&resource, &context).map_err(Failure::of)? {
        show::line(json(&item).to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An item as JSON; of a reference that was not followed there is only the reference.
fn json(item: &Item<'_>) -> Json {
    match item {
        Item::Target(target) => Json::object([("reference", Json::from(target.reference))]),
        Item::Node(_) | Item::Value(_) => item.to_json().unwrap_or_else(Json::null),
    }
}

/// `now()` is Japan's time, as minutes from UTC.
const JAPAN: i16 = 9 * 60;
