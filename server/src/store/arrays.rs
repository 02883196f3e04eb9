//! A column of values as the text of a PostgreSQL array: `{1,NULL,"a \"b\""}`.
//!
//! A text, because values may be absent, and the library's own arrays hold none that are.

use std::fmt::Write;

use sea_orm::Value;

/// The element type of a column; `text` where there is no value to tell.
pub(super) fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        Some(Value::SmallInt(_)) => "smallint",
        Some(Value::Int(_)) => "integer",
        Some(Value::BigInt(_)) => "bigint",
        Some(Value::Double(_)) => "double precision",
        Some(Value::Bytes(_)) => "bytea",
        Some(Value::Bool(_)) => "boolean",
        _ => "text",
    }
}

/// The array of these values.
pub(super) fn array<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    let mut text = String::from("{");
    for (number, value) in values.enumerate() {
        if number > 0 {
            text.push(',');
        }
        element(&mut text, value);
    }
    text.push('}');
    text
}

fn element(text: &mut String, value: &Value) {
    // Writing to a String does not fail.
    let _ = match value {
        Value::SmallInt(Some(number)) => write!(text, "{number}"),
        Value::Int(Some(number)) => write!(text, "{number}"),
        Value::BigInt(Some(number)) => write!(text, "{number}"),
        // The shortest text that is read back as the same number.
        Value::Double(Some(number)) => write!(text, "{number:?}"),
        Value::Bool(Some(yes)) => write!(text, "{yes}"),
        Value::String(Some(string)) => {
            quoted(text, string);
            Ok(())
        }
        Value::Bytes(Some(bytes)) => {
            hexadecimal(text, bytes);
            Ok(())
        }
        _ => text.write_str("NULL"),
    };
}

fn quoted(text: &mut String, string: &str) {
    text.push('"');
    for character in string.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

fn hexadecimal(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(bytes.len() * 2 + 6);
    text.push_str("\"\\\\x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[Value]) -> String {
        array(values.iter())
    }

    #[test]
    fn every_value_keeps_what_it_is() {
        assert_eq!(of(&[1_i64.into(), Value::BigInt(None), (-2_i64).into()]), "{1,NULL,-2}");
        assert_eq!(of(&[0.1_f64.into(), 1e300_f64.into(), f64::NEG_INFINITY.into()]), "{0.1,1e300,-inf}");
        assert_eq!(of(&["".into(), "NULL".into(), "a,\"b\"\\{}".into()]), r#"{"","NULL","a,\"b\"\\{}"}"#);
        assert_eq!(of(&[vec![0_u8, 255].into(), Value::Bytes(None)]), r#"{"\\x00ff",NULL}"#);
    }
}
