//! The kinds of infant and child check-ups.
//!
//! To add one: a row in [`KINDS`].
//!
//! Source: infant-checkups.md §2; 母子保健法 articles 12, 13

use jiff::ToSpan;
use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

/// One kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its code in `{L}/CodeSystem/infant-checkup-kind`.
    pub(super) code: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What names of it begin with, after [`plain`].
    aliases: &'static [&'static str],
    /// The age it is meant for: from, and the first age that is too old.
    window: Option<(Age, Age)>,
}

/// An age, counted as people count: on the same day of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age {
    months: i32,
    days: i32,
}

const fn months(months: i32) -> Age {
    Age { months, days: 0 }
}

const fn days(days: i32) -> Age {
    Age { months: 0, days }
}

const fn kind(
    code: &'static str,
    name: &'static str,
    aliases: &'static [&'static str],
    window: Option<(Age, Age)>,
) -> Kind {
    Kind { code, name, aliases, window }
}

/// Every kind that has a code.
pub(super) static KINDS: [Kind; 8] = [
    kind("hip", "先天性股関節脱臼健康診査", &["先天性股関節脱臼", "股関節脱臼", "股関節"], None),
    kind("m01", "1か月児健康診査", &["1か月"], Some((days(27), days(43)))),
    kind("m03", "3～4か月児健康診査", &["3~4か月", "3か月", "4か月", "3・4か月"], Some((months(3), months(5)))),
    kind("m09", "9～10か月児健康診査", &["9~10か月", "9か月", "10か月", "9・10か月"], Some((months(9), months(11)))),
    kind("y1h", "1歳6か月児健康診査", &["1歳6か月", "1歳半"], Some((months(18), months(24)))),
    kind("y2d", "2歳児歯科健康診査", &["2歳児歯科", "2歳歯科"], Some((months(24), months(36)))),
    kind("y3", "3歳児健康診査", &["3歳"], Some((months(36), months(48)))),
    kind("y5", "5歳児健康診査", &["5歳"], Some((months(60), months(72)))),
];

/// The kind of this code or name; `None` where nobody knows it.
pub(super) fn find(text: &str) -> Option<&'static Kind> {
    let plain = plain(text);
    KINDS.iter().find(|kind| kind.code == plain || kind.aliases.contains(&plain.as_str()))
}

/// A name without what is written in many ways: widths, か and ヶ, waves, 児, and
/// the word for check-up.
fn plain(text: &str) -> String {
    let text: String = text
        .nfkc()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| match letter {
            'ヶ' | 'ケ' | 'ヵ' | 'カ' | '箇' => 'か',
            '\u{301C}' | '\u{2212}' | '-' | '－' => '~',
            _ => letter.to_ascii_lowercase(),
        })
        .collect();
    let ends = ["健康診査", "健康診断", "健診", "検診", "診査"];
    let text = ends.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(&text);
    text.strip_suffix('児').unwrap_or(text).to_owned()
}

impl Kind {
    /// Whether a child born on `birth` had the age for it on `day`. By the age
    /// law an age is reached the day before, so the first day may be one earlier.
    pub(super) fn fits(&self, birth: Date, day: Date) -> bool {
        let Some((from, until)) = self.window else { return true };
        let (Some(from), Some(until)) = (reached(birth, from), reached(birth, until)) else { return true };
        from.yesterday().is_ok_and(|first| day >= first) && day < until
    }
}

/// The day on which an age is reached; `None` only at the end of the calendar.
fn reached(birth: Date, age: Age) -> Option<Date> {
    birth.checked_add(age.months.months().days(age.days)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_towns_write_them() {
        for (text, code) in [
            ("先天性股関節脱臼健康診査", "hip"),
            ("３～４か月児健康診査", "m03"),
            ("3〜4ヶ月児健診", "m03"),
            ("4カ月児健康診査", "m03"),
            ("9-10か月児健診", "m09"),
            ("９～１０か月児健康診査", "m09"),
            ("1か月児健康診査", "m01"),
            ("１歳６か月児健康診査", "y1h"),
            ("1歳6ヵ月児健診", "y1h"),
            ("２歳児歯科健康診査", "y2d"),
            ("３歳児健康診査", "y3"),
            ("3歳児健診", "y3"),
            ("5歳児健診", "y5"),
            ("M03", "m03"),
            ("hip", "hip"),
        ] {
            assert_eq!(find(text).map(|kind| kind.code), Some(code), "{text}");
        }
        for text in ["謎の健診", "", "か月児健診", "13歳児健診", "3歳児歯科健診"] {
            assert_eq!(find(text), None, "{text}");
        }
        for kind in &KINDS {
            assert_eq!(find(kind.name), Some(kind));
        }
    }

    #[test]
    fn windows_include_their_first_day_and_exclude_their_last_birthday() {
        let date = |text: &str| text.parse::<Date>().expect("date");
        let birth = date("2020-05-10");
        for (code, day, fits) in [
            ("y1h", "2021-11-08", false),
            ("y1h", "2021-11-09", true),
            ("y1h", "2022-05-09", true),
            ("y1h", "2022-05-10", false),
            ("y3", "2023-05-10", true),
            ("y3", "2024-05-10", false),
            ("m01", "2020-06-08", true),
            ("hip", "2025-01-01", true),
        ] {
            assert_eq!(find(code).expect(code).fits(birth, date(day)), fits, "{code} {day}");
        }
    }
}
