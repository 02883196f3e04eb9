//! What a record is found by: its index rows, from its body to numbers.
//!
//! The rows of what is written and of what is stored are made here alike, so that an index
//! made anew says what it said.

use std::collections::BTreeSet;

use techo_profiles::json::Json;

use super::redact::{named, nameless};
use super::{Error, Issue};
use crate::app::App;
use crate::consent::listed::listed;
use crate::consent::stance::Stance;
use crate::consent::subject::{FOLLOWING, Subjects};
use crate::consent::view::CitizenKey;
use crate::consent::write::Keeping;
use crate::search::index::{self, IndexError};
use crate::search::own::STAMPED;
use crate::search::row::{Cell, Extracted, Row};
use crate::search::words::{self, Words};
use crate::store::StoreError;
use crate::store::dictionary::{Dictionary, Wanted};
use crate::store::index::IndexRow;
use crate::store::people::{ACTOR_ANY, FOLLOWED};
use crate::store::reader::Stored;

impl App {
    /// The index rows of a resource, before numbers.
    pub fn extract(&self, kind: &str, resource: &Json) -> Result<Extracted, Error> {
        let id = resource.str("id").unwrap_or_default();
        self.extract_at((kind, id), resource, self.catalog().generation())
    }

    /// The same, as of a generation of this installation's search parameters.
    ///
    /// * `id`: which the record has, whatever its body says before it is written.
    pub(super) fn extract_at(
        &self,
        (kind, id): (&str, &str),
        resource: &Json,
        generation: i64,
    ) -> Result<Extracted, Error> {
        let mut extracted = index::extract(self.definitions, kind, resource, &self.local_at(generation))
            .map_err(|error| unindexed(kind, &error))?;
        extracted.rows.extend(self.own_index((kind, id), resource, generation)?);
        if kind == "Consent" {
            extracted.rows.extend(self.actors(resource.get("provision")));
        }
        if FOLLOWING.contains(&kind) {
            extracted.rows.extend(self.followed(resource));
        }
        let base = self.config.fhir_base();
        extracted.words = words::of(self.definitions, kind, resource, &named(resource, &base));
        extracted.listed = listed(resource, &base).into_iter().map(|(kind, id)| (kind.into(), id.into())).collect();
        Ok(extracted)
    }

    /// The rows by this installation's parameters. Their author may write any expression, so
    /// it finds only what nobody loses who sees the record.
    fn own_index(&self, (kind, id): (&str, &str), resource: &Json, generation: i64) -> Result<Vec<Row>, Error> {
        if self.catalog().own().is_empty() {
            return Ok(Vec::new());
        }
        let left = nameless(resource, &self.config.fhir_base(), &|_, _| true);
        let left = identified(left.unwrap_or_else(|| resource.clone()), id);
        index::extract_own(self.definitions, kind, &left, &self.local_at(generation))
            .map_err(|error| unindexed(kind, &error))
    }

    /// What a resource is about by others, so that it is found when they change.
    fn followed(&self, resource: &Json) -> Vec<Row> {
        let row = |reference: &str| {
            let (kind, id) = reference.split_once('/')?;
            let kind = self.definitions.type_number(kind)?;
            Some(Row { param: FOLLOWED.into(), grp: 0, cell: Cell::Reference { kind, id: id.into() } })
        };
        let subjects = Subjects::of(resource, &self.config.fhir_base());
        subjects.through.iter().filter_map(|reference| row(reference)).collect()
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
        let extracted = self.extract_at((kind, &stored.id), &resource, stored.rules)?;
        let mut rows = self.index_rows(kind, (&stored.id, &extracted, &subjects)).await?;
        let keeping = Keeping { custodian: stored.custodian, custody: stored.custody };
        rows.extend(self.effect_rows(&resource, keeping, &subjects).await?);
        Ok(rows)
    }

    /// What a Consent in force says, as rows: one for each who may have given it. No other
    /// type has any.
    pub(super) async fn effect_rows(
        &self,
        resource: &Json,
        keeping: Keeping,
        subjects: &[CitizenKey],
    ) -> Result<Vec<IndexRow>, Error> {
        let consent = Some(resource).filter(|resource| resource.str("resourceType") == Some("Consent"));
        let stance = consent.and_then(|consent| Stance::of(consent, keeping.filer(), &self.config.zone));
        let Some(stance) = stance else { return Ok(Vec::new()) };
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

    /// Index rows with their numbers; what had none yet gets one.
    ///
    /// * `of`: the record's id, what was extracted from its body, and its subjects.
    pub async fn index_rows(&self, kind: &str, of: (&str, &Extracted, &[CitizenKey])) -> Result<Vec<IndexRow>, Error> {
        let (id, extracted, subjects) = of;
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
        // By whom the record names, whether she is there or comes later. She is in her own.
        let mut patients: BTreeSet<&str> = extracted.clinical.compartment.iter().map(|id| &**id).collect();
        patients.extend((kind == "Patient").then_some(id));
        let member = |patient: &str| IndexRow::Compartment { patient: patient.to_owned(), kind: number };
        rows.extend(patients.into_iter().map(member));
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
        rows.extend(extracted.listed.iter().map(|(kind, id)| {
            // What is of a type that is none is nowhere.
            let kind = self.definitions.type_number(kind).and_then(|number| i16::try_from(number).ok());
            IndexRow::Listed { kind: kind.unwrap_or(-1), id: (**id).to_owned() }
        }));
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
        let rows = self.own_index((kind, &stored.id), resource, generation)?;
        let extracted = Extracted { rows, ..Extracted::default() };
        let dictionary = self.store.dictionary();
        dictionary.intern(self.store.db(), wanted(dictionary, &extracted)).await?;
        let missing = || Error::Internal("a text has no number".into());
        extracted.rows.iter().map(|row| numbered(dictionary, row).ok_or_else(missing)).collect()
    }
}

impl App {
    /// Refuses what would cost more than [`MOST_ROWS`]. Asked of what is written, never of
    /// what is stored: that can be changed as long as it does not grow, deleted and indexed anew.
    ///
    /// * `subjects`: how many patients it is about.
    /// * `old`: the version before. It is measured as the new one is, whatever the epoch of
    ///   its rows.
    pub(super) async fn bounded(
        &self,
        kind: &str,
        extracted: &Extracted,
        subjects: usize,
        old: Option<&Stored>,
    ) -> Result<(), Error> {
        let cost = cost(extracted, subjects);
        if cost <= MOST_ROWS {
            return Ok(());
        }
        let before = match old {
            Some(old) => self.cost_before(kind, old).await?,
            None => 0,
        };
        if cost > before { Err(too_many_parts(kind.to_owned())) } else { Ok(()) }
    }

    /// What a stored version would cost if it was written today; nothing where that cannot
    /// be told.
    async fn cost_before(&self, kind: &str, old: &Stored) -> Result<usize, Error> {
        let resource = match old.json() {
            Ok(Some(resource)) => resource,
            Ok(None) | Err(StoreError::Corrupt { column: "body", .. }) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let subjects = self.store.subjects_of(old).await?;
        match self.extract(kind, &resource) {
            Ok(extracted) => Ok(cost(&extracted, subjects.len())),
            Err(Error::Unprocessable(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// A body as any expression meets it, before it is written and after: with its id, without
/// what the write puts into its `meta`, and these in one place.
fn identified(mut resource: Json, id: &str) -> Json {
    let mut meta = resource.remove("meta");
    if let Some(meta) = &mut meta {
        for name in STAMPED {
            meta.remove(name);
        }
    }
    resource.remove("id");
    resource.set("id", Json::from(id));
    if let Some(meta) = meta.filter(|meta| !meta.members().is_empty()) {
        resource.set("meta", meta);
    }
    resource
}

/// What it costs to write a resource, in index rows, before any of them is made: a text
/// is one row of any length, and counts as its length.
fn cost(extracted: &Extracted, subjects: usize) -> usize {
    let Extracted { rows, clinical, words, contained, listed } = extracted;
    // A clinical code has a row for each subject.
    let clinical = clinical.codes.len().saturating_mul(subjects).saturating_add(clinical.compartment.len());
    let words = (words.narrative.len() + words.content.len()) / WORDS_A_ROW + words.named.len();
    [rows.len(), clinical, words, contained.len(), listed.len(), subjects].into_iter().fold(0, usize::saturating_add)
}

/// Index rows that one resource may come to: enough for a code system of tens of
/// thousands of codes, and written within a second or two.
const MOST_ROWS: usize = 50_000;
/// Bytes of words that are written in the time of one row.
const WORDS_A_ROW: usize = 256;

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

/// Rows that stay even when the record is deleted: they decide who may know.
pub(super) fn subject_rows(subjects: &[CitizenKey]) -> Vec<IndexRow> {
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

/// As a database gives it back: a zero has no sign there.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
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
        Cell::Number { low, high } => IndexRow::Number { param, low: bits(*low), high: bits(*high), grp },
        Cell::Quantity(cell) => IndexRow::Quantity {
            param,
            unit: dictionary.code(&cell.unit.system, &cell.unit.code)?,
            low: bits(cell.low),
            high: bits(cell.high),
            grp,
            canonical: (
                dictionary.code(&cell.canonical_unit.system, &cell.canonical_unit.code)?,
                bits(cell.canonical_low),
                bits(cell.canonical_high),
            ),
        },
        Cell::Uri(value) => IndexRow::Uri { param, value: (**value).to_owned(), grp },
        Cell::Reference { kind, id } => {
            IndexRow::Reference { param, kind: i16::try_from(*kind).ok()?, id: (**id).to_owned(), grp }
        }
    })
}
