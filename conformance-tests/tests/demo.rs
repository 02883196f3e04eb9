//! The first command of the README, and the upkeep commands beside a running
//! server.

use std::time::Duration;

use serde_json::json;
use techo_conformance_tests::http::Request;
use techo_conformance_tests::postgres;
use techo_conformance_tests::sample::{consent, weight};
use techo_conformance_tests::server::{Server, on_postgres};
use techo_conformance_tests::world::{Ask, World};

#[test]
fn a_working_world_stands_within_ten_seconds() {
    let server = Server::first();
    // A debug build on a shared machine is many times slower than what is shipped.
    let limit = if cfg!(debug_assertions) { 60 } else { 10 };
    assert!(server.started_in < Duration::from_secs(limit), "{:?}", server.started_in);
    println!("first start: {:?}", server.started_in);
    let info = &server.info;
    let base = info["base"].as_str().expect("base");
    assert!(base.starts_with("http://127.0.0.1:") && base.ends_with("/fhir"), "{base}");
    assert!(info["portal"].as_str().is_some_and(|portal| portal.starts_with("http://127.0.0.1:")), "{info}");
    for (name, patient, user) in [
        ("hanako", Some("pt-hanako"), Some("Patient/pt-hanako")),
        ("kazuko", None, None),
        ("dr-sato", None, Some("Practitioner/dr-sato")),
        ("nurse-ito", None, Some("Practitioner/nurse-ito")),
        ("stranger", Some("pt-stranger"), None),
        ("admin", None, None),
    ] {
        let known = &info["users"][name];
        assert_eq!(known["username"], name, "{info}");
        assert!(known["password"].as_str().is_some_and(|password| password.len() >= 12), "{name}");
        assert_eq!(known["patient"].as_str(), patient, "{name}");
        if let Some(user) = user {
            let fhir_user = known["fhirUser"].as_str().unwrap_or_default();
            assert!(fhir_user == user || fhir_user == "Person/hanako", "{name}: {fhir_user}");
        }
    }
    for (name, secret, keys) in [
        ("app-public", false, false),
        ("app-secret", true, false),
        ("app-keys", false, true),
        ("importer", false, true),
        ("ehr-sakura", false, true),
        ("researcher", false, true),
        ("tester", false, true),
    ] {
        let known = &info["clients"][name];
        assert_eq!(known["client_id"], name);
        assert_eq!((known["client_secret"].is_string(), known["jwks_file"].is_string()), (secret, keys), "{name}");
        let file = known["jwks_file"].as_str().unwrap_or("/");
        assert!(file.starts_with('/'), "absolute: {file}");
    }
    private(&server);
}

#[cfg(unix)]
fn private(server: &Server) {
    use std::os::unix::fs::PermissionsExt;
    for client in ["tester", "importer", "app-keys"] {
        let path = server.info["clients"][client]["jwks_file"].as_str().unwrap_or_default();
        let mode = std::fs::metadata(path).expect("the key file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path} is ours alone: {mode:o}");
    }
}

#[test]
fn a_second_start_keeps_everything() {
    let world = World::new();
    let tester = world.tester();
    let id = tester.create(&techo_conformance_tests::sample::patient("続", "second", "2024-04-01"));
    let before = world.server.info.clone();
    let mother = world.mother_for_daughter();
    let count = mother.ids("Immunization?patient=pt-mei").len();
    let world = world.killed_and_restarted();
    for part in ["users", "clients"] {
        for (name, known) in before[part].as_object().into_iter().flatten() {
            for secret in ["password", "client_secret", "jwks_file"] {
                assert_eq!(world.server.info[part][name][secret], known[secret], "{name} {secret}");
            }
        }
    }
    world.tester().get(&format!("Patient/{id}")).expect(200);
    assert_eq!(
        world.mother_for_daughter().ids("Immunization?patient=pt-mei").len(),
        count,
        "nothing was imported twice"
    );
}

#[test]
fn health_and_pages_answer() {
    let world = World::new();
    let origin = world.base.trim_end_matches("/fhir");
    Request::get(&format!("{origin}/health/live")).send().expect(200);
    Request::get(&format!("{origin}/health/ready")).send().expect(200);
    let page = Request::get(&format!("{}/", world.portal.trim_end_matches('/'))).send();
    assert!([200, 302, 303, 307].contains(&page.status), "{}", page.status);
    for header in ["Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"] {
        assert!(page.header(header).is_some(), "{header} in {:?}", page.headers);
    }
    assert_eq!(Request::get(&format!("{origin}/nonsense")).send().status, 404);
}

#[test]
fn the_portal_shows_the_children_and_not_to_others() {
    let world = World::new();
    let (browser, start) = world.portal_of("hanako");
    let mut shown = start.answer.text();
    for link in techo_conformance_tests::page::links(&shown.clone()) {
        let url = start.resolve(&link);
        if url.starts_with(&world.portal) && !url.contains("sign") {
            let page = browser.open(&url);
            assert!(page.answer.status < 500, "{url}: {}", page.answer.status);
            shown += &page.answer.text();
        }
    }
    for word in ["芽衣", "太郎"] {
        assert!(shown.contains(word), "{word}");
    }
    let (browser, start) = world.portal_of("stranger");
    let mut other = start.answer.text();
    for link in techo_conformance_tests::page::links(&other.clone()) {
        let url = start.resolve(&link);
        if url.starts_with(&world.portal) && !url.contains("sign") {
            other += &browser.open(&url).answer.text();
        }
    }
    assert!(!other.contains("芽衣"));
}

/// Beside a reference to someone hidden from her, the grandmother read in the portal a name
/// that the FHIR API cuts.
#[test]
fn the_portal_names_nobody_whom_the_api_would_not() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let mut seen = weight("pt-mei", "2026-10-01", "7.77");
    seen["performer"] = json!([{"reference": "Patient/pt-stranger", "display": "内緒の人"},
        {"reference": "Organization/org-sakura-clinic", "display": "さくらの人"}]);
    world.importer().create(&seen);
    let actor = "RelatedPerson/rp-kazuko-mei";
    mother.create(&consent("pt-mei", "RelatedPerson/rp-hanako-mei", "permit", "Observation", actor));
    for (user, told) in [("kazuko", false), ("hanako", true)] {
        let (browser, start) = world.portal_of(user);
        let page = browser.open(&start.resolve("/records/pt-mei")).answer.expect(200).text();
        assert!(page.contains("7.77") && page.contains("さくら"), "{user}: {page}");
        assert_eq!(page.contains("内緒"), told, "{user}: {page}");
    }
}

/// For who hears the page: headings in order, names read as the language they are in,
/// times that a program can read; and no id in place of a name.
#[test]
fn the_pages_in_english_say_what_is_japanese_and_keep_their_order() {
    let world = World::new();
    world.mother_for_daughter().get("Patient/pt-mei").expect(200);
    let (browser, _) = world.portal_of("hanako");
    let portal = world.portal.trim_end_matches('/');
    let open = |path: &str| browser.open(&format!("{portal}{path}")).answer.expect(200).text();
    let page = open("/access?lang=en");
    assert!(page.contains("<h1>") && page.contains("<h2>") && !page.contains("<h3"), "{page}");
    let times: Vec<&str> = page.split("<time").skip(1).collect();
    assert!(!times.is_empty());
    for time in times {
        let at = time.strip_prefix(" datetime=\"").and_then(|rest| rest.split('"').next()).expect("a datetime");
        assert!(at.len() == "2026-11-28T23:36+09:00".len() && at.contains('T') && at.ends_with("+09:00"), "{at}");
    }
    for path in ["/?lang=en", "/access?lang=en", "/records/pt-mei?lang=en"] {
        let page = open(path);
        let marked = page.match_indices("芽衣").filter(|(at, _)| !page[..*at].ends_with("<title>山田 "));
        for (at, _) in marked {
            let tag = page[..at].rfind('<').map_or("", |from| &page[from..at]);
            assert!(tag.contains(" lang=\"ja\""), "{path}: {tag}");
        }
        assert!(page.contains("<small lang=\"ja\">手帳</small>"), "{path}");
    }
    let japanese = open("/access?lang=ja");
    assert!(japanese.contains("芽衣") && !japanese.contains(" lang=\"ja\">山田"), "all of it is Japanese");
    let words = techo_conformance_tests::page::text(&page);
    for id in ["Patient/", "Practitioner/", "Organization/", "Person/", "Device/", "RelatedPerson/"] {
        assert!(!words.contains(id), "{id} in {words}");
    }
    // A page that says what went wrong leads back in the same language.
    let wrong = browser.open(&format!("{portal}/oauth/authorize?client_id=nobody&lang=en"));
    assert!(wrong.answer.text().contains("href=\"/?lang=en\""), "{}", wrong.answer.text());
}

#[test]
fn every_command_explains_itself() {
    let world = World::new();
    for command in [
        "demo",
        "serve",
        "import",
        "client",
        "user",
        "token",
        "validate",
        "fhirpath",
        "migrate",
        "reindex",
        "backup",
        "restore",
        "audit-verify",
        "keys",
        "doctor",
    ] {
        let output =
            std::process::Command::new(techo_conformance_tests::server::binary()).args([command, "--help"]).output();
        let output = output.expect("techo can be run");
        assert!(output.status.success() && !output.stdout.is_empty(), "{command} --help");
    }
    let output = std::process::Command::new(techo_conformance_tests::server::binary())
        .arg("nonsense")
        .output()
        .expect("techo can be run");
    assert_eq!(output.status.code(), Some(2), "bad usage");
    let output = world.server.command(&["doctor"]);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The world of a test was made under another port, so under another public origin.
#[test]
fn rows_indexed_under_another_origin_were_told_by_nobody() {
    let world = World::new();
    let index = || {
        let output = world.server.command(&["doctor"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().find(|line| line.contains("  index ")).unwrap_or_default().to_owned()
    };
    let told = index();
    assert!(told.starts_with("WARN") && told.contains("techo reindex"), "{told}");
    let output = world.server.command(&["reindex"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = index();
    assert!(told.starts_with("ok"), "{told}");
}

#[test]
fn commands_that_need_the_server_stopped_say_so() {
    let world = World::new();
    let backup = world.server.data.join("backup.techo");
    let backup = backup.to_string_lossy();
    let output = world.server.command(&["backup", &backup]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if on_postgres() {
        // Its own tools back it up; a refusal that names them is what an operator needs.
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("pg_dump"), "{said}");
    } else {
        assert!(output.status.success(), "{said}");
    }
    for arguments in [vec!["restore", &backup], vec!["migrate"]] {
        let output = world.server.command(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} beside a running server");
    }
}

#[test]
fn a_database_that_may_lose_writes_is_refused() {
    // SQLite is opened in its safe mode by the program itself.
    if !on_postgres() {
        return;
    }
    let mut world = World::new();
    world.server.stop();
    let url = world.server.database.clone().expect("a database of its own");
    let name = url.rsplit('/').next().expect("its name");
    postgres::sql(name, &format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off"));
    let output = world.server.command(&["user", "list"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("synchronous_commit"), "the operator is told what to switch on: {said}");
}

#[test]
fn files_are_validated_and_paths_evaluated() {
    let world = World::new();
    let folder = techo_conformance_tests::server::directory();
    std::fs::create_dir_all(&folder).expect("a folder");
    let good = folder.join("good.json");
    let bad = folder.join("bad.json");
    std::fs::write(&good, r#"{"resourceType":"Patient","birthDate":"2024-04-01","name":[{"family":"試"}]}"#)
        .expect("a file");
    std::fs::write(&bad, r#"{"resourceType":"Patient","birthDate":"2024-13-01"}"#).expect("a file");
    let run = |arguments: &[&str]| world.server.command(arguments);
    assert_eq!(run(&["validate", &good.to_string_lossy()]).status.code(), Some(0));
    let output = run(&["validate", &bad.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("OperationOutcome"));
    let output = run(&["fhirpath", "name.family", &good.to_string_lossy()]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "\"試\"");
    std::fs::remove_dir_all(folder).ok();
}

#[test]
fn accounts_and_clients_are_kept_from_the_command_line() {
    let world = World::new();
    let run = |arguments: &[&str]| {
        let output = world.server.command(arguments);
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (code, said) = run(&[
        "client",
        "add",
        "--id",
        "new-app",
        "--kind",
        "public",
        "--redirect",
        "https://app.example/cb",
        "--scope",
        "patient/*.rs",
    ]);
    assert_eq!(code, 0, "{said}");
    assert!(run(&["client", "list"]).1.contains("new-app"));
    assert_eq!(run(&["client", "add", "--id", "new-app", "--kind", "public"]).0, 1, "the name is taken");
    assert_eq!(run(&["client", "remove", "--id", "new-app"]).0, 0);
    assert!(!run(&["client", "list"]).1.contains("new-app"));
    let (code, said) = run(&["user", "add", "--name", "new-person", "--patient", "pt-stranger"]);
    assert_eq!(code, 0, "{said}");
    assert!(run(&["user", "list"]).1.contains("new-person"));
    assert_eq!(run(&["user", "lock", "--name", "new-person"]).0, 0);
}
