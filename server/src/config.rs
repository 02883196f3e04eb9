//! What the operator decides: read once, refused early.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::store::db::SEARCH_TIME;

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
    /// The Organization that runs this server, `Organization/ID`: it stands in the
    /// Consents that are filed here.
    pub operator: String,
    /// The zone in which a day without a time begins and ends.
    pub zone: TimeZone,
    /// The key file, where several servers share one; in the data directory if not said.
    pub key_file: Option<PathBuf>,
    /// How long a search may take before the database stops it.
    pub search_time: Duration,
    /// Up to how many people who share with a caller are spoken of one by one; of more,
    /// each statement asks whose Consents say what.
    pub one_by_one: usize,
    /// A change to a resource must say by `If-Match` which version it changes.
    pub require_if_match: bool,
    /// What a delete does whose query finds several.
    pub conditional_delete: ConditionalDelete,
    /// What clients may ask of the edge.
    pub limits: Limits,
}

/// What `DELETE [type]?…` does where it finds several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionalDelete {
    /// It refuses.
    #[default]
    Single,
    /// It deletes all of them, or none.
    Multiple,
}

impl ConditionalDelete {
    /// As a CapabilityStatement says it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Multiple => "multiple",
        }
    }
}

/// How many clients are served at once, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// How long a client may take for the headers of a request, from the connection's
    /// begin or the last answer's end.
    pub header: Duration,
    /// How long a request may take.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, header: Duration::from_secs(15), request: Duration::from_mins(1) }
    }
}

/// Files of a TLS server.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// What may be said of a configuration: by option, environment or file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Where files live.
    pub data: Option<PathBuf>,
    /// The database's URL.
    pub database: Option<String>,
    /// Address to listen on.
    pub listen: Option<SocketAddr>,
    /// The public origin.
    pub base_url: Option<String>,
    /// Certificate chain, PEM.
    pub tls_certificate: Option<PathBuf>,
    /// Private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// A proxy that speaks TLS stands before this server.
    pub behind_proxy: Option<bool>,
    /// The key file.
    pub key_file: Option<PathBuf>,
    /// Seconds that a search may take.
    pub search_seconds: Option<u32>,
    /// Up to how many people who share with a caller are spoken of one by one.
    pub one_by_one: Option<usize>,
    /// Time zone by name.
    pub zone: Option<String>,
    /// The Organization that runs this server.
    pub operator: Option<String>,
    /// A change needs `If-Match`.
    pub require_if_match: Option<bool>,
    /// What a delete does whose query finds several.
    pub conditional_delete: Option<ConditionalDelete>,
    /// Connections at once.
    pub max_connections: Option<u32>,
    /// Seconds for the headers of a request.
    pub header_seconds: Option<u32>,
    /// Seconds for a request.
    pub request_seconds: Option<u32>,
}

impl Settings {
    /// Reads `techo.toml`.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// These, and `other` where nothing is said here.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            data: self.data.or(other.data),
            database: self.database.or(other.database),
            listen: self.listen.or(other.listen),
            base_url: self.base_url.or(other.base_url),
            tls_certificate: self.tls_certificate.or(other.tls_certificate),
            tls_key: self.tls_key.or(other.tls_key),
            behind_proxy: self.behind_proxy.or(other.behind_proxy),
            key_file: self.key_file.or(other.key_file),
            search_seconds: self.search_seconds.or(other.search_seconds),
            one_by_one: self.one_by_one.or(other.one_by_one),
            zone: self.zone.or(other.zone),
            operator: self.operator.or(other.operator),
            require_if_match: self.require_if_match.or(other.require_if_match),
            conditional_delete: self.conditional_delete.or(other.conditional_delete),
            max_connections: self.max_connections.or(other.max_connections),
            header_seconds: self.header_seconds.or(other.header_seconds),
            request_seconds: self.request_seconds.or(other.request_seconds),
        }
    }

    /// The configuration, with what is shipped where nothing is said.
    ///
    /// # Errors
    /// [`ConfigError`] for what is unsafe or makes no sense.
    pub fn config(self) -> Result<Config, ConfigError> {
        let listen = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let mut config = Config::new(self.data.unwrap_or_else(|| PathBuf::from("techo-data")), listen);
        if let Some(url) = &self.database {
            known_database(url)?;
        }
        config.database = self.database;
        config.tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        config.behind_proxy = self.behind_proxy.unwrap_or(false);
        config.require_if_match = self.require_if_match.unwrap_or(false);
        config.conditional_delete = self.conditional_delete.unwrap_or_default();
        config.key_file = self.key_file;
        match self.search_seconds {
            Some(0) => return Err(ConfigError::SearchTime),
            Some(seconds) => config.search_time = Duration::from_secs(seconds.into()),
            None => {}
        }
        config.limits = config.limits.with(self.max_connections, self.header_seconds, self.request_seconds)?;
        config.one_by_one = self.one_by_one.unwrap_or(config.one_by_one);
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        config.base_url =
            self.base_url.unwrap_or_else(|| format!("{scheme}://{listen}")).trim_end_matches('/').to_owned();
        if let Some(zone) = self.zone {
            config.zone = TimeZone::get(&zone).map_err(|_| ConfigError::Zone(zone))?;
        }
        if let Some(operator) = self.operator {
            config.operator = operator;
        }
        config.check()?;
        Ok(config)
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Tokens and records must not cross a network in the clear.
    #[error(
        "{0} is not a loopback address, and no certificate is configured; set --tls-certificate and --tls-key, or --behind-proxy if a proxy speaks TLS"
    )]
    PlainHttp(SocketAddr),
    /// A certificate without its key, or the other way round.
    #[error("--tls-certificate and --tls-key go together")]
    HalfTls,
    /// No database of this kind is supported. The rest of the URL may hold a password.
    #[error(
        "{0}: databases are sqlite: and postgres:, such as sqlite:/var/lib/techo/techo.db or postgres://host/techo"
    )]
    Database(String),
    /// Nothing could be found in no time.
    #[error("--search-seconds is 1 or more")]
    SearchTime,
    /// Nobody could be served.
    #[error("--max-connections, --header-seconds and --request-seconds are 1 or more")]
    Limits,
    /// No such time zone.
    #[error("{0} is no time zone; use a name such as Asia/Tokyo")]
    Zone(String),
    /// The public origin is not an origin.
    #[error("--base-url must be an origin such as https://phr.example.jp, without a path")]
    BaseUrl,
    /// TLS is spoken, and the public origin says it is not.
    #[error("--base-url must begin with https:// where TLS is spoken, or cookies would be sent without it")]
    PlainOrigin,
}

/// Refuses the URL of a database that is none of ours.
///
/// # Errors
/// [`ConfigError::Database`]
pub fn known_database(url: &str) -> Result<(), ConfigError> {
    match url.split_once(':') {
        Some(("sqlite" | "postgres" | "postgresql", _)) => Ok(()),
        Some((scheme, _)) => Err(ConfigError::Database(format!("{scheme}:"))),
        None => Err(ConfigError::Database("--database without a kind".to_owned())),
    }
}

impl Limits {
    fn with(self, connections: Option<u32>, header: Option<u32>, request: Option<u32>) -> Result<Self, ConfigError> {
        if [connections, header, request].contains(&Some(0)) {
            return Err(ConfigError::Limits);
        }
        let time = |said: Option<u32>, shipped| said.map_or(shipped, |seconds| Duration::from_secs(seconds.into()));
        Ok(Self {
            connections: connections.and_then(|most| usize::try_from(most).ok()).unwrap_or(self.connections),
            header: time(header, self.header),
            request: time(request, self.request),
        })
    }
}

/// Beyond this, asking the database costs less than remembering.
const ONE_BY_ONE: usize = 100;

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
            operator: "Organization/operator".to_owned(),
            zone: TimeZone::get("Asia/Tokyo").unwrap_or(TimeZone::UTC),
            key_file: None,
            search_time: SEARCH_TIME,
            one_by_one: ONE_BY_ONE,
            require_if_match: false,
            conditional_delete: ConditionalDelete::Single,
            limits: Limits::default(),
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
        // Cookies are kept to TLS by what the public origin says.
        if self.base_url.starts_with("http://") && (self.tls.is_some() || self.behind_proxy) && !self.is_local() {
            return Err(ConfigError::PlainOrigin);
        }
        Ok(())
    }

    /// Whether the public origin is this machine alone.
    fn is_local(&self) -> bool {
        let host = self.base_url.trim_start_matches("http://");
        ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|own| host.strip_prefix(own).is_some_and(|port| port.is_empty() || port.starts_with(':')))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_origin_without_tls_is_refused_where_tls_is_spoken() {
        for (base, behind_proxy, fine) in [
            ("https://phr.example.jp", true, true),
            ("http://phr.example.jp", true, false),
            ("http://localhost.example.jp", true, false),
            ("http://localhost:8080", true, true),
            ("http://[::1]", true, true),
            ("http://127.0.0.1:8080", false, true),
            ("https://phr.example.jp/fhir", true, false),
        ] {
            let mut config = Config::new("data", SocketAddr::from(([127, 0, 0, 1], 8080)));
            (config.base_url, config.behind_proxy) = (base.to_owned(), behind_proxy);
            assert_eq!(config.check().is_ok(), fine, "{base}");
        }
    }
}
