//! Real clients, unmodified: `PyPI`'s and npm's `fhirclient`.
//!
//! They are installed into a cache directory (`TECHO_CLIENTS`, by default below
//! the user's cache) from pinned lists. What is missing on a developer's machine
//! is named in one line and the test says it did not run; in CI that fails.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use techo_conformance_tests::world::World;

/// The sample apps live at one fixed port.
static PORT: Mutex<()> = Mutex::new(());

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

fn cache(name: &str) -> PathBuf {
    let default = || {
        let user = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        user.join(".cache/techo-clients")
    };
    std::env::var_os("TECHO_CLIENTS").map_or_else(default, PathBuf::from).join(name)
}

/// Nothing is skipped in CI.
fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "missing: {what}");
    eprintln!("NOT RUN, missing: {what}");
}

fn found(program: &str) -> bool {
    let said = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    said.is_ok_and(|status| status.success())
}

/// Runs a command; what it said if it failed.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

/// Installs once for each content of the pinned list; a file marks what is whole.
fn installed(folder: &Path, pinned: &Path, install: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let wanted = fs::read_to_string(pinned).map_err(|error| error.to_string())?;
    let mark = folder.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    fs::remove_dir_all(folder).ok();
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    install()?;
    fs::write(mark, wanted).map_err(|error| error.to_string())
}

/// Gives the demo's JSON to a program and takes one JSON object from it.
fn told(mut command: Command, info: &Value) -> Value {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the client can be run");
    let mut input = child.stdin.take().expect("its input is piped");
    input.write_all(info.to_string().as_bytes()).expect("it reads its input");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {said}\n{errors}"))
}

#[test]
fn the_python_library_launches_and_reads() {
    let folder = cache("python");
    let pinned = here("python/requirements.txt");
    if !found("python3") {
        return missing("python3");
    }
    let install = || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(&pinned))
    };
    if let Err(why) = installed(&folder, &pinned, install) {
        return missing(&format!("PyPI's fhirclient could not be installed: {why}"));
    }
    let world = World::new();
    let _port = PORT.lock();
    let mut command = Command::new(folder.join("bin/python"));
    command.arg(here("python/launch.py"));
    let result = told(command, &world.server.info);
    for way in ["default", "secret"] {
        assert_eq!(result[way]["patient"], "2026-07-10", "{result}");
        for (kind, least) in [("Observation", 8), ("Immunization", 3), ("MedicationStatement", 3)] {
            assert!(result[way][kind].as_u64().is_some_and(|count| count >= least), "{way} {kind}: {result}");
        }
    }
}

#[test]
fn the_javascript_library_in_a_browser_until_she_withdraws_it() {
    let folder = cache("js");
    let pinned = here("js/package-lock.json");
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&browser).exists() {
        return missing("chromium (Debian's package chromium, or its path in CHROMIUM)");
    }
    if !found("node") || !found("npm") {
        return missing("node and npm");
    }
    let install = || {
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(here("js").join(name), folder.join(name)).map_err(|error| error.to_string())?;
        }
        run(Command::new("npm").args(["ci", "--omit=optional", "--ignore-scripts"]).current_dir(&folder))
    };
    if let Err(why) = installed(&folder, &pinned, install) {
        return missing(&format!("npm's fhirclient could not be installed: {why}"));
    }
    let world = World::new();
    let _port = PORT.lock();
    let mut command = Command::new("node");
    command.arg(here("js/run.mjs")).env("TECHO_CLIENTS_HOME", &folder).env("CHROMIUM", browser);
    let result = told(command, &world.server.info);
    assert_eq!(result["preticked"], 0, "nothing is pre-ticked: {result}");
    assert_eq!(result["state"]["patient"], "pt-mei", "{result}");
    assert!(result["state"]["user"].as_str().is_some_and(|user| user.contains("hanako")), "{result}");
    assert!(!result["state"]["scope"].as_str().unwrap_or_default().contains("Condition"), "{result}");
    assert_eq!((&result["patient"], &result["reloaded"]), (&"pt-mei".into(), &"pt-mei".into()), "{result}");
    for (kind, least) in [("Observation", 8), ("Immunization", 3), ("MedicationStatement", 3)] {
        assert!(result[kind].as_u64().is_some_and(|count| count >= least && count < 400), "{kind}: {result}");
    }
    assert_eq!(result["Condition"], 403, "what was left unticked: {result}");
    assert_eq!(result["withdrawn"], 401, "withdrawn: {result}");
    assert!(!result["library"].is_number() || result["library"] == 401 || result["library"] == 400, "{result}");
}
