//! What a scope means, in Japanese and English.
//!
//! Source: SMART App Launch 2.2 §Best practices, §Wildcard scopes

use super::scope::{Action, Category, Context, Meaning, ResourceScope, Scope};

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// 日本語
    #[default]
    Japanese,
    /// English
    English,
}

impl Language {
    /// The language a person chose (`?lang=`), else the first of her browser's
    /// that we have, else Japanese.
    pub fn choose(asked: Option<&str>, accept: Option<&str>) -> Self {
        let of = |tag: &str| match tag.trim().split('-').next() {
            Some("ja") => Some(Self::Japanese),
            Some("en") => Some(Self::English),
            _ => None,
        };
        asked.and_then(of).or_else(|| accept.and_then(|accept| preferred(accept, of))).unwrap_or_default()
    }

    /// `ja` or `en`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }

    /// The text in this language.
    pub fn say<'a>(self, japanese: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Japanese => japanese,
            Self::English => english,
        }
    }
}

/// The language of the highest weight in an `Accept-Language` header; of equals, the first.
fn preferred(accept: &str, of: impl Fn(&str) -> Option<Language>) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for part in accept.split(',') {
        let (tag, weight) = part.split_once(";q=").unwrap_or((part, "1"));
        let weight: f32 = weight.trim().parse().unwrap_or(0.0);
        if let Some(language) = of(tag)
            && weight > 0.0
            && best.is_none_or(|(most, _)| weight > most)
        {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// A scope as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// What it is about.
    pub title: String,
    /// What may be done with it, and what to know.
    pub detail: String,
}

/// What `scope` means.
pub fn of(scope: &Scope, language: Language) -> Wording {
    let both = |title: (&str, &str), detail: (&str, &str)| Wording {
        title: language.say(title.0, title.1).to_owned(),
        detail: language.say(detail.0, detail.1).to_owned(),
    };
    match scope.meaning() {
        Meaning::Resource(own) => resource(own, language),
        Meaning::OfflineAccess => both(
            (
                "あなたが使っていない間も、許可を取り消すまでアクセスを続けること",
                "Lasting access, also while you are away",
            ),
            (
                "アプリは、あなたがいない時でも、許可を取り消すまで上の記録を使えます。",
                "The app can go on using the records above when you are not there, until you withdraw it.",
            ),
        ),
        Meaning::OnlineAccess => both(
            ("サインインしている間のアクセス", "Access while you stay signed in"),
            ("サインアウトすると終わります。", "It ends when you sign out."),
        ),
        Meaning::OpenId => both(("サインインした人の確認", "Recognise you"), ("", "")),
        Meaning::FhirUser => both(("あなたの名前", "Your name"), ("", "")),
        Meaning::Launch | Meaning::LaunchContext(_) => {
            both(("どの人の記録かを知ること", "Know whose records these are"), ("", ""))
        }
        Meaning::CreateLaunch | Meaning::Introspect => both((scope.text(), scope.text()), ("", "")),
    }
}

fn resource(scope: &ResourceScope, language: Language) -> Wording {
    let mut title = match &scope.kind {
        None => language.say("すべての種類の記録", "Records of every kind").to_owned(),
        Some(kind) => kind_name(kind, language),
    };
    if !scope.categories.is_empty() {
        let names: Vec<String> = scope.categories.iter().map(|category| category_name(category, language)).collect();
        title = match language {
            Language::Japanese => format!("{title}(「{}」だけ)", names.join("」「")),
            Language::English => format!("{title} (only: {})", names.join(", ")),
        };
    }
    let mut detail = actions(scope, language);
    if scope.context == Context::User {
        detail.push_str(language.say("あなたが見ることのできる範囲です。", " As far as you may see them yourself."));
    }
    if scope.kind.is_none() {
        detail.push_str(language.say(
            "今ある記録だけでなく、これから加わる記録や、新しい種類の記録も含みます。",
            " This covers not only today's records but also those added later, and new kinds of records.",
        ));
    }
    Wording { title, detail }
}

fn actions(scope: &ResourceScope, language: Language) -> String {
    let may = |action| scope.actions.has(action);
    let mut words = Vec::new();
    for (allowed, japanese, english) in [
        (may(Action::Read) || may(Action::Search), "読む", "read"),
        (may(Action::Create), "書き加える", "add"),
        (may(Action::Update), "書き換える", "change"),
        (may(Action::Delete), "削除する", "delete"),
    ] {
        if allowed {
            words.push(language.say(japanese, english));
        }
    }
    match language {
        Language::Japanese => format!("できること: {}。", words.join("・")),
        Language::English => format!("May: {}.", words.join(", ")),
    }
}

/// A category by its name, if it is a well-known one.
fn category_name((_, code): &Category, language: Language) -> String {
    CATEGORIES
        .iter()
        .find(|(known, _, _)| *known == code.as_ref())
        .map_or_else(|| code.to_string(), |(_, japanese, english)| language.say(japanese, english).to_owned())
}

/// A resource type by its name, if people have one for it.
fn kind_name(kind: &str, language: Language) -> String {
    KINDS.iter().find(|(known, _, _)| *known == kind).map_or_else(
        || kind.to_owned(),
        |(_, japanese, english)| format!("{} ({kind})", language.say(japanese, english)),
    )
}

const KINDS: &[(&str, &str, &str)] = &[
    ("AllergyIntolerance", "アレルギー", "Allergies"),
    ("Appointment", "予約", "Appointments"),
    ("AuditEvent", "だれが見たかの記録", "Who looked at the records"),
    ("Binary", "ファイル", "Files"),
    ("CarePlan", "保健指導・ケアの計画", "Care plans and guidance"),
    ("CareTeam", "支援する人たち", "Care team"),
    ("Communication", "お知らせ・コメント", "Messages and comments"),
    ("Condition", "病名・症状", "Diagnoses and symptoms"),
    ("Consent", "同意の記録", "Consents"),
    ("Coverage", "保険", "Insurance"),
    ("Device", "機器", "Devices"),
    ("DiagnosticReport", "健診・検査の結果", "Check-up and test reports"),
    ("DocumentReference", "書類", "Documents"),
    ("Encounter", "受診・健診の記録", "Visits and check-ups"),
    ("ExplanationOfBenefit", "医療費", "Medical fees"),
    ("FamilyMemberHistory", "家族の病歴", "Family history"),
    ("Goal", "目標", "Goals"),
    ("Immunization", "予防接種", "Vaccinations"),
    ("ImmunizationRecommendation", "予防接種の予定", "Vaccinations that are due"),
    ("Location", "場所", "Places"),
    ("Media", "写真", "Photos"),
    ("Medication", "薬の情報", "Medicine details"),
    ("MedicationAdministration", "投薬の記録", "Medicines given"),
    ("MedicationDispense", "調剤の記録", "Medicines dispensed"),
    ("MedicationRequest", "処方", "Prescriptions"),
    ("MedicationStatement", "使っている薬", "Medicines taken"),
    ("Observation", "測定・検査の値", "Measurements and test values"),
    ("Organization", "医療機関・自治体", "Organizations"),
    ("Patient", "氏名・生年月日などの基本情報", "Name, birth date and other basics"),
    ("Practitioner", "医療者", "Practitioners"),
    ("Procedure", "処置・手術", "Procedures"),
    ("Provenance", "記録の出どころ", "Where records came from"),
    ("QuestionnaireResponse", "問診の回答", "Answers to questionnaires"),
    ("RelatedPerson", "家族・代理人", "Family and proxies"),
    ("RiskAssessment", "リスクの予測", "Predicted risks"),
];

const CATEGORIES: &[(&str, &str, &str)] = &[
    ("vital-signs", "身体測定・バイタルサイン", "vital signs"),
    ("laboratory", "検体検査", "laboratory"),
    ("exam", "診察", "examination"),
    ("survey", "問診", "survey"),
    ("social-history", "生活習慣", "social history"),
    ("imaging", "画像検査", "imaging"),
    ("procedure", "処置", "procedure"),
    ("activity", "活動", "activity"),
    ("problem-list-item", "問題リスト", "problem list"),
    ("encounter-diagnosis", "診断", "encounter diagnosis"),
    ("health-concern", "気がかり", "health concern"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (asked, accept, expected) in [
            (None, None, "ja"),
            (Some("en"), Some("ja"), "en"),
            (Some("fr"), Some("en-GB,ja;q=0.5"), "en"),
            (None, Some("fr, ja;q=0.4, en-US;q=0.9"), "en"),
            (None, Some("ja,en;q=0.9"), "ja"),
            (None, Some("en;q=0, de"), "ja"),
        ] {
            assert_eq!(Language::choose(asked, accept).code(), expected, "{asked:?} {accept:?}");
        }
    }

    #[test]
    fn a_wildcard_says_that_it_covers_the_future() {
        let every = of(&Scope::parse("patient/*.read").expect("a scope"), Language::English);
        assert!(every.detail.contains("added later"), "{}", every.detail);
        let one = of(&Scope::parse("patient/Observation.rs?category=laboratory").expect("a scope"), Language::English);
        assert_eq!(one.title, "Measurements and test values (Observation) (only: laboratory)");
        assert_eq!(one.detail, "May: read.");
    }
}
