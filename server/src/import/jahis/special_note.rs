//! Record 2 → `AllergyIntolerance` (allergy, adverse reaction) or `Condition`
//! (history). What is noted is told, not confirmed.

use techo_profiles::json;
use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

use super::account::{Account, fault};
use super::concept::{coding, concept, subject};
use super::record::Record;
use super::{NAME, meta};
use crate::import::draft::{Draft, key};

/// The note as a record; none for other remarks and for 「なし」.
pub(super) fn draft(record: &Record, account: &mut Account) -> Option<Draft> {
    let kind = record.get("kind")?;
    let text = record.get("text")?;
    if says_none(text) {
        account.tell(&fault::NONE_STATED, record.at);
        return None;
    }
    let resource = match kind {
        "1" | "2" => allergy(kind, text),
        "3" => condition(text),
        _ => {
            account.tell(&fault::KEPT_IN_FILE, record.at);
            return None;
        }
    };
    account.used(record.at);
    let resource = resource.with_some("asserter", record.by_patient().then(subject));
    let key = key(&[NAME, "note", kind, text]);
    // Who said it first, and what a doctor made of it since, is not undone by
    // reading the same note again.
    let incidental = &["clinicalStatus", "verificationStatus", "asserter"];
    Some(Draft { incidental, ..Draft::put(key, resource, record.at) })
}

fn allergy(kind: &str, text: &str) -> Json {
    let status = |name: &str, code: &str| {
        concept(coding(&format!("http://terminology.hl7.org/CodeSystem/allergyintolerance-{name}"), code, None))
    };
    json!({"resourceType": "AllergyIntolerance", "meta": (meta("JP_AllergyIntolerance"))})
        .with("clinicalStatus", status("clinical", "active"))
        .with("verificationStatus", status("verification", "unconfirmed"))
        .with_some("type", (kind == "1").then_some("allergy"))
        .with("code", json!({"text": text}))
        .with("patient", subject())
}

/// A history: whether it still is, the notebook does not say.
fn condition(text: &str) -> Json {
    let unconfirmed = coding("http://terminology.hl7.org/CodeSystem/condition-ver-status", "unconfirmed", None);
    json!({"resourceType": "Condition", "meta": (meta("JP_Condition"))})
        .with("verificationStatus", concept(unconfirmed))
        .with("code", json!({"text": text}))
        .with("subject", subject())
}

/// 「なし」 in its usual spellings: no allergy must not become an allergy.
fn says_none(text: &str) -> bool {
    let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    let plain = plain.trim_end_matches(['。', '.', '、']);
    let plain = ["アレルギー", "副作用", "既往歴", "歴"].iter().fold(plain, |rest, head| rest.trim_start_matches(head));
    let plain = plain.trim_start_matches([':', 'は', 'も']);
    ["なし", "無し", "無", "ない", "特になし", "特に無し", "特記なし", "特記事項なし", "(-)", "-", "ー"]
        .contains(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_an_allergy_and_an_allergy_is_not_nothing() {
        for (text, none) in [
            ("なし", true),
            ("　特になし。", true),
            ("アレルギーなし", true),
            ("副作用歴：無し", true),
            ("（－）", true),
            ("卵アレルギー", false),
            ("なしアレルギー", false),
            ("梨", false),
            ("アレルギー", false),
            ("抗生剤で発疹", false),
        ] {
            assert_eq!(says_none(text), none, "{text}");
        }
    }
}
