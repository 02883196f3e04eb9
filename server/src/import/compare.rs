//! Is the person in the file the Patient of the call?
//!
//! A comparison never *finds* anybody: it only stops a parent from filing one
//! child's notebook under another, or a file from reaching a namesake. What
//! either side does not know is no difference; what both know must agree.
//! Twins share birth date, sex and often nearly the kana, so the name itself
//! decides where there is one.
//!
//! To add a pair of characters that are the same in names: a row in [`VARIANTS`].
//!
//! Source: identifiers.md §4, §7; medications-jahis.md §3

use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

use super::draft::{Person, Text};

/// What in a file contradicts the Patient it is bound to: a code and a text, which never
/// says the values.
pub fn mismatch(person: &Person, patient: &Json) -> Option<(&'static str, Text)> {
    let birth = person.birth_date.as_deref().zip(patient.str("birthDate"));
    if birth.is_some_and(|(told, held)| !told.starts_with(held) && !held.starts_with(told)) {
        let text = Text::new(
            "The birth date differs from the record it is bound to. Nothing of this person was imported; ask the town.",
            "生年月日が登録済みの記録と一致しません。この方の分は取り込んでいません。自治体に確認してください。",
        );
        return Some(("birth-date-differs", text));
    }
    let sex = person.sex.zip(patient.str("gender").filter(|gender| ["male", "female"].contains(gender)));
    if sex.is_some_and(|(told, held)| told.code() != held) {
        let text = Text::new(
            "The sex differs from the record. Nothing of this person was imported.",
            "性別が登録済みの記録と一致しません。この方の分は取り込んでいません。",
        );
        return Some(("sex-differs", text));
    }
    names_differ(person, patient).then(|| {
        let text = Text::new(
            "The name differs from the record. Nothing of this person was imported; check whose file this is.",
            "氏名が登録済みの記録と一致しません。この方の分は取り込んでいません。どなたのファイルか確認してください。",
        );
        ("name-differs", text)
    })
}

/// By the name, or by its kana where the file has no name.
fn names_differ(person: &Person, patient: &Json) -> bool {
    let known: Vec<String> = patient.list("name").iter().flat_map(spellings).collect();
    let told = person.name.as_deref().or(person.kana.as_deref()).map(folded);
    match told {
        Some(told) if !known.is_empty() => !known.contains(&told),
        _ => false,
    }
}

/// A `HumanName` as text, and as family and given names in one.
fn spellings(name: &Json) -> Vec<String> {
    let given: String = name.list("given").iter().filter_map(Json::as_str).collect();
    let parts = format!("{}{given}", name.str("family").unwrap_or_default());
    [name.str("text").unwrap_or_default(), &parts]
        .iter()
        .map(|text| folded(text))
        .filter(|text| !text.is_empty())
        .collect()
}

/// NFKC, one case, no spaces, hiragana as katakana, one of each pair of variants.
fn folded(text: &str) -> String {
    text.nfkc()
        .filter(|letter| !letter.is_whitespace())
        .flat_map(char::to_lowercase)
        .map(|letter| match letter {
            'ぁ'..='ゖ' => char::from_u32(u32::from(letter) + 0x60).unwrap_or(letter),
            _ => VARIANTS.iter().find(|(variant, _)| *variant == letter).map_or(letter, |(_, usual)| *usual),
        })
        .collect()
}

/// Characters of names that systems exchange for one another.
const VARIANTS: &[(char, char)] = &[
    ('髙', '高'),
    ('﨑', '崎'),
    ('碕', '崎'),
    ('嵜', '崎'),
    ('邉', '辺'),
    ('邊', '辺'),
    ('斎', '斉'),
    ('齋', '斉'),
    ('齊', '斉'),
    ('澤', '沢'),
    ('濱', '浜'),
    ('濵', '浜'),
    ('嶋', '島'),
    ('眞', '真'),
    ('廣', '広'),
    ('國', '国'),
    ('德', '徳'),
    ('惠', '恵'),
];

#[cfg(test)]
mod tests {
    use techo_profiles::json;

    use super::*;
    use crate::import::draft::{Identity, Line, Sex};

    fn person(name: Option<&str>, kana: Option<&str>, birth: Option<&str>, sex: Option<Sex>) -> Person {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (name, kana, birth_date) = (owned(name), owned(kana), owned(birth));
        Person { identity: Identity::Given, name, kana, birth_date, sex, at: Line::of(2) }
    }

    fn taro() -> Json {
        json!({
            "resourceType": "Patient", "gender": "male", "birthDate": "2021-11-03",
            "name": [
                {"text": "髙山 太郎", "family": "髙山", "given": ["太郎"]},
                {"text": "タカヤマ タロウ"}
            ]
        })
    }

    #[test]
    fn what_both_know_must_agree() {
        let male = Some(Sex::Male);
        let born = Some("2021-11-03");
        for (name, kana, birth, sex, expected) in [
            (Some("高山　太郎"), Some("ﾀｶﾔﾏ ﾀﾛｳ"), born, male, None),
            (Some("たかやまたろう"), None, born, male, None),
            (None, Some("ﾀｶﾔﾏ ﾀﾛｳ"), born, male, None),
            (None, None, None, None, None),
            (Some("高山　太郎"), None, Some("2021"), None, None),
            // A twin: the kana agree, the name does not.
            (Some("高山　太朗"), Some("ﾀｶﾔﾏ ﾀﾛｳ"), born, male, Some("name-differs")),
            (Some("\"高山　太郎\""), None, born, male, Some("name-differs")),
            (Some("高山　太郎"), None, Some("2021-11-04"), male, Some("birth-date-differs")),
            (Some("高山　太郎"), None, Some("2022"), male, Some("birth-date-differs")),
            (Some("高山　花子"), None, Some("1992-04-18"), Some(Sex::Female), Some("birth-date-differs")),
            (Some("高山　太郎"), None, born, Some(Sex::Female), Some("sex-differs")),
        ] {
            let found = mismatch(&person(name, kana, birth, sex), &taro()).map(|(code, _)| code);
            assert_eq!(found, expected, "{name:?} {kana:?} {birth:?}");
        }
    }

    #[test]
    fn a_patient_of_whom_nothing_is_known_is_no_contradiction() {
        let file = person(Some("高山　太郎"), None, Some("2021-11-03"), Some(Sex::Male));
        for patient in [json!({"resourceType": "Patient"}), json!({"resourceType": "Patient", "gender": "other"})] {
            assert_eq!(mismatch(&file, &patient), None);
        }
    }
}
