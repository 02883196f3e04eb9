//! How fast a compiled expression is. Not run by default: time it where the
//! code is optimised, with `cargo test -- --ignored --nocapture speed`.

use std::time::Instant;

use super::context;
use crate::json::Json;
use crate::path::Expression;

#[test]
#[ignore = "a measurement, of use only in optimised code"]
fn speed() {
    let patient = Json::parse(PATIENT.as_bytes()).expect("JSON");
    let context = context();
    for text in [
        "Patient.name.where(use='official').given",
        "Patient.birthDate",
        "Patient.telecom.where(system='phone')",
        "Patient.contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())",
        "Patient.generalPractitioner.where(resolve() is Practitioner)",
    ] {
        let expression = Expression::parse(text).expect(text);
        // The first evaluation decodes the definitions of the types it meets.
        assert!(expression.evaluate(&patient, &context).is_ok());
        let rounds = 50_000_u32;
        let started = Instant::now();
        let mut found = 0;
        for _ in 0..rounds {
            found += expression.evaluate(&patient, &context).expect(text).len();
        }
        let each = started.elapsed() / rounds;
        eprintln!("{each:?} {text} ({} found)", found / rounds as usize);
    }
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"example","meta":{"versionId":"1","lastUpdated":"2024-01-01T00:00:00Z",
    "profile":["http://jpfhir.jp/fhir/core/StructureDefinition/JP_Patient"]},"text":{"status":"generated","div":
    "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A patient with a narrative of some length, as they have.</p></div>"},
    "identifier":[{"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},
    "system":"urn:oid:1.2.392.100495.20.3.51.11311234567","value":"00000010","assigner":{"display":"Hospital"}}],"active":true,
    "name":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"IDE"}],
    "use":"official","text":"山田 太郎","family":"山田","given":["太郎"]},{"extension":[{"url":
    "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"SYL"}],"use":"usual","text":"ヤマダ タロウ",
    "family":"ヤマダ","given":["タロウ"]}],"telecom":[{"system":"phone","value":"03-1234-5678","use":"home","rank":1},
    {"system":"phone","value":"03-8765-4321","use":"work","rank":2},{"system":"email","value":"taro@example.jp"}],
    "gender":"male","birthDate":"1970-01-01","_birthDate":{"extension":[{"url":
    "http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1970-01-01T14:35:45+09:00"}]},
    "deceasedBoolean":false,"address":[{"use":"home","type":"both","text":"東京都千代田区1-1","line":["1-1"],"city":"千代田区",
    "state":"東京都","postalCode":"100-0001","country":"JP"}],"maritalStatus":{"coding":[{"system":
    "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]},"contact":[{"relationship":[{"coding":[{"system":
    "http://terminology.hl7.org/CodeSystem/v2-0131","code":"N"}]}],"name":{"family":"山田","given":["花子"]},"telecom":
    [{"system":"phone","value":"03-1111-2222"}]}],"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"ja"}]},
    "preferred":true}],"generalPractitioner":[{"reference":"Practitioner/example"}],"managingOrganization":{"reference":"Organization/1"}}"#;
