//! `techo client`: the programs that may ask for tokens.

use std::path::Path;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use techo_profiles::json::Json;

use super::open::{self, Missing};
use super::{Failure, Place, show};
use crate::app::App;
use crate::auth::client::{Client, ClientKeys, ClientKind, Purposes};
use crate::auth::register::{NewClient, NewKeys};
use crate::auth::scope::{Context, Scopes};
use crate::consent::write::Keeping;
use crate::interaction::follow::Pending;
use crate::interaction::plan::Draft;
use crate::secret::Secret;
use crate::server::Server;
use crate::store::WriteSet;
use crate::store::audit::Kind as Recorded;

/// Options of `techo client`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(Clone, Debug, Subcommand)]
enum Order {
    /// Registers a client.
    #[command(after_help = "Examples:
  techo client add --id my-app --kind public --redirect http://127.0.0.1:9871/cb
  techo client add --id importer --kind backend --jwks importer.jwks.json --scope 'system/*.cruds' --org org-city

A secret is made here, printed once and kept as a hash. A backend with an Organization and
scopes to write keeps records as that Organization (it is the custodian of what it writes).")]
    Add(Box<Add>),
    /// Lists the clients.
    #[command(after_help = "Example: techo client list --json")]
    List {
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Gives a client a new secret, or other keys. The old ones are worth nothing from then on.
    #[command(after_help = "Examples:
  techo client rotate --id app-secret
  techo client rotate --id importer --jwks new.jwks.json")]
    Rotate {
        #[command(flatten)]
        which: Which,
        /// The new keys, for a client that proves itself by keys.
        #[arg(long, value_name = "FILE|URL")]
        jwks: Option<String>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Removes a client. Its tokens are gone, its grants end.
    #[command(after_help = "Example: techo client remove --id my-app")]
    Remove {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Add {
    /// `client_id`.
    #[arg(long, value_name = "ID")]
    id: String,
    /// How it proves itself.
    #[arg(long)]
    kind: Kind,
    /// Where people are sent back to; may be repeated.
    #[arg(long, value_name = "URI")]
    redirect: Vec<String>,
    /// Its public keys: a JWK set in a file, or the https address of one.
    #[arg(long, value_name = "FILE|URL")]
    jwks: Option<String>,
    /// What it may ask for, parted by spaces; for apps reading, identity and launch if not said.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Id of the Organization it belongs to; the Organization is made if it is not here.
    #[arg(long, value_name = "ID")]
    org: Option<String>,
    /// Name of an Organization that is made.
    #[arg(long, value_name = "NAME", requires = "org")]
    org_name: Option<String>,
    /// A town under whose resident keys it may make people: 全国地方公共団体コード of 5 or 6
    /// digits; may be repeated. Any town if not said: name them where several share a server.
    #[arg(long, value_name = "CODE", requires = "org", value_parser = municipality)]
    municipality: Vec<String>,
    /// Name shown to people; the id if not said.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Name in Japanese, where it has another.
    #[arg(long, value_name = "NAME")]
    name_ja: Option<String>,
    /// Where an EHR opens it.
    #[arg(long, value_name = "URL")]
    launch_url: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// `client_id`.
    #[arg(long = "id", value_name = "ID")]
    named: Option<String>,
    /// The same without `--id`.
    #[arg(value_name = "ID")]
    bare: Option<String>,
}

impl Which {
    fn id(self) -> String {
        // One of the two is there: the group requires it.
        self.named.or(self.bare).unwrap_or_default()
    }
}

/// As [`ClientKind`], on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// On the user's device; proves itself not at all.
    Public,
    /// By a shared secret.
    Secret,
    /// By assertions signed with its key.
    Keys,
    /// As `keys`, and without any user.
    Backend,
}

impl From<Kind> for ClientKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Public => Self::Public,
            Kind::Secret => Self::Secret,
            Kind::Keys => Self::Keys,
            Kind::Backend => Self::Backend,
        }
    }
}

/// `10101` or, with its check digit, `101010` → `10101`.
fn municipality(text: &str) -> Result<String, String> {
    let digits = matches!(text.len(), 5 | 6) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(text[..5].to_owned()) } else { Err("a municipality's code has 5 or 6 digits".to_owned()) }
}

/// Carries the order out.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    match args.order {
        Order::Add(add) => self::add(place, *add).await,
        Order::List { json } => list(place, json).await,
        Order::Rotate { which, jwks, json } => rotate(place, which.id(), jwks, json).await,
        Order::Remove { which } => remove(place, which.id()).await,
    }
}

async fn add(place: &Place, args: Add) -> Result<ExitCode, Failure> {
    let kind = ClientKind::from(args.kind);
    let scopes = match (args.scope, kind) {
        (Some(scopes), _) => scopes,
        (None, ClientKind::Backend) => return Ok(show::usage("a backend needs --scope, such as 'system/*.cruds'")),
        (None, ClientKind::Public | ClientKind::Secret | ClientKind::Keys) => APP_SCOPES.to_owned(),
    };
    let keys = args.jwks.as_deref().map(keys).transpose()?;
    let organization = args.org.map(|org| org.strip_prefix("Organization/").unwrap_or(&org).to_owned());
    let server = open::server(place, Missing::Make).await?;
    let id = args.id;
    let name = args.name.unwrap_or_else(|| id.clone());
    let new = NewClient {
        custodial: kind == ClientKind::Backend && organization.is_some() && writes(&scopes),
        id: id.clone(),
        kind,
        name_ja: args.name_ja.unwrap_or_else(|| name.clone()),
        name_en: name,
        redirects: args.redirect.clone(),
        keys,
        scopes,
        organization: organization.clone(),
        purposes: Purposes::default(),
        launch_url: args.launch_url,
        municipalities: args.municipality,
    };
    let secret = match server.authorization.add_client(new).await {
        Ok(secret) => secret,
        Err(error) => return show::refused(&error),
    };
    #[expect(clippy::collapsible_if, reason = "the inner one undoes what was begun")]
    if let Some(organization) = &organization {
        if let Err(failure) = make_organization(&server.app, organization, args.org_name.as_deref()).await {
            // Half a registration would look like a whole one.
            server.authorization.remove_client(&id).await.map_err(Failure::of)?;
            return Err(failure);
        }
    }
    told(&server, "client-add", &id).await?;
    let said = Said { client_id: &id, kind: kind.name(), client_secret: secret.as_ref().map(Secret::reveal) };
    said.print(args.json, "registered")?;
    Ok(ExitCode::SUCCESS)
}

async fn rotate(place: &Place, id: String, jwks: Option<String>, json: bool) -> Result<ExitCode, Failure> {
    let keys = jwks.as_deref().map(keys).transpose()?;
    let server = open::server(place, Missing::Refuse).await?;
    let kind = match server.authorization.client(&id).await.map_err(Failure::of)? {
        Some(client) => client.kind,
        None => return Err(Failure(format!("{id} is not registered; see: techo client list"))),
    };
    if keys.is_none() && matches!(kind, ClientKind::Keys | ClientKind::Backend) {
        return Ok(show::usage(format!(
            "a client of kind {} proves itself by keys: name the new ones with --jwks",
            kind.name()
        )));
    }
    let secret = match server.authorization.rotate_client(&id, keys).await {
        Ok(secret) => secret,
        Err(error) => return show::refused(&error),
    };
    told(&server, "client-rotate", &id).await?;
    Said { client_id: &id, kind: kind.name(), client_secret: secret.as_ref().map(Secret::reveal) }
        .print(json, "rotated")?;
    Ok(ExitCode::SUCCESS)
}

async fn remove(place: &Place, id: String) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Refuse).await?;
    if let Err(error) = server.authorization.remove_client(&id).await {
        return show::refused(&error);
    }
    told(&server, "client-remove", &id).await?;
    show::note(format!("client {id} removed"));
    Ok(ExitCode::SUCCESS)
}

/// A client as `list` shows it. It has no field for a secret.
#[derive(Serialize)]
struct Listed {
    client_id: String,
    kind: &'static str,
    name: String,
    name_ja: String,
    redirect_uris: Vec<String>,
    scope: String,
    organization: Option<String>,
    custodial: bool,
    municipalities: Vec<String>,
    disabled: bool,
    keys: &'static str,
}

impl From<Client> for Listed {
    fn from(client: Client) -> Self {
        Self {
            kind: client.kind.name(),
            scope: client.scopes.to_string(),
            keys: match client.keys {
                ClientKeys::None => "none",
                ClientKeys::Inline(_) => "inline",
                ClientKeys::Url(_) => "url",
            },
            client_id: client.id,
            name: client.name_en,
            name_ja: client.name_ja,
            redirect_uris: client.redirects,
            organization: client.organization,
            custodial: client.custodial,
            municipalities: client.municipalities,
            disabled: client.disabled,
        }
    }
}

async fn list(place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Refuse).await?;
    let clients = server.authorization.all_clients().await.map_err(Failure::of)?;
    let clients: Vec<Listed> = clients.into_iter().map(Listed::from).collect();
    if json {
        show::json(&clients)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = clients
        .into_iter()
        .map(|client| {
            let state = if client.disabled { "disabled" } else { "" };
            let organization = client.organization.unwrap_or_default();
            vec![client.client_id, client.kind.to_owned(), organization, client.scope, state.to_owned()]
        })
        .collect();
    show::table(&["id", "kind", "organization", "scope", ""], &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// What is answered once.
#[derive(Serialize)]
struct Said<'a> {
    client_id: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
}

impl Said<'_> {
    /// The secret alone goes to standard output, so that it can be piped.
    fn print(&self, json: bool, done: &str) -> Result<(), Failure> {
        if json {
            return show::json(self);
        }
        show::note(format!("client {} ({}) {done}", self.client_id, self.kind));
        match self.client_secret {
            Some(secret) => {
                show::note("its secret, which is not kept and cannot be shown again:");
                show::line(secret)
            }
            None => Ok(()),
        }
    }
}

/// A key set in a file, or its address.
fn keys(text: &str) -> Result<NewKeys, Failure> {
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok(NewKeys::Url(text.to_owned()));
    }
    let set = std::fs::read_to_string(Path::new(text));
    set.map(NewKeys::Set).map_err(|error| Failure(format!("--jwks {text}: {error}")))
}

/// Whether a backend with these scopes writes records.
fn writes(scopes: &str) -> bool {
    Scopes::known(scopes)
        .resources()
        .any(|scope| scope.context == Context::System && scope.actions.to_string().contains(['c', 'u', 'd']))
}

/// Makes the Organization to which a client belongs if it is not here: on an
/// empty server nobody could write it, for whoever may write needs one.
async fn make_organization(app: &App, id: &str, name: Option<&str>) -> Result<(), Failure> {
    if app.store.key("Organization", id).await.map_err(Failure::of)?.is_some() {
        return Ok(());
    }
    let resource = Json::object([
        ("resourceType", Json::from("Organization")),
        ("id", Json::from(id)),
        ("active", Json::from(true)),
        ("name", Json::from(name.unwrap_or(id))),
    ]);
    let said = |error: &crate::interaction::Error| show::explained(error);
    let draft = Draft::read(app, "Organization", id.to_owned(), resource.to_string().into_bytes());
    let draft = draft.map_err(|error| said(&error))?;
    let rid = app.store.number().await.map_err(Failure::of)?;
    let about = draft.about(app, &Pending::default()).await.map_err(|error| said(&error))?;
    let put = draft.put(app, rid, None, &about, Keeping::published(rid)).await.map_err(|error| said(&error))?;
    let record = open::act(app, Recorded::Create, "client-add", Some(format!("Organization/{id}")));
    let set =
        WriteSet { puts: vec![put], extras: vec![app.store.audit_row(app.audit.row(record))], ..WriteSet::default() };
    match app.store.write(set).await.map_err(Failure::of)? {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure(format!("Organization/{id} could not be made: its id is in use"))),
    }
}

async fn told(server: &Server, about: &str, id: &str) -> Result<(), Failure> {
    let record = open::act(&server.app, Recorded::Operator, about, Some(format!("Device/{id}")));
    open::recorded(&server.app, record).await
}

/// What an app may ask for where the operator says nothing: to read, and who its user is.
const APP_SCOPES: &str = "patient/*.rs user/*.rs launch launch/patient openid fhirUser offline_access";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scope::Meaning;

    #[test]
    fn a_backend_that_writes_is_a_custodian() {
        for (scopes, expected) in [
            ("system/*.cruds", true),
            ("system/Immunization.cu", true),
            ("system/*.rs", false),
            ("system/launch.c", false),
            ("patient/*.cruds", false),
            ("", false),
        ] {
            assert_eq!(writes(scopes), expected, "{scopes}");
        }
    }

    #[test]
    fn what_apps_may_ask_for_makes_sense() {
        let (scopes, unknown) = Scopes::parse(APP_SCOPES);
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!(scopes.has(&Meaning::OpenId));
    }
}
