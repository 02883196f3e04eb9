//! `techo demo`: a working system from nothing.
//!
//! The sample world is stored by the same writes, and its files imported by the
//! same importers, as in real use. A second start finds the world in the data
//! directory and prints the same secrets.

mod files;
mod secrets;
#[cfg(test)]
mod tests;
mod world;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use super::serve::bind;
use super::{Failure, Place};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::{self, listen};
use crate::random::Random;
use crate::server::Server;
use crate::store::upkeep;

use secrets::Secrets;

/// Options of `techo demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo demo --listen 127.0.0.1:8080")]
pub struct Args {
    /// Address to listen on; port 0 takes any that is free.
    #[arg(long, env = "TECHO_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// One JSON object with addresses, sign-ins and clients on the first line.
    #[arg(long)]
    json: bool,
}

/// Builds the sample world if it is not there, and serves it until asked to end.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let config = place.config_with(Settings {
        listen: args.listen,
        operator: Some("Organization/org-city".to_owned()),
        ..Settings::default()
    })?;
    let (bound, config) = bind(config)?;
    let _hold = upkeep::hold_as_server(&config).await.map_err(Failure::of)?;
    let server = Arc::new(Server::start(config, Clock::system(), Random::system()).await.map_err(Failure::of)?);
    let secrets = prepare(&server).await?;
    let listening = bound.serve(http::router(&server), &server.app.config).await.map_err(Failure::of)?;
    let text = if args.json { secrets.json(&server.app.config) } else { secrets.text(&server.app.config) };
    // Whoever started this reads the first line: it must not wait in a buffer.
    let mut out = std::io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::of)?;
    listening.until(listen::asked_to_end()).await;
    server.end().await;
    Ok(ExitCode::SUCCESS)
}

/// The sample world of this data directory and its secrets.
pub(super) async fn prepare(server: &Server) -> Result<Secrets, Failure> {
    let path = server.app.config.file("demo.json");
    if let Some(secrets) = Secrets::read(&path)? {
        return Ok(secrets);
    }
    world::store(&server.app).await?;
    let secrets = Secrets::make(server).await?;
    files::import(&server.app).await?;
    // Last: a demo that was stopped half way is begun again on an empty directory.
    secrets.keep(&path)?;
    Ok(secrets)
}
