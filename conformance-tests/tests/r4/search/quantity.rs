//! Quantity parameters: units, their conversion, precision, prefixes.
//!
//! Source: FHIR R4 search.html#quantity

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{LOCAL, UCUM, observation, patient};

pub fn seed() -> Vec<Value> {
    let valued = |id: &str, value: &str, unit: &str, code: Value| {
        let value: Value = serde_json::from_str(value).expect("a number");
        let mut quantity = json!({"value": value, "unit": unit});
        if code.is_string() {
            quantity["system"] = json!(UCUM);
            quantity["code"] = code;
        }
        observation(id, json!({"valueQuantity": quantity}))
    };
    vec![
        patient("p", "x"),
        valued("mg", "5.4", "mg", json!("mg")),
        valued("g", "0.0054", "g", json!("g")),
        valued("ug", "5400", "μg", json!("ug")),
        valued("kg", "5.4", "kg", json!("kg")),
        valued("word", "5.4", "tablets", json!("{tbl}")),
        valued("uncoded", "5.4", "mg", Value::Null),
        observation("local", json!({"valueQuantity": {"value": 5.4, "system": LOCAL, "code": "mg"}})),
        valued("mmol", "5.55", "mmol/L", json!("mmol/L")),
        valued("umol", "5550", "umol/L", json!("umol/L")),
        valued("celsius", "37", "Cel", json!("Cel")),
        observation(
            "at-most",
            json!({"valueQuantity": {"value": 80, "comparator": "<", "unit": "cm", "system": UCUM, "code": "cm"}}),
        ),
        observation(
            "range",
            json!({"component": [{"code": {"text": "x"}, "valueQuantity": {"value": 1}}], "valueRange": {
            "low": {"value": 1, "system": UCUM, "code": "m"}, "high": {"value": 2, "system": UCUM, "code": "m"}}}),
        ),
        observation("none", json!({"valueString": "5.4"})),
    ]
}

pub fn checks() -> Vec<Check> {
    [units(), converted(), prefixed(), spans(), bad()].into_iter().flatten().collect()
}

fn value(name: &str, value: &str, ids: &[&str]) -> Check {
    row(name, get(&format!("Observation?value-quantity={value}")), finds(ids))
}

fn units() -> Vec<Check> {
    vec![
        value("a number alone: any unit", "5.4", &["mg", "kg", "word", "uncoded", "local"]),
        value("a number with empty unit", "5.4||", &["mg", "kg", "word", "uncoded", "local"]),
        value("||unit: by code or by text", "5.4||mg", &["mg", "uncoded", "local"]),
        value("||unit: by text", "5.4||tablets", &["word"]),
        value("||unit: by code", "5.4||{tbl}", &["word"]),
        value("||unit minds case", "5.4||MG", &[]),
        value("another system", "5.4|https://example.org/codes|mg", &["local"]),
        value("a code that UCUM does not convert", "5.4|http://unitsofmeasure.org|{tbl}", &["word"]),
        value("a code that UCUM does not know", "5.4|http://unitsofmeasure.org|nonsense", &[]),
        value("two values", "5.4||kg,5.55||mmol/L", &["kg", "mmol"]),
        value("the unit twice is and", "5.4||kg&value-quantity=gt5", &["kg"]),
        row(":missing=true", get("Observation?value-quantity:missing=true"), finds(&["none", "range"])),
    ]
}

fn converted() -> Vec<Check> {
    vec![
        value("mg finds g and μg", "5.4|http://unitsofmeasure.org|mg", &["mg", "g", "ug"]),
        value("g finds mg", "0.0054|http://unitsofmeasure.org|g", &["mg", "g", "ug"]),
        value("g by exponent", "5.40e-3|http://unitsofmeasure.org|g", &["mg", "g", "ug"]),
        value("μg finds mg", "5400|http://unitsofmeasure.org|ug", &["mg", "g", "ug"]),
        value("kg is far above", "5.4|http://unitsofmeasure.org|kg", &["kg"]),
        value("kg as g", "5400|http://unitsofmeasure.org|g", &["kg"]),
        value("mmol/L finds umol/L", "5.55|http://unitsofmeasure.org|mmol/L", &["mmol", "umol"]),
        value("mol/m3 is mmol/L", "5.55|http://unitsofmeasure.org|mol/m3", &["mmol", "umol"]),
        value("the precision goes by the unit asked for", "5|http://unitsofmeasure.org|mg", &["mg", "g", "ug"]),
        value(
            "gt converts",
            "gt5|http://unitsofmeasure.org|mg&value-quantity=lt6|http://unitsofmeasure.org|mg",
            &["mg", "g", "ug"],
        ),
        value("lt converts", "lt0.006|http://unitsofmeasure.org|g", &["mg", "g", "ug"]),
        value("mass is no length", "5.4|http://unitsofmeasure.org|m", &[]),
        value("a degree is itself", "37|http://unitsofmeasure.org|Cel", &["celsius"]),
    ]
}

fn prefixed() -> Vec<Check> {
    let unit = |name: &str, text: &str, ids: &[&str]| value(name, &format!("{text}|http://unitsofmeasure.org|mg"), ids);
    vec![
        unit("gt", "gt5.4", &["kg"]),
        unit("ge", "ge5.4", &["mg", "g", "ug", "kg"]),
        unit("lt", "lt5.4", &[]),
        unit("le", "le5.4", &["mg", "g", "ug"]),
        unit("ne", "ne5.4", &["kg"]),
        unit("ap, a tenth", "ap5", &["mg", "g", "ug"]),
        unit("ap, too far", "ap4", &[]),
        unit("sa", "sa5", &["mg", "g", "ug", "kg"]),
        unit("eb", "eb6", &["mg", "g", "ug"]),
        unit("5.4 is [5.35, 5.45)", "5.40", &["mg", "g", "ug"]),
        unit("5.41 is another", "5.41", &[]),
        value("gt without a unit", "gt5000", &["ug", "umol"]),
        value("ne without a unit finds the others", "ne5.4||mg", &[]),
    ]
}

fn spans() -> Vec<Check> {
    let cm = |name: &str, text: &str, ids: &[&str]| value(name, &format!("{text}|http://unitsofmeasure.org|cm"), ids);
    vec![
        cm("a comparator is no equality", "80", &[]),
        cm("less than 80 may be less than 50", "lt50", &["at-most"]),
        cm("less than 80 is not more than 80", "gt80", &[]),
        cm("less than 80 ends before 90", "eb90", &["at-most"]),
        cm("ne: the open span is not held", "ne80", &["at-most"]),
    ]
}

fn bad() -> Vec<Check> {
    let refuse = |name: &str, text: &str| {
        let asked = get(&format!("Observation?value-quantity={text}"));
        row(name, asked, refused(400, "value").expression("value-quantity"))
    };
    vec![
        refuse("no value", ""),
        refuse("no number", "|http://unitsofmeasure.org|mg"),
        refuse("a word", "heavy"),
        refuse("a unit of two parts", "5.4|mg"),
        refuse("a unit of four parts", "5.4|a|b|c"),
        refuse("a prefix alone", "gt"),
        refuse("a number with a comma: two values", "5,x"),
        row("a modifier of tokens", get("Observation?value-quantity:not=5"), refused(400, "invalid")),
    ]
}
