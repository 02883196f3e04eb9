//! FHIR's primitive types: which JSON they are written as, and which texts they take.
//!
//! Rules are the pattern of each type plus what patterns cannot say: the calendar,
//! the range of integers, how base64 is padded. A decimal keeps its text, so there
//! is nothing to round.
//!
//! To add a primitive: a variant, its name in [`NAMES`], an arm in
//! [`Primitive::check`], rows in the test tables.
//!
//! Source: FHIR R4 datatypes.html#primitive

mod date;

pub use date::{Civil, DateError, civil};

use crate::json::{Json, Value};
use crate::xml::is_character;
use date::Moment;

/// A primitive type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `true`, `false`
    Boolean,
    /// 32 bits with sign
    Integer,
    /// from 0
    UnsignedInt,
    /// from 1
    PositiveInt,
    /// a number as written
    Decimal,
    /// text
    String,
    /// text with marks
    Markdown,
    /// a token
    Code,
    /// up to 64 letters, digits, `-` and `.`
    Id,
    /// an address without spaces
    Uri,
    /// an address that can be fetched
    Url,
    /// the address of a definition
    Canonical,
    /// `urn:oid:…`
    Oid,
    /// `urn:uuid:…`
    Uuid,
    /// bytes
    Base64Binary,
    /// a day, month or year
    Date,
    /// a day, month or year, or a second in a zone
    DateTime,
    /// a second in a zone
    Instant,
    /// a time of day
    Time,
    /// a narrative's markup
    Xhtml,
}

/// How JSON writes a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `true`, `false`
    Boolean,
    /// `1.0`
    Number,
    /// `"…"`
    String,
}

/// Why a value is not of its primitive type. The words name the rule, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrimitiveError {
    /// Another JSON type than the primitive is written as.
    #[error("JSON writes this type differently")]
    Kind,
    /// A text that is empty.
    #[error("the text is empty")]
    Empty,
    /// Longer than the type allows.
    #[error("the text is too long")]
    TooLong,
    /// Not as the type is written.
    #[error("not written as this type is")]
    Shape,
    /// An integer outside its range.
    #[error("the number is outside the range of this type")]
    Range,
    /// A date or time that is none.
    #[error(transparent)]
    Date(#[from] DateError),
    /// A dateTime with a time of day but no zone, or an instant without.
    #[error("a time of day needs its seconds and its zone")]
    Zone,
}

impl Primitive {
    /// The primitive called `name`.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(primitive, _)| *primitive)
    }

    /// Its name in FHIR.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(primitive, _)| *primitive == self).map_or("", |(_, name)| name)
    }

    /// How JSON writes it.
    pub fn json_kind(self) -> JsonKind {
        match self {
            Self::Boolean => JsonKind::Boolean,
            Self::Integer | Self::UnsignedInt | Self::PositiveInt | Self::Decimal => JsonKind::Number,
            Self::String
            | Self::Markdown
            | Self::Code
            | Self::Id
            | Self::Uri
            | Self::Url
            | Self::Canonical
            | Self::Oid
            | Self::Uuid
            | Self::Base64Binary
            | Self::Date
            | Self::DateTime
            | Self::Instant
            | Self::Time
            | Self::Xhtml => JsonKind::String,
        }
    }

    /// Whether `value` is one of this type, as JSON writes it.
    ///
    /// # Errors
    /// [`PrimitiveError`] names the rule that is broken.
    pub fn check_json(self, value: &Json) -> Result<(), PrimitiveError> {
        match (self.json_kind(), value.value()) {
            (JsonKind::Boolean, Value::Bool(_)) => Ok(()),
            (JsonKind::Number, Value::Number(text)) | (JsonKind::String, Value::String(text)) => self.check(text),
            _ => Err(PrimitiveError::Kind),
        }
    }

    /// Whether `text` is one of this type, as XML or a query writes it.
    ///
    /// # Errors
    /// [`PrimitiveError`] names the rule that is broken.
    pub fn check(self, text: &str) -> Result<(), PrimitiveError> {
        if text.is_empty() {
            return Err(PrimitiveError::Empty);
        }
        match self {
            Self::Boolean => shape(matches!(text, "true" | "false")),
            Self::Integer => integer(text, i32::MIN),
            Self::UnsignedInt => integer(text, 0),
            Self::PositiveInt => integer(text, 1),
            Self::Decimal => shape(Json::number(text).is_some()),
            Self::String | Self::Markdown | Self::Xhtml => string(text),
            Self::Code => code(text),
            Self::Id => id(text),
            Self::Uri | Self::Url | Self::Canonical => uri(text),
            Self::Oid => shape(text.strip_prefix("urn:oid:").is_some_and(is_oid)),
            Self::Uuid => shape(text.strip_prefix("urn:uuid:").is_some_and(is_uuid)),
            Self::Base64Binary => shape(is_base64(text.as_bytes())),
            Self::Date => moment(text, Rule::Date),
            Self::DateTime => moment(text, Rule::DateTime),
            Self::Instant => moment(text, Rule::Instant),
            Self::Time => Ok(date::time(text)?),
        }
    }
}

fn shape(is_right: bool) -> Result<(), PrimitiveError> {
    if is_right { Ok(()) } else { Err(PrimitiveError::Shape) }
}

fn integer(text: &str, least: i32) -> Result<(), PrimitiveError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    if digits.is_empty() || !plain {
        return Err(PrimitiveError::Shape);
    }
    match text.parse::<i32>() {
        Ok(number) if number >= least => Ok(()),
        _ => Err(PrimitiveError::Range),
    }
}

/// Any text without control characters. The pattern that HL7 gives would, read to
/// the letter, forbid the ideographic space in Japanese names; the specification's
/// words forbid only what lies below U+0020, and XML's the two that are no characters.
fn string(text: &str) -> Result<(), PrimitiveError> {
    if text.len() > MAX_TEXT {
        return Err(PrimitiveError::TooLong);
    }
    shape(text.is_ascii() && text.bytes().all(|byte| is_character(byte.into())) || text.chars().all(is_character))
}

fn code(text: &str) -> Result<(), PrimitiveError> {
    if text.len() > MAX_TEXT {
        return Err(PrimitiveError::TooLong);
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let mut after_space = true;
    for letter in text.chars() {
        let is_space = letter.is_whitespace();
        if (is_space && after_space) || !is_character(letter) {
            return Err(PrimitiveError::Shape);
        }
        after_space = is_space;
    }
    shape(!after_space)
}

fn id(text: &str) -> Result<(), PrimitiveError> {
    if text.len() > 64 {
        return Err(PrimitiveError::TooLong);
    }
    shape(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')))
}

fn uri(text: &str) -> Result<(), PrimitiveError> {
    if text.len() > MAX_TEXT {
        return Err(PrimitiveError::TooLong);
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_bad = |letter: char| letter.is_whitespace() || letter.is_control() || !is_character(letter);
    shape(is_plain || !text.chars().any(is_bad))
}

fn is_oid(text: &str) -> bool {
    let mut arcs = text.split('.');
    let first = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let is_arc =
        |arc: &str| arc == "0" || (!arc.is_empty() && !arc.starts_with('0') && arc.bytes().all(|b| b.is_ascii_digit()));
    first && text.contains('.') && arcs.all(is_arc)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Groups of four, the last one padded; white space between letters is let pass.
fn is_base64(text: &[u8]) -> bool {
    let (mut letters, mut padding) = (0_usize, 0_usize);
    for &byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => letters += 1,
            b'=' => padding += 1,
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => return false,
        }
    }
    letters > 0 && padding <= 2 && (letters + padding).is_multiple_of(4)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Date,
    DateTime,
    Instant,
}

fn moment(text: &str, rule: Rule) -> Result<(), PrimitiveError> {
    let moment = Moment::parse(text)?;
    match (rule, moment.time) {
        (Rule::Date | Rule::DateTime, None) => Ok(()),
        (Rule::Date, Some(_)) => Err(PrimitiveError::Shape),
        (Rule::DateTime | Rule::Instant, Some(time)) if time.has_seconds && moment.zone.is_some() => Ok(()),
        (Rule::DateTime | Rule::Instant, _) => Err(PrimitiveError::Zone),
    }
}

const NAMES: [(Primitive, &str); 20] = [
    (Primitive::Boolean, "boolean"),
    (Primitive::Integer, "integer"),
    (Primitive::UnsignedInt, "unsignedInt"),
    (Primitive::PositiveInt, "positiveInt"),
    (Primitive::Decimal, "decimal"),
    (Primitive::String, "string"),
    (Primitive::Markdown, "markdown"),
    (Primitive::Code, "code"),
    (Primitive::Id, "id"),
    (Primitive::Uri, "uri"),
    (Primitive::Url, "url"),
    (Primitive::Canonical, "canonical"),
    (Primitive::Oid, "oid"),
    (Primitive::Uuid, "uuid"),
    (Primitive::Base64Binary, "base64Binary"),
    (Primitive::Date, "date"),
    (Primitive::DateTime, "dateTime"),
    (Primitive::Instant, "instant"),
    (Primitive::Time, "time"),
    (Primitive::Xhtml, "xhtml"),
];

/// FHIR's limit for strings: one megabyte.
const MAX_TEXT: usize = 1 << 20;

#[cfg(test)]
mod tests;
