//! `POST /fhir/$import`: a file, or several, as `techo import` takes them.
//!
//! The caller is a custodial backend whose scopes let it create and update every
//! type that the format makes.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use techo_profiles::json::Json;
use techo_profiles::xml::legible;

use super::{Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::auth::client::Client;
use crate::import::place::Carrier;
use crate::import::report::Report;
use crate::import::run::{self, File, Order};
use crate::interaction::plan::parse;
use crate::interaction::{Call, Error, Issue, Reply, Status};
use crate::store::StoreError;

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "import",
    summary: "Takes a file, or several as Attachments, in a format of Japan's records, and stores what it says.",
    origin: Origin::Own,
    levels: &[Level::System],
    gate: Gate::Custodial(TYPES),
    changes: true,
    body: Body::File,
    parameters: &[
        Parameter::optional("patient", "string"),
        Parameter::optional("format", "string"),
        Parameter::many("file", "Attachment"),
    ],
    answers: &[Parameter::required("report", "string"), Parameter::required("outcome", "OperationOutcome")],
    run: |call, input| Box::pin(import(call, input)),
};

/// The largest body; above it files will be taken as a job.
const LIMIT: usize = 1024 * 1024;

/// What an import may make.
const TYPES: &[&str] = &[
    "AllergyIntolerance",
    "Binary",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Immunization",
    "Location",
    "MedicationStatement",
    "Observation",
    "Organization",
    "Patient",
    "Provenance",
];

async fn import(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    let organization = call.caller.client.organization.as_ref();
    let organization = organization.ok_or_else(|| Error::Internal("a publisher without an Organization".into()))?;
    let organization = (organization.reference.to_string(), organization.key);
    if input.body.len() > LIMIT {
        return Err(Error::TooLarge(Issue::error(
            "too-long",
            format!("Send up to {LIMIT} bytes here, or use techo import."),
            format!("ここで受け付けるのは {LIMIT} バイトまでです。大きなファイルは techo import を使ってください。"),
        )));
    }
    let patient = match input.text("patient") {
        Some(reference) => {
            let id = reference.strip_prefix("Patient/").unwrap_or(reference);
            // Someone this organization does not keep is answered like nobody.
            let known = call.store.citizens(&[id]).await?.remove(id);
            Some(known.filter(|citizen| citizen.custodian == organization.1).ok_or_else(no_patient)?)
        }
        None => None,
    };
    let client = call.accounts.client(&call.caller.client.id).await.map_err(StoreError::from)?;
    let client = client.map(Client::of).transpose().map_err(|error| Error::Internal(error.to_string()))?;
    let carrier = Carrier {
        caller: call.caller.clone(),
        organization,
        municipalities: client.ok_or(Error::Unauthorized)?.municipalities,
        patient,
        operator: false,
        dry_run: false,
        japanese: call.japanese,
    };
    let order = Order { carrier: &carrier, format: input.text("format"), progress: &|_, _| {} };
    let report = run::run(call.app, &order, &files(input)?).await?;
    let refused = !report.files.is_empty() && report.refused();
    Ok(Reply {
        status: if refused { Status::Unprocessable } else { Status::Ok },
        body: Some(answer(&report, call.japanese).into_bytes()),
        ..Reply::default()
    })
}

fn no_patient() -> Error {
    Error::Unprocessable(vec![Issue::error(
        "not-found",
        "There is no such patient in this organization's keeping.",
        "この組織が管理する患者に該当者がいません。",
    )])
}

/// The body itself, or the Attachments of a Parameters resource.
fn files(input: &Input<'_>) -> Result<Vec<File>, Error> {
    let media = input.media.split(';').next().unwrap_or_default().trim();
    if media != "application/fhir+json" {
        let name = input.file_name.unwrap_or("file").to_owned();
        return Ok(vec![File { name, bytes: Arc::new(input.body.to_vec()) }]);
    }
    let resource = parse(input.body)?;
    let bad = |at: usize| {
        Error::Invalid(vec![
            Issue::error(
                "value",
                "Each parameter must have a valueAttachment with base64 data.",
                "各 parameter に base64 の valueAttachment.data が必要です。",
            )
            .at(format!("Parameters.parameter[{at}].value")),
        ])
    };
    let mut files = Vec::new();
    for (at, parameter) in resource.list("parameter").iter().enumerate() {
        let attachment = parameter.get("valueAttachment").ok_or_else(|| bad(at))?;
        let data = attachment.str("data").ok_or_else(|| bad(at))?;
        let name = attachment.str("title").map_or_else(|| format!("file-{}", at + 1), str::to_owned);
        files.push(File { name, bytes: Arc::new(STANDARD.decode(data).map_err(|_| bad(at))?) });
    }
    Ok(files)
}

/// `Parameters` with the report, and the same as an OperationOutcome.
fn answer(report: &Report, japanese: bool) -> String {
    let mut issues: Vec<Json> = Vec::new();
    for file in &report.files {
        for line in &file.issues {
            let column = line.column.as_deref().map(|column| format!(", {column}")).unwrap_or_default();
            let place = if japanese { format!("{}行目", line.line) } else { format!("line {}", line.line) };
            // Names of files may have any character.
            let place = format!("{} {place}{column}: {}", file.name, line.code);
            issues.push(Json::object([
                ("severity", Json::from(line.severity)),
                ("code", Json::from("processing")),
                ("details", Json::object([("text", Json::from(&*legible(&line.text)))])),
                ("diagnostics", Json::from(&*legible(&place))),
            ]));
        }
    }
    if issues.is_empty() {
        issues.push(Json::object([("severity", Json::from("information")), ("code", Json::from("informational"))]));
    }
    let outcome = Json::object([("resourceType", Json::from("OperationOutcome")), ("issue", Json::from(issues))]);
    let parameters = vec![
        Json::object([("name", Json::from("report")), ("valueString", Json::from(report.json()))]),
        Json::object([("name", Json::from("outcome")), ("resource", outcome)]),
    ];
    Json::object([("resourceType", Json::from("Parameters")), ("parameter", Json::from(parameters))]).to_string()
}
