//! The sample files, embedded, and their import: the town's as the town's own,
//! the medication notebooks as the children's.

use std::sync::Arc;

use crate::app::App;
use crate::auth::client::Client;
use crate::cli::Failure;
use crate::import::place::Carrier;
use crate::import::run::{File, Order, run};

use super::world::explained;

/// A file of the binary.
macro_rules! sample {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/", $name)).as_slice())
    };
}

/// A file: its name and its bytes.
type Sample = (&'static str, &'static [u8]);

/// Files of the town.
const TOWN: &[Sample] = &[
    sample!("municipal/infant-checkups.csv"),
    sample!("municipal/immunizations-sjis.csv"),
    sample!("municipal/immunizations.json"),
];

/// Medication notebooks, with whose they are. The files of one row belong together.
const NOTEBOOKS: &[(&str, &[Sample])] = &[
    ("pt-mei", &[sample!("jahis/mei-notebook-sjis.txt")]),
    (
        "pt-taro",
        &[
            sample!("jahis/taro-notebook-utf8.txt"),
            sample!("jahis/taro-split-1of2-sjis.txt"),
            sample!("jahis/taro-split-2of2-sjis.txt"),
        ],
    ),
];

/// Imports them all.
pub(super) async fn import(app: &App) -> Result<(), Failure> {
    let importer = app.accounts.client("importer").await.map_err(Failure::of)?;
    let importer = importer.ok_or_else(|| Failure("the sample importer is missing".to_owned()))?;
    let importer = app.backend(&Client::of(importer).map_err(Failure::of)?).await.map_err(|error| explained(&error))?;
    let city = importer.client.organization.as_ref().map(|city| (city.reference.to_string(), city.key));
    let city = city.ok_or_else(|| Failure("the sample town is missing".to_owned()))?;
    let importer = Arc::new(importer);
    let carrier = |patient| Carrier {
        caller: importer.clone(),
        organization: city.clone(),
        municipalities: Vec::new(),
        patient,
        operator: true,
        dry_run: false,
        japanese: false,
    };
    one(app, &carrier(None), TOWN).await?;
    for (patient, files) in NOTEBOOKS {
        let citizen = app.store.citizens(&[patient]).await.map_err(Failure::of)?.remove(*patient);
        one(app, &carrier(citizen), files).await?;
    }
    Ok(())
}

async fn one(app: &App, carrier: &Carrier, files: &[(&str, &[u8])]) -> Result<(), Failure> {
    let files: Vec<File> =
        files.iter().map(|(name, bytes)| File { name: (*name).to_owned(), bytes: Arc::new(bytes.to_vec()) }).collect();
    let order = Order { carrier, format: None, progress: &|_, _| {} };
    let report = run(app, &order, &files).await.map_err(|error| explained(&error))?;
    if report.refused() {
        return Err(Failure(format!("a sample file was refused:\n{}", report.text())));
    }
    Ok(())
}
