//! One record on the page: a title, facts beneath it, its date and source.
//!
//! To show another type well: an arm in [`Entry::of`]; types without one show
//! their code or type, their value and their notes.

use techo_profiles::json::Json;

use super::super::words::{self, Words};
use super::value::{Reading, When};
use crate::auth::wording::Language;
use crate::interaction::shown::Shown;
use crate::store::facts::Custody;

/// One record on the page.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: i64,
    pub(super) date: String,
    pub(super) title: String,
    /// What stands beside the title: the one value that matters.
    pub(super) value: Option<String>,
    pub(super) facts: Vec<Fact>,
    /// Items and results.
    pub(super) table: Vec<Fact>,
    pub(super) source: String,
    /// Something that must not be overlooked: withdrawn, entered in error.
    pub(super) mark: Option<&'static str>,
}

/// A label and what it says.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) label: String,
    pub(super) text: String,
}

/// Facts that are there.
#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn add(&mut self, reading: &Reading<'_>, label: Words, text: Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.0.push(Fact { label: reading.say(label).to_owned(), text });
        }
    }
}

impl Entry {
    /// How a record is shown.
    pub(super) fn of(reading: &Reading<'_>, found: &Shown) -> Self {
        let resource = &found.resource;
        let When { at, words: date } = reading.when(resource, found.updated);
        let (title, value, facts) = match found.kind {
            "Immunization" => immunization(reading, resource),
            "MedicationStatement" => medication(reading, resource),
            "AllergyIntolerance" | "Condition" => told(reading, resource),
            "DocumentReference" => document(reading, resource),
            "DiagnosticReport" => report(reading, resource),
            "Encounter" => visit(reading, resource),
            _ => other(reading, found.kind, resource),
        };
        Self {
            at,
            date,
            title: title.unwrap_or_else(|| words::kind(found.kind, reading.language)),
            value,
            facts: facts.0,
            table: Vec::new(),
            source: source(reading, found),
            mark: mark(reading, found),
        }
    }
}

type Parts = (Option<String>, Option<String>, Facts);

fn immunization(reading: &Reading<'_>, resource: &Json) -> Parts {
    let title = resource.get("vaccineCode").and_then(|code| reading.concept(code));
    let dose = resource.list("protocolApplied").iter().find_map(|protocol| {
        let number = protocol.get("doseNumberPositiveInt").and_then(Json::as_number);
        let number = number.or_else(|| protocol.str("doseNumberString"))?;
        let series = protocol.str("series");
        Some(match reading.language {
            Language::Japanese => format!("{} {number}回目", series.unwrap_or_default()).trim_start().to_owned(),
            Language::English => {
                format!("dose {number}{}", series.map(|series| format!(" ({series})")).unwrap_or_default())
            }
        })
    });
    let mut facts = Facts::default();
    facts.add(reading, words::LOT, resource.str("lotNumber").map(str::to_owned));
    facts.add(reading, words::MAKER, resource.get("manufacturer").and_then(|one| reading.named(resource, one)));
    facts.add(reading, words::PLACE, place(reading, resource));
    facts.add(reading, words::AMOUNT, resource.get("doseQuantity").and_then(|one| reading.quantity(one)));
    facts.add(reading, words::SITE, resource.get("site").and_then(|one| reading.concept(one)));
    facts.add(reading, words::PROGRAM, reading.first(resource.list("programEligibility")));
    facts.add(reading, words::NOTE, resource.get("statusReason").and_then(|one| reading.concept(one)));
    facts.add(reading, words::NOTE, notes(resource));
    (title, dose, facts)
}

fn medication(reading: &Reading<'_>, resource: &Json) -> Parts {
    let title = resource.get("medicationCodeableConcept").and_then(|code| reading.concept(code));
    let reference = || resource.get("medicationReference").and_then(|one| reading.named(resource, one));
    let mut facts = Facts::default();
    for dosage in resource.list("dosage") {
        let amount = dosage.list("doseAndRate").iter().find_map(|rate| {
            let ratio = rate.get("rateRatio").and_then(|ratio| ratio.get("numerator"));
            reading.quantity(rate.get("doseQuantity").or(ratio)?)
        });
        facts.add(reading, words::USAGE, dosage.str("text").map(str::to_owned));
        facts.add(reading, words::AMOUNT, amount);
        facts.add(reading, words::NOTE, dosage.str("patientInstruction").map(str::to_owned));
    }
    facts.add(reading, words::PERIOD, resource.get("effectivePeriod").map(|period| reading.period(period)));
    for (id, label) in [("pharmacy", words::PHARMACY), ("clinic", words::CLINIC)] {
        let own = resource.list("contained").iter().find(|one| one.str("id") == Some(id));
        facts.add(reading, label, own.and_then(|one| one.str("name")).map(str::to_owned));
    }
    facts.add(reading, words::NOTE, notes(resource));
    (title.or_else(reference), None, facts)
}

fn told(reading: &Reading<'_>, resource: &Json) -> Parts {
    let unconfirmed = resource
        .get("verificationStatus")
        .is_some_and(|status| status.list("coding").iter().any(|coding| coding.str("code") == Some("unconfirmed")));
    let mut facts = Facts::default();
    facts.add(reading, words::STATUS, unconfirmed.then(|| reading.say(words::UNCONFIRMED).to_owned()));
    facts.add(reading, words::NOTE, notes(resource));
    (resource.get("code").and_then(|code| reading.concept(code)), None, facts)
}

fn document(reading: &Reading<'_>, resource: &Json) -> Parts {
    let format = resource.get("type").and_then(|kind| {
        let known = kind.list("coding").iter().find_map(|coding| words::look_up(words::FORMATS, coding.str("code")?));
        known.map(|known| reading.say(known).to_owned()).or_else(|| reading.concept(kind))
    });
    let attachment = |name| {
        let mut contents = resource.list("content").iter();
        contents.find_map(|content| content.get("attachment")?.str(name)).map(str::to_owned)
    };
    let mut facts = Facts::default();
    facts.add(reading, words::DOCUMENT, attachment("title"));
    facts.add(reading, words::NOTE, resource.str("description").map(str::to_owned));
    (format, None, facts)
}

fn report(reading: &Reading<'_>, resource: &Json) -> Parts {
    let mut facts = Facts::default();
    facts.add(reading, words::JUDGEMENT, resource.str("conclusion").map(str::to_owned));
    facts.add(reading, words::PLACE, place(reading, resource));
    let note = resource.list("extension").iter().find_map(|one| one.get("valueAnnotation")?.str("text"));
    facts.add(reading, words::NOTE, note.map(str::to_owned));
    (resource.get("code").and_then(|code| reading.concept(code)), None, facts)
}

fn visit(reading: &Reading<'_>, resource: &Json) -> Parts {
    let mut facts = Facts::default();
    facts.add(reading, words::PLACE, place(reading, resource));
    facts.add(reading, words::TEXT, reading.first(resource.list("reasonCode")));
    let class = || resource.get("class").and_then(|class| class.str("display")).map(str::to_owned);
    (reading.first(resource.list("type")).or_else(class), None, facts)
}

fn other(reading: &Reading<'_>, kind: &str, resource: &Json) -> Parts {
    let title = resource.get("code").and_then(|code| reading.concept(code));
    let title =
        title.or_else(|| reading.first(resource.list("category"))).or_else(|| resource.str("title").map(str::to_owned));
    let mut facts = Facts::default();
    if kind != "Observation" {
        let texts = resource.list("payload").iter().filter_map(|part| part.str("contentString"));
        let text: Vec<&str> = texts.chain(resource.str("description")).collect();
        facts.add(reading, words::TEXT, Some(text.join("\n")));
    }
    facts.add(reading, words::PLACE, place(reading, resource));
    facts.add(reading, words::NOTE, notes(resource));
    (title, reading.value(resource), facts)
}

impl Entry {
    /// Tells where the visit behind a report was, where the report does not.
    pub(super) fn visited(&mut self, reading: &Reading<'_>, visit: &Json) {
        let label = reading.say(words::PLACE);
        if let Some(text) = place(reading, visit).filter(|_| self.facts.iter().all(|fact| fact.label != label)) {
            self.facts.push(Fact { label: label.to_owned(), text });
        }
    }
}

/// Where it was done, or who did it.
fn place(reading: &Reading<'_>, resource: &Json) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    let locations = resource.list("location").iter().filter_map(|one| one.get("location"));
    let location = resource.get("location").filter(|one| one.is_object());
    let performers = resource.list("performer").iter().map(|one| one.get("actor").unwrap_or(one));
    let provider = resource.get("serviceProvider");
    for reference in location.into_iter().chain(locations).chain(provider).chain(performers) {
        names.extend(reading.named(resource, reference).filter(|name| !names.contains(name)));
    }
    (!names.is_empty()).then(|| names.join("、"))
}

fn notes(resource: &Json) -> Option<String> {
    let texts: Vec<&str> = resource.list("note").iter().filter_map(|note| note.str("text")).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Where a record came from: what its importer says, and in whose keeping it is.
fn source(reading: &Reading<'_>, found: &Shown) -> String {
    let uri = found.resource.get("meta").and_then(|meta| meta.str("source"));
    let importer = uri.and_then(|uri| uri.split("/Source/").nth(1)).and_then(|rest| rest.split('/').next());
    let said = importer.and_then(|name| words::look_up(words::SOURCES, name));
    let keeper = reading.names.get(&format!("custodian {}", found.custodian));
    let (words, keeper) = match (said, found.custody) {
        (Some(said), Custody::Returned) => (said, None),
        (Some(said), _) => (said, keeper),
        (None, Custody::Published) => (words::FROM_PUBLISHER, keeper),
        (None, Custody::Authored) => (words::FROM_CARE, keeper),
        (None, Custody::Returned) => (words::FROM_APP, None),
    };
    match keeper {
        Some(keeper) => format!("{} ({keeper})", reading.say(words)),
        None => reading.say(words).to_owned(),
    }
}

fn mark(reading: &Reading<'_>, found: &Shown) -> Option<&'static str> {
    let status = found.resource.str("status");
    let refuted = found.resource.get("verificationStatus").is_some_and(|status| {
        status.list("coding").iter().any(|coding| coding.str("code") == Some("entered-in-error"))
    });
    let words = if found.withdrawn {
        words::WITHDRAWN
    } else if refuted || matches!(status, Some("entered-in-error" | "cancelled")) {
        words::IN_ERROR
    } else if found.kind == "Immunization" && status == Some("not-done") {
        words::NOT_DONE
    } else {
        return None;
    };
    Some(reading.say(words))
}
