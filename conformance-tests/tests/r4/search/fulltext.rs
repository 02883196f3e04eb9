//! `_list`; `_text` and `_content`; `_tag`, `_profile`, `_security`, `_source`.
//!
//! Source: FHIR R4 search.html#text, #all, #list

use serde_json::{Value, json};

use crate::check::{Check, any, finds, get, refused, row};
use crate::seed::{patient, resource};

pub fn seed() -> Vec<Value> {
    let about = |id: &str, narrative: &str, note: &str| {
        resource(
            "Condition",
            id,
            json!({
                "text": {"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{narrative}</div>")},
                "subject": {"reference": "Patient/p"},
                "note": [{"text": note}]
            }),
        )
    };
    vec![
        patient("p", "x"),
        about("pollen", "春の花粉症による鼻炎", "Comes every spring"),
        about("asthma", "気管支喘息", "Since childhood"),
        about("english", "Seen for hay fever", "花粉の季節に悪化"),
        resource(
            "Observation",
            "tagged",
            json!({
                "meta": {
                    "tag": [{"system": "https://example.org/tags", "code": "keep"}],
                    "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}],
                    "profile": ["https://example.org/StructureDefinition/height"],
                    "source": "https://example.org/source"
                },
                "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/p"}
            }),
        ),
        resource(
            "Observation",
            "plain",
            json!({"status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/p"}}),
        ),
        resource(
            "List",
            "chosen",
            json!({"status": "current", "mode": "working", "entry": [{"item": {"reference": "Observation/tagged"}}]}),
        ),
    ]
}

pub fn meta_checks() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Observation?{query}"));
    vec![
        row("_tag", ask("_tag=keep"), finds(&["tagged"])),
        row("_tag with its system", ask("_tag=https://example.org/tags|keep"), finds(&["tagged"])),
        row("_tag of another system", ask("_tag=https://example.org/other|keep"), finds(&[])),
        row("_tag:not", ask("_tag:not=keep"), finds(&["plain"])),
        row("_tag:missing", ask("_tag:missing=true"), finds(&["plain"])),
        row("_security", ask("_security=N"), finds(&["tagged"])),
        row("_profile", ask("_profile=https://example.org/StructureDefinition/height"), finds(&["tagged"])),
        row("_profile, another", ask("_profile=https://example.org/StructureDefinition/weight"), finds(&[])),
        row("_source", ask("_source=https://example.org/source"), finds(&["tagged"])),
        row("_source, another", ask("_source=https://example.org/elsewhere"), finds(&[])),
    ]
}

/// The narrative alone, or all that is said; joined as R4's own example does.
pub fn text_checks() -> Vec<Check> {
    let text = |value: &str| get(&format!("Condition?_text={value}"));
    let content = |value: &str| get(&format!("Condition?_content={value}"));
    let lenient = content("鼻*").with("Prefer", "handling=lenient");
    vec![
        row("_text, two signs of Japanese", text("花粉"), finds(&["pollen"])),
        row("_text, one sign", text("喘"), finds(&["asthma"])),
        row("_text does not look beside the narrative", text("childhood"), finds(&[])),
        row("_text in another script", text("Hay"), finds(&["english"])),
        row("_text, a word's beginning alone", text("ever"), finds(&[])),
        row("_text, alternatives", text("花粉,喘息"), finds(&["pollen", "asthma"])),
        row("_text, OR", text("花粉 OR 喘息"), finds(&["pollen", "asthma"])),
        row("_text, AND", text("花粉 AND 鼻炎"), finds(&["pollen"])),
        row("_text, two words", text("花粉 喘息"), finds(&[])),
        row("_text, parentheses", text("(花粉 or 喘息) and 気管支"), finds(&["asthma"])),
        row("_text, words in quotes", text("\"hay fever\""), finds(&["english"])),
        row("_text, words in quotes, the other way round", text("\"fever hay\""), finds(&[])),
        row("_content, everywhere", content("花粉"), finds(&["pollen", "english"])),
        row("_content, half width", content("ｶﾌﾝ"), finds(&[])),
        row("_content, case", content("SINCE"), finds(&["asthma"])),
        row("_content with another parameter", content("花粉&subject=Patient/nobody"), finds(&[])),
        row("_content by a chain", get("Condition?subject:Patient._content=花粉"), finds(&[])),
        row("_text with a sign that is none of ours", text("花粉*"), refused(400, "value").expression("_text")),
        row("_content without a word", content(""), refused(400, "value").expression("_content")),
        row("_content, lenient, is still read", lenient, refused(400, "value").expression("_content")),
        row("_text:exact", get("Condition?_text:exact=x"), refused(400, "invalid").expression("_text:exact")),
        row("_text of what has no narrative", get("Binary?_text=x"), refused(400, "not-supported").expression("_text")),
    ]
}

pub fn list_checks() -> Vec<Check> {
    vec![
        row("_list", get("Observation?_list=chosen"), finds(&["tagged"])),
        row("_list, with another parameter", get("Observation?_list=chosen&status=amended"), finds(&[])),
        row("_list of another type", get("Patient?_list=chosen"), finds(&[])),
        row("_list of none", get("Observation?_list=nobody"), any(&[200, 404])),
        row("_query that is none", get("Observation?_query=nonsense"), any(&[400, 404])),
    ]
}

pub fn checks() -> Vec<Check> {
    [meta_checks(), text_checks(), list_checks()].into_iter().flatten().collect()
}
