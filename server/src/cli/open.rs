//! Opening the data for one command, beside a running server.

use std::ops::Deref;
use std::sync::Arc;

use super::{Failure, Place};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::random::Random;
use crate::server::Server;
use crate::store::audit::{Kind, Outcome, Party, Record};
use crate::store::upkeep::{self, Hold, Origin};

/// The data of one command, and the right to use them.
pub(super) struct Opened<T> {
    it: T,
    _hold: Hold,
}

impl<T> Deref for Opened<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

/// What to do where there is no database yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Make one: the command brings the first data.
    Make,
    /// Say so: an empty database is not what the operator meant.
    Refuse,
}

/// The configuration of a command beside the server's. What decides about stored
/// data comes from the same environment and file as that of `techo serve`; where
/// they say nothing, from what the server last ran under: index rows depend on the
/// public origin, and those of two origins do not go together.
pub(super) fn config(place: &Place) -> Result<Config, Failure> {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let settings = Settings {
        base_url: said("TECHO_BASE_URL"),
        key_file: said("TECHO_KEY_FILE").map(Into::into),
        zone: said("TECHO_ZONE"),
        operator: said("TECHO_OPERATOR"),
        ..Settings::default()
    };
    let origin = upkeep::remembered(&place.config_with(settings.clone())?.data).map_err(Failure::of)?;
    place.config_over(settings, origin.map(Settings::from).unwrap_or_default())
}

impl From<Origin> for Settings {
    fn from(origin: Origin) -> Self {
        Self { base_url: Some(origin.base_url), zone: origin.zone, operator: Some(origin.operator), ..Self::default() }
    }
}

/// Refuses where there is no database.
pub(super) fn must_exist(config: &Config) -> Result<(), Failure> {
    match upkeep::place(config) {
        Some(path) if !path.exists() => Err(Failure(format!(
            "there is no database at {}; name another directory with --data, or make one with: techo migrate",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Records, consent and audit.
pub(super) async fn app(place: &Place, missing: Missing) -> Result<Opened<Arc<App>>, Failure> {
    let (config, hold) = held(place, missing).await?;
    let app = App::start(config, Clock::system(), Random::system()).await.map_err(Failure::of)?;
    Ok(Opened { it: app, _hold: hold })
}

/// The same with the authorization server beside it.
pub(super) async fn server(place: &Place, missing: Missing) -> Result<Opened<Server>, Failure> {
    let (config, hold) = held(place, missing).await?;
    let server = Server::start(config, Clock::system(), Random::system()).await.map_err(Failure::of)?;
    Ok(Opened { it: server, _hold: hold })
}

async fn held(place: &Place, missing: Missing) -> Result<(Config, Hold), Failure> {
    let config = config(place)?;
    if missing == Missing::Refuse {
        must_exist(&config)?;
    }
    let hold = upkeep::hold(&config).await.map_err(Failure::of)?;
    Ok((config, hold))
}

/// Brings what this command did to the audit log to the disk, and files it.
pub(super) async fn end(app: &App) -> Result<(), Failure> {
    app.audit.sync().await.map_err(Failure::of)?;
    app.audit.catch_up().await.map_err(Failure::of)
}

/// An act of the operator, for the audit log. Appended before anything is printed.
///
/// * `about`: `client-add`, …
/// * `reference`: `Device/importer`, where the act is about someone.
pub(super) fn act(app: &App, kind: Kind, about: &str, reference: Option<String>) -> Record {
    let mut record = Record::new(app.clock.micros(), kind, Outcome::Success);
    record.reason = Some(about.into());
    record.client = Some(Party::new("Device/techo-command-line", None));
    record.resource = reference.map(String::into_boxed_str);
    record
}

/// Keeps the record; a command that cannot be recorded fails.
pub(super) async fn recorded(app: &App, record: Record) -> Result<(), Failure> {
    app.audit.append(record).await.map_err(Failure::of)?;
    end(app).await
}
