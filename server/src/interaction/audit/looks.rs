//! Of whom an answer tells: for each of these citizens it is filed, and for nobody else.
//!
//! 1. Whose records are in it, or were looked at on the way to it: the one whose version
//!    another did not fit, the match of a condition ([`Call::looked_at`]).
//! 2. Whose records were counted, up to [`STATISTICS`] citizens: what is said of more is
//!    said of none ([`Call::counted`]).
//! 3. Whom the question names, herself or by a record of hers, though nothing of hers is in
//!    the answer ([`Call::asked`]): that there is none tells too. She must be one of whom the
//!    caller is shown something; for others it would say nothing of them, and any stranger
//!    could fill their record. The token of an app names its patient.
//!
//! Whatever answers without giving a record says by these three of whom. Handlers gather;
//! it is put together in one place, [`Call::told`], whether the request succeeds or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::consent::predicate::Predicate;
use crate::consent::subject::SHARED;
use crate::consent::view::{Branch, CitizenKey, Reach};
use crate::interaction::{Call, Error};
use crate::search::names::{Answer, Names};
use crate::search::plan::Plan;
use crate::store::StoreError;
use crate::store::reader::Stored;

/// How many resources of which type, citizen by citizen. None of a type: only that there
/// are some, or how many, was told.
pub(super) type Told = BTreeMap<CitizenKey, BTreeMap<String, u32>>;

/// A count of more citizens' records is filed for none of them.
pub(crate) const STATISTICS: usize = 100;
/// Records that are looked through for whose they are, where they are not counted to the end.
const LOOKED_THROUGH: u32 = 10_000;
/// The same where they are.
const MOST: u32 = 100_000;
/// Types that are told one by one.
const FEW: usize = 8;

/// Of whom a call has told on the way to its answer, beside those whose records it gives.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<Looked>);

#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Whose records were looked at, of which type, and their ids.
    records: BTreeSet<(CitizenKey, String, String)>,
    /// Whose records were counted.
    counted: BTreeSet<CitizenKey>,
    /// Who else was asked about.
    names: Names,
    /// Which types were asked for.
    kinds: BTreeSet<String>,
}

impl Looks {
    /// Records of these citizens were looked at.
    pub(crate) fn at(&self, citizens: impl IntoIterator<Item = CitizenKey>, (kind, id): (&str, &str)) {
        let records = citizens.into_iter().map(|citizen| (citizen, kind.to_owned(), id.to_owned()));
        self.gathered(|looked| looked.records.extend(records));
    }

    /// What an entry of a Bundle has told of is told by the whole.
    pub(crate) fn join(&self, entry: &Self) {
        let more = entry.take();
        self.gathered(|looked| {
            looked.records.extend(more.records);
            looked.counted.extend(more.counted);
            looked.names.extend(more.names);
            looked.kinds.extend(more.kinds);
        });
    }

    fn gathered(&self, add: impl FnOnce(&mut Looked)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn take(&self) -> Looked {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Call<'_> {
    /// These records were looked at.
    pub(crate) async fn looked_at(&self, records: &[Stored]) -> Result<(), Error> {
        for record in records {
            let kind = self.type_name(record.kind);
            self.looks.at(self.citizens_of(record).await?, (&kind, &record.id));
        }
        Ok(())
    }

    /// A search was carried out: whom it names is told of by what was found.
    pub(crate) fn asked(&self, plans: &[Plan], answer: Answer) {
        let mut names = Names::default();
        for plan in plans {
            names.extend(Names::of(plan, answer, &|kind| SHARED.contains(&kind)));
        }
        self.looks.gathered(|looked| {
            looked.names.extend(names);
            looked.asked_for(plans);
        });
    }

    /// Records of these types were asked for, whoever's they are.
    pub(crate) fn asked_of_all<'k>(&self, mut kinds: impl Iterator<Item = &'k str>) {
        let of_people = kinds.any(|kind| !SHARED.contains(&kind));
        self.looks.gathered(|looked| looked.names.of_people |= of_people);
    }

    /// The matches of these searches were counted, and none of them is in the answer.
    ///
    /// * `total`: how many there are; `None` for more than are counted.
    pub(in crate::interaction) async fn counted(&self, plans: &[Plan], total: Option<u64>) -> Result<(), Error> {
        let rows = total.map_or(LOOKED_THROUGH, |total| u32::try_from(total).unwrap_or(MOST).min(MOST));
        let citizens = self.reader().citizens(plans, Some(STATISTICS), Some(rows)).await?;
        self.told_about(citizens);
        self.looks.gathered(|looked| looked.asked_for(plans));
        Ok(())
    }

    /// All records of these types that the caller is shown were summed up. Those are looked
    /// through for their citizens up to [`LOOKED_THROUGH`]: whose these are is known, and what
    /// is said of more records by many is said of none.
    pub(crate) async fn summed_up(&self, kinds: &[&str]) -> Result<(), Error> {
        self.asked_of_all(kinds.iter().copied());
        let reader = self.reader();
        let of_people: Vec<&str> = kinds.iter().copied().filter(|kind| !SHARED.contains(kind)).collect();
        let numbers: Vec<u16> = of_people.iter().filter_map(|kind| self.definitions.type_number(kind)).collect();
        let in_use = reader.types_in_use(&numbers).await?;
        let plan = |number: u16| Plan { resource_type: self.type_name(number).into(), ..Plan::default() };
        let plans: Vec<Plan> = in_use.into_iter().map(plan).collect();
        self.told_about(reader.citizens(&plans, Some(STATISTICS), Some(LOOKED_THROUGH)).await?);
        self.looks.gathered(|looked| looked.asked_for(&plans));
        Ok(())
    }

    /// Records of these citizens were counted.
    pub(crate) fn told_about(&self, citizens: Vec<CitizenKey>) {
        if citizens.len() <= STATISTICS {
            self.looks.gathered(|looked| looked.counted.extend(citizens));
        }
    }

    /// Of whom an answer tells.
    ///
    /// * `disclosed`: whose records are in it.
    /// * `done`: something was written, which nobody takes back: the record tells what is known.
    pub(super) async fn told(
        &self,
        disclosed: &[(CitizenKey, String)],
        looked: Looked,
        done: bool,
    ) -> Result<Told, Error> {
        let mut told = counted(disclosed);
        let records: Vec<_> = looked.records.into_iter().map(|(citizen, kind, _)| (citizen, kind)).collect();
        for (citizen, kinds) in counted(&records) {
            let own = told.entry(citizen).or_default();
            // What is in the answer is counted there.
            for (kind, count) in kinds {
                own.entry(kind).or_insert(count);
            }
        }
        let mut others: Vec<CitizenKey> = looked.counted.into_iter().collect();
        others.extend(settled(self.who_else(&looked.names, &told).await, done)?);
        // Which of many types it was, the query says.
        let kinds = if looked.kinds.len() > FEW { BTreeSet::new() } else { looked.kinds };
        for citizen in others {
            told.entry(citizen).or_insert_with(|| kinds.iter().map(|kind| (kind.clone(), 0)).collect());
        }
        Ok(told)
    }

    /// Who is named and not told of yet, and of whom the caller is shown something.
    async fn who_else(&self, names: &Names, told: &Told) -> Result<Vec<CitizenKey>, Error> {
        if *names == Names::default() {
            return Ok(Vec::new());
        }
        let view = self.world();
        let shown = |citizen: CitizenKey| view.branches().iter().any(|branch| names_her(branch, citizen));
        let mut found = Vec::new();
        if names.of_people {
            let of_token = self.candidates.iter().find(|one| self.caller.patient.as_ref() == Some(&one.patient));
            found.extend(of_token.map(|one| one.citizen).filter(|citizen| shown(*citizen)));
        }
        let mut unknown = Vec::new();
        for id in &names.patients {
            match self.candidates.iter().find(|one| *one.patient == **id) {
                Some(one) if told.contains_key(&one.citizen) => {}
                Some(one) if shown(one.citizen) => found.push(one.citizen),
                _ => unknown.push(&**id),
            }
        }
        let reader = self.store.reader(&view);
        if !unknown.is_empty() && view.branches().iter().any(reaches_others) {
            let keys: Vec<CitizenKey> = told.keys().copied().collect();
            let known = self.store.patients(&keys).await?;
            unknown.retain(|id| known.values().all(|one| one.as_str() != *id));
            if !unknown.is_empty() {
                found.extend(reader.shown_of(&unknown).await?);
            }
        }
        let plans = names.plans();
        if !plans.is_empty() {
            found.extend(reader.citizens(&plans, None, None).await?);
        }
        Ok(found)
    }
}

impl Looked {
    fn asked_for(&mut self, plans: &[Plan]) {
        self.kinds.extend(plans.iter().map(|plan| plan.resource_type.to_string()));
    }
}

/// How many of each.
pub(super) fn counted(pairs: &[(CitizenKey, String)]) -> Told {
    let mut told = Told::new();
    for (citizen, kind) in pairs {
        *told.entry(*citizen).or_default().entry(kind.clone()).or_default() += 1;
    }
    told
}

/// The branch shows records of hers, if she has any.
fn names_her(branch: &Branch, citizen: CitizenKey) -> bool {
    let types = branch.types.rest.iter().chain(branch.types.named.values());
    let any = || types.clone().any(|rule| **rule != Predicate::Never);
    matches!(&branch.reach, Reach::Citizens(citizens) if citizens.contains(&citizen)) && any()
}

/// The branch may show records of people whom it does not name.
fn reaches_others(branch: &Branch) -> bool {
    match branch.reach {
        Reach::Others(_) | Reach::Custodian(_) | Reach::Everything => true,
        Reach::Citizens(_) | Reach::Shared | Reach::Identity { .. } => false,
    }
}

/// What is asked by ids and identifiers takes no time, but for lists that hold lists. Where it
/// cannot be told in time, nothing is answered; after a write, that has to do without.
fn settled(found: Result<Vec<CitizenKey>, Error>, done: bool) -> Result<Vec<CitizenKey>, Error> {
    match found {
        Err(Error::Store(StoreError::TooCostly)) if done => {
            tracing::warn!("it could not be told in time of whom the caller is shown something");
            Ok(Vec::new())
        }
        found => found,
    }
}
