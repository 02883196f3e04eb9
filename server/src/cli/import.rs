//! `techo import`: files → resources, through the same door as `POST /fhir/$import`.

use std::fs::File as Opened;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;

use super::open::{self, Missing};
use super::show::{self, Progress};
use super::{Failure, Place};
use crate::app::App;
use crate::auth::client::Client;
use crate::import::IMPORTERS;
use crate::import::place::Carrier;
use crate::import::run::{File, Order, run as import};

/// Options of `techo import`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  techo import infant-checkups.csv immunizations.json
  techo import --patient Patient/pt-mei notebook-1of2.txt notebook-2of2.txt
  techo import --dry-run --json checkups.csv

All files of one call are taken together: the parts of a split QR code must be in the same call.
Exit code 0: processed, even with rejected rows; 1: a file was refused whole.")]
pub struct Args {
    /// Format of the files; `auto` looks at each.
    #[arg(long, value_name = "FORMAT", default_value = AUTO, value_parser = formats())]
    format: String,
    /// Client whose Organization publishes the files.
    #[arg(long, value_name = "ID", default_value = "importer")]
    client: String,
    /// The patient, `Patient/ID` or an id: for files about one citizen, such as a medication notebook.
    #[arg(long, value_name = "REF")]
    patient: Option<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Imports the files of one call.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let files = args.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let app = open::app(place, Missing::Refuse).await?;
    let carrier = carrier(&app, &args).await?;
    let progress = Progress::new("people", 0, args.json);
    let told = |done: usize, total: usize| progress.at(done as u64, total as u64);
    let format = (args.format != AUTO).then_some(args.format.as_str());
    let order = Order { carrier: &carrier, format, progress: &told };
    let report = import(&app, &order, &files).await.map_err(|error| show::explained(&error));
    progress.end();
    let report = report?;
    open::end(&app).await?;
    if args.json {
        show::line(report.json())?;
    } else {
        show::line(report.text().trim_end())?;
    }
    Ok(show::code(!report.refused()))
}

/// Who imports, for whom.
async fn carrier(app: &App, args: &Args) -> Result<Carrier, Failure> {
    let id = &args.client;
    let row = app.accounts.client(id).await.map_err(Failure::of)?.ok_or_else(|| {
        Failure(format!(
            "client {id} is not registered; register it with: \
             techo client add --id {id} --kind backend --jwks FILE --scope 'system/*.cruds' --org ID"
        ))
    })?;
    let client = Client::of(row).map_err(Failure::of)?;
    let organization = client.organization.as_deref().filter(|_| client.custodial && !client.disabled);
    let organization = organization
        .map(|reference| reference.strip_prefix("Organization/").unwrap_or(reference))
        .ok_or_else(|| Failure(format!("client {id} keeps no records; name a custodial backend with --client")))?;
    let caller = app.backend(&client).await.map_err(|error| show::explained(&error))?;
    let key = caller.client.organization.as_ref().map(|organization| organization.key);
    let key = key.ok_or_else(|| Failure(format!("Organization/{organization} of client {id} is not here")))?;
    let patient = match &args.patient {
        None => None,
        Some(reference) => {
            let patient = reference.strip_prefix("Patient/").unwrap_or(reference);
            let known = app.store.citizens(&[patient]).await.map_err(Failure::of)?.remove(patient);
            Some(known.ok_or_else(|| Failure(format!("there is no Patient/{patient} here (--patient)")))?)
        }
    };
    Ok(Carrier {
        caller: Arc::new(caller),
        organization: (format!("Organization/{organization}"), key),
        municipalities: client.municipalities,
        patient,
        operator: true,
        dry_run: args.dry_run,
        japanese: show::japanese(),
    })
}

/// A file, up to one byte more than any format takes: what is longer is refused
/// by its importer, and never fills the memory.
fn read(path: &Path) -> Result<File, Failure> {
    let failed = |error: std::io::Error| Failure(format!("{}: {error}", path.display()));
    let most = IMPORTERS.iter().map(|importer| importer.limits.bytes).max().unwrap_or(0);
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    Opened::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    // The name alone: where the operator keeps her files is nobody's business.
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(File { name, bytes: Arc::new(bytes) })
}

fn formats() -> PossibleValuesParser {
    PossibleValuesParser::new(std::iter::once(AUTO).chain(IMPORTERS.iter().map(|importer| importer.name)))
}

const AUTO: &str = "auto";
