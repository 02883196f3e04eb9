//! Whole files.

use techo_profiles::json::Json;

use super::IMPORTER;
use crate::import::draft::{Identity, Sex};
use crate::import::fixture::{
    broken, content, counts, drafts, hold_together, issues, of_type, own, parse, parse_lines, shared,
};

const HEADER: &str = "自治体コード,宛名番号,氏名,カナ氏名,生年月日,性別,健診種別,診査日,診査場所,身長,体重,胸囲,頭囲,カウプ指数,生歯数,虫歯数,尿蛋白,尿糖,尿潜血,尿白血球,股関節所見,備考";

/// A row of the child of these tests, given from 健診種別 on.
fn row(rest: &str) -> String {
    format!("131016,0000012345,見本　花子,ミホン　ハナコ,2020-05-10,2,{rest}")
}

fn observation<'a>(parsed: &'a crate::import::Parsed, code: &str) -> Vec<&'a Json> {
    let has =
        |it: &&Json| it.at(&["code"]).is_some_and(|it| it.list("coding").iter().any(|it| it.str("code") == Some(code)));
    of_type(parsed, "Observation").into_iter().filter(has).collect()
}

#[test]
fn our_own_sample_is_read_whole() {
    let parsed = parse(&IMPORTER, &own("infant-checkups.csv"));
    assert_eq!(issues(&parsed), [""; 0]);
    assert_eq!(counts(&parsed), "DiagnosticReport 8, Encounter 8, Location 5, Observation 41, Organization 3");
    hold_together(&parsed);
    let [taro, mei] = parsed.people.as_slice() else { panic!("two children") };
    assert_eq!(taro.person.identity, Identity::Resident { municipality: "10101".into(), number: "0000077001".into() });
    assert_eq!((taro.person.sex, mei.person.sex), (Some(Sex::Male), Some(Sex::Female)));
    assert_eq!(mei.person.name.as_deref(), Some("山田　芽衣"));
}

#[test]
fn an_observation_says_what_it_is_in_every_code() {
    let line = row("３～４か月児健康診査,2020-09-03,見本小児科医院,61.20,6.15,40.8,40.1,,,,,,,,,");
    let parsed = parse_lines(&IMPORTER, HEADER, &[&line]);
    assert_eq!(issues(&parsed), [""; 0]);
    hold_together(&parsed);
    let [height] = observation(&parsed, "8302-2")[..] else { panic!("one height") };
    assert_eq!(
        height.at(&["valueQuantity"]).map(Json::to_string).as_deref(),
        Some(r#"{"value":61.20,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}"#)
    );
    let codes: Vec<_> = height.at(&["code"]).expect("code").list("coding").iter().map(|it| it.str("code")).collect();
    assert_eq!(codes, [Some("31000298"), Some("9N001000000000001"), Some("8302-2"), Some("height")]);
    let categories: Vec<_> = height.list("category").iter().map(|it| it.list("coding")[0].str("code")).collect();
    assert_eq!(categories, [Some("body-measurement"), Some("height"), Some("vital-signs")]);
    assert_eq!(height.str("effectiveDateTime"), Some("2020-09-03"));
    assert_eq!(height.list("performer").len(), 1);
    let [kaup] = observation(&parsed, "kaup-index")[..] else { panic!("one Kaup index") };
    assert_eq!(kaup.at(&["valueQuantity", "value"]).and_then(Json::as_number), Some("16.4"));
    assert_eq!(kaup.list("derivedFrom").len(), 2);
    assert_eq!(kaup.list("note").len(), 1);
}

#[test]
fn a_key_tells_town_child_kind_day_and_item() {
    let line = row("m03,2020-09-03,,61.2,,,,,,,,,,,,");
    let parsed = parse_lines(&IMPORTER, HEADER, &[&line]);
    let keys: Vec<_> = drafts(&parsed).iter().map(|draft| draft.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "municipal-checkup|13101|0000012345|m03|2020-09-03|encounter",
            "municipal-checkup|13101|0000012345|m03|2020-09-03|height",
            "municipal-checkup|13101|0000012345|m03|2020-09-03|report",
        ]
    );
    let [height] = of_type(&parsed, "Observation")[..] else { panic!("one") };
    let identifier = &height.list("identifier")[0];
    assert_eq!(identifier.str("system"), Some("https://techo.example/fhir/Id/municipal-checkup"));
    assert_eq!(identifier.str("value"), Some("13101|0000012345|m03|2020-09-03|height"));
}

#[test]
fn the_table_of_bad_rows() {
    for (rest, expected) in [
        ("m03,2020-05-09,,61.2,,,,,,,,,,,,", vec!["2 診査日 !date-before-birth"]),
        ("m03,2026-11-23,,61.2,,,,,,,,,,,,", vec!["2 診査日 !date-future"]),
        ("m03,2021-13-02,,61.2,,,,,,,,,,,,", vec!["2 診査日 !date-impossible"]),
        ("m03,,,61.2,,,,,,,,,,,,", vec!["2 診査日 !date-missing"]),
        (",2020-09-03,,61.2,,,,,,,,,,,,", vec!["2 健診種別 !kind-missing"]),
        ("謎の健診,2020-09-03,,61.2,,,,,,,,,,,,", vec!["2 健診種別 kind-unknown"]),
        ("y3,2020-09-03,,61.2,,,,,,,,,,,,", vec!["2 診査日 age-outside-window"]),
        ("m03,2020-09-03,,0.612,6.15,,,,,,,,,,,", vec!["2 身長 !out-of-range"]),
        ("m03,2020-09-03,,61.2,6150,,,16.4,,,,,,,,", vec!["2 体重 unit-inferred"]),
        ("m03,2020-09-03,,61.2,6.15,,,21.4,,,,,,,,", vec!["2 カウプ指数 kaup-mismatch"]),
        ("y1h,2021-12-02,,,,,,,21,22,,,,,,", vec!["2 生歯数 implausible", "2 虫歯数 implausible"]),
        ("y3,2023-06-08,,,,,,,,,?,,,,,", vec!["2 尿蛋白 unmapped"]),
        ("y3,2023-06-08,,,,45.0,,,,,,,,,,", vec![]),
        ("y3,2023-06-08,,未実施,測定不能,,,,,,,,,,,", vec![]),
    ] {
        let parsed = parse_lines(&IMPORTER, HEADER, &[&row(rest)]);
        assert_eq!(issues(&parsed), expected, "{rest}");
        hold_together(&parsed);
    }
}

#[test]
fn a_kaup_index_that_contradicts_stands_beside_the_computed_one() {
    let parsed = parse_lines(&IMPORTER, HEADER, &[&row("m03,2020-09-03,,61.2,6.15,,,21.4,,,,,,,,")]);
    let values: Vec<_> = observation(&parsed, "kaup-index")
        .iter()
        .map(|it| (it.at(&["valueQuantity", "value"]).and_then(Json::as_number), it.get("derivedFrom").is_some()))
        .collect();
    assert_eq!(values, [(Some("21.4"), false), (Some("16.4"), true)]);
}

#[test]
fn the_last_word_on_each_item_counts() {
    let lines = [
        row("y3,2023-06-08,,93.6,13.70,,,15.6,,1,-,,,,,"),
        row("y3,2023-06-08,,94.6,13.70,,,15.3,,,,,,,,"),
        row("y3,2023-06-08,,94.6,13.70,,,15.3,,,,,,,,"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let parsed = parse_lines(&IMPORTER, HEADER, &lines);
    assert_eq!(
        issues(&parsed),
        ["3 身長 duplicate-differs", "3 カウプ指数 duplicate-differs", "3 - duplicate-row", "4 - i duplicate",]
    );
    let values: Vec<_> = of_type(&parsed, "Observation")
        .iter()
        .filter_map(|it| it.at(&["valueQuantity", "value"])?.as_number())
        .collect();
    assert_eq!(values, ["94.6", "13.70", "15.3", "1"]);
}

#[test]
fn unknown_columns_and_remarks_are_kept_and_the_remark_of_a_test_file_is_not() {
    let header = format!("{HEADER},う蝕罹患型,行の意図,判定");
    let line = format!("{},O2,remark,所見なし", row("y1h,2021-12-02,,79.4,,,,,,,,,,,,よく眠る"));
    let parsed = parse_lines(&IMPORTER, &header, &[&line]);
    assert_eq!(issues(&parsed), [""; 0]);
    let [report] = of_type(&parsed, "DiagnosticReport")[..] else { panic!("one report") };
    assert_eq!(report.str("conclusion"), Some("所見なし"));
    let text = report.to_string();
    assert!(text.contains("う蝕罹患型") && text.contains("O2") && text.contains("よく眠る"), "{text}");
    assert!(!text.contains("remark"));
}

#[test]
fn an_individual_number_is_stored_nowhere() {
    let number = "123456789018";
    let refused =
        parse_lines(&IMPORTER, HEADER, &[&row("m03,2020-09-03,,61.2,,,,,,,,,,,,").replace("0000012345", number)]);
    assert_eq!(refused.refused.map(|it| it.code), Some("my-number"));
    // One of three keys of twelve digits: that row alone.
    let rows = ["123456789012", number, "123456789013"]
        .map(|key| row("m03,2020-09-03,,61.2,,,,,,,,,,,,").replace("0000012345", key));
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let parsed = parse_lines(&IMPORTER, HEADER, &rows);
    assert_eq!(issues(&parsed), ["3 宛名番号 !my-number"]);
    assert_eq!(parsed.people.len(), 2);
    // Anywhere else it is struck out: name, place, remark, a value, an unknown column and its name.
    let header = format!("{HEADER},番号1234 5678 9018");
    let line = format!(
        "{},１２３４５６７８９０１８",
        row(&format!("m03,2020-09-03,会館{number},{number},6.15,,,,,,,,,,,メモ{number}"))
    )
    .replace("見本　花子", &format!("見本 {number}"));
    let parsed = parse_lines(&IMPORTER, &header, &[&line]);
    let all = format!("{parsed:?}");
    assert!(
        !all.contains("123456789018") && !all.contains("１２３４５６７８９０１８") && !all.contains("1234 5678"),
        "{all}"
    );
    assert!(issues(&parsed).iter().filter(|it| it.ends_with(" my-number")).count() >= 5, "{:?}", issues(&parsed));
}

#[test]
fn a_number_in_what_is_not_used_is_told_of_as_well() {
    // The file itself must not be kept then: a row that is refused, a column that is dropped, the header.
    let good = row("m03,2020-09-03,,61.2,,,,,,,,,,,,");
    let parsed = parse_lines(&IMPORTER, HEADER, &[&good, "123456789018,1"]);
    assert_eq!(issues(&parsed), ["3 - !column-count", "3 - my-number"]);
    let header = format!("{HEADER},行の意図");
    let parsed = parse_lines(&IMPORTER, &header, &[&format!("{good},123456789018")]);
    assert_eq!(issues(&parsed), ["2 - my-number"]);
    let parsed = parse_lines(&IMPORTER, &format!("{HEADER},123456789018"), &[&format!("{good},")]);
    assert_eq!(issues(&parsed), ["1 - my-number"]);
}

#[test]
fn rows_of_one_key_with_two_birth_dates_are_all_refused() {
    let lines = [
        row("m03,2020-09-03,,61.2,,,,,,,,,,,,"),
        row("m09,2021-03-01,,70.3,,,,,,,,,,,,").replace("2020-05-10", "2020-05-11"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let parsed = parse_lines(&IMPORTER, HEADER, &lines);
    assert_eq!(issues(&parsed), ["2 生年月日 !birth-date-conflict", "3 生年月日 !birth-date-conflict"]);
    assert!(parsed.people.is_empty());
}

#[test]
fn the_same_content_in_any_encoding_is_the_same() {
    let utf8 = own("infant-checkups.csv");
    let expected = content(&parse(&IMPORTER, &utf8));
    let text = String::from_utf8(utf8.clone()).expect("UTF-8");
    let (sjis, ..) = encoding_rs::SHIFT_JIS.encode(&text);
    let bom = [b"\xEF\xBB\xBF", utf8.as_slice()].concat();
    let quoted = text.replace("例町保健センター", "\"例町保健センター\"");
    for (name, bytes) in [
        ("Shift_JIS", sjis.as_ref()),
        ("with a mark", &bom),
        ("LF", text.replace("\r\n", "\n").as_bytes()),
        ("quoted", quoted.as_bytes()),
        ("no last line end", text.trim_end().as_bytes()),
    ] {
        assert!((IMPORTER.detects)(&crate::import::Part { name: None, bytes }), "{name}");
        assert_eq!(content(&parse(&IMPORTER, bytes)), expected, "{name}");
    }
    let (utf16, ..) = encoding_rs::EUC_JP.encode(&text);
    assert_eq!(parse(&IMPORTER, &utf16).refused.map(|it| it.code), Some("header-unknown"));
}

#[test]
fn json_gives_what_csv_gives() {
    let line = row("m03,2020-09-03,架空市保健センター,61.2,6.15,40.8,40.1,16.4,,,-,,,,所見なし,よく眠る");
    let csv = parse_lines(&IMPORTER, HEADER, &[&line]);
    let json = r#"[{"municipalityCode": "131016", "residentNumber": "0000012345", "name": "見本　花子", "kana": "ミホン　ハナコ",
        "birthDate": "2020-05-10", "sex": 2, "kind": "m03", "date": "2020-09-03", "place": "架空市保健センター", "height": 61.2,
        "weight": 6.15, "chest": 40.8, "head": "40.1", "kaup": 16.4, "teeth": null, "urineProtein": "-", "hipFinding": "所見なし", "note": "よく眠る"}]"#;
    let json = parse(&IMPORTER, json.as_bytes());
    assert_eq!(content(&json), content(&csv));
    assert_eq!(json.people[0].person.sex, csv.people[0].person.sex);
}

#[test]
fn malformed_json_is_refused_with_a_pointer() {
    for (text, code, pointer) in [
        (&b"{}"[..], "schema", "as a whole"),
        (b"[{\"municipalityCode\": \"131016\"}]", "schema", "/0"),
        (
            b"[\n{\"municipalityCode\": \"131016\", \"residentNumber\": \"1\", \"kind\": \"m03\", \"height\": {}}]",
            "schema",
            "/0/height",
        ),
        (b"[{\"a\": 1, \"a\": 2}]", "not-json", "line 1"),
        (b"[{\"a\": \x82\xA0}]", "not-json", "line 1"),
        (b"[", "not-json", "line 1"),
    ] {
        let refusal = parse(&IMPORTER, text).refused.expect("refused");
        assert_eq!(refusal.code, code);
        assert!(refusal.text.en.contains(pointer), "{}", refusal.text.en);
    }
}

#[test]
fn nothing_breaks_whatever_is_broken() {
    for name in ["infant-checkups.csv", "immunizations.json"] {
        broken(&own(name), |bytes| {
            (IMPORTER.detects)(&crate::import::Part { name: None, bytes });
            hold_together(&parse(&IMPORTER, bytes));
        });
    }
}

#[test]
fn the_good_files_beside_the_repository_agree() {
    let Some(plain) = shared("infant-checkups.csv") else { return };
    let parsed = parse(&IMPORTER, &plain);
    assert_eq!(issues(&parsed), [""; 0]);
    assert_eq!(counts(&parsed), "DiagnosticReport 8, Encounter 8, Location 5, Observation 44, Organization 2");
    hold_together(&parsed);
    for name in ["infant-checkups-bom.csv", "infant-checkups-sjis.csv"] {
        let Some(bytes) = shared(name) else { return };
        assert_eq!(content(&parse(&IMPORTER, &bytes)), content(&parsed), "{name}");
    }
    let Some(json) = shared("infant-checkups.json") else { return };
    let json = parse(&IMPORTER, &json);
    assert_eq!(issues(&json), [""; 0]);
    // The JSON file holds the first child only, and writes 11.60 as 11.6.
    let csv = content(&parsed);
    for (key, resource) in content(&json) {
        let (_, same) = csv.iter().find(|(other, _)| *other == key).expect("the same key");
        let decimals = |text: &str| text.replace("11.60", "11.6").replace("13.70", "13.7");
        assert_eq!(decimals(&resource), decimals(same), "{key}");
    }
}

#[test]
fn the_bad_files_beside_the_repository_are_explained_line_by_line() {
    let Some(bad) = shared("infant-checkups-bad.csv") else { return };
    let parsed = parse(&IMPORTER, &bad);
    assert_eq!(
        issues(&parsed),
        [
            "2 体重 unit-inferred",
            "2 カウプ指数 kaup-mismatch",
            "3 身長 !out-of-range",
            "3 カウプ指数 !out-of-range",
            "4 診査日 !date-impossible",
            "5 診査日 !date-before-birth",
            "6 虫歯数 !out-of-range",
            "6 尿潜血 unmapped",
            "7 健診種別 kind-unknown",
            "8 体重 !out-of-range",
            "8 カウプ指数 !out-of-range",
            "9 - !column-count",
            "10 宛名番号 !resident-number-missing",
            "11 身長 duplicate-differs",
            "11 カウプ指数 duplicate-differs",
            "11 - duplicate-row",
        ]
    );
    hold_together(&parsed);
    let Some(bytes) = shared("infant-checkups-bad-bytes.csv") else { return };
    let parsed = parse(&IMPORTER, &bytes);
    assert_eq!(issues(&parsed), ["4 - !undecodable"]);
    assert_eq!(of_type(&parsed, "DiagnosticReport").len(), 7);
    let Some(quote) = shared("infant-checkups-unclosed-quote.csv") else { return };
    let parsed = parse(&IMPORTER, &quote);
    assert_eq!(issues(&parsed), ["4 - !quote-unclosed"]);
    assert_eq!(of_type(&parsed, "DiagnosticReport").len(), 2);
    let Some(numbers) = shared("infant-checkups-mynumber-reject.csv") else { return };
    let parsed = parse(&IMPORTER, &numbers);
    assert_eq!(parsed.refused.as_ref().map(|it| (it.code, it.at.line)), Some(("my-number", 2)));
    assert!(parsed.people.is_empty());
}
