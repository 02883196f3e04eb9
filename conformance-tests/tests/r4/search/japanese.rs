//! Names in Japanese: kanji, kana, romaji, widths, blanks.
//!
//! A person's names here are as Japanese systems store them: one name in kanji
//! (IDE), one in kana (SYL), and sometimes one in Latin letters (ABC).

use serde_json::{Value, json};

use crate::check::{Check, finds, get, in_order, row};
use crate::seed::{observation, resource};

const WRITTEN: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

pub fn seed() -> Vec<Value> {
    let name = |form: &str, family: &str, given: &str| json!({"extension": [{"url": WRITTEN, "valueCode": form}], "text": format!("{family}　{given}"), "family": family, "given": [given]});
    let person = |id: &str, names: Value| resource("Patient", id, json!({"name": names}));
    vec![
        person(
            "yamada",
            json!([name("IDE", "山田", "花子"), name("SYL", "ヤマダ", "ハナコ"), name("ABC", "YAMADA", "Hanako")]),
        ),
        person("yamamoto", json!([name("IDE", "山本", "太郎"), name("SYL", "ヤマモト", "タロウ")])),
        person("half", json!([name("IDE", "佐藤", "健"), name("SYL", "ｻﾄｳ", "ｹﾝ")])),
        person("hira", json!([name("IDE", "髙橋", "みどり"), name("SYL", "たかはし", "みどり")])),
        person("long", json!([name("SYL", "オオノ", "ユウ"), name("ABC", "Ōno", "Yū")])),
        person("wide", json!([name("ABC", "ＳＵＺＵＫＩ", "Ｉｃｈｉｒｏ")])),
        person("voiced", json!([name("SYL", "ガトウ", "ショウ")])),
        resource(
            "Patient",
            "home",
            json!({"address": [{"text": "神奈川県横浜市中区日本大通１－２－３", "city": "横浜市", "state": "神奈川県"}]}),
        ),
        resource("Patient", "p", json!({})),
        observation(
            "height",
            json!({"code": {"coding": [{"system": "https://example.org/codes", "code": "身長", "display": "身長測定"}]}}),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    [names(), forms(), exact(), elsewhere()].into_iter().flatten().collect()
}

fn names() -> Vec<Check> {
    vec![
        row("kanji", get("Patient?family=山田"), finds(&["yamada"])),
        row("one kanji, the beginning", get("Patient?family=山"), finds(&["yamada", "yamamoto"])),
        row("the second kanji is no beginning", get("Patient?family=田"), finds(&[])),
        row(":contains the second kanji", get("Patient?family:contains=田"), finds(&["yamada"])),
        row("katakana", get("Patient?family=ヤマダ"), finds(&["yamada"])),
        row("katakana, the beginning", get("Patient?family=ヤマ"), finds(&["yamada", "yamamoto"])),
        row("hiragana finds katakana", get("Patient?family=やまだ"), finds(&["yamada"])),
        row("katakana finds hiragana", get("Patient?family=タカハシ"), finds(&["hira"])),
        row("half width finds full width", get("Patient?family=ﾔﾏﾀﾞ"), finds(&["yamada"])),
        row("full width finds half width", get("Patient?family=サトウ"), finds(&["half"])),
        row("hiragana finds half width", get("Patient?family=さとう"), finds(&["half"])),
        row("romaji where stored", get("Patient?family=yamada"), finds(&["yamada"])),
        row("romaji where not stored", get("Patient?family=sato"), finds(&[])),
        row("full width romaji, stored", get("Patient?family=suzuki"), finds(&["wide"])),
        row("full width romaji, asked", get("Patient?family=ＹＡＭＡ"), finds(&["yamada"])),
        row("a macron is no matter", get("Patient?family=ono"), finds(&["long"])),
        row("the given name", get("Patient?given=花子"), finds(&["yamada"])),
        row("the given name in kana", get("Patient?given=はなこ"), finds(&["yamada"])),
        row("family and given, kanji and kana", get("Patient?family=山田&given=ハナコ"), finds(&["yamada"])),
        row("family and given of two people", get("Patient?family=山田&given=太郎"), finds(&[])),
    ]
}

fn forms() -> Vec<Check> {
    vec![
        row("name finds kanji", get("Patient?name=山田"), finds(&["yamada"])),
        row("name finds kana", get("Patient?name=ﾔﾏﾓﾄ"), finds(&["yamamoto"])),
        row("name finds the whole with an ideographic blank", get("Patient?name=山田　花子"), finds(&["yamada"])),
        row("name finds the whole with a plain blank", get("Patient?name=山田 花子"), finds(&["yamada"])),
        row("name finds the whole without a blank", get("Patient?name=山田花子"), finds(&["yamada"])),
        row("name finds the whole in kana without a blank", get("Patient?name=やまだはなこ"), finds(&["yamada"])),
        row("か is not が", get("Patient?family=カトウ"), finds(&[])),
        row("が", get("Patient?family=ガトウ"), finds(&["voiced"])),
        row("が in half width", get("Patient?family=ｶﾞﾄｳ"), finds(&["voiced"])),
        row("が as か and a mark", get("Patient?family=カ\u{3099}トウ"), finds(&["voiced"])),
        row("ョ is not ヨ", get("Patient?given=シヨウ"), finds(&[])),
        row("高 is not 髙", get("Patient?family=高橋"), finds(&[])),
        row("髙 as stored", get("Patient?family=髙橋"), finds(&["hira"])),
        row("a long vowel mark is a sign", get("Patient?family=オーノ"), finds(&[])),
        row("two spellings", get("Patient?family=サトウ,山本"), finds(&["half", "yamamoto"])),
        row("an ideographic comma is no separator", get("Patient?family=サトウ、山本"), finds(&[])),
    ]
}

fn exact() -> Vec<Check> {
    vec![
        row(":exact kanji", get("Patient?family:exact=山田"), finds(&["yamada"])),
        row(":exact katakana", get("Patient?family:exact=ヤマダ"), finds(&["yamada"])),
        row(":exact minds hiragana", get("Patient?family:exact=やまだ"), finds(&[])),
        row(":exact minds width", get("Patient?family:exact=サトウ"), finds(&[])),
        row(":exact half width", get("Patient?family:exact=ｻﾄｳ"), finds(&["half"])),
        row(":exact minds case", get("Patient?family:exact=yamada"), finds(&[])),
        row(":exact in full width", get("Patient?family:exact=ＳＵＺＵＫＩ"), finds(&["wide"])),
        row(":exact is the whole", get("Patient?family:exact=山"), finds(&[])),
    ]
}

fn elsewhere() -> Vec<Check> {
    vec![
        row("an address, the beginning", get("Patient?address=神奈川県横浜市"), finds(&["home"])),
        row("an address, narrow digits within", get("Patient?address:contains=日本大通1-2-3"), finds(&["home"])),
        row("a city", get("Patient?address-city=横浜"), finds(&["home"])),
        row("a state", get("Patient?address-state=神奈川"), finds(&["home"])),
        row("a code in kanji", get("Observation?code=身長"), finds(&["height"])),
        row(
            "a code in kanji with its system",
            get("Observation?code=https://example.org/codes|身長"),
            finds(&["height"]),
        ),
        row(":text in kanji", get("Observation?code:text=身長測"), finds(&["height"])),
        row("sorted by kana and kanji", get("Patient?_id=yamamoto,long&_sort=family"), in_order(&["long", "yamamoto"])),
        row(
            "the question comes back in self",
            get("Patient?family=山田"),
            finds(&["yamada"]).link("self", "family=%E5%B1%B1%E7%94%B0"),
        ),
    ]
}
