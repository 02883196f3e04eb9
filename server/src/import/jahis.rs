//! The e-medication notebook as QR codes carry it (JAHIS 電子版お薬手帳): text
//! lines in, `MedicationStatement`, `AllergyIntolerance` and `Condition` out.
//!
//! ```text
//! parts → decode → split (merge by 911) → record (one line, by its layout)
//!       → group (what belongs together) → drug, over_the_counter, special_note
//! ```
//!
//! Each step tells [`account`] what it could not use, and a line that nobody
//! used or explained is reported at the end, so that nothing vanishes. What has
//! no place among the records (memos, weight without a date) stays in the file,
//! which is kept as the citizen's.
//!
//! To add a record number: a row in [`layout`]; then say in [`group`] where it belongs.
//!
//! Source: domain/medications-jahis.md

mod account;
mod code;
mod concept;
mod decode;
mod dosage;
mod drug;
mod group;
mod institution;
mod layout;
mod over_the_counter;
mod record;
mod special_note;
mod split;
#[cfg(test)]
mod tests;

use super::draft::{Draft, Identity, Line, Parsed, Person, PersonDrafts, Refusal, Sex, source};
use super::{About, Custody, Importer, Input, Limits, Part};
use account::{Account, fault};
use group::Notebook;
use record::Record;

/// The medication notebook.
pub const IMPORTER: Importer = Importer {
    name: NAME,
    detects,
    gather: split::gather,
    limits: LIMITS,
    open: |input| parse(input).into(),
    about: About::OneCitizen,
    custody: Custody::Returned,
};

/// Reads one notebook, whole or in the parts of a split QR code.
pub fn parse(input: &Input<'_>) -> Parsed {
    read(input).unwrap_or_else(Parsed::from)
}

fn read(input: &Input<'_>) -> Result<Parsed, Refusal> {
    if let Some(refusal) = LIMITS.refuses(input.parts) {
        return Err(refusal);
    }
    let mut account = Account::default();
    let whole = split::merge(input.parts, &mut account)?;
    let items = record::read_all(&whole, &mut account);
    let notebook = group::collect(items, &whole, input.today, &mut account)?;
    let person = person(&notebook.patient, &mut account);
    let drafts = drafts(&notebook, input, &mut account);
    let issues = account.close(&whole);
    Ok(Parsed { people: vec![PersonDrafts { person, drafts }], issues, refused: None })
}

/// Whether this is a notebook, or something sent by mistake for one: a
/// prescription QR and a notebook without its first line are better refused
/// here, by name, than as an unknown file.
fn detects(part: &Part<'_>) -> bool {
    let bytes = part.bytes.strip_prefix(decode::BOM).unwrap_or(part.bytes);
    let has = |start: &[u8]| bytes.split(|&byte| byte == b'\n').any(|line| line.starts_with(start));
    bytes.starts_with(b"JAHIS") || (bytes.starts_with(b"1,") && has(b"5,") && (has(b"201,") || has(b"911,")))
}

/// Record 1, as far as a Patient can be compared with it.
fn person(record: &Record, account: &mut Account) -> Person {
    account.used(record.at);
    let kept: Vec<&str> = ["zip", "address", "telephone", "emergency", "blood", "weight"]
        .into_iter()
        .filter(|key| record.get(key).is_some())
        .map(|key| record.label(key))
        .collect();
    if !kept.is_empty() {
        account.tell_in(&fault::KEPT_IN_FILE, record.at, kept.join("・"));
    }
    let birth_date = record.date("birth", account).map(|found| found.date);
    let sex = match record.get("sex") {
        Some("1") => Some(Sex::Male),
        Some("2") => Some(Sex::Female),
        _ => None,
    };
    let owned = |key: &str| record.get(key).map(str::to_owned);
    Person { identity: Identity::Given, name: owned("name"), kana: owned("kana"), birth_date, sex, at: record.at }
}

fn drafts(notebook: &Notebook, input: &Input<'_>, account: &mut Account) -> Vec<Draft> {
    let mut drafts = Drafts::default();
    for note in &notebook.notes {
        if let Some(draft) = special_note::draft(note, account) {
            drafts.add(draft, account);
        }
    }
    for medicine in &notebook.otc {
        if let Some(draft) = over_the_counter::draft(medicine, input.today, account) {
            drafts.add(draft, account);
        }
    }
    for group in &notebook.groups {
        for draft in drug::drafts(group, input.today, account) {
            drafts.add(draft, account);
        }
    }
    drafts.0
}

/// Drafts with unique keys. A line sent twice makes one record; two lines that
/// differ beyond their key make two, told apart by their order.
#[derive(Default)]
struct Drafts(Vec<Draft>);

impl Drafts {
    fn add(&mut self, mut draft: Draft, account: &mut Account) {
        let key = draft.key.clone();
        for again in 2.. {
            match self.0.iter().find(|earlier| earlier.key == draft.key) {
                None => break,
                Some(earlier) if earlier.resource == draft.resource => {
                    account.tell(&fault::REPEATED_LINE, draft.at);
                    return;
                }
                Some(_) => draft.key = format!("{key}|#{again}"),
            }
        }
        self.0.push(draft);
    }
}

/// `meta` of a draft with this JP Core profile.
fn meta(profile: &str) -> techo_profiles::json::Json {
    let profile = format!("{JP_CORE}/{profile}");
    techo_profiles::json!({"source": (source(NAME)), "profile": [(profile)]})
}

const NAME: &str = "jahis";
const JP_CORE: &str = "http://jpfhir.jp/fhir/core/StructureDefinition";

/// A notebook has at most 999 lines; a symbol holds 2.3 kB, and no set of them 1 MB.
const LIMITS: Limits = Limits { bytes: 1_000_000, lines: 999, parts: 999 };

/// The file as a whole.
fn whole_file(part: usize) -> Line {
    Line { part, line: 0 }
}
