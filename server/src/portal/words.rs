//! What the portal says, in Japanese and English: the one table.
//!
//! To say something new: a row here. Words that belong to a number go through
//! [`count`], dates through [`date`], types of records through [`kind`].

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::auth::scope::Scope;
use crate::auth::wording::{self, Language};

/// The same in Japanese and in English.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub(super) &'static str, pub(super) &'static str);

impl Words {
    /// In one of them.
    pub(super) fn say(self, language: Language) -> &'static str {
        language.say(self.0, self.1)
    }
}

// The frame.
pub(super) const SKIP: Words = Words("本文へ", "Skip to the content");
pub(super) const HOME: Words = Words("記録", "Records");
pub(super) const APPS: Words = Words("つながり", "Connections");
pub(super) const ACCESS: Words = Words("だれが見たか", "Who looked");
pub(super) const PAGES: Words = Words("ページ", "Pages");
pub(super) const SIGN_OUT: Words = Words("サインアウト", "Sign out");
pub(super) const OTHER_LANGUAGE: Words = Words("English", "日本語");
pub(super) const BACK: Words = Words("最初のページへ", "To the first page");

pub(super) const NOT_FOUND: Words = Words("ページが見つかりません", "Page not found");
pub(super) const NOT_FOUND_TEXT: Words =
    Words("この住所にページはないか、見ることができません。", "There is no such page, or you may not see it.");
pub(super) const FAILURE: Words = Words("サーバーの問題", "A problem on the server");
pub(super) const FAILURE_TEXT: Words = Words(
    "今は表示できません。しばらくしてから、もう一度お試しください。",
    "This cannot be shown right now. Please try again a little later.",
);

// People.
pub(super) const HOME_TITLE: Words = Words("あなたとご家族の記録", "Your records and your family's");
pub(super) const HOME_LEAD: Words = Words(
    "名前を選ぶと、健診・予防接種・お薬などの記録が見られます。",
    "Choose a name to see check-ups, vaccinations, medicines and more.",
);
pub(super) const NOBODY: Words =
    Words("このアカウントで見られる記録はありません。", "There are no records that this account may see.");
pub(super) const NOT_A_CITIZEN: Words = Words(
    "この画面は市民の方のためのものです。お仕事では、職場のアプリから記録をご覧ください。",
    "These pages are for citizens. For your work, open records in your own application.",
);
pub(super) const OWN: Words = Words("ご本人", "You");
pub(super) const AS_GUARDIAN: Words = Words("保護者として", "As guardian");
pub(super) const SHARED_WITH_YOU: Words = Words("あなたに共有", "Shared with you");
pub(super) const NAME_NOT_SHARED: Words = Words("お名前は共有されていません", "Name not shared");
pub(super) const BORN: Words = Words("生年月日", "Born");
pub(super) const MONTHS_OLD: [Words; 2] = [Words("か月", " month old"), Words("か月", " months old")];
pub(super) const YEARS_OLD: [Words; 2] = [Words("歳", " year old"), Words("歳", " years old")];
pub(super) const ALSO_HERE: Words = Words("ほかのページ", "Also here");
pub(super) const APPS_LEAD: Words =
    Words("つないだアプリや共有先を確かめ、取り消せます。", "See and withdraw what you have allowed apps and people.");
pub(super) const ACCESS_LEAD: Words =
    Words("だれが、いつ、なぜ記録を見たかがわかります。", "See who looked at the records, when, and why.");

// Records.
pub(super) const RECORDS_OF: Words = Words("記録", "Records");
pub(super) const SOURCE: Words = Words("出どころ", "Source");
pub(super) const NO_DATE: Words = Words("日付なし", "No date");
pub(super) const NOTHING_HERE: Words = Words("記録はまだありません。", "No records yet.");
pub(super) const SHARED_ONLY: Words = Words(
    "共有されたものだけを表示しています。ここにないことは、記録がないことを意味しません。",
    "This shows what was shared with you. What is not here may still exist.",
);
pub(super) const OLDER_RECORDS: Words = Words("これより前の記録", "Older records");
pub(super) const NEWEST_ONLY: Words = Words(
    "件数が多いため、種類ごとに新しい1000件までを表示しています。",
    "There are many records: the newest 1,000 of each type are shown.",
);
pub(super) const WITHDRAWN: Words = Words("登録元が取り下げた記録", "Withdrawn by its publisher");
pub(super) const IN_ERROR: Words = Words("誤りとして取り消し済み", "Entered in error");
pub(super) const NOT_DONE: Words = Words("接種なし", "Not given");
pub(super) const NOT_MEASURED: Words = Words("記録なし", "Not recorded");
pub(super) const UNCONFIRMED: Words = Words("本人・家族の申し出(未確認)", "As told, not confirmed");
pub(super) const CALCULATED: Words = Words("(計算値)", " (calculated)");
pub(super) const YES: Words = Words("はい", "Yes");
pub(super) const NO: Words = Words("いいえ", "No");
pub(super) const ITEM: Words = Words("項目", "Item");
pub(super) const RESULT: Words = Words("結果", "Result");
pub(super) const PLACE: Words = Words("場所", "Place");
pub(super) const LOT: Words = Words("ロット番号", "Lot");
pub(super) const MAKER: Words = Words("製造", "Made by");
pub(super) const AMOUNT: Words = Words("量", "Amount");
pub(super) const SITE: Words = Words("部位", "Site");
pub(super) const PROGRAM: Words = Words("区分", "Programme");
pub(super) const USAGE: Words = Words("使い方", "How to take");
pub(super) const PERIOD: Words = Words("期間", "Period");
pub(super) const PHARMACY: Words = Words("薬局", "Pharmacy");
pub(super) const CLINIC: Words = Words("医療機関", "Clinic");
pub(super) const NOTE: Words = Words("メモ", "Note");
pub(super) const JUDGEMENT: Words = Words("判定", "Judgement");
pub(super) const STATUS: Words = Words("状態", "Status");
pub(super) const DOCUMENT: Words = Words("書類", "Document");
pub(super) const TEXT: Words = Words("内容", "Content");
pub(super) const FROM: [Words; 2] = [Words("", "from "), Words("から", "")];
pub(super) const TILL: [Words; 2] = [Words("", "until "), Words("まで", "")];

// Where records came from.
pub(super) const FROM_APP: Words = Words("アプリまたはご本人の入力", "App or own entry");
pub(super) const FROM_PUBLISHER: Words = Words("登録機関", "Registered organisation");
pub(super) const FROM_CARE: Words = Words("医療者・支援者の記入", "Written by a professional");

/// `meta.source` of importers, by its last part but the place.
pub(super) const SOURCES: &[(&str, Words)] = &[
    ("municipal-checkup", Words("自治体の健診ファイル", "Town's check-up file")),
    ("municipal-immunization", Words("自治体の予防接種ファイル", "Town's vaccination file")),
    ("jahis", Words("電子版お薬手帳", "Medication notebook (QR code)")),
];

/// Import formats, as originals are typed.
pub(super) const FORMATS: &[(&str, Words)] = &[
    ("jahis", Words("お薬手帳のデータ", "Medication notebook data")),
    ("municipal-checkup", Words("乳幼児健診のデータ", "Infant check-up data")),
    ("municipal-immunization", Words("予防接種のデータ", "Vaccination data")),
];

// Connections.
pub(super) const APPS_TITLE: Words = Words("つながっているアプリと共有先", "Connected apps and shares");
pub(super) const APPS_EXPLAINED: Words = Words(
    "取り消すと、その時からアプリや相手は記録を見られなくなります。",
    "Once you withdraw, the app or person can no longer see the records.",
);
pub(super) const NO_APPS: Words =
    Words("つながっているアプリや共有先はありません。", "Nothing is connected or shared.");
pub(super) const WITHDRAW: Words = Words("取り消す", "Withdraw");
pub(super) const WITHDRAWN_NOW: Words =
    Words("取り消しました。これからは記録を見られません。", "Withdrawn. The records can no longer be seen there.");
pub(super) const WHOSE: Words = Words("どなたの記録", "Whose records");
pub(super) const ALLOWED: Words = Words("許可の内容", "Allowed");
pub(super) const NOT_ALLOWED: Words = Words("見せないこと", "Kept back");
pub(super) const SINCE: Words = Words("許可した日", "Since");
pub(super) const UNTIL: Words = Words("いつまで", "Until");
pub(super) const LAST_USED: Words = Words("最後の利用", "Last used");
pub(super) const NOT_USED: Words = Words("最近の利用はありません", "Not used lately");
pub(super) const GIVEN_BY: Words = Words("許可した人", "Allowed by");
pub(super) const FILED_BY: Words = Words("登録した機関", "Entered by");
pub(super) const PURPOSE: Words = Words("目的", "Purpose");
pub(super) const APP: Words = Words("アプリ", "App");
pub(super) const PERSON_OR_PLACE: Words = Words("人・機関", "Person or organisation");
pub(super) const EVERYONE: Words = Words("すべての相手", "Everyone");
pub(super) const LASTING: Words =
    Words("あなたが使っていない間も続くアクセス", "Lasting access, also while you are away");
pub(super) const SIGN_IN_ONLY: Words = Words("サインインの確認だけ", "Signing in only");
pub(super) const YOU: Words = Words("あなた", "You");

// Who looked.
pub(super) const ACCESS_TITLE: Words = Words("だれが見たか", "Who looked");
pub(super) const ACCESS_EXPLAINED: Words = Words(
    "あなたとご家族の記録が見られたり、変えられたりするたびに、ここに残ります。",
    "Each time your records or your family's are seen or changed, it is kept here.",
);
pub(super) const NO_ACCESS: Words = Words("まだ何もありません。", "Nothing yet.");
pub(super) const OLDER: Words = Words("これより前", "Older");
pub(super) const NEWEST: Words = Words("最新に戻る", "Back to the newest");
pub(super) const ALL_ACCESS: Words = Words("すべて", "Everyone");
pub(super) const OTHERS_ACCESS: Words = Words("自分の閲覧を除く", "Without my own visits");
pub(super) const WHAT: Words = Words("見られたもの", "What");
pub(super) const ON_BEHALF: Words = Words("使った人", "Used by");
pub(super) const THROUGH: Words = Words("使ったもの", "Through");
pub(super) const WHY_ALLOWED: Words = Words("許された理由", "Allowed by");
pub(super) const THIS_PORTAL: Words = Words("この画面", "These pages");
pub(super) const SERVER: Words = Words("サーバー", "The server");
pub(super) const BY_CONSENT: Words = Words("許可", "Permission");
pub(super) const REFUSED: Words = Words("拒否しました", "Refused");
pub(super) const FAILED: Words = Words("失敗しました", "Failed");
pub(super) const NOTHING_OF: Words = Words("該当なし", "Nothing found");

/// `Layer`s, by code.
pub(super) const LAYERS: &[(&str, Words)] = &[
    ("absolute-block", Words("保護のための遮断", "A protective block")),
    ("scope", Words("アプリの権限", "The app's scopes")),
    ("operator-policy", Words("運営者の方針", "The operator's policy")),
    ("citizen-consent", Words("あなたの許可", "Your permission")),
    ("emergency", Words("緊急時のアクセス", "Emergency access")),
    ("own-record", Words("ご本人の記録", "One's own record")),
    ("authority", Words("保護者の権限", "A guardian's authority")),
    ("custodian", Words("記録を登録した機関の権限", "The organisation that published the record")),
];

/// Purposes of use (v3-ActReason).
const PURPOSES: &[(&str, Words)] = &[
    ("PATRQT", Words("本人の求めによる利用", "At the person's own request")),
    ("FAMRQT", Words("家族の求めによる利用", "At the family's request")),
    ("PWATRNY", Words("代理人の求めによる利用", "At a proxy's request")),
    ("SUPNWK", Words("身近な人による支援", "Support by people close to the person")),
    ("TREAT", Words("診療", "Treatment")),
    ("ETREAT", Words("緊急の診療", "Emergency treatment")),
    ("BTG", Words("緊急時のアクセス", "Emergency access")),
    ("PUBHLTH", Words("公衆衛生", "Public health")),
    ("HRESCH", Words("研究", "Research")),
    ("HPAYMT", Words("医療費の支払い", "Payment")),
    ("HOPERAT", Words("運営", "Operations")),
    ("DISASTER", Words("災害時の支援", "Disaster relief")),
    ("HMARKT", Words("広告", "Marketing")),
];

/// Units that people write otherwise than UCUM does.
const UNITS: &[(&str, Words)] = &[
    ("kg/m2", Words("", "")),
    ("{teeth}", Words("本", "teeth")),
    ("mm[Hg]", Words("mmHg", "mmHg")),
    ("/min", Words("回/分", "/min")),
    ("Cel", Words("℃", "°C")),
    ("{steps}", Words("歩", "steps")),
    ("d", Words("日", "days")),
    ("h", Words("時間", "hours")),
    ("min", Words("分", "minutes")),
];

/// A purpose of use in words; its code if it has none here.
pub(super) fn purpose(code: &str, language: Language) -> String {
    look_up(PURPOSES, code).unwrap_or(OTHER_PURPOSE).say(language).to_owned()
}

const OTHER_PURPOSE: Words = Words("そのほかの目的", "Another purpose");

/// Who is known by no name, by type.
pub(super) const NAMELESS: &[(&str, Words)] = &[
    ("Organization", Words("名前の登録のない機関", "An organization without a name here")),
    ("Patient", Words("名前の登録のない市民", "A citizen without a name here")),
    ("Person", Words("名前の登録のない人", "A person without a name here")),
    ("Practitioner", Words("名前の登録のない専門職", "A professional without a name here")),
    ("RelatedPerson", Words("名前の登録のない家族", "A relative without a name here")),
];
pub(super) const SOMEONE: Words = Words("名前の登録のない人", "Someone without a name here");
pub(super) const UNKNOWN_APP: Words = Words("登録が消えたアプリ", "An app that is no longer registered");

/// The words of a code in one of the tables above.
pub(super) fn look_up(table: &[(&str, Words)], code: &str) -> Option<Words> {
    table.iter().find(|(own, _)| *own == code).map(|(_, words)| *words)
}

/// A unit as people write it.
pub(super) fn unit<'a>(code: Option<&str>, written: Option<&'a str>, language: Language) -> &'a str {
    let known = code.and_then(|code| look_up(UNITS, code));
    known.map_or_else(|| written.unwrap_or_default(), |words| words.say(language))
}

/// What a resource type is called.
pub(super) fn kind(name: &str, language: Language) -> String {
    let scope = Scope::parse(&format!("patient/{name}.r"));
    let title = scope.map(|scope| wording::of(&scope, language).title).unwrap_or_default();
    // The approval page shows the type's own name too.
    let plain = title.strip_suffix(&format!(" ({name})")).map(str::to_owned);
    plain.unwrap_or_else(|| name.to_owned())
}

/// A number with its words: for one, for many.
pub(super) fn count(number: i64, [one, many]: [Words; 2], language: Language) -> String {
    format!("{number}{}", if number == 1 { one } else { many }.say(language))
}

/// A FHIR date as people write it, with the time where it has one.
pub(super) fn date(text: &str, language: Language, zone: &TimeZone) -> String {
    if let Ok(at) = text.parse::<Timestamp>() {
        return instant(at, language, zone);
    }
    let day = text.split('T').next().unwrap_or_default();
    let mut numbers = day.split('-').map(|part| part.parse::<u16>().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten()) {
        (Some(year), Some(month), Some(day)) => match language {
            Language::Japanese => format!("{year}年{month}月{day}日"),
            Language::English => format!("{day} {} {year}", month_name(month)),
        },
        (Some(year), Some(month), None) => match language {
            Language::Japanese => format!("{year}年{month}月"),
            Language::English => format!("{} {year}", month_name(month)),
        },
        (Some(year), None, None) if day.len() == 4 => match language {
            Language::Japanese => format!("{year}年"),
            Language::English => year.to_string(),
        },
        // Not a date but words, such as 「乳児期」.
        _ => text.to_owned(),
    }
}

/// An instant as people write it.
pub(super) fn instant(at: Timestamp, language: Language, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    let time = format!("{}:{:02}", at.hour(), at.minute());
    match language {
        Language::Japanese => format!("{}年{}月{}日 {time}", at.year(), at.month(), at.day()),
        Language::English => {
            let month = month_name(u16::try_from(at.month()).unwrap_or(0));
            format!("{} {month} {} {time}", at.day(), at.year())
        }
    }
}

fn month_name(month: u16) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    usize::from(month).checked_sub(1).and_then(|at| NAMES.get(at)).copied().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_people_write_them() {
        let zone = TimeZone::get("Asia/Tokyo").expect("a zone");
        for (text, japanese, english) in [
            ("2026", "2026年", "2026"),
            ("2026-09", "2026年9月", "Sep 2026"),
            ("2026-09-24", "2026年9月24日", "24 Sep 2026"),
            ("2026-09-24T10:05:00+09:00", "2026年9月24日 10:05", "24 Sep 2026 10:05"),
            ("2026-09-24T23:05:00Z", "2026年9月25日 8:05", "25 Sep 2026 8:05"),
            ("乳児期", "乳児期", "乳児期"),
            ("", "", ""),
            ("2026-13-01", "2026年13月1日", "1 ? 2026"),
        ] {
            assert_eq!(date(text, Language::Japanese, &zone), japanese, "{text}");
            assert_eq!(date(text, Language::English, &zone), english, "{text}");
        }
    }

    #[test]
    fn types_have_names_without_jargon() {
        assert_eq!(kind("Immunization", Language::English), "Vaccinations");
        assert_eq!(kind("Immunization", Language::Japanese), "予防接種");
        assert_eq!(kind("Basic", Language::Japanese), "Basic");
    }
}
