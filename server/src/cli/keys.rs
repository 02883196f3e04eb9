//! `techo keys rotate`: a new generation of keys; the old ones still open what they sealed.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::open::{self, Missing};
use super::{Failure, Place, show};
use crate::auth::keys::SigningKeys;
use crate::store::audit::Kind;
use crate::store::keys::Keys;

/// Options of `techo keys`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(Clone, Debug, Subcommand)]
enum Order {
    /// Adds a generation of keys and a new signing key.
    #[command(after_help = "Example: techo keys rotate

What was sealed or signed before can still be opened and verified. Restart every server
afterwards: until then it works with the keys it loaded, and leaves what other processes
seal under the new ones for later.")]
    Rotate {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Carries the order out.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    match args.order {
        Order::Rotate { json } => rotate(place, json).await,
    }
}

async fn rotate(place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Refuse).await?;
    let app = &server.app;
    // Recorded under the keys there were: whoever has not the new ones can still read it.
    open::recorded(app, open::act(app, Kind::Operator, "keys-rotate", None)).await?;
    let keys = Keys::rotate(&app.config.keys_path(), &app.random).map_err(Failure::of)?;
    let signing = SigningKeys::rotate(&app.config.file(SIGNING)).map_err(Failure::of)?;
    if json {
        show::json(&json!({"generation": keys.generation(), "signing_keys": signing.public().len()}))?;
    } else {
        show::line(format!("generation {}; {} signing keys are published", keys.generation(), signing.public().len()))?;
        show::note("restart every server now: it works with the keys it loaded until then");
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of the keys that sign ID tokens, in the data directory.
pub(super) const SIGNING: &str = "signing-keys.json";
