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
    found.look(resource, &mut vec![Step::Member(kind)]);
    if !found.certain.is_empty() {
        return Err(Error::Invalid(found.certain.into_iter().map(refusal).collect()));
    }
    if !found.possible.is_empty() {
        let at = told_of(&found.possible);
        tracing::warn!(resource = %format!("{kind}/{id}"), at, "this may hold an Individual Number (My Number)");
    }
    Ok(())
}

/// The first places, and how many more there are: a line of the log is to be read.
fn told_of(places: &[String]) -> String {
    let shown = &places[..places.len().min(SHOWN)];
    let more = match places.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}

const SHOWN: usize = 20;

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

/// One step of a path, which is put together only where something is found.
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

fn told(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) if text.is_empty() => text.push_str(name),
            Step::Member(name) => text.extend([".", name]),
            Step::Item(at) => text.push_str(&format!("[{at}]")),
        }
    }
    text
}

impl Found {
    fn look<'a>(&mut self, json: &'a Json, path: &mut Vec<Step<'a>>) {
        match json.value() {
            Value::Object(_) if is_certain(json) => self.certain.push(format!("{}.value", told(path))),
            Value::Object(members) => {
                for member in members.iter().filter(|member| !NO_TEXT.contains(&&*member.name)) {
                    path.push(Step::Member(&member.name));
                    self.look(&member.value, path);
                    path.pop();
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    path.push(Step::Item(at));
                    self.look(item, path);
                    path.pop();
                }
            }
            Value::String(text) if my_number::strike(text).is_some() => self.possible.push(told(path)),
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
        let json = Json::parse(json.as_bytes()).expect("JSON");
        found.look(&json, &mut vec![Step::Member("Observation")]);
        assert_eq!(found.possible, ["Observation.note[0].text"]);
    }

    #[test]
    fn the_log_is_told_a_few_places_of_many() {
        let places: Vec<String> = (0..30).map(|at| format!("List.note[{at}]")).collect();
        assert_eq!(told_of(&places[..2]), "List.note[0], List.note[1]");
        assert!(told_of(&places).ends_with("List.note[19] and 10 more"));
    }
}
