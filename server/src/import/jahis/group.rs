//! Records → the [`Notebook`] they make: which usage is of which drug, which
//! doctor of which prescription, which lines fall with their group.
//!
//! Senders differ in the order they keep, so order counts only where it carries
//! meaning: record 5 opens a group; 51 and 55 hold for the drugs that follow;
//! 281 and 291 speak of the drug before them. A line of that kind that could
//! not be read still ends its predecessor's reach: a drug is never given to a
//! doctor, a day or a caution that was not its own.

use jiff::civil::Date;

use super::account::{Account, Fault, fault};
use super::record::{Item, Record};
use super::split::{MadeBy, Whole};
use super::whole_file;
use crate::import::date::{self, DateFault};
use crate::import::draft::{Line, Refusal, Text};

/// A notebook, put together.
pub(super) struct Notebook {
    /// Record 1.
    pub(super) patient: Record,
    /// Records 2.
    pub(super) notes: Vec<Record>,
    /// Records 3.
    pub(super) otc: Vec<Otc>,
    /// What records 5 open.
    pub(super) groups: Vec<Group>,
}

/// An over-the-counter medicine.
pub(super) struct Otc {
    pub(super) record: Record,
    /// Records 31.
    pub(super) ingredients: Vec<Record>,
}

/// What was dispensed on one day at one place.
pub(super) struct Group {
    pub(super) date: Date,
    /// Record 11.
    pub(super) pharmacy: Option<Record>,
    /// Record 15.
    pub(super) pharmacist: Option<Record>,
    /// Prescriptions by RP number, in their order.
    pub(super) rps: Vec<Rp>,
    /// Records 401 to 501, about all of it.
    pub(super) remarks: Vec<Record>,
}

/// One RP: drugs that share a usage.
pub(super) struct Rp {
    pub(super) number: String,
    pub(super) drugs: Vec<Drug>,
    /// Record 301.
    pub(super) usage: Option<Record>,
    /// Records 311 and 391.
    pub(super) supplements: Vec<Record>,
}

/// Record 201 and what belongs to it alone.
pub(super) struct Drug {
    pub(super) record: Record,
    /// Record 51 that held when it came.
    pub(super) clinic: Option<Record>,
    /// Record 55 that held when it came.
    pub(super) prescriber: Option<Record>,
    /// Records 281 and 291.
    pub(super) notes: Vec<Record>,
}

/// Puts the records together.
///
/// # Errors
/// [`Refusal`] when record 1 is missing or names two people: without it nobody
/// can tell whose medicines these are.
pub(super) fn collect(
    items: Vec<Item>,
    whole: &Whole,
    today: Date,
    account: &mut Account,
) -> Result<Notebook, Refusal> {
    let mut patients = Vec::new();
    let mut notes = Vec::new();
    let mut otc: Vec<Otc> = Vec::new();
    let mut ingredients = Vec::new();
    let mut raw: Vec<Vec<Item>> = Vec::new();
    for item in items {
        match (item.number, item.record) {
            (1, Some(record)) => patients.push(record),
            (2, Some(record)) => notes.push(record),
            (3, Some(record)) => otc.push(Otc { record, ingredients: Vec::new() }),
            (31, Some(record)) => ingredients.push(record),
            (4 | 601 | 701, Some(record)) => account.tell(&fault::KEPT_IN_FILE, record.at),
            (1..=4 | 31 | 601 | 701, None) => {}
            (number, record) => {
                let item = Item { at: item.at, number, record };
                match raw.last_mut() {
                    Some(group) if number != 5 => group.push(item),
                    None if number != 5 => account.tell(&fault::OUT_OF_ORDER, item.at),
                    _ => raw.push(vec![item]),
                }
            }
        }
    }
    let patient = the_patient(patients, account)?;
    for ingredient in ingredients {
        match otc.iter_mut().find(|medicine| medicine.record.get("seq") == ingredient.get("seq")) {
            Some(medicine) => medicine.ingredients.push(ingredient),
            None => account.tell(&fault::OTC_MISSING, ingredient.at),
        }
    }
    let made_by = whole.edition.made_by;
    let groups = raw.into_iter().filter_map(|items| group(items, made_by, today, account)).collect();
    Ok(Notebook { patient, notes, otc, groups })
}

fn the_patient(patients: Vec<Record>, account: &mut Account) -> Result<Record, Refusal> {
    let refused = |code, en, ja, at: Line| Refusal { code, text: Text::new(en, ja), at, offset: None };
    let mut patients = patients.into_iter();
    let first = patients.next().ok_or_else(|| {
        refused(
            "patient-missing",
            "There is no usable patient record (1): it cannot be told whose notebook this is.",
            "利用できる患者情報レコード(1)がなく、誰のお薬手帳か確認できません。",
            whole_file(0),
        )
    })?;
    for other in patients {
        let same = ["name", "sex", "birth", "kana"].iter().all(|key| other.get(key) == first.get(key));
        if !same {
            return Err(refused(
                "patient-repeated",
                "Two different people are named as the patient.",
                "患者情報レコードが複数あり、内容が異なります。",
                other.at,
            ));
        }
        account.tell(&fault::RECORD_REPEATED, other.at);
    }
    Ok(first)
}

/// One group, or the reason why there is none.
fn group(items: Vec<Item>, made_by: MadeBy, today: Date, account: &mut Account) -> Option<Group> {
    let opening = items.first()?.at;
    let date = match items[0].record.as_ref().map(|record| dispensed(record, today)) {
        Some(Ok(date)) => date,
        Some(Err(fault)) => return rejected(&items, Some(fault), account),
        // Why record 5 itself is not used was said when it was read.
        None => return rejected(&items, None, account),
    };
    let institution = items.iter().any(|item| item.number == 11 && item.record.is_some());
    if !institution && made_by != MadeBy::Patient {
        return rejected(&items, Some(&fault::INSTITUTION_MISSING), account);
    }
    let mut building = Building::new(date);
    for item in items.into_iter().skip(1) {
        building.take(item, account);
    }
    let group = building.done(account);
    if group.rps.is_empty() {
        account.tell(&fault::GROUP_EMPTY, opening);
        return None;
    }
    account.used(opening);
    Some(group)
}

/// The day of record 5.
fn dispensed(record: &Record, today: Date) -> Result<Date, &'static Fault> {
    let found = match date::read(record.get("date").unwrap_or_default()) {
        Ok(found) => found,
        Err(DateFault::BeforeEra | DateFault::PastEra) => return Err(&fault::DATE_OUT_OF_ERA),
        Err(DateFault::Empty | DateFault::Shape | DateFault::NoSuchDay | DateFault::Unknown) => {
            return Err(&fault::DATE_IMPOSSIBLE);
        }
    };
    let day = found.day().ok_or(&fault::DATE_IMPOSSIBLE)?;
    // Real programs went on printing Heisei 31 after April 2019. No program of
    // 1989 or before wrote this format: there the date is a mistake.
    if found.warning == Some(date::ERA_OVERRUN) && day.year() != 2019 && day.year() != 2020 {
        return Err(&fault::DATE_OUT_OF_ERA);
    }
    if day > today { Err(&fault::GROUP_DATE_FUTURE) } else { Ok(day) }
}

/// The cause once, and every line that falls with it.
fn rejected(items: &[Item], cause: Option<&'static Fault>, account: &mut Account) -> Option<Group> {
    if let (Some(cause), Some(opening)) = (cause, items.first()) {
        account.tell(cause, opening.at);
    }
    for item in items.iter().skip(1) {
        account.tell(&fault::GROUP_REJECTED, item.at);
    }
    None
}

/// A group while its lines come.
struct Building {
    group: Group,
    clinic: Option<Record>,
    prescriber: Option<Record>,
    /// Index of the RP of the drug that came last.
    last: Option<usize>,
}

impl Building {
    fn new(date: Date) -> Self {
        let group = Group { date, pharmacy: None, pharmacist: None, rps: Vec::new(), remarks: Vec::new() };
        Self { group, clinic: None, prescriber: None, last: None }
    }

    fn take(&mut self, item: Item, account: &mut Account) {
        match (item.number, item.record) {
            (11, record) => first_only(&mut self.group.pharmacy, record, account),
            (15, record) => first_only(&mut self.group.pharmacist, record, account),
            (51, record) => {
                self.clinic = record;
                self.prescriber = None;
            }
            (55, record) => self.prescriber = record,
            (201, None) => self.last = None,
            (201, Some(record)) => self.drug(record),
            (281 | 291, Some(record)) => self.note(record, account),
            (301, Some(record)) => {
                let rp = self.rp(&record);
                first_only(&mut self.group.rps[rp].usage, Some(record), account);
            }
            (311 | 391, Some(record)) => {
                let rp = self.rp(&record);
                self.group.rps[rp].supplements.push(record);
            }
            (_, Some(record)) => self.group.remarks.push(record),
            (_, None) => {}
        }
    }

    /// Index of the RP that a record names, made if it is new.
    fn rp(&mut self, record: &Record) -> usize {
        let written = record.get("rp").unwrap_or_default();
        let bare = written.trim_start_matches('0');
        let number = if bare.is_empty() { written } else { bare };
        if let Some(at) = self.group.rps.iter().position(|rp| rp.number == number) {
            return at;
        }
        let rp = Rp { number: number.to_owned(), drugs: Vec::new(), usage: None, supplements: Vec::new() };
        self.group.rps.push(rp);
        self.group.rps.len() - 1
    }

    fn drug(&mut self, record: Record) {
        let rp = self.rp(&record);
        let (clinic, prescriber) = (self.clinic.clone(), self.prescriber.clone());
        self.group.rps[rp].drugs.push(Drug { record, clinic, prescriber, notes: Vec::new() });
        self.last = Some(rp);
    }

    fn note(&mut self, record: Record, account: &mut Account) {
        let rp = self.rp(&record);
        let drug = if self.last == Some(rp) { self.group.rps[rp].drugs.last_mut() } else { None };
        match drug {
            Some(drug) => drug.notes.push(record),
            None => account.tell(&fault::DRUG_MISSING, record.at),
        }
    }

    /// The group with only those RPs that have a drug.
    fn done(mut self, account: &mut Account) -> Group {
        let (full, empty): (Vec<Rp>, Vec<Rp>) = self.group.rps.into_iter().partition(|rp| !rp.drugs.is_empty());
        for record in empty.iter().flat_map(|rp| rp.usage.iter().chain(&rp.supplements)) {
            account.tell(&fault::DRUG_MISSING, record.at);
        }
        self.group.rps = full;
        for rp in self.group.rps.iter().filter(|rp| rp.usage.is_none()) {
            for drug in &rp.drugs {
                account.tell(&fault::USAGE_MISSING, drug.record.at);
            }
        }
        self.group
    }
}

/// Fills a place that has room for one.
fn first_only(place: &mut Option<Record>, record: Option<Record>, account: &mut Account) {
    if let Some(record) = record {
        if place.is_some() {
            account.tell(&fault::RECORD_REPEATED, record.at);
        } else {
            *place = Some(record);
        }
    }
}
