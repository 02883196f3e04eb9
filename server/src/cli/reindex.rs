//! `techo reindex`: makes the index rows, and the facts by which a row is seen or
//! hidden, equal to what the bodies say by the rules of today, or checks that they are.
//!
//! The facts are the notebook's kind, the codes and the clinical time: a changed
//! rule holds for what was stored before only after this. Old versions keep theirs;
//! they are shown only where the current version is too, so that the stricter holds.
//!
//! First the search parameters of this installation: `SearchParameter`s that were written,
//! and those in `definitions/own/` of the data directory, are indexed by (`job/reindex.rs`).
//!
//! Then one snapshot of the database is walked record by record; each body is indexed
//! anew and compared with the rows found. What differs is set right in small
//! transactions, each under the record's version, so that it works beside a
//! running server: a record that is written meanwhile is indexed by its own write.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use techo_profiles::definitions::SearchParameter;

use super::open::{self, Missing};
use super::show::{self, Progress};
use super::{Failure, Place};
use crate::app::App;
use crate::http::listen::asked_to_end;
use crate::interaction::plan::parse;
use crate::interaction::{Error, parameter};
use crate::job;
use crate::job::reindex::Summary;
use crate::search::own;
use crate::store::index::IndexRow;
use crate::store::reader::Stored;
use crate::store::rules::Rebuild;
use crate::store::upkeep::{Fix, Indexed, Snapshot};

/// Options of `techo reindex`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  techo reindex
  techo reindex --check --json

With --check nothing is changed; exit code 1 if any row differs. A run that was stopped
says with which --from it is continued.")]
pub struct Args {
    /// Compare only.
    #[arg(long)]
    check: bool,
    /// The first record, by its row number.
    #[arg(long, value_name = "RID", default_value_t = 0)]
    from: i64,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Tally {
    /// Records looked at.
    records: u64,
    /// Index rows that the bodies give.
    rows: u64,
    /// Records of which rows or facts differ.
    different: u64,
    /// Records whose kind, codes or clinical time differ.
    facts: u64,
    /// Rows that should be there and are not, by table.
    missing: BTreeMap<&'static str, u64>,
    /// Rows that are there and should not be, by table.
    extra: BTreeMap<&'static str, u64>,
    /// Records indexed under another epoch: other rules, or another public origin. Their
    /// rows may well be the same; only what differs is a fault.
    stale: u64,
    /// Search parameters of this installation that may be asked for now.
    parameters: u64,
    /// Records that were written meanwhile.
    changed_meanwhile: u64,
    /// Records set right.
    fixed: u64,
    /// Where to continue, if it was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_before: Option<i64>,
}

/// Checks or rebuilds the index.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let app = open::app(place, Missing::Refuse).await?;
    let mut built = Summary::default();
    if !args.check {
        built = parameters(&app, &args).await?;
    }
    let progress = Progress::new("records", 0, args.json);
    let tally = if built.stopped { Ok(Tally::default()) } else { walk(&app, &args, &progress).await };
    progress.end();
    let mut tally = tally?;
    tally.parameters = built.ready;
    if built.stopped {
        tally.stopped_before = Some(args.from);
    }
    if !args.check {
        let record = open::act(&app, crate::store::audit::Kind::Operator, "reindex", None);
        open::recorded(&app, record).await?;
    }
    print(&tally, &args)?;
    let good = tally.stopped_before.is_none() && (!args.check || tally.different == 0);
    Ok(show::code(good))
}

/// Takes the definitions of the folder over and brings all records up to them.
async fn parameters(app: &App, args: &Args) -> Result<Summary, Failure> {
    let folder = app.config.file("definitions").join("own");
    let files = own_files(app, &folder)?;
    app.store.define_files(&files).await.map_err(Failure::of)?;
    let stop = AtomicBool::new(false);
    let progress = Progress::new("records", 0, args.json);
    let mut told = |walk: &Rebuild| {
        progress.at(walk.done.unsigned_abs(), walk.total.unsigned_abs());
        !stop.load(Ordering::Relaxed)
    };
    let job = job::reindex::run(app, &mut told);
    tokio::pin!(job);
    let ended = asked_to_end();
    tokio::pin!(ended);
    let done = tokio::select! {
        done = &mut job => done,
        // The step at hand is done; the next run goes on after it.
        () = &mut ended => {
            stop.store(true, Ordering::Relaxed);
            job.await
        }
    };
    progress.end();
    done.map_err(|error| show::explained(&error))
}

/// What `definitions/own/` of the data directory defines, by file name.
fn own_files(app: &App, folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let mut files = Vec::new();
    let mut seen: Vec<SearchParameter> = Vec::new();
    for path in paths {
        let named = |text: String| Failure(format!("{}: {text}", path.display()));
        let text = std::fs::read(&path).map_err(|error| named(error.to_string()))?;
        let resource = parse(&text).map_err(|error| named(show::explained(&error).0))?;
        let source = format!("file:{}", path.file_name().unwrap_or_default().to_string_lossy());
        let fault = |error: Error| named(show::explained(&error).0);
        let parameter = own::read(app.definitions, &resource).map_err(|fault| named(parameter::told(&fault).text))?;
        parameter::free(app, &source, &parameter).map_err(fault)?;
        let types = parameter.types(app.definitions);
        let meets = |other: &&SearchParameter| {
            other.code == parameter.code && types.iter().any(|kind| !other.expression_for(kind).is_empty())
        };
        if seen.iter().find(meets).is_some() {
            return Err(named(format!("another file defines {} already", parameter.code)));
        }
        seen.push(parameter);
        files.push((source, own::text(&resource)));
    }
    Ok(files)
}

async fn walk(app: &App, args: &Args, progress: &Progress) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let total = app.store.records().await.map_err(Failure::of)?;
    let snapshot = Snapshot::open(&app.config.database_url()).await.map_err(Failure::of)?;
    let mut walk = snapshot.walk(args.from).await.map_err(Failure::of)?;
    let stop = asked_to_end();
    tokio::pin!(stop);
    loop {
        let batch = tokio::select! {
            biased;
            () = &mut stop => None,
            batch = walk.batch(BATCH) => Some(batch.map_err(Failure::of)?),
        };
        let Some(batch) = batch else {
            tally.stopped_before = Some(tally.stopped_before.unwrap_or(args.from));
            return Ok(tally);
        };
        let Some(last) = batch.last().map(|one| one.rid) else { break };
        let fixes = compared(app, batch, &mut tally).await?;
        if !args.check {
            let done = app.store.set_right(&fixes).await.map_err(Failure::of)?;
            tally.fixed += done as u64;
            tally.changed_meanwhile += (fixes.len() - done) as u64;
        }
        // Kept while the walk goes on; taken back at its end.
        tally.stopped_before = Some(last + 1);
        progress.at(tally.records, total);
    }
    tally.stopped_before = None;
    Ok(tally)
}

/// The records of a batch whose rows are not what their bodies give.
async fn compared(app: &App, batch: Vec<Indexed>, tally: &mut Tally) -> Result<Vec<Fix>, Failure> {
    let rids: Vec<i64> = batch.iter().filter(|one| one.version.is_some()).map(|one| one.rid).collect();
    let bodies: HashMap<i64, Stored> =
        app.store.rows(&rids).await.map_err(Failure::of)?.into_iter().map(|stored| (stored.rid, stored)).collect();
    let all: Vec<Stored> = bodies.values().cloned().collect();
    let facts = app.store.facts_of(&all).await.map_err(Failure::of)?;
    let mut fixes = Vec::new();
    for one in batch {
        tally.records += u64::from(one.version.is_some());
        let stored = bodies.get(&one.rid);
        if stored.map(|stored| stored.version) != one.version.map(|(version, _)| version) {
            tally.changed_meanwhile += 1;
            continue;
        }
        let explained = |error| Failure(format!("row {}: {}", one.rid, show::explained(&error)));
        let rebuilt = match stored {
            Some(stored) => app.rows_of(stored).await.map_err(explained)?,
            None => Vec::new(),
        };
        let facts = match stored.zip(facts.get(&one.rid)) {
            Some((stored, (before, imported))) => {
                let again = app.facts_again(stored, before, *imported).map_err(explained)?;
                (again != *before).then_some(again)
            }
            None => None,
        };
        tally.facts += u64::from(facts.is_some());
        let stale = one.version.is_some_and(|(_, epoch)| epoch != app.store.epoch());
        tally.stale += u64::from(stale);
        let differs = tally.compare(&one.rows, &rebuilt, facts.is_some());
        if differs || stale {
            let version = one.version.map(|(version, _)| version);
            fixes.push(Fix { rid: one.rid, version, stored: one.rows, rebuilt, facts });
        }
    }
    Ok(fixes)
}

impl Tally {
    /// Counts what differs; whether anything does.
    ///
    /// * `facts`: those differ.
    fn compare(&mut self, found: &[IndexRow], expected: &[IndexRow], facts: bool) -> bool {
        let found: HashSet<&IndexRow> = found.iter().collect();
        let expected: HashSet<&IndexRow> = expected.iter().collect();
        self.rows += expected.len() as u64;
        let mut differs = facts;
        for row in expected.difference(&found) {
            *self.missing.entry(row.table_name()).or_default() += 1;
            differs = true;
        }
        for row in found.difference(&expected) {
            *self.extra.entry(row.table_name()).or_default() += 1;
            differs = true;
        }
        self.different += u64::from(differs);
        differs
    }
}

fn print(tally: &Tally, args: &Args) -> Result<(), Failure> {
    if args.json {
        return show::json(tally);
    }
    let Tally { records, rows, different, stale, changed_meanwhile, fixed, .. } = tally;
    show::line(format!("{records} records, {rows} index rows; {different} records differ, {stale} of an older epoch"))?;
    for (word, counts) in [("missing", &tally.missing), ("extra", &tally.extra)] {
        for (table, count) in counts {
            show::line(format!("  {word} in {table}: {count}"))?;
        }
    }
    if tally.facts > 0 {
        show::line(format!("  another kind, other codes or another clinical time: {}", tally.facts))?;
    }
    if tally.parameters > 0 {
        show::line(format!("  {} more search parameters of this installation may be asked for", tally.parameters))?;
    }
    if *changed_meanwhile > 0 {
        show::line(format!("  {changed_meanwhile} records were written meanwhile and indexed by their own writes"))?;
    }
    match (args.check, tally.stopped_before) {
        (_, Some(rid)) => show::line(format!("stopped; continue with --from {rid}")),
        (true, None) if *different > 0 => show::line("set right with: techo reindex"),
        (true, None) => show::line("the index is what the records say"),
        (false, None) => show::line(format!("{fixed} records set right")),
    }
}

/// Records a step.
const BATCH: usize = 128;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::random::Random;
    use crate::server::Server;

    /// Rows stored under other rules: what decides about them is told again from
    /// the bodies, and what an importer said of its file is not lost.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_decides_about_a_row_is_rebuilt() {
        let random = Random::system();
        let folder = std::env::temp_dir().join(format!("techo-reindex-{}", random.id()));
        let mut config = Config::new(&folder, SocketAddr::from(([127, 0, 0, 1], 80)));
        config.operator = "Organization/org-city".to_owned();
        let server = Server::start(config, Clock::system(), random).await.expect("a server");
        crate::cli::demo::prepare(&server).await.unwrap_or_else(|failure| panic!("{}", failure.0));
        let app = &*server.app;
        let walked = |check| async move {
            let (args, progress) = (Args { check, from: 0, json: true }, Progress::new("records", 0, true));
            walk(app, &args, &progress).await.unwrap_or_else(|failure| panic!("{}", failure.0))
        };
        let facts = || async {
            let sql = "SELECT rid, domain, COALESCE(clinical_low, 0), COALESCE(clinical_high, 0), labels FROM resource \
                       ORDER BY rid";
            let rows = app.store.db().all(sql, []).await.expect("rows");
            let text = |row: &sea_orm::QueryResult| {
                let number = |at| row.try_get_by_index::<i64>(at).expect("a number");
                let domain: i16 = row.try_get_by_index(1).expect("a number");
                let labels: String = row.try_get_by_index(4).expect("text");
                format!("{} {domain} {} {} {labels}", number(0), number(2), number(3))
            };
            rows.iter().map(text).collect::<Vec<_>>()
        };
        let (before, clean) = (facts().await, walked(true).await);
        assert_eq!((clean.facts, clean.different), (0, 0), "fresh rows are what their bodies say");
        let spoil = "UPDATE resource SET domain = 8, labels = 'c000000000000', clinical_low = 1, clinical_high = 2 \
                     WHERE rid % 2 = 0 AND domain NOT IN (3, 8)";
        let spoiled = app.store.db().execute(spoil, []).await.expect("an update");
        assert!(spoiled > 20, "{spoiled}");
        assert_eq!(walked(true).await.facts, spoiled, "a check tells");
        assert_ne!(facts().await, before, "and changes nothing");
        let fixed = walked(false).await;
        assert_eq!((fixed.facts, fixed.fixed), (spoiled, spoiled));
        assert_eq!(facts().await, before);
        drop(server);
        std::fs::remove_dir_all(&folder).expect("the folder is ours");
    }

    #[test]
    fn what_differs_is_counted_by_table() {
        let date = |low| IndexRow::Date { param: 1, low, high: low + 1, grp: 0 };
        let uri = IndexRow::Uri { param: 2, value: "urn:x".to_owned(), grp: 0 };
        let mut tally = Tally::default();
        assert!(!tally.compare(&[date(1), uri.clone()], &[uri.clone(), date(1)], false), "order does not count");
        assert!(
            !tally.compare(std::slice::from_ref(&uri), &[uri.clone(), uri.clone()], false),
            "a row twice is one row"
        );
        assert!(tally.compare(&[date(1), date(2)], &[date(1), uri], false));
        assert_eq!((tally.different, tally.missing["uri"], tally.extra["date"]), (1, 1, 1));
    }
}
