//! What must not be believed, and what must not be lost with it.

use super::*;

#[test]
fn one_bad_group_leaves_the_others() {
    for (opening, code) in [
        ("5,20240231,1", "date-impossible"),
        ("5,20240000,1", "date-impossible"),
        ("5,20270101,1", "date-future"),
        ("5,20261123,1", "date-future"),
        ("5,S640108,1", "era-overrun"),
        ("5,H320501,1", "era-overrun"),
        ("5,R010430,1", "era-overrun"),
        ("5,,1", "field-missing"),
        ("5", "field-missing"),
    ] {
        let parsed = notebook(&format!(
            "201,1,薬,1,錠,1,,1\n301,1,朝,5,日分,1,1,,1\n{opening}\n11,架空薬局,,,,,,,1\n201,1,薬,2,錠,1,,1\n301,1,朝,5,日分,1,1,,1\n"
        ));
        assert_eq!(told(&parsed), "MedicationStatement 1", "{opening}");
        let found = codes(&parsed);
        assert!(found.contains(&(7, code)), "{opening}: {found:?}");
        for line in 8..=10 {
            assert!(found.contains(&(line, "group-rejected")), "{opening}: {found:?}");
        }
    }
    let heisei = notebook("5,H310501,1\n11,架空薬局,,,,,,,1\n201,1,薬,2,錠,1,,1\n301,1,朝,5,日分,1,1,,1\n");
    assert_eq!(told(&heisei), "MedicationStatement 1");
}

#[test]
fn an_unreadable_line_ends_its_predecessors_reach() {
    // A drug without a name, a doctor without one: what follows is not their neighbours'.
    let parsed = notebook(
        "55,一郎,内科,1\n201,1,薬一,1,錠,1,,1\n201,1,,1,錠,1,,1\n281,1,粉砕可,1\n301,1,朝,5,日分,1,1,,1\n55,,皮膚科,1\n\
         201,2,薬二,1,錠,1,,1\n301,2,朝,5,日分,1,1,,1\n",
    );
    assert_eq!(codes(&parsed), [(7, "field-missing"), (8, "drug-missing"), (10, "field-missing")]);
    let drafts = drafts(&parsed);
    assert_eq!(drafts.len(), 2);
    assert!(drafts[0].resource.list("note").is_empty());
    assert!(!drafts[1].resource.to_string().contains("一郎"));
}

#[test]
fn fields_one_by_one() {
    for (line, expected) in [
        ("201,1,薬,1,錠,1,,1,,,,,,", &[][..]),
        ("201,1,薬,1,錠,1,,1,,,,余り", &["extra-fields"]),
        ("201,１,薬,１,錠,１,,１", &["width"]),
        ("201, 1 ,薬, 1 ,錠,2, 612310013,1 ", &[]),
        ("201,1,\"薬\",1,錠,1,,1", &["quoted"]),
        ("201,1,薬,1,錠,5,,1", &["unknown-code"]),
        ("201,1,薬,1,錠,4,1149019F,1", &["code-length"]),
        ("201,1,薬,1,錠,1,1149019F1560,1", &["code-length"]),
        ("201,1,薬,2～3,錠,1,,1", &["dose-text"]),
        ("201,1,薬,1234567890123,錠,1,,1", &["too-long"]),
        ("201,1,薬\u{7},1,錠,1,,1", &["control-character"]),
        ("201,1,\u{E000}薬,1,錠,1,,1", &["private-character"]),
    ] {
        let parsed = notebook(&format!("{line}\n301,1,朝,5,日分,1,1,,1\n"));
        let mut found: Vec<&str> =
            codes(&parsed).into_iter().filter(|(at, _)| *at == 5).map(|(_, code)| code).collect();
        found.dedup();
        let found: std::collections::BTreeSet<&str> = found.into_iter().collect();
        assert_eq!(found, expected.iter().copied().collect(), "{line}");
        assert_eq!(told(&parsed), "MedicationStatement 1", "{line}");
    }
    for line in ["201,,薬,1,錠,1,,1", "201,1,,1,錠,1,,1", "201,1,薬,1,錠,,,1", "201,1,薬,1,錠,1,,", "201"] {
        let parsed = notebook(&format!("{line}\n"));
        assert!(codes(&parsed).contains(&(5, "field-missing")), "{line}");
        assert_eq!(told(&parsed), "", "{line}");
    }
}

#[test]
fn a_patients_app_may_leave_blank_what_a_provider_may_not() {
    for (made_by, expected) in [("2", "MedicationStatement 1"), ("1", "")] {
        let parsed = one(&format!(
            "JAHISTC08,{made_by}\n1,見本　花子,2,20200510\n5,20240401,2\n201,1,薬,3,錠,1,,2\n301,1,朝,,,,,,\n"
        ));
        assert_eq!(told(&parsed), expected, "{made_by}");
        if made_by == "2" {
            assert_eq!(codes(&parsed), [(4, "dose-meaning")]);
            assert_eq!(first(&parsed).at(&["informationSource", "reference"]).and_then(Json::as_str), Some(SUBJECT));
        }
    }
}

#[test]
fn without_one_patient_there_is_no_notebook() {
    for (lines, expected) in [
        ("1,見本　花子,2,20200510", None),
        ("1,見本　花子,2,20200510\n1,見本　花子,2,20200510", None),
        ("1,見本　花子,2,20200510\n1,見本　太郎,1,20200510", Some("patient-repeated")),
        ("1,見本　花子,2", Some("patient-missing")),
        ("4,メモ,,1", Some("patient-missing")),
    ] {
        assert_eq!(refused(&one(&format!("JAHISTC08,1\n{lines}\n"))), expected, "{lines}");
    }
}

#[test]
fn first_lines() {
    for (text, expected) in [
        ("", Some("not-jahis")),
        ("\nJAHISTC08,1", Some("not-jahis")),
        ("jahistc08,1", Some("not-jahis")),
        ("JAHISTC,1", Some("not-jahis")),
        ("JAHISTCX8,1", Some("not-jahis")),
        ("JAHIS9", Some("jahis-prescription")),
        ("JAHIS07,1", Some("jahis-prescription")),
        ("JAHISTC08,1", Some("patient-missing")),
        ("JAHISTC00,1", Some("patient-missing")),
    ] {
        assert_eq!(refused(&one(text)), expected, "{text:?}");
    }
    for (version, code) in
        [("JAHISTC01,1", "version-early"), ("JAHISTC09,1", "version-unknown"), ("JAHISTC08", "category-unknown")]
    {
        let parsed = one(&format!("{version}\n1,見本　花子,2,20200510\n"));
        assert_eq!(codes(&parsed), [(1, code)], "{version}");
    }
}

#[test]
fn too_large() {
    let line = "4,メモ,,1\n";
    let head = "JAHISTC08,1\n1,見本　花子,2,20200510\n";
    for (lines, expected) in [(997, None), (998, Some("too-large"))] {
        assert_eq!(refused(&one(&format!("{head}{}", line.repeat(lines)))), expected, "{lines}");
    }
    let long = format!("{head}4,{},,1\n", "あ".repeat(400_000));
    assert_eq!(refused(&one(&long)), Some("too-large"));
}

#[test]
fn an_individual_number_is_struck_out() {
    let parsed = notebook("201,1,薬 123456789018,1,錠,1,,1\n301,1,朝,5,日分,1,1,,1\n");
    assert_eq!(codes(&parsed), [(5, "my-number")]);
    assert!(!first(&parsed).to_string().contains("123456789018"));
}

/// No report may hold what the patient would not want printed.
#[test]
fn issues_hold_no_values() {
    for (name, bytes) in super::samples::every_file() {
        let parsed = parts(&[&bytes]);
        let texts = parsed.issues.iter().map(|issue| format!("{:?} {:?}", issue.column, issue.text));
        let texts = texts.chain(parsed.refused.iter().map(|refusal| format!("{:?}", refusal.text)));
        for text in texts {
            for value in ["花子", "太郎", "山田", "見本", "ムコダイン", "103835401", "卵", "1149019", "例町"]
            {
                assert!(!text.contains(value), "{name}: {text}");
            }
        }
    }
}
