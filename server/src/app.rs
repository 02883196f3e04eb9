//! The server's parts, wired: the one place where [`App`] is built from [`Config`].

use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, Weak};

use jiff::tz::TimeZone;
use techo_profiles::Definitions;
use techo_terminology::Terminology;

mod circle;
pub mod rules;

pub use self::circle::{ACT_REASON, Circle, ConsentTerms, Standing};
use self::rules::Rules;
use crate::circles::Circles;
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::policy::Policy;
use crate::consent::stance::StanceKey;
use crate::consent::supersede::Filed;
use crate::import::draft::LOCAL_BASE;
use crate::interaction::Location;
use crate::interaction::strangers::Strangers;
use crate::interaction::turns::Turns;
use crate::operation::definition;
use crate::random::Random;
use crate::search::index::{self, Local};
use crate::store::account::Accounts;
use crate::store::audit::AuditLog;
use crate::store::keys::Keys;
use crate::store::seal::Sealer;
use crate::store::{Db, Store, StoreError};

/// Consents kept compiled, by row and version.
const COMPILED: usize = 100_000;

/// The server's parts.
pub struct App {
    /// What the operator decided.
    pub config: Config,
    /// FHIR R4.
    pub definitions: &'static Definitions,
    /// What codes mean.
    pub codes: Terminology,
    /// Records.
    pub store: Store,
    /// Clients, people, grants, tokens.
    pub accounts: Accounts,
    /// Who saw what.
    pub audit: AuditLog,
    /// The keys of this installation.
    pub keys: Keys,
    /// Seals page links and what is kept outside the FHIR API.
    pub sealer: Sealer,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// The search parameters in force.
    pub rules: Rules,
    /// Who called before, and what they may see.
    pub circles: Circles,
    /// Refusals of callers whom nobody knows.
    pub strangers: Strangers,
    /// For writers who get into each other's way.
    pub turns: Turns,
    /// Held by an import that makes a place or institution for the first time.
    pub first_telling: tokio::sync::Mutex<()>,
    own: Weak<App>,
    compiled: Mutex<Compiled>,
    /// What stances say: a stance never changes.
    stances: Mutex<HashMap<StanceKey, Arc<Policy>>>,
}

impl Debug for App {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("App")
    }
}

/// Consents by row and version; `None` for one that is not active.
type Compiled = HashMap<(i64, i32), Option<Arc<Filed>>>;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is unsafe or makes no sense.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {error}")]
    Data {
        /// The directory.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] crate::store::keys::KeyError),
    /// The keys that sign ID tokens.
    #[error(transparent)]
    SigningKeys(#[from] crate::auth::keys::KeyError),
    /// TLS for fetching clients' keys.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The authorization server.
    #[error(transparent)]
    Authorization(#[from] crate::auth::server::ServerError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] crate::store::audit::AuditError),
}

impl App {
    /// Whether this server tells something of its own at this place: nobody writes there.
    pub fn publishes(&self, at: &Location) -> bool {
        definition::told_at(at).is_some()
    }

    /// Opens the database, the keys and the log.
    pub async fn start(config: Config, clock: Clock, random: Random) -> Result<Arc<Self>, StartError> {
        config.check()?;
        std::fs::create_dir_all(&config.data)
            .map_err(|error| StartError::Data { path: config.data.display().to_string(), error })?;
        let db = Db::open_for(&config.database_url(), config.search_time).await.map_err(StoreError::from)?;
        let definitions = Definitions::embedded();
        let local = Local::new(&config.fhir_base(), &config.zone);
        // 31 bits: the column is a plain integer in both databases.
        let epoch = i32::try_from(index::epoch(definitions, &local) & 0x7FFF_FFFF).unwrap_or(0);
        let store = Store::open(db.clone(), clock.clone(), epoch).await?;
        let keys = Keys::open_or_create(&config.keys_path(), &random)?;
        let sealer = Sealer::new(&keys, random.clone());
        let options = crate::store::audit::Options::new(clock.clone(), random.clone());
        let audit = AuditLog::open(&db, &config.file("audit"), &keys, options).await?;
        let rules = Rules::load(&store, &config, definitions).await?;
        Ok(Arc::new_cyclic(|own| Self {
            config,
            definitions,
            codes: Terminology::new(definitions, LOCAL_BASE),
            store,
            accounts: Accounts::new(db),
            audit,
            keys,
            sealer,
            clock,
            random,
            rules,
            circles: Circles::default(),
            strangers: Strangers::default(),
            turns: Turns::default(),
            first_telling: tokio::sync::Mutex::default(),
            own: own.clone(),
            compiled: Mutex::default(),
            stances: Mutex::default(),
        }))
    }

    /// The whole, for work that outlasts who asked for it.
    ///
    /// # Panics
    /// Never: `start` puts every App into an Arc, and whoever borrows it holds that alive.
    pub fn shared(&self) -> Arc<Self> {
        self.own.upgrade().expect("borrowed from its Arc")
    }

    /// What index extraction needs to know of this place.
    pub fn local(&self) -> Local {
        let catalog = self.catalog();
        let generation = catalog.generation();
        Local::new(&self.config.fhir_base(), &self.config.zone).with(catalog, generation)
    }

    /// The same, as of a generation of this installation's search parameters.
    pub fn local_at(&self, generation: i64) -> Local {
        Local::new(&self.config.fhir_base(), &self.config.zone).with(self.catalog(), generation)
    }

    /// The zone in which a day without time ends.
    pub fn zone(&self) -> &TimeZone {
        &self.config.zone
    }
}
