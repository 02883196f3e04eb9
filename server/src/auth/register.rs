//! What the operator does: clients, accounts, authorities, and a token in hand.
//!
//! A secret or password is made here, answered once, and kept as a hash.

use super::client::{BadRow, Client, ClientKind, Purposes};
use super::jwks::{self, JwksError};
use super::person::{AccountKind, Relation};
use super::redirect::{self, RedirectError};
use super::scope::{Context, Meaning, ScopeError, Scopes};
use super::server::{AuthorizationServer, Config, SECOND, ServerError};
use crate::secret::{Secret, hash};
use crate::store::account::ClientRow;
use crate::store::entity::{access_token, account, authority, client, client_redirect};

/// The longest life of an operator's token, in minutes.
pub const LONGEST_TOKEN: u32 = 60;

/// A client to be registered.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// `client_id`.
    pub id: String,
    /// How it proves itself.
    pub kind: ClientKind,
    /// Name in Japanese.
    pub name_ja: String,
    /// Name in English.
    pub name_en: String,
    /// Its redirect URIs.
    pub redirects: Vec<String>,
    /// A JWK set, or the https address of one.
    pub keys: Option<NewKeys>,
    /// What it may ask for, parted by spaces.
    pub scopes: String,
    /// Id of the Organization it belongs to.
    pub organization: Option<String>,
    /// Its purposes of use.
    pub purposes: Purposes,
    /// Where an EHR opens it.
    pub launch_url: Option<String>,
    /// Whether what it writes is its organization's own record.
    pub custodial: bool,
    /// The towns under whose resident keys it may make people, 5 digits each; empty: any.
    pub municipalities: Vec<String>,
}

/// Public keys to be registered.
#[derive(Clone, Debug)]
pub enum NewKeys {
    /// A JWK set.
    Set(String),
    /// Where it is.
    Url(String),
}

/// A person's account to be added.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// What she types.
    pub name: String,
    /// What sort of account.
    pub kind: AccountKind,
    /// Id of her own Patient, over which she gets authority.
    pub patient: Option<String>,
    /// Who she is: `Type/id`.
    pub fhir_user: Option<String>,
    /// Id of the Organization she works for.
    pub organization: Option<String>,
    /// As what she works there: `physician`, `dentist`, `nurse`, `pharmacist`, `public-health-nurse`.
    pub role: Option<String>,
    /// A password, if one is to be set; otherwise one is made.
    pub password: Option<Secret>,
}

/// An authority that the operator has verified.
#[derive(Clone, Debug)]
pub struct NewAuthority {
    /// Sign-in name of its holder.
    pub account: String,
    /// Id of the Patient.
    pub patient: String,
    /// As what.
    pub relation: Relation,
    /// Id of the `RelatedPerson` that stands for it.
    pub related_person: Option<String>,
    /// Whether a delegate may connect applications.
    pub with_apps: bool,
    /// First instant.
    pub from: i64,
    /// The instant after the last.
    pub until: Option<i64>,
    /// What the operator saw.
    pub evidence: String,
}

/// A token for the operator's hand.
#[derive(Clone, Debug)]
pub struct OperatorToken {
    /// As which client.
    pub client: String,
    /// What it allows.
    pub scopes: String,
    /// Id of the Patient in context.
    pub patient: Option<String>,
    /// Purpose of use; the client's own for backends if `None`.
    pub purpose: Option<String>,
    /// Its life, at most [`LONGEST_TOKEN`].
    pub minutes: u32,
}

/// Why the operator's order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// An id or name that is empty, too long, or holds other characters.
    #[error("{0} must be 1 to 64 letters, digits, '-', '_' or '.'")]
    Name(&'static str),
    /// Taken.
    #[error("{0} is registered already")]
    Taken(String),
    /// Not there.
    #[error("{0} is not registered")]
    Unknown(String),
    /// A redirect URI.
    #[error("{1}: {0}")]
    Redirect(String, RedirectError),
    /// People sign in through it, so it needs one.
    #[error("a client of kind {0} needs a redirect URI")]
    NoRedirect(&'static str),
    /// Keys where there should be none, or none where there should be.
    #[error("a client of kind {0} {1}")]
    Keys(&'static str, &'static str),
    /// A key set.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// A scope.
    #[error("{1}: {0}")]
    Scope(String, ScopeError),
    /// Scopes that this client may not have.
    #[error("the scopes go beyond what is registered for this client")]
    Beyond,
    /// A token's life.
    #[error("a token lives for 1 to {LONGEST_TOKEN} minutes")]
    Minutes,
    /// `patient/` scopes without a patient.
    #[error("patient/ scopes need a patient")]
    NoPatient,
    /// Our own fault.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl From<sea_orm::DbErr> for RegisterError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Server(error.into())
    }
}

impl From<BadRow> for RegisterError {
    fn from(error: BadRow) -> Self {
        Self::Server(error.into())
    }
}

impl AuthorizationServer {
    /// Registers a client. Answers its secret, if it has one: it is not kept.
    pub async fn add_client(&self, new: NewClient) -> Result<Option<Secret>, RegisterError> {
        name_fits(&new.id, "the client id")?;
        if self.accounts.client(&new.id).await?.is_some() {
            return Err(RegisterError::Taken(new.id));
        }
        check_client(&self.config, &new)?;
        let secret = (new.kind == ClientKind::Secret).then(|| Secret::new(self.random.token()));
        let row = client_row(new, secret.as_ref(), self.clock.micros())?;
        self.accounts.add_client(row).await?;
        Ok(secret)
    }

    /// All clients, disabled ones too.
    pub async fn all_clients(&self) -> Result<Vec<Client>, RegisterError> {
        let mut clients = Vec::new();
        for row in self.accounts.clients().await? {
            if let Some(row) = self.accounts.client(&row.id).await? {
                clients.push(Client::of(row)?);
            }
        }
        Ok(clients)
    }

    /// Gives a client a new secret, answered once, or other keys. The old ones are
    /// worth nothing from now on.
    pub async fn rotate_client(&self, id: &str, keys: Option<NewKeys>) -> Result<Option<Secret>, RegisterError> {
        let unknown = || RegisterError::Unknown(id.to_owned());
        let row = self.accounts.client(id).await?.ok_or_else(unknown)?;
        let kind: ClientKind = row.client.kind.parse()?;
        check_keys(kind, keys.as_ref())?;
        if let Some(keys) = keys {
            let (jwks, url) = split(Some(keys))?;
            self.accounts.set_client_keys(id, jwks, url).await?;
            return Ok(None);
        }
        if kind == ClientKind::Public {
            return Err(RegisterError::Keys("public", "has neither a secret nor keys"));
        }
        let secret = Secret::new(self.random.token());
        self.accounts.set_client_secret(id, &hash(secret.reveal().as_bytes())).await?;
        Ok(Some(secret))
    }

    /// Removes a client; its tokens die and its grants end.
    pub async fn remove_client(&self, id: &str) -> Result<(), RegisterError> {
        let gone = self.accounts.remove_client(id, self.clock.micros()).await?;
        if gone { Ok(()) } else { Err(RegisterError::Unknown(id.to_owned())) }
    }

    /// Shuts a client out, or lets it in again.
    pub async fn disable_client(&self, id: &str, disabled: bool) -> Result<(), RegisterError> {
        let done = self.accounts.disable_client(id, disabled).await?;
        if done { Ok(()) } else { Err(RegisterError::Unknown(id.to_owned())) }
    }

    /// Adds an account; answers its password. A Patient of her own comes with
    /// authority over it.
    pub async fn add_account(&self, new: NewAccount) -> Result<Secret, RegisterError> {
        name_fits(&new.name, "the name")?;
        if self.accounts.account_named(&new.name).await?.is_some() {
            return Err(RegisterError::Taken(new.name));
        }
        let password = new.password.unwrap_or_else(|| Secret::new(self.random.token()));
        let now = self.clock.micros();
        let id = self.random.id();
        let own = new.patient.as_ref().map(|patient| authority::Model {
            id: self.random.id(),
            account: id.clone(),
            patient: patient.clone(),
            kind: Relation::Own.name().to_owned(),
            related_person: None,
            with_apps: true,
            valid_from: now,
            valid_until: None,
            evidence: "account".to_owned(),
            created: now,
        });
        let row = account::Model {
            id,
            name: new.name,
            password: self.passwords.hash(password.clone(), &self.random).await?,
            kind: new.kind.name().to_owned(),
            patient: new.patient,
            fhir_user: new.fhir_user,
            organization: new.organization,
            role: new.role,
            locked: false,
            created: now,
        };
        self.accounts.add_account(row, own.into_iter().collect()).await?;
        Ok(password)
    }

    /// Gives an account a new password, answered once, and signs its browsers out.
    pub async fn reset_account(&self, name: &str) -> Result<Secret, RegisterError> {
        let account = self.named(name).await?;
        let password = Secret::new(self.random.token());
        let stored = self.passwords.hash(password.clone(), &self.random).await?;
        self.accounts.set_password(&account.id, &stored).await?;
        Ok(password)
    }

    /// Shuts an account out with all that its holder approved, or lets it in again.
    pub async fn lock_account(&self, name: &str, locked: bool) -> Result<(), RegisterError> {
        let account = self.named(name).await?;
        self.accounts.lock_account(&account.id, locked).await?;
        Ok(())
    }

    /// Enters a verified authority; answers its key.
    pub async fn add_authority(&self, new: NewAuthority) -> Result<String, RegisterError> {
        let account = self.named(&new.account).await?;
        let id = self.random.id();
        let row = authority::Model {
            id: id.clone(),
            account: account.id,
            patient: new.patient,
            kind: new.relation.name().to_owned(),
            related_person: new.related_person,
            with_apps: new.with_apps,
            valid_from: new.from,
            valid_until: new.until,
            evidence: new.evidence,
            created: self.clock.micros(),
        };
        self.accounts.add_authority(row).await?;
        Ok(id)
    }

    /// A token for the operator's hand. It dies with its client.
    pub async fn operator_token(&self, order: OperatorToken) -> Result<(Secret, String), RegisterError> {
        if order.minutes == 0 || order.minutes > LONGEST_TOKEN {
            return Err(RegisterError::Minutes);
        }
        let client = self.client(&order.client).await?.ok_or(RegisterError::Unknown(order.client))?;
        let scopes = checked_scopes(&self.config, &order.scopes)?;
        if scopes.is_empty() || !scopes.iter().all(|scope| client.scopes.cover(scope)) {
            return Err(RegisterError::Beyond);
        }
        if scopes.speaks_of(Context::Patient) && order.patient.is_none() {
            return Err(RegisterError::NoPatient);
        }
        let now = self.clock.micros();
        let token = Secret::new(self.random.token());
        let row = access_token::Model {
            hash: hash(token.reveal().as_bytes()).to_vec(),
            id: self.random.id(),
            grant_id: None,
            client: client.id,
            account: None,
            patient: order.patient,
            scopes: scopes.to_string(),
            purpose: order.purpose.unwrap_or(client.purposes.system),
            with_id_token: false,
            issued: now,
            expires: now + i64::from(order.minutes) * 60 * SECOND,
            revoked: 0,
        };
        let id = row.id.clone();
        self.accounts.issue(row).await?;
        Ok((token, id))
    }

    async fn named(&self, name: &str) -> Result<account::Model, RegisterError> {
        self.accounts.account_named(name).await?.ok_or_else(|| RegisterError::Unknown(name.to_owned()))
    }
}

fn name_fits(text: &str, what: &'static str) -> Result<(), RegisterError> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits { Ok(()) } else { Err(RegisterError::Name(what)) }
}

fn check_client(config: &Config, new: &NewClient) -> Result<(), RegisterError> {
    for uri in &new.redirects {
        redirect::registrable(uri).map_err(|error| RegisterError::Redirect(uri.clone(), error))?;
    }
    if new.kind.has_users() && new.redirects.is_empty() {
        return Err(RegisterError::NoRedirect(new.kind.name()));
    }
    if new.keys.is_none() && matches!(new.kind, ClientKind::Keys | ClientKind::Backend) {
        return Err(RegisterError::Keys(new.kind.name(), "needs a JWK set or its address"));
    }
    check_keys(new.kind, new.keys.as_ref())?;
    let scopes = checked_scopes(config, &new.scopes)?;
    // Only a client that proves itself by its key may see other clients' tokens.
    if scopes.has(&Meaning::Introspect) && new.kind == ClientKind::Public {
        return Err(RegisterError::Beyond);
    }
    Ok(())
}

fn check_keys(kind: ClientKind, keys: Option<&NewKeys>) -> Result<(), RegisterError> {
    match (kind, keys) {
        (ClientKind::Public | ClientKind::Secret, Some(_)) => Err(RegisterError::Keys(kind.name(), "has no keys")),
        (_, Some(NewKeys::Set(set))) => Ok(jwks::registrable(set)?),
        (_, Some(NewKeys::Url(url))) if !url.starts_with("https://") => {
            Err(RegisterError::Keys(kind.name(), "gives the address of its keys with https"))
        }
        _ => Ok(()),
    }
}

/// Every scope must make sense here: an operator's slip is better found now.
fn checked_scopes(config: &Config, text: &str) -> Result<Scopes, RegisterError> {
    let (scopes, unknown) = Scopes::parse(text);
    for scope in scopes.iter() {
        config.gives(scope).map_err(|error| RegisterError::Scope(scope.text().to_owned(), error))?;
    }
    match unknown.into_iter().next() {
        Some((word, error)) => Err(RegisterError::Scope(word, error)),
        None => Ok(scopes),
    }
}

fn split(keys: Option<NewKeys>) -> Result<(Option<String>, Option<String>), RegisterError> {
    Ok(match keys {
        None => (None, None),
        Some(NewKeys::Set(set)) => (Some(jwks::public_half(&set)?), None),
        Some(NewKeys::Url(url)) => (None, Some(url)),
    })
}

fn client_row(new: NewClient, secret: Option<&Secret>, now: i64) -> Result<ClientRow, RegisterError> {
    let (jwks, jwks_url) = split(new.keys)?;
    let purposes = serde_json::to_string(&new.purposes);
    let redirects = new
        .redirects
        .into_iter()
        .map(|uri| client_redirect::Model { client: new.id.clone(), origin: redirect::origin(&uri), uri })
        .collect();
    let client = client::Model {
        id: new.id,
        kind: new.kind.name().to_owned(),
        name_ja: new.name_ja,
        name_en: new.name_en,
        secret: secret.map(|secret| hash(secret.reveal().as_bytes()).to_vec()),
        jwks,
        jwks_url,
        scopes: new.scopes,
        organization: new.organization,
        purposes: purposes.map_err(|_| BadRow { table: "client", column: "purposes" })?,
        launch_url: new.launch_url,
        custodial: new.custodial,
        municipalities: new.municipalities.join(" "),
        disabled: false,
        created: now,
    };
    Ok(ClientRow { client, redirects })
}
