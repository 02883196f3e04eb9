//! Who a row of a town's table is about.
//!
//! A person is found by municipality and resident key and by nothing else.
//! Name, birth date and sex are read to find a mistake, never to bind: rows of
//! one key that name two birth dates are all refused.
//!
//! The Individual Number (個人番号, My Number) must not be kept. A resident key
//! that passes its check digit costs the row; where half or more of a file's
//! keys of twelve digits pass, the file holds numbers that it must not hold and is
//! refused whole. In every other cell the digits are struck out before anything
//! else is read from it.
//!
//! Source: identifiers.md §1, §2, §4, §6, §7; infant-checkups.md §6

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

use super::date::{self, DateFault};
use super::draft::{Identity, Issue, Line, Person, Refusal, Severity, Sex, Text};
use super::table::{Row, Table};
use crate::my_number::{self, MY_NUMBER, strike};

/// The rows of one person.
#[derive(Debug)]
pub struct Of {
    /// Who she is by the file.
    pub person: Person,
    /// Her rows in order.
    pub rows: Vec<Row>,
}

impl Of {
    /// Municipality code of 5 digits, and the town's key.
    pub fn keys(&self) -> (&str, &str) {
        match &self.person.identity {
            Identity::Resident { municipality, number } => (municipality, number),
            Identity::Given => ("", ""),
        }
    }

    /// Her day of birth, where the file knows the day.
    pub fn birth(&self) -> Option<Date> {
        self.person.birth_date.as_deref().and_then(whole_day)
    }
}

/// The day a full ISO date names; `None` for a partial one.
pub fn whole_day(text: &str) -> Option<Date> {
    if text.len() == 10 { text.parse().ok() } else { None }
}

/// Sorts the rows of a table by person.
///
/// # Errors
/// [`Refusal`] where the table's keys are Individual Numbers.
pub fn gather(table: Table, today: Date) -> Result<(Vec<Of>, Vec<Issue>), Refusal> {
    let Table { rows, mut issues } = table;
    let rows = guard(rows, &mut issues)?;
    let mut people: Vec<Of> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut torn = BTreeSet::new();
    for row in rows {
        let Some(person) = read(&row, today, &mut issues) else { continue };
        let Identity::Resident { municipality, number } = &person.identity else { continue };
        let at = *places.entry((municipality.clone(), number.clone())).or_insert(people.len());
        match people.get_mut(at) {
            None => people.push(Of { person, rows: vec![row] }),
            Some(of) if of.rows.len() >= MOST_ROWS => issues.push(row.issue(
                "residentNumber",
                Severity::Error,
                "too-many-rows",
                Text::new(
                    "a file may have up to 500 rows of one person; this one is left out",
                    "1ファイルで1人につき500行までです。この行は取り込みません",
                ),
            )),
            Some(of) => {
                if differ(of.person.birth_date.as_ref(), person.birth_date.as_ref()) {
                    torn.insert(at);
                }
                join(&mut of.person, person, &row, &mut issues);
                of.rows.push(row);
            }
        }
    }
    for &at in &torn {
        let of = &mut people[at];
        issues.extend(of.rows.drain(..).map(|row| {
            row.issue(
                "birthDate",
                Severity::Error,
                "birth-date-conflict",
                Text::new(
                    "rows of this resident key name different birth dates; none of them is taken in",
                    "同じ宛名番号の行で生年月日が食い違うため、この人の行は取り込みません",
                ),
            )
        }));
    }
    people.retain(|of| !of.rows.is_empty());
    Ok((people, issues))
}

/// Each row of a person is compared with those before it.
const MOST_ROWS: usize = 500;

fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

/// Takes a later row's word for what the earlier ones left open or said otherwise.
fn join(known: &mut Person, later: Person, row: &Row, issues: &mut Vec<Issue>) {
    if differ(known.sex.as_ref(), later.sex.as_ref()) {
        issues.push(row.issue(
            "sex",
            Severity::Warning,
            "sex-conflict",
            Text::new(
                "another row of this resident key gives the other sex; the later row counts",
                "同じ宛名番号の行で性別が食い違います。後の行を採ります",
            ),
        ));
    }
    if differ(known.name.as_ref(), later.name.as_ref()) {
        issues.push(row.issue(
            "name",
            Severity::Warning,
            "name-conflict",
            Text::new(
                "another row of this resident key gives another name; the later row counts",
                "同じ宛名番号の行で氏名が食い違います。後の行を採ります",
            ),
        ));
    }
    known.name = later.name.or_else(|| known.name.take());
    known.kana = later.kana.or_else(|| known.kana.take());
    known.birth_date = later.birth_date.or_else(|| known.birth_date.take());
    known.sex = later.sex.or(known.sex);
}

/// Refuses what is, or may be, an Individual Number.
fn guard(rows: Vec<Row>, issues: &mut Vec<Issue>) -> Result<Vec<Row>, Refusal> {
    let mut twelve: BTreeSet<String> = BTreeSet::new();
    let mut passing: BTreeSet<String> = BTreeSet::new();
    let mut first = 0;
    for row in &rows {
        let Some(key) = row.get("residentNumber") else { continue };
        let digits = my_number::digits_of(key);
        if digits.len() != 12 {
            continue;
        }
        if my_number::passes(key) {
            first = if first == 0 { row.at.line } else { first };
            passing.insert(digits.clone());
        }
        twelve.insert(digits);
    }
    if !passing.is_empty() && passing.len() * 2 >= twelve.len() {
        return Err(Refusal {
            code: MY_NUMBER,
            text: Text::new(
                "the resident keys are Individual Numbers (My Number), which must not be kept: the file is refused whole",
                "宛名番号の欄に個人番号（マイナンバー）とみられる番号があるため、このファイルは取り込めません",
            ),
            at: Line::of(first),
            offset: None,
        });
    }
    let mut kept = Vec::with_capacity(rows.len());
    for mut row in rows {
        if row.get("residentNumber").is_some_and(|key| strike(key).is_some()) {
            issues.push(row.issue(
                "residentNumber",
                Severity::Error,
                MY_NUMBER,
                Text::new(
                    "the resident key passes the check digit of an Individual Number; the row is left out",
                    "宛名番号が個人番号（マイナンバー）の検査数字に合うため、この行は取り込みません",
                ),
            ));
            continue;
        }
        for column in row.rewrite(|_, cell| strike(cell)) {
            issues.push(Issue {
                at: row.at,
                column: Some(column),
                severity: Severity::Warning,
                code: MY_NUMBER,
                text: Text::new(
                    "twelve digits that may be an Individual Number (My Number) are struck out",
                    "個人番号（マイナンバー）とみられる12桁の数字を消して取り込みます",
                ),
            });
        }
        kept.push(row);
    }
    Ok(kept)
}

/// The person of one row; `None`, with an issue, where the row cannot be used.
fn read(row: &Row, today: Date, issues: &mut Vec<Issue>) -> Option<Person> {
    let municipality = match row.get("municipalityCode").map(municipality) {
        Some(Ok(code)) => code,
        Some(Err(fault)) => {
            issues.push(row.issue("municipalityCode", Severity::Error, "municipality-code", fault));
            return None;
        }
        None => {
            issues.push(row.issue(
                "municipalityCode",
                Severity::Error,
                "municipality-code",
                Text::new(
                    "no municipality code; the row is left out",
                    "自治体コードがないため、この行は取り込みません",
                ),
            ));
            return None;
        }
    };
    let Some(number) = row.get("residentNumber") else {
        issues.push(row.issue(
            "residentNumber",
            Severity::Error,
            "resident-number-missing",
            Text::new("no resident key; the row is left out", "宛名番号がないため、この行は取り込みません"),
        ));
        return None;
    };
    let number = number.nfkc().collect::<String>().trim().to_owned();
    let birth_date = birth_date(row, today, issues).ok()?;
    Some(Person {
        identity: Identity::Resident { municipality, number },
        name: row.get("name").map(str::to_owned),
        kana: row.get("kana").map(|kana| read_kana(kana, row, issues)),
        birth_date,
        sex: read_sex(row, issues),
        at: row.at,
    })
}

/// The code without its check digit.
///
/// # Errors
/// What is wrong with it, for people.
pub fn municipality(text: &str) -> Result<String, Text> {
    let code: String = text.nfkc().collect();
    let code = code.trim();
    let digits: Vec<u32> = code.chars().filter_map(|letter| letter.to_digit(10)).collect();
    if digits.len() != code.len() || !matches!(digits.len(), 5 | 6) {
        return Err(Text::new(
            "the municipality code is not of 5 or 6 digits; the row is left out",
            "自治体コードが5桁または6桁の数字ではないため、この行は取り込みません",
        ));
    }
    let sum: u32 = digits.iter().zip([6, 5, 4, 3, 2]).map(|(digit, weight)| digit * weight).sum();
    if digits.get(5).is_some_and(|&check| check != (11 - sum % 11) % 10) {
        return Err(Text::new(
            "the check digit of the municipality code is wrong; the row is left out",
            "自治体コードの検査数字が合わないため、この行は取り込みません",
        ));
    }
    Ok(code[..5].to_owned())
}

/// The ISO date of birth; nothing where it is not known.
fn birth_date(row: &Row, today: Date, issues: &mut Vec<Issue>) -> Result<Option<String>, ()> {
    let mut say = |severity, code, en: &'static str, ja: &'static str| {
        issues.push(row.issue("birthDate", severity, code, Text::new(en, ja)));
    };
    match row.get("birthDate").map_or(Err(DateFault::Empty), date::read) {
        Ok(found) if found.date > today.to_string() => {
            say(
                Severity::Error,
                "birth-date-future",
                "the birth date lies ahead; the row is left out",
                "生年月日が未来のため、この行は取り込みません",
            );
            Err(())
        }
        Ok(found) => {
            if let Some(code) = found.warning {
                say(
                    Severity::Warning,
                    code,
                    "the birth date is partial or names an era that had ended",
                    "生年月日が一部不明か、終わった元号で書かれています",
                );
            }
            Ok(Some(found.date))
        }
        Err(fault @ (DateFault::Empty | DateFault::Unknown)) => {
            say(
                Severity::Warning,
                fault.code(),
                "the birth date is not known: ages are not checked",
                "生年月日が分からないため、月齢は確かめません",
            );
            Ok(None)
        }
        Err(fault) => {
            say(
                Severity::Error,
                fault.code(),
                "the birth date cannot be read; the row is left out",
                "生年月日が読み取れないため、この行は取り込みません",
            );
            Err(())
        }
    }
}

/// Kana in full width. Hiragana is kept as it came: it is folded for comparison only.
fn read_kana(text: &str, row: &Row, issues: &mut Vec<Issue>) -> String {
    let kana: String = text.nfkc().collect();
    let is_kana = |letter: char| {
        matches!(letter, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FC}' | '.' | '-' | '\'') || letter.is_whitespace()
    };
    if !kana.chars().all(is_kana) {
        issues.push(row.issue(
            "kana",
            Severity::Warning,
            "kana-other-letters",
            Text::new("the kana name holds letters that are no kana", "カナ氏名にカナ以外の文字があります"),
        ));
    }
    kana
}

fn read_sex(row: &Row, issues: &mut Vec<Issue>) -> Option<Sex> {
    let text: String = row.get("sex")?.nfkc().collect();
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "男" | "男性" | "male" | "m" => Some(Sex::Male),
        "2" | "女" | "女性" | "female" | "f" => Some(Sex::Female),
        "0" | "9" | "不明" | "unknown" => None,
        _ => {
            issues.push(row.issue(
                "sex",
                Severity::Warning,
                "sex-unknown",
                Text::new(
                    "the sex is none of 1, 2, 0, 9; it is taken as not known",
                    "性別が1・2・0・9のいずれでもないため、不明とします",
                ),
            ));
            None
        }
    }
}

/// Family name, given name and the full text of a name: it is split at the first
/// space of either width, and not at all where there is none.
///
/// `見本　花子` → `(Some("見本"), Some("花子"), "見本 花子")`
pub fn split_name(text: &str) -> (Option<String>, Option<String>, String) {
    let text = text.trim();
    let Some((family, given)) = text.split_once([' ', '\u{3000}']) else {
        return (None, None, text.to_owned());
    };
    let (family, given) = (family.trim(), given.trim());
    (Some(family.to_owned()), Some(given.to_owned()), format!("{family} {given}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn municipality_codes() {
        for (text, expected) in [
            ("131016", Some("13101")),
            ("13101", Some("13101")),
            ("101010", Some("10101")),
            ("１３１０１６", Some("13101")),
            ("131017", None),
            ("1310", None),
            ("13101A", None),
            ("1310166", None),
        ] {
            assert_eq!(municipality(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_are_split_at_the_first_space_only() {
        for (text, family, given, whole) in [
            ("見本　花子", Some("見本"), Some("花子"), "見本 花子"),
            ("見本 花子 マリア", Some("見本"), Some("花子 マリア"), "見本 花子 マリア"),
            ("見本花子", None, None, "見本花子"),
        ] {
            assert_eq!(split_name(text), (family.map(str::to_owned), given.map(str::to_owned), whole.to_owned()));
        }
    }
}
