//! The routine schedule as dated tables, and what it says of doses given.
//!
//! A dose is history: it is stored whatever the schedule says. What is unusual is
//! told: too short an interval, an age outside the legal window, more doses than
//! there are, an order that cannot be. Each dose is judged by the rule of its day.
//! Doses whose day is not known are not judged.
//!
//! "≥ n days" counts the days *between*: the next dose is allowed n + 1 days later.
//! Months end on the same day of the month, clamped to its last day. By the age law
//! an age is reached the day before the birthday, so windows open one day early.
//!
//! Output is information, never a medical order. To change a rule: end the old
//! row with `until`, add a new one with `from`.
//!
//! Source: immunizations.md §3, §7

use jiff::ToSpan;
use jiff::civil::Date;

use super::label::Program;
use super::vaccine::{Agent, by_code};
use crate::import::draft::{Line, Text};

/// A dose that was given on a known day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dose {
    /// Where a report speaks of it; `None` for one that is not of this file.
    pub at: Option<Line>,
    /// Code of the vaccine.
    pub vaccine: &'static str,
    /// The day.
    pub day: Date,
    /// Its series.
    pub series: Option<String>,
    /// Its number in the series.
    pub number: Option<u32>,
    /// Its legal class, where known.
    pub program: Option<Program>,
}

/// Something to be told of a dose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The dose's line.
    pub at: Line,
    /// `interval`, `window`, `order` or `dose-count`.
    pub code: &'static str,
    /// For people.
    pub text: Text,
}

/// A rule holds on days from `from` until before `until`.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// The first day; `None` for always.
    pub from: Option<Date>,
    /// The first day on which it no longer holds; `None` for ever.
    pub until: Option<Date>,
}

impl Period {
    fn holds(self, day: Date) -> bool {
        self.from.is_none_or(|from| day >= from) && self.until.is_none_or(|until| day < until)
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// Full days in between.
    Days(i32),
    /// Months, to the same day.
    Months(i32),
}

/// Ages at which a vaccine is given.
#[derive(Clone, Copy, Debug)]
pub enum Ages {
    /// From an age until before another.
    Between(Age, Age),
    /// The school year (April to March) before primary school.
    YearBeforeSchool,
}

/// An age in months and days.
pub type Age = (i32, i32);

/// The legal window of a vaccine.
#[derive(Debug)]
pub struct Window {
    /// The vaccines.
    pub vaccines: &'static [&'static str],
    /// Whether for the second period of a series.
    pub second: bool,
    /// Only for the first dose.
    pub first_only: bool,
    /// The ages.
    pub ages: Ages,
    /// When the rule holds.
    pub period: Period,
}

/// What vaccines that count as one ask of their doses.
#[derive(Debug)]
pub struct Series {
    /// The vaccines.
    pub vaccines: &'static [&'static str],
    /// Between two primary doses.
    pub primary: Option<Length>,
    /// Between the last primary dose and the booster.
    pub booster: Option<Length>,
    /// The number at which the booster stands.
    pub booster_number: u32,
    /// How many there are in all.
    pub most: usize,
    /// When the rule holds.
    pub period: Period,
}

const ALWAYS: Period = Period { from: None, until: None };

const fn since(year: i16, month: i8, day: i8) -> Period {
    Period { from: Some(Date::constant(year, month, day)), until: None }
}

const fn before(year: i16, month: i8, day: i8) -> Period {
    Period { from: None, until: Some(Date::constant(year, month, day)) }
}

const fn window(vaccines: &'static [&'static str], from: Age, until: Age, period: Period) -> Window {
    Window { vaccines, second: false, first_only: false, ages: Ages::Between(from, until), period }
}

const fn second(vaccines: &'static [&'static str], ages: Ages) -> Window {
    Window { vaccines, second: true, first_only: false, ages, period: ALWAYS }
}

const fn first(vaccines: &'static [&'static str], from: Age, until: Age) -> Window {
    Window { vaccines, second: false, first_only: true, ages: Ages::Between(from, until), period: ALWAYS }
}

/// Legal windows. 「…に至るまで」 ends on the day before.
pub static WINDOWS: [Window; 16] = [
    window(&["HBV"], (0, 0), (12, 0), ALWAYS),
    window(&["RV1"], (0, 42), (0, 169), ALWAYS),
    window(&["RV5"], (0, 42), (0, 225), ALWAYS),
    first(&["RV1", "RV5", "RV"], (0, 42), (0, 105)),
    window(&["HIB", "PCV"], (2, 0), (60, 0), ALWAYS),
    window(&["DPT", "DPTIPV", "DPTIPVHIB", "IPV"], (3, 0), (90, 0), before(2023, 4, 1)),
    window(&["DPT", "DPTIPV", "DPTIPVHIB", "IPV"], (2, 0), (90, 0), since(2023, 4, 1)),
    second(&["DT", "DPT"], Ages::Between((132, 0), (156, 0))),
    window(&["DT"], (132, 0), (156, 0), ALWAYS),
    window(&["BCG"], (0, 0), (6, 0), before(2013, 4, 1)),
    window(&["BCG"], (0, 0), (12, 0), since(2013, 4, 1)),
    window(&["MR", "M", "R"], (12, 0), (24, 0), ALWAYS),
    second(&["MR", "M", "R"], Ages::YearBeforeSchool),
    window(&["VAR"], (12, 0), (36, 0), ALWAYS),
    window(&["JE"], (6, 0), (90, 0), ALWAYS),
    second(&["JE"], Ages::Between((108, 0), (156, 0))),
];

const fn series(
    vaccines: &'static [&'static str],
    primary: Option<Length>,
    booster: Option<Length>,
    (booster_number, most): (u32, usize),
) -> Series {
    Series { vaccines, primary, booster, booster_number, most, period: ALWAYS }
}

const NO_BOOSTER: u32 = u32::MAX;

/// Intervals and numbers of doses.
pub static SERIES: [Series; 16] = [
    series(&["HBV"], Some(Length::Days(27)), None, (NO_BOOSTER, 3)),
    series(&["RV1"], Some(Length::Days(27)), None, (NO_BOOSTER, 2)),
    series(&["RV5"], Some(Length::Days(27)), None, (NO_BOOSTER, 3)),
    series(&["HIB"], Some(Length::Days(27)), Some(Length::Months(7)), (4, 4)),
    series(&["PCV"], Some(Length::Days(27)), Some(Length::Days(60)), (4, 4)),
    series(&["DPT", "DPTIPV", "DPTIPVHIB"], Some(Length::Days(20)), Some(Length::Months(6)), (4, 4)),
    series(&["IPV"], Some(Length::Days(20)), Some(Length::Months(6)), (4, 4)),
    series(&["DT"], None, None, (NO_BOOSTER, 1)),
    series(&["BCG"], None, None, (NO_BOOSTER, 1)),
    series(&["MR"], None, None, (NO_BOOSTER, 2)),
    series(&["M"], None, None, (NO_BOOSTER, 2)),
    series(&["R"], None, None, (NO_BOOSTER, 2)),
    series(&["VAR"], Some(Length::Months(3)), None, (NO_BOOSTER, 2)),
    series(&["JE"], Some(Length::Days(6)), Some(Length::Months(6)), (3, 4)),
    series(&["HPV2", "HPV4", "HPV9", "HPV"], Some(Length::Months(1)), None, (NO_BOOSTER, 3)),
    series(&["MUMPS"], None, None, (NO_BOOSTER, 2)),
];

/// Between the first and the third dose of hepatitis B.
const HBV_FIRST_TO_THIRD: Length = Length::Days(139);
/// Between the doses of a pneumococcal series begun in the second year.
const PCV_LATE: Length = Length::Days(60);
/// The pneumococcal booster is not given before this age in months.
const PCV_BOOSTER_AGE: i32 = 12;

/// What one dose asks of the next of another vaccine.
#[derive(Debug)]
pub struct Distance {
    /// Of the earlier dose.
    pub after: &'static [Agent],
    /// Of the later dose; empty for any.
    pub then: &'static [Agent],
    /// How far apart.
    pub least: Length,
    /// When the rule holds, by the day of the later dose.
    pub period: Period,
}

/// The cross rule, and what it was before October 2020.
pub static DISTANCES: [Distance; 3] = [
    Distance { after: &[Agent::Live], then: &[Agent::Live], least: Length::Days(27), period: since(2020, 10, 1) },
    Distance {
        after: &[Agent::Live, Agent::LiveOral],
        then: &[],
        least: Length::Days(27),
        period: before(2020, 10, 1),
    },
    Distance { after: &[Agent::Inactive], then: &[], least: Length::Days(6), period: before(2020, 10, 1) },
];

/// What the schedule says of one person's doses, in the order of their lines.
/// Doses of other files or of the store may be among them, with `at` = `None`.
pub fn flags(doses: &[Dose], birth: Option<Date>) -> Vec<Flag> {
    let mut doses: Vec<&Dose> = doses.iter().collect();
    doses.sort_by_key(|dose| dose.day);
    let mut flags = Vec::new();
    if let Some(birth) = birth {
        for dose in &doses {
            flags.extend(outside_window(dose, birth, &doses));
        }
    }
    for rule in &SERIES {
        within(rule, &doses, birth, &mut flags);
    }
    for (at, later) in doses.iter().enumerate() {
        let near = doses[..at]
            .iter()
            .any(|earlier| DISTANCES.iter().any(|rule| rule.period.holds(later.day) && rule.is_broken(earlier, later)));
        if near {
            push(&mut flags, later, "interval", TOO_NEAR);
        }
    }
    flags.sort_by_key(|flag| (flag.at, flag.code));
    flags.dedup_by(|one, other| one.at == other.at && one.code == other.code);
    flags
}

/// English and Japanese of a flag.
type Words = (&'static str, &'static str);

const TOO_SOON: Words = (
    "given sooner after the dose before it than the schedule allows; kept",
    "前の回からの間隔が規定より短い接種です。記録はそのまま取り込みます",
);
const TOO_NEAR: Words = (
    "given sooner after another vaccine than the rule of its day allows; kept",
    "他のワクチンからの間隔が当時の規定より短い接種です。記録はそのまま取り込みます",
);
const OUTSIDE: Words = (
    "given at an age outside of the legal window; kept",
    "定期接種の対象年齢の外の接種です。記録はそのまま取り込みます",
);
const TOO_MANY: Words =
    ("one dose more than the schedule has; kept", "規定の回数を超える接種です。記録はそのまま取り込みます");
const OUT_OF_ORDER: Words = (
    "its number does not follow that of the dose before it; kept",
    "前の回より後の接種ですが、回数が進んでいません。記録はそのまま取り込みます",
);

fn push(flags: &mut Vec<Flag>, dose: &Dose, code: &'static str, (en, ja): Words) {
    if let Some(at) = dose.at {
        flags.push(Flag { at, code, text: Text::new(en, ja) });
    }
}

impl Length {
    /// The first day on which the next dose is allowed.
    fn after(self, day: Date) -> Option<Date> {
        match self {
            Self::Days(days) => day.checked_add((days + 1).days()).ok(),
            Self::Months(months) => day.checked_add(months.months()).ok(),
        }
    }

    fn is_kept(self, earlier: Date, later: Date) -> bool {
        self.after(earlier).is_none_or(|first| later >= first)
    }
}

impl Distance {
    fn is_broken(&self, earlier: &Dose, later: &Dose) -> bool {
        let agent = |dose: &Dose| by_code(dose.vaccine).agent;
        earlier.day < later.day
            && self.after.contains(&agent(earlier))
            && (self.then.is_empty() || self.then.contains(&agent(later)))
            && !self.least.is_kept(earlier.day, later.day)
    }
}

impl Dose {
    fn is_second(&self) -> bool {
        self.series.as_deref().is_some_and(|series| series.starts_with("2期"))
    }

    fn is_booster(&self, number: u32) -> bool {
        let named = self.series.as_deref().is_some_and(|series| series.ends_with("追加"));
        named || (!self.is_second() && self.number.is_some_and(|own| own >= number))
    }
}

/// A flag where no legal window of the dose's day has its day. Voluntary doses
/// have none.
fn outside_window(dose: &Dose, birth: Date, all: &[&Dose]) -> Option<Flag> {
    if dose.program == Some(Program::Voluntary) {
        return None;
    }
    let is_first =
        dose.number.unwrap_or(1) == 1 && !all.iter().any(|other| other.vaccine == dose.vaccine && other.day < dose.day);
    let mut rules = WINDOWS.iter().filter(|rule| {
        rule.vaccines.contains(&dose.vaccine)
            && rule.second == dose.is_second()
            && (is_first || !rule.first_only)
            && rule.period.holds(dose.day)
    });
    // A second dose of measles without a label may be that of the second period.
    let unlabelled = dose.series.is_none() && !is_first;
    let open = rules.all(|rule| rule.ages.hold(birth, dose.day));
    let second = || {
        WINDOWS
            .iter()
            .any(|rule| rule.second && rule.vaccines.contains(&dose.vaccine) && rule.ages.hold(birth, dose.day))
    };
    if open || (unlabelled && second()) {
        return None;
    }
    let at = dose.at?;
    Some(Flag { at, code: "window", text: Text::new(OUTSIDE.0, OUTSIDE.1) })
}

impl Ages {
    fn hold(self, birth: Date, day: Date) -> bool {
        let reached = |(months, days): Age| birth.checked_add(months.months().days(days)).ok();
        match self {
            Self::Between(from, until) => {
                let opens = reached(from).and_then(|date| date.yesterday().ok());
                opens.is_none_or(|opens| day >= opens) && reached(until).is_none_or(|closes| day < closes)
            }
            Self::YearBeforeSchool => {
                // Born on or before 1 April: six years old by law when that school year begins.
                let early = (birth.month(), birth.day()) <= (4, 1);
                let school = birth.year() + if early { 6 } else { 7 };
                let april = |year| Date::new(year, 4, 1).ok();
                let (Some(opens), Some(closes)) = (april(school - 1), april(school)) else { return true };
                day >= opens && day < closes
            }
        }
    }
}

/// Intervals, order and number within one series.
fn within(rule: &Series, all: &[&Dose], birth: Option<Date>, flags: &mut Vec<Flag>) {
    let mine: Vec<&Dose> = all
        .iter()
        .filter(|dose| rule.vaccines.contains(&dose.vaccine) && rule.period.holds(dose.day))
        .copied()
        .collect();
    let Some(start) = mine.first() else { return };
    let age_at = |months: i32| birth.and_then(|birth| birth.checked_add(months.months()).ok());
    let late = rule.vaccines == ["PCV"]
        && start.number.unwrap_or(1) == 1
        && age_at(12).is_some_and(|first_birthday| start.day >= first_birthday);
    let mut days: Vec<Date> = Vec::new();
    for (at, &dose) in mine.iter().enumerate() {
        if !days.contains(&dose.day) {
            days.push(dose.day);
            if days.len() > rule.most {
                push(flags, dose, "dose-count", TOO_MANY);
            }
        }
        let Some(&previous) = mine[..at].iter().rev().find(|other| other.day < dose.day) else { continue };
        let booster = dose.is_booster(rule.booster_number);
        let least = match (booster, late) {
            _ if dose.is_second() => None,
            (true, _) => rule.booster,
            (false, true) => Some(PCV_LATE),
            (false, false) => rule.primary,
        };
        let young = booster
            && rule.vaccines == ["PCV"]
            && age_at(PCV_BOOSTER_AGE).and_then(|day| day.yesterday().ok()).is_some_and(|first| dose.day < first);
        if young || least.is_some_and(|least| !least.is_kept(previous.day, dose.day)) {
            push(flags, dose, "interval", TOO_SOON);
        }
        let behind = mine[..at].iter().any(|other| {
            other.day < dose.day
                && other.series == dose.series
                && other.number.zip(dose.number).is_some_and(|(before, this)| before >= this)
        });
        if behind {
            push(flags, dose, "order", OUT_OF_ORDER);
        }
    }
    if rule.vaccines == ["HBV"]
        && let Some(third) = mine.iter().find(|dose| dose.number == Some(3))
        && let Some(first) = mine.iter().find(|dose| dose.number == Some(1))
        && first.day < third.day
        && !HBV_FIRST_TO_THIRD.is_kept(first.day, third.day)
    {
        push(flags, third, "interval", TOO_SOON);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIRTH: &str = "2020-05-10";

    /// `VACCINE SERIES NUMBER DAY`, a dash for what is not known.
    fn doses(texts: &[&str]) -> Vec<Dose> {
        let dose = |(at, text): (usize, &&str)| {
            let parts: Vec<&str> = text.split(' ').collect();
            Dose {
                at: Some(Line::of(at + 1)),
                vaccine: by_code(parts[0]).code,
                series: (parts[1] != "-").then(|| parts[1].to_owned()),
                number: parts[2].parse().ok(),
                day: parts[3].parse().expect(text),
                program: None,
            }
        };
        texts.iter().enumerate().map(dose).collect()
    }

    fn told(texts: &[&str]) -> Vec<(usize, &'static str)> {
        let birth = BIRTH.parse().ok();
        flags(&doses(texts), birth).into_iter().map(|flag| (flag.at.line, flag.code)).collect()
    }

    #[test]
    fn intervals_count_the_days_between() {
        for (texts, expected) in [
            (&["HIB 1期初回 1 2020-07-13", "HIB 1期初回 2 2020-08-10"][..], vec![]),
            (&["HIB 1期初回 1 2020-07-13", "HIB 1期初回 2 2020-08-09"], vec![(2, "interval")]),
            (&["HIB 1期初回 3 2020-10-10", "HIB 1期追加 4 2021-05-09"], vec![(2, "interval")]),
            (&["HIB 1期初回 3 2020-10-10", "HIB 1期追加 4 2021-05-10"], vec![]),
            (&["DPTIPV 1期初回 1 2020-10-10", "DPTIPV 1期初回 2 2020-10-31"], vec![]),
            (&["DPTIPV 1期初回 1 2020-10-10", "DPTIPV 1期初回 2 2020-10-30"], vec![(2, "interval")]),
            (&["DPTIPV 1期初回 1 2020-10-10", "DPTIPVHIB 1期初回 2 2020-10-30"], vec![(2, "interval")]),
            (&["HBV - 1 2020-10-10", "HBV - 2 2020-11-07", "HBV - 3 2021-02-26"], vec![(3, "interval")]),
            (&["HBV - 1 2020-10-10", "HBV - 2 2020-11-07", "HBV - 3 2021-02-27"], vec![]),
            (&["PCV 1期初回 3 2021-02-01", "PCV 1期追加 4 2021-05-08"], vec![(2, "interval")]),
            (&["PCV 1期初回 3 2021-02-01", "PCV 1期追加 4 2021-05-09"], vec![]),
            (&["PCV 1期初回 1 2021-06-01", "PCV 1期初回 2 2021-07-15"], vec![(2, "interval")]),
            (&["VAR - 1 2021-05-31", "VAR - 2 2021-08-30"], vec![(2, "interval")]),
            (&["VAR - 1 2021-05-31", "VAR - 2 2021-08-31"], vec![]),
            (&["JE 1期初回 1 2023-05-22", "JE 1期初回 2 2023-05-28"], vec![(2, "interval")]),
        ] {
            assert_eq!(told(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn live_vaccines_keep_their_distance_by_the_rule_of_their_day() {
        for (texts, expected) in [
            (&["VAR - 1 2021-05-31", "MR 1期 1 2021-06-10"][..], vec![(2, "interval")]),
            (&["VAR - 1 2021-05-31", "MR 1期 1 2021-06-28"], vec![]),
            (&["VAR - 1 2021-05-31", "MR 1期 1 2021-05-31"], vec![]),
            (&["VAR - 1 2021-05-31", "JE 1期初回 1 2021-06-01"], vec![]),
            (&["RV1 - 1 2020-07-13", "HIB 1期初回 1 2020-07-20"], vec![(2, "interval")]),
            (&["HIB 1期初回 1 2020-09-20", "IPV 1期初回 1 2020-09-26"], vec![(2, "interval")]),
            (&["HIB 1期初回 1 2020-09-20", "IPV 1期初回 1 2020-09-27"], vec![]),
            (&["HIB 1期初回 1 2020-09-28", "IPV 1期初回 1 2020-10-01"], vec![]),
        ] {
            assert_eq!(told(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn windows_by_the_rule_of_their_day() {
        for (text, expected) in [
            ("BCG - 1 2021-05-09", false),
            ("BCG - 1 2021-05-10", true),
            ("IPV 1期初回 1 2020-08-08", true),
            ("IPV 1期初回 1 2020-08-09", false),
            ("HIB 1期初回 1 2020-07-08", true),
            ("HIB 1期初回 1 2020-07-09", false),
            ("RV1 - 1 2020-08-22", false),
            ("RV1 - 1 2020-08-23", true),
            ("RV1 - 2 2020-10-25", false),
            ("RV1 - 2 2020-10-26", true),
            ("MR 1期 1 2022-05-09", false),
            ("MR 1期 1 2022-05-10", true),
            // Born in May 2020: school from April 2027.
            ("MR 2期 1 2026-03-31", true),
            ("MR 2期 1 2026-04-01", false),
            ("MR 2期 1 2027-03-31", false),
            ("MR 2期 1 2027-04-01", true),
            ("JE 2期 1 2029-05-10", false),
            ("MUMPS - 1 2020-06-01", false),
        ] {
            let expected = if expected { vec![(1, "window")] } else { vec![] };
            assert_eq!(told(&[text]), expected, "{text}");
        }
        let mut voluntary = doses(&["BCG - 1 2024-05-10"]);
        voluntary[0].program = Some(Program::Voluntary);
        assert_eq!(flags(&voluntary, BIRTH.parse().ok()), []);
        assert_eq!(flags(&doses(&["BCG - 1 2024-05-10"]), None), []);
    }

    #[test]
    fn one_dose_too_many_and_numbers_that_go_back() {
        for (texts, expected) in [
            (&["BCG - 1 2020-10-19", "BCG - 1 2020-12-19"][..], vec![(2, "dose-count"), (2, "order")]),
            (&["BCG - 1 2020-10-19", "BCG - 1 2020-10-19"], vec![]),
            (&["HBV - 2 2020-08-01", "HBV - 1 2020-09-01"], vec![(2, "order")]),
        ] {
            let mut found = told(texts);
            found.sort_unstable();
            assert_eq!(found, expected, "{texts:?}");
        }
    }

    #[test]
    fn doses_of_elsewhere_count_but_are_not_told_of() {
        let mut both = doses(&["HIB 1期初回 1 2020-07-13", "HIB 1期初回 2 2020-07-20"]);
        both[0].at = None;
        assert_eq!(flags(&both, None).len(), 1);
        both[1].at = None;
        assert_eq!(flags(&both, None), []);
    }
}
