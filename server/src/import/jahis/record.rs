//! One line → one [`Record`], by its [`Layout`].

use unicode_normalization::UnicodeNormalization;

use super::account::{Account, fault};
use super::decode::width;
use super::layout::{self, Field, Kind, Layout, Required};
use super::split::{Edition, MadeBy, Numbered, Whole};
use crate::import::date::{self, Found};
use crate::import::draft::Line;
use crate::my_number;

/// A line of a known number. `record` is `None` where it is not to be used:
/// it still opens its group or ends its predecessor's reach.
pub(super) struct Item {
    pub(super) at: Line,
    pub(super) number: u16,
    pub(super) record: Option<Record>,
}

/// A line that can be used.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) at: Line,
    layout: &'static Layout,
    /// One for each field of the layout; `None` is blank.
    values: Vec<Option<String>>,
}

impl Record {
    /// A field that is not blank.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let at = self.place(key)?;
        self.values.get(at)?.as_deref()
    }

    /// How the format calls a field.
    pub(super) fn label(&self, key: &str) -> &'static str {
        self.place(key).map_or("", |at| self.layout.fields[at].label)
    }

    pub(super) fn number(&self) -> u16 {
        self.layout.number
    }

    /// Whether the patient, or somebody for her, wrote this.
    pub(super) fn by_patient(&self) -> bool {
        self.get("creator") == Some("2")
    }

    /// Whether a provider wrote this.
    pub(super) fn by_provider(&self) -> bool {
        self.get("creator") == Some("1")
    }

    /// A date that may be missing; one that cannot be read is.
    pub(super) fn date(&self, key: &str, account: &mut Account) -> Option<Found> {
        let Ok(found) = date::read(self.get(key)?) else {
            account.tell_in(&fault::DATE_NOT_READ, self.at, self.label(key));
            return None;
        };
        match found.warning {
            Some(date::PARTIAL) => account.tell_in(&fault::DATE_PARTIAL, self.at, self.label(key)),
            Some(_) => account.tell_in(&fault::DATE_PAST_ERA, self.at, self.label(key)),
            None => {}
        }
        Some(found)
    }

    fn place(&self, key: &str) -> Option<usize> {
        let at = self.layout.fields.iter().position(|field| field.key == key);
        debug_assert!(at.is_some(), "record {} has no {key}", self.layout.number);
        at
    }
}

/// The number a line begins with.
pub(super) fn number_of(line: &str) -> Option<u16> {
    let number: String = line.split(',').next()?.trim().nfkc().collect();
    let fits = matches!(number.len(), 1..=3) && number.bytes().all(|byte| byte.is_ascii_digit());
    if fits { number.parse().ok() } else { None }
}

/// Every line whose number is known.
pub(super) fn read_all(whole: &Whole, account: &mut Account) -> Vec<Item> {
    whole.lines.iter().filter_map(|line| read(line, whole.edition, account)).collect()
}

fn read(line: &Numbered, edition: Edition, account: &mut Account) -> Option<Item> {
    let at = line.at;
    let text = cleaned(line, account);
    let layout = number_of(&text).and_then(layout::of);
    let Some(layout) = layout else {
        account.tell(&fault::UNKNOWN_RECORD, at);
        return None;
    };
    let mut given = text.split(',').skip(1);
    let mut reader = Reader { at, edition, account, complete: true };
    let values = layout.fields.iter().map(|field| reader.field(field, given.next().unwrap_or_default())).collect();
    let complete = reader.complete;
    if given.any(|surplus| !surplus.trim().is_empty()) {
        account.tell(&fault::EXTRA_FIELDS, at);
    }
    let record = complete.then_some(Record { at, layout, values });
    Some(Item { at, number: layout.number, record })
}

/// The line without control characters, which FHIR strings may not hold.
fn cleaned(line: &Numbered, account: &mut Account) -> String {
    let text = &line.text;
    if text.chars().any(|letter| ('\u{E000}'..='\u{F8FF}').contains(&letter)) {
        account.tell(&fault::PRIVATE_CHARACTER, line.at);
    }
    if !text.chars().any(char::is_control) {
        return text.clone();
    }
    account.tell(&fault::CONTROL_CHARACTER, line.at);
    text.chars().filter(|letter| !letter.is_control()).collect()
}

struct Reader<'a> {
    at: Line,
    edition: Edition,
    account: &'a mut Account,
    complete: bool,
}

impl Reader<'_> {
    /// One field as it is to be used; `None` if it is blank or no such code.
    fn field(&mut self, field: &'static Field, text: &str) -> Option<String> {
        // `trim` knows the full-width space too.
        let mut text = text.trim().to_owned();
        if text.is_empty() {
            if self.requires(field) {
                self.account.tell_in(&fault::FIELD_MISSING, self.at, field.label);
                self.complete = false;
            }
            return None;
        }
        if text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
            self.account.tell_in(&fault::QUOTED, self.at, field.label);
        }
        if field.kind != Kind::Any {
            text = self.halved(field, text);
        }
        if let Some(struck) = my_number::strike(&text) {
            self.account.tell_in(&fault::MY_NUMBER, self.at, field.label);
            text = struck;
        }
        if !field.codes.is_empty() && !field.codes.contains(&text.as_str()) {
            self.account.tell_in(&fault::UNKNOWN_CODE, self.at, field.label);
            return None;
        }
        if width(&text) > field.max {
            self.account.tell_in(&fault::TOO_LONG, self.at, field.label);
        }
        if field.kind == Kind::Digits && !text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.account.tell_in(&fault::NOT_DIGITS, self.at, field.label);
        }
        Some(text)
    }

    /// Full-width letters of a half-width field made half-width.
    fn halved(&mut self, field: &'static Field, text: String) -> String {
        if text.is_ascii() {
            return text;
        }
        let half: String = text.nfkc().collect::<String>().trim().to_owned();
        // Only what could have been typed for a code, a number or a date.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-/ ".contains(letter);
        if half.is_empty() || !half.chars().all(plain) {
            return text;
        }
        self.account.tell_in(&fault::WIDTH, self.at, field.label);
        half
    }

    fn requires(&self, field: &Field) -> bool {
        // The sources disagree about where the first two editions have a creator.
        if self.edition.version <= 2 && field.key == "creator" {
            return false;
        }
        match field.required {
            Required::No => false,
            Required::FromProvider => self.edition.made_by != MadeBy::Patient,
            Required::Always => true,
        }
    }
}
