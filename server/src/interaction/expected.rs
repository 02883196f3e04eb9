//! Which version of a resource a request wants to find.
//!
//! `If-Match` guards a write: someone else's change in between is not lost. With
//! `If-None-Match: *` only what is not there yet is written. On reads `If-None-Match`
//! and `If-Modified-Since` spare the reader what she has already.
//!
//! Source: RFC 9110 §8.8.3, §13.1; FHIR R4 http.html#concurrency, #cread

use super::{Error, Issue};

/// What a write wants to find, by `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// `If-Match: *`: that there is one.
    Any,
    /// `If-Match: W/"1", W/"2"`
    OneOf(Vec<i32>),
    /// `If-None-Match: *`: that there is none.
    Absent,
    /// `If-None-Match: W/"1", W/"2"`: that it is at none of these.
    NoneOf(Vec<i32>),
}

impl Expected {
    /// Reads the tags of `If-Match`; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        match tags(text)? {
            Tags::Any => Some(Self::Any),
            Tags::Each(each) => Some(Self::OneOf(versions(&each))),
        }
    }

    /// The same of `If-None-Match`.
    pub fn read_none(text: &str) -> Option<Self> {
        match tags(text)? {
            Tags::Any => Some(Self::Absent),
            Tags::Each(each) => Some(Self::NoneOf(versions(&each))),
        }
    }

    /// Whether what is there will do.
    ///
    /// * `current`: its version; `None` where nothing is, or it was deleted.
    pub fn fits(&self, current: Option<i32>) -> bool {
        match (self, current) {
            (Self::Any, current) => current.is_some(),
            (Self::OneOf(versions), Some(version)) => versions.contains(&version),
            (Self::OneOf(_), None) => false,
            (Self::Absent, current) => current.is_none(),
            (Self::NoneOf(versions), Some(version)) => !versions.contains(&version),
            (Self::NoneOf(_), None) => true,
        }
    }

    /// Whether it names what is to be changed, so that no one else's change is lost.
    pub fn guards(&self) -> bool {
        matches!(self, Self::Any | Self::OneOf(_))
    }
}

/// What a reader has already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `If-None-Match`, which goes before the date.
    tags: Option<Tags>,
    /// `If-Modified-Since`, microseconds since 1970.
    since: Option<i64>,
}

impl Known {
    /// Reads the two, as headers say them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for tags that are none. A date that cannot be read is
    /// passed over, as RFC 9110 wants it.
    pub fn read(tags_said: Option<&str>, since: Option<&str>) -> Result<Self, Error> {
        let malformed = || {
            Error::Invalid(vec![Issue::error(
                "value",
                "If-None-Match is * or tags in quotes, such as W/\"1\".",
                "If-None-Match には * または W/\"1\" のような引用符付きの ETag を指定してください。",
            )])
        };
        let tags = tags_said.map(|text| tags(text).ok_or_else(malformed)).transpose()?;
        Ok(Self { tags, since: since.and_then(http_date) })
    }

    /// The same with the instant as FHIR writes it.
    #[must_use]
    pub fn since(self, instant: Option<&str>) -> Self {
        let since = instant.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        Self { since: since.map(jiff::Timestamp::as_microsecond), ..self }
    }

    /// Whether the reader has this version.
    ///
    /// * `updated`: microseconds since 1970; HTTP's dates know whole seconds.
    pub fn covers(&self, version: i32, updated: i64) -> bool {
        match (&self.tags, self.since) {
            (Some(Tags::Any), _) => true,
            (Some(Tags::Each(each)), _) => each.iter().any(|tag| *tag == version.to_string()),
            (None, Some(since)) => updated.div_euclid(SECOND) <= since.div_euclid(SECOND),
            (None, None) => false,
        }
    }
}

const SECOND: i64 = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Each(Vec<String>),
}

/// `*`, or `W/"1", "2"` compared weakly. A tag holds no quote; empty items of a list
/// are passed over (RFC 9110 §5.6.1).
fn tags(text: &str) -> Option<Tags> {
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    let mut each = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let tag = part.strip_prefix("W/").unwrap_or(part).strip_prefix('"')?.strip_suffix('"')?;
        if tag.contains('"') {
            return None;
        }
        each.push(tag.to_owned());
    }
    (!each.is_empty()).then_some(Tags::Each(each))
}

/// The versions that the tags name. A tag is compared letter by letter: `"x"` and
/// `"01"` are tags of nothing here.
fn versions(tags: &[String]) -> Vec<i32> {
    tags.iter().filter_map(|tag| version(tag)).collect()
}

/// `7` → 7; a version is written in one way.
pub(crate) fn version(text: &str) -> Option<i32> {
    text.parse().ok().filter(|version: &i32| version.to_string() == text)
}

/// `Sun, 22 Nov 2026 08:00:00 GMT`, and the two older forms that RFC 9110 §5.6.7 has
/// every reader take.
fn http_date(text: &str) -> Option<i64> {
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let time = forms.iter().find_map(|form| jiff::civil::DateTime::strptime(form, text.trim()).ok())?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_versions() {
        for (text, expected) in [
            ("W/\"3\"", Some(Expected::OneOf(vec![3]))),
            ("\"3\"", Some(Expected::OneOf(vec![3]))),
            (" W/\"3\" , \"4\"", Some(Expected::OneOf(vec![3, 4]))),
            ("*", Some(Expected::Any)),
            ("3", None),
            ("W/3", None),
            ("\"x\"", Some(Expected::OneOf(vec![]))),
            ("\"03\"", Some(Expected::OneOf(vec![]))),
            ("\"+3\"", Some(Expected::OneOf(vec![]))),
            ("\"3", None),
            ("\"3\"4\"", None),
            ("", None),
            ("\"3\",", Some(Expected::OneOf(vec![3]))),
            (",", None),
            ("*, \"3\"", None),
        ] {
            assert_eq!(Expected::read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_write_finds_what_it_wants_or_not() {
        for (expected, absent, first, second) in [
            (Expected::read("*"), false, true, true),
            (Expected::read("W/\"1\""), false, true, false),
            (Expected::read_none("*"), true, false, false),
            (Expected::read_none("W/\"1\", \"7\""), true, false, true),
        ] {
            let expected = expected.expect("tags");
            let found = [None, Some(1), Some(2)].map(|current| expected.fits(current));
            assert_eq!(found, [absent, first, second], "{expected:?}");
        }
        assert_eq!(Expected::read_none("1"), None);
    }

    #[test]
    fn tags_go_before_dates() {
        let date = "Thu, 01 Jan 1970 00:00:10 GMT";
        for (tags, since, version, seconds, known) in [
            (Some("W/\"1\""), None, 1, 0, true),
            (Some("\"2\", W/\"1\""), None, 1, 0, true),
            (Some("*"), None, 7, 0, true),
            (Some("\"x\""), None, 1, 0, false),
            (Some("\"2\""), Some(date), 1, 0, false),
            (None, Some(date), 1, 10, true),
            (None, Some(date), 1, 11, false),
            (None, Some("Thursday, 01-Jan-70 00:00:10 GMT"), 1, 10, true),
            (None, Some("Thu Jan  1 00:00:10 1970"), 1, 10, true),
            (None, Some("Thu Jan  1 00:00:10 1970"), 1, 11, false),
            (None, Some("yesterday"), 1, 0, false),
            (None, None, 1, 0, false),
        ] {
            let own = Known::read(tags, since).expect("tags");
            assert_eq!(own.covers(version, seconds * SECOND + 999_999), known, "{tags:?} {since:?}");
        }
        assert!(Known::read(Some("1"), None).is_err());
    }
}
