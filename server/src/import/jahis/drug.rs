//! Record 201 → `MedicationStatement`, with what stands behind it contained.
//!
//! ```text
//! MedicationStatement ─derivedFrom→ #dispense (MedicationDispense) ─performer→ #pharmacy
//!                     ─basedOn→ #prescription (MedicationRequest) ─requester→ #prescriber → #clinic
//! ```
//!
//! A statement has no place for an amount handed over or for a prescriber; the
//! dispensing and the prescription that it is made from have. They are known
//! only as far as the notebook tells, so they live inside it.

use jiff::ToSpan;
use jiff::civil::Date;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::account::{Account, fault};
use super::concept::{coding, inside, note, subject, with_list};
use super::dosage::{self, Amounts};
use super::group::{Drug, Group, Rp};
use super::record::Record;
use super::{NAME, code, institution, meta};
use crate::import::draft::{Draft, key};

/// Every drug of a group.
pub(super) fn drafts(group: &Group, today: Date, account: &mut Account) -> Vec<Draft> {
    for record in group.pharmacy.iter().chain(&group.pharmacist).chain(&group.remarks) {
        account.used(record.at);
    }
    let mut drafts = Vec::new();
    for rp in &group.rps {
        for record in rp.usage.iter().chain(&rp.supplements) {
            account.used(record.at);
        }
        for (at, drug) in rp.drugs.iter().enumerate() {
            for record in drug.clinic.iter().chain(&drug.prescriber).chain(&drug.notes).chain([&drug.record]) {
                account.used(record.at);
            }
            let line = Dispensed { group, rp, drug, place: at + 1 };
            drafts.push(line.draft(today, account));
        }
    }
    drafts
}

/// One drug and all that is said of it.
struct Dispensed<'a> {
    group: &'a Group,
    rp: &'a Rp,
    drug: &'a Drug,
    /// Which drug of its RP, from 1.
    place: usize,
}

impl Dispensed<'_> {
    fn draft(&self, today: Date, account: &mut Account) -> Draft {
        let record = &self.drug.record;
        let coded = Coded::of(record, account);
        let amounts = dosage::amounts(self.drug, self.rp, account);
        let contained = Contained::of(self, &coded.concept, &amounts, account);
        let end = amounts.days.and_then(|days| self.group.date.checked_add((days - 1).days()).ok());
        let status = if end.is_some_and(|end| end < today) { "completed" } else { "active" };
        let start = self.group.date.to_string();
        let period = json!({"start": (start.as_str())}).with_some("end", end.map(|end| end.to_string()));
        let statement = json!({"resourceType": "MedicationStatement", "meta": (meta("JP_MedicationStatement"))})
            .with("contained", contained.resources)
            .with("identifier", self.identifiers())
            .with_some("basedOn", contained.prescription.then(|| vec![inside("prescription")]))
            .with("status", status)
            .with("medicationCodeableConcept", coded.concept)
            .with("subject", subject())
            .with("effectivePeriod", period)
            .with("dateAsserted", start)
            .with_some("informationSource", self.source(contained.pharmacy))
            .with("derivedFrom", vec![inside("dispense")]);
        let statement = with_list(statement, "note", self.notes(&amounts, coded.generic));
        let statement = statement.with_some("dosage", amounts.dosage.map(|dosage| vec![dosage]));
        Draft { incidental: &["status"], ..Draft::put(self.key(coded.code.as_deref()), statement, record.at) }
    }

    /// Institution, day, RP, drug, dose, quantity: the same dispensing, however
    /// often and in whatever encoding it is read.
    fn key(&self, code: Option<&str>) -> String {
        let record = &self.drug.record;
        let place = self.group.pharmacy.as_ref().or(self.drug.clinic.as_ref());
        let field = |key| record.get(key).unwrap_or_default();
        key(&[
            NAME,
            "drug",
            &place.map(institution::key).unwrap_or_default(),
            &self.group.date.to_string(),
            &self.rp.number,
            code.unwrap_or_else(|| field("name")),
            field("dose"),
            self.rp.usage.as_ref().and_then(|usage| usage.get("quantity")).unwrap_or_default(),
        ])
    }

    fn identifiers(&self) -> Vec<Json> {
        let place = self.place.to_string();
        [("Medication-RPGroupNumber", self.rp.number.as_str()), ("MedicationAdministrationIndex", &place)]
            .into_iter()
            .map(|(name, value)| json!({"system": (format!("{ID_SYSTEM}/{name}")), "value": value}))
            .collect()
    }

    /// Who says so: the pharmacy or the patient, by the record's creator.
    fn source(&self, pharmacy: bool) -> Option<Json> {
        let record = &self.drug.record;
        if record.by_patient() {
            return Some(subject());
        }
        (record.by_provider() && pharmacy).then(|| inside("pharmacy"))
    }

    fn notes(&self, amounts: &Amounts, generic: Option<&str>) -> Vec<Json> {
        let record = &self.drug.record;
        let mut notes: Vec<Json> = amounts.texts.iter().map(|(label, text)| note(label, text, record)).collect();
        notes.extend(generic.map(|name| note("一般名", name, record)));
        let supplements = self.rp.supplements.iter().filter(|record| record.number() == 391);
        for said in self.drug.notes.iter().chain(supplements).chain(&self.group.remarks) {
            let label = match (said.number(), kind_of(said)) {
                (281, _) => "薬品補足",
                (291, _) => "薬品服用注意",
                (391, _) => "処方服用注意",
                (401, _) => "服用注意",
                (411, Some("30")) => "入院中の副作用",
                (411, Some("31")) => "退院後の療養",
                (411, _) => "医療機関等からの情報",
                (421, _) => "残薬",
                _ => "備考",
            };
            notes.extend(said.get("text").map(|text| note(label, text, said)));
        }
        notes
    }
}

/// The drug as a concept.
struct Coded<'a> {
    concept: Json,
    /// Its code with the kind, where it fits.
    code: Option<String>,
    /// The generic name that had no code to stand beside.
    generic: Option<&'a str>,
}

impl<'a> Coded<'a> {
    fn of(record: &'a Record, account: &mut Account) -> Self {
        let name = record.get("name").unwrap_or_default();
        let mut codings = Vec::new();
        let mut known = None;
        if let Some(written) = record.get("code") {
            let kind = record.get("code-kind").unwrap_or_default();
            match code::system(kind, written) {
                Some(system) => {
                    codings.push(coding(&system, written, Some(name)));
                    known = Some(format!("{kind}:{written}"));
                }
                None => account.tell_in(&fault::CODE_SHAPE, record.at, record.label("code")),
            }
        }
        let mut generic = record.get("generic");
        if let Some(written) = record.get("generic-code") {
            let system = code::generic_system(written).filter(|_| record.get("generic-kind") == Some("2"));
            match system {
                Some(system) => codings.push(coding(system, written, generic.take())),
                None => account.tell_in(&fault::CODE_SHAPE, record.at, record.label("generic-code")),
            }
        }
        let concept = with_list(json!({}), "coding", codings).with("text", name);
        Self { concept, code: known, generic }
    }
}

/// The resources inside a statement.
struct Contained {
    resources: Vec<Json>,
    pharmacy: bool,
    prescription: bool,
}

impl Contained {
    fn of(line: &Dispensed<'_>, medication: &Json, amounts: &Amounts, account: &mut Account) -> Self {
        let pharmacy =
            line.group.pharmacy.as_ref().and_then(|record| institution::organization(record, "pharmacy", account));
        let clinic = line.drug.clinic.as_ref().and_then(|record| institution::organization(record, "clinic", account));
        let prescriber = line.drug.prescriber.as_ref().map(|record| prescriber(record, clinic.is_some()));
        let requester = if prescriber.is_some() { Some("prescriber") } else { clinic.as_ref().map(|_| "clinic") };
        let prescription = requester.map(|requester| {
            json!({
                "resourceType": "MedicationRequest", "id": "prescription", "status": "unknown", "intent": "order",
                "medicationCodeableConcept": (medication.clone()), "subject": (subject()),
                "requester": (inside(requester))
            })
        });
        let dispense = dispense(line, medication, amounts, pharmacy.is_some());
        let (has_pharmacy, has_prescription) = (pharmacy.is_some(), prescription.is_some());
        let resources = [pharmacy, Some(dispense), clinic, prescriber, prescription];
        let resources = resources.into_iter().flatten().collect();
        Self { resources, pharmacy: has_pharmacy, prescription: has_prescription }
    }
}

/// Record 55, at the institution of record 51.
fn prescriber(record: &Record, clinic: bool) -> Json {
    let doctor = record.get("name").map(|name| json!({"type": "Practitioner", "display": name}));
    let department = record.get("department").map(|name| vec![json!({"text": name})]);
    json!({"resourceType": "PractitionerRole", "id": "prescriber"})
        .with_some("practitioner", doctor)
        .with_some("organization", clinic.then(|| inside("clinic")))
        .with_some("specialty", department)
}

fn dispense(line: &Dispensed<'_>, medication: &Json, amounts: &Amounts, pharmacy: bool) -> Json {
    let pharmacist = line.group.pharmacist.as_ref().and_then(|record| record.get("name"));
    let pharmacist = pharmacist.map(|name| json!({"type": "Practitioner", "display": name}));
    let performers: Vec<Json> = pharmacy
        .then(|| inside("pharmacy"))
        .into_iter()
        .chain(pharmacist)
        .map(|actor| json!({"actor": actor}))
        .collect();
    let dispense = json!({
        "resourceType": "MedicationDispense", "id": "dispense", "status": "completed",
        "medicationCodeableConcept": (medication.clone()), "subject": (subject())
    });
    with_list(dispense, "performer", performers)
        .with_some("quantity", amounts.total.clone())
        .with_some("daysSupply", amounts.days.map(dosage::days))
        .with("whenHandedOver", line.group.date.to_string())
}

const ID_SYSTEM: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem";

/// The kind of record 411; no other remark has one.
fn kind_of(record: &Record) -> Option<&str> {
    if record.number() == 411 { record.get("kind") } else { None }
}
