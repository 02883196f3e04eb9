//! A server with the sample world's people and clients.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use techo_migrations::{Migrator, MigratorTrait};
use tower::ServiceExt;

use crate::auth::client::{ClientKind, Purposes};
use crate::auth::form::Form;
use crate::auth::jwks::FetchesKeys;
use crate::auth::keys::tests::KEYS;
use crate::auth::login::Lanes;
use crate::auth::password::Passwords;
use crate::auth::person::{AccountKind, Relation};
use crate::auth::register::{NewAccount, NewAuthority, NewClient, NewKeys};
use crate::auth::server::{Approval, AuthorizationServer, Config, FilesConsent, FilingError};
use crate::clock::Clock;
use crate::http::oauth::router;
use crate::random::Random;
use crate::secret::Secret;
use crate::store::account::Accounts;
use crate::store::db::Db;

pub(super) const ORIGIN: &str = "https://phr.example";
pub(super) const BASE: &str = "https://phr.example/fhir";
pub(super) const CALLBACK: &str = "http://127.0.0.1:9871/cb";
pub(super) const PASSWORD: &str = "correct horse";
/// RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const START: i64 = 1_795_000_000;

/// Remembers what was filed and ended.
#[derive(Default)]
pub(super) struct Filing {
    pub(super) filed: Mutex<Vec<Approval>>,
    pub(super) ended: Mutex<Vec<String>>,
}

impl FilesConsent for Filing {
    fn file<'a>(&'a self, approval: &'a Approval) -> BoxFuture<'a, Result<Vec<String>, FilingError>> {
        let mut filed = self.filed.lock().expect("unpoisoned");
        filed.push(approval.clone());
        let count = filed.len();
        Box::pin(async move { Ok(approval.patients.iter().map(|one| format!("c{count}-{}", one.patient)).collect()) })
    }

    fn end<'a>(&'a self, consents: &'a [String]) -> BoxFuture<'a, Result<(), FilingError>> {
        self.ended.lock().expect("unpoisoned").extend_from_slice(consents);
        Box::pin(async { Ok(()) })
    }

    fn patient_name<'a>(&'a self, patient: &'a str, _: &'a str) -> BoxFuture<'a, Option<String>> {
        let name = if patient == "pt-mei" { "山田 芽衣" } else { patient };
        Box::pin(async move { Some(name.to_owned()) })
    }
}

/// A client's key set at an address, counting who asks.
#[derive(Default)]
pub(super) struct Fetched {
    pub(super) set: Mutex<Option<String>>,
    pub(super) asked: Mutex<Vec<bool>>,
}

impl FetchesKeys for Fetched {
    fn fetch<'a>(&'a self, _: &'a str, fresh: bool) -> BoxFuture<'a, Option<String>> {
        self.asked.lock().expect("unpoisoned").push(fresh);
        let set = self.set.lock().expect("unpoisoned").clone();
        Box::pin(async move { set })
    }
}

/// One client's private key.
pub(super) struct Key {
    pub(super) der: Vec<u8>,
    pub(super) set: String,
}

impl Key {
    pub(super) fn new(kid: &str) -> Self {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
        let der = made.expect("a key").as_ref().to_vec();
        let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ec_der(&der), Algorithm::ES384).expect("a JWK");
        jwk.common.key_id = Some(kid.to_owned());
        Self { der, set: json!({ "keys": [jwk] }).to_string() }
    }

    pub(super) fn sign(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &EncodingKey::from_ec_der(&self.der)).expect("signed")
    }
}

pub(super) struct World {
    pub(super) server: Arc<AuthorizationServer>,
    pub(super) router: Router,
    pub(super) files: Arc<Filing>,
    pub(super) fetched: Arc<Fetched>,
    pub(super) key: Key,
    pub(super) secret: Secret,
    now: Arc<AtomicI64>,
    folder: std::path::PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.body))
    }

    pub(super) fn error(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The parameters of a redirect.
    pub(super) fn location(&self) -> (String, Form) {
        let location = self.header(header::LOCATION).unwrap_or_else(|| panic!("{} {}", self.status, self.body));
        let (address, query) = location.split_once('?').unwrap_or((location, ""));
        (address.to_owned(), Form::parse(query.as_bytes()))
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let random = Random::system();
        let folder = std::env::temp_dir().join(format!("techo-oauth-{}", random.id()));
        std::fs::create_dir(&folder).expect("a folder");
        let db = Db::open(&database(&folder).await).await.expect("a database");
        Migrator::up(&*db.write().await, None).await.expect("migrated");
        let now = Arc::new(AtomicI64::new(START * 1_000_000));
        let told = Arc::clone(&now);
        let clock = Clock::of(move || Timestamp::from_microsecond(told.load(Ordering::SeqCst)).expect("a time"));
        let files = Arc::new(Filing::default());
        let fetched = Arc::new(Fetched::default());
        let types = ["Patient", "Observation", "Condition", "Immunization", "MedicationStatement"];
        let server = Arc::new(AuthorizationServer {
            accounts: Accounts::new(db),
            clock,
            passwords: Passwords::new(&random).expect("hashing"),
            random,
            config: Arc::new(Config {
                origin: ORIGIN.to_owned(),
                resource_types: BTreeSet::from(types.map(str::to_owned)),
                patient_types: BTreeSet::from(types.map(str::to_owned)),
                management: "/apps".to_owned(),
            }),
            keys: KEYS.clone(),
            lanes: Lanes::default(),
            files: files.clone(),
            fetches: fetched.clone(),
        });
        let key = Key::new("k1");
        let secret = clients(&server, &key).await;
        people(&server).await;
        let router = router(server.clone());
        Self { server, router, files, fetched, key, secret, now, folder }
    }

    pub(super) fn seconds(&self) -> i64 {
        self.now.load(Ordering::SeqCst) / 1_000_000
    }

    pub(super) fn wait(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let answer = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Posts a form to an endpoint for programs.
    pub(super) async fn call(&self, path: &str, authorization: Option<&str>, form: &[(&str, &str)]) -> Reply {
        let form: Form = form.iter().copied().collect();
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::from(form.query())).expect("a request")).await
    }

    pub(super) fn claims(&self, client: &str) -> Value {
        json!({
            "iss": client, "sub": client, "aud": format!("{ORIGIN}/oauth/token"),
            "exp": self.seconds() + 300, "jti": Random::system().id(),
        })
    }

    pub(super) fn assertion(&self, client: &str) -> String {
        self.key.sign(&es384(), &self.claims(client))
    }
}

pub(super) fn es384() -> Header {
    let mut header = Header::new(Algorithm::ES384);
    header.kid = Some("k1".to_owned());
    header
}

/// A file of SQLite; where `TECHO_TEST_POSTGRES` names a server, a schema of its own there.
async fn database(folder: &std::path::Path) -> String {
    match std::env::var("TECHO_TEST_POSTGRES") {
        Ok(url) => {
            let schema = format!("t{}", Random::system().id().replace('-', ""));
            let db = Db::open(&url).await.expect("a server");
            db.execute(&format!("CREATE SCHEMA {schema}"), []).await.expect("a schema");
            format!("{url}?options[search_path]={schema}")
        }
        Err(_) => format!("sqlite:{}", folder.join("t.sqlite").display()),
    }
}

async fn clients(server: &AuthorizationServer, key: &Key) -> Secret {
    let app = "patient/*.cruds user/*.cruds launch/patient openid fhirUser offline_access online_access";
    let mut secret = None;
    for (id, kind, scopes, keys) in [
        ("app-public", ClientKind::Public, app, None),
        ("app-secret", ClientKind::Secret, app, None),
        ("app-keys", ClientKind::Keys, app, Some(NewKeys::Set(key.set.clone()))),
        ("importer", ClientKind::Backend, "system/*.cruds introspect", Some(NewKeys::Set(key.set.clone()))),
        (
            "remote",
            ClientKind::Backend,
            "system/Patient.rs",
            Some(NewKeys::Url("https://keys.example/jwks".to_owned())),
        ),
    ] {
        let new = NewClient {
            id: id.to_owned(),
            kind,
            name_ja: format!("アプリ {id}"),
            name_en: format!("App {id}"),
            redirects: if kind.has_users() { vec![CALLBACK.to_owned()] } else { Vec::new() },
            keys,
            scopes: scopes.to_owned(),
            organization: None,
            purposes: Purposes::default(),
            launch_url: None,
            custodial: id == "importer",
            municipalities: Vec::new(),
        };
        secret = server.add_client(new).await.expect("registered").or(secret);
    }
    secret.expect("app-secret has one")
}

async fn people(server: &AuthorizationServer) {
    for (name, kind, patient, fhir_user) in [
        ("hanako", AccountKind::Person, Some("pt-hanako"), Some("Person/hanako")),
        ("stranger", AccountKind::Person, Some("pt-stranger"), Some("Patient/pt-stranger")),
        ("dr-sato", AccountKind::Professional, None, Some("Practitioner/dr-sato")),
        ("admin", AccountKind::Operator, None, None),
    ] {
        let new = NewAccount {
            name: name.to_owned(),
            kind,
            patient: patient.map(str::to_owned),
            fhir_user: fhir_user.map(str::to_owned),
            organization: None,
            role: None,
            password: Some(Secret::new(PASSWORD)),
        };
        server.add_account(new).await.expect("added");
    }
    for child in ["pt-taro", "pt-mei"] {
        let new = NewAuthority {
            account: "hanako".to_owned(),
            patient: child.to_owned(),
            relation: Relation::Guardian,
            related_person: Some(format!("rp-hanako-{child}")),
            with_apps: true,
            from: 0,
            until: None,
            evidence: "family register".to_owned(),
        };
        server.add_authority(new).await.expect("entered");
    }
}
