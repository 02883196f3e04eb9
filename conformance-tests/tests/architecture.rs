//! The house keeps its shape: sizes, who may know axum and SQL, and that code
//! flows one way. Kept by a test, because memory fails.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_OF_A_FILE: usize = 600;
const LINES_OF_A_FUNCTION: usize = 80;

/// The blocks of `server/src`, top to bottom; each may use those below it.
const BLOCKS: [&str; 15] = [
    "main",
    "cli",
    "app",
    "http",
    "portal",
    "dispatch",
    "operation",
    "import",
    "job",
    "insight",
    "interaction",
    "consent",
    "auth",
    "search",
    "store",
];

/// Leaves that any block may use.
const LEAVES: [&str; 5] = ["config", "clock", "random", "secret", "my_number"];

/// Arrows that go up, each with its reason. Growing this list is a matter for
/// review.
const UPWARD: [(&str, &str, &str); 9] = [
    ("store", "consent", "store reads consent::view, whose private constructor decides who may build a View"),
    ("store", "search", "a Plan and its values are pure data; the store turns them into SQL"),
    ("http", "app", "handlers are given the parts that app.rs wired"),
    ("portal", "app", "handlers are given the parts that app.rs wired"),
    ("dispatch", "app", "a Call carries the parts that app.rs wired"),
    ("operation", "app", "a Call carries the parts that app.rs wired"),
    ("import", "app", "a Call carries the parts that app.rs wired"),
    ("job", "app", "a job is given the parts that app.rs wired"),
    ("interaction", "app", "a Call carries the parts that app.rs wired"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust source of the workspace: path below the root, and text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in [
        "server/src",
        "profiles/src",
        "terminology/src",
        "migrations/src",
        "conformance-tests/src",
        "conformance-tests/tests",
    ] {
        collect(&root().join(folder), folder, &mut found);
    }
    assert!(found.len() > 50, "the sources are there: {}", found.len());
    found
}

fn collect(folder: &Path, name: &str, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let name = format!("{name}/{file}");
        if entry.path().is_dir() {
            collect(&entry.path(), &name, found);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            found.push((name, fs::read_to_string(entry.path()).expect("source is text")));
        }
    }
}

#[track_caller]
fn none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n{}", faults.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long = |(name, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > LINES_OF_A_FILE).then(|| format!("{name}: {lines}"))
    };
    let faults: Vec<String> = sources().iter().filter_map(long).collect();
    none(&faults, "a file has 600 lines at most");
}

#[test]
fn no_function_is_too_long() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        faults.extend(long_functions(&name, &text));
    }
    none(&faults, "a function has 80 lines at most");
}

/// rustfmt closes a function on a line of its own, indented as it began.
fn long_functions(name: &str, text: &str) -> Vec<String> {
    // A table of cases at a file's bottom may be as long as its cases.
    let lines: Vec<&str> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
    let mut faults = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let words: Vec<&str> = body.split([' ', '(']).take(6).collect();
        let head = words.iter().position(|word| *word == "fn");
        if head.is_none_or(|at| {
            words[..at]
                .iter()
                .any(|word| !["pub", "async", "const", "super)", "crate)", "pub(super)", "pub(crate)"].contains(word))
        }) {
            continue;
        }
        let indent = &line[..line.len() - body.len()];
        let end = lines[start..].iter().position(|line| *line == format!("{indent}}}"));
        if let Some(length) = end.filter(|length| length + 1 > LINES_OF_A_FUNCTION) {
            faults.push(format!("{name}:{}: {} lines", start + 1, length + 1));
        }
    }
    faults
}

#[test]
fn only_the_edge_knows_axum() {
    let mut faults = Vec::new();
    let sources = sources();
    let tests = test_modules(&sources);
    for (name, text) in &sources {
        let allowed = ["server/src/http/", "server/src/portal/", "conformance-tests/"]
            .iter()
            .any(|place| name.starts_with(place));
        if allowed || tests.iter().any(|module| name.starts_with(module)) {
            continue;
        }
        for (number, line) in code(text) {
            if line.contains("axum::") || line.contains("axum_server::") {
                faults.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    none(&faults, "axum stands in http/ and portal/ alone");
}

#[test]
fn sql_is_written_in_the_store_alone() {
    let mut faults = Vec::new();
    let sources = sources();
    let tests = test_modules(&sources);
    for (name, text) in &sources {
        let allowed = ["server/src/store/", "server/src/store.rs", "migrations/", "conformance-tests/"]
            .iter()
            .any(|place| name.starts_with(place));
        if allowed || tests.iter().any(|module| name.starts_with(module)) {
            continue;
        }
        for (number, line) in code(text) {
            let verb = ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE ", "CREATE TABLE", "Statement::from"];
            let said =
                verb.iter().any(|verb| line.contains(verb)) && (line.contains('"') || line.contains("Statement::"));
            if said {
                faults.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    none(&faults, "SQL stands in store/ and migrations/ alone");
}

/// Modules that are compiled for tests only: path without `.rs`.
fn test_modules(sources: &[(String, String)]) -> Vec<String> {
    let mut modules = Vec::new();
    for (name, text) in sources {
        let folder = match name.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => name.trim_end_matches(".rs").to_owned(),
        };
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let module =
                pair[1].trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
            modules.extend(module.map(|module| format!("{folder}/{module}")));
        }
    }
    modules
}

#[test]
fn code_flows_one_way() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let Some(inner) = name.strip_prefix("server/src/") else { continue };
        let block = inner.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = BLOCKS.iter().position(|known| *known == block) else { continue };
        for (number, line) in code(&text) {
            for used in
                line.split("crate::").skip(1).filter_map(|rest| rest.split([':', ';', ' ', ',', '{', '}', '(']).next())
            {
                let above = BLOCKS.iter().position(|known| *known == used).is_some_and(|other| other < own);
                let explained = UPWARD.iter().any(|(from, to, _)| *from == block && *to == used);
                if above && !explained {
                    faults.push(format!("{name}:{number}: {block} uses {used}"));
                }
            }
        }
    }
    none(&faults, "a block uses the blocks below it only");
    assert!(LEAVES.iter().all(|leaf| !BLOCKS.contains(leaf)));
}

/// A row as it is stored holds names that are cut on the way out.
#[test]
fn pages_are_made_of_what_the_caller_may_have() {
    let mut faults = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("server/src/portal/")) {
        for (number, line) in code(text) {
            let stored = ["reader(", "reader::", "Stored", ".body(", "_body(", "_bodies("];
            if stored.iter().any(|word| line.contains(word)) {
                faults.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    none(&faults, "the portal takes records from interaction::shown alone");
}

#[test]
fn crates_depend_one_way() {
    let allowed = [
        ("profiles", ""),
        ("terminology", "techo-profiles"),
        ("migrations", ""),
        ("server", "techo-profiles techo-terminology techo-migrations"),
        ("conformance-tests", ""),
    ];
    for (folder, list) in allowed {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        for line in text.lines().filter(|line| line.starts_with("techo-")) {
            let used = line.split(['.', ' ', '=']).next().unwrap_or_default();
            assert!(list.split(' ').any(|known| known == used), "{folder} depends on {used}");
        }
    }
}

#[test]
fn unsafe_code_stays_forbidden() {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    assert!(text.contains("unsafe_code = \"forbid\""));
    for folder in ["profiles", "terminology", "migrations", "server", "conformance-tests"] {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        assert!(text.contains("[lints]\nworkspace = true"), "{folder} keeps the workspace's lints");
    }
}

/// Lines that are code: not comments, and not the tests at a file's bottom.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}
