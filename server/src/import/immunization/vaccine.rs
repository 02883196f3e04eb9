//! Vaccines by the names that towns give them.
//!
//! No national list of codes is public. The local code is always sent; CVX and
//! route are what usually goes with it. `HPV` and `RV` stand for a kind whose
//! valency the source does not tell.
//!
//! To add one: a row in [`VACCINES`], and its rules in `super::schedule`.
//!
//! Source: immunizations.md §2

use unicode_normalization::UnicodeNormalization;

/// One vaccine.
#[derive(Debug, PartialEq, Eq)]
pub struct Vaccine {
    /// Its code in `{L}/CodeSystem/jp-vaccine`.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What kind of agent it is.
    pub agent: Agent,
    /// What it is against.
    pub diseases: &'static [&'static str],
    /// Its CVX code.
    pub cvx: Option<&'static str>,
    /// How it is given, where there is one way.
    pub route: Option<Route>,
    /// Names of it after [`plain`].
    aliases: &'static [&'static str],
    /// Brands, by which a product tells the valency.
    brands: &'static [&'static str],
}

/// Whether a vaccine lives: other vaccines must keep their distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Live, injected.
    Live,
    /// Live, by mouth.
    LiveOral,
    /// Not live.
    Inactive,
    /// Nobody knows.
    Unknown,
}

/// How a vaccine is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Under the skin.
    Subcutaneous,
    /// Into the muscle.
    Intramuscular,
    /// By mouth.
    Oral,
    /// Through the skin, by stamp.
    Percutaneous,
}

use Agent::{Inactive, Live, LiveOral};
use Route::{Intramuscular, Oral, Percutaneous, Subcutaneous};

const SUBCUTANEOUS: Option<Route> = Some(Subcutaneous);

/// A row of the table; brands are added by [`Vaccine::brands`].
const fn row(
    code: &'static str,
    name: &'static str,
    agent: Agent,
    diseases: &'static [&'static str],
    (cvx, route): (&'static str, Option<Route>),
    aliases: &'static [&'static str],
) -> Vaccine {
    Vaccine { code, name, agent, diseases, cvx: Some(cvx), route, aliases, brands: &[] }
}

impl Vaccine {
    const fn branded(mut self, brands: &'static [&'static str]) -> Self {
        self.brands = brands;
        self
    }

    const fn without_cvx(mut self) -> Self {
        self.cvx = None;
        self
    }
}

/// Every vaccine that has a code.
#[rustfmt::skip]
pub static VACCINES: [Vaccine; 26] = [
    row("HIB", "Hib（ヒブ）", Inactive, &["Hib感染症"], ("17", SUBCUTANEOUS),
        &["HIB", "ヒブ", "HIBヒブ", "インフルエンザ菌B型", "HIB感染症"]).branded(&["アクトヒブ"]),
    row("PCV", "小児用肺炎球菌", Inactive, &["肺炎球菌感染症"], ("", None),
        &["小児用肺炎球菌", "肺炎球菌", "小児肺炎球菌", "PCV", "PCV7", "PCV13", "PCV15", "PCV20",
          "小児用肺炎球菌7価", "小児用肺炎球菌13価", "小児用肺炎球菌15価", "小児用肺炎球菌20価",
          "肺炎球菌7価", "肺炎球菌13価", "肺炎球菌15価", "肺炎球菌20価"])
        .branded(&["プレベナー", "バクニュバンス"]).without_cvx(),
    row("BCG", "BCG", Live, &["結核"], ("19", Some(Percutaneous)), &["BCG", "結核", "BCG結核", "結核BCG"]),
    row("DPTIPV", "四種混合（DPT-IPV）", Inactive, &["ジフテリア", "百日せき", "破傷風", "急性灰白髄炎"], ("130", SUBCUTANEOUS),
        &["4種", "DPTIPV", "4種DPTIPV", "DPTIPV4種"]).branded(&["クアトロバック", "テトラビック", "スクエアキッズ"]),
    row("DPTIPVHIB", "五種混合（DPT-IPV-Hib）", Inactive, &["ジフテリア", "百日せき", "破傷風", "急性灰白髄炎", "Hib感染症"], ("120", None),
        &["5種", "DPTIPVHIB", "5種DPTIPVHIB", "DPTIPVHIB5種"]).branded(&["クイントバック", "ゴービック"]),
    row("DPT", "三種混合（DPT）", Inactive, &["ジフテリア", "百日せき", "破傷風"], ("20", SUBCUTANEOUS),
        &["3種", "DPT", "3種DPT", "DPT3種"]).branded(&["トリビック"]),
    row("DT", "二種混合（DT）", Inactive, &["ジフテリア", "破傷風"], ("28", SUBCUTANEOUS), &["2種", "DT", "2種DT", "DT2種"]),
    row("IPV", "不活化ポリオ", Inactive, &["急性灰白髄炎"], ("10", SUBCUTANEOUS),
        &["不活化ポリオ", "不活性ポリオ", "単独ポリオ", "単独不活化ポリオ", "IPV", "ポリオ不活化"]).branded(&["イモバックス"]),
    row("OPV", "経口生ポリオ", LiveOral, &["急性灰白髄炎"], ("02", Some(Oral)), &["生ポリオ", "経口ポリオ", "経口生ポリオ", "OPV", "ポリオ生"]),
    row("MR", "麻しん風しん混合（MR）", Live, &["麻しん", "風しん"], ("04", SUBCUTANEOUS),
        &["麻しん風しん", "麻しん風しんMR", "MR", "MR麻しん風しん"]).branded(&["ミールビック"]),
    row("M", "麻しん", Live, &["麻しん"], ("05", SUBCUTANEOUS), &["麻しん", "麻しん単独", "はしか"]),
    row("R", "風しん", Live, &["風しん"], ("06", SUBCUTANEOUS), &["風しん", "風しん単独"]),
    row("VAR", "水痘", Live, &["水痘"], ("21", SUBCUTANEOUS), &["水痘", "水ぼうそう", "みずぼうそう", "水痘水ぼうそう"]),
    row("JE", "日本脳炎", Inactive, &["日本脳炎"], ("129", SUBCUTANEOUS), &["日本脳炎", "JE"])
        .branded(&["ジェービック", "エンセバック"]),
    row("HBV", "B型肝炎", Inactive, &["B型肝炎"], ("08", SUBCUTANEOUS), &["B型肝炎", "HBV", "HB"])
        .branded(&["ビームゲン", "ヘプタバックス"]),
    row("RV1", "ロタウイルス1価", LiveOral, &["ロタウイルス感染症"], ("119", Some(Oral)),
        &["ロタ1価", "ロタウイルス1価", "1価ロタ", "1価ロタウイルス", "RV1"]).branded(&["ロタリックス"]),
    row("RV5", "ロタウイルス5価", LiveOral, &["ロタウイルス感染症"], ("116", Some(Oral)),
        &["ロタ5価", "ロタウイルス5価", "5価ロタ", "5価ロタウイルス", "RV5"]).branded(&["ロタテック"]),
    row("RV", "ロタウイルス（価数不明）", LiveOral, &["ロタウイルス感染症"], ("122", Some(Oral)), &["ロタ", "ロタウイルス", "RV"]),
    row("HPV2", "HPV 2価", Inactive, &["ヒトパピローマウイルス感染症"], ("118", Some(Intramuscular)),
        &["HPV2価", "2価HPV", "HPV2", "子宮頸がん2価", "ヒトパピローマウイルス2価"]).branded(&["サーバリックス"]),
    row("HPV9", "HPV 9価", Inactive, &["ヒトパピローマウイルス感染症"], ("165", Some(Intramuscular)),
        &["HPV9価", "9価HPV", "HPV9", "子宮頸がん9価", "ヒトパピローマウイルス9価"]).branded(&["シルガード"]),
    row("HPV4", "HPV 4価", Inactive, &["ヒトパピローマウイルス感染症"], ("62", Some(Intramuscular)),
        &["HPV4価", "4価HPV", "HPV4", "子宮頸がん4価", "ヒトパピローマウイルス4価"]).branded(&["ガーダシル"]),
    row("HPV", "HPV（価数不明）", Inactive, &["ヒトパピローマウイルス感染症"], ("137", Some(Intramuscular)),
        &["HPV", "子宮頸がん", "子宮頸がん予防", "ヒトパピローマウイルス", "ヒトパピローマウイルス感染症"]),
    row("MUMPS", "おたふくかぜ", Live, &["流行性耳下腺炎"], ("07", SUBCUTANEOUS),
        &["おたふくかぜ", "おたふく風邪", "おたふく", "流行性耳下腺炎", "ムンプス"]),
    row("FLU", "インフルエンザ", Inactive, &["インフルエンザ"], ("88", SUBCUTANEOUS),
        &["インフルエンザ", "季節性インフルエンザ", "インフルエンザHA"]),
    row("COVID", "新型コロナウイルス感染症", Inactive, &["新型コロナウイルス感染症"], ("213", Some(Intramuscular)),
        &["新型コロナ", "新型コロナウイルス", "新型コロナウイルス感染症", "COVID19", "コロナ"]),
    Vaccine { code: OTHER, name: "その他", agent: Agent::Unknown, diseases: &[], cvx: None, route: None, aliases: &[], brands: &[] },
];

/// The code of what has no code of its own.
pub const OTHER: &str = "OTHER";

/// A vaccine found by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which one.
    pub vaccine: &'static Vaccine,
    /// Its CVX code, as far as the name and the product tell.
    pub cvx: Option<&'static str>,
}

/// The vaccine of this name; `None` where nobody knows it. A product's brand
/// tells what a name leaves open.
pub fn find(name: &str, product: Option<&str>) -> Option<Found> {
    let vaccine = spellings(name).iter().find_map(|spelling| by_alias(spelling));
    let brand = product.and_then(by_brand).or_else(|| by_brand(name));
    let vaccine = match (vaccine, brand) {
        (Some(named), Some(brand)) if narrows(named.code, brand.code) => brand,
        (Some(named), _) => named,
        (None, brand) => brand?,
    };
    let cvx = match vaccine.code {
        "PCV" => pneumococcal(name).or_else(|| product.and_then(pneumococcal)),
        _ => vaccine.cvx,
    };
    Some(Found { vaccine, cvx })
}

/// What is kept of a name that nobody knows.
pub fn other() -> Found {
    Found { vaccine: by_code(OTHER), cvx: None }
}

/// The vaccine of this code; the last row, which is [`OTHER`], where there is none.
pub fn by_code(code: &str) -> &'static Vaccine {
    VACCINES.iter().find(|vaccine| vaccine.code == code).unwrap_or(&VACCINES[VACCINES.len() - 1])
}

fn by_alias(plain: &str) -> Option<&'static Vaccine> {
    VACCINES.iter().find(|vaccine| vaccine.aliases.contains(&plain))
}

fn by_brand(text: &str) -> Option<&'static Vaccine> {
    let text: String = text.nfkc().collect();
    VACCINES.iter().find(|vaccine| vaccine.brands.iter().any(|brand| text.contains(brand)))
}

/// Whether a brand says more than the name, and nothing else.
fn narrows(named: &str, brand: &str) -> bool {
    matches!((named, brand), ("HPV", "HPV2" | "HPV4" | "HPV9") | ("RV", "RV1" | "RV5"))
}

/// The CVX code of a pneumococcal vaccine by the number of its types.
fn pneumococcal(text: &str) -> Option<&'static str> {
    let text: String = text.nfkc().collect();
    let types = [("13", "133"), ("15", "215"), ("20", "216")];
    let by_number = types.iter().find(|(number, _)| text.contains(number)).map(|(_, cvx)| *cvx);
    by_number.or_else(|| text.contains("バクニュバンス").then_some("215"))
}

/// What a name may be looked up as: whole without its brackets, then without what
/// stands in them, then that alone.
fn spellings(name: &str) -> Vec<String> {
    let text: String = name.nfkc().collect();
    let whole = plain(&text);
    let Some((before, rest)) = text.split_once('(') else { return vec![whole] };
    let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
    vec![whole, plain(&format!("{before}{after}")), plain(inside)]
}

/// A name without what is written in many ways: widths, case, spaces, marks, the
/// word for vaccine, kanji for kana and for digits.
fn plain(text: &str) -> String {
    let text: String = text
        .nfkc()
        .filter(|letter| !letter.is_whitespace() && !"()・･,、/-‐−[]【】「」".contains(*letter))
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    let mut text =
        text.replace("麻疹", "麻しん").replace("風疹", "風しん").replace("頸癌", "頸がん").replace("頚がん", "頸がん");
    for (kanji, digit) in [("二種", "2種"), ("三種", "3種"), ("四種", "4種"), ("五種", "5種")] {
        text = text.replace(kanji, digit);
    }
    for word in ["ワクチン", "予防接種", "混合"] {
        text = text.replace(word, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_towns_write_them() {
        for (name, code) in [
            ("Ｈｉｂ（ヒブ）", "HIB"),
            ("Hib", "HIB"),
            ("ヒブワクチン", "HIB"),
            ("小児用肺炎球菌", "PCV"),
            ("小児用肺炎球菌（13価）", "PCV"),
            ("ＢＣＧ", "BCG"),
            ("BCG（結核）", "BCG"),
            ("結核", "BCG"),
            ("四種混合", "DPTIPV"),
            ("4種混合", "DPTIPV"),
            ("DPT-IPV", "DPTIPV"),
            ("四種混合（DPT-IPV）", "DPTIPV"),
            ("５種混合", "DPTIPVHIB"),
            ("五種混合ワクチン", "DPTIPVHIB"),
            ("三種混合", "DPT"),
            ("DT", "DT"),
            ("不活化ポリオ", "IPV"),
            ("不活性ポリオ", "IPV"),
            ("単独ポリオ", "IPV"),
            ("生ポリオ", "OPV"),
            ("麻しん風しん", "MR"),
            ("麻しん・風しんＭＲ混合", "MR"),
            ("麻疹・風疹混合（MR）", "MR"),
            ("麻しん", "M"),
            ("風しん（単独）", "R"),
            ("水痘（水ぼうそう）", "VAR"),
            ("水ぼうそう", "VAR"),
            ("日本脳炎", "JE"),
            ("日本脳炎（乾燥細胞培養）", "JE"),
            ("B型肝炎", "HBV"),
            ("Ｂ型肝炎", "HBV"),
            ("ロタ1価", "RV1"),
            ("ロタウイルス（5価）", "RV5"),
            ("ロタウイルス", "RV"),
            ("ロタウイルス（ロタリックス）", "RV1"),
            ("子宮頸がん", "HPV"),
            ("HPV（9価）", "HPV9"),
            ("おたふくかぜ", "MUMPS"),
            ("流行性耳下腺炎", "MUMPS"),
            ("インフルエンザ", "FLU"),
            ("新型コロナ", "COVID"),
        ] {
            assert_eq!(find(name, None).map(|found| found.vaccine.code), Some(code), "{name}");
        }
        for name in ["宇宙かぜ", "", "肺炎球菌23価", "混合", "()"] {
            assert_eq!(find(name, None), None, "{name}");
        }
    }

    #[test]
    fn a_product_tells_what_the_name_leaves_open() {
        for (name, product, code, cvx) in [
            ("子宮頸がん", Some("シルガード9"), "HPV9", Some("165")),
            ("HPV", Some("ガーダシル水性懸濁筋注"), "HPV4", Some("62")),
            ("小児用肺炎球菌", Some("プレベナー20水性懸濁注"), "PCV", Some("216")),
            ("小児用肺炎球菌", Some("バクニュバンス"), "PCV", Some("215")),
            ("小児用肺炎球菌", None, "PCV", None),
            ("小児用肺炎球菌（13価）", None, "PCV", Some("133")),
            ("水痘", Some("シルガード9"), "VAR", Some("21")),
            ("クイントバック", None, "DPTIPVHIB", Some("120")),
        ] {
            let found = find(name, product).expect(name);
            assert_eq!((found.vaccine.code, found.cvx), (code, cvx), "{name} {product:?}");
        }
    }

    #[test]
    fn no_name_stands_for_two_vaccines() {
        let all: Vec<_> = VACCINES.iter().flat_map(|vaccine| vaccine.aliases).collect();
        for (at, alias) in all.iter().enumerate() {
            assert!(!all[..at].contains(alias), "{alias}");
            assert_eq!(plain(alias), **alias, "an alias is written as it is looked up");
        }
        assert_eq!(by_code("no such code").code, OTHER);
    }
}
