use std::collections::BTreeMap;
use std::path::Path as File;

use jiff::tz::TimeZone;
use techo_profiles::json;

use super::super::catalog::Catalog;
use super::super::row::Held;
use super::super::trail::branches;
use super::*;

fn local() -> Local {
    Local::new("https://here.example/fhir", &TimeZone::fixed(jiff::tz::offset(9)))
}

fn extracted(resource: &Json) -> Extracted {
    let kind = resource.str("resourceType").expect("a resource");
    extract(Definitions::embedded(), kind, resource, &local()).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

/// The rows of one index as short texts.
fn rows(extracted: &Extracted, key: &str) -> Vec<String> {
    let shown = |row: &Row| {
        let text = match &row.cell {
            Cell::Token { system, code } => format!("{system}|{code}"),
            Cell::Identifier { system, value } => format!("{system}#{value}"),
            Cell::String { folded, .. } => folded.to_string(),
            Cell::Date { low, high } => format!("{low}..{high}"),
            Cell::Number { low, high } => format!("{low}..{high}"),
            Cell::Quantity(cell) => format!("{} {}|{}", cell.value, cell.unit.system, cell.unit.code),
            Cell::Uri(text) => text.to_string(),
            Cell::Reference { kind, id } => format!("{kind}/{id}"),
        };
        if row.grp == 0 { text } else { format!("{text} @{}", row.grp) }
    };
    extracted.rows.iter().filter(|row| &*row.param == key).map(shown).collect()
}

fn blood_pressure() -> Json {
    json!({
        "resourceType": "Observation",
        "id": "bp",
        "meta": {"profile": ["http://x/Bp|1"], "tag": [{"system": "t", "code": "kept"}]},
        "identifier": [{"system": "urn:lab", "value": "77"}],
        "status": "final",
        "category": [{"coding": [{"system": "c", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "血圧"},
        "subject": {"reference": "Patient/p1"},
        "performer": [{"reference": "Patient/p2"}],
        "effectiveDateTime": "1970-01-01T00:00:00Z",
        "component": [
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
             "valueQuantity": {"value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
            {"code": {"coding": [{"system": "http://loinc.org", "code": "8462-4"}]},
             "valueQuantity": {"value": 80, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
            {"code": {"coding": [{"system": "http://loinc.org", "code": "0000-0"}]}}
        ]
    })
}

#[test]
fn what_is_contained_has_rows_of_its_own() {
    let found = extracted(&json!({
        "resourceType": "MedicationRequest",
        "id": "r",
        "contained": [
            {"resourceType": "Medication", "code": {"text": "nameless"}},
            {"resourceType": "Medication", "id": "m", "code": {"text": "x"}},
            (blood_pressure())
        ],
        "medicationReference": {"reference": "#m"}
    }));
    let number = |kind: &str| Definitions::embedded().type_number(kind).expect(kind);
    let held = |place, kind, id: &str| Held { place, kind: number(kind), id: id.into() };
    assert_eq!(found.contained, [held(2 << 16, "Medication", "m"), held(3 << 16, "Observation", "bp")]);
    for (key, expected) in [
        ("Medication.code", vec![]),
        ("Medication.code#", vec![format!("x @{}", 2 << 16)]),
        ("MedicationRequest.medication", vec!["0/#m".to_owned()]),
        ("Observation.status#", vec![format!("|final @{}", 3 << 16)]),
        ("Observation.patient#", vec![]),
    ] {
        assert_eq!(rows(&found, key), expected, "{key}");
    }
    assert!(found.clinical.subjects.is_empty(), "it says nothing of whom the record is about");
    let plain = extracted(&blood_pressure());
    assert!(plain.contained.is_empty() && plain.rows.iter().all(|row| !row.param.ends_with('#')));
}

#[test]
fn an_observation_is_found_by_all_its_parts() {
    let found = extracted(&blood_pressure());
    let patient = Definitions::embedded().type_number("Patient").expect("Patient");
    for (key, expected) in [
        ("Observation.code", vec!["http://loinc.org|85354-9".to_owned(), "血圧".into()]),
        ("Observation.status", vec!["|final".into()]),
        ("Observation.identifier", vec!["urn:lab#77".into()]),
        ("Observation.subject", vec![format!("{patient}/p1")]),
        // Answered by the rows of subject.
        ("Observation.patient", vec![]),
        ("Observation.performer", vec![format!("{patient}/p2")]),
        ("Observation.date", vec!["0..1000000".into()]),
        ("Observation._profile", vec!["http://x/Bp|1".into(), "http://x/Bp".into()]),
        ("Observation._tag", vec!["t|kept".into()]),
        ("Observation.value-quantity", vec![]),
        ("Observation._id", vec![]),
    ] {
        assert_eq!(rows(&found, key), expected, "{key}");
    }
    assert_eq!(found.clinical.compartment, ["p1".into(), "p2".into()]);
    assert_eq!(found.clinical.subjects, ["p1".into()]);
    assert_eq!(found.clinical.time.map(|span| span.low), Some(0));
    assert_eq!(&*found.clinical.codes[0].code, "85354-9");
    assert_eq!(&*found.clinical.categories[0].code, "vital-signs");
}

#[test]
fn the_parts_of_a_composite_stay_with_their_element() {
    let found = extracted(&blood_pressure());
    let codes = rows(&found, "Observation.component-code-value-quantity$0");
    let values = rows(&found, "Observation.component-code-value-quantity$1");
    assert_eq!(codes, ["http://loinc.org|8480-6 @1", "http://loinc.org|8462-4 @2"]);
    assert_eq!(values.len(), 4);
    assert_eq!(values[0], "120 http://unitsofmeasure.org|mm[Hg] @1");
    assert_eq!(values[1], "120 |mmHg @1");
    assert_eq!(values[2], "80 http://unitsofmeasure.org|mm[Hg] @2");
}

#[test]
fn one_of_each_kind() {
    let patient = json!({
        "resourceType": "Patient", "id": "p1",
        "identifier": [{"type": {"coding": [{"system": "t", "code": "MR"}]}, "system": "s", "value": "1"}],
        "name": [{"family": "山田", "given": ["花子"]}], "birthDate": "1992-04-18", "gender": "female",
        "deceasedBoolean": false, "telecom": [{"system": "phone", "value": "03-1"}],
        "link": [{"other": {"reference": "Patient/p9"}, "type": "refer"}]
    });
    let found = extracted(&patient);
    assert_eq!(rows(&found, "Patient.name"), ["山田", "花子", "山田花子"]);
    assert_eq!(rows(&found, "Patient.identifier:of-type"), ["t#MR|1"]);
    assert_eq!(rows(&found, "Patient.deceased"), ["|false"]);
    assert_eq!(rows(&found, "Patient.phone"), ["|03-1", "|031"]);
    assert_eq!(found.clinical.compartment, ["p9".into()]);
    assert_eq!(found.clinical.subjects, ["p1".into()]);

    let risk = json!({"resourceType": "RiskAssessment", "status": "final", "subject": {"reference": "Patient/p"},
        "prediction": [{"probabilityDecimal": (Json::number("0.25").expect("a number"))}]});
    assert_eq!(rows(&extracted(&risk), "RiskAssessment.probability"), ["0.25..0.25"]);

    let place = json!({"resourceType": "Location", "position": {
        "latitude": (Json::number("35.5").expect("a number")), "longitude": (Json::number("139.5").expect("a number"))}});
    assert_eq!(rows(&extracted(&place), "Location.near$0"), ["35.5..35.5 @1"]);
    assert_eq!(rows(&extracted(&place), "Location.near$1"), ["139.5..139.5 @1"]);

    let set = json!({"resourceType": "ValueSet", "url": "http://x/v", "status": "draft"});
    assert_eq!(rows(&extracted(&set), "ValueSet.url"), ["http://x/v"]);
}

#[test]
fn references_of_one_parameter() {
    let definitions = Definitions::embedded();
    let patient = definitions.type_number("Patient").expect("Patient");
    let subject: ParamKey = "Observation.subject".into();
    let found = leads(definitions, "Observation", &blood_pressure(), std::slice::from_ref(&subject), &local());
    assert_eq!(found.ok(), Some(BTreeSet::from([(subject, Lead::Place(patient, "p1".into()))])));
}

/// A Reference to a place elsewhere is no canonical URL, whatever it looks like.
#[test]
fn canonical_urls_lead_on_as_they_are_written() {
    let long = format!("http://x/{}|2", "q".repeat(600));
    let measure: ParamKey = "MeasureReport.measure".into();
    let subject: ParamKey = "MeasureReport.subject".into();
    let report = |url: &str| {
        let report = json!({"resourceType": "MeasureReport", "measure": url, "subject": {"reference": "http://x/y"}});
        leads(Definitions::embedded(), "MeasureReport", &report, &[measure.clone(), subject.clone()], &local()).ok()
    };
    for url in ["http://x/q", "http://x/q|1#p", &long] {
        assert_eq!(report(url), Some(BTreeSet::from([(measure.clone(), Lead::Address(url.into()))])), "{url}");
    }
    assert_eq!(report("#q"), Some(BTreeSet::new()));
}

#[test]
fn nothing_breaks_it() {
    for text in [
        r#"{"resourceType":"Observation"}"#,
        r#"{"resourceType":"Observation","code":5,"subject":[],"component":{"code":[null]},"valueQuantity":"x"}"#,
        r#"{"resourceType":"Observation","code":{"coding":{"coding":[1]}},"effectivePeriod":[{"start":{}}],"meta":"x"}"#,
        r#"{"resourceType":"Patient","name":"x","deceasedDateTime":"1","telecom":[[]],"link":{"other":{}}}"#,
        r#"{"resourceType":"Bundle","entry":[null,{"resource":5}]}"#,
    ] {
        extracted(&Json::parse(text.as_bytes()).expect(text));
    }
    let other = json!({"resourceType": "Nothing"});
    assert!(extract(Definitions::embedded(), "Nothing", &other, &local()).is_err());
}

/// Puts odd values in each place of a resource, one after the other.
#[test]
fn no_shape_breaks_it() {
    let odd = [
        json!(null),
        json!(""),
        json!(-1),
        json!([]),
        json!([[null]]),
        json!({}),
        json!({"reference": "#"}),
        json!("é"),
    ];
    let resource = blood_pressure();
    let places = resource.members().iter().map(|member| member.name.clone()).filter(|name| **name != *"resourceType");
    for name in places {
        for value in &odd {
            extracted(&resource.clone().with(name.clone(), value.clone()));
            let inner = resource.get(&name).map_or(&[][..], Json::each);
            for member in inner.iter().flat_map(Json::members) {
                let changed = inner[0].clone().with(member.name.clone(), value.clone());
                extracted(&resource.clone().with(name.clone(), changed.clone()));
                extracted(&resource.clone().with(name.clone(), Json::array([changed])));
            }
        }
    }
}

#[test]
fn doubles_are_stored_once() {
    let tag = json!({"system": "t", "code": "x"});
    for count in [2, 40] {
        let tags = Json::array((0..count).map(|_| tag.clone()));
        let resource = json!({"resourceType": "Basic", "meta": {"tag": (tags)}});
        assert_eq!(rows(&extracted(&resource), "Basic._tag"), ["t|x"]);
    }
}

#[test]
fn every_definition_can_be_read() {
    let definitions = Definitions::embedded();
    let catalog = Catalog::of(definitions);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for name in definitions.resource_types() {
        let index = catalog.of_type(name).expect("a type");
        assert!(index.broken.is_empty(), "{name}: {:?}", index.broken);
        for parameter in &index.parameters {
            *kinds.entry(parameter.kind.name).or_default() += 1;
            assert_eq!(parameter.kind.name == "composite", !parameter.parts.is_empty(), "{}", parameter.key);
        }
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    assert!(!catalog.of_type("Observation").expect("a type").patient.is_empty());
}

#[test]
fn the_epoch_changes_with_the_place() {
    let definitions = Definitions::embedded();
    let one = epoch(definitions, &local());
    assert_eq!(one, epoch(definitions, &local()));
    let elsewhere = Local::new("https://there.example/fhir", local().zone());
    assert_ne!(one, epoch(definitions, &elsewhere));
}

/// Walks every branch both ways over every resource at hand.
#[test]
fn trails_and_the_evaluator_agree() {
    let definitions = Definitions::embedded();
    let mut resources = samples();
    resources.push(blood_pressure());
    let mut compared = 0;
    for resource in &resources {
        let Some(name) = resource.str("resourceType").filter(|name| definitions.type_number(name).is_some()) else {
            continue;
        };
        let root = Root::of(Element { type_name: name, json: resource });
        for parameter in definitions.parameters(name) {
            for branch in branches(parameter.expression_for(name)).into_iter().filter(|branch| !branch.is_empty()) {
                let Some(trail) = super::super::trail::Trail::of(definitions, name, branch) else { continue };
                let seen = |path: &Path| {
                    let mut seen = Vec::new();
                    let mut found = |element: Element<'_>| seen.push(format!("{} {}", element.type_name, element.json));
                    each(definitions, path, &root, root.element, &mut found)
                        .unwrap_or_else(|error| panic!("{branch}: {error}"));
                    seen
                };
                // The one function that only trails know.
                if branch.contains("hasExtension(") {
                    continue;
                }
                let Ok(expression) = techo_profiles::path::Expression::parse(branch) else { panic!("{branch}") };
                assert_eq!(seen(&Path::Trail(trail)), seen(&Path::Expression(expression)), "{name} {branch}");
                compared += 1;
            }
        }
    }
    assert!(compared > 20);
}

/// Every sample can be indexed, and its subject is found.
#[test]
fn samples_are_indexed() {
    for resource in samples() {
        let Some(name) =
            resource.str("resourceType").filter(|name| Definitions::embedded().type_number(name).is_some())
        else {
            continue;
        };
        let found = extracted(&resource);
        assert!(name == "Binary" || !found.rows.is_empty(), "{resource}");
        let local_subject = resource.at(&["subject", "reference"]).and_then(Json::as_str);
        if local_subject.is_some_and(|text| text.starts_with("Patient/")) {
            assert_eq!(found.clinical.subjects.len(), 1, "{resource}");
        }
    }
}

/// The public samples and what is in their Bundles; none, said aloud, where
/// they are not at hand.
fn samples() -> Vec<Json> {
    let folder = File::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/samples/public"));
    if !folder.is_dir() {
        eprintln!("SKIPPED: no samples in {}", folder.display());
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read(&path).expect("a file");
                if let Ok(resource) = Json::parse(&text) {
                    found.extend(resource.list("entry").iter().filter_map(|entry| entry.get("resource")).cloned());
                    found.push(resource);
                }
            }
        }
    }
    found
}

/// `cargo test -p techo-server --lib search::index -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn time_of_one_observation() {
    let resource = blood_pressure();
    let size = resource.to_string().len();
    let first = extracted(&resource).rows.len();
    let start = std::time::Instant::now();
    let rounds = 20_000;
    for _ in 0..rounds {
        std::hint::black_box(extracted(std::hint::black_box(&resource)));
    }
    let each = start.elapsed() / rounds;
    eprintln!("{each:?} for {size} bytes, {first} rows");
}

/// Rows are as of a generation: of each definition while it lives, whatever came after.
#[test]
fn own_rows_are_those_of_the_definitions_that_lived() {
    use std::sync::Arc;

    use techo_profiles::definitions::SearchParameter;

    use crate::search::own::{Life, OwnParameter, Standing};

    let definitions = Definitions::embedded();
    let lives: [(i64, i64); 5] = [(1, 3), (2, i64::MAX), (3, 6), (5, i64::MAX), (6, 6)];
    let own = lives.iter().enumerate().map(|(number, &(born, retired))| {
        let text = json!({"resourceType": "SearchParameter", "url": (format!("urn:{number}")), "type": "token",
            "code": (format!("own-{number}")), "base": ["Patient"], "expression": "Patient.gender"});
        let definition = SearchParameter::of(definitions, &text).expect("a definition");
        let standing = if number % 2 == 0 { Standing::Ready } else { Standing::Indexing };
        let life = Life { born, retired, standing };
        OwnParameter { source: format!("SearchParameter/{number}").into(), life, text: "".into(), definition }
    });
    let catalog = Arc::new(Catalog::with(definitions, 7, 7, own.collect()));
    let patient = json!({"resourceType": "Patient", "id": "p", "gender": "other"});
    let r4 = extracted(&patient).rows;
    for generation in 0..8 {
        let local = local().with(Arc::clone(&catalog), generation);
        let own = extract_own(definitions, "Patient", &patient, &local).expect("rows");
        let alive = lives.iter().filter(|(born, retired)| (*born..*retired).contains(&generation));
        let mut expected: Vec<String> = alive.map(|(born, _)| format!("~{born}")).collect();
        expected.sort();
        let mut found: Vec<String> =
            own.iter().filter_map(|row| row.param.rfind('~').map(|at| row.param[at..].to_owned())).collect();
        found.sort();
        assert_eq!(found, expected, "as of {generation}");
        let given = extract(definitions, "Patient", &patient, &local).expect("rows").rows;
        assert_eq!(given, r4, "R4's rows stay as they are");
    }
    let index = catalog.of_type("Patient").expect("a type");
    let asked = |code: &str| index.parameter(code).is_some();
    assert_eq!([asked("own-0"), asked("own-1"), asked("own-3"), asked("gender")], [false, false, false, true]);
}
