//! A body → a [`Put`]: read, validated, authorized, indexed, outside the writer.
//!
//! Every path that stores something goes through [`Draft`]: create, update,
//! the entries of a transaction, and the importers.

use std::collections::{BTreeSet, HashMap};

use techo_profiles::json::{Json, Place};

pub use super::body::{parse, parse_either, parse_xml};
use super::redact::named;
use super::{Call, Error, Issue, Location, guard, parameter};
use crate::app::App;
use crate::app::rules::planned;
use crate::consent::caller::Action;
use crate::consent::listed::listed;
use crate::consent::stance::Stance;
use crate::consent::subject::Subjects;
use crate::consent::view::CitizenKey;
use crate::consent::write::Keeping;
use crate::consent::{clinical, label};
use crate::search::index::{self, IndexError};
use crate::search::row::{Cell, Extracted, Row};
use crate::search::words::{self, Words};
use crate::store::dictionary::{Dictionary, Wanted};
use crate::store::facts::{Facts, LISTS, Role, labels, together};
use crate::store::index::IndexRow;
use crate::store::people::{ACTOR_ANY, Citizen};
use crate::store::reader::Stored;
use crate::store::write::{Method, Put};
use crate::store::{StoreError, WriteSet};

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
    pub async fn about_for(&self, call: &Call<'_>, pending: &HashMap<String, Citizen>) -> Result<About, Error> {
        self.about_seen(call, Some(call), pending).await
    }

    /// Whom it is about, for the server's own work. A Patient that `pending`
    /// creates in the same set counts.
    pub async fn about(&self, app: &App, pending: &HashMap<String, Citizen>) -> Result<About, Error> {
        self.about_seen(app, None, pending).await
    }

    async fn about_seen(
        &self,
        app: &App,
        call: Option<&Call<'_>>,
        pending: &HashMap<String, Citizen>,
    ) -> Result<About, Error> {
        let subjects = Subjects::of(&self.resource, &app.config.fhir_base());
        let mut ids: Vec<String> = subjects.patients.iter().map(ToString::to_string).collect();
        if subjects.itself {
            ids = vec![self.at.id.clone()];
        }
        ids.extend(through(app, call, &subjects.through).await?);
        ids.sort();
        ids.dedup();
        let asked: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !pending.contains_key(*id)).collect();
        let known = app.store.citizens(&asked).await?;
        let of = |id: &String| pending.get(id).or_else(|| known.get(id)).cloned();
        Ok(About { subjects: ids.iter().map(|id| (id.clone(), of(id))).collect() })
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
        let extracted = app.extract_at(&self.at.kind, &self.resource, generation)?;
        let before = match old {
            Some(old) => app.rows_before(old).await?,
            None => Some(Vec::new()),
        };
        let sweep = before.is_none();
        let before = before.unwrap_or_default();
        bounded(&self.at.kind, &extracted, subjects.len(), before.len())?;
        let mut new = app.index_rows(&self.at.kind, (rid, &extracted, &subjects), about).await?;
        new.extend(app.beside(&self.resource, &subjects).await?);
        let facts = self.facts(&extracted, subjects, keeping, &app.config.fhir_base());
        let version = old.map_or(1, |old| old.version + 1);
        Ok(Put {
            rid,
            kind: app.definitions.type_number(&self.at.kind).unwrap_or(0),
            id: self.at.id.clone(),
            expected: old.map(|old| old.version),
            method: if old.is_none_or(Stored::is_deleted) { Method::Create } else { Method::Update },
            body: Some(super::stamp::stamp(&self.text, &self.resource, &self.at.id, version)),
            facts,
            old: before,
            new,
            sweep,
            rules: planned(generation, old.map(|old| old.rules)),
        })
    }
}

/// The subjects of what a resource points at (`consent.md` §4.6): a Provenance is
/// about whom its targets are about. A target that the caller cannot see counts as
/// one that is not there, or whether a write is allowed would tell of it.
async fn through(app: &App, call: Option<&Call<'_>>, references: &[Box<str>]) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    for at in references.iter().filter_map(|reference| Location::read(reference)) {
        let seen = match call {
            Some(call) => call.sees(&at).await?,
            None => true,
        };
        if seen {
            keys.extend(app.store.subjects_at(&at.kind, &at.id).await?);
        }
    }
    Ok(app.store.patients(&keys).await?.into_values().collect())
}

impl Draft {
    /// What decides about its visibility. A provision's code means any coding of
    /// the record, so all of them are labelled.
    ///
    /// * `base`: this server's own.
    fn facts(&self, extracted: &Extracted, subjects: Vec<CitizenKey>, keeping: Keeping, base: &str) -> Facts {
        let (codings, categories) = (clinical::codings(&self.resource), clinical::categories(&self.resource));
        let codes = codings.iter().map(|(system, code)| (Role::Code, system.as_deref().unwrap_or_default(), &**code));
        let categories =
            categories.iter().map(|(system, code)| (Role::Category, system.as_deref().unwrap_or_default(), &**code));
        let mut labels = labels(codes.chain(categories));
        if !listed(&self.resource, base).is_empty() {
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

/// Refuses what would come to more than [`MOST_ROWS`]. Asked of what is written, never of
/// what is stored: that can be changed as long as it does not grow, deleted and indexed anew.
///
/// * `before`: index rows of the version before.
fn bounded(kind: &str, extracted: &Extracted, subjects: usize, before: usize) -> Result<(), Error> {
    // A clinical code has a row for each subject.
    let clinical = extracted.clinical.codes.len().saturating_mul(subjects);
    let rows = extracted.rows.len().saturating_add(clinical);
    if rows > MOST_ROWS.max(before) { Err(too_many_parts(kind.to_owned())) } else { Ok(()) }
}

/// Index rows that one resource may come to: enough for a code system of tens of
/// thousands of codes, and written within a second or two.
const MOST_ROWS: usize = 50_000;

/// That a resource has too many parts is its sender's doing; that it does not fit the
/// definitions, though it was validated, is not.
fn unindexed(kind: &str, error: &IndexError) -> Error {
    let at = match error {
        IndexError::ManyContained(_) => format!("{kind}.contained"),
        IndexError::TooMany(_) => kind.to_owned(),
        other => return Error::Internal(format!("index of {kind}: {other}")),
    };
    too_many_parts(at)
}

fn too_many_parts(at: String) -> Error {
    let text = "The resource has more parts than can be indexed. Split it.";
    let text_ja = "リソースの要素が多すぎて索引にできません。分割してください。";
    Error::Unprocessable(vec![Issue::error("too-costly", text, text_ja).at(at)])
}

impl App {
    /// The index rows of a resource, before numbers.
    pub fn extract(&self, kind: &str, resource: &Json) -> Result<Extracted, Error> {
        self.extract_at(kind, resource, self.catalog().generation())
    }

    /// The same, as of a generation of this installation's search parameters.
    fn extract_at(&self, kind: &str, resource: &Json, generation: i64) -> Result<Extracted, Error> {
        let mut extracted = index::extract(self.definitions, kind, resource, &self.local_at(generation))
            .map_err(|error| unindexed(kind, &error))?;
        if kind == "Consent" {
            extracted.rows.extend(self.actors(resource.get("provision")));
        }
        let base = self.config.fhir_base();
        extracted.words = words::of(self.definitions, kind, resource, &|json| named(json, &base));
        Ok(extracted)
    }

    /// Every actor that a provision names at any depth, and `*` for a provision that
    /// names none: by these rows a Consent is found for whoever it may concern. R4's
    /// own parameter `actor` covers the outermost provision only.
    fn actors(&self, provision: Option<&Json>) -> impl Iterator<Item = Row> {
        let mut found = BTreeSet::new();
        if let Some(provision) = provision {
            self.add_actors(provision, &mut found);
        }
        let row = |(kind, id)| Row { param: ACTOR_ANY.into(), grp: 0, cell: Cell::Reference { kind, id } };
        found.into_iter().map(row)
    }

    fn add_actors(&self, provision: &Json, found: &mut BTreeSet<(u16, Box<str>)>) {
        let mut names_one = false;
        for actor in provision.list("actor") {
            let reference = actor.at(&["reference", "reference"]).and_then(Json::as_str);
            if let Some((kind, id)) = reference.and_then(|text| text.split_once('/'))
                && let Some(kind) = self.definitions.type_number(kind)
            {
                names_one = true;
                found.insert((kind, id.into()));
            }
        }
        if !names_one {
            found.insert((0, "*".into()));
        }
        provision.list("provision").iter().for_each(|nested| self.add_actors(nested, found));
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

    /// The index rows of a version that is replaced; `None` if they cannot be told from its
    /// body, and are to be found by a scan: they are of an older epoch, or it makes no sense.
    pub(super) async fn rows_before(&self, old: &Stored) -> Result<Option<Vec<IndexRow>>, Error> {
        if old.epoch != self.store.epoch() {
            return Ok(None);
        }
        match self.rows_of(old).await {
            Err(Error::Store(StoreError::Corrupt { column: "body", .. })) => Ok(None),
            rows => rows.map(Some),
        }
    }

    /// The index rows of a stored version, extracted again from its body.
    pub async fn rows_of(&self, stored: &Stored) -> Result<Vec<IndexRow>, Error> {
        let subjects = self.store.subjects_of(stored).await?;
        let Some(resource) = stored.json()? else { return Ok(subject_rows(&subjects)) };
        let kind = self.definitions.type_name(stored.kind).unwrap_or_default();
        let extracted = self.extract_at(kind, &resource, stored.rules)?;
        let mut rows = self.index_rows(kind, (stored.rid, &extracted, &subjects), &About::default()).await?;
        rows.extend(self.beside(&resource, &subjects).await?);
        Ok(rows)
    }

    /// Rows that are not for searching: what decides about others' records, or about this one's.
    async fn beside(&self, resource: &Json, subjects: &[CitizenKey]) -> Result<Vec<IndexRow>, Error> {
        let mut rows = self.listed_rows(resource);
        if resource.str("resourceType") == Some("Consent") {
            rows.extend(self.effect_rows(resource, subjects).await?);
        }
        Ok(rows)
    }

    /// What a Consent in force says, as rows: one for each who may have given it.
    async fn effect_rows(&self, consent: &Json, subjects: &[CitizenKey]) -> Result<Vec<IndexRow>, Error> {
        let Some(stance) = Stance::of(consent, &self.config.zone) else { return Ok(Vec::new()) };
        let key = self.store.stance(&stance).await?;
        let givers = subjects.iter().flat_map(|citizen| stance.givers.iter().map(move |giver| (*citizen, giver)));
        let row = |(citizen, giver): (i64, &String)| IndexRow::Effect {
            citizen,
            stance: key,
            giver: giver.clone(),
            since: stance.since,
            until: stance.until,
            days: stance.days,
        };
        Ok(givers.map(row).collect())
    }

    /// What a resource lists, as index rows.
    fn listed_rows(&self, resource: &Json) -> Vec<IndexRow> {
        let number = |kind| i16::try_from(self.definitions.type_number(kind)?).ok();
        let places = listed(resource, &self.config.fhir_base());
        places
            .into_iter()
            .filter_map(|(kind, id)| Some(IndexRow::Listed { kind: number(kind)?, id: id.to_owned() }))
            .collect()
    }

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
        Ok(draft.facts(&extracted, before.subjects.clone(), keeping, &self.config.fhir_base()))
    }

    /// Index rows with their numbers; what had none yet gets one.
    ///
    /// * `of`: the row, what was extracted from its body, and its subjects.
    /// * `about`: patients whose keys are known, those of the same write among them:
    ///   the store does not have these yet.
    pub async fn index_rows(
        &self,
        kind: &str,
        of: (i64, &Extracted, &[CitizenKey]),
        about: &About,
    ) -> Result<Vec<IndexRow>, Error> {
        let (rid, extracted, subjects) = of;
        let dictionary = self.store.dictionary();
        let missing = || Error::Internal("a text has no number".into());
        // Nearly always all of it is known.
        let (mut rows, codes) = match all_numbered(dictionary, extracted) {
            Some(known) => known,
            None => {
                dictionary.intern(self.store.db(), wanted(dictionary, extracted)).await?;
                all_numbered(dictionary, extracted).ok_or_else(missing)?
            }
        };
        rows.extend(subject_rows(subjects));
        let number = i16::try_from(self.definitions.type_number(kind).unwrap_or(0)).unwrap_or(0);
        let pairs = about.subjects.iter().filter_map(|(id, citizen)| Some((id.as_str(), citizen.as_ref()?.key)));
        let keys: HashMap<&str, CitizenKey> = pairs.collect();
        let known = |id: &str| keys.get(id).copied();
        let ids: Vec<&str> = extracted.clinical.compartment.iter().map(|id| &**id).collect();
        let mut members: Vec<CitizenKey> = ids.iter().filter_map(|id| known(id)).collect();
        let others: Vec<&str> = ids.into_iter().filter(|id| known(id).is_none()).collect();
        members.extend(self.store.compartments(&others).await?);
        if kind == "Patient" {
            members.push(rid);
        }
        members.sort_unstable();
        members.dedup();
        rows.extend(members.into_iter().map(|citizen| IndexRow::Compartment { citizen, kind: number }));
        let at = extracted.clinical.time.map_or(i64::MIN, |span| span.low);
        for code in codes {
            rows.extend(subjects.iter().map(|citizen| IndexRow::Clinical {
                citizen: *citizen,
                kind: number,
                code,
                at,
            }));
        }
        rows.extend(self.word_rows(&extracted.words));
        for held in &extracted.contained {
            rows.push(IndexRow::Contained {
                place: i32::try_from(held.place).map_err(|_| missing())?,
                kind: i16::try_from(held.kind).map_err(|_| missing())?,
                id: (*held.id).to_owned(),
                holder: number,
            });
        }
        Ok(rows)
    }

    fn word_rows(&self, words: &Words) -> Vec<IndexRow> {
        let Words { narrative, content, named } = words;
        // What is named of a type that is none can be seen by nobody.
        let number =
            |kind| self.definitions.type_number(kind).and_then(|number| i16::try_from(number).ok()).unwrap_or(-1);
        let named = named.iter().map(|(kind, id)| IndexRow::Named { kind: number(kind), id: (**id).to_owned() });
        let mut rows: Vec<IndexRow> = named.collect();
        if !(narrative.is_empty() && content.is_empty()) {
            rows.push(IndexRow::Words { narrative: narrative.clone(), content: content.clone() });
        }
        rows
    }
}

impl App {
    /// The index rows of a stored version by this installation's search parameters
    /// alone, as of a generation.
    pub async fn own_rows(&self, stored: &Stored, resource: &Json, generation: i64) -> Result<Vec<IndexRow>, Error> {
        let kind = self.definitions.type_name(stored.kind).unwrap_or_default();
        let rows = index::extract_own(self.definitions, kind, resource, &self.local_at(generation))
            .map_err(|error| unindexed(kind, &error))?;
        let extracted = Extracted { rows, ..Extracted::default() };
        let dictionary = self.store.dictionary();
        dictionary.intern(self.store.db(), wanted(dictionary, &extracted)).await?;
        let missing = || Error::Internal("a text has no number".into());
        extracted.rows.iter().map(|row| numbered(dictionary, row).ok_or_else(missing)).collect()
    }
}

/// Rows that stay even when the record is deleted: they decide who may know.
pub fn subject_rows(subjects: &[CitizenKey]) -> Vec<IndexRow> {
    match subjects {
        [] | [_] => Vec::new(),
        several => several.iter().map(|citizen| IndexRow::Subject { citizen: *citizen }).collect(),
    }
}

fn wanted<'a>(dictionary: &'a Dictionary, extracted: &Extracted) -> Wanted<'a> {
    let mut wanted = dictionary.wanted();
    for row in &extracted.rows {
        wanted.parameter(&row.param);
        match &row.cell {
            Cell::Token { system, code } => wanted.code(system, code),
            Cell::Identifier { system, .. } => wanted.system(system),
            Cell::Quantity(cell) => {
                for unit in [&cell.unit, &cell.canonical_unit] {
                    wanted.code(&unit.system, &unit.code);
                }
            }
            Cell::String { .. } | Cell::Date { .. } | Cell::Number { .. } | Cell::Uri(_) | Cell::Reference { .. } => {}
        }
    }
    for coding in &extracted.clinical.codes {
        wanted.code(&coding.system, &coding.code);
    }
    wanted
}

/// Index rows and clinical codes with their numbers; `None` where one has none yet.
fn all_numbered(dictionary: &Dictionary, extracted: &Extracted) -> Option<(Vec<IndexRow>, Vec<i64>)> {
    let codes = extracted.clinical.codes.iter().map(|coding| dictionary.code(&coding.system, &coding.code));
    let mut rows = Vec::with_capacity(extracted.rows.len() + 16);
    for row in &extracted.rows {
        rows.push(numbered(dictionary, row)?);
    }
    Some((rows, codes.collect::<Option<_>>()?))
}

fn numbered(dictionary: &Dictionary, row: &Row) -> Option<IndexRow> {
    let param = dictionary.parameter(&row.param)?;
    let grp = i32::try_from(row.grp).ok()?;
    Some(match &row.cell {
        Cell::Token { system, code } => IndexRow::Token { param, code: dictionary.code(system, code)?, grp },
        Cell::Identifier { system, value } => {
            IndexRow::Ident { param, value: (**value).to_owned(), system: dictionary.system(system)?, grp }
        }
        Cell::String { folded, original } => {
            IndexRow::String { param, folded: (**folded).to_owned(), grp, original: (**original).to_owned() }
        }
        Cell::Date { low, high } => IndexRow::Date { param, low: *low, high: *high, grp },
        Cell::Number { low, high } => IndexRow::Number { param, low: low.to_bits(), high: high.to_bits(), grp },
        Cell::Quantity(cell) => IndexRow::Quantity {
            param,
            unit: dictionary.code(&cell.unit.system, &cell.unit.code)?,
            low: cell.low.to_bits(),
            high: cell.high.to_bits(),
            grp,
            canonical: (
                dictionary.code(&cell.canonical_unit.system, &cell.canonical_unit.code)?,
                cell.canonical_low.to_bits(),
                cell.canonical_high.to_bits(),
            ),
        },
        Cell::Uri(value) => IndexRow::Uri { param, value: (**value).to_owned(), grp },
        Cell::Reference { kind, id } => {
            IndexRow::Reference { param, kind: i16::try_from(*kind).ok()?, id: (**id).to_owned(), grp }
        }
    })
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
            Access::No => Err(Error::Forbidden(Issue::error(
                "forbidden",
                format!("The access token does not allow this with {kind}. Ask for a scope that does."),
                format!(
                    "このアクセストークンでは {kind} に対するこの操作はできません。必要なスコープを申請してください。"
                ),
            ))),
        }
    }

    /// Whether the caller may read what is at this place, or do there what she is
    /// doing here: who may add documents need not be able to read them.
    pub(super) async fn sees(&self, at: &Location) -> Result<bool, Error> {
        for action in [Action::Read, self.action] {
            let view = self.view_for(action);
            if self.store.reader(&view).current(&at.kind, &at.id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The name of a type by its number.
    pub fn type_name(&self, number: u16) -> String {
        self.definitions.type_name(number).unwrap_or_default().to_owned()
    }
}
