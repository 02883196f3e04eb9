//! One row of the feed, read.
//!
//! Source: immunizations.md §4, §5, §7

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

use super::label::{self, Category, Program};
use super::schedule::Dose;
use super::vaccine::{self, Found, OTHER};
use crate::import::date::{self, DateFault};
use crate::import::decimal::Decimal;
use crate::import::draft::{Issue, Line, Severity, Text};
use crate::import::person::whole_day;
use crate::import::table::Row;
use crate::import::venue::Number;

/// What a row says.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The line that first told of it.
    pub(super) at: Line,
    /// The vaccine.
    pub(super) found: Found,
    /// Its name as received.
    pub(super) name: String,
    /// When.
    pub(super) when: When,
    /// Whether it was given.
    pub(super) state: State,
    /// Why it was not, in the words received.
    pub(super) reason: Option<String>,
    /// Its series.
    pub(super) series: Option<String>,
    /// Its number in the series.
    pub(super) number: Option<u32>,
    /// The legal class.
    pub(super) program: Option<Program>,
    /// Everything that only describes it.
    pub(super) details: Details,
    /// Whether another dose of the same key with another lot comes before it.
    pub(super) another_lot: bool,
}

/// What only describes a dose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// Where.
    pub(super) place: Option<String>,
    /// The institution's number.
    pub(super) facility: Option<Number>,
    /// Lot as received.
    pub(super) lot: Option<String>,
    /// Maker.
    pub(super) manufacturer: Option<String>,
    /// Product: a name or a code.
    pub(super) product: Option<String>,
    /// Millilitres.
    pub(super) amount: Option<Decimal>,
    /// Site as received.
    pub(super) site: Option<String>,
    /// ISO dates: next dose due, made, certified, expiry.
    pub(super) dates: [Option<String>; 4],
    /// Remarks.
    pub(super) notes: Vec<String>,
    /// Name and value of columns that mean nothing here.
    pub(super) unknown: Vec<(String, String)>,
}

/// The columns of [`Details::dates`].
const DATES: [&str; 4] = ["nextDueDate", "manufacturedDate", "certificatedDate", "expirationDate"];

/// When a dose was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// ISO date, full or partial.
    Date(String),
    /// The source says that it does not know; in its words.
    Unknown(String),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was given.
    Given,
    /// It was put off.
    NotGiven,
    /// It was recorded and taken back, both in this file.
    TakenBack,
    /// The source takes back what it once sent.
    Withdrawal,
}

impl When {
    /// The text that goes into keys.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Date(date) => date,
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Record {
    /// The text that goes into keys for the vaccine: what has no code goes by its name.
    pub(super) fn vaccine_key(&self) -> String {
        match self.found.vaccine.code {
            OTHER => format!("{OTHER}:{}", self.name),
            code => code.to_owned(),
        }
    }

    /// The lot as it is compared.
    pub(super) fn plain_lot(&self) -> String {
        let lot = self.details.lot.as_deref().unwrap_or_default();
        lot.nfkc().filter(|letter| !letter.is_whitespace()).flat_map(char::to_uppercase).collect()
    }

    /// The dose as the schedule sees it; `None` where it was not given or the day is not known.
    pub(super) fn given(&self) -> Option<Dose> {
        let When::Date(date) = &self.when else { return None };
        let day = whole_day(date)?;
        (self.state == State::Given).then(|| Dose {
            at: Some(self.at),
            vaccine: self.found.vaccine.code,
            day,
            series: self.series.clone(),
            number: self.number,
            program: self.program,
        })
    }
}

/// Reads one row; `None`, with an issue, where it cannot be used.
pub(super) fn read(row: &Row, birth: Option<Date>, today: Date, issues: &mut Vec<Issue>) -> Option<Record> {
    let Some(name) = row.get("vaccine") else {
        let text = Text::new("no vaccine; the row is left out", "ワクチン名がないため、この行は取り込みません");
        issues.push(row.issue("vaccine", Severity::Error, "vaccine-missing", text));
        return None;
    };
    let when = day(row, birth, today, issues)?;
    let category = row.get("category").map(label::read);
    let state = state(row, category.as_ref(), issues)?;
    let found = vaccine::find(name, row.get("product")).unwrap_or_else(|| {
        let text = Text::new("an unknown vaccine; kept by its name", "知らないワクチンのため、名称のまま取り込みます");
        issues.push(row.issue("vaccine", Severity::Warning, "unmapped", text));
        vaccine::other()
    });
    let mut record = Record {
        at: row.at,
        found,
        name: name.to_owned(),
        when,
        state,
        reason: None,
        series: None,
        number: None,
        program: program(row, issues),
        details: details(row, issues),
        another_lot: false,
    };
    if state == State::NotGiven {
        record.reason = row.get("state").or(row.get("category")).map(str::to_owned);
    }
    sort_out(&mut record, category, row, issues);
    Some(record)
}

/// The day; `None`, with an issue, where there can have been none.
fn day(row: &Row, birth: Option<Date>, today: Date, issues: &mut Vec<Issue>) -> Option<When> {
    let text = row.get("date").unwrap_or_default();
    let mut say = |severity, code, en: &'static str, ja: &'static str| {
        issues.push(row.issue("date", severity, code, Text::new(en, ja)));
    };
    let found = match date::read(text) {
        Ok(found) => found,
        Err(DateFault::Unknown) => {
            say(Severity::Warning, DateFault::Unknown.code(), "the day is not known", "接種日が不明です");
            return Some(When::Unknown("不明".to_owned()));
        }
        Err(_) if matches!(text, "不明" | "不詳") => {
            say(Severity::Warning, DateFault::Unknown.code(), "the day is not known", "接種日が不明です");
            return Some(When::Unknown(text.to_owned()));
        }
        Err(fault) => {
            say(
                Severity::Error,
                fault.code(),
                "the day is missing or cannot be read; the row is left out",
                "接種日がないか読み取れないため、この行は取り込みません",
            );
            return None;
        }
    };
    if found.date > today.to_string() {
        say(
            Severity::Error,
            "date-future",
            "the day lies ahead; the row is left out",
            "接種日が未来のため、この行は取り込みません",
        );
        return None;
    }
    if birth.is_some_and(|birth| found.date.as_str() < &birth.to_string()[..found.date.len()]) {
        say(
            Severity::Error,
            "date-before-birth",
            "the day lies before the birth; the row is left out",
            "接種日が生年月日より前のため、この行は取り込みません",
        );
        return None;
    }
    if let Some(code) = found.warning {
        say(
            Severity::Warning,
            code,
            "the day is partial or names an era that had ended",
            "接種日が一部不明か、終わった元号で書かれています",
        );
    }
    Some(When::Date(found.date))
}

/// Whether it was given. A word nobody knows is not taken for yes.
fn state(row: &Row, category: Option<&Category>, issues: &mut Vec<Issue>) -> Option<State> {
    let plain: String = row.get("state").unwrap_or_default().nfkc().filter(|letter| !letter.is_whitespace()).collect();
    match plain.as_str() {
        "" | "接種" | "接種済" | "接種済み" if category == Some(&Category::NotGiven) => Some(State::NotGiven),
        "" | "接種" | "接種済" | "接種済み" => Some(State::Given),
        "見合わせ" | "見合せ" | "接種見合わせ" => Some(State::NotGiven),
        "取消" | "取消し" | "取り消し" | "取消済" | "削除" => Some(State::Withdrawal),
        _ => {
            let text = Text::new(
                "the state says neither given, put off nor taken back; the row is left out",
                "状態が接種・見合わせ・取消のいずれでもないため、この行は取り込みません",
            );
            issues.push(row.issue("state", Severity::Error, "state-unknown", text));
            None
        }
    }
}

fn program(row: &Row, issues: &mut Vec<Issue>) -> Option<Program> {
    let text = row.get("program")?;
    let program = Program::read(text);
    if program.is_none() {
        let text = Text::new(
            "the legal class is neither routine nor voluntary; kept as a remark",
            "法定区分が定期・任意のいずれでもないため、備考として取り込みます",
        );
        issues.push(row.issue("program", Severity::Warning, "program-unknown", text));
    }
    program
}

/// Gives 接種区分 its meaning for this row.
fn sort_out(record: &mut Record, category: Option<Category>, row: &Row, issues: &mut Vec<Issue>) {
    let column = dose_column(row, issues);
    record.number = column;
    match category {
        None | Some(Category::NotGiven | Category::Given(None)) => {}
        Some(Category::Dose(label)) => {
            record.number = label::number(&label, column, record.found.vaccine.code);
            record.series = label.series;
        }
        Some(Category::Program(program)) => record.program = record.program.or(Some(program)),
        // Another column has the legal class, so a digit here is the dose.
        Some(Category::Digit(digit)) if row.get("program").is_some() || digit > 2 => {
            record.number = column.or(Some(digit));
        }
        Some(Category::Digit(digit)) => {
            record.program = Some(if digit == 1 { Program::Routine } else { Program::Voluntary });
        }
        Some(Category::Given(Some(how))) => record.details.notes.push(format!("実施区分: {how}")),
        Some(Category::Unknown) => {
            let category = row.get("category").unwrap_or_default();
            record.details.notes.push(format!("接種区分: {category}"));
            let text = Text::new(
                "neither a dose, a legal class nor a way of giving; kept as a remark",
                "回数・法定区分・実施区分のいずれとも読めないため、備考として取り込みます",
            );
            issues.push(row.issue("category", Severity::Warning, "category-unparsable", text));
        }
    }
}

/// The column of numbers.
fn dose_column(row: &Row, issues: &mut Vec<Issue>) -> Option<u32> {
    let text = row.get("dose")?;
    let number = Decimal::read(text, &["回目", "回"]).filter(|(number, _)| number.is_integer());
    let number =
        number.and_then(|(number, _)| u32::try_from(number.parts().0).ok()).filter(|number| (1..=99).contains(number));
    if number.is_none() {
        let text =
            Text::new("the number of the dose is none; left out", "回数が数値として読み取れないため、取り込みません");
        issues.push(row.issue("dose", Severity::Warning, "not-a-number", text));
    }
    number
}

fn details(row: &Row, issues: &mut Vec<Issue>) -> Details {
    let own = |property: &str| row.get(property).map(str::to_owned);
    let mut details = Details {
        place: own("place"),
        lot: own("lot"),
        manufacturer: own("manufacturer"),
        product: own("product"),
        site: own("site"),
        amount: amount(row, issues),
        dates: DATES.map(|property| detail_date(row, property, issues)),
        unknown: row.unknown.clone(),
        ..Details::default()
    };
    if let Some(text) = row.get("program").filter(|text| Program::read(text).is_none()) {
        details.notes.push(format!("法定区分: {text}"));
    }
    if let Some(text) = row.get("facilityCode") {
        details.facility = Number::read(text);
        if details.facility.is_none() {
            details.notes.push(format!("実施機関コード: {text}"));
            let text = Text::new(
                "the institution number is not one of 10 or 7 digits; kept as a remark",
                "実施機関コードが10桁または7桁の番号ではないため、備考として取り込みます",
            );
            issues.push(row.issue("facilityCode", Severity::Warning, "facility-code", text));
        }
    }
    if details.lot.as_ref().is_some_and(|lot| lot.chars().count() > LONGEST_LOT) {
        let text = Text::new(
            "the lot number is longer than 20 letters; kept",
            "ロット番号が20文字を超えています。そのまま取り込みます",
        );
        issues.push(row.issue("lot", Severity::Warning, "lot-too-long", text));
    }
    details
}

/// Letters of a lot number.
const LONGEST_LOT: usize = 20;

fn amount(row: &Row, issues: &mut Vec<Issue>) -> Option<Decimal> {
    let text = row.get("amount")?;
    let amount = Decimal::read(text, &["ml", "cc"]).map(|(amount, _)| amount);
    let fault = match &amount {
        None => (
            "not-a-number",
            "the amount is not a number; left out",
            "接種量が数値として読み取れないため、取り込みません",
        ),
        Some(amount) if !amount.is_within(AMOUNTS) => (
            "out-of-range",
            "the amount lies outside of what can be; left out",
            "接種量があり得る範囲の外のため、取り込みません",
        ),
        Some(_) => return amount,
    };
    issues.push(row.issue("amount", Severity::Error, fault.0, Text::new(fault.1, fault.2)));
    None
}

/// Millilitres of one dose.
const AMOUNTS: (&str, &str) = ("0.01", "10");

fn detail_date(row: &Row, property: &'static str, issues: &mut Vec<Issue>) -> Option<String> {
    match date::read(row.get(property)?) {
        Ok(found) => Some(found.date),
        Err(fault) => {
            let text = Text::new("the date cannot be read; left out", "日付として読み取れないため、取り込みません");
            issues.push(row.issue(property, Severity::Warning, fault.code(), text));
            None
        }
    }
}
