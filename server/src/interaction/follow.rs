//! What follows a record: a Binary its document, a Provenance its targets. Each is about
//! whom that is about (`consent.md` §4.6), and goes where it goes.
//!
//! Whom a record is about is kept in its row, so when it changes, so do the rows of what
//! follows: each gets a next version of the same content, in the same transaction.

use std::collections::{HashMap, HashSet};

use super::plan::Draft;
use super::{Call, Error, Issue, Location};
use crate::consent::subject::Subjects;
use crate::consent::view::{CitizenKey, CustodianKey};
use crate::consent::write::Keeping;
use crate::store::WriteSet;
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::write::{Method, Put};

/// What the same set of writes makes of others.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Patients that it creates, and those whom it names.
    pub citizens: HashMap<String, Citizen>,
    /// Whom records will be about that it writes, by `Type/id`.
    pub subjects: HashMap<String, Subjects>,
}

/// A record that is about others than before.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    at: Location,
    subjects: Subjects,
    now: Vec<CitizenKey>,
    from: From,
}

/// By what is told who had the right to point at a record: it lies in the same hands, or
/// is about one of the same people.
#[derive(Clone, Debug)]
struct From {
    keeper: CustodianKey,
    before: Vec<CitizenKey>,
}

impl Moved {
    /// `None` where the next version is about whom the one before is about.
    ///
    /// * `old`: the version before; `None` for a record under an id that its writer chose,
    ///   which others may have pointed at before it was there.
    pub(super) async fn of(
        call: &Call<'_>,
        draft: &Draft,
        old: Option<&Stored>,
        put: &Put,
    ) -> Result<Option<Self>, Error> {
        let before = match old {
            Some(old) => call.store.subjects_of(old).await?,
            None => Vec::new(),
        };
        if before == put.facts.subjects {
            return Ok(None);
        }
        let subjects = Subjects::of(&draft.resource, &call.base);
        let from = From { keeper: put.facts.custodian, before };
        Ok(Some(Self { at: draft.at.clone(), subjects, now: put.facts.subjects.clone(), from }))
    }

    /// Where it is, and whom it is about now.
    pub(crate) fn becomes(&self) -> (String, Subjects) {
        (self.at.reference(), self.subjects.clone())
    }
}

/// Adds to `set` the next versions of what follows these, and that nothing else does.
///
/// * `written`: what the same set writes anyhow, with all in its hands.
///
/// # Errors
/// [`Error::Unprocessable`] where more than [`MOST`] follow.
pub(crate) async fn followers(
    call: &Call<'_>,
    moved: Vec<Moved>,
    pending: &Pending,
    written: &HashSet<Location>,
    set: &mut WriteSet,
) -> Result<(), Error> {
    if moved.is_empty() {
        return Ok(());
    }
    let now: Vec<CitizenKey> = moved.iter().flat_map(|one| one.now.iter().copied()).collect();
    let mut pending = pending.clone();
    pending.subjects.extend(moved.iter().map(Moved::becomes));
    // All of them first: one may follow several that move, and others that follow.
    let mut places: Vec<(Location, From)> = moved.into_iter().map(|one| (one.at, one.from)).collect();
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    while let Some((at, from)) = places.pop() {
        let followers = call.store.following(&at.kind, &at.id).await?;
        if !from.before.is_empty() {
            // One that comes meanwhile is about whom this was about before.
            let rows = followers.iter().map(|one| one.rid).collect();
            set.conditions.push(call.store.followed_by(&at.kind, &at.id, rows));
        }
        for old in followers {
            let about = call.store.subjects_of(&old).await?;
            if old.custodian != from.keeper && !about.iter().any(|one| from.before.contains(one)) {
                continue;
            }
            // Of what makes no sense its keeper is told when it is written.
            let (Ok(Some(resource)), Ok(Some(body))) = (old.json(), old.body()) else { continue };
            let at = Location { kind: call.type_name(old.kind), id: old.id.clone() };
            if written.contains(&at) || !known.insert(old.rid) {
                continue;
            }
            if found.len() == MOST {
                return Err(crowd(&at));
            }
            pending.subjects.insert(at.reference(), Subjects::of(&resource, &call.base));
            places.push((at.clone(), from.clone()));
            let draft = Draft { at, text: body.to_vec(), resource, notebook: None };
            found.push((draft, old));
        }
    }
    for (draft, old) in found {
        set.puts.extend(follower(call, &draft, &old, &now, &pending).await?);
    }
    Ok(())
}

/// The same content, about whom it is about now; `None` where that is the same.
///
/// * `now`: whom those are about that move.
async fn follower(
    call: &Call<'_>,
    draft: &Draft,
    old: &Stored,
    now: &[CitizenKey],
    pending: &Pending,
) -> Result<Option<Put>, Error> {
    let before = call.store.subjects_of(old).await?;
    let mut about = draft.about(call.app, pending).await?;
    // What its writer could not see did not count, and does not now.
    let counts = |citizen: &Option<Citizen>| {
        citizen.as_ref().is_some_and(|one| before.contains(&one.key) || now.contains(&one.key))
    };
    about.subjects.retain(|(_, citizen)| counts(citizen));
    let keeping = Keeping { custodian: old.custodian, custody: old.custody };
    let mut put = draft.put(call.app, old.rid, Some(old), &about, keeping).await?;
    if put.facts.subjects == before {
        return Ok(None);
    }
    put.facts.domain = call.store.facts(old).await?.domain;
    // What its publisher withdrew stays withdrawn, and is somebody else's to read.
    put.method = if old.is_deleted() { Method::Withdraw } else { Method::Update };
    Ok(Some(put))
}

fn crowd(at: &Location) -> Error {
    Error::Unprocessable(vec![
        Issue::error(
            "too-costly",
            format!("More than {MOST} resources follow this one, so that it cannot be given to another patient."),
            format!("このリソースに従うリソースが {MOST} 件を超えるため、別の患者に付け替えられません。"),
        )
        .at(at.kind.clone()),
    ])
}

/// Of one write. Each is a put of its own.
const MOST: usize = 1000;
