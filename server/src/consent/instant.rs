//! The span of time that a FHIR date stands for, in microseconds since 1970.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The span of `text`: a `date`, `dateTime` or `instant`; `None` if it is none of them.
///
/// * `zone`: where a day begins and ends, when `text` names no offset.
/// * the end is exclusive; a second without a fraction lasts the whole second.
///
/// `2024-02-29` in Asia/Tokyo → `2024-02-28T15:00Z .. 2024-02-29T15:00Z`.
pub fn span(text: &str, zone: &TimeZone) -> Option<Range<i64>> {
    match text.split_once('T') {
        None => days(text, zone),
        Some(_) => moment(text),
    }
}

/// The span of a `Period` or of a `Timing`'s events or bounds; what is left open
/// runs for ever. `None` if an end is there but makes no sense, or both are missing.
pub fn period(json: &techo_profiles::json::Json, zone: &TimeZone) -> Option<Range<i64>> {
    let end = |name: &str| json.get(name).map(|value| value.as_str().and_then(|text| span(text, zone)));
    let (start, finish) = match (end("start"), end("end")) {
        (None, None) | (Some(None), _) | (_, Some(None)) => return None,
        (start, finish) => (start.flatten(), finish.flatten()),
    };
    let from = start.map_or(i64::MIN, |span| span.start);
    let until = finish.map_or(i64::MAX, |span| span.end);
    (from < until).then_some(from..until)
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
fn days(text: &str, zone: &TimeZone) -> Option<Range<i64>> {
    let digits = |part: &str, count: usize| {
        (part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i16>().ok())?
    };
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4).filter(|&year| year > 0)?;
    let month = parts.next().map(|part| digits(part, 2).and_then(|month| i8::try_from(month).ok()));
    let day = parts.next().map(|part| digits(part, 2).and_then(|day| i8::try_from(day).ok()));
    if parts.next().is_some() {
        return None;
    }
    let (first, length) = match (month, day) {
        (None, _) => (Date::new(year, 1, 1).ok()?, 1.year()),
        (Some(month), None) => (Date::new(year, month?, 1).ok()?, 1.month()),
        (Some(month), Some(day)) => (Date::new(year, month?, day?).ok()?, 1.day()),
    };
    let start = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0)).ok().map(Timestamp::as_microsecond);
    // The year 9999 has no day after it: it lasts for ever.
    let until = first.checked_add(length).ok().and_then(start).unwrap_or(i64::MAX);
    Some(start(first)?..until)
}

/// A date with a time and an offset.
fn moment(text: &str) -> Option<Range<i64>> {
    let at: Timestamp = text.parse().ok()?;
    let start = at.as_microsecond();
    let fraction = text.split_once('.').map(|(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    let length = match fraction {
        None => 1_000_000,
        Some(digits) => 10_i64.pow(6_u32.saturating_sub(u32::try_from(digits).unwrap_or(6))),
    };
    Some(start..start.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use techo_profiles::json;

    fn shown(span: Option<Range<i64>>) -> String {
        let at = |micros: i64| match micros {
            i64::MIN => "-".to_owned(),
            i64::MAX => "+".to_owned(),
            _ => Timestamp::from_microsecond(micros).expect("in range").to_string(),
        };
        span.map_or("none".to_owned(), |span| format!("{} {}", at(span.start), at(span.end)))
    }

    #[test]
    fn dates_last_to_the_end_of_their_last_day_in_the_zone() {
        let tokyo = TimeZone::get("Asia/Tokyo").expect("a zone");
        for (text, expected) in [
            ("2024-02-29", "2024-02-28T15:00:00Z 2024-02-29T15:00:00Z"),
            ("2024-12", "2024-11-30T15:00:00Z 2024-12-31T15:00:00Z"),
            ("2024", "2023-12-31T15:00:00Z 2024-12-31T15:00:00Z"),
            ("2024-02-29T10:00:00+09:00", "2024-02-29T01:00:00Z 2024-02-29T01:00:01Z"),
            ("2024-02-29T10:00:00.5Z", "2024-02-29T10:00:00.5Z 2024-02-29T10:00:00.6Z"),
            ("2023-02-29", "none"),
            ("2024-2-9", "none"),
            ("0000", "none"),
            ("2024-01-01T10:00", "none"),
            ("", "none"),
        ] {
            assert_eq!(shown(span(text, &tokyo)), expected, "{text}");
        }
    }

    #[test]
    fn periods_may_be_open() {
        let tokyo = TimeZone::get("Asia/Tokyo").expect("a zone");
        for (value, expected) in [
            (json!({"start": "2024-01-02", "end": "2024-01-02"}), "2024-01-01T15:00:00Z 2024-01-02T15:00:00Z"),
            (json!({"start": "2024-01-02"}), "2024-01-01T15:00:00Z +"),
            (json!({"end": "2024"}), "- 2024-12-31T15:00:00Z"),
            (json!({}), "none"),
            (json!({"start": "x"}), "none"),
            (json!({"start": "2024-01-03", "end": "2024-01-02"}), "none"),
        ] {
            assert_eq!(shown(period(&value, &tokyo)), expected, "{value}");
        }
    }
}
