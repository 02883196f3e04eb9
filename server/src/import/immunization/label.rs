//! 接種区分: one column, three meanings.
//!
//! Towns write into it the dose (`1期初回1回目`), the legal class (`定期`) or how it
//! was carried out (`個別`, `見合わせ`). It is read in that order, and kept as text
//! where it is none of them.
//!
//! Source: immunizations.md §4

use unicode_normalization::UnicodeNormalization;

/// What the column says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Category {
    /// Which dose.
    Dose(Label),
    /// The legal class.
    Program(Program),
    /// It was not given.
    NotGiven,
    /// It was given; how, in words, where the source tells.
    Given(Option<&'static str>),
    /// A digit alone: a dose where another column has the legal class, else that.
    Digit(u32),
    /// None of them.
    Unknown,
}

/// Which dose of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// `1期初回`, `1期追加`, `2期` …; none for a plain number.
    pub(super) series: Option<String>,
    /// The number in the label.
    pub(super) number: Option<u32>,
}

/// The legal class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// 定期
    Routine,
    /// 任意
    Voluntary,
}

impl Program {
    /// Its code in `{L}/CodeSystem/immunization-program`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Voluntary => "voluntary",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Routine => "定期接種",
            Self::Voluntary => "任意接種",
        }
    }

    /// Reads `1`, `定期`, `2`, `任意`.
    pub fn read(text: &str) -> Option<Self> {
        match plain(text).as_str() {
            "1" | "定期" | "定期接種" | "routine" => Some(Self::Routine),
            "2" | "任意" | "任意接種" | "voluntary" => Some(Self::Voluntary),
            _ => None,
        }
    }
}

fn plain(text: &str) -> String {
    text.nfkc().filter(|letter| !letter.is_whitespace()).collect()
}

/// Reads the column.
pub(super) fn read(text: &str) -> Category {
    let plain = plain(text);
    if let Some(label) = label(&plain) {
        return Category::Dose(label);
    }
    if let [digit @ b'1'..=b'9'] = plain.as_bytes() {
        return Category::Digit(u32::from(digit - b'0'));
    }
    if let Some(program) = Program::read(&plain) {
        return Category::Program(program);
    }
    match plain.as_str() {
        "見合わせ" | "見合せ" | "見合" | "接種見合わせ" => Category::NotGiven,
        "接種" | "接種済" | "接種済み" => Category::Given(None),
        "集団" | "集団接種" => Category::Given(Some("集団")),
        "個別" | "個別接種" => Category::Given(Some("個別")),
        _ => Category::Unknown,
    }
}

/// `^(第?[12]期)?(初回|追加)?([1-9]回目?)?$`, at least one part present.
fn label(text: &str) -> Option<Label> {
    let (period, rest) = match text.strip_prefix('第').unwrap_or(text).split_once('期') {
        Some((period @ ("1" | "2"), rest)) => (period, rest),
        _ => ("", text),
    };
    let stage = ["初回", "追加"].into_iter().find(|stage| rest.starts_with(stage)).unwrap_or_default();
    let rest = &rest[stage.len()..];
    let number = match rest.strip_suffix("回目").or_else(|| rest.strip_suffix('回')).map(str::as_bytes) {
        Some([digit @ b'1'..=b'9']) => Some(u32::from(digit - b'0')),
        _ if rest.is_empty() => None,
        _ => return None,
    };
    let series = match (period, stage) {
        ("", "") if number.is_none() => return None,
        ("", "") => None,
        // The schedules that name a stage alone have one period.
        ("", stage) => Some(format!("1期{stage}")),
        (period, stage) => Some(format!("{period}期{stage}")),
    };
    Some(Label { series, number })
}

/// The dose's number in its series: by the label, then by the column of numbers,
/// then by what the series implies.
pub(super) fn number(label: &Label, column: Option<u32>, vaccine: &str) -> Option<u32> {
    match label.series.as_deref() {
        Some("2期") => Some(1),
        Some(series) if series.ends_with("追加") => {
            let usual = if vaccine == "JE" { 3 } else { 4 };
            Some(column.filter(|&number| number > 1).unwrap_or(usual))
        }
        Some("1期") => label.number.or(column).or(Some(1)),
        _ => label.number.or(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_dose_labels() {
        for (text, series, in_label) in [
            ("1期初回1回目", Some("1期初回"), Some(1)),
            ("１期初回３回", Some("1期初回"), Some(3)),
            ("第1期初回2回目", Some("1期初回"), Some(2)),
            ("1期追加", Some("1期追加"), None),
            ("追加", Some("1期追加"), None),
            ("初回1回目", Some("1期初回"), Some(1)),
            ("第2期", Some("2期"), None),
            ("2期", Some("2期"), None),
            ("第1期", Some("1期"), None),
            ("1回目", None, Some(1)),
            ("9回", None, Some(9)),
        ] {
            let expected = Label { series: series.map(str::to_owned), number: in_label };
            assert_eq!(read(text), Category::Dose(expected), "{text}");
        }
        for text in ["", "期", "3期", "第", "第初回", "初回追加", "0回目", "10回目", "1期初回1", "１期初回目", "不明"]
        {
            assert_eq!(read(text), Category::Unknown, "{text}");
        }
    }

    #[test]
    fn the_other_meanings() {
        for (text, expected) in [
            ("定期", Category::Program(Program::Routine)),
            ("任意", Category::Program(Program::Voluntary)),
            ("1", Category::Digit(1)),
            ("見合わせ", Category::NotGiven),
            ("接種", Category::Given(None)),
            ("個別", Category::Given(Some("個別"))),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_by_series() {
        for (text, column, vaccine, expected) in [
            ("1期初回1回目", Some(1), "HIB", Some(1)),
            ("1期初回2回目", None, "JE", Some(2)),
            ("1期追加", Some(4), "HIB", Some(4)),
            ("1期追加", Some(3), "PCV", Some(3)),
            ("1期追加", None, "DPTIPV", Some(4)),
            ("追加", Some(1), "HIB", Some(4)),
            ("1期追加", None, "JE", Some(3)),
            ("第2期", Some(4), "JE", Some(1)),
            ("第1期", None, "MR", Some(1)),
            ("3回目", Some(1), "HBV", Some(3)),
            ("1期初回", Some(2), "HIB", Some(2)),
            ("1期初回", None, "HIB", None),
        ] {
            let Category::Dose(label) = read(text) else { panic!("{text}") };
            assert_eq!(number(&label, column, vaccine), expected, "{text}");
        }
    }
}
