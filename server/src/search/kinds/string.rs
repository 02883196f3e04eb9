//! Texts: folded, and compared from their start.
//!
//! A name or an address is found by each of its parts and by the parts together:
//! 山田太郎 finds family 山田, given 太郎, with or without a blank.
//!
//! Source: FHIR R4 search.html#string

use techo_profiles::json::Json;

use super::{Cells, Element, Kind, Question, extension_value};
use crate::search::escape::unescape;
use crate::search::fold::{KEY_CHARS, bounded, fold, fold_key, is_japanese};
use crate::search::modifier::Modifier;
use crate::search::plan::{Match, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Table};

/// Texts.
pub const KIND: Kind = Kind {
    name: "string",
    tables: &[Table::String],
    modifiers: &["exact", "contains"],
    undone: &[],
    extract,
    parse,
    sort: Some(SortColumn::Folded),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    let json = element.json;
    match element.type_name {
        "HumanName" => human_name(json, cells),
        "Address" => address(json, cells),
        "CodeableConcept" => {
            text_of(json.get("text"), cells);
            json.list("coding").iter().for_each(|coding| text_of(coding.get("display"), cells));
        }
        "Extension" => {
            if let Some((type_name, json)) = extension_value(json) {
                extract(&Element { type_name: &type_name, json }, cells);
            }
        }
        _ => text_of(Some(json), cells),
    }
}

fn human_name(json: &Json, cells: &mut Cells<'_>) {
    for part in ["text", "family"] {
        text_of(json.get(part), cells);
    }
    for part in ["given", "prefix", "suffix"] {
        json.list(part).iter().for_each(|item| text_of(Some(item), cells));
    }
    let family = json.str("family");
    let given = json.list("given").iter().filter_map(Json::as_str);
    let japanese = family.is_some_and(|family| family.chars().any(is_japanese));
    let parts: Vec<&str> =
        if japanese { family.into_iter().chain(given).collect() } else { given.chain(family).collect() };
    together(&parts, cells);
}

fn address(json: &Json, cells: &mut Cells<'_>) {
    for part in ["text", "city", "district", "state", "country", "postalCode"] {
        text_of(json.get(part), cells);
    }
    json.list("line").iter().for_each(|item| text_of(Some(item), cells));
    // The order of Japan, from the large to the small; elsewhere `text` says it.
    let parts = ["state", "district", "city"].iter().filter_map(|part| json.str(part));
    let parts: Vec<&str> = parts.chain(json.list("line").iter().filter_map(Json::as_str)).collect();
    if parts.iter().any(|part| part.chars().any(is_japanese)) {
        together(&parts, cells);
    }
}

/// The parts as one text, if there are several.
fn together(parts: &[&str], cells: &mut Cells<'_>) {
    if parts.len() > 1 {
        push_text(&parts.join(" "), cells);
    }
}

fn text_of(json: Option<&Json>, cells: &mut Cells<'_>) {
    if let Some(text) = json.and_then(Json::as_str) {
        push_text(text, cells);
    }
}

/// Adds a text, unless nothing is left of it when folded.
pub(super) fn push_text(text: &str, cells: &mut Cells<'_>) {
    let folded = fold_key(text);
    if !folded.is_empty() {
        cells.push(Cell::String { folded: folded.into(), original: bounded(text) });
    }
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let text = unescape(question.value)?;
    if question.modifier == Modifier::Exact {
        return Ok(vec![Match::Exact { folded: fold_key(&text).into(), original: bounded(&text) }]);
    }
    let folded = wanted(&text)?;
    Ok(vec![match question.modifier {
        Modifier::Contains => Match::Contains(folded),
        _ => Match::Prefix(folded),
    }])
}

/// A text asked for, folded.
pub(in crate::search) fn wanted(text: &str) -> Result<Box<str>, Reason> {
    let folded = fold(text);
    if folded.is_empty() {
        return Err(Reason::Text);
    }
    if folded.chars().count() > KEY_CHARS {
        return Err(Reason::LongText { most: KEY_CHARS });
    }
    Ok(folded.into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells};
    use super::*;
    use crate::search::reason::Class;
    use techo_profiles::json;

    fn found(kind: &Kind, modifier: Modifier<'_>, value: &str, type_name: &str, json: &Json) -> bool {
        let matches = ask(kind, modifier, value).expect(value);
        cells(kind, type_name, json).iter().any(|cell| {
            let Cell::String { folded, original } = cell else { panic!("{cell:?}") };
            matches.iter().any(|one| match one {
                Match::Prefix(text) => folded.starts_with(&**text),
                Match::Contains(text) => folded.contains(&**text),
                Match::Exact { folded: key, original: text } => key == folded && text == original,
                other => panic!("{other:?}"),
            })
        })
    }

    #[test]
    fn japanese_names() {
        let kanji = json!({"family": "山田", "given": ["太郎"]});
        let kana = json!({"text": "ヤマダ　タロウ", "family": "ヤマダ", "given": ["タロウ"]});
        for (value, json, expected) in [
            ("山田", &kanji, true),
            ("太郎", &kanji, true),
            ("山田太郎", &kanji, true),
            ("山田 太郎", &kanji, true),
            ("山田　太", &kanji, true),
            ("田", &kanji, false),
            ("やまだ", &kana, true),
            ("ﾔﾏﾀﾞ ﾀﾛｳ", &kana, true),
            ("やまた", &kana, false),
        ] {
            assert_eq!(found(&KIND, Modifier::None, value, "HumanName", json), expected, "{value}");
        }
        assert!(found(&KIND, Modifier::Contains, "田", "HumanName", &kanji));
        assert!(found(&KIND, Modifier::Exact, "ヤマダ", "HumanName", &kana));
        assert!(!found(&KIND, Modifier::Exact, "やまだ", "HumanName", &kana));
    }

    #[test]
    fn other_names_and_addresses() {
        let name = json!({"family": "Müller", "given": ["Anna", "Maria"], "prefix": ["Dr."]});
        for value in ["muller", "MARIA", "anna maria m", "dr"] {
            assert!(found(&KIND, Modifier::None, value, "HumanName", &name), "{value}");
        }
        let address =
            json!({"state": "東京都", "city": "千代田区", "line": ["丸の内１－１"], "postalCode": "100-0005"});
        for value in ["東京都千代田区丸の内1-1", "千代田区", "100‐0005", "まるのうち", "丸ノ内"]
        {
            let expected = value != "まるのうち";
            assert_eq!(found(&KIND, Modifier::None, value, "Address", &address), expected, "{value}");
        }
    }

    #[test]
    fn extensions_and_odd_types() {
        assert_eq!(cells(&KIND, "Extension", &json!({"url": "u", "valueString": "A"})).len(), 1);
        assert_eq!(cells(&KIND, "Extension", &json!({"url": "u"})), []);
        assert_eq!(cells(&KIND, "string", &json!("  ")), []);
        assert_eq!(cells(&KIND, "boolean", &json!(true)), []);
    }

    #[test]
    fn what_cannot_be_asked() {
        for value in ["", " ", r"a\", &"あ".repeat(121)] {
            assert!(ask(&KIND, Modifier::None, value).is_err_and(|reason| reason.class() == Class::Value), "{value}");
        }
        assert!(ask(&KIND, Modifier::Exact, &"あ".repeat(121)).is_ok());
    }
}
