//! Every search parameter of R4 over every resource we have.

use std::collections::BTreeSet;

use super::context;
use crate::Definitions;
use crate::definitions::ParameterKind;
use crate::json::Json;
use crate::path::{Expression, Model};

#[test]
fn every_search_parameter_evaluates_on_every_resource() {
    let published = Definitions::embedded().all_parameters().iter().map(|parameter| parameter.expression.as_str());
    let expressions: Vec<&str> = published.filter(|text| !text.is_empty()).chain(EXAMPLES.iter().copied()).collect();
    assert_eq!(expressions.len(), 1384, "the search parameters of R4 that have an expression");
    let resources = resources();
    let context = context().lenient_as();
    let mut hits = 0;
    for text in expressions {
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for resource in &resources {
            let found = expression.evaluate(resource, &context).unwrap_or_else(|error| panic!("{text}: {error}"));
            hits += usize::from(!found.is_empty());
        }
    }
    assert!(hits > 150, "only {hits} expressions found anything: the resources or the typing are off");
}

/// The expressions of the three parameters that R4 gives as examples, which the
/// definitions leave out.
const EXAMPLES: &[&str] = &[
    "DocumentReference.extension('http://example.org/fhir/StructureDefinition/participation-agreement')",
    "Condition.subject",
    "id",
];

/// The branches picked for a type must find what the whole expression finds.
#[test]
fn the_branches_for_a_type_find_what_the_whole_finds() {
    let definitions = Definitions::embedded();
    let context = context().lenient_as();
    for resource in &resources() {
        let name = resource.str("resourceType").expect("a resource");
        for parameter in definitions.parameters(name).iter().filter(|parameter| !parameter.expression.is_empty()) {
            let part = parameter.expression_for(name);
            let texts = |expression: &str| {
                let expression =
                    Expression::parse(expression).unwrap_or_else(|error| panic!("{}: {error}", parameter.url));
                let found = expression.evaluate(resource, &context).expect("a search parameter evaluates");
                found.iter().map(super::text).collect::<Vec<_>>()
            };
            assert_eq!(texts(part), texts(&parameter.expression), "{} on {name}", parameter.url);
        }
    }
}

/// On a resource with nothing but its id only `_id` finds something, and
/// composites, which start from the resource itself.
#[test]
fn every_branch_evaluates_on_its_own_type() {
    let definitions = Definitions::embedded();
    let context = context().lenient_as();
    for name in definitions.resource_types() {
        let bare = Json::object([("resourceType", Json::from(*name)), ("id", Json::from("1"))]);
        for parameter in definitions.parameters(name).iter().filter(|parameter| !parameter.expression.is_empty()) {
            let expression = Expression::parse(parameter.expression_for(name))
                .unwrap_or_else(|error| panic!("{} on {name}: {error}", parameter.url));
            let found =
                expression.evaluate(&bare, &context).unwrap_or_else(|error| panic!("{}: {error}", parameter.url));
            let finds = parameter.code == "_id" || parameter.kind == ParameterKind::Composite;
            assert!(found.is_empty() || finds || parameter.code == "deceased", "{}", parameter.url);
        }
    }
}

/// Each case: resource, parameter, what it finds and of which types.
#[test]
fn search_parameters_find_what_they_are_for() {
    let definitions = Definitions::embedded();
    let context = context().lenient_as();
    let resources = resources();
    for (name, code, expected) in [
        ("Patient", "family", "Chalmers:string"),
        ("Patient", "birthdate", "1974-12-25:date"),
        ("Patient", "phone", "ContactPoint"),
        ("Patient", "death-date", "2020-01-02T03:04:05+09:00:dateTime"),
        ("Patient", "deceased", "true:Boolean"),
        ("Observation", "code", "CodeableConcept"),
        ("Observation", "combo-code", "CodeableConcept CodeableConcept CodeableConcept"),
        ("Observation", "value-quantity", "Quantity"),
        ("Observation", "combo-value-quantity", "Quantity Quantity"),
        ("Observation", "patient", "Reference"),
        ("Observation", "subject", "Reference"),
        ("Observation", "date", "2020-01-01:dateTime"),
        ("Condition", "onset-age", "Age"),
        ("Condition", "onset-date", ""),
        ("Encounter", "practitioner", "Reference"),
        ("Encounter", "participant", "Reference Reference"),
        ("ConceptMap", "source-uri", "urn:a:uri"),
        ("ConceptMap", "source", ""),
        ("Bundle", "composition", "Composition"),
    ] {
        let resource = resources.iter().find(|resource| resource.str("resourceType") == Some(name)).expect(name);
        let parameter = definitions.parameter(name, code).expect(code);
        let expression = Expression::parse(parameter.expression_for(name)).expect(code);
        let found = expression.evaluate(resource, &context).expect(code);
        let found: Vec<String> = found
            .iter()
            .map(|item| match item.to_json() {
                Some(json) if json.is_object() => item.type_name().to_owned(),
                _ => format!("{}:{}", super::text(item), item.type_name()),
            })
            .collect();
        assert_eq!(found.join(" "), expected, "{name}.{code}: {}", parameter.expression_for(name));
    }
}

#[test]
fn all_that_the_resources_hold_is_known_to_the_model() {
    let definitions = Definitions::embedded();
    let names: BTreeSet<_> =
        resources().iter().map(|resource| resource.str("resourceType").map(str::to_owned)).collect();
    for name in names.into_iter().flatten() {
        assert!(definitions.is_resource(&name), "{name}");
    }
}

/// Small resources written to be found by as many parameters as may be.
pub(super) fn resources() -> Vec<Json> {
    RESOURCES.iter().map(|text| Json::parse(text.as_bytes()).expect(text)).collect()
}

const RESOURCES: &[&str] = &[
    r#"{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"2020-01-01T00:00:00Z","profile":["urn:p"],
        "tag":[{"system":"s","code":"t"}],"security":[{"code":"R"}]},"active":true,
        "identifier":[{"system":"urn:i","value":"1"}],"name":[{"use":"official","family":"Chalmers","given":["Peter","James"]}],
        "telecom":[{"system":"phone","value":"03","use":"work"},{"system":"email","value":"a@b.example"}],
        "gender":"male","birthDate":"1974-12-25","deceasedDateTime":"2020-01-02T03:04:05+09:00",
        "address":[{"use":"home","line":["1"],"city":"Osaka","state":"27","postalCode":"530","country":"JP"}],
        "communication":[{"language":{"coding":[{"code":"ja"}]}}],"generalPractitioner":[{"reference":"Practitioner/1"}],
        "managingOrganization":{"reference":"Organization/1"},"link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}"#,
    r##"{"resourceType":"Observation","id":"o","contained":[{"resourceType":"Specimen","id":"s"}],"status":"final",
        "category":[{"coding":[{"code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
        "subject":{"reference":"Patient/1"},"encounter":{"reference":"Encounter/1"},"effectiveDateTime":"2020-01-01",
        "performer":[{"reference":"Practitioner/1"}],"specimen":{"reference":"#s"},
        "valueQuantity":{"value":5.40,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"},
        "derivedFrom":[{"reference":"Observation/2"}],"hasMember":[{"reference":"Observation/3"}],
        "component":[{"code":{"text":"x"},"valueQuantity":{"value":1}},{"code":{"text":"y"},"valueString":"z"}]}"##,
    r#"{"resourceType":"Observation","id":"o2","status":"final","code":{"text":"x"},"subject":{"reference":"Group/1"},
        "effectivePeriod":{"start":"2020"},"valueCodeableConcept":{"text":"v"},"dataAbsentReason":{"text":"d"}}"#,
    r#"{"resourceType":"Condition","id":"c","clinicalStatus":{"coding":[{"code":"active"}]},"code":{"text":"x"},
        "subject":{"reference":"http://x.example/fhir/Patient/1/_history/2"},"onsetAge":{"value":5,"code":"a","system":"http://unitsofmeasure.org"},
        "abatementString":"s","recordedDate":"2020","evidence":[{"code":[{"text":"e"}],"detail":[{"reference":"Observation/1"}]}],
        "stage":[{"summary":{"text":"s"}}],"bodySite":[{"text":"b"}],"asserter":{"reference":"Patient/1"}}"#,
    r#"{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/1"},
        "participant":[{"individual":{"reference":"Practitioner/1"},"type":[{"text":"t"}]},{"individual":{"reference":"RelatedPerson/1"}}],
        "period":{"start":"2020-01-01T10:00:00+09:00"},"length":{"value":30,"unit":"min"},
        "location":[{"location":{"reference":"Location/1"},"period":{"end":"2021"}}],"hospitalization":{"specialArrangement":[{"text":"w"}]},
        "diagnosis":[{"condition":{"reference":"Condition/1"}}],"serviceProvider":{"type":"Organization","identifier":{"value":"o"}}}"#,
    r#"{"resourceType":"ConceptMap","id":"m","status":"active","sourceUri":"urn:a","targetCanonical":"urn:b",
        "useContext":[{"code":{"code":"focus"},"valueCodeableConcept":{"text":"x"}},{"code":{"code":"age"},"valueRange":{"low":{"value":1}}}],
        "group":[{"source":"urn:s","target":"urn:t","element":[{"code":"a","target":[{"code":"b","equivalence":"equal",
        "dependsOn":[{"property":"urn:p","value":"v"}],"product":[{"property":"urn:q","value":"v"}]}]}],
        "unmapped":{"mode":"other-map","url":"urn:o"}}]}"#,
    r#"{"resourceType":"Bundle","id":"b","type":"document","timestamp":"2020-01-01T00:00:00Z","identifier":{"value":"1"},
        "entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Composition","id":"x","status":"final","title":"t",
        "subject":{"reference":"urn:uuid:2"}}},{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Patient","id":"y"}}]}"#,
    r#"{"resourceType":"MedicationRequest","id":"r","status":"active","intent":"order","medicationCodeableConcept":{"text":"m"},
        "subject":{"reference":"Patient/1"},"authoredOn":"2020-01-01","requester":{"reference":"Practitioner/1"},
        "dosageInstruction":[{"timing":{"event":["2020-01-01T00:00:00Z"]}}],"performer":{"reference":"Organization/1"},
        "dispenseRequest":{"performer":{"reference":"Organization/2"}}}"#,
    r#"{"resourceType":"AllergyIntolerance","id":"a","patient":{"reference":"Patient/1"},"code":{"text":"c"},"onsetDateTime":"2019",
        "reaction":[{"manifestation":[{"text":"m"}],"substance":{"text":"s"},"onset":"2020-01-01","severity":"mild"}]}"#,
    r#"{"resourceType":"Immunization","id":"i","status":"completed","vaccineCode":{"text":"v"},"patient":{"reference":"Patient/1"},
        "occurrenceDateTime":"2020-01-01","lotNumber":"L","protocolApplied":[{"series":"s","doseNumberPositiveInt":1,
        "targetDisease":[{"text":"t"}]}],"reaction":[{"date":"2020","detail":{"reference":"Observation/1"}}]}"#,
    r#"{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","questionnaire":"urn:q","subject":{"reference":"Patient/1"},
        "author":{"reference":"Patient/1"},"authored":"2020","item":[{"linkId":"1","extension":[{"url":
        "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject","valueBoolean":true}],
        "answer":[{"valueReference":{"reference":"Patient/3"}}]}]}"#,
    r#"{"resourceType":"Provenance","id":"v","target":[{"reference":"Patient/1"},{"reference":"Observation/1/_history/2"}],
        "occurredPeriod":{"start":"2020"},"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"reference":"Device/1"}}],
        "entity":[{"role":"source","what":{"reference":"DocumentReference/1"}}]}"#,
];
