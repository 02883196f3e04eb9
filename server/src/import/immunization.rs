//! Immunizations (予防接種) as towns send them: CSV or JSON.
//!
//! One row is one dose given, one that was put off, or the taking back of an
//! earlier row. A dose's key is town, person, vaccine, day and number: the same
//! dose in another spelling of the vaccine is the same dose. What the schedule
//! says of a dose is reported and never keeps it out: history is a fact.
//!
//! Columns that mean nothing here are kept on the Immunization, each in an
//! extension with its name and value as received ([`table::preserved`]).
//!
//! To add a vaccine: a row in `vaccine::VACCINES`. To change a rule: a dated row in
//! `schedule`. A new column of JSON also goes into its schema.
//!
//! Source: immunizations.md

mod dose;
pub mod history;
mod label;
mod merge;
mod resource;
pub mod schedule;
pub mod vaccine;

pub use label::Program;

use super::draft::{Issue, PersonDrafts, Severity};
use super::table::{self, Column, Layout};
use super::{About, Custody, Importer, Input, Limits, Parsed, Part, alone, person, schema};

/// Municipal immunizations.
pub const IMPORTER: Importer = Importer {
    name: "immunization",
    detects,
    gather: alone,
    limits: Limits { bytes: 64 << 20, lines: 1_000_000, parts: 1 },
    parse,
    about: About::SeveralCitizens,
    custody: Custody::Published,
};

static LAYOUT: Layout =
    Layout { columns: &COLUMNS, ignored: &["行の意図"], telling: "vaccine", schema: &schema::IMMUNIZATIONS };

static COLUMNS: [Column; 23] = [
    required("自治体コード", "municipalityCode"),
    required("宛名番号", "residentNumber"),
    optional("氏名", "name"),
    optional("カナ氏名", "kana"),
    required("生年月日", "birthDate"),
    optional("性別", "sex"),
    required("ワクチン名", "vaccine"),
    required("接種日", "date"),
    optional("接種区分", "category"),
    optional("回数", "dose"),
    optional("接種場所", "place"),
    optional("実施機関コード", "facilityCode"),
    optional("法定区分", "program"),
    optional("ロット番号", "lot"),
    optional("メーカー", "manufacturer"),
    optional("製品名", "product"),
    optional("接種量", "amount"),
    optional("接種部位", "site"),
    optional("状態", "state"),
    optional("次回予定日", "nextDueDate"),
    optional("製造日", "manufacturedDate"),
    optional("検定日", "certificatedDate"),
    optional("有効期限", "expirationDate"),
];

const fn required(header: &'static str, property: &'static str) -> Column {
    Column { header, property, required: true }
}

const fn optional(header: &'static str, property: &'static str) -> Column {
    Column { header, property, required: false }
}

fn detects(part: &Part<'_>) -> bool {
    table::looks_like(part.bytes, &LAYOUT)
}

fn parse(input: &Input<'_>) -> Parsed {
    let Some(part) = input.parts.first() else { return Parsed::default() };
    let gathered = table::read(part.bytes, &LAYOUT).and_then(|table| person::gather(table, input.today));
    let (people, mut issues) = match gathered {
        Ok(gathered) => gathered,
        Err(refusal) => return Parsed::from(refusal),
    };
    let mut told = Vec::new();
    for of in people {
        let records = merge::read(&of, input.today, &mut issues);
        let given: Vec<_> = records.iter().filter_map(dose::Record::given).collect();
        issues.extend(schedule::flags(&given, of.birth()).into_iter().map(|flag| Issue {
            at: flag.at,
            column: Some(of.rows.first().map_or("date", |row| row.column("date")).into()),
            severity: Severity::Warning,
            code: flag.code,
            text: flag.text,
        }));
        let (municipality, number) = of.keys();
        let drafts = resource::drafts(municipality, number, &records);
        if !drafts.is_empty() {
            told.push(PersonDrafts { person: of.person, drafts });
        }
    }
    issues.sort_by_key(|issue| issue.at);
    Parsed { people: told, issues, refused: None }
}

#[cfg(test)]
mod tests;
