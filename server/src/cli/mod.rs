//! The command line: one file a command.
//!
//! Exit codes: 0 done, 1 failed, 2 bad usage. To add a command: a file with its
//! `Args` and `run`, a variant in [`Command`], an arm in [`carry_out`].

pub mod audit_verify;
pub mod backup;
pub mod client;
pub mod demo;
pub mod doctor;
pub mod fhirpath;
pub mod import;
pub mod keys;
pub mod migrate;
mod open;
pub mod reference;
pub mod reindex;
pub mod serve;
mod show;
pub mod token;
pub mod user;
pub mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Settings, known_database};

/// Techo: FHIR R4 for personal health records, with consent inside every query.
#[derive(Debug, Parser)]
#[command(name = "techo", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the data are: options of every command.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Directory of keys, audit log and embedded database.
    #[arg(long, global = true, env = "TECHO_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file (TOML; its keys are the long options of `serve`).
    #[arg(long, global = true, env = "TECHO_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database: `sqlite:PATH` or `postgres://…`; SQLite in the data directory if not said.
    #[arg(long, global = true, env = "TECHO_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A working system from nothing, with sample people, files, apps and an EHR.
    Demo(demo::Args),
    /// The server.
    Serve(serve::Args),
    /// Files of towns, pharmacies and notebooks → resources.
    Import(import::Args),
    /// Client programs: add, list, rotate, remove.
    Client(client::Args),
    /// Accounts of people: add, list, reset, lock.
    User(user::Args),
    /// A token for the operator's hand, printed once, recorded.
    Token(token::Args),
    /// Checks whether files are valid FHIR resources.
    Validate(validate::Args),
    /// Evaluates a FHIRPath expression on a resource.
    Fhirpath(fhirpath::Args),
    /// Brings the schema up to date.
    Migrate(migrate::Args),
    /// Writes the API reference of the manual from the program's own tables.
    #[command(hide = true)]
    Reference(reference::Args),
    /// Rebuilds or checks the search index.
    Reindex(reindex::Args),
    /// Copies all data into one file, beside a running server.
    Backup(backup::Args),
    /// Puts the data of a backup in place.
    Restore(backup::RestoreArgs),
    /// Checks that the audit log is what was written.
    AuditVerify(audit_verify::Args),
    /// The keys of this installation.
    Keys(keys::Args),
    /// Looks over this installation and says what to do.
    Doctor(doctor::Args),
}

/// Why a command failed; printed as it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// Any error, in its own words.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Place {
    /// The configuration: options over environment over file over what is shipped.
    pub fn config(&self) -> Result<Config, Failure> {
        self.config_with(Settings::default())
    }

    /// The same, with the options of one command on top.
    pub fn config_with(&self, over: Settings) -> Result<Config, Failure> {
        self.config_over(over, Settings::default())
    }

    /// The same, with `under` where nobody says anything.
    fn config_over(&self, over: Settings, under: Settings) -> Result<Config, Failure> {
        let file = match &self.config {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|error| Failure(format!("{}: {error}", path.display())))?;
                Settings::read(&text).map_err(|error| Failure(format!("{}: {error}", path.display())))?
            }
            None => Settings::default(),
        };
        let own = Settings { data: self.data.clone(), database: self.database.clone(), ..over };
        own.over(file).over(under).config().map_err(|error: ConfigError| Failure::of(error))
    }
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    // clap prints its own errors and ends with 2.
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("TECHO_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("techo: no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(carry_out(cli)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("techo: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(cli: Cli) -> Result<ExitCode, Failure> {
    if let Some(Err(error)) = cli.place.database.as_deref().map(known_database) {
        return Ok(show::usage(error));
    }
    match cli.command {
        Command::Demo(args) => demo::run(&cli.place, args).await,
        Command::Serve(args) => serve::run(&cli.place, args).await,
        Command::Import(args) => import::run(&cli.place, args).await,
        Command::Client(args) => client::run(&cli.place, args).await,
        Command::User(args) => user::run(&cli.place, args).await,
        Command::Token(args) => token::run(&cli.place, args).await,
        Command::Validate(args) => validate::run(&args),
        Command::Fhirpath(args) => fhirpath::run(&args, &Clock::system()),
        Command::Migrate(args) => migrate::run(&cli.place, args).await,
        Command::Reference(args) => reference::run(&args),
        Command::Reindex(args) => reindex::run(&cli.place, args).await,
        Command::Backup(args) => backup::run(&cli.place, args).await,
        Command::Restore(args) => backup::restore(&cli.place, args).await,
        Command::AuditVerify(args) => audit_verify::run(&cli.place, args).await,
        Command::Keys(args) => keys::run(&cli.place, args).await,
        Command::Doctor(args) => doctor::run(&cli.place, args).await,
    }
}
