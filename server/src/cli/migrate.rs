//! `techo migrate`: brings the schema up to date, alone with the database.

use std::process::ExitCode;

use serde_json::json;

use super::{Failure, Place, open, show};
use crate::store::upkeep;

/// Options of `techo migrate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo backup before.techo-backup && techo migrate

Refuses with exit code 1 while a server or another command uses the database. A server
that starts alone does the same by itself.")]
pub struct Args {
    /// One JSON object: the steps taken.
    #[arg(long)]
    json: bool,
}

/// Takes the steps that were not taken yet.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let config = open::config(place)?;
    let _alone = upkeep::alone(&config).await.map_err(Failure::of)?;
    let steps = upkeep::migrate(&config).await.map_err(Failure::of)?;
    if args.json {
        show::json(&json!({ "steps": steps }))?;
    } else if steps.is_empty() {
        show::line("the schema is up to date")?;
    } else {
        steps.iter().try_for_each(|step| show::line(format!("done: {step}")))?;
    }
    Ok(ExitCode::SUCCESS)
}
