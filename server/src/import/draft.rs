//! What every importer hands to `place`: drafts, and an account of the rest.
//!
//! A [`Draft`] is a resource that nobody has stored yet. It has a *key* made of
//! the source's own identifiers, by which a second import finds what the first
//! one made. It does not know its id, its subject's id or the time: `place`
//! puts those in, and turns [`SUBJECT`] and [`reference_to`] into references.
//!
//! Whatever an importer did not use, it says in an [`Issue`]; whatever makes
//! the whole file useless, in a [`Refusal`]. Neither ever holds a value of the
//! patient: reports are printed, logged and mailed.

use std::borrow::Cow;

use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

/// Under this base lie the codes, identifiers and sources that nobody else has
/// given a name. Nothing under it is an official code.
pub const LOCAL_BASE: &str = "https://techo.example/fhir";

/// The reference in a draft that stands for the person it is about.
pub const SUBJECT: &str = "urn:techo:subject";

/// How every reference begins that stands for something else: [`SUBJECT`], [`reference_to`].
pub const STANDS_IN: &str = "urn:techo:";

/// What one file, or one set of parts, came to.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The people in it, in their order, each with her drafts.
    pub people: Vec<PersonDrafts>,
    /// What was unclear or left out, in the order of the lines.
    pub issues: Vec<Issue>,
    /// Set when nothing of it may be used; `people` is then empty.
    pub refused: Option<Refusal>,
}

/// What one file, or one set of parts, holds, with its people still to be told of: as
/// resources, all of a town's would take a hundred times the memory of their rows.
#[derive(Default)]
pub struct Opened {
    /// The people in it, in their order.
    pub people: Vec<Waiting>,
    /// What was unclear or left out before anyone was told of.
    pub issues: Vec<Issue>,
    /// Set when nothing of it may be used; `people` is then empty.
    pub refused: Option<Refusal>,
}

/// A person whose drafts are made when her turn comes; none where nothing of her can
/// be used. Issues of her own rows are added then. What bears on the whole file, as an
/// Individual Number in it, was told before.
pub type Waiting = Box<dyn FnOnce(&mut Vec<Issue>) -> Option<PersonDrafts> + Send>;

impl From<Parsed> for Opened {
    fn from(parsed: Parsed) -> Self {
        let Parsed { people, issues, refused } = parsed;
        let people = people.into_iter().map(|person| -> Waiting { Box::new(|_| Some(person)) });
        Self { people: people.collect(), issues, refused }
    }
}

impl From<Refusal> for Opened {
    fn from(refusal: Refusal) -> Self {
        Parsed::from(refusal).into()
    }
}

/// One person of a file and what it says of her.
#[derive(Clone, Debug)]
pub struct PersonDrafts {
    /// Who she is by the file.
    pub person: Person,
    /// What to store about her. A draft comes after those it refers to.
    pub drafts: Vec<Draft>,
}

/// A person as the source names her. Nothing of this ever *binds* a record to
/// a Patient but [`Person::identity`]; the rest is there to find a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// By what she is to be found.
    pub identity: Identity,
    /// Her name as written, trimmed.
    pub name: Option<String>,
    /// Her name in kana as written, trimmed.
    pub kana: Option<String>,
    /// ISO date, full precision or partial.
    pub birth_date: Option<String>,
    /// Administrative sex, where the source tells.
    pub sex: Option<Sex>,
    /// Where the file names her.
    pub at: Line,
}

/// By what a person is to be found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A resident key of a town.
    Resident {
        /// Municipality code without its check digit, 5 digits.
        municipality: String,
        /// The town's own key of the person, opaque.
        number: String,
    },
    /// The patient whom the call names (`--patient`).
    Given,
}

/// Administrative sex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

impl Sex {
    /// The code of FHIR's `administrative-gender`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A resource to be stored, or to be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Unique for one custodian and one citizen, and the same whenever the same
    /// fact is imported; made by [`key`]. `place` stores only its hash.
    pub key: String,
    /// The resource without `id`, `meta.versionId` and `meta.lastUpdated`.
    pub resource: Json,
    /// The line it came from; for several lines, the first.
    pub at: Line,
    /// What to do with it.
    pub action: Action,
    /// Top-level members whose difference alone is no change: what only the
    /// clock moved, or what the first telling may keep. An import that differs
    /// from the stored version in nothing else is `unchanged`.
    pub incidental: &'static [&'static str],
    /// `(member, code)` to set when this replaces an earlier version with other
    /// content, as `("status", "amended")`. That member is then no difference either.
    pub amended: Option<(&'static str, &'static str)>,
}

impl Draft {
    /// A draft to be stored, every member of which counts.
    pub fn put(key: String, resource: Json, at: Line) -> Self {
        Self { key, resource, at, action: Action::Put, incidental: &[], amended: None }
    }

    /// The resource's type; empty only if an importer forgot it.
    pub fn resource_type(&self) -> &str {
        self.resource.str("resourceType").unwrap_or_default()
    }
}

/// What to do with a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store it: new, or as the next version of what has its key.
    Put,
    /// The source takes back what it once sent under this key: the stored record
    /// becomes `entered-in-error`. Where there is none, that is reported.
    Withdraw,
}

/// A place in the files of one input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Index into [`super::Input::parts`].
    pub part: usize,
    /// Counted from 1; 0 for the file as a whole.
    pub line: usize,
}

impl Line {
    /// A line of a file that came alone.
    pub fn of(line: usize) -> Self {
        Self { part: 0, line }
    }
}

/// Something unclear or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Where.
    pub at: Line,
    /// The column or field, by the source's own name for it.
    pub column: Option<Cow<'static, str>>,
    /// How much was lost.
    pub severity: Severity,
    /// A short constant such as `usage-missing`, for machines.
    pub code: &'static str,
    /// For people. Never holds the patient's values.
    pub text: Text,
}

/// How much was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing; worth knowing.
    Information,
    /// Something was taken in, but not as fully as it was meant.
    Warning,
    /// A record, row or group was not taken in.
    Error,
}

impl Severity {
    /// The code of FHIR's `issue-severity`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The same sentence in English and in Japanese.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: Cow<'static, str>,
    /// Japanese.
    pub ja: Cow<'static, str>,
}

impl Text {
    /// Both languages at once.
    pub fn new(en: impl Into<Cow<'static, str>>, ja: impl Into<Cow<'static, str>>) -> Self {
        Self { en: en.into(), ja: ja.into() }
    }
}

/// Why a file, or a set of parts, is not used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A short constant such as `not-jahis`, for machines.
    pub code: &'static str,
    /// For people. Never holds the patient's values.
    pub text: Text,
    /// Where it was found out.
    pub at: Line,
    /// The byte in that part, where it is one byte that is at fault.
    pub offset: Option<usize>,
}

impl Parsed {
    /// Nothing may be used.
    pub fn refused(code: &'static str, text: Text, at: Line) -> Self {
        Self::from(Refusal { code, text, at, offset: None })
    }
}

impl From<Refusal> for Parsed {
    fn from(refusal: Refusal) -> Self {
        Self { people: Vec::new(), issues: Vec::new(), refused: Some(refusal) }
    }
}

/// A draft's key: its parts after NFKC, trimmed, told apart from each other
/// whatever they contain.
pub fn key(parts: &[&str]) -> String {
    let mut key = String::with_capacity(96);
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            key.push('|');
        }
        let plain = if part.is_ascii() { Cow::Borrowed(*part) } else { Cow::Owned(part.nfkc().collect::<String>()) };
        for letter in plain.trim().chars() {
            if matches!(letter, '\\' | '|') {
                key.push('\\');
            }
            key.push(letter);
        }
    }
    key
}

/// The reference by which one draft points at another: `place` turns it into
/// `Type/id`.
pub fn reference_to(key: &str) -> String {
    format!("urn:techo:draft:{key}")
}

/// `meta.source` of what an importer makes.
pub fn source(importer: &str) -> String {
    format!("{LOCAL_BASE}/Source/{importer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_in_any_width_and_never_run_together() {
        assert_eq!(key(&["薬", "ﾛｷｿﾆﾝ錠60mg "]), key(&["薬", "ロキソニン錠６０ｍｇ"]));
        assert_ne!(key(&["a|b", "c"]), key(&["a", "b|c"]));
        assert_ne!(key(&["a\\", "b"]), key(&["a", "\\b"]));
        assert_ne!(key(&["a", ""]), key(&["a"]));
    }
}
