//! What `_include` and `_revinclude` add to a page: through the caller's view,
//! each resource once.
//!
//! The first round begins with the page's rows. With `:iterate` each further round
//! begins with what the one before brought, so that no loop is gone twice. Rounds
//! and resources are bounded; where a bound cuts, the answer says so.
//!
//! Source: FHIR R4 search.html#revinclude

use std::collections::{BTreeMap, BTreeSet, HashSet};

use techo_profiles::json::Json;

use super::{Call, Error, Issue};
use crate::consent::caller::Action;
use crate::search::index;
use crate::search::plan::{Include, Plan};
use crate::store::reader::Stored;

/// The most resources that are added to a page.
const MOST: usize = 1000;
/// The most rounds.
const ROUNDS: usize = 8;
/// The most references that are followed for a page, whether or not they lead somewhere.
const FOLLOWED: usize = 20_000;
/// Ids a statement.
const CHUNK: usize = 100;

/// What is added to a page.
#[derive(Debug, Default)]
pub(super) struct Included {
    /// The resources with their types.
    pub(super) found: Vec<(String, Stored)>,
    /// That there is more.
    pub(super) left_out: Option<Issue>,
}

/// Gathers what a plan includes beside these rows.
pub(super) async fn included(call: &Call<'_>, plan: &Plan, rows: &[Stored]) -> Result<Included, Error> {
    if plan.includes.is_empty() || rows.is_empty() {
        return Ok(Included::default());
    }
    let mut gathering = Gathering::new(call, rows);
    let mut round: Vec<Stored> = rows.to_vec();
    let mut cut = false;
    for number in 0..ROUNDS {
        let start = gathering.found.len();
        for include in plan.includes.iter().filter(|include| number == 0 || include.iterate) {
            gathering.follow(include, &round).await?;
        }
        round = gathering.found[start..].iter().map(|(_, row)| row.clone()).collect();
        let goes_on = !round.is_empty() && plan.includes.iter().any(|include| include.iterate);
        if gathering.full || !goes_on {
            break;
        }
        cut = number + 1 == ROUNDS;
    }
    let left_out = (gathering.full || cut).then(incomplete);
    Ok(Included { found: gathering.found, left_out })
}

struct Gathering<'c, 'a> {
    call: &'c Call<'a>,
    /// Rows that are in the answer.
    seen: BTreeSet<i64>,
    /// Places that were looked up.
    asked: HashSet<(u16, Box<str>)>,
    found: Vec<(String, Stored)>,
    full: bool,
}

impl<'c, 'a> Gathering<'c, 'a> {
    fn new(call: &'c Call<'a>, rows: &[Stored]) -> Self {
        let seen = rows.iter().map(|row| row.rid).collect();
        let asked = rows.iter().map(|row| (row.kind, row.id.as_str().into())).collect();
        Self { call, seen, asked, found: Vec::new(), full: false }
    }

    async fn follow(&mut self, include: &Include, rows: &[Stored]) -> Result<(), Error> {
        if include.reverse { self.backward(include, rows).await } else { self.forward(include, rows).await }
    }

    /// What these rows refer to.
    async fn forward(&mut self, include: &Include, rows: &[Stored]) -> Result<(), Error> {
        let call = self.call;
        let source = call.definitions.type_number(&include.source);
        let mut targets: BTreeMap<u16, Vec<Box<str>>> = BTreeMap::new();
        for row in rows.iter().filter(|row| Some(row.kind) == source) {
            let Some(body) = &row.body else { continue };
            let resource = Json::parse(body).map_err(|_| Error::Internal("stored body is no JSON".into()))?;
            let found = index::references(call.definitions, &include.source, &resource, &include.params, &call.local())
                .map_err(|error| Error::Internal(error.to_string()))?;
            for (kind, id) in found.into_iter().filter(|(kind, _)| include.target.is_none_or(|wanted| wanted == *kind))
            {
                if self.asked.len() >= FOLLOWED {
                    self.full = true;
                } else if self.asked.insert((kind, id.clone())) {
                    targets.entry(kind).or_default().push(id);
                }
            }
        }
        for (kind, ids) in targets {
            let name = call.type_name(kind);
            if call.may(Action::Search, &name).is_err() && call.may(Action::Read, &name).is_err() {
                continue;
            }
            for ids in ids.chunks(CHUNK) {
                let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
                let rows = call.reader().many(&name, &ids).await?;
                self.add(&name, rows);
            }
        }
        Ok(())
    }

    /// What refers to these rows.
    async fn backward(&mut self, include: &Include, rows: &[Stored]) -> Result<(), Error> {
        let call = self.call;
        if call.may(Action::Search, &include.source).is_err() {
            return Ok(());
        }
        let mut targets: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        for row in rows.iter().filter(|row| include.target.is_none_or(|wanted| wanted == row.kind)) {
            targets.entry(row.kind).or_default().push(&row.id);
        }
        for (kind, ids) in targets {
            for ids in ids.chunks(CHUNK) {
                if self.full {
                    return Ok(());
                }
                // Of one row more than there is room for, and those known already, one tells.
                let limit = u32::try_from(MOST + self.seen.len() + 1).unwrap_or(u32::MAX);
                let source = (&*include.source, &include.params[..]);
                let rows = call.reader().referring(source, (kind, ids), limit).await?;
                self.add(&include.source, rows);
            }
        }
        Ok(())
    }

    fn add(&mut self, kind: &str, rows: Vec<Stored>) {
        for row in rows.into_iter().filter(|row| row.deleted == 0) {
            if self.seen.contains(&row.rid) {
                continue;
            }
            if self.found.len() >= MOST {
                self.full = true;
                return;
            }
            self.seen.insert(row.rid);
            self.asked.insert((row.kind, row.id.as_str().into()));
            self.found.push((kind.to_owned(), row));
        }
    }
}

fn incomplete() -> Issue {
    let text = format!(
        "Not all of what the search includes is here: a page includes up to {MOST} resources, in {ROUNDS} steps. Ask with a smaller _count."
    );
    let text_ja = format!(
        "_include や _revinclude の結果の一部を省きました(1 ページにつき {MOST} 件、{ROUNDS} 段まで)。_count を小さくしてください。"
    );
    Issue { severity: "warning", ..Issue::error("too-costly", text, text_ja) }
}
