//! What was placed before, as far as whoever imports now is told of it.
//!
//! A source's key is found again for one custodian and one citizen. What an Organization
//! publishes is in its own custody: there is nobody else's. What is in the citizen's keeping
//! may have been brought by anyone, and a key can be guessed, for it is made of what the
//! record says. So each Organization's backends find there what that Organization brought,
//! and the rest is answered as if it were not there. The operator's command finds what any
//! command brought, too.
//!
//! Of what was brought into her keeping the citizen has the last word: what she deleted is
//! not brought back, and what was changed since is not written over. The report says neither.

use std::collections::{BTreeMap, HashMap};

use techo_profiles::json::Json;

use super::draft::{Draft as Source, LOCAL_BASE};
use super::place::{Carrier, content};
use crate::app::App;
use crate::consent::decide::{Work, system};
use crate::consent::view::{CitizenKey, CustodianKey};
use crate::consent::write::Keeping;
use crate::interaction::Error;
use crate::secret;
use crate::store::StoreError;
use crate::store::facts::Custody;
use crate::store::people::Citizen;
use crate::store::reader::Stored;

/// A draft that was stored before.
pub(super) struct Known {
    /// The hash under which it is remembered.
    pub(super) key: Vec<u8>,
    /// The row that it made.
    pub(super) rid: i64,
    /// The hash of what it said.
    pub(super) content: Vec<u8>,
    /// The row as it is now; `None` if it was erased.
    pub(super) stored: Option<Stored>,
    /// What becomes of it where a draft says something else.
    pub(super) then: Then,
}

/// What becomes of a record that was placed before, where a draft says something else now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The draft is its next version.
    Next,
    /// It was changed by others since and stays as it is; the draft is a record beside it.
    Beside,
    /// It was deleted and stays so.
    Nothing,
}

impl Known {
    /// The version that a draft follows.
    pub(super) fn before(&self) -> Option<&Stored> {
        self.stored.as_ref().filter(|_| self.then != Then::Beside)
    }
}

/// What these sources left for one custodian and one citizen, by the sources' own keys.
///
/// * `hash`: of a key, as it was remembered.
pub(super) async fn remembered(
    app: &App,
    of: (CustodianKey, CitizenKey),
    all: &[&Source],
    hash: &(dyn Fn(&str) -> Vec<u8> + Sync),
) -> Result<HashMap<String, Known>, Error> {
    let hashes: BTreeMap<Vec<u8>, &str> = all.iter().map(|source| (hash(&source.key), source.key.as_str())).collect();
    let keys: Vec<Vec<u8>> = hashes.keys().cloned().collect();
    let mut known = HashMap::new();
    for (key, rid, content, stored) in app.store.remembered(of, &keys).await? {
        if let Some(named) = hashes.get(&key) {
            known.insert((*named).to_owned(), Known { key, rid, content, stored, then: Then::Next });
        }
    }
    Ok(known)
}

/// The hash by which a key is remembered where there is nothing of others to be told.
pub(super) fn plain(key: &str) -> Vec<u8> {
    secret::hash(key.as_bytes()).to_vec()
}

/// What was placed of one citizen.
pub(super) struct Memory<'a> {
    pub(super) app: &'a App,
    pub(super) carrier: &'a Carrier,
    pub(super) citizen: &'a Citizen,
    /// In whose keeping it is.
    pub(super) keeping: Keeping,
}

impl Memory<'_> {
    /// What of these was placed before, by key.
    pub(super) async fn of(&self, all: &[&Source]) -> Result<HashMap<String, Known>, Error> {
        let place = (self.keeping.custodian, self.citizen.key);
        if self.keeping.custody != Custody::Returned {
            return remembered(self.app, place, all, &plain).await;
        }
        let mut known = remembered(self.app, place, all, &|key| self.carried(key)).await?;
        let rest: Vec<&Source> = all.iter().copied().filter(|source| !known.contains_key(&source.key)).collect();
        let mut others = remembered(self.app, place, &rest, &plain).await?;
        if !self.carrier.operator && !others.is_empty() {
            let brought = self.brought().await?;
            others.retain(|_, one| one.stored.as_ref().is_some_and(|stored| self.is_own(&brought, stored)));
        }
        known.extend(others);
        self.hers(all, &mut known).await?;
        Ok(known)
    }

    /// The hash under which what is new is remembered.
    pub(super) fn key(&self, key: &str) -> Vec<u8> {
        if self.keeping.custody == Custody::Returned && !self.carrier.operator { self.carried(key) } else { plain(key) }
    }

    /// The hash of what this Organization's backends bring into a citizen's keeping.
    fn carried(&self, key: &str) -> Vec<u8> {
        plain(&format!("{}\0{key}", self.carrier.organization.1))
    }

    /// Leaves her what she deleted or what was changed since, where a draft differs from it.
    async fn hers(&self, all: &[&Source], known: &mut HashMap<String, Known>) -> Result<(), Error> {
        let mut brought = None;
        for source in all {
            let Some(one) = known.get_mut(&source.key) else { continue };
            if one.content == content(source) {
                continue;
            }
            let Some(stored) = one.stored.as_ref().filter(|stored| !stored.is_deleted()) else {
                one.then = Then::Nothing;
                continue;
            };
            let brought = match &mut brought {
                Some(brought) => brought,
                none => none.insert(self.brought().await?),
            };
            if self.versions(brought, stored) != stored.version {
                one.then = Then::Beside;
            }
        }
        Ok(())
    }

    /// Which imports brought something into her keeping, the first of them first: each of
    /// them has left a Provenance there.
    async fn brought(&self) -> Result<Vec<Brought>, Error> {
        let view = system(Work::Import);
        let mut all = self.app.store.reader(&view).members_of(&self.citizen.patient, "Provenance").await?;
        all.retain(|one| (one.custody, one.custodian) == (self.keeping.custody, self.keeping.custodian));
        all.sort_by_key(|one| one.rid);
        let read = all.iter().filter_map(|one| one.json().transpose());
        let read = read.collect::<Result<Vec<Json>, StoreError>>()?;
        Ok(read.iter().filter_map(Brought::read).collect())
    }

    /// Whether it was this Organization that placed it last.
    fn is_own(&self, brought: &[Brought], stored: &Stored) -> bool {
        let place = self.place(stored);
        let last = brought.iter().rev().find(|one| one.places.contains(&place));
        last.is_some_and(|one| one.by == self.carrier.organization.0)
    }

    /// How many of its versions were placed: by this Organization, or, for an operator, by any.
    fn versions(&self, brought: &[Brought], stored: &Stored) -> i32 {
        let place = self.place(stored);
        let own = |one: &&Brought| self.carrier.operator || one.by == self.carrier.organization.0;
        let count = brought.iter().filter(own).filter(|one| one.places.contains(&place)).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    fn place(&self, stored: &Stored) -> String {
        format!("{}/{}", self.app.definitions.type_name(stored.kind).unwrap_or_default(), stored.id)
    }
}

/// What one import brought.
struct Brought {
    /// The Organization that brought it.
    by: String,
    /// `[type]/[id]` of what it made or changed.
    places: Vec<String>,
}

impl Brought {
    /// `None` of a Provenance that tells of something else than an import.
    fn read(provenance: &Json) -> Option<Self> {
        let file = format!("{LOCAL_BASE}/Id/import-file");
        let of_file = |one: &Json| {
            let identifier = one.get("what").and_then(|what| what.get("identifier"));
            identifier.and_then(|identifier| identifier.str("system")) == Some(&file)
        };
        provenance.list("entity").iter().find(|one| of_file(one))?;
        let is_author = |agent: &&Json| {
            let kinds = agent.get("type").map_or(&[][..], |kind| kind.list("coding"));
            kinds.iter().any(|coding| coding.str("code") == Some("author"))
        };
        let author = provenance.list("agent").iter().find(is_author)?;
        let by = author.get("who")?.str("reference")?.to_owned();
        let places = provenance.list("target").iter().filter_map(|target| target.str("reference"));
        Some(Self { by, places: places.map(str::to_owned).collect() })
    }
}
