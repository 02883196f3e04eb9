//! Who a client is and what it may ask for, read from its registration.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::redirect;
use super::scope::Scopes;
use crate::store::account::ClientRow;

/// How a client proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// Not at all: an app on the user's device. PKCE protects its codes.
    Public,
    /// By a shared secret.
    Secret,
    /// By an assertion signed with its key.
    Keys,
    /// As [`ClientKind::Keys`], and without any user.
    Backend,
}

impl ClientKind {
    /// As stored and typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Secret => "secret",
            Self::Keys => "keys",
            Self::Backend => "backend",
        }
    }

    /// Whether people sign in through it.
    pub fn has_users(self) -> bool {
        match self {
            Self::Public | Self::Secret | Self::Keys => true,
            Self::Backend => false,
        }
    }
}

impl FromStr for ClientKind {
    type Err = BadRow;

    fn from_str(text: &str) -> Result<Self, BadRow> {
        [Self::Public, Self::Secret, Self::Keys, Self::Backend]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(BadRow { table: "client", column: "kind" })
    }
}

/// A stored row that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of table {table} holds a value in column {column} that makes no sense")]
pub struct BadRow {
    /// Where.
    pub table: &'static str,
    /// Which column.
    pub column: &'static str,
}

/// The purpose of use under which a client acts, by kind of user (v3-ActReason).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Purposes {
    /// For a person about herself.
    pub own: String,
    /// For a guardian.
    pub guardian: String,
    /// For someone a person has asked to act for her.
    pub delegate: String,
    /// For a professional.
    pub professional: String,
    /// Without a user.
    pub system: String,
}

impl Default for Purposes {
    fn default() -> Self {
        Self {
            own: "PATRQT".to_owned(),
            guardian: "FAMRQT".to_owned(),
            delegate: "FAMRQT".to_owned(),
            professional: "TREAT".to_owned(),
            system: "HOPERAT".to_owned(),
        }
    }
}

/// Where a client's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientKeys {
    /// It has none.
    None,
    /// A JWK set, as text.
    Inline(String),
    /// At this address.
    Url(String),
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// How it proves itself.
    pub kind: ClientKind,
    /// Name in Japanese.
    pub name_ja: String,
    /// Name in English.
    pub name_en: String,
    /// Registered redirect URIs.
    pub redirects: Vec<String>,
    /// SHA-256 of its secret.
    pub secret: Option<Vec<u8>>,
    /// Its public keys.
    pub keys: ClientKeys,
    /// What it may ask for.
    pub scopes: Scopes,
    /// Id of the Organization it belongs to.
    pub organization: Option<String>,
    /// Its purposes of use.
    pub purposes: Purposes,
    /// Whether what it writes is its organization's own record.
    pub custodial: bool,
    /// The towns under whose resident keys it may make people, 5 digits each; empty: any.
    pub municipalities: Vec<String>,
    /// Whether it is shut out.
    pub disabled: bool,
}

impl Client {
    /// Reads a stored registration.
    pub fn of(row: ClientRow) -> Result<Self, BadRow> {
        let ClientRow { client, redirects } = row;
        let keys = match (client.jwks, client.jwks_url) {
            (None, None) => ClientKeys::None,
            (Some(set), None) => ClientKeys::Inline(set),
            (None, Some(url)) => ClientKeys::Url(url),
            (Some(_), Some(_)) => return Err(BadRow { table: "client", column: "jwks_url" }),
        };
        let purposes = serde_json::from_str(&client.purposes);
        Ok(Self {
            kind: client.kind.parse()?,
            redirects: redirects.into_iter().map(|redirect| redirect.uri).collect(),
            keys,
            scopes: Scopes::known(&client.scopes),
            purposes: purposes.map_err(|_| BadRow { table: "client", column: "purposes" })?,
            id: client.id,
            name_ja: client.name_ja,
            name_en: client.name_en,
            secret: client.secret,
            organization: client.organization,
            custodial: client.custodial,
            municipalities: client.municipalities.split(' ').filter(|code| !code.is_empty()).map(Into::into).collect(),
            disabled: client.disabled,
        })
    }

    /// Whether `uri` is one of its redirect URIs.
    pub fn redirects_to(&self, uri: &str) -> bool {
        self.redirects.iter().any(|registered| redirect::fits(registered, uri))
    }
}
