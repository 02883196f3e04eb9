//! The visits of one child: her rows, read and put together.
//!
//! Source: infant-checkups.md §5, §7

use jiff::civil::Date;

use super::item::{HEIGHT, ITEMS, Item, KAUP, WEIGHT};
use super::kind::{self, Kind};
use super::value::{self, Kaup, Value};
use crate::import::date;
use crate::import::decimal::Decimal;
use crate::import::draft::{Issue, Line, Severity, Text};
use crate::import::person::{Of, whole_day};
use crate::import::table::Row;

/// One visit.
#[derive(Debug)]
pub(super) struct Visit {
    /// The line that first told of it.
    pub(super) at: Line,
    /// Its kind; `None` where nobody knows it.
    pub(super) kind: Option<&'static Kind>,
    /// Its kind as received.
    pub(super) kind_text: String,
    /// ISO date, full or partial.
    pub(super) date: String,
    /// Where it was.
    pub(super) place: Option<String>,
    /// Remarks.
    pub(super) note: Option<String>,
    /// The town's judgement.
    pub(super) judgement: Option<String>,
    /// Name and value of columns that mean nothing here.
    pub(super) unknown: Vec<(String, String)>,
    /// What was found, in the order of [`ITEMS`].
    pub(super) values: Vec<(&'static Item, Value)>,
    /// Kaup by weight and height, where it was not sent or is not what they give.
    pub(super) computed_kaup: Option<Decimal>,
}

/// Reads the rows of one child.
pub(super) fn read(of: &Of, today: Date, issues: &mut Vec<Issue>) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for row in &of.rows {
        let Some(visit) = one(row, of.birth(), today, issues) else { continue };
        let same = |known: &&mut Visit| {
            known.kind == visit.kind
                && known.date == visit.date
                && (visit.kind.is_some() || known.kind_text == visit.kind_text)
        };
        match visits.iter_mut().find(same) {
            Some(known) => join(known, visit, row, issues),
            None => visits.push(visit),
        }
    }
    for visit in &mut visits {
        let column = of.rows.first().map_or(KAUP, |row| row.column(KAUP));
        compute(visit, of.birth(), column, issues);
    }
    visits
}

/// One row; `None`, with an issue, where it cannot be used.
fn one(row: &Row, birth: Option<Date>, today: Date, issues: &mut Vec<Issue>) -> Option<Visit> {
    let day = visit_date(row, birth, today, issues)?;
    let Some(kind_text) = row.get("kind") else {
        issues.push(row.issue(
            "kind",
            Severity::Error,
            "kind-missing",
            Text::new("no kind of check-up; the row is left out", "健診種別がないため、この行は取り込みません"),
        ));
        return None;
    };
    let kind = kind::find(kind_text);
    match (kind, birth, whole_day(&day)) {
        (None, ..) => issues.push(row.issue(
            "kind",
            Severity::Warning,
            "kind-unknown",
            Text::new(
                "an unknown kind of check-up; kept as other",
                "知らない健診種別のため「その他」として取り込みます",
            ),
        )),
        (Some(kind), Some(birth), Some(day)) if !kind.fits(birth, day) => issues.push(row.issue(
            "date",
            Severity::Warning,
            "age-outside-window",
            Text::new(
                "the child's age is not that of this kind of check-up",
                "この健診の対象の月齢・年齢ではありません",
            ),
        )),
        _ => {}
    }
    let mut visit = Visit {
        at: row.at,
        kind,
        kind_text: kind_text.to_owned(),
        date: day,
        place: row.get("place").map(str::to_owned),
        note: row.get("note").map(str::to_owned),
        judgement: row.get("judgement").map(str::to_owned),
        unknown: row.unknown.clone(),
        values: Vec::new(),
        computed_kaup: None,
    };
    for item in &ITEMS {
        let Some(text) = row.get(item.property) else { continue };
        match value::read(item, text) {
            Ok(read) => {
                if let Some((code, text)) = read.warning {
                    issues.push(row.issue(item.property, Severity::Warning, code, text));
                }
                visit.values.push((item, read.value));
            }
            Err(fault) => issues.push(row.issue(item.property, Severity::Error, fault.code(), fault.text())),
        }
    }
    weigh_teeth(&visit, row, birth, issues);
    Some(visit)
}

/// The day of the visit; `None`, with an issue, where there can have been none.
fn visit_date(row: &Row, birth: Option<Date>, today: Date, issues: &mut Vec<Issue>) -> Option<String> {
    let mut refuse = |code, en: &'static str, ja: &'static str| {
        issues.push(row.issue("date", Severity::Error, code, Text::new(en, ja)));
    };
    let found = match row.get("date").map_or(Err(date::DateFault::Empty), date::read) {
        Ok(found) => found,
        Err(fault) => {
            refuse(
                fault.code(),
                "the day of the check-up is missing or cannot be read; the row is left out",
                "診査日がないか読み取れないため、この行は取り込みません",
            );
            return None;
        }
    };
    if found.date > today.to_string() {
        refuse(
            "date-future",
            "the check-up lies ahead; the row is left out",
            "診査日が未来のため、この行は取り込みません",
        );
        return None;
    }
    if birth.is_some_and(|birth| found.date.as_str() < &birth.to_string()[..found.date.len()]) {
        refuse(
            "date-before-birth",
            "the check-up lies before the birth; the row is left out",
            "診査日が生年月日より前のため、この行は取り込みません",
        );
        return None;
    }
    if let Some(code) = found.warning {
        let text = Text::new(
            "the day of the check-up is partial or names an era that had ended",
            "診査日が一部不明か、終わった元号で書かれています",
        );
        issues.push(row.issue("date", Severity::Warning, code, text));
    }
    Some(found.date)
}

/// More teeth than a child of the age has, more bad ones than there are.
fn weigh_teeth(visit: &Visit, row: &Row, birth: Option<Date>, issues: &mut Vec<Issue>) {
    let count = |property: &str| match visit.get(property) {
        Some(Value::Quantity(number, _)) => Some(number.parts().0),
        _ => None,
    };
    let under_five = match (birth.and_then(|birth| completed_months(birth, whole_day(&visit.date)?)), visit.kind) {
        (Some(months), _) => months < 60,
        (None, kind) => kind.is_some_and(|kind| kind.code != "y5"),
    };
    let mut warn = |property, en: &'static str, ja: &'static str| {
        issues.push(row.issue(property, Severity::Warning, "implausible", Text::new(en, ja)));
    };
    if under_five && count("teeth").is_some_and(|teeth| teeth > 20) {
        warn("teeth", "more than 20 teeth under the age of five", "5歳未満で歯が20本を超えています");
    }
    if let (Some(teeth), Some(caries)) = (count("teeth"), count("caries"))
        && caries > teeth
    {
        warn("caries", "more decayed teeth than teeth", "虫歯の数が歯の数を超えています");
    }
}

/// Takes a later row of the same visit in.
fn join(known: &mut Visit, later: Visit, row: &Row, issues: &mut Vec<Issue>) {
    let mut changed = false;
    for (item, value) in later.values {
        match known.values.iter_mut().find(|(other, _)| other.code == item.code) {
            Some((_, old)) if *old == value => {}
            Some((_, old)) => {
                changed = true;
                *old = value;
                issues.push(row.issue(
                    item.property,
                    Severity::Warning,
                    "duplicate-differs",
                    Text::new(
                        "an earlier row of the same check-up has another value; this one counts",
                        "同じ健診の前の行と値が異なります。この行の値を採ります",
                    ),
                ));
            }
            None => {
                changed = true;
                known.values.push((item, value));
            }
        }
    }
    known.values.sort_by_key(|(item, _)| ITEMS.iter().position(|other| other.code == item.code));
    for (old, new) in
        [(&mut known.place, later.place), (&mut known.note, later.note), (&mut known.judgement, later.judgement)]
    {
        if new.is_some() && *old != new {
            changed = true;
            *old = new;
        }
    }
    for (name, value) in later.unknown {
        known.unknown.retain(|(other, _)| *other != name);
        known.unknown.push((name, value));
    }
    let (severity, code, text) = if changed {
        (
            Severity::Warning,
            "duplicate-row",
            Text::new(
                "another row of the same check-up, with other content; the last word counts",
                "同じ健診の行が重複し内容が異なるため、後の行の値を採ります",
            ),
        )
    } else {
        (
            Severity::Information,
            "duplicate",
            Text::new("the same row once more; ignored", "同じ内容の行が重複しています"),
        )
    };
    issues.push(Issue { at: row.at, column: None, severity, code, text });
}

/// Kaup is computed where it was not sent; where it was and differs, both are kept.
fn compute(visit: &mut Visit, birth: Option<Date>, column: &'static str, issues: &mut Vec<Issue>) {
    let computed = match (visit.get(WEIGHT), visit.get(HEIGHT)) {
        (Some(weight), Some(height)) => Kaup::of(weight, height),
        _ => None,
    };
    let Some(kaup) = computed else { return };
    match visit.get(KAUP) {
        Some(Value::Quantity(given, _)) if kaup.contradicts(given) => {
            issues.push(Issue {
                at: visit.at,
                column: Some(column.into()),
                severity: Severity::Warning,
                code: "kaup-mismatch",
                text: Text::new(
                    "the Kaup index is not what weight and height give; both are kept",
                    "カウプ指数が身長と体重から計算した値と異なるため、両方を取り込みます",
                ),
            });
            visit.computed_kaup = kaup.rounded();
        }
        Some(_) => {}
        None if too_young(visit, birth) => {}
        None => visit.computed_kaup = kaup.rounded(),
    }
}

/// The index is used from three months on.
fn too_young(visit: &Visit, birth: Option<Date>) -> bool {
    match (birth, whole_day(&visit.date)) {
        (Some(birth), Some(day)) => completed_months(birth, day).is_some_and(|months| months < 3),
        _ => visit.kind.is_some_and(|kind| kind.code == "m01"),
    }
}

fn completed_months(birth: Date, day: Date) -> Option<i32> {
    birth.until((jiff::Unit::Month, day)).ok().map(|span| span.get_months())
}

impl Visit {
    /// The value of the item of this JSON name.
    pub(super) fn get(&self, property: &str) -> Option<&Value> {
        self.values.iter().find(|(item, _)| item.property == property).map(|(_, value)| value)
    }
}

/// The item of this JSON name.
pub(super) fn item(property: &str) -> &'static Item {
    ITEMS.iter().find(|item| item.property == property).expect("named by a constant of the same table")
}
