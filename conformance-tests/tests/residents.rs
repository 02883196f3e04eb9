//! Whose record an import may touch, and what it tells of others: a town's key finds its
//! own resident, nobody else's, and the Individual Number finds nobody.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::imports::{count, import, issues, report, row, send, total};
use techo_conformance_tests::sample::consent;
use techo_conformance_tests::world::{Ask, Caller, World};

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

/// Whoever asked for a resident key first had it: another Organization's import told by
/// `patient-unknown` that it was bound, and took it for good where it was not.
#[test]
fn a_resident_key_is_each_organizations_own() {
    let world = World::new();
    let (importer, tester) = (world.importer(), world.backend("tester", "system/*.cruds"));
    let of = |key: &str, height: &str| row(height).replace("0000088001", key);
    send(&importer, "checkups.csv", &of("0000088001", "61.2")).expect(200);
    // Makes the place of all of them.
    send(&tester, "checkups.csv", &of("0000088000", "62.2")).expect(200);
    let [bound, free] = ["0000088001", "0000088009"].map(|key| {
        let answer = send(&tester, "checkups.csv", &of(key, "62.2")).expect(200);
        assert_eq!(count(&report(&answer.json())["files"][0], "created", "Patient"), 1, "{}", answer.text());
        fingerprint(&answer, key)
    });
    assert_eq!(bound, free, "that another has bound it is not told");
    let who = |caller: &Caller, key: &str| caller.ids(&format!("Patient?identifier={key}"));
    let (hers, theirs) = (who(&importer, "0000088001"), who(&tester, "0000088001"));
    assert_eq!((hers.len(), theirs.len()), (1, 1));
    assert_ne!(hers, theirs, "each Organization has its own Patient");
    let heights = importer.search(&format!("Observation?subject=Patient/{}&code=8302-2", hers[0]));
    assert_eq!(heights["entry"][0]["resource"]["valueQuantity"]["value"], 61.2, "her record stays: {heights}");
    assert_eq!(heights["entry"][0]["resource"]["meta"]["versionId"], "1");
    for caller in [&importer, &tester] {
        let height = if caller.token == importer.token { "61.2" } else { "62.2" };
        let again = report(&send(caller, "checkups.csv", &of("0000088001", height)).expect(200).json());
        let file = &again["files"][0];
        assert_eq!((total(file, "created"), total(file, "updated")), (0, 0), "found by its own key: {again}");
    }
    let late = report(&send(&importer, "checkups.csv", &of("0000088009", "61.2")).expect(200).json());
    assert_eq!(count(&late["files"][0], "created", "Patient"), 1, "nobody took it: {late}");
}

/// A warning about the days between two doses told a town of one that the mother had
/// entered and had shared with nobody.
#[test]
fn a_dose_that_is_not_shared_warns_nobody() {
    let world = World::new();
    let importer = world.importer();
    let mother = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let file = |vaccine: &str, day: &str| {
        let path = world.server.data.join("doses.json");
        let dose = json!([{"municipalityCode": "101010", "residentNumber": "0000077002", "name": "山田　芽衣",
            "birthDate": "2026-07-10", "vaccine": vaccine, "date": day, "category": "1期", "dose": 1}]);
        fs::write(&path, dose.to_string()).expect("a file");
        path
    };
    let judged = |vaccine: &str, day: &str| {
        let (_, told) = import(&world, &["--dry-run"], &[file(vaccine, day)]);
        assert_eq!(count(&told["files"][0], "created", "Immunization"), 1, "{told}");
        issues(&told["files"][0])
    };
    let warned = |told: &[(u64, String)]| told.iter().any(|(_, code)| code == "interval");
    let before = judged("麻しん風しん", "2026-10-10");
    assert!(!warned(&before), "{before:?}");
    let hidden = mother.create(&json!({"resourceType": "Immunization", "status": "completed",
        "vaccineCode": {"coding": [{"system": "https://techo.example/fhir/CodeSystem/jp-vaccine", "code": "VAR"}]},
        "patient": {"reference": "Patient/pt-mei"}, "occurrenceDateTime": "2026-10-01"}));
    importer.get(&format!("Immunization/{hidden}")).refused(404);
    assert_eq!(judged("麻しん風しん", "2026-10-10"), before, "techo import");
    let share = consent("pt-mei", "RelatedPerson/rp-hanako-mei", "permit", "Immunization", "Organization/org-city");
    let shared = mother.create(&share);
    let seen = judged("麻しん風しん", "2026-10-10");
    assert!(warned(&seen), "what is shared counts: {seen:?}");
    let mut ended = mother.get(&format!("Consent/{shared}")).expect(200).json();
    ended["status"] = json!("inactive");
    mother.put(&format!("Consent/{shared}"), &ended).expect(200);
    assert_eq!(judged("麻しん風しん", "2026-10-10"), before, "and no longer");
    let body = fs::read(file("麻しん風しん", "2026-10-10")).expect("the file");
    let answer = importer.request("POST", "$import").body("application/json", body).send().expect(200);
    assert_eq!(issues(&report(&answer.json())["files"][0]), before, "$import");
    let own = judged("水痘", "2026-10-12");
    assert!(warned(&own), "beside what the town itself published: {own:?}");
}

/// Of a key that another had bound it was told `patient-unknown`, of a free one
/// `municipality-foreign`.
#[test]
fn a_town_makes_nobody_under_another_towns_keys() {
    let world = World::new();
    let (_, kept) = import(&world, &[], &[keys(&world, &["0000088001"])]);
    assert_eq!(count(&kept["files"][0], "created", "Patient"), 1, "{kept}");
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
    let both = keys(&world, &["0000088001", "0000088009"]);
    let output = world.server.command(&["import", "--json", "--client", "neighbour", &both.to_string_lossy()]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let foreign = |line| (line, "municipality-foreign".to_owned());
    assert_eq!(issues(&told["files"][0]), [foreign(2), foreign(3)], "bound or not: {told}");
    assert_eq!(total(&told["files"][0], "created"), 0, "{told}");
    let (_, report) = import(&world, &[], &[both]);
    assert_eq!(count(&report["files"][0], "created", "Patient"), 1, "the key is still free for its town: {report}");
}

/// A file with a row for each of these resident keys.
fn keys(world: &World, keys: &[&str]) -> PathBuf {
    let path = world.server.data.join("keys.csv");
    let rows = row("61.2");
    let (header, first) = rows.split_once("\r\n").expect("a header");
    let rows: String = keys.iter().map(|key| first.replace("0000088001", key)).collect();
    fs::write(&path, format!("{header}\r\n{rows}")).expect("a file");
    path
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

/// A notebook of the daughter's: what she is allergic to, and a medicine with its usage.
fn notebook(allergy: &str, usage: &str) -> String {
    format!(
        "JAHISTC08,1\r\n1,山田　芽衣,2,20260710,,,,,,,ﾔﾏﾀﾞ ﾒｲ\r\n2,1,{allergy},2\r\n5,20260924,1\r\n\
         11,見本調剤薬局例町店（架空）,10,4,9999970,,例県例町見本１－２－３,00-0000-0001,1\r\n\
         201,1,見本坐剤２０ｍｇ,1,個,1,,1\r\n301,1,{usage},3,回分,3,1,,1\r\n"
    )
}

/// What a town's backend is told of the notebook that it brings for her.
#[track_caller]
fn brought(town: &Caller, body: &str) -> Value {
    let sent = town.request("POST", "$import?patient=pt-mei&format=jahis").body("text/plain", body.as_bytes().to_vec());
    report(&sent.send().expect(200).json())["files"][0].take()
}

/// The same for another Organization, by the operator's command.
#[track_caller]
fn brought_by(world: &World, client: &str, body: &str) -> Value {
    let path = world.server.data.join("notebook.txt");
    fs::write(&path, body).expect("a file");
    let arguments = ["import", "--json", "--client", client, "--patient", "pt-mei", &path.to_string_lossy()];
    let output = world.server.command(&arguments);
    let told: Value = serde_json::from_slice(&output.stdout).expect("a report");
    told["files"][0].clone()
}

fn mother(world: &World) -> Caller {
    world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/*.cruds").of("pt-mei"))
}

/// The records of hers with this text in them.
#[track_caller]
fn with(mother: &Caller, kind: &str, text: &str) -> Vec<Value> {
    let all = mother.search(&format!("{kind}?patient=pt-mei&_count=200"));
    let all = all["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone());
    all.filter(|one| one.to_string().contains(text)).collect()
}

/// A town's backend was told by the numbers of an import what another had placed in the
/// citizen's keeping, and wrote over it.
#[test]
fn a_notebook_told_what_others_had_placed() {
    let world = World::new();
    let (mother, town) = (mother(&world), world.importer());
    let placed = brought_by(&world, "tester", &notebook("そばアレルギー", "発熱時　挿入"));
    assert_eq!(count(&placed, "created", "AllergyIntolerance"), 1, "{placed}");
    let hers = with(&mother, "AllergyIntolerance", "そばアレルギー").remove(0);
    town.get(&format!("AllergyIntolerance/{}", hers["id"].as_str().expect("an id"))).refused(404);

    let files = [
        notebook("そばアレルギー", "発熱時　挿入"),
        notebook("えびアレルギー", "発熱時　挿入"),
        notebook("そばアレルギー", "発熱時　朝のみ挿入"),
    ];
    let told = brought(&town, &files[0]);
    let nothing = json!({});
    assert_eq!((&told["updated"], &told["unchanged"]), (&nothing, &nothing), "what it had not brought: {told}");
    let of =
        |told: &Value, what: &str| count(told, what, "AllergyIntolerance") + count(told, what, "MedicationStatement");
    assert_eq!(of(&told, "created"), 2, "{told}");
    let again = brought(&town, &files[0]);
    assert_eq!((total(&again, "created"), total(&again, "updated")), (0, 0), "what it had: {again}");
    let other = brought(&town, &files[1]);
    assert_eq!((of(&other, "created"), of(&other, "updated"), of(&other, "unchanged")), (1, 0, 1), "{other}");

    // Its own it corrects; that of others stays.
    let fixed = brought(&town, &files[2]);
    assert_eq!(count(&fixed, "updated", "MedicationStatement"), 1, "{fixed}");
    let versions = |text: &str| {
        let all = with(&mother, "MedicationStatement", text);
        all.iter().map(|one| one["meta"]["versionId"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((versions("朝のみ"), versions("発熱時　挿入")), (vec!["2".to_owned()], vec!["1".to_owned()]));

    // An operator is told of what the command brought.
    let again = brought_by(&world, "tester", &files[0]);
    assert_eq!((total(&again, "created"), total(&again, "updated")), (0, 0), "{again}");
}

/// What an operator brought in the name of an Organization is that Organization's.
#[test]
fn a_notebook_that_was_brought_before_is_known_to_who_brought_it() {
    let world = World::new();
    let town = world.importer();
    let body = notebook("そばアレルギー", "発熱時　挿入");
    let placed = brought_by(&world, "importer", &body);
    assert_eq!(count(&placed, "created", "AllergyIntolerance"), 1, "{placed}");
    let told = brought(&town, &body);
    assert_eq!((total(&told, "created"), total(&told, "updated")), (0, 0), "{told}");
    let fixed = brought(&town, &notebook("そばアレルギー", "発熱時　朝のみ挿入"));
    assert_eq!(count(&fixed, "updated", "MedicationStatement"), 1, "{fixed}");
    // And what its backend brought is known to the command.
    let other = notebook("えびアレルギー", "発熱時　夜のみ挿入");
    brought(&town, &other);
    let again = brought_by(&world, "importer", &other);
    assert_eq!((total(&again, "created"), total(&again, "updated")), (0, 0), "{again}");
    // Another Organization placed something over it: that is not told.
    let over = brought_by(&world, "tester", &body.replace("発熱時　挿入", "発熱時　昼のみ挿入"));
    assert_eq!(count(&over, "updated", "MedicationStatement"), 1, "{over}");
    let told = brought(&town, &body);
    assert_eq!(count(&told, "created", "MedicationStatement"), 1, "{told}");
}

/// A corrected line brought back what the mother had deleted, and wrote over what she had
/// changed.
#[test]
fn a_notebook_leaves_the_mother_the_last_word() {
    let world = World::new();
    let (mother, town) = (mother(&world), world.importer());
    let usages = ["発熱時　挿入", "発熱時　朝のみ挿入", "発熱時　夜のみ挿入"];
    let of_usage = |usage: &str| with(&mother, "MedicationStatement", usage);
    let path = |one: &Value| format!("MedicationStatement/{}", one["id"].as_str().expect("an id"));
    brought(&town, &notebook("そばアレルギー", usages[0]));
    let mut hers = of_usage(usages[0]).remove(0);
    hers["note"] = json!([{"text": "母の覚え書き"}]);
    mother.put(&path(&hers), &hers).expect(200);
    let told = brought(&town, &notebook("そばアレルギー", usages[1]));
    assert_eq!(count(&told, "updated", "MedicationStatement"), 1, "{told}");
    let left = mother.get(&path(&hers)).expect(200).json();
    assert_eq!(left["note"][0]["text"], "母の覚え書き", "{left}");
    assert_eq!(left["meta"]["versionId"], "2", "{left}");

    let fixed = of_usage(usages[1]).remove(0);
    assert_ne!(fixed["id"], hers["id"], "it stands beside hers");
    mother.delete(&path(&fixed)).expect(204);
    let same = brought(&town, &notebook("そばアレルギー", usages[1]));
    assert_eq!((total(&same, "created"), total(&same, "updated")), (0, 0), "{same}");
    let other = brought(&town, &notebook("そばアレルギー", usages[2]));
    assert_eq!(count(&other, "updated", "MedicationStatement"), 1, "answered as if it were there: {other}");
    mother.get(&path(&fixed)).refused(410);
    assert!(of_usage(usages[2]).is_empty(), "deleted is deleted");
    let same = brought(&town, &notebook("そばアレルギー", usages[2]));
    assert_eq!((total(&same, "created"), total(&same, "updated")), (0, 0), "{same}");
}
