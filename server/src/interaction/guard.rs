//! No FHIR write brings in an Individual Number (個人番号, My Number).
//!
//! What is certain is refused: twelve digits in an identifier whose system or type
//! names the number. Any other twelve digits pass the check in one of ten cases,
//! so they are stored, and the log tells the operator where to look. The value is
//! in neither the answer nor the log.
//!
//! Source: 番号法 articles 15, 19, 20; identifiers.md §1

use techo_profiles::json::{Json, Value};

use super::{Error, Issue};
use crate::my_number;

/// Refuses a resource that holds an Individual Number by its name.
///
/// # Errors
/// [`Error::Invalid`] with the place of each.
pub fn no_individual_number(kind: &str, id: &str, resource: &Json) -> Result<(), Error> {
    let mut found = Found::default();
    found.look(resource, kind);
    if !found.certain.is_empty() {
        return Err(Error::Invalid(found.certain.into_iter().map(refusal).collect()));
    }
    if !found.possible.is_empty() {
        let at = found.possible.join(", ");
        tracing::warn!(resource = %format!("{kind}/{id}"), at, "this may hold an Individual Number (My Number)");
    }
    Ok(())
}

fn refusal(expression: String) -> Issue {
    Issue::error(
        "business-rule",
        "This server must not hold an Individual Number (My Number). Leave the identifier out.",
        "個人番号(マイナンバー)は保存できません。この identifier を除いて送ってください。",
    )
    .at(expression)
}

/// The bytes of a file, and this server's own random ids: no text that anyone wrote.
const NO_TEXT: &[&str] = &["data", "id", "reference"];

/// `FHIRPaths` of what was found.
#[derive(Default)]
struct Found {
    certain: Vec<String>,
    possible: Vec<String>,
}

impl Found {
    fn look(&mut self, json: &Json, path: &str) {
        match json.value() {
            Value::Object(_) if is_certain(json) => self.certain.push(format!("{path}.value")),
            Value::Object(members) => {
                for member in members.iter().filter(|member| !NO_TEXT.contains(&&*member.name)) {
                    self.look(&member.value, &format!("{path}.{}", member.name));
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.look(item, &format!("{path}[{at}]"));
                }
            }
            Value::String(text) if may_hold(text) => self.possible.push(path.to_owned()),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// An identifier that says it is one: twelve digits under its name.
fn is_certain(json: &Json) -> bool {
    if json.str("value").is_none_or(|value| my_number::digits_of(value).len() != 12) {
        return false;
    }
    let kind = json.get("type");
    let codings = kind.map(|kind| kind.list("coding")).unwrap_or_default();
    let said = codings.iter().flat_map(|coding| [coding.str("system"), coding.str("display")]);
    let text = kind.and_then(|kind| kind.str("text"));
    said.chain([json.str("system"), text]).flatten().any(my_number::names)
}

/// A text with enough digits that pass the check; a letter such as ⑫ stands for two.
fn may_hold(text: &str) -> bool {
    text.chars().filter(|letter| letter.is_numeric()).take(6).count() == 6 && my_number::strike(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> Vec<Option<String>> {
        let json = Json::parse(text.as_bytes()).expect("JSON");
        match no_individual_number("Patient", "a", &json) {
            Ok(()) => Vec::new(),
            Err(Error::Invalid(issues)) => issues.into_iter().map(|issue| issue.expression).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_identifier_that_says_it_is_one_is_refused() {
        for identifier in [
            r#"{"system":"https://a.example/Id/my-number","value":"123456789018"}"#,
            r#"{"system":"https://a.example/Id/my-number","value":"１２３４-５６７８-９０１８"}"#,
            r#"{"type":{"text":"個人番号"},"value":"123456789018"}"#,
            r#"{"type":{"coding":[{"display":"マイナンバー"}]},"value":"123456789010"}"#,
        ] {
            let text = format!(r#"{{"resourceType":"Patient","identifier":[{{"value":"1"}},{identifier}]}}"#);
            assert_eq!(refused(&text), [Some("Patient.identifier[1].value".to_owned())], "{identifier}");
            let inside = format!(r#"{{"contained":[{{"identifier":[{identifier}]}}]}}"#);
            assert_eq!(refused(&inside), [Some("Patient.contained[0].identifier[0].value".to_owned())]);
        }
    }

    #[test]
    fn what_is_not_certain_is_kept() {
        for identifier in [
            r#"{"system":"https://a.example/Id/chart","value":"123456789018"}"#,
            r#"{"system":"https://a.example/Id/my-number","value":"none"}"#,
            r#"{"value":"123456789018"}"#,
        ] {
            assert!(refused(&format!(r#"{{"identifier":[{identifier}]}}"#)).is_empty(), "{identifier}");
        }
    }

    #[test]
    fn a_text_that_may_hold_one_is_found_without_reading_bytes_of_files() {
        let json = r#"{"note":[{"text":"番号 1234-5678-9018"}],"data":"123456789018","subject":{"reference":"Patient/123456789018"},"time":"2026-11-28T12:00:00+09:00"}"#;
        let mut found = Found::default();
        found.look(&Json::parse(json.as_bytes()).expect("JSON"), "Observation");
        assert_eq!(found.possible, ["Observation.note[0].text"]);
    }
}
