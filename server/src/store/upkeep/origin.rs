//! What the server last ran under: a small file of the data directory.
//!
//! Index rows depend on the public origin (a reference that begins with it is to
//! a record here) and on the zone. A command that runs beside a server must not
//! guess them.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Config;

/// What decides about stored data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The public origin.
    pub base_url: String,
    /// Name of the zone.
    pub zone: Option<String>,
    /// The Organization that runs the server.
    pub operator: String,
}

/// Keeps what this server runs under.
pub fn remember(config: &Config) -> io::Result<()> {
    let origin = Origin {
        base_url: config.base_url.clone(),
        zone: config.zone.iana_name().map(str::to_owned),
        operator: config.operator.clone(),
    };
    if matches!(remembered(&config.data), Ok(Some(known)) if known == origin) {
        return Ok(());
    }
    // Whole or not at all: a command may be reading it.
    let next = config.file(format!("{FILE}.part"));
    std::fs::write(&next, serde_json::to_vec(&origin)?)?;
    std::fs::rename(next, config.file(FILE))
}

/// What the server of this data directory last ran under.
pub fn remembered(data: &Path) -> io::Result<Option<Origin>> {
    match std::fs::read(data.join(FILE)) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

const FILE: &str = "origin.json";
