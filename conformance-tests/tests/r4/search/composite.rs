//! Composite parameters: two values of one and the same component.
//!
//! Source: FHIR R4 search.html#composite

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{LOINC, UCUM, observation, patient};

/// Blood pressures: in `high` the systolic is high, in `odd` the diastolic.
pub fn seed() -> Vec<Value> {
    let component = |code: &str, value: u32| json!({"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}});
    let pressure = |id: &str, systolic: u32, diastolic: u32| {
        observation(
            id,
            json!({
                "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
                "component": [component("8480-6", systolic), component("8462-4", diastolic)]
            }),
        )
    };
    let height = |id: &str, value: u32, date: &str| {
        observation(
            id,
            json!({"valueQuantity": {"value": value, "system": UCUM, "code": "cm"}, "effectiveDateTime": date}),
        )
    };
    vec![
        patient("p", "x"),
        pressure("high", 150, 90),
        pressure("odd", 90, 150),
        pressure("low", 100, 60),
        height("tall", 180, "2026-01-01"),
        height("small", 90, "2026-02-01"),
        observation("word", json!({"valueString": "tall"})),
        observation(
            "yes",
            json!({"valueCodeableConcept": {"coding": [{"system": "https://example.org/codes", "code": "yes"}]}}),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Observation?{query}"));
    vec![
        row("code and value of one component", ask("component-code-value-quantity=8480-6$gt140"), finds(&["high"])),
        row("not of two components", ask("component-code-value-quantity=8462-4$gt140"), finds(&["odd"])),
        row(
            "two at once",
            ask("component-code-value-quantity=8480-6$gt140&component-code-value-quantity=8462-4$lt100"),
            finds(&["high"]),
        ),
        row("with a system", ask("component-code-value-quantity=http://loinc.org|8480-6$ge150"), finds(&["high"])),
        row(
            "with a unit",
            ask("component-code-value-quantity=8480-6$150|http://unitsofmeasure.org|mm[Hg]"),
            finds(&["high"]),
        ),
        row(
            "with another unit",
            ask("component-code-value-quantity=8480-6$150|http://unitsofmeasure.org|kg"),
            finds(&[]),
        ),
        row("alternatives", ask("component-code-value-quantity=8480-6$gt140,8462-4$gt140"), finds(&["high", "odd"])),
        row("both lower", ask("component-code-value-quantity=8480-6$lt110"), finds(&["odd", "low"])),
        row("a component's code alone", ask("component-code=8480-6"), finds(&["high", "odd", "low"])),
        row("code and value of the whole", ask("code-value-quantity=8302-2$gt100"), finds(&["tall"])),
        row("the whole has no such code", ask("code-value-quantity=8480-6$gt100"), finds(&[])),
        row("whole or component", ask("combo-code-value-quantity=8480-6$gt140"), finds(&["high"])),
        row("whole or component, the whole", ask("combo-code-value-quantity=8302-2$lt100"), finds(&["small"])),
        row("code and date", ask("code-value-date=8302-2$2026"), finds(&[])),
        row("code and concept", ask("code-value-concept=8302-2$yes"), finds(&["yes"])),
        row("code and another concept", ask("code-value-concept=8302-2$no"), finds(&[])),
        row("code and text", ask("code-value-string=8302-2$tal"), finds(&["word"])),
        row("code and value, with a person", ask("patient=p&code-value-quantity=8302-2$gt100"), finds(&["tall"])),
        row(
            "one part only",
            ask("code-value-quantity=8302-2"),
            refused(400, "value").expression("code-value-quantity"),
        ),
        row("three parts", ask("code-value-quantity=8302-2$1$2"), refused(400, "value")),
        row("an empty part", ask("code-value-quantity=8302-2$"), refused(400, "value")),
        row("a bad part", ask("code-value-quantity=8302-2$tall"), refused(400, "value")),
        row("a modifier", ask("code-value-quantity:exact=8302-2$1"), refused(400, "invalid")),
    ]
}
