//! `techo user`: the accounts of people who sign in.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use techo_profiles::json::Json;

use super::open::{self, Missing};
use super::{Failure, Place, show};
use crate::app::App;
use crate::auth::person::{AccountKind, Relation};
use crate::auth::register::{NewAccount, NewAuthority};
use crate::secret::Secret;
use crate::server::Server;
use crate::store::audit::Kind;
use crate::store::entity::account;

/// Options of `techo user`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    order: Order,
}

#[derive(Clone, Debug, Subcommand)]
enum Order {
    /// Adds an account and prints its password, once.
    #[command(after_help = "Examples:
  techo user add --name hanako --patient pt-hanako --guardian rp-hanako-mei
  techo user add --name dr-sato --practitioner dr-sato --org org-sakura-clinic --role physician
  techo user add --name admin

With neither --patient, --practitioner nor --guardian the account is an operator's: upkeep, no clinical data.")]
    Add(Add),
    /// Lists the accounts.
    #[command(after_help = "Example: techo user list --json")]
    List {
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Gives an account a new password, printed once, and signs its browsers out.
    #[command(after_help = "Example: techo user reset --name hanako")]
    Reset {
        #[command(flatten)]
        which: Which,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Shuts an account out, with every app its holder approved.
    #[command(after_help = "Examples:
  techo user lock --name hanako
  techo user lock --name hanako --undo")]
    Lock {
        #[command(flatten)]
        which: Which,
        /// Lets it in again.
        #[arg(long)]
        undo: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Add {
    /// Sign-in name.
    #[arg(long)]
    name: String,
    /// Id of the person's own Patient.
    #[arg(long, value_name = "ID", conflicts_with = "practitioner")]
    patient: Option<String>,
    /// Id of the professional's Practitioner.
    #[arg(long, value_name = "ID")]
    practitioner: Option<String>,
    /// Id of the Organization the professional works for.
    #[arg(long, value_name = "ID", requires = "practitioner")]
    org: Option<String>,
    /// As what the professional works there.
    #[arg(long, value_name = "ROLE", requires = "org", value_parser = ROLES)]
    role: Option<String>,
    /// Id of a `RelatedPerson` as whom she is guardian of its patient, as verified; may be repeated.
    #[arg(long, value_name = "ID", conflicts_with = "practitioner")]
    guardian: Vec<String>,
    /// What was seen when the guardianship was verified.
    #[arg(long, value_name = "TEXT", requires = "guardian", default_value = "operator")]
    evidence: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Sign-in name.
    #[arg(long = "name", value_name = "NAME")]
    named: Option<String>,
    /// The same without `--name`.
    #[arg(value_name = "NAME")]
    bare: Option<String>,
}

impl Which {
    fn name(self) -> String {
        // One of the two is there: the group requires it.
        self.named.or(self.bare).unwrap_or_default()
    }
}

/// The roles that Consents know.
const ROLES: [&str; 5] = ["physician", "dentist", "nurse", "pharmacist", "public-health-nurse"];

/// Carries the order out.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    match args.order {
        Order::Add(add) => self::add(place, add).await,
        Order::List { json } => list(place, json).await,
        Order::Reset { which, json } => reset(place, &which.name(), json).await,
        Order::Lock { which, undo } => lock(place, &which.name(), undo).await,
    }
}

async fn add(place: &Place, args: Add) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Make).await?;
    let app = &server.app;
    let patient = args.patient.as_deref().map(|id| bare("Patient", id));
    let practitioner = args.practitioner.as_deref().map(|id| bare("Practitioner", id));
    let organization = args.org.as_deref().map(|id| bare("Organization", id));
    for (kind, id) in [("Patient", &patient), ("Practitioner", &practitioner), ("Organization", &organization)] {
        if let Some(id) = id {
            must_be_here(app, kind, id).await?;
        }
    }
    let mut guardianships = Vec::new();
    for related in &args.guardian {
        guardianships.push(guardianship(app, &bare("RelatedPerson", related)).await?);
    }
    let fhir_user = match (&patient, &practitioner, guardianships.first()) {
        (Some(id), ..) => Some(format!("Patient/{id}")),
        (None, Some(id), _) => Some(format!("Practitioner/{id}")),
        (None, None, Some((related, _))) => Some(format!("RelatedPerson/{related}")),
        (None, None, None) => None,
    };
    let kind = match (&practitioner, &fhir_user) {
        (Some(_), _) => AccountKind::Professional,
        (None, Some(_)) => AccountKind::Person,
        (None, None) => AccountKind::Operator,
    };
    let new =
        NewAccount { name: args.name.clone(), kind, patient, fhir_user, organization, role: args.role, password: None };
    let password = match server.authorization.add_account(new).await {
        Ok(password) => password,
        Err(error) => return show::refused(&error),
    };
    for (related, of) in guardianships {
        let authority = NewAuthority {
            account: args.name.clone(),
            patient: of,
            relation: Relation::Guardian,
            related_person: Some(related),
            with_apps: true,
            from: app.clock.micros(),
            until: None,
            evidence: args.evidence.clone(),
        };
        if let Err(error) = server.authorization.add_authority(authority).await {
            return show::refused(&error);
        }
    }
    told(&server, "user-add", &args.name).await?;
    print(&args.name, kind.name(), &password, args.json)
}

async fn reset(place: &Place, name: &str, json: bool) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Refuse).await?;
    let password = match server.authorization.reset_account(name).await {
        Ok(password) => password,
        Err(error) => return show::refused(&error),
    };
    told(&server, "user-reset", name).await?;
    let account = server.app.accounts.account_named(name).await.map_err(Failure::of)?;
    let kind = account.map(|account| account.kind).unwrap_or_default();
    print(name, &kind, &password, json)
}

async fn lock(place: &Place, name: &str, undo: bool) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Refuse).await?;
    if let Err(error) = server.authorization.lock_account(name, !undo).await {
        return show::refused(&error);
    }
    told(&server, if undo { "user-unlock" } else { "user-lock" }, name).await?;
    show::note(format!("user {name} {}", if undo { "may sign in again" } else { "is locked" }));
    Ok(ExitCode::SUCCESS)
}

/// An account as `list` shows it. It has no field for a password.
#[derive(Serialize)]
struct Listed {
    username: String,
    kind: String,
    patient: Option<String>,
    #[serde(rename = "fhirUser")]
    fhir_user: Option<String>,
    organization: Option<String>,
    locked: bool,
}

impl From<account::Model> for Listed {
    fn from(row: account::Model) -> Self {
        Self {
            username: row.name,
            kind: row.kind,
            patient: row.patient,
            fhir_user: row.fhir_user,
            organization: row.organization,
            locked: row.locked,
        }
    }
}

async fn list(place: &Place, json: bool) -> Result<ExitCode, Failure> {
    let app = open::app(place, Missing::Refuse).await?;
    let accounts: Vec<Listed> =
        app.accounts.accounts().await.map_err(Failure::of)?.into_iter().map(Listed::from).collect();
    if json {
        show::json(&accounts)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = accounts
        .into_iter()
        .map(|row| {
            let state = if row.locked { "locked" } else { "" };
            let (who, work) = (row.fhir_user.unwrap_or_default(), row.organization.unwrap_or_default());
            vec![row.username, row.kind, who, work, state.to_owned()]
        })
        .collect();
    show::table(&["name", "kind", "fhirUser", "organization", ""], &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// The password alone goes to standard output, so that it can be piped.
fn print(name: &str, kind: &str, password: &Secret, json: bool) -> Result<ExitCode, Failure> {
    #[derive(Serialize)]
    struct Said<'a> {
        username: &'a str,
        kind: &'a str,
        password: &'a str,
    }
    if json {
        show::json(&Said { username: name, kind, password: password.reveal() })?;
    } else {
        show::note(format!("user {name} ({kind}); the password, which is not kept and cannot be shown again:"));
        show::line(password.reveal())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn must_be_here(app: &App, kind: &str, id: &str) -> Result<(), Failure> {
    if app.store.key(kind, id).await.map_err(Failure::of)?.is_some() {
        return Ok(());
    }
    Err(Failure(format!("there is no {kind}/{id} here; import it or write it with a custodial client first")))
}

/// A `RelatedPerson` and the patient it names.
async fn guardianship(app: &App, related: &str) -> Result<(String, String), Failure> {
    must_be_here(app, "RelatedPerson", related).await?;
    let body = app.store.body("RelatedPerson", related).await.map_err(Failure::of)?.unwrap_or_default();
    let resource = Json::parse(&body).map_err(|_| Failure(format!("RelatedPerson/{related} cannot be read")))?;
    let patient = resource.at(&["patient", "reference"]).and_then(Json::as_str);
    let patient = patient.and_then(|reference| reference.strip_prefix("Patient/"));
    let patient = patient.ok_or_else(|| Failure(format!("RelatedPerson/{related} names no Patient of this server")))?;
    must_be_here(app, "Patient", patient).await?;
    Ok((related.to_owned(), patient.to_owned()))
}

/// `Type/id` or `id` → `id`
fn bare(kind: &str, text: &str) -> String {
    text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text).to_owned()
}

/// Who the account is stands in the record; its name, sealed with it.
async fn told(server: &Server, about: &str, name: &str) -> Result<(), Failure> {
    let account = server.app.accounts.account_named(name).await.map_err(Failure::of)?;
    let mut record = open::act(&server.app, Kind::Operator, about, account.and_then(|account| account.fhir_user));
    record.query = Some(format!("techo {} {name}", about.replace('-', " ")).into());
    open::recorded(&server.app, record).await
}
