//! Whose record an import may touch: a town's key finds its own resident, nobody
//! else's, and the Individual Number finds nobody.

use std::fs;

use serde_json::{Value, json};
use techo_conformance_tests::imports::{count, import, issues, report, row, send, total};
use techo_conformance_tests::world::World;

#[test]
fn a_resident_key_of_the_sample_children_finds_them() {
    let world = World::new();
    let body = row("61.2")
        .replace("0000088001", "0000077002")
        .replace("訂正　一子,テイセイ　イチコ,2023-05-10", "山田　芽衣,ヤマダ　メイ,2026-07-10");
    let body = body.replace("2023-09-03", "2026-10-20");
    let before = world.mother_for_daughter().ids("Encounter?patient=pt-mei").len();
    let answer = report(&send(&world.importer(), "checkups.csv", &body).expect(200).json());
    assert_eq!(count(&answer["files"][0], "created", "Patient"), 0, "she is known by her key: {answer}");
    assert_eq!(world.mother_for_daughter().ids("Encounter?patient=pt-mei").len(), before + 1);
    let other = body.replace("2026-07-10", "2026-07-11");
    let answer = send(&world.importer(), "checkups.csv", &other);
    let stopped = answer.status == 422 || total(&report(&answer.json())["files"][0], "created") == 0;
    assert!(stopped, "another birth date stops the import for that person: {}", answer.text());
}

#[test]
fn a_resident_key_of_another_custodian_takes_nothing_and_tells_nothing() {
    let world = World::new();
    let (importer, tester) = (world.importer(), world.backend("tester", "system/*.cruds"));
    assert_eq!(send(&importer, "checkups.csv", &row("61.2")).expect(200).status, 200);
    let answer = send(&tester, "checkups.csv", &row("62.2"));
    let said = answer.text();
    let told = report(&answer.json());
    let file = &told["files"][0];
    assert_eq!((total(file, "created"), total(file, "updated"), total(file, "unchanged")), (0, 0, 0), "{told}");
    assert!(issues(file).iter().any(|(line, code)| (*line, code.as_str()) == (2, "patient-unknown")), "{told}");
    assert!(!said.contains("org-city") && !said.contains("Patient/"), "not whose she is: {said}");
    assert_eq!(tester.ids("Patient?identifier=0000088001"), [""; 0], "no second Patient under her key");
    let who = importer.ids("Patient?identifier=0000088001").remove(0);
    let heights = importer.search(&format!("Observation?subject=Patient/{who}&code=8302-2"));
    assert_eq!(heights["entry"][0]["resource"]["valueQuantity"]["value"], 61.2, "her record stays: {heights}");
    assert_eq!(heights["entry"][0]["resource"]["meta"]["versionId"], "1");
}

#[test]
fn a_town_makes_nobody_under_another_towns_keys() {
    let world = World::new();
    let added = world.server.command(&[
        "client",
        "add",
        "--id",
        "neighbour",
        "--kind",
        "backend",
        "--jwks",
        "https://keys.example/jwks",
        "--scope",
        "system/*.cruds",
        "--org",
        "org-neighbour",
        "--municipality",
        "131016",
    ]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let file = world.server.data.join("checkups.csv");
    fs::write(&file, row("61.2")).expect("a file");
    let output = world.server.command(&["import", "--json", "--client", "neighbour", &file.to_string_lossy()]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(
        issues(&told["files"][0]).iter().any(|(line, code)| (*line, &**code) == (2, "municipality-foreign")),
        "{told}"
    );
    assert_eq!(total(&told["files"][0], "created"), 0, "{told}");
    let (_, report) = import(&world, &[], &[file]);
    assert_eq!(count(&report["files"][0], "created", "Patient"), 1, "the key is still free for its town: {report}");
}

#[test]
fn an_individual_number_is_not_taken_in_over_fhir() {
    let world = World::new();
    let tester = world.backend("tester", "system/*.cruds");
    let patient = |system: &str| {
        json!({"resourceType": "Patient", "identifier": [{"system": system, "value": "123456789018"}]}).to_string()
    };
    let sent =
        |body: &str| tester.request("POST", "Patient").body("application/fhir+json", body.as_bytes().to_vec()).send();
    let refused = sent(&patient("https://a.example/Id/my-number")).expect(400);
    assert!(refused.text().contains("Patient.identifier[0].value"), "{}", refused.text());
    assert!(!refused.text().contains("123456789018"), "the number itself is not repeated");
    // The same digits under another name may be anything: one in ten passes the check.
    sent(&patient("https://a.example/Id/chart")).expect(201);
    let transaction = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
        "resource": serde_json::from_str::<Value>(&patient("urn:mynumber")).expect("JSON"),
        "request": {"method": "POST", "url": "Patient"}}]});
    let body = transaction.to_string().into_bytes();
    let answer = tester.request("POST", "").body("application/fhir+json", body).send();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(tester.ids("Patient?identifier=123456789018").len(), 1);
}
