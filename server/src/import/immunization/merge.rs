//! One person's rows, put together: the same dose twice, two lots on one day,
//! and rows that take back earlier ones.
//!
//! Source: immunizations.md §6, §7

use jiff::civil::Date;

use super::dose::{self, Record, State};
use crate::import::draft::{Issue, Severity, Text};
use crate::import::person::Of;

/// Reads the rows of one person.
pub(super) fn read(of: &Of, today: Date, issues: &mut Vec<Issue>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for row in &of.rows {
        let Some(record) = dose::read(row, of.birth(), today, issues) else { continue };
        let mut say = |severity, code, en: &'static str, ja: &'static str| {
            issues.push(Issue { at: row.at, column: None, severity, code, text: Text::new(en, ja) });
        };
        let near: Vec<&mut Record> = records.iter_mut().filter(|known| is_same_event(known, &record)).collect();
        match relation(&near, &record) {
            Relation::New => records.push(record),
            Relation::TakesBack(at) => {
                near.into_iter().nth(at).into_iter().for_each(|known| known.state = State::TakenBack);
            }
            Relation::Same(at) => {
                let Some(known) = near.into_iter().nth(at) else { continue };
                if is_equal(known, &record) {
                    say(
                        Severity::Information,
                        "duplicate",
                        "the same dose once more; ignored",
                        "同じ接種の行が重複しています",
                    );
                } else {
                    say(
                        Severity::Warning,
                        "duplicate-row",
                        "another row of the same dose, with other content; the later one counts",
                        "同じ接種の行が重複し内容が異なるため、後の行を採ります",
                    );
                }
                *known = Record { at: known.at, ..record };
            }
            Relation::AnotherLot => {
                say(
                    Severity::Warning,
                    "same-day-other-lot",
                    "the same vaccine on the same day from another lot; both are kept",
                    "同じ日の同じワクチンでロット番号が異なります。両方を取り込みます",
                );
                records.push(record);
            }
        }
    }
    tell_lots_apart(&mut records);
    records
}

/// How a row stands to the earlier ones of its vaccine and day.
enum Relation {
    New,
    /// The same dose as the n-th of them.
    Same(usize),
    /// Takes back the n-th of them.
    TakesBack(usize),
    AnotherLot,
}

/// The same vaccine on the same day.
fn is_same_event(one: &Record, other: &Record) -> bool {
    one.when == other.when && one.vaccine_key() == other.vaccine_key()
}

fn has_same_label(one: &Record, other: &Record) -> bool {
    one.series == other.series && one.number == other.number
}

fn relation(near: &[&mut Record], record: &Record) -> Relation {
    let place = |wanted: &dyn Fn(&Record) -> bool| near.iter().position(|known| wanted(known));
    if record.state == State::Withdrawal {
        let unlabelled = record.series.is_none() && record.number.is_none();
        let target = place(&|known| known.state != State::Withdrawal && (unlabelled || has_same_label(known, record)));
        let again = place(&|known| known.state == State::Withdrawal && has_same_label(known, record));
        return match (target, again) {
            (Some(at), _) => Relation::TakesBack(at),
            (None, Some(at)) => Relation::Same(at),
            (None, None) => Relation::New,
        };
    }
    let lot = record.plain_lot();
    let both_given = |known: &Record| known.state == State::Given && record.state == State::Given;
    let same = place(&|known| {
        let same_lot = known.plain_lot() == lot;
        // A blank lot tells nothing: then the label has to agree as well.
        (both_given(known) && same_lot && (!lot.is_empty() || has_same_label(known, record)))
            || (!both_given(known) && has_same_label(known, record))
    });
    match same {
        Some(at) => Relation::Same(at),
        None if near.iter().any(|known| both_given(known)) => Relation::AnotherLot,
        None => Relation::New,
    }
}

/// Equal but for the line and the spelling of the vaccine.
fn is_equal(one: &Record, other: &Record) -> bool {
    has_same_label(one, other)
        && one.state == other.state
        && one.program == other.program
        && one.details == other.details
}

/// Doses of one key and several lots: all but the first by lot name theirs in
/// their key, whatever their order in the file.
fn tell_lots_apart(records: &mut [Record]) {
    for at in 0..records.len() {
        let record = &records[at];
        let lot = record.plain_lot();
        let another = records.iter().enumerate().any(|(other_at, other)| {
            other_at != at
                && other.state != State::Withdrawal
                && record.state != State::Withdrawal
                && is_same_event(other, record)
                && has_same_label(other, record)
                && (other.plain_lot(), other_at) < (lot.clone(), at)
        });
        records[at].another_lot = another;
    }
}
