//! `techo token`: a token for the operator's hand, printed once, recorded.

use std::process::ExitCode;

use techo_profiles::codes::Membership;

use super::open::{self, Missing};
use super::{Failure, Place, show};
use crate::app::ACT_REASON;
use crate::auth::register::{LONGEST_TOKEN, OperatorToken};
use crate::store::audit::Kind;

/// Options of `techo token`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  techo token --client tester --scope 'system/*.cruds' --minutes 60
  curl -H \"Authorization: Bearer $(techo token --client tester --scope 'system/Patient.rs')\" http://127.0.0.1:8080/fhir/Patient

The token alone goes to standard output. It is kept as a hash, and issuing it is in the audit log.")]
pub struct Args {
    /// As which client.
    #[arg(long, value_name = "ID")]
    client: String,
    /// Scopes, parted by spaces; within what is registered for the client.
    #[arg(long, value_name = "SCOPES")]
    scope: String,
    /// The patient in context: `Patient/ID` or an id.
    #[arg(long, value_name = "REF")]
    patient: Option<String>,
    /// Purpose of use, a code of v3-ActReason such as TREAT; the client's own if not said.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// Life in minutes, up to 60.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_TOKEN)))]
    minutes: u32,
}

/// Issues a token.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let server = open::server(place, Missing::Refuse).await?;
    let app = &server.app;
    let patient = match &args.patient {
        None => None,
        Some(reference) => {
            let id = reference.strip_prefix("Patient/").unwrap_or(reference).to_owned();
            if !app.store.citizens(&[&id]).await.map_err(Failure::of)?.contains_key(&id) {
                return Err(Failure(format!("there is no Patient/{id} here (--patient)")));
            }
            Some(id)
        }
    };
    if let Some(purpose) = &args.purpose
        && app.codes.has_code(ACT_REASON, purpose) != Membership::Yes
    {
        return Ok(show::usage(format!("{purpose} is no purpose of use; name a code of {ACT_REASON}, such as TREAT")));
    }
    let order = OperatorToken {
        client: args.client.clone(),
        scopes: args.scope,
        patient,
        purpose: args.purpose,
        minutes: args.minutes,
    };
    let purpose = order.purpose.clone();
    let (token, id) = match server.authorization.operator_token(order).await {
        Ok(issued) => issued,
        Err(error) => return show::refused(&error),
    };
    let mut record = open::act(app, Kind::TokenIssued, "operator-token", Some(format!("Device/{}", args.client)));
    record.token = Some(id.into());
    record.purpose = purpose.map(String::into_boxed_str);
    open::recorded(app, record).await?;
    show::line(token.reveal())?;
    Ok(ExitCode::SUCCESS)
}
