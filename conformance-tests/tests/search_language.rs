//! The language of search: chains and reverse chains, composites, places.
//!
//! What values mean is in `search_values`; what is hidden from whom in `search_leaks`.

use serde_json::{Value, json};
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{IDENTIFIERS, LOINC, UCUM, patient, quantity};
use techo_conformance_tests::stock::{Stock, clinic};
use techo_conformance_tests::world::{World, ids};

#[test]
fn chains_follow_references() {
    let stock = clinic();
    let loinc = format!("{LOINC}|29463-7");
    stock.finds(&[
        ("Observation", "subject:Patient.name", "鎖田", "light heavy"),
        ("Observation", "subject:Patient.name", "鎖", "light heavy kens"),
        ("Observation", "subject:Patient.name:exact", "鎖", ""),
        ("Observation", "subject:Patient.name:contains", "山", "kens"),
        ("Observation", "subject.name", "鎖山", "kens"),
        ("Observation", "patient.name", "鎖田", "light heavy"),
        ("Observation", "patient.family", "鎖田,鎖山", "light heavy kens"),
        ("Observation", "patient.identifier", &format!("{IDENTIFIERS}|chain-ken"), "kens"),
        ("Observation", "patient.identifier", "chain-nobody", ""),
        ("Observation", "patient.gender", "male", "kens"),
        ("Observation", "patient.gender:not", "male", "light heavy"),
        ("Observation", "patient.gender:missing", "true", ""),
        ("Observation", "patient._id", "{ai}", "light heavy"),
        ("Observation", "patient._lastUpdated", "gt2020", "light heavy kens"),
        ("Observation", "patient.birthdate", "2024-04-01", "light heavy kens"),
        ("Observation", "patient.general-practitioner:Practitioner.name", "鎖原", "kens"),
        ("Observation", "patient.general-practitioner.name", "鎖森", "light heavy"),
        ("Observation", "performer:Organization.name", "鎖病棟", "light"),
        ("Observation", "performer:Organization.partof.name", "鎖病院", "light"),
        ("Observation", "performer:Organization.partof.name", "鎖病棟", ""),
        ("Observation", "performer.name", "鎖病棟", "light"),
        ("Observation", "performer.name", "鎖森", "heavy"),
        ("Observation", "performer.name", "鎖", "light heavy kens"),
        ("Observation", "performer:Practitioner.name", "鎖病棟", ""),
        ("Observation", "encounter.class", "AMB", "light"),
        ("Observation", "encounter.service-provider.partof.name", "鎖病院", "light"),
        ("Observation", "encounter.subject:Patient.name", "鎖田", "light"),
        ("Encounter", "subject:Patient.identifier", "chain-ai", "seen"),
        ("Encounter", "patient.name&class=AMB", "鎖", "seen"),
        ("Provenance", "target:Observation.code", &loinc, "trace"),
        ("Provenance", "target:Observation.patient.name", "鎖田", "trace"),
        ("Provenance", "target:Observation.patient.name", "鎖山", ""),
    ]);
    let both = format!("Observation?patient.name={}&code=29463-7&_sort=-date&_total=accurate", encode("鎖"));
    let answer = stock.tester.search(&both);
    assert_eq!(answer["total"], 3, "{answer}");
    assert_eq!(ids(&answer, "match"), ["kens", "heavy", "light"].map(|name| stock.id(name).to_owned()));
    stock.refuses(&[
        ("Observation", "subject:Patient.nothing", "x", "not-supported"),
        ("Observation", "code.text", "x", "value"),
        ("Observation", "subject:Practitioner.name", "x", "invalid"),
        ("Provenance", "target.name", "x", "value"),
        ("Observation", "encounter.service-provider.partof.partof.name", "x", "too-costly"),
        ("Observation", "patient.birthdate", "soon", "value"),
        ("Observation", "patient.name:nonsense", "x", "invalid"),
    ]);
}

#[test]
fn reverse_chains_follow_references_back() {
    let mut stock = clinic();
    let item = |name: &str, stock: &Stock| json!({"item": {"reference": format!("Observation/{}", stock.id(name))}});
    let entries = vec![item("light", &stock), item("kens", &stock)];
    stock.put(
        "list",
        &json!({"resourceType": "List", "status": "current", "mode": "working", "subject": {"reference": format!("Patient/{}", stock.id("ai"))}, "entry": entries}),
    );
    stock.put(
        "empty",
        &json!({"resourceType": "List", "status": "current", "mode": "working", "subject": {"reference": format!("Patient/{}", stock.id("ai"))}}),
    );
    stock.finds(&[
        ("Patient", "_has:Observation:patient:code", "29463-7", "ai ken"),
        ("Patient", "_has:Observation:patient:code", &format!("{LOINC}|29463-7"), "ai ken"),
        ("Patient", "_has:Observation:patient:code", "8302-2", ""),
        ("Patient", "_has:Observation:subject:code", "29463-7", "ai ken"),
        ("Patient", "_has:Observation:patient:value-quantity", "gt9", "ai"),
        ("Patient", "_has:Observation:patient:value-quantity", &format!("lt9000|{UCUM}|g"), "ai ken"),
        ("Patient", "_has:Observation:patient:date", "ge2026-03", "ken"),
        ("Patient", "_has:Observation:patient:_id", "{heavy}", "ai"),
        ("Patient", "_has:Encounter:patient:class", "IMP", "ken"),
        ("Patient", "_has:Observation:patient:performer:Practitioner.name", "鎖原", "ken"),
        ("Patient", "_has:Observation:patient:performer.name", "鎖", "ai ken"),
        ("Patient", "_has:Observation:patient:_has:Provenance:target:agent:Practitioner.name", "鎖森", "ai"),
        ("Patient", "_has:Observation:patient:_has:Provenance:target:agent:Practitioner.name", "鎖原", ""),
        ("Patient", "_has:Observation:patient:_has:List:item:_id", "{list}", "ai ken"),
        ("Patient", "_has:Observation:patient:code&gender=male", "29463-7", "ken"),
        ("Practitioner", "_has:Patient:general-practitioner:gender", "male", "hara"),
        ("Practitioner", "_has:Observation:performer:patient.name", "鎖田", "mori"),
        ("Practitioner", "_has:Patient:general-practitioner:_has:Observation:patient:value-quantity", "lt7", "mori"),
        ("Organization", "_has:Organization:partof:name", "鎖病棟", "hospital"),
        ("Organization", "_has:Organization:partof:_has:Observation:performer:patient.name", "鎖田", "hospital"),
        ("Encounter", "patient._has:Observation:patient:value-quantity", "8.0", "stay"),
        ("Observation", "patient._has:Encounter:patient:class", "AMB", "light heavy"),
        ("Observation", "_has:Provenance:target:recorded", "2026-01-01", "light"),
        ("Observation", "_list", "{list}", "light kens"),
        ("Observation", "_list", "List/{list}", "light kens"),
        ("Observation", "_list", "{empty}", ""),
        ("Observation", "_list", "{empty},{list}", "light kens"),
        ("Observation", "_list", "nobody", ""),
        ("Patient", "_list", "{list}", ""),
        ("Patient", "_has:Observation:patient:_list", "{list}", "ai ken"),
    ]);
    stock.refuses(&[
        ("Patient", "_has", "x", "value"),
        ("Patient", "_has:Observation:patient", "x", "value"),
        ("Patient", "_has:Nonsense:patient:code", "x", "invalid"),
        ("Patient", "_has:Observation:code:status", "x", "value"),
        ("Patient", "_has:Observation:encounter:code", "x", "value"),
        ("Patient", "_has:Observation:patient:nonsense", "x", "not-supported"),
        ("Patient", "_has:AuditEvent:patient:date", "2026", "not-supported"),
        (
            "Patient",
            "_has:Observation:patient:_has:Provenance:target:_has:Provenance:target:_has:List:item:_id",
            "x",
            "too-costly",
        ),
        ("Patient", "_list", "$current-problems", "not-supported"),
        ("Patient", "_list", "a/b", "value"),
        ("Patient", "_query", "latest", "not-supported"),
    ]);
    // What was deleted takes no part, as source or as target.
    stock.tester.delete(&format!("Observation/{}", stock.id("kens"))).expect(204);
    stock.tester.delete(&format!("Practitioner/{}", stock.id("mori"))).expect(204);
    stock.finds(&[
        ("Patient", "_has:Observation:patient:code", "29463-7", "ai"),
        ("Observation", "_list", "{list}", "light"),
        ("Observation", "performer.name", "鎖", "light"),
        ("Patient", "general-practitioner.name", "鎖", "ken"),
    ]);
}

#[test]
fn the_parts_of_a_composite_belong_together() {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("複合", "composite-1", "2024-04-01"));
    let component = |code: &str, value: f64| {
        json!({"code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}})
    };
    let pressure = |date: &str, systolic: f64, diastolic: f64| {
        json!({"resourceType": "Observation", "status": "final", "subject": who, "effectiveDateTime": date,
            "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
            "component": [component("8480-6", systolic), component("8462-4", diastolic)]})
    };
    stock.put("low", &pressure("2026-01-10", 100.0, 60.0));
    stock.put("high", &pressure("2026-02-10", 150.0, 95.0));
    stock.put("weight", &quantity(stock.id("who"), "29463-7", "2026-02-10", "60", "kg"));
    stock.put("height", &quantity(stock.id("who"), "8302-2", "2026-02-10", "160", "cm"));
    let odd = json!({"coding": [{"system": "urn:odd", "code": "a$b,c|d"}]});
    stock.put(
        "odd",
        &json!({"resourceType": "Observation", "status": "final", "subject": who, "code": odd,
            "valueCodeableConcept": {"coding": [{"system": "urn:odd", "code": "yes"}]}}),
    );
    stock.put(
        "text",
        &json!({"resourceType": "Observation", "status": "final", "subject": who, "code": odd, "valueString": "よい"}),
    );
    stock.finds(&[
        ("Observation", "component-code-value-quantity", "8480-6$150", "high"),
        ("Observation", "component-code-value-quantity", "8480-6$gt99", "low high"),
        ("Observation", "component-code-value-quantity", "8480-6$gt100", "high"),
        // Each value is there, in another component.
        ("Observation", "component-code-value-quantity", "8480-6$60", ""),
        ("Observation", "component-code-value-quantity", "8480-6$95", ""),
        ("Observation", "component-code-value-quantity", "8462-4$lt90", "low"),
        ("Observation", "component-code-value-quantity", &format!("{LOINC}|8462-4$ge60"), "low high"),
        ("Observation", "component-code-value-quantity", &format!("8480-6$100|{UCUM}|mm[Hg]"), "low"),
        ("Observation", "component-code-value-quantity", &format!("8480-6$100|{UCUM}|kg"), ""),
        ("Observation", "component-code-value-quantity", "8480-6$100,8462-4$95", "low high"),
        ("Observation", "component-code-value-quantity", "urn:no|8480-6$100", ""),
        ("Observation", "component-code-value-quantity:missing&subject=Patient/{who}", "false", "low high"),
        (
            "Observation",
            "component-code-value-quantity:missing&subject=Patient/{who}",
            "true",
            "weight height odd text",
        ),
        ("Observation", "code-value-quantity", "29463-7$60", "weight"),
        ("Observation", "code-value-quantity", "29463-7$60000", ""),
        ("Observation", "code-value-quantity", &format!("29463-7$60000|{UCUM}|g"), "weight"),
        ("Observation", "code-value-quantity", "29463-7$160", ""),
        ("Observation", "code-value-quantity", "8302-2$gt100", "height"),
        ("Observation", "code-value-quantity", "8480-6$100", ""),
        ("Observation", "combo-code-value-quantity", "8480-6$100", "low"),
        ("Observation", "combo-code-value-quantity", "8302-2$160", "height"),
        ("Observation", "combo-code-value-quantity", "8480-6$60", ""),
        ("Observation", "code-value-date", "x$2026", ""),
        ("Observation", "code-value-concept", r"a\$b\,c\|d$yes", "odd"),
        ("Observation", "code-value-concept", r"urn:odd|a\$b\,c\|d$urn:odd|yes", "odd"),
        ("Observation", "code-value-concept", r"a\$b\,c\|d$no", ""),
        ("Observation", "code-value-string", r"a\$b\,c\|d$よ", "text"),
        ("Observation", "combo-code-value-concept", r"a\$b\,c\|d$yes", "odd"),
        ("Observation", "code", r"a\$b\,c\|d", "odd text"),
        ("Patient", "_has:Observation:patient:component-code-value-quantity", "8480-6$gt140", "who"),
        ("Observation", "patient.identifier&component-code-value-quantity=8480-6$gt140", "composite-1", "high"),
    ]);
    stock.refuses(&[
        ("Observation", "code-value-quantity", "29463-7", "value"),
        ("Observation", "code-value-quantity", "29463-7$60$1", "value"),
        ("Observation", "code-value-quantity", "$60", "value"),
        ("Observation", "code-value-quantity", "29463-7$", "value"),
        ("Observation", "code-value-quantity", "29463-7$soon", "value"),
        ("Observation", "code-value-quantity:exact", "29463-7$60", "invalid"),
    ]);
}

/// Where others' rows answer for a composite, it was there as soon as its first half was.
#[test]
fn half_a_composite_is_none() {
    let mut stock = Stock::new();
    let who = stock.put("who", &patient("半分", "composite-2", "2024-04-01"));
    let odd = json!({"coding": [{"system": "urn:odd", "code": "odd"}]});
    let value = json!({"value": 100, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"});
    let about = |code: &Value| json!({"resourceType": "Observation", "status": "final", "subject": who, "code": code});
    let with = |name: &str, value: Value| {
        let mut one = about(&odd);
        one[name] = value;
        one
    };
    for name in ["low", "high"] {
        stock.put(name, &with("component", json!([{"code": odd, "valueQuantity": value}])));
    }
    stock.put("weight", &quantity(stock.id("who"), "29463-7", "2026-02-10", "60", "kg"));
    stock.put("height", &quantity(stock.id("who"), "8302-2", "2026-02-10", "160", "cm"));
    stock.put("odd", &with("valueCodeableConcept", json!({"coding": [{"system": "urn:odd", "code": "yes"}]})));
    stock.put("text", &with("valueString", json!("よい")));
    stock.finds(&[
        // A code without such a value is half of the two, and half is none.
        ("Observation", "code-value-quantity:missing&subject=Patient/{who}", "false", "weight height"),
        ("Observation", "code-value-quantity:missing&subject=Patient/{who}", "true", "low high odd text"),
        ("Observation", "combo-code-value-quantity:missing&subject=Patient/{who}", "false", "low high weight height"),
        ("Observation", "combo-code-value-quantity:missing&subject=Patient/{who}", "true", "odd text"),
        ("Observation", "code-value-concept:missing&subject=Patient/{who}", "false", "odd"),
        ("Patient", "_has:Observation:patient:code-value-quantity:missing", "false", "who"),
        ("Observation", "_filter", "subject re Patient/{who} and code-value-quantity pr true", "weight height"),
    ]);
}

#[test]
fn no_record_lacks_an_id_or_a_stamp() {
    let mut stock = Stock::new();
    stock.put("who", &patient("有", "present-1", "2024-04-01"));
    stock.put("seen", &quantity(stock.id("who"), "29463-7", "2026-02-10", "60", "kg"));
    for name in ["_id", "_lastUpdated"] {
        let missing = format!("{name}:missing");
        stock.finds(&[
            ("Observation", &format!("{missing}&subject=Patient/{{who}}"), "false", "seen"),
            ("Observation", &format!("{missing}&subject=Patient/{{who}}"), "true", ""),
            ("Observation", &missing, "false", "seen"),
            ("Observation", &missing, "true", ""),
            ("Observation", &format!("patient.{missing}"), "false", "seen"),
            ("Observation", &format!("patient.{missing}"), "true", ""),
            ("Patient", &format!("_has:Observation:patient:{missing}"), "false", "who"),
            ("Patient", &format!("_has:Observation:patient:{missing}"), "true", ""),
            ("Observation", "_filter", &format!("subject re Patient/{{who}} and {name} pr true"), "seen"),
            ("Observation", "_filter", &format!("{name} pr false"), ""),
        ]);
        stock.refuses(&[
            ("Observation", &missing, "maybe", "value"),
            ("Observation", "_filter", &format!("{name} pr maybe"), "value"),
        ]);
        let total = |value: &str| stock.tester.search(&format!("Patient?{missing}={value}&_count=0"))["total"].clone();
        assert_eq!(
            (total("true"), total("false")),
            (json!(0), stock.tester.search("Patient?_count=0")["total"].clone())
        );
    }
    // No condition at all is no condition of a write.
    stock.tester.delete("Patient?_id:missing=false").refused(412);
}

#[test]
fn places_are_found_by_their_distance() {
    let mut stock = Stock::new();
    let place = |latitude: f64, longitude: f64| json!({"resourceType": "Location", "name": "所", "position": {"latitude": latitude, "longitude": longitude}});
    stock.put("tokyo", &place(35.6812, 139.7671));
    stock.put("shinjuku", &place(35.6896, 139.7006));
    stock.put("yokohama", &place(35.4660, 139.6223));
    stock.put("osaka", &place(34.7025, 135.4959));
    stock.put("east", &place(0.0, 179.99));
    stock.put("west", &place(0.0, -179.99));
    stock.put("nowhere", &json!({"resourceType": "Location", "name": "所"}));
    stock.finds(&[
        // 6.08 km, 27.3 km and 403 km from Tokyo station.
        ("Location", "near", "35.6812|139.7671|1|km", "tokyo"),
        ("Location", "near", "35.6812|139.7671|6|km", "tokyo"),
        ("Location", "near", "35.6812|139.7671|6.2|km", "tokyo shinjuku"),
        ("Location", "near", "35.6812|139.7671|6200|m", "tokyo shinjuku"),
        ("Location", "near", "35.6812|139.7671", "tokyo shinjuku"),
        ("Location", "near", "35.6812|139.7671|27", "tokyo shinjuku"),
        ("Location", "near", "35.6812|139.7671|28", "tokyo shinjuku yokohama"),
        ("Location", "near", "35.6812|139.7671|400", "tokyo shinjuku yokohama"),
        ("Location", "near", "35.6812|139.7671|405", "tokyo shinjuku yokohama osaka"),
        ("Location", "near", "35.6812|139.7671|4|[mi_i]", "tokyo shinjuku"),
        ("Location", "near", "34.7|135.5|1,35.466|139.622|1", "osaka yokohama"),
        // Across the line of the date.
        ("Location", "near", "0|179.995|3", "east west"),
        ("Location", "near:missing&name=%E6%89%80", "true", "nowhere"),
        ("Location", "_filter", "near eq 34.7|135.5|1", "osaka"),
    ]);
    stock.refuses(&[
        ("Location", "near", "35.68", "value"),
        ("Location", "near", "95|139|1|km", "value"),
        ("Location", "near", "35|139|1|kg", "value"),
        ("Location", "near", "35|139|5000|km", "value"),
        ("Location", "near", "here", "value"),
    ]);
}

/// In `Shift_JIS` and EUC-JP every name would be the same name, which is nobody's.
#[test]
fn bytes_that_are_no_utf_8_are_refused_and_not_replaced() {
    let world = World::new();
    let tester = world.tester();
    tester.create(&patient("山田", "bytes-1", "2024-04-01"));
    for query in
        ["name=%8ER%93c", "name=%BB%B3%C5%C4", "%8E=x", "name=%", "name=%zz", "name=%E5%B1", "_format=xml&name=%E5"]
    {
        for path in [
            format!("Patient?{query}"),
            format!("Patient/_history?{query}"),
            format!("?_type=Patient&{query}"),
            format!("metadata?{query}"),
        ] {
            let answer = tester.get(&path).expect(400);
            let is_xml = query.contains("xml");
            assert!(answer.text().contains("UTF-8") && answer.text().contains("%25"), "{path}: {}", answer.text());
            assert_eq!(answer.text().starts_with('<'), is_xml, "{path}: {}", answer.text());
            assert!(is_xml || answer.json()["issue"][0]["code"] == "value", "{path}: {}", answer.text());
        }
        let form = tester.request("POST", "Patient/_search").body("application/x-www-form-urlencoded", query);
        assert!(form.send().expect(400).text().contains("UTF-8"), "{query}");
        let entry = json!({"request": {"method": "GET", "url": format!("Patient?{query}")}});
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
        let answer = tester.post("", &batch).expect(200).json();
        let issue = &answer["entry"][0]["response"]["outcome"]["issue"][0];
        assert_eq!((&issue["code"], &issue["expression"][0]), (&json!("value"), &json!("Bundle.entry[0].request.url")));
    }
    let japanese = tester.request("GET", "Patient?name=%8ER").header("Accept-Language", "ja").send().refused(400);
    assert!(japanese.text().contains("パーセントエンコーディング"), "{}", japanese.text());
    world.anon().get("Patient?name=%8ER").refused(401);
    // A percent sign is written as one, and what is UTF-8 may stand as it is or escaped.
    assert_eq!(tester.ids("Patient?name=%25"), [""; 0]);
    assert_eq!(tester.ids("Patient?name=%E5%b1%B1%E7%94%B0&identifier=bytes-1").len(), 1);
}
