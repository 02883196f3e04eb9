//! How long it takes. Run optimized, on a machine that does nothing else:
//! `CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo test -p techo-terminology --test speed -- --ignored --nocapture`

use std::time::{Duration, Instant};

use techo_profiles::{Definitions, json, json::Json, local::BASE, validate::structure};
use techo_terminology::{Shelves, Terminology, code_system, expand::expand, value_set};

#[test]
#[ignore = "a measurement"]
fn starting_and_checking() {
    let start = Instant::now();
    let definitions = Definitions::embedded();
    println!("index read in {:?}", start.elapsed());
    let start = Instant::now();
    let terminology = Terminology::new(definitions, BASE);
    println!("terminology ready in {:?}", start.elapsed());
    let resource = Json::parse(OBSERVATION.as_bytes()).expect("JSON");
    let start = Instant::now();
    assert_eq!(structure(definitions, &terminology, &resource), []);
    println!("first check {:?}", start.elapsed());
    let start = Instant::now();
    for _ in 0..ROUNDS {
        assert!(structure(definitions, &terminology, &resource).is_empty());
    }
    let each = start.elapsed() / ROUNDS;
    println!("each of {ROUNDS} checks of {} bytes {each:?}", OBSERVATION.len());
    let start = Instant::now();
    assert!(definitions.resource_types().iter().all(|name| !definitions.parameters(name).is_empty()));
    println!("all search parameters {:?}", start.elapsed());
    assert!(cfg!(debug_assertions) || each < Duration::from_micros(15), "{each:?}");
}

/// A stored set of ten thousand codes: named one by one, and as what lies below one of
/// thirty thousand.
#[test]
#[ignore = "a measurement"]
fn listing_ten_thousand_codes() {
    let named =
        |name: &str, count: usize| Json::array((0..count).map(|code| json!({"code": (format!("{name}-{code}"))})));
    let listed = json!({"resourceType": "ValueSet", "url": "urn:listed", "status": "active",
        "compose": {"include": [{"system": "urn:s", "concept": (named("code", 10_000))}]}});
    let system = json!({"resourceType": "CodeSystem", "url": "urn:s", "status": "active", "content": "complete",
        "concept": [{"code": "top", "concept": (named("code", 9_999))}, {"code": "other", "concept": (named("other", 20_000))}]});
    let below = json!({"resourceType": "ValueSet", "url": "urn:below", "status": "active", "compose": {"include": [
        {"system": "urn:s", "filter": [{"property": "concept", "op": "is-a", "value": "top"}, {"property": "code", "op": "regex", "value": "top|code-.*"}]}]}});
    let base = Terminology::new(Definitions::embedded(), BASE);
    for (url, set, system) in [("urn:listed", listed, None), ("urn:below", below, Some(system))] {
        let texts = (set.to_string(), system.map(|system| system.to_string()));
        let start = Instant::now();
        for _ in 0..TIMES {
            let read = |text: &str| Json::parse(text.as_bytes()).expect("JSON");
            let mut shelves = Shelves::new(&base);
            shelves.put_set(url, Some(value_set(read(&texts.0), url)));
            shelves.put_system("urn:s", texts.1.as_deref().map(read).and_then(code_system));
            assert!(expand(&shelves, url).is_ok_and(|all| all.codes.len() > 9_000));
        }
        println!("{url}: read and listed in {:?}", start.elapsed() / TIMES);
    }
}

const TIMES: u32 = 20;
const ROUNDS: u32 = 20_000;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"bp-1","meta":{"versionId":"1","lastUpdated":"2024-05-01T10:30:00.123+09:00","profile":["http://hl7.org/fhir/StructureDefinition/bp"],"tag":[{"system":"https://techo.example/fhir/CodeSystem/kind","code":"1","display":"日々の健康"}]},"identifier":[{"use":"official","system":"urn:oid:1.2.392.100495.20.3.51","value":"123"}],"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital Signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel"}],"text":"血圧"},"subject":{"reference":"Patient/1","display":"山田　花子"},"effectiveDateTime":"2024-05-01T10:30:00+09:00","issued":"2024-05-01T10:30:00Z","performer":[{"reference":"Practitioner/9"}],"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"H"}]}],"note":[{"authorString":"x","time":"2024-05","text":"朝食前に測定"}],"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"}],"text":"収縮期血圧"},"valueQuantity":{"value":120,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"},"referenceRange":[{"high":{"value":130,"unit":"mmHg"},"text":"基準"}]},{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4","display":"Diastolic blood pressure"}],"text":"拡張期血圧"},"valueQuantity":{"value":80,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"},"referenceRange":[{"high":{"value":85,"unit":"mmHg"},"text":"基準"}]}]}"#;
