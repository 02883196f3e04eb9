//! `techo audit-verify`: is the log still what was written?
//!
//! Every chain is walked from its first record: each mac must follow from the
//! one before, and the sealed head stored in the database must lie on the way.
//! Every record that was filed must still have its rows. So these show: a byte
//! changed, a record left out, put elsewhere or put in, a tail or a segment or a
//! chain cut off, rows deleted or altered.
//!
//! What cannot show: records kept after the last fold (a fraction of a second
//! while a server runs) and cut off together with nothing else; and log and
//! database set back *together* to an earlier, true state. Against the second
//! keep [`Checked::end`] of each run elsewhere and compare.
//!
//! It only reads, and works with and without a running server: heads are read
//! first, and what comes before them does not change any more.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use sea_orm::{DatabaseBackend, Value};

use super::authentic::{AuditKeys, Mac};
use super::files::{self, Fault, Reading, Stretch};
use super::heads::{self, Chain};
use super::project::{Row, rows};
use super::table::number_value;
use super::{AuditError, Head, Position, Source, number_column, row};
use crate::store::db::Db;
use crate::store::keys::Keys;

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every chain, in order.
    pub chains: Vec<Checked>,
    /// What is wrong, in the order of the log.
    pub faults: Vec<Fault>,
    /// Bytes of a record that was being written, or was when its process died.
    pub torn: Vec<Torn>,
    /// Records of writes that are not in the log yet.
    pub waiting: usize,
    /// How many of those were changed.
    pub changed: usize,
}

/// A chain that was walked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its number.
    pub chain: i64,
    /// Records in it.
    pub records: u64,
    /// Behind its last record.
    pub end: Position,
    /// The mac of its last record, in hex: to be kept elsewhere.
    pub mac: String,
}

/// An unfinished record at the end of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Torn {
    /// Where.
    pub position: Position,
    /// Bytes.
    pub bytes: u64,
    /// Whether its process is alive, and may be writing it now.
    pub live: bool,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn sound(&self) -> bool {
        self.faults.is_empty() && self.changed == 0
    }
}

/// Checks the whole log. `directory` is where the segment files are; a
/// PostgreSQL database holds its own.
pub async fn verify(db: &Db, directory: &Path, keys: &Keys) -> Result<Report, AuditError> {
    let source = match db.backend() {
        DatabaseBackend::Postgres => Source::Table,
        _ => Source::Files(directory.to_owned()),
    };
    let check = Check { db, source, keys: AuditKeys::new(keys) };
    // Before the chains: a row that is moved into one meanwhile is counted twice, and never not at all.
    let (waiting, changed) = row::count(db, &check.keys).await?;
    let mut report = Report { waiting, changed, ..Report::default() };
    let known = heads::all(db, &check.keys).await?;
    for chain in &known {
        check.chain(chain, &mut report).await?;
    }
    check.strangers(&known, &mut report).await?;
    Ok(report)
}

struct Check<'a> {
    db: &'a Db,
    source: Source,
    keys: AuditKeys,
}

/// How far the walk of one chain has come.
struct Walk<'a> {
    stored: &'a Head,
    /// `None` until the stored head was reached; then whether its mac was right.
    reached: Option<bool>,
    records: u64,
    /// The mac of the record last walked over.
    before: Mac,
    /// Rows that records before the head must have, those of writes aside.
    filed: u64,
}

impl Check<'_> {
    async fn chain(&self, chain: &Chain, report: &mut Report) -> Result<(), AuditError> {
        let number = chain.head.position.chain;
        if !chain.sealed {
            report.faults.push(Fault { position: chain.head.position, what: "the stored head was changed" });
        }
        let Some(mut at) = self.first(number, chain.generation) else {
            let what = "its key generation is not in the key file";
            report.faults.push(Fault { position: chain.head.position, what });
            return Ok(());
        };
        let mut walk = Walk { stored: &chain.head, reached: None, records: 0, before: at.mac, filed: 0 };
        loop {
            walk.meet(&at);
            let stretch = self.source.read(self.db, &self.keys, chain.generation, &at, READING).await?;
            walk.over(&stretch);
            self.rows(&mut walk, &stretch, report).await?;
            report.faults.extend(stretch.faults.iter().cloned());
            at = stretch.head.clone();
            if !stretch.more {
                self.finish(&walk, &stretch, report);
                break;
            }
        }
        self.no_row_too_many(&walk, number, report).await?;
        report.chains.push(Checked { chain: number, records: walk.records, end: at.position, mac: hex(&at.mac) });
        Ok(())
    }

    /// The beginning of a chain. A chain in files may have been begun under any
    /// generation: its first header tells, and the database's must agree.
    fn first(&self, chain: i64, generation: u8) -> Option<Head> {
        let key = self.keys.chain(generation)?;
        Some(match self.source {
            Source::Files(_) => Head::first_in_files(chain, &key),
            Source::Table => Head::first_in_table(chain, &key),
        })
    }

    fn finish(&self, walk: &Walk<'_>, stretch: &Stretch, report: &mut Report) {
        let end = stretch.head.position;
        match walk.reached {
            Some(true) => {}
            Some(false) => {
                let position = walk.stored.position;
                report.faults.push(Fault { position, what: "the log before this place is not the one that was filed" });
            }
            None => report.faults.push(Fault {
                position: end,
                what: "the log does not come to where it was filed up to: its tail was cut",
            }),
        }
        if stretch.torn > 0 {
            let live = match &self.source {
                Source::Files(directory) => files::held(directory, end.chain),
                Source::Table => false,
            };
            report.torn.push(Torn { position: end, bytes: stretch.torn, live });
        }
    }

    /// Every filed record must have its rows, and they must say what it says.
    async fn rows(&self, walk: &mut Walk<'_>, stretch: &Stretch, report: &mut Report) -> Result<(), AuditError> {
        let stored = walk.stored.position;
        let mut expected = Vec::new();
        for entry in stretch.entries.iter().filter(|entry| entry.end.position <= stored) {
            match rows(std::slice::from_ref(entry)) {
                Ok(rows) => expected.extend(rows),
                Err(_) => report.faults.push(Fault { position: entry.position, what: "it cannot be read" }),
            }
        }
        walk.filed += expected.iter().filter(|row| row.write.is_none()).count() as u64;
        for chunk in expected.chunks(AT_ONCE) {
            let found = self.find(chunk).await?;
            for row in chunk.iter().filter(|row| !found.agrees(row)) {
                report
                    .faults
                    .push(Fault { position: row.position, what: "its row in audit_entry is missing or changed" });
            }
        }
        Ok(())
    }

    async fn find(&self, expected: &[Row]) -> Result<Filed, AuditError> {
        let mut filed = Filed::default();
        let (writes, others): (Vec<&Row>, Vec<&Row>) = expected.iter().partition(|row| row.write.is_some());
        if !others.is_empty() {
            let places = vec!["(?, ?, ?, ?, ?)"; others.len()].join(", ");
            let sql = format!(
                "SELECT citizen, at, chain, segment, place, ordinal, kind FROM audit_entry \
                 WHERE (citizen, at, chain, segment, place) IN (VALUES {places})"
            );
            for row in self.db.all(&sql, others.iter().flat_map(|row| row.key())).await? {
                let position = Position {
                    chain: row.try_get("", "chain")?,
                    segment: u32::try_from(number_column(&row, "audit_entry", "segment")?).unwrap_or(u32::MAX),
                    place: number_column(&row, "audit_entry", "place")?,
                };
                let key = (row.try_get("", "citizen")?, row.try_get("", "at")?, position);
                filed.others.insert(key, (row.try_get("", "ordinal")?, row.try_get("", "kind")?));
            }
        }
        if !writes.is_empty() {
            let places = vec!["(?, ?)"; writes.len()].join(", ");
            let sql = format!(
                "SELECT citizen, write_id, at, ordinal, kind FROM audit_entry \
                 WHERE (citizen, write_id) IN (VALUES {places})"
            );
            let values = writes.iter().flat_map(|row| [row.citizen.into(), row.write.map(|id| id.to_vec()).into()]);
            for row in self.db.all(&sql, values).await? {
                let key = (row.try_get("", "citizen")?, row.try_get("", "write_id")?);
                filed
                    .writes
                    .insert(key, (row.try_get("", "at")?, row.try_get("", "ordinal")?, row.try_get("", "kind")?));
            }
        }
        Ok(filed)
    }

    /// A row that no record stands behind was put in.
    async fn no_row_too_many(&self, walk: &Walk<'_>, chain: i64, report: &mut Report) -> Result<(), AuditError> {
        let stored = walk.stored.position;
        let sql = "SELECT count(*) AS number FROM audit_entry \
                   WHERE chain = ? AND (segment, place) < (?, ?) AND write_id IS NULL";
        let values = [chain.into(), i64::from(stored.segment).into(), number_value(stored.place)];
        let found = match self.db.one(sql, values).await? {
            Some(row) => number_column(&row, "audit_entry", "number")?,
            None => 0,
        };
        if found > walk.filed {
            report
                .faults
                .push(Fault { position: stored, what: "audit_entry holds rows of this chain that no record has" });
        }
        Ok(())
    }

    /// Chains that the database does not know, and numbers that are gone.
    async fn strangers(&self, known: &[Chain], report: &mut Report) -> Result<(), AuditError> {
        let known: BTreeSet<i64> = known.iter().map(|chain| chain.head.position.chain).collect();
        let present: Vec<i64> = match &self.source {
            Source::Files(directory) => files::chains(directory)?,
            Source::Table => {
                let rows = self.db.all("SELECT DISTINCT chain FROM audit_log ORDER BY chain", []).await?;
                rows.iter().map(|row| row.try_get("", "chain")).collect::<Result<_, _>>()?
            }
        };
        for chain in present.iter().filter(|chain| !known.contains(chain)) {
            // A folder without a record: its process died before it was entered.
            if !self.begun(*chain)? {
                continue;
            }
            let position = Position { chain: *chain, segment: 0, place: 0 };
            report.faults.push(Fault { position, what: "the database does not know this chain" });
        }
        // The newest chain leaves no gap in the numbers; its rows tell of it.
        let filed = self.db.all("SELECT DISTINCT chain FROM audit_entry", []).await?;
        let filed =
            filed.iter().map(|row| Ok(row.try_get("", "chain")?)).collect::<Result<BTreeSet<i64>, AuditError>>()?;
        for chain in filed.iter().filter(|chain| !known.contains(chain) && !present.contains(chain)) {
            let position = Position { chain: *chain, segment: 0, place: 0 };
            report.faults.push(Fault { position, what: "audit_entry holds rows of a chain that is gone" });
        }
        let last = known.iter().chain(&present).max().copied().unwrap_or(0);
        for chain in (1..last).filter(|chain| !known.contains(chain) && !present.contains(chain)) {
            report
                .faults
                .push(Fault { position: Position { chain, segment: 0, place: 0 }, what: "this chain is gone" });
        }
        Ok(())
    }

    /// Whether an unknown chain holds anything.
    fn begun(&self, chain: i64) -> Result<bool, AuditError> {
        let Source::Files(directory) = &self.source else { return Ok(true) };
        let first = files::segment(directory, chain, 1);
        match std::fs::metadata(&first) {
            Ok(metadata) => Ok(metadata.len() > files::HEADER as u64),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(files::failed(&first, cause)),
        }
    }
}

impl Walk<'_> {
    /// Notes whether this is the stored head.
    fn meet(&mut self, here: &Head) {
        if self.reached.is_none() && here.position == self.stored.position {
            self.reached = Some(here.mac == self.stored.mac);
        }
    }

    fn over(&mut self, stretch: &Stretch) {
        for entry in &stretch.entries {
            self.records += 1;
            // A head at the beginning of a segment is the end of no record.
            self.meet(&Head { position: entry.position, mac: self.before });
            self.before = entry.end.mac;
            self.meet(&entry.end);
        }
        self.meet(&stretch.head);
    }
}

/// Rows found in the database.
#[derive(Default)]
struct Filed {
    others: HashMap<(i64, i64, Position), (i32, i32)>,
    writes: HashMap<(i64, Vec<u8>), (i64, i32, i32)>,
}

impl Filed {
    fn agrees(&self, row: &Row) -> bool {
        let (ordinal, kind) = (i32::try_from(row.ordinal).unwrap_or(i32::MAX), i32::from(row.kind));
        match row.write {
            None => self.others.get(&(row.citizen, row.at, row.position)) == Some(&(ordinal, kind)),
            Some(id) => self.writes.get(&(row.citizen, id.to_vec())) == Some(&(row.at, ordinal, kind)),
        }
    }
}

impl Row {
    fn key(&self) -> [Value; 5] {
        [
            self.citizen.into(),
            self.at.into(),
            self.position.chain.into(),
            i64::from(self.position.segment).into(),
            number_value(self.position.place),
        ]
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

const READING: Reading = Reading { limit: 2048, sync: false, lenient: true };
/// Rows a statement.
const AT_ONCE: usize = 512;
