//! What the operator decides: read once, refused early.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

/// The server's configuration. Every member is also a command-line option, a
/// `TECHO_…` environment variable and a line of `techo.toml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where files live: keys, audit segments, the embedded database.
    pub data: PathBuf,
    /// `sqlite:PATH` or `postgres://…`; SQLite in the data directory if not said.
    pub database: Option<String>,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// The public origin, such as `https://phr.example.jp`; no slash at the end.
    pub base_url: String,
    /// Certificate chain and private key, PEM.
    pub tls: Option<Tls>,
    /// A proxy that speaks TLS stands before this server.
    pub behind_proxy: bool,
    /// The zone in which a day without a time begins and ends.
    pub zone: TimeZone,
    /// The key file, where several servers share one; in the data directory if not said.
    pub key_file: Option<PathBuf>,
}

/// Files of a TLS server.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Tokens and records must not cross a network in the clear.
    #[error(
        "{0} is not a loopback address, and no certificate is configured; set --tls-certificate and --tls-key, or --behind-proxy if a proxy speaks TLS"
    )]
    PlainHttp(SocketAddr),
    /// The public origin is not an origin.
    #[error("--base-url must be an origin such as https://phr.example.jp, without a path")]
    BaseUrl,
}

impl Config {
    /// For `data`, listening on `listen`, everything else as shipped.
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data: data.into(),
            database: None,
            listen,
            base_url: format!("http://{listen}"),
            tls: None,
            behind_proxy: false,
            zone: TimeZone::get("Asia/Tokyo").unwrap_or(TimeZone::UTC),
            key_file: None,
        }
    }

    /// Refuses what is unsafe or makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rest = self.base_url.strip_prefix("http://").or_else(|| self.base_url.strip_prefix("https://"));
        if rest.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '@', ' '])) {
            return Err(ConfigError::BaseUrl);
        }
        if !self.listen.ip().is_loopback() && self.tls.is_none() && !self.behind_proxy {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        Ok(())
    }

    /// The base of FHIR URLs, without a slash at the end.
    pub fn fhir_base(&self) -> String {
        format!("{}/fhir", self.base_url)
    }

    /// The database's URL.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.file("techo.db").display()))
    }

    /// The key file.
    pub fn keys_path(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.file("keys"))
    }

    /// A file of the data directory.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.data.join(name)
    }
}
