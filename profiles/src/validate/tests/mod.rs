use super::*;
use crate::codes::{Membership, NoCodes};

mod mutations;

/// `text` is checked without any codes.
fn issues(text: &str) -> Vec<(String, String)> {
    let resource = Json::parse(text.as_bytes()).expect(text);
    let found = structure(Definitions::embedded(), &NoCodes, &resource);
    found.iter().map(|issue| (issue.code.name().to_owned(), issue.expression.clone())).collect()
}

fn refused(text: &str, code: &str, expression: &str) {
    assert_eq!(issues(text), [(code.to_owned(), expression.to_owned())], "{text}");
}

#[test]
fn what_is_right_passes() {
    for text in [
        mutations::OBSERVATION,
        mutations::PATIENT,
        mutations::BUNDLE,
        r##"{"resourceType":"Observation","status":"final","code":{"text":"x"},"focus":[{"reference":"#"}]}"##,
        r#"{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://a","valueCode":"unknown"}]}}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient"}}]}"#,
        r#"{"resourceType":"Binary","contentType":"text/plain","data":"QUJD"}"#,
    ] {
        assert_eq!(issues(text), [], "{text}");
    }
}

#[test]
fn what_is_no_resource_is_refused() {
    for (text, code, expression) in [
        ("[]", "structure", "%resource"),
        ("{}", "required", "%resource"),
        (r#"{"id":"a"}"#, "required", "%resource"),
        (r#"{"resourceType":1}"#, "structure", "%resource.resourceType"),
        (r#"{"resourceType":"Nope"}"#, "not-supported", "%resource"),
        (r#"{"resourceType":"Resource"}"#, "not-supported", "%resource"),
        (r#"{"resourceType":"DomainResource"}"#, "not-supported", "%resource"),
        (r#"{"resourceType":"HumanName"}"#, "not-supported", "%resource"),
        (r#"{"resourceType":"patient"}"#, "not-supported", "%resource"),
    ] {
        refused(text, code, expression);
    }
}

#[test]
fn each_fault_is_found_where_it_is() {
    for (members, code, expression) in [
        (r#""birthdate":"2024""#, "structure", "Patient"),
        (r#""name":{"family":"x"}"#, "structure", "Patient.name"),
        (r#""name":[]"#, "structure", "Patient.name"),
        (r#""name":[{}]"#, "structure", "Patient.name[0]"),
        (r#""name":[null]"#, "structure", "Patient.name[0]"),
        (r#""name":null"#, "structure", "Patient.name"),
        (r#""birthDate":["2024"]"#, "structure", "Patient.birthDate"),
        (r#""birthDate":"2023-02-29""#, "value", "Patient.birthDate"),
        (r#""birthDate":"""#, "value", "Patient.birthDate"),
        (r#""birthDate":20240101"#, "structure", "Patient.birthDate"),
        (r#""active":"true""#, "structure", "Patient.active"),
        (r#""multipleBirthInteger":2147483648"#, "value", "Patient.multipleBirth.ofType(integer)"),
        (
            r#""multipleBirthInteger":1,"multipleBirthBoolean":true"#,
            "structure",
            "Patient.multipleBirth.ofType(boolean)",
        ),
        (
            r#""multipleBirthInteger":1,"_multipleBirthBoolean":{"id":"a"}"#,
            "structure",
            "Patient.multipleBirth.ofType(boolean)",
        ),
        (r#""multipleBirthString":"x""#, "structure", "Patient"),
        (r#""multipleBirth":1"#, "structure", "Patient"),
        (r#""_name":[{"id":"a"}]"#, "structure", "Patient"),
        (r#""_birthDate":{}"#, "structure", "Patient.birthDate"),
        (r#""_birthDate":{"value":"x"}"#, "structure", "Patient.birthDate"),
        (r#""_birthDate":[{"id":"a"}]"#, "structure", "Patient.birthDate"),
        (r#""name":[{"given":["a",null]}]"#, "structure", "Patient.name[0].given[1]"),
        (r#""name":[{"given":["a",null],"_given":[null,null]}]"#, "structure", "Patient.name[0].given[1]"),
        (r#""name":[{"given":["a"],"_given":[null,{"id":"x"}]}]"#, "structure", "Patient.name[0].given"),
        (r#""name":[{"_given":{"id":"x"}}]"#, "structure", "Patient.name[0].given"),
        (r#""id":"a_b""#, "value", "Patient.id"),
        (r#""resourceTyp":"x""#, "structure", "Patient"),
        (r#""contact":[{"resourceType":"Patient"}]"#, "structure", "Patient.contact[0]"),
        (r#""link":[{"type":"seealso"}]"#, "required", "Patient.link[0].other"),
        (r#""text":{"status":"generated","div":"<p>x</p>"}"#, "invariant", "Patient.text.div"),
        (r#""text":{"status":"generated","div":1}"#, "structure", "Patient.text.div"),
    ] {
        refused(&format!(r#"{{"resourceType":"Patient",{members}}}"#), code, expression);
    }
}

#[test]
fn each_rule_of_a_type_is_kept_where_it_applies() {
    for (members, code, expression) in [
        (r#""extension":[{"valueString":"x"}]"#, "required", "Patient.extension[0].url"),
        (r#""extension":[{"url":"http://a"}]"#, "invariant", "Patient.extension[0]"),
        (
            r#""extension":[{"url":"http://a","valueString":"x","extension":[{"url":"b","valueCode":"c"}]}]"#,
            "invariant",
            "Patient.extension[0]",
        ),
        (
            r#""extension":[{"url":"http://a","extension":[{"url":"b","valueDate":"x"}]}]"#,
            "value",
            "Patient.extension[0].extension[0].value.ofType(date)",
        ),
        (r##""managingOrganization":{"reference":"#x"}"##, "invariant", "Patient.managingOrganization.reference"),
        (r#""managingOrganization":{"reference":"Patient/1"}"#, "structure", "Patient.managingOrganization.reference"),
        (
            r#""managingOrganization":{"reference":"https://a.jp/fhir/Patient/1/_history/2"}"#,
            "structure",
            "Patient.managingOrganization.reference",
        ),
        (r#""managingOrganization":{"type":"Patient"}"#, "structure", "Patient.managingOrganization.type"),
        (r#""name":[{"id":"a"}]"#, "structure", "Patient.name[0]"),
        (r#""contact":[{"id":"a"}]"#, "structure", "Patient.contact[0]"),
        (r#""extension":[{"url":"a","valueString":"x"}]"#, "value", "Patient.extension[0].url"),
        (
            r#""_birthDate":{"extension":[{"url":"a","valueString":"x"}]}"#,
            "value",
            "Patient.birthDate.extension[0].url",
        ),
        (r#""managingOrganization":{"reference":"x"}"#, "value", "Patient.managingOrganization.reference"),
        (r#""managingOrganization":{"reference":"Nope/1"}"#, "value", "Patient.managingOrganization.reference"),
        (
            r#""managingOrganization":{"reference":"/Organization/1"}"#,
            "value",
            "Patient.managingOrganization.reference",
        ),
        (
            r#""managingOrganization":{"reference":"Organization?identifier=1"}"#,
            "value",
            "Patient.managingOrganization.reference",
        ),
        (r#""contained":[{"resourceType":"Patient"}]"#, "invariant", "Patient.contained[0]"),
        (
            r#""contained":[{"resourceType":"Patient","id":"a"},{"resourceType":"Device","id":"a"}]"#,
            "invariant",
            "Patient.contained[1]",
        ),
        (r#""contained":[{"resourceType":"Nope","id":"a"}]"#, "not-supported", "Patient.contained[0]"),
        (
            r#""contained":[{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient"}]}]"#,
            "invariant",
            "Patient.contained[0].contained[0]",
        ),
        (r#""contained":[{"resourceType":"Patient","id":"a","gendr":"x"}]"#, "structure", "Patient.contained[0]"),
    ] {
        refused(&format!(r#"{{"resourceType":"Patient",{members}}}"#), code, expression);
    }
}

#[test]
fn a_reference_that_does_not_tell_its_type_is_let_pass() {
    for reference in [
        "Organization/1",
        "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        "https://a.jp/x",
        "Organization/1/_history/2",
    ] {
        let text = format!(r#"{{"resourceType":"Patient","managingOrganization":{{"reference":"{reference}"}}}}"#);
        assert_eq!(issues(&text), [], "{reference}");
    }
}

#[test]
fn contained_resources_are_found_from_where_they_are_contained() {
    let contained = |id: &str, kind: &str| {
        format!(
            r##"{{"resourceType":"Patient","contained":[{{"resourceType":"{kind}","id":"o"}}],
               "managingOrganization":{{"reference":"#{id}"}}}}"##
        )
    };
    assert_eq!(issues(&contained("o", "Organization")), []);
    refused(&contained("o", "Practitioner"), "structure", "Patient.managingOrganization.reference");
    refused(&contained("p", "Organization"), "invariant", "Patient.managingOrganization.reference");
    // An entry's contained resources are its own, not its neighbour's.
    let bundle = format!(
        r##"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{}}},
           {{"resource":{{"resourceType":"Patient","managingOrganization":{{"reference":"#o"}}}}}}]}}"##,
        contained("o", "Organization")
    );
    refused(&bundle, "invariant", "Bundle.entry[1].resource.managingOrganization.reference");
}

#[test]
fn a_conditional_reference_stands_in_the_entries_of_a_bundle_only() {
    let patient = r#"{"resourceType":"Patient","managingOrganization":{"reference":"Organization?identifier=1"}}"#;
    refused(patient, "value", "Patient.managingOrganization.reference");
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"resource":{patient}}}]}}"#);
    assert_eq!(issues(&bundle), []);
}

struct Statuses;

impl Codes for Statuses {
    fn member(&self, value_set: &str, system: Option<&str>, code: &str) -> Membership {
        match (value_set, system, code) {
            ("http://hl7.org/fhir/ValueSet/observation-status", None, "final")
            | ("http://hl7.org/fhir/ValueSet/allergyintolerance-clinical", Some("http://a"), "active") => {
                Membership::Yes
            }
            (
                "http://hl7.org/fhir/ValueSet/observation-status"
                | "http://hl7.org/fhir/ValueSet/allergyintolerance-clinical",
                ..,
            ) => Membership::No,
            _ => Membership::Unknown,
        }
    }

    fn subsumes(&self, _: &str, _: &str, _: &str) -> Option<bool> {
        None
    }

    fn display(&self, _: &str, _: &str) -> Option<&str> {
        None
    }
}

#[test]
fn required_codes_are_asked_for() {
    let allergy = |status: &str| {
        format!(r#"{{"resourceType":"AllergyIntolerance","clinicalStatus":{status},"patient":{{"display":"x"}}}}"#)
    };
    for (text, expected) in [
        (r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#.to_owned(), None),
        (
            r#"{"resourceType":"Observation","status":"done","code":{"text":"x"}}"#.to_owned(),
            Some("Observation.status"),
        ),
        (allergy(r#"{"coding":[{"system":"http://a","code":"active"}]}"#), None),
        (allergy(r#"{"coding":[{"system":"http://b","code":"x"},{"system":"http://a","code":"active"}]}"#), None),
        (
            allergy(r#"{"coding":[{"system":"http://b","code":"active"}]}"#),
            Some("AllergyIntolerance.clinicalStatus.coding"),
        ),
        (allergy(r#"{"text":"x"}"#), Some("AllergyIntolerance.clinicalStatus")),
        (allergy(r#"{"extension":[{"url":"http://a","valueCode":"unknown"}]}"#), None),
    ] {
        let resource = Json::parse(text.as_bytes()).expect("JSON");
        let found = structure(Definitions::embedded(), &Statuses, &resource);
        let found: Vec<&str> = found.iter().map(|issue| issue.expression.as_str()).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn an_issue_says_where_and_what_to_do_but_no_value() {
    let text = r#"{"resourceType":"Patient","name":[{"famly":"山田"}],"birthDate":"1980/05/01"}"#;
    let resource = Json::parse(text.as_bytes()).expect("JSON");
    let found = structure(Definitions::embedded(), &NoCodes, &resource);
    let places: Vec<&str> = found.iter().map(|issue| &text[issue.offset..issue.offset + 7]).collect();
    assert_eq!(places, [r#""famly""#, r#""1980/0"#]);
    assert!(found[0].text_en.contains("\"family\""), "{}", found[0].text_en);
    assert!(found[0].text_ja.contains("\"family\""), "{}", found[0].text_ja);
    for issue in &found {
        for words in [&issue.text_en, &issue.text_ja, &issue.diagnostics, &issue.expression] {
            assert!(!words.contains("山田") && !words.contains("1980"), "{words}");
        }
    }
}

#[test]
fn a_hostile_body_makes_a_bounded_number_of_issues() {
    let names = vec!["{}"; 10_000].join(",");
    let found = issues(&format!(r#"{{"resourceType":"Patient","name":[{names}]}}"#));
    assert_eq!(found.len(), MAX_ISSUES);
    assert_eq!(found.last().map(|(code, _)| code.as_str()), Some("too-costly"));
}

/// Each reference was looked up among all that is contained: this would take minutes.
#[test]
fn a_crowd_of_contained_resources_that_refer_to_each_other() {
    let count = 150_000;
    let inner = |at: usize| {
        let next = (at + 1) % count;
        format!(
            r##"{{"resourceType":"Basic","id":"b{at}","code":{{"text":"x"}},"subject":{{"reference":"#b{next}"}}}}"##
        )
    };
    let contained: Vec<String> = (0..count).map(inner).collect();
    let holder = |focus: &str| {
        let contained = contained.join(",");
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"contained":[{contained}],"focus":[{{"reference":"{focus}"}}]}}"#
        )
    };
    assert_eq!(issues(&holder("#b0")), []);
    assert_eq!(issues(&holder("#none")).len(), 1);
}

/// What an entry contains is its own, and what the Bundle's is stays.
#[test]
fn what_is_contained_is_found_in_its_own_holder_alone() {
    let holder = |id: &str, focus: &str| {
        format!(
            r##"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"contained":[{{"resourceType":"Basic","id":"{id}","code":{{"text":"x"}}}}],"focus":[{{"reference":"#{focus}"}}]}}"##
        )
    };
    let bundle = |one: String, other: String| {
        issues(&format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{one}}},{{"resource":{other}}}]}}"#
        ))
    };
    assert_eq!(bundle(holder("a", "a"), holder("b", "b")), []);
    assert_eq!(bundle(holder("a", "a"), holder("b", "a")).len(), 1);
    assert_eq!(bundle(holder("a", "b"), holder("b", "b")).len(), 1);
}
