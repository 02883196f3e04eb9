//! What values mean in a search: modifiers, prefixes, and `_filter`.

use serde_json::json;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{IDENTIFIERS, UCUM, patient, quantity};
use techo_conformance_tests::stock::{ACT, Stock, clinic};
use techo_conformance_tests::world::{World, ids, link};

#[test]
fn modifiers_ask_terminology_and_texts() {
    let mut stock = clinic();
    let mut set =
        |name: &str, url: &str| stock.put(name, &json!({"resourceType": "ValueSet", "status": "draft", "url": url}));
    set("root", "http://above.example/fhir");
    set("set", "http://above.example/fhir/ValueSet");
    set("one", "http://above.example/fhir/ValueSet/1");
    set("alike", "http://above.example/fhirish");
    set("urn", "urn:uuid:00000000-0000-4000-8000-00000000000a");
    let genders = "http://hl7.org/fhir/ValueSet/administrative-gender";
    let gender = "http://hl7.org/fhir/administrative-gender";
    stock.finds(&[
        // Codes and what lies above and below.
        ("Encounter", "class:below", &format!("{ACT}|_ActEncounterCode"), "seen stay"),
        ("Encounter", "class:below", &format!("{ACT}|AMB"), "seen"),
        ("Encounter", "class:below", &format!("{ACT}|IMP"), "stay"),
        ("Encounter", "class:above", &format!("{ACT}|ACUTE"), "stay"),
        ("Encounter", "class:above", &format!("{ACT}|AMB"), "seen"),
        ("Encounter", "class:below", &format!("{ACT}|EMER"), ""),
        // Value sets, also where the code carries no system.
        ("Encounter", "class:in", "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode", "seen stay"),
        ("Encounter", "class:not-in", "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode", ""),
        ("Patient", "gender:in", genders, "ai ken"),
        ("Patient", "gender:not-in", genders, ""),
        ("Patient", "gender:below", &format!("{gender}|male"), "ken"),
        ("Patient", "gender", &format!("{gender}|male"), "ken"),
        ("Patient", "gender:not", "male", "ai"),
        ("Observation", "patient.gender:in", genders, "light heavy kens"),
        // Identifiers by their type.
        ("Patient", "identifier:of-type", "http://terminology.hl7.org/CodeSystem/v2-0203|MR|ai\\|1", "ai"),
        ("Patient", "identifier:of-type", "http://terminology.hl7.org/CodeSystem/v2-0203|XX|ai\\|1", ""),
        ("Patient", "identifier:of-type", "http://terminology.hl7.org/CodeSystem/v2-0203|MR|chain-ai", ""),
        ("Patient", "identifier:text", "カルテ", "ai ken"),
        ("Patient", "identifier:text", "ｶﾙﾃ", "ai ken"),
        ("Patient", "identifier", r"urn:mr|ai\|1", "ai"),
        ("Patient", "identifier", "urn:mr|", "ai ken"),
        // URLs by their segments.
        ("ValueSet", "url:below", "http://above.example/fhir", "root set one"),
        ("ValueSet", "url:below", "http://above.example/fhir/", "root set one"),
        ("ValueSet", "url:below", "http://above.example/fhir/ValueSet", "set one"),
        ("ValueSet", "url:below", "http://above.example/f", ""),
        ("ValueSet", "url:above", "http://above.example/fhir/ValueSet/1/_history/5", "root set one"),
        ("ValueSet", "url:above", "http://above.example/fhir", "root"),
        ("ValueSet", "url", "urn:uuid:00000000-0000-4000-8000-00000000000a", "urn"),
        // Texts.
        ("Patient", "family:exact", "鎖田", "ai"),
        ("Patient", "family:contains", "田", "ai"),
        ("Patient", "family:missing&identifier=urn:mr|", "true", ""),
        ("Patient", "language:missing&identifier=urn:mr|", "true", "ai ken"),
        ("Patient", "language:missing&identifier=urn:mr|", "false", ""),
        ("Observation", "performer:Practitioner", "{mori}", "heavy"),
        ("Observation", "encounter:missing&patient.name=%E9%8E%96", "false", "light"),
    ]);
    stock.refuses(&[
        ("Encounter", "class:below", "AMB", "value"),
        ("Encounter", "class:below", "http://nowhere.example|x", "not-found"),
        ("Encounter", "class:below", &format!("{ACT}|nonsense"), "not-found"),
        ("Encounter", "class:in", "http://nowhere.example/ValueSet/x", "not-found"),
        ("Encounter", "class:not-in", "http://nowhere.example/ValueSet/x", "not-found"),
        ("Patient", "identifier:of-type", "MR|ai", "value"),
        ("Patient", "gender:of-type", "a|b|c", "invalid"),
        ("ValueSet", "url:below", "urn:uuid:00000000", "value"),
        ("Observation", "subject:below", "Patient/1", "invalid"),
        ("Patient", "birthdate:below", "2024", "invalid"),
    ]);
}

#[test]
fn prefixes_go_by_what_the_precision_leaves_open() {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("接頭", "prefix-1", "2024-04-01"));
    let kilos = |value: &str, date: &str| {
        quantity(
            who["reference"].as_str().expect("a Patient").trim_start_matches("Patient/"),
            "29463-7",
            date,
            value,
            "kg",
        )
    };
    stock.put("a", &kilos("5.35", "2026-01-10T23:59:59+09:00"));
    stock.put("b", &kilos("5.4", "2026-02"));
    stock.put("c", &kilos("5.449", "2026-02-10"));
    stock.put("d", &kilos("5.45", "2026-02-11T00:00:00+09:00"));
    let mut period = kilos("100", "2026-01-01");
    period.as_object_mut().expect("a resource").remove("effectiveDateTime");
    period["effectivePeriod"] = json!({"start": "2026-02-09", "end": "2026-02-11"});
    stock.put("e", &period);
    let risk = |value: f64| json!({"resourceType": "RiskAssessment", "status": "final", "subject": who, "prediction": [{"probabilityDecimal": value}]});
    stock.put("f", &risk(0.2));
    stock.put("g", &risk(0.25));
    let about = |text: &str| format!("{text}&subject=Patient/{{who}}");
    let cases: &[(&str, &str, &str)] = &[
        ("value-quantity", "5.4", "a b c"),
        ("value-quantity", "5.40", "b"),
        ("value-quantity", "eq5.4", "a b c"),
        ("value-quantity", "ne5.4", "d e"),
        ("value-quantity", "gt5.4", "c d e"),
        ("value-quantity", "ge5.4", "b c d e"),
        ("value-quantity", "lt5.4", "a"),
        ("value-quantity", "le5.4", "a b"),
        ("value-quantity", "sa5.4", "c d e"),
        ("value-quantity", "eb5.4", "a"),
        ("value-quantity", "ap5", "a b c d"),
        ("value-quantity", "1e2", "e"),
        ("value-quantity", "1e1", ""),
        ("value-quantity", "5.4||kg", "a b c"),
        ("value-quantity", "5400|http://unitsofmeasure.org|g", "b"),
        ("value-quantity", "5.4e3|http://unitsofmeasure.org|g", "a b c"),
        ("date", "2026-02-10", "c"),
        ("date", "2026-02", "b c d e"),
        ("date", "ne2026-02", "a"),
        ("date", "gt2026-02-10", "b d e"),
        ("date", "ge2026-02-10", "b c d e"),
        ("date", "lt2026-02-10", "a b e"),
        ("date", "le2026-02-10", "a b c e"),
        ("date", "sa2026-02-10", "d"),
        ("date", "eb2026-02-10", "a"),
        ("date", "sa2026-01-10", "b c d e"),
        ("date", "2026-02-10T15:00:00Z", "d"),
        ("date", "2026-01-10T23:59", "a"),
        ("date", "ge2026-02-09&date=le2026-02-10", "b c e"),
    ];
    let cases: Vec<(&str, String, &str, &str)> = cases
        .iter()
        .map(|(name, value, found)| ("Observation", about(&format!("{name}={value}")), "x", *found))
        .collect();
    for (kind, query, _, expected) in &cases {
        // The value stands in the query here, so that two conditions can be put.
        let path = format!("{kind}?{}", stock.filled(query).replace('+', "%2B"));
        let found = stock.names(kind, &stock.tester.ids(&path));
        assert_eq!(found, expected.split_whitespace().collect::<Vec<_>>(), "{query}");
    }
    stock.finds(&[
        ("RiskAssessment", "probability", "0.2", "f"),
        ("RiskAssessment", "probability", "0.25", "g"),
        ("RiskAssessment", "probability", "gt0.2", "g"),
        ("RiskAssessment", "probability", "ge0.2", "f g"),
        ("RiskAssessment", "probability", "lt0.25", "f"),
        ("RiskAssessment", "probability", "ne0.25", "f"),
        ("RiskAssessment", "probability", "ap0.21", "f"),
        ("Patient", "birthdate&identifier=prefix-1", "2024", "who"),
        ("Patient", "birthdate&identifier=prefix-1", "gt2024", ""),
        ("Patient", "birthdate&identifier=prefix-1", "ap2024-04", "who"),
    ]);
}

/// R4: a token of a string is found in whatever case; codes and identifiers are exact.
#[test]
fn what_is_a_string_is_found_in_whatever_case() {
    let mut stock = Stock::new();
    let form = |version: &str| {
        json!({"resourceType": "Questionnaire", "status": "draft", "version": version,
        "url": "http://x.example/case", "title": "case", "identifier": [{"system": "urn:case", "value": "Q-Ab"}]})
    };
    stock.put("a", &form("1.0-BETA"));
    stock.put("b", &form("1.0-alpha"));
    let medicine = json!({"resourceType": "Medication", "batch": {"lotNumber": "Ab12"},
        "code": {"coding": [{"system": "urn:case", "code": "Ab"}]}});
    stock.put("m", &medicine);
    for (name, version) in [("ra", "1.0-BETA"), ("rb", "1.0-beta")] {
        stock.put(
            name,
            &json!({"resourceType": "QuestionnaireResponse", "status": "completed",
            "questionnaire": format!("http://x.example/case|{version}")}),
        );
    }
    let mine = "version&identifier=urn:case|Q-Ab";
    stock.finds(&[
        ("Questionnaire", mine, "1.0-BETA", "a"),
        ("Questionnaire", mine, "1.0-beta", "a"),
        ("Questionnaire", mine, "|1.0-Beta", "a"),
        ("Questionnaire", "version:not&identifier=urn:case|Q-Ab", "1.0-beta", "b"),
        ("Questionnaire", "_filter", "version eq 1.0-Beta and identifier eq urn:case|Q-Ab", "a"),
        ("Questionnaire", "identifier", "urn:case|q-ab", ""),
        ("Medication", "code", "urn:case|Ab", "m"),
        ("Medication", "code", "urn:case|ab", ""),
        ("Medication", "lot-number", "AB12", "m"),
        ("Medication", "lot-number", "ab12", "m"),
        ("Medication", "lot-number", "ab1", ""),
        // A canonical URL names the version as it is written.
        ("QuestionnaireResponse", "questionnaire.title", "case", "ra"),
    ]);
}

/// An entry that is marked as deleted says what the List had.
#[test]
fn what_was_removed_from_a_list_is_not_of_it() {
    let mut stock = Stock::new();
    let [a, b, c] =
        ["a", "b", "c"].map(|name| stock.put(name, &patient("表", &format!("listed-{name}"), "2024-04-01")));
    let list = json!({"resourceType": "List", "status": "current", "mode": "changes", "entry": [
        {"item": a}, {"item": b, "deleted": true}, {"item": c, "deleted": false}]});
    stock.put("list", &list);
    stock.finds(&[
        ("Patient", "_list", "{list}", "a c"),
        ("Patient", "_list", "List/{list}", "a c"),
        // That the List speaks of it remains so.
        ("List", "item", "Patient/{b}", "list"),
    ]);
}

/// UCUM's annotations have no meaning; the unit as it is written is found by itself.
#[test]
fn an_annotation_is_no_unit_of_its_own() {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("注釈", "annotation-1", "2024-04-01"));
    let id = who["reference"].as_str().expect("a Patient").trim_start_matches("Patient/").to_owned();
    for (name, code, value) in [
        ("a", "{beats}/min", "72"),
        ("b", "/min", "72"),
        ("c", "1/min", "72"),
        ("d", "{score}", "5"),
        ("e", "1", "5"),
        ("f", "mg/dL{fasting}", "90"),
    ] {
        stock.put(name, &quantity(&id, "8867-4", "2026-01-10", value, code));
    }
    let about = format!("value-quantity&subject=Patient/{id}");
    stock.finds(&[
        ("Observation", &about, "72|http://unitsofmeasure.org|/min", "a b c"),
        ("Observation", &about, "72|http://unitsofmeasure.org|{beats}/min", "a b c"),
        ("Observation", &about, "1.2|http://unitsofmeasure.org|/s", "a b c"),
        ("Observation", &about, "90|http://unitsofmeasure.org|mg/dL", "f"),
        ("Observation", &about, "5|http://unitsofmeasure.org|{score}", "d e"),
        ("Observation", &about, "5|http://unitsofmeasure.org|1", "d e"),
        ("Observation", &about, "5||{score}", "d"),
        ("Observation", &about, "72||{beats}/min", "a"),
    ]);
}

/// A reference by identifier alone is to nobody: which type it is of only its `type` tells.
#[test]
fn an_identifier_in_a_reference_is_found_as_far_as_its_type_is_known() {
    let mut stock = Stock::new();
    let mut body = patient("番号", "logical-1", "2024");
    body["identifier"] = json!([{"system": "urn:mrn", "value": "logical-1"}]);
    let who = stock.put("who", &body);
    let identifier = json!({"system": "urn:mrn", "value": "logical-1"});
    let mut put = |name: &str, subject: &serde_json::Value| {
        let weight =
            json!({"resourceType": "Observation", "status": "final", "code": {"text": "w"}, "subject": subject});
        stock.put(name, &weight);
    };
    put("typed", &json!({"type": "Patient", "identifier": identifier}));
    put("bare", &json!({"identifier": identifier}));
    put("group", &json!({"type": "Group", "identifier": identifier}));
    put("both", &json!({"reference": who["reference"], "identifier": identifier}));
    let dose = json!({"resourceType": "Immunization", "status": "completed", "vaccineCode": {"text": "v"},
        "patient": {"identifier": identifier}, "occurrenceDateTime": "2026-01-01"});
    stock.put("dose", &dose);
    stock.finds(&[
        ("Observation", "subject:identifier", "urn:mrn|logical-1", "typed bare group both"),
        ("Observation", "patient:identifier", "urn:mrn|logical-1", "typed both"),
        ("Observation", "patient:identifier", "logical-1", "typed both"),
        ("Immunization", "patient:identifier", "urn:mrn|logical-1", "dose"),
        // It is no record that is referred to: no chain, no compartment.
        ("Observation", "patient.identifier", "urn:mrn|logical-1", "both"),
        ("Observation", "patient", "{who}", "both"),
        ("Observation", "subject:Patient._id", "{who}", "both"),
        ("Immunization", "patient", "{who}", ""),
    ]);
    let within = stock.tester.ids(&stock.filled("Patient/{who}/Observation?_count=50"));
    assert_eq!(stock.names("Observation", &within), ["both"]);
}

/// A stay is found by the day it ends and by the day it begins, and a time by the same
/// time with zeros behind it.
#[test]
fn a_day_finds_what_ends_on_it_and_a_time_its_own_second() {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("境", "edges-1", "2024"));
    let mut stay = |name: &str, start: &str, end: &str| {
        let stay = json!({"resourceType": "Encounter", "status": "finished", "subject": who,
            "class": {"system": ACT, "code": "IMP"}, "period": {"start": start, "end": end}});
        stock.put(name, &stay);
    };
    stay("before", "2013-01-10", "2013-01-20");
    stay("after", "2013-01-20T10:00:00+09:00", "2013-01-25T09:00:00+09:00");
    stay("over", "2013-01-10", "2013-01-25");
    stay("gone", "2013-01-01", "2013-01-19");
    stay("later", "2013-01-21", "2013-01-25");
    stay("within", "2013-01-20T01:00:00Z", "2013-01-20T01:00:00Z");
    let whose = "date&patient={who}";
    stock.finds(&[
        ("Encounter", whose, "ge2013-01-20", "before after over later within"),
        ("Encounter", whose, "le2013-01-20", "before after over gone within"),
        ("Encounter", whose, "gt2013-01-20", "after over later"),
        ("Encounter", whose, "lt2013-01-20", "before over gone"),
        ("Encounter", whose, "2013-01-20", "within"),
        ("Encounter", whose, "2013-01-20T01:00:00.000Z", "within"),
        ("Encounter", whose, "2013-01-20T10:00:00.0+09:00", "within"),
        ("Encounter", whose, "2013-01-20T01:00:00.001Z", ""),
        ("Encounter", whose, "ne2013-01-20T01:00:00.000Z", "before after over gone later"),
        ("Encounter", "_filter&patient={who}", "date ge 2013-01-20 and date le 2013-01-20", "before after over within"),
    ]);
}

#[test]
fn a_filter_is_a_whole_expression() {
    let stock = clinic();
    let encounters = "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode";
    let here = |text: &str| format!("identifier eq {IDENTIFIERS}|chain-ai and ({text})");
    let cases: Vec<(&str, String, &str)> = vec![
        // Texts.
        ("Patient", "family eq 鎖田".into(), "ai"),
        ("Patient", "family eq \"鎖田\"".into(), "ai"),
        ("Patient", "family eq 鎖".into(), ""),
        ("Patient", "family sw 鎖".into(), "ai ken"),
        ("Patient", "family co 田 and family sw 鎖".into(), "ai"),
        ("Patient", "family ew 山 and family sw 鎖".into(), "ken"),
        ("Patient", "family ne 鎖田 and family sw 鎖".into(), "ken"),
        ("Patient", "family sw 鎖 and not (family eq 鎖田)".into(), "ken"),
        ("Patient", "name co \"鎖田 試\"".into(), "ai"),
        // Logic.
        ("Patient", "family eq 鎖田 or family eq 鎖山".into(), "ai ken"),
        ("Patient", "family eq 鎖田 or family eq 鎖山 and gender eq male".into(), "ken"),
        ("Patient", "family eq 鎖田 or (family eq 鎖山 and gender eq male)".into(), "ai ken"),
        ("Patient", "not (family eq 鎖田 or gender eq female) and family sw 鎖".into(), "ken"),
        ("Patient", "(((family eq 鎖田)))".into(), "ai"),
        // Tokens.
        ("Patient", here("gender eq female"), "ai"),
        ("Patient", here("gender ne female"), ""),
        ("Patient", here("gender ne male"), "ai"),
        ("Patient", here("gender pr true"), "ai"),
        ("Patient", here("gender pr false"), ""),
        ("Patient", here("language pr false"), "ai"),
        ("Patient", here("gender in http://hl7.org/fhir/ValueSet/administrative-gender"), "ai"),
        ("Patient", here("gender ni http://hl7.org/fhir/ValueSet/administrative-gender"), ""),
        ("Encounter", format!("patient.family sw 鎖 and class in {encounters}"), "seen stay"),
        ("Encounter", format!("patient.family sw 鎖 and class ss {ACT}|_ActEncounterCode"), "seen stay"),
        ("Encounter", format!("patient.family sw 鎖 and class sb {ACT}|ACUTE"), "stay"),
        // Dates.
        ("Patient", here("birthdate eq 2024-04-01"), "ai"),
        ("Patient", here("birthdate eq \"2024-04\""), "ai"),
        ("Patient", here("birthdate gt 2024-04"), ""),
        ("Patient", here("birthdate ge 2024-04-01"), "ai"),
        ("Patient", here("birthdate lt 2025"), "ai"),
        ("Patient", here("birthdate le 2024-04-01"), "ai"),
        ("Patient", here("birthdate sa 2024-03"), "ai"),
        ("Patient", here("birthdate eb 2024-05"), "ai"),
        ("Patient", here("birthdate ne 2024-05"), "ai"),
        ("Patient", here("birthdate po 2024"), "ai"),
        ("Patient", here("birthdate po 2025"), ""),
        ("Patient", here("birthdate ap 2024-04"), "ai"),
        ("Patient", here("_lastUpdated gt 2020"), "ai"),
        ("Patient", "_id eq {ai}".into(), "ai"),
        ("Patient", "_id ne {ai} and family sw 鎖".into(), "ken"),
        // Quantities.
        ("Observation", "patient.family sw 鎖 and value-quantity gt 8".into(), "heavy"),
        ("Observation", "patient.family sw 鎖 and value-quantity ge 8".into(), "heavy kens"),
        ("Observation", format!("patient.family sw 鎖 and value-quantity lt 7000|{UCUM}|g"), "light"),
        ("Observation", "patient.family sw 鎖 and value-quantity ne 8.0".into(), "heavy light"),
        ("Observation", "patient.family sw 鎖 and code-value-quantity eq 29463-7$gt9".into(), "heavy"),
        // References and chains.
        ("Observation", "subject re Patient/{ken}".into(), "kens"),
        ("Observation", "subject eq Patient/{ken}".into(), "kens"),
        ("Observation", "patient.family sw 鎖 and subject ne Patient/{ken}".into(), "heavy light"),
        ("Observation", "subject.name co 田 and subject.name sw 鎖".into(), "heavy light"),
        ("Observation", "performer.name eq 鎖森".into(), "heavy"),
        ("Observation", "encounter.service-provider.name eq 鎖病棟".into(), "light"),
        ("Observation", "subject[gender eq male].family sw 鎖".into(), "kens"),
        ("Observation", "subject[gender eq male or family eq 鎖田].birthdate eq 2024-04-01".into(), "heavy kens light"),
        ("Observation", "encounter[class eq AMB].subject.family eq 鎖田".into(), "light"),
        ("Observation", "encounter[subject[gender eq male].family sw 鎖].status eq finished".into(), ""),
        ("Observation", "encounter.status pr true and patient.family sw 鎖".into(), "light"),
        ("Observation", "encounter pr false and patient.family sw 鎖".into(), "heavy kens"),
        ("Observation", "not (patient.gender eq male) and patient.family sw 鎖".into(), "heavy light"),
    ];
    let cases: Vec<(&str, &str, &str, &str)> =
        cases.iter().map(|(kind, filter, found)| (*kind, "_filter", filter.as_str(), *found)).collect();
    stock.finds(&cases);
    stock.finds(&[("Patient", "_filter&gender=male", "family sw 鎖", "ken")]);
}

/// R4: no value of a filter is case sensitive; here those that are R4's own are not. Some
/// code systems go by a word.
#[test]
fn a_filter_takes_the_case_and_the_systems_of_r4() {
    let stock = clinic();
    let here = |text: &str| format!("identifier eq {IDENTIFIERS}|chain-ai and ({text})");
    let cases: Vec<(&str, String, &str)> = vec![
        ("Patient", here("gender pr TRUE"), "ai"),
        ("Patient", here("gender eq FEMALE"), "ai"),
        ("Patient", here("gender ne Female"), ""),
        ("Patient", here("gender eq http://hl7.org/fhir/administrative-gender|Female"), "ai"),
        ("Patient", here("gender eq nonsense"), ""),
        ("Observation", "patient.family sw 鎖 and status eq FINAL".into(), "heavy kens light"),
        ("Observation", "patient.family sw 鎖 and code eq loinc|29463-7".into(), "heavy kens light"),
        ("Observation", "patient.family sw 鎖 and code eq LOINC|29463-7".into(), "heavy kens light"),
        ("Observation", "patient.family sw 鎖 and code eq snomed|29463-7".into(), ""),
        ("Observation", "patient.family sw 鎖 and value-quantity gt 8|ucum|kg".into(), "heavy"),
    ];
    let cases: Vec<(&str, &str, &str, &str)> =
        cases.iter().map(|(kind, filter, found)| (*kind, "_filter", filter.as_str(), *found)).collect();
    stock.finds(&cases);
}

#[test]
fn a_boolean_is_asked_for_with_true_or_false_alone() {
    let stock = clinic();
    for query in ["active=yes", "active=TRUE", "active:not=yes", "active=true,yes", "_filter=active eq yes"] {
        let (name, value) = query.split_once('=').expect("a pair");
        let answer = stock.tester.get(&format!("Patient?{name}={}", encode(value))).refused(400);
        assert!(answer.text().contains("true or false"), "{query}: {}", answer.text());
    }
    for query in [
        "active=true",
        "active=false",
        "active:not=true",
        "active:missing=true",
        "_filter=active%20eq%20TRUE",
        "_filter=active%20pr%20False",
    ] {
        stock.tester.get(&format!("Patient?{query}")).expect(200);
    }
}

#[test]
fn a_filter_that_makes_no_sense_is_refused() {
    let stock = clinic();
    stock.refuses(&[
        ("Patient", "_filter", "", "value"),
        ("Patient", "_filter", "family", "value"),
        ("Patient", "_filter", "family is 鎖", "value"),
        ("Patient", "_filter", "family eq", "value"),
        ("Patient", "_filter", "(family eq 鎖", "value"),
        ("Patient", "_filter", "family eq 鎖)", "value"),
        ("Patient", "_filter", "family eq \"鎖", "value"),
        ("Patient", "_filter", "family gt 鎖", "value"),
        ("Patient", "_filter", "gender co ma", "value"),
        ("Patient", "_filter", "nonsense eq 1", "not-supported"),
        ("Patient", "_filter", "birthdate eq soon", "value"),
        ("Patient", "_filter", "family.name eq x", "value"),
        ("Patient", "_filter", "general-practitioner[name eq x] eq y", "value"),
        ("Patient", "_filter", "gender pr perhaps", "value"),
        ("Patient", "_filter", "gender in http://nowhere.example", "not-found"),
    ]);
    let many = vec!["gender eq male"; 200].join(" or ");
    stock.refuses(&[("Patient", "_filter", &many, "too-costly")]);
}

#[test]
fn pages_of_a_filter_and_a_chain_go_on_where_they_ended() {
    let stock = clinic();
    let mut seen = Vec::new();
    for query in [
        format!("Observation?patient.family={}&_count=1&_sort=date", encode("鎖")),
        format!("Observation?_filter={}&_count=1&_sort=date", encode("patient.family sw 鎖 and (status eq final)")),
    ] {
        let mut url = query;
        let mut found = Vec::new();
        loop {
            let page = stock.tester.search(&url);
            found.extend(ids(&page, "match"));
            match link(&page, "next") {
                Some(next) => url = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, ["light", "heavy", "kens"].map(|name| stock.id(name).to_owned()));
        seen.push(found);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_condition_may_be_a_chain_or_a_filter() {
    let stock = clinic();
    let body = quantity(stock.id("ai"), "29463-7", "2026-05-01", "7.0", "kg");
    for condition in [
        format!("patient.identifier={IDENTIFIERS}|chain-ai&date=2026-01-10"),
        format!("_filter={}", encode(&format!("patient.identifier eq {IDENTIFIERS}|chain-ai and date eq 2026-01-10"))),
    ] {
        let answer = stock.tester.request("POST", "Observation").header("If-None-Exist", &condition).fhir(&body).send();
        assert_eq!(answer.status, 200, "{condition}: {}", answer.text());
        let location = answer.header("Location").unwrap_or_default();
        assert!(location.contains(stock.id("light")), "{condition}: {location}");
    }
    let condition = "patient.identifier=chain-ai&date=2026-05-01";
    let create =
        || stock.tester.request("POST", "Observation").header("If-None-Exist", condition).fhir(&body).send().status;
    assert_eq!([create(), create()], [201, 200]);
}

#[test]
fn a_thousand_values_are_no_deep_tree() {
    let stock = clinic();
    let values: Vec<String> =
        (0..990).map(|number| format!("urn:many|{number}")).chain(["29463-7".to_owned()]).collect();
    let path = format!("Observation?patient.family={}&code={}", encode("鎖"), encode(&values.join(",")));
    assert_eq!(stock.tester.ids(&path).len(), 3);
}

#[test]
fn quantities_are_sorted_by_how_much_they_are_whatever_their_unit_is_called() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("順", "amounts-1", "2024-04-01"));
    let mut known = Vec::new();
    for (value, text, code) in
        [("3000", "g", "g"), ("9.2", "キログラム", "kg"), ("4.1", "kg", "kg"), ("7500", "グラム", "g")]
    {
        let mut weight = quantity(&who, "3141-9", "2026-01-01", value, code);
        weight["valueQuantity"]["unit"] = json!(text);
        known.push((tester.create(&weight), value));
    }
    let order = |sort: &str, count: u8| {
        let pages = tester.walk(&format!("Observation?code=3141-9&_sort={sort}&_count={count}"), "next");
        let value = |id: &String| known.iter().find(|(known, _)| known == id).map_or("?", |(_, value)| value);
        pages.concat().iter().map(value).collect::<Vec<_>>()
    };
    for count in [10, 1, 3] {
        assert_eq!(order("value-quantity", count), ["3000", "4.1", "7500", "9.2"], "{count}");
        assert_eq!(order("-value-quantity", count), ["9.2", "7500", "4.1", "3000"], "{count}");
    }
    // Both names of the unit find it still.
    for query in ["9.2||キログラム", "9.2||kg", "9200|http://unitsofmeasure.org|g", "9.2"] {
        assert_eq!(tester.ids(&format!("Observation?value-quantity={}", encode(query))).len(), 1, "{query}");
    }
}

/// R4 has the two parts of this composite written one for the other: it found nothing.
#[test]
fn a_document_is_found_by_what_it_replaces() {
    let world = World::new();
    let tester = world.tester();
    let content = json!([{"attachment": {"title": "x"}}]);
    let old = tester.create(&json!({"resourceType": "DocumentReference", "status": "superseded", "content": content}));
    let new = tester.create(&json!({"resourceType": "DocumentReference", "status": "current", "content": content,
        "relatesTo": [{"code": "replaces", "target": {"reference": format!("DocumentReference/{old}")}}]}));
    for (value, found) in [
        (format!("DocumentReference/{old}$replaces"), true),
        (format!("{old}$replaces"), true),
        (format!("{old}$appends"), false),
        (format!("{new}$replaces"), false),
    ] {
        let ids = tester.ids(&format!("DocumentReference?relationship={value}"));
        assert_eq!(ids, if found { vec![new.clone()] } else { Vec::new() }, "{value}");
    }
}

/// A document was found by another Composition, which had the id of its own.
#[test]
fn a_document_is_not_found_by_a_strange_composition() {
    let world = World::new();
    let tester = world.tester();
    let composition = |title: &str, id: &str| {
        json!({"resourceType": "Composition", "id": id, "status": "final", "type": {"text": title}, "title": title,
            "date": "2026-01-10", "author": [{"display": "x"}]})
    };
    let document = json!({"resourceType": "Bundle", "type": "document", "timestamp": "2026-01-10T00:00:00Z",
        "identifier": {"system": "urn:documents", "value": "1"},
        "entry": [{"fullUrl": "urn:uuid:4d8f2bd0-3f2e-4a53-9f0a-7a6f3b1c0002", "resource": composition("紹介状", "inside")}]});
    let id = tester.create(&document);
    tester.put("Composition/inside", &composition("別の文書", "inside")).expect(201);
    assert_eq!(tester.ids("Bundle?composition=Composition/inside"), [id]);
    for refused in
        ["Bundle?composition.title=別", "Bundle?composition:Composition.title=別", "Bundle?_include=Bundle:composition"]
    {
        tester.get(refused).refused(400);
    }
}
