//! What a cell says: text in, a value or a reason for its absence out.
//!
//! Source: infant-checkups.md §4, §5, §7

use techo_profiles::json;
use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

use super::item::{Body, Item, Kind, TEETH_LIMITS, WEIGHT};
use crate::import::decimal::Decimal;
use crate::import::draft::{LOCAL_BASE, Text};

/// A value as it will be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number and its UCUM unit.
    Quantity(Decimal, &'static str),
    /// A code of a small list, with the words as received.
    Coded(Json),
    /// There is no value, and this is why: a code of `data-absent-reason`.
    Absent(&'static str),
}

/// A cell that was read, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// What it says.
    pub(super) value: Value,
    /// Code and words of a warning.
    pub(super) warning: Option<(&'static str, Text)>,
}

/// Why a cell is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a number of the kind that is wanted.
    NotANumber,
    /// Outside of what can be.
    OutOfRange,
}

impl Fault {
    /// A short constant for reports.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NotANumber => "not-a-number",
            Self::OutOfRange => "out-of-range",
        }
    }

    /// For people.
    pub(super) fn text(self) -> Text {
        match self {
            Self::NotANumber => Text::new(
                "the value is not a number of the kind that is wanted; the item is left out",
                "数値として読み取れないため、この項目は取り込みません",
            ),
            Self::OutOfRange => Text::new(
                "the value lies outside of what can be; the item is left out",
                "あり得る範囲の外の値のため、この項目は取り込みません",
            ),
        }
    }
}

/// Reads one filled cell.
pub(super) fn read(item: &Item, text: &str) -> Result<Read, Fault> {
    if let Some(reason) = absent(text) {
        return Ok(Read { value: Value::Absent(reason), warning: None });
    }
    match &item.kind {
        Kind::Body(body) => measure(item, body, text),
        Kind::Teeth => teeth(text),
        Kind::Urine => {
            Ok(coded(text, strip_result(text).map(|(code, display)| (STRIP_SYSTEM.to_owned(), code, display))))
        }
        Kind::Finding => {
            let system = format!("{LOCAL_BASE}/CodeSystem/finding-presence");
            Ok(coded(text, finding(text).map(|(code, display)| (system, code, display))))
        }
    }
}

/// The reason a word gives for there being no value.
fn absent(text: &str) -> Option<&'static str> {
    let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    match plain.trim_matches(['(', ')']) {
        "未実施" | "未測定" | "未検査" | "実施せず" | "検査せず" => Some("not-performed"),
        "測定不能" | "測定できず" | "検査不能" | "判定不能" => Some("error"),
        _ => None,
    }
}

fn measure(item: &Item, body: &Body, text: &str) -> Result<Read, Fault> {
    let (number, unit) = Decimal::read(text, body.suffixes).ok_or(Fault::NotANumber)?;
    let grams = unit == Some("g");
    // Nobody weighs a thousand kilograms: a whole number that large is grams.
    let inferred = item.property == WEIGHT && unit.is_none() && number.is_integer() && number.is_within(GRAMS);
    let limits = if grams || inferred { ("300", "60000") } else { body.limits };
    if !number.is_within(limits) {
        return Err(Fault::OutOfRange);
    }
    let warning = inferred.then(|| {
        ("unit-inferred", Text::new("read as grams, not kilograms", "キログラムではなくグラムとして読みました"))
    });
    let unit = if grams || inferred { "g" } else { body.unit };
    Ok(Read { value: Value::Quantity(number, unit), warning })
}

/// A weight in the kilogram column that must be grams.
const GRAMS: (&str, &str) = ("1000", "60000");

fn teeth(text: &str) -> Result<Read, Fault> {
    let (number, _) = Decimal::read(text, &["本", "歯", "{teeth}", "{hon}"]).ok_or(Fault::NotANumber)?;
    if !number.is_integer() {
        return Err(Fault::NotANumber);
    }
    if !number.is_within(TEETH_LIMITS) {
        return Err(Fault::OutOfRange);
    }
    Ok(Read { value: Value::Quantity(number, "{teeth}"), warning: None })
}

/// A code where the words are known, the words alone where they are not.
fn coded(text: &str, code: Option<(String, &'static str, &'static str)>) -> Read {
    let known = code.is_some();
    let coding = code.map(|(system, code, display)| json!([{"system": system, "code": code, "display": display}]));
    let value = Json::object::<&str>([]).with_some("coding", coding).with("text", text);
    let warning = (!known).then(|| {
        (
            "unmapped",
            Text::new(
                "no code is known for the value; its words are kept",
                "対応するコードがないため、文字のまま取り込みます",
            ),
        )
    });
    Read { value: Value::Coded(value), warning }
}

/// The ministry's list of test strip results.
const STRIP_SYSTEM: &str = "urn:oid:1.2.392.200119.6.2102";

fn strip_result(text: &str) -> Option<(&'static str, &'static str)> {
    let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')')).collect();
    match plain.as_str() {
        "-" | "\u{2212}" | "\u{2013}" | "\u{2010}" | "ー" | "陰性" | "異常なし" => Some(("1", "－")),
        "±" | "+-" | "+/-" | "疑陽性" => Some(("2", "±")),
        "+" | "1+" | "+1" | "陽性" => Some(("3", "1+")),
        "++" | "2+" | "+2" => Some(("4", "2+")),
        "+++" | "3+" | "+3" | "3+以上" | "4+" | "++++" => Some(("5", "3+")),
        _ => None,
    }
}

fn finding(text: &str) -> Option<(&'static str, &'static str)> {
    let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    match plain.as_str() {
        "所見なし" | "所見無し" | "所見無" | "異常なし" | "none" => Some(("none", "所見なし")),
        "所見あり" | "所見有り" | "所見有" | "present" => Some(("present", "所見あり")),
        "要精密検査" | "要精検" | "recheck" => Some(("recheck", "要精密検査")),
        "不明" | "unknown" => Some(("unknown", "不明")),
        _ => None,
    }
}

/// Weight over height squared, as an exact fraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kaup {
    over: i128,
    under: i128,
}

impl Kaup {
    /// From a weight in kg or g and a height in cm; `None` where one is missing.
    pub(super) fn of(weight: &Value, height: &Value) -> Option<Self> {
        let (Value::Quantity(weight, unit), Value::Quantity(height, _)) = (weight, height) else { return None };
        let (weight, weight_scale) = weight.parts();
        let (height, height_scale) = height.parts();
        let grams = if *unit == "g" { 1000 } else { 1 };
        // kg / m² = weight · 10⁴ / cm²
        let over = weight * 10_000 * 10_i128.pow(2 * height_scale);
        let under = height * height * 10_i128.pow(weight_scale) * grams;
        (under > 0).then_some(Self { over, under })
    }

    /// To one decimal, half up.
    pub(super) fn rounded(self) -> Option<Decimal> {
        let tenths = (self.over * 20 + self.under) / (self.under * 2);
        Decimal::of(&format!("{}.{}", tenths / 10, tenths % 10))
    }

    /// Whether another value for it is off by more than 0.2.
    pub(super) fn contradicts(self, given: &Decimal) -> bool {
        let (digits, scale) = given.parts();
        let given_scale = 10_i128.pow(scale);
        let apart = (digits * self.under - self.over * given_scale).abs();
        apart * 10 > 2 * self.under * given_scale
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::ITEMS;
    use super::*;

    fn item(property: &str) -> &'static Item {
        ITEMS.iter().find(|item| item.property == property).expect("item")
    }

    fn told(property: &str, text: &str) -> Result<String, Fault> {
        read(item(property), text).map(|read| {
            let value = match read.value {
                Value::Quantity(number, unit) => format!("{} {unit}", number.json()),
                Value::Coded(concept) => {
                    concept.list("coding").first().map_or("text", |it| it.str("code").unwrap_or("")).to_owned()
                }
                Value::Absent(reason) => reason.to_owned(),
            };
            match read.warning {
                Some((code, _)) => format!("{value} [{code}]"),
                None => value,
            }
        })
    }

    #[test]
    fn the_table_of_bad_input() {
        use Fault::{NotANumber, OutOfRange};
        for (property, text, expected) in [
            ("height", "６２．５", Ok("62.5 cm")),
            ("height", "62.5cm", Ok("62.5 cm")),
            ("height", "0.625", Err(OutOfRange)),
            ("height", "30", Ok("30 cm")),
            ("height", "29.9", Err(OutOfRange)),
            ("height", "150.1", Err(OutOfRange)),
            ("height", "約60", Err(NotANumber)),
            ("weight", "7040", Ok("7040 g [unit-inferred]")),
            ("weight", "7040g", Ok("7040 g")),
            ("weight", "7.040", Ok("7.040 kg")),
            ("weight", "60001", Err(OutOfRange)),
            ("weight", "999", Err(OutOfRange)),
            ("weight", "7040.5", Err(OutOfRange)),
            ("weight", "137.0", Err(OutOfRange)),
            ("weight", "0.2", Err(OutOfRange)),
            ("chest", "90.1", Err(OutOfRange)),
            ("head", "19", Err(OutOfRange)),
            ("kaup", "166326.4", Err(OutOfRange)),
            ("teeth", "33", Err(OutOfRange)),
            ("teeth", "２０本", Ok("20 {teeth}")),
            ("caries", "-1", Err(OutOfRange)),
            ("caries", "1.5", Err(NotANumber)),
            ("caries", "未実施", Ok("not-performed")),
            ("height", "測定不能", Ok("error")),
        ] {
            assert_eq!(told(property, text), expected.map(str::to_owned), "{property} {text}");
        }
    }

    #[test]
    fn every_way_to_write_a_strip_result() {
        for (texts, code) in [
            (&["-", "−", "–", "－", "ー", "陰性", "異常なし", "(-)", "（－）", "( - )"][..], "1"),
            (&["±", "+-", "+/-", "疑陽性", "(±)"], "2"),
            (&["+", "1+", "+1", "陽性", "＋", "（１＋）"], "3"),
            (&["++", "2+"], "4"),
            (&["+++", "3+", "3+以上", "4+"], "5"),
            (&["未実施"], "not-performed"),
            (&["?", "弱陽性", "5+"], "text [unmapped]"),
        ] {
            for text in texts {
                assert_eq!(told("urineProtein", text).as_deref(), Ok(code), "{text}");
            }
        }
        let Ok(Read { value: Value::Coded(concept), .. }) = read(item("urineProtein"), "4+") else { panic!("coded") };
        assert_eq!(concept.str("text"), Some("4+"));
    }

    #[test]
    fn kaup_is_exact_and_rounds_half_up() {
        let quantity = |text: &str, unit| Value::Quantity(Decimal::of(text).expect("decimal"), unit);
        for (weight, unit, height, expected) in [
            ("6.55", "kg", "62.3", "16.9"),
            ("6550", "g", "62.3", "16.9"),
            ("6.15", "kg", "61.2", "16.4"),
            // 16.05 exactly
            ("16.05", "kg", "100.0", "16.1"),
            ("16.049", "kg", "100", "16.0"),
        ] {
            let kaup = Kaup::of(&quantity(weight, unit), &quantity(height, "cm")).expect("kaup");
            assert_eq!(kaup.rounded().expect("decimal").json().to_string(), expected, "{weight} {height}");
        }
        let kaup = Kaup::of(&quantity("16", "kg"), &quantity("100", "cm")).expect("kaup");
        for (given, contradicts) in [("16.2", false), ("16.21", true), ("15.8", false), ("15.7", true)] {
            assert_eq!(kaup.contradicts(&Decimal::of(given).expect("decimal")), contradicts, "{given}");
        }
        assert!(Kaup::of(&Value::Absent("error"), &quantity("100", "cm")).is_none());
    }
}
