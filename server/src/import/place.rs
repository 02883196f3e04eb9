//! Drafts → conditional writes, a Provenance, and the original kept.
//!
//! A draft is found again by the hash of its source key, and compared by the
//! hash of its content: importing twice changes nothing, a corrected value makes
//! a new version. All that one file says of one citizen is one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use techo_profiles::json::{Json, Value};
use tokio::sync::{MutexGuard, OnceCell, SemaphorePermit};

use super::draft::{self, Action, Draft as Source, Identity, Issue, Line, PersonDrafts, SUBJECT, Severity, Text};
use super::known::{Known, Memory, Then, plain, remembered};
use super::report::FileReport;
use super::run::File;
use super::{About, Custody as Keeper, Importer, compare, immunization, make};
use crate::app::App;
use crate::consent::caller::Caller;
use crate::consent::subject::SHARED;
use crate::consent::write::Keeping;
use crate::interaction::Error;
use crate::interaction::follow::Pending;
use crate::interaction::plan::{self, About as Subjects, Draft};
use crate::secret;
use crate::store::audit::{Disclosed, Kind, Layer, Outcome, Party, Record};
use crate::store::facts::Custody;
use crate::store::people::Citizen;
use crate::store::reader::Stored;
use crate::store::seal;
use crate::store::write::Extra;
use crate::store::{Refused, StoreError, WriteSet};

/// The citizen of what is about nobody.
const NOBODY: i64 = 0;
/// Times a person is placed again when another import comes between.
const TRIES: usize = 5;

/// Who imports, for whom.
#[derive(Clone, Debug)]
pub struct Carrier {
    /// Who calls: what is stored already is read as far as she may.
    pub caller: Arc<Caller>,
    /// The custodian of what is published: `Organization/org-city` and its key.
    pub organization: (String, i64),
    /// The towns under whose resident keys it may make people; empty: any.
    pub municipalities: Vec<String>,
    /// The patient whom the call names.
    pub patient: Option<Citizen>,
    /// An operator imports in its place, by the command.
    pub operator: bool,
    /// Nothing is written.
    pub dry_run: bool,
    /// Texts in Japanese.
    pub japanese: bool,
}

impl Carrier {
    /// Whether people may be made under this town's resident keys.
    fn is_of(&self, municipality: &str) -> bool {
        self.municipalities.is_empty() || self.municipalities.iter().any(|own| own == municipality)
    }
}

/// What is placed, and from where.
pub struct Placing {
    app: Arc<App>,
    carrier: Carrier,
    importer: &'static Importer,
    /// SHA-256 of each of the files, hexadecimal.
    hashes: Vec<String>,
    /// The files, unless they hold an Individual Number: then they are not kept.
    files: Vec<File>,
    /// Set when files about several citizens are kept.
    kept: OnceCell<()>,
    /// Places and institutions that a dry run has counted as made.
    counted: Mutex<HashSet<String>>,
    /// Those that were found, by custodian and key. They stay where they are.
    shared: Mutex<HashMap<(i64, String), String>>,
}

impl Placing {
    /// * `clean`: the files hold no Individual Number, and may be kept.
    pub fn new(app: &App, carrier: &Carrier, importer: &'static Importer, files: &[&File], clean: bool) -> Self {
        Self {
            app: app.shared(),
            carrier: carrier.clone(),
            importer,
            hashes: files.iter().map(|file| hex(&secret::hash(&file.bytes))).collect(),
            files: if clean { files.iter().copied().cloned().collect() } else { Vec::new() },
            kept: OnceCell::new(),
            counted: Mutex::default(),
            shared: Mutex::default(),
        }
    }
}

impl Placing {
    /// Places all that the file says of one person; what became of it.
    ///
    /// * `turn`: of those who plan; it ends when what was planned waits to be written.
    pub async fn person(&self, drafts: &PersonDrafts, turn: SemaphorePermit<'_>) -> Result<FileReport, Error> {
        let mut turn = Some(turn);
        for _ in 0..TRIES {
            let mut attempt = FileReport::new("", "");
            let Some(mut plan) = self.subject(drafts, &mut attempt).await? else { return Ok(attempt) };
            self.records(drafts, &mut plan, &mut attempt).await?;
            if self.carrier.dry_run {
                return Ok(attempt);
            }
            let record = self.audit(&plan, &attempt);
            // That all of it was there already tells of her too.
            if plan.set.puts.is_empty() && plan.set.extras.is_empty() {
                drop(turn.take());
                self.filed(record).await?;
                return Ok(attempt);
            }
            if !plan.changed.is_empty() {
                self.keep().await?;
                self.provenance(&mut plan).await?;
            }
            plan.set.extras.push(self.app.store.audit_row(self.app.audit.row(record)));
            let writing = self.app.write(std::mem::take(&mut plan.set));
            drop(turn.take());
            let written = writing.await;
            drop(plan);
            match written? {
                Ok(_) => return Ok(attempt),
                Err(Refused::Moved { .. } | Refused::Taken | Refused::Matched { .. }) => {}
            }
        }
        Err(Error::Store(StoreError::Busy))
    }

    /// Whom the drafts are about: bound by the town's key, or named by the call.
    async fn subject(&self, drafts: &PersonDrafts, report: &mut FileReport) -> Result<Option<Plan<'_>>, Error> {
        let mut plan = Plan::default();
        let source = &drafts.person;
        let (citizen, body) = match &source.identity {
            Identity::Given => match &self.carrier.patient {
                Some(citizen) => (Some(citizen.clone()), self.patient(citizen).await?),
                None => {
                    let text = Text::new(
                        "Name the patient (--patient, ?patient=).",
                        "患者を指定してください(--patient, ?patient=)。",
                    );
                    self.refuse(report, source.at, "patient-missing", text);
                    return Ok(None);
                }
            },
            Identity::Resident { municipality, number } => {
                let system = make::resident_system(municipality);
                // The key is this Organization's own: that another has bound it is neither asked
                // nor told.
                match self.app.store.bound((&system, number), self.carrier.organization.1).await? {
                    Some(key) => {
                        let patient = self.app.store.patients(&[key]).await?.remove(&key).unwrap_or_default();
                        let citizen = self.app.store.citizens(&[&patient]).await?.remove(&patient);
                        match citizen {
                            Some(citizen) => {
                                let body = self.patient(&citizen).await?;
                                (Some(citizen), body)
                            }
                            None => (None, None),
                        }
                    }
                    None if !self.carrier.is_of(municipality) => {
                        let text = Text::new(
                            "The client is not registered for this municipality (techo client add --municipality).",
                            "このクライアントはこの市区町村用に登録されていません(techo client add --municipality)。",
                        );
                        self.refuse(report, source.at, "municipality-foreign", text);
                        return Ok(None);
                    }
                    None => {
                        self.new_patient(drafts, &system, number, &mut plan, report).await?;
                        return Ok(Some(plan));
                    }
                }
            }
        };
        let Some(citizen) = citizen else {
            let text =
                Text::new("This person's record is not open to this import.", "この方の記録には取り込めません。");
            self.refuse(report, source.at, "patient-unknown", text);
            return Ok(None);
        };
        if let Some(body) = &body
            && let Some((code, text)) = compare::mismatch(source, body)
        {
            self.refuse(report, source.at, code, text);
            self.mismatched(citizen, code).await?;
            return Ok(None);
        }
        plan.citizen = Some(citizen);
        Ok(Some(plan))
    }

    /// A resident key that nobody is bound to makes a Patient of that town.
    async fn new_patient(
        &self,
        drafts: &PersonDrafts,
        system: &str,
        number: &str,
        plan: &mut Plan<'_>,
        report: &mut FileReport,
    ) -> Result<(), Error> {
        let resource = make::patient(&drafts.person, system, number);
        let id = self.app.random.id();
        let rid = self.app.store.number().await?;
        let citizen = Citizen { key: rid, patient: id.clone(), custodian: self.carrier.organization.1 };
        let draft = Draft::made(&self.app, "Patient", id, resource)?;
        let subjects =
            Subjects { subjects: vec![(citizen.patient.clone(), Some(citizen.clone()))], ..Subjects::default() };
        let keeping = Keeping { custodian: self.carrier.organization.1, custody: Custody::Published };
        plan.set.puts.push(draft.put(&self.app, rid, None, &subjects, keeping).await?);
        plan.set.extras.push(self.app.store.new_citizen(rid));
        plan.set.extras.push(self.app.store.bind((system, number), rid, self.carrier.organization.1));
        plan.changed.push(format!("Patient/{}", citizen.patient));
        FileReport::count(&mut report.created, "Patient");
        plan.citizen = Some(citizen);
        Ok(())
    }

    async fn records<'a>(
        &'a self,
        drafts: &PersonDrafts,
        plan: &mut Plan<'a>,
        report: &mut FileReport,
    ) -> Result<(), Error> {
        let Some(citizen) = plan.citizen.clone() else { return Ok(()) };
        let originals = match self.importer.about {
            About::OneCitizen => self.originals(),
            About::SeveralCitizens => Vec::new(),
        };
        // Of someone who is made here nothing can be known.
        let is_new = !plan.changed.is_empty();
        if self.importer.name == immunization::IMPORTER.name && !is_new {
            self.beside(drafts, &citizen, report).await?;
        }
        let all: Vec<&Source> = originals.iter().chain(&drafts.drafts).collect();
        let memory = self.memory(&citizen);
        let custodian = memory.keeping.custodian;
        let own: Vec<&Source> = all.iter().copied().filter(|source| !is_shared(source)).collect();
        let mut known = if is_new { HashMap::new() } else { memory.of(&own).await? };
        let mut places = self.told_before(custodian, &all);
        // Places and institutions are the publisher's, shared by all its citizens. Whoever
        // tells of one first does so alone, or two people would make it twice.
        let has_new = |places: &HashMap<String, String>| {
            let mut shared = all.iter().filter(|source| is_shared(source));
            shared.any(|source| !places.contains_key(&draft::reference_to(&source.key)))
        };
        if has_new(&places) {
            self.tell_of(custodian, &all).await?;
            places = self.told_before(custodian, &all);
        }
        if has_new(&places) {
            let first = self.app.first_telling.lock().await;
            self.tell_of(custodian, &all).await?;
            places = self.told_before(custodian, &all);
            // Someone else may have told of it meanwhile.
            plan.first = has_new(&places).then_some(first);
        }
        let mut own = Vec::new();
        for source in all {
            let reference = draft::reference_to(&source.key);
            if places.contains_key(&reference) {
                // A place or institution is what its first telling says: files differ in
                // what they say of it, and would change it in turn.
                FileReport::count(&mut report.unchanged, source.resource_type());
                continue;
            }
            let id = match known.get(&source.key).and_then(Known::before) {
                Some(stored) => stored.id.clone(),
                None => self.app.random.id(),
            };
            places.insert(reference, format!("{}/{id}", source.resource_type()));
            own.push(source);
        }
        places.insert(SUBJECT.to_owned(), format!("Patient/{}", citizen.patient));
        for source in own {
            let before = known.remove(&source.key);
            self.record(source, before, &citizen, &places, plan, report).await?;
        }
        Ok(())
    }

    /// The places and institutions among these that were found before, by reference.
    fn told_before(&self, custodian: i64, all: &[&Source]) -> HashMap<String, String> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().filter_map(|source| {
            let place = shared.get(&(custodian, source.key.clone()))?;
            Some((draft::reference_to(&source.key), place.clone()))
        });
        found.collect()
    }

    /// Looks for them, and remembers those that are there.
    async fn tell_of(&self, custodian: i64, all: &[&Source]) -> Result<(), Error> {
        let all: Vec<&Source> = all.iter().copied().filter(|source| is_shared(source)).collect();
        let found = remembered(&self.app, (custodian, NOBODY), &all, &plain).await?;
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        for source in all {
            if let Some(stored) = found.get(&source.key).and_then(|known| known.stored.as_ref()) {
                let place = format!("{}/{}", source.resource_type(), stored.id);
                shared.insert((custodian, source.key.clone()), place);
            }
        }
        Ok(())
    }

    /// Judges new doses beside those that are stored already and that the carrier may read
    /// now: a warning must not tell of a dose that a family has kept to itself.
    async fn beside(&self, drafts: &PersonDrafts, citizen: &Citizen, report: &mut FileReport) -> Result<(), Error> {
        let view = self.app.reads(&self.carrier.caller, citizen).await?;
        let stored = self.app.store.reader(&view).members_of(&citizen.patient, "Immunization").await?;
        let stored = stored.iter().filter_map(|dose| dose.json().transpose()).collect::<Result<Vec<_>, _>>()?;
        for issue in immunization::history::beside(drafts, &stored.iter().collect::<Vec<_>>()) {
            report.push(&issue, self.carrier.japanese);
        }
        Ok(())
    }

    async fn record(
        &self,
        source: &Source,
        before: Option<Known>,
        citizen: &Citizen,
        places: &HashMap<String, String>,
        plan: &mut Plan<'_>,
        report: &mut FileReport,
    ) -> Result<(), Error> {
        let kind = source.resource_type();
        let content = content(source);
        let mut resource = source.resource.clone();
        if let Some(known) = &before {
            if known.content == content {
                FileReport::count(&mut report.unchanged, kind);
                return Ok(());
            }
            if known.then == Then::Nothing {
                // Told like any correction: that she deleted it is hers.
                let key = (&*known.key, Some(known));
                plan.set.extras.extend(self.remember(source, key, known.rid, &content, citizen));
                FileReport::count(&mut report.updated, kind);
                return Ok(());
            }
            if let Some((member, code)) = source.amended {
                resource.set(member, Json::from(code));
            }
        }
        let stored = before.as_ref().and_then(Known::before);
        if source.action == Action::Withdraw {
            let Some(body) = stored.map(Stored::body).transpose()?.flatten() else {
                let text = Text::new("There is no earlier record to take back.", "取り消す元の記録が見つかりません。");
                self.refuse(report, source.at, "withdraw-unknown", text);
                return Ok(());
            };
            resource = plan::parse(body)?;
            resource.set("status", Json::from("entered-in-error"));
        }
        resolve(&mut resource, places);
        let place = &places[&draft::reference_to(&source.key)];
        let id = place.split_once('/').map(|(_, id)| id.to_owned()).unwrap_or_default();
        let draft = Draft::made(&self.app, kind, id, resource)?.tagged();
        let subjects = self.about(&draft, citizen).await?;
        let rid = match before.as_ref().filter(|known| known.then == Then::Next) {
            Some(known) => known.rid,
            None => self.app.store.number().await?,
        };
        let new = self.memory(citizen).key(&source.key);
        let key = before.as_ref().map_or((&*new, None), |known| (&*known.key, Some(known)));
        plan.set.puts.push(draft.put(&self.app, rid, stored, &subjects, self.keeping(citizen)).await?);
        plan.set.extras.extend(self.remember(source, key, rid, &content, citizen));
        plan.changed.push(place.clone());
        let first = !self.carrier.dry_run
            || !is_shared(source)
            || self.counted.lock().unwrap_or_else(PoisonError::into_inner).insert(source.key.clone());
        let counts = match (&before, first) {
            (Some(_), _) => &mut report.updated,
            (None, true) => &mut report.created,
            (None, false) => &mut report.unchanged,
        };
        FileReport::count(counts, kind);
        Ok(())
    }

    /// Whom a draft is about; what names nobody is hers, where it goes into her keeping.
    async fn about(&self, draft: &Draft, citizen: &Citizen) -> Result<Subjects, Error> {
        let citizens = HashMap::from([(citizen.patient.clone(), citizen.clone())]);
        let mut about = draft.about(&self.app, &Pending { citizens, ..Pending::default() }).await?;
        if about.subjects.is_empty() && self.keeping(citizen).custody == Custody::Returned {
            about.subjects = vec![(citizen.patient.clone(), Some(citizen.clone()))];
        }
        Ok(about)
    }

    /// Remembers what a draft has become.
    ///
    /// * `key`: of the source, and what is known by it.
    fn remember(
        &self,
        source: &Source,
        (key, before): (&[u8], Option<&Known>),
        rid: i64,
        content: &[u8],
        citizen: &Citizen,
    ) -> Vec<Extra> {
        let whose = if is_shared(source) { NOBODY } else { citizen.key };
        let before = before.map(|known| (known.rid, &*known.content));
        self.app.store.remember((self.keeping(citizen).custodian, whose), key, (rid, content), before)
    }

    /// What was placed of her before.
    fn memory<'a>(&'a self, citizen: &'a Citizen) -> Memory<'a> {
        Memory { app: &self.app, carrier: &self.carrier, citizen, keeping: self.keeping(citizen) }
    }

    /// In whose keeping the records of this import are.
    fn keeping(&self, citizen: &Citizen) -> Keeping {
        match self.importer.custody {
            Keeper::Published => Keeping { custodian: self.carrier.organization.1, custody: Custody::Published },
            Keeper::Returned => Keeping { custodian: citizen.key, custody: Custody::Returned },
        }
    }

    /// The files of one citizen, as hers: a `DocumentReference` and a Binary each.
    fn originals(&self) -> Vec<Source> {
        let mut all = Vec::new();
        for ((number, file), hash) in self.files.iter().enumerate().zip(&self.hashes) {
            let at = Line { part: number, line: 0 };
            let (binary, document) = (draft::key(&["original", hash]), draft::key(&["document", hash]));
            all.push(Source::put(binary.clone(), make::binary(&file.bytes), at));
            // Another name of the same file is no change.
            let document = Source::put(document, make::document(self.importer.name, &file.part(), hash, &binary), at);
            all.push(Source { incidental: &["content"], ..document });
        }
        all
    }

    /// Keeps files about several citizens, sealed, outside the FHIR API: before anything
    /// of them is stored, so that whatever a Provenance names is there.
    async fn keep(&self) -> Result<(), Error> {
        if self.importer.about != About::SeveralCitizens {
            return Ok(());
        }
        let keep = || async {
            for file in &self.files {
                let (app, hash) = (&self.app, secret::hash(&file.bytes));
                let place = seal::Place { table: "import_original", column: "body", row: &hash };
                let sealed = app.sealer.seal(&place, &file.bytes);
                app.store.keep_original(&hash, self.carrier.organization.1, app.clock.micros(), sealed).await?;
            }
            Ok(())
        };
        self.kept.get_or_try_init(keep).await.copied()
    }

    async fn provenance(&self, plan: &mut Plan<'_>) -> Result<(), Error> {
        let Some(citizen) = &plan.citizen else { return Ok(()) };
        // The citizen first: by her it is found.
        let own = |place: &&String| !SHARED.iter().any(|kind| place.starts_with(&format!("{kind}/")));
        let mut targets = vec![format!("Patient/{}", citizen.patient)];
        targets
            .extend(plan.changed.iter().filter(own).filter(|place| **place != targets[0]).cloned().collect::<Vec<_>>());
        let resource = make::provenance(
            &targets,
            self.app.clock.now(),
            &self.carrier.organization.0,
            &self.carrier.caller.device(),
            self.importer.name,
            &self.hashes,
        );
        let draft = Draft::made(&self.app, "Provenance", self.app.random.id(), resource)?;
        let subjects =
            Subjects { subjects: vec![(citizen.patient.clone(), Some(citizen.clone()))], ..Subjects::default() };
        let rid = self.app.store.number().await?;
        let keeping = self.keeping(citizen);
        plan.set.puts.push(draft.put(&self.app, rid, None, &subjects, keeping).await?);
        Ok(())
    }

    /// That something was imported, for her log: how many records of which type are new to
    /// it, and of which others the file spoke.
    fn audit(&self, plan: &Plan<'_>, report: &FileReport) -> Record {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for reference in &plan.changed {
            *counts.entry(reference.split('/').next().unwrap_or_default()).or_default() += 1;
        }
        for kind in report.unchanged.keys().chain(report.updated.keys()).filter(|kind| !SHARED.contains(&kind.as_str()))
        {
            counts.entry(kind).or_default();
        }
        let counts = counts.into_iter().map(|(kind, count)| (kind.into(), count)).collect();
        self.about_her(
            Record::new(self.app.clock.micros(), Kind::Import, Outcome::Success),
            plan.citizen.as_ref(),
            counts,
        )
    }

    /// Files that somebody was told that what a file says of her is not what is known of her.
    async fn mismatched(&self, citizen: Citizen, code: &'static str) -> Result<(), Error> {
        if self.carrier.dry_run {
            return Ok(());
        }
        let mut record = Record::new(self.app.clock.micros(), Kind::Import, Outcome::Refused);
        record.reason = Some(code.into());
        self.filed(self.about_her(record, Some(&citizen), Vec::new())).await
    }

    fn about_her(&self, mut record: Record, citizen: Option<&Citizen>, counts: Vec<(Box<str>, u32)>) -> Record {
        record.client = Some(Party::new(self.carrier.caller.device(), None));
        record.organization = Some(Party::new(self.carrier.organization.0.clone(), None));
        record.patients.extend(citizen.map(|citizen| Disclosed {
            layer: Some(Layer::Custodian),
            counts,
            ..Disclosed::of(citizen.key, citizen.patient.clone())
        }));
        record
    }

    async fn filed(&self, record: Record) -> Result<(), Error> {
        self.app.audit.append(record).await.map_err(|error| StoreError::Audit(error.to_string()))?;
        Ok(())
    }

    async fn patient(&self, citizen: &Citizen) -> Result<Option<Json>, Error> {
        let body = self.app.store.patient_body(citizen.key).await?;
        body.map(|body| plan::parse(&body)).transpose()
    }

    fn refuse(&self, report: &mut FileReport, at: Line, code: &'static str, text: Text) {
        let issue = Issue { at, column: None, severity: Severity::Error, code, text };
        report.push(&issue, self.carrier.japanese);
    }
}

/// What one person's placing will write.
#[derive(Default)]
struct Plan<'a> {
    /// Held from finding that a place or institution is new until it is written.
    first: Option<MutexGuard<'a, ()>>,
    citizen: Option<Citizen>,
    set: WriteSet,
    changed: Vec<String>,
}

/// A place or institution of the directory.
fn is_shared(source: &Source) -> bool {
    SHARED.contains(&source.resource_type())
}

/// The hash of what counts in a draft.
pub(super) fn content(source: &Source) -> Vec<u8> {
    let amended = source.amended.map(|(member, _)| member);
    let counts = |name: &str| !source.incidental.contains(&name) && amended != Some(name);
    let mut text = String::from(if source.action == Action::Withdraw { "withdraw {" } else { "put {" });
    let members = source.resource.members().iter().filter(|member| counts(&member.name));
    for (number, member) in members.enumerate() {
        let comma = if number > 0 { "," } else { "" };
        text.extend([comma, "\"", &*member.name, "\":"]);
        member.value.write_to(&mut text);
    }
    text.push('}');
    secret::hash(text.as_bytes()).to_vec()
}

/// Puts real references in the place of those that a draft can know.
fn resolve(json: &mut Json, places: &HashMap<String, String>) {
    match json.value_mut() {
        Value::String(text) => {
            if let Some(place) = text.starts_with(draft::STANDS_IN).then(|| places.get(&**text)).flatten() {
                *text = place.as_str().into();
            }
        }
        Value::Object(members) => members.iter_mut().for_each(|member| resolve(&mut member.value, places)),
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, places)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
