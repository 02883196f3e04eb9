//! What a field becomes.

use super::*;

fn text(json: &Json, path: &[&str]) -> String {
    let mut at = json;
    for step in path {
        at = match step.parse::<usize>() {
            Ok(index) => &at.items()[index],
            Err(_) => at.get(step).unwrap_or_else(|| panic!("no {step} of {path:?} in {json}")),
        };
    }
    at.as_str().or_else(|| at.as_number()).map_or_else(|| at.to_string(), str::to_owned)
}

fn contained<'a>(resource: &'a Json, id: &str) -> Option<&'a Json> {
    resource.list("contained").iter().find(|inner| inner.str("id") == Some(id))
}

#[test]
fn a_drug_taken_by_the_day() {
    let parsed = notebook(
        "15,薬師　四郎,,1\r\n51,見本医院,13,1,1234566,1\r\n55,医師　太郎,小児科,1\r\n\
         201,01,ムコダイン錠２５０ｍｇ,62.50,錠,6,103835401,1,カルボシステイン錠,2,2233002F1ZZZ\r\n281,1,粉砕可,1\r\n\
         301,1,１日３回毎食後,5,日分,1,2,1013044400000000,1\r\n311,1,うがい後,1\r\n391,1,飲みきること,1\r\n401,冷暗所,1\r\n",
    );
    assert_eq!(codes(&parsed), []);
    let drug = first(&parsed);
    for (path, expected) in [
        (&["status"][..], "completed"),
        (&["meta", "profile", "0"], "http://jpfhir.jp/fhir/core/StructureDefinition/JP_MedicationStatement"),
        (&["medicationCodeableConcept", "text"], "ムコダイン錠２５０ｍｇ"),
        (&["medicationCodeableConcept", "coding", "0", "system"], "http://medis.or.jp/CodeSystem/master-HOT9"),
        (&["medicationCodeableConcept", "coding", "1", "code"], "2233002F1ZZZ"),
        (&["medicationCodeableConcept", "coding", "1", "display"], "カルボシステイン錠"),
        (&["subject", "reference"], SUBJECT),
        (&["effectivePeriod"], r#"{"start":"2024-04-01","end":"2024-04-05"}"#),
        (&["dateAsserted"], "2024-04-01"),
        (&["informationSource", "reference"], "#pharmacy"),
        (&["identifier", "0", "value"], "1"),
        (&["identifier", "1", "value"], "1"),
        (&["dosage", "0", "text"], "１日３回毎食後"),
        (&["dosage", "0", "patientInstruction"], "うがい後"),
        (&["dosage", "0", "timing", "code", "coding", "0", "code"], "1013044400000000"),
        (&["dosage", "0", "doseAndRate", "0", "rateRatio", "numerator", "value"], "62.50"),
        (&["dosage", "0", "doseAndRate", "0", "rateRatio", "numerator", "code"], "TAB"),
        (&["dosage", "0", "doseAndRate", "0", "rateRatio", "denominator", "code"], "d"),
        (&["note", "0", "text"], "薬品補足: 粉砕可"),
        (&["note", "1", "text"], "処方服用注意: 飲みきること"),
        (&["note", "2", "text"], "服用注意: 冷暗所"),
    ] {
        assert_eq!(text(drug, path), expected, "{path:?}");
    }
    let dispense = contained(drug, "dispense").expect("the dispensing");
    assert_eq!(text(dispense, &["daysSupply", "value"]), "5");
    assert_eq!(text(dispense, &["performer", "1", "actor", "display"]), "薬師　四郎");
    let pharmacy = contained(drug, "pharmacy").expect("the pharmacy");
    assert_eq!(text(pharmacy, &["identifier", "0", "value"]), "1341234566");
    let prescriber = contained(drug, "prescriber").expect("the prescriber");
    assert_eq!(text(prescriber, &["specialty", "0", "text"]), "小児科");
    assert_eq!(text(prescriber, &["organization", "reference"]), "#clinic");
}

#[test]
fn the_form_tells_what_the_dose_counts() {
    // form, quantity → dose per day, per time, in all; end of the period; days; text
    for (form, quantity, day, time, total, end, kept) in [
        ("1", "14", true, false, false, Some("2024-04-14"), None),
        ("6", "1", true, false, false, Some("2024-04-01"), None),
        ("7", "0", true, false, false, None, Some("調剤数量: 0日分")),
        ("3", "10", false, true, false, None, Some("調剤数量: 10日分")),
        ("2", "1", false, false, true, None, None),
        ("4", "1", false, false, true, None, None),
        ("5", "1", false, false, true, None, None),
        ("9", "2", false, false, true, None, Some("調剤数量: 2日分")),
        ("10", "1", false, false, true, None, None),
    ] {
        let parsed = notebook(&format!("201,1,薬,3,錠,1,,1\n301,1,用法,{quantity},日分,{form},1,,1\n"));
        let drug = first(&parsed);
        let rate = &drug.list("dosage")[0].list("doseAndRate").first().cloned().unwrap_or_else(Json::null);
        assert_eq!(rate.get("rateRatio").is_some(), day, "{form}");
        assert_eq!(rate.get("doseQuantity").is_some(), time, "{form}");
        assert_eq!(drug.list("dosage")[0].get("asNeededBoolean").is_some(), time, "{form}");
        let dispense = contained(drug, "dispense").expect("the dispensing");
        assert_eq!(dispense.get("quantity").is_some(), total, "{form}");
        assert_eq!(drug.at(&["effectivePeriod", "end"]).and_then(Json::as_str), end, "{form}");
        assert_eq!(drug.list("note").first().and_then(|note| note.str("text")), kept, "{form}");
    }
}

#[test]
fn a_prescription_runs_to_its_last_day() {
    let on = |year, month, day| {
        let text = "JAHISTC08,1\n1,見本　花子,2,R020510\n5,20240401,1\n11,架空薬局,,,,,,,1\n\
                    201,1,薬,3,錠,1,,1\n301,1,用法,5,日分,1,1,,1\n";
        let part = Part { name: None, bytes: text.as_bytes() };
        parse(&Input { parts: &[part], today: Date::constant(year, month, day) })
    };
    assert_eq!(first(&on(2024, 4, 5)).str("status"), Some("active"));
    assert_eq!(first(&on(2024, 4, 6)).str("status"), Some("completed"));
    let (before, after) = (on(2024, 4, 5), on(2024, 4, 6));
    let (before, after) = (drafts(&before)[0], drafts(&after)[0]);
    assert_eq!(before.key, after.key);
    assert_eq!(before.incidental, ["status"]);
}

#[test]
fn each_drug_has_its_own_doctor_and_notes() {
    let parsed = notebook(
        "51,甲医院,13,1,1234566,1\n55,一郎,内科,1\n201,1,薬一,1,錠,1,,1\n291,1,注意一,1\n201,1,薬二,1,錠,1,,1\n\
         301,1,用法,5,日分,1,1,,1\n55,二郎,皮膚科,1\n301,2,塗布,1,調剤,5,1,,1\n201,2,薬三,5,g,1,,1\n281,2,補足三,1\n\
         51,乙医院,13,1,1234566,1\n201,3,薬四,1,錠,1,,1\n301,3,用法,5,日分,1,1,,1\n",
    );
    assert_eq!(codes(&parsed), []);
    let found: Vec<(String, String, String, Vec<String>)> = drafts(&parsed)
        .into_iter()
        .map(|draft| {
            let drug = &draft.resource;
            let prescriber = contained(drug, "prescriber");
            (
                text(drug, &["medicationCodeableConcept", "text"]),
                contained(drug, "clinic").map(|clinic| text(clinic, &["name"])).unwrap_or_default(),
                prescriber.map(|role| text(role, &["practitioner", "display"])).unwrap_or_default(),
                drug.list("note").iter().map(|note| text(note, &["text"])).collect(),
            )
        })
        .collect();
    let row = |drug: &str, clinic: &str, doctor: &str, notes: &[&str]| {
        (drug.into(), clinic.into(), doctor.into(), notes.iter().map(|&note| note.into()).collect::<Vec<String>>())
    };
    assert_eq!(
        found,
        [
            row("薬一", "甲医院", "一郎", &["薬品服用注意: 注意一"]),
            row("薬二", "甲医院", "一郎", &[]),
            row("薬三", "甲医院", "二郎", &["薬品補足: 補足三"]),
            row("薬四", "乙医院", "", &[]),
        ]
    );
}

#[test]
fn what_the_patient_noted() {
    let parsed =
        one("JAHISTC08,2\n1,見本　花子,2,20200510\n2,1,卵,2\n2,2,発疹,1\n2,3,けいれん,2\n2,1,なし,1\n2,9,左利き,2\n\
         3,かぜ薬,20240310,20240313,2,1,4900000000009\n31,1,アセトアミノフェン,1,,2\n3,胃薬,,,2,2,4900000000008\n\
         31,7,謎,1,,2\n4,メモ,20240401,2\n601,熱が下がった,20240402\n701,四郎,薬局,03,20230401,,1\n");
    assert_eq!(told(&parsed), "AllergyIntolerance 2, Condition 1, MedicationStatement 2");
    assert_eq!(
        codes(&parsed),
        [
            (6, "none-stated"),
            (7, "kept-in-file"),
            (10, "code-length"),
            (11, "otc-missing"),
            (12, "kept-in-file"),
            (13, "kept-in-file"),
            (14, "kept-in-file"),
        ]
    );
    let drafts = drafts(&parsed);
    assert_eq!(drafts[0].resource.str("type"), Some("allergy"));
    assert_eq!(text(&drafts[0].resource, &["asserter", "reference"]), SUBJECT);
    assert_eq!((drafts[1].resource.str("type"), drafts[1].resource.get("asserter")), (None, None));
    let otc = &drafts[3].resource;
    assert_eq!(text(otc, &["effectivePeriod"]), r#"{"start":"2024-03-10","end":"2024-03-13"}"#);
    assert_eq!(text(otc, &["informationSource", "reference"]), SUBJECT);
    assert_eq!(text(otc, &["note", "0", "text"]), "成分: アセトアミノフェン");
    assert_eq!(text(otc, &["medicationCodeableConcept", "coding", "0", "code"]), "4900000000009");
    assert_eq!((otc.str("status"), drafts[4].resource.str("status")), (Some("completed"), Some("unknown")));
    assert!(drafts[4].resource.at(&["medicationCodeableConcept", "coding"]).is_none());
}

#[test]
fn the_same_line_twice_is_one_record_and_a_different_one_another() {
    let parsed = notebook(
        "201,1,薬,1,錠,1,,1\n301,1,朝,5,日分,1,1,,1\n5,20240401,1\n11,架空薬局,13,4,1234566,,,,1\n\
         201,1,薬,1,錠,1,,1\n301,1,朝,5,日分,1,1,,1\n5,20240401,1\n11,架空薬局,13,4,1234566,,,,1\n\
         201,1,薬,1,錠,1,,1\n301,1,夜,5,日分,1,1,,1\n",
    );
    assert_eq!(codes(&parsed), [(9, "repeated-line")]);
    let keys: Vec<&str> = drafts(&parsed).iter().map(|draft| draft.key.as_str()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}
