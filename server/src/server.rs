//! The running server: the records' side ([`App`]) and the authorization server
//! beside it, with the door between them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{App, StartError};
use crate::auth::keys::SigningKeys;
use crate::auth::login::Lanes;
use crate::auth::password::Passwords;
use crate::auth::server::{AuthorizationServer, Config as AuthConfig};
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::gate::patient_scopes_reach;
use crate::http::fetch::RemoteKeys;
use crate::interaction::filing::Filing;
use crate::job::reindex;
use crate::random::Random;

/// Both sides, started.
pub struct Server {
    /// Records, consent, audit.
    pub app: Arc<App>,
    /// Sign-in, approval, tokens.
    pub authorization: Arc<AuthorizationServer>,
}

impl Server {
    /// Starts both sides.
    pub async fn start(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        let app = App::start(config, clock, random).await?;
        let authorization = AuthorizationServer {
            accounts: app.accounts.clone(),
            clock: app.clock.clone(),
            random: app.random.clone(),
            config: Arc::new(AuthConfig {
                origin: app.config.base_url.clone(),
                resource_types: types(&app, |_| true),
                patient_types: types(&app, patient_scopes_reach),
                management: "/apps".to_owned(),
            }),
            keys: SigningKeys::open(&app.config.file("signing-keys.json"))?,
            passwords: Passwords::new(&app.random)?,
            lanes: Lanes::default(),
            files: Arc::new(Filing::new(app.clone(), app.config.operator.clone())),
            fetches: Arc::new(RemoteKeys::new(app.clock.clone())?),
        };
        let authorization = Arc::new(authorization);
        sweep(&authorization);
        reindex::worker(&app);
        if app.store.stale().await? {
            tracing::warn!("{STALE}");
        }
        Ok(Self { app, authorization })
    }

    /// Brings the audit log to the disk and files it: before an orderly end.
    ///
    /// What is filed lies before a sealed head, so that a tail cut off a stopped
    /// server's log shows; without this the last 200 ms could be taken away.
    pub async fn end(&self) {
        if let Err(error) = self.app.audit.sync().await {
            tracing::error!(%error, "the audit log was not synced");
        }
        if let Err(error) = self.app.audit.catch_up().await {
            tracing::error!(%error, "the audit log was not filed to its end; the next start does it");
        }
    }
}

/// Every few minutes, ends approvals that were never taken up and forgets what is
/// long dead. Ends with the server.
fn sweep(authorization: &Arc<AuthorizationServer>) {
    let server = Arc::downgrade(authorization);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            let Some(server) = server.upgrade() else { return };
            if let Err(error) = server.sweep().await {
                tracing::error!(%error, "the clean-up of tokens failed; it is tried again");
            }
        }
    });
}

/// What an operator is told of index rows of another epoch: the server is of use without
/// them, and a search that finds too little is not told from one that finds nothing.
pub const STALE: &str = "records were indexed by other rules, or under another public origin or time zone: \
    searches may miss them until this has run, beside the server: techo reindex";

const SWEEP: Duration = Duration::from_mins(5);

fn types(app: &App, fit: impl Fn(&str) -> bool) -> BTreeSet<String> {
    app.definitions.resource_types().iter().filter(|kind| fit(kind)).map(|kind| (*kind).to_owned()).collect()
}
