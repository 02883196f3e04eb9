//! How many Consents in force one citizen has: bounded at the one place through which
//! everything is written, so that each of her records is decided about in bounded time.
//! Those that custodians have filed are counted apart, or they could leave no place for hers.

use std::collections::{HashMap, HashSet};

use sea_orm::{DatabaseBackend, Value};
use techo_profiles::json::Json;

use super::arrays::array;
use super::db::statement;
use super::error::StoreError;
use super::facts::Custody;
use super::index::IndexRow;
use super::runs::Runs;
use super::write::{Put, WriteSet};
use crate::consent::stance::{MOST_OF_ONE, MOST_WITH_DENIALS, only_denies};
use crate::consent::view::CitizenKey;

/// The Consents in force of the citizens to whom something is added: their own, and what
/// custodians have filed.
#[derive(Debug)]
pub(super) struct Crowd {
    has: HashMap<(CitizenKey, By), HashSet<i64>>,
    /// Those that only deny, of what is changed where somebody has many.
    denials: HashSet<i64>,
}

/// Who filed a Consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum By {
    /// Someone with authority.
    Her,
    /// A custodian's backend.
    Custodian,
}

impl By {
    fn of(custody: i16) -> Self {
        if custody == Custody::Published.number() { Self::Custodian } else { Self::Her }
    }
}

impl Crowd {
    /// Reads them, and on PostgreSQL holds the citizens: another server waits.
    pub(super) async fn read(connection: &impl Runs, sets: &[&WriteSet]) -> Result<Self, StoreError> {
        let backend = connection.backend();
        let mut citizens: Vec<CitizenKey> =
            sets.iter().flat_map(|set| &set.puts).flat_map(|put| whose(&put.new)).collect();
        citizens.sort_unstable();
        citizens.dedup();
        let keys: Vec<Value> = citizens.iter().map(|key| Value::from(*key)).collect();
        if backend == DatabaseBackend::Postgres && !keys.is_empty() {
            let sql = "SELECT rid FROM citizen WHERE rid = ANY (CAST(? AS bigint[])) ORDER BY rid FOR UPDATE";
            connection.rows(statement(backend, sql, [array(keys.iter()).into()])).await?;
        }
        let mut found: HashMap<(CitizenKey, By), HashSet<i64>> = HashMap::new();
        for some in keys.chunks(64) {
            let many = vec!["?"; some.len()].join(", ");
            let sql = format!(
                "SELECT e.citizen, e.rid, r.custody FROM effect e JOIN resource r ON r.rid = e.rid \
                 WHERE e.citizen IN ({many})"
            );
            for row in connection.rows(statement(backend, &sql, some.to_vec())).await? {
                found.entry((row.get(0)?, By::of(row.get(2)?))).or_default().insert(row.get(1)?);
            }
        }
        let many = found.values().filter(|rids| rids.len() > MOST_OF_ONE).flatten();
        let many: HashSet<i64> = many.copied().collect();
        let changed = sets.iter().flat_map(|set| &set.puts).map(|put| put.rid).filter(|rid| many.contains(rid));
        let denials = denials(connection, &changed.collect::<Vec<_>>()).await?;
        Ok(Self { has: found, denials })
    }

    /// Adds what a set does. If somebody would have more than may be, and more than before,
    /// nothing is added: the id of the last Consent that is one more for her.
    pub(super) fn takes(&mut self, set: &WriteSet) -> Option<String> {
        let consents: Vec<&Put> = set.puts.iter().filter(|put| speaks(put)).collect();
        if consents.is_empty() {
            return None;
        }
        let mut after = self.has.clone();
        for put in &consents {
            for rids in after.values_mut() {
                rids.remove(&put.rid);
            }
            let by = By::of(put.facts.custody.number());
            for citizen in whose(&put.new) {
                after.entry((citizen, by)).or_default().insert(put.rid);
            }
        }
        let none = HashSet::new();
        for (whose, rids) in after.iter().filter(|(_, rids)| rids.len() > MOST_OF_ONE) {
            let before = self.has.get(whose).unwrap_or(&none);
            let more = || consents.iter().filter(|put| rids.contains(&put.rid) && !before.contains(&put.rid));
            // She can still refuse, whatever she has shared before.
            let bound = if more().all(|put| refuses(put)) { MOST_WITH_DENIALS } else { MOST_OF_ONE };
            if rids.len() > bound.max(before.len()) {
                return more().next_back().map(|put| put.id.clone());
            }
            // What was let through as a denial does not become something else.
            let denied = |put: &&&Put| rids.contains(&put.rid) && self.denials.contains(&put.rid);
            let mut turned = consents.iter().filter(denied).filter(|put| !refuses(put));
            if let Some(put) = turned.next_back() {
                return Some(put.id.clone());
            }
        }
        self.has = after;
        None
    }
}

/// What it puts in force only denies.
fn refuses(put: &Put) -> bool {
    let body = put.body.as_ref().and_then(|body| Json::parse(&body.bytes).ok());
    body.is_some_and(|consent| only_denies(&consent))
}

/// Those of these Consents that only deny.
async fn denials(connection: &impl Runs, rids: &[i64]) -> Result<HashSet<i64>, StoreError> {
    let mut found = HashSet::new();
    for some in rids.chunks(64) {
        let many = vec!["?"; some.len()].join(", ");
        let sql =
            format!("SELECT e.rid, s.said FROM effect e JOIN stance s ON s.id = e.stance WHERE e.rid IN ({many})");
        let values: Vec<Value> = some.iter().map(|rid| Value::from(*rid)).collect();
        for row in connection.rows(statement(connection.backend(), &sql, values)).await? {
            let said: String = row.get(1)?;
            if Json::parse(said.as_bytes()).is_ok_and(|said| only_denies(&said)) {
                found.insert(row.get(0)?);
            }
        }
    }
    Ok(found)
}

/// A Consent in force, before or now.
pub(super) fn speaks(put: &Put) -> bool {
    put.old.iter().chain(&put.new).any(|row| matches!(row, IndexRow::Effect { .. }))
}

fn whose(rows: &[IndexRow]) -> impl Iterator<Item = CitizenKey> {
    rows.iter().filter_map(|row| match row {
        IndexRow::Effect { citizen, .. } => Some(*citizen),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::facts::Facts;
    use crate::store::write::{Body, Method, Rules};

    fn put(rid: i64, kind: &str) -> Put {
        let body = format!(r#"{{"resourceType":"Consent","provision":{{"type":"{kind}"}}}}"#);
        Put {
            rid,
            kind: 0,
            id: format!("c{rid}"),
            expected: None,
            method: Method::Create,
            body: Some(Body { bytes: body.into_bytes(), stamp_at: 0 }),
            facts: Facts {
                subjects: vec![7],
                custodian: 7,
                custody: Custody::Returned,
                domain: 0,
                clinical: None,
                labels: String::new(),
            },
            left: Vec::new(),
            old: Vec::new(),
            new: vec![IndexRow::Effect { citizen: 7, stance: 1, giver: String::new(), since: 0, until: 1, days: None }],
            sweep: false,
            rules: Rules::default(),
            rests: Vec::new(),
        }
    }

    fn crowd(by: By, before: HashSet<i64>) -> Crowd {
        Crowd { has: HashMap::from([((7, by), before)]), denials: HashSet::new() }
    }

    /// Whether somebody with `before` Consents in force may have these too, of which
    /// those from 1 on are new.
    fn takes(before: usize, more: &[(i64, &str)]) -> Option<String> {
        let before = (0..).map(|number: i64| -number).take(before).collect();
        let puts = more.iter().map(|(rid, kind)| put(*rid, kind)).collect();
        crowd(By::Her, before).takes(&WriteSet { puts, ..WriteSet::default() })
    }

    #[test]
    fn what_one_more_is_too_many() {
        let refused = |id: &str| Some(id.to_owned());
        assert_eq!(takes(MOST_OF_ONE - 1, &[(1, "permit")]), None);
        assert_eq!(takes(MOST_OF_ONE, &[(1, "permit")]), refused("c1"));
        assert_eq!(takes(MOST_OF_ONE, &[(1, "deny")]), None, "to refuse is always allowed");
        assert_eq!(takes(MOST_OF_ONE, &[(1, "deny"), (2, "permit")]), refused("c2"));
        assert_eq!(takes(MOST_OF_ONE, &[(0, "permit")]), None, "it was there before");
        assert_eq!(takes(MOST_WITH_DENIALS - 1, &[(1, "deny")]), None);
        assert_eq!(takes(MOST_WITH_DENIALS - 1, &[(1, "deny"), (2, "deny")]), refused("c2"));
        assert_eq!(takes(MOST_WITH_DENIALS, &[(1, "deny")]), refused("c1"));
    }

    /// Denials beyond the number were filed, and then turned into permissions.
    #[test]
    fn what_was_let_through_as_a_denial_stays_one() {
        let turned = |before: usize, from: &str, to: &str| {
            let before = (0..).map(|number: i64| -number).take(before).collect();
            let denials = if from == "deny" { HashSet::from([0]) } else { HashSet::new() };
            let set = WriteSet { puts: vec![put(0, to)], ..WriteSet::default() };
            Crowd { denials, ..crowd(By::Her, before) }.takes(&set)
        };
        assert_eq!(turned(MOST_OF_ONE, "deny", "permit"), None);
        assert_eq!(turned(MOST_OF_ONE + 1, "deny", "permit"), Some("c0".to_owned()));
        assert_eq!(turned(MOST_OF_ONE + 1, "permit", "permit"), None, "what was shared may be narrowed");
        assert_eq!(turned(MOST_OF_ONE + 1, "deny", "deny"), None);
    }

    /// A town filed a thousand, and the citizen could refuse nothing any more.
    #[test]
    fn what_custodians_file_takes_no_place_of_hers() {
        let filed = |number: i64| {
            let mut put = put(number, "deny");
            put.facts.custody = Custody::Published;
            WriteSet { puts: vec![put], ..WriteSet::default() }
        };
        let many = (0..).map(|number: i64| -number).take(MOST_WITH_DENIALS).collect();
        let mut crowd = crowd(By::Custodian, many);
        assert_eq!(crowd.takes(&filed(1)), Some("c1".to_owned()));
        assert_eq!(crowd.takes(&WriteSet { puts: vec![put(2, "permit")], ..WriteSet::default() }), None);
    }
}
