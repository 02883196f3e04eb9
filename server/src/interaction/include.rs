//! What `_include` and `_revinclude` add to a page: through the caller's view,
//! each resource once.
//!
//! The first round begins with the page's rows. With `:iterate` each further round
//! begins with what the one before brought, so that no loop is gone twice. Rounds
//! and resources are bounded; where a bound cuts, the answer says so.
//!
//! Of a match that is contained in a record its own references are followed, not those of
//! its holder.
//!
//! A canonical URL names a resource by its `url`, and by its `version` where it has one
//! (`…|2.0`); without, whatever version is there.
//!
//! Source: FHIR R4 search.html#revinclude, references.html#canonical

use std::collections::{BTreeMap, BTreeSet, HashSet};

use techo_profiles::json::Json;

use super::{Call, Error, Issue};
use crate::consent::caller::Action;
use crate::search::address::{key, taken_apart};
use crate::search::contained;
use crate::search::fold::bounded;
use crate::search::index;
use crate::search::kinds::reference::Lead;
use crate::search::plan::{Filter, Include, Match, Plan, Total};
use crate::store::StoreError;
use crate::store::reader::{Page, Stored};

/// The most resources that are added to a page.
const MOST: usize = 1000;
/// The most rounds.
const ROUNDS: usize = 8;
/// The most references that are followed for a page, whether or not they lead somewhere.
const FOLLOWED: usize = 20_000;
/// Ids a statement.
const CHUNK: usize = 100;
/// The most statements that look for canonical URLs: one may be of any of many types.
const LOOKUPS: usize = 100;

/// What is added to a page.
#[derive(Debug, Default)]
pub(super) struct Included {
    /// The resources with their types.
    pub(super) found: Vec<(String, Stored)>,
    /// That there is more.
    pub(super) left_out: Option<Issue>,
}

/// Gathers what a plan includes beside these rows.
pub(super) async fn included(call: &Call<'_>, plan: &Plan, page: &Page) -> Result<Included, Error> {
    if plan.includes.is_empty() || page.rows.is_empty() {
        return Ok(Included::default());
    }
    let mut gathering = Gathering::new(call, page);
    let mut round: Vec<Start> = page.rows.iter().cloned().zip(page.places.iter().copied()).collect();
    let mut cut = false;
    for number in 0..ROUNDS {
        let start = gathering.found.len();
        for include in plan.includes.iter().filter(|include| number == 0 || include.iterate) {
            gathering.follow(include, &round).await?;
        }
        round = gathering.found[start..].iter().map(|(_, row)| (row.clone(), 0)).collect();
        let goes_on = !round.is_empty() && plan.includes.iter().any(|include| include.iterate);
        if gathering.full || !goes_on {
            break;
        }
        cut = number + 1 == ROUNDS;
    }
    let left_out = (gathering.full || cut).then(incomplete);
    Ok(Included { found: gathering.found, left_out })
}

/// A record, or the place of what is contained in it: where a round begins.
type Start = (Stored, u32);

struct Gathering<'c, 'a> {
    call: &'c Call<'a>,
    /// Rows that are in the answer.
    seen: BTreeSet<i64>,
    /// Places that were looked up.
    asked: HashSet<(u16, Box<str>)>,
    found: Vec<(String, Stored)>,
    /// How often canonical URLs were looked for.
    lookups: usize,
    full: bool,
}

impl<'c, 'a> Gathering<'c, 'a> {
    fn new(call: &'c Call<'a>, page: &Page) -> Self {
        // What holds a match is not itself in the answer.
        let whole = || page.rows.iter().zip(&page.places).filter(|(_, place)| **place == 0).map(|(row, _)| row);
        let seen = whole().map(|row| row.rid).collect();
        let asked = whole().map(|row| (row.kind, row.id.as_str().into())).collect();
        Self { call, seen, asked, found: Vec::new(), lookups: 0, full: false }
    }

    async fn follow(&mut self, include: &Include, rows: &[Start]) -> Result<(), Error> {
        if include.reverse { self.backward(include, rows).await } else { self.forward(include, rows).await }
    }

    /// What these rows refer to.
    async fn forward(&mut self, include: &Include, rows: &[Start]) -> Result<(), Error> {
        let call = self.call;
        let source = call.definitions.type_number(&include.source);
        let mut targets: BTreeMap<u16, Vec<Box<str>>> = BTreeMap::new();
        let mut addresses: BTreeMap<u16, Vec<Box<str>>> = BTreeMap::new();
        for (row, place) in rows.iter().filter(|(row, place)| *place > 0 || Some(row.kind) == source) {
            let Some(whole) = parsed(row)? else { continue };
            let resource = if *place == 0 { Some(&whole) } else { contained::at(&whole, *place) };
            let Some(resource) = resource.filter(|one| one.str("resourceType") == Some(&include.source)) else {
                continue;
            };
            let found = index::leads(call.definitions, &include.source, resource, &include.params, &call.local())
                .map_err(|error| Error::Internal(error.to_string()))?;
            for (param, lead) in found {
                let (kinds, id, into): (Vec<u16>, _, _) = match lead {
                    Lead::Place(kind, id) => (vec![kind], id, &mut targets),
                    Lead::Address(url) => {
                        let named = include.named.iter().filter(|(by, _)| *by == param);
                        (named.map(|(_, kind)| *kind).collect(), url, &mut addresses)
                    }
                };
                for kind in kinds.into_iter().filter(|kind| include.target.is_none_or(|wanted| wanted == *kind)) {
                    if self.asked.len() >= FOLLOWED {
                        self.full = true;
                    } else if self.asked.insert((kind, id.clone())) {
                        into.entry(kind).or_default().push(id.clone());
                    }
                }
            }
        }
        for (kind, ids) in targets {
            let name = call.type_name(kind);
            if !self.shows(&name) {
                continue;
            }
            for ids in ids.chunks(CHUNK) {
                let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
                let rows = call.reader().many(&name, &ids).await?;
                self.add(&name, rows);
            }
        }
        for (kind, addresses) in addresses {
            self.addressed(&call.type_name(kind), &addresses).await?;
        }
        Ok(())
    }

    /// The records of a type that these canonical URLs name.
    async fn addressed(&mut self, kind: &str, addresses: &[Box<str>]) -> Result<(), Error> {
        let call = self.call;
        let local = call.local();
        let index = local.catalog(call.definitions).of_type(kind);
        let Some(url) = index.and_then(|index| index.parameter("url")).filter(|_| self.shows(kind)) else {
            return Ok(());
        };
        for chunk in addresses.chunks(CHUNK) {
            if self.full || self.lookups >= LOOKUPS {
                self.full = true;
                return Ok(());
            }
            self.lookups += 1;
            let wanted: Vec<(&str, Option<&str>)> = chunk.iter().map(|address| taken_apart(address)).collect();
            let any = wanted.iter().map(|(url, _)| Match::Uri(bounded(url))).collect();
            let filters = vec![Filter::Indexed { param: url.key.clone(), any, negated: false }];
            let plan = Plan { resource_type: kind.into(), filters, total: Total::None, ..Plan::default() };
            let page = call.reader().search(&plan, None, self.room()).await?;
            self.full |= page.next.is_some();
            let mut fitting = Vec::new();
            for row in page.rows {
                let resource = parsed(&row)?;
                let part = |name| resource.as_ref().and_then(|resource| resource.str(name));
                let (url, version) = (part("url"), part("version"));
                let fits = |(of, only): &(&str, Option<&str>)| url == Some(of) && (only.is_none() || *only == version);
                if wanted.iter().any(fits) {
                    fitting.push(row);
                }
            }
            self.add(kind, fitting);
        }
        Ok(())
    }

    /// Whether records of the type may be shown at all.
    fn shows(&self, kind: &str) -> bool {
        self.call.may(Action::Search, kind).is_ok() || self.call.may(Action::Read, kind).is_ok()
    }

    /// Of one row more than there is room for, and those known already, one tells.
    fn room(&self) -> u32 {
        u32::try_from(MOST + self.seen.len() + 1).unwrap_or(u32::MAX)
    }

    /// What refers to these rows.
    async fn backward(&mut self, include: &Include, rows: &[Start]) -> Result<(), Error> {
        let call = self.call;
        if call.may(Action::Search, &include.source).is_err() {
            return Ok(());
        }
        // By type and id, and by canonical URLs of that type.
        let mut targets: BTreeMap<(u16, bool), Vec<Box<str>>> = BTreeMap::new();
        let rows = rows.iter().filter(|(_, place)| *place == 0).map(|(row, _)| row);
        for row in rows.filter(|row| include.target.is_none_or(|wanted| wanted == row.kind)) {
            targets.entry((row.kind, false)).or_default().push(row.id.as_str().into());
            if include.named.iter().any(|(_, kind)| *kind == row.kind) {
                targets.entry((row.kind, true)).or_default().extend(own_addresses(row)?);
            }
        }
        for ((kind, by_url), ids) in targets {
            let named = include.named.iter().filter(|(_, named)| *named == kind).map(|(param, _)| param.clone());
            let (kind, params) = if by_url { (0, named.collect()) } else { (kind, include.params.clone()) };
            for ids in ids.chunks(CHUNK) {
                if self.full {
                    return Ok(());
                }
                let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
                let source = (&*include.source, &params[..]);
                let rows = call.reader().referring(source, (kind, &ids), self.room()).await?;
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

/// What a row refers to is not known where its body makes no sense.
fn parsed(row: &Stored) -> Result<Option<Json>, Error> {
    match row.json() {
        // The page tells of it.
        Err(StoreError::Corrupt { .. }) => Ok(None),
        parsed => Ok(parsed?),
    }
}

/// The canonical URLs that name a record, as an index keeps them.
fn own_addresses(row: &Stored) -> Result<Vec<Box<str>>, Error> {
    let resource = parsed(row)?;
    let part = |name| resource.as_ref().and_then(|resource| resource.str(name));
    let Some(url) = part("url") else { return Ok(Vec::new()) };
    let versioned = part("version").map(|version| key(&format!("{url}|{version}")));
    Ok([key(url)].into_iter().chain(versioned).collect())
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
