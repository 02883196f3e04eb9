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

use super::draft::{LOCAL_BASE, PersonDrafts};
use super::table::{self, Column, Layout};
use super::{About, Custody, Importer, Input, Limits, Parsed, Part, alone, person, schema};

/// Municipal infant check-ups.
pub const IMPORTER: Importer = Importer {
    name: "checkup",
    detects,
    gather: alone,
    limits: Limits { bytes: 64 << 20, lines: 1_000_000, parts: 1 },
    parse,
    about: About::SeveralCitizens,
    custody: Custody::Published,
};

/// The system of every key made here.
fn identifier_system() -> String {
    format!("{LOCAL_BASE}/Id/municipal-checkup")
}

static LAYOUT: Layout =
    Layout { columns: &COLUMNS, ignored: &["行の意図"], telling: "kind", schema: &schema::INFANT_CHECKUPS };

static COLUMNS: [Column; 23] = [
    required("自治体コード", "municipalityCode"),
    required("宛名番号", "residentNumber"),
    optional("氏名", "name"),
    optional("カナ氏名", "kana"),
    required("生年月日", "birthDate"),
    optional("性別", "sex"),
    required("健診種別", "kind"),
    required("診査日", "date"),
    optional("診査場所", "place"),
    optional("身長", "height"),
    optional("体重", "weight"),
    optional("胸囲", "chest"),
    optional("頭囲", "head"),
    optional("カウプ指数", "kaup"),
    optional("生歯数", "teeth"),
    optional("虫歯数", "caries"),
    optional("尿蛋白", "urineProtein"),
    optional("尿糖", "urineGlucose"),
    optional("尿潜血", "urineBlood"),
    optional("尿白血球", "urineLeukocytes"),
    optional("股関節所見", "hipFinding"),
    optional("備考", "note"),
    optional("判定", "judgement"),
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
        let visits = visit::read(&of, input.today, &mut issues);
        let (municipality, number) = of.keys();
        let drafts: Vec<_> = resource::drafts(municipality, number, visits);
        if !drafts.is_empty() {
            told.push(PersonDrafts { person: of.person, drafts });
        }
    }
    issues.sort_by_key(|issue| issue.at);
    Parsed { people: told, issues, refused: None }
}

#[cfg(test)]
mod tests;
