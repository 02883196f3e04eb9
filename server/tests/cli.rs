//! The command line, as an operator meets it: the binary, its output, its exit codes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use techo_server::random::Random;
use techo_server::store::Db;

/// An installation in a directory of its own, removed at the end.
struct Place {
    data: PathBuf,
}

impl Place {
    fn new() -> Self {
        Self { data: std::env::temp_dir().join(format!("techo-cli-{}", Random::system().id())) }
    }

    /// With a town's custodial backend `importer`.
    fn with_importer() -> Self {
        let place = Self::new();
        std::fs::create_dir_all(&place.data).expect("a directory");
        let keys = place.data.join("importer.json");
        std::fs::write(&keys, PUBLIC_KEYS).expect("written");
        let keys = keys.to_str().expect("a path");
        let scope = "system/*.cruds";
        place.good(&[
            "client", "add", "--id", "importer", "--kind", "backend", "--jwks", keys, "--scope", scope, "--org",
            "org-town",
        ]);
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(Command::new(BINARY).args(arguments).env("TECHO_DATA", &self.data))
    }

    /// Standard output of a command that has to succeed.
    fn good(&self, arguments: &[&str]) -> String {
        self.ends(arguments, 0)
    }

    /// Standard output of a command that has to end with this code.
    fn ends(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        serde_json::from_str(&self.ends(arguments, code)).expect("JSON")
    }

    async fn database(&self) -> Db {
        Db::open(&format!("sqlite:{}", self.data.join("techo.db").display())).await.expect("a database")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn run(command: &mut Command) -> Output {
    for name in ["LANG", "LC_ALL", "LC_MESSAGES", "TECHO_BASE_URL", "TECHO_CONFIG", "TECHO_DATABASE"] {
        command.env_remove(name);
    }
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn sample(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name).to_str().expect("a path").to_owned()
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in [
        "demo",
        "serve",
        "import",
        "client add",
        "client list",
        "client rotate",
        "client remove",
        "user add",
        "user list",
        "user reset",
        "user lock",
        "token",
        "validate",
        "fhirpath",
        "migrate",
        "reindex",
        "backup",
        "restore",
        "audit-verify",
        "keys rotate",
        "doctor",
    ] {
        let output = run(Command::new(BINARY).args(command.split(' ')).arg("--help"));
        let text = said(&output);
        assert!(output.status.success(), "{command}");
        assert!(text.contains("Example"), "{command}: {text}");
        assert!(text.contains("--data") && text.contains("--database") && text.contains("--config"), "{command}");
    }
}

#[test]
fn bad_usage_ends_with_2() {
    let place = Place::with_importer();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["import"],
        &["import", "--format", "nonsense", "file"],
        &["client", "add", "--id", "x"],
        &["client", "add", "--id", "x", "--kind", "nonsense"],
        &["client", "add", "--id", "x", "--kind", "public"],
        &["client", "add", "--id", "x", "--kind", "backend"],
        &["client", "add", "--id", "x", "--kind", "public", "--redirect", "ftp://x"],
        &[
            "client",
            "add",
            "--id",
            "x",
            "--kind",
            "secret",
            "--redirect",
            "https://x.example/cb",
            "--scope",
            "system/x",
        ],
        &["client", "add", "--id", "ä", "--kind", "public", "--redirect", "https://x.example/cb"],
        &["client", "rotate"],
        &["client", "rotate", "importer"],
        &["user", "add", "--name", "x", "--patient", "a", "--practitioner", "b"],
        &["user", "add", "--name", "x y"],
        &["token", "--client", "importer", "--scope", "nonsense/*.rs"],
        &["token", "--client", "importer", "--scope", "system/Foo.rs"],
        &["serve", "--database", "mysql://u:secret@x"],
        &["token", "--client", "importer", "--scope", "system/*.rs", "--minutes", "61"],
        &["token", "--client", "importer", "--scope", "system/*.rs", "--minutes", "0"],
        &["token", "--client", "importer", "--scope", "system/*.rs", "--purpose", "NONSENSE"],
        &["fhirpath", "1 + (", "file"],
        &["validate"],
        &["validate", "--profile", "http://x.example", "file"],
        &["keys"],
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(!output.stderr.is_empty(), "{arguments:?} says why");
    }
}

#[test]
fn what_fails_ends_with_1_and_says_what_to_do() {
    let place = Place::with_importer();
    for (arguments, word) in [
        (&["import", "no-such-file"][..], "no-such-file"),
        (&["import", "--client", "nobody", "Cargo.toml"], "techo client add"),
        (&["import", "--patient", "nobody", "Cargo.toml"], "--patient"),
        (&["client", "remove", "nobody"], "nobody"),
        (&["client", "rotate", "nobody"], "techo client list"),
        (&["user", "add", "--name", "x", "--patient", "nobody"], "Patient/nobody"),
        (&["user", "reset", "nobody"], "nobody"),
        (&["token", "--client", "nobody", "--scope", "system/*.rs"], "nobody"),
        (&["token", "--client", "importer", "--scope", "system/*.rs", "--patient", "nobody"], "Patient/nobody"),
        (&["restore", "Cargo.toml"], "no backup"),
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{arguments:?}: {}", said(&output));
    }
    let nowhere = Place::new();
    for arguments in [&["doctor"][..], &["audit-verify"], &["reindex"], &["client", "list"], &["keys", "rotate"]] {
        let output = nowhere.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said(&output).contains("techo migrate"), "{arguments:?}: {}", said(&output));
        assert!(!nowhere.data.exists(), "{arguments:?} makes nothing");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told_at_once_without_its_password() {
    let place = Place::new();
    let begun = std::time::Instant::now();
    for (url, code, word) in [
        ("postgres://me:secret@127.0.0.1:1/x", 1, "127.0.0.1:1"),
        ("postgres://me:secret@127.0.0.1:port/x", 1, "--database"),
        ("mysql://me:secret@x", 2, "sqlite: and postgres:"),
    ] {
        let output = place.run(&["serve", "--database", url]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{url}: {text}");
        assert!(text.contains(word) && !text.contains("secret"), "{url}: {text}");
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_backup_to_where_nothing_can_be_written_says_so() {
    let place = Place::with_importer();
    let before = place.json(&["audit-verify", "--json"], 0);
    let output = place.run(&["backup", "/proc/x"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("/proc/x cannot be written"), "{}", said(&output));
    let after = place.json(&["audit-verify", "--json"], 0);
    assert_eq!(after["chains"][0]["records"], before["chains"][0]["records"], "no backup is recorded");
}

#[test]
fn resources_are_checked_and_asked() {
    let place = Place::new();
    std::fs::create_dir_all(&place.data).expect("a directory");
    let file = |name: &str, text: &str| {
        let path = place.data.join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let good = file(
        "good.json",
        r#"{"resourceType":"Patient","birthDate":"2021-11-03","name":[{"family":"山田","given":["太郎"]}]}"#,
    );
    let bad = file("bad.json", "{\"resourceType\":\"Patient\",\n \"birthDay\":\"2021-11-03\"}");
    let broken = file("broken.json", "{\"resourceType\":");
    let valid = place.json(&["validate", &good], 0);
    assert_eq!(valid["issue"][0]["severity"], "information");
    let lines = place.ends(&["validate", &good, &bad, &broken], 1);
    let outcomes: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes.iter().all(|outcome| outcome["resourceType"] == "OperationOutcome"));
    assert_eq!(outcomes[1]["issue"][0]["diagnostics"], "line 2, column 2");
    assert_eq!(outcomes[2]["issue"][0]["severity"], "error");
    let xml =
        |inner: &str| format!("<?xml version=\"1.0\"?>\n<Patient xmlns=\"http://hl7.org/fhir\">{inner}</Patient>");
    let spelled = file("good.xml", &xml("<name><family value=\"山田\"/></name>"));
    assert_eq!(place.json(&["validate", &spelled], 0)["issue"][0]["severity"], "information");
    assert_eq!(place.good(&["fhirpath", "name.family", &spelled]), "\"山田\"\n");
    let unspelled = file("bad.xml", &xml("\n  <gender value=\"none\"/>"));
    assert_eq!(place.json(&["validate", &unspelled], 1)["issue"][0]["diagnostics"], "line 3, column 11");
    for (expression, expected) in [
        ("name.family | name.given", "\"山田\"\n\"太郎\"\n"),
        ("name.count() + 1", "2\n"),
        ("birthDate < @2022", "true\n"),
        ("photo", ""),
        ("name", "{\"family\":\"山田\",\"given\":[\"太郎\"]}\n"),
    ] {
        assert_eq!(place.good(&["fhirpath", expression, &good]), expected, "{expression}");
    }
    place.ends(&["fhirpath", "1 + 'a'", &good], 1);
}

#[test]
fn clients_and_users_come_and_go() {
    let place = Place::with_importer();
    let redirect = "https://app.example/cb";
    let added = place.json(&["client", "add", "--id", "app", "--kind", "secret", "--redirect", redirect, "--json"], 0);
    let secret = added["client_secret"].as_str().expect("a secret").to_owned();
    let rotated = place.good(&["client", "rotate", "--id", "app"]);
    assert_ne!(rotated.trim_end(), secret);
    assert_eq!(rotated.trim_end().len(), 43, "the secret alone");
    place.ends(&["client", "add", "--id", "app", "--kind", "secret", "--redirect", redirect], 1);
    let listed = place.json(&["client", "list", "--json"], 0);
    assert_eq!(listed[0]["client_id"], "app");
    assert_eq!(listed[0]["redirect_uris"][0], redirect);
    assert_eq!((&listed[1]["custodial"], &listed[1]["keys"]), (&Value::from(true), &Value::from("inline")));
    assert!(!listed.to_string().contains(&secret));
    place.good(&["client", "remove", "app"]);
    assert_eq!(place.json(&["client", "list", "--json"], 0).as_array().map(Vec::len), Some(1));

    let added = place.json(&["user", "add", "--name", "admin", "--json"], 0);
    assert_eq!(added["kind"], "operator");
    let reset = place.good(&["user", "reset", "admin"]);
    assert_ne!(reset.trim_end(), added["password"].as_str().expect("a password"));
    place.good(&["user", "lock", "--name", "admin"]);
    assert_eq!(place.json(&["user", "list", "--json"], 0)[0]["locked"], true);
    place.good(&["user", "lock", "--name", "admin", "--undo"]);
    assert_eq!(place.json(&["user", "list", "--json"], 0)[0]["locked"], false);
}

#[test]
fn a_token_is_printed_bare_and_recorded() {
    let place = Place::with_importer();
    let before = place.json(&["audit-verify", "--json"], 0);
    let token = place.good(&["token", "--client", "importer", "--scope", "system/*.rs", "--minutes", "5"]);
    assert_eq!(token.lines().count(), 1);
    assert!(token.trim_end().len() == 43 && !token.contains(' '), "{token}");
    let after = place.json(&["audit-verify", "--json"], 0);
    let records = |report: &Value| report["chains"][0]["records"].as_u64();
    assert_eq!(records(&after), records(&before).map(|count| count + 1));
    assert_eq!(after["sound"], true);
}

#[test]
fn files_come_in_once() {
    let place = Place::with_importer();
    let files = [sample("municipal/infant-checkups.csv"), sample("municipal/immunizations.json")];
    let dry = place.json(&["import", "--dry-run", "--json", &files[0], &files[1]], 0);
    let first = place.json(&["import", "--json", &files[0], &files[1]], 0);
    assert_eq!(first["files"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["files"][0]["name"], "infant-checkups.csv");
    let made = |report: &Value| report["files"][0]["created"]["Observation"].as_u64();
    assert!(made(&first) > Some(0) && made(&first) == made(&dry), "a dry run says what would be, and does nothing");
    let again = place.json(&["import", "--json", &files[0], &files[1]], 0);
    for file in again["files"].as_array().expect("files") {
        assert_eq!(file["outcome"], "unchanged");
        assert_eq!((&file["created"], &file["updated"]), (&serde_json::json!({}), &serde_json::json!({})));
    }
    let unknown = place.json(&["import", "--json", &sample("jahis/README.md")], 1);
    assert_eq!(unknown["files"][0]["outcome"], "refused");
    let japanese = run(Command::new(BINARY)
        .args(["import", &sample("jahis/README.md")])
        .env("TECHO_DATA", &place.data)
        .env("LC_CTYPE", "C"));
    assert!(said(&japanese).contains("No format"), "{}", said(&japanese));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_checked_and_set_right() {
    let place = Place::with_importer();
    place.good(&["import", &sample("municipal/infant-checkups.csv"), &sample("municipal/immunizations.json")]);
    let sound = place.json(&["reindex", "--check", "--json"], 0);
    assert_eq!(sound["different"], 0);
    assert!(sound["rows"].as_u64() > Some(500), "{sound}");
    let database = place.database().await;
    for (sql, table, kind) in [
        ("DELETE FROM token WHERE rid % 7 = 0", "token", "missing"),
        ("DELETE FROM compartment WHERE rid % 5 = 0", "compartment", "missing"),
        ("UPDATE date SET high = high + 1 WHERE rid % 11 = 0", "date", "extra"),
        ("UPDATE quantity SET low = low + 0.5", "quantity", "extra"),
        ("UPDATE words SET content = content || ' x' WHERE rid % 3 = 0", "words", "extra"),
        ("DELETE FROM words WHERE rid % 4 = 0", "words", "missing"),
        ("INSERT INTO uri (param, value, rid, grp) VALUES (1, 'urn:x', 999999999, 0)", "uri", "extra"),
    ] {
        assert!(database.execute(sql, []).await.expect("changed") > 0, "{sql}");
        let found = place.json(&["reindex", "--check", "--json"], 1);
        assert!(found[kind][table].as_u64() > Some(0), "{sql}: {found}");
        assert_eq!(place.json(&["reindex", "--check", "--json"], 1), found, "a check changes nothing");
        place.good(&["reindex"]);
        assert_eq!(place.json(&["reindex", "--check", "--json"], 0), sound, "{sql}");
    }
    database.execute("UPDATE resource SET epoch = epoch + 1", []).await.expect("changed");
    let stale = place.json(&["reindex", "--check", "--json"], 0);
    assert_eq!((&stale["different"], &stale["stale"]), (&Value::from(0), &sound["records"]));
    place.good(&["reindex"]);
    assert_eq!(place.json(&["reindex", "--check", "--json"], 0), sound);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_and_audit_see_damage() {
    let place = Place::with_importer();
    place.good(&["import", &sample("municipal/infant-checkups.csv")]);
    let healthy = place.json(&["doctor", "--json"], 0);
    assert_eq!(healthy["healthy"], true, "{healthy}");
    place.database().await.execute("DELETE FROM token", []).await.expect("changed");
    let ill = place.json(&["doctor", "--json"], 1);
    let fails = |report: &Value, check: &str| {
        report["checks"].as_array().expect("checks").iter().any(|one| one["check"] == check && one["state"] == "fail")
    };
    assert!(fails(&ill, "index") && !fails(&ill, "audit log"), "{ill}");
    let segment = std::fs::read_dir(place.data.join("audit/1"))
        .or_else(|_| std::fs::read_dir(first_folder(&place.data.join("audit"))))
        .expect("a chain")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| std::fs::metadata(path).is_ok_and(|file| file.len() > 200))
        .expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("read");
    bytes[150] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    assert_eq!(place.json(&["audit-verify", "--json"], 1)["sound"], false);
    assert!(fails(&place.json(&["doctor", "--json"], 1), "audit log"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(place.data.join("keys"), std::fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(fails(&place.json(&["doctor", "--json"], 1), "keys"));
    }
}

fn first_folder(path: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(path).expect("a folder").flatten();
    entries.find(|entry| entry.path().is_dir()).expect("a chain").path()
}

#[test]
fn a_backup_is_the_same_installation() {
    let place = Place::with_importer();
    place.good(&["import", &sample("municipal/infant-checkups.csv")]);
    let sound = place.json(&["reindex", "--check", "--json"], 0);
    let kept = Place::new();
    std::fs::create_dir_all(&kept.data).expect("a directory");
    let file = kept.data.join("a.techo-backup");
    let file = file.to_str().expect("a path");
    place.good(&["backup", file]);
    place.ends(&["backup", file], 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    assert!(said(&place.run(&["restore", file])).contains("--force"), "data that are there stay");
    let other = Place::new();
    other.good(&["restore", file]);
    assert_eq!(other.json(&["reindex", "--check", "--json"], 0), sound);
    assert_eq!(other.json(&["client", "list", "--json"], 0), place.json(&["client", "list", "--json"], 0));
    assert_eq!(other.json(&["audit-verify", "--json"], 0)["sound"], true);
    let again = other.json(&["import", "--json", &sample("municipal/infant-checkups.csv")], 0);
    assert_eq!(again["files"][0]["outcome"], "unchanged", "its import keys came along");
    other.good(&["client", "remove", "importer"]);
    let forced = other.json(&["restore", "--force", "--json", file], 0);
    assert!(Path::new(forced["set_aside"].as_str().expect("a folder")).join("techo.db").exists());
    assert_eq!(other.json(&["client", "list", "--json"], 0).as_array().map(Vec::len), Some(1));
    let mut bytes = std::fs::read(file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = kept.data.join("damaged");
    std::fs::write(&damaged, bytes).expect("written");
    let third = Place::new();
    third.ends(&["restore", damaged.to_str().expect("a path")], 1);
    assert!(!third.data.join("techo.db").exists(), "nothing of a damaged backup is put in place");
}

#[test]
fn keys_turn_and_what_was_sealed_still_opens() {
    let place = Place::with_importer();
    place.good(&["import", &sample("municipal/infant-checkups.csv")]);
    let turned = place.json(&["keys", "rotate", "--json"], 0);
    assert_eq!((&turned["generation"], &turned["signing_keys"]), (&Value::from(2), &Value::from(2)));
    place.good(&["token", "--client", "importer", "--scope", "system/*.rs"]);
    assert_eq!(place.json(&["audit-verify", "--json"], 0)["sound"], true);
    place.good(&["doctor"]);
}

/// A server that is ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_work_beside_a_server_but_those_that_must_not() {
    let place = Place::with_importer();
    let child = Command::new(BINARY)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("TECHO_DATA", &place.data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut server = Serving(child);
    let out = server.0.stdout.take().expect("piped");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert!(line.contains("listening"), "{line}");
    let origin = line.rsplit(' ').next().expect("an origin").trim();
    let kept = std::fs::read_to_string(place.data.join("origin.json")).expect("remembered");
    assert!(kept.contains(origin), "commands use the server's origin: {kept}");

    place.good(&["import", &sample("municipal/infant-checkups.csv")]);
    place.good(&["token", "--client", "importer", "--scope", "system/*.rs"]);
    place.good(&["doctor"]);
    let checked = place.json(&["reindex", "--check", "--json"], 0);
    // What was there before the server got its origin is of another epoch.
    assert!(checked["different"] == 0 && checked["stale"].as_u64() < checked["records"].as_u64(), "{checked}");
    let backup = place.data.join("b.techo-backup");
    let backup = backup.to_str().expect("a path");
    place.good(&["backup", backup]);
    for arguments in [&["migrate"][..], &["restore", "--force", backup]] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said(&output).contains("stop it"), "{arguments:?}: {}", said(&output));
    }
    drop(server);
    place.good(&["migrate"]);
    place.good(&["restore", "--force", backup]);
}

const BINARY: &str = env!("CARGO_BIN_EXE_techo");

/// A public ES384 key; nobody has its private half any more.
const PUBLIC_KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-384","alg":"ES384","use":"sig","kid":"YKn_-11ItTykfc1T","key_ops":["verify"],
"x":"gCdVHGQG-uc2__CmcXCJbVvzp0hpWZS7_RjPas5uCR4fIYN9_xIQTI0FozcjDSBr",
"y":"DOT9_hURyXiXpPKIMwDp0vvCsaftbote1fQ0JVPV9zaxo5qBuTfFe7X45BjZ0wQA"}]}"#;
