//! Accounts and clients of the sample world, and the file that keeps their
//! secrets: mode 0600, in the data directory, never in the database.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::client::{ClientKind, Purposes};
use crate::auth::person::{AccountKind, Relation};
use crate::auth::register::{NewAccount, NewAuthority, NewClient, NewKeys};
use crate::cli::Failure;
use crate::config::Config;
use crate::random::Random;
use crate::server::Server;

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Secrets {
    users: BTreeMap<String, User>,
    clients: BTreeMap<String, Client>,
}

#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are the fixed surface")]
struct User {
    username: String,
    password: String,
    patient: Option<String>,
    #[serde(rename = "fhirUser")]
    fhir_user: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names are the fixed surface")]
struct Client {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_file: Option<PathBuf>,
}

/// Sign-in name, kind, Patient, fhirUser, Organization and role there.
type Row =
    (&'static str, AccountKind, Option<&'static str>, Option<&'static str>, Option<(&'static str, &'static str)>);

const USERS: &[Row] = &[
    ("hanako", AccountKind::Person, Some("pt-hanako"), Some("Person/hanako"), None),
    ("kazuko", AccountKind::Person, None, Some("Person/kazuko"), None),
    (
        "dr-sato",
        AccountKind::Professional,
        None,
        Some("Practitioner/dr-sato"),
        Some(("org-sakura-clinic", "physician")),
    ),
    (
        "nurse-ito",
        AccountKind::Professional,
        None,
        Some("Practitioner/nurse-ito"),
        Some(("org-city", "public-health-nurse")),
    ),
    ("stranger", AccountKind::Person, Some("pt-stranger"), Some("Patient/pt-stranger"), None),
    ("admin", AccountKind::Operator, None, None, None),
];

/// Sign-in name, Patient, relation, `RelatedPerson`.
const AUTHORITIES: &[(&str, &str, Relation, &str)] = &[
    ("hanako", "pt-taro", Relation::Guardian, "rp-hanako-taro"),
    ("hanako", "pt-mei", Relation::Guardian, "rp-hanako-mei"),
    ("kazuko", "pt-taro", Relation::Delegate, "rp-kazuko-taro"),
    ("kazuko", "pt-mei", Relation::Delegate, "rp-kazuko-mei"),
];

const REDIRECTS: &[&str] = &["http://127.0.0.1:9871/app/index.html", "http://127.0.0.1:9871/cb"];
const LAUNCH: &str = "http://127.0.0.1:9871/launch";
const APP_SCOPES: &str =
    "patient/*.cruds user/*.cruds launch launch/patient launch/encounter openid fhirUser offline_access online_access";
const ALL: &str = "system/*.cruds";

/// A client of the sample world.
struct Registration {
    id: &'static str,
    kind: ClientKind,
    names: (&'static str, &'static str),
    scopes: &'static str,
    organization: Option<&'static str>,
    custodial: bool,
}

const CLIENTS: &[Registration] = &[
    app("app-public", ClientKind::Public, ("見本アプリ", "Sample app")),
    app("app-secret", ClientKind::Secret, ("見本アプリ(秘密鍵)", "Sample app (secret)")),
    app("app-keys", ClientKind::Keys, ("見本アプリ(公開鍵)", "Sample app (keys)")),
    backend("importer", ("例町 取込", "Town importer"), ALL, Some("org-city"), true),
    backend(
        "ehr-sakura",
        ("さくら小児科 電子カルテ", "Sakura EHR"),
        "system/launch.c",
        Some("org-sakura-clinic"),
        false,
    ),
    backend("researcher", ("研究", "Researcher"), "system/*.rs", None, false),
    backend("tester", ("試験", "Tester"), ALL, Some("org-test"), true),
];

const fn app(id: &'static str, kind: ClientKind, names: (&'static str, &'static str)) -> Registration {
    Registration { id, kind, names, scopes: APP_SCOPES, organization: None, custodial: false }
}

const fn backend(
    id: &'static str,
    names: (&'static str, &'static str),
    scopes: &'static str,
    organization: Option<&'static str>,
    custodial: bool,
) -> Registration {
    Registration { id, kind: ClientKind::Backend, names, scopes, organization, custodial }
}

impl Secrets {
    /// The secrets of an earlier start.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                Failure(format!("{}: {error}; remove the data directory to begin anew", path.display()))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure(format!("{}: {error}", path.display()))),
        }
    }

    /// Adds accounts and clients, with new secrets.
    pub(super) async fn make(server: &Server) -> Result<Self, Failure> {
        let mut secrets = Self { users: BTreeMap::new(), clients: BTreeMap::new() };
        for (name, kind, patient, fhir_user, work) in USERS {
            let account = NewAccount {
                name: (*name).to_owned(),
                kind: *kind,
                patient: patient.map(str::to_owned),
                fhir_user: fhir_user.map(str::to_owned),
                organization: work.map(|(organization, _)| organization.to_owned()),
                role: work.map(|(_, role)| role.to_owned()),
                password: None,
            };
            let password = server.authorization.add_account(account).await.map_err(Failure::of)?;
            let user = User {
                username: (*name).to_owned(),
                password: password.reveal().to_owned(),
                patient: patient.map(str::to_owned),
                fhir_user: fhir_user.map(str::to_owned),
            };
            secrets.users.insert((*name).to_owned(), user);
        }
        for (account, patient, relation, related) in AUTHORITIES {
            let authority = NewAuthority {
                account: (*account).to_owned(),
                patient: (*patient).to_owned(),
                relation: *relation,
                related_person: Some((*related).to_owned()),
                with_apps: *relation == Relation::Guardian,
                from: 0,
                until: None,
                evidence: "sample world".to_owned(),
            };
            server.authorization.add_authority(authority).await.map_err(Failure::of)?;
        }
        for registration in CLIENTS {
            let client = register(server, registration).await?;
            secrets.clients.insert(registration.id.to_owned(), client);
        }
        Ok(secrets)
    }

    /// Keeps them for the next start.
    pub(super) fn keep(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(Failure::of)?;
        write_private(path, &text)
    }

    /// One line for machines (`product.md`, `techo demo --json`).
    pub(super) fn json(&self, config: &Config) -> String {
        json!({
            "base": config.fhir_base(),
            "portal": format!("{}/", config.base_url),
            "users": self.users,
            "clients": self.clients
        })
        .to_string()
    }

    /// The same for people.
    pub(super) fn text(&self, config: &Config) -> String {
        let mut text = format!("Portal  {}/\nFHIR    {}\n\nSign-ins\n", config.base_url, config.fhir_base());
        for (name, user) in &self.users {
            text.push_str(&format!("  {name:<10} {}\n", user.password));
        }
        text.push_str("\nClients\n");
        for (name, client) in &self.clients {
            let proof = match (&client.client_secret, &client.jwks_file) {
                (Some(secret), _) => format!("secret {secret}"),
                (None, Some(file)) => format!("keys   {}", file.display()),
                (None, None) => "public".to_owned(),
            };
            text.push_str(&format!("  {name:<10} {proof}\n"));
        }
        text.push_str("\nCtrl-C ends the demo; the data stay in ");
        text.push_str(&config.data.display().to_string());
        text
    }
}

async fn register(server: &Server, registration: &Registration) -> Result<Client, Failure> {
    let with_users = registration.kind.has_users();
    let redirects: Vec<String> =
        if with_users { REDIRECTS.iter().map(|uri| (*uri).to_owned()).collect() } else { Vec::new() };
    let keys = match registration.kind {
        ClientKind::Keys | ClientKind::Backend => Some(key_file(server, registration.id)?),
        ClientKind::Public | ClientKind::Secret => None,
    };
    let new = NewClient {
        id: registration.id.to_owned(),
        kind: registration.kind,
        name_ja: registration.names.0.to_owned(),
        name_en: registration.names.1.to_owned(),
        redirects: redirects.clone(),
        keys: keys.as_ref().map(|(_, public)| NewKeys::Set(public.clone())),
        scopes: registration.scopes.to_owned(),
        organization: registration.organization.map(str::to_owned),
        purposes: Purposes::default(),
        launch_url: with_users.then(|| LAUNCH.to_owned()),
        custodial: registration.custodial,
        // A demo takes the files of any town that somebody tries it with.
        municipalities: Vec::new(),
    };
    let secret = server.authorization.add_client(new).await.map_err(Failure::of)?;
    Ok(Client {
        client_id: registration.id.to_owned(),
        client_secret: secret.map(|secret| secret.reveal().to_owned()),
        redirect_uris: redirects,
        jwks_file: keys.map(|(path, _)| path),
    })
}

/// A new ES384 key: its private set in a file, its public set as text.
fn key_file(server: &Server, id: &str) -> Result<(PathBuf, String), Failure> {
    let failed = || Failure("no key could be made".to_owned());
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(|_| failed())?;
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..).filter(|rest| rest.len() == 96).map(|rest| rest.split_at(48)).ok_or_else(failed)?;
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(|_| failed())?;
    let kid = kid(&server.app.random);
    let mut key = json!({
        "kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": kid,
        "key_ops": ["verify"],
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)
    });
    let public = json!({"keys": [key.clone()]}).to_string();
    if let Value::Object(members) = &mut key {
        members.insert("d".to_owned(), Value::from(URL_SAFE_NO_PAD.encode(private.as_ref())));
        members.insert("key_ops".to_owned(), json!(["sign"]));
    }
    let data = std::path::absolute(&server.app.config.data).map_err(Failure::of)?;
    let path = data.join(format!("{id}.jwks.json"));
    write_private(&path, json!({"keys": [key]}).to_string().as_bytes())?;
    Ok((path, public))
}

fn kid(random: &Random) -> String {
    URL_SAFE_NO_PAD.encode(random.bytes::<12>())
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let said = |error: std::io::Error| Failure(format!("{}: {error}", path.display()));
    let mut file = options.open(path).map_err(said)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(said)
}
