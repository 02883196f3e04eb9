//! Number parameters: implicit precision, prefixes, ranges.
//!
//! Source: FHIR R4 search.html#number

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{patient, resource};

/// Charges with a factor, and risks with a probability or a range of it.
pub fn seed() -> Vec<Value> {
    let about = json!({"reference": "Patient/p"});
    let charge = |id: &str, factor: &str| {
        let factor: Value = serde_json::from_str(factor).expect("a number");
        let members = json!({"status": "billable", "code": {"text": "x"}, "subject": about, "factorOverride": factor});
        resource("ChargeItem", id, members)
    };
    let risk = |id: &str, prediction: Value| {
        resource("RiskAssessment", id, json!({"status": "final", "subject": about, "prediction": [prediction]}))
    };
    vec![
        patient("p", "x"),
        charge("hundred", "100"),
        charge("exact", "100.00"),
        charge("above", "100.4"),
        charge("half", "100.5"),
        charge("below", "99.5"),
        charge("tiny", "0.0001"),
        charge("minus", "-5"),
        charge("zero", "0"),
        resource("ChargeItem", "none", json!({"status": "billable", "code": {"text": "x"}, "subject": about})),
        risk("point", json!({"probabilityDecimal": 0.25})),
        risk("range", json!({"probabilityRange": {"low": {"value": 0.4}, "high": {"value": 0.6}}})),
        risk("open", json!({"probabilityRange": {"low": {"value": 0.9}}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [precise(), prefixed(), ranges(), bad()].into_iter().flatten().collect()
}

fn factor(name: &str, value: &str, ids: &[&str]) -> Check {
    row(name, get(&format!("ChargeItem?factor-override={value}")), finds(ids))
}

fn precise() -> Vec<Check> {
    vec![
        factor("100 is [99.5, 100.5)", "100", &["hundred", "exact", "above", "below"]),
        factor("eq100 is the same", "eq100", &["hundred", "exact", "above", "below"]),
        factor("100.0 is [99.95, 100.05)", "100.0", &["hundred", "exact"]),
        factor("100.00 finds 100: what is stored is a point", "100.00", &["hundred", "exact"]),
        factor("100.4 is [100.35, 100.45)", "100.4", &["above"]),
        factor("1.00e2 is 100", "1.00e2", &["hundred", "exact", "above", "below"]),
        factor("1.000E2 is 100.0", "1.000E2", &["hundred", "exact"]),
        factor("1e2 is [95, 105), as R4's table has it", "1e2", &["hundred", "exact", "above", "half", "below"]),
        factor("101 is [100.5, 101.5)", "101", &["half"]),
        factor("99 is [98.5, 99.5)", "99", &[]),
        factor("0 is [-0.5, 0.5)", "0", &["zero", "tiny"]),
        factor("0.0001", "0.0001", &["tiny"]),
        factor("1e-4", "1e-4", &["tiny"]),
        factor("a negative number", "-5", &["minus"]),
        factor("two numbers", "-5,0.0001", &["minus", "tiny"]),
        factor("ne100", "ne100", &["half", "tiny", "minus", "zero"]),
        factor("ne100.0", "ne100.0", &["above", "half", "below", "tiny", "minus", "zero"]),
    ]
}

/// All but `eq` and `ne` take the number as exact.
fn prefixed() -> Vec<Check> {
    vec![
        factor("gt is exact", "gt100", &["above", "half"]),
        factor("gt100.4: not itself", "gt100.4", &["half"]),
        factor("ge", "ge100", &["hundred", "exact", "above", "half"]),
        factor("ge100.5", "ge100.5", &["half"]),
        factor("lt is exact", "lt100", &["below", "tiny", "minus", "zero"]),
        factor("lt99.5: not itself", "lt99.5", &["tiny", "minus", "zero"]),
        factor("le", "le100", &["hundred", "exact", "below", "tiny", "minus", "zero"]),
        factor("lt0", "lt0", &["minus"]),
        factor("gt a negative number", "gt-1", &["hundred", "exact", "above", "half", "below", "tiny", "zero"]),
        factor("between", "gt0&factor-override=lt100", &["below", "tiny"]),
        factor("ap is a tenth", "ap95", &["hundred", "exact", "above", "half", "below"]),
        factor("ap, too far", "ap200", &[]),
        factor("sa of points is above", "sa100.4", &["half"]),
        factor("eb of points is below", "eb0", &["minus"]),
        row(":missing=true", get("ChargeItem?factor-override:missing=true"), finds(&["none"])),
        row(":missing=false", get("ChargeItem?factor-override:missing=false&factor-override=lt0"), finds(&["minus"])),
    ]
}

fn ranges() -> Vec<Check> {
    let risk = |name: &str, value: &str, ids: &[&str]| {
        row(name, get(&format!("RiskAssessment?probability={value}")), finds(ids))
    };
    vec![
        risk("a point", "0.25", &["point"]),
        risk("a range is not held by a number within it", "0.5", &[]),
        risk("gt: the range reaches above", "gt0.5", &["range", "open"]),
        risk("gt the range's end", "gt0.6", &["open"]),
        risk("ge the range's end", "ge0.6", &["range", "open"]),
        risk("lt: the range begins below", "lt0.5", &["point", "range"]),
        risk("lt the range's beginning", "lt0.4", &["point"]),
        risk("sa: all of the range is above", "sa0.3", &["range", "open"]),
        risk("sa: a part is not", "sa0.5", &["open"]),
        risk("eb: all of the range is below", "eb0.7", &["point", "range"]),
        risk("eb: an open range ends nowhere", "eb1", &["point", "range"]),
    ]
}

fn bad() -> Vec<Check> {
    let value = |name: &str, text: &str| {
        let asked = get(&format!("ChargeItem?factor-override={text}"));
        row(name, asked, refused(400, "value").expression("factor-override"))
    };
    vec![
        value("no number", ""),
        value("a word", "many"),
        value("a prefix alone", "ge"),
        value("an unknown prefix", "zz5"),
        value("a unit", "5|kg"),
        value("a point at the end", "5."),
        value("a number beyond all", "1e999"),
        value("hexadecimal", "0x10"),
        value("NaN", "NaN"),
        row("a modifier of strings", get("ChargeItem?factor-override:exact=5"), refused(400, "invalid")),
    ]
}
