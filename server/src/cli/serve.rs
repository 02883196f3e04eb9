//! `techo serve`: the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::{Failure, Place};
use crate::clock::Clock;
use crate::config::{ConditionalDelete, Config, Settings};
use crate::http::{self, listen};
use crate::random::Random;
use crate::server::Server;
use crate::store::upkeep;

/// Options of `techo serve`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Example: techo serve --data /var/lib/techo --listen 127.0.0.1:8080 --base-url https://phr.example.jp --behind-proxy"
)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, env = "TECHO_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Public origin, such as `https://phr.example.jp`.
    #[arg(long, env = "TECHO_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Certificate chain (PEM).
    #[arg(long, env = "TECHO_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[arg(long, env = "TECHO_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// A proxy that speaks TLS stands before this server.
    #[arg(long, env = "TECHO_BEHIND_PROXY")]
    behind_proxy: bool,
    /// Refuse changes without If-Match (428)
    #[arg(long, env = "TECHO_REQUIRE_IF_MATCH")]
    require_if_match: bool,
    /// Whether a delete by a query may take several matches
    #[arg(long, env = "TECHO_CONDITIONAL_DELETE", value_name = "HOW")]
    conditional_delete: Option<ConditionalDelete>,
    /// Key file, where several servers share one.
    #[arg(long, env = "TECHO_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Seconds that a search may take before the database stops it.
    #[arg(long, env = "TECHO_SEARCH_SECONDS", value_name = "N")]
    search_seconds: Option<u32>,
    /// Connections at once; one more is refused.
    #[arg(long, env = "TECHO_MAX_CONNECTIONS", value_name = "N")]
    max_connections: Option<u32>,
    /// Seconds that a client may take for a request's headers, or leave a connection idle.
    #[arg(long, env = "TECHO_HEADER_SECONDS", value_name = "N")]
    header_seconds: Option<u32>,
    /// Seconds that a request may take before it is answered 503.
    #[arg(long, env = "TECHO_REQUEST_SECONDS", value_name = "N")]
    request_seconds: Option<u32>,
    /// Up to how many people who share with a caller are decided one by one; of more,
    /// each statement asks the database.
    #[arg(long, env = "TECHO_ONE_BY_ONE", value_name = "N")]
    one_by_one: Option<usize>,
    /// Time zone of days without a time.
    #[arg(long, env = "TECHO_ZONE", value_name = "NAME")]
    zone: Option<String>,
    /// The Organization that runs this server, `Organization/ID`.
    #[arg(long, env = "TECHO_OPERATOR", value_name = "REF")]
    operator: Option<String>,
}

impl Args {
    fn settings(self) -> Settings {
        Settings {
            listen: self.listen,
            base_url: self.base_url,
            tls_certificate: self.tls_certificate,
            tls_key: self.tls_key,
            behind_proxy: self.behind_proxy.then_some(true),
            require_if_match: self.require_if_match.then_some(true),
            conditional_delete: self.conditional_delete,
            key_file: self.key_file,
            search_seconds: self.search_seconds,
            max_connections: self.max_connections,
            header_seconds: self.header_seconds,
            request_seconds: self.request_seconds,
            one_by_one: self.one_by_one,
            zone: self.zone,
            operator: self.operator,
            ..Settings::default()
        }
    }
}

/// Serves until asked to end.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let config = place.config_with(args.settings())?;
    let (bound, config) = bind(config)?;
    let _hold = upkeep::hold_as_server(&config).await.map_err(Failure::of)?;
    let server = Arc::new(Server::start(config, Clock::system(), Random::system()).await.map_err(Failure::of)?);
    let listening = bound.serve(http::router(&server), &server.app.config).await.map_err(Failure::of)?;
    println!("listening on {} as {}", listening.address, server.app.config.base_url);
    listening.until(listen::asked_to_end()).await;
    server.end().await;
    Ok(ExitCode::SUCCESS)
}

/// Takes the socket. Where the port was left to the system, the public origin
/// gets the one that was taken.
pub(super) fn bind(mut config: Config) -> Result<(listen::Bound, Config), Failure> {
    let asked = config.listen;
    let bound =
        listen::bind(asked).map_err(|error| Failure(format!("{asked}: {error}; choose another with --listen")))?;
    config.listen = bound.address;
    if asked.port() == 0 {
        config.base_url = config.base_url.replace(&asked.to_string(), &bound.address.to_string());
    }
    Ok((bound, config))
}
