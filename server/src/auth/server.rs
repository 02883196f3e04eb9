//! The authorization server: what its parts share, and the door to the records.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::client::{BadRow, Client};
use super::jwks::FetchesKeys;
use super::keys::SigningKeys;
use super::login::Lanes;
use super::password::Passwords;
use super::person::{ActsFor, User};
use super::scope::{Context, Scope, ScopeError, Scopes};
use crate::clock::Clock;
use crate::random::Random;
use crate::store::account::Accounts;

/// A second, in stored time.
pub const SECOND: i64 = 1_000_000;
/// A day, in stored time.
pub const DAY: i64 = 24 * 3600 * SECOND;

/// What the operator has configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public origin, `https://phr.example`, without a slash at the end.
    pub origin: String,
    /// Resource types that scopes may name.
    pub resource_types: BTreeSet<String>,
    /// Those of them that a `patient/` scope ever reaches.
    pub patient_types: BTreeSet<String>,
    /// Path of the page on which a person sees and withdraws what she has granted.
    pub management: String,
}

impl Config {
    /// The FHIR base, which is the OpenID issuer too.
    pub fn base(&self) -> String {
        format!("{}/fhir", self.origin)
    }

    /// An address under `/oauth/`.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/oauth/{name}", self.origin)
    }

    /// Refuses a scope that names a type of which it could never give anything.
    ///
    /// # Errors
    /// [`ScopeError::Kind`] for what is no type, [`ScopeError::OfNobody`] for one that no
    /// `patient/` scope reaches.
    pub fn gives(&self, scope: &Scope) -> Result<(), ScopeError> {
        let Some(scope) = scope.resource() else { return Ok(()) };
        match scope.kind.as_deref() {
            Some(kind) if !self.resource_types.contains(kind) => Err(ScopeError::Kind),
            Some(kind) if scope.context == Context::Patient && !self.patient_types.contains(kind) => {
                Err(ScopeError::OfNobody)
            }
            _ => Ok(()),
        }
    }

    /// Whether browsers reach it by TLS, so that cookies may insist on it.
    pub fn secure(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// All that the endpoints need.
#[derive(Clone)]
pub struct AuthorizationServer {
    /// Rows.
    pub accounts: Accounts,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
    /// Configuration.
    pub config: Arc<Config>,
    /// Keys for ID tokens.
    pub keys: SigningKeys,
    /// Password hashing, a few at a time.
    pub passwords: Passwords,
    /// Queues of sign-in attempts.
    pub lanes: Lanes,
    /// Where an approval becomes a Consent.
    pub files: Arc<dyn FilesConsent>,
    /// How client keys are fetched.
    pub fetches: Arc<dyn FetchesKeys>,
}

/// One person's approval of one client, about to become Consents.
#[derive(Clone, Debug)]
pub struct Approval {
    /// To whom access is given.
    pub client: Client,
    /// Who gives it.
    pub approver: User,
    /// For whose records; one Consent each.
    pub patients: Vec<ActsFor>,
    /// What was ticked, and what needs no tick.
    pub scopes: Scopes,
    /// Purpose of use (v3-ActReason).
    pub purpose: String,
    /// `ja` or `en`: the language of `shown`.
    pub language: &'static str,
    /// The text that was on the page: kept with the Consent as what was agreed to.
    pub shown: String,
    /// When, in microseconds since 1970.
    pub at: i64,
}

/// Why a Consent was not filed or ended. The cause is in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilingError {
    /// The patient has as many active Consents as may be.
    #[error("the patient has as many active Consents as may be")]
    Crowded,
    /// It could not be written.
    #[error("the Consent could not be written: {0}")]
    Failed(String),
}

/// Turns approvals into Consents, and tells what people are called.
pub trait FilesConsent: Send + Sync {
    /// Files one Consent for each of `approval.patients`, in their order, each
    /// replacing the one that stood for the same (approver, client, patient).
    /// Answers their ids.
    fn file<'a>(&'a self, approval: &'a Approval) -> BoxFuture<'a, Result<Vec<String>, FilingError>>;

    /// Makes Consents inactive: the last grant that hung on them has ended.
    fn end<'a>(&'a self, consents: &'a [String]) -> BoxFuture<'a, Result<(), FilingError>>;

    /// A patient's name, as shown to those who may act for her; `None` if her Patient is gone.
    ///
    /// * `language`: `ja` or `en`.
    fn patient_name<'a>(&'a self, patient: &'a str, language: &'a str) -> BoxFuture<'a, Option<String>>;
}

/// Why the authorization server could not do its part: never the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database.
    #[error(transparent)]
    Store(#[from] sea_orm::DbErr),
    /// A stored row that makes no sense.
    #[error(transparent)]
    Row(#[from] BadRow),
    /// The Consent.
    #[error(transparent)]
    Filing(#[from] FilingError),
    /// A key that does not sign, a hash that is not made.
    #[error("{0}")]
    Crypto(&'static str),
}

impl AuthorizationServer {
    /// A registered client that is not shut out.
    pub async fn client(&self, id: &str) -> Result<Option<Client>, ServerError> {
        let Some(row) = self.accounts.client(id).await? else { return Ok(None) };
        Ok(Some(Client::of(row)?).filter(|client| !client.disabled))
    }

    /// Ends a grant at once, and the Consents that nothing hangs on any more.
    pub async fn end_grant(&self, grant: &str) -> Result<(), ServerError> {
        let orphaned = self.accounts.end_grant(grant, self.clock.micros()).await?;
        if !orphaned.is_empty() {
            self.files.end(&orphaned).await?;
        }
        Ok(())
    }

    /// Ends all that an account's holder has granted to a client, as she asks on
    /// the page of connected applications.
    pub async fn withdraw(&self, account: &str, client: &str) -> Result<(), ServerError> {
        for one in self.accounts.grants_of(account).await? {
            if one.grant.client == client {
                self.end_grant(&one.grant.id).await?;
            }
        }
        Ok(())
    }

    /// Clears up: ends approvals whose code was never exchanged, with their
    /// Consents, and removes what died more than a day ago.
    pub async fn sweep(&self) -> Result<u64, ServerError> {
        let now = self.clock.micros();
        for grant in self.accounts.never_exchanged(now).await? {
            self.end_grant(&grant).await?;
        }
        Ok(self.accounts.sweep(now, DAY).await?)
    }

    /// The patients for whom `user` may act now.
    pub async fn acts_for(&self, user: &User) -> Result<Vec<ActsFor>, ServerError> {
        let held = self.accounts.authorities(&user.id, self.clock.micros()).await?;
        let mut people: Vec<ActsFor> = Vec::with_capacity(held.len());
        for row in held {
            let one = ActsFor::of(row)?;
            if !people.iter().any(|known| known.patient == one.patient) {
                people.push(one);
            }
        }
        Ok(people)
    }
}
