//! `/records/[patient]`: one person's records by domain, newest first, each with
//! its date and source.
//!
//! The domains are the notebook's nine kinds. A check-up is one entry: its report
//! with a table of what was measured; the visit behind it is not told twice.

mod entry;
mod value;

use std::collections::{HashMap, HashSet};

use askama::Template;

use self::entry::Entry;
use self::value::Reading;
use super::people::{self, Person, Tie};
use super::shell::{Here, Shell};
use super::{refused, shown, words};
use crate::auth::login::Session;
use crate::auth::person::AccountKind;
use crate::consent::label;
use crate::consent::view::CitizenKey;
use crate::interaction::shown::{Looked, Shown};
use crate::interaction::{Call, Error, Ground, Interaction, Reply};
use crate::store::facts::Custody;

/// Types that the page shows, and by which parameter the newest come first.
const TYPES: &[(&str, &str)] = &[
    ("AllergyIntolerance", "-_lastUpdated"),
    ("CarePlan", "-_lastUpdated"),
    ("Communication", "-_lastUpdated"),
    ("Condition", "-_lastUpdated"),
    ("DiagnosticReport", "-date"),
    ("DocumentReference", "-_lastUpdated"),
    ("Encounter", "-date"),
    ("ExplanationOfBenefit", "-_lastUpdated"),
    ("Goal", "-_lastUpdated"),
    ("Immunization", "-date"),
    ("ImmunizationRecommendation", "-date"),
    ("Media", "-_lastUpdated"),
    ("MedicationStatement", "-_lastUpdated"),
    ("Observation", "-date"),
    ("RiskAssessment", "-_lastUpdated"),
];
/// At most so many of each type.
const MOST: u32 = 1000;
/// So many of a domain are open; the others are behind a fold.
const OPEN: usize = 12;

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "records.html")]
pub struct RecordsPage {
    shell: Shell,
    person: Person,
    sections: Vec<Section>,
    /// There is more than the page shows.
    cut: bool,
}

/// One domain.
#[derive(Clone, Debug)]
struct Section {
    number: u8,
    title: &'static str,
    entries: Vec<Entry>,
    older: Vec<Entry>,
}

impl Section {
    fn count(&self) -> usize {
        self.entries.len() + self.older.len()
    }
}

/// Reads the records of `patient`.
///
/// # Errors
/// [`Error::NotFound`] for someone of whom nothing may be seen, as for an id that never was.
pub async fn page(call: Call<'_>, shell: Shell, session: &Session, patient: &str) -> Result<RecordsPage, Error> {
    if session.user.kind != AccountKind::Person {
        return Err(refused(&call, patient).await);
    }
    let call = call.meeting(patient).await?;
    let Some((citizen, tie)) = people::find(&call, patient) else { return Err(refused(&call, patient).await) };
    let call = people::looking_at(call, tie);
    let everyone = people::people(&call, shell.language).await?;
    let person = everyone.into_iter().find(|person| person.id == *patient);
    let Some(person) = person else { return Err(refused(&call, patient).await) };
    let records = Records::of(&call, &person, citizen).await?;
    let reading = records.reading(&call, &shell).await?;
    let sections = sections(&reading, &records.all);
    let cut = records.cut;
    shown(&call, asked(patient), records.reply(&person)).await?;
    Ok(RecordsPage { shell: shell.at(Here::Records), person, sections, cut })
}

/// All that is read for the page.
#[derive(Default)]
struct Records {
    all: Vec<Shown>,
    disclosed: Vec<(CitizenKey, String)>,
    cut: bool,
}

impl Records {
    async fn of(call: &Call<'_>, person: &Person, citizen: CitizenKey) -> Result<Self, Error> {
        let mut records = Self::default();
        if person.read {
            records.disclosed.push((citizen, "Patient".to_owned()));
        }
        let mut looked = Looked::default();
        for (kind, sort) in TYPES {
            let query = [
                ("patient".to_owned(), format!("Patient/{}", person.id)),
                ("_sort".to_owned(), (*sort).to_owned()),
                ("_count".to_owned(), MOST.to_string()),
            ];
            let (found, more) = call.found((kind, &query), MOST, &mut looked).await?;
            records.cut |= more;
            let subjects = found.iter().flat_map(|one| &one.subjects);
            records.disclosed.extend(subjects.map(|one| (*one, (*kind).to_owned())));
            records.all.extend(found);
        }
        Ok(records)
    }

    /// The means to read them out, with the names of all whom they mention.
    async fn reading<'a>(&self, call: &'a Call<'_>, shell: &Shell) -> Result<Reading<'a>, Error> {
        let mut mentioned = Vec::new();
        for found in &self.all {
            people::references(&found.resource, &mut mentioned);
        }
        let kept = self.all.iter().filter(|one| one.custody != Custody::Returned).map(|one| one.custodian);
        let keepers = people::keepers(call, kept).await?;
        let places = mentioned.into_iter().chain(keepers.values().map(String::as_str));
        let places = places.filter(|reference| !reference.starts_with("Patient/"));
        let mut names = people::directory(call, places, shell.language).await?;
        for (key, reference) in keepers {
            if let Some(name) = names.get(&reference).cloned() {
                names.insert(format!("custodian {key}"), name);
            }
        }
        Ok(Reading { language: shell.language, codes: &call.app.codes, zone: call.app.zone(), names })
    }

    fn reply(self, person: &Person) -> Reply {
        Reply { disclosed: self.disclosed, count: usize::from(person.read), ..Reply::default() }
    }
}

/// What was asked, as the same question to the API.
fn asked(patient: &str) -> Interaction {
    let about = [("_id".to_owned(), patient.to_owned())];
    let others = TYPES.iter().map(|(kind, _)| ("_revinclude".to_owned(), format!("{kind}:patient")));
    Interaction::Search(Ground::Type("Patient".to_owned()), about.into_iter().chain(others).collect())
}

/// The domains that hold something, in the notebook's order.
fn sections(reading: &Reading<'_>, records: &[Shown]) -> Vec<Section> {
    let mut by_kind: HashMap<u8, Vec<Entry>> = HashMap::new();
    for (kind, entry) in entries(reading, records) {
        by_kind.entry(kind).or_default().push(entry);
    }
    let mut sections = Vec::new();
    for (number, japanese, english) in label::KINDS {
        let Some(mut entries) = by_kind.remove(&number) else { continue };
        entries.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.title.cmp(&other.title)));
        let older = entries.split_off(entries.len().min(OPEN));
        sections.push(Section { number, title: reading.language.say(japanese, english), entries, older });
    }
    sections
}

/// Every record with its domain; what a report lists stands in the report's table.
fn entries(reading: &Reading<'_>, records: &[Shown]) -> Vec<(u8, Entry)> {
    let by_reference: HashMap<String, usize> =
        records.iter().enumerate().map(|(at, found)| (format!("{}/{}", found.kind, found.id), at)).collect();
    let mut told = HashSet::new();
    let mut tables = HashMap::new();
    let mut visits = HashMap::new();
    for (at, report) in records.iter().enumerate().filter(|(_, found)| found.kind == "DiagnosticReport") {
        let results =
            report.resource.list("result").iter().filter_map(|result| by_reference.get(result.str("reference")?));
        let mut table = Vec::new();
        for &result in results {
            table.extend(measured(reading, &records[result]));
            told.insert(result);
        }
        let visit = report.resource.get("encounter").and_then(|visit| by_reference.get(visit.str("reference")?));
        if let Some(&visit) = visit {
            visits.insert(at, visit);
            // A visit of another kind than a check-up is told by itself as well.
            if label::kind(&records[visit].resource) == label::kind(&report.resource) {
                told.insert(visit);
            }
        }
        tables.insert(at, table);
    }
    let mut entries = Vec::new();
    for (at, found) in records.iter().enumerate().filter(|(at, _)| !told.contains(at)) {
        let mut entry = Entry::of(reading, found);
        entry.table = tables.remove(&at).unwrap_or_default();
        if let Some(&visit) = visits.get(&at) {
            entry.visited(reading, &records[visit].resource);
        }
        entries.push((label::kind(&found.resource), entry));
    }
    entries
}

/// A row of a report's table.
fn measured(reading: &Reading<'_>, found: &Shown) -> Option<entry::Fact> {
    let mut label = found.resource.get("code").and_then(|code| reading.concept(code))?;
    if !found.resource.list("derivedFrom").is_empty() {
        label.push_str(reading.say(words::CALCULATED));
    }
    let text = reading.value(&found.resource).unwrap_or_else(|| reading.say(words::NOT_MEASURED).to_owned());
    Some(entry::Fact { label, text })
}

impl RecordsPage {
    fn shared(&self) -> bool {
        self.person.tie == Tie::Shared
    }
}
