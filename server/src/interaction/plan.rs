//! A body → a [`Put`]: read, validated, authorized, indexed, outside the writer.
//!
//! Every path that stores something goes through [`Draft`]: create, update,
//! the entries of a transaction, and the importers.

use std::collections::HashSet;

use techo_profiles::json::{Json, Place};

use super::audit::RENDERED;
pub use super::body::{parse, parse_either, parse_xml};
use super::follow::Pending;
use super::{Call, Error, Issue, Location, guard, parameter};
use crate::app::App;
use crate::app::rules::planned;
use crate::consent::caller::Action;
use crate::consent::listed::lists;
use crate::consent::subject::Subjects;
use crate::consent::view::CitizenKey;
use crate::consent::write::Keeping;
use crate::consent::{clinical, label};
use crate::search::row::Extracted;
use crate::store::WriteSet;
use crate::store::facts::{Facts, LISTS, Role, labels, together};
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::write::{Ground, Method, Put};

/// A resource that is to be stored.
#[derive(Debug)]
pub struct Draft {
    /// Where.
    pub at: Location,
    /// The text as received.
    pub text: Vec<u8>,
    /// The text, parsed.
    pub resource: Json,
    /// The notebook's kind, as the importer that made it says; a client's own tag
    /// never counts: whoever could choose the kind could choose who sees it.
    pub notebook: Option<u8>,
}

/// The patients that a draft is about, as the store knows them.
#[derive(Debug, Default)]
pub struct About {
    /// Those in a subject role (`consent.md` §4.5); `None` where there is no such Patient.
    pub subjects: Vec<(String, Option<Citizen>)>,
    /// By which stored records that is told.
    pub rests: Vec<Ground>,
}

impl Draft {
    /// Reads and validates a body.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the place of every fault.
    pub fn read(app: &App, kind: &str, id: String, mut text: Vec<u8>) -> Result<Self, Error> {
        // A byte order mark is let pass at the beginning of a text (RFC 8259 §8.1); what
        // is stored goes into the middle of others.
        if text.starts_with(b"\xef\xbb\xbf") {
            text.drain(..3);
        }
        let resource = parse(&text)?;
        Self::checked(app, kind, id, text, resource)
    }

    /// What this server made itself: it is written once, and not read again.
    ///
    /// # Errors
    /// As for [`Draft::read`].
    pub fn made(app: &App, kind: &str, id: String, mut resource: Json) -> Result<Self, Error> {
        let text = resource.written().into_bytes();
        Self::checked(app, kind, id, text, resource)
    }

    fn checked(app: &App, kind: &str, id: String, text: Vec<u8>, resource: Json) -> Result<Self, Error> {
        app.validated(&text, &resource)?;
        let named = resource.str("resourceType").unwrap_or_default();
        if named != kind {
            return Err(Error::Invalid(vec![
                Issue::error(
                    "invalid",
                    format!("The body is a {named}, the URL says {kind}."),
                    format!("本文は {named} ですが、URL は {kind} です。"),
                )
                .at("resourceType"),
            ]));
        }
        guard::no_individual_number(kind, &id, &resource)?;
        parameter::check(app, kind, &id, &resource)?;
        Ok(Self { at: Location { kind: kind.to_owned(), id }, text, resource, notebook: None })
    }

    /// An importer knows what its file is: its own tag counts.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        self.notebook = label::tagged(&self.resource);
        self
    }

    /// Whom it is about, for a caller: what she cannot see, it does not point at.
    pub async fn about_for(&self, call: &Call<'_>, pending: &Pending) -> Result<About, Error> {
        self.about_seen(call, Some(call), pending).await
    }

    /// Whom it is about, for the server's own work. What `pending` makes of others in the
    /// same set counts.
    pub async fn about(&self, app: &App, pending: &Pending) -> Result<About, Error> {
        self.about_seen(app, None, pending).await
    }

    async fn about_seen(&self, app: &App, call: Option<&Call<'_>>, pending: &Pending) -> Result<About, Error> {
        let subjects = Subjects::of(&self.resource, &app.config.fhir_base());
        let mut ids: Vec<String> = subjects.patients.iter().map(ToString::to_string).collect();
        if subjects.itself {
            ids = vec![self.at.id.clone()];
        }
        // Each is looked up. What is stored already is not refused.
        if call.is_some() && ids.len() + subjects.through.len() > MOST_NAMED {
            return Err(crowd(&self.at.kind));
        }
        let (theirs, rests) = through(app, call, subjects.through, pending).await?;
        ids.extend(theirs);
        ids.sort();
        ids.dedup();
        let asked: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| !pending.citizens.contains_key(*id)).collect();
        let known = app.store.citizens(&asked).await?;
        let of = |id: &String| pending.citizens.get(id).or_else(|| known.get(id)).cloned();
        Ok(About { subjects: ids.iter().map(|id| (id.clone(), of(id))).collect(), rests })
    }

    /// The put that stores this: a new record, or the next version of `old`.
    ///
    /// * `rid`: the row; that of `old` if there is one.
    pub async fn put(
        &self,
        app: &App,
        rid: i64,
        old: Option<&Stored>,
        about: &About,
        keeping: Keeping,
    ) -> Result<Put, Error> {
        let mut subjects: Vec<CitizenKey> =
            about.subjects.iter().filter_map(|(_, citizen)| citizen.as_ref().map(|one| one.key)).collect();
        if self.at.kind == "Patient" {
            subjects = vec![rid];
        }
        subjects.sort_unstable();
        subjects.dedup();
        let generation = app.catalog().generation();
        let extracted = app.extract_at((&self.at.kind, &self.at.id), &self.resource, generation)?;
        app.bounded(&self.at.kind, &extracted, subjects.len(), old).await?;
        let before = match old {
            Some(old) => app.rows_before(old).await?,
            None => Some(Vec::new()),
        };
        let sweep = before.is_none();
        let before = before.unwrap_or_default();
        let mut new = app.index_rows(&self.at.kind, (&self.at.id, &extracted, &subjects)).await?;
        new.extend(app.effect_rows(&self.resource, keeping, &subjects).await?);
        let facts = self.facts(&extracted, subjects, keeping);
        let version = old.map_or(1, |old| old.version + 1);
        let mut left = match old {
            Some(old) => app.store.subjects_of(old).await?,
            None => Vec::new(),
        };
        left.retain(|one| !facts.subjects.contains(one));
        Ok(Put {
            rid,
            kind: app.definitions.type_number(&self.at.kind).unwrap_or(0),
            id: self.at.id.clone(),
            expected: old.map(|old| old.version),
            method: if old.is_none_or(Stored::is_deleted) { Method::Create } else { Method::Update },
            body: Some(super::stamp::stamp(&self.text, &self.resource, &self.at.id, version)),
            facts,
            left,
            old: before,
            new,
            sweep,
            rules: planned(generation, old.map(|old| old.rules)),
            rests: about.rests.clone(),
        })
    }
}

/// Refuses what is about more than [`MOST_NAMED`] patients and records.
fn crowd(kind: &str) -> Error {
    let text = format!("A resource may be about up to {MOST_NAMED} patients and records. Split it.");
    let text_ja = format!("1つのリソースが対象にできる患者とリソースは {MOST_NAMED} 件までです。分割してください。");
    Error::Unprocessable(vec![Issue::error("too-costly", text, text_ja).at(kind)])
}

/// As many as a transaction may have entries.
const MOST_NAMED: usize = 5000;

/// The subjects of what a resource points at (`consent.md` §4.6): a Provenance is
/// about whom its targets are about. A target that the caller cannot see counts as
/// one that is not there, or whether a write is allowed would tell of it; one that she sees
/// was looked at, whatever becomes of the write. One that is written in the same set is hers,
/// and is about whom it will be about.
async fn through(
    app: &App,
    call: Option<&Call<'_>>,
    mut references: Vec<Box<str>>,
    pending: &Pending,
) -> Result<(Vec<String>, Vec<Ground>), Error> {
    let (mut keys, mut ids, mut asked, mut rests) = (Vec::new(), Vec::new(), HashSet::new(), Vec::new());
    while let Some(reference) = references.pop() {
        if !asked.insert(reference.clone()) {
            continue;
        }
        if let Some(becomes) = pending.subjects.get(&*reference) {
            ids.extend(becomes.patients());
            references.extend(becomes.through.iter().cloned());
            continue;
        }
        let Some(at) = Location::read(&reference) else { continue };
        // In this order: what comes between the two is found, not taken for hidden.
        let (ground, theirs) = app.store.subjects_at(&at.kind, &at.id).await?;
        let seen = match call {
            Some(call) => match call.seen(&at).await? {
                Some(found) => {
                    call.looked_at(std::slice::from_ref(&found)).await?;
                    true
                }
                None => false,
            },
            None => true,
        };
        // What is hidden may change as it likes.
        if seen || ground.found.is_none() {
            keys.extend(theirs);
            rests.push(ground);
        }
    }
    ids.extend(app.store.patients(&keys).await?.into_values());
    Ok((ids, rests))
}

impl Draft {
    /// What decides about its visibility. A provision's code means any coding of
    /// the record, so all of them are labelled.
    fn facts(&self, extracted: &Extracted, subjects: Vec<CitizenKey>, keeping: Keeping) -> Facts {
        let (codings, categories) = (clinical::codings(&self.resource), clinical::categories(&self.resource));
        let codes = codings.iter().map(|(system, code)| (Role::Code, system.as_deref().unwrap_or_default(), &**code));
        let categories =
            categories.iter().map(|(system, code)| (Role::Category, system.as_deref().unwrap_or_default(), &**code));
        let mut labels = labels(codes.chain(categories));
        if lists(&self.at.kind, &extracted.listed) {
            labels = format!("{LISTS} {labels}");
        }
        if subjects.len() > 1 {
            labels = format!("{} {labels}", together(&subjects));
        }
        Facts {
            subjects,
            custodian: keeping.custodian,
            custody: keeping.custody,
            domain: label::kind_said(&self.resource, self.notebook),
            clinical: extracted.clinical.time.map(|span| span.low..span.high),
            labels,
        }
    }
}

impl App {
    /// What decides about the visibility of a stored version, told again from its
    /// body by the rules of today.
    ///
    /// * `before`: what its row says.
    /// * `imported`: an importer made it. Then its tag counts, as long as the row
    ///   took it over: a client's later tag does not.
    pub fn facts_again(&self, stored: &Stored, before: &Facts, imported: bool) -> Result<Facts, Error> {
        let Some(resource) = stored.json()? else { return Ok(before.clone()) };
        let kind = self.definitions.type_name(stored.kind).unwrap_or_default().to_owned();
        let extracted = self.extract(&kind, &resource)?;
        let notebook = label::tagged(&resource).filter(|said| imported && *said == before.domain);
        let at = Location { kind, id: stored.id.clone() };
        let keeping = Keeping { custodian: before.custodian, custody: before.custody };
        let draft = Draft { at, text: Vec::new(), resource, notebook };
        Ok(draft.facts(&extracted, before.subjects.clone(), keeping))
    }

    /// Refuses what breaks FHIR's structure.
    pub fn validated(&self, text: &[u8], resource: &Json) -> Result<(), Error> {
        let issues: Vec<Issue> = techo_profiles::validate::structure(self.definitions, &self.codes, resource)
            .into_iter()
            .filter(|issue| issue.severity == techo_profiles::validate::Severity::Error)
            .map(|issue| {
                let place = Place::of(text, issue.offset);
                let mut shown = Issue::error(issue.code.name(), issue.text_en, issue.text_ja).at(issue.expression);
                shown.place = Some((place.line, place.column));
                shown
            })
            .collect();
        if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
    }
}

/// Everything that belongs to one draft's write, beside the put itself.
pub fn companions(call: &Call<'_>, draft: &Draft, rid: i64, about: &About, set: &mut WriteSet) {
    if draft.at.kind == "Patient" {
        set.extras.push(call.store.new_citizen(rid));
    }
    if draft.at.kind == "Consent" {
        for citizen in about.subjects.iter().filter_map(|(_, citizen)| citizen.as_ref()) {
            set.extras.push(call.store.consent_changed(citizen.key));
        }
        if draft.resource.str("status") != Some("active") {
            set.extras.push(call.store.end_grants_of(&draft.at.id, call.now));
        }
    }
}

impl Call<'_> {
    /// Refuses with 403 what the token's scopes never allow, before anything is looked up.
    pub fn may(&self, action: Action, kind: &str) -> Result<(), Error> {
        use crate::consent::gate::Access;
        match self.view.may(action, kind) {
            Access::Yes => Ok(()),
            Access::No if RENDERED.contains(&kind) && !matches!(action, Action::Read | Action::Search) => {
                Err(Error::Forbidden(Issue::error(
                    "forbidden",
                    format!("{kind} is written by the server alone: no scope allows this."),
                    format!("{kind} はサーバーだけが記録します。この操作を許すスコープはありません。"),
                )))
            }
            Access::No => Err(Error::Forbidden(Issue::error(
                "forbidden",
                format!("The access token does not allow this with {kind}. Ask for a scope that does."),
                format!(
                    "このアクセストークンでは {kind} に対するこの操作はできません。必要なスコープを申請してください。"
                ),
            ))),
        }
    }

    /// Whether what is at this place is there for the caller.
    pub(super) async fn sees(&self, at: &Location) -> Result<bool, Error> {
        for action in [Action::Read, self.action] {
            if self.there(at, action).await?.is_some_and(|found| !found.is_deleted()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is at this place for the caller, if only that it was there: what she may read, or
    /// where she may do what she is doing here. Who may add documents need not be able to
    /// read them.
    async fn seen(&self, at: &Location) -> Result<Option<Stored>, Error> {
        match self.there(at, Action::Read).await? {
            Some(found) => Ok(Some(found)),
            None => self.there(at, self.action).await,
        }
    }

    async fn there(&self, at: &Location, action: Action) -> Result<Option<Stored>, Error> {
        let view = self.view_for(action);
        Ok(self.store.reader(&view).current(&at.kind, &at.id).await?)
    }

    /// The name of a type by its number.
    pub fn type_name(&self, number: u16) -> String {
        self.definitions.type_name(number).unwrap_or_default().to_owned()
    }
}
