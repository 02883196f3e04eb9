//! The search parameters in force, kept as the database has them.
//!
//! Several servers share a database, and any of them may be told of a new parameter.
//! Each looks at most a second late; what is written by an older state of things is
//! refused by the store and planned anew, and what a search does not find here is
//! looked for there before it is refused.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use techo_profiles::Definitions;
use techo_profiles::definitions::SearchParameter;
use techo_profiles::json::Json;
use tokio::sync::Notify;

use super::App;
use crate::config::Config;
use crate::dispatch::{capabilities, own};
use crate::interaction::Error;
use crate::search::catalog::Catalog;
use crate::search::own::{Life, OwnParameter, Standing, read};
use crate::store::rules::{OwnRow, Rulebook};
use crate::store::write::Rules as Planned;
use crate::store::{Committed, Refused, Store, StoreError, WriteSet};

/// What is indexed, and what is said of it.
#[derive(Debug)]
pub struct Rules {
    state: RwLock<State>,
    /// When the database was last looked at, in microseconds since 1970.
    looked: AtomicI64,
    /// Rung when records are to be brought up to the parameters in force.
    pub wanted: Notify,
}

#[derive(Clone, Debug)]
struct State {
    catalog: Arc<Catalog>,
    capabilities: Arc<[u8]>,
}

impl Rules {
    /// As the database has them now.
    pub async fn load(store: &Store, config: &Config, definitions: &'static Definitions) -> Result<Self, StoreError> {
        let state = State::of(&store.rulebook().await?, config, definitions)?;
        Ok(Self { state: RwLock::new(state), looked: AtomicI64::new(0), wanted: Notify::new() })
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    fn of(book: &Rulebook, config: &Config, definitions: &'static Definitions) -> Result<Self, StoreError> {
        let all =
            book.rows.iter().map(|row| own_parameter(row, definitions)).collect::<Result<Vec<_>, StoreError>>()?;
        let catalog = Catalog::with(definitions, book.generation, book.change, all);
        let capabilities =
            own::claimed(capabilities::statement(config, definitions), &catalog).to_string().into_bytes().into();
        Ok(Self { catalog: Arc::new(catalog), capabilities })
    }
}

/// A definition as stored, read. One that this program refuses makes the rows that it made, so
/// that they are found and go again, and answers nobody.
fn own_parameter(row: &OwnRow, definitions: &'static Definitions) -> Result<OwnParameter, StoreError> {
    let corrupt = || StoreError::Corrupt { table: "own_parameter", column: "definition", row: row.born };
    let json = Json::parse(row.definition.as_bytes()).map_err(|_| corrupt())?;
    let definition = SearchParameter::of(definitions, &json).map_err(|_| corrupt())?;
    let standing = match (read(definitions, &json), row.ready) {
        (Err(_), _) => Standing::Refused,
        (Ok(_), true) => Standing::Ready,
        (Ok(_), false) => Standing::Indexing,
    };
    let retired = if row.retired == 0 { i64::MAX } else { row.retired };
    Ok(OwnParameter {
        source: row.source.as_str().into(),
        life: Life { born: row.born, retired, standing },
        text: row.definition.as_str().into(),
        definition,
    })
}

impl App {
    /// The search parameters in force, as far as this server knows.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.rules.state().catalog
    }

    /// The CapabilityStatement, as bytes.
    pub fn capabilities(&self) -> Arc<[u8]> {
        self.rules.state().capabilities
    }

    /// Looks whether the parameters have changed, if that is a second ago.
    pub async fn keep_up(&self) -> Result<(), Error> {
        let now = self.clock.micros();
        let looked = self.rules.looked.load(Ordering::Relaxed);
        if (looked..looked + EVERY).contains(&now) {
            return Ok(());
        }
        self.rules.looked.store(now, Ordering::Relaxed);
        self.catch_up().await.map(|_| ())
    }

    /// Takes over what has changed; whether anything had.
    pub async fn catch_up(&self) -> Result<bool, Error> {
        if self.store.rules_change().await? == self.catalog().change() {
            return Ok(false);
        }
        let state = State::of(&self.store.rulebook().await?, &self.config, self.definitions)?;
        let mut known = self.rules.state.write().unwrap_or_else(PoisonError::into_inner);
        // Another task may have taken over something newer meanwhile.
        if known.catalog.change() < state.catalog.change() {
            *known = state;
        }
        Ok(true)
    }

    /// Writes a set that its caller plans anew where a record has moved: other rules
    /// are taken over, and told as that.
    pub async fn write(&self, set: WriteSet) -> Result<Result<Committed, Refused>, Error> {
        match self.store.write(set).await {
            Err(StoreError::OtherRules) => {
                self.catch_up().await?;
                Ok(Err(Refused::Moved { put: 0, current: None }))
            }
            written => Ok(written?),
        }
    }
}

/// The generations by which a write is planned.
///
/// * `planned`: the one in force, asked before anything is extracted.
/// * `old`: that of the version before.
pub fn planned(planned: i64, old: Option<i64>) -> Planned {
    Planned { planned, before: old.unwrap_or(0), after: planned }
}

/// How late a server may be, in microseconds.
pub const EVERY: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::search::reason::Reason;

    /// Parameters on what a write puts in could be filed once: they stayed ready, and found nothing.
    #[test]
    fn a_stored_parameter_that_is_no_longer_taken_answers_nobody() {
        let row = |code: &str, expression: &str, born: i64| OwnRow {
            born,
            source: format!("SearchParameter/{code}"),
            retired: 0,
            ready: true,
            definition: format!(
                r#"{{"url":"https://example.org/{code}","code":"{code}","base":["Patient"],"type":"date","expression":"{expression}"}}"#
            ),
        };
        let rows = vec![row("stamped", "Patient.meta.lastUpdated", 1), row("born", "Patient.birthDate", 2)];
        let book = Rulebook { generation: 2, change: 2, rows };
        let config = Config::new("data", SocketAddr::from(([127, 0, 0, 1], 8080)));
        let state = State::of(&book, &config, Definitions::embedded()).expect("they can be read");
        let patient = state.catalog.of_type("Patient").expect("a type");
        assert!(patient.parameter("born").is_some() && patient.parameter("stamped").is_none());
        assert_eq!(patient.lacks("stamped"), Reason::Refused { resource_type: "Patient".into() });
        let claimed = String::from_utf8_lossy(&state.capabilities).into_owned();
        assert!(claimed.contains("example.org/born") && !claimed.contains("example.org/stamped"));
    }
}
