//! Japanese dates: text in, an ISO date out.
//!
//! ```text
//! 20240401   R060401   5060401   令和6年4月1日   令和元年5月1日   R6.4.1
//! 2024年4月1日   2024/4/1   2024-04-01   19500000 (only the year is known)
//! ```
//!
//! Full-width and half-width are alike. Nothing is guessed: a text is one of
//! these forms and a day of the calendar, or it is a [`DateFault`].
//!
//! To add an era: one row in [`ERAS`].
//!
//! Source: identifiers.md §6

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

/// A date, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// ISO: `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    pub date: String,
    /// Code of a warning: [`ERA_OVERRUN`] or [`PARTIAL`].
    pub warning: Option<&'static str>,
}

/// The date lies up to a year past the end of the era it names.
pub const ERA_OVERRUN: &str = "era-overrun";
/// The source left the day, or day and month, open.
pub const PARTIAL: &str = "date-partial";

impl Found {
    /// The day, where it is known.
    pub fn day(&self) -> Option<Date> {
        (self.date.len() == 10).then(|| self.date.parse().ok()).flatten()
    }
}

/// Why a text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateFault {
    /// Nothing there.
    #[error("empty")]
    Empty,
    /// None of the forms.
    #[error("not in a known form of a date")]
    Shape,
    /// A form that is right, a day that never was.
    #[error("no such day in the calendar")]
    NoSuchDay,
    /// Before the first day of the era it names.
    #[error("before the era began")]
    BeforeEra,
    /// A year or more after the last day of the era it names.
    #[error("long after the era ended")]
    PastEra,
    /// `99999999`, `00000000`: the source says that the date is not known.
    /// To be treated as absent, with a warning.
    #[error("the source does not know the date")]
    Unknown,
}

impl DateFault {
    /// A short constant for reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "date-missing",
            Self::Shape => "date-shape",
            Self::NoSuchDay => "date-impossible",
            Self::BeforeEra => "era-before-start",
            Self::PastEra => "era-past-end",
            Self::Unknown => "date-unknown",
        }
    }
}

/// Reads a date in any of the forms above.
///
/// `R060401` → `2024-04-01`; `H310501` → `2019-05-01` with [`ERA_OVERRUN`];
/// `19500000` → `1950` with [`PARTIAL`].
///
/// # Errors
/// [`DateFault`] says what is wrong; `T010101` is [`DateFault::BeforeEra`].
pub fn read(text: &str) -> Result<Found, DateFault> {
    let plain = plain(text);
    if plain.is_empty() {
        return Err(DateFault::Empty);
    }
    let (era, numbers) = match Era::split(&plain) {
        Some((era, rest)) => (Some(era), digits_of_era(rest).or_else(|| parted(rest))),
        None => whole(&plain),
    };
    let numbers = numbers.ok_or(DateFault::Shape)?;
    match era {
        Some(era) => era.date(numbers),
        None => gregorian(numbers),
    }
}

/// Year, month, day as written; `None` where the text stops before them.
type Numbers = (i16, Option<i8>, Option<i8>);

/// NFKC without white space, capitals, one kind of hyphen.
fn plain(text: &str) -> String {
    text.nfkc()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| match letter {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            _ => letter.to_ascii_uppercase(),
        })
        .collect()
}

/// `20240401` and `5060401`, or a date in parts.
fn whole(text: &str) -> (Option<&'static Era>, Option<Numbers>) {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return (None, parted(text));
    }
    match text.len() {
        8 => (None, numbers(&text[..4], &text[4..6], &text[6..])),
        7 => match ERAS.iter().find(|era| text.starts_with(era.digit)) {
            Some(era) => (Some(era), digits_of_era(&text[1..])),
            None => (None, None),
        },
        _ => (None, None),
    }
}

/// `YYMMDD` after the era.
fn digits_of_era(text: &str) -> Option<Numbers> {
    let all = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { numbers(&text[..2], &text[2..4], &text[4..]) } else { None }
}

fn numbers(year: &str, month: &str, day: &str) -> Option<Numbers> {
    Some((year.parse().ok()?, Some(month.parse().ok()?), Some(day.parse().ok()?)))
}

/// `6年4月1日`, `元年5月`, `2024/4/1`, `2024-04-01`, `6.4.1`.
fn parted(text: &str) -> Option<Numbers> {
    let text = text.replace("元年", "1年");
    if let Some((year, rest)) = text.split_once('年') {
        let (month, day) = match rest.split_once('月') {
            Some((month, day)) => (Some(month), day),
            None => (None, rest),
        };
        let day = if day.is_empty() { None } else { Some(day.strip_suffix('日')?) };
        // A day without its month is no date.
        return if day.is_some() && month.is_none() { None } else { of_parts(year, month, day) };
    }
    let mark = text.chars().find(|letter| !letter.is_ascii_digit())?;
    if !['/', '-', '.'].contains(&mark) {
        return None;
    }
    let mut parts = text.split(mark);
    let found = of_parts(parts.next()?, parts.next(), parts.next());
    if parts.next().is_some() { None } else { found }
}

fn of_parts(year: &str, month: Option<&str>, day: Option<&str>) -> Option<Numbers> {
    let small = |text: &str| -> Option<i8> {
        let fits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { text.parse().ok() } else { None }
    };
    let year_fits = matches!(year.len(), 1..=4) && year.bytes().all(|byte| byte.is_ascii_digit());
    let year = if year_fits { year.parse().ok()? } else { return None };
    let month = month.map(small);
    let day = day.map(small);
    if month == Some(None) || day == Some(None) {
        return None;
    }
    Some((year, month.flatten(), day.flatten()))
}

/// A date by the western calendar; a year of fewer than four digits is none.
fn gregorian((year, month, day): Numbers) -> Result<Found, DateFault> {
    if year == 0 || year == 9999 {
        return Err(DateFault::Unknown);
    }
    if year < 1000 {
        return Err(DateFault::Shape);
    }
    found(year, month, day)
}

/// The date, cut where the source left it open (`00` or `99`).
fn found(year: i16, month: Option<i8>, day: Option<i8>) -> Result<Found, DateFault> {
    let known = |part: Option<i8>| part.filter(|&part| part != 0 && part != 99);
    let (date, warning) = match (known(month), known(day)) {
        (Some(month), Some(day)) => {
            Date::new(year, month, day).map_err(|_| DateFault::NoSuchDay)?;
            (format!("{year:04}-{month:02}-{day:02}"), None)
        }
        (Some(month), None) if (1..=12).contains(&month) => (format!("{year:04}-{month:02}"), Some(PARTIAL)),
        (None, None) => (format!("{year:04}"), Some(PARTIAL)),
        (Some(_), None) | (None, Some(_)) => return Err(DateFault::NoSuchDay),
    };
    Ok(Found { date, warning })
}

/// One era: how it is written and when it began.
struct Era {
    letter: char,
    digit: char,
    name: &'static str,
    /// Western year of its year 1, less one.
    offset: i16,
    first: Date,
    /// The last day; `None` while it lasts.
    last: Option<Date>,
}

impl Era {
    /// The era a text begins with, and the rest.
    fn split(text: &str) -> Option<(&'static Era, &str)> {
        ERAS.iter().find_map(|era| {
            let rest = text.strip_prefix(era.name).or_else(|| text.strip_prefix(era.letter))?;
            Some((era, rest))
        })
    }

    fn date(&self, (year, month, day): Numbers) -> Result<Found, DateFault> {
        match year {
            0 => return Err(DateFault::NoSuchDay),
            // Western years do not follow an era's name.
            100.. => return Err(DateFault::Shape),
            _ => {}
        }
        let mut found = found(self.offset + year, month, day)?;
        if found.date < text_of(self.first, found.date.len()) {
            return Err(DateFault::BeforeEra);
        }
        if let Some(last) = self.last
            && found.date > text_of(last, found.date.len())
        {
            let limit = Date::new(last.year() + 1, last.month(), last.day()).unwrap_or(last);
            if found.date >= text_of(limit, found.date.len()) {
                return Err(DateFault::PastEra);
            }
            found.warning = Some(ERA_OVERRUN);
        }
        Ok(found)
    }
}

/// A bound cut to a precision: ISO dates of one length compare as text.
fn text_of(bound: Date, length: usize) -> String {
    bound.to_string()[..length].to_owned()
}

const fn day(year: i16, month: i8, day: i8) -> Date {
    Date::constant(year, month, day)
}

const ERAS: [Era; 5] = [
    Era {
        letter: 'M', digit: '1', name: "明治", offset: 1867, first: day(1868, 1, 25), last: Some(day(1912, 7, 29))
    },
    Era {
        letter: 'T', digit: '2', name: "大正", offset: 1911, first: day(1912, 7, 30), last: Some(day(1926, 12, 24))
    },
    Era {
        letter: 'S', digit: '3', name: "昭和", offset: 1925, first: day(1926, 12, 25), last: Some(day(1989, 1, 7))
    },
    Era { letter: 'H', digit: '4', name: "平成", offset: 1988, first: day(1989, 1, 8), last: Some(day(2019, 4, 30)) },
    Era { letter: 'R', digit: '5', name: "令和", offset: 2018, first: day(2019, 5, 1), last: None },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_day() {
        for text in [
            "20240401",
            "２０２４０４０１",
            "R060401",
            "r060401",
            "Ｒ０６０４０１",
            "5060401",
            "令和6年4月1日",
            "令和 ６年 ４月 １日",
            "㋿6年4月1日",
            "R6.4.1",
            "R06/04/01",
            "2024年4月1日",
            "2024年04月01日",
            "2024/4/1",
            "2024/04/01",
            "2024-04-01",
            "2024−4−1",
            " 2024-04-01\u{3000}",
        ] {
            assert_eq!(read(text), Ok(Found { date: "2024-04-01".into(), warning: None }), "{text}");
        }
    }

    #[test]
    fn edges_of_the_eras() {
        use DateFault::{BeforeEra, NoSuchDay, PastEra};
        for (text, expected) in [
            ("M010125", Ok(("1868-01-25", None))),
            ("M010124", Err(BeforeEra)),
            ("T01/01/01", Err(BeforeEra)),
            ("大正元年7月30日", Ok(("1912-07-30", None))),
            ("S011225", Ok(("1926-12-25", None))),
            ("S640107", Ok(("1989-01-07", None))),
            ("S640108", Ok(("1989-01-08", Some(ERA_OVERRUN)))),
            ("S650106", Ok(("1990-01-06", Some(ERA_OVERRUN)))),
            ("S650107", Err(PastEra)),
            ("H010107", Err(BeforeEra)),
            ("平成元年1月8日", Ok(("1989-01-08", None))),
            ("H310430", Ok(("2019-04-30", None))),
            ("H310501", Ok(("2019-05-01", Some(ERA_OVERRUN)))),
            ("H320430", Err(PastEra)),
            ("令和元年", Ok(("2019", Some(PARTIAL)))),
            ("R010430", Err(BeforeEra)),
            ("R000501", Err(NoSuchDay)),
        ] {
            let found = read(text);
            let found = found.as_ref().map(|found| (found.date.as_str(), found.warning)).map_err(|fault| *fault);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        for (text, expected) in [
            ("19500000", Ok("1950")),
            ("19500500", Ok("1950-05")),
            ("19509999", Ok("1950")),
            ("S250000", Ok("1950")),
            ("1950年5月", Ok("1950-05")),
            ("1950-05", Ok("1950-05")),
            ("99999999", Err(DateFault::Unknown)),
            ("00000000", Err(DateFault::Unknown)),
            ("19500012", Err(DateFault::NoSuchDay)),
        ] {
            let found = read(text);
            if let Ok(found) = &found {
                assert_eq!(found.warning, Some(PARTIAL), "{text}");
                assert_eq!(found.day(), None);
            }
            assert_eq!(found.as_ref().map(|found| found.date.as_str()).map_err(|fault| *fault), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        use DateFault::{Empty, NoSuchDay, Shape};
        for (text, expected) in [
            ("", Empty),
            ("\u{3000}", Empty),
            ("20240231", NoSuchDay),
            ("20230229", NoSuchDay),
            ("2024-13-01", NoSuchDay),
            ("2024-00-05", NoSuchDay),
            ("202404", Shape),
            ("9060401", Shape),
            ("2024/4/1/2", Shape),
            ("2024/4-1", Shape),
            ("2024年1日", Shape),
            ("2024年4月1", Shape),
            ("令和2024年4月1日", Shape),
            ("24/4/1", Shape),
            ("X060401", Shape),
            ("R", Shape),
            ("2024-04-01T00:00", Shape),
            ("昨日", Shape),
            ("🙂🙂", Shape),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    /// Every day since Meiji, in the numeric forms: read as it was written.
    #[test]
    fn every_day_reads_back() {
        let mut day = Date::constant(1868, 1, 25);
        let mut era = 0;
        while day < Date::constant(2100, 1, 1) {
            if ERAS[era].last.is_some_and(|last| day > last) {
                era += 1;
            }
            let (letter, offset) = (ERAS[era].letter, ERAS[era].offset);
            let western = day.strftime("%Y%m%d").to_string();
            let japanese = format!("{letter}{:02}{}", day.year() - offset, &western[4..]);
            for text in [western, japanese] {
                let found = read(&text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
                assert_eq!((found.day(), found.warning), (Some(day), None), "{text}");
            }
            day = day.tomorrow().expect("before 2100");
        }
    }
}
