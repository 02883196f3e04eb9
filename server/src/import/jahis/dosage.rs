//! Dose, unit, usage and form → `Dosage`, or what is left of it as text.
//!
//! The dosage form (剤形) tells what the dose of record 201 and the quantity of
//! record 301 count; without it a number is not made into a quantity.
//!
//! To add a unit: a row in [`UNITS`].

use techo_profiles::json;
use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

use super::account::{Account, fault};
use super::concept::{coding, concept};
use super::group::{Drug, Rp};
use super::record::Record;

/// What the numbers of a prescription come to.
#[derive(Default)]
pub(super) struct Amounts {
    /// `Dosage`; `None` where nothing is known of it.
    pub(super) dosage: Option<Json>,
    /// All that was dispensed, where the form says that the dose is that.
    pub(super) total: Option<Json>,
    /// For how many days.
    pub(super) days: Option<i32>,
    /// What had to stay text, each with its label.
    pub(super) texts: Vec<(&'static str, String)>,
}

/// What the dose of record 201 counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    PerDay,
    PerTime,
    Total,
    Unknown,
}

/// Reads dose and usage of one drug.
pub(super) fn amounts(drug: &Drug, rp: &Rp, account: &mut Account) -> Amounts {
    let usage = rp.usage.as_ref();
    let form = usage.and_then(|usage| usage.get("form"));
    let counts = counts(form);
    let mut amounts = Amounts::default();
    let rate = match dose(&drug.record, counts, account) {
        Dose::Quantity(quantity) if counts == Counts::Total => {
            amounts.total = Some(quantity);
            None
        }
        Dose::Quantity(quantity) => Some(rate(quantity, counts)),
        Dose::Text(text) => {
            amounts.texts.push(("用量", text));
            None
        }
        Dose::None => None,
    };
    if let Some(usage) = usage {
        quantity(usage, counts, &mut amounts, account);
    }
    let supplements: Vec<&str> =
        rp.supplements.iter().filter(|record| record.number() == 311).filter_map(|record| record.get("text")).collect();
    let dosage = json!({})
        .with_some("text", usage.and_then(|usage| usage.get("name")))
        .with_some("patientInstruction", (!supplements.is_empty()).then(|| supplements.join("\n")))
        .with_some("timing", usage.and_then(|usage| timing(usage, account)))
        .with_some("asNeededBoolean", (counts == Counts::PerTime).then_some(true))
        .with_some("doseAndRate", rate.map(|rate| vec![rate]));
    amounts.dosage = (!dosage.members().is_empty()).then_some(dosage);
    amounts
}

fn counts(form: Option<&str>) -> Counts {
    match form {
        Some("1" | "6" | "7") => Counts::PerDay,
        Some("3") => Counts::PerTime,
        Some(_) => Counts::Total,
        None => Counts::Unknown,
    }
}

enum Dose {
    None,
    Text(String),
    Quantity(Json),
}

fn dose(record: &Record, counts: Counts, account: &mut Account) -> Dose {
    let unit = record.get("unit");
    let Some(written) = record.get("dose") else { return Dose::None };
    let text = || Dose::Text(format!("{written}{}", unit.unwrap_or_default()));
    let Some(number) = number(written) else {
        account.tell_in(&fault::DOSE_NOT_A_NUMBER, record.at, record.label("dose"));
        return text();
    };
    if counts == Counts::Unknown {
        account.tell_in(&fault::DOSE_WITHOUT_FORM, record.at, record.label("dose"));
        return text();
    }
    let code = unit.and_then(unit_code);
    Dose::Quantity(
        json!({"value": number})
            .with_some("unit", unit)
            .with_some("system", code.map(|_| MERIT9))
            .with_some("code", code),
    )
}

/// `Dosage.doseAndRate` of a dose per time or per day.
fn rate(quantity: Json, counts: Counts) -> Json {
    let kind = json!({"type": (concept(coding(STRENGTH_TYPE, "1", Some("製剤量"))))});
    if counts == Counts::PerTime {
        return kind.with("doseQuantity", quantity);
    }
    kind.with("rateRatio", json!({"numerator": quantity, "denominator": (days(1))}))
}

/// A number of days.
pub(super) fn days(count: i32) -> Json {
    json!({"value": count, "unit": "日", "system": "http://unitsofmeasure.org", "code": "d"})
}

/// The quantity of record 301: days, times, or nothing of its own.
fn quantity(usage: &Record, counts: Counts, amounts: &mut Amounts, account: &mut Account) {
    let Some(written) = usage.get("quantity") else { return };
    let text = || ("調剤数量", format!("{written}{}", usage.get("quantity-unit").unwrap_or_default()));
    match counts {
        Counts::PerDay => {
            amounts.days = written.parse().ok().filter(|days| (1..=999).contains(days));
            if amounts.days.is_none() {
                account.tell_in(&fault::DAYS_NOT_USED, usage.at, usage.label("quantity"));
                amounts.texts.push(text());
            }
        }
        // 「1 調剤」 says nothing that the total does not.
        Counts::Total if written == "1" => {}
        Counts::PerTime | Counts::Total | Counts::Unknown => amounts.texts.push(text()),
    }
}

/// The usage code of JAMI: 16 characters.
fn timing(usage: &Record, account: &mut Account) -> Option<Json> {
    let code = usage.get("code")?;
    let fits = code.len() == 16 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if usage.get("code-kind") != Some("2") || !fits {
        account.tell_in(&fault::CODE_SHAPE, usage.at, usage.label("code"));
        return None;
    }
    Some(json!({"code": (concept(coding("http://jami.jp/CodeSystem/MedicationUsage", code, None)))}))
}

/// A decimal as JSON writes it, digit for digit: `62.50` stays, `.5` is `0.5`.
fn number(text: &str) -> Option<Json> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // FHIR asks for 18 digits of a decimal.
    if !digits(whole) || !digits(part) || whole.len() + part.len() > 18 || whole.len() + part.len() == 0 {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if part.is_empty() { "" } else { "." };
    Json::number(&format!("{whole}{point}{part}"))
}

fn unit_code(unit: &str) -> Option<&'static str> {
    let plain: String = unit.nfkc().collect::<String>().to_lowercase();
    UNITS.iter().find(|(name, _)| *name == plain).map(|(_, code)| *code)
}

const MERIT9: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUnitMERIT9Code";
const STRENGTH_TYPE: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationIngredientStrengthStrengthType";

/// Units in MERIT-9, as the examples of JP Core use them. Any other unit stays text.
const UNITS: &[(&str, &str)] =
    &[("錠", "TAB"), ("カプセル", "CAP"), ("ml", "ML"), ("本", "HON"), ("アンプル", "AMP"), ("瓶", "BTL")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dose_keeps_its_digits() {
        for (text, expected) in [
            ("62.50", Some("62.50")),
            ("3", Some("3")),
            ("0.10", Some("0.10")),
            (".5", Some("0.5")),
            ("5.", Some("5")),
            ("007", Some("7")),
            ("0", Some("0")),
            ("00.0", Some("0.0")),
            ("2～3", None),
            ("適量", None),
            ("-1", None),
            ("1e5", None),
            ("1.2.3", None),
            (".", None),
            ("", None),
            ("1234567890123456789", None),
        ] {
            assert_eq!(number(text).as_ref().and_then(Json::as_number), expected, "{text}");
        }
    }

    #[test]
    fn units_in_any_width() {
        for (unit, code) in [("錠", Some("TAB")), ("ｶﾌﾟｾﾙ", Some("CAP")), ("ｍＬ", Some("ML")), ("g", None)]
        {
            assert_eq!(unit_code(unit), code, "{unit}");
        }
    }
}
