//! Infant and child check-ups (乳幼児健診) as towns send them: CSV or JSON.
//!
//! One row is one visit: an Encounter, a DiagnosticReport and an Observation for
//! each filled item. Rows of one child, kind and day are one visit, and the last
//! word on each item counts, just as if they had come in two files. A blank cell
//! is no Observation, never a zero.
//!
//! Columns that mean nothing here are kept on the DiagnosticReport, each in an
//! extension with its name and value as received ([`table::preserved`]).
//!
//! To add an item: a row in `item::ITEMS` and a column here. To add a kind: a row
//! in `kind::KINDS`. A new column of JSON also goes into its schema.
//!
//! Source: infant-checkups.md

mod item;
mod kind;
mod resource;
mod value;
mod visit;

use jiff::civil::Date;

use super::draft::{Draft, Issue, LOCAL_BASE};
use super::person::Of;
use super::table::{self, Column, Layout};
use super::{Importer, Part, schema, town};

/// Municipal infant check-ups.
pub const IMPORTER: Importer = town::importer("checkup", detects, |input| town::open(input, &LAYOUT, tell));

/// The system of every key made here.
fn identifier_system() -> String {
    format!("{LOCAL_BASE}/Id/municipal-checkup")
}

static LAYOUT: Layout =
    Layout { columns: &COLUMNS, ignored: &["行の意図"], telling: "kind", schema: &schema::INFANT_CHECKUPS };

static COLUMNS: [Column; 23] = [
    Column::required("自治体コード", "municipalityCode"),
    Column::required("宛名番号", "residentNumber"),
    Column::optional("氏名", "name"),
    Column::optional("カナ氏名", "kana"),
    Column::required("生年月日", "birthDate"),
    Column::optional("性別", "sex"),
    Column::required("健診種別", "kind"),
    Column::required("診査日", "date"),
    Column::optional("診査場所", "place"),
    Column::optional("身長", "height"),
    Column::optional("体重", "weight"),
    Column::optional("胸囲", "chest"),
    Column::optional("頭囲", "head"),
    Column::optional("カウプ指数", "kaup"),
    Column::optional("生歯数", "teeth"),
    Column::optional("虫歯数", "caries"),
    Column::optional("尿蛋白", "urineProtein"),
    Column::optional("尿糖", "urineGlucose"),
    Column::optional("尿潜血", "urineBlood"),
    Column::optional("尿白血球", "urineLeukocytes"),
    Column::optional("股関節所見", "hipFinding"),
    Column::optional("備考", "note"),
    Column::optional("判定", "judgement"),
];

fn detects(part: &Part<'_>) -> bool {
    table::looks_like(part.bytes, &LAYOUT)
}

fn tell(of: &Of, today: Date, issues: &mut Vec<Issue>) -> Vec<Draft> {
    let visits = visit::read(of, today, issues);
    let (municipality, number) = of.keys();
    resource::drafts(municipality, number, visits)
}

#[cfg(test)]
mod tests;
