//! Whole files.

use techo_profiles::json::Json;

use super::IMPORTER;
use super::history::beside;
use crate::import::Parsed;
use crate::import::draft::Action;
use crate::import::fixture::{
    broken, content, counts, drafts, hold_together, issues, of_type, own, parse, parse_lines, shared,
};

const HEADER: &str = "自治体コード,宛名番号,氏名,生年月日,ワクチン名,接種日,接種区分,回数,接種場所,実施機関コード,法定区分,ロット番号,メーカー,製品名,接種量,接種部位,状態";

/// A row of the child of these tests, given from ワクチン名 on.
fn row(rest: &str) -> String {
    format!("131016,0000012345,見本　花子,2020-05-10,{rest}")
}

fn rows(rests: &[&str]) -> Parsed {
    let rows: Vec<String> = rests.iter().map(|rest| row(rest)).collect();
    let parsed = parse_lines(&IMPORTER, HEADER, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    hold_together(&parsed);
    parsed
}

/// Status, vaccine, day, series and number of every dose.
fn doses(parsed: &Parsed) -> Vec<String> {
    let told = |it: &&Json| {
        let protocol = it.list("protocolApplied").first();
        let vaccine = it.get("vaccineCode").map(|it| it.list("coding"));
        let local =
            vaccine.into_iter().flatten().find(|it| it.str("system").is_some_and(|it| it.ends_with("jp-vaccine")));
        [
            it.str("status"),
            local.and_then(|it| it.str("code")),
            it.str("occurrenceDateTime").or_else(|| it.str("occurrenceString")),
            protocol.and_then(|it| it.str("series")),
            protocol.and_then(|it| it.get("doseNumberPositiveInt")?.as_number()),
        ]
        .map(|part| part.unwrap_or("-"))
        .join(" ")
    };
    of_type(parsed, "Immunization").iter().map(told).collect()
}

#[test]
fn our_own_samples_are_read_whole_and_keep_the_schedule() {
    for (name, expected) in [
        ("immunizations-sjis.csv", "Immunization 25, Location 2, Organization 1"),
        ("immunizations.json", "Immunization 10, Location 1, Organization 1"),
    ] {
        let parsed = parse(&IMPORTER, &own(name));
        assert_eq!(issues(&parsed), [""; 0], "{name}");
        assert_eq!(counts(&parsed), expected, "{name}");
        hold_together(&parsed);
    }
}

#[test]
fn a_dose_is_told_in_full() {
    let parsed = rows(&[
        "小児用肺炎球菌（13価）,2020-07-13,1期初回1回目,1,見本小児科医院,1319999998,定期,ＤＸ５６７８,架空製薬,プレベナー13,0.50,右上腕,",
    ]);
    assert_eq!(issues(&parsed), [""; 0]);
    let [dose] = of_type(&parsed, "Immunization")[..] else { panic!("one dose") };
    let expected = r##"{"resourceType":"Immunization","meta":{"source":"https://techo.example/fhir/Source/municipal-immunization/13101","profile":["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Immunization"]},"contained":[{"resourceType":"Organization","id":"manufacturer","name":"架空製薬"}],"identifier":[{"system":"https://techo.example/fhir/Id/municipal-immunization","value":"13101|0000012345|PCV|2020-07-13|1期初回|1"},{"system":"https://techo.example/fhir/Id/immunization-event","value":"PCV|2020-07-13"}],"status":"completed","vaccineCode":{"coding":[{"system":"https://techo.example/fhir/CodeSystem/jp-vaccine","code":"PCV","display":"小児用肺炎球菌"},{"system":"http://hl7.org/fhir/sid/cvx","code":"133"}],"text":"小児用肺炎球菌（13価）"},"patient":{"reference":"urn:techo:subject"},"occurrenceDateTime":"2020-07-13","primarySource":true,"location":{"reference":"urn:techo:draft:municipal-location|13101\\\|1319999998\\\|見本小児科医院"},"manufacturer":{"reference":"#manufacturer"},"lotNumber":"ＤＸ５６７８","site":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActSite","code":"RA","display":"right arm"}],"text":"右上腕"},"doseQuantity":{"value":0.50,"unit":"mL","system":"http://unitsofmeasure.org","code":"mL"},"performer":[{"function":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0443","code":"AP","display":"Administering Provider"}]},"actor":{"reference":"urn:techo:draft:municipal-organization|13101\\\|1319999998\\\|見本小児科医院"}}],"note":[{"text":"製品名: プレベナー13"}],"programEligibility":[{"coding":[{"system":"https://techo.example/fhir/CodeSystem/immunization-program","code":"routine","display":"定期接種"}],"text":"定期接種"}],"protocolApplied":[{"series":"1期初回","targetDisease":[{"coding":[{"system":"http://medis.or.jp/CodeSystem/master-disease-exCode","code":"VQH3","display":"肺炎球菌感染症"}],"text":"肺炎球菌感染症"}],"doseNumberPositiveInt":1}]}"##
        .replace(r"\\\|", r"\\|");
    assert_eq!(dose.to_string(), expected);
}

#[test]
fn the_category_has_three_meanings() {
    for (category, number, program, expected, remark) in [
        ("1期初回1回目", "1", "定期", "JE 2023-05-22 1期初回 1", false),
        ("追加", "", "定期", "JE 2023-05-22 1期追加 3", false),
        ("第2期", "4", "定期", "JE 2023-05-22 2期 1", false),
        ("定期", "1", "", "JE 2023-05-22 - 1", false),
        ("1", "", "定期", "JE 2023-05-22 - 1", false),
        ("1", "", "", "JE 2023-05-22 - -", false),
        ("個別", "", "定期", "JE 2023-05-22 - -", true),
        ("謎", "", "定期", "JE 2023-05-22 - -", true),
    ] {
        let parsed = rows(&[&format!("日本脳炎,2023-05-22,{category},{number},,,{program},,,,,,")]);
        assert_eq!(doses(&parsed), [format!("completed {expected}")], "{category}");
        let [dose] = of_type(&parsed, "Immunization")[..] else { panic!("one dose") };
        assert_eq!(dose.get("note").is_some(), remark, "{category}");
        assert!(dose.get("programEligibility").is_some(), "{category}");
    }
}

#[test]
fn the_table_of_bad_rows() {
    for (rest, expected) in [
        ("Hib,2020-05-09,1回目,1,,,定期,,,,,,", vec!["2 接種日 !date-before-birth"]),
        ("Hib,2026-11-23,1回目,1,,,定期,,,,,,", vec!["2 接種日 !date-future"]),
        ("Hib,2021-02-30,1回目,1,,,定期,,,,,,", vec!["2 接種日 !date-impossible"]),
        ("Hib,,1回目,1,,,定期,,,,,,", vec!["2 接種日 !date-missing"]),
        (",2020-08-10,1回目,1,,,定期,,,,,,", vec!["2 ワクチン名 !vaccine-missing"]),
        ("宇宙かぜ,2020-08-10,1回目,1,,,定期,,,,,,", vec!["2 ワクチン名 unmapped"]),
        ("Hib,2020-08-10,謎,,,,定期,,,,,,", vec!["2 接種区分 category-unparsable"]),
        ("Hib,2020-08-10,1回目,1,,,他,,,,,,", vec!["2 法定区分 program-unknown"]),
        ("Hib,2020-08-10,1回目,1,,12,定期,,,,,,", vec!["2 実施機関コード facility-code"]),
        ("Hib,2020-08-10,1回目,x,,,定期,,,,,,", vec!["2 回数 not-a-number"]),
        ("Hib,2020-08-10,1回目,1,,,定期,,,,50,,", vec!["2 接種量 !out-of-range"]),
        ("Hib,2020-08-10,1回目,1,,,定期,,,,少し,,", vec!["2 接種量 !not-a-number"]),
        ("Hib,2020-08-10,1回目,1,,,定期,123456789012345678901,,,,,", vec!["2 ロット番号 lot-too-long"]),
        ("Hib,2020-08-10,1回目,1,,,定期,,,,,,未定", vec!["2 状態 !state-unknown"]),
        ("Hib,2020-08,1回目,1,,,定期,,,,,,", vec!["2 接種日 date-partial"]),
        ("Hib,不明,1回目,1,,,定期,,,,,,", vec!["2 接種日 date-unknown"]),
        ("ＢＣＧ,2021-08-01,1回目,1,,,定期,,,,,,", vec!["2 接種日 window"]),
    ] {
        let parsed = rows(&[rest]);
        assert_eq!(issues(&parsed), expected, "{rest}");
    }
}

#[test]
fn the_same_dose_twice_and_two_lots_on_one_day() {
    let spelled =
        ["不活性ポリオ,2020-08-13,1回目,1,,,定期,IP001,,,,,", "不活化ポリオ,2020-08-13,1回目,1,,,定期,ＩＰ００１,,,,,"];
    let parsed = rows(&spelled);
    assert_eq!(doses(&parsed), ["completed IPV 2020-08-13 - 1"]);
    assert_eq!(issues(&parsed), ["3 - duplicate-row"], "the lots are written in two ways");
    let parsed = rows(&[spelled[0], spelled[0]]);
    assert_eq!(issues(&parsed), ["3 - i duplicate"]);
    let lots = ["Hib,2020-08-10,1回目,1,,,定期,A1,,,,,", "Hib,2020-08-10,1回目,1,,,定期,B2,,,,,"];
    let parsed = rows(&lots);
    assert_eq!(issues(&parsed), ["3 - same-day-other-lot"]);
    let keys = |parsed: &Parsed| {
        let mut keys: Vec<_> = content(parsed);
        keys.sort();
        keys
    };
    assert_eq!(keys(&parsed).len(), 2);
    assert_eq!(keys(&rows(&[lots[1], lots[0]])), keys(&parsed), "their order in the file does not matter");
}

#[test]
fn what_is_taken_back_is_an_error_and_never_a_dose() {
    let dose = "四種混合,2020-10-05,1期初回3回目,3,見本小児科医院,,定期,4K02A,,,0.5,左上腕,";
    let cancelled = format!("{dose}取消");
    // Of an earlier file: a draft that withdraws, under the key of that file's dose.
    let first = rows(&[dose]);
    let withdrawal = rows(&[&cancelled]);
    let [draft] = drafts(&withdrawal)[..] else { panic!("one draft") };
    assert_eq!(draft.action, Action::Withdraw);
    assert_eq!(draft.resource.str("status"), Some("entered-in-error"));
    assert!(drafts(&first).iter().any(|it| it.key == draft.key && it.action == Action::Put));
    // Of the same file.
    let parsed = rows(&[dose, &cancelled]);
    assert_eq!(doses(&parsed), ["entered-in-error DPTIPV 2020-10-05 1期初回 3"]);
    assert!(drafts(&parsed).iter().all(|it| it.action == Action::Put));
    // Taken back without its label, and given again.
    let parsed = rows(&[dose, "四種混合,2020-10-05,,,,,,,,,,,取消"]);
    assert_eq!(doses(&parsed), ["entered-in-error DPTIPV 2020-10-05 1期初回 3"]);
    let parsed = rows(&[dose, &cancelled, dose]);
    assert_eq!(doses(&parsed), ["completed DPTIPV 2020-10-05 1期初回 3"]);
}

#[test]
fn what_was_put_off_is_not_done_for_a_reason() {
    let parsed = rows(&["四種混合,2020-09-28,見合わせ,,見本小児科医院,,定期,,,,0.5,左上腕,見合わせ"]);
    assert_eq!(issues(&parsed), [""; 0]);
    let [dose] = of_type(&parsed, "Immunization")[..] else { panic!("one") };
    assert_eq!(dose.str("status"), Some("not-done"));
    assert_eq!(dose.at(&["statusReason", "text"]).and_then(Json::as_str), Some("見合わせ"));
    for absent in ["site", "route", "doseQuantity", "protocolApplied"] {
        assert!(dose.get(absent).is_none(), "{absent}");
    }
    assert_eq!(doses(&rows(&["四種混合,2020-09-28,見合わせ,,,,,,,,,,"])), ["not-done DPTIPV 2020-09-28 - -"]);
}

#[test]
fn products_routes_and_sites() {
    let told = |rest: &str, member: &str| {
        let parsed = rows(&[rest]);
        of_type(&parsed, "Immunization").first().and_then(|it| it.get(member)).map(Json::to_string).unwrap_or_default()
    };
    assert!(
        told("Hib,2020-08-10,1回目,1,,,定期,,,182099801,,,", "vaccineCode")
            .contains(r#"master-HOT9","code":"182099801""#)
    );
    assert!(
        told("Hib,2020-08-10,1回目,1,,,定期,,,6311401D1030,,,", "vaccineCode")
            .contains(r#"YJ-code","code":"6311401D1030""#)
    );
    assert!(told("ロタ1価,2020-08-10,1回目,1,,,定期,,,,1.5,経口,", "route").contains("PO"));
    assert_eq!(told("ロタ1価,2020-08-10,1回目,1,,,定期,,,,1.5,経口,", "site"), "");
    assert_eq!(told("BCG,2020-10-10,1回目,1,,,定期,,,,,左上腕,", "route"), r#"{"text":"経皮"}"#);
    assert_eq!(told("Hib,2020-08-10,1回目,1,,,定期,,,,0.5,大腿,", "site"), r#"{"text":"大腿"}"#);
    assert_eq!(told("Hib,2020-08-10,1回目,1,,,定期,,,,0.5,,", "location"), "", "no place, no Location");
}

#[test]
fn an_individual_number_is_stored_nowhere() {
    let number = "１２３４-５６７８-９０１８";
    let parsed = rows(&[&format!(
        "宇宙かぜ{number},2020-08-10,{number},1,医院{number},,定期,{number},{number},{number},,{number},"
    )]);
    let all = format!("{parsed:?}");
    assert!(!all.contains("１２３４") && !all.contains("1234-5678"), "{all}");
    assert!(issues(&parsed).iter().filter(|it| it.ends_with(" my-number")).count() >= 7, "{:?}", issues(&parsed));
}

#[test]
fn the_same_content_in_any_form_is_the_same() {
    let sjis = own("immunizations-sjis.csv");
    let expected = content(&parse(&IMPORTER, &sjis));
    let (text, ..) = encoding_rs::SHIFT_JIS.decode(&sjis);
    assert_eq!(content(&parse(&IMPORTER, text.as_bytes())), expected);
    assert_eq!(content(&parse(&IMPORTER, text.replace("\r\n", "\n").as_bytes())), expected);
    let shuffled = {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        lines.join("\n")
    };
    let mut again = content(&parse(&IMPORTER, shuffled.as_bytes()));
    let mut sorted = expected.clone();
    again.sort();
    sorted.sort();
    assert_eq!(again, sorted);
}

#[test]
fn nothing_breaks_whatever_is_broken() {
    for name in ["immunizations-sjis.csv", "immunizations.json"] {
        broken(&own(name), |bytes| {
            (IMPORTER.detects)(&crate::import::Part { name: None, bytes });
            hold_together(&parse(&IMPORTER, bytes));
        });
    }
}

#[test]
fn doses_of_an_earlier_file_count_for_the_schedule() {
    let first = "Hib,2020-08-10,1期初回1回目,1,,,定期,A1,,,,,";
    let second = "Hib,2020-08-17,1期初回2回目,2,,,定期,A2,,,,,";
    let (earlier, later) = (rows(&[first]), rows(&[second]));
    assert_eq!(issues(&later), [""; 0], "the file alone cannot know");
    let stored = of_type(&earlier, "Immunization");
    let told = |person, stored: &[&Json]| -> Vec<_> {
        beside(person, stored).into_iter().map(|issue| (issue.at.line, issue.code)).collect()
    };
    assert_eq!(told(&later.people[0], &stored), [(2, "interval")]);
    // What the file says itself is not said again, nor is a dose its own neighbour.
    let both = rows(&[first, second]);
    assert_eq!(issues(&both), ["3 接種日 interval"]);
    assert_eq!(told(&both.people[0], &stored), []);
    assert_eq!(told(&later.people[0], &of_type(&later, "Immunization")), []);
}

#[test]
fn each_format_knows_its_own_files() {
    for (name, format) in [
        ("immunizations-sjis.csv", "immunization"),
        ("immunizations.json", "immunization"),
        ("infant-checkups.csv", "checkup"),
    ] {
        let bytes = own(name);
        let found = crate::import::detect::detect(&crate::import::Part { name: None, bytes: &bytes });
        assert_eq!(found.map(|importer| importer.name), Some(format), "{name}");
    }
}

#[test]
fn the_good_files_beside_the_repository_agree() {
    let Some(plain) = shared("immunizations.csv") else { return };
    let parsed = parse(&IMPORTER, &plain);
    assert_eq!(issues(&parsed), [""; 0]);
    assert_eq!(counts(&parsed), "Immunization 25, Location 2, Organization 2");
    hold_together(&parsed);
    for name in ["immunizations-sjis.csv", "immunizations.json"] {
        let Some(bytes) = shared(name) else { return };
        let other = parse(&IMPORTER, &bytes);
        assert_eq!(issues(&other), [""; 0], "{name}");
        assert_eq!(content(&other), content(&parsed), "{name}");
    }
}

#[test]
fn the_bad_file_beside_the_repository_is_explained_line_by_line() {
    let Some(bad) = shared("immunizations-bad.csv") else { return };
    let parsed = parse(&IMPORTER, &bad);
    assert_eq!(
        issues(&parsed),
        [
            "2 接種日 window",
            "3 - i duplicate",
            "4 ワクチン名 unmapped",
            "5 接種日 !date-before-birth",
            "7 接種日 window",
            "9 接種日 interval",
            "11 接種日 !date-missing",
            "12 接種日 date-partial",
            "14 接種日 !date-impossible",
            "15 接種日 !date-future",
        ]
    );
    assert_eq!(
        doses(&parsed),
        [
            "completed IPV 2020-07-13 1期初回 1",
            "completed OTHER 2020-07-13 - 1",
            "completed HIB 2020-07-20 1期初回 2",
            "completed BCG 2021-08-01 - 1",
            "completed VAR 2021-05-31 - 1",
            "completed MR 2021-06-10 1期 1",
            "completed JE 2023-05-22 - 1",
            "completed MUMPS 2021-06 - 1",
            "entered-in-error DPTIPV 2020-10-05 1期初回 3",
            "not-done DPTIPV 2020-09-28 - -",
        ]
    );
    // What it takes back is a dose of the good file.
    let Some(good) = shared("immunizations.csv") else { return };
    let good = parse(&IMPORTER, &good);
    let taken_back: Vec<_> = drafts(&parsed).into_iter().filter(|it| it.action == Action::Withdraw).collect();
    assert_eq!(taken_back.len(), 1);
    assert!(drafts(&good).iter().any(|it| it.key == taken_back[0].key));
}

#[test]
fn the_two_files_beside_the_repository_together() {
    let (Some(good), Some(bad)) = (shared("immunizations.csv"), shared("immunizations-bad.csv")) else { return };
    let (good, bad) = (parse(&IMPORTER, &good), parse(&IMPORTER, &bad));
    let told: Vec<_> = beside(&bad.people[0], &of_type(&good, "Immunization"))
        .into_iter()
        .map(|issue| (issue.at.line, issue.code))
        .collect();
    // Line 6 is the dose that its remark says comes seven days after another.
    assert!(told.contains(&(6, "interval")), "{told:?}");
}

/// Each row was compared with all others of the same child: a file of nothing else kept the
/// server for minutes.
#[test]
fn one_child_has_a_few_hundred_rows_at_most() {
    let rests: Vec<String> =
        (0..502).map(|lot| format!("Ｂ型肝炎,2020-08-01,1回目,1,医院,1019999996,定期,L{lot},,,,,")).collect();
    let parsed = rows(&rests.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(of_type(&parsed, "Immunization").len(), 500);
    let left_out = issues(&parsed).iter().filter(|issue| issue.contains("too-many-rows")).count();
    assert_eq!(left_out, 2);
}
