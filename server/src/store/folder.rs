//! A database of a test's own.

use std::path::PathBuf;

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// * `name`: of the test, unlike any other's.
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("techo-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// Of an SQLite database in it.
    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path("db").display())
    }

    /// Of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
