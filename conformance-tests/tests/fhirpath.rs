//! `POST /fhir/$fhirpath`: typed results, refusals that name their place.

use serde_json::{Value, json};
use techo_conformance_tests::http::Response;
use techo_conformance_tests::world::{Caller, World};

fn evaluate(caller: &Caller, expression: &str, resource: &Value) -> Response {
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "resource", "resource": resource},
        {"name": "expression", "valueString": expression},
    ]});
    caller.post("$fhirpath", &parameters)
}

fn someone() -> Value {
    json!({"resourceType": "Patient", "id": "x", "birthDate": "1990-05",
        "_birthDate": {"extension": [{"url": "https://example.org/a", "valueCode": "about"}]},
        "name": [{"use": "official", "family": "山田", "given": ["太郎", "次郎"]}],
        "contact": [{"gender": "male", "name": {"family": "佐藤"}}],
        "managingOrganization": {"reference": "Organization/1"},
        "contained": [{"resourceType": "Organization", "id": "o", "name": "院"}]})
}

#[test]
fn every_item_is_a_part_with_a_value_of_its_type() {
    let world = World::new();
    // Nothing stored is read, so any good token will do.
    let (tester, mother) = (world.tester(), world.mother());
    let family = json!({"family": "佐藤"});
    for (expression, expected) in [
        ("Patient.name.given", json!([{"valueString": "太郎"}, {"valueString": "次郎"}])),
        ("name.use", json!([{"valueCode": "official"}])),
        ("birthDate", json!([{"valueDate": "1990-05", "_valueDate": someone()["_birthDate"]}])),
        ("contact.name", json!([{"valueHumanName": family}])),
        (
            "contact",
            json!([{"part": [{"name": "gender", "valueCode": "male"}, {"name": "name", "valueHumanName": family}]}]),
        ),
        ("contained", json!([{"resource": someone()["contained"][0]}])),
        ("managingOrganization.resolve()", Value::Null),
        ("1 + 1", json!([{"valueInteger": 2}])),
        ("name.exists()", json!([{"valueBoolean": true}])),
        ("@2024-05-01T10:00:00Z", json!([{"valueDateTime": "2024-05-01T10:00:00Z"}])),
        (
            "4 'kg'",
            json!([{"valueQuantity": {"value": 4, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}}]),
        ),
        ("photo", Value::Null),
    ] {
        let answer = evaluate(&tester, expression, &someone()).expect(200);
        let mut answer = answer.json();
        assert_eq!(answer["resourceType"], "Parameters");
        for part in answer["parameter"].as_array_mut().into_iter().flatten() {
            let part = part.as_object_mut().expect("a part");
            assert_eq!(part.remove("name"), Some(json!("result")), "{expression}");
            part.remove("extension");
        }
        assert_eq!(answer["parameter"], expected, "{expression}");
    }
    let decimals = evaluate(&mother, "1.10 + 1.10", &someone()).expect(200);
    assert!(decimals.text().contains("2.20"), "{}", decimals.text());
}

#[test]
fn every_item_says_where_it_stands() {
    let world = World::new();
    let tester = world.tester();
    for (expression, expected) in [
        ("name.given", json!(["Patient.name[0].given[0]", "Patient.name[0].given[1]"])),
        ("contact.name.family", json!(["Patient.contact[0].name.family"])),
        ("birthDate.extension", json!(["Patient.birthDate.extension[0]"])),
        ("contained", json!(["Patient.contained[0]"])),
        ("$this", json!(["Patient"])),
        ("name.count()", json!([null])),
    ] {
        let answer = evaluate(&tester, expression, &someone()).expect(200).json();
        let places = answer["parameter"].as_array().expect("results").iter();
        let found: Vec<&Value> = places.map(|part| &part["extension"][0]["valueString"]).collect();
        assert_eq!(json!(found), expected, "{expression}");
    }
}

/// A reference is followed as the caller could follow it herself, hidden or absent alike.
#[test]
fn references_are_followed_as_far_as_the_caller_may_read() {
    let world = World::new();
    let (mother, stranger) = (world.mother(), world.stranger());
    let about = |patient: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": patient}})
    };
    let birth = |caller: &Caller, patient: &str| {
        let answer = evaluate(caller, "subject.resolve().birthDate", &about(patient)).expect(200).json();
        answer["parameter"][0]["valueDate"].clone()
    };
    assert_eq!(birth(&mother, "Patient/pt-hanako"), "1992-04-18");
    assert_eq!(birth(&stranger, "Patient/pt-hanako"), Value::Null);
    assert_eq!(birth(&mother, "Patient/pt-nobody"), Value::Null);
    let step = "subject.resolve().managingOrganization.resolve().name.exists()";
    assert_eq!(
        evaluate(&mother, step, &about("Patient/pt-hanako")).expect(200).json()["parameter"][0]["name"],
        "result"
    );
    let many: Vec<Value> = (0..101).map(|number| json!({"reference": format!("Patient/n{number}")})).collect();
    let group = json!({"resourceType": "Communication", "status": "completed", "recipient": many});
    let refused = evaluate(&mother, "recipient.resolve().count()", &group).refused(422).json();
    assert_eq!(refused["issue"][0]["code"], "too-costly");
}

/// A string that is an address is followed as a reference is.
#[test]
fn an_address_in_a_string_is_followed_too() {
    let world = World::new();
    let (mother, stranger) = (world.mother(), world.stranger());
    let count = |caller: &Caller, expression: &str, resource: &Value| {
        let answer = evaluate(caller, expression, resource).expect(200).json();
        answer["parameter"][0]["valueInteger"].as_u64().expect("a number")
    };
    let held = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "contained": [{"resourceType": "Patient", "id": "in", "birthDate": "2024-04-01"}]});
    for (expression, expected) in [
        ("'Patient/pt-hanako'.resolve().ofType(Patient).count()", 1),
        ("('Patient/' & 'pt-hanako').resolve().id.count()", 1),
        ("'Patient/pt-nobody'.resolve().count()", 0),
        ("'#in'.resolve().birthDate.count()", 1),
        ("'#out'.resolve().count()", 0),
        ("'no address'.resolve().count()", 0),
        ("5.resolve().count()", 0),
    ] {
        assert_eq!(count(&mother, expression, &held), expected, "{expression}");
    }
    assert_eq!(count(&stranger, "'Patient/pt-hanako'.resolve().count()", &held), 0, "as far as one may read");
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": someone()}]});
    assert_eq!(count(&mother, "'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0'.resolve().count()", &bundle), 1);
}

#[test]
fn the_japanese_text_says_which_function_and_which_address() {
    let world = World::new();
    let tester = world.tester();
    for (expression, word) in [("frobnicate()", "frobnicate()"), ("conformsTo('urn:nobody')", "urn:nobody")] {
        let body = json!({"resourceType": "Parameters", "parameter": [
            {"name": "expression", "valueString": expression}, {"name": "resource", "resource": someone()}]});
        let asked = tester.request("POST", "$fhirpath").header("Accept-Language", "ja").fhir(&body).send();
        let text = asked.json()["issue"][0]["details"]["text"].as_str().expect("a text").to_owned();
        assert!(text.contains(word) && text.contains("バイト目"), "{text}");
    }
}

#[test]
fn units_codes_and_types_are_known() {
    let world = World::new();
    let tester = world.tester();
    let genders = "http://hl7.org/fhir/ValueSet/administrative-gender";
    let base = "http://hl7.org/fhir/StructureDefinition";
    for (expression, expected) in [
        ("4 'g' = 4000 'mg'".to_owned(), json!(true)),
        ("2 'cm' * 2 'm' = 0.040 'm2'".to_owned(), json!(true)),
        // A minute's share is no decimal, and cancels.
        ("1 'L/min' = 1000 'mL/min'".to_owned(), json!(true)),
        ("10 'mL/h' = 10000 'uL/h'".to_owned(), json!(true)),
        ("1 'g/d' = 1000 'mg/d'".to_owned(), json!(true)),
        ("60 '/min' = 1 '/s'".to_owned(), json!(true)),
        ("60 '/min' = 60 '1/min'".to_owned(), json!(true)),
        ("60 '{beats}/min' ~ 60 '/min'".to_owned(), json!(true)),
        ("1 'L/min' + 1 'mL/min' = 1001 'mL/min'".to_owned(), json!(true)),
        ("1 'L/min' > 1001 'mL/min'".to_owned(), json!(false)),
        ("90 'km/h' = 25 'm/s'".to_owned(), json!(true)),
        ("1 'L/min' / 1 'mL/min' = 1000 '1'".to_owned(), json!(true)),
        (format!("contact.gender.memberOf('{genders}')"), json!(true)),
        (format!("name.use.memberOf('{genders}')"), json!(false)),
        (format!("conformsTo('{base}/DomainResource')"), json!(true)),
        (format!("conformsTo('{base}/Observation')"), json!(false)),
    ] {
        let answer = evaluate(&tester, &expression, &someone()).expect(200).json();
        assert_eq!(answer["parameter"][0]["valueBoolean"], expected, "{expression}");
    }
    let unknown = evaluate(&tester, "conformsTo('urn:nobody')", &someone()).refused(422).json();
    assert_eq!(unknown["issue"][0]["code"], "processing");
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_its_place() {
    let world = World::new();
    let tester = world.tester();
    for (expression, status, code) in [
        ("name.where(", 400, "invalid"),
        ("nonsense()", 400, "invalid"),
        ("name.given.single()", 422, "processing"),
        ("(1 | 2) + 1", 422, "processing"),
    ] {
        let answer = evaluate(&tester, expression, &someone()).refused(status).json();
        assert_eq!(answer["issue"][0]["code"], code, "{expression}");
        assert_eq!(answer["issue"][0]["expression"][0], "Parameters.parameter[1].value", "{expression}");
    }
    let costly = (0..8).fold("1".to_owned(), |inner, _| format!("%resource.descendants().select({inner})"));
    evaluate(&tester, &costly, &someone()).refused(422);
    evaluate(&tester, "id", &json!({"resourceType": "Nonsense"})).refused(400);
    tester.post("$fhirpath", &json!({"resourceType": "Parameters"})).refused(400);
    tester.post("$fhirpath", &someone()).refused(400);
    let body = json!({"resourceType": "Parameters"}).to_string();
    tester.request("POST", "$fhirpath").body("text/plain", body.clone()).send().refused(415);
    world.anon().request("POST", "$fhirpath").body("application/fhir+json", body).send().refused(401);
    world.holder("nonsense".into()).post("$fhirpath", &json!({"resourceType": "Parameters"})).refused(401);
}
