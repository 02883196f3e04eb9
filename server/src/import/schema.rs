//! JSON Schemas of our own JSON formats: a malformed file is refused with a
//! pointer to the fault.
//!
//! A schema is a published document under `schema/`, with its `$id` under
//! [`super::draft::LOCAL_BASE`]. It says what a file must *look like*: which
//! members, of which types. What a value means, and whether it can be true, is
//! judged row by row afterwards, so that one wrong day does not cost the file.
//!
//! To add one: a file in `schema/`, a `pub static` here, a line in [`ALL`].

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::paths::LocationSegment;
use techo_profiles::json::{Json, Place, Value};

use super::draft::{Line, Refusal, Text};

/// A schema, compiled at its first use.
#[derive(Debug)]
pub struct Schema {
    /// Its name in its `$id`.
    pub name: &'static str,
    /// The document as published.
    pub text: &'static str,
    validator: LazyLock<Validator>,
}

/// The JSON form of municipal infant check-ups.
pub static INFANT_CHECKUPS: Schema = Schema {
    name: "municipal-infant-checkups",
    text: include_str!("schema/municipal-infant-checkups.json"),
    validator: LazyLock::new(|| compile(INFANT_CHECKUPS.text)),
};

/// The JSON form of municipal immunizations.
pub static IMMUNIZATIONS: Schema = Schema {
    name: "municipal-immunizations",
    text: include_str!("schema/municipal-immunizations.json"),
    validator: LazyLock::new(|| compile(IMMUNIZATIONS.text)),
};

/// Every schema there is, to be published.
pub static ALL: [&Schema; 2] = [&INFANT_CHECKUPS, &IMMUNIZATIONS];

fn compile(text: &str) -> Validator {
    let schema: serde_json::Value = serde_json::from_str(text).expect("a test parses every embedded schema");
    jsonschema::validator_for(&schema).expect("a test compiles every embedded schema")
}

impl Schema {
    /// Whether `json`, read from `bytes`, has the form.
    ///
    /// # Errors
    /// [`Refusal`] names the first fault by its JSON Pointer, line and column.
    /// It never repeats a value.
    pub fn check(&self, json: &Json, bytes: &[u8]) -> Result<(), Refusal> {
        let plain = plain(json);
        let Some(error) = self.validator.iter_errors(&plain).next() else { return Ok(()) };
        let found = error.instance_path().iter().try_fold(json, |at, segment| match segment {
            LocationSegment::Property(name) => at.get(&name),
            LocationSegment::Index(index) => at.items().get(index),
        });
        let offset = found.unwrap_or(json).span().start;
        let place = Place::of(bytes, offset);
        let pointer = match error.instance_path().as_str() {
            "" => "the file as a whole",
            pointer => pointer,
        };
        let fault = error.masked();
        Err(Refusal {
            code: "schema",
            text: Text::new(
                format!("line {}, column {}: {pointer}: {fault} (schema {})", place.line, place.column, self.name),
                format!(
                    "{}行目{}文字目（{pointer}）が形式{}に合いません: {fault}",
                    place.line, place.column, self.name
                ),
            ),
            at: Line::of(place.line),
            offset: Some(offset),
        })
    }
}

/// The same tree in the validator's own type. Schemas ask a number for its type
/// only, so one too large for a double may pass as zero here: its own text is
/// what is read and judged later.
fn plain(json: &Json) -> serde_json::Value {
    match json.value() {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(text) => text.parse::<serde_json::Number>().unwrap_or_else(|_| 0.into()).into(),
        Value::String(text) => text.to_string().into(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members.iter().map(|member| (member.name.to_string(), plain(&member.value)));
            members.collect::<serde_json::Map<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_one_and_is_published_under_its_name() {
        for schema in ALL {
            let text: serde_json::Value = serde_json::from_str(schema.text).expect(schema.name);
            assert!(jsonschema::meta::is_valid(&text), "{}", schema.name);
            let id = format!("{}/schema/{}.json", super::super::draft::LOCAL_BASE, schema.name);
            assert_eq!(text["$id"], id.as_str());
            LazyLock::force(&schema.validator);
        }
    }

    #[test]
    fn a_fault_is_pointed_at_and_its_value_not_told() {
        for (text, pointer) in [
            (r#"{"kind": "m03"}"#, "the file as a whole"),
            ("[\n {\"kind\": \"m03\"}]", "/0"),
            (
                "[\n {\"municipalityCode\": 131016, \"residentNumber\": \"1\", \"kind\": \"m03\"}]",
                "/0/municipalityCode",
            ),
            (
                "[{\"municipalityCode\": \"131016\", \"residentNumber\": \"1\", \"kind\": \"m03\",\n \"height\": [61.2]}]",
                "/0/height",
            ),
            (
                r#"[{"municipalityCode": "131016", "residentNumber": "1", "kind": "m03", "other": {"a": 1}}]"#,
                "/0/other",
            ),
            ("[3]", "/0"),
        ] {
            let json = Json::parse(text.as_bytes()).expect(text);
            let refusal = INFANT_CHECKUPS.check(&json, text.as_bytes()).expect_err(text);
            assert!(refusal.text.en.contains(pointer), "{pointer}: {}", refusal.text.en);
            assert!(!refusal.text.en.contains("61.2") && !refusal.text.en.contains("131016"), "{}", refusal.text.en);
        }
        let good =
            r#"[{"municipalityCode": "131016", "residentNumber": "1", "kind": "m03", "height": 1e999, "x": null}]"#;
        let json = Json::parse(good.as_bytes()).expect(good);
        assert_eq!(INFANT_CHECKUPS.check(&json, good.as_bytes()), Ok(()));
    }
}
