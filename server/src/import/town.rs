//! What the formats of towns have in common: a table of many residents, whose rows
//! are sorted by person, and told of one person after another.

use jiff::civil::Date;

use super::draft::{Draft, Issue, Opened, PersonDrafts, Waiting};
use super::person::{self, Of};
use super::table::{self, Layout};
use super::{About, Custody, Importer, Input, Limits, Part, alone};

/// Makes the drafts of one person's rows, as of this day.
pub(super) type Tell = fn(&Of, Date, &mut Vec<Issue>) -> Vec<Draft>;

/// A format that towns publish.
pub(super) const fn importer(
    name: &'static str,
    detects: fn(&Part<'_>) -> bool,
    open: fn(&Input<'_>) -> Opened,
) -> Importer {
    Importer {
        name,
        detects,
        gather: alone,
        limits: Limits { bytes: 64 << 20, lines: 1_000_000, parts: 1 },
        open,
        about: About::SeveralCitizens,
        custody: Custody::Published,
    }
}

/// The residents of a table.
pub(super) fn open(input: &Input<'_>, layout: &'static Layout, tell: Tell) -> Opened {
    let Some(part) = input.parts.first() else { return Opened::default() };
    let today = input.today;
    match table::read(part.bytes, layout).and_then(|table| person::gather(table, today)) {
        Ok((people, issues)) => {
            let waiting = |of: Of| -> Waiting {
                Box::new(move |issues| {
                    let drafts = tell(&of, today, issues);
                    (!drafts.is_empty()).then_some(PersonDrafts { person: of.person, drafts })
                })
            };
            Opened { people: people.into_iter().map(waiting).collect(), issues, refused: None }
        }
        Err(refusal) => refusal.into(),
    }
}
