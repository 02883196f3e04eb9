//! `techo backup` and `techo restore`: all data in one file.
//!
//! The file (`backup/archive.rs`) holds the database as one snapshot of it, the
//! audit log, and every other file of the data directory, the keys among them.
//! Without the keys neither the audit log nor what is sealed could be read again;
//! with them the file has to be kept as safe as the data directory itself.
//!
//! The order is what makes it sound beside a running server: first the database,
//! then the log, which only grows. So the log always comes as far as the
//! database says it does.

mod archive;

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::open::{self, Missing};
use super::show::{self, Progress};
use super::{Failure, Place};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::random::Random;
use crate::store::audit::Kind;
use crate::store::upkeep;
use archive::{Reader, Writer};

/// Options of `techo backup`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo backup /backup/techo-$(date +%F).techo-backup

Works beside a running server. The file holds the keys too: keep it as safe as the data directory.
A PostgreSQL database is backed up by pg_dump, with a copy of the data directory for the keys.")]
pub struct Args {
    /// The file to make. One that is there is left alone.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Options of `techo restore`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example: techo restore --data /var/lib/techo /backup/techo-2026-11-22.techo-backup

The whole file is verified before anything is put in place. Refuses with exit code 1 while a
server or another command uses the database, and where there are data already; with --force
those are set aside in a folder replaced-… of the data directory.")]
pub struct RestoreArgs {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Set data that are there aside.
    #[arg(long)]
    force: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Makes a backup.
pub async fn run(place: &Place, args: Args) -> Result<ExitCode, Failure> {
    let app = open::app(place, Missing::Refuse).await?;
    let Some(database) = upkeep::place(&app.config) else { return Err(postgres()) };
    if args.file.exists() {
        return Err(Failure(format!("{} is there already; name another file", args.file.display())));
    }
    writable(&args.file)?;
    // In the log, and so in the backup, that it was made.
    open::recorded(&app, open::act(&app, Kind::Operator, "backup", None)).await?;
    let part = beside(&args.file, "part");
    let copy = beside(&args.file, "db-part");
    let done = write(&app, &database, &part, &copy, args.json).await;
    let _ = fs::remove_file(&copy);
    let files = match done {
        Ok(files) => files,
        Err(failure) => {
            let _ = fs::remove_file(&part);
            return Err(failure);
        }
    };
    fs::rename(&part, &args.file).map_err(|error| at(&args.file, &error))?;
    let bytes = fs::metadata(&args.file).map_err(|error| at(&args.file, &error))?.len();
    if args.json {
        show::json(&json!({"file": args.file, "files": files, "bytes": bytes}))?;
    } else {
        show::line(format!("{}: {files} files, {bytes} bytes", args.file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses before anything is done where no file can be made.
fn writable(file: &Path) -> Result<(), Failure> {
    let part = beside(file, "part");
    let tried = fs::File::create(&part).and_then(|_| fs::remove_file(&part));
    tried.map_err(|error| Failure(format!("{} cannot be written: {error}; name another file", file.display())))
}

async fn write(app: &App, database: &Path, part: &Path, copy: &Path, quiet: bool) -> Result<usize, Failure> {
    upkeep::copy_database(&app.config, copy).await.map_err(Failure::of)?;
    let mut files = vec![(DATABASE.to_owned(), copy.to_owned())];
    gather(&app.config.data, &app.config.data, &[database, part, copy], &mut files)?;
    let keys = app.config.keys_path();
    if !files.iter().any(|(name, _)| name == KEYS) {
        // They may lie elsewhere, where several servers share them.
        files.push((KEYS.to_owned(), keys));
    }
    let progress = Progress::new("files", files.len() as u64, quiet);
    let mut writer = Writer::create(part).map_err(|error| at(part, &error))?;
    for (number, (name, path)) in files.iter().enumerate() {
        writer.add(name, path).map_err(|error| at(path, &error))?;
        progress.at(number as u64 + 1, files.len() as u64);
    }
    writer.end().map_err(|error| at(part, &error))?;
    progress.end();
    Ok(files.len())
}

/// The files of the data directory but the database, locks, and what other commands are making.
fn gather(root: &Path, folder: &Path, without: &[&Path], into: &mut Vec<(String, PathBuf)>) -> Result<(), Failure> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| at(folder, &error))?;
    entries.sort();
    let left_out: Vec<PathBuf> = without.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = fs::symlink_metadata(&path).map_err(|error| at(&path, &error))?;
        if kind.is_dir() {
            if !name.starts_with(REPLACED) && !name.starts_with(COMING) {
                gather(root, &path, without, into)?;
            }
            continue;
        }
        let whole = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let of_database = left_out.iter().any(|out| {
            whole
                .to_string_lossy()
                .strip_prefix(&*out.to_string_lossy())
                .is_some_and(|rest| matches!(rest, "" | "-wal" | "-shm" | "-journal"))
        });
        if !kind.is_file() || of_database || passed_over(&name) {
            continue;
        }
        if let Ok(inside) = path.strip_prefix(root) {
            let parts: Vec<String> =
                inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
            into.push((parts.join("/"), path));
        }
    }
    Ok(())
}

/// Puts a backup in place.
pub async fn restore(place: &Place, args: RestoreArgs) -> Result<ExitCode, Failure> {
    let config = open::config(place)?;
    let Some(database) = upkeep::place(&config) else { return Err(postgres()) };
    let checked = unpack(&args.file, None, args.json)?;
    let _alone = upkeep::alone(&config).await.map_err(Failure::of)?;
    let present = present(&config, &database)?;
    if !present.is_empty() && !args.force {
        return Err(Failure(format!(
            "{} holds data already; name an empty directory with --data, or set them aside with --force",
            config.data.display()
        )));
    }
    let random = Random::system();
    let coming = config.file(format!("{COMING}{}", random.id()));
    let unpacked = unpack(&args.file, Some(&coming), args.json);
    let done = unpacked.and_then(|files| {
        if files != checked {
            return Err(Failure(format!("{} changed while it was read", args.file.display())));
        }
        let aside = (!present.is_empty()).then(|| config.file(format!("{REPLACED}{}", random.id())));
        if let Some(aside) = &aside {
            set_aside(&present, aside)?;
        }
        put_in_place(&coming, &files, &config, &database)?;
        Ok(aside)
    });
    let _ = fs::remove_dir_all(&coming);
    let aside = done?;
    record(config.clone()).await?;
    if args.json {
        show::json(&json!({"files": checked.len(), "set_aside": aside}))?;
    } else {
        show::line(format!("{} files restored to {}", checked.len(), config.data.display()))?;
        if let Some(aside) = aside {
            show::line(format!("what was there is in {}", aside.display()))?;
        }
        show::note("look it over with: techo doctor");
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens what was restored, bringing an older schema up to date, and records the act in its log.
async fn record(config: Config) -> Result<(), Failure> {
    let opened = App::start(config, Clock::system(), Random::system()).await;
    let app = opened.map_err(|error| Failure(format!("restored, but it does not open: {error}")))?;
    open::recorded(&app, open::act(&app, Kind::Operator, "restore", None)).await
}

/// Reads the whole backup, verifying it; writes its files into a folder, if one is named.
fn unpack(file: &Path, into: Option<&Path>, quiet: bool) -> Result<Vec<String>, Failure> {
    let failed = |error: archive::ArchiveError| Failure(format!("{}: {error}", file.display()));
    let mut reader = Reader::open(file).map_err(failed)?;
    let progress = Progress::new("files", 0, quiet);
    let mut names: Vec<String> = Vec::new();
    while let Some(name) = reader.next().map_err(failed)? {
        if !is_inside(&name) || names.contains(&name) {
            return Err(Failure(format!("{}: it holds a file that no backup of this program holds", file.display())));
        }
        match into {
            Some(folder) => reader.write_to(&folder.join(&name)).map_err(failed)?,
            None => reader.pass().map_err(failed)?,
        }
        names.push(name);
        progress.at(names.len() as u64, names.len() as u64);
    }
    progress.end();
    if names.iter().any(|name| name == DATABASE) && names.iter().any(|name| name == KEYS) {
        return Ok(names);
    }
    Err(Failure(format!("{}: it holds no database or no keys", file.display())))
}

/// A name that stays inside the folder it is written to.
fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && !name.contains('\\')
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// What stands where the backup goes: all of the data directory but configuration,
/// locks and what restores left, and the database and keys wherever they are.
fn present(config: &Config, database: &Path) -> Result<Vec<PathBuf>, Failure> {
    let with = |suffix: &str| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let mut found = vec![with(""), with("-wal"), with("-shm"), config.keys_path()];
    if config.data.exists() {
        let entries = fs::read_dir(&config.data).map_err(|error| at(&config.data, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| at(&config.data, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !passed_over(&name) && !name.starts_with(REPLACED) && !name.starts_with(COMING) {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.exists());
    found.sort();
    found.dedup();
    Ok(found)
}

/// Files that are not data: locks, what is being made, other backups, configuration.
fn passed_over(name: &str) -> bool {
    ["lock", "part", SUFFIX, ".toml"].iter().any(|end| name.ends_with(end))
}

fn set_aside(present: &[PathBuf], aside: &Path) -> Result<(), Failure> {
    archive::private_folders(aside).map_err(|error| at(aside, &error))?;
    for path in present {
        let name = path.file_name().unwrap_or_default();
        fs::rename(path, aside.join(name)).map_err(|error| at(path, &error))?;
    }
    Ok(())
}

fn put_in_place(coming: &Path, files: &[String], config: &Config, database: &Path) -> Result<(), Failure> {
    for name in files {
        let to = match name.as_str() {
            DATABASE => database.to_owned(),
            KEYS => config.keys_path(),
            name => config.file(name),
        };
        if let Some(parent) = to.parent() {
            archive::private_folders(parent).map_err(|error| at(parent, &error))?;
        }
        let from = coming.join(name);
        // A database or key file on another disk cannot be renamed to.
        if fs::rename(&from, &to).is_err() {
            fs::copy(&from, &to).map_err(|error| at(&to, &error))?;
        }
    }
    Ok(())
}

fn postgres() -> Failure {
    Failure(
        "a PostgreSQL database is backed up by pg_dump and restored by pg_restore; \
         keep a copy of the data directory beside it, for the keys"
            .to_owned(),
    )
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(format!(".{suffix}"));
    PathBuf::from(path)
}

fn at(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

/// Names inside the backup.
const DATABASE: &str = "database";
const KEYS: &str = "keys";
/// How backups are usually called; one that lies in the data directory is not taken into the next.
const SUFFIX: &str = ".techo-backup";
/// Folders of the data directory that a restore makes.
const REPLACED: &str = "replaced-";
const COMING: &str = "restoring-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for (name, inside) in [
            ("keys", true),
            ("audit/1/00000001", true),
            ("../keys", false),
            ("/etc/passwd", false),
            ("audit/../../x", false),
            ("a\\b", false),
            ("", false),
        ] {
            assert_eq!(is_inside(name), inside, "{name}");
        }
    }
}
