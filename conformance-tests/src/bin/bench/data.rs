//! What is loaded: citizens with Observations and Consents, and a town's file.

use std::fmt::Write;

use serde_json::{Value, json};
use techo_conformance_tests::sample::{consent, patient, quantity, transaction, urn};

/// Vital signs by LOINC code and UCUM unit. Of [`observations`] two fifths are of the
/// first, so that a search by it finds a page of twenty.
pub(crate) const CODES: [(&str, &str); 5] =
    [("29463-7", "kg"), ("8302-2", "cm"), ("8867-4", "/min"), ("8310-5", "Cel"), ("9279-1", "/min")];

/// Immunizations, and as many `MedicationStatements`, of a citizen.
pub(crate) const OTHERS: u32 = 5;

/// Active Consents of each citizen.
pub(crate) const CONSENTS: u32 = 20;

/// Observation number `number` of a patient.
pub(crate) fn observation(patient: &str, number: u32) -> Value {
    let (code, unit) = CODES[[0, 0, 1, 2, 3 + number as usize / 5 % 2][number as usize % 5]];
    let (month, day) = (1 + number / 28 % 10, 1 + number % 28);
    quantity(patient, code, &format!("2026-{month:02}-{day:02}"), &format!("{}.{}", 5 + number % 90, number % 10), unit)
}

/// One transaction: a new Patient and her records.
pub(crate) fn citizen(number: u32) -> Value {
    let mut entries = vec![(urn(0), patient("試験", &format!("bench-{number}"), "2024-04-01"))];
    let records = (0..observations()).map(|one| observation("x", one)).chain((0..OTHERS).flat_map(others));
    for (one, mut resource) in (1..).zip(records) {
        let whose = if resource["resourceType"] == "Immunization" { "patient" } else { "subject" };
        resource[whose] = json!({"reference": urn(0)});
        entries.push((urn(one), resource));
    }
    transaction(&entries)
}

/// A vaccination and a medicine, named in words: no code is made up.
fn others(number: u32) -> [Value; 2] {
    let day = format!("2026-0{}-15", 1 + number % 9);
    [
        json!({"resourceType": "Immunization", "status": "completed", "occurrenceDateTime": day,
            "vaccineCode": {"text": format!("ワクチン {number}")}}),
        json!({"resourceType": "MedicationStatement", "status": "active", "effectiveDateTime": day,
            "medicationCodeableConcept": {"text": format!("試験薬 {number}")}}),
    ]
}

/// Observations of each citizen.
pub(crate) fn observations() -> u32 {
    50
}

/// One transaction: `many` Observations of a patient who is there.
pub(crate) fn batch(patient: &str, many: u32) -> Value {
    transaction(&(0..many).map(|one| (urn(one + 1), observation(patient, one))).collect::<Vec<_>>())
}

/// One transaction: the Consents of a patient, to several actors about several types.
pub(crate) fn consents(patient: &str, performer: &str) -> Value {
    let classes = ["Observation", "Immunization", "MedicationStatement", "Encounter", "DiagnosticReport"];
    let actors = ["Organization/org-sakura-clinic", "Practitioner/dr-sato", "Organization/org-city", "Device/app-keys"];
    let pairs = actors.iter().flat_map(|actor| classes.iter().map(move |class| (*actor, *class)));
    let each = pairs.take(CONSENTS as usize).zip(1..);
    let entries: Vec<_> = each
        .map(|((actor, class), number)| (urn(number), consent(patient, performer, "permit", class, actor)))
        .collect();
    transaction(&entries)
}

/// A town's check-up file of `children` new children with five visits each.
///
/// * `first`: the number of the first child, so that no two files name the same.
pub(crate) fn town_file(first: u32, children: u32) -> String {
    let mut text = String::from(
        "自治体コード,宛名番号,氏名,カナ氏名,生年月日,性別,健診種別,診査日,診査場所,身長,体重,胸囲,頭囲,カウプ指数,\
         生歯数,虫歯数,尿蛋白,尿糖,尿潜血,尿白血球,股関節所見,備考\n",
    );
    for child in first..first + children {
        for visit in 1..=5 {
            let line = format!(
                "101010,{:010},試験　{child},シケン　タロウ,2021-11-03,1,３～４か月児健康診査,2022-0{visit}-24,\
                 例町保健センター,{}.0,{}.60,41.6,40.8,17.2,,,,,,,,",
                5_000_000 + child,
                60 + visit,
                5 + visit
            );
            // Writing to a String does not fail.
            let _ = writeln!(text, "{line}");
        }
    }
    text
}
