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

use jiff::civil::Date;

use super::draft::{Draft, Issue, Severity};
use super::person::Of;
use super::table::{self, Column, Layout};
use super::{Importer, Part, schema, town};

/// Municipal immunizations.
pub const IMPORTER: Importer = town::importer("immunization", detects, |input| town::open(input, &LAYOUT, tell));

static LAYOUT: Layout =
    Layout { columns: &COLUMNS, ignored: &["行の意図"], telling: "vaccine", schema: &schema::IMMUNIZATIONS };

static COLUMNS: [Column; 23] = [
    Column::required("自治体コード", "municipalityCode"),
    Column::required("宛名番号", "residentNumber"),
    Column::optional("氏名", "name"),
    Column::optional("カナ氏名", "kana"),
    Column::required("生年月日", "birthDate"),
    Column::optional("性別", "sex"),
    Column::required("ワクチン名", "vaccine"),
    Column::required("接種日", "date"),
    Column::optional("接種区分", "category"),
    Column::optional("回数", "dose"),
    Column::optional("接種場所", "place"),
    Column::optional("実施機関コード", "facilityCode"),
    Column::optional("法定区分", "program"),
    Column::optional("ロット番号", "lot"),
    Column::optional("メーカー", "manufacturer"),
    Column::optional("製品名", "product"),
    Column::optional("接種量", "amount"),
    Column::optional("接種部位", "site"),
    Column::optional("状態", "state"),
    Column::optional("次回予定日", "nextDueDate"),
    Column::optional("製造日", "manufacturedDate"),
    Column::optional("検定日", "certificatedDate"),
    Column::optional("有効期限", "expirationDate"),
];

fn detects(part: &Part<'_>) -> bool {
    table::looks_like(part.bytes, &LAYOUT)
}

fn tell(of: &Of, today: Date, issues: &mut Vec<Issue>) -> Vec<Draft> {
    let records = merge::read(of, today, issues);
    let given: Vec<_> = records.iter().filter_map(dose::Record::given).collect();
    issues.extend(schedule::flags(&given, of.birth()).into_iter().map(|flag| Issue {
        at: flag.at,
        column: Some(of.rows.first().map_or("date", |row| row.column("date")).into()),
        severity: Severity::Warning,
        code: flag.code,
        text: flag.text,
    }));
    let (municipality, number) = of.keys();
    resource::drafts(municipality, number, &records)
}

#[cfg(test)]
mod tests;
