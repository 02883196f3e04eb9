//! What follows a record: a Binary its document, a Provenance its targets. Each is about
//! whom that is about (`consent.md` §4.6), and goes where it goes.
//!
//! Whom a record is about is kept in its row, so when it changes, so do the rows of what
//! follows and lies in the same hands: each gets a next version of the same content, in the
//! same transaction ([`followers`]). What came before its target follows in one of its own,
//! as soon as that is there ([`drawn`]).

use std::collections::{HashMap, HashSet};

use super::plan::Draft;
use super::{Call, Error, Issue, Location};
use crate::consent::subject::Subjects;
use crate::consent::view::{CitizenKey, CustodianKey};
use crate::consent::write::Keeping;
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::write::{Method, Put};
use crate::store::{StoreError, WriteSet};

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
    /// In whose hands it lies. What lies in others' and points at it stays whose it is: the
    /// letter that a family filed with a document is theirs, to whomever that is given.
    keeper: CustodianKey,
    /// It was not there before.
    came: bool,
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
        let keeper = put.facts.custodian;
        let came = old.is_none();
        Ok(Some(Self { at: draft.at.clone(), subjects, now: put.facts.subjects.clone(), keeper, came }))
    }

    /// Whether it was not there before: what follows it follows when it is there, by
    /// [`drawn`], and costs those nothing that nothing follows.
    pub(crate) fn came(&self) -> bool {
        self.came
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
    let mut places: Vec<(Location, CustodianKey)> = moved.into_iter().map(|one| (one.at, one.keeper)).collect();
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    while let Some((at, keeper)) = places.pop() {
        let followers = call.store.following(&at.kind, &at.id, keeper).await?;
        // One that comes meanwhile is about whom this was about before.
        let rows = followers.iter().map(|one| one.rid).collect();
        set.conditions.push(call.store.followed_by(&at.kind, &at.id, keeper, rows).await?);
        for old in followers {
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
            places.push((at.clone(), keeper));
            let draft = Draft { at, text: body.to_vec(), resource, notebook: None };
            found.push((draft, old));
        }
    }
    for (draft, old) in found {
        set.puts.extend(follower(call, &draft, &old, &now, &pending).await?);
    }
    Ok(())
}

/// Draws what came before them after records that are there now. They are written: what
/// fails here is told to the log.
pub(crate) async fn drawn(call: &Call<'_>, came: Vec<Moved>) {
    if !came.is_empty()
        && let Err(error) = draw(call, &came).await
    {
        tracing::error!(%error, "what came before a record does not follow it until one of them is written again");
    }
}

async fn draw(call: &Call<'_>, came: &[Moved]) -> Result<(), Error> {
    for _ in 0..TRIES {
        let mut set = WriteSet::default();
        followers(call, came.to_vec(), &Pending::default(), &HashSet::new(), &mut set).await?;
        if set.puts.is_empty() {
            return Ok(());
        }
        if call.commit(set).await?.is_ok() {
            return Ok(());
        }
    }
    Err(Error::Store(StoreError::Busy))
}

const TRIES: usize = 8;

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
