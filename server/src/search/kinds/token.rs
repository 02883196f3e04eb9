//! Codes and identifiers: compared whole, with or without their system.
//!
//! | element | rows |
//! |---|---|
//! | Coding, each coding of a `CodeableConcept` | token (system, code) |
//! | code, boolean, id, uri, integer | token (no system, text) |
//! | string | token (no system, text folded) |
//! | `ContactPoint` | token (no system, value), and again without blanks and hyphens |
//! | Identifier | ident (system, value) |
//! | displays and texts of all these | string, for `:text` |
//!
//! A `code` has no system of its own; the one that its binding implies is known to
//! questions and left out of the rows. All are exact, but what is no more than a string:
//! R4 has a version or a lot number found in whatever case.
//!
//! Source: FHIR R4 search.html#token

use std::collections::BTreeMap;

use techo_profiles::json::Json;
use techo_terminology::expand::MOST_CODES;

use super::string::{push_text, wanted};
use super::{Cells, Element, Kind, Question, extension_value};
use crate::search::escape::{split, unescape};
use crate::search::fold::{bounded, fold, fold_contact};
use crate::search::modifier::Modifier;
use crate::search::plan::{CodePattern, Match, Pattern, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Table};

/// Codes and identifiers.
pub const KIND: Kind = Kind {
    name: "token",
    tables: &[Table::Token, Table::Identifier, Table::String],
    modifiers: &["not", "text", "above", "below", "in", "not-in", "of-type"],
    undone: &[],
    extract,
    parse,
    sort: Some(SortColumn::Code),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    let json = element.json;
    match element.type_name {
        "Coding" => coding(json, cells),
        "CodeableConcept" => {
            json.list("coding").iter().for_each(|item| coding(item, cells));
            text(json, "text", cells);
        }
        "Identifier" => identifier(json, cells),
        "ContactPoint" => contact(json, cells),
        "Extension" => {
            if let Some((type_name, json)) = extension_value(json) {
                extract(&Element { type_name: &type_name, json }, cells);
            }
        }
        "string" => {
            if let Some(text) = json.as_str() {
                token("", &folded(text), cells);
            }
        }
        _ => primitive(json, cells),
    }
}

/// A string as it is kept and asked for.
fn folded(text: &str) -> Box<str> {
    bounded(&fold(&bounded(text)))
}

fn coding(json: &Json, cells: &mut Cells<'_>) {
    if let Some(code) = json.str("code") {
        token(json.str("system").unwrap_or_default(), code, cells);
    }
    text(json, "display", cells);
}

/// An identifier, its value, and the texts of its type.
fn identifier(json: &Json, cells: &mut Cells<'_>) {
    if let Some(value) = json.str("value") {
        let system = json.str("system").unwrap_or_default();
        cells.push(Cell::Identifier { system: bounded(system), value: bounded(value) });
    }
    if let Some(kind) = json.get("type") {
        text(kind, "text", cells);
        kind.list("coding").iter().for_each(|coding| text(coding, "display", cells));
    }
}

/// The rows for `:of-type`: the type's system, and `code|value` for a value.
pub fn identifier_types(json: &Json) -> Vec<Cell> {
    let Some(value) = json.str("value") else { return Vec::new() };
    let codings = json.at(&["type", "coding"]).map_or(&[][..], Json::items);
    let typed = |coding: &Json| {
        let code = coding.str("code")?;
        let system = coding.str("system").unwrap_or_default();
        Some(Cell::Identifier { system: bounded(system), value: bounded(&format!("{code}|{value}")) })
    };
    codings.iter().filter_map(typed).collect()
}

fn contact(json: &Json, cells: &mut Cells<'_>) {
    if let Some(value) = json.str("value") {
        token("", value, cells);
        let plain = fold_contact(value);
        if plain != value && !plain.is_empty() {
            token("", &plain, cells);
        }
    }
}

fn primitive(json: &Json, cells: &mut Cells<'_>) {
    if let Some(text) = json.as_str().or_else(|| json.as_number()) {
        token("", text, cells);
    } else if let Some(truth) = json.as_bool() {
        token("", if truth { "true" } else { "false" }, cells);
    }
}

fn token(system: &str, code: &str, cells: &mut Cells<'_>) {
    cells.push(Cell::Token { system: bounded(system), code: bounded(code) });
}

fn text(json: &Json, name: &str, cells: &mut Cells<'_>) {
    if let Some(text) = json.str(name) {
        push_text(text, cells);
    }
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    match question.modifier {
        Modifier::Text => return Ok(vec![Match::Prefix(wanted(&unescape(question.value)?)?)]),
        Modifier::In | Modifier::NotIn => return members(question),
        Modifier::Above | Modifier::Below => return hierarchy(question),
        Modifier::OfType => return of_type(question.value).map(|one| vec![one]),
        _ => {}
    }
    let pattern = code_pattern(question.value)?;
    let mut matches = Vec::new();
    let types = question.types;
    if let (Pattern::Is(code), Some(types)) = (&pattern.code, types)
        && !types.is_empty()
        && types.iter().all(|name| &**name == "boolean")
        && !matches!(&**code, "true" | "false")
    {
        return Err(Reason::Truth);
    }
    if types.is_none_or(|types| types.iter().any(|name| &**name != "Identifier")) {
        if question.may_be("ContactPoint")
            && let Pattern::Is(code) = &pattern.code
        {
            let plain = fold_contact(code);
            if plain != **code && !plain.is_empty() {
                let code = Pattern::Is(bounded(&plain));
                matches.push(Match::Token(CodePattern { system: pattern.system.clone(), code }));
            }
        }
        if question.may_be("string")
            && let Pattern::Is(code) = &pattern.code
            && folded(code) != *code
        {
            let code = Pattern::Is(folded(code));
            matches.push(Match::Token(CodePattern { system: pattern.system.clone(), code }));
        }
        if let Pattern::Is(system) = &pattern.system
            && (question.implies)(system)
        {
            let system = Pattern::Is("".into());
            matches.push(Match::Token(CodePattern { system, code: pattern.code.clone() }));
        }
        matches.push(Match::Token(pattern.clone()));
    }
    if question.may_be("Identifier") {
        matches.push(Match::Identifier(pattern));
    }
    Ok(matches)
}

/// `:above` and `:below`: the code, and all that its system says lies there.
fn hierarchy(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let CodePattern { system: Pattern::Is(system), code: Pattern::Is(code) } = code_pattern(question.value)? else {
        return Err(Reason::CodeAbove);
    };
    let found = match question.modifier {
        Modifier::Above => question.terms.above(&system, &code),
        _ => question.terms.below(&system, &code),
    };
    let codes = found.ok_or_else(|| Reason::NoHierarchy { system: system.clone() })?;
    of_systems(question, codes.into_iter().map(|code| (system.clone(), code)))
}

/// `:in` and `:not-in`: all members of a value set.
fn members(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let url = unescape(question.value)?;
    let members = question.terms.members(&url)?;
    of_systems(question, members.pairs().iter().cloned())
}

/// The codes, by system; those of a system that the elements imply without it, too.
fn of_systems(
    question: &Question<'_>,
    pairs: impl ExactSizeIterator<Item = (Box<str>, Box<str>)>,
) -> Result<Vec<Match>, Reason> {
    if pairs.len() > MOST_CODES {
        return Err(Reason::ManyCodes { most: MOST_CODES });
    }
    let mut systems: BTreeMap<Box<str>, Vec<Box<str>>> = BTreeMap::new();
    for (system, code) in pairs {
        if (question.implies)(&system) {
            systems.entry("".into()).or_default().push(code.clone());
        }
        systems.entry(system).or_default().push(code);
    }
    Ok(systems.into_iter().map(|(system, codes)| Match::Codes { system, codes }).collect())
}

/// `:of-type`: `system|code|value`, the first two of the identifier's type.
fn of_type(value: &str) -> Result<Match, Reason> {
    let parts = split(value, '|').into_iter().map(unescape).collect::<Result<Vec<_>, _>>()?;
    match &parts[..] {
        [system, code, value] if !system.is_empty() && !code.is_empty() && !value.is_empty() => {
            let code = Pattern::Is(bounded(&format!("{code}|{value}")));
            Ok(Match::Identifier(CodePattern { system: Pattern::Is(bounded(system)), code }))
        }
        _ => Err(Reason::OfType),
    }
}

/// `code`, `system|code`, `|code` (no system), `system|` (any code of it).
pub(super) fn code_pattern(value: &str) -> Result<CodePattern, Reason> {
    let parts = split(value, '|');
    let plain = |text: &str| unescape(text).map(|text| bounded(&text));
    let (system, code): (Pattern, Box<str>) = match parts[..] {
        [code] => (Pattern::Any, plain(code)?),
        [system, code] => (Pattern::Is(plain(system)?), plain(code)?),
        _ => return Err(Reason::Code),
    };
    match (&system, code.is_empty()) {
        (Pattern::Is(system), true) if !system.is_empty() => {}
        (_, true) => return Err(Reason::NoCode),
        _ => {}
    }
    let code = if code.is_empty() { Pattern::Any } else { Pattern::Is(code) };
    Ok(CodePattern { system, code })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells, setting};
    use super::*;
    use techo_profiles::json;

    fn code(system: &str, code: &str) -> Cell {
        Cell::Token { system: system.into(), code: code.into() }
    }

    fn text(folded: &str, original: &str) -> Cell {
        Cell::String { folded: folded.into(), original: original.into() }
    }

    #[test]
    fn elements_become_rows() {
        let concept = json!({"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": "身長"}, {"code": "x"}], "text": "シンチョウ"});
        let number = json!({"type": {"coding": [{"system": "t", "code": "MR"}], "text": "患者番号"}, "system": "s", "value": "A1"});
        for (type_name, json, expected) in [
            (
                "CodeableConcept",
                concept,
                vec![
                    code("http://loinc.org", "8302-2"),
                    text("身長", "身長"),
                    code("", "x"),
                    text("しんちょう", "シンチョウ"),
                ],
            ),
            (
                "Identifier",
                number,
                vec![Cell::Identifier { system: "s".into(), value: "A1".into() }, text("患者番号", "患者番号")],
            ),
            (
                "ContactPoint",
                json!({"system": "phone", "value": "03-1234"}),
                vec![code("", "03-1234"), code("", "031234")],
            ),
            ("ContactPoint", json!({"system": "email", "value": "a@b.example"}), vec![code("", "a@b.example")]),
            ("code", json!("final"), vec![code("", "final")]),
            ("boolean", json!(true), vec![code("", "true")]),
            ("string", json!("1.0-BETA"), vec![code("", "1.0-beta")]),
            (
                "Extension",
                json!({"url": "u", "valueCodeableConcept": {"coding": [{"code": "c"}]}}),
                vec![code("", "c")],
            ),
            ("Extension", json!({"url": "u", "valueBoolean": false}), vec![code("", "false")]),
            ("Coding", json!({"system": "only"}), vec![]),
            ("Period", json!({"start": "2024"}), vec![]),
        ] {
            assert_eq!(cells(&KIND, type_name, &json), expected, "{type_name} {json}");
        }
    }

    #[test]
    fn identifiers_are_kept_by_type_too() {
        let number = json!({"type": {"coding": [{"system": "t", "code": "MR"}, {"system": "u"}]}, "value": "A1"});
        assert_eq!(identifier_types(&number), [Cell::Identifier { system: "t".into(), value: "MR|A1".into() }]);
    }

    #[test]
    fn the_four_ways_to_ask() {
        let is = |text: &str| Pattern::Is(text.into());
        for (value, system, code) in [
            ("c", Pattern::Any, is("c")),
            ("s|c", is("s"), is("c")),
            ("|c", is(""), is("c")),
            ("s|", is("s"), Pattern::Any),
            (r"a\|b", Pattern::Any, is("a|b")),
            (r"s|a\$b\,c\\", is("s"), is(r"a$b,c\")),
        ] {
            assert_eq!(code_pattern(value), Ok(CodePattern { system, code }), "{value}");
        }
        for value in ["", "|", "a|b|c", r"\x"] {
            assert!(code_pattern(value).is_err(), "{value}");
        }
    }

    #[test]
    fn tables_are_asked_by_the_types_there_can_be() {
        let tables = |types: Option<&[&str]>| {
            let types: Option<Vec<Box<str>>> = types.map(|types| types.iter().map(|&name| name.into()).collect());
            let question = Question {
                value: "090-1",
                modifier: Modifier::None,
                setting: setting(),
                now: 0,
                types: types.as_deref(),
                targets: &[],
                implies: &|_| false,
                terms: &crate::search::terms::NoTerms,
            };
            let matches = parse(&question).expect("a code");
            matches.iter().map(Match::table).collect::<Vec<_>>()
        };
        assert_eq!(tables(Some(&["Identifier"])), [Table::Identifier]);
        assert_eq!(tables(Some(&["CodeableConcept", "code"])), [Table::Token]);
        assert_eq!(tables(Some(&["ContactPoint"])), [Table::Token, Table::Token]);
        assert_eq!(tables(Some(&["string"])), [Table::Token]);
        assert_eq!(tables(None), [Table::Token, Table::Token, Table::Identifier]);
    }

    #[test]
    fn a_boolean_that_is_neither_true_nor_false_is_refused() {
        let asked = |value: &str, modifier: Modifier<'_>, types: &[&str]| {
            let types: Vec<Box<str>> = types.iter().map(|&name| name.into()).collect();
            let question = Question {
                value,
                modifier,
                setting: setting(),
                now: 0,
                types: Some(&types),
                targets: &[],
                implies: &|_| false,
                terms: &crate::search::terms::NoTerms,
            };
            parse(&question)
        };
        for modifier in [Modifier::None, Modifier::Not] {
            for value in ["yes", "TRUE", "1", "x|True"] {
                assert_eq!(asked(value, modifier, &["boolean"]), Err(Reason::Truth), "{value}");
                assert!(asked(value, modifier, &["boolean", "code"]).is_ok(), "{value}");
            }
            for value in ["true", "false", "|true", "http://terminology.hl7.org/CodeSystem/special-values|true"] {
                assert!(asked(value, modifier, &["boolean"]).is_ok(), "{value}");
            }
        }
    }

    #[test]
    fn text_is_asked_of_the_displays() {
        assert_eq!(ask(&KIND, Modifier::Text, "ｼﾝ"), Ok(vec![Match::Prefix("しん".into())]));
    }
}
