//! `techo audit-verify`: is the audit log still what was written?

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Failure, Place, open, show};
use crate::store::Db;
use crate::store::audit::{Report, verify};
use crate::store::keys::Keys;

/// Options of `techo audit-verify`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo audit-verify --json > audit-$(date +%F).json

Exit code 1 if anything was changed, left out, put elsewhere or cut off. The end of each chain
is printed: keep it elsewhere, and a log that was set back as a whole shows in a comparison.")]
pub struct Args {
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Checks the whole log.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let config = open::config(place)?;
    open::must_exist(&config)?;
    let keys = Keys::load(&config.keys_path()).map_err(Failure::of)?;
    let db = Db::open(&config.database_url()).await.map_err(Failure::of)?;
    let report = verify(&db, &config.file("audit"), &keys).await.map_err(Failure::of)?;
    if args.json {
        show::json(&machine(&report))?;
    } else {
        print(&report)?;
    }
    Ok(show::code(report.sound()))
}

fn machine(report: &Report) -> Value {
    let chains = report.chains.iter().map(
        |chain| json!({"chain": chain.chain, "records": chain.records, "end": chain.end.to_string(), "mac": chain.mac}),
    );
    let faults = report.faults.iter().map(|fault| json!({"position": fault.position.to_string(), "what": fault.what}));
    let torn = report
        .torn
        .iter()
        .map(|torn| json!({"position": torn.position.to_string(), "bytes": torn.bytes, "live": torn.live}));
    json!({
        "sound": report.sound(),
        "chains": chains.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "torn": torn.collect::<Vec<_>>(),
        "waiting": report.waiting,
        "changed": report.changed,
    })
}

fn print(report: &Report) -> Result<(), Failure> {
    for chain in &report.chains {
        show::line(format!("chain {}: {} records, to {}, mac {}", chain.chain, chain.records, chain.end, chain.mac))?;
    }
    if report.waiting > 0 {
        show::line(format!("{} records of writes wait to be moved into the log", report.waiting))?;
    }
    for torn in &report.torn {
        let why = if torn.live { "being written" } else { "cut off when its process died" };
        show::line(format!("{}: {} bytes of a record {why}", torn.position, torn.bytes))?;
    }
    for fault in &report.faults {
        show::line(format!("FAULT at {}: {}", fault.position, fault.what))?;
    }
    if report.changed > 0 {
        show::line(format!("FAULT: {} waiting records of writes were changed", report.changed))?;
    }
    show::line(if report.sound() {
        show::either("the log is what was written", "監査記録は書き込まれたままの状態です")
    } else {
        show::either(
            "the log is NOT what was written; keep it as it is and compare with a backup",
            "監査記録は書き込まれたままの状態ではありません。そのまま保存し、バックアップと比べてください",
        )
    })
}
