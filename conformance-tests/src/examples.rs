//! R4's own examples, as JSON and as XML.
//!
//! HL7 publishes them with the specification; the Maven artifact below carries them
//! whole. It is fetched when it is first needed, checked against its hash, and kept in
//! the target directory; nothing of it is in this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};

use crate::archive;

const ARTIFACT: &str = "com.ibm.fhir:fhir-examples:4.11.1";
const FILE: &str = "fhir-examples-4.11.1.jar";
const HASH: &str = "20d934b5b6e35652490b6801ee76231a916733ecf125cbb1ce72a910fe7639c9";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";

/// One example.
#[derive(Clone, Debug)]
pub struct Example {
    /// `patient-example.json`
    pub name: String,
    /// Its text.
    pub text: String,
}

/// All examples: JSON, XML. `None`, with a line that says so, where they cannot be had;
/// under `CI` that fails the test.
pub fn all() -> Option<(Vec<Example>, Vec<Example>)> {
    let archive = match fetched() {
        Ok(bytes) => bytes,
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "R4's examples are needed: {why}");
            eprintln!("skipped: R4's examples cannot be had: {why}");
            return None;
        }
    };
    let of = |folder: &str| {
        let found = archive::files(&archive, |path| path.starts_with(folder));
        let example = |(path, bytes): (String, Vec<u8>)| Example {
            name: path[folder.len()..].to_owned(),
            text: String::from_utf8(bytes).unwrap_or_else(|_| panic!("{path} is not UTF-8")),
        };
        found.into_iter().map(example).collect()
    };
    Some((of("json/spec/"), of("xml/spec/")))
}

fn fetched() -> Result<Vec<u8>, String> {
    let folder = folder();
    let path = folder.join(FILE);
    if !path.exists() {
        fetch(&folder)?;
    }
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, HASH, "{} is not what was pinned", path.display());
    Ok(bytes)
}

/// Beside the tests' programs: `target/r4-examples`.
fn folder() -> PathBuf {
    let here = std::env::current_exe().expect("a test knows where it lies");
    here.ancestors().nth(3).unwrap_or(Path::new(".")).join("r4-examples")
}

/// Maven writes a part first and renames it, so that a half file is never found.
fn fetch(folder: &Path) -> Result<(), String> {
    let output = format!("-DoutputDirectory={}", folder.display());
    let run = Command::new("mvn")
        .args(["--batch-mode", "--quiet", COPY, &format!("-Dartifact={ARTIFACT}"), &output])
        .output()
        .map_err(|error| format!("mvn: {error}"))?;
    if run.status.success() { Ok(()) } else { Err(format!("{ARTIFACT} was not fetched by mvn")) }
}
